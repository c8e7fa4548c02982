/** Access-register instructions (PoP ch. 7). */

import { i32 } from '../ir/expr.ts';
import * as millicode from '../millicode/access-registers.ts';
import * as state from '../state.ts';
import { RRE_aa, RRE_ar, RRE_ra, RS_aa, RSY_aa, RX_a, RXY_a } from './formats.ts';
import { type Insn, type Instruction, insn } from './insn.ts';

/** The ALET that stands for where an address leads, by PSW bits 16-17. */
function loadAddressExtended(i: Insn): void {
  const address = i.address();
  const control = i.let(i32.and(i32.shrU(i.state32(state.PSW_MASK + 4), 14), 3));
  const base = i.let(i.field('b2'));
  const own = i32.select(base, i.ar('b2'), 0);
  // 00 primary: 0; 01 access register; 10 secondary: 1; 11 home: 2.
  const alet = i.let(i32.select(i32.eq(control, 1), own, i32.select(control, i32.sub(control, 1), 0)));
  i.setGr('r1', address.va);
  i.setAr('r1', alet);
}

export const accessRegisters: readonly Instruction[] = [
  insn('CPYA', 0xb24d, RRE_aa, 'z', i => i.setAr('a1', i.ar('a2'))),
  insn('EAR', 0xb24f, RRE_ra, 'z', i => i.setGr32('r1', i.ar('a2'))),
  insn('SAR', 0xb24e, RRE_ar, 'z', i => i.setAr('a1', i.gr32('r2'))),
  insn('LAM', 0x9a, RS_aa, 'z', i => i.millicode(millicode.loadAccessMultiple)),
  insn('LAMY', 0xeb9a, RSY_aa, 18, i => i.millicode(millicode.loadAccessMultiple)),
  insn('STAM', 0x9b, RS_aa, 'z', i => i.millicode(millicode.storeAccessMultiple)),
  insn('STAMY', 0xeb9b, RSY_aa, 18, i => i.millicode(millicode.storeAccessMultiple)),
  insn('LAE', 0x51, RX_a, 'z', loadAddressExtended),
  insn('LAEY', 0xe375, RXY_a, 34, loadAddressExtended),
];
