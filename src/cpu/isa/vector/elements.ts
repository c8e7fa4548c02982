/** What the tables of vector instructions have in common: facilities, conditions, and the choice by size of elements. */

import { type I32, i32, type V128, v128 } from '../../ir/expr.ts';
import type { Size } from '../../ir/vector.ts';
import { SPECIFICATION } from '../../program.ts';
import * as state from '../../state.ts';
import type { Conditions, Insn, Semantics } from '../insn.ts';

/** The vector facility, and vector-enhancements facilities 1 and 2. */
export const VECTOR = 129;
export const ENHANCED_1 = 135;
export const ENHANCED_2 = 148;

export const vector: Conditions = { additionalFloatingPoint: 'vector', apart: true };
/** The mask field with the size of elements, and letters of the sizes from byte on. */
export const sized = (field: string, letters: string): Conditions => ({ ...vector, sizes: { [field]: letters } });

/**
 * A specification exception where a vector-enhancements facility is missing that brings what an older instruction asks for.
 * @param lack state.LACKS_*
 */
export function enhanced(i: Insn, lack: number): void {
  i.programIf(i32.and(i.state32(state.LACKING), lack), SPECIFICATION);
}

/** A quadword, where a size field may have it. */
export const QUADWORD = 4;
export type AnySize = Size | typeof QUADWORD;

/** Does what is to be done for the size in a mask field; a specification exception unless it is one of those given. */
export function bySize<S extends number>(i: Insn, field: string, sizes: readonly S[], body: (size: S) => void): void {
  const code = i.let(i.field(field));
  const isKnown = sizes.reduce<I32>((any, size) => i32.or(any, i32.eq(code, size)), i32.eq(code, sizes[0]!));
  i.programIf(i32.eqz(isKnown), SPECIFICATION);
  const choose = ([size, ...others]: readonly S[]): void => {
    if (!others.length) return body(size!);
    i.if(
      i32.eq(code, size!),
      () => body(size!),
      () => choose(others),
    );
  };
  choose(sizes);
}

export const TO_WORD: readonly Size[] = [0, 1, 2];
export const TO_DOUBLEWORD: readonly Size[] = [0, 1, 2, 3];
export const FROM_HALFWORD: readonly Size[] = [1, 2, 3];
export const TO_QUADWORD: readonly AnySize[] = [0, 1, 2, 3, QUADWORD];

/** V1 becomes a function of V2, or of V2 and V3, and so on. */
export const unary =
  (result: (a: V128, i: Insn) => V128): Semantics =>
  i =>
    i.setVr('v1', result(i.vr('v2'), i));
export const binary =
  (result: (a: V128, b: V128, i: Insn) => V128): Semantics =>
  i =>
    i.setVr('v1', result(i.vr('v2'), i.vr('v3'), i));
export const ternary =
  (result: (a: V128, b: V128, c: V128, i: Insn) => V128): Semantics =>
  i =>
    i.setVr('v1', result(i.vr('v2'), i.vr('v3'), i.vr('v4'), i));

// The same by size of elements.

export const unaryBySize =
  (sizes: readonly Size[], result: (size: Size, a: V128, i: Insn) => V128): Semantics =>
  i => {
    const a = i.vr('v2');
    bySize(i, 'm3', sizes, size => i.setVr('v1', result(size, a, i)));
  };
export const binaryBySize =
  <S extends AnySize>(sizes: readonly S[], result: (size: S, a: V128, b: V128, i: Insn) => V128): Semantics =>
  i => {
    const [a, b] = [i.vr('v2'), i.vr('v3')];
    bySize(i, 'm4', sizes, size => i.setVr('v1', result(size, a, b, i)));
  };
export const ternaryBySize =
  (sizes: readonly Size[], result: (size: Size, a: V128, b: V128, c: V128, i: Insn) => V128): Semantics =>
  i => {
    const [a, b, c] = [i.vr('v2'), i.vr('v3'), i.vr('v4')];
    bySize(i, 'm5', sizes, size => i.setVr('v1', result(size, a, b, c, i)));
  };

/** Condition code of an instruction that looks at elements: 0 all are ones, 1 some, 3 none. */
export const allSomeNone = (mask: V128): I32 => i32.select(v128.all8(mask), 0, i32.select(v128.any(mask), 1, 3));
