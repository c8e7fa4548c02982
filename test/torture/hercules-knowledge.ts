/** Known disagreements with Hercules 3.13. */

import { isNarrow, type Knowledge, unclearedAddresses, wrapping } from './disagreements.ts';

/** Long displacement, translation and the like, extended immediate. */
const FACILITIES: readonly (number | 'z')[] = ['z', 16, 18, 19, 21, 22];

export const herculesKnowledge: Knowledge = {
  accessRegisters: true,
  keys: true,
  // Its binary floating point is not exact.
  has: ({ facility, additionalFloatingPoint }) => FACILITIES.includes(facility) && additionalFloatingPoint !== 'bfp',
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
      mnemonics: /^SSKE$/,
      when: ({ operands }) => operands.m3 !== 0,
      reason: 'the peer has no conditional setting of keys, nor of those of several frames',
    },
    {
      mnemonics: /^CUSE$/,
      reason: 'the peer updates the registers of one operand only when it is broken off: lpar is right',
    },
    {
      mnemonics: /^SRSTU?$/,
      reason: 'where a search that was resumed began is open',
    },
  ],
  endings: [
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
