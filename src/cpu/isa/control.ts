/** Control instructions (PoP ch. 10). */

import * as psw from '../millicode/psw.ts';
import { I, S, SI } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

const privileged = { privileged: true } as const;

export const control: readonly Instruction[] = [
  insn('SVC', 0x0a, I, 'z', i => i.millicode(psw.supervisorCall)),
  insn('LPSW', 0x82, S, 'z', i => i.millicode(psw.loadPsw), privileged),
  insn('LPSWE', 0xb2b2, S, 'z', i => i.millicode(psw.loadPswExtended), privileged),
  insn('SSM', 0x80, S, 'z', i => i.millicode(psw.setSystemMaskFrom), privileged),
  insn('STNSM', 0xac, SI, 'z', i => i.millicode(psw.storeThenAndSystemMask), privileged),
  insn('STOSM', 0xad, SI, 'z', i => i.millicode(psw.storeThenOrSystemMask), privileged),
];
