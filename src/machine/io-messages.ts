/** What the main thread and the thread with the channel devices say to each other. */

import type { ChardevEvent } from '../chardev/chardev.ts';
import type { Layout } from '../cpu/state.ts';
import type { DeviceId, ProgramRecord } from '../css/channel-subsystem.ts';
import type { SubchannelId } from '../css/table.ts';
import type { PropertyValues } from '../devices/device-type.ts';
import type { Fields, Value } from '../save/save-state.ts';
import type { TraceRecord } from '../trace/trace.ts';
import type { LogItem } from './control.ts';

/** A device that is to be plugged. */
export interface DeviceConfiguration {
  /** Name of its type. */
  readonly driver: string;
  readonly id?: string;
  /** Identifier of the device whose bus a part is for; undefined: the first that has one. */
  readonly bus?: string;
  /** Undefined: the next free device number. */
  readonly devno?: DeviceId;
  readonly properties: PropertyValues;
  /** What properties that are names lead to. */
  readonly resources: Readonly<Record<string, unknown>>;
}

/** A device that is there. */
export interface PluggedDevice {
  /** Given by the I/O side, for requests about it. */
  readonly number: number;
  readonly driver: string;
  readonly id?: string;
  readonly properties: PropertyValues;
  /** Of a device of the channel subsystem. */
  readonly place?: { readonly device: DeviceId; readonly subchannel: SubchannelId };
  /** Of a part: the device it belongs to. */
  readonly parent?: number;
  readonly bus: string;
}

export interface IoStart {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly channels: SharedArrayBuffer;
  /** Which trace events are wanted. */
  readonly trace: SharedArrayBuffer;
}

export type IoRequest =
  | { readonly what: 'plug'; readonly device: DeviceConfiguration; readonly hot: boolean }
  | { readonly what: 'unplug'; readonly number: number }
  /** Resolves when the devices stand still; gives their state. */
  | { readonly what: 'stop' }
  /** Looks whether the units can be in a state that was saved; `apply`: and puts them there. */
  | { readonly what: 'load'; readonly units: readonly SavedUnit[]; readonly apply: boolean }
  /** The last channel programs of a device. */
  | { readonly what: 'programs'; readonly number: number };

export interface IoAnswers {
  readonly plug: PluggedDevice;
  readonly unplug: undefined;
  readonly stop: readonly UnitState[];
  readonly load: undefined;
  readonly programs: readonly ProgramRecord[];
}

/** The saved state of one unit. */
export interface UnitState {
  readonly name: string;
  readonly version: number;
  readonly fields: Fields;
}

/** As it was read: it may be anything. */
export interface SavedUnit {
  readonly name: string;
  readonly fields: Value;
}

export type ToIo =
  | { readonly kind: 'request'; readonly number: number; readonly request: IoRequest }
  | { readonly kind: 'run' }
  | { readonly kind: 'input'; readonly chardev: string; readonly data: Uint8Array }
  | { readonly kind: 'event'; readonly chardev: string; readonly event: ChardevEvent }
  /** So many bytes of output have been taken. */
  | { readonly kind: 'taken'; readonly chardev: string; readonly bytes: number };

export type FromIo =
  | { readonly kind: 'answer'; readonly number: number; readonly value: unknown }
  /** `message` is for the user if there is one. */
  | { readonly kind: 'refusal'; readonly number: number; readonly message: string }
  | { readonly kind: 'attach'; readonly chardev: string; readonly on: boolean }
  | { readonly kind: 'output'; readonly chardev: string; readonly data: Uint8Array }
  /** The connection that was opened as the so-manieth is to end, if it is still there. */
  | { readonly kind: 'disconnect'; readonly chardev: string; readonly connection: number }
  /** So many bytes of input have been taken. */
  | { readonly kind: 'taken'; readonly chardev: string; readonly bytes: number }
  | { readonly kind: 'log'; readonly item: LogItem; readonly text: string }
  | { readonly kind: 'trace'; readonly record: TraceRecord }
  | { readonly kind: 'notice'; readonly name: string; readonly data: object }
  | { readonly kind: 'stop'; readonly state: 'io-error' }
  | { readonly kind: 'failed'; readonly error: unknown };
