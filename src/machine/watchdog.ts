/**
 * The watchdog of DIAGNOSE X'288'. Any CPU sets it, in shared memory; the thread of the I/O side lets it run and acts.
 * Time in which the machine stands still does not count.
 */

import type { Layout } from '../cpu/state.ts';
import type { Fields, SavedFields, SaveState } from '../save/save-state.ts';
import type { Doorbell } from './doorbell.ts';
import { WATCHDOG_CHANGES, WATCHDOG_SECONDS, WATCHDOG_SET } from './shared.ts';

/** The CPUs' side. */
export class Watchdog {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #page: number;
  readonly #doorbell: Doorbell;

  constructor(memory: WebAssembly.Memory, layout: Layout, doorbell: Doorbell) {
    this.#words = new Int32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#page = layout.machine;
    this.#doorbell = doorbell;
  }

  get isSet(): boolean {
    return Atomics.load(this.#words, (this.#page + WATCHDOG_SET) >>> 2) !== 0;
  }

  /** It acts unless it is set again within so many seconds. */
  set(seconds: number): void {
    this.#doubles[(this.#page + WATCHDOG_SECONDS) >>> 3] = seconds;
    this.#change(1);
  }

  cancel(): void {
    this.#change(0);
  }

  #change(set: 0 | 1): void {
    Atomics.store(this.#words, (this.#page + WATCHDOG_SET) >>> 2, set);
    Atomics.add(this.#words, (this.#page + WATCHDOG_CHANGES) >>> 2, 1);
    this.#doorbell.ring();
  }

  get seconds(): number {
    return this.#doubles[(this.#page + WATCHDOG_SECONDS) >>> 3]!;
  }
  get changes(): number {
    return Atomics.load(this.#words, (this.#page + WATCHDOG_CHANGES) >>> 2);
  }
}

const SECOND = 1000;
/** The longest time that a timer takes, in milliseconds; longer ones are taken in pieces. */
const LONGEST = 2 ** 31 - 1;

/** The side that acts. */
export class WatchdogTimer implements SaveState {
  readonly name = 'watchdog';
  readonly version = 1;
  readonly #watchdog: Watchdog;
  readonly #expired: () => void;
  #seen = 0;
  /** Milliseconds left when the machine last started to run. */
  #left = Number.POSITIVE_INFINITY;
  #since = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;

  constructor(watchdog: Watchdog, expired: () => void) {
    this.#watchdog = watchdog;
    this.#expired = expired;
  }

  /** Looks whether a CPU has changed it. */
  look(): void {
    const { changes, isSet, seconds } = this.#watchdog;
    if (changes === this.#seen) return;
    this.#seen = changes;
    this.#left = isSet ? seconds * SECOND : Number.POSITIVE_INFINITY;
    this.#start();
  }

  /** The machine runs or stands still from now on. */
  run(running: boolean): void {
    if (running === this.#running) return;
    if (!running) this.#left -= performance.now() - this.#since;
    this.#running = running;
    this.#start();
  }

  reset(): void {
    if (this.#watchdog.isSet) this.#watchdog.cancel();
    this.look();
  }

  /** The machine stands still. */
  save(): Fields {
    const { isSet, seconds } = this.#watchdog;
    // One that has acted is still set.
    const left = Number.isFinite(this.#left) ? Math.max(this.#left, 0) : null;
    return { set: isSet, seconds, left };
  }

  load(saved: SavedFields): () => void {
    const isSet = saved.flag('set');
    const seconds = saved.number('seconds', Number.MAX_VALUE);
    const left = saved.optional('left', () => saved.number('left', Number.MAX_VALUE));
    return () => {
      if (isSet) this.#watchdog.set(seconds);
      else this.#watchdog.cancel();
      this.look();
      this.#left = left ?? Number.POSITIVE_INFINITY;
    };
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = performance.now();
    if (!this.#running || this.#left === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(this.#left, 0), LONGEST);
    this.#timer = setTimeout(() => {
      this.#left -= wait;
      if (this.#left > 0) return this.#start();
      this.#left = Number.POSITIVE_INFINITY;
      this.#expired();
    }, wait);
  }
}
