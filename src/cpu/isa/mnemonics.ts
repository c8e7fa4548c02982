/**
 * Extended mnemonics: assembler names that stand for an instruction with some of its fields given, `JE` for BRC with
 * M1 = 8.
 */

import type { Instruction, Operands } from './insn.ts';

/** A name for a row some of whose operands it implies. */
export interface Extended {
  readonly name: string;
  readonly implied: Operands;
  /** A field whose leftmost bit, with this value, the name implies; the other bits are written. */
  readonly flag?: readonly [field: string, value: number];
}

/** Condition suffixes by mask; the first of several is the one the disassembler writes. */
const CONDITIONS: readonly (readonly [mask: number, ...suffixes: string[]])[] = [
  [1, 'O'],
  [2, 'H', 'P'],
  [3, 'NLE'],
  [4, 'L', 'M'],
  [5, 'NHE'],
  [6, 'LH'],
  [7, 'NE', 'NZ'],
  [8, 'E', 'Z'],
  [9, 'NLH'],
  [10, 'HE'],
  [11, 'NL', 'NM'],
  [12, 'LE'],
  [13, 'NH', 'NP'],
  [14, 'NO'],
];
/** A comparison has no fourth outcome, so its masks have the rightmost bit zero. */
const COMPARISONS: readonly (readonly [mask: number, ...suffixes: string[]])[] = [
  [2, 'H', 'NLE'],
  [4, 'L', 'NHE'],
  [6, 'NE', 'LH'],
  [8, 'E', 'NLH'],
  [10, 'NL', 'HE'],
  [12, 'NH', 'LE'],
];

const suffixed = (stem: string, field: string, conditions: typeof CONDITIONS, tail = ''): Extended[] =>
  conditions.flatMap(([mask, ...suffixes]) =>
    suffixes.map(suffix => ({ name: `${stem}${suffix}${tail}`, implied: { [field]: mask } })),
  );

const BRANCHES: Readonly<Record<string, readonly Extended[]>> = {
  BC: [...suffixed('B', 'm1', CONDITIONS), { name: 'B', implied: { m1: 15 } }, { name: 'NOP', implied: { m1: 0 } }],
  BCR: [
    ...suffixed('B', 'm1', CONDITIONS, 'R'),
    { name: 'BR', implied: { m1: 15 } },
    { name: 'NOPR', implied: { m1: 0 } },
  ],
  BIC: [...suffixed('BI', 'm1', CONDITIONS), { name: 'BI', implied: { m1: 15 } }],
  BRC: [...suffixed('J', 'm1', CONDITIONS), { name: 'J', implied: { m1: 15 } }, { name: 'JNOP', implied: { m1: 0 } }],
  BRCL: [
    ...suffixed('JG', 'm1', CONDITIONS),
    { name: 'JG', implied: { m1: 15 } },
    { name: 'JGNOP', implied: { m1: 0 } },
  ],
};

/** Other names for the same instruction. */
const ALIASES: Readonly<Record<string, string>> = {
  BRAS: 'JAS',
  BRASL: 'JASL',
  BRCT: 'JCT',
  BRCTG: 'JCTG',
  BRXH: 'JXH',
  BRXLE: 'JXLE',
  BRXHG: 'JXHG',
  BRXLG: 'JXLEG',
};

/** Names from before the instruction had a mask. */
const OLDER: Readonly<Record<string, string>> = { CU12: 'CUTFU', CU21: 'CUUTF' };

const COMPARE_AND = /^C(L?)(G?)(I?)(F?)(R?)[JBT]$|^C(L?)(G?)I[JB]$|^CL?GI?T$|^CLFIT$|^CR[JBT]$/;

/** Conversions that were without their masks at first, and keep the names of then where those are zero. */
const CONVERSIONS: readonly (readonly [names: RegExp, implied: Operands])[] = [
  [/^(LEDB|LDXB|LEXB|C[EDX][FG]B)RA$/, { m3: 0, m4: 0 }],
  [/^(FI[EDX]B|C[FG][EDX]B)RA$/, { m4: 0 }],
];

/**
 * Names of vector instructions with the size of their elements, and with what else the name tells: whether the condition
 * code is set (S), whether there is a single element (W in place of the first letter).
 */
function sized({ mnemonic, sizes, format }: Instruction): Extended[] {
  return Object.entries(sizes ?? {}).flatMap(([field, letters]) =>
    [...letters].flatMap((letter, size) => {
      if (letter === '-') return [];
      const flag = field.replace(/\d/, digit => String(Number(digit) + 1));
      const name = `${mnemonic}${letter}${letter === 'H' && HALFWORDS.test(mnemonic) ? 'W' : ''}`;
      const implied = { [field]: size };
      if (!SETTING_CODE.test(mnemonic)) return [{ name, implied }];
      return [
        { name, implied: { ...implied, [flag]: 0 } },
        { name: `${name}S`, implied: { ...implied, [flag]: 1 } },
      ].filter(() => flag in format.fields);
    }),
  );
}
/** With an H they would be other instructions. */
const HALFWORDS = /^(VML|VMAL|VUPL)$/;
const SETTING_CODE = /^(VCEQ|VCHL?|VPKL?S)$/;

/** The formats of vector floating-point elements: short, long, extended. */
const FLOATING_SIZES = { 2: 'SB', 3: 'DB', 4: 'XB' } as const;

/** @param element the fields of the format and of the single-element control */
function floating({ mnemonic }: Instruction, [format, single]: readonly [string, string]): Extended[] {
  return Object.entries(FLOATING_SIZES).flatMap(([size, letters]) => {
    const implied = { [format]: Number(size) };
    const several = { name: `${mnemonic}${letters}`, implied: { ...implied, [single]: 0 } };
    const one = { name: `W${mnemonic.slice(1)}${letters}`, implied: { ...implied, [single]: 8 } };
    const both = letters === 'XB' ? [one] : [several, one];
    if (!mnemonic.startsWith('VFC')) return both;
    return [0, 1].flatMap(m6 =>
      both.map(({ name, implied }) => ({ name: name + (m6 ? 'S' : ''), implied: { ...implied, m6 } })),
    );
  });
}

/** The extended mnemonics of a row, the preferred name of several that imply the same first. */
export function extendedMnemonics(row: Instruction): readonly Extended[] {
  const { mnemonic, format, sizes, floatingFields } = row;
  if (sizes) return sized(row);
  // Where the control has other bits, it is written.
  if (floatingFields && mnemonic !== 'VFI') return floating(row, floatingFields);
  if (mnemonic === 'VGBM') return [0, 0xffff].map(i2 => ({ name: i2 ? 'VONE' : 'VZERO', implied: { i2 } }));
  const branches = BRANCHES[mnemonic];
  if (branches) return branches;
  if (mnemonic === 'RISBG' || mnemonic === 'RISBGN') {
    return [{ name: `${mnemonic}Z`, implied: {}, flag: ['i4', 0x80] }];
  }
  const older = OLDER[mnemonic];
  if (older) return [{ name: older, implied: { m3: 0 } }];
  const alias = ALIASES[mnemonic];
  if (alias) return [{ name: alias, implied: {} }];
  const conversion = CONVERSIONS.find(([names]) => names.test(mnemonic));
  if (conversion) return [{ name: mnemonic.slice(0, -1), implied: conversion[1] }];
  if ('m3' in format.fields) {
    if (COMPARE_AND.test(mnemonic)) return suffixed(mnemonic, 'm3', COMPARISONS);
    if (/^(LOC|STOC)/.test(mnemonic)) return suffixed(mnemonic, 'm3', CONDITIONS);
  }
  return [];
}
