/**
 * Where cases are not compared, because the Principles of Operation leave the result open, or because a peer is known
 * to do otherwise than they demand. Cases are cleared of such instructions before they run.
 */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import { PSW_BA, PSW_DAT, PSW_EA, PSW_PROBLEM, PSW_WAIT } from '../../src/cpu/registers.ts';
import type { Case } from './case.ts';
import { HARMLESS_CONTROLS, isGuarded, isString } from './generate.ts';
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

/** What is known when the case has ended with this instruction: program-interruption code, address in the old PSW. */
export interface EndingDisagreement {
  readonly when: (step: Step, code: number, old: bigint) => boolean;
  readonly reason: string;
}

/** What is known when an instruction has been executed without an interruption. */
export interface OutcomeDisagreement {
  readonly mnemonics: RegExp;
  /** @param before the general registers as they were; the machine of the step is as it is now */
  readonly when: (step: Step, before: readonly bigint[]) => boolean;
  readonly reason: string;
}

/** All that is known of a peer. */
export interface Knowledge {
  /** It has the access-register mode. */
  readonly accessRegisters?: true;
  /** It has key-controlled protection. */
  readonly keys?: true;
  /** It has vector registers. */
  readonly vectors?: true;
  /** Instructions that it has. */
  readonly has?: (row: Instruction) => boolean;
  /** Cases that the peer cannot begin with. */
  readonly impossible?: (test: Case) => boolean;
  readonly disagreements: readonly Disagreement[];
  readonly endings: readonly EndingDisagreement[];
  readonly outcomes?: readonly OutcomeDisagreement[];
  /** The peer ended a case with an exception of this instruction, and is known to do so where lpar goes on. */
  readonly goesTooFar?: (row: Instruction, code: number) => boolean;
}

export const mask = ({ lpar }: Step): bigint => lpar.cpu.pswMask;
/** PSW bits 16-17: 2 is the secondary space. */
export const space = (step: Step): number => Number(mask(step) >> 46n) & 3;
export const isNarrow = (step: Step): boolean => (mask(step) & PSW_EA) === 0n;
/** Condition code 3 - cc selects a bit of the mask. */
export const isSelected = ({ lpar, operands }: Step): boolean => ((operands.m3! >> (3 - lpar.cpu.cc)) & 1) === 1;
export const addressMask = (step: Step): bigint => (mask(step) & PSW_BA ? 0x7fff_ffffn : 0xff_ffffn);
/** Where a branch leads to. */
export const branchTarget = ({ address, operands, lpar }: Step): number =>
  'h2' in operands || 'h4' in operands
    ? address + 2 * (operands.h2 ?? operands.h4)!
    : Number(
        'b2' in operands || 'b4' in operands
          ? effectiveAddress(lpar, operands, 'b4' in operands ? 4 : 2)
          : lpar.cpu.gr(operands.r2!) & lpar.cpu.addressMask,
      );
/** Registers of an instruction on strings that hold addresses, as they are. */
export const pointers = ({ lpar, operands }: Step): bigint[] =>
  ['r1', 'r2', 'r3'].filter(name => name in operands).map(name => lpar.cpu.gr(operands[name]!));

export const lengths = ({ lpar, operands }: Step): number[] =>
  ['r1', 'r2', 'r3'].filter(name => name in operands).map(name => lpar.cpu.gr32((operands[name]! + 1) & 15));
/** Frames of an operand whose address and length are in registers, as far as it can be accessed. */
export function framesOf({ lpar: { cpu } }: Step, register: number): number[] {
  const frames: number[] = [];
  const length = cpu.gr((register + 1) & 15) & (cpu.pswMask & PSW_EA ? -1n : 0xffff_ffffn);
  const begin = cpu.gr(register) & cpu.addressMask;
  for (let at = begin & ~0xfffn; at < begin + length; at += 4096n) {
    try {
      frames.push(cpu.access.absolute(at & cpu.addressMask, register, false, 1) >>> 12);
    } catch {
      break;
    }
  }
  return frames;
}

/** Absolute storage that belongs to the harness. */
export const isForeign = (address: bigint): boolean =>
  address < layout.DATA || (address >= layout.AFTER - 256 && address < layout.STORAGE_SIZE);

export const isAccess = (code: number): boolean => code === 4 || code === 5 || (code >= 0x10 && code <= 0x3b);

const DECIMAL = /^(AP|SP|ZAP|CP|MP|DP|SRP|ED|EDMK|TP|CVB|CVBY|CVBG)$/;

const PSW_PER = 1n << 62n;
/** Bits 0-31 of the PSW that is loaded, as bits of a whole one. */
export function loadedMask(step: Step): bigint {
  const { cpu } = step.lpar;
  try {
    return cpu.access.read64(effectiveAddress(step.lpar, step.operands, 2), step.operands.b2!);
  } catch {
    return 0n;
  }
}

/** What the manual leaves open, whoever the peer is. */
export const open: Knowledge = {
  disagreements: [
    {
      mnemonics: /./,
      when: step => isGuarded(step.row) && (mask(step) & PSW_PROBLEM) === 0n,
      reason: 'compared only in the problem state',
    },
    {
      mnemonics: /^LPSWE?$/,
      when: step => (loadedMask(step) & (PSW_WAIT | PSW_PER)) !== 0n,
      reason: 'the program would wait, or be recorded',
    },
    {
      mnemonics: /^LPSW$/,
      when: step => (loadedMask(step) & 0x0008_0000_0000_0000n) === 0n,
      reason: 'bit 12 is not one: whether and when that is an exception is open',
    },
    {
      mnemonics: /^LCTLG?$/,
      when: ({ operands }) => !HARMLESS_CONTROLS.has(`${operands.c1}-${operands.c3}`),
      reason: 'control registers that the harness needs',
    },
    {
      mnemonics: /^STCKC$/,
      when: ({ test }) => test.items[0]!.row.mnemonic !== 'SCKC',
      reason: 'the clock comparator has not been set',
    },
    {
      mnemonics: /^(IPTE|TB)$/,
      when: ({ lpar: { cpu }, row, operands }) => {
        const at = row.mnemonic === 'TB' ? cpu.gr(operands.r2!) & cpu.addressMask : cpu.gr(operands.r1!) & ~0x7ffn;
        return at < layout.DATA || at >= layout.CODE;
      },
      reason: 'storage that is not set up alike, or not for each case',
    },
    {
      mnemonics: /^(LURAG?|STURA|STURG|SSKE|ISKE|RRBE)$/,
      when: ({ lpar: { cpu }, row, operands }) => {
        const address = cpu.gr(operands.r2!) & cpu.addressMask;
        // The key of the program itself may keep it from being fetched.
        const end = row.mnemonic === 'SSKE' ? layout.CODE : layout.AFTER - 8;
        return address < layout.DATA || address >= end;
      },
      reason: 'storage that is not set up alike, or not for each case',
    },
    {
      // An element of a vector is the index.
      mnemonics: /^V(GE|SCE)[FG]$/,
      when: step => (mask(step) & PSW_DAT) === 0n,
      reason: 'storage that is not set up alike, or not for each case',
    },
    {
      mnemonics: /^(ISKE|RRBE|IVSK)$/,
      when: ({ test }) => test.items.some(({ row }) => row.mnemonic === 'TB'),
      reason: 'the storage key of a block that has been tested is open',
    },
    {
      mnemonics: /^(MVCLE|CLCLE|MVCLU|CLCLU)$/,
      when: ({ operands }) => [operands.r1, operands.r3].some(r => r === operands.b2 || r! + 1 === operands.b2),
      reason: 'the padding character changes when the instruction is resumed: open',
    },
    {
      mnemonics: /^(MVCLE|MVCLU)$/,
      when: ({ lpar: { cpu }, operands }) => {
        const [to, from] = [cpu.gr(operands.r1!) & 0x7fffn, cpu.gr(operands.r3!) & 0x7fffn];
        const bits = cpu.pswMask & PSW_EA ? -1n : 0xffff_ffffn;
        const length = (register: number): bigint => cpu.gr((register + 1) & 15) & bits;
        const ahead = (to - from) & 0x7fffn;
        return ahead > 0n && ahead < length(operands.r1!) && ahead < length(operands.r3!);
      },
      reason: 'the operands overlap: open',
    },
    {
      mnemonics: /^(MVCP|MVCS|MVCK|MVCSK|MVCDK)$/,
      when: ({ lpar, operands }) => {
        // Frames are at other places in other spaces.
        const distance = (effectiveAddress(lpar, operands, 1) - effectiveAddress(lpar, operands, 2)) & 0xfffn;
        return distance < 256n || distance > 0xfffn - 256n;
      },
      reason: 'the operands may overlap: open',
    },
    {
      mnemonics: /^TR[OT][OT]$/,
      when: ({ lpar: { cpu }, operands }) => {
        const place = (register: number): number => Number(cpu.gr(register) & 0x7fffn);
        const length = 2 * cpu.gr32((operands.r1! + 1) & 15);
        const distance = Math.abs(place(operands.r1!) - place(operands.r2!));
        return distance < length || 0x8000 - distance < length;
      },
      reason: 'the operands overlap: open',
    },
    {
      mnemonics: /^CKSM$/,
      when: ({ operands }) => operands.r1 === operands.r2 || operands.r1 === operands.r2! + 1,
      reason: 'the operands are in the same registers: open',
    },
    {
      mnemonics: /^CMPSC$/,
      when: step => {
        const [first, second] = [framesOf(step, step.operands.r1!), framesOf(step, step.operands.r2!)];
        return first.some(frame => second.includes(frame));
      },
      reason: 'the operands may overlap: open',
    },
    {
      mnemonics: /^MVPG$/,
      when: ({ lpar }) => (lpar.cpu.gr32(0) & 0xfc00) !== 0,
      reason: 'which of several exceptions is recognised is open',
    },
    {
      mnemonics: /^(LOC|STOC)/,
      when: step => 'b2' in step.operands && !isSelected(step),
      reason: 'access exceptions may be recognised when nothing is loaded or stored: both are right',
    },
    {
      mnemonics: /^CSPG?$/,
      when: step =>
        (mask(step) & PSW_DAT) === 0n && isForeign(step.lpar.cpu.gr(step.operands.r2!) & step.lpar.cpu.addressMask),
      reason: 'storage that is not set up alike, or not for each case',
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
      when: ({ row, operands }) =>
        isString({ row, operands }) &&
        'r1' in operands &&
        (operands.r1 === operands.r2 || (/^TRTR?E$/.test(row.mnemonic) && operands.r2 === operands.r1! + 1)),
      reason: 'the operands are in the same registers: open',
    },
    {
      mnemonics: /./,
      when: ({ lpar, operands }) => {
        const { b1, b2, l1 } = operands;
        if (b1 === undefined || b2 === undefined || l1 === undefined) return false;
        const [first, second] = [effectiveAddress(lpar, operands, 1), effectiveAddress(lpar, operands, 2)];
        try {
          const at = (address: bigint, base: number): number => lpar.cpu.access.absolute(address, base, false, 1);
          const distance = Math.abs(at(first, b1) - at(second, b2));
          const seeming = first > second ? first - second : second - first;
          return distance < 256 && BigInt(distance) !== seeming;
        } catch {
          return false;
        }
      },
      reason: 'the operands overlap, but not by their addresses: open',
    },
    {
      mnemonics: /^(UNPKA|UNPKU|PKA|PKU|ED|EDMK|MP|DP)$/,
      when: ({ lpar, operands }) => {
        // The same frames are at several places, 32 KiB apart or more.
        const distance = (effectiveAddress(lpar, operands, 1) - effectiveAddress(lpar, operands, 2)) & 0x7fffn;
        return distance < 256n || distance > 0x7fffn - 256n;
      },
      reason: 'the operands overlap: open',
    },
  ],
  outcomes: [
    {
      mnemonics: /^MVST$/,
      when: ({ lpar, operands }, before) => {
        // The same frames are at several places, 32 KiB apart or more.
        const place = (register: number): number => Number(before[register]! & 0x7fffn);
        const distance = Math.abs(place(operands.r1!) - place(operands.r2!));
        const moved = Number((lpar.cpu.gr(operands.r1!) - before[operands.r1!]!) & 0x7fffn);
        return distance <= moved || 0x8000 - distance <= moved;
      },
      reason: 'the operands overlap: open',
    },
  ],
  endings: [
    {
      when: (_, __, old) => old < WINDOW || old > WINDOW + WINDOW_SIZE || (old & 1n) !== 0n,
      reason: 'how long an instruction is that cannot be fetched, is open',
    },
    {
      when: ({ row }, code) => DECIMAL.test(row.mnemonic) && isAccess(code),
      reason: 'whether invalid data or an access exception is recognised first is open',
    },
    {
      when: ({ row, operands }, code) => (row.mnemonic === 'UPT' || isString({ row, operands })) && isAccess(code),
      reason: 'how far an interruptible instruction gets before an access exception is open: both are right',
    },
  ],
};

/** Of a peer that is careless with the bits to the left of addresses in registers. */
export const unclearedAddresses: Disagreement = {
  mnemonics: /./,
  when: step =>
    isNarrow(step) &&
    isString(step) &&
    (pointers(step).some(value => value > addressMask(step)) || lengths(step).some(value => value > 0x7fff_ffff)),
  reason: 'the peer does otherwise with the bits to the left of addresses: lpar is right',
};

/** Of a peer that breaks SEARCH STRING off after so many bytes. */
export const brokenSearch = (most: bigint): OutcomeDisagreement => ({
  mnemonics: /^SRST$/,
  when: ({ lpar, operands }, before) => {
    const end = lpar.cpu.cc === 1 ? lpar.cpu.gr(operands.r1!) : before[operands.r1!]!;
    return ((end - before[operands.r2!]!) & lpar.cpu.addressMask) >= most;
  },
  reason: 'where a search that was resumed began is open',
});

/** Of a peer that breaks MOVE STRING off at the end of a page. */
export const brokenMove: OutcomeDisagreement = {
  mnemonics: /^MVST$/,
  when: ({ lpar, operands }, before) => {
    const moved = Number((lpar.cpu.gr(operands.r1!) - before[operands.r1!]!) & 0xffffn);
    const crosses = [operands.r1!, operands.r2!].some(r => Number(before[r]! & 0xfffn) + moved >= 4096);
    return lpar.cpu.cc === 3 || (lpar.cpu.cc === 1 && crosses);
  },
  reason: 'at the end, general register R2 has what it was given when the CPU broke off before: both are right',
};

/** Of a peer that is wrong where a table that general register 1 designates wraps around. */
export const wrappingTable: Disagreement = {
  mnemonics: /^TR[OT][OT]$/,
  when: step => isNarrow(step) && (step.lpar.cpu.gr(1) & addressMask(step)) + 0x2_0000n > addressMask(step),
  reason: 'the peer does not wrap within operands in the 24-bit and 31-bit modes: lpar is right',
};

/** Of a peer that is wrong where an operand wraps around. */
export const wrapping: Disagreement = {
  mnemonics: /./,
  when: step =>
    isNarrow(step) &&
    (([1, 2, 4] as const).some(
      n => `b${n}` in step.operands && effectiveAddress(step.lpar, step.operands, n) + 256n > addressMask(step),
    ) ||
      (isString(step) &&
        pointers(step).some((pointer, n) => {
          // The length of a string that an ending character limits is not known.
          const length = /^(SRSTU?|MVST|CLST)$/.test(step.row.mnemonic) ? 0x1000 : lengths(step)[n]!;
          return (pointer & addressMask(step)) + BigInt(length) > addressMask(step);
        }))),
  reason: 'the peer does not wrap within operands in the 24-bit and 31-bit modes: lpar is right',
};

/** What is known of one instruction. */
interface Known {
  readonly disagreements: readonly Disagreement[];
  readonly outcomes: readonly OutcomeDisagreement[];
}
const knownOf = new WeakMap<Knowledge, Map<string, Known>>();

function known(knowledge: Knowledge, { mnemonic }: Instruction): Known {
  let all = knownOf.get(knowledge);
  if (!all) knownOf.set(knowledge, (all = new Map()));
  let found = all.get(mnemonic);
  if (!found) {
    const of = <T extends { readonly mnemonics: RegExp }>(lists: readonly (readonly T[] | undefined)[]): T[] =>
      lists.flatMap(list => (list ?? []).filter(({ mnemonics }) => mnemonics.test(mnemonic)));
    found = {
      disagreements: of([open.disagreements, knowledge.disagreements]),
      outcomes: of([open.outcomes, knowledge.outcomes]),
    };
    all.set(mnemonic, found);
  }
  return found;
}

/** Whether an instruction is ever compared. */
export const isCompared = (knowledge: Knowledge, row: Instruction): boolean =>
  (knowledge.has?.(row) ?? true) && known(knowledge, row).disagreements.every(({ when }) => when);

/** The reason why an instruction is not compared. */
export const disagreement = (knowledge: Knowledge, step: Step): string | undefined =>
  known(knowledge, step.row).disagreements.find(({ when }) => !when || when(step))?.reason;

/** What may be found when this instruction has been executed. */
export const outcomesOf = (knowledge: Knowledge, { row }: Step): readonly OutcomeDisagreement[] =>
  known(knowledge, row).outcomes;

/** The reason why a case is not compared that ended with this instruction. */
export function endingDisagreement({ endings }: Knowledge, step: Step, code: number, old: bigint): string | undefined {
  const reason = ({ when }: EndingDisagreement): boolean => when(step, code, old);
  return (open.endings.find(reason) ?? endings.find(reason))?.reason;
}
