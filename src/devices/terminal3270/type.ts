import type { ChannelDeviceType } from '../device-type.ts';
import { DeviceError } from '../device-type.ts';
import { ControlUnit3270 } from './control-unit.ts';

export const terminal3270Type: ChannelDeviceType = {
  name: 'x-terminal3270',
  bus: 'virtual-css-bus',
  category: 'Misc',
  properties: [{ name: 'chardev', type: 'chr', description: 'ID of a chardev to use as a backend' }],
  make({ chardev }, environment) {
    if (typeof chardev !== 'string') throw new DeviceError("Can't create x-terminal3270 without a chardev");
    return new ControlUnit3270({ chardev: environment.chardev(chardev) });
  },
};
