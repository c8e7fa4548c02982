/**
 * Where the devices of the channel subsystem are: it makes them, lets them work when the bell rings, and answers the main
 * thread. It runs in the I/O thread.
 */

import { forgetDecoded } from '../cpu/code-pages.ts';
import { ChannelSubsystemIo, type DeviceId, PlugError, type Subchannel } from '../css/channel-subsystem.ts';
import type { ControlUnit } from '../css/control-unit.ts';
import { ChannelTable } from '../css/table.ts';
import { type DeviceEnvironment, DeviceError, isChannelType } from '../devices/device-type.ts';
import { deviceType } from '../devices/registry.ts';
import type { IoPlatform } from '../platform/threads.ts';
import { SavedFields, SaveError } from '../save/save-state.ts';
import { DistantChardev } from './io-chardevs.ts';
import type {
  DeviceConfiguration,
  FromIo,
  IoRequest,
  IoStart,
  PluggedDevice,
  SavedUnit,
  ToIo,
  UnitState,
} from './io-messages.ts';
import { Storage } from './storage.ts';
import { connectTrace } from './trace-events.ts';

interface Entry {
  readonly about: PluggedDevice;
  readonly subchannel?: Subchannel;
  readonly part?: { detach(): void };
  readonly chardevs: readonly DistantChardev[];
}

export class IoSide {
  readonly table: ChannelTable;
  readonly css: ChannelSubsystemIo;
  readonly #storage: Storage;
  readonly #platform: IoPlatform;
  readonly #post: (message: FromIo) => void;
  readonly #entries = new Map<number, Entry>();
  readonly #chardevs = new Map<string, DistantChardev>();
  readonly #complaints = new Set<string>();
  #next = 1;

  constructor({ memory, layout, channels, trace }: IoStart, platform: IoPlatform, post: (message: FromIo) => void) {
    this.#platform = platform;
    this.#post = post;
    connectTrace(trace, record => post({ kind: 'trace', record }));
    this.table = new ChannelTable(channels, memory, layout);
    this.#storage = new Storage(memory, layout);
    this.#storage.onWrite((address, length) => forgetDecoded(memory, layout, address, length));
    this.css = new ChannelSubsystemIo({
      table: this.table,
      storage: this.#storage,
      later: work => platform.later(work),
      now: () => performance.now(),
      failed: error => post({ kind: 'failed', error }),
    });
  }

  take(message: ToIo): void {
    switch (message.kind) {
      case 'request':
        return void this.#answer(message.number, message.request);
      case 'run':
        return this.css.run(true);
      default:
        this.#chardevs.get(message.chardev)?.take(message);
    }
  }

  async #answer(number: number, request: IoRequest): Promise<void> {
    try {
      this.#post({ kind: 'answer', number, value: await this.#carryOut(request) });
    } catch (error) {
      if (error instanceof DeviceError || error instanceof PlugError || error instanceof SaveError) {
        this.#post({ kind: 'refusal', number, message: error.message });
      } else {
        this.#post({ kind: 'failed', error });
        // Who has asked is not to wait for ever.
        this.#post({ kind: 'refusal', number, message: (error as Error).message });
      }
    }
  }

  #carryOut(request: IoRequest): unknown {
    switch (request.what) {
      case 'plug':
        return this.#plug(request.device, request.hot);
      case 'unplug':
        return this.#unplug(request.number);
      case 'stop':
        return this.#stop();
      case 'load':
        return this.#load(request.units, request.apply);
      case 'programs':
        return this.#entries.get(request.number)?.subchannel?.records ?? [];
    }
  }

  async #plug(device: DeviceConfiguration, hot: boolean): Promise<PluggedDevice> {
    const type = deviceType(device.driver);
    if (!type) throw new DeviceError(`'${device.driver}' is not a valid device model name`);
    const chardevs: DistantChardev[] = [];
    const environment = this.#environment(device, chardevs);
    const number = this.#next++;
    const { driver, id, properties } = device;
    const about = { number, driver, ...(id !== undefined && { id }), properties, bus: type.bus };
    try {
      if (isChannelType(type)) {
        if (device.bus !== undefined && device.bus !== 'virtual-css') {
          throw new DeviceError(`Bus '${device.bus}' not found`);
        }
        const unit = await type.make(properties, environment);
        const subchannel = this.#plugUnit(unit, device.devno, hot);
        const place = { device: subchannel.deviceId, subchannel: subchannel.id };
        this.#entries.set(number, { about: { ...about, place }, subchannel, chardevs });
      } else {
        const parent = this.#withBus(type.bus, device.bus, driver);
        const part = type.attach(parent.subchannel!.device, properties, environment);
        this.#entries.set(number, { about: { ...about, parent: parent.about.number }, part, chardevs });
      }
    } catch (error) {
      this.#close(chardevs);
      throw error;
    }
    return this.#entries.get(number)!.about;
  }

  #plugUnit(unit: ControlUnit, devno: DeviceId | undefined, hot: boolean): Subchannel {
    try {
      return this.css.plug(unit, devno, hot);
    } catch (error) {
      unit.detached();
      throw error;
    }
  }

  /** The device that has a bus, by the bus's name (`ID.0`) or the first one. */
  #withBus(bus: string, name: string | undefined, driver: string): Entry {
    for (const entry of this.#entries.values()) {
      const type = deviceType(entry.about.driver)!;
      if (!isChannelType(type) || type.provides !== bus) continue;
      if (name === undefined || name === `${entry.about.id}.0` || name === entry.about.id) return entry;
    }
    if (name !== undefined) throw new DeviceError(`Bus '${name}' not found`);
    throw new DeviceError(`No '${bus}' bus found for device '${driver}'`);
  }

  #environment({ id, resources }: DeviceConfiguration, chardevs: DistantChardev[]): DeviceEnvironment {
    return {
      id,
      storage: this.#storage,
      files: this.#platform.files,
      chardev: id => {
        const chardev = new DistantChardev(id, this.#post);
        this.#chardevs.set(id, chardev);
        chardevs.push(chardev);
        return chardev;
      },
      resource: property => resources[property],
      complain: message => {
        if (this.#complaints.has(message)) return;
        this.#complaints.add(message);
        this.#post({ kind: 'log', item: 'guest_errors', text: `${message}\n` });
      },
      stopMachine: state => this.#post({ kind: 'stop', state }),
      event: (name, data) => this.#post({ kind: 'notice', name, data }),
    };
  }

  #close(chardevs: readonly DistantChardev[]): void {
    for (const chardev of chardevs) {
      chardev.attach(undefined);
      chardev.close();
      this.#chardevs.delete(chardev.id);
    }
  }

  #unplug(number: number): void {
    const entry = this.#entries.get(number);
    if (!entry) throw new DeviceError('the device is not there');
    for (const [other, { about }] of this.#entries) if (about.parent === number) this.#unplug(other);
    this.#entries.delete(number);
    entry.part?.detach();
    if (entry.subchannel) this.css.unplug(entry.subchannel);
    this.#close(entry.chardevs);
  }

  /** @throws SaveError */
  #load(saved: readonly SavedUnit[], apply: boolean): void {
    const work = this.css.units.map(unit => {
      const found = saved.find(({ name }) => name === unit.name);
      if (!found) throw new SaveError(`the saved state has no section '${unit.name}'`);
      return unit.load(new SavedFields(unit.name, found.fields));
    });
    if (apply) for (const put of work) put();
  }

  #stop(): readonly UnitState[] {
    // What CPUs have asked for before they stopped.
    this.css.work();
    this.css.run(false);
    return this.css.units.map(unit => ({ name: unit.name, version: unit.version, fields: unit.save() }));
  }
}
