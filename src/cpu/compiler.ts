/**
 * The compiler: makes regions of what CPUs want compiled, several to a module, and gives the modules to all of them. It
 * reads instructions from storage while the CPUs run, and looks afterwards, while they rest, whether they are still the
 * same. It belongs to no CPU, and usually has a thread of its own (docs/compiler.md).
 */

import type { Storage } from '../machine/storage.ts';
import type { Cpu } from './cpu.ts';
import { type Handler, Pairs } from './engine/handlers.ts';
import { FIRST_ROW_HANDLER, HANDLER_DECODE } from './engine/protocol.ts';
import { RECORD_SIZE } from './engine/records.ts';
import { buildModule, type Placed, place, type RegionSource } from './engine/region.ts';
import type { RegionOptions } from './engine/run.ts';
import { Exclusion } from './exclusion.ts';
import type { Decoder } from './isa/decode.ts';
import type { Instruction } from './isa/insn.ts';
import { CompilerCounts } from './region-counts.ts';
import { RegionSlots } from './region-slots.ts';
import type { CompiledModule } from './regions.ts';
import * as state from './state.ts';

/** Regions in a module. The engine optimises 32 functions at once (docs/compiler.md, "Optimised at once"), some of which help. */
export const MOST_REGIONS = 28;
/** Fewer instructions are not worth the way in and out. */
const FEWEST = 4;
/** Bytes of machine code and the like for a byte of WebAssembly. */
const EXPANSION = 2.5;
/** How many modules a CPU may have been given that it has not taken. */
const MOST_GIVEN = 16;

export interface CompilerOptions extends RegionOptions {
  readonly decoder: Decoder<Instruction>;
  readonly handlers: readonly Handler[];
  /** Most bytes of compiled code. */
  readonly capacity: number;
  /** Gives a module to a CPU. */
  readonly give: (cpu: number, module: CompiledModule) => void;
}

/** A region that is to be made. */
interface Wanted extends RegionSource {
  readonly record: number;
  readonly page: number;
  readonly version: number;
  /** What has been read of the page: offsets and lengths of instructions. */
  readonly read: Map<number, number>;
}

interface Module extends CompiledModule {
  readonly bytes: number;
}

export class Compiler {
  readonly slots: RegionSlots;
  readonly #storage: Storage;
  readonly #options: CompilerOptions;
  readonly #exclusion: Exclusion;
  readonly #pairs: Pairs;
  readonly #counts: CompilerCounts;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  /** Modules of which something is in use, by number. */
  readonly #modules = new Map<number, Module>();
  /** What has been given to each CPU: the number of the last module. */
  readonly #given: number[] = [];
  #bytes = 0;

  constructor(storage: Storage, options: CompilerOptions) {
    this.#storage = storage;
    this.#options = options;
    this.slots = new RegionSlots(storage.memory, storage.layout);
    this.#exclusion = new Exclusion(storage.memory, storage.layout, Exclusion.OUTSIDE);
    this.#counts = new CompilerCounts(storage.memory, storage.layout);
    this.#pairs = new Pairs(options.handlers);
    this.#u16 = new Uint16Array(storage.memory.buffer);
    this.#u32 = new Uint32Array(storage.memory.buffer);
  }

  /** Compiles some of what is wanted. False: nothing was. */
  work(): boolean {
    this.#giveToAll();
    const records = new Set<number>();
    for (let record = this.slots.takeWanted(); record; record = this.slots.takeWanted()) {
      records.add(record);
      if (records.size === MOST_REGIONS) break;
    }
    if (!records.size) return false;
    this.compile([...records]);
    return true;
  }

  /** Compiles what begins at some records, unless it has fewer instructions. Gives the number of regions. */
  compile(records: readonly number[], fewest = FEWEST): number {
    const started = performance.now();
    const sources = records.map(record => this.#source(record)).filter(source => source !== undefined);
    if (!sources.length) return 0;
    const { bytes, sizes } = buildModule(this.#options, sources);
    const built = performance.now();
    const { slots } = this;
    const counts = this.#counts;
    counts.add('building', built - started);
    const number = slots.lastModule + 1;
    counts.add('small', sizes.filter(size => size < fewest).length);
    const numbers = sizes.map(size => (size < fewest ? 0 : this.#allocate(number)));
    if (!numbers.some(slot => slot)) return 0;
    const module = new WebAssembly.Module(bytes);
    counts.add('compiling', performance.now() - built);
    const made = { number, module, slots: numbers, bytes: bytes.length * EXPANSION };
    this.#modules.set(number, made);
    this.#bytes += made.bytes;
    slots.lastModule = number;
    this.#giveToAll();
    const entered = this.#enter(made, sources);
    counts.add('modules', 1);
    counts.add('regions', entered);
    counts.add('dropped', numbers.filter(slot => slot).length - entered);
    counts.add(
      'instructions',
      sizes.reduce((sum, size) => sum + size, 0),
    );
    counts.add('bytes', bytes.length);
    this.#makeRoom();
    return entered;
  }

  #source(record: number): Wanted | undefined {
    const { layout } = this.#storage;
    const page = this.slots.pageOf(record);
    const version = this.slots.version(page);
    const frame = this.#u32[layout.codePageFrame / 4 + page]! - 1;
    if (frame < 0 || this.#u16[record / 2]! < FIRST_ROW_HANDLER) return undefined;
    const codePage = layout.codePages + page * state.CODE_PAGE_SIZE;
    const read = new Map<number, number>();
    const at = (offset: number): Placed | undefined => {
      const placed = place(this.#options.decoder, from => this.#storage.read16(frame * 4096 + from), offset);
      if (placed) read.set(offset, placed.row.format.length);
      return placed;
    };
    return { record, page, version, codePage, entry: ((record - codePage) / RECORD_SIZE) * 2, at, read };
  }

  /** A slot for a module; where there is none the oldest regions are given up. */
  #allocate(number: number): number {
    const slot = this.slots.allocate(number);
    if (slot) return slot;
    this.#evict(this.#bytes * 0.75);
    return this.slots.allocate(number);
  }

  /** Makes the records of a module's regions theirs, where the instructions are still the same. */
  #enter({ number, slots: numbers }: Module, sources: readonly Wanted[]): number {
    const { slots } = this;
    return this.#exclusion.alone(() => {
      let entered = 0;
      for (const [n, source] of sources.entries()) {
        const slot = numbers[n]!;
        if (!slot) continue;
        const { record, page, version, read } = source;
        if (slots.barred || slots.version(page) !== version || this.#u16[record / 2]! < FIRST_ROW_HANDLER) {
          slots.revoke(slot, number);
          slots.countAnew(record);
          continue;
        }
        for (const [offset, length] of read) slots.cover(page, offset, offset + length);
        this.#separate(record);
        slots.enter(slot, { record, pages: [page] });
        // A device may have stored to the frame meanwhile, and not seen that.
        if (slots.version(page) === version) entered++;
        else slots.revoke(slot, number);
      }
      return entered;
    });
  }

  /** The first of a pair would look for the second one's operands in this record. */
  #separate(record: number): void {
    for (let before = 1; before <= 3; before++) {
      const first = record / 2 - (before * RECORD_SIZE) / 2;
      if (this.#pairs.length(this.#u16[first]!) === 2 * before) this.#u16[first] = HANDLER_DECODE;
    }
  }

  /** Gives modules to the CPUs that take them, none of them too many at a time. */
  #giveToAll(): void {
    const { slots } = this;
    for (let cpu = 0; cpu < this.#storage.layout.cpus; cpu++) {
      const taken = slots.taken(cpu);
      if (taken === undefined) continue;
      const given = (this.#given[cpu] ??= 0);
      if (given >= slots.lastModule) continue;
      let waiting = 0;
      for (const module of this.#modules.values()) {
        if (module.number > taken && module.number <= given) waiting++;
        if (module.number <= given || waiting >= MOST_GIVEN) continue;
        waiting++;
        this.#options.give(cpu, { number: module.number, module: module.module, slots: module.slots });
        this.#given[cpu] = module.number;
      }
    }
  }

  /** Keeps within the capacity: first by forgetting modules of which nothing is in use, then by giving up the oldest. */
  #makeRoom(): void {
    if (this.#bytes > this.#options.capacity) this.#evict(this.#options.capacity * 0.75);
    this.#counts.set('liveBytes', this.#bytes);
    this.#counts.set('liveModules', this.#modules.size);
  }

  #evict(most: number): void {
    const { slots } = this;
    for (const { number, slots: numbers, bytes } of this.#modules.values()) {
      if (numbers.some(slot => slot && slots.owner(slot) === number)) continue;
      this.#modules.delete(number);
      this.#bytes -= bytes;
    }
    this.#exclusion.alone(() => {
      for (const { number, slots: numbers, bytes } of this.#modules.values()) {
        if (this.#bytes <= most) break;
        for (const slot of numbers) if (slot) slots.revoke(slot, number);
        this.#modules.delete(number);
        this.#bytes -= bytes;
        this.#counts.add('evicted', 1);
      }
    });
    slots.awaken();
  }
}

const compilers = new WeakMap<Cpu, Compiler>();

/** Compiles in this thread what begins at the PSW address of a CPU, however small it is, if its fast program runs it. */
export function compileHere(cpu: Cpu): void {
  if (!cpu.prepareRegions()) return;
  let compiler = compilers.get(cpu);
  if (!compiler) {
    const { decoder, handlers, regionOptions, regions, slots, number } = cpu;
    const give = (_cpu: number, module: CompiledModule): void => regions.take(module);
    compiler = new Compiler(cpu.storage, { ...regionOptions, decoder, handlers, capacity: HERE_CAPACITY, give });
    compilers.set(cpu, compiler);
    slots.setTaken(number, 0);
  }
  const [low, high] = [Number(cpu.pswAddress & 0xffff_ffffn) | 0, Number(cpu.pswAddress >> 32n) | 0];
  const absolute = cpu.dat.fillCode(low, high);
  if (absolute < 0) return;
  const offset = absolute % 4096;
  const frame = absolute - offset;
  cpu.code.decodeAt(frame, offset);
  const record = cpu.code.pageOf(frame) + (offset / 2) * RECORD_SIZE;
  if (cpu.code.isDecoded(record)) compiler.compile([record], 1);
  cpu.regions.look();
}
const HERE_CAPACITY = 64 << 20;
