/** One port of virtio-serial, between two queues and a character device. */

import type { Chardev, ChardevEvent, FrontEnd } from '../../../chardev/chardev.ts';
import type { Fields, SavedFields } from '../../../save/save-state.ts';
import type { Chain } from '../chain.ts';
import type { Virtqueue } from '../queue.ts';

/** Input that waits for buffers of the guest. */
const CAPACITY = 4096;
/** Bytes that are handed to the character device at a time. */
const PIECE = 0x8000;

export interface PortOptions {
  /** A console (`virtconsole`), or a port for programs (`virtserialport`). */
  readonly console: boolean;
  readonly number: number;
  readonly name?: string;
  readonly chardev?: Chardev;
  /** Is told when the guest has opened or closed it. */
  readonly opened?: (open: boolean) => void;
}

/** The device that a port belongs to. */
export interface PortOwner {
  /** Input may go to the guest, as far as the port knows nothing against it. */
  readonly ready: boolean;
  /** The driver says of each port whether it is open. */
  readonly multiport: boolean;
  /** The other end of a port has come or gone. */
  hostConnectionChanged(port: Port): void;
  /** Does what may meet a broken ring. */
  guard(work: () => void): void;
  interrupt(queue: Virtqueue): void;
  loadChain(saved: SavedFields): Chain;
  saveChain(chain: Chain): Fields;
}

export class Port implements FrontEnd {
  readonly number: number;
  readonly name: string | undefined;
  readonly console: boolean;
  #guestConnected = false;
  readonly #opened: (open: boolean) => void;
  /** Somebody is at the other end. What is sent to a console gets lost while nobody is. */
  hostConnected: boolean;
  readonly #chardev: Chardev | undefined;
  readonly #owner: PortOwner;
  readonly #receive: Virtqueue;
  readonly #transmit: Virtqueue;
  #input: Uint8Array = new Uint8Array(0);
  /** The character device takes no more for the time being. */
  throttled = false;
  /** What has been taken from the guest and not all been sent. */
  #output: { chain: Chain; done: number } | undefined;

  constructor(owner: PortOwner, options: PortOptions, receive: Virtqueue, transmit: Virtqueue) {
    this.#owner = owner;
    this.number = options.number;
    this.name = options.name;
    this.console = options.console;
    this.#chardev = options.chardev;
    this.#receive = receive;
    this.#transmit = transmit;
    this.hostConnected = this.console;
    this.#opened = options.opened ?? (() => {});
  }

  /** A program in the guest has opened it. */
  get guestConnected(): boolean {
    return this.#guestConnected;
  }
  set guestConnected(open: boolean) {
    if (open === this.#guestConnected) return;
    this.#guestConnected = open;
    this.#opened(open);
  }

  /** Takes up its character device. */
  open(): void {
    this.#chardev?.attach(this);
  }

  close(): void {
    this.#chardev?.attach(undefined);
    this.#owner.guard(() => this.#discard());
  }

  // From the character device to the guest

  room(): number {
    return this.#takesInput ? CAPACITY - this.#input.length : 0;
  }

  get #takesInput(): boolean {
    return this.hostConnected && this.guestConnected;
  }

  receive(data: Uint8Array): void {
    if (this.#input.length === 0) this.#input = data.slice();
    else {
      const joined = new Uint8Array(this.#input.length + data.length);
      joined.set(this.#input);
      joined.set(data, this.#input.length);
      this.#input = joined;
    }
    this.#owner.guard(() => this.deliver());
  }

  /** The guest has made buffers for input available, or opened the port. */
  inputWanted(): void {
    this.deliver();
    this.#chardev?.inputWanted();
  }

  /** Gives the guest input that waits, as far as it has buffers. */
  deliver(): void {
    if (!this.#owner.ready || !this.#takesInput) return;
    const queue = this.#receive;
    let delivered = false;
    while (this.#input.length > 0) {
      const chain = queue.pop();
      if (!chain) {
        if (queue.await()) break;
        continue;
      }
      const count = Math.min(this.#input.length, chain.writable.length);
      chain.writable.write(0, this.#input.subarray(0, count));
      queue.push(chain, count);
      this.#input = this.#input.subarray(count);
      delivered = true;
    }
    if (delivered) this.#owner.interrupt(queue);
  }

  event(event: ChardevEvent): void {
    // A console is there for the guest whether anybody looks or not.
    if (this.console || (event !== 'open' && event !== 'close')) return;
    this.hostConnected = event === 'open';
    if (event === 'close') {
      this.throttled = false;
      this.#owner.guard(() => this.#discard());
    }
    this.#owner.hostConnectionChanged(this);
  }

  // From the guest to the character device

  /** Sends what the guest has put into the queue. */
  send(): void {
    if (!this.hostConnected) return this.#discard();
    if (this.throttled) return;
    this.#sendRest();
    if (!this.throttled) {
      this.#transmit.drain(chain => {
        this.#output = { chain, done: 0 };
        this.#sendRest();
        return !this.throttled;
      });
    }
    this.#owner.interrupt(this.#transmit);
  }

  /** Sends what is left of the buffer that was taken. */
  #sendRest(): void {
    const output = this.#output;
    if (!output) return;
    const { readable } = output.chain;
    while (output.done < readable.length) {
      const piece = readable.read(output.done, Math.min(PIECE, readable.length - output.done));
      output.done += piece.length;
      this.write(piece);
      if (this.throttled) break;
    }
    if (output.done < readable.length) return;
    this.#output = undefined;
    this.#transmit.push(output.chain, 0);
  }

  /** Gives bytes to the character device. */
  write(data: Uint8Array): void {
    if (!this.#chardev || this.#full) return;
    const more = this.#chardev.write(data);
    if (more) return;
    // A driver of a console waits with everything locked: better what it says gets lost.
    if (this.console) this.#full = true;
    else this.throttled = true;
  }
  #full = false;

  drained(): void {
    this.#full = false;
    if (!this.throttled) return;
    this.throttled = false;
    this.#owner.guard(() => this.send());
  }

  /** Gives back unsent what the guest wants to send. */
  #discard(): void {
    const queue = this.#transmit;
    if (!queue.place || !this.#owner.ready) return;
    if (this.#output) queue.push(this.#output.chain, 0);
    this.#output = undefined;
    queue.drain(chain => {
      queue.push(chain, 0);
      return true;
    });
    this.#owner.interrupt(queue);
  }

  // Beside the data

  reset(): void {
    this.guestConnected = false;
    this.#output = undefined;
    this.throttled = false;
  }

  save(): Fields {
    return {
      number: this.number,
      guestConnected: this.guestConnected,
      input: this.#input,
      output: this.#output ? { ...this.#owner.saveChain(this.#output.chain), done: this.#output.done } : null,
    };
  }

  load(saved: SavedFields): () => void {
    const guestConnected = saved.flag('guestConnected');
    const input = saved.bytes('input').slice();
    const output = saved.optional('output', () => {
      const fields = saved.group('output');
      return { chain: this.#owner.loadChain(fields), done: fields.integer('done') };
    });
    return () => {
      this.#guestConnected = guestConnected;
      this.#input = input;
      this.#output = output;
      this.throttled = false;
    };
  }
}
