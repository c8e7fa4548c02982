/**
 * What all threads know of regions of compiled code (docs/compiler.md): which places are wanted, which slots are in use
 * and for what, and which instructions regions contain. All of it is in shared memory.
 */

import { HANDLER_DECODE, HANDLER_REGION } from './engine/protocol.ts';
import type { Layout } from './state.ts';
import * as state from './state.ts';

/** Branches to a place after which it is compiled, while the host has a CPU to spare for that; and otherwise. */
const SOON = 400;
const LATE = 3000;
/** With so many places waiting for the compiler, others have to be branched to many times more. */
const BACKLOG = 1024;
/** Branches from elsewhere to a place within a region after which that is made anew with one more entry. */
const WITHIN = 2000;
/** So many are enough when it is made anew for another reason. */
const OFTEN = 100;
/** One less, to tell it from what has never been branched to. */
const AGAIN = WITHIN - 1;
/** Mark a record among those that are wanted: a CPU has been seen there, or on its way there. */
const SEEN = 1;
const PASSES = 2;
/** As often as can be counted. */
const NEVER = 0xffff;
/** Each loss of a page's regions makes them wait so many times as long, as a power of two. */
const LOSS_SHIFT = 2;

/** Counters of what has never been branched to. */
const UNTOUCHED = new Set([
  WITHIN,
  ...[SOON, LATE].flatMap(first =>
    Array.from({ length: 9 }, (_, losses) => Math.min(first << (LOSS_SHIFT * losses), NEVER)),
  ),
]);

// A slot's entry: number of the module, host address of the record at which the region begins, and up to two code
// pages, plus one, that have its instructions.
const OWNER = 0;
const RECORD = 1;
const PAGES = 2;
const WORDS = state.SLOT_SIZE / 4;

/** A region as the machine knows it. */
export interface Slot {
  /** Host address of the record of its first instruction. */
  readonly record: number;
  /** Code pages, by number, that have its instructions: one or two. */
  readonly pages: readonly number[];
}

export class RegionSlots {
  readonly #layout: Layout;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #machine: number;
  readonly #slots: number;
  #next = 1;

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    this.#layout = layout;
    this.#u8 = new Uint8Array(memory.buffer);
    this.#u16 = new Uint16Array(memory.buffer);
    this.#i32 = new Int32Array(memory.buffer);
    this.#machine = layout.machine >>> 2;
    this.#slots = layout.regionSlots >>> 2;
  }

  // Which places are wanted

  /** Begins to count anew how often each place of a code page is branched to. */
  startCounting(page: number): void {
    const at = this.#layout.codeCounters / 2 + (page * state.CODE_PAGE_SIZE) / 8;
    this.#u16.fill(this.#patience(page), at, at + state.CODE_PAGE_SIZE / 8);
  }

  /** Some CPU executes instructions, and has to for much of its time. */
  get isBusy(): boolean {
    const { cpus, cpuBase } = this.#layout;
    for (let n = 0; n < cpus; n++) {
      const word = (cpuBase + n * state.CPU_STRIDE) >>> 2;
      if (this.#i32[word + state.BEGINNINGS / 4]! & 1 && !this.#i32[word + state.AT_LEISURE / 4]) return true;
    }
    return false;
  }

  /** Says whether a CPU has been waiting most of the time. The compiler is told when it has more to do. */
  setAtLeisure(cpu: number, is: boolean): void {
    const { cpuBase } = this.#layout;
    const word = (cpuBase + cpu * state.CPU_STRIDE + state.AT_LEISURE) >>> 2;
    const was = this.#i32[word]! !== 0;
    this.#i32[word] = Number(is);
    if (was && !is) this.ring();
  }

  /** As many CPUs execute as the host has for this process. */
  get isHostBusy(): boolean {
    return this.#i32[this.#machine + state.EXECUTING_CPUS / 4]! >= this.#i32[this.#machine + state.HOST_CPUS / 4]!;
  }

  #patience(page: number): number {
    if (!this.#i32[this.#machine + state.HOST_CPUS / 4]) return NEVER;
    return Math.min(
      (this.isHostBusy ? LATE : SOON) << (LOSS_SHIFT * Math.min(this.#u8[this.#layout.codeLosses + page]!, 8)),
      NEVER,
    );
  }

  /** What begins at this record is to be compiled. Nothing happens where too much waits already. */
  want(record: number): void {
    const i32 = this.#i32;
    const waiting = this.#machine + state.WANTED_IN / 4;
    if (((Atomics.load(i32, waiting) - Atomics.load(i32, waiting + 1)) | 0) >= BACKLOG) {
      this.#u16[this.#counterOf(record)] = AGAIN;
      return;
    }
    const at = Atomics.add(i32, waiting, 1) & (state.WANTED - 1);
    Atomics.store(i32, this.#layout.wanted / 4 + at, record);
    this.ring();
  }

  /** A CPU has been seen at this record, which is part of a region, or only `passes` there. */
  see(record: number, passes = false): void {
    const i32 = this.#i32;
    const waiting = this.#machine + state.WANTED_IN / 4;
    if (((Atomics.load(i32, waiting) - Atomics.load(i32, waiting + 1)) | 0) >= BACKLOG) return;
    const at = Atomics.add(i32, waiting, 1);
    Atomics.store(i32, this.#layout.wanted / 4 + (at & (state.WANTED - 1)), record | (passes ? PASSES : SEEN));
    // Not worth waking the compiler each time.
    if (at % 4 === 0) this.ring();
  }

  /** Whether the place at an offset of a code page has been branched to. */
  hasArrived(page: number, offset: number): boolean {
    const record = this.#layout.codePages + page * state.CODE_PAGE_SIZE + 4 * offset;
    return this.#u16[record / 2] === HANDLER_REGION || !UNTOUCHED.has(this.#u16[this.#counterOf(record)]!);
  }

  /** Offsets of all such places. */
  arrivals(page: number): number[] {
    const found: number[] = [];
    for (let offset = 0; offset < 4096; offset += 2) if (this.hasArrived(page, offset)) found.push(offset);
    return found;
  }

  #counterOf(record: number): number {
    return (this.#layout.codeCounters + ((record - this.#layout.codePages) >>> 2)) >>> 1;
  }

  /** Begins to count anew how often one place is branched to. */
  countAnew(record: number): void {
    this.#u16[this.#counterOf(record)] = this.#patience(this.pageOf(record));
  }

  /** Begins to count how often a place within a region, at which it cannot be entered, is branched to from elsewhere. */
  countWithin(record: number): void {
    const counter = this.#counterOf(record);
    this.#u16[counter] = UNTOUCHED.has(this.#u16[counter]!) ? WITHIN : AGAIN;
  }

  /** Whether that has been often. */
  isMetWithin(record: number): boolean {
    const left = this.#u16[this.#counterOf(record)]!;
    return left <= WITHIN - OFTEN || left > WITHIN;
  }

  /** How often a place has been branched to since it was wanted. */
  arrivalsSince(record: number): number {
    return -this.#u16[this.#counterOf(record)]! & 0xffff;
  }

  /** Tells the compiler that there is something to look at. */
  ring(): void {
    Atomics.add(this.#i32, this.#machine + state.COMPILER_BELL / 4, 1);
    Atomics.notify(this.#i32, this.#machine + state.COMPILER_BELL / 4);
  }

  /** For the compiler: the next record that is wanted, or at which a CPU has been seen. */
  takeWanted(): { record: number; seen: 'stays' | 'passes' | undefined } | undefined {
    const i32 = this.#i32;
    const out = this.#machine + state.WANTED_OUT / 4;
    if (Atomics.load(i32, out) === Atomics.load(i32, out - 1)) return undefined;
    // It may have been announced and not yet been written.
    const record = Atomics.exchange(i32, this.#layout.wanted / 4 + (i32[out]! & (state.WANTED - 1)), 0) >>> 0;
    if (!record) return undefined;
    Atomics.add(i32, out, 1);
    const kind = record & (SEEN | PASSES);
    return { record: record - kind, seen: kind ? (kind === SEEN ? 'stays' : 'passes') : undefined };
  }

  /** Number of the code page to which a record belongs. */
  pageOf(record: number): number {
    return Math.floor((record - this.#layout.codePages) / state.CODE_PAGE_SIZE);
  }

  /** How often what has been decoded of a code page has changed. */
  version(page: number): number {
    return Atomics.load(this.#i32, this.#layout.codePageVersion / 4 + page);
  }

  // Slots

  /** Takes a free slot for a module; 0: there is none. */
  allocate(owner: number): number {
    for (let n = 0; n < state.SLOTS; n++) {
      const slot = this.#next;
      this.#next = slot + 1 < state.SLOTS ? slot + 1 : 1;
      const at = this.#slots + slot * WORDS;
      if (this.#i32[at + OWNER]) continue;
      this.#i32[at + PAGES] = 0;
      Atomics.store(this.#i32, at + OWNER, owner);
      return slot;
    }
    return 0;
  }

  /** Number of the module that has a slot's region; 0: none. */
  owner(slot: number): number {
    return Atomics.load(this.#i32, this.#slots + slot * WORDS + OWNER);
  }

  /** Makes a record that of a region. To be called while no CPU executes instructions. */
  enter(slot: number, { record, pages }: Slot): void {
    const at = this.#slots + slot * WORDS;
    this.#i32[at + RECORD] = record;
    this.#i32[at + PAGES] = (pages[0]! + 1) | (pages.length > 1 ? (pages[1]! + 1) << 16 : 0);
    this.#i32[record / 4 + 1] = slot;
    this.#u16[record / 2] = HANDLER_REGION;
  }

  /** The instructions from one offset in a code page's frame to another are part of a region. */
  cover(page: number, from: number, to: number): void {
    const at = this.#layout.codeCovered + page * state.COVERED_SIZE;
    for (let n = from >> 1; n < to >> 1; n++) this.#u8[at + (n >> 3)]! |= 1 << (n & 7);
  }

  /** Whether regions contain anything between two offsets in a code page's frame. */
  covers(page: number, from: number, to: number): boolean {
    const at = this.#layout.codeCovered + page * state.COVERED_SIZE;
    for (let n = from >> 1; n <= (to - 1) >> 1; n++) if (this.#u8[at + (n >> 3)]! & (1 << (n & 7))) return true;
    return false;
  }

  /** Gives up the region of a slot, if it is still that of a module. */
  revoke(slot: number, owner: number): void {
    const at = this.#slots + slot * WORDS;
    if (Atomics.compareExchange(this.#i32, at + OWNER, owner, 0) !== owner) return;
    const record = this.#i32[at + RECORD]! >>> 0;
    this.#i32[at + RECORD] = 0;
    if (record && this.#u16[record / 2] === HANDLER_REGION && this.#i32[record / 4 + 1] === slot) {
      this.#u16[record / 2] = HANDLER_DECODE;
      this.countAnew(record);
    }
    Atomics.add(this.#i32, this.#machine + state.REVOCATIONS / 4, 1);
  }

  /** Gives up all regions with instructions on a code page: they have been stored to, or the page has another frame. */
  revokePage(page: number): void {
    const i32 = this.#i32;
    for (let slot = 1, at = this.#slots + WORDS; slot < state.SLOTS; slot++, at += WORDS) {
      const pages = i32[at + PAGES]!;
      if ((pages & 0xffff) !== page + 1 && pages >>> 16 !== page + 1) continue;
      const owner = i32[at + OWNER]!;
      if (owner) this.revoke(slot, owner);
    }
    this.uncover(page);
  }

  /** No instruction of a code page is part of a region any more. */
  uncover(page: number): void {
    this.#u8.fill(
      0,
      this.#layout.codeCovered + page * state.COVERED_SIZE,
      this.#layout.codeCovered + (page + 1) * state.COVERED_SIZE,
    );
  }

  /** As `revokePage`, because of a store: what is written often is compiled later and later. */
  losePage(page: number): void {
    const losses = this.#layout.codeLosses + page;
    if (this.#u8[losses]! < 255) this.#u8[losses]!++;
    this.revokePage(page);
    this.startCounting(page);
  }

  /** A code page gets a frame. */
  newPage(page: number): void {
    if (!this.#layout.compiles) return;
    this.#u8[this.#layout.codeLosses + page] = 0;
    this.startCounting(page);
  }

  /** How often regions have been given up. */
  get revocations(): number {
    return Atomics.load(this.#i32, this.#machine + state.REVOCATIONS / 4);
  }

  /** There are breakpoints, which regions know nothing of. */
  get barred(): boolean {
    return Atomics.load(this.#i32, this.#machine + state.REGIONS_BARRED / 4) !== 0;
  }
  set barred(value: boolean) {
    Atomics.store(this.#i32, this.#machine + state.REGIONS_BARRED / 4, value ? 1 : 0);
  }

  // Modules

  /** Number of the last module that has been given to CPUs. */
  get lastModule(): number {
    return Atomics.load(this.#i32, this.#machine + state.LAST_MODULE / 4);
  }
  set lastModule(number: number) {
    Atomics.store(this.#i32, this.#machine + state.LAST_MODULE / 4, number);
  }

  #takenWord(cpu: number): number {
    return (this.#layout.cpuBase + cpu * state.CPU_STRIDE + state.MODULES_TAKEN) >>> 2;
  }
  /** Number of the last module that a CPU has taken; undefined: it does not take any. */
  taken(cpu: number): number | undefined {
    const taken = Atomics.load(this.#i32, this.#takenWord(cpu));
    return taken ? taken - 1 : undefined;
  }
  setTaken(cpu: number, module: number): void {
    Atomics.store(this.#i32, this.#takenWord(cpu), module + 1);
  }

  /** Has the CPUs look for what has been given up: those that sleep keep it in memory. */
  awaken(): void {
    const { cpus, cpuBase } = this.#layout;
    for (let n = 0; n < cpus; n++) {
      const pending = (cpuBase + n * state.CPU_STRIDE + state.PENDING) >>> 2;
      Atomics.or(this.#i32, pending, state.PENDING_TICK);
      Atomics.notify(this.#i32, pending);
    }
  }
}
