/** Operands whose address is in a register and whose length may be in the next one, as millicode sees them. */

import type { Cpu } from '../cpu.ts';
import { ProgramInterruption, SPECIFICATION } from '../program.ts';
import { PSW_EA } from '../registers.ts';

/** Units processed before an instruction ends with condition code 3. */
export const UNITS = 4096;

/** @throws ProgramInterruption specification exception unless the condition holds */
export const specify = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(SPECIFICATION);
};

/** A register that holds an address or a count: bits 0-31 are no part of it in the 24-bit and 31-bit modes. */
export function setAddress(cpu: Cpu, register: number, value: bigint): void {
  if (cpu.pswMask & PSW_EA) cpu.setGr(register, value);
  else cpu.setGr32(register, Number(value & 0xffff_ffffn));
}

/** As `setAddress`, leaving bits 32-39 alone too in the 24-bit mode (TRT, EDMK). */
export function insertAddress(cpu: Cpu, register: number, value: bigint): void {
  const narrow = cpu.addressMask === 0xff_ffffn;
  setAddress(cpu, register, narrow ? (cpu.gr(register) & 0xff00_0000n) | value : value);
}

export class RegisterOperand {
  readonly cpu: Cpu;
  readonly register: number;
  address: bigint;
  /** Bytes. */
  length: bigint;

  constructor(cpu: Cpu, register: number) {
    this.cpu = cpu;
    this.register = register;
    this.address = cpu.gr(register) & cpu.addressMask;
    const length = cpu.gr((register + 1) % 16);
    this.length = cpu.pswMask & PSW_EA ? length : length & 0xffff_ffffn;
  }

  /** A unit of 1, 2 or 4 bytes at an offset. */
  read(size: number, offset = 0): number {
    const { access } = this.cpu;
    const at = (this.address + BigInt(offset)) & this.cpu.addressMask;
    if (size === 1) return access.read8(at, this.register);
    return size === 2 ? access.read16(at, this.register) : access.read32(at, this.register);
  }

  write(size: number, value: number): void {
    const { access } = this.cpu;
    if (size === 1) access.write8(this.address, value, this.register);
    else if (size === 2) access.write16(this.address, value, this.register);
    else access.write32(this.address, value, this.register);
  }

  /** Leaves `size` bytes behind; negative: to the left. */
  advance(size: number): void {
    this.address = (this.address + BigInt(size)) & this.cpu.addressMask;
    this.length -= BigInt(Math.abs(size));
  }

  saveAddress(): void {
    setAddress(this.cpu, this.register, this.address);
  }
  save(): void {
    this.saveAddress();
    setAddress(this.cpu, this.register + 1, this.length);
  }
}

/**
 * Repeats a unit of operation until it gives a condition code, or 3 when it has been done often enough. What has been
 * done is saved also when an exception ends the instruction: the unit in which it occurs is nullified.
 */
export function repeat(cpu: Cpu, unit: () => number | undefined, save: () => void): void {
  try {
    for (let n = 0; n < UNITS; n++) {
      const cc = unit();
      if (cc !== undefined) {
        cpu.cc = cc;
        return;
      }
    }
    cpu.cc = 3;
  } finally {
    save();
  }
}
