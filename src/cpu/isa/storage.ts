/** Storage-to-storage instructions, long operands and strings (PoP ch. 7). */

import { i32 } from '../ir/expr.ts';
import { SPECIFICATION } from '../program.ts';
import { RR, RRE, RS_a, SS_a } from './formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from './insn.ts';

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
    i.repeatIf(i32.eq(result, 4));
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

/** Strings: the ending character is in general register 0, whose bits 32-55 must be zero. */
function string(i: Insn, routine: string): void {
  const character = i.gr32(0);
  i.programIf(i32.ne(i32.shrU(character, 8), 0), SPECIFICATION);
  const [first, second] = [i.registerAddress('r1'), i.registerAddress('r2')];
  i.setCc(i.routine(routine, first, second, i.field('r1'), i.field('r2'), character));
}

export const storage: readonly Instruction[] = [
  insn('MVC', 0xd2, SS_a, 'z', storageToStorage('MVC', false)),
  insn('NC', 0xd4, SS_a, 'z', storageToStorage('NC', true)),
  insn('OC', 0xd6, SS_a, 'z', storageToStorage('OC', true)),
  insn('XC', 0xd7, SS_a, 'z', storageToStorage('XC', true)),
  insn('CLC', 0xd5, SS_a, 'z', storageToStorage('CLC', true)),
  insn('TR', 0xdc, SS_a, 'z', storageToStorage('TR', false)),
  insn('TRT', 0xdd, SS_a, 'z', storageToStorage('TRT', true)),
  insn('TRTR', 0xd0, SS_a, 'z', storageToStorage('TRTR', true)),

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
];
