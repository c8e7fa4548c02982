/** A character device as `chardev-add` describes it. */

import type { JsonObject } from './json.ts';
import { checkedObject, type Members, QmpError } from './schema.ts';

const address = {
  type: ['inet', 'unix'],
  data: { object: { '*host': 'str', '*port': 'str', '*path': 'str', '*ipv4': 'bool', '*ipv6': 'bool' } },
} as const satisfies Members;

/** What each kind takes; names of `-chardev` that differ are with `out` and `addr`. */
const kinds = {
  file: { out: 'str', '*append': 'bool' },
  null: {},
  socket: {
    addr: { object: address },
    '*server': 'bool',
    '*wait': 'bool',
    '*telnet': 'bool',
    '*tn3270': 'bool',
    '*tls-creds': 'str',
    '*tls-authz': 'str',
    '*nodelay': 'bool',
    '*reconnect': 'int',
  },
  stdio: { '*signal': 'bool' },
  vc: {},
} as const satisfies Readonly<Record<string, Members>>;

/** Of `chardev-add`. */
export const chardevBackend = { type: Object.keys(kinds) as (keyof typeof kinds)[], data: 'any' } as const;

/** The same as the value of `-chardev`. @throws QmpError */
export function chardevText(id: string, type: keyof typeof kinds, data: JsonObject): string {
  const given: Record<string, unknown> = checkedObject(data, kinds[type] as Members, 'backend.data.');
  if (type === 'socket') {
    const { addr, ...rest } = given as { addr: { type: string; data: Record<string, unknown> }; server?: boolean };
    for (const name of addr.type === 'unix' ? ['path'] : ['host', 'port']) {
      if (addr.data[name] === undefined) throw new QmpError(`Parameter 'backend.data.addr.data.${name}' is missing`);
    }
    return written(type, id, { server: true, ...(rest.server !== false && { wait: false }), ...rest, ...addr.data });
  }
  const { out, ...rest } = given;
  return written(type, id, out === undefined ? rest : { path: out, ...rest });
}

function written(type: string, id: string, values: Readonly<Record<string, unknown>>): string {
  const text = (value: unknown) => (value === true ? 'on' : value === false ? 'off' : `${value}`.replaceAll(',', ',,'));
  return [type, `id=${text(id)}`, ...Object.entries(values).map(([name, value]) => `${name}=${text(value)}`)].join();
}
