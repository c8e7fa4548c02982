/**
 * The machine: builds it from its configuration, owns what is on the I/O side, and starts, stops and resets its CPUs,
 * each of which runs in a thread of its own.
 */

import type { Chardev } from '../chardev/chardev.ts';
import { continueClock, startClock, stopClock } from '../cpu/clock.ts';
import { forgetDecoded } from '../cpu/code-pages.ts';
import { clearConditions, raiseRestart, raiseServiceSignal, requestStop } from '../cpu/pending.ts';
import { compilationReport } from '../cpu/region-counts.ts';
import { registerText } from '../cpu/register-text.ts';
import { PSW_WAIT, Registers } from '../cpu/registers.ts';
import { type ResetKind, resetCpu, resetStorageAttributes } from '../cpu/reset.ts';
import { SavedClock, SavedCounts, SavedCpu, savedInterruptions } from '../cpu/saved.ts';
import {
  COUNTS,
  CPU_CHECK_STOP,
  CPU_OPERATING,
  CPU_STATE,
  CPU_STOPPED,
  HOST_CPUS,
  INSTRUCTION_GOAL,
  INSTRUCTIONS,
  largestStorage,
  ORDER,
  planLayout,
} from '../cpu/state.ts';
import { DeviceError } from '../devices/device-type.ts';
import { AsciiConsole } from '../devices/sclp/ascii-console.ts';
import { ConfigurationManagement } from '../devices/sclp/configuration.ts';
import { ControlProgramIdentification } from '../devices/sclp/identification.ts';
import { LineConsole } from '../devices/sclp/line-console.ts';
import { Quiesce } from '../devices/sclp/quiesce.ts';
import { Sclp } from '../devices/sclp/sclp.ts';
import { LoadError, type LoadPlan, load, planKernel } from '../ipl/kernel.ts';
import type { Thread, ThreadHost } from '../platform/threads.ts';
import type { SaveState } from '../save/save-state.ts';
import type { TraceRecord } from '../trace/trace.ts';
import { ChannelDevices } from './channel-devices.ts';
import type { CompilerStart } from './compiler-thread.ts';
import {
  ConfigurationError,
  type CpuControl,
  type LogItem,
  type MachineConfiguration,
  type MachineControl,
  type MachineEvents,
  type PanicReason,
  type RunState,
  type TopologyControl,
} from './control.ts';
import { inOneThread } from './counted-thread.ts';
import { type CpuModel, cpuModel } from './cpu-model.ts';
import { type CpuDevice, CpuTable, savedTable } from './cpu-table.ts';
import type { CpuStart, FromCpu, ToCpu } from './cpu-thread.ts';
import { CpuView } from './cpu-view.ts';
import {
  type ControlProgram,
  type ResetRequest,
  resetDiagnoses,
  savedDiagnoses,
  setIplParameters,
  toldByDiagnose,
} from './diagnose.ts';
import { Doorbell } from './doorbell.ts';
import type { UnitState } from './io-messages.ts';
import { type MachineKind, planLoad, type StateSummary, saveMachine } from './saved-machine.ts';
import { SavedFrames } from './saved-storage.ts';
import { scpInformation } from './scp-information.ts';
import { StandbyMap, savedStandbyStorage, storageFacts } from './standby-storage.ts';
import { Storage } from './storage.ts';
import { ConfigurationTopology, usualPlace } from './topology.ts';
import { TraceStates } from './trace-events.ts';
import { Watchdog, WatchdogTimer } from './watchdog.ts';

const MEBIBYTE = 0x100000;
/** Bytes of compiled code that are kept, unless it is said how many. */
const CODE_CAPACITY = 128 * MEBIBYTE;
/** With more CPUs than these the thread of a CPU is started when the CPU is first wanted. */
const EAGER_THREADS = 16;
/** PSW with which a kernel is entered: 64-bit addressing, everything disabled. */
const KERNEL_PSW = 0x1_8000_0000n;
const SHORT_PSW = 1n << 51n;
const SHORT_ADDRESS = 0x7fff_ffffn;

const noChardev = (id: string): never => {
  throw new Error(`there is no character device ${id}`);
};

/** @throws ConfigurationError */
export async function createMachine(configuration: MachineConfiguration, threads: ThreadHost): Promise<Machine> {
  const { memory, standbyMemory = 0, cpus, maximumCpus = cpus, kernel, initrd, append } = configuration;
  const maxMemory = Math.max(configuration.maxMemory, memory + standbyMemory);
  const limit = largestStorage(maximumCpus);
  if (maxMemory > limit) {
    throw new ConfigurationError(
      `-m ${maxMemory / MEBIBYTE}M: guest storage of more than ${limit / MEBIBYTE} MiB does not fit this machine`,
    );
  }
  let plan: LoadPlan | undefined;
  if (kernel) {
    try {
      plan = planKernel(kernel, initrd, append ?? '', memory);
    } catch (error) {
      if (error instanceof LoadError) throw new ConfigurationError(error.message);
      throw error;
    }
  }
  const machine = new Machine(configuration, plan, threads);
  try {
    await machine.ready();
  } catch (error) {
    await machine.quit();
    throw error;
  }
  return machine;
}

type Listeners = { [E in keyof MachineEvents]?: ((detail: MachineEvents[E]) => void)[] };

export class Machine implements MachineControl {
  readonly storage: Storage;
  readonly cpus: readonly CpuControl[];
  readonly actions: MachineConfiguration['actions'];
  status: RunState = 'prelaunch';
  readonly #plan: LoadPlan | undefined;
  readonly #sclp: Sclp;
  readonly #quiesce: Quiesce;
  readonly #identification = new ControlProgramIdentification();
  readonly #management: ConfigurationManagement;
  /** The CPUs that there are. */
  readonly table: CpuTable;
  readonly #topology: ConfigurationTopology;
  /** The polarization that has been told of. */
  #vertical = false;
  readonly #standby: StandbyMap;
  readonly #watchdog: WatchdogTimer;
  readonly #doorbell: Doorbell;
  readonly #cpuThreads: CpuThread[];
  readonly #newThread: (number: number, eager: boolean) => CpuThread;
  /** CPUs run, as far as they have something to do. */
  #going = false;
  readonly #ticker: Thread | undefined;
  readonly #compiler: Thread | undefined;
  /** The devices of the channel subsystem. */
  readonly devices: ChannelDevices;
  /** What is to be saved of them, as they were when the machine was stopped. */
  #deviceStates: readonly UnitState[] = [];
  readonly #firstDevices: MachineConfiguration['devices'];
  /** Takes what events tell. */
  readonly traced: (record: TraceRecord) => void;
  readonly #listeners: Listeners = {};
  readonly #stopListening: () => void;
  #log: MachineConfiguration['log'];
  readonly #model: CpuModel;
  readonly #clock: SavedClock;
  /** Resolves when what CPUs have reported by now has been dealt with. */
  #handled: Promise<unknown> = Promise.resolve();

  constructor(configuration: MachineConfiguration, plan: LoadPlan | undefined, threads: ThreadHost) {
    const { cpus, maximumCpus = cpus, cpuDevices = [], memory: core, standbyMemory = 0 } = configuration;
    const { counting } = configuration;
    const compiles = (configuration.compiles ?? true) && !counting;
    const layout = planLayout(maximumCpus, core, standbyMemory, compiles);
    const memory = new WebAssembly.Memory({
      initial: layout.wasmPages,
      maximum: layout.wasmPages,
      shared: true,
    });
    this.#plan = plan;
    this.#log = configuration.log;
    this.actions = configuration.actions;
    this.storage = new Storage(memory, layout);
    this.storage.onWrite((address, length) => forgetDecoded(memory, layout, address, length));
    this.#doorbell = new Doorbell(memory, layout);
    startClock(memory, layout, configuration.date);
    const model = cpuModel(configuration.cpuModel, configuration.cpuFeatures, configuration.view);
    const { shape } = configuration;
    this.table = new CpuTable(memory, layout);
    for (let cpu = 0; cpu < maximumCpus; cpu++) {
      const device = cpuDevices.find(({ address }) => address === cpu);
      this.table.setPresence(cpu, cpu < cpus || device ? 'configured' : 'reserved');
      this.table.setPlace(cpu, device?.place ?? usualPlace(cpu, shape));
      // A CPU that is not there does nothing, as one that is stopped.
      new Registers(memory, layout, cpu).setField32(CPU_STATE, CPU_STOPPED);
    }
    const addresses = this.table.addresses('configured');
    this.#topology = new ConfigurationTopology(memory, layout, this.table, shape);
    this.#watchdog = new WatchdogTimer(new Watchdog(memory, layout, this.#doorbell), () => this.#watchdogExpired());
    this.#standby = new StandbyMap(memory, layout);
    const attention = (): void => this.#sclp.attention();
    this.#sclp = new Sclp(
      this.storage,
      scpInformation(
        memory,
        layout,
        model,
        this.table,
        storageFacts(this.storage, this.#standby),
        configuration.loadparm ?? '',
        (cpu, on) => this.#configureCpu(cpu, on),
      ),
      parameter => raiseServiceSignal(memory, layout, parameter),
      what => this.#log.write('unimp', `${what} is not implemented\n`),
    );
    this.#quiesce = new Quiesce(attention);
    this.#sclp.events.add(this.#quiesce);
    this.#management = new ConfigurationManagement(attention);
    this.#sclp.events.add(this.#management);
    this.#sclp.events.add(this.#identification);
    for (const { kind, chardev } of configuration.consoles) this.#addConsole(kind, chardev, attention);
    this.#stopListening = this.#doorbell.listen(() => {
      try {
        this.#watchdog.look();
        this.#lookAtPolarization();
        this.#answerServiceCall();
        if (this.#going) for (const thread of this.#cpuThreads) thread.awaken();
      } catch (error) {
        void this.failed(error);
      }
    });
    const compiler: CompilerStart | undefined = compiles
      ? {
          memory,
          layout,
          weakHost: threads.weaklyOrdered,
          cpuModel: model,
          mailboxes: `lpar-${crypto.randomUUID()}`,
          capacity: configuration.codeCapacity ?? CODE_CAPACITY,
        }
      : undefined;
    if (compiler) {
      new Int32Array(memory.buffer)[(layout.machine + HOST_CPUS) / 4] = threads.parallelism;
      this.#compiler = threads.spawn('compiler', compiler);
      this.#compiler.onError(error => void this.failed(error));
    }
    this.#firstDevices = configuration.devices;
    const { shared: trace } = configuration.tracing?.states ?? new TraceStates();
    this.traced = configuration.tracing?.tell ?? (() => {});
    this.devices = new ChannelDevices(memory, layout, trace, threads, configuration.chardev ?? noChardev, {
      log: (item, text) => this.#log.write(item, text),
      trace: this.traced,
      notice: (name, data) => this.#emit('device', { name, data }),
      stop: state => void this.#stopAs(state),
      failed: error => void this.failed(error),
    });
    const start: Omit<CpuStart, 'number'> = {
      memory,
      layout,
      weakHost: threads.weaklyOrdered,
      mailboxes: compiler?.mailboxes,
      identity: { view: configuration.view, name: configuration.name, uuid: configuration.uuid },
      cpuModel: model,
      shape,
      channels: this.devices.shared,
      trace,
      storageLimit: Math.max(configuration.maxMemory, layout.storageSize),
      watchdog: configuration.watchdog,
    };
    const hosts = counting ? inOneThread(threads, { ...counting, memory, layout }) : threads;
    this.#newThread = (number, eager) => new CpuThread(this, hosts, { ...start, number }, eager);
    this.#cpuThreads = addresses.map(number =>
      this.#newThread(number, addresses.length <= EAGER_THREADS || counting !== undefined),
    );
    this.cpus = this.#cpuThreads;
    if (counting) new Int32Array(memory.buffer)[(layout.machine + COUNTS) / 4] = 1;
    else this.#ticker = threads.spawn('ticker', { memory, layout });
    this.#model = model;
    this.#clock = new SavedClock(memory, layout);
    this.#resetAndLoad();
  }

  on<E extends keyof MachineEvents>(event: E, listener: (detail: MachineEvents[E]) => void): void {
    (this.#listeners[event] ??= [] as never).push(listener as never);
  }

  #emit<E extends keyof MachineEvents>(event: E, detail: MachineEvents[E]): void {
    for (const listener of this.#listeners[event] ?? []) (listener as (detail: MachineEvents[E]) => void)(detail);
  }

  /** Resolves when every CPU's thread is there. */
  async ready(): Promise<void> {
    await Promise.all(this.#cpuThreads.map(thread => thread.ready));
    for (const { configuration, text } of this.#firstDevices ?? []) {
      try {
        await this.devices.plug(configuration, false);
      } catch (error) {
        if (error instanceof DeviceError) throw new ConfigurationError(`${text}: ${error.message}`);
        throw error;
      }
    }
  }

  // Running and stopping

  cont(): void {
    if (this.status === 'running') return;
    this.status = 'running';
    continueClock(this.storage.memory, this.storage.layout);
    this.#watchdog.run(true);
    this.devices.run();
    this.#emit('resume', undefined);
    this.#go();
  }

  async stop(state: RunState = 'paused'): Promise<void> {
    if (this.status === 'running') await this.#stopAs(state);
    // A reset or the end that a CPU has asked for when it was told to stop.
    await this.#handled;
    this.#deviceStates = await this.devices.stop();
  }

  async #stopAs(state: RunState): Promise<void> {
    this.status = state;
    this.#watchdog.run(false);
    await this.#halt();
    this.#deviceStates = await this.devices.stop();
    if (this.status === state) stopClock(this.storage.memory, this.storage.layout);
    this.#emit('stop', { state });
  }

  /** Lets all CPUs run that have something to do. */
  #go(): void {
    this.#going = true;
    for (const thread of this.#cpuThreads) thread.run();
  }

  /** Brings all CPUs to a halt. */
  async #halt(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#cpuThreads.map(thread => thread.stop()));
  }

  async examine<T>(work: () => T): Promise<T> {
    await this.#halt();
    try {
      return work();
    } finally {
      if (this.status === 'running') this.#go();
    }
  }

  get instructions(): number | undefined {
    const { memory, layout } = this.storage;
    if (!new Int32Array(memory.buffer)[(layout.machine + COUNTS) / 4]) return undefined;
    return new Float64Array(memory.buffer)[(layout.machine + INSTRUCTIONS) / 8];
  }

  stopAfter(instructions: number): void {
    const { memory, layout } = this.storage;
    new Float64Array(memory.buffer)[(layout.machine + INSTRUCTION_GOAL) / 8] = instructions;
  }

  get #kind(): MachineKind {
    return { storage: this.storage, cpus: this.cpus.map(({ number }) => number), model: this.#model };
  }

  /** What is saved beside storage. */
  #units(): readonly SaveState[] {
    const { memory, layout } = this.storage;
    return [
      ...(this.instructions === undefined ? [] : [new SavedCounts(memory, layout)]),
      this.#clock,
      savedTable(memory, layout),
      ...this.cpus.map(({ number }) => new SavedCpu(memory, layout, number)),
      savedInterruptions(memory, layout),
      savedDiagnoses(memory, layout),
      savedStandbyStorage(memory, layout),
      this.#watchdog,
      ...this.#sclp.events.units,
      new SavedFrames(memory, layout),
    ];
  }

  *save(status: RunState): Generator<Uint8Array> {
    // What is on its way from a CPU to this side.
    this.#watchdog.look();
    this.#answerServiceCall();
    const { instructions } = this;
    const devices = this.#deviceStates.map(({ name, version, fields }) => ({
      name,
      version,
      save: () => fields,
    }));
    yield* saveMachine(this.#kind, [...this.#units(), ...devices], {
      date: Date.now(),
      running: this.#clock.running,
      instructions,
      status,
    });
  }

  async load(stream: Uint8Array): Promise<StateSummary> {
    const here = await this.devices.stop();
    const { summary, distant, apply } = planLoad(this.#kind, this.#units(), here, stream);
    await this.devices.load(distant, false);
    apply();
    await this.devices.load(distant, true);
    this.#doorbell.reset();
    this.#vertical = this.#topology.vertical;
    for (const thread of this.#cpuThreads) thread.registersChanged();
    return summary;
  }

  async step(cpu: number): Promise<void> {
    await this.stop();
    continueClock(this.storage.memory, this.storage.layout);
    await this.#thread(cpu).step();
    stopClock(this.storage.memory, this.storage.layout);
    this.status = 'debug';
    this.#emit('debug', { cpu });
  }

  setBreakpoints(addresses: ReadonlySet<bigint>): void {
    for (const thread of this.#cpuThreads) thread.setBreakpoints(addresses);
  }

  async reset(): Promise<void> {
    await this.#reset('host');
  }

  /** @param first the CPU that runs afterwards */
  async #reset(cause: 'guest-reset' | 'host', how: ResetRequest = 'load', first = 0): Promise<void> {
    const wasRunning = this.status === 'running';
    await this.#halt();
    if (cause === 'host') setIplParameters(this.storage.memory, this.storage.layout, undefined);
    if (how === 'load') this.#resetAndLoad(first);
    else this.#resetAndLoadPsw(how, first);
    // The others are part of what a system does to itself.
    if (how === 'load') this.#emit('reset', { cause });
    if (wasRunning) this.#go();
    else this.status = 'prelaunch';
  }

  /** Resets everything and loads the system from where it came. */
  #resetAndLoad(first = 0): void {
    this.#resetSubsystems('clear', first);
    this.#standby.clear();
    if (!this.#plan) return;
    load(this.storage, this.#plan);
    this.#thread(first).registers.setPsw(KERNEL_PSW, this.#plan.entry);
  }

  /** Resets, storage excepted, and loads the PSW of eight bytes at absolute address 0. */
  #resetAndLoadPsw(how: 'modified-clear' | 'load-normal', first: number): void {
    this.#resetSubsystems(how === 'modified-clear' ? 'clear' : 'initial', first);
    const short = this.storage.read64(0);
    // Bit 12 says that the PSW is a short one; bits 33-63 are its address.
    this.#thread(first).registers.setPsw(short & ~SHORT_PSW & ~SHORT_ADDRESS, short & SHORT_ADDRESS);
  }

  #thread(cpu: number): CpuThread {
    return this.#cpuThreads.find(({ number }) => number === cpu)!;
  }

  #resetSubsystems(kind: ResetKind, first: number): void {
    const { memory, layout } = this.storage;
    this.#doorbell.reset();
    clearConditions(memory, layout);
    resetStorageAttributes(memory, layout);
    this.#sclp.reset();
    this.#watchdog.reset();
    this.#topology.reset();
    this.#vertical = false;
    resetDiagnoses(memory, layout);
    this.devices.reset();
    for (const thread of this.#cpuThreads) {
      if (this.#log.has('cpu_reset')) {
        this.#log.write('cpu_reset', `CPU ${thread.number}\n${registerText(thread.registers, this.#log.has('fpu'))}`);
      }
      resetCpu(memory, thread.registers, kind);
      thread.registers.setField32(ORDER, 0);
      thread.registersChanged();
    }
    // The others wait for a signal.
    this.#thread(first).registers.setField32(CPU_STATE, CPU_OPERATING);
  }

  powerdown(): void {
    this.#quiesce.signal();
    this.#emit('powerdown', undefined);
  }

  nmi(cpu: number): void {
    raiseRestart(this.storage.memory, this.storage.layout, cpu);
  }

  async quit(): Promise<void> {
    this.#stopListening();
    // What the log has not been told yet comes when a CPU stops.
    if (this.logged().length > 0) await this.#halt();
    await Promise.all([
      this.#ticker?.terminate(),
      this.#compiler?.terminate(),
      this.devices.terminate(),
      ...this.#cpuThreads.map(thread => thread.terminate()),
    ]);
  }

  // What CPUs report

  /** A CPU has stopped by itself. */
  cpuStopped(thread: CpuThread, report: FromCpu & { kind: 'stopped' }): void {
    this.#handled = Promise.all([this.#handled, this.#handle(thread, report)]);
  }

  async #handle(thread: CpuThread, report: FromCpu & { kind: 'stopped' }): Promise<void> {
    const cpu = thread.number;
    switch (report.reason) {
      case 'breakpoint':
        await this.#stopAs('debug');
        return this.#emit('debug', { cpu });
      case 'shutdown':
        return this.#end('guest-shutdown');
      case 'reset':
        // Resets that load nothing but a PSW are part of what a system does to itself.
        if (this.actions.reboot === 'shutdown' && report.request === 'load') return this.#end('guest-reset');
        return this.#reset('guest-reset', report.request, cpu);
      case 'request':
        return;
      default:
        return this.#panic(thread, report.reason);
    }
  }

  async #end(cause: MachineEvents['shutdown']['cause']): Promise<void> {
    await this.#stopAs('shutdown');
    this.#emit('shutdown', { cause });
  }

  async #panic(thread: CpuThread, reason: PanicReason): Promise<void> {
    const { registers, number } = thread;
    const detail = {
      cpu: number,
      reason,
      pswMask: registers.pswMaskWithCc,
      pswAddress: registers.pswAddress,
    };
    if (this.actions.panic !== 'none') await this.#stopAs('guest-panicked');
    this.#emit('guest-panicked', detail);
  }

  async failed(error: unknown): Promise<void> {
    this.status = 'internal-error';
    this.#emit('internal-error', { error });
  }

  /** What CPUs are to report to the log. */
  logged(): LogItem[] {
    return (['int', 'in_asm', 'exec', 'cpu', 'fpu'] as const).filter(item => this.#log.has(item));
  }

  log(item: FromCpu & { kind: 'log' }): void {
    this.#log.write(item.item, item.text);
  }

  #watchdogExpired(): void {
    const { watchdog } = this.actions;
    // The guest that is told begins anew.
    if (!['debug', 'none', 'pause'].includes(watchdog)) this.#watchdog.reset();
    this.#emit('watchdog', { action: watchdog });
    switch (watchdog) {
      case 'reset':
        void (this.actions.reboot === 'shutdown' ? this.#end('guest-reset') : this.#reset('guest-reset'));
        break;
      case 'shutdown':
        this.powerdown();
        break;
      case 'poweroff':
        void this.#end('host');
        break;
      case 'pause':
        void this.#stopAs('watchdog');
        break;
      case 'inject-nmi':
        this.nmi(0);
        break;
    }
  }

  addCpu({ address, place }: CpuDevice): void {
    const { memory, layout } = this.storage;
    const counted = this.instructions !== undefined;
    const thread = this.#newThread(address, counted);
    resetCpu(memory, thread.registers, 'clear');
    this.table.setPlace(address, place);
    this.table.setPresence(address, 'configured');
    this.#cpuThreads.push(thread);
    this.#cpuThreads.sort((a, b) => a.number - b.number);
    new Registers(memory, layout, address).setField32(CPU_STATE, CPU_STOPPED);
    this.#topology.report();
    this.#management.cpusChanged();
    // The thread that all CPUs share takes it in when they stand still.
    if (counted) void this.examine(() => {});
    else if (this.#going) thread.run();
  }

  /** SCLP: a CPU goes into the configuration or out of it, where it must stand still. */
  #configureCpu(cpu: number, on: boolean): 'done' | 'unchanged' | 'impossible' {
    const presence = cpu < this.table.size ? this.table.presence(cpu) : 'reserved';
    if (presence === 'reserved') return 'impossible';
    if (presence === (on ? 'configured' : 'standby')) return 'unchanged';
    const { memory, layout } = this.storage;
    const stands = new Registers(memory, layout, cpu).field32(CPU_STATE) === CPU_STOPPED;
    if (!on && (!stands || this.table.addresses('configured').length === 1)) return 'impossible';
    this.table.setPresence(cpu, on ? 'configured' : 'standby');
    this.#topology.report();
    return 'done';
  }

  /** What the system has told of itself. */
  get controlProgram(): ControlProgram {
    const { identification } = this.#identification;
    const codes = toldByDiagnose(this.storage.memory, this.storage.layout);
    return { ...(identification && { identification }), ...(codes && { codes }) };
  }

  #lookAtPolarization(): void {
    const { vertical } = this.#topology;
    if (vertical === this.#vertical) return;
    this.#vertical = vertical;
    this.#emit('polarization', { vertical });
  }

  get compilation(): string | undefined {
    const { memory, layout } = this.storage;
    return (
      this.#compiler &&
      compilationReport(
        memory,
        layout,
        this.cpus.map(({ number }) => number),
      )
    );
  }

  get topology(): TopologyControl | undefined {
    return this.#model.features.has('ctop') ? this.#topology : undefined;
  }

  // Devices

  #addConsole(kind: 'ascii' | 'line', chardev: Chardev, attention: () => void): void {
    const output = (data: Uint8Array): void => void chardev.write(data);
    const roomGrown = (): void => chardev.inputWanted();
    const console =
      kind === 'ascii' ? new AsciiConsole(output, attention, roomGrown) : new LineConsole(output, attention, roomGrown);
    this.#sclp.events.add(console);
    chardev.attach({ room: () => console.room, receive: data => console.type(data) });
  }

  #answerServiceCall(): void {
    const call = this.#doorbell.takeServiceCall();
    if (!call) return;
    // Ready for the next one before the interruption tells the guest so.
    call.done();
    this.#sclp.serviceCall(call.command, call.address);
    this.#doorbell.answered();
  }
}

/** One CPU and its thread, from outside. */
class CpuThread implements CpuControl {
  readonly number: number;
  readonly registers: Registers;
  readonly ready: Promise<void>;
  readonly #machine: Machine;
  readonly #spawn: () => Thread;
  #thread: Thread | undefined;
  #breakpoints: ReadonlySet<bigint> = new Set();
  readonly #view: CpuView;
  #running = false;
  /** Registers were changed from this side since the CPU last ran. */
  #changed = true;
  #stopped: (() => void)[] = [];

  /** @param eager false: the thread is started when the CPU is to do something */
  constructor(machine: Machine, threads: ThreadHost, start: CpuStart, eager: boolean) {
    this.number = start.number;
    this.#machine = machine;
    this.registers = new Registers(start.memory, start.layout, start.number);
    this.#view = new CpuView(this.registers, machine.storage);
    this.#spawn = () => threads.spawn('cpu', start);
    this.ready = eager ? this.#started() : Promise.resolve();
  }

  #started(): Promise<void> {
    const thread = this.#spawn();
    this.#thread = thread;
    if (this.#breakpoints.size > 0) this.setBreakpoints(this.#breakpoints);
    thread.onError(error => {
      void this.#machine.failed(error);
      this.#hasStopped({ kind: 'stopped', reason: 'request' });
    });
    return new Promise(resolve => {
      thread.onMessage((message: FromCpu) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'log') this.#machine.log(message);
        else if (message.kind === 'trace') this.#machine.traced(message.record);
        else this.#hasStopped(message);
      });
    });
  }

  /** It has nothing to do before another CPU gives it an order. */
  get #idles(): boolean {
    return this.registers.field32(CPU_STATE) === CPU_STOPPED && this.registers.field32(ORDER) === 0;
  }

  #hasStopped(report: FromCpu & { kind: 'stopped' }): void {
    this.#running = false;
    const waiting = this.#stopped;
    this.#stopped = [];
    // A request that came when the CPU had just stopped by itself stops it once more, and nobody waits for that.
    if (report.reason === 'request' && waiting.length === 0 && this.#machine.status === 'running') {
      this.run();
      return;
    }
    for (const resolve of waiting) resolve();
    this.#machine.cpuStopped(this, report);
  }

  #post(message: ToCpu): void {
    if (!this.#thread) void this.#started();
    this.#thread!.post(message);
  }

  run(): void {
    if (this.#running || (!this.#thread && this.#idles)) return;
    this.#running = true;
    this.#post({ kind: 'run', changed: this.#takeChanged(), log: this.#machine.logged() });
  }

  /** Runs if its thread has not been wanted before, and is now. */
  awaken(): void {
    if (!this.#thread) this.run();
  }

  /** Resolves when the CPU stands still. */
  stop(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    requestStop(this.#machine.storage.memory, this.registers.layout, this.number);
    return new Promise(resolve => void this.#stopped.push(resolve));
  }

  step(): Promise<void> {
    this.#running = true;
    this.#post({ kind: 'step', changed: this.#takeChanged(), log: this.#machine.logged() });
    return new Promise(resolve => void this.#stopped.push(resolve));
  }

  setBreakpoints(addresses: ReadonlySet<bigint>): void {
    this.#breakpoints = addresses;
    if (this.#thread) this.#post({ kind: 'breakpoints', addresses: [...addresses] });
  }

  registersChanged(): void {
    this.#changed = true;
  }

  #takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  terminate(): Promise<void> {
    return this.#thread?.terminate() ?? Promise.resolve();
  }

  get state(): CpuControl['state'] {
    if (this.registers.field32(CPU_STATE) === CPU_CHECK_STOP) return 'check-stop';
    if ((this.registers.pswMask & PSW_WAIT) !== 0n) return 'halted';
    return this.#running ? 'operating' : 'stopped';
  }

  translate(address: bigint): number | undefined {
    return this.#view.translate(address);
  }

  readVirtual(address: bigint, length: number): Uint8Array | undefined {
    return this.#view.read(address, length);
  }

  writeVirtual(address: bigint, data: Uint8Array): boolean {
    return this.#view.write(address, data);
  }
}
