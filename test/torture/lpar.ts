/** Cases run in this process, on a CPU of src/cpu. */

import { type Built, CompilerHere, type Wanted } from '../../src/cpu/compiler.ts';
import { Cpu } from '../../src/cpu/cpu.ts';
import { EXIT_FUEL } from '../../src/cpu/engine/protocol.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import * as state from '../../src/cpu/state.ts';
import { Storage } from '../../src/machine/storage.ts';
import { type Case, type Placed, registersOf, vectorHalves } from './case.ts';
import { handlerAddress, kernel } from './kernel.ts';
import * as layout from './layout.ts';
import { CODE, DATA, DATA_SIZE, ENDED, RESULT, WINDOW } from './layout.ts';
import { Result } from './result.ts';
import { writeTables } from './tables.ts';

/** Instructions that a case may execute. */
export const FUEL = 400;

const HANDLERS = (Object.keys(ENDED) as (keyof typeof ENDED)[]).map(
  kind => [handlerAddress(kind), ENDED[kind]] as const,
);

/** General, vector, control and access registers, PSW, and FPC, which is the last of them. */
const REGISTERS_END = state.FPC + 4 - state.GR;

const SUPERVISOR_CALL = Number(handlerAddress('supervisorCall'));

/** How the CPU runs a case: counted; not counted, where the PSW allows the fast program; the same with compiled code. */
export type Way = 'counted' | 'fast' | readonly Built[];

/** What a case has left behind: as it lies in memory, and to be looked at. */
export interface Left {
  readonly registers: Buffer;
  readonly lowcore: Buffer;
  readonly frames: readonly Buffer[];
  readonly result: Result;
}

export class Lpar {
  readonly storage: Storage;
  readonly cpu: Cpu;
  pools: readonly Uint8Array[] = [];
  dictionaries: Uint8Array = new Uint8Array(0);
  /** Storage keys are set for each case. */
  keys = false;
  readonly #compiler: CompilerHere;
  /** What `isSound` looks at, as it lies in memory: where it is, and what it was. */
  #sound: readonly (readonly [now: Buffer, expected: Buffer])[] = [];
  /** What a case leaves behind, as it lies in memory: registers, the lowcore, data frames. */
  readonly #registers: Buffer;
  readonly #lowcore: Buffer;
  readonly #frames: readonly Buffer[];
  /** What the data frames contain at first, in memory and in order. */
  #begin: readonly (readonly Buffer[])[] = [];
  #pool = 0;
  /** What the case that is loaded has been compiled to. */
  #entered: readonly Built[] = [];

  constructor() {
    const plan = state.planLayout(1, layout.STORAGE_SIZE);
    const memory = new WebAssembly.Memory({ initial: plan.wasmPages, maximum: plan.wasmPages, shared: true });
    this.storage = new Storage(memory, plan);
    this.cpu = new Cpu(this.storage, 0, instructions);
    this.#compiler = new CompilerHere(this.cpu);
    const { base } = this.cpu;
    this.#registers = Buffer.from(memory.buffer as unknown as ArrayBuffer, base + state.GR, REGISTERS_END);
    this.#lowcore = this.#raw(0x80, 0x180);
    this.#frames = this.#framesAt(DATA);
  }

  /** Storage as it lies in memory: backwards. */
  #raw(address: number, length: number): Buffer {
    return Buffer.from(this.cpu.u8.buffer as ArrayBuffer, this.cpu.layout.top - address - length, length);
  }

  #framesAt(address: number): Buffer[] {
    return Array.from({ length: DATA_SIZE / 4096 }, (_, n) => this.#raw(address + 4096 * n, 4096));
  }

  /** Makes good what cases may have done to storage that is not renewed for each. */
  renew(pools: readonly Uint8Array[]): void {
    this.pools = pools;
    for (const [n, pool] of pools.entries()) this.storage.write(layout.POOLS + n * DATA_SIZE, pool);
    this.#begin = pools.map((_, n) => this.#framesAt(layout.POOLS + n * DATA_SIZE));
    this.storage.write(layout.LOWCORE, kernel.bytes.subarray(0, 0x2000));
    this.storage.fill(layout.UNUSED, DATA - layout.UNUSED, 0);
    this.storage.write(layout.KERNEL, kernel.bytes.subarray(layout.KERNEL));
    this.storage.fill(CODE, 0x2000, 0);
    this.storage.fill(layout.AFTER, layout.TABLES - layout.AFTER, 0);
    this.storage.write(layout.DICTIONARIES, this.dictionaries);
    writeTables((address, value) => this.storage.write64(address, value));
    this.cpu.tlb.purge();
    this.#sound = [
      this.#raw(layout.KERNEL, kernel.bytes.length - layout.KERNEL),
      this.#raw(CODE, WINDOW - CODE),
      this.#raw(WINDOW + layout.WINDOW_SIZE, CODE + 0x2000 - WINDOW - layout.WINDOW_SIZE),
    ].map(now => [now, Buffer.from(now)]);
  }

  /** Copies within storage, where bytes go downwards. */
  #copy(to: number, from: number, length: number): void {
    const { top } = this.cpu.layout;
    this.cpu.u8.copyWithin(top - to - length, top - from - length, top - from);
  }

  /** Sets everything up as the kernel does. */
  load(test: Case, placed: Placed, way: Way = 'counted'): void {
    const { cpu, storage } = this;
    this.#compiler.leave(this.#entered);
    this.#entered = typeof way === 'object' ? way : [];
    this.#pool = test.pool;
    this.#copy(0, layout.LOWCORE, 0x2000);
    this.#copy(DATA, layout.POOLS + test.pool * DATA_SIZE, DATA_SIZE);
    storage.write(WINDOW, placed.bytes);
    for (const [address, length] of [
      [0, 0x1000],
      [0x1000, 0x1000],
      [WINDOW, 256],
      [WINDOW + 256, 256],
    ] as const) {
      cpu.code.changed(address, length);
    }
    for (let frame = 0; frame < DATA_SIZE; frame += 4096) cpu.code.changed(DATA + frame, 4096);
    if (this.keys) {
      cpu.u8.set(layout.KEYS, cpu.layout.keys + (DATA >> 12));
      cpu.tlb.purge();
    }
    const gr = registersOf(test, placed);
    for (let n = 0; n < 16; n++) {
      cpu.setGr(n, gr[n]!);
      cpu.setAr(n, test.ar[n]!);
      cpu.setCr(n, test.cr[n]!);
    }
    for (const [n, half] of vectorHalves(test).entries()) cpu.setField64(state.VR + 8 * (n ^ 1), half);
    cpu.fpc = test.fpc;
    cpu.counted = way === 'counted';
    // What has been given up of compiled code asks to be looked at, and strings would be broken off for it.
    cpu.setField32(state.PENDING, 0);
    this.#endAtSupervisorCall();
    // The kernel's LPSWE is the last branch before the case.
    cpu.breakingEventAddress = kernel.symbols.get('enter')!;
    cpu.setPsw(test.mask, BigInt(WINDOW + test.start));
    cpu.mappingChanged();
    this.#compiler.enter(this.#entered);
  }

  /** What is to be compiled of a program that is loaded; where it begins decides between the kinds of regions. */
  sources({ addresses }: Placed): Wanted[] {
    const thorough = addresses[0]! % 4 === 0;
    return this.cpu.prepareRegions() ? this.#compiler.sources(addresses.slice(0, -1), thorough) : [];
  }

  /** Compiles programs: ways in which to load them once more. */
  compile(programs: readonly (readonly Wanted[])[]): Way[] {
    return this.#compiler.build(programs);
  }

  /** The fast program does not leave its loop for a supervisor call: the handler's first instruction makes it. */
  #endAtSupervisorCall(): void {
    const { code } = this.cpu;
    const offset = SUPERVISOR_CALL % 4096;
    const frame = SUPERVISOR_CALL - offset;
    if (!code.isCode(frame)) code.makePage(frame);
    code.breakAt(frame, offset);
  }

  /** Whether the kernel is as it was, and nothing has been stored into code pages beside the window. */
  isSound(): boolean {
    return this.#sound.every(([now, expected]) => now.equals(expected));
  }

  /**
   * Runs what is loaded.
   * @returns how it ended, one of ENDED; 0 when it executed `fuel` instructions without coming to an end
   */
  run(fuel: number): number {
    const { cpu } = this;
    cpu.setField32(state.FUEL, fuel);
    for (;;) {
      const reason = cpu.step();
      const ended = this.ended();
      if (ended) return ended;
      if (reason === EXIT_FUEL) return 0;
    }
  }

  /** The kind of interruption after which the PSW is that of its handler; 0: the case is still running. */
  ended(): number {
    const address = this.cpu.pswAddress;
    return HANDLERS.find(([handler]) => handler === address)?.[1] ?? 0;
  }

  /** What the case has left behind, to be looked at later. */
  left(kind: number): Left {
    const begin = this.#begin[this.#pool]!;
    const frames = this.#frames.map((now, n) => (now.equals(begin[n]!) ? begin[n]! : Buffer.from(now)));
    const data = (): Uint8Array => {
      const bytes = Buffer.from(this.pools[pool]!);
      for (const [n, frame] of frames.entries()) if (frame !== begin[n]) bytes.set(inOrder(frame), n * 4096);
      return bytes;
    };
    const pool = this.#pool;
    return {
      registers: Buffer.from(this.#registers),
      lowcore: Buffer.from(this.#lowcore),
      frames,
      result: new Result(this.#record(kind), data),
    };
  }

  /** Whether what is there now is the same as what was left before. */
  hasLeft({ registers, lowcore, frames }: Left): boolean {
    return (
      this.#registers.equals(registers) &&
      this.#lowcore.equals(lowcore) &&
      this.#frames.every((now, n) => now.equals(frames[n]!))
    );
  }

  /** As the kernel would store it. */
  #record(kind: number): Uint8Array {
    const { cpu, storage } = this;
    const record = Buffer.alloc(layout.RESULT_SIZE);
    const big = (at: number, from: number, count: number): void => {
      record.set(this.#registers.subarray(from, from + 8 * count), at);
      record.subarray(at, at + 8 * count).swap64();
    };
    big(RESULT.gr, state.GR, 16);
    for (let n = 0; n < 16; n++) big(RESULT.fpr + 8 * n, state.FPR + 16 * n, 1);
    for (let n = 0; n < 64; n++) big(RESULT.vr + 8 * n, state.VR + 8 * (n ^ 1), 1);
    big(RESULT.cr, state.CR, 16);
    record.set(this.#registers.subarray(state.AR, state.AR + 64), RESULT.ar);
    record.subarray(RESULT.ar, RESULT.ar + 64).swap32();
    record.writeUInt32BE(cpu.fpc, RESULT.fpc);
    record.writeUInt32BE(kind, RESULT.kind + 4);
    record.set(storage.read(0x80, 0x180), RESULT.lowcore);
    return record;
  }

  result(kind: number): Result {
    return this.left(kind).result;
  }
}

/** A copy of a frame that lies backwards: doublewords in reverse, and the bytes of each. */
function inOrder(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frame);
  Buffer.from(bytes.buffer).swap64();
  new BigUint64Array(bytes.buffer).reverse();
  return bytes;
}
