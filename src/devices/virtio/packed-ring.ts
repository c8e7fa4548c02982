/** Packed virtqueues (virtio 1.2, 2.8): one ring of descriptors, and an area for each side's wishes about events. */

import type { Storage } from '../../machine/storage.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import { type Chain, QueueError } from './chain.ts';
import {
  ChainBuilder,
  DESCRIPTOR_INDIRECT,
  DESCRIPTOR_NEXT,
  DESCRIPTOR_SIZE,
  DESCRIPTOR_WRITE,
  type DescriptorReader,
  descriptorReader,
  tableSize,
} from './descriptors.ts';
import type { Ring, RingOptions, RingPlace } from './queue.ts';

const AVAILABLE = 0x80;
const USED = 0x8000;

// An event suppression structure: where, and which events.
const WHERE = 0;
const WHICH = 2;
const EVENT_AREA = 4;
const ENABLE = 0;
const DISABLE = 1;
const AT_DESCRIPTOR = 2;
const WRAPPED = 0x8000;

export function packedRingFits(storage: Storage, { size, descriptors, driver, device }: RingPlace): boolean {
  return (
    size <= 0x8000 &&
    descriptors % 16 === 0 &&
    driver % 4 === 0 &&
    device % 4 === 0 &&
    storage.contains(descriptors, size * DESCRIPTOR_SIZE) &&
    storage.contains(driver, EVENT_AREA) &&
    storage.contains(device, EVENT_AREA)
  );
}

/**
 * Positions in the ring are counted over two rounds, from 0 to twice the size: in the first round wrap counters are 1, in
 * the second 0.
 */
export class PackedRing implements Ring {
  readonly #storage: Storage;
  readonly #ring: DescriptorReader;
  readonly #size: number;
  readonly #descriptors: number;
  readonly #driver: number;
  readonly #device: number;
  readonly #eventIndex: boolean;
  #next = 0;
  #given = 0;
  /** `#given` when the driver was last considered for an interruption; undefined: not yet. */
  #told: number | undefined;
  #notifications = true;

  constructor(storage: Storage, place: RingPlace, { little, eventIndex }: RingOptions) {
    this.#storage = storage;
    this.#ring = descriptorReader(storage, little);
    this.#size = place.size;
    this.#descriptors = place.descriptors;
    this.#driver = place.driver;
    this.#device = place.device;
    this.#eventIndex = eventIndex;
  }

  #advanced(position: number, by: number): number {
    const sum = position + by;
    const rounds = 2 * this.#size;
    return sum < 0 ? sum + rounds : sum % rounds;
  }

  #at(position: number): number {
    return this.#descriptors + (position % this.#size) * DESCRIPTOR_SIZE;
  }

  get isEmpty(): boolean {
    const flags = this.#ring.load16(this.#at(this.#next) + 14);
    // What is available has the first flag as the wrap counter is, and the other not.
    return (flags & (AVAILABLE | USED)) !== (this.#next < this.#size ? AVAILABLE : USED);
  }

  pop(): Chain | undefined {
    if (this.isEmpty) return undefined;
    const ring = this.#ring;
    const builder = new ChainBuilder(this.#storage);
    let id = 0;
    let count = 0;
    for (;;) {
      const at = this.#at(this.#advanced(this.#next, count));
      const flags = ring.read16(at + 14);
      const address = ring.read64(at);
      const length = ring.read32(at + 8);
      id = ring.read16(at + 12);
      count++;
      if (flags & DESCRIPTOR_INDIRECT) {
        if (count > 1 || flags & DESCRIPTOR_NEXT) throw new QueueError('indirect descriptor in a chain');
        this.#addTable(builder, address, length);
        break;
      }
      builder.add(address, length, flags);
      if (!(flags & DESCRIPTOR_NEXT)) break;
      if (count === this.#size) throw new QueueError('Looped descriptor');
    }
    this.#next = this.#advanced(this.#next, count);
    return builder.chain(id, count);
  }

  #addTable(builder: ChainBuilder, table: number, length: number): void {
    const ring = this.#ring;
    const size = tableSize(this.#storage, table, length);
    for (let n = 0; n < size; n++) {
      const at = table + n * DESCRIPTOR_SIZE;
      const flags = ring.read16(at + 14);
      if (flags & DESCRIPTOR_INDIRECT) throw new QueueError('indirect descriptor in an indirect table');
      builder.add(ring.read64(at), ring.read32(at + 8), flags);
    }
  }

  push({ id, count }: Chain, written: number): void {
    const ring = this.#ring;
    const at = this.#at(this.#given);
    const wrap = this.#given < this.#size;
    ring.write32(at + 8, written);
    ring.write16(at + 12, id);
    ring.store16(at + 14, (wrap ? AVAILABLE | USED : 0) | (written > 0 ? DESCRIPTOR_WRITE : 0));
    this.#given = this.#advanced(this.#given, count);
  }

  unpop({ count }: Chain): void {
    this.#next = this.#advanced(this.#next, -count);
  }

  get wantsInterrupt(): boolean {
    const ring = this.#ring;
    const told = this.#told;
    this.#told = this.#given;
    const which = ring.load16(this.#driver + WHICH) & 3;
    if (which === DISABLE) return false;
    if (which !== AT_DESCRIPTOR || !this.#eventIndex || told === undefined) return true;
    const where = ring.load16(this.#driver + WHERE);
    const event = (where & ~WRAPPED) + (where & WRAPPED ? 0 : this.#size);
    const rounds = 2 * this.#size;
    return (event - told + rounds) % rounds < (this.#given - told + rounds) % rounds;
  }

  setNotifications(on: boolean): void {
    const ring = this.#ring;
    if (!on) ring.store16(this.#device + WHICH, DISABLE);
    else if (this.#eventIndex) {
      ring.store16(this.#device + WHERE, (this.#next % this.#size) | (this.#next < this.#size ? WRAPPED : 0));
      ring.store16(this.#device + WHICH, AT_DESCRIPTOR);
    } else ring.store16(this.#device + WHICH, ENABLE);
    this.#notifications = on;
  }

  save(): Fields {
    return { next: this.#next, given: this.#given, told: this.#told ?? null, notifications: this.#notifications };
  }

  load(saved: SavedFields): () => void {
    const most = 2 * this.#size - 1;
    const next = saved.integer('next', most);
    const given = saved.integer('given', most);
    const told = saved.optional('told', () => saved.integer('told', most));
    const notifications = saved.flag('notifications');
    return () => {
      this.#next = next;
      this.#given = given;
      this.#told = told;
      this.#notifications = notifications;
    };
  }
}
