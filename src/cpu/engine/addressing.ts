/** Where things are in linear memory, as expressions. */

import { type FunctionCode, loadOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32 } from '../ir/expr.ts';
import * as state from '../state.ts';
import { ACCESS_INTERLOCKED, ACCESS_SIZE_SHIFT, ACCESS_STORE } from './protocol.ts';

/** The instruction address, from the record's. */
export const instructionAddress = (cpu: I32, record: I32): I64 =>
  i64.add(loadAt('i64', loadOp.i64, cpu, state.PC_DISTANCE), i64.fromU(i32.shrU(record, 2)));

/** The page of an address, and whether it is odd. */
export const PAGE_OR_ODD = -4095;
/** Not the address of a page, nor an odd one. */
export const NO_PAGE = 4;
/** Address of the record for an instruction address on a code page. */
export const recordOn = (codePage: I32, va: I64): I32 => i32.add(codePage, i32.shl(i32.and(i32.wrap(va), 0xffe), 2));

/** Accesses to the CPU's block: a base that is a constant becomes part of the offset. */
export function loadAt<T extends x.Type>(type: T, opcode: number, base: I32, offset: number): Expr<T> {
  const [address, at] = based(base, offset);
  return x.load(type, opcode, address, at);
}
export function storeAt(f: FunctionCode, opcode: number, base: I32, offset: number, value: Expr): void {
  f.store(opcode, ...based(base, offset), value);
}
/** A base without what is constant in it, and the offset with that. */
export function based(base: I32, offset: number): [I32, number] {
  if (base.kind === 'const') return [k32(0), (base.value as number) + offset];
  if (base.kind === 'binary' && base.opcode === I32_ADD && base.b.kind === 'const') {
    return [base.a as I32, (base.b.value as number) + offset];
  }
  return [base, offset];
}
const I32_ADD = 0x6a;

/** Offset in a TLB context of the entry for an address. */
export const tlbOffset = (va: I64): I32 =>
  i32.and(i32.shrU(i32.wrap(va), 12 - 5), (state.TLB_ENTRIES - 1) * state.TLB_ENTRY_SIZE);

/** Returns the host address of a store to a page of which low-address protection covers only the first 512 bytes. */
export function partlyProtected(f: FunctionCode, cpu: I32, va: I64, access: I32): void {
  // Kernels store behind them all the time.
  const offset = i32.and(i32.wrap(va), 0xfff);
  const rest = i32.sub(i32.sub(k32(4096), offset), i32.shrU(access, ACCESS_SIZE_SHIFT));
  const isData = i32.eqz(i32.and(access, ~((0xffff << ACCESS_SIZE_SHIFT) | ACCESS_STORE | ACCESS_INTERLOCKED)));
  const isStore = i32.ne(i32.and(access, ACCESS_STORE | ACCESS_INTERLOCKED), 0);
  f.if(
    i32.and(i32.and(i64.ltU(va, 0x2000), i32.and(isData, isStore)), i32.and(i32.geU(offset, 512), i32.geS(rest, 0))),
    () => {
      const entry = f.evaluate(i32.add(loadAt('i32', loadOp.i32, cpu, state.DATA_CONTEXT), tlbOffset(va)));
      const partial = i64.or(i64.and(va, -4096), state.TLB_PARTIAL);
      f.if(i64.eq(x.load('i64', loadOp.i64, entry, state.TLB_STORE_TAG), partial), () =>
        f.return(i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va))),
      );
    },
  );
}
