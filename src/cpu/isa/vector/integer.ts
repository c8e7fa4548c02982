/** Vector integer instructions (PoP ch. 22). */

import { type I32, type I64, i32, i64, k32, k64, type V128, v128, v128Constant } from '../../ir/expr.ts';
import {
  absolute,
  add,
  bitsOfSize,
  choose,
  equal,
  every,
  extract,
  greaterS,
  greaterU,
  half,
  joined,
  LANES,
  left,
  mask,
  multiply,
  negate,
  ones,
  pairs,
  right,
  rotate,
  type Size,
  shiftLeft,
  shiftRightS,
  shiftRightU,
  subtract,
  wider,
} from '../../ir/vector.ts';
import { SPECIFICATION } from '../../program.ts';
import * as state from '../../state.ts';
import { VRI_d, VRI_d0, VRR_a0, VRR_a3, VRR_b, VRR_c0, VRR_c4, VRR_d, VRR_d5, VRS_a } from '../formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from '../insn.ts';
import { unsignedProduct } from '../multiply.ts';
import {
  type AnySize,
  allSomeNone,
  binary,
  binaryBySize,
  bySize,
  ENHANCED_1,
  ENHANCED_2,
  enhanced,
  QUADWORD,
  sized,
  TO_DOUBLEWORD,
  TO_QUADWORD,
  TO_WORD,
  ternary,
  ternaryBySize,
  unaryBySize,
  VECTOR,
  vector,
} from './elements.ts';

// Sums of 128 bits

interface Sum {
  readonly sum: V128;
  readonly carry: I64;
}
/** a + b + carry, which is 0 or 1. */
function add128(i: Insn, a: V128, b: V128, carry: I64): Sum {
  const part = (x: I64, y: I64, c: I64): { sum: I64; carry: I64 } => {
    const first = i.let(i64.add(x, y));
    const sum = i.let(i64.add(first, c));
    return { sum, carry: i.let(i64.fromU(i32.or(i64.ltU(first, x), i64.ltU(sum, c)))) };
  };
  const low = part(i.let(right(a)), right(b), carry);
  const high = part(i.let(left(a)), left(b), low.carry);
  return { sum: joined(high.sum, low.sum), carry: high.carry };
}
/** a - b is a + not b + 1; without the 1 there was a borrow before. The carry tells that there is none. */
const subtract128 = (i: Insn, a: V128, b: V128, noBorrow: I64): Sum => add128(i, a, v128.not(b), noBorrow);

const sumOf = ({ sum }: Sum): V128 => sum;
const carryOf = ({ carry }: Sum): V128 => joined(k64(0), carry);
/** With a carry in the rightmost bit of V4; M5 must say quadwords. */
const withCarry = (operation: typeof add128, result: (sum: Sum) => V128): Semantics =>
  ternary((a, b, c, i) => {
    i.programIf(i32.ne(i.field('m5'), QUADWORD), SPECIFICATION);
    return result(operation(i, a, b, i.let(i64.and(right(c), 1))));
  });

/** By size of elements, quadwords included. */
const toQuadword = (
  small: (size: Size, a: V128, b: V128) => V128,
  quadword: (i: Insn, a: V128, b: V128) => V128,
): Semantics =>
  binaryBySize<AnySize>(TO_QUADWORD, (size, a, b, i) => (size === QUADWORD ? quadword(i, a, b) : small(size, a, b)));

const ONE = k64(1);
/** Carries out of elements. */
const carries = (size: Size, a: V128, b: V128): V128 => negate(size, greaterU(size, a, add(size, a, b)));
/** One where there is no borrow. */
const noBorrows = (size: Size, a: V128, b: V128): V128 => add(size, every(size, 1), greaterU(size, b, a));

// Averages, comparisons, extremes

/** Rounded up. */
const average = (shift: typeof shiftRightS): Semantics =>
  binaryBySize(TO_DOUBLEWORD, (size, a, b) => subtract(size, v128.or(a, b), shift(size, v128.xor(a, b), k32(1))));

const compare =
  (relation: typeof equal): Semantics =>
  i => {
    const [a, b] = [i.vr('v2'), i.vr('v3')];
    bySize(i, 'm4', TO_DOUBLEWORD, size => {
      const result = i.let(relation(size, a, b));
      i.setVr('v1', result);
      i.if(i32.and(i.field('m5'), 1), () => i.setCc(allSomeNone(result)));
    });
  };
/** Compares the rightmost elements of the left doublewords. */
const compareElement =
  (kind: 'signed' | 'unsigned'): Semantics =>
  i =>
    bySize(i, 'm3', TO_DOUBLEWORD, size => {
      const unused = 64 - bitsOfSize(size);
      const [a, b] = ['v1', 'v2'].map(name => i64.shl(left(i.vr(name)), unused));
      i.cc64(kind, i.let(a!), i.let(b!));
    });

const extreme = (greater: typeof greaterS, which: 'greater' | 'less'): Semantics =>
  binaryBySize(TO_DOUBLEWORD, (size, a, b) =>
    which === 'greater' ? v128.select(a, b, greater(size, a, b)) : v128.select(b, a, greater(size, a, b)),
  );

// Products

/** Products of the elements with even or odd indexes, twice as long. */
const product = (size: Size, which: 'even' | 'odd', signed: boolean, a: V128, b: V128): V128 =>
  multiply(wider(size), half(size, which, signed, a), half(size, which, signed, b));
const products = (which: 'even' | 'odd', signed: boolean): Semantics =>
  binaryBySize(TO_WORD, (size, a, b) => product(size, which, signed, a, b));
const productsAdded = (which: 'even' | 'odd', signed: boolean): Semantics =>
  ternaryBySize(TO_WORD, (size, a, b, c) => add(wider(size), product(size, which, signed, a, b), c));

/** The left halves of the results for even and odd elements, side by side. */
function leftHalves(size: Size, of: (which: 'even' | 'odd') => V128): V128 {
  const bits = bitsOfSize(size);
  return v128.or(v128.andNot(of('even'), mask(wider(size), bits)), shiftRightU(wider(size), of('odd'), k32(bits)));
}
const highProducts = (signed: boolean): Semantics =>
  binaryBySize(TO_WORD, (size, a, b) => leftHalves(size, which => product(size, which, signed, a, b)));
const highProductsAdded = (signed: boolean): Semantics =>
  ternaryBySize(TO_WORD, (size, a, b, c) =>
    leftHalves(size, which => add(wider(size), product(size, which, signed, a, b), half(size, which, signed, c))),
  );

/** The sum of both products of doublewords, each doubled where M6 says so, and of V4. */
const multiplySum = ternary((a, b, c, i) => {
  i.programIf(i32.ne(i.field('m5'), 3), SPECIFICATION);
  const part = (side: typeof left, doubled: number): V128 => {
    const { high, low } = unsignedProduct(i, i.let(side(a)), i.let(side(b)));
    const shift = i.let(i64.fromU(i32.ne(i32.and(i.field('m6'), doubled), 0)));
    // By 0 or 1.
    const carried = i64.and(i64.shrU(low, 63), i64.sub(k64(0), shift));
    return i.let(joined(i64.or(i64.shl(high, shift), carried), i64.shl(low, shift)));
  };
  const both = add128(i, part(left, 8), part(right, 4), k64(0)).sum;
  return add128(i, i.let(both), c, k64(0)).sum;
});

// Products without carries

/** The products of a pair of elements, added modulo 2, from the bits of one factor. */
function carrylessPairs(i: Insn, size: Size, a: V128, b: V128): V128 {
  const bits = bitsOfSize(size);
  const to = wider(size);
  let sum: V128 | undefined;
  for (const which of ['even', 'odd'] as const) {
    const [x, y] = [i.let(half(size, which, false, a)), i.let(half(size, which, false, b))];
    for (let n = 0; n < bits; n++) {
      // All ones where the bit is one.
      const bit = shiftRightS(to, shiftLeft(to, y, k32(2 * bits - 1 - n)), k32(2 * bits - 1));
      const term = v128.and(shiftLeft(to, x, k32(n)), bit);
      sum = i.let(sum ? v128.xor(sum, term) : term);
    }
  }
  return sum!;
}
/**
 * The right half of a product of doublewords. Each factor is taken as four that have only every fourth bit, so that
 * carries go where there are no bits.
 */
function carrylessLow(i: Insn, a: I64, b: I64): I64 {
  const bitsOf = (value: I64): I64[] => HOLES.map(holes => i.let(i64.and(value, holes)));
  const [x, y] = [bitsOf(a), bitsOf(b)];
  const sums = HOLES.map((holes, n) => {
    const terms = x.map((part, k) => i64.mul(part, y[(n - k) & 3]!));
    return i64.and(
      terms.reduce((sum, term) => i64.xor(sum, term)),
      holes,
    );
  });
  return i.let(sums.reduce((all, part) => i64.or(all, part)));
}
const HOLES = [0, 1, 2, 3].map(n => 0x1111_1111_1111_1111n << BigInt(n));
/** The bits of each doubleword in reverse order. */
function bitsReversed(i: Insn, a: V128): V128 {
  const bytes = i.let(choose(a, a, n => n ^ 7));
  // The digits 0 to 15 with their bits reversed.
  const digits = v128Constant(0x0f07_0b03_0d05_0901_0e06_0a02_0c04_0800n);
  const low = v128.swizzle(digits, v128.and(bytes, every(0, 15)));
  return v128.or(shiftLeft(0, low, k32(4)), v128.swizzle(digits, shiftRightU(0, bytes, k32(4))));
}
/** The sum of the products of both doublewords. The left half of a product is the right one of what is reversed. */
function carrylessDoublewords(i: Insn, a: V128, b: V128): V128 {
  const sum = (x: V128, y: V128): I64 =>
    i64.xor(carrylessLow(i, i.let(left(x)), i.let(left(y))), carrylessLow(i, i.let(right(x)), i.let(right(y))));
  const reversed = sum(i.let(bitsReversed(i, a)), i.let(bitsReversed(i, b)));
  const high = left(bitsReversed(i, i.let(joined(reversed, k64(0)))));
  return joined(i64.shrU(high, 1), sum(a, b));
}
const carryless = (i: Insn, size: Size, a: V128, b: V128): V128 =>
  size === 3 ? carrylessDoublewords(i, a, b) : carrylessPairs(i, size, a, b);

// Counts, sums across elements

/** Ones for the bits from the leftmost one on. */
function smeared(i: Insn, size: Size, a: V128): V128 {
  let all = a;
  for (let n = 1; n < bitsOfSize(size); n *= 2) all = i.let(v128.or(all, shiftRightU(size, all, k32(n))));
  return all;
}
/** The rightmost element of V3 in each wider one is added to the sum of those of V2. */
const sumAcross = (sizes: readonly Size[], to: Size): Semantics =>
  binaryBySize(sizes, (size, a, b) => {
    let sum = a;
    for (let of = size; of < to; of = wider(of)) sum = pairs(of, sum);
    return add(to, sum, v128.and(b, mask(to, bitsOfSize(size))));
  });
const sumAcrossQuadword = binaryBySize([2, 3], (size, a, b, i) => {
  const doublewords = i.let(size === 3 ? a : pairs(2, a));
  const addend = i.let(size === 3 ? right(b) : i64.and(right(b), 0xffff_ffffn));
  const only = (value: I64): V128 => i.let(joined(k64(0), value));
  const both = add128(i, only(left(doublewords)), only(right(doublewords)), k64(0)).sum;
  return add128(i, i.let(both), only(addend), k64(0)).sum;
});
/** Words added with the carry brought around. */
const checksum = binary((a, b, i) => {
  const words = [extract(2, b, 1), ...[0, 1, 2, 3].map(n => extract(2, a, n))];
  let sum = i.let(words.reduce((all, word) => i64.add(all, word)));
  for (let n = 0; n < 2; n++) sum = i.let(i64.add(i64.and(sum, 0xffff_ffffn), i64.shrU(sum, 32)));
  return joined(sum, k64(0));
});

// Shifts of elements

const shiftAll =
  (shift: typeof shiftLeft): Semantics =>
  i => {
    const count = i.let(i32.wrap(i.address().va));
    const a = i.vr('v3');
    bySize(i, 'm4', TO_DOUBLEWORD, size => i.setVr('v1', shift(size, a, count)));
  };
/** Each element by the number in the same element of `counts`: by 1 where that has the last bit, by 2, and so on. */
function shiftEach(i: Insn, shift: typeof shiftLeft, size: Size, a: V128, counts: V128): V128 {
  const bits = bitsOfSize(size);
  let all = a;
  for (let n = 0; 1 << n < bits; n++) {
    const isOne = shiftRightS(size, shiftLeft(size, counts, k32(bits - 1 - n)), k32(bits - 1));
    all = i.let(v128.select(shift(size, all, k32(1 << n)), all, isOne));
  }
  return all;
}
const shiftEachElement = (shift: typeof shiftLeft): Semantics =>
  binaryBySize(TO_DOUBLEWORD, (size, a, b, i) => shiftEach(i, shift, size, a, b));

// Shifts of the whole register

/** By bytes: `fill` comes in from the left, zeros from the right. */
function byBytes(i: Insn, direction: 'left' | 'right', a: V128, bytes: I32, fill?: V128): V128 {
  const count = v128.splat8(bytes);
  if (direction === 'left') return v128.swizzle(a, v128.sub8(LANES, count));
  const lanes = i.let(v128.add8(LANES, count));
  const moved = v128.swizzle(a, lanes);
  return fill ? v128.or(moved, v128.and(fill, v128.gtU8(lanes, every(0, 15)))) : moved;
}
/** Ones everywhere if the leftmost bit is one. */
const sign = (i: Insn, a: V128): V128 => {
  const half = i.let(i64.shrS(left(a), 63));
  return i.let(joined(half, half));
};
const byteShift = (direction: 'left' | 'right', fill?: typeof sign): Semantics =>
  binary((a, b, i) => {
    const bytes = i.let(i32.and(i32.shrU(i32.wrap(left(b)), 3), 15));
    return byBytes(i, direction, a, bytes, fill?.(i, a));
  });
/**
 * By 0 to 7 bits, each byte by the number in the same byte of V3: what moves into a byte comes from the next one by as
 * much as is missing.
 */
const bitShift = (direction: 'left' | 'right', fill?: typeof sign): Semantics =>
  binary((a, b, i) => {
    const [shift, back] = direction === 'left' ? [shiftLeft, shiftRightU] : [shiftRightU, shiftLeft];
    const counts = v128.and(b, every(0, 7));
    const next = back(0, byBytes(i, direction === 'left' ? 'left' : 'right', a, k32(1), fill?.(i, a)), k32(1));
    const own = shiftEach(i, shift, 0, a, i.let(counts));
    return v128.or(own, shiftEach(i, back, 0, i.let(next), i.let(v128.xor(counts, every(0, 7)))));
  });

/** 16 bytes of V2 and V3 side by side, from a byte on. */
const doubleByteShift = binary((a, b, i) => {
  const from = i.field('i4');
  i.programIf(i32.gtU(from, 15), SPECIFICATION);
  if (from.kind === 'const') return choose(a, b, n => (n + (from.value as number)) & 31);
  const lanes = i.let(v128.sub8(LANES, v128.splat8(from)));
  return v128.or(v128.swizzle(a, lanes), v128.swizzle(b, v128.add8(lanes, every(0, 16))));
});
/** 128 bits of V2 and V3 side by side, after all have been shifted by up to 7: those on the left, or on the right. */
const doubleBitShift = (direction: 'left' | 'right'): Semantics =>
  binary((a, b, i) => {
    const count = i.let(i.field('i4'));
    i.programIf(i32.gtU(count, 7), SPECIFICATION);
    // From the doubleword and the one to its right, the first bit that is taken.
    const first = i.let(i64.fromU(direction === 'left' ? count : i32.sub(k32(63), count)));
    const doubleword = (high: I64, low: I64): I64 => {
      const shifted = direction === 'left' ? high : i64.shl(high, 1);
      return i64.or(
        i64.shl(shifted, first),
        i64.shrU(direction === 'left' ? i64.shrU(low, 1) : low, i64.sub(k64(63), first)),
      );
    };
    return direction === 'left'
      ? joined(doubleword(left(a), right(a)), doubleword(right(a), left(b)))
      : joined(doubleword(right(a), left(b)), doubleword(left(b), right(b)));
  });

export const vectorInteger: readonly Instruction[] = [
  // ADD, SUBTRACT, with carries
  insn(
    'VA',
    0xe7f3,
    VRR_c4,
    VECTOR,
    toQuadword(add, (i, a, b) => sumOf(add128(i, a, b, k64(0)))),
    sized('m4', 'BHFGQ'),
  ),
  insn(
    'VACC',
    0xe7f1,
    VRR_c4,
    VECTOR,
    toQuadword(carries, (i, a, b) => carryOf(add128(i, a, b, k64(0)))),
    sized('m4', 'BHFGQ'),
  ),
  insn('VAC', 0xe7bb, VRR_d5, VECTOR, withCarry(add128, sumOf), sized('m5', '----Q')),
  insn('VACCC', 0xe7b9, VRR_d5, VECTOR, withCarry(add128, carryOf), sized('m5', '----Q')),
  insn(
    'VS',
    0xe7f7,
    VRR_c4,
    VECTOR,
    toQuadword(subtract, (i, a, b) => sumOf(subtract128(i, a, b, ONE))),
    sized('m4', 'BHFGQ'),
  ),
  insn(
    'VSCBI',
    0xe7f5,
    VRR_c4,
    VECTOR,
    toQuadword(noBorrows, (i, a, b) => carryOf(subtract128(i, a, b, ONE))),
    sized('m4', 'BHFGQ'),
  ),
  insn('VSBI', 0xe7bf, VRR_d5, VECTOR, withCarry(subtract128, sumOf), sized('m5', '----Q')),
  insn('VSBCBI', 0xe7bd, VRR_d5, VECTOR, withCarry(subtract128, carryOf), sized('m5', '----Q')),

  // Logical operations
  insn('VN', 0xe768, VRR_c0, VECTOR, binary(v128.and), vector),
  insn('VNC', 0xe769, VRR_c0, VECTOR, binary(v128.andNot), vector),
  insn('VO', 0xe76a, VRR_c0, VECTOR, binary(v128.or), vector),
  insn('VX', 0xe76d, VRR_c0, VECTOR, binary(v128.xor), vector),
  insn(
    'VNO',
    0xe76b,
    VRR_c0,
    VECTOR,
    binary((a, b) => v128.not(v128.or(a, b))),
    vector,
  ),
  insn(
    'VNN',
    0xe76e,
    VRR_c0,
    ENHANCED_1,
    binary((a, b) => v128.not(v128.and(a, b))),
    vector,
  ),
  insn(
    'VNX',
    0xe76c,
    VRR_c0,
    ENHANCED_1,
    binary((a, b) => v128.not(v128.xor(a, b))),
    vector,
  ),
  insn(
    'VOC',
    0xe76f,
    VRR_c0,
    ENHANCED_1,
    binary((a, b) => v128.or(a, v128.not(b))),
    vector,
  ),
  insn(
    'VTM',
    0xe7d8,
    VRR_a0,
    VECTOR,
    i => {
      const bits = i.vr('v2');
      const selected = i.let(v128.and(i.vr('v1'), bits));
      const some = i32.select(v128.any(v128.xor(selected, bits)), 1, 3);
      i.setCc(i32.select(v128.any(selected), some, k32(0)));
    },
    vector,
  ),

  // AVERAGE, comparisons, MAXIMUM, MINIMUM
  insn('VAVG', 0xe7f2, VRR_c4, VECTOR, average(shiftRightS), sized('m4', 'BHFG')),
  insn('VAVGL', 0xe7f0, VRR_c4, VECTOR, average(shiftRightU), sized('m4', 'BHFG')),
  insn('VCEQ', 0xe7f8, VRR_b, VECTOR, compare(equal), sized('m4', 'BHFG')),
  insn('VCH', 0xe7fb, VRR_b, VECTOR, compare(greaterS), sized('m4', 'BHFG')),
  insn('VCHL', 0xe7f9, VRR_b, VECTOR, compare(greaterU), sized('m4', 'BHFG')),
  insn('VEC', 0xe7db, VRR_a3, VECTOR, compareElement('signed'), sized('m3', 'BHFG')),
  insn('VECL', 0xe7d9, VRR_a3, VECTOR, compareElement('unsigned'), sized('m3', 'BHFG')),
  insn('VMX', 0xe7ff, VRR_c4, VECTOR, extreme(greaterS, 'greater'), sized('m4', 'BHFG')),
  insn('VMXL', 0xe7fd, VRR_c4, VECTOR, extreme(greaterU, 'greater'), sized('m4', 'BHFG')),
  insn('VMN', 0xe7fe, VRR_c4, VECTOR, extreme(greaterS, 'less'), sized('m4', 'BHFG')),
  insn('VMNL', 0xe7fc, VRR_c4, VECTOR, extreme(greaterU, 'less'), sized('m4', 'BHFG')),

  // MULTIPLY, MULTIPLY AND ADD
  insn('VML', 0xe7a2, VRR_c4, VECTOR, binaryBySize(TO_WORD, multiply), sized('m4', 'BHF')),
  insn('VMH', 0xe7a3, VRR_c4, VECTOR, highProducts(true), sized('m4', 'BHF')),
  insn('VMLH', 0xe7a1, VRR_c4, VECTOR, highProducts(false), sized('m4', 'BHF')),
  insn('VME', 0xe7a6, VRR_c4, VECTOR, products('even', true), sized('m4', 'BHF')),
  insn('VMLE', 0xe7a4, VRR_c4, VECTOR, products('even', false), sized('m4', 'BHF')),
  insn('VMO', 0xe7a7, VRR_c4, VECTOR, products('odd', true), sized('m4', 'BHF')),
  insn('VMLO', 0xe7a5, VRR_c4, VECTOR, products('odd', false), sized('m4', 'BHF')),
  insn(
    'VMAL',
    0xe7aa,
    VRR_d5,
    VECTOR,
    ternaryBySize(TO_WORD, (size, a, b, c) => add(size, multiply(size, a, b), c)),
    sized('m5', 'BHF'),
  ),
  insn('VMAH', 0xe7ab, VRR_d5, VECTOR, highProductsAdded(true), sized('m5', 'BHF')),
  insn('VMALH', 0xe7a9, VRR_d5, VECTOR, highProductsAdded(false), sized('m5', 'BHF')),
  insn('VMAE', 0xe7ae, VRR_d5, VECTOR, productsAdded('even', true), sized('m5', 'BHF')),
  insn('VMALE', 0xe7ac, VRR_d5, VECTOR, productsAdded('even', false), sized('m5', 'BHF')),
  insn('VMAO', 0xe7af, VRR_d5, VECTOR, productsAdded('odd', true), sized('m5', 'BHF')),
  insn('VMALO', 0xe7ad, VRR_d5, VECTOR, productsAdded('odd', false), sized('m5', 'BHF')),
  insn('VMSL', 0xe7b8, VRR_d, ENHANCED_1, multiplySum, sized('m5', '---G')),
  insn(
    'VGFM',
    0xe7b4,
    VRR_c4,
    VECTOR,
    binaryBySize(TO_DOUBLEWORD, (size, a, b, i) => carryless(i, size, a, b)),
    sized('m4', 'BHFG'),
  ),
  insn(
    'VGFMA',
    0xe7bc,
    VRR_d5,
    VECTOR,
    ternaryBySize(TO_DOUBLEWORD, (size, a, b, c, i) => v128.xor(carryless(i, size, a, b), c)),
    sized('m5', 'BHFG'),
  ),

  // Counts, signs, sums
  insn(
    'VCLZ',
    0xe753,
    VRR_a3,
    VECTOR,
    unaryBySize(TO_DOUBLEWORD, (size, a, i) => ones(size, v128.not(smeared(i, size, a)))),
    sized('m3', 'BHFG'),
  ),
  insn(
    'VCTZ',
    0xe752,
    VRR_a3,
    VECTOR,
    unaryBySize(TO_DOUBLEWORD, (size, a) => ones(size, v128.andNot(subtract(size, a, every(size, 1)), a))),
    sized('m3', 'BHFG'),
  ),
  insn(
    'VPOPCT',
    0xe750,
    VRR_a3,
    VECTOR,
    unaryBySize(TO_DOUBLEWORD, (size, a, i) => {
      if (size) enhanced(i, state.LACKS_ENHANCEMENTS_1);
      return ones(size, a);
    }),
    sized('m3', 'BHFG'),
  ),
  insn('VLC', 0xe7de, VRR_a3, VECTOR, unaryBySize(TO_DOUBLEWORD, negate), sized('m3', 'BHFG')),
  insn('VLP', 0xe7df, VRR_a3, VECTOR, unaryBySize(TO_DOUBLEWORD, absolute), sized('m3', 'BHFG')),
  insn('VSUM', 0xe764, VRR_c4, VECTOR, sumAcross([0, 1], 2), sized('m4', 'BH')),
  insn('VSUMG', 0xe765, VRR_c4, VECTOR, sumAcross([1, 2], 3), sized('m4', '-HF')),
  insn('VSUMQ', 0xe767, VRR_c4, VECTOR, sumAcrossQuadword, sized('m4', '--FG')),
  insn('VCKSM', 0xe766, VRR_c0, VECTOR, checksum, vector),

  // Shifts and rotations of elements
  insn('VESL', 0xe730, VRS_a, VECTOR, shiftAll(shiftLeft), sized('m4', 'BHFG')),
  insn('VESRA', 0xe73a, VRS_a, VECTOR, shiftAll(shiftRightS), sized('m4', 'BHFG')),
  insn('VESRL', 0xe738, VRS_a, VECTOR, shiftAll(shiftRightU), sized('m4', 'BHFG')),
  insn('VERLL', 0xe733, VRS_a, VECTOR, shiftAll(rotate), sized('m4', 'BHFG')),
  insn('VESLV', 0xe770, VRR_c4, VECTOR, shiftEachElement(shiftLeft), sized('m4', 'BHFG')),
  insn('VESRAV', 0xe77a, VRR_c4, VECTOR, shiftEachElement(shiftRightS), sized('m4', 'BHFG')),
  insn('VESRLV', 0xe778, VRR_c4, VECTOR, shiftEachElement(shiftRightU), sized('m4', 'BHFG')),
  insn('VERLLV', 0xe773, VRR_c4, VECTOR, shiftEachElement(rotate), sized('m4', 'BHFG')),
  insn(
    'VERIM',
    0xe772,
    VRI_d,
    VECTOR,
    i => {
      const [target, a, selected] = [i.vr('v1'), i.vr('v2'), i.vr('v3')];
      const count = i.let(i.field('i4'));
      bySize(i, 'm5', TO_DOUBLEWORD, size => i.setVr('v1', v128.select(rotate(size, a, count), target, selected)));
    },
    sized('m5', 'BHFG'),
  ),

  // Shifts of the whole register
  insn('VSL', 0xe774, VRR_c0, VECTOR, bitShift('left'), vector),
  insn('VSRL', 0xe77c, VRR_c0, VECTOR, bitShift('right'), vector),
  insn('VSRA', 0xe77e, VRR_c0, VECTOR, bitShift('right', sign), vector),
  insn('VSLB', 0xe775, VRR_c0, VECTOR, byteShift('left'), vector),
  insn('VSRLB', 0xe77d, VRR_c0, VECTOR, byteShift('right'), vector),
  insn('VSRAB', 0xe77f, VRR_c0, VECTOR, byteShift('right', sign), vector),
  insn('VSLDB', 0xe777, VRI_d0, VECTOR, doubleByteShift, vector),
  insn('VSLD', 0xe786, VRI_d0, ENHANCED_2, doubleBitShift('left'), vector),
  insn('VSRD', 0xe787, VRI_d0, ENHANCED_2, doubleBitShift('right'), vector),
];
