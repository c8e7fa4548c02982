/**
 * Replacing the PSW and control registers (PoP ch. 10), as the fast program has it: where the new PSW lets that go on -
 * 64-bit addressing, no access-register mode, no PER, no wait -, the TLB has contexts for the spaces that it selects, and
 * nothing that is pending becomes enabled. A routine gives 0, the PSW in the CPU's block being the new one, or
 * BY_MILLICODE and has changed nothing.
 */

import { CONTROLS, KEY_CHANGE, KEY_REFERENCE, PSW_DAT_HIGH, REAL_CONTROLS } from '../../dat.ts';
import {
  PSW_EXTERNAL,
  PSW_IO,
  PSW_MACHINE_CHECK,
  RESERVED_HIGH,
  SVC,
  SVC_CODE,
  SWITCHING,
} from '../../interruptions.ts';
import { loadOp, storeOp } from '../../ir/code.ts';
import * as x from '../../ir/expr.ts';
import { type I32, type I64, i32, i64, k32, k64 } from '../../ir/expr.ts';
import { BY_MILLICODE } from '../../isa/insn.ts';
import { PSW_PER_HIGH } from '../../per.ts';
import * as state from '../../state.ts';
import { tlbOffset } from '../addressing.ts';
import type { Routine, RoutineCode } from '../routines.ts';

const DONE = k32(0);
const PSW_WAIT = 0x0002_0000;
const PSW_EXTENDED_ADDRESSING = 1;
/** PSW bits 5 and 16-17: DAT is on, in access-register mode or whatever mode. */
const SPACE = 0x0400_c000;
const ACCESS_REGISTER_SPACE = 0x0400_4000;
/** The condition code in PSW bits 0-31. */
const CONDITION = 0x3000;
const NEW_PSW = 0x80;
const PSW_PROBLEM_HIGH = 0x0001_0000;
/** CR0 bit 37. */
const SECONDARY_SPACE = 0x0400_0000;
const TAG_SIZE = 16;

const otherwise = (r: RoutineCode, rare: I32): void => r.f.ifUnlikely(rare, () => r.f.return(k32(BY_MILLICODE)));

/** context(asce, controls): host address of the TLB context with this tag, or 0. */
const context: Routine = {
  name: 'context',
  parameters: ['i64', 'i32'],
  body: r => {
    const { f } = r;
    const tag = r.variable32(i32.add(r.cpu, state.TLB_TAGS));
    const end = r.variable32(i32.add(tag, i32.mul(r.state32(state.TLB_USED), TAG_SIZE)));
    f.while(
      () => i32.ltU(tag, end),
      () => {
        const same = i64.eq(x.load('i64', loadOp.i64, tag, 0), r.param64(0));
        f.if(i32.and(same, i32.eq(x.load('i32', loadOp.i32, tag, 8), r.param32(1))), () => {
          const uses = f.evaluate(i32.add(r.state32(state.TLB_USES), 1));
          r.setState32(state.TLB_USES, uses);
          f.store(storeOp.i32, tag, 12, uses);
          const n = i32.shrU(i32.sub(i32.sub(tag, r.cpu), state.TLB_TAGS), 4);
          f.return(i32.add(i32.mul(n, state.TLB_CONTEXT_SIZE), i32.add(r.cpu, state.TLB)));
        });
        f.set(tag, i32.add(tag, TAG_SIZE));
      },
    );
    f.return(k32(0));
  },
};

/** mapping(high): puts the contexts that PSW bits 0-31 and the control registers designate in force; 0 if they are not there. */
const mapping: Routine = {
  name: 'mapping',
  parameters: ['i32'],
  body: r => {
    const { f } = r;
    const high = r.param32(0);
    const controls = f.evaluate(r.state32(state.CR));
    const key = f.evaluate(i32.and(i32.shrU(high, 20), 0xf));
    const found = r.variable32(k32(0));
    const find = (asce: I64, relevant: number): void => {
      f.set(found, r.call('context', asce, i32.or(i32.and(controls, relevant), key)));
      f.ifUnlikely(i32.eqz(found), () => f.return(k32(0)));
    };
    const enforce = (): void => {
      r.setState32(state.FETCH_CONTEXT, found);
      r.setState32(state.DATA_CONTEXT, found);
      f.return(k32(1));
    };
    f.ifUnlikely(i32.eqz(i32.and(high, PSW_DAT_HIGH)), () => {
      find(k64(-1), REAL_CONTROLS);
      enforce();
    });
    const asce = (n: number): I64 => r.state64(state.CR + 8 * n);
    const space = f.evaluate(i32.and(i32.shrU(high, 14), 3));
    f.ifUnlikely(i32.eq(space, 2), () => {
      find(asce(1), CONTROLS);
      const fetch = r.variable32(found);
      find(asce(7), CONTROLS);
      r.setState32(state.FETCH_CONTEXT, fetch);
      r.setState32(state.DATA_CONTEXT, found);
      f.return(k32(1));
    });
    find(i64.select(i32.eq(space, 3), asce(13), asce(1)), CONTROLS);
    enforce();
  },
};

/** Goes to millicode unless the fast program can run with this PSW; `old` are bits 0-31 of the present one. */
function checkPsw(r: RoutineCode, high: I32, low: I32, old: I32): void {
  const fixed = RESERVED_HIGH | PSW_PER_HIGH | PSW_WAIT | PSW_EXTENDED_ADDRESSING;
  otherwise(r, i32.ne(i32.and(high, fixed), PSW_EXTENDED_ADDRESSING));
  otherwise(r, i32.ne(low, 0x8000_0000 | 0));
  otherwise(r, i32.eq(i32.and(high, SPACE), ACCESS_REGISTER_SPACE));
  const enabled = i32.and(i32.and(high, i32.xor(old, -1)), PSW_IO | PSW_EXTERNAL | PSW_MACHINE_CHECK);
  otherwise(r, i32.and(i32.ne(enabled, 0), i32.ne(r.state32(state.HELD), 0)));
  otherwise(r, r.state32(state.EXECUTING));
}

/** Puts a PSW that has been checked in control; to be done before anything else is changed. */
function enforcePsw(r: RoutineCode, high: I32, address: I64, old: I32): void {
  const { f } = r;
  f.if(i32.and(i32.xor(high, old), SWITCHING), () => otherwise(r, i32.eqz(r.call('mapping', high))));
  r.setState32(state.PSW_MASK + 4, i32.and(high, ~CONDITION));
  r.setState32(state.CC, i32.and(i32.shrU(high, 12), 3));
  r.setState64(state.PSW_ADDRESS, address);
}

/** SUPERVISOR CALL with its number; it is two bytes long. */
const supervisorCall: Routine = {
  name: 'SVC',
  parameters: ['i32', 'i32'],
  body: r => {
    const { f, layout } = r;
    const prefix = f.evaluate(r.state32(state.PREFIX));
    const area = i32.sub(k32(layout.top), prefix);
    const at = f.evaluate(area);
    const load32 = (real: number): I32 => f.evaluate(x.load('i32', loadOp.i32, i32.sub(at, real + 4), 0));
    const load64 = (real: number): I64 => f.evaluate(x.load('i64', loadOp.i64, i32.sub(at, real + 8), 0));
    // The frame may be one that holds code, or is not known to be changed.
    const frame = f.evaluate(i32.shrU(prefix, 12));
    otherwise(r, i32.and(x.load('i32', loadOp.i8u, frame, layout.frameFlags), state.FRAME_CODE));
    const recorded = KEY_REFERENCE | KEY_CHANGE;
    otherwise(r, i32.ne(i32.and(x.load('i32', loadOp.i8u, frame, layout.keys), recorded), recorded));
    const high = load32(SVC + NEW_PSW);
    const low = load32(SVC + NEW_PSW + 4);
    const address = load64(SVC + NEW_PSW + 8);
    const old = f.evaluate(r.state32(state.PSW_MASK + 4));
    const oldHigh = f.evaluate(i32.or(old, i32.shl(r.state32(state.CC), 12)));
    const oldLow = f.evaluate(r.state32(state.PSW_MASK));
    const next = f.evaluate(i64.add(r.state64(state.PSW_ADDRESS), 2));
    checkPsw(r, high, low, old);
    enforcePsw(r, high, address, old);
    const store32 = (real: number, value: I32): void => f.store(storeOp.i32, i32.sub(at, real + 4), 0, value);
    store32(SVC_CODE, i32.or(r.param32(0), 2 << 16));
    store32(SVC, oldHigh);
    store32(SVC + 4, oldLow);
    f.store(storeOp.i64, i32.sub(at, SVC + 16), 0, next);
    f.return(DONE);
  },
};

/** LPSWE, LPSWEY: the PSW is in OPERAND. The parameter is 1 where the instruction is a breaking event. */
const loadPsw: Routine = {
  name: 'loadPsw',
  parameters: ['i32', 'i32'],
  body: r => {
    const { f } = r;
    const high = f.evaluate(r.state32(state.OPERAND + 4));
    const old = f.evaluate(r.state32(state.PSW_MASK + 4));
    checkPsw(r, high, r.state32(state.OPERAND), old);
    const own = f.evaluate(r.state64(state.PSW_ADDRESS));
    enforcePsw(r, high, r.state64(state.OPERAND + 8), old);
    f.if(r.param32(0), () => r.setState64(state.BEA, own));
    f.return(DONE);
  },
};

/** LCTLG of the control register with this number, one that designates a space, from OPERAND. */
const loadControl: Routine = {
  name: 'loadControl',
  parameters: ['i32', 'i32'],
  body: r => {
    const { f } = r;
    const register = r.param32(0);
    otherwise(r, i32.eqz(i32.and(i32.shrU(k32((1 << 1) | (1 << 7) | (1 << 13)), register), 1)));
    otherwise(r, r.state32(state.EXECUTING));
    const at = f.evaluate(i32.add(i32.shl(register, 3), r.cpu));
    const old = f.evaluate(x.load('i64', loadOp.i64, at, state.CR));
    f.store(storeOp.i64, at, state.CR, r.state64(state.OPERAND));
    f.ifUnlikely(i32.eqz(r.call('mapping', r.state32(state.PSW_MASK + 4))), () => {
      f.store(storeOp.i64, at, state.CR, old);
      f.return(k32(BY_MILLICODE));
    });
    r.setState64(state.PSW_ADDRESS, i64.add(r.state64(state.PSW_ADDRESS), 6));
    f.return(DONE);
  },
};

/** Bits of an operand-access control: key and space are given; bits 8-9 are the space. */
const KEY_GIVEN = 2;
const SPACE_GIVEN = 1;

/**
 * MVCOS, where the PSW key counts, each operand lies on a page that the TLB knows in its space, and no space depends on an
 * access register: gives the condition code, or BY_MILLICODE.
 */
const moveWithOptions: Routine = {
  name: 'MVCOS',
  parameters: ['i64', 'i64', 'i32', 'i32'],
  body: r => {
    const { f } = r;
    if (r.full) return f.return(k32(BY_MILLICODE));
    const accesses = f.evaluate(r.gr32(k32(0)));
    const high = f.evaluate(r.state32(state.PSW_MASK + 4));
    const controls = f.evaluate(r.state32(state.CR));
    const given = r.gr(r.param32(2));
    const wanted = f.evaluate(given);
    const long = f.evaluate(i64.gtU(wanted, 4096));
    const length = f.evaluate(i32.select(long, 4096, i32.wrap(wanted)));
    otherwise(r, i32.eqz(i32.and(high, PSW_DAT_HIGH)));
    otherwise(r, i32.and(accesses, (KEY_GIVEN << 16) | KEY_GIVEN));
    // The problem state has to be allowed its key; and a length of zero recognises no access exceptions.
    otherwise(r, i32.and(high, PSW_PROBLEM_HIGH));
    otherwise(r, i32.eqz(length));
    const relevant = f.evaluate(i32.or(i32.and(controls, CONTROLS), i32.and(i32.shrU(high, 20), 0xf)));
    const asce = f.newLocal('i64');
    const place = (operand: 0 | 1, tagAt: number): I32 => {
      const control = f.evaluate(operand === 0 ? i32.shrU(accesses, 16) : i32.and(accesses, 0xffff));
      const space = i32.and(i32.select(i32.and(control, SPACE_GIVEN), i32.shrU(control, 6), i32.shrU(high, 14)), 3);
      const selected = f.evaluate(space);
      otherwise(r, i32.eq(selected, 1));
      otherwise(r, i32.and(i32.eq(selected, 2), i32.eqz(i32.and(controls, SECONDARY_SPACE))));
      f.set(asce, r.state64(state.CR + 8));
      f.if(i32.eq(selected, 2), () => f.set(asce, r.state64(state.CR + 8 * 7)));
      f.if(i32.eq(selected, 3), () => f.set(asce, r.state64(state.CR + 8 * 13)));
      const found = f.evaluate(r.call('context', asce, relevant));
      otherwise(r, i32.eqz(found));
      const va = r.param64(operand);
      const entry = f.evaluate(i32.add(found, tlbOffset(va)));
      const last = i64.add(va, i64.fromU(i32.sub(length, 1)));
      otherwise(r, i64.ne(x.load('i64', loadOp.i64, entry, tagAt), i64.and(last, -4096)));
      return f.evaluate(i32.sub(x.load('i32', loadOp.i32, entry, state.TLB_ADDEND), i32.wrap(va)));
    };
    const to = place(0, state.TLB_STORE_TAG);
    const from = place(1, state.TLB_FETCH_TAG);
    r.copy(to, from, length);
    f.return(i32.select(long, 3, 0));
  },
};

export const controls: readonly Routine[] = [context, mapping, supervisorCall, loadPsw, loadControl, moveWithOptions];
