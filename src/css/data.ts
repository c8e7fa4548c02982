/**
 * Guest storage as a channel reaches it: absolute addresses, protected by the key of the operation-request block; and the
 * areas that a CCW names, directly or by lists of indirect-data-address words (PoP ch. 15).
 */

import type { Storage } from '../machine/storage.ts';

/** Bits of subchannel status. */
export const SubchannelStatus = {
  programControlled: 0x80,
  incorrectLength: 0x40,
  programCheck: 0x20,
  protectionCheck: 0x10,
  channelDataCheck: 0x08,
  channelControlCheck: 0x04,
  interfaceControlCheck: 0x02,
  chainingCheck: 0x01,
} as const;

/** A check that ends a channel program; `status` is its bit of subchannel status. */
export class ChannelCheck extends Error {
  readonly status: number;

  constructor(status: number, what: string) {
    super(what);
    this.status = status;
  }
}

export const programCheck = (what: string): ChannelCheck => new ChannelCheck(SubchannelStatus.programCheck, what);

const FRAME = 4096;

/** Storage under a key (bits 0xf0); key 0 is not limited. */
export class KeyedStorage {
  readonly #storage: Storage;
  readonly #key: number;
  readonly #keys: Uint8Array;
  readonly #limits: readonly [from: number, to: number];

  /** @param limits addresses that are allowed, from the first to below the second; undefined: all */
  constructor(storage: Storage, key: number, limits: readonly [number, number] = [0, Number.POSITIVE_INFINITY]) {
    this.#limits = limits;
    this.#storage = storage;
    this.#key = key;
    this.#keys = new Uint8Array(storage.memory.buffer, storage.layout.keys);
  }

  /** @throws ChannelCheck */
  #check(address: number, length: number, stores: boolean): void {
    if (!this.#storage.contains(address, length)) {
      throw programCheck(`storage at ${address.toString(16)} is not available`);
    }
    const [from, to] = this.#limits;
    if (address < from || address + length > to)
      throw programCheck(`${address.toString(16)} is beyond the address limit`);
    for (let frame = Math.floor(address / FRAME); frame * FRAME < address + length; frame++) {
      const storageKey = this.#keys[frame]!;
      const matches = this.#key === 0 || (storageKey & 0xf0) === this.#key;
      if (!matches && (stores || storageKey & 0x08)) {
        throw new ChannelCheck(
          SubchannelStatus.protectionCheck,
          `storage at ${address.toString(16)} is protected by key ${storageKey >>> 4}`,
        );
      }
      // Reference, and change with a store.
      const recorded = stores ? 0x06 : 0x04;
      if ((storageKey & recorded) !== recorded) Atomics.or(this.#keys, frame, recorded);
    }
  }

  read(address: number, length: number): Uint8Array {
    this.#check(address, length, false);
    return this.#storage.read(address, length);
  }

  write(address: number, data: Uint8Array): void {
    this.#check(address, data.length, true);
    this.#storage.write(address, data);
  }
}

/** Where the bytes of one CCW are, one piece after another. */
export interface Area {
  /**
   * The next piece.
   * @returns its lowest address, and how many of the wanted bytes are there; `skip`: it is not to be stored to
   * @throws ChannelCheck
   */
  next(wanted: number): { readonly address: number; readonly length: number; readonly skip: boolean };
}

/** How an area is filled. */
interface Filling {
  /** Nothing is stored. */
  readonly skip: boolean;
  /** Addresses descend, beginning with that of the last byte. */
  readonly backward: boolean;
}

/** Consecutive storage; format-0 CCWs address 24 bits, format-1 CCWs 31. */
export function directArea(address: number, limit: number, { skip, backward }: Filling): Area {
  let at = address;
  return {
    next(wanted) {
      if (skip) return { address: 0, length: wanted, skip };
      if (at >= limit || at < 0) throw programCheck(`data address ${at.toString(16)}`);
      if (backward) {
        const length = Math.min(wanted, at + 1);
        at -= length;
        return { address: at + 1, length, skip };
      }
      const piece = { address: at, length: Math.min(wanted, limit - at), skip };
      at += piece.length;
      return piece;
    },
  };
}

/** Indirect-data-address words: four bytes for blocks of 2 KiB, or eight bytes for blocks of 4 KiB or 2 KiB. */
export function indirectArea(
  storage: KeyedStorage,
  list: number,
  { wide, block, skip, backward }: Filling & { readonly wide: boolean; readonly block: number },
): Area {
  const size = wide ? 8 : 4;
  if (list % size !== 0) throw programCheck(`list of indirect-data-address words at ${list.toString(16)}`);
  let word = list;
  let at = 0;
  let left = 0;
  return {
    next(wanted) {
      if (left === 0) {
        const data = storage.read(word, size);
        const view = new DataView(data.buffer, data.byteOffset);
        at = wide ? Number(view.getBigUint64(0)) : view.getUint32(0);
        if (!wide && at >= 2 ** 31) throw programCheck(`indirect-data-address word ${at.toString(16)}`);
        left = backward ? (at % block) + 1 : block - (at % block);
        // All but the first begin a block, or end one.
        if (word !== list && left !== block) throw programCheck(`indirect-data-address word ${at.toString(16)}`);
        word += size;
      }
      const length = Math.min(wanted, left);
      const piece = { address: backward ? at - length + 1 : at, length, skip };
      at += backward ? -length : length;
      left -= length;
      return piece;
    },
  };
}

const MIDAW_LAST = 0x80;
const MIDAW_SKIP = 0x40;
const MIDAW_INTERRUPT = 0x20;

/** Modified indirect-data-address words: 16 bytes with a count each. */
export function modifiedArea(
  storage: KeyedStorage,
  list: number,
  total: number,
  { backward, interrupt }: { readonly backward: boolean; readonly interrupt: () => void },
): Area {
  if (list % 16 !== 0) throw programCheck(`list of modified indirect-data-address words at ${list.toString(16)}`);
  let word = list;
  let at = 0;
  let left = 0;
  let skip = false;
  let last = false;
  let counted = 0;
  return {
    next(wanted) {
      if (left === 0) {
        if (last) throw programCheck('modified indirect-data-address words end before the count');
        // The list lies in one block of 4 KiB.
        if (word !== list && word % FRAME === 0) throw programCheck('list of words crosses a block');
        const data = storage.read(word, 16);
        const view = new DataView(data.buffer, data.byteOffset);
        const flags = data[5]!;
        left = view.getUint16(6);
        at = Number(view.getBigUint64(8));
        skip = (flags & MIDAW_SKIP) !== 0;
        last = (flags & MIDAW_LAST) !== 0;
        counted += left;
        const reserved = data[0]! | data[1]! | data[2]! | data[3]! | data[4]! | (flags & 0x1f);
        const room = backward ? (at % FRAME) + 1 : FRAME - (at % FRAME);
        const crosses = !skip && left > room;
        if (reserved || left === 0 || crosses || counted > total || (last && counted !== total)) {
          throw programCheck(`modified indirect-data-address word at ${word.toString(16)}`);
        }
        if (flags & MIDAW_INTERRUPT) interrupt();
        word += 16;
      }
      const length = Math.min(wanted, left);
      const piece = { address: backward ? at - length + 1 : at, length, skip };
      at += backward ? -length : length;
      left -= length;
      return piece;
    },
  };
}
