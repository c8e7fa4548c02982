/** The quiesce signal: asks the guest to shut down. */

import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { EventSource } from './event-facility.ts';
import { EVENT_HEADER, EventType } from './sccb.ts';

export class Quiesce implements EventSource {
  readonly name = 'sclp quiesce';
  readonly version = 1;
  readonly receives = [];
  readonly sends = [EventType.quiesce];
  readonly #attention: () => void;
  pending = false;

  constructor(attention: () => void) {
    this.#attention = attention;
  }

  signal(): void {
    this.pending = true;
    this.#attention();
  }

  read(space: number): Uint8Array | undefined {
    const length = EVENT_HEADER + 6;
    if (space < length) return undefined;
    this.pending = false;
    const buffer = new Uint8Array(length);
    buffer[1] = length;
    buffer[2] = EventType.quiesce;
    // Time that the guest has: X'FFFF' hours and unit 0 say that there is no limit.
    buffer.set([0xff, 0xff, 0], EVENT_HEADER);
    return buffer;
  }

  reset(): void {
    this.pending = false;
  }

  save(): Fields {
    return { pending: this.pending };
  }

  load(saved: SavedFields): () => void {
    const pending = saved.flag('pending');
    return () => {
      this.pending = pending;
    };
  }
}
