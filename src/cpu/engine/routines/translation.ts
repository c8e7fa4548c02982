/**
 * Dynamic address translation as compiled code has it (dat.ts; PoP ch. 3): what is usual when the TLB does not know a page, and
 * instructions that look at tables, real storage and frames. Everything else, exceptions above all, is left to `miss`
 * or to millicode, nothing having been changed.
 */

import {
  ACCESS_VALIDITY,
  COMMON,
  ENHANCED_DAT,
  EXECUTION_PROTECTION,
  FETCH_ONLY,
  FORMAT_CONTROL,
  KEY,
  KEY_CHANGE,
  KEY_REFERENCE,
  LOW_ADDRESS_PROTECTION,
  NO_EXECUTION,
  PAGE_INVALID,
  PAGE_RESERVED,
  PRIVATE_SPACE,
  PROTECTED,
  REAL_CONTROLS,
  REAL_SPACE,
  RECORDED,
  TABLE_INVALID,
} from '../../dat.ts';
import { loadOp, storeOp } from '../../ir/code.ts';
import * as x from '../../ir/expr.ts';
import { type I32, type I64, i32, i64, k32, k64 } from '../../ir/expr.ts';
import { BY_MILLICODE } from '../../isa/insn.ts';
import * as state from '../../state.ts';
import { tlbOffset } from '../addressing.ts';
import { ACCESS_INSTRUCTION, ACCESS_INTERLOCKED, ACCESS_SIZE_SHIFT, ACCESS_STORE } from '../protocol.ts';
import type { Routine, RoutineCode } from '../routines.ts';

const DONE = k32(0);
/** What `walk` gives: how the page is protected, and that the frame is larger than 4 KiB; or NOT_FOUND. */
const WALK_PROTECTED = 1;
const WALK_LARGE = 2;
const WALK_NO_EXECUTION = 4;
const NOT_FOUND = -1;
/** Atomic OR of a byte, after the prefix of atomic instructions; AND likewise. */
const ATOMIC_OR8 = 0x35;
const ATOMIC_AND8 = 0x2e;

const { load } = x;

/** walk(ASCE, address, enhanced DAT): translates by the tables; WALKED_REAL and WALKED_ENTRY tell the rest. */
const walk: Routine = {
  name: 'walk',
  parameters: ['i64', 'i64', 'i32'],
  body: r => {
    const { f, layout } = r;
    const [asce, va, enhanced] = [r.param64(0), r.param64(1), r.param32(2)];
    const give = (rare: I32): void => f.ifUnlikely(rare, () => f.return(k32(NOT_FOUND)));
    const entry = r.variable64(asce);
    const table = r.variable64(asce);
    const level = r.variable32(i32.and(i32.shrU(i32.wrap(asce), 2), 3));
    const shift = r.variable32(i32.add(i32.mul(level, 11), 20));
    const protection = r.variable32(k32(0));
    const limits = f.newLocal('i32');
    // Offset, length: parts of 512 entries that the table has.
    f.set(limits, i32.and(i32.wrap(asce), 3));
    give(i32.and(i32.wrap(asce), REAL_SPACE));
    // Bits to the left of what the table is for.
    give(i32.and(i32.ltU(level, 3), i64.ne(i64.shrU(i64.shrU(va, i64.fromU(shift)), 11), 0)));
    const read = (address: I64): I64 => {
      const at = f.evaluate(address);
      give(i64.gtU(at, layout.coreSize - 8));
      return load('i64', loadOp.i64, i32.sub(k32(layout.top - 8), i32.wrap(at)), 0);
    };
    const succeed = (found: I32): void => {
      const noExecution = i32.select(i32.wrap(i64.and(entry, NO_EXECUTION)), WALK_NO_EXECUTION, 0);
      r.setState32(state.WALKED, i32.or(found, noExecution));
      f.return(found);
    };
    const large = (mask: I64): void => {
      give(i64.ne(i64.and(entry, ACCESS_VALIDITY), 0));
      r.setState64(state.WALKED_REAL, i64.or(i64.and(entry, i64.xor(mask, -1)), i64.and(va, mask)));
      succeed(i32.or(protection, WALK_LARGE));
    };
    f.loop(next => {
      const index = f.evaluate(i32.and(i32.wrap(i64.shrU(va, i64.fromU(shift))), 0x7ff));
      const part = f.evaluate(i32.shrU(index, 9));
      give(i32.or(i32.ltU(part, i32.shrU(limits, 6)), i32.gtU(part, i32.and(limits, 3))));
      f.set(entry, read(i64.add(i64.and(table, -4096), i64.fromU(i32.shl(index, 3)))));
      const low = f.evaluate(i32.wrap(entry));
      give(i32.and(low, TABLE_INVALID));
      give(i32.ne(i32.and(i32.shrU(low, 2), 3), level));
      const below = i32.ltU(level, 2);
      give(i32.and(below, i32.and(i32.ne(i32.and(low, COMMON), 0), i64.ne(i64.and(asce, PRIVATE_SPACE), 0))));
      const protects = i32.and(i32.or(enhanced, i32.eqz(level)), i32.ne(i32.and(low, PROTECTED), 0));
      f.set(protection, i32.or(protection, protects));
      f.if(i32.and(below, i32.and(enhanced, i32.ne(i32.and(low, FORMAT_CONTROL), 0))), () => {
        f.if(level, () => large(k64(0x7fff_ffff)));
        large(k64(0xf_ffff));
      });
      f.if(level, () => {
        f.set(table, entry);
        f.set(limits, i32.and(low, 0xc3));
        f.set(level, i32.sub(level, 1));
        f.set(shift, i32.sub(shift, 11));
        f.br(next);
      });
    });
    const number = i64.and(i64.shrU(va, 12), 0xff);
    const pageAt = f.evaluate(i64.add(i64.and(entry, -2048), i64.shl(number, 3)));
    f.set(entry, read(pageAt));
    give(i64.ne(i64.and(entry, PAGE_INVALID | PAGE_RESERVED), 0));
    r.setState32(state.WALKED_ENTRY, i32.wrap(pageAt));
    r.setState64(state.WALKED_REAL, i64.or(i64.and(entry, -4096), i64.and(va, 4095)));
    succeed(i32.or(protection, i64.ne(i64.and(entry, PROTECTED), 0)));
  },
};

/** Bits of CR0, or of a context's controls, as 0 or 1. */
const isOn = (controls: I32, bit: number): I32 => i32.ne(i32.and(controls, bit), 0);

/** fill(address, access): the host address of an operand, the TLB entry having been made; 0: it is for `miss`. */
const fill: Routine = {
  name: 'fill',
  parameters: ['i64', 'i32'],
  body: r => {
    const { f, layout } = r;
    const [va, access] = [r.param64(0), r.param32(1)];
    const give = (rare: I32): void => f.ifUnlikely(rare, () => f.return(k32(0)));
    const offset = i32.and(i32.wrap(va), 4095);
    const size = i32.shrU(access, ACCESS_SIZE_SHIFT);
    // A large number where an access register selects the space.
    give(i32.gtU(i32.add(offset, size), 4096));
    const kinds = ACCESS_STORE | ACCESS_INTERLOCKED | ACCESS_INSTRUCTION;
    give(i32.and(access, (1 << ACCESS_SIZE_SHIFT) - 1 - kinds));
    const store = f.evaluate(i32.ne(i32.and(access, ACCESS_STORE | ACCESS_INTERLOCKED), 0));
    const contexts = [r.state32(state.FETCH_CONTEXT), r.state32(state.DATA_CONTEXT)] as const;
    const context = f.evaluate(i32.select(i32.and(access, ACCESS_INSTRUCTION), ...contexts));
    const n = i32.divU(i32.sub(i32.sub(context, r.cpu), state.TLB), state.TLB_CONTEXT_SIZE);
    const tag = f.evaluate(i32.add(i32.add(i32.shl(n, 4), r.cpu), state.TLB_TAGS));
    const controls = f.evaluate(load('i32', loadOp.i32, tag, 8));
    give(i32.and(controls, FETCH_ONLY | RECORDED));
    give(i32.and(isOn(controls, LOW_ADDRESS_PROTECTION), i64.ltU(va, 0x2000)));
    const asce = load('i64', loadOp.i64, tag, 0);
    const found = f.evaluate(r.call('walk', asce, va, isOn(controls, ENHANCED_DAT)));
    give(i32.ltS(found, 0));
    const writable = f.evaluate(i32.eqz(i32.and(found, WALK_PROTECTED)));
    give(i32.and(store, i32.eqz(writable)));
    const real = f.evaluate(r.state64(state.WALKED_REAL));
    give(i64.gtU(real, layout.coreSize - 1));
    const absolute = f.evaluate(i32.wrap(real));
    give(isPrefixed(r, absolute));
    const frame = f.evaluate(i32.shrU(absolute, 12));
    const key = f.evaluate(load('i32', loadOp.i8u, frame, layout.keys));
    const pswKey = f.evaluate(i32.and(controls, KEY));
    give(i32.and(i32.ne(pswKey, 0), i32.ne(i32.shrU(key, 4), pswKey)));
    const isCode = f.evaluate(isOn(load('i32', loadOp.i8u, frame, layout.frameFlags), state.FRAME_CODE));
    give(i32.and(store, isCode));
    if (layout.cpus > 1) give(load('i32', loadOp.i8u, frame, layout.soleStorer));
    const recorded = f.evaluate(i32.select(store, KEY_REFERENCE | KEY_CHANGE, KEY_REFERENCE));
    f.if(i32.ne(i32.and(key, recorded), recorded), () => {
      f.atomic('i32', ATOMIC_OR8, 0, frame, layout.keys, recorded);
    });
    const at = f.evaluate(tlbOffset(va));
    const entry = f.evaluate(i32.add(context, at));
    const index = f.evaluate(i32.shrU(at, 5));
    const table = f.evaluate(
      i32.select(i32.and(found, WALK_LARGE), 0, i32.add(i32.shrU(r.state32(state.WALKED_ENTRY), 11), 1)),
    );
    const page = f.evaluate(i64.and(va, -4096));
    const addend = f.evaluate(i32.add(i32.sub(k32(layout.top - state.BIAS), i32.and(absolute, -4096)), i32.wrap(page)));
    const known = f.evaluate(i32.add(context, i32.shl(index, 2)));
    const block = f.evaluate(i32.add(context, i32.shl(i32.shrU(index, 10), 2)));
    const used = load('i32', loadOp.i32, block, state.TLB_BLOCKS);
    f.store(storeOp.i32, block, state.TLB_BLOCKS, i32.or(used, i32.shl(k32(1), i32.shrU(index, 5))));
    const isSame = i32.and(
      i32.eq(load('i32', loadOp.i32, known, state.TLB_TABLES), table),
      i32.and(
        i64.eq(load('i64', loadOp.i64, entry, state.TLB_FETCH_TAG), page),
        i32.eq(load('i32', loadOp.i32, entry, state.TLB_ADDEND), addend),
      ),
    );
    f.if(i32.eqz(isSame), () => {
      f.store(storeOp.i32, known, state.TLB_TABLES, table);
      f.store(storeOp.i64, entry, state.TLB_FETCH_TAG, k64(state.TLB_INVALID));
      f.store(storeOp.i64, entry, state.TLB_STORE_TAG, k64(state.TLB_INVALID));
      f.store(storeOp.i64, entry, state.TLB_CODE_TAG, k64(state.TLB_INVALID));
      f.store(storeOp.i32, entry, state.TLB_ADDEND, addend);
    });
    f.store(storeOp.i64, entry, state.TLB_FETCH_TAG, page);
    const changed = i32.or(store, isOn(key, KEY_CHANGE));
    f.if(i32.and(i32.and(writable, i32.eqz(isCode)), changed), () =>
      f.store(storeOp.i64, entry, state.TLB_STORE_TAG, page),
    );
    r.setState32(state.TLB_MISSES, i32.add(r.state32(state.TLB_MISSES), 1));
    f.return(i32.sub(addend, i32.wrap(va)));
  },
};

/**
 * fillCode(address): makes the TLB entry for fetching instructions at an address good,
 * where the frame has a code page; 0: it is for `fetchPage`.
 */
const fillCode: Routine = {
  name: 'fillCode',
  parameters: ['i64'],
  body: r => {
    const { f, layout } = r;
    const va = r.param64(0);
    const give = (rare: I32): void => f.ifUnlikely(rare, () => f.return(k32(0)));
    give(i32.and(i32.wrap(va), 1));
    const host = f.evaluate(r.call('fill', va, k32((1 << ACCESS_SIZE_SHIFT) | ACCESS_INSTRUCTION)));
    give(i32.eqz(host));
    const noExecution = i32.and(r.state32(state.WALKED), WALK_NO_EXECUTION);
    give(i32.and(i32.ne(noExecution, 0), isOn(r.state32(state.CR), EXECUTION_PROTECTION)));
    const frame = i32.shrU(i32.sub(k32(layout.top - state.BIAS), host), 12);
    const number = f.evaluate(load('i32', loadOp.i16u, i32.shl(frame, 1), layout.codePageOf));
    give(i32.eqz(number));
    const entry = f.evaluate(i32.add(r.state32(state.FETCH_CONTEXT), tlbOffset(va)));
    const codePage = i32.add(i32.mul(i32.sub(number, 1), state.CODE_PAGE_SIZE), k32(layout.codePages));
    f.store(storeOp.i64, entry, state.TLB_CODE_TAG, i64.and(va, -4096));
    f.store(storeOp.i32, entry, state.TLB_CODE_PAGE, codePage);
    f.return(k32(1));
  },
};

/** Real and absolute address are not the same. */
function isPrefixed(r: RoutineCode, address: I32): I32 {
  const block = i32.and(address, -0x2000);
  return i32.or(i32.eqz(block), i32.eq(block, r.state32(state.PREFIX)));
}

/** LRA and its like: the real address is in WALKED_REAL. */
const loadRealAddress: Routine = {
  name: 'LRA',
  parameters: ['i64', 'i32'],
  body: r => {
    const { f } = r;
    if (r.full) return f.return(k32(BY_MILLICODE));
    const space = f.evaluate(i32.and(i32.shrU(r.state32(state.PSW_MASK + 4), 14), 3));
    f.ifUnlikely(i32.eq(space, 1), () => f.return(k32(BY_MILLICODE)));
    const asce = r.variable64(r.state64(state.CR + 8));
    f.if(i32.eq(space, 2), () => f.set(asce, r.state64(state.CR + 8 * 7)));
    f.if(i32.eq(space, 3), () => f.set(asce, r.state64(state.CR + 8 * 13)));
    const found = r.call('walk', asce, r.param64(0), isOn(r.state32(state.CR), ENHANCED_DAT));
    f.return(i32.select(i32.ltS(found, 0), BY_MILLICODE, DONE));
  },
};

/** STURG of a value at a real address, which the TLB knows. */
const storeReal: Routine = {
  name: 'STURG',
  parameters: ['i64', 'i64', 'i32'],
  body: r => {
    const { f } = r;
    if (r.full) return f.return(k32(BY_MILLICODE));
    const va = r.param64(0);
    const otherwise = (rare: I32): void => f.ifUnlikely(rare, () => f.return(k32(BY_MILLICODE)));
    otherwise(i32.and(i32.wrap(va), 7));
    const key = i32.and(i32.shrU(r.state32(state.PSW_MASK + 4), 20), KEY);
    const controls = i32.or(i32.and(r.state32(state.CR), REAL_CONTROLS), key);
    const context = f.evaluate(r.call('context', k64(-1), controls));
    otherwise(i32.eqz(context));
    const entry = f.evaluate(i32.add(context, tlbOffset(va)));
    otherwise(i64.ne(load('i64', loadOp.i64, entry, state.TLB_STORE_TAG), i64.and(va, -4096)));
    const host = i32.sub(load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va));
    f.store(storeOp.i64, host, state.BIAS - 8, r.param64(1));
    f.return(DONE);
  },
};

/** Two bits for each of the functions of ESSA: the usage afterwards. */
const USAGE_AFTER = 0x2d0;
const SET_STABLE = 1;
const SET_STABLE_NO_DAT = 7;

/** ESSA of a function for a block by its absolute address: gives the attributes as they were, as R1 shows them. */
const setStorageAttributes: Routine = {
  name: 'ESSA',
  parameters: ['i64', 'i32', 'i32'],
  body: r => {
    const { f, layout } = r;
    if (r.full) return f.return(k32(BY_MILLICODE));
    const [address, what] = [r.param64(0), r.param32(1)];
    const rare = i32.or(i64.geU(address, layout.coreSize), i32.gtU(what, r.state32(state.LAST_ATTRIBUTE_FUNCTION)));
    f.ifUnlikely(rare, () => f.return(k32(BY_MILLICODE)));
    const frame = f.evaluate(i32.wrap(i64.shrU(address, 12)));
    const old = f.evaluate(load('i32', loadOp.i8u, frame, layout.frameFlags));
    const usage = i32.and(i32.shrU(k32(USAGE_AFTER), i32.shl(what, 1)), 3);
    const kept = i32.select(i32.eq(what, SET_STABLE), 0, i32.and(old, state.FRAME_NO_DAT));
    const noDat = i32.select(i32.eq(what, SET_STABLE_NO_DAT), state.FRAME_NO_DAT, kept);
    const attributes = f.evaluate(i32.or(i32.shl(usage, state.FRAME_USAGE_SHIFT), noDat));
    const isOther = i32.ne(i32.and(old, state.FRAME_ATTRIBUTES), attributes);
    f.if(i32.and(isOther, i32.ne(what, 0)), () => {
      f.atomic('i32', ATOMIC_AND8, 0, frame, layout.frameFlags, k32(0xff - state.FRAME_ATTRIBUTES));
      f.atomic('i32', ATOMIC_OR8, 0, frame, layout.frameFlags, attributes);
    });
    const told = i32.shl(i32.and(old, state.FRAME_USAGE), 1);
    f.return(i32.or(told, i32.shl(i32.and(old, state.FRAME_NO_DAT), 2)));
  },
};

export const translation: readonly Routine[] = [walk, fill, fillCode, loadRealAddress, storeReal, setStorageAttributes];
