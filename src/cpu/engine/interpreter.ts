/**
 * The interpreter: one WebAssembly function made from the instruction table, in which operand fields are run-time
 * values. It runs along the records of the predecoded code page, branching through one jump table to the handler that
 * each names (records.ts; docs/architecture.md, "The interpreter").
 *
 * Two programs are made from the same rows. The fast one serves what guests nearly always run: 64-bit addressing, no
 * access-register mode. The full one serves everything, and counts instructions.
 */

import { FunctionCode, type Label, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type F32, type F64, f64, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { type Bytes, ModuleBuilder } from '../ir/wasm.ts';
import type { Format } from '../isa/formats.ts';
import type {
  Access,
  Address,
  ConditionKind,
  Insn,
  Instruction,
  Millicode,
  Offset,
  Place,
  Register,
  RegisterPart,
} from '../isa/insn.ts';
import * as state from '../state.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';
import { RECORD_SIZE, RecordBuilder, type RecordField, readField, readField64, recordLayout } from './records.ts';
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

/**
 * A handler: the row, and fields whose values this handler may take for granted; the field `near` is 1 for branches
 * whose target is on the same page.
 */
export interface Handler {
  readonly row: Instruction;
  readonly fixed: Readonly<Record<string, number>>;
  /** The copy for targets of EXECUTE, where relative operands count from the target. */
  readonly executed: boolean;
}

/** Masks of frequent conditions of a branch on condition, and of compare and branch. */
const BRANCH_MASKS = [15, 8, 7, 4, 2, 12, 10, 13, 11, 5, 3];
const FEW_BRANCH_MASKS = [15, 8, 7];
const COMPARE_MASKS = [8, 6, 4, 2, 12, 10];

const isRelative = (row: Instruction): boolean => Object.keys(row.format.fields).some(name => name[0] === 'h');
/** Branches whose target is relative. */
export const isRelativeBranch = (row: Instruction): boolean => row.branches === true && isRelative(row);
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
    if (isRelativeBranch(row)) {
      if (row.mnemonic === 'BRC') for (const m1 of BRANCH_MASKS) add(row, { near: 1, m1 });
      if ('m3' in fields) for (const m3 of COMPARE_MASKS) add(row, { near: 1, m3 });
      add(row, { near: 1 });
    }
    if ('m1' in fields && row.mnemonic.startsWith('B')) for (const m1 of FEW_BRANCH_MASKS) add(row, { m1 });
    add(row, {});
    if (dependsOnAddress(row)) add(row, {}, true);
  }
  for (const row of rows) if (isStorageToStorage(row)) add(row, {});
  return handlers;
}

/** Which handler an instruction of one row gets, and its record. */
export interface Plan {
  readonly branch: boolean;
  readonly builder: RecordBuilder;
  /** The row's handlers in the order in which they are tried: in their own right, and as targets of EXECUTE. */
  readonly plain: readonly Candidate[];
  readonly target: readonly Candidate[];
}

export interface Candidate {
  readonly number: number;
  /** Only for branches within the page. */
  readonly near: boolean;
  /** Index and value of operands. */
  readonly fixed: readonly (readonly [number, number])[];
}

/** The plans of all rows of a table. */
export function plansOf(handlers: readonly Handler[]): Map<Instruction, Plan> {
  const plans = new Map<Instruction, Plan & { plain: Candidate[]; target: Candidate[] }>();
  for (const [n, { row, fixed, executed }] of handlers.entries()) {
    let plan = plans.get(row);
    if (!plan) {
      const builder = new RecordBuilder(row.format);
      plans.set(row, (plan = { branch: isRelativeBranch(row), builder, plain: [], target: [] }));
    }
    const { near = 0, ...operands } = fixed;
    const candidate: Candidate = {
      number: FIRST_ROW_HANDLER + n,
      near: near === 1,
      fixed: Object.entries(operands).map(([name, value]) => [plan.builder.indexOf(name), value]),
    };
    if (!executed) plan.plain.push(candidate);
    if (executed || !(dependsOnAddress(row) || Object.keys(fixed).length)) plan.target.push(candidate);
  }
  return plans;
}

/** The number of the handler for the operands that the plan's builder has taken. */
export function selectHandler({ builder, plain, target }: Plan, executed: boolean, near: boolean): number {
  for (const candidate of executed ? target : plain) {
    if (candidate.near && !near) continue;
    if (candidate.fixed.every(([index, value]) => builder.value(index) === value)) return candidate.number;
  }
  throw new Error('a row has no handler for all operands');
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
    decode: module.importFunction('env', 'decode', [], ['i32']),
    execute: module.importFunction('env', 'execute', ['i32', 'i32', 'i32'], ['i32']),
    millicode: module.importFunction('env', 'millicode', ['i32', 'i32'], ['i32']),
    flush: module.importFunction('env', 'flush', [], []),
  };
  module.importMemory('env', 'memory', options.layout.wasmPages);
  const cpuGlobal = options.cpuBase === undefined ? module.importGlobal('env', 'cpu', 'i32') : undefined;
  const cpu: I32 = cpuGlobal === undefined ? k32(options.cpuBase!) : x.global('i32', cpuGlobal);

  const miss = defineMiss(module, cpu, imports.miss);
  const multiplyAdd = fusesMultiplyAdd() ? undefined : defineMultiplyAdd(module);
  const enter = defineEnter(module, cpu, imports.fetchPage);
  const routines = defineRoutines(module, { cpu, miss: imports.miss, full: options.full });
  const { handlers } = options;
  const run = module.declareFunction([], ['i32']);
  const millicode: MillicodeCall[] = [];
  const code = new RunFunction({ options, handlers, millicode, routines, miss, enter, multiplyAdd, imports, cpu });
  module.defineFunction(run, code.build());
  module.exportFunction('run', run);
  return { bytes: module.encode(), millicode };
}

/** The instruction address, from the record's. */
const instructionAddress = (cpu: I32, record: I32): I64 =>
  i64.add(loadAt('i64', loadOp.i64, cpu, state.PC_DISTANCE), i64.fromU(i32.shrU(record, 2)));

/** miss(va, access, record, cc): saves what an exception needs, then asks for the host address; 0 when it cannot be had. */
function defineMiss(module: ModuleBuilder, cpu: I32, imported: number): number {
  const index = module.declareFunction(['i64', 'i32', 'i32', 'i32'], ['i32']);
  const f = new FunctionCode(4);
  const va = x.local('i64', 0);
  const access = x.local('i32', 1);
  // A page of which low-address protection covers only the first 512 bytes: kernels store behind them all the time.
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
  storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, instructionAddress(cpu, x.local('i32', 2)));
  storeAt(f, storeOp.i32, cpu, state.CC, x.local('i32', 3));
  f.push(x.call('i32', imported, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), x.local('i32', 1)));
  module.defineFunction(index, f);
  return index;
}

/**
 * enter(va, cc): makes the page of an instruction address the one in use; gives the address of its record, or 0 after an
 * exception.
 */
function defineEnter(module: ModuleBuilder, cpu: I32, fetchPage: number): number {
  const index = module.declareFunction(['i64', 'i32'], ['i32']);
  const f = new FunctionCode(2);
  const va = x.local('i64', 0);
  storeAt(f, storeOp.i32, cpu, state.EXECUTING, k32(0));
  const entry = f.evaluate(i32.add(loadAt('i32', loadOp.i32, cpu, state.FETCH_CONTEXT), tlbOffset(va)));
  // An odd address is on no page.
  f.ifUnlikely(i64.ne(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(va, PAGE_OR_ODD)), () => {
    storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, va);
    storeAt(f, storeOp.i32, cpu, state.CC, x.local('i32', 1));
    f.ifUnlikely(i32.eqz(x.call('i32', fetchPage)), () => f.return(k32(0)));
  });
  const codePage = f.evaluate(x.load('i32', loadOp.i32, entry, state.TLB_CODE_PAGE));
  const page = f.evaluate(i64.and(va, -4096));
  storeAt(f, storeOp.i32, cpu, state.CODE_PAGE, codePage);
  storeAt(f, storeOp.i64, cpu, state.CODE_PAGE_ADDRESS, page);
  storeAt(f, storeOp.i64, cpu, state.PC_DISTANCE, i64.sub(page, i64.fromU(i32.shrU(codePage, 2))));
  f.push(recordOn(codePage, va));
  module.defineFunction(index, f);
  return index;
}

/** The page of an address, and whether it is odd. */
const PAGE_OR_ODD = -4095;
/** Not the address of a page, nor an odd one. */
const NO_PAGE = 4;
/** Address of the record for an instruction address on a code page. */
const recordOn = (codePage: I32, va: I64): I32 => i32.add(codePage, i32.shl(i32.and(i32.wrap(va), 0xffe), 2));

/** Accesses to the CPU's block: a base that is a constant becomes part of the offset. */
function loadAt<T extends x.Type>(type: T, opcode: number, base: I32, offset: number): Expr<T> {
  const [address, at] = based(base, offset);
  return x.load(type, opcode, address, at);
}
function storeAt(f: FunctionCode, opcode: number, base: I32, offset: number, value: Expr): void {
  f.store(opcode, ...based(base, offset), value);
}
function based(base: I32, offset: number): [I32, number] {
  if (base.kind === 'const') return [k32(0), (base.value as number) + offset];
  if (base.kind === 'binary' && base.opcode === I32_ADD && base.b.kind === 'const') {
    return [base.a as I32, (base.b.value as number) + offset];
  }
  return [base, offset];
}
const I32_ADD = 0x6a;

interface Parts {
  readonly options: InterpreterOptions;
  readonly handlers: readonly Handler[];
  readonly millicode: MillicodeCall[];
  readonly routines: Routines;
  readonly miss: number;
  /** The function that replaces what the host has no instruction for. */
  readonly multiplyAdd: number | undefined;
  readonly enter: number;
  readonly imports: Readonly<Record<'fetchPage' | 'decode' | 'execute' | 'millicode' | 'flush', number>>;
  readonly cpu: I32;
}

class RunFunction {
  readonly f = new FunctionCode(0);
  readonly parts: Parts;
  readonly full: boolean;
  /** Base of the CPU's block. */
  readonly cpu: I32;
  /** Host address of the record of the instruction. */
  readonly record = this.f.newLocal('i32');
  readonly condition = this.f.newLocal('i32');
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
    f.set(this.condition, this.load32(state.CC));
    f.block(fault => {
      this.fault = fault;
      this.enter(f.evaluate(this.load64(state.PSW_ADDRESS)));
      f.loop(next => {
        this.next = next;
        this.dispatch = next;
        f.releaseTemporaries();
        if (this.full) {
          this.countInstruction();
          f.loop(dispatch => {
            this.dispatch = dispatch;
            this.jumpTable();
          });
        } else this.jumpTable();
      });
    });
    f.return(k32(EXIT_PROGRAM));
    f.unreachable();
    return f;
  }

  load32 = (offset: number): I32 => loadAt('i32', loadOp.i32, this.cpu, offset);
  load64 = (offset: number): I64 => loadAt('i64', loadOp.i64, this.cpu, offset);
  store32 = (offset: number, value: I32): void => storeAt(this.f, storeOp.i32, this.cpu, offset, value);
  store64 = (offset: number, value: I64): void => storeAt(this.f, storeOp.i64, this.cpu, offset, value);

  /** The nest of blocks behind the jump table: the code of handler n follows the end of block n. */
  private jumpTable(): void {
    const { f, parts } = this;
    const bodies: (() => void)[] = [];
    const decode = (): void => {
      this.save();
      f.brIfUnlikely(this.fault, i32.eqz(x.call('i32', parts.imports.decode)));
    };
    bodies[HANDLER_DECODE] = () => {
      decode();
      f.br(this.dispatch);
    };
    bodies[HANDLER_PAGE_END] = () => {
      const pc = this.pc();
      this.enter(f.evaluate(this.full ? i64.and(pc, this.load64(state.ADDRESS_MASK)) : pc));
      f.br(this.dispatch);
    };
    // The instruction continues on the next page: decode puts it together.
    bodies[HANDLER_CROSSING] = () => {
      decode();
      this.divert(state.CROSSING_RECORD, this.pc());
      f.br(this.dispatch);
    };
    // Reached instead of the instruction after EXECUTE's target.
    bodies[HANDLER_EXECUTED] = () => {
      this.store32(state.EXECUTING, k32(0));
      this.store64(state.CODE_PAGE_ADDRESS, this.load64(state.EXECUTE_RESUME_PAGE));
      this.store64(state.PC_DISTANCE, this.load64(state.EXECUTE_RESUME_DISTANCE));
      f.set(this.record, this.load32(state.EXECUTE_RESUME));
      f.br(this.dispatch);
    };
    bodies[HANDLER_BREAKPOINT] = () => this.leave(EXIT_BREAKPOINT);
    parts.handlers.forEach((handler, n) => {
      bodies[FIRST_ROW_HANDLER + n] = () => this.handler(handler);
    });
    const labels = bodies.map(() => f.beginBlock()).reverse();
    f.brTable(x.load('i32', loadOp.i16u, this.record, 0), labels, labels[HANDLER_DECODE]!);
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

  /** The instruction address. */
  pc(): I64 {
    return instructionAddress(this.cpu, this.record);
  }

  /** Stores what lives in locals into the CPU's block; another address than the instruction's may be given. */
  save(address: I64 = this.pc()): void {
    this.store64(state.PSW_ADDRESS, address);
    this.store32(state.CC, this.condition);
  }

  leave(reason: number, address?: I64): void {
    this.save(address);
    this.f.return(k32(reason));
  }

  /** Goes to the page of an instruction address. */
  enter(va: I64): void {
    const { f, parts } = this;
    f.set(this.record, x.call('i32', parts.enter, va, this.condition));
    f.brIfUnlikely(this.fault, i32.eqz(this.record));
  }

  /** Goes to a record in the CPU's block, as if it were that of the instruction at `address`. */
  divert(to: number, address: I64): void {
    const { f, cpu } = this;
    const record = i32.add(cpu, to);
    this.store64(state.PC_DISTANCE, i64.sub(address, i64.fromU(i32.shrU(record, 2))));
    this.store64(state.CODE_PAGE_ADDRESS, k64(NO_PAGE));
    f.set(this.record, record);
  }

  private countInstruction(): void {
    const { f } = this;
    const fuel = f.evaluate(i32.sub(this.load32(state.FUEL), 1));
    f.ifUnlikely(i32.ltS(fuel, 0), () => this.leave(EXIT_FUEL));
    this.store32(state.FUEL, fuel);
  }

  /** Leaves before the instruction at `address`, if something is pending. */
  pend(address?: I64): void {
    this.f.ifUnlikely(this.load32(state.PENDING), () => this.leave(EXIT_PENDING, address));
  }

  /** Continues at an instruction address. */
  goTo(va: I64): void {
    const { f } = this;
    this.pend(va);
    f.ifUnlikely(
      i64.ne(this.load64(state.CODE_PAGE_ADDRESS), i64.and(va, PAGE_OR_ODD)),
      () => this.enter(va),
      () => f.set(this.record, recordOn(this.load32(state.CODE_PAGE), va)),
    );
    f.br(this.next);
  }
}

/** Offset in a TLB context of the entry for an address. */
export const tlbOffset = (va: I64): I32 =>
  i32.and(i32.shrU(i32.wrap(va), 12 - 5), (state.TLB_ENTRIES - 1) * state.TLB_ENTRY_SIZE);

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

/** `Insn` for the interpreter: fields are read from the record at run time, unless the handler fixes them. */
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
    const { f, run } = this;
    f.set(run.record, i32.add(run.record, this.recordLength));
    f.br(run.next);
  }

  /** Distance to the record of the next instruction. */
  private get recordLength(): number {
    return (this.handler.row.format.length / 2) * RECORD_SIZE;
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
    const field = this.fieldOf(name);
    const value = readField(field, this.run.record);
    if (!field.scale) return value;
    const number = i32.shrU(value, field.scale);
    return field.address ? i32.and(number, 15) : number;
  }

  private fieldOf(name: string): RecordField {
    const field = recordLayout(this.handler.row.format).get(name);
    if (!field) throw new Error(`${this.handler.row.mnemonic}: format ${this.handler.row.format.name} has no ${name}`);
    return field;
  }

  signed(name: string): I32 {
    return readField(this.fieldOf(name), this.run.record);
  }

  // Registers

  /** Base for an access to register `register` of a bank with 1 << shift bytes each. */
  private registerBase(register: Register, shift: number): { base: I32; offset: number } {
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

  private readRegister<T extends Expr>(
    type: T['type'],
    opcode: number,
    register: Register,
    shift: number,
    at: number,
  ): T {
    const { base, offset } = this.registerBase(register, shift);
    return this.f.evaluate(loadAt(type, opcode, base, at + offset)) as T;
  }

  private writeRegister(opcode: number, register: Register, shift: number, at: number, value: Expr): void {
    const { base, offset } = this.registerBase(register, shift);
    this.changes();
    storeAt(this.f, opcode, base, at + offset, value);
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
  cr = (register: Register): I64 => this.readRegister('i64', loadOp.i64, register, 3, state.CR);
  setAr = (register: Register, value: I32): void => this.writeRegister(storeOp.i32, register, 2, state.AR, value);

  state32 = (offset: number): I32 => this.f.evaluate(this.run.load32(offset));
  state64 = (offset: number): I64 => this.f.evaluate(this.run.load64(offset));
  setState32(offset: number, value: I32): void {
    this.changes();
    this.run.store32(offset, value);
  }
  setState64(offset: number, value: I64): void {
    this.changes();
    this.run.store64(offset, value);
  }

  let<T extends I32 | I64 | F32 | F64>(value: T): T {
    return this.f.evaluate(value as Expr) as T;
  }

  multiplyAdd(a: F64, b: F64, c: F64): F64 {
    const { multiplyAdd } = this.run.parts;
    return this.f.evaluate(multiplyAdd === undefined ? f64.multiplyAdd(a, b, c) : x.call('f64', multiplyAdd, a, b, c));
  }

  // Addresses

  /** A register used as base or index: none contributes zero. */
  private addressRegister<T extends 'i32' | 'i64'>(type: T, name: string): Expr<T> {
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
  private readonly nearTarget = k64(0);

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
      f.set(host, x.call('i32', run.parts.miss, va, kind, run.record, run.condition));
      f.brIfUnlikely(run.fault, i32.eqz(host));
    };
    // In AR mode each base register has a space of its own: no context stands for it.
    if (run.full && !instruction) {
      kind = f.evaluate(i32.or(kind, i32.shl(this.space(address), ACCESS_AR_SHIFT)));
      f.if(i32.geU(kind, 1 << ACCESS_AR_SHIFT), slow, () =>
        this.lookUp(host, va, size, store, run.load32(state.DATA_CONTEXT), slow),
      );
      return host;
    }
    this.lookUp(host, va, size, store, run.load32(instruction ? state.FETCH_CONTEXT : state.DATA_CONTEXT), slow);
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
    const entry = f.evaluate(i32.add(tlbOffset(va), context));
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
      const enabled = i32.and(i32.wrap(i64.shrU(run.load64(state.PSW_MASK), 43)), 1);
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
    const { condition } = this.run;
    switch (constant) {
      case 15:
        return k32(1);
      case 8:
        return i32.eqz(condition);
      case 7:
        return i32.ne(condition, 0);
      case 4:
        return i32.eq(condition, 1);
      case 11:
        return i32.ne(condition, 1);
      case 2:
        return i32.eq(condition, 2);
      case 13:
        return i32.ne(condition, 2);
      case 12:
        return i32.leU(condition, 1);
      case 3:
        return i32.gtU(condition, 1);
      case 10:
        return i32.eqz(i32.and(condition, 1));
      case 5:
        return i32.and(condition, 1);
      default:
        return i32.and(i32.shrU(m, i32.sub(k32(3), condition)), 1);
    }
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
  private ownAddress(): I64 {
    const { run } = this;
    if (!this.handler.executed) return run.pc();
    const ahead = i64.fromU(loadAt('i32', loadOp.i8u, run.cpu, state.EXECUTING));
    return i64.sub(i64.add(run.pc(), 8), ahead);
  }

  branch(condition: I32, target: I64): void {
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
      f.set(run.record, i32.add(run.record, readField(this.fieldOf(field), run.record)));
      run.pend();
      f.br(run.next);
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
    const { millicode } = run.parts;
    const { format } = this.handler.row;
    let id = millicode.findIndex(call => call.work === work && call.format === format);
    if (id < 0) id = millicode.push({ work, format }) - 1;
    run.save();
    f.ifUnlikely(x.call('i32', run.parts.imports.millicode, k32(id), run.record), () => f.return(k32(EXIT_LEFT)));
    f.set(run.condition, run.load32(state.CC));
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
