/** The devices of the channel subsystem as the main thread sees them: they are in the I/O thread, which it asks. */

import type { Chardev } from '../chardev/chardev.ts';
import type { Layout } from '../cpu/state.ts';
import type { ProgramRecord } from '../css/channel-subsystem.ts';
import { ChannelTable } from '../css/table.ts';
import { DeviceError } from '../devices/device-type.ts';
import type { Thread, ThreadHost } from '../platform/threads.ts';
import { SaveError } from '../save/save-state.ts';
import type { TraceRecord } from '../trace/trace.ts';
import type { LogItem } from './control.ts';
import { ChardevRelay } from './io-chardevs.ts';
import type {
  DeviceConfiguration,
  FromIo,
  IoAnswers,
  IoRequest,
  IoStart,
  PluggedDevice,
  SavedUnit,
  ToIo,
  UnitState,
} from './io-messages.ts';

export interface DeviceListener {
  log(item: LogItem, text: string): void;
  trace(record: TraceRecord): void;
  notice(name: string, data: object): void;
  stop(state: 'io-error'): void;
  failed(error: unknown): void;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

export class ChannelDevices {
  readonly table: ChannelTable;
  readonly #start: IoStart;
  readonly #threads: ThreadHost;
  readonly #chardev: (id: string) => Chardev;
  readonly #listener: DeviceListener;
  /** Started with the first device. */
  #thread: Thread | undefined;
  #running = false;
  readonly #waiting = new Map<number, Waiting>();
  readonly #relays = new Map<string, ChardevRelay>();
  readonly #devices: PluggedDevice[] = [];
  #requests = 0;

  /** @param chardev the character device of that identifier, which exists */
  constructor(
    memory: WebAssembly.Memory,
    layout: Layout,
    trace: SharedArrayBuffer,
    threads: ThreadHost,
    chardev: (id: string) => Chardev,
    listener: DeviceListener,
  ) {
    const channels = ChannelTable.newShared();
    this.#start = { memory, layout, channels, trace };
    this.table = new ChannelTable(channels, memory, layout);
    this.#threads = threads;
    this.#chardev = chardev;
    this.#listener = listener;
  }

  get shared(): SharedArrayBuffer {
    return this.#start.channels;
  }

  /** The devices that there are, in the order in which they came. */
  get list(): readonly PluggedDevice[] {
    return this.#devices;
  }

  #post(message: ToIo): void {
    this.#thread?.post(message);
    this.table.announceMessage();
  }

  #started(): Thread {
    if (this.#thread) return this.#thread;
    const thread = this.#threads.spawn('io', this.#start);
    thread.onError(error => this.#listener.failed(error));
    thread.onMessage((message: FromIo) => this.#take(message));
    this.#thread = thread;
    if (this.#running) this.#post({ kind: 'run' });
    return thread;
  }

  #ask<What extends IoRequest['what']>(request: IoRequest & { readonly what: What }): Promise<IoAnswers[What]> {
    const number = ++this.#requests;
    this.#started();
    this.#post({ kind: 'request', number, request });
    return new Promise((resolve, reject) => void this.#waiting.set(number, { resolve, reject }));
  }

  #take(message: FromIo): void {
    switch (message.kind) {
      case 'answer':
        this.#settled(message.number).resolve(message.value as never);
        break;
      case 'refusal':
        this.#settled(message.number).reject(new DeviceError(message.message));
        break;
      case 'attach':
        this.#relays.get(message.chardev)?.close();
        this.#relays.delete(message.chardev);
        if (!message.on) break;
        this.#relays.set(
          message.chardev,
          new ChardevRelay(this.#chardev(message.chardev), answer => this.#post(answer)),
        );
        break;
      case 'output':
        this.#relays.get(message.chardev)?.output(message.data);
        break;
      case 'disconnect':
        this.#relays.get(message.chardev)?.disconnect(message.connection);
        break;
      case 'taken':
        this.#relays.get(message.chardev)?.taken(message.bytes);
        break;
      case 'log':
        this.#listener.log(message.item, message.text);
        break;
      case 'trace':
        this.#listener.trace(message.record);
        break;
      case 'notice':
        this.#listener.notice(message.name, message.data);
        break;
      case 'stop':
        this.#listener.stop(message.state);
        break;
      case 'failed':
        this.#listener.failed(message.error);
    }
  }

  #settled(number: number): Waiting {
    const waiting = this.#waiting.get(number)!;
    this.#waiting.delete(number);
    return waiting;
  }

  /** @throws DeviceError */
  async plug(device: DeviceConfiguration, hot: boolean): Promise<PluggedDevice> {
    const plugged = await this.#ask({ what: 'plug', device, hot });
    this.#devices.push(plugged);
    return plugged;
  }

  /** Takes a device away, and the parts that belong to it. Gives all that have gone. */
  async unplug({ number }: PluggedDevice): Promise<readonly PluggedDevice[]> {
    await this.#ask({ what: 'unplug', number });
    const gone = this.#devices.filter(device => device.number === number || device.parent === number);
    for (const device of gone) this.#devices.splice(this.#devices.indexOf(device), 1);
    return gone;
  }

  programs({ number }: PluggedDevice): Promise<readonly ProgramRecord[]> {
    return this.#ask({ what: 'programs', number });
  }

  run(): void {
    this.#running = true;
    this.#post({ kind: 'run' });
  }

  /** Resolves when the devices stand still; gives what is to be saved of them. */
  async stop(): Promise<readonly UnitState[]> {
    this.#running = false;
    return this.#thread ? this.#ask({ what: 'stop' }) : [];
  }

  /**
   * Looks whether the devices can be in a state that was saved; `apply`: and puts them there.
   * @throws SaveError
   */
  async load(units: readonly SavedUnit[], apply: boolean): Promise<void> {
    if (!this.#thread) return;
    try {
      await this.#ask({ what: 'load', units, apply });
    } catch (error) {
      throw error instanceof DeviceError ? new SaveError(error.message) : error;
    }
  }

  /** A system reset. */
  reset(): void {
    this.table.reset();
  }

  terminate(): Promise<void> {
    for (const relay of this.#relays.values()) relay.close();
    return this.#thread?.terminate() ?? Promise.resolve();
  }
}
