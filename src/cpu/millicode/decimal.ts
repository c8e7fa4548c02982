/** Decimal instructions (PoP ch. 8), and those of ch. 7 that convert to and from the packed and zoned formats. */

import type { Cpu } from '../cpu.ts';
import type { Millicode, Operands } from '../isa/insn.ts';
import { DATA, DECIMAL_DIVIDE, DECIMAL_OVERFLOW, FIXED_POINT_DIVIDE, ProgramInterruption } from '../program.ts';
import { operandAddress } from './operands.ts';
import { insertAddress, specify } from './pairs.ts';

/** PSW bit 21: decimal-overflow mask. */
const DECIMAL_OVERFLOW_MASK = 1n << 42n;

function data(condition: boolean): void {
  if (!condition) throw new ProgramInterruption(DATA, 0);
}

/** A storage operand of known length. */
interface Field {
  readonly address: bigint;
  readonly length: number;
  readonly base: number;
}

const field = (cpu: Cpu, operands: Operands, operand: 1 | 2, length: number): Field => ({
  address: operandAddress(cpu, operands, operand),
  length,
  base: operands[`b${operand}`]!,
});
/** The field that a length code (l1, l2) belongs to: one byte less than its length. */
const coded = (cpu: Cpu, operands: Operands, operand: 1 | 2): Field =>
  field(cpu, operands, operand, operands[`l${operand}`]! + 1);

const fetch = (cpu: Cpu, { address, length, base }: Field): Uint8Array => cpu.access.readBytes(address, length, base);
const store = (cpu: Cpu, { address, base }: Field, bytes: ArrayLike<number>): void =>
  cpu.access.writeBytes(address, bytes, base);
const probeStore = (cpu: Cpu, { address, length, base }: Field): void => cpu.access.probe(address, length, base, true);

// Packed numbers: a magnitude, and a sign that a zero has too.

interface Packed {
  readonly magnitude: bigint;
  readonly negative: boolean;
}

const minus = (sign: number): boolean => sign === 0xb || sign === 0xd;
const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');

/** @throws ProgramInterruption data exception for an invalid digit or sign */
function unpacked(bytes: Uint8Array): Packed {
  const text = hex(bytes);
  const digits = text.slice(0, -1);
  const sign = Number.parseInt(text.at(-1)!, 16);
  data(/^\d*$/.test(digits) && sign > 9);
  return { magnitude: BigInt(digits || '0'), negative: minus(sign) };
}

const signed = ({ magnitude, negative }: Packed): bigint => (negative ? -magnitude : magnitude);

const PLUS = 0xc;
const MINUS = 0xd;

/** The rightmost digits that fit in `length` bytes, with the preferred sign. */
function packed(magnitude: bigint, negative: boolean, length: number): Uint8Array {
  const digits = magnitude
    .toString()
    .slice(1 - 2 * length)
    .padStart(2 * length - 1, '0');
  const text = digits + (negative ? MINUS : PLUS).toString(16);
  return Uint8Array.from({ length }, (_, n) => Number.parseInt(text.slice(2 * n, 2 * n + 2), 16));
}

const fits = (magnitude: bigint, length: number): boolean => magnitude.toString().length <= 2 * length - 1;

/** Stores a result and sets the condition code; zero is positive unless digits are lost. */
function storeResult(cpu: Cpu, target: Field, magnitude: bigint, negative: boolean): void {
  const overflow = !fits(magnitude, target.length);
  store(cpu, target, packed(magnitude, negative && magnitude !== 0n, target.length));
  cpu.cc = overflow ? 3 : magnitude === 0n ? 0 : negative ? 1 : 2;
  if (overflow && cpu.pswMask & DECIMAL_OVERFLOW_MASK) throw new ProgramInterruption(DECIMAL_OVERFLOW, 0, true);
}

/** AP, SP, ZAP: what becomes of the operands; ZAP does not look at the first. */
const addition =
  (combine: (first: () => bigint, second: Packed) => Packed): Millicode =>
  (cpu, operands) => {
    const target = coded(cpu, operands, 1);
    const source = fetch(cpu, coded(cpu, operands, 2));
    probeStore(cpu, target);
    const { magnitude, negative } = combine(() => signed(unpacked(fetch(cpu, target))), unpacked(source));
    storeResult(cpu, target, magnitude, negative);
  };

const asPacked = (value: bigint): Packed =>
  value < 0n ? { magnitude: -value, negative: true } : { magnitude: value, negative: false };

export const addDecimal = addition((first, second) => asPacked(first() + signed(second)));
export const subtractDecimal = addition((first, second) => asPacked(first() - signed(second)));
export const zeroAndAdd = addition((_, second) => second);

export const compareDecimal: Millicode = (cpu, operands) => {
  const second = fetch(cpu, coded(cpu, operands, 2));
  const first = fetch(cpu, coded(cpu, operands, 1));
  const difference = signed(unpacked(first)) - signed(unpacked(second));
  cpu.cc = difference === 0n ? 0 : difference < 0n ? 1 : 2;
};

/** The multiplier or divisor has at most 8 bytes and is shorter than the first operand. */
function factors(
  cpu: Cpu,
  operands: Operands,
): { target: Field; first: Packed; second: Packed; firstBytes: Uint8Array } {
  specify(operands.l2! <= 7 && operands.l2! < operands.l1!);
  const target = coded(cpu, operands, 1);
  const source = fetch(cpu, coded(cpu, operands, 2));
  probeStore(cpu, target);
  const firstBytes = fetch(cpu, target);
  return { target, first: unpacked(firstBytes), second: unpacked(source), firstBytes };
}

export const multiplyDecimal: Millicode = (cpu, operands) => {
  const { target, first, second, firstBytes } = factors(cpu, operands);
  // As many leading zero bytes as the multiplier has bytes: the product cannot overflow.
  data(firstBytes.subarray(0, operands.l2! + 1).every(byte => byte === 0));
  store(cpu, target, packed(first.magnitude * second.magnitude, first.negative !== second.negative, target.length));
};

export const divideDecimal: Millicode = (cpu, operands) => {
  const { target, first, second } = factors(cpu, operands);
  const remainderLength = operands.l2! + 1;
  const quotientLength = target.length - remainderLength;
  const divides = second.magnitude !== 0n;
  const quotient = divides ? first.magnitude / second.magnitude : 0n;
  if (!divides || !fits(quotient, quotientLength)) throw new ProgramInterruption(DECIMAL_DIVIDE);
  const remainder = first.magnitude % second.magnitude;
  store(cpu, target, [
    ...packed(quotient, first.negative !== second.negative, quotientLength),
    ...packed(remainder, first.negative, remainderLength),
  ]);
};

/** SHIFT AND ROUND DECIMAL: the second-operand address is the shift, to the right if negative as six bits. */
export const shiftAndRound: Millicode = (cpu, operands) => {
  const target = coded(cpu, operands, 1);
  const shift = (Number(operandAddress(cpu, operands) & 0x3fn) ^ 0x20) - 0x20;
  probeStore(cpu, target);
  const { magnitude, negative } = unpacked(fetch(cpu, target));
  data(operands.i3! <= 9);
  if (shift >= 0) return storeResult(cpu, target, magnitude * 10n ** BigInt(shift), negative);
  const shifted = magnitude / 10n ** BigInt(-shift - 1);
  return storeResult(cpu, target, (shifted + BigInt(operands.i3!)) / 10n, negative);
};

/** TEST DECIMAL. */
export const testDecimal: Millicode = (cpu, operands) => {
  const text = hex(fetch(cpu, coded(cpu, operands, 1)));
  const signValid = Number.parseInt(text.at(-1)!, 16) > 9;
  const digitsValid = /^\d*$/.test(text.slice(0, -1));
  cpu.cc = (digitsValid ? 0 : 2) + (signValid ? 0 : 1);
};

// Editing

const DIGIT_SELECTOR = 0x20;
const SIGNIFICANCE_STARTER = 0x21;
const FIELD_SEPARATOR = 0x22;

/** EDIT, EDIT AND MARK. */
const edit =
  (mark: boolean): Millicode =>
  (cpu, operands) => {
    const target = coded(cpu, operands, 1);
    const pattern = fetch(cpu, target);
    probeStore(cpu, target);
    const base = operands.b2!;
    let source = operandAddress(cpu, operands);
    const fill = pattern[0]!;
    let significant = false;
    let nonzero = false;
    /** The right half of a source byte, when it is the next digit. */
    let rest: number | undefined;
    let marked: bigint | undefined;
    const result = pattern.map((character, n) => {
      if (character === FIELD_SEPARATOR) {
        significant = nonzero = false;
        return fill;
      }
      if (character !== DIGIT_SELECTOR && character !== SIGNIFICANCE_STARTER) return significant ? character : fill;
      let digit: number;
      let sign = 0;
      if (rest === undefined) {
        const byte = cpu.access.read8(source, base);
        source = (source + 1n) & cpu.addressMask;
        digit = byte >> 4;
        data(digit <= 9);
        if ((byte & 0xf) > 9) sign = byte & 0xf;
        else rest = byte & 0xf;
      } else {
        digit = rest;
        rest = undefined;
      }
      const shown = significant || digit !== 0;
      if (digit) {
        if (!significant) marked = target.address + BigInt(n);
        nonzero = true;
      }
      significant = (shown || character === SIGNIFICANCE_STARTER) && !(sign && !minus(sign));
      return shown ? 0xf0 | digit : fill;
    });
    store(cpu, target, result);
    cpu.cc = nonzero ? (significant ? 1 : 2) : 0;
    if (mark && marked !== undefined) insertAddress(cpu, 1, marked & cpu.addressMask);
  };

export const editPattern = edit(false);
export const editAndMark = edit(true);

// Between formats

/** Moves bytes from right to left, each stored before the next is fetched, for the operands may overlap. */
function rightToLeft(
  cpu: Cpu,
  operands: Operands,
  convert: (source: (n: number) => number, set: (n: number, byte: number) => void, length: number) => void,
): void {
  const target = coded(cpu, operands, 1);
  const source = coded(cpu, operands, 2);
  cpu.access.probe(source.address, source.length, source.base, false);
  probeStore(cpu, target);
  const at = ({ address, length }: Field, n: number): bigint => (address + BigInt(length - 1 - n)) & cpu.addressMask;
  convert(
    // Counted from the right; zeros to the left of the operand.
    n => (n < source.length ? cpu.access.read8(at(source, n), source.base) : 0),
    (n, byte) => {
      if (n < target.length) cpu.access.write8(at(target, n), byte & 0xff, target.base);
    },
    target.length,
  );
}

const swapped = (byte: number): number => (byte << 4) | (byte >> 4);

export const pack: Millicode = (cpu, operands) =>
  rightToLeft(cpu, operands, (source, set, length) => {
    set(0, swapped(source(0)));
    for (let n = 1; n < length; n++) {
      const low = source(2 * n - 1) & 0xf;
      set(n, low | (source(2 * n) << 4));
    }
  });

export const unpack: Millicode = (cpu, operands) =>
  rightToLeft(cpu, operands, (source, set, length) => {
    set(0, swapped(source(0)));
    for (let n = 1; 2 * n - 1 < length; n++) {
      const byte = source(n);
      set(2 * n - 1, 0xf0 | (byte & 0xf));
      set(2 * n, 0xf0 | (byte >> 4));
    }
  });

/** MOVE WITH OFFSET: to the left of the first operand's rightmost four bits. */
export const moveWithOffset: Millicode = (cpu, operands) => {
  const target = coded(cpu, operands, 1);
  rightToLeft(cpu, operands, (source, set, length) => {
    let low = cpu.access.read8((target.address + BigInt(length - 1)) & cpu.addressMask, target.base) & 0xf;
    for (let n = 0; n < length; n++) {
      const byte = source(n);
      set(n, low | (byte << 4));
      low = byte >> 4;
    }
  });
};

/** A packed operand has 16 bytes where the other one consists of characters. */
const PACKED = 16;

/** PACK ASCII, PACK UNICODE: bytes in a character, and its digit is in the last. */
const packCharacters =
  (size: 1 | 2): Millicode =>
  (cpu, operands) => {
    const source = coded(cpu, operands, 2);
    specify(source.length <= 32 * size && source.length % size === 0);
    const target = field(cpu, operands, 1, PACKED);
    const digits = Array.from(fetch(cpu, source), byte => byte & 0xf).filter((_, n) => n % size === size - 1);
    const nibbles = [...new Array<number>(2 * PACKED).fill(0), ...digits.slice(-31), PLUS].slice(-2 * PACKED);
    store(
      cpu,
      target,
      Array.from({ length: PACKED }, (_, n) => nibbles[2 * n]! * 16 + nibbles[2 * n + 1]!),
    );
  };

export const packAscii = packCharacters(1);
export const packUnicode = packCharacters(2);

/** UNPACK ASCII, UNPACK UNICODE. */
const unpackCharacters =
  (size: 1 | 2): Millicode =>
  (cpu, operands) => {
    const target = coded(cpu, operands, 1);
    specify(target.length <= 32 * size && target.length % size === 0);
    const bytes = fetch(cpu, field(cpu, operands, 2, PACKED));
    const nibbles = [0, ...Array.from(bytes).flatMap(byte => [byte >> 4, byte & 0xf])];
    const sign = nibbles.pop()!;
    const digits = nibbles.slice(-target.length / size);
    store(
      cpu,
      target,
      digits.flatMap(digit => (size === 1 ? [0x30 | digit] : [0, 0x30 | digit])),
    );
    cpu.cc = sign <= 9 ? 3 : minus(sign) ? 1 : 0;
  };

export const unpackAscii = unpackCharacters(1);
export const unpackUnicode = unpackCharacters(2);

// Binary

/** CVB, CVBY, CVBG: from 8 or 16 bytes to 32 or 64 bits. What does not fit is cut (32 bits) or refused. */
const toBinary =
  (bits: 32 | 64): Millicode =>
  (cpu, operands) => {
    const value = signed(unpacked(fetch(cpu, field(cpu, operands, 2, bits / 4))));
    const fit = BigInt.asIntN(bits, value) === value;
    if (bits === 32) cpu.setGr32(operands.r1!, Number(BigInt.asUintN(32, value)));
    else if (fit) cpu.setGr(operands.r1!, BigInt.asUintN(64, value));
    if (!fit) throw new ProgramInterruption(FIXED_POINT_DIVIDE, 0, bits === 32);
  };

export const convertToBinary = toBinary(32);
export const convertToBinaryLong = toBinary(64);

/** CVD, CVDY, CVDG. */
const toDecimal =
  (bits: 32 | 64): Millicode =>
  (cpu, operands) => {
    const value = BigInt.asIntN(bits, cpu.gr(operands.r1!));
    const { magnitude, negative } = asPacked(value);
    store(cpu, field(cpu, operands, 2, bits / 4), packed(magnitude, negative, bits / 4));
  };

export const convertToDecimal = toDecimal(32);
export const convertToDecimalLong = toDecimal(64);
