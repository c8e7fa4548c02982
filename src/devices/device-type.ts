/** What kinds of devices there are to plug: their names, their properties, and how one is made. */

import type { Chardev } from '../chardev/chardev.ts';
import type { ControlUnit } from '../css/control-unit.ts';
import type { Storage } from '../machine/storage.ts';
import type { ImageFiles } from '../platform/image-files.ts';

/** A bigint for `uint64`. */
export type PropertyValue = string | number | bigint | boolean;
export type PropertyValues = Readonly<Record<string, PropertyValue>>;

/** A property as `-device NAME,help` shows it. */
export interface Property {
  readonly name: string;
  /**
   * QEMU's name of the type. `chr` and `drive` are the identifiers of a character device and of a drive; `str` without a
   * default may be left out.
   */
  readonly type:
    | 'bool'
    | 'str'
    | 'uint8'
    | 'uint16'
    | 'uint32'
    | 'uint64'
    | 'int32'
    | 'size'
    | 'chr'
    | 'drive'
    | 'link'
    | 'choice';
  /** Of a `choice`. */
  readonly choices?: readonly string[];
  readonly default?: PropertyValue;
  readonly description?: string;
  /** Lowest and highest of a size. */
  readonly range?: readonly [number, number];
}

/** What a device is made with; everything here belongs to the thread where devices are. */
export interface DeviceEnvironment {
  /** The device's own. */
  readonly id: string | undefined;
  readonly storage: Storage;
  readonly files: ImageFiles;
  /** The character device of that identifier, which becomes this device's. */
  chardev(id: string): Chardev;
  /** What a property of type `drive` or `link` leads to, as the command line describes it. */
  resource(property: string): unknown;
  /** Tells the operator what the guest does wrong (`-d guest_errors`). */
  complain(message: string): void;
  /** Stops the machine: something has happened that its operator should see to. */
  stopMachine(state: 'io-error'): void;
  /** An event for those who control the machine, in the words of the QEMU Machine Protocol. */
  event(name: string, data: object): void;
}

interface CommonType {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly description?: string;
  readonly category: 'Input' | 'Storage' | 'Network' | 'Display' | 'Misc';
  /** What is beside `devno` and the like, which all devices of a bus have. */
  readonly properties: readonly Property[];
}

/** A device of the channel subsystem. */
export interface ChannelDeviceType extends CommonType {
  readonly bus: 'virtual-css-bus';
  /** Of a virtio device: the name of what is behind the transport. */
  readonly backend?: string;
  /** Names the bus that the device provides for others. */
  readonly provides?: string;
  /** @throws DeviceError */
  make(properties: PropertyValues, environment: DeviceEnvironment): ControlUnit | Promise<ControlUnit>;
}

/** Part of another device. */
export interface PartType extends CommonType {
  /** The bus that it needs. */
  readonly bus: string;
  /** Adds it to the device that provides the bus. Gives what takes it away again. @throws DeviceError */
  attach(to: ControlUnit, properties: PropertyValues, environment: DeviceEnvironment): { detach(): void };
}

export type DeviceType = ChannelDeviceType | PartType;

export const isChannelType = (type: DeviceType): type is ChannelDeviceType => type.bus === 'virtual-css-bus';

/** A device that cannot be made or plugged; the message says why, in one line for the user. */
export class DeviceError extends Error {}
