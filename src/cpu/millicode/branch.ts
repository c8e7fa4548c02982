/** Branches that set the addressing mode (PoP ch. 7): BASSM, BSM. */

import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands, type Outcome } from '../isa/insn.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { traceBranch, traceMode, traceModeBranch, tracesBranches, tracesModes } from './tracing.ts';

/** R1 takes the link information or only the mode, R2 has the branch address and, in bit 63 or 32, the new mode. */
function branchAndSetModeOf(cpu: Cpu, { r1, r2 }: Operands, link: boolean): Outcome {
  const mask = cpu.pswMaskWithCc;
  const target = cpu.gr(r2!);
  const { address, length } = cpu.currentInstruction();
  const next = (address + BigInt(length)) & cpu.addressMask;
  const wide = (mask & PSW_EA) !== 0n;
  const mode = target & 1n ? PSW_EA | PSW_BA : target & PSW_BA;
  const to = target & ~(target & 1n) & (mode & PSW_EA ? ~0n : mode ? 0x7fff_ffffn : 0xff_ffffn);
  if (r2) {
    const switches = wide !== ((target & 1n) !== 0n) && tracesModes(cpu);
    if (link && tracesBranches(cpu)) {
      const traced = switches ? traceModeBranch(cpu, to) : traceBranch(cpu, to, target & 1n ? 64 : mode ? 31 : 24);
      cpu.setCr(12, traced);
    } else if (switches) cpu.setCr(12, traceMode(cpu, next));
  }
  if (link) {
    if (wide) cpu.setGr(r1!, next | 1n);
    else cpu.setGr32(r1!, Number(next | (mask & PSW_BA)));
  } else if (r1) {
    if (wide) cpu.setGr(r1, cpu.gr(r1) | 1n);
    else cpu.setGr32(r1, Number((cpu.gr(r1) & 0x7fff_ffffn) | (mask & PSW_BA)));
  }
  if (!r2) return undefined;
  cpu.setPsw((mask & ~(PSW_EA | PSW_BA)) | mode, to);
  cpu.breakingEventAddress = address;
  return LEAVE;
}

/** BASSM. */
export const branchAndSaveAndSetMode = (cpu: Cpu, operands: Operands): Outcome =>
  branchAndSetModeOf(cpu, operands, true);
/** BSM. */
export const branchAndSetMode = (cpu: Cpu, operands: Operands): Outcome => branchAndSetModeOf(cpu, operands, false);
