/**
 * What the compiler must know of an instruction before it makes code for it: which general registers it reads and
 * writes and how wide, what it does to the condition code, whether it may end early. Found once for each row and those
 * of its fields that decide, by running its semantics without making code.
 */

import * as x from '../ir/expr.ts';
import { type F32, type F64, type I32, type I64, k32, type V128 } from '../ir/expr.ts';
import type { Access, Address, ConditionKind, Insn, Instruction, Place, Register, RegisterPart } from '../isa/insn.ts';
import { CR0_AFP, CR0_VECTOR } from '../registers.ts';
import * as state from '../state.ts';

/** How a condition code can be kept: as a value, or as operands from which it follows. */
export type CodeKind =
  | 'value'
  | `${ConditionKind | 'result' | 'carried'}32`
  | `${Exclude<ConditionKind, never> | 'result' | 'carried'}64`;

/** Sets of general registers as bits. */
export interface Facts {
  /** Bits 0-31 are looked at before the whole register has been set. */
  readonly readsWhole: number;
  readonly readsLow: number;
  /** Set as a whole, in any case. */
  readonly writesWhole: number;
  readonly writesLow: number;
  /** Set in some cases only. */
  readonly mayWrite: number;
  /** How the condition code is set, undefined: not at all. */
  readonly code: CodeKind | undefined;
  /** In some cases the condition code stays. */
  readonly mayKeepCode: boolean;
  readonly usesCode: boolean;
  /** The instruction may end before it has changed anything. */
  readonly mayExit: boolean;
  readonly needs: Needs;
  /** Left to the interpreter. */
  readonly interpreted: boolean;
  /** The routine that is called, and whether it sets general registers in the CPU's block, and stores. */
  readonly routine: string | undefined;
  readonly setsRegisters: boolean;
  readonly stores: boolean;
  /** Its operands in storage that are a base register (0: none) and a displacement, as far as their sizes are known. */
  readonly operands: readonly StorageOperand[];
}

/** An operand in storage: bytes from the address in a base register on. */
export interface StorageOperand {
  readonly register: number;
  readonly from: number;
  readonly end: number;
  readonly stores: boolean;
}

/** The operand of that number, if it is a base register and a displacement, and its size is known. */
export function storageOperand(
  fields: Readonly<Record<string, number>>,
  operand: number,
  size: number,
  stores: boolean,
): StorageOperand | undefined {
  if (fields[INDEXES[operand]!] || !size) return undefined;
  const from = fields[DISPLACEMENTS[operand]!]!;
  return { register: fields[BASES[operand]!]!, from, end: from + size, stores };
}

/** Routines that leave the general registers alone; those that store nothing. */
const WITHOUT_REGISTERS = new Set(
  'LRA STURG ESSA MVC MVN MVZ NC OC XC CLC TR AP SP ZAP CP MP DP SRP PACK UNPK'.split(' '),
);
const WITHOUT_STORES = new Set('LRA STURG ESSA CLC CP CLCL CLCLE SRST CLST TRT TRTR CKSM CVB CVBG'.split(' '));

/** Instructions that change PSW bits 6 and 7 only, unless millicode carries them out. */
const SYSTEM_MASK = new Set('SSM STNSM STOSM'.split(' '));

/**
 * How a storage-to-storage instruction is written out in a region: as a copy, as a comparison of numbers, as storing
 * zeros. Undefined: by the routine.
 */
export function writtenOut(
  routine: string,
  length: number | undefined,
  { b1, d1, b2, d2 }: Readonly<Record<string, number>>,
): 'copy' | 'compare' | 'clear' | undefined {
  if (length === undefined) return undefined;
  const distance = b1 === b2 ? d1! - d2! : undefined;
  if (routine === 'MVC' && length <= 64 && !(distance! > 0 && distance! < length)) return 'copy';
  if (routine === 'CLC' && (length === 1 || length === 2 || length === 4 || length === 8)) return 'compare';
  return routine === 'XC' && distance === 0 ? 'clear' : undefined;
}

/** A field that is not known when code is made. */
export const UNKNOWN = -1;

/** Names of fields by the number of the operand. */
export const BASES = ['', 'b1', 'b2', 'b3', 'b4'];
export const INDEXES = ['', 'x1', 'x2', 'x3', 'x4'];
export const DISPLACEMENTS = ['', 'd1', 'd2', 'd3', 'd4'];

/** What must hold for a region to be entered. */
export interface Needs {
  /** Fixed-point overflow must not interrupt. */
  readonly quietOverflow: boolean;
  /** Bits of CR0 that must be one: the AFP-register control, the vector-enablement control. */
  readonly controls: number;
  readonly supervisor: boolean;
}

type Use = readonly [register: string | number, next: number];

/** Facts with names of fields in place of numbers. */
interface Pattern {
  readonly readsWhole: Use[];
  readonly readsLow: Use[];
  readonly writesWhole: Use[];
  readonly writesLow: Use[];
  readonly mayWrite: Use[];
  readonly addresses: string[];
  readonly shifts: string[];
  readonly even: string[];
  readonly ranges: { way: 'load' | 'store'; part: RegisterPart; first: string; last: string; always: boolean }[];
  code: CodeKind | undefined;
  mayKeepCode: boolean;
  usesCode: boolean;
  mayExit: boolean;
  needs: { quietOverflow: boolean; controls: number; supervisor: boolean };
  interpreted: boolean;
  everyRegister: boolean;
  routine: string | undefined;
  /** Size 0: that of the registers in `ranges`. */
  readonly operands: { operand: number; size: number; stores: boolean }[];
}

/** Fields whose values decide what an instruction does. */
const DECISIVE = ['m1', 'm3', 'm4', 'm5', 'm6', 'i3', 'i4', 'i5'];

const I32_VALUE: I32 = x.local('i32', 0);
/** What a comparison that is written out gives. */
export const COMPARED: I32 = x.local('i32', 0);
const I64_VALUE: I64 = x.local('i64', 0);
const F32_VALUE: F32 = x.local('f32', 0);
const F64_VALUE: F64 = x.local('f64', 0);
const V128_VALUE: V128 = x.local('v128', 0);

class FactsPlace implements Place {
  load8 = (): I32 => I32_VALUE;
  load16 = (): I32 => I32_VALUE;
  load32 = (): I32 => I32_VALUE;
  load64 = (): I64 => I64_VALUE;
  loadF32 = (): F32 => F32_VALUE;
  loadF64 = (): F64 => F64_VALUE;
  load8s = (): I32 => I32_VALUE;
  load16s = (): I32 => I32_VALUE;
  store8 = (): void => {};
  store16 = (): void => {};
  store32 = (): void => {};
  store64 = (): void => {};
  storeF32 = (): void => {};
  storeF64 = (): void => {};
  load128 = (): V128 => V128_VALUE;
  store128 = (): void => {};
  loadPair = (): readonly [I64, I64] => [I64_VALUE, I64_VALUE];
  storePair = (): void => {};
  add32 = (): I32 => I32_VALUE;
  add64 = (): I64 => I64_VALUE;
  and32 = (): I32 => I32_VALUE;
  and64 = (): I64 => I64_VALUE;
  or32 = (): I32 => I32_VALUE;
  or64 = (): I64 => I64_VALUE;
  xor32 = (): I32 => I32_VALUE;
  xor64 = (): I64 => I64_VALUE;
  and8 = (): I32 => I32_VALUE;
  or8 = (): I32 => I32_VALUE;
  xor8 = (): I32 => I32_VALUE;
  compareAndSwap32 = (): I32 => I32_VALUE;
  compareAndSwap64 = (): I64 => I64_VALUE;
}
const PLACE = new FactsPlace();

/** `Insn` that makes no code: it takes note. */
class FactsInsn implements Insn {
  readonly pattern: Pattern = {
    readsWhole: [],
    readsLow: [],
    writesWhole: [],
    writesLow: [],
    mayWrite: [],
    addresses: [],
    shifts: [],
    even: [],
    ranges: [],
    code: undefined,
    mayKeepCode: false,
    usesCode: false,
    mayExit: false,
    needs: { quietOverflow: false, controls: 0, supervisor: false },
    interpreted: false,
    everyRegister: false,
    routine: undefined,
    operands: [],
  };
  readonly #row: Instruction;
  readonly #fields: Readonly<Record<string, number>>;
  #depth = 0;

  constructor(row: Instruction, fields: Readonly<Record<string, number>>) {
    this.#row = row;
    this.#fields = fields;
    const { needs } = this.pattern;
    if (row.privileged) needs.supervisor = true;
    if (row.additionalFloatingPoint) {
      needs.controls = row.additionalFloatingPoint === 'vector' ? CR0_AFP | CR0_VECTOR : CR0_AFP;
    }
    if (row.branches) this.pattern.mayExit = true;
  }

  field(name: string): I32 {
    if (name === 'l1' && this.#fields.l1 !== UNKNOWN) return k32(this.#fields.l1!);
    const decides = DECISIVE.includes(name) || (name === 'r2' && this.#row.branches);
    return decides ? k32(this.#fields[name]!) : I32_VALUE;
  }
  signed(): I32 {
    return I32_VALUE;
  }

  #note(list: Use[], register: Register, next: number): void {
    if (typeof register === 'object') this.pattern.everyRegister = true;
    else list.push([register, next]);
  }
  gr(register: Register, next = 0): I64 {
    this.#note(this.pattern.readsWhole, register, next);
    return I64_VALUE;
  }
  grOfHalves(register: Register): I64 {
    return this.gr(register);
  }
  gr32(register: Register, next = 0): I32 {
    this.#note(this.pattern.readsLow, register, next);
    return I32_VALUE;
  }
  grHigh(register: Register, next = 0): I32 {
    this.#note(this.pattern.readsWhole, register, next);
    return I32_VALUE;
  }
  setGr(register: Register, _: I64, next = 0): void {
    this.#note(this.#depth ? this.pattern.mayWrite : this.pattern.writesWhole, register, next);
  }
  setGr32(register: Register, _: I32, next = 0): void {
    this.#note(this.#depth ? this.pattern.mayWrite : this.pattern.writesLow, register, next);
  }
  setGrHigh(register: Register, _: I32, next = 0): void {
    this.#note(this.pattern.mayWrite, register, next);
  }
  fpr64(): I64 {
    return I64_VALUE;
  }
  fpr32(): I32 {
    return I32_VALUE;
  }
  fprF64(): F64 {
    return F64_VALUE;
  }
  fprF32(): F32 {
    return F32_VALUE;
  }
  setFpr64(): void {}
  setFpr32(): void {}
  setFprF64(): void {}
  setFprF32(): void {}
  vr(): V128 {
    return V128_VALUE;
  }
  setVr(): void {}
  element(): I64 {
    return I64_VALUE;
  }
  setElement(): void {}
  ar(): I32 {
    return I32_VALUE;
  }
  cr(): I64 {
    return I64_VALUE;
  }
  setAr(): void {}
  machine32(): I32 {
    return I32_VALUE;
  }
  machine64(): I64 {
    return I64_VALUE;
  }
  clock(): I64 {
    return I64_VALUE;
  }
  state32(): I32 {
    return I32_VALUE;
  }
  /** A region keeps the breaking-event address to itself. */
  state64(offset: number): I64 {
    if (offset === state.BEA) this.pattern.interpreted = true;
    return I64_VALUE;
  }
  /** What a region has found out when it was entered must not change; the system mask is not among it. */
  setState32(offset: number): void {
    if (offset === state.PSW_MASK + 4 && !SYSTEM_MASK.has(this.#row.mnemonic)) this.pattern.interpreted = true;
  }
  setState64(offset: number): void {
    this.state64(offset);
  }

  let<T extends I32 | I64 | F32 | F64 | V128>(value: T): T {
    return value;
  }
  multiplyAdd(): F64 {
    return F64_VALUE;
  }

  address(operand: 1 | 2 | 3 | 4 = 2): Address & { operand: number } {
    this.pattern.addresses.push(BASES[operand]!, INDEXES[operand]!);
    return { va: I64_VALUE, base: BASES[operand]!, operand };
  }
  relativeAddress(): Address {
    return { va: I64_VALUE, base: 'instruction' };
  }
  registerAddress(register: Register): Address {
    this.gr(register);
    return { va: I64_VALUE, base: String(register) };
  }
  offset({ va, base }: Address): Address {
    return { va, base };
  }
  shiftCount(): I32 {
    this.pattern.shifts.push('b2');
    return I32_VALUE;
  }
  relative(): I64 {
    return I64_VALUE;
  }
  next(): I64 {
    return I64_VALUE;
  }
  addressingMode(): I32 {
    return k32(3);
  }
  toAddress(value: I64): I64 {
    return value;
  }

  #exits(): void {
    this.pattern.mayExit = true;
  }
  #accesses(address: Address & { operand?: number }, size: number, access: Access = 'fetch'): void {
    this.#exits();
    const { operand } = address;
    if (operand && !this.#depth) this.pattern.operands.push({ operand, size, stores: access !== 'fetch' });
  }
  load8(address: Address): I32 {
    this.#accesses(address, 1);
    return I32_VALUE;
  }
  load8s = this.load8;
  load16(address: Address): I32 {
    this.#accesses(address, 2);
    return I32_VALUE;
  }
  load16s = this.load16;
  load32(address: Address): I32 {
    this.#accesses(address, 4);
    return I32_VALUE;
  }
  load64(address: Address): I64 {
    this.#accesses(address, 8);
    return I64_VALUE;
  }
  loadF32(address: Address): F32 {
    this.#accesses(address, 4);
    return F32_VALUE;
  }
  loadF64(address: Address): F64 {
    this.#accesses(address, 8);
    return F64_VALUE;
  }
  load128(address: Address): V128 {
    this.#accesses(address, 16);
    return V128_VALUE;
  }
  store8(address: Address): void {
    this.#accesses(address, 1, 'store');
  }
  store16(address: Address): void {
    this.#accesses(address, 2, 'store');
  }
  store32(address: Address): void {
    this.#accesses(address, 4, 'store');
  }
  storeF32 = this.store32;
  store64(address: Address): void {
    this.#accesses(address, 8, 'store');
  }
  storeF64 = this.store64;
  store128(address: Address): void {
    this.#accesses(address, 16, 'store');
  }
  place(address: Address, size: number, access: Access): Place {
    if (access === 'wide') this.#exits();
    else this.#accesses(address, size, access);
    return PLACE;
  }
  placeOf(address: Address, _: I32, access: Access): Place {
    this.#accesses(address, 0, access);
    return PLACE;
  }
  registerCount(): I32 {
    return I32_VALUE;
  }
  loadRegisters(_: Place, part: RegisterPart, first: string, last: string): void {
    this.pattern.ranges.push({ way: 'load', part, first, last, always: !this.#depth });
  }
  storeRegisters(_: Place, part: RegisterPart, first: string, last: string): void {
    this.pattern.ranges.push({ way: 'store', part, first, last, always: true });
  }

  loadVectors(): void {}
  storeVectors(): void {}

  #setsCode(kind: CodeKind): void {
    const { pattern } = this;
    if (this.#depth) {
      if (!pattern.code) pattern.mayKeepCode = true;
      pattern.code = 'value';
    } else {
      pattern.code = kind;
      pattern.mayKeepCode = false;
    }
  }
  cc32(kind: ConditionKind): void {
    this.#setsCode(`${kind}32`);
    if (kind === 'add' || kind === 'subtract') this.pattern.needs.quietOverflow = true;
  }
  cc64(kind: ConditionKind): void {
    this.#setsCode(`${kind}64`);
    if (kind === 'add' || kind === 'subtract') this.pattern.needs.quietOverflow = true;
  }
  ccResult32(): void {
    this.#setsCode('result32');
    this.pattern.needs.quietOverflow = true;
  }
  ccResult64(): void {
    this.#setsCode('result64');
    this.pattern.needs.quietOverflow = true;
  }
  ccCarried32(): void {
    this.#setsCode('carried32');
  }
  ccCarried64(): void {
    this.#setsCode('carried64');
  }
  setCc(value: I32): void {
    this.#setsCode(value === COMPARED ? this.#compared : 'value');
  }
  cc(): I32 {
    this.pattern.usesCode = true;
    return I32_VALUE;
  }
  condition(mask: string | number): I32 {
    const value = typeof mask === 'number' ? mask : x.constant32(this.field(mask));
    if (value === 0 || value === 15) return k32(value & 1);
    this.pattern.usesCode = true;
    return I32_VALUE;
  }
  compare32(): I32 {
    return I32_VALUE;
  }
  compare64(): I32 {
    return I32_VALUE;
  }

  branch(_: I32, __: I64, otherwise: () => void = () => {}): void {
    this.#exits();
    this.#conditionally(otherwise);
  }
  serialize(): void {}
  #conditionally(body: () => void): void {
    this.#depth++;
    body();
    this.#depth--;
  }
  if(condition: I32, then: () => void, otherwise: () => void = () => {}): void {
    const constant = x.constant32(condition);
    if (constant !== undefined) return constant ? then() : otherwise();
    this.#conditionally(then);
    this.#conditionally(otherwise);
  }
  ifUnlikely(condition: I32, then: () => void, otherwise?: () => void): void {
    this.if(condition, then, otherwise);
  }
  while(condition: () => I32, body: () => void): void {
    condition();
    this.#conditionally(body);
  }
  variable32(): { get(): I32; set(value: I32): void } {
    return { get: () => I32_VALUE, set: () => {} };
  }
  variable64(): { get(): I64; set(value: I64): void } {
    return { get: () => I64_VALUE, set: () => {} };
  }

  programIf(condition: I32): void {
    if (x.constant32(condition) !== 0) this.#exits();
  }
  dataIf(): void {
    this.#exits();
  }
  trapIf(): void {
    this.#exits();
  }
  even(register: string): void {
    this.pattern.even.push(register);
  }
  floatingPair(): void {
    this.#exits();
  }
  aligned(): void {
    this.#exits();
  }

  execute(): void {
    this.pattern.interpreted = true;
  }
  /** In the rare part of an instruction the region is left. */
  millicode(): void {
    if (this.#depth) this.#exits();
    else this.pattern.interpreted = true;
  }
  control(): void {
    this.pattern.interpreted = true;
  }
  traceBranch(): void {}
  routine(name: string, ...args: (I32 | I64 | Address)[]): I32 {
    this.#exits();
    const length = args[2] && x.constant32(args[2] as I32);
    const how = writtenOut(name, length, this.#fields);
    if (!how) this.pattern.routine = name;
    const [first, second] = args as Address[];
    if (how === 'copy') this.#accesses(second!, length!);
    if (how === 'copy' || how === 'clear') this.#accesses(first!, length!, 'store');
    if (how === 'clear') return k32(0);
    if (how === 'compare') for (const address of [first, second]) this.#accesses(address!, length!);
    if (how === 'compare') this.#compared = `unsigned${length === 8 ? 64 : 32}`;
    return how === 'compare' ? COMPARED : I32_VALUE;
  }
  #compared: CodeKind = 'value';
  repeatIf(): void {
    this.#exits();
  }
}

const patterns = new WeakMap<Instruction, Map<number, Pattern>>();

function patternOf(row: Instruction, fields: Readonly<Record<string, number>>): Pattern {
  let known = patterns.get(row);
  if (!known) patterns.set(row, (known = new Map()));
  let key = row.branches && fields.r2 !== undefined ? fields.r2 : 0;
  // None has more than 12 bits, and no format more than three.
  for (const name of DECISIVE) if (name in fields) key = key * 4096 + fields[name]!;
  if (fields.l1 !== undefined) {
    const distance = fields.b1 === fields.b2 ? Math.min(Math.max(fields.d1! - fields.d2!, -1), 256) : -2;
    key = (fields.l1 + 1) * 512 + distance + 2;
  }
  let pattern = known.get(key);
  if (!pattern) {
    const insn = new FactsInsn(row, fields);
    row.semantics(insn);
    known.set(key, (pattern = insn.pattern));
  }
  return pattern;
}

const EVERY = 0xffff;

/** The registers from `first` to `last`, 0 following 15. */
export function range(first: number, last: number): number {
  let set = 0;
  for (let n = first; ; n = (n + 1) & 15) {
    set |= 1 << n;
    if (n === last) return set;
  }
}

/** Facts of an instruction with these operand fields. */
export function factsOf(row: Instruction, fields: Readonly<Record<string, number>>): Facts {
  const pattern = patternOf(row, fields);
  const setOf = (list: readonly Use[]): number => {
    let set = 0;
    for (const [register, next] of list) {
      set |= 1 << (((typeof register === 'number' ? register : fields[register]!) + next) & 15);
    }
    return set;
  };
  let writesWhole = setOf(pattern.writesWhole);
  let writesLow = setOf(pattern.writesLow);
  let mayWrite = setOf(pattern.mayWrite);
  let readsWhole = setOf(pattern.readsWhole);
  let readsLow = setOf(pattern.readsLow);
  for (const name of pattern.addresses) readsWhole |= (1 << (fields[name] ?? 0)) & ~1;
  for (const name of pattern.shifts) readsLow |= (1 << (fields[name] ?? 0)) & ~1;
  for (const { way, part, first, last, always } of pattern.ranges) {
    const set = range(fields[first]!, fields[last]!);
    if (way === 'store') readsWhole |= set;
    else if (!always || part === 'grHigh') mayWrite |= set;
    else if (part === 'gr') writesWhole |= set;
    else writesLow |= set;
  }
  if (pattern.everyRegister) {
    readsWhole = EVERY;
    mayWrite = EVERY;
  }
  // What is set in some cases, or in part of them, is kept as a whole.
  mayWrite |= writesWhole & writesLow;
  writesLow &= ~writesWhole;
  readsWhole |= mayWrite;
  readsLow &= ~readsWhole;
  const operands = pattern.operands.flatMap(
    ({ operand, size, stores }) =>
      storageOperand(fields, operand, size || sizeOfRange(pattern.ranges, fields), stores) ?? [],
  );
  return {
    readsWhole,
    readsLow,
    writesWhole,
    writesLow,
    mayWrite,
    code: pattern.code,
    mayKeepCode: pattern.mayKeepCode,
    usesCode: pattern.usesCode,
    mayExit: pattern.mayExit || pattern.even.some(name => (fields[name]! & 1) !== 0),
    needs: pattern.needs,
    interpreted: pattern.interpreted,
    routine: pattern.routine,
    setsRegisters: pattern.routine !== undefined && !WITHOUT_REGISTERS.has(pattern.routine),
    stores: pattern.routine !== undefined && !WITHOUT_STORES.has(pattern.routine),
    operands,
  };
}

/** Bytes of the operand from which registers are loaded, or to which they are stored; 0: there is none, or not one. */
function sizeOfRange(ranges: Pattern['ranges'], fields: Readonly<Record<string, number>>): number {
  const [only, another] = ranges;
  if (!only || another) return 0;
  const count = ((fields[only.last]! - fields[only.first]!) & 15) + 1;
  return count * (only.part === 'gr' ? 8 : 4);
}
