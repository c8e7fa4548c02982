/** What rounding takes away, as expressions over the host's arithmetic (error-free transformations). */

import type { F32, F64, I32 } from './expr.ts';

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
