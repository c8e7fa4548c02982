/** All kinds of devices that `-device` and `device_add` know, the machine's own parts apart. */

import type { DeviceType } from './device-type.ts';
import { terminal3270Type } from './terminal3270/type.ts';
import { virtioTypes } from './virtio/types.ts';

export const deviceTypes: readonly DeviceType[] = [...virtioTypes, terminal3270Type];

/** The type of that name or alias. */
export function deviceType(name: string): DeviceType | undefined {
  return deviceTypes.find(type => type.name === name || type.aliases?.includes(name));
}
