/**
 * Floating-point-support instructions (PoP ch. 9): floating-point registers moved as they are, whatever their format,
 * and the floating-point-control register.
 */

import { type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import { loadFpcAndSignal, setFpcAndSignal } from '../millicode/fpc.ts';
import * as state from '../state.ts';
import { RR_f, RRE_1, RRE_f, RRE_f1, RRE_fr, RRE_rf, RRF_f3, RX_f, RXY_f, S } from './formats.ts';
import { type Conditions, type Insn, type Instruction, insn, type Semantics } from './insn.ts';

const SIGN = 1n << 63n;

const register: Conditions = { additionalFloatingPoint: 'register' };
const bfp: Conditions = { additionalFloatingPoint: 'bfp' };
const dfp: Conditions = { additionalFloatingPoint: 'dfp' };

const loadLong: Semantics = i => i.setFpr64('f1', i.load64(i.address()));
const loadShort: Semantics = i => i.setFpr32('f1', i.load32(i.address()));
const storeLong: Semantics = i => i.store64(i.address(), i.fpr64('f1'));
const storeShort: Semantics = i => i.store32(i.address(), i.fpr32('f1'));

/** F1 becomes F2 with another sign. */
const signed =
  (sign: (bits: I64) => I64): Semantics =>
  i =>
    i.setFpr64('f1', sign(i.fpr64('f2')));

/** SPECIFICATION unless every bit that is one is supported and the BFP rounding mode is valid: 0-3 or 7. */
function validate(i: Insn, fpc: I32): void {
  const reserved = i32.and(fpc, 0x0303_0088);
  const valid = i32.and(i32.shrU(k32(0b1000_1111), i32.and(fpc, 7)), 1);
  i.programIf(i32.or(reserved, i32.eqz(valid)), 6);
}
function setFpc(i: Insn, fpc: I32): void {
  validate(i, fpc);
  i.setState32(state.FPC, fpc);
}

/** The operand is the second-operand address, not what is there. */
const setRoundingMode =
  (mode: (i: Insn, operand: I32) => I32): Semantics =>
  i => {
    const value = mode(i, i.let(i32.wrap(i.address().va)));
    i.setState32(state.FPC, i32.or(i32.and(i.state32(state.FPC), ~7), value));
  };

export const fps: readonly Instruction[] = [
  // LOAD
  insn('LER', 0x38, RR_f, 'z', i => i.setFpr32('f1', i.fpr32('f2')), register),
  insn('LDR', 0x28, RR_f, 'z', i => i.setFpr64('f1', i.fpr64('f2')), register),
  insn(
    'LXR',
    0xb365,
    RRE_f,
    'z',
    i => {
      i.floatingPair('f1');
      i.floatingPair('f2');
      const right = i.fpr64('f2', 2);
      i.setFpr64('f1', i.fpr64('f2'));
      i.setFpr64('f1', right, 2);
    },
    register,
  ),
  insn('LE', 0x78, RX_f, 'z', loadShort, register),
  insn('LD', 0x68, RX_f, 'z', loadLong, register),
  insn('LEY', 0xed64, RXY_f, 18, loadShort, register),
  insn('LDY', 0xed65, RXY_f, 18, loadLong, register),

  // STORE
  insn('STE', 0x70, RX_f, 'z', storeShort, register),
  insn('STD', 0x60, RX_f, 'z', storeLong, register),
  insn('STEY', 0xed66, RXY_f, 18, storeShort, register),
  insn('STDY', 0xed67, RXY_f, 18, storeLong, register),

  // LOAD ZERO
  insn('LZER', 0xb374, RRE_f1, 'z', i => i.setFpr32('f1', k32(0)), register),
  insn('LZDR', 0xb375, RRE_f1, 'z', i => i.setFpr64('f1', k64(0)), register),
  insn(
    'LZXR',
    0xb376,
    RRE_f1,
    'z',
    i => {
      i.floatingPair('f1');
      i.setFpr64('f1', k64(0));
      i.setFpr64('f1', k64(0), 2);
    },
    register,
  ),

  // LOAD FPR FROM GR, LOAD GR FROM FPR
  insn('LDGR', 0xb3c1, RRE_fr, 41, i => i.setFpr64('f1', i.gr('r2')), register),
  insn('LGDR', 0xb3cd, RRE_rf, 41, i => i.setGr('r1', i.fpr64('f2')), register),

  // COPY SIGN; LOAD COMPLEMENT, NEGATIVE, POSITIVE without a condition code
  insn(
    'CPSDR',
    0xb372,
    RRF_f3,
    41,
    i => i.setFpr64('f1', i64.or(i64.and(i.fpr64('f3'), SIGN), i64.and(i.fpr64('f2'), ~SIGN))),
    register,
  ),
  insn(
    'LPDFR',
    0xb370,
    RRE_f,
    41,
    signed(bits => i64.and(bits, ~SIGN)),
    register,
  ),
  insn(
    'LNDFR',
    0xb371,
    RRE_f,
    41,
    signed(bits => i64.or(bits, SIGN)),
    register,
  ),
  insn(
    'LCDFR',
    0xb373,
    RRE_f,
    41,
    signed(bits => i64.xor(bits, SIGN)),
    register,
  ),

  // The floating-point-control register
  insn('EFPC', 0xb38c, RRE_1, 'z', i => i.setGr32('r1', i.state32(state.FPC)), bfp),
  insn('SFPC', 0xb384, RRE_1, 'z', i => setFpc(i, i.gr32('r1')), bfp),
  insn('LFPC', 0xb29d, S, 'z', i => setFpc(i, i.load32(i.address())), bfp),
  insn('STFPC', 0xb29c, S, 'z', i => i.store32(i.address(), i.state32(state.FPC)), bfp),
  insn(
    'SRNM',
    0xb299,
    S,
    'z',
    setRoundingMode((_, operand) => i32.and(operand, 3)),
    bfp,
  ),
  insn(
    'SRNMB',
    0xb2b8,
    S,
    37,
    setRoundingMode((i, operand) => {
      const mode = i.let(i32.and(operand, 0xff));
      const valid = i32.and(i32.shrU(k32(0b1000_1111), mode), 1);
      i.programIf(i32.or(i32.gtU(mode, 7), i32.eqz(valid)), 6);
      return mode;
    }),
    bfp,
  ),
  insn(
    'SFASR',
    0xb385,
    RRE_1,
    41,
    i => {
      validate(i, i.gr32('r1'));
      i.millicode(setFpcAndSignal);
    },
    dfp,
  ),
  insn(
    'LFAS',
    0xb2bd,
    S,
    41,
    i => {
      const fpc = i.load32(i.address());
      validate(i, fpc);
      i.setState32(state.SCRATCH, fpc);
      i.millicode(loadFpcAndSignal);
    },
    dfp,
  ),
];
