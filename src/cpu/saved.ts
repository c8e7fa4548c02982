/**
 * What is saved of the CPUs, of the clock and of the interruptions that are nobody's own. All CPUs must stand still
 * between two instructions. Timers are saved as values: they go on from there.
 */

import type { Fields, SavedFields, SaveState } from '../save/save-state.ts';
import { SavedWords } from '../save/words.ts';
import { UNITS } from './clock.ts';
import { Registers } from './registers.ts';
import * as state from './state.ts';

const word = (at: number, count = 1) => ({ at, size: 4, count }) as const;
const doubleword = (at: number, count = 1) => ({ at, size: 8, count }) as const;

const cpuWords = {
  generalRegisters: doubleword(state.GR, 16),
  /** Their halves, the second one first. */
  vectorRegisters: doubleword(state.VR, 64),
  controlRegisters: doubleword(state.CR, 16),
  accessRegisters: word(state.AR, 16),
  pswMask: doubleword(state.PSW_MASK),
  pswAddress: doubleword(state.PSW_ADDRESS),
  conditionCode: word(state.CC),
  floatingPointControl: word(state.FPC),
  prefix: word(state.PREFIX),
  todProgrammable: word(state.TODPR),
  breakingEvent: doubleword(state.BEA),
  programParameter: doubleword(state.PROGRAM_PARAMETER),
  clockComparator: doubleword(state.CLOCK_COMPARATOR),
  cpuTimer: doubleword(state.CPU_TIMER),
  lastClock: doubleword(state.LAST_CLOCK),
  conditions: word(state.CONDITIONS),
  externalCallSource: word(state.EXTERNAL_CALL_SOURCE),
  emergencySignals: word(state.EMERGENCY_SIGNALS, 8),
  malfunctionAlerts: word(state.MALFUNCTION_ALERTS, 8),
  failingStorage: doubleword(state.FAILING_STORAGE),
  storageError: word(state.STORAGE_ERROR),
  state: word(state.CPU_STATE),
  /** In counted mode, in which it does not change when the machine stops. */
  running: word(state.RUNNING),
  order: word(state.ORDER),
  orderParameter: word(state.ORDER_PARAMETER),
  instructionCount: doubleword(state.INSTRUCTION_COUNT),
};

/** One CPU. Afterwards, `registersChanged` must follow. */
export class SavedCpu implements SaveState {
  readonly name: string;
  readonly version = 1;
  readonly #registers: Registers;
  readonly #words: SavedWords;

  constructor(memory: WebAssembly.Memory, layout: state.Layout, number: number) {
    this.name = `cpu ${number}`;
    this.#registers = new Registers(memory, layout, number);
    this.#words = new SavedWords(this.name, this.version, memory, this.#registers.base, cpuWords);
  }

  /** Index of the word TOD_SETTINGS. */
  get #settings(): number {
    return (this.#registers.layout.machine + state.TOD_SETTINGS) / 4;
  }

  save(): Fields {
    const registers = this.#registers;
    const known = registers.field32(state.LAST_CLOCK_SETTINGS) === registers.u32[this.#settings];
    return { ...this.#words.save(), ...(!known && { lastClock: 0n }) };
  }

  load(saved: SavedFields): () => void {
    saved.integer('conditionCode', 3);
    saved.integer('state', state.CPU_DISABLED_WAIT);
    const write = this.#words.load(saved);
    return () => {
      write();
      const registers = this.#registers;
      registers.setPsw(registers.pswMaskWithCc, registers.pswAddress);
      registers.setField32(state.EXECUTING, 0);
      registers.setField32(state.CPU_TIMER_STANDS, 1);
      registers.setField32(state.LAST_CLOCK_SETTINGS, registers.u32[this.#settings]!);
    };
  }
}

/** The TOD clock, while it stands. It goes on from the value that was saved. */
export class SavedClock implements SaveState {
  readonly name = 'clock';
  readonly version = 2;
  readonly #episodes: SavedWords;
  readonly #u64: BigUint64Array;
  readonly #i32: Int32Array;
  readonly #stopped: Float64Array;
  readonly #machine: number;
  /** The physical clock when the machine began to run. */
  #begin: bigint;

  constructor(memory: WebAssembly.Memory, { machine }: state.Layout) {
    this.#u64 = new BigUint64Array(memory.buffer);
    this.#i32 = new Int32Array(memory.buffer);
    this.#stopped = new Float64Array(memory.buffer, machine + state.CLOCK_STOPPED, 1);
    this.#machine = machine;
    this.#episodes = new SavedWords(this.name, this.version, memory, machine, {
      // Start time, base offset, fine and gross steering rate.
      oldEpisode: doubleword(state.OLD_EPISODE, 3),
      newEpisode: doubleword(state.NEW_EPISODE, 3),
    });
    this.#begin = this.#u64[(machine + state.PHYSICAL_EPOCH) / 8]!;
  }

  /** Units of the machine's clock at which it stands. */
  get #standing(): bigint {
    return BigInt(Math.floor((-1 - this.#stopped[0]!) * UNITS));
  }

  #epoch(which: number): bigint {
    return this.#u64[(this.#machine + which) / 8]!;
  }

  /** Milliseconds that the machine has run. */
  get running(): number {
    return Number((this.#epoch(state.PHYSICAL_EPOCH) + this.#standing - this.#begin) / BigInt(UNITS));
  }

  save(): Fields {
    const standing = this.#standing;
    const index = BigInt(this.#i32[(this.#machine + state.EPOCH_INDEX) / 4]!);
    const tod = (index << 64n) + this.#epoch(state.TOD_EPOCH) + standing;
    const physical = this.#epoch(state.PHYSICAL_EPOCH) + standing;
    return {
      ...this.#episodes.save(),
      // But for what the new episode has added.
      epochIndex: BigInt.asUintN(8, tod >> 64n),
      tod: BigInt.asUintN(64, tod),
      physical: BigInt.asUintN(64, physical),
      running: BigInt.asUintN(64, physical - this.#begin),
      userDifference: this.#epoch(state.USER_EPOCH),
    };
  }

  load(saved: SavedFields): () => void {
    const index = BigInt(saved.integer('epochIndex', 255));
    const tod = saved.doubleword('tod');
    const physical = saved.doubleword('physical');
    const running = saved.doubleword('running');
    const userDifference = saved.doubleword('userDifference');
    const setEpisodes = this.#episodes.load(saved);
    return () => {
      setEpisodes();
      const standing = this.#standing;
      const epoch = (index << 64n) + tod - standing;
      this.#i32[(this.#machine + state.EPOCH_INDEX) / 4] = Number(BigInt.asIntN(8, epoch >> 64n));
      Atomics.store(this.#u64, (this.#machine + state.TOD_EPOCH) / 8, BigInt.asUintN(64, epoch));
      this.#u64[(this.#machine + state.PHYSICAL_EPOCH) / 8] = BigInt.asUintN(64, physical - standing);
      this.#u64[(this.#machine + state.USER_EPOCH) / 8] = userDifference;
      this.#begin = physical - running;
    };
  }
}

/** What counted mode counts; to be loaded before the clock, which stands at this time. */
export class SavedCounts implements SaveState {
  readonly name = 'counts';
  readonly version = 1;
  readonly #words: SavedWords;
  readonly #f64: Float64Array;
  readonly #machine: number;

  constructor(memory: WebAssembly.Memory, { machine }: state.Layout) {
    this.#f64 = new Float64Array(memory.buffer);
    this.#machine = machine;
    this.#words = new SavedWords(this.name, this.version, memory, machine, {
      // Numbers of 64 bits that are doubles.
      nanoseconds: doubleword(state.VIRTUAL_TIME),
      instructions: doubleword(state.INSTRUCTIONS),
      turn: word(state.TURN),
      turnLeft: word(state.TURN_LEFT),
    });
  }

  save(): Fields {
    return this.#words.save();
  }

  load(saved: SavedFields): () => void {
    const write = this.#words.load(saved);
    return () => {
      write();
      const milliseconds = this.#f64[(this.#machine + state.VIRTUAL_TIME) / 8]! / 1e6;
      this.#f64[(this.#machine + state.CLOCK_STOPPED) / 8] = -1 - milliseconds;
    };
  }
}

/** Interruptions that any CPU may take. */
export const savedInterruptions = (memory: WebAssembly.Memory, { machine }: state.Layout): SaveState =>
  new SavedWords('interruptions', 1, memory, machine, {
    floating: word(state.FLOATING),
    serviceParameter: word(state.SERVICE_PARAMETER),
    ioPending: word(state.IO_PENDING),
    externalDamage: word(state.EXTERNAL_DAMAGE_CODE),
  });
