/** Linkage instructions (PoP ch. 10): between programs and between address spaces. */

import * as linkage from '../millicode/linkage.ts';
import * as tracing from '../millicode/tracing.ts';
import { E, RRE, RRE_1, RRE_ar, RS_a, RSY_a, S, SSE } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

const privileged = { privileged: true } as const;

export const linkageInstructions: readonly Instruction[] = [
  insn('PC', 0xb218, S, 'z', i => i.millicode(linkage.programCall)),
  insn('PR', 0x0101, E, 'z', i => i.millicode(linkage.programReturn)),
  insn('PT', 0xb228, RRE, 'z', i => i.millicode(linkage.programTransfer)),
  insn('PTI', 0xb99e, RRE, 6, i => i.millicode(linkage.programTransferWithInstance)),
  insn('SSAR', 0xb225, RRE_1, 'z', i => i.millicode(linkage.setSecondaryAsn)),
  insn('SSAIR', 0xb99f, RRE_1, 6, i => i.millicode(linkage.setSecondaryAsnWithInstance)),
  insn('BAKR', 0xb240, RRE, 'z', i => i.millicode(linkage.branchAndStack)),
  insn('EREG', 0xb249, RRE, 'z', i => i.millicode(linkage.extractStackedRegisters)),
  insn('EREGG', 0xb90e, RRE, 'z', i => i.millicode(linkage.extractStackedRegisters64)),
  insn('ESTA', 0xb24a, RRE, 'z', i => i.millicode(linkage.extractStackedState)),
  insn('MSTA', 0xb247, RRE_1, 'z', i => i.millicode(linkage.modifyStackedState)),
  insn('BSA', 0xb25a, RRE, 'z', i => i.millicode(linkage.branchAndSetAuthority)),
  insn('BSG', 0xb258, RRE, 'z', i => i.millicode(linkage.branchInSubspaceGroup)),
  insn('LASP', 0xe500, SSE, 'z', i => i.millicode(linkage.loadAddressSpaceParameters), privileged),
  insn('RP', 0xb277, S, 'z', i => i.millicode(linkage.resumeProgram)),
  insn('TRAP2', 0x01ff, E, 'z', i => i.millicode(linkage.trap2)),
  insn('TRAP4', 0xb2ff, S, 'z', i => i.millicode(linkage.trap4)),
  insn('TAR', 0xb24c, RRE_ar, 'z', i => i.millicode(linkage.testAccess)),
  insn('TRACE', 0x99, RS_a, 'z', i => i.millicode(tracing.trace32), privileged),
  insn('TRACG', 0xeb0f, RSY_a, 'z', i => i.millicode(tracing.trace64), privileged),
];
