/** CPU models: from the words after `-cpu` to the facilities that a CPU announces. */

import { facilities } from '../cpu/facilities.ts';
import { ConfigurationError } from './control.ts';

/**
 * Models that can be named. All are what lpar has, which is at the level of a z14 without vectors; `qemu`, `max` and
 * `host` are the names that QEMU users know for "everything".
 */
const models = ['qemu', 'max', 'host', 'z14'] as const;

/** Facilities without which no z/Architecture operating system runs; they cannot be switched off. */
const fixed: ReadonlySet<string> = new Set(['esan3', 'zarch', 'zarchm', 'stfle']);

export interface CpuModel {
  readonly name: string;
  /** STFLE bits. */
  readonly facilities: ReadonlySet<number>;
  /** STFLE bits that could be there and were switched off. */
  readonly disabled: ReadonlySet<number>;
}

/** Names for `-cpu help`. */
export const modelNames: readonly string[] = models;
export const featureNames: readonly string[] = facilities.map(({ name }) => name);

/** @throws ConfigurationError naming a model or feature that is not there */
export function cpuModel(name = 'max', features: ReadonlyMap<string, boolean> = new Map()): CpuModel {
  if (!(models as readonly string[]).includes(name)) {
    throw new ConfigurationError(`CPU model '${name}' is not available; there are ${models.join(', ')}`);
  }
  const disabled = new Set<number>();
  for (const [feature, on] of features) {
    const facility = facilities.find(candidate => candidate.name === feature);
    if (!facility) throw new ConfigurationError(`CPU feature '${feature}' is not available`);
    if (!on && fixed.has(feature)) throw new ConfigurationError(`CPU feature '${feature}' cannot be switched off`);
    if (on) disabled.delete(facility.bit);
    else disabled.add(facility.bit);
  }
  const bits = facilities.map(({ bit }) => bit).filter(bit => !disabled.has(bit));
  return { name, facilities: new Set(bits), disabled };
}
