/** The tree of objects, as far as programs look at it: the machine, its CPUs and the character devices. */

import { machineName } from '../configuration.ts';
import { CPU_DRIVER } from '../smp.ts';
import type { QmpEnvironment } from './commands.ts';
import type { Json } from './json.ts';
import { QmpError } from './schema.ts';

interface Node {
  readonly type: string;
  readonly properties?: Readonly<Record<string, { readonly type: string; readonly value: Json }>>;
  readonly children?: Readonly<Record<string, Node>>;
}

/** The path of a CPU by its number. */
export const cpuPath = (cpu: number): string => `/machine/unattached/device[${cpu}]`;

function root({ machine, cpuModel, chardevs }: QmpEnvironment): Node {
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
  return container({
    machine: {
      type: `${machineName}-machine`,
      children: {
        peripheral: container(),
        'peripheral-anon': container(),
        unattached: container(Object.fromEntries(machine.cpus.map(({ number }) => [`device[${number}]`, cpu(number)]))),
      },
    },
    objects: container(),
    chardevs: container(Object.fromEntries(chardevs().map(({ id }) => [id, { type: 'chardev' }]))),
  });
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

/** Of `qom-get`. @throws QmpError */
export function objectProperty(environment: QmpEnvironment, path: string, property: string): Json {
  const { type, properties = {}, children = {} } = find(environment, path);
  if (property === 'type') return type;
  if (Object.hasOwn(children, property)) return `${path.replace(/\/$/, '')}/${property}`;
  if (!Object.hasOwn(properties, property)) throw new QmpError(`Property '${type}.${property}' not found`);
  return properties[property]!.value;
}
