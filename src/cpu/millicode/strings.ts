/** Rare moves, comparisons and searches (PoP ch. 7): MVCIN, MVCLU, CLCLU, SRSTU, CUSE. */

import type { Millicode } from '../isa/insn.ts';
import { operandAddress } from './operands.ts';
import { RegisterOperand, repeat, specify } from './pairs.ts';

/** MOVE INVERSE: the second operand is designated by its rightmost byte. */
export const moveInverse: Millicode = (cpu, operands) => {
  const { access, addressMask } = cpu;
  const { b1, b2 } = operands;
  const length = operands.l1! + 1;
  const to = operandAddress(cpu, operands, 1);
  const from = operandAddress(cpu, operands, 2);
  access.probe((from - BigInt(length - 1)) & addressMask, length, b2!, false);
  access.probe(to, length, b1!, true);
  for (let n = 0n; n < BigInt(length); n++) access.write8(to + n, access.read8(from - n, b2!), b1!);
};

const [LOW, HIGH] = [1, 2];

/** MOVE LONG UNICODE: characters of two bytes; the padding character is in the second-operand address. */
export const moveLongUnicode: Millicode = (cpu, operands) => {
  const { r1, r3 } = operands;
  const to = new RegisterOperand(cpu, r1!);
  const from = new RegisterOperand(cpu, r3!);
  specify(r1! % 2 === 0 && r3! % 2 === 0 && to.length % 2n === 0n && from.length % 2n === 0n);
  const pad = Number(operandAddress(cpu, operands) & 0xffffn);
  const result = to.length === from.length ? 0 : to.length < from.length ? LOW : HIGH;
  const unit = (): number | undefined => {
    if (to.length === 0n) return result;
    to.write(2, from.length ? from.read(2) : pad);
    to.advance(2);
    if (from.length) from.advance(2);
    return undefined;
  };
  repeat(cpu, unit, () => {
    to.save();
    from.save();
  });
};

/** COMPARE LOGICAL LONG UNICODE. */
export const compareLongUnicode: Millicode = (cpu, operands) => {
  const { r1, r3 } = operands;
  const first = new RegisterOperand(cpu, r1!);
  const third = new RegisterOperand(cpu, r3!);
  specify(r1! % 2 === 0 && r3! % 2 === 0 && first.length % 2n === 0n && third.length % 2n === 0n);
  const pad = Number(operandAddress(cpu, operands) & 0xffffn);
  const unit = (): number | undefined => {
    if (!first.length && !third.length) return 0;
    const a = first.length ? first.read(2) : pad;
    const b = third.length ? third.read(2) : pad;
    if (a !== b) return a < b ? LOW : HIGH;
    if (first.length) first.advance(2);
    if (third.length) third.advance(2);
    return undefined;
  };
  repeat(cpu, unit, () => {
    first.save();
    third.save();
  });
};

/** SEARCH STRING UNICODE: R1 has the address past the string, R2 that of the string. */
export const searchStringUnicode: Millicode = (cpu, { r1, r2 }) => {
  const character = cpu.gr32(0);
  specify(character >>> 16 === 0);
  const found = new RegisterOperand(cpu, r1!);
  const string = new RegisterOperand(cpu, r2!);
  const start = string.address;
  // When the addresses are not both odd or both even, the character that contains the last byte counts.
  const end = (found.address + ((found.address ^ start) & 1n)) & cpu.addressMask;
  const unit = (): number | undefined => {
    if (string.address === end) return 2;
    if (string.read(2) === character) return 1;
    string.advance(2);
    return undefined;
  };
  repeat(cpu, unit, () => {});
  if (cpu.cc === 3) string.saveAddress();
  if (cpu.cc !== 1) return;
  found.address = string.address;
  found.saveAddress();
};

/**
 * COMPARE UNTIL SUBSTRING EQUAL: the length of the substring is in general register 0, the padding byte in 1. The
 * registers are left at the beginning of the equal substring, or of the equal bytes that may become one.
 */
export const compareUntilSubstringEqual: Millicode = (cpu, { r1, r2 }) => {
  specify(r1! % 2 === 0 && r2! % 2 === 0);
  const wanted = cpu.gr32(0) & 0xff;
  const pad = cpu.gr32(1) & 0xff;
  const first = new RegisterOperand(cpu, r1!);
  const second = new RegisterOperand(cpu, r2!);
  // Bytes compared equal since the registers' position.
  let equal = 0;
  const byte = (operand: RegisterOperand): number => (operand.length > BigInt(equal) ? operand.read(1, equal) : pad);
  const skip = (operand: RegisterOperand, count: number): void => {
    operand.advance(operand.length < BigInt(count) ? Number(operand.length) : count);
  };
  const unit = (): number | undefined => {
    if (equal === wanted) return 0;
    if (first.length <= BigInt(equal) && second.length <= BigInt(equal)) return equal ? 1 : 2;
    if (byte(first) === byte(second)) {
      equal++;
      return undefined;
    }
    skip(first, equal + 1);
    skip(second, equal + 1);
    equal = 0;
    return undefined;
  };
  repeat(cpu, unit, () => {
    first.save();
    second.save();
  });
};
