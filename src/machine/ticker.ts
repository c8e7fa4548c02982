/**
 * The ticker: while any CPU executes instructions, tells each of them about every millisecond to look up from its work
 * - at its timers, and so that its loop is entered again in optimised code. When all CPUs sleep it sleeps too.
 */

import * as state from '../cpu/state.ts';
import type { Port } from '../platform/threads.ts';

/** Milliseconds. */
const BEAT = 1;

export function ticker(_port: Port, { memory, layout }: { memory: WebAssembly.Memory; layout: state.Layout }): void {
  const words = new Int32Array(memory.buffer);
  const executing = (layout.machine + state.EXECUTING_CPUS) >>> 2;
  // Nobody writes to this word: waiting for it is sleeping.
  const never = (layout.machine + state.NEVER) >>> 2;
  for (;;) {
    Atomics.wait(words, executing, 0);
    Atomics.wait(words, never, 0, BEAT);
    for (let n = 0; n < layout.cpus; n++) {
      Atomics.or(words, (layout.cpuBase + n * state.CPU_STRIDE + state.PENDING) >>> 2, state.PENDING_TICK);
    }
  }
}
