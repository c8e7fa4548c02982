/**
 * One CPU: its registers as TypeScript sees them, the storage accesses that compiled code cannot do by itself, and the
 * loop that runs instructions. Everything that lasts is in the CPU's block of linear memory (state.ts), so that any
 * thread can look at a stopped CPU.
 */

import type { Storage } from '../machine/storage.ts';
import { CodePages } from './code-pages.ts';
import { AccessFault, Translator } from './dat.ts';
import {
  ACCESS_AR_SHIFT,
  ACCESS_INSTRUCTION,
  ACCESS_INTERLOCKED,
  ACCESS_SIZE_SHIFT,
  ACCESS_STORE,
  buildInterpreter,
  EXIT_PROGRAM,
  type Handler,
  handlersOf,
} from './engine/interpreter.ts';
import { Interruptions } from './interruptions.ts';
import { Decoder, operandsOf } from './isa/decode.ts';
import { instructionLength } from './isa/formats.ts';
import type { Instruction, Millicode } from './isa/insn.ts';
import { invalidInstructions } from './isa/invalid.ts';
import * as program from './program.ts';
import { ProgramInterruption } from './program.ts';
import { PSW_DAT, PSW_EA, Registers } from './registers.ts';
import * as state from './state.ts';
import { Tlb } from './tlb.ts';

const AFP_REGISTER_CONTROL = 1n << 18n;

interface Built {
  readonly module: WebAssembly.Module;
  readonly millicode: readonly Millicode[];
}

const programsOf = new WeakMap<readonly Instruction[], Map<string, Built>>();

/** Why `run` came back. */
export type Stop = 'pending' | 'wait' | 'fuel';

export class Cpu extends Registers {
  readonly storage: Storage;
  readonly rows: readonly Instruction[];
  readonly handlers: readonly Handler[];
  readonly decoder: Decoder<Instruction>;
  readonly tlb: Tlb;
  readonly code: CodePages;
  readonly dat: Translator;
  readonly interruptions: Interruptions;
  /** Absolute frame number of the page from which instructions are being fetched. */
  executingFrame = -1;
  readonly #runs = new Map<'fast' | 'full', () => number>();
  /** Stores in the bounce buffer that are to be carried to storage: pairs of absolute address and length. */
  readonly #bounced: number[] = [];
  #fetchBounce = 0;
  #bounceHost = 0;

  /** @param rows the instructions that this CPU has */
  constructor(storage: Storage, number: number, rows: readonly Instruction[]) {
    super(storage.memory, storage.layout, number);
    this.storage = storage;
    this.rows = rows;
    this.handlers = handlersOf([...rows, ...invalidInstructions]);
    this.decoder = new Decoder(rows);
    this.tlb = new Tlb(storage.memory.buffer, this.base + state.TLB);
    this.code = new CodePages(this);
    this.dat = new Translator(this);
    this.interruptions = new Interruptions(this);
  }

  /** SET PREFIX: the real addresses of two 4 KiB pages move, so nothing known about storage holds any more. */
  changePrefix(value: number): void {
    this.prefix = value;
    this.tlb.purge();
  }

  override setPsw(mask: bigint, address: bigint): void {
    super.setPsw(mask, address);
    this.mappingChanged();
  }

  /** Finds the TLB contexts that the PSW and the control registers now designate. */
  mappingChanged(): void {
    this.setField32(state.FETCH_CONTEXT, this.dat.fetchContext());
    this.setField32(state.DATA_CONTEXT, this.dat.dataContext());
  }

  /** Address and length of the instruction that is being carried out: EXECUTE's own while its target runs. */
  currentInstruction(): { address: bigint; length: number } {
    const executing = this.field32(state.EXECUTING);
    const address = this.pswAddress;
    if (executing) return { address: address - BigInt((executing & 0xff) - 8), length: executing >>> 8 };
    return { address, length: this.#lengthAt(address) };
  }

  #lengthAt(address: bigint): number {
    const frame = this.dat.quietly(address);
    return frame === undefined ? 0 : instructionLength(this.storage.read8(frame));
  }

  // Storage accesses that compiled code asks for

  /** Import `miss` of the interpreter: host address of an operand, or 0 when a program interruption is pending. */
  #miss(low: number, high: number, kind: number): number {
    const size = (kind >>> ACCESS_SIZE_SHIFT) & 0xfff;
    const store = (kind & (ACCESS_STORE | ACCESS_INTERLOCKED)) !== 0;
    const offset = low & 0xfff;
    try {
      const context = this.dat.contextOf((kind & ACCESS_INSTRUCTION) !== 0, (kind >>> ACCESS_AR_SHIFT) - 1);
      if (offset + size > 4096) return this.#bounce(low, high, size, store, context);
      const absolute = this.dat.fill(context, low, high, size, store);
      if (store && this.code.isCode(absolute & ~0xfff)) {
        if (kind & ACCESS_INTERLOCKED) this.code.changed(absolute, size);
        else return this.#bounceTo(size, store, [absolute], [size]);
      }
      return this.#host(absolute);
    } catch (fault) {
      return this.#caught(fault);
    }
  }

  /** Host pointer for an absolute address, as the engine wants it: BIAS below the address past the operand's first byte. */
  #host(absolute: number): number {
    return (this.layout.top - state.BIAS - absolute) | 0;
  }

  /** An operand on two pages: collected in the bounce buffer. */
  #bounce(low: number, high: number, size: number, store: boolean, context: number): number {
    const first = 4096 - (low & 0xfff);
    const at = this.dat.fill(context, low, high, first, store);
    const next = (low >>> 0) + first;
    const nextHigh = next > 0xffff_ffff ? high + 1 : high;
    const { nextLow, nextHigh: wrapped } = this.#wrap(next | 0, nextHigh | 0);
    const second = this.dat.fill(context, nextLow, wrapped, size - first, store);
    return this.#bounceTo(size, store, [at, second], [first, size - first]);
  }

  #wrap(low: number, high: number): { nextLow: number; nextHigh: number } {
    const mask = this.addressMask;
    return { nextLow: low & Number(BigInt.asIntN(32, mask)), nextHigh: high & Number(BigInt.asIntN(32, mask >> 32n)) };
  }

  /** Three slots: two operands that are fetched and one that is stored may be needed at once. */
  #bounceTo(size: number, store: boolean, addresses: readonly number[], lengths: readonly number[]): number {
    const slot = store ? 2 : (this.#fetchBounce ^= 1);
    const end = this.base + state.BOUNCE + (slot + 1) * 256;
    let at = end;
    addresses.forEach((address, n) => {
      at -= lengths[n]!;
      const from = this.layout.top - address - lengths[n]!;
      this.u8.copyWithin(at, from, from + lengths[n]!);
    });
    if (store) {
      this.#bounced.length = 0;
      addresses.forEach((address, n) => void this.#bounced.push(address, lengths[n]!));
      this.#bounceHost = end;
    }
    return end - state.BIAS;
  }

  /** Import `flush`: carries what was stored into the bounce buffer to storage. */
  #flush(): void {
    let at = this.#bounceHost;
    for (let n = 0; n < this.#bounced.length; n += 2) {
      const address = this.#bounced[n]!;
      const length = this.#bounced[n + 1]!;
      at -= length;
      this.u8.copyWithin(this.layout.top - address - length, at, at + length);
      this.code.changed(address, length);
    }
    this.#bounced.length = 0;
  }

  /** Import `fetchPage`: makes the TLB entry for fetching at the PSW address good; 0 after an exception. */
  #fetchPage(): number {
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    const low = this.i32[word]!;
    const high = this.i32[word + 1]!;
    try {
      this.dat.fillCode(low, high);
      return 1;
    } catch (fault) {
      return this.#caught(fault);
    }
  }

  /** Import `decode`: handler of the instruction at the PSW address; -1 after an exception. */
  #decode(): number {
    const word = (this.base + state.PSW_ADDRESS) >>> 2;
    try {
      return this.#decodeAt(this.i32[word]!, this.i32[word + 1]!, false);
    } catch (fault) {
      this.#caught(fault);
      return -1;
    }
  }

  /** Decodes at a virtual address, gathering an instruction that continues on the next page in INSTRUCTION. */
  #decodeAt(low: number, high: number, executed: boolean, modifier = 0): number {
    const absolute = this.dat.fillCode(low, high);
    const offset = low & 0xfff;
    const frame = absolute - offset;
    const length = instructionLength(this.storage.read8(absolute));
    const crossing = offset + length > 4096;
    if (!crossing && !executed) return this.code.decodeAt(frame, offset);
    this.code.pageOf(frame);
    const text = new Uint8Array(6);
    const here = Math.min(length, 4096 - offset);
    text.set(this.storage.read(absolute, here));
    if (crossing) {
      this.code.decodeAt(frame, offset);
      const next = (low >>> 0) + here;
      const { nextLow, nextHigh } = this.#wrap(next | 0, (next > 0xffff_ffff ? high + 1 : high) | 0);
      text.set(this.storage.read(this.dat.fillCode(nextLow, nextHigh), length - here), here);
    }
    text[1]! |= modifier;
    const upper = (text[0]! << 8) | text[1]!;
    const lower = ((text[2]! << 24) | (text[3]! << 16) | (text[4]! << 8) | text[5]!) >>> 0;
    this.setField64(state.INSTRUCTION, (BigInt(upper) << 48n) | (BigInt(lower) << 16n));
    return this.code.handlerOf(upper, lower, executed);
  }

  /** Import `execute`: handler of EXECUTE's target, the text in INSTRUCTION; -1 after an exception. */
  #execute(low: number, high: number, modifierAndLength: number): number {
    try {
      const handler = this.#decodeAt(low, high, true, modifierAndLength & 0xff);
      const first = Number(this.field64(state.INSTRUCTION) >> 56n);
      const row = this.decoder.decode(
        Number(this.field64(state.INSTRUCTION) >> 48n),
        Number((this.field64(state.INSTRUCTION) >> 16n) & 0xffff_ffffn),
      );
      if (row?.notExecutable) throw new ProgramInterruption(program.EXECUTE);
      const length = modifierAndLength >>> 8;
      this.setField64(state.EXECUTE_TARGET, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
      this.setField32(state.EXECUTING, (length << 8) | (8 + length - instructionLength(first)));
      return handler;
    } catch (fault) {
      this.#caught(fault);
      return -1;
    }
  }

  /** Turns what a translation threw into the state that `run` delivers; anything else goes on up. */
  #caught(fault: unknown): number {
    if (fault instanceof AccessFault || fault instanceof ProgramInterruption) {
      this.setField32(state.PROGRAM_CODE, fault.code);
      this.#pendingFault = fault;
      return 0;
    }
    throw fault;
  }
  #pendingFault: AccessFault | ProgramInterruption | undefined;

  /** Stores to the frame at this absolute address must come through `miss` from now on. */
  storesMustAsk(frame: number): void {
    this.tlb.forgetStores((addend, page) => (this.layout.top - state.BIAS + page - addend) >>> 0 === frame);
  }

  // Running

  #interpreter(kind: 'fast' | 'full'): () => number {
    const known = this.#runs.get(kind);
    if (known) return known;
    const built = this.#build(kind === 'full');
    const env = {
      memory: this.storage.memory,
      cpu: this.base,
      miss: (low: number, high: number, access: number) => this.#miss(low, high, access),
      fetchPage: () => this.#fetchPage(),
      decode: () => this.#decode(),
      execute: (low: number, high: number, how: number) => this.#execute(low, high, how),
      millicode: (id: number) => this.#millicode(built.millicode[id]!),
      flush: () => this.#flush(),
    };
    const instance = new WebAssembly.Instance(built.module, { env });
    const run = instance.exports.run as () => number;
    this.#runs.set(kind, run);
    return run;
  }

  /** Building takes a while, so that programs for the same table at the same place are kept. */
  #build(full: boolean): Built {
    const programs = programsOf.get(this.rows) ?? new Map<string, Built>();
    programsOf.set(this.rows, programs);
    const key = `${full} ${this.base} ${JSON.stringify(this.layout)}`;
    const known = programs.get(key);
    if (known) return known;
    const program = buildInterpreter({ handlers: this.handlers, layout: this.layout, full, cpuBase: this.base });
    const built = { module: new WebAssembly.Module(program.bytes), millicode: program.millicode };
    programs.set(key, built);
    return built;
  }

  #millicode(work: (cpu: Cpu, operands: Readonly<Record<string, number>>) => number | undefined | void): number {
    const text = this.field64(state.INSTRUCTION);
    const upper = Number(text >> 48n);
    const lower = Number((text >> 16n) & 0xffff_ffffn);
    const { format } = this.decoder.decode(upper, lower)!;
    return work(this, operandsOf(format, upper, lower)) ?? 0;
  }

  /** The fast program takes for granted what guests nearly always have set. */
  #programFor(): 'fast' | 'full' {
    const mask = this.pswMask;
    const accessRegisterMode = (mask & (PSW_DAT | (3n << 46n))) === (PSW_DAT | (1n << 46n));
    const fast =
      (mask & PSW_EA) !== 0n && !accessRegisterMode && (this.cr(0) & AFP_REGISTER_CONTROL) !== 0n && !this.counted;
    return fast ? 'fast' : 'full';
  }

  /** Instructions are to be counted, and FUEL to be obeyed. */
  counted = false;

  /** Runs until the loop must be left, delivering program interruptions on the way. Returns EXIT_*. */
  step(): number {
    const kind = this.#programFor();
    if (!this.counted) this.setField32(state.FUEL, 0x7fff_ffff);
    let reason: number;
    try {
      reason = this.#interpreter(kind)();
    } catch (thrown) {
      if (!(thrown instanceof ProgramInterruption || thrown instanceof AccessFault)) throw thrown;
      this.#pendingFault = thrown;
      reason = EXIT_PROGRAM;
    }
    if (reason === EXIT_PROGRAM) {
      const fault =
        this.#pendingFault ?? new ProgramInterruption(this.field32(state.PROGRAM_CODE), this.field32(state.DXC));
      this.#pendingFault = undefined;
      this.interruptions.program(fault);
    }
    this.setField32(state.EXECUTING, 0);
    return reason;
  }
}
