/**
 * The ticker: while any CPU executes instructions, tells each of them about every millisecond to look up from its work
 * - at its timers, and so that its loop is entered again in optimised code. Where it finds that all CPUs sleep it looks
 * less and less often, and at last sleeps too, until one of them executes again.
 */

import * as state from '../cpu/state.ts';
import type { Port } from '../platform/threads.ts';

/** Milliseconds. */
const BEAT = 1;
/** A guest that wakes for a moment some hundred times a second, as Linux does, is not to wake this thread each time. */
const LONGEST = 8;
/** How often all CPUs must be found asleep. */
const LOOKS = 32;

export function ticker(_port: Port, { memory, layout }: { memory: WebAssembly.Memory; layout: state.Layout }): void {
  const words = new Int32Array(memory.buffer);
  const executing = (layout.machine + state.EXECUTING_CPUS) >>> 2;
  // Nobody writes to this word: waiting for it is sleeping.
  const never = (layout.machine + state.NEVER) >>> 2;
  for (let looks = LOOKS, beat = BEAT; ; ) {
    if (looks >= LOOKS) Atomics.wait(words, executing, 0);
    Atomics.wait(words, never, 0, beat);
    if (Atomics.load(words, executing) === 0) {
      looks++;
      beat = Math.min(2 * beat, LONGEST);
      continue;
    }
    looks = 0;
    beat = BEAT;
    for (let n = 0; n < layout.cpus; n++) {
      Atomics.or(words, (layout.cpuBase + n * state.CPU_STRIDE + state.PENDING) >>> 2, state.PENDING_TICK);
    }
  }
}
