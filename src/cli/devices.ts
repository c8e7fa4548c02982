/** Devices of the channel subsystem on the command line and in the monitors: names, properties, help. */

import type { DeviceId } from '../css/channel-subsystem.ts';
import { MOST_CSSID, MOST_SSID } from '../css/table.ts';
import {
  type DeviceType,
  isChannelType,
  type Property,
  type PropertyValue,
  type PropertyValues,
} from '../devices/device-type.ts';
import { deviceType, deviceTypes } from '../devices/registry.ts';
import { ConfigurationError } from '../machine/control.ts';
import type { DeviceConfiguration } from '../machine/io-messages.ts';
import { located } from './options.ts';
import { allowOnly, checkIdentifier, isSize, parseList, parseSize } from './values.ts';

/** What the names in properties can lead to. */
export interface Backends {
  /** Whether there is a character device of that name, and nothing on it. */
  chardev(id: string): 'free' | 'in use' | 'missing';
  /** Describes what a property of type `drive` or `link` of its owner names. @throws ConfigurationError when there is none of that name */
  resource(property: Property, id: string, owner: string): unknown;
}

/** A default that `-global` has given to a property of all devices of a type. */
export interface Global {
  readonly driver: string;
  readonly property: string;
  readonly value: string;
}

/** The value of `-global`: `DRIVER.PROPERTY=VALUE`, or with names before each of the three. @throws ConfigurationError */
export function parseGlobal(text: string): Global {
  const short = /^([^=,.]+)\.([^=,]+)=(.*)$/s.exec(text);
  if (short) return { driver: short[1]!, property: short[2]!, value: short[3]! };
  const values = parseList(text);
  allowOnly(values, ['driver', 'property', 'value']);
  const [driver, property, value] = ['driver', 'property', 'value'].map(name => values.get(name));
  if (driver === undefined || property === undefined || value === undefined) {
    throw new ConfigurationError('options must have a driver, a property and a value');
  }
  return { driver, property, value };
}

/** Properties of everything on the channel subsystem's bus. */
const BUS_PROPERTIES: readonly Property[] = [
  {
    name: 'devno',
    type: 'str',
    description: 'Identifier of an I/O device in the channel subsystem, example: fe.1.23ab',
  },
];

const propertiesOf = (type: DeviceType): readonly Property[] =>
  isChannelType(type) ? [...type.properties, ...BUS_PROPERTIES] : type.properties;

/** Properties of the transport of a virtio device. */
const TRANSPORT: ReadonlySet<string> = new Set(['max_revision', ...BUS_PROPERTIES.map(({ name }) => name)]);

/** A device as `-device` and `device_add` describe it; undefined: no device of this kind. @throws ConfigurationError */
export function parseDevice(
  driver: string,
  given: ReadonlyMap<string, string>,
  backends: Backends,
  globals: readonly Global[] = [],
): DeviceConfiguration | undefined {
  const type = deviceType(driver);
  if (!type) return undefined;
  const known = new Map(propertiesOf(type).map(property => [property.name, property]));
  const properties: Record<string, PropertyValue> = {};
  const resources: Record<string, unknown> = {};
  for (const { name, default: value } of type.properties) if (value !== undefined) properties[name] = value;
  let devno: DeviceId | undefined;
  const set = (name: string, text: string): void => {
    const property = known.get(name);
    if (!property) throw new ConfigurationError(`Property '${type.name}.${name}' not found`);
    if (name === 'devno') {
      devno = parseDeviceId(type.name, text);
      properties[name] = text;
      return;
    }
    // What a virtio device has is not its transport's.
    const owner = isChannelType(type) && !TRANSPORT.has(name) ? (type.backend ?? type.name) : type.name;
    properties[name] = parseProperty(owner, property, text);
    // Nothing is named.
    if (text === '' && ['chr', 'drive', 'link'].includes(property.type)) return void delete properties[name];
    if (property.type === 'chr') {
      const state = backends.chardev(text);
      const about = `Property '${owner}.${name}' can't`;
      if (state === 'missing') throw new ConfigurationError(`${about} find value '${text}'`);
      if (state === 'in use') throw new ConfigurationError(`${about} take value '${text}': Device '${text}' is in use`);
    }
    if (property.type === 'drive' || property.type === 'link')
      resources[name] = backends.resource(property, text, owner);
  };
  for (const { driver, property, value } of globals) {
    if (![type.name, isChannelType(type) && type.backend].includes(driver) || given.has(property)) continue;
    located({ text: `can't apply global ${driver}.${property}=${value}` }, () => set(property, value));
  }
  for (const [name, text] of given) if (!['driver', 'id', 'bus'].includes(name)) set(name, text);
  const id = given.get('id');
  if (id !== undefined) checkIdentifier(id);
  const bus = given.get('bus');
  return {
    driver: type.name,
    ...(id !== undefined && { id }),
    ...(bus !== undefined && { bus }),
    ...(devno && { devno }),
    properties: properties as PropertyValues,
    resources,
  };
}

/** cssid.ssid.device number, in hexadecimal digits. */
function parseDeviceId(type: string, text: string): DeviceId {
  const invalid = () => new ConfigurationError(`Property '${type}.devno' doesn't take value '${text}'`);
  const match = /^([0-9a-fA-F]{1,2})\.([0-9a-fA-F])\.([0-9a-fA-F]{4})$/.exec(text);
  if (!match) throw invalid();
  const [cssid, ssid, number] = match.slice(1).map(digits => Number.parseInt(digits, 16)) as [number, number, number];
  if (cssid > MOST_CSSID || ssid > MOST_SSID) {
    throw new ConfigurationError(`Invalid cssid or ssid: cssid ${cssid.toString(16)}, ssid ${ssid.toString(16)}`);
  }
  return { cssid, ssid, number };
}

const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffff_ffff],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

const INTEGER = /^[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)$/;

function parseProperty(type: string, { name, type: kind, choices, range }: Property, text: string): PropertyValue {
  switch (kind) {
    case 'bool':
      if (['on', 'yes', 'true', 'y'].includes(text)) return true;
      if (['off', 'no', 'false', 'n'].includes(text)) return false;
      throw new ConfigurationError(`Parameter '${name}' expects 'on' or 'off'`);
    case 'str':
    case 'chr':
    case 'drive':
    case 'link':
      return text;
    case 'choice':
      if (choices!.includes(text)) return text;
      throw new ConfigurationError(`Parameter '${name}' does not accept value '${text}'`);
    case 'size': {
      if (!isSize(text)) throw new ConfigurationError(`Parameter '${name}' expects size`);
      const value = parseSize(text, name);
      if (range && value > range[1]) {
        throw new ConfigurationError(`Property ${type}.${name} doesn't take value ${value} (maximum: ${range[1]})`);
      }
      return value;
    }
    case 'uint64': {
      const value = INTEGER.test(text) ? parseLong(text) : undefined;
      if (value === undefined || value >= 1n << 64n || value < -(1n << 63n)) {
        throw new ConfigurationError(`Parameter '${name}' expects integer`);
      }
      return BigInt.asUintN(64, value);
    }
    default: {
      const value = INTEGER.test(text) ? parseInteger(text) : Number.NaN;
      if (Number.isNaN(value) || value >= 2 ** 64 || value < -(2 ** 63))
        throw new ConfigurationError(`Parameter '${name}' expects integer`);
      const [lowest, highest] = LIMITS[kind]!;
      if (value >= lowest && value <= highest) return value;
      throw new ConfigurationError(`Parameter '${name}' expects ${kind}_t`);
    }
  }
}

const parseInteger = (text: string): number => Number(parseLong(text));

/** Octal digits after a zero, as C has it. */
function parseLong(text: string): bigint {
  const digits = text.replace(/^[+-]/, '');
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
  return text[0] === '-' ? -value : value;
}

/**
 * What is written after `-device`: a list, or the same as a JSON object.
 * @throws ConfigurationError
 */
export function deviceValues(text: string): ReadonlyMap<string, string> {
  const values = text.startsWith('{') ? jsonValues(text) : parseList(text, 'driver');
  if (!values.get('driver')) throw new ConfigurationError("Parameter 'driver' is missing");
  return values;
}

function jsonValues(text: string): Map<string, string> {
  let object: object;
  try {
    object = JSON.parse(text);
  } catch (error) {
    throw new ConfigurationError(`JSON parse error, ${(error as Error).message}`);
  }
  const values = Object.entries(object).map(
    ([name, value]) => [name, value === true ? 'on' : value === false ? 'off' : `${value}`] as const,
  );
  return new Map(
    values.filter(([name]) => name !== 'driver' || typeof (object as { driver: unknown }).driver === 'string'),
  );
}

/** Lines of `-device help`, by category. */
export function deviceListHelp(others: readonly { readonly category: string; readonly line: string }[]): string {
  const lines = [
    ...others,
    ...deviceTypes.map(({ name, bus, aliases, description, category }) => ({
      category,
      line:
        `name "${name}", bus ${bus}` +
        (aliases?.length ? `, alias "${aliases[0]}"` : '') +
        (description ? `, desc "${description}"` : ''),
    })),
  ];
  const categories = ['Controller/Bridge/Hub', 'USB', 'Storage', 'Network', 'Input', 'Display', 'Sound', 'Misc', 'CPU'];
  return categories
    .map(category => {
      const found = lines.filter(line => line.category === category).map(({ line }) => `${line}\n`);
      return found.length ? `${category} devices:\n${found.sort().join('')}\n` : '';
    })
    .join('')
    .replace(/\n$/, '');
}

/** `-device NAME,help`; undefined: no such type. */
export function deviceTypeHelp(driver: string): string | undefined {
  const type = deviceType(driver);
  if (!type) return undefined;
  const lines = propertiesOf(type).map(({ name, type: kind, choices, description, default: value }) => {
    const shown = kind === 'choice' ? choices!.join('|') : kind;
    const words = description ?? (kind === 'bool' ? 'on/off' : '');
    const text = value === undefined ? '' : ` (default: ${typeof value === 'string' ? `"${value}"` : value})`;
    return `  ${name}=<${shown}>`.padEnd(24) + (words || text ? ` - ${words}${text}` : '');
  });
  return `${type.name} options:\n${lines
    .sort()
    .map(line => `${line.trimEnd()}\n`)
    .join('')}`;
}
