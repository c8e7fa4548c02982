/**
 * Predecoded code. A frame from which instructions are fetched gets a code page: for each halfword of the frame the
 * record (engine/records.ts) of the instruction that begins there, filled in as instructions are met. A store to the
 * frame sets the records it may have changed back to "not decoded"; a frame that is stored to often loses its code page.
 */

import type { Cpu } from './cpu.ts';
import { Pairs, type Plan, plansOf, selectHandler } from './engine/handlers.ts';
import {
  FIRST_ROW_HANDLER,
  HANDLER_BREAKPOINT,
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_EXECUTED,
  HANDLER_PAGE_END,
} from './engine/protocol.ts';
import { RECORD_SIZE } from './engine/records.ts';
import { instructionLength } from './isa/formats.ts';
import type { Instruction } from './isa/insn.ts';
import { invalidInstruction } from './isa/invalid.ts';
import { RegionSlots } from './region-slots.ts';
import * as state from './state.ts';

/** Halfwords in a record. */
const HALFWORDS = RECORD_SIZE / 2;

/** Stores to a code page between two decodings in it after which it is given up. */
const PATIENCE = 64;
/** Instructions that are executed in a frame without being remembered, the first time it was found to be volatile. */
const VOLATILE_PERIOD = 256;
const LONGEST_PERIOD = 1 << 20;
/** How many instructions' records are remembered, as a power of two. */
const KEPT_SHIFT = 14;
/** Words of one that is remembered: the text, with KEPT and perhaps KEPT_EXECUTED above its first halfword, and the record. */
const KEPT_WORDS = 4;
const KEPT = 0x1_0000;
const KEPT_EXECUTED = 0x2_0000;

/**
 * Forgets what has been decoded of a range of absolute storage that has been changed, from any thread: the CPUs decode
 * it anew when they come there.
 */
export function forgetDecoded(memory: WebAssembly.Memory, layout: state.Layout, address: number, length: number): void {
  const u16 = new Uint16Array(memory.buffer);
  let slots: RegionSlots | undefined;
  for (let at = address; at < address + length; ) {
    const frame = Math.floor(at / 4096);
    const end = Math.min((frame + 1) * 4096, address + length);
    const page = u16[layout.codePageOf / 2 + frame]!;
    if (page) {
      // A CPU that decodes at this moment, or the compiler, sees afterwards that it has to do it again.
      Atomics.add(new Uint32Array(memory.buffer), layout.codePageVersion / 4 + page - 1, 1);
      slots ??= new RegionSlots(memory, layout);
      if (slots.covers(page - 1, at % 4096, (at % 4096) + end - at)) slots.losePage(page - 1);
      forgetInPage(u16, layout, page - 1, at % 4096, end - at);
    }
    at = end;
  }
}

/** Numbers of the first and the last record that a store to a range of a frame may have changed. */
function touched(offset: number, length: number): { first: number; last: number } {
  // An instruction that begins up to four bytes earlier may reach into the range, and the first of a pair up to six before.
  return { first: Math.max(offset - 10, 0) >> 1, last: (offset + length - 1) >> 1 };
}

function forgetInPage(u16: Uint16Array, layout: state.Layout, page: number, offset: number, length: number): void {
  const page0 = (layout.codePages + page * state.CODE_PAGE_SIZE) / 2;
  const { first, last } = touched(offset, length);
  for (let n = first; n <= last; n++) u16[page0 + n * HALFWORDS] = HANDLER_DECODE;
}

export class CodePages {
  readonly #cpu: Cpu;
  readonly #layout: state.Layout;
  readonly #u16: Uint16Array;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  /** Indices of the tables codePageFrame and codePageVersion among 32-bit words. */
  readonly #frames: number;
  readonly #versions: number;
  readonly #storesSinceDecode: Uint8Array;
  /** Ranges of storage that an instruction has changed, to be looked at when it has ended. */
  readonly #noted: number[] = [];
  #breakpoints: ReadonlySet<bigint> = new Set();
  /**
   * Frames, by absolute address, in which instructions stand among data that is stored to often. They have no code page
   * of their own, so that stores need not ask: the volatile page stands for it, in which each instruction is read anew.
   * How many more are to be executed so, and how many will be the next time, for a frame may change its use.
   */
  readonly #volatile = new Map<number, number>();
  readonly #periods = new Map<number, number>();
  /** Records by the text of the instruction; for targets of EXECUTE they differ. */
  readonly #kept = new Uint32Array(KEPT_WORDS << KEPT_SHIFT);
  readonly #plans: ReadonlyMap<Instruction, Plan>;
  /** Host address of the page along which each instruction is read anew. */
  readonly volatilePage: number;
  readonly #pairs: Pairs;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#layout = cpu.layout;
    this.#u16 = new Uint16Array(cpu.storage.memory.buffer);
    this.#u8 = cpu.u8;
    this.#u32 = cpu.u32;
    this.#plans = plansOf(cpu.handlers);
    this.#pairs = new Pairs(cpu.handlers);
    this.#frames = cpu.layout.codePageFrame / 4;
    this.#versions = cpu.layout.codePageVersion / 4;
    this.#storesSinceDecode = new Uint8Array(state.CODE_PAGES);
    for (let n = 0; n < 4; n++) {
      this.#u16[(cpu.base + state.EXECUTE_RECORD + n * RECORD_SIZE) / 2] = HANDLER_EXECUTED;
      this.#u16[(cpu.base + state.CROSSING_RECORD + n * RECORD_SIZE) / 2] = HANDLER_PAGE_END;
    }
    this.#fillPage(state.VOLATILE_PAGE, HANDLER_CROSSING);
    this.volatilePage = this.#address(state.VOLATILE_PAGE);
  }

  /** Host address of what stands for the code page of the frame at this absolute address; 0: it is to be made. */
  pageOf(frame: number): number {
    const known = this.#u16[this.#layout.codePageOf / 2 + frame / 4096]!;
    if (known) return this.#address(known - 1);
    return this.#volatile.has(frame) ? this.volatilePage : 0;
  }

  /** Gives a frame a code page. What was known of storage before may no longer hold. */
  makePage(frame: number): void {
    this.#cpu.exclusion.alone(() => {
      if (this.pageOf(frame)) return;
      const page = this.#allocate();
      this.#fillPage(page, HANDLER_DECODE);
      this.#cpu.slots.newPage(page);
      this.#u32[this.#frames + page] = frame / 4096 + 1;
      this.#storesSinceDecode[page] = 0;
      this.#u16[this.#layout.codePageOf / 2 + frame / 4096] = page + 1;
      this.#u8[this.#layout.frameFlags + frame / 4096]! |= state.FRAME_CODE;
      this.#cpu.storesMustAsk(frame);
    });
  }

  /** How often what has been decoded of the frame at an absolute address has changed; -1: it has no code page. */
  versionOf(frame: number): number {
    const page = this.#u16[this.#layout.codePageOf / 2 + frame / 4096]! - 1;
    return page < 0 ? -1 : Atomics.load(this.#u32, this.#versions + page);
  }

  /**
   * Keeps CROSSING_RECORD, that of the instruction which begins at an offset in one frame and ends in another.
   * @param version of the frame, as `versionOf` gave it before the instruction was read
   */
  keepCrossing(frame: number, version: number, offset: number, end: number, endVersion: number): void {
    if (version < 0 || endVersion < 0 || this.#breakpoints.size) return;
    const [page, endPage] = [frame, end].map(at => this.#u16[this.#layout.codePageOf / 2 + at / 4096]! - 1);
    if (page! < 0 || endPage! < 0) return;
    const { base } = this.#cpu;
    const record = this.#address(page!) + (offset >> 1) * RECORD_SIZE;
    const n = (record >>> state.CROSSING_SHIFT) & (state.CROSSING_ENTRIES - 1);
    const at = base + state.CROSSINGS + n * state.CROSSING_ENTRY_SIZE;
    const words = this.#u32.subarray(at / 4, (at + state.CROSSING_ENTRY_SIZE) / 4);
    words[0] = record;
    words[1] = this.#address(endPage!);
    words[2] = 4 * (this.#versions + page!);
    words[3] = version;
    words[4] = 4 * (this.#versions + endPage!);
    words[5] = endVersion;
    const kept = (base + state.CROSSING_RECORD) / 4;
    words.set(this.#u32.subarray(kept, kept + 8), state.CROSSING_RECORD_AT / 4);
  }

  #fillPage(page: number, handler: number): void {
    const at = this.#address(page);
    this.#u16.fill(handler, at / 2, (at + state.CODE_PAGE_SIZE) / 2);
    this.#u16[(at + 2048 * RECORD_SIZE) / 2] = HANDLER_PAGE_END;
  }

  #address(page: number): number {
    return this.#layout.codePages + page * state.CODE_PAGE_SIZE;
  }

  /** The code page made longest ago of those that no CPU executes in. */
  #allocate(): number {
    const last = (this.#layout.machine + state.LAST_CODE_PAGE) >>> 2;
    do this.#u32[last] = (this.#u32[last]! + 1) % state.VOLATILE_PAGE;
    while (this.#isExecuting(this.#u32[last]!));
    const page = this.#u32[last]!;
    if (this.#u32[this.#frames + page]) this.#drop(page);
    return page;
  }

  /** Some CPU's loop holds the address of this page. */
  #isExecuting(page: number): boolean {
    const { cpus, cpuBase } = this.#layout;
    const at = this.#address(page);
    for (let n = 0; n < cpus; n++) {
      if (this.#u32[(cpuBase + n * state.CPU_STRIDE + state.CODE_PAGE) >>> 2] === at) return true;
    }
    return false;
  }

  #drop(page: number): void {
    const frame = this.#u32[this.#frames + page]! - 1;
    this.#u16[this.#layout.codePageOf / 2 + frame] = 0;
    this.#u8[this.#layout.frameFlags + frame]! &= ~state.FRAME_CODE;
    this.#u32[this.#frames + page] = 0;
    Atomics.add(this.#u32, this.#versions + page, 1);
    this.#cpu.slots.revokePage(page);
    this.#cpu.forgetCode(this.#address(page));
  }

  /** What the record at a host address has. */
  handlerAt(record: number): number {
    return this.#u16[record / 2]!;
  }

  /** Whether an instruction begins at the record at a host address, in a frame's own code page, that has been decoded. */
  isDecoded(record: number): boolean {
    return this.#cpu.slots.pageOf(record) !== state.VOLATILE_PAGE && this.handlerAt(record) >= FIRST_ROW_HANDLER;
  }

  isCode(frame: number): boolean {
    return (this.#u8[this.#layout.frameFlags + frame / 4096]! & state.FRAME_CODE) !== 0;
  }

  /** Storage at this absolute range, within one frame, has been changed by an instruction that has ended. */
  changed(address: number, length: number): void {
    const frame = Math.floor(address / 4096);
    const known = this.#u16[this.#layout.codePageOf / 2 + frame]!;
    if (!known) return;
    const page = known - 1;
    const offset = address % 4096;
    // The compiler sees that it has to do it again.
    Atomics.add(this.#u32, this.#versions + page, 1);
    if (++this.#storesSinceDecode[page]! > PATIENCE && !this.#isExecuting(page)) {
      if (this.#cpu.exclusion.alone(() => this.#becomesVolatile(frame * 4096))) return;
    }
    if (this.#cpu.slots.covers(page, offset, offset + length)) {
      this.#cpu.exclusion.alone(() => {
        this.#cpu.slots.losePage(page);
        forgetInPage(this.#u16, this.#layout, page, offset, length);
      });
      return;
    }
    const { first, last } = touched(offset, length);
    const page0 = this.#address(page) / 2;
    for (let n = first; n <= last; n++) {
      if (this.#u16[page0 + n * HALFWORDS] === HANDLER_DECODE) continue;
      // Another CPU may be between two fields of the record.
      this.#cpu.exclusion.alone(() => forgetInPage(this.#u16, this.#layout, page, offset, length));
      return;
    }
    // One that begins on the page before is found by the version.
  }

  /** As `changed`, by an instruction that has not ended yet: `settle` is to be called when it has. */
  note(address: number, length: number): void {
    this.#noted.push(address, length);
  }

  /** Deals with everything that was noted. */
  settle(): void {
    if (!this.#noted.length) return;
    for (let n = 0; n < this.#noted.length; n += 2) this.changed(this.#noted[n]!, this.#noted[n + 1]!);
    this.#noted.length = 0;
  }

  /** The frame's code page is given up; false: it cannot be, because a CPU has come there until all were at rest. */
  #becomesVolatile(frame: number): boolean {
    const known = this.#u16[this.#layout.codePageOf / 2 + frame / 4096]!;
    if (!known) return true;
    if (this.#isExecuting(known - 1)) return false;
    const period = this.#periods.get(frame) ?? VOLATILE_PERIOD;
    this.#periods.set(frame, Math.min(period * 2, LONGEST_PERIOD));
    this.#volatile.set(frame, period);
    this.#drop(known - 1);
    return true;
  }

  /** An instruction of a volatile frame is read; after some the frame is given a code page again. */
  #readsVolatile(frame: number, rest: number): void {
    if (rest > 0) this.#volatile.set(frame, rest - 1);
    else {
      this.#volatile.delete(frame);
      this.#cpu.tlb.forgetCode(this.volatilePage);
    }
  }

  get #inVolatilePage(): boolean {
    return this.#u32[(this.#cpu.base + state.CODE_PAGE) / 4] === this.volatilePage;
  }

  /** Decodes the instruction at an offset in a frame into its record; gives the handler. */
  decodeAt(frame: number, offset: number): number {
    const page = this.#u16[this.#layout.codePageOf / 2 + frame / 4096]! - 1;
    if (page < 0) this.#readsVolatile(frame, this.#volatile.get(frame) ?? 0);
    // Also while the CPU still runs along the volatile page of a frame that has got its own again.
    if (page < 0 || this.#inVolatilePage) return HANDLER_CROSSING;
    const at = this.#address(page) + (offset >> 1) * RECORD_SIZE;
    const known = this.#u16[at / 2]!;
    if (known !== HANDLER_DECODE && known !== HANDLER_BREAKPOINT) return known;
    this.#storesSinceDecode[page] = 0;
    const version = Atomics.load(this.#u32, this.#versions + page);
    const handler = this.#decodeTo(at, frame, offset);
    // A device may have stored to the frame meanwhile.
    if (Atomics.add(this.#u32, this.#versions + page, 0) === version) return handler;
    forgetInPage(this.#u16, this.#layout, page, offset, 6);
    return this.decodeAt(frame, offset);
  }

  #decodeTo(at: number, frame: number, offset: number): number {
    const { storage } = this.#cpu;
    const first = storage.read8(frame + offset);
    const length = instructionLength(first);
    if (offset + length > 4096) {
      this.#u16[at / 2] = HANDLER_CROSSING;
      return HANDLER_CROSSING;
    }
    const upper = storage.read16(frame + offset);
    const lower =
      length === 2
        ? 0
        : length === 4
          ? storage.read16(frame + offset + 2) * 0x10000
          : storage.read32(frame + offset + 2);
    this.write(at, upper, lower >>> 0, offset);
    const handler = this.#u16[at / 2]!;
    if (!this.#breakpoints.size) this.#pair(at, offset, handler);
    return handler;
  }

  /** Makes pairs of an instruction, its record at a host address, and of those before and behind it. */
  #pair(at: number, offset: number, handler: number): void {
    const u16 = this.#u16;
    const behind = this.#pairs.length(handler);
    if (offset + behind < 4096) {
      const pair = this.#pairs.of(handler, u16[at / 2 + (behind / 2) * HALFWORDS]!);
      if (pair !== undefined) u16[at / 2] = pair;
    }
    for (let before = 2; before <= 6 && before <= offset; before += 2) {
      const first = at / 2 - (before / 2) * HALFWORDS;
      if (this.#pairs.length(u16[first]!) !== before) continue;
      const pair = this.#pairs.of(u16[first]!, handler);
      if (pair !== undefined) u16[first] = pair;
    }
  }

  /**
   * Writes the record of an instruction, left-aligned in 48 bits, at a host address.
   * @param offset where in its page it is; 'executed': the target of EXECUTE; 'crossing': it continues on the next page
   */
  write(at: number, upper: number, lower: number, offset: number | 'executed' | 'crossing'): void {
    const kept = this.#kept;
    const executed = offset === 'executed';
    const text = upper | KEPT | (executed ? KEPT_EXECUTED : 0);
    const place = (Math.imul(lower ^ Math.imul(text, 0x9e37_79b1), 0x85eb_ca6b) >>> (32 - KEPT_SHIFT)) * KEPT_WORDS;
    if (kept[place] === text && kept[place + 1] === lower) return this.#copyRecord(place + 2, at);
    const row = this.#cpu.decoder.decode(upper, lower) ?? invalidInstruction(upper >>> 8);
    const plan = this.#plans.get(row)!;
    const { builder } = plan;
    builder.take(upper, lower);
    let near = false;
    // How a branch is written depends on whether it leads to its own page.
    if (plan.branch && typeof offset === 'number') {
      const target = offset + builder.distance;
      near = target >= 0 && target < 4096;
    }
    builder.write(kept, place + 2, selectHandler(plan, executed, near), near);
    kept[place] = plan.branch ? 0 : text;
    kept[place + 1] = lower;
    this.#copyRecord(place + 2, at);
  }

  #copyRecord(kept: number, at: number): void {
    // The handler, in the first word, comes last: another CPU may be looking.
    this.#u32[at / 4 + 1] = this.#kept[kept + 1]!;
    this.#u32[at / 4] = this.#kept[kept]!;
  }

  /** Virtual addresses of instructions before which the CPU is to leave its loop. */
  get breakpoints(): ReadonlySet<bigint> {
    return this.#breakpoints;
  }
  set breakpoints(addresses: ReadonlySet<bigint>) {
    if (!addresses.size && !this.#breakpoints.size) return;
    this.#breakpoints = addresses;
    this.#cpu.slots.barred = addresses.size > 0;
    for (let n = 0; n < state.CROSSING_ENTRIES; n++) {
      this.#u32[(this.#cpu.base + state.CROSSINGS + n * state.CROSSING_ENTRY_SIZE) / 4] = 0;
    }
    for (let page = 0; page < state.VOLATILE_PAGE; page++) {
      if (!this.#u32[this.#frames + page]) continue;
      this.#cpu.slots.revokePage(page);
      forgetInPage(this.#u16, this.#layout, page, 0, 4096);
    }
  }

  /** Makes the instruction at an offset in a frame a breakpoint until it is forgotten. */
  breakAt(frame: number, offset: number): void {
    this.#setHandler(frame, offset, HANDLER_BREAKPOINT);
  }

  /** Has the instruction at an offset in a frame read anew each time, until it is forgotten. */
  crossAt(frame: number, offset: number): void {
    this.#setHandler(frame, offset, HANDLER_CROSSING);
  }

  /** Forgets the record of the instruction at this absolute address. */
  forgetAt(absolute: number): void {
    const offset = absolute % 4096;
    this.#setHandler(absolute - offset, offset, HANDLER_DECODE);
  }

  #setHandler(frame: number, offset: number, handler: number): void {
    const page = this.#u16[this.#layout.codePageOf / 2 + frame / 4096]! - 1;
    if (page < 0) this.#readsVolatile(frame, 0);
    else this.#u16[(this.#address(page) + (offset >> 1) * RECORD_SIZE) / 2] = handler;
  }
}
