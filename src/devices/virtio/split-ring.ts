/** Split virtqueues (virtio 1.2, 2.7): a descriptor table, an available ring and a used ring. */

import type { Storage } from '../../machine/storage.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import { type Chain, QueueError } from './chain.ts';
import {
  ChainBuilder,
  DESCRIPTOR_INDIRECT,
  DESCRIPTOR_NEXT,
  DESCRIPTOR_SIZE,
  type DescriptorReader,
  descriptorReader,
  tableSize,
} from './descriptors.ts';
import type { Ring, RingOptions, RingPlace } from './queue.ts';

const FLAGS = 0;
const INDEX = 2;
const ENTRIES = 4;
const AVAILABLE_SIZE = 2;
const USED_SIZE = 8;
const NO_NOTIFICATION = 1;
const NO_INTERRUPT = 1;

/** Whether storage has room for the parts of such a ring, and they are aligned. */
export function splitRingFits(storage: Storage, { size, descriptors, driver, device }: RingPlace): boolean {
  return (
    (size & (size - 1)) === 0 &&
    descriptors % 16 === 0 &&
    driver % 2 === 0 &&
    device % 4 === 0 &&
    storage.contains(descriptors, size * DESCRIPTOR_SIZE) &&
    storage.contains(driver, ENTRIES + size * AVAILABLE_SIZE + 2) &&
    storage.contains(device, ENTRIES + size * USED_SIZE + 2)
  );
}

export class SplitRing implements Ring {
  readonly #storage: Storage;
  readonly #ring: DescriptorReader;
  readonly #size: number;
  readonly #table: number;
  readonly #available: number;
  readonly #used: number;
  readonly #eventIndex: boolean;
  /** Indices as they count in the rings, modulo 2^16: what the device takes next, what it has seen, what it gives next. */
  #next = 0;
  #seen = 0;
  #given = 0;
  /** `#given` when the driver was last considered for an interruption; undefined: not yet. */
  #told: number | undefined;
  #notifications = true;

  constructor(storage: Storage, place: RingPlace, { little, eventIndex }: RingOptions) {
    this.#storage = storage;
    this.#ring = descriptorReader(storage, little);
    this.#size = place.size;
    this.#table = place.descriptors;
    this.#available = place.driver;
    this.#used = place.device;
    this.#eventIndex = eventIndex;
  }

  get isEmpty(): boolean {
    if (this.#next !== this.#seen) return false;
    this.#seen = this.#ring.load16(this.#available + INDEX);
    const waiting = (this.#seen - this.#next) & 0xffff;
    if (waiting > this.#size) {
      throw new QueueError(`Guest moved used index from ${this.#next} to ${this.#seen}`);
    }
    return waiting === 0;
  }

  pop(): Chain | undefined {
    if (this.isEmpty) return undefined;
    const ring = this.#ring;
    const slot = this.#next & (this.#size - 1);
    const head = ring.read16(this.#available + ENTRIES + slot * AVAILABLE_SIZE);
    if (head >= this.#size) throw new QueueError(`Guest says index ${head} is available`);
    const builder = new ChainBuilder(this.#storage);
    let table = this.#table;
    let size = this.#size;
    let entry = head;
    let indirect = false;
    let count = 0;
    for (let left = size; ; ) {
      const at = table + entry * DESCRIPTOR_SIZE;
      const flags = ring.read16(at + 12);
      const address = ring.read64(at);
      const length = ring.read32(at + 8);
      if (!indirect) count++;
      if (flags & DESCRIPTOR_INDIRECT) {
        if (indirect) throw new QueueError('indirect descriptor in an indirect table');
        if (flags & DESCRIPTOR_NEXT) throw new QueueError('indirect descriptor with a next one');
        size = tableSize(this.#storage, address, length);
        table = address;
        left = size;
        entry = 0;
        indirect = true;
        continue;
      }
      builder.add(address, length, flags);
      if (!(flags & DESCRIPTOR_NEXT)) break;
      entry = ring.read16(at + 14);
      if (entry >= size) throw new QueueError(`Desc next is ${entry}`);
      if (--left === 0) throw new QueueError('Looped descriptor');
    }
    this.#next = (this.#next + 1) & 0xffff;
    return builder.chain(head, count);
  }

  push({ id }: Chain, written: number): void {
    const ring = this.#ring;
    const at = this.#used + ENTRIES + (this.#given & (this.#size - 1)) * USED_SIZE;
    ring.write32(at, id);
    ring.write32(at + 4, written);
    this.#given = (this.#given + 1) & 0xffff;
    ring.store16(this.#used + INDEX, this.#given);
  }

  unpop(): void {
    this.#next = (this.#next - 1) & 0xffff;
  }

  get wantsInterrupt(): boolean {
    const ring = this.#ring;
    if (!this.#eventIndex) return !(ring.load16(this.#available + FLAGS) & NO_INTERRUPT);
    const told = this.#told;
    this.#told = this.#given;
    if (told === undefined) return true;
    const event = ring.load16(this.#available + ENTRIES + this.#size * AVAILABLE_SIZE);
    return ((this.#given - event - 1) & 0xffff) < ((this.#given - told) & 0xffff);
  }

  setNotifications(on: boolean): void {
    if (this.#eventIndex) {
      // Without: the index stays where it is, in the past, and the driver does not come by it.
      if (on) this.#ring.store16(this.#used + ENTRIES + this.#size * USED_SIZE, this.#next);
    } else if (on !== this.#notifications) {
      this.#ring.store16(this.#used + FLAGS, on ? 0 : NO_NOTIFICATION);
    }
    this.#notifications = on;
  }

  save(): Fields {
    return { next: this.#next, given: this.#given, told: this.#told ?? null, notifications: this.#notifications };
  }

  load(saved: SavedFields): () => void {
    const next = saved.integer('next', 0xffff);
    const given = saved.integer('given', 0xffff);
    const told = saved.optional('told', () => saved.integer('told', 0xffff));
    const notifications = saved.flag('notifications');
    return () => {
      this.#next = next;
      this.#seen = next;
      this.#given = given;
      this.#told = told;
      this.#notifications = notifications;
    };
  }
}
