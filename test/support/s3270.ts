/** Debian's s3270 and x3270: 3270 terminals that are driven by a script. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';

/** Whether the programs are there. */
export const have = (...programs: string[]): boolean =>
  programs.every(program => spawnSync('which', [program], { stdio: 'ignore' }).status === 0);

/** What s3270 says after each action: lines of data, and a line of state. */
interface Answer {
  readonly ok: boolean;
  readonly data: string[];
  /** Keyboard U, L or E; formatted; protected; connected `C(host)`; mode; model; rows; columns; cursor row and column. */
  readonly state: string[];
}

/** Seconds for one action. */
const PATIENCE = 120;

export class S3270 {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #lines: string[] = [];
  #rest = '';
  #ended = false;
  complaints = '';

  /** @param args options */
  constructor(...args: string[]) {
    this.#child = this.start(args);
    this.#child.stdout.setEncoding('utf8').on('data', text => this.#hear(text));
    this.#child.stderr.setEncoding('utf8').on('data', text => {
      this.complaints += text;
    });
    this.#child.stdin.on('error', () => {});
    this.#child.on('close', () => {
      this.#ended = true;
      for (const tell of this.#waiting.splice(0)) tell({ ok: false, data: ['s3270 has ended'], state: [] });
    });
  }

  protected start(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('s3270', ['-utf8', ...args], { stdio: 'pipe' });
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line !== 'ok' && line !== 'error') {
        this.#lines.push(line);
        continue;
      }
      const state = this.#lines.pop()?.split(' ') ?? [];
      const data = this.#lines.map(one => one.replace(/^data: ?/, ''));
      this.#lines = [];
      this.#waiting.shift()?.({ ok: line === 'ok', data, state });
    }
  }

  /** An action of s3270's, such as `Enter()`. One that does not end ends s3270. */
  act(action: string): Promise<Answer> {
    if (this.#ended) return Promise.resolve({ ok: false, data: ['s3270 has ended'], state: [] });
    return new Promise(resolve => {
      const late = setTimeout(() => {
        resolve({ ok: false, data: [`s3270 has not done it in ${PATIENCE} s`], state: [] });
        this.end();
      }, PATIENCE * 1000);
      this.#waiting.push(answer => {
        clearTimeout(late);
        resolve(answer);
      });
      this.#child.stdin.write(`${action}\n`);
    });
  }

  /** @throws if s3270 does not do it */
  async do(action: string): Promise<string[]> {
    const { ok, data } = await this.act(action);
    if (!ok) throw new Error(`${action}: ${data.join('\n')} ${this.complaints}`);
    return data;
  }

  /** Types a line into the input field, without pressing ENTER. */
  async type(text: string): Promise<void> {
    await this.do(`String("${text.replace(/["\\]/g, '\\$&')}")`);
  }

  /** Types a line and enters it. */
  async enter(text: string): Promise<void> {
    await this.type(text);
    await this.do('Enter()');
  }

  /** The lines of the screen without blanks at their ends. */
  async screen(): Promise<string[]> {
    const { ok, data } = await this.act('Ascii()');
    return ok ? data.map(line => line.trimEnd()) : [];
  }

  /** Waits until the pattern is on the screen, whose lines end with newlines. */
  async waitFor(pattern: RegExp, seconds = 60): Promise<RegExpExecArray> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const text = `${(await this.screen()).join('\n')}\n`;
      const found = pattern.exec(text);
      if (found) return found;
      if (Date.now() > end) throw new Error(`${seconds} s have passed while waiting for ${pattern} on\n${text}`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  async connected(): Promise<boolean> {
    const { state } = await this.act('');
    return state[3]?.startsWith('C(') ?? false;
  }

  /**
   * Waits until it is connected, and tries again if it cannot. s3270 says that it is connected when it has been sent something to
   * show: a guest that has not enabled the device yet sends nothing.
   */
  async connect(host: string, seconds = 60): Promise<void> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const { ok, data } = await this.act(`Connect(${host})`);
      if (ok) return;
      if (Date.now() > end) throw new Error(`${seconds} s have passed while connecting to ${host}: ${data.join()}`);
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }

  async disconnect(): Promise<void> {
    await this.do('Disconnect()');
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** x3270 on a display that nobody sees. */
export class X3270 extends S3270 {
  /** The display is the first option: `-display :N`. */
  protected override start(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('x3270', [...args, '-script'], { stdio: 'pipe' });
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** The options of the document, for one of several terminals. */
export const terminalOptions = (number: number, port: number, more = '') => [
  ...['-chardev', `socket,id=ch${number},host=0.0.0.0,port=${port},wait=off,server=on,tn3270=on${more}`],
  ...['-device', `x-terminal3270,chardev=ch${number},devno=fe.0.000${number.toString(16)},id=terminal${number}`],
];

/**
 * Connects and presses ENTER until the line is there: what is written while Linux asks for the size of the screen does not get
 * on it, and what is typed then does not count.
 */
export async function attach(s3270: S3270, host: string, line: string): Promise<void> {
  await s3270.connect(host);
  for (let n = 0; n < 60; n++) {
    await s3270.act('Wait(1,InputField)');
    if ((await s3270.screen()).includes(line)) return;
    await s3270.act('Enter()');
    await s3270.act('Wait(1,Output)');
  }
  throw new Error(`there is no ${line} on\n${(await s3270.screen()).join('\n')}`);
}

/** Says who logs in until the shell is there: getty throws away what has been typed when it asks, and it asks again after each ENTER. */
export async function logIn(s3270: S3270, name: string, prompt: RegExp): Promise<void> {
  for (let left = 12; ; left--) {
    await s3270.enter(name);
    try {
      return void (await s3270.waitFor(prompt, 5));
    } catch (error) {
      if (!left) throw error;
    }
  }
}
