/**
 * SIGNAL PROCESSOR between two CPUs (PoP ch. 4, "CPU Signaling and Response"). What can be told from shared memory the
 * sender finds there; an order that changes the addressed CPU is handed to it, and carried out between two of its
 * instructions. Until then the CPU is busy.
 */

import type { Cpu } from './cpu.ts';
import { VECTOR } from './isa/vector/elements.ts';
import { raiseEmergencySignal, raiseExternalCall, raiseRestart, wake } from './pending.ts';
import { PSW_WAIT } from './registers.ts';
import { resetCpu } from './reset.ts';
import * as state from './state.ts';
import { extendedSaveArea, isOnBoundary, storeStatus, storeVectors } from './status.ts';

export interface SignalAnswer {
  readonly cc: number;
  /** Status word, with condition code 1. */
  readonly status?: number;
}

export const SENSE = 0x01;
export const EXTERNAL_CALL = 0x02;
export const EMERGENCY_SIGNAL = 0x03;
export const START = 0x04;
export const STOP = 0x05;
export const RESTART = 0x06;
export const STOP_AND_STORE_STATUS = 0x09;
export const INITIAL_CPU_RESET = 0x0b;
export const CPU_RESET = 0x0c;
export const SET_PREFIX = 0x0d;
export const STORE_STATUS = 0x0e;
export const SET_ARCHITECTURE = 0x12;
export const CONDITIONAL_EMERGENCY_SIGNAL = 0x13;
export const SENSE_RUNNING_STATUS = 0x15;
export const STORE_ADDITIONAL_STATUS = 0x17;

// Status bits.
export const NOT_RUNNING = 0x400;
export const INCORRECT_STATE = 0x200;
export const INVALID_PARAMETER = 0x100;
export const EXTERNAL_CALL_PENDING = 0x80;
export const STOPPED = 0x40;
export const CHECK_STOP = 0x10;
export const INVALID_ORDER = 0x02;

export const ACCEPTED: SignalAnswer = { cc: 0 };
const BUSY: SignalAnswer = { cc: 2 };
const NOT_OPERATIONAL: SignalAnswer = { cc: 3 };
export const statusOf = (status: number): SignalAnswer => (status ? { cc: 1, status } : ACCEPTED);

/** Where the registers are stored behind the start of a prefix area; STORE STATUS AT ADDRESS gives the address of that. */
const STATUS_AREA = 0x1200;
const PSW_IO_EXTERNAL = 0x0300_0000_0000_0000n;

const word = (cpu: Cpu, target: number, field: number): number =>
  (cpu.layout.cpuBase + target * state.CPU_STRIDE + field) >>> 2;

/**
 * Sends an order to another CPU of the configuration.
 * @param designation the whole parameter register, of which most orders use bits 32-63
 */
export function signalAnother(cpu: Cpu, order: number, target: number, designation: bigint): SignalAnswer {
  const parameter = Number(designation & 0xffff_ffffn);
  const { layout, i32 } = cpu;
  const { memory } = cpu.storage;
  if (target >= layout.cpus || !cpu.environment.isConfigured(target)) return NOT_OPERATIONAL;
  if (Atomics.load(i32, word(cpu, target, state.ORDER)) !== 0) return BUSY;
  const targetState = Atomics.load(i32, word(cpu, target, state.CPU_STATE));
  const isStopped = targetState === state.CPU_STOPPED;
  switch (order) {
    case SENSE: {
      const conditions = Atomics.load(i32, word(cpu, target, state.CONDITIONS));
      const external = conditions & state.CONDITION_EXTERNAL_CALL ? EXTERNAL_CALL_PENDING : 0;
      const checkStop = targetState === state.CPU_CHECK_STOP ? CHECK_STOP : 0;
      return statusOf(external | checkStop | (isStopped ? STOPPED : 0));
    }
    case SENSE_RUNNING_STATUS:
      return statusOf(Atomics.load(i32, word(cpu, target, state.RUNNING)) ? 0 : NOT_RUNNING);
    case EXTERNAL_CALL:
      return statusOf(raiseExternalCall(memory, layout, target, cpu.number) ? 0 : EXTERNAL_CALL_PENDING);
    case EMERGENCY_SIGNAL:
      raiseEmergencySignal(memory, layout, target, cpu.number);
      return ACCEPTED;
    case CONDITIONAL_EMERGENCY_SIGNAL:
      if (!isNeeded(cpu, target, parameter & 0xffff)) return statusOf(INCORRECT_STATE);
      raiseEmergencySignal(memory, layout, target, cpu.number);
      return ACCEPTED;
    case START:
    case STOP:
    case RESTART:
    case STOP_AND_STORE_STATUS:
    case INITIAL_CPU_RESET:
    case CPU_RESET:
      return hand(cpu, target, order, 0);
    case SET_PREFIX:
    case STORE_STATUS: {
      const address = parameter & (order === SET_PREFIX ? 0x7fff_e000 : 0x7fff_fe00);
      if (!cpu.storage.contains(address, order === SET_PREFIX ? 0x2000 : 0x200)) return statusOf(INVALID_PARAMETER);
      if (!isStopped) return statusOf(INCORRECT_STATE);
      return handAndAwait(cpu, target, order, address);
    }
    case STORE_ADDITIONAL_STATUS: {
      if (!hasAdditionalStatus(cpu)) return statusOf(INVALID_ORDER);
      const address = extendedSaveArea(cpu, designation);
      if (address === undefined || !isOnBoundary(cpu, designation)) return statusOf(INVALID_PARAMETER);
      if (!isStopped) return statusOf(INCORRECT_STATE);
      return handAndAwait(cpu, target, order, address);
    }
    default:
      return statusOf(INVALID_ORDER);
  }
}

/** There is additional status if there are vector registers. */
export const hasAdditionalStatus = ({ environment }: Cpu): boolean => environment.facilities.has(VECTOR);

/** The conditional emergency signal is for a CPU that cannot be interrupted, waits, or runs in the given address space. */
function isNeeded(cpu: Cpu, target: number, asn: number): boolean {
  return cpu.exclusion.alone(() => {
    const { u64, i32 } = cpu;
    const mask = u64[word(cpu, target, state.PSW_MASK) / 2]!;
    if ((mask & PSW_IO_EXTERNAL) !== PSW_IO_EXTERNAL) return true;
    if (mask & PSW_WAIT) return u64[word(cpu, target, state.PSW_ADDRESS) / 2] !== 0n;
    const primary = i32[word(cpu, target, state.CR + 8 * 4)]! & 0xffff;
    const secondary = i32[word(cpu, target, state.CR + 8 * 3)]! & 0xffff;
    return asn === primary || asn === secondary;
  });
}

function hand(cpu: Cpu, target: number, order: number, parameter: number): SignalAnswer {
  const { i32 } = cpu;
  // Taken by this CPU, not yet to be looked at.
  if (Atomics.compareExchange(i32, word(cpu, target, state.ORDER), 0, -1) !== 0) return BUSY;
  i32[word(cpu, target, state.ORDER_PARAMETER)] = parameter;
  Atomics.store(i32, word(cpu, target, state.ORDER), order + 1);
  wake(cpu.storage.memory, cpu.layout, target, state.PENDING_REQUEST);
  cpu.environment.ordered();
  return ACCEPTED;
}

function handAndAwait(cpu: Cpu, target: number, order: number, parameter: number): SignalAnswer {
  const answer = hand(cpu, target, order, parameter);
  if (answer === ACCEPTED) awaitOrder(cpu, target);
  return answer;
}

/** Waits until a stopped CPU has carried out its order, or this one is to come to a halt. */
function awaitOrder(cpu: Cpu, target: number): void {
  const at = word(cpu, target, state.ORDER);
  cpu.exclusion.end();
  for (;;) {
    const order = Atomics.load(cpu.i32, at);
    if (order === 0 || Atomics.load(cpu.i32, word(cpu, cpu.number, state.PENDING)) & state.PENDING_STOP) break;
    Atomics.wait(cpu.i32, at, order, 1);
  }
  cpu.exclusion.begin();
}

/** What an order does to the CPU that it was sent to, which is between two instructions. */
export function carryOutOrder(cpu: Cpu, order: number, parameter: number): void {
  const { memory } = cpu.storage;
  const isStopped = cpu.field32(state.CPU_STATE) === state.CPU_STOPPED;
  switch (order) {
    case START:
      if (isStopped) cpu.enterOperatingState();
      break;
    case STOP:
      cpu.enterStoppedState();
      break;
    case RESTART:
      cpu.enterOperatingState();
      raiseRestart(memory, cpu.layout, cpu.number);
      break;
    case STOP_AND_STORE_STATUS:
      storeStatus(cpu, 0);
      cpu.enterStoppedState();
      break;
    case INITIAL_CPU_RESET:
    case CPU_RESET:
      resetCpu(memory, cpu, order === CPU_RESET ? 'cpu' : 'initial');
      cpu.changedFromOutside();
      break;
    case SET_PREFIX:
      cpu.changePrefix(parameter);
      break;
    case STORE_STATUS:
      storeStatus(cpu, parameter - STATUS_AREA);
      break;
    case STORE_ADDITIONAL_STATUS:
      storeVectors(cpu, parameter >>> 0);
      break;
  }
}
