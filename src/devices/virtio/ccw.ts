/** virtio-ccw (virtio 1.2, 4.3): a virtio device as a control unit, by channel commands. */

import {
  type Attachment,
  CommonCommand,
  ControlUnit,
  ENDED,
  type Identification,
  Sense,
  type Transfer,
} from '../../css/control-unit.ts';
import { MOST_QUEUES } from '../../css/table.ts';
import type { Storage } from '../../machine/storage.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { VirtioDevice } from './device.ts';
import type { RingPlace } from './queue.ts';
import { virtioTrace } from './trace.ts';

export const CONTROL_UNIT_TYPE = 0x3832;
const CHANNEL_PATH_TYPE = 0x32;
/** Queues that classic indicators have bits for. */
const CLASSIC_QUEUES = 64;
/** The newest revision of the transport. */
export const NEWEST_REVISION = 2;
/** Queues of legacy drivers are aligned to it. */
const LEGACY_ALIGNMENT = 4096;

export const Command = {
  writeFeatures: 0x11,
  readFeatures: 0x12,
  setQueue: 0x13,
  writeConfiguration: 0x21,
  readConfiguration: 0x22,
  writeStatus: 0x31,
  readQueueConfiguration: 0x32,
  reset: 0x33,
  setIndicators: 0x43,
  setConfigurationIndicators: 0x53,
  readStatus: 0x72,
  setAdapterIndicators: 0x73,
  setRevision: 0x83,
} as const;

/** The command cannot be carried out: unit check, command reject. */
class Rejected extends Error {}

export class VirtioCcw extends ControlUnit {
  readonly identification: Identification;
  override readonly channelPathType = CHANNEL_PATH_TYPE;
  override readonly canBeNotified = true;
  readonly device: VirtioDevice;
  readonly #storage: Storage;
  readonly #newest: number;
  /** Undefined until the driver has chosen one, or has shown that it knows nothing of revisions. */
  #revision: number | undefined;
  #indicators: number | undefined;
  #configurationIndicators: number | undefined;
  /** With adapter interruptions: where indicators begin, and the summary indicator and the subclass. */
  #adapter: { readonly bit: number; readonly summary: number; readonly subclass: number } | undefined;

  /** @param newest the newest revision that a driver may choose */
  constructor(device: VirtioDevice, storage: Storage, newest = NEWEST_REVISION) {
    super();
    this.device = device;
    this.identification = {
      controlUnitType: CONTROL_UNIT_TYPE,
      controlUnitModel: device.type,
      deviceType: 0,
      deviceModel: 0,
      commandInformation: [],
    };
    this.#storage = storage;
    this.#newest = Math.min(newest, NEWEST_REVISION);
    device.transport = {
      interrupt: queue => this.#interrupt(queue),
      configurationChanged: () => this.#configurationChanged(),
    };
  }

  override execute(command: number, transfer: Transfer): number {
    if (
      command === CommonCommand.noOperation ||
      command === CommonCommand.basicSense ||
      command === CommonCommand.senseId
    ) {
      return super.execute(command, transfer) as number;
    }
    const { virtio_ccw_interpret_ccw } = virtioTrace;
    if (virtio_ccw_interpret_ccw.on) virtio_ccw_interpret_ccw.tell(...this.#place, command);
    try {
      this.#carryOut(command, transfer);
      return ENDED;
    } catch (error) {
      if (error instanceof Rejected) return this.reject(Sense.commandReject);
      throw error;
    }
  }

  get #place(): readonly [number, number, number] {
    const { cssid, ssid, deviceNumber } = this.attachment.identification;
    return [cssid, ssid, deviceNumber];
  }

  override attached(attachment: Attachment): void {
    super.attached(attachment);
    if (virtioTrace.virtio_ccw_new_device.on) {
      virtioTrace.virtio_ccw_new_device.tell(...this.#place, this.device.label);
    }
  }

  override notified(queue: number): void {
    this.device.notify(queue & 0xffff);
  }

  override run(running: boolean): void {
    if (running) this.device.resume();
  }

  override detached(): void {
    this.device.close();
  }

  /** The next driver chooses a revision anew. */
  override disabled(): void {
    this.#revision = undefined;
  }

  /** As much of the data as the command needs. */
  #take(transfer: Transfer, length: number): DataView {
    return enough(transfer.take(length), length);
  }

  #carryOut(code: number, transfer: Transfer): void {
    const { device } = this;
    if (code === Command.setRevision) return this.#setRevision(transfer);
    // Who begins with anything else is an old driver.
    this.#revision ??= 0;
    switch (code) {
      case Command.setQueue:
        return this.#setQueue(transfer);
      case Command.reset:
        return this.#reset();
      case Command.readFeatures: {
        const index = enough(transfer.peek(5), 5).getUint8(4);
        // Features are little-endian whatever the driver.
        const features = new DataView(new ArrayBuffer(4));
        if (index < 2) features.setUint32(0, Number((device.offered >> BigInt(32 * index)) & 0xffff_ffffn), true);
        return void transfer.give(new Uint8Array([...new Uint8Array(features.buffer), index]));
      }
      case Command.writeFeatures: {
        const view = this.#take(transfer, 5);
        const index = view.getUint8(4);
        if (index > 1) return;
        const shift = BigInt(32 * index);
        const others = device.features & ~(0xffff_ffffn << shift);
        return device.acceptFeatures(others | (BigInt(view.getUint32(0, true)) << shift));
      }
      case Command.readConfiguration:
        // As much as is asked for: drivers read up to the field that they want, and would not have a longer block told of.
        return void transfer.give(device.configuration().subarray(0, transfer.chainsData ? undefined : transfer.count));
      case Command.writeConfiguration:
        return device.configure(transfer.take(device.configuration().length));
      case Command.readStatus:
        // Revision 2 brought it.
        if (this.#revision < 2) throw new Rejected();
        return void transfer.give(Uint8Array.of(device.status));
      case Command.writeStatus: {
        const status = this.#take(transfer, 1).getUint8(0);
        if (status === 0) return this.#reset();
        if (!device.setStatus(status)) throw new Rejected();
        return;
      }
      case Command.readQueueConfiguration: {
        const index = enough(transfer.peek(4), 4).getUint16(0);
        if (index >= MOST_QUEUES) throw new Rejected();
        const most = device.queues[index]?.maximum ?? 0;
        return void transfer.give(Uint8Array.of(index >> 8, index, most >> 8, most));
      }
      case Command.setIndicators: {
        const address = this.#address(this.#take(transfer, 8), 0);
        if (this.#adapter || device.queues.length > CLASSIC_QUEUES) throw new Rejected();
        this.#indicators = this.#inStorage(address, 8);
        return;
      }
      case Command.setConfigurationIndicators:
        this.#configurationIndicators = this.#inStorage(this.#address(this.#take(transfer, 8), 0), 8);
        return;
      case Command.setAdapterIndicators:
        return this.#setAdapterIndicators(this.#take(transfer, 25));
      default:
        throw new Rejected();
    }
  }

  #setRevision(transfer: Transfer): void {
    const view = this.#take(transfer, 4);
    const revision = view.getUint16(0);
    // No revision has data of its own.
    if (view.getUint16(2) !== 0 || this.#revision !== undefined || revision > this.#newest) throw new Rejected();
    this.#revision = revision;
    this.device.modern = revision > 0;
  }

  #setQueue(transfer: Transfer): void {
    const legacy = !this.device.modern;
    const view = this.#take(transfer, legacy ? 16 : 32);
    const queue = this.device.queues[view.getUint16(12)];
    const size = view.getUint16(14);
    const descriptors = this.#address(view, 0);
    if (!queue) throw new Rejected();
    if (descriptors === 0) {
      queue.place = undefined;
      return;
    }
    if (!legacy) {
      if (size > queue.maximum) throw new Rejected();
      queue.place = { size, descriptors, driver: this.#address(view, 16), device: this.#address(view, 24) };
      return;
    }
    // Such a driver takes the size that it is told.
    if (view.getUint32(8) !== LEGACY_ALIGNMENT || size < queue.maximum) throw new Rejected();
    queue.place = legacyPlace(descriptors, queue.maximum);
  }

  #setAdapterIndicators(view: DataView): void {
    if (this.#indicators !== undefined && !this.#adapter) throw new Rejected();
    const bit = this.#address(view, 16);
    const bytes = Math.floor((bit + this.device.queues.length - 1) / 8) + 1;
    const summary = this.#inStorage(this.#address(view, 0), 1);
    this.#indicators = this.#inStorage(this.#address(view, 8), bytes);
    const subclass = view.getUint8(24) & 7;
    this.#adapter = this.#indicators === undefined || summary === undefined ? undefined : { bit, summary, subclass };
  }

  #address(view: DataView, offset: number): number {
    return Number(view.getBigUint64(offset));
  }

  /** The address, or undefined for 0: none. */
  #inStorage(address: number, length: number): number | undefined {
    if (address === 0) return undefined;
    if (!this.#storage.contains(address, length)) throw new Rejected();
    return address;
  }

  // To the driver

  #interrupt(queue: number): void {
    const indicators = this.#indicators;
    if (indicators === undefined) return;
    if (!this.#adapter) {
      this.#setClassic(indicators, queue);
      return this.attachment.present(0);
    }
    // Bit numbers count from the left.
    const { bit, summary, subclass } = this.#adapter;
    const number = bit + queue;
    if (virtioTrace.virtio_ccw_set_ind.on) virtioTrace.virtio_ccw_set_ind.tell(indicators, number);
    this.#storage.or8(indicators + Math.floor(number / 8), 0x80 >> (number % 8));
    if (!(this.#storage.or8(summary, 1) & 1)) this.attachment.adapterInterruption(subclass);
  }

  #configurationChanged(): void {
    if (this.#configurationIndicators === undefined) return;
    this.#setClassic(this.#configurationIndicators, 0);
    this.attachment.present(0);
  }

  /** A bit of a doubleword, counted from the right. */
  #setClassic(address: number, bit: number): void {
    if (virtioTrace.virtio_ccw_set_ind.on) virtioTrace.virtio_ccw_set_ind.tell(address, bit);
    this.#storage.or8(address + 7 - (bit >> 3), 1 << (bit & 7));
  }

  override reset(): void {
    super.reset();
    this.#reset();
    this.#revision = undefined;
  }

  /** As the driver resets the device: the revision stays. */
  #reset(): void {
    this.device.reset();
    this.#indicators = undefined;
    this.#configurationIndicators = undefined;
    this.#adapter = undefined;
  }

  override save(): Fields {
    return {
      ...super.save(),
      revision: this.#revision ?? null,
      indicators: this.#indicators ?? null,
      configurationIndicators: this.#configurationIndicators ?? null,
      adapter: this.#adapter ? { ...this.#adapter } : null,
      device: this.device.save(),
    };
  }

  override load(saved: SavedFields): () => void {
    const unit = super.load(saved);
    const { size } = this.#storage;
    const address = (name: string) => saved.optional(name, () => saved.integer(name, size - 8));
    const revision = saved.optional('revision', () => saved.integer('revision', NEWEST_REVISION));
    const indicators = address('indicators');
    const configurationIndicators = address('configurationIndicators');
    const adapter = saved.optional('adapter', () => {
      const fields = saved.group('adapter');
      return {
        bit: fields.integer('bit', 8 * size),
        summary: fields.integer('summary', size - 1),
        subclass: fields.integer('subclass', 7),
      };
    });
    const device = this.device.load(saved.group('device'));
    return () => {
      unit();
      this.#revision = revision;
      this.#indicators = indicators;
      this.#configurationIndicators = configurationIndicators;
      this.#adapter = adapter;
      device();
    };
  }
}

/** @throws Rejected */
function enough(bytes: Uint8Array, length: number): DataView {
  if (bytes.length < length) throw new Rejected();
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

/** How a legacy driver lays a queue out from one address on (virtio 1.2, 2.7.2). */
function legacyPlace(descriptors: number, size: number): RingPlace {
  const driver = descriptors + 16 * size;
  const end = driver + 2 * (3 + size);
  return { size, descriptors, driver, device: Math.ceil(end / LEGACY_ALIGNMENT) * LEGACY_ALIGNMENT };
}
