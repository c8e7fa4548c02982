/**
 * Binary-floating-point instructions (PoP ch. 19). Short and long operands are computed by the host where its
 * arithmetic, which rounds to nearest even and recognises no exception, has the same effect; the exact arithmetic of
 * millicode does the rest, and extended operands.
 *
 * The effect is the same in two cases. The flag for inexact results is one already and nothing interrupts for them: then
 * only results near the ends of the range are special. Or the result is precise, which can be told.
 */

import { type Host, restOfSum } from '../ir/exact.ts';
import {
  type F32,
  type F64,
  f32,
  f64,
  type I32,
  type I64,
  i32,
  i64,
  k32,
  k64,
  kf32,
  kf64,
  select,
} from '../ir/expr.ts';
import * as exact from '../millicode/bfp.ts';
import { EXTENDED, LONG, SHORT } from '../millicode/bfp.ts';
import * as work from '../millicode/floating.ts';
import * as state from '../state.ts';
import { RRD, RRE_f, RRF_bf, RRF_e, RRF_efr, RRF_erf, RXE, RXF } from './formats.ts';
import { type Conditions, type Insn, type Instruction, insn, type Millicode, type Semantics } from './insn.ts';

const bfp: Conditions = { additionalFloatingPoint: 'bfp' };

// When the host may compute

const UNDERFLOW_MASK = 0x1000_0000;
const INEXACT_MASK = 0x0800_0000;
const INEXACT_FLAG = 0x0008_0000;
const ROUNDING_MODE = 7;

/** Rounding is to nearest even, and inexact results leave no trace in the floating-point-control register. */
const settled = (fpc: I32): I32 =>
  i32.eq(i32.and(fpc, UNDERFLOW_MASK | INEXACT_MASK | INEXACT_FLAG | ROUNDING_MODE), INEXACT_FLAG);
/** Precise results leave no trace: subnormal ones may interrupt, and sums of zero depend on the rounding mode. */
const plain = (fpc: I32): I32 => i32.eqz(i32.and(fpc, UNDERFLOW_MASK | ROUNDING_MODE));

/** What to do with a result of the host, or several: `quick` if it is right as it is, else `slow`. */
export interface Choice {
  /** The result is right if the controls are settled. */
  readonly whenSettled: I32;
  /** The result is right in any case, because it is precise. */
  readonly isPrecise: () => I32;
  /** What is not found to be precise is inexact. */
  readonly isDecisive?: I32;
  readonly quick: () => void;
  readonly slow: () => void;
}

export function choose(i: Insn, { whenSettled, isPrecise, isDecisive, quick, slow }: Choice): void {
  const fpc = i.state32(state.FPC);
  const first = (): void => {
    if (!isDecisive) return slow();
    const noTrap = i32.eqz(i32.and(fpc, UNDERFLOW_MASK | INEXACT_MASK | ROUNDING_MODE));
    i.if(
      i32.and(i32.and(noTrap, isDecisive), whenSettled),
      () => {
        i.setState32(state.FPC, i32.or(fpc, INEXACT_FLAG));
        quick();
      },
      slow,
    );
  };
  i.ifUnlikely(
    i32.eqz(i32.and(settled(fpc), whenSettled)),
    () => i.if(i32.and(plain(fpc), isPrecise()), quick, first),
    quick,
  );
}

// Short and long operands

/** A format as the host knows it. */
export interface Kind<F extends F32 | F64> {
  readonly format: exact.Format;
  readonly host: Host<F>;
  readonly zero: F;
  register(i: Insn, name: string): F;
  setRegister(i: Insn, name: string, value: F): void;
  storage(i: Insn): F;
  /** Puts an operand where millicode expects one that came from storage. */
  pass(i: Insn, value: F): void;
  /** Neither infinite nor a NaN. */
  finite(value: F): I32;
  /** By its bits: hosts compare numbers with a branch for NaNs. */
  isZero(value: F): I32;
  /** So far from the ends of the range that the value was in it before it was rounded: neither overflow nor underflow. */
  moderate(value: F): I32;
  /** Whether a result of the host is precise and not subnormal because of rounding. */
  isProduct(a: F, b: F, product: F): I32;
  isQuotient(a: F, b: F, quotient: F): I32;
  isRoot(a: F, root: F): I32;
}

const LONG_INFINITY = 0x7ff0_0000_0000_0000n;
const LONG_LEAST = 0x0010_0000_0000_0000n;

const exponent = (value: F64): I64 => i64.and(i64.shrU(i64.bits(value), 52), 0x7ff);
/** Zeros at the end of the significand. */
const zerosAtEnd = (value: F64): I64 => i64.ctz(i64.or(i64.bits(value), LONG_LEAST));
/**
 * Whether a product needs no more than 53 bits: of its 105 or 106 bits as many are zeros at the end as there are at the
 * ends of both factors, and the exponents tell how many bits it has. A factor that is not normal has fewer bits than
 * this supposes, which errs on the safe side; the product must be normal.
 */
const fits = (a: F64, b: F64, product: F64): I32 =>
  i64.geS(
    i64.add(zerosAtEnd(a), zerosAtEnd(b)),
    i64.add(i64.sub(i64.sub(exponent(product), exponent(a)), exponent(b)), 1075),
  );

export const long: Kind<F64> = {
  format: LONG,
  host: f64,
  zero: kf64(0),
  register: (i, name) => i.fprF64(name),
  setRegister: (i, name, value) => i.setFprF64(name, value),
  storage: i => i.loadF64(i.address()),
  pass: (i, value) => i.setState64(state.SCRATCH, i64.bits(value)),
  isZero: value => i64.eqz(i64.shl(i64.bits(value), 1)),
  finite: value => i64.ltU(i64.shl(i64.bits(value), 1), LONG_INFINITY << 1n),
  moderate: value =>
    i64.ltU(i64.sub(i64.shl(i64.bits(value), 1), (LONG_LEAST << 1n) + 1n), ((LONG_INFINITY - LONG_LEAST) << 1n) - 1n),
  isProduct: (a, b, product) =>
    i32.or(
      i32.and(long.moderate(product), fits(a, b, product)),
      i32.and(long.isZero(product), i32.or(long.isZero(a), long.isZero(b))),
    ),
  isQuotient: (a, b, quotient) =>
    i32.or(
      i32.and(
        i32.and(long.moderate(quotient), long.moderate(a)),
        i32.and(f64.eq(f64.mul(quotient, b), a), fits(quotient, b, a)),
      ),
      i32.and(long.isZero(quotient), long.isZero(a)),
    ),
  isRoot: (a, root) =>
    i32.or(i32.and(long.moderate(a), i32.and(f64.eq(f64.mul(root, root), a), fits(root, root, a))), long.isZero(a)),
};

const SHORT_INFINITY = 0x7f80_0000;
const SHORT_LEAST = 0x0080_0000;

/** Precise: long numbers have room for it. */
const longProduct = (a: F32, b: F32): F64 => f64.mul(f64.promote(a), f64.promote(b));

export const short: Kind<F32> = {
  format: SHORT,
  host: f32,
  zero: kf32(0),
  register: (i, name) => i.fprF32(name),
  setRegister: (i, name, value) => i.setFprF32(name, value),
  storage: i => i.loadF32(i.address()),
  pass: (i, value) => i.setState32(state.SCRATCH, i32.bits(value)),
  isZero: value => i32.eqz(i32.shl(i32.bits(value), 1)),
  finite: value => i32.ltU(i32.shl(i32.bits(value), 1), SHORT_INFINITY * 2),
  moderate: value =>
    i32.ltU(i32.sub(i32.shl(i32.bits(value), 1), SHORT_LEAST * 2 + 1), (SHORT_INFINITY - SHORT_LEAST) * 2 - 1),
  isProduct: (a, b, product) => f64.eq(f64.promote(product), longProduct(a, b)),
  isQuotient: (a, b, quotient) => f64.eq(longProduct(quotient, b), f64.promote(a)),
  isRoot: (a, root) => f64.eq(longProduct(root, root), f64.promote(a)),
};

/** 0 if zero, 1 if less, 2 if greater than zero. */
const signCode = <F extends F32 | F64>({ host, zero }: Kind<F>, value: F): I32 =>
  i32.or(host.lt(value, zero), i32.shl(host.gt(value, zero), 1));

/** Where the second operand is. */
type Second = 'register' | 'storage';
const second = <F extends F32 | F64>(i: Insn, kind: Kind<F>, from: Second): F =>
  from === 'storage' ? kind.storage(i) : kind.register(i, 'f2');

/** Carries the instruction out in millicode. */
function slowly<F extends F32 | F64>(i: Insn, kind: Kind<F>, from: Second, b: F, slow: Millicode): void {
  if (from === 'storage') kind.pass(i, b);
  i.millicode(slow);
}

// ADD, SUBTRACT, MULTIPLY, DIVIDE, SQUARE ROOT

/** An operation on operands of either format. */
export interface Operation {
  result<F extends F32 | F64>(host: Host<F>, a: F, b: F): F;
  whenSettled<F extends F32 | F64>(kind: Kind<F>, result: F): I32;
  isPrecise<F extends F32 | F64>(kind: Kind<F>, i: Insn, a: F, b: F, result: F): I32;
  isDecisive<F extends F32 | F64>(kind: Kind<F>, a: F, b: F): I32;
  readonly work: Parameters<typeof work.binary>[1];
  readonly setsCode?: true;
}

function isSum<F extends F32 | F64>({ host, isZero }: Kind<F>, i: Insn, a: F, b: F, sum: F): I32 {
  return isZero(restOfSum(host, e => i.let(e), a, b, sum));
}

// Subnormal sums are precise.
export const add: Operation = {
  result: (host, a, b) => host.add(a, b),
  whenSettled: (kind, sum) => kind.finite(sum),
  isPrecise: isSum,
  isDecisive: () => k32(1),
  work: exact.add,
  setsCode: true,
};
export const subtract: Operation = {
  result: (host, a, b) => host.sub(a, b),
  whenSettled: (kind, difference) => kind.finite(difference),
  isPrecise: (kind, i, a, b, difference) => isSum(kind, i, a, i.let(kind.host.sub(kind.zero, b)), difference),
  isDecisive: () => k32(1),
  work: exact.subtract,
  setsCode: true,
};
export const multiply: Operation = {
  result: (host, a, b) => host.mul(a, b),
  whenSettled: (kind, product) => kind.moderate(product),
  isPrecise: (kind, _, a, b, product) => kind.isProduct(a, b, product),
  isDecisive: (kind, a, b) => i32.and(kind.moderate(a), kind.moderate(b)),
  work: exact.multiply,
};
export const divide: Operation = {
  result: (host, a, b) => host.div(a, b),
  whenSettled: (kind, quotient) => kind.moderate(quotient),
  isPrecise: (kind, _, a, b, quotient) => kind.isQuotient(a, b, quotient),
  isDecisive: (kind, a, b) => i32.and(kind.moderate(a), kind.moderate(b)),
  work: exact.divide,
};

function arithmetic<F extends F32 | F64>(kind: Kind<F>, operation: Operation, from: Second): Semantics {
  const slow = work.binary(kind.format, operation.work);
  return i => {
    const b = second(i, kind, from);
    const a = kind.register(i, 'f1');
    const result = i.let(operation.result(kind.host, a, b));
    choose(i, {
      whenSettled: operation.whenSettled(kind, result),
      isPrecise: () => operation.isPrecise(kind, i, a, b, result),
      isDecisive: operation.isDecisive(kind, a, b),
      quick() {
        kind.setRegister(i, 'f1', result);
        if (operation.setsCode) i.setCc(signCode(kind, result));
      },
      slow: () => slowly(i, kind, from, b, slow),
    });
  };
}

function squareRoot<F extends F32 | F64>(kind: Kind<F>, from: Second): Semantics {
  const slow = work.unary(kind.format, exact.squareRoot);
  return i => {
    const a = second(i, kind, from);
    const root = i.let(kind.host.sqrt(a));
    choose(i, {
      whenSettled: kind.moderate(root),
      isPrecise: () => kind.isRoot(a, root),
      isDecisive: kind.moderate(a),
      quick: () => kind.setRegister(i, 'f1', root),
      slow: () => slowly(i, kind, from, a, slow),
    });
  };
}

/** MULTIPLY of short operands with a long product, which is precise. */
const multiplyToLong =
  (from: Second): Semantics =>
  i => {
    const b = second(i, short, from);
    const product = i.let(longProduct(short.register(i, 'f1'), b));
    i.ifUnlikely(
      f64.ne(product, product),
      () => slowly(i, short, from, b, slowProduct),
      () => i.setFprF64('f1', product),
    );
  };
const slowProduct = work.lengthening(SHORT, LONG, exact.multiplyLonger);

// MULTIPLY AND ADD, MULTIPLY AND SUBTRACT: the first operand is the addend

export type Fused = 'add' | 'subtract';
const slowFused = (format: exact.Format, kind: Fused): Millicode =>
  work.fused(format, kind === 'add' ? exact.multiplyAdd : exact.multiplySubtract);

/** A result, and when it is right as in Choice. */
interface Fusion<F extends F32 | F64> extends Pick<Choice, 'whenSettled' | 'isPrecise' | 'isDecisive'> {
  readonly result: F;
}

/** a × b ± c, as far as the host can do it. */
export function fuseLong(i: Insn, kind: Fused, a: F64, b: F64, addend: F64): Fusion<F64> {
  const c = kind === 'add' ? addend : i.let(f64.neg(addend));
  const result = i.multiplyAdd(a, b, c);
  return {
    result,
    whenSettled: long.moderate(result),
    isPrecise() {
      // a × b - (result - c) = 0, where neither the subtraction nor a product too small for its last bits loses any.
      const negated = i.let(f64.neg(result));
      const difference = i.let(f64.add(c, negated));
      const product = i.let(f64.mul(a, b));
      return i32.and(
        i32.and(isSum(long, i, c, negated, difference), long.isZero(i.multiplyAdd(a, b, difference))),
        i32.or(f64.gt(f64.abs(product), kf64(2 ** -900)), i32.or(long.isZero(a), long.isZero(b))),
      );
    },
  };
}

export function fuseShort(i: Insn, kind: Fused, a: F32, b: F32, addend: F32): Fusion<F32> {
  const product = i.let(longProduct(a, b));
  const c = i.let(kind === 'add' ? f64.promote(addend) : f64.neg(f64.promote(addend)));
  const sum = i.let(f64.add(product, c));
  const result = i.let(f32.demote(sum));
  // Rounding twice is as good as once unless the first time has led to the middle between two short numbers.
  const isMiddle = i32.eq(i32.and(i32.wrap(i64.bits(sum)), 0x1fff_ffff), 0x1000_0000);
  return {
    result,
    whenSettled: i32.and(short.moderate(result), i32.eqz(isMiddle)),
    isPrecise() {
      const isSettled = i32.and(settled(i.state32(state.FPC)), short.moderate(result));
      return i32.and(isSum(long, i, product, c, sum), i32.or(f64.eq(f64.promote(result), sum), isSettled));
    },
    isDecisive: k32(1),
  };
}

function fused<F extends F32 | F64>(
  of: Kind<F>,
  fuse: (i: Insn, kind: Fused, a: F, b: F, c: F) => Fusion<F>,
  kind: Fused,
  from: Second,
): Semantics {
  const slow = slowFused(of.format, kind);
  return i => {
    const b = second(i, of, from);
    const { result, ...when } = fuse(i, kind, of.register(i, 'f3'), b, of.register(i, 'f1'));
    choose(i, {
      ...when,
      quick: () => of.setRegister(i, 'f1', result),
      slow: () => slowly(i, of, from, b, slow),
    });
  };
}
const fusedLong = (kind: Fused, from: Second): Semantics => fused(long, fuseLong, kind, from);
const fusedShort = (kind: Fused, from: Second): Semantics => fused(short, fuseShort, kind, from);

// COMPARE, COMPARE AND SIGNAL

function comparison<F extends F32 | F64>(
  kind: Kind<F>,
  operation: Parameters<typeof work.comparison>[1],
  from: Second,
): Semantics {
  const slow = work.comparison(kind.format, operation);
  const { host } = kind;
  return i => {
    const b = second(i, kind, from);
    const a = kind.register(i, 'f1');
    const low = i.let(host.lt(a, b));
    const high = i.let(host.gt(a, b));
    i.ifUnlikely(
      i32.and(host.ne(a, b), i32.eqz(i32.or(low, high))),
      () => slowly(i, kind, from, b, slow),
      () => i.setCc(i32.or(low, i32.shl(high, 1))),
    );
  };
}

// Sign and class of an operand, from its leftmost 64 bits. The rest of an extended one counts as their last bit.

const SIGN = 1n << 63n;
type Length = 'short' | 'long' | 'extended';
/** Patterns of the least normal number, of infinity and of the first quiet NaN. */
const PATTERNS: Readonly<Record<Length, readonly [least: bigint, infinity: bigint, quiet: bigint]>> = {
  short: [0x0080n << 48n, 0x7f80n << 48n, 0x7fc0n << 48n],
  long: [0x0010n << 48n, 0x7ff0n << 48n, 0x7ff8n << 48n],
  extended: [0x0001n << 48n, 0x7fffn << 48n, 0x7fff_8n << 44n],
};

function operand(i: Insn, length: Length, name: string): { high: I64; low: I64 } {
  if (length === 'short') return { high: i.let(i64.shl(i64.fromU(i.fpr32(name)), 32)), low: k64(0) };
  if (length === 'long') return { high: i.fpr64(name), low: k64(0) };
  i.floatingPair(name);
  return { high: i.fpr64(name), low: i.fpr64(name, 2) };
}
const magnitude = ({ high, low }: { high: I64; low: I64 }): I64 =>
  i64.or(i64.and(high, ~SIGN), i64.fromU(i64.ne(low, 0)));

/**
 * LOAD AND TEST, COMPLEMENT, NEGATIVE, POSITIVE.
 * @param nan what to do with a NaN, other than to load it with condition code 3
 */
function signed(length: Length, sign: (high: I64) => I64, nan?: Millicode): Semantics {
  return i => {
    if (length === 'extended') i.floatingPair('f1');
    const { high, low } = operand(i, length, 'f2');
    const result = i.let(sign(high));
    const absolute = i.let(magnitude({ high, low }));
    const isNan = i64.gtU(absolute, PATTERNS[length][1]);
    const set = (): void => {
      if (length === 'short') i.setFpr32('f1', i32.wrap(i64.shrU(result, 32)));
      else i.setFpr64('f1', result);
      if (length === 'extended') i.setFpr64('f1', low, 2);
      const code = i32.select(i64.eqz(absolute), 0, i32.sub(k32(2), i32.wrap(i64.shrU(result, 63))));
      i.setCc(nan ? code : i32.select(isNan, 3, code));
    };
    if (nan) i.ifUnlikely(isNan, () => i.millicode(nan), set);
    else set();
  };
}
const test = (length: Length, format: exact.Format): Semantics =>
  signed(length, high => high, work.unary(format, exact.loadAndTest));
const complement = (length: Length): Semantics => signed(length, high => i64.xor(high, SIGN));
const negative = (length: Length): Semantics => signed(length, high => i64.or(high, SIGN));
const positive = (length: Length): Semantics => signed(length, high => i64.and(high, ~SIGN));

/** TEST DATA CLASS. Bits 52-63 of the address stand for the classes, each with plus and minus. */
const testClass =
  (length: Length): Semantics =>
  i => {
    const bits = operand(i, length, 'f1');
    const absolute = i.let(magnitude(bits));
    const [least, infinity, quiet] = PATTERNS[length];
    // Zero, normal, subnormal, infinity, quiet NaN, signaling NaN.
    let number = i32.select(i64.geU(absolute, quiet), 4, 5);
    number = i32.select(i64.eq(absolute, infinity), 3, number);
    number = i32.select(i64.ltU(absolute, infinity), 1, number);
    number = i32.select(i64.ltU(absolute, least), 2, number);
    number = i32.select(i64.eqz(absolute), 0, number);
    const bit = i32.or(i32.shl(number, 1), i32.wrap(i64.shrU(bits.high, 63)));
    i.setCc(i32.and(i32.shrU(i32.wrap(i.address().va), i32.sub(k32(11), bit)), 1));
  };

// LOAD LENGTHENED, LOAD ROUNDED

const lengthen =
  (from: Second): Semantics =>
  i => {
    const a = second(i, short, from);
    i.ifUnlikely(
      f32.ne(a, a),
      () => slowly(i, short, from, a, slowLengthened),
      () => i.setFprF64('f1', f64.promote(a)),
    );
  };
const lengthened = (from: exact.Format, to: exact.Format): Millicode =>
  work.unary(from, (_, a, fpc) => exact.loadLengthened(from, to, a, fpc), to);
const slowLengthened = lengthened(SHORT, LONG);

const roundToShort: Semantics = i => {
  validMethod(i);
  const a = i.fprF64('f2');
  const result = i.let(f32.demote(a));
  choose(i, {
    whenSettled: i32.and(usualMethod(i), short.moderate(result)),
    isPrecise: () => f64.eq(f64.promote(result), a),
    isDecisive: k32(1),
    quick: () => i.setFprF32('f1', result),
    slow: () => i.millicode(slowRounded),
  });
};
const slowRounded = work.rounded(LONG, SHORT);

// Conversion from and to integers. M3 is the rounding method, 0 that of the floating-point-control register; bit 1 of
// M4 suppresses inexactness.

const NEAREST = 4;
const TOWARD_ZERO = 5;
const UP = 6;
const DOWN = 7;

/** @param field of the rounding method */
export function validMethod(i: Insn, field = 'm3'): void {
  i.programIf(i32.eqz(i32.and(i32.shrU(k32(0b1111_1011), i.field(field)), 1)), 6);
}
const usualMethod = (i: Insn): I32 => i32.eqz(i32.or(i.field('m3'), i.field('m4')));

/** An integer of the host, the format it is converted to by the host, and whether that is precise. */
interface FromInteger<F extends F32 | F64> {
  readonly kind: Kind<F>;
  readonly width: 32 | 64;
  readonly signed: boolean;
  convert(i: Insn): { result: F; isPrecise: I32 };
}

export const fits32 = (value: I32, isSigned: boolean): I32 =>
  isSigned ? i32.leU(i32.add(value, 2 ** 24), 2 ** 25) : i32.leU(value, 2 ** 24);
export const fits64 = (value: I64, isSigned: boolean, bits: number): I32 =>
  isSigned ? i64.leU(i64.add(value, 2 ** bits), 2 ** (bits + 1)) : i64.leU(value, 2 ** bits);

function fromInteger<F extends F32 | F64>({ kind, width, signed: isSigned, convert }: FromInteger<F>): Semantics {
  const slow = work.fromInteger(kind.format, width, isSigned);
  return i => {
    validMethod(i);
    const { result, isPrecise } = convert(i);
    const quick = (): void => kind.setRegister(i, 'f1', i.let(result));
    if (isPrecise.kind === 'const') quick();
    else choose(i, { whenSettled: usualMethod(i), isPrecise: () => isPrecise, quick, slow: () => i.millicode(slow) });
  };
}

const shortFrom = (width: 32 | 64, isSigned: boolean): Semantics =>
  fromInteger({
    kind: short,
    width,
    signed: isSigned,
    convert(i) {
      if (width === 32) {
        const value = i.gr32('r2');
        return { result: isSigned ? f32.fromI32(value) : f32.fromU32(value), isPrecise: fits32(value, isSigned) };
      }
      const value = i.gr('r2');
      return { result: isSigned ? f32.fromI64(value) : f32.fromU64(value), isPrecise: fits64(value, isSigned, 24) };
    },
  });
const longFrom = (width: 32 | 64, isSigned: boolean): Semantics =>
  fromInteger({
    kind: long,
    width,
    signed: isSigned,
    convert(i) {
      if (width === 32) {
        const value = i.gr32('r2');
        return { result: isSigned ? f64.fromI32(value) : f64.fromU32(value), isPrecise: k32(1) };
      }
      const value = i.gr('r2');
      return { result: isSigned ? f64.fromI64(value) : f64.fromU64(value), isPrecise: fits64(value, isSigned, 53) };
    },
  });

/** A number rounded to an integer; `right` if the host has the rounding method, and its inexactness leaves no trace. */
export function rounded(i: Insn, a: F64, field = 'm3'): { integer: F64; right: I32 } {
  const fpc = i.state32(state.FPC);
  const method = i.let(i.field(field));
  let integer = f64.nearest(a);
  integer = select(i32.eq(method, DOWN), f64.floor(a), integer);
  integer = select(i32.eq(method, UP), f64.ceil(a), integer);
  integer = i.let(select(i32.eq(method, TOWARD_ZERO), f64.trunc(a), integer));
  const known = i32.or(i32.geU(method, NEAREST), i32.and(i32.eqz(method), i32.eqz(i32.and(fpc, ROUNDING_MODE))));
  const traceless = i32.or(
    i32.and(i32.shrU(i.field('m4'), 2), 1),
    i32.eq(i32.and(fpc, INEXACT_MASK | INEXACT_FLAG), INEXACT_FLAG),
  );
  return { integer, right: i32.and(known, i32.or(f64.eq(integer, a), traceless)) };
}

/** LOAD FP INTEGER. */
function loadInteger<F extends F32 | F64>(kind: Kind<F>, widen: (a: F) => F64, narrow: (a: F64) => F): Semantics {
  const slow = work.unary(kind.format, exact.loadFpInteger);
  return i => {
    validMethod(i);
    const a = i.let(widen(kind.register(i, 'f2')));
    const { integer, right } = rounded(i, a);
    i.ifUnlikely(
      i32.eqz(i32.and(right, f64.eq(a, a))),
      () => i.millicode(slow),
      () => kind.setRegister(i, 'f1', narrow(integer)),
    );
  };
}

/** CONVERT TO FIXED, CONVERT TO LOGICAL. */
function toInteger<F extends F32 | F64>(
  kind: Kind<F>,
  widen: (a: F) => F64,
  width: 32 | 64,
  isSigned: boolean,
): Semantics {
  const slow = work.toInteger(kind.format, width, isSigned ? exact.convertToFixed : exact.convertToLogical);
  const least = isSigned ? -(2 ** (width - 1)) : 0;
  const end = 2 ** (isSigned ? width - 1 : width);
  return i => {
    validMethod(i);
    const a = i.let(widen(kind.register(i, 'f2')));
    const { integer, right } = rounded(i, a);
    const inRange = i32.and(f64.ge(integer, kf64(least)), f64.lt(integer, kf64(end)));
    i.ifUnlikely(
      i32.eqz(i32.and(right, inRange)),
      () => i.millicode(slow),
      () => {
        if (width === 32) i.setGr32('r1', isSigned ? i32.truncS(integer) : i32.truncU(integer));
        else i.setGr('r1', isSigned ? i64.truncS(integer) : i64.truncU(integer));
        i.setCc(signCode(long, a));
      },
    );
  };
}
const toIntegerFromShort = (width: 32 | 64, isSigned: boolean): Semantics =>
  toInteger(short, f64.promote, width, isSigned);
const toIntegerFromLong = (width: 32 | 64, isSigned: boolean): Semantics => toInteger(long, a => a, width, isSigned);
/** Conversions as C programs have them. */
const casts: Conditions = { ...bfp, usual: [{ m3: TOWARD_ZERO }] };

// Extended operands

/** In millicode alone, after it has been checked that these fields designate pairs. */
const extended =
  (slow: Millicode, ...pairs: string[]): Semantics =>
  i => {
    for (const pair of pairs) i.floatingPair(pair);
    i.millicode(slow);
  };
/** The same with a rounding method. */
const extendedByMethod =
  (slow: Millicode, ...pairs: string[]): Semantics =>
  i => {
    for (const pair of pairs) i.floatingPair(pair);
    validMethod(i);
    i.millicode(slow);
  };
/** An extended result with a second operand from storage. */
const extendedFromStorage =
  <F extends F32 | F64>(kind: Kind<F>, slow: Millicode): Semantics =>
  i => {
    i.floatingPair('f1');
    slowly(i, kind, 'storage', kind.storage(i), slow);
  };
const extendedBinary = (operation: Operation['work']): Semantics =>
  extended(work.binary(EXTENDED, operation), 'f1', 'f2');
const extendedComparison = (operation: Parameters<typeof work.comparison>[1]): Semantics =>
  extended(work.comparison(EXTENDED, operation), 'f1', 'f2');
const extendedFrom = (width: 32 | 64, isSigned: boolean): Semantics =>
  extendedByMethod(work.fromInteger(EXTENDED, width, isSigned), 'f1');
const extendedTo = (width: 32 | 64, isSigned: boolean): Semantics =>
  extendedByMethod(work.toInteger(EXTENDED, width, isSigned ? exact.convertToFixed : exact.convertToLogical), 'f2');
const extendedProduct = work.lengthening(LONG, EXTENDED, exact.multiplyLonger);

export const binaryFloatingPoint: readonly Instruction[] = [
  // ADD
  insn('AEBR', 0xb30a, RRE_f, 'z', arithmetic(short, add, 'register'), bfp),
  insn('ADBR', 0xb31a, RRE_f, 'z', arithmetic(long, add, 'register'), bfp),
  insn('AXBR', 0xb34a, RRE_f, 'z', extendedBinary(exact.add), bfp),
  insn('AEB', 0xed0a, RXE, 'z', arithmetic(short, add, 'storage'), bfp),
  insn('ADB', 0xed1a, RXE, 'z', arithmetic(long, add, 'storage'), bfp),

  // SUBTRACT
  insn('SEBR', 0xb30b, RRE_f, 'z', arithmetic(short, subtract, 'register'), bfp),
  insn('SDBR', 0xb31b, RRE_f, 'z', arithmetic(long, subtract, 'register'), bfp),
  insn('SXBR', 0xb34b, RRE_f, 'z', extendedBinary(exact.subtract), bfp),
  insn('SEB', 0xed0b, RXE, 'z', arithmetic(short, subtract, 'storage'), bfp),
  insn('SDB', 0xed1b, RXE, 'z', arithmetic(long, subtract, 'storage'), bfp),

  // MULTIPLY
  insn('MEEBR', 0xb317, RRE_f, 'z', arithmetic(short, multiply, 'register'), bfp),
  insn('MDBR', 0xb31c, RRE_f, 'z', arithmetic(long, multiply, 'register'), bfp),
  insn('MXBR', 0xb34c, RRE_f, 'z', extendedBinary(exact.multiply), bfp),
  insn('MDEBR', 0xb30c, RRE_f, 'z', multiplyToLong('register'), bfp),
  insn('MXDBR', 0xb307, RRE_f, 'z', extended(extendedProduct, 'f1'), bfp),
  insn('MEEB', 0xed17, RXE, 'z', arithmetic(short, multiply, 'storage'), bfp),
  insn('MDB', 0xed1c, RXE, 'z', arithmetic(long, multiply, 'storage'), bfp),
  insn('MDEB', 0xed0c, RXE, 'z', multiplyToLong('storage'), bfp),
  insn('MXDB', 0xed07, RXE, 'z', extendedFromStorage(long, extendedProduct), bfp),

  // DIVIDE
  insn('DEBR', 0xb30d, RRE_f, 'z', arithmetic(short, divide, 'register'), bfp),
  insn('DDBR', 0xb31d, RRE_f, 'z', arithmetic(long, divide, 'register'), bfp),
  insn('DXBR', 0xb34d, RRE_f, 'z', extendedBinary(exact.divide), bfp),
  insn('DEB', 0xed0d, RXE, 'z', arithmetic(short, divide, 'storage'), bfp),
  insn('DDB', 0xed1d, RXE, 'z', arithmetic(long, divide, 'storage'), bfp),

  // DIVIDE TO INTEGER
  insn('DIEBR', 0xb353, RRF_bf, 'z', extended(work.divisionToInteger(SHORT)), bfp),
  insn('DIDBR', 0xb35b, RRF_bf, 'z', extended(work.divisionToInteger(LONG)), bfp),

  // SQUARE ROOT
  insn('SQEBR', 0xb314, RRE_f, 'z', squareRoot(short, 'register'), bfp),
  insn('SQDBR', 0xb315, RRE_f, 'z', squareRoot(long, 'register'), bfp),
  insn('SQXBR', 0xb316, RRE_f, 'z', extended(work.unary(EXTENDED, exact.squareRoot), 'f1', 'f2'), bfp),
  insn('SQEB', 0xed14, RXE, 'z', squareRoot(short, 'storage'), bfp),
  insn('SQDB', 0xed15, RXE, 'z', squareRoot(long, 'storage'), bfp),

  // MULTIPLY AND ADD, MULTIPLY AND SUBTRACT
  insn('MAEBR', 0xb30e, RRD, 'z', fusedShort('add', 'register'), bfp),
  insn('MADBR', 0xb31e, RRD, 'z', fusedLong('add', 'register'), bfp),
  insn('MAEB', 0xed0e, RXF, 'z', fusedShort('add', 'storage'), bfp),
  insn('MADB', 0xed1e, RXF, 'z', fusedLong('add', 'storage'), bfp),
  insn('MSEBR', 0xb30f, RRD, 'z', fusedShort('subtract', 'register'), bfp),
  insn('MSDBR', 0xb31f, RRD, 'z', fusedLong('subtract', 'register'), bfp),
  insn('MSEB', 0xed0f, RXF, 'z', fusedShort('subtract', 'storage'), bfp),
  insn('MSDB', 0xed1f, RXF, 'z', fusedLong('subtract', 'storage'), bfp),

  // COMPARE, COMPARE AND SIGNAL
  insn('CEBR', 0xb309, RRE_f, 'z', comparison(short, exact.compare, 'register'), bfp),
  insn('CDBR', 0xb319, RRE_f, 'z', comparison(long, exact.compare, 'register'), bfp),
  insn('CXBR', 0xb349, RRE_f, 'z', extendedComparison(exact.compare), bfp),
  insn('CEB', 0xed09, RXE, 'z', comparison(short, exact.compare, 'storage'), bfp),
  insn('CDB', 0xed19, RXE, 'z', comparison(long, exact.compare, 'storage'), bfp),
  insn('KEBR', 0xb308, RRE_f, 'z', comparison(short, exact.compareAndSignal, 'register'), bfp),
  insn('KDBR', 0xb318, RRE_f, 'z', comparison(long, exact.compareAndSignal, 'register'), bfp),
  insn('KXBR', 0xb348, RRE_f, 'z', extendedComparison(exact.compareAndSignal), bfp),
  insn('KEB', 0xed08, RXE, 'z', comparison(short, exact.compareAndSignal, 'storage'), bfp),
  insn('KDB', 0xed18, RXE, 'z', comparison(long, exact.compareAndSignal, 'storage'), bfp),

  // LOAD AND TEST; LOAD COMPLEMENT, NEGATIVE, POSITIVE; TEST DATA CLASS
  insn('LTEBR', 0xb302, RRE_f, 'z', test('short', SHORT), bfp),
  insn('LTDBR', 0xb312, RRE_f, 'z', test('long', LONG), bfp),
  insn('LTXBR', 0xb342, RRE_f, 'z', test('extended', EXTENDED), bfp),
  insn('LCEBR', 0xb303, RRE_f, 'z', complement('short'), bfp),
  insn('LCDBR', 0xb313, RRE_f, 'z', complement('long'), bfp),
  insn('LCXBR', 0xb343, RRE_f, 'z', complement('extended'), bfp),
  insn('LNEBR', 0xb301, RRE_f, 'z', negative('short'), bfp),
  insn('LNDBR', 0xb311, RRE_f, 'z', negative('long'), bfp),
  insn('LNXBR', 0xb341, RRE_f, 'z', negative('extended'), bfp),
  insn('LPEBR', 0xb300, RRE_f, 'z', positive('short'), bfp),
  insn('LPDBR', 0xb310, RRE_f, 'z', positive('long'), bfp),
  insn('LPXBR', 0xb340, RRE_f, 'z', positive('extended'), bfp),
  insn('TCEB', 0xed10, RXE, 'z', testClass('short'), bfp),
  insn('TCDB', 0xed11, RXE, 'z', testClass('long'), bfp),
  insn('TCXB', 0xed12, RXE, 'z', testClass('extended'), bfp),

  // LOAD LENGTHENED
  insn('LDEBR', 0xb304, RRE_f, 'z', lengthen('register'), bfp),
  insn('LXDBR', 0xb305, RRE_f, 'z', extended(lengthened(LONG, EXTENDED), 'f1'), bfp),
  insn('LXEBR', 0xb306, RRE_f, 'z', extended(lengthened(SHORT, EXTENDED), 'f1'), bfp),
  insn('LDEB', 0xed04, RXE, 'z', lengthen('storage'), bfp),
  insn('LXDB', 0xed05, RXE, 'z', extendedFromStorage(long, lengthened(LONG, EXTENDED)), bfp),
  insn('LXEB', 0xed06, RXE, 'z', extendedFromStorage(short, lengthened(SHORT, EXTENDED)), bfp),

  // LOAD ROUNDED: a trapped result is extended, whatever the target
  insn('LEDBRA', 0xb344, RRF_e, 'z', roundToShort, bfp),
  insn('LDXBRA', 0xb345, RRF_e, 'z', extendedByMethod(work.rounded(EXTENDED, LONG), 'f1', 'f2'), bfp),
  insn('LEXBRA', 0xb346, RRF_e, 'z', extendedByMethod(work.rounded(EXTENDED, SHORT), 'f1', 'f2'), bfp),

  // LOAD FP INTEGER
  insn('FIEBRA', 0xb357, RRF_e, 'z', loadInteger(short, f64.promote, f32.demote), bfp),
  insn(
    'FIDBRA',
    0xb35f,
    RRF_e,
    'z',
    loadInteger(
      long,
      a => a,
      a => a,
    ),
    bfp,
  ),
  insn('FIXBRA', 0xb347, RRF_e, 'z', extendedByMethod(work.unary(EXTENDED, exact.loadFpInteger), 'f1', 'f2'), bfp),

  // CONVERT FROM FIXED, CONVERT FROM LOGICAL
  insn('CEFBRA', 0xb394, RRF_efr, 'z', shortFrom(32, true), bfp),
  insn('CDFBRA', 0xb395, RRF_efr, 'z', longFrom(32, true), bfp),
  insn('CXFBRA', 0xb396, RRF_efr, 'z', extendedFrom(32, true), bfp),
  insn('CEGBRA', 0xb3a4, RRF_efr, 'z', shortFrom(64, true), bfp),
  insn('CDGBRA', 0xb3a5, RRF_efr, 'z', longFrom(64, true), bfp),
  insn('CXGBRA', 0xb3a6, RRF_efr, 'z', extendedFrom(64, true), bfp),
  insn('CELFBR', 0xb390, RRF_efr, 37, shortFrom(32, false), bfp),
  insn('CDLFBR', 0xb391, RRF_efr, 37, longFrom(32, false), bfp),
  insn('CXLFBR', 0xb392, RRF_efr, 37, extendedFrom(32, false), bfp),
  insn('CELGBR', 0xb3a0, RRF_efr, 37, shortFrom(64, false), bfp),
  insn('CDLGBR', 0xb3a1, RRF_efr, 37, longFrom(64, false), bfp),
  insn('CXLGBR', 0xb3a2, RRF_efr, 37, extendedFrom(64, false), bfp),

  // CONVERT TO FIXED, CONVERT TO LOGICAL
  insn('CFEBRA', 0xb398, RRF_erf, 'z', toIntegerFromShort(32, true), casts),
  insn('CFDBRA', 0xb399, RRF_erf, 'z', toIntegerFromLong(32, true), casts),
  insn('CFXBRA', 0xb39a, RRF_erf, 'z', extendedTo(32, true), bfp),
  insn('CGEBRA', 0xb3a8, RRF_erf, 'z', toIntegerFromShort(64, true), casts),
  insn('CGDBRA', 0xb3a9, RRF_erf, 'z', toIntegerFromLong(64, true), casts),
  insn('CGXBRA', 0xb3aa, RRF_erf, 'z', extendedTo(64, true), bfp),
  insn('CLFEBR', 0xb39c, RRF_erf, 37, toIntegerFromShort(32, false), bfp),
  insn('CLFDBR', 0xb39d, RRF_erf, 37, toIntegerFromLong(32, false), bfp),
  insn('CLFXBR', 0xb39e, RRF_erf, 37, extendedTo(32, false), bfp),
  insn('CLGEBR', 0xb3ac, RRF_erf, 37, toIntegerFromShort(64, false), bfp),
  insn('CLGDBR', 0xb3ad, RRF_erf, 37, toIntegerFromLong(64, false), bfp),
  insn('CLGXBR', 0xb3ae, RRF_erf, 37, extendedTo(64, false), bfp),
];
