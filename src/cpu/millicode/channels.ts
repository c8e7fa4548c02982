/** I/O instructions (PoP ch. 14): operands checked and moved here, the rest is the channel subsystem's. */

import type { ChannelSubsystem } from '../channels.ts';
import type { Cpu } from '../cpu.ts';
import { LEAVE, type Millicode, type Operands } from '../isa/insn.ts';
import { OPERAND, ProgramInterruption } from '../program.ts';
import { alignedAddress, crLow, operandAddress, specify } from './operands.ts';

/** The subsystem-identification word in GR1: bit 47 is one; an image is named only with bit 44. */
function subchannel(cpu: Cpu): number {
  const word = cpu.gr32(1);
  const names = (word & 0x8_0000) !== 0;
  if ((word & 0x00f1_0000 & ~0x8_0000) !== 0x1_0000 || (!names && word >>> 24)) throw new ProgramInterruption(OPERAND);
  return word;
}

/** Instructions whose only operand is the subchannel in GR1. */
const withSubchannel =
  (act: (channels: ChannelSubsystem, word: number) => number): Millicode =>
  (cpu: Cpu): number => {
    cpu.cc = act(cpu.environment.channels, subchannel(cpu));
    cpu.advance();
    return LEAVE;
  };

export const clearSubchannel = withSubchannel((channels, word) => channels.clear(word));
export const haltSubchannel = withSubchannel((channels, word) => channels.halt(word));
export const resumeSubchannel = withSubchannel((channels, word) => channels.resume(word));
export const cancelSubchannel = withSubchannel((channels, word) => channels.cancel(word));

export function startSubchannel(cpu: Cpu, operands: Operands): number {
  const address = alignedAddress(cpu, operands, 4);
  const orb = cpu.access.readBytes(address, 32, operands.b2!);
  const word = subchannel(cpu);
  // Transport mode, which is not there, and reserved bits of the operation-request block.
  if (orb[5]! & 0x04 || orb[7]! & 0x3e || orb[8]! & 0x80) throw new ProgramInterruption(OPERAND);
  cpu.cc = cpu.environment.channels.start(word, orb);
  cpu.advance();
  return LEAVE;
}

export function storeSubchannel(cpu: Cpu, operands: Operands): void {
  const address = alignedAddress(cpu, operands, 4);
  const schib = cpu.environment.channels.store(subchannel(cpu));
  if (schib) cpu.access.writeBytes(address, schib, operands.b2!);
  cpu.cc = schib ? 0 : 3;
}

export function modifySubchannel(cpu: Cpu, operands: Operands): number {
  const address = alignedAddress(cpu, operands, 4);
  const schib = cpu.access.readBytes(address, 52, operands.b2!);
  cpu.cc = cpu.environment.channels.modify(subchannel(cpu), schib);
  cpu.advance();
  return LEAVE;
}

export function testSubchannel(cpu: Cpu, operands: Operands): void {
  const address = alignedAddress(cpu, operands, 4);
  const word = subchannel(cpu);
  // The status is cleared by looking at it: the block must be accessible before.
  cpu.access.probe(address, 64, operands.b2!, true);
  const answer = cpu.environment.channels.test(word);
  if (answer) cpu.access.writeBytes(address, answer.irb, operands.b2!);
  cpu.cc = answer ? answer.cc : 3;
}

/** TEST PENDING INTERRUPTION: to the operand, or to the prefix area when its address is 0. */
export function testPendingInterruption(cpu: Cpu, operands: Operands): void {
  const address = alignedAddress(cpu, operands, 4);
  const inPrefixArea = address === 0n;
  if (!inPrefixArea) cpu.access.probe(address, 8, operands.b2!, true);
  const code = cpu.environment.channels.testPending(crLow(cpu, 6) >>> 24);
  if (code && inPrefixArea) code.forEach((word, n) => void cpu.interruptions.store32(0xb8 + 4 * n, word));
  else if (code) cpu.access.writeWords(address, code.slice(0, 2), operands.b2!);
  cpu.cc = code ? 1 : 0;
}

export function storeChannelReport(cpu: Cpu, operands: Operands): void {
  const address = alignedAddress(cpu, operands, 4);
  cpu.access.probe(address, 4, operands.b2!, true);
  const report = cpu.environment.channels.storeReport();
  cpu.access.write32(address, report, operands.b2!);
  cpu.cc = report ? 0 : 1;
}

/** STORE CHANNEL PATH STATUS: all paths are available. */
export function storeChannelPathStatus(cpu: Cpu, operands: Operands): void {
  const address = operandAddress(cpu, operands);
  specify((address & 31n) === 0n);
  cpu.access.writeBytes(address, new Uint8Array(32), operands.b2!);
}

export function resetChannelPath(cpu: Cpu): void {
  const parameter = cpu.gr32(1);
  if (parameter & 0xff00_ff00) throw new ProgramInterruption(OPERAND);
  cpu.cc = cpu.environment.channels.resetPath(parameter);
}

export function setChannelMonitor(cpu: Cpu): void {
  cpu.environment.channels.setMonitor({ register1: cpu.gr(1), register2: cpu.gr(2) });
}

export function setAddressLimit(cpu: Cpu): void {
  const limit = cpu.gr32(1);
  if (limit & 0x8000_ffff) throw new ProgramInterruption(OPERAND);
  cpu.environment.channels.setAddressLimit(limit);
}

/** CHANNEL SUBSYSTEM CALL: the block of one page whose address is in R1. */
export function channelSubsystemCall(cpu: Cpu, { r1 }: Operands): number {
  const register = r1!;
  const address = cpu.gr(register) & cpu.addressMask;
  specify((address & 0xfffn) === 0n);
  const block = cpu.access.readBytes(address, 4096, register);
  const length = (block[0]! << 8) | block[1]!;
  if (length < 16 || length > 0xff8 || length & 7) throw new ProgramInterruption(OPERAND);
  cpu.access.probe(address, 4096, register, true);
  cpu.cc = cpu.environment.channels.call(block);
  cpu.access.writeBytes(address, block, register);
  cpu.advance();
  return LEAVE;
}
