/**
 * Regions of compiled code (engine/region.ts) as one CPU has them: its table of functions, which is filled with what
 * the compiler (compiler.ts) has made for all CPUs. A record says which slot of the table is its region.
 */

import type { Cpu } from './cpu.ts';
import { REGION_LOOPING, REGION_PENDING } from './engine/protocol.ts';
import * as state from './state.ts';

/** What the compiler gives to each CPU: a module whose exports 0, 1, ... are regions, which may have several entries each. */
export interface CompiledModule {
  readonly number: number;
  readonly module: WebAssembly.Module;
  /** The slot of each entry; 0: not in use. */
  readonly slots: readonly number[];
  /** The region of each entry. */
  readonly regions: readonly number[];
}

/** Milliseconds over which it is looked how much of its time a CPU waits, and the part above which it has enough of it. */
const WINDOW = 250;
const LEISURE = 0.8;
/** Milliseconds that the CPU has to stay in a region, on an average, for being seen there wherever it is. */
const STAY = 0.0002;

export class Regions {
  readonly table: WebAssembly.Table;
  readonly #cpu: Cpu;
  /** Numbers of the modules whose functions the table has. */
  readonly #owners = new Uint32Array(state.SLOTS);
  #highest = 0;
  #revocations = 0;
  /** What the table holds where there is no region. */
  #none: unknown;
  /** Gives the next module, if there is one. */
  #receive: (() => unknown) | undefined;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: 0 });
  }

  /** The interpreter is there, which regions are called by. */
  begin(none: unknown): void {
    this.#none = none;
    this.table.grow(state.SLOTS, none);
  }

  /** From now on modules are taken from where `receive` gets them. */
  takeFrom(receive: () => unknown): void {
    this.#receive = receive;
    const { slots, number } = this.#cpu;
    slots.setTaken(number, 0);
    slots.ring();
  }

  /** The place at this record has been branched to often. */
  hot(record: number): void {
    const { code, slots, compiles } = this.#cpu;
    if (compiles && !code.breakpoints.size && code.isDecoded(record)) slots.want(record);
  }

  /** The CPU has waited for some milliseconds, until `now`. */
  waited(milliseconds: number, now: number): void {
    this.#waited += milliseconds;
    this.#judge(now);
  }
  #waited = 0;
  #windowBegan = 0;

  /** Whether the CPU has been waiting so much that it has no need of speed. */
  #judge(now: number): void {
    const window = now - this.#windowBegan;
    if (window < WINDOW) return;
    const { slots, number } = this.#cpu;
    slots.setAtLeisure(number, this.#waited > LEISURE * window);
    this.#waited = 0;
    this.#windowBegan = now;
  }

  /** About every millisecond while the CPU runs. */
  tick(): void {
    this.look();
    const { i32, base, timers } = this.#cpu;
    const now = timers.now();
    this.#judge(now);
    const word = base >>> 2;
    i32[word + state.TICKS / 4]!++;
    const exits = word + state.REGION_EXITS / 4;
    const passed = i32[exits + REGION_PENDING]!;
    const looped = i32[exits + REGION_LOOPING]!;
    if (passed !== this.#passed || looped !== this.#looped) i32[word + state.TICKS_IN_REGIONS / 4]!++;
    // Where code passes from one region to another all the time, registers in locals gain nothing.
    const passages = i32[word + state.PASSAGES / 4]!;
    const stays = ((passages - this.#passages) >>> 0) * STAY < now - this.#ticked;
    if (looped !== this.#looped) this.#showPlace(false);
    else if (passed !== this.#passed) this.#showPlace(!stays);
    this.#passed = passed;
    this.#looped = looped;
    this.#passages = passages;
    this.#ticked = now;
  }

  /** Tells the compiler where the CPU is, or passes. */
  #showPlace(passes: boolean): void {
    const { i32, base, slots } = this.#cpu;
    const low = i32[(base + state.PSW_ADDRESS) >>> 2]!;
    const high = i32[(base + state.PSW_ADDRESS + 4) >>> 2]!;
    const index = (low >>> 12) & (state.TLB_ENTRIES - 1);
    const entry = (i32[(base + state.FETCH_CONTEXT) >>> 2]! + index * state.TLB_ENTRY_SIZE) >>> 2;
    const tag = entry + state.TLB_CODE_TAG / 4;
    if (i32[tag] !== (low & -4096) || i32[tag + 1] !== high) return;
    slots.see((i32[entry + state.TLB_CODE_PAGE / 4]! >>> 0) + (low & 0xffe) * 4, passes);
  }
  /** How often regions have been left because something was pending, on the way to others and on a way backwards. */
  #passed = 0;
  #looped = 0;
  /** How often it had gone from one region to another at the last tick, and when that was. */
  #passages = 0;
  #ticked = 0;

  /** Takes what has been compiled, and forgets what has been given up. */
  look(): void {
    if (!this.#none) return;
    const { slots, number } = this.#cpu;
    if (this.#receive && slots.taken(number) !== slots.lastModule) {
      let message = this.#receive();
      const some = message !== undefined;
      for (; message; message = this.#receive()) this.take(message as CompiledModule);
      // The compiler does not give many at a time to a CPU that may be asleep.
      if (some && slots.taken(number) !== slots.lastModule) slots.ring();
    }
    const { revocations } = slots;
    if (revocations === this.#revocations) return;
    this.#revocations = revocations;
    for (let slot = 1; slot <= this.#highest; slot++) {
      const owner = this.#owners[slot]!;
      if (!owner || slots.owner(slot) === owner) continue;
      this.#owners[slot] = 0;
      this.table.set(slot, this.#none);
    }
  }

  take({ number, module, slots: numbers, regions }: CompiledModule): void {
    const { slots, regionImports } = this.#cpu;
    const wanted = numbers.map(slot => slot > 0 && slots.owner(slot) === number);
    if (wanted.includes(true)) {
      const { exports } = new WebAssembly.Instance(module, { env: regionImports });
      for (const [n, slot] of numbers.entries()) {
        if (!wanted[n]) continue;
        this.table.set(slot, exports[regions[n]!]);
        this.#owners[slot] = number;
        this.#highest = Math.max(this.#highest, slot);
      }
    }
    slots.setTaken(this.#cpu.number, number);
  }
}
