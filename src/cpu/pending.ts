/**
 * Raising interruption conditions and requests from any thread: everything goes through shared memory, and a CPU that
 * waits wakes up (state.ts, PENDING, CONDITIONS and the machine-wide words).
 */

import * as state from './state.ts';

const words = (memory: WebAssembly.Memory): Int32Array => new Int32Array(memory.buffer);

/** Makes a CPU leave its instruction loop, or its sleep, for a reason: PENDING_*. */
export function wake(memory: WebAssembly.Memory, layout: state.Layout, cpu: number, reason: number): void {
  const i32 = words(memory);
  const pending = (layout.cpuBase + cpu * state.CPU_STRIDE + state.PENDING) >>> 2;
  Atomics.or(i32, pending, reason);
  Atomics.notify(i32, pending);
}

function wakeAll(memory: WebAssembly.Memory, layout: state.Layout): void {
  for (let cpu = 0; cpu < layout.cpus; cpu++) wake(memory, layout, cpu, state.PENDING_INTERRUPTION);
}

/** Asks a CPU's `run` to return. */
export const requestStop = (memory: WebAssembly.Memory, layout: state.Layout, cpu: number): void =>
  wake(memory, layout, cpu, state.PENDING_STOP);

/** Returns whether the condition was on already. */
function raise(memory: WebAssembly.Memory, layout: state.Layout, cpu: number, condition: number): boolean {
  const word = (layout.cpuBase + cpu * state.CPU_STRIDE + state.CONDITIONS) >>> 2;
  const before = Atomics.or(words(memory), word, condition);
  wake(memory, layout, cpu, state.PENDING_INTERRUPTION);
  return (before & condition) !== 0;
}

/** The restart interruption (restart key, SIGP restart). */
export const raiseRestart = (memory: WebAssembly.Memory, layout: state.Layout, cpu: number): void =>
  void raise(memory, layout, cpu, state.CONDITION_RESTART);

/** SIGP external call; false when one was pending already. */
export function raiseExternalCall(
  memory: WebAssembly.Memory,
  layout: state.Layout,
  cpu: number,
  source: number,
): boolean {
  const i32 = words(memory);
  const block = layout.cpuBase + cpu * state.CPU_STRIDE;
  if (Atomics.load(i32, (block + state.CONDITIONS) >>> 2) & state.CONDITION_EXTERNAL_CALL) return false;
  Atomics.store(i32, (block + state.EXTERNAL_CALL_SOURCE) >>> 2, source);
  return !raise(memory, layout, cpu, state.CONDITION_EXTERNAL_CALL);
}

function raiseFrom(
  memory: WebAssembly.Memory,
  layout: state.Layout,
  cpu: number,
  source: number,
  set: number,
  condition: number,
): void {
  const first = (layout.cpuBase + cpu * state.CPU_STRIDE + set) >>> 2;
  Atomics.or(words(memory), first + (source >>> 5), 1 << (source & 31));
  raise(memory, layout, cpu, condition);
}

export const raiseEmergencySignal = (
  memory: WebAssembly.Memory,
  layout: state.Layout,
  cpu: number,
  source: number,
): void => raiseFrom(memory, layout, cpu, source, state.EMERGENCY_SIGNALS, state.CONDITION_EMERGENCY_SIGNAL);

export const raiseMalfunctionAlert = (
  memory: WebAssembly.Memory,
  layout: state.Layout,
  cpu: number,
  source: number,
): void => raiseFrom(memory, layout, cpu, source, state.MALFUNCTION_ALERTS, state.CONDITION_MALFUNCTION_ALERT);

function raiseFloating(memory: WebAssembly.Memory, layout: state.Layout, condition: number): void {
  Atomics.or(words(memory), (layout.machine + state.FLOATING) >>> 2, condition);
  wakeAll(memory, layout);
}

/** The service signal: parameters that come before a CPU has taken the interruption are joined by OR. */
export function raiseServiceSignal(memory: WebAssembly.Memory, layout: state.Layout, parameter: number): void {
  Atomics.or(words(memory), (layout.machine + state.SERVICE_PARAMETER) >>> 2, parameter);
  raiseFloating(memory, layout, state.FLOATING_SERVICE_SIGNAL);
}

export const raiseInterruptKey = (memory: WebAssembly.Memory, layout: state.Layout): void =>
  raiseFloating(memory, layout, state.FLOATING_INTERRUPT_KEY);

/** A channel report is pending: a machine-check interruption. */
export const raiseChannelReport = (memory: WebAssembly.Memory, layout: state.Layout): void =>
  raiseFloating(memory, layout, state.FLOATING_CHANNEL_REPORT);

/** A machine check of one CPU, and where in storage it was found, if there. */
export interface MachineCheck {
  /** The first two are exigent: a CPU that does not let them interrupt goes to the check-stop state. */
  readonly kind: 'system-damage' | 'processing-damage' | 'recovery' | 'degradation';
  readonly storage?: { readonly error: keyof typeof STORAGE_ERRORS; readonly address: bigint };
}

const MACHINE_CHECKS = {
  'system-damage': state.CONDITION_SYSTEM_DAMAGE,
  'processing-damage': state.CONDITION_PROCESSING_DAMAGE,
  recovery: state.CONDITION_RECOVERY,
  degradation: state.CONDITION_DEGRADATION,
} as const;

/** Bits 16-19 of the machine-check-interruption code, in its upper half. */
const STORAGE_ERRORS = { uncorrected: 0x8000, corrected: 0x4000, key: 0x2000, degradation: 0x1000 } as const;

export function raiseMachineCheck(
  memory: WebAssembly.Memory,
  layout: state.Layout,
  cpu: number,
  { kind, storage }: MachineCheck,
): void {
  const block = layout.cpuBase + cpu * state.CPU_STRIDE;
  if (storage) {
    Atomics.store(new BigUint64Array(memory.buffer), (block + state.FAILING_STORAGE) >>> 3, storage.address);
    Atomics.or(words(memory), (block + state.STORAGE_ERROR) >>> 2, STORAGE_ERRORS[storage.error]);
  }
  raise(memory, layout, cpu, MACHINE_CHECKS[kind]);
}

/** The warning machine check: power or cooling will fail. */
export const raiseWarning = (memory: WebAssembly.Memory, layout: state.Layout): void =>
  raiseFloating(memory, layout, state.FLOATING_WARNING);

/** External damage, with the bits of the external-damage code. */
export function raiseExternalDamage(memory: WebAssembly.Memory, layout: state.Layout, code: number): void {
  Atomics.or(words(memory), (layout.machine + state.EXTERNAL_DAMAGE_CODE) >>> 2, code);
  raiseFloating(memory, layout, state.FLOATING_EXTERNAL_DAMAGE);
}

/** I/O interruptions are pending in these subclasses (bit 0x80 >> ISC), or no more. */
export function setIoPending(
  memory: WebAssembly.Memory,
  layout: state.Layout,
  subclasses: number,
  pending: boolean,
): void {
  const word = (layout.machine + state.IO_PENDING) >>> 2;
  if (!pending) return void Atomics.and(words(memory), word, ~subclasses);
  Atomics.or(words(memory), word, subclasses);
  wakeAll(memory, layout);
}

/** Forgets every condition, as a reset does: floating ones, and those of all CPUs. */
export function clearConditions(memory: WebAssembly.Memory, layout: state.Layout): void {
  const i32 = words(memory);
  for (const word of [state.FLOATING, state.SERVICE_PARAMETER, state.IO_PENDING, state.EXTERNAL_DAMAGE_CODE]) {
    Atomics.store(i32, (layout.machine + word) >>> 2, 0);
  }
  for (let cpu = 0; cpu < layout.cpus; cpu++) clearCpuConditions(memory, layout, cpu);
}

export function clearCpuConditions(memory: WebAssembly.Memory, layout: state.Layout, cpu: number): void {
  const block = layout.cpuBase + cpu * state.CPU_STRIDE;
  words(memory).fill(0, (block + state.CONDITIONS) >>> 2, (block + state.CLOCK_COMPARATOR) >>> 2);
  words(memory)[(block + state.STORAGE_ERROR) >>> 2] = 0;
}
