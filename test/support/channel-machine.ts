/**
 * A machine with a synthetic control unit at subchannel 0.0.0001, and programs in assembler language that drive it: each
 * step is an I/O instruction, or what goes on between them, and leaves a record in storage of what it brought. The CPU is
 * in its thread; the channel subsystem is in that of the test, so that the test can give the control unit its part.
 */

import { configure } from '../../src/cli/configuration.ts';
import { parseOptions } from '../../src/cli/options.ts';
import { Assembler } from '../../src/cpu/isa/assemble.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import { type Answer, SyntheticUnit } from '../../src/css/testing.ts';
import type { IoStart } from '../../src/machine/io-messages.ts';
import type { IoSide } from '../../src/machine/io-side.ts';
import { ioThread } from '../../src/machine/io-thread.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import { nodeIoPlatform } from '../../src/platform/node/io-platform.ts';
import { nodeThreads } from '../../src/platform/node/threads.ts';
import type { Thread, ThreadHost } from '../../src/platform/threads.ts';

const ENTRY = 0x10000;
const IO_NEW_PSW = 0x1f0;
const PROGRAM_NEW_PSW = 0x1d0;
const RECORD = 128;
const RECORDS = 32;

/** What is left of a thread that is none. */
interface Inside {
  readonly thread: Thread;
  readonly side: IoSide;
}

/** The I/O thread's work, done in this thread. */
function inside(start: IoStart): Inside {
  let toSide: ((message: never) => void) | undefined;
  let toMachine: ((message: never) => void) | undefined;
  const later = (listener: () => ((message: never) => void) | undefined) => (message: unknown) =>
    queueMicrotask(() => listener()?.(message as never));
  const side = ioThread(
    {
      io: nodeIoPlatform,
      post: later(() => toMachine),
      onMessage: listener => {
        toSide = listener;
      },
      mailbox: () => {
        throw new Error('it has no mailbox');
      },
    },
    start,
  );
  const thread: Thread = {
    post: later(() => toSide),
    onMessage: listener => {
      toMachine = listener;
    },
    onError: () => {},
    terminate: async () => {},
  };
  return { thread, side };
}

/** A step that leaves a record with this letter: an instruction, then what it has brought is recorded. */
const step = (name: string, letter: string, instruction: string): string => `
  ${name}: ${instruction}
    ipm %r3
    srl %r3,28
    stc %r3,1(%r12)
    mvi 0(%r12),${letter.charCodeAt(0)}
    aghi %r12,${RECORD}
    br %r14`;

/** %r1 has the subsystem-identification word, %r12 the next record, %r13 the data. */
const source = (steps: readonly string[], words: string, data: string): string => `
    larl %r13,data
    larl %r12,records
    larl %r2,control
    lctlg %c6,%c6,0(%r2)
    lgfi %r1,0x10001
    stsch schib-data(%r13)
    oi schib-data+5(%r13),0x80
    msch schib-data(%r13)
    ${steps.join('\n')}
    larl %r2,done
    lpswe 0(%r2)
  ${step('ssch', 's', 'ssch orb-data(%r13)')}
  ${step('tsch', 't', 'tsch 16(%r12)')}
  ${step('hsch', 'h', 'hsch')}
  ${step('csch', 'c', 'csch')}
  ${step('rsch', 'r', 'rsch')}
  ${step('xsch', 'x', 'xsch')}
  ${step('tpi', 'p', 'tpi 16(%r12)')}
  ${step('msch', 'm', 'msch schib-data(%r13)')}
  ${step('stsch', 'S', 'stsch 16(%r12)')}
  wait: larl %r2,waiting
    lpswe 0(%r2)
  interrupted: mvc 16(12,%r12),0xb8
    mvi 0(%r12),${'i'.charCodeAt(0)}
    aghi %r12,${RECORD}
    br %r14
  program: mvc 16(2,%r12),0x8e
    mvi 0(%r12),${'!'.charCodeAt(0)}
    aghi %r12,${RECORD}
    br %r14
  # The unit has a command that it keeps.
  kept: cli kept_flag-data(%r13),0
    je kept
    mvi kept_flag-data(%r13),0
    br %r14
  # Holds the I/O thread, and lets it go on.
  hold: mvi go-data(%r13),0
    lghi %r3,0x200
    stg %r14,saved-data(%r13)
    bras %r14,tell
    lg %r14,saved-data(%r13)
    j kept
  release: mvi go-data(%r13),1
    br %r14
  # Tells the unit the status in %r3.
  tell: lgr %r5,%r1
    lgr %r2,%r1
    lghi %r1,3
    diag %r0,%r0,0x500
    lgr %r1,%r5
    br %r14
  .balign 4096
  data:
  control: .quad 0xff000000
  done: .quad 0x0002000180000000,0xfff
  waiting: .quad 0x0202000180000000,0xffe
  new: .quad 0x0000000180000000,interrupted,0x0000000180000000,program
  orb: .long 0xcafe,${words},ccws,0,0,0,0,0
  kept_flag: .quad 0
  go: .quad 0
  saved: .quad 0
  .balign 8
  schib: .skip 56
  .balign 1024
  ${data}
  .balign 4096
  records: .skip ${RECORD * RECORDS}
`;

/** Bits of the second word of the operation-request block. */
export const Orb = {
  key: (key: number) => key * 0x1000_0000,
  suspend: 0x0800_0000,
  format1: 0x0080_0000,
  prefetch: 0x0040_0000,
  initial: 0x0020_0000,
  quietSuspension: 0x0008_0000,
  idaw2: 0x0002_0000,
  idaw2k: 0x0003_0000,
  midaw: 0x40,
  immediateLength: 0x80,
} as const;

export interface Story {
  /** The operation-request block's bits; format-1 CCWs unless given. */
  readonly orb?: number;
  /** Behind it the program has labels of its own; the channel program is at `ccws`. */
  readonly data: string;
  readonly unit?: Readonly<Record<number, Answer | (() => Answer)>>;
  /** Steps: names of those above, or assembler language. */
  readonly steps: readonly string[];
}

export interface Outcome {
  /** What every step brought. */
  readonly told: readonly string[];
  /** What the control unit did. */
  readonly heard: readonly string[];
  /** Storage at a label, in hexadecimal. */
  hex(label: string, length: number): string;
}

const names = (bits: number, all: readonly (readonly [bit: number, name: string])[]): string =>
  all.flatMap(([bit, name]) => (bits & bit ? [name] : [])).join(' ');

const functions = [
  [0x4000, 'start'],
  [0x2000, 'halt'],
  [0x1000, 'clear'],
] as const;
const activities = [
  [0x800, 'resume-pending'],
  [0x400, 'start-pending'],
  [0x200, 'halt-pending'],
  [0x100, 'clear-pending'],
  [0x80, 'subchannel-active'],
  [0x40, 'device-active'],
  [0x20, 'suspended'],
] as const;
const status = [
  [0x10, 'alert'],
  [8, 'intermediate'],
  [4, 'primary'],
  [2, 'secondary'],
  [1, 'pending'],
] as const;
const device = [
  [0x80, 'A'],
  [0x40, 'SM'],
  [0x20, 'CUE'],
  [0x10, 'BUSY'],
  [8, 'CE'],
  [4, 'DE'],
  [2, 'UC'],
  [1, 'UE'],
] as const;
const channel = [
  [0x80, 'PCI'],
  [0x40, 'IL'],
  [0x20, 'PROG'],
  [0x10, 'PROT'],
  [8, 'CDC'],
  [4, 'CCC'],
  [2, 'ICC'],
  [1, 'CHAIN'],
] as const;

/** Interruption-response block in words: functions, activity, status control, status, residual count, CCW address. */
function response(irb: DataView, ccws: number): string {
  const control = irb.getUint32(0);
  const address = irb.getUint32(4);
  const where = address === 0 ? '' : `+${(address - ccws).toString(16)}`;
  const zero = control & 0x0004_0000 ? 'Z' : '';
  const sense = control & 0x0002_0000 ? `sense ${irb.getUint16(32).toString(16).padStart(4, '0')}` : '';
  return [
    names(control, functions),
    names(control, activities),
    names(control, status),
    zero,
    names(irb.getUint8(8), device),
    names(irb.getUint8(9), channel),
    `${irb.getUint16(10)}`,
    where,
    sense,
  ]
    .filter(part => part !== '')
    .join(', ');
}

const words: Readonly<Record<string, string>> = {
  s: 'ssch',
  t: 'tsch',
  h: 'hsch',
  c: 'csch',
  r: 'rsch',
  x: 'xsch',
  p: 'tpi',
  m: 'msch',
  S: 'stsch',
};

export class ChannelMachine {
  readonly #machine: Machine;
  readonly #side: IoSide;
  readonly #assembler = new Assembler(instructions);
  #ended: () => void = () => {};
  #failed: (error: unknown) => void = () => {};

  private constructor(machine: Machine, side: IoSide) {
    this.#machine = machine;
    this.#side = side;
    machine.on('shutdown', () => this.#ended());
    machine.on('guest-panicked', ({ reason }) => this.#failed(new Error(reason)));
    machine.on('internal-error', ({ error }) => this.#failed(error));
  }

  static async create(): Promise<ChannelMachine> {
    const options = ['-smp', '1', '-nodefaults', '-action', 'shutdown=pause,panic=pause'];
    const { initrd: _, append: __, ...configuration } = configure(parseOptions(options));
    let side: IoSide | undefined;
    const threads: ThreadHost = {
      ...nodeThreads,
      spawn: (role, data) => {
        if (role !== 'io') return nodeThreads.spawn(role, data);
        const io = inside(data as IoStart);
        side = io.side;
        return io.thread;
      },
    };
    const log = { has: () => false, write: () => {} };
    const kernel = new Uint8Array(ENTRY + 8);
    const machine = await createMachine({ ...configuration, kernel, consoles: [], log }, threads);
    // The first device, with which the channel subsystem begins.
    const properties = { 'max-bytes': 1, period: 1, max_revision: 2 };
    await machine.devices.plug({ driver: 'virtio-rng-ccw', properties, resources: {} }, false);
    return new ChannelMachine(machine, side!);
  }

  async run({ orb = Orb.format1, data, unit = {}, steps }: Story): Promise<Outcome> {
    const machine = this.#machine;
    const calls = steps.map(text => (/^\w+$/.test(text) ? `bras %r14,${text}` : text));
    const mask = `0x${(orb + 0xff00).toString(16)}`;
    const program = this.#assembler.assemble(source(calls, mask, data), ENTRY);
    /** A label, or one minus a number. */
    const at = (where: string): number => {
      const [label, before = '0'] = where.split('-');
      const address = program.symbols.get(label!);
      if (address === undefined) throw new Error(`the program has no label ${label}`);
      return Number(address) - Number(before);
    };
    await machine.reset();
    const { storage } = machine;
    storage.write(ENTRY, program.bytes);
    for (const [n, psw] of [IO_NEW_PSW, PROGRAM_NEW_PSW].entries()) {
      storage.write(psw, storage.read(at('new') + 16 * n, 16));
    }
    const one = new SyntheticUnit();
    for (const [command, answer] of Object.entries(unit)) one.answers.set(Number(command), answer);
    one.onKept = () => storage.write8(at('kept_flag'), 1);
    one.onHeld = () => {
      const until = performance.now() + 5000;
      storage.write8(at('kept_flag'), 1);
      while (storage.read8(at('go')) === 0 && performance.now() < until);
    };
    const { css } = this.#side;
    const subchannel = css.plug(one, undefined, false);
    try {
      let hangs: NodeJS.Timeout | undefined;
      const ended = new Promise<void>((resolve, reject) => {
        this.#ended = resolve;
        this.#failed = reject;
        hangs = setTimeout(() => reject(new Error(`the program hangs: ${this.#told(at)}`)), 10_000);
      });
      machine.cont();
      await ended.finally(() => clearTimeout(hangs));
      const told = this.#told(at);
      const hex = (label: string, length: number) => Buffer.from(storage.read(at(label), length)).toString('hex');
      return { told, heard: one.log, hex };
    } finally {
      await machine.stop();
      css.unplug(subchannel);
    }
  }

  #told(at: (label: string) => number): string[] {
    const { storage } = this.#machine;
    const told: string[] = [];
    for (let n = 0; n < RECORDS; n++) {
      const record = storage.read(at('records') + n * RECORD, RECORD);
      const letter = String.fromCharCode(record[0]!);
      if (letter === '\0') break;
      const view = new DataView(record.buffer, record.byteOffset + 16);
      const cc = record[1]!;
      if (letter === 'i') told.push(`interruption ${view.getUint32(4).toString(16)}`);
      else if (letter === '!') told.push(`program interruption ${view.getUint16(0)}`);
      else if (letter === 't' && cc === 0) told.push(`tsch: ${response(view, at('ccws'))}`);
      else told.push(`${words[letter]} ${cc}`);
    }
    return told;
  }

  quit(): Promise<void> {
    return this.#machine.quit();
  }
}
