/** `Insn` for the interpreter: how the vocabulary of semantics becomes handler code. */

import { UNITS } from '../clock.ts';
import { type FunctionCode, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type F32, type F64, f64, type I32, type I64, i32, i64, k32, k64, type V128 } from '../ir/expr.ts';
import { elementsOf, replace, type Size } from '../ir/vector.ts';
import type {
  Access,
  Address,
  ConditionKind,
  Insn,
  Millicode,
  Offset,
  Place,
  Register,
  RegisterPart,
} from '../isa/insn.ts';
import { CR0_AFP, CR0_VECTOR } from '../registers.ts';
import * as state from '../state.ts';
import { based, loadAt, recordOn, storeAt, tlbOffset } from './addressing.ts';
import { selectedValue } from './condition.ts';
import type { Handler } from './handlers.ts';
import { fenced, loadOrdered, storeOrdered } from './ordered.ts';
import {
  ACCESS_AR_SHIFT,
  ACCESS_FETCH,
  ACCESS_INSTRUCTION,
  ACCESS_INTERLOCKED,
  ACCESS_SIZE_SHIFT,
  ACCESS_STORE,
  ACCESS_WIDE,
} from './protocol.ts';
import { RECORD_SIZE, type RecordField, readField, readField64, recordLayout } from './records.ts';
import type { Run } from './run.ts';

/** Storage at a host address; what `Place` promises. */
export class ProbedPlace implements Place {
  readonly i: InterpretedInsn;
  readonly host: I32;
  /** Stores may have gone to the bounce buffer. */
  readonly mayBounce: boolean;
  /** How many conditional parts enclose the probe: outside them the host address is not known. */
  readonly depth: number;

  constructor(i: InterpretedInsn, host: I32, mayBounce: boolean) {
    this.i = i;
    this.host = host;
    this.mayBounce = mayBounce;
    this.depth = i.depth;
  }

  /** Host address and constant offset of the bytes at an offset. */
  at(size: number, offset: Offset): [I32, number] {
    const constant = typeof offset === 'number' ? offset : x.constant32(offset);
    if (constant !== undefined) return based(this.host, state.BIAS - size - constant);
    return [i32.sub(this.host, offset as I32), state.BIAS - size];
  }

  private read<T extends Expr>(type: T['type'], opcode: number, size: number, offset: Offset): T {
    const { f, run } = this.i;
    if (run.parts.options.ordered) return loadOrdered(f, type, opcode, size, ...this.at(size, offset)) as T;
    return f.evaluate(x.load(type, opcode, ...this.at(size, offset))) as T;
  }

  private write(opcode: number, size: number, offset: Offset, value: Expr): void {
    const { f, run } = this.i;
    this.written();
    if (run.parts.options.ordered) storeOrdered(f, opcode, size, ...this.at(size, offset), value);
    else f.store(opcode, ...this.at(size, offset), value);
  }

  /** Something is about to be stored. */
  written(): void {
    this.i.changes();
    if (this.mayBounce) this.i.flushAtEnd(this);
  }

  load8(offset: Offset = 0): I32 {
    return this.read('i32', loadOp.i8u, 1, offset);
  }

  load16(offset: Offset = 0): I32 {
    return this.read('i32', loadOp.i16u, 2, offset);
  }

  load32(offset: Offset = 0): I32 {
    return this.read('i32', loadOp.i32, 4, offset);
  }

  load64(offset: Offset = 0): I64 {
    return this.read('i64', loadOp.i64, 8, offset);
  }

  loadF32(offset: Offset = 0): F32 {
    return this.read('f32', loadOp.f32, 4, offset);
  }

  loadF64(offset: Offset = 0): F64 {
    return this.read('f64', loadOp.f64, 8, offset);
  }

  load8s(offset: Offset = 0): I32 {
    return this.read('i32', loadOp.i8s, 1, offset);
  }

  load16s(offset: Offset = 0): I32 {
    return this.read('i32', loadOp.i16s, 2, offset);
  }

  store8(value: I32, offset: Offset = 0): void {
    this.write(storeOp.i8, 1, offset, value);
  }

  store16(value: I32, offset: Offset = 0): void {
    this.write(storeOp.i16, 2, offset, value);
  }

  store32(value: I32, offset: Offset = 0): void {
    this.write(storeOp.i32, 4, offset, value);
  }

  store64(value: I64, offset: Offset = 0): void {
    this.write(storeOp.i64, 8, offset, value);
  }

  storeF32(value: F32, offset: Offset = 0): void {
    this.write(storeOp.f32, 4, offset, value);
  }

  storeF64(value: F64, offset: Offset = 0): void {
    this.write(storeOp.f64, 8, offset, value);
  }

  load128(offset: Offset = 0): V128 {
    return this.read('v128', loadOp.v128, 16, offset);
  }

  store128(value: V128, offset: Offset = 0): void {
    this.write(storeOp.v128, 16, offset, value);
  }

  /** Hosts carry out aligned accesses of sixteen bytes as one. */
  loadPair(): readonly [I64, I64] {
    const { f } = this.i;
    const both = this.load128();
    return [f.evaluate(x.v128.lane64(both, 1)), f.evaluate(x.v128.lane64(both, 0))];
  }

  storePair(left: I64, right: I64): void {
    this.store128(x.v128.fromLanes(right, left));
  }

  private atomic<T extends 'i32' | 'i64'>(type: T, opcode: number, log2: number, ...operands: Expr<T>[]): Expr<T> {
    this.i.changes();
    return this.i.f.atomic(type, opcode, log2, this.host, state.BIAS - (1 << log2), ...operands);
  }

  add32(value: I32): I32 {
    return this.atomic('i32', 0x1e, 2, value);
  }

  add64(value: I64): I64 {
    return this.atomic('i64', 0x1f, 3, value);
  }

  and32(value: I32): I32 {
    return this.atomic('i32', 0x2c, 2, value);
  }

  and64(value: I64): I64 {
    return this.atomic('i64', 0x2d, 3, value);
  }

  or32(value: I32): I32 {
    return this.atomic('i32', 0x33, 2, value);
  }

  or64(value: I64): I64 {
    return this.atomic('i64', 0x34, 3, value);
  }

  xor32(value: I32): I32 {
    return this.atomic('i32', 0x3a, 2, value);
  }

  xor64(value: I64): I64 {
    return this.atomic('i64', 0x3b, 3, value);
  }

  and8(value: I32): I32 {
    return this.atomic('i32', 0x2e, 0, value);
  }

  or8(value: I32): I32 {
    return this.atomic('i32', 0x35, 0, value);
  }

  xor8(value: I32): I32 {
    return this.atomic('i32', 0x3c, 0, value);
  }

  compareAndSwap32(expected: I32, replacement: I32): I32 {
    return this.atomic('i32', 0x48, 2, expected, replacement);
  }

  compareAndSwap64(expected: I64, replacement: I64): I64 {
    return this.atomic('i64', 0x49, 3, expected, replacement);
  }
}

/** `Insn` for the interpreter: fields are read from the record at run time, unless the handler fixes them. */
export class InterpretedInsn implements Insn {
  readonly run: Run;
  readonly f: FunctionCode;
  handler: Handler;
  /** Something has been changed: nothing may fault any more. */
  protected changed = false;
  protected ended = false;
  protected bounces: ProbedPlace[] = [];
  /** Nesting of conditional parts. */
  depth = 0;

  constructor(run: Run, handler: Handler) {
    this.run = run;
    this.f = run.f;
    this.handler = handler;
  }

  /** Recognises the exceptions that come before any operand: privilege, floating-point controls. */
  begin(): void {
    const { row } = this.handler;
    if (row.privileged) {
      // PSW bit 15 is bit 48 of the mask as a number.
      this.programIf(i32.and(i32.wrap(i64.shrU(this.state64(state.PSW_MASK), 48)), 1), 2);
    }
    const dxc = { register: 1, bfp: 2, dfp: 3, vector: 0xfe }[row.additionalFloatingPoint ?? 'bfp'];
    if (row.additionalFloatingPoint === 'vector') {
      const controls = CR0_AFP | CR0_VECTOR;
      this.dataIf(i32.ne(i32.and(this.state32(state.CR), controls), controls), dxc);
    } else if (row.additionalFloatingPoint) {
      const off = i32.eqz(i32.and(this.state32(state.CR), CR0_AFP));
      if (row.additionalFloatingPoint === 'register') {
        const numbers = Object.keys(row.format.fields).filter(name => name[0] === 'f');
        const additional = numbers.map(name => i32.and(this.field(name), 9)).reduce((a, b) => i32.or(a, b), k32(0));
        this.f.ifUnlikely(off, () => this.dataIf(i32.ne(additional, 0), dxc));
      } else this.dataIf(off, dxc);
    }
  }

  end(): void {
    if (this.ended) return;
    this.flush();
    this.advance();
  }

  /** Goes on to the instruction that follows, whose work comes next. */
  proceed(): void {
    const { f, run } = this;
    if (this.ended) throw new Error(`${this.handler.row.mnemonic} cannot be the first of a pair`);
    // What has been stored may be that very instruction.
    this.flushNow(() => this.advance());
    f.set(run.record, i32.add(run.record, this.recordLength));
    f.releaseTemporaries();
  }

  protected advance(): void {
    const { f, run } = this;
    f.set(run.record, i32.add(run.record, this.recordLength));
    if (this.#always) run.countFollower();
    f.br(run.next);
  }

  /** Millicode carries the instruction out in any case: the next one begins a region, if any. */
  #always = false;
  get isMillicode(): boolean {
    return this.#always;
  }

  /** Distance to the record of the next instruction. */
  protected get recordLength(): number {
    return (this.handler.row.format.length / 2) * RECORD_SIZE;
  }

  /** Marks the point after which no exception may be recognised. */
  changes(): void {
    this.changed = true;
  }

  protected recognises(): void {
    if (this.changed) {
      throw new Error(`${this.handler.row.mnemonic}: recognises an exception after it has changed something`);
    }
  }

  flushAtEnd(place: ProbedPlace): void {
    if (!this.bounces.includes(place)) this.bounces.push(place);
  }

  /** Carries to storage what went to the bounce buffer through places probed at this depth. */
  protected flush(): void {
    this.flushNow();
    this.bounces = this.bounces.filter(({ depth }) => depth < this.depth);
  }

  protected flushNow(then: () => void = () => {}): void {
    for (const { host, depth } of this.bounces) {
      if (depth < this.depth) continue;
      this.f.ifUnlikely(i32.ltU(host, this.run.parts.options.layout.keys), () => {
        this.f.run(this.run.parts.imports.flush);
        then();
      });
    }
  }

  // Fields

  field(name: string): I32 {
    const fixed = this.handler.fixed[name];
    if (fixed !== undefined) return k32(fixed);
    const field = this.fieldOf(name);
    const value = readField(field, this.run.record);
    if (!field.scale) return value;
    const number = i32.shrU(value, field.scale);
    return field.address ? i32.and(number, 15) : number;
  }

  protected fieldOf(name: string): RecordField {
    const field = recordLayout(this.handler.row.format).get(name);
    if (!field) throw new Error(`${this.handler.row.mnemonic}: format ${this.handler.row.format.name} has no ${name}`);
    return field;
  }

  signed(name: string): I32 {
    return readField(this.fieldOf(name), this.run.record);
  }

  // Registers

  /** Base for an access to register `register` of a bank with 1 << shift bytes each. */
  protected registerBase(register: Register, shift: number): { base: I32; offset: number } {
    const { cpu } = this.run;
    if (typeof register === 'number') return { base: cpu, offset: register << shift };
    if (typeof register === 'object') return { base: i32.add(i32.shl(register, shift), cpu), offset: 0 };
    const fixed = this.handler.fixed[register];
    if (fixed !== undefined) return { base: cpu, offset: fixed << shift };
    const field = this.fieldOf(register);
    const scaled =
      field.scale === shift && !field.address
        ? readField(field, this.run.record)
        : i32.shl(this.field(register), shift);
    return { base: i32.add(scaled, cpu), offset: 0 };
  }

  protected readRegister<T extends Expr>(
    type: T['type'],
    opcode: number,
    register: Register,
    shift: number,
    at: number,
  ): T {
    const { base, offset } = this.registerBase(register, shift);
    return this.f.evaluate(loadAt(type, opcode, base, at + offset)) as T;
  }

  protected writeRegister(opcode: number, register: Register, shift: number, at: number, value: Expr): void {
    const { base, offset } = this.registerBase(register, shift);
    this.changes();
    storeAt(this.f, opcode, base, at + offset, value);
  }

  gr(register: Register, next = 0): I64 {
    return this.readRegister('i64', loadOp.i64, register, 3, state.GR + 8 * next);
  }

  grOfHalves(register: Register): I64 {
    const [high, low] = [this.grHigh(register), this.gr32(register)];
    return this.f.evaluate(i64.or(i64.shl(i64.fromU(high), 32), i64.fromU(low)));
  }

  gr32(register: Register, next = 0): I32 {
    return this.readRegister('i32', loadOp.i32, register, 3, state.GR + 8 * next);
  }

  grHigh(register: Register, next = 0): I32 {
    return this.readRegister('i32', loadOp.i32, register, 3, state.GR + 4 + 8 * next);
  }

  setGr(register: Register, value: I64, next = 0): void {
    this.writeRegister(storeOp.i64, register, 3, state.GR + 8 * next, value);
  }

  setGr32(register: Register, value: I32, next = 0): void {
    this.writeRegister(storeOp.i32, register, 3, state.GR + 8 * next, value);
  }

  setGrHigh(register: Register, value: I32, next = 0): void {
    this.writeRegister(storeOp.i32, register, 3, state.GR + 4 + 8 * next, value);
  }

  fpr64(register: Register, next = 0): I64 {
    return this.readRegister('i64', loadOp.i64, register, 4, state.FPR + 16 * next);
  }

  fpr32(register: Register): I32 {
    return this.readRegister('i32', loadOp.i32, register, 4, state.FPR + 4);
  }

  fprF64(register: Register): F64 {
    return this.readRegister('f64', loadOp.f64, register, 4, state.FPR);
  }

  fprF32(register: Register): F32 {
    return this.readRegister('f32', loadOp.f32, register, 4, state.FPR + 4);
  }

  setFpr64(register: Register, value: I64, next = 0): void {
    this.writeRegister(storeOp.i64, register, 4, state.FPR + 16 * next, value);
  }

  setFpr32(register: Register, value: I32): void {
    this.writeRegister(storeOp.i32, register, 4, state.FPR + 4, value);
  }

  setFprF64(register: Register, value: F64): void {
    this.writeRegister(storeOp.f64, register, 4, state.FPR, value);
  }

  setFprF32(register: Register, value: F32): void {
    this.writeRegister(storeOp.f32, register, 4, state.FPR + 4, value);
  }

  vr(register: Register): V128 {
    return this.readRegister('v128', loadOp.v128, register, 4, state.VR);
  }

  setVr(register: Register, value: V128): void {
    this.writeRegister(storeOp.v128, register, 4, state.VR, value);
  }

  /** Base and offset of an element; the rightmost has the lowest address. */
  private elementAt(register: Register, size: Size, index: I32): [base: I32, offset: number] {
    const { base, offset } = this.registerBase(register, 4);
    const last = elementsOf(size) - 1;
    const constant = x.constant32(index);
    if (constant !== undefined) return [base, state.VR + offset + ((last - constant) << size)];
    return [i32.add(base, i32.shl(i32.sub(k32(last), index), size)), state.VR + offset];
  }

  element(register: Register, size: Size, index: I32): I64 {
    return this.f.evaluate(loadAt('i64', ELEMENT_LOADS[size], ...this.elementAt(register, size, index)));
  }

  setElement(register: Register, size: Size, index: I32, value: I64): void {
    const constant = x.constant32(index);
    // A store of part of the register would delay the next load of all of it.
    if (constant !== undefined) return this.setVr(register, replace(size, this.vr(register), constant, value));
    this.changes();
    storeAt(this.f, ELEMENT_STORES[size], ...this.elementAt(register, size, index), value);
  }

  ar(register: Register): I32 {
    return this.readRegister('i32', loadOp.i32, register, 2, state.AR);
  }

  cr(register: Register): I64 {
    return this.readRegister('i64', loadOp.i64, register, 3, state.CR);
  }

  setAr(register: Register, value: I32): void {
    this.writeRegister(storeOp.i32, register, 2, state.AR, value);
  }

  state32(offset: number): I32 {
    return this.f.evaluate(this.run.load32(offset));
  }

  state64(offset: number): I64 {
    return this.f.evaluate(this.run.load64(offset));
  }

  setState32(offset: number, value: I32): void {
    this.changes();
    this.run.store32(offset, value);
  }

  setState64(offset: number, value: I64): void {
    this.changes();
    this.run.store64(offset, value);
  }

  machine32 = (offset: number): I32 =>
    this.f.evaluate(loadAt('i32', loadOp.i32, k32(this.run.parts.options.layout.machine), offset));
  machine64 = (offset: number): I64 =>
    this.f.evaluate(loadAt('i64', loadOp.i64, k32(this.run.parts.options.layout.machine), offset));

  clock(): I64 {
    const milliseconds = x.call('f64', this.run.parts.imports.now);
    return this.f.evaluate(i64.truncS(f64.floor(f64.mul(milliseconds, x.kf64(UNITS)))));
  }

  let<T extends I32 | I64 | F32 | F64 | V128>(value: T): T {
    return this.f.evaluate(value as Expr) as T;
  }

  multiplyAdd(a: F64, b: F64, c: F64): F64 {
    const { multiplyAdd } = this.run.parts;
    return this.f.evaluate(multiplyAdd === undefined ? f64.multiplyAdd(a, b, c) : x.call('f64', multiplyAdd, a, b, c));
  }

  // Addresses

  /** A register used as base or index: none contributes zero. */
  protected addressRegister<T extends 'i32' | 'i64'>(type: T, name: string): Expr<T> {
    const opcode = type === 'i32' ? loadOp.i32 : loadOp.i64;
    const { cpu, record } = this.run;
    return loadAt(type, opcode, i32.add(readField(this.fieldOf(name), record), cpu), state.GR);
  }

  address(operand: 1 | 2 | 3 | 4 = 2): Address {
    const base = `b${operand}`;
    const index = `x${operand}`;
    let va = i64.add(this.addressRegister('i64', base), readField64(this.fieldOf(`d${operand}`), this.run.record));
    if (index in this.handler.row.format.fields && this.handler.fixed[index] !== 0) {
      va = i64.add(va, this.addressRegister('i64', index));
    }
    return { va: this.f.evaluate(this.toAddress(va)), base };
  }

  relativeAddress(field: string): Address {
    return { va: this.f.evaluate(this.relative(field)), base: 'instruction' };
  }

  registerAddress(register: Register): Address {
    return { va: this.f.evaluate(this.toAddress(this.gr(register))), base: String(register) };
  }

  offset(address: Address, bytes: I64 | number): Address {
    return { va: this.f.evaluate(this.toAddress(i64.add(address.va, bytes))), base: address.base };
  }

  shiftCount(): I32 {
    // Only the rightmost six bits of the second-operand address are used.
    const displacement = readField(this.fieldOf('d2'), this.run.record);
    const sum = this.handler.fixed.b2 === 0 ? displacement : i32.add(this.addressRegister('i32', 'b2'), displacement);
    return this.f.evaluate(i32.and(sum, 63));
  }

  relative(field: string): I64 {
    if (this.handler.fixed.near) return this.nearTarget;
    const from = this.handler.executed ? this.run.load64(state.EXECUTE_TARGET) : this.run.pc();
    return this.toAddress(i64.add(from, i64.shl(readField64(this.fieldOf(field), this.run.record), 1)));
  }

  /** Stands for the target of a branch within the page. */
  protected readonly nearTarget = k64(0);

  next(): I64 {
    return this.toAddress(i64.add(this.run.pc(), this.handler.row.format.length));
  }

  addressingMode(): I32 {
    if (!this.run.full) return k32(3);
    // PSW bits 31 (EA) and 32 (BA): 00 24-bit, 01 31-bit, 11 64-bit.
    const mask = this.state64(state.PSW_MASK);
    return i32.and(i32.wrap(i64.shrU(mask, 31)), 3);
  }

  toAddress(value: I64): I64 {
    return this.run.full ? i64.and(value, this.state64(state.ADDRESS_MASK)) : value;
  }

  // Storage

  /** Host address for `size` bytes at the address, by the TLB or by asking. */
  protected probe(address: Address, size: I32, access: Access, _once = false): I32 {
    this.recognises();
    const { f, run } = this;
    const instruction = address.base === 'instruction';
    const store = access !== 'fetch';
    const host = f.temporary('i32');
    const { va } = address;
    let kind: I32 = i32.or(
      i32.shl(size, ACCESS_SIZE_SHIFT),
      { fetch: ACCESS_FETCH, store: ACCESS_STORE, interlocked: ACCESS_INTERLOCKED, wide: ACCESS_WIDE }[access] |
        (instruction ? ACCESS_INSTRUCTION : 0),
    );
    const slow = (): void => {
      f.set(host, x.call('i32', run.parts.miss, va, kind, run.record, run.condition));
      f.brIfUnlikely(run.fault, i32.eqz(host));
    };
    // In AR mode each base register has a space of its own: no context stands for it.
    const found = (): void => {
      if (access === 'wide') this.soleStorer(host, slow);
    };
    if (run.full && !instruction) {
      kind = f.evaluate(i32.or(kind, i32.shl(this.space(address), ACCESS_AR_SHIFT)));
      f.if(i32.geU(kind, 1 << ACCESS_AR_SHIFT), slow, () =>
        this.lookUp(host, va, size, store, run.load32(state.DATA_CONTEXT), slow, found),
      );
      return host;
    }
    const context = run.load32(instruction ? state.FETCH_CONTEXT : state.DATA_CONTEXT);
    this.lookUp(host, va, size, store, context, slow, found);
    return host;
  }

  /** With several CPUs, storage is wide only for the CPU that is the only one to store into the frame. */
  protected soleStorer(host: I32, slow: () => void): void {
    const { run, f } = this;
    const { layout } = run.parts.options;
    if (layout.cpus === 1) return;
    const frame = i32.shrU(i32.sub(k32(layout.top - state.BIAS), host), 12);
    const storer = x.load('i32', loadOp.i8u, frame, layout.soleStorer);
    f.ifUnlikely(i32.ne(storer, i32.add(run.load32(state.CPU_ADDRESS), 1)), slow);
  }

  /** In access-register mode the number of the operand's access register plus one, else 0. */
  private space({ base }: Address): I32 {
    const register = /^[0-9]+$/.test(base) ? k32(Number(base)) : this.field(base);
    return i32.select(this.accessRegisterMode(), i32.add(register, 1), 0);
  }

  /** PSW bits 16-17 are 01 with DAT on (bit 5). */
  private accessRegisterMode(): I32 {
    const high = i32.wrap(i64.shrU(this.state64(state.PSW_MASK), 32));
    return i32.eq(i32.and(high, 0x0400c000), 0x04004000);
  }

  private lookUp(
    host: I32,
    va: I64,
    size: I32,
    store: boolean,
    context: I32,
    slow: () => void,
    found: () => void = () => {},
  ): void {
    const { f } = this;
    const entry = f.evaluate(i32.add(tlbOffset(va), context));
    const tag = x.load('i64', loadOp.i64, entry, store ? state.TLB_STORE_TAG : state.TLB_FETCH_TAG);
    const last = x.constant32(size) === 1 ? va : i64.add(va, i64.fromU(i32.sub(size, 1)));
    f.ifUnlikely(i64.ne(tag, i64.and(last, -4096)), slow, () => {
      f.set(host, i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va)));
      found();
    });
  }

  place(address: Address, size: number, access: Access): ProbedPlace {
    return this.placeOf(address, k32(size), access);
  }

  placeOf(address: Address, size: I32, access: Access): ProbedPlace {
    return new ProbedPlace(this, this.probe(address, size, access), access === 'store' || access === 'wide');
  }

  load8(address: Address): I32 {
    return this.place(address, 1, 'fetch').load8();
  }

  load8s(address: Address): I32 {
    return this.place(address, 1, 'fetch').load8s();
  }

  load16(address: Address): I32 {
    return this.place(address, 2, 'fetch').load16();
  }

  load16s(address: Address): I32 {
    return this.place(address, 2, 'fetch').load16s();
  }

  load32(address: Address): I32 {
    return this.place(address, 4, 'fetch').load32();
  }

  load64(address: Address): I64 {
    return this.place(address, 8, 'fetch').load64();
  }

  loadF32(address: Address): F32 {
    return this.place(address, 4, 'fetch').loadF32();
  }

  loadF64(address: Address): F64 {
    return this.place(address, 8, 'fetch').loadF64();
  }

  load128(address: Address): V128 {
    return this.place(address, 16, 'fetch').load128();
  }

  store8(address: Address, value: I32): void {
    this.place(address, 1, 'store').store8(value);
  }

  store16(address: Address, value: I32): void {
    this.place(address, 2, 'store').store16(value);
  }

  store32(address: Address, value: I32): void {
    this.place(address, 4, 'store').store32(value);
  }

  store64(address: Address, value: I64): void {
    this.place(address, 8, 'store').store64(value);
  }

  storeF32(address: Address, value: F32): void {
    this.place(address, 4, 'store').storeF32(value);
  }

  storeF64(address: Address, value: F64): void {
    this.place(address, 8, 'store').storeF64(value);
  }

  store128(address: Address, value: V128): void {
    this.place(address, 16, 'store').store128(value);
  }

  registerCount(first: string, last: string): I32 {
    return this.f.evaluate(i32.add(i32.and(i32.sub(this.field(last), this.field(first)), 15), 1));
  }

  loadRegisters(place: ProbedPlace, part: RegisterPart, first: string, last: string): void {
    this.changes();
    this.inOrder(() => this.moveRegisters('load', place, part, first, last));
  }

  storeRegisters(place: ProbedPlace, part: RegisterPart, first: string, last: string): void {
    place.written();
    this.inOrder(() => this.moveRegisters('store', place, part, first, last));
  }

  loadVectors(place: ProbedPlace, first: string, last: string): void {
    this.changes();
    this.inOrder(() =>
      this.eachVector(place, first, last, (host, storage, base, register) =>
        storeAt(this.f, storeOp.v128, base, register, x.load('v128', loadOp.v128, host, storage)),
      ),
    );
  }

  storeVectors(place: ProbedPlace, first: string, last: string): void {
    place.written();
    this.inOrder(() =>
      this.eachVector(place, first, last, (host, storage, base, register) =>
        this.f.store(storeOp.v128, host, storage, loadAt('v128', loadOp.v128, base, register)),
      ),
    );
  }

  /** Visits the vector registers of a range: where one is in storage and in the CPU's block, addresses and offsets. */
  private eachVector(
    { host }: ProbedPlace,
    first: string,
    last: string,
    visit: (host: I32, storage: number, base: I32, register: number) => void,
  ): void {
    const [from, to] = [x.constant32(this.field(first)), x.constant32(this.field(last))];
    const { base, offset } = this.registerBase(first, 4);
    const at = state.BIAS - 16;
    if (from !== undefined && to !== undefined) {
      for (let n = 0; n <= to - from; n++) visit(host, at - 16 * n, base, state.VR + offset + 16 * n);
      return;
    }
    const end = this.f.evaluate(i32.shl(i32.sub(this.field(last), this.field(first)), 4));
    const n = this.variable32(k32(0));
    this.while(
      () => i32.leU(n.get(), end),
      () => {
        const moved = n.get();
        visit(i32.sub(host, moved), at, i32.add(base, moved), state.VR + offset);
        n.set(i32.add(moved, 16));
      },
    );
  }

  protected moveRegisters(
    way: 'load' | 'store',
    place: ProbedPlace,
    part: RegisterPart,
    first: string,
    last: string,
  ): void {
    this.transfer(place, part, first, last, ({ type, load, store }, host, storage, register, at) =>
      way === 'load'
        ? this.f.store(store, register, at, x.load(type, load, host, storage))
        : this.f.store(store, host, storage, x.load(type, load, register, at)),
    );
  }

  /** Several storage accesses that keep their place among those of other instructions. */
  protected inOrder(access: () => void): void {
    if (this.run.parts.options.ordered) fenced(this.f, access);
    else access();
  }

  /** Moves a range of registers, one by one: a jump into a straight sequence unless the range wraps around. */
  protected transfer(place: ProbedPlace, part: RegisterPart, first: string, last: string, move: Move): void {
    const { f, run } = this;
    const opcodes = part === 'gr' ? DOUBLEWORD : WORD;
    const { size } = opcodes;
    const at = state.GR + (part === 'grHigh' ? 4 : 0);
    const from = x.constant32(this.field(first));
    const to = x.constant32(this.field(last));
    if (from !== undefined && to !== undefined) {
      const count = ((to - from) & 15) + 1;
      for (let n = 0; n < count; n++) {
        move(opcodes, ...place.at(size, size * n), run.cpu, at + 8 * ((from + n) & 15));
      }
      return;
    }
    const less = f.evaluate(i32.sub(this.registerCount(first, last), 1));
    f.if(
      i32.leU(this.field(first), this.field(last)),
      () => {
        // The last register has the same place in the sequence, however many come before it.
        const host = f.evaluate(i32.sub(place.host, i32.mul(less, size)));
        const register = f.evaluate(i32.add(i32.shl(this.field(last), 3), run.cpu));
        const labels = Array.from({ length: 16 }, () => f.beginBlock());
        f.brTable(less, labels, labels[15]!);
        for (let n = 15; n >= 0; n--) {
          f.endBlock();
          move(opcodes, host, state.BIAS - size + size * n, i32.sub(register, 8 * n), at);
        }
      },
      () => {
        const n = this.variable32(k32(0));
        this.while(
          () => i32.leU(n.get(), less),
          () => {
            const host = f.evaluate(i32.sub(place.host, i32.mul(n.get(), size)));
            const register = i32.and(i32.add(this.field(first), n.get()), 15);
            move(opcodes, host, state.BIAS - size, i32.add(i32.shl(register, 3), run.cpu), at);
            n.set(i32.add(n.get(), 1));
          },
        );
      },
    );
  }

  // Condition code

  cc32(kind: ConditionKind, a: I32, b: I32 = k32(0)): void {
    const [left, right] = [this.f.evaluate(a), this.f.evaluate(b)];
    if (kind === 'add') {
      const sum = this.f.evaluate(i32.add(left, right));
      this.ccResult32(sum, i32.ltS(i32.and(i32.xor(left, sum), i32.xor(right, sum)), 0));
    } else if (kind === 'subtract') {
      const difference = this.f.evaluate(i32.sub(left, right));
      this.ccResult32(difference, i32.ltS(i32.and(i32.xor(left, right), i32.xor(left, difference)), 0));
    } else this.setCc(conditionValue(i32, kind, left, right, k32(0)));
  }

  cc64(kind: ConditionKind, a: I64, b: I64 = k64(0)): void {
    const [left, right] = [this.f.evaluate(a), this.f.evaluate(b)];
    if (kind === 'add') {
      const sum = this.f.evaluate(i64.add(left, right));
      this.ccResult64(sum, i64.ltS(i64.and(i64.xor(left, sum), i64.xor(right, sum)), 0));
    } else if (kind === 'subtract') {
      const difference = this.f.evaluate(i64.sub(left, right));
      this.ccResult64(difference, i64.ltS(i64.and(i64.xor(left, right), i64.xor(left, difference)), 0));
    } else this.setCc(conditionValue(i64, kind, left, right, k64(0)));
  }

  ccResult32(result: I32, overflow: I32): void {
    const { f, run } = this;
    // Without a branch: where numbers of 32 bits are hashed, overflow comes at random.
    const overflowed = f.evaluate(overflow);
    const sign = conditionValue(i32, 'signed', f.evaluate(result), k32(0), k32(0));
    this.setCc(i32.or(sign, i32.mul(overflowed, 3)));
    f.ifUnlikely(i32.and(run.load32(state.PSW_MASK + 4), 1 << 11), () => f.if(overflowed, () => this.#overflow()));
  }

  ccResult64(result: I64, overflow: I32): void {
    const { f, run } = this;
    this.setCc(conditionValue(i64, 'signed', f.evaluate(result), k64(0), k64(0)));
    f.ifUnlikely(overflow, () => {
      f.set(run.condition, k32(3));
      f.if(i32.and(run.load32(state.PSW_MASK + 4), 1 << 11), () => this.#overflow());
    });
  }

  /** Fixed-point overflow completes the instruction; PSW bit 20 makes it an exception. */
  #overflow(): void {
    this.flushNow();
    this.program(8);
  }

  ccCarried32(result: I32, carry: I32): void {
    this.setCc(i32.or(i32.shl(carry, 1), i32.ne(result, 0)));
  }

  ccCarried64(result: I64, carry: I32): void {
    this.setCc(i32.or(i32.shl(carry, 1), i64.ne(result, 0)));
  }

  setCc(value: I32): void {
    this.changes();
    this.f.set(this.run.condition, value);
  }

  cc(): I32 {
    return this.f.evaluate(this.run.condition as I32);
  }

  condition(mask: string | number): I32 {
    const m = typeof mask === 'number' ? k32(mask) : this.field(mask);
    const constant = x.constant32(m);
    const { condition } = this.run;
    if (constant !== undefined) return selectedValue(constant, condition);
    return i32.and(i32.shrU(m, i32.sub(k32(3), condition)), 1);
  }

  compare32(kind: 'signed' | 'unsigned', mask: string, a: I32, b: I32): I32 {
    return this.relation(i32, kind, this.field(mask), this.f.evaluate(a), this.f.evaluate(b));
  }

  compare64(kind: 'signed' | 'unsigned', mask: string, a: I64, b: I64): I32 {
    return this.relation(i64, kind, this.field(mask), this.f.evaluate(a), this.f.evaluate(b));
  }

  private relation(integer: Integer, kind: 'signed' | 'unsigned', mask: I32, a: Expr, b: Expr): I32 {
    const suffix = kind === 'signed' ? 'S' : 'U';
    const fixed = x.constant32(mask);
    const name = fixed === undefined ? undefined : RELATIONS[fixed];
    if (name) return operationsOf(integer)[name.length > 2 ? name.slice(0, 2) : `${name}${suffix}`]!(a, b) as I32;
    return i32.and(i32.shrU(mask, i32.sub(k32(3), conditionValue(integer, kind, a, b, k32(0)))), 1);
  }

  // Control

  /** Address of the instruction, or of the EXECUTE whose target it is. */
  protected ownAddress(): I64 {
    const { run } = this;
    if (!this.handler.executed) return run.pc();
    const ahead = i64.fromU(loadAt('i32', loadOp.i8u, run.cpu, state.EXECUTING));
    return i64.sub(i64.add(run.pc(), 8), ahead);
  }

  serialize(condition = k32(1)): void {
    // One CPU by itself sees its own storage in order.
    if (this.run.parts.options.layout.cpus > 1) this.f.ifUnlikely(condition, () => this.f.fence());
  }

  branch(condition: I32, target: I64, otherwise: () => void = () => {}): void {
    const { f, run } = this;
    const near = target === this.nearTarget;
    const to = f.evaluate(target);
    this.flush();
    this.ended = true;
    const take = (): void => {
      // The breaking-event address is where the last taken branch was.
      run.store64(state.BEA, this.ownAddress());
      if (!near) return run.goTo(to);
      const { format } = this.handler.row;
      const field = Object.keys(format.fields).find(name => name[0] === 'h')!;
      const distance = f.evaluate(readField(this.fieldOf(field), run.record));
      f.set(run.record, i32.add(run.record, distance));
      run.pend();
      f.if(i32.ltS(distance, 0), () => run.countArrival());
      f.br(run.next);
    };
    f.if(condition, take);
    if (condition.kind === 'const' && condition.value) return;
    otherwise();
    this.advance();
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.conditional('if', condition, then, otherwise);
  }

  ifUnlikely(condition: I32, then: () => void, otherwise?: () => void): void {
    this.conditional('ifUnlikely', condition, then, otherwise);
  }

  protected conditional(kind: 'if' | 'ifUnlikely', condition: I32, then: () => void, otherwise?: () => void): void {
    const before = this.changed;
    let after = before;
    const arm = (body: () => void) => (): void => {
      this.changed = before;
      this.depth++;
      body();
      if (!this.ended) this.flush();
      this.depth--;
      after ||= this.changed;
    };
    this.f[kind](condition, arm(then), otherwise && arm(otherwise));
    this.changed = after;
  }

  while(condition: () => I32, body: () => void): void {
    this.f.while(condition, body);
  }

  variable32(initial: I32): { get(): I32; set(value: I32): void } {
    return this.variable('i32', initial);
  }

  variable64(initial: I64): { get(): I64; set(value: I64): void } {
    return this.variable('i64', initial);
  }

  private variable<T extends 'i32' | 'i64'>(type: T, initial: Expr<T>): { get(): Expr<T>; set(value: Expr<T>): void } {
    const { f } = this;
    const target = f.temporary(type);
    f.set(target as Expr<T>, initial);
    return { get: () => f.evaluate(target as Expr<T>), set: value => f.set(target as Expr<T>, value) };
  }

  // Exceptions

  /** Leaves with a program interruption; the PSW address still designates this instruction. */
  protected program(code: number, dxc?: number): void {
    const { f, run } = this;
    run.store32(state.PROGRAM_CODE, k32(code));
    if (dxc !== undefined) run.store32(state.DXC, k32(dxc));
    run.save();
    f.br(run.fault);
  }

  programIf(condition: I32, code: number): void {
    this.recognises();
    this.f.ifUnlikely(condition, () => this.program(code));
  }

  dataIf(condition: I32, dxc: number): void {
    this.recognises();
    this.f.ifUnlikely(condition, () => this.program(7, dxc));
  }

  trapIf(condition: I32): void {
    this.f.ifUnlikely(condition, () => {
      this.flushNow();
      this.program(7, 0xff);
    });
  }

  even(register: string): void {
    this.programIf(i32.and(this.field(register), 1), 6);
  }

  floatingPair(register: string): void {
    this.programIf(i32.and(this.field(register), 2), 6);
  }

  aligned(address: Address, boundary: number): void {
    this.programIf(i32.and(i32.wrap(address.va), boundary - 1), 6);
  }

  // The rest

  execute(target: Address, register: string): void {
    this.programIf(i32.and(i32.wrap(target.va), 1), 6);
    const { f, run } = this;
    const { length } = this.handler.row.format;
    const modifier = f.evaluate(i32.select(this.field(register), i32.and(this.gr32(register), 0xff), 0));
    this.changes();
    this.ended = true;
    // In line: a storage-to-storage target on a page whose code is at hand. Its length is the first operand field.
    const entry = f.evaluate(i32.add(tlbOffset(target.va), run.load32(state.FETCH_CONTEXT)));
    const onPage = i64.eq(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(i64.add(target.va, 5), -4096));
    const found = f.temporary('i64') as I64;
    f.set(found, k64(0));
    f.if(onPage, () =>
      f.set(
        found,
        x.load('i64', loadOp.i64, recordOn(x.load('i32', loadOp.i32, entry, state.TLB_CODE_PAGE), target.va), 0),
      ),
    );
    f.if(
      i32.geU(i32.and(i32.wrap(found), 0xffff), run.firstStorageToStorage),
      () => {
        run.store64(state.EXECUTE_RECORD, i64.or(found, i64.shl(i64.fromU(modifier), 16)));
        run.store32(state.EXECUTING, k32((length << 8) | (8 + length - 6)));
      },
      () => {
        run.save();
        const { va } = target;
        const how = i32.or(modifier, length << 8);
        const done = x.call('i32', run.parts.imports.execute, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), how);
        f.brIfUnlikely(run.fault, i32.eqz(done));
      },
    );
    run.store32(state.EXECUTE_RESUME, i32.add(run.record, this.recordLength));
    run.store64(state.EXECUTE_RESUME_PAGE, run.load64(state.CODE_PAGE_ADDRESS));
    run.store64(state.EXECUTE_RESUME_DISTANCE, run.load64(state.PC_DISTANCE));
    // The target runs at a PSW address from which the next instruction is the one after EXECUTE.
    const ahead = i32.sub(loadAt('i32', loadOp.i8u, run.cpu, state.EXECUTING), 8);
    run.divert(state.EXECUTE_RECORD, f.evaluate(i64.add(run.pc(), i64.fromS(ahead))));
    f.br(run.dispatch);
  }

  millicode(work: Millicode): void {
    const { f, run } = this;
    this.#always ||= !this.depth;
    const { millicode } = run.parts;
    const { format } = this.handler.row;
    let id = millicode.findIndex(call => call.work === work && call.format === format);
    if (id < 0) id = millicode.push({ work, format }) - 1;
    run.save();
    const left = f.temporary('i32');
    this.inOrder(() => f.set(left, x.call('i32', run.parts.imports.millicode, k32(id), run.record)));
    f.ifUnlikely(left, () => run.leaveAfterMillicode());
    f.set(run.condition, run.load32(state.CC));
    this.changes();
  }

  control(routine: string, work: Millicode, ...args: I32[]): void {
    const { f, run } = this;
    if (!run.full) {
      run.save();
      const result = f.temporary('i32');
      f.set(result, x.call('i32', run.parts.routines.index(routine), ...args, k32(0)));
      f.if(i32.eqz(result), () => {
        f.set(run.condition, run.load32(state.CC));
        const address = f.evaluate(run.load64(state.PSW_ADDRESS));
        run.pend(address);
        run.enter(address);
        run.countArrival();
        f.br(run.next);
      });
    }
    this.millicode(work);
  }

  traceBranch(condition: I32, target: I64, work: Millicode): void {
    const { run } = this;
    // The fast program is not used while CR12 bit 0 is one.
    if (!run.full) return;
    this.ifUnlikely(i32.and(condition, i64.ltS(run.load64(state.CR + 8 * 12), 0)), () => {
      this.setState64(state.OPERAND, target);
      this.millicode(work);
    });
  }

  routine(name: string, ...args: (I32 | I64 | Address)[]): I32 {
    this.recognises();
    const { f, run } = this;
    run.save();
    const isAddress = (arg: I32 | I64 | Address): arg is Address => 'va' in arg;
    const spaces = run.full
      ? args.filter(isAddress).reduce<I32>((all, arg, n) => i32.or(all, i32.shl(this.space(arg), 8 * n)), k32(0))
      : k32(0);
    const values = args.map(arg => (isAddress(arg) ? arg.va : arg));
    const result = f.temporary('i32');
    this.inOrder(() => f.set(result, x.call('i32', run.parts.routines.index(name), ...values, spaces)));
    f.brIfUnlikely(run.fault, i32.ltS(result, 0));
    this.changes();
    return result;
  }

  repeatIf(condition: I32): void {
    const { f, run } = this;
    f.ifUnlikely(condition, () => {
      // EXECUTE and its target are repeated together.
      const ahead = f.evaluate(loadAt('i32', loadOp.i8u, run.cpu, state.EXECUTING));
      const pc = f.temporary('i64') as I64;
      f.set(pc, run.pc());
      f.if(ahead, () => f.set(pc, i64.sub(pc, i64.fromS(i32.sub(ahead, 8)))));
      run.pend(pc);
      run.enter(pc);
      f.br(run.next);
    });
  }
}

/** Loads that extend with zeros, and stores of the rightmost bytes, by the size of an element. */
const ELEMENT_LOADS = [0x31, 0x33, 0x35, loadOp.i64] as const;
const ELEMENT_STORES = [0x3c, 0x3d, 0x3e, storeOp.i64] as const;

/** Moves one register: to or from storage at host + storage, from or to the CPU's block at register + at. */
type Move = (opcodes: typeof WORD | typeof DOUBLEWORD, host: I32, storage: number, register: I32, at: number) => void;
const WORD = { type: 'i32', size: 4, load: loadOp.i32, store: storeOp.i32 } as const;
const DOUBLEWORD = { type: 'i64', size: 8, load: loadOp.i64, store: storeOp.i64 } as const;

type Integer = typeof i32 | typeof i64;

/** Relations that masks of compare and branch select: a comparison that knows no sign, or one that does. */
const RELATIONS: Readonly<Record<number, string>> = { 8: 'eq ', 6: 'ne ', 4: 'lt', 2: 'gt', 12: 'le', 10: 'ge' };

/** Both operand widths have the same operations; the types cannot say so together. */
const operationsOf = (integer: Integer): Record<string, (a: Expr, b: Expr) => Expr> =>
  integer as unknown as Record<string, (a: Expr, b: Expr) => Expr>;

/** Bit 0 of a number. */
const signOf = (a: Expr): I32 => (a.type === 'i32' ? i32.shrU(a as I32, 31) : i32.wrap(i64.shrU(a as I64, 63)));

/** The condition code as a value, for 32-bit or 64-bit operands that are locals or constants. */
function conditionValue(
  integer: Integer,
  kind: Exclude<ConditionKind, 'add' | 'subtract'>,
  a: Expr,
  b: Expr,
  zero: Expr,
): I32 {
  // Both operand widths have the same operations; the types cannot say so together.
  const n = integer as unknown as Record<string, (a: Expr, b: Expr) => Expr> &
    Record<string, (a: Expr, b: Expr) => I32>;
  const ordered = (high: I32, low: I32): I32 => i32.add(i32.shl(high, 1), low);
  switch (kind) {
    case 'signed':
      if (b.kind === 'const' && !b.value) return ordered(n.gtS!(a, b) as I32, signOf(a));
      return ordered(n.gtS!(a, b) as I32, n.ltS!(a, b) as I32);
    case 'unsigned':
      return ordered(n.gtU!(a, b) as I32, n.ltU!(a, b) as I32);
    case 'logical':
      return n.ne!(a, zero) as I32;
    case 'addLogical': {
      const sum = n.add!(a, b);
      return ordered(n.ltU!(sum, a) as I32, n.ne!(sum, zero) as I32);
    }
    case 'subtractLogical': {
      return ordered(n.geU!(a, b) as I32, n.ne!(a, b) as I32);
    }
  }
}
