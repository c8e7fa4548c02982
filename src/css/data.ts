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

  constructor(storage: Storage, key: number) {
    this.#storage = storage;
    this.#key = key;
    this.#keys = new Uint8Array(storage.memory.buffer, storage.layout.keys);
  }

  /** @throws ChannelCheck */
  #check(address: number, length: number, stores: boolean): void {
    if (!this.#storage.contains(address, length)) {
      throw programCheck(`storage at ${address.toString(16)} is not available`);
    }
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
   * @returns its address, and how many of the wanted bytes are there; `skip`: it is not to be stored to
   * @throws ChannelCheck
   */
  next(wanted: number): { readonly address: number; readonly length: number; readonly skip: boolean };
}

/** Consecutive storage; format-0 CCWs address 24 bits, format-1 CCWs 31. */
export function directArea(address: number, limit: number, skip: boolean): Area {
  let at = address;
  return {
    next(wanted) {
      if (skip) return { address: 0, length: wanted, skip };
      if (at >= limit) throw programCheck(`data address ${at.toString(16)}`);
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
  { wide, block, skip }: { readonly wide: boolean; readonly block: number; readonly skip: boolean },
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
        // All but the first begin a block.
        if (word !== list && at % block !== 0) throw programCheck(`indirect-data-address word ${at.toString(16)}`);
        left = block - (at % block);
        word += size;
      }
      const piece = { address: at, length: Math.min(wanted, left), skip };
      at += piece.length;
      left -= piece.length;
      return piece;
    },
  };
}

const MIDAW_LAST = 0x80;
const MIDAW_SKIP = 0x40;
const MIDAW_INTERRUPT = 0x20;

/** Modified indirect-data-address words: 16 bytes with a count each. */
export function modifiedArea(storage: KeyedStorage, list: number, total: number, interrupt: () => void): Area {
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
        const crosses = !skip && (at % FRAME) + left > FRAME;
        if (reserved || left === 0 || crosses || counted > total || (last && counted !== total)) {
          throw programCheck(`modified indirect-data-address word at ${word.toString(16)}`);
        }
        if (flags & MIDAW_INTERRUPT) interrupt();
        word += 16;
      }
      const piece = { address: at, length: Math.min(wanted, left), skip };
      at += piece.length;
      left -= piece.length;
      return piece;
    },
  };
}
