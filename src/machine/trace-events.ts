/** All trace events of the machine. */

import { cssTrace } from '../css/trace.ts';
import { virtioTrace } from '../devices/virtio/trace.ts';
import { connectEvents, type TraceEvent, type TraceRecord } from '../trace/trace.ts';

const all: readonly TraceEvent[] = [...Object.values(cssTrace), ...Object.values(virtioTrace)];

/** The events with which of them are wanted, in all threads of a machine. */
export class TraceStates {
  readonly shared = new SharedArrayBuffer(all.length);
  readonly #states = new Uint8Array(this.shared);

  get events(): readonly TraceEvent[] {
    return all;
  }

  /** The events of a name, or of a pattern in which `*` and `?` stand for others. Undefined: there is none of that name. */
  matching(pattern: string): readonly TraceEvent[] | undefined {
    const escaped = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    const expression = new RegExp(`^${escaped}$`);
    const found = all.filter(({ name }) => expression.test(name));
    return found.length === 0 && !/[*?]/.test(pattern) ? undefined : found;
  }

  has(event: TraceEvent): boolean {
    return this.#states[all.indexOf(event)] === 1;
  }

  set(event: TraceEvent, on: boolean): void {
    this.#states[all.indexOf(event)] = on ? 1 : 0;
  }
}

/** Connects the events of this thread. */
export const connectTrace = (shared: SharedArrayBuffer, sink: (record: TraceRecord) => void): void =>
  connectEvents(all, shared, sink);

/** The event of a record. */
export const eventOf = ({ event }: TraceRecord): TraceEvent => all.find(({ name }) => name === event)!;
