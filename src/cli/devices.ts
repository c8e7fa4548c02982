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
import { parseList, parseSize } from './values.ts';

/** What the names in properties can lead to. @throws ConfigurationError when there is none of that name */
export interface Backends {
  chardev(id: string): void;
  /** Describes what a property of type `drive` or `link` names. */
  resource(property: Property, id: string): unknown;
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

/** A device as `-device` and `device_add` describe it; undefined: no device of this kind. @throws ConfigurationError */
export function parseDevice(
  driver: string,
  given: ReadonlyMap<string, string>,
  backends: Backends,
): DeviceConfiguration | undefined {
  const type = deviceType(driver);
  if (!type) return undefined;
  const known = new Map(propertiesOf(type).map(property => [property.name, property]));
  const properties: Record<string, PropertyValue> = {};
  const resources: Record<string, unknown> = {};
  for (const { name, default: value } of type.properties) if (value !== undefined) properties[name] = value;
  let devno: DeviceId | undefined;
  for (const [name, text] of given) {
    if (['driver', 'id', 'bus'].includes(name)) continue;
    const property = known.get(name);
    if (!property) throw new ConfigurationError(`Property '${type.name}.${name}' not found`);
    if (name === 'devno') {
      devno = parseDeviceId(type.name, text);
      properties[name] = text;
      continue;
    }
    properties[name] = parseProperty(type.name, property, text);
    if (property.type === 'chr') {
      try {
        backends.chardev(text);
      } catch {
        throw new ConfigurationError(`Property '${type.name}.${name}' can't find value '${text}'`);
      }
    }
    if (property.type === 'drive' || property.type === 'link') resources[name] = backends.resource(property, text);
  }
  const id = given.get('id');
  if (id !== undefined && !/^[a-zA-Z][a-zA-Z0-9._-]*$/.test(id)) {
    throw new ConfigurationError("Parameter 'id' expects an identifier");
  }
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
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

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
      throw new ConfigurationError(`Property '${type}.${name}' doesn't take value '${text}'`);
    case 'size':
      return parseSize(text, name);
    default: {
      const value = /^[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text) ? parseInteger(text) : Number.NaN;
      const [lowest, highest] = range ?? LIMITS[kind]!;
      if (Number.isNaN(value)) throw new ConfigurationError(`Parameter '${name}' expects integer`);
      if (value < LIMITS[kind]![0] || value > LIMITS[kind]![1]) {
        throw new ConfigurationError(`Parameter '${name}' expects ${kind}_t`);
      }
      if (value >= lowest && value <= highest) return value;
      throw new ConfigurationError(
        `Property ${type}.${name} doesn't take value ${value} (minimum: ${lowest}, maximum: ${highest})`,
      );
    }
  }
}

function parseInteger(text: string): number {
  const digits = text.replace(/^[+-]/, '');
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
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
    const text = value === true ? 'on' : value === false ? 'off' : value;
    const about = [description, text === undefined ? undefined : `(default: ${text})`].filter(Boolean).join(' ');
    return `  ${name}=<${shown}>`.padEnd(25) + (about ? `- ${about}` : '');
  });
  return `${type.name} options:\n${lines
    .sort()
    .map(line => `${line.trimEnd()}\n`)
    .join('')}`;
}
