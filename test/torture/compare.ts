/** Runs cases here, in each way in which the CPU can run them, and in the peer, and compares. */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import type { Item } from './case.ts';
import { isString } from './generate.ts';
import { FUEL, type Left, type Lpar } from './lpar.ts';
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
  const ending = cases.flatMap((laid): Ending[] => {
    const ours = laid.ours ?? leftBehind(laid, lpar);
    return ours.result.kind ? [{ laid, ours }] : [];
  });
  // It works beside this process.
  const running = peer.run(ending.map(({ laid }) => laid));
  const others: Difference[][] = [];
  for (let n = 0; n < ending.length; n += TOGETHER)
    others.push(...differencesHere(ending.slice(n, n + TOGETHER), lpar));
  const theirs = await running;
  return ending.map(({ laid, ours: { result } }, n): Compared => {
    const found = others[n]!;
    const other = theirs[n]!;
    if (other === 'endless') found.push(['end', 'reached', 'not reached']);
    else if (other !== 'aborted' && !found.length && !isTooFar(laid, result, other, peer))
      found.push(
        ...differences(result, other, {
          ...toleranceOf(laid, result, other),
          withoutVectors: !peer.knowledge.vectors,
        }),
      );
    return { laid, aborted: other === 'aborted', differences: found };
  });
}

/** A case that comes to an end here, and what it leaves behind. */
interface Ending {
  readonly laid: Laid;
  readonly ours: Left;
}

function leftBehind({ test, placed }: Laid, lpar: Lpar): Left {
  lpar.load(test, placed);
  return lpar.left(lpar.run(FUEL));
}

/** Cases that are compiled together. */
const TOGETHER = 32;

/** Between the ways in which this CPU can run cases. */
function differencesHere(cases: readonly Ending[], lpar: Lpar): Difference[][] {
  const found: Difference[][] = cases.map(() => []);
  const run = (n: number, way: string): void => {
    const kind = lpar.run(FUEL);
    const { ours } = cases[n]!;
    if (lpar.hasLeft(ours)) return;
    for (const [what, ...both] of differences(lpar.result(kind), ours.result))
      found[n]!.push([`${what}, ${way} against counted`, ...both]);
  };
  const programs = cases.map(({ laid: { test, placed } }, n) => {
    lpar.load(test, placed, 'fast');
    const sources = lpar.sources(placed);
    run(n, 'fast');
    return sources;
  });
  for (const [n, way] of lpar.compile(programs).entries()) {
    // Nothing is compiled in the other addressing modes.
    if (!programs[n]!.length) continue;
    const { laid } = cases[n]!;
    lpar.load(laid.test, laid.placed, way);
    run(n, 'compiled');
  }
  return found;
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

/** The peer ended with an exception of an instruction after which this CPU went on. */
function isTooFar(laid: Laid, ours: Result, theirs: Result, { knowledge }: Peer): boolean {
  const item = endingOf(laid, theirs);
  if (!item || item === endingOf(laid, ours)) return false;
  return knowledge.goesTooFar?.(item.row, codeOf(theirs)) ?? false;
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
const hasSeveralParts = ({ format }: Instruction): boolean => /^(SS|RS|SIL?|VRS)/.test(format.name);
