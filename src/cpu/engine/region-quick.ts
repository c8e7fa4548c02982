/**
 * A region whose general registers stay in the CPU's block: what is in locals lives for an instruction, or for a basic
 * block at most. The engine compiles it in half the time that one with registers in locals takes, because it is the
 * allocation of registers that takes long; and the state is exact wherever the region is left.
 */

import * as x from '../ir/expr.ts';
import { type I32, type I64, i32, i64, k32 } from '../ir/expr.ts';
import * as state from '../state.ts';
import { CODE_KINDS } from './condition.ts';
import { REGION_FAULT, REGION_INTERPRET } from './protocol.ts';
import { type Local, type Lookup, RegionRun } from './region.ts';

export class QuickRegion extends RegionRun {
  protected readonly mixedCode = 'value';

  protected begin(): void {}
  protected prepare(): void {}
  protected adapt(): void {}
  protected emit(blocks: () => void): void {
    blocks();
    this.f.unreachable();
  }

  whole(n: number): I64 {
    return this.f.evaluate(this.load64(state.GR + 8 * n));
  }
  low(n: number): I32 {
    return this.f.evaluate(this.load32(state.GR + 8 * n));
  }
  setWhole(n: number, value: I64): void {
    this.store64(state.GR + 8 * n, value);
  }
  setLow(n: number, value: I32): void {
    this.store32(state.GR + 8 * n, value);
  }
  setHigh(n: number, value: I32): void {
    this.store32(state.GR + 8 * n + 4, value);
  }
  protected storeRegisters(): void {}
  protected loadRegisters(): void {}

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
