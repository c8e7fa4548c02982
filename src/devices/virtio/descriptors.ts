/** What split and packed rings have in common: descriptors are collected into a chain, and checked. */

import type { Storage } from '../../machine/storage.ts';
import { Chain, QueueError, Span } from './chain.ts';

export const DESCRIPTOR_SIZE = 16;
export const DESCRIPTOR_NEXT = 1;
export const DESCRIPTOR_WRITE = 2;
export const DESCRIPTOR_INDIRECT = 4;

/** Pieces of a chain, those of an indirect table included. */
export const MOST_PIECES = 1024;
/** Bytes of a chain. */
const MOST_BYTES = 2 ** 32;

/** Fields of descriptors in the byte order of the driver. */
export interface DescriptorReader {
  /** Byte order of the ring: a driver of legacy devices uses the guest's own. */
  readonly little: boolean;
  read16(address: number): number;
  read32(address: number): number;
  /** As a number; what is beyond 2^53 is not exact, and beyond storage in any case. */
  read64(address: number): number;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  /** Interlocked with the driver's accesses; a halfword at an even address. */
  load16(address: number): number;
  store16(address: number, value: number): void;
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);

export function descriptorReader(storage: Storage, little: boolean): DescriptorReader {
  return little
    ? {
        little,
        read16: address => storage.read16le(address),
        read32: address => storage.read32le(address),
        read64: address => storage.read32le(address + 4) * 2 ** 32 + storage.read32le(address),
        write16: (address, value) => storage.write16le(address, value),
        write32: (address, value) => storage.write32le(address, value),
        load16: address => swap16(storage.load16(address)),
        store16: (address, value) => storage.store16(address, swap16(value)),
      }
    : {
        little,
        read16: address => storage.read16(address),
        read32: address => storage.read32(address),
        read64: address => storage.read32(address) * 2 ** 32 + storage.read32(address + 4),
        write16: (address, value) => storage.write16(address, value),
        write32: (address, value) => storage.write32(address, value),
        load16: address => storage.load16(address),
        store16: (address, value) => storage.store16(address, value),
      };
}

/** Collects the pieces of a chain. Its methods throw a QueueError for what no driver may do. */
export class ChainBuilder {
  readonly #storage: Storage;
  readonly #readable: Span;
  readonly #writable: Span;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#readable = new Span(storage);
    this.#writable = new Span(storage);
  }

  add(address: number, length: number, flags: number): void {
    if (length === 0) throw new QueueError('zero sized buffers are not allowed');
    if (!this.#storage.contains(address, length)) {
      throw new QueueError(`buffer of ${length} bytes at 0x${address.toString(16)} is not in storage`);
    }
    const writable = (flags & DESCRIPTOR_WRITE) !== 0;
    if (!writable && this.#writable.length > 0) throw new QueueError('Incorrect order for descriptors');
    const pieces = this.#readable.lengths.length + this.#writable.lengths.length;
    if (pieces >= MOST_PIECES) throw new QueueError('Looped descriptor');
    if (this.#readable.length + this.#writable.length + length > MOST_BYTES) {
      throw new QueueError('buffer of more than 4 GiB');
    }
    (writable ? this.#writable : this.#readable).add(address, length);
  }

  chain(id: number, count: number): Chain {
    return new Chain(id, count, this.#readable, this.#writable);
  }
}

/** Number of descriptors in an indirect table. @throws QueueError */
export function tableSize(storage: Storage, address: number, length: number): number {
  if (length === 0 || length % DESCRIPTOR_SIZE !== 0) {
    throw new QueueError(`Invalid size for indirect buffer table: ${length}`);
  }
  if (!storage.contains(address, length)) throw new QueueError('Cannot map indirect buffer');
  return length / DESCRIPTOR_SIZE;
}
