/**
 * Linkage between programs and spaces (PoP ch. 5 "Program Authorization", "PC-Number Translation", "Linkage Stack";
 * ch. 10): PROGRAM CALL, RETURN and TRANSFER, the linkage stack, ASN translation, subspaces.
 */

import type { Space } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { ACCESS_REGISTER, accessTo, HOME, PRIMARY, SECONDARY } from '../dat.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import * as program from '../program.ts';
import { nullifies, ProgramInterruption } from '../program.ts';
import * as state from '../state.ts';
import {
  crLow,
  inProblemState,
  keyAllowed,
  operandAddress,
  PSW_PROBLEM_HIGH,
  permit,
  privilege,
  pswHigh,
  specify,
} from './operands.ts';
import { homeSwitch } from './space.ts';
import * as tracing from './tracing.ts';

const EXCEPTION_ACCESS_ID = 0xa0;
const TRANSLATION_EXCEPTION = 0xa8;
const ASN_AND_LX_REUSE = 0x0008_0000;
const ASN_TRANSLATION = 0x0008_0000;
const SPACE_SWITCH_EVENT_CONTROL = 0x40n;

/** An interruption that identifies what could not be translated. */
function identified(cpu: Cpu, code: number, identification: number): ProgramInterruption {
  cpu.interruptions.store64(TRANSLATION_EXCEPTION, 0, identification);
  return new ProgramInterruption(code);
}

/** An interruption with an exception access identification: the access register, or 0 where a subspace is in a space's place. */
function accessing(cpu: Cpu, code: number, which: number): ProgramInterruption {
  cpu.interruptions.store8(EXCEPTION_ACCESS_ID, which);
  return new ProgramInterruption(code);
}

/** The ASTE instance number does not agree: 0x20 of the primary, 0x10 of the secondary space. */
const wrongInstance = (cpu: Cpu, which: 0x20 | 0x10): ProgramInterruption =>
  accessing(cpu, program.ASTE_INSTANCE, which);

/** Word at a real address of 31 bits. */
function realWord(cpu: Cpu, real: number): number {
  const absolute = cpu.dat.toAbsolute(real & 0x7fff_ffff);
  if (!cpu.storage.contains(absolute, 4)) throw new ProgramInterruption(program.ADDRESSING);
  return cpu.storage.read32(absolute);
}

function storeRealWord(cpu: Cpu, real: number, value: number): void {
  const absolute = cpu.dat.toAbsolute(real & 0x7fff_ffff);
  cpu.storage.write32(absolute, value >>> 0);
  cpu.access.stored(absolute, 4);
}

const reuse = (cpu: Cpu): boolean => (crLow(cpu, 0) & ASN_AND_LX_REUSE) !== 0;
const low16 = (cpu: Cpu, n: number): number => crLow(cpu, n) & 0xffff;
const high32 = (cpu: Cpu, n: number): number => Number(cpu.cr(n) >> 32n);

function setCrLow(cpu: Cpu, n: number, value: number): void {
  cpu.i32[(cpu.base + state.CR + 8 * n) >>> 2] = value;
}
function setCrHigh(cpu: Cpu, n: number, value: number): void {
  cpu.i32[(cpu.base + state.CR + 8 * n + 4) >>> 2] = value;
}

// ASNs

interface Aste {
  /** Real address. */
  readonly at: number;
  readonly word: (n: number) => number;
  readonly asce: bigint;
}

function asteAt(cpu: Cpu, at: number): Aste {
  const word = (n: number): number => realWord(cpu, at + 4 * n);
  return { at, word, asce: (BigInt(word(2)) << 32n) | BigInt(word(3)) };
}

/** ASN translation (PoP ch. 3). */
function translateAsn(cpu: Cpu, asn: number): Aste {
  const first = realWord(cpu, ((crLow(cpu, 14) & 0x7_ffff) << 12) + (asn >>> 6) * 4);
  if (first >= 0x8000_0000) throw identified(cpu, program.AFX_TRANSLATION, asn);
  const aste = asteAt(cpu, (first & 0x7fff_ffc0) + (asn & 0x3f) * 64);
  if (aste.word(0) >= 0x8000_0000) throw identified(cpu, program.ASX_TRANSLATION, asn);
  return aste;
}

/** The subspace that was active last, by two words of the dispatchable-unit-control table; `register`: where its ALET was. */
function lastSubspace(cpu: Cpu, duct: number, control: number, register: number): Aste {
  const aste = asteAt(cpu, control & 0x7fff_ffc0);
  if (aste.word(0) >= 0x8000_0000) throw accessing(cpu, program.ASTE_VALIDITY, register);
  if (aste.word(5) !== realWord(cpu, duct + 12)) throw accessing(cpu, program.ASTE_SEQUENCE, register);
  return aste;
}

/** The ASCE of a space, or of the subspace that is active in its place. */
function subspace(cpu: Cpu, aste: Aste): bigint {
  const { asce } = aste;
  const duct = crLow(cpu, 2) & 0x7fff_ffc0;
  // The subspace-group control.
  if (!(asce & 0x200n)) return asce;
  const control = realWord(cpu, duct + 4);
  if (control < 0x8000_0000 || (realWord(cpu, duct) & 0x7fff_ffc0) !== aste.at) return asce;
  const sub = lastSubspace(cpu, duct, control, 0);
  // Space-switch-event and storage-alteration-event controls are the base space's.
  return (sub.asce & ~0xc0n) | (asce & 0xc0n);
}

const PRIMARY_AUTHORITY = 0;
const SECONDARY_AUTHORITY = 1;

// The PSW

const EXTENDED = 1;

/** Addressing mode and instruction address as a register or a state entry holds them: bit 63, or bit 32. */
function codedAddress(cpu: Cpu, address: bigint): bigint {
  const { addressMask } = cpu;
  if (pswHigh(cpu) & EXTENDED) return address | 1n;
  return addressMask === 0x7fff_ffffn ? address | 0x8000_0000n : address;
}

/** Condition code included. */
function setPsw(cpu: Cpu, high: number, low: number, address: bigint): void {
  cpu.setPswMask(high | (cpu.cc << 12), low);
  cpu.pswAddress = address;
  cpu.setField32(state.EXECUTING, 0);
  cpu.mappingChanged();
}

const nextAddress = (cpu: Cpu): bigint => {
  const { address, length } = cpu.currentInstruction();
  return (address + BigInt(length)) & cpu.addressMask;
};

/** After a change of the primary space, from the old one. */
function spaceSwitch(cpu: Cpu, oldAsn: number, oldAsce: bigint, length: number): void {
  if (!((cpu.cr(1) | oldAsce) & SPACE_SWITCH_EVENT_CONTROL)) return;
  const control = oldAsce & SPACE_SWITCH_EVENT_CONTROL ? 0x8000_0000 : 0;
  cpu.interruptions.store32(TRANSLATION_EXCEPTION + 4, control | oldAsn);
  throw new ProgramInterruption(program.SPACE_SWITCH_EVENT, 0, true, length);
}

// The linkage stack

const HEADER = 0x09;
const BRANCH_STATE = 0x0c;
const PROGRAM_CALL_STATE = 0x0d;
const TYPE = 0x7f;
const UNSTACK_SUPPRESSION = 0x80;
/** Bytes of a state entry, of which the last eight are its entry descriptor, to which CR15 points. */
const STATE_ENTRY = 296;
const DESCRIPTOR = 288;

// Offsets in a state entry.
const AUTHORITY = 128;
const SAVED_PSW = 136;
const CALLED = 144;
const MODIFIABLE = 152;
const SAVED_ADDRESS = 168;
const INSTANCES = 176;
const ACCESS_REGISTERS = 224;

const ALL = 0xffff_ffff_ffff_ffffn;
const stackSpace = (cpu: Cpu): Space => ({ context: cpu.dat.spaceContext(HOME, 0), how: accessTo(HOME), mask: ALL });
const currentEntry = (cpu: Cpu): bigint => cpu.cr(15) & ~7n;

interface Descriptor {
  readonly type: number;
  readonly section: number;
  /** Bytes that are left in the section behind this entry. */
  readonly room: number;
}

function descriptorAt(cpu: Cpu, space: Space, at: bigint): Descriptor {
  const value = cpu.access.readIn(space, at, 8);
  return {
    type: Number(value >> 56n),
    section: Number((value >> 48n) & 0xffn),
    room: Number((value >> 32n) & 0xffffn),
  };
}

const describe = ({ type, section, room }: Descriptor, next: number): bigint =>
  (BigInt((type << 8) | section) << 48n) | (BigInt(room) << 32n) | (BigInt(next) << 16n);

/** Forms a state entry: the stacking process. */
function stack(cpu: Cpu, type: number, returnAddress: bigint, called: bigint): void {
  const { access } = cpu;
  const space = stackSpace(cpu);
  let at = currentEntry(cpu);
  let before = descriptorAt(cpu, space, at);
  let header: bigint | undefined;
  if (before.room < STATE_ENTRY) {
    if (before.room & 7) throw new ProgramInterruption(program.STACK_SPECIFICATION);
    // The trailer of the section leads to the next one.
    const forward = access.readIn(space, at + 8n + BigInt(before.room), 8);
    if (!(forward & 1n)) throw new ProgramInterruption(program.STACK_FULL);
    at = forward & ~7n;
    before = descriptorAt(cpu, space, at);
    if (before.room < STATE_ENTRY) throw new ProgramInterruption(program.STACK_SPECIFICATION);
    header = at - 8n;
  }
  const bytes = new Uint8Array(STATE_ENTRY);
  const view = new DataView(bytes.buffer);
  for (let n = 0; n < 16; n++) {
    view.setBigUint64(8 * n, cpu.gr(n));
    view.setUint32(ACCESS_REGISTERS + 4 * n, cpu.ar(n));
  }
  view.setInt32(AUTHORITY, crLow(cpu, 3));
  view.setUint16(AUTHORITY + 4, crLow(cpu, 8) >>> 16);
  view.setUint16(AUTHORITY + 6, low16(cpu, 4));
  // The addressing mode of the return address is part of the PSW in the entry.
  const extended = (returnAddress & 1n) !== 0n;
  const basic = extended || (returnAddress & 0x8000_0000n) !== 0n;
  view.setInt32(SAVED_PSW, (pswHigh(cpu) & ~EXTENDED) | (extended ? EXTENDED : 0) | (cpu.cc << 12));
  view.setUint32(SAVED_PSW + 4, basic ? 0x8000_0000 : 0);
  view.setBigUint64(CALLED, called);
  const mask = extended ? ~1n : basic ? 0x7fff_ffffn : 0xff_ffffn;
  view.setBigUint64(SAVED_ADDRESS, BigInt.asUintN(64, returnAddress & mask));
  if (reuse(cpu)) {
    view.setUint32(INSTANCES, high32(cpu, 3));
    view.setUint32(INSTANCES + 4, high32(cpu, 4));
  }
  const room = before.room - STATE_ENTRY;
  view.setBigUint64(DESCRIPTOR, describe({ type, section: before.section, room }, 0));
  // What is changed is probed before any of it is.
  access.probeIn(space, at, 8, true);
  if (header !== undefined) access.probeIn(space, header, 8, true);
  access.writeBytesIn(space, at + 8n, bytes);
  if (header !== undefined) access.writeIn(space, header, 8, currentEntry(cpu) | 1n);
  access.writeIn(space, at, 8, describe(before, STATE_ENTRY));
  cpu.setCr(15, at + BigInt(STATE_ENTRY));
}

/** Finds the last state entry: address of its first byte, and its type. */
function findState(cpu: Cpu, unstacking: boolean): { space: Space; entry: bigint; type: number } {
  const control = cpu.dat.addressSpaceControl;
  permit(cpu.dat.dat && control !== SECONDARY && !(unstacking && control === HOME));
  const space = stackSpace(cpu);
  let at = currentEntry(cpu);
  let { type } = descriptorAt(cpu, space, at);
  const suppressed = (): void => {
    if (unstacking && type & UNSTACK_SUPPRESSION) throw new ProgramInterruption(program.STACK_OPERATION);
  };
  if ((type & TYPE) === HEADER) {
    suppressed();
    const backward = cpu.access.readIn(space, at - 8n, 8);
    if (!(backward & 1n)) throw new ProgramInterruption(program.STACK_EMPTY);
    at = backward & ~7n;
    ({ type } = descriptorAt(cpu, space, at));
    if ((type & TYPE) === HEADER) throw new ProgramInterruption(program.STACK_SPECIFICATION);
  }
  const kind = type & TYPE;
  if (kind !== BRANCH_STATE && kind !== PROGRAM_CALL_STATE) throw new ProgramInterruption(program.STACK_TYPE);
  suppressed();
  return { space, entry: at - BigInt(DESCRIPTOR), type: kind };
}

/** BRANCH AND STACK: R1 return address, R2 branch address; none when the field is zero. */
export function branchAndStack(cpu: Cpu, { r1, r2 }: Operands): number {
  const control = cpu.dat.addressSpaceControl;
  permit(cpu.dat.dat && (control === PRIMARY || control === ACCESS_REGISTER));
  const next = nextAddress(cpu);
  const back = r1 ? cpu.gr(r1) : codedAddress(cpu, next);
  const target = r2 ? cpu.gr(r2) & cpu.addressMask : next;
  const { address } = cpu.currentInstruction();
  const table = r2 && tracing.tracesBranches(cpu) ? tracing.traceBranch(cpu, target, tracing.modeOf(cpu)) : cpu.cr(12);
  stack(cpu, BRANCH_STATE, back, codedAddress(cpu, target & ~1n));
  cpu.setCr(12, table);
  if (r2) cpu.breakingEventAddress = address;
  cpu.pswAddress = target;
  cpu.setField32(state.EXECUTING, 0);
  return LEAVE;
}

function extractRegisters(cpu: Cpu, { r1, r2 }: Operands, wide: boolean): void {
  const { space, entry } = findState(cpu, false);
  const bytes = cpu.access.readBytesIn(space, entry, DESCRIPTOR);
  const view = new DataView(bytes.buffer);
  for (let n = r1!; ; n = (n + 1) & 15) {
    if (wide) cpu.setGr(n, view.getBigUint64(8 * n));
    else cpu.setGr32(n, view.getUint32(8 * n + 4));
    cpu.setAr(n, view.getUint32(ACCESS_REGISTERS + 4 * n));
    if (n === r2) break;
  }
}

export const extractStackedRegisters = (cpu: Cpu, operands: Operands): void => extractRegisters(cpu, operands, false);
export const extractStackedRegisters64 = (cpu: Cpu, operands: Operands): void => extractRegisters(cpu, operands, true);

/** EXTRACT STACKED STATE: what R2 bits 56-63 name, into the pair R1. */
export function extractStackedState(cpu: Cpu, { r1, r2 }: Operands): void {
  permit(cpu.dat.dat && cpu.dat.addressSpaceControl !== SECONDARY);
  const code = cpu.gr32(r2!) & 0xff;
  specify((r1! & 1) === 0 && code <= 5);
  const { space, entry, type } = findState(cpu, false);
  const read = (at: number): bigint => cpu.access.readIn(space, entry + BigInt(at), 8);
  const even = r1!;
  if (code === 1 || code === 4) {
    const mask = read(SAVED_PSW);
    const address = read(SAVED_ADDRESS);
    if (code === 4) {
      cpu.setGr(even, mask);
      cpu.setGr(even + 1, address);
    } else {
      // The short format; its last bit tells that the address does not fit.
      const short = (mask & 0x8000_0000n) | (address & 0x7fff_ffffn) | (address > 0x7fff_ffffn ? 1n : 0n);
      cpu.setGr32(even, (Number(mask >> 32n) | 0x8_0000) >>> 0);
      cpu.setGr32(even + 1, Number(short));
    }
  } else if (code === 5) {
    const instances = read(INSTANCES);
    cpu.setGr(even, (cpu.gr(even) & 0xffff_ffffn) | ((instances >> 32n) << 32n));
    cpu.setGr(even + 1, (cpu.gr(even + 1) & 0xffff_ffffn) | ((instances & 0xffff_ffffn) << 32n));
  } else {
    const value = read(AUTHORITY + 8 * code);
    cpu.setGr32(even, Number(value >> 32n));
    cpu.setGr32(even + 1, Number(value & 0xffff_ffffn));
  }
  cpu.cc = type === PROGRAM_CALL_STATE ? 1 : 0;
}

export function modifyStackedState(cpu: Cpu, { r1 }: Operands): void {
  permit(cpu.dat.dat && cpu.dat.addressSpaceControl !== SECONDARY);
  specify((r1! & 1) === 0);
  const { space, entry } = findState(cpu, false);
  const value = (BigInt(cpu.gr32(r1!)) << 32n) | BigInt(cpu.gr32(r1! + 1));
  cpu.access.writeIn(space, entry + BigInt(MODIFIABLE), 8, value);
}

export function programReturn(cpu: Cpu): number {
  const { space, entry, type } = findState(cpu, true);
  const { access } = cpu;
  const bytes = access.readBytesIn(space, entry, STATE_ENTRY);
  const view = new DataView(bytes.buffer);
  // The entry before this one becomes the current one.
  const previous = entry - 8n;
  access.probeIn(space, previous, 8, true);
  const before = descriptorAt(cpu, space, previous);
  const { address, length } = cpu.currentInstruction();
  const oldAsn = low16(cpu, 4);
  const oldAsce = cpu.cr(1);
  let switched = false;
  const next = (address + BigInt(length)) & cpu.addressMask;
  const newMask = view.getBigUint64(SAVED_PSW);
  const switchesMode = ((Number(newMask >> 32n) ^ pswHigh(cpu)) & EXTENDED) !== 0;
  const byMode = switchesMode && !(type === PROGRAM_CALL_STATE && tracing.tracesSpaces(cpu));
  let table = byMode && tracing.tracesModes(cpu) ? tracing.traceMode(cpu, next) : cpu.cr(12);
  if (type === PROGRAM_CALL_STATE) {
    const newPrimary = view.getUint16(AUTHORITY + 6);
    const newSecondary = view.getUint16(AUTHORITY + 2);
    const translating = newPrimary !== oldAsn || newSecondary !== newPrimary;
    permit(!translating || (crLow(cpu, 14) & ASN_TRANSLATION) !== 0);
    let primaryAsce = oldAsce;
    let authorization = crLow(cpu, 4) >>> 16;
    let primary: Aste | undefined;
    if (newPrimary !== oldAsn) {
      primary = translateAsn(cpu, newPrimary);
      if (reuse(cpu) && primary.word(11) !== view.getUint32(INSTANCES + 4)) throw wrongInstance(cpu, 0x20);
      primaryAsce = subspace(cpu, primary);
      authorization = primary.word(1) >>> 16;
      switched = true;
    }
    let secondaryAsce = primaryAsce;
    if (newSecondary !== newPrimary) {
      const secondary = translateAsn(cpu, newSecondary);
      if (reuse(cpu) && secondary.word(11) !== view.getUint32(INSTANCES)) throw wrongInstance(cpu, 0x10);
      if (!cpu.dat.authorized(secondary.at, authorization, SECONDARY_AUTHORITY)) {
        throw identified(cpu, program.SECONDARY_AUTHORITY, newSecondary);
      }
      secondaryAsce = subspace(cpu, secondary);
    }
    if (tracing.tracesSpaces(cpu)) {
      table = tracing.traceReturn(cpu, newPrimary, next, newMask, view.getBigUint64(SAVED_ADDRESS));
    }
    setCrLow(cpu, 3, view.getInt32(AUTHORITY));
    setCrLow(cpu, 4, (authorization << 16) | newPrimary);
    setCrLow(cpu, 8, (view.getUint16(AUTHORITY + 4) << 16) | low16(cpu, 8));
    if (reuse(cpu)) {
      setCrHigh(cpu, 3, view.getInt32(INSTANCES));
      setCrHigh(cpu, 4, view.getInt32(INSTANCES + 4));
    }
    cpu.setCr(1, primaryAsce);
    cpu.setCr(7, secondaryAsce);
    if (primary) setCrLow(cpu, 5, primary.at);
  }
  for (let n = 2; n <= 14; n++) {
    cpu.setGr(n, view.getBigUint64(8 * n));
    cpu.setAr(n, view.getUint32(ACCESS_REGISTERS + 4 * n));
  }
  access.writeIn(space, previous, 8, describe(before, 0));
  cpu.setCr(12, table);
  cpu.setCr(15, previous);
  cpu.breakingEventAddress = address;
  // The PER mask stays as it is.
  const per = pswHigh(cpu) & 0x4000_0000;
  const target = view.getBigUint64(SAVED_ADDRESS);
  cpu.setPswMask((view.getInt32(SAVED_PSW) & ~0x4000_0000) | per, view.getUint32(SAVED_PSW + 4));
  cpu.pswAddress = target;
  cpu.setField32(state.EXECUTING, 0);
  cpu.mappingChanged();
  cpu.interruptions.checkPsw();
  if (switched) spaceSwitch(cpu, oldAsn, oldAsce, length);
  return LEAVE;
}

// PROGRAM CALL

/** PC-number translation: real address of the entry-table entry, and the number that identifies it. */
function entryOf(cpu: Cpu, address: number): { entry: number; number: number } {
  const linkage = realWord(cpu, (crLow(cpu, 5) & 0x7fff_ffc0) + 24);
  permit(linkage >= 0x8000_0000);
  let number = address & 0xf_ffff;
  let designation: number;
  if (!reuse(cpu)) {
    if ((linkage & 0x7f) < (number & 0xf_ff00) >>> 13) throw identified(cpu, program.LX_TRANSLATION, number);
    designation = realWord(cpu, (linkage & 0x7fff_ff80) + ((number & 0xf_ff00) >>> 6));
    if (designation >= 0x8000_0000) throw identified(cpu, program.LX_TRANSLATION, number);
  } else {
    const long = (address & 0x8_0000) !== 0;
    const identification = long ? address : number;
    number = long ? ((address & 0xfff0_0000) >>> 1) | (address & 0x7_ffff) : number;
    if (long && (linkage & 0xff) < number >>> 19) throw identified(cpu, program.LFX_TRANSLATION, identification);
    const first = realWord(cpu, (linkage & 0x7fff_ff00) + ((number & 0x7fff_e000) >>> 11));
    if (first >= 0x8000_0000) throw identified(cpu, program.LFX_TRANSLATION, identification);
    const second = (first & 0x7fff_ff00) + ((number & 0x1f00) >>> 5);
    designation = realWord(cpu, second);
    if (designation >= 0x8000_0000) throw identified(cpu, program.LSX_TRANSLATION, identification);
    const sequence = realWord(cpu, second + 4);
    if (sequence && Number(cpu.gr(15) >> 32n) !== sequence) {
      throw identified(cpu, program.LSTE_SEQUENCE, identification);
    }
  }
  if ((designation & 0x3f) < (number & 0xff) >>> 2) throw identified(cpu, program.EX_TRANSLATION, number);
  return { entry: (designation & 0x7fff_ffc0) + (number & 0xff) * 32, number };
}

export function programCall(cpu: Cpu, operands: Operands): number {
  const { dat } = cpu;
  const control = dat.addressSpaceControl;
  permit(dat.dat && (control === PRIMARY || control === ACCESS_REGISTER));
  const address32 = Number(operandAddress(cpu, operands) & 0xffff_ffffn);
  const { entry, number } = entryOf(cpu, address32);
  const word = (n: number): number => realWord(cpu, entry + 4 * n);
  const options = word(4);
  const stacking = options >= 0x8000_0000;
  const extended = (options & 0x4000_0000) !== 0;
  const wasExtended = (pswHigh(cpu) & EXTENDED) !== 0;
  permit(stacking || (control === PRIMARY && extended === wasExtended));
  const entryWord = word(1);
  const basic = entryWord >= 0x8000_0000;
  if (!extended && !basic && (entryWord & 0x7fff_fffe) > 0xff_ffff) {
    throw new ProgramInterruption(program.PC_TRANSLATION_SPECIFICATION);
  }
  const keysAndAsn = word(2);
  privilege(!inProblemState(cpu) || (crLow(cpu, 3) & keysAndAsn) >>> 16 !== 0);
  const asn = keysAndAsn & 0xffff;
  let aste: Aste | undefined;
  let asce = cpu.cr(1);
  if (asn) {
    permit((crLow(cpu, 14) & ASN_TRANSLATION) !== 0);
    aste = asteAt(cpu, word(5) & 0x7fff_ffc0);
    if (aste.word(0) >= 0x8000_0000) throw identified(cpu, program.ASX_TRANSLATION, asn);
    asce = subspace(cpu, aste);
  }
  const { address, length } = cpu.currentInstruction();
  const next = nextAddress(cpu);
  const oldAsn = low16(cpu, 4);
  const oldAsce = cpu.cr(1);
  const entryKeys = word(3) & 0xffff_0000;
  const parameter = (BigInt(word(6)) << 32n) | BigInt(word(7));
  const target = extended ? (BigInt(word(0)) << 32n) | BigInt((entryWord & ~1) >>> 0) : BigInt(entryWord & 0x7fff_fffe);
  let high = (pswHigh(cpu) & ~(PSW_PROBLEM_HIGH | EXTENDED)) | (entryWord & 1 ? PSW_PROBLEM_HIGH : 0);
  if (extended) high |= EXTENDED;
  let table = cpu.cr(12);
  if (tracing.tracesSpaces(cpu)) {
    const isLong = reuse(cpu) && (address32 & 0x8_0000) !== 0;
    table = tracing.traceCall(cpu, address32, isLong, next, inProblemState(cpu), extended);
  }
  if (tracing.tracesModes(cpu) && extended !== wasExtended) table = tracing.traceMode(cpu, next, table);
  if (stacking) {
    const space = aste ? (asn << 16) | (aste.word(reuse(cpu) ? 11 : 5) & 0xffff) : 0;
    const called = (BigInt(space >>> 0) << 32n) | BigInt((number | (extended ? 0x8000_0000 : 0)) >>> 0);
    stack(cpu, PROGRAM_CALL_STATE, codedAddress(cpu, next), called);
    if (options & 0x1000_0000) high = (high & ~0x00f0_0000) | (options & 0x00f0_0000);
    setCrLow(cpu, 3, (options & 0x0800_0000 ? 0 : crLow(cpu, 3) & 0xffff_0000) | entryKeys | low16(cpu, 3));
    if (options & 0x0400_0000) setCrLow(cpu, 8, (options << 16) | low16(cpu, 8));
    high = (high & ~0xc000) | (options & 0x0200_0000 ? ACCESS_REGISTER << 14 : 0);
  } else {
    const problem = inProblemState(cpu) ? 1n : 0n;
    if (wasExtended) cpu.setGr(14, next | problem);
    else cpu.setGr32(14, Number(codedAddress(cpu, next) | problem));
    cpu.setGr32(3, ((crLow(cpu, 3) & 0xffff_0000) | oldAsn) >>> 0);
    setCrLow(cpu, 3, crLow(cpu, 3) | entryKeys);
  }
  cpu.setCr(12, table);
  if (extended) cpu.setGr(4, parameter);
  else cpu.setGr32(4, Number(parameter & 0xffff_ffffn));
  // The secondary space becomes what the primary was.
  setCrLow(cpu, 3, (crLow(cpu, 3) & 0xffff_0000) | oldAsn);
  if (reuse(cpu)) setCrHigh(cpu, 3, high32(cpu, 4));
  cpu.setCr(7, oldAsce);
  if (aste) {
    setCrLow(cpu, 4, (aste.word(1) & 0xffff_0000) | asn);
    if (reuse(cpu)) setCrHigh(cpu, 4, aste.word(11));
    cpu.setCr(1, asce);
    setCrLow(cpu, 5, aste.at);
    if (stacking && options & 0x0100_0000) {
      setCrLow(cpu, 3, (crLow(cpu, 3) & 0xffff_0000) | asn);
      if (reuse(cpu)) setCrHigh(cpu, 3, high32(cpu, 4));
      cpu.setCr(7, asce);
    }
  }
  cpu.breakingEventAddress = address;
  setPsw(cpu, high, extended || basic ? 0x8000_0000 : 0, target);
  if (aste) spaceSwitch(cpu, oldAsn, oldAsce, length);
  return LEAVE;
}

// PROGRAM TRANSFER, SET SECONDARY ASN

/** The space of an ASN that a program names; `instance` from its register, when that is to agree. */
function namedSpace(cpu: Cpu, asn: number, instance: number | undefined, secondary: boolean): Aste {
  const aste = translateAsn(cpu, asn);
  const controls = aste.word(1);
  // Reusable ASNs need an instance number; controlled ones are the supervisor's.
  if (instance === undefined) permit(!(reuse(cpu) && controls & 1));
  else {
    permit(!(controls & 2 && inProblemState(cpu)));
    if (aste.word(11) !== instance) throw wrongInstance(cpu, secondary ? 0x10 : 0x20);
  }
  const bit = secondary ? SECONDARY_AUTHORITY : PRIMARY_AUTHORITY;
  if (!cpu.dat.authorized(aste.at, crLow(cpu, 4) >>> 16, bit)) {
    throw identified(cpu, secondary ? program.SECONDARY_AUTHORITY : program.PRIMARY_AUTHORITY, asn);
  }
  return aste;
}

function transfer(cpu: Cpu, { r1, r2 }: Operands, withInstance: boolean): number {
  const { dat } = cpu;
  permit(dat.dat && dat.addressSpaceControl === PRIMARY);
  const keys = cpu.gr32(r1!) >>> 16;
  const asn = cpu.gr32(r1!) & 0xffff;
  const operand = cpu.gr(r2!);
  const problem = (operand & 1n) !== 0n;
  const extended = (pswHigh(cpu) & EXTENDED) !== 0;
  permit(realWord(cpu, (crLow(cpu, 5) & 0x7fff_ffc0) + 24) >= 0x8000_0000);
  privilege(problem || !inProblemState(cpu));
  const basic = extended || (operand & 0x8000_0000n) !== 0n;
  const target = extended ? operand & ~1n : operand & 0x7fff_fffen;
  specify(basic || target <= 0xff_ffffn);
  const oldAsn = low16(cpu, 4);
  const oldAsce = cpu.cr(1);
  const { address, length } = cpu.currentInstruction();
  const switching = asn !== oldAsn;
  const traced = (): void => {
    if (tracing.tracesSpaces(cpu)) cpu.setCr(12, tracing.traceTransfer(cpu, asn, operand, withInstance));
  };
  if (!switching) traced();
  else {
    permit((crLow(cpu, 14) & ASN_TRANSLATION) !== 0);
    const instance = withInstance ? Number(cpu.gr(r1!) >> 32n) : undefined;
    const aste = namedSpace(cpu, asn, instance, false);
    const asce = subspace(cpu, aste);
    traced();
    cpu.setCr(1, asce);
    setCrLow(cpu, 4, (aste.word(1) & 0xffff_0000) | asn);
    setCrLow(cpu, 5, aste.at);
    if (withInstance || reuse(cpu)) setCrHigh(cpu, 4, aste.word(11));
  }
  setCrLow(cpu, 3, (crLow(cpu, 3) & (keys << 16)) | asn);
  if (withInstance || reuse(cpu)) setCrHigh(cpu, 3, high32(cpu, 4));
  cpu.setCr(7, cpu.cr(1));
  cpu.breakingEventAddress = address;
  const high = (pswHigh(cpu) & ~PSW_PROBLEM_HIGH) | (problem ? PSW_PROBLEM_HIGH : 0);
  setPsw(cpu, high, basic ? 0x8000_0000 : 0, target);
  if (switching) spaceSwitch(cpu, oldAsn, oldAsce, length);
  return LEAVE;
}

export const programTransfer = (cpu: Cpu, operands: Operands): number => transfer(cpu, operands, false);
export const programTransferWithInstance = (cpu: Cpu, operands: Operands): number => transfer(cpu, operands, true);

function setSecondary(cpu: Cpu, { r1 }: Operands, withInstance: boolean): number {
  permit((crLow(cpu, 14) & ASN_TRANSLATION) !== 0 && cpu.dat.dat);
  const asn = cpu.gr32(r1!) & 0xffff;
  let asce = cpu.cr(1);
  let instance = high32(cpu, 4);
  if (asn !== low16(cpu, 4)) {
    const aste = namedSpace(cpu, asn, withInstance ? Number(cpu.gr(r1!) >> 32n) : undefined, true);
    asce = subspace(cpu, aste);
    instance = aste.word(11);
  }
  if (tracing.tracesSpaces(cpu)) cpu.setCr(12, tracing.traceSetSecondary(cpu, asn, withInstance));
  setCrLow(cpu, 3, (crLow(cpu, 3) & 0xffff_0000) | asn);
  cpu.setCr(7, asce);
  if (withInstance || reuse(cpu)) setCrHigh(cpu, 3, instance);
  cpu.advance();
  cpu.mappingChanged();
  return LEAVE;
}

export const setSecondaryAsn = (cpu: Cpu, operands: Operands): number => setSecondary(cpu, operands, false);
export const setSecondaryAsnWithInstance = (cpu: Cpu, operands: Operands): number => setSecondary(cpu, operands, true);

/** LOAD ADDRESS SPACE PARAMETERS: condition code 1 or 2 when the primary or secondary space is not to be had. */
export function loadAddressSpaceParameters(cpu: Cpu, operands: Operands): number {
  permit((crLow(cpu, 14) & ASN_TRANSLATION) !== 0);
  const address = operandAddress(cpu, operands, 1);
  specify((address & 7n) === 0n);
  const controls = Number(operandAddress(cpu, operands, 2) & 7n);
  const [translates, takesIndex, trusts] = [controls & 4, controls & 2, controls & 1];
  const long = reuse(cpu);
  const view = new DataView(cpu.access.readBytes(address, long ? 16 : 8, operands.b1!).buffer);
  const [keys, secondaryAsn, index, primaryAsn] = (long ? [4, 6, 12, 14] : [0, 2, 4, 6]).map(at => view.getUint16(at));
  const finished = (cc: number): number => {
    cpu.cc = cc;
    cpu.advance();
    return LEAVE;
  };
  /** The space of an ASN; undefined: it cannot be had, and its condition code says so. */
  const spaceOf = (asn: number, instance: number): { aste: Aste; asce: bigint } | undefined => {
    try {
      const aste = translateAsn(cpu, asn);
      return long && aste.word(11) !== instance ? undefined : { aste, asce: subspace(cpu, aste) };
    } catch (thrown) {
      if (thrown instanceof ProgramInterruption && nullifies(thrown.code)) return undefined;
      throw thrown;
    }
  };
  let asce = cpu.cr(1);
  let authorization = crLow(cpu, 4) >>> 16;
  let primaryInstance = high32(cpu, 4);
  let asteOrigin = crLow(cpu, 5);
  if (translates || primaryAsn !== low16(cpu, 4)) {
    primaryInstance = long ? view.getUint32(8) : primaryInstance;
    const primary = spaceOf(primaryAsn!, primaryInstance);
    if (!primary) return finished(1);
    if ((cpu.cr(1) | primary.aste.asce) & SPACE_SWITCH_EVENT_CONTROL) return finished(3);
    asce = primary.asce;
    authorization = primary.aste.word(1) >>> 16;
    asteOrigin = primary.aste.at;
  }
  if (takesIndex) authorization = index!;
  let secondaryAsce = asce;
  let secondaryInstance = primaryInstance;
  if (secondaryAsn !== primaryAsn) {
    if (!translates && trusts && secondaryAsn === low16(cpu, 3)) {
      secondaryAsce = cpu.cr(7);
      secondaryInstance = high32(cpu, 3);
    } else {
      secondaryInstance = long ? view.getUint32(0) : high32(cpu, 3);
      const secondary = spaceOf(secondaryAsn!, secondaryInstance);
      if (!secondary) return finished(2);
      if (!trusts && !cpu.dat.authorized(secondary.aste.at, authorization, SECONDARY_AUTHORITY)) return finished(2);
      secondaryAsce = secondary.asce;
    }
  }
  cpu.setCr(1, asce);
  cpu.setCr(7, secondaryAsce);
  setCrLow(cpu, 3, (keys! << 16) | secondaryAsn!);
  setCrLow(cpu, 4, (authorization << 16) | primaryAsn!);
  setCrLow(cpu, 5, asteOrigin);
  if (long) {
    setCrHigh(cpu, 3, secondaryInstance);
    setCrHigh(cpu, 4, primaryInstance);
  }
  cpu.mappingChanged();
  return finished(0);
}

// RESUME PROGRAM and TRAP

/** RESUME PROGRAM: PSW, access and general register B2 from where the list behind the instruction says. */
export function resumeProgram(cpu: Cpu, operands: Operands): number {
  const { access } = cpu;
  const { b2 } = operands as Record<'b2', number>;
  const executing = cpu.field32(state.EXECUTING) !== 0;
  const list = (executing ? cpu.field64(state.EXECUTE_TARGET) : cpu.pswAddress) + 4n;
  const instructions = { context: cpu.field32(state.FETCH_CONTEXT), how: 0 };
  const half = (n: number): number => Number(access.readIn(instructions, (list + BigInt(2 * n)) & cpu.addressMask, 2));
  const flags = half(0);
  specify((flags & 0xfff8) === 0);
  const start = operandAddress(cpu, operands);
  const at = (n: number): bigint => (start + BigInt(half(n))) & cpu.addressMask;
  const wide = (flags & 4) !== 0;
  const saved = access.read64(at(1), b2);
  const low = Number(saved & 0xffff_ffffn);
  let target = wide ? access.read64((at(1) + 8n) & cpu.addressMask, b2) : BigInt(low & 0x7fff_ffff);
  const accessRegister = access.read32(at(2), b2);
  const form = flags & 3;
  const register =
    form === 2
      ? access.read64(at(3), b2)
      : BigInt(access.read32(at(3), b2)) | (form === 3 ? BigInt(access.read32(at(4), b2)) << 32n : 0n);
  // Address-space control, condition code, program mask and addressing mode are taken from the operand.
  const fields = Number(saved >> 32n) & 0xff01;
  const before = cpu.dat.addressSpaceControl;
  privilege(!(cpu.dat.dat && inProblemState(cpu) && (fields & 0xc000) === 0xc000));
  const high = (pswHigh(cpu) & ~0xff01) | fields;
  const basic = low >>> 31 ? 0x8000_0000 : 0;
  specify(basic !== 0 || !(fields & EXTENDED));
  specify(fields & EXTENDED ? true : target <= (basic ? 0x7fff_ffffn : 0xff_ffffn));
  specify((target & 1n) === 0n);
  target = BigInt.asUintN(64, target);
  const { address, length } = cpu.currentInstruction();
  const switchesMode = ((fields ^ pswHigh(cpu)) & EXTENDED) !== 0 && tracing.tracesModes(cpu);
  if (switchesMode && !tracing.tracesBranches(cpu)) {
    cpu.setCr(12, tracing.traceMode(cpu, (address + BigInt(length)) & cpu.addressMask));
  } else if (switchesMode) cpu.setCr(12, tracing.traceModeBranch(cpu, target));
  else if (tracing.tracesBranches(cpu)) {
    cpu.setCr(12, tracing.traceBranch(cpu, target, fields & EXTENDED ? 64 : basic ? 31 : 24));
  }
  cpu.setAr(b2, accessRegister);
  if (form >= 2) cpu.setGr(b2, register);
  else cpu.setGr32(b2, Number(register));
  cpu.breakingEventAddress = address;
  cpu.setPswMask(high, basic);
  cpu.pswAddress = target;
  cpu.setField32(state.EXECUTING, 0);
  cpu.mappingChanged();
  homeSwitch(cpu, before, length);
  return LEAVE;
}

/** TRAP2, TRAP4: to the program that the dispatchable-unit-control table names, if it lets them. */
function trap(cpu: Cpu, operand: bigint | undefined): number {
  const { dat, access } = cpu;
  const control = dat.addressSpaceControl;
  permit(dat.dat && (control === PRIMARY || control === ACCESS_REGISTER));
  const block = realWord(cpu, (crLow(cpu, 2) & 0x7fff_ffc0) + 44);
  permit((block & 1) !== 0);
  const space: Space = { context: dat.spaceContext(HOME), how: accessTo(HOME), mask: ALL };
  const word = (n: number): number => Number(access.readIn(space, BigInt((block & 0x7fff_fff8) + 4 * n), 4));
  const options = word(0);
  const wideRegisters = (options & 0x0002_0000) !== 0;
  const widePsw = (options & 0x0004_0000) !== 0;
  const extended = (pswHigh(cpu) & EXTENDED) !== 0;
  permit(widePsw || !extended);
  const area = word(3) & 0x7fff_fff8;
  const target = word(5) & 0x7fff_ffff;
  const next = nextAddress(cpu);
  const { address, length } = cpu.currentInstruction();
  const bytes = new Uint8Array(32 + 16 * (wideRegisters ? 8 : 4));
  const view = new DataView(bytes.buffer);
  const executed = cpu.field32(state.EXECUTING) ? 0x8000_0000 : 0;
  view.setUint32(0, (executed | (operand === undefined ? 0 : 0x4000_0000) | (length << 16)) >>> 0);
  view.setUint32(8, Number((operand ?? 0n) & 0x7fff_ffffn));
  view.setUint32(12, cpu.ar(15));
  const high = pswHigh(cpu) | (cpu.cc << 12);
  const basic = cpu.addressMask === 0xff_ffffn ? 0 : 0x8000_0000;
  if (widePsw) {
    view.setInt32(16, high);
    view.setUint32(20, basic);
    view.setBigUint64(24, next);
  } else {
    view.setInt32(16, high | 0x0008_0000);
    view.setUint32(20, (basic | Number(next)) >>> 0);
  }
  for (let n = 0; n < 16; n++) {
    if (wideRegisters) view.setBigUint64(32 + 8 * n, cpu.gr(n));
    else view.setUint32(32 + 4 * n, cpu.gr32(n));
  }
  const table = tracing.tracesBranches(cpu) ? tracing.traceBranch(cpu, BigInt(target), 31) : cpu.cr(12);
  access.writeBytesIn(space, BigInt(area), bytes);
  cpu.setCr(12, table);
  if (extended) cpu.setGr(15, BigInt(block & 0x7fff_fff8));
  else cpu.setGr32(15, block & 0x7fff_fff8);
  cpu.breakingEventAddress = address;
  setPsw(cpu, pswHigh(cpu) & ~(0xc000 | EXTENDED), 0x8000_0000, BigInt(target));
  return LEAVE;
}

export const trap2 = (cpu: Cpu): number => trap(cpu, undefined);
export const trap4 = (cpu: Cpu, operands: Operands): number => trap(cpu, operandAddress(cpu, operands));

// Authority and subspaces

/** Traces a branch whose target carries the 24-bit or 31-bit mode, except in the 64-bit mode. */
function traceAuthority(cpu: Cpu, target: bigint): void {
  if (!tracing.tracesBranches(cpu)) return;
  const mode = tracing.modeOf(cpu) === 64 ? 64 : target & 0x8000_0000n ? 31 : 24;
  cpu.setCr(12, tracing.traceBranch(cpu, mode === 64 ? target : target & 0x7fff_ffffn, mode));
}

/** BRANCH AND SET AUTHORITY: to reduced authority with R2, back without. */
export function branchAndSetAuthority(cpu: Cpu, { r1, r2 }: Operands): number {
  const duct = crLow(cpu, 2) & 0x7fff_ffc0;
  const saved = realWord(cpu, duct + 20);
  const next = nextAddress(cpu);
  const { address } = cpu.currentInstruction();
  const extended = (pswHigh(cpu) & EXTENDED) !== 0;
  const REDUCED = 8;
  if (!(saved & REDUCED)) {
    permit(r2 !== 0);
    const operand = cpu.gr32(r1!);
    const key = (operand >>> 4) & 0xf;
    privilege(keyAllowed(cpu, key));
    const back = extended ? next : codedAddress(cpu, next);
    const own = (pswHigh(cpu) >>> 16) & 0xf0;
    traceAuthority(cpu, cpu.gr(r2!));
    storeRealWord(cpu, duct + 20, (crLow(cpu, 3) & 0xffff_0000) | own | REDUCED | (inProblemState(cpu) ? 1 : 0));
    storeRealWord(cpu, duct + 32, Number(back >> 32n));
    storeRealWord(cpu, duct + 36, Number(back & 0xffff_ffffn));
    setCrLow(cpu, 3, crLow(cpu, 3) & (operand | 0xffff));
    const target = cpu.gr(r2!);
    const basic = extended || (target & 0x8000_0000n) !== 0n;
    const mask = extended ? ~0n : basic ? 0x7fff_ffffn : 0xff_ffffn;
    cpu.breakingEventAddress = address;
    const high = (pswHigh(cpu) & ~0x00f0_0000) | (key << 20) | PSW_PROBLEM_HIGH;
    setPsw(cpu, high, basic ? 0x8000_0000 : 0, BigInt.asUintN(64, target & mask));
    return LEAVE;
  }
  permit(r2 === 0);
  const back = (BigInt(realWord(cpu, duct + 32)) << 32n) | BigInt(realWord(cpu, duct + 36));
  traceAuthority(cpu, back);
  if (r1) {
    if (extended) cpu.setGr(r1, next);
    else cpu.setGr32(r1, Number(codedAddress(cpu, next)));
  }
  storeRealWord(cpu, duct + 20, saved & ~REDUCED);
  setCrLow(cpu, 3, (saved & 0xffff_0000) | low16(cpu, 3));
  const basic = extended || (back & 0x8000_0000n) !== 0n;
  cpu.breakingEventAddress = address;
  const high = (pswHigh(cpu) & ~(0x00f0_0000 | PSW_PROBLEM_HIGH)) | ((saved & 0xf0) << 16);
  setPsw(
    cpu,
    high | (saved & 1 ? PSW_PROBLEM_HIGH : 0),
    basic ? 0x8000_0000 : 0,
    extended ? back : back & 0x7fff_ffffn,
  );
  cpu.interruptions.checkPsw();
  return LEAVE;
}

/** BRANCH IN SUBSPACE GROUP: to the space that access register R2 designates. */
export function branchInSubspaceGroup(cpu: Cpu, { r1, r2 }: Operands): number {
  const { dat } = cpu;
  permit(dat.dat);
  const duct = crLow(cpu, 2) & 0x7fff_ffc0;
  const base = realWord(cpu, duct) & 0x7fff_ffc0;
  permit((crLow(cpu, 5) & 0x7fff_ffc0) === base);
  const alet = r2 ? cpu.ar(r2) : 0;
  let control = realWord(cpu, duct + 4);
  let aste: Aste;
  if (alet === 0) {
    aste = asteAt(cpu, base);
    control &= 0x7fff_ffff;
  } else if (alet === 1) {
    permit((control & 0x7fff_ffc0) !== 0);
    aste = lastSubspace(cpu, duct, control, r2!);
    control |= 0x8000_0000;
  } else {
    const code = dat.translateAlet(alet, undefined);
    if (code === program.ADDRESSING) throw new ProgramInterruption(code);
    if (code) throw accessing(cpu, code, r2!);
    aste = asteAt(cpu, dat.asteAddress);
    const isBase = aste.at === base;
    // A member of the group: its ASCE says so, and it is no base space itself.
    permit(isBase || ((aste.asce & 0x200n) !== 0n && (aste.word(0) & 1) === 0));
    control = isBase ? control & 0x7fff_ffff : 0x8000_0000 | aste.at;
  }
  const { address } = cpu.currentInstruction();
  const next = nextAddress(cpu);
  const extended = (pswHigh(cpu) & EXTENDED) !== 0;
  const target = cpu.gr(r2!);
  const isBase = aste.at === base;
  if (tracing.tracesSpaces(cpu)) cpu.setCr(12, tracing.traceSubspace(cpu, alet, target));
  else traceAuthority(cpu, target);
  cpu.setCr(1, isBase ? aste.asce : (aste.asce & ~0xc0n) | (cpu.cr(1) & 0xc0n));
  if (r1) {
    if (extended) cpu.setGr(r1, next);
    else cpu.setGr32(r1, Number(codedAddress(cpu, next)));
  }
  cpu.setCr(7, cpu.cr(1));
  setCrLow(cpu, 3, (crLow(cpu, 3) & 0xffff_0000) | low16(cpu, 4));
  if (reuse(cpu)) setCrHigh(cpu, 3, high32(cpu, 4));
  storeRealWord(cpu, duct + 4, control);
  if (!isBase && alet !== 1) storeRealWord(cpu, duct + 12, aste.word(5));
  const basic = extended || (target & 0x8000_0000n) !== 0n;
  const mask = extended ? ~0n : basic ? 0x7fff_ffffn : 0xff_ffffn;
  cpu.breakingEventAddress = address;
  setPsw(cpu, pswHigh(cpu), basic ? 0x8000_0000 : 0, BigInt.asUintN(64, target & mask));
  return LEAVE;
}

/** TEST ACCESS of the ALET in access register R1 with the extended authorization index in R2 bits 32-47. */
export function testAccess(cpu: Cpu, { a1, r2 }: Operands): void {
  const alet = cpu.ar(a1!);
  if (alet <= 1) cpu.cc = alet === 0 ? 0 : 3;
  else if (cpu.dat.translateAlet(alet, cpu.gr32(r2!) >>> 16)) cpu.cc = 3;
  else cpu.cc = alet & 0x0100_0000 ? 2 : 1;
}
