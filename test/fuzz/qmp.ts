/**
 * Programs that talk to the monitor for programs as they like: requests that fit what commands take, nearly fit, or do not, lines for the other
 * monitor, nonsense, all of it cut anywhere, and connections that end amid of it. Everything that is said must be an answer, each
 * request that is one gets its own and in its turn, and whoever connects afterwards must find a working monitor.
 */

import { mainOn } from '../../src/cli/main.ts';
import { completions } from '../../src/cli/monitor/commands.ts';
import { commands } from '../../src/cli/qmp/commands.ts';
import type { JsonObject } from '../../src/cli/qmp/json.ts';
import { type Members, OTHERS, type Type } from '../../src/cli/qmp/schema.ts';
import { FakeHost, FakeMachine } from '../../src/cli/testing.ts';
import type { ByteStream, Closable, SocketAddress, StreamListener } from '../../src/platform/host.ts';
import type { Random } from '../torture/random.ts';
import type { Target } from './target.ts';

const COMMAND_LINE =
  '-S -nodefaults -display none -kernel k -machine snapshots=saved -chardev null,id=c0 -chardev null,id=c1 -object rng-builtin,id=r0 ' +
  '-device virtio-serial-ccw,id=serial0 -qmp tcp:localhost:1,server=on,wait=off';

/** Ends the case, not a request of it. */
const LAST = 'quit';

const WORDS = [
  ...[
    '',
    'r0',
    'c0',
    'c1',
    'serial0',
    '/',
    '/machine',
    '/machine/peripheral/serial0',
    'realized',
    'devno',
    'type',
    'a.b',
    '__proto__',
  ],
  ...[
    'x-terminal3270',
    'virtio-rng-ccw',
    'virtio-rng',
    'virtserialport',
    'z14-s390x-cpu',
    'qemu-s390x-cpu',
    'null',
    'fe.0.0001',
  ],
  ...[
    'tcp:x:1',
    'exec:true',
    'file:/tmp/x',
    'defer',
    '*',
    'css_*',
    'virtio*',
    'on',
    'off',
    'help',
    '\u{1f600}',
    '"',
    '\\',
    'a'.repeat(300),
  ],
];
const OTHER_MEMBERS = ['chardev', 'devno', 'rng', 'nr', 'max-bytes', 'y'];
const NUMBERS = [
  '0',
  '-1',
  '1',
  '255',
  '65536',
  '4294967296',
  '18446744073709551615',
  '99999999999999999999',
  '1e3',
  '0.5',
  '-0',
];
const TEXT = [
  ...'{}[]:,"\'\\ \n\t\0',
  'true',
  'null',
  'nul',
  '-',
  '1.',
  '{"execute":',
  '\\u',
  '\\ud800',
  '"a":1',
  'é',
  '//',
];

const encoder = new TextEncoder();

const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

/** Somebody who is connected. */
class Peer implements ByteStream {
  readonly peer = 'fuzz:1';
  readonly messages: JsonObject[] = [];
  #listener: StreamListener | undefined;
  #open = true;
  /** What has not been let in yet. */
  #held: Uint8Array[] = [];
  #flows = true;
  #rest = '';

  write(data: Uint8Array): boolean {
    const texts = (this.#rest + new TextDecoder().decode(data)).split('\r\n');
    this.#rest = texts.pop()!;
    this.messages.push(...texts.map(text => JSON.parse(text)));
    return true;
  }
  listen(listener: StreamListener): void {
    this.#listener = listener;
  }
  flow(on: boolean): void {
    this.#flows = on;
    while (this.#flows && this.#open && this.#held.length > 0) this.#listener!.data(this.#held.shift()!);
  }
  say(data: Uint8Array): void {
    this.#held.push(data);
    this.flow(this.#flows);
  }
  close(): void {
    this.#open = false;
  }
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener!.end();
  }
}

/** Where others connect to. */
class Meeting extends FakeHost {
  #accept: ((stream: ByteStream) => void) | undefined;
  override async listen(
    address?: SocketAddress,
    _settings?: unknown,
    accept?: (stream: ByteStream) => void,
  ): Promise<never> {
    // Others are the debugger's.
    this.#accept ??= accept!;
    return { address, close: () => {} } satisfies Closable & { address: unknown } as never;
  }
  connected(): Peer {
    const peer = new Peer();
    this.#accept!(peer);
    return peer;
  }
}

/** JSON of a value that is of that type, or nearly. */
function value(random: Random, type: Type): string {
  if (random.chance(0.06))
    return value(random, random.pick<Type>(['str', 'bool', 'int', 'any', { list: 'str' }, { object: {} }]));
  if (typeof type === 'object') {
    if (Array.isArray(type)) return JSON.stringify(random.pick(type as readonly string[]));
    if ('list' in type) return `[${Array.from({ length: random.below(4) }, () => value(random, type.list)).join()}]`;
    return object(random, (type as { readonly object: Members }).object);
  }
  switch (type) {
    case 'str':
      return JSON.stringify(random.pick(WORDS));
    case 'bool':
      return random.pick(['true', 'false']);
    case 'any':
      return random.pick([
        () => JSON.stringify(random.pick(WORDS)),
        () => random.pick(NUMBERS),
        () => random.pick(['true', 'null', '[]', '{}', '[[{"a":[1]}]]']),
      ])();
    default:
      return random.pick(NUMBERS);
  }
}

function object(random: Random, members: Members): string {
  const text: string[] = [];
  for (const [name, type] of Object.entries(members)) {
    if (name === OTHERS) {
      for (const other of OTHER_MEMBERS) {
        if (random.chance(0.2)) text.push(`"${other}":${value(random, type)}`);
      }
    } else if (!name.startsWith('*') || random.chance(0.4)) {
      if (random.chance(0.97)) text.push(`${JSON.stringify(name.replace(/^\*/, ''))}:${value(random, type)}`);
    }
  }
  if (random.chance(0.03)) text.push(`"${random.pick(['x', '__proto__', 'constructor'])}":1`);
  return `{${text.join()}}`;
}

/** A line for the monitor that people use. */
function line(random: Random): string {
  const names = completions('').filter(name => name !== LAST);
  const more = Array.from({ length: random.below(4) }, () =>
    random.chance(0.3)
      ? random.pick(NUMBERS)
      : random.pick([...WORDS, 'qtree', 'status', 'registers', '/4x', '$pc', '(', '+', '-b']),
  );
  const first = random.chance(0.3) ? `info ${random.pick(completions('info '))}` : random.pick(names);
  return [first, ...more].join(' ');
}

const request = (name: string, given: string, id: string): string =>
  `{"execute":${JSON.stringify(name)},"arguments":${given},"id":${id}}`;

class Fuzz {
  readonly #random: Random;
  readonly host = new Meeting();
  peer: Peer | undefined;
  #id = 0;
  /** Identifiers of requests that must be answered, in this order, unless nonsense has come before. */
  #expected: number[] = [];
  #sane = true;

  constructor(random: Random) {
    this.#random = random;
    this.host.files.set('k', 'kernel');
  }

  /** Bytes from the one who is connected, cut anywhere. */
  say(text: string): void {
    const data = encoder.encode(text);
    for (let at = 0; at < data.length; ) {
      const length = this.#random.chance(0.2) ? 1 + this.#random.below(9) : data.length;
      this.peer!.say(data.slice(at, at + length));
      at += length;
    }
  }

  ask(name: string, given: string): void {
    const id = this.#id++;
    if (this.#sane) this.#expected.push(id);
    this.say(request(name, given, `${id}`));
  }

  connect(): void {
    this.peer = this.host.connected();
    this.#expected = [];
    this.#sane = true;
    if (this.#random.chance(0.95)) this.ask('qmp_capabilities', '{}');
  }

  async step(): Promise<void> {
    const random = this.#random;
    if (!this.peer) return this.connect();
    switch (random.below(12)) {
      case 0:
        if (random.chance(0.7)) return;
        this.peer.end();
        this.peer = undefined;
        return;
      case 1:
        this.#sane = false;
        return this.say(Array.from({ length: random.below(20) }, () => random.pick(TEXT)).join(''));
      case 2: {
        // A request of which something is missing.
        this.#sane = false;
        const text = request(random.pick([...commands.keys()].filter(name => name !== LAST)), '{}', '"x"');
        const at = random.below(text.length);
        return this.say(text.slice(0, at) + text.slice(at + 1 + random.below(3)));
      }
      case 3:
        return settled();
      case 4:
      case 5:
      case 6:
        return this.ask('human-monitor-command', `{"command-line":${JSON.stringify(line(random))}}`);
      default: {
        const command = random.pick([...commands.values()].filter(({ name }) => name !== LAST));
        return this.ask(command.name, object(random, command.takes));
      }
    }
  }

  /** What has been said is made of answers, and those that are owed are there. */
  verify(): void {
    if (!this.peer) return;
    const { messages } = this.peer;
    check(messages[0]?.QMP !== undefined, 'there is no greeting');
    for (const message of messages.slice(1)) {
      check(
        'return' in message || 'error' in message || 'event' in message,
        `this is no answer: ${JSON.stringify(message)}`,
      );
    }
    const ids = messages.flatMap(({ id }) => (typeof id === 'number' ? [id] : []));
    const expected = this.#expected;
    check(`${ids.slice(0, expected.length)}` === `${expected}`, `answers to ${ids} came for ${expected}`);
  }

  /** Whoever comes next is served. */
  async finish(): Promise<void> {
    this.peer?.end();
    const peer = this.host.connected();
    peer.say(encoder.encode(request('qmp_capabilities', '{}', '1') + request('query-status', '{}', '2')));
    await settled();
    const answers = peer.messages.filter(({ id }) => id !== undefined);
    check(
      answers.length === 2 && 'return' in answers[0]! && 'return' in answers[1]!,
      `the next one hears ${JSON.stringify(answers)}`,
    );
    peer.say(encoder.encode(request(LAST, '{}', '3')));
  }
}

/** Everything that does not wait for the world has been done. */
async function settled(): Promise<void> {
  for (let n = 0; n < 4; n++) await new Promise(resolve => setImmediate(resolve));
}

let memory: WebAssembly.Memory | undefined;

export const qmp: Target = {
  name: 'qmp',
  async run(random) {
    let fault: unknown;
    const note = (error: unknown) => {
      fault ??= error;
    };
    process.on('unhandledRejection', note);
    try {
      const fuzz = new Fuzz(random);
      memory ??= FakeMachine.memory();
      const ended = mainOn(COMMAND_LINE.split(' '), fuzz.host, async () => new FakeMachine(memory));
      await settled();
      for (let n = random.between(5, 30); n > 0; n--) await fuzz.step();
      await settled();
      if (fault) throw fault;
      fuzz.verify();
      await fuzz.finish();
      if (fault) throw fault;
      check((await ended) === 0, `it ends: ${fuzz.host.complaints}`);
    } finally {
      process.off('unhandledRejection', note);
    }
  },
};
