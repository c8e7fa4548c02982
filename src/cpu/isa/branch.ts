/** Branch instructions and EXECUTE (PoP ch. 7). */

import { type I32, type I64, i32, i64, k32 } from '../ir/expr.ts';
import { branchAndSaveAndSetMode, branchAndSetMode } from '../millicode/branch.ts';
import { traceLink } from '../millicode/tracing.ts';
import * as state from '../state.ts';
import {
  IE,
  MII,
  RI_b,
  RI_c,
  RIE_b,
  RIE_c,
  RIE_cu,
  RIE_e,
  RIL_b,
  RIL_c,
  RIS,
  RIS_u,
  RR,
  RR_m,
  RRE,
  RRS,
  RS_a,
  RSI,
  RSY_a,
  RX_a,
  RX_b,
  RXY_a,
  RXY_b,
  SMI,
} from './formats.ts';
import { type Insn, type Instruction, insn, type Semantics } from './insn.ts';

type Target = (i: Insn) => I64;

const storageTarget =
  (operand: 2 | 4): Target =>
  i =>
    i.address(operand).va;
const relativeTarget =
  (field: string): Target =>
  i =>
    i.relative(field);
/** General register R2; if the field is zero there is no branch, whatever the address says. */
const registerTarget: Target = i => i.toAddress(i.gr('r2'));
const registerGiven = (i: Insn): I32 => i32.ne(i.field('r2'), 0);

/** The operand of the 64-bit form of an instruction, or of the 32-bit one. */
interface Width {
  readonly get: (i: Insn, register: string, next?: number) => I64;
  readonly set: (i: Insn, register: string, value: I64) => void;
}
const WORD: Width = {
  get: (i, register, next) => i64.fromS(i.gr32(register, next)),
  set: (i, register, value) => i.setGr32(register, i32.wrap(value)),
};
const HIGH: Width = {
  get: (i, register, next) => i64.fromS(i.grHigh(register, next)),
  set: (i, register, value) => i.setGrHigh(register, i32.wrap(value)),
};
const DOUBLEWORD: Width = {
  get: (i, register, next) => i.gr(register, next),
  set: (i, register, value) => i.setGr(register, value),
};

// Branch and link

/** Link information of BAS and BRAS: the address of the next instruction, in 31-bit mode with bit 32 one. */
function saveLink(i: Insn): void {
  const mode = i.addressingMode();
  const next = i.let(i.next());
  i.if(
    i32.eq(mode, 3),
    () => i.setGr('r1', next),
    () => i.setGr32('r1', i32.or(i32.wrap(next), i32.shl(mode, 31))),
  );
}

/** Link information of BAL: in 24-bit mode bits 32-39 are the instruction-length code, condition code and program mask. */
function linkWithProgramMask(i: Insn, length: number): void {
  const mode = i.addressingMode();
  const executing = i.state32(state.EXECUTING);
  const halfwords = i32.shrU(i32.select(executing, i32.shrU(executing, 8), length), 1);
  const programMask = i32.and(i32.wrap(i64.shrU(i.state64(state.PSW_MASK), 40)), 0xf);
  const high = i32.or(i32.or(i32.shl(halfwords, 6), i32.shl(i.cc(), 4)), programMask);
  const next = i.let(i.next());
  i.if(
    i32.eqz(mode),
    () => i.setGr32('r1', i32.or(i32.shl(high, 24), i32.wrap(next))),
    () => saveLink(i),
  );
}

const ALWAYS = k32(1);

const branchAndLink =
  (target: Target, condition: (i: Insn) => I32, link: (i: Insn) => void): Semantics =>
  i => {
    const to = i.let(target(i));
    if (target === registerTarget) i.traceBranch(condition(i), to, traceLink);
    link(i);
    i.branch(condition(i), to);
  };

// Loops

const branchOnCount =
  (width: Width, target: Target, condition: (i: Insn) => I32 = () => ALWAYS): Semantics =>
  i => {
    const to = i.let(target(i));
    const given = condition(i);
    const count = i.let(i64.sub(width.get(i, 'r1'), 1));
    width.set(i, 'r1', count);
    // The upper half of a word's count is only its sign.
    const rest = width === DOUBLEWORD ? i64.ne(count, 0) : i32.ne(i32.wrap(count), 0);
    i.branch(given === ALWAYS ? rest : i32.and(rest, given), to);
  };

/** BXH and its kind: R1 + R3 against the odd register of the pair that R3 belongs to. */
const branchOnIndex =
  (width: Width, compare: 'gtS' | 'leS', target: Target): Semantics =>
  i => {
    const to = i.let(target(i));
    const increment = width.get(i, 'r3');
    const limit = i.let(i64.select(i32.and(i.field('r3'), 1), increment, width.get(i, 'r3', 1)));
    const sum = i64.add(width.get(i, 'r1'), increment);
    const index = i.let(width === WORD ? i64.extend32(sum) : sum);
    width.set(i, 'r1', index);
    i.branch(i64[compare](index, limit), to);
  };

// Compare and branch

type Kind = 'signed' | 'unsigned';

const compareAndBranch32 =
  (kind: Kind, second: (i: Insn) => I32, target: Target): Semantics =>
  i => {
    const condition = i.let(i.compare32(kind, 'm3', i.gr32('r1'), second(i)));
    i.branch(condition, target(i));
  };
const compareAndBranch64 =
  (kind: Kind, second: (i: Insn) => I64, target: Target): Semantics =>
  i => {
    const condition = i.let(i.compare64(kind, 'm3', i.gr('r1'), second(i)));
    i.branch(condition, target(i));
  };
const register32 = (i: Insn): I32 => i.gr32('r2');
const register64 = (i: Insn): I64 => i.gr('r2');
const signed32 = (i: Insn): I32 => i.signed('s2');
const signed64 = (i: Insn): I64 => i64.fromS(i.signed('s2'));
const unsigned32 = (i: Insn): I32 => i.field('i2');
const unsigned64 = (i: Insn): I64 => i64.fromU(i.field('i2'));
const toFourth = storageTarget(4);
const byFourth = relativeTarget('h4');

const hint: Semantics = () => {};

/** A row of an instruction that calls `branch`. */
const jump: typeof insn = (mnemonic, opcode, format, facility, semantics) =>
  insn(mnemonic, opcode, format, facility, semantics, { branches: true });

export const branch: readonly Instruction[] = [
  jump('BC', 0x47, RX_b, 'z', i => i.branch(i.condition('m1'), i.address().va)),
  // With R2 zero, masks 14 and 15 serialize.
  jump('BCR', 0x07, RR_m, 'z', i =>
    i.branch(i32.and(i.condition('m1'), registerGiven(i)), registerTarget(i), () =>
      i.serialize(i32.and(i32.eqz(registerGiven(i)), i32.geU(i.field('m1'), 14))),
    ),
  ),
  jump('BRC', 0xa74, RI_c, 'z', i => i.branch(i.condition('m1'), i.relative('h2'))),
  jump('BRCL', 0xc04, RIL_c, 'z', i => i.branch(i.condition('m1'), i.relative('h2'))),
  jump('BIC', 0xe347, RXY_b, 58, i => {
    const target = i.load64(i.address());
    i.branch(i.condition('m1'), i.toAddress(target));
  }),

  jump(
    'BAL',
    0x45,
    RX_a,
    'z',
    branchAndLink(
      storageTarget(2),
      () => ALWAYS,
      i => linkWithProgramMask(i, 4),
    ),
  ),
  jump(
    'BALR',
    0x05,
    RR,
    'z',
    branchAndLink(registerTarget, registerGiven, i => linkWithProgramMask(i, 2)),
  ),
  jump(
    'BAS',
    0x4d,
    RX_a,
    'z',
    branchAndLink(storageTarget(2), () => ALWAYS, saveLink),
  ),
  jump('BASR', 0x0d, RR, 'z', branchAndLink(registerTarget, registerGiven, saveLink)),
  jump(
    'BRAS',
    0xa75,
    RI_b,
    'z',
    branchAndLink(relativeTarget('h2'), () => ALWAYS, saveLink),
  ),
  jump(
    'BRASL',
    0xc05,
    RIL_b,
    'z',
    branchAndLink(relativeTarget('h2'), () => ALWAYS, saveLink),
  ),
  insn('BASSM', 0x0c, RR, 'z', i => i.millicode(branchAndSaveAndSetMode)),
  insn('BSM', 0x0b, RR, 'z', i => i.millicode(branchAndSetMode)),

  jump('BCT', 0x46, RX_a, 'z', branchOnCount(WORD, storageTarget(2))),
  jump('BCTR', 0x06, RR, 'z', branchOnCount(WORD, registerTarget, registerGiven)),
  jump('BCTG', 0xe346, RXY_a, 'z', branchOnCount(DOUBLEWORD, storageTarget(2))),
  jump('BCTGR', 0xb946, RRE, 'z', branchOnCount(DOUBLEWORD, registerTarget, registerGiven)),
  jump('BRCT', 0xa76, RI_b, 'z', branchOnCount(WORD, relativeTarget('h2'))),
  jump('BRCTG', 0xa77, RI_b, 'z', branchOnCount(DOUBLEWORD, relativeTarget('h2'))),
  jump('BRCTH', 0xcc6, RIL_b, 45, branchOnCount(HIGH, relativeTarget('h2'))),

  jump('BXH', 0x86, RS_a, 'z', branchOnIndex(WORD, 'gtS', storageTarget(2))),
  jump('BXLE', 0x87, RS_a, 'z', branchOnIndex(WORD, 'leS', storageTarget(2))),
  jump('BXHG', 0xeb44, RSY_a, 'z', branchOnIndex(DOUBLEWORD, 'gtS', storageTarget(2))),
  jump('BXLEG', 0xeb45, RSY_a, 'z', branchOnIndex(DOUBLEWORD, 'leS', storageTarget(2))),
  jump('BRXH', 0x84, RSI, 'z', branchOnIndex(WORD, 'gtS', relativeTarget('h2'))),
  jump('BRXLE', 0x85, RSI, 'z', branchOnIndex(WORD, 'leS', relativeTarget('h2'))),
  jump('BRXHG', 0xec44, RIE_e, 'z', branchOnIndex(DOUBLEWORD, 'gtS', relativeTarget('h2'))),
  jump('BRXLG', 0xec45, RIE_e, 'z', branchOnIndex(DOUBLEWORD, 'leS', relativeTarget('h2'))),

  jump('CRB', 0xecf6, RRS, 34, compareAndBranch32('signed', register32, toFourth)),
  jump('CGRB', 0xece4, RRS, 34, compareAndBranch64('signed', register64, toFourth)),
  jump('CRJ', 0xec76, RIE_b, 34, compareAndBranch32('signed', register32, byFourth)),
  jump('CGRJ', 0xec64, RIE_b, 34, compareAndBranch64('signed', register64, byFourth)),
  jump('CIB', 0xecfe, RIS, 34, compareAndBranch32('signed', signed32, toFourth)),
  jump('CGIB', 0xecfc, RIS, 34, compareAndBranch64('signed', signed64, toFourth)),
  jump('CIJ', 0xec7e, RIE_c, 34, compareAndBranch32('signed', signed32, byFourth)),
  jump('CGIJ', 0xec7c, RIE_c, 34, compareAndBranch64('signed', signed64, byFourth)),
  jump('CLRB', 0xecf7, RRS, 34, compareAndBranch32('unsigned', register32, toFourth)),
  jump('CLGRB', 0xece5, RRS, 34, compareAndBranch64('unsigned', register64, toFourth)),
  jump('CLRJ', 0xec77, RIE_b, 34, compareAndBranch32('unsigned', register32, byFourth)),
  jump('CLGRJ', 0xec65, RIE_b, 34, compareAndBranch64('unsigned', register64, byFourth)),
  jump('CLIB', 0xecff, RIS_u, 34, compareAndBranch32('unsigned', unsigned32, toFourth)),
  jump('CLGIB', 0xecfd, RIS_u, 34, compareAndBranch64('unsigned', unsigned64, toFourth)),
  jump('CLIJ', 0xec7f, RIE_cu, 34, compareAndBranch32('unsigned', unsigned32, byFourth)),
  jump('CLGIJ', 0xec7d, RIE_cu, 34, compareAndBranch64('unsigned', unsigned64, byFourth)),

  insn('EX', 0x44, RX_a, 'z', i => i.execute(i.address(), 'r1'), { notExecutable: true }),
  insn('EXRL', 0xc60, RIL_b, 35, i => i.execute(i.relativeAddress('h2'), 'r1'), { notExecutable: true }),

  insn('BPP', 0xc7, SMI, 49, hint),
  insn('BPRP', 0xc5, MII, 49, hint),
  insn('NIAI', 0xb2fa, IE, 49, hint),
];
