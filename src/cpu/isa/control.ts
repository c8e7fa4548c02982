/** Control instructions (PoP ch. 10), and those of chapter 7 that concern the PSW, the clock and the facilities. */

import { type I32, type I64, i32, i64, k32, k64 } from '../ir/expr.ts';
import * as control from '../millicode/control.ts';
import * as facility from '../millicode/facility.ts';
import * as psw from '../millicode/psw.ts';
import { signalProcessor } from '../millicode/signal.ts';
import * as space from '../millicode/space.ts';
import * as key from '../millicode/storage-key.ts';
import * as time from '../millicode/time.ts';
import * as state from '../state.ts';
import {
  E,
  I,
  RR_1,
  RRE,
  RRE_0,
  RRE_1,
  RRF_a,
  RRF_b,
  RRF_c,
  RS_a,
  RS_cc,
  RSY_a,
  RSY_cc,
  RX_a,
  RXY_a,
  S,
  S_0,
  SI,
  SIY_0,
  SS_d,
  SSE,
  SSF,
} from './formats.ts';
import { BY_MILLICODE, type Insn, type Instruction, insn, type Millicode, type Semantics } from './insn.ts';

const privileged = { privileged: true } as const;
const by =
  (work: Millicode): Semantics =>
  i =>
    i.millicode(work);

/** PSW bits 0-31; the condition code is not among them. */
const pswHigh = (i: Insn): I32 => i.state32(state.PSW_MASK + 4);

/**
 * Sets the system mask to what `change` makes of it. Here only the masks for I/O and external interruptions are
 * changed, and none may be pending when they are turned on; the rest is millicode's.
 */
function systemMask(
  i: Insn,
  operand: 1 | 2,
  millicode: Millicode,
  change: (old: I32, i: Insn) => I32,
  stores: boolean,
) {
  const old = i.let(i32.shrU(pswHigh(i), 24));
  const address = i.address(operand);
  const mask = i.let(stores ? change(old, i) : i.load8(address));
  const turnedOn = i32.and(mask, i32.xor(old, -1));
  const rare = i32.or(i32.and(i32.xor(old, mask), 0xfc), i32.select(turnedOn, i.state32(state.HELD), 0));
  i.if(
    rare,
    () => i.millicode(millicode),
    () => {
      if (stores) i.store8(address, old);
      i.setState32(state.PSW_MASK + 4, i32.or(i32.and(pswHigh(i), 0xff_ffff), i32.shl(mask, 24)));
    },
  );
}

/** The real address of the second operand. */
const realAddress =
  (work: Millicode): Semantics =>
  i => {
    const result = i.routine('LRA', i.address());
    i.if(
      i32.eq(result, BY_MILLICODE),
      () => i.millicode(work),
      () => {
        i.setGr('r1', i.state64(state.WALKED_REAL));
        i.setCc(k32(0));
      },
    );
  };

/** A doubleword on an integral boundary that millicode uses, from OPERAND. */
const consumes =
  (work: Millicode): Semantics =>
  i => {
    const address = i.address();
    i.aligned(address, 8);
    i.setState64(state.OPERAND, i.load64(address));
    i.millicode(work);
  };

/** A PSW of sixteen bytes that millicode loads, from OPERAND. */
const loadPsw =
  (operand: 1 | 2, work: Millicode, isBreakingEvent: 0 | 1): Semantics =>
  i => {
    const address = i.address(operand);
    i.aligned(address, 8);
    const place = i.place(address, 16, 'fetch');
    i.setState64(state.OPERAND, place.load64());
    i.setState64(state.OPERAND + 8, place.load64(8));
    i.control('loadPsw', work, k32(isBreakingEvent));
  };

/** A doubleword on an integral boundary that millicode makes, in OPERAND. */
const produces =
  (work: Millicode): Semantics =>
  i => {
    const address = i.address();
    i.aligned(address, 8);
    const place = i.place(address, 8, 'store');
    i.millicode(work);
    place.store64(i.state64(state.OPERAND));
  };

/** Values of STORE CLOCK that one CPU is given are so far apart; the CPUs' addresses make them differ. */
const CLOCK_STEP = 256;

/** What the new episode adds to the TOD clock: the time since its start times both rates, in units of 2^-44. */
function steered(i: Insn, clock: I64): I64 {
  const [fine, gross] = [state.EPISODE_FINE, state.EPISODE_GROSS].map(at => i.machine32(state.NEW_EPISODE + at));
  const rate = i.let(i64.add(i64.fromS(fine!), i64.fromS(gross!)));
  const start = i.machine64(state.NEW_EPISODE + state.EPISODE_START);
  const passed = i.let(i64.sub(i64.add(clock, i.machine64(state.PHYSICAL_EPOCH)), start));
  // The product has more than 64 bits.
  const low = i64.shrS(i64.mul(i64.and(passed, 0x7fff_ffff), rate), 31);
  return i64.shrS(i64.add(i64.mul(i64.shrS(passed, 31), rate), low), 13);
}

/** Bits 0-63 of the TOD clock. */
function todClock(i: Insn): I64 {
  const clock = i.let(i.clock());
  const value = i.variable64(i64.add(clock, i.machine64(state.TOD_EPOCH)));
  const rates = i.machine64(state.NEW_EPISODE + state.EPISODE_FINE);
  i.ifUnlikely(i64.ne(rates, 0), () => value.set(i64.add(value.get(), steered(i, clock))));
  return value.get();
}

/** The TOD clock, above every value that this CPU was given before since the clock was set, and unlike all that others are given. */
function uniqueClock(i: Insn): I64 {
  const mine = i64.fromU(i.state32(state.CPU_ADDRESS));
  const clock = i.let(i64.or(i64.and(todClock(i), -CLOCK_STEP), mine));
  const settings = i.machine32(state.TOD_SETTINGS);
  const known = i32.eq(i.state32(state.LAST_CLOCK_SETTINGS), settings);
  const last = i.let(i64.select(known, i.state64(state.LAST_CLOCK), k64(0)));
  const value = i.let(i64.select(i64.gtU(clock, last), clock, i64.add(last, CLOCK_STEP)));
  i.setState64(state.LAST_CLOCK, value);
  i.setState32(state.LAST_CLOCK_SETTINGS, settings);
  return value;
}

export const controlInstructions: readonly Instruction[] = [
  // The PSW
  insn('SVC', 0x0a, I, 'z', i => i.control('SVC', psw.supervisorCall, i.field('i1'))),
  insn('LPSW', 0x82, S, 'z', by(psw.loadPsw), privileged),
  insn('LPSWE', 0xb2b2, S, 'z', loadPsw(2, psw.loadPswExtended, 1), privileged),
  insn('LPSWEY', 0xeb71, SIY_0, 193, loadPsw(1, psw.loadPswExtendedQuietly, 0), privileged),
  insn(
    'LBEAR',
    0xb200,
    S,
    193,
    i => {
      const address = i.address();
      i.aligned(address, 8);
      i.setState64(state.BEA, i.load64(address));
    },
    privileged,
  ),
  insn(
    'STBEAR',
    0xb201,
    S,
    193,
    i => {
      const address = i.address();
      i.aligned(address, 8);
      i.store64(address, i.state64(state.BEA));
    },
    privileged,
  ),
  insn('SSM', 0x80, S, 'z', i => systemMask(i, 2, psw.setSystemMaskFrom, old => old, false), privileged),
  insn(
    'STNSM',
    0xac,
    SI,
    'z',
    i => systemMask(i, 1, psw.storeThenAndSystemMask, old => i32.and(old, i.field('i2')), true),
    privileged,
  ),
  insn(
    'STOSM',
    0xad,
    SI,
    'z',
    i => systemMask(i, 1, psw.storeThenOrSystemMask, old => i32.or(old, i.field('i2')), true),
    privileged,
  ),
  insn('EPSW', 0xb98d, RRE, 'z', i => {
    const high = i.let(i32.or(pswHigh(i), i32.shl(i.cc(), 12)));
    const low = i.state32(state.PSW_MASK);
    i.setGr32('r1', high);
    i.if(i.field('r2'), () => i.setGr32('r2', low));
  }),
  insn('IPM', 0xb222, RRE_1, 'z', i => {
    const mask = i32.and(i32.shl(pswHigh(i), 16), 0x0f00_0000);
    const rest = i32.and(i.gr32('r1'), 0x00ff_ffff);
    i.setGr32('r1', i32.or(i32.or(rest, mask), i32.shl(i.cc(), 28)));
  }),
  insn('SPM', 0x04, RR_1, 'z', i => {
    const value = i.gr32('r1');
    const mask = i32.and(i32.shrU(value, 16), 0xf00);
    i.setState32(state.PSW_MASK + 4, i32.or(i32.and(pswHigh(i), ~0xf00), mask));
    i.setCc(i32.and(i32.shrU(value, 28), 3));
  }),
  insn('TAM', 0x010b, E, 'z', i => i.setCc(i.addressingMode())),
  insn('SAM24', 0x010c, E, 'z', by(psw.setAddressingMode24)),
  insn('SAM31', 0x010d, E, 'z', by(psw.setAddressingMode31)),
  insn('SAM64', 0x010e, E, 'z', by(psw.setAddressingMode64)),

  // Control registers, prefix, identity
  insn('LCTL', 0xb7, RS_cc, 'z', by(control.loadControl), privileged),
  insn(
    'LCTLG',
    0xeb2f,
    RSY_cc,
    'z',
    i => {
      const one = i32.eq(i.field('c1'), i.field('c3'));
      i.if(
        one,
        () => {
          const address = i.address();
          i.aligned(address, 8);
          i.setState64(state.OPERAND, i.load64(address));
          i.control('loadControl', control.loadOneControl64, i.field('c1'));
        },
        () => i.millicode(control.loadControl64),
      );
    },
    privileged,
  ),
  insn('STCTL', 0xb6, RS_cc, 'z', by(control.storeControl), privileged),
  insn(
    'STCTG',
    0xeb25,
    RSY_cc,
    'z',
    i => {
      const one = i32.eq(i.field('c1'), i.field('c3'));
      i.if(
        one,
        () => {
          const address = i.address();
          i.aligned(address, 8);
          i.store64(address, i.cr('c1'));
        },
        () => i.millicode(control.storeControl64),
      );
    },
    privileged,
  ),
  insn('SPX', 0xb210, S, 'z', by(control.setPrefix), privileged),
  insn('STPX', 0xb211, S, 'z', by(control.storePrefix), privileged),
  insn(
    'STAP',
    0xb212,
    S,
    'z',
    i => {
      const address = i.address();
      i.aligned(address, 2);
      i.store16(address, i.state32(state.CPU_ADDRESS));
    },
    privileged,
  ),
  insn('STIDP', 0xb202, S, 'z', by(control.storeCpuId), privileged),
  insn('STSI', 0xb27d, S, 'z', by(facility.storeSystemInformation), privileged),
  insn('STFL', 0xb2b1, S, 'z', by(facility.storeFacilityList), privileged),
  insn('STFLE', 0xb2b0, S, 7, by(facility.storeFacilityListExtended)),
  insn('ECAG', 0xeb4c, RSY_a, 34, by(facility.extractCpuAttribute)),
  // The program parameter is for samplers, of which there are none: the operand is fetched.
  insn('LPP', 0xb280, S, 40, i => i.setState64(state.PROGRAM_PARAMETER, i.load64(i.address())), privileged),

  // Translation-lookaside buffers
  insn('PTLB', 0xb20d, S_0, 'z', by(control.purgeTlb), privileged),
  insn('PALB', 0xb248, RRE_0, 'z', by(control.purgeAlb), privileged),
  insn('IPTE', 0xb221, RRF_a, 'z', by(control.invalidatePage), privileged),
  insn('IDTE', 0xb98e, RRF_b, 3, by(control.invalidateTable), privileged),
  insn('CRDTE', 0xb98f, RRF_b, 78, by(control.compareAndReplaceTable), privileged),
  insn('CSP', 0xb250, RRE, 'z', by(control.compareAndSwapAndPurge32), privileged),
  insn('CSPG', 0xb98a, RRE, 3, by(control.compareAndSwapAndPurge64), privileged),

  // Storage keys
  insn('SSKE', 0xb22b, RRF_c, 'z', by(key.setStorageKey), privileged),
  insn('ISKE', 0xb229, RRE, 'z', by(key.insertStorageKey), privileged),
  insn('IVSK', 0xb223, RRE, 'z', by(key.insertVirtualStorageKey)),
  insn('RRBE', 0xb22a, RRE, 'z', by(key.resetReferenceBit), privileged),
  insn('RRBM', 0xb9ae, RRE, 66, by(key.resetReferenceBits), privileged),
  insn('IRBM', 0xb9ac, RRE, 145, by(key.insertReferenceBits), privileged),
  insn('PFMF', 0xb9af, RRE, 8, by(key.performFrameManagement), privileged),
  insn(
    'ESSA',
    0xb9ab,
    RRF_c,
    'cmm',
    i => {
      const result = i.routine('ESSA', i.gr('r2'), i.field('m3'));
      i.if(
        i32.eq(result, BY_MILLICODE),
        () => i.millicode(key.setStorageAttributes),
        () => i.setGr('r1', i64.fromU(result)),
      );
    },
    privileged,
  ),
  insn('TPROT', 0xe501, SSE, 'z', by(space.testProtection), privileged),
  insn('TB', 0xb22c, RRE, 'z', by(key.testBlock), privileged),

  // Address spaces and real addresses
  insn('SPKA', 0xb20a, S, 'z', by(space.setPswKey)),
  insn('IPK', 0xb20b, S_0, 'z', by(space.insertPswKey)),
  insn('SAC', 0xb219, S, 'z', by(space.setAddressSpaceControl)),
  insn('SACF', 0xb279, S, 'z', by(space.setAddressSpaceControl)),
  insn('IAC', 0xb224, RRE_1, 'z', by(space.insertAddressSpaceControl)),
  insn('EPAR', 0xb226, RRE_1, 'z', by(space.extractPrimaryAsn)),
  insn('EPAIR', 0xb99a, RRE_1, 6, by(space.extractPrimaryAsnAndInstance)),
  insn('ESAR', 0xb227, RRE_1, 'z', by(space.extractSecondaryAsn)),
  insn('ESAIR', 0xb99b, RRE_1, 6, by(space.extractSecondaryAsnAndInstance)),
  insn('LRA', 0xb1, RX_a, 'z', realAddress(space.loadRealAddress), privileged),
  insn('LRAY', 0xe313, RXY_a, 18, realAddress(space.loadRealAddress), privileged),
  insn('LRAG', 0xe303, RXY_a, 'z', realAddress(space.loadRealAddress64), privileged),
  insn('STRAG', 0xe502, SSE, 'z', by(space.storeRealAddress), privileged),
  insn('LPTEA', 0xb9aa, RRF_b, 78, by(space.loadPageTableEntryAddress), privileged),
  insn('LURA', 0xb24b, RRE, 'z', by(space.loadUsingRealAddress), privileged),
  insn('LURAG', 0xb905, RRE, 'z', by(space.loadUsingRealAddress64), privileged),
  insn('STURA', 0xb246, RRE, 'z', by(space.storeUsingRealAddress), privileged),
  insn(
    'STURG',
    0xb925,
    RRE,
    'z',
    i => {
      const result = i.routine('STURG', i.toAddress(i.gr('r2')), i.gr('r1'));
      i.ifUnlikely(result, () => i.millicode(space.storeUsingRealAddress64));
    },
    privileged,
  ),

  // Moves between spaces
  insn('MVCP', 0xda, SS_d, 'z', by(space.moveToPrimary)),
  insn('MVCS', 0xdb, SS_d, 'z', by(space.moveToSecondary)),
  insn('MVCK', 0xd9, SS_d, 'z', by(space.moveWithKey)),
  insn('MVCSK', 0xe50e, SSE, 'z', by(space.moveWithSourceKey)),
  insn('MVCDK', 0xe50f, SSE, 'z', by(space.moveWithDestinationKey)),
  insn('MVCOS', 0xc80, SSF, 27, i => {
    const [first, second] = [i.address(1), i.address(2)];
    const result = i.routine('MVCOS', first, second, i.field('r3'));
    i.if(
      i32.eq(result, BY_MILLICODE),
      () => {
        i.setState64(state.OPERAND, first.va);
        i.setState64(state.OPERAND + 8, second.va);
        i.millicode(space.moveWithOptions);
      },
      () => i.setCc(result),
    );
  }),
  insn('MVPG', 0xb254, RRE, 'z', by(space.movePage)),

  // Clocks and timers
  insn('STCK', 0xb205, S, 'z', i => {
    const place = i.place(i.address(), 8, 'store');
    place.store64(uniqueClock(i));
    i.setCc(k32(0));
  }),
  insn('STCKF', 0xb27c, S, 25, i => {
    const place = i.place(i.address(), 8, 'store');
    place.store64(todClock(i));
    i.setCc(k32(0));
  }),
  insn('STCKE', 0xb278, S, 'z', i => {
    const place = i.place(i.address(), 16, 'store');
    const clock = uniqueClock(i);
    // The index counts how often the clock has passed its end since it was set.
    const passed = i64.ltU(i64.shrU(clock, 32), i64.shrU(i.machine64(state.TOD_EPOCH), 32));
    const index = i32.and(i32.add(i.machine32(state.EPOCH_INDEX), passed), i.state32(state.EPOCH_INDEX_MASK));
    place.store64(i64.or(i64.shl(i64.fromU(index), 56), i64.shrU(clock, 8)));
    // Bits that are never all zero, and the programmable field.
    const field = i64.or(i64.fromU(i.state32(state.TODPR)), 0x1_0000);
    place.store64(i64.or(i64.shl(clock, 56), field), 8);
    i.setCc(k32(0));
  }),
  insn('SCK', 0xb204, S, 'z', by(time.setClock), privileged),
  insn('SCKPF', 0x0107, E, 'z', by(time.setClockProgrammableField), privileged),
  insn('SCKC', 0xb206, S, 'z', consumes(time.setClockComparator), privileged),
  insn('STCKC', 0xb207, S, 'z', produces(time.readClockComparator), privileged),
  insn('SPT', 0xb208, S, 'z', consumes(time.setCpuTimer), privileged),
  insn(
    'STPT',
    0xb209,
    S,
    'z',
    i => {
      const address = i.address();
      i.aligned(address, 8);
      const place = i.place(address, 8, 'store');
      place.store64(i64.sub(i.state64(state.CPU_TIMER_END), i.clock()));
    },
    privileged,
  ),
  insn('PTFF', 0x0104, E, 28, by(time.performTimingFunction)),
  insn('ECTG', 0xc81, SSF, 31, by(time.extractCpuTime)),

  // Signals and calls
  insn('SIGP', 0xae, RS_a, 'z', by(signalProcessor), privileged),
  insn('DIAG', 0x83, RS_a, 'z', by(control.diagnose), privileged),
  insn('MC', 0xaf, SI, 'z', by(control.monitorCall)),
  insn('SERVC', 0xb220, RRE, 'z', by(control.serviceCall), privileged),
];
