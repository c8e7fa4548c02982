/** A stopped CPU's virtual storage, as debuggers look at it: by the address space of its instructions. */

import type { Cpu } from '../cpu/cpu.ts';
import { Translator } from '../cpu/dat.ts';
import type { Registers } from '../cpu/registers.ts';
import { Tlb } from '../cpu/tlb.ts';
import type { Storage } from './storage.ts';

const PAGE = 4096;

export class CpuView {
  readonly #registers: Registers;
  readonly #storage: Storage;

  constructor(registers: Registers, storage: Storage) {
    this.#registers = registers;
    this.#storage = storage;
  }

  /** Absolute address of a virtual byte; undefined where there is none. */
  translate(address: bigint): number | undefined {
    const { memory } = this.#storage;
    // The translator looks; the parts of a CPU that it needs for doing more are in the CPU's thread.
    const looked = Object.assign(Object.create(this.#registers), {
      tlb: new Tlb(memory.buffer, this.#registers.base, false),
    }) as Cpu;
    return new Translator(looked).quietly(address);
  }

  read(address: bigint, length: number): Uint8Array | undefined {
    const data = new Uint8Array(length);
    const complete = this.#forEachPage(address, length, (absolute, offset, count) => {
      data.set(this.#storage.read(absolute, count), offset);
    });
    return complete ? data : undefined;
  }

  write(address: bigint, data: Uint8Array): boolean {
    if (!this.#forEachPage(address, data.length, () => {})) return false;
    return this.#forEachPage(address, data.length, (absolute, offset, count) => {
      this.#storage.write(absolute, data.subarray(offset, offset + count));
    });
  }

  /** Visits a range page by page; false as soon as a page is missing. */
  #forEachPage(
    address: bigint,
    length: number,
    visit: (absolute: number, offset: number, count: number) => void,
  ): boolean {
    for (let offset = 0; offset < length; ) {
      const at = BigInt.asUintN(64, address + BigInt(offset));
      const absolute = this.translate(at);
      if (absolute === undefined) return false;
      const count = Math.min(length - offset, PAGE - (absolute % PAGE));
      visit(absolute, offset, count);
      offset += count;
    }
    return true;
  }
}
