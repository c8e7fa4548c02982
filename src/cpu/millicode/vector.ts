/** Vector instructions as millicode (PoP ch. 21 to 24). */

import type { Millicode } from '../isa/insn.ts';

/** The elements of a number of 128 bits, from left to right. */
export function elements(value: bigint, bits: number): bigint[] {
  return Array.from({ length: 128 / bits }, (_, n) => BigInt.asUintN(bits, value >> BigInt(128 - bits * (n + 1))));
}

/**
 * VECTOR STRING SEARCH: the first place in V2 at which there is the string in V3, whose length in bytes is in V4, or its
 * beginning as far as V2 reaches. With the zero search both end at a zero.
 */
export const searchString: Millicode = (cpu, { v1, v2, v3, v4, m5, m6 }) => {
  const size = 1 << m5!;
  const text = elements(cpu.vr(v2!), 8 * size);
  const string = elements(cpu.vr(v3!), 8 * size);
  const bytes = Number((cpu.vr(v4!) >> 64n) & 0xffn);
  const searchesZero = (m6! & 2) !== 0;
  const endOf = (list: readonly bigint[]): number => {
    const zero = searchesZero ? list.indexOf(0n) : -1;
    return zero < 0 ? list.length : zero;
  };
  const wanted = string.slice(0, Math.min(Math.floor(bytes / size), endOf(string)));
  const end = endOf(text);
  let at = 0;
  while (at < end && !wanted.every((element, n) => at + n >= text.length || element === text[at + n])) at++;
  const found = wanted.length === 0 || at < end;
  if (!found) at = text.length;
  cpu.setVr(v1!, BigInt(at * size) << 64n);
  // 0: not found, 1: with a zero in V2, 2: found, 3: its beginning.
  if (found) cpu.cc = at + wanted.length <= text.length ? 2 : 3;
  else cpu.cc = end < text.length ? 1 : 0;
};
