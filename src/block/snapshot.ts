/** An image whose changes are kept beside it and are gone when it is closed (`snapshot=on`). */

import type { Image } from './image.ts';

/** Bytes that are copied together when the first of them is written. */
const CLUSTER = 4096;

export class TemporarySnapshot implements Image {
  readonly size: number;
  readonly readOnly = false;
  readonly #base: Image;
  readonly #changes: Image;
  /** A bit for each cluster that is among the changes. */
  readonly #changed: Uint8Array;
  readonly #cluster = new Uint8Array(CLUSTER);

  /** @param changes an empty image, which takes as much as `base` has */
  constructor(base: Image, changes: Image) {
    this.#base = base;
    this.#changes = changes;
    this.size = base.size;
    this.#changed = new Uint8Array(Math.ceil(base.size / CLUSTER / 8));
  }

  #has(cluster: number): boolean {
    return (this.#changed[cluster >>> 3]! & (1 << (cluster & 7))) !== 0;
  }

  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const first = Math.floor((offset + done) / CLUSTER);
      const changed = this.#has(first);
      let end = (first + 1) * CLUSTER;
      while (end < offset + into.length && this.#has(end / CLUSTER) === changed) end += CLUSTER;
      const count = Math.min(end - offset, into.length) - done;
      (changed ? this.#changes : this.#base).read(offset + done, into.subarray(done, done + count));
      done += count;
    }
  }

  write(offset: number, data: Uint8Array): void {
    this.#own(offset, data.length);
    this.#changes.write(offset, data);
  }

  writeZeroes(offset: number, length: number): void {
    this.#own(offset, length);
    this.#changes.writeZeroes(offset, length);
  }

  /** All clusters of a range are among the changes from now on; those that it does not fill are copied. */
  #own(offset: number, length: number): void {
    const first = Math.floor(offset / CLUSTER);
    const last = Math.floor((offset + length - 1) / CLUSTER);
    for (let cluster = first; cluster <= last; cluster++) {
      if (this.#has(cluster)) continue;
      const start = cluster * CLUSTER;
      if (start < offset || start + CLUSTER > offset + length) {
        const part = this.#cluster.subarray(0, Math.min(CLUSTER, this.size - start));
        this.#base.read(start, part);
        this.#changes.write(start, part);
      }
      this.#changed[cluster >>> 3]! |= 1 << (cluster & 7);
    }
  }

  /** There is nobody for whom the changes would have to be safe. */
  async flush(): Promise<void> {}

  close(): void {
    this.#changes.close();
    this.#base.close();
  }
}
