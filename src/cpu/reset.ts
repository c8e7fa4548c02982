/** Resets of one CPU (PoP ch. 4, "Resets"). The CPU must stand still. */

import { clearCpuConditions } from './pending.ts';
import type { Registers } from './registers.ts';
import * as state from './state.ts';

/**
 * What a reset clears: `cpu`, interruption conditions only; `initial`, also PSW, prefix, timers, control registers and
 * the floating-point control; `clear`, also all other registers.
 */
export type ResetKind = 'cpu' | 'initial' | 'clear';

const CR0_INITIAL = 0xe0n;
const CR14_INITIAL = 0xc200_0000n;

/** Afterwards the CPU is in the stopped state. */
export function resetCpu(memory: WebAssembly.Memory, registers: Registers, kind: ResetKind): void {
  clearCpuConditions(memory, registers.layout, registers.number);
  registers.setField32(state.EXECUTING, 0);
  registers.setField32(state.CPU_STATE, state.CPU_STOPPED);
  if (kind === 'cpu') return;
  registers.setPsw(0n, 0n);
  registers.prefix = 0;
  registers.setField32(state.CPU_TIMER_STANDS, 1);
  registers.setField64(state.CPU_TIMER, 0n);
  registers.setField64(state.CLOCK_COMPARATOR, 0n);
  registers.setField32(state.TODPR, 0);
  registers.fpc = 0;
  // A breaking event has not occurred: the address is 1.
  registers.breakingEventAddress = 1n;
  for (let n = 0; n < 16; n++) registers.setCr(n, n === 0 ? CR0_INITIAL : n === 14 ? CR14_INITIAL : 0n);
  if (kind === 'initial') return;
  for (let n = 0; n < 16; n++) {
    registers.setGr(n, 0n);
    registers.setAr(n, 0);
  }
  for (let n = 0; n < 32; n++) {
    registers.setField64(state.VR + 16 * n, 0n);
    registers.setField64(state.VR + 16 * n + 8, 0n);
  }
}

/** Forgets what software has told of the use of storage (EXTRACT AND SET STORAGE ATTRIBUTES). */
export function resetStorageAttributes(memory: WebAssembly.Memory, layout: state.Layout): void {
  const flags = new Uint8Array(memory.buffer, layout.frameFlags, layout.storageSize / 4096);
  for (let frame = 0; frame < flags.length; frame++) flags[frame]! &= ~state.FRAME_ATTRIBUTES;
}
