import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Format } from './bfp.ts';
import * as bfp from './bfp.ts';
import { EXTENDED, LONG, SHORT } from './bfp.ts';

const FORMATS = [SHORT, LONG, EXTENDED];
const MODES = [0, 1, 2, 3, 7];
const METHODS = [0, 1, 3, 4, 5, 6, 7];

// ---- the definition, written with fractions and neighbours ----

/** A positive value: numerator × 2**exponent ÷ denominator, or the square root of that. */
type Value = { numerator: bigint; denominator: bigint; exponent: number; root?: boolean };

/** Sign of m × 2**e − value. */
function order(m: bigint, e: number, { numerator, denominator, exponent, root }: Value): number {
  if (root) [m, e] = [m * m, 2 * e];
  let left = m * denominator;
  let right = numerator;
  if (e > exponent) left <<= BigInt(e - exponent);
  else right <<= BigInt(exponent - e);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Magnitude of a pattern as m × 2**e, by the definition of the format; infinity stands for the next power of two. */
function magnitudeOf(format: Format, pattern: bigint): [bigint, number] {
  const fraction = pattern % 2n ** BigInt(format.precision - 1);
  const biased = Number(pattern / 2n ** BigInt(format.precision - 1));
  const e = Math.max(biased, 1) + format.minExponent - 1 - (format.precision - 1);
  return [biased === 0 ? fraction : fraction + 2n ** BigInt(format.precision - 1), e];
}

/** The same with its sign, as a fraction. */
function signedValue(format: Format, bits: bigint): { negative: boolean; value: Value } {
  const negative = bits >= format.sign;
  const [numerator, exponent] = magnitudeOf(format, negative ? bits - format.sign : bits);
  return { negative, value: { numerator, denominator: 1n, exponent } };
}

type Rounded = { pattern: bigint; inexact: boolean; incremented: boolean; overflow: boolean; tiny: boolean };

const methodFor = (fpc: number, field = 0): number => field || [4, 5, 6, 7, -1, -1, -1, 3][fpc & 7];

/** Rounds by searching the two neighbours among all patterns. */
function nearest(format: Format, negative: boolean, value: Value, method: number): Rounded {
  let low = 0n;
  let high = format.infinity;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (order(...magnitudeOf(format, middle), value) <= 0) low = middle;
    else high = middle;
  }
  const [m, e] = magnitudeOf(format, low);
  const exact = order(m, e, value) === 0;
  const beyond = order(1n, format.maxExponent + 1, value) <= 0;
  const middle = order(2n * m + 1n, e - 1, value);
  const away = {
    1: middle <= 0,
    3: low % 2n === 0n,
    4: middle < 0 || (middle === 0 && low % 2n === 1n),
    5: false,
    6: !negative,
    7: negative,
  }[method];
  const incremented = !exact && away === true;
  return {
    pattern: incremented ? high : low,
    inexact: !exact,
    incremented,
    overflow: beyond || (incremented && high === format.infinity),
    tiny: order(1n, format.minExponent, value) > 0,
  };
}

/** The outcome for a nonzero value in terms of the definitions of the exceptions. */
function defined(format: Format, negative: boolean, value: Value, fpc: number, m3 = 0, m4 = 0, source?: Format) {
  const method = methodFor(fpc, m3);
  const recognize = (m4 & 4) === 0;
  const rounded = nearest(format, negative, value, method);
  const code = (inexact: boolean, incremented: boolean): number => (!inexact || !recognize ? 0 : incremented ? 12 : 8);
  const patternOf = (target: Format, magnitude: bigint): bigint => magnitude + (negative ? target.sign : 0n);
  const range = rounded.overflow ? 0x20 : rounded.tiny && (fpc >>> 24) & 0x10 ? 0x10 : 0;
  if (range & (fpc >>> 24)) {
    // Brought next to one by a power of two, the value rounds as with an unbounded exponent.
    let shift = 0;
    while (order(2n, 0, scaleBy(value, shift)) <= 0) shift -= 1;
    while (order(1n, 0, scaleBy(value, shift)) > 0) shift += 1;
    const { pattern, inexact, incremented } = nearest(format, negative, scaleBy(value, shift), method);
    const target = source ?? format;
    const scale = source ? { 64: 512, 128: 8192 }[source.width]! : { 32: 192, 64: 1536, 128: 24576 }[format.width]!;
    const [numerator, exponent] = magnitudeOf(format, pattern);
    const back = { numerator, denominator: 1n, exponent: exponent - shift + (range === 0x10 ? scale : -scale) };
    const result = patternOf(target, nearest(target, negative, back, 5).pattern);
    return { result, flags: 0, dxc: range | code(inexact, incremented), suppressed: false };
  }
  const raised = (rounded.overflow ? 0x20 : rounded.tiny && rounded.inexact ? 0x10 : 0) | (rounded.inexact ? 8 : 0);
  const dxc = raised & 8 & (fpc >>> 24) ? code(true, rounded.incremented) : 0;
  const flags = (raised & (dxc || !recognize ? ~8 : ~0)) << 16;
  return { result: patternOf(format, rounded.pattern), flags, dxc, suppressed: false };
}

const scaleBy = (value: Value, shift: number): Value => ({
  ...value,
  exponent: value.exponent + (value.root ? 2 * shift : shift),
});

// ---- operands ----

let state = 20250101;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
}
const below = (n: number): number => random() % n;
const pick = <T>(list: readonly T[]): T => list[below(list.length)];

function randomBits(count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i += 32) value = (value << 32n) | BigInt(random());
  return BigInt.asUintN(count, value);
}

/** Bits with long runs, single ones, or nothing special. */
function sparse(count: number): bigint {
  const one = 1n << BigInt(below(count));
  const ones = (1n << BigInt(count)) - 1n;
  return pick([0n, ones, one, one - 1n, ones - one + 1n, one ^ (1n << BigInt(below(count))), randomBits(count)]);
}

/** A finite number, often near the ends of the range or next to another one. */
function finite(format: Format, near?: bigint): bigint {
  const ones = 2 * format.maxExponent + 1;
  let biased = pick([0, below(4), ones - 1 - below(3), format.maxExponent + below(80) - 40, below(ones)]);
  if (near !== undefined && below(2)) {
    biased = (Number(near >> format.fractionBits) & ones) + below(2 * format.precision + 8) - format.precision - 4;
  }
  biased = Math.max(0, Math.min(ones - 1, biased));
  return (below(2) ? format.sign : 0n) | (BigInt(biased) << format.fractionBits) | sparse(format.precision - 1);
}

const randomFpc = (): number => (pick([0, 0, 0x08, 0x10, 0x20, 0x30, 0xf8]) * 2 ** 24) | pick(MODES);

function hex(object: object): string {
  return JSON.stringify(object, (_, value) =>
    typeof value === 'bigint' || typeof value === 'number' ? `0x${value.toString(16)}` : value,
  );
}

/** Checks result, flags and data-exception code of random operations against the definition. */
function agree(count: number, attempt: () => [actual: bfp.Outcome, expected: object, operands: object]): void {
  for (let i = 0; i < count; i++) {
    const [{ result, flags, dxc, suppressed }, expected, operands] = attempt();
    assert.equal(hex({ result, flags, dxc, suppressed }), hex(expected), hex(operands));
  }
}

const counts = new Map([
  [SHORT, 1500],
  [LONG, 800],
  [EXTENDED, 60],
]);
const nothing = { flags: 0, dxc: 0, suppressed: false };

/** The outcome for a signed sum of fractions, where zero takes the sign that the rules for sums give it. */
function definedSum(format: Format, x: bigint, exponent: number, zero: bigint, fpc: number): object {
  if (x === 0n) return { result: zero, ...nothing };
  const value = { numerator: x < 0n ? -x : x, denominator: 1n, exponent };
  return defined(format, x < 0n, value, fpc);
}

/** Two signed values brought to one exponent. */
function aligned(x: Value, xNegative: boolean, y: Value, yNegative: boolean): [bigint, bigint, number] {
  const exponent = Math.min(x.exponent, y.exponent);
  const a = x.numerator << BigInt(x.exponent - exponent);
  const b = y.numerator << BigInt(y.exponent - exponent);
  return [xNegative ? -a : a, yNegative ? -b : b, exponent];
}

for (const format of FORMATS) {
  const count = counts.get(format)!;

  test(`${format.name}: sums and differences are the definition's`, () => {
    agree(count, () => {
      const fpc = randomFpc();
      const a = finite(format);
      const b = below(8) ? finite(format, a) : a ^ (below(2) ? format.sign : 0n);
      const minus = below(2) === 1;
      const x = signedValue(format, a);
      const y = signedValue(format, b);
      const yNegative = y.negative !== minus;
      const [left, right, exponent] = aligned(x.value, x.negative, y.value, yNegative);
      const like = left === 0n && x.negative === yNegative;
      const zero = (like ? x.negative : (fpc & 7) === 3) ? format.sign : 0n;
      const actual = minus ? bfp.subtract(format, a, b, fpc) : bfp.add(format, a, b, fpc);
      return [actual, definedSum(format, left + right, exponent, zero, fpc), { a, b, fpc, minus }];
    });
  });

  test(`${format.name}: products are the definition's`, () => {
    agree(count, () => {
      const fpc = randomFpc();
      const a = finite(format);
      const b = finite(format);
      const x = signedValue(format, a);
      const y = signedValue(format, b);
      const negative = x.negative !== y.negative;
      const product = x.value.numerator * y.value.numerator * (negative ? -1n : 1n);
      const zero = negative ? format.sign : 0n;
      const expected = definedSum(format, product, x.value.exponent + y.value.exponent, zero, fpc);
      return [bfp.multiply(format, a, b, fpc), expected, { a, b, fpc }];
    });
  });

  test(`${format.name}: fused sums are the definition's`, () => {
    agree(count, () => {
      const fpc = randomFpc();
      const a = finite(format);
      const b = finite(format);
      // Often an addend that the product nearly cancels, if toward zero, which never overflows to infinity.
      const c = below(3) ? finite(format) : bfp.multiply(format, a, b, 1).result ^ (BigInt(below(2)) * format.sign);
      const minus = below(2) === 1;
      const [x, y, z] = [a, b, c].map(bits => signedValue(format, bits));
      const negative = x.negative !== y.negative;
      const zNegative = z.negative !== minus;
      const product = {
        numerator: x.value.numerator * y.value.numerator,
        denominator: 1n,
        exponent: x.value.exponent + y.value.exponent,
      };
      const [left, right, exponent] = aligned(product, negative, z.value, zNegative);
      const like = left === 0n && right === 0n && negative === zNegative;
      const zero = (like ? negative : (fpc & 7) === 3) ? format.sign : 0n;
      const operation = minus ? bfp.multiplySubtract : bfp.multiplyAdd;
      const expected = definedSum(format, left + right, exponent, zero, fpc);
      return [operation(format, a, b, c, fpc), expected, { a, b, c, fpc, minus }];
    });
  });

  test(`${format.name}: quotients and square roots are the definition's`, () => {
    agree(count, () => {
      const fpc = randomFpc();
      const a = finite(format) | 1n;
      const b = finite(format) | 1n;
      const x = signedValue(format, a);
      const y = signedValue(format, b);
      if (below(2)) {
        const value = { ...x.value, root: true };
        return [bfp.squareRoot(format, a & ~format.sign, fpc), defined(format, false, value, fpc), { a, fpc }];
      }
      const value = {
        numerator: x.value.numerator,
        denominator: y.value.numerator,
        exponent: x.value.exponent - y.value.exponent,
      };
      const expected = defined(format, x.negative !== y.negative, value, fpc);
      return [bfp.divide(format, a, b, fpc), expected, { a, b, fpc }];
    });
  });

  test(`${format.name}: integers convert as defined, in both directions`, () => {
    agree(count, () => {
      const fpc = randomFpc();
      const m3 = pick(METHODS);
      const m4 = pick([0, 4]);
      const value = pick([randomBits(1 + below(64)), 1n + sparse(63)]) * pick([1n, -1n]);
      const magnitude = { numerator: value < 0n ? -value : value, denominator: 1n, exponent: 0 };
      const expected = value === 0n ? { result: 0n, ...nothing } : defined(format, value < 0n, magnitude, fpc, m3, m4);
      return [bfp.convertFromFixed(format, value, fpc, m3, m4), expected, { value, fpc, m3, m4 }];
    });
    agree(count, () => {
      const fpc = randomFpc();
      const m3 = pick(METHODS);
      const m4 = pick([0, 4]);
      const a = (BigInt(format.maxExponent + below(68) - 3) << format.fractionBits) | sparse(format.precision - 1);
      const bits = a | (below(2) ? format.sign : 0n);
      const { negative, value } = signedValue(format, bits);
      const [width, logical] = [pick([32, 64]), below(2) === 1];
      const { integer, inexact, incremented } = integerOf(value, negative, methodFor(fpc, m3));
      const [least, greatest] = logical ? [0n, 2n ** BigInt(width) - 1n] : limits(width);
      const signed = negative ? -integer : integer;
      const fits = signed >= least && signed <= greatest;
      const convert = logical ? bfp.convertToLogical : bfp.convertToFixed;
      const actual = convert(format, width, bits, fpc, m3, m4);
      const raised = (fits ? 0 : 0x80) | ((inexact || !fits) && m4 === 0 ? 8 : 0);
      const enabled = raised & (fpc >>> 24);
      const dxc = enabled & 0x80 || (enabled & 8 && fits && incremented ? 12 : enabled & 8);
      const expected = {
        result: fits ? signed : negative ? least : greatest,
        flags: (dxc === 0x80 ? 0 : dxc ? raised & 0x80 : raised) << 16,
        dxc,
        suppressed: dxc === 0x80,
      };
      assert.equal(actual.cc, !fits ? 3 : negative ? 1 : 2);
      return [actual, expected, { bits, fpc, m3, m4, width }];
    });
    agree(count, () => {
      const fpc = randomFpc();
      const m3 = pick(METHODS);
      const m4 = pick([0, 4]);
      const biased = format.maxExponent + below(format.precision + 4) - 3;
      const bits =
        (BigInt(biased) << format.fractionBits) | sparse(format.precision - 1) | (below(2) ? format.sign : 0n);
      const { negative, value } = signedValue(format, bits);
      const { integer, inexact, incremented } = integerOf(value, negative, methodFor(fpc, m3));
      const sign = negative ? format.sign : 0n;
      const magnitude = { numerator: integer, denominator: 1n, exponent: 0 };
      const raised = inexact && m4 === 0 ? 8 : 0;
      const dxc = raised & (fpc >>> 24) ? (incremented ? 12 : 8) : 0;
      const expected = {
        result: sign + (integer === 0n ? 0n : nearest(format, negative, magnitude, 5).pattern),
        flags: dxc ? 0 : raised << 16,
        dxc,
        suppressed: false,
      };
      return [bfp.loadFpInteger(format, bits, fpc, m3, m4), expected, { bits, fpc, m3, m4 }];
    });
  });
}

const limits = (width: number): [bigint, bigint] => [-(2n ** BigInt(width - 1)), 2n ** BigInt(width - 1) - 1n];

/** Rounds a value without root to an integer, by the definition. */
function integerOf(value: Value, negative: boolean, method: number) {
  const [n, d] =
    value.exponent < 0
      ? [value.numerator, value.denominator << BigInt(-value.exponent)]
      : [value.numerator << BigInt(value.exponent), value.denominator];
  const floor = n / d;
  const inexact = floor * d !== n;
  const twice = 2n * (n - floor * d);
  const away = [
    false,
    twice >= d,
    false,
    floor % 2n === 0n,
    twice > d || (twice === d && floor % 2n === 1n),
    false,
    !negative,
    negative,
  ][method];
  const incremented = inexact && away;
  return { integer: incremented ? floor + 1n : floor, inexact, incremented };
}

for (const [from, to] of [
  [LONG, SHORT],
  [EXTENDED, SHORT],
  [EXTENDED, LONG],
]) {
  test(`${from.name} to ${to.name}: rounded as defined, scaled results in the source format`, () => {
    agree(counts.get(from)!, () => {
      const fpc = randomFpc();
      const m3 = pick(METHODS);
      const m4 = pick([0, 4]);
      const exponent = pick([to.minExponent, to.maxExponent, to.minExponent - to.precision, 0]) + below(6) - 3;
      const spare = BigInt(from.precision - to.precision);
      const fraction = (sparse(to.precision - 1) << spare) + pick([0n, 1n << (spare - 1n), sparse(Number(spare))]);
      const bits = (BigInt(exponent + from.maxExponent) << from.fractionBits) | fraction | (below(2) ? from.sign : 0n);
      const { negative, value } = signedValue(from, bits);
      const out = bfp.loadRounded(from, to, bits, fpc, m3, m4);
      assert.equal(out.format, out.dxc & 0x30 ? from : to);
      return [out, defined(to, negative, value, fpc, m3, m4, from), { bits, fpc, m3, m4 }];
    });
  });

  test(`${to.name} to ${from.name}: lengthening is exact and rounding takes it back`, () => {
    for (let i = 0; i < 500; i++) {
      const bits = finite(to);
      const long = bfp.loadLengthened(to, from, bits, 0xf8000000);
      assert.deepEqual({ ...long, result: 0n }, { result: 0n, ...nothing });
      const x = signedValue(to, bits);
      const y = signedValue(from, long.result);
      assert.equal(x.negative, y.negative);
      assert.equal(order(x.value.numerator, x.value.exponent, y.value), 0);
      assert.equal(bfp.loadRounded(from, to, long.result, 0).result, bits);
    }
  });
}

for (const [from, to] of [
  [SHORT, LONG],
  [LONG, EXTENDED],
]) {
  test(`${from.name} to ${to.name}: longer products are those of the lengthened operands`, () => {
    for (let i = 0; i < 500; i++) {
      const [a, b] = [finite(from), finite(from)];
      const [x, y] = [a, b].map(bits => bfp.loadLengthened(from, to, bits, 0).result);
      const out = bfp.multiplyLonger(from, to, a, b, 0xf8000000);
      assert.deepEqual(out, bfp.multiply(to, x, y, 0xf8000000));
      assert.equal(out.dxc, 0);
    }
  });
}

// ---- the host's arithmetic ----

const view = new DataView(new ArrayBuffer(8));
function longBits(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
function longValue(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}
function shortBits(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}
function shortValue(bits: bigint): number {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

test('to nearest even, long and short arithmetic is the host’s', () => {
  for (const [format, pack, value] of [
    [LONG, longBits, longValue],
    [SHORT, shortBits, shortValue],
  ] as const) {
    for (let i = 0; i < 6000; i++) {
      const a = finite(format);
      const b = finite(format, a);
      const [x, y] = [value(a), value(b)];
      const check = (name: string, actual: bigint, expected: number): void => {
        if (Number.isNaN(expected)) assert.equal(actual, format.defaultNaN, name);
        else assert.equal(actual, pack(expected), `${name} ${hex({ a, b })}`);
      };
      check('+', bfp.add(format, a, b, 0).result, x + y);
      check('-', bfp.subtract(format, a, b, 0).result, x - y);
      check('*', bfp.multiply(format, a, b, 0).result, x * y);
      check('/', bfp.divide(format, a, b, 0).result, x / y);
      check('sqrt', bfp.squareRoot(format, a, 0).result, Math.sqrt(x));
      check('trunc', bfp.loadFpInteger(format, a, 0, 5).result, Math.trunc(x));
      check('ceil', bfp.loadFpInteger(format, a, 0, 6).result, Math.ceil(x));
      check('floor', bfp.loadFpInteger(format, a, 0, 7).result, Math.floor(x));
      assert.equal(bfp.compare(format, a, b, 0).cc, x === y ? 0 : x < y ? 1 : 2);
      if (format === LONG) assert.equal(bfp.loadRounded(LONG, SHORT, a, 0).result, shortBits(Math.fround(x)));
    }
  }
});

// ---- divide to integer ----

/** Numerator and denominator of a positive quotient. */
function fraction(x: Value, y: Value): [bigint, bigint] {
  const gap = x.exponent - y.exponent;
  return gap > 0 ? [x.numerator << BigInt(gap), y.numerator] : [x.numerator, y.numerator << BigInt(-gap)];
}

function fits(integer: bigint, precision: number): boolean {
  while (integer !== 0n && integer % 2n === 0n) integer /= 2n;
  return integer < 2n ** BigInt(precision);
}

function definedDivision(format: Format, a: bigint, b: bigint, fpc: number, m4: number) {
  const x = signedValue(format, a);
  const y = signedValue(format, b);
  const negative = x.negative !== y.negative;
  const [p, q] = fraction(x.value, y.value);
  const floor = p / q;
  const whole = floor * q === p;
  const partial = !whole && !(fits(floor, format.precision) && fits(floor + 1n, format.precision));
  let n: bigint;
  if (partial) {
    const spare = BigInt(floor.toString(2).length - format.precision);
    n = (floor >> spare) << spare;
  } else n = integerOf({ numerator: p, denominator: q, exponent: 0 }, negative, methodFor(fpc, m4)).integer;
  const scaled = n >= 2n ** BigInt(format.maxExponent + 1);
  const quotient = { numerator: n, denominator: 1n, exponent: scaled ? -format.scale : 0 };
  // The remainder in units of the smaller exponent: (p − n q) times that of y's numerator, or of x's.
  const exponent = Math.min(x.value.exponent, y.value.exponent);
  const rest = (p - n * q) * (x.negative ? -1n : 1n);
  const remainder = definedSum(format, rest, exponent, x.negative ? format.sign : 0n, fpc);
  const sign = negative ? format.sign : 0n;
  return {
    quotient: sign + (n === 0n ? 0n : nearest(format, negative, quotient, 5).pattern),
    remainder,
    cc: (partial ? 2 : 0) + (scaled ? 1 : 0),
  };
}

for (const format of [SHORT, LONG]) {
  test(`${format.name}: DIVIDE TO INTEGER gives the definition's quotient, remainder and condition code`, () => {
    const codes = [0, 0, 0, 0];
    for (let i = 0; i < (format === SHORT ? 1500 : 300); i++) {
      const fpc = randomFpc();
      const m4 = pick(METHODS);
      const a = finite(format) | BigInt(below(2));
      let b = finite(format, a) | 1n;
      // Whole quotients, of all sizes.
      if (below(4) === 0) b = (b & ~format.fractionMask) | (a & format.fractionMask) | 1n;
      if ((a & ~format.sign) === 0n) continue;
      const { quotient, remainder, cc, flags, dxc, suppressed } = bfp.divideToInteger(format, a, b, fpc, m4);
      const actual = { quotient, remainder: { result: remainder, flags, dxc, suppressed }, cc };
      assert.equal(hex(actual), hex(definedDivision(format, a, b, fpc, m4)), hex({ a, b, fpc, m4 }));
      codes[cc] += 1;
    }
    assert.ok(codes.every(Boolean), `all condition codes occur: ${codes}`);
  });
}

// ---- known answers ----

const NAN = 0x7fc00000n;
const QUIET = [0xffc01234n, 0x7fe00001n, 0xffffffffn];
const SIGNALING = [0x7f800001n, 0xff901234n, 0x7fa00000n];
const madeQuiet = (bits: bigint): bigint => bits | 0x00400000n;
const INFINITY = 0x7f800000n;
const MINUS = 0x80000000n;
const ONE = 0x3f800000n;
const [INVALID_FLAG, DIVIDE_FLAG] = [0x00800000, 0x00400000];

test('the first signaling NaN, then the first quiet one, is the result', () => {
  const [q1, q2, q3] = QUIET;
  const [s1, s2, s3] = SIGNALING;
  for (const operation of [bfp.add, bfp.subtract, bfp.multiply, bfp.divide]) {
    for (const [a, b, result] of [
      [q1, ONE, q1],
      [ONE, q2, q2],
      [q1, q2, q1],
      [q1, s1, madeQuiet(s1)],
      [s1, q1, madeQuiet(s1)],
      [s1, s2, madeQuiet(s1)],
    ]) {
      const flags = [a, b].some(bits => SIGNALING.includes(bits)) ? INVALID_FLAG : 0;
      const out = operation(SHORT, a, b, 0);
      assert.equal(out.result, result);
      assert.equal(out.flags, flags);
      const trapped = operation(SHORT, a, b, 0x80000000);
      assert.deepEqual([trapped.dxc, trapped.suppressed, trapped.flags], flags ? [0x80, true, 0] : [0, false, 0]);
    }
  }
  for (const operation of [bfp.multiplyAdd, bfp.multiplySubtract]) {
    for (const [a, b, c, result, flags] of [
      [q1, q2, q3, q1, 0],
      [ONE, q2, q3, q2, 0],
      [ONE, ONE, q3, q3, 0],
      [q1, q2, s3, madeQuiet(s3), INVALID_FLAG],
      [q1, s2, s3, madeQuiet(s2), INVALID_FLAG],
      [s1, s2, s3, madeQuiet(s1), INVALID_FLAG],
      [INFINITY, 0n, q3, NAN, INVALID_FLAG],
      [INFINITY, 0n, s3, NAN, INVALID_FLAG],
      [0n, INFINITY | MINUS, ONE, NAN, INVALID_FLAG],
    ] as const) {
      const out = operation(SHORT, a, b, c, 0);
      assert.deepEqual([out.result, out.flags], [result, flags]);
    }
  }
});

test('NaNs change format with the leftmost bits of the fraction, signaling ones quietly', () => {
  assert.deepEqual(bfp.loadLengthened(SHORT, LONG, 0xff800001n, 0), {
    result: 0xfff8000020000000n,
    flags: INVALID_FLAG,
    dxc: 0,
    suppressed: false,
  });
  assert.equal(bfp.loadLengthened(SHORT, EXTENDED, 0x7fc00001n, 0).result, 0x7fff8000_02000000_0000000000000000n);
  assert.equal(bfp.loadRounded(LONG, SHORT, 0x7ff0000000000001n, 0).result, NAN);
  assert.equal(bfp.loadRounded(LONG, SHORT, 0xfff8000020000001n, 0).result, 0xffc00001n);
  assert.equal(bfp.multiplyLonger(SHORT, LONG, 0xffc00001n, 0x7f800001n, 0).result, 0x7ff8000020000000n);
  assert.deepEqual(bfp.loadAndTest(SHORT, 0xff800001n, 0), {
    result: 0xffc00001n,
    flags: INVALID_FLAG,
    dxc: 0,
    suppressed: false,
    cc: 3,
  });
  assert.equal(bfp.loadAndTest(SHORT, 0xff800001n, 0x80000000).suppressed, true);
  assert.equal(bfp.loadFpInteger(SHORT, 0xff800001n, 0).result, 0xffc00001n);
});

test('what is invalid in itself gives the default NaN', () => {
  for (const out of [
    bfp.add(SHORT, INFINITY, INFINITY | MINUS, 0),
    bfp.subtract(SHORT, INFINITY, INFINITY, 0),
    bfp.multiply(SHORT, 0n, INFINITY, 0),
    bfp.divide(SHORT, 0n, MINUS, 0),
    bfp.divide(SHORT, INFINITY, INFINITY, 0),
    bfp.squareRoot(SHORT, ONE | MINUS, 0),
    bfp.squareRoot(SHORT, INFINITY | MINUS, 0),
    bfp.multiplyAdd(SHORT, INFINITY, ONE, INFINITY | MINUS, 0),
    bfp.multiplySubtract(SHORT, INFINITY, ONE, INFINITY, 0),
  ]) {
    assert.deepEqual([out.result, out.flags, out.dxc], [NAN, INVALID_FLAG, 0]);
  }
  for (const format of FORMATS) {
    const out = bfp.subtract(format, format.infinity, format.infinity, 0x80000000);
    assert.deepEqual([out.flags, out.dxc, out.suppressed], [0, 0x80, true]);
    assert.equal(bfp.divide(format, 0n, 0n, 0).result, format.defaultNaN);
  }
});

test('division by zero and infinities', () => {
  assert.deepEqual(bfp.divide(SHORT, ONE | MINUS, 0n, 0), {
    result: INFINITY | MINUS,
    flags: DIVIDE_FLAG,
    dxc: 0,
    suppressed: false,
  });
  assert.deepEqual(
    [0x40000000, 0xf8000000].map(fpc => bfp.divide(SHORT, ONE, MINUS, fpc).dxc),
    [0x40, 0x40],
  );
  assert.deepEqual(bfp.divide(SHORT, INFINITY, MINUS, 0xf8000000).result, INFINITY | MINUS);
  assert.deepEqual(bfp.divide(SHORT, ONE, INFINITY | MINUS, 0xf8000000).result, MINUS);
  assert.deepEqual(bfp.squareRoot(SHORT, MINUS, 0xf8000000).result, MINUS);
  assert.deepEqual(bfp.squareRoot(SHORT, INFINITY, 0xf8000000).result, INFINITY);
});

test('signs of zeros', () => {
  for (const mode of MODES) {
    const cancelled = mode === 3 ? MINUS : 0n;
    assert.equal(bfp.add(SHORT, 0n, MINUS, mode).result, cancelled);
    assert.equal(bfp.add(SHORT, MINUS, MINUS, mode).result, MINUS);
    assert.equal(bfp.subtract(SHORT, MINUS, 0n, mode).result, MINUS);
    assert.equal(bfp.subtract(SHORT, ONE, ONE, mode).result, cancelled);
    assert.equal(bfp.multiplyAdd(SHORT, ONE, ONE, ONE | MINUS, mode).result, cancelled);
    assert.equal(bfp.multiplyAdd(SHORT, 0n, ONE | MINUS, MINUS, mode).result, MINUS);
    assert.equal(bfp.loadFpInteger(SHORT, 0xbe800000n, mode, 4).result, MINUS);
  }
  assert.equal(bfp.divideToInteger(SHORT, 0xc0000000n, ONE, 0, 0).remainder, MINUS);
});

test('overflow: default results by rounding mode, scaled results and codes', () => {
  const greatest = 0x7f7fffffn;
  const results = MODES.map(mode =>
    [greatest, greatest | MINUS].map(a => bfp.multiply(SHORT, a, 0x40000000n, mode).result),
  );
  assert.deepEqual(results, [
    [INFINITY, INFINITY | MINUS],
    [greatest, greatest | MINUS],
    [INFINITY, greatest | MINUS],
    [greatest, INFINITY | MINUS],
    [greatest, greatest | MINUS],
  ]);
  // 2**128 exactly, and Nmax with half a unit more, which rounds to it.
  const exact = bfp.add(SHORT, 0x7f000000n, 0x7f000000n, 0x20000000);
  assert.deepEqual([exact.result, exact.dxc, exact.flags, exact.cc], [0x1f800000n, 0x20, 0, 2]);
  const incremented = bfp.add(SHORT, greatest, 0x73000000n, 0x20000000);
  assert.deepEqual([incremented.result, incremented.dxc], [0x1f800000n, 0x2c]);
  const truncated = bfp.multiply(SHORT, greatest | MINUS, 0x40400001n, 0x28000001);
  assert.deepEqual([truncated.dxc, truncated.flags, truncated.suppressed], [0x28, 0, false]);
  // Not trapped itself, overflow sets its flag beside the interruption for inexactness.
  const inexact = bfp.add(SHORT, greatest, greatest, 0x08000000);
  assert.deepEqual([inexact.result, inexact.dxc, inexact.flags], [INFINITY, 0x0c, 0x00200000]);
  const toZero = bfp.add(SHORT, greatest, greatest, 0x08000001);
  assert.deepEqual([toZero.result, toZero.dxc, toZero.flags], [greatest, 0x08, 0x00200000]);
});

test('underflow: tininess is detected before rounding, exact results underflow only if trapped', () => {
  // (1 + 2**-23) × (2**-126 − 2**-149) rounds to 2**-126 and is tiny all the same.
  const tiny = bfp.multiply(SHORT, 0x3f800001n, 0x007fffffn, 0);
  assert.deepEqual([tiny.result, tiny.flags], [0x00800000n, 0x00180000]);
  const exact = bfp.multiply(SHORT, 0x00800000n, 0x3f000000n, 0);
  assert.deepEqual([exact.result, exact.flags], [0x00400000n, 0]);
  const trapped = bfp.multiply(SHORT, 0x00800000n, 0x3f000000n, 0x10000000);
  assert.deepEqual([trapped.result, trapped.dxc, trapped.flags], [0x60000000n, 0x10, 0]);
  assert.equal(bfp.multiply(SHORT, 0x3f800001n, 0x007fffffn, 0x18000001).dxc, 0x18);
  assert.equal(bfp.multiply(SHORT, 0x3f800001n, 0x007fffffn, 0x18000002).dxc, 0x1c);
  // Even an operand that passes unchanged underflows.
  const passed = bfp.add(LONG, 1n, 0n, 0x10000000);
  assert.deepEqual([passed.result, passed.dxc], [0x5cd0000000000000n, 0x10]);
  // 2**-149 and a product far below: scaled, it is rounded to the full precision.
  const fused = bfp.multiplyAdd(SHORT, 1n, 0x0d800000n, 1n, 0x10000002);
  assert.deepEqual([fused.result, fused.dxc], [0x55000001n, 0x1c]);
});

test('LOAD ROUNDED leaves a scaled result in the source format', () => {
  // 2**128 − 2**75 rounds to 2**128 in short precision; by 2**512 less, in long format.
  const over = bfp.loadRounded(LONG, SHORT, 0x47efffffffffffffn, 0x20000000);
  assert.deepEqual([over.result, over.dxc, over.format], [0x27f0000000000000n, 0x2c, LONG]);
  const under = bfp.loadRounded(LONG, SHORT, 0xb690000000000000n, 0x10000000);
  assert.deepEqual([under.result, under.dxc, under.format], [0xd690000000000000n, 0x10, LONG]);
  const extended = bfp.loadRounded(EXTENDED, SHORT, 0x407f0000n << 96n, 0x20000000);
  assert.deepEqual([extended.result, extended.dxc, extended.format], [0x207f0000n << 96n, 0x20, EXTENDED]);
});

test('rounding for a shorter precision makes the last bit odd', () => {
  assert.equal(bfp.add(SHORT, ONE, 1n, 7).result, 0x3f800001n);
  assert.equal(bfp.add(SHORT, 0x3f800001n, 1n, 7).result, 0x3f800001n);
  assert.equal(bfp.subtract(SHORT, ONE, 1n, 7).result, 0x3f7fffffn);
  assert.equal(bfp.convertToFixed(SHORT, 32, 0x40200000n, 7).result, 3n);
  assert.equal(bfp.convertToFixed(SHORT, 32, 0x40600000n, 0, 3).result, 3n);
});

test('conversion to integers: special operands', () => {
  for (const format of FORMATS) {
    for (const [width, least, greatest] of [32, 64].map(w => [w, ...limits(w)] as const)) {
      const flags = 0x00880000;
      const invalid = { flags, dxc: 0, suppressed: false, cc: 3 };
      const negative = format.infinity | format.sign;
      assert.deepEqual(bfp.convertToFixed(format, width, format.infinity, 0), { result: greatest, ...invalid });
      assert.deepEqual(bfp.convertToFixed(format, width, negative, 0), { result: least, ...invalid });
      assert.deepEqual(bfp.convertToFixed(format, width, format.defaultNaN, 0), { result: least, ...invalid });
      assert.deepEqual(bfp.convertToLogical(format, width, negative, 0), { result: 0n, ...invalid });
      assert.deepEqual(bfp.convertToLogical(format, width, format.defaultNaN, 0), { result: 0n, ...invalid });
      assert.deepEqual(bfp.convertToLogical(format, width, format.infinity, 0), {
        result: 2n ** BigInt(width) - 1n,
        ...invalid,
      });
      assert.equal(bfp.convertToFixed(format, width, format.defaultNaN, 0, 0, 4).flags, INVALID_FLAG);
      const inexact = bfp.convertToFixed(format, width, format.defaultNaN, 0x08000000);
      assert.deepEqual([inexact.flags, inexact.dxc, inexact.suppressed], [INVALID_FLAG, 0x08, false]);
      assert.equal(bfp.convertToFixed(format, width, format.sign, 0xf8000000).cc, 0);
      assert.deepEqual(bfp.convertToFixed(format, width, 1n, 0), { result: 0n, ...nothing, flags: 0x00080000, cc: 2 });
      assert.equal(bfp.convertToLogical(format, width, format.sign | 1n, 0).cc, 1);
      assert.equal(bfp.convertToLogical(format, width, format.sign | 1n, 0, 7).cc, 3);
    }
  }
});

test('comparison of special operands', () => {
  const [q] = QUIET;
  const [s] = SIGNALING;
  assert.deepEqual(bfp.compare(SHORT, 0n, MINUS, 0), { cc: 0, ...nothing });
  assert.equal(bfp.compare(SHORT, INFINITY | MINUS, 0xff7fffffn, 0).cc, 1);
  assert.deepEqual(bfp.compare(SHORT, q, ONE, 0xf8000000), { cc: 3, ...nothing });
  assert.deepEqual(bfp.compare(SHORT, q, s, 0), { cc: 3, ...nothing, flags: INVALID_FLAG });
  assert.deepEqual(bfp.compareAndSignal(SHORT, q, ONE, 0), { cc: 3, ...nothing, flags: INVALID_FLAG });
  assert.equal(bfp.compareAndSignal(SHORT, ONE, q, 0x80000000).suppressed, true);
});

test('data classes, condition codes and signs', () => {
  for (const format of FORMATS) {
    const plus = [0n, format.implied, 1n, format.infinity, format.defaultNaN, format.infinity | 1n];
    const patterns = plus.flatMap(bits => [bits, bits | format.sign]);
    patterns.forEach((bits, i) => {
      const selected = 0x800 >> i;
      assert.equal(bfp.testDataClass(format, bits, selected), 1);
      assert.equal(bfp.testDataClass(format, bits, ~selected), 0);
      assert.equal(bfp.conditionCode(format, bits), i < 2 ? 0 : i >= 8 ? 3 : i % 2 ? 1 : 2);
      assert.equal(bfp.loadNegative(format, bits), patterns[i | 1]);
      assert.equal(bfp.loadPositive(format, bits), patterns[i & ~1]);
      assert.equal(bfp.loadComplement(format, bits), patterns[i ^ 1]);
    });
  }
});

test('DIVIDE TO INTEGER: special operands and remainders', () => {
  const division = (a: bigint, b: bigint, fpc = 0, m4 = 0) => bfp.divideToInteger(SHORT, a, b, fpc, m4);
  const [q] = QUIET;
  const [s] = SIGNALING;
  assert.deepEqual(division(q, s), {
    quotient: madeQuiet(s),
    remainder: madeQuiet(s),
    cc: 1,
    ...nothing,
    flags: INVALID_FLAG,
  });
  assert.deepEqual(division(q, 0n), { quotient: q, remainder: q, cc: 1, ...nothing });
  assert.deepEqual(division(INFINITY, ONE), { quotient: NAN, remainder: NAN, cc: 1, ...nothing, flags: INVALID_FLAG });
  assert.deepEqual(division(ONE, MINUS, 0x80000000).dxc, 0x80);
  // A dividend that is the remainder as it stands never underflows, unlike one that a quotient of zero leaves.
  assert.deepEqual(division(1n, INFINITY | MINUS, 0xf8000000), { quotient: MINUS, remainder: 1n, cc: 0, ...nothing });
  assert.deepEqual(division(1n, ONE, 0x10000000), {
    quotient: 0n,
    remainder: 0x55000000n,
    cc: 0,
    ...nothing,
    dxc: 0x10,
  });
  // 1 ÷ 3 upwards: the remainder −2 is exact; 2**-30 ÷ 3 leaves one that is not.
  assert.deepEqual(division(ONE, 0x40400000n, 0, 6), { quotient: ONE, remainder: 0xc0000000n, cc: 0, ...nothing });
  assert.deepEqual(division(0x30800000n, 0x40400000n, 0x08000000, 6), {
    quotient: ONE,
    remainder: 0xc0400000n,
    cc: 0,
    ...nothing,
    dxc: 0x0c,
  });
  // (2**25 + 4) ÷ 1.25 = 26843548.8 lies between integers of which one is odd and too long.
  assert.deepEqual(division(0x4c000001n, 0x3fa00000n), { quotient: 0x4bcccccen, remainder: ONE, cc: 2, ...nothing });
  // Nmax ÷ Dmin is whole and beyond the range; it is scaled by 2**-192.
  assert.deepEqual(division(0x7f7fffffn, 1n), { quotient: 0x69ffffffn, remainder: 0n, cc: 1, ...nothing });
});
