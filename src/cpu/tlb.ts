/**
 * The translation-lookaside buffer: for each address space, as one kind of program sees it, an array of entries that
 * compiled code looks into by itself (state.ts, TLB_*). What distinguishes two arrays - the tag - is the ASCE, the PSW
 * key and the controls in CR0 that decide what an access may do; switching between them costs nothing and purges
 * nothing (docs/architecture.md, "What a TLB entry is tagged with").
 */

import * as state from './state.ts';

interface Context {
  asce: bigint;
  controls: number;
  lastUse: number;
}

/** Words (64 bits) in a context's array. */
const WORDS = state.TLB_CONTEXT_SIZE / 8;
/** Stands for real addresses: no ASCE has this value, bits 58 and 59 being zero in all of them. */
export const REAL_SPACE = -1n;

export class Tlb {
  readonly #base: number;
  readonly #u64: BigUint64Array;
  readonly #u32: Uint32Array;
  readonly #contexts: Context[];
  #uses = 0;

  /** @param base host address of the first context */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.#base = base;
    this.#u64 = new BigUint64Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#contexts = Array.from({ length: state.TLB_CONTEXTS }, () => ({ asce: 0n, controls: -1, lastUse: 0 }));
  }

  /**
   * Host address of the array for an address space.
   * @param asce address-space-control element, or REAL_SPACE
   * @param controls any number that tells apart what may differ for the same ASCE, at least 0
   */
  select(asce: bigint, controls: number): number {
    let oldest = 0;
    for (let n = 0; n < this.#contexts.length; n++) {
      const context = this.#contexts[n]!;
      if (context.controls === controls && context.asce === asce) {
        context.lastUse = ++this.#uses;
        return this.#address(n);
      }
      if (context.lastUse < this.#contexts[oldest]!.lastUse) oldest = n;
    }
    this.#contexts[oldest] = { asce, controls, lastUse: ++this.#uses };
    this.#clear(oldest);
    return this.#address(oldest);
  }

  #address(n: number): number {
    return this.#base + n * state.TLB_CONTEXT_SIZE;
  }

  #clear(n: number): void {
    const word = this.#address(n) / 8;
    this.#u64.fill(state.TLB_INVALID, word, word + WORDS);
  }

  /** PURGE TLB. */
  purge(): void {
    this.#contexts.forEach((context, n) => {
      if (context.controls >= 0) this.#clear(n);
    });
  }

  /** Forgets the address spaces for which `matches` holds. */
  purgeSpaces(matches: (asce: bigint) => boolean): void {
    this.#contexts.forEach((context, n) => {
      if (context.controls >= 0 && matches(context.asce)) this.#clear(n);
    });
  }

  /** Forgets the pages with this page index (bits 44-51 of the virtual address) in all spaces. */
  purgePageIndex(pageIndex: number): void {
    this.#contexts.forEach((context, n) => {
      if (context.controls < 0) return;
      for (let entry = pageIndex; entry < state.TLB_ENTRIES; entry += 256) {
        const word = (this.#address(n) + entry * state.TLB_ENTRY_SIZE) / 8;
        this.#u64.fill(state.TLB_INVALID, word, word + 4);
      }
    });
  }

  /** Makes stores to these pages ask again: all entries whose addend leads to the frame lose their store tag. */
  forgetStores(isFrame: (addend: number, entry: number) => boolean): void {
    this.#forEachEntry((word) => {
      if (this.#u64[word + 1] !== state.TLB_INVALID && isFrame(this.#u32[word * 2 + 6]!, Number(this.#u64[word + 1]))) {
        this.#u64[word + 1] = state.TLB_INVALID;
      }
    });
  }

  /** Forgets that code is at hand where the shadow satisfies `isPage`. */
  forgetCode(isPage: (shadow: number, page: number) => boolean): void {
    this.#forEachEntry((word) => {
      const tag = this.#u64[word + 2]!;
      if (tag !== state.TLB_INVALID && isPage(this.#u32[word * 2 + 7]!, Number(tag & 0xfffff000n))) {
        this.#u64[word + 2] = state.TLB_INVALID;
      }
    });
  }

  #forEachEntry(visit: (word: number) => void): void {
    this.#contexts.forEach((context, n) => {
      if (context.controls < 0) return;
      const first = this.#address(n) / 8;
      for (let word = first; word < first + WORDS; word += 4) visit(word);
    });
  }
}
