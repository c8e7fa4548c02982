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
import { type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { ModuleBuilder } from '../ir/wasm.ts';
import * as state from '../state.ts';
import {
  instructionAddress,
  loadAt,
  NO_PAGE,
  PAGE_OR_ODD,
  partlyProtected,
  recordOn,
  storeAt,
  tlbOffset,
} from './addressing.ts';
import { apartFunctions, callApart } from './apart.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';
import { type Handler, isStorageToStorage } from './handlers.ts';
import { InterpretedInsn } from './interpreted.ts';
import {
  EXIT_BREAKPOINT,
  EXIT_FUEL,
  EXIT_PENDING,
  EXIT_PROGRAM,
  FIRST_ROW_HANDLER,
  HANDLER_BREAKPOINT,
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_EXECUTED,
  HANDLER_PAGE_END,
  HANDLER_REGION,
  REGION_FAULT,
  REGION_INTERPRET,
  REGION_PENDING,
} from './protocol.ts';
import { RECORD_SIZE } from './records.ts';
import { defineRoutines } from './routines.ts';
import { type InterpreterOptions, type MillicodeCall, type Parts, Run } from './run.ts';

export interface InterpreterProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Millicode functions by the number under which the program calls them. */
  readonly millicode: readonly MillicodeCall[];
}

/**
 * Builds the module. Its export `run(): i32` executes from the state in the CPU's block until it must leave; `none` is what
 * a table of regions holds where there is none.
 */
export function buildInterpreter(options: InterpreterOptions): InterpreterProgram {
  const module = new ModuleBuilder();
  const imports = {
    miss: module.importFunction('env', 'miss', ['i32', 'i32', 'i32'], ['i32']),
    fetchPage: module.importFunction('env', 'fetchPage', [], ['i32']),
    decode: module.importFunction('env', 'decode', [], ['i32']),
    original: module.importFunction('env', 'original', [], ['i32']),
    execute: module.importFunction('env', 'execute', ['i32', 'i32', 'i32'], ['i32']),
    millicode: module.importFunction('env', 'millicode', ['i32', 'i32'], ['i32']),
    flush: module.importFunction('env', 'flush', [], []),
    hot: module.importFunction('env', 'hot', ['i32'], []),
    now: module.importFunction('env', 'now', [], ['f64']),
  };
  module.importMemory('env', 'memory', options.layout.wasmPages);
  const regionType = options.full ? undefined : module.type(['i32'], ['i32']);
  if (regionType !== undefined) module.importTable('env', 'regions');
  const cpuGlobal = options.cpuBase === undefined ? module.importGlobal('env', 'cpu', 'i32') : undefined;
  const cpu: I32 = cpuGlobal === undefined ? k32(options.cpuBase!) : x.global('i32', cpuGlobal);

  const multiplyAdd = fusesMultiplyAdd() ? undefined : defineMultiplyAdd(module);
  const routines = defineRoutines(module, {
    cpu,
    miss: imports.miss,
    full: options.full,
    layout: options.layout,
  });
  const miss = defineMiss(module, cpu, imports.miss, routines.index('fill'));
  const enter = defineEnter(module, cpu, imports.fetchPage, routines.index('fillCode'));
  const { handlers } = options;
  const run = module.declareFunction([], ['i32']);
  const millicode: MillicodeCall[] = [];
  const parts: Parts = {
    options,
    handlers,
    millicode,
    routines,
    miss,
    enter,
    multiplyAdd,
    apart: apartFunctions(module, () => parts),
    imports,
    cpu,
    regionType,
  };
  const code = new RunFunction(parts);
  module.defineFunction(run, code.build());
  module.exportFunction('run', run);
  if (regionType !== undefined) {
    const none = module.declareFunction(['i32'], ['i32']);
    const code = new FunctionCode(1);
    storeAt(code, storeOp.i32, cpu, state.CC, x.local('i32', 0));
    code.push(k32(REGION_INTERPRET));
    module.defineFunction(none, code);
    module.exportFunction('none', none);
  }
  module.exportFunction('miss', miss);
  return { bytes: module.encode(), millicode };
}

/**
 * miss(va, access, record, cc): the host address, if it is found without more ado; else saves what an exception needs and
 * asks; 0 when it cannot be had.
 */
function defineMiss(module: ModuleBuilder, cpu: I32, imported: number, fill: number): number {
  const index = module.declareFunction(['i64', 'i32', 'i32', 'i32'], ['i32']);
  const f = new FunctionCode(4);
  const va = x.local('i64', 0);
  const access = x.local('i32', 1);
  partlyProtected(f, cpu, va, access);
  const filled = f.evaluate(x.call('i32', fill, va, access));
  f.if(filled, () => f.return(filled));
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
function defineEnter(module: ModuleBuilder, cpu: I32, fetchPage: number, fillCode: number): number {
  const index = module.declareFunction(['i64', 'i32'], ['i32']);
  const f = new FunctionCode(2);
  const va = x.local('i64', 0);
  storeAt(f, storeOp.i32, cpu, state.EXECUTING, k32(0));
  const entry = f.evaluate(i32.add(loadAt('i32', loadOp.i32, cpu, state.FETCH_CONTEXT), tlbOffset(va)));
  // An odd address is on no page.
  f.ifUnlikely(i64.ne(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(va, PAGE_OR_ODD)), () => {
    f.if(i32.eqz(x.call('i32', fillCode, va)), () => {
      storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, va);
      storeAt(f, storeOp.i32, cpu, state.CC, x.local('i32', 1));
      f.ifUnlikely(i32.eqz(x.call('i32', fetchPage)), () => f.return(k32(0)));
    });
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

export class RunFunction extends Run {
  readonly record = this.f.newLocal('i32');
  readonly condition = this.f.newLocal('i32');
  next!: Label;
  dispatch!: Label;
  fault!: Label;

  constructor(parts: Parts) {
    super(parts, new FunctionCode(0));
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
      this.countArrival();
      // On x86-64 this leaves it in the register in which V8 collects it from the handlers: else each ends with one move more,
      // and a taken branch with one jump more.
      this.store32(state.SCRATCH, this.record);
      f.set(this.record, f.atomic('i32', 0x48, 2, i32.add(this.cpu, state.SCRATCH), 0, k32(0), k32(0)));
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
      // What follows an instruction that was carried out elsewhere is not at the beginning of a page.
      f.if(i32.leU(i32.and(i32.wrap(this.pc()), 0xfff), 4), () => this.countArrival());
      f.br(this.dispatch);
    };
    // The instruction continues on the next page: decode puts it together, unless that has been done.
    bodies[HANDLER_CROSSING] = () => {
      this.crossing();
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
    bodies[HANDLER_REGION] = () => this.region();
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

  /** Goes to the record of an instruction that continues on the next page, if it is known and still the same. */
  private crossing(): void {
    const { f, cpu } = this;
    const n = i32.and(i32.shrU(this.record, state.CROSSING_SHIFT), state.CROSSING_ENTRIES - 1);
    const at = i32.mul(n, state.CROSSING_ENTRY_SIZE);
    const base = f.evaluate(i32.add(i32.add(at, cpu), state.CROSSINGS));
    const word = (offset: number): I32 => x.load('i32', loadOp.i32, base, offset);
    f.if(i32.eq(word(0), this.record), () => {
      const pc = f.evaluate(this.pc());
      const end = i64.add(i64.and(pc, -4096), 4096);
      const page = f.evaluate(this.full ? i64.and(end, this.load64(state.ADDRESS_MASK)) : end);
      const entry = f.evaluate(i32.add(this.load32(state.FETCH_CONTEXT), tlbOffset(page)));
      const isMapped = i32.and(
        i64.eq(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), page),
        i32.eq(x.load('i32', loadOp.i32, entry, state.TLB_CODE_PAGE), word(4)),
      );
      const isUnchanged = (version: number): I32 =>
        i32.eq(x.load('i32', loadOp.i32, word(version), 0), word(version + 4));
      f.if(i32.and(isMapped, i32.and(isUnchanged(8), isUnchanged(16))), () => {
        this.divertTo(f.evaluate(i32.add(base, state.CROSSING_RECORD_AT)), pc);
        f.br(this.dispatch);
      });
    });
  }

  /** Runs a region, and goes on where that says. */
  private region(): void {
    const { f, parts } = this;
    if (parts.regionType !== undefined) {
      const slot = x.load('i32', loadOp.i32, this.record, 4);
      this.store64(state.PSW_ADDRESS, this.pc());
      const result = f.callIndirect(parts.regionType, slot, this.condition);
      f.set(this.condition, this.load32(state.CC));
      // It may have gone to other pages.
      const page = i64.fromU(i32.shrU(this.load32(state.CODE_PAGE), 2));
      this.store64(state.PC_DISTANCE, i64.sub(this.load64(state.CODE_PAGE_ADDRESS), page));
      const address = f.evaluate(this.load64(state.PSW_ADDRESS));
      // REGION_GO_TO and REGION_RETURNED. (REGION_LOOPING is a kind of REGION_PENDING.)
      f.if(i32.eqz(i32.and(result, 3)), () => this.goTo(address));
      const count = f.evaluate(i32.add(i32.shl(result, 2), this.cpu));
      const exits = i32.add(loadAt('i32', loadOp.i32, count, state.REGION_EXITS), 1);
      storeAt(f, storeOp.i32, count, state.REGION_EXITS, exits);
      f.brIf(this.fault, i32.eq(result, REGION_FAULT));
      f.if(i32.eq(i32.and(result, 3), REGION_PENDING), () => f.return(k32(EXIT_PENDING)));
      this.enter(address);
      // What regions leave to the interpreter rarely begins one.
      f.brIf(this.dispatch, i32.ne(x.load('i32', loadOp.i16u, this.record, 0), HANDLER_REGION));
    }
    this.save();
    f.brIfUnlikely(this.fault, i32.eqz(x.call('i32', parts.imports.original)));
    this.divert(state.CROSSING_RECORD, this.pc());
    f.br(this.dispatch);
  }

  private handler(handler: Handler): void {
    if (handler.row.apart) return this.apart(handler);
    const first = new InterpretedInsn(this, handler);
    first.begin();
    handler.row.semantics(first);
    // The full program counts each instruction.
    if (!handler.second || this.full) return first.end();
    first.proceed();
    this.handler(handler.second);
  }

  /** Has the instruction's own function carry it out. */
  private apart(handler: Handler): void {
    const { f } = this;
    const made = this.parts.apart(handler);
    const result = f.evaluate(callApart(made, this.record, this.condition));
    f.brIfUnlikely(this.fault, i32.ltS(result, 0));
    f.set(this.condition, result);
    f.set(this.record, i32.add(this.record, (handler.row.format.length / 2) * RECORD_SIZE));
    if (made.isMillicode) this.countFollower();
    f.br(this.next);
  }

  /** Goes to the page of an instruction address. */
  enter(va: I64): void {
    const { f, parts } = this;
    f.set(this.record, x.call('i32', parts.enter, va, this.condition));
    f.brIfUnlikely(this.fault, i32.eqz(this.record));
  }

  /** Goes to a record in the CPU's block, as if it were that of the instruction at `address`. */
  divert(to: number, address: I64): void {
    this.divertTo(i32.add(this.cpu, to), address);
  }

  private divertTo(record: I32, address: I64): void {
    this.store64(state.PC_DISTANCE, i64.sub(address, i64.fromU(i32.shrU(record, 2))));
    this.store64(state.CODE_PAGE_ADDRESS, k64(NO_PAGE));
    this.f.set(this.record, record);
  }

  private countInstruction(): void {
    const { f } = this;
    const fuel = f.evaluate(i32.sub(this.load32(state.FUEL), 1));
    f.ifUnlikely(i32.ltS(fuel, 0), () => this.leave(EXIT_FUEL));
    this.store32(state.FUEL, fuel);
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
    this.countArrival();
    f.br(this.next);
  }

  override countFollower(): void {
    const { codePages, compiles } = this.parts.options.layout;
    if (compiles) this.f.if(i32.geU(this.record, codePages), () => this.countArrival());
  }

  /** A branch has led to the record: where that happens often it is worth compiling. */
  override countArrival(): void {
    const { f, parts } = this;
    const { codePages, codeCounters, compiles } = parts.options.layout;
    if (parts.regionType === undefined || !compiles) return;
    // Two bytes for each record of eight.
    const counter = f.evaluate(i32.shrU(this.record, 2));
    const at = codeCounters - codePages / 4;
    const rest = f.evaluate(i32.sub(x.load('i32', loadOp.i16u, counter, at), 1));
    f.store(storeOp.i16, counter, at, rest);
    f.ifUnlikely(i32.eqz(rest), () => f.run(parts.imports.hot, this.record));
  }
}
