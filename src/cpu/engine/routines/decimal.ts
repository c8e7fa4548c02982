/**
 * Decimal instructions on operands of at most eight bytes (PoP ch. 8), as is usual. A packed number is worked on as 16
 * digits of four bits in a 64-bit number. What is longer, lies on two pages, is invalid or overflows is left to
 * millicode: nothing has been changed then.
 */

import { type I32, type I64, i32, i64, k32, k64 } from '../../ir/expr.ts';
import { BY_MILLICODE } from '../../isa/insn.ts';
import type { Routine, RoutineCode, Use } from '../routines.ts';

const SIXES = 0x0666_6666_6666_6666n;
/** Where a carry out of each of 15 digits goes. */
const CARRIES = 0x1111_1111_1111_1110n;
const PLUS = 0xc;

/** Parameters: addresses of the operands, their length codes, the spaces. */
const TWO = ['i64', 'i64', 'i32', 'i32', 'i32'] as const;

const leave = (r: RoutineCode, condition: I32): void => r.f.ifUnlikely(condition, () => r.f.return(k32(BY_MILLICODE)));

/** Six where a digit has carried into the next, or borrowed from it. */
const sixes = (carries: I64): I64 => i64.or(i64.shrU(carries, 2), i64.shrU(carries, 3));

/** An operand in storage: where it is, and its length in bits less than 64. */
interface Field {
  readonly pointer: I32;
  readonly shift: I64;
}

function locate(r: RoutineCode, operand: 0 | 1, use: Use): Field {
  const code = r.param32(2 + operand);
  leave(r, i32.gtU(code, 7));
  const pointer = r.lookUp(r.param64(operand), i32.add(code, 1), use, () => r.f.return(k32(BY_MILLICODE)));
  return { pointer, shift: r.f.evaluate(i64.fromU(i32.shl(i32.sub(k32(7), code), 3))) };
}

/** A packed number: its digits, and whether its sign is minus. */
interface Packed {
  readonly digits: I64;
  readonly negative: I32;
}

function unpack(r: RoutineCode, value: I64): Packed {
  const { f } = r;
  const whole = f.evaluate(value);
  const digits = f.evaluate(i64.shrU(whole, 4));
  const sign = f.evaluate(i32.and(i32.wrap(whole), 15));
  const carries = i64.and(i64.xor(i64.xor(i64.add(digits, SIXES), digits), SIXES), CARRIES);
  leave(r, i32.or(i32.ltU(sign, 10), i64.ne(carries, 0)));
  // Signs 1011 and 1101 are minus.
  return { digits, negative: f.evaluate(i32.and(i32.shrU(k32(0x2800), sign), 1)) };
}

/** The bytes to the right of the operand are read too, and shifted out. */
const load = (r: RoutineCode, { pointer, shift }: Field): Packed => unpack(r, i64.shrU(r.load64(pointer), shift));

/** A packed number from its digits, with the preferred sign. */
const pack = (digits: I64, negative: I32): I64 => i64.or(i64.shl(digits, 4), i64.fromU(i32.or(negative, PLUS)));

/** Stores a number of as many bytes as the first operand has. */
function store(r: RoutineCode, { pointer, shift }: Field, packed: I64): void {
  const { f } = r;
  const code = r.param32(2);
  const number = f.evaluate(packed);
  const left = f.evaluate(i64.shl(number, shift));
  const last = (size: number): I32 => i32.sub(pointer, i32.sub(code, size - 1));
  f.if(
    i32.eq(code, 7),
    () => r.store64(pointer, left),
    () =>
      f.if(
        i32.geU(code, 3),
        () => {
          r.store32(pointer, i32.wrap(i64.shrU(left, 32)));
          r.store32(last(4), i32.wrap(number));
        },
        () =>
          f.if(
            code,
            () => {
              r.store16(pointer, i32.wrap(i64.shrU(left, 48)));
              r.store16(last(2), i32.wrap(number));
            },
            () => r.store8(pointer, i32.wrap(number)),
          ),
      ),
  );
}

/** Stores a sum and gives its condition code; digits that do not fit are millicode's. */
function result(r: RoutineCode, target: Field, digits: I64, negative: I32): void {
  const { f } = r;
  leave(r, i64.ne(i64.shrU(digits, i64.sub(k64(60), target.shift)), 0));
  const zero = f.evaluate(i64.eqz(digits));
  const minus = f.evaluate(i32.and(negative, i32.eqz(zero)));
  store(r, target, pack(digits, minus));
  f.return(i32.select(zero, 0, i32.sub(k32(2), minus)));
}

/** a + b; neither has more than 15 digits. */
function sum(r: RoutineCode, a: I64, b: I64): I64 {
  const { f } = r;
  const biased = f.evaluate(i64.add(a, SIXES));
  const total = f.evaluate(i64.add(biased, b));
  const carries = i64.xor(total, i64.xor(biased, b));
  return i64.sub(total, sixes(i64.and(i64.xor(carries, -1), CARRIES)));
}

/** a - b, where a is not less. */
function difference(r: RoutineCode, a: I64, b: I64): I64 {
  const binary = r.f.evaluate(i64.sub(a, b));
  return i64.sub(binary, sixes(i64.and(i64.xor(binary, i64.xor(a, b)), CARRIES)));
}

/** AP, SP. */
const addition = (name: string, subtract: boolean): Routine => ({
  name,
  parameters: TWO,
  body: r => {
    const { f } = r;
    const target = locate(r, 0, 'store');
    const a = load(r, target);
    const b = load(r, locate(r, 1, 'fetch'));
    const other = subtract ? f.evaluate(i32.xor(b.negative, 1)) : b.negative;
    f.if(i32.eq(a.negative, other), () => result(r, target, f.evaluate(sum(r, a.digits, b.digits)), a.negative));
    f.if(i64.geU(a.digits, b.digits), () =>
      result(r, target, f.evaluate(difference(r, a.digits, b.digits)), a.negative),
    );
    result(r, target, f.evaluate(difference(r, b.digits, a.digits)), other);
  },
});

const zeroAndAdd: Routine = {
  name: 'ZAP',
  parameters: TWO,
  body: r => {
    const target = locate(r, 0, 'store');
    const { digits, negative } = load(r, locate(r, 1, 'fetch'));
    result(r, target, digits, negative);
  },
};

/** The value as a signed number of which only the order matters. */
const ordinal = ({ digits, negative }: Packed): I64 => i64.select(negative, i64.sub(k64(0), digits), digits);

const compare: Routine = {
  name: 'CP',
  parameters: TWO,
  body: r => {
    const { f } = r;
    const a = f.evaluate(ordinal(load(r, locate(r, 0, 'fetch'))));
    const b = f.evaluate(ordinal(load(r, locate(r, 1, 'fetch'))));
    f.return(i32.or(i32.shl(i64.gtS(a, b), 1), i64.ltS(a, b)));
  },
};

// Binary numbers

/** Digits to a binary number: pairs of digits, then pairs of those, and so on. */
function toBinary(r: RoutineCode, digits: I64): I64 {
  let value = digits;
  const join = (bits: number, mask: bigint, weight: number): void => {
    value = r.f.evaluate(value);
    const low = i64.and(value, mask);
    const high = i64.and(i64.shrU(value, bits), mask);
    value = i64.add(low, i64.mul(high, weight));
  };
  join(4, 0x0f0f_0f0f_0f0f_0f0fn, 10);
  join(8, 0x00ff_00ff_00ff_00ffn, 100);
  join(16, 0x0000_ffff_0000_ffffn, 10_000);
  join(32, 0x0000_0000_ffff_ffffn, 100_000_000);
  return r.f.evaluate(value);
}

/** A binary number below 10^16 to digits: halves of eight digits, of four, two, one. */
function toDigits(r: RoutineCode, binary: I64): I64 {
  const { f } = r;
  const divide = (part: I64, divisor: number, bits: number): I64 => {
    const p = f.evaluate(part);
    const quotient = f.evaluate(i64.divU(p, divisor));
    return f.evaluate(i64.add(i64.sub(p, i64.mul(quotient, divisor)), i64.shl(quotient, bits)));
  };
  /** All parts of `bits` at once, by multiplication with a reciprocal that is exact for numbers of this size. */
  const split = (value: I64, bits: number, divisor: number, reciprocal: number, shift: number, mask: bigint): I64 => {
    const every = (parts: I64): I64 =>
      i64.and(
        i64.shrU(
          i64.mul(i64.and(parts, bits === 16 ? 0x0000_ffff_0000_ffffn : 0x00ff_00ff_00ff_00ffn), reciprocal),
          shift,
        ),
        mask,
      );
    const quotients = f.evaluate(i64.or(every(value), i64.shl(every(i64.shrU(value, bits)), bits)));
    return f.evaluate(i64.add(i64.sub(value, i64.mul(quotients, divisor)), i64.shl(quotients, bits / 2)));
  };
  const eights = divide(binary, 100_000_000, 32);
  const high = divide(i64.shrU(eights, 32), 10_000, 16);
  const fours = f.evaluate(i64.or(i64.shl(high, 32), divide(i64.and(eights, 0xffff_ffff), 10_000, 16)));
  const twos = split(fours, 16, 100, 5243, 19, 0x0000_007f_0000_007fn);
  return split(twos, 8, 10, 103, 10, 0x000f_000f_000f_000fn);
}

/** The second operand of MP and DP is shorter than the first. Bits that the first has more, without a sign. */
function surplus(r: RoutineCode): I64 {
  const [first, second] = [r.param32(2), r.param32(3)];
  leave(r, i32.geU(second, first));
  return r.f.evaluate(i64.fromU(i32.sub(i32.shl(i32.sub(first, second), 3), 4)));
}

const multiply: Routine = {
  name: 'MP',
  parameters: TWO,
  body: r => {
    const bits = surplus(r);
    const target = locate(r, 0, 'store');
    const a = load(r, target);
    const b = load(r, locate(r, 1, 'fetch'));
    leave(r, i64.ne(i64.shrU(a.digits, bits), 0));
    const product = toDigits(r, i64.mul(toBinary(r, a.digits), toBinary(r, b.digits)));
    store(r, target, pack(product, i32.xor(a.negative, b.negative)));
    r.f.return(k32(0));
  },
};

const divide: Routine = {
  name: 'DP',
  parameters: TWO,
  body: r => {
    const { f } = r;
    const bits = surplus(r);
    const target = locate(r, 0, 'store');
    const dividend = load(r, target);
    const divisor = load(r, locate(r, 1, 'fetch'));
    leave(r, i64.eqz(divisor.digits));
    const [a, b] = [toBinary(r, dividend.digits), toBinary(r, divisor.digits)];
    const quotient = toDigits(r, i64.divU(a, b));
    leave(r, i64.ne(i64.shrU(quotient, bits), 0));
    const remainder = pack(toDigits(r, i64.remU(a, b)), dividend.negative);
    const left = pack(quotient, i32.xor(dividend.negative, divisor.negative));
    const width = i64.fromU(i32.shl(i32.add(r.param32(3), 1), 3));
    store(r, target, f.evaluate(i64.or(i64.shl(left, width), remainder)));
    f.return(k32(0));
  },
};

/** Its second parameter is the second-operand address itself, its fourth the rounding digit. */
const shiftAndRound: Routine = {
  name: 'SRP',
  parameters: TWO,
  body: r => {
    const { f } = r;
    const round = r.param32(3);
    const target = locate(r, 0, 'store');
    const { digits, negative } = load(r, target);
    leave(r, i32.gtU(round, 9));
    // Six bits with a sign, times the four bits of a digit.
    const amount = f.evaluate(i64.shrS(i64.shl(r.param64(1), 58), 56));
    f.if(i64.geS(amount, 0), () => {
      leave(r, i32.or(i64.gtS(amount, 56), i64.ne(i64.shrU(digits, i64.sub(k64(60), amount)), 0)));
      result(r, target, f.evaluate(i64.shl(digits, amount)), negative);
    });
    leave(r, i64.ltS(amount, -60));
    const kept = f.evaluate(i64.shrU(digits, i64.sub(k64(-4), amount)));
    result(r, target, f.evaluate(i64.shrU(sum(r, kept, i64.fromU(round)), 4)), negative);
  },
};

// Conversions: parameters are the address, the number of R1, the spaces.

const CONVERSION = ['i64', 'i32', 'i32'] as const;

/** CVB, CVBG. */
const convertToBinary = (name: string, size: 8 | 16): Routine => ({
  name,
  parameters: CONVERSION,
  body: r => {
    const { f } = r;
    const pointer = r.lookUp(r.param64(0), k32(size), 'fetch', () => f.return(k32(BY_MILLICODE)));
    if (size === 16) leave(r, i64.ne(r.load64(pointer), 0));
    const { digits, negative } = unpack(r, r.load64(i32.sub(pointer, size - 8)));
    const magnitude = toBinary(r, digits);
    const value = f.evaluate(i64.select(negative, i64.sub(k64(0), magnitude), magnitude));
    if (size === 16) r.setGr(r.param32(1), value);
    else {
      leave(r, i64.ne(i64.extend32(value), value));
      r.setGr32(r.param32(1), i32.wrap(value));
    }
    f.return(k32(0));
  },
});

/** CVD, CVDG. */
const convertToDecimal = (name: string, size: 8 | 16): Routine => ({
  name,
  parameters: CONVERSION,
  body: r => {
    const { f } = r;
    const pointer = r.lookUp(r.param64(0), k32(size), 'store', () => f.return(k32(BY_MILLICODE)));
    const register = r.param32(1);
    const value = f.evaluate(size === 16 ? r.gr(register) : i64.fromS(r.gr32(register)));
    const negative = f.evaluate(i64.ltS(value, 0));
    const magnitude = f.evaluate(i64.select(negative, i64.sub(k64(0), value), value));
    if (size === 16) leave(r, i64.geU(magnitude, 10n ** 15n));
    const packed = f.evaluate(pack(toDigits(r, magnitude), negative));
    if (size === 16) r.store64(pointer, k64(0));
    r.store64(i32.sub(pointer, size - 8), packed);
    f.return(k32(0));
  },
});

// Formats: bytes from right to left, each stored before the next is fetched, for the operands may overlap.

type Next = () => void;

/**
 * A routine for two operands of up to 16 bytes each. The rightmost bytes have been dealt with; `take` sets `byte` to
 * the next one of the second operand, or zero, `put` stores the next one of the first.
 */
const rightToLeft = (
  name: string,
  body: (r: RoutineCode, byte: I32, take: Next, put: (value: I32) => void) => void,
): Routine => ({
  name,
  parameters: TWO,
  body: r => {
    const { f } = r;
    const operand = (n: 0 | 1, use: Use): { left: I32; at: I32 } => {
      const code = r.param32(2 + n);
      const pointer = r.lookUp(r.param64(n), i32.add(code, 1), use, () => f.return(k32(BY_MILLICODE)));
      return { left: code, at: r.variable32(i32.sub(pointer, code)) };
    };
    const to = operand(0, 'store');
    const from = operand(1, 'fetch');
    const byte = r.variable32(r.load8(from.at));
    r.store8(to.at, i32.or(i32.shl(byte, 4), i32.shrU(byte, 4)));
    const stepLeft = (side: { left: I32; at: I32 }): void => {
      f.set(side.at, i32.add(side.at, 1));
      f.set(side.left, i32.sub(side.left, 1));
    };
    const take = (): void =>
      f.if(
        from.left,
        () => {
          stepLeft(from);
          f.set(byte, r.load8(from.at));
        },
        () => f.set(byte, k32(0)),
      );
    const put = (value: I32): void =>
      f.if(to.left, () => {
        stepLeft(to);
        r.store8(to.at, value);
      });
    f.while(
      () => to.left,
      () => body(r, byte, take, put),
    );
    f.return(k32(0));
  },
});

const packZoned = rightToLeft('PACK', ({ f }, byte, take, put) => {
  take();
  const low = f.evaluate(i32.and(byte, 15));
  take();
  put(i32.or(i32.shl(byte, 4), low));
});

const unpackZoned = rightToLeft('UNPK', (_, byte, take, put) => {
  take();
  put(i32.or(byte, 0xf0));
  put(i32.or(i32.shrU(byte, 4), 0xf0));
});

export const decimal: readonly Routine[] = [
  addition('AP', false),
  addition('SP', true),
  zeroAndAdd,
  compare,
  multiply,
  divide,
  shiftAndRound,
  convertToBinary('CVB', 8),
  convertToBinary('CVBG', 16),
  convertToDecimal('CVD', 8),
  convertToDecimal('CVDG', 16),
  packZoned,
  unpackZoned,
];
