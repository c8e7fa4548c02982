/** Clocks and timers (PoP ch. 4 "Timing", ch. 7 and 10). */

import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import { wake } from '../pending.ts';
import * as state from '../state.ts';
import { alignedAddress, inProblemState, operandAddress, privilege, specify } from './operands.ts';

// STORE CLOCK COMPARATOR stores what is left in OPERAND; SET's operand is loaded there.

const operandWord = (cpu: Cpu): number => (cpu.base + state.OPERAND) >>> 2;

export function readClockComparator(cpu: Cpu): void {
  cpu.setField64(state.OPERAND, cpu.timers.clockComparator);
}

/** All CPUs' clock comparators may be due. */
function clockSet(cpu: Cpu): void {
  cpu.timers.recompute();
  for (let n = 0; n < cpu.layout.cpus; n++) wake(cpu.storage.memory, cpu.layout, n, state.PENDING_TICK);
}

export function setClock(cpu: Cpu, operands: Operands): number {
  const value = cpu.access.read64(alignedAddress(cpu, operands, 8), operands.b2!);
  cpu.timers.clock.setTod(value);
  clockSet(cpu);
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

/** Milliseconds: a timer that is due sooner is looked at when it is set; ticks are there for the others. */
const SOON = 1;

/** Leaves when an interruption may be due before the next tick. */
function timerSet(cpu: Cpu, due: number): number | undefined {
  // When instructions are counted there are no ticks.
  if (due - cpu.timers.now() > SOON && !cpu.counted) return undefined;
  cpu.advance();
  return LEAVE;
}

export function setClockComparator(cpu: Cpu): number | undefined {
  cpu.timers.setClockComparator(operandWord(cpu));
  return timerSet(cpu, cpu.timers.clockComparatorDue);
}

export function setCpuTimer(cpu: Cpu): number | undefined {
  cpu.timers.setCpuTimer(operandWord(cpu));
  return timerSet(cpu, cpu.timers.cpuTimerDue);
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
const QUERY_TOD_OFFSET_USER = 0x05;
const ADJUST_TOD_OFFSET = 0x40;
const SET_TOD_OFFSET = 0x41;
const SET_TOD_OFFSET_USER = 0x45;
/** This and all above it are for the supervisor. */
const FIRST_CONTROL = 0x40;
const functions: readonly number[] = [
  QUERY,
  QUERY_TOD_OFFSET,
  QUERY_STEERING,
  QUERY_PHYSICAL_CLOCK,
  QUERY_UTC,
  QUERY_TOD_OFFSET_USER,
  ADJUST_TOD_OFFSET,
  SET_TOD_OFFSET,
  SET_TOD_OFFSET_USER,
];

/** GR0 bits 57-63 the function, GR1 the address of the parameter block. The clock is never steered. */
export function performTimingFunction(cpu: Cpu): void {
  const { access } = cpu;
  const { clock } = cpu.timers;
  specify((cpu.gr32(0) & 0x80) === 0);
  const code = cpu.gr32(0) & 0x7f;
  const { ptff: withheld } = cpu.environment.withheld;
  if (code >= FIRST_CONTROL) privilege(!inProblemState(cpu));
  if (!functions.includes(code) || withheld.has(code)) {
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
  const { offset, userDifference: user } = clock;
  // Physical clock, TOD offset, logical TOD offset, TOD epoch difference.
  const offsets = { 0: physical, 8: offset, 16: offset - user, 24: user };
  switch (code) {
    case QUERY: {
      const list = new Uint8Array(16);
      for (const bit of functions.filter(each => !withheld.has(each))) list[bit >>> 3]! |= 0x80 >>> (bit & 7);
      access.writeBytes(address, list, 1);
      break;
    }
    case QUERY_TOD_OFFSET:
      block(32, offsets);
      break;
    case QUERY_TOD_OFFSET_USER:
      block(40, { ...offsets, 32: user });
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
      if (code === SET_TOD_OFFSET_USER) clock.userDifference = value;
      else clock.setOffset(code === SET_TOD_OFFSET ? value : offset + value);
      clockSet(cpu);
    }
  }
  cpu.cc = 0;
}
