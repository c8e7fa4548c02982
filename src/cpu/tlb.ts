/**
 * The translation-lookaside buffer: for each address space, as one kind of program sees it, an array of entries that
 * compiled code looks into by itself (state.ts, TLB_*). What distinguishes two arrays - the tag - is the ASCE, the PSW
 * key and the controls in CR0 that decide what an access may do; switching between them costs nothing and purges
 * nothing (docs/architecture.md, "What a TLB entry is tagged with").
 */

import * as state from './state.ts';

/** Both halves of what stands for an ASCE where addresses are real: no ASCE has bits 58 and 59 on. */
export const REAL = -1;

/** Words (32 bits) of a context, of a block of entries, of an entry and of a tag: ASCE low, ASCE high, controls, last use. */
const CONTEXT = state.TLB_CONTEXT_SIZE / 4;
const ENTRY = state.TLB_ENTRY_SIZE / 4;
const BLOCK = state.TLB_BLOCK * ENTRY;
const TAG = 4;
/** Words of a context's mask of blocks. */
const MASKS = state.TLB_ENTRIES / state.TLB_BLOCK / 32;
const UNUSED = -1;
const INVALID = Number(state.TLB_INVALID);
/** Page tables have 2 KiB: the address of one, in words of the context that tell of them, by this and plus one. */
const PAGE_TABLE_SHIFT = 11;

export class Tlb {
  readonly #i32: Int32Array;
  readonly #u64: BigUint64Array;
  /** Host address of the first context, and index of its first tag word. */
  readonly #base: number;
  readonly #tags: number;
  /** Index of the words FETCH_CONTEXT and DATA_CONTEXT. */
  readonly #inForce: number;
  /** Index of the word TLB_USED. */
  readonly #usedAt: number;
  /** Index of the word TLB_USES. */
  readonly #usesAt: number;

  /**
   * @param cpu host address of the CPU's block
   * @param fresh false to look at the TLB that another thread has made
   */
  constructor(buffer: ArrayBufferLike, cpu: number, fresh = true) {
    this.#i32 = new Int32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#base = cpu + state.TLB;
    this.#tags = (cpu + state.TLB_TAGS) >>> 2;
    this.#inForce = (cpu + state.FETCH_CONTEXT) >>> 2;
    this.#usedAt = (cpu + state.TLB_USED) >>> 2;
    this.#usesAt = (cpu + state.TLB_USES) >>> 2;
    if (!fresh) return;
    this.#i32[this.#usedAt] = 0;
    for (let n = 0; n < state.TLB_CONTEXTS; n++) this.#i32[this.#tags + n * TAG + 2] = UNUSED;
  }

  get #used(): number {
    return this.#i32[this.#usedAt]!;
  }

  /**
   * Host address of the context for an address space, made if need be.
   * @param controls any number of at least 0 that tells apart what may differ for the same ASCE
   */
  select(asceLow: number, asceHigh: number, controls: number): number {
    const i32 = this.#i32;
    const used = this.#used;
    let tag = this.#tags;
    for (let n = 0; n < used; n++, tag += TAG) {
      if (i32[tag] === asceLow && i32[tag + 2] === controls && i32[tag + 1] === asceHigh) {
        i32[tag + 3] = ++i32[this.#usesAt]!;
        return this.#base + n * state.TLB_CONTEXT_SIZE;
      }
    }
    const n = used < state.TLB_CONTEXTS ? used : this.#oldest();
    tag = this.#tags + n * TAG;
    i32[tag] = asceLow;
    i32[tag + 1] = asceHigh;
    i32[tag + 2] = controls;
    i32[tag + 3] = ++i32[this.#usesAt]!;
    if (n < used) this.#clear(n);
    else {
      const entries = (this.#base + n * state.TLB_CONTEXT_SIZE) / 8;
      this.#u64.fill(state.TLB_INVALID, entries, entries + state.TLB_TABLES / 8);
      this.#i32[this.#usedAt] = used + 1;
    }
    return this.#base + n * state.TLB_CONTEXT_SIZE;
  }

  /** The context that has not been selected for longest; never one that is in force. */
  #oldest(): number {
    const fetch = this.#i32[this.#inForce]!;
    const data = this.#i32[this.#inForce + 1]!;
    let oldest = -1;
    let age = -1;
    for (let n = 0; n < state.TLB_CONTEXTS; n++) {
      const context = (this.#base + n * state.TLB_CONTEXT_SIZE) | 0;
      const since = (this.#i32[this.#usesAt]! - this.#i32[this.#tags + n * TAG + 3]!) >>> 0;
      if (since > age && context !== fetch && context !== data) {
        oldest = n;
        age = since;
      }
    }
    return oldest;
  }

  /** Index of the first 32-bit word of a context's tag: ASCE low, ASCE high, controls. */
  tagOf(context: number): number {
    return this.#tags + ((context - this.#base) / state.TLB_CONTEXT_SIZE) * TAG;
  }

  /**
   * An entry, by the index of its first word, is made for a page of a context.
   * @param pageTable address of the entry of the page table that it is made from, or -1: there is none
   * @returns whether what was there before was made from another table
   */
  use(context: number, entry: number, pageTable: number): boolean {
    const index = ((entry << 2) - context) >>> 5;
    const i32 = this.#i32;
    const table = pageTable < 0 ? 0 : (pageTable >>> PAGE_TABLE_SHIFT) + 1;
    const known = ((context + state.TLB_TABLES) >>> 2) + index;
    i32[((context + state.TLB_BLOCKS) >>> 2) + (index >>> 10)]! |= 1 << (index >>> 5);
    if (i32[known] === table) return false;
    i32[known] = table;
    return true;
  }

  /** Calls `visit` with the index of the first word of each block of entries of a context that may be in use. */
  #blocks(n: number, visit: (first: number) => void): void {
    const context = (this.#base >>> 2) + n * CONTEXT;
    for (let word = 0; word < MASKS; word++) {
      let bits = this.#i32[context + state.TLB_BLOCKS / 4 + word]!;
      for (; bits; bits &= bits - 1) visit(context + (word * 32 + 31 - Math.clz32(bits & -bits)) * BLOCK);
    }
  }

  /** As `#blocks` of all contexts. */
  #allBlocks(visit: (first: number) => void): void {
    for (let n = 0, used = this.#used; n < used; n++) this.#blocks(n, visit);
  }

  #clear(n: number): void {
    this.#blocks(n, first => this.#u64.fill(state.TLB_INVALID, first / 2, (first + BLOCK) / 2));
    const masks = (this.#base >>> 2) + n * CONTEXT + state.TLB_BLOCKS / 4;
    this.#i32.fill(0, masks, masks + MASKS);
  }

  /** PURGE TLB. */
  purge(): void {
    const used = this.#used;
    for (let n = 0; n < used; n++) this.#clear(n);
  }

  /** Forgets the contexts whose controls have some of these bits. */
  purgeControlled(bits: number): void {
    for (let n = 0; n < this.#used; n++) {
      const controls = this.#i32[this.#tags + n * TAG + 2]!;
      if (controls !== UNUSED && controls & bits) this.#clear(n);
    }
  }

  /** Forgets the spaces with this ASCE as far as `mask` compares: table origin, designation type. */
  purgeSpace(asceLow: number, asceHigh: number, mask: number): void {
    const used = this.#used;
    for (let n = 0; n < used; n++) {
      const tag = this.#tags + n * TAG;
      if (this.#i32[tag] === REAL) continue;
      if (((this.#i32[tag]! ^ asceLow) & mask) === 0 && this.#i32[tag + 1] === asceHigh) this.#clear(n);
    }
  }

  /**
   * Forgets the page with this address (low half) in all spaces that have it from a page table, as far as bits 44-51 of
   * the address tell.
   * @param pageTable its absolute address
   */
  purgePage(low: number, pageTable: number): void {
    const i32 = this.#i32;
    const index = (low >>> 12) & 0xff;
    const table = (pageTable >>> PAGE_TABLE_SHIFT) + 1;
    const used = this.#used;
    for (let n = 0; n < used; n++) {
      const context = (this.#base >>> 2) + n * CONTEXT;
      const tables = context + state.TLB_TABLES / 4;
      // A word of the mask is of 1024 entries: four of them may be the page's.
      for (let word = 0; word < MASKS; word++) {
        if (!(i32[context + state.TLB_BLOCKS / 4 + word]! & (0x0101_0101 << (index >>> 5)))) continue;
        for (let each = word * 1024 + index; each < (word + 1) * 1024; each += 256) {
          if (i32[tables + each] !== table) continue;
          const at = context + each * ENTRY;
          i32[at] = i32[at + 2] = i32[at + 4] = INVALID;
        }
      }
    }
  }

  /** Makes stores to frames ask again: `length` bytes from an absolute address. */
  forgetStores(first: number, top: number, length = 4096): void {
    const i32 = this.#i32;
    // The addend leads from the virtual page to the frame's host address.
    const host = (top - state.BIAS - first) | 0;
    this.#allBlocks(block => {
      for (let at = block; at < block + BLOCK; at += ENTRY) {
        const tag = i32[at + 2]!;
        if (tag !== INVALID && (host - i32[at + 6]! + (tag & ~0xfff)) >>> 0 < length) i32[at + 2] = INVALID;
      }
    });
  }

  /** Forgets frames altogether: `length` bytes from an absolute address. */
  forgetFrames(first: number, top: number, length = 4096): void {
    const i32 = this.#i32;
    const host = (top - state.BIAS - first) | 0;
    this.#allBlocks(block => {
      for (let at = block; at < block + BLOCK; at += ENTRY) {
        let tag = i32[at]!;
        if (tag === INVALID) tag = i32[at + 2]!;
        if (tag === INVALID) tag = i32[at + 4]!;
        if (tag !== INVALID && (host - i32[at + 6]! + (tag & ~0xfff)) >>> 0 < length) {
          i32[at] = i32[at + 2] = i32[at + 4] = INVALID;
        }
      }
    });
  }

  /** Forgets that code is at hand where the code page at this host address would be used. */
  forgetCode(page: number): void {
    const i32 = this.#i32;
    this.#allBlocks(block => {
      for (let at = block; at < block + BLOCK; at += ENTRY) if (i32[at + 7] === (page | 0)) i32[at + 4] = INVALID;
    });
  }
}
