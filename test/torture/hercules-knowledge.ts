/** Known disagreements with Hercules 3.13. */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import {
  brokenMove,
  brokenSearch,
  isAccess,
  isNarrow,
  type Knowledge,
  lengths,
  mask,
  type OutcomeDisagreement,
  space,
  unclearedAddresses,
  wrapping,
} from './disagreements.ts';
import { hasNanOf } from './floating.ts';
import { STORAGE_SIZE } from './layout.ts';
import type { Step } from './vet.ts';

/** COMPRESSION CALL as it was called: bits of a symbol, whether it expands, lengths of the operands. */
function compression({ operands, lpar }: Step, gr: readonly bigint[]) {
  const control = Number(gr[0]! & 0x1_ffffn);
  const length = (register: number): bigint =>
    gr[(register + 1) & 15]! & (isNarrow({ lpar } as Step) ? 0xffff_ffffn : -1n);
  const bits = 8 + ((control >>> 12) & 15);
  const { r1, r2 } = operands;
  return { bits, expands: (control & 0x100) !== 0, first: length(r1!), second: length(r2!), bit: Number(gr[1]! & 7n) };
}
const registers = ({ lpar: { cpu } }: Step): bigint[] => Array.from({ length: 16 }, (_, n) => cpu.gr(n));

const divisionOutcomes: readonly OutcomeDisagreement[] = [
  {
    mnemonics: /^DI[ED]BR$/,
    when: ({ lpar, test }) => (lpar.cpu.fpc & ~test.fpc & 0x80000) !== 0,
    reason: 'the peer does not report an inexact remainder: lpar is right (PoP ch. 19, DIVIDE TO INTEGER)',
  },
];

const searchOutcomes: readonly OutcomeDisagreement[] = [brokenSearch(256n), brokenMove];

const compressionOutcomes: readonly OutcomeDisagreement[] = [
  {
    mnemonics: /^CMPSC$/,
    when: (step, before) => {
      const { expands, bits, first } = compression(step, before);
      // Eight symbols are so many bytes as one has bits.
      return !expands && first - compression(step, registers(step)).first >= BigInt(bits);
    },
    reason: 'the peer breaks off, and then combines a symbol with what was in its place: lpar is right',
  },
  {
    mnemonics: /^CMPSC$/,
    when: (step, before) => {
      const { expands, second, bits } = compression(step, before);
      return expands && step.lpar.cpu.cc === 1 && second >= BigInt(bits);
    },
    reason: 'the peer ends expansion before eight symbols for which there is not room enough: lpar is right',
  },
  {
    mnemonics: /^CMPSC$/,
    when: step => {
      const { expands, first, second, bit, bits } = compression(step, registers(step));
      return step.lpar.cpu.cc === (expands ? 0 : 1) && (expands ? second : first) === 2n && bit + bits > 16;
    },
    reason: 'the peer takes a third byte where two are left: lpar is right',
  },
  {
    mnemonics: /^CMPSC$/,
    when: step => {
      const { expands, first, bits } = compression(step, registers(step));
      return !expands && step.lpar.cpu.cc === 0 && first < BigInt(bits);
    },
    reason: 'the peer may leave the condition code as it was: lpar is right',
  },
];

/** Long displacement, translation and the like, extended immediate. */
const FACILITIES: readonly Instruction['facility'][] = ['z', 16, 18, 19, 21, 22, 26];
const FLOATING = /^(MXDBR?|MDEBR?|DI[ED]BR)$/;

export const herculesKnowledge: Knowledge = {
  accessRegisters: true,
  keys: true,
  // Its binary floating point is not exact; it is asked only about what no other peer has.
  has: ({ mnemonic, facility, additionalFloatingPoint }) =>
    FLOATING.test(mnemonic) || (FACILITIES.includes(facility) && additionalFloatingPoint !== 'bfp'),
  // It has no rounding mode 7.
  impossible: ({ fpc }) => (fpc & 4) !== 0,
  disagreements: [
    unclearedAddresses,
    wrapping,
    {
      mnemonics: /^TRTR?$/,
      when: step => isNarrow(step),
      reason: 'the peer leaves bit 32 of general register 1 in the 31-bit mode: lpar is right',
    },
    {
      mnemonics: /^IPTE$/,
      when: step => ((mask(step) >> 52n) & 0xfn) !== 0n,
      reason: 'the peer heeds key-controlled protection of the page table: lpar is right',
    },
    {
      mnemonics: /^STCKC$/,
      reason: 'the peer keeps 56 bits of the clock comparator: open',
    },
    {
      mnemonics: /^ESTA$/,
      when: ({ lpar, operands }) => (lpar.cpu.gr32(operands.r2!) & 0xff) === 5,
      reason: 'the peer does not know code 5: lpar is right, it has the ASN-and-LX-reuse facility',
    },
    {
      mnemonics: /^(BAKR|PC)$/,
      when: ({ lpar: { cpu, storage } }) => {
        // The next state entry is in a frame at its own address in all spaces.
        const next = (Number(cpu.cr(15) & 0xffff_fff8n) + 8) >>> 0;
        if (next > STORAGE_SIZE - 224) return false;
        return [...storage.read(next - 2, 2), ...storage.read(next + 176, 48)].some(byte => byte !== 0);
      },
      reason:
        'the peer leaves reserved bytes of the entry before, and bytes 176-223 of a state entry, as they are: open, but lpar has ASTE instance numbers there',
    },
    {
      mnemonics: /^PLO$/,
      when: step => space(step) === 1 && (step.lpar.cpu.gr32(0) & 0xff) >= 16,
      reason: 'which of several ALETs is left in access register R3 is open',
    },
    {
      mnemonics: /^SSKE$/,
      when: ({ operands }) => operands.m3 !== 0,
      reason: 'the peer has no conditional setting of keys, nor of those of several frames',
    },
    {
      mnemonics: /^CMPSC$/,
      when: ({ lpar: { cpu }, operands }) => (cpu.gr(operands.r1!) & cpu.addressMask) < 0x1800n,
      reason:
        'the peer takes 2 KiB for protected whose beginning is: lpar is right, low-address protection is of 512 bytes',
    },
    {
      mnemonics: /^CMPSC$/,
      when: ({ lpar }) => (lpar.cpu.gr32(0) & 0x20000) !== 0,
      reason: 'the peer does not fill up with zeros: both are right, but lpar announces it',
    },
    {
      mnemonics: /^CMPSC$/,
      when: step => {
        const { expands, first, bit, bits } = compression(step, registers(step));
        return first * 8n < (expands ? 1n : BigInt(bit + bits));
      },
      reason: 'the peer does not look for a symbol where there is no room for one: open',
    },
    {
      mnemonics: /^CMPSC$/,
      when: step => {
        const { cpu } = step.lpar;
        const { expands, bit } = compression(step, registers(step));
        try {
          return !expands && (cpu.access.read8(cpu.gr(step.operands.r1!), step.operands.r1!) & (0xff >> bit)) !== 0;
        } catch {
          return false;
        }
      },
      reason: 'the peer combines the symbol with what was in its place: lpar is right',
    },
    {
      mnemonics: /^CMPSC$/,
      when: step => {
        const { expands, bit } = compression(step, registers(step));
        return !expands && bit !== 0 && space(step) === 1;
      },
      reason: 'in the access-register mode the peer changes bits before the first symbol now and then: lpar is right',
    },
    {
      mnemonics: /^TRTR?E$/,
      when: ({ lpar, operands }) => (operands.m3! & 8) !== 0 && (lpar.cpu.gr32((operands.r1! + 1) & 15) & 1) !== 0,
      reason: 'the peer takes an odd length of two-byte arguments: lpar is right, specification exception',
    },
    {
      mnemonics: /^TRTR?E$/,
      when: step => lengths(step)[0] === 0,
      reason: 'the peer sets general register R2 when the length is zero: open',
    },
    {
      mnemonics: /^TRTR?E$/,
      when: ({ lpar }) => (lpar.cpu.gr32(1) & 7) !== 0,
      reason: 'lpar ignores the rightmost three bits of the table address, the peer does not: open',
    },
    {
      mnemonics: /^DI[ED]BR$/,
      when: ({ operands }) => operands.m4 === 3,
      reason: 'the peer does not round to prepare for shorter precision: lpar is right',
    },
    {
      mnemonics: /^CUSE$/,
      when: ({ lpar, operands }) =>
        [operands.r1!, operands.r2!].some(register => lpar.cpu.gr((register + 1) & 15) >> 63n !== 0n),
      reason: 'the peer takes lengths as signed: lpar is right',
    },
    {
      mnemonics: /^SRSTU$/,
      reason: 'the peer goes on when it meets an end in the middle of a character: lpar is right',
    },
    {
      mnemonics: FLOATING,
      when: hasNanOf,
      reason: 'the peer does not report signaling NaNs: lpar is right, invalid operation',
    },
  ],
  outcomes: [...searchOutcomes, ...compressionOutcomes, ...divisionOutcomes],
  // COMPRESSION CALL looks for a symbol before it looks for room; PERFORM LOCKED OPERATION looks at all operands although
  // they do not compare equal, which is open.
  goesTooFar: ({ mnemonic }, code) =>
    (/^(CMPSC|PLO)$/.test(mnemonic) && isAccess(code)) || (mnemonic === 'CMPSC' && code === 7),
  endings: [
    {
      when: ({ row }) => row.mnemonic === 'PR',
      reason: 'the peer takes an instruction that is not completed for a breaking event: lpar is right',
    },
    {
      when: ({ row, lpar }, code) =>
        /^DI[ED]BR$/.test(row.mnemonic) && code === 7 && (lpar.storage.read8(0x93) & 0x18) !== 0,
      reason: 'the peer does not report underflow of the remainder, nor that it is inexact: lpar is right',
    },
    {
      when: ({ row, lpar }, code) =>
        row.mnemonic === 'PLO' && code === 6 && ((lpar.storage.read64(0x150) >> 46n) & 3n) === 1n,
      reason:
        'the peer loads access register R3 before it looks at the address beside its ALET: lpar is right, it is suppressed',
    },
    {
      when: ({ row }, code) => row.mnemonic === 'MVO' && code === 4,
      reason: 'the peer stores before it meets a protection exception: open, it may terminate',
    },
    {
      when: ({ row }, code) => /^ED(MK)?$/.test(row.mnemonic) && code === 7,
      reason: 'the peer edits until it meets invalid data: lpar is right, data exceptions suppress',
    },
  ],
};
