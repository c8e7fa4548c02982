/** From instruction text to row, made from the rows themselves. */

import { type Field, type Format, isLeftPart, leftPart, suboperation } from './formats.ts';
import type { Instruction } from './insn.ts';

/** First byte and the extension of a row's operation code. */
export function operationCode({ opcode, format, mnemonic }: Instruction): {
  first: number;
  extension: number | undefined;
} {
  if (opcode <= 0xff) return { first: opcode, extension: undefined };
  // X'0101' to X'01FF' look like three digits, but no operation code of three digits begins with a one.
  const bits = suboperation(opcode > 0x1ff && opcode <= 0xfff ? opcode >> 4 : opcode >> 8)?.[1];
  if (!bits) throw new Error(`${mnemonic}: operation code ${opcode.toString(16)} does not suit format ${format.name}`);
  return { first: opcode >> bits, extension: opcode & ((1 << bits) - 1) };
}

/** Index by first byte, or by first byte and extension. */
export class Decoder<Row extends Instruction> {
  readonly #rows: (Row | undefined)[] = new Array(0x1_0000).fill(undefined);

  constructor(rows: readonly Row[]) {
    for (const row of rows) {
      const { first, extension } = operationCode(row);
      const key = (first << 8) | (extension ?? 0);
      const other = this.#rows[key];
      if (other) throw new Error(`${row.mnemonic} and ${other.mnemonic} have the same operation code`);
      this.#rows[key] = row;
    }
  }

  /** The row of an instruction that is left-aligned in 48 bits: its upper 16, its lower 32. */
  decode(upper: number, lower: number): Row | undefined {
    const first = upper >>> 8;
    const field = suboperation(first);
    return this.#rows[(first << 8) | (field ? bitsOf(field, upper, lower) : 0)];
  }
}

/** A field of an instruction that is left-aligned in 48 bits. */
export function bitsOf([position, bits]: Field, upper: number, lower: number): number {
  if (position + bits <= 16) return (upper >>> (16 - position - bits)) & ((1 << bits) - 1);
  if (position >= 16) {
    const value = lower >>> (48 - position - bits);
    return bits === 32 ? value : value & ((1 << bits) - 1);
  }
  const high = upper & ((1 << (16 - position)) - 1);
  const lowBits = position + bits - 16;
  return high * 2 ** lowBits + (lower >>> (32 - lowBits));
}

/** Sign-extended value of a field of `bits` bits. */
export const signExtend = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits);

/** All operands of an instruction: fields of two parts joined, long displacements, s and h fields signed. */
export function operandsOf(format: Format, upper: number, lower: number): Record<string, number> {
  const operands: Record<string, number> = {};
  for (const [name, field] of Object.entries(format.fields)) {
    if (isLeftPart(name)) continue;
    const raw = bitsOf(field, upper, lower);
    const left = format.fields[leftPart(name)];
    if (left) {
      const joined = (bitsOf(left, upper, lower) << field[1]) | raw;
      operands[name] = name[0] === 'd' ? signExtend(joined, 20) : joined;
    } else if (name[0] === 's' || name[0] === 'h') operands[name] = signExtend(raw, field[1]);
    else operands[name] = raw;
  }
  return operands;
}
