/** Access-register instructions (PoP ch. 7). */

import { i32 } from '../ir/expr.ts';
import * as millicode from '../millicode/access-registers.ts';
import * as state from '../state.ts';
import { RRE_aa, RRE_ar, RRE_ra, RS_aa, RSY_aa, RX_a, RXY_a } from './formats.ts';
import { type Insn, type Instruction, insn } from './insn.ts';
import { setAddress } from './operands.ts';

/** The ALET that stands for where an address leads, by PSW bits 16-17. */
function loadAddressExtended(i: Insn): void {
  const address = i.address();
  const control = i.let(i32.and(i32.shrU(i.state32(state.PSW_MASK + 4), 14), 3));
  const base = i.let(i.field('b2'));
  const own = i32.select(base, i.ar('b2'), 0);
  // 00 primary: 0; 01 access register; 10 secondary: 1; 11 home: 2.
  const alet = i.let(i32.select(i32.eq(control, 1), own, i32.select(control, i32.sub(control, 1), 0)));
  setAddress(i, address.va);
  i.setAr('r1', alet);
}

/** All sixteen registers, as a switch between tasks saves and restores them, without millicode. */
function multiple(i: Insn, store: boolean): void {
  const all = i32.and(i32.eqz(i.field('a1')), i32.eq(i.field('a3'), 15));
  i.if(
    all,
    () => {
      const address = i.address();
      i.aligned(address, 4);
      const place = i.place(address, 64, store ? 'store' : 'fetch');
      for (let n = 0; n < 16; n++) {
        if (store) place.store32(i.ar(n), 4 * n);
        else i.setAr(n, place.load32(4 * n));
      }
    },
    () => i.millicode(store ? millicode.storeAccessMultiple : millicode.loadAccessMultiple),
  );
}

export const accessRegisters: readonly Instruction[] = [
  insn('CPYA', 0xb24d, RRE_aa, 'z', i => i.setAr('a1', i.ar('a2'))),
  insn('EAR', 0xb24f, RRE_ra, 'z', i => i.setGr32('r1', i.ar('a2'))),
  insn('SAR', 0xb24e, RRE_ar, 'z', i => i.setAr('a1', i.gr32('r2'))),
  insn('LAM', 0x9a, RS_aa, 'z', i => multiple(i, false)),
  insn('LAMY', 0xeb9a, RSY_aa, 18, i => multiple(i, false)),
  insn('STAM', 0x9b, RS_aa, 'z', i => multiple(i, true)),
  insn('STAMY', 0xeb9b, RSY_aa, 18, i => multiple(i, true)),
  insn('LAE', 0x51, RX_a, 'z', loadAddressExtended),
  insn('LAEY', 0xe375, RXY_a, 34, loadAddressExtended),
];
