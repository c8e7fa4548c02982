/** Configuration management: tells the guest that CPUs have come or gone, so that it looks. */

import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { EventSource } from './event-facility.ts';
import { EVENT_HEADER, EventType } from './sccb.ts';

const CPU_CHANGE = 1;

export class ConfigurationManagement implements EventSource {
  readonly name = 'sclp configuration';
  readonly version = 1;
  readonly receives = [];
  readonly sends = [EventType.configuration];
  readonly #attention: () => void;
  pending = false;

  constructor(attention: () => void) {
    this.#attention = attention;
  }

  cpusChanged(): void {
    this.pending = true;
    this.#attention();
  }

  read(space: number): Uint8Array | undefined {
    const length = EVENT_HEADER + 2;
    if (space < length) return undefined;
    this.pending = false;
    return Uint8Array.of(0, length, EventType.configuration, 0, 0, 0, 0, CPU_CHANGE);
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
