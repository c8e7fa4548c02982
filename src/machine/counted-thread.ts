/**
 * Counted mode: all CPUs in one thread, in turn. To the machine they look as if each had a thread of its own: `inOneThread`
 * stands between.
 */

import { CountedCpu } from '../cpu/counted.ts';
import type { StopReason } from '../cpu/cpu.ts';
import type { Layout } from '../cpu/state.ts';
import { NEVER, TURN_LEFT, TURN as TURN_WORD } from '../cpu/state.ts';
import { VirtualTime } from '../cpu/virtual-time.ts';
import type { Port, Thread, ThreadHost } from '../platform/threads.ts';
import type { Counting } from './control.ts';
import { type CpuStart, type Equipment, equip, type FromCpu, type ToCpu } from './cpu-thread.ts';
import { rowsOf } from './rows.ts';
import { Storage } from './storage.ts';

/** Instructions of a turn. */
const TURN = 20_000;
/** Milliseconds of sleep after which it is looked whether somebody wants something. */
const NAP = 10;

export interface CountedStart extends Counting {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
}

type ToThread =
  | { readonly kind: 'start'; readonly start: CpuStart }
  | { readonly kind: 'messages'; readonly messages: readonly (readonly [number, ToCpu])[] };

/** What CPUs have to say at the same time. */
type FromThread = readonly (readonly [number, FromCpu])[];

/** A thread host for which CPUs share a thread. */
export function inOneThread(threads: ThreadHost, counted: CountedStart): ThreadHost {
  let thread: Thread | undefined;
  const listeners = new Map<number, (message: never) => void>();
  const started = (): Thread => {
    if (!thread) {
      thread = threads.spawn('counted', counted);
      thread.onMessage((messages: FromThread) => {
        for (const [cpu, message] of messages) listeners.get(cpu)?.(message as never);
      });
    }
    return thread;
  };
  let waiting: (readonly [number, ToCpu])[] = [];
  /** What all CPUs are told at once goes together: all of them begin with the same instruction. */
  const post = (cpu: number, message: ToCpu): void => {
    if (waiting.length === 0) {
      queueMicrotask(() => {
        started().post({ kind: 'messages', messages: waiting } satisfies ToThread);
        waiting = [];
      });
    }
    waiting.push([cpu, message]);
  };
  return {
    ...threads,
    spawn(_role, data): Thread {
      const start = data as CpuStart;
      started().post({ kind: 'start', start } satisfies ToThread);
      return {
        post: message => post(start.number, message as ToCpu),
        onMessage: listener => void listeners.set(start.number, listener),
        onError: listener => started().onError(listener),
        terminate: () => started().terminate(),
      };
    },
  };
}

/** The thread. */
export function countedThread(port: Port, { memory, layout, shift, sleep }: CountedStart): void {
  const time = new VirtualTime(memory, layout, shift);
  const storage = new Storage(memory, layout);
  const cpus: { readonly cpu: CountedCpu; readonly equipment: Equipment }[] = [];
  const running = new Set<CountedCpu>();
  const never = (layout.machine + NEVER) >>> 2;
  const i32 = new Int32Array(memory.buffer);
  /** Collects what they say. */
  let together: [number, FromCpu][] | undefined;
  /** Index of the CPU that has its turn. Between two runs it is kept, with what is left, where it is saved. */
  let at = 0;
  const turn = (layout.machine + TURN_WORD) >>> 2;
  const turnLeft = (layout.machine + TURN_LEFT) >>> 2;

  const add = (start: CpuStart): void => {
    const { number } = start;
    const post = (message: FromCpu): void => {
      if (together) together.push([number, message]);
      else port.post([[number, message]] satisfies FromThread);
    };
    const cpu = new CountedCpu(storage, number, rowsOf(start.cpuModel), time);
    const equipment = equip(cpu, start, post, () => {
      // The others are between two instructions.
      for (const other of cpus) if (other.cpu !== cpu) other.cpu.obey();
    });
    cpus.push({ cpu, equipment });
    cpus.sort((a, b) => a.cpu.number - b.cpu.number);
    post({ kind: 'ready' });
  };

  const end = (which: (typeof cpus)[number], reason: StopReason): void => {
    running.delete(which.cpu);
    which.cpu.halt();
    which.equipment.report(reason);
  };

  /** All come to a halt because of one, before any of them executes another instruction. */
  const endAll = (first: (typeof cpus)[number], reason: StopReason): void => {
    together = [];
    end(first, reason);
    for (const other of cpus) if (running.has(other.cpu)) end(other, 'request');
    port.post(together satisfies FromThread);
    together = undefined;
  };

  const run = (): void => {
    let idle = 0;
    at = i32[turn]! % cpus.length;
    cpus[at]!.cpu.left = i32[turnLeft]!;
    while (running.size > 0) {
      const which = cpus[at]!;
      const { cpu } = which;
      const reason = running.has(cpu) ? cpu.turn() : 'waiting';
      const goesOn = reason === 'over' || reason === 'waiting';
      if (goesOn) {
        cpu.left = 0;
        at = (at + 1) % cpus.length;
        cpus[at]!.cpu.left = TURN;
        idle = reason === 'over' ? 0 : idle + 1;
      }
      i32[turn] = at;
      i32[turnLeft] = cpus[at]!.cpu.left;
      if (!goesOn) endAll(which, reason);
      else if (idle >= cpus.length) {
        wait();
        idle = 0;
      }
    }
  };

  /** No CPU has anything to do before the first timer is due. */
  const wait = (): void => {
    const isWanted = () => cpus.some(({ cpu }) => running.has(cpu) && cpu.isWanted);
    const due = Math.min(...cpus.map(({ cpu }) => (running.has(cpu) ? cpu.wakes : Number.POSITIVE_INFINITY)));
    if ((sleep || due === Number.POSITIVE_INFINITY) && !isWanted()) {
      const begun = performance.now();
      const from = time.milliseconds;
      const passed = () => from + performance.now() - begun;
      while (!isWanted() && passed() < due) Atomics.wait(i32, never, 0, Math.min(due - passed(), NAP));
      if (isWanted()) return time.waitedUntil(Math.min(passed(), due));
    } else if (isWanted()) return;
    time.waitedUntil(due);
  };

  port.onMessage((message: ToThread) => {
    if (message.kind === 'start') return add(message.start);
    const begin: CountedCpu[] = [];
    for (const [number, each] of message.messages) {
      const which = cpus.find(({ cpu }) => cpu.number === number)!;
      const { cpu, equipment } = which;
      if (!equipment.take(each)) continue;
      if (each.kind === 'run') begin.push(cpu);
      else {
        cpu.onInstruction?.();
        cpu.singleStep();
        equipment.report('request');
      }
    }
    for (const cpu of begin) {
      running.add(cpu);
      cpu.begin();
    }
    run();
  });
}
