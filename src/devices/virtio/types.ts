/** virtio devices as `-device` knows them. */

import type { ChannelDeviceType, DeviceEnvironment, DeviceType, Property, PropertyValues } from '../device-type.ts';
import { VirtioCcw } from './ccw.ts';
import type { CommonProperties, VirtioEnvironment } from './device.ts';
import { VirtioRng } from './rng/rng.ts';
import { BuiltinSource } from './rng/source.ts';

const bool = (name: string, on: boolean): Property => ({ name, type: 'bool', default: on });

/** Of every virtio-ccw device. */
const common: readonly Property[] = [
  bool('indirect_desc', true),
  bool('event_idx', true),
  bool('notify_on_empty', true),
  bool('any_layout', true),
  bool('iommu_platform', false),
  bool('packed', false),
  { name: 'max_revision', type: 'uint32', default: 2, description: 'Newest revision of virtio-ccw' },
];

export const commonProperties = (values: PropertyValues): CommonProperties => ({
  indirect_desc: values.indirect_desc as boolean,
  event_idx: values.event_idx as boolean,
  notify_on_empty: values.notify_on_empty as boolean,
  any_layout: values.any_layout as boolean,
  iommu_platform: values.iommu_platform as boolean,
  packed: values.packed as boolean,
});

const around = ({ storage, complain }: DeviceEnvironment): VirtioEnvironment => ({ storage, complain });

const rng: ChannelDeviceType = {
  name: 'virtio-rng-ccw',
  aliases: ['virtio-rng'],
  backend: 'virtio-rng-device',
  bus: 'virtual-css-bus',
  category: 'Misc',
  properties: [
    { name: 'max-bytes', type: 'uint64', default: 2 ** 53 - 1 },
    { name: 'period', type: 'uint32', default: 65536 },
    { name: 'rng', type: 'link' },
    ...common,
  ],
  make(values, environment) {
    const source = new BuiltinSource();
    const properties = {
      ...commonProperties(values),
      maxBytes: values['max-bytes'] as number,
      period: values.period as number,
    };
    const device = new VirtioRng(around(environment), properties, source);
    return new VirtioCcw(device, environment.storage, values.max_revision as number);
  },
};

export const virtioTypes: readonly DeviceType[] = [rng];
