/**
 * Routines: instructions too long to write out in each handler, as WebAssembly functions of their own that the
 * interpreter's handlers and compiled regions call. A routine saves nothing: its caller has stored PSW address and
 * condition code. It translates for itself, page by page, and returns a value of at least 0, or FAULT.
 *
 * A host pointer stands for a guest byte: the n bytes from offset o on are at pointer + BIAS - n - o. Increasing guest
 * addresses are decreasing host addresses, so a pointer advances by subtraction.
 */

import { FunctionCode, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type I32, type I64, i32, i64, k32 } from '../ir/expr.ts';
import type { ModuleBuilder } from '../ir/wasm.ts';
import * as state from '../state.ts';
import { partlyProtected, tlbOffset } from './addressing.ts';
import { ACCESS_AR_SHIFT, ACCESS_FETCH, ACCESS_INTERLOCKED, ACCESS_SIZE_SHIFT } from './protocol.ts';
import { controls } from './routines/control.ts';
import { decimal } from './routines/decimal.ts';
import { longOperands } from './routines/long.ts';
import { storageToStorage } from './routines/storage.ts';
import { strings } from './routines/strings.ts';
import { translation } from './routines/translation.ts';

/** A program interruption has been recognised. */
export const FAULT = k32(-1);

export interface RoutineContext {
  readonly cpu: I32;
  /** The imported function. */
  readonly miss: number;
  /** Access-register mode and the smaller addressing modes are possible. */
  readonly full: boolean;
  readonly layout: state.Layout;
}

/**
 * A routine. What an instruction calls has as its last parameter `spaces`: byte k of it is 0, or in access-register
 * mode the number plus one of the access register of storage operand k.
 */
export interface Routine {
  readonly name: string;
  readonly parameters: readonly ('i32' | 'i64')[];
  readonly body: (r: RoutineCode) => void;
}

export interface Routines {
  index(name: string): number;
}

export type Use = 'fetch' | 'store';

/**
 * Stores go straight to storage, also where it holds code: `miss` discards what is known of the instructions there when
 * asked for an interlocked access, and nothing is decoded before the routine returns.
 */
const accessOf = (use: Use): number => (use === 'store' ? ACCESS_INTERLOCKED : ACCESS_FETCH);

/** A routine under construction: its parameters, and what all of them need. */
export class RoutineCode {
  readonly f: FunctionCode;
  readonly #context: RoutineContext;
  readonly #index: (name: string) => number;
  readonly #parameters: readonly ('i32' | 'i64')[];

  constructor(context: RoutineContext, routine: Routine, index: (name: string) => number) {
    this.#context = context;
    this.#index = index;
    this.#parameters = routine.parameters;
    this.f = new FunctionCode(routine.parameters.length);
  }

  /** Access-register mode and the smaller addressing modes are possible. */
  get full(): boolean {
    return this.#context.full;
  }

  /** Parameters are variables: the body may set them. */
  param32(n: number): I32 {
    return x.local('i32', n);
  }
  param64(n: number): I64 {
    return x.local('i64', n);
  }

  variable32(initial: I32): I32 {
    const variable = this.f.newLocal('i32');
    this.f.set(variable, initial);
    return variable;
  }
  variable64(initial: I64): I64 {
    const variable = this.f.newLocal('i64');
    this.f.set(variable, initial);
    return variable;
  }

  call(name: string, ...args: (I32 | I64)[]): I32 {
    return x.call('i32', this.#index(name), ...args);
  }

  // Bytes at a host pointer

  load8 = (pointer: I32): I32 => x.load('i32', loadOp.i8u, pointer, state.BIAS - 1);
  load16 = (pointer: I32): I32 => x.load('i32', loadOp.i16u, pointer, state.BIAS - 2);
  load32 = (pointer: I32): I32 => x.load('i32', loadOp.i32, pointer, state.BIAS - 4);
  load64 = (pointer: I32): I64 => x.load('i64', loadOp.i64, pointer, state.BIAS - 8);
  load128 = (pointer: I32): x.V128 => x.load('v128', loadOp.v128, pointer, state.BIAS - 16);
  store8 = (pointer: I32, value: I32): void => this.f.store(storeOp.i8, pointer, state.BIAS - 1, value);
  store16 = (pointer: I32, value: I32): void => this.f.store(storeOp.i16, pointer, state.BIAS - 2, value);
  store32 = (pointer: I32, value: I32): void => this.f.store(storeOp.i32, pointer, state.BIAS - 4, value);
  store64 = (pointer: I32, value: I64): void => this.f.store(storeOp.i64, pointer, state.BIAS - 8, value);
  store128 = (pointer: I32, value: x.V128): void => this.f.store(storeOp.v128, pointer, state.BIAS - 16, value);

  /** Copies as if through a buffer. */
  copy(to: I32, from: I32, count: I32): void {
    const last = i32.sub(k32(state.BIAS), count);
    this.f.memoryCopy(i32.add(to, last), i32.add(from, last), count);
  }
  fill(to: I32, byte: I32, count: I32): void {
    this.f.memoryFill(i32.add(to, i32.sub(k32(state.BIAS), count)), byte, count);
  }

  /** Subtracts from pointers: they advance by `count` guest bytes. */
  advance(count: I32 | number, ...pointers: I32[]): void {
    for (const pointer of pointers) this.f.set(pointer, i32.sub(pointer, count));
  }

  // Logical addresses

  /** Bytes from the address to the end of its page. */
  room(va: I64): I32 {
    return i32.sub(k32(4096), i32.and(i32.wrap(va), 4095));
  }

  /** A value as an address in the addressing mode. */
  toAddress(value: I64): I64 {
    return this.full ? i64.and(value, this.state64(state.ADDRESS_MASK)) : value;
  }

  min(a: I32, b: I32): I32 {
    const [p, q] = [this.f.evaluate(a), this.f.evaluate(b)];
    return this.f.evaluate(i32.select(i32.ltU(p, q), p, q));
  }
  /** The smaller of a number below 2^31 and an unsigned 64-bit one. */
  min64(a: I32, b: I64): I32 {
    const p = this.f.evaluate(a);
    return this.f.evaluate(i32.select(i64.ltU(i64.fromU(p), b), p, i32.wrap(b)));
  }

  #spaces(): I32 {
    return this.full ? this.param32(this.#parameters.length - 1) : k32(0);
  }

  /** Host pointer where the TLB shows `size` bytes (at most a page) to be on one page and accessible; else `otherwise`. */
  lookUp(va: I64, size: I32, use: Use, otherwise: () => void): I32 {
    const { f } = this;
    const entry = f.evaluate(i32.add(this.state32(state.DATA_CONTEXT), tlbOffset(va)));
    const tag = x.load('i64', loadOp.i64, entry, use === 'store' ? state.TLB_STORE_TAG : state.TLB_FETCH_TAG);
    const last = i64.add(va, i64.fromU(i32.sub(size, 1)));
    const missed = i64.ne(tag, i64.and(last, -4096));
    f.ifUnlikely(this.full ? i32.or(missed, i32.ne(this.#spaces(), 0)) : missed, otherwise);
    return f.evaluate(i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va)));
  }

  /**
   * Host pointer for `size` bytes of storage operand `operand` that lie on one page, as an expression; 0 after an access
   * exception.
   */
  translation(va: I64, size: I32, use: Use, operand: number): I32 {
    let kind: I32 = i32.or(i32.shl(size, ACCESS_SIZE_SHIFT), accessOf(use));
    if (this.full) {
      const space = i32.and(i32.shrU(this.#spaces(), 8 * operand), 0xff);
      kind = i32.or(kind, i32.shl(space, ACCESS_AR_SHIFT));
    }
    return this.call('translate', va, kind);
  }

  /** Returns the host pointer of an access from the routine: that on a partly protected page, or what is asked for. */
  returnMissed(va: I64, kind: I32): void {
    const { f } = this;
    partlyProtected(f, this.cpu, va, kind);
    const filled = f.evaluate(this.call('fill', va, kind));
    f.if(filled, () => f.return(filled));
    f.return(x.call('i32', this.#context.miss, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), kind));
  }

  /** As `translation`, evaluated; returns FAULT from the routine after an access exception. */
  translate(va: I64, size: I32, use: Use, operand: number): I32 {
    const pointer = this.variable32(this.translation(va, size, use, operand));
    this.f.ifUnlikely(i32.eqz(pointer), () => this.f.return(FAULT));
    return pointer;
  }

  /** Pages of an operand of at most 4096 bytes, each translated when a byte on it is first asked for. */
  paged(va: I64, size: I32, use: Use, operand: number): (offset: I32) => I32 {
    const { f } = this;
    const first = this.variable32(this.min(size, this.room(va)));
    const pages = [this.variable32(k32(0)), this.variable32(k32(0))] as const;
    const pointer = f.newLocal('i32');
    const at = (offset: I32, page: I32, va: I64, size: I32, skipped: I32): void => {
      f.ifUnlikely(i32.eqz(page), () => f.set(page, i32.add(this.translate(va, size, use, operand), skipped)));
      f.set(pointer, i32.sub(page, offset));
    };
    return offset => {
      f.if(
        i32.ltU(offset, first),
        () => at(offset, pages[0], va, first, k32(0)),
        () => at(offset, pages[1], this.toAddress(i64.add(va, i64.fromU(first))), i32.sub(size, first), first),
      );
      return pointer;
    };
  }

  // The CPU

  state32(offset: number): I32 {
    return x.load('i32', loadOp.i32, this.#context.cpu, offset);
  }
  state64(offset: number): I64 {
    return x.load('i64', loadOp.i64, this.#context.cpu, offset);
  }

  setState32(offset: number, value: I32): void {
    this.f.store(storeOp.i32, this.#context.cpu, offset, value);
  }
  setState64(offset: number, value: I64): void {
    this.f.store(storeOp.i64, this.#context.cpu, offset, value);
  }
  get cpu(): I32 {
    return this.#context.cpu;
  }
  get layout(): state.Layout {
    return this.#context.layout;
  }

  #gr(register: I32): I32 {
    return i32.add(i32.shl(register, 3), this.#context.cpu);
  }
  /** A general register by its number as a value; `next` counts upwards. */
  gr(register: I32, next = 0): I64 {
    return x.load('i64', loadOp.i64, this.#gr(register), state.GR + 8 * next);
  }
  gr32(register: I32, next = 0): I32 {
    return x.load('i32', loadOp.i32, this.#gr(register), state.GR + 8 * next);
  }
  setGr(register: I32, value: I64): void {
    this.f.store(storeOp.i64, this.#gr(register), state.GR, value);
  }
  setGr32(register: I32, value: I32, next = 0): void {
    this.f.store(storeOp.i32, this.#gr(register), state.GR + 8 * next, value);
  }
  setGr8(register: I32, value: I32): void {
    this.f.store(storeOp.i8, this.#gr(register), state.GR, value);
  }

  /** Sets an address or count: bits 0-31 stay as they are in the 24-bit and 31-bit addressing modes. */
  setAddress(register: I32, value: I64, next = 0): void {
    const at = state.GR + 8 * next;
    const whole = (): void => this.f.store(storeOp.i64, this.#gr(register), at, value);
    this.f.if(this.wide(), whole, () => this.f.store(storeOp.i32, this.#gr(register), at, i32.wrap(value)));
  }

  /** A count in a register: 64 bits, or 32 in the 24-bit and 31-bit addressing modes. */
  count(register: I32, next: number): I64 {
    return this.f.evaluate(i64.select(this.wide(), this.gr(register, next), i64.fromU(this.gr32(register, next))));
  }

  /** 1 in the 64-bit addressing mode. */
  wide(): I32 {
    return this.full ? i64.eq(this.state64(state.ADDRESS_MASK), -1) : k32(1);
  }
  /** 1 in the 24-bit addressing mode. */
  narrow(): I32 {
    return this.full ? i64.eq(this.state64(state.ADDRESS_MASK), 0xff_ffff) : k32(0);
  }

  /** The contents of the access register of a storage operand, 0 outside access-register mode. */
  accessRegister(operand: number): I32 {
    if (!this.full) return k32(0);
    const space = this.f.evaluate(i32.and(i32.shrU(this.#spaces(), 8 * operand), 0xff));
    const value = x.load('i32', loadOp.i32, i32.add(i32.shl(space, 2), this.#context.cpu), state.AR - 4);
    // Access register 0 stands for the primary address space whatever it holds.
    return i32.select(i32.gtU(space, 1), value, 0);
  }

  /** Nonzero when the CPU has something else to do. */
  pending(): I32 {
    return this.state32(state.PENDING);
  }
}

/** Host pointer for an access (as told to `miss`) on one page, by the TLB or by asking; 0 after an access exception. */
const translate: Routine = {
  name: 'translate',
  parameters: ['i64', 'i32'],
  body: r => {
    const { f } = r;
    const va = r.param64(0);
    const kind = r.param32(1);
    const entry = f.evaluate(i32.add(r.state32(state.DATA_CONTEXT), tlbOffset(va)));
    // An interlocked access looks at the store tag.
    const tagAt = i32.add(entry, i32.shl(i32.and(kind, ACCESS_INTERLOCKED), 2));
    const found = i64.eq(x.load('i64', loadOp.i64, tagAt, state.TLB_FETCH_TAG), i64.and(va, -4096));
    f.if(r.full ? i32.and(found, i32.ltU(kind, 1 << ACCESS_AR_SHIFT)) : found, () =>
      f.return(i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va))),
    );
    r.returnMissed(va, kind);
  },
};

const all: readonly Routine[] = [
  translate,
  ...translation,
  ...controls,
  ...storageToStorage,
  ...longOperands,
  ...strings,
  ...decimal,
];

/** Parameters of the routine of an instruction. */
export function routineParameters(name: string): readonly ('i32' | 'i64')[] {
  const routine = all.find(each => each.name === name);
  if (!routine) throw new Error(`no routine ${name}`);
  return routine.parameters;
}

/** Under which name the interpreter exports it. */
export const routineExport = (name: string): string => `routine ${name}`;

/** Adds the routines to a module, which exports them. */
export function defineRoutines(module: ModuleBuilder, context: RoutineContext): Routines {
  const indices = new Map(all.map(({ name, parameters }) => [name, module.declareFunction(parameters, ['i32'])]));
  const index = (name: string): number => {
    const found = indices.get(name);
    if (found === undefined) throw new Error(`no routine ${name}`);
    return found;
  };
  for (const routine of all) {
    const code = new RoutineCode(context, routine, index);
    routine.body(code);
    code.f.unreachable();
    module.defineFunction(index(routine.name), code.f);
    module.exportFunction(routineExport(routine.name), index(routine.name));
  }
  return { index };
}
