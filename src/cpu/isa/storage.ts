/** Storage-to-storage instructions, long operands and strings (PoP ch. 7). */

import { i32 } from '../ir/expr.ts';
import { compressionCall } from '../millicode/compression.ts';
import { compareAndFormCodeword, updateTree } from '../millicode/sorting.ts';
import * as strings from '../millicode/strings.ts';
import { translateAndTestExtended, translateExtended, translateTo } from '../millicode/translate.ts';
import * as unicode from '../millicode/unicode.ts';
import { SPECIFICATION } from '../program.ts';
import { E, RR, RRE, RRF_c, RS_a, RSY_a, S, SS_a } from './formats.ts';
import { AGAIN, type Insn, type Instruction, insn, type Millicode, type Semantics } from './insn.ts';

/** The length code is one less than the number of bytes. */
const storageToStorage =
  (routine: string, setsCondition: boolean): Semantics =>
  i => {
    const result = i.routine(routine, i.address(1), i.address(2), i32.add(i.field('l1'), 1));
    if (setsCondition) i.setCc(result);
  };

/** MVCL, CLCL: executed again until done. The padding byte is in bits 32-39 of R2 + 1. */
const interruptible =
  (routine: string): Semantics =>
  i => {
    i.even('r1');
    i.even('r2');
    const pad = i32.shrU(i.gr32('r2', 1), 24);
    const [first, second] = [i.registerAddress('r1'), i.registerAddress('r2')];
    const result = i.routine(routine, first, second, i.field('r1'), i.field('r2'), pad);
    i.repeatIf(i32.eq(result, AGAIN));
    i.setCc(result);
  };

/** MVCLE, CLCLE: the padding byte is in the second-operand address. */
const extended =
  (routine: string): Semantics =>
  i => {
    i.even('r1');
    i.even('r3');
    const pad = i32.and(i32.wrap(i.address().va), 0xff);
    const [first, third] = [i.registerAddress('r1'), i.registerAddress('r3')];
    i.setCc(i.routine(routine, first, third, i.field('r1'), i.field('r3'), pad));
  };

const by =
  (work: Millicode): Semantics =>
  i =>
    i.millicode(work);

/** Strings: the ending character is in general register 0, whose bits 32-55 must be zero. */
function string(i: Insn, routine: string): void {
  const character = i.gr32(0);
  i.programIf(i32.ne(i32.shrU(character, 8), 0), SPECIFICATION);
  const [first, second] = [i.registerAddress('r1'), i.registerAddress('r2')];
  i.setCc(i.routine(routine, first, second, i.field('r1'), i.field('r2'), character));
}

export const storage: readonly Instruction[] = [
  insn('MVC', 0xd2, SS_a, 'z', storageToStorage('MVC', false)),
  insn('MVN', 0xd1, SS_a, 'z', storageToStorage('MVN', false)),
  insn('MVZ', 0xd3, SS_a, 'z', storageToStorage('MVZ', false)),
  insn('NC', 0xd4, SS_a, 'z', storageToStorage('NC', true)),
  insn('OC', 0xd6, SS_a, 'z', storageToStorage('OC', true)),
  insn('XC', 0xd7, SS_a, 'z', storageToStorage('XC', true)),
  insn('CLC', 0xd5, SS_a, 'z', storageToStorage('CLC', true)),
  insn('TR', 0xdc, SS_a, 'z', storageToStorage('TR', false)),
  insn('TRT', 0xdd, SS_a, 'z', storageToStorage('TRT', true)),
  insn('TRTR', 0xd0, SS_a, 22, storageToStorage('TRTR', true)),

  insn('MVCL', 0x0e, RR, 'z', interruptible('MVCL')),
  insn('CLCL', 0x0f, RR, 'z', interruptible('CLCL')),
  insn('MVCLE', 0xa8, RS_a, 'z', extended('MVCLE')),
  insn('CLCLE', 0xa9, RS_a, 'z', extended('CLCLE')),

  insn('SRST', 0xb25e, RRE, 'z', i => string(i, 'SRST')),
  insn('MVST', 0xb255, RRE, 'z', i => string(i, 'MVST')),
  insn('CLST', 0xb25d, RRE, 'z', i => string(i, 'CLST')),
  insn('CKSM', 0xb241, RRE, 'z', i => {
    i.even('r2');
    i.setCc(i.routine('CKSM', i.registerAddress('r2'), i.field('r1'), i.field('r2')));
  }),

  insn('MVCIN', 0xe8, SS_a, 'z', by(strings.moveInverse)),
  insn('MVCLU', 0xeb8e, RSY_a, 16, by(strings.moveLongUnicode)),
  insn('CLCLU', 0xeb8f, RSY_a, 16, by(strings.compareLongUnicode)),
  insn('SRSTU', 0xb9be, RRE, 22, by(strings.searchStringUnicode)),
  insn('CUSE', 0xb257, RRE, 'z', by(strings.compareUntilSubstringEqual)),

  insn('CMPSC', 0xb263, RRE, 'z', by(compressionCall)),
  insn('CFC', 0xb21a, S, 'z', by(compareAndFormCodeword)),
  insn('UPT', 0x0102, E, 'z', by(updateTree)),

  insn('TRE', 0xb2a5, RRE, 'z', by(translateExtended)),
  insn('TROO', 0xb993, RRF_c, 16, by(translateTo(1, 1))),
  insn('TROT', 0xb992, RRF_c, 16, by(translateTo(1, 2))),
  insn('TRTO', 0xb991, RRF_c, 16, by(translateTo(2, 1))),
  insn('TRTT', 0xb990, RRF_c, 16, by(translateTo(2, 2))),
  insn('TRTE', 0xb9bf, RRF_c, 26, by(translateAndTestExtended(1))),
  insn('TRTRE', 0xb9bd, RRF_c, 26, by(translateAndTestExtended(-1))),

  insn('CU12', 0xb2a7, RRF_c, 'z', by(unicode.utf8ToUtf16)),
  insn('CU14', 0xb9b0, RRF_c, 22, by(unicode.utf8ToUtf32)),
  insn('CU21', 0xb2a6, RRF_c, 'z', by(unicode.utf16ToUtf8)),
  insn('CU24', 0xb9b1, RRF_c, 22, by(unicode.utf16ToUtf32)),
  insn('CU41', 0xb9b2, RRE, 22, by(unicode.utf32ToUtf8)),
  insn('CU42', 0xb9b3, RRE, 22, by(unicode.utf32ToUtf16)),
];
