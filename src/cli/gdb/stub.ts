/**
 * The gdb stub: a debugger on a character device controls the machine by gdb's remote serial protocol. CPU n is thread
 * n+1 of process 1.
 */

import type { Chardev, ChardevEvent, FrontEnd } from '../../chardev/chardev.ts';
import type { CpuControl, MachineControl, RunState } from '../../machine/control.ts';
import { escaped, fromHex, PacketChannel, toBytes, toHex } from './packets.ts';
import { registerDigits, registers, targetDescription } from './registers.ts';

export interface GdbEnvironment {
  readonly machine: MachineControl;
  /** A monitor command; its output is printed. */
  readonly command: (line: string, print: (text: string) => void) => Promise<void>;
  /** The debugger kills the machine. */
  readonly kill: () => void;
}

const PACKET_SIZE = 0x4000;

const SIGINT = 2;
const SIGQUIT = 3;
const SIGTRAP = 5;
const SIGABRT = 6;
const SIGALRM = 14;
const SIGSTOP = 17;
const SIGXCPU = 24;

/** The signal that the debugger is told for each state in which a machine stands still. */
const signals: Readonly<Record<RunState, number>> = {
  prelaunch: SIGTRAP,
  running: SIGTRAP,
  debug: SIGTRAP,
  paused: SIGINT,
  watchdog: SIGALRM,
  'io-error': SIGSTOP,
  shutdown: SIGQUIT,
  inmigrate: SIGTRAP,
  'finish-migrate': SIGXCPU,
  postmigrate: SIGTRAP,
  'save-vm': SIGTRAP,
  'restore-vm': SIGTRAP,
  'guest-panicked': SIGABRT,
  'internal-error': SIGABRT,
};

const errors = { address: 'E14', argument: 'E22' } as const;

export class GdbStub implements FrontEnd {
  readonly #chardev: Chardev;
  readonly #environment: GdbEnvironment;
  readonly #machine: MachineControl;
  #channel: PacketChannel;
  /** The CPU whose registers and address space the debugger looks at. */
  #cpu: CpuControl;
  /** Addresses given by Z0 and by Z1. */
  readonly #breakpoints: readonly Set<bigint>[] = [new Set(), new Set()];
  /** Storage whose change stops the machine (Z2): what it held last, by address. */
  readonly #watched = new Map<bigint, Uint8Array>();
  #interrupted = false;
  /** The debugger waits to be told that the machine stopped. */
  #waiting = false;
  #stepping = false;
  /** Storage is addressed absolutely. */
  #physical = false;
  #connected = false;
  /** Packets are answered in turn, although some answers take time. */
  #turn: Promise<void> = Promise.resolve();

  constructor(chardev: Chardev, environment: GdbEnvironment) {
    this.#chardev = chardev;
    this.#environment = environment;
    this.#machine = environment.machine;
    this.#cpu = this.#machine.cpus[0]!;
    this.#channel = this.#newChannel();
    this.#machine.on('debug', ({ cpu }) => {
      if (!this.#stepping) this.#stopped(cpu);
    });
    // A debugging stop is told by its own event, which knows the CPU.
    this.#machine.on('stop', ({ state }) => {
      // Nor is the debugger told of the moments in which the state is saved or loaded.
      const brief = state === 'save-vm' || state === 'restore-vm';
      if (state !== 'debug' && !brief && !this.#stepping) this.#stopped(this.#cpu.number);
    });
    chardev.attach(this);
  }

  #newChannel(): PacketChannel {
    return new PacketChannel(bytes => void this.#chardev.write(bytes), {
      packet: text => {
        this.#turn = this.#turn.then(() => this.#answer(text));
      },
      interrupt: () => {
        this.#interrupted = true;
        void this.#machine.stop();
      },
    });
  }

  room(): number {
    return PACKET_SIZE;
  }

  receive(data: Uint8Array): void {
    this.#channel.receive(data);
  }

  event(event: ChardevEvent): void {
    if (event === 'open') {
      this.#connected = true;
      this.#channel = this.#newChannel();
      this.#cpu = this.#machine.cpus[0]!;
      this.#waiting = this.#physical = false;
      // The debugger finds a machine that stands still.
      this.#turn = this.#machine.stop();
    } else if (event === 'close') {
      this.#connected = false;
      this.#clearBreakpoints();
    }
  }

  /** The machine is gone; the debugger is told its exit status. */
  exited(status: number): void {
    if (this.#connected) this.#channel.send(`W${toHex(Uint8Array.of(status))}`);
  }

  /** Takes the debugger's hands off the machine; whether it runs stays as it is. */
  detach(): void {
    this.#connected = false;
    this.#clearBreakpoints();
    this.#chardev.attach(undefined);
  }

  // Stopping and going on

  #stopped(cpu: number): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#cpu = this.#machine.cpus[cpu]!;
    this.#channel.send(this.#stopReply());
  }

  #stopReply(signal = signals[this.#machine.status], why = ''): string {
    return `T${toHex(Uint8Array.of(signal))}${why}thread:${thread(this.#cpu)};`;
  }

  async #continue(): Promise<string | undefined> {
    const { status } = this.#machine;
    if (status === 'shutdown' || status === 'guest-panicked' || status === 'internal-error') return this.#stopReply();
    this.#interrupted = false;
    if (this.#watched.size > 0) return this.#continueWatching();
    this.#waiting = true;
    this.#machine.cont();
    return undefined;
  }

  /** Goes on by single steps of one CPU, as long as nothing that is watched changes. */
  async #continueWatching(): Promise<string> {
    this.#stepping = true;
    try {
      for (;;) {
        await this.#machine.step(this.#cpu.number);
        if (this.#interrupted) return this.#stopReply(SIGINT);
        if (this.#machine.status !== 'debug') return this.#stopReply();
        for (const [address, before] of this.#watched) {
          const now = this.#cpu.readVirtual(address, before.length);
          if (!now || now.every((byte, n) => byte === before[n])) continue;
          before.set(now);
          return this.#stopReply(SIGTRAP, `watch:${address.toString(16)};`);
        }
        const at = this.#cpu.registers.pswAddress;
        if (this.#breakpoints.some(set => set.has(at))) return this.#stopReply();
      }
    } finally {
      this.#stepping = false;
    }
  }

  async #step(cpu: CpuControl): Promise<undefined> {
    this.#waiting = this.#stepping = true;
    try {
      await this.#machine.step(cpu.number);
    } finally {
      this.#stepping = false;
    }
    // An instruction that ends the guest is told by no 'debug'.
    this.#stopped(cpu.number);
  }

  #setBreakpoints(): void {
    this.#machine.setBreakpoints(new Set(this.#breakpoints.flatMap(set => [...set])));
  }

  #clearBreakpoints(): void {
    for (const set of this.#breakpoints) set.clear();
    this.#watched.clear();
    this.#interrupted = true;
    // The machine may be running when the debugger is gone.
    void this.#machine.examine(() => this.#setBreakpoints());
  }

  // Packets

  async #answer(packet: string): Promise<void> {
    const reply = await this.#reply(packet);
    if (reply !== undefined && this.#connected) this.#channel.send(reply);
  }

  /** Undefined when there is no answer yet; the empty one means that the packet is not known. */
  async #reply(packet: string): Promise<string | undefined> {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case '?':
        return this.#stopReply();
      case 'g':
        return registers.map(register => registerDigits(this.#cpu.registers, register)).join('');
      case 'G':
        return this.#writeAll(rest);
      case 'p': {
        const register = registers[Number.parseInt(rest, 16)];
        return register ? registerDigits(this.#cpu.registers, register) : errors.argument;
      }
      case 'P':
        return this.#write(rest);
      case 'm':
        return this.#readStorage(rest);
      case 'M': {
        const [range, digits = ''] = rest.split(':');
        return this.#writeStorage(range!, fromHex(digits));
      }
      case 'X': {
        const colon = rest.indexOf(':');
        return this.#writeStorage(rest.slice(0, colon), toBytes(rest.slice(colon + 1)));
      }
      case 'c':
        return this.#resumeAt(rest) ?? this.#continue();
      case 'C':
        return this.#resumeAt(rest.split(';')[1] ?? '') ?? this.#continue();
      case 's':
        return this.#resumeAt(rest) ?? this.#step(this.#cpu);
      case 'S':
        return this.#resumeAt(rest.split(';')[1] ?? '') ?? this.#step(this.#cpu);
      case 'Z':
      case 'z':
        return this.#breakpoint(packet[0] === 'Z', rest);
      case 'H': {
        const cpu = this.#cpuOf(rest.slice(1));
        if (!cpu) return errors.argument;
        if (rest[0] === 'g') this.#cpu = cpu;
        return 'OK';
      }
      case 'T':
        return this.#cpuOf(rest) ? 'OK' : errors.argument;
      case 'D':
        this.#clearBreakpoints();
        this.#machine.cont();
        return 'OK';
      case 'k':
        this.#environment.kill();
        return undefined;
      case 'v':
        return this.#verbose(packet);
      case 'q':
      case 'Q':
        return this.#query(packet);
      default:
        return '';
    }
  }

  /** The CPU of a thread as gdb writes it: `p1.2`, `2`; 0 and -1 are any. Undefined when there is none. */
  #cpuOf(text: string): CpuControl | undefined {
    const [, number] = /^(?:p-?[0-9a-f]+\.)?(-?[0-9a-f]+)$/.exec(text) ?? /^p-?[0-9a-f]+(-1)?$/.exec(text) ?? [];
    const id = Number.parseInt(number ?? '-1', 16);
    return id <= 0 ? this.#cpu : this.#machine.cpus[id - 1];
  }

  async #verbose(packet: string): Promise<string | undefined> {
    if (packet === 'vCont?') return 'vCont;c;C;s;S';
    if (packet.startsWith('vKill')) {
      this.#channel.send('OK');
      this.#environment.kill();
      return undefined;
    }
    if (!packet.startsWith('vCont;')) return '';
    // The first action that fits a CPU is its own; one CPU's step goes before the others' running on.
    for (const action of packet.slice('vCont;'.length).split(';')) {
      const [what, who = '-1'] = action.split(':');
      const cpu = this.#cpuOf(who);
      if (!cpu) return errors.argument;
      if (/^(s|S..)$/.test(what!)) return this.#step(cpu);
      if (/^(c|C..)$/.test(what!)) return this.#continue();
      break;
    }
    return errors.argument;
  }

  async #query(packet: string): Promise<string> {
    const [name, argument = ''] = split(packet, ':');
    switch (name) {
      case 'qSupported':
        return `PacketSize=${PACKET_SIZE.toString(16)};qXfer:features:read+;vContSupported+;multiprocess+;QStartNoAckMode+`;
      case 'QStartNoAckMode':
        // This answer is the last one that is acknowledged; what comes back for it is passed over.
        this.#channel.acknowledge = false;
        return 'OK';
      case 'qXfer':
        return this.#transfer(argument);
      case 'qAttached':
        return '1';
      case 'qC':
        return `QC${thread(this.#cpu)}`;
      case 'qfThreadInfo':
        return `m${this.#machine.cpus.map(thread).join(',')}`;
      case 'qsThreadInfo':
        return 'l';
      case 'qqemu.PhyMemMode':
        return this.#physical ? '1' : '0';
      case 'Qqemu.PhyMemMode':
        this.#physical = argument === '1';
        return 'OK';
    }
    if (name.startsWith('qThreadExtraInfo,')) {
      const cpu = this.#cpuOf(packet.slice('qThreadExtraInfo,'.length));
      const state = cpu?.state === 'halted' ? 'halted ' : 'running';
      return cpu ? toHex(toBytes(`CPU#${cpu.number} [${state}]`)) : errors.argument;
    }
    if (name.startsWith('qRcmd,')) {
      const line = fromHex(packet.slice('qRcmd,'.length));
      if (!line) return errors.argument;
      await this.#environment.command(new TextDecoder().decode(line), text => {
        this.#channel.send(`O${toHex(new TextEncoder().encode(text))}`);
      });
      return 'OK';
    }
    return '';
  }

  #transfer(argument: string): string {
    const match = /^features:read:([^:]*):([0-9a-f]+),([0-9a-f]+)$/.exec(argument);
    if (!match) return '';
    if (match[1] !== 'target.xml') return 'E00';
    const offset = Number.parseInt(match[2]!, 16);
    const length = Math.min(Number.parseInt(match[3]!, 16), PACKET_SIZE / 2);
    const part = targetDescription.slice(offset, offset + length);
    return `${offset + length < targetDescription.length ? 'm' : 'l'}${escaped(part)}`;
  }

  // Registers

  #writeAll(digits: string): string {
    let at = 0;
    for (const { bits, set } of registers) {
      const value = digits.slice(at, (at += bits / 4));
      if (value.length < bits / 4) break;
      set(this.#cpu.registers, BigInt(`0x${value}`));
    }
    this.#cpu.registersChanged();
    return 'OK';
  }

  #write(text: string): string {
    const match = /^([0-9a-f]+)=([0-9a-f]+)$/i.exec(text);
    const register = registers[Number.parseInt(match?.[1] ?? '', 16)];
    if (!match || !register) return errors.argument;
    register.set(this.#cpu.registers, BigInt.asUintN(register.bits, BigInt(`0x${match[2]}`)));
    this.#cpu.registersChanged();
    return 'OK';
  }

  /** Lets the CPU go on at an address, if there is one. */
  #resumeAt(text: string): string | undefined {
    if (text === '') return undefined;
    const address = hexNumber(text);
    if (address === undefined) return errors.argument;
    this.#cpu.registers.pswAddress = address;
    this.#cpu.registersChanged();
    return undefined;
  }

  // Storage

  #readStorage(text: string): string {
    const range = rangeOf(text);
    if (!range) return errors.argument;
    const length = Math.min(range.length, PACKET_SIZE / 2);
    let data: Uint8Array | undefined;
    if (!this.#physical) data = this.#cpu.readVirtual(range.address, length);
    else if (this.#machine.storage.contains(Number(range.address), length)) {
      data = this.#machine.storage.read(Number(range.address), length);
    }
    return data ? toHex(data) : errors.address;
  }

  #writeStorage(text: string, data: Uint8Array | undefined): string {
    const range = rangeOf(text);
    if (!range || data?.length !== range.length) return errors.argument;
    if (!this.#physical) return this.#cpu.writeVirtual(range.address, data) ? 'OK' : errors.address;
    if (!this.#machine.storage.contains(Number(range.address), data.length)) return errors.address;
    this.#machine.storage.write(Number(range.address), data);
    return 'OK';
  }

  #breakpoint(on: boolean, text: string): string {
    const match = /^([012]),([0-9a-f]+),([0-9a-f]+)/i.exec(text);
    // Watching for fetches is not known.
    if (!match) return '';
    const address = BigInt(`0x${match[2]}`);
    if (match[1] === '2') {
      const before = this.#cpu.readVirtual(address, Number.parseInt(match[3]!, 16));
      if (!before) return errors.address;
      if (on) this.#watched.set(address, before);
      else this.#watched.delete(address);
      return 'OK';
    }
    const set = this.#breakpoints[Number(match[1])]!;
    if (on) set.add(address);
    else set.delete(address);
    this.#setBreakpoints();
    return 'OK';
  }
}

const thread = ({ number }: CpuControl): string => `p01.${toHex(Uint8Array.of(number + 1))}`;

const hexNumber = (text: string): bigint | undefined => (/^[0-9a-f]+$/i.test(text) ? BigInt(`0x${text}`) : undefined);

function rangeOf(text: string): { address: bigint; length: number } | undefined {
  const [address, length] = text.split(',').map(hexNumber);
  return address === undefined || length === undefined ? undefined : { address, length: Number(length) };
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
