/**
 * Time in counted mode: so many nanoseconds for each instruction that any CPU executes, and what they waited together.
 * All CPUs are in one thread, and one of them has its turn.
 */

import * as state from './state.ts';

const NANOSECONDS = 1e6;

export class VirtualTime {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  /** Indices of doublewords. */
  readonly #nanoseconds: number;
  readonly #instructions: number;
  readonly #goal: number;
  /** Nanoseconds for an instruction. */
  readonly #step: number;
  /** Instructions that a CPU may execute now, and the index of the word with what is left of them. */
  #granted = 0;
  #fuel = 0;

  /** @param shift logarithm of the nanoseconds for an instruction */
  constructor(memory: WebAssembly.Memory, { machine }: state.Layout, shift: number) {
    this.#i32 = new Int32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#nanoseconds = (machine + state.VIRTUAL_TIME) / 8;
    this.#instructions = (machine + state.INSTRUCTIONS) / 8;
    this.#goal = (machine + state.INSTRUCTION_GOAL) / 8;
    this.#step = 2 ** shift;
  }

  get #executed(): number {
    return this.#granted === 0 ? 0 : this.#granted - this.#i32[this.#fuel]!;
  }

  get milliseconds(): number {
    return (this.#f64[this.#nanoseconds]! + this.#executed * this.#step) / NANOSECONDS;
  }

  /** A CPU, whose FUEL is at this index, may execute so many instructions. */
  grant(fuel: number, count: number): void {
    this.#fuel = fuel;
    this.#granted = count;
    this.#i32[fuel] = count;
  }

  /** It has come to a halt. Returns how many it has executed. */
  settle(): number {
    const executed = this.#executed;
    this.#granted = 0;
    this.#f64[this.#nanoseconds]! += executed * this.#step;
    this.#f64[this.#instructions]! += executed;
    return executed;
  }

  /** How many instructions pass until a time that is yet to come, at least one. */
  until(milliseconds: number): number {
    const rest = milliseconds * NANOSECONDS - this.#f64[this.#nanoseconds]!;
    return Math.max(Math.ceil(rest / this.#step), 1);
  }

  /** How many instructions pass until all are to come to a halt; below 1: they are there. */
  get toGoal(): number {
    const goal = this.#f64[this.#goal]!;
    return goal === 0 ? Number.POSITIVE_INFINITY : goal - this.#f64[this.#instructions]!;
  }

  /** They are there, and go on afterwards. */
  forgetGoal(): void {
    this.#f64[this.#goal] = 0;
  }

  /** All CPUs have waited until then. */
  waitedUntil(milliseconds: number): void {
    const time = Math.ceil(milliseconds * NANOSECONDS);
    if (time > this.#f64[this.#nanoseconds]!) this.#f64[this.#nanoseconds] = time;
  }
}
