/**
 * How one CPU gets all others to rest for a moment (docs/architecture.md, "Quiesce"). What every CPU has to notice
 * before anything else happens - an invalidated page-table entry, a changed storage key, code that was stored to, an
 * operand of sixteen bytes - is done while no other CPU executes instructions, to all their TLBs at once.
 *
 * A CPU is at rest between two instructions, while it sleeps, while it is stopped, and while it waits here itself. So
 * CPUs that ask at once cannot wait for each other.
 */

import type { Layout } from './state.ts';
import * as state from './state.ts';

/** How often to look before sleeping: some microseconds. */
const SPINS = 2000;

export class Exclusion {
  /** In place of a CPU's address: one who executes no instructions, but wants that nobody does. */
  static readonly OUTSIDE = -1;
  readonly #i32: Int32Array;
  readonly #owner: number;
  readonly #number: number;
  readonly #cpus: number;
  /** All CPUs are in one thread: each is alone while it executes. */
  readonly #always: boolean;
  readonly #outside: boolean;
  /** Indices of the words RUNNING and PENDING of CPU 0, and the distance of two CPUs' words. */
  readonly #running: number;
  readonly #pending: number;
  readonly #stride = state.CPU_STRIDE / 4;
  #depth = 0;

  constructor(memory: WebAssembly.Memory, layout: Layout, number: number, always = false) {
    this.#always = always || (layout.cpus === 1 && number >= 0);
    this.#i32 = new Int32Array(memory.buffer);
    this.#outside = number < 0;
    this.#owner = (layout.machine + state.ALONE) >>> 2;
    this.#number = number;
    this.#cpus = layout.cpus;
    this.#running = (layout.cpuBase + state.RUNNING) >>> 2;
    this.#pending = (layout.cpuBase + state.PENDING) >>> 2;
  }

  /** No other CPU executes instructions now, or ever. */
  get isAlone(): boolean {
    return this.#depth > 0 || this.#always;
  }

  /** Whether another CPU executes instructions, or this one if it is another. */
  othersRun(cpu?: number): boolean {
    const runs = (n: number): boolean =>
      n !== this.#number && Atomics.load(this.#i32, this.#running + n * this.#stride) !== 0;
    if (cpu !== undefined) return cpu < this.#cpus && runs(cpu);
    for (let n = 0; n < this.#cpus; n++) if (runs(n)) return true;
    return false;
  }

  /** Executing begins: once nobody wants to be alone. */
  begin(): void {
    if (this.#outside) return;
    const mine = this.#running + this.#number * this.#stride;
    for (;;) {
      Atomics.store(this.#i32, mine, 1);
      // One that asks after this sees that this CPU runs.
      const owner = Atomics.load(this.#i32, this.#owner);
      if (owner === 0) return;
      this.end();
      Atomics.wait(this.#i32, this.#owner, owner);
    }
  }

  /** Executing ends: others need not wait for this CPU. */
  end(): void {
    if (this.#outside) return;
    const mine = this.#running + this.#number * this.#stride;
    Atomics.store(this.#i32, mine, 0);
    // One that asks after this sees that this CPU is at rest.
    if (Atomics.load(this.#i32, this.#owner) !== 0) Atomics.notify(this.#i32, mine);
  }

  /** Rests if somebody wants to be alone. */
  yield(): void {
    if (Atomics.load(this.#i32, this.#owner) === 0) return;
    this.end();
    this.begin();
  }

  /** Does something while all other CPUs are at rest. To be called between instructions, or where one can begin anew. */
  alone<T>(work: () => T): T {
    if (this.isAlone) return work();
    this.#enter();
    this.#depth = 1;
    try {
      return work();
    } finally {
      this.#depth = 0;
      Atomics.store(this.#i32, this.#owner, 0);
      Atomics.notify(this.#i32, this.#owner);
      this.begin();
    }
  }

  #enter(): void {
    const i32 = this.#i32;
    this.end();
    for (;;) {
      const owner = Atomics.compareExchange(i32, this.#owner, 0, this.#outside ? -1 : this.#number + 1);
      if (owner === 0) break;
      Atomics.wait(i32, this.#owner, owner);
    }
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (cpu !== this.#number) this.#await(cpu);
    }
  }

  /** Waits until a CPU is at rest. */
  #await(cpu: number): void {
    const i32 = this.#i32;
    const running = this.#running + cpu * this.#stride;
    if (Atomics.load(i32, running) === 0) return;
    Atomics.or(i32, this.#pending + cpu * this.#stride, state.PENDING_REQUEST);
    for (let n = 0; n < SPINS; n++) if (Atomics.load(i32, running) === 0) return;
    while (Atomics.load(i32, running) !== 0) Atomics.wait(i32, running, 1);
  }
}
