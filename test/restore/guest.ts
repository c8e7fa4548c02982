/** A guest whose state is saved and restored: one process with its console and its monitor. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { emulator, Terminal } from '../support/terminal.ts';

/** What all processes of one trial are started with. */
export interface Trial {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  readonly cpus: number;
  /** Kept until the trial is over: snapshots and sockets. */
  readonly folder: string;
}

/**
 * The kernel takes a CPU that has done one thing for 21 seconds for stalled, but a host that has more to do may have given it only one of them. A CPU
 * that really hangs is found by waiting for the guest in vain.
 */
const PATIENCE = 'rcupdate.rcu_cpu_stall_timeout=300';

export function newTrial(guest: { kernel: string; initrd: string }, append: string, cpus: number): Trial {
  return {
    kernel: guest.kernel,
    initrd: guest.initrd,
    append: `${PATIENCE} ${append}`,
    cpus,
    folder: mkdtempSync(join(tmpdir(), 'lpar-restore-')),
  };
}

export const endTrial = ({ folder }: Trial): void => rmSync(folder, { recursive: true });

let guests = 0;

export class SavedGuest {
  readonly console: Terminal;
  readonly #path: string;
  #monitor: Promise<Socket> | undefined;
  #said = '';
  #heard: () => void = () => {};

  constructor({ kernel, initrd, append, cpus, folder }: Trial, ...options: string[]) {
    this.#path = join(folder, `monitor-${++guests}`);
    this.console = new Terminal([
      ...emulator(),
      ...['-display', 'none', '-serial', 'stdio', '-monitor', `unix:${this.#path},server=on,wait=off`],
      ...['-machine', `snapshots=${folder}`, '-m', '512M', '-smp', String(cpus)],
      ...['-kernel', kernel, '-initrd', initrd, '-append', append],
      ...options,
    ]);
  }

  async #connect(): Promise<Socket> {
    for (let patience = 600; ; patience--) {
      try {
        return await new Promise((resolve, reject) => {
          const socket = createConnection(this.#path, () => resolve(socket)).once('error', reject);
          socket.setEncoding('utf8').on('data', text => {
            this.#said += text;
            this.#heard();
          });
        });
      } catch (error) {
        if (patience === 0) throw error;
        await sleep(100);
      }
    }
  }

  /** Carries out a command of the monitor and gives what it says. */
  async command(line: string): Promise<string> {
    const first = this.#monitor === undefined;
    this.#monitor ??= this.#connect();
    const socket = await this.#monitor;
    if (first) await this.#answer();
    socket.write(`${line}\n`);
    // The line itself comes first, drawn anew for each character.
    return (await this.#answer()).slice(1).join('\n');
  }

  async #answer(): Promise<string[]> {
    while (!this.#said.endsWith('(qemu) ')) {
      await new Promise<void>(resolve => {
        this.#heard = resolve;
        void this.console.ended.then(() => resolve());
      });
      if ((await Promise.race([this.console.ended, undefined])) !== undefined) break;
    }
    const lines = this.#said.split('\r\n').slice(0, -1);
    this.#said = '';
    return lines;
  }
}

/**
 * Lets a guest that was restored end: its shell must answer, its kernel must have seen nothing wrong, and its poweroff
 * must end the process with status 0.
 * @param until for a guest that ends by itself: what it must have said, and what it had said when it was saved
 * @throws when one of these is not so
 */
export async function finish(
  guest: SavedGuest,
  seconds: number,
  until?: { words: RegExp; said: string },
): Promise<void> {
  const { console } = guest;
  if (until) {
    const inVain = sleep(seconds * 1000, undefined, { ref: false });
    if ((await Promise.race([console.ended, inVain])) === undefined)
      throw new Error(`${seconds} s have passed\n${console.lastLines()}`);
    // It may have been about to end when it was saved.
    if (!until.words.test(until.said + console.output)) throw new Error(`the guest says: ${console.lastLines()}`);
  } else {
    // The prompt may have come before the guest was saved, or come yet.
    const asking = setInterval(() => console.type('\n'), 2000);
    await console.waitFor(console.prompt, seconds).finally(() => clearInterval(asking));
    const { output } = await console.shell(
      'echo $((6 * 7)); dmesg | grep -E "WARNING|BUG|Oops|Call Trace|detected.* stall"',
      seconds,
    );
    if (output !== '42\n') throw new Error(`the guest says: ${output}`);
    console.type('poweroff -f\n');
  }
  const { status, signal } = await console.ended;
  if (status !== 0) throw new Error(`the process ended with ${status ?? signal}\n${console.lastLines()}`);
}
