/** Vector string instructions (PoP ch. 23). */

import { type I32, i32, i64, k32, k64, type V128, v128 } from '../../ir/expr.ts';
import {
  bitsOfSize,
  elementsOf,
  equal,
  firstBytes,
  greaterU,
  joined,
  type Size,
  shiftLeft,
  shiftRightS,
  spread,
  ZERO,
} from '../../ir/vector.ts';
import { searchString } from '../../millicode/vector.ts';
import { SPECIFICATION } from '../../program.ts';
import { VRR_a5, VRR_b, VRR_d } from '../formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from '../insn.ts';
import { bySize, ENHANCED_2, sized, TO_WORD, VECTOR } from './elements.ts';

// Flags in the last mask field
const INVERT = 8;
const RESULT_TYPE = 4;
const ZERO_SEARCH = 2;
const CODE_SET = 1;

/** Index of the first byte that is not zero, of elements of ones and zeros; 16: there is none. */
const firstByte = (mask: V128): I32 => i32.sub(i32.clz(v128.bitmask8(mask)), 16);

/** Elements of V2 that are zero, if they are to be found. */
const zeros = (size: Size, a: V128, flags: I32): V128 =>
  v128.and(equal(size, a, ZERO), v128.splat8(i32.sub(k32(0), i32.and(i32.shrU(flags, 1), 1))));

/** V1 becomes the index of a byte, in the left doubleword. */
const setIndex = (i: Insn, index: I32): void => i.setVr('v1', joined(i64.fromU(index), k64(0)));

/** 0: a zero comes first, 1: something was found and no zero, 2: before a zero, 3: neither. */
function foundCode(found: I32, zero: I32): I32 {
  const without = i32.select(i32.eq(found, 16), 3, 1);
  return i32.select(i32.eq(zero, 16), without, i32.shl(i32.ltU(found, zero), 1));
}

/** The flags that an instruction has; those that must be zero cause a specification exception. */
function flagsOf(i: Insn, field: string, valid: number): I32 {
  const flags = i.let(i.field(field));
  i.programIf(i32.and(flags, 15 & ~valid), SPECIFICATION);
  return flags;
}

/** FIND ELEMENT EQUAL. */
const findEqual: Semantics = i => {
  const [a, b] = [i.vr('v2'), i.vr('v3')];
  const flags = flagsOf(i, 'm5', ZERO_SEARCH | CODE_SET);
  bySize(i, 'm4', TO_WORD, size => {
    const found = i.let(equal(size, a, b));
    const zero = i.let(zeros(size, a, flags));
    setIndex(i, firstByte(v128.or(found, zero)));
    i.if(i32.and(flags, CODE_SET), () => i.setCc(foundCode(i.let(firstByte(found)), i.let(firstByte(zero)))));
  });
};

/** FIND ELEMENT NOT EQUAL. */
const findNotEqual: Semantics = i => {
  const [a, b] = [i.vr('v2'), i.vr('v3')];
  const flags = flagsOf(i, 'm5', ZERO_SEARCH | CODE_SET);
  bySize(i, 'm4', TO_WORD, size => {
    const differs = i.let(v128.not(equal(size, a, b)));
    const zero = i.let(zeros(size, a, flags));
    setIndex(i, firstByte(v128.or(differs, zero)));
    i.if(i32.and(flags, CODE_SET), () => {
      const at = i.let(firstByte(differs));
      // Where they differ first, V2 is less.
      const isLess = i32.eq(firstByte(greaterU(size, b, a)), at);
      const code = i32.select(i32.eq(at, 16), 3, i32.sub(k32(2), isLess));
      i.setCc(i32.select(i32.ltU(firstByte(zero), at), 0, code));
    });
  });
};

/** The rest of FIND ANY ELEMENT EQUAL and STRING RANGE COMPARE: what to make of the elements that suit. */
function report(i: Insn, size: Size, a: V128, flags: I32, suits: V128): void {
  const inverted = v128.splat8(i32.sub(k32(0), i32.shrU(flags, 3)));
  const found = i.let(v128.xor(suits, inverted));
  const zero = i.let(zeros(size, a, flags));
  i.if(
    i32.and(flags, RESULT_TYPE),
    () => i.setVr('v1', found),
    () => setIndex(i, firstByte(v128.or(found, zero))),
  );
  i.if(i32.and(flags, CODE_SET), () => i.setCc(foundCode(i.let(firstByte(found)), i.let(firstByte(zero)))));
}

/** FIND ANY ELEMENT EQUAL. */
const findAny: Semantics = i => {
  const [a, b] = [i.vr('v2'), i.vr('v3')];
  const flags = flagsOf(i, 'm5', INVERT | RESULT_TYPE | ZERO_SEARCH | CODE_SET);
  bySize(i, 'm4', TO_WORD, size => {
    let any = ZERO;
    for (let n = 0; n < elementsOf(size); n++) any = i.let(v128.or(any, equal(size, a, spread(size, b, n))));
    report(i, size, a, flags, any);
  });
};

/** STRING RANGE COMPARE: elements of V3 are limits of ranges, those of V4 tell how to compare with them. */
const compareRanges: Semantics = i => {
  const [a, limits, controls] = [i.vr('v2'), i.vr('v3'), i.vr('v4')];
  const flags = flagsOf(i, 'm6', INVERT | RESULT_TYPE | ZERO_SEARCH | CODE_SET);
  bySize(i, 'm5', TO_WORD, size => {
    const last = k32(bitsOfSize(size) - 1);
    const control = (bit: number): V128 => i.let(shiftRightS(size, shiftLeft(size, controls, k32(bit)), last));
    const [ifEqual, ifLess, ifGreater] = [control(0), control(1), control(2)];
    const suits = (n: number): V128 => {
      const limit = i.let(spread(size, limits, n));
      const equals = v128.and(equal(size, a, limit), spread(size, ifEqual, n));
      const less = v128.and(greaterU(size, limit, a), spread(size, ifLess, n));
      return v128.or(v128.or(equals, less), v128.and(greaterU(size, a, limit), spread(size, ifGreater, n)));
    };
    let any = ZERO;
    for (let n = 0; n < elementsOf(size); n += 2) any = i.let(v128.or(any, v128.and(suits(n), suits(n + 1))));
    report(i, size, a, flags, any);
  });
};

/** ISOLATE STRING: zeros from the first zero on. */
const isolate: Semantics = i => {
  const a = i.vr('v2');
  const flags = flagsOf(i, 'm5', CODE_SET);
  bySize(i, 'm3', TO_WORD, size => {
    const end = i.let(firstByte(equal(size, a, ZERO)));
    i.setVr('v1', v128.and(a, firstBytes(end)));
    i.if(i32.and(flags, CODE_SET), () => i.setCc(i32.select(i32.eq(end, 16), 3, 0)));
  });
};

export const vectorStrings: readonly Instruction[] = [
  insn('VFAE', 0xe782, VRR_b, VECTOR, findAny, sized('m4', 'BHF')),
  insn('VFEE', 0xe780, VRR_b, VECTOR, findEqual, sized('m4', 'BHF')),
  insn('VFENE', 0xe781, VRR_b, VECTOR, findNotEqual, sized('m4', 'BHF')),
  insn('VISTR', 0xe75c, VRR_a5, VECTOR, isolate, sized('m3', 'BHF')),
  insn('VSTRC', 0xe78a, VRR_d, VECTOR, compareRanges, sized('m5', 'BHF')),
  insn(
    'VSTRS',
    0xe78b,
    VRR_d,
    ENHANCED_2,
    i => {
      flagsOf(i, 'm6', ZERO_SEARCH);
      i.programIf(i32.gtU(i.field('m5'), 2), SPECIFICATION);
      i.millicode(searchString);
    },
    sized('m5', 'BHF'),
  ),
];
