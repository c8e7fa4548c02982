/**
 * A region: instructions of one page that can be reached from its entries by falling through and by branches within the
 * page, as one WebAssembly function made from the same rows as the interpreter. It is entered from the interpreter's
 * loop, and gives back where that is to go on.
 */

import { FunctionCode, type Label, loadOp, storeOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { ModuleBuilder } from '../ir/wasm.ts';
import * as state from '../state.ts';
import { loadAt, PAGE_OR_ODD, partlyProtected, recordOn, storeAt, tlbOffset } from './addressing.ts';
import { type Block, flowOf, followers, type Guess, type RegionSource, type Step } from './blocks.ts';
import { CompiledInsn } from './compiled.ts';
import { CODE_KINDS, codeSelected, codeValue, selectedValue } from './condition.ts';
import type { ControlFlow } from './control-flow.ts';
import type { CodeKind, Facts } from './facts.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';
import {
  HANDLER_REGION,
  REGION_FAULT,
  REGION_GO_TO,
  REGION_INTERPRET,
  REGION_PENDING,
  REGION_RETURNED,
} from './protocol.ts';
import { routineExport, routineParameters } from './routines.ts';
import { type Parts, type RegionOptions, Run } from './run.ts';

/** What is in the locals at a point of the code. */
interface Situation {
  low: number;
  dirtyWhole: number;
  dirtyLow: number;
  /** How the condition code is kept: as a value, as operands, in a way known at run time only, or not at all. */
  code: CodeKind | 'any' | undefined;
  /** The second operand of the condition code, if it is a constant. */
  constant: Expr | undefined;
}

/** Most regions that wait for what they have called: each takes some of the stack. */
const MOST_CALLS = 300;

/** The breaking-event address has not changed since the region was entered. */
const NO_BRANCH = 1;

/** Registers by number, for each bit of a set. */
function each(set: number, visit: (register: number) => void): void {
  for (let rest = set; rest; rest &= rest - 1) visit(31 - Math.clz32(rest & -rest));
}

const EVERY = 0xffff;

type Local<T extends 'i32' | 'i64'> = Expr<T> & { kind: 'local' };

export class RegionRun extends Run {
  #record: I32 = k32(0);
  readonly condition = x.local('i32', 0);
  readonly next: Label = { depth: 0 };
  readonly dispatch: Label = { depth: 0 };
  readonly fault: Label = { depth: 0 };
  readonly firstStorageToStorage = 0;
  helpers!: Helpers;
  readonly #blocks: readonly Block[];
  readonly #flow: ControlFlow;
  readonly #rerouted: readonly ReadonlySet<number>[];
  readonly #insn: CompiledInsn;
  #block = 0;
  #current!: Step;
  /** What is known where code is being made. */
  #now: Situation = { low: 0, dirtyWhole: 0, dirtyLow: 0, code: 'value', constant: undefined };
  /** Whether the condition code that the instruction sets is asked for. */
  #codeWanted = true;

  // General registers: bits 0-63, or bits 32-63 beside the older bits 0-31.
  readonly #whole: (Local<'i64'> | undefined)[] = [];
  readonly #low: (Local<'i32'> | undefined)[] = [];
  /** Expressions for registers that the instruction has got. */
  readonly #given: { readonly local: number; readonly e: Local<'i32' | 'i64'> }[] = [];
  readonly #written: number;
  readonly #writtenLow: number;
  /** Registers that are only ever used for bits 32-63. */
  readonly #always: number;

  // What the code at the end needs
  #exit!: Label;
  readonly #reason = this.f.newLocal('i32');
  readonly #distance = this.f.newLocal('i32');
  readonly #breaking = this.f.newLocal('i32');
  readonly #codeKind = this.f.newLocal('i32');
  readonly #revocations = this.f.newLocal('i32');
  /** Where a branch leads whose target another block chooses. */
  readonly #goal = this.f.newLocal('i64');
  /** Offset of the instruction to which block 0 goes on. */
  readonly #way = this.f.newLocal('i32');
  readonly #operands = new Map<string, Local<'i32' | 'i64'>>();
  readonly dataContext = this.f.newLocal('i32');
  #fetchContext: I32 | undefined;

  constructor(parts: Parts, source: RegionSource) {
    super(parts, new FunctionCode(1));
    const { blocks, flow, rerouted } = flowOf(source);
    this.#blocks = blocks;
    this.#flow = flow;
    this.#rerouted = rerouted;
    this.#insn = new CompiledInsn(this);
    const all = this.#blocks.flatMap(({ steps }) => steps.map(({ facts }) => facts));
    const union = (of: (facts: Facts) => number): number => all.reduce((set, facts) => set | of(facts), 0);
    const whole = union(facts => facts.readsWhole | facts.writesWhole | facts.mayWrite);
    this.#writtenLow = union(facts => facts.writesLow);
    this.#written = this.#writtenLow | union(facts => facts.writesWhole | facts.mayWrite);
    const low = this.#writtenLow | (union(facts => facts.readsLow) & ~whole);
    each(whole, n => {
      this.#whole[n] = this.f.newLocal('i64');
    });
    each(low, n => {
      this.#low[n] = this.f.newLocal('i32');
    });
    this.#always = low & ~whole;
    if (this.size) this.#analyse(this.#always);
  }

  get size(): number {
    return this.#blocks.reduce((sum, { steps }) => sum + steps.length, 0);
  }

  get record(): I32 {
    return this.#record;
  }

  // What is known at the beginning of each block

  /** Edges within the region. */
  #successors(n: number): readonly number[] {
    return this.#edges(n).map(({ to }) => to);
  }

  /** The block by way of which one goes to another. */
  #via(from: number, to: number): number {
    return this.#rerouted[from]!.has(to) ? 0 : to;
  }

  /** Whether the region may be left from the end of a block. */
  #leaves(n: number): boolean {
    const { next, target, steps, ways } = this.#blocks[n]!;
    const last = steps.at(-1);
    if (!last) return !ways.length;
    if (last.row.branches && last.target === undefined && !last.calls) return true;
    return (last.fallsThrough && next < 0) || (last.target !== undefined && target < 0);
  }

  /** As `#successors`, and which of them follow when what has been called, and was not foreseen, has come to its end. */
  #edges(n: number): { to: number; comesBack: boolean }[] {
    const block = this.#blocks[n]!;
    if (block.ways.length) return block.ways.map(to => ({ to, comesBack: false }));
    const calls = block.guesses.length > 0 && block.steps.at(-1)?.calls === true;
    return followers(block).map(to => ({ to: this.#via(n, to), comesBack: calls && to === block.next }));
  }

  #analyse(always: number): void {
    const blocks = this.#blocks;
    blocks.forEach((_, n) => {
      for (const to of this.#successors(n)) blocks[to]!.from.push(n);
    });
    // Backwards: what is needed. Leaving the region needs no particular form.
    const effects = blocks.map(({ steps }) => {
      let needed = 0;
      let set = 0;
      for (const { facts } of steps) {
        needed |= facts.readsWhole & ~set;
        set |= facts.setsRegisters ? EVERY : facts.writesWhole;
      }
      return { needed, set };
    });
    for (let changed = true; changed; ) {
      changed = false;
      for (let n = blocks.length - 1; n >= 0; n--) {
        const block = blocks[n]!;
        let after = 0;
        let code = this.#leaves(n);
        for (const { to, comesBack } of this.#edges(n)) {
          if (!comesBack) after |= blocks[to]!.wholeNeeded;
          // Something pending is looked at on the way back.
          code ||= blocks[to]!.codeNeeded || this.#flow.isBackward(n, to);
        }
        for (let k = block.steps.length - 1; k >= 0; k--) code = neededBefore(block.steps[k]!.facts, code);
        const whole = effects[n]!.needed | (after & ~effects[n]!.set);
        if (whole === block.wholeNeeded && code === block.codeNeeded) continue;
        block.wholeNeeded = whole;
        block.codeNeeded = code;
        changed = true;
      }
    }
    // Forwards: what there is.
    const order = this.#flow.sequence;
    // A kind of 0 says so at run time, too.
    blocks[0]!.code = 'value';
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of order) {
        const block = blocks[n]!;
        const now = {
          low: block.low | always,
          dirtyWhole: block.dirtyWhole,
          dirtyLow: block.dirtyLow,
          code: block.code,
        };
        block.low = now.low;
        for (const { facts } of block.steps) {
          now.low = (now.low & ~(facts.readsWhole | facts.writesWhole)) | facts.writesLow | always;
          if (facts.setsRegisters) now.low = always;
          now.dirtyWhole |= facts.writesWhole | facts.mayWrite;
          now.dirtyLow |= facts.writesLow;
          if (facts.code) now.code = facts.code;
        }
        for (const { to, comesBack } of this.#edges(n)) {
          const other = blocks[to]!;
          if (comesBack) Object.assign(now, { low: always, code: 'value' });
          const low = other.low | (now.low & ~other.wholeNeeded) | always;
          const dirtyWhole = other.dirtyWhole | now.dirtyWhole;
          const dirtyLow = other.dirtyLow | now.dirtyLow;
          const code = other.code === undefined || other.code === now.code ? now.code : 'any';
          const same =
            low === other.low && dirtyWhole === other.dirtyWhole && dirtyLow === other.dirtyLow && code === other.code;
          if (same) continue;
          changed = true;
          Object.assign(other, { low, dirtyWhole, dirtyLow, code });
        }
      }
    }
  }

  // General registers

  /** Hands out a local, and remembers it in case that the instruction sets it afterwards. */
  #give<T extends 'i32' | 'i64'>({ type, index }: Local<T>): Expr<T> {
    const e = x.local(type, index, true) as Local<T>;
    this.#given.push({ local: index, e });
    return e;
  }

  /** A local is about to be set: what the instruction has got of it keeps the old value. */
  #keep({ type, index }: Local<'i32' | 'i64'>): void {
    let copy: number | undefined;
    for (const { local, e } of this.#given) {
      if (local !== index || e.index !== index) continue;
      if (copy === undefined) {
        const temporary = this.f.temporary(type);
        this.f.set<'i32' | 'i64'>(temporary, x.local(type, index));
        copy = temporary.index;
      }
      e.index = copy;
    }
  }

  /** Bits 0-31 of the older value beside bits 32-63. */
  #joined(n: number): I64 {
    const low = i64.fromU(this.#low[n]!);
    const whole = this.#whole[n];
    if (!whole) return i64.or(i64.shl(i64.fromU(this.load32(state.GR + 8 * n + 4)), 32), low);
    return i64.or(i64.and(whole, k64(0xffff_ffff_0000_0000n)), low);
  }

  /** Brings a register into one local. */
  #join(n: number): void {
    if (!(this.#now.low & (1 << n))) return;
    this.f.set(this.#whole[n]!, this.#joined(n));
    this.#now.low &= ~(1 << n);
  }

  /** Gives a register's bits 32-63 a local of their own. */
  #divide(n: number): void {
    if (this.#now.low & (1 << n)) return;
    this.f.set(this.#low[n]!, i32.wrap(this.#whole[n]!));
    this.#now.low |= 1 << n;
  }

  /** Bits 0-63 as they are now. */
  whole(n: number): I64 {
    const bit = 1 << n;
    if (this.#now.low & bit) {
      if (this.#insn.depth || !this.#whole[n]) return this.f.evaluate(this.#joined(n));
      this.#join(n);
    }
    if (this.#current.facts.mayWrite & bit) return this.f.evaluate(this.#whole[n]!);
    return this.#give(this.#whole[n]!);
  }

  /** Bits 32-63 as they are now. */
  low(n: number): I32 {
    const bit = 1 << n;
    const { mayWrite } = this.#current.facts;
    if (this.#now.low & bit) return this.#give(this.#low[n]!);
    return i32.wrap(mayWrite & bit ? this.f.evaluate(this.#whole[n]!) : this.#give(this.#whole[n]!));
  }

  setWhole(n: number, value: I64): void {
    const local = this.#whole[n]!;
    this.#keep(local);
    this.f.set(local, value);
    this.#now.dirtyWhole |= 1 << n;
    if (!this.#insn.depth) this.#now.low &= ~(1 << n);
  }

  setLow(n: number, value: I32): void {
    const bit = 1 << n;
    if (this.#current.facts.mayWrite & bit) {
      const whole = this.#whole[n]!;
      return this.setWhole(n, i64.or(i64.and(whole, k64(0xffff_ffff_0000_0000n)), i64.fromU(value)));
    }
    const local = this.#low[n]!;
    this.#keep(local);
    this.f.set(local, value);
    this.#now.low |= bit;
    this.#now.dirtyLow |= bit;
  }

  setHigh(n: number, value: I32): void {
    this.setWhole(n, i64.or(i64.and(this.#whole[n]!, k64(0xffff_ffffn)), i64.shl(i64.fromU(value), 32)));
  }

  /** Stores what has been changed. */
  #storeRegisters(): void {
    const { low, dirtyWhole, dirtyLow } = this.#now;
    each(dirtyWhole | dirtyLow, n => {
      const bit = 1 << n;
      if (this.#whole[n] && (dirtyWhole & bit || !(low & bit))) this.store64(state.GR + 8 * n, this.#whole[n]!);
      if (low & bit) this.store32(state.GR + 8 * n, this.#low[n]!);
    });
  }

  // Routines

  /** Calls a routine, which may set registers in the CPU's block. */
  callRoutine(name: string, args: readonly Expr[]): I32 {
    const { f } = this;
    const { setsRegisters, stores } = this.#current.facts;
    if (setsRegisters) this.#storeRegisters();
    if (stores) f.set(this.#revocations, this.#revoked());
    const result = f.temporary('i32');
    this.#insn.ordered(() => f.set(result, x.call('i32', this.helpers.routine(name), ...args, k32(0))));
    if (setsRegisters) this.#loadRegisters();
    f.ifUnlikely(i32.ltS(result, 0), () => this.leaveHere(k32(0)));
    return result;
  }

  #loadRegisters(): void {
    for (let n = 0; n < 16; n++) {
      const [whole, low] = [this.#whole[n], this.#low[n]];
      if (whole) {
        this.#keep(whole);
        this.f.set(whole, this.load64(state.GR + 8 * n));
      }
      if (!low) continue;
      this.#keep(low);
      if (!whole) this.f.set(low, this.load32(state.GR + 8 * n));
    }
    this.#now.low = this.#always;
    this.#now.dirtyWhole = 0;
    this.#now.dirtyLow = 0;
  }

  #revoked(): I32 {
    return x.load('i32', loadOp.i32, k32(0), this.parts.options.layout.machine + state.REVOCATIONS);
  }

  /** A routine may have stored into the region itself. */
  #leaveIfRevoked(offset: number): void {
    this.f.ifUnlikely(i32.ne(this.#revocations, this.#revoked()), () => this.leaveAt(offset, k32(REGION_PENDING)));
  }

  // The condition code

  #operand(which: 'a' | 'b', type: 'i32' | 'i64'): Local<'i32' | 'i64'> {
    const name = which + type;
    const known = this.#operands.get(name);
    if (known) return known;
    const made = this.f.newLocal(type) as Local<'i32' | 'i64'>;
    this.#operands.set(name, made);
    return made;
  }

  /** Types of the operands of a kind; undefined: there is none. */
  #types(kind: CodeKind): readonly ['i32' | 'i64', ('i32' | 'i64')?] {
    const type = kind.endsWith('32') ? 'i32' : 'i64';
    if (kind.startsWith('logical')) return [type];
    return [type, kind.startsWith('result') || kind.startsWith('carried') ? 'i32' : type];
  }

  /** The operands of the condition code as it is kept. */
  #codeOperands(kind: CodeKind): readonly [Expr, Expr] {
    const [a, b] = this.#types(kind);
    return [this.#operand('a', a), this.#now.constant ?? (b ? this.#operand('b', b) : k32(0))];
  }

  setCode(kind: CodeKind, a: Expr, b?: Expr): void {
    if (!this.#codeWanted) return void (this.#now.code = undefined);
    if (this.#insn.depth) {
      const value =
        kind === 'value' ? (a as I32) : codeValue(kind, this.f.evaluate(a), b ? this.f.evaluate(b) : k32(0));
      return this.f.set(this.condition, value);
    }
    this.#now.code = kind;
    this.#now.constant = undefined;
    if (kind === 'value') return this.f.set(this.condition, a as I32);
    const [first, second] = this.#types(kind);
    // Either operand may be in what is set.
    const value = b && this.f.evaluate(b);
    this.f.set(this.#operand('a', first) as Expr, a);
    if (!second) return;
    if (value!.kind === 'const') this.#now.constant = value;
    else this.f.set(this.#operand('b', second) as Expr, value!);
  }

  /** The condition code as a value. */
  code(): I32 {
    const { code } = this.#now;
    if (code === undefined) throw new Error('the condition code is not known');
    if (code === 'value') return this.condition;
    if (code === 'any') return this.#anyCode();
    return codeValue(code, ...this.#codeOperands(code));
  }

  codeSelected(mask: number): I32 {
    const { code } = this.#now;
    if (mask === 0 || mask === 15) return k32(mask & 1);
    if (code === undefined || code === 'value' || code === 'any')
      return selectedValue(mask, this.f.evaluate(this.code()));
    return codeSelected(code, mask, ...this.#codeOperands(code));
  }

  /** The condition code that is kept in a way known at run time. */
  #anyCode(): I32 {
    return x.call(
      'i32',
      this.helpers.code,
      this.#codeKind,
      this.condition,
      this.#operand('a', 'i32'),
      this.#operand('b', 'i32'),
      this.#operand('a', 'i64'),
      this.#operand('b', 'i64'),
    );
  }

  /** Prepares for code that finds out at run time how the condition code is kept. */
  #noteCode(): void {
    const { code, constant } = this.#now;
    if (code === undefined || code === 'any') return;
    if (constant) this.f.set(this.#operand('b', constant.type as 'i32') as Expr, constant);
    this.f.set(this.#codeKind, k32(CODE_KINDS.indexOf(code)));
  }

  /** Puts the condition code where code that sets it in some cases only expects it. */
  #materialiseCode(): void {
    if (this.#now.code === undefined || this.#now.code === 'value') return;
    this.f.set(this.condition, this.code());
    this.#now.code = 'value';
    this.#now.constant = undefined;
  }

  // Building

  /** Names of the routines that it calls. */
  get routines(): string[] {
    return this.#blocks.flatMap(({ steps }) => steps.flatMap(({ facts }) => facts.routine ?? []));
  }

  build(helpers: Helpers): FunctionCode {
    const { f, cpu, parts } = this;
    this.helpers = helpers;
    if (!this.size) {
      this.helpers.interpret(this, this.condition);
      f.unreachable();
      return f;
    }
    if (cpu.kind === 'local') f.set(cpu, parts.cpu);
    this.#guard();
    if (this.#blocks[0]!.ways.length) f.set(this.#way, i32.and(this.load32(state.PSW_ADDRESS), 0xfff));
    f.set(this.dataContext, this.load32(state.DATA_CONTEXT));
    f.set(this.#breaking, k32(NO_BRANCH));
    for (let n = 0; n < 16; n++) {
      if (this.#whole[n]) f.set(this.#whole[n]!, this.load64(state.GR + 8 * n));
      if (this.#blocks[0]!.low & (1 << n) && this.#low[n]) f.set(this.#low[n]!, this.load32(state.GR + 8 * n));
    }
    const uses = this.#blocks.some(({ steps }) => steps.some(({ row }) => 'h2' in row.format.fields));
    if (uses) {
      const context = f.newLocal('i32');
      f.set(context, this.load32(state.FETCH_CONTEXT));
      this.#fetchContext = context;
    }
    f.block(exit => {
      this.#exit = exit;
      this.#flow.emit(f, block => this.#emitBlock(block));
    });
    this.#end();
    return f;
  }

  /** Where a region would have to look at each instruction, it is not entered. */
  #guard(): void {
    let mask = 0;
    let floating = false;
    for (const { steps } of this.#blocks) {
      for (const { facts } of steps) {
        // PSW bits 20 and 15.
        if (facts.needs.quietOverflow) mask |= 0x800;
        if (facts.needs.supervisor) mask |= 0x1_0000;
        floating ||= facts.needs.floatingPoint;
      }
    }
    const interpret = (): void => this.helpers.interpret(this, this.condition);
    if (mask) this.f.ifUnlikely(i32.and(this.load32(state.PSW_MASK + 4), mask), interpret);
    // CR0 bit 45.
    if (floating) this.f.ifUnlikely(i32.eqz(i32.and(this.load32(state.CR), 0x40000)), interpret);
  }

  get fetchContext(): I32 {
    return this.#fetchContext ?? this.load32(state.FETCH_CONTEXT);
  }

  #emitBlock(n: number): void {
    const block = this.#blocks[n]!;
    this.#block = n;
    if (n === 0 || this.#flow.isJoined(n)) {
      const { low, dirtyWhole, dirtyLow } = block;
      this.#now = { low, dirtyWhole, dirtyLow, code: block.codeNeeded ? block.code : undefined, constant: undefined };
    }
    if (block.ways.length) return this.#choose(block.ways);
    if (!block.steps.length) return this.#goToGoal(block.guesses);
    const wanted = this.#wanted(n);
    block.steps.forEach((step, k) => {
      const { offset, facts } = step;
      this.#current = step;
      this.#record = k32(offset);
      this.#codeWanted = wanted[k]!;
      this.#given.length = 0;
      this.f.releaseTemporaries();
      each(facts.mayWrite, register => this.#join(register));
      if (facts.mayKeepCode) this.#materialiseCode();
      this.#insn.compile(step);
      if (facts.stores) this.#leaveIfRevoked(offset + step.length);
      this.#now.dirtyWhole |= facts.mayWrite;
      if (facts.code === 'value') {
        this.#now.code = this.#codeWanted ? 'value' : undefined;
        this.#now.constant = undefined;
      }
      this.#block = n;
    });
    const last = block.steps.at(-1)!;
    if (last.fallsThrough) this.#to(block.next, last.offset + last.length);
    else this.f.unreachable();
  }

  /** Goes to the block that `#way` says. */
  #choose(ways: readonly number[]): void {
    const { f } = this;
    const keyOf = (way: number): number => this.#blocks[way]!.key;
    const among = (some: readonly number[]): void => {
      const middle = some.length >> 1;
      if (!middle) return this.#to(some[0]!, keyOf(some[0]!) % 4096);
      const [before, behind] = [some.slice(0, middle), some.slice(middle)];
      const choose = (part: readonly number[]) => (): void => this.#branch(() => among(part));
      f.if(i32.ltU(this.#way, keyOf(behind[0]!)), choose(before), choose(behind));
    };
    among([...ways].sort((a, b) => keyOf(a) - keyOf(b)));
    f.unreachable();
  }

  /** For each instruction of a block whether the condition code that it sets is asked for. */
  #wanted(n: number): boolean[] {
    const { steps } = this.#blocks[n]!;
    let code =
      this.#leaves(n) || this.#successors(n).some(to => this.#blocks[to]!.codeNeeded || this.#flow.isBackward(n, to));
    const wanted: boolean[] = new Array(steps.length);
    for (let k = steps.length - 1; k >= 0; k--) {
      wanted[k] = code || steps[k]!.facts.stores;
      code = neededBefore(steps[k]!.facts, code);
    }
    return wanted;
  }

  // Ways out

  /** Goes to a block, or leaves the region for the instruction at an offset, or at an address. */
  #to(block: number, to: number | I64): void {
    const from = this.#block;
    const leave = (): void => this.goTo(typeof to === 'number' ? this.pcAt(to) : to);
    if (block < 0) return leave();
    const via = this.#via(from, block);
    if (this.#flow.isBackward(from, via)) {
      this.f.ifUnlikely(this.load32(state.PENDING), () => {
        if (typeof to === 'number') this.leaveAt(to, k32(REGION_PENDING));
        else leave();
      });
    }
    if (via !== block) this.f.set(this.#way, k32(this.#blocks[block]!.key));
    if (this.#flow.isJoined(via)) this.#adapt(this.#blocks[via]!);
    this.#flow.jump(this.f, from, via, to => this.#emitBlock(to));
  }

  /** Brings the locals into the form that a block expects. */
  #adapt(block: Block): void {
    for (let n = 0; n < 16; n++) {
      if (!this.#low[n] || !this.#whole[n]) continue;
      if (block.low & (1 << n)) this.#divide(n);
      else this.#join(n);
    }
    if (!block.codeNeeded) return;
    if (block.code === 'any') return this.#noteCode();
    const { code, constant } = this.#now;
    if (code !== block.code) throw new Error(`the condition code is kept as ${code}, not ${block.code}`);
    if (constant) this.f.set(this.#operand('b', constant.type as 'i32') as Expr, constant);
  }

  /** The branch within the region is taken. */
  jumpNear(): void {
    const { target } = this.#current;
    this.#branch(() => {
      this.f.set(this.#breaking, this.#record);
      this.#to(this.#blocks[this.#block]!.target, target!);
    });
  }

  /** The branch to an address is taken, which may be in the region. */
  jumpFar(to: I64): void {
    const { steps, guesses, choice } = this.#blocks[this.#block]!;
    const isLast = this.#current === steps.at(-1);
    for (const { offset, block } of isLast ? guesses : []) {
      this.f.if(i64.eq(to, this.pcAt(offset)), () => {
        this.#branch(() => {
          this.f.set(this.#breaking, this.#record);
          this.#to(block, offset);
        });
      });
    }
    if (this.#current.calls) return this.#call(to);
    this.#branch(() => {
      if (isLast && choice >= 0) {
        this.f.set(this.#breaking, this.#record);
        this.f.set(this.#goal, to);
        return this.#to(choice, to);
      }
      this.store64(state.BEA, this.pc());
      this.#leaveFor(to);
    });
  }

  /** Goes on at the address in `#goal`. */
  #goToGoal(guesses: readonly Guess[]): void {
    const { f } = this;
    const offsets = guesses.map(({ offset }) => offset);
    const least = Math.min(...offsets);
    const count = (Math.max(...offsets) - least) / 2 + 1;
    const distance = f.evaluate(i64.sub(this.#goal, this.pcAt(least)));
    const outside = f.beginBlock();
    const labels = guesses.map(() => f.beginBlock()).reverse();
    f.brIf(outside, i64.geU(distance, 2 * count));
    const table = Array.from({ length: count }, () => outside);
    for (const [k, offset] of offsets.entries()) table[(offset - least) / 2] = labels[k]!;
    // That of an odd address is a large number.
    f.brTable(i32.rotr(i32.wrap(distance), 1), table, outside);
    for (const { offset, block } of guesses) {
      f.endBlock();
      this.#branch(() => this.#to(block, offset));
    }
    f.endBlock();
    this.goTo(this.#goal);
    f.unreachable();
  }

  /** Calls what is to come back to the next instruction. */
  #call(to: I64): void {
    const { f } = this;
    const { offset, length } = this.#current;
    this.store64(state.BEA, this.pc());
    this.#storeRegisters();
    const code = f.evaluate(this.code());
    const depth = f.evaluate(this.load32(state.CALL_DEPTH));
    f.ifUnlikely(i32.geU(depth, MOST_CALLS), () => f.returnCall(this.helpers.go, to, code));
    const outer = f.evaluate(this.load64(state.RETURN_ADDRESS));
    const page = f.evaluate(this.load64(state.CODE_PAGE_ADDRESS));
    const codePage = f.evaluate(this.load32(state.CODE_PAGE));
    this.store32(state.CALL_DEPTH, i32.add(depth, 1));
    this.store64(state.RETURN_ADDRESS, i64.add(page, offset + length));
    const result = f.evaluate(x.call('i32', this.helpers.go, to, code));
    this.store32(state.CALL_DEPTH, depth);
    this.store64(state.RETURN_ADDRESS, outer);
    f.ifUnlikely(i32.ne(result, REGION_RETURNED), () => f.return(result));
    this.store64(state.CODE_PAGE_ADDRESS, page);
    this.store32(state.CODE_PAGE, codePage);
    this.#given.length = 0;
    this.#loadRegisters();
    f.set(this.#breaking, k32(NO_BRANCH));
    f.set(this.condition, this.load32(state.CC));
    this.#now.code = 'value';
    this.#now.constant = undefined;
  }

  /** Makes code for one way; afterwards everything is known that was known before. */
  #branch(way: () => void): void {
    const [block, record, current, now] = [this.#block, this.#record, this.#current, { ...this.#now }];
    this.f.apart(way);
    if (current) this.#insn.goOnWith(current);
    this.#block = block;
    this.#record = record;
    this.#current = current;
    this.#now = now;
  }

  /** Leaves before the instruction at an offset, the locals being stored at the end of the code. */
  // The reason is REGION_PENDING or REGION_INTERPRET, or what `miss` has given: 0, or the address of the bounce buffer.
  leaveAt(offset: number, reason: I32): void {
    const { f } = this;
    each(this.#writtenLow, n => {
      if (this.#whole[n] && !(this.#now.low & (1 << n))) f.set(this.#low[n]!, i32.wrap(this.#whole[n]!));
    });
    this.#noteCode();
    f.set(this.#reason, reason);
    f.set(this.#distance, k32(offset));
    f.br(this.#exit);
  }

  /** Leaves before the instruction that is being compiled. */
  leaveHere(reason: I32): void {
    this.leaveAt(this.#current.offset, reason);
  }

  /** What `leaveAt` comes to. */
  #end(): void {
    const { f } = this;
    each(this.#written, n => {
      if (this.#whole[n]) this.store64(state.GR + 8 * n, this.#whole[n]!);
      if (this.#low[n]) this.store32(state.GR + 8 * n, this.#low[n]!);
    });
    this.#storeBreaking();
    this.store32(state.CC, this.#anyCode());
    this.store64(state.PSW_ADDRESS, i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#distance)));
    const exceptional = i32.select(this.#reason, REGION_INTERPRET, REGION_FAULT);
    f.push(
      i32.select(i32.and(i32.gtU(this.#reason, 1), i32.leU(this.#reason, REGION_INTERPRET)), this.#reason, exceptional),
    );
  }

  #storeBreaking(): void {
    this.f.if(i32.ne(this.#breaking, NO_BRANCH), () =>
      this.store64(state.BEA, i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#breaking))),
    );
  }

  override pc(): I64 {
    return i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#record));
  }
  pcAt(offset: number): I64 {
    return i64.add(this.load64(state.CODE_PAGE_ADDRESS), k64(offset));
  }

  goTo(va: I64): void {
    this.#storeBreaking();
    this.#leaveFor(va);
  }

  #leaveFor(va: I64): void {
    this.#storeRegisters();
    this.f.returnCall(this.helpers.go, va, this.code());
  }

  enter(): void {
    throw new Error('a region does not enter a page');
  }
  divert(): void {
    throw new Error('a region has no record to go to');
  }
}

/** Whether the condition code is asked for before an instruction, if it is after it. */
const neededBefore = ({ code, mayKeepCode, usesCode, mayExit, stores }: Facts, after: boolean): boolean =>
  usesCode || mayExit || ((after || stores) && (!code || mayKeepCode));

/** Functions that all regions of a module call. */
export class Helpers {
  /** (instruction address, condition code) -> REGION_*: goes on there, in another region if one begins there. */
  readonly go: number;
  /** (address, access) -> host address; 0 after an exception. */
  readonly miss: number;
  /** (kind, condition code, operands) -> condition code. */
  readonly code: number;
  readonly #parts: Parts;

  readonly #routines: ReadonlyMap<string, number>;

  constructor(module: ModuleBuilder, parts: Parts, imported: number, routines: ReadonlyMap<string, number>) {
    this.#parts = parts;
    this.#routines = routines;
    this.go = module.declareFunction(['i64', 'i32'], ['i32']);
    this.miss = module.declareFunction(['i64', 'i32'], ['i32']);
    this.code = module.declareFunction(['i32', 'i32', 'i32', 'i32', 'i64', 'i64'], ['i32']);
    module.defineFunction(this.go, this.#defineGo(module.type(['i32'], ['i32'])));
    module.defineFunction(this.miss, this.#defineMiss(imported));
    module.defineFunction(this.code, this.#defineCode());
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
    f.if(i64.eq(va, loadAt('i64', loadOp.i64, cpu, state.RETURN_ADDRESS)), () => leave(REGION_RETURNED));
    f.ifUnlikely(loadAt('i32', loadOp.i32, cpu, state.PENDING), () => leave(REGION_PENDING));
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
    const filled = f.evaluate(x.call('i32', this.routine('fill'), va, access));
    f.if(filled, () => f.return(filled));
    f.push(x.call('i32', imported, i32.wrap(va), i32.wrap(i64.shrU(va, 32)), access));
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
  const runs = sources.map(source => new RegionRun(parts, source));
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
