/** What generated code for an instruction needs of the function that it is part of: the interpreter's, or a region's. */

import type { FunctionCode, Label } from '../ir/code.ts';
import { loadOp, storeOp } from '../ir/code.ts';
import { type I32, type I64, k32 } from '../ir/expr.ts';
import type { Format } from '../isa/formats.ts';
import type { Millicode } from '../isa/insn.ts';
import * as state from '../state.ts';
import { instructionAddress, loadAt, storeAt } from './addressing.ts';
import type { Handler } from './handlers.ts';
import { EXIT_LEFT, EXIT_PENDING } from './protocol.ts';
import type { Routines } from './routines.ts';

/** What regions of compiled code are made for. */
export interface RegionOptions {
  readonly layout: state.Layout;
  /** The machine has several CPUs, and the host's order of storage accesses is weaker than z/Architecture's. */
  readonly ordered?: boolean;
}

export interface InterpreterOptions extends RegionOptions {
  readonly handlers: readonly Handler[];
  /** Everything, counted; otherwise the fast program. */
  readonly full: boolean;
  /** Host address of the CPU's block, known when the module is made; undefined: read from the imported global `cpu`. */
  readonly cpuBase?: number | undefined;
}

/** A function, and the format of the instruction for which it is called. */
export interface MillicodeCall {
  readonly work: Millicode;
  readonly format: Format;
}

/** A function of its own for an instruction: (record, condition code) -> condition code, or -1 after an exception. */
export interface ApartFunction {
  readonly index: number;
  /** Millicode carries the instruction out in any case. */
  readonly isMillicode: boolean;
}

/** Functions that generated code calls, and what it was made from. */
export interface Parts {
  readonly options: InterpreterOptions;
  readonly handlers: readonly Handler[];
  readonly millicode: MillicodeCall[];
  readonly routines: Routines;
  readonly miss: number;
  /** The function that replaces what the host has no instruction for. */
  readonly multiplyAdd: number | undefined;
  readonly enter: number;
  /** The function of its own that carries out an instruction. */
  readonly apart: (handler: Handler) => ApartFunction;
  readonly imports: Readonly<
    Record<'fetchPage' | 'decode' | 'original' | 'execute' | 'millicode' | 'flush' | 'now' | 'hot', number>
  >;
  /** Type of the functions that regions are; undefined: there are none. */
  readonly regionType: number | undefined;
  readonly cpu: I32;
}

export abstract class Run {
  readonly f: FunctionCode;
  readonly parts: Parts;
  readonly full: boolean;
  /** Base of the CPU's block. */
  readonly cpu: I32;
  /** Host address of the record of the instruction. */
  abstract readonly record: I32;
  abstract readonly condition: I32;
  /** Where an instruction goes that has ended, where to choose a handler again, and where after an exception. */
  abstract readonly next: Label;
  abstract readonly dispatch: Label;
  abstract readonly fault: Label;

  constructor(parts: Parts, f: FunctionCode) {
    this.f = f;
    this.parts = parts;
    this.full = parts.options.full;
    this.cpu = parts.cpu.kind === 'const' ? parts.cpu : f.newLocal('i32');
  }

  load32 = (offset: number): I32 => loadAt('i32', loadOp.i32, this.cpu, offset);
  load64 = (offset: number): I64 => loadAt('i64', loadOp.i64, this.cpu, offset);
  store32 = (offset: number, value: I32): void => storeAt(this.f, storeOp.i32, this.cpu, offset, value);
  store64 = (offset: number, value: I64): void => storeAt(this.f, storeOp.i64, this.cpu, offset, value);

  /** The instruction address. */
  pc(): I64 {
    return instructionAddress(this.cpu, this.record);
  }

  /** Stores what lives in locals into the CPU's block; another address than the instruction's may be given. */
  save(address: I64 = this.pc()): void {
    this.store64(state.PSW_ADDRESS, address);
    this.store32(state.CC, this.condition);
  }

  /** Millicode has changed what the loop relies on, or has recognised an exception. */
  leaveAfterMillicode(): void {
    this.f.return(k32(EXIT_LEFT));
  }

  leave(reason: number, address?: I64): void {
    this.save(address);
    this.f.return(k32(reason));
  }

  /** Leaves before the instruction at `address`, if something is pending. */
  pend(address?: I64): void {
    this.f.ifUnlikely(this.load32(state.PENDING), () => this.leave(EXIT_PENDING, address));
  }

  /** A branch backwards has led to the record. */
  countArrival(): void {}
  /** The instruction at the record, which may be in the CPU's block, follows one that no region has. */
  countFollower(): void {}

  /** Continues at an instruction address. */
  abstract goTo(va: I64): void;
  /** As if from the end of the page before. */
  abstract enter(va: I64): void;
  /** Goes to a record in the CPU's block, as if it were that of the instruction at `address`. */
  abstract divert(to: number, address: I64): void;
  /** Number of the first handler of a storage-to-storage instruction. */
  abstract readonly firstStorageToStorage: number;
}
