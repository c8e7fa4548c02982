/**
 * Absolute storage: the one door through which everything but the CPUs' own instructions reaches guest storage.
 * Storage is kept backwards (docs/architecture.md), which nobody outside this file and the engine needs to know.
 * All addresses are absolute; all numbers are big-endian in storage. Accesses beyond the end throw a RangeError:
 * callers check with `contains` and answer as their interface demands.
 */

import type { Layout } from '../cpu/state.ts';
import { type Reversal, reversal, STAGING } from './reversal.ts';
import { StandbyMap } from './standby-storage.ts';

export class Storage {
  /** Bytes, those in standby included. */
  readonly size: number;
  readonly layout: Layout;
  readonly memory: WebAssembly.Memory;
  readonly #top: number;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView<SharedArrayBuffer>;
  readonly #words: Int32Array;
  readonly #halfwords: Uint16Array;
  #reversal: Reversal | undefined;
  readonly #standby: StandbyMap;
  /** Told of every range that is written, for those who keep copies of instructions. */
  #written: (address: number, length: number) => void = () => {};

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    const buffer = memory.buffer as unknown as SharedArrayBuffer;
    this.size = layout.storageSize;
    this.layout = layout;
    this.memory = memory;
    this.#top = layout.top;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#words = new Int32Array(buffer);
    this.#halfwords = new Uint16Array(buffer);
    this.#standby = new StandbyMap(memory, layout);
  }

  /** Sets who is told of writes, after they are done. */
  onWrite(written: (address: number, length: number) => void): void {
    this.#written = written;
  }

  /** Whether all of the range is there for software. */
  contains(address: number, length: number): boolean {
    const end = address + length;
    if (address < 0 || length < 0 || end > this.size) return false;
    return end <= this.layout.coreSize || this.#standby.contains(Math.max(address, this.layout.coreSize), end);
  }

  #at(address: number, length: number): number {
    if (!(address >= 0 && length >= 0 && address + length <= this.size)) {
      throw new RangeError(`absolute address ${address.toString(16)} is beyond the end of storage`);
    }
    return this.#top - address - length;
  }

  /** Whether a range of doublewords is all zero. */
  isZero(address: number, length: number): boolean {
    const words = this.#words;
    const first = this.#at(address, length) / 4;
    for (let n = first; n < first + length / 4; n += 2) if (words[n]! | words[n + 1]!) return false;
    return true;
  }

  read8(address: number): number {
    return this.#bytes[this.#at(address, 1)]!;
  }
  read16(address: number): number {
    return this.#view.getUint16(this.#at(address, 2), true);
  }
  read32(address: number): number {
    return this.#view.getUint32(this.#at(address, 4), true);
  }
  read64(address: number): bigint {
    return this.#view.getBigUint64(this.#at(address, 8), true);
  }

  write8(address: number, value: number): void {
    this.#bytes[this.#at(address, 1)] = value;
    this.#written(address, 1);
  }
  write16(address: number, value: number): void {
    this.#view.setUint16(this.#at(address, 2), value, true);
    this.#written(address, 2);
  }
  write32(address: number, value: number): void {
    this.#view.setUint32(this.#at(address, 4), value, true);
    this.#written(address, 4);
  }
  write64(address: number, value: bigint): void {
    this.#view.setBigUint64(this.#at(address, 8), value, true);
    this.#written(address, 8);
  }

  // Little-endian numbers, as devices of other architectures have them in storage.

  read16le(address: number): number {
    return this.#view.getUint16(this.#at(address, 2), false);
  }
  read32le(address: number): number {
    return this.#view.getUint32(this.#at(address, 4), false);
  }
  write16le(address: number, value: number): void {
    this.#view.setUint16(this.#at(address, 2), value, false);
    this.#written(address, 2);
  }
  write32le(address: number, value: number): void {
    this.#view.setUint32(this.#at(address, 4), value, false);
    this.#written(address, 4);
  }

  // Halfwords that CPUs and devices tell each other by: sequentially consistent, at even addresses.

  load16(address: number): number {
    return Atomics.load(this.#halfwords, this.#at(address, 2) >>> 1);
  }
  store16(address: number, value: number): void {
    Atomics.store(this.#halfwords, this.#at(address, 2) >>> 1, value);
    this.#written(address, 2);
  }

  /** Sets bits of a byte, interlocked. @returns the byte before */
  or8(address: number, bits: number): number {
    const before = Atomics.or(this.#bytes, this.#at(address, 1), bits);
    this.#written(address, 1);
    return before;
  }

  // Bulk copies

  get #staged(): Reversal {
    return (this.#reversal ??= reversal(this.memory));
  }

  /** A buffer of this thread, of STAGING bytes, between which and storage `stage` and `unstage` copy. */
  get staging(): Uint8Array<ArrayBuffer> {
    return this.#staged.staging;
  }

  /** Copies from storage into the staging buffer at an offset. */
  stage(address: number, length: number, offset: number): void {
    if (!(offset + length <= STAGING)) throw new RangeError('beyond the staging buffer');
    this.#staged.fromGuest(this.#at(address, length), offset, length);
  }

  /** Copies into storage what is in the staging buffer at an offset. */
  unstage(address: number, length: number, offset: number): void {
    if (!(offset + length <= STAGING)) throw new RangeError('beyond the staging buffer');
    this.#staged.toGuest(offset, this.#at(address, length), length);
    this.#written(address, length);
  }

  /** A copy of `length` bytes. */
  read(address: number, length: number): Uint8Array<ArrayBuffer> {
    const at = this.#at(address, length);
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(at, at + length));
    return copy.reverse();
  }

  write(address: number, data: ArrayLike<number>): void {
    const at = this.#at(address, data.length);
    this.#bytes.set(Uint8Array.from(data).reverse(), at);
    this.#written(address, data.length);
  }

  fill(address: number, length: number, value: number): void {
    const at = this.#at(address, length);
    this.#bytes.fill(value, at, at + length);
    this.#written(address, length);
  }
}
