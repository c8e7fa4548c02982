/**
 * A region whose general registers stay in the CPU's block: what is in locals lives for an instruction, or for a basic
 * block at most. The engine compiles it in half the time that one with registers in locals takes, because it is the
 * allocation of registers that takes long; and the state is exact wherever the region is left.
 */

import * as x from '../ir/expr.ts';
import { type Expr, type I32, type I64, i32, i64, k32 } from '../ir/expr.ts';
import * as state from '../state.ts';
import { CODE_KINDS } from './condition.ts';
import { REGION_FAULT, REGION_INTERPRET } from './protocol.ts';
import { type Local, type Lookup, NO_REGISTERS, RegionRun } from './region.ts';

/** Where what is known of bits 32-63 begins. */
const LOW = 16;

export class QuickRegion extends RegionRun {
  protected readonly mixedCode = 'value';

  /** Two locals for each register, in turn: what an instruction has got of it stays what it was when it is set. */
  readonly #locals: (readonly [Expr, Expr] | undefined)[] = [];
  /** Which of them have been set by the instruction. */
  readonly #set = new Set<number>();

  protected begin(): void {}
  protected prepare(): void {
    this.#set.clear();
  }
  protected adapt(): void {}
  protected emit(blocks: () => void): void {
    blocks();
    this.f.unreachable();
  }

  #know(at: number, local: Expr | undefined): void {
    if (this.now.registers[at] !== local) this.now.registers = this.now.registers.with(at, local);
  }

  /** Keeps what a register has in a local: not where that depends on what happens in an instruction. */
  #keep<T extends 'i32' | 'i64'>(at: number, value: Expr<T>): Expr<T> {
    const { f, insn } = this;
    if (insn.depth || this.#set.has(at)) {
      this.#know(at, undefined);
      return f.evaluate(value);
    }
    this.#set.add(at);
    const another = (): Expr => x.local(value.type, f.newLocal(value.type).index, true);
    const [a, b] = (this.#locals[at] ??= [another(), another()]);
    const local = (this.now.registers[at] === a ? b : a) as Local<T>;
    f.set<T>(local, value);
    this.#know(at, local);
    return local;
  }

  whole(n: number): I64 {
    const known = this.now.registers[n] as I64 | undefined;
    if (known) return known;
    const low = this.now.registers[LOW + n] as I32 | undefined;
    // What has been stored last is not loaded with more around it: the host would wait until it is in its cache.
    const value = low
      ? i64.or(i64.shl(i64.fromU(this.load32(state.GR + 8 * n + 4)), 32), i64.fromU(low))
      : this.load64(state.GR + 8 * n);
    return this.#keep(n, value);
  }
  low(n: number): I32 {
    const known = this.now.registers[LOW + n] as I32 | undefined;
    if (known) return known;
    const whole = this.now.registers[n] as I64 | undefined;
    return whole ? this.f.evaluate(i32.wrap(whole)) : this.#keep(LOW + n, this.load32(state.GR + 8 * n));
  }
  setWhole(n: number, value: I64): void {
    this.store64(state.GR + 8 * n, this.#keep(n, value));
    this.#know(LOW + n, undefined);
  }
  setLow(n: number, value: I32): void {
    this.store32(state.GR + 8 * n, this.#keep(LOW + n, value));
    this.#know(n, undefined);
  }
  setHigh(n: number, value: I32): void {
    this.store32(state.GR + 8 * n + 4, value);
    this.#know(n, undefined);
  }
  protected storeRegisters(): void {}
  protected loadRegisters(): void {
    this.now.registers = NO_REGISTERS;
  }
  protected override called(): void {
    this.now.registers = NO_REGISTERS;
  }

  /** The interpreter executes the instruction: a call here would have everything saved around it. */
  locate({ missed, found, check }: Lookup): I32 {
    const slow = (): void => this.leaveHere(k32(REGION_INTERPRET));
    this.f.ifUnlikely(missed, slow);
    const host = this.f.evaluate(found);
    check?.(host, slow);
    return host;
  }

  protected locateShared(host: Local<'i32'>, { missed, found }: Lookup): void {
    this.f.ifUnlikely(missed, () => this.leaveHere(k32(REGION_INTERPRET)));
    this.f.set(host, found);
  }

  protected sharedHost(host: Local<'i32'>, distance: number): I32 {
    return i32.add(host, -distance);
  }

  protected noteCode(): void {}
  protected anyCode(): I32 {
    throw new Error('a quick region knows how it keeps the condition code');
  }

  protected noteBranch(): void {
    this.store64(state.BEA, this.pc());
  }
  protected storeBreaking(): void {}

  leaveAt(offset: number, reason: I32): void {
    const { f, helpers } = this;
    const { code } = this.now;
    const constant = x.constant32(reason);
    const result =
      constant === undefined ? i32.select(reason, REGION_INTERPRET, REGION_FAULT) : k32(constant || REGION_FAULT);
    const where = i32.or(i32.shl(result, 16), offset);
    if (code === undefined || code === 'value') return f.returnCall(helpers.leaveValue, where, this.condition);
    if (code === 'any') return void this.anyCode();
    const [a, b] = this.codeOperands(code);
    const kind = k32(CODE_KINDS.indexOf(code));
    if (a.type === 'i32') return f.returnCall(helpers.leave32, where, kind, a, b);
    f.returnCall(helpers.leave64, where, kind, a, b.type === 'i64' ? b : i64.fromU(b as I32));
  }
}
