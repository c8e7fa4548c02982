/** Makes a case with a difference as short and plain as it can be while the difference remains. */

import { type Case, place } from './case.ts';
import { compareWays } from './compare.ts';
import { Coverage } from './coverage.ts';
import { isBrokenOff, isString } from './generate.ts';
import type { Lpar } from './lpar.ts';
import type { Laid, Peer } from './peer.ts';
import type { Difference } from './result.ts';
import { vet, without } from './vet.ts';

export interface Found {
  readonly laid: Laid;
  readonly differences: readonly Difference[];
}

/** Simpler cases: one instruction fewer, one register zero, plainer modes. */
function* simpler(test: Case): Generator<Case> {
  for (let n = 0; n < test.items.length; n++) if (test.items.length > 1) yield without(test, n);
  for (let n = 0; n < 16; n++) {
    if (test.gr[n] !== 0n) yield { ...test, gr: test.gr.with(n, 0n) };
    if (test.fpr[n] !== 0n) yield { ...test, fpr: test.fpr.with(n, 0n) };
    if (test.ar[n] !== 0) yield { ...test, ar: test.ar.with(n, 0) };
  }
  for (const [n, value] of test.vr.entries()) if (value) yield { ...test, vr: test.vr.with(n, 0n) };
  if (test.fpc) yield { ...test, fpc: 0 };
  // Problem state, condition code, program mask, DAT.
  for (const bits of [1n << 48n, 3n << 44n, 15n << 40n, (1n << 58n) | (3n << 46n)]) {
    // Without translation, a string might run through the tables.
    if (bits >> 58n && test.items.some(isString)) continue;
    if (test.mask & bits) yield { ...test, mask: test.mask & ~bits };
  }
}

export async function shrink(found: Found, lpar: Lpar, peer: Peer): Promise<Found> {
  let best = found;
  for (let round = 0; round < 12; round++) {
    lpar.renew(peer.pools);
    const candidates = [...simpler(best.laid.test)].flatMap((test): Laid[] => {
      // What is known is not to take the place of what is looked for.
      const vetted = vet(lpar, peer.knowledge, test, new Coverage(), () => {});
      return vetted?.test === test && !isBrokenOff(test.items) ? [vetted] : [];
    });
    const ran = await compareWays(candidates, lpar, peer);
    const still = ran.filter(({ differences }) => differences.length);
    if (!still.length) break;
    const shorter = still.find(({ laid }) => laid.test.items.length < best.laid.test.items.length);
    if (shorter) {
      best = shorter;
      continue;
    }
    // Everything at once that does no harm alone, if it does none together.
    let together = best.laid.test;
    for (const { laid } of still) {
      const { test } = laid;
      together = {
        ...together,
        gr: together.gr.map((value, n) => (test.gr[n] === 0n ? 0n : value)),
        fpr: together.fpr.map((value, n) => (test.fpr[n] === 0n ? 0n : value)),
        vr: together.vr.map((value, n) => (test.vr[n] === 0n ? 0n : value)),
        ar: together.ar.map((value, n) => (test.ar[n] === 0 ? 0 : value)),
        fpc: test.fpc && together.fpc,
        mask: test.mask & together.mask,
      };
    }
    const [joined] = await compareWays([{ test: together, placed: place(together)! }], lpar, peer);
    best = joined?.differences.length ? joined : still[0]!;
    if (joined?.differences.length && still.length === candidates.length) break;
  }
  return best;
}
