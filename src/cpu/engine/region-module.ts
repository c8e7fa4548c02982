/** A module of regions, with the functions that all of them call. */

import { FunctionCode, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { ModuleBuilder } from '../ir/wasm.ts';
import * as state from '../state.ts';
import { loadAt, PAGE_OR_ODD, partlyProtected, recordOn, storeAt, tlbOffset } from './addressing.ts';
import type { RegionSource } from './blocks.ts';
import { CODE_KINDS, codeValue } from './condition.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';
import {
  ACCESS_AR_SHIFT,
  ACCESS_INSTRUCTION,
  ACCESS_INTERLOCKED,
  ACCESS_SIZE_SHIFT,
  ACCESS_STORE,
  ACCESS_WIDE,
  HANDLER_REGION,
  REGION_GO_TO,
  REGION_INTERPRET,
  REGION_LOOPING,
  REGION_PENDING,
  REGION_RETURNED,
} from './protocol.ts';
import type { RegionRun } from './region.ts';
import { QuickRegion } from './region-quick.ts';
import { ThoroughRegion } from './region-thorough.ts';
import { routineExport, routineParameters } from './routines.ts';
import type { Parts, RegionOptions } from './run.ts';

/** Functions that all regions of a module call. */
export class Helpers {
  /** (instruction address, condition code) -> REGION_*: goes on there, in another region if one begins there. */
  readonly go: number;
  /** (address, access) -> host address; 0 after an exception. */
  readonly miss: number;
  /** (kind, condition code, operands) -> condition code. */
  readonly code: number;
  /** (where, condition code), and with operands of 32 and of 64 bits (where, kind, a, b): leaves a quick region, see `leavePlace`. */
  readonly leaveValue: number;
  readonly leave32: number;
  readonly leave64: number;
  readonly #parts: Parts;

  readonly #routines: ReadonlyMap<string, number>;

  constructor(module: ModuleBuilder, parts: Parts, imported: number, routines: ReadonlyMap<string, number>) {
    this.#parts = parts;
    this.#routines = routines;
    this.go = module.declareFunction(['i64', 'i32'], ['i32']);
    this.miss = module.declareFunction(['i64', 'i32'], ['i32']);
    this.code = module.declareFunction(['i32', 'i32', 'i32', 'i32', 'i64', 'i64'], ['i32']);
    this.leaveValue = module.declareFunction(['i32', 'i32'], ['i32']);
    this.leave32 = module.declareFunction(['i32', 'i32', 'i32', 'i32'], ['i32']);
    this.leave64 = module.declareFunction(['i32', 'i32', 'i64', 'i64'], ['i32']);
    module.defineFunction(this.go, this.#defineGo(module.type(['i32'], ['i32'])));
    module.defineFunction(this.miss, this.#defineMiss(imported));
    module.defineFunction(this.code, this.#defineCode());
    const [kind, a32, b32] = [1, 2, 3].map(n => x.local('i32', n)) as [I32, I32, I32];
    const [a64, b64] = [x.local('i64', 2), x.local('i64', 3)];
    const code = (...operands: Expr[]): I32 => x.call('i32', this.code, kind, k32(0), ...operands);
    module.defineFunction(this.leaveValue, this.#defineLeave(2, kind));
    module.defineFunction(this.leave32, this.#defineLeave(4, code(a32, b32, k64(0), k64(0))));
    module.defineFunction(this.leave64, this.#defineLeave(4, code(k32(0), i32.wrap(b64), a64, b64)));
  }

  routine(name: string): number {
    return this.#routines.get(name)!;
  }

  #defineGo(regionType: number): FunctionCode {
    const f = new FunctionCode(2);
    const va = x.local('i64', 0);
    const code = x.local('i32', 1);
    const { cpu } = this.#parts;
    const leave = (reason: number): void => {
      storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, va);
      storeAt(f, storeOp.i32, cpu, state.CC, code);
      f.return(k32(reason));
    };
    const passages = loadAt('i32', loadOp.i32, cpu, state.PASSAGES);
    storeAt(f, storeOp.i32, cpu, state.PASSAGES, i32.add(passages, 1));
    f.if(i64.eq(va, loadAt('i64', loadOp.i64, cpu, state.RETURN_ADDRESS)), () => leave(REGION_RETURNED));
    f.ifUnlikely(loadAt('i32', loadOp.i32, cpu, state.PENDING), () => {
      const page = loadAt('i64', loadOp.i64, cpu, state.CODE_PAGE_ADDRESS);
      f.if(i64.eq(i64.and(va, -4096), page), () => leave(REGION_LOOPING));
      leave(REGION_PENDING);
    });
    const entry = f.evaluate(i32.add(loadAt('i32', loadOp.i32, cpu, state.FETCH_CONTEXT), tlbOffset(va)));
    // An odd address is on no page.
    f.if(i64.eq(x.load('i64', loadOp.i64, entry, state.TLB_CODE_TAG), i64.and(va, PAGE_OR_ODD)), () => {
      const codePage = f.evaluate(x.load('i32', loadOp.i32, entry, state.TLB_CODE_PAGE));
      const record = f.evaluate(recordOn(codePage, va));
      f.if(i32.eq(x.load('i32', loadOp.i16u, record, 0), HANDLER_REGION), () => {
        storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, va);
        storeAt(f, storeOp.i32, cpu, state.CODE_PAGE, codePage);
        storeAt(f, storeOp.i64, cpu, state.CODE_PAGE_ADDRESS, i64.and(va, -4096));
        f.returnCallIndirect(regionType, x.load('i32', loadOp.i32, record, 4), code);
      });
    });
    leave(REGION_GO_TO);
    f.unreachable();
    return f;
  }

  #defineMiss(imported: number): FunctionCode {
    const f = new FunctionCode(2);
    const va = x.local('i64', 0);
    const access = x.local('i32', 1);
    partlyProtected(f, this.#parts.cpu, va, access);
    this.#lookAlone(f, va, access);
    const filled = f.evaluate(x.call('i32', this.routine('fill'), va, access));
    f.if(filled, () => f.return(filled));
    f.push(x.call('i32', imported, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), access));
    return f;
  }

  /** An operand may be found by itself that has not been among others near it. */
  #lookAlone(f: FunctionCode, va: I64, access: I32): void {
    const { cpu } = this.#parts;
    const others = -1 << ACCESS_AR_SHIFT;
    f.if(i32.eqz(i32.and(access, others | ACCESS_INSTRUCTION | ACCESS_WIDE)), () => {
      const entry = f.evaluate(i32.add(loadAt('i32', loadOp.i32, cpu, state.DATA_CONTEXT), tlbOffset(va)));
      const stores = i32.ne(i32.and(access, ACCESS_STORE | ACCESS_INTERLOCKED), 0);
      const tag = i32.select(stores, state.TLB_STORE_TAG, state.TLB_FETCH_TAG);
      const last = i64.add(va, i64.fromU(i32.sub(i32.shrU(access, ACCESS_SIZE_SHIFT), 1)));
      f.if(i64.eq(x.load('i64', loadOp.i64, i32.add(entry, tag), 0), i64.and(last, -4096)), () =>
        f.return(i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va))),
      );
    });
  }

  #defineLeave(parameters: number, code: I32): FunctionCode {
    const f = new FunctionCode(parameters);
    const { cpu } = this.#parts;
    const where = x.local('i32', 0);
    storeAt(f, storeOp.i32, cpu, state.CC, code);
    const page = loadAt('i64', loadOp.i64, cpu, state.CODE_PAGE_ADDRESS);
    storeAt(f, storeOp.i64, cpu, state.PSW_ADDRESS, i64.add(page, i64.fromU(i32.and(where, 0xffff))));
    f.push(i32.shrU(where, 16));
    return f;
  }

  #defineCode(): FunctionCode {
    const f = new FunctionCode(6);
    const [kind, value, a32, b32] = [0, 1, 2, 3].map(n => x.local('i32', n)) as [I32, I32, I32, I32];
    const [a64, b64] = [x.local('i64', 4), x.local('i64', 5)];
    const labels = CODE_KINDS.map(() => f.beginBlock()).reverse();
    f.brTable(kind, labels, labels[0]!);
    for (const each of CODE_KINDS) {
      f.endBlock();
      const flag = each.startsWith('result') || each.startsWith('carried');
      if (each === 'value') f.return(value);
      else f.return(each.endsWith('32') ? codeValue(each, a32, b32) : codeValue(each, a64, flag ? b32 : b64));
    }
    f.unreachable();
    return f;
  }

  /** Has the interpreter execute the instruction with which the region begins. */
  interpret(run: RegionRun, code: I32): void {
    run.store32(state.CC, code);
    run.f.return(k32(REGION_INTERPRET));
  }
}

export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many instructions each region has. */
  readonly sizes: readonly number[];
}

/**
 * Builds a module of regions, for any CPU of the machine and in any thread: its export `n` is the function of source
 * n, (condition code) -> REGION_*. It imports `env`, which is the CPU's `regionImports`.
 */
export function buildModule(options: RegionOptions, sources: readonly RegionSource[]): RegionModule {
  const module = new ModuleBuilder();
  module.compiledAtOnce = true;
  const { layout } = options;
  const miss = module.importFunction('env', 'miss', ['i32', 'i32', 'i32'], ['i32']);
  const now = module.importFunction('env', 'now', [], ['f64']);
  module.importMemory('env', 'memory', layout.wasmPages);
  module.importTable('env', 'regions');
  const cpu = module.importGlobal('env', 'cpu', 'i32');
  const none = -1;
  const parts = {
    options: { ...options, handlers: [], full: false },
    handlers: [],
    millicode: [],
    routines: { index: () => none },
    regionType: undefined,
    miss: none,
    multiplyAdd: undefined as number | undefined,
    enter: none,
    apart: () => ({ index: none, isMillicode: false }),
    imports: {
      fetchPage: none,
      decode: none,
      original: none,
      execute: none,
      millicode: none,
      flush: none,
      hot: none,
      now,
    },
    cpu: layout.cpus === 1 ? k32(layout.cpuBase) : x.global('i32', cpu),
  };
  const runs = sources.map(source => new (source.thorough ? ThoroughRegion : QuickRegion)(parts, source));
  const routines = new Map<string, number>();
  for (const name of ['fill', ...runs.flatMap(run => run.routines)]) {
    if (routines.has(name)) continue;
    routines.set(name, module.importFunction('env', routineExport(name), routineParameters(name), ['i32']));
  }
  if (!fusesMultiplyAdd()) parts.multiplyAdd = defineMultiplyAdd(module);
  const helpers = new Helpers(module, parts, miss, routines);
  for (const [n, run] of runs.entries()) {
    const index = module.declareFunction(['i32'], ['i32']);
    module.defineFunction(index, run.build(helpers));
    module.exportFunction(String(n), index);
  }
  const sizes = runs.map(run => run.size);
  return { bytes: module.encode(), sizes };
}
