/** Control registers, prefix, CPU identity, translation-lookaside buffers, signals and calls (PoP ch. 10). */

import type { Cpu } from '../cpu.ts';
import { AccessFault, accessTo, HOME, RECORDED } from '../dat.ts';
import { LEAVE, type Millicode, type Operands, type Outcome } from '../isa/insn.ts';
import { ADDRESSING, MONITOR_EVENT, ProgramInterruption } from '../program.ts';
import * as state from '../state.ts';
import { alignedAddress, crLow, forgotten, operandAddress, specify } from './operands.ts';

// Control registers

/** CR0, 1, 7 and 13 decide what the TLB holds, CR9 to 11 what is recorded. */
const MAPPING = 0x2e83;
const RECORDING = 0x0e00;

function loadControls(cpu: Cpu, operands: Operands, size: 4 | 8): number {
  const { c1, c3, b2 } = operands as Record<'c1' | 'c3' | 'b2', number>;
  const address = alignedAddress(cpu, operands, size);
  const count = ((c3 - c1) & 15) + 1;
  const words = cpu.access.readWords(address, (count * size) >>> 2, b2);
  const first = (cpu.base + state.CR) >>> 2;
  let changed = 0;
  for (let n = 0; n < count; n++) {
    const register = (c1 + n) & 15;
    changed |= 1 << register;
    if (size === 8) {
      cpu.i32[first + register * 2 + 1] = words[n * 2]!;
      cpu.i32[first + register * 2] = words[n * 2 + 1]!;
    } else cpu.i32[first + register * 2] = words[n]!;
  }
  return controlsLoaded(cpu, changed);
}

/** Registers have been loaded: bits by their numbers. */
function controlsLoaded(cpu: Cpu, changed: number): number {
  cpu.advance();
  if (changed & RECORDING) cpu.tlb.purgeControlled(RECORDED);
  if (changed & MAPPING) cpu.mappingChanged();
  // CR0 has the masks of the timers.
  if (changed & 1) cpu.timers.controlsChanged();
  return LEAVE;
}

/** LCTLG of one register, from OPERAND. */
export function loadOneControl64(cpu: Cpu, { c1 }: Operands): number {
  const from = (cpu.base + state.OPERAND) >>> 2;
  const to = (cpu.base + state.CR + 8 * c1!) >>> 2;
  cpu.i32[to] = cpu.i32[from]!;
  cpu.i32[to + 1] = cpu.i32[from + 1]!;
  return controlsLoaded(cpu, 1 << c1!);
}

export const loadControl = (cpu: Cpu, operands: Operands): number => loadControls(cpu, operands, 4);
export const loadControl64 = (cpu: Cpu, operands: Operands): number => loadControls(cpu, operands, 8);

function storeControls(cpu: Cpu, operands: Operands, size: 4 | 8): void {
  const { c1, c3, b2 } = operands as Record<'c1' | 'c3' | 'b2', number>;
  const address = alignedAddress(cpu, operands, size);
  const count = ((c3 - c1) & 15) + 1;
  const first = (cpu.base + state.CR) >>> 2;
  const words: number[] = [];
  for (let n = 0; n < count; n++) {
    const register = (c1 + n) & 15;
    if (size === 8) words.push(cpu.i32[first + register * 2 + 1]!);
    words.push(cpu.i32[first + register * 2]!);
  }
  cpu.access.writeWords(address, words, b2);
}

export const storeControl = (cpu: Cpu, operands: Operands): void => storeControls(cpu, operands, 4);
export const storeControl64 = (cpu: Cpu, operands: Operands): void => storeControls(cpu, operands, 8);

// Identity

export function setPrefix(cpu: Cpu, operands: Operands): number {
  const address = alignedAddress(cpu, operands, 4);
  const prefix = cpu.access.read32(address, operands.b2!) & 0x7fff_e000;
  if (!cpu.storage.contains(prefix, 0x2000)) throw new ProgramInterruption(ADDRESSING);
  cpu.advance();
  cpu.changePrefix(prefix);
  return LEAVE;
}

export function storePrefix(cpu: Cpu, operands: Operands): void {
  cpu.access.write32(alignedAddress(cpu, operands, 4), cpu.prefix, operands.b2!);
}

export function storeCpuId(cpu: Cpu, operands: Operands): void {
  cpu.access.write64(alignedAddress(cpu, operands, 8), cpu.environment.information.cpuId, operands.b2!);
}

// Translation-lookaside buffers

export function purgeTlb(cpu: Cpu): Outcome {
  cpu.tlb.purge();
  return forgotten(cpu);
}

/** Nothing is kept of access-register translation. */
export function purgeAlb(): void {}

/**
 * Index, as a number of 64 bits, of a table entry by the table's origin, given as two halves. Tables have absolute
 * addresses here, as in DAT.
 */
function entryAt(cpu: Cpu, originHigh: number, originLow: number, index: number): number {
  const absolute = (originLow >>> 0) + index * 8;
  if (originHigh !== 0 || !cpu.storage.contains(absolute, 8)) throw new ProgramInterruption(ADDRESSING);
  return (cpu.layout.top - absolute - 8) / 8;
}

/** A table entry has been stored to. */
function entryStored(cpu: Cpu, at: number): void {
  const absolute = cpu.layout.top - at * 8 - 8;
  cpu.access.stored(absolute, 8);
  cpu.dat.record(absolute);
}

/**
 * Sets bits of the low words of table entries: `more` beside the first, `last` the greatest index there is. R1
 * designates the table.
 * @returns its absolute address
 */
function invalidate(
  cpu: Cpu,
  { r1 }: Operands,
  origin: number,
  first: number,
  more: number,
  last: number,
  bits: number,
): number {
  const register = (cpu.base + state.GR + 8 * r1!) >>> 2;
  const [low, high] = [cpu.i32[register]! & origin, cpu.i32[register + 1]!];
  for (let n = 0; n <= more; n++) {
    const at = entryAt(cpu, high, low, (first + n) & last);
    Atomics.or(cpu.i32, at * 2, bits);
    entryStored(cpu, at);
  }
  return low >>> 0;
}

/** M4, with the local-TLB-clearing facility: only this CPU's TLB. */
const isLocal = (cpu: Cpu, m4: number): boolean => (m4 & 1) !== 0 && cpu.environment.facilities.has(LOCAL_TLB_CLEARING);
const LOCAL_TLB_CLEARING = 51;
const IPTE_RANGE = 13;
const TABLE_INVALID = 0x20;
const PAGE_INVALID = 0x400;
/** Bits of the lower half of a designation that belong to the origin of a page table, of another table. */
const PAGE_TABLE = ~0x7ff;
const OTHER_TABLE = ~0xfff;

/** INVALIDATE PAGE TABLE ENTRY: R1 page-table origin, R2 address, R3 how many more. */
export function invalidatePage(cpu: Cpu, operands: Operands): Outcome {
  const { r2, r3, m4 } = operands;
  const address = cpu.gr32(r2!);
  const first = (address >>> 12) & 0xff;
  const more = r3 && cpu.environment.facilities.has(IPTE_RANGE) ? cpu.gr32(r3) & 0xff : 0;
  specify(first + more <= 0xff);
  const pageTable = invalidate(cpu, operands, PAGE_TABLE, first, more, 0xff, PAGE_INVALID);
  cpu.everywhere(
    tlb => {
      for (let n = 0; n <= more; n++) tlb.purgePage(address + n * 0x1000, pageTable);
    },
    isLocal(cpu, m4!),
  );
  return forgotten(cpu);
}

/** INVALIDATE DAT TABLE ENTRY: R1 table designation, R2 address and controls, R3 ASCE to clear by. */
export function invalidateTable(cpu: Cpu, operands: Operands): Outcome {
  const { r1, r2, r3, m4 } = operands;
  const local = isLocal(cpu, m4!);
  const control = cpu.gr32(r2!);
  specify((control & 0xff000) === 0);
  if (control & 0x800) {
    // Clearing by ASCE: origin and designation type count.
    const register = (cpu.base + state.GR + 8 * r3!) >>> 2;
    const [low, high] = [cpu.i32[register]!, cpu.i32[register + 1]!];
    cpu.everywhere(tlb => tlb.purgeSpace(low, high, 0xffff_f00c | 0), local);
  } else {
    const level = (cpu.gr32(r1!) >>> 2) & 3;
    const first = Number((cpu.gr(r2!) >> BigInt(20 + 11 * level)) & 0x7ffn);
    invalidate(cpu, operands, OTHER_TABLE, first, control & 0x7ff, 0x7ff, TABLE_INVALID);
    cpu.everywhere(tlb => tlb.purge(), local);
  }
  return forgotten(cpu);
}

/** COMPARE AND REPLACE DAT TABLE ENTRY: R1 pair expected and new, R2 pair designation and address. */
export function compareAndReplaceTable(cpu: Cpu, { r1, r2, m4 }: Operands): Outcome {
  specify(((r1! | r2!) & 1) === 0);
  const designation = cpu.gr(r2!);
  const address = cpu.gr(r2! + 1);
  const type = Number((designation >> 2n) & 7n);
  // Types 4 to 7 are the segment table and the region tables from the third up; 0 is the page table.
  specify(type === 0 || type >= 4);
  const index = type === 0 ? (address >> 12n) & 0xffn : (address >> BigInt(20 + 11 * (type & 3))) & 0x7ffn;
  const origin = Number(designation & 0xffff_ffffn) & (type === 0 ? PAGE_TABLE : OTHER_TABLE);
  const at = entryAt(cpu, Number(designation >> 32n), origin, Number(index));
  const expected = cpu.gr(r1!);
  const found = Atomics.compareExchange(cpu.u64, at, expected, cpu.gr(r1! + 1));
  cpu.cc = found === expected ? 0 : 1;
  if (found !== expected) {
    cpu.setGr(r1!, found);
    return undefined;
  }
  entryStored(cpu, at);
  if (type === 0) {
    const page = Number(address & 0xffff_ffffn);
    cpu.everywhere(tlb => tlb.purgePage(page, origin), isLocal(cpu, m4!));
  } else cpu.everywhere(tlb => tlb.purge(), isLocal(cpu, m4!));
  return forgotten(cpu);
}

/** COMPARE AND SWAP AND PURGE; `wide`: the doubleword form. */
function compareAndSwapAndPurge(cpu: Cpu, { r1, r2 }: Operands, wide: boolean): Outcome {
  specify((r1! & 1) === 0);
  const control = cpu.gr32(r2!) & 3;
  const address = cpu.gr(r2!) & cpu.addressMask & (wide ? ~7n : ~3n);
  const absolute = cpu.access.absolute(address, r2!, true, wide ? 8 : 4);
  if (wide) {
    const expected = cpu.gr(r1!);
    const at = (cpu.layout.top - absolute - 8) / 8;
    const found = Atomics.compareExchange(cpu.u64, at, expected, cpu.gr(r1! + 1));
    cpu.cc = found === expected ? 0 : 1;
    if (found !== expected) cpu.setGr(r1!, found);
  } else {
    const expected = cpu.gr32(r1!);
    const at = (cpu.layout.top - absolute - 4) / 4;
    const found = Atomics.compareExchange(cpu.u32, at, expected, cpu.gr32(r1! + 1));
    cpu.cc = found === expected ? 0 : 1;
    if (found !== expected) cpu.setGr32(r1!, found);
  }
  if (cpu.cc) return undefined;
  cpu.access.stored(absolute, wide ? 8 : 4);
  if (!(control & 1)) return undefined;
  cpu.everywhere(tlb => tlb.purge());
  return forgotten(cpu);
}

export const compareAndSwapAndPurge32: Millicode = (cpu, operands) => compareAndSwapAndPurge(cpu, operands, false);
export const compareAndSwapAndPurge64: Millicode = (cpu, operands) => compareAndSwapAndPurge(cpu, operands, true);

// Calls

const MONITOR_CLASS = 0x94;
const MONITOR_CODE = 0xb0;
/** Enhanced monitor: counter-array origin and size, exception count. */
const COUNTERS = 0x100;
const COUNTER_SIZE = 0x108;
const COUNTER_EXCEPTIONS = 0x10c;
const ENHANCED_MONITOR = 36;

/**
 * Counts a monitor event: in a halfword of the array in the home space, then in the word of those behind the halfwords;
 * where neither can be had, as an exception.
 */
function countMonitorEvent(cpu: Cpu, code: bigint): void {
  const { storage, prefix } = cpu;
  const origin = storage.read64(prefix + COUNTERS) & ~7n;
  const size = BigInt(storage.read32(prefix + COUNTER_SIZE));
  const space = { context: cpu.dat.spaceContext(HOME, 0), how: accessTo(HOME) };
  try {
    if (code >= size) throw new ProgramInterruption(ADDRESSING);
    const { access } = cpu;
    const low = origin + 2n * code;
    const count = access.readIn(space, low, 2) + 1n;
    access.probeIn(space, low, 2, true);
    if (count > 0xffffn) {
      const high = origin + 2n * size + 4n * code;
      access.writeIn(space, high, 4, BigInt.asUintN(32, access.readIn(space, high, 4) + 1n));
    }
    access.writeIn(space, low, 2, count & 0xffffn);
  } catch (thrown) {
    if (!(thrown instanceof ProgramInterruption || thrown instanceof AccessFault)) throw thrown;
    cpu.interruptions.store32(COUNTER_EXCEPTIONS, storage.read32(prefix + COUNTER_EXCEPTIONS) + 1);
  }
}

/** MONITOR CALL: an interruption if CR8 bits 48-63 ask for the class; counted if bits 16-31 do as well. */
export function monitorCall(cpu: Cpu, operands: Operands): void {
  const monitorClass = operands.i2!;
  specify(monitorClass < 16);
  if (!(crLow(cpu, 8) & (0x8000 >>> monitorClass))) return;
  const code = operandAddress(cpu, operands, 1);
  const counted = Number(cpu.cr(8) >> 32n) & (0x8000 >>> monitorClass);
  if (counted && cpu.environment.facilities.has(ENHANCED_MONITOR)) return countMonitorEvent(cpu, code);
  cpu.interruptions.store16(MONITOR_CLASS, monitorClass);
  cpu.interruptions.store64(MONITOR_CODE, Number(code >> 32n), Number(code & 0xffff_ffffn));
  throw new ProgramInterruption(MONITOR_EVENT, 0, true);
}

/** DIAGNOSE: the function is bits 48-63 of the second-operand address. */
export function diagnose(cpu: Cpu, operands: Operands): number | undefined | void {
  const code = Number(operandAddress(cpu, operands) & 0xffffn);
  const work = cpu.environment.diagnose.get(code);
  if (work) return work(cpu, operands);
  cpu.environment.unimplemented(`DIAGNOSE X'${code.toString(16).toUpperCase()}'`);
  specify(false);
}

/** SERVICE CALL: R1 command word, R2 real address of the service-call control block. */
export function serviceCall(cpu: Cpu, { r1, r2 }: Operands): number {
  const address = cpu.gr(r2!) & cpu.addressMask;
  const page = address & ~0x1fffn;
  specify(page !== 0n && page !== BigInt(cpu.prefix) && (address & ~0x7fff_fff8n) === 0n);
  const absolute = cpu.dat.toAbsolute(Number(address));
  if (!cpu.storage.contains(absolute, 8)) throw new ProgramInterruption(ADDRESSING);
  const length = cpu.storage.read16(absolute);
  specify(length >= 8);
  if (!cpu.storage.contains(absolute, length)) throw new ProgramInterruption(ADDRESSING);
  cpu.cc = cpu.environment.serviceCall(cpu.gr32(r1!), absolute);
  cpu.advance();
  return LEAVE;
}
