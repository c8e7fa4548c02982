/** A CPU of counted mode: it runs by turns of so many instructions, and looks at its timers exactly when they are due. */

import type { Storage } from '../machine/storage.ts';
import { Cpu, type StopReason } from './cpu.ts';
import { EXIT_BREAKPOINT } from './engine/protocol.ts';
import type { Instruction } from './isa/insn.ts';
import { PSW_EXTERNAL, PSW_IO, PSW_MACHINE_CHECK, PSW_WAIT } from './registers.ts';
import * as state from './state.ts';
import type { VirtualTime } from './virtual-time.ts';

/** `over`: the turn's instructions are used up, or the CPU gives way; `waiting`: it has nothing to do. */
export type TurnEnd = 'over' | 'waiting' | StopReason;

const PSW_ENABLED = PSW_IO | PSW_EXTERNAL | PSW_MACHINE_CHECK;

export class CountedCpu extends Cpu {
  readonly #time: VirtualTime;
  readonly #fuel: number;
  /** Instructions that are left of the turn. */
  left = 0;
  #givesWay = false;

  constructor(storage: Storage, number: number, rows: readonly Instruction[], time: VirtualTime) {
    super(storage, number, rows, false, time);
    this.#time = time;
    this.#fuel = (this.base + state.FUEL) >>> 2;
    this.counted = true;
  }

  /** Goes on with its turn. */
  turn(): TurnEnd {
    const end = this.#turn();
    // SIGNAL PROCESSOR tells of it.
    if (end === 'waiting') this.setField32(state.RUNNING, 0);
    if (end === 'over') this.setField32(state.RUNNING, 1);
    return end;
  }

  #turn(): TurnEnd {
    const { i32, interruptions, timers } = this;
    const pending = (this.base + state.PENDING) >>> 2;
    for (;;) {
      const asked = Atomics.exchange(i32, pending, 0);
      if (asked & state.PENDING_REQUEST) this.obey();
      if (asked & state.PENDING_STOP) return 'request';
      if (this.stopping) {
        this.stopping = false;
        return 'stopped';
      }
      const cpuState = this.field32(state.CPU_STATE);
      if (cpuState !== state.CPU_OPERATING && cpuState !== state.CPU_DISABLED_WAIT) return 'waiting';
      timers.changed = false;
      for (let look = true; interruptions.take(look); ) look = false;
      if (interruptions.looping) {
        const { looping } = interruptions;
        interruptions.looping = undefined;
        return looping;
      }
      if (this.field32(state.CPU_STATE) === state.CPU_CHECK_STOP)
        return this.othersOperate() ? 'waiting' : 'check-stop';
      if (this.pswMask & PSW_WAIT) {
        if (this.pswMask & PSW_ENABLED) return 'waiting';
        Atomics.store(i32, (this.base + state.CPU_STATE) >>> 2, state.CPU_DISABLED_WAIT);
        return this.othersOperate() ? 'waiting' : 'disabled-wait';
      }
      if (cpuState !== state.CPU_OPERATING) this.enterOperatingState();
      if (this.#time.toGoal <= 0) {
        this.#time.forgetGoal();
        return 'breakpoint';
      }
      if (this.#givesWay || this.left <= 0) {
        this.#givesWay = false;
        return 'over';
      }
      if (this.#execute() === EXIT_BREAKPOINT) {
        if (this.code.breakpoints.has(this.pswAddress)) return 'breakpoint';
        this.single();
      }
    }
  }

  /** Executes instructions until something must be looked at. Returns EXIT_*. */
  #execute(): number {
    if (this.onInstruction) {
      this.onInstruction();
      this.single();
      return this.code.breakpoints.has(this.pswAddress) ? EXIT_BREAKPOINT : 0;
    }
    const due = Math.min(this.left, this.#time.toGoal, this.#untilTimer());
    this.#time.grant(this.#fuel, this.per.on ? 1 : due);
    const reason = this.step();
    this.#settle();
    return reason;
  }

  #settle(): void {
    const executed = this.#time.settle();
    this.left -= executed;
    this.setField64(state.INSTRUCTION_COUNT, this.field64(state.INSTRUCTION_COUNT) + BigInt(executed));
  }

  /** Instructions until a timer is due that is not due yet. */
  #untilTimer(): number {
    const { timers } = this;
    const now = timers.now();
    let next = Number.POSITIVE_INFINITY;
    for (const due of timers.due()) if (due > now && due < next) next = due;
    return next === Number.POSITIVE_INFINITY ? next : this.#time.until(next);
  }

  override single(): void {
    this.#time.grant(this.#fuel, 1);
    super.single();
    this.#settle();
  }

  override yieldSlice(): void {
    this.#givesWay = true;
    Atomics.or(this.i32, (this.base + state.PENDING) >>> 2, state.PENDING_INTERRUPTION);
  }

  /** When a timer ends the wait in which the CPU is, in milliseconds. */
  get wakes(): number {
    if (this.field32(state.CPU_STATE) !== state.CPU_OPERATING || !(this.pswMask & PSW_EXTERNAL)) {
      return Number.POSITIVE_INFINITY;
    }
    return this.timers.publishDeadline((this.field32(state.CR) >>> 10) & 3);
  }

  /** Somebody has something for it. */
  get isWanted(): boolean {
    return Atomics.load(this.i32, (this.base + state.PENDING) >>> 2) !== 0;
  }

  /** The machine runs from now on. */
  begin(): void {
    const cpuState = this.field32(state.CPU_STATE);
    if (cpuState !== state.CPU_STOPPED && cpuState !== state.CPU_CHECK_STOP) this.timers.start();
    this.obey();
    if (this.code.breakpoints.has(this.pswAddress)) this.single();
  }

  halt(): void {
    this.timers.stop();
  }
}
