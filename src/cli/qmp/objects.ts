/** The tree of objects, as far as programs look at it: the machine, its CPUs and the character devices. */

import { idText } from '../../css/channel-subsystem.ts';
import { isChannelType } from '../../devices/device-type.ts';
import { deviceType, deviceTypes } from '../../devices/registry.ts';
import { models } from '../../machine/cpu-models.ts';
import type { PluggedDevice } from '../../machine/io-messages.ts';
import { machineName } from '../configuration.ts';
import { objectTypes } from '../objects.ts';
import { CPU_DRIVER } from '../smp.ts';
import type { QmpEnvironment } from './commands.ts';
import type { Json } from './json.ts';
import { QmpError } from './schema.ts';

interface Node {
  readonly type: string;
  readonly properties?: Readonly<Record<string, { readonly type: string; readonly value: Json }>>;
  readonly children?: Readonly<Record<string, Node>>;
}

/** The path of a device by its identifier. */
export const peripheral = (id: string): string => `/machine/peripheral/${id}`;

/** The path of a CPU by its number. */
export const cpuPath = (cpu: number): string => `/machine/unattached/device[${cpu}]`;

function root({ machine, cpuModel, chardevs, userObjects }: QmpEnvironment): Node {
  const container = (children: Node['children'] = {}): Node => ({ type: 'container', children });
  const cpu = (number: number): Node => ({
    type: cpuModel + CPU_DRIVER,
    properties: {
      'core-id': { type: 'uint32', value: number },
      realized: { type: 'bool', value: true },
      hotplugged: { type: 'bool', value: false },
      hotpluggable: { type: 'bool', value: false },
    },
  });
  const named = machine.devices.list.filter(({ id }) => id !== undefined);
  const unnamed = machine.devices.list.filter(({ id }) => id === undefined);
  return container({
    machine: {
      type: `${machineName}-machine`,
      children: {
        peripheral: container(
          Object.fromEntries(named.map(device => [device.id!, deviceNode(device, machine.devices.list)])),
        ),
        'peripheral-anon': container(
          Object.fromEntries(unnamed.map((device, n) => [`device[${n}]`, deviceNode(device, machine.devices.list)])),
        ),
        'virtual-css-bridge': {
          type: 'virtual-css-bridge',
          children: { 'virtual-css': { type: 'virtual-css-bus' } },
        },
        unattached: container(Object.fromEntries(machine.cpus.map(({ number }) => [`device[${number}]`, cpu(number)]))),
      },
    },
    objects: container(Object.fromEntries(userObjects().map(({ id, type }) => [id, { type }]))),
    chardevs: container(Object.fromEntries(chardevs().map(({ id }) => [id, { type: 'chardev' }]))),
  });
}

const TYPES: Readonly<Record<string, string>> = { bool: 'bool', size: 'size', chr: 'str', drive: 'str', choice: 'str' };

function deviceNode(device: PluggedDevice, all: readonly PluggedDevice[]): Node {
  const type = deviceType(device.driver)!;
  const properties: Record<string, { type: string; value: Json }> = {};
  for (const { name, type: kind } of type.properties) {
    properties[name] = { type: TYPES[kind] ?? kind, value: device.properties[name] ?? '' };
  }
  if (device.place) {
    properties.devno = { type: 'str', value: device.properties.devno ?? '<unset>' };
    properties.dev_id = { type: 'str', value: idText(device.place.device) };
    properties.subch_id = { type: 'str', value: idText(device.place.subchannel) };
  }
  properties.realized = { type: 'bool', value: true };
  properties.hotpluggable = { type: 'bool', value: true };
  const parts = all.filter(({ parent }) => parent === device.number);
  const children: Record<string, Node> = {};
  if (isChannelType(type) && type.backend) {
    const inner = Object.fromEntries(parts.map((part, n) => [part.id ?? `device[${n}]`, deviceNode(part, all)]));
    children['virtio-backend'] = { type: type.backend, children: inner };
    children['virtio-bus'] = { type: 'virtio-ccw-bus' };
  }
  return { type: device.driver, properties, children };
}

/** `info qom-tree`: the objects below a path, with their types. @throws QmpError */
export function objectTree(environment: QmpEnvironment, path = '/machine'): string {
  const text = (name: string, { type, children = {} }: Node, depth: number): string => {
    const below = Object.entries(children).sort(([a], [b]) => (a < b ? -1 : 1));
    const line = `${' '.repeat(depth)}/${name} (${type})\n`;
    return line + below.map(([child, node]) => text(child, node, depth + 2)).join('');
  };
  return text(path.replace(/^\//, ''), find(environment, path), 0);
}

/** @throws QmpError */
function find(environment: QmpEnvironment, path: string): Node {
  let node: Node | undefined = root(environment);
  for (const name of path.split('/').filter(part => part !== '')) node = node?.children?.[name];
  if (!node || !path.startsWith('/')) throw new QmpError(`Device '${path}' not found`, 'DeviceNotFound');
  return node;
}

/** Of `qom-list`. @throws QmpError */
export function listObject(environment: QmpEnvironment, path: string): Json {
  const { properties = {}, children = {} } = find(environment, path);
  return [
    { name: 'type', type: 'string' },
    ...Object.entries(properties).map(([name, { type }]) => ({ name, type })),
    ...Object.entries(children).map(([name, { type }]) => ({ name, type: `child<${type}>` })),
  ];
}

/** As a list for people. @throws QmpError */
export function objectList(environment: QmpEnvironment, path: string): string {
  const entries = listObject(environment, path) as readonly { readonly name: string; readonly type: string }[];
  return entries.map(({ name, type }) => `${name} (${type})\n`).join('');
}

/** Of `qom-get`. @throws QmpError */
export function objectProperty(environment: QmpEnvironment, path: string, property: string): Json {
  const { type, properties = {}, children = {} } = find(environment, path);
  if (property === 'type') return type;
  if (Object.hasOwn(children, property)) return `${path.replace(/\/$/, '')}/${property}`;
  if (!Object.hasOwn(properties, property)) throw new QmpError(`Property '${type}.${property}' not found`);
  return properties[property]!.value;
}

/** Of `qom-set`: nothing that there is changes after it has been made. @throws QmpError */
export function setProperty(environment: QmpEnvironment, path: string, property: string): void {
  const { type, properties = {}, children = {} } = find(environment, path);
  if (property === 'type' || Object.hasOwn(children, property)) {
    throw new QmpError(`Property '${type}.${property}' is not writable`);
  }
  if (!Object.hasOwn(properties, property)) throw new QmpError(`Property '${type}.${property}' not found`);
  if (property === 'realized' || property === 'hotpluggable' || property.endsWith('_id')) {
    throw new QmpError(`Property '${type}.${property}' is not writable`);
  }
  const id = /^\/machine\/peripheral\/([^/]+)$/.exec(path)?.[1];
  const what = id === undefined ? 'anonymous device' : `device '${id}'`;
  throw new QmpError(`Attempt to set property '${property}' on ${what} (type '${type}') after it was realized`);
}

/** Of `qom-list-types`: types of what there may be, with what they are kinds of. */
export function listTypes(wanted?: string): Json {
  const types = [
    ...deviceTypes.map(({ name }) => ({ name, parent: 'device' })),
    ...deviceTypes.flatMap(type =>
      isChannelType(type) && type.backend ? [{ name: type.backend, parent: 'virtio-device' }] : [],
    ),
    ...models.map(({ name }) => ({ name: name + CPU_DRIVER, parent: 's390x-cpu' })),
    ...objectTypes.map(name => ({ name, parent: 'user-creatable' })),
  ];
  const kinds = new Map([
    ['device', ['device', 'virtio-device', 's390x-cpu']],
    ['object', ['device', 'virtio-device', 's390x-cpu', 'user-creatable']],
  ]);
  return types
    .filter(
      ({ name, parent }) =>
        wanted === undefined || name === wanted || parent === wanted || kinds.get(wanted)?.includes(parent),
    )
    .map(({ name, parent }) => ({ name, parent: parent === 'user-creatable' ? 'object' : parent }));
}
