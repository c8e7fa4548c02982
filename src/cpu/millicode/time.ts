/** Clocks and timers (PoP ch. 4 "Timing", ch. 7 and 10). */

import type { Clock, Episode } from '../clock.ts';
import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import { wake } from '../pending.ts';
import * as state from '../state.ts';
import {
  alignedAddress,
  beAlone,
  bytesOf,
  type Fields,
  inProblemState,
  operandAddress,
  privilege,
  specify,
} from './operands.ts';

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
  beAlone(cpu);
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

/** From this function code on they are for the supervisor. */
const FIRST_CONTROL = 0x40;

const offsets = (clock: Clock): Fields => {
  const { epochDifference } = clock;
  const { physical, offset } = clock.base();
  return [
    [physical, 8],
    [offset, 8],
    [offset + epochDifference, 8],
    [epochDifference, 8],
  ];
};
const episode = ({ start, base, fine, gross }: Episode): Fields => [
  [start, 8],
  [base, 8],
  [fine, 4],
  [gross, 4],
];

/** Functions that store a parameter block, by their codes. */
const queries = new Map<number, (clock: Clock, available: bigint) => Fields>([
  // Available functions
  [0x00, (_, available) => [[available, 16]]],
  // TOD offset
  [0x01, offsets],
  // Steering information
  [0x02, clock => [[clock.base().physical, 8], ...episode(clock.oldEpisode), ...episode(clock.newEpisode)]],
  // Physical clock
  [0x03, clock => [[clock.base().physical, 8]]],
  // UTC information, of which there is none without the server-time-protocol facility
  [0x04, () => [[0n, 256]]],
  // TOD offset user
  [0x05, clock => [...offsets(clock), [clock.userDifference, 8]]],
]);

/** Functions that change the clock, with the size of their parameter. A new episode begins at once: TOD-offset-update events are always. */
const controls = new Map<number, { readonly size: 4 | 8; readonly perform: (clock: Clock, value: bigint) => void }>([
  // Adjust TOD offset
  [0x40, { size: 8, perform: (clock, value) => clock.steer(offset => ({ base: offset + value })) }],
  // Set TOD offset
  [0x41, { size: 8, perform: (clock, value) => clock.steer(() => ({ base: value })) }],
  // Set fine-steering rate
  [0x42, { size: 4, perform: (clock, value) => clock.steer(() => ({ fine: Number(value) | 0 })) }],
  // Set gross-steering rate
  [0x43, { size: 4, perform: (clock, value) => clock.steer(() => ({ gross: Number(value) | 0 })) }],
  // Set TOD offset user
  [0x45, { size: 8, perform: (clock, value) => clock.setUserDifference(value) }],
]);

const codes: readonly number[] = [...queries.keys(), ...controls.keys()];

/** GR0 bits 57-63 the function, GR1 the address of the parameter block. */
export function performTimingFunction(cpu: Cpu): void {
  const { access } = cpu;
  const { clock } = cpu.timers;
  const { ptff: withheld } = cpu.environment.withheld;
  specify((cpu.gr32(0) & 0x80) === 0);
  const code = cpu.gr32(0) & 0x7f;
  if (code >= FIRST_CONTROL) privilege(!inProblemState(cpu));
  const address = cpu.gr(1) & cpu.addressMask;
  const [query, control] = withheld.has(code) ? [] : [queries.get(code), controls.get(code)];
  if (query) {
    const available = codes
      .filter(each => !withheld.has(each))
      .reduce((sum, bit) => sum | (1n << BigInt(127 - bit)), 0n);
    access.writeBytes(address, bytesOf(query(clock, available)), 1);
  } else if (control) {
    const value = control.size === 8 ? access.read64(address, 1) : BigInt(access.read32(address, 1));
    beAlone(cpu);
    control.perform(clock, value);
    clockSet(cpu);
  }
  cpu.cc = query || control ? 0 : 3;
}
