/**
 * The line-mode console (operating system messages): messages of whole lines in EBCDIC to the operator, operator
 * commands back. Linux: sclp_line0, ttyS0.
 */

import { fromEbcdic, toEbcdic } from '../../ebcdic.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { EventSource } from './event-facility.ts';
import { EVENT_ACCEPTED, EVENT_HEADER, EventType, Response } from './sccb.ts';

/** Longest command that fits a control block with its wrappings. */
const LONGEST_COMMAND = 4096 - 64;
const NEWLINE = Uint8Array.of(0x0a);

/** Message data block: its header, then objects; type 4 objects hold text behind flags. */
const MDB_HEADER = 14;
const MDB_TEXT = 4;
const TEXT_START = 10;

export class LineConsole implements EventSource {
  readonly name = 'sclp line console';
  readonly version = 1;
  readonly receives = [EventType.message, EventType.priorityMessage];
  readonly sends = [EventType.operatorCommand, EventType.priorityMessage];
  readonly #output: (data: Uint8Array) => void;
  readonly #attention: () => void;
  readonly #roomGrown: () => void;
  readonly #echo: boolean;
  #line: number[] = [];
  #complete: Uint8Array[] = [];

  /** Parameters as for the ASCII console; `echo` shows input on the output at once. */
  constructor(output: (data: Uint8Array) => void, attention: () => void, roomGrown: () => void, echo = true) {
    this.#output = output;
    this.#roomGrown = roomGrown;
    this.#attention = attention;
    this.#echo = echo;
  }

  get pending(): boolean {
    return this.#complete.length > 0;
  }

  /** How many characters can be taken now: one line at a time waits for the guest. */
  get room(): number {
    return this.pending ? 0 : LONGEST_COMMAND - this.#line.length;
  }

  type(data: Uint8Array): void {
    for (const character of data) {
      if (character === 0x0d || character === 0x0a) {
        this.#complete.push(Uint8Array.from(this.#line));
        this.#line = [];
      } else if (this.#line.length < LONGEST_COMMAND) {
        this.#line.push(character);
        if (this.#echo) this.#output(Uint8Array.of(character));
      }
    }
    if (this.pending) this.#attention();
  }

  write(buffer: Uint8Array): number {
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    if (buffer.length < EVENT_HEADER + MDB_HEADER) return Response.inconsistentLengths;
    const end = EVENT_HEADER + view.getUint16(EVENT_HEADER);
    const texts: Uint8Array[] = [];
    for (let at = EVENT_HEADER + MDB_HEADER; at < end; ) {
      const length = at + 4 <= buffer.length ? view.getUint16(at) : 0;
      if (length < 4 || at + length > Math.min(end, buffer.length)) return Response.inconsistentLengths;
      if (view.getUint16(at + 2) === MDB_TEXT) texts.push(buffer.slice(at + TEXT_START, at + length));
      at += length;
    }
    for (const text of texts) {
      this.#output(NEWLINE);
      this.#output(fromEbcdic(text));
    }
    buffer[3]! |= EVENT_ACCEPTED;
    return Response.normal;
  }

  /**
   * A command goes wrapped in general data stream variables: MDS message unit, control-point message unit, text
   * command, self-defining text message, text message.
   */
  read(space: number): Uint8Array | undefined {
    const text = this.#complete[0]!;
    const wrapped = EVENT_HEADER + 16 + text.length;
    if (wrapped > space) return undefined;
    this.#complete.shift();
    const buffer = new Uint8Array(wrapped);
    const view = new DataView(buffer.buffer);
    view.setUint16(0, wrapped);
    buffer[2] = EventType.operatorCommand;
    const vectors = [0x1310, 0x1212, 0x1320];
    vectors.forEach((id, n) => {
      const at = EVENT_HEADER + 4 * n;
      view.setUint16(at, wrapped - at);
      view.setUint16(at + 2, id);
    });
    // Subvectors have lengths of one byte: X'31' is the message, X'30' its text.
    buffer.set([4 + text.length, 0x31, 2 + text.length, 0x30], EVENT_HEADER + 12);
    buffer.set(toEbcdic(text), EVENT_HEADER + 16);
    this.#roomGrown();
    return buffer;
  }

  reset(): void {
    this.#line = [];
    this.#complete = [];
  }

  save(): Fields {
    return { line: Uint8Array.from(this.#line), complete: this.#complete };
  }

  load(saved: SavedFields): () => void {
    const line = saved.bytes('line');
    const complete = saved.byteStrings('complete');
    return () => {
      this.#line = [...line];
      this.#complete = complete.map(bytes => bytes.slice());
    };
  }
}
