/**
 * Interlocked updates and block-concurrent pairs (PoP ch. 7): one CPU sees all of another's update or nothing.
 */

import { i32, i64, k32 } from '../ir/expr.ts';
import { compareAndSwapAndStore, performLockedOperation } from '../millicode/interlocked.ts';
import { RS_a, RSY_a, S, SS_plo, SSF, SSF_r } from './formats.ts';
import { type Address, type Insn, type Instruction, insn, type Semantics } from './insn.ts';

/** The second operand, on an integral boundary. */
const alignedOperand = (i: Insn, size: number): Address => {
  const address = i.address();
  i.aligned(address, size);
  return address;
};

const compareAndSwap32: Semantics = i => {
  const place = i.place(alignedOperand(i, 4), 4, 'interlocked');
  const expected = i.gr32('r1');
  const old = place.compareAndSwap32(expected, i.gr32('r3'));
  // Equal, the register is what it has been.
  i.setGr32('r1', old);
  i.setCc(i32.ne(old, expected));
};
const compareAndSwap64: Semantics = i => {
  const place = i.place(alignedOperand(i, 8), 8, 'interlocked');
  const expected = i.gr('r1');
  const old = place.compareAndSwap64(expected, i.gr('r3'));
  i.setGr('r1', old);
  i.setCc(i64.ne(old, expected));
};

const compareDoubleAndSwap32: Semantics = i => {
  i.even('r1');
  i.even('r3');
  const place = i.place(alignedOperand(i, 8), 8, 'interlocked');
  const joined = (register: string) =>
    i.let(i64.or(i64.shl(i64.fromU(i.gr32(register)), 32), i64.fromU(i.gr32(register, 1))));
  const expected = joined('r1');
  const old = place.compareAndSwap64(expected, joined('r3'));
  i.setGr32('r1', i32.wrap(i64.shrU(old, 32)));
  i.setGr32('r1', i32.wrap(old), 1);
  i.setCc(i64.ne(old, expected));
};
const compareDoubleAndSwap64: Semantics = i => {
  i.even('r1');
  i.even('r3');
  const place = i.place(alignedOperand(i, 16), 16, 'wide');
  i.serialize();
  const [left, right] = place.loadPair();
  const unequal = i.let(i32.or(i64.ne(left, i.gr('r1')), i64.ne(right, i.gr('r1', 1))));
  i.if(
    unequal,
    () => {
      i.setGr('r1', left);
      i.setGr('r1', right, 1);
    },
    () => {
      place.storePair(i.gr('r3'), i.gr('r3', 1));
      i.serialize();
    },
  );
  i.setCc(unequal);
};

type Operation = 'add' | 'and' | 'or' | 'xor';
type Kind = 'add' | 'addLogical' | 'logical';

/** LOAD AND (ADD, AND, ...): R1 becomes what storage was before R3 was combined with it. */
const loadAnd32 =
  (operation: Operation, kind: Kind): Semantics =>
  i => {
    const place = i.place(alignedOperand(i, 4), 4, 'interlocked');
    const b = i.gr32('r3');
    const old = place[`${operation}32`](b);
    i.setGr32('r1', old);
    if (kind === 'logical') i.cc32(kind, i32[operation](old, b));
    else i.cc32(kind, old, b);
  };
const loadAnd64 =
  (operation: Operation, kind: Kind): Semantics =>
  i => {
    const place = i.place(alignedOperand(i, 8), 8, 'interlocked');
    const b = i.gr('r3');
    const old = place[`${operation}64`](b);
    i.setGr('r1', old);
    if (kind === 'logical') i.cc64(kind, i64[operation](old, b));
    else i.cc64(kind, old, b);
  };

/** LOAD PAIR DISJOINT: condition code 3 tells that the two were not fetched as one. */
const loadPair =
  (size: 4 | 8): Semantics =>
  i => {
    i.even('r3');
    const addresses = [i.address(1), i.address(2)] as const;
    for (const address of addresses) i.aligned(address, size);
    const [first, second] = [i.place(addresses[0], size, 'fetch'), i.place(addresses[1], size, 'fetch')];
    // Both were there together if the first has not changed when the second has been read.
    if (size === 4) {
      const [a, b] = [first.load32(), second.load32()];
      const changed = i.let(i32.ne(a, first.load32()));
      i.setGr32('r3', a);
      i.setGr32('r3', b, 1);
      i.setCc(i32.mul(changed, 3));
    } else {
      const [a, b] = [first.load64(), second.load64()];
      const changed = i.let(i64.ne(a, first.load64()));
      i.setGr('r3', a);
      i.setGr('r3', b, 1);
      i.setCc(i32.mul(changed, 3));
    }
  };

export const interlocked: readonly Instruction[] = [
  // COMPARE AND SWAP
  insn('CS', 0xba, RS_a, 'z', compareAndSwap32),
  insn('CSY', 0xeb14, RSY_a, 18, compareAndSwap32),
  insn('CSG', 0xeb30, RSY_a, 'z', compareAndSwap64),
  insn('CDS', 0xbb, RS_a, 'z', compareDoubleAndSwap32),
  insn('CDSY', 0xeb31, RSY_a, 18, compareDoubleAndSwap32),
  insn('CDSG', 0xeb3e, RSY_a, 'z', compareDoubleAndSwap64),
  insn('CSST', 0xc82, SSF, 32, i => i.millicode(compareAndSwapAndStore)),
  insn('PLO', 0xee, SS_plo, 'z', i => i.millicode(performLockedOperation)),

  // LOAD AND ADD, AND, EXCLUSIVE OR, OR
  insn('LAA', 0xebf8, RSY_a, 45, loadAnd32('add', 'add')),
  insn('LAAG', 0xebe8, RSY_a, 45, loadAnd64('add', 'add')),
  insn('LAAL', 0xebfa, RSY_a, 45, loadAnd32('add', 'addLogical')),
  insn('LAALG', 0xebea, RSY_a, 45, loadAnd64('add', 'addLogical')),
  insn('LAN', 0xebf4, RSY_a, 45, loadAnd32('and', 'logical')),
  insn('LANG', 0xebe4, RSY_a, 45, loadAnd64('and', 'logical')),
  insn('LAO', 0xebf6, RSY_a, 45, loadAnd32('or', 'logical')),
  insn('LAOG', 0xebe6, RSY_a, 45, loadAnd64('or', 'logical')),
  insn('LAX', 0xebf7, RSY_a, 45, loadAnd32('xor', 'logical')),
  insn('LAXG', 0xebe7, RSY_a, 45, loadAnd64('xor', 'logical')),

  insn('LPD', 0xc84, SSF_r, 45, loadPair(4)),
  insn('LPDG', 0xc85, SSF_r, 45, loadPair(8)),

  // TEST AND SET: the byte becomes all ones, its leftmost bit before that the condition code.
  insn('TS', 0x93, S, 'z', i => {
    const old = i.place(i.address(), 1, 'interlocked').or8(k32(0xff));
    i.setCc(i32.shrU(old, 7));
  }),
];
