/** Instructions that replace the PSW or parts of it (PoP ch. 10). */

import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import * as state from '../state.ts';
import { alignedAddress, operandAddress, pswHigh, specify } from './operands.ts';
import { traceMode, tracesModes } from './tracing.ts';

/** Where the breaking event was: at this instruction, or at the EXECUTE that it is the target of. */
function breakingEvent(cpu: Cpu): void {
  const word = cpu.base >>> 2;
  const executing = cpu.i32[word + state.EXECUTING / 4]!;
  if (executing) cpu.breakingEventAddress = cpu.currentInstruction().address;
  else {
    cpu.i32[word + state.BEA / 4] = cpu.i32[word + state.PSW_ADDRESS / 4]!;
    cpu.i32[word + state.BEA / 4 + 1] = cpu.i32[word + state.PSW_ADDRESS / 4 + 1]!;
  }
}

export function loadPsw(cpu: Cpu, operands: Operands): number {
  const address = alignedAddress(cpu, operands, 8);
  const psw = cpu.access.read64(address, operands.b2!);
  const high = Number(psw >> 32n);
  const low = Number(psw & 0xffff_ffffn);
  breakingEvent(cpu);
  // Bit 12 is one in the short format; the address has bit 32, the addressing mode, to its left.
  cpu.interruptions.loadPsw(high ^ 0x0008_0000, low & 0x8000_0000, 0, low & 0x7fff_ffff);
  cpu.interruptions.checkPsw();
  return LEAVE;
}

/** LPSWE: the PSW is in OPERAND. */
export function loadPswExtended(cpu: Cpu): number {
  breakingEvent(cpu);
  return loadPswExtendedQuietly(cpu);
}

/** LPSWEY: as LPSWE, and no breaking event. */
export function loadPswExtendedQuietly(cpu: Cpu): number {
  const { i32 } = cpu;
  const at = (cpu.base + state.OPERAND) >>> 2;
  cpu.interruptions.loadPsw(i32[at + 1]!, i32[at]!, i32[at + 3]!, i32[at + 2]!);
  cpu.setField32(state.EXECUTING, 0);
  cpu.interruptions.checkPsw();
  return LEAVE;
}

export function supervisorCall(cpu: Cpu, operands: Operands): number {
  const executing = cpu.field32(state.EXECUTING);
  const number = operands.i1!;
  cpu.advance();
  cpu.interruptions.supervisorCall(number, executing ? executing >>> 8 : 2);
  return LEAVE;
}

/** Sets PSW bits 0-7 and goes on behind the instruction, whose length was taken before it stored anything. */
function setSystemMask(cpu: Cpu, mask: number, length: number): number {
  cpu.moveBehind(length);
  const high = cpu.field32(state.PSW_MASK + 4);
  const changed = (high >>> 24) ^ mask;
  cpu.setField32(state.PSW_MASK + 4, ((high & 0xff_ffff) | (mask << 24)) >>> 0);
  // PER, DAT.
  if (changed & 0x44) cpu.mappingChanged();
  cpu.interruptions.checkPsw(length);
  return LEAVE;
}

export function setSystemMaskFrom(cpu: Cpu, operands: Operands): number {
  const mask = cpu.access.read8(operandAddress(cpu, operands), operands.b2!);
  return setSystemMask(cpu, mask, cpu.instructionLength());
}

export function storeThenAndSystemMask(cpu: Cpu, operands: Operands): number {
  const old = cpu.field32(state.PSW_MASK + 4) >>> 24;
  const length = cpu.instructionLength();
  cpu.access.write8(operandAddress(cpu, operands, 1), old, operands.b1!);
  return setSystemMask(cpu, old & operands.i2!, length);
}

export function storeThenOrSystemMask(cpu: Cpu, operands: Operands): number {
  const old = cpu.field32(state.PSW_MASK + 4) >>> 24;
  const length = cpu.instructionLength();
  cpu.access.write8(operandAddress(cpu, operands, 1), old, operands.b1!);
  return setSystemMask(cpu, old | operands.i2!, length);
}

/** PSW bits 31 and 32 for each mode, and the largest address. */
const modes = { 24: [0, 0, 0xff_ffffn], 31: [0, 0x8000_0000, 0x7fff_ffffn], 64: [1, 0x8000_0000, -1n] } as const;

function setAddressingMode(cpu: Cpu, [extended, basic, mask]: readonly [number, number, bigint]): number {
  specify((cpu.currentInstruction().address & BigInt.asUintN(64, ~mask)) === 0n);
  if (tracesModes(cpu) && ((pswHigh(cpu) ^ extended) & 1) !== 0) {
    const { address, length } = cpu.currentInstruction();
    cpu.setCr(12, traceMode(cpu, (address + BigInt(length)) & cpu.addressMask));
  }
  cpu.advance();
  const high = (cpu.field32(state.PSW_MASK + 4) & ~1) | extended | (cpu.cc << 12);
  cpu.setPswMask(high, basic);
  cpu.pswAddress &= cpu.addressMask;
  return LEAVE;
}

export const setAddressingMode24 = (cpu: Cpu): number => setAddressingMode(cpu, modes[24]);
export const setAddressingMode31 = (cpu: Cpu): number => setAddressingMode(cpu, modes[31]);
export const setAddressingMode64 = (cpu: Cpu): number => setAddressingMode(cpu, modes[64]);
