/**
 * Character devices are opened by the main thread and used by devices of the I/O thread: the two halves of the way
 * between. Neither side sends more than a window's worth that the other has not taken.
 */

import { Backend, type Chardev } from '../chardev/chardev.ts';
import type { FromIo, ToIo } from './io-messages.ts';

const WINDOW = 0x10000;
/** With fewer bytes taken nothing is told: each message wakes a thread. */
const NEWS = WINDOW / 4;

/** On the I/O thread: looks like the character device. */
export class DistantChardev extends Backend {
  readonly description = 'of the main thread';
  readonly #post: (message: FromIo) => void;
  #received = 0;
  #outstanding = 0;
  #full = false;
  /** Counts connections. */
  #connection = 0;

  constructor(id: string, post: (message: FromIo) => void) {
    super(id);
    this.#post = post;
    post({ kind: 'attach', chardev: id, on: true });
  }

  write(data: Uint8Array): boolean {
    this.#outstanding += data.length;
    this.#post({ kind: 'output', chardev: this.id, data: data.slice() });
    this.#full = this.#outstanding >= WINDOW;
    return !this.#full;
  }

  take(message: ToIo & { readonly chardev: string }): void {
    switch (message.kind) {
      case 'input':
        this.#received += message.data.length;
        return this.input(message.data);
      case 'event':
        if (message.event === 'open') this.#connection++;
        this.event(message.event);
        // What the connection has left behind is given up.
        if (message.event === 'close') this.hold(0);
        return;
      case 'taken':
        this.#outstanding -= message.bytes;
        if (!this.#full || this.#outstanding >= WINDOW) return;
        this.#full = false;
        this.drained();
    }
  }

  override disconnect(): void {
    this.#post({ kind: 'disconnect', chardev: this.id, connection: this.#connection });
  }

  protected override hold(waiting: number): void {
    const bytes = this.#received - waiting;
    if (bytes < NEWS) return;
    this.#received = waiting;
    this.#post({ kind: 'taken', chardev: this.id, bytes });
  }

  close(): void {
    this.#post({ kind: 'attach', chardev: this.id, on: false });
  }
}

/** On the main thread: the front end of the real character device. */
export class ChardevRelay {
  readonly #chardev: Chardev;
  readonly #post: (message: ToIo) => void;
  #room = WINDOW;
  /** Output that the character device has taken, and that it has been given when it had enough. */
  #taken = 0;
  #held = 0;
  #connection = 0;

  constructor(chardev: Chardev, post: (message: ToIo) => void) {
    this.#chardev = chardev;
    this.#post = post;
    const { id } = chardev;
    chardev.attach({
      room: () => this.#room,
      receive: data => {
        this.#room -= data.length;
        post({ kind: 'input', chardev: id, data: data.slice() });
      },
      event: event => {
        if (event === 'open') this.#connection++;
        post({ kind: 'event', chardev: id, event });
        if (event === 'close') this.#drained();
      },
      drained: () => this.#drained(),
    });
  }

  #drained(): void {
    const bytes = this.#held;
    this.#held = 0;
    this.#tell(bytes);
  }

  #tell(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < NEWS) return;
    this.#post({ kind: 'taken', chardev: this.#chardev.id, bytes: this.#taken });
    this.#taken = 0;
  }

  /** The device wants no more of that connection. */
  disconnect(connection: number): void {
    if (connection === this.#connection) this.#chardev.disconnect();
  }

  /** The device has written. */
  output(data: Uint8Array): void {
    if (this.#chardev.write(data)) this.#tell(data.length);
    else this.#held += data.length;
  }

  /** The device has taken so many bytes. */
  taken(bytes: number): void {
    this.#room += bytes;
    this.#chardev.inputWanted();
  }

  close(): void {
    this.#chardev.attach(undefined);
  }
}
