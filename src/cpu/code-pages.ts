/**
 * Predecoded code. A frame from which instructions are fetched gets a code page: for each halfword of the frame the
 * record (engine/records.ts) of the instruction that begins there, filled in as instructions are met. A store to the
 * frame sets the records it may have changed back to "not decoded"; a frame that is stored to often loses its code page.
 */

import type { Cpu } from './cpu.ts';
import { Pairs, type Plan, plansOf, selectHandler } from './engine/handlers.ts';
import {
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
import * as state from './state.ts';

/** Halfwords in a record. */
const HALFWORDS = RECORD_SIZE / 2;

/** Stores to a code page between two decodings in it after which it is given up. */
const PATIENCE = 64;
/** Instructions that are executed in a frame without being remembered, the first time it was found to be volatile. */
const VOLATILE_PERIOD = 256;
const LONGEST_PERIOD = 1 << 20;
/** How many different instructions' records are remembered. */
const CACHE_LIMIT = 1 << 16;

/**
 * Forgets what has been decoded of a range of absolute storage that has been changed, from any thread: the CPUs decode
 * it anew when they come there.
 */
export function forgetDecoded(memory: WebAssembly.Memory, layout: state.Layout, address: number, length: number): void {
  const u16 = new Uint16Array(memory.buffer);
  for (let at = address; at < address + length; ) {
    const frame = Math.floor(at / 4096);
    const end = Math.min((frame + 1) * 4096, address + length);
    const page = u16[layout.codePageOf / 2 + frame]!;
    if (page) forgetInPage(u16, layout, page - 1, at % 4096, end - at);
    at = end;
  }
}

function forgetInPage(u16: Uint16Array, layout: state.Layout, page: number, offset: number, length: number): void {
  const page0 = (layout.codePages + page * state.CODE_PAGE_SIZE) / 2;
  // An instruction that begins up to four bytes earlier may reach into the range, and the first of a pair up to six before.
  const first = Math.max(offset - 10, 0) >> 1;
  const last = (offset + length - 1) >> 1;
  for (let n = first; n <= last; n++) u16[page0 + n * HALFWORDS] = HANDLER_DECODE;
}

export class CodePages {
  readonly #cpu: Cpu;
  readonly #layout: state.Layout;
  readonly #u16: Uint16Array;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #frameOf: Int32Array;
  readonly #storesSinceDecode: Uint8Array;
  readonly #free: number[] = [];
  #next = 0;
  #victim = 0;
  #breakpoints: ReadonlySet<bigint> = new Set();
  /**
   * Frames, by absolute address, in which instructions stand among data that is stored to often. They have no code page
   * of their own, so that stores need not ask: the volatile page stands for it, in which each instruction is read anew.
   * How many more are to be executed so, and how many will be the next time, for a frame may change its use.
   */
  readonly #volatile = new Map<number, number>();
  readonly #periods = new Map<number, number>();
  #volatilePage = -1;
  /** Records by the text of the instruction, 48 bits; for targets of EXECUTE they differ. */
  readonly #records = new Map<number, number>();
  readonly #kept = new Uint32Array(2 * CACHE_LIMIT);
  readonly #plans: ReadonlyMap<Instruction, Plan>;
  readonly #pairs: Pairs;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#layout = cpu.layout;
    this.#u16 = new Uint16Array(cpu.storage.memory.buffer);
    this.#u8 = cpu.u8;
    this.#u32 = cpu.u32;
    this.#plans = plansOf(cpu.handlers);
    this.#pairs = new Pairs(cpu.handlers);
    this.#frameOf = new Int32Array(state.CODE_PAGES).fill(-1);
    this.#storesSinceDecode = new Uint8Array(state.CODE_PAGES);
    for (let n = 0; n < 4; n++) {
      this.#u16[(cpu.base + state.EXECUTE_RECORD + n * RECORD_SIZE) / 2] = HANDLER_EXECUTED;
      this.#u16[(cpu.base + state.CROSSING_RECORD + n * RECORD_SIZE) / 2] = HANDLER_PAGE_END;
    }
  }

  /** Host address of the code page of the frame at this absolute address, made if need be. */
  pageOf(frame: number): number {
    const slot = this.#layout.codePageOf / 2 + frame / 4096;
    const known = this.#u16[slot]!;
    if (known) return this.#address(known - 1);
    if (this.#volatile.has(frame)) return this.#address(this.#volatilePage);
    const page = this.#allocate();
    const at = this.#address(page);
    this.#u16.fill(HANDLER_DECODE, at / 2, (at + state.CODE_PAGE_SIZE) / 2);
    this.#u16[(at + 2048 * RECORD_SIZE) / 2] = HANDLER_PAGE_END;
    this.#frameOf[page] = frame / 4096;
    this.#storesSinceDecode[page] = 0;
    this.#u16[slot] = page + 1;
    this.#u8[this.#layout.frameFlags + frame / 4096]! |= state.FRAME_CODE;
    this.#cpu.storesMustAsk(frame);
    return at;
  }

  #address(page: number): number {
    return this.#layout.codePages + page * state.CODE_PAGE_SIZE;
  }

  #allocate(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#next < state.CODE_PAGES) return this.#next++;
    // All in use: a round-robin victim that is not the page being executed.
    do this.#victim = (this.#victim + 1) % state.CODE_PAGES;
    while (this.#frameOf[this.#victim]! < 0 || this.#isExecuting(this.#victim));
    this.#drop(this.#victim);
    return this.#free.pop()!;
  }

  /** Some CPU's loop holds the address of this page. */
  #isExecuting(page: number): boolean {
    const { cpus, cpuBase } = this.#layout;
    const at = this.#address(page);
    for (let n = 0; n < cpus; n++) {
      if (this.#cpu.i32[(cpuBase + n * state.CPU_STRIDE + state.CODE_PAGE) >>> 2] === at) return true;
    }
    return false;
  }

  #drop(page: number): void {
    const frame = this.#frameOf[page]!;
    const at = this.#address(page);
    this.#u16[this.#layout.codePageOf / 2 + frame] = 0;
    this.#u8[this.#layout.frameFlags + frame]! &= ~state.FRAME_CODE;
    this.#frameOf[page] = -1;
    this.#cpu.tlb.forgetCode(at);
    this.#free.push(page);
  }

  isCode(frame: number): boolean {
    return (this.#u8[this.#layout.frameFlags + frame / 4096]! & state.FRAME_CODE) !== 0;
  }

  /** Storage at this absolute range, within one frame, has been changed. */
  changed(address: number, length: number): void {
    const frame = Math.floor(address / 4096);
    const known = this.#u16[this.#layout.codePageOf / 2 + frame]!;
    if (!known) return;
    const page = known - 1;
    if (++this.#storesSinceDecode[page]! > PATIENCE && !this.#isExecuting(page)) {
      this.#becomesVolatile(frame * 4096);
      return this.#drop(page);
    }
    forgetInPage(this.#u16, this.#layout, page, address % 4096, length);
    // One that begins on the page before is looked up anew each time.
  }

  #becomesVolatile(frame: number): void {
    if (this.#volatilePage < 0) {
      this.#volatilePage = this.#allocate();
      const at = this.#address(this.#volatilePage);
      for (let n = 0; n < 2048; n++) this.#u16[(at + n * RECORD_SIZE) / 2] = HANDLER_CROSSING;
      this.#u16[(at + 2048 * RECORD_SIZE) / 2] = HANDLER_PAGE_END;
    }
    const period = this.#periods.get(frame) ?? VOLATILE_PERIOD;
    this.#periods.set(frame, Math.min(period * 2, LONGEST_PERIOD));
    this.#volatile.set(frame, period);
  }

  /** An instruction of a volatile frame is read; after some the frame is given a code page again. */
  #readsVolatile(frame: number, rest: number): void {
    if (rest > 0) this.#volatile.set(frame, rest - 1);
    else {
      this.#volatile.delete(frame);
      this.#cpu.tlb.forgetCode(this.#address(this.#volatilePage));
    }
  }

  #recordAt(frame: number, offset: number): number {
    return this.pageOf(frame) + (offset >> 1) * RECORD_SIZE;
  }

  /** Decodes the instruction at an offset in a frame into its record; gives the handler. */
  decodeAt(frame: number, offset: number): number {
    const rest = this.#volatile.size ? this.#volatile.get(frame) : undefined;
    if (rest !== undefined) {
      this.#readsVolatile(frame, rest);
      return HANDLER_CROSSING;
    }
    const at = this.#recordAt(frame, offset);
    const known = this.#u16[at / 2]!;
    if (known !== HANDLER_DECODE && known !== HANDLER_BREAKPOINT) return known;
    const { storage } = this.#cpu;
    const first = storage.read8(frame + offset);
    const length = instructionLength(first);
    this.#storesSinceDecode[this.#u16[this.#layout.codePageOf / 2 + frame / 4096]! - 1] = 0;
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
    const executed = offset === 'executed';
    const row = this.#cpu.decoder.decode(upper, lower) ?? invalidInstruction(upper >>> 8);
    const plan = this.#plans.get(row)!;
    const { builder } = plan;
    let taken = false;
    let near = false;
    // How a branch is written depends on whether it leads to its own page.
    if (plan.branch && typeof offset === 'number') {
      builder.take(upper, lower);
      taken = true;
      const target = offset + builder.distance;
      near = target >= 0 && target < 4096;
    }
    const key = (near ? 2 ** 49 : executed ? 2 ** 48 : 0) + upper * 2 ** 32 + lower;
    const known = this.#records.get(key);
    const word = at / 4;
    if (known !== undefined) {
      // The handler, in the first word, comes last: another CPU may be looking.
      this.#u32[word + 1] = this.#kept[known + 1]!;
      this.#u32[word] = this.#kept[known]!;
      return;
    }
    if (!taken) builder.take(upper, lower);
    builder.write(this.#u32, word, selectHandler(plan, executed, near), near);
    if (this.#records.size >= CACHE_LIMIT) this.#records.clear();
    const kept = this.#records.size * 2;
    this.#kept[kept] = this.#u32[word]!;
    this.#kept[kept + 1] = this.#u32[word + 1]!;
    this.#records.set(key, kept);
  }

  /** Virtual addresses of instructions before which the CPU is to leave its loop. */
  get breakpoints(): ReadonlySet<bigint> {
    return this.#breakpoints;
  }
  set breakpoints(addresses: ReadonlySet<bigint>) {
    if (!addresses.size && !this.#breakpoints.size) return;
    this.#breakpoints = addresses;
    for (let page = 0; page < this.#next; page++) {
      if (this.#frameOf[page]! >= 0) forgetInPage(this.#u16, this.#layout, page, 0, 4096);
    }
  }

  /** Makes the instruction at an offset in a frame a breakpoint until it is forgotten. */
  breakAt(frame: number, offset: number): void {
    if (this.#volatile.has(frame)) this.#readsVolatile(frame, 0);
    this.#u16[this.#recordAt(frame, offset) / 2] = HANDLER_BREAKPOINT;
  }
}
