/** The registers as the monitor shows them, and as they are called in expressions. */

import type { Registers } from '../../cpu/registers.ts';
import { hex } from './dump.ts';

const sixteen = Array.from({ length: 16 }, (_, n) => n);

/** PSW, general, floating-point and control registers, four to a line. */
export function registerText(registers: Registers): string {
  const psw = [hex(registers.pswMaskWithCc, 16), hex(registers.pswAddress, 16), hex(registers.cc, 2)];
  const general = table('R', n => registers.gr(n));
  const floating = table('F', n => registers.fpr(n));
  const control = table('C', n => registers.cr(n));
  return `PSW=mask ${psw[0]} addr ${psw[1]} cc ${psw[2]}\n${general}${floating}${control}\n`;
}

const table = (letter: string, value: (n: number) => bigint): string =>
  sixteen.map(n => `${letter}${String(n).padStart(2, '0')}=${hex(value(n), 16)}${n % 4 === 3 ? '\n' : ' '}`).join('');

/** `pswm`, `pswa` or `pc`, `r0`, `c0` or `cr0`, `a0` or `acr0`, `f0`, `fpc`, `prefix`, `cc`; undefined for others. */
export function registerValue(registers: Registers, name: string): bigint | undefined {
  const named: Record<string, () => bigint> = {
    pswm: () => registers.pswMaskWithCc,
    pswa: () => registers.pswAddress,
    pc: () => registers.pswAddress,
    cc: () => BigInt(registers.cc),
    fpc: () => BigInt(registers.fpc),
    prefix: () => BigInt(registers.prefix),
  };
  if (named[name]) return named[name]();
  const numbered = /^(r|f|c|cr|a|acr)(\d|1[0-5])$/.exec(name);
  if (!numbered) return undefined;
  const n = Number(numbered[2]);
  switch (numbered[1]![0]) {
    case 'r':
      return registers.gr(n);
    case 'f':
      return registers.fpr(n);
    case 'c':
      return registers.cr(n);
    default:
      return BigInt(registers.ar(n));
  }
}
