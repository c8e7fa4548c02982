/**
 * Binary-floating-point instructions as millicode: the exact arithmetic of bfp.ts between the registers. This is what
 * instructions do whose operands or results are special, and all of those on extended operands.
 *
 * A second operand from storage has been fetched into the work area of the CPU; formats with a field f2 have it in a
 * register.
 */

import type { Cpu } from '../cpu.ts';
import type { Millicode, Operands } from '../isa/insn.ts';
import { DATA, ProgramInterruption, SPECIFICATION } from '../program.ts';
import * as state from '../state.ts';
import {
  type CodedOutcome,
  type Comparison,
  convertFromFixed,
  divideToInteger,
  type Effects,
  type Format,
  isRoundingField,
  LONG,
  loadRounded,
  type Outcome,
  SHORT,
} from './bfp.ts';

function register(cpu: Cpu, format: Format, number: number): bigint {
  const bits = cpu.fpr(number);
  if (format === LONG) return bits;
  return format === SHORT ? bits >> 32n : (bits << 64n) | cpu.fpr(number + 2);
}

function setRegister(cpu: Cpu, format: Format, number: number, bits: bigint): void {
  if (format === LONG) cpu.setFpr(number, bits);
  else if (format === SHORT) cpu.setFpr(number, (bits << 32n) | (cpu.fpr(number) & 0xffff_ffffn));
  else {
    cpu.setFpr(number, bits >> 64n);
    cpu.setFpr(number + 2, bits & 0xffff_ffff_ffff_ffffn);
  }
}

function second(cpu: Cpu, format: Format, { f2 }: Operands): bigint {
  if (f2 !== undefined) return register(cpu, format, f2);
  return format === SHORT ? BigInt(cpu.field32(state.SCRATCH)) : cpu.field64(state.SCRATCH);
}

/** Ends an instruction: the exceptions it recognised, and its result unless one of them suppresses it. */
function finish(cpu: Cpu, { suppressed, dxc, flags }: Effects, write: () => void): void {
  if (suppressed) throw new ProgramInterruption(DATA, dxc);
  cpu.fpc |= flags;
  write();
  if (dxc) throw new ProgramInterruption(DATA, dxc, true);
}

type Binary = (format: Format, a: bigint, b: bigint, fpc: number) => Outcome & { readonly cc?: number };

/** F1 becomes the result of an operation on it and the second operand. */
export const binary =
  (format: Format, operation: Binary): Millicode =>
  (cpu, o) => {
    const out = operation(format, register(cpu, format, o.f1!), second(cpu, format, o), cpu.fpc);
    finish(cpu, out, () => {
      setRegister(cpu, format, o.f1!, out.result);
      if (out.cc !== undefined) cpu.cc = out.cc;
    });
  };

/** As `binary`, with operands in one format and the result in another. */
export const lengthening =
  (
    from: Format,
    to: Format,
    operation: (from: Format, to: Format, a: bigint, b: bigint, fpc: number) => Outcome,
  ): Millicode =>
  (cpu, o) => {
    const out = operation(from, to, register(cpu, from, o.f1!), second(cpu, from, o), cpu.fpc);
    finish(cpu, out, () => setRegister(cpu, to, o.f1!, out.result));
  };

type Unary = (format: Format, a: bigint, fpc: number, m3?: number, m4?: number) => Outcome & { readonly cc?: number };

/** F1 becomes the result of an operation on the second operand. */
export const unary =
  (from: Format, operation: Unary, to = from): Millicode =>
  (cpu, o) => {
    const out = operation(from, second(cpu, from, o), cpu.fpc, o.m3, o.m4);
    finish(cpu, out, () => {
      setRegister(cpu, to, o.f1!, out.result);
      if (out.cc !== undefined) cpu.cc = out.cc;
    });
  };

/** F1 becomes F3 × the second operand ± F1. */
export const fused =
  (format: Format, operation: (format: Format, a: bigint, b: bigint, c: bigint, fpc: number) => Outcome): Millicode =>
  (cpu, o) => {
    const [a, c] = [register(cpu, format, o.f3!), register(cpu, format, o.f1!)];
    const out = operation(format, a, second(cpu, format, o), c, cpu.fpc);
    finish(cpu, out, () => setRegister(cpu, format, o.f1!, out.result));
  };

/** COMPARE, COMPARE AND SIGNAL. */
export const comparison =
  (format: Format, operation: (format: Format, a: bigint, b: bigint, fpc: number) => Comparison): Millicode =>
  (cpu, o) => {
    const out = operation(format, register(cpu, format, o.f1!), second(cpu, format, o), cpu.fpc);
    finish(cpu, out, () => {
      cpu.cc = out.cc;
    });
  };

/** LOAD ROUNDED. */
export const rounded =
  (from: Format, to: Format): Millicode =>
  (cpu, o) => {
    const out = loadRounded(from, to, register(cpu, from, o.f2!), cpu.fpc, o.m3, o.m4);
    finish(cpu, out, () => setRegister(cpu, out.format, o.f1!, out.result));
  };

/** CONVERT FROM FIXED, CONVERT FROM LOGICAL: the integer is in general register R2. */
export const fromInteger =
  (format: Format, width: 32 | 64, signed: boolean): Millicode =>
  (cpu, o) => {
    const source = width === 32 ? BigInt(cpu.gr32(o.r2!)) : cpu.gr(o.r2!);
    const out = convertFromFixed(format, signed ? BigInt.asIntN(width, source) : source, cpu.fpc, o.m3, o.m4);
    finish(cpu, out, () => setRegister(cpu, format, o.f1!, out.result));
  };

/** CONVERT TO FIXED, CONVERT TO LOGICAL: the integer goes to general register R1. */
export const toInteger =
  (
    format: Format,
    width: 32 | 64,
    operation: (format: Format, width: number, a: bigint, fpc: number, m3?: number, m4?: number) => CodedOutcome,
  ): Millicode =>
  (cpu, o) => {
    const out = operation(format, width, register(cpu, format, o.f2!), cpu.fpc, o.m3, o.m4);
    finish(cpu, out, () => {
      if (width === 64) cpu.setGr(o.r1!, BigInt.asUintN(64, out.result));
      else cpu.setGr32(o.r1!, Number(BigInt.asUintN(32, out.result)));
      cpu.cc = out.cc;
    });
  };

/** DIVIDE TO INTEGER: the remainder goes to F1, the quotient to F3. */
export const divisionToInteger =
  (format: Format): Millicode =>
  (cpu, o) => {
    const { f1, f2, f3, m4 } = o as Record<'f1' | 'f2' | 'f3' | 'm4', number>;
    if (f1 === f2 || f1 === f3 || f2 === f3 || !isRoundingField(m4)) throw new ProgramInterruption(SPECIFICATION);
    const out = divideToInteger(format, register(cpu, format, f1), register(cpu, format, f2), cpu.fpc, m4);
    finish(cpu, out, () => {
      setRegister(cpu, format, f1, out.remainder);
      setRegister(cpu, format, f3, out.quotient);
      cpu.cc = out.cc;
    });
  };
