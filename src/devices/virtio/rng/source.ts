/** Where entropy comes from: the objects `rng-builtin` and `rng-random`. */

import type { Inlet } from '../../../platform/host.ts';

export interface EntropySource {
  /** Puts up to so many bytes into the buffer, at its beginning, as far as they are there. @returns how many */
  take(most: number, into: Uint8Array): number;
  /** Calls `ready`, once, when `take` has something again. */
  request(bytes: number, ready: () => void): void;
  close(): void;
}

/** Bytes that the host's generator gives at a time. */
const POOL = 0x10000;

/** The generator of the host's process. */
export class BuiltinSource implements EntropySource {
  readonly #pool = new Uint8Array(POOL);
  #used = POOL;

  take(most: number, into: Uint8Array): number {
    let done = 0;
    while (done < most) {
      if (this.#used === POOL) {
        crypto.getRandomValues(this.#pool);
        this.#used = 0;
      }
      const count = Math.min(most - done, POOL - this.#used);
      into.set(this.#pool.subarray(this.#used, this.#used + count), done);
      // No byte is given twice, nor to be found here afterwards.
      this.#pool.fill(0, this.#used, this.#used + count);
      this.#used += count;
      done += count;
    }
    return done;
  }

  request(_bytes: number, ready: () => void): void {
    ready();
  }

  close(): void {}
}

/** A file of random bytes: a device, a pipe. It is read no faster than the guest takes them. */
export class FileSource implements EntropySource {
  readonly #inlet: Inlet;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #complain: (message: string) => void;
  #piece: Uint8Array = new Uint8Array(0);
  #reading = false;
  #ended = false;

  constructor(inlet: Inlet, complain: (message: string) => void) {
    this.#inlet = inlet;
    this.#pieces = inlet.read()[Symbol.asyncIterator]();
    this.#complain = complain;
  }

  take(most: number, into: Uint8Array): number {
    const count = Math.min(most, this.#piece.length);
    into.set(this.#piece.subarray(0, count));
    this.#piece = this.#piece.subarray(count);
    return count;
  }

  request(_bytes: number, ready: () => void): void {
    if (this.#reading || this.#ended) return;
    this.#reading = true;
    this.#pieces.next().then(
      ({ value, done }) => {
        this.#reading = false;
        this.#ended = done === true;
        if (done) return;
        this.#piece = value;
        ready();
      },
      (error: Error) => {
        this.#ended = true;
        this.#complain(error.message);
      },
    );
  }

  close(): void {
    this.#ended = true;
    this.#inlet.close();
  }
}
