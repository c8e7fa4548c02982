/** LOAD and STORE ACCESS MULTIPLE (PoP ch. 7). */

import type { Cpu } from '../cpu.ts';
import type { Operands } from '../isa/insn.ts';
import * as state from '../state.ts';
import { alignedAddress } from './operands.ts';

/** Number of registers from a1 to a3, 0 following 15. */
const countOf = ({ a1, a3 }: Operands): number => ((a3! - a1!) & 15) + 1;

export function loadAccessMultiple(cpu: Cpu, operands: Operands): void {
  const count = countOf(operands);
  const { a1, b2 } = operands as Record<'a1' | 'b2', number>;
  const words = cpu.access.readWords(alignedAddress(cpu, operands, 4), count, b2);
  const first = (cpu.base + state.AR) >>> 2;
  for (let n = 0; n < count; n++) cpu.i32[first + ((a1 + n) & 15)] = words[n]!;
}

export function storeAccessMultiple(cpu: Cpu, operands: Operands): void {
  const count = countOf(operands);
  const { a1, b2 } = operands as Record<'a1' | 'b2', number>;
  const first = (cpu.base + state.AR) >>> 2;
  const words = Array.from({ length: count }, (_, n) => cpu.i32[first + ((a1 + n) & 15)]!);
  cpu.access.writeWords(alignedAddress(cpu, operands, 4), words, b2);
}
