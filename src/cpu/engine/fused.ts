/**
 * Multiply-and-add with one rounding. WebAssembly has it in vectors and lets the host round twice, so it is tried
 * before it is used; a function of plain operations stands in for it elsewhere.
 */

import { FunctionCode } from '../ir/code.ts';
import { restOfSum } from '../ir/exact.ts';
import * as x from '../ir/expr.ts';
import { type F64, f64, i32, i64, kf64 } from '../ir/expr.ts';
import { ModuleBuilder } from '../ir/wasm.ts';

let fuses: boolean | undefined;

/** Whether f64.multiplyAdd of the host rounds once. */
export function fusesMultiplyAdd(): boolean {
  fuses ??= tryMultiplyAdd();
  return fuses;
}

function tryMultiplyAdd(): boolean {
  const module = new ModuleBuilder();
  const index = module.declareFunction(['f64', 'f64', 'f64'], ['f64']);
  const f = new FunctionCode(3);
  f.push(f64.multiplyAdd(x.local('f64', 0), x.local('f64', 1), x.local('f64', 2)));
  module.defineFunction(index, f);
  module.exportFunction('multiplyAdd', index);
  const bytes = module.encode();
  if (!WebAssembly.validate(bytes)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const multiplyAdd = exports.multiplyAdd as (a: number, b: number, c: number) => number;
  const near = 1 + 2 ** -30;
  return multiplyAdd(near, near, -(near * near)) === 2 ** -60;
}

/**
 * Defines (f64, f64, f64) -> f64: a × b + c rounded once to nearest even; a NaN unless the exponents of all operands
 * and of the product are so far from the ends of the range that nothing on the way overflows or loses bits. After
 * Boldo and Melquiond, "Emulation of a FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd".
 */
export function defineMultiplyAdd(module: ModuleBuilder): number {
  const index = module.declareFunction(['f64', 'f64', 'f64'], ['f64']);
  const f = new FunctionCode(3);
  const [a, b, c] = [0, 1, 2].map(n => x.local('f64', n)) as [F64, F64, F64];
  const product = f.evaluate(f64.mul(a, b));
  const zero = kf64(0);
  f.if(i32.or(f64.eq(a, zero), f64.eq(b, zero)), () => f.return(f64.add(product, c)));
  const exponent = (value: F64): x.I64 => i64.and(i64.shrU(i64.bits(value), 52), 0x7ff);
  const moderate = (value: F64): x.I32 => i64.leU(i64.sub(exponent(value), 1023 - 400), 800);
  f.if(i32.eqz(i32.and(i32.and(moderate(a), moderate(b)), f64.lt(f64.abs(c), kf64(2 ** 900)))), () =>
    f.return(kf64(Number.NaN)),
  );
  const [aHigh, aLow] = split(f, a);
  const [bHigh, bLow] = split(f, b);
  const error = f64.add(
    f64.add(f64.add(f64.sub(f64.mul(aHigh, bHigh), product), f64.mul(aHigh, bLow)), f64.mul(aLow, bHigh)),
    f64.mul(aLow, bLow),
  );
  const [small, smallRest] = exactSum(f, f.evaluate(error), c);
  const [sum, rest] = exactSum(f, product, small);
  const [tail, tailRest] = exactSum(f, smallRest, rest);
  f.push(f64.add(sum, roundedToOdd(tail, tailRest)));
  module.defineFunction(index, f);
  return index;
}

/** A number as the sum of two with half as many bits. */
function split(f: FunctionCode, value: F64): readonly [high: F64, low: F64] {
  const scaled = f.evaluate(f64.mul(value, kf64(2 ** 27 + 1)));
  const high = f.evaluate(f64.sub(scaled, f64.sub(scaled, value)));
  return [high, f.evaluate(f64.sub(value, high))];
}

/** The rounded sum, and what rounding has taken away. */
function exactSum(f: FunctionCode, a: F64, b: F64): readonly [sum: F64, rest: F64] {
  const sum = f.evaluate(f64.add(a, b));
  return [sum, f.evaluate(restOfSum(f64, e => f.evaluate(e), a, b, sum))];
}

/**
 * A sum rounded to nearest, with the rest of it, as rounding to odd makes it: inexact results have an odd last bit, so
 * that rounding again to fewer bits is as good as rounding once.
 */
function roundedToOdd(sum: F64, rest: F64): F64 {
  const bits = i64.bits(sum);
  const away = i64.select(i64.ltS(i64.xor(bits, i64.bits(rest)), 0), -1, 1);
  const even = i32.eqz(i32.and(i32.wrap(bits), 1));
  return f64.fromBits(i64.add(bits, i64.select(i32.and(f64.ne(rest, kf64(0)), even), away, 0)));
}
