/** Buffers that a driver has made available: chains of pieces of guest storage. */

import type { Storage } from '../../machine/storage.ts';

/** The ring is not what the specification demands; the device cannot go on until it is reset. */
export class QueueError extends Error {}

/** Pieces of guest storage that count as one. Offsets beyond the length throw a RangeError. */
export class Span {
  readonly addresses: number[] = [];
  readonly lengths: number[] = [];
  /** Bytes. */
  length = 0;
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  add(address: number, length: number): void {
    this.addresses.push(address);
    this.lengths.push(length);
    this.length += length;
  }

  /** Calls `work` for each piece of a range. */
  #pieces(offset: number, length: number, work: (address: number, length: number) => void): void {
    if (offset < 0 || length < 0 || offset + length > this.length) throw new RangeError('beyond the end of a buffer');
    let skip = offset;
    let left = length;
    for (let n = 0; left > 0; n++) {
      const size = this.lengths[n]!;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const count = Math.min(size - skip, left);
      work(this.addresses[n]! + skip, count);
      skip = 0;
      left -= count;
    }
  }

  /** Copies a range into the storage's staging buffer, at an offset there. */
  stage(offset: number, length: number, staged = 0): void {
    let to = staged;
    this.#pieces(offset, length, (address, count) => {
      this.#storage.stage(address, count, to);
      to += count;
    });
  }

  /** Fills a range from the staging buffer. */
  unstage(offset: number, length: number, staged = 0): void {
    let from = staged;
    this.#pieces(offset, length, (address, count) => {
      this.#storage.unstage(address, count, from);
      from += count;
    });
  }

  /** A copy of a range, of no more bytes than the staging buffer has. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.stage(offset, length);
    return this.#storage.staging.slice(0, length);
  }

  /** Writes no more bytes than the staging buffer has. */
  write(offset: number, data: Uint8Array): void {
    this.#storage.staging.set(data);
    this.unstage(offset, data.length);
  }

  write8(offset: number, value: number): void {
    this.#pieces(offset, 1, address => this.#storage.write8(address, value));
  }
}

/** One buffer, from `Virtqueue.pop` until it is given back with `Virtqueue.push`. */
export class Chain {
  /** By which the driver knows it again. */
  readonly id: number;
  /** How many descriptors of the ring it takes. */
  readonly count: number;
  /** What the driver has written for the device. */
  readonly readable: Span;
  /** What the device may fill. */
  readonly writable: Span;

  constructor(id: number, count: number, readable: Span, writable: Span) {
    this.id = id;
    this.count = count;
    this.readable = readable;
    this.writable = writable;
  }
}
