/** A program on a serial console, driven as a user would: wait for words, type, run shell commands. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The command that emulates: bin/lpar, or another one that takes the same options ($LPAR_EMULATOR). */
export function emulator(): string[] {
  const named = process.env.LPAR_EMULATOR?.split(' ').filter(word => word !== '');
  return named?.length ? named : [process.execPath, fileURLToPath(new URL('../../bin/lpar', import.meta.url))];
}

export interface Ending {
  status: number | null;
  signal: NodeJS.Signals | null;
}

export class Terminal {
  /** Everything the program has said on stdout and stderr. */
  output = '';
  readonly ended: Promise<Ending>;
  /** What the shell says when it is ready. */
  prompt = /lpar:\S*# /;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #listeners = new Set<() => void>();
  #position = 0;
  #commands = 0;
  #ending: Ending | undefined;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const [program, ...args] = command;
    this.#child = spawn(program, args, { cwd: root, env, stdio: 'pipe' });
    const hear = (text: string) => {
      this.output += text;
      for (const listener of this.#listeners) listener();
    };
    this.#child.stdout.setEncoding('utf8').on('data', hear);
    this.#child.stderr.setEncoding('utf8').on('data', hear);
    this.#child.stdin.on('error', () => {});
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (status, signal) => {
        this.#ending = { status, signal };
        for (const listener of this.#listeners) listener();
        resolve(this.#ending);
      });
    });
  }

  /** Bytes of the program that are in the host's storage; undefined where the host does not tell. */
  get residentBytes(): number | undefined {
    try {
      const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)![1]) * 1024;
    } catch {
      return undefined;
    }
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Waits until the pattern comes after what was waited for last, and takes everything up to its end. */
  async waitFor(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    const find = () => pattern.exec(this.output.slice(this.#position));
    let found = find();
    if (!found) {
      let timer: NodeJS.Timeout | undefined;
      let listener = () => {};
      try {
        await new Promise<void>((resolve, reject) => {
          const fail = (reason: string) =>
            reject(new Error(`${reason} while waiting for ${pattern}; the last lines:\n${this.lastLines()}`));
          listener = () => {
            found = find();
            if (found) resolve();
            else if (this.#ending) fail(`the program ended (${this.#ending.status ?? this.#ending.signal})`);
          };
          this.#listeners.add(listener);
          timer = setTimeout(() => fail(`${seconds} s have passed`), seconds * 1000);
          listener();
        });
      } finally {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      }
    }
    this.#position += found!.index + found![0].length;
    return found!;
  }

  /** Runs a command in the shell that listens, and returns its output (lines end with \n) and exit status. */
  async shell(command: string, seconds = 60): Promise<{ output: string; status: number }> {
    const number = ++this.#commands;
    // What the kernel has to say, of a host that is slow for instance, is not to be amid what commands say.
    if (number === 1) this.type('dmesg -n 1\n');
    // The echo of what is typed has the quotes, its output has not.
    this.type(`echo "[${number}:""begin]"; ${command}; echo "[${number}:"$?"]"\n`);
    await this.waitFor(new RegExp(`\\[${number}:begin\\]\\r?\\n`), seconds);
    const start = this.#position;
    const end = await this.waitFor(new RegExp(`\\[${number}:(\\d+)\\]`), seconds);
    const output = this.output.slice(start, this.#position - end[0].length).replaceAll('\r', '');
    await this.waitFor(this.prompt, seconds);
    return { output, status: Number(end[1]) };
  }

  lastLines(count = 30): string {
    return this.output.split('\n').slice(-count).join('\n');
  }

  /** Ends the program whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended.catch(() => {});
  }
}
