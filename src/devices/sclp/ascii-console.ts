/** The ASCII console (VT220): characters in both directions. Linux: ttysclp0, ttyS1. */

import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { EventSource } from './event-facility.ts';
import { EVENT_ACCEPTED, EVENT_HEADER, EventType, Response } from './sccb.ts';

/** Input that is kept while the guest does not read; more is refused. */
const CAPACITY = 4080;

export class AsciiConsole implements EventSource {
  readonly name = 'sclp ascii console';
  readonly version = 1;
  readonly receives = [EventType.ascii];
  readonly sends = [EventType.ascii];
  readonly #output: (data: Uint8Array) => void;
  readonly #attention: () => void;
  readonly #roomGrown: () => void;
  #input: number[] = [];

  /**
   * @param output takes what the guest prints
   * @param attention is called when input has come that the guest should read
   * @param roomGrown is called when the guest has read, so that more can be taken
   */
  constructor(output: (data: Uint8Array) => void, attention: () => void, roomGrown: () => void) {
    this.#output = output;
    this.#roomGrown = roomGrown;
    this.#attention = attention;
  }

  get pending(): boolean {
    return this.#input.length > 0;
  }

  /** How many characters can be taken now. */
  get room(): number {
    return CAPACITY - this.#input.length;
  }

  /** Characters from the terminal; what exceeds `room` is lost. */
  type(data: Uint8Array): void {
    this.#input.push(...data.subarray(0, this.room));
    if (this.pending) this.#attention();
  }

  write(buffer: Uint8Array): number {
    this.#output(buffer.slice(EVENT_HEADER));
    buffer[3]! |= EVENT_ACCEPTED;
    return Response.normal;
  }

  read(space: number): Uint8Array | undefined {
    // The first byte of the data says what the rest is: 0, characters.
    const count = Math.min(this.#input.length, space - EVENT_HEADER - 1);
    if (count <= 0) return undefined;
    const length = EVENT_HEADER + 1 + count;
    const buffer = new Uint8Array(length);
    buffer.set([length >> 8, length & 0xff, EventType.ascii]);
    buffer.set(this.#input.splice(0, count), EVENT_HEADER + 1);
    this.#roomGrown();
    return buffer;
  }

  reset(): void {
    this.#input = [];
  }

  save(): Fields {
    return { input: Uint8Array.from(this.#input) };
  }

  load(saved: SavedFields): () => void {
    const input = saved.bytes('input');
    return () => {
      this.#input = [...input];
    };
  }
}
