/** The registers as they are called in expressions of the monitor. */

import type { Registers } from '../../cpu/registers.ts';

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
