/**
 * The ticker: tells each CPU that goes on and on about every millisecond to look up from its work - at its timers, and so
 * that its loop is entered again in optimised code. While no CPU does it looks less and less often, and when none has
 * executed anything for a while it sleeps until one does.
 */

import * as state from '../cpu/state.ts';
import type { Port } from '../platform/threads.ts';

/** Milliseconds. */
const BEAT = 1;
/** A guest that wakes for a moment some hundred times a second, as Linux does, is not to wake this thread each time. */
const LONGEST = 16;
/** How often it is looked in vain. */
const LOOKS = 16;

export function ticker(_port: Port, { memory, layout }: { memory: WebAssembly.Memory; layout: state.Layout }): void {
  const words = new Int32Array(memory.buffer);
  const executing = (layout.machine + state.EXECUTING_CPUS) >>> 2;
  const asleep = (layout.machine + state.TICKER_SLEEPS) >>> 2;
  // Nobody writes to this word: waiting for it is sleeping.
  const never = (layout.machine + state.NEVER) >>> 2;
  /** BEGINNINGS of each CPU when it was last looked at. */
  const seen = new Int32Array(layout.cpus);
  for (let looks = LOOKS, beat = BEAT; ; ) {
    if (looks >= LOOKS) {
      Atomics.store(words, asleep, 1);
      Atomics.wait(words, executing, 0);
      Atomics.store(words, asleep, 0);
      looks = 0;
      beat = BEAT;
    }
    Atomics.wait(words, never, 0, beat);
    looks++;
    const long = beat > BEAT;
    beat = Math.min(2 * beat, LONGEST);
    for (let n = 0; n < layout.cpus; n++) {
      const cpu = (layout.cpuBase + n * state.CPU_STRIDE) >>> 2;
      const begun = Atomics.load(words, cpu + state.BEGINNINGS / 4);
      const another = begun !== seen[n];
      seen[n] = begun;
      const executes = (begun & 1) === 1;
      if (another || executes) looks = 0;
      if (!executes) continue;
      beat = BEAT;
      // Within a long beat it may have slept.
      if (!(another && long)) Atomics.or(words, cpu + state.PENDING / 4, state.PENDING_TICK);
    }
  }
}
