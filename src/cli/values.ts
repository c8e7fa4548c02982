/**
 * The values after options, as QEMU reads them: lists `key=value,...`, sizes, switches, numbers, UUIDs. Errors are
 * ConfigurationErrors whose message does not yet name the option.
 */

import { ConfigurationError } from '../machine/control.ts';

/**
 * Reads `key=value,key=value`; two commas stand for one in a value. A first item without `=` is the value of `implied`,
 * any other `name` means `name=on` and `noname` means `name=off`. The last one of a key counts.
 */
export function parseList(list: string, implied?: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const [n, item] of splitAtCommas(list).entries()) {
    const equals = item.indexOf('=');
    if (equals > 0) values.set(item.slice(0, equals), item.slice(equals + 1));
    else if (n === 0 && implied !== undefined) values.set(implied, item);
    else if (item.startsWith('no') && item.length > 2) values.set(item.slice(2), 'off');
    else if (item !== '') values.set(item, 'on');
  }
  return values;
}

function splitAtCommas(list: string): string[] {
  const items = [''];
  for (let n = 0; n < list.length; n++) {
    if (list[n] === ',' && list[n + 1] !== ',') items.push('');
    else {
      items[items.length - 1] += list[n];
      if (list[n] === ',') n++;
    }
  }
  return items;
}

/** @throws ConfigurationError for the first key that is not among `known` */
export function allowOnly(values: ReadonlyMap<string, string>, known: readonly string[]): void {
  for (const key of values.keys()) {
    if (!known.includes(key)) throw new ConfigurationError(`Invalid parameter '${key}'`);
  }
}

/** @throws ConfigurationError */
export function checkIdentifier(id: string): void {
  if (!/^[a-z][a-z0-9._-]*$/i.test(id)) throw new ConfigurationError("Parameter 'id' expects an identifier");
}

const SUFFIXES = 'bkmgtpe';

/** Whether `parseSize` takes it. */
export function isSize(value: string): boolean {
  try {
    return parseSize(value, '') >= 0;
  } catch {
    return false;
  }
}

/** A number of bytes: `4096`, `0x1000`, `512M`, `1.5G`. `unit` multiplies a number without suffix. */
export function parseSize(value: string, key: string, unit = 1): number {
  const match = /^\s*(?:(0x[0-9a-f]+)|(\d+)(\.\d+)?([bkmgtpe])?)$/i.exec(value);
  const suffix = match?.[4]?.toLowerCase();
  const multiplier = suffix === undefined ? 1 : 1024 ** SUFFIXES.indexOf(suffix);
  if (!match || (match[3] !== undefined && multiplier === 1)) {
    throw new ConfigurationError(
      `Parameter '${key}' expects a size: a number below 2^64, with k, M, G, T, P or E after it or not`,
    );
  }
  const size = match[1] ? Number(match[1]) : Math.floor(Number(match[2]! + (match[3] ?? '')) * multiplier);
  const bytes = suffix === undefined ? size * unit : size;
  if (bytes >= 2 ** 64) throw new ConfigurationError(`Value '${value}' is out of range for parameter '${key}'`);
  return bytes;
}

export function parseSwitch(value: string, key: string): boolean {
  if (value === 'on' || value === 'yes' || value === 'true' || value === 'y') return true;
  if (value === 'off' || value === 'no' || value === 'false' || value === 'n') return false;
  throw new ConfigurationError(`Parameter '${key}' expects 'on' or 'off'`);
}

/** A whole number that is not negative, decimal or after 0x hexadecimal. */
export function parseNumber(value: string, key: string): number {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(value)) throw new ConfigurationError(`Parameter '${key}' expects a number`);
  return Number(value);
}

/** One of a few words. */
export function parseWord<W extends string>(value: string, key: string, words: readonly W[]): W {
  if ((words as readonly string[]).includes(value)) return value as W;
  throw new ConfigurationError(`Parameter '${key}' does not accept value '${value}' (one of ${words.join(', ')})`);
}

/** 16 bytes in the order in which they are written. */
export function parseUuid(value: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    throw new ConfigurationError('not a UUID, which looks like 12345678-1234-1234-1234-123456789abc');
  }
  return Uint8Array.from(value.replaceAll('-', '').match(/../g)!, pair => Number.parseInt(pair, 16));
}

export function formatUuid(uuid: Uint8Array): string {
  const hex = Array.from(uuid, byte => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
