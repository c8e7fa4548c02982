/** Comparisons of integers (PoP ch. 7, COMPARE, COMPARE LOGICAL, COMPARE AND TRAP). */

import { type I32, i32, k32 } from '../ir/expr.ts';
import {
  RI_a,
  RIE_a,
  RIE_au,
  RIL_a,
  RIL_b,
  RIL_u,
  RR,
  RRE,
  RRF_c,
  RS_b,
  RSY_b,
  RX_a,
  RXY_a,
  SI,
  SIL,
  SIL_u,
  SIY,
} from './formats.ts';
import { type Instruction, insn, type Semantics } from './insn.ts';
import {
  doubleword,
  high1,
  high2,
  immediate,
  low1,
  low2,
  relativeDoubleword,
  relativeHalfword,
  relativeSignedHalfword,
  relativeWord,
  type Source32,
  type Source64,
  selectedBytes,
  signExtended,
  signedHalfword,
  signedImmediate,
  underMask,
  usualMasks,
  whole1,
  whole2,
  word,
  zeroExtended,
} from './operands.ts';

type Kind = 'signed' | 'unsigned';

const compare32 =
  (kind: Kind, second: Source32, first = low1): Semantics =>
  i => {
    const b = i.let(second(i));
    i.cc32(kind, first(i), b);
  };
const compare64 =
  (kind: Kind, second: Source64, first = whole1): Semantics =>
  i => {
    const b = i.let(second(i));
    i.cc64(kind, first(i), b);
  };

const signed32 = (second: Source32, first = low1): Semantics => compare32('signed', second, first);
const signed64 = (second: Source64, first = whole1): Semantics => compare64('signed', second, first);
const logical32 = (second: Source32, first = low1): Semantics => compare32('unsigned', second, first);
const logical64 = (second: Source64, first = whole1): Semantics => compare64('unsigned', second, first);

// First operands in storage
const byte1: Source32 = i => i.load8(i.address(1));
const halfword1: Source32 = i => i.load16(i.address(1));
const signedHalfword1: Source32 = i => i.load16s(i.address(1));
const word1: Source32 = i => i.load32(i.address(1));
const doubleword1: Source64 = i => i.load64(i.address(1));

/** COMPARE LOGICAL CHARACTERS UNDER MASK. With a mask of zeros one byte is still accessed. */
const underMaskOf =
  (register: Source32): Semantics =>
  i => {
    const count = i.let(selectedBytes(i));
    const place = i.placeOf(i.address(), i.let(i32.or(count, i32.eqz(count))), 'fetch');
    const value = register(i);
    const a = i.variable32(k32(0));
    const b = i.variable32(k32(0));
    const append = (to: typeof a, next: I32): void => to.set(i32.or(i32.shl(to.get(), 8), next));
    underMask(i, (selected, shift, before) =>
      i.if(selected, () => {
        append(a, i32.and(i32.shrU(value, shift), 0xff));
        append(b, place.load8(before));
      }),
    );
    i.cc32('unsigned', a.get(), b.get());
  };

const trap32 =
  (kind: Kind, second: Source32): Semantics =>
  i => {
    const b = i.let(second(i));
    i.trapIf(i.compare32(kind, 'm3', i.gr32('r1'), b));
  };
const trap64 =
  (kind: Kind, second: Source64): Semantics =>
  i => {
    const b = i.let(second(i));
    i.trapIf(i.compare64(kind, 'm3', i.gr('r1'), b));
  };

export const compare: readonly Instruction[] = [
  // COMPARE
  insn('CR', 0x19, RR, 'z', signed32(low2)),
  insn('CGR', 0xb920, RRE, 'z', signed64(whole2)),
  insn('CGFR', 0xb930, RRE, 'z', signed64(signExtended(low2))),
  insn('C', 0x59, RX_a, 'z', signed32(word)),
  insn('CY', 0xe359, RXY_a, 18, signed32(word)),
  insn('CG', 0xe320, RXY_a, 'z', signed64(doubleword)),
  insn('CGF', 0xe330, RXY_a, 'z', signed64(signExtended(word))),
  insn('CFI', 0xc2d, RIL_a, 21, signed32(signedImmediate)),
  insn('CGFI', 0xc2c, RIL_a, 21, signed64(signExtended(signedImmediate))),
  insn('CRL', 0xc6d, RIL_b, 34, signed32(relativeWord)),
  insn('CGRL', 0xc68, RIL_b, 34, signed64(relativeDoubleword)),
  insn('CGFRL', 0xc6c, RIL_b, 34, signed64(signExtended(relativeWord))),
  insn('CH', 0x49, RX_a, 'z', signed32(signedHalfword)),
  insn('CHY', 0xe379, RXY_a, 18, signed32(signedHalfword)),
  insn('CGH', 0xe334, RXY_a, 34, signed64(signExtended(signedHalfword))),
  insn('CHI', 0xa7e, RI_a, 'z', signed32(signedImmediate)),
  insn('CGHI', 0xa7f, RI_a, 'z', signed64(signExtended(signedImmediate))),
  insn('CHHSI', 0xe554, SIL, 34, signed32(signedImmediate, signedHalfword1)),
  insn('CHSI', 0xe55c, SIL, 34, signed32(signedImmediate, word1)),
  insn('CGHSI', 0xe558, SIL, 34, signed64(signExtended(signedImmediate), doubleword1)),
  insn('CHRL', 0xc65, RIL_b, 34, signed32(relativeSignedHalfword)),
  insn('CGHRL', 0xc64, RIL_b, 34, signed64(signExtended(relativeSignedHalfword))),
  insn('CHHR', 0xb9cd, RRE, 45, signed32(high2, high1)),
  insn('CHLR', 0xb9dd, RRE, 45, signed32(low2, high1)),
  insn('CHF', 0xe3cd, RXY_a, 45, signed32(word, high1)),
  insn('CIH', 0xccd, RIL_a, 45, signed32(signedImmediate, high1)),

  // COMPARE LOGICAL
  insn('CLR', 0x15, RR, 'z', logical32(low2)),
  insn('CLGR', 0xb921, RRE, 'z', logical64(whole2)),
  insn('CLGFR', 0xb931, RRE, 'z', logical64(zeroExtended(low2))),
  insn('CL', 0x55, RX_a, 'z', logical32(word)),
  insn('CLY', 0xe355, RXY_a, 18, logical32(word)),
  insn('CLG', 0xe321, RXY_a, 'z', logical64(doubleword)),
  insn('CLGF', 0xe331, RXY_a, 'z', logical64(zeroExtended(word))),
  insn('CLI', 0x95, SI, 'z', logical32(immediate, byte1)),
  insn('CLIY', 0xeb55, SIY, 18, logical32(immediate, byte1)),
  insn('CLFI', 0xc2f, RIL_u, 21, logical32(immediate)),
  insn('CLGFI', 0xc2e, RIL_u, 21, logical64(zeroExtended(immediate))),
  insn('CLHHSI', 0xe555, SIL_u, 34, logical32(immediate, halfword1)),
  insn('CLFHSI', 0xe55d, SIL_u, 34, logical32(immediate, word1)),
  insn('CLGHSI', 0xe559, SIL_u, 34, logical64(zeroExtended(immediate), doubleword1)),
  insn('CLRL', 0xc6f, RIL_b, 34, logical32(relativeWord)),
  insn('CLGRL', 0xc6a, RIL_b, 34, logical64(relativeDoubleword)),
  insn('CLGFRL', 0xc6e, RIL_b, 34, logical64(zeroExtended(relativeWord))),
  insn('CLHRL', 0xc67, RIL_b, 34, logical32(relativeHalfword)),
  insn('CLGHRL', 0xc66, RIL_b, 34, logical64(zeroExtended(relativeHalfword))),
  insn('CLHHR', 0xb9cf, RRE, 45, logical32(high2, high1)),
  insn('CLHLR', 0xb9df, RRE, 45, logical32(low2, high1)),
  insn('CLHF', 0xe3cf, RXY_a, 45, logical32(word, high1)),
  insn('CLIH', 0xccf, RIL_u, 45, logical32(immediate, high1)),
  insn('CLM', 0xbd, RS_b, 'z', underMaskOf(low1), usualMasks(15, 7, 3, 1)),
  insn('CLMY', 0xeb21, RSY_b, 18, underMaskOf(low1)),
  insn('CLMH', 0xeb20, RSY_b, 'z', underMaskOf(high1)),

  // COMPARE AND TRAP
  insn('CRT', 0xb972, RRF_c, 34, trap32('signed', low2)),
  insn('CGRT', 0xb960, RRF_c, 34, trap64('signed', whole2)),
  insn('CIT', 0xec72, RIE_a, 34, trap32('signed', signedImmediate)),
  insn('CGIT', 0xec70, RIE_a, 34, trap64('signed', signExtended(signedImmediate))),
  insn('CLRT', 0xb973, RRF_c, 34, trap32('unsigned', low2)),
  insn('CLGRT', 0xb961, RRF_c, 34, trap64('unsigned', whole2)),
  insn('CLFIT', 0xec73, RIE_au, 34, trap32('unsigned', immediate)),
  insn('CLGIT', 0xec71, RIE_au, 34, trap64('unsigned', zeroExtended(immediate))),
  insn('CLT', 0xeb23, RSY_b, 49, trap32('unsigned', word)),
  insn('CLGT', 0xeb2b, RSY_b, 49, trap64('unsigned', doubleword)),
];
