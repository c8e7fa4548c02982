/** Units whose state is words of the machine's shared memory. */

import type { Fields, SavedFields, SaveState } from './save-state.ts';

/** A word of so many bytes at an offset, or several words one after the other. */
export interface Words {
  readonly at: number;
  readonly size: 1 | 4 | 8;
  readonly count?: number;
}

export class SavedWords implements SaveState {
  readonly name: string;
  readonly version: number;
  readonly #view: DataView;
  readonly #words: Readonly<Record<string, Words>>;

  /** @param base host address that the offsets count from */
  constructor(name: string, version: number, memory: WebAssembly.Memory, base: number, words: Record<string, Words>) {
    this.name = name;
    this.version = version;
    this.#view = new DataView(memory.buffer, base);
    this.#words = words;
  }

  save(): Fields {
    const fields: Record<string, bigint | bigint[] | Uint8Array> = {};
    for (const [name, { at, size, count = 1 }] of Object.entries(this.#words)) {
      if (size === 1) fields[name] = this.#bytes(at, count).slice();
      else {
        const list = Array.from({ length: count }, (_, n) => this.#read(at + n * size, size));
        fields[name] = count === 1 ? list[0]! : list;
      }
    }
    return fields;
  }

  load(saved: SavedFields): () => void {
    const work = Object.entries(this.#words).map(([name, { at, size, count = 1 }]) => {
      if (size === 1) {
        const bytes = saved.bytes(name, count);
        return () => this.#bytes(at, count).set(bytes);
      }
      const list = saved.integers(name, count, size);
      return () => list.forEach((value, n) => void this.#write(at + n * size, size, value));
    });
    return () => work.forEach(write => void write());
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length);
  }

  #read(at: number, size: 4 | 8): bigint {
    return size === 8 ? this.#view.getBigUint64(at, true) : BigInt(this.#view.getUint32(at, true));
  }

  #write(at: number, size: 4 | 8, value: bigint): void {
    if (size === 8) this.#view.setBigUint64(at, value, true);
    else this.#view.setUint32(at, Number(value), true);
  }
}
