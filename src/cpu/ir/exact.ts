/** What rounding takes away, as expressions over the host's arithmetic (error-free transformations). */

import { type F32, type F64, f64, type I32, type I64, i32, i64, kf64 } from './expr.ts';

/** The operations that the host has for both formats. */
export interface Host<F extends F32 | F64> {
  add(a: F, b: F): F;
  sub(a: F, b: F): F;
  mul(a: F, b: F): F;
  div(a: F, b: F): F;
  sqrt(a: F): F;
  eq(a: F, b: F): I32;
  ne(a: F, b: F): I32;
  lt(a: F, b: F): I32;
  gt(a: F, b: F): I32;
}

/**
 * What must be added to the rounded sum of two numbers to make it precise; a NaN if the sum is infinite or a NaN.
 * @param once evaluates an expression
 */
export function restOfSum<F extends F32 | F64>({ add, sub }: Host<F>, once: (e: F) => F, a: F, b: F, sum: F): F {
  const second = once(sub(sum, a));
  return add(sub(a, sub(sum, second)), sub(b, second));
}

/**
 * A sum rounded to nearest, with the rest of it, as rounding to odd makes it: inexact results have an odd last bit, so
 * that rounding again to fewer bits is as good as rounding once.
 */
export function roundedToOdd(sum: F64, rest: F64): F64 {
  const bits = i64.bits(sum);
  const away: I64 = i64.select(i64.ltS(i64.xor(bits, i64.bits(rest)), 0), -1, 1);
  const even = i32.eqz(i32.and(i32.wrap(bits), 1));
  return f64.fromBits(i64.add(bits, i64.select(i32.and(f64.ne(rest, kf64(0)), even), away, 0)));
}
