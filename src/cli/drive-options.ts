/** Drives as the command line names them (-drive, -blockdev, -hda and their like), brought into one form. */

import type { DriveOptions, Protocol } from '../block/drives.ts';
import type { ErrorPolicy } from '../block/image.ts';
import { ConfigurationError } from '../machine/control.ts';
import { parseList, parseNumber, parseSize } from './values.ts';

/** How a drive is connected: to a device that names it, or to a disk of its own. */
export interface Drive {
  readonly options: DriveOptions;
  /** It gets a device of its own (`if=virtio`). */
  readonly attach: boolean;
  /** Among those of its interface. */
  readonly index: number | undefined;
  /** A note for the user. */
  readonly warning: string | undefined;
}

/** Looks at the beginning of a file. @throws ConfigurationError */
export type Probe = (path: string) => string;

const interfaces = ['none', 'virtio', 'ide', 'scsi', 'floppy', 'pflash', 'mtd', 'sd', 'xen'];

/** Options that change nothing here, for lack of a choice. */
const inert = ['aio', 'detect-zeroes', 'discard', 'copy-on-read', 'auto-read-only', 'force-share', 'file.aio', 'media'];
const known = [
  ...['file', 'if', 'index', 'bus', 'unit', 'id', 'node-name', 'format', 'driver', 'snapshot'],
  ...['cache', 'cache.direct', 'cache.no-flush', 'cache.writeback', 'readonly', 'read-only', 'rerror', 'werror'],
  ...['file.driver', 'file.filename', 'file.locking', 'offset', 'size'],
  ...inert,
];

interface Cache {
  readonly writeback: boolean;
  readonly direct: boolean;
  readonly noFlush: boolean;
}

const caches: Readonly<Record<string, Cache>> = {
  none: { writeback: true, direct: true, noFlush: false },
  off: { writeback: true, direct: true, noFlush: false },
  directsync: { writeback: false, direct: true, noFlush: false },
  writeback: { writeback: true, direct: false, noFlush: false },
  unsafe: { writeback: true, direct: false, noFlush: true },
  writethrough: { writeback: false, direct: false, noFlush: false },
};

const mediaOf = ['disk', 'cdrom'];

/**
 * The value of `-drive`.
 * @param id what it is called unless it has a name
 * @param snapshot it is temporary unless it says otherwise (`-snapshot`)
 * @throws ConfigurationError
 */
export function parseDrive(value: string, text: string, probe: Probe, snapshot: boolean): Drive {
  const values = parseList(value);
  const on = (key: string, otherwise: boolean, name = key): boolean => {
    const given = values.get(key);
    if (given === undefined) return otherwise;
    if (given === 'on' || given === 'off') return given === 'on';
    throw new ConfigurationError(`Parameter '${name}' expects 'on' or 'off'`);
  };
  const kind = values.get('if') ?? 'virtio';
  if (!interfaces.includes(kind)) throw new ConfigurationError(`unsupported bus type '${kind}'`);
  if (kind !== 'none' && kind !== 'virtio') {
    throw new ConfigurationError(`machine type does not support if=${kind},bus=0,unit=0`);
  }
  const media = values.get('media');
  if (media !== undefined && !mediaOf.includes(media)) throw new ConfigurationError(`'${media}' invalid media`);
  const cacheName = values.get('cache');
  if (cacheName !== undefined && !Object.hasOwn(caches, cacheName))
    throw new ConfigurationError('invalid cache option');
  const cache = caches[cacheName ?? 'writeback']!;
  const format = values.get('format') ?? values.get('driver');
  const path = values.get('file') ?? values.get('file.filename');
  if (format !== undefined && format !== 'raw') throw new ConfigurationError(`Unknown driver '${format}'`);
  const odd = [...values.keys()].find(key => !known.includes(key));
  if (odd !== undefined) {
    throw new ConfigurationError(`Block format 'raw' does not support the option '${odd}'`);
  }
  const index = indexOf(values);
  let warning: string | undefined;
  if (path !== undefined && path !== '' && format === undefined) {
    const found = probe(path);
    if (found !== 'raw') throw new ConfigurationError(`Unknown driver '${found}'`);
    warning = [
      `WARNING: Image format was not specified for '${path}' and probing guessed raw.`,
      '         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.',
      "         Specify the 'raw' format explicitly to remove the restrictions.",
    ].join('\n');
  }
  const driver = values.get('file.driver') ?? 'file';
  if (driver !== 'file' && driver !== 'host_device') throw new ConfigurationError(`Unknown driver '${driver}'`);
  const protocol: Protocol | undefined =
    path === undefined || path === ''
      ? undefined
      : {
          kind: 'file',
          path,
          regular: false,
          direct: on('cache.direct', cache.direct),
          locking: values.get('file.locking') !== 'off',
        };
  const options: DriveOptions = {
    id: values.get('id') ?? '',
    aliases: values.has('node-name') ? [values.get('node-name')!] : [],
    text,
    protocol,
    probed: format === undefined,
    ...extent(values),
    readOnly: on('readonly', on('read-only', media === 'cdrom'), 'read-only'),
    writeCache: on('cache.writeback', cache.writeback),
    noFlush: on('cache.no-flush', cache.noFlush),
    snapshot: on('snapshot', snapshot),
    readErrors: policy(values, 'rerror', 'report', ['ignore', 'stop', 'report']),
    writeErrors: policy(values, 'werror', 'enospc', ['ignore', 'stop', 'report', 'enospc']),
  };
  return { options, attach: kind === 'virtio', index, warning };
}

function extent(values: ReadonlyMap<string, string>): { offset: number; size: number | undefined } {
  const offset = values.get('offset');
  const size = values.get('size');
  return {
    offset: offset === undefined ? 0 : parseSize(offset, 'offset'),
    size: size === undefined ? undefined : parseSize(size, 'size'),
  };
}

function indexOf(values: ReadonlyMap<string, string>): number | undefined {
  const { index, unit } = { index: values.get('index'), unit: values.get('unit') };
  if (index !== undefined && (unit !== undefined || values.has('bus'))) {
    throw new ConfigurationError('index cannot be used with bus and unit');
  }
  const text = index ?? unit;
  return text === undefined ? undefined : parseNumber(text, index === undefined ? 'unit' : 'index');
}

function policy(
  values: ReadonlyMap<string, string>,
  key: string,
  otherwise: ErrorPolicy,
  words: readonly string[],
): ErrorPolicy {
  const value = values.get(key);
  if (value === undefined) return otherwise;
  if (words.includes(value)) return value as ErrorPolicy;
  throw new ConfigurationError(`'${value}' invalid ${key === 'rerror' ? 'read' : 'write'} error action`);
}

/** Gives drives without name theirs, and sees to it that no two have the same place. @throws ConfigurationError */
export function placeDrive(drive: Drive, others: readonly Drive[]): Drive {
  const { options, attach } = drive;
  const peers = others.filter(other => other.attach === attach);
  let { index } = drive;
  if (index === undefined) {
    for (index = 0; peers.some(other => other.index === index); ) index++;
  } else if (peers.some(other => other.index === index)) {
    throw new ConfigurationError(`drive with bus=0, unit=${index} (index=${index}) exists`);
  }
  const id = options.id || `${attach ? 'virtio' : 'none'}${index}`;
  const names = [id, ...options.aliases];
  for (const other of others) {
    if (other.options.id === id) throw new ConfigurationError(`Duplicate ID '${id}' for drive`);
    const twice = [other.options.id, ...other.options.aliases].find(name => names.includes(name));
    if (twice !== undefined) throw new ConfigurationError(`Duplicate nodes with node-name='${twice}'`);
  }
  return { ...drive, index, options: { ...options, id } };
}

// -blockdev

const drivers = ['file', 'host_device', 'raw', 'null-co', 'null-aio'];
const nodeKeys = ['driver', 'node-name', 'read-only', 'auto-read-only', 'discard', 'detect-zeroes', 'force-share'];
const cacheKeys = ['cache.direct', 'cache.no-flush'];
const driverKeys: Readonly<Record<string, readonly string[]>> = {
  file: ['filename', 'aio', 'locking', 'aio-max-batch', 'pr-manager', 'drop-cache', 'x-check-cache-dropped'],
  host_device: ['filename', 'aio', 'locking', 'aio-max-batch', 'pr-manager', 'drop-cache', 'x-check-cache-dropped'],
  raw: ['file', 'offset', 'size'],
  'null-co': ['size', 'latency-ns', 'read-zeroes'],
  'null-aio': ['size', 'latency-ns', 'read-zeroes'],
};

/** The value of `-blockdev`, which names nodes that earlier ones have made. @throws ConfigurationError */
export function parseBlockdev(value: string, text: string, nodes: readonly DriveOptions[]): DriveOptions {
  return node(value.startsWith('{') ? flatten(value) : parseList(value), text, nodes, true);
}

/** A JSON object as the list that says the same. */
function flatten(json: string): Map<string, string> {
  const values = new Map<string, string>();
  const walk = (prefix: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, item] of Object.entries(value)) walk(prefix ? `${prefix}.${key}` : key, item);
    } else values.set(prefix, typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value));
  };
  try {
    walk('', JSON.parse(json));
  } catch (error) {
    throw new ConfigurationError(`JSON parse error, ${(error as Error).message}`);
  }
  return values;
}

function node(
  values: ReadonlyMap<string, string>,
  text: string,
  nodes: readonly DriveOptions[],
  root: boolean,
): DriveOptions {
  const driver = values.get('driver');
  if (driver === undefined) throw new ConfigurationError("Parameter 'driver' is missing");
  if (!drivers.includes(driver)) {
    throw new ConfigurationError(`Parameter 'driver' does not accept value '${driver}'`);
  }
  const name = values.get('node-name');
  if (root && name === undefined) throw new ConfigurationError("'node-name' must be specified for the root node");
  if (name !== undefined && nodes.some(({ id, aliases }) => [id, ...aliases].includes(name))) {
    throw new ConfigurationError(`Duplicate nodes with node-name='${name}'`);
  }
  const own = [...nodeKeys, ...cacheKeys, ...driverKeys[driver]!];
  const odd = [...values.keys()].find(key => !own.includes(key) && !(driver === 'raw' && key.startsWith('file.')));
  if (odd !== undefined) throw new ConfigurationError(`Parameter '${odd}' is unexpected`);
  const on = (key: string, otherwise: boolean): boolean => {
    const given = values.get(key);
    if (given === undefined) return otherwise;
    if (given === 'on' || given === 'off') return given === 'on';
    throw new ConfigurationError(`Parameter '${key}' expects 'on' or 'off'`);
  };
  const readOnly = on('read-only', false);
  if (driver === 'raw') {
    const below = fileOf(values, text, nodes);
    const { offset, size } = extent(values);
    return {
      ...below,
      id: name ?? below.id,
      aliases: [],
      text,
      offset: below.offset + offset,
      size: size ?? below.size,
      readOnly: readOnly || below.readOnly,
      noFlush: on('cache.no-flush', below.noFlush),
    };
  }
  const common = {
    id: name ?? '',
    aliases: [],
    text,
    probed: false,
    offset: 0,
    size: undefined,
    readOnly,
    writeCache: true,
    noFlush: on('cache.no-flush', false),
    snapshot: false,
    readErrors: 'report',
    writeErrors: 'enospc',
  } as const;
  if (driver.startsWith('null')) {
    const size = values.get('size');
    return { ...common, protocol: { kind: 'null', size: size === undefined ? 2 ** 30 : parseSize(size, 'size') } };
  }
  const path = values.get('filename');
  if (path === undefined) throw new ConfigurationError("Parameter 'filename' is missing");
  return {
    ...common,
    protocol: {
      kind: 'file',
      path,
      regular: driver === 'file',
      direct: on('cache.direct', false),
      locking: values.get('locking') !== 'off',
    },
  };
}

/** What a `raw` node has below it: another node by its name, or one described in place. */
function fileOf(values: ReadonlyMap<string, string>, text: string, nodes: readonly DriveOptions[]): DriveOptions {
  const name = values.get('file');
  if (name !== undefined) {
    const found = nodes.find(({ id }) => id === name);
    if (!found) {
      throw new ConfigurationError(`Cannot find device='${name}' nor node-name='${name}'`);
    }
    return found;
  }
  const inner = [...values].filter(([key]) => key.startsWith('file.'));
  if (inner.length === 0) throw new ConfigurationError("Parameter 'file' is missing");
  return node(new Map(inner.map(([key, value]) => [key.slice('file.'.length), value])), text, nodes, false);
}
