/** Runs cases here, in each way in which the CPU can run them, and in the peer, and compares. */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import type { Item } from './case.ts';
import { isString } from './generate.ts';
import { FUEL, type Lpar, type Way } from './lpar.ts';
import type { Laid, Peer } from './peer.ts';
import { codeOf, type Difference, differences, type Result, type Tolerance } from './result.ts';

export interface Compared {
  readonly laid: Laid;
  /** The peer broke down. */
  readonly aborted: boolean;
  /** Between this CPU's ways, then between the first of them and the peer. */
  readonly differences: readonly Difference[];
}

/** Only cases that come to an end here are run in the peer. */
export async function compareWays(cases: readonly Laid[], lpar: Lpar, peer: Peer): Promise<Compared[]> {
  const run = (way: Way): Result[] => {
    lpar.renew(peer.pools);
    return cases.map(({ test, placed }) => {
      lpar.load(test, placed, way);
      return lpar.result(lpar.run(FUEL));
    });
  };
  const counted = run('counted');
  const ending = cases.map((laid, n) => ({ laid, ours: counted[n]! })).filter(one => one.ours.kind);
  cases = ending.map(({ laid }) => laid);
  const theirs = await peer.run(cases);
  const others = (['fast', 'compiled'] as const).map(way => ({ way, results: run(way) }));
  return ending.map(({ laid, ours }, n): Compared => {
    const found = others.flatMap(({ way, results }) =>
      differences(results[n]!, ours).map(([what, ...both]): Difference => [`${what}, ${way} against counted`, ...both]),
    );
    const other = theirs[n]!;
    if (other === 'endless') found.push(['end', 'reached', 'not reached']);
    else if (other !== 'aborted' && !found.length && !isTooFar(laid, ours, other, peer))
      found.push(...differences(ours, other, toleranceOf(laid, ours, other)));
    return { laid, aborted: other === 'aborted', differences: found };
  });
}

/** Access exceptions by code. */
const ACCESS = new Set([4, 5, 0x10, 0x11, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x38, 0x39, 0x3a, 0x3b]);

/** Access exceptions that are likely to differ between two pages of one operand. */
const ANYWHERE = new Set([4, 5]);

/** The instruction that the program old PSW points at, or behind. */
function endingOf({ test, placed }: Laid, result: Result): Item | undefined {
  const old = Number(result.lowcore.getBigUint64(0x158 - 0x80));
  const code = codeOf(result);
  // An ALET-specification exception suppresses like those of low numbers.
  const address = code < 0x10 || code === 0x28 ? old - result.lowcore.getUint8(0x8d - 0x80) : old;
  return test.items[placed.addresses.indexOf(address)];
}

function isTooFar(laid: Laid, ours: Result, theirs: Result, { knowledge }: Peer): boolean {
  const row = endingOf(laid, theirs)?.row;
  return row !== undefined && (knowledge.goesTooFar?.(row, codeOf(theirs), ours) ?? false);
}

/** What results may differ in although both are right, or the peer is known to be wrong. */
function toleranceOf(laid: Laid, a: Result, b: Result): Tolerance {
  const { test, placed } = laid;
  const pages = new Set([placed.addresses[0]!, placed.end].map(address => address >> 12));
  const codes = [codeOf(a), codeOf(b)] as const;
  const isAccess = codes.every(code => ACCESS.has(code));
  const item = endingOf(laid, a);
  const row = item?.target?.row ?? item?.row;
  return {
    // On two pages the peer loses sight of branches; strings may be resumed by branches.
    breakingEvent: pages.size > 1 || test.items.some(isString),
    // The peer forgets EXECUTE when its target meets an exception.
    instructionLength: item?.target !== undefined,
    onlyEnding: codes[0] === 7 && row?.mnemonic === 'CMPSC',
    accessException:
      row !== undefined &&
      ((isAccess && (hasSeveralParts(row) || codes.some(code => ANYWHERE.has(code)))) || isEitherOf(row, codes)),
  };
}

/** Exceptions that are met in tables on the way, and access exceptions of operands: which comes first is open. */
const isEitherOf = ({ mnemonic }: Instruction, codes: readonly number[]): boolean =>
  /^(CMPSC|PLO)$/.test(mnemonic) && codes.every(code => code === (mnemonic === 'PLO' ? 6 : 7) || ACCESS.has(code));

/**
 * Of access exceptions for several parts of an instruction's operands, any may be recognised (PoP ch. 6, "Access
 * Exceptions"): there are two operands, or one that is long enough to be met at two places.
 */
const hasSeveralParts = ({ format }: Instruction): boolean => /^(SS|RS|SIL?)/.test(format.name);
