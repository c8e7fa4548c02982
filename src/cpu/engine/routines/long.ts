/**
 * Moves and comparisons of operands whose addresses and lengths are in register pairs (PoP ch. 7): MVCL, MVCLE, CLCL,
 * CLCLE. They go from page to page; after each piece the registers show how far the operation has come, so that an
 * access exception or an interruption can end it there.
 */

import { type I32, type I64, i32, i64, k32, k64 } from '../../ir/expr.ts';
import { AGAIN } from '../../isa/insn.ts';
import type { Routine, RoutineCode } from '../routines.ts';

/** An operand: the address in the even register of a pair, the length in the odd one. */
class LongOperand {
  readonly r: RoutineCode;
  readonly number: number;
  readonly register: I32;
  readonly address: I64;
  readonly length: I64;
  readonly #extended: boolean;

  /** @param extended the length is a full register, else 24 bits beside which the padding byte may stand */
  constructor(r: RoutineCode, number: number, register: I32, address: I64, extended: boolean) {
    this.r = r;
    this.number = number;
    this.register = register;
    this.address = address;
    this.#extended = extended;
    this.length = r.variable64(extended ? r.count(register, 1) : i64.and(r.gr(register, 1), 0xff_ffff));
  }

  /** Bytes that can be had in one piece. */
  room(): I32 {
    return this.r.min64(this.r.room(this.address), this.length);
  }

  advance(count: I32): void {
    const { r } = this;
    const wide = i64.fromU(count);
    r.f.set(this.address, r.toAddress(i64.add(this.address, wide)));
    r.f.set(this.length, i64.sub(this.length, wide));
    this.save();
  }

  save(): void {
    const { r, register, address, length } = this;
    r.setAddress(register, address);
    if (this.#extended) r.setAddress(register, length, 1);
    else r.setGr32(register, i32.or(i32.and(r.gr32(register, 1), 0xff00_0000), i32.wrap(length)), 1);
  }
}

/** Parameters: the two addresses, the numbers of the even registers, the padding byte, the spaces. */
const PARAMETERS = ['i64', 'i64', 'i32', 'i32', 'i32', 'i32'] as const;

function operands(r: RoutineCode, extended: boolean): readonly [LongOperand, LongOperand] {
  const operand = (n: number): LongOperand => new LongOperand(r, n, r.param32(2 + n), r.param64(n), extended);
  return [operand(0), operand(1)];
}

/** MVCL, MVCLE. Condition code 0, 1, 2: the first operand's length was equal, low, high; 3: see the manual. */
function move(name: string, extended: boolean): Routine {
  return {
    name,
    parameters: PARAMETERS,
    body: r => {
      const { f } = r;
      const [to, from] = operands(r, extended);
      const pad = r.param32(4);
      const result = f.evaluate(i32.or(i32.shl(i64.gtU(to.length, from.length), 1), i64.ltU(to.length, from.length)));
      to.save();
      from.save();
      if (!extended) {
        // Destructive overlap: the first operand begins inside what is to be fetched. In access-register mode the
        // operands can only overlap when both designate the same space.
        const moved = f.evaluate(i64.select(result, i64.select(i32.eq(result, 1), to.length, from.length), to.length));
        const distance = f.evaluate(r.toAddress(i64.sub(to.address, from.address)));
        const inside = i32.and(i64.ne(distance, 0), i64.ltU(distance, moved));
        f.if(i32.and(inside, i32.eq(r.accessRegister(0), r.accessRegister(1))), () => f.return(k32(3)));
      }
      f.while(
        () => i64.ne(to.length, 0),
        () => {
          const count = f.newLocal('i32');
          f.if(
            i64.ne(from.length, 0),
            () => {
              f.set(count, r.min(to.room(), from.room()));
              const source = r.translate(from.address, count, 'fetch', 1);
              const target = r.translate(to.address, count, 'store', 0);
              r.copy(target, source, count);
              from.advance(count);
            },
            () => {
              f.set(count, to.room());
              r.fill(r.translate(to.address, count, 'store', 0), pad, count);
            },
          );
          to.advance(count);
          f.ifUnlikely(r.pending(), () => f.if(i64.ne(to.length, 0), () => f.return(k32(extended ? 3 : AGAIN))));
        },
      );
      f.return(result);
    },
  };
}

/** CLCL, CLCLE. Condition code 0 equal, 1 the first operand is low, 2 high, 3 the comparison is to be continued. */
function compare(name: string, extended: boolean): Routine {
  return {
    name,
    parameters: PARAMETERS,
    body: r => {
      const { f } = r;
      const [first, second] = operands(r, extended);
      const pad = f.evaluate(i64.mul(i64.fromU(r.param32(4)), 0x0101_0101_0101_0101n));
      first.save();
      second.save();
      const count = f.newLocal('i32');
      const same = f.newLocal('i32');
      const order = (a: I32, b: I32): void =>
        f.if(i32.ltU(same, count), () => {
          const [p, q] = [f.evaluate(a), f.evaluate(b)];
          f.return(i32.select(i32.ltU(p, q), 1, 2));
        });
      const padding = i32.wrap(i64.and(pad, 0xff));
      f.while(
        () => i64.ne(i64.or(first.length, second.length), 0),
        () => {
          f.if(
            i32.or(i64.eqz(first.length), i64.eqz(second.length)),
            () =>
              f.if(
                i64.ne(first.length, 0),
                () => {
                  f.set(count, first.room());
                  const pointer = r.translate(first.address, count, 'fetch', 0);
                  f.set(same, r.call('equalToPadding', pointer, pad, count));
                  first.advance(same);
                  order(r.load8(i32.sub(pointer, same)), padding);
                },
                () => {
                  f.set(count, second.room());
                  const pointer = r.translate(second.address, count, 'fetch', 1);
                  f.set(same, r.call('equalToPadding', pointer, pad, count));
                  second.advance(same);
                  order(padding, r.load8(i32.sub(pointer, same)));
                },
              ),
            () => {
              f.set(count, r.min(first.room(), second.room()));
              const a = r.translate(first.address, count, 'fetch', 0);
              const b = r.translate(second.address, count, 'fetch', 1);
              f.set(same, r.call('equalBytes', a, b, count));
              first.advance(same);
              second.advance(same);
              order(r.load8(i32.sub(a, same)), r.load8(i32.sub(b, same)));
            },
          );
          f.ifUnlikely(r.pending(), () =>
            f.if(i64.ne(i64.or(first.length, second.length), 0), () => f.return(k32(extended ? 3 : AGAIN))),
          );
        },
      );
      f.return(k32(0));
    },
  };
}

/** How many bytes from the left are equal; `other` gives what the first operand's bytes are compared with. */
function equal(
  name: string,
  type: 'i32' | 'i64',
  other: (r: RoutineCode) => { wide: () => I64; byte: () => I32 },
): Routine {
  return {
    name,
    parameters: ['i32', type, 'i32'],
    body: r => {
      const { f } = r;
      const [first, count] = [r.param32(0), r.param32(2)];
      const { wide, byte } = other(r);
      const done = r.variable32(k32(0));
      const step = (size: number): void => {
        f.set(done, i32.add(done, size));
        f.set(count, i32.sub(count, size));
        r.advance(size, first);
        if (type === 'i32') r.advance(size, r.param32(1));
      };
      const difference = r.variable64(k64(0));
      f.while(
        () => i32.geU(count, 8),
        () => {
          f.set(difference, i64.xor(r.load64(first), wide()));
          f.if(i64.ne(difference, 0), () => f.return(i32.add(done, i32.wrap(i64.shrU(i64.clz(difference), 3)))));
          step(8);
        },
      );
      f.while(
        () => count,
        () => {
          f.if(i32.ne(r.load8(first), byte()), () => f.return(done));
          step(1);
        },
      );
      f.return(done);
    },
  };
}

export const longOperands: readonly Routine[] = [
  equal('equalBytes', 'i32', r => ({ wide: () => r.load64(r.param32(1)), byte: () => r.load8(r.param32(1)) })),
  equal('equalToPadding', 'i64', r => ({
    wide: () => r.param64(1),
    byte: () => i32.and(i32.wrap(r.param64(1)), 0xff),
  })),
  move('MVCL', false),
  move('MVCLE', true),
  compare('CLCL', false),
  compare('CLCLE', true),
];
