/** Storage keys, and the frames they belong to (PoP ch. 3 "Storage Key", ch. 10). */

import type { Cpu } from '../cpu.ts';
import { KEY_CHANGE, KEY_REFERENCE } from '../dat.ts';
import type { Operands } from '../isa/insn.ts';
import { ADDRESSING, ProgramInterruption } from '../program.ts';
import { PSW_EA } from '../registers.ts';
import { crLow, EXTRACTION_AUTHORITY, inProblemState, permit, privilege, realAddress, specify } from './operands.ts';

const SEGMENT = 0x10_0000;
const REGION = 0x8000_0000;

// SET STORAGE KEY EXTENDED: M3.
const REFERENCE_BYPASS = 4;
const CHANGE_BYPASS = 2;
const MULTIPLE_BLOCK = 1;

/** Index of the key of the frame at a real address in a register. */
function keyOf(cpu: Cpu, register: number): number {
  const real = realAddress(cpu, register);
  if (!(real < 2 ** 32)) throw new ProgramInterruption(ADDRESSING);
  return keyAt(cpu, cpu.dat.toAbsolute(real));
}

function keyAt(cpu: Cpu, absolute: number): number {
  if (!cpu.storage.contains(absolute, 1)) throw new ProgramInterruption(ADDRESSING);
  return cpu.layout.keys + (absolute >>> 12);
}

/**
 * Replaces a key. The TLB knows a frame only when its reference bit is on, lets stores pass only when the change bit
 * is, and has judged the rest by the old key.
 */
function setKey(cpu: Cpu, at: number, key: number): void {
  const old = cpu.u8[at]!;
  cpu.u8[at] = key & 0xfe;
  const lost = old & ~key & (KEY_REFERENCE | KEY_CHANGE);
  if (old & KEY_REFERENCE && (lost || (old ^ key) & 0xf8)) cpu.tlb.purge();
}

/** Sets a key as the bypass controls say; gives the condition code that a conditional form sets. */
function setConditionally(cpu: Cpu, at: number, key: number, bypass: number): 0 | 1 {
  const old = cpu.u8[at]!;
  const compared = 0xf8 | (bypass & REFERENCE_BYPASS ? 0 : KEY_REFERENCE) | (bypass & CHANGE_BYPASS ? 0 : KEY_CHANGE);
  if (bypass && ((old ^ key) & compared) === 0) return 0;
  setKey(cpu, at, key);
  return 1;
}

/** Puts the address behind a group of blocks into a register, in the addressing mode. */
function setBlockAddress(cpu: Cpu, register: number, address: number): void {
  if (cpu.pswMask & PSW_EA) cpu.setGr(register, BigInt(address));
  else cpu.setGr32(register, Number(BigInt(address) & cpu.addressMask));
}

export function setStorageKey(cpu: Cpu, operands: Operands): void {
  const { r1, r2 } = operands as Record<'r1' | 'r2', number>;
  const control = operands.m3!;
  const key = cpu.gr32(r1) & 0xfe;
  const bypass = control & (REFERENCE_BYPASS | CHANGE_BYPASS);
  if (control & MULTIPLE_BLOCK) {
    const start = realAddress(cpu, r2);
    if (!cpu.storage.contains(start, 1)) throw new ProgramInterruption(ADDRESSING);
    const end = (Math.floor(start / SEGMENT) + 1) * SEGMENT;
    let cc = 0;
    for (let block = start - (start % 4096); block < end; block += 4096) {
      cc |= setConditionally(cpu, keyAt(cpu, block), key, bypass);
    }
    setBlockAddress(cpu, r2, end);
    if (bypass) cpu.cc = cc;
    return;
  }
  const at = keyOf(cpu, r2);
  const old = cpu.u8[at]!;
  const cc = setConditionally(cpu, at, key, bypass);
  if (!bypass) return;
  cpu.setGr32(r1, ((cpu.gr32(r1) & ~0xff00) | ((old & 0xfe) << 8)) >>> 0);
  cpu.cc = cc;
}

export function insertStorageKey(cpu: Cpu, { r1, r2 }: Operands): void {
  const key = cpu.u8[keyOf(cpu, r2!)]! & 0xfe;
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
  if (dat.realHigh) throw new ProgramInterruption(ADDRESSING);
  const at = keyAt(cpu, cpu.dat.toAbsolute(dat.realLow >>> 0));
  cpu.setGr32(r1!, ((cpu.gr32(r1!) & ~0xff) | (cpu.u8[at]! & 0xf8)) >>> 0);
}

/** Condition code: reference and change bit as they were. */
export function resetReferenceBit(cpu: Cpu, { r2 }: Operands): void {
  const at = keyOf(cpu, r2!);
  const key = cpu.u8[at]!;
  setKey(cpu, at, key & ~KEY_REFERENCE);
  cpu.cc = (key >>> 1) & 3;
}

/** TEST BLOCK: every block is usable; it is cleared. */
export function testBlock(cpu: Cpu, { r2 }: Operands): void {
  const real = realAddress(cpu, r2!);
  if (!(real < 2 ** 32)) throw new ProgramInterruption(ADDRESSING);
  const block = cpu.dat.toAbsolute(real - (real % 4096));
  if (!cpu.storage.contains(block, 4096)) throw new ProgramInterruption(ADDRESSING);
  cpu.storage.fill(block, 4096, 0);
  cpu.access.stored(block, 4096);
  cpu.setGr(0, 0n);
  cpu.cc = 0;
}

/** Reference bits of the 64 blocks from an address, which is a multiple of 256 KiB. */
function referenceBits(cpu: Cpu, register: number, reset: boolean): bigint {
  const start = realAddress(cpu, register);
  const first = start - (start % 0x4_0000);
  let bits = 0n;
  for (let n = 0; n < 64; n++) {
    const at = keyAt(cpu, cpu.dat.toAbsolute(first + n * 4096));
    const key = cpu.u8[at]!;
    if (!(key & KEY_REFERENCE)) continue;
    bits |= 1n << BigInt(63 - n);
    if (reset) setKey(cpu, at, key & ~KEY_REFERENCE);
  }
  return bits;
}

export function resetReferenceBits(cpu: Cpu, { r1, r2 }: Operands): void {
  cpu.setGr(r1!, referenceBits(cpu, r2!, true));
}

export function insertReferenceBits(cpu: Cpu, { r1, r2 }: Operands): void {
  cpu.setGr(r1!, referenceBits(cpu, r2!, false));
}

/** PERFORM FRAME MANAGEMENT FUNCTION: R1 the controls, R2 the frame's address. */
export function performFrameManagement(cpu: Cpu, { r1, r2 }: Operands): void {
  const control = cpu.gr32(r1!);
  specify((control & 0xfffc_0101) === 0);
  const setsKey = (control & 0x2_0000) !== 0;
  const clears = (control & 0x1_0000) !== 0;
  const sizeCode = (control >>> 12) & 7;
  specify(sizeCode <= 2);
  const size = [4096, SEGMENT, REGION][sizeCode]!;
  const address = realAddress(cpu, r2!);
  if (!(address < 2 ** 32)) throw new ProgramInterruption(ADDRESSING);
  // A single block has a real address, larger frames absolute ones; they are done from the block given.
  const start = sizeCode === 0 ? cpu.dat.toAbsolute(address - (address % 4096)) : address - (address % 4096);
  const end = (Math.floor(start / size) + 1) * size;
  const bypass = (control >>> 8) & (REFERENCE_BYPASS | CHANGE_BYPASS);
  for (let block = start; block < end; block += 4096) {
    const at = keyAt(cpu, block);
    if (clears) {
      cpu.storage.fill(block, 4096, 0);
      cpu.access.stored(block, 4096);
    }
    if (setsKey) setConditionally(cpu, at, control & 0xfe, bypass);
  }
  if (sizeCode) setBlockAddress(cpu, r2!, end);
}
