/**
 * Instructions on strings that end with a given byte, and CHECKSUM (PoP ch. 7): SRST, MVST, CLST, CKSM. The ending
 * character and the registers have been checked. Condition code 3 ends them when the CPU has something else to do.
 */

import { type I32, i32, i64, k32, v128 } from '../../ir/expr.ts';
import type { Routine, RoutineCode } from '../routines.ts';

/** Parameters: addresses of the two operands, register numbers, the ending character, the spaces. */
const PARAMETERS = ['i64', 'i64', 'i32', 'i32', 'i32', 'i32'] as const;

const pageRest = (r: RoutineCode, n: number): I32 => r.room(r.param64(n));

const step = (r: RoutineCode, n: number, count: I32): void =>
  r.f.set(r.param64(n), r.toAddress(i64.add(r.param64(n), i64.fromU(count))));

/** The first of 16 bytes, in guest order, whose bit is set in a mask that is not zero. */
const firstOf = (mask: I32): I32 => i32.sub(i32.clz(mask), 16);

/** Offset of the first byte equal to the character, or the count: pointer, character, count. */
const find: Routine = {
  name: 'findByte',
  parameters: ['i32', 'i32', 'i32'],
  body: r => {
    const { f } = r;
    const [pointer, character, count] = [r.param32(0), r.param32(1), r.param32(2)];
    const pattern = f.evaluate(v128.splat8(character));
    const done = r.variable32(k32(0));
    const mask = f.newLocal('i32');
    f.while(
      () => i32.leU(i32.add(done, 16), count),
      () => {
        f.set(mask, v128.bitmask8(v128.eq8(r.load128(i32.sub(pointer, done)), pattern)));
        f.if(mask, () => f.return(i32.add(done, firstOf(mask))));
        f.set(done, i32.add(done, 16));
      },
    );
    f.while(
      () => i32.ltU(done, count),
      () => {
        f.if(i32.eq(r.load8(i32.sub(pointer, done)), character), () => f.return(done));
        f.set(done, i32.add(done, 1));
      },
    );
    f.return(done);
  },
};

/** SEARCH STRING: R1 has the address past the string, R2 that of the string, which the second operand's space holds. */
const search: Routine = {
  name: 'SRST',
  parameters: PARAMETERS,
  body: r => {
    const { f } = r;
    const [end, start] = [r.param64(0), r.param64(1)];
    const left = r.variable64(r.toAddress(i64.sub(end, start)));
    f.while(
      () => i64.ne(left, 0),
      () => {
        const count = r.min64(pageRest(r, 1), left);
        const pointer = r.translate(start, count, 'fetch', 1);
        const found = r.variable32(r.call('findByte', pointer, r.param32(4), count));
        step(r, 1, found);
        f.if(i32.ltU(found, count), () => {
          r.setAddress(r.param32(2), start);
          f.return(k32(1));
        });
        f.set(left, i64.sub(left, i64.fromU(count)));
        f.ifUnlikely(r.pending(), () =>
          f.if(i64.ne(left, 0), () => {
            r.setAddress(r.param32(3), start);
            f.return(k32(3));
          }),
        );
      },
    );
    f.return(k32(2));
  },
};

/** MOVE STRING: R1 is left with the address of the ending character. */
const move: Routine = {
  name: 'MVST',
  parameters: PARAMETERS,
  body: r => {
    const { f } = r;
    const [to, from, character] = [r.param64(0), r.param64(1), r.param32(4)];
    f.loop(again => {
      const count = r.min(pageRest(r, 0), pageRest(r, 1));
      const source = r.translate(from, count, 'fetch', 1);
      const target = r.translate(to, count, 'store', 0);
      const length = r.variable32(r.call('findByte', source, character, count));
      // The ending character is moved too.
      const moved = f.evaluate(i32.add(length, i32.ltU(length, count)));
      r.copy(target, source, moved);
      step(r, 0, length);
      step(r, 1, length);
      f.if(i32.ltU(length, count), () => {
        r.setAddress(r.param32(2), to);
        f.return(k32(1));
      });
      f.ifUnlikely(r.pending(), () => {
        r.setAddress(r.param32(2), to);
        r.setAddress(r.param32(3), from);
        f.return(k32(3));
      });
      f.br(again);
    });
  },
};

/** COMPARE LOGICAL STRING: both registers are left with the addresses of the first bytes that differ. */
const compare: Routine = {
  name: 'CLST',
  parameters: PARAMETERS,
  body: r => {
    const { f } = r;
    const [first, second, character] = [r.param64(0), r.param64(1), r.param32(4)];
    const pattern = f.evaluate(v128.splat8(character));
    const done = f.newLocal('i32');
    const mask = f.newLocal('i32');
    const set = (): void => {
      r.setAddress(r.param32(2), first);
      r.setAddress(r.param32(3), second);
    };
    f.loop(again => {
      const count = r.min(pageRest(r, 0), pageRest(r, 1));
      const a = r.translate(first, count, 'fetch', 0);
      const b = r.translate(second, count, 'fetch', 1);
      f.set(done, k32(0));
      f.block(stopped => {
        f.loop(next => {
          f.if(
            i32.leU(i32.add(done, 16), count),
            () => {
              const [p, q] = [f.evaluate(r.load128(i32.sub(a, done))), f.evaluate(r.load128(i32.sub(b, done)))];
              f.set(mask, v128.bitmask8(v128.or(v128.ne8(p, q), v128.eq8(p, pattern))));
              f.if(mask, () => {
                f.set(done, i32.add(done, firstOf(mask)));
                f.br(stopped);
              });
              f.set(done, i32.add(done, 16));
            },
            () => {
              const p = f.evaluate(r.load8(i32.sub(a, done)));
              const q = f.evaluate(r.load8(i32.sub(b, done)));
              f.brIf(stopped, i32.or(i32.ne(p, q), i32.eq(p, character)));
              f.set(done, i32.add(done, 1));
            },
          );
          f.brIf(next, i32.ltU(done, count));
        });
        step(r, 0, count);
        step(r, 1, count);
        f.ifUnlikely(r.pending(), () => {
          set();
          f.return(k32(3));
        });
        f.br(again);
      });
      const p = f.evaluate(r.load8(i32.sub(a, done)));
      const q = f.evaluate(r.load8(i32.sub(b, done)));
      f.if(i32.eq(p, q), () => f.return(k32(0)));
      step(r, 0, done);
      step(r, 1, done);
      set();
      // The string that ends first is low.
      const low = i32.or(i32.eq(p, character), i32.and(i32.ne(q, character), i32.ltU(p, q)));
      f.return(i32.select(low, 1, 2));
    });
  },
};

/** CHECKSUM: parameters are the address of the second operand, and the numbers of R1 and of the even register R2. */
const checksum: Routine = {
  name: 'CKSM',
  parameters: ['i64', 'i32', 'i32', 'i32'],
  body: r => {
    const { f } = r;
    const [address, register, pair] = [r.param64(0), r.param32(1), r.param32(2)];
    const left = r.variable64(r.count(pair, 1));
    // End-around carries are left to accumulate in the upper half.
    const sum = r.variable64(i64.fromU(r.gr32(register)));
    const word = f.newLocal('i32');
    const bytes = f.newLocal('i32');
    const add = (value: I32): void => f.set(sum, i64.add(sum, i64.fromU(value)));
    const fold = (): void => f.set(sum, i64.add(i64.and(sum, 0xffff_ffff), i64.shrU(sum, 32)));
    const save = (): void => {
      fold();
      fold();
      r.setGr32(register, i32.wrap(sum));
      r.setAddress(pair, address);
      r.setAddress(pair, left, 1);
    };
    const passed = (count: I32): void => {
      step(r, 0, count);
      f.set(left, i64.sub(left, i64.fromU(count)));
      save();
    };
    save();
    f.while(
      () => i64.ne(left, 0),
      () => {
        const count = f.evaluate(i32.and(r.min64(r.room(address), left), -4));
        f.if(
          count,
          () => {
            const pointer = r.translate(address, count, 'fetch', 0);
            f.set(bytes, count);
            f.loop(again => {
              add(r.load32(pointer));
              r.advance(4, pointer);
              f.set(bytes, i32.sub(bytes, 4));
              f.brIf(again, bytes);
            });
            passed(count);
          },
          () => {
            // A word across two pages, or the end, which is padded with zeros on the right.
            const rest = r.min64(k32(4), left);
            const at = r.paged(address, rest, 'fetch', 0);
            f.set(bytes, k32(0));
            f.set(word, k32(0));
            f.loop(again => {
              f.set(word, i32.or(i32.shl(word, 8), r.load8(at(bytes))));
              f.set(bytes, i32.add(bytes, 1));
              f.brIf(again, i32.ltU(bytes, rest));
            });
            add(i32.shl(word, i32.shl(i32.sub(k32(4), rest), 3)));
            passed(rest);
          },
        );
        f.ifUnlikely(r.pending(), () => f.if(i64.ne(left, 0), () => f.return(k32(3))));
      },
    );
    f.return(k32(0));
  },
};

export const strings: readonly Routine[] = [find, search, move, compare, checksum];
