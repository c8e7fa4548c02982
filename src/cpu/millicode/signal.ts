/** SIGNAL PROCESSOR (PoP ch. 4, "CPU Signaling and Response"): what a CPU does to itself; others are the machine's. */

import type { Cpu } from '../cpu.ts';
import type { SignalAnswer } from '../environment.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import { raiseEmergencySignal, raiseExternalCall, raiseRestart } from '../pending.ts';
import * as state from '../state.ts';
import { storeStatus } from '../status.ts';
import { operandAddress } from './operands.ts';

const SENSE = 0x01;
const EXTERNAL_CALL = 0x02;
const EMERGENCY_SIGNAL = 0x03;
const START = 0x04;
const STOP = 0x05;
const RESTART = 0x06;
const STOP_AND_STORE_STATUS = 0x09;
const SET_PREFIX = 0x0d;
const STORE_STATUS = 0x0e;
const SET_ARCHITECTURE = 0x12;
const CONDITIONAL_EMERGENCY_SIGNAL = 0x13;
const SENSE_RUNNING_STATUS = 0x15;

// Status bits.
const INCORRECT_STATE = 0x200;
const INVALID_PARAMETER = 0x100;
const EXTERNAL_CALL_PENDING = 0x80;
const INVALID_ORDER = 0x02;

const ACCEPTED: SignalAnswer = { cc: 0 };

function signalItself(cpu: Cpu, order: number, parameter: number): SignalAnswer {
  const { memory } = cpu.storage;
  const { layout, number } = cpu;
  switch (order) {
    case SENSE: {
      const conditions = cpu.field32(state.CONDITIONS);
      const status = conditions & state.CONDITION_EXTERNAL_CALL ? EXTERNAL_CALL_PENDING : 0;
      return status ? { cc: 1, status } : ACCEPTED;
    }
    case EXTERNAL_CALL:
      return raiseExternalCall(memory, layout, number, number) ? ACCEPTED : { cc: 1, status: EXTERNAL_CALL_PENDING };
    case EMERGENCY_SIGNAL:
    case CONDITIONAL_EMERGENCY_SIGNAL:
      raiseEmergencySignal(memory, layout, number, number);
      return ACCEPTED;
    case START:
    case SENSE_RUNNING_STATUS:
      return ACCEPTED;
    case STOP:
      cpu.stopCpu();
      return ACCEPTED;
    case RESTART:
      raiseRestart(memory, layout, number);
      return ACCEPTED;
    case STOP_AND_STORE_STATUS:
      cpu.stopCpu();
      storeStatus(cpu, 0);
      return ACCEPTED;
    case SET_PREFIX:
    case STORE_STATUS:
      // Only a stopped CPU can take these.
      return { cc: 1, status: INCORRECT_STATE };
    case SET_ARCHITECTURE:
      // z/Architecture is what there is already; ESA/390 is not installed.
      return (parameter & 0xff) === 0 ? { cc: 3 } : { cc: 1, status: INVALID_PARAMETER };
    default:
      return { cc: 1, status: INVALID_ORDER };
  }
}

export function signalProcessor(cpu: Cpu, operands: Operands): number {
  const { r1, r3 } = operands as Record<'r1' | 'r3', number>;
  const order = Number(operandAddress(cpu, operands) & 0xffn);
  const target = cpu.gr32(r3) & 0xffff;
  const parameter = cpu.gr(r1 | 1);
  cpu.advance();
  const answer =
    target === cpu.number
      ? signalItself(cpu, order, Number(parameter & 0xffff_ffffn))
      : cpu.environment.signalProcessor(order, target, parameter);
  if (answer.status !== undefined) cpu.setGr32(r1, answer.status);
  cpu.cc = answer.cc;
  return LEAVE;
}
