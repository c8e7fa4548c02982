/**
 * Vector floating-point instructions as millicode: the exact arithmetic of bfp.ts on one element after the other. An
 * exception whose interruption is enabled suppresses the whole instruction; the vector-exception code tells the element.
 */

import type { Cpu } from '../cpu.ts';
import type { Millicode, Operands } from '../isa/insn.ts';
import { ProgramInterruption, VECTOR_PROCESSING } from '../program.ts';
import {
  type Comparison,
  compareAndSignal,
  compare as compareQuiet,
  convertFromFixed,
  type Effects,
  EXTENDED,
  type Format,
  isNanOf,
  LONG,
  loadLengthened,
  loadRounded,
  type Outcome,
  quieted,
  SHORT,
  testDataClass,
} from './bfp.ts';
import { effectsOf, INVALID, NO_EFFECTS } from './ieee/exceptions.ts';
import { elements } from './vector.ts';

const FORMATS: Readonly<Record<number, Format>> = { 2: SHORT, 3: LONG, 4: EXTENDED };
const SINGLE = 8;

/** What exceptions are in a vector-exception code, in the order of the bits of a data-exception code from the left. */
function interruptionCode(dxc: number): number {
  return Math.clz32(dxc) - 23;
}

/** The effects of operations on elements, taken together. */
class Taken {
  flags = 0;

  /** @param index of the element */
  take<T extends Effects>(index: number, out: T): T {
    if (out.dxc) throw new ProgramInterruption(VECTOR_PROCESSING, (index << 4) | interruptionCode(out.dxc));
    this.flags |= out.flags;
    return out;
  }
}

/**
 * V1 becomes the results for the elements that count, zeros beside them.
 * @param result of an element; its width is that of the format
 */
function setElements(
  cpu: Cpu,
  { v1 }: Operands,
  { width }: Format,
  single: boolean,
  result: (index: number, taken: Taken) => bigint,
): bigint[] {
  const taken = new Taken();
  const count = single ? 1 : 128 / width;
  const results = Array.from({ length: count }, (_, n) => result(n, taken));
  cpu.fpc |= taken.flags;
  const value = results.reduce((all, one) => (all << BigInt(width)) | one, 0n);
  cpu.setVr(v1!, value << BigInt(128 - count * width));
  return results;
}
const elementsOf = (cpu: Cpu, register: number, { width }: Format): bigint[] => elements(cpu.vr(register), width);

/** A floating-point operation on two elements. */
export const binary =
  (operation: (format: Format, a: bigint, b: bigint, fpc: number) => Outcome): Millicode =>
  (cpu, o) => {
    const format = FORMATS[o.m4!]!;
    const [a, b] = [elementsOf(cpu, o.v2!, format), elementsOf(cpu, o.v3!, format)];
    const { fpc } = cpu;
    setElements(
      cpu,
      o,
      format,
      (o.m5! & SINGLE) !== 0,
      (n, taken) => taken.take(n, operation(format, a[n]!, b[n]!, fpc)).result,
    );
  };

export const unary =
  (operation: (format: Format, a: bigint, fpc: number) => Outcome): Millicode =>
  (cpu, o) => {
    const format = FORMATS[o.m3!]!;
    const a = elementsOf(cpu, o.v2!, format);
    const { fpc } = cpu;
    setElements(
      cpu,
      o,
      format,
      (o.m4! & SINGLE) !== 0,
      (n, taken) => taken.take(n, operation(format, a[n]!, fpc)).result,
    );
  };

/** The same with a rounding method, and the inexactness control where BFP instructions have it. */
export const roundedUnary =
  (operation: (format: Format, a: bigint, fpc: number, m3: number, m4: number) => Outcome): Millicode =>
  (cpu, o) =>
    unary((format, a, fpc) => operation(format, a, fpc, o.m5!, o.m4!))(cpu, o);

/** @param negative the sign of the result is inverted, unless it is a NaN */
export const fused =
  (
    operation: (format: Format, a: bigint, b: bigint, c: bigint, fpc: number) => Outcome,
    negative: boolean,
  ): Millicode =>
  (cpu, o) => {
    const format = FORMATS[o.m6!]!;
    const [a, b, c] = [o.v2!, o.v3!, o.v4!].map(register => elementsOf(cpu, register, format));
    const { fpc } = cpu;
    setElements(cpu, o, format, (o.m5! & SINGLE) !== 0, (n, taken) => {
      const { result } = taken.take(n, operation(format, a![n]!, b![n]!, c![n]!, fpc));
      return negative && !isNanOf(format, result) ? result ^ format.sign : result;
    });
  };

/** Condition code of an instruction that selects elements: 0 all, 1 some, 3 none. */
function selectionCode(results: readonly bigint[]): number {
  if (results.every(result => result !== 0n)) return 0;
  return results.some(result => result !== 0n) ? 1 : 3;
}

/** Ones where the condition code of a comparison is one of those given. */
export const compare =
  (codes: readonly number[]): Millicode =>
  (cpu, o) => {
    const format = FORMATS[o.m4!]!;
    const [a, b] = [elementsOf(cpu, o.v2!, format), elementsOf(cpu, o.v3!, format)];
    const { fpc } = cpu;
    const operation = o.m5! & 4 ? compareAndSignal : compareQuiet;
    const { m6 } = o;
    const results = setElements(cpu, o, format, (o.m5! & SINGLE) !== 0, (n, taken) =>
      codes.includes(taken.take(n, operation(format, a[n]!, b[n]!, fpc)).cc) ? ones(format) : 0n,
    );
    if (m6! & 1) cpu.cc = selectionCode(results);
  };
const ones = ({ width }: Format): bigint => (1n << BigInt(width)) - 1n;

export const compareScalar =
  (operation: (format: Format, a: bigint, b: bigint, fpc: number) => Comparison): Millicode =>
  (cpu, { v1, v2, m3 }) => {
    const format = FORMATS[m3!]!;
    const [a] = elementsOf(cpu, v1!, format);
    const [b] = elementsOf(cpu, v2!, format);
    const taken = new Taken();
    const { cc } = taken.take(0, operation(format, a!, b!, cpu.fpc));
    cpu.fpc |= taken.flags;
    cpu.cc = cc;
  };

/** From integers as long as the format. */
export const fromInteger =
  (signed: boolean): Millicode =>
  (cpu, o) =>
    unary((format, a, fpc) => convertFromFixed(format, signed ? BigInt.asIntN(format.width, a) : a, fpc, o.m5!, o.m4!))(
      cpu,
      o,
    );

/** To integers as long as the format. */
export const toInteger =
  (operation: (format: Format, width: number, a: bigint, fpc: number, m3: number, m4: number) => Outcome): Millicode =>
  (cpu, o) =>
    unary((format, a, fpc) => {
      const out = operation(format, format.width, a, fpc, o.m5!, o.m4!);
      return { ...out, result: BigInt.asUintN(format.width, out.result) };
    })(cpu, o);

/** LOAD LENGTHENED, to the format behind that in M3: the source has every other element. */
export const lengthen: Millicode = (cpu, o) => {
  const [from, to] = [FORMATS[o.m3!]!, FORMATS[o.m3! + 1]!];
  const a = elementsOf(cpu, o.v2!, from);
  const { fpc } = cpu;
  setElements(
    cpu,
    o,
    to,
    (o.m4! & SINGLE) !== 0,
    (n, taken) => taken.take(2 * n, loadLengthened(from, to, a[2 * n]!, fpc)).result,
  );
};

/** LOAD ROUNDED, to the format before that in M3: the result has every other element. */
export const round: Millicode = (cpu, o) => {
  const [from, to] = [FORMATS[o.m3!]!, FORMATS[o.m3! - 1]!];
  const a = elementsOf(cpu, o.v2!, from);
  const { fpc } = cpu;
  const { m4, m5 } = o;
  setElements(cpu, o, from, (m4! & SINGLE) !== 0, (n, taken) => {
    const { result } = taken.take(n, loadRounded(from, to, a[n]!, fpc, m5!, m4!));
    return result << BigInt(from.width - to.width);
  });
};

/** TEST DATA CLASS IMMEDIATE. */
export const testClass: Millicode = (cpu, o) => {
  const format = FORMATS[o.m4!]!;
  const a = elementsOf(cpu, o.v2!, format);
  const { i3 } = o;
  const results = setElements(cpu, o, format, (o.m5! & SINGLE) !== 0, n =>
    testDataClass(format, a[n]!, i3!) ? ones(format) : 0n,
  );
  cpu.cc = selectionCode(results);
};

// MAXIMUM, MINIMUM: ways to deal with zeros and NaNs, in M6

const IEEE = 0;
const JAVA = 1;
const C_MACRO = 2;
const CPLUSPLUS = 3;
const ABSOLUTE = 8;

/** The one of two elements that an instruction takes. */
function extremeOf(format: Format, method: number, greater: boolean, x: bigint, y: bigint, fpc: number): Outcome {
  const magnitude = (value: bigint): bigint => value & ~format.sign;
  const way = method & 7;
  const isAbsolute = (method & ABSOLUTE) !== 0;
  // The IEEE method compares absolute values, and gives what was compared.
  const [a, b] = isAbsolute && way !== IEEE ? [magnitude(x), magnitude(y)] : [x, y];
  const nans = [a, b].filter(value => isNanOf(format, value));
  const signaling = nans.find(value => quieted(format, value) !== value);
  const outcome = (result: bigint, raised = signaling === undefined ? 0 : INVALID): Outcome => ({
    result,
    ...(raised ? effectsOf(fpc, raised, false) : NO_EFFECTS),
  });
  if (nans.length) {
    if (way === C_MACRO) return outcome(b, INVALID);
    if (way === CPLUSPLUS) return outcome(a, INVALID);
    if (way === JAVA || (way === IEEE && (signaling !== undefined || nans.length === 2))) {
      return outcome(quieted(format, signaling ?? nans[0]!));
    }
    return outcome(isNanOf(format, b) ? a : b);
  }
  const areZeros = magnitude(a) === 0n && magnitude(b) === 0n;
  if (areZeros && way === C_MACRO) return outcome(b);
  if (areZeros && way === CPLUSPLUS) return outcome(a);
  // As signed integers, minus zero below plus zero.
  const signed = (value: bigint): bigint => (value & format.sign ? ~magnitude(value) : value);
  const order = (p: bigint, q: bigint): number => (p === q ? 0 : p < q ? -1 : 1);
  const byMagnitude = isAbsolute && way === IEEE ? order(magnitude(a), magnitude(b)) : 0;
  const sign = byMagnitude || order(signed(a), signed(b));
  return outcome(sign === 0 || sign > 0 === greater ? a : b);
}

export const extreme =
  (which: 'greater' | 'less'): Millicode =>
  (cpu, o) => {
    const { m6 } = o;
    binary((format, a, b, fpc) => extremeOf(format, m6!, which === 'greater', a, b, fpc))(cpu, o);
  };
