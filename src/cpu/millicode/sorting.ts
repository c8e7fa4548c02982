/** Instructions for sorting by codewords (PoP ch. 7): COMPARE AND FORM CODEWORD, UPDATE TREE. */

import type { Cpu } from '../cpu.ts';
import type { Millicode } from '../isa/insn.ts';
import { PSW_EA } from '../registers.ts';
import { operandAddress } from './operands.ts';
import { setAddress, specify } from './pairs.ts';

const isWide = (cpu: Cpu): boolean => (cpu.pswMask & PSW_EA) !== 0n;
/** A register as a number of the size that the addressing mode demands. */
const value = (cpu: Cpu, register: number): bigint =>
  isWide(cpu) ? cpu.gr(register) : cpu.gr(register) & 0xffff_ffffn;

/** Operands are compared in pieces of two bytes, or six in the 64-bit mode, from the index in general register 2. */
export const compareAndFormCodeword: Millicode = (cpu, operands) => {
  const size = isWide(cpu) ? 6 : 2;
  const parameter = operandAddress(cpu, operands);
  const limit = parameter & 0x7ffen;
  const descending = (parameter & 1n) !== 0n;
  specify(((cpu.gr(1) | cpu.gr(2) | cpu.gr(3)) & 1n) === 0n);
  const piece = (register: number, index: bigint): bigint =>
    cpu.access
      .readBytes((cpu.gr(register) + index) & cpu.addressMask, size, 1)
      .reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  for (;;) {
    const index = cpu.gr(2) & 0xffffn;
    if (index > limit) {
      setAddress(cpu, 2, value(cpu, 3) | (isWide(cpu) ? 1n << 63n : 1n << 31n));
      cpu.cc = 0;
      return;
    }
    const first = piece(1, index);
    const third = piece(3, index);
    setAddress(cpu, 2, BigInt.asUintN(64, cpu.gr(2) + BigInt(size)));
    if (first === third) continue;
    // The complement of the higher operand sorts upwards, the lower one downwards.
    const [low, high] = first < third ? [first, third] : [third, first];
    const bits = 8 * size;
    const data = descending ? low : BigInt.asUintN(bits, ~high);
    setAddress(cpu, 2, BigInt.asUintN(64, (cpu.gr(2) << BigInt(bits)) | data));
    cpu.cc = first < third === descending ? 2 : 1;
    if (cpu.cc === 1) return;
    const swapped = value(cpu, 1);
    setAddress(cpu, 1, value(cpu, 3));
    setAddress(cpu, 3, swapped);
    return;
  }
};

/**
 * From the node at general register 4 plus the index in 5 to the root: whatever node has a higher codeword than general
 * registers 0 and 1 changes places with them.
 */
export const updateTree: Millicode = cpu => {
  const size = isWide(cpu) ? 8 : 4;
  const nodeMask = BigInt(2 * size - 1);
  const sign = isWide(cpu) ? 1n << 63n : 1n << 31n;
  const base = value(cpu, 4);
  specify(((base | value(cpu, 5)) & nodeMask) === 0n);
  const { access, addressMask } = cpu;
  const read = (at: bigint): bigint =>
    size === 8 ? access.read64(at & addressMask, 4) : BigInt(access.read32(at & addressMask, 4));
  const write = (at: bigint, register: number): void =>
    size === 8
      ? access.write64(at & addressMask, cpu.gr(register), 4)
      : access.write32(at & addressMask, cpu.gr32(register), 4);
  for (;;) {
    const index = (value(cpu, 5) >> 1n) & ~nodeMask;
    const end = index === 0n || (value(cpu, 0) & sign) !== 0n;
    if (end) {
      setAddress(cpu, 5, index);
      cpu.cc = index === 0n ? 1 : 3;
      return;
    }
    const node = base + index;
    const codeword = read(node);
    const data = read(node + BigInt(size));
    const own = value(cpu, 0);
    if (codeword > own) {
      access.probe(node & addressMask, 2 * size, 4, true);
      write(node, 0);
      write(node + BigInt(size), 1);
      setAddress(cpu, 0, codeword);
      setAddress(cpu, 1, data);
    }
    setAddress(cpu, 5, index);
    if (codeword !== own) continue;
    setAddress(cpu, 2, codeword);
    setAddress(cpu, 3, data);
    cpu.cc = 0;
    return;
  }
};
