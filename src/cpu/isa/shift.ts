/** Shifts, rotations, and the instructions that select rotated bits (PoP ch. 7). */

import { constant32, constant64, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { RIE_f, RS_2, RSY_a } from './formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from './insn.ts';
import { low1, low3, type Source32 } from './operands.ts';

const SHIFT = { shift: true } as const;

// Counts go to 63, where the shifts of 32-bit numbers by the host take them modulo 32.
const left32 = (value: I32, count: I32): I32 => i32.wrap(i64.shl(i64.fromU(value), i64.fromU(count)));
const logicalRight32 = (value: I32, count: I32): I32 => i32.wrap(i64.shrU(i64.fromU(value), i64.fromU(count)));
const right32 = (value: I32, count: I32): I32 => i32.wrap(i64.shrS(i64.fromS(value), i64.fromU(count)));

const logical32 =
  (shift: (value: I32, count: I32) => I32, source: Source32): Semantics =>
  i =>
    i.setGr32('r1', shift(source(i), i.shiftCount()));
const logical64 =
  (shift: 'shl' | 'shrU' | 'rotl'): Semantics =>
  i =>
    i.setGr('r1', i64[shift](i.gr('r3'), i64.fromU(i.shiftCount())));

const arithmeticRight32 =
  (source: Source32): Semantics =>
  i => {
    const result = i.let(right32(source(i), i.shiftCount()));
    i.setGr32('r1', result);
    i.cc32('signed', result);
  };
const arithmeticRight64: Semantics = i => {
  const result = i.let(i64.shrS(i.gr('r3'), i64.fromU(i.shiftCount())));
  i.setGr('r1', result);
  i.cc64('signed', result);
};

/** The sign stays; overflow when a bit unlike it is shifted out of the position next to it. */
const shiftedLeft64 = (i: Insn, value: I64, count: I64): { result: I64; overflow: I32 } => ({
  result: i.let(i64.or(i64.and(i64.shl(value, count), (1n << 63n) - 1n), i64.and(value, 1n << 63n))),
  overflow: i64.ne(i64.shrS(value, i64.sub(k64(63), count)), i64.shrS(value, 63)),
});
const arithmeticLeft32 =
  (source: Source32): Semantics =>
  i => {
    // On the left of 64 bits: the zeros that enter leave again when the count is above 31.
    const value = i.let(i64.shl(i64.fromU(source(i)), 32));
    const { result, overflow } = shiftedLeft64(i, value, i64.fromU(i.shiftCount()));
    const word = i.let(i32.wrap(i64.shrU(result, 32)));
    i.setGr32('r1', word);
    i.ccResult32(word, overflow);
  };
const arithmeticLeft64: Semantics = i => {
  const { result, overflow } = shiftedLeft64(i, i.gr('r3'), i64.fromU(i.shiftCount()));
  i.setGr('r1', result);
  i.ccResult64(result, overflow);
};

// Double shifts: bits 32-63 of an even and an odd register.
const pair = (i: Insn): I64 => {
  i.even('r1');
  return i.let(i64.or(i64.shl(i64.fromU(i.gr32('r1')), 32), i64.fromU(i.gr32('r1', 1))));
};
const setPair = (i: Insn, value: I64): void => {
  i.setGr32('r1', i32.wrap(i64.shrU(value, 32)));
  i.setGr32('r1', i32.wrap(value), 1);
};
const doubleShift =
  (shift: 'shl' | 'shrU'): Semantics =>
  i =>
    setPair(i, i.let(i64[shift](pair(i), i64.fromU(i.shiftCount()))));
const doubleArithmeticRight: Semantics = i => {
  const result = i.let(i64.shrS(pair(i), i64.fromU(i.shiftCount())));
  setPair(i, result);
  i.cc64('signed', result);
};
const doubleArithmeticLeft: Semantics = i => {
  const { result, overflow } = shiftedLeft64(i, pair(i), i64.fromU(i.shiftCount()));
  setPair(i, result);
  i.ccResult64(result, overflow);
};

/** The bits from position I3 to I4, around the end when I3 is the greater; positions are of 64 bits. */
const selectedBits64 = (i: Insn): I64 => {
  const from = i.let(i32.and(i.field('i3'), 63));
  const to = i.let(i32.and(i.field('i4'), 63));
  const after = i64.shrU(k64(-1), i64.fromU(from));
  const before = i64.shl(k64(-1), i64.fromU(i32.sub(k32(63), to)));
  return i.let(i64.select(i32.leU(from, to), i64.and(after, before), i64.or(after, before)));
};
const selectedBits32 = (i: Insn): I32 => {
  const from = i.let(i32.and(i.field('i3'), 31));
  const to = i.let(i32.and(i.field('i4'), 31));
  const after = i32.shrU(k32(-1), from);
  const before = i32.shl(k32(-1), i32.sub(k32(31), to));
  return i.let(i32.select(i32.leU(from, to), i32.and(after, before), i32.or(after, before)));
};
/** What is known of the selected bits, once their positions are known, where only bits 32-63 take part. */
interface Part {
  /** All selected bits come from bits 32-63 of R2. */
  readonly fromLow: boolean;
  /** All bits that are not selected, or all that are, belong to bits 32-63 of R1. */
  readonly restIsLow: boolean;
  readonly isLow: boolean;
}
function partOf(i: Insn, bits: I64): Part {
  const selected = constant64(bits);
  const distance = constant32(i.field('i5'));
  if (selected === undefined || distance === undefined) return { fromLow: false, restIsLow: false, isLow: false };
  const isLow = (mask: bigint): boolean => BigInt.asUintN(64, mask) >> 32n === 0n;
  const unsigned = BigInt.asUintN(64, selected);
  const by = BigInt(distance & 63);
  return {
    fromLow: isLow((unsigned >> by) | (unsigned << (64n - by))),
    restIsLow: isLow(~selected),
    isLow: isLow(selected),
  };
}

const rotated = (i: Insn, fromLow = false): I64 =>
  i64.rotl(fromLow ? i64.fromU(i.gr32('r2')) : i.grOfHalves('r2'), i64.fromU(i32.and(i.field('i5'), 63)));
/** Bit 0 of I4: what is not selected becomes zeros. */
const zeroRemaining = (i: Insn): I32 => i32.and(i.field('i4'), 0x80);
const alwaysZero = (i: Insn): boolean => Boolean(constant32(zeroRemaining(i)));
const neverZero = (i: Insn): boolean => constant32(zeroRemaining(i)) === 0;

const insertSelected = (i: Insn): I64 => {
  const bits = selectedBits64(i);
  const { fromLow, restIsLow } = partOf(i, bits);
  const source = i64.and(rotated(i, fromLow), bits);
  if (alwaysZero(i)) {
    const result = i.let(source);
    i.setGr('r1', result);
    return result;
  }
  const old = restIsLow ? i64.fromU(i.gr32('r1')) : i.grOfHalves('r1');
  const remaining = i64.select(zeroRemaining(i), 0, old);
  const result = i.let(i64.or(source, i64.and(remaining, i64.xor(bits, -1))));
  i.setGr('r1', result);
  return result;
};
/** Without a condition code bits 0-31 are left alone where no bit of them is selected. */
const insertSelectedQuietly: Semantics = i => {
  const bits = selectedBits64(i);
  const { fromLow, isLow } = partOf(i, bits);
  if (!isLow || !neverZero(i)) return void insertSelected(i);
  const low = i32.wrap(bits);
  const source = i32.and(i32.wrap(rotated(i, fromLow)), low);
  i.setGr32('r1', i32.or(source, i32.and(i.gr32('r1'), i32.xor(low, -1))));
};
const insertSelectedHalf =
  (high: boolean): Semantics =>
  i => {
    const bits = selectedBits32(i);
    const source = i32.wrap(high ? i64.shrU(rotated(i), 32) : rotated(i));
    const remaining = i32.select(zeroRemaining(i), 0, high ? i.grHigh('r1') : i.gr32('r1'));
    const result = i32.or(i32.and(source, bits), i32.and(remaining, i32.xor(bits, -1)));
    if (high) i.setGrHigh('r1', result);
    else i.setGr32('r1', result);
  };

/** The condition code tells of the selected bits; bit 0 of I3 says that nothing but the condition code is wanted. */
const combineSelected =
  (operation: 'and' | 'or' | 'xor'): Semantics =>
  i => {
    const bits = selectedBits64(i);
    const { fromLow, isLow } = partOf(i, bits);
    if (isLow && constant32(i32.and(i.field('i3'), 0x80)) === 0) {
      const low = i32.wrap(bits);
      const b = i32.and(i32.wrap(rotated(i, fromLow)), low);
      const result = i.let(i32[operation](i.gr32('r1'), operation === 'and' ? i32.or(b, i32.xor(low, -1)) : b));
      i.setGr32('r1', result);
      return i.cc32('logical', i32.and(result, low));
    }
    const a = i.grOfHalves('r1');
    const b = i64.and(rotated(i, fromLow), bits);
    const result = i.let(i64[operation](a, operation === 'and' ? i64.or(b, i64.xor(bits, -1)) : b));
    i.setGr('r1', i64.select(i32.and(i.field('i3'), 0x80), a, result));
    i.cc64('logical', i64.and(result, bits));
  };

export const shift: readonly Instruction[] = [
  insn('SLL', 0x89, RS_2, 'z', logical32(left32, low1), SHIFT),
  insn('SLLK', 0xebdf, RSY_a, 45, logical32(left32, low3), SHIFT),
  insn('SLLG', 0xeb0d, RSY_a, 'z', logical64('shl'), SHIFT),
  insn('SRL', 0x88, RS_2, 'z', logical32(logicalRight32, low1), SHIFT),
  insn('SRLK', 0xebde, RSY_a, 45, logical32(logicalRight32, low3), SHIFT),
  insn('SRLG', 0xeb0c, RSY_a, 'z', logical64('shrU'), SHIFT),
  insn('SLA', 0x8b, RS_2, 'z', arithmeticLeft32(low1), SHIFT),
  insn('SLAK', 0xebdd, RSY_a, 45, arithmeticLeft32(low3), SHIFT),
  insn('SLAG', 0xeb0b, RSY_a, 'z', arithmeticLeft64, SHIFT),
  insn('SRA', 0x8a, RS_2, 'z', arithmeticRight32(low1), SHIFT),
  insn('SRAK', 0xebdc, RSY_a, 45, arithmeticRight32(low3), SHIFT),
  insn('SRAG', 0xeb0a, RSY_a, 'z', arithmeticRight64, SHIFT),
  insn('SLDL', 0x8d, RS_2, 'z', doubleShift('shl')),
  insn('SRDL', 0x8c, RS_2, 'z', doubleShift('shrU')),
  insn('SLDA', 0x8f, RS_2, 'z', doubleArithmeticLeft),
  insn('SRDA', 0x8e, RS_2, 'z', doubleArithmeticRight),

  // ROTATE
  insn('RLL', 0xeb1d, RSY_a, 'z', logical32(i32.rotl, low3), SHIFT),
  insn('RLLG', 0xeb1c, RSY_a, 'z', logical64('rotl'), SHIFT),
  insn('RISBG', 0xec55, RIE_f, 34, i => i.cc64('signed', insertSelected(i))),
  insn('RISBGN', 0xec59, RIE_f, 49, insertSelectedQuietly),
  insn('RISBHG', 0xec5d, RIE_f, 45, insertSelectedHalf(true)),
  insn('RISBLG', 0xec51, RIE_f, 45, insertSelectedHalf(false)),
  insn('RNSBG', 0xec54, RIE_f, 34, combineSelected('and')),
  insn('ROSBG', 0xec56, RIE_f, 34, combineSelected('or')),
  insn('RXSBG', 0xec57, RIE_f, 34, combineSelected('xor')),
];
