/**
 * A character device: a stream of bytes in both directions between a front end (a console of the machine, the monitor,
 * the gdb stub) and the world (terminal, socket, file).
 */

export interface Chardev {
  readonly id: string;
  /** What stands behind it, as `info chardev` shows it. */
  readonly description: string;
  /** Whether somebody is at the other end; what is written while nobody is gets lost. */
  readonly isOpen: boolean;
  /**
   * Sends bytes, which may be reused afterwards. False: much is waiting already, and a front end that can hold back
   * should do so until `FrontEnd.drained`.
   */
  write(data: Uint8Array): boolean;
  /** Gives the device its front end, which is told at once if it is open; undefined takes it away. */
  attach(frontEnd: FrontEnd | undefined): void;
  /** `FrontEnd.room` has grown: input that was held back may come now. */
  inputWanted(): void;
  /** Ends the connection with who is at the other end, after what has been written; others may come then. */
  disconnect(): void;
}

/**
 * `break` is the break condition of a serial line. `focus` and `blur` come only from a multiplexed device: input goes to
 * this front end from now on, or no longer.
 */
export type ChardevEvent = 'open' | 'close' | 'break' | 'focus' | 'blur';

export interface FrontEnd {
  /** The number of bytes that it can take now; it gets no more than that. */
  room(): number;
  receive(data: Uint8Array): void;
  event?(event: ChardevEvent): void;
  /** What was waiting when `write` said false has been sent. */
  drained?(): void;
}

/** What the makers of backends share: holds input back until the front end has room for it. */
export abstract class Backend implements Chardev {
  readonly id: string;
  #frontEnd: FrontEnd | undefined;
  #held: Uint8Array[] = [];
  #open = false;
  #delivering = false;

  constructor(id: string) {
    this.id = id;
  }

  abstract readonly description: string;
  abstract write(data: Uint8Array): boolean;

  get isOpen(): boolean {
    return this.#open;
  }

  /** It has a front end. */
  get inUse(): boolean {
    return this.#frontEnd !== undefined;
  }

  attach(frontEnd: FrontEnd | undefined): void {
    this.#frontEnd = frontEnd;
    if (this.#open) frontEnd?.event?.('open');
    this.inputWanted();
  }

  inputWanted(): void {
    // A front end may call from within `receive`.
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#frontEnd && this.#held.length > 0) {
        const room = this.#frontEnd.room();
        if (room <= 0) break;
        const data = this.#held.shift()!;
        if (data.length > room) this.#held.unshift(data.subarray(room));
        this.#frontEnd.receive(data.subarray(0, room));
      }
    } finally {
      this.#delivering = false;
    }
    this.hold(this.#held.reduce((sum, data) => sum + data.length, 0));
  }

  /** Input has come from the world. */
  protected input(data: Uint8Array): void {
    if (data.length > 0) this.#held.push(data);
    this.inputWanted();
  }

  /** So many bytes wait for the front end: unless it is 0, the backend should take no more from the world. */
  protected hold(_waiting: number): void {}

  /** Only a connection can be ended. */
  disconnect(): void {}

  /** The break condition, as if the world had sent it. */
  sendBreak(): void {
    this.event('break');
  }

  protected event(event: ChardevEvent): void {
    if (event === 'open') this.#open = true;
    if (event === 'close') {
      this.#open = false;
      this.#held = [];
    }
    this.#frontEnd?.event?.(event);
  }

  protected drained(): void {
    this.#frontEnd?.drained?.();
  }
}

/** Swallows everything and says nothing. */
export class NullChardev extends Backend {
  readonly description = 'null';
  constructor(id: string) {
    super(id);
    this.event('open');
  }
  write(): boolean {
    return true;
  }
}
