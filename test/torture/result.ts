/** What a case has left behind, and how two results differ. */

import { ENDED, RESULT } from './layout.ts';

export class Result {
  /** As the kernel stores it. */
  readonly record: Uint8Array;
  readonly #view: DataView;
  readonly #data: () => Uint8Array;

  /** @param record RESULT_SIZE bytes as the kernel stores them */
  constructor(record: Uint8Array, data: () => Uint8Array) {
    this.record = record;
    this.#view = new DataView(record.buffer, record.byteOffset);
    this.#data = data;
  }

  /** One of ENDED; 0 when the case did not end. */
  get kind(): number {
    return Number(this.#view.getBigUint64(RESULT.kind));
  }
  gr(n: number): bigint {
    return this.#view.getBigUint64(RESULT.gr + 8 * n);
  }
  fpr(n: number): bigint {
    return this.#view.getBigUint64(RESULT.fpr + 8 * n);
  }
  /** The left or the right doubleword of a vector register. */
  vr(n: number, side: 0 | 1): bigint {
    return this.#view.getBigUint64(RESULT.vr + 16 * n + 8 * side);
  }
  get vectors(): Uint8Array {
    return this.record.subarray(RESULT.vr, RESULT.vr + 0x200);
  }
  ar(n: number): number {
    return this.#view.getUint32(RESULT.ar + 4 * n);
  }
  cr(n: number): bigint {
    return this.#view.getBigUint64(RESULT.cr + 8 * n);
  }
  get fpc(): number {
    return this.#view.getUint32(RESULT.fpc);
  }
  /** Locations 0x80 to 0x1ff. */
  get lowcore(): DataView {
    return new DataView(this.record.buffer, this.record.byteOffset + RESULT.lowcore, 0x180);
  }
  /** The data frames. */
  get data(): Uint8Array {
    return this.#data();
  }
  /** Registers, and the kind of ending: the record up to the lowcore. */
  get registers(): Uint8Array {
    return this.record.subarray(0, RESULT.lowcore);
  }
}

/** Program-interruption code without the PER bit. */
export const codeOf = (result: Result): number =>
  result.kind === ENDED.program ? result.lowcore.getUint16(0x8e - 0x80) & 0x7f : 0;

/** Codes whose translation-exception identification is defined; only the bits given are compared. */
const IDENTIFIED = new Set([0x10, 0x11, 0x38, 0x39, 0x3a, 0x3b]);

/** A difference: what, as the first result has it, as the second. */
export type Difference = readonly [what: string, ours: string, theirs: string];

/** What is not compared. */
export interface Tolerance {
  readonly breakingEvent?: boolean;
  readonly instructionLength?: boolean;
  /** One of the machines has no vector registers. */
  readonly withoutVectors?: boolean;
  /** Which access exception it is. */
  readonly accessException?: boolean;
  /** Registers and data: how far an instruction got is open. */
  readonly onlyEnding?: boolean;
}

export function differences(a: Result, b: Result, tolerance: Tolerance = {}): Difference[] {
  const found: Difference[] = [];
  const compare = (what: string, x: bigint | number, y: bigint | number): void => {
    if (x !== y) found.push([what, x.toString(16), y.toString(16)]);
  };
  compare('kind of ending', a.kind, b.kind);
  const low = (at: number, what: string, bytes: 1 | 2 | 4 | 8, mask = -1n): void => {
    const read = ({ lowcore }: Result): bigint => {
      const value =
        bytes === 8
          ? lowcore.getBigUint64(at - 0x80)
          : BigInt(
              bytes === 4
                ? lowcore.getUint32(at - 0x80)
                : bytes === 2
                  ? lowcore.getUint16(at - 0x80)
                  : lowcore.getUint8(at - 0x80),
            );
      return value & mask;
    };
    compare(what, read(a), read(b));
  };
  if (a.kind === ENDED.program || b.kind === ENDED.program) {
    const code = codeOf(a);
    if (!tolerance.instructionLength) low(0x8d, 'instruction length', 1);
    low(0x150, 'old PSW mask', 8);
    if (!tolerance.breakingEvent) low(0x110, 'breaking-event address', 8);
    if (!tolerance.accessException) {
      low(0x8e, 'program-interruption code', 2);
      low(0x158, 'old PSW address', 8);
      if (code === 7) low(0x90, 'data-exception code', 4);
      // The page, and the space unless that is told by the access register; bits 52-61 are partly optional.
      const space = ((a.lowcore.getUint16(0x150 - 0x80 + 2) >> 14) & 3) === 1 ? 0n : 3n;
      if (IDENTIFIED.has(code)) low(0xa8, 'translation-exception identification', 8, ~0xfffn | space);
      if (code === 0x40) {
        low(0x94, 'monitor class', 2);
        low(0xb0, 'monitor code', 8);
      }
    }
  } else if (a.kind === ENDED.supervisorCall) {
    low(0x8a, 'supervisor-call code', 2);
    low(0x89, 'instruction length', 1);
    low(0x140, 'old PSW mask', 8);
    low(0x148, 'old PSW address', 8);
  }
  if (tolerance.onlyEnding) return found;
  if (Buffer.compare(a.registers, b.registers)) {
    for (let n = 0; n < 16; n++) {
      compare(`GR${n}`, a.gr(n), b.gr(n));
      compare(`FPR${n}`, a.fpr(n), b.fpr(n));
      compare(`AR${n}`, a.ar(n), b.ar(n));
      compare(`CR${n}`, a.cr(n), b.cr(n));
    }
    compare('FPC', a.fpc, b.fpc);
  }
  if (!tolerance.withoutVectors && Buffer.compare(a.vectors, b.vectors)) {
    for (let n = 0; n < 32; n++) {
      if (n >= 16) compare(`VR${n} left`, a.vr(n, 0), b.vr(n, 0));
      compare(`VR${n} right`, a.vr(n, 1), b.vr(n, 1));
    }
  }
  const [x, y] = [a.data, b.data];
  if (Buffer.compare(x, y)) found.push(...dataDifferences(x, y));
  return found;
}

function dataDifferences(a: Uint8Array, b: Uint8Array): Difference[] {
  const found: Difference[] = [];
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    let end = at + 1;
    while (end < a.length && end - at < 32 && a[end] !== b[end]) end++;
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, end)).toString('hex');
    found.push([`data at ${at.toString(16)}`, hex(a), hex(b)]);
    at = end;
    if (found.length > 40) break;
  }
  return found;
}
