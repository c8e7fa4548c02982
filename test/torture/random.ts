/** Pseudo-random numbers that depend on nothing but their seed: the same seed gives the same cases everywhere. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(...seed: readonly number[]) {
    this.#a = 0x9e3779b9;
    this.#b = 0x243f6a88;
    this.#c = 0xb7e15162;
    for (const part of seed) {
      this.#a ^= part;
      for (let n = 0; n < 12; n++) this.bits();
    }
  }

  /** 32 random bits as an unsigned number ("small fast counting" generator). */
  bits(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }
  /** 64 random bits. */
  wide(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }
  /** An integer from 0 to limit-1. */
  below(limit: number): number {
    return Math.floor((this.bits() / 2 ** 32) * limit);
  }
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  chance(probability: number): boolean {
    return this.bits() < probability * 2 ** 32;
  }
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)]!;
  }
}
