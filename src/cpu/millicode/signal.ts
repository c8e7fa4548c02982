/** SIGNAL PROCESSOR (PoP ch. 4, "CPU Signaling and Response"): what a CPU does to itself; for others see orders.ts. */

import type { Cpu } from '../cpu.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import * as orders from '../orders.ts';
import { ACCEPTED, type SignalAnswer, statusOf } from '../orders.ts';
import { raiseEmergencySignal, raiseExternalCall, raiseRestart } from '../pending.ts';
import * as state from '../state.ts';
import { storeStatus } from '../status.ts';
import { operandAddress } from './operands.ts';

function signalItself(cpu: Cpu, order: number): SignalAnswer {
  const { memory } = cpu.storage;
  const { layout, number } = cpu;
  switch (order) {
    case orders.SENSE: {
      const conditions = cpu.field32(state.CONDITIONS);
      return statusOf(conditions & state.CONDITION_EXTERNAL_CALL ? orders.EXTERNAL_CALL_PENDING : 0);
    }
    case orders.EXTERNAL_CALL:
      return statusOf(raiseExternalCall(memory, layout, number, number) ? 0 : orders.EXTERNAL_CALL_PENDING);
    case orders.EMERGENCY_SIGNAL:
    case orders.CONDITIONAL_EMERGENCY_SIGNAL:
      raiseEmergencySignal(memory, layout, number, number);
      return ACCEPTED;
    case orders.START:
    case orders.SENSE_RUNNING_STATUS:
      return ACCEPTED;
    case orders.STOP:
      cpu.enterStoppedState();
      return ACCEPTED;
    case orders.RESTART:
      raiseRestart(memory, layout, number);
      return ACCEPTED;
    case orders.STOP_AND_STORE_STATUS:
      storeStatus(cpu, 0);
      cpu.enterStoppedState();
      return ACCEPTED;
    case orders.SET_PREFIX:
    case orders.STORE_STATUS:
      // Only a stopped CPU can take these.
      return statusOf(orders.INCORRECT_STATE);
    case orders.STORE_ADDITIONAL_STATUS:
      return statusOf(orders.hasAdditionalStatus(cpu) ? orders.INCORRECT_STATE : orders.INVALID_ORDER);
    default:
      return statusOf(orders.INVALID_ORDER);
  }
}

export function signalProcessor(cpu: Cpu, operands: Operands): number {
  const { r1, r3 } = operands as Record<'r1' | 'r3', number>;
  const order = Number(operandAddress(cpu, operands) & 0xffn);
  const target = cpu.gr32(r3) & 0xffff;
  const parameter = cpu.gr(r1 | 1);
  cpu.advance();
  const answer =
    order === orders.SET_ARCHITECTURE
      ? // z/Architecture is what there is already; ESA/390 is not installed.
        statusOf(orders.INVALID_PARAMETER)
      : target === cpu.number
        ? signalItself(cpu, order)
        : orders.signalAnother(cpu, order, target, parameter);
  if (answer.status !== undefined) cpu.setGr32(r1, answer.status);
  cpu.cc = answer.cc;
  return LEAVE;
}
