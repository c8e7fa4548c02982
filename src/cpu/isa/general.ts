/** General instructions (PoP ch. 7): loads, stores, fixed-point arithmetic, logic, shifts. */

import { i32, i64 } from '../ir/expr.ts';
import { RI_a, RR, RRE, RSY_a, RX_a, RXY_a } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

export const general: readonly Instruction[] = [
  insn('LGHI', 0xa79, RI_a, 'z', (i) => i.setGr('r1', i64.fromS(i.signed('s2')))),
  insn('LHI', 0xa78, RI_a, 'z', (i) => i.setGr32('r1', i.signed('s2'))),
  insn('LR', 0x18, RR, 'z', (i) => i.setGr32('r1', i.gr32('r2'))),
  insn('LGR', 0xb904, RRE, 'z', (i) => i.setGr('r1', i.gr('r2'))),
  insn('LA', 0x41, RX_a, 'z', (i) => i.setGr('r1', i.address().va)),
  insn('L', 0x58, RX_a, 'z', (i) => i.setGr32('r1', i.load32(i.address()))),
  insn('LG', 0xe304, RXY_a, 'z', (i) => i.setGr('r1', i.load64(i.address()))),
  insn('ST', 0x50, RX_a, 'z', (i) => i.store32(i.address(), i.gr32('r1'))),
  insn('STG', 0xe324, RXY_a, 'z', (i) => i.store64(i.address(), i.gr('r1'))),
  insn('AGR', 0xb908, RRE, 'z', (i) => {
    const a = i.gr('r1');
    const b = i.gr('r2');
    i.setGr('r1', i64.add(a, b));
    i.cc64('add', a, b);
  }),
  insn('AHI', 0xa7a, RI_a, 'z', (i) => {
    const a = i.gr32('r1');
    const b = i.signed('s2');
    i.setGr32('r1', i32.add(a, b));
    i.cc32('add', a, b);
  }),
  insn('SLLG', 0xeb0d, RSY_a, 'z', (i) => i.setGr('r1', i64.shl(i.gr('r3'), i64.fromU(i.shiftCount()))), { shift: true }),
];
