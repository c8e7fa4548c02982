/** Branch instructions (PoP ch. 7). */

import { i64 } from '../ir/expr.ts';
import { RI_b, RI_c, RX_a } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

export const branch: readonly Instruction[] = [
  insn('BRC', 0xa74, RI_c, 'z', (i) => i.branch(i.condition('m1'), i.relative('h2'))),
  insn('BRCTG', 0xa77, RI_b, 'z', (i) => {
    const count = i.let(i64.sub(i.gr('r1'), 1));
    i.setGr('r1', count);
    i.branch(i64.ne(count, 0), i.relative('h2'));
  }),
  insn('EX', 0x44, RX_a, 'z', (i) => i.execute(i.address(), 'r1'), { notExecutable: true }),
];
