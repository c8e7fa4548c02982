/** Known disagreements with qemu-system-s390x 7.2 in floating-point instructions, in the manner of disagreements.ts. */

import * as state from '../../src/cpu/state.ts';
import type { Disagreement, EndingDisagreement } from './disagreements.ts';
import { effectiveAddress, type Step } from './vet.ts';

type Letter = 'E' | 'D' | 'X';
/** Patterns of infinity and of the first quiet NaN, of the leftmost 64 bits of an operand. */
const PATTERNS: Readonly<Record<Letter, readonly [infinity: bigint, quiet: bigint]>> = {
  E: [0x7f80n << 48n, 0x7fc0n << 48n],
  D: [0x7ff0n << 48n, 0x7ff8n << 48n],
  X: [0x7fffn << 48n, 0x7fff_8n << 44n],
};

/** The leftmost 64 bits of an operand without its sign; bits to their right count as the last of them. */
function magnitude({ lpar: { cpu } }: Step, register: number, letter: Letter): bigint {
  const bits = cpu.fpr(register) & 0x7fff_ffff_ffff_ffffn;
  if (letter === 'E') return bits & ~0xffff_ffffn;
  return letter === 'X' && cpu.fpr((register + 2) & 15) ? bits | 1n : bits;
}
const isNan = (step: Step, register: number, letter: Letter): boolean =>
  magnitude(step, register, letter) > PATTERNS[letter][0];
const isSignaling = (step: Step, register: number, letter: Letter): boolean =>
  isNan(step, register, letter) && magnitude(step, register, letter) < PATTERNS[letter][1];

const CONVERSION = /^CL?[FG]([EDX])BRA?$/;
const letterOf = ({ row }: Step, pattern: RegExp): Letter => pattern.exec(row.mnemonic)![1] as Letter;

/** The second operand in storage is a NaN. */
function isNanInStorage({ lpar, operands }: Step, letter: Letter): boolean {
  try {
    const bits = lpar.cpu.access.readBytes(effectiveAddress(lpar, operands, 2), letter === 'E' ? 4 : 8, operands.b2!);
    const value = bits.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n) << (letter === 'E' ? 32n : 0n);
    return (value & 0x7fff_ffff_ffff_ffffn) > PATTERNS[letter][0];
  } catch {
    return false;
  }
}

/** At least one of the operands is a NaN. */
function hasNan(step: Step, letter: Letter): boolean {
  const { f1, f2, f3 } = step.operands;
  if (f2 === undefined && isNanInStorage(step, letter)) return true;
  return [f1, f2, f3].some(f => f !== undefined && isNan(step, f, letter));
}

/** At least one of the operands in registers, or that in storage, is a NaN of the length that the mnemonic tells. */
export const hasNanOf = (step: Step): boolean => hasNan(step, letterOf(step, /^(?:M[XD]|DI)([ED])/));

export const floating: readonly Disagreement[] = [
  {
    mnemonics: /^DI[ED]BR$/,
    reason: 'the peer does not have the instruction',
  },
  {
    mnemonics: /^(MXDBR?|MDEBR?)$/,
    reason: 'the peer takes the first operand for one of twice the length: lpar is right',
  },
  {
    mnemonics: /^L[DE]XBRA$/,
    when: ({ operands }) => (operands.f1! & 2) !== 0,
    reason: 'the peer does not check the first operand: lpar is right, a trapped result is a pair',
  },
  {
    mnemonics: /^LT[EDX]BR$/,
    when: step => isSignaling(step, step.operands.f2!, letterOf(step, /^LT([EDX])/)),
    reason: 'the peer takes no notice of signaling NaNs: lpar is right, invalid operation (PoP ch. 19, LOAD AND TEST)',
  },
  {
    mnemonics: /^M[AS][ED]BR?$/,
    when: step => hasNan(step, letterOf(step, /^M[AS]([ED])/)),
    reason: 'the peer propagates another NaN: lpar is right, the third operand comes first',
  },
  {
    mnemonics: /^[CK][EDX]BR?$/,
    when: step => step.test.items.length > 1 && hasNan(step, letterOf(step, /^.([EDX])/)),
    reason: 'the peer leaves a comparison out when its condition code is not used: lpar is right, a NaN may be invalid',
  },
  {
    mnemonics: CONVERSION,
    when: step => isNan(step, step.operands.f2!, letterOf(step, CONVERSION)),
    reason: 'the peer does not report a NaN as inexact, too: lpar is right',
  },
  {
    mnemonics: /^LXR$/,
    when: ({ lpar, operands }) => (lpar.cpu.cr(0) & 0x40000n) === 0n && (operands.f2! & 9) !== 0,
    reason: 'the peer reads additional registers without the AFP-register control: lpar is right, data exception',
  },
  {
    mnemonics: /^SFASR$/,
    when: ({ lpar, operands }) => lpar.cpu.gr(operands.r1!) >> 32n !== 0n,
    reason: 'the peer looks at bits 0-31 of the operand: lpar is right',
  },
];

/** Data-exception codes of IEEE exceptions that complete the operation: overflow, underflow, inexact. */
const COMPLETING = new Set([0x08, 0x0c, 0x10, 0x18, 0x1c, 0x20, 0x28, 0x2c]);

/** Elements of a vector register as the leftmost 64 bits that PATTERNS has. */
function elementsOf({ lpar: { cpu } }: Step, register: number, letter: Letter): bigint[] {
  const halves = [8, 0].map(at => cpu.field64(state.VR + 16 * register + at));
  if (letter === 'X') return [halves[0]! | (halves[1] ? 1n : 0n)];
  return letter === 'D'
    ? halves
    : halves.flatMap(half => [half & ~0xffff_ffffn, (half << 32n) & 0xffff_ffff_ffff_ffffn]);
}

const FORMATS: Readonly<Record<number, Letter>> = { 2: 'E', 3: 'D', 4: 'X' };
/** A source element is a NaN. */
function hasNanElement(step: Step, register: number, format: number): boolean {
  const letter = FORMATS[format];
  return (
    letter !== undefined &&
    elementsOf(step, register, letter).some(bits => (bits & 0x7fff_ffff_ffff_ffffn) > PATTERNS[letter][0])
  );
}

export const vectors: readonly Disagreement[] = [
  {
    mnemonics: /^VCKSM$/,
    reason: 'the peer adds a word twice where the host has no register to spare: lpar is right',
  },
  {
    mnemonics: /^(VCDL?G|VCL?GD|VFI|VFLR)$/,
    when: ({ operands }) => (operands.m4! & 4) !== 0,
    reason: 'the peer reports inexact results that are suppressed: lpar is right',
  },
  {
    mnemonics: /^VCL?GD$/,
    when: step => hasNanElement(step, step.operands.v2!, step.operands.m3!),
    reason: 'the peer does not report a NaN as inexact, too: lpar is right',
  },
  {
    mnemonics: /^VFN?M[AS]$/,
    when: step =>
      [step.operands.v2!, step.operands.v3!, step.operands.v4!].some(v => hasNanElement(step, v, step.operands.m6!)),
    reason: 'the peer propagates another NaN: lpar is right, the second operand comes first',
  },
  {
    mnemonics: /^VFNM[AS]$/,
    when: ({ lpar: { cpu } }) => (cpu.fpc & 7) !== 0,
    reason: 'the peer inverts the sign before it rounds: lpar is right, that of the result is inverted',
  },
  {
    mnemonics: /^(VFTCI|VFPSO|VFL[LR])$/,
    when: ({ operands: { m3, m4, m5 }, row }) =>
      ((row.mnemonic === 'VFTCI' ? m5! : m4!) & 8) !== 0 || (row.mnemonic === 'VFLR' && m3 === 4),
    reason: 'what is beside a single element is not defined',
  },
  {
    mnemonics: /^VSTRS$/,
    when: ({ lpar: { cpu }, operands: { v4, m5 } }) => {
      const length = Number(cpu.field64(state.VR + 16 * v4! + 8) & 0xffn);
      return length > 16 || length % (1 << m5!) !== 0;
    },
    reason: 'strings longer than a register, or not of whole elements: what comes of them is not defined',
  },
  {
    mnemonics: /^VF(MAX|MIN)$/,
    when: ({ operands: { m5, m6 } }) => m6! > 12 || (m5! & 7) !== 0,
    reason: 'the peer does not check masks: lpar is right, specification exception',
  },
];

export const floatingEndings: readonly EndingDisagreement[] = [
  {
    when: ({ lpar }, code) => code === 7 && COMPLETING.has(lpar.storage.read8(0x93)),
    reason:
      'the peer does not complete instructions with IEEE exceptions, and does not tell incremented from truncated: lpar is right',
  },
  {
    when: (_, code) => code === 0x1b,
    reason:
      'after a vector-processing exception the peer does not go on behind the instruction, and it does not find exact results too small: lpar is right',
  },
  {
    when: ({ lpar, row }, code) => code === 7 && lpar.storage.read8(0x93) === 0x80 && CONVERSION.test(row.mnemonic),
    reason: 'the peer reports invalid conversions as inexact, too: lpar is right (PoP ch. 6, "Data-Exception Code")',
  },
];
