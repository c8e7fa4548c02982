/** For tests: a machine that executes nothing, and a host in memory. */

import { Backend, type ChardevEvent } from '../chardev/chardev.ts';
import { Registers } from '../cpu/registers.ts';
import { planLayout } from '../cpu/state.ts';
import type {
  Actions,
  CpuControl,
  DeviceControl,
  MachineControl,
  MachineEvents,
  RunState,
  TopologyControl,
} from '../machine/control.ts';
import type { CpuDevice } from '../machine/cpu-table.ts';
import type { ControlProgram } from '../machine/diagnose.ts';
import type { DeviceConfiguration, PluggedDevice } from '../machine/io-messages.ts';
import type { StateSummary } from '../machine/saved-machine.ts';
import { Storage } from '../machine/storage.ts';
import type { ByteStream, Host, StreamListener } from '../platform/host.ts';
import { HostError } from '../platform/host.ts';
import { SaveError } from '../save/save-state.ts';

const MEBIBYTE = 0x100000;

/** Remembers what is plugged. */
export class FakeDevices implements DeviceControl {
  readonly list: PluggedDevice[] = [];

  async plug({ driver, id, properties }: DeviceConfiguration): Promise<PluggedDevice> {
    const number = this.list.length;
    const where = { cssid: 0xfe, ssid: 0, number };
    const place = { device: where, subchannel: where };
    const device = { number, driver, ...(id !== undefined && { id }), properties, place, bus: 'virtual-css-bus' };
    this.list.push(device);
    return device;
  }

  async unplug(device: PluggedDevice): Promise<readonly PluggedDevice[]> {
    return this.list.splice(this.list.indexOf(device), 1);
  }

  async programs(): Promise<[]> {
    return [];
  }
}

/** Storage is 1 MiB, and virtual addresses are absolute ones. A step adds 2 to the instruction address. */
export class FakeMachine implements MachineControl {
  readonly devices = new FakeDevices();
  status: RunState = 'prelaunch';
  readonly storage: Storage;
  readonly cpus: CpuControl[];
  readonly actions: Actions = { reboot: 'reset', shutdown: 'poweroff', panic: 'shutdown', watchdog: 'reset' };
  compilation: string | undefined = undefined;
  controlProgram: ControlProgram = {};
  topology: TopologyControl | undefined;
  addCpu({ address }: CpuDevice): void {
    this.calls.push(`CPU ${address}`);
  }
  /** What was asked of it. */
  readonly calls: string[] = [];
  breakpoints: ReadonlySet<bigint> = new Set();
  /** What is saved of it. */
  state = 'saved';
  /** Called at each step. */
  onStep: () => void = () => {};
  readonly #listeners: { event: string; listener: (detail: never) => void }[] = [];

  /** @param memory of another machine whose storage it takes over */
  constructor(memory = FakeMachine.memory()) {
    const layout = planLayout(1, MEBIBYTE);
    this.storage = new Storage(memory, layout);
    const registers = new Registers(memory, layout, 0);
    registers.setPsw(0x1_8000_0000n, 0x10000n);
    const reachable = (address: bigint, length: number) =>
      address < MEBIBYTE && this.storage.contains(Number(address), length);
    this.cpus = [
      {
        number: 0,
        registers,
        state: 'stopped',
        registersChanged: () => void this.calls.push('changed'),
        translate: address => (reachable(address, 1) ? Number(address) : undefined),
        readVirtual: (address, length) =>
          reachable(address, length) ? this.storage.read(Number(address), length) : undefined,
        writeVirtual: (address, data) => {
          if (!reachable(address, data.length)) return false;
          this.storage.write(Number(address), data);
          return true;
        },
      },
    ];
  }

  static memory(): WebAssembly.Memory {
    const { wasmPages } = planLayout(1, MEBIBYTE);
    return new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
  }

  on<E extends keyof MachineEvents>(event: E, listener: (detail: MachineEvents[E]) => void): void {
    this.#listeners.push({ event, listener });
  }

  emit<E extends keyof MachineEvents>(event: E, detail: MachineEvents[E]): void {
    for (const entry of this.#listeners) if (entry.event === event) entry.listener(detail as never);
  }

  cont(): void {
    this.calls.push('cont');
    this.status = 'running';
    this.emit('resume', undefined);
  }

  async stop(state: RunState = 'paused'): Promise<void> {
    this.calls.push('stop');
    if (this.status !== 'running') return;
    this.stopAs(state);
  }

  instructions: number | undefined;

  stopAfter(instructions: number): void {
    this.calls.push(`stop after ${instructions}`);
  }

  *save(status: RunState): Generator<Uint8Array> {
    this.calls.push(`save ${status}`);
    yield new TextEncoder().encode(this.state);
  }

  async load(stream: Uint8Array): Promise<StateSummary> {
    const state = new TextDecoder().decode(stream);
    if (state.startsWith('bad')) throw new SaveError('it is bad');
    this.calls.push(`load ${state}`);
    return { date: 0, running: 0, instructions: undefined, status: 'running' };
  }

  stopAs(state: RunState): void {
    this.status = state;
    this.emit('stop', { state });
  }

  async examine<T>(work: () => T): Promise<T> {
    return work();
  }

  async reset(): Promise<void> {
    this.calls.push('reset');
  }

  powerdown(): void {
    this.calls.push('powerdown');
  }

  async quit(): Promise<void> {
    this.calls.push('quit');
  }

  async step(cpu: number): Promise<void> {
    this.cpus[cpu]!.registers.pswAddress += 2n;
    this.onStep();
    this.status = 'debug';
    this.emit('debug', { cpu });
  }

  setBreakpoints(addresses: ReadonlySet<bigint>): void {
    this.breakpoints = addresses;
  }

  nmi(cpu: number): void {
    this.calls.push(`nmi ${cpu}`);
  }
}

/** A character device whose other end is the test. */
export class FakeChardev extends Backend {
  readonly description = 'fake';
  out = '';

  constructor(id = 'fake') {
    super(id);
    this.event('open');
  }

  write(data: Uint8Array): boolean {
    for (const byte of data) this.out += String.fromCharCode(byte);
    return true;
  }

  type(text: string): void {
    this.input(Uint8Array.from(text, character => character.charCodeAt(0)));
  }

  happen(event: ChardevEvent): void {
    this.event(event);
  }

  /** What was written since the last time. */
  take(): string {
    const { out } = this;
    this.out = '';
    return out;
  }
}

/** Resolves when everything that is under way without waiting for the world is done. */
export const settled = (): Promise<void> => new Promise(resolve => void setTimeout(resolve, 0));

export class FakeHost implements Host {
  readonly processId = 4711;
  readonly files = new Map<string, string>();
  printed = '';
  complaints = '';
  typed: StreamListener | undefined;
  shown = '';
  signal: (number: number) => void = () => {};
  raw = false;
  readonly terminal: Host['terminal'] = {
    peer: '',
    isTerminal: true,
    write: data => {
      this.shown += new TextDecoder().decode(data);
      return true;
    },
    listen: listener => {
      this.typed = listener;
    },
    flow: () => {},
    close: () => {
      this.raw = false;
    },
    raw: on => {
      this.raw = on;
    },
    signal: name => void this.signals.push(name),
  };
  /** Keys that became signals. */
  readonly signals: string[] = [];

  type(text: string): void {
    this.typed!.data(new TextEncoder().encode(text));
  }

  print(text: string): void {
    this.printed += text;
  }

  complain(text: string): void {
    this.complaints += text;
  }

  readFile(path: string): Uint8Array {
    const text = this.files.get(path);
    if (text === undefined) throw new HostError('No such file or directory');
    return new TextEncoder().encode(text);
  }

  checkFile(path: string): void {
    if (path.startsWith('/nowhere/')) throw new HostError('No such file or directory');
  }

  writeFile(path: string, data: Uint8Array | string): void {
    this.files.set(path, typeof data === 'string' ? data : new TextDecoder().decode(data));
  }

  listFiles(path: string) {
    return [...this.files]
      .filter(([name]) => name.startsWith(`${path}/`))
      .map(([name, text]) => ({ name: name.slice(path.length + 1), size: text.length }));
  }

  renameFile(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  removeFile(path: string): void {
    if (!this.files.delete(path)) throw new HostError('No such file or directory');
  }

  async openOutlet(): Promise<never> {
    throw new HostError('Connection refused');
  }

  async openInlet(): Promise<never> {
    throw new HostError('Address already in use');
  }

  openFile(path: string, append: boolean) {
    if (path.startsWith('/nowhere/')) throw new HostError('No such file or directory');
    if (!append) this.files.set(path, '');
    return {
      write: (data: Uint8Array) =>
        void this.files.set(path, (this.files.get(path) ?? '') + new TextDecoder().decode(data)),
      close: () => {},
    };
  }

  checkTls(): void {}

  async listen(): Promise<never> {
    throw new HostError('Address already in use');
  }

  async connect(): Promise<ByteStream> {
    throw new HostError('Connection refused');
  }

  onSignal(listener: (number: number) => void) {
    this.signal = listener;
    return { close: () => {} };
  }
}
