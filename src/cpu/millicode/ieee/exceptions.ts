/**
 * IEEE exceptions (PoP ch. 9, IEEE exceptions; ch. 6, data-exception code): how an operation's exceptions become
 * flags in the floating-point-control register or a data exception.
 *
 * Each exception is one bit, the same in the mask byte (byte 0) and the flag byte (byte 1) of the FPC and in the
 * data-exception code.
 */

export const INVALID = 0x80;
export const DIVIDE_BY_ZERO = 0x40;
export const OVERFLOW = 0x20;
export const UNDERFLOW = 0x10;
export const INEXACT = 0x08;

// In a data-exception code with the inexact bit: the result is greater in magnitude than the precise value.
const INCREMENTED = 0x04;

/** What an operation leaves behind besides its result. */
export type Effects = {
  /** FPC flag bits to be ORed into the register, in place (bits 8-12, X'00F80000'). */
  readonly flags: number;
  /** 0, or the data-exception code (DXC) of the program interruption that follows. */
  readonly dxc: number;
  /** The interruption suppresses the operation: no result, no condition code. Otherwise it comes after completion. */
  readonly suppressed: boolean;
};

export const NO_EFFECTS: Effects = { flags: 0, dxc: 0, suppressed: false };

/** Whether the FPC's mask bit for an exception is one, so that the exception causes an interruption. */
export function traps(fpc: number, exception: number): boolean {
  return ((fpc >>> 24) & exception) !== 0;
}

/**
 * Decides between flags and interruption.
 *
 * @param fpc floating-point-control register
 * @param raised the exceptions recognized, as an OR of their bits
 * @param incremented meaningful with INEXACT: the result is greater in magnitude than the precise value
 */
export function effectsOf(fpc: number, raised: number, incremented: boolean): Effects {
  if (raised === 0) return NO_EFFECTS;
  const trapping = raised & (fpc >>> 24);
  if (trapping === 0) return { flags: raised << 16, dxc: 0, suppressed: false };
  if (trapping & (INVALID | DIVIDE_BY_ZERO)) {
    return { flags: 0, dxc: trapping & (INVALID | DIVIDE_BY_ZERO), suppressed: true };
  }
  const inexact = (raised & INEXACT) === 0 ? 0 : incremented ? INEXACT | INCREMENTED : INEXACT;
  // With an overflow or underflow interruption, inexactness is reported in the code alone and sets no flag.
  const range = trapping & (OVERFLOW | UNDERFLOW);
  if (range !== 0) return { flags: 0, dxc: range | inexact, suppressed: false };
  return { flags: (raised & ~INEXACT) << 16, dxc: inexact, suppressed: false };
}
