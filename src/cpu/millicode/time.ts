/** Clocks and timers (PoP ch. 4 "Timing", ch. 7 and 10). */

import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import * as state from '../state.ts';
import { alignedAddress, inProblemState, operandAddress, privilege, specify } from './operands.ts';

export function storeClock(cpu: Cpu, operands: Operands): void {
  const address = operandAddress(cpu, operands);
  cpu.access.write64(address, cpu.timers.clock.uniqueTod(), operands.b2!);
  cpu.cc = 0;
}

export function storeClockFast(cpu: Cpu, operands: Operands): void {
  const address = operandAddress(cpu, operands);
  cpu.access.write64(address, cpu.timers.clock.tod(), operands.b2!);
  cpu.cc = 0;
}

/** Epoch index, the clock, bits below it that are not all zero, and the TOD programmable field. */
export function storeClockExtended(cpu: Cpu, operands: Operands): void {
  const address = operandAddress(cpu, operands);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  cpu.access.probe(address, 16, operands.b2!, true);
  view.setBigUint64(1, cpu.timers.clock.uniqueTod());
  bytes[13] = 1;
  view.setUint16(14, cpu.field32(state.TODPR));
  cpu.access.writeBytes(address, bytes, operands.b2!);
  cpu.cc = 0;
}

export function setClock(cpu: Cpu, operands: Operands): number {
  const value = cpu.access.read64(alignedAddress(cpu, operands, 8), operands.b2!);
  const { timers } = cpu;
  const timer = timers.cpuTimer;
  timers.clock.setTod(value);
  timers.cpuTimer = timer;
  cpu.cc = 0;
  cpu.advance();
  return LEAVE;
}

/** GR0 bits 32-47 are zero, bits 48-63 the programmable field. */
export function setClockProgrammableField(cpu: Cpu): void {
  const value = cpu.gr32(0);
  specify(value >>> 16 === 0);
  cpu.setField32(state.TODPR, value);
}

export function setClockComparator(cpu: Cpu, operands: Operands): number {
  cpu.timers.clockComparator = cpu.access.read64(alignedAddress(cpu, operands, 8), operands.b2!);
  cpu.advance();
  return LEAVE;
}

export function storeClockComparator(cpu: Cpu, operands: Operands): void {
  cpu.access.write64(alignedAddress(cpu, operands, 8), cpu.timers.clockComparator, operands.b2!);
}

export function setCpuTimer(cpu: Cpu, operands: Operands): number {
  cpu.timers.cpuTimer = BigInt.asIntN(64, cpu.access.read64(alignedAddress(cpu, operands, 8), operands.b2!));
  cpu.advance();
  return LEAVE;
}

export function storeCpuTimer(cpu: Cpu, operands: Operands): void {
  cpu.access.write64(alignedAddress(cpu, operands, 8), BigInt.asUintN(64, cpu.timers.cpuTimer), operands.b2!);
}

/** EXTRACT CPU TIME: GR0 the first operand less the CPU timer, GR1 the second operand, R3 what its address designates. */
export function extractCpuTime(cpu: Cpu, operands: Operands): void {
  const { access } = cpu;
  const first = access.read64(operandAddress(cpu, operands, 1), operands.b1!);
  const second = access.read64(operandAddress(cpu, operands, 2), operands.b2!);
  const third = access.read64(cpu.gr(operands.r3!) & cpu.addressMask, operands.r3!);
  cpu.setGr(0, BigInt.asUintN(64, first - cpu.timers.cpuTimer));
  cpu.setGr(1, second);
  cpu.setGr(operands.r3!, third);
}

// PERFORM TIMING FACILITY FUNCTION

const QUERY = 0x00;
const QUERY_TOD_OFFSET = 0x01;
const QUERY_STEERING = 0x02;
const QUERY_PHYSICAL_CLOCK = 0x03;
const QUERY_UTC = 0x04;
const ADJUST_TOD_OFFSET = 0x40;
const SET_TOD_OFFSET = 0x41;
const SET_FINE_STEERING = 0x42;
const SET_GROSS_STEERING = 0x43;
const functions: readonly number[] = [
  QUERY,
  QUERY_TOD_OFFSET,
  QUERY_STEERING,
  QUERY_PHYSICAL_CLOCK,
  QUERY_UTC,
  ADJUST_TOD_OFFSET,
  SET_TOD_OFFSET,
];
const controlFunctions: readonly number[] = [ADJUST_TOD_OFFSET, SET_TOD_OFFSET, SET_FINE_STEERING, SET_GROSS_STEERING];

/** GR0 bits 57-63 the function, GR1 the address of the parameter block. The clock is never steered. */
export function performTimingFunction(cpu: Cpu): void {
  const { access } = cpu;
  const { clock } = cpu.timers;
  specify((cpu.gr32(0) & 0x80) === 0);
  const code = cpu.gr32(0) & 0x7f;
  if (controlFunctions.includes(code)) privilege(!inProblemState(cpu));
  if (!functions.includes(code)) {
    cpu.cc = 3;
    return;
  }
  const address = cpu.gr(1) & cpu.addressMask;
  const block = (length: number, fields: Readonly<Record<number, bigint>>): void => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (const [at, value] of Object.entries(fields)) view.setBigUint64(Number(at), value);
    access.writeBytes(address, bytes, 1);
  };
  const physical = clock.physical();
  const offset = clock.offset;
  switch (code) {
    case QUERY: {
      const list = new Uint8Array(16);
      for (const bit of functions) list[bit >>> 3]! |= 0x80 >>> (bit & 7);
      access.writeBytes(address, list, 1);
      break;
    }
    case QUERY_TOD_OFFSET:
      // Physical clock, TOD offset, logical TOD offset, TOD epoch difference.
      block(32, { 0: physical, 8: offset, 16: offset, 24: 0n });
      break;
    case QUERY_STEERING:
      block(56, { 0: physical });
      break;
    case QUERY_PHYSICAL_CLOCK:
      block(8, { 0: physical });
      break;
    case QUERY_UTC:
      block(256, {});
      break;
    default: {
      const value = access.read64(address, 1);
      const timer = cpu.timers.cpuTimer;
      clock.setOffset(code === SET_TOD_OFFSET ? value : offset + value);
      cpu.timers.cpuTimer = timer;
    }
  }
  cpu.cc = 0;
}
