/**
 * Known disagreements with qemu-system-s390x: what it does otherwise than the Principles of Operation demand, or where
 * those leave the result open. Cases are cleared of such instructions before they run.
 */

import type { Step } from './vet.ts';

interface Disagreement {
  readonly mnemonics: RegExp;
  /** Only under these circumstances. */
  readonly when?: (step: Step) => boolean;
  /** Who is right, and why. */
  readonly reason: string;
}

const disagreements: readonly Disagreement[] = [];

/** The reason why an instruction is not compared. */
export function disagreement(step: Step): string | undefined {
  return disagreements.find(({ mnemonics, when }) => mnemonics.test(step.row.mnemonic) && (!when || when(step)))
    ?.reason;
}
