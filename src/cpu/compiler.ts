/**
 * The compiler: makes regions of what CPUs want compiled, several to a module, and gives the modules to all of them. It
 * reads instructions from storage while the CPUs run, and looks afterwards, while they rest, whether they are still the
 * same. It belongs to no CPU, and usually has a thread of its own (docs/compiler.md).
 */

import type { Storage } from '../machine/storage.ts';
import type { Cpu } from './cpu.ts';
import { divide, type Placed, type RegionSource, Texts } from './engine/blocks.ts';
import { type Handler, Pairs } from './engine/handlers.ts';
import { FIRST_ROW_HANDLER, HANDLER_DECODE, HANDLER_REGION } from './engine/protocol.ts';
import { RECORD_SIZE } from './engine/records.ts';
import { buildModule } from './engine/region-module.ts';
import type { RegionOptions } from './engine/run.ts';
import { Exclusion } from './exclusion.ts';
import type { Decoder } from './isa/decode.ts';
import type { Instruction } from './isa/insn.ts';
import { CompilerCounts } from './region-counts.ts';
import { RegionSlots } from './region-slots.ts';
import type { CompiledModule } from './regions.ts';
import * as state from './state.ts';

/** Regions in a module. The engine optimises 32 functions at once (docs/compiler.md, "Optimised at once"), seven of which may help. */
export const MOST_REGIONS = 25;
/** Places that are looked at together: many of them belong to the same region. */
const MOST_PLACES = 12;
/** Fewer instructions are not worth the way in and out. */
const FEWEST = 4;
/** Milliseconds that CPUs stay in a quick region, for each of its instructions and at least, before it is made thorough. */
const SEEN_FOR_EACH = 1 / 8;
const SEEN_AT_LEAST = 3;
/** As many times where the guest has as many CPUs as the host, so that compiling takes time from them. */
const BUSY = 8;
/** Bytes of machine code and the like for a byte of WebAssembly. */
const EXPANSION = 2.5;
/** How many modules a CPU may have been given that it has not taken. */
const MOST_GIVEN = 16;

export interface CompilerOptions extends RegionOptions {
  readonly decoder: Decoder<Instruction>;
  readonly handlers: readonly Handler[];
  /** Whether regions contain what no CPU has come to yet. */
  readonly unmet?: boolean;
  /** Most bytes of compiled code. */
  readonly capacity: number;
  /** Gives a module to a CPU. */
  readonly give: (cpu: number, module: CompiledModule) => void;
}

/** A page of which something is to be compiled. */
export interface Page {
  readonly page: number;
  /** Absolute address. */
  readonly frame: number;
  readonly version: number;
  readonly at: (offset: number) => Placed | undefined;
  readonly executed: (offset: number) => Placed | undefined;
  /** What has been read of it: offsets and lengths of instructions. */
  readonly read: Map<number, number>;
}

/** A region that is to be made. */
export interface Wanted extends RegionSource {
  readonly from: Page;
}

/** One whose code is there, as entries of a module: the slot of each entry, by offset; 0: there was none. */
export interface Built extends Wanted {
  readonly module: number;
  readonly slots: ReadonlyMap<number, number>;
}

/** A region that has been made. */
interface Made {
  readonly module: number;
  readonly members: ReadonlySet<number>;
  /** The slot of each entry, by offset. */
  readonly slots: ReadonlyMap<number, number>;
  /** It is, or is to become, a thorough one. */
  thorough: boolean;
  /** How often a CPU has been seen in it, and on its way into it. */
  readonly seen: { stays: number; passes: number };
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
  readonly #texts: Texts;
  readonly #counts: CompilerCounts;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  /** Modules of which something is in use, by number. */
  readonly #modules = new Map<number, Module>();
  /** Regions by page: those in use, and some that were. */
  readonly #made = new Map<number, readonly Made[]>();
  /** Places that are to be compiled. */
  readonly #waiting = new Set<number>();
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
    this.#texts = new Texts(options.decoder);
    this.#u16 = new Uint16Array(storage.memory.buffer);
    this.#u32 = new Uint32Array(storage.memory.buffer);
  }

  /** Compiles some of what is wanted; while no CPU has much to do only that in which CPUs have been seen. */
  work(): 'done' | 'nothing' | 'later' {
    this.#giveToAll();
    const records = new Set<number>();
    for (let wanted = this.slots.takeWanted(); wanted; wanted = this.slots.takeWanted()) {
      const { record, seen } = wanted;
      if (seen) for (const entry of this.#seen(record, seen)) records.add(entry);
      else if (this.#isWanted(record)) this.#waiting.add(record);
    }
    if (this.slots.isBusy) for (const record of this.#hottest(MOST_PLACES)) records.add(record);
    if (!records.size) return this.#waiting.size ? 'later' : 'nothing';
    this.compile([...records]);
    return 'done';
  }

  /** Takes those of the places that wait to which most has been branched since. */
  #hottest(count: number): number[] {
    const { slots } = this;
    const hottest = [...this.#waiting]
      .map(record => ({ record, arrivals: slots.arrivalsSince(record) }))
      .sort((a, b) => b.arrivals - a.arrivals)
      .slice(0, count)
      .map(({ record }) => record);
    for (const record of hottest) this.#waiting.delete(record);
    return hottest;
  }

  /** Compiles what begins at some records, unless it has fewer instructions. Gives the number of regions. */
  compile(records: readonly number[], fewest = FEWEST): number {
    const sources = this.sources(records, fewest);
    let entered = 0;
    for (let n = 0; n < sources.length; n += MOST_REGIONS) {
      const regions = this.build(sources.slice(n, n + MOST_REGIONS));
      const some = this.enter(regions);
      this.#counts.add('dropped', regions.length - some);
      entered += some;
    }
    return entered;
  }

  /** Makes a module of sources, at most MOST_REGIONS of them, and gives it to the CPUs. No record leads to it yet. */
  build(sources: readonly Wanted[]): Built[] {
    const started = performance.now();
    const { bytes, sizes } = buildModule(this.#options, sources);
    const built = performance.now();
    const { slots } = this;
    const counts = this.#counts;
    counts.add('building', built - started);
    const number = slots.lastModule + 1;
    const regions = sources.map((source): Built => {
      return {
        ...source,
        module: number,
        slots: new Map(source.entries.map(entry => [entry, this.#allocate(number)])),
      };
    });
    const numbers = regions.flatMap(region => [...region.slots.values()]);
    if (!numbers.some(slot => slot)) return regions;
    const module = new WebAssembly.Module(bytes);
    counts.add('compiling', performance.now() - built);
    const regionOf = regions.flatMap(({ entries }, n) => entries.map(() => n));
    const made = { number, module, slots: numbers, regions: regionOf, bytes: bytes.length * EXPANSION };
    this.#modules.set(number, made);
    this.#bytes += made.bytes;
    slots.lastModule = number;
    this.#giveToAll();
    counts.add('modules', 1);
    counts.add(
      'instructions',
      sizes.reduce((sum, size) => sum + size, 0),
    );
    counts.add('bytes', bytes.length);
    return regions;
  }

  /** The region of a page that has an instruction, while it is in use. */
  #regionWith(page: number, offset: number): Made | undefined {
    return this.#made.get(page)?.find(made => made.members.has(offset) && this.#isInUse(made));
  }

  #isInUse({ module, slots }: Made): boolean {
    for (const slot of slots.values()) if (this.slots.owner(slot) === module) return true;
    return false;
  }

  /** Whether a place is not an entry of a region, nor part of one that has been made since the place was wanted. */
  #isWanted(record: number): boolean {
    const { slots } = this;
    if (this.#u16[record / 2] === HANDLER_REGION) return false;
    const page = slots.pageOf(record);
    return slots.isMetWithin(record) || !this.#regionWith(page, this.#offsetOf(record, page));
  }

  /** A CPU has been seen at a record. Gives the entries of the quick region that has it if that is to be made thorough now. */
  #seen(record: number, how: 'stays' | 'passes'): number[] {
    const page = this.slots.pageOf(record);
    const region = this.#regionWith(page, this.#offsetOf(record, page));
    if (!region || region.thorough) return [];
    region.seen[how]++;
    const { stays, passes } = region.seen;
    const enough = Math.max(SEEN_AT_LEAST, SEEN_FOR_EACH * region.members.size);
    if (stays < passes || stays < (this.slots.isHostBusy ? BUSY : 1) * enough) return [];
    region.thorough = true;
    return [...region.slots.keys()].map(entry => this.#recordOf(page, entry));
  }

  #recordOf(page: number, offset: number): number {
    return this.#storage.layout.codePages + page * state.CODE_PAGE_SIZE + (offset / 2) * RECORD_SIZE;
  }

  #offsetOf(record: number, page: number): number {
    return ((record - this.#storage.layout.codePages - page * state.CODE_PAGE_SIZE) / RECORD_SIZE) * 2;
  }

  /** What is to be made of some records. */
  sources(records: readonly number[], fewest: number): Wanted[] {
    const { slots } = this;
    const places = new Map<number, Map<number, boolean>>();
    for (const record of records) {
      const page = slots.pageOf(record);
      const offsets = places.get(page) ?? new Map<number, boolean>();
      places.set(page, offsets);
      const offset = this.#offsetOf(record, page);
      // Entries of a region that is made anew stay entries, and what is often branched to becomes one.
      const region = this.#regionWith(page, offset);
      const thorough = region?.thorough ?? false;
      const add = (entry: number): void => void offsets.set(entry, thorough || offsets.get(entry) === true);
      for (const [entry, slot] of region?.slots ?? []) if (slots.owner(slot) === region!.module) add(entry);
      for (const member of region?.members ?? []) if (slots.isMetWithin(this.#recordOf(page, member))) add(member);
      if (region || this.#u16[record / 2]! >= FIRST_ROW_HANDLER) add(offset);
    }
    const sources: Wanted[] = [];
    for (const [page, offsets] of places) {
      const from = this.#page(page);
      if (!from) continue;
      const pointer = (register: number): number | undefined => this.#pointer(page, register);
      for (const group of divide([...offsets.keys()], from, () => slots.arrivals(page))) {
        if (group.members.size < fewest) {
          this.#counts.add('small', 1);
          continue;
        }
        const thorough = group.entries.some(entry => offsets.get(entry));
        sources.push({ ...group, thorough, at: from.at, executed: from.executed, pointer, from });
      }
    }
    return sources;
  }

  #page(page: number): Page | undefined {
    const { layout } = this.#storage;
    const version = this.slots.version(page);
    const frame = (this.#u32[layout.codePageFrame / 4 + page]! - 1) * 4096;
    if (frame < 0) return undefined;
    const read = new Map<number, number>();
    const known = new Map<number, Placed | undefined>();
    const executed = (offset: number): Placed | undefined => {
      if (known.has(offset)) return known.get(offset);
      const placed = this.#texts.place(from => this.#storage.read16(frame + from), offset);
      known.set(offset, placed);
      if (placed) read.set(offset, placed.length);
      return placed;
    };
    const isMet = (offset: number): boolean =>
      this.#options.unmet ||
      this.#u16[this.#recordOf(page, offset) / 2] !== HANDLER_DECODE ||
      this.#regionWith(page, offset) !== undefined;
    const at = (offset: number): Placed | undefined => (isMet(offset) ? executed(offset) : undefined);
    return { page, frame, version, at, executed, read };
  }

  /** Where on a page a register of some CPU leads to, if that has been branched to. */
  #pointer(page: number, register: number): number | undefined {
    const { cpus, cpuBase } = this.#storage.layout;
    for (let cpu = 0; cpu < cpus; cpu++) {
      const offset = this.#u32[(cpuBase + cpu * state.CPU_STRIDE + state.GR + 8 * register) / 4]! & 0xfff;
      if (!(offset & 1) && this.slots.hasArrived(page, offset)) return offset;
    }
    return undefined;
  }

  /** A slot for a module; where there is none the oldest regions are given up. */
  #allocate(number: number): number {
    const slot = this.slots.allocate(number);
    if (slot) return slot;
    this.#evict(this.#bytes * 0.75);
    return this.slots.allocate(number);
  }

  /** Makes the records of regions theirs, where the instructions are still the same. Gives the number of those regions. */
  enter(regions: readonly Built[]): number {
    const { slots } = this;
    const entered = this.#exclusion.alone(() => {
      let entered = 0;
      for (const { module, members, thorough, slots: slotOf, from } of regions) {
        if (![...slotOf.values()].some(slot => slot)) continue;
        const { page, version, read } = from;
        const isSame = !slots.barred && slots.version(page) === version;
        if (isSame) for (const [offset, length] of read) slots.cover(page, offset, offset + length);
        const before = this.#made.get(page)?.filter(made => this.#isInUse(made)) ?? [];
        // Before any of them is entered: that has pairs of instructions decoded anew.
        const entries = [...slotOf].map(([offset, slot]) => {
          const record = this.#recordOf(page, offset);
          return { slot, record, handler: this.#u16[record / 2]! };
        });
        for (const { slot, record, handler } of entries) {
          if (!slot) continue;
          if (!isSame || (handler < FIRST_ROW_HANDLER && handler !== HANDLER_REGION)) {
            slots.revoke(slot, module);
            slots.countAnew(record);
            continue;
          }
          const replaced = handler === HANDLER_REGION ? this.#u32[record / 4 + 1]! : 0;
          this.#separate(record);
          slots.enter(slot, { record, pages: [page] });
          if (replaced) slots.revoke(replaced, slots.owner(replaced));
        }
        // A device may have stored to the frame meanwhile, and not seen that.
        if (isSame && slots.version(page) === version) {
          entered++;
          for (const offset of members) if (!slotOf.has(offset)) this.#countWithin(page, offset);
          this.#made.set(page, [
            ...before,
            { module, members, slots: slotOf, thorough, seen: { stays: 0, passes: 0 } },
          ]);
        } else for (const slot of slotOf.values()) if (slot) slots.revoke(slot, module);
      }
      return entered;
    });
    this.#counts.add('regions', entered);
    this.#makeRoom();
    return entered;
  }

  /** An instruction is part of a region that has just been made, and no entry of it. */
  #countWithin(page: number, offset: number): void {
    const record = this.#recordOf(page, offset);
    this.slots.countWithin(record);
    this.#waiting.delete(record);
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
        const { number, module: compiled, slots: numbers, regions } = module;
        this.#options.give(cpu, { number, module: compiled, slots: numbers, regions });
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

/**
 * A compiler in this thread, for tests: it compiles what begins at a place, however small it is, and also programs
 * that lie at the same places one after another, in one module.
 */
export class CompilerHere {
  readonly #cpu: Cpu;
  readonly #compiler: Compiler;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    const { decoder, handlers, regionOptions, regions, slots, number } = cpu;
    const give = (_cpu: number, module: CompiledModule): void => regions.take(module);
    this.#compiler = new Compiler(cpu.storage, {
      ...regionOptions,
      decoder,
      handlers,
      capacity: HERE_CAPACITY,
      unmet: true,
      give,
    });
    slots.setTaken(number, 0);
  }

  /** What is to be made of what begins at an absolute address, and at others unless that is part of it already. */
  sources(addresses: readonly number[], thorough: boolean): Wanted[] {
    const { code } = this.#cpu;
    const members = new Set<number>();
    const found: Wanted[] = [];
    for (const address of addresses) {
      if (members.has(address)) continue;
      const record = this.#decode(address);
      if (!code.isDecoded(record)) continue;
      for (const source of this.#compiler.sources([record], 1)) {
        for (const offset of source.members) members.add(source.from.frame + offset);
        // What registers hold is told now: the module may be built later.
        const pointers = Array.from({ length: 16 }, (_, n) => source.pointer(n));
        found.push({ ...source, thorough, pointer: register => pointers[register] });
      }
    }
    return found;
  }

  /** Builds what is to be made of some programs, which may lie at the same place one after another. */
  build(programs: readonly (readonly Wanted[])[]): Built[][] {
    const sources = programs.flat();
    const built: Built[] = [];
    for (let n = 0; n < sources.length; n += MOST_REGIONS) {
      built.push(...this.#compiler.build(sources.slice(n, n + MOST_REGIONS)));
    }
    let at = 0;
    return programs.map(program => built.slice(at, (at += program.length)));
  }

  /** Has what has been built of a program be executed, which is in storage now as it was when its sources were looked for. */
  enter(regions: readonly Built[]): void {
    const { slots, regions: own } = this.#cpu;
    const there = regions.map(region => {
      const { entries, from } = region;
      const records = entries.map(entry => this.#decode(from.frame + entry));
      const page = slots.pageOf(records[0]!);
      return { ...region, from: { ...from, page, version: slots.version(page) } };
    });
    this.#compiler.enter(there);
    own.look();
  }

  /** Gives up what has been built of a program: other instructions come to its place. */
  leave(regions: readonly Built[]): void {
    const { slots, code } = this.#cpu;
    for (const { module, slots: slotOf, from } of regions) {
      for (const slot of slotOf.values()) slots.revoke(slot, module);
      const records = code.pageOf(from.frame);
      if (records) slots.uncover(slots.pageOf(records));
    }
  }

  /** Decodes the instruction at an absolute address; gives its record. */
  #decode(address: number): number {
    const { code } = this.#cpu;
    const offset = address % 4096;
    const frame = address - offset;
    if (!code.pageOf(frame)) code.makePage(frame);
    code.decodeAt(frame, offset);
    return code.pageOf(frame) + (offset / 2) * RECORD_SIZE;
  }
}
const HERE_CAPACITY = 64 << 20;

const compilers = new WeakMap<Cpu, CompilerHere>();

/** Compiles in this thread what begins at the PSW address of a CPU, however small it is, if its fast program runs it. */
export function compileHere(cpu: Cpu, thorough: boolean): void {
  if (!cpu.prepareRegions()) return;
  let compiler = compilers.get(cpu);
  if (!compiler) compilers.set(cpu, (compiler = new CompilerHere(cpu)));
  const absolute = cpu.dat.fillCode(Number(cpu.pswAddress & 0xffff_ffffn) | 0, Number(cpu.pswAddress >> 32n) | 0);
  if (absolute < 0) return;
  for (const regions of compiler.build([compiler.sources([absolute], thorough)])) compiler.enter(regions);
}
