/**
 * Storage as an instruction in millicode sees it: logical addresses, in the space that the PSW and the operand's base
 * register select, cut to the addressing mode, with all the checks that DAT and protection bring. Every function throws
 * an AccessFault where the access causes an interruption. A write that spans pages is checked on all of them before it
 * begins.
 */

import type { Cpu } from './cpu.ts';
import { ACCESS_REGISTER, type AccessFault, withRegister } from './dat.ts';
import { ACCESS_STORE } from './engine/protocol.ts';
import * as state from './state.ts';

const low32 = (value: bigint): number => Number(BigInt.asIntN(32, value));
const high32 = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

/** A space for accesses: the TLB context and what a fault in it is to report. */
export interface Space {
  readonly context: number;
  /** ACCESS_* bits that go with each access: accessTo(space), withRegister(n). */
  readonly how: number;
  /** Cuts addresses; without it the addressing mode does. */
  readonly mask?: bigint;
}

export class LogicalAccess {
  readonly #cpu: Cpu;
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;
  readonly #top: number;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#i32 = cpu.i32;
    this.#u8 = cpu.u8;
    this.#top = cpu.layout.top;
  }

  #fault(): AccessFault {
    return this.#cpu.dat.fault();
  }

  /** The space of an operand with this base register. */
  space(base: number): Space {
    const { dat } = this.#cpu;
    if (!dat.dat || dat.addressSpaceControl !== ACCESS_REGISTER) {
      return { context: this.#cpu.field32(state.DATA_CONTEXT), how: 0 };
    }
    const context = dat.accessRegisterContext(base);
    if (context < 0) throw this.#fault();
    return { context, how: withRegister(base) };
  }

  /** Real storage. */
  real(): Space {
    return { context: this.#cpu.dat.realContext(), how: 0 };
  }

  /** Absolute address for an access of `length` bytes, on one page. */
  locate(space: Space, low: number, high: number, store: boolean, length: number): number {
    const { context } = space;
    const i32 = this.#i32;
    const entry = (context + ((low >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    const tag = store ? entry + 2 : entry;
    if (i32[tag] === (low & ~0xfff) && i32[tag + 1] === high) {
      return (this.#top - state.BIAS - i32[entry + 6]! + low) >>> 0;
    }
    const { dat } = this.#cpu;
    const how = store ? space.how | ACCESS_STORE : space.how;
    const absolute = dat.fill(context, low, high, how);
    if (absolute < 0) throw this.#fault();
    if (dat.recorded) this.#cpu.per.accessed(low, high, length, how);
    return absolute;
  }

  /** Absolute address of an operand of `length` bytes on one page. */
  absolute(address: bigint, base: number, store: boolean, length: number): number {
    return this.#absolute(this.space(base), address, store, length);
  }

  #absolute(space: Space, address: bigint, store: boolean, length: number): number {
    const cut = address & (space.mask ?? this.#cpu.addressMask);
    return this.locate(space, low32(cut), high32(cut), store, length);
  }

  /** Calls `visit` for each part of a range that lies on one page, after all of them have been checked. */
  #parts(
    space: Space,
    address: bigint,
    length: number,
    store: boolean,
    visit: (absolute: number, done: number, part: number) => void,
  ): void {
    const found: number[] = [];
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const part = Math.min(length - done, 4096 - Number(at & 0xfffn));
      found.push(this.#absolute(space, at, store, part), done, part);
      done += part;
    }
    for (let n = 0; n < found.length; n += 3) visit(found[n]!, found[n + 1]!, found[n + 2]!);
  }

  /** Whether `length` bytes can be accessed; throws if not. */
  probe(address: bigint, length: number, base: number, store: boolean): void {
    this.#parts(this.space(base), address, length, store, () => {});
  }

  probeIn(space: Space, address: bigint, length: number, store: boolean): void {
    this.#parts(space, address, length, store, () => {});
  }

  /** Bytes in the order of their addresses. */
  readBytes(address: bigint, length: number, base: number): Uint8Array<ArrayBuffer> {
    return this.readBytesIn(this.space(base), address, length);
  }
  readBytesIn(space: Space, address: bigint, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#parts(space, address, length, false, (absolute, done, part) => {
      for (let n = 0, at = this.#top - absolute - 1; n < part; n++) bytes[done + n] = this.#u8[at - n]!;
    });
    return bytes;
  }

  writeBytes(address: bigint, bytes: ArrayLike<number>, base: number): void {
    this.writeBytesIn(this.space(base), address, bytes);
  }
  writeBytesIn(space: Space, address: bigint, bytes: ArrayLike<number>): void {
    this.#parts(space, address, bytes.length, true, (absolute, done, part) => {
      for (let n = 0, at = this.#top - absolute - 1; n < part; n++) this.#u8[at - n] = bytes[done + n]!;
      this.stored(absolute, part);
    });
  }

  /** To be told after a store to absolute storage within one frame. */
  stored(absolute: number, length: number): void {
    const { code } = this.#cpu;
    if (code.isCode(absolute - (absolute & 0xfff))) code.note(absolute, length);
  }

  /** Words at an address that is a multiple of four, in its order, as signed numbers. */
  readWords(address: bigint, count: number, base: number): Int32Array {
    const words = new Int32Array(count);
    this.#parts(this.space(base), address, count * 4, false, (absolute, done, part) => {
      for (let n = 0, at = (this.#top - absolute - 4) >>> 2; n < part; n += 4)
        words[(done + n) >>> 2] = this.#i32[at--]!;
    });
    return words;
  }

  writeWords(address: bigint, words: ArrayLike<number>, base: number): void {
    this.#parts(this.space(base), address, words.length * 4, true, (absolute, done, part) => {
      for (let n = 0, at = (this.#top - absolute - 4) >>> 2; n < part; n += 4)
        this.#i32[at--] = words[(done + n) >>> 2]!;
      this.stored(absolute, part);
    });
  }

  /**
   * Moves bytes between two spaces, from left to right page by page; all pages are checked first. The operands do not
   * overlap destructively, or in a way that does not matter. Addresses are given as two halves each.
   */
  move(to: Space, toLow: number, toHigh: number, from: Space, fromLow: number, fromHigh: number, length: number): void {
    if ((toLow & 0xfff) + length <= 4096 && (fromLow & 0xfff) + length <= 4096) {
      const source = this.locate(from, fromLow, fromHigh, false, length);
      this.#copy(this.locate(to, toLow, toHigh, true, length), source, length);
      return;
    }
    const mask = this.#i32.subarray((this.#cpu.base + state.ADDRESS_MASK) >>> 2);
    const found: number[] = [];
    for (let done = 0; done < length; ) {
      const here = (toLow >>> 0) + done;
      const there = (fromLow >>> 0) + done;
      const part = Math.min(length - done, 4096 - (here & 0xfff), 4096 - (there & 0xfff));
      const carried = (address: number, high: number): number => (high + (address > 0xffff_ffff ? 1 : 0)) & mask[1]!;
      const source = this.locate(from, there & mask[0]!, carried(there, fromHigh), false, part);
      found.push(this.locate(to, here & mask[0]!, carried(here, toHigh), true, part), source, part);
      done += part;
    }
    for (let n = 0; n < found.length; n += 3) this.#copy(found[n]!, found[n + 1]!, found[n + 2]!);
  }

  moveBetween(to: Space, destination: bigint, from: Space, source: bigint, length: number): void {
    const { addressMask } = this.#cpu;
    const target = destination & addressMask;
    const origin = source & addressMask;
    this.move(to, low32(target), high32(target), from, low32(origin), high32(origin), length);
  }

  #copy(to: number, from: number, length: number): void {
    const at = this.#top - from - length;
    this.#u8.copyWithin(this.#top - to - length, at, at + length);
    this.stored(to, length);
  }

  read8(address: bigint, base: number): number {
    return this.#u8[this.#top - 1 - this.#absolute(this.space(base), address, false, 1)]!;
  }
  read16(address: bigint, base: number): number {
    return Number(this.#read(address, 2, base));
  }
  read32(address: bigint, base: number): number {
    return Number(this.#read(address, 4, base));
  }
  read64(address: bigint, base: number): bigint {
    return this.#read(address, 8, base);
  }

  #read(address: bigint, size: 2 | 4 | 8, base: number): bigint {
    return this.readIn(this.space(base), address, size);
  }

  readIn(space: Space, address: bigint, size: 2 | 4 | 8): bigint {
    if ((Number(address & 0xfffn) & (size - 1)) === 0) {
      const at = this.#top - size - this.#absolute(space, address, false, size);
      if (size === 8) return this.#cpu.u64[at / 8]!;
      if (size === 4) return BigInt(this.#cpu.u32[at / 4]!);
    }
    return this.readBytesIn(space, address, size).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  write8(address: bigint, value: number, base: number): void {
    const absolute = this.#absolute(this.space(base), address, true, 1);
    this.#u8[this.#top - 1 - absolute] = value;
    this.stored(absolute, 1);
  }
  write16(address: bigint, value: number, base: number): void {
    this.writeIn(this.space(base), address, 2, BigInt(value));
  }
  write32(address: bigint, value: number, base: number): void {
    this.writeIn(this.space(base), address, 4, BigInt(value));
  }
  write64(address: bigint, value: bigint, base: number): void {
    this.writeIn(this.space(base), address, 8, value);
  }

  writeIn(space: Space, address: bigint, size: 2 | 4 | 8, value: bigint): void {
    if (size === 2 || (Number(address & 0xfffn) & (size - 1)) !== 0) {
      const bytes = Array.from({ length: size }, (_, n) => Number((value >> BigInt(8 * (size - 1 - n))) & 0xffn));
      this.writeBytesIn(space, address, bytes);
      return;
    }
    const absolute = this.#absolute(space, address, true, size);
    const at = this.#top - size - absolute;
    if (size === 8) this.#cpu.u64[at / 8] = value;
    else this.#cpu.u32[at / 4] = Number(value);
    this.stored(absolute, size);
  }
}
