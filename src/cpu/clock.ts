/**
 * Time (PoP ch. 4, "Timing"). All threads of a machine share one clock: milliseconds since the machine was made, which
 * each thread counts with its own monotonic clock from an origin in shared memory. In units of 2^-12 microseconds, plus
 * an epoch, that is the TOD clock. Values of 64 bits are handled as two halves: clocks are read often.
 */

import * as state from './state.ts';
import type { VirtualTime } from './virtual-time.ts';

/** TOD-clock units in a millisecond. */
export const UNITS = 4_096_000;
/** TOD-clock value at 1970-01-01 00:00 UTC: it counts from 1900. */
const UNIX_EPOCH = 2_208_988_800_000n * BigInt(UNITS);
const HALF = 0x1_0000_0000;
/** CR0 bit 10, in its upper half. */
const SIGN_CONTROL = 0x0020_0000;
/** Steering rates count in units of 2^-44. */
const STEERING_SCALE = 44n;
const STEERING_UNIT = 2 ** 44;
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/**
 * Sets up the words that the clocks of all threads share.
 * @param date what the TOD clock shows, in milliseconds since 1970
 */
export function startClock(memory: WebAssembly.Memory, layout: state.Layout, date = Date.now()): void {
  const origin = performance.timeOrigin + performance.now();
  new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_ORIGIN) / 8] = origin;
  const microseconds = BigInt(Math.round(date * 1000));
  const u64 = new BigUint64Array(memory.buffer);
  const epoch = unsigned(UNIX_EPOCH + microseconds * 4096n);
  u64[(layout.machine + state.TOD_EPOCH) / 8] = epoch;
  u64[(layout.machine + state.PHYSICAL_EPOCH) / 8] = epoch;
  new Int32Array(memory.buffer)[(layout.machine + state.EPOCH_INDEX) / 4] = 0;
  // Until the machine is started.
  new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_STOPPED) / 8] = -1;
}

/** Milliseconds of the machine's clock, which goes on while the machine is stopped. */
function machineTime(memory: WebAssembly.Memory, { machine }: state.Layout): number {
  const f64 = new Float64Array(memory.buffer);
  if (new Int32Array(memory.buffer)[(machine + state.COUNTS) / 4])
    return f64[(machine + state.VIRTUAL_TIME) / 8]! / 1e6;
  return performance.timeOrigin - f64[(machine + state.CLOCK_ORIGIN) / 8]! + performance.now();
}

/** While the machine is stopped its TOD clock stands still. All CPUs must be at a halt. */
export function stopClock(memory: WebAssembly.Memory, layout: state.Layout): void {
  const stopped = new Float64Array(memory.buffer, layout.machine + state.CLOCK_STOPPED, 1);
  if (stopped[0] === 0) stopped[0] = -1 - machineTime(memory, layout);
}

/** The TOD clock goes on from where it stood. */
export function continueClock(memory: WebAssembly.Memory, layout: state.Layout): void {
  const stopped = new Float64Array(memory.buffer, layout.machine + state.CLOCK_STOPPED, 1);
  if (stopped[0] === 0) return;
  const missed = BigInt(Math.ceil((machineTime(memory, layout) + 1 + stopped[0]!) * UNITS));
  const u64 = new BigUint64Array(memory.buffer);
  for (const epoch of [state.TOD_EPOCH, state.PHYSICAL_EPOCH]) {
    u64[(layout.machine + epoch) / 8] = unsigned(u64[(layout.machine + epoch) / 8]! - missed);
  }
  stopped[0] = 0;
}

/** An episode of TOD-clock steering, as its registers have it (PoP ch. 4, "TOD-Clock Steering"). */
export interface Episode {
  /** The physical clock when it began. */
  readonly start: bigint;
  /** The TOD offset then. */
  readonly base: bigint;
  /** Signed steering rates, in units of 2^-44. */
  readonly fine: number;
  readonly gross: number;
}

export class Clock {
  readonly #i32: Int32Array;
  readonly #u64: BigUint64Array;
  /** Indices of doublewords. */
  readonly #epoch: number;
  readonly #physical: number;
  readonly #user: number;
  readonly #oldEpisode: number;
  readonly #newEpisode: number;
  /** Indices of words. */
  readonly #index: number;
  readonly #settings: number;
  readonly #rates: number;
  readonly #offset: number;
  readonly #stopped: Float64Array;

  readonly #virtual: VirtualTime | undefined;

  /** `startClock` has run. */
  constructor(memory: WebAssembly.Memory, layout: state.Layout, virtual?: VirtualTime) {
    this.#virtual = virtual;
    this.#i32 = new Int32Array(memory.buffer);
    this.#u64 = new BigUint64Array(memory.buffer);
    this.#epoch = (layout.machine + state.TOD_EPOCH) / 8;
    this.#physical = (layout.machine + state.PHYSICAL_EPOCH) / 8;
    const origin = new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_ORIGIN) / 8]!;
    this.#offset = performance.timeOrigin - origin;
    this.#stopped = new Float64Array(memory.buffer, layout.machine + state.CLOCK_STOPPED, 1);
    this.#user = (layout.machine + state.USER_EPOCH) / 8;
    this.#oldEpisode = (layout.machine + state.OLD_EPISODE) / 8;
    this.#newEpisode = (layout.machine + state.NEW_EPISODE) / 8;
    this.#index = (layout.machine + state.EPOCH_INDEX) / 4;
    this.#settings = (layout.machine + state.TOD_SETTINGS) / 4;
    this.#rates = (layout.machine + state.NEW_EPISODE + state.EPISODE_FINE) / 4;
  }

  /** Milliseconds of the machine's clock. */
  now(): number {
    return this.#virtual?.milliseconds ?? performance.now() + this.#offset;
  }

  /** The same in TOD-clock units, a whole number. */
  units(): number {
    return Math.floor(this.now() * UNITS);
  }

  /** Units of the machine's clock at which the TOD clock stands. */
  #current(): bigint {
    const stopped = this.#stopped[0]!;
    return BigInt(stopped === 0 ? this.units() : Math.floor((-1 - stopped) * UNITS));
  }

  /** Whether somebody has set or steered the clock otherwise since this was its epoch, and its steering rate. */
  isAsWith(low: number, high: number, rate: number): boolean {
    return low === this.epochLow && high === this.epochHigh && rate === this.rate;
  }
  get epochLow(): number {
    return this.#i32[this.#epoch * 2]!;
  }
  get epochHigh(): number {
    return this.#i32[this.#epoch * 2 + 1]!;
  }
  /** Fine and gross steering rate together, in units of 2^-44. */
  get rate(): number {
    return this.#i32[this.#rates]! + this.#i32[this.#rates + 1]!;
  }

  /** The TOD clock now. */
  tod(): bigint {
    const current = this.#current();
    return unsigned(this.#u64[this.#epoch]! + current + this.#steered(current));
  }

  /** The physical clock, which nothing sets, and the TOD offset: what is added to it where there are no partitions. */
  base(): { readonly physical: bigint; readonly offset: bigint } {
    const current = this.#current();
    return {
      physical: unsigned(this.#u64[this.#physical]! + current),
      offset: unsigned(this.newEpisode.base + this.#steered(current)),
    };
  }

  /** What the new episode adds to the TOD clock, which is at so many units of the machine's clock. */
  #steered(current: bigint): bigint {
    const { rate } = this;
    if (rate === 0) return 0n;
    const passed = this.#u64[this.#physical]! + current - this.#u64[this.#newEpisode]!;
    return (BigInt.asIntN(64, passed) * BigInt(rate)) >> STEERING_SCALE;
  }

  /**
   * When the TOD clock exceeds a value, in milliseconds of the machine's clock.
   * @param sign 0x80000000 when both are compared as signed numbers, else 0
   */
  timeOf(high: number, low: number, sign: number): number {
    const i32 = this.#i32;
    const epoch = this.#epoch * 2;
    const units = this.units();
    const { rate } = this;
    const steered = rate === 0 ? units : units + Number(this.#steered(BigInt(units)));
    // The clock now: its halves modulo 2^32.
    const sum = (i32[epoch]! >>> 0) + (steered % HALF);
    const nowHigh = i32[epoch + 1]! + Math.floor(steered / HALF) + (sum >= HALF ? 1 : 0);
    const difference = ((high ^ sign) >>> 0) - ((nowHigh ^ sign) >>> 0);
    const rest = difference * HALF + (low >>> 0) + 1 - (sum % HALF);
    // What is steered is a whole number of units.
    return (units + (rate === 0 ? rest : rest / (1 + rate / STEERING_UNIT) + 1)) / UNITS;
  }

  /** SET CLOCK. No other CPU may execute instructions, as for everything else that changes the clock. */
  setTod(value: bigint): void {
    const current = this.#current();
    this.#setEpoch(value - current - this.#steered(current), true);
  }

  /** The TOD epoch difference: what this partition's TOD clock is ahead of the physical clock and the TOD offset. */
  get epochDifference(): bigint {
    return unsigned(this.#u64[this.#epoch]! - this.#u64[this.#physical]! - this.newEpisode.base);
  }

  /** The user-specified part of the TOD epoch difference. */
  get userDifference(): bigint {
    return this.#u64[this.#user]!;
  }
  setUserDifference(value: bigint): void {
    this.#setEpoch(this.#wholeEpoch + BigInt.asIntN(64, value - this.userDifference), true);
    this.#u64[this.#user] = unsigned(value);
  }

  get oldEpisode(): Episode {
    return this.#episode(this.#oldEpisode);
  }
  get newEpisode(): Episode {
    return this.#episode(this.#newEpisode);
  }

  /** Begins a new episode, in which the TOD offset goes on from where it is, at the same rates, but for what is to change. */
  steer(changes: (offset: bigint) => Partial<Pick<Episode, 'base' | 'fine' | 'gross'>>): void {
    const old = this.newEpisode;
    const { physical, offset } = this.base();
    const change = changes(offset);
    const episode = { ...old, start: physical, base: offset, ...change };
    this.#u64.copyWithin(this.#oldEpisode, this.#newEpisode, this.#newEpisode + state.EPISODE_SIZE / 8);
    this.#u64[this.#newEpisode] = episode.start;
    this.#u64[this.#newEpisode + state.EPISODE_BASE / 8] = unsigned(episode.base);
    this.#i32[this.#rates] = episode.fine;
    this.#i32[this.#rates + 1] = episode.gross;
    this.#setEpoch(this.#wholeEpoch + BigInt.asIntN(64, episode.base - old.base), change.base !== undefined);
  }

  #episode(at: number): Episode {
    const rates = at * 2 + state.EPISODE_FINE / 4;
    return {
      start: this.#u64[at]!,
      base: this.#u64[at + state.EPISODE_BASE / 8]!,
      fine: this.#i32[rates]!,
      gross: this.#i32[rates + 1]!,
    };
  }

  /** TOD_EPOCH with the epoch index before it. */
  get #wholeEpoch(): bigint {
    return (BigInt(this.#i32[this.#index]!) << 64n) + this.#u64[this.#epoch]!;
  }

  #setEpoch(value: bigint, isSetting: boolean): void {
    this.#i32[this.#index] = Number(BigInt.asIntN(8, value >> 64n));
    Atomics.store(this.#u64, this.#epoch, unsigned(value));
    if (isSetting) this.#i32[this.#settings]! += 1;
  }
}

/** The clock comparator and the CPU timer of one CPU. */
export class Timers {
  readonly clock: Clock;
  readonly #i32: Int32Array;
  readonly #u64: BigUint64Array;
  readonly #f64: Float64Array;
  /** Indices of doublewords. */
  readonly #comparator: number;
  readonly #timerEnd: number;
  readonly #deadline: number;
  /** Where the CPU timer stands: index of a word that tells whether it does, and of its value. */
  readonly #stands: number;
  readonly #standing: number;
  /** When each is due, in milliseconds of the machine's clock. */
  clockComparatorDue = Number.POSITIVE_INFINITY;
  cpuTimerDue = Number.POSITIVE_INFINITY;
  /** One of them may have become due: they are to be looked at. */
  changed = true;
  /** Epoch and steering rate of the TOD clock for which `clockComparatorDue` was found. */
  #epochLow = 0;
  #epochHigh = 0;
  #rate = 0;
  /** Index of the upper half of CR0. */
  readonly #controls: number;
  /** As CR0 bit 10, the clock-comparator sign control: 0x80000000 or 0. */
  #sign = 0;

  constructor(memory: WebAssembly.Memory, layout: state.Layout, cpuBase: number, virtual?: VirtualTime) {
    this.clock = new Clock(memory, layout, virtual);
    this.#i32 = new Int32Array(memory.buffer);
    this.#u64 = new BigUint64Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#comparator = (cpuBase + state.CLOCK_COMPARATOR) / 8;
    this.#timerEnd = (cpuBase + state.CPU_TIMER_END) / 8;
    this.#deadline = (cpuBase + state.DEADLINE) / 8;
    this.#stands = (cpuBase + state.CPU_TIMER_STANDS) / 4;
    this.#standing = (cpuBase + state.CPU_TIMER) / 8;
    this.#controls = (cpuBase + state.CR + 4) >>> 2;
    this.recompute();
  }

  now(): number {
    return this.clock.now();
  }

  get clockComparator(): bigint {
    return this.#u64[this.#comparator]!;
  }

  /** The comparator from the doubleword at this index of its lower half among 32-bit words. */
  setClockComparator(word: number): void {
    this.#i32[this.#comparator * 2] = this.#i32[word]!;
    this.#i32[this.#comparator * 2 + 1] = this.#i32[word + 1]!;
    this.recompute();
  }

  /** A signed number that counts down; negative: the interruption is due. */
  get cpuTimer(): bigint {
    const value = this.#i32[this.#stands]
      ? this.#u64[this.#standing]!
      : this.#u64[this.#timerEnd]! - BigInt(this.clock.units());
    return BigInt.asIntN(64, value);
  }
  set cpuTimer(value: bigint) {
    if (this.#i32[this.#stands]) this.#u64[this.#standing] = unsigned(value);
    else this.#u64[this.#timerEnd] = unsigned(BigInt(this.clock.units()) + value);
    this.recompute();
  }

  setCpuTimer(word: number): void {
    const i32 = this.#i32;
    const end = this.#timerEnd * 2;
    const units = this.clock.units();
    const low = (i32[word]! >>> 0) + (units % HALF);
    i32[end] = low;
    i32[end + 1] = i32[word + 1]! + Math.floor(units / HALF) + (low >= HALF ? 1 : 0);
    this.recompute();
  }

  /** The CPU timer stands still from now on, or runs again. */
  stop(): void {
    this.#u64[this.#standing] = unsigned(this.cpuTimer);
    this.#i32[this.#stands] = 1;
  }
  start(): void {
    if (!this.#i32[this.#stands]) return;
    const value = this.cpuTimer;
    this.#i32[this.#stands] = 0;
    this.cpuTimer = value;
  }

  /** To be called when the comparator, the timer or the clock has been set. */
  recompute(): void {
    const i32 = this.#i32;
    this.changed = true;
    const comparator = this.#comparator * 2;
    this.#sign = i32[this.#controls]! & SIGN_CONTROL ? 0x8000_0000 : 0;
    this.#epochLow = this.clock.epochLow;
    this.#epochHigh = this.clock.epochHigh;
    this.#rate = this.clock.rate;
    this.clockComparatorDue = this.clock.timeOf(i32[comparator + 1]!, i32[comparator]!, this.#sign);
    // The timer's end may lie beyond 2^63: what counts is how far away it is, modulo 2^64.
    const end = this.#timerEnd * 2;
    const units = this.clock.units();
    const low = (i32[end]! >>> 0) - (units % HALF);
    const high = (i32[end + 1]! - Math.floor(units / HALF)) | 0;
    this.cpuTimerDue = (units + high * HALF + low) / UNITS;
  }

  /** CR0 has been loaded. */
  controlsChanged(): void {
    this.changed = true;
    if (((this.#i32[this.#controls]! & SIGN_CONTROL) !== 0) !== (this.#sign !== 0)) this.recompute();
  }

  /** Somebody else may have set or steered the clock. */
  #follow(): void {
    if (!this.clock.isAsWith(this.#epochLow, this.#epochHigh, this.#rate)) this.recompute();
  }

  /** When the first of them is due, as far as `subclasses` (CR0 bits 52 and 53 as 2 and 1) enable them. */
  #due(subclasses: number): number {
    this.#follow();
    return Math.min(
      subclasses & 2 ? this.clockComparatorDue : Number.POSITIVE_INFINITY,
      subclasses & 1 ? this.cpuTimerDue : Number.POSITIVE_INFINITY,
    );
  }

  /** When each is due. */
  due(): readonly number[] {
    this.#follow();
    return [this.clockComparatorDue, this.cpuTimerDue];
  }

  isDue(subclasses: number): boolean {
    return this.now() >= this.#due(subclasses);
  }

  /** Publishes when the CPU must be interrupted. */
  publishDeadline(subclasses: number): number {
    return (this.#f64[this.#deadline] = this.#due(subclasses));
  }
}
