/**
 * A region: instructions of one page that can be reached from an entry by falling through and by branches within the
 * page, as one WebAssembly function made from the same rows as the interpreter. It is entered from the interpreter's
 * loop, and gives back where that is to go on.
 */

import { FunctionCode, type Label } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type I32, type I64, k32 } from '../ir/expr.ts';
import { ModuleBuilder } from '../ir/wasm.ts';
import type { Decoder } from '../isa/decode.ts';
import { instructionLength } from '../isa/formats.ts';
import type { Instruction } from '../isa/insn.ts';
import * as state from '../state.ts';
import { CompiledInsn } from './compiled.ts';
import { ControlFlow } from './control-flow.ts';
import { isRelativeBranch } from './handlers.ts';
import { REGION_FAULT, REGION_GO_TO, REGION_INTERPRET, REGION_PENDING } from './protocol.ts';
import { RECORD_SIZE, recordOperands } from './records.ts';
import { type Parts, type RegionOptions, Run } from './run.ts';

/** An instruction of a page: where it is, its row, and all operand fields. */
export interface Placed {
  readonly offset: number;
  readonly row: Instruction;
  readonly fields: Readonly<Record<string, number>>;
  /** Offset of the target of a branch within the page. */
  readonly target: number | undefined;
  /** The next instruction may follow. */
  readonly fallsThrough: boolean;
}

const MOST_INSTRUCTIONS = 400;
const REGISTERS = Array.from({ length: 16 }, (_, n) => n);

interface Block {
  readonly instructions: Placed[];
  /** Block numbers; -1: outside the region. */
  next: number;
  target: number;
}

/** Divides what can be reached into basic blocks. */
function blocksFrom(entry: number, at: (offset: number) => Placed | undefined): Block[] {
  const found = new Map<number, Placed>();
  const leaders = new Set([entry]);
  const work = [entry];
  while (work.length && found.size < MOST_INSTRUCTIONS) {
    let offset = work.pop()!;
    while (!found.has(offset) && found.size < MOST_INSTRUCTIONS) {
      const placed = at(offset);
      if (!placed) break;
      found.set(offset, placed);
      if (placed.target !== undefined) {
        leaders.add(placed.target);
        work.push(placed.target);
      }
      if (!placed.fallsThrough) break;
      offset += placed.row.format.length;
      if (placed.target !== undefined) leaders.add(offset);
    }
    if (found.has(offset)) leaders.add(offset);
  }
  const starts = [entry, ...[...leaders].filter(offset => offset !== entry && found.has(offset))];
  const numbers = new Map(starts.map((offset, n) => [offset, n]));
  return starts.map(start => {
    const instructions: Placed[] = [];
    for (let offset = start; ; ) {
      const placed = found.get(offset);
      if (!placed) return { instructions, next: -1, target: -1 };
      instructions.push(placed);
      offset += placed.row.format.length;
      const next = placed.fallsThrough ? (numbers.get(offset) ?? -1) : -1;
      const target = placed.target === undefined ? -1 : (numbers.get(placed.target) ?? -1);
      if (placed.target !== undefined || next >= 0 || !placed.fallsThrough) return { instructions, next, target };
    }
  });
}

export class RegionRun extends Run {
  #record: I32 = k32(0);
  readonly condition = x.local('i32', 0);
  /** Not zero: something was stored through the bounce buffer. */
  readonly flushed = this.f.newLocal('i32');
  fault!: Label;
  next!: Label;
  dispatch!: Label;
  readonly firstStorageToStorage = 0;
  readonly #registers = new Map<number, I64>();
  readonly #codePage: number;
  readonly #blocks: readonly Block[];
  readonly #flow: ControlFlow;
  #block = 0;
  #current!: Placed;

  constructor(parts: Parts, codePage: number, entry: number, at: (offset: number) => Placed | undefined) {
    super(parts, new FunctionCode(1));
    this.#codePage = codePage;
    this.#blocks = blocksFrom(entry, at);
    this.#flow = new ControlFlow({
      successors: this.#blocks.map(({ next, target }) => [target, next].filter(to => to >= 0)),
    });
  }

  get size(): number {
    return this.#blocks.reduce((sum, { instructions }) => sum + instructions.length, 0);
  }

  get record(): I32 {
    return this.#record;
  }

  register(number: number): I64 {
    const known = this.#registers.get(number);
    if (known) return known;
    const made = this.f.newLocal('i64');
    this.#registers.set(number, made);
    return made;
  }

  /** Takes registers from the CPU's block again. */
  reload(): void {
    for (const [number, local] of this.#registers) this.f.set(local, this.load64(state.GR + 8 * number));
  }

  build(): FunctionCode {
    const { f, cpu, parts } = this;
    if (cpu.kind === 'local') f.set(cpu, parts.cpu);
    if (!this.#blocks[0]!.instructions.length) {
      f.push(k32(REGION_INTERPRET));
      return f;
    }
    for (const number of REGISTERS) this.register(number);
    this.reload();
    f.block(fault => {
      this.fault = fault;
      this.#flow.emit(f, block => this.#emitBlock(block));
    });
    f.return(k32(REGION_FAULT));
    f.unreachable();
    return f;
  }

  #emitBlock(block: number): void {
    const { instructions } = this.#blocks[block]!;
    this.#block = block;
    for (const placed of instructions) {
      this.#current = placed;
      this.#record = k32(this.#codePage + (placed.offset / 2) * RECORD_SIZE);
      this.f.releaseTemporaries();
      const fixed = placed.target === undefined ? placed.fields : { ...placed.fields, near: 1 };
      const insn = new CompiledInsn(this, { row: placed.row, fixed, executed: false });
      insn.begin();
      placed.row.semantics(insn);
      insn.end();
      this.#block = block;
    }
    const last = instructions.at(-1)!;
    if (last.fallsThrough) this.#to(this.#blocks[block]!.next, last.offset + last.row.format.length);
    else this.f.unreachable();
  }

  /** Goes to a block, or leaves the region for the instruction at an offset. */
  #to(block: number, offset: number): void {
    if (block >= 0 && this.#flow.isReducible(this.#block, block)) {
      this.#flow.jump(this.f, this.#block, block, to => this.#emitBlock(to));
    } else this.#leaveTo(offset);
  }

  #leaveTo(offset: number): void {
    this.store32(state.CC, this.condition);
    this.f.return(k32(this.#codePage + (offset / 2) * RECORD_SIZE));
  }

  /** The branch within the page is taken. */
  jumpNear(): void {
    const { offset, target } = this.#current;
    const block = this.#block;
    const record = this.#record;
    const current = this.#current;
    if (target! <= offset) {
      this.#record = k32(this.#codePage + (target! / 2) * RECORD_SIZE);
      this.pend(this.f.evaluate(this.pc()));
    }
    this.#to(this.#blocks[block]!.target, target!);
    this.#block = block;
    this.#record = record;
    this.#current = current;
  }

  leaveBehind(length: number): void {
    this.#leaveTo(this.#current.offset + length);
  }

  override leave(_reason: number, address?: I64): void {
    this.save(address);
    this.f.return(k32(REGION_PENDING));
  }

  goTo(va: I64): void {
    this.store64(state.REGION_TARGET, va);
    this.store32(state.CC, this.condition);
    this.f.return(k32(REGION_GO_TO));
  }

  enter(): void {
    throw new NotCompilable(this.#current.row);
  }

  divert(): void {
    throw new NotCompilable(this.#current.row);
  }
}

/** The instruction is left to the interpreter. */
export class NotCompilable extends Error {
  readonly row: Instruction;

  constructor(row: Instruction) {
    super(`${row.mnemonic} is not compiled`);
    this.row = row;
  }
}

/** What a region is made from. */
export interface RegionSource {
  /** Host address of the code page in which it begins. */
  readonly codePage: number;
  /** Offset in its page of the first instruction. */
  readonly entry: number;
  /** The instruction at an offset; undefined: there is none, or it is not to be compiled. */
  at(offset: number): Placed | undefined;
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
  const miss = module.importFunction('env', 'miss', ['i64', 'i32', 'i32', 'i32'], ['i32']);
  const flush = module.importFunction('env', 'flush', [], []);
  module.importMemory('env', 'memory', options.layout.wasmPages);
  const cpu = module.importGlobal('env', 'cpu', 'i32');
  const none = -1;
  const parts: Parts = {
    options: { ...options, handlers: [], full: false },
    handlers: [],
    millicode: [],
    routines: { index: () => none },
    regionType: undefined,
    miss,
    multiplyAdd: undefined,
    enter: none,
    imports: { fetchPage: none, decode: none, original: none, execute: none, millicode: none, flush, hot: none },
    cpu: x.global('i32', cpu),
  };
  const indices = sources.map(() => module.declareFunction(['i32'], ['i32']));
  const sizes = sources.map(({ codePage, entry, at }, n) => {
    for (;;) {
      const run = new RegionRun(parts, codePage, entry, offset => {
        const placed = at(offset);
        return placed && !left.has(placed.row) ? placed : undefined;
      });
      try {
        module.defineFunction(indices[n]!, run.build());
      } catch (error) {
        if (!(error instanceof NotCompilable)) throw error;
        left.add(error.row);
        continue;
      }
      module.exportFunction(String(n), indices[n]!);
      return run.size;
    }
  });
  return { bytes: module.encode(), sizes };
}

/** Rows that turned out to need the interpreter. */
const left = new WeakSet<Instruction>();

/** The instruction at an offset in a page; undefined if it is not to be compiled. `read16` reads from the page. */
export function place(
  decoder: Decoder<Instruction>,
  read16: (offset: number) => number,
  offset: number,
): Placed | undefined {
  if (offset > 4094) return undefined;
  const upper = read16(offset);
  const length = instructionLength(upper >>> 8);
  if (offset + length > 4096) return undefined;
  const second = length > 2 ? read16(offset + 2) : 0;
  const third = length > 4 ? read16(offset + 4) : 0;
  const lower = ((second << 16) | third) >>> 0;
  const row = decoder.decode(upper, lower);
  if (!row) return undefined;
  const fields = recordOperands(row.format, upper, lower);
  const relative = isRelativeBranch(row) && !row.mnemonic.startsWith('BRAS');
  const target = relative ? offset + 2 * (fields.h2 ?? fields.h4)! : undefined;
  const near = target !== undefined && target >= 0 && target < 4096;
  const always = row.branches && (fields.m1 === 15 || row.mnemonic.startsWith('BRAS'));
  const never = row.mnemonic === 'BCR' && fields.r2 === 0;
  return { offset, row, fields, target: near ? target : undefined, fallsThrough: !always || never };
}
