/**
 * What an instruction is: a typed row, and the vocabulary in which its semantics are written. A semantic function
 * describes the instruction once, by calls on an `Insn`; the interpreter and the compiler implement `Insn` each in its
 * own way. Order matters: operands are read, exceptions are recognised and storage is probed before anything is
 * changed. Building throws when a row probes after it has changed something (docs/architecture.md, "Probe before
 * commit").
 */

import type { Cpu } from '../cpu.ts';
import type { F32, F64, I32, I64, V128 } from '../ir/expr.ts';
import type { Size } from '../ir/vector.ts';
import type { Format } from './formats.ts';

/** A register operand: the name of a format field, a fixed register number, or a number from 0 to 15 that is computed. */
export type Register = string | number | I32;

/** Which part of the general registers: bits 0-63, 32-63 or 0-31. */
export type RegisterPart = 'gr' | 'gr32' | 'grHigh';

/** Byte offset in a place. */
export type Offset = number | I32;

/** A logical address of an operand, evaluated. */
export interface Address {
  readonly va: I64;
  /** Field of the base register, which selects the access register in AR mode; `instruction`: the instruction space. */
  readonly base: string | 'instruction';
}

/**
 * How a place will be used. `interlocked`: read and written as one, against every other CPU and device. `wide`: the same
 * of sixteen bytes.
 */
export type Access = 'fetch' | 'store' | 'interlocked' | 'wide';

/** Storage that has been probed: using it causes no exception. Offsets are bytes from the operand's leftmost. */
export interface Place {
  load8(offset?: Offset): I32;
  load16(offset?: Offset): I32;
  load32(offset?: Offset): I32;
  load64(offset?: Offset): I64;
  loadF32(offset?: Offset): F32;
  loadF64(offset?: Offset): F64;
  /** Only for places probed with `store` or `interlocked`. */
  store8(value: I32, offset?: Offset): void;
  store16(value: I32, offset?: Offset): void;
  store32(value: I32, offset?: Offset): void;
  store64(value: I64, offset?: Offset): void;
  load128(offset?: Offset): V128;
  store128(value: V128, offset?: Offset): void;
  /** Sixteen bytes on their boundary as one: the left and the right doubleword. */
  loadPair(): readonly [left: I64, right: I64];
  storePair(left: I64, right: I64): void;
  /** Only for `interlocked` places on an integral boundary; each gives the old value. */
  add32(value: I32): I32;
  add64(value: I64): I64;
  and32(value: I32): I32;
  and64(value: I64): I64;
  or32(value: I32): I32;
  or64(value: I64): I64;
  xor32(value: I32): I32;
  xor64(value: I64): I64;
  and8(value: I32): I32;
  or8(value: I32): I32;
  xor8(value: I32): I32;
  /** Stores `replacement` if the place holds `expected`; gives the old value. */
  compareAndSwap32(expected: I32, replacement: I32): I32;
  compareAndSwap64(expected: I64, replacement: I64): I64;
}

/**
 * Ways in which a condition code follows from operands.
 * - signed32/64, unsigned32/64: 0 if a = b, 1 if a < b, 2 if a > b.
 * - logical32/64: 0 if a = 0, else 1.
 * - add32/64, subtract32/64: the signed result 0, <0, >0 or overflow (3); operands are a and b. Overflow causes the
 *   fixed-point-overflow exception where the program mask enables it.
 * - addLogical32/64: a + b: 0 zero no carry, 1 not zero no carry, 2 zero carry, 3 not zero carry.
 * - subtractLogical32/64: a - b: 1 not zero borrow, 2 zero no borrow, 3 not zero no borrow.
 */
export type ConditionKind = 'signed' | 'unsigned' | 'logical' | 'add' | 'subtract' | 'addLogical' | 'subtractLogical';

/** What happens after a millicode function: undefined, go on with the next instruction; LEAVE, the PSW or the mapping changed. */
export type Outcome = number | undefined;
export const LEAVE = 1;

// What a routine gives instead of a value, from which a semantic function goes on.
/** The instruction is to be executed again, pending interruptions first. */
export const AGAIN = 4;
/** Nothing has been done: the case is one for millicode. */
export const BY_MILLICODE = 5;

/** Operand fields of the instruction being executed, as numbers: r1, b2, x2, d2 (signed if long), s2, l1, m3, ... */
export type Operands = Readonly<Record<string, number>>;

/** A function in TypeScript that carries out an instruction, or the rare part of one. Throw to cause an interruption. */
export type Millicode = (cpu: Cpu, operands: Operands) => Outcome | void;

export interface Insn {
  // Fields
  /** An unsigned field. */
  field(name: string): I32;
  /** A signed field (s2). */
  signed(name: string): I32;

  // Registers: reads are evaluated at once. `next` counts registers upwards: 1 is the odd one of a pair.
  gr(register: Register, next?: number): I64;
  /** As `gr`, where it is often an instruction of 32 bits that has set the register: hosts do not pass on a store to a wider load. */
  grOfHalves(register: Register): I64;
  /** Bits 32-63. */
  gr32(register: Register, next?: number): I32;
  /** Bits 0-31. */
  grHigh(register: Register, next?: number): I32;
  setGr(register: Register, value: I64, next?: number): void;
  setGr32(register: Register, value: I32, next?: number): void;
  setGrHigh(register: Register, value: I32, next?: number): void;
  /** Floating-point registers; extended operands are the pair (f, f+2): `next` 2 is the right half. */
  fpr64(register: Register, next?: number): I64;
  fpr32(register: Register): I32;
  fprF64(register: Register): F64;
  fprF32(register: Register): F32;
  setFpr64(register: Register, value: I64, next?: number): void;
  /** Bits 0-31; the rest of the register is unchanged. */
  setFpr32(register: Register, value: I32): void;
  setFprF64(register: Register, value: F64): void;
  setFprF32(register: Register, value: F32): void;
  /** Vector registers. */
  vr(register: Register): V128;
  setVr(register: Register, value: V128): void;
  /** An element of 1 << size bytes, counted from the left, extended with zeros. */
  element(register: Register, size: Size, index: I32): I64;
  /** Sets an element; the rest of the register is unchanged. */
  setElement(register: Register, size: Size, index: I32, value: I64): void;
  ar(register: Register): I32;
  /** A control register. */
  cr(register: Register): I64;
  setAr(register: Register, value: I32): void;
  /** Anything else in the CPU's block, by its offset in cpu/state.ts. */
  state32(offset: number): I32;
  state64(offset: number): I64;
  setState32(offset: number, value: I32): void;
  setState64(offset: number, value: I64): void;
  /** A machine-wide word or doubleword, by its offset in the machine-wide page. */
  machine32(offset: number): I32;
  machine64(offset: number): I64;
  /** The machine's clock, in TOD-clock units. */
  clock(): I64;

  // Values
  /** Evaluates an expression once. */
  let<T extends I32 | I64 | F32 | F64 | V128>(value: T): T;
  /** a × b + c rounded once, to nearest even; or a NaN, where operands are very large or very small. */
  multiplyAdd(a: F64, b: F64, c: F64): F64;

  // Addresses
  /** Base, index and displacement of operand 1 to 4, in the addressing mode. */
  address(operand?: 1 | 2 | 3 | 4): Address;
  /** Storage designated by a relative field. */
  relativeAddress(field: string): Address;
  /** Storage designated by a register, in the addressing mode (MVCL and the like). */
  registerAddress(register: Register): Address;
  /** Address + offset in the addressing mode. */
  offset(address: Address, bytes: I64 | number): Address;
  /** Value of an address, for LOAD ADDRESS and shifts. */
  shiftCount(): I32;
  /** Target of a relative branch. */
  relative(field: string): I64;
  /** Address of the next instruction. */
  next(): I64;
  /** 0: 24-bit, 1: 31-bit, 3: 64-bit. */
  addressingMode(): I32;
  /** A value cut to the addressing mode. */
  toAddress(value: I64): I64;

  // Storage: each probes, then reads or writes.
  load8(address: Address): I32;
  load16(address: Address): I32;
  /** Sign-extended to 32 bits. */
  load8s(address: Address): I32;
  load16s(address: Address): I32;
  load32(address: Address): I32;
  load64(address: Address): I64;
  loadF32(address: Address): F32;
  loadF64(address: Address): F64;
  load128(address: Address): V128;
  store8(address: Address, value: I32): void;
  store16(address: Address, value: I32): void;
  store32(address: Address, value: I32): void;
  store64(address: Address, value: I64): void;
  storeF32(address: Address, value: F32): void;
  storeF64(address: Address, value: F64): void;
  store128(address: Address, value: V128): void;
  /** Probes `size` bytes (at most 256). */
  place(address: Address, size: number, access: Access): Place;
  /** As `place`, the size in bytes being a value from 1 to 256. */
  placeOf(address: Address, size: I32, access: Access): Place;
  /** How many general registers a field pair designates: from `first` to `last`, 0 following 15. */
  registerCount(first: string, last: string): I32;
  /** Loads these registers from consecutive words or doublewords of a place. */
  loadRegisters(place: Place, part: RegisterPart, first: string, last: string): void;
  storeRegisters(place: Place, part: RegisterPart, first: string, last: string): void;
  /** The same for vector registers, of which the first has the lower number. */
  loadVectors(place: Place, first: string, last: string): void;
  storeVectors(place: Place, first: string, last: string): void;

  // Condition code
  cc32(kind: ConditionKind, a: I32, b?: I32): void;
  cc64(kind: ConditionKind, a: I64, b?: I64): void;
  /** As the kinds add and subtract, for a signed result of which is known whether it overflowed (0 or 1). */
  ccResult32(result: I32, overflow: I32): void;
  ccResult64(result: I64, overflow: I32): void;
  /** As the kind addLogical, for a result of which is known whether there was a carry (0 or 1). */
  ccCarried32(result: I32, carry: I32): void;
  ccCarried64(result: I64, carry: I32): void;
  /** Sets the condition code to a value of 0 to 3. */
  setCc(value: I32): void;
  cc(): I32;
  /** 1 if the condition code is one that the mask field (or constant) selects. */
  condition(mask: string | number): I32;
  /** As `condition` for a comparison that leaves the condition code alone. */
  compare32(kind: 'signed' | 'unsigned', mask: string, a: I32, b: I32): I32;
  compare64(kind: 'signed' | 'unsigned', mask: string, a: I64, b: I64): I32;

  // Control
  /**
   * Goes to `target` (in the addressing mode) if the condition is 1, else does something and goes to the next
   * instruction. Ends the function.
   */
  branch(condition: I32, target: I64, otherwise?: () => void): void;
  /** If the condition is 1, other CPUs see everything stored before, before anything is fetched that comes after. */
  serialize(condition?: I32): void;
  if(condition: I32, then: () => void, otherwise?: () => void): void;
  /** As `if`, and the condition rarely holds. */
  ifUnlikely(condition: I32, then: () => void, otherwise?: () => void): void;
  /** Repeats the body while the condition holds; temporaries inside are evaluated anew each round. */
  while(condition: () => I32, body: () => void): void;
  /** A variable that loops and conditional parts can set. */
  variable32(initial: I32): { get(): I32; set(value: I32): void };
  variable64(initial: I64): { get(): I64; set(value: I64): void };

  // Exceptions
  /** Program interruption when the condition holds; nothing may have been changed before unless it is one that completes. */
  programIf(condition: I32, code: number): void;
  /** Data exception with this data-exception code when the condition holds. */
  dataIf(condition: I32, dxc: number): void;
  /** Compare-and-trap data exception (DXC FF) when the condition holds; it completes the instruction. */
  trapIf(condition: I32): void;
  /** Specification exception unless the register number is even. */
  even(register: string): void;
  /** Specification exception unless the pair (0, 2), (1, 3), (4, 6), ... is valid. */
  floatingPair(register: string): void;
  /** Specification exception unless the address is a multiple of `boundary`. */
  aligned(address: Address, boundary: number): void;

  // The rest
  /** Executes the instruction at the address, its second byte combined with the register's last by OR (EX, EXRL). */
  execute(target: Address, register: string): void;
  /** Carries the instruction out in millicode. Operands are the row's fields. */
  millicode(work: Millicode): void;
  /**
   * Replaces parts of what is in control: the PSW, control registers. What is usual does a routine of
   * engine/routines/control.ts, which sets all that changes, the PSW address included; the rest, and everything in the
   * full program, millicode. The routine must be the last of the semantics.
   */
  control(routine: string, work: Millicode, ...args: I32[]): void;
  /** Has millicode trace a branch, its target in OPERAND, when the condition holds and CR12 asks for it. */
  traceBranch(condition: I32, target: I64, work: Millicode): void;
  /** Runs a routine of engine/routines.ts: it probes for itself, may fault, and gives a value. */
  routine(name: string, ...args: (I32 | I64 | Address)[]): I32;
  /** When the condition holds, the instruction is executed again, pending interruptions first (interruptible ones). */
  repeatIf(condition: I32): void;
}

export type Semantics = (i: Insn) => void;

/** What else is to be known of an instruction: what must allow it, what it is usually like. */
export interface Conditions {
  /** Privileged-operation exception in the problem state. */
  readonly privileged?: true;
  /** Data exception unless the AFP-register control is one: DXC 1 (registers), 2 (BFP), 3 (DFP), FE (vector). */
  readonly additionalFloatingPoint?: 'register' | 'bfp' | 'dfp' | 'vector';
  /** EXECUTE may not have it as its target (execute exception). */
  readonly notExecutable?: true;
  /** It may branch: its own address matters also when EXECUTE has it as its target. */
  readonly branches?: true;
  /** The second operand is a shift amount, mostly a constant. */
  readonly shift?: true;
  /** The mask field with the size of elements, and the letters of the sizes in extended mnemonics; `-` where there is none. */
  readonly sizes?: Readonly<Record<string, string>>;
  /** The fields with the format of floating-point elements, and with the single-element control. */
  readonly floatingFields?: readonly [format: string, single: string];
  /** The interpreter has a function of its own for it, so that what is long does not burden the others. */
  readonly apart?: true;
  /** Operand fields so frequent that the interpreter has handlers of their own for them. */
  readonly usual?: readonly Readonly<Record<string, number>>[];
}

export interface Instruction extends Conditions {
  readonly mnemonic: string;
  /** One byte, two bytes, or one byte and a four-bit extension: 0x1a, 0xb904, 0xa79 for X'A7.9'. */
  readonly opcode: number;
  readonly format: Format;
  /**
   * STFLE bit of the facility that brings it; 'z' for what every z/Architecture CPU has; the name of a feature of CPU
   * models that no bit tells of.
   */
  readonly facility: number | 'z' | 'cmm';
  readonly semantics: Semantics;
}

/** One row of an instruction table. */
export const insn = (
  mnemonic: string,
  opcode: number,
  format: Format,
  facility: Instruction['facility'],
  semantics: Semantics,
  conditions: Conditions = {},
): Instruction => ({ mnemonic, opcode, format, facility, semantics, ...conditions });
