/** I/O instructions (PoP ch. 14). */

import * as channels from '../millicode/channels.ts';
import { RRE_1, S, S_0 } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

const privileged = { privileged: true } as const;

export const channelInstructions: readonly Instruction[] = [
  insn('CSCH', 0xb230, S_0, 'z', i => i.millicode(channels.clearSubchannel), privileged),
  insn('HSCH', 0xb231, S_0, 'z', i => i.millicode(channels.haltSubchannel), privileged),
  insn('MSCH', 0xb232, S, 'z', i => i.millicode(channels.modifySubchannel), privileged),
  insn('SSCH', 0xb233, S, 'z', i => i.millicode(channels.startSubchannel), privileged),
  insn('STSCH', 0xb234, S, 'z', i => i.millicode(channels.storeSubchannel), privileged),
  insn('TSCH', 0xb235, S, 'z', i => i.millicode(channels.testSubchannel), privileged),
  insn('TPI', 0xb236, S, 'z', i => i.millicode(channels.testPendingInterruption), privileged),
  insn('SAL', 0xb237, S_0, 'z', i => i.millicode(channels.setAddressLimit), privileged),
  insn('RSCH', 0xb238, S_0, 'z', i => i.millicode(channels.resumeSubchannel), privileged),
  insn('STCRW', 0xb239, S, 'z', i => i.millicode(channels.storeChannelReport), privileged),
  insn('STCPS', 0xb23a, S, 'z', i => i.millicode(channels.storeChannelPathStatus), privileged),
  insn('RCHP', 0xb23b, S_0, 'z', i => i.millicode(channels.resetChannelPath), privileged),
  insn('SCHM', 0xb23c, S_0, 'z', i => i.millicode(channels.setChannelMonitor), privileged),
  insn('XSCH', 0xb276, S_0, 'z', i => i.millicode(channels.cancelSubchannel), privileged),
  insn('CHSC', 0xb25f, RRE_1, 'z', i => i.millicode(channels.channelSubsystemCall), privileged),
];
