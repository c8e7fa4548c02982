/** The floating-point-control register as SET FPC AND SIGNAL and LOAD FPC AND SIGNAL change it (PoP ch. 9). */

import type { Cpu } from '../cpu.ts';
import type { Millicode } from '../isa/insn.ts';
import { DATA, ProgramInterruption } from '../program.ts';
import * as state from '../state.ts';
import { DIVIDE_BY_ZERO, INEXACT, INVALID, OVERFLOW, UNDERFLOW } from './ieee/exceptions.ts';

/** Marks a data-exception code as that of a simulated IEEE exception. */
const SIMULATED = 3;
/** The IEEE-quantum exception has the last bit, of mask, flag and code alike. */
const QUANTUM = 4;

/** Bits of the data-exception code for exceptions of which more than one may be signaled: that of highest priority. */
function reported(signaled: number): number {
  if (signaled & INVALID) return INVALID;
  if (signaled & DIVIDE_BY_ZERO) return DIVIDE_BY_ZERO;
  if (signaled & OVERFLOW) return signaled & (OVERFLOW | INEXACT);
  if (signaled & UNDERFLOW) return signaled & (UNDERFLOW | INEXACT);
  return signaled & INEXACT || signaled & QUANTUM;
}

/** The flags that were one remain so, and those that the new masks enable cause a simulated exception. */
function signal(cpu: Cpu, fpc: number): void {
  const flags = cpu.fpc & 0x00ff_0000;
  cpu.fpc = fpc | flags;
  const code = reported((flags >>> 16) & (fpc >>> 24));
  if (code) throw new ProgramInterruption(DATA, code | SIMULATED, true);
}

/** SET FPC AND SIGNAL. The operand has been found valid. */
export const setFpcAndSignal: Millicode = (cpu, { r1 }) => signal(cpu, cpu.gr32(r1!));

/** LOAD FPC AND SIGNAL: the operand is in the work area, and has been found valid. */
export const loadFpcAndSignal: Millicode = cpu => signal(cpu, cpu.field32(state.SCRATCH));
