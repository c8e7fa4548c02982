/** QMP's description of itself: what commands take and events carry. What commands give back is not described. */

import type { JsonObject } from './json.ts';
import { type Members, OTHERS, type Type } from './schema.ts';

/** The types that need no description of their members, and what they are in JSON. */
const builtin: Readonly<Record<string, string>> = { str: 'string', bool: 'boolean', int: 'int', any: 'value' };

/** Entries of `query-qmp-schema`. Types without a name of their own are numbered. */
export function describe(
  commands: ReadonlyMap<string, { readonly takes: Members }>,
  events: Readonly<Record<string, Members>>,
): JsonObject[] {
  const entries = new Map<string, JsonObject>();
  for (const [name, type] of Object.entries(builtin)) {
    entries.set(name, { name, 'meta-type': 'builtin', 'json-type': type });
  }
  const numbers = new Map<string, string>();
  /** The name of a type that is described only once. */
  const named = (entry: JsonObject): string => {
    const key = JSON.stringify(entry);
    const name = numbers.get(key) ?? String(numbers.size);
    numbers.set(key, name);
    entries.set(name, { name, ...entry });
    return name;
  };
  const object = (members: Members): string =>
    named({
      'meta-type': 'object',
      members: Object.entries(members)
        .filter(([name]) => name !== OTHERS)
        .map(([name, type]) => ({
          name: name.replace('*', ''),
          type: nameOf(type),
          ...(name.startsWith('*') && { default: null }),
        })),
    });
  const nameOf = (type: Type): string => {
    if (typeof type === 'string') return type in builtin ? type : 'int';
    if (Array.isArray(type)) {
      return named({ 'meta-type': 'enum', members: type.map(name => ({ name })), values: type });
    }
    if ('object' in type) return object(type.object);
    const element = nameOf((type as { list: Type }).list);
    entries.set(`[${element}]`, { name: `[${element}]`, 'meta-type': 'array', 'element-type': element });
    return `[${element}]`;
  };
  const told = [
    ...[...commands].map(([name, { takes }]) => ({
      name,
      'meta-type': 'command',
      'arg-type': object(takes),
      'ret-type': 'any',
    })),
    ...Object.entries(events).map(([name, members]) => ({ name, 'meta-type': 'event', 'arg-type': object(members) })),
  ];
  return [...told, ...entries.values()];
}
