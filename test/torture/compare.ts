/** Runs cases here, in each way in which the CPU can run them, and in the peer, and compares. */

import { FUEL, type Lpar } from './lpar.ts';
import type { Laid, Peer } from './peer.ts';
import { type Difference, differences, type Result } from './result.ts';

export interface Compared {
  readonly laid: Laid;
  readonly ours: Result;
  readonly theirs: Result | undefined;
  /** Between this CPU's ways, then between the first of them and the peer. */
  readonly differences: readonly Difference[];
}

/** Only cases that come to an end here are run in the peer. */
export async function compareWays(cases: readonly Laid[], lpar: Lpar, peer: Peer): Promise<Compared[]> {
  const ours = cases.map(({ test, placed }) => {
    lpar.load(test, placed);
    return lpar.result(lpar.run(FUEL));
  });
  const ending = cases.map((laid, n) => ({ laid, ours: ours[n]! })).filter(one => one.ours.kind);
  const theirs = await peer.run(ending.map(({ laid }) => laid));
  return ending.map(({ laid, ours }, n): Compared => {
    lpar.load(laid.test, laid.placed, true);
    const fast = lpar.result(lpar.run(0));
    const found = differences(fast, ours).map(
      ([what, ...both]): Difference => [`${what}, not counted against counted`, ...both],
    );
    const other = theirs[n];
    if (!found.length)
      found.push(...(other ? differences(ours, other) : ([['end', 'reached', 'not reached']] as const)));
    return { laid, ours, theirs: other, differences: found };
  });
}
