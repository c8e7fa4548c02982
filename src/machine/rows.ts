/** Which instructions a CPU has, by its model. */

import { instructions } from '../cpu/isa/index.ts';
import type { Instruction } from '../cpu/isa/insn.ts';
import type { CpuModel } from './cpu-model.ts';

/** The instructions that a CPU of this model has. */
export function rowsOf({ facilities, features }: CpuModel): readonly Instruction[] {
  return instructions.filter(({ facility }) =>
    typeof facility === 'number' ? facilities.has(facility) : facility === 'z' || features.has(facility),
  );
}
