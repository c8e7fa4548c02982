/** Instruction text as one line of assembler language, in the style of objdump. */

import { Decoder, operandsOf } from './decode.ts';
import { instructionLength } from './formats.ts';
import type { Instruction, Operands } from './insn.ts';
import { type Extended, extendedMnemonics } from './mnemonics.ts';

const REGISTERS: Readonly<Record<string, string>> = { r: '%r', b: '%r', x: '%r', a: '%a', c: '%c', f: '%f', v: '%v' };

/** The operands of a syntax, commas within parentheses not counted: `r1`, `d2(x2,b2)`. */
export const operandsIn = (syntax: string): string[] => syntax.match(/[a-z]+\d(\([^)]*\))?/g) ?? [];

/**
 * How many operands at the end of the syntax may be left out when they are zero: masks that came to the instruction
 * later than the rest of it.
 */
export function optionalOperands({ mnemonic, format }: Instruction): number {
  // Hints of alignment; flags of string and floating-point instructions.
  if (/^(VLM?|VSTM?|VSTR[CS]|VFAE|VFEE|VFENE|VISTR)$/.test(mnemonic)) return 1;
  if (/^(LOC|SEL|C.*T$|FI.BRA?$|DI.BR$|LPTEA|PPA)/.test(mnemonic) || !/^RRF_[abcd]/.test(format.name)) return 0;
  return mnemonic === 'IPTE' ? 2 : 1;
}

export class Disassembler {
  readonly #decoder: Decoder<Instruction>;
  readonly #extended: Map<Instruction, readonly Extended[]>;

  constructor(rows: readonly Instruction[]) {
    this.#decoder = new Decoder(rows);
    this.#extended = new Map(rows.map(row => [row, extendedMnemonics(row)]));
  }

  /**
   * The instruction that begins the given bytes: mnemonic, tab, operands. Bytes that are no instruction, or not all of
   * one, become `.long` or `.short`.
   * @param address where the instruction is, for relative operands
   */
  line(bytes: Uint8Array, address = 0n): string {
    const byte = (n: number): number => bytes[n] ?? 0;
    const upper = (byte(0) << 8) | byte(1);
    const lower = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
    const length = instructionLength(byte(0));
    const row = bytes.length < length ? undefined : this.#decoder.decode(upper, lower);
    if (!row) return unknown(bytes.subarray(0, length));
    const operands = operandsOf(row.format, upper, lower);
    const extended = this.#extended.get(row)!.find(one => suits(one, operands));
    const shown = operandsIn(row.format.syntax).filter(name => !(extended && name in extended.implied));
    const isZeroMask = (name: string): boolean => /^(m|r3)/.test(name) && operands[name] === 0;
    for (let n = optionalOperands(row); n > 0 && isZeroMask(shown.at(-1)!); n--) shown.pop();
    // NOPR without a register.
    if (row.mnemonic === 'BCR' && operands.m1 === 0 && operands.r2 === 0) shown.pop();
    const value = (name: string): number => operands[name]! - (extended?.flag?.[0] === name ? extended.flag[1] : 0);
    const list = shown.map(operand => operandText(operand, operands, value, address)).join(',');
    return `${(extended?.name ?? row.mnemonic).toLowerCase()}${list && '\t'}${list}`;
  }
}

/** Whether an extended mnemonic says what the operands are; plain other names are not written. */
function suits({ implied, flag }: Extended, operands: Operands): boolean {
  if (flag) return operands[flag[0]]! >> 6 === flag[1] >> 6;
  const fields = Object.entries(implied);
  return fields.length > 0 && fields.every(([name, value]) => operands[name] === value);
}

function operandText(operand: string, operands: Operands, written: (name: string) => number, address: bigint): string {
  const [name, ...inner] = operand.match(/[a-z]+\d/g)!;
  const value = written(name!);
  const kind = name![0]!;
  if (kind === 'd') return `${value}${addressText(inner, operands)}`;
  if (kind === 'h') return `0x${BigInt.asUintN(64, address + 2n * BigInt(value)).toString(16)}`;
  return `${REGISTERS[kind] ?? ''}${value}`;
}

/** What is in parentheses behind a displacement: index or length, and base; nothing when all of it is zero. */
function addressText(names: readonly string[], operands: Operands): string {
  const base = names.at(-1)!;
  const [other] = names.length > 1 ? names : [];
  const baseText = `%r${operands[base]}`;
  if (!other) return operands[base] ? `(${baseText})` : '';
  const value = operands[other]!;
  if (other[0] === 'l') return `(${value + 1},${baseText})`;
  if (other[0] === 'r' || other[0] === 'v') return `(%${other[0]}${value},${baseText})`;
  if (value) return `(%r${value},${baseText})`;
  return operands[base] ? `(${baseText})` : '';
}

function unknown(bytes: Uint8Array): string {
  const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
  if (bytes.length === 4) return `.long\t0x${hex}`;
  return `.short\t${(hex.match(/.{1,4}/g) ?? []).map(digits => `0x${digits}`).join(',')}`;
}
