/** Where a machine's state goes to or comes from, as QEMU names it. */

import { ConfigurationError } from '../../machine/control.ts';
import type { Channel } from '../../platform/host.ts';
import { parseList, parseSize } from '../values.ts';

/**
 * `tcp:HOST:PORT`, `unix:PATH`, `exec:COMMAND`, `fd:NUMBER`, `file:PATH[,offset=SIZE]`.
 * @throws ConfigurationError
 */
export function parseChannel(uri: string): Channel {
  const [, kind, rest] = /^(\w+):(.*)$/s.exec(uri) ?? [];
  switch (kind) {
    case 'tcp': {
      const address = /^(?:\[(.*)\]|([^:]*)):(\d+)(?:,|$)/.exec(rest!);
      if (!address) throw new ConfigurationError(`error parsing address '${rest}'`);
      return { kind, host: address[1] ?? address[2]!, port: Number(address[3]) };
    }
    case 'unix':
      return { kind, path: rest! };
    case 'exec':
      return { kind, command: rest! };
    case 'fd':
      if (!/^\d+$/.test(rest!)) throw new ConfigurationError(`File descriptor named '${rest}' has not been found`);
      return { kind, descriptor: Number(rest) };
    case 'file': {
      const values = parseList(rest!, 'filename');
      const offset = values.has('offset') ? parseSize(values.get('offset')!, 'offset') : 0;
      return { kind, path: values.get('filename')!, offset };
    }
    default:
      throw new ConfigurationError(`unknown migration protocol: ${uri}`);
  }
}
