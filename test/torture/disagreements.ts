/**
 * Known disagreements with qemu-system-s390x 7.2: what it does otherwise than the Principles of Operation demand, or
 * where those leave the result open. Cases are cleared of such instructions before they run.
 */

import { PSW_BA, PSW_DAT, PSW_EA } from '../../src/cpu/registers.ts';
import { floating, floatingEndings } from './floating.ts';
import { isString } from './generate.ts';
import * as layout from './layout.ts';
import { WINDOW, WINDOW_SIZE } from './layout.ts';
import { effectiveAddress, type Step } from './vet.ts';

export interface Disagreement {
  readonly mnemonics: RegExp;
  /** Only under these circumstances. */
  readonly when?: (step: Step) => boolean;
  /** Who is right, and why. */
  readonly reason: string;
}

const mask = ({ lpar }: Step): bigint => lpar.cpu.pswMask;
/** PSW bits 16-17: 2 is the secondary space. */
const space = (step: Step): number => Number(mask(step) >> 46n) & 3;
const isNarrow = (step: Step): boolean => (mask(step) & PSW_EA) === 0n;
/** Condition code 3 - cc selects a bit of the mask. */
const isSelected = ({ lpar, operands }: Step): boolean => ((operands.m3! >> (3 - lpar.cpu.cc)) & 1) === 1;
const addressMask = (step: Step): bigint => (mask(step) & PSW_BA ? 0x7fff_ffffn : 0xff_ffffn);
/** Where a branch leads to. */
const branchTarget = ({ address, operands, lpar }: Step): number =>
  'h2' in operands || 'h4' in operands
    ? address + 2 * (operands.h2 ?? operands.h4)!
    : Number(
        'b2' in operands || 'b4' in operands
          ? effectiveAddress(lpar, operands, 'b4' in operands ? 4 : 2)
          : lpar.cpu.gr(operands.r2!) & lpar.cpu.addressMask,
      );
/** Registers of an instruction on strings that hold addresses, as they are. */
const pointers = ({ lpar, operands }: Step): bigint[] =>
  ['r1', 'r2', 'r3'].filter(name => name in operands).map(name => lpar.cpu.gr(operands[name]!));

const lengths = ({ lpar, operands }: Step): number[] =>
  ['r1', 'r2', 'r3'].filter(name => name in operands).map(name => lpar.cpu.gr32((operands[name]! + 1) & 15));
/** Absolute storage that belongs to the harness. */
const isForeign = (address: bigint): boolean =>
  address < layout.UNUSED || (address >= layout.TABLES - 256 && address < layout.STORAGE_SIZE);

const disagreements: readonly Disagreement[] = [
  ...floating,
  {
    mnemonics:
      /^(AP|SP|ZAP|CP|MP|DP|SRP|ED|EDMK|CVB|CVBY|CVBG|CVDG|TAR|CUSE|TRTE|TRTRE|PLO|LMD|BSM|BASSM|CPYA|IRBM|EPAIR|ESAIR|EPAR|ESAR|IAC|LCBB)$/,
    reason: 'the peer does not have the instruction',
  },
  {
    mnemonics: /^(LA|LAY|LARL|LAE|LAEY)$/,
    when: isNarrow,
    reason: 'the peer changes bits 0-31 in the 24-bit or 31-bit mode: lpar is right (PoP ch. 7, LOAD ADDRESS)',
  },
  {
    mnemonics: /^LAEY?$/,
    when: step => space(step) === 2 && (mask(step) & PSW_DAT) !== 0n,
    reason:
      'the peer takes the secondary-space for the access-register mode: lpar is right (PoP ch. 7, LOAD ADDRESS EXTENDED)',
  },
  {
    mnemonics: /^(?!BRCL|BRASL|LARL|EXRL).*RL$/,
    when: step => space(step) === 2 && (mask(step) & PSW_DAT) !== 0n,
    reason:
      'the peer takes relative operands from the secondary space: lpar is right, they are in the instruction space',
  },
  {
    mnemonics: /^(?!BRCL|BRASL|LARL|EXRL|.*H.*RL).*RL$/,
    when: step =>
      ((step.address + 2 * step.operands.h2!) &
        (step.row.mnemonic.includes('G') && !step.row.mnemonic.includes('F') ? 7 : 3)) !==
      0,
    reason: 'the peer takes relative operands that are not aligned: lpar is right, specification exception',
  },
  {
    mnemonics: /^STMH$/,
    reason: 'the peer stores zeros: lpar is right',
  },
  {
    mnemonics: /^(RNSBG|ROSBG|RXSBG)$/,
    when: ({ operands }) => (operands.i3! & 0x80) !== 0,
    reason: 'the peer aborts where only the condition code is wanted',
  },
  {
    mnemonics: /^PKA|^PKU/,
    reason: 'the peer leaves out the leftmost digit: lpar is right',
  },
  {
    mnemonics: /^(LOC|STOC)/,
    when: step => 'b2' in step.operands && !isSelected(step),
    reason: 'access exceptions may be recognised when nothing is loaded or stored: both are right',
  },
  {
    mnemonics: /^(CDS|CDSY|CDSG)$/,
    when: ({ operands }) => ((operands.r1! | operands.r3!) & 1) !== 0,
    reason: 'the peer takes odd operands: lpar is right, specification exception',
  },
  {
    mnemonics: /^(MVCLU|CLCLU)$/,
    when: ({ operands, lpar }) =>
      ((lpar.cpu.gr32((operands.r1! + 1) & 15) | lpar.cpu.gr32((operands.r3! + 1) & 15)) & 1) !== 0,
    reason: 'the peer takes an odd length: lpar is right, specification exception',
  },
  {
    mnemonics: /^(B(?!PP|PRP)|C[LG]*[IR][BJ]$)/,
    when: step => branchTarget(step) === step.address + step.row.format.length,
    reason: 'to the peer a branch to the next instruction is a breaking event even if it is not taken: lpar is right',
  },
  {
    mnemonics: /^EPSW$/,
    reason: 'the peer gives an old condition code: lpar is right',
  },
  {
    mnemonics: /^LPDG?$/,
    when: ({ lpar, operands, row }) =>
      ([1, 2] as const).some(n => Number(effectiveAddress(lpar, operands, n)) % (row.mnemonic === 'LPD' ? 4 : 8) !== 0),
    reason: 'the peer recognises an access exception before a specification exception: lpar is right',
  },
  {
    mnemonics: /./,
    when: step =>
      isNarrow(step) &&
      isString(step) &&
      (pointers(step).some(value => value > addressMask(step)) || lengths(step).some(value => value > 0x7fff_ffff)),
    reason: 'the peer does otherwise with the bits to the left of addresses: lpar is right',
  },
  {
    mnemonics: /./,
    when: step =>
      isNarrow(step) &&
      ([1, 2, 4] as const).some(
        n => `b${n}` in step.operands && effectiveAddress(step.lpar, step.operands, n) + 256n > addressMask(step),
      ),
    reason: 'the peer does not wrap within operands in the 24-bit and 31-bit modes: lpar is right',
  },
  {
    mnemonics: /./,
    when: step =>
      (mask(step) & PSW_DAT) === 0n &&
      ([1, 2, 4] as const).some(
        n => `b${n}` in step.operands && isForeign(effectiveAddress(step.lpar, step.operands, n)),
      ),
    reason: 'storage that is not set up alike, or not for each case',
  },
  {
    mnemonics: /./,
    when: step => isString(step) && step.operands.r1 === step.operands.r2,
    reason: 'the operands are in the same registers: open',
  },
  {
    mnemonics: /^TR[OT][OT]$/,
    when: ({ lpar, operands }) => (operands.r1! & 1) !== 0 || lpar.cpu.gr((operands.r1! + 1) & 15) === 0n,
    reason: 'the peer takes an odd register, and translates one character where the length is zero: lpar is right',
  },
  {
    mnemonics: /^(CLST|SRST|SRSTU|MVST)$/,
    when: ({ lpar, row }) => lpar.cpu.gr32(0) > (row.mnemonic === 'SRSTU' ? 0xffff : 0xff),
    reason: 'the peer does not check general register 0: lpar is right, specification exception',
  },
  {
    mnemonics: /^STOCFH$/,
    reason: 'the peer loses the condition code, or breaks down: lpar is right',
  },
  {
    mnemonics: /^(UNPKA|UNPKU|PKA|PKU)$/,
    when: ({ lpar, operands }) => {
      const distance = effectiveAddress(lpar, operands, 1) - effectiveAddress(lpar, operands, 2);
      return distance > -64n && distance < 64n;
    },
    reason: 'the operands overlap: open',
  },
  {
    mnemonics: /^(TR|STOC|STOCG)$/,
    when: ({ address, test }) => address !== WINDOW + test.start,
    reason: 'the peer loses the condition code: lpar is right',
  },
  {
    mnemonics: /^UNPK$/,
    when: ({ operands }) => operands.l1! >= 2 * operands.l2! - 1,
    reason: 'the peer leaves out the leftmost digit: lpar is right',
  },
  {
    mnemonics: /^CSST$/,
    when: ({ lpar }) => (lpar.cpu.gr32(0) & 0xff) > 2 || ((lpar.cpu.gr32(0) >> 8) & 0xff) > 4,
    reason: 'the peer aborts: lpar is right, specification exception',
  },
];

/** What is known when the case has ended with this instruction: program-interruption code, address in the old PSW. */
export interface EndingDisagreement {
  readonly when: (step: Step, code: number, old: bigint) => boolean;
  readonly reason: string;
}

const isAccess = (code: number): boolean => code === 4 || code === 5 || (code >= 0x10 && code <= 0x3b);

const endings: readonly EndingDisagreement[] = [
  {
    when: (_, code) => code === 8,
    reason: 'the peer does not recognise fixed-point overflow: lpar is right',
  },
  {
    when: (_, __, old) => old < WINDOW || old > WINDOW + WINDOW_SIZE || (old & 1n) !== 0n,
    reason: 'the peer neither wraps nor checks the address that a branch leads to: lpar is right',
  },
  {
    when: ({ row, operands }, code) => isString({ row, operands }) && isAccess(code),
    reason: 'how far an interruptible instruction gets before an access exception is open: both are right',
  },
  {
    when: ({ row }, code) =>
      /^(LAM|LAMY|ICM|ICMY|STCM|STCMY|STCMH|ICMH|STAM|STAMY|STM|STMG|STMY|STCTL|STCTG)$/.test(row.mnemonic) &&
      isAccess(code),
    reason: 'the peer begins to load or store before it meets an access exception: lpar is right',
  },
  ...floatingEndings,
  {
    when: ({ row }, code) => /^(TR|TRT|TRTR)$/.test(row.mnemonic) && isAccess(code),
    reason: 'the peer stores before it meets an access exception of the second operand: lpar is right',
  },
];

/** The reason why an instruction is not compared. */
export function disagreement(step: Step): string | undefined {
  return disagreements.find(({ mnemonics, when }) => mnemonics.test(step.row.mnemonic) && (!when || when(step)))
    ?.reason;
}

/** The reason why a case is not compared that ended with this instruction. */
export function endingDisagreement(step: Step, code: number, old: bigint): string | undefined {
  return endings.find(({ when }) => when(step, code, old))?.reason;
}
