/**
 * A region: instructions of one page that can be reached from its entries by falling through and by branches within the
 * page, as one WebAssembly function made from the same rows as the interpreter. It is entered from the interpreter's
 * loop, and gives back where that is to go on. There are two kinds, which differ in where general registers are.
 */

import { FunctionCode, type Label, loadOp } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import * as state from '../state.ts';
import { type Block, flowOf, followers, type Guess, type RegionSource, type Step } from './blocks.ts';
import { CompiledInsn } from './compiled.ts';
import { codeSelected, codeValue, operandTypes, selectedValue } from './condition.ts';
import type { ControlFlow } from './control-flow.ts';
import type { CodeKind, Facts, StorageOperand } from './facts.ts';
import { REGION_LOOPING, REGION_PENDING, REGION_RETURNED } from './protocol.ts';
import type { Helpers } from './region-module.ts';
import { type Parts, Run } from './run.ts';

/** What is known where code is being made. */
export interface Situation {
  /** Registers of which bits 32-63 are in a local of their own, and those that have been changed, whole or there. */
  low: number;
  dirtyWhole: number;
  dirtyLow: number;
  /** How the condition code is kept: as a value, as operands, in a way known at run time only, or not at all. */
  code: CodeKind | 'any' | undefined;
  /** The second operand of the condition code, if it is a constant. */
  constant: Expr | undefined;
  /** What has been looked up in the TLB for several operands. */
  shared: readonly Shared[];
  /** In a quick region, locals that have what registers have: of all bits, by number, and behind them of bits 32-63. */
  registers: readonly (Expr | undefined)[];
}

/** Nothing is known of registers. */
export const NO_REGISTERS: readonly undefined[] = new Array(32).fill(undefined);

/** Bytes near the address in a base register that have been looked up at once. */
export interface Shared extends StorageOperand {
  /** Host address of the first byte. */
  readonly host: Local<'i32'>;
}

/** Most bytes that are looked up at once: what is said of a place reaches as far. */
const MOST_SHARED = state.BIAS;
/** How many instructions ahead operands are looked for. */
const LOOK_AHEAD = 40;

/** An operand that is accessed. */
export interface Operand {
  readonly va: I64;
  /** What `miss` is told of the access. */
  readonly kind: I32;
  /** The operand must be where it belongs, not in the bounce buffer. */
  readonly inPlace: boolean;
}

/** A look at the TLB. */
export interface Lookup extends Operand {
  /** Whether the entry does not serve the access. */
  readonly missed: I32;
  /** Host address according to the entry. */
  readonly found: I32;
  /** Looks whether the host address does after all, otherwise goes the slow way. */
  readonly check: ((host: I32, slow: () => void) => void) | undefined;
}

/** Most regions that wait for what they have called: each takes some of the stack. */
const MOST_CALLS = 300;

export type Local<T extends 'i32' | 'i64'> = Expr<T> & { kind: 'local' };

export abstract class RegionRun extends Run {
  #record: I32 = k32(0);
  readonly condition = x.local('i32', 0);
  readonly next: Label = { depth: 0 };
  readonly dispatch: Label = { depth: 0 };
  readonly fault: Label = { depth: 0 };
  readonly firstStorageToStorage = 0;
  helpers!: Helpers;
  protected readonly blocks: readonly Block[];
  protected readonly flow: ControlFlow;
  readonly #rerouted: readonly ReadonlySet<number>[];
  protected readonly insn: CompiledInsn;
  #block = 0;
  protected current!: Step;
  protected now: Situation = {
    low: 0,
    dirtyWhole: 0,
    dirtyLow: 0,
    code: 'value',
    constant: undefined,
    shared: [],
    registers: NO_REGISTERS,
  };
  /** Place of the instruction in its block. */
  #index = 0;
  readonly #sharedHosts: Local<'i32'>[] = [];
  /** Whether the condition code that the instruction sets is asked for. */
  #codeWanted = true;
  readonly #revocations = this.f.newLocal('i32');
  /** Where a branch leads whose target another block chooses. */
  readonly #goal = this.f.newLocal('i64');
  /** Offset of the instruction to which block 0 goes on. */
  readonly #way = this.f.newLocal('i32');
  readonly #operands: Local<'i32' | 'i64'>[] = [];
  readonly dataContext = this.f.newLocal('i32');
  #fetchContext: I32 | undefined;

  constructor(parts: Parts, source: RegionSource) {
    super(parts, new FunctionCode(1));
    const { blocks, flow, rerouted } = flowOf(source);
    this.blocks = blocks;
    this.flow = flow;
    this.#rerouted = rerouted;
    this.insn = new CompiledInsn(this);
  }

  get size(): number {
    return this.blocks.reduce((sum, { steps }) => sum + steps.length, 0);
  }

  // What each kind of regions does in its way

  /** Bits 0-63 of a general register as they are now; bits 32-63; and setting them. */
  abstract whole(n: number): I64;
  abstract low(n: number): I32;
  abstract setWhole(n: number, value: I64): void;
  abstract setLow(n: number, value: I32): void;
  abstract setHigh(n: number, value: I32): void;
  /** Brings what has been changed into the CPU's block, and what is in locals from there. */
  protected abstract storeRegisters(): void;
  protected abstract loadRegisters(): void;
  /** Where the operand of an access is; leaves the region if it is nowhere. */
  abstract locate(lookup: Lookup): I32;
  /** Sets a local to the host address of what several operands share. */
  protected abstract locateShared(host: Local<'i32'>, lookup: Lookup): void;
  /** Where one of these is: so many bytes behind the first. */
  protected abstract sharedHost(host: Local<'i32'>, distance: number, operand: () => Operand): I32;
  /** How the condition code is kept where ways with different kinds meet. */
  protected abstract readonly mixedCode: 'value' | 'any';
  protected abstract anyCode(): I32;
  protected abstract noteCode(): void;
  /** What has been called has come back. */
  protected called(): void {}
  /** The region is entered; comes to an instruction; goes to a block that several lead to; branches within; goes on elsewhere. */
  protected abstract begin(): void;
  protected abstract prepare(facts: Facts): void;
  protected abstract adapt(block: Block): void;
  protected abstract noteBranch(): void;
  protected abstract storeBreaking(): void;
  /** Emits all blocks, and what they lead to. */
  protected abstract emit(blocks: () => void): void;
  /**
   * Leaves before the instruction at an offset. The reason is REGION_PENDING, REGION_LOOPING or REGION_INTERPRET, or what `miss` has
   * given: 0, or the address of the bounce buffer.
   */
  abstract leaveAt(offset: number, reason: I32): void;

  get record(): I32 {
    return this.#record;
  }

  // What is known at the beginning of each block

  /** Edges within the region. */
  protected successors(n: number): readonly number[] {
    return this.edges(n).map(({ to }) => to);
  }

  /** The block by way of which one goes to another. */
  #via(from: number, to: number): number {
    return this.#rerouted[from]!.has(to) ? 0 : to;
  }

  /** Whether the region may be left from the end of a block. */
  protected leaves(n: number): boolean {
    const { next, target, steps, ways } = this.blocks[n]!;
    const last = steps.at(-1);
    if (!last) return !ways.length;
    if (last.row.branches && last.target === undefined && !last.calls) return true;
    return (last.fallsThrough && next < 0) || (last.target !== undefined && target < 0);
  }

  /** As `#successors`, and which of them follow when what has been called, and was not foreseen, has come to its end. */
  protected edges(n: number): { to: number; comesBack: boolean }[] {
    const block = this.blocks[n]!;
    if (block.ways.length) return block.ways.map(to => ({ to, comesBack: false }));
    const calls = block.guesses.length > 0 && block.steps.at(-1)?.calls === true;
    return followers(block).map(to => ({ to: this.#via(n, to), comesBack: calls && to === block.next }));
  }

  // Storage

  /** Where an operand is, if it shares a look at the TLB with others near it; else undefined. */
  share(operand: StorageOperand, kind: I32, inPlace: boolean): I32 | undefined {
    const { register, from, end, stores } = operand;
    const serves = (each: Shared): boolean =>
      each.register === register && each.from <= from && end <= each.end && (each.stores || !stores);
    const base = (): I64 => (register ? this.whole(register) : k64(0));
    const shared = this.now.shared.find(serves) ?? this.#lookUpShared(operand, base, kind, inPlace);
    if (!shared) return undefined;
    const { host } = shared;
    return this.sharedHost(host, from - shared.from, () => ({ va: i64.add(base(), k64(from)), kind, inPlace }));
  }

  #lookUpShared(operand: StorageOperand, base: () => I64, kind: I32, inPlace: boolean): Shared | undefined {
    const span = this.#spanOf(operand);
    if (!span) return undefined;
    const { f } = this;
    const host = this.#freeHost();
    const first = base();
    const start = f.evaluate(i64.add(first, k64(span.from)));
    const look = this.insn.look(start, k32(span.end - span.from), span.stores, this.dataContext);
    const va = i64.add(first, k64(operand.from));
    this.locateShared(host, { ...look, va, kind, inPlace, check: undefined });
    const shared = { ...span, host };
    this.now.shared = [...this.now.shared, shared];
    return shared;
  }

  #freeHost(): Local<'i32'> {
    const known = this.#sharedHosts.find(host => !this.now.shared.some(each => each.host === host));
    if (known) return known;
    const { type, index } = this.f.newLocal('i32');
    const made = x.local(type, index, true) as Local<'i32'>;
    this.#sharedHosts.push(made);
    return made;
  }

  /**
   * The operand with those that follow near it, if any, before the base register changes. What is stored to counts
   * if that is certain to happen, unless something else happens before.
   */
  #spanOf({ register, from, end, stores }: StorageOperand): StorageOperand | undefined {
    let others = -1;
    let left = LOOK_AHEAD;
    const look = (block: number, index: number, isCertain: boolean): void => {
      const { steps } = this.blocks[block]!;
      for (let k = index; k < steps.length && left--; k++) {
        const { facts } = steps[k]!;
        for (const operand of facts.operands) {
          if (operand.register !== register || (operand.stores && !stores && !isCertain)) continue;
          const [first, last] = [Math.min(from, operand.from), Math.max(end, operand.end)];
          if (last - first > MOST_SHARED) continue;
          [from, end] = [first, last];
          stores ||= operand.stores;
          others++;
        }
        if (facts.routine || facts.setsRegisters || writtenBy(facts) & (1 << register) & ~1) return;
      }
      for (const { to, comesBack } of left > 0 ? this.edges(block) : []) {
        if (!comesBack && !this.flow.isJoined(to)) look(to, 0, false);
      }
    };
    look(this.#block, this.#index, true);
    return others > 0 ? { register, from, end, stores } : undefined;
  }

  /** What has been looked up is of no use when the base register changes, or much may happen. */
  #forgetShared({ facts }: Step): void {
    const { now } = this;
    if (!now.shared.length) return;
    const written = writtenBy(facts) & ~1;
    const keeps = ({ register }: Shared): boolean => !(written & (1 << register));
    now.shared = facts.routine || facts.setsRegisters ? [] : now.shared.filter(keeps);
  }

  // Routines

  /** Calls a routine, which may set registers in the CPU's block. */
  callRoutine(name: string, args: readonly Expr[]): I32 {
    const { f } = this;
    const { setsRegisters, stores } = this.current.facts;
    if (setsRegisters) this.storeRegisters();
    if (stores) f.set(this.#revocations, this.#revoked());
    const result = f.temporary('i32');
    this.insn.ordered(() => f.set(result, x.call('i32', this.helpers.routine(name), ...args, k32(0))));
    if (setsRegisters) this.loadRegisters();
    f.ifUnlikely(i32.ltS(result, 0), () => this.leaveHere(k32(0)));
    return result;
  }

  #revoked(): I32 {
    return x.load('i32', loadOp.i32, k32(0), this.parts.options.layout.machine + state.REVOCATIONS);
  }

  /** A routine may have stored into the region itself. */
  #leaveIfRevoked(offset: number): void {
    this.f.ifUnlikely(i32.ne(this.#revocations, this.#revoked()), () => this.leaveAt(offset, k32(REGION_PENDING)));
  }

  // The condition code

  protected operand(which: 'a' | 'b', type: 'i32' | 'i64'): Local<'i32' | 'i64'> {
    const n = (which === 'a' ? 0 : 1) + (type === 'i32' ? 0 : 2);
    this.#operands[n] ??= this.f.newLocal(type) as Local<'i32' | 'i64'>;
    return this.#operands[n];
  }

  /** The operands of the condition code as it is kept. */
  protected codeOperands(kind: CodeKind): readonly [Expr, Expr] {
    const [a, b] = operandTypes(kind);
    return [this.operand('a', a), this.now.constant ?? (b ? this.operand('b', b) : k32(0))];
  }

  setCode(kind: CodeKind, a: Expr, b?: Expr): void {
    if (!this.#codeWanted) return void (this.now.code = undefined);
    if (this.insn.depth) {
      const value =
        kind === 'value' ? (a as I32) : codeValue(kind, this.f.evaluate(a), b ? this.f.evaluate(b) : k32(0));
      return this.f.set(this.condition, value);
    }
    this.now.code = kind;
    this.now.constant = undefined;
    if (kind === 'value') return this.f.set(this.condition, a as I32);
    const [first, second] = operandTypes(kind);
    // Either operand may be in what is set.
    const value = b && this.f.evaluate(b);
    this.f.set(this.operand('a', first) as Expr, a);
    if (!second) return;
    if (value!.kind === 'const') this.now.constant = value;
    else this.f.set(this.operand('b', second) as Expr, value!);
  }

  /** The condition code as a value. */
  code(): I32 {
    const { code } = this.now;
    if (code === undefined) throw new Error('the condition code is not known');
    if (code === 'value') return this.condition;
    if (code === 'any') return this.anyCode();
    return codeValue(code, ...this.codeOperands(code));
  }

  codeSelected(mask: number): I32 {
    const { code } = this.now;
    if (mask === 0 || mask === 15) return k32(mask & 1);
    if (code === undefined || code === 'value' || code === 'any')
      return selectedValue(mask, this.f.evaluate(this.code()));
    return codeSelected(code, mask, ...this.codeOperands(code));
  }

  /** Puts the condition code where code that sets it in some cases only expects it. */
  protected materialiseCode(): void {
    if (this.now.code === undefined || this.now.code === 'value') return;
    this.f.set(this.condition, this.code());
    this.now.code = 'value';
    this.now.constant = undefined;
  }

  // Building

  /** Names of the routines that it calls. */
  get routines(): string[] {
    return this.blocks.flatMap(({ steps }) => steps.flatMap(({ facts }) => facts.routine ?? []));
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
    this.#analyseCode();
    this.#guard();
    if (this.blocks[0]!.ways.length) f.set(this.#way, i32.and(this.load32(state.PSW_ADDRESS), 0xfff));
    f.set(this.dataContext, this.load32(state.DATA_CONTEXT));
    this.begin();
    const uses = this.blocks.some(({ steps }) => steps.some(({ row }) => 'h2' in row.format.fields));
    if (uses) {
      const context = f.newLocal('i32');
      f.set(context, this.load32(state.FETCH_CONTEXT));
      this.#fetchContext = context;
    }
    this.emit(() => this.flow.emit(f, block => this.#emitBlock(block)));
    return f;
  }

  /** Where a region would have to look at each instruction, it is not entered. */
  #guard(): void {
    let mask = 0;
    let controls = 0;
    for (const { steps } of this.blocks) {
      for (const { facts } of steps) {
        // PSW bits 20 and 15.
        if (facts.needs.quietOverflow) mask |= 0x800;
        if (facts.needs.supervisor) mask |= 0x1_0000;
        controls |= facts.needs.controls;
      }
    }
    const interpret = (): void => this.helpers.interpret(this, this.condition);
    if (mask) this.f.ifUnlikely(i32.and(this.load32(state.PSW_MASK + 4), mask), interpret);
    if (!controls) return;
    this.f.ifUnlikely(i32.ne(i32.and(this.load32(state.CR), controls), controls), interpret);
  }

  get fetchContext(): I32 {
    return this.#fetchContext ?? this.load32(state.FETCH_CONTEXT);
  }

  #emitBlock(n: number): void {
    const block = this.blocks[n]!;
    this.#block = n;
    if (n === 0 || this.flow.isJoined(n)) {
      const { low, dirtyWhole, dirtyLow } = block;
      const code = block.codeNeeded ? block.code : undefined;
      this.now = { low, dirtyWhole, dirtyLow, code, constant: undefined, shared: [], registers: NO_REGISTERS };
    }
    if (block.ways.length) return this.#choose(block.ways);
    if (!block.steps.length) return this.#goToGoal(block.guesses);
    const wanted = this.#wanted(n);
    block.steps.forEach((step, k) => {
      const { offset, facts } = step;
      this.current = step;
      this.#index = k;
      this.#record = k32(offset);
      this.#codeWanted = wanted[k]!;
      this.f.releaseTemporaries();
      this.prepare(facts);
      if (facts.mayKeepCode) this.materialiseCode();
      // What follows a branch is emitted with it.
      if (step.row.branches) this.#forgetShared(step);
      this.insn.compile(step);
      this.#forgetShared(step);
      if (facts.stores) this.#leaveIfRevoked(offset + step.length);
      this.now.dirtyWhole |= facts.mayWrite;
      if (facts.code === 'value') {
        this.now.code = this.#codeWanted ? 'value' : undefined;
        this.now.constant = undefined;
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
    const keyOf = (way: number): number => this.blocks[way]!.key;
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

  /** Finds out where the condition code is needed, and how it is kept at the beginning of each block. */
  #analyseCode(): void {
    const { blocks } = this;
    // Backwards: whether it is asked for before a block, if it is not behind it.
    const asked = blocks.map(({ steps }) => neededBeforeAll(steps, false));
    const passed = blocks.map(({ steps }) => neededBeforeAll(steps, true));
    for (let changed = true; changed; ) {
      changed = false;
      for (let n = blocks.length - 1; n >= 0; n--) {
        const block = blocks[n]!;
        if (block.codeNeeded || !passed[n]) continue;
        block.codeNeeded = asked[n]! || this.#neededBehind(n);
        changed ||= block.codeNeeded;
      }
    }
    // Forwards: what there is. A kind of 0 says so at run time, too.
    blocks[0]!.code = 'value';
    const set = blocks.map(({ steps }) => steps.findLast(({ facts }) => facts.code)?.facts.code);
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of this.flow.sequence) {
        for (const { to, comesBack } of this.edges(n)) {
          const other = blocks[to]!;
          const now = comesBack ? 'value' : (set[n] ?? blocks[n]!.code);
          const code = other.code === undefined || other.code === now ? now : this.mixedCode;
          changed ||= code !== other.code;
          other.code = code;
        }
      }
    }
  }

  /** Whether the condition code is asked for behind a block; something pending is looked at on the way back. */
  #neededBehind(n: number): boolean {
    return this.leaves(n) || this.successors(n).some(to => this.blocks[to]!.codeNeeded || this.flow.isBackward(n, to));
  }

  /** For each instruction of a block whether the condition code that it sets is asked for. */
  #wanted(n: number): boolean[] {
    const { steps } = this.blocks[n]!;
    let code = this.#neededBehind(n);
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
    if (this.flow.isBackward(from, via)) {
      this.f.ifUnlikely(this.load32(state.PENDING), () => {
        if (typeof to === 'number') this.leaveAt(to, k32(REGION_LOOPING));
        else this.#stop(to);
      });
    }
    if (via !== block) this.f.set(this.#way, k32(this.blocks[block]!.key));
    if (this.flow.isJoined(via)) this.#meet(this.blocks[via]!);
    this.flow.jump(this.f, from, via, to => this.#emitBlock(to));
  }

  /** Brings what is known into the form that a block expects. */
  #meet(block: Block): void {
    this.adapt(block);
    if (!block.codeNeeded) return;
    if (block.code === 'any') return this.noteCode();
    if (block.code === 'value') this.materialiseCode();
    const { code } = this.now;
    if (code !== block.code) throw new Error(`the condition code is kept as ${code}, not ${block.code}`);
    this.noteConstant();
  }

  /** Puts the second operand of the condition code where it is looked for if it is not known to be a constant. */
  protected noteConstant(): void {
    const { constant } = this.now;
    if (constant) this.f.set(this.operand('b', constant.type as 'i32') as Expr, constant);
  }

  /** The branch within the region is taken. */
  jumpNear(): void {
    const { target } = this.current;
    this.#branch(() => {
      this.noteBranch();
      this.#to(this.blocks[this.#block]!.target, target!);
    });
  }

  /** The branch to an address is taken, which may be in the region. */
  jumpFar(to: I64): void {
    const { steps, guesses, choice } = this.blocks[this.#block]!;
    const isLast = this.current === steps.at(-1);
    for (const { offset, block } of isLast ? guesses : []) {
      this.f.if(i64.eq(to, this.pcAt(offset)), () => {
        this.#branch(() => {
          this.noteBranch();
          this.#to(block, offset);
        });
      });
    }
    if (this.current.calls) return this.#call(to);
    this.#branch(() => {
      if (isLast && choice >= 0) {
        this.noteBranch();
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
    const { offset, length } = this.current;
    this.store64(state.BEA, this.pc());
    this.storeRegisters();
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
    this.called();
    this.now.shared = [];
    f.set(this.condition, this.load32(state.CC));
    this.now.code = 'value';
    this.now.constant = undefined;
  }

  /** Makes code for one way; afterwards everything is known that was known before. */
  #branch(way: () => void): void {
    const [block, record, current, now] = [this.#block, this.#record, this.current, { ...this.now }];
    this.f.apart(way);
    if (current) this.insn.goOnWith(current);
    this.#block = block;
    this.#record = record;
    this.current = current;
    this.now = now;
  }

  /** Leaves before the instruction that is being compiled. */
  leaveHere(reason: I32): void {
    this.leaveAt(this.current.offset, reason);
  }

  override pc(): I64 {
    return i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#record));
  }
  pcAt(offset: number): I64 {
    return i64.add(this.load64(state.CODE_PAGE_ADDRESS), k64(offset));
  }

  goTo(va: I64): void {
    this.storeBreaking();
    this.#leaveFor(va);
  }

  /** As `goTo`, because something is pending. */
  #stop(va: I64): void {
    this.storeBreaking();
    this.storeRegisters();
    this.store32(state.CC, this.code());
    this.store64(state.PSW_ADDRESS, va);
    this.f.return(k32(REGION_LOOPING));
  }

  #leaveFor(va: I64): void {
    this.storeRegisters();
    this.f.returnCall(this.helpers.go, va, this.code());
  }

  enter(): void {
    throw new Error('a region does not enter a page');
  }
  divert(): void {
    throw new Error('a region has no record to go to');
  }
}

/** Registers that may be changed. */
const writtenBy = ({ writesWhole, writesLow, mayWrite }: Facts): number => writesWhole | writesLow | mayWrite;

/** Whether the condition code is asked for before an instruction, if it is after it. */
const neededBefore = ({ code, mayKeepCode, usesCode, mayExit, stores }: Facts, after: boolean): boolean =>
  usesCode || mayExit || ((after || stores) && (!code || mayKeepCode));

const neededBeforeAll = (steps: readonly Step[], after: boolean): boolean =>
  steps.reduceRight((code, { facts }) => neededBefore(facts, code), after);
