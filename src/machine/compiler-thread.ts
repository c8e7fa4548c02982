/** The thread that compiles for all CPUs of a machine (cpu/compiler.ts), while there is something to compile. */

import { Compiler } from '../cpu/compiler.ts';
import { handlersOf } from '../cpu/engine/handlers.ts';
import { Decoder } from '../cpu/isa/decode.ts';
import { invalidInstructions } from '../cpu/isa/invalid.ts';
import type { Layout } from '../cpu/state.ts';
import * as state from '../cpu/state.ts';
import type { Mailbox, ThreadPort } from '../platform/threads.ts';
import type { CpuModel } from './cpu-model.ts';
import { rowsOf } from './rows.ts';
import { Storage } from './storage.ts';

export interface CompilerStart {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly weakHost: boolean;
  readonly cpuModel: CpuModel;
  /** Name of the machine's mailboxes. */
  readonly mailboxes: string;
  /** Most bytes of compiled code. */
  readonly capacity: number;
}

/** Milliseconds in which more may come that is compiled together. */
const GATHERING = 2;

/** Milliseconds after which it looks again, at most, whether it is time for what is wanted. */
const MOST_PAUSE = 4000;

/** Name of the mailbox in which a CPU finds what has been compiled. */
export const mailboxOf = (mailboxes: string, cpu: number): string => `${mailboxes}/${cpu}`;

export function compilerThread(port: ThreadPort, start: CompilerStart): void {
  const { memory, layout, weakHost, cpuModel, mailboxes, capacity } = start;
  const rows = rowsOf(cpuModel);
  const boxes: Mailbox[] = [];
  const compiler = new Compiler(new Storage(memory, layout), {
    layout,
    ordered: layout.cpus > 1 && weakHost,
    decoder: new Decoder(rows),
    handlers: handlersOf([...rows, ...invalidInstructions]),
    capacity,
    give: (cpu, module) => {
      boxes[cpu] ??= port.mailbox(mailboxOf(mailboxes, cpu));
      boxes[cpu].post(module);
    },
  });
  const { slots } = compiler;
  const words = new Int32Array(memory.buffer);
  const bell = (layout.machine + state.COMPILER_BELL) >>> 2;
  const never = (layout.machine + state.NEVER) >>> 2;
  let pause = 1;
  for (;;) {
    const rung = Atomics.load(words, bell);
    // Where the CPUs need all of the host's, at most half of the time.
    const begun = performance.now();
    const worked = compiler.work();
    if (worked === 'later') {
      const woken = Atomics.wait(words, bell, rung, pause);
      pause = woken === 'timed-out' ? Math.min(2 * pause, MOST_PAUSE) : 1;
      continue;
    }
    pause = 1;
    if (worked === 'done') {
      if (slots.isHostBusy) Atomics.wait(words, never, 0, performance.now() - begun);
      continue;
    }
    Atomics.wait(words, bell, rung);
    Atomics.wait(words, never, 0, GATHERING);
  }
}
