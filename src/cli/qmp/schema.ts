/** What arguments of a command may be, and how what was given is held against it: QEMU's types and words. */

import { ConfigurationError } from '../../machine/control.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

export type ErrorClass = 'GenericError' | 'CommandNotFound' | 'DeviceNotActive' | 'DeviceNotFound';

/** A command that cannot be carried out. */
export class QmpError extends ConfigurationError {
  readonly kind: ErrorClass;
  constructor(message: string, kind: ErrorClass = 'GenericError') {
    super(message);
    this.kind = kind;
  }
}

/** `int`, `uint64` and `size` are bigint, the shorter numbers are number; an array is the words of an enumeration. */
export type Type =
  | 'str'
  | 'bool'
  | 'int'
  | 'uint64'
  | 'size'
  | 'uint16'
  | 'uint32'
  | 'any'
  | readonly string[]
  | { readonly list: Type }
  | { readonly object: Members };

/** Members by name; before the name of one that may be left out stands `*`. With a member OTHERS there may be any. */
export interface Members {
  readonly [name: string]: Type;
}

/** Stands for members that are not known by name. */
export const OTHERS = '*...';

/** The TypeScript type of values of a QMP type. */
export type ValueOf<T extends Type> = T extends 'str'
  ? string
  : T extends 'bool'
    ? boolean
    : T extends 'int' | 'uint64' | 'size'
      ? bigint
      : T extends 'uint16' | 'uint32'
        ? number
        : T extends 'any'
          ? Json
          : T extends readonly (infer Word)[]
            ? Word
            : T extends { readonly list: infer Item extends Type }
              ? readonly ValueOf<Item>[]
              : T extends { readonly object: infer M extends Members }
                ? ObjectOf<M>
                : never;

export type ObjectOf<M extends Members> = {
  readonly [N in keyof M as N extends `*${string}` ? never : N]: ValueOf<M[N]>;
} & { readonly [N in keyof M as N extends `*${infer Name}` ? Name : never]?: ValueOf<M[N]> };

/** @throws QmpError unless the object has the members that it must have, and no others */
export function checkedObject<M extends Members>(given: JsonObject, members: M, path = ''): ObjectOf<M> {
  const values: Record<string, unknown> = {};
  const known = new Set<string>();
  for (const [entry, type] of Object.entries(members)) {
    const name = entry.replace('*', '');
    known.add(name);
    const value = given[name];
    if (value !== undefined) values[name] = checked(value, type, name, path + name);
    else if (!entry.startsWith('*')) throw new QmpError(`Parameter '${path}${name}' is missing`);
  }
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    if (OTHERS in members) values[name] = given[name];
    else throw new QmpError(`Parameter '${path}${name}' is unexpected`);
  }
  return values as ObjectOf<M>;
}

const bits: Readonly<Record<string, number>> = { uint16: 16, uint32: 32 };

/**
 * @param name of the member; QEMU knows none for the items of a list
 * @param path where in the arguments the value stands
 */
function checked(value: Json, type: Type, name: string, path: string): unknown {
  const expect = (what: string): never => {
    throw new QmpError(`Invalid parameter type for '${path}', expected: ${what}`);
  };
  if (type === 'any') return value;
  if (type === 'str') return typeof value === 'string' ? value : expect('string');
  if (type === 'bool') return typeof value === 'boolean' ? value : expect('boolean');
  if (typeof type === 'string') {
    if (typeof value !== 'bigint') return expect('integer');
    if (type === 'int') return value === BigInt.asIntN(64, value) ? value : expect('integer');
    const width = bits[type] ?? 64;
    // What does not fit is negative and taken for the large number of the same bits.
    if (width === 64) return BigInt.asUintN(64, value);
    if (value !== BigInt.asUintN(width, value)) throw new QmpError(`Parameter '${name}' expects ${type}_t`);
    return Number(value);
  }
  if (isWords(type)) {
    if (typeof value !== 'string') return expect('string');
    if (type.includes(value)) return value;
    throw new QmpError(`Parameter '${name}' does not accept value '${value}'`);
  }
  if ('list' in type) {
    if (!Array.isArray(value)) return expect('array');
    return value.map((item, n) => checked(item, type.list, 'null', `${path}[${n}]`));
  }
  return isObject(value) ? checkedObject(value, type.object, `${path}.`) : expect('object');
}

const isWords = (type: Type): type is readonly string[] => Array.isArray(type);
