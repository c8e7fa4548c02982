/** Operands of control instructions in millicode. */

import type { Cpu } from '../cpu.ts';
import { again } from '../dat.ts';
import { LEAVE, type Operands, type Outcome } from '../isa/insn.ts';
import { ADDRESSING, PRIVILEGED_OPERATION, ProgramInterruption, SPECIAL_OPERATION, SPECIFICATION } from '../program.ts';
import * as state from '../state.ts';

/** Base, index and displacement of operand 1, 2 or 4, in the addressing mode. */
export function operandAddress(cpu: Cpu, operands: Operands, operand: 1 | 2 | 4 = 2): bigint {
  const base = operand === 2 ? operands.b2! : operand === 1 ? operands.b1! : operands.b4!;
  const displacement = operand === 2 ? operands.d2! : operand === 1 ? operands.d1! : operands.d4!;
  const index = (operand === 2 && operands.x2) || 0;
  let address = base ? cpu.gr(base) : 0n;
  if (displacement) address += BigInt(displacement);
  if (index) address += cpu.gr(index);
  return address & cpu.addressMask;
}

/** As `operandAddress`, which must be a multiple of `boundary`. */
export function alignedAddress(cpu: Cpu, operands: Operands, boundary: number, operand: 1 | 2 = 2): bigint {
  const address = operandAddress(cpu, operands, operand);
  specify((Number(address & 0xfffn) & (boundary - 1)) === 0);
  return address;
}

/** Fields of something in storage, one after the other: value and bytes. */
export type Fields = readonly (readonly [value: bigint | number, size: number])[];

export function bytesOf(fields: Fields): Uint8Array {
  const all = new Uint8Array(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let end = 0;
  for (const [value, bytes] of fields) {
    end += bytes;
    for (let n = 0, rest = BigInt(value); n < bytes; n++, rest >>= 8n) all[end - 1 - n] = Number(rest & 0xffn);
  }
  return all;
}

/** Has the instruction, which has not changed anything yet, executed once more while no other CPU executes any, unless that is the case. */
export function beAlone(cpu: Cpu): void {
  if (!cpu.exclusion.isAlone) throw again;
}

/** @throws ProgramInterruption specification exception unless the condition holds */
export const specify = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(SPECIFICATION);
};

/** @throws ProgramInterruption special-operation exception unless the condition holds */
export const permit = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(SPECIAL_OPERATION);
};

/** @throws ProgramInterruption privileged-operation exception unless the condition holds */
export const privilege = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(PRIVILEGED_OPERATION);
};

/** PSW bits 0-31 without the condition code. */
export const pswHigh = (cpu: Cpu): number => cpu.i32[(cpu.base + state.PSW_MASK + 4) >>> 2]!;
/** Bits 32-63 of a control register. */
export const crLow = (cpu: Cpu, n: number): number => cpu.i32[(cpu.base + state.CR + 8 * n) >>> 2]!;

export const PSW_PROBLEM_HIGH = 0x0001_0000;
/** CR0 bits 36 and 37. */
export const EXTRACTION_AUTHORITY = 0x0800_0000;
export const SECONDARY_SPACE = 0x0400_0000;

export const inProblemState = (cpu: Cpu): boolean => (pswHigh(cpu) & PSW_PROBLEM_HIGH) !== 0;

/** The PSW-key mask (CR3 bits 32-47) lets the problem state use this key. */
export const keyAllowed = (cpu: Cpu, key: number): boolean =>
  !inProblemState(cpu) || (crLow(cpu, 3) & (0x8000_0000 >>> key)) !== 0;

/**
 * Address of storage in a general register, in the addressing mode; less than 2^32.
 * @throws ProgramInterruption addressing exception
 */
export function storageAddress(cpu: Cpu, register: number): number {
  const { i32 } = cpu;
  const at = (cpu.base + state.GR + 8 * register) >>> 2;
  const mask = (cpu.base + state.ADDRESS_MASK) >>> 2;
  if (i32[at + 1]! & i32[mask + 1]!) throw new ProgramInterruption(ADDRESSING);
  return (i32[at]! & i32[mask]!) >>> 0;
}

/**
 * After something was forgotten of what TLBs knew: goes on, by a new look at the tables and keys if the place of the next
 * instruction was among it.
 */
export function forgotten(cpu: Cpu): Outcome {
  if (cpu.knowsCode) return undefined;
  cpu.advance();
  return LEAVE;
}
