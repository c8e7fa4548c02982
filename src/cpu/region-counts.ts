/** What is counted about regions of compiled code, in shared memory: for `info jit`. */

import { REGION_FAULT, REGION_GO_TO, REGION_INTERPRET, REGION_LOOPING, REGION_PENDING } from './engine/protocol.ts';
import type { Layout } from './state.ts';
import * as state from './state.ts';

/** What the compiler counts, in the order in which it is in COMPILER_COUNTS. */
const names = [
  'modules',
  'regions',
  'instructions',
  /** Of WebAssembly. */
  'bytes',
  /** Milliseconds of making WebAssembly, and of the engine's work on it. */
  'building',
  'compiling',
  /** Regions whose instructions had changed when they were ready. */
  'dropped',
  /** Places that were not worth it. */
  'small',
  /** Modules given up to make room. */
  'evicted',
  'liveModules',
  /** Bytes of compiled code, as far as can be said. */
  'liveBytes',
] as const;

type CompilerCount = (typeof names)[number];

/** The compiler's counts. */
export class CompilerCounts {
  readonly #counts: Float64Array;

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    this.#counts = new Float64Array(memory.buffer, layout.machine + state.COMPILER_COUNTS, names.length);
  }

  add(name: CompilerCount, more: number): void {
    this.#counts[names.indexOf(name)]! += more;
  }
  set(name: CompilerCount, value: number): void {
    this.#counts[names.indexOf(name)] = value;
  }
  get(name: CompilerCount): number {
    return this.#counts[names.indexOf(name)]!;
  }
}

/** What one CPU counts; the counts of exits and misses are of 32 bits. */
export interface CpuCounts {
  /** Part of its time that it was found interpreting, 0 to 1. */
  readonly interpreted: number;
  readonly misses: number;
  /** How often regions were left: for other code, by exceptions, because something was pending, for the interpreter. */
  readonly exits: {
    readonly elsewhere: number;
    readonly exception: number;
    readonly pending: number;
    readonly interpret: number;
  };
}

export function cpuCounts(memory: WebAssembly.Memory, layout: Layout, cpu: number): CpuCounts {
  const u32 = new Uint32Array(memory.buffer, layout.cpuBase + cpu * state.CPU_STRIDE, state.TLB / 4);
  const ticks = u32[state.TICKS / 4]!;
  const exits = (cause: number): number => u32[state.REGION_EXITS / 4 + cause]!;
  return {
    interpreted: ticks ? 1 - u32[state.TICKS_IN_REGIONS / 4]! / ticks : 1,
    misses: u32[state.TLB_MISSES / 4]!,
    exits: {
      elsewhere: exits(REGION_GO_TO),
      exception: exits(REGION_FAULT),
      pending: exits(REGION_PENDING) + exits(REGION_LOOPING),
      interpret: exits(REGION_INTERPRET),
    },
  };
}

/** The counts in words; undefined where nothing is compiled. */
export function compilationReport(memory: WebAssembly.Memory, layout: Layout, cpus: readonly number[]): string {
  const counts = new CompilerCounts(memory, layout);
  const n = (name: CompilerCount): string => String(Math.round(counts.get(name)));
  const mebibytes = (name: CompilerCount): string => `${(counts.get(name) / 0x100000).toFixed(1)} MiB`;
  const lines = [
    `regions             ${n('regions')} of ${n('instructions')} instructions in ${n('modules')} modules`,
    `not worth it        ${n('small')}`,
    `changed meanwhile   ${n('dropped')}`,
    `in use              ${n('liveModules')} modules, about ${mebibytes('liveBytes')}`,
    `given up for room   ${n('evicted')} modules`,
    `WebAssembly         ${mebibytes('bytes')} in ${n('building')} ms`,
    `machine code        in ${n('compiling')} ms`,
  ];
  for (const cpu of cpus) {
    const { interpreted, misses, exits } = cpuCounts(memory, layout, cpu);
    lines.push(
      `CPU #${cpu}: ${(interpreted * 100).toFixed(1)} % interpreted, ${misses} TLB misses, regions left ${exits.elsewhere} times for ` +
        `other code, ${exits.interpret} for the interpreter, ${exits.exception} by exceptions, ${exits.pending} for something pending`,
    );
  }
  return `${lines.join('\n')}\n`;
}
