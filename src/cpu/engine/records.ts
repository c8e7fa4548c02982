/**
 * Records: predecoded instructions as the interpreter reads them. A record is eight bytes: the number of the handler in
 * the first two, the operand fields in the others, each where one load finds it. Register numbers are multiplied by the
 * size of a register; a base or index of zero is the number 16, whose register always holds zero. What an instruction's
 * fields are and where they stand in its text is the format's matter (isa/formats.ts); this is where they stand here.
 */

import { loadOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { bitsOf, signExtend } from '../isa/decode.ts';
import { type Field, type Format, isLeftPart, leftPart } from '../isa/formats.ts';
import type { Operands } from '../isa/insn.ts';

export const RECORD_SIZE = 8;
const HANDLER_BITS = 16;
/** Stands for register 0 as a base or index. */
const NO_REGISTER = 16;

/** Where a field is in the record: bits counted from the lowest of the first byte. */
export interface RecordField {
  readonly bit: number;
  readonly bits: number;
  readonly signed: boolean;
  /** The value is multiplied by 1 << scale. */
  readonly scale: number;
  /** Zero stands as NO_REGISTER. */
  readonly address: boolean;
}

/** Size of a register of the bank that a field's letter means, as a power of two. */
const bankScale = (name: string): number => ({ r: 3, b: 3, x: 3, c: 3, f: 4, a: 2 })[name[0]!] ?? 0;

const layouts = new Map<Format, ReadonlyMap<string, RecordField>>();

/** The layout of records for a format: its fields by name, displacements joined. */
export function recordLayout(format: Format): ReadonlyMap<string, RecordField> {
  let layout = layouts.get(format);
  if (!layout) layouts.set(format, (layout = planRecord(format)));
  return layout;
}

function planRecord(format: Format): ReadonlyMap<string, RecordField> {
  const all = Object.entries(format.fields)
    .filter(([name]) => !isLeftPart(name))
    .map(([name, [, width]]) => ({ name, width: width + (format.fields[leftPart(name)]?.[1] ?? 0) }));
  // Whole bytes if they fit; else displacements of 12 bits, and at last numbers of four bits.
  const bytes = (width: number): number => Math.ceil(width / 8) * 8;
  const tight = (width: number): number => (width === 12 ? 12 : bytes(width));
  const tightest = (width: number, name: string): number =>
    width === 12 || (width === 4 && !isAddress(name)) ? width : bytes(width);
  const room = 64 - HANDLER_BITS;
  const size = [bytes, tight, tightest].find(
    of => all.reduce((sum, { name, width }) => sum + of(width, name), 0) <= room,
  )!;
  const layout = new Map<string, RecordField>();
  let low = HANDLER_BITS;
  let high = 64;
  for (const { name, width } of all) {
    const bits = size(width, name);
    const bit = bits <= 8 ? low : high - bits;
    if (bits <= 8) low += bits;
    else high -= bits;
    const scale = bits === 8 ? bankScale(name) : 0;
    const signed = name[0] === 's' || name[0] === 'h' || width === 20;
    layout.set(name, { bit, bits, signed, scale, address: isAddress(name) });
  }
  return layout;
}

const isAddress = (name: string): boolean => name[0] === 'b' || name[0] === 'x';

/** How one operand field gets from an instruction's text into its record. */
interface Step extends RecordField {
  readonly name: string;
  readonly text: Field;
  /** The left part of a long displacement, or of the number of a vector register. */
  readonly textLeft: Field | undefined;
  /** Relative: a number of halfwords. */
  readonly relative: boolean;
}

/** Builds records of instructions of one format. */
export class RecordBuilder {
  readonly #steps: readonly Step[];
  readonly #values: Int32Array;
  readonly #relative: number;

  constructor(format: Format) {
    this.#steps = [...recordLayout(format)].map(([name, place]) => ({
      ...place,
      name,
      text: format.fields[name]!,
      textLeft: format.fields[leftPart(name)],
      relative: name[0] === 'h',
    }));
    this.#values = new Int32Array(this.#steps.length);
    this.#relative = this.#steps.findIndex(({ name }) => name === 'h2' || name === 'h4');
  }

  /** Takes the operands of an instruction that is left-aligned in 48 bits. */
  take(upper: number, lower: number): void {
    this.#steps.forEach(({ text, textLeft, signed }, n) => {
      let value = bitsOf(text, upper, lower);
      if (textLeft) value |= bitsOf(textLeft, upper, lower) << text[1];
      if (signed) value = signExtend(value, text[1] + (textLeft?.[1] ?? 0));
      this.#values[n] = value;
    });
  }

  /** Which of its values a field is, for `value`. */
  indexOf(name: string): number {
    return this.#steps.findIndex(step => step.name === name);
  }

  value(index: number): number {
    return this.#values[index]!;
  }

  /** Where a relative branch leads, in bytes from the instruction. */
  get distance(): number {
    return 2 * this.#values[this.#relative]!;
  }

  /**
   * Writes the record.
   * @param at index of its first word
   * @param near the target of a branch is on the same page: it is given as the distance of its record
   */
  write(u32: Uint32Array, at: number, handler: number, near: boolean): void {
    let low = handler;
    let high = 0;
    this.#steps.forEach(({ bit, bits, scale, address, relative }, n) => {
      let value = this.#values[n]!;
      if (address && value === 0) value = NO_REGISTER;
      value = near && relative ? value * RECORD_SIZE : value << scale;
      if (bits < 32) value &= 2 ** bits - 1;
      if (bit >= 32) high |= value << (bit - 32);
      else {
        low |= value << bit;
        if (bit + bits > 32) high |= value >>> (32 - bit);
      }
    });
    u32[at + 1] = high;
    u32[at] = low;
  }
}

const operandBuilders = new WeakMap<Format, { builder: RecordBuilder; names: readonly string[] }>();

/** All operand fields of an instruction that is left-aligned in 48 bits, as numbers; displacements joined. */
export function recordOperands(format: Format, upper: number, lower: number): Record<string, number> {
  let known = operandBuilders.get(format);
  if (!known) {
    known = { builder: new RecordBuilder(format), names: [...recordLayout(format).keys()] };
    operandBuilders.set(format, known);
  }
  const { builder, names } = known;
  builder.take(upper, lower);
  const operands: Record<string, number> = {};
  // Steps have the order of the layout.
  for (let n = 0; n < names.length; n++) operands[names[n]!] = builder.value(n);
  return operands;
}

/** Bytes of the smallest load that holds a field, and what is above and below the field in it. */
function loadOf({ bit, bits }: RecordField): { at: number; size: number; below: number; above: number } {
  const last = (bit + bits - 1) >>> 3;
  let at = bit >>> 3;
  const size = [1, 2, 4].find(n => n > last - at)!;
  at = Math.min(at, RECORD_SIZE - size);
  const below = bit - 8 * at;
  return { at, size, below, above: 8 * size - bits - below };
}

const LOADS_SIGNED = { 1: loadOp.i8s, 2: loadOp.i16s, 4: loadOp.i32 } as const;
const LOADS = { 1: loadOp.i8u, 2: loadOp.i16u, 4: loadOp.i32 } as const;
const LOADS64_SIGNED = { 1: 0x30, 2: 0x32, 4: 0x34 } as const;
const LOADS64 = { 1: 0x31, 2: 0x33, 4: 0x35 } as const;

/** The field of the record at `record`, as it stands there. */
export function readField(field: RecordField, record: I32): I32 {
  const { at, size, below, above } = loadOf(field);
  const n = size as 1 | 2 | 4;
  if (!below && !above) return x.load('i32', (field.signed ? LOADS_SIGNED : LOADS)[n], record, at);
  if (field.signed) {
    const value = i32.shl(x.load('i32', LOADS[n], record, at), 32 - 8 * n + above);
    return i32.shrS(value, 32 - field.bits);
  }
  const value = i32.shrU(x.load('i32', LOADS[n], record, at), below);
  return above ? i32.and(value, 2 ** field.bits - 1) : value;
}

/** As `readField`, extended to 64 bits. */
export function readField64(field: RecordField, record: I32): I64 {
  const { at, size, below, above } = loadOf(field);
  if (above) return field.signed ? i64.fromS(readField(field, record)) : i64.fromU(readField(field, record));
  const opcode = (field.signed ? LOADS64_SIGNED : LOADS64)[size as 1 | 2 | 4];
  const value = x.load('i64', opcode, record, at);
  return field.signed ? i64.shrS(value, below) : i64.shrU(value, below);
}

/** Operands that are cut out of a record when asked for: set the record's address first. Its users must not keep it. */
export abstract class RecordReader {
  at = 0;
}

const readers = new WeakMap<Uint8Array, Map<Format, RecordReader & Operands>>();

/** The reader of a format's records in this memory. */
export function recordReader(u8: Uint8Array, format: Format): RecordReader & Operands {
  let known = readers.get(u8);
  if (!known) readers.set(u8, (known = new Map()));
  let reader = known.get(format);
  if (!reader) {
    class Reader extends RecordReader {}
    for (const [name, field] of recordLayout(format)) {
      const { bits, signed, scale, address } = field;
      const { at, size, below } = loadOf(field);
      const get = function (this: Reader): number {
        let value = 0;
        for (let n = size; n-- > 0; ) value = (value << 8) | u8[this.at + at + n]!;
        value = (value << (32 - below - bits)) | 0;
        value = signed ? value >> (32 - bits) : value >>> (32 - bits);
        if (scale) value >>= scale;
        return address ? value & 15 : value;
      };
      Object.defineProperty(Reader.prototype, name, { get });
    }
    known.set(format, (reader = new Reader() as Reader & Operands));
  }
  return reader;
}
