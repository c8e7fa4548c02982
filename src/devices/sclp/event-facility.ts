/** The SCLP event facility: event buffers that the guest writes to and reads from the machine's event types. */

import type { Fields, SavedFields, SaveState } from '../../save/save-state.ts';
import { EVENT_ACCEPTED, EVENT_HEADER, HEADER_LENGTH, maskOf, Response, SCCB_MAXIMUM, type Sccb } from './sccb.ts';

/** One kind of conversation: a console, the quiesce signal, ... */
export interface EventSource extends SaveState {
  /** Types of buffers that it takes from the guest. */
  readonly receives: readonly number[];
  /** Types of buffers that it gives to the guest. */
  readonly sends: readonly number[];
  /** Something is waiting to be read. */
  readonly pending: boolean;
  /** Takes a buffer (header and data); gives the response code. Sets the accepted flag itself. */
  write?(buffer: Uint8Array): number;
  /** The next buffer, complete with header, at most `space` bytes long; undefined if there is none that fits. */
  read?(space: number): Uint8Array | undefined;
  reset(): void;
}

/** Bytes. */
const LONGEST_MASK = 1021;

const unionOf = (types: readonly number[]): bigint => types.reduce((mask, type) => mask | maskOf(type), 0n);

export class EventFacility implements SaveState {
  readonly name = 'sclp events';
  readonly version = 1;
  readonly #sources: EventSource[] = [];
  /** What the guest is willing to receive. */
  #receiveMask = 0n;
  #maskLength = 4;

  add(source: EventSource): void {
    this.#sources.push(source);
  }

  /** The units that are to be saved. */
  get units(): readonly SaveState[] {
    return [this, ...this.#sources];
  }

  save(): Fields {
    return { receiveMask: this.#receiveMask, maskLength: this.#maskLength };
  }

  load(saved: SavedFields): () => void {
    const mask = saved.doubleword('receiveMask');
    const length = saved.integer('maskLength', LONGEST_MASK);
    return () => {
      this.#receiveMask = mask;
      this.#maskLength = length;
    };
  }

  reset(): void {
    this.#receiveMask = 0n;
    this.#maskLength = 4;
    for (const source of this.#sources) source.reset();
  }

  /** A buffer is waiting that the guest wants. */
  get pending(): boolean {
    return this.#sources.some(source => source.pending && (unionOf(source.sends) & this.#receiveMask) !== 0n);
  }

  writeEventMask(sccb: Sccb): number {
    const length = sccb.view.getUint16(10);
    if (length === 0 || length > LONGEST_MASK) return Response.invalidMaskLength;
    if (sccb.length < 12 + 4 * length) return Response.insufficientLength;
    // Four masks of this length: the guest's receive and send masks, then ours.
    const first = 12;
    this.#receiveMask = getMask(sccb, first, length);
    setMask(sccb, first + 2 * length, length, this.#union('receives'));
    setMask(sccb, first + 3 * length, length, this.#union('sends'));
    this.#maskLength = length;
    return Response.normal;
  }

  #union(side: 'receives' | 'sends'): bigint {
    return this.#sources.reduce((mask, source) => mask | unionOf(source[side]), 0n);
  }

  writeEventData(sccb: Sccb): number {
    if (sccb.functionCode !== 0) return Response.invalidFunction;
    const buffers = splitBuffers(sccb);
    if (!buffers) return Response.eventBufferSyntax;
    let response: number = Response.normal;
    for (const buffer of buffers) {
      // What follows a buffer that is refused is not accepted either.
      if (response !== Response.normal) buffer[3]! &= ~EVENT_ACCEPTED;
      else {
        const source = this.#sources.find(candidate => candidate.receives.includes(buffer[2]!));
        response = source?.write?.(buffer) ?? Response.invalidFunction;
      }
    }
    return response;
  }

  readEventData(sccb: Sccb): number {
    if (sccb.length !== SCCB_MAXIMUM) return Response.insufficientLength;
    let selected = this.#receiveMask;
    if (sccb.functionCode === 1) {
      selected = getMask(sccb, 8, this.#maskLength);
      if (!this.#receiveMask || (selected & ~this.#receiveMask) !== 0n) return Response.invalidSelectionMask;
    } else if (sccb.functionCode !== 0) return Response.invalidFunction;
    let at = HEADER_LENGTH;
    for (const source of this.#sources) {
      if (!(unionOf(source.sends) & selected) || !source.pending) continue;
      const buffer = source.read?.(SCCB_MAXIMUM - at);
      if (!buffer) continue;
      sccb.bytes.set(buffer, at);
      at += buffer.length;
    }
    if (sccb.variableLength) {
      sccb.clearVariableLength();
      sccb.length = at;
    }
    return at > HEADER_LENGTH ? Response.normal : Response.noEventBuffers;
  }
}

/** The event buffers of a block, as views of it; undefined if their lengths do not add up. */
function splitBuffers(sccb: Sccb): Uint8Array[] | undefined {
  const buffers: Uint8Array[] = [];
  let at = HEADER_LENGTH;
  while (at < sccb.length) {
    const length = at + EVENT_HEADER <= sccb.length ? sccb.view.getUint16(at) : 0;
    if (length < EVENT_HEADER || at + length > sccb.length) return undefined;
    buffers.push(sccb.bytes.subarray(at, at + length));
    at += length;
  }
  return buffers;
}

/** A mask of `length` bytes, its first byte leftmost; bytes beyond eight are of no meaning. */
function getMask(sccb: Sccb, at: number, length: number): bigint {
  let mask = 0n;
  for (let n = 0; n < 8; n++) mask = (mask << 8n) | BigInt(n < length ? sccb.bytes[at + n]! : 0);
  return mask;
}

function setMask(sccb: Sccb, at: number, length: number, mask: bigint): void {
  for (let n = 0; n < length; n++) sccb.bytes[at + n] = n < 8 ? Number((mask >> BigInt(56 - 8 * n)) & 0xffn) : 0;
}
