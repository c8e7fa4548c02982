/** Conversion between UTF-8, UTF-16 and UTF-32 (PoP ch. 7): CU12, CU14, CU21, CU24, CU41, CU42. */

import type { Millicode } from '../isa/insn.ts';
import { RegisterOperand, repeat, specify } from './pairs.ts';

/** Condition codes: the second operand is at its end, the first has no more room, an invalid character. */
const DONE = 0;
const FULL = 1;
const INVALID = 2;

/** A character: its code point and the bytes it takes; or a condition code. */
type Decoded = { readonly code: number; readonly size: number } | number;

/** @param check the well-formedness checking control */
type Decode = (from: RegisterOperand, check: boolean) => Decoded;

const decode8: Decode = (from, check) => {
  if (from.length < 1n) return DONE;
  const first = from.read(1);
  if (first < 0x80) return { code: first, size: 1 };
  if (first < (check ? 0xc2 : 0xc0) || first > (check ? 0xf4 : 0xf7)) return INVALID;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (from.length < BigInt(size)) return DONE;
  let code = first & (0x7f >> size);
  for (let n = 1; n < size; n++) {
    const next = from.read(1, n);
    if (check && (next & 0xc0) !== 0x80) return INVALID;
    code = (code << 6) | (next & 0x3f);
  }
  if (check) {
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < [0, 0, 0x80, 0x800, 0x10000][size]! || code > 0x10ffff || surrogate) return INVALID;
  }
  return { code, size };
};

const decode16: Decode = (from, check) => {
  if (from.length < 2n) return DONE;
  const first = from.read(2);
  if ((first & 0xfc00) !== 0xd800) return { code: first, size: 2 };
  if (from.length < 4n) return DONE;
  const second = from.read(2, 2);
  if (check && (second & 0xfc00) !== 0xdc00) return INVALID;
  return { code: 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff), size: 4 };
};

const decode32: Decode = from => {
  if (from.length < 4n) return DONE;
  const code = from.read(4);
  if ((code >= 0xd800 && code <= 0xdbff) || code > 0x10ffff) return INVALID;
  return { code, size: 4 };
};

/** The bytes of a character. */
type Encode = (code: number) => readonly number[];

const encode8: Encode = code => {
  if (code < 0x80) return [code];
  const tail = (n: number): number => 0x80 | ((code >> (6 * n)) & 0x3f);
  if (code < 0x800) return [0xc0 | (code >> 6), tail(0)];
  if (code < 0x10000) return [0xe0 | (code >> 12), tail(1), tail(0)];
  return [0xf0 | (code >> 18), tail(2), tail(1), tail(0)];
};

const encode16: Encode = code => {
  if (code < 0x10000) return [code >> 8, code & 0xff];
  const high = 0xd800 | (((code - 0x10000) >> 10) & 0x3ff);
  const low = 0xdc00 | (code & 0x3ff);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff];
};

const encode32: Encode = code => [0, code >> 16, (code >> 8) & 0xff, code & 0xff];

const convert =
  (decode: Decode, encode: Encode): Millicode =>
  (cpu, { r1, r2, m3 }) => {
    specify(r1! % 2 === 0 && r2! % 2 === 0);
    const to = new RegisterOperand(cpu, r1!);
    const from = new RegisterOperand(cpu, r2!);
    const unit = (): number | undefined => {
      const character = decode(from, ((m3 ?? 0) & 1) !== 0);
      if (typeof character === 'number') return character;
      const bytes = encode(character.code);
      if (to.length < BigInt(bytes.length)) return FULL;
      cpu.access.writeBytes(to.address, bytes, r1!);
      to.advance(bytes.length);
      from.advance(character.size);
      return undefined;
    };
    repeat(cpu, unit, () => {
      to.save();
      from.save();
    });
  };

export const utf8ToUtf16 = convert(decode8, encode16);
export const utf8ToUtf32 = convert(decode8, encode32);
export const utf16ToUtf8 = convert(decode16, encode8);
export const utf16ToUtf32 = convert(decode16, encode32);
export const utf32ToUtf8 = convert(decode32, encode8);
export const utf32ToUtf16 = convert(decode32, encode16);
