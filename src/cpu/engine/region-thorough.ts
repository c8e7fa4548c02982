/**
 * A region whose general registers are in locals, as the condition code is: the engine takes long to compile it, and the
 * code is fast.
 */

import type { Label } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import * as state from '../state.ts';
import type { Block } from './blocks.ts';
import { CODE_KINDS } from './condition.ts';
import type { Facts } from './facts.ts';
import { REGION_FAULT, REGION_INTERPRET, REGION_LOOPING } from './protocol.ts';
import { type Local, type Lookup, type Operand, RegionRun } from './region.ts';

/** The breaking-event address has not changed since the region was entered. */
const NO_BRANCH = 1;

/** Registers by number, for each bit of a set. */
function each(set: number, visit: (register: number) => void): void {
  for (let rest = set; rest; rest &= rest - 1) visit(31 - Math.clz32(rest & -rest));
}

const EVERY = 0xffff;

export class ThoroughRegion extends RegionRun {
  protected readonly mixedCode = 'any';

  // General registers: bits 0-63, or bits 32-63 beside the older bits 0-31.
  readonly #whole: (Local<'i64'> | undefined)[] = [];
  readonly #low: (Local<'i32'> | undefined)[] = [];
  /** Expressions for registers that the instruction has got. */
  readonly #given: { readonly local: number; readonly e: Local<'i32' | 'i64'> }[] = [];
  #written = 0;
  #writtenLow = 0;
  /** Registers that are only ever used for bits 32-63. */
  #always = 0;

  // What the code at the end needs
  #exit!: Label;
  readonly #reason = this.f.newLocal('i32');
  readonly #distance = this.f.newLocal('i32');
  readonly #breaking = this.f.newLocal('i32');
  readonly #codeKind = this.f.newLocal('i32');

  protected begin(): void {
    const { f } = this;
    const all = this.blocks.flatMap(({ steps }) => steps.map(({ facts }) => facts));
    const union = (of: (facts: Facts) => number): number => all.reduce((set, facts) => set | of(facts), 0);
    const whole = union(facts => facts.readsWhole | facts.writesWhole | facts.mayWrite);
    this.#writtenLow = union(facts => facts.writesLow);
    this.#written = this.#writtenLow | union(facts => facts.writesWhole | facts.mayWrite);
    const low = this.#writtenLow | (union(facts => facts.readsLow) & ~whole);
    this.#always = low & ~whole;
    this.#analyse();
    f.set(this.#breaking, k32(NO_BRANCH));
    for (let n = 0; n < 16; n++) {
      const bit = 1 << n;
      if (whole & bit) {
        this.#whole[n] = f.newLocal('i64');
        f.set(this.#whole[n]!, this.load64(state.GR + 8 * n));
      }
      if (!(low & bit)) continue;
      this.#low[n] = f.newLocal('i32');
      if (this.blocks[0]!.low & bit) f.set(this.#low[n]!, this.load32(state.GR + 8 * n));
    }
  }

  /** Finds out in which form registers are needed, and are, at the beginning of each block. */
  #analyse(): void {
    const { blocks } = this;
    const always = this.#always;
    const effects = blocks.map(({ steps }) => {
      const effect = { needed: 0, set: 0, kept: EVERY, low: 0, dirtyWhole: 0, dirtyLow: 0 };
      for (const { facts } of steps) {
        effect.needed |= facts.readsWhole & ~effect.set;
        effect.set |= facts.setsRegisters ? EVERY : facts.writesWhole;
        const joined = facts.setsRegisters ? EVERY : facts.readsWhole | facts.writesWhole;
        effect.kept &= ~joined;
        effect.low = (effect.low & ~joined) | (facts.setsRegisters ? 0 : facts.writesLow);
        effect.dirtyWhole |= facts.writesWhole | facts.mayWrite;
        effect.dirtyLow |= facts.writesLow;
      }
      return effect;
    });
    // Backwards: what is needed. Leaving the region needs no particular form.
    for (let changed = true; changed; ) {
      changed = false;
      for (let n = blocks.length - 1; n >= 0; n--) {
        const block = blocks[n]!;
        let after = 0;
        for (const { to, comesBack } of this.edges(n)) if (!comesBack) after |= blocks[to]!.wholeNeeded;
        const needed = effects[n]!.needed | (after & ~effects[n]!.set);
        changed ||= needed !== block.wholeNeeded;
        block.wholeNeeded = needed;
      }
    }
    // Forwards: what there is.
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of this.flow.sequence) {
        const block = blocks[n]!;
        const effect = effects[n]!;
        block.low |= always;
        const behind = (block.low & effect.kept) | effect.low | always;
        for (const { to, comesBack } of this.edges(n)) {
          const other = blocks[to]!;
          const low = other.low | ((comesBack ? 0 : behind) & ~other.wholeNeeded) | always;
          const dirtyWhole = other.dirtyWhole | block.dirtyWhole | effect.dirtyWhole;
          const dirtyLow = other.dirtyLow | block.dirtyLow | effect.dirtyLow;
          if (low === other.low && dirtyWhole === other.dirtyWhole && dirtyLow === other.dirtyLow) continue;
          changed = true;
          Object.assign(other, { low, dirtyWhole, dirtyLow });
        }
      }
    }
  }

  protected prepare(facts: Facts): void {
    this.#given.length = 0;
    each(facts.mayWrite, register => this.#join(register));
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
    if (!(this.now.low & (1 << n))) return;
    this.f.set(this.#whole[n]!, this.#joined(n));
    this.now.low &= ~(1 << n);
  }

  /** Gives a register's bits 32-63 a local of their own. */
  #divide(n: number): void {
    if (this.now.low & (1 << n)) return;
    this.f.set(this.#low[n]!, i32.wrap(this.#whole[n]!));
    this.now.low |= 1 << n;
  }

  /** Bits 0-63 as they are now. */
  whole(n: number): I64 {
    const bit = 1 << n;
    if (this.now.low & bit) {
      if (this.insn.depth || !this.#whole[n]) return this.f.evaluate(this.#joined(n));
      this.#join(n);
    }
    if (this.current.facts.mayWrite & bit) return this.f.evaluate(this.#whole[n]!);
    return this.#give(this.#whole[n]!);
  }

  /** Bits 32-63 as they are now. */
  low(n: number): I32 {
    const bit = 1 << n;
    const { mayWrite } = this.current.facts;
    if (this.now.low & bit) return this.#give(this.#low[n]!);
    return i32.wrap(mayWrite & bit ? this.f.evaluate(this.#whole[n]!) : this.#give(this.#whole[n]!));
  }

  setWhole(n: number, value: I64): void {
    const local = this.#whole[n]!;
    this.#keep(local);
    this.f.set(local, value);
    this.now.dirtyWhole |= 1 << n;
    if (!this.insn.depth) this.now.low &= ~(1 << n);
  }

  setLow(n: number, value: I32): void {
    const bit = 1 << n;
    if (this.current.facts.mayWrite & bit) {
      const whole = this.#whole[n]!;
      return this.setWhole(n, i64.or(i64.and(whole, k64(0xffff_ffff_0000_0000n)), i64.fromU(value)));
    }
    const local = this.#low[n]!;
    this.#keep(local);
    this.f.set(local, value);
    this.now.low |= bit;
    this.now.dirtyLow |= bit;
  }

  setHigh(n: number, value: I32): void {
    this.setWhole(n, i64.or(i64.and(this.#whole[n]!, k64(0xffff_ffffn)), i64.shl(i64.fromU(value), 32)));
  }

  protected storeRegisters(): void {
    const { low, dirtyWhole, dirtyLow } = this.now;
    each(dirtyWhole | dirtyLow, n => {
      const bit = 1 << n;
      if (this.#whole[n] && (dirtyWhole & bit || !(low & bit))) this.store64(state.GR + 8 * n, this.#whole[n]!);
      if (low & bit) this.store32(state.GR + 8 * n, this.#low[n]!);
    });
  }

  protected loadRegisters(): void {
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
    this.now.low = this.#always;
    this.now.dirtyWhole = 0;
    this.now.dirtyLow = 0;
  }

  protected adapt(block: Block): void {
    for (let n = 0; n < 16; n++) {
      if (!this.#low[n] || !this.#whole[n]) continue;
      if (block.low & (1 << n)) this.#divide(n);
      else this.#join(n);
    }
  }

  // Storage

  locate(lookup: Lookup): I32 {
    const { f } = this;
    const { missed, found, check } = lookup;
    const host = f.temporary('i32');
    f.set(host, found);
    const slow = (): void => this.#miss(host, lookup);
    f.ifUnlikely(missed, slow, check && (() => check(host, slow)));
    return host;
  }

  /** Asks where an operand is. */
  #miss(host: Local<'i32'>, { va, kind, inPlace }: Operand): void {
    const { f } = this;
    f.set(host, x.call('i32', this.helpers.miss, va, kind));
    // What goes to the bounce buffer, code perhaps, is stored by the interpreter.
    f.ifUnlikely(inPlace ? i32.ltU(host, this.parts.options.layout.keys) : i32.eqz(host), () => this.leaveHere(host));
  }

  /** Zero where only the operands themselves may be looked up: an exception of one that follows would come too early. */
  protected locateShared(host: Local<'i32'>, lookup: Lookup): void {
    const { f } = this;
    const { missed, found } = lookup;
    f.set(host, found);
    f.ifUnlikely(missed, () => {
      this.#miss(f.temporary('i32'), lookup);
      f.set(host, i32.select(missed, 0, found));
    });
  }

  protected sharedHost(shared: Local<'i32'>, distance: number, operandOf: () => Operand): I32 {
    const { f } = this;
    const operand = operandOf();
    const host = f.temporary('i32');
    f.set<'i32'>(host, shared);
    f.ifUnlikely(i32.eqz(shared), () => {
      this.#miss(host, operand);
      f.set<'i32'>(host, i32.add(host, distance));
    });
    return i32.add(host, -distance);
  }

  // The condition code

  /** The condition code that is kept in a way known at run time. */
  protected anyCode(): I32 {
    return x.call(
      'i32',
      this.helpers.code,
      this.#codeKind,
      this.condition,
      this.operand('a', 'i32'),
      this.operand('b', 'i32'),
      this.operand('a', 'i64'),
      this.operand('b', 'i64'),
    );
  }

  /** Prepares for code that finds out at run time how the condition code is kept. */
  protected noteCode(): void {
    const { code } = this.now;
    if (code === undefined || code === 'any') return;
    this.noteConstant();
    this.f.set(this.#codeKind, k32(CODE_KINDS.indexOf(code)));
  }

  // Ways out

  protected noteBranch(): void {
    this.f.set(this.#breaking, this.record);
  }

  protected override called(): void {
    this.#given.length = 0;
    this.loadRegisters();
    this.f.set(this.#breaking, k32(NO_BRANCH));
  }

  protected storeBreaking(): void {
    this.f.if(i32.ne(this.#breaking, NO_BRANCH), () =>
      this.store64(state.BEA, i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#breaking))),
    );
  }

  protected emit(blocks: () => void): void {
    this.f.block(exit => {
      this.#exit = exit;
      blocks();
    });
    this.#end();
  }

  /** The locals are stored in one place for all. */
  leaveAt(offset: number, reason: I32): void {
    const { f } = this;
    each(this.#writtenLow, n => {
      if (this.#whole[n] && !(this.now.low & (1 << n))) f.set(this.#low[n]!, i32.wrap(this.#whole[n]!));
    });
    this.noteCode();
    f.set(this.#reason, reason);
    f.set(this.#distance, k32(offset));
    f.br(this.#exit);
  }

  #end(): void {
    const { f } = this;
    each(this.#written, n => {
      if (this.#whole[n]) this.store64(state.GR + 8 * n, this.#whole[n]!);
      if (this.#low[n]) this.store32(state.GR + 8 * n, this.#low[n]!);
    });
    this.storeBreaking();
    this.store32(state.CC, this.anyCode());
    this.store64(state.PSW_ADDRESS, i64.add(this.load64(state.CODE_PAGE_ADDRESS), i64.fromS(this.#distance)));
    const exceptional = i32.select(this.#reason, REGION_INTERPRET, REGION_FAULT);
    f.push(
      i32.select(i32.and(i32.gtU(this.#reason, 1), i32.leU(this.#reason, REGION_LOOPING)), this.#reason, exceptional),
    );
  }
}
