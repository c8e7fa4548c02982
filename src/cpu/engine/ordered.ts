/**
 * Storage accesses in the order that z/Architecture promises, on hosts whose own order is weaker than that of x86-64
 * (docs/architecture.md, "Ordering of storage accesses"): WebAssembly's atomic accesses where the operand is aligned,
 * else a plain access between two fences.
 */

import type { FunctionCode } from '../ir/code.ts';
import { atomicLoadOp, atomicStoreOp, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, f32, f64, type I32, i32, i64, type Type } from '../ir/expr.ts';

type Size = 1 | 2 | 4 | 8;
const PLAIN_LOADS = { 1: loadOp.i8u, 2: loadOp.i16u, 4: loadOp.i32, 8: loadOp.i64 } as const;
const PLAIN_STORES = { 1: storeOp.i8, 2: storeOp.i16, 4: storeOp.i32, 8: storeOp.i64 } as const;

/** Does something that other CPUs see in one piece with what comes before and after it. */
export function fenced(f: FunctionCode, access: () => void): void {
  f.fence();
  access();
  f.fence();
}

function whenAligned(f: FunctionCode, at: I32, size: number, atomic: () => void, plain: () => void): void {
  if (size === 1) atomic();
  else f.if(i32.eqz(i32.and(at, size - 1)), atomic, () => fenced(f, plain));
}

/** @param opcode of the plain load, which tells how the bytes become a value */
export function loadOrdered<T extends Type>(
  f: FunctionCode,
  type: T,
  opcode: number,
  size: number,
  address: I32,
  offset: number,
): Expr<T> {
  const result = f.temporary(type);
  if (type === 'v128') {
    fenced(f, () => f.set(result, x.load(type, opcode, address, offset)));
    return result;
  }
  const at = f.evaluate(i32.add(address, offset));
  const integer = size === 8 ? 'i64' : 'i32';
  const bits = f.temporary(integer);
  whenAligned(
    f,
    at,
    size,
    () => f.set(bits, x.load(integer, atomicLoadOp[size as Size], at, 0)),
    () => f.set(bits, x.load(integer, PLAIN_LOADS[size as Size], at, 0)),
  );
  f.set(result as Expr, asValue(opcode, bits));
  return result;
}

function asValue(opcode: number, bits: Expr): Expr {
  switch (opcode) {
    case loadOp.i8s:
      return i32.extend8(bits as I32);
    case loadOp.i16s:
      return i32.extend16(bits as I32);
    case loadOp.f32:
      return f32.fromBits(bits as I32);
    case loadOp.f64:
      return f64.fromBits(bits as x.I64);
    default:
      return bits;
  }
}

export function storeOrdered(
  f: FunctionCode,
  opcode: number,
  size: number,
  address: I32,
  offset: number,
  value: Expr,
): void {
  if (size === 16) return fenced(f, () => f.store(opcode, address, offset, value));
  const bits = f.evaluate(
    value.type === 'f32' ? i32.bits(value as x.F32) : value.type === 'f64' ? i64.bits(value as x.F64) : value,
  );
  const at = f.evaluate(i32.add(address, offset));
  whenAligned(
    f,
    at,
    size,
    () => f.store(atomicStoreOp[size as Size], at, 0, bits),
    () => f.store(PLAIN_STORES[size as Size], at, 0, bits),
  );
}
