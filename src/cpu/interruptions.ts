/**
 * Interruptions (PoP ch. 6): storing the old PSW and the parameters in the prefix area, loading the new PSW, and which
 * pending condition comes next.
 */

import type { Cpu } from './cpu.ts';
import { AccessFault } from './dat.ts';
import { VECTOR } from './isa/vector/elements.ts';
import type { PerEvents } from './per.ts';
import * as program from './program.ts';
import { nullifies, ProgramInterruption } from './program.ts';
import { CR0_AFP } from './registers.ts';
import * as state from './state.ts';
import { extendedSaveArea, storeRegisters, storeVectors } from './status.ts';

// Assigned storage locations: real addresses.
const EXTERNAL_PARAMETER = 0x80;
const EXTERNAL_CODE = 0x84;
export const SVC_CODE = 0x88;
const PROGRAM_CODE = 0x8c;
const DATA_EXCEPTION_CODE = 0x90;
const PER_CODE = 0x96;
const PER_ADDRESS = 0x98;
const EXCEPTION_ACCESS_ID = 0xa0;
const PER_ACCESS_ID = 0xa1;
const TRANSLATION_EXCEPTION = 0xa8;
const SUBCHANNEL_ID = 0xb8;
const IO_PARAMETER = 0xbc;
const IO_IDENTIFICATION = 0xc0;
const MACHINE_CHECK_CODE = 0xe8;
const EXTERNAL_DAMAGE_CODE = 0xf4;
const FAILING_STORAGE_ADDRESS = 0xf8;
const BREAKING_EVENT = 0x110;
/** Old PSWs; the new PSW of each kind is 0x80 further on. */
const RESTART = 0x120;
const EXTERNAL = 0x130;
export const SVC = 0x140;
const PROGRAM = 0x150;
const MACHINE_CHECK = 0x160;
const IO = 0x170;

// External-interruption codes.
const INTERRUPT_KEY = 0x0040;
const CLOCK_COMPARATOR = 0x1004;
const CPU_TIMER = 0x1005;
const MALFUNCTION_ALERT = 0x1200;
const EMERGENCY_SIGNAL = 0x1201;
const EXTERNAL_CALL = 0x1202;
const SERVICE_SIGNAL = 0x2401;

// Masks: PSW bits 6, 7, 13 in the upper half; CR0 and CR14 in their lower halves.
export const PSW_IO = 0x0200_0000;
export const PSW_EXTERNAL = 0x0100_0000;
export const PSW_MACHINE_CHECK = 0x0004_0000;
const CR0_MALFUNCTION_ALERT = 0x8000;
const CR0_EMERGENCY_SIGNAL = 0x4000;
const CR0_EXTERNAL_CALL = 0x2000;
const CR0_CLOCK_COMPARATOR = 0x0800;
const CR0_CPU_TIMER = 0x0400;
const CR0_SERVICE_SIGNAL = 0x0200;
const CR0_INTERRUPT_KEY = 0x0040;

/** What a channel subsystem stores for an I/O interruption (PoP ch. 16). */
export interface IoInterruption {
  /** Subsystem-identification word. */
  readonly subchannelId: number;
  readonly parameter: number;
  /** I/O-interruption-identification word. */
  readonly identification: number;
}

/**
 * Machine checks that the CPU may be kept from taking: the condition, the subclass mask in CR14 (0: none) and the bit of
 * the machine-check-interruption code, upper half. Those of one CPU and floating ones.
 */
const OWN_MACHINE_CHECKS = [
  [state.CONDITION_SYSTEM_DAMAGE, 0, 0x8000_0000],
  [state.CONDITION_PROCESSING_DAMAGE, 0, 0x4000_0000],
  [state.CONDITION_RECOVERY, 0x0800_0000, 0x2000_0000],
  [state.CONDITION_DEGRADATION, 0x0400_0000, 0x0100_0000],
] as const;
const FLOATING_MACHINE_CHECKS = [
  [state.FLOATING_EXTERNAL_DAMAGE, 0x0200_0000, 0x0400_0000],
  [state.FLOATING_WARNING, 0x0100_0000, 0x0080_0000],
  [state.FLOATING_CHANNEL_REPORT, 0x1000_0000, 0x0040_0000],
] as const;
const EXIGENT = state.CONDITION_SYSTEM_DAMAGE | state.CONDITION_PROCESSING_DAMAGE;
// What is valid of what was stored: PSW, registers, logical storage, timers; and what only some machine checks have.
const VALID_HIGH = 0x0000_0f1d;
const VALID_LOW = 0x4033_0000;
const VALID_FAILING_STORAGE = 0x80;
const VALID_VECTORS = 0x40;
const VALID_EXTERNAL_DAMAGE = 0x20;
/** Real address of the designation of the machine-check extended save area. */
const EXTENDED_SAVE_AREA = 0x11b0;

/** PSW bits that decide which TLB contexts are in force: PER, DAT, key, address-space control. */
export const SWITCHING = 0x44f0_c000;
/** PSW bits that must be zero: 0, 2-4, 12 and 24-30; in the lower half all but bit 32. */
export const RESERVED_HIGH = 0xb808_00fe | 0;

/** Whether a PSW of four words is one that z/Architecture allows (PoP ch. 4, "Program-Status-Word Format"). */
export function isValidPsw(high: number, low: number, addressHigh: number, addressLow: number): boolean {
  if (high & RESERVED_HIGH || low & 0x7fff_ffff) return false;
  if (high & 1) return low < 0 || low >= 0x8000_0000;
  const limit = low ? 0x7fff_ffff : 0xff_ffff;
  return addressHigh === 0 && addressLow >>> 0 <= limit;
}

/**
 * Interruptions follow one another for ever: the new PSW for program interruptions is invalid or leads to what is no
 * instruction; that for external ones lets the same timer interrupt again.
 */
export type InterruptionLoop = 'program-loop' | 'operation-loop' | 'external-loop';

export class Interruptions {
  readonly #cpu: Cpu;
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #machine: number;
  /** Gives the I/O interruption of highest priority among these subclasses (bit 0x80 >> ISC) and takes it off the queue. */
  takeIo: (subclasses: number) => IoInterruption | undefined = () => undefined;
  /** Program interruptions lead nowhere: the new PSW for them is invalid. */
  looping: InterruptionLoop | undefined;
  /** For a log: told of each interruption when its parameters are stored, by the real address of its old PSW. */
  onInterruption: ((oldPsw: number) => void) | undefined;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#i32 = cpu.i32;
    this.#word = cpu.base >>> 2;
    this.#machine = cpu.layout.machine >>> 2;
  }

  // The prefix area

  /** Index of the word at a real address in the prefix area. */
  #at(real: number): number {
    return (this.#cpu.layout.top - this.#i32[this.#word + state.PREFIX / 4]! - real - 4) >>> 2;
  }

  store32(real: number, value: number): void {
    this.#i32[this.#at(real)] = value;
  }
  store16(real: number, value: number): void {
    const at = this.#at(real & ~3);
    const word = this.#i32[at]!;
    this.#i32[at] = real & 2 ? (word & ~0xffff) | (value & 0xffff) : (word & 0xffff) | (value << 16);
  }
  store8(real: number, value: number): void {
    this.#cpu.u8[this.#cpu.layout.top - this.#cpu.prefix - real - 1] = value;
  }
  store64(real: number, high: number, low: number): void {
    const at = this.#at(real);
    this.#i32[at] = high;
    this.#i32[at - 1] = low;
  }

  // PSWs

  /** PSW bits 0-31 with the condition code. */
  #pswHigh(): number {
    return this.#i32[this.#word + state.PSW_MASK / 4 + 1]! | (this.#i32[this.#word + state.CC / 4]! << 12);
  }

  /** Loads a PSW without looking whether it is valid. */
  loadPsw(high: number, low: number, addressHigh: number, addressLow: number): void {
    const word = this.#word;
    const changed = this.#i32[word + state.PSW_MASK / 4 + 1]! ^ high;
    this.#cpu.setPswMask(high, low);
    this.#i32[word + state.PSW_ADDRESS / 4] = addressLow;
    this.#i32[word + state.PSW_ADDRESS / 4 + 1] = addressHigh;
    if (changed & SWITCHING) this.#cpu.mappingChanged();
  }

  /** Stores the old PSW, the address being as it stands, and loads the new one. */
  #swap(old: number): void {
    this.onInterruption?.(old);
    const i32 = this.#i32;
    const word = this.#word;
    this.store64(old, this.#pswHigh(), i32[word + state.PSW_MASK / 4]!);
    this.store64(old + 8, i32[word + state.PSW_ADDRESS / 4 + 1]!, i32[word + state.PSW_ADDRESS / 4]!);
    this.#changedLowcore();
    const at = this.#at(old + 0x80);
    const [high, low, addressHigh, addressLow] = [i32[at]!, i32[at - 1]!, i32[at - 2]!, i32[at - 3]!];
    this.loadPsw(high, low, addressHigh, addressLow);
    i32[word + state.EXECUTING / 4] = 0;
    if (isValidPsw(high, low, addressHigh, addressLow)) return;
    if (old === PROGRAM) this.looping = 'program-loop';
    else this.program(new ProgramInterruption(program.SPECIFICATION, 0, false, 0));
  }

  /** The first 512 bytes have been stored to behind the back of the code pages. */
  #changedLowcore(): void {
    const { prefix, code, dat } = this.#cpu;
    dat.record(prefix);
    if (code.isCode(prefix)) code.changed(prefix, 512);
  }

  /** A PSW that an instruction has loaded: program interruption if it is invalid (early exception recognition). */
  checkPsw(length = 0): void {
    const word = this.#word;
    const i32 = this.#i32;
    const high = i32[word + state.PSW_MASK / 4 + 1]!;
    const low = i32[word + state.PSW_MASK / 4]!;
    if (isValidPsw(high, low, i32[word + state.PSW_ADDRESS / 4 + 1]!, i32[word + state.PSW_ADDRESS / 4]!)) return;
    throw new ProgramInterruption(program.SPECIFICATION, 0, false, length);
  }

  // Program and supervisor-call interruptions

  /** The instruction at the PSW address ends with this exception, and perhaps with events that were recorded. */
  program(fault: AccessFault | ProgramInterruption, events?: PerEvents): void {
    const cpu = this.#cpu;
    const { code } = fault;
    let length: number;
    if (fault instanceof ProgramInterruption && fault.length >= 0) length = fault.length;
    else {
      // An instruction that could not be fetched has no length; two stands for it.
      length = fault instanceof AccessFault && fault.fetching ? 2 : cpu.instructionLength() || 2;
      const nullified = nullifies(code) && !(fault instanceof ProgramInterruption && fault.completed);
      cpu.moveBehind(nullified ? 0 : length);
    }
    this.store32(PROGRAM_CODE, (length << 16) | code | (events ? program.PER_EVENT : 0));
    if (events) {
      this.store16(PER_CODE, events.code);
      this.store64(PER_ADDRESS, events.high, events.low);
      this.store8(PER_ACCESS_ID, events.accessId);
    }
    if (fault instanceof AccessFault) {
      if (fault.identifiesAddress) this.store64(TRANSLATION_EXCEPTION, fault.teidHigh, fault.teidLow);
      if (fault.identifiesAccess) this.store8(EXCEPTION_ACCESS_ID, fault.accessId);
    } else if (code === program.DATA || code === program.VECTOR_PROCESSING) {
      this.store32(DATA_EXCEPTION_CODE, fault.dxc);
      if (this.#i32[this.#word + state.CR / 4]! & CR0_AFP) {
        cpu.fpc = (cpu.fpc & ~0xff00) | (fault.dxc << 8);
      }
    }
    if (code === program.OPERATION && this.#leadsBack(length)) this.looping = 'operation-loop';
    const bear = this.#word + state.BEA / 4;
    this.store64(BREAKING_EVENT, this.#i32[bear + 1]!, this.#i32[bear]!);
    this.#swap(PROGRAM);
  }

  /** Whether the new PSW for program interruptions is that of the instruction that ends before the PSW address. */
  #leadsBack(length: number): boolean {
    const i32 = this.#i32;
    const word = this.#word;
    const at = this.#at(PROGRAM + 0x80);
    return (
      !(i32[at]! & (PSW_IO | PSW_EXTERNAL | PSW_MACHINE_CHECK)) &&
      i32[at - 3]! === i32[word + state.PSW_ADDRESS / 4]! - length &&
      i32[at - 2] === i32[word + state.PSW_ADDRESS / 4 + 1] &&
      (i32[at]! & ~0x3000) === i32[word + state.PSW_MASK / 4 + 1] &&
      i32[at - 1] === i32[word + state.PSW_MASK / 4]
    );
  }

  /** SUPERVISOR CALL of the given length (EXECUTE's own if it was executed); the PSW address is already past it. */
  supervisorCall(number: number, length: number): void {
    this.store32(SVC_CODE, (length << 16) | number);
    this.#swap(SVC);
  }

  // Conditions that wait

  /** A timer was seen to be due while the PSW kept its interruption off. */
  #timerHeld = false;

  /**
   * Takes the pending and enabled interruption of highest priority, if any (PoP ch. 6, "Priority of Interruptions").
   * @param lookAtTimers whether they may have become due since they were last looked at
   */
  take(lookAtTimers: boolean): boolean {
    const i32 = this.#i32;
    const mask = i32[this.#word + state.PSW_MASK / 4 + 1]!;
    const conditions = Atomics.load(i32, this.#word + state.CONDITIONS / 4);
    const floating = Atomics.load(i32, this.#machine + state.FLOATING / 4);
    if (this.looping) return false;
    if (lookAtTimers || this.#timerHeld) {
      // CR0 bits 52 and 53.
      const subclasses = (i32[this.#word + state.CR / 4]! >>> 10) & 3;
      this.#timerHeld = subclasses !== 0 && this.#cpu.timers.isDue(subclasses);
    }
    if (conditions & state.CONDITION_MACHINE_CHECKS || floating & state.FLOATING_MACHINE_CHECKS) {
      if (mask & PSW_MACHINE_CHECK) {
        if (this.#takeMachineCheck(conditions, floating)) return true;
      } else if (conditions & EXIGENT) {
        this.#cpu.enterCheckStop();
        return false;
      }
    }
    if (mask & PSW_EXTERNAL && conditions | floating | Number(this.#timerHeld)) {
      if (this.#takeExternal(conditions, floating)) return true;
    }
    const io = Atomics.load(i32, this.#machine + state.IO_PENDING / 4);
    if (mask & PSW_IO && io && this.#takeIo(io)) return true;
    if (conditions & state.CONDITION_RESTART) {
      this.#clear(this.#word + state.CONDITIONS / 4, state.CONDITION_RESTART);
      this.#swap(RESTART);
      return true;
    }
    i32[this.#word + state.HELD / 4] = conditions | floating | io | Number(this.#timerHeld);
    return false;
  }

  /** Turns a condition off; false when another CPU was quicker. */
  #clear(word: number, bit: number): boolean {
    return (Atomics.and(this.#i32, word, ~bit) & bit) !== 0;
  }

  /** All machine checks that are pending and enabled are indicated together. */
  #takeMachineCheck(conditions: number, floating: number): boolean {
    const cpu = this.#cpu;
    const word = this.#word;
    const enabled = this.#i32[word + (state.CR + 8 * 14) / 4]!;
    let high = 0;
    for (const [condition, mask, code] of OWN_MACHINE_CHECKS) {
      if (!(conditions & condition) || (mask && !(enabled & mask))) continue;
      if (this.#clear(word + state.CONDITIONS / 4, condition)) high |= code;
    }
    const ofStorage = high !== 0;
    let damage = 0;
    for (const [condition, mask, code] of FLOATING_MACHINE_CHECKS) {
      if (!(floating & condition) || !(enabled & mask)) continue;
      if (!this.#clear(this.#machine + state.FLOATING / 4, condition)) continue;
      high |= code;
      if (condition !== state.FLOATING_EXTERNAL_DAMAGE) continue;
      damage = Atomics.exchange(this.#i32, this.#machine + state.EXTERNAL_DAMAGE_CODE / 4, 0);
    }
    if (!high) return false;
    high |= VALID_HIGH;
    if (damage) {
      this.store32(EXTERNAL_DAMAGE_CODE, damage);
      high |= VALID_EXTERNAL_DAMAGE;
    }
    const error = ofStorage ? Atomics.exchange(this.#i32, word + state.STORAGE_ERROR / 4, 0) : 0;
    if (error) {
      const at = word + state.FAILING_STORAGE / 4;
      this.store64(FAILING_STORAGE_ADDRESS, this.#i32[at + 1]!, this.#i32[at]!);
      high |= error | VALID_FAILING_STORAGE;
    }
    storeRegisters(cpu, cpu.prefix);
    const area = extendedSaveArea(cpu, cpu.storage.read64(cpu.prefix + EXTENDED_SAVE_AREA));
    const hasVectors = cpu.environment.facilities.has(VECTOR);
    if (hasVectors && area) storeVectors(cpu, area);
    // Of vector registers that are not there nothing is invalid: Linux wants the bit in any case.
    if (!hasVectors || area) high |= VALID_VECTORS;
    this.store64(MACHINE_CHECK_CODE, high, VALID_LOW);
    this.#swap(MACHINE_CHECK);
    return true;
  }

  #takeExternal(conditions: number, floating: number): boolean {
    const enabled = this.#i32[this.#word + state.CR / 4]!;
    if (floating & state.FLOATING_INTERRUPT_KEY && enabled & CR0_INTERRUPT_KEY) {
      if (this.#clear(this.#machine + state.FLOATING / 4, state.FLOATING_INTERRUPT_KEY)) {
        return this.#external(INTERRUPT_KEY);
      }
    }
    if (conditions & state.CONDITION_MALFUNCTION_ALERT && enabled & CR0_MALFUNCTION_ALERT) {
      const source = this.#source(state.MALFUNCTION_ALERTS, state.CONDITION_MALFUNCTION_ALERT);
      if (source >= 0) return this.#external(MALFUNCTION_ALERT, source);
    }
    if (conditions & state.CONDITION_EMERGENCY_SIGNAL && enabled & CR0_EMERGENCY_SIGNAL) {
      const source = this.#source(state.EMERGENCY_SIGNALS, state.CONDITION_EMERGENCY_SIGNAL);
      if (source >= 0) return this.#external(EMERGENCY_SIGNAL, source);
    }
    if (conditions & state.CONDITION_EXTERNAL_CALL && enabled & CR0_EXTERNAL_CALL) {
      const source = this.#i32[this.#word + state.EXTERNAL_CALL_SOURCE / 4]!;
      this.#clear(this.#word + state.CONDITIONS / 4, state.CONDITION_EXTERNAL_CALL);
      return this.#external(EXTERNAL_CALL, source);
    }
    if (this.#timerHeld && enabled & (CR0_CLOCK_COMPARATOR | CR0_CPU_TIMER)) {
      const { timers } = this.#cpu;
      const now = timers.now();
      if (enabled & CR0_CLOCK_COMPARATOR && now >= timers.clockComparatorDue) return this.#external(CLOCK_COMPARATOR);
      if (enabled & CR0_CPU_TIMER && now >= timers.cpuTimerDue) return this.#external(CPU_TIMER);
    }
    if (floating & state.FLOATING_SERVICE_SIGNAL && enabled & CR0_SERVICE_SIGNAL) {
      if (this.#clear(this.#machine + state.FLOATING / 4, state.FLOATING_SERVICE_SIGNAL)) {
        this.store32(EXTERNAL_PARAMETER, Atomics.exchange(this.#i32, this.#machine + state.SERVICE_PARAMETER / 4, 0));
        return this.#external(SERVICE_SIGNAL);
      }
    }
    return false;
  }

  /** Takes the lowest CPU address off a set of signals, the condition with the last one; -1: there is none. */
  #source(set: number, condition: number): number {
    const first = this.#word + set / 4;
    // The condition goes first: a signal that comes now turns it on again.
    this.#clear(this.#word + state.CONDITIONS / 4, condition);
    let source = -1;
    for (let n = 0; n < 8; n++) {
      const bits = Atomics.load(this.#i32, first + n);
      if (!bits) continue;
      if (source >= 0) {
        Atomics.or(this.#i32, this.#word + state.CONDITIONS / 4, condition);
        break;
      }
      const bit = 31 - Math.clz32(bits & -bits);
      source = n * 32 + bit;
      if (Atomics.and(this.#i32, first + n, ~(1 << bit)) & ~(1 << bit)) {
        Atomics.or(this.#i32, this.#word + state.CONDITIONS / 4, condition);
        break;
      }
    }
    return source;
  }

  /** False when nothing can be done after it. */
  #external(code: number, source = 0): boolean {
    this.store32(EXTERNAL_CODE, (source << 16) | code);
    this.#swap(EXTERNAL);
    // A timer's condition stays pending.
    const isTimer = code === CLOCK_COMPARATOR || code === CPU_TIMER;
    if (!isTimer || !(this.#i32[this.#word + state.PSW_MASK / 4 + 1]! & PSW_EXTERNAL)) return true;
    this.looping = 'external-loop';
    return false;
  }

  #takeIo(pending: number): boolean {
    // CR6 bits 32-39 are the subclass masks.
    const enabled = pending & (this.#i32[this.#word + (state.CR + 8 * 6) / 4]! >>> 24);
    if (!enabled) return false;
    const interruption = this.takeIo(enabled);
    if (!interruption) return false;
    this.store32(SUBCHANNEL_ID, interruption.subchannelId);
    this.store32(IO_PARAMETER, interruption.parameter);
    this.store32(IO_IDENTIFICATION, interruption.identification);
    this.#swap(IO);
    return true;
  }
}
