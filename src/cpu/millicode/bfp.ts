/**
 * The arithmetic of the binary-floating-point instructions (PoP ch. 19), exact in every rounding mode and with every
 * exception, as functions of bit patterns and the floating-point-control register (FPC). They change no state:
 *
 *     const out = add(LONG, a, b, fpc);
 *     if (out.suppressed) dataException(out.dxc);
 *     fpr[r1] = out.result; cc = out.cc; fpc |= out.flags;
 *     if (out.dxc !== 0) dataException(out.dxc);
 *
 * Formats are SHORT, LONG and EXTENDED; patterns are unsigned bigints of the format's width. The arguments m3 and m4
 * are instruction fields: a rounding method that satisfies isRoundingField, and the modifiers of which bit 1 suppresses
 * the recognition of inexactness. Facilities, register pairs and specification exceptions are the caller's business.
 */

import type { Exact, Format, Operand, Outcome } from './ieee/binary.ts';
import { bitLength, outcome, packNormal, product, roundAndPack, shiftAndRound, sum, unpack } from './ieee/binary.ts';
import type { Effects } from './ieee/exceptions.ts';
import { DIVIDE_BY_ZERO, effectsOf, INEXACT, INVALID, NO_EFFECTS } from './ieee/exceptions.ts';
import type { Rounding } from './ieee/rounding.ts';
import { currentRounding, roundingFor, roundsAway, TOWARD_MINUS } from './ieee/rounding.ts';

export { EXTENDED, LONG, SHORT } from './ieee/binary.ts';
export { isRoundingField } from './ieee/rounding.ts';
export type { Effects, Format, Outcome };

/** An outcome that sets the condition code. */
export type CodedOutcome = Outcome & { readonly cc: number };

/** The outcome of a comparison: no result but the condition code. */
export type Comparison = Effects & { readonly cc: number };

/** The outcome of LOAD ROUNDED: the format of the result is the source's after a trapped overflow or underflow. */
export type RoundedOutcome = Outcome & { readonly format: Format };

/** The outcome of DIVIDE TO INTEGER. */
export type Division = Effects & {
  readonly quotient: bigint;
  readonly remainder: bigint;
  readonly cc: number;
};

const isNan = ({ kind }: Operand): boolean => kind === 'QNaN' || kind === 'SNaN';

// XxC, the IEEE-inexact-exception control.
const suppressesInexact = (m4: number): boolean => (m4 & 4) !== 0;

const signed = (format: Format, negative: boolean, magnitude: bigint): bigint =>
  negative ? format.sign | magnitude : magnitude;

/** The default NaN, for an operation that is invalid in itself. */
function invalid(format: Format, fpc: number): Outcome {
  return outcome(format.defaultNaN, effectsOf(fpc, INVALID, false));
}

/**
 * The result of an operation with at least one NaN among its operands (PoP ch. 19, NaNs): the first
 * signaling NaN made quiet, otherwise the first quiet NaN.
 */
function propagate(format: Format, fpc: number, ...operands: Operand[]): Outcome {
  const signaling = operands.find(({ kind }) => kind === 'SNaN');
  if (signaling !== undefined) return outcome(signaling.bits | format.quiet, effectsOf(fpc, INVALID, false));
  return outcome(operands.find(isNan)!.bits);
}

/** Condition code for a value: 0 zero, 1 less than zero, 2 greater than zero, 3 NaN. */
export function conditionCode(format: Format, bits: bigint): number {
  const magnitude = bits & ~format.sign;
  if (magnitude === 0n) return 0;
  if (magnitude > format.infinity) return 3;
  return bits === magnitude ? 2 : 1;
}

function coded(format: Format, out: Outcome): CodedOutcome {
  const { result, flags, dxc, suppressed } = out;
  return { result, flags, dxc, suppressed, cc: conditionCode(format, result) };
}

// ---- addition, multiplication, division, square root ----

// Zero as the sum of values that cancel; zeros of like sign keep it.
const cancelled = (format: Format, rounding: Rounding): bigint => (rounding === TOWARD_MINUS ? format.sign : 0n);

// The rounded sum of two finite values, zeros included.
function addFinite(format: Format, x: Exact, y: Exact, fpc: number): Outcome {
  const rounding = currentRounding(fpc);
  if (x.significand === 0n && y.significand === 0n) {
    return outcome(x.negative === y.negative ? signed(format, x.negative, 0n) : cancelled(format, rounding));
  }
  const total = x.significand === 0n ? y : y.significand === 0n ? x : sum(format, x, y);
  if (total.significand === 0n) return outcome(cancelled(format, rounding));
  return roundAndPack(format, total, fpc, { rounding });
}

function addOperands(format: Format, x: Operand, y: Operand, fpc: number): Outcome {
  if (isNan(x) || isNan(y)) return propagate(format, fpc, x, y);
  if (x.kind === 'infinity') {
    return y.kind === 'infinity' && x.negative !== y.negative ? invalid(format, fpc) : outcome(x.bits);
  }
  if (y.kind === 'infinity') return outcome(y.bits);
  return addFinite(format, x, y, fpc);
}

// The operand with its sign inverted, unless it is a NaN.
function inverted(format: Format, x: Operand): Operand {
  return isNan(x) ? x : { ...x, negative: !x.negative, bits: x.bits ^ format.sign };
}

/** ADD: a + b, with its condition code. */
export function add(format: Format, a: bigint, b: bigint, fpc: number): CodedOutcome {
  return coded(format, addOperands(format, unpack(format, a), unpack(format, b), fpc));
}

/** SUBTRACT: a − b, with its condition code. */
export function subtract(format: Format, a: bigint, b: bigint, fpc: number): CodedOutcome {
  return coded(format, addOperands(format, unpack(format, a), inverted(format, unpack(format, b)), fpc));
}

/** MULTIPLY, result in the format of the operands: a × b. */
export function multiply(format: Format, a: bigint, b: bigint, fpc: number): Outcome {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const negative = x.negative !== y.negative;
  if (isNan(x) || isNan(y)) return propagate(format, fpc, x, y);
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    if (x.kind === 'zero' || y.kind === 'zero') return invalid(format, fpc);
    return outcome(signed(format, negative, format.infinity));
  }
  if (x.kind === 'zero' || y.kind === 'zero') return outcome(signed(format, negative, 0n));
  return roundAndPack(format, product(x, y), fpc, { rounding: currentRounding(fpc) });
}

/** MULTIPLY with operands in one format and the result, which is exact, in the next longer one (MDEB, MXDB). */
export function multiplyLonger(from: Format, to: Format, a: bigint, b: bigint, fpc: number): Outcome {
  const x = unpack(from, a);
  const y = unpack(from, b);
  if (isNan(x) || isNan(y)) {
    const { result, ...effects } = propagate(from, fpc, x, y);
    return outcome(reformatNaN(from, to, result), effects);
  }
  return multiply(to, lengthen(to, x), lengthen(to, y), fpc);
}

/** DIVIDE: a ÷ b. */
export function divide(format: Format, a: bigint, b: bigint, fpc: number): Outcome {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const negative = x.negative !== y.negative;
  if (isNan(x) || isNan(y)) return propagate(format, fpc, x, y);
  if (x.kind === 'infinity') {
    return y.kind === 'infinity' ? invalid(format, fpc) : outcome(signed(format, negative, format.infinity));
  }
  if (y.kind === 'infinity') return outcome(signed(format, negative, 0n));
  if (y.kind === 'zero') {
    if (x.kind === 'zero') return invalid(format, fpc);
    return outcome(signed(format, negative, format.infinity), effectsOf(fpc, DIVIDE_BY_ZERO, false));
  }
  if (x.kind === 'zero') return outcome(signed(format, negative, 0n));

  // At least two bits more than the precision even if x is the smallest subnormal, and a last bit for the rest.
  const shift = 2 * format.precision + 2;
  const dividend = x.significand << BigInt(shift);
  const quotient = dividend / y.significand;
  const rest = quotient * y.significand === dividend ? 0n : 1n;
  const value = { negative, exponent: x.exponent - y.exponent - shift - 1, significand: (quotient << 1n) | rest };
  return roundAndPack(format, value, fpc, { rounding: currentRounding(fpc) });
}

// The integer part of the square root of a positive integer below 2**1023.
function integerRoot(value: bigint): bigint {
  // Newton's steps never fall below the integer part, so the first one at or below the root is it.
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  do root = (root + value / root) >> 1n;
  while (root * root > value);
  return root;
}

/** SQUARE ROOT. */
export function squareRoot(format: Format, a: bigint, fpc: number): Outcome {
  const x = unpack(format, a);
  if (isNan(x)) return propagate(format, fpc, x);
  if (x.kind === 'zero') return outcome(a);
  if (x.negative) return invalid(format, fpc);
  if (x.kind === 'infinity') return outcome(a);

  // An even exponent, at least two bits of root more than the precision, and a last bit for the rest.
  const wide = 2 * (format.precision + 2) - bitLength(x.significand);
  const shift = wide + ((x.exponent - wide) & 1);
  const radicand = x.significand << BigInt(shift);
  const root = integerRoot(radicand);
  const rest = root * root === radicand ? 0n : 1n;
  const value = { negative: false, exponent: (x.exponent - shift) / 2 - 1, significand: (root << 1n) | rest };
  return roundAndPack(format, value, fpc, { rounding: currentRounding(fpc) });
}

// PoP ch. 19, MULTIPLY AND ADD: an invalid product is the result, whatever the addend.
function fused(format: Format, x: Operand, y: Operand, addend: Operand, fpc: number): Outcome {
  if (isNan(x) || isNan(y)) return propagate(format, fpc, x, y, addend);
  const negative = x.negative !== y.negative;
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    if (x.kind === 'zero' || y.kind === 'zero') return invalid(format, fpc);
    if (isNan(addend)) return propagate(format, fpc, addend);
    if (addend.kind === 'infinity' && addend.negative !== negative) return invalid(format, fpc);
    return outcome(signed(format, negative, format.infinity));
  }
  if (isNan(addend)) return propagate(format, fpc, addend);
  if (addend.kind === 'infinity') return outcome(addend.bits);
  return addFinite(format, product(x, y), addend, fpc);
}

/**
 * MULTIPLY AND ADD: a × b + c, rounded once. The first NaN counts in this order; the instructions on floating-point
 * registers have their third operand as a, their second as b and their first as c.
 */
export function multiplyAdd(format: Format, a: bigint, b: bigint, c: bigint, fpc: number): Outcome {
  return fused(format, unpack(format, a), unpack(format, b), unpack(format, c), fpc);
}

/** MULTIPLY AND SUBTRACT: a × b − c, rounded once, with operands as for multiplyAdd. */
export function multiplySubtract(format: Format, a: bigint, b: bigint, c: bigint, fpc: number): Outcome {
  return fused(format, unpack(format, a), unpack(format, b), inverted(format, unpack(format, c)), fpc);
}

/**
 * DIVIDE TO INTEGER: the integer quotient n of a ÷ b and the remainder a − b × n.
 *
 * If both integers next to the precise quotient fit the precision, n is the one that the method in `m4` chooses, and
 * the remainder is rounded in the current mode. Otherwise both results are partial: n is the precise quotient
 * truncated to the precision, and the remainder is exact and nonzero. A quotient beyond the format's range is scaled
 * down without any exception.
 *
 * Condition code: 0 remainder complete, quotient normal; 1 remainder complete, quotient scaled or NaN; 2 and 3 the same
 * with an incomplete remainder.
 */
export function divideToInteger(format: Format, a: bigint, b: bigint, fpc: number, m4: number): Division {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const nan = isNan(x) || isNan(y);
  if (nan || x.kind === 'infinity' || y.kind === 'zero') {
    const { result, ...effects } = nan ? propagate(format, fpc, x, y) : invalid(format, fpc);
    return { quotient: result, remainder: result, cc: 1, ...effects };
  }
  const negative = x.negative !== y.negative;
  if (x.kind === 'zero' || y.kind === 'infinity') {
    return { quotient: signed(format, negative, 0n), remainder: a, cc: 0, ...NO_EFFECTS };
  }

  const { quotient: n, partial } = integerQuotient(format, x, y, roundingFor(fpc, m4));
  if (n.significand === 0n) {
    const { result, ...effects } = roundAndPack(format, x, fpc, { rounding: currentRounding(fpc) });
    return { quotient: signed(format, negative, 0n), remainder: result, cc: 0, ...effects };
  }
  const scaled = n.exponent + bitLength(n.significand) - 1 > format.maxExponent;
  const quotient = packNormal(format, scaled ? { ...n, exponent: n.exponent - format.scale } : n);
  const cc = (partial ? 2 : 0) + (scaled ? 1 : 0);
  // Dividend and b × n have the same sign.
  const rest = sum(format, x, { ...product(y, n), negative: !x.negative });
  if (rest.significand === 0n) return { quotient, remainder: signed(format, x.negative, 0n), cc, ...NO_EFFECTS };
  const { result, ...effects } = roundAndPack(format, rest, fpc, { rounding: currentRounding(fpc) });
  return { quotient, remainder: result, cc, ...effects };
}

// The quotient of two finite, nonzero numbers as an integer of at most the format's precision.
function integerQuotient(
  format: Format,
  x: Exact,
  y: Exact,
  rounding: Rounding,
): { quotient: Exact; partial: boolean } {
  const negative = x.negative !== y.negative;
  const gap = x.exponent - y.exponent;
  const excess = gap + bitLength(x.significand) - bitLength(y.significand);
  if (excess < -1) {
    // The precise quotient is less than one half in magnitude.
    const significand = roundsAway(rounding, negative, false, -1) ? 1n : 0n;
    return { quotient: { negative, exponent: 0, significand }, partial: false };
  }
  // Integer division gives the precision's number of bits or one more, unless the whole quotient has fewer.
  const exponent = Math.max(0, excess - format.precision);
  const shift = gap - exponent;
  const dividend = shift > 0 ? x.significand << BigInt(shift) : x.significand;
  const divisor = shift < 0 ? y.significand << BigInt(-shift) : y.significand;
  let significand = dividend / divisor;
  const rest = dividend - significand * divisor;

  const tooLong = significand >= format.implied << 1n;
  if (exponent > 0 || tooLong) {
    // A whole quotient has no more bits than its dividend: if the bit to be cut off is one, there is a rest as well.
    if (tooLong) significand -= significand & 1n;
    return { quotient: { negative, exponent, significand }, partial: rest !== 0n };
  }
  if (rest !== 0n) {
    const doubled = rest << 1n;
    const half = doubled > divisor ? 1 : doubled < divisor ? -1 : 0;
    if (roundsAway(rounding, negative, (significand & 1n) !== 0n, half)) significand += 1n;
  }
  return { quotient: { negative, exponent, significand }, partial: false };
}

// ---- comparison and test ----

function compared(format: Format, a: bigint, b: bigint, fpc: number, signalsQuiet: boolean): Comparison {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (isNan(x) || isNan(y)) {
    const raised = signalsQuiet || x.kind === 'SNaN' || y.kind === 'SNaN' ? INVALID : 0;
    return { cc: 3, ...effectsOf(fpc, raised, false) };
  }
  // As signed integers, sign-magnitude patterns order like their values, and both zeros become zero.
  const left = x.negative ? format.sign - a : a;
  const right = y.negative ? format.sign - b : b;
  return { cc: left === right ? 0 : left < right ? 1 : 2, ...effectsOf(fpc, 0, false) };
}

/** COMPARE: condition code 0 equal, 1 a low, 2 a high, 3 unordered. Invalid for a signaling NaN only. */
export function compare(format: Format, a: bigint, b: bigint, fpc: number): Comparison {
  return compared(format, a, b, fpc, false);
}

/** COMPARE AND SIGNAL: like compare, but invalid for any NaN. */
export function compareAndSignal(format: Format, a: bigint, b: bigint, fpc: number): Comparison {
  return compared(format, a, b, fpc, true);
}

/** LOAD AND TEST: the operand, a signaling NaN made quiet, with its condition code. */
export function loadAndTest(format: Format, a: bigint, fpc: number): CodedOutcome {
  const x = unpack(format, a);
  return coded(format, isNan(x) ? propagate(format, fpc, x) : outcome(a));
}

/**
 * TEST DATA CLASS: condition code 1 if the rightmost twelve bits of `classes` select the operand's class and sign.
 * From the left, in pairs of plus and minus: zero, normal, subnormal, infinity, quiet NaN, signaling NaN.
 */
export function testDataClass(format: Format, a: bigint, classes: number): number {
  const { kind, negative, significand } = unpack(format, a);
  let plus: number;
  switch (kind) {
    case 'zero':
      plus = 0x800;
      break;
    case 'finite':
      plus = (significand & format.implied) !== 0n ? 0x200 : 0x080;
      break;
    case 'infinity':
      plus = 0x020;
      break;
    case 'QNaN':
      plus = 0x008;
      break;
    case 'SNaN':
      plus = 0x002;
      break;
  }
  return (classes & (negative ? plus >> 1 : plus)) !== 0 ? 1 : 0;
}

// The next three change the sign bit alone: they recognize no exception, and conditionCode gives their code.

/** LOAD COMPLEMENT: the sign inverted. */
export const loadComplement = (format: Format, a: bigint): bigint => a ^ format.sign;

/** LOAD NEGATIVE: the sign made minus. */
export const loadNegative = (format: Format, a: bigint): bigint => a | format.sign;

/** LOAD POSITIVE: the sign made plus. */
export const loadPositive = (format: Format, a: bigint): bigint => a & ~format.sign;

/** Whether a pattern is that of a NaN. */
export const isNanOf = (format: Format, a: bigint): boolean => (a & ~format.sign) > format.infinity;

/** A NaN that does not signal. */
export const quieted = (format: Format, a: bigint): bigint => a | format.quiet;

// ---- conversion ----

// A quiet NaN in another format: the fraction keeps its leftmost bits.
function reformatNaN(from: Format, to: Format, bits: bigint): bigint {
  const fraction = bits & from.fractionMask;
  const moved = BigInt(to.precision - from.precision);
  return signed(to, (bits & from.sign) !== 0n, to.infinity | (moved < 0n ? fraction >> -moved : fraction << moved));
}

// The pattern in a longer format of an operand other than a NaN; every finite number is normal there, or zero.
function lengthen(to: Format, x: Operand): bigint {
  if (x.kind === 'finite') return packNormal(to, x);
  return signed(to, x.negative, x.kind === 'zero' ? 0n : to.infinity);
}

/** LOAD LENGTHENED. */
export function loadLengthened(from: Format, to: Format, a: bigint, fpc: number): Outcome {
  const x = unpack(from, a);
  if (!isNan(x)) return outcome(lengthen(to, x));
  const { result, ...effects } = propagate(from, fpc, x);
  return outcome(reformatNaN(from, to, result), effects);
}

/**
 * LOAD ROUNDED. After a trapped overflow or underflow the result has been rounded to the precision of `to` but is left,
 * scaled, in the source format: the outcome's `format` says which.
 */
export function loadRounded(from: Format, to: Format, a: bigint, fpc: number, m3 = 0, m4 = 0): RoundedOutcome {
  const x = unpack(from, a);
  switch (x.kind) {
    case 'zero':
      return { ...outcome(signed(to, x.negative, 0n)), format: to };
    case 'infinity':
      return { ...outcome(signed(to, x.negative, to.infinity)), format: to };
    case 'finite': {
      const control = { rounding: roundingFor(fpc, m3), suppressInexact: suppressesInexact(m4), source: from };
      const out = roundAndPack(to, x, fpc, control);
      // Only overflow and underflow (X'20', X'10') among the completing codes deliver a scaled result.
      return { ...out, format: (out.dxc & 0x30) !== 0 ? from : to };
    }
    default: {
      const { result, ...effects } = propagate(from, fpc, x);
      return { ...outcome(reformatNaN(from, to, result), effects), format: to };
    }
  }
}

// A finite number rounded to an integer.
function toInteger(
  format: Format,
  x: Operand,
  rounding: Rounding,
): { integer: bigint; inexact: boolean; incremented: boolean } {
  // One bit more than the precision takes any significand below one half; a longer shift would decide nothing else.
  const shifted = shiftAndRound(x.significand, Math.min(-x.exponent, format.precision + 1), x.negative, rounding);
  return { integer: shifted.kept, inexact: shifted.inexact, incremented: shifted.incremented };
}

/** LOAD FP INTEGER: the operand rounded to an integer in its own format. A zero result keeps the sign. */
export function loadFpInteger(format: Format, a: bigint, fpc: number, m3 = 0, m4 = 0): Outcome {
  const x = unpack(format, a);
  if (isNan(x)) return propagate(format, fpc, x);
  if (x.kind !== 'finite' || x.exponent >= 0) return outcome(a);
  const { integer, inexact, incremented } = toInteger(format, x, roundingFor(fpc, m3));
  const { negative } = x;
  const result =
    integer === 0n ? signed(format, negative, 0n) : packNormal(format, { negative, exponent: 0, significand: integer });
  return outcome(result, effectsOf(fpc, inexact && !suppressesInexact(m4) ? INEXACT : 0, incremented));
}

/**
 * CONVERT FROM FIXED and CONVERT FROM LOGICAL: the integer `value`, signed or not, rounded to the format.
 */
export function convertFromFixed(format: Format, value: bigint, fpc: number, m3 = 0, m4 = 0): Outcome {
  if (value === 0n) return outcome(0n);
  const negative = value < 0n;
  const control = { rounding: roundingFor(fpc, m3), suppressInexact: suppressesInexact(m4) };
  return roundAndPack(format, { negative, exponent: 0, significand: negative ? -value : value }, fpc, control);
}

function convertTo(
  format: Format,
  a: bigint,
  least: bigint,
  greatest: bigint,
  fpc: number,
  m3: number,
  m4: number,
): CodedOutcome {
  const x = unpack(format, a);
  const recognized = suppressesInexact(m4) ? 0 : INEXACT;
  if (x.kind === 'zero') return { ...outcome(0n), cc: 0 };
  if (x.kind === 'finite' && x.exponent <= 64) {
    const { integer, inexact, incremented } = toInteger(format, x, roundingFor(fpc, m3));
    const value = x.negative ? -integer : integer;
    if (value >= least && value <= greatest) {
      return { ...outcome(value, effectsOf(fpc, inexact ? recognized : 0, incremented)), cc: x.negative ? 1 : 2 };
    }
  }
  // Out of range: the nearest integer there is, with an inexactness that an untrapped invalid operation leaves visible.
  const result = isNan(x) || x.negative ? least : greatest;
  return { ...outcome(result, effectsOf(fpc, INVALID | recognized, false)), cc: 3 };
}

/**
 * CONVERT TO FIXED: the operand rounded to a signed integer of `width` bits, as a bigint between −2**(width−1) and
 * 2**(width−1) − 1. A NaN gives the least one.
 *
 * Condition code: 0 source zero, 1 source less than zero, 2 source greater than zero, 3 invalid.
 */
export function convertToFixed(format: Format, width: number, a: bigint, fpc: number, m3 = 0, m4 = 0): CodedOutcome {
  const limit = 1n << BigInt(width - 1);
  return convertTo(format, a, -limit, limit - 1n, fpc, m3, m4);
}

/**
 * CONVERT TO LOGICAL: the operand rounded to an unsigned integer of `width` bits, with condition codes as for
 * convertToFixed. What rounds to less than zero, and a NaN, gives zero.
 */
export function convertToLogical(format: Format, width: number, a: bigint, fpc: number, m3 = 0, m4 = 0): CodedOutcome {
  return convertTo(format, a, 0n, (1n << BigInt(width)) - 1n, fpc, m3, m4);
}
