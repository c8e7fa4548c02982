/** Address spaces, translation and moves between spaces (PoP ch. 10). */

import type { Space } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { ACCESS_REGISTER, type AccessFault, accessTo, HOME, PRIMARY, SECONDARY, withRegister } from '../dat.ts';
import { LEAVE, type Operands } from '../isa/insn.ts';
import * as program from '../program.ts';
import { ProgramInterruption } from '../program.ts';
import { PSW_EA } from '../registers.ts';
import * as state from '../state.ts';
import {
  alignedAddress,
  crLow,
  EXTRACTION_AUTHORITY,
  inProblemState,
  keyAllowed,
  operandAddress,
  permit,
  privilege,
  pswHigh,
  SECONDARY_SPACE,
  specify,
} from './operands.ts';

const SPACE_SWITCH_EVENT_CONTROL = 0x40;
const EXTENDED_ADDRESSING = 1;

function setPswHigh(cpu: Cpu, high: number): void {
  cpu.i32[(cpu.base + state.PSW_MASK + 4) >>> 2] = high;
}

// Keys

export function setPswKey(cpu: Cpu, operands: Operands): number {
  const key = Number((operandAddress(cpu, operands) >> 4n) & 0xfn);
  privilege(keyAllowed(cpu, key));
  cpu.advance();
  setPswHigh(cpu, (pswHigh(cpu) & ~0x00f0_0000) | (key << 20));
  cpu.mappingChanged();
  return LEAVE;
}

/** INSERT PSW KEY: GR2 bits 56-59. */
export function insertPswKey(cpu: Cpu): void {
  privilege(!inProblemState(cpu) || (crLow(cpu, 0) & EXTRACTION_AUTHORITY) !== 0);
  cpu.setGr32(2, ((cpu.gr32(2) & ~0xff) | ((pswHigh(cpu) >>> 16) & 0xf0)) >>> 0);
}

// Address-space control

/** PSW bits 16-17 by the code of SET ADDRESS SPACE CONTROL, and back: 01 and 10 change places. */
const controlOf = [PRIMARY, SECONDARY, ACCESS_REGISTER, HOME] as const;

export function insertAddressSpaceControl(cpu: Cpu, { r1 }: Operands): void {
  permit(cpu.dat.dat);
  privilege(!inProblemState(cpu) || (crLow(cpu, 0) & EXTRACTION_AUTHORITY) !== 0);
  const code = controlOf[cpu.dat.addressSpaceControl]!;
  cpu.setGr32(r1!, ((cpu.gr32(r1!) & ~0xff00) | (code << 8)) >>> 0);
  cpu.cc = code;
}

export function setAddressSpaceControl(cpu: Cpu, operands: Operands): number {
  const code = Number((operandAddress(cpu, operands) >> 8n) & 0xfn);
  permit(cpu.dat.dat && (crLow(cpu, 0) & SECONDARY_SPACE) !== 0);
  privilege(code !== 3 || !inProblemState(cpu));
  specify(code <= 3);
  const before = cpu.dat.addressSpaceControl;
  const after = controlOf[code]!;
  const { length } = cpu.currentInstruction();
  cpu.advance();
  setPswHigh(cpu, (pswHigh(cpu) & ~0xc000) | (after << 14));
  cpu.mappingChanged();
  homeSwitch(cpu, before, length);
  return LEAVE;
}

/** A switch to or from the home space may be an event: the interruption tells from where (PoP ch. 6). */
export function homeSwitch(cpu: Cpu, before: number, length: number): void {
  const isHome = cpu.dat.addressSpaceControl === HOME;
  if (!cpu.dat.dat || (before === HOME) === isHome) return;
  if (!((crLow(cpu, 1) | crLow(cpu, 13)) & SPACE_SWITCH_EVENT_CONTROL)) return;
  const left = crLow(cpu, isHome ? 1 : 13) & SPACE_SWITCH_EVENT_CONTROL ? 0x8000_0000 : 0;
  cpu.interruptions.store32(0xac, left | (isHome ? crLow(cpu, 4) & 0xffff : 0));
  throw new ProgramInterruption(program.SPACE_SWITCH_EVENT, 0, true, length);
}

/** ASNs and their instance numbers: control register, and which half. */
function extract(cpu: Cpu, register: number, from: number, instance: boolean): void {
  permit(cpu.dat.dat);
  privilege(!inProblemState(cpu) || (crLow(cpu, 0) & EXTRACTION_AUTHORITY) !== 0);
  const value = cpu.cr(from);
  if (instance) cpu.setGr(register, ((value >> 32n) << 32n) | (value & 0xffffn));
  else cpu.setGr32(register, Number(value & 0xffffn));
}

export const extractPrimaryAsn = (cpu: Cpu, { r1 }: Operands): void => extract(cpu, r1!, 4, false);
export const extractPrimaryAsnAndInstance = (cpu: Cpu, { r1 }: Operands): void => extract(cpu, r1!, 4, true);
export const extractSecondaryAsn = (cpu: Cpu, { r1 }: Operands): void => extract(cpu, r1!, 3, false);
export const extractSecondaryAsnAndInstance = (cpu: Cpu, { r1 }: Operands): void => extract(cpu, r1!, 3, true);

// Real addresses

/** Table exceptions that LOAD REAL ADDRESS tells of instead of recognising them. */
const told = (code: number): boolean =>
  (code >= program.ALET_SPECIFICATION && code <= program.EXTENDED_AUTHORITY) ||
  code === program.SEGMENT_TRANSLATION ||
  code === program.PAGE_TRANSLATION ||
  (code >= program.ASCE_TYPE && code <= program.REGION_THIRD_TRANSLATION);

/** Finds the tables for an operand as LRA and TPROT do, whether DAT is on or not; a program-interruption code or 0. */
function translate(cpu: Cpu, address: bigint, base: number): number {
  const { dat } = cpu;
  const control = dat.addressSpaceControl;
  let context: number;
  if (control === ACCESS_REGISTER) {
    context = dat.accessRegisterContext(base);
    if (context < 0) return dat.code;
  } else context = dat.spaceContext(control);
  return dat.look(context, Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n)));
}

const entryAddress = (cpu: Cpu): bigint => BigInt(cpu.dat.entryAt);

function loadRealAddresses(cpu: Cpu, operands: Operands, wide: boolean): void {
  const address = operandAddress(cpu, operands);
  const code = translate(cpu, address, operands.b2!);
  const { dat } = cpu;
  const { r1 } = operands as Record<'r1', number>;
  // A page or segment that its entry says is invalid: the entry's address. A table that is too short is not that.
  const isEntry = code === program.PAGE_TRANSLATION || (code === program.SEGMENT_TRANSLATION && dat.entryInvalid);
  const exception = (): void => {
    cpu.setGr32(r1, (0x8000_0000 | code) >>> 0);
    cpu.cc = 3;
  };
  if (code && !isEntry) {
    if (!told(code)) throw new ProgramInterruption(code);
    return exception();
  }
  const value = isEntry ? entryAddress(cpu) : (BigInt(dat.realHigh >>> 0) << 32n) | BigInt(dat.realLow >>> 0);
  if (wide || cpu.pswMask & PSW_EA) cpu.setGr(r1, value);
  else if (value < 0x8000_0000n) cpu.setGr32(r1, Number(value));
  else {
    permit(isEntry);
    return exception();
  }
  cpu.cc = !code ? 0 : code === program.SEGMENT_TRANSLATION ? 1 : 2;
}

export const loadRealAddress = (cpu: Cpu, operands: Operands): void => loadRealAddresses(cpu, operands, false);
export const loadRealAddress64 = (cpu: Cpu, operands: Operands): void => loadRealAddresses(cpu, operands, true);

/** STORE REAL ADDRESS: that of the second operand, into the first. */
export function storeRealAddress(cpu: Cpu, operands: Operands): void {
  const target = alignedAddress(cpu, operands, 8, 1);
  const address = operandAddress(cpu, operands, 2);
  const code = translate(cpu, address, operands.b2!);
  if (code) {
    const [low, high] = [Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n))];
    const isArt = code >= program.ALET_SPECIFICATION && code <= program.EXTENDED_AUTHORITY;
    throw isArt ? cpu.dat.fault() : cpu.dat.refused(code, low, high, withRegister(operands.b2!));
  }
  const { realLow, realHigh } = cpu.dat;
  cpu.access.write64(target, (BigInt(realHigh >>> 0) << 32n) | BigInt(realLow >>> 0), operands.b1!);
}

/**
 * LOAD PAGE-TABLE-ENTRY ADDRESS: R1 the address, R2 what to translate, M4 the space. Condition code 0 or 1 with the
 * page-table entry's address, without or with DAT protection above it; 2 with that of the last entry when it is invalid
 * or designates a large frame, and the type of its table; 3 with the code of an exception.
 */
export function loadPageTableEntryAddress(cpu: Cpu, { r1, r2, m4 }: Operands): void {
  specify(m4! <= 4);
  const { dat } = cpu;
  const address = cpu.gr(r2!) & cpu.addressMask;
  const control = m4! === 4 ? dat.addressSpaceControl : m4!;
  const context = control === ACCESS_REGISTER ? dat.accessRegisterContext(r2!) : dat.spaceContext(control);
  let code = context < 0 ? dat.code : 0;
  if (!code) {
    permit(!dat.isRealSpace(context));
    code = dat.look(context, Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n)), true);
  }
  const ended = !code ? dat.largeFrame : dat.entryInvalid;
  if (code && (context < 0 || !ended)) {
    if (!told(code)) throw new ProgramInterruption(code);
    cpu.setGr(r1!, BigInt(code));
    cpu.cc = 3;
  } else if (ended) {
    cpu.setGr(r1!, entryAddress(cpu) | BigInt((dat.protected ? 4 : 0) | dat.entryLevel));
    cpu.cc = 2;
  } else {
    cpu.setGr(r1!, (BigInt(dat.realHigh >>> 0) << 32n) | entryAddress(cpu));
    cpu.cc = dat.protected ? 1 : 0;
  }
}

function realOperand(cpu: Cpu, register: number, size: 4 | 8): bigint {
  const address = cpu.gr(register) & cpu.addressMask;
  specify((Number(address & 7n) & (size - 1)) === 0);
  return address;
}

export function loadUsingRealAddress(cpu: Cpu, { r1, r2 }: Operands): void {
  const address = realOperand(cpu, r2!, 4);
  cpu.setGr32(r1!, Number(cpu.access.readIn(cpu.access.real(), address, 4)));
}
export function loadUsingRealAddress64(cpu: Cpu, { r1, r2 }: Operands): void {
  const address = realOperand(cpu, r2!, 8);
  cpu.setGr(r1!, cpu.access.readIn(cpu.access.real(), address, 8));
}
export function storeUsingRealAddress(cpu: Cpu, { r1, r2 }: Operands): void {
  const address = realOperand(cpu, r2!, 4);
  cpu.access.writeIn(cpu.access.real(), address, 4, BigInt(cpu.gr32(r1!)));
  cpu.per.storedReal();
}
export function storeUsingRealAddress64(cpu: Cpu, { r1, r2 }: Operands): void {
  const address = realOperand(cpu, r2!, 8);
  cpu.access.writeIn(cpu.access.real(), address, 8, cpu.gr(r1!));
  cpu.per.storedReal();
}

/** TEST PROTECTION of the first operand with the access key in bits 56-59 of the second-operand address. */
export function testProtection(cpu: Cpu, operands: Operands): void {
  const { dat } = cpu;
  const address = operandAddress(cpu, operands, 1);
  const key = Number((operandAddress(cpu, operands, 2) >> 4n) & 0xfn);
  const low = Number(BigInt.asIntN(32, address));
  const high = Number(BigInt.asIntN(32, address >> 32n));
  const context = dat.operandContext(operands.b1!, key);
  const code = context < 0 ? dat.code : dat.look(context, low, high);
  if (code) {
    if (!told(code)) throw new ProgramInterruption(code);
    cpu.cc = 3;
    return;
  }
  const outcome = dat.permitted(context, low, high);
  if (outcome < 0) throw new ProgramInterruption(program.ADDRESSING);
  cpu.cc = outcome;
}

// Moves

/** A space with an access key of its own. */
function spaceWith(cpu: Cpu, control: number, base: number, key: number): Space {
  const { dat } = cpu;
  if (control === ACCESS_REGISTER) {
    const context = dat.accessRegisterContext(base, key);
    if (context < 0) throw dat.fault();
    return { context, how: accessTo(ACCESS_REGISTER) | withRegister(base) };
  }
  return { context: dat.spaceContext(control, key), how: accessTo(control) };
}

const pswKey = (cpu: Cpu): number => (pswHigh(cpu) >>> 20) & 0xf;

/** A length in a register: 32 bits unless addresses have 64. */
const lengthIn = (cpu: Cpu, register: number): bigint =>
  cpu.pswMask & PSW_EA ? cpu.gr(register) : BigInt(cpu.gr32(register));

/** Up to 256 bytes, condition code 3 when there were more. */
function move(cpu: Cpu, operands: Operands, length: bigint, to: Space, from: Space): void {
  const bytes = length > 256n ? 256 : Number(length);
  const destination = operandAddress(cpu, operands, 1);
  const source = operandAddress(cpu, operands, 2);
  if (bytes) moveBytes(cpu, to, destination, from, source, bytes);
  cpu.cc = length > 256n ? 3 : 0;
}

/** Byte by byte where the operands may overlap. */
function moveBytes(cpu: Cpu, to: Space, destination: bigint, from: Space, source: bigint, length: number): void {
  const distance = BigInt.asUintN(64, destination - source);
  if (distance === 0n || distance >= BigInt(length)) {
    cpu.access.moveBetween(to, destination, from, source, length);
    return;
  }
  const bytes = cpu.access.readBytesIn(from, source, length);
  const step = Number(distance);
  if (to.context === from.context) for (let n = step; n < length; n++) bytes[n] = bytes[n - step]!;
  cpu.access.writeBytesIn(to, destination, bytes);
}

function betweenPrimaryAndSecondary(cpu: Cpu, operands: Operands, to: number, from: number): void {
  const { r1, r3 } = operands as Record<'r1' | 'r3', number>;
  const control = cpu.dat.addressSpaceControl;
  permit(cpu.dat.dat && (crLow(cpu, 0) & SECONDARY_SPACE) !== 0 && (control === PRIMARY || control === SECONDARY));
  const key = (cpu.gr32(r3) >>> 4) & 0xf;
  privilege(keyAllowed(cpu, key));
  const keyFor = (space: number): number => (space === SECONDARY ? key : pswKey(cpu));
  move(cpu, operands, lengthIn(cpu, r1), spaceWith(cpu, to, 0, keyFor(to)), spaceWith(cpu, from, 0, keyFor(from)));
}

export const moveToPrimary = (cpu: Cpu, operands: Operands): void =>
  betweenPrimaryAndSecondary(cpu, operands, PRIMARY, SECONDARY);
export const moveToSecondary = (cpu: Cpu, operands: Operands): void =>
  betweenPrimaryAndSecondary(cpu, operands, SECONDARY, PRIMARY);

/** A space as the PSW selects it, with a key of its own. */
function ordinarySpace(cpu: Cpu, base: number, key: number): Space {
  const { dat } = cpu;
  const context = dat.operandContext(base, key);
  if (context < 0) throw dat.fault();
  return { context, how: dat.dat && dat.addressSpaceControl === ACCESS_REGISTER ? withRegister(base) : 0 };
}

/** MOVE WITH KEY: the source key in R3, the length in R1. */
export function moveWithKey(cpu: Cpu, operands: Operands): void {
  const key = (cpu.gr32(operands.r3!) >>> 4) & 0xf;
  privilege(keyAllowed(cpu, key));
  const length = lengthIn(cpu, operands.r1!);
  if (length === 0n) {
    cpu.cc = 0;
    return;
  }
  const to = ordinarySpace(cpu, operands.b1!, pswKey(cpu));
  move(cpu, operands, length, to, ordinarySpace(cpu, operands.b2!, key));
}

/** The length less one is in GR0 bits 56-63, the key in GR1. */
function moveWithOneKey(cpu: Cpu, operands: Operands, keyForSource: boolean): void {
  const key = (cpu.gr32(1) >>> 4) & 0xf;
  privilege(keyAllowed(cpu, key));
  const own = pswKey(cpu);
  const to = ordinarySpace(cpu, operands.b1!, keyForSource ? own : key);
  const from = ordinarySpace(cpu, operands.b2!, keyForSource ? key : own);
  const length = (cpu.gr32(0) & 0xff) + 1;
  const destination = operandAddress(cpu, operands, 1);
  moveBytes(cpu, to, destination, from, operandAddress(cpu, operands, 2), length);
}

export const moveWithSourceKey = (cpu: Cpu, operands: Operands): void => moveWithOneKey(cpu, operands, true);
export const moveWithDestinationKey = (cpu: Cpu, operands: Operands): void => moveWithOneKey(cpu, operands, false);

/** What an operand-access control of MVCOS selects, or leaves to the PSW: key, address-space control, validity bits. */
function selection(cpu: Cpu, control: number): { readonly key: number; readonly space: number } {
  return {
    key: control & 2 ? (control >>> 12) & 0xf : pswKey(cpu),
    space: control & 1 ? (control >>> 6) & 3 : cpu.dat.addressSpaceControl,
  };
}

/**
 * MOVE WITH OPTIONAL SPECIFICATIONS: GR0 has the operand-access controls, first operand in bits 32-47. The operands'
 * addresses are in OPERAND.
 */
export function moveWithOptions(cpu: Cpu, { b1, b2, r3 }: Operands): void {
  permit(cpu.dat.dat);
  const controls = cpu.gr32(0);
  const first = controls >>> 16;
  permit(!(inProblemState(cpu) && (first & 0xc1) === 0xc1));
  const [target, source] = [selection(cpu, first), selection(cpu, controls & 0xffff)];
  const usesSecondary = target.space === SECONDARY || source.space === SECONDARY;
  permit(!usesSecondary || (crLow(cpu, 0) & SECONDARY_SPACE) !== 0);
  // The PSW key, too, must be one that the problem state may use.
  privilege(keyAllowed(cpu, target.key) && keyAllowed(cpu, source.key));
  const to = spaceWith(cpu, target.space, b1!, target.key);
  const from = spaceWith(cpu, source.space, b2!, source.key);
  const { i32 } = cpu;
  const register = (cpu.base + state.GR + 8 * r3!) >>> 2;
  const long = i32[register]! >>> 0 > 4096 || (pswHigh(cpu) & EXTENDED_ADDRESSING && i32[register + 1]! !== 0);
  const length = long ? 4096 : i32[register]!;
  const at = (cpu.base + state.OPERAND) >>> 2;
  if (length) cpu.access.move(to, i32[at]!, i32[at + 1]!, from, i32[at + 2]!, i32[at + 3]!, length);
  cpu.cc = long ? 3 : 0;
}

/** MOVE PAGE: R1 to, R2 from; GR0 has the key and the condition-code option. */
export function movePage(cpu: Cpu, { r1, r2 }: Operands): void {
  const controls = cpu.gr32(0);
  const key = (controls >>> 4) & 0xf;
  const keyFor = controls & 0xc00;
  specify((controls & 0xf000) === 0 && keyFor !== 0xc00);
  if (keyFor) privilege(keyAllowed(cpu, key));
  const own = pswKey(cpu);
  const destination = cpu.gr(r1!) & cpu.addressMask & ~0xfffn;
  const source = cpu.gr(r2!) & cpu.addressMask & ~0xfffn;
  const { access } = cpu;
  try {
    const to = ordinarySpace(cpu, r1!, keyFor === 0x800 ? key : own);
    const from = ordinarySpace(cpu, r2!, keyFor === 0x400 ? key : own);
    access.moveBetween(to, destination, from, source, 4096);
    cpu.cc = 0;
  } catch (fault) {
    const page = (fault as { code?: number }).code === program.PAGE_TRANSLATION;
    if (!page) throw fault;
    if (!(controls & 0x100)) {
      cpu.interruptions.store8(0xa2, (r1! << 4) | r2!);
      throw (fault as AccessFault).inMovePage();
    }
    // The source is looked at first.
    cpu.cc = cpu.dat.lastStore ? 1 : 2;
  }
}
