/**
 * COMPRESSION CALL (PoP ch. 7; "ESA/390 Data Compression", SA22-7208): strings of characters become index symbols by a
 * dictionary that is a tree, and come out of them again. A unit of operation is one symbol: when an exception ends the
 * instruction, the registers tell of the symbols before it.
 */

import type { Space } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import type { Millicode } from '../isa/insn.ts';
import { DATA, ProgramInterruption } from '../program.ts';
import { RegisterOperand, repeat, specify } from './pairs.ts';

const [END_OF_SOURCE, END_OF_RESULT] = [0, 1];
/** Characters of a symbol, and children of an entry, at most. */
const MOST = 260;
/** Entries of the expansion dictionary for one symbol, at most. */
const MOST_ENTRIES = 127;
/** With zero padding, the result is filled up to a multiple of this: a choice of the machine. */
const PADDING = 256;
/** Nothing in one execution comes near this many bytes. */
const MANY = 1n << 40n;

/** @throws ProgramInterruption data exception unless the condition holds */
const valid = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(DATA);
};

/** Bytes to be fetched from an address on, for the time of one execution: each page is translated once. */
class Area {
  readonly #cpu: Cpu;
  readonly #register: number;
  readonly #base: bigint;
  readonly #offset: number;
  /** Halves of the base; the left one does not change while the sum with an offset is below 2 GiB. */
  readonly #low: number;
  readonly #high: number;
  /** Absolute addresses of the pages, from that of the first byte on. */
  readonly #pages: number[] = [];
  #space: Space | undefined;

  /** @param register the access register that goes with it */
  constructor(cpu: Cpu, register: number, address: bigint) {
    this.#cpu = cpu;
    this.#register = register;
    this.#base = address & ~0xfffn;
    this.#offset = Number(address & 0xfffn);
    this.#low = Number(this.#base & 0xffff_ffffn);
    this.#high = Number(BigInt.asIntN(32, address >> 32n));
  }

  get #inSpace(): Space {
    this.#space ??= this.#cpu.access.space(this.#register);
    return this.#space;
  }

  #page(page: number): number {
    const known = this.#pages[page];
    if (known !== undefined) return known;
    const { access, addressMask } = this.#cpu;
    const address = (this.#base + BigInt(page) * 4096n) & addressMask;
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const absolute = access.locate(this.#inSpace, low, high, false, 4096);
    this.#pages[page] = absolute;
    return absolute;
  }

  byte(at: number): number {
    const offset = this.#offset + at;
    return this.#cpu.u8[this.#cpu.layout.top - 1 - this.#page(offset >>> 12) - (offset & 0xfff)]!;
  }

  /** A word on a word boundary. */
  word(at: number): number {
    const offset = this.#offset + at;
    return this.#cpu.u32[(this.#cpu.layout.top - 4 - this.#page(offset >>> 12) - (offset & 0xfff)) >>> 2]!;
  }

  store(at: number, bytes: ArrayLike<number>): void {
    const { access, u8, layout } = this.#cpu;
    const offset = this.#offset + at;
    const low = this.#low + offset;
    if ((offset & 0xfff) + bytes.length > 4096 || low > 0x7fff_ffff) {
      access.writeBytesIn(this.#inSpace, this.#base + BigInt(offset), bytes);
      return;
    }
    const absolute = access.locate(this.#inSpace, low, this.#high, true, bytes.length);
    for (let n = 0; n < bytes.length; n++) u8[layout.top - 1 - absolute - n] = bytes[n]!;
    access.stored(absolute, bytes.length);
  }
}

/** One execution; what both directions have in common. */
abstract class Call {
  readonly #cpu: Cpu;
  readonly #to: RegisterOperand;
  readonly #from: RegisterOperand;
  readonly #pads: boolean;
  readonly result: Area;
  readonly source: Area;
  readonly dictionary: Area;
  /** Bits of a symbol: 9 to 13. */
  readonly bits: number;
  /** Bytes of the operands. */
  readonly room: number;
  readonly length: number;
  /** Bytes done with. */
  written = 0;
  read = 0;
  /** Compressed-data bit number: where in its byte the next symbol begins. */
  bit: number;

  constructor(cpu: Cpu, r1: number, r2: number) {
    const control = cpu.gr32(0);
    const place = cpu.gr(1) & cpu.addressMask;
    this.#cpu = cpu;
    this.#to = new RegisterOperand(cpu, r1);
    this.#from = new RegisterOperand(cpu, r2);
    this.#pads = (control & 0x20000) !== 0;
    this.result = new Area(cpu, r1, this.#to.address);
    this.source = new Area(cpu, r2, this.#from.address);
    this.dictionary = new Area(cpu, r2, place & ~0xfffn);
    this.bits = 8 + ((control >>> 12) & 15);
    this.bit = Number(place & 7n);
    const limited = ({ length }: RegisterOperand): number => Number(length < MANY ? length : MANY);
    this.room = limited(this.#to);
    this.length = limited(this.#from);
  }

  /** Does one symbol; a condition code when there is none, or no room for one. */
  protected abstract unit(): number | undefined;
  /** Where the result ends, a byte in part included. */
  protected abstract end(): number;

  run(): void {
    const save = (): void => {
      this.#to.advance(this.written);
      this.#to.save();
      this.#from.advance(this.read);
      this.#from.save();
      this.#cpu.setGr32(1, (this.#cpu.gr32(1) & ~7) | this.bit);
    };
    const unit = (): number | undefined => this.unit();
    const { address } = this.#to;
    repeat(this.#cpu, unit, save);
    if (this.#pads) this.#pad(Number(address & 0xfffn));
  }

  /** Behind something that has been stored, up to the boundary: padding brings no exceptions. */
  #pad(offset: number): void {
    const at = this.end();
    const count = -(offset + at) & (PADDING - 1);
    if (this.written && count && this.room - at >= count) this.result.store(at, new Uint8Array(count));
  }
}

/** A byte of a doubleword in two halves. */
const byteOf = (high: number, low: number, n: number): number => ((n < 4 ? high : low) >>> (24 - 8 * (n & 3))) & 0xff;

/** Additional extension characters of a character entry. */
function extensionOf(high: number): number {
  const children = high >>> 29;
  const count = (high >>> 21) & (children < 2 ? 7 : 1);
  valid(children < 2 ? count <= 4 : children + count <= 6);
  return count;
}

class Compression extends Call {
  readonly #format1: boolean;
  /** Offset of the symbol-translation table in the dictionary. */
  readonly #translation: number | undefined;
  /** The character entry that the source has led to, its index, and the characters that it stands for. */
  #high = 0;
  #low = 0;
  #symbol = 0;
  #used = 0;

  constructor(cpu: Cpu, r1: number, r2: number) {
    super(cpu, r1, r2);
    const control = cpu.gr32(0);
    this.#format1 = (control & 0x200) !== 0;
    this.#translation = control & 0x10000 ? ((cpu.gr32(1) & 0xff8) >>> 3) * 128 : undefined;
  }

  protected end(): number {
    return this.written + (this.bit ? 1 : 0);
  }

  protected unit(): number | undefined {
    if (this.read === this.length) return END_OF_SOURCE;
    if ((this.room - this.written) * 8 - this.bit < this.bits) return END_OF_RESULT;
    this.#used = 0;
    this.#enter(this.source.byte(this.read), 0);
    while (this.#descend()) valid(this.#used <= MOST);
    valid(this.#used <= MOST);
    this.#put(this.#symbol);
    this.read += this.#used;
    return undefined;
  }

  /** Makes an entry the current one, if the source goes on with its extension characters. */
  #enter(index: number, extension?: number): boolean {
    const high = this.dictionary.word(8 * index);
    const low = this.dictionary.word(8 * index + 4);
    const count = extensionOf(high);
    const length = extension ?? count;
    const begin = this.read + this.#used + 1;
    if (begin + length > this.length) return false;
    for (let n = 0; n < length; n++) if (this.source.byte(begin + n) !== byteOf(high, low, 3 + n)) return false;
    this.#high = high;
    this.#low = low;
    this.#take(index, 1 + length);
    return true;
  }

  #take(index: number, characters: number): void {
    this.#symbol = index;
    this.#used += characters;
  }

  /** Goes on to a child with the next character of the source; false when the symbol has been found. */
  #descend(): boolean {
    const high = this.#high;
    const low = this.#low;
    const extension = extensionOf(high);
    const count = high >>> 29;
    if (!count || this.read + this.#used === this.length) return false;
    const next = this.source.byte(this.read + this.#used);
    const pointer = (high >>> 8) & 0x1fff;
    const hasSiblings = count > 1 && count + extension === 6;
    const own = hasSiblings ? count - 1 : count;
    // If the extension characters of the first child do not follow, others with the same character are tried.
    let alike = 0;
    for (let n = 0; n < own; n++) {
      if (byteOf(high, low, 3 + extension + n) !== next) {
        if (alike) return false;
        continue;
      }
      if (!(high & (0x1000_0000 >>> n))) {
        this.#take(pointer + n, 1);
        return false;
      }
      if (this.#enter(pointer + n)) return true;
      if (alike++ < n) return false;
    }
    return !alike && hasSiblings && this.#descendToSibling(next, pointer + own, own);
  }

  /** @param descriptor index of the first sibling descriptor */
  #descendToSibling(next: number, descriptor: number, children: number): boolean {
    const format1 = this.#format1;
    const parent = this.#high;
    for (let isFirst = true; ; isFirst = false) {
      const high = this.dictionary.word(8 * descriptor);
      const low = this.dictionary.word(8 * descriptor + 4);
      const stated = high >>> (format1 ? 28 : 29);
      valid(stated !== 0 || !format1);
      const goesOn = stated === (format1 ? 15 : 0);
      const count = goesOn ? (format1 ? 14 : 7) : stated;
      const bits = format1 ? 12 : 5;
      for (let n = 0; n < count; n++) {
        valid(++children <= MOST);
        if (this.#siblingCharacter(high, low, descriptor, n) !== next) continue;
        // Examine bits of the last two are in the parent, if this is its first descriptor.
        const isExamined =
          n < bits
            ? high & ((format1 ? 0x0800_0000 : 0x1000_0000) >>> n)
            : !isFirst || parent & (0x80_0000 >>> (n - bits));
        if (isExamined) return this.#enter(descriptor + n + 1);
        this.#take(descriptor + n + 1, 1);
        return false;
      }
      if (!goesOn) return false;
      descriptor += count + 1;
    }
  }

  /** Of format 1, the characters from the seventh on are in the second dictionary. */
  #siblingCharacter(high: number, low: number, descriptor: number, n: number): number {
    if (!this.#format1) return byteOf(high, low, 1 + n);
    return n < 6 ? byteOf(high, low, 2 + n) : this.dictionary.byte((8 << this.bits) + 8 * descriptor + n - 6);
  }

  #put(index: number): void {
    let symbol = index;
    if (this.#translation !== undefined) {
      const at = this.#translation + 2 * index;
      symbol = (this.dictionary.byte(at) << 8) | this.dictionary.byte(at + 1);
    }
    symbol &= (1 << this.bits) - 1;
    const end = this.bit + this.bits;
    const kept = this.bit ? this.result.byte(this.written) & (0xff00 >>> this.bit) : 0;
    const three = (kept << 16) | (symbol << (24 - end));
    const bytes = [three >>> 16, (three >>> 8) & 0xff];
    if (end > 16) bytes.push(three & 0xff);
    this.result.store(this.written, bytes);
    this.written += end >>> 3;
    this.bit = end & 7;
  }
}

class Expansion extends Call {
  protected end(): number {
    return this.written;
  }

  protected unit(): number | undefined {
    const left = this.length - this.read;
    const end = this.bit + this.bits;
    if (left * 8 < end) return END_OF_SOURCE;
    if (this.written === this.room) return END_OF_RESULT;
    const byte = (n: number): number => this.source.byte(this.read + n);
    const three = (byte(0) << 16) | (byte(1) << 8) | (end > 16 ? byte(2) : 0);
    const characters = this.#expand((three >>> (24 - end)) & ((1 << this.bits) - 1));
    if (!characters) return END_OF_RESULT;
    this.result.store(this.written, characters);
    this.written += characters.length;
    this.read += end >>> 3;
    this.bit = end & 7;
    return undefined;
  }

  /** The characters of a symbol; undefined when there is no room for them. */
  #expand(symbol: number): ArrayLike<number> | undefined {
    if (symbol < 256) return [symbol];
    let characters: Uint8Array | undefined;
    let high = this.dictionary.word(8 * symbol);
    let low = this.dictionary.word(8 * symbol + 4);
    for (let entries = 1; high >>> 29; entries++) {
      // Preceded: an offset, up to five characters, and the index of what comes before.
      const count = high >>> 29;
      valid(count <= 5 && entries < MOST_ENTRIES);
      const offset = low & 0xff;
      characters ??= this.#characters(offset + count);
      if (!characters) return undefined;
      for (let n = 0; n < count; n++) characters[offset + n] = byteOf(high, low, 2 + n);
      const index = (high >>> 16) & 0x1fff;
      high = this.dictionary.word(8 * index);
      low = this.dictionary.word(8 * index + 4);
    }
    const count = (high >>> 24) & 7;
    valid(count !== 0 && (high & 0x1800_0000) === 0);
    characters ??= this.#characters(count);
    for (let n = 0; characters && n < count; n++) characters[n] = byteOf(high, low, 1 + n);
    return characters;
  }

  #characters(length: number): Uint8Array | undefined {
    return length <= this.room - this.written ? new Uint8Array(length) : undefined;
  }
}

/** COMPRESSION CALL: what general register 0 asks for, with the dictionary of general register 1. */
export const compressionCall: Millicode = (cpu, { r1, r2 }) => {
  const control = cpu.gr32(0);
  const size = (control >>> 12) & 15;
  specify(r1! % 2 === 0 && r2! % 2 === 0 && size >= 1 && size <= 5);
  const call = control & 0x100 ? new Expansion(cpu, r1!, r2!) : new Compression(cpu, r1!, r2!);
  call.run();
};
