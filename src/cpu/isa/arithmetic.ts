/** Fixed-point addition, subtraction and signs (PoP ch. 7, ADD, SUBTRACT and LOAD COMPLEMENT, NEGATIVE, POSITIVE). */

import { type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { RI_a, RIE_d, RIL_a, RIL_u, RR, RRE, RRF_3, RX_a, RXY_a, SIY_s } from './formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from './insn.ts';
import {
  doubleword,
  high1,
  high2,
  high3,
  immediate,
  intoHigh,
  intoLow,
  low1,
  low2,
  low3,
  type Source32,
  type Source64,
  signExtended,
  signedHalfword,
  signedImmediate,
  type Target32,
  whole1,
  whole2,
  whole3,
  word,
  zeroExtended,
} from './operands.ts';

/** The condition code also says how the result comes about: a + b, or a - b. */
type Kind = 'add' | 'subtract' | 'addLogical' | 'subtractLogical';
const isSum = (kind: Kind): boolean => kind === 'add' || kind === 'addLogical';

const arithmetic32 =
  (kind: Kind, first: Source32, second: Source32, target: Target32 = intoLow): Semantics =>
  i => {
    const b = i.let(second(i));
    const a = first(i);
    target(i, isSum(kind) ? i32.add(a, b) : i32.sub(a, b));
    i.cc32(kind, a, b);
  };
const arithmetic64 =
  (kind: Kind, first: Source64, second: Source64): Semantics =>
  i => {
    const b = i.let(second(i));
    const a = first(i);
    i.setGr('r1', isSum(kind) ? i64.add(a, b) : i64.sub(a, b));
    i.cc64(kind, a, b);
  };

const add32 = (second: Source32, first = low1): Semantics => arithmetic32('add', first, second);
const add64 = (second: Source64, first = whole1): Semantics => arithmetic64('add', first, second);
const addLogical32 = (second: Source32, first = low1): Semantics => arithmetic32('addLogical', first, second);
const addLogical64 = (second: Source64, first = whole1): Semantics => arithmetic64('addLogical', first, second);
const subtract32 = (second: Source32, first = low1): Semantics => arithmetic32('subtract', first, second);
const subtract64 = (second: Source64, first = whole1): Semantics => arithmetic64('subtract', first, second);
const subtractLogical32 = (second: Source32, first = low1): Semantics => arithmetic32('subtractLogical', first, second);
const subtractLogical64 = (second: Source64, first = whole1): Semantics =>
  arithmetic64('subtractLogical', first, second);

/** The immediate operand is added to storage, interlocked where it stands on an integral boundary. */
const addToStorage32 =
  (kind: 'add' | 'addLogical'): Semantics =>
  i => {
    const address = i.address(1);
    const b = i.let(i.signed('s2'));
    i.if(
      i32.and(i32.wrap(address.va), 3),
      () => {
        const place = i.place(address, 4, 'store');
        const a = place.load32();
        place.store32(i32.add(a, b));
        i.cc32(kind, a, b);
      },
      () => i.cc32(kind, i.place(address, 4, 'interlocked').add32(b), b),
    );
  };
const addToStorage64 =
  (kind: 'add' | 'addLogical'): Semantics =>
  i => {
    const address = i.address(1);
    const b = i.let(i64.fromS(i.signed('s2')));
    i.if(
      i32.and(i32.wrap(address.va), 7),
      () => {
        const place = i.place(address, 8, 'store');
        const a = place.load64();
        place.store64(i64.add(a, b));
        i.cc64(kind, a, b);
      },
      () => i.cc64(kind, i.place(address, 8, 'interlocked').add64(b), b),
    );
  };

// The carry from an addition, or no borrow from a subtraction, is the left bit of the condition code.
const carryIn = (i: Insn): I32 => i.condition(3);

const addWithCarry32 = (i: Insn, a: I32, b: I32): void => {
  const sum = i.let(i64.add(i64.add(i64.fromU(a), i64.fromU(b)), i64.fromU(carryIn(i))));
  const result = i.let(i32.wrap(sum));
  i.setGr32('r1', result);
  i.ccCarried32(result, i32.wrap(i64.shrU(sum, 32)));
};
const addWithCarry64 = (i: Insn, a: I64, b: I64): void => {
  const partial = i.let(i64.add(a, b));
  const sum = i.let(i64.add(partial, i64.fromU(carryIn(i))));
  i.setGr('r1', sum);
  i.ccCarried64(sum, i32.or(i64.ltU(partial, a), i64.ltU(sum, partial)));
};

const withCarry32 =
  (second: Source32): Semantics =>
  i => {
    const b = i.let(second(i));
    addWithCarry32(i, i.gr32('r1'), b);
  };
const withCarry64 =
  (second: Source64): Semantics =>
  i => {
    const b = i.let(second(i));
    addWithCarry64(i, i.gr('r1'), b);
  };
// a - b - borrow is a + ~b + no borrow.
const withBorrow32 = (second: Source32): Semantics => withCarry32(i => i32.xor(second(i), -1));
const withBorrow64 = (second: Source64): Semantics => withCarry64(i => i64.xor(second(i), -1));

const positive32: Semantics = i => {
  const a = i.gr32('r2');
  const result = i.let(i32.select(i32.ltS(a, 0), i32.sub(k32(0), a), a));
  i.setGr32('r1', result);
  i.ccResult32(result, i32.ltS(result, 0));
};
const positive64 =
  (source: Source64): Semantics =>
  i => {
    const a = i.let(source(i));
    const result = i.let(i64.select(i64.ltS(a, 0), i64.sub(k64(0), a), a));
    i.setGr('r1', result);
    i.ccResult64(result, i64.ltS(result, 0));
  };
const negative32: Semantics = i => {
  const a = i.gr32('r2');
  const result = i.let(i32.select(i32.ltS(a, 0), a, i32.sub(k32(0), a)));
  i.setGr32('r1', result);
  i.cc32('signed', result);
};
const negative64 =
  (source: Source64): Semantics =>
  i => {
    const a = i.let(source(i));
    const result = i.let(i64.select(i64.ltS(a, 0), a, i64.sub(k64(0), a)));
    i.setGr('r1', result);
    i.cc64('signed', result);
  };
const complement64 = (source: Source64): Semantics => subtract64(source, () => k64(0));

export const arithmetic: readonly Instruction[] = [
  // ADD
  insn('AR', 0x1a, RR, 'z', add32(low2)),
  insn('AGR', 0xb908, RRE, 'z', add64(whole2)),
  insn('AGFR', 0xb918, RRE, 'z', add64(signExtended(low2))),
  insn('ARK', 0xb9f8, RRF_3, 45, add32(low3, low2)),
  insn('AGRK', 0xb9e8, RRF_3, 45, add64(whole3, whole2)),
  insn('A', 0x5a, RX_a, 'z', add32(word)),
  insn('AY', 0xe35a, RXY_a, 18, add32(word)),
  insn('AG', 0xe308, RXY_a, 'z', add64(doubleword)),
  insn('AGF', 0xe318, RXY_a, 'z', add64(signExtended(word))),
  insn('AFI', 0xc29, RIL_a, 21, add32(signedImmediate)),
  insn('AGFI', 0xc28, RIL_a, 21, add64(signExtended(signedImmediate))),
  insn('AHIK', 0xecd8, RIE_d, 45, add32(signedImmediate, low3)),
  insn('AGHIK', 0xecd9, RIE_d, 45, add64(signExtended(signedImmediate), whole3)),
  insn('ASI', 0xeb6a, SIY_s, 34, addToStorage32('add')),
  insn('AGSI', 0xeb7a, SIY_s, 34, addToStorage64('add')),
  insn('AH', 0x4a, RX_a, 'z', add32(signedHalfword)),
  insn('AHY', 0xe37a, RXY_a, 18, add32(signedHalfword)),
  insn('AGH', 0xe338, RXY_a, 58, add64(signExtended(signedHalfword))),
  insn('AHI', 0xa7a, RI_a, 'z', add32(signedImmediate)),
  insn('AGHI', 0xa7b, RI_a, 'z', add64(signExtended(signedImmediate))),
  insn('AHHHR', 0xb9c8, RRF_3, 45, arithmetic32('add', high2, high3, intoHigh)),
  insn('AHHLR', 0xb9d8, RRF_3, 45, arithmetic32('add', high2, low3, intoHigh)),
  insn('AIH', 0xcc8, RIL_a, 45, arithmetic32('add', high1, signedImmediate, intoHigh)),

  // ADD LOGICAL
  insn('ALR', 0x1e, RR, 'z', addLogical32(low2)),
  insn('ALGR', 0xb90a, RRE, 'z', addLogical64(whole2)),
  insn('ALGFR', 0xb91a, RRE, 'z', addLogical64(zeroExtended(low2))),
  insn('ALRK', 0xb9fa, RRF_3, 45, addLogical32(low3, low2)),
  insn('ALGRK', 0xb9ea, RRF_3, 45, addLogical64(whole3, whole2)),
  insn('AL', 0x5e, RX_a, 'z', addLogical32(word)),
  insn('ALY', 0xe35e, RXY_a, 18, addLogical32(word)),
  insn('ALG', 0xe30a, RXY_a, 'z', addLogical64(doubleword)),
  insn('ALGF', 0xe31a, RXY_a, 'z', addLogical64(zeroExtended(word))),
  insn('ALFI', 0xc2b, RIL_u, 21, addLogical32(immediate)),
  insn('ALGFI', 0xc2a, RIL_u, 21, addLogical64(zeroExtended(immediate))),
  insn('ALHSIK', 0xecda, RIE_d, 45, addLogical32(signedImmediate, low3)),
  insn('ALGHSIK', 0xecdb, RIE_d, 45, addLogical64(signExtended(signedImmediate), whole3)),
  insn('ALSI', 0xeb6e, SIY_s, 34, addToStorage32('addLogical')),
  insn('ALGSI', 0xeb7e, SIY_s, 34, addToStorage64('addLogical')),
  insn('ALHHHR', 0xb9ca, RRF_3, 45, arithmetic32('addLogical', high2, high3, intoHigh)),
  insn('ALHHLR', 0xb9da, RRF_3, 45, arithmetic32('addLogical', high2, low3, intoHigh)),
  insn('ALSIH', 0xcca, RIL_a, 45, arithmetic32('addLogical', high1, signedImmediate, intoHigh)),
  insn('ALSIHN', 0xccb, RIL_a, 45, i => i.setGrHigh('r1', i32.add(i.grHigh('r1'), i.signed('s2')))),

  // ADD LOGICAL WITH CARRY
  insn('ALCR', 0xb998, RRE, 'z', withCarry32(low2)),
  insn('ALCGR', 0xb988, RRE, 'z', withCarry64(whole2)),
  insn('ALC', 0xe398, RXY_a, 'z', withCarry32(word)),
  insn('ALCG', 0xe388, RXY_a, 'z', withCarry64(doubleword)),

  // SUBTRACT
  insn('SR', 0x1b, RR, 'z', subtract32(low2)),
  insn('SGR', 0xb909, RRE, 'z', subtract64(whole2)),
  insn('SGFR', 0xb919, RRE, 'z', subtract64(signExtended(low2))),
  insn('SRK', 0xb9f9, RRF_3, 45, subtract32(low3, low2)),
  insn('SGRK', 0xb9e9, RRF_3, 45, subtract64(whole3, whole2)),
  insn('S', 0x5b, RX_a, 'z', subtract32(word)),
  insn('SY', 0xe35b, RXY_a, 18, subtract32(word)),
  insn('SG', 0xe309, RXY_a, 'z', subtract64(doubleword)),
  insn('SGF', 0xe319, RXY_a, 'z', subtract64(signExtended(word))),
  insn('SH', 0x4b, RX_a, 'z', subtract32(signedHalfword)),
  insn('SHY', 0xe37b, RXY_a, 18, subtract32(signedHalfword)),
  insn('SGH', 0xe339, RXY_a, 58, subtract64(signExtended(signedHalfword))),
  insn('SHHHR', 0xb9c9, RRF_3, 45, arithmetic32('subtract', high2, high3, intoHigh)),
  insn('SHHLR', 0xb9d9, RRF_3, 45, arithmetic32('subtract', high2, low3, intoHigh)),

  // SUBTRACT LOGICAL
  insn('SLR', 0x1f, RR, 'z', subtractLogical32(low2)),
  insn('SLGR', 0xb90b, RRE, 'z', subtractLogical64(whole2)),
  insn('SLGFR', 0xb91b, RRE, 'z', subtractLogical64(zeroExtended(low2))),
  insn('SLRK', 0xb9fb, RRF_3, 45, subtractLogical32(low3, low2)),
  insn('SLGRK', 0xb9eb, RRF_3, 45, subtractLogical64(whole3, whole2)),
  insn('SL', 0x5f, RX_a, 'z', subtractLogical32(word)),
  insn('SLY', 0xe35f, RXY_a, 18, subtractLogical32(word)),
  insn('SLG', 0xe30b, RXY_a, 'z', subtractLogical64(doubleword)),
  insn('SLGF', 0xe31b, RXY_a, 'z', subtractLogical64(zeroExtended(word))),
  insn('SLFI', 0xc25, RIL_u, 21, subtractLogical32(immediate)),
  insn('SLGFI', 0xc24, RIL_u, 21, subtractLogical64(zeroExtended(immediate))),
  insn('SLHHHR', 0xb9cb, RRF_3, 45, arithmetic32('subtractLogical', high2, high3, intoHigh)),
  insn('SLHHLR', 0xb9db, RRF_3, 45, arithmetic32('subtractLogical', high2, low3, intoHigh)),

  // SUBTRACT LOGICAL WITH BORROW
  insn('SLBR', 0xb999, RRE, 'z', withBorrow32(low2)),
  insn('SLBGR', 0xb989, RRE, 'z', withBorrow64(whole2)),
  insn('SLB', 0xe399, RXY_a, 'z', withBorrow32(word)),
  insn('SLBG', 0xe389, RXY_a, 'z', withBorrow64(doubleword)),

  // LOAD COMPLEMENT, NEGATIVE, POSITIVE
  insn(
    'LCR',
    0x13,
    RR,
    'z',
    subtract32(low2, () => k32(0)),
  ),
  insn('LCGR', 0xb903, RRE, 'z', complement64(whole2)),
  insn('LCGFR', 0xb913, RRE, 'z', complement64(signExtended(low2))),
  insn('LNR', 0x11, RR, 'z', negative32),
  insn('LNGR', 0xb901, RRE, 'z', negative64(whole2)),
  insn('LNGFR', 0xb911, RRE, 'z', negative64(signExtended(low2))),
  insn('LPR', 0x10, RR, 'z', positive32),
  insn('LPGR', 0xb900, RRE, 'z', positive64(whole2)),
  insn('LPGFR', 0xb910, RRE, 'z', positive64(signExtended(low2))),
];
