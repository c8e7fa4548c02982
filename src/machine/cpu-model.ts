/** CPU models: from the words after `-cpu` to what a CPU has and tells of itself. */

import { announced } from '../cpu/facilities.ts';
import { ConfigurationError } from './control.ts';
import {
  deprecated,
  expand,
  type FeatureKind,
  featureGroups,
  featureNamed,
  features,
  groupNamed,
  missingNeeds,
  summarize,
} from './cpu-features.ts';
import { featuresOf, type ModelDefinition, modelNamed, models } from './cpu-models.ts';
import type { View } from './identity.ts';

/** Names for all that lpar has. */
const forAll: Readonly<Record<string, string>> = {
  qemu: 'All that lpar has',
  host: 'All that lpar has',
  max: 'All that lpar has',
};
export const everything: readonly string[] = Object.keys(forAll);
/** The machine that a CPU with all that lpar has says it is. */
const LEVEL = modelNamed('z14')!;

/** Features that lpar has beside facilities. */
const others: readonly string[] = expand(
  'plo diag318 esop dateh2 cmm ptff-qto ptff-qsi ptff-qpc ptff-qui ptff-qtou ptff-sto ptff-stou',
);

/** What `max` and the like have only when asked for: guests read the topology again and again. */
const onRequest: readonly string[] = ['ctop'];

/** What only a hypervisor gives its guests. */
const ofHypervisors: readonly string[] = ['sthyi', 'cmm', 'cmmnt'];

/** Functions of PTFF that adjust and steer the clock of the whole machine: no feature stands for them, and KVM's guests never have them. */
export const steeringFunctions: readonly number[] = [0x40, 0x42, 0x43];

/** Without these no z/Architecture operating system runs; they cannot be switched off. */
const fixed: readonly string[] = ['esan3', 'zarch'];

/** STFLE bits that no feature stands for. */
const always: readonly number[] = [...announced].filter(
  bit => !features.some(feature => feature.kind === 'stfle' && feature.bit === bit),
);
/** A facility whose bit says that another one is there as well (PoP ch. 4, "Facility Indications"). */
const implies: readonly (readonly [number, number])[] = [[37, 42]];

export interface CpuModel {
  readonly name: string;
  readonly definition: ModelDefinition;
  /** Names of features. */
  readonly features: ReadonlySet<string>;
  /** STFLE bits of the facilities that are there. */
  readonly facilities: ReadonlySet<number>;
  /** STFLE bits that are announced. */
  readonly announced: ReadonlySet<number>;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/** All features that lpar has, by name. */
export const available: ReadonlySet<string> = new Set(
  features
    .filter(({ kind, bit, name }) => (kind === 'stfle' ? announced.has(bit) : others.includes(name)))
    .map(({ name }) => name),
);

function definitionOf(name: string): { definition: ModelDefinition; set: Set<string>; possible: ReadonlySet<string> } {
  if (everything.includes(name)) {
    const set = new Set([...available].filter(feature => !onRequest.includes(feature)));
    return { definition: LEVEL, set, possible: featuresOf(LEVEL).possible };
  }
  const definition = modelNamed(name.replace(/-base$/, ''));
  if (!definition) throw new ConfigurationError(`unable to find CPU model '${name}'`);
  const { base, usual, possible } = featuresOf(definition);
  return { definition, set: name.endsWith('-base') ? base : usual, possible };
}

/** A model with the changes to it, whether lpar has all of it or not. */
export interface ChosenModel {
  readonly definition: ModelDefinition;
  /** Names of features, */
  readonly set: Set<string>;
  /** and of those that were asked for by name. */
  readonly asked: ReadonlySet<string>;
}

/**
 * @param changes features and groups switched on or off
 * @param told of the change that goes wrong, for a message that names it
 * @throws ConfigurationError naming a model or feature that does not exist
 */
export function chosenModel(
  name: string,
  changes: ReadonlyMap<string, boolean>,
  view: View = 'kvm',
  told: (feature: string, on: boolean) => string = () => '',
): ChosenModel {
  const { definition, set, possible } = definitionOf(name);
  if (view === 'lpar') for (const feature of ofHypervisors) set.delete(feature);
  const asked = new Set<string>();
  for (const [feature, on] of changes) {
    const fail = (message: string): never => {
      throw new ConfigurationError(told(feature, on) + message);
    };
    if (feature === 'deprecated-features') {
      if (!on) for (const member of deprecated) set.delete(member);
      continue;
    }
    const group = groupNamed(feature);
    if (!group && !featureNamed(feature)) fail(`Property '${name}-s390x-cpu.${feature}' not found`);
    const members = group?.members ?? [feature];
    if (on && !members.some(member => possible.has(member))) {
      const what = group ? 'Group' : 'Feature';
      fail(
        `${what} '${feature}' is not available for CPU model '${definition.name}', it was introduced with later models.`,
      );
    }
    if (!on && members.some(member => fixed.includes(member))) fail(`Feature '${feature}' cannot be switched off`);
    for (const member of members) {
      if (on) {
        set.add(member);
        asked.add(member);
      } else {
        set.delete(member);
        asked.delete(member);
      }
    }
  }
  return { definition, set, asked };
}

/**
 * What the CPUs have and tell of themselves.
 * @throws ConfigurationError naming a model or feature that does not exist, or a feature asked for that lpar lacks
 */
export function cpuModel(
  name = 'max',
  changes: ReadonlyMap<string, boolean> = new Map(),
  view: View = 'kvm',
): CpuModel {
  const told = (feature: string, on: boolean): string =>
    `can't apply global ${name}-s390x-cpu.${feature}=${on ? 'on' : 'off'}: `;
  const { definition, set, asked } = chosenModel(name, changes, view, told);
  const lacking = (wanted: Iterable<string>): string[] =>
    summarize(new Set([...wanted].filter(feature => !available.has(feature))));
  const refused = lacking(asked);
  const unavailable = 'Some features requested in the CPU model are not available in the configuration';
  if (refused.length > 0) throw new ConfigurationError(`${unavailable}: ${refused.join(' ')}`);
  const warnings = missingNeeds(set).map(([feature, needed]) => `'${feature}' requires '${needed}'.`);
  const left = lacking(set);
  if (left.length > 0) warnings.push(`${unavailable}: ${left.join(' ')}`);
  for (const feature of set) if (!available.has(feature)) set.delete(feature);
  const facilities = new Set([...always, ...bitsOf(set, 'stfle')]);
  const held = implies.filter(([, implied]) => !facilities.has(implied)).map(([bit]) => bit);
  return {
    name,
    definition,
    features: set,
    facilities,
    announced: new Set([...facilities].filter(bit => !held.includes(bit))),
    warnings,
  };
}

/** The bits of a kind that the features of a set stand for. */
export const bitsOf = (set: ReadonlySet<string>, kind: FeatureKind): number[] =>
  features.filter(feature => feature.kind === kind && set.has(feature.name)).map(({ bit }) => bit);

/** The bits of a kind that features stand for which a set has not. */
export const bitsWithout = (set: ReadonlySet<string>, kind: FeatureKind): number[] =>
  features.filter(feature => feature.kind === kind && !set.has(feature.name)).map(({ bit }) => bit);

/** Bytes with these bits on, counted from the leftmost of the first byte. */
export function bitBlock(bits: Iterable<number>, length: number): Uint8Array {
  const block = new Uint8Array(length);
  for (const bit of bits) if (bit < 8 * length) block[bit >>> 3]! |= 0x80 >>> (bit & 7);
  return block;
}

/** The text of `-cpu help`. */
export function cpuHelp(): string {
  const model = (name: string, description: string, properties: string): string =>
    `s390 ${name.padEnd(15)} ${description.padEnd(35)} ${properties}`.trimEnd();
  const line = (entry: { name: string; description: string }): string =>
    `${entry.name.padEnd(20)} ${entry.description.padEnd(50)}`;
  return [
    'Available CPUs:',
    ...Object.entries(forAll).map(([name, text]) => model(name, text, name === 'qemu' ? '(migration-safe)' : '')),
    ...models.flatMap(({ name, description }) => [
      model(`${name}-base`, description, '(static, migration-safe)'),
      model(name, description, '(migration-safe)'),
    ]),
    '',
    'Recognized feature flags:',
    ...features.map(line),
    '',
    'Recognized feature groups:',
    ...featureGroups.map(line),
    '',
  ].join('\n');
}
