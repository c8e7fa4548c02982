/**
 * Time (PoP ch. 4, "Timing"). All threads of a machine share one clock: milliseconds since the machine was made, which
 * each thread counts with its own monotonic clock from an origin in shared memory. The TOD clock is that plus an epoch,
 * in units of 2^-12 microseconds; the CPU timer and the clock comparator are kept as TOD-clock values at which something
 * happens, and as times of the machine's clock for whoever must wake up then.
 */

import * as state from './state.ts';

/** TOD-clock units in a millisecond. */
export const UNITS = 4_096_000;
/** TOD-clock value at 1970-01-01 00:00 UTC: it counts from 1900. */
const UNIX_EPOCH = 2_208_988_800_000n * BigInt(UNITS);
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Sets up the words that the clocks of all threads share; the TOD clock shows the host's time. */
export function startClock(memory: WebAssembly.Memory, layout: state.Layout): void {
  const origin = performance.timeOrigin + performance.now();
  new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_ORIGIN) / 8] = origin;
  const microseconds = BigInt(Math.round(Date.now() * 1000));
  const u64 = new BigUint64Array(memory.buffer);
  const epoch = unsigned(UNIX_EPOCH + microseconds * 4096n);
  u64[(layout.machine + state.TOD_EPOCH) / 8] = epoch;
  u64[(layout.machine + state.PHYSICAL_EPOCH) / 8] = epoch;
}

export class Clock {
  readonly #u64: BigUint64Array;
  readonly #epoch: number;
  readonly #physical: number;
  readonly #last: number;
  readonly #offset: number;

  /** `startClock` has run. */
  constructor(memory: WebAssembly.Memory, layout: state.Layout) {
    this.#u64 = new BigUint64Array(memory.buffer);
    this.#epoch = (layout.machine + state.TOD_EPOCH) / 8;
    this.#physical = (layout.machine + state.PHYSICAL_EPOCH) / 8;
    this.#last = (layout.machine + state.TOD_LAST) / 8;
    const origin = new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_ORIGIN) / 8]!;
    this.#offset = performance.timeOrigin - origin;
  }

  /** Milliseconds of the machine's clock. */
  now(): number {
    return performance.now() + this.#offset;
  }

  /** The TOD clock at a time of the machine's clock; not unique. */
  tod(now = this.now()): bigint {
    return unsigned(this.#u64[this.#epoch]! + BigInt(Math.floor(now * UNITS)));
  }

  /** A TOD-clock value above every one that was given before, to any CPU. */
  uniqueTod(): bigint {
    let value = this.tod();
    for (;;) {
      const last = Atomics.load(this.#u64, this.#last);
      if (value <= last) value = last + 1n;
      if (Atomics.compareExchange(this.#u64, this.#last, last, value) === last) return value;
    }
  }

  /** When the TOD clock reaches a value, in milliseconds of the machine's clock. */
  timeOf(tod: bigint): number {
    return Number(tod - this.#u64[this.#epoch]!) / UNITS;
  }

  /** The physical clock, which nothing sets. */
  physical(): bigint {
    return unsigned(this.#u64[this.#physical]! + BigInt(Math.floor(this.now() * UNITS)));
  }

  /** The TOD offset: TOD clock less physical clock. */
  get offset(): bigint {
    return unsigned(this.#u64[this.#epoch]! - this.#u64[this.#physical]!);
  }

  setOffset(value: bigint): void {
    Atomics.store(this.#u64, this.#epoch, unsigned(this.#u64[this.#physical]! + value));
    Atomics.store(this.#u64, this.#last, 0n);
  }

  /** SET CLOCK. */
  setTod(value: bigint): void {
    const now = BigInt(Math.floor(this.now() * UNITS));
    Atomics.store(this.#u64, this.#epoch, unsigned(value - now));
    Atomics.store(this.#u64, this.#last, 0n);
  }
}

/** The clock comparator and the CPU timer of one CPU. */
export class Timers {
  readonly clock: Clock;
  readonly #u64: BigUint64Array;
  readonly #f64: Float64Array;
  readonly #comparator: number;
  readonly #timerEnd: number;
  readonly #deadline: number;
  /** When each is due, in milliseconds of the machine's clock. */
  clockComparatorDue = Number.POSITIVE_INFINITY;
  cpuTimerDue = Number.POSITIVE_INFINITY;
  /** One of them may have become due: they are to be looked at. */
  changed = true;
  /** While the CPU is stopped the CPU timer stands still at this value. */
  #stoppedAt: bigint | undefined;

  constructor(memory: WebAssembly.Memory, layout: state.Layout, cpuBase: number) {
    this.clock = new Clock(memory, layout);
    this.#u64 = new BigUint64Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#comparator = (cpuBase + state.CLOCK_COMPARATOR) / 8;
    this.#timerEnd = (cpuBase + state.CPU_TIMER_END) / 8;
    this.#deadline = (cpuBase + state.DEADLINE) / 8;
    this.recompute();
  }

  now(): number {
    return this.clock.now();
  }

  get clockComparator(): bigint {
    return this.#u64[this.#comparator]!;
  }
  set clockComparator(value: bigint) {
    this.#u64[this.#comparator] = value;
    this.recompute();
  }

  /** A signed number that counts down; negative: the interruption is due. */
  get cpuTimer(): bigint {
    return BigInt.asIntN(64, this.#u64[this.#timerEnd]! - this.clock.tod());
  }
  set cpuTimer(value: bigint) {
    this.#u64[this.#timerEnd] = unsigned(this.clock.tod() + value);
    this.recompute();
  }

  /** The CPU timer stands still from now on, or runs again. */
  stop(): void {
    this.#stoppedAt ??= this.cpuTimer;
  }
  start(): void {
    if (this.#stoppedAt !== undefined) this.cpuTimer = this.#stoppedAt;
    this.#stoppedAt = undefined;
  }

  /** To be called when the comparator, the timer or the clock has been set. */
  recompute(): void {
    this.changed = true;
    this.clockComparatorDue = this.clock.timeOf(this.clockComparator);
    const timer = this.cpuTimer;
    this.cpuTimerDue = timer < 0n ? Number.NEGATIVE_INFINITY : this.now() + Number(timer) / UNITS;
  }

  /** When the first of them is due, as far as `subclasses` (CR0 bits 52 and 53 as 2 and 1) enable them. */
  #due(subclasses: number): number {
    return Math.min(
      subclasses & 2 ? this.clockComparatorDue : Number.POSITIVE_INFINITY,
      subclasses & 1 ? this.cpuTimerDue : Number.POSITIVE_INFINITY,
    );
  }

  isDue(subclasses: number): boolean {
    return this.now() >= this.#due(subclasses);
  }

  /** Publishes when the CPU must be interrupted. */
  publishDeadline(subclasses: number): number {
    return (this.#f64[this.#deadline] = this.#due(subclasses));
  }
}
