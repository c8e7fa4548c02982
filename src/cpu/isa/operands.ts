/** Where the operands of general instructions come from and where their results go, for the tables of this folder. */

import type { I32, I64 } from '../ir/expr.ts';
import { i32, i64 } from '../ir/expr.ts';
import type { Address, Insn, Semantics } from './insn.ts';

export type Source32 = (i: Insn) => I32;
export type Source64 = (i: Insn) => I64;

// Registers
export const low1: Source32 = i => i.gr32('r1');
export const low2: Source32 = i => i.gr32('r2');
export const low3: Source32 = i => i.gr32('r3');
export const high1: Source32 = i => i.grHigh('r1');
export const high2: Source32 = i => i.grHigh('r2');
export const high3: Source32 = i => i.grHigh('r3');
export const whole1: Source64 = i => i.gr('r1');
export const whole2: Source64 = i => i.gr('r2');
export const whole3: Source64 = i => i.gr('r3');

// The second operand in storage
export const byte: Source32 = i => i.load8(i.address());
/** Sign-extended. */
export const signedByte: Source32 = i => i.load8s(i.address());
export const halfword: Source32 = i => i.load16(i.address());
/** Sign-extended. */
export const signedHalfword: Source32 = i => i.load16s(i.address());
export const word: Source32 = i => i.load32(i.address());
export const doubleword: Source64 = i => i.load64(i.address());

/** The second operand of the relative-long instructions, which stands on an integral boundary. */
export function relativeOperand(i: Insn, size: 2 | 4 | 8): Address {
  const address = i.relativeAddress('h2');
  // Any such address is even.
  if (size > 2) i.aligned(address, size);
  return address;
}
export const relativeHalfword: Source32 = i => i.load16(relativeOperand(i, 2));
/** Sign-extended. */
export const relativeSignedHalfword: Source32 = i => i.load16s(relativeOperand(i, 2));
export const relativeWord: Source32 = i => i.load32(relativeOperand(i, 4));
export const relativeDoubleword: Source64 = i => i.load64(relativeOperand(i, 8));

// Immediate operands
export const signedImmediate: Source32 = i => i.signed('s2');
export const immediate: Source32 = i => i.field('i2');

/** A 32-bit source extended with its sign. */
export const signExtended =
  (source: Source32): Source64 =>
  i =>
    i64.fromS(source(i));
/** A 32-bit source extended with zeros. */
export const zeroExtended =
  (source: Source32): Source64 =>
  i =>
    i64.fromU(source(i));
export const low8: (source: Source32) => Source32 = source => i => i32.and(source(i), 0xff);
export const low16: (source: Source32) => Source32 = source => i => i32.and(source(i), 0xffff);
export const signed8: (source: Source32) => Source32 = source => i => i32.extend8(source(i));
export const signed16: (source: Source32) => Source32 = source => i => i32.extend16(source(i));

// Instructions that place a value in the first operand
export type Target32 = (i: Insn, value: I32) => void;
export const intoLow: Target32 = (i, value) => i.setGr32('r1', value);
export const intoHigh: Target32 = (i, value) => i.setGrHigh('r1', value);

/** Bits 32-63 of general register R1 become the value. */
export const toLow =
  (source: Source32): Semantics =>
  i =>
    i.setGr32('r1', source(i));
/** Bits 0-31 of general register R1 become the value. */
export const toHigh =
  (source: Source32): Semantics =>
  i =>
    i.setGrHigh('r1', source(i));
/** General register R1 becomes the value. */
export const toWhole =
  (source: Source64): Semantics =>
  i =>
    i.setGr('r1', source(i));

/** General register R1 becomes an address: in the 24-bit and 31-bit modes bits 0-31 remain. */
export function setAddress(i: Insn, address: I64): void {
  i.if(
    i32.eq(i.addressingMode(), 3),
    () => i.setGr('r1', address),
    () => i.setGr32('r1', i32.wrap(address)),
  );
}

/** The bytes of a word in reverse order. */
export function reversed32(i: Insn, value: I32): I32 {
  const v = i.let(value);
  return i32.or(i32.and(i32.rotl(v, 8), 0x00ff00ff), i32.and(i32.rotl(v, 24), 0xff00ff00));
}

/** The bytes of a doubleword in reverse order. */
export function reversed64(i: Insn, value: I64): I64 {
  const v = i.let(value);
  return i64.or(
    i64.shl(i64.fromU(reversed32(i, i32.wrap(v))), 32),
    i64.fromU(reversed32(i, i32.wrap(i64.shrU(v, 32)))),
  );
}

/** Handlers of their own for frequent masks. */
export const usualMasks = (...masks: number[]): { usual: { m3: number }[] } => ({ usual: masks.map(m3 => ({ m3 })) });

/** Calls `each` for the bits of the four-bit mask M3 from left to right. Only where the mask is one does `each` act. */
export function underMask(i: Insn, each: (selected: I32, shift: number, before: I32) => void): void {
  const mask = i.field('m3');
  for (let n = 0; n < 4; n++) {
    // Bytes selected before this one tell where in storage it is.
    each(i32.and(i32.shrU(mask, 3 - n), 1), 24 - 8 * n, i32.popcnt(i32.shrU(mask, 4 - n)));
  }
}
/** How many bytes M3 selects. */
export const selectedBytes = (i: Insn): I32 => i32.popcnt(i.field('m3'));
