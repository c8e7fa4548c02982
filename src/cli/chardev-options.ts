/** Character devices as the command line names them, brought into one form. */

import type { BackendOptions } from '../chardev/backends.ts';
import type { SocketOptions } from '../chardev/socket.ts';
import { ConfigurationError } from '../machine/control.ts';
import { allowOnly, checkIdentifier, parseList, parseNumber, parseSwitch } from './values.ts';

export interface ChardevOptions {
  readonly id: string;
  readonly backend: BackendOptions;
  readonly mux: boolean;
  /** The option that it comes from, for messages. */
  readonly text: string;
}

const backends = ['null', 'vc', 'stdio', 'file', 'socket'];
const common = ['id', 'mux'];
const known: Record<string, readonly string[]> = {
  null: [],
  vc: ['width', 'height', 'cols', 'rows'],
  stdio: ['signal'],
  file: ['path', 'append'],
  socket: [
    'host',
    'port',
    'path',
    'server',
    'wait',
    'telnet',
    'tn3270',
    'tls-creds',
    'tls-authz',
    'nodelay',
    'delay',
    'reconnect',
    'ipv4',
    'ipv6',
  ],
};

export const chardevHelp = `Available chardev backend types:\n${backends.map(name => `  ${name}\n`).join('')}`;

/** The value of `-chardev`. @throws ConfigurationError */
export function parseChardev(value: string): Omit<ChardevOptions, 'text'> {
  const values = parseList(value, 'backend');
  const id = values.get('id');
  if (!id) throw new ConfigurationError('chardev: no id specified');
  checkIdentifier(id);
  const kind = values.get('backend')!;
  if (!backends.includes(kind)) throw new ConfigurationError(`'${kind}' is not a valid char driver name`);
  allowOnly(values, ['backend', ...common, ...known[kind]!]);
  const backend = backendOf(kind, values);
  const mux = switchOf(values, 'mux', false);
  if (mux && isTerminal(backend)) throw new ConfigurationError("'tn3270' option is incompatible with 'mux'");
  return { id, backend, mux };
}

/** It is for a 3270 terminal and nothing else. */
export const isTerminal = (backend: BackendOptions): boolean => backend.kind === 'socket' && backend.tn3270;

const switchOf = (values: ReadonlyMap<string, string>, key: string, otherwise: boolean): boolean => {
  const value = values.get(key);
  return value === undefined ? otherwise : parseSwitch(value, key);
};

function backendOf(kind: string, values: ReadonlyMap<string, string>): BackendOptions {
  switch (kind) {
    case 'stdio':
      return { kind, signals: switchOf(values, 'signal', true) };
    case 'file': {
      const path = values.get('path');
      if (!path) throw new ConfigurationError('chardev: file: no filename given');
      return { kind, path, append: switchOf(values, 'append', false) };
    }
    case 'socket':
      return socketOf(values);
    default:
      return { kind: kind as 'null' | 'vc' };
  }
}

function socketOf(values: ReadonlyMap<string, string>): SocketOptions {
  const path = values.get('path');
  const host = values.get('host');
  if ((path === undefined) === (host === undefined)) {
    throw new ConfigurationError("chardev: socket: one of 'path' and 'host' must be given");
  }
  const server = switchOf(values, 'server', false);
  const reconnect = values.has('reconnect') ? parseNumber(values.get('reconnect')!, 'reconnect') : 0;
  if (server && reconnect > 0) throw new ConfigurationError("'reconnect' option is incompatible with 'server'");
  const telnet = switchOf(values, 'telnet', false);
  const tn3270 = switchOf(values, 'tn3270', false);
  if (tn3270 && telnet) throw new ConfigurationError("'tn3270' option is incompatible with 'telnet'");
  if (tn3270 && !server) throw new ConfigurationError("'tn3270' option is incompatible with a client");
  const credentials = values.get('tls-creds');
  const authorization = values.get('tls-authz');
  if (credentials !== undefined && path !== undefined) {
    throw new ConfigurationError("'tls_creds' option is incompatible with 'unix' address type");
  }
  if (authorization !== undefined && credentials === undefined) {
    throw new ConfigurationError("'tls_authz' option requires 'tls_creds' option");
  }
  if (!server && values.has('wait')) throw new ConfigurationError("'wait' option is incompatible with a client");
  return {
    kind: 'socket',
    address:
      path === undefined ? { kind: 'tcp', host: host!, port: portOf(values.get('port')) } : { kind: 'unix', path },
    server,
    wait: switchOf(values, 'wait', server),
    telnet,
    tn3270,
    ...(credentials !== undefined && { tls: { credentials, authorization } }),
    nodelay: switchOf(values, 'nodelay', !switchOf(values, 'delay', true)),
    reconnect,
  };
}

function portOf(value: string | undefined): number {
  if (!value) throw new ConfigurationError('chardev: socket: no port given');
  const port = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(port <= 65535)) throw new ConfigurationError(`'${value}' is not a port number`);
  return port;
}

/** What `-serial`, `-monitor` and `-gdb` take beside `none` and `chardev:ID`. */
export interface ShortChardev {
  readonly backend: BackendOptions;
  /** `mon:` was before it: the monitor is on the same device. */
  readonly withMonitor: boolean;
}

/** @throws ConfigurationError */
export function parseShortChardev(value: string): ShortChardev {
  if (value.startsWith('mon:')) {
    const { backend } = parseShortChardev(value.slice(4));
    // On the terminal Ctrl-C is then for the guest.
    return { backend: backend.kind === 'stdio' ? { kind: 'stdio', signals: false } : backend, withMonitor: true };
  }
  return { backend: shortBackend(value), withMonitor: false };
}

function shortBackend(value: string): BackendOptions {
  const colon = value.indexOf(':');
  const scheme = colon < 0 ? value : value.slice(0, colon);
  const rest = value.slice(colon + 1);
  switch (scheme) {
    case 'null':
      if (colon < 0) return { kind: 'null' };
      break;
    case 'stdio':
      if (colon < 0) return { kind: 'stdio', signals: true };
      break;
    case 'vc':
      return { kind: 'vc' };
    case 'file':
      if (colon >= 0) return { kind: 'file', path: rest, append: false };
      break;
    case 'unix':
    case 'tcp':
    case 'telnet':
      if (colon >= 0) return shortSocket(scheme, rest);
  }
  throw new ConfigurationError(`'${value}' is not a valid char driver`);
}

/** `host:port,server=on,wait=off` or `path,...`. */
function shortSocket(scheme: string, rest: string): SocketOptions {
  const values = parseList(rest, 'address');
  const address = values.get('address')!;
  values.delete('address');
  if (scheme === 'unix') {
    values.set('path', address);
  } else {
    const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(address);
    if (!match) throw new ConfigurationError(`'${address}' is not HOST:PORT`);
    values.set('host', match[1]!.replace(/^\[|\]$/g, ''));
    values.set('port', match[2]!);
  }
  // `nowait` reads as `wait=off`, `nodelay` as `delay=off`.
  if (scheme === 'telnet') values.set('telnet', 'on');
  allowOnly(values, known.socket!);
  return socketOf(values);
}
