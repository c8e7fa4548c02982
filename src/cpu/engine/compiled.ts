/**
 * `Insn` for regions of compiled code: operand fields are constants, general registers are in locals, the condition code
 * is made when somebody asks for it, and what follows an instruction is known. One object serves all instructions of a
 * region, one after the other.
 */

import { loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import type { Access, Address, ConditionKind, Millicode, Register, RegisterPart } from '../isa/insn.ts';
import * as state from '../state.ts';
import { tlbOffset } from './addressing.ts';
import type { Step } from './blocks.ts';
import { CODE32, CODE64 } from './condition.ts';
import { BASES, COMPARED, DISPLACEMENTS, INDEXES, storageOperand, UNKNOWN, writtenOut } from './facts.ts';
import type { Handler } from './handlers.ts';
import { InterpretedInsn, ProbedPlace } from './interpreted.ts';
import {
  ACCESS_FETCH,
  ACCESS_INSTRUCTION,
  ACCESS_INTERLOCKED,
  ACCESS_SIZE_SHIFT,
  ACCESS_STORE,
  ACCESS_WIDE,
  REGION_INTERPRET,
} from './protocol.ts';
import type { RegionRun } from './region.ts';

const ACCESSES = {
  fetch: ACCESS_FETCH,
  store: ACCESS_STORE,
  interlocked: ACCESS_INTERLOCKED,
  wide: ACCESS_WIDE,
} as const;

/** How pieces of an operand are moved. */
const PIECES = {
  1: { type: 'i32', load: loadOp.i8u, store: storeOp.i8, zero: k32(0) },
  2: { type: 'i32', load: loadOp.i16u, store: storeOp.i16, zero: k32(0) },
  4: { type: 'i32', load: loadOp.i32, store: storeOp.i32, zero: k32(0) },
  8: { type: 'i64', load: loadOp.i64, store: storeOp.i64, zero: k64(0) },
  16: { type: 'v128', load: loadOp.v128, store: storeOp.v128, zero: x.v128.splat64(k64(0)) },
} as const;

const NO_HANDLER = {} as Handler;

/** Base, index and displacement of an operand: an address that is computed if somebody asks for it. */
class OperandAddress implements Address {
  readonly #insn: CompiledInsn;
  readonly operand: number;
  readonly base: string;
  #va: I64 | undefined;

  constructor(insn: CompiledInsn, operand: number) {
    this.#insn = insn;
    this.operand = operand;
    this.base = BASES[operand]!;
  }

  get va(): I64 {
    this.#va ??= this.#insn.vaOf(this.operand);
    return this.#va;
  }
}

export class CompiledInsn extends InterpretedInsn {
  declare readonly run: RegionRun;
  #fields: Readonly<Record<string, number>> = {};
  #near = false;
  /** The instruction is EXECUTE's target, the byte that EXECUTE inserts in a register. */
  #executed: number | undefined;

  constructor(run: RegionRun) {
    super(run, NO_HANDLER);
  }

  /** Makes the code of an instruction. */
  compile(step: Step): void {
    this.goOnWith(step);
    this.changed = false;
    this.ended = false;
    step.row.semantics(this);
  }

  /** Goes on with an instruction after code has been made for others. */
  goOnWith({ row, fields, target, executed }: Step): void {
    this.#executed = executed;
    this.handler = { row, fixed: fields, executed: false };
    this.#fields = fields;
    this.#near = target !== undefined;
  }

  #value(name: string): number {
    const value = this.#fields[name];
    if (value === undefined) throw new Error(`${this.handler.row.mnemonic} has no ${name}`);
    return value;
  }

  override field(name: string): I32 {
    const value = this.#value(name);
    if (value !== UNKNOWN || name !== 'l1') return k32(value);
    return this.f.evaluate(i32.or(i32.and(this.run.low(this.#executed!), 0xff), this.#fields.l!));
  }

  override signed(name: string): I32 {
    return k32(this.#value(name));
  }

  // General registers

  #number(register: Register, next: number): number {
    if (typeof register === 'object') throw new Error(`${this.handler.row.mnemonic} computes the number of a register`);
    return ((typeof register === 'number' ? register : this.#value(register)) + next) & 15;
  }

  override gr(register: Register, next = 0): I64 {
    return this.run.whole(this.#number(register, next));
  }
  override grOfHalves(register: Register): I64 {
    return this.gr(register);
  }
  override gr32(register: Register, next = 0): I32 {
    return this.run.low(this.#number(register, next));
  }
  override grHigh(register: Register, next = 0): I32 {
    return this.f.evaluate(i32.wrap(i64.shrU(this.gr(register, next), 32)));
  }
  override setGr(register: Register, value: I64, next = 0): void {
    this.changes();
    this.run.setWhole(this.#number(register, next), value);
  }
  override setGr32(register: Register, value: I32, next = 0): void {
    this.changes();
    this.run.setLow(this.#number(register, next), value);
  }
  override setGrHigh(register: Register, value: I32, next = 0): void {
    this.changes();
    this.run.setHigh(this.#number(register, next), value);
  }

  #registers(first: string, last: string): number[] {
    const count = ((this.#value(last) - this.#value(first)) & 15) + 1;
    return Array.from({ length: count }, (_, n) => (this.#value(first) + n) & 15);
  }

  override loadRegisters(place: ProbedPlace, part: RegisterPart, first: string, last: string): void {
    this.changes();
    this.inOrder(() => {
      this.#registers(first, last).forEach((register, n) => {
        const size = part === 'gr' ? 8 : 4;
        const at = place.at(size, size * n);
        if (part === 'gr') this.run.setWhole(register, x.load('i64', loadOp.i64, ...at));
        else {
          const value = x.load('i32', loadOp.i32, ...at);
          if (part === 'gr32') this.run.setLow(register, value);
          else this.run.setHigh(register, value);
        }
      });
    });
  }

  override storeRegisters(place: ProbedPlace, part: RegisterPart, first: string, last: string): void {
    place.written();
    this.inOrder(() => {
      this.#registers(first, last).forEach((register, n) => {
        const size = part === 'gr' ? 8 : 4;
        const at = place.at(size, size * n);
        const whole = this.run.whole(register);
        if (part === 'gr') this.f.store(storeOp.i64, ...at, whole);
        else this.f.store(storeOp.i32, ...at, i32.wrap(part === 'gr32' ? whole : i64.shrU(whole, 32)));
      });
    });
  }

  // Addresses

  protected override addressRegister<T extends 'i32' | 'i64'>(type: T, name: string): Expr<T> {
    const number = this.#value(name);
    if (type === 'i32') return (number === 0 ? k32(0) : this.run.low(number)) as Expr<T>;
    return (number === 0 ? k64(0) : this.run.whole(number)) as Expr<T>;
  }

  override address(operand: 1 | 2 | 3 | 4 = 2): Address {
    return new OperandAddress(this, operand);
  }

  /** The address of an operand, of which the registers have not been changed. */
  vaOf(operand: number): I64 {
    if (this.changed) throw new Error(`${this.handler.row.mnemonic}: needs an address after it has changed something`);
    let va = i64.add(this.addressRegister('i64', BASES[operand]!), k64(this.#value(DISPLACEMENTS[operand]!)));
    const index = this.#fields[INDEXES[operand]!];
    if (index) va = i64.add(va, this.run.whole(index));
    return this.f.evaluate(va);
  }

  override shiftCount(): I32 {
    return this.f.evaluate(i32.and(i32.add(this.addressRegister('i32', 'b2'), k32(this.#value('d2'))), 63));
  }

  override relative(field: string): I64 {
    if (this.#near) return this.nearTarget;
    return i64.add(this.run.pc(), k64(2 * this.#value(field)));
  }

  // Storage

  /** @param once the operand must be where it belongs, not in the bounce buffer */
  protected override probe(address: Address, size: I32, access: Access, once = false): I32 {
    this.recognises();
    const { run } = this;
    const instruction = address.base === 'instruction';
    const kind = i32.or(i32.shl(size, ACCESS_SIZE_SHIFT), ACCESSES[access] | (instruction ? ACCESS_INSTRUCTION : 0));
    const inPlace = once || access === 'store' || access === 'wide';
    const length = x.constant32(size);
    if (address instanceof OperandAddress && length !== undefined && !this.depth && access !== 'wide') {
      const operand = storageOperand(this.#fields, address.operand, length, access !== 'fetch');
      const shared = operand && run.share(operand, kind, inPlace);
      if (shared) return shared;
    }
    const { va } = address;
    return run.locate({
      ...this.look(va, size, access !== 'fetch', instruction ? run.fetchContext : run.dataContext),
      va,
      kind,
      inPlace,
      check: access === 'wide' ? (host, slow) => this.soleStorer(host, slow) : undefined,
    });
  }

  /** Looks an operand up in the TLB: whether the entry does not serve it, and the host address according to that. */
  look(va: I64, size: I32, stores: boolean, context: I32): { missed: I32; found: I32 } {
    const entry = this.f.evaluate(i32.add(tlbOffset(va), context));
    const tag = x.load('i64', loadOp.i64, entry, stores ? state.TLB_STORE_TAG : state.TLB_FETCH_TAG);
    const last = x.constant32(size) === 1 ? va : i64.add(va, i64.fromU(i32.sub(size, 1)));
    return {
      missed: i64.ne(tag, i64.and(last, -4096)),
      found: i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va)),
    };
  }

  override placeOf(address: Address, size: I32, access: Access): ProbedPlace {
    return new ProbedPlace(this, this.probe(address, size, access), false);
  }

  /** As `inOrder`, for the region. */
  ordered(access: () => void): void {
    this.inOrder(access);
  }

  // Condition code

  override cc32(kind: ConditionKind, a: I32, b: I32 = k32(0)): void {
    this.changes();
    this.run.setCode(CODE32[kind], a, b);
  }
  override cc64(kind: ConditionKind, a: I64, b: I64 = k64(0)): void {
    this.changes();
    this.run.setCode(CODE64[kind], a, b);
  }
  override ccResult32(result: I32, overflow: I32): void {
    this.changes();
    this.run.setCode('result32', result, overflow);
  }
  override ccResult64(result: I64, overflow: I32): void {
    this.changes();
    this.run.setCode('result64', result, overflow);
  }
  override ccCarried32(result: I32, carry: I32): void {
    this.changes();
    this.run.setCode('carried32', result, carry);
  }
  override ccCarried64(result: I64, carry: I32): void {
    this.changes();
    this.run.setCode('carried64', result, carry);
  }
  override setCc(value: I32): void {
    this.changes();
    if (value === COMPARED) {
      const [a, b] = this.#compared;
      this.run.setCode(`unsigned${a!.type === 'i64' ? 64 : 32}`, a!, b);
    } else this.run.setCode('value', value);
  }
  override cc(): I32 {
    return this.f.evaluate(this.run.code());
  }
  override condition(mask: string | number): I32 {
    return this.run.codeSelected(typeof mask === 'number' ? mask : this.#value(mask));
  }

  // Control

  override branch(condition: I32, target: I64, otherwise: () => void = () => {}): void {
    const { f, run } = this;
    const near = target === this.nearTarget;
    const to = near ? target : f.evaluate(target);
    this.ended = true;
    f.if(condition, () => (near ? run.jumpNear() : run.jumpFar(to)));
    if (x.constant32(condition)) return;
    otherwise();
  }

  protected override conditional(
    kind: 'if' | 'ifUnlikely',
    condition: I32,
    then: () => void,
    otherwise?: () => void,
  ): void {
    const constant = x.constant32(condition);
    if (constant === undefined) super.conditional(kind, condition, then, otherwise);
    else if (constant) then();
    else otherwise?.();
  }

  override while(condition: () => I32, body: () => void): void {
    this.depth++;
    super.while(condition, body);
    this.depth--;
  }

  /** What is handed to millicode is nothing that is seen. */
  override setState32(offset: number, value: I32): void {
    if (offset !== state.SCRATCH && offset !== state.OPERAND) this.changes();
    this.run.store32(offset, value);
  }
  override setState64(offset: number, value: I64): void {
    if (offset !== state.SCRATCH && offset !== state.OPERAND) this.changes();
    this.run.store64(offset, value);
  }

  // Exceptions and the rest

  protected override program(code: number, dxc?: number): void {
    const { run } = this;
    run.store32(state.PROGRAM_CODE, k32(code));
    if (dxc !== undefined) run.store32(state.DXC, k32(dxc));
    run.leaveHere(k32(0));
  }

  protected override flush(): void {}
  protected override flushNow(): void {}

  /** The rare part of an instruction is left to the interpreter. */
  override millicode(_: Millicode): void {
    this.run.leaveHere(k32(REGION_INTERPRET));
  }

  override traceBranch(): void {}

  override repeatIf(condition: I32): void {
    this.f.ifUnlikely(condition, () => this.run.leaveHere(k32(REGION_INTERPRET)));
  }

  override control(): void {
    throw new Error(`${this.handler.row.mnemonic} is left to the interpreter`);
  }
  override routine(name: string, ...args: (I32 | I64 | Address)[]): I32 {
    this.recognises();
    const length = args[2] && x.constant32(args[2] as I32);
    const how = writtenOut(name, length, this.#fields);
    const [first, second] = args as Address[];
    if (how === 'copy') this.#copy(first!, second!, length!);
    else if (how === 'compare') return this.#compare(first!, second!, length!);
    else if (how === 'clear') this.#clear(first!, length!);
    else {
      const values = args.map(arg => ('va' in arg ? arg.va : arg));
      const result = this.run.callRoutine(name, values);
      this.changes();
      return result;
    }
    return k32(0);
  }

  /** Calls `each` for pieces of at most 16 bytes that make up an operand; the last may overlap the one before. */
  #pieces(length: number, each: (size: number, offset: number) => void): void {
    const size = length >= 16 ? 16 : length >= 8 ? 8 : length >= 4 ? 4 : length >= 2 ? 2 : 1;
    for (let offset = 0; offset + size <= length; offset += size) each(size, offset);
    if (length % size) each(size, length - size);
  }

  #copy(first: Address, second: Address, length: number): void {
    const { f, run } = this;
    const from = new ProbedPlace(this, this.probe(second, k32(length), 'fetch', true), false);
    const to = new ProbedPlace(this, this.probe(first, k32(length), 'store'), false);
    if (length > 1) {
      // A byte of the first operand is needed after it has been stored.
      const destructive = i32.ltU(i32.sub(i32.sub(from.host, to.host), 1), length - 1);
      f.ifUnlikely(destructive, () => run.leaveHere(k32(REGION_INTERPRET)));
    }
    this.changes();
    const pieces: (() => void)[] = [];
    this.inOrder(() => {
      this.#pieces(length, (size, offset) => {
        const { type, load, store } = PIECES[size as 1];
        const value = f.evaluate(x.load(type, load, ...from.at(size, offset)));
        pieces.push(() => f.store(store, ...to.at(size, offset), value));
      });
      for (const store of pieces) store();
    });
  }

  #compare(first: Address, second: Address, length: number): I32 {
    const [a, b] = [first, second].map(
      address => new ProbedPlace(this, this.probe(address, k32(length), 'fetch'), false),
    );
    this.#compared = [a!, b!].map(place =>
      length === 8 ? place.load64() : length === 4 ? place.load32() : length === 2 ? place.load16() : place.load8(),
    );
    return COMPARED;
  }
  #compared: Expr[] = [];

  #clear(address: Address, length: number): void {
    const { f } = this;
    const to = new ProbedPlace(this, this.probe(address, k32(length), 'store'), false);
    this.changes();
    this.inOrder(() => {
      this.#pieces(length, (size, offset) => {
        const { store, zero } = PIECES[size as 1];
        f.store(store, ...to.at(size, offset), zero);
      });
    });
  }
  override execute(): void {
    throw new Error(`${this.handler.row.mnemonic} is left to the interpreter`);
  }
}
