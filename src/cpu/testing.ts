/**
 * A small machine for unit tests: one CPU, a program in assembler language, and a look at what it did. A test reads
 *
 *     const m = machine('agr %r2,%r3').gr(2, 5).gr(3, 7).run();
 *     assert.equal(m.cpu.gr(2), 12n);
 *     assert.equal(m.cc, 2);
 */

import { Storage } from '../machine/storage.ts';
import { compileHere } from './compiler.ts';
import { Cpu } from './cpu.ts';
import { EXIT_FUEL } from './engine/protocol.ts';
import { Assembler, type Program } from './isa/assemble.ts';
import { instructions } from './isa/index.ts';
import type { Instruction } from './isa/insn.ts';
import { OPERATION } from './program.ts';
import { CR0_AFP, CR0_VECTOR, PSW_BA, PSW_EA, PSW_WAIT } from './registers.ts';
import * as state from './state.ts';

/** Where the program begins: data near it is within reach of a displacement without base. */
export const ORIGIN = 0x400;
/** Loaded by every program interruption: a disabled wait. */
const STOPPED = 0xdead_0000n;

export interface Options {
  /** Assembled behind the program and its end; labels of it may be used in the program. */
  readonly data?: string;
  readonly rows?: readonly Instruction[];
  /** Bytes. */
  readonly storageSize?: number;
  /** PSW bits 0-63; 64-bit mode, supervisor state, DAT off unless given. */
  readonly mask?: bigint;
}

/** A program interruption as the lowcore tells of it. */
export interface Interruption {
  readonly code: number;
  /** Instruction length in bytes. */
  readonly length: number;
  /** Data-exception code. */
  readonly dxc: number;
  /** Translation-exception identification. */
  readonly teid: bigint;
  readonly oldMask: bigint;
  readonly oldAddress: bigint;
}

const assemblers = new WeakMap<readonly Instruction[], Assembler>();

export class TestMachine {
  readonly storage: Storage;
  readonly cpu: Cpu;
  readonly program: Program;
  /** The program interruption that ended the program, unless it came to its end. */
  interruption: Interruption | undefined;

  constructor(
    source: string,
    { data = '', rows = instructions, storageSize = 0x200000, mask = PSW_EA | PSW_BA }: Options,
  ) {
    const layout = state.planLayout(1, storageSize);
    const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
    this.storage = new Storage(memory, layout);
    this.cpu = new Cpu(this.storage, 0, rows);
    const assembler = assemblers.get(rows) ?? new Assembler(rows);
    assemblers.set(rows, assembler);
    this.program = assembler.assemble(`${source}\nend$: .short 0\n.balign 16\n${data}`, ORIGIN);
    this.storage.write(ORIGIN, this.program.bytes);
    this.storage.write64(0x1d0, PSW_WAIT | PSW_EA | PSW_BA);
    this.storage.write64(0x1d8, STOPPED);
    // As guests have it.
    this.cpu.setCr(0, BigInt(CR0_AFP | CR0_VECTOR));
    this.cpu.counted = true;
    this.cpu.setPsw(mask, BigInt(ORIGIN));
  }

  // State before the program runs; each gives the machine itself.

  gr(n: number, value: bigint | number): this {
    this.cpu.setGr(n, BigInt.asUintN(64, BigInt(value)));
    return this;
  }
  fpr(n: number, value: bigint): this {
    this.cpu.setFpr(n, value);
    return this;
  }
  /** A vector register: hexadecimal digits from the left, zeros behind them. */
  vr(n: number, digits: string): this {
    this.cpu.setVr(n, BigInt(`0x${digits.replaceAll(' ', '').padEnd(32, '0')}`));
    return this;
  }
  ar(n: number, value: number): this {
    this.cpu.setAr(n, value);
    return this;
  }
  cr(n: number, value: bigint): this {
    this.cpu.setCr(n, value);
    this.cpu.mappingChanged();
    return this;
  }
  fpc(value: number): this {
    this.cpu.fpc = value;
    return this;
  }
  setCc(value: number): this {
    this.cpu.cc = value;
    return this;
  }
  /** Bytes in hexadecimal, to an absolute address or a label. */
  store(where: number | string, hex: string): this {
    this.storage.write(
      this.at(where),
      hex.match(/[\da-f]{2}/gi)!.map(digits => Number.parseInt(digits, 16)),
    );
    return this;
  }
  /** Not counted, so that the fast program is used where the PSW allows it. The program must come to an end. */
  fast(): this {
    this.cpu.counted = false;
    return this;
  }

  /** As `fast`, with the program compiled as far as it can be. */
  compiled(thorough = true): this {
    this.fast();
    compileHere(this.cpu, thorough);
    return this;
  }

  /**
   * Runs to the end of the program, to a program interruption, or to a wait PSW.
   * @param instructions how many it may execute
   * @throws Error when it executes more
   */
  run(instructions = 100_000): this {
    const { cpu } = this;
    if (cpu.counted) cpu.setField32(state.FUEL, instructions);
    while ((cpu.pswMask & PSW_WAIT) === 0n) {
      if (cpu.step() === EXIT_FUEL) throw new Error(`still running at ${cpu.pswAddress.toString(16)}`);
    }
    if (cpu.pswAddress === STOPPED) this.#interrupted();
    return this;
  }

  #interrupted(): void {
    const { cpu, storage } = this;
    const lowcore = cpu.prefix;
    const interruption = {
      code: storage.read16(lowcore + 0x8e),
      length: storage.read8(lowcore + 0x8d),
      dxc: storage.read32(lowcore + 0x90),
      teid: storage.read64(lowcore + 0xa8),
      oldMask: storage.read64(lowcore + 0x150),
      oldAddress: storage.read64(lowcore + 0x158),
    };
    cpu.setPsw(interruption.oldMask, interruption.oldAddress);
    const end = this.program.symbols.get('end$')!;
    const ended = interruption.code === OPERATION && interruption.oldAddress === end + 2n;
    this.interruption = ended ? undefined : interruption;
  }

  // What it did

  /** Condition code of the PSW, or of the program-old PSW. */
  get cc(): number {
    return this.cpu.cc;
  }
  /** The digits of a vector register. */
  vector(n: number): string {
    return this.cpu.vr(n).toString(16).padStart(32, '0');
  }
  /** Bytes at an absolute address or label, in hexadecimal. */
  hex(where: number | string, length: number): string {
    return Array.from(this.storage.read(this.at(where), length), byte => byte.toString(16).padStart(2, '0')).join('');
  }
  /** Absolute address of a label. */
  at(where: number | string): number {
    if (typeof where === 'number') return where;
    const address = this.program.symbols.get(where);
    if (address === undefined) throw new Error(`the program has no label ${where}`);
    return Number(address);
  }
}

/** A machine with a program, ready to run. */
export const machine = (source: string, options: Options = {}): TestMachine => new TestMachine(source, options);
