/**
 * Words in the machine page by which a CPU hands work to the thread where the I/O lives, without waiting for it:
 * the service call, and a bell that wakes that thread.
 */

import type { Layout } from '../cpu/state.ts';

/** Offsets in the machine page. The lower half of it belongs to the CPUs (cpu/pending.ts). */
const BELL = 0x800;
const SERVICE_BUSY = 0x804;
const SERVICE_COMMAND = 0x808;
const SERVICE_ADDRESS = 0x80c;
/** Counts service calls that have been answered. */
const SERVICE_ANSWERS = 0x810;
/** How often one that waits looks whether it has time, in milliseconds. */
const PATIENCE = 5;

export class Doorbell {
  readonly #words: Int32Array;
  readonly #at: (offset: number) => number;

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    this.#words = new Int32Array(memory.buffer);
    this.#at = offset => (layout.machine + offset) >>> 2;
  }

  /** CPU side: hands over a service call; false while one is being carried out. */
  serviceCall(command: number, address: number): boolean {
    if (Atomics.compareExchange(this.#words, this.#at(SERVICE_BUSY), 0, 1) !== 0) return false;
    this.#answered = Atomics.load(this.#words, this.#at(SERVICE_ANSWERS));
    this.#words[this.#at(SERVICE_COMMAND)] = command;
    this.#words[this.#at(SERVICE_ADDRESS)] = address;
    this.ring();
    return true;
  }

  /** CPU side: a service call is being carried out. */
  get serviceBusy(): boolean {
    return Atomics.load(this.#words, this.#at(SERVICE_BUSY)) !== 0;
  }

  /** CPU side: waits until the service call that was handed over has been answered, or there is no time for it. */
  awaitAnswer(hasTime: () => boolean): void {
    const at = this.#at(SERVICE_ANSWERS);
    // Only this CPU's call is under way.
    while (Atomics.load(this.#words, at) === this.#answered && hasTime()) {
      Atomics.wait(this.#words, at, this.#answered, PATIENCE);
    }
  }
  #answered = 0;

  ring(): void {
    Atomics.add(this.#words, this.#at(BELL), 1);
    Atomics.notify(this.#words, this.#at(BELL));
  }

  /** I/O side: the service call that waits, if any. `done` lets the next one come. */
  takeServiceCall(): { command: number; address: number; done: () => void } | undefined {
    if (Atomics.load(this.#words, this.#at(SERVICE_BUSY)) !== 1) return undefined;
    // Busy, and taken: a second ring must not carry it out twice.
    Atomics.store(this.#words, this.#at(SERVICE_BUSY), 2);
    return {
      command: this.#words[this.#at(SERVICE_COMMAND)]! >>> 0,
      address: this.#words[this.#at(SERVICE_ADDRESS)]! >>> 0,
      done: () => Atomics.store(this.#words, this.#at(SERVICE_BUSY), 0),
    };
  }

  /** I/O side: the service call that was taken has been answered. */
  answered(): void {
    Atomics.add(this.#words, this.#at(SERVICE_ANSWERS), 1);
    Atomics.notify(this.#words, this.#at(SERVICE_ANSWERS));
  }

  /** Forgets what has not been taken; for resets. */
  reset(): void {
    Atomics.store(this.#words, this.#at(SERVICE_BUSY), 0);
  }

  /** I/O side: calls `answer` each time the bell has rung, until the returned function is called. */
  listen(answer: () => void): () => void {
    let open = true;
    const wait = async (): Promise<void> => {
      while (open) {
        const seen = Atomics.load(this.#words, this.#at(BELL));
        answer();
        const waiting = Atomics.waitAsync(this.#words, this.#at(BELL), seen);
        if (waiting.async) await waiting.value;
      }
    };
    void wait();
    return () => {
      open = false;
      this.ring();
    };
  }
}
