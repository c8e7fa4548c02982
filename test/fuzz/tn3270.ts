/**
 * TN3270 clients that do what they like: they negotiate or not, send records, nonsense and pieces of either, take what they are sent or not,
 * and vanish; a guest gives commands meanwhile. Each command must end once, nothing may grow, and an ordinary client that comes
 * afterwards must find a working terminal.
 */

import { mock } from 'node:test';
import { EOR, IAC, option, record, SB, SE, subnegotiation, type Verb, WILL } from '../../src/chardev/telnet-parser.ts';
import { TestClient } from '../../src/chardev/tn3270/testing.ts';
import { type Ending, Terminal3270 } from '../../src/devices/terminal3270/terminal.ts';
import { Wire } from '../../src/devices/terminal3270/testing.ts';
import type { Random } from '../torture/random.ts';
import type { Target } from './target.ts';

const COMMANDS = [0x01, 0x02, 0x03, 0x05, 0x06, 0x0b, 0x0d, 0x0e, 0x0f, 0x11, 0x7f];
const OPTIONS = [0, 0, 1, 3, 6, 24, 24, 25, 25, 39, 40, 40, 46, 255];
const TYPES = ['IBM-3278-2', 'IBM-3279-4-E', 'IBM-DYNAMIC', 'IBM-3287-1', 'XTERM', '', 'IBM-3278-2@LU0000A', '\xff'];
const SPECIAL = [0, 1, 2, 7, 0x60, 0x7d, 0x88, SE, EOR, SB, 0xf3, 0xf4, 0xf5, 0xf6, 0xff];
/** A client that takes nothing: answers to one chunk of what it says, and one command. */
const UNSENT = 0x6000;
/** Of what may wait in the terminal for the guest: its bounds and one chunk of small records. */
const MOST = 0x20000 + 0x10005 + 0x4000;

const QUESTIONS = Uint8Array.from(
  Array(2000)
    .fill(option(WILL, 99))
    .flatMap(question => [...question]),
);

const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

const bytes = (random: Random, most: number): number[] =>
  Array.from({ length: random.below(most) }, () => (random.chance(0.3) ? random.pick(SPECIAL) : random.below(256)));

/** Something that a client may say. */
function word(random: Random): Uint8Array {
  const type = [...random.pick(TYPES)].map(character => character.charCodeAt(0));
  switch (random.below(10)) {
    case 0:
      return Uint8Array.from(bytes(random, 40));
    case 1:
      return option(random.between(WILL, 0xfe) as Verb, random.pick(OPTIONS));
    case 2:
      return Uint8Array.of(IAC, random.pick(SPECIAL));
    case 3:
      return subnegotiation(24, random.below(3), ...type);
    case 4:
      return subnegotiation(
        40,
        2,
        random.pick([4, 6, 7, 7, 7, 8]),
        ...type,
        ...(random.chance(0.3) ? bytes(random, 9) : []),
      );
    case 5:
      return subnegotiation(40, 3, random.pick([4, 4, 7, 7, 8]), ...bytes(random, 6));
    case 6:
      return subnegotiation(random.pick(OPTIONS), ...bytes(random, random.chance(0.05) ? 2000 : 12));
    case 7:
      // A response, perhaps to a command that was sent.
      return record(Uint8Array.of(2, 0, random.below(3), 0, random.below(6), random.below(5)));
    case 8:
      return record(Uint8Array.from([random.below(9), 0, random.below(3), 0, random.below(6), ...bytes(random, 30)]));
    default:
      return record(Uint8Array.from(bytes(random, random.chance(0.02) ? 70_000 : 30)));
  }
}

class Fuzz {
  readonly #random: Random;
  readonly wire = new Wire('fuzz');
  readonly terminal: Terminal3270;
  client: TestClient | undefined;
  started = 0;
  ended = 0;
  running = false;

  constructor(random: Random) {
    this.#random = random;
    this.terminal = new Terminal3270(
      { chardev: this.wire, name: 'LU0000A', application: 'fuzz' },
      { attention: () => !random.chance(0.1), deviceEnd: () => {} },
    );
    this.terminal.open();
  }

  /** Bytes from the client, cut anywhere. */
  say(data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const length = this.#random.chance(0.3) ? 1 + this.#random.below(4) : data.length;
      this.wire.fromClient(data.slice(at, at + length));
      at += length;
    }
  }

  command(): void {
    if (this.running) return;
    const number = ++this.started;
    this.running = true;
    let ends = 0;
    this.terminal.command(this.#random.pick(COMMANDS), Uint8Array.from(bytes(this.#random, 30)), (_: Ending) => {
      ends++;
      check(ends === 1, 'a command has ended twice');
      if (number === this.started) this.running = false;
    });
  }

  settle(): void {
    if (this.wire.stuck) return;
    for (let data = this.wire.toClient.shift(); data; data = this.wire.toClient.shift()) this.client?.receive(data);
  }

  step(): void {
    const random = this.#random;
    switch (random.below(13)) {
      case 0:
        this.client = undefined;
        if (this.wire.isOpen) return this.wire.go();
        return this.wire.come();
      case 1:
        this.wire.stuck = random.chance(0.5);
        if (!this.wire.stuck) return this.wire.take();
        this.wire.toClient.length = 0;
        // It asks and asks, and does not listen.
        if (this.wire.isOpen && random.chance(0.005)) for (let n = 0; n < 8; n++) this.wire.fromClient(QUESTIONS);
        return;
      case 2:
        return mock.timers.tick(random.pick([1, 10, 1000, 30_000, 60_000, 600_000]));
      case 3:
        if (this.running) {
          this.running = false;
          this.started++;
        }
        return this.terminal.cancel();
      case 4:
      case 5:
        return this.command();
      case 6: {
        // One that begins like an ordinary client, with bad manners afterwards.
        if (this.wire.isOpen) this.wire.go();
        const functions = random.chance(0.5) ? bytes(random, 5).map(byte => byte % 6) : undefined;
        this.client = new TestClient({ types: ['IBM-3278-4'], functions, responds: random.chance(0.5) }, data =>
          this.say(data),
        );
        this.wire.stuck = false;
        this.wire.come();
        return this.settle();
      }
      case 7:
        return this.settle();
      case 9: {
        if (!this.terminal.client || random.chance(0.9)) return;
        // A record without end, outside of any subnegotiation.
        this.wire.fromClient(Uint8Array.of(IAC, SE, IAC, SE));
        this.wire.fromClient(new Uint8Array(70_000).fill(0x40));
        return check(!this.wire.isOpen || this.wire.held > 0, 'a record without end is kept');
      }
      case 8:
        this.terminal.restore(random.chance(0.5));
        if (this.running) this.started++;
        this.running = false;
        return;
      default:
        if (this.wire.isOpen) this.say(word(random));
    }
  }

  /** What must hold at any time. */
  verify(): void {
    check(this.terminal.waiting <= MOST, `${this.terminal.waiting} bytes wait for the guest`);
    const unsent = this.wire.toClient.reduce((sum, data) => sum + data.length, 0);
    check(!this.wire.stuck || unsent <= UNSENT, `${unsent} bytes wait for the client`);
    check(this.wire.isOpen || this.terminal.client === undefined, 'there is a client without a connection');
  }

  /** However bad the client was, the next one can work. */
  finish(): void {
    // A client that is there takes and answers nothing any more.
    this.client = undefined;
    mock.timers.tick(60_000);
    check(!this.running || this.started === 0, 'a command has not ended');
    if (this.wire.isOpen) this.wire.go();
    this.wire.toClient.length = 0;
    this.wire.stuck = false;
    const client = new TestClient({ types: ['IBM-3278-2'] }, data => this.wire.fromClient(data));
    this.client = client;
    this.wire.come();
    this.settle();
    check(this.terminal.client !== undefined, 'the next client is not served');
    const now = (code: number): Ending | undefined => {
      let result: Ending | undefined;
      this.terminal.command(code, Uint8Array.of(0xc3), ending => {
        result = ending;
      });
      this.settle();
      return result;
    };
    const first = now(0x05);
    check(first !== undefined, 'a command has not ended for the next client');
    if (first!.kind === 'check') check(now(0x05)?.kind === 'done', 'the next client is not ready');
    client.enter(0x7d, 0x40, 0x40);
    client.enter(0x6d);
    check(client.records.length === 1, 'a command has not reached the next client');
    this.terminal.close();
    check(this.terminal.client === undefined, 'a terminal that is closed has a client');
  }
}

export const tn3270: Target = {
  name: 'tn3270',
  run(random) {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const fuzz = new Fuzz(random);
      for (let n = random.between(5, 40); n > 0; n--) {
        fuzz.step();
        fuzz.verify();
      }
      fuzz.finish();
    } finally {
      mock.timers.reset();
    }
  },
};
