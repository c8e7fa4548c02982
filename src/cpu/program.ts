/** Program interruptions as TypeScript throws them, and their codes (PoP ch. 6, "Program Interruption"). */

export const OPERATION = 0x01;
export const PRIVILEGED_OPERATION = 0x02;
export const EXECUTE = 0x03;
export const PROTECTION = 0x04;
export const ADDRESSING = 0x05;
export const SPECIFICATION = 0x06;
export const DATA = 0x07;
export const FIXED_POINT_OVERFLOW = 0x08;
export const FIXED_POINT_DIVIDE = 0x09;
export const DECIMAL_OVERFLOW = 0x0a;
export const DECIMAL_DIVIDE = 0x0b;
export const SEGMENT_TRANSLATION = 0x10;
export const PAGE_TRANSLATION = 0x11;
export const TRANSLATION_SPECIFICATION = 0x12;
export const SPECIAL_OPERATION = 0x13;
export const OPERAND = 0x15;
export const TRACE_TABLE = 0x16;
export const VECTOR_PROCESSING = 0x1b;
export const SPACE_SWITCH_EVENT = 0x1c;
export const PC_TRANSLATION_SPECIFICATION = 0x1f;
export const AFX_TRANSLATION = 0x20;
export const ASX_TRANSLATION = 0x21;
export const LX_TRANSLATION = 0x22;
export const EX_TRANSLATION = 0x23;
export const PRIMARY_AUTHORITY = 0x24;
export const SECONDARY_AUTHORITY = 0x25;
export const LFX_TRANSLATION = 0x26;
export const LSX_TRANSLATION = 0x27;
export const ALET_SPECIFICATION = 0x28;
export const ALEN_TRANSLATION = 0x29;
export const ALE_SEQUENCE = 0x2a;
export const ASTE_VALIDITY = 0x2b;
export const ASTE_SEQUENCE = 0x2c;
export const EXTENDED_AUTHORITY = 0x2d;
export const LSTE_SEQUENCE = 0x2e;
export const ASTE_INSTANCE = 0x2f;
export const STACK_FULL = 0x30;
export const STACK_EMPTY = 0x31;
export const STACK_SPECIFICATION = 0x32;
export const STACK_TYPE = 0x33;
export const STACK_OPERATION = 0x34;
export const ASCE_TYPE = 0x38;
export const REGION_FIRST_TRANSLATION = 0x39;
export const REGION_SECOND_TRANSLATION = 0x3a;
export const REGION_THIRD_TRANSLATION = 0x3b;
export const MONITOR_EVENT = 0x40;
export const PER_EVENT = 0x80;

/**
 * Exceptions whose instruction is nullified: the old PSW designates the instruction itself. After all others it
 * designates the next one, whether the instruction was suppressed, terminated or completed (PoP ch. 6).
 */
export const nullifies = (code: number): boolean =>
  code === SEGMENT_TRANSLATION ||
  code === PAGE_TRANSLATION ||
  code === TRACE_TABLE ||
  (code >= AFX_TRANSLATION && code <= REGION_THIRD_TRANSLATION && code !== ALET_SPECIFICATION);

/**
 * Thrown by millicode to end an instruction with a program interruption. Thrown often by some guests, so it is no
 * Error: nobody needs its stack.
 */
export class ProgramInterruption {
  readonly code: number;
  /** Data-exception code, or vector-exception code. */
  readonly dxc: number;
  /** The instruction has completed: the old PSW designates the next one. */
  readonly completed: boolean;
  /**
   * The PSW has been replaced already and becomes the old PSW as it is: length of the instruction that did it, 0 when
   * none is to be reported. Otherwise -1.
   */
  readonly length: number;

  constructor(code: number, dxc = 0, completed = false, length = -1) {
    this.code = code;
    this.dxc = dxc;
    this.completed = completed;
    this.length = length;
  }
}
