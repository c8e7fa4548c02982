/** QMP's questions about CPU models. Models are told of as they are, whether lpar has all of one or not. */

import { ConfigurationError } from '../../machine/control.ts';
import { deprecated, expand, features, summarize } from '../../machine/cpu-features.ts';
import { available, type ChosenModel, chosenModel, everything } from '../../machine/cpu-model.ts';
import { featuresOf, type ModelDefinition, models } from '../../machine/cpu-models.ts';
import { CPU_DRIVER } from '../smp.ts';
import type { Json, JsonObject } from './json.ts';
import { isObject } from './json.ts';
import { QmpError } from './schema.ts';

/** A model as a client names it, in the member `where` of the arguments. */
export interface ModelInfo {
  readonly name: string;
  readonly props?: Json;
}

/** @throws QmpError */
function modelOf({ name, props }: ModelInfo, where: string): ChosenModel {
  const known = everything.includes(name) || models.some(model => model.name === name.replace(/-base$/, ''));
  if (!known) throw new QmpError(`The CPU definition '${name}' is unknown.`);
  if (props === undefined) return chosenModel(name, new Map());
  if (!isObject(props)) throw new QmpError(`Invalid parameter type for '${where}.props', expected: object`);
  const changes = Object.entries(props).map(([feature, on]): [string, boolean] => {
    if (typeof on === 'boolean') return [feature, on];
    // Names that do not exist are told of before values.
    chosenModel(name, new Map([[feature, false]]));
    throw new QmpError(`Invalid parameter type for '${feature}', expected: boolean`);
  });
  try {
    return chosenModel(name, new Map(changes));
  } catch (error) {
    throw error instanceof ConfigurationError ? new QmpError(error.message) : error;
  }
}

const switches = (on: Iterable<string>, off: Iterable<string>): JsonObject => ({
  ...Object.fromEntries(summarize(new Set(off)).map(name => [name, false])),
  ...Object.fromEntries(summarize(new Set(on)).map(name => [name, true])),
});

const without = (set: Iterable<string>, other: ReadonlySet<string>): string[] =>
  [...set].filter(feature => !other.has(feature));

/** Features by their difference from what every machine of the kind has. */
function staticModel(definition: ModelDefinition, set: ReadonlySet<string>): JsonObject {
  const { base } = featuresOf(definition);
  const props = switches(without(set, base), without(base, set));
  return { name: `${definition.name}-base`, ...(Object.keys(props).length > 0 && { props }) };
}

export function expansion(type: 'static' | 'full', info: ModelInfo): JsonObject {
  const { definition, set } = modelOf(info, 'model');
  const others = features.map(({ name }) => name).filter(name => !set.has(name));
  const all = { name: `${definition.name}-base`, props: switches(set, others) };
  return {
    model: type === 'static' ? staticModel(definition, set) : all,
    'deprecated-props': type === 'static' ? deprecated.filter(name => set.has(name)) : deprecated,
  };
}

type Relation = 'identical' | 'subset' | 'superset' | 'incompatible';
const relation = (less: boolean, more: boolean): Relation =>
  less && more ? 'incompatible' : less ? 'subset' : more ? 'superset' : 'identical';

export function comparison(infoA: ModelInfo, infoB: ModelInfo): JsonObject {
  const [a, b] = [modelOf(infoA, 'modela'), modelOf(infoB, 'modelb')];
  const later = a.definition.generation - b.definition.generation || a.definition.level - b.definition.level;
  const [missing, added] = [without(a.set, b.set), without(b.set, a.set)];
  const less = later < 0 || added.length > 0;
  const more = later > 0 || missing.length > 0;
  return {
    result: relation(less, more),
    'responsible-properties': [
      ...summarize(new Set(added)),
      ...summarize(new Set(missing)),
      ...(later === 0 ? [] : ['type']),
    ],
  };
}

/** Functions of the first cryptographic facility: a machine may lack them and still be what it is. */
const inessential = new Set(expand('msa'));

export function baseline(infoA: ModelInfo, infoB: ModelInfo): JsonObject {
  const [a, b] = [modelOf(infoA, 'modela'), modelOf(infoB, 'modelb')];
  const common = new Set([...a.set].filter(feature => b.set.has(feature)));
  const [first, second] = [a.definition, b.definition];
  const older = first.generation <= second.generation ? first : second;
  const same = first.generation === second.generation;
  const level = same ? Math.min(first.level, second.level) : older.level;
  const type = same && first.type !== second.type ? undefined : older.type;
  const definition = latest(type, older.generation, level, common);
  if (!definition) {
    throw new QmpError('No compatible CPU model could be created as important base features are disabled');
  }
  const { possible } = featuresOf(definition);
  return { model: staticModel(definition, new Set([...common].filter(feature => possible.has(feature)))) };
}

/** The latest model, of the type if it can be, all of whose base is among the features. */
function latest(
  type: number | undefined,
  generation: number,
  level: number,
  set: ReadonlySet<string>,
): ModelDefinition | undefined {
  const fitting: ModelDefinition[] = [];
  for (const model of models) {
    if (model.generation > generation || (model.generation === generation && model.level > level)) break;
    if (without(featuresOf(model).base, set).some(feature => !inessential.has(feature))) break;
    fitting.push(model);
  }
  const ofType = fitting.filter(model => model.type === type);
  return ofType.find(model => model.level === level) ?? ofType.at(-1) ?? fitting.at(-1);
}

export function definitions(): JsonObject[] {
  const names = [...everything, ...models.flatMap(({ name }) => [name, `${name}-base`])];
  return names.map(name => ({
    name,
    typename: name + CPU_DRIVER,
    static: name.endsWith('-base'),
    'migration-safe': name !== 'max' && name !== 'host',
    deprecated: false,
    'unavailable-features': summarize(new Set(without(chosenModel(name, new Map()).set, available))),
  }));
}
