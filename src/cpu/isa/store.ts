/** Storing general registers and immediate data (PoP ch. 7, STORE and MOVE instructions). */

import { i32, i64 } from '../ir/expr.ts';
import { RIL_b, RS_a, RS_b, RSY_a, RSY_b, RSY_bl, RX_a, RXY_a, SI, SIL, SIY } from './formats.ts';
import { type Instruction, insn, type RegisterPart, type Semantics } from './insn.ts';
import {
  high1,
  low1,
  relativeOperand,
  reversed32,
  reversed64,
  type Source32,
  selectedBytes,
  underMask,
  usualMasks,
} from './operands.ts';

const storeByte =
  (source: Source32): Semantics =>
  i =>
    i.store8(i.address(), source(i));
const storeHalfword =
  (source: Source32): Semantics =>
  i =>
    i.store16(i.address(), source(i));
const storeWord =
  (source: Source32): Semantics =>
  i =>
    i.store32(i.address(), source(i));
const storeDoubleword: Semantics = i => i.store64(i.address(), i.gr('r1'));

/** STORE ON CONDITION: without the condition storage is not touched. */
const onCondition =
  (store: Semantics): Semantics =>
  i =>
    i.if(i.condition('m3'), () => store(i));

/** STORE CHARACTERS UNDER MASK. With a mask of zeros no byte is accessed. */
const storeUnderMask =
  (source: Source32): Semantics =>
  i => {
    const address = i.address();
    const value = source(i);
    const bytes = (): void => {
      const place = i.placeOf(address, i.let(selectedBytes(i)), 'store');
      underMask(i, (selected, shift, before) => i.if(selected, () => place.store8(i32.shrU(value, shift), before)));
    };
    const mask = i.field('m3');
    i.if(
      i32.eq(mask, 15),
      () => i.store32(address, value),
      () => i.if(mask, bytes),
    );
  };

const storeMultiple =
  (part: RegisterPart): Semantics =>
  i => {
    const size = i32.mul(i.registerCount('r1', 'r3'), part === 'gr' ? 8 : 4);
    i.storeRegisters(i.placeOf(i.address(), size, 'store'), part, 'r1', 'r3');
  };
/** What compiled functions and the entry code of kernels begin with. */
const prologues = {
  usual: [...[6, 7, 8, 9, 10, 11, 12, 13, 14, 0].map(r1 => ({ r1, r3: 15 })), { r1: 0, r3: 7 }],
};

const moveImmediate: Semantics = i => i.store8(i.address(1), i.field('i2'));

export const store: readonly Instruction[] = [
  // STORE
  insn('ST', 0x50, RX_a, 'z', storeWord(low1)),
  insn('STY', 0xe350, RXY_a, 18, storeWord(low1)),
  insn('STG', 0xe324, RXY_a, 'z', storeDoubleword),
  insn('STRL', 0xc4f, RIL_b, 34, i => i.store32(relativeOperand(i, 4), i.gr32('r1'))),
  insn('STGRL', 0xc4b, RIL_b, 34, i => i.store64(relativeOperand(i, 8), i.gr('r1'))),
  insn('STFH', 0xe3cb, RXY_a, 45, storeWord(high1)),

  // STORE CHARACTER
  insn('STC', 0x42, RX_a, 'z', storeByte(low1)),
  insn('STCY', 0xe372, RXY_a, 18, storeByte(low1)),
  insn('STCH', 0xe3c3, RXY_a, 45, storeByte(high1)),
  insn('STCM', 0xbe, RS_b, 'z', storeUnderMask(low1), usualMasks(7, 3, 1)),
  insn('STCMY', 0xeb2d, RSY_b, 18, storeUnderMask(low1)),
  insn('STCMH', 0xeb2c, RSY_b, 'z', storeUnderMask(high1)),

  // STORE HALFWORD
  insn('STH', 0x40, RX_a, 'z', storeHalfword(low1)),
  insn('STHY', 0xe370, RXY_a, 18, storeHalfword(low1)),
  insn('STHRL', 0xc47, RIL_b, 34, i => i.store16(relativeOperand(i, 2), i.gr32('r1'))),
  insn('STHH', 0xe3c7, RXY_a, 45, storeHalfword(high1)),

  // STORE MULTIPLE
  insn('STM', 0x90, RS_a, 'z', storeMultiple('gr32')),
  insn('STMY', 0xeb90, RSY_a, 18, storeMultiple('gr32')),
  insn('STMG', 0xeb24, RSY_a, 'z', storeMultiple('gr'), prologues),
  insn('STMH', 0xeb26, RSY_a, 'z', storeMultiple('grHigh')),

  // STORE ON CONDITION
  insn('STOC', 0xebf3, RSY_bl, 45, onCondition(storeWord(low1))),
  insn('STOCG', 0xebe3, RSY_bl, 45, onCondition(storeDoubleword)),
  insn('STOCFH', 0xebe1, RSY_bl, 53, onCondition(storeWord(high1))),

  // STORE PAIR TO QUADWORD
  insn('STPQ', 0xe38e, RXY_a, 'z', i => {
    i.even('r1');
    const address = i.address();
    i.aligned(address, 16);
    const place = i.place(address, 16, 'store');
    place.storePair(i.gr('r1'), i.gr('r1', 1));
  }),

  // STORE REVERSED
  insn('STRVH', 0xe33f, RXY_a, 'z', i => i.store16(i.address(), i32.shrU(reversed32(i, i.gr32('r1')), 16))),
  insn('STRV', 0xe33e, RXY_a, 'z', i => i.store32(i.address(), reversed32(i, i.gr32('r1')))),
  insn('STRVG', 0xe32f, RXY_a, 'z', i => i.store64(i.address(), reversed64(i, i.gr('r1')))),

  // MOVE (immediate)
  insn('MVI', 0x92, SI, 'z', moveImmediate),
  insn('MVIY', 0xeb52, SIY, 18, moveImmediate),
  insn('MVHHI', 0xe544, SIL, 34, i => i.store16(i.address(1), i.signed('s2'))),
  insn('MVHI', 0xe54c, SIL, 34, i => i.store32(i.address(1), i.signed('s2'))),
  insn('MVGHI', 0xe548, SIL, 34, i => i.store64(i.address(1), i64.fromS(i.signed('s2')))),
];
