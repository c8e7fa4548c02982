/**
 * One CPU: its registers as TypeScript sees them, the storage accesses that compiled code cannot do by itself, and the
 * loop that runs instructions. Everything that lasts is in the CPU's block of linear memory (state.ts), so that any
 * thread can look at a stopped CPU.
 */

import type { Storage } from '../machine/storage.ts';
import { LogicalAccess } from './access.ts';
import { Timers } from './clock.ts';
import { CodePages } from './code-pages.ts';
import { AccessFault, again, Translator, withRegister } from './dat.ts';
import { type Handler, handlersOf } from './engine/handlers.ts';
import { buildInterpreter } from './engine/interpreter.ts';
import {
  ACCESS_AR_SHIFT,
  ACCESS_INSTRUCTION,
  ACCESS_INTERLOCKED,
  ACCESS_SIZE_SHIFT,
  ACCESS_STORE,
  ACCESS_WIDE,
  EXIT_BREAKPOINT,
  EXIT_FUEL,
  EXIT_PENDING,
  EXIT_PROGRAM,
  HANDLER_CROSSING,
} from './engine/protocol.ts';
import { recordReader } from './engine/records.ts';
import type { MillicodeCall, RegionOptions } from './engine/run.ts';
import { type Environment, standalone } from './environment.ts';
import { Exclusion } from './exclusion.ts';
import { type InterruptionLoop, Interruptions } from './interruptions.ts';
import { Decoder } from './isa/decode.ts';
import { instructionLength } from './isa/formats.ts';
import { type Instruction, LEAVE } from './isa/insn.ts';
import { invalidInstructions } from './isa/invalid.ts';
import { ENHANCED_1, ENHANCED_2, VECTOR } from './isa/vector/elements.ts';
import { lastAttributeFunction } from './millicode/storage-key.ts';
import { carryOutOrder } from './orders.ts';
import { raiseMalfunctionAlert } from './pending.ts';
import { Per } from './per.ts';
import * as program from './program.ts';
import { ProgramInterruption } from './program.ts';
import { RegionSlots } from './region-slots.ts';
import { Regions } from './regions.ts';
import { PSW_WAIT, Registers } from './registers.ts';
import * as state from './state.ts';
import { Tlb } from './tlb.ts';
import type { VirtualTime } from './virtual-time.ts';

interface Built {
  readonly module: WebAssembly.Module;
  readonly millicode: readonly MillicodeCall[];
}

const programsOf = new WeakMap<readonly Instruction[], Map<string, Built>>();

/**
 * Why `run` came back: asked to; the CPU is stopped; a breakpoint was reached; a wait PSW with all interruptions
 * disabled; a machine check that cannot be taken; interruptions that would follow one another for ever.
 */
export type StopReason = 'request' | 'stopped' | 'breakpoint' | 'disabled-wait' | 'check-stop' | InterruptionLoop;

/** Milliseconds for which a CPU leaves the host's to others. */
const SLICE = 0.02;
/** How often a CPU becomes the sole storer of the same frame. */
const SOLE_STORER_TIMES = 32;

/** PSW bits 6, 7, 13 (I/O, external, machine check) and 14 (wait), in the upper half. */
const PSW_ENABLED_HIGH = 0x0304_0000;
const PSW_WAIT_HIGH = 0x0002_0000;
const PSW_EXTERNAL_HIGH = 0x0100_0000;

/** STFLE bit. */
const MULTIPLE_EPOCH = 139;

export class Cpu extends Registers {
  readonly storage: Storage;
  readonly rows: readonly Instruction[];
  readonly handlers: readonly Handler[];
  readonly decoder: Decoder<Instruction>;
  readonly tlb: Tlb;
  readonly code: CodePages;
  readonly dat: Translator;
  readonly access: LogicalAccess;
  readonly timers: Timers;
  readonly exclusion: Exclusion;
  /** Regions of compiled code: what all threads know of them, and what this CPU has. */
  readonly slots: RegionSlots;
  readonly regions: Regions;
  /** The TLBs of all CPUs, its own among them. */
  readonly #tlbs: readonly Tlb[];
  /** What is outside: devices, other CPUs, the machine's names. The machine fills it in before the CPU runs. */
  get environment(): Environment {
    return this.#environment;
  }
  set environment(environment: Environment) {
    this.#environment = environment;
    const { facilities } = environment;
    this.setField32(state.EPOCH_INDEX_MASK, facilities.has(MULTIPLE_EPOCH) ? 0xff : 0);
    const lack = (bit: number, what: number): number => (facilities.has(bit) ? 0 : what);
    this.setField32(
      state.LACKING,
      lack(VECTOR, state.LACKS_VECTORS) |
        lack(ENHANCED_1, state.LACKS_ENHANCEMENTS_1) |
        lack(ENHANCED_2, state.LACKS_ENHANCEMENTS_2),
    );
    this.setField32(state.LAST_ATTRIBUTE_FUNCTION, lastAttributeFunction(facilities));
  }
  #environment = standalone;
  readonly interruptions: Interruptions;
  readonly per: Per;
  readonly #runs = new Map<'fast' | 'full', () => number>();
  /** Stores in the bounce buffer that are to be carried to storage: pairs of absolute address and length. */
  readonly #bounced: number[] = [];
  #fetchBounce = 0;
  #bounceHost = 0;

  readonly #weakHost: boolean;

  /**
   * @param rows the instructions that this CPU has
   * @param weakHost the host's CPUs may see each other's storage accesses in another order than x86-64 allows
   * @param virtual the time of counted mode, in which all CPUs are in one thread
   */
  constructor(storage: Storage, number: number, rows: readonly Instruction[], weakHost = false, virtual?: VirtualTime) {
    super(storage.memory, storage.layout, number);
    this.#weakHost = weakHost;
    this.storage = storage;
    this.rows = rows;
    this.handlers = handlersOf([...rows, ...invalidInstructions]);
    this.decoder = new Decoder(rows);
    this.slots = new RegionSlots(storage.memory, storage.layout);
    this.regions = new Regions(this);
    this.exclusion = new Exclusion(storage.memory, storage.layout, number, virtual !== undefined);
    const { cpuBase, cpus } = storage.layout;
    this.#tlbs = Array.from({ length: cpus }, (_, n) => {
      return new Tlb(storage.memory.buffer, cpuBase + n * state.CPU_STRIDE, n === number);
    });
    this.tlb = this.#tlbs[number]!;
    this.code = new CodePages(this);
    this.dat = new Translator(this);
    this.access = new LogicalAccess(this);
    this.timers = new Timers(storage.memory, storage.layout, this.base, virtual);
    this.interruptions = new Interruptions(this);
    this.per = new Per(this);
    this.setField32(state.CPU_ADDRESS, number);
    this.environment = standalone;
  }

  /** SET PREFIX: the real addresses of two 4 KiB pages move, so nothing known about storage holds any more. */
  changePrefix(value: number): void {
    this.prefix = value;
    this.tlb.purge();
  }

  override setPsw(mask: bigint, address: bigint): void {
    super.setPsw(mask, address);
    this.mappingChanged();
  }

  /** Finds the TLB contexts that the PSW and the control registers now designate. */
  mappingChanged(): void {
    this.setField32(state.FETCH_CONTEXT, this.dat.fetchContext());
    this.setField32(state.DATA_CONTEXT, this.dat.dataContext());
  }

  /** Address and length of the instruction that is being carried out: EXECUTE's own while its target runs. */
  currentInstruction(): { address: bigint; length: number } {
    const executing = this.field32(state.EXECUTING);
    const address = this.pswAddress;
    if (executing) return { address: address - BigInt((executing & 0xff) - 8), length: executing >>> 8 };
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    return { address, length: this.#lengthAt(this.i32[word]!, this.i32[word + 1]!) };
  }

  /** Length of the current instruction; 0 when it cannot be fetched. */
  instructionLength(): number {
    const executing = this.i32[(this.base + state.EXECUTING) >>> 2]!;
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    return executing ? executing >>> 8 : this.#lengthAt(this.i32[word]!, this.i32[word + 1]!);
  }

  /** Makes the PSW designate the next instruction, for millicode that returns LEAVE. */
  advance(): void {
    this.moveBehind(this.instructionLength());
  }

  /** Sets the instruction address to that of the current instruction, EXECUTE's own while its target runs, plus `step`. */
  moveBehind(step: number): void {
    const { i32 } = this;
    const word = this.base >>> 2;
    const executing = i32[word + state.EXECUTING / 4]!;
    const low = i32[word + state.PSW_ADDRESS / 4]!;
    const high = i32[word + state.PSW_ADDRESS / 4 + 1]!;
    const next = (low >>> 0) + step - (executing ? (executing & 0xff) - 8 : 0);
    const carry = next > 0xffff_ffff ? 1 : next < 0 ? -1 : 0;
    i32[word + state.PSW_ADDRESS / 4] = next & i32[word + state.ADDRESS_MASK / 4]!;
    i32[word + state.PSW_ADDRESS / 4 + 1] = (high + carry) & i32[word + state.ADDRESS_MASK / 4 + 1]!;
    i32[word + state.EXECUTING / 4] = 0;
  }

  /** The TLB knows the page of the instruction address for fetching instructions. */
  get knowsCode(): boolean {
    const { i32 } = this;
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    const low = i32[word]!;
    const context = i32[(this.base + state.FETCH_CONTEXT) >>> 2]! >>> 0;
    const entry = (context + ((low >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    return i32[entry + 4] === (low & ~0xfff) && i32[entry + 5] === i32[word + 1];
  }

  /** Length of the instruction at an address; 0 where there is none. */
  #lengthAt(low: number, high: number): number {
    const { i32, layout } = this;
    const context = i32[(this.base + state.FETCH_CONTEXT) >>> 2]! >>> 0;
    const entry = (context + ((low >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    let absolute = (layout.top - state.BIAS - i32[entry + 6]! + low) >>> 0;
    if (i32[entry] !== (low & ~0xfff) || i32[entry + 1] !== high) absolute = this.dat.peek(context, low, high);
    return absolute < 0 ? 0 : instructionLength(this.u8[layout.top - 1 - absolute]!);
  }

  // Storage accesses that compiled code asks for

  /** Import `miss` of the interpreter: host address of an operand, or 0 when a program interruption is pending. */
  #miss(low: number, high: number, kind: number): number {
    this.i32[(this.base + state.TLB_MISSES) >>> 2]!++;
    const size = (kind >>> ACCESS_SIZE_SHIFT) & 0xffff;
    const store = (kind & (ACCESS_STORE | ACCESS_INTERLOCKED | ACCESS_WIDE)) !== 0;
    const register = (kind >>> ACCESS_AR_SHIFT) - 1;
    const { dat } = this;
    const context = dat.contextOf((kind & ACCESS_INSTRUCTION) !== 0, register);
    if (context < 0) return this.#faulted();
    let how = (kind & ACCESS_INSTRUCTION) | (store ? ACCESS_STORE : 0);
    if (register > 0) how |= withRegister(register);
    if ((low & 0xfff) + size > 4096) return this.#bounce(low, high, size, how, context);
    const absolute = dat.fill(context, low, high, how);
    if (absolute < 0) return this.#faulted();
    if (dat.recorded) this.per.accessed(low, high, size, how);
    if (kind & ACCESS_WIDE) {
      if (!this.exclusion.isAlone) return this.#faulted(again);
      this.#becomeSoleStorer(absolute >>> 12);
    }
    if (store && this.code.isCode(absolute - (absolute & 0xfff))) {
      if (!(kind & ACCESS_INTERLOCKED)) return this.#bounceTo(store, [absolute], [size]);
      // Nobody may read the instruction between the update and what follows from it.
      if (!this.exclusion.isAlone) return this.#faulted(again);
      this.code.changed(absolute, size);
    }
    return this.#host(absolute);
  }

  /**
   * From now on only this CPU may store into a frame, so that its accesses to sixteen bytes there are as one. Not
   * where CPUs take that from each other often: it costs more than being alone for the instruction.
   */
  #becomeSoleStorer(frame: number): void {
    const { soleStorer } = this.layout;
    const times = this.#soleStorerTimes.get(frame) ?? 0;
    if (this.layout.cpus === 1 || times >= SOLE_STORER_TIMES) return;
    this.#soleStorerTimes.set(frame, times + 1);
    this.everywhere(tlb => tlb === this.tlb || tlb.forgetStores(frame * 4096, this.layout.top));
    this.u8[soleStorer + frame] = this.number + 1;
  }
  readonly #soleStorerTimes = new Map<number, number>();

  /** Leaves the translator's exception for `run` to deliver; gives what `miss` answers then. */
  #faulted(fault = this.dat.fault()): 0 {
    this.#pendingFault = fault;
    return 0;
  }

  /** Host pointer for an absolute address, as the engine wants it: BIAS below the address past the operand's first byte. */
  #host(absolute: number): number {
    return (this.layout.top - state.BIAS - absolute) | 0;
  }

  /** An operand on two pages: collected in the bounce buffer. */
  #bounce(low: number, high: number, size: number, how: number, context: number): number {
    const first = 4096 - (low & 0xfff);
    const at = this.dat.fill(context, low, high, how);
    if (at < 0) return this.#faulted();
    const next = (low >>> 0) + first;
    const { nextLow, nextHigh } = this.#wrap(next | 0, next > 0xffff_ffff ? (high + 1) | 0 : high);
    const second = this.dat.fill(context, nextLow, nextHigh, how);
    if (second < 0) return this.#faulted();
    if (this.dat.recorded) this.per.accessed(low, high, size, how);
    return this.#bounceTo((how & ACCESS_STORE) !== 0, [at, second], [first, size - first]);
  }

  #wrap(low: number, high: number): { nextLow: number; nextHigh: number } {
    const mask = (this.base + state.ADDRESS_MASK) >>> 2;
    return { nextLow: low & this.i32[mask]!, nextHigh: high & this.i32[mask + 1]! };
  }

  /** Three slots: two operands that are fetched and one that is stored may be needed at once. */
  #bounceTo(store: boolean, addresses: readonly number[], lengths: readonly number[]): number {
    const slot = store ? 2 : (this.#fetchBounce ^= 1);
    const end = this.base + state.BOUNCE + (slot + 1) * 256;
    let at = end;
    addresses.forEach((address, n) => {
      at -= lengths[n]!;
      const from = this.layout.top - address - lengths[n]!;
      this.u8.copyWithin(at, from, from + lengths[n]!);
    });
    if (store) {
      this.#bounced.length = 0;
      addresses.forEach((address, n) => void this.#bounced.push(address, lengths[n]!));
      this.#bounceHost = end;
    }
    return end - state.BIAS;
  }

  /** Import `flush`: carries what was stored into the bounce buffer to storage. */
  #flush(): void {
    let at = this.#bounceHost;
    for (let n = 0; n < this.#bounced.length; n += 2) {
      const address = this.#bounced[n]!;
      const length = this.#bounced[n + 1]!;
      at -= length;
      this.u8.copyWithin(this.layout.top - address - length, at, at + length);
      this.code.changed(address, length);
    }
    this.#bounced.length = 0;
  }

  /** Import `fetchPage`: makes the TLB entry for fetching at the PSW address good; 0 after an exception. */
  #fetchPage(): number {
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    const low = this.i32[word]!;
    const high = this.i32[word + 1]!;
    if (this.dat.fillCode(low, high) < 0) return this.#faulted();
    return 1;
  }

  /**
   * Import `decode`: writes the record of the instruction at the PSW address, that of one which continues on the next
   * page as CROSSING_RECORD. 0 after an exception.
   */
  #decode(): number {
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    const low = this.i32[word]!;
    const high = this.i32[word + 1]!;
    const absolute = this.dat.fillCode(low, high);
    if (absolute < 0) return this.#faulted();
    const { code } = this;
    const offset = low & 0xfff;
    const frame = absolute - offset;
    const breaks = code.breakpoints.size > 0 && code.breakpoints.has(this.pswAddress);
    if (breaks && !this.#passing) {
      code.breakAt(frame, offset);
      this.#crossing = -1;
      return 1;
    }
    if (breaks) code.crossAt(frame, offset);
    if (breaks || this.dat.overridden) return this.#writeCrossing(low, high, absolute);
    if (code.decodeAt(frame, offset) !== HANDLER_CROSSING) return 1;
    const version = code.versionOf(frame);
    if (!this.#writeCrossing(low, high, absolute)) return 0;
    if (this.#end >= 0) code.keepCrossing(frame, version, offset, this.#end, this.#endVersion);
    return 1;
  }

  /** The next instruction is to be executed though there is a breakpoint. */
  #passing = false;
  /** The instruction whose record is CROSSING_RECORD. */
  #crossing = -1;
  /** The instruction that `gather` has put together, left-aligned in 48 bits. */
  #upper = 0;
  #lower = 0;
  /** Absolute address of the frame where it ends, if that is another one than where it begins, else -1; its code page's version. */
  #end = -1;
  #endVersion = 0;

  /** Puts together the text of an instruction that may continue on the next page; 0 after an exception. */
  #gather(low: number, high: number, absolute: number): number {
    const { storage } = this;
    const upper = storage.read16(absolute);
    const length = instructionLength(upper >>> 8);
    const here = 4096 - (low & 0xfff);
    let rest = absolute + here;
    this.#end = -1;
    if (here < length) {
      const next = (low >>> 0) + here;
      const { nextLow, nextHigh } = this.#wrap(next | 0, (next > 0xffff_ffff ? high + 1 : high) | 0);
      rest = this.dat.fillCode(nextLow, nextHigh);
      if (rest < 0) return this.#faulted();
      this.#end = rest;
      this.#endVersion = this.code.versionOf(rest);
    }
    const second = length > 2 ? storage.read16(here > 2 ? absolute + 2 : rest) : 0;
    const third = length > 4 ? storage.read16(here > 4 ? absolute + 4 : here > 2 ? rest : rest + 2) : 0;
    this.#upper = upper;
    this.#lower = ((second << 16) | third) >>> 0;
    return 1;
  }

  /** Text of the instruction at an address, left-aligned in 48 bits; undefined when it cannot be fetched. */
  instructionText(low: number, high: number): number | undefined {
    const absolute = this.dat.fillCode(low, high);
    if (absolute >= 0 && this.#gather(low, high, absolute)) return this.#upper * 2 ** 32 + this.#lower;
    this.#pendingFault = undefined;
    return undefined;
  }

  /** Import `original`: writes the instruction at the PSW address, where a region begins, as CROSSING_RECORD. */
  #original(): number {
    // The region may have come meanwhile.
    this.regions.look();
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    const absolute = this.dat.fillCode(this.i32[word]!, this.i32[word + 1]!);
    if (absolute < 0) return this.#faulted();
    return this.#writeCrossing(this.i32[word]!, this.i32[word + 1]!, absolute);
  }

  #writeCrossing(low: number, high: number, absolute: number): number {
    if (!this.#gather(low, high, absolute)) return 0;
    const text = this.#upper * 2 ** 32 + this.#lower;
    if (text !== this.#crossing) {
      this.code.write(this.base + state.CROSSING_RECORD, this.#upper, this.#lower, 'crossing');
    }
    this.#crossing = text;
    return 1;
  }

  /** Import `execute`: writes the record of EXECUTE's target; 0 after an exception. */
  #execute(low: number, high: number, modifierAndLength: number): number {
    const absolute = this.dat.fillCode(low, high);
    if (absolute < 0) return this.#targetFaulted();
    // EXECUTE finds its usual targets by what is remembered here.
    if (!this.dat.overridden) this.code.decodeAt(absolute - (low & 0xfff), low & 0xfff);
    if (!this.#gather(low, high, absolute)) return this.#targetFaulted();
    const upper = this.#upper | (modifierAndLength & 0xff);
    if (this.decoder.decode(upper, this.#lower)?.notExecutable) {
      this.#pendingFault = new ProgramInterruption(program.EXECUTE);
      return 0;
    }
    this.code.write(this.base + state.EXECUTE_RECORD, upper, this.#lower, 'executed');
    const length = modifierAndLength >>> 8;
    const target = (this.base + state.EXECUTE_TARGET) >>> 2;
    this.i32[target] = low;
    this.i32[target + 1] = high;
    this.setField32(state.EXECUTING, (length << 8) | (8 + length - instructionLength(upper >>> 8)));
    return 1;
  }

  /** EXECUTE itself has been fetched, and its length is known. */
  #targetFaulted(): 0 {
    this.dat.fetching = false;
    return this.#faulted();
  }

  #pendingFault: AccessFault | ProgramInterruption | undefined;

  // What all CPUs have to forget

  /** All CPUs, or this one only, forget something that they know of storage. */
  everywhere(forget: (tlb: Tlb) => unknown, local = false): void {
    if (local) forget(this.tlb);
    else this.exclusion.alone(() => this.#tlbs.forEach(forget));
  }

  /** Stores of any CPU to the frame at this absolute address must come through `miss` from now on. */
  storesMustAsk(frame: number): void {
    this.everywhere(tlb => tlb.forgetStores(frame, this.layout.top));
  }

  /** No CPU knows any more that the code page at this host address is in use. */
  forgetCode(page: number): void {
    this.everywhere(tlb => tlb.forgetCode(page));
  }

  // Running

  /** What regions of compiled code are made from, and what they import. */
  get regionOptions(): RegionOptions {
    return { layout: this.layout, ordered: this.layout.cpus > 1 && this.#weakHost };
  }
  regionImports: Record<string, WebAssembly.ImportValue> = {};

  /** Makes ready for regions; false: the program that now runs has none. */
  prepareRegions(): boolean {
    if (this.#programFor() !== 'fast') return false;
    this.#interpreter('fast');
    return true;
  }

  /** What is executed often is compiled. */
  compiles = true;

  #interpreter(kind: 'fast' | 'full'): () => number {
    const known = this.#runs.get(kind);
    if (known) return known;
    const built = this.#build(kind === 'full');
    const env = {
      memory: this.storage.memory,
      cpu: this.base,
      regions: this.regions.table,
      miss: (low: number, high: number, access: number) => this.#miss(low, high, access),
      fetchPage: () => this.#fetchPage(),
      decode: () => this.#decode(),
      execute: (low: number, high: number, how: number) => this.#execute(low, high, how),
      millicode: (id: number, record: number) => this.#millicode(built.millicode[id]!, record),
      original: () => this.#original(),
      now: () => this.timers.now(),
      flush: () => this.#flush(),
      hot: (record: number) => this.regions.hot(record >>> 0),
    };
    const instance = new WebAssembly.Instance(built.module, { env });
    const run = instance.exports.run as () => number;
    if (kind === 'fast') {
      this.regionImports = { ...instance.exports, ...env };
      this.regions.begin(instance.exports.none);
    }
    this.#runs.set(kind, run);
    return run;
  }

  /** Building takes a while, so that programs for the same table at the same place are kept. */
  #build(full: boolean): Built {
    const programs = programsOf.get(this.rows) ?? new Map<string, Built>();
    programsOf.set(this.rows, programs);
    // The engine compiles what is the same for several CPUs only once.
    const cpuBase = this.layout.cpus === 1 ? this.base : undefined;
    const ordered = this.layout.cpus > 1 && this.#weakHost;
    const key = `${full} ${ordered} ${cpuBase} ${JSON.stringify(this.layout)}`;
    const known = programs.get(key);
    if (known) return known;
    const program = buildInterpreter({ handlers: this.handlers, layout: this.layout, full, cpuBase, ordered });
    const built = { module: new WebAssembly.Module(program.bytes), millicode: program.millicode };
    programs.set(key, built);
    return built;
  }

  /** Import `millicode`. */
  #millicode({ work, format }: MillicodeCall, record: number): number {
    const operands = recordReader(this.u8, format);
    operands.at = record;
    try {
      return work(this, operands) ?? 0;
    } catch (thrown) {
      // Not through the WebAssembly frames, which costs more: `step` delivers it.
      if (!(thrown instanceof ProgramInterruption || thrown instanceof AccessFault)) throw thrown;
      this.#pendingFault = thrown;
      return LEAVE;
    } finally {
      this.code.settle();
    }
  }

  /** The fast program takes for granted what guests nearly always have set. */
  #programFor(): 'fast' | 'full' {
    // PSW bits 31 (EA), 1 (PER), and 5 with 16-17, which are 01 in access-register mode.
    const mask = this.i32[(this.base + state.PSW_MASK + 4) >>> 2]!;
    const usual = (mask & 0x4000_0001) === 1 && (mask & 0x0400_c000) !== 0x0400_4000;
    // A log wants to see each interruption. CR12 bit 0: branches are traced.
    if (this.interruptions.onInterruption || this.i32[(this.base + state.CR + 8 * 12 + 4) >>> 2]! < 0) return 'full';
    return usual && !this.counted ? 'fast' : 'full';
  }

  /** Instructions are to be counted, and FUEL to be obeyed. */
  counted = false;

  /** Runs until the loop must be left, delivering program interruptions on the way. Returns EXIT_*. */
  step(): number {
    const kind = this.#programFor();
    if (!this.counted) this.setField32(state.FUEL, 0x7fff_ffff);
    if (this.per.on) return this.#recordedStep();
    const reason = this.#interpreter(kind)();
    const fault = this.#takeFault(reason);
    if (fault === again) this.#executeAlone();
    else if (fault) this.interruptions.program(fault);
    this.setField32(state.EXECUTING, 0);
    return reason;
  }

  /** Why the interpreter has left, if it is a program interruption. */
  #takeFault(reason: number): AccessFault | ProgramInterruption | undefined {
    const fault = this.#pendingFault;
    this.#pendingFault = undefined;
    if (fault || reason !== EXIT_PROGRAM) return fault;
    return new ProgramInterruption(this.field32(state.PROGRAM_CODE), this.field32(state.DXC));
  }

  /** As `step` while program events are recorded. */
  #recordedStep(): number {
    const { i32, per } = this;
    const interpret = this.#interpreter('full');
    const fuel = (this.base + state.FUEL) >>> 2;
    const pending = (this.base + state.PENDING) >>> 2;
    let left = i32[fuel]!;
    for (;;) {
      if (left <= 0) return EXIT_FUEL;
      const most = Math.min(per.begin(), left);
      i32[fuel] = most;
      const reason = most ? interpret() : EXIT_PROGRAM;
      left -= most - i32[fuel]! - per.deprived;
      const fault = most ? this.#takeFault(reason) : undefined;
      const executed = most > 0 && reason !== EXIT_BREAKPOINT && fault !== again;
      const due = per.end(executed ? fault : undefined, executed);
      if (fault === again) this.#executeAlone();
      else if (due) this.interruptions.program(due.fault, due.events);
      i32[(this.base + state.EXECUTING) >>> 2] = 0;
      i32[fuel] = left;
      if (due) return EXIT_PROGRAM;
      if (reason !== EXIT_FUEL) return reason;
      if (left > 0 && Atomics.load(i32, pending)) return EXIT_PENDING;
    }
  }

  /** Executes the current instruction, which has done nothing yet, while all other CPUs are at rest. */
  #executeAlone(): void {
    this.moveBehind(0);
    this.exclusion.alone(() => this.single());
  }

  /** For a log: told before each instruction while it is set; instructions are then executed one by one. */
  onInstruction: (() => void) | undefined;

  /** Executes instructions and takes interruptions until something ends it. Sleeps while the CPU waits. */
  run(): StopReason {
    const { i32, interruptions, timers } = this;
    const pending = (this.base + state.PENDING) >>> 2;
    const mask = (this.base + state.PSW_MASK + 4) >>> 2;
    const ownState = (this.base + state.CPU_STATE) >>> 2;
    if (i32[ownState] !== state.CPU_STOPPED && i32[ownState] !== state.CPU_CHECK_STOP) timers.start();
    this.#executing(1);
    this.obey();
    if (this.code.breakpoints.has(this.pswAddress)) this.single();
    for (;;) {
      // What comes after this is seen at the next round; what came before is in the conditions.
      const asked = Atomics.exchange(i32, pending, 0);
      if (asked & state.PENDING_REQUEST) {
        this.exclusion.yield();
        this.obey();
      }
      if (asked & state.PENDING_TICK) this.regions.tick();
      if (asked & state.PENDING_STOP) return this.#halt('request');
      if (this.stopping) {
        this.stopping = false;
        return this.#halt('stopped');
      }
      if (i32[ownState]! !== state.CPU_OPERATING && i32[ownState] !== state.CPU_DISABLED_WAIT) {
        if (i32[ownState] === state.CPU_STOPPED && this.field32(state.CONDITIONS) & state.CONDITION_RESTART) {
          // The restart key.
          this.enterOperatingState();
          continue;
        }
        this.#rest(pending);
        continue;
      }
      let lookAtTimers = (asked & state.PENDING_TICK) !== 0 || timers.changed;
      timers.changed = false;
      while (interruptions.take(lookAtTimers)) lookAtTimers = false;
      if (interruptions.looping) {
        const { looping } = interruptions;
        interruptions.looping = undefined;
        return this.#halt(looping);
      }
      if (this.field32(state.CPU_STATE) === state.CPU_CHECK_STOP) {
        if (!this.othersOperate()) return this.#halt('check-stop');
        continue;
      }
      if (!(i32[mask]! & PSW_WAIT_HIGH)) {
        if (i32[ownState] !== state.CPU_OPERATING) this.enterOperatingState();
        if (this.onInstruction) {
          this.onInstruction();
          this.single();
          if (this.code.breakpoints.has(this.pswAddress)) return this.#halt('breakpoint');
          continue;
        }
        if (this.step() !== EXIT_BREAKPOINT) continue;
        if (this.code.breakpoints.has(this.pswAddress)) return this.#halt('breakpoint');
        // The same code is mapped at another address, too.
        this.single();
      } else if (!(i32[mask]! & PSW_ENABLED_HIGH)) {
        Atomics.store(i32, ownState, state.CPU_DISABLED_WAIT);
        if (!this.othersOperate()) return this.#halt('disabled-wait');
        this.#rest(pending);
      } else this.#sleep(pending, (i32[mask]! & PSW_EXTERNAL_HIGH) !== 0);
    }
  }

  /** One instruction, for a CPU that stands still. */
  singleStep(): void {
    this.exclusion.begin();
    this.single();
    this.exclusion.end();
  }

  /** Executes one instruction, whether there is a breakpoint or not, and takes no interruption but its own. */
  single(): void {
    if (this.pswMask & PSW_WAIT) return;
    const { counted } = this;
    const at = this.code.breakpoints.has(this.pswAddress) ? this.dat.quietly(this.pswAddress) : undefined;
    if (at !== undefined) this.code.forgetAt(at);
    this.#passing = true;
    this.counted = true;
    this.setField32(state.FUEL, 1);
    this.step();
    this.counted = counted;
    this.#passing = false;
    if (at !== undefined) this.code.forgetAt(at);
  }

  /** Registers were changed from outside: what follows from them is found anew. */
  changedFromOutside(): void {
    this.tlb.purge();
    this.mappingChanged();
    this.timers.recompute();
  }

  /** `run` is to end with 'stopped'. */
  stopping = false;

  /** Ends `run` with 'stopped' after the current instruction. */
  stopCpu(): void {
    this.stopping = true;
  }

  /** Puts the CPU into the stopped state. The last one to stop ends `run`: nothing will ever happen again. */
  enterStoppedState(): void {
    const word = (this.base + state.CPU_STATE) >>> 2;
    if (Atomics.exchange(this.i32, word, state.CPU_STOPPED) === state.CPU_STOPPED) return;
    this.timers.stop();
    if (!this.othersOperate()) this.stopping = true;
  }

  /** A machine check cannot be taken: only a reset leads out of this state. The other CPUs are told. */
  enterCheckStop(): void {
    const { memory } = this.storage;
    Atomics.store(this.i32, (this.base + state.CPU_STATE) >>> 2, state.CPU_CHECK_STOP);
    this.timers.stop();
    for (let n = 0; n < this.layout.cpus; n++) {
      if (n !== this.number) raiseMalfunctionAlert(memory, this.layout, n, this.number);
    }
  }

  enterOperatingState(): void {
    Atomics.store(this.i32, (this.base + state.CPU_STATE) >>> 2, state.CPU_OPERATING);
    this.timers.start();
  }

  /** Some other CPU may still do something. */
  othersOperate(): boolean {
    const { cpus, cpuBase } = this.layout;
    for (let n = 0; n < cpus; n++) {
      const word = (cpuBase + n * state.CPU_STRIDE + state.CPU_STATE) >>> 2;
      if (n !== this.number && Atomics.load(this.i32, word) === state.CPU_OPERATING) return true;
    }
    return false;
  }

  /** Carries out the order that another CPU has sent, if any. */
  obey(): void {
    const word = (this.base + state.ORDER) >>> 2;
    const order = Atomics.load(this.i32, word);
    if (order <= 0) return;
    carryOutOrder(this, order - 1, this.field32(state.ORDER_PARAMETER) >>> 0);
    Atomics.store(this.i32, word, 0);
    Atomics.notify(this.i32, word);
  }

  /** `run` is to end. */
  get isToStop(): boolean {
    return (Atomics.load(this.i32, (this.base + state.PENDING) >>> 2) & state.PENDING_STOP) !== 0;
  }

  /**
   * Software waits for another CPU, which may wait for the host's.
   * @param target its address; any if it is not given. One that does not run needs nothing from this one
   */
  yieldSlice(target?: number): void {
    if (!this.exclusion.othersRun(target)) return;
    this.exclusion.end();
    Atomics.wait(this.i32, (this.layout.machine + state.NEVER) >>> 2, 0, SLICE);
    this.exclusion.begin();
  }

  /** Until somebody asks for something. */
  #rest(pending: number): void {
    this.#executing(-1);
    Atomics.wait(this.i32, pending, 0);
    this.#executing(1);
  }

  #halt(reason: StopReason): StopReason {
    this.#executing(-1);
    this.timers.stop();
    return reason;
  }

  /** This CPU executes instructions, or no more. They are counted: the ticker sleeps when there are none. */
  #executing(change: 1 | -1): void {
    const { i32 } = this;
    const machine = this.layout.machine >>> 2;
    i32[(this.base + state.BEGINNINGS) >>> 2]! += 1;
    const before = Atomics.add(i32, machine + state.EXECUTING_CPUS / 4, change);
    if (before === 0 && Atomics.load(i32, machine + state.TICKER_SLEEPS / 4)) {
      Atomics.notify(i32, machine + state.EXECUTING_CPUS / 4);
    }
    if (change > 0) this.exclusion.begin();
    else this.exclusion.end();
  }

  /** An enabled wait: until something is pending or a timer is due. */
  #sleep(pending: number, timersEnabled: boolean): void {
    // CR0 bits 52 and 53: clock comparator and CPU timer.
    const subclasses = timersEnabled ? (this.field32(state.CR) >>> 10) & 3 : 0;
    const deadline = this.timers.publishDeadline(subclasses);
    const began = this.timers.now();
    if (deadline > began) {
      this.#executing(-1);
      Atomics.wait(this.i32, pending, 0, deadline - began);
      this.#executing(1);
      const now = this.timers.now();
      this.regions.waited(now - began, now);
    }
    this.timers.changed = true;
  }
}
