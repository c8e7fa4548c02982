/** Loading general registers (PoP ch. 7, LOAD and INSERT instructions). */

import { i32, i64, k32 } from '../ir/expr.ts';
import {
  RI_a,
  RI_u,
  RIE_g,
  RIL_a,
  RIL_b,
  RIL_u,
  RR,
  RRE,
  RRF_c,
  RS_a,
  RS_b,
  RSY_a,
  RSY_b,
  RSY_bl,
  RX_a,
  RXY_a,
  SS_e,
} from './formats.ts';
import { type Instruction, insn, type RegisterPart, type Semantics } from './insn.ts';
import {
  byte,
  doubleword,
  halfword,
  high1,
  high2,
  immediate,
  intoHigh,
  intoLow,
  low1,
  low2,
  low8,
  low16,
  relativeDoubleword,
  relativeHalfword,
  relativeSignedHalfword,
  relativeWord,
  reversed32,
  reversed64,
  type Source32,
  type Source64,
  selectedBytes,
  setAddress,
  signExtended,
  signed8,
  signed16,
  signedByte,
  signedHalfword,
  signedImmediate,
  type Target32,
  toHigh,
  toLow,
  toWhole,
  underMask,
  usualMasks,
  whole2,
  word,
  zeroExtended,
} from './operands.ts';

/** Bits 1-31 of a word: the "thirty one" instructions. */
const thirtyOne =
  (source: Source32): Source64 =>
  i =>
    i64.fromU(i32.and(source(i), 0x7fffffff));

const loadAndTest32 =
  (source: Source32): Semantics =>
  i => {
    const value = i.let(source(i));
    i.setGr32('r1', value);
    i.cc32('signed', value);
  };
const loadAndTest64 =
  (source: Source64): Semantics =>
  i => {
    const value = i.let(source(i));
    i.setGr('r1', value);
    i.cc64('signed', value);
  };

/** LOAD AND TRAP: a zero is loaded and then causes the exception. */
const loadAndTrap32 =
  (target: Target32): Semantics =>
  i => {
    const value = i.let(word(i));
    target(i, value);
    i.trapIf(i32.eqz(value));
  };
const loadAndTrap64 =
  (source: Source64): Semantics =>
  i => {
    const value = i.let(source(i));
    i.setGr('r1', value);
    i.trapIf(i64.eqz(value));
  };

/** LOAD ON CONDITION from storage, which is not touched without the condition. */
const onCondition =
  (load: Semantics): Semantics =>
  i =>
    i.if(i.condition('m3'), () => load(i));
/** From elsewhere a choice of values is quicker than a branch. */
const chosen32 =
  (source: Source32, get: Source32, target: Target32): Semantics =>
  i => {
    const value = i.let(source(i));
    target(i, i32.select(i.condition('m3'), value, get(i)));
  };
const chosen64 =
  (source: Source64): Semantics =>
  i => {
    const value = i.let(source(i));
    i.setGr('r1', i64.select(i.condition('m3'), value, i.gr('r1')));
  };

/** One of the four halfwords of the register is replaced. */
const insertHalfword =
  (shift: 0 | 16, get: Source32, target: Target32): Semantics =>
  i =>
    target(i, i32.or(i32.and(get(i), shift ? 0xffff : ~0xffff), i32.shl(i.field('i2'), shift)));
/** One of the four halfwords is loaded, the others become zeros. */
const loadHalfword =
  (shift: number): Semantics =>
  i =>
    i.setGr('r1', i64.shl(i64.fromU(i.field('i2')), shift));

/** INSERT CHARACTERS UNDER MASK. With a mask of zeros one byte is still accessed. */
const insertUnderMask =
  (get: Source32, target: Target32): Semantics =>
  i => {
    const address = i.address();
    const whole = (): void => {
      const value = i.load32(address);
      target(i, value);
      i.cc32('signed', value);
    };
    const bytes = (): void => {
      const count = selectedBytes(i);
      const place = i.placeOf(address, i32.or(count, i32.eqz(count)), 'fetch');
      const result = i.variable32(get(i));
      const inserted = i.variable32(k32(0));
      underMask(i, (selected, shift, before) =>
        i.if(selected, () => {
          const value = place.load8(before);
          result.set(i32.or(i32.and(result.get(), ~(0xff << shift)), i32.shl(value, shift)));
          inserted.set(i32.or(i32.shl(inserted.get(), 8), value));
        }),
      );
      target(i, result.get());
      // Left-aligned, the inserted bits have their first as the sign.
      i.cc32('signed', i32.shl(inserted.get(), i32.shl(i32.sub(k32(4), count), 3)));
    };
    i.if(i32.eq(i.field('m3'), 15), whole, bytes);
  };

const insertCharacter: Semantics = i => {
  const value = byte(i);
  i.setGr32('r1', i32.or(i32.and(i.gr32('r1'), ~0xff), value));
};

const loadMultiple =
  (part: RegisterPart): Semantics =>
  i => {
    const size = i32.mul(i.registerCount('r1', 'r3'), part === 'gr' ? 8 : 4);
    i.loadRegisters(i.placeOf(i.address(), size, 'fetch'), part, 'r1', 'r3');
  };
/** What compiled functions and the entry code of kernels end with. */
const epilogues = {
  usual: [...[6, 7, 8, 9, 10, 11, 12, 13, 14, 0].map(r1 => ({ r1, r3: 15 })), { r1: 0, r3: 7 }],
};

export const load: readonly Instruction[] = [
  // LOAD
  insn('LR', 0x18, RR, 'z', toLow(low2)),
  insn('LGR', 0xb904, RRE, 'z', toWhole(whole2)),
  insn('LGFR', 0xb914, RRE, 'z', toWhole(signExtended(low2))),
  insn('L', 0x58, RX_a, 'z', toLow(word)),
  insn('LY', 0xe358, RXY_a, 18, toLow(word)),
  insn('LG', 0xe304, RXY_a, 'z', toWhole(doubleword)),
  insn('LGF', 0xe314, RXY_a, 'z', toWhole(signExtended(word))),
  insn('LGFI', 0xc01, RIL_a, 21, toWhole(signExtended(signedImmediate))),
  insn('LRL', 0xc4d, RIL_b, 34, toLow(relativeWord)),
  insn('LGRL', 0xc48, RIL_b, 34, toWhole(relativeDoubleword)),
  insn('LGFRL', 0xc4c, RIL_b, 34, toWhole(signExtended(relativeWord))),
  insn('LFH', 0xe3ca, RXY_a, 45, toHigh(word)),

  // LOAD ADDRESS
  insn('LA', 0x41, RX_a, 'z', i => setAddress(i, i.address().va)),
  insn('LAY', 0xe371, RXY_a, 18, i => setAddress(i, i.address().va)),
  insn('LARL', 0xc00, RIL_b, 'z', i => setAddress(i, i.relativeAddress('h2').va)),

  // LOAD AND TEST
  insn('LTR', 0x12, RR, 'z', loadAndTest32(low2)),
  insn('LTGR', 0xb902, RRE, 'z', loadAndTest64(whole2)),
  insn('LTGFR', 0xb912, RRE, 'z', loadAndTest64(signExtended(low2))),
  insn('LT', 0xe312, RXY_a, 21, loadAndTest32(word)),
  insn('LTG', 0xe302, RXY_a, 21, loadAndTest64(doubleword)),
  insn('LTGF', 0xe332, RXY_a, 34, loadAndTest64(signExtended(word))),

  // LOAD AND TRAP
  insn('LAT', 0xe39f, RXY_a, 49, loadAndTrap32(intoLow)),
  insn('LGAT', 0xe385, RXY_a, 49, loadAndTrap64(doubleword)),
  insn('LFHAT', 0xe3c8, RXY_a, 49, loadAndTrap32(intoHigh)),
  insn('LLGFAT', 0xe39d, RXY_a, 49, loadAndTrap64(zeroExtended(word))),
  insn('LLGTAT', 0xe39c, RXY_a, 49, loadAndTrap64(thirtyOne(word))),

  // LOAD AND ZERO RIGHTMOST BYTE
  insn('LZRF', 0xe33b, RXY_a, 53, i => i.setGr32('r1', i32.and(word(i), ~0xff))),
  insn('LZRG', 0xe32a, RXY_a, 53, i => i.setGr('r1', i64.and(doubleword(i), ~0xff))),
  insn('LLZRGF', 0xe33a, RXY_a, 53, i => i.setGr('r1', i64.fromU(i32.and(word(i), ~0xff)))),

  // LOAD BYTE
  insn('LBR', 0xb926, RRE, 21, toLow(signed8(low2))),
  insn('LGBR', 0xb906, RRE, 21, toWhole(signExtended(signed8(low2)))),
  insn('LB', 0xe376, RXY_a, 18, toLow(signedByte)),
  insn('LGB', 0xe377, RXY_a, 18, toWhole(signExtended(signedByte))),
  insn('LBH', 0xe3c0, RXY_a, 45, toHigh(signedByte)),

  // LOAD HALFWORD
  insn('LHR', 0xb927, RRE, 21, toLow(signed16(low2))),
  insn('LGHR', 0xb907, RRE, 21, toWhole(signExtended(signed16(low2)))),
  insn('LH', 0x48, RX_a, 'z', toLow(signedHalfword)),
  insn('LHY', 0xe378, RXY_a, 18, toLow(signedHalfword)),
  insn('LGH', 0xe315, RXY_a, 'z', toWhole(signExtended(signedHalfword))),
  insn('LHI', 0xa78, RI_a, 'z', toLow(signedImmediate)),
  insn('LGHI', 0xa79, RI_a, 'z', toWhole(signExtended(signedImmediate))),
  insn('LHRL', 0xc45, RIL_b, 34, toLow(relativeSignedHalfword)),
  insn('LGHRL', 0xc44, RIL_b, 34, toWhole(signExtended(relativeSignedHalfword))),
  insn('LHH', 0xe3c4, RXY_a, 45, toHigh(signedHalfword)),

  // LOAD LOGICAL
  insn('LLGFR', 0xb916, RRE, 'z', toWhole(zeroExtended(low2))),
  insn('LLGF', 0xe316, RXY_a, 'z', toWhole(zeroExtended(word))),
  insn('LLGFRL', 0xc4e, RIL_b, 34, toWhole(zeroExtended(relativeWord))),
  insn('LLGTR', 0xb917, RRE, 'z', toWhole(thirtyOne(low2))),
  insn('LLGT', 0xe317, RXY_a, 'z', toWhole(thirtyOne(word))),
  insn('LLCR', 0xb994, RRE, 21, toLow(low8(low2))),
  insn('LLGCR', 0xb984, RRE, 21, toWhole(zeroExtended(low8(low2)))),
  insn('LLC', 0xe394, RXY_a, 21, toLow(byte)),
  insn('LLGC', 0xe390, RXY_a, 'z', toWhole(zeroExtended(byte))),
  insn('LLCH', 0xe3c2, RXY_a, 45, toHigh(byte)),
  insn('LLHR', 0xb995, RRE, 21, toLow(low16(low2))),
  insn('LLGHR', 0xb985, RRE, 21, toWhole(zeroExtended(low16(low2)))),
  insn('LLH', 0xe395, RXY_a, 21, toLow(halfword)),
  insn('LLGH', 0xe391, RXY_a, 'z', toWhole(zeroExtended(halfword))),
  insn('LLHRL', 0xc42, RIL_b, 34, toLow(relativeHalfword)),
  insn('LLGHRL', 0xc46, RIL_b, 34, toWhole(zeroExtended(relativeHalfword))),
  insn('LLHH', 0xe3c6, RXY_a, 45, toHigh(halfword)),
  insn('LLIHF', 0xc0e, RIL_u, 21, i => i.setGr('r1', i64.shl(i64.fromU(i.field('i2')), 32))),
  insn('LLILF', 0xc0f, RIL_u, 21, toWhole(zeroExtended(immediate))),
  insn('LLIHH', 0xa5c, RI_u, 'z', loadHalfword(48)),
  insn('LLIHL', 0xa5d, RI_u, 'z', loadHalfword(32)),
  insn('LLILH', 0xa5e, RI_u, 'z', loadHalfword(16)),
  insn('LLILL', 0xa5f, RI_u, 'z', loadHalfword(0)),

  // LOAD MULTIPLE
  insn('LM', 0x98, RS_a, 'z', loadMultiple('gr32')),
  insn('LMY', 0xeb98, RSY_a, 18, loadMultiple('gr32')),
  insn('LMG', 0xeb04, RSY_a, 'z', loadMultiple('gr'), epilogues),
  insn('LMH', 0xeb96, RSY_a, 'z', loadMultiple('grHigh')),
  insn('LMD', 0xef, SS_e, 'z', i => {
    const size = i32.shl(i.registerCount('r1', 'r3'), 2);
    const high = i.placeOf(i.address(2), size, 'fetch');
    const low = i.placeOf(i.address(4), size, 'fetch');
    i.loadRegisters(high, 'grHigh', 'r1', 'r3');
    i.loadRegisters(low, 'gr32', 'r1', 'r3');
  }),

  // LOAD ON CONDITION
  insn('LOCR', 0xb9f2, RRF_c, 45, chosen32(low2, low1, intoLow)),
  insn('LOCGR', 0xb9e2, RRF_c, 45, chosen64(whole2)),
  insn('LOC', 0xebf2, RSY_bl, 45, onCondition(toLow(word))),
  insn('LOCG', 0xebe2, RSY_bl, 45, onCondition(toWhole(doubleword))),
  insn('LOCHI', 0xec42, RIE_g, 53, chosen32(signedImmediate, low1, intoLow)),
  insn('LOCGHI', 0xec46, RIE_g, 53, chosen64(signExtended(signedImmediate))),
  insn('LOCHHI', 0xec4e, RIE_g, 53, chosen32(signedImmediate, high1, intoHigh)),
  insn('LOCFHR', 0xb9e0, RRF_c, 53, chosen32(high2, high1, intoHigh)),
  insn('LOCFH', 0xebe0, RSY_bl, 53, onCondition(toHigh(word))),

  // LOAD PAIR FROM QUADWORD
  insn('LPQ', 0xe38f, RXY_a, 'z', i => {
    i.even('r1');
    const address = i.address();
    i.aligned(address, 16);
    const place = i.place(address, 16, 'fetch');
    const [left, right] = place.loadPair();
    i.setGr('r1', left);
    i.setGr('r1', right, 1);
  }),

  // LOAD REVERSED
  insn('LRVR', 0xb91f, RRE, 'z', i => i.setGr32('r1', reversed32(i, low2(i)))),
  insn('LRVGR', 0xb90f, RRE, 'z', i => i.setGr('r1', reversed64(i, whole2(i)))),
  insn('LRVH', 0xe31f, RXY_a, 'z', i => {
    const value = halfword(i);
    const swapped = i32.or(i32.shrU(value, 8), i32.shl(i32.and(value, 0xff), 8));
    i.setGr32('r1', i32.or(i32.and(i.gr32('r1'), ~0xffff), swapped));
  }),
  insn('LRV', 0xe31e, RXY_a, 'z', i => i.setGr32('r1', reversed32(i, word(i)))),
  insn('LRVG', 0xe30f, RXY_a, 'z', i => i.setGr('r1', reversed64(i, doubleword(i)))),

  // INSERT
  insn('IC', 0x43, RX_a, 'z', insertCharacter),
  insn('ICY', 0xe373, RXY_a, 18, insertCharacter),
  insn('ICM', 0xbf, RS_b, 'z', insertUnderMask(low1, intoLow), usualMasks(15, 8, 7, 3, 1)),
  insn('ICMY', 0xeb81, RSY_b, 18, insertUnderMask(low1, intoLow)),
  insn('ICMH', 0xeb80, RSY_b, 'z', insertUnderMask(high1, intoHigh)),
  insn('IIHF', 0xc08, RIL_u, 21, toHigh(immediate)),
  insn('IILF', 0xc09, RIL_u, 21, toLow(immediate)),
  insn('IIHH', 0xa50, RI_u, 'z', insertHalfword(16, high1, intoHigh)),
  insn('IIHL', 0xa51, RI_u, 'z', insertHalfword(0, high1, intoHigh)),
  insn('IILH', 0xa52, RI_u, 'z', insertHalfword(16, low1, intoLow)),
  insn('IILL', 0xa53, RI_u, 'z', insertHalfword(0, low1, intoLow)),
];
