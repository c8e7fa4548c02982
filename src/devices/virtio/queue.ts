/** A virtqueue of a device: where the driver has put it, and the ring that it has become. */

import type { Storage } from '../../machine/storage.ts';
import { type Fields, type SavedFields, SaveError, type Value } from '../../save/save-state.ts';
import { Chain, QueueError, Span } from './chain.ts';
import { PackedRing, packedRingFits } from './packed-ring.ts';
import { SplitRing, splitRingFits } from './split-ring.ts';
import { virtioTrace } from './trace.ts';

/** Where the parts of a ring are: absolute addresses. */
export interface RingPlace {
  /** Descriptors. */
  readonly size: number;
  readonly descriptors: number;
  /** What the driver writes: the available ring, or its event suppression structure. */
  readonly driver: number;
  /** What the device writes: the used ring, or its event suppression structure. */
  readonly device: number;
}

export interface RingOptions {
  readonly packed: boolean;
  /** Little-endian. */
  readonly little: boolean;
  /** VIRTIO_F_EVENT_IDX has been negotiated. */
  readonly eventIndex: boolean;
  /** VIRTIO_F_NOTIFY_ON_EMPTY has been negotiated. */
  readonly whenEmpty: boolean;
}

/** One format of rings. A ring that cannot be makes any of these throw a QueueError. */
export interface Ring {
  /** Nothing waits for the device. */
  readonly isEmpty: boolean;
  pop(): Chain | undefined;
  /** Takes the last `pop` back. */
  unpop(chain: Chain): void;
  push(chain: Chain, written: number): void;
  /** Whether the driver wants to be told of what has been given back since this was asked last. */
  readonly wantsInterrupt: boolean;
  /** Whether the device wants to be told of new buffers. Look at `isEmpty` after it has been switched on. */
  setNotifications(on: boolean): void;
  save(): Fields;
  load(saved: SavedFields): () => void;
}

export class Virtqueue {
  readonly index: number;
  /** Most descriptors that a driver may choose. */
  readonly maximum: number;
  readonly #storage: Storage;
  readonly #options: () => RingOptions;
  readonly #owner: string;
  #place: RingPlace | undefined;
  #ring: Ring | undefined;
  #whenEmpty = false;
  /** Buffers that the device has. */
  #taken = 0;
  /** Something has been given back since the driver was last considered for an interruption. */
  #given = false;

  /**
   * @param options what has been negotiated when the ring is used first
   * @param owner the device in events
   */
  constructor(index: number, maximum: number, storage: Storage, options: () => RingOptions, owner = '') {
    this.index = index;
    this.maximum = maximum;
    this.#storage = storage;
    this.#options = options;
    this.#owner = owner;
  }

  /** Puts the queue somewhere, or nowhere. */
  set place(place: RingPlace | undefined) {
    this.#place = place;
    this.#ring = undefined;
    this.#taken = 0;
    this.#given = false;
  }
  get place(): RingPlace | undefined {
    return this.#place;
  }

  get #live(): Ring {
    return (this.#ring ??= this.#create(this.#options()));
  }

  #create(options: RingOptions): Ring {
    const place = this.#place;
    if (!place) throw new QueueError(`queue ${this.index} has not been set up`);
    const fits = options.packed ? packedRingFits : splitRingFits;
    if (place.size === 0 || !fits(this.#storage, place)) {
      throw new QueueError(`the rings of queue ${this.index} are not in storage or not aligned`);
    }
    this.#whenEmpty = options.whenEmpty;
    return options.packed
      ? new PackedRing(this.#storage, place, options)
      : new SplitRing(this.#storage, place, options);
  }

  /** Nothing is to be taken: also while the driver has not set it up. @throws QueueError */
  get isEmpty(): boolean {
    return !this.#place || this.#live.isEmpty;
  }

  /** The next buffer. @throws QueueError */
  pop(): Chain | undefined {
    if (!this.#place) return undefined;
    const chain = this.#live.pop();
    if (!chain) return undefined;
    this.#taken++;
    if (virtioTrace.virtqueue_pop.on) {
      virtioTrace.virtqueue_pop.tell(this.#owner, this.index, chain.id, chain.readable.length, chain.writable.length);
    }
    return chain;
  }

  /** Takes the last `pop` back, as if it had not been. */
  unpop(chain: Chain): void {
    this.#live.unpop(chain);
    this.#taken--;
  }

  /** Gives a buffer back, with so many bytes written. */
  push(chain: Chain, written: number): void {
    this.#live.push(chain, written);
    if (virtioTrace.virtqueue_fill.on) virtioTrace.virtqueue_fill.tell(this.#owner, this.index, chain.id, written);
    this.#taken--;
    this.#given = true;
  }

  /** Whether the driver is to be interrupted for what has been given back. @throws QueueError */
  get wantsInterrupt(): boolean {
    if (!this.#given) return false;
    this.#given = false;
    const ring = this.#live;
    const wants = ring.wantsInterrupt;
    return wants || (this.#whenEmpty && this.#taken === 0 && ring.isEmpty);
  }

  /**
   * Asks the driver to tell of the next buffer that it makes available.
   * @returns false: there are some already
   * @throws QueueError
   */
  await(): boolean {
    if (!this.#place) return true;
    this.#live.setNotifications(true);
    return this.#live.isEmpty;
  }

  /**
   * Calls `work` for each buffer that there is, and asks the driver not to tell of others meanwhile. `work` says whether
   * it can take more.
   * @throws QueueError
   */
  drain(work: (chain: Chain) => boolean): void {
    if (this.isEmpty && this.await()) return;
    do {
      this.#live.setNotifications(false);
      for (let chain = this.pop(); chain; chain = this.pop()) {
        if (!work(chain)) {
          this.#live.setNotifications(true);
          return;
        }
      }
      // One may have come before the driver could see that it is to tell.
    } while (!this.await());
  }

  save(): Fields {
    return {
      place: this.#place ? { ...this.#place } : null,
      ring: this.#ring ? this.#ring.save() : null,
      taken: this.#taken,
      given: this.#given,
    };
  }

  load(saved: SavedFields): () => void {
    const place = saved.optional('place', () => {
      const fields = saved.group('place');
      return {
        size: fields.integer('size', this.maximum),
        descriptors: fields.integer('descriptors'),
        driver: fields.integer('driver'),
        device: fields.integer('device'),
      };
    });
    const state = saved.optional('ring', () => saved.group('ring'));
    const taken = saved.integer('taken', this.maximum);
    const given = saved.flag('given');
    return () => {
      this.place = place;
      // What has been negotiated is there by now.
      if (state) this.#live.load(state)();
      this.#taken = taken;
      this.#given = given;
    };
  }
}

/** Of a buffer that the device has, for a saved state. */
export function savedChain({ id, count, readable, writable }: Chain): Fields {
  const pieces = (span: Span): Value => span.addresses.map((address, n) => [address, span.lengths[n]!]);
  return { id, count, readable: pieces(readable), writable: pieces(writable) };
}

/** @throws SaveError */
export function loadChain(storage: Storage, saved: SavedFields): Chain {
  const span = (name: string): Span => {
    const result = new Span(storage);
    for (const piece of saved.list(name)) {
      const [address, length] = Array.isArray(piece) ? (piece as readonly Value[]) : [];
      if (typeof address !== 'number' || typeof length !== 'number' || !storage.contains(address, length)) {
        throw new SaveError(`a buffer of a saved queue is not in storage`);
      }
      result.add(address, length);
    }
    return result;
  };
  return new Chain(saved.integer('id', 0xffff), saved.integer('count', 0xffff), span('readable'), span('writable'));
}
