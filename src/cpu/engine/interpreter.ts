/**
 * The interpreter: one WebAssembly function made from the instruction table, in which operand fields are run-time
 * values. It looks up the handler of the instruction at the PSW address in the predecoded code page and branches to it
 * through one jump table (docs/architecture.md, "The interpreter").
 *
 * Two programs are made from the same rows. The fast one serves what guests nearly always run: 64-bit addressing, no
 * access-register mode. The full one serves everything, and counts instructions.
 */

import { FunctionCode, type Label, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type F32, type F64, f32, f64, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { type Bytes, ModuleBuilder } from '../ir/wasm.ts';
import type { Field, Format } from '../isa/formats.ts';
import type {
  Access,
  Address,
  ConditionKind,
  Insn,
  Instruction,
  Millicode,
  Offset,
  Operands,
  Place,
  Register,
  RegisterPart,
} from '../isa/insn.ts';
import * as state from '../state.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';
import { defineRoutines, type Routines } from './routines.ts';

/** What `run` returns. */
export const EXIT_PENDING = 0;
export const EXIT_PROGRAM = 1;
export const EXIT_LEFT = 2;
export const EXIT_FUEL = 3;
/** A breakpoint is set at the PSW address; its instruction has not been executed. */
export const EXIT_BREAKPOINT = 4;

/** Accesses as they are told to the miss function: size in the upper bits. */
export const ACCESS_FETCH = 0;
export const ACCESS_STORE = 1;
export const ACCESS_INTERLOCKED = 2;
export const ACCESS_INSTRUCTION = 4;
export const ACCESS_SIZE_SHIFT = 4;
/** The field after the size: access register number plus one in AR mode, else 0. */
export const ACCESS_AR_SHIFT = 20;

/** Handlers that belong to no instruction. */
export const HANDLER_DECODE = 0;
export const HANDLER_PAGE_END = 1;
export const HANDLER_CROSSING = 2;
export const HANDLER_EXECUTED = 3;
export const HANDLER_BREAKPOINT = 4;
const FIRST_ROW_HANDLER = 5;

/** A handler: the row, and fields whose values this handler may take for granted. */
export interface Handler {
  readonly row: Instruction;
  readonly fixed: Readonly<Record<string, number>>;
  /** The copy for targets of EXECUTE, where relative operands count from the target. */
  readonly executed: boolean;
}

const isRelative = (row: Instruction): boolean => Object.keys(row.format.fields).some(name => name[0] === 'h');
/** Whether a handler for targets of EXECUTE differs: the PSW address is not theirs. */
const dependsOnAddress = (row: Instruction): boolean => isRelative(row) || row.branches === true;
/** Storage-to-storage instructions with one length of eight bits: the usual targets of EXECUTE. */
const isStorageToStorage = (row: Instruction): boolean => row.format.name === 'SS_a';

/**
 * The handlers of a table. Operands without an index, shifts by a constant, and branches on frequent conditions
 * deserve handlers of their own; `selectHandler` takes the first that suits. Storage-to-storage instructions come
 * last, so that EXECUTE knows its usual targets, which have one handler each, by their number.
 */
export function handlersOf(rows: readonly Instruction[]): Handler[] {
  const handlers: Handler[] = [];
  const add = (row: Instruction, fixed: Record<string, number>, executed = false): void => {
    handlers.push({ row, fixed, executed });
  };
  for (const row of rows) {
    if (isStorageToStorage(row)) continue;
    const { fields } = row.format;
    if ('x2' in fields) add(row, { x2: 0 });
    if (row.shift) add(row, { b2: 0 });
    for (const usual of row.usual ?? []) add(row, usual);
    if ('m1' in fields && row.mnemonic.startsWith('B')) for (const m1 of [15, 8, 7]) add(row, { m1 });
    add(row, {});
    if (dependsOnAddress(row)) add(row, {}, true);
  }
  for (const row of rows) if (isStorageToStorage(row)) add(row, {});
  return handlers;
}

/** The number of a row's handler for these operands. */
export function selectHandler(
  handlers: readonly Handler[],
  row: Instruction,
  operands: Operands,
  executed: boolean,
): number {
  const suits = (h: Handler): boolean =>
    h.row === row &&
    (executed ? h.executed || (!dependsOnAddress(row) && !Object.keys(h.fixed).length) : !h.executed) &&
    Object.entries(h.fixed).every(([name, value]) => operands[name] === value);
  for (let n = firstHandlers(handlers).get(row)!; ; n++) if (suits(handlers[n]!)) return FIRST_ROW_HANDLER + n;
}

const known = new WeakMap<readonly Handler[], Map<Instruction, number>>();

/** Number of the first handler of each row; a row's handlers follow one another. */
function firstHandlers(handlers: readonly Handler[]): Map<Instruction, number> {
  let first = known.get(handlers);
  if (!first) {
    known.set(handlers, (first = new Map()));
    for (let n = handlers.length - 1; n >= 0; n--) first.set(handlers[n]!.row, n);
  }
  return first;
}

export interface InterpreterOptions {
  readonly handlers: readonly Handler[];
  readonly layout: state.Layout;
  /** Everything, counted; otherwise the fast program. */
  readonly full: boolean;
  /** Host address of the CPU's block, known when the module is made; undefined: read from the imported global `cpu`. */
  readonly cpuBase?: number | undefined;
}

export interface InterpreterProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Millicode functions by the number under which the program calls them. */
  readonly millicode: readonly MillicodeCall[];
}

/** A function, and the format of the instruction for which it is called. */
export interface MillicodeCall {
  readonly work: Millicode;
  readonly format: Format;
}

/** Builds the module. Its export `run(): i32` executes from the state in the CPU's block until it must leave. */
export function buildInterpreter(options: InterpreterOptions): InterpreterProgram {
  const module = new ModuleBuilder();
  const imports = {
    miss: module.importFunction('env', 'miss', ['i32', 'i32', 'i32'], ['i32']),
    fetchPage: module.importFunction('env', 'fetchPage', [], ['i32']),
    decode: module.importFunction('env', 'decode', ['i32'], ['i32']),
    execute: module.importFunction('env', 'execute', ['i32', 'i32', 'i32'], ['i32']),
    millicode: module.importFunction('env', 'millicode', ['i32'], ['i32']),
    flush: module.importFunction('env', 'flush', [], []),
  };
  module.importMemory('env', 'memory', options.layout.wasmPages);
  const cpuGlobal = options.cpuBase === undefined ? module.importGlobal('env', 'cpu', 'i32') : undefined;
  const cpu: I32 = cpuGlobal === undefined ? k32(options.cpuBase!) : x.global('i32', cpuGlobal);

  const miss = defineMiss(module, cpu, imports.miss);
  const multiplyAdd = fusesMultiplyAdd() ? undefined : defineMultiplyAdd(module);
  const routines = defineRoutines(module, { cpu, miss: imports.miss, full: options.full });
  const { handlers } = options;
  const run = module.declareFunction([], ['i32']);
  const millicode: MillicodeCall[] = [];
  const code = new RunFunction({ options, handlers, millicode, routines, miss, multiplyAdd, imports, cpu });
  module.defineFunction(run, code.build());
  module.exportFunction('run', run);
  return { bytes: module.encode(), millicode };
}

/** miss(va, access, pc, cc): saves what an exception needs, then asks for the host address; 0 when it cannot be had. */
function defineMiss(module: ModuleBuilder, cpu: I32, imported: number): number {
  const index = module.declareFunction(['i64', 'i32', 'i64', 'i32'], ['i32']);
  const f = new FunctionCode(4);
  const va = x.local('i64', 0);
  f.store(storeOp.i64, cpu, state.PSW_ADDRESS, x.local('i64', 2));
  f.store(storeOp.i32, cpu, state.CC, x.local('i32', 3));
  f.push(x.call('i32', imported, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), x.local('i32', 1)));
  module.defineFunction(index, f);
  return index;
}

interface Parts {
  readonly options: InterpreterOptions;
  readonly handlers: readonly Handler[];
  readonly millicode: MillicodeCall[];
  readonly routines: Routines;
  readonly miss: number;
  /** The function that replaces what the host has no instruction for. */
  readonly multiplyAdd: number | undefined;
  readonly imports: Readonly<Record<'fetchPage' | 'decode' | 'execute' | 'millicode' | 'flush', number>>;
  readonly cpu: I32;
}

class RunFunction {
  readonly f = new FunctionCode(0);
  readonly parts: Parts;
  readonly full: boolean;
  /** Base of the CPU's block. */
  readonly cpu: I32;
  readonly pc = this.f.newLocal('i64');
  /** Eight bytes from the instruction's first, left-aligned. */
  readonly text = this.f.newLocal('i64');
  readonly condition = this.f.newLocal('i32');
  /** Virtual address of the page that codeBase and shadow belong to. */
  readonly page = this.f.newLocal('i64');
  readonly codeBase = this.f.newLocal('i32');
  readonly shadow = this.f.newLocal('i32');
  readonly data = this.f.newLocal('i32');
  readonly index = this.f.newLocal('i32');
  next!: Label;
  dispatch!: Label;
  fault!: Label;

  constructor(parts: Parts) {
    this.parts = parts;
    this.full = parts.options.full;
    this.cpu = parts.cpu.kind === 'const' ? parts.cpu : this.f.newLocal('i32');
  }

  /** Number of the first handler of a storage-to-storage instruction. */
  get firstStorageToStorage(): number {
    const { handlers } = this.parts;
    const first = handlers.findIndex(({ row }) => isStorageToStorage(row));
    return FIRST_ROW_HANDLER + (first < 0 ? handlers.length : first);
  }

  build(): FunctionCode {
    const { f, cpu, parts } = this;
    if (cpu.kind === 'local') f.set(cpu, parts.cpu);
    f.set(this.pc, x.load('i64', loadOp.i64, cpu, state.PSW_ADDRESS));
    f.set(this.condition, x.load('i32', loadOp.i32, cpu, state.CC));
    f.set(this.data, x.load('i32', loadOp.i32, cpu, state.DATA_CONTEXT));
    f.block(fault => {
      this.fault = fault;
      this.refill();
      f.loop(next => {
        this.next = next;
        f.releaseTemporaries();
        if (this.full) this.countInstruction();
        const at = f.evaluate(i32.sub(this.codeBase, i32.wrap(this.pc)));
        f.set(this.text, x.load('i64', loadOp.i64, at, state.BIAS - 8));
        f.set(this.index, x.load('i32', loadOp.i16u, i32.add(this.shadow, i32.wrap(this.pc)), 0));
        f.loop(dispatch => {
          this.dispatch = dispatch;
          this.jumpTable();
        });
      });
    });
    f.return(k32(EXIT_PROGRAM));
    f.unreachable();
    return f;
  }

  /** The nest of blocks behind the jump table: the code of handler n follows the end of block n. */
  private jumpTable(): void {
    const { f, parts } = this;
    const bodies: (() => void)[] = [];
    bodies[HANDLER_DECODE] = () => {
      this.save();
      f.set(this.index, x.call('i32', parts.imports.decode, k32(0)));
      f.brIfUnlikely(this.fault, i32.ltS(this.index, 0));
      f.br(this.dispatch);
    };
    bodies[HANDLER_PAGE_END] = () => {
      this.refill();
      f.br(this.next);
    };
    // The instruction continues on the next page: decode has gathered its bytes.
    bodies[HANDLER_CROSSING] = () => {
      this.save();
      f.set(this.index, x.call('i32', parts.imports.decode, k32(1)));
      f.brIfUnlikely(this.fault, i32.ltS(this.index, 0));
      f.set(this.text, x.load('i64', loadOp.i64, this.cpu, state.INSTRUCTION));
      f.br(this.dispatch);
    };
    // Reached instead of the instruction after EXECUTE's target.
    bodies[HANDLER_EXECUTED] = () => {
      f.store(storeOp.i32, this.cpu, state.EXECUTING, k32(0));
      f.set(this.shadow, x.load('i32', loadOp.i32, this.cpu, state.EXECUTE_RESUME));
      f.br(this.next);
    };
    bodies[HANDLER_BREAKPOINT] = () => this.leave(EXIT_BREAKPOINT);
    parts.handlers.forEach((handler, n) => {
      bodies[FIRST_ROW_HANDLER + n] = () => this.handler(handler);
    });
    const labels = bodies.map(() => f.beginBlock()).reverse();
    f.brTable(this.index, labels, labels[HANDLER_DECODE]!);
    for (const body of bodies) {
      f.endBlock();
      f.releaseTemporaries();
      body();
    }
  }

  private handler(handler: Handler): void {
    const i = new InterpretedInsn(this, handler);
    i.begin();
    handler.row.semantics(i);
    i.end();
  }

  /** Stores what lives in locals into the CPU's block. */
  save(): void {
    const { f, cpu } = this;
    f.store(storeOp.i64, cpu, state.PSW_ADDRESS, this.pc);
    f.store(storeOp.i32, cpu, state.CC, this.condition);
  }

  leave(reason: number): void {
    this.save();
    this.f.return(k32(reason));
  }

  /** Finds code and shadow of the page at the PSW address. */
  refill(): void {
    const { f } = this;
    f.store(storeOp.i32, this.cpu, state.EXECUTING, k32(0));
    f.set(this.page, i64.and(this.pc, -4096));
    const entry = f.evaluate(i32.add(x.load('i32', loadOp.i32, this.cpu, state.FETCH_CONTEXT), tlbOffset(this.pc)));
    // No tag is equal to an odd address: `fetchPage` recognises its exception.
    f.ifUnlikely(i64.ne(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(this.pc, -4095)), () => {
      this.save();
      f.brIfUnlikely(this.fault, i32.eqz(x.call('i32', this.parts.imports.fetchPage)));
    });
    f.set(this.codeBase, x.load('i32', loadOp.i32, entry, state.TLB_ADDEND));
    f.set(this.shadow, x.load('i32', loadOp.i32, entry, state.TLB_SHADOW));
    f.store(storeOp.i32, this.cpu, state.EXECUTING_PAGE, i32.add(this.shadow, i32.wrap(this.page)));
  }

  private countInstruction(): void {
    const { f, cpu } = this;
    const fuel = f.evaluate(i32.sub(x.load('i32', loadOp.i32, cpu, state.FUEL), 1));
    f.ifUnlikely(i32.ltS(fuel, 0), () => this.leave(EXIT_FUEL));
    f.store(storeOp.i32, cpu, state.FUEL, fuel);
  }

  /** Continues at `pc`, which a branch has set: leaves if something is pending, changes page if need be. */
  branched(mayBeOdd: boolean): void {
    const { f } = this;
    f.ifUnlikely(x.load('i32', loadOp.i32, this.cpu, state.PENDING), () => this.leave(EXIT_PENDING));
    // An odd offset becomes a very large one.
    const offset = i64.sub(this.pc, this.page);
    const outside = mayBeOdd ? i64.gtU(i64.rotr(offset, 1), 2047) : i64.gtU(offset, 4095);
    f.ifUnlikely(outside, () => this.refill());
    f.br(this.next);
  }
}

/** Offset in a TLB context of the entry for an address. */
export const tlbOffset = (va: I64): I32 =>
  i32.and(i32.wrap(i64.shrU(va, 12 - 5)), (state.TLB_ENTRIES - 1) * state.TLB_ENTRY_SIZE);

/** Storage at a host address; what `Place` promises. */
class ProbedPlace implements Place {
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
  private at(size: number, offset: Offset): [I32, number] {
    const constant = typeof offset === 'number' ? offset : x.constant32(offset);
    if (constant !== undefined) return [this.host, state.BIAS - size - constant];
    return [i32.sub(this.host, offset as I32), state.BIAS - size];
  }

  private read<T extends Expr>(type: T['type'], opcode: number, size: number, offset: Offset): T {
    return this.i.f.evaluate(x.load(type, opcode, ...this.at(size, offset))) as T;
  }

  private write(opcode: number, size: number, offset: Offset, value: Expr): void {
    const { f } = this.i;
    this.written();
    f.store(opcode, ...this.at(size, offset), value);
  }

  /** Something is about to be stored. */
  written(): void {
    this.i.changes();
    if (this.mayBounce) this.i.flushAtEnd(this);
  }

  load8 = (offset: Offset = 0): I32 => this.read('i32', loadOp.i8u, 1, offset);
  load16 = (offset: Offset = 0): I32 => this.read('i32', loadOp.i16u, 2, offset);
  load32 = (offset: Offset = 0): I32 => this.read('i32', loadOp.i32, 4, offset);
  load64 = (offset: Offset = 0): I64 => this.read('i64', loadOp.i64, 8, offset);
  loadF32 = (offset: Offset = 0): F32 => this.read('f32', loadOp.f32, 4, offset);
  loadF64 = (offset: Offset = 0): F64 => this.read('f64', loadOp.f64, 8, offset);
  load8s = (offset: Offset = 0): I32 => this.read('i32', loadOp.i8s, 1, offset);
  load16s = (offset: Offset = 0): I32 => this.read('i32', loadOp.i16s, 2, offset);
  store8 = (value: I32, offset: Offset = 0): void => this.write(storeOp.i8, 1, offset, value);
  store16 = (value: I32, offset: Offset = 0): void => this.write(storeOp.i16, 2, offset, value);
  store32 = (value: I32, offset: Offset = 0): void => this.write(storeOp.i32, 4, offset, value);
  store64 = (value: I64, offset: Offset = 0): void => this.write(storeOp.i64, 8, offset, value);
  storeF32 = (value: F32, offset: Offset = 0): void => this.write(storeOp.f32, 4, offset, value);
  storeF64 = (value: F64, offset: Offset = 0): void => this.write(storeOp.f64, 8, offset, value);

  private atomic<T extends 'i32' | 'i64'>(type: T, opcode: number, log2: number, ...operands: Expr<T>[]): Expr<T> {
    this.i.changes();
    return this.i.f.atomic(type, opcode, log2, this.host, state.BIAS - (1 << log2), ...operands);
  }

  add32 = (value: I32): I32 => this.atomic('i32', 0x1e, 2, value);
  add64 = (value: I64): I64 => this.atomic('i64', 0x1f, 3, value);
  and32 = (value: I32): I32 => this.atomic('i32', 0x2c, 2, value);
  and64 = (value: I64): I64 => this.atomic('i64', 0x2d, 3, value);
  or32 = (value: I32): I32 => this.atomic('i32', 0x33, 2, value);
  or64 = (value: I64): I64 => this.atomic('i64', 0x34, 3, value);
  xor32 = (value: I32): I32 => this.atomic('i32', 0x3a, 2, value);
  xor64 = (value: I64): I64 => this.atomic('i64', 0x3b, 3, value);
  and8 = (value: I32): I32 => this.atomic('i32', 0x2e, 0, value);
  or8 = (value: I32): I32 => this.atomic('i32', 0x35, 0, value);
  xor8 = (value: I32): I32 => this.atomic('i32', 0x3c, 0, value);
  compareAndSwap32 = (expected: I32, replacement: I32): I32 => this.atomic('i32', 0x48, 2, expected, replacement);
  compareAndSwap64 = (expected: I64, replacement: I64): I64 => this.atomic('i64', 0x49, 3, expected, replacement);
}

/** `Insn` for the interpreter: fields are cut out of the instruction text at run time, unless the handler fixes them. */
class InterpretedInsn implements Insn {
  readonly run: RunFunction;
  readonly f: FunctionCode;
  readonly handler: Handler;
  /** Something has been changed: nothing may fault any more. */
  private changed = false;
  private ended = false;
  private bounces: ProbedPlace[] = [];
  /** Nesting of conditional parts. */
  depth = 0;

  constructor(run: RunFunction, handler: Handler) {
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
    if (row.additionalFloatingPoint) {
      // CR0 bit 45.
      const off = i32.eqz(i32.and(this.state32(state.CR), 0x40000));
      if (row.additionalFloatingPoint === 'register') {
        const numbers = Object.keys(row.format.fields).filter(name => name[0] === 'f');
        const additional = numbers.map(name => i32.and(this.field(name), 9)).reduce((a, b) => i32.or(a, b), k32(0));
        this.dataIf(i32.and(off, i32.ne(additional, 0)), dxc);
      } else this.dataIf(off, dxc);
    }
  }

  end(): void {
    if (this.ended) return;
    this.flush();
    this.advance();
  }

  private advance(): void {
    this.f.set(this.run.pc, this.next());
    this.f.br(this.run.next);
  }

  /** Marks the point after which no exception may be recognised. */
  changes(): void {
    this.changed = true;
  }

  private recognises(): void {
    if (this.changed) {
      throw new Error(`${this.handler.row.mnemonic}: recognises an exception after it has changed something`);
    }
  }

  flushAtEnd(place: ProbedPlace): void {
    if (!this.bounces.includes(place)) this.bounces.push(place);
  }

  /** Carries to storage what went to the bounce buffer through places probed at this depth. */
  private flush(): void {
    this.flushNow();
    this.bounces = this.bounces.filter(({ depth }) => depth < this.depth);
  }

  private flushNow(): void {
    for (const { host, depth } of this.bounces) {
      if (depth < this.depth) continue;
      this.f.ifUnlikely(i32.ltU(host, this.run.parts.options.layout.keys), () =>
        this.f.run(this.run.parts.imports.flush),
      );
    }
  }

  // Fields

  field(name: string): I32 {
    const fixed = this.handler.fixed[name];
    if (fixed !== undefined) return k32(fixed);
    return this.cut(this.fieldOf(name));
  }

  private fieldOf(name: string): Field {
    const field = this.handler.row.format.fields[name];
    if (!field) throw new Error(`${this.handler.row.mnemonic}: format ${this.handler.row.format.name} has no ${name}`);
    return field;
  }

  private cut([position, bits]: Field): I32 {
    const shifted = i32.wrap(i64.shrU(this.run.text, 64 - position - bits));
    return bits === 32 ? shifted : i32.and(shifted, (1 << bits) - 1);
  }

  signed(name: string): I32 {
    const field = this.fieldOf(name);
    const [position, bits] = field;
    const shifted = i32.wrap(i64.shrU(this.run.text, 64 - position - bits));
    if (bits === 32) return shifted;
    if (bits === 16) return i32.extend16(shifted);
    if (bits === 8) return i32.extend8(shifted);
    return i32.shrS(i32.shl(shifted, 32 - bits), 32 - bits);
  }

  // Registers

  /** Base for an access to register `register` of a bank with 1 << shift bytes each. */
  private registerBase(register: Register, shift: number): { base: I32; offset: number } {
    if (typeof register === 'number') return { base: this.run.cpu, offset: register << shift };
    if (typeof register === 'object') return { base: i32.add(i32.shl(register, shift), this.run.cpu), offset: 0 };
    const fixed = this.handler.fixed[register];
    if (fixed !== undefined) return { base: this.run.cpu, offset: fixed << shift };
    const [position, bits] = this.fieldOf(register);
    const scaled = i32.and(i32.wrap(i64.shrU(this.run.text, 64 - position - bits - shift)), 15 << shift);
    return { base: i32.add(scaled, this.run.cpu), offset: 0 };
  }

  private readRegister<T extends Expr>(
    type: T['type'],
    opcode: number,
    register: Register,
    shift: number,
    at: number,
  ): T {
    const { base, offset } = this.registerBase(register, shift);
    return this.f.evaluate(x.load(type, opcode, base, at + offset)) as T;
  }

  private writeRegister(opcode: number, register: Register, shift: number, at: number, value: Expr): void {
    const { base, offset } = this.registerBase(register, shift);
    this.changes();
    this.f.store(opcode, base, at + offset, value);
  }

  gr = (register: Register, next = 0): I64 => this.readRegister('i64', loadOp.i64, register, 3, state.GR + 8 * next);
  gr32 = (register: Register, next = 0): I32 => this.readRegister('i32', loadOp.i32, register, 3, state.GR + 8 * next);
  grHigh = (register: Register, next = 0): I32 =>
    this.readRegister('i32', loadOp.i32, register, 3, state.GR + 4 + 8 * next);
  setGr = (register: Register, value: I64, next = 0): void =>
    this.writeRegister(storeOp.i64, register, 3, state.GR + 8 * next, value);
  setGr32 = (register: Register, value: I32, next = 0): void =>
    this.writeRegister(storeOp.i32, register, 3, state.GR + 8 * next, value);
  setGrHigh = (register: Register, value: I32, next = 0): void =>
    this.writeRegister(storeOp.i32, register, 3, state.GR + 4 + 8 * next, value);
  fpr64 = (register: Register, next = 0): I64 =>
    this.readRegister('i64', loadOp.i64, register, 4, state.FPR + 16 * next);
  fpr32 = (register: Register): I32 => this.readRegister('i32', loadOp.i32, register, 4, state.FPR + 4);
  fprF64 = (register: Register): F64 => this.readRegister('f64', loadOp.f64, register, 4, state.FPR);
  fprF32 = (register: Register): F32 => this.readRegister('f32', loadOp.f32, register, 4, state.FPR + 4);
  setFpr64 = (register: Register, value: I64, next = 0): void =>
    this.writeRegister(storeOp.i64, register, 4, state.FPR + 16 * next, value);
  setFpr32 = (register: Register, value: I32): void =>
    this.writeRegister(storeOp.i32, register, 4, state.FPR + 4, value);
  setFprF64 = (register: Register, value: F64): void => this.writeRegister(storeOp.f64, register, 4, state.FPR, value);
  setFprF32 = (register: Register, value: F32): void =>
    this.writeRegister(storeOp.f32, register, 4, state.FPR + 4, value);
  ar = (register: Register): I32 => this.readRegister('i32', loadOp.i32, register, 2, state.AR);
  setAr = (register: Register, value: I32): void => this.writeRegister(storeOp.i32, register, 2, state.AR, value);

  state32 = (offset: number): I32 => this.f.evaluate(x.load('i32', loadOp.i32, this.run.cpu, offset));
  state64 = (offset: number): I64 => this.f.evaluate(x.load('i64', loadOp.i64, this.run.cpu, offset));
  setState32(offset: number, value: I32): void {
    this.changes();
    this.f.store(storeOp.i32, this.run.cpu, offset, value);
  }
  setState64(offset: number, value: I64): void {
    this.changes();
    this.f.store(storeOp.i64, this.run.cpu, offset, value);
  }

  let<T extends I32 | I64 | F32 | F64>(value: T): T {
    return this.f.evaluate(value as Expr) as T;
  }

  multiplyAdd(a: F64, b: F64, c: F64): F64 {
    const { multiplyAdd } = this.run.parts;
    return this.f.evaluate(multiplyAdd === undefined ? f64.multiplyAdd(a, b, c) : x.call('f64', multiplyAdd, a, b, c));
  }

  // Addresses

  /** A register used as base or index: zero means none. */
  private addressRegister(name: string): I64 {
    if (this.handler.fixed[name] === 0) return k64(0);
    const { base, offset } = this.registerBase(name, 3);
    return i64.select(this.field(name), x.load('i64', loadOp.i64, base, state.GR + offset), 0);
  }

  private displacement(operand: number): I64 {
    const low = this.field(`d${operand}`);
    const high = this.handler.row.format.fields[`dh${operand}`];
    if (!high) return i64.fromU(low);
    return i64.fromS(i32.or(low, i32.shl(i32.extend8(i32.wrap(i64.shrU(this.run.text, 64 - high[0] - high[1]))), 12)));
  }

  address(operand: 1 | 2 | 3 | 4 = 2): Address {
    const base = `b${operand}`;
    let va = i64.add(this.addressRegister(base), this.displacement(operand));
    if (this.handler.row.format.fields[`x${operand}`]) va = i64.add(va, this.addressRegister(`x${operand}`));
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
    const base = this.addressRegister('b2');
    return this.f.evaluate(i32.and(i32.add(i32.wrap(base), i32.wrap(this.displacement(2))), 63));
  }

  relative(field: string): I64 {
    const from = this.handler.executed ? this.state64(state.EXECUTE_TARGET) : this.run.pc;
    return this.toAddress(i64.add(from, i64.shl(i64.fromS(this.signed(field)), 1)));
  }

  next(): I64 {
    return this.toAddress(i64.add(this.run.pc, this.handler.row.format.length));
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
  private probe(address: Address, size: I32, access: Access): I32 {
    this.recognises();
    const { f, run } = this;
    const instruction = address.base === 'instruction';
    const store = access !== 'fetch';
    const host = f.temporary('i32');
    const { va } = address;
    let kind: I32 = i32.or(
      i32.shl(size, ACCESS_SIZE_SHIFT),
      { fetch: ACCESS_FETCH, store: ACCESS_STORE, interlocked: ACCESS_INTERLOCKED }[access] |
        (instruction ? ACCESS_INSTRUCTION : 0),
    );
    const slow = (): void => {
      f.set(host, x.call('i32', run.parts.miss, va, kind, run.pc, run.condition));
      f.brIfUnlikely(run.fault, i32.eqz(host));
    };
    // In AR mode each base register has a space of its own: no context stands for it.
    if (run.full && !instruction) {
      kind = f.evaluate(i32.or(kind, i32.shl(this.space(address), ACCESS_AR_SHIFT)));
      f.if(i32.geU(kind, 1 << ACCESS_AR_SHIFT), slow, () => this.lookUp(host, va, size, store, run.data, slow));
      return host;
    }
    const context = instruction ? f.evaluate(x.load('i32', loadOp.i32, run.cpu, state.FETCH_CONTEXT)) : run.data;
    this.lookUp(host, va, size, store, context, slow);
    return host;
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

  private lookUp(host: I32, va: I64, size: I32, store: boolean, context: I32, slow: () => void): void {
    const { f } = this;
    const entry = f.evaluate(i32.add(context, tlbOffset(va)));
    const tag = x.load('i64', loadOp.i64, entry, store ? state.TLB_STORE_TAG : state.TLB_FETCH_TAG);
    const last = x.constant32(size) === 1 ? va : i64.add(va, i64.fromU(i32.sub(size, 1)));
    f.ifUnlikely(i64.ne(tag, i64.and(last, -4096)), slow, () =>
      f.set(host, i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va))),
    );
  }

  place(address: Address, size: number, access: Access): ProbedPlace {
    return this.placeOf(address, k32(size), access);
  }

  placeOf(address: Address, size: I32, access: Access): ProbedPlace {
    return new ProbedPlace(this, this.probe(address, size, access), access === 'store');
  }

  load8 = (address: Address): I32 => this.place(address, 1, 'fetch').load8();
  load8s = (address: Address): I32 => this.place(address, 1, 'fetch').load8s();
  load16 = (address: Address): I32 => this.place(address, 2, 'fetch').load16();
  load16s = (address: Address): I32 => this.place(address, 2, 'fetch').load16s();
  load32 = (address: Address): I32 => this.place(address, 4, 'fetch').load32();
  load64 = (address: Address): I64 => this.place(address, 8, 'fetch').load64();
  loadF32 = (address: Address): F32 => this.place(address, 4, 'fetch').loadF32();
  loadF64 = (address: Address): F64 => this.place(address, 8, 'fetch').loadF64();
  store8 = (address: Address, value: I32): void => this.place(address, 1, 'store').store8(value);
  store16 = (address: Address, value: I32): void => this.place(address, 2, 'store').store16(value);
  store32 = (address: Address, value: I32): void => this.place(address, 4, 'store').store32(value);
  store64 = (address: Address, value: I64): void => this.place(address, 8, 'store').store64(value);
  storeF32 = (address: Address, value: F32): void => this.place(address, 4, 'store').storeF32(value);
  storeF64 = (address: Address, value: F64): void => this.place(address, 8, 'store').storeF64(value);

  registerCount(first: string, last: string): I32 {
    return this.f.evaluate(i32.add(i32.and(i32.sub(this.field(last), this.field(first)), 15), 1));
  }

  loadRegisters = (place: ProbedPlace, part: RegisterPart, first: string, last: string): void => {
    this.changes();
    this.transfer(place, part, first, last, (opcodes, host, storage, register, at) =>
      this.f.store(opcodes.store, register, at, x.load(opcodes.type, opcodes.load, host, storage)),
    );
  };

  storeRegisters = (place: ProbedPlace, part: RegisterPart, first: string, last: string): void => {
    place.written();
    this.transfer(place, part, first, last, (opcodes, host, storage, register, at) =>
      this.f.store(opcodes.store, host, storage, x.load(opcodes.type, opcodes.load, register, at)),
    );
  };

  /** Moves a range of registers, one by one: a jump into a straight sequence unless the range wraps around. */
  private transfer(place: ProbedPlace, part: RegisterPart, first: string, last: string, move: Move): void {
    const { f, run } = this;
    const opcodes = part === 'gr' ? DOUBLEWORD : WORD;
    const { size } = opcodes;
    const at = state.GR + (part === 'grHigh' ? 4 : 0);
    const from = x.constant32(this.field(first));
    const to = x.constant32(this.field(last));
    if (from !== undefined && to !== undefined) {
      const count = ((to - from) & 15) + 1;
      for (let n = 0; n < count; n++) {
        move(opcodes, place.host, state.BIAS - size * (n + 1), run.cpu, at + 8 * ((from + n) & 15));
      }
      return;
    }
    const less = f.evaluate(i32.sub(this.registerCount(first, last), 1));
    f.if(
      i32.leU(this.field(first), this.field(last)),
      () => {
        // The last register has the same place in the sequence, however many come before it.
        const host = f.evaluate(i32.sub(place.host, i32.mul(less, size)));
        const register = f.evaluate(i32.add(i32.shl(i32.sub(this.field(last), 15), 3), run.cpu));
        const labels = Array.from({ length: 16 }, () => f.beginBlock());
        f.brTable(less, labels, labels[15]!);
        for (let n = 15; n >= 0; n--) {
          f.endBlock();
          move(opcodes, host, state.BIAS - size + size * n, register, at + 8 * (15 - n));
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
    this.setCc(conditionValue(i32, 'signed', this.f.evaluate(result), k32(0), k32(0)));
    this.overflowIf(overflow);
  }

  ccResult64(result: I64, overflow: I32): void {
    this.setCc(conditionValue(i64, 'signed', this.f.evaluate(result), k64(0), k64(0)));
    this.overflowIf(overflow);
  }

  /** Fixed-point overflow completes the instruction; PSW bit 20 makes it an exception. */
  private overflowIf(condition: I32): void {
    const { f, run } = this;
    f.ifUnlikely(condition, () => {
      f.set(run.condition, k32(3));
      const enabled = i32.and(i32.wrap(i64.shrU(x.load('i64', loadOp.i64, run.cpu, state.PSW_MASK), 43)), 1);
      f.if(enabled, () => {
        this.flushNow();
        this.program(8);
      });
    });
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
    if (constant === 15) return k32(1);
    if (constant === 8) return i32.eqz(this.run.condition);
    if (constant === 7) return i32.ne(this.run.condition, 0);
    return i32.and(i32.shrU(m, i32.sub(k32(3), this.run.condition)), 1);
  }

  compare32(kind: 'signed' | 'unsigned', mask: string, a: I32, b: I32): I32 {
    const value = conditionValue(i32, kind, this.f.evaluate(a), this.f.evaluate(b), k32(0));
    return i32.and(i32.shrU(this.field(mask), i32.sub(k32(3), value)), 1);
  }

  compare64(kind: 'signed' | 'unsigned', mask: string, a: I64, b: I64): I32 {
    const value = conditionValue(i64, kind, this.f.evaluate(a), this.f.evaluate(b), k64(0));
    return i32.and(i32.shrU(this.field(mask), i32.sub(k32(3), value)), 1);
  }

  // Control

  /** Address of the instruction, or of the EXECUTE whose target it is. */
  private ownAddress(): I64 {
    const { run } = this;
    if (!this.handler.executed) return run.pc;
    const ahead = i64.fromU(x.load('i32', loadOp.i8u, run.cpu, state.EXECUTING));
    return i64.sub(i64.add(run.pc, 8), ahead);
  }

  branch(condition: I32, target: I64): void {
    const { f, run } = this;
    const to = f.evaluate(target);
    this.flush();
    this.ended = true;
    const take = (): void => {
      // The breaking-event address is where the last taken branch was.
      f.store(storeOp.i64, run.cpu, state.BEA, this.ownAddress());
      f.set(run.pc, to);
      run.branched(!isRelative(this.handler.row));
    };
    f.if(condition, take);
    if (condition.kind !== 'const' || !condition.value) this.advance();
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.conditional('if', condition, then, otherwise);
  }

  ifUnlikely(condition: I32, then: () => void, otherwise?: () => void): void {
    this.conditional('ifUnlikely', condition, then, otherwise);
  }

  private conditional(kind: 'if' | 'ifUnlikely', condition: I32, then: () => void, otherwise?: () => void): void {
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
  private program(code: number, dxc?: number): void {
    const { f, run } = this;
    f.store(storeOp.i32, run.cpu, state.PROGRAM_CODE, k32(code));
    if (dxc !== undefined) f.store(storeOp.i32, run.cpu, state.DXC, k32(dxc));
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
    const { cpu } = run;
    const { length } = this.handler.row.format;
    const modifier = f.evaluate(i32.select(this.field(register), i32.and(this.gr32(register), 0xff), 0));
    this.changes();
    this.ended = true;
    // In line: a storage-to-storage target on a page whose code is at hand.
    const entry = f.evaluate(i32.add(x.load('i32', loadOp.i32, cpu, state.FETCH_CONTEXT), tlbOffset(target.va)));
    const index = f.temporary('i32') as I32;
    f.set(index, k32(0));
    const onPage = i64.eq(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(i64.add(target.va, 5), -4096));
    f.if(onPage, () =>
      f.set(
        index,
        x.load('i32', loadOp.i16u, i32.add(x.load('i32', loadOp.i32, entry, state.TLB_SHADOW), i32.wrap(target.va)), 0),
      ),
    );
    f.if(
      i32.geU(index, run.firstStorageToStorage),
      () => {
        const host = i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(target.va));
        f.set(run.text, i64.or(x.load('i64', loadOp.i64, host, state.BIAS - 8), i64.shl(i64.fromU(modifier), 48)));
        f.set(run.index, index);
        f.store(storeOp.i32, cpu, state.EXECUTING, k32((length << 8) | (8 + length - 6)));
      },
      () => {
        run.save();
        const { va } = target;
        f.set(
          run.index,
          x.call(
            'i32',
            run.parts.imports.execute,
            i32.wrap(va),
            i32.wrap(i64.shrU(va, 32)),
            i32.or(modifier, length << 8),
          ),
        );
        f.brIfUnlikely(run.fault, i32.ltS(run.index, 0));
        f.set(run.text, x.load('i64', loadOp.i64, cpu, state.INSTRUCTION));
      },
    );
    // The target runs at a PSW address from which the next instruction is the one after EXECUTE.
    const distance = i64.fromU(x.load('i32', loadOp.i8u, cpu, state.EXECUTING));
    f.set(run.pc, i64.sub(i64.add(run.pc, distance), 8));
    f.store(storeOp.i32, cpu, state.EXECUTE_RESUME, run.shadow);
    f.set(run.shadow, i32.sub(i32.add(cpu, state.EXECUTE_SHADOW + 8), i32.wrap(run.page)));
    f.br(run.dispatch);
  }

  millicode(work: Millicode): void {
    const { f, run } = this;
    const { format } = this.handler.row;
    let id = run.parts.millicode.findIndex(call => call.work === work && call.format === format);
    if (id < 0) id = run.parts.millicode.push({ work, format }) - 1;
    run.save();
    f.store(storeOp.i64, run.cpu, state.INSTRUCTION, run.text);
    f.ifUnlikely(x.call('i32', run.parts.imports.millicode, k32(id)), () => f.return(k32(EXIT_LEFT)));
    f.set(run.condition, x.load('i32', loadOp.i32, run.cpu, state.CC));
    this.changes();
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
    f.set(result, x.call('i32', run.parts.routines.index(name), ...values, spaces));
    f.brIfUnlikely(run.fault, i32.ltS(result, 0));
    this.changes();
    return result;
  }

  repeatIf(condition: I32): void {
    const { f, run } = this;
    f.ifUnlikely(condition, () => {
      // EXECUTE and its target are repeated together.
      const ahead = f.evaluate(x.load('i32', loadOp.i8u, run.cpu, state.EXECUTING));
      f.if(ahead, () => f.set(run.pc, i64.sub(run.pc, i64.fromS(i32.sub(ahead, 8)))));
      f.ifUnlikely(x.load('i32', loadOp.i32, run.cpu, state.PENDING), () => run.leave(EXIT_PENDING));
      run.refill();
      f.br(run.next);
    });
  }
}

/** Moves one register: to or from storage at host + storage, from or to the CPU's block at register + at. */
type Move = (opcodes: typeof WORD | typeof DOUBLEWORD, host: I32, storage: number, register: I32, at: number) => void;
const WORD = { type: 'i32', size: 4, load: loadOp.i32, store: storeOp.i32 } as const;
const DOUBLEWORD = { type: 'i64', size: 8, load: loadOp.i64, store: storeOp.i64 } as const;

type Integer = typeof i32 | typeof i64;

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
  const ordered = (high: I32, low: I32): I32 => i32.or(i32.shl(high, 1), low);
  switch (kind) {
    case 'signed':
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

export type { Bytes };
