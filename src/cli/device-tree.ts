/** The tree of buses and devices as `info qtree` shows it, in QEMU's layout. */

import { idText } from '../css/channel-subsystem.ts';
import type { ChannelDeviceType, Property, PropertyValue } from '../devices/device-type.ts';
import { deviceType } from '../devices/registry.ts';
import type { PluggedDevice } from '../machine/io-messages.ts';

interface DeviceNode {
  readonly driver: string;
  readonly id: string;
  readonly properties: readonly (readonly [name: string, value: string])[];
  readonly buses: readonly BusNode[];
}

interface BusNode {
  readonly name: string;
  readonly type: string;
  readonly devices: readonly DeviceNode[];
}

/** One of the service processor's consoles. */
export interface ConsoleDevice {
  readonly kind: 'ascii' | 'line';
  readonly chardev: string;
}

/** Where a device is in the tree of objects. */
export function devicePath(device: PluggedDevice, all: readonly PluggedDevice[]): string {
  if (device.id !== undefined) return `/machine/peripheral/${device.id}`;
  return `/machine/peripheral-anon/device[${all.filter(({ id }) => id === undefined).indexOf(device)}]`;
}

/** Properties of a virtio device that belong to the way it is reached. */
const TRANSPORT = ['ioeventfd', 'max_revision'];

function shown({ type }: Property, value: PropertyValue | undefined): string {
  if (typeof value === 'boolean') return `${value}`;
  if (typeof value === 'number' || typeof value === 'bigint')
    return type === 'int32' ? `${value}` : `${value} (0x${value.toString(16)})`;
  return `"${value ?? ''}"`;
}

export function deviceTree(devices: readonly PluggedDevice[], consoles: readonly ConsoleDevice[]): string {
  const parts = (bus: string, parent: number): DeviceNode[] =>
    newestFirst(devices.filter(device => device.parent === parent && device.bus === bus)).map(device => ({
      driver: device.driver,
      id: device.id ?? '',
      properties: (deviceType(device.driver)?.properties ?? []).map(property => [
        property.name,
        shown(property, device.properties[property.name]),
      ]),
      buses: [],
    }));
  const channelDevice = (device: PluggedDevice): DeviceNode => {
    const type = deviceType(device.driver) as ChannelDeviceType;
    const of = (properties: readonly Property[]) =>
      properties.map(property => [property.name, shown(property, device.properties[property.name])] as const);
    const { device: deviceId, subchannel } = device.place!;
    const place = [
      ['devno', device.properties.devno === undefined ? '"<unset>"' : `"${device.properties.devno}"`],
      ['dev_id', `"${idText(deviceId)}"`],
      ['subch_id', `"${idText(subchannel)}"`],
    ] as const;
    const buses = type.provides
      ? [{ name: `${device.id ?? type.provides}.0`, type: type.provides, devices: parts(type.provides, device.number) }]
      : [];
    const node = { driver: device.driver, id: device.id ?? '' };
    if (!type.backend) return { ...node, properties: [...of(type.properties), ...place], buses };
    const outer = type.properties.filter(({ name }) => TRANSPORT.includes(name));
    const inner = type.properties.filter(({ name }) => !TRANSPORT.includes(name));
    const backend = { driver: type.backend, id: '', properties: of(inner), buses };
    return {
      ...node,
      properties: [...of(outer), ...place],
      buses: [{ name: 'virtio-bus', type: 'virtio-ccw-bus', devices: [backend] }],
    };
  };
  const onChannels = newestFirst(devices.filter(({ place }) => place)).map(channelDevice);
  const consoleNodes = newestFirst(consoles).map(({ kind, chardev }) => ({
    driver: kind === 'ascii' ? 'sclpconsole' : 'sclplmconsole',
    id: '',
    properties: [['chardev', `"${chardev}"`]] as const,
    buses: [],
  }));
  const plain = (driver: string) => ({ driver, id: '', properties: [], buses: [] });
  const root: BusNode = {
    name: 'main-system-bus',
    type: 'System',
    devices: [
      {
        driver: 'virtual-css-bridge',
        id: '',
        properties: [['css_dev_path', 'true']],
        buses: [{ name: 'virtual-css', type: 'virtual-css-bus', devices: onChannels }],
      },
      {
        driver: 's390-sclp-event-facility',
        id: '',
        properties: [],
        buses: [
          {
            name: 's390-sclp-events-bus.0',
            type: 's390-sclp-events-bus',
            devices: [...consoleNodes, plain('sclp-cpu-hotplug'), plain('sclpquiesce')],
          },
        ],
      },
    ],
  };
  return busText(root, 0);
}

const newestFirst = <T>(list: readonly T[]): T[] => [...list].reverse();

function busText({ name, type, devices }: BusNode, depth: number): string {
  const indent = ' '.repeat(depth);
  const lines = devices.map(device => deviceText(device, depth + 2));
  return `${indent}bus: ${name}\n${indent}  type ${type}\n${lines.join('')}`;
}

function deviceText({ driver, id, properties, buses }: DeviceNode, depth: number): string {
  const indent = ' '.repeat(depth);
  const lines = properties.map(([name, value]) => `${indent}  ${name} = ${value}\n`);
  return `${indent}dev: ${driver}, id "${id}"\n${lines.join('')}${buses.map(bus => busText(bus, depth + 2)).join('')}`;
}
