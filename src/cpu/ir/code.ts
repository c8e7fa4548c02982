/** The code of one WebAssembly function under construction: locals, statements, structured control flow. */

import type { Expr, I32, Type } from './expr.ts';
import { i32, LANE, local } from './expr.ts';
import { type Body, Bytes } from './wasm.ts';

/** Store opcodes of the WebAssembly binary format. */
export const storeOp = { i32: 0x36, i64: 0x37, f32: 0x38, f64: 0x39, i8: 0x3a, i16: 0x3b, v128: 0x10b } as const;
/** Load opcodes; the unsigned forms of the narrow ones. */
export const loadOp = {
  i32: 0x28,
  i64: 0x29,
  f32: 0x2a,
  f64: 0x2b,
  i8s: 0x2c,
  i8u: 0x2d,
  i16s: 0x2e,
  i16u: 0x2f,
  v128: 0x100,
} as const;

/** Added to the opcodes of the prefix for atomic accesses. */
const ATOMIC = 0x300;
/** Sequentially consistent loads and stores on their boundary, by size; narrow loads extend with zeros. */
export const atomicLoadOp = { 1: ATOMIC + 0x12, 2: ATOMIC + 0x13, 4: ATOMIC + 0x10, 8: ATOMIC + 0x11 } as const;
export const atomicStoreOp = { 1: ATOMIC + 0x19, 2: ATOMIC + 0x1a, 4: ATOMIC + 0x17, 8: ATOMIC + 0x18 } as const;
/** log2 of the size of an atomic access, by opcode: the format wants it named. */
const atomicAlignment = new Map(
  [atomicLoadOp, atomicStoreOp].flatMap(ops =>
    Object.entries(ops).map(([size, opcode]) => [opcode, Math.log2(Number(size))] as const),
  ),
);

/** A place that `br` can name. */
export interface Label {
  readonly depth: number;
}

export class FunctionCode implements Body {
  readonly code = new Bytes(4096);
  readonly locals: Type[] = [];
  readonly unlikely: number[] = [];
  readonly #parameters: number;
  readonly #pools = new Map<Type, { all: number[]; used: number }>();
  #depth = 0;

  /** @param parameters number of the function's parameters; they are locals 0 to parameters-1 */
  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** A local that lives as long as the function. */
  newLocal<T extends Type>(type: T): Expr<T> & { kind: 'local' } {
    this.locals.push(type);
    return local(type, this.#parameters + this.locals.length - 1);
  }

  /** A local that lives until `releaseTemporaries`. */
  temporary<T extends Type>(type: T): Expr<T> & { kind: 'local' } {
    return local(type, this.#temporary(type));
  }

  #temporary(type: Type): number {
    let pool = this.#pools.get(type);
    if (!pool) this.#pools.set(type, (pool = { all: [], used: 0 }));
    if (pool.used === pool.all.length) pool.all.push(this.newLocal(type).index);
    return pool.all[pool.used++]!;
  }

  /** From here on earlier temporaries may be reused: call where none is live, between instructions. */
  releaseTemporaries(): void {
    for (const pool of this.#pools.values()) pool.used = 0;
  }

  /** Makes code after which the same temporaries are in use as before. */
  apart(body: () => void): void {
    const before = [...this.#pools].map(([type, { used }]) => [type, used] as const);
    body();
    for (const [type, used] of before) this.#pools.get(type)!.used = used;
  }

  /** Evaluates now, once; the result can be named any number of times. What is evaluated already passes through. */
  evaluate<T extends Type>(e: Expr<T>): Expr<T> {
    if (e.kind === 'const' || (e.kind === 'local' && e.stable)) return e;
    const t = local(e.type, this.#temporary(e.type), true) as Expr<T> & { kind: 'local' };
    this.set(t, e);
    return t;
  }

  set<T extends Type>(target: Expr<T>, value: Expr<T>): void {
    if (target.kind !== 'local') throw new Error('only a local can be set');
    this.push(value);
    this.code.u8(0x21);
    this.code.u32(target.index);
  }

  store(opcode: number, address: I32, offset: number, value: Expr): void {
    this.push(address);
    this.push(value);
    this.#memoryOp(opcode, offset);
  }

  #memoryOp(opcode: number, offset: number): void {
    if (opcode > 0xff) {
      this.code.u8(opcode >= ATOMIC ? 0xfe : 0xfd);
      this.code.u32(opcode & 0xff);
    } else this.code.u8(opcode);
    this.code.u8(atomicAlignment.get(opcode) ?? 0);
    this.code.u32(offset);
  }

  /** An atomic read-modify-write or compare-and-exchange; `opcode` is the byte after the 0xfe prefix. */
  atomic<T extends 'i32' | 'i64'>(
    type: T,
    opcode: number,
    align: number,
    address: I32,
    offset: number,
    ...operands: Expr<T>[]
  ): Expr<T> {
    this.push(address);
    for (const operand of operands) this.push(operand);
    this.code.u8(0xfe);
    this.code.u32(opcode);
    this.code.u8(align);
    this.code.u32(offset);
    const result = local(type, this.#temporary(type), true);
    this.code.u8(0x21);
    this.code.u32(result.index);
    return result;
  }

  /** No access that follows is carried out before one that precedes. */
  fence(): void {
    this.code.bytes([0xfe, 0x03, 0x00]);
  }

  memoryCopy(to: I32, from: I32, count: I32): void {
    this.push(to);
    this.push(from);
    this.push(count);
    this.code.bytes([0xfc, 10, 0, 0]);
  }

  memoryFill(to: I32, value: I32, count: I32): void {
    this.push(to);
    this.push(value);
    this.push(count);
    this.code.bytes([0xfc, 11, 0]);
  }

  /** Calls a function of the table by its index there; gives its result. */
  callIndirect(type: number, index: I32, ...args: Expr[]): I32 {
    for (const arg of args) this.push(arg);
    this.push(index);
    this.code.u8(0x11);
    this.code.u32(type);
    this.code.u8(0);
    const result = local('i32', this.#temporary('i32'), true);
    this.code.u8(0x21);
    this.code.u32(result.index);
    return result;
  }

  /** Calls a function in place of this one, which has its type. */
  returnCall(index: number, ...args: Expr[]): void {
    for (const arg of args) this.push(arg);
    this.code.u8(0x12);
    this.code.u32(index);
  }

  /** As `returnCall`, by the function's index in the table. */
  returnCallIndirect(type: number, index: I32, ...args: Expr[]): void {
    for (const arg of args) this.push(arg);
    this.push(index);
    this.code.u8(0x13);
    this.code.u32(type);
    this.code.u8(0);
  }

  /** Calls a function without result. */
  run(index: number, ...args: Expr[]): void {
    for (const arg of args) this.push(arg);
    this.code.u8(0x10);
    this.code.u32(index);
  }

  /** Emits the code that leaves the value on the stack. */
  push(e: Expr): void {
    const { code } = this;
    switch (e.kind) {
      case 'const':
        if (e.type === 'i32') {
          code.u8(0x41);
          code.s32(e.value as number);
        } else if (e.type === 'i64') {
          code.u8(0x42);
          code.s64(e.value as bigint);
        } else if (e.type === 'v128') {
          code.u8(0xfd);
          code.u32(0x0c);
          for (let n = 0n; n < 16n; n++) code.u8(Number(((e.value as bigint) >> (8n * n)) & 0xffn));
        } else {
          code.u8(e.type === 'f32' ? 0x43 : 0x44);
          code.float(e.value as number, e.type === 'f32' ? 4 : 8);
        }
        return;
      case 'local':
        code.u8(0x20);
        code.u32(e.index);
        return;
      case 'global':
        code.u8(0x23);
        code.u32(e.index);
        return;
      case 'unary':
        this.push(e.a);
        this.#operator(e.opcode);
        return;
      case 'binary':
        this.push(e.a);
        this.push(e.b);
        this.#operator(e.opcode);
        return;
      case 'ternary':
        this.push(e.a);
        this.push(e.b);
        this.push(e.c);
        this.#operator(e.opcode);
        return;
      case 'shuffle':
        this.push(e.a);
        this.push(e.b);
        code.u8(0xfd);
        code.u32(0x0d);
        code.bytes(e.lanes);
        return;
      case 'select':
        this.push(e.a);
        this.push(e.b);
        this.push(e.condition);
        code.u8(0x1b);
        return;
      case 'load':
        this.push(e.address);
        this.#memoryOp(e.opcode, e.offset);
        return;
      case 'call':
        for (const arg of e.args) this.push(arg);
        code.u8(0x10);
        code.u32(e.index);
    }
  }

  /** Opcodes from 0x100 on belong to the SIMD prefix. */
  #operator(opcode: number): void {
    if (opcode > 0xff) {
      this.code.u8(0xfd);
      this.code.u32((opcode % LANE) - 0x100);
      if (opcode >= LANE) this.code.u8(Math.floor(opcode / LANE) - 1);
    } else this.code.u8(opcode);
  }

  #open(opcode: number): Label {
    this.code.u8(opcode);
    this.code.u8(0x40);
    return { depth: ++this.#depth };
  }

  #close(): void {
    this.code.u8(0x0b);
    this.#depth--;
  }

  /** A block; `br(label)` leaves it. */
  block(body: (label: Label) => void): void {
    body(this.#open(0x02));
    this.#close();
  }

  /** A loop; `br(label)` starts the next round, falling out at the end leaves. */
  loop(body: (label: Label) => void): void {
    body(this.#open(0x03));
    this.#close();
  }

  /** Opens a block that `endBlock` closes, for nests whose depth is data. */
  beginBlock(): Label {
    return this.#open(0x02);
  }

  endBlock(): void {
    this.#close();
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    if (condition.kind === 'const') {
      if (condition.value) then();
      else otherwise?.();
      return;
    }
    this.push(condition);
    this.#if(then, otherwise);
  }

  /** As `if`, and the engine lays `then` out of the way: a miss, an exception. */
  ifUnlikely(condition: I32, then: () => void, otherwise?: () => void): void {
    if (condition.kind === 'const') return this.if(condition, then, otherwise);
    this.push(condition);
    this.unlikely.push(this.code.length);
    this.#if(then, otherwise);
  }

  #if(then: () => void, otherwise?: () => void): void {
    this.#open(0x04);
    then();
    if (otherwise) {
      this.code.u8(0x05);
      otherwise();
    }
    this.#close();
  }

  br(label: Label): void {
    this.code.u8(0x0c);
    this.code.u32(this.#depth - label.depth);
  }

  brIf(label: Label, condition: I32): void {
    this.push(condition);
    this.code.u8(0x0d);
    this.code.u32(this.#depth - label.depth);
  }

  brIfUnlikely(label: Label, condition: I32): void {
    this.push(condition);
    this.unlikely.push(this.code.length);
    this.code.u8(0x0d);
    this.code.u32(this.#depth - label.depth);
  }

  brTable(index: I32, labels: readonly Label[], otherwise: Label): void {
    this.push(index);
    this.code.u8(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.#depth - label.depth);
    this.code.u32(this.#depth - otherwise.depth);
  }

  return(value?: Expr): void {
    if (value) this.push(value);
    this.code.u8(0x0f);
  }

  unreachable(): void {
    this.code.u8(0x00);
  }

  /** Loops while the condition holds. */
  while(condition: () => I32, body: () => void): void {
    this.block(out => {
      this.loop(again => {
        this.brIf(out, i32.eqz(condition()));
        body();
        this.br(again);
      });
    });
  }
}
