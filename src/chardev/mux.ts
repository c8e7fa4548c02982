/**
 * Several front ends on one backend, usually the terminal: all of them write, one has the input. An escape character
 * (Ctrl-A) and a key switch between them.
 */

import { Backend, type Chardev, type ChardevEvent, type FrontEnd } from './chardev.ts';

/** Input that a front end has no room for waits here, so that the escape keys still work. */
const QUEUE = 65536;

const CTRL_A = 1;

const text = new TextEncoder();

export interface MuxOptions {
  /** Code of the escape character. */
  readonly escape?: number;
  /** The key that ends everything was pressed. */
  readonly exit?: () => void;
  /** Milliseconds, for the timestamps. */
  readonly now?: () => number;
}

export class Mux implements FrontEnd {
  readonly backend: Chardev;
  readonly #escape: number;
  readonly #exit: () => void;
  readonly #now: () => number;
  readonly #ports: Port[] = [];
  #focus: Port | undefined;
  #escaped = false;
  #timestampsSince: number | undefined;
  #atLineStart = true;

  constructor(backend: Chardev, options: MuxOptions = {}) {
    this.backend = backend;
    this.#escape = options.escape ?? CTRL_A;
    this.#exit = options.exit ?? (() => {});
    this.#now = options.now ?? (() => performance.now());
    backend.attach(this);
  }

  /** A device for one more front end. It gets the input at once if `focus` is set or nobody else has it. */
  port(focus = false): Chardev {
    const port = new Port(this);
    this.#ports.push(port);
    if (focus || !this.#focus) this.#setFocus(port);
    if (this.backend.isOpen) port.tell('open');
    return port;
  }

  hasFocus(port: Port): boolean {
    return this.#focus === port;
  }

  write(data: Uint8Array): boolean {
    return this.backend.write(this.#timestampsSince === undefined ? data : this.#stamped(data, this.#timestampsSince));
  }

  #stamped(data: Uint8Array, since: number): Uint8Array {
    const out: number[] = [];
    for (const byte of data) {
      if (this.#atLineStart) {
        const ms = Math.floor(this.#now() - since);
        const pad = (value: number, digits = 2) => String(Math.floor(value)).padStart(digits, '0');
        const time = `[${pad(ms / 3_600_000)}:${pad((ms / 60_000) % 60)}:${pad((ms / 1000) % 60)}.${pad(ms % 1000, 3)}] `;
        out.push(...text.encode(time));
      }
      out.push(byte);
      this.#atLineStart = byte === 0x0a;
    }
    return Uint8Array.from(out);
  }

  #setFocus(port: Port): void {
    const before = this.#focus;
    if (before === port) return;
    this.#focus = port;
    before?.tell('blur');
    port.tell('focus');
  }

  // The front end that the backend knows

  room(): number {
    return QUEUE - (this.#focus?.waiting ?? 0);
  }

  receive(data: Uint8Array): void {
    let from = 0;
    for (let n = 0; n < data.length; n++) {
      const byte = data[n]!;
      if (this.#escaped) {
        this.#escaped = false;
        from = n + 1;
        this.#key(byte);
      } else if (byte === this.#escape) {
        this.#focus?.take(data.slice(from, n));
        from = n + 1;
        this.#escaped = true;
      }
    }
    this.#focus?.take(data.slice(from));
  }

  event(event: ChardevEvent): void {
    if (event === 'break') this.#focus?.tell('break');
    else for (const port of this.#ports) port.tell(event);
  }

  drained(): void {
    for (const port of this.#ports) port.drainedPort();
  }

  #key(byte: number): void {
    if (byte === this.#escape) {
      this.#focus?.take(Uint8Array.of(byte));
      return;
    }
    switch (String.fromCharCode(byte)) {
      case 'h':
      case '?':
        this.backend.write(text.encode(this.#help()));
        break;
      case 'x':
        this.backend.write(text.encode('lpar: ended from the terminal\r\n'));
        this.#exit();
        break;
      case 'b':
        this.#focus?.tell('break');
        break;
      case 'c': {
        const at = this.#ports.indexOf(this.#focus!);
        this.#setFocus(this.#ports[(at + 1) % this.#ports.length]!);
        break;
      }
      case 't':
        this.#timestampsSince = this.#timestampsSince === undefined ? this.#now() : undefined;
        this.#atLineStart = true;
        break;
    }
    // `s` commits temporary disk changes: there are none.
  }

  #help(): string {
    const code = this.#escape;
    const name = code > 0 && code <= 26 ? `Ctrl-${String.fromCharCode(code + 64)}` : `0x${code.toString(16)}`;
    const keys: [string, string][] = [
      ['h', 'this list'],
      ['x', 'end the machine and lpar'],
      ['s', 'write temporary disk changes to their images'],
      ['t', 'switch timestamps on the console on or off'],
      ['b', 'send a break'],
      ['c', 'switch between console and monitor'],
      [name, `send ${name} itself`],
    ];
    return `\r\n${keys.map(([key, what]) => `${name} ${key.padEnd(name.length)}  ${what}\r\n`).join('')}`;
  }
}

class Port extends Backend {
  readonly #mux: Mux;
  readonly description = 'mux';
  /** Bytes that the front end has not taken yet. */
  waiting = 0;

  constructor(mux: Mux) {
    super(mux.backend.id);
    this.#mux = mux;
  }

  override attach(frontEnd: FrontEnd | undefined): void {
    frontEnd?.event?.(this.#mux.hasFocus(this) ? 'focus' : 'blur');
    super.attach(frontEnd);
  }

  write(data: Uint8Array): boolean {
    return this.#mux.write(data);
  }

  tell(event: ChardevEvent): void {
    this.event(event);
  }

  take(data: Uint8Array): void {
    this.input(data);
  }

  drainedPort(): void {
    this.drained();
  }

  protected override hold(waiting: number): void {
    const before = this.waiting;
    this.waiting = waiting;
    if (waiting < before) this.#mux.backend.inputWanted();
  }
}
