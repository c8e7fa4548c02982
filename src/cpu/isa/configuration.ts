/** Instructions that tell of the configuration and change it. */

import { performTopologyFunction, storeHypervisorInformation } from '../millicode/configuration.ts';
import { RRE, RRE_1 } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

export const configurationInstructions: readonly Instruction[] = [
  insn('PTF', 0xb9a2, RRE_1, 11, i => i.millicode(performTopologyFunction), { privileged: true }),
  insn('STHYI', 0xb256, RRE, 74, i => i.millicode(storeHypervisorInformation)),
];
