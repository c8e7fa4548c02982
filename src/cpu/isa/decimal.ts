/** Decimal instructions (PoP ch. 8) and conversions between binary, packed, zoned and character formats (ch. 7). */

import * as millicode from '../millicode/decimal.ts';
import { RSL_a, RX_a, RXY_a, SS_a, SS_b, SS_c, SS_f } from './formats.ts';
import { type Instruction, insn, type Millicode, type Semantics } from './insn.ts';

const by =
  (work: Millicode): Semantics =>
  i =>
    i.millicode(work);

export const decimal: readonly Instruction[] = [
  insn('AP', 0xfa, SS_b, 'z', by(millicode.addDecimal)),
  insn('SP', 0xfb, SS_b, 'z', by(millicode.subtractDecimal)),
  insn('ZAP', 0xf8, SS_b, 'z', by(millicode.zeroAndAdd)),
  insn('CP', 0xf9, SS_b, 'z', by(millicode.compareDecimal)),
  insn('MP', 0xfc, SS_b, 'z', by(millicode.multiplyDecimal)),
  insn('DP', 0xfd, SS_b, 'z', by(millicode.divideDecimal)),
  insn('SRP', 0xf0, SS_c, 'z', by(millicode.shiftAndRound)),
  insn('TP', 0xebc0, RSL_a, 16, by(millicode.testDecimal)),
  insn('ED', 0xde, SS_a, 'z', by(millicode.editPattern)),
  insn('EDMK', 0xdf, SS_a, 'z', by(millicode.editAndMark)),

  insn('PACK', 0xf2, SS_b, 'z', by(millicode.pack)),
  insn('UNPK', 0xf3, SS_b, 'z', by(millicode.unpack)),
  insn('MVO', 0xf1, SS_b, 'z', by(millicode.moveWithOffset)),
  insn('PKA', 0xe9, SS_f, 16, by(millicode.packAscii)),
  insn('PKU', 0xe1, SS_f, 16, by(millicode.packUnicode)),
  insn('UNPKA', 0xea, SS_a, 16, by(millicode.unpackAscii)),
  insn('UNPKU', 0xe2, SS_a, 16, by(millicode.unpackUnicode)),

  insn('CVB', 0x4f, RX_a, 'z', by(millicode.convertToBinary)),
  insn('CVBY', 0xe306, RXY_a, 18, by(millicode.convertToBinary)),
  insn('CVBG', 0xe30e, RXY_a, 'z', by(millicode.convertToBinaryLong)),
  insn('CVD', 0x4e, RX_a, 'z', by(millicode.convertToDecimal)),
  insn('CVDY', 0xe326, RXY_a, 18, by(millicode.convertToDecimal)),
  insn('CVDG', 0xe32e, RXY_a, 'z', by(millicode.convertToDecimalLong)),
];
