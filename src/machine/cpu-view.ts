/** A stopped CPU's virtual storage, as debuggers look at it: by the address space of its instructions. */

import type { Cpu } from '../cpu/cpu.ts';
import { HOME, Translator } from '../cpu/dat.ts';
import type { Registers } from '../cpu/registers.ts';
import type { Storage } from './storage.ts';

const PAGE = 4096;
/** CR0 bit 40. */
const ENHANCED_DAT = 1n << 23n;

/** Low and high half, signed as the translator takes them. */
const halves = (value: bigint): [number, number] => [
  Number(BigInt.asIntN(32, value)),
  Number(BigInt.asIntN(32, value >> 32n)),
];

export class CpuView {
  readonly #registers: Registers;
  readonly #storage: Storage;

  constructor(registers: Registers, storage: Storage) {
    this.#registers = registers;
    this.#storage = storage;
  }

  /** Absolute address of a virtual byte; undefined where there is none. */
  translate(address: bigint): number | undefined {
    const registers = this.#registers;
    // The TLB knows the PSW and the control registers as they were when the CPU ran last: the tables are walked anew.
    const dat = new Translator(registers as Cpu);
    const [low, high] = halves(address);
    let absolute: number;
    if (dat.dat) {
      const [asceLow, asceHigh] = halves(registers.cr(dat.addressSpaceControl === HOME ? 13 : 1));
      if (dat.walk(asceLow, asceHigh, low, high, (registers.cr(0) & ENHANCED_DAT) !== 0n)) return undefined;
      absolute = dat.found();
    } else absolute = high === 0 ? dat.toAbsolute(low >>> 0) : -1;
    return absolute >= 0 && absolute < this.#storage.size ? absolute : undefined;
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
