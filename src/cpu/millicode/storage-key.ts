/** Storage keys, and the frames they belong to (PoP ch. 3 "Storage Key", ch. 10). */

import type { Cpu } from '../cpu.ts';
import { KEY_CHANGE, KEY_PROTECTION, KEY_REFERENCE } from '../dat.ts';
import { LEAVE, type Operands, type Outcome } from '../isa/insn.ts';
import { ADDRESSING, ProgramInterruption } from '../program.ts';
import { PSW_EA } from '../registers.ts';
import * as state from '../state.ts';
import {
  crLow,
  EXTRACTION_AUTHORITY,
  forgotten,
  inProblemState,
  permit,
  privilege,
  specify,
  storageAddress,
} from './operands.ts';
import { setAddress } from './pairs.ts';

const SEGMENT = 0x10_0000;
const REGION = 0x8000_0000;

// SET STORAGE KEY EXTENDED: M3.
const REFERENCE_BYPASS = 4;
const CHANGE_BYPASS = 2;
const MULTIPLE_BLOCK = 1;

// STFLE bits.
const ENHANCED_DAT = 8;
const CONDITIONAL_SSKE = 10;
const NONQUIESCING_KEY_SETTING = 14;
const ENHANCED_DAT_2 = 78;
const ESSA_ENHANCEMENT = 147;

const FRAME = 4096;

/** Absolute address of the frame at a real address in a register. */
function frameOf(cpu: Cpu, register: number): number {
  const real = storageAddress(cpu, register);
  return existing(cpu, cpu.dat.toAbsolute(real - (real % FRAME)));
}

/** The frame, which must be there. */
function existing(cpu: Cpu, frame: number): number {
  if (!cpu.storage.contains(frame, FRAME)) throw new ProgramInterruption(ADDRESSING);
  return frame;
}

const keyAt = (cpu: Cpu, frame: number): number => cpu.layout.keys + frame / FRAME;

/**
 * Replaces the keys of frames from an absolute address on by what `change` makes of them. Meanwhile no other CPU uses what it knows:
 * a TLB knows a frame only when its reference bit is on, lets stores pass only when the change bit is, and has judged
 * the rest by the old key.
 */
function changeKeys(cpu: Cpu, first: number, length: number, change: (old: number) => number): void {
  cpu.exclusion.alone(() => {
    const { u8, layout } = cpu;
    let lost = 0;
    for (let at = keyAt(cpu, first), end = at + length / FRAME; at < end; at++) {
      const old = u8[at]!;
      const key = (u8[at] = change(old) & 0xfe);
      if (old & KEY_REFERENCE) lost |= ((old ^ key) & KEY_PROTECTION) | (old & ~key);
    }
    if (lost & ~KEY_CHANGE) cpu.everywhere(tlb => tlb.forgetFrames(first, layout.top, length));
    else if (lost) cpu.everywhere(tlb => tlb.forgetStores(first, layout.top, length));
  });
}

/** What a key becomes that is set as the bypass controls say; it stays as it is when it agrees in what is not bypassed. */
function conditionally(key: number, bypass: number): (old: number) => number {
  if (!bypass) return () => key;
  const compared =
    KEY_PROTECTION | (bypass & REFERENCE_BYPASS ? 0 : KEY_REFERENCE) | (bypass & CHANGE_BYPASS ? 0 : KEY_CHANGE);
  return old => ((old ^ key) & compared ? key : old);
}

/** Puts the address behind a group of blocks into a register, in the addressing mode; `kept`: bits that stay. */
function setBlockAddress(cpu: Cpu, register: number, address: number, kept = 0): void {
  const low = (Number(BigInt(address) & cpu.addressMask & 0xffff_ffffn) | (cpu.gr32(register) & kept)) >>> 0;
  if (cpu.pswMask & PSW_EA) cpu.setGr(register, BigInt(address - (address % 2 ** 32) + low));
  else cpu.setGr32(register, low);
}

/** The bypass controls, with the conditional-SSKE facility. */
const bypassControls = (cpu: Cpu, control: number): number =>
  cpu.environment.facilities.has(CONDITIONAL_SSKE) ? control & (REFERENCE_BYPASS | CHANGE_BYPASS) : 0;

export function setStorageKey(cpu: Cpu, operands: Operands): Outcome {
  const { r1, r2 } = operands as Record<'r1' | 'r2', number>;
  const control = operands.m3!;
  const bypass = bypassControls(cpu, control);
  const change = conditionally(cpu.gr32(r1) & 0xfe, bypass);
  if (control & MULTIPLE_BLOCK && cpu.environment.facilities.has(ENHANCED_DAT)) {
    const address = storageAddress(cpu, r2);
    const start = existing(cpu, address - (address % FRAME));
    const end = start - (start % SEGMENT) + SEGMENT;
    changeKeys(cpu, start, end - start, change);
    cpu.per.keysSet(start, end - start);
    setBlockAddress(cpu, r2, end, FRAME - 1);
    // What the keys were is not told.
    if (bypass) cpu.cc = 3;
    return forgotten(cpu);
  }
  const frame = frameOf(cpu, r2);
  let old = 0;
  changeKeys(cpu, frame, FRAME, found => {
    old = found;
    return change(found);
  });
  if (!bypass || change(old) !== old) cpu.per.keysSet(frame, FRAME);
  if (bypass) {
    cpu.cc = change(old) === old ? 0 : 1;
    cpu.setGr32(r1, ((cpu.gr32(r1) & ~0xff00) | ((old & 0xfe) << 8)) >>> 0);
  }
  return forgotten(cpu);
}

export function insertStorageKey(cpu: Cpu, { r1, r2 }: Operands): void {
  const key = cpu.u8[keyAt(cpu, frameOf(cpu, r2!))]!;
  cpu.setGr32(r1!, ((cpu.gr32(r1!) & ~0xff) | key) >>> 0);
}

/** INSERT VIRTUAL STORAGE KEY: access-control bits and fetch protection, by a virtual address. It is no reference. */
export function insertVirtualStorageKey(cpu: Cpu, { r1, r2 }: Operands): void {
  permit(cpu.dat.dat);
  privilege(!inProblemState(cpu) || (crLow(cpu, 0) & EXTRACTION_AUTHORITY) !== 0);
  const { dat } = cpu;
  const address = cpu.gr(r2!) & cpu.addressMask;
  const context = dat.operandContext(r2!);
  if (context < 0) throw dat.fault();
  const [low, high] = [Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n))];
  if (dat.look(context, low, high)) {
    dat.fill(context, low, high, 0);
    throw dat.fault();
  }
  const absolute = dat.found();
  const frame = existing(cpu, absolute - (absolute & (FRAME - 1)));
  cpu.setGr32(r1!, ((cpu.gr32(r1!) & ~0xff) | (cpu.u8[keyAt(cpu, frame)]! & KEY_PROTECTION)) >>> 0);
}

/** Condition code: reference and change bit as they were. */
export function resetReferenceBit(cpu: Cpu, { r2 }: Operands): Outcome {
  changeKeys(cpu, frameOf(cpu, r2!), FRAME, key => {
    cpu.cc = (key >>> 1) & 3;
    return key & ~KEY_REFERENCE;
  });
  return forgotten(cpu);
}

/** Sets blocks to zero that are there, by absolute address. */
function clear(cpu: Cpu, start: number, length: number): void {
  cpu.storage.fill(start, length, 0);
  for (let frame = start; frame < start + length; frame += FRAME) {
    cpu.access.stored(frame, FRAME);
    cpu.dat.record(frame);
  }
}

/** TEST BLOCK: every block is usable; it is cleared. */
export function testBlock(cpu: Cpu, { r2 }: Operands): void {
  const real = storageAddress(cpu, r2!);
  cpu.dat.protectLow(real);
  clear(cpu, frameOf(cpu, r2!), FRAME);
  setAddress(cpu, 0, 0n);
  cpu.cc = 0;
}

/** Reference bits of the 64 blocks from an address, which is a multiple of 256 KiB. */
function referenceBits(cpu: Cpu, register: number, reset: boolean): bigint {
  const address = storageAddress(cpu, register);
  const first = address - (address % 0x4_0000);
  const frames = Array.from({ length: 64 }, (_, n) => existing(cpu, cpu.dat.toAbsolute(first + n * FRAME)));
  let bits = 0n;
  const look = (key: number): number => {
    bits = (bits << 1n) | BigInt((key & KEY_REFERENCE) >> 2);
    return key & ~KEY_REFERENCE;
  };
  if (!reset) for (const frame of frames) look(cpu.u8[keyAt(cpu, frame)]!);
  // Prefixing can take the first two blocks apart.
  else if (frames[63]! - frames[0]! === 63 * FRAME) changeKeys(cpu, frames[0]!, 64 * FRAME, look);
  else for (const frame of frames) changeKeys(cpu, frame, FRAME, look);
  return bits;
}

export function resetReferenceBits(cpu: Cpu, { r1, r2 }: Operands): Outcome {
  cpu.setGr(r1!, referenceBits(cpu, r2!, true));
  return forgotten(cpu);
}

export function insertReferenceBits(cpu: Cpu, { r1, r2 }: Operands): void {
  cpu.setGr(r1!, referenceBits(cpu, r2!, false));
}

/** PERFORM FRAME MANAGEMENT FUNCTION: R1 the controls, R2 the frame's address. */
export function performFrameManagement(cpu: Cpu, { r1, r2 }: Operands): Outcome {
  const { facilities } = cpu.environment;
  const control = cpu.gr32(r1!);
  specify((control & (facilities.has(NONQUIESCING_KEY_SETTING) ? 0xfffc_0101 : 0xfffc_0901)) === 0);
  const setsKey = (control & 0x2_0000) !== 0;
  const clears = (control & 0x1_0000) !== 0;
  const sizeCode = (control >>> 12) & 7;
  const largest = facilities.has(ENHANCED_DAT_2) && cpu.addressMask !== 0xff_ffffn ? 2 : 1;
  specify(sizeCode <= largest);
  const change = conditionally(control & 0xfe, bypassControls(cpu, control >>> 8));
  const manage = (start: number, length: number): void => {
    if (clears) clear(cpu, start, length);
    if (!setsKey) return;
    changeKeys(cpu, start, length, change);
    cpu.per.keysSet(start, length);
  };
  const address = storageAddress(cpu, r2!);
  if (clears) cpu.dat.protectLow(address);
  if (sizeCode === 0) {
    manage(frameOf(cpu, r2!), FRAME);
    return forgotten(cpu);
  }
  // Larger frames have absolute addresses. They are done from the block given, and a megabyte at a time may be interrupted.
  const size = sizeCode === 1 ? SEGMENT : REGION;
  const end = address - (address % size) + size;
  for (let start = address - (address % FRAME); start < end; ) {
    const part = SEGMENT - (start % SEGMENT);
    // The last block of storage ends at a megabyte.
    manage(existing(cpu, start), part);
    start += part;
    setBlockAddress(cpu, r2!, start);
    if (start < end && cpu.field32(state.PENDING)) {
      cpu.moveBehind(0);
      return LEAVE;
    }
  }
  return forgotten(cpu);
}

// EXTRACT AND SET STORAGE ATTRIBUTES: some of what M3 asks for.
const SET_STABLE = 1;
const SET_STABLE_IF_RESIDENT = 6;
const SET_STABLE_NO_DAT = 7;
/** Usage after each of them: 0 stable, 1 unused, 2 potentially volatile, 3 volatile. */
const USAGE_AFTER = [0, 0, 1, 3, 2, 0, 0, 0];

export const lastAttributeFunction = (facilities: ReadonlySet<number>): number =>
  facilities.has(ESSA_ENHANCEMENT) ? SET_STABLE_NO_DAT : SET_STABLE_IF_RESIDENT;

/**
 * EXTRACT AND SET STORAGE ATTRIBUTES: tells what a block, at an absolute address in R2, is used for, and what it was used for
 * before into R1. All blocks are resident and stay so: what is unused or volatile is not taken away.
 */
export function setStorageAttributes(cpu: Cpu, { r1, r2, m3 }: Operands): void {
  specify(m3! <= lastAttributeFunction(cpu.environment.facilities));
  const address = storageAddress(cpu, r2!);
  const at = cpu.layout.frameFlags + existing(cpu, address - (address % FRAME)) / FRAME;
  const { u8 } = cpu;
  const old = Atomics.load(u8, at);
  const register = (cpu.base + state.GR + 8 * r1!) >>> 2;
  cpu.i32[register] = ((old & state.FRAME_USAGE) << 1) | (old & state.FRAME_NO_DAT ? 0x20 : 0);
  cpu.i32[register + 1] = 0;
  if (m3 === 0) return;
  const noDat = m3 === SET_STABLE_NO_DAT ? state.FRAME_NO_DAT : m3 === SET_STABLE ? 0 : old & state.FRAME_NO_DAT;
  const attributes = (USAGE_AFTER[m3!]! << state.FRAME_USAGE_SHIFT) | noDat;
  if ((old & state.FRAME_ATTRIBUTES) === attributes) return;
  Atomics.and(u8, at, ~state.FRAME_ATTRIBUTES);
  Atomics.or(u8, at, attributes);
}
