/**
 * Named events that tell what the machine does while it does it. Each unit declares its own beside itself
 * (`css/trace.ts`); which of them are told of is a byte each in memory that all threads share, so that an event that
 * nobody wants costs a look at a byte.
 */

/** What an event tells, by the names of its arguments. */
export type TraceValue = number | string;

export interface TraceRecord {
  readonly event: string;
  /** Milliseconds since 1970, with a fraction. */
  readonly time: number;
  readonly values: readonly TraceValue[];
}

/** No thread wants anything before it is told where the states are. */
let states: Uint8Array = new Uint8Array(1);
let tell: (record: TraceRecord) => void = () => {};

export class TraceEvent {
  readonly name: string;
  /** Names of the values. */
  readonly arguments: readonly string[];
  /** How each is shown: digits of a hexadecimal number, or undefined for a decimal number or a text. */
  readonly #digits: readonly (number | undefined)[];
  #number = 0;

  /** @param shown name of each value; `NAME:xN` is a hexadecimal number of at least N digits */
  constructor(name: string, shown: readonly string[]) {
    this.name = name;
    const parts = shown.map(one => one.split(':x'));
    this.arguments = parts.map(([argument]) => argument!);
    this.#digits = parts.map(([, digits]) => (digits === undefined ? undefined : Number(digits)));
  }

  /** Whether somebody wants to know. Ask before values are computed. */
  get on(): boolean {
    return states[this.#number] === 1;
  }

  /** Tells of it; call it only when it is on. */
  tell(...values: readonly TraceValue[]): void {
    tell({ event: this.name, time: performance.timeOrigin + performance.now(), values });
  }

  numbered(number: number): void {
    this.#number = number;
  }

  /** The name and the values: `css_io_interrupt cssid=fe ssid=0 ...`. */
  text(values: readonly TraceValue[]): string {
    const shown = values.map((value, n) => {
      const digits = this.#digits[n];
      const written = digits === undefined ? `${value}` : (value as number).toString(16).padStart(digits, '0');
      return ` ${this.arguments[n]}=${written}`;
    });
    return this.name + shown.join('');
  }

  /** The same as one line of JSON; numbers are decimal ones. */
  json({ time, values }: TraceRecord): string {
    const named = Object.fromEntries(values.map((value, n) => [this.arguments[n]!, value]));
    return JSON.stringify({ timestamp: time / 1000, event: this.name, ...named });
  }
}

/** Makes the events of a unit from the names of their values. */
export function declareEvents<Names extends string>(
  declared: Readonly<Record<Names, readonly string[]>>,
): Readonly<Record<Names, TraceEvent>> {
  const made = Object.entries<readonly string[]>(declared).map(([name, shown]) => [name, new TraceEvent(name, shown)]);
  return Object.fromEntries(made) as Record<Names, TraceEvent>;
}

/**
 * Connects this thread's events.
 * @param events all that there are, in the order of their bytes
 * @param shared a byte for each: 1 is wanted
 */
export function connectEvents(
  events: readonly TraceEvent[],
  shared: SharedArrayBuffer,
  sink: (record: TraceRecord) => void,
): void {
  for (const [n, event] of events.entries()) event.numbered(n);
  states = new Uint8Array(shared);
  tell = sink;
}
