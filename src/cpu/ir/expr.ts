/**
 * The expression language in which instruction semantics are written. An expression is a pure value over operands
 * that have already been read; nothing in it has a side effect, so it may be emitted more than once. Constants fold
 * while the tree is built: with constant operand fields the same semantics yield specialised code.
 */

export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export type Expr<T extends Type = Type> =
  | { readonly kind: 'const'; readonly type: T; readonly value: number | bigint }
  /** `stable`: nothing sets it again while it is in use. */
  | { readonly kind: 'local'; readonly type: T; index: number; readonly stable?: boolean }
  | { readonly kind: 'global'; readonly type: T; readonly index: number }
  | { readonly kind: 'unary'; readonly type: T; readonly opcode: number; readonly a: Expr }
  | { readonly kind: 'binary'; readonly type: T; readonly opcode: number; readonly a: Expr; readonly b: Expr }
  | {
      readonly kind: 'ternary';
      readonly type: T;
      readonly opcode: number;
      readonly a: Expr;
      readonly b: Expr;
      readonly c: Expr;
    }
  | {
      readonly kind: 'shuffle';
      readonly type: T;
      readonly lanes: readonly number[];
      readonly a: Expr;
      readonly b: Expr;
    }
  | { readonly kind: 'select'; readonly type: T; readonly a: Expr; readonly b: Expr; readonly condition: Expr }
  | {
      readonly kind: 'load';
      readonly type: T;
      readonly opcode: number;
      readonly address: Expr;
      readonly offset: number;
    }
  | { readonly kind: 'call'; readonly type: T; readonly index: number; readonly args: readonly Expr[] };

export type I32 = Expr<'i32'>;
export type I64 = Expr<'i64'>;
export type F32 = Expr<'f32'>;
export type F64 = Expr<'f64'>;
export type V128 = Expr<'v128'>;

/** A 32-bit constant; the value is taken modulo 2^32. */
export const k32 = (value: number): I32 => ({ kind: 'const', type: 'i32', value: value | 0 });
/** A 64-bit constant; the value is taken modulo 2^64. */
export const k64 = (value: bigint | number): I64 => ({
  kind: 'const',
  type: 'i64',
  value: BigInt.asIntN(64, BigInt(value)),
});
export const kf64 = (value: number): F64 => ({ kind: 'const', type: 'f64', value });
export const kf32 = (value: number): F32 => ({ kind: 'const', type: 'f32', value });

/** The value of a constant 32-bit expression, or undefined. */
export const constant32 = (e: I32): number | undefined => (e.kind === 'const' ? (e.value as number) : undefined);
/** The value of a constant 64-bit expression (signed), or undefined. */
export const constant64 = (e: I64): bigint | undefined => (e.kind === 'const' ? (e.value as bigint) : undefined);

export const local = <T extends Type>(type: T, index: number, stable = false): Expr<T> & { kind: 'local' } => ({
  kind: 'local',
  type,
  index,
  stable,
});
export const global = <T extends Type>(type: T, index: number): Expr<T> => ({ kind: 'global', type, index });
export const call = <T extends Type>(type: T, index: number, ...args: Expr[]): Expr<T> => ({
  kind: 'call',
  type,
  index,
  args,
});
export const load = <T extends Type>(type: T, opcode: number, address: I32, offset: number): Expr<T> => ({
  kind: 'load',
  type,
  opcode,
  address,
  offset,
});

const unary = <T extends Type>(type: T, opcode: number, a: Expr): Expr<T> => ({ kind: 'unary', type, opcode, a });
const binary = <T extends Type>(type: T, opcode: number, a: Expr, b: Expr): Expr<T> => ({
  kind: 'binary',
  type,
  opcode,
  a,
  b,
});

type Fold<V> = (a: V, b: V) => V | boolean;

const unsigned = (a: bigint): bigint => BigInt.asUintN(64, a);

interface BinaryRule {
  readonly op32: number;
  readonly op64: number;
  readonly compares?: true;
  readonly fold32?: Fold<number>;
  readonly fold64?: Fold<bigint>;
  /** Right operand that leaves the left one unchanged. */
  readonly rightIdentity?: number;
  readonly commutes?: true;
}

const rules = {
  add: {
    op32: 0x6a,
    op64: 0x7c,
    fold32: (a, b) => a + b,
    fold64: (a, b) => a + b,
    rightIdentity: 0,
    commutes: true,
  },
  sub: { op32: 0x6b, op64: 0x7d, fold32: (a, b) => a - b, fold64: (a, b) => a - b, rightIdentity: 0 },
  mul: { op32: 0x6c, op64: 0x7e, fold32: Math.imul, fold64: (a, b) => a * b, rightIdentity: 1, commutes: true },
  divS: { op32: 0x6d, op64: 0x7f },
  divU: { op32: 0x6e, op64: 0x80 },
  remS: { op32: 0x6f, op64: 0x81 },
  remU: { op32: 0x70, op64: 0x82 },
  and: {
    op32: 0x71,
    op64: 0x83,
    fold32: (a, b) => a & b,
    fold64: (a, b) => a & b,
    rightIdentity: -1,
    commutes: true,
  },
  or: { op32: 0x72, op64: 0x84, fold32: (a, b) => a | b, fold64: (a, b) => a | b, rightIdentity: 0, commutes: true },
  xor: { op32: 0x73, op64: 0x85, fold32: (a, b) => a ^ b, fold64: (a, b) => a ^ b, rightIdentity: 0, commutes: true },
  shl: { op32: 0x74, op64: 0x86, fold32: (a, b) => a << b, fold64: (a, b) => a << (b & 63n), rightIdentity: 0 },
  shrS: { op32: 0x75, op64: 0x87, fold32: (a, b) => a >> b, fold64: (a, b) => a >> (b & 63n), rightIdentity: 0 },
  shrU: {
    op32: 0x76,
    op64: 0x88,
    fold32: (a, b) => a >>> b,
    fold64: (a, b) => unsigned(a) >> (b & 63n),
    rightIdentity: 0,
  },
  rotl: {
    op32: 0x77,
    op64: 0x89,
    fold32: (a, b) => (a << (b & 31)) | (a >>> (-b & 31)),
    fold64: (a, b) => (unsigned(a) << (b & 63n)) | (unsigned(a) >> (-b & 63n)),
    rightIdentity: 0,
  },
  rotr: { op32: 0x78, op64: 0x8a, rightIdentity: 0 },
  eq: { op32: 0x46, op64: 0x51, compares: true, fold32: (a, b) => a === b, fold64: (a, b) => a === b },
  ne: { op32: 0x47, op64: 0x52, compares: true, fold32: (a, b) => a !== b, fold64: (a, b) => a !== b },
  ltS: { op32: 0x48, op64: 0x53, compares: true, fold32: (a, b) => a < b, fold64: (a, b) => a < b },
  ltU: {
    op32: 0x49,
    op64: 0x54,
    compares: true,
    fold32: (a, b) => a >>> 0 < b >>> 0,
    fold64: (a, b) => unsigned(a) < unsigned(b),
  },
  gtS: { op32: 0x4a, op64: 0x55, compares: true, fold32: (a, b) => a > b, fold64: (a, b) => a > b },
  gtU: {
    op32: 0x4b,
    op64: 0x56,
    compares: true,
    fold32: (a, b) => a >>> 0 > b >>> 0,
    fold64: (a, b) => unsigned(a) > unsigned(b),
  },
  leS: { op32: 0x4c, op64: 0x57, compares: true, fold32: (a, b) => a <= b, fold64: (a, b) => a <= b },
  leU: {
    op32: 0x4d,
    op64: 0x58,
    compares: true,
    fold32: (a, b) => a >>> 0 <= b >>> 0,
    fold64: (a, b) => unsigned(a) <= unsigned(b),
  },
  geS: { op32: 0x4e, op64: 0x59, compares: true, fold32: (a, b) => a >= b, fold64: (a, b) => a >= b },
  geU: {
    op32: 0x4f,
    op64: 0x5a,
    compares: true,
    fold32: (a, b) => a >>> 0 >= b >>> 0,
    fold64: (a, b) => unsigned(a) >= unsigned(b),
  },
} satisfies Record<string, BinaryRule>;

type Operation = keyof typeof rules;
const AND: BinaryRule = rules.and;
const EQ: BinaryRule = rules.eq;
type Comparison = 'eq' | 'ne' | 'ltS' | 'ltU' | 'gtS' | 'gtU' | 'leS' | 'leU' | 'geS' | 'geU';

/** Whether a constant has a small value. */
const isValue = ({ value }: Expr & { kind: 'const' }, n: number): boolean =>
  typeof value === 'number' ? value === n : value === SMALL.get(n);
const SMALL = new Map([-1, 0, 1].map(n => [n, BigInt(n)]));

function combine(rule: BinaryRule, wide: boolean, left: Expr, right: Expr): Expr {
  let a = left;
  let b = right;
  if (rule.commutes && a.kind === 'const' && b.kind !== 'const') [a, b] = [b, a];
  const type: Type = wide && !rule.compares ? 'i64' : 'i32';
  if (b.kind === 'const') {
    if (a.kind === 'const') {
      const folded = wide
        ? rule.fold64?.(a.value as bigint, b.value as bigint)
        : rule.fold32?.(a.value as number, b.value as number);
      if (folded !== undefined) {
        if (typeof folded === 'boolean') return k32(folded ? 1 : 0);
        return wide ? k64(folded) : k32(folded as number);
      }
    }
    if (rule.rightIdentity !== undefined && isValue(b, rule.rightIdentity)) return a;
    if (rule === AND && isValue(b, 0)) return b;
    if (rule === EQ && isValue(b, 0)) return unary('i32', wide ? 0x50 : 0x45, a);
  }
  return binary(type, wide ? rule.op64 : rule.op32, a, b);
}

type Binary32 = (a: I32, b: I32 | number) => I32;
type Binary64 = (a: I64, b: I64 | number | bigint) => I64;
type Compare64 = (a: I64, b: I64 | number | bigint) => I32;

const as32 = (e: I32 | number): I32 => (typeof e === 'number' ? k32(e) : e);
const as64 = (e: I64 | number | bigint): I64 => (typeof e === 'object' ? e : k64(e));

const names = Object.keys(rules) as Operation[];

const ones = (value: number): number => (value ? 1 + ones(value & (value - 1)) : 0);

/** 32-bit integer operations. Comparisons give 0 or 1. Shift counts are taken modulo 32. */
export const i32 = {
  ...(Object.fromEntries(
    names.map(name => [name, (a: I32, b: I32 | number) => combine(rules[name], false, a, as32(b))]),
  ) as Record<Operation, Binary32>),
  eqz: (a: I32): I32 => i32.eq(a, 0),
  clz: (a: I32): I32 => unary('i32', 0x67, a),
  ctz: (a: I32): I32 => unary('i32', 0x68, a),
  popcnt: (a: I32): I32 => (a.kind === 'const' ? k32(ones(a.value as number)) : unary('i32', 0x69, a)),
  /** Sign extension of the low 8 or 16 bits. */
  extend8: (a: I32): I32 => (a.kind === 'const' ? k32(((a.value as number) << 24) >> 24) : unary('i32', 0xc0, a)),
  extend16: (a: I32): I32 => (a.kind === 'const' ? k32(((a.value as number) << 16) >> 16) : unary('i32', 0xc1, a)),
  /** The low word of a 64-bit value. */
  wrap: (a: I64): I32 => {
    if (a.kind === 'const') return k32(Number(BigInt.asIntN(32, a.value as bigint)));
    if (a.kind === 'unary' && (a.opcode === 0xad || a.opcode === 0xac)) return a.a as I32;
    return unary('i32', 0xa7, a);
  },
  bits: (a: F32): I32 => unary('i32', 0xbc, a),
  /** The integer part, which must be in range. */
  truncS: (a: F64): I32 => unary('i32', 0xaa, a),
  truncU: (a: F64): I32 => unary('i32', 0xab, a),
  select: (condition: I32, a: I32 | number, b: I32 | number): I32 => select(condition, as32(a), as32(b)),
};

/** 64-bit integer operations. Comparisons give a 32-bit 0 or 1. Shift counts are taken modulo 64. */
export const i64 = {
  ...(Object.fromEntries(
    names.map(name => [name, (a: I64, b: I64 | number | bigint) => combine(rules[name], true, a, as64(b))]),
  ) as Record<Exclude<Operation, Comparison>, Binary64> & Record<Comparison, Compare64>),
  eqz: (a: I64): I32 => i64.eq(a, 0),
  clz: (a: I64): I64 => unary('i64', 0x79, a),
  ctz: (a: I64): I64 => unary('i64', 0x7a, a),
  popcnt: (a: I64): I64 => unary('i64', 0x7b, a),
  /** A 32-bit value, sign-extended. */
  fromS: (a: I32): I64 => (a.kind === 'const' ? k64(a.value) : unary('i64', 0xac, a)),
  /** A 32-bit value, zero-extended. */
  fromU: (a: I32): I64 => (a.kind === 'const' ? k64((a.value as number) >>> 0) : unary('i64', 0xad, a)),
  extend8: (a: I64): I64 => unary('i64', 0xc2, a),
  extend16: (a: I64): I64 => unary('i64', 0xc3, a),
  extend32: (a: I64): I64 => unary('i64', 0xc4, a),
  bits: (a: F64): I64 => unary('i64', 0xbd, a),
  /** The integer part, which must be in range. */
  truncS: (a: F64): I64 => unary('i64', 0xb0, a),
  truncU: (a: F64): I64 => unary('i64', 0xb1, a),
  select: (condition: I32, a: I64 | number | bigint, b: I64 | number | bigint): I64 =>
    select(condition, as64(a), as64(b)),
};

/** Added to the opcode of an operation on one lane of a vector, the lane's number times LANE as well. */
export const LANE = 0x1_0000;
const F64_LANE = 0x121 + LANE;

/** IEEE 64-bit operations, rounding to nearest even. */
export const f64 = {
  add: (a: F64, b: F64): F64 => binary('f64', 0xa0, a, b),
  sub: (a: F64, b: F64): F64 => binary('f64', 0xa1, a, b),
  mul: (a: F64, b: F64): F64 => binary('f64', 0xa2, a, b),
  div: (a: F64, b: F64): F64 => binary('f64', 0xa3, a, b),
  sqrt: (a: F64): F64 => unary('f64', 0x9f, a),
  abs: (a: F64): F64 => unary('f64', 0x99, a),
  neg: (a: F64): F64 => unary('f64', 0x9a, a),
  /** Rounding to an integer: up, down, toward zero, to nearest even. */
  ceil: (a: F64): F64 => unary('f64', 0x9b, a),
  floor: (a: F64): F64 => unary('f64', 0x9c, a),
  trunc: (a: F64): F64 => unary('f64', 0x9d, a),
  nearest: (a: F64): F64 => unary('f64', 0x9e, a),
  eq: (a: F64, b: F64): I32 => binary('i32', 0x61, a, b),
  ne: (a: F64, b: F64): I32 => binary('i32', 0x62, a, b),
  lt: (a: F64, b: F64): I32 => binary('i32', 0x63, a, b),
  gt: (a: F64, b: F64): I32 => binary('i32', 0x64, a, b),
  le: (a: F64, b: F64): I32 => binary('i32', 0x65, a, b),
  ge: (a: F64, b: F64): I32 => binary('i32', 0x66, a, b),
  fromI32: (a: I32): F64 => unary('f64', 0xb7, a),
  fromU32: (a: I32): F64 => unary('f64', 0xb8, a),
  fromI64: (a: I64): F64 => unary('f64', 0xb9, a),
  fromU64: (a: I64): F64 => unary('f64', 0xba, a),
  promote: (a: F32): F64 => unary('f64', 0xbb, a),
  fromBits: (a: I64): F64 => unary('f64', 0xbf, a),
  /** a × b + c, rounded once where the host does so (engine/fused.ts). */
  multiplyAdd: (a: F64, b: F64, c: F64): F64 => {
    const [p, q, r] = [a, b, c].map(value => unary('v128', 0x114, value)) as [V128, V128, V128];
    return unary('f64', F64_LANE, { kind: 'ternary', type: 'v128', opcode: 0x207, a: p, b: q, c: r });
  },
};

/** IEEE 32-bit operations, rounding to nearest even. */
export const f32 = {
  add: (a: F32, b: F32): F32 => binary('f32', 0x92, a, b),
  sub: (a: F32, b: F32): F32 => binary('f32', 0x93, a, b),
  mul: (a: F32, b: F32): F32 => binary('f32', 0x94, a, b),
  div: (a: F32, b: F32): F32 => binary('f32', 0x95, a, b),
  sqrt: (a: F32): F32 => unary('f32', 0x91, a),
  abs: (a: F32): F32 => unary('f32', 0x8b, a),
  neg: (a: F32): F32 => unary('f32', 0x8c, a),
  eq: (a: F32, b: F32): I32 => binary('i32', 0x5b, a, b),
  ne: (a: F32, b: F32): I32 => binary('i32', 0x5c, a, b),
  lt: (a: F32, b: F32): I32 => binary('i32', 0x5d, a, b),
  gt: (a: F32, b: F32): I32 => binary('i32', 0x5e, a, b),
  fromI32: (a: I32): F32 => unary('f32', 0xb2, a),
  fromU32: (a: I32): F32 => unary('f32', 0xb3, a),
  fromI64: (a: I64): F32 => unary('f32', 0xb4, a),
  fromU64: (a: I64): F32 => unary('f32', 0xb5, a),
  demote: (a: F64): F32 => unary('f32', 0xb6, a),
  fromBits: (a: I32): F32 => unary('f32', 0xbe, a),
};

/** The operation of the host with this opcode. */
export function operation<T extends Type>(type: T, opcode: number, ...[a, b, c]: Expr[]): Expr<T> {
  if (!b) return unary(type, opcode, a!);
  return c ? { kind: 'ternary', type, opcode, a: a!, b, c } : binary(type, opcode, a!, b);
}

/** An unsigned number of 128 bits. */
export const v128Constant = (value: bigint): V128 => ({ kind: 'const', type: 'v128', value });

/** 128-bit vectors: bytes and doublewords side by side. Comparisons give all ones or zeros in each byte. */
export const v128 = {
  not: (a: V128): V128 => unary('v128', 0x14d, a),
  /** a without the bits of b. */
  andNot: (a: V128, b: V128): V128 => binary('v128', 0x14f, a, b),
  /** Bits of a where the mask has ones, of b where it has zeros. */
  select: (a: V128, b: V128, mask: V128): V128 => ({ kind: 'ternary', type: 'v128', opcode: 0x152, a, b, c: mask }),
  /** Whether there is a one anywhere. */
  any: (a: V128): I32 => unary('i32', 0x153, a),
  /** Whether all bytes are other than zero. */
  all8: (a: V128): I32 => unary('i32', 0x163, a),
  /** Bytes of a by the numbers of their lanes in the bytes of b; zero where there is no such lane. */
  swizzle: (a: V128, b: V128): V128 => binary('v128', 0x10e, a, b),
  /** Bytes by the numbers of their lanes, those of b counting from 16. */
  shuffle: (lanes: readonly number[], a: V128, b: V128): V128 => ({ kind: 'shuffle', type: 'v128', lanes, a, b }),
  sub8: (a: V128, b: V128): V128 => binary('v128', 0x171, a, b),
  add8: (a: V128, b: V128): V128 => binary('v128', 0x16e, a, b),
  gtU8: (a: V128, b: V128): V128 => binary('v128', 0x128, a, b),
  and: (a: V128, b: V128): V128 => binary('v128', 0x14e, a, b),
  or: (a: V128, b: V128): V128 => binary('v128', 0x150, a, b),
  xor: (a: V128, b: V128): V128 => binary('v128', 0x151, a, b),
  eq8: (a: V128, b: V128): V128 => binary('v128', 0x123, a, b),
  ne8: (a: V128, b: V128): V128 => binary('v128', 0x124, a, b),
  /** The byte, or the doubleword, everywhere. */
  splat8: (a: I32): V128 => unary('v128', 0x10f, a),
  splat64: (a: I64): V128 => unary('v128', 0x112, a),
  /** Lane 0 is at the lower address of the host. */
  fromLanes: (lane0: I64, lane1: I64): V128 => binary('v128', 0x11e + 2 * LANE, v128.splat64(lane0), lane1),
  lane64: (a: V128, lane: 0 | 1): I64 => unary('i64', 0x11d + (lane + 1) * LANE, a),
  /** The leftmost bit of each byte; that of byte 15 leftmost. */
  bitmask8: (a: V128): I32 => unary('i32', 0x164, a),
};

/** `condition` ? a : b. Both are evaluated. */
export function select<T extends Type>(condition: I32, a: Expr<T>, b: Expr<T>): Expr<T> {
  if (condition.kind === 'const') return condition.value ? a : b;
  return { kind: 'select', type: a.type, a, b, condition } as Expr<T>;
}
