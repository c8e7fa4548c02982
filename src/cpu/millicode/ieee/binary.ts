/**
 * Binary floating-point numbers (PoP ch. 19, BFP data formats): unpacking, and the one place where an exact value
 * is rounded to a format and packed, with every rule on tininess, overflow and scaled results.
 */

import type { Effects } from './exceptions.ts';
import { effectsOf, INEXACT, NO_EFFECTS, OVERFLOW, traps, UNDERFLOW } from './exceptions.ts';
import type { Rounding } from './rounding.ts';
import { roundsAway } from './rounding.ts';

/** A binary format. Bit patterns of all formats are unsigned bigints of `width` bits. */
export type Format = {
  readonly name: string;
  readonly width: number;
  /** Bits of the significand, the implied one included. */
  readonly precision: number;
  /** Exponents of the smallest and the greatest normal numbers 1.f × 2**e. */
  readonly minExponent: number;
  readonly maxExponent: number;
  /** log2 of the factor that brings an overflowed or underflowed result into range for a trap handler. */
  readonly scale: number;
  /** The same for LOAD ROUNDED from this format, which then leaves its result in this format. */
  readonly roundedScale: number;

  /** Right shift that leaves sign and exponent of a pattern's leftmost 32 bits. */
  readonly exponentShift: number;
  readonly fractionBits: bigint;
  readonly fractionMask: bigint;
  /** The implied bit of a normal significand, the sign bit, and the patterns of +infinity, Nmax and the default NaN. */
  readonly implied: bigint;
  readonly sign: bigint;
  readonly infinity: bigint;
  readonly greatest: bigint;
  readonly defaultNaN: bigint;
  /** The bit that tells a quiet NaN from a signaling one. */
  readonly quiet: bigint;
};

function binaryFormat(name: string, width: number, precision: number, scale: number, roundedScale: number): Format {
  const maxExponent = 2 ** (width - precision - 1) - 1;
  const fractionBits = BigInt(precision - 1);
  const implied = 1n << fractionBits;
  const quiet = implied >> 1n;
  const infinity = BigInt(2 * maxExponent + 1) << fractionBits;
  return {
    name,
    width,
    precision,
    minExponent: 1 - maxExponent,
    maxExponent,
    scale,
    roundedScale,
    exponentShift: 31 - (width - precision),
    fractionBits,
    fractionMask: implied - 1n,
    implied,
    sign: 1n << BigInt(width - 1),
    infinity,
    greatest: infinity - 1n,
    defaultNaN: infinity | quiet,
    quiet,
  };
}

export const SHORT = binaryFormat('short', 32, 24, 192, 0);
export const LONG = binaryFormat('long', 64, 53, 1536, 512);
export const EXTENDED = binaryFormat('extended', 128, 113, 24576, 8192);

/** (-1)**negative × significand × 2**exponent, exactly. */
export type Exact = {
  readonly negative: boolean;
  readonly exponent: number;
  readonly significand: bigint;
};

export type Kind = 'zero' | 'finite' | 'infinity' | 'QNaN' | 'SNaN';

/** An operand taken apart. The exact value means something for zeros and finite numbers only; it is not normalized. */
export type Operand = Exact & { readonly kind: Kind; readonly bits: bigint };

const scratch = new DataView(new ArrayBuffer(8));

/** Takes a pattern apart. */
export function unpack(format: Format, bits: bigint): Operand {
  // Much faster than taking sign and exponent out of the bigint by itself.
  scratch.setBigUint64(0, format.width > 64 ? bits >> 64n : bits);
  const signAndExponent = scratch.getUint32(format.width < 64 ? 4 : 0) >>> format.exponentShift;
  const ones = 2 * format.maxExponent + 1;
  const negative = signAndExponent > ones;
  const biased = signAndExponent & ones;
  const fraction = bits & format.fractionMask;
  // Subnormal numbers share the exponent of the smallest normal ones.
  const exponent = Math.max(biased, 1) - format.maxExponent - format.precision + 1;
  if (biased === ones) {
    const kind = fraction === 0n ? 'infinity' : (fraction & format.quiet) !== 0n ? 'QNaN' : 'SNaN';
    return { kind, negative, exponent, significand: fraction, bits };
  }
  if (biased !== 0) return { kind: 'finite', negative, exponent, significand: fraction | format.implied, bits };
  return { kind: fraction === 0n ? 'zero' : 'finite', negative, exponent, significand: fraction, bits };
}

/** Number of bits of a positive integer below 2**1023. */
export function bitLength(value: bigint): number {
  scratch.setFloat64(0, Number(value));
  const high = scratch.getUint32(0);
  const length = (high >>> 20) - 1022;
  // The conversion rounds: a long run of ones may have become the next power of two.
  const power = (high & 0xfffff) === 0 && scratch.getUint32(4) === 0;
  return power && value >> BigInt(length - 1) === 0n ? length - 1 : length;
}

/** A significand after a right shift, and what the shift did to it. */
type Shifted = { readonly kept: bigint; readonly inexact: boolean; readonly incremented: boolean };

/** Shifts right by `count` bits, left if negative, and rounds what falls off. */
export function shiftAndRound(significand: bigint, count: number, negative: boolean, rounding: Rounding): Shifted {
  if (count <= 0) return { kept: significand << BigInt(-count), inexact: false, incremented: false };
  const lost = BigInt.asUintN(count, significand);
  const kept = significand >> BigInt(count);
  if (lost === 0n) return { kept, inexact: false, incremented: false };
  const tie = 1n << BigInt(count - 1);
  const half = lost > tie ? 1 : lost < tie ? -1 : 0;
  const incremented = roundsAway(rounding, negative, (kept & 1n) !== 0n, half);
  return { kept: incremented ? kept + 1n : kept, inexact: true, incremented };
}

// Puts together a significand whose last bit has the weight 2**unit. Adding the significand with its implied bit to
// an exponent field one too small serves normal and subnormal numbers alike, and a carry out of rounding as well.
function pack(format: Format, negative: boolean, unit: number, significand: bigint): bigint {
  const field = BigInt(unit + format.precision - 2 + format.maxExponent) << format.fractionBits;
  return negative ? format.sign + field + significand : field + significand;
}

/** Packs a value that is known to be a normal number of the format. */
export function packNormal(format: Format, { negative, exponent, significand }: Exact): bigint {
  const excess = bitLength(significand) - format.precision;
  const kept = excess > 0 ? significand >> BigInt(excess) : significand << BigInt(-excess);
  return pack(format, negative, exponent + excess, kept);
}

/** A result as a bit pattern, which means nothing if the operation is suppressed, and its effects. */
export type Outcome = Effects & { readonly result: bigint };

export function outcome(result: bigint, effects: Effects = NO_EFFECTS): Outcome {
  const { flags, dxc, suppressed } = effects;
  return { result, flags, dxc, suppressed };
}

/** How a result is rounded, where an instruction departs from the current rounding mode. */
export type RoundingControl = {
  readonly rounding: Rounding;
  /** The IEEE-inexact-exception control (XxC) of an M4 field is one: inexactness is not recognized. */
  readonly suppressInexact?: boolean;
  /** LOAD ROUNDED: the source format, which takes a scaled result. */
  readonly source?: Format;
};

/**
 * Rounds an exact, nonzero value to a format (PoP ch. 9, IEEE overflow, underflow and inexact exceptions).
 *
 * Tininess is detected before rounding. Underflow is then recognized if its mask bit is one or if the denormalized
 * result is inexact; overflow is recognized on the value rounded as if the exponent had no bounds. If its interruption
 * is enabled, that rounded value is delivered scaled into the range of the format.
 *
 * @returns the pattern in `format`, or, after a trapped overflow or underflow, in `control.source`, if there is one
 */
export function roundAndPack(format: Format, value: Exact, fpc: number, control: RoundingControl): Outcome {
  const { negative, exponent, significand } = value;
  const { precision, minExponent, maxExponent } = format;
  const { rounding, suppressInexact = false, source } = control;

  const length = bitLength(significand);
  const tiny = exponent + length - 1 < minExponent;
  const scaleUp = tiny && traps(fpc, UNDERFLOW);
  const unit = tiny && !scaleUp ? minExponent - precision + 1 : exponent + length - precision;
  // One bit more than the significand has takes it below half a unit; a longer shift would decide nothing else.
  const shifted = shiftAndRound(significand, Math.min(unit - exponent, length + 1), negative, rounding);
  const { kept, inexact } = shifted;
  const inexactness = inexact && !suppressInexact ? INEXACT : 0;

  const top = unit + precision - 1;
  const overflows = top > maxExponent || (top === maxExponent && kept > format.fractionMask + format.implied);
  if (scaleUp || (overflows && traps(fpc, OVERFLOW))) {
    const target = source ?? format;
    const scale = source === undefined ? format.scale : source.roundedScale;
    const widening = target.precision - precision;
    const scaledUnit = unit - widening + (scaleUp ? scale : -scale);
    const effects = effectsOf(fpc, (scaleUp ? UNDERFLOW : OVERFLOW) | inexactness, shifted.incremented);
    return outcome(pack(target, negative, scaledUnit, kept << BigInt(widening)), effects);
  }
  if (overflows) {
    // Of the two neighbours, Nmax is odd and takes what is not rounded to nearest or away.
    const toInfinity = roundsAway(rounding, negative, true, 1);
    const magnitude = toInfinity ? format.infinity : format.greatest;
    const raised = OVERFLOW | (suppressInexact ? 0 : INEXACT);
    return outcome(negative ? format.sign + magnitude : magnitude, effectsOf(fpc, raised, toInfinity));
  }
  const result = pack(format, negative, unit, kept);
  if (!inexact) return outcome(result);
  return outcome(result, effectsOf(fpc, inexactness | (tiny ? UNDERFLOW : 0), shifted.incremented));
}

/** The exact product of two finite numbers. */
export function product(x: Exact, y: Exact): Exact {
  return {
    negative: x.negative !== y.negative,
    exponent: x.exponent + y.exponent,
    significand: x.significand * y.significand,
  };
}

/**
 * The sum of two nonzero values with significands of at most twice the precision: exact, or, where the exponents are
 * far apart, an odd stand-in that rounds like the exact sum. The significand is zero where the values cancel; the sign
 * then says nothing.
 */
export function sum(format: Format, x: Exact, y: Exact): Exact {
  if (x.exponent < y.exponent) return sum(format, y, x);
  const gap = x.exponent - y.exponent;
  const guard = format.precision + 4;
  if (gap > guard + 2 * format.precision) {
    // y is less than one unit in the last of the guard bits below x: it can only make the result inexact.
    const wide = x.significand << BigInt(guard);
    const significand = x.negative === y.negative ? wide + 1n : wide - 1n;
    return { negative: x.negative, exponent: x.exponent - guard, significand };
  }
  const aligned = x.significand << BigInt(gap);
  const exponent = y.exponent;
  if (x.negative === y.negative) return { negative: x.negative, exponent, significand: aligned + y.significand };
  const difference = aligned - y.significand;
  return difference < 0n
    ? { negative: y.negative, exponent, significand: -difference }
    : { negative: x.negative, exponent, significand: difference };
}
