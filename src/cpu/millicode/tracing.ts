/**
 * Tracing (PoP ch. 4): entries that TRACE asks for, and those that branches, changes of the address space and of the
 * addressing mode leave in the trace table when CR12 asks for them. A function gives the contents of CR12 behind the
 * entry, for the instruction to set when nothing can stop it any more; it throws where there is no room.
 */

import type { Cpu } from '../cpu.ts';
import type { Operands } from '../isa/insn.ts';
import { ProgramInterruption, TRACE_TABLE } from '../program.ts';
import * as state from '../state.ts';
import { bytesOf, crLow, type Fields, operandAddress, pswHigh, specify } from './operands.ts';

// CR12: branches (upper half), modes (upper half), address spaces, explicit tracing.
const BRANCHES = 0x8000_0000 | 0;
const MODES = 0x4000_0000;
const SPACES = 2;
const EXPLICIT = 1;
const ENTRY_ADDRESS = 0x3fff_ffff_ffff_fffcn;
const ALL = 0xffff_ffff_ffff_ffffn;
const EXTENDED = 1;
const BASIC = 0x8000_0000n;
const LARGEST_31 = 0x7fff_ffffn;

const controls = (cpu: Cpu): number => cpu.i32[(cpu.base + state.CR + 8 * 12 + 4) >>> 2]!;
export const tracesBranches = (cpu: Cpu): boolean => (controls(cpu) & BRANCHES) !== 0;
export const tracesModes = (cpu: Cpu): boolean => (controls(cpu) & MODES) !== 0;
export const tracesSpaces = (cpu: Cpu): boolean => (crLow(cpu, 12) & SPACES) !== 0;

const isWide = (cpu: Cpu): boolean => (pswHigh(cpu) & EXTENDED) !== 0;
const key = (cpu: Cpu): number => (pswHigh(cpu) >>> 16) & 0xf0;

/** An address with the addressing mode to its left, as entries of four bytes have it. */
const coded = (cpu: Cpu, address: bigint): bigint => (cpu.addressMask === LARGEST_31 ? address | BASIC : address);

/** Stores an entry, to which low-address protection applies and no storage key; `longest`: the room that there must be. */
function enter(cpu: Cpu, fields: Fields, table = cpu.cr(12), longest = 0): bigint {
  const entry = bytesOf(fields);
  const at = table & ENTRY_ADDRESS;
  if ((at & 0xfffn) + BigInt(Math.max(entry.length, longest)) > 4095n) throw new ProgramInterruption(TRACE_TABLE);
  cpu.access.writeBytesIn({ context: cpu.dat.realContext(0), how: 0, mask: ALL }, at, entry);
  return table + BigInt(entry.length);
}

/** An entry of a word and an address or the like of four or eight bytes. */
const enterPair = (cpu: Cpu, head: number, value: bigint, long: boolean, table?: bigint): bigint =>
  enter(
    cpu,
    [
      [head >>> 0, 4],
      [value, long ? 8 : 4],
    ],
    table,
  );

// TRACE and TRACG

function trace(cpu: Cpu, operands: Operands, wide: boolean): void {
  const { r1, r3, b2 } = operands as Record<'r1' | 'r3' | 'b2', number>;
  const address = operandAddress(cpu, operands);
  specify((address & 3n) === 0n);
  if (!(crLow(cpu, 12) & EXPLICIT)) return;
  const operand = cpu.access.read32(address, b2);
  if (operand >= 0x8000_0000) return;
  const count = ((r3 - r1) & 15) + 1;
  const clock = cpu.timers.clock.tod();
  // Bits 16-63 of the clock, or 0-79 of it, behind the format.
  const head: Fields = wide
    ? [
        [0x7080 | ((count - 1) << 8), 2],
        [clock >> 48n, 2],
        [clock << 16n, 8],
      ]
    : [
        [0x7000 | ((count - 1) << 8), 2],
        [clock, 6],
      ];
  const registers = Array.from({ length: count }, (_, n) => [cpu.gr((r1 + n) & 15), wide ? 8 : 4] as const);
  cpu.setCr(12, enter(cpu, [...head, [operand, 4], ...registers], cpu.cr(12), wide ? 144 : 76));
}

export const trace32 = (cpu: Cpu, operands: Operands): void => trace(cpu, operands, false);
export const trace64 = (cpu: Cpu, operands: Operands): void => trace(cpu, operands, true);

// Branches

/** @param mode of the target: 24, 31 or 64 */
export function traceBranch(cpu: Cpu, target: bigint, mode: 24 | 31 | 64): bigint {
  if (mode === 24) return enter(cpu, [[target & 0xff_ffffn, 4]]);
  const long = mode === 64 && target > LARGEST_31;
  return long ? enterPair(cpu, 0x52c0_0000, target, true) : enter(cpu, [[target | BASIC, 4]]);
}

/** The addressing mode of the PSW. */
export const modeOf = (cpu: Cpu): 24 | 31 | 64 => (isWide(cpu) ? 64 : cpu.addressMask === LARGEST_31 ? 31 : 24);

/** BALR and BASR: the target is in OPERAND. */
export function traceLink(cpu: Cpu): void {
  cpu.setCr(12, traceBranch(cpu, cpu.field64(state.OPERAND), modeOf(cpu)));
}

/** Changes into or out of the 64-bit mode; `next` is the address of the next instruction. */
export function traceMode(cpu: Cpu, next: bigint, table = cpu.cr(12)): bigint {
  if (!isWide(cpu)) return enterPair(cpu, 0x5130_0000, coded(cpu, next), false, table);
  const long = next > LARGEST_31;
  return enterPair(cpu, long ? 0x5260_0000 : 0x5120_0000, next, long, table);
}

/** As `traceMode` for a branch while branches are traced. */
export function traceModeBranch(cpu: Cpu, target: bigint): bigint {
  const wide = isWide(cpu);
  const long = !wide && target > LARGEST_31;
  const format = wide ? 0x51a0_0000 : long ? 0x52f0_0000 : 0x51b0_0000;
  return enterPair(cpu, format, target, long);
}

// Address spaces

export const traceSetSecondary = (cpu: Cpu, asn: number, withInstance: boolean): bigint =>
  enter(cpu, [[0x1000_0000 | (withInstance ? 0x1_0000 : 0) | asn, 4]]);

/** PROGRAM TRANSFER; `operand`: general register R2. */
export function traceTransfer(cpu: Cpu, asn: number, operand: bigint, withInstance: boolean): bigint {
  const wide = isWide(cpu);
  const long = wide && operand > 0xffff_ffffn;
  const kind = (long ? 0xc : wide ? 8 : 0) | (withInstance ? 1 : 0);
  const head = (long ? 0x32 : 0x31) * 0x100_0000 + ((key(cpu) | kind) << 16) + asn;
  return enterPair(cpu, head, operand, long);
}

/** BRANCH IN SUBSPACE GROUP. */
export function traceSubspace(cpu: Cpu, alet: number, target: bigint): bigint {
  if (isWide(cpu)) return enterPair(cpu, 0x4200_0000 | (alet & 0xff_ffff), target, true);
  const list = ((alet >>> 1) & 0x80_0000) | (alet & 0x7f_ffff);
  const address = target & BASIC ? target : target & 0xff_ffffn;
  return enterPair(cpu, 0x4100_0000 | list, address, false);
}

/**
 * PROGRAM CALL.
 * @param number PC number: the effective address, of which 20 or, when it is a long one, all 32 bits count
 * @param extended the called program is in the 64-bit mode
 */
export function traceCall(
  cpu: Cpu,
  number: number,
  isLong: boolean,
  next: bigint,
  problem: boolean,
  extended: boolean,
): bigint {
  const wide = isWide(cpu);
  const back = (wide ? next : coded(cpu, next)) | (problem ? 1n : 0n);
  if (!isLong) {
    const head = (wide ? 0x22 : 0x21) * 0x100_0000 + (key(cpu) << 16) + (number & 0xf_ffff);
    return enterPair(cpu, head, back, wide);
  }
  const high = wide && next > 0xffff_ffffn;
  const kind = (high ? 0xe : wide ? 0xa : 8) | (extended ? 1 : 0);
  const head = (high ? 0x23 : 0x22) * 0x100_0000 + ((key(cpu) | kind) << 16);
  return enter(cpu, [
    [head, 4],
    [back, high ? 8 : 4],
    [number >>> 0, 4],
  ]);
}

/** PROGRAM RETURN to a program call's caller, whose PSW is given in two halves, from the instruction before `next`. */
export function traceReturn(cpu: Cpu, asn: number, next: bigint, mask: bigint, address: bigint): bigint {
  const wasWide = isWide(cpu);
  const wide = (mask & 0x1_0000_0000n) !== 0n;
  const longBack = wide && address > 0xffff_ffffn;
  const longNext = wasWide && next > 0xffff_ffffn;
  const kind = (longBack ? 0xc : wide ? 8 : 0) | (longNext ? 3 : wasWide ? 2 : 0);
  const problem = (mask >> 48n) & 1n;
  const back = (wide ? address : address | (mask & BASIC)) | problem;
  const head = (0x32 + (longBack ? 1 : 0) + (longNext ? 1 : 0)) * 0x100_0000 + ((key(cpu) | kind) << 16) + asn;
  const from = wasWide ? next : coded(cpu, next);
  return enter(cpu, [
    [head, 4],
    [back, longBack ? 8 : 4],
    [from, longNext ? 8 : 4],
  ]);
}
