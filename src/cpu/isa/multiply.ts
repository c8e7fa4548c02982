/** Fixed-point multiplication and division (PoP ch. 7, MULTIPLY and DIVIDE). */

import { type I64, i32, i64, k64 } from '../ir/expr.ts';
import { FIXED_POINT_DIVIDE } from '../program.ts';
import { RI_a, RIL_a, RR, RRE, RRF_3, RX_a, RXY_a } from './formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from './insn.ts';
import {
  doubleword,
  low1,
  low2,
  low3,
  type Source32,
  type Source64,
  signExtended,
  signedHalfword,
  signedImmediate,
  whole1,
  whole2,
  whole3,
  word,
  zeroExtended,
} from './operands.ts';

interface Product {
  readonly high: I64;
  readonly low: I64;
}

/** The 128-bit product of unsigned numbers, from products of their halves. */
export function unsignedProduct(i: Insn, a: I64, b: I64): Product {
  const half = (v: I64): [I64, I64] => [i.let(i64.shrU(v, 32)), i.let(i64.and(v, 0xffffffff))];
  const [ah, al] = half(a);
  const [bh, bl] = half(b);
  const middle = i.let(i64.add(i64.mul(ah, bl), i64.shrU(i64.mul(al, bl), 32)));
  const carry = i64.shrU(i64.add(i64.mul(al, bh), i64.and(middle, 0xffffffff)), 32);
  return {
    high: i.let(i64.add(i64.add(i64.mul(ah, bh), i64.shrU(middle, 32)), carry)),
    low: i.let(i64.mul(a, b)),
  };
}

/** The 128-bit product of signed numbers. */
function signedProduct(i: Insn, a: I64, b: I64): Product {
  const { high, low } = unsignedProduct(i, a, b);
  // A negative number is its unsigned reading less 2^64.
  const ifNegative = (sign: I64, other: I64): I64 => i64.and(i64.shrS(sign, 63), other);
  return { high: i.let(i64.sub(i64.sub(high, ifNegative(a, b)), ifNegative(b, a))), low };
}

/** 32 by 32 bits; the product goes to bits 32-63 of the even and the odd register. */
const multiply32 =
  (extended: (source: Source32) => Source64, second: Source32): Semantics =>
  i => {
    i.even('r1');
    const b = i.let(extended(second)(i));
    const product = i.let(i64.mul(extended(odd => odd.gr32('r1', 1))(i), b));
    i.setGr32('r1', i32.wrap(i64.shrU(product, 32)));
    i.setGr32('r1', i32.wrap(product), 1);
  };
/** 64 by 64 bits; the product goes to the even and the odd register. */
const multiply64 =
  (product: typeof signedProduct, first: Source64, second: Source64): Semantics =>
  i => {
    i.even('r1');
    const b = i.let(second(i));
    const { high, low } = product(i, first(i), b);
    i.setGr('r1', high);
    i.setGr('r1', low, 1);
  };
const odd1: Source64 = i => i.gr('r1', 1);

const single32 =
  (second: Source32): Semantics =>
  i => {
    const b = second(i);
    i.setGr32('r1', i32.mul(i.gr32('r1'), b));
  };
const single64 =
  (second: Source64): Semantics =>
  i => {
    const b = second(i);
    i.setGr('r1', i64.mul(i.gr('r1'), b));
  };

/** MULTIPLY SINGLE that sets the condition code: overflow when the product does not fit. */
const coded32 =
  (first: Source32, second: Source32): Semantics =>
  i => {
    const b = second(i);
    const product = i.let(i64.mul(i64.fromS(first(i)), i64.fromS(b)));
    const result = i.let(i32.wrap(product));
    i.setGr32('r1', result);
    i.ccResult32(result, i64.ne(product, i64.fromS(result)));
  };
const coded64 =
  (first: Source64, second: Source64): Semantics =>
  i => {
    const b = second(i);
    const { high, low } = signedProduct(i, first(i), b);
    i.setGr('r1', low);
    i.ccResult64(low, i64.ne(high, i64.shrS(low, 63)));
  };

/** The 64-bit dividend in bits 32-63 of a register pair. */
const dividend32 = (i: Insn): I64 => i.let(i64.or(i64.shl(i64.fromU(i.gr32('r1')), 32), i64.fromU(i.gr32('r1', 1))));
const setQuotient32 = (i: Insn, quotient: I64, remainder: I64): void => {
  i.setGr32('r1', i32.wrap(remainder));
  i.setGr32('r1', i32.wrap(quotient), 1);
};

const divide32 =
  (source: Source32): Semantics =>
  i => {
    i.even('r1');
    const divisor = i.let(i64.fromS(source(i)));
    const dividend = dividend32(i);
    // The most negative number by -1 has no quotient in any register, and no host instruction would survive it.
    const tooLarge = i32.and(i64.eq(divisor, -1), i64.eq(dividend, -(1n << 63n)));
    i.programIf(i32.or(i64.eqz(divisor), tooLarge), FIXED_POINT_DIVIDE);
    const quotient = i.let(i64.divS(dividend, divisor));
    i.programIf(i64.ne(quotient, i64.extend32(quotient)), FIXED_POINT_DIVIDE);
    setQuotient32(i, quotient, i.let(i64.remS(dividend, divisor)));
  };
const divideLogical32 =
  (source: Source32): Semantics =>
  i => {
    i.even('r1');
    const divisor = i.let(i64.fromU(source(i)));
    const dividend = dividend32(i);
    i.programIf(i64.leU(divisor, i64.shrU(dividend, 32)), FIXED_POINT_DIVIDE);
    setQuotient32(i, i.let(i64.divU(dividend, divisor)), i.let(i64.remU(dividend, divisor)));
  };

/** DIVIDE SINGLE: the dividend is the odd register. */
const divideSingle =
  (source: Source64): Semantics =>
  i => {
    i.even('r1');
    const divisor = i.let(source(i));
    const dividend = i.gr('r1', 1);
    const tooLarge = i32.and(i64.eq(divisor, -1), i64.eq(dividend, -(1n << 63n)));
    i.programIf(i32.or(i64.eqz(divisor), tooLarge), FIXED_POINT_DIVIDE);
    const remainder = i.let(i64.remS(dividend, divisor));
    i.setGr('r1', i64.divS(dividend, divisor), 1);
    i.setGr('r1', remainder);
  };

/** 128 by 64 bits. A dividend of 64 bits is what compilers make; else two digits of 32 bits each (Knuth's algorithm D). */
const divideLogical64 =
  (source: Source64): Semantics =>
  i => {
    i.even('r1');
    const divisor = i.let(source(i));
    const high = i.gr('r1');
    const low = i.gr('r1', 1);
    i.programIf(i64.leU(divisor, high), FIXED_POINT_DIVIDE);
    i.if(
      i64.eqz(high),
      () => {
        i.setGr('r1', i64.remU(low, divisor));
        i.setGr('r1', i64.divU(low, divisor), 1);
      },
      () => divideLong(i, high, low, divisor),
    );
  };

/** The quotient fits: high < divisor. */
function divideLong(i: Insn, high: I64, low: I64, divisor: I64): void {
  const shift = i.let(i64.clz(divisor));
  const d = i.let(i64.shl(divisor, shift));
  const d1 = i.let(i64.shrU(d, 32));
  const d0 = i.let(i64.and(d, 0xffffffff));
  /** One digit of the quotient, and what remains, shifted for the next. */
  const digit = (upper: I64, next: I64): { quotient: I64; remainder: I64 } => {
    const q = i.variable64(i64.divU(upper, d1));
    const r = i.variable64(i64.remU(upper, d1));
    i.while(
      () => {
        const estimate = q.get();
        const rest = r.get();
        const tooLarge = i32.or(
          i64.gtU(estimate, 0xffffffff),
          i64.gtU(i64.mul(estimate, d0), i64.or(i64.shl(rest, 32), next)),
        );
        return i32.and(i64.leU(rest, 0xffffffff), tooLarge);
      },
      () => {
        q.set(i64.sub(q.get(), 1));
        r.set(i64.add(r.get(), d1));
      },
    );
    const quotient = q.get();
    return { quotient, remainder: i.let(i64.sub(i64.or(i64.shl(upper, 32), next), i64.mul(quotient, d))) };
  };
  // A shift by 64 - 0 would be one by 0.
  const carried = i64.shrU(i64.shrU(low, 1), i64.sub(k64(63), shift));
  const shifted = i.let(i64.shl(low, shift));
  const first = digit(i.let(i64.or(i64.shl(high, shift), carried)), i.let(i64.shrU(shifted, 32)));
  const second = digit(first.remainder, i.let(i64.and(shifted, 0xffffffff)));
  i.setGr('r1', i64.shrU(second.remainder, shift));
  i.setGr('r1', i64.or(i64.shl(first.quotient, 32), second.quotient), 1);
}

export const multiply: readonly Instruction[] = [
  // MULTIPLY
  insn('MR', 0x1c, RR, 'z', multiply32(signExtended, low2)),
  insn('M', 0x5c, RX_a, 'z', multiply32(signExtended, word)),
  insn('MFY', 0xe35c, RXY_a, 34, multiply32(signExtended, word)),
  insn('MGRK', 0xb9ec, RRF_3, 58, multiply64(signedProduct, whole2, whole3)),
  insn('MG', 0xe384, RXY_a, 58, multiply64(signedProduct, odd1, doubleword)),
  insn('MH', 0x4c, RX_a, 'z', single32(signedHalfword)),
  insn('MHY', 0xe37c, RXY_a, 34, single32(signedHalfword)),
  insn('MGH', 0xe33c, RXY_a, 58, single64(signExtended(signedHalfword))),
  insn('MHI', 0xa7c, RI_a, 'z', single32(signedImmediate)),
  insn('MGHI', 0xa7d, RI_a, 'z', single64(signExtended(signedImmediate))),

  // MULTIPLY LOGICAL
  insn('MLR', 0xb996, RRE, 'z', multiply32(zeroExtended, low2)),
  insn('MLGR', 0xb986, RRE, 'z', multiply64(unsignedProduct, odd1, whole2)),
  insn('ML', 0xe396, RXY_a, 'z', multiply32(zeroExtended, word)),
  insn('MLG', 0xe386, RXY_a, 'z', multiply64(unsignedProduct, odd1, doubleword)),

  // MULTIPLY SINGLE
  insn('MSR', 0xb252, RRE, 'z', single32(low2)),
  insn('MSGR', 0xb90c, RRE, 'z', single64(whole2)),
  insn('MSGFR', 0xb91c, RRE, 'z', single64(signExtended(low2))),
  insn('MS', 0x71, RX_a, 'z', single32(word)),
  insn('MSY', 0xe351, RXY_a, 18, single32(word)),
  insn('MSG', 0xe30c, RXY_a, 'z', single64(doubleword)),
  insn('MSGF', 0xe31c, RXY_a, 'z', single64(signExtended(word))),
  insn('MSFI', 0xc21, RIL_a, 34, single32(signedImmediate)),
  insn('MSGFI', 0xc20, RIL_a, 34, single64(signExtended(signedImmediate))),
  insn('MSRKC', 0xb9fd, RRF_3, 58, coded32(low2, low3)),
  insn('MSGRKC', 0xb9ed, RRF_3, 58, coded64(whole2, whole3)),
  insn('MSC', 0xe353, RXY_a, 58, coded32(low1, word)),
  insn('MSGC', 0xe383, RXY_a, 58, coded64(whole1, doubleword)),

  // DIVIDE
  insn('DR', 0x1d, RR, 'z', divide32(low2)),
  insn('D', 0x5d, RX_a, 'z', divide32(word)),
  insn('DLR', 0xb997, RRE, 'z', divideLogical32(low2)),
  insn('DLGR', 0xb987, RRE, 'z', divideLogical64(whole2)),
  insn('DL', 0xe397, RXY_a, 'z', divideLogical32(word)),
  insn('DLG', 0xe387, RXY_a, 'z', divideLogical64(doubleword)),
  insn('DSGR', 0xb90d, RRE, 'z', divideSingle(whole2)),
  insn('DSGFR', 0xb91d, RRE, 'z', divideSingle(signExtended(low2))),
  insn('DSG', 0xe30d, RXY_a, 'z', divideSingle(doubleword)),
  insn('DSGF', 0xe31d, RXY_a, 'z', divideSingle(signExtended(word))),
];
