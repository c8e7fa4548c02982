/**
 * IEEE rounding methods (PoP ch. 9, rounding): their names, where an instruction finds the one it uses,
 * and the one decision that they differ in.
 */

/** A rounding method, numbered as the M3 and M4 fields of the BFP instructions number it. */
export type Rounding = 1 | 3 | 4 | 5 | 6 | 7;

export const TIES_AWAY = 1;
/** Round to prepare for shorter precision: an inexact binary result gets an odd last bit, so that rounding it again is safe. */
export const PREPARE_SHORTER = 3;
export const TIES_EVEN = 4;
export const TOWARD_ZERO = 5;
export const TOWARD_PLUS = 6;
export const TOWARD_MINUS = 7;

// Indexed by the BFP rounding mode. 4 to 6 are invalid: no instruction lets them into the FPC.
const BY_MODE: readonly Rounding[] = [
  TIES_EVEN,
  TOWARD_ZERO,
  TOWARD_PLUS,
  TOWARD_MINUS,
  TIES_EVEN,
  TIES_EVEN,
  TIES_EVEN,
  PREPARE_SHORTER,
];

/** The method that the BFP-rounding-mode field (bits 29-31) of the floating-point-control register selects. */
export function currentRounding(fpc: number): Rounding {
  return BY_MODE[fpc & 7]!;
}

/**
 * Whether a rounding-method field holds a valid value; otherwise the instruction ends in a specification exception.
 * Value 3 needs the floating-point extension facility.
 */
export function isRoundingField(field: number): boolean {
  return field < 8 && field !== 2;
}

/**
 * The method that an instruction uses, given its M3 or M4 rounding-method field: 0 stands for the current mode.
 * The field must satisfy isRoundingField.
 */
export function roundingFor(fpc: number, field: number): Rounding {
  return field === 0 ? currentRounding(fpc) : (field as Rounding);
}

/**
 * Whether a value that lies between two neighbours goes to the one greater in magnitude.
 *
 * @param rounding the method
 * @param negative sign of the value
 * @param odd whether the last bit of the neighbour smaller in magnitude is one
 * @param half the discarded part, which is not zero, against half the distance of the neighbours: negative, zero or positive
 */
export function roundsAway(rounding: Rounding, negative: boolean, odd: boolean, half: number): boolean {
  switch (rounding) {
    case TIES_EVEN:
      return half > 0 || (half === 0 && odd);
    case TIES_AWAY:
      return half >= 0;
    case TOWARD_ZERO:
      return false;
    case TOWARD_PLUS:
      return !negative;
    case TOWARD_MINUS:
      return negative;
    case PREPARE_SHORTER:
      return !odd;
  }
}
