/** The registers of a CPU as text, for the monitor and the log. */

import type { Registers } from './registers.ts';

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');

const sixteen = Array.from({ length: 16 }, (_, n) => n);

/** PSW, general, floating-point and control registers, four to a line. */
export function registerText(registers: Registers, floatingPoint = true): string {
  const psw = [hex(registers.pswMaskWithCc, 16), hex(registers.pswAddress, 16), hex(BigInt(registers.cc), 2)];
  const general = table('R', n => registers.gr(n));
  const floating = floatingPoint ? table('F', n => registers.fpr(n)) : '';
  const control = table('C', n => registers.cr(n));
  return `PSW=mask ${psw[0]} addr ${psw[1]} cc ${psw[2]}\n${general}${floating}${control}\n`;
}

const table = (letter: string, value: (n: number) => bigint): string =>
  sixteen.map(n => `${letter}${String(n).padStart(2, '0')}=${hex(value(n), 16)}${n % 4 === 3 ? '\n' : ' '}`).join('');
