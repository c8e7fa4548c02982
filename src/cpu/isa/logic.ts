/** AND, OR, EXCLUSIVE OR, tests of bits, and counting them (PoP ch. 7). */

import { type I32, i32, i64, k64 } from '../ir/expr.ts';
import { RI_u, RIL_u, RR, RRE, RRF_3, RX_a, RXY_a, SI, SIY } from './formats.ts';
import { type Instruction, insn, type Semantics } from './insn.ts';
import {
  doubleword,
  high1,
  immediate,
  intoHigh,
  intoLow,
  low1,
  low2,
  low3,
  type Source32,
  type Source64,
  type Target32,
  whole1,
  whole2,
  whole3,
  word,
} from './operands.ts';

type Operation = 'and' | 'or' | 'xor';

const logical32 =
  (operation: Operation, second: Source32, first = low1, target: Target32 = intoLow): Semantics =>
  i => {
    const b = second(i);
    const result = i.let(i32[operation](first(i), b));
    target(i, result);
    i.cc32('logical', result);
  };
const logical64 =
  (operation: Operation, second: Source64, first = whole1): Semantics =>
  i => {
    const b = second(i);
    const result = i.let(i64[operation](first(i), b));
    i.setGr('r1', result);
    i.cc64('logical', result);
  };

/** One halfword of the register takes part; the condition code is of that halfword. */
const halfwordOf =
  (operation: Operation, shift: 0 | 16, first: Source32, target: Target32): Semantics =>
  i => {
    const b = i32.shl(i.field('i2'), shift);
    const mask = 0xffff << shift;
    const result = i.let(i32[operation](first(i), operation === 'and' ? i32.or(b, ~mask) : b));
    target(i, result);
    i.cc32('logical', i32.and(result, mask));
  };

/** A byte of storage is read and replaced as one (interlocked-access facility 2). */
const immediateByte =
  (operation: Operation): Semantics =>
  i => {
    const b = i.let(i.field('i2'));
    const place = i.place(i.address(1), 1, 'interlocked');
    const old = place[`${operation}8`](b);
    i.cc32('logical', i32[operation](old, b));
  };

/** TEST UNDER MASK of a byte: 0 all selected bits are zeros, or none is selected; 1 mixed; 3 all are ones. */
const testByte: Semantics = i => {
  const mask = i.let(i.field('i2'));
  const selected = i.let(i32.and(i.load8(i.address(1)), mask));
  const some = i.let(i32.ne(selected, 0));
  i.setCc(i32.or(some, i32.shl(i32.and(some, i32.eq(selected, mask)), 1)));
};

/** TEST UNDER MASK of a halfword: of mixed bits the leftmost selected one decides between 1 (zero) and 2 (one). */
const testHalfword =
  (shift: 0 | 16, source: Source32): Semantics =>
  i => {
    const mask = i.let(i.field('i2'));
    const selected = i.let(i32.and(i32.shrU(source(i), shift), mask));
    const mixed: I32 = i32.add(i32.gtU(selected, i32.shrU(mask, 1)), 1);
    i.setCc(i32.select(selected, i32.select(i32.eq(selected, mask), 3, mixed), 0));
  };

/** POPULATION COUNT: each byte becomes the number of its ones. */
const populationCount: Semantics = i => {
  const v = i.gr('r2');
  const pairs = i.let(i64.sub(v, i64.and(i64.shrU(v, 1), 0x5555555555555555n)));
  const nibbles = i.let(i64.add(i64.and(pairs, 0x3333333333333333n), i64.and(i64.shrU(pairs, 2), 0x3333333333333333n)));
  const bytes = i.let(i64.and(i64.add(nibbles, i64.shrU(nibbles, 4)), 0x0f0f0f0f0f0f0f0fn));
  i.setGr('r1', bytes);
  i.cc64('logical', bytes);
};

/** FIND LEFTMOST ONE: its position, or 64, and the operand without it. */
const findLeftmostOne: Semantics = i => {
  i.even('r1');
  const v = i.gr('r2');
  const position = i.let(i64.clz(v));
  i.setGr('r1', position);
  // A shift by 64 is one by 0, and then there is nothing to remove.
  i.setGr('r1', i64.and(v, i64.xor(i64.shrU(k64(1n << 63n), position), -1)), 1);
  i.setCc(i32.select(i64.eqz(v), 0, 2));
};

export const logic: readonly Instruction[] = [
  // AND
  insn('NR', 0x14, RR, 'z', logical32('and', low2)),
  insn('NGR', 0xb980, RRE, 'z', logical64('and', whole2)),
  insn('NRK', 0xb9f4, RRF_3, 45, logical32('and', low3, low2)),
  insn('NGRK', 0xb9e4, RRF_3, 45, logical64('and', whole3, whole2)),
  insn('N', 0x54, RX_a, 'z', logical32('and', word)),
  insn('NY', 0xe354, RXY_a, 18, logical32('and', word)),
  insn('NG', 0xe380, RXY_a, 'z', logical64('and', doubleword)),
  insn('NI', 0x94, SI, 'z', immediateByte('and')),
  insn('NIY', 0xeb54, SIY, 18, immediateByte('and')),
  insn('NIHF', 0xc0a, RIL_u, 21, logical32('and', immediate, high1, intoHigh)),
  insn('NILF', 0xc0b, RIL_u, 21, logical32('and', immediate)),
  insn('NIHH', 0xa54, RI_u, 'z', halfwordOf('and', 16, high1, intoHigh)),
  insn('NIHL', 0xa55, RI_u, 'z', halfwordOf('and', 0, high1, intoHigh)),
  insn('NILH', 0xa56, RI_u, 'z', halfwordOf('and', 16, low1, intoLow)),
  insn('NILL', 0xa57, RI_u, 'z', halfwordOf('and', 0, low1, intoLow)),

  // OR
  insn('OR', 0x16, RR, 'z', logical32('or', low2)),
  insn('OGR', 0xb981, RRE, 'z', logical64('or', whole2)),
  insn('ORK', 0xb9f6, RRF_3, 45, logical32('or', low3, low2)),
  insn('OGRK', 0xb9e6, RRF_3, 45, logical64('or', whole3, whole2)),
  insn('O', 0x56, RX_a, 'z', logical32('or', word)),
  insn('OY', 0xe356, RXY_a, 18, logical32('or', word)),
  insn('OG', 0xe381, RXY_a, 'z', logical64('or', doubleword)),
  insn('OI', 0x96, SI, 'z', immediateByte('or')),
  insn('OIY', 0xeb56, SIY, 18, immediateByte('or')),
  insn('OIHF', 0xc0c, RIL_u, 21, logical32('or', immediate, high1, intoHigh)),
  insn('OILF', 0xc0d, RIL_u, 21, logical32('or', immediate)),
  insn('OIHH', 0xa58, RI_u, 'z', halfwordOf('or', 16, high1, intoHigh)),
  insn('OIHL', 0xa59, RI_u, 'z', halfwordOf('or', 0, high1, intoHigh)),
  insn('OILH', 0xa5a, RI_u, 'z', halfwordOf('or', 16, low1, intoLow)),
  insn('OILL', 0xa5b, RI_u, 'z', halfwordOf('or', 0, low1, intoLow)),

  // EXCLUSIVE OR
  insn('XR', 0x17, RR, 'z', logical32('xor', low2)),
  insn('XGR', 0xb982, RRE, 'z', logical64('xor', whole2)),
  insn('XRK', 0xb9f7, RRF_3, 45, logical32('xor', low3, low2)),
  insn('XGRK', 0xb9e7, RRF_3, 45, logical64('xor', whole3, whole2)),
  insn('X', 0x57, RX_a, 'z', logical32('xor', word)),
  insn('XY', 0xe357, RXY_a, 18, logical32('xor', word)),
  insn('XG', 0xe382, RXY_a, 'z', logical64('xor', doubleword)),
  insn('XI', 0x97, SI, 'z', immediateByte('xor')),
  insn('XIY', 0xeb57, SIY, 18, immediateByte('xor')),
  insn('XIHF', 0xc06, RIL_u, 21, logical32('xor', immediate, high1, intoHigh)),
  insn('XILF', 0xc07, RIL_u, 21, logical32('xor', immediate)),

  // TEST UNDER MASK
  insn('TM', 0x91, SI, 'z', testByte),
  insn('TMY', 0xeb51, SIY, 18, testByte),
  insn('TMHH', 0xa72, RI_u, 'z', testHalfword(16, high1)),
  insn('TMHL', 0xa73, RI_u, 'z', testHalfword(0, high1)),
  insn('TMLH', 0xa70, RI_u, 'z', testHalfword(16, low1)),
  insn('TMLL', 0xa71, RI_u, 'z', testHalfword(0, low1)),

  insn('FLOGR', 0xb983, RRE, 21, findLeftmostOne),
  insn('POPCNT', 0xb9e1, RRE, 45, populationCount),
];
