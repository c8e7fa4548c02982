/**
 * Program-event recording (PoP ch. 4, "Program-Event Recording"). While PSW bit 1 is one the CPU runs the full
 * interpreter; where instruction fetching, branching or zero addresses are watched, one instruction at a time, with a
 * look before and after each. Stores to pages within the range come through `Cpu.miss` and LogicalAccess, because the
 * TLB contexts that are in force then have no entries for them (dat.ts, RECORDED_*); they end the run after the
 * instruction. With PSW bit 1 zero nothing of this happens.
 */

import type { Cpu } from './cpu.ts';
import { AccessFault } from './dat.ts';
import { ACCESS_STORE } from './engine/protocol.ts';
import { operandsOf } from './isa/decode.ts';
import { instructionLength } from './isa/formats.ts';
import * as program from './program.ts';
import { ProgramInterruption } from './program.ts';
import * as state from './state.ts';

/** PSW bit 1, in the upper half. */
export const PSW_PER_HIGH = 0x4000_0000;

// CR9 bits 32-39: events; the PER code has the same bits 0-7.
const BRANCHING = 0x8000_0000 | 0;
const FETCHING = 0x4000_0000;
export const PER_STORES = 0x2000_0000;
const KEYS = 0x1000_0000;
const REAL_STORES = 0x0800_0000;
export const PER_ZERO_ADDRESSES = 0x0400_0000;
const NULLIFICATION = 0x0100_0000;
// Controls: branch addresses must be in the range; stores must be in spaces that have bit 56 of their ASCE on.
const BRANCH_ADDRESSES = 0x0080_0000;
export const PER_SPACES = 0x0020_0000;
const EACH_INSTRUCTION = BRANCHING | FETCHING | PER_ZERO_ADDRESSES;

/** Addressing-and-translation-mode identification: what follows is valid. */
const ATMID_VALID = 0x40;

/** Instructions whose breaking event is no branch, or that concern themselves with its address: by operation code. */
const LPSW = 0x82;
const NO_BRANCH: ReadonlySet<number> = new Set([0xb200, 0xb201, 0xb2b2, 0xeb71]);
const MVST = 0xb255;

/** No address of an instruction. */
const NOWHERE = -1;

/** What a program interruption stores for PER events. */
export interface PerEvents {
  /** PER code and ATMID, 16 bits. */
  readonly code: number;
  /** Address of the instruction. */
  readonly low: number;
  readonly high: number;
  readonly accessId: number;
}

/** Compares two addresses of two halves each: less than. */
const below = (low1: number, high1: number, low2: number, high2: number): boolean =>
  high1 === high2 ? low1 >>> 0 < low2 >>> 0 : high1 >>> 0 < high2 >>> 0;

/** Condition for the instruction to have been completed in spite of the exception. */
const completes = ({ code }: ProgramInterruption | AccessFault): boolean =>
  code === program.FIXED_POINT_OVERFLOW || code === program.DECIMAL_OVERFLOW;

export class Per {
  readonly #cpu: Cpu;
  readonly #i32: Int32Array;
  readonly #word: number;
  /** Events so far of the instruction, as in CR9. */
  #events = 0;
  // Of the instruction with events.
  #low = 0;
  #high = 0;
  #length = 0;
  #atmid = 0;
  #accessId = 0;
  /** Each instruction is looked at; it has been found by `begin`. */
  #found = false;
  /** The breaking-event address while the place for it shows whether there is a new one. */
  #breaking: bigint | undefined;
  /** Fuel that the interpreter was deprived of so that it leaves. */
  #deprived = 0;
  /** Addresses that an instruction forms with a base that is zero. */
  readonly #zeroAddresses: bigint[] = [];
  #anyZero = false;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#i32 = cpu.i32;
    this.#word = cpu.base >>> 2;
  }

  /** PSW bit 1. */
  get on(): boolean {
    return (this.#i32[this.#word + state.PSW_MASK / 4 + 1]! & PSW_PER_HIGH) !== 0;
  }

  /** CR9. */
  get #enabled(): number {
    return this.#i32[this.#word + (state.CR + 8 * 9) / 4]!;
  }

  /** Whether an address is in the range of CR10 and CR11, which may wrap around. */
  #inRange(low: number, high: number): boolean {
    const i32 = this.#i32;
    const first = this.#word + (state.CR + 8 * 10) / 4;
    const last = first + 2;
    const before = below(low, high, i32[first]!, i32[first + 1]!);
    const behind = below(i32[last]!, i32[last + 1]!, low, high);
    const wraps = below(i32[last]!, i32[last + 1]!, i32[first]!, i32[first + 1]!);
    return wraps ? !(before && behind) : !before && !behind;
  }

  /** Whether some byte of `size` bytes, which do not wrap around, is in the range. */
  #touches(low: number, high: number, size: number): boolean {
    if (this.#inRange(low, high)) return true;
    const end = (low >>> 0) + size - 1;
    const endHigh = end > 0xffff_ffff ? high + 1 : high;
    if (this.#inRange(end | 0, endHigh)) return true;
    const first = this.#word + (state.CR + 8 * 10) / 4;
    const [rangeLow, rangeHigh] = [this.#i32[first]!, this.#i32[first + 1]!];
    return !below(rangeLow, rangeHigh, low, high) && !below(end | 0, endHigh, rangeLow, rangeHigh);
  }

  /** Whether stores to a page must be told of. */
  watches(page: number, high: number): boolean {
    return this.#touches(page, high, 4096);
  }

  /** Bits 8-13 of the ATMID: addressing mode and translation mode. */
  #modes(): number {
    const high = this.#i32[this.#word + state.PSW_MASK / 4 + 1]!;
    const low = this.#i32[this.#word + state.PSW_MASK / 4]!;
    const wide = (high & 1) << 7;
    const translation = ((high >>> 26) & 1) << 4;
    return wide | ATMID_VALID | ((low >>> 31) << 5) | translation | (((high >>> 14) & 3) << 2);
  }

  // Around instructions

  /**
   * To be called before the interpreter runs.
   * @returns how many instructions it may execute; 0: none, for an event nullifies the next
   */
  begin(): number {
    this.#events = 0;
    this.#accessId = 0;
    this.#found = false;
    this.#deprived = 0;
    const enabled = this.#enabled;
    if (!(enabled & EACH_INSTRUCTION)) return 0x7fff_ffff;
    return this.#look(enabled) ? 1 : 0;
  }

  /** Finds the next instruction; false when its fetching is an event that nullifies it. */
  #look(enabled: number): boolean {
    const cpu = this.#cpu;
    const at = this.#word + state.PSW_ADDRESS / 4;
    const low = this.#i32[at]!;
    const high = this.#i32[at + 1]!;
    const text = cpu.instructionText(low, high);
    // The interpreter will find out why.
    if (text === undefined) return true;
    this.#found = true;
    this.#low = low;
    this.#high = high;
    this.#atmid = this.#modes();
    let upper = Math.floor(text / 0x1_0000_0000);
    let lower = text >>> 0;
    this.#length = instructionLength(upper >>> 8);
    let fetched = this.#inRange(low, high);
    const first = upper >>> 8;
    if (first === 0x44 || (first === 0xc6 && (upper & 0xf) === 0)) {
      const target = this.#target(first, upper, lower);
      const [targetLow, targetHigh] = [Number(BigInt.asIntN(32, target)), Number(BigInt.asIntN(32, target >> 32n))];
      const executed = cpu.instructionText(targetLow, targetHigh);
      if (executed !== undefined) {
        fetched ||= this.#inRange(targetLow, targetHigh);
        upper = Math.floor(executed / 0x1_0000_0000);
        lower = executed >>> 0;
      }
    }
    if (enabled & FETCHING && fetched) {
      this.#events = FETCHING;
      if (enabled & NULLIFICATION) {
        this.#events |= NULLIFICATION;
        return false;
      }
    }
    if (enabled & BRANCHING && upper >>> 8 !== LPSW && !NO_BRANCH.has(this.#operationCode(upper, lower))) {
      this.#breaking = cpu.breakingEventAddress;
      this.#i32[this.#word + state.BEA / 4] = NOWHERE;
      this.#i32[this.#word + state.BEA / 4 + 1] = NOWHERE;
    }
    if (enabled & PER_ZERO_ADDRESSES) this.#findZeros(upper, lower);
    return true;
  }

  /** Two bytes of operation code. */
  #operationCode(upper: number, lower: number): number {
    return upper >= 0xe000 ? (upper & 0xff00) | (lower & 0xff) : upper;
  }

  /** Address of the target of EX or EXRL. */
  #target(first: number, upper: number, lower: number): bigint {
    const cpu = this.#cpu;
    const base = (n: number): bigint => (n ? cpu.gr(n) : 0n);
    const target =
      first === 0x44
        ? base(upper & 15) + base(lower >>> 28) + BigInt((lower >>> 16) & 0xfff)
        : cpu.pswAddress + BigInt(lower | 0) * 2n;
    return target & cpu.addressMask;
  }

  /**
   * Zero-address detection: an operand's address counts when the register for it is zero; with base and index, when the
   * base is, or their sum.
   */
  #findZeros(upper: number, lower: number): void {
    const cpu = this.#cpu;
    this.#zeroAddresses.length = 0;
    const row = cpu.decoder.decode(upper, lower);
    if (!row) return;
    const operands = operandsOf(row.format, upper, lower);
    const value = (register: number | undefined): bigint => (register ? cpu.gr(register) & cpu.addressMask : 0n);
    let based = false;
    for (const n of [1, 2, 4]) {
      const b = operands[`b${n}`];
      if (b === undefined) continue;
      based = true;
      const x = operands[`x${n}`] ?? 0;
      const sum = (value(b) + value(x)) & cpu.addressMask;
      const zero = b && x ? value(b) === 0n || sum === 0n : b || x ? sum === 0n : false;
      if (zero) this.#zeroAddresses.push((sum + BigInt(operands[`d${n}`]!)) & cpu.addressMask);
    }
    // Operands whose addresses are in registers begin where the register says.
    this.#anyZero = !based && !Object.keys(operands).some(name => name[0] === 'h');
  }

  /**
   * To be called when the interpreter has left, with the exception for which it did.
   * @param executed false when nothing was executed
   * @returns the program interruption that is due, if any
   */
  end(
    fault: AccessFault | ProgramInterruption | undefined,
    executed: boolean,
  ): { fault: AccessFault | ProgramInterruption; events?: PerEvents } | undefined {
    const branched = this.#branched();
    if (executed && branched) this.#events |= BRANCHING;
    if (!executed && !(this.#events & NULLIFICATION)) this.#events = 0;
    let due = fault;
    if (fault instanceof AccessFault && fault.fetching) {
      // It concerns the instruction after that with the events, and will be found again.
      if (this.#events) due = undefined;
    } else if (fault && !completes(fault) && !(fault instanceof ProgramInterruption && fault.completed)) {
      this.#events &= FETCHING;
    }
    if (!this.#events) return due && { fault: due };
    const nullified = (this.#events & NULLIFICATION) !== 0;
    due ??= new ProgramInterruption(program.PER_EVENT, 0, false, nullified ? 0 : this.#length);
    const code = ((this.#events >>> 24) << 8) | this.#atmid;
    return { fault: due, events: { code, low: this.#low, high: this.#high, accessId: this.#accessId } };
  }

  /** Whether a branch was taken that counts; the breaking-event address is as it should be again. */
  #branched(): boolean {
    const saved = this.#breaking;
    if (saved === undefined) return false;
    this.#breaking = undefined;
    const at = this.#word + state.BEA / 4;
    if (this.#i32[at] === NOWHERE && this.#i32[at + 1] === NOWHERE) {
      this.#cpu.breakingEventAddress = saved;
      return false;
    }
    if (!(this.#enabled & BRANCH_ADDRESSES)) return true;
    const to = this.#word + state.PSW_ADDRESS / 4;
    return this.#inRange(this.#i32[to]!, this.#i32[to + 1]!);
  }

  /** Fuel that the interpreter would have had left since `begin`. */
  get deprived(): number {
    return this.#deprived;
  }

  // What instructions do

  /** The instruction that is being carried out has this event. */
  #happened(event: number): void {
    const at = this.#word + state.FUEL / 4;
    if (!this.#found && !this.#events) {
      const { address, length } = this.#cpu.currentInstruction();
      this.#low = Number(BigInt.asIntN(32, address));
      this.#high = Number(BigInt.asIntN(32, address >> 32n));
      this.#length = length;
      this.#atmid = this.#modes();
    }
    this.#events |= event;
    // No instruction after it is to be begun, and an interruptible one ends soon.
    Atomics.or(this.#i32, this.#word + state.PENDING / 4, state.PENDING_INTERRUPTION);
    this.#deprived += this.#i32[at]!;
    this.#i32[at] = 0;
  }

  /**
   * An operand has been accessed, in a space whose accesses are recorded.
   * @param how as `Translator.fill` has it
   */
  accessed(low: number, high: number, size: number, how: number): void {
    const enabled = this.#enabled;
    if (how & ACCESS_STORE && enabled & PER_STORES && this.#altered(low, high, size)) {
      const { dat } = this.#cpu;
      this.#happened(PER_STORES);
      this.#atmid = (this.#atmid & ~3) | dat.spaceOf(how);
      this.#accessId = dat.accessIdOf(how);
    }
    if (enabled & PER_ZERO_ADDRESSES && this.#found) {
      const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      if (this.#zeroAddresses.includes(address) || (this.#anyZero && address === 0n)) {
        this.#happened(PER_ZERO_ADDRESSES);
      }
    }
  }

  #altered(low: number, high: number, size: number): boolean {
    if (!this.#touches(low, high, size)) return false;
    if (size === 1 || this.#inRange(low, high)) return true;
    // MOVE STRING probes to the end of the page, and stores up to the ending character.
    const at = this.#word + state.PSW_ADDRESS / 4;
    const text = this.#cpu.instructionText(this.#i32[at]!, this.#i32[at + 1]!);
    if (text === undefined || Math.floor(text / 0x1_0000_0000) !== MVST) return true;
    const source = this.#cpu.gr((text >>> 16) & 15) & this.#cpu.addressMask;
    const end = this.#cpu.gr32(0) & 0xff;
    let length = 0;
    while (length < size && this.#cpu.access.read8(source + BigInt(length), (text >>> 16) & 15) !== end) length++;
    return this.#touches(low, high, Math.min(length + 1, size));
  }

  /** STORE USING REAL ADDRESS. */
  storedReal(): void {
    const both = PER_STORES | REAL_STORES;
    if (this.on && (this.#enabled & both) === both) this.#happened(REAL_STORES);
  }

  /** The storage keys of blocks from an absolute address on have been set. */
  keysSet(start: number, length: number): void {
    if (this.on && this.#enabled & KEYS && this.#touches(start | 0, 0, length)) this.#happened(KEYS);
  }
}
