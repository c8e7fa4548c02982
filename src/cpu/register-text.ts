/** The registers of a CPU as text, for the monitor and the log. */

import type { Registers } from './registers.ts';
import * as state from './state.ts';

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');

/**
 * PSW, general, floating-point and control registers, four to a line; where there are vector registers, these in place of
 * the floating-point registers that are their left halves, two to a line.
 */
export function registerText(registers: Registers, floatingPoint = true): string {
  const psw = [hex(registers.pswMaskWithCc, 16), hex(registers.pswAddress, 16), hex(BigInt(registers.cc), 2)];
  const general = table('R', n => registers.gr(n));
  const hasVectors = !(registers.field32(state.LACKING) & state.LACKS_VECTORS);
  const vectors = (): string => table('V', n => registers.vr(n), 32, 2, 32);
  const floating = !floatingPoint ? '' : hasVectors ? vectors() : table('F', n => registers.fpr(n));
  const control = table('C', n => registers.cr(n));
  return `PSW=mask ${psw[0]} addr ${psw[1]} cc ${psw[2]}\n${general}${floating}${control}\n`;
}

const table = (letter: string, value: (n: number) => bigint, count = 16, perLine = 4, digits = 16): string =>
  Array.from({ length: count }, (_, n) => {
    const end = n % perLine === perLine - 1 ? '\n' : ' ';
    return `${letter}${String(n).padStart(2, '0')}=${hex(value(n), digits)}${end}`;
  }).join('');
