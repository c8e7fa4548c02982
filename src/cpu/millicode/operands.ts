/** Operand addresses in millicode. */

import type { Cpu } from '../cpu.ts';
import type { Operands } from '../isa/insn.ts';

/** Base, index and displacement of operand 1 to 4, in the addressing mode. */
export function operandAddress(cpu: Cpu, operands: Operands, operand: 1 | 2 | 3 | 4 = 2): bigint {
  const base = operands[`b${operand}`]!;
  const index = operands[`x${operand}`] ?? 0;
  let address = BigInt(operands[`d${operand}`]!);
  if (base) address += cpu.gr(base);
  if (index) address += cpu.gr(index);
  return address & cpu.addressMask;
}
