/**
 * Integer operations on 128-bit vectors of elements: those of the host's instructions, and what can be made of them for
 * the sizes that these leave out. Storage and registers are reversed (state.ts), so that element i of n, counted from
 * the left, is the host's lane n - 1 - i, for each size.
 */

import {
  type Expr,
  type I32,
  type I64,
  i32,
  i64,
  k32,
  k64,
  LANE,
  operation,
  type V128,
  v128,
  v128Constant,
} from './expr.ts';

/** Bytes of an element, as a power of two: byte, halfword, word, doubleword. */
export type Size = 0 | 1 | 2 | 3;
export const SIZES: readonly Size[] = [0, 1, 2, 3];

export const elementsOf = (size: Size): number => 16 >> size;
export const bitsOfSize = (size: Size): number => 8 << size;
/** The next size. */
export const wider = (size: Size): Size => (size + 1) as Size;

type Binary = (size: Size, a: V128, b: V128) => V128;

const NONE = 0;
const OPCODES = {
  splat: [0x10f, 0x110, 0x111, 0x112],
  extract: [0x116, 0x119, 0x11b, 0x11d],
  replace: [0x117, 0x11a, 0x11c, 0x11e],
  equal: [0x123, 0x12d, 0x137, 0x1d6],
  greaterS: [0x127, 0x131, 0x13b, 0x1d9],
  greaterU: [0x128, 0x132, 0x13c, NONE],
  absolute: [0x160, 0x180, 0x1a0, 0x1c0],
  negate: [0x161, 0x181, 0x1a1, 0x1c1],
  shiftLeft: [0x16b, 0x18b, 0x1ab, 0x1cb],
  shiftRightS: [0x16c, 0x18c, 0x1ac, 0x1cc],
  shiftRightU: [0x16d, 0x18d, 0x1ad, 0x1cd],
  add: [0x16e, 0x18e, 0x1ae, 0x1ce],
  subtract: [0x171, 0x191, 0x1b1, 0x1d1],
  multiply: [NONE, 0x195, 0x1b5, 0x1d5],
  // From the left and the right half, by the size of the source.
  extendLeftS: [0x188, 0x1a8, 0x1c8, NONE],
  extendLeftU: [0x18a, 0x1aa, 0x1ca, NONE],
  extendRightS: [0x187, 0x1a7, 0x1c7, NONE],
  extendRightU: [0x189, 0x1a9, 0x1c9, NONE],
  /** Sums of pairs. */
  pairsU: [0x17d, 0x17f, NONE, NONE],
} as const satisfies Record<string, readonly number[]>;

const apply = (name: keyof typeof OPCODES, size: Size, ...operands: Expr[]): V128 =>
  operation('v128', OPCODES[name][size]!, ...operands);

/** The number in each element: its rightmost bits. */
export function splat(size: Size, value: I64): V128 {
  if (value.kind === 'const') {
    const bits = BigInt(bitsOfSize(size));
    let all = 0n;
    for (let n = 0; n < elementsOf(size); n++)
      all = (all << bits) | BigInt.asUintN(Number(bits), value.value as bigint);
    return v128Constant(all);
  }
  return apply('splat', size, size === 3 ? value : i32.wrap(value));
}
/** A constant in each element. */
export const every = (size: Size, value: bigint | number): V128 => splat(size, k64(value));
export const ZERO = v128Constant(0n);

const laneOf = (size: Size, index: number): number => elementsOf(size) - 1 - index;

/** An element by its index from the left, extended with zeros. */
export function extract(size: Size, value: V128, index: number): I64 {
  const opcode = OPCODES.extract[size]! + (laneOf(size, index) + 1) * LANE;
  return size === 3 ? operation('i64', opcode, value) : i64.fromU(operation('i32', opcode, value));
}
export function replace(size: Size, value: V128, index: number, element: I64): V128 {
  const opcode = OPCODES.replace[size]! + (laneOf(size, index) + 1) * LANE;
  return operation('v128', opcode, value, size === 3 ? element : i32.wrap(element));
}
/** The left doubleword and the right one. */
export const left = (value: V128): I64 => v128.lane64(value, 1);
export const right = (value: V128): I64 => v128.lane64(value, 0);
export const joined = (left: I64, right: I64): V128 => v128.fromLanes(right, left);

/** Bytes chosen from two vectors side by side, by their indexes from the left of the 32. */
export function choose(a: V128, b: V128, byte: (n: number) => number): V128 {
  const lanes = Array.from({ length: 16 }, (_, lane) => {
    const from = byte(15 - lane);
    return from < 16 ? 15 - from : 16 + 31 - from;
  });
  return v128.shuffle(lanes, a, b);
}
/** The same by element. */
export const chooseElements = (size: Size, a: V128, b: V128, element: (n: number) => number): V128 =>
  choose(a, b, n => (element(n >> size) << size) + (n & ((1 << size) - 1)));
/** One element everywhere. */
export const spread = (size: Size, value: V128, index: number): V128 => chooseElements(size, value, value, () => index);

/** The number of its lane in each byte, which is 15 less its index. */
export const LANES = v128Constant(0x0f0e0d0c0b0a09080706050403020100n);

/** Ones in the first bytes. */
export const firstBytes = (count: I32): V128 => v128.gtU8(v128.splat8(count), INDEXES);
const INDEXES = v128Constant(0x000102030405060708090a0b0c0d0e0fn);

export const add: Binary = (size, a, b) => apply('add', size, a, b);
export const subtract: Binary = (size, a, b) => apply('subtract', size, a, b);
export const negate = (size: Size, a: V128): V128 => apply('negate', size, a);
export const absolute = (size: Size, a: V128): V128 => apply('absolute', size, a);
/** Shifts of all elements by a number, taken modulo their size. */
export const shiftLeft = (size: Size, a: V128, count: I32): V128 => apply('shiftLeft', size, a, count);
export const shiftRightS = (size: Size, a: V128, count: I32): V128 => apply('shiftRightS', size, a, count);
export const shiftRightU = (size: Size, a: V128, count: I32): V128 => apply('shiftRightU', size, a, count);
export const rotate = (size: Size, a: V128, count: I32): V128 =>
  v128.or(shiftLeft(size, a, count), shiftRightU(size, a, i32.sub(k32(0), count)));

// Comparisons give all ones or zeros in each element.
export const equal: Binary = (size, a, b) => apply('equal', size, a, b);
export const greaterS: Binary = (size, a, b) => apply('greaterS', size, a, b);
const SIGNS = every(3, 1n << 63n);
export const greaterU: Binary = (size, a, b) =>
  size === 3 ? greaterS(3, v128.xor(a, SIGNS), v128.xor(b, SIGNS)) : apply('greaterU', size, a, b);

export const extendLeft = (size: Size, signed: boolean, a: V128): V128 =>
  apply(signed ? 'extendLeftS' : 'extendLeftU', size, a);
export const extendRight = (size: Size, signed: boolean, a: V128): V128 =>
  apply(signed ? 'extendRightS' : 'extendRightU', size, a);

/** The rightmost bits of each element. */
export const mask = (size: Size, bits: number): V128 => every(size, (1n << BigInt(bits)) - 1n);
/** The element with the even or the odd index of each pair, extended to the size of the pair. */
export function half(size: Size, which: 'even' | 'odd', signed: boolean, a: V128): V128 {
  const bits = k32(bitsOfSize(size));
  const to = wider(size);
  if (which === 'even') return signed ? shiftRightS(to, a, bits) : shiftRightU(to, a, bits);
  return signed ? shiftRightS(to, shiftLeft(to, a, bits), bits) : v128.and(a, mask(to, bitsOfSize(size)));
}
/** The right halves of the products. */
export function multiply(size: Size, a: V128, b: V128): V128 {
  if (size) return apply('multiply', size, a, b);
  const odd = v128.and(apply('multiply', 1, a, b), mask(1, 8));
  const eight = k32(8);
  return v128.or(odd, shiftLeft(1, apply('multiply', 1, shiftRightU(1, a, eight), shiftRightU(1, b, eight)), eight));
}

/** Sums of the pairs of elements, in elements of the next size. */
export function pairs(size: Size, a: V128): V128 {
  if (size < 2) return apply('pairsU', size, a);
  return add(3, half(2, 'even', false, a), half(2, 'odd', false, a));
}
/** How many ones each element has. */
export function ones(size: Size, a: V128): V128 {
  let counts = operation('v128', 0x162, a);
  for (let of: Size = 0; of < size; of = wider(of)) counts = pairs(of, counts);
  return counts;
}
