import type { Cpu } from './cpu.ts';
import * as program from './program.ts';
import * as state from './state.ts';
import { REAL_SPACE } from './tlb.ts';

/** An access exception. */
export class AccessFault {
  readonly code: number;
  readonly translationException: bigint;
  constructor(code: number, translationException: bigint) {
    this.code = code;
    this.translationException = translationException;
  }
}

export class Translator {
  readonly #cpu: Cpu;
  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }
  fetchContext(): number {
    return this.#cpu.tlb.select(REAL_SPACE, 0);
  }
  dataContext(): number {
    return this.#cpu.tlb.select(REAL_SPACE, 0);
  }
  contextOf(instruction: boolean, _accessRegister: number): number {
    return this.#cpu.field32(instruction ? state.FETCH_CONTEXT : state.DATA_CONTEXT);
  }
  quietly(address: bigint): number | undefined {
    return Number(address);
  }
  fill(context: number, low: number, high: number, _size: number, store: boolean): number {
    const { i32, layout } = this.#cpu;
    const absolute = low >>> 0;
    if (high !== 0 || absolute >= layout.storageSize) throw new AccessFault(program.ADDRESSING, 0n);
    const entry = (context + ((absolute >>> 12) % state.TLB_ENTRIES) * state.TLB_ENTRY_SIZE) >>> 2;
    const page = absolute & ~0xfff;
    const addend = (layout.top - state.BIAS) | 0;
    if (i32[entry] !== page || i32[entry + 1] !== high) {
      i32[entry + 2] = i32[entry + 4] = 1;
    }
    i32[entry] = page;
    i32[entry + 1] = high;
    if (store && !this.#cpu.code.isCode(page >>> 0)) {
      i32[entry + 2] = page;
      i32[entry + 3] = high;
    }
    i32[entry + 6] = addend;
    return absolute;
  }
  fillCode(low: number, high: number): number {
    const { i32 } = this.#cpu;
    const context = this.#cpu.field32(state.FETCH_CONTEXT);
    const absolute = this.fill(context, low, high, 1, false);
    const frame = Math.floor(absolute / 4096) * 4096;
    const page = this.#cpu.code.pageOf(frame);
    const entry = (context + (((low >>> 12) % state.TLB_ENTRIES) * state.TLB_ENTRY_SIZE)) >>> 2;
    i32[entry + 4] = low & ~0xfff;
    i32[entry + 5] = high;
    i32[entry + 7] = page - (low & ~0xfff);
    this.#cpu.executingFrame = frame / 4096;
    return absolute;
  }
}
