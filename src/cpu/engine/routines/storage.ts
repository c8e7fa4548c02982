/**
 * Storage-to-storage instructions with a length of at most 256 bytes (PoP ch. 7). Where both operands are each on one
 * page that the TLB knows, the routine works at once; otherwise a second one translates up to two pages of each
 * operand, all of them before anything is changed, and goes from piece to piece.
 */

import * as x from '../../ir/expr.ts';
import { type I32, type I64, i32, i64, k32, v128 } from '../../ir/expr.ts';
import type { Routine, RoutineCode, Use } from '../routines.ts';

/** Works on pieces that lie on one page each, from left to right; returns a value from the routine. */
type Core = (r: RoutineCode, first: I32, second: I32, length: I32) => void;

const OPERANDS = ['i64', 'i64', 'i32', 'i32'] as const;

/** 1 if a byte of the first operand is needed as second-operand byte after it has been stored. */
const destructive = (first: I32, second: I32, length: I32): I32 =>
  i32.ltU(i32.sub(i32.sub(second, first), 1), i32.sub(length, 1));

const splat = (byte: I32): I64 => i64.mul(i64.fromU(byte), 0x0101_0101_0101_0101n);

/** Stores `length` (at least 1) times the same byte, given eightfold. */
function fill(r: RoutineCode, to: I32, value: I64, length: I32): void {
  const { f } = r;
  const end = (size: number): I32 => i32.sub(to, i32.sub(length, size));
  f.if(
    i32.geU(length, 16),
    () => {
      const vector = f.evaluate(v128.splat64(value));
      r.store128(end(16), vector);
      f.while(
        () => i32.gtU(length, 16),
        () => {
          r.store128(to, vector);
          r.advance(16, to);
          f.set(length, i32.sub(length, 16));
        },
      );
    },
    () =>
      f.if(
        i32.geU(length, 8),
        () => {
          r.store64(to, value);
          r.store64(end(8), value);
        },
        () => {
          const word = i32.wrap(value);
          f.if(
            i32.geU(length, 4),
            () => {
              r.store32(to, word);
              r.store32(end(4), word);
            },
            () => {
              f.if(i32.and(length, 2), () => {
                r.store16(to, word);
                r.advance(2, to);
              });
              f.if(i32.and(length, 1), () => r.store8(to, word));
            },
          );
        },
      ),
  );
}

const move: Core = (r, first, second, length) => {
  const { f } = r;
  const last = (pointer: I32, size: number): I32 => i32.sub(pointer, i32.sub(length, size));
  f.ifUnlikely(destructive(first, second, length), () => {
    // One byte apart: the usual way to clear storage.
    const distance = f.evaluate(i32.sub(second, first));
    f.if(i32.eq(distance, 1), () => {
      fill(r, first, f.evaluate(splat(r.load8(second))), length);
      f.return(k32(0));
    });
    const step = (size: number, store: (pointer: I32) => void): void =>
      f.while(
        () => i32.geU(length, size),
        () => {
          store(first);
          r.advance(size, first, second);
          f.set(length, i32.sub(length, size));
        },
      );
    f.if(i32.geU(distance, 8), () => step(8, pointer => r.store64(pointer, r.load64(second))));
    step(1, pointer => r.store8(pointer, r.load8(second)));
    f.return(k32(0));
  });
  // Both ends of a short operand; the last 16 bytes of a long one, read before they may be overwritten.
  f.if(i32.geU(length, 16), () => {
    const end = f.evaluate(last(first, 16));
    const tail = f.evaluate(r.load128(last(second, 16)));
    f.while(
      () => i32.gtU(length, 16),
      () => {
        r.store128(first, r.load128(second));
        r.advance(16, first, second);
        f.set(length, i32.sub(length, 16));
      },
    );
    r.store128(end, tail);
    f.return(k32(0));
  });
  const ends = <T extends x.Expr>(size: number, load: (p: I32) => T, store: (p: I32, value: T) => void): void =>
    f.if(i32.geU(length, size), () => {
      const [a, b] = [f.evaluate(load(second)) as T, f.evaluate(load(last(second, size))) as T];
      store(first, a);
      store(last(first, size), b);
      f.return(k32(0));
    });
  ends(8, r.load64, r.store64);
  ends(4, r.load32, r.store32);
  ends(2, r.load16, r.store16);
  r.store8(first, r.load8(second));
  f.return(k32(0));
};

/** The byte that replaces one of the first operand; for eight at once and for up to four. */
interface Combination {
  readonly wide: (a: I64, b: I64) => I64;
  readonly narrow: (a: I32, b: I32) => I32;
}
const AND: Combination = { wide: i64.and, narrow: i32.and };
const OR: Combination = { wide: i64.or, narrow: i32.or };
const XOR: Combination = { wide: i64.xor, narrow: i32.xor };
/** The second operand's bits under the mask, the first operand's elsewhere. */
const merge = (mask: number): Combination => ({
  wide: (a, b) => i64.xor(a, i64.and(i64.xor(a, b), splat(k32(mask)))),
  narrow: (a, b) => i32.xor(a, i32.and(i32.xor(a, b), Math.imul(mask, 0x0101_0101))),
});

/** The result replaces the first operand; 1 unless it is all zeros. */
const combine =
  ({ wide, narrow }: Combination): Core =>
  (r, first, second, length) => {
    const { f } = r;
    if (wide === i64.xor) {
      f.if(i32.eq(first, second), () => {
        fill(r, first, x.k64(0), length);
        f.return(k32(0));
      });
    }
    const any = r.variable64(x.k64(0));
    const result64 = f.newLocal('i64');
    const result32 = f.newLocal('i32');
    const step32 = (size: number, load: (p: I32) => I32, store: (p: I32, value: I32) => void): void => {
      f.set(result32, narrow(load(first), load(second)));
      store(first, result32);
      f.set(any, i64.or(any, i64.fromU(result32)));
      r.advance(size, first, second);
    };
    f.if(
      destructive(first, second, length),
      () =>
        f.while(
          () => length,
          () => {
            step32(1, r.load8, r.store8);
            f.set(length, i32.sub(length, 1));
          },
        ),
      () => {
        f.while(
          () => i32.geU(length, 8),
          () => {
            f.set(result64, wide(r.load64(first), r.load64(second)));
            r.store64(first, result64);
            f.set(any, i64.or(any, result64));
            r.advance(8, first, second);
            f.set(length, i32.sub(length, 8));
          },
        );
        f.if(i32.and(length, 4), () => step32(4, r.load32, r.store32));
        f.if(i32.and(length, 2), () => step32(2, r.load16, r.store16));
        f.if(i32.and(length, 1), () => step32(1, r.load8, r.store8));
      },
    );
    f.return(i64.ne(any, 0));
  };

/** 0 if equal, 1 if the first operand is low, 2 if it is high. */
const compare: Core = (r, first, second, length) => {
  const { f } = r;
  const last = (pointer: I32, size: number): I32 => i32.sub(pointer, i32.sub(length, size));
  const compare64 = (a: I64, b: I64): void => {
    const [p, q] = [f.evaluate(a), f.evaluate(b)];
    f.ifUnlikely(i64.ne(p, q), () => f.return(i32.select(i64.ltU(p, q), 1, 2)));
  };
  const compare32 = (a: I32, b: I32): void => {
    const [p, q] = [f.evaluate(a), f.evaluate(b)];
    f.if(i32.ne(p, q), () => f.return(i32.select(i32.ltU(p, q), 1, 2)));
  };
  f.if(i32.geU(length, 8), () => {
    f.while(
      () => i32.gtU(length, 8),
      () => {
        compare64(r.load64(first), r.load64(second));
        r.advance(8, first, second);
        f.set(length, i32.sub(length, 8));
      },
    );
    // What precedes is equal, so the last eight bytes may reach back into it.
    compare64(r.load64(last(first, 8)), r.load64(last(second, 8)));
    f.return(k32(0));
  });
  f.if(i32.geU(length, 4), () => {
    compare32(r.load32(first), r.load32(second));
    compare32(r.load32(last(first, 4)), r.load32(last(second, 4)));
    f.return(k32(0));
  });
  f.if(i32.geU(length, 2), () => {
    compare32(r.load16(first), r.load16(second));
    compare32(r.load16(last(first, 2)), r.load16(last(second, 2)));
    f.return(k32(0));
  });
  compare32(r.load8(first), r.load8(second));
  f.return(k32(0));
};

/** Two operands of the same length: the routine, the one for operands that need translation, the work on one piece. */
function pair(name: string, use: Use, core: Core): Routine[] {
  const piecewise = `${name}.pieces`;
  const piece = `${name}.piece`;
  return [
    {
      name,
      parameters: OPERANDS,
      body: r => {
        const [va1, va2, length, spaces] = [r.param64(0), r.param64(1), r.param32(2), r.param32(3)];
        const otherwise = (): void => r.f.return(r.call(piecewise, va1, va2, length, spaces));
        const first = r.lookUp(va1, length, use, otherwise);
        const second = r.lookUp(va2, length, 'fetch', otherwise);
        core(r, r.variable32(first), r.variable32(second), length);
      },
    },
    {
      name: piecewise,
      parameters: OPERANDS,
      body: r => {
        const { f } = r;
        const length = r.param32(2);
        // A comparison that ends on the first page causes no exception for the second.
        const changes = use === 'store';
        const operands = (
          [
            [1, 'fetch'],
            [0, use],
          ] as const
        ).map(([n, use]) => {
          const va = r.param64(n);
          const here = r.variable32(r.min(length, r.room(va)));
          const pointer = r.translate(va, here, use, n);
          const next = r.variable64(r.toAddress(i64.add(va, i64.fromU(here))));
          const nextPage = r.variable32(k32(0));
          const translateNext = (rest: I32): void => f.set(nextPage, r.translate(next, rest, use, n));
          if (changes) f.if(i32.ltU(here, length), () => translateNext(i32.sub(length, here)));
          return { here, pointer, nextPage, translateNext };
        });
        const [second, first] = [operands[0]!, operands[1]!];
        const result = r.variable32(k32(0));
        f.loop(again => {
          const count = r.min(first.here, second.here);
          f.set(result, i32.or(result, r.call(piece, first.pointer, second.pointer, count)));
          f.set(length, i32.sub(length, count));
          f.if(i32.eqz(length), () => f.return(result));
          if (!changes) f.if(result, () => f.return(result));
          for (const { here, pointer, nextPage, translateNext } of operands) {
            r.advance(count, pointer);
            f.set(here, i32.sub(here, count));
            f.if(i32.eqz(here), () => {
              if (!changes) translateNext(length);
              f.set(pointer, nextPage);
              f.set(here, length);
            });
          }
          f.br(again);
        });
      },
    },
    { name: piece, parameters: ['i32', 'i32', 'i32'], body: r => core(r, r.param32(0), r.param32(1), r.param32(2)) },
  ];
}

/** TRANSLATE: each byte of the first operand selects the table byte that replaces it. */
const translateBytes: Routine[] = [
  {
    name: 'TR',
    parameters: OPERANDS,
    body: r => {
      const { f } = r;
      const [va1, table, length, spaces] = [r.param64(0), r.param64(1), r.param32(2), r.param32(3)];
      const otherwise = (): void => f.return(r.call('TR.pieces', va1, table, length, spaces));
      const first = r.variable32(r.lookUp(va1, length, 'store', otherwise));
      const second = r.lookUp(table, k32(256), 'fetch', otherwise);
      f.loop(again => {
        r.store8(first, r.load8(i32.sub(second, r.load8(first))));
        r.advance(1, first);
        f.set(length, i32.sub(length, 1));
        f.brIf(again, length);
      });
      f.return(k32(0));
    },
  },
  {
    name: 'TR.pieces',
    parameters: OPERANDS,
    body: r => {
      const { f } = r;
      const length = r.param32(2);
      const tableAt = r.paged(r.param64(1), k32(256), 'fetch', 1);
      const firstAt = r.paged(r.param64(0), length, 'store', 0);
      const offset = r.variable32(k32(0));
      const each = (body: (pointer: I32) => void): void => {
        f.set(offset, k32(0));
        f.loop(again => {
          body(firstAt(offset));
          f.set(offset, i32.add(offset, 1));
          f.brIf(again, i32.ltU(offset, length));
        });
      };
      // Only those table bytes are accessed that are selected, and they are before anything changes.
      each(pointer => void tableAt(f.evaluate(r.load8(pointer))));
      each(pointer => r.store8(pointer, r.load8(tableAt(f.evaluate(r.load8(pointer))))));
      f.return(k32(0));
    },
  },
];

/** TRANSLATE AND TEST, or REVERSE: finds the first byte whose table byte is not zero; `step` is 1 or -1. */
function translateAndTest(name: string, step: 1 | -1): Routine[] {
  const found = (r: RoutineCode, va1: I64, offset: I32, length: I32, value: I32): void => {
    const { f } = r;
    const at = f.evaluate(r.toAddress(i64.add(va1, i64.mul(i64.fromU(offset), step))));
    f.if(
      r.narrow(),
      () => {
        const [low, old] = [i32.wrap(at), f.evaluate(r.gr32(k32(1)))];
        r.setGr32(k32(1), i32.or(i32.and(old, 0xff00_0000), low));
      },
      () => r.setAddress(k32(1), at),
    );
    r.setGr8(k32(2), value);
    f.return(i32.select(i32.eq(offset, i32.sub(length, 1)), 2, 1));
  };
  const scan = (r: RoutineCode, byteAt: (offset: I32) => I32, functionOf: (byte: I32) => I32): void => {
    const { f } = r;
    const [va1, length] = [r.param64(0), r.param32(2)];
    const offset = r.variable32(k32(0));
    f.loop(again => {
      const value = f.evaluate(functionOf(f.evaluate(byteAt(offset))));
      f.if(value, () => found(r, va1, offset, length, value));
      f.set(offset, i32.add(offset, 1));
      f.brIf(again, i32.ltU(offset, length));
    });
    f.return(k32(0));
  };
  const routine: Routine = {
    name,
    parameters: OPERANDS,
    body: r => {
      const { f } = r;
      const [va1, table, length, spaces] = [r.param64(0), r.param64(1), r.param32(2), r.param32(3)];
      const otherwise = (): void => f.return(r.call(`${name}.pieces`, va1, table, length, spaces));
      // The leftmost byte of the first operand.
      const left = step > 0 ? va1 : f.evaluate(i64.sub(va1, i64.fromU(i32.sub(length, 1))));
      const last = step > 0 ? k32(0) : f.evaluate(i32.sub(length, 1));
      const first = r.lookUp(left, length, 'fetch', otherwise);
      const second = r.lookUp(table, k32(256), 'fetch', otherwise);
      scan(
        r,
        offset => r.load8(i32.sub(first, step > 0 ? offset : i32.sub(last, offset))),
        byte => r.load8(i32.sub(second, byte)),
      );
    },
  };
  const pieces: Routine = {
    name: `${name}.pieces`,
    parameters: OPERANDS,
    body: r => {
      const [va1, table, length] = [r.param64(0), r.param64(1), r.param32(2)];
      const last = r.f.evaluate(i32.sub(length, 1));
      const left = step > 0 ? va1 : r.f.evaluate(r.toAddress(i64.sub(va1, i64.fromU(last))));
      const firstAt = r.paged(left, length, 'fetch', 0);
      const tableAt = r.paged(table, k32(256), 'fetch', 1);
      scan(
        r,
        offset => r.load8(firstAt(step > 0 ? offset : r.f.evaluate(i32.sub(last, offset)))),
        byte => r.load8(tableAt(byte)),
      );
    },
  };
  return [routine, pieces];
}

export const storageToStorage: readonly Routine[] = [
  ...pair('MVC', 'store', move),
  ...pair('MVN', 'store', combine(merge(0x0f))),
  ...pair('MVZ', 'store', combine(merge(0xf0))),
  ...pair('NC', 'store', combine(AND)),
  ...pair('OC', 'store', combine(OR)),
  ...pair('XC', 'store', combine(XOR)),
  ...pair('CLC', 'fetch', compare),
  ...translateBytes,
  ...translateAndTest('TRT', 1),
  ...translateAndTest('TRTR', -1),
];
