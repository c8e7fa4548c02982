/** Standard input and output on Node. */

import { writeSync } from 'node:fs';
import type { StreamListener, Terminal } from '../host.ts';

export class NodeTerminal implements Terminal {
  readonly peer = '';
  #raw = false;
  #listening = false;
  #broken = false;

  get isTerminal(): boolean {
    return process.stdin.isTTY === true;
  }

  write(data: Uint8Array): boolean {
    // Straight to the descriptor: what the guest said last is out even if the process dies now.
    for (let at = 0; at < data.length && !this.#broken; ) {
      try {
        at += writeSync(1, data, at);
      } catch (error) {
        // A full pipe whose other descriptor somebody made non-blocking: wait a moment; otherwise nobody reads.
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') Atomics.wait(moment, 0, 0, 1);
        else this.#broken = true;
      }
    }
    return true;
  }

  listen(listener: StreamListener): void {
    this.#listening = true;
    process.stdin.on('data', (data: Uint8Array) => listener.data(data));
    process.stdin.on('end', () => listener.end());
    process.stdin.on('error', () => listener.end());
    process.stdin.resume();
  }

  flow(on: boolean): void {
    if (on) process.stdin.resume();
    else process.stdin.pause();
  }

  close(): void {
    this.raw(false);
    if (!this.#listening) return;
    this.#listening = false;
    process.stdin.removeAllListeners('data');
    process.stdin.pause();
    // A read of a pipe that is under way would keep the process alive.
    process.stdin.unref?.();
  }

  raw(on: boolean): void {
    if (!this.isTerminal || on === this.#raw) return;
    this.#raw = on;
    process.stdin.setRawMode(on);
    if (on) {
      process.on('exit', this.#restore);
      process.on('SIGCONT', this.#again);
    } else {
      process.removeListener('exit', this.#restore);
      process.removeListener('SIGCONT', this.#again);
    }
  }

  readonly #restore = (): void => void process.stdin.setRawMode(false);

  /** The shell has set the terminal as it likes it while this process was stopped. */
  readonly #again = (): void => {
    process.stdin.setRawMode(false);
    process.stdin.setRawMode(true);
  };

  signal(name: 'SIGINT' | 'SIGQUIT' | 'SIGTSTP'): void {
    if (name === 'SIGTSTP') process.stdin.setRawMode(false);
    // The whole group of processes, as the terminal does.
    process.kill(0, name);
  }
}

const moment = new Int32Array(new SharedArrayBuffer(4));
