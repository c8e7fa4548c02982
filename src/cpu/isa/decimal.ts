/** Decimal instructions (PoP ch. 8) and conversions between binary, packed, zoned and character formats (ch. 7). */

import { type I32, i32 } from '../ir/expr.ts';
import * as millicode from '../millicode/decimal.ts';
import { RSL_a, RX_a, RXY_a, SS_a, SS_b, SS_c, SS_f } from './formats.ts';
import { BY_MILLICODE, type Insn, type Instruction, insn, type Millicode, type Semantics } from './insn.ts';

const by =
  (work: Millicode): Semantics =>
  i =>
    i.millicode(work);

/** Short operands on one page by the routine, all else by millicode. */
function first(i: Insn, result: I32, work: Millicode, setsCondition: boolean): void {
  i.if(
    i32.eq(result, BY_MILLICODE),
    () => i.millicode(work),
    () => {
      if (setsCondition) i.setCc(result);
    },
  );
}

const two =
  (routine: string, work: Millicode, setsCondition = false): Semantics =>
  i =>
    first(i, i.routine(routine, i.address(1), i.address(2), i.field('l1'), i.field('l2')), work, setsCondition);

const conversion =
  (routine: string, work: Millicode): Semantics =>
  i =>
    first(i, i.routine(routine, i.address(), i.field('r1')), work, false);

export const decimal: readonly Instruction[] = [
  insn('AP', 0xfa, SS_b, 'z', two('AP', millicode.addDecimal, true)),
  insn('SP', 0xfb, SS_b, 'z', two('SP', millicode.subtractDecimal, true)),
  insn('ZAP', 0xf8, SS_b, 'z', two('ZAP', millicode.zeroAndAdd, true)),
  insn('CP', 0xf9, SS_b, 'z', two('CP', millicode.compareDecimal, true)),
  insn('MP', 0xfc, SS_b, 'z', two('MP', millicode.multiplyDecimal)),
  insn('DP', 0xfd, SS_b, 'z', two('DP', millicode.divideDecimal)),
  insn('SRP', 0xf0, SS_c, 'z', i =>
    first(
      i,
      i.routine('SRP', i.address(1), i.address().va, i.field('l1'), i.field('i3')),
      millicode.shiftAndRound,
      true,
    ),
  ),
  insn('TP', 0xebc0, RSL_a, 16, by(millicode.testDecimal)),
  insn('ED', 0xde, SS_a, 'z', by(millicode.editPattern)),
  insn('EDMK', 0xdf, SS_a, 'z', by(millicode.editAndMark)),

  insn('PACK', 0xf2, SS_b, 'z', two('PACK', millicode.pack)),
  insn('UNPK', 0xf3, SS_b, 'z', two('UNPK', millicode.unpack)),
  insn('MVO', 0xf1, SS_b, 'z', by(millicode.moveWithOffset)),
  insn('PKA', 0xe9, SS_f, 16, by(millicode.packAscii)),
  insn('PKU', 0xe1, SS_f, 16, by(millicode.packUnicode)),
  insn('UNPKA', 0xea, SS_a, 16, by(millicode.unpackAscii)),
  insn('UNPKU', 0xe2, SS_a, 16, by(millicode.unpackUnicode)),

  insn('CVB', 0x4f, RX_a, 'z', conversion('CVB', millicode.convertToBinary)),
  insn('CVBY', 0xe306, RXY_a, 18, conversion('CVB', millicode.convertToBinary)),
  insn('CVBG', 0xe30e, RXY_a, 'z', conversion('CVBG', millicode.convertToBinaryLong)),
  insn('CVD', 0x4e, RX_a, 'z', conversion('CVD', millicode.convertToDecimal)),
  insn('CVDY', 0xe326, RXY_a, 18, conversion('CVD', millicode.convertToDecimal)),
  insn('CVDG', 0xe32e, RXY_a, 'z', conversion('CVDG', millicode.convertToDecimalLong)),
];
