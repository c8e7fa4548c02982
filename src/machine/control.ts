/**
 * A machine as the command line, the monitors and the debugger see it: what it is made from and how it is controlled.
 */

import type { Chardev } from '../chardev/chardev.ts';
import type { Registers } from '../cpu/registers.ts';
import type { ProgramRecord } from '../css/channel-subsystem.ts';
import type { TraceRecord } from '../trace/trace.ts';
import type { CpuDevice, Place } from './cpu-table.ts';
import type { ControlProgram } from './diagnose.ts';
import type { View } from './identity.ts';
import type { DeviceConfiguration, PluggedDevice } from './io-messages.ts';
import type { StateSummary } from './saved-machine.ts';
import type { Storage } from './storage.ts';
import type { Shape } from './topology.ts';
import type { TraceStates } from './trace-events.ts';

/**
 * `shutdown`: the guest has ended and is kept for inspection; `debug`: stopped at a breakpoint or after a step;
 * `inmigrate`: waits for a saved state; `postmigrate`: its state has been sent.
 */
export type RunState =
  | 'prelaunch'
  | 'running'
  | 'paused'
  | 'debug'
  | 'inmigrate'
  | 'finish-migrate'
  | 'postmigrate'
  | 'save-vm'
  | 'restore-vm'
  | 'io-error'
  | 'watchdog'
  | 'shutdown'
  | 'guest-panicked'
  | 'internal-error';

/**
 * What the machine does by itself when the guest reboots, ends or panics; the command line's `-action`. May change
 * while the machine runs. Whether the process ends is for the listener of 'shutdown' and 'guest-panicked' to decide.
 */
export interface Actions {
  reboot: 'reset' | 'shutdown';
  shutdown: 'poweroff' | 'pause';
  panic: 'pause' | 'shutdown' | 'exit-failure' | 'none';
  watchdog: (typeof watchdogActions)[number];
}

export const watchdogActions = ['reset', 'shutdown', 'poweroff', 'inject-nmi', 'pause', 'debug', 'none'] as const;

export type PanicReason = 'disabled-wait' | 'extint-loop' | 'pgmint-loop' | 'opint-loop' | 'unknown';

export interface Panic {
  readonly cpu: number;
  readonly reason: PanicReason;
  /** The PSW, condition code included. */
  readonly pswMask: bigint;
  readonly pswAddress: bigint;
}

export interface MachineEvents {
  /**
   * The guest has ended: all CPUs are stopped, and the state is 'shutdown'. `guest-reset`: it wanted to reboot and
   * `actions.reboot` is 'shutdown'.
   */
  shutdown: { readonly cause: 'guest-shutdown' | 'guest-reset' | 'host' };
  /** The machine was reset and goes on as it did before. */
  reset: { readonly cause: 'guest-reset' | 'host' };
  /** All CPUs have stopped. */
  stop: { readonly state: RunState };
  resume: undefined;
  /** Unless `actions.panic` is 'none', all CPUs are stopped and the state is 'guest-panicked'. */
  'guest-panicked': Panic;
  /** A breakpoint was reached or a step is done: all CPUs are stopped, and the state is 'debug'. */
  debug: { readonly cpu: number };
  /** The watchdog's time is over, and this is done about it. */
  watchdog: { readonly action: Actions['watchdog'] };
  /** The guest has asked for another polarization of its CPUs. */
  polarization: { readonly vertical: boolean };
  /** Something has happened to a device that programs which control the machine are told of. */
  device: { readonly name: string; readonly data: object };
  /** The guest was asked to end. */
  powerdown: undefined;
  /** The machine itself failed; the state is 'internal-error'. */
  'internal-error': { readonly error: unknown };
}

export interface CpuControl {
  readonly number: number;
  /** To be read and changed only while the machine is stopped. */
  readonly registers: Registers;
  /** `halted`: in the wait state; `check-stop`: after a machine check that could not be taken. */
  readonly state: 'operating' | 'stopped' | 'halted' | 'check-stop';
  /** Registers were changed from outside: what is derived from them must be found anew before the CPU goes on. */
  registersChanged(): void;
  /**
   * Absolute address of the byte at an address in the address space of the instructions, as the PSW says; undefined
   * when the translation or the storage does not exist. Nothing of the guest's state changes.
   */
  translate(address: bigint): number | undefined;
  /** Undefined when some byte cannot be reached. */
  readVirtual(address: bigint, length: number): Uint8Array | undefined;
  /** False when some byte cannot be reached; nothing is stored then. Protection does not matter. */
  writeVirtual(address: bigint, data: Uint8Array): boolean;
}

/** Where CPUs are, as the guest sees it. */
export interface TopologyControl {
  readonly shape: Shape;
  /** The guest has asked for vertical polarization. */
  readonly vertical: boolean;
  place(cpu: number): Place;
  /** Moves a CPU; the guest is told. */
  setPlace(cpu: number, place: Place): void;
}

/** The devices of the channel subsystem; they come in the order of `list`. */
export interface DeviceControl {
  readonly list: readonly PluggedDevice[];
  /** @param hot the guest is told @throws DeviceError */
  plug(device: DeviceConfiguration, hot: boolean): Promise<PluggedDevice>;
  /** Takes a device away, and its parts; gives all that have gone. */
  unplug(device: PluggedDevice): Promise<readonly PluggedDevice[]>;
  /** The last channel programs of a device, oldest first. */
  programs(device: PluggedDevice): Promise<readonly ProgramRecord[]>;
}

export interface MachineControl {
  /** May be set to another state in which the CPUs do not run while they do not. */
  status: RunState;
  readonly cpus: readonly CpuControl[];
  readonly storage: Storage;
  readonly actions: Actions;
  readonly devices: DeviceControl;
  /** Lets the CPUs run. */
  cont(): void;
  /** Resolves when all CPUs have stopped. `state` (paused) is what the machine is in then if it ran. */
  stop(state?: RunState): Promise<void>;
  /**
   * The state of a machine that stands still, piece by piece; it must not change until the last one.
   * @param status what the machine did before, for those who load the state
   */
  save(status: RunState): Generator<Uint8Array>;
  /**
   * Puts a machine that stands still into a state that was saved.
   * @throws SaveError when that cannot be; nothing has been changed then
   */
  load(stream: Uint8Array): Promise<StateSummary>;
  /** Does something while no CPU runs. Those that ran run on afterwards: no event tells, and the state is the same. */
  examine<T>(work: () => T): Promise<T>;
  /** System reset and load, as at the start. The machine runs on if it ran. */
  reset(): Promise<void>;
  /** A CPU comes that was not there; the guest is told. Its address is free, and its place is in the topology. */
  addCpu(cpu: CpuDevice): void;
  /** Undefined when the CPUs have no configuration-topology facility. */
  readonly topology: TopologyControl | undefined;
  /** What the system that runs has told of itself. */
  readonly controlProgram: ControlProgram;
  /** What is known of compiled code, in words; undefined: nothing is compiled. */
  readonly compilation: string | undefined;
  /** Asks the guest to end (SCLP signal quiesce). */
  powerdown(): void;
  /** Ends the machine for good: stops the CPUs and lets go of what keeps the process alive. */
  quit(): Promise<void>;
  /** One instruction of one CPU, the others stopped. The state is 'debug' afterwards. */
  step(cpu: number): Promise<void>;
  /** Virtual instruction addresses at which a CPU stops before the instruction. Replaces those set before. */
  /** Instructions executed, in counted mode. */
  readonly instructions: number | undefined;
  /** Counted mode: stops, with the event 'debug', when so many instructions have been executed. */
  stopAfter(instructions: number): void;
  setBreakpoints(addresses: ReadonlySet<bigint>): void;
  /** A restart interruption on one CPU. */
  nmi(cpu: number): void;
  on<E extends keyof MachineEvents>(event: E, listener: (detail: MachineEvents[E]) => void): void;
}

/** What can be logged; the names are those of `-d`. `fpu` only adds to `cpu` and `cpu_reset`. */
export type LogItem = 'in_asm' | 'int' | 'exec' | 'cpu' | 'fpu' | 'cpu_reset' | 'unimp' | 'guest_errors';

/** The items that are asked for may change; a CPU that runs sees it when it has stopped and goes on. */
export interface Log {
  has(item: LogItem): boolean;
  /** Writes the text, which ends with a newline, if the item is asked for. */
  write(item: LogItem, text: string): void;
}

/** Counted mode: time is made of instructions, and the CPUs take turns. */
export interface Counting {
  /** Logarithm of the nanoseconds that an instruction takes. */
  readonly shift: number;
  /** Time in which all CPUs wait passes as it does outside; otherwise it takes no time. */
  readonly sleep: boolean;
}

export interface MachineConfiguration {
  /** Undefined: the CPUs run by themselves, and time is the host's. */
  readonly counting?: Counting;
  /** What the TOD clock shows at the start, in milliseconds since 1970; undefined: the host's time. */
  readonly date?: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; at least `memory`. */
  readonly maxMemory: number;
  /** CPUs from the start, at the first addresses. */
  /** Hot code is compiled; it is anyway when this is missing. */
  readonly compiles?: boolean;
  /** Bytes of compiled code that are kept at most; undefined: as many as usual. */
  readonly codeCapacity?: number | undefined;
  readonly cpus: number;
  /** Addresses are below it; `cpus` unless given. */
  readonly maximumCpus?: number;
  /** Bytes of standby storage; none unless given. */
  readonly standbyMemory?: number;
  /** CPUs beside those. */
  readonly cpuDevices?: readonly CpuDevice[];
  readonly shape: Shape;
  /** Who the guest sees above it. */
  readonly view: View;
  /** There is a watchdog. */
  readonly watchdog: boolean;
  /** As after `-cpu`; undefined for the default model. */
  readonly cpuModel?: string;
  /** Features switched on or off after the model. */
  readonly cpuFeatures: ReadonlyMap<string, boolean>;
  readonly kernel?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly append?: string;
  /** Of the machine, as STSI shows it; empty when it has none. */
  readonly name: string;
  /** 16 bytes, or undefined for none. */
  readonly uuid?: Uint8Array;
  /** Load parameter, at most 8 characters. */
  readonly loadparm?: string;
  readonly consoles: readonly { readonly kind: 'ascii' | 'line'; readonly chardev: Chardev }[];
  readonly actions: Actions;
  readonly log: Log;
  /** Devices of the channel subsystem, and the options that they come from, for messages. */
  readonly devices?: readonly { readonly configuration: DeviceConfiguration; readonly text: string }[];
  /** The character device of that identifier, for devices. */
  readonly chardev?: (id: string) => Chardev;
  /** Which trace events are wanted, and who takes what they tell; nobody unless given. */
  readonly tracing?: { readonly states: TraceStates; tell(record: TraceRecord): void };
}

/**
 * A configuration that cannot be: its message is one line for the user. `createMachine` throws it for kernels that are
 * none, an initrd that does not fit, storage that is too large and CPU models that do not exist.
 */
export class ConfigurationError extends Error {}
