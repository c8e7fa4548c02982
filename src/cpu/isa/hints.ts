/** Instructions that only advise the CPU (PoP ch. 7): nothing comes of them that a program could see. */

import { RIL_c, RRF_c, RXY_b } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

const nothing = (): void => {};

export const hints: readonly Instruction[] = [
  insn('PFD', 0xe336, RXY_b, 34, nothing),
  insn('PFDRL', 0xc62, RIL_c, 34, nothing),
  insn('PPA', 0xb2e8, RRF_c, 49, nothing),
];
