/** The driver's side of virtqueues, for tests: as a guest would write rings, or as it should not. */

import assert from 'node:assert/strict';
import { planLayout } from '../../cpu/state.ts';
import { Storage } from '../../machine/storage.ts';
import type { BlockProperties } from './block/block.ts';
import { type CommonProperties, Feature, Status, type VirtioDevice, type VirtioEnvironment } from './device.ts';
import type { RingPlace } from './queue.ts';

export const MEBIBYTE = 0x100000;

export function testStorage(size = MEBIBYTE): Storage {
  const layout = planLayout(1, size);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  return new Storage(memory, layout);
}

export interface Piece {
  readonly address: number;
  readonly length: number;
  readonly write?: boolean;
}

export interface DriverOptions {
  readonly packed?: boolean;
  readonly little?: boolean;
  readonly eventIndex?: boolean;
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** One queue as its driver sees it. Everything is at `base` and needs no more than 64 KiB. */
export class DriverQueue {
  readonly place: RingPlace;
  readonly storage: Storage;
  readonly options: Required<DriverOptions>;
  readonly #free: number[];
  /** Split: the available index. Packed: the position, over two rounds. */
  #made = 0;
  #seen = 0;
  /** Position of the last look whether the device is to be told. */
  #told = 0;
  readonly #chains = new Map<number, { descriptors: number[] }>();
  #tables: number;

  /** @param alignment of what the device writes */
  constructor(storage: Storage, base: number, size: number, options: DriverOptions = {}, alignment = 4) {
    this.storage = storage;
    this.options = { packed: false, little: true, eventIndex: false, ...options };
    this.place = {
      size,
      descriptors: base,
      driver: base + size * 16,
      device: Math.ceil((base + size * 18 + 6) / alignment) * alignment,
    };
    this.#tables = base + 0x8000;
    storage.fill(base, this.place.device + 8 + 8 * size - base, 0);
    this.#free = Array.from({ length: size }, (_, n) => n);
  }

  read16(address: number): number {
    return this.options.little ? this.storage.read16le(address) : this.storage.read16(address);
  }
  read32(address: number): number {
    return this.options.little ? this.storage.read32le(address) : this.storage.read32(address);
  }
  write16(address: number, value: number): void {
    if (this.options.little) this.storage.write16le(address, value);
    else this.storage.write16(address, value);
  }
  write32(address: number, value: number): void {
    if (this.options.little) this.storage.write32le(address, value);
    else this.storage.write32(address, value);
  }

  /** A descriptor with its last two halfwords as they are in the format of the ring. */
  descriptor(at: number, { address, length }: Piece, halfword12: number, halfword14: number): void {
    const high = Math.floor(address / 2 ** 32);
    this.write32(at + (this.options.little ? 4 : 0), high);
    this.write32(at + (this.options.little ? 0 : 4), address % 2 ** 32);
    this.write32(at + 8, length);
    this.write16(at + 12, halfword12);
    this.write16(at + 14, halfword14);
  }

  /** Makes a buffer available and gives its identification; undefined: there is no room. */
  add(pieces: readonly Piece[], indirect = false): number | undefined {
    const needed = indirect ? 1 : pieces.length;
    if (this.#free.length < needed) return undefined;
    const descriptors = this.#free.splice(0, needed);
    const id = descriptors[0]!;
    this.#chains.set(id, { descriptors });
    const parts = indirect ? [this.#table(pieces)] : pieces;
    const flags = (piece: Piece, n: number) =>
      (piece.write ? WRITE : 0) | (n < parts.length - 1 ? NEXT : 0) | (indirect ? INDIRECT : 0);
    if (this.options.packed) this.#addPacked(parts, id, flags);
    else {
      for (const [n, piece] of parts.entries()) {
        const at = this.place.descriptors + descriptors[n]! * 16;
        this.descriptor(at, piece, flags(piece, n), descriptors[n + 1] ?? 0);
      }
      this.makeAvailable(id);
    }
    return id;
  }

  #addPacked(parts: readonly Piece[], id: number, flags: (piece: Piece, n: number) => number): void {
    const { size, descriptors } = this.place;
    const writes = parts.map((piece, n) => () => {
      const position = (this.#made + n) % (2 * size);
      const wrap = position < size ? 0x80 : 0x8000;
      this.descriptor(descriptors + (position % size) * 16, piece, id, flags(piece, n) | wrap);
    });
    // The first makes the others available.
    for (const write of writes.reverse()) write();
    this.#made = (this.#made + parts.length) % (2 * size);
  }

  /** Split: the next entry of the available ring. */
  makeAvailable(head: number): void {
    const { size, driver } = this.place;
    this.write16(driver + 4 + (this.#made % size) * 2, head);
    this.#made = (this.#made + 1) & 0xffff;
    this.write16(driver + 2, this.#made);
  }

  #table(pieces: readonly Piece[]): Piece {
    const address = this.#tables;
    this.#tables += pieces.length * 16;
    if (this.#tables > this.place.descriptors + 0x10000) throw new Error('too many indirect tables for a test');
    pieces.forEach((piece, n) => {
      const flags = (piece.write ? WRITE : 0) | (!this.options.packed && n < pieces.length - 1 ? NEXT : 0);
      if (this.options.packed) this.descriptor(address + n * 16, piece, 0, flags);
      else this.descriptor(address + n * 16, piece, flags, n + 1);
    });
    return { address, length: pieces.length * 16 };
  }

  /** Whether the device wants to be told of what has been made available since this was asked last. */
  get mustNotify(): boolean {
    const { device, size } = this.place;
    const told = this.#told;
    this.#told = this.#made;
    if (this.options.packed) {
      const which = this.read16(device + 2);
      if (which < 2) return which === 0;
      return within(this.read16(device), told, this.#made, size);
    }
    if (!this.options.eventIndex) return !(this.read16(device) & 1);
    const event = this.read16(device + 4 + size * 8);
    return ((this.#made - event - 1) & 0xffff) < ((this.#made - told) & 0xffff);
  }

  /** What the device has given back since the last look. */
  used(): { id: number; written: number }[] {
    const result: { id: number; written: number }[] = [];
    for (let next = this.#nextUsed(); next; next = this.#nextUsed()) result.push(next);
    return result;
  }

  #nextUsed(): { id: number; written: number } | undefined {
    const { size, device, descriptors } = this.place;
    if (this.options.packed) {
      const at = descriptors + (this.#seen % size) * 16;
      const flags = this.read16(at + 14) & 0x8080;
      if (flags !== (this.#seen < size ? 0x8080 : 0)) return undefined;
      const id = this.read16(at + 12);
      const written = this.read32(at + 8);
      this.#seen = (this.#seen + this.#release(id)) % (2 * size);
      return { id, written };
    }
    if (this.read16(device + 2) === this.#seen) return undefined;
    const at = device + 4 + (this.#seen % size) * 8;
    this.#seen = (this.#seen + 1) & 0xffff;
    const id = this.read32(at);
    this.#release(id);
    return { id, written: this.read32(at + 4) };
  }

  #release(id: number): number {
    const chain = this.#chains.get(id);
    if (!chain) throw new Error(`the device gives back ${id}, which it does not have`);
    this.#chains.delete(id);
    this.#free.push(...chain.descriptors);
    return chain.descriptors.length;
  }

  /** Asks to be told when the buffer after so many more has been given back; undefined: never. */
  wantInterrupt(after: number | undefined): void {
    const { driver, size } = this.place;
    if (this.options.packed) {
      const position = (this.#seen + (after ?? 0)) % (2 * size);
      this.write16(driver, (position % size) | (position < size ? 0x8000 : 0));
      this.write16(driver + 2, after === undefined ? 1 : this.options.eventIndex ? 2 : 0);
    } else if (this.options.eventIndex) {
      this.write16(driver + 4 + size * 2, (this.#seen + (after ?? -1)) & 0xffff);
    } else this.write16(driver, after === undefined ? 1 : 0);
  }
}

/** Packed rings: whether the event is among positions from `from` to before `to`. */
function within(where: number, from: number, to: number, size: number): boolean {
  const event = (where & 0x7fff) + (where & 0x8000 ? 0 : size);
  const rounds = 2 * size;
  return (event - from + rounds) % rounds < (to - from + rounds) % rounds;
}

/** Properties as they are unless somebody says otherwise. */
export const commonDefaults: CommonProperties = {
  indirect_desc: true,
  event_idx: true,
  notify_on_empty: true,
  any_layout: true,
  iommu_platform: false,
  packed: false,
};

export const blockDefaults: BlockProperties = {
  ...commonDefaults,
  serial: '',
  numQueues: 1,
  queueSize: 256,
  segMaxAdjust: true,
  logicalBlockSize: 512,
  physicalBlockSize: 512,
  minIoSize: 0,
  optIoSize: 0,
  discardGranularity: 512,
  geometry: { cylinders: 2, heads: 16, sectors: 63 },
  writeCache: true,
  configWce: true,
  discard: true,
  writeZeroes: true,
  maxDiscardSectors: 4194303,
  maxWriteZeroesSectors: 4194303,
  readErrors: 'report',
  writeErrors: 'enospc',
};

/** A device and a driver that has begun to use it. */
export class DeviceUnderTest<Device extends VirtioDevice> {
  readonly storage: Storage;
  readonly device: Device;
  readonly queues: DriverQueue[] = [];
  /** Queues that the driver was interrupted for, and 'configuration'. */
  readonly interrupts: (number | 'configuration')[] = [];
  readonly complaints: string[] = [];
  #data = 0x80000;

  constructor(make: (environment: VirtioEnvironment) => Device, size = 2 * MEBIBYTE) {
    this.storage = testStorage(size);
    this.device = make({ storage: this.storage, complain: message => void this.complaints.push(message) });
    this.device.transport = {
      interrupt: queue => void this.interrupts.push(queue),
      configurationChanged: () => void this.interrupts.push('configuration'),
    };
  }

  /** As a driver of virtio 1.0, or an older one, that accepts these features of those that are offered. */
  start({ modern = true, features = ~0n, queues = this.device.queues.length } = {}): this {
    const { device } = this;
    device.reset();
    device.modern = modern;
    device.setStatus(Status.acknowledge | Status.driver);
    device.acceptFeatures(device.offered & features);
    let status = Status.acknowledge | Status.driver;
    if (modern) status |= Status.featuresOk;
    assert.ok(device.setStatus(status));
    this.queues.length = 0;
    for (let n = 0; n < queues; n++) {
      const queue = new DriverQueue(this.storage, 0x100000 + n * 0x10000, 16, {
        packed: device.has(Feature.packed),
        little: modern,
        eventIndex: device.has(Feature.eventIndex),
      });
      device.queues[n]!.place = queue.place;
      this.queues.push(queue);
    }
    assert.ok(device.setStatus(status | Status.driverOk));
    return this;
  }

  /** Makes data available to the device, and room for so many bytes; gives where the room is. */
  offer(queue: number, data: Uint8Array, room: number): number {
    const address = this.#data;
    this.#data += 0x1000;
    if (this.#data === 0x100000) this.#data = 0x80000;
    this.storage.write(address, data);
    const pieces: Piece[] = [];
    if (data.length > 0) pieces.push({ address, length: data.length });
    const at = address + data.length;
    if (room > 0) pieces.push({ address: at, length: room, write: true });
    assert.notEqual(this.queues[queue]!.add(pieces), undefined);
    return at;
  }

  notify(queue: number): void {
    this.device.notify(queue);
  }

  /** A buffer there and back. */
  ask(queue: number, data: Uint8Array, room: number): Uint8Array {
    const at = this.offer(queue, data, room);
    this.notify(queue);
    assert.equal(this.queues[queue]!.used().length, 1);
    return this.storage.read(at, room);
  }
}
