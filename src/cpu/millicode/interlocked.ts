/**
 * Updates of several operands as one (PoP ch. 7): COMPARE AND SWAP AND STORE, PERFORM LOCKED OPERATION. They are
 * carried out while no other CPU executes instructions.
 */

import type { Cpu } from '../cpu.ts';
import { ACCESS_REGISTER } from '../dat.ts';
import type { Millicode, Operands } from '../isa/insn.ts';
import { ProgramInterruption, SPECIFICATION } from '../program.ts';
import { beAlone, operandAddress } from './operands.ts';

/** Where an operand of 1 to 16 bytes is. */
interface Location {
  get(): bigint;
  set(value: bigint): void;
  /** Causes the exceptions that `set` would cause. */
  probe(): void;
}

const require = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(SPECIFICATION);
};

function register(cpu: Cpu, number: number, size: number): Location {
  if (size === 4) return { get: () => BigInt(cpu.gr32(number)), set: v => cpu.setGr32(number, Number(v)), probe() {} };
  if (size === 8) return { get: () => cpu.gr(number), set: v => cpu.setGr(number, v), probe() {} };
  return {
    get: () => (cpu.gr(number) << 64n) | cpu.gr(number + 1),
    set: v => {
      cpu.setGr(number, v >> 64n);
      cpu.setGr(number + 1, BigInt.asUintN(64, v));
    },
    probe() {},
  };
}

/** @param select makes the base register's access register what it should be */
function storage(cpu: Cpu, address: bigint, base: number, size: number, select = (): void => {}): Location {
  const { access } = cpu;
  const location: Location = {
    get() {
      select();
      return access.readBytes(address, size, base).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
    },
    set(value) {
      select();
      const bytes = Array.from({ length: size }, (_, n) => Number((value >> BigInt(8 * (size - 1 - n))) & 0xffn));
      access.writeBytes(address, bytes, base);
    },
    probe() {
      select();
      access.probe(address, size, base, true);
    },
  };
  return location;
}

const aligned = (address: bigint, size: number): boolean => Number(address & 15n) % size === 0;

/** STFLE bit. */
const COMPARE_AND_SWAP_AND_STORE_2 = 33;

/** COMPARE AND SWAP AND STORE. */
export const compareAndSwapAndStore: Millicode = (cpu, operands) => {
  beAlone(cpu);
  const code = cpu.gr32(0) & 0xff;
  const characteristic = (cpu.gr32(0) >>> 8) & 0xff;
  const first = operandAddress(cpu, operands, 1);
  const second = operandAddress(cpu, operands, 2);
  const sixteenBytes = cpu.environment.facilities.has(COMPARE_AND_SWAP_AND_STORE_2);
  require(code <= (sixteenBytes ? 2 : 1) && characteristic <= (sixteenBytes ? 4 : 3));
  const size = 4 << code;
  const storeSize = 1 << characteristic;
  require(aligned(first, size) && aligned(second, storeSize) && (code < 2 || operands.r3! % 2 === 0));
  const list = cpu.gr(1) & cpu.addressMask & ~15n;
  const swapped = storage(cpu, first, operands.b1!, size);
  const stored = storage(cpu, second, operands.b2!, storeSize);
  const replacement = storage(cpu, list, 1, size).get();
  const storeValue = storage(cpu, list + 16n, 1, storeSize).get();
  swapped.probe();
  stored.probe();
  const expected = register(cpu, operands.r3!, size);
  const old = swapped.get();
  cpu.cc = old === expected.get() ? 0 : 1;
  if (cpu.cc) return expected.set(old);
  swapped.set(replacement);
  stored.set(storeValue);
};

// Function codes of PERFORM LOCKED OPERATION: the operation, then where its operands are and of which size.
const [COMPARE_AND_LOAD, COMPARE_AND_SWAP, DOUBLE_COMPARE_AND_SWAP, STORE_ONE] = [0, 1, 2, 3];
const SIZES = [4, 8, 8, 16];
const TEST = 0x100;
const FUNCTIONS = 24;

/** PERFORM LOCKED OPERATION. */
export const performLockedOperation: Millicode = (cpu, operands) => {
  const control = cpu.gr32(0);
  const code = control & 0xff;
  const isThere = code < FUNCTIONS && !cpu.environment.withheld.plo.has(code);
  require((control & ~(TEST | 0xff)) === 0);
  if (control & TEST) {
    cpu.cc = isThere ? 0 : 3;
    return;
  }
  require(isThere);
  beAlone(cpu);
  cpu.cc = lockedOperation(cpu, operands, code >> 2, code & 3);
};

/** Carries out one function; gives the condition code. */
function lockedOperation(cpu: Cpu, operands: Operands, operation: number, width: number): number {
  const { r1, r3, b2, b4 } = operands;
  const size = SIZES[width]!;
  // Codes 1 and 3 of each four have all operands in a parameter list, which operand 4 designates.
  const inList = (width & 1) === 1;
  const secondAddress = operandAddress(cpu, operands, 2);
  const fourthAddress = operandAddress(cpu, operands, 4);
  const even = (number: number): boolean => inList || number % 2 === 0;
  require(even(r1!) || operation === COMPARE_AND_LOAD);
  require(even(r3!) || operation !== DOUBLE_COMPARE_AND_SWAP);
  require(aligned(secondAddress, size));
  require(aligned(fourthAddress, Math.min(size, 8)) || (operation === COMPARE_AND_SWAP && !inList));

  /** A value in the parameter list: it ends before `end`. */
  const listed = (end: number): Location => storage(cpu, fourthAddress + BigInt(end - size), b4!, size);
  /** An operand whose ALET and address are in the parameter list. */
  const designated = (at: number): Location => {
    const accessRegisterMode = cpu.dat.dat && cpu.dat.addressSpaceControl === ACCESS_REGISTER;
    require(!accessRegisterMode || r3 !== 0);
    const alet = accessRegisterMode ? cpu.access.read32(fourthAddress + BigInt(at), b4!) : 0;
    const address = cpu.access.read64(fourthAddress + BigInt(at + 4), b4!) & cpu.addressMask;
    require(aligned(address, size));
    return storage(cpu, address, r3!, size, () => accessRegisterMode && cpu.setAr(r3!, alet));
  };
  const compared = inList ? listed(16) : register(cpu, r1!, size);
  const replacement = inList ? listed(32) : register(cpu, r1! + 1, size);
  const second = storage(cpu, secondAddress, b2!, size);
  const fourth = (): Location => (inList ? designated(68) : storage(cpu, fourthAddress, b4!, size));

  const old = second.get();
  if (compared.get() !== old) {
    compared.set(old);
    return 1;
  }
  const stores: [to: Location, value: bigint][] = [];
  if (operation === COMPARE_AND_LOAD) {
    (inList ? listed(48) : register(cpu, r3!, size)).set(fourth().get());
    return 0;
  }
  if (operation === DOUBLE_COMPARE_AND_SWAP) {
    const third = inList ? listed(48) : register(cpu, r3!, size);
    const place = fourth();
    const value = place.get();
    if (third.get() !== value) {
      third.set(value);
      return 2;
    }
    stores.push([place, (inList ? listed(64) : register(cpu, r3! + 1, size)).get()]);
  } else if (operation === STORE_ONE) {
    stores.push([fourth(), (inList ? listed(64) : register(cpu, r3!, size)).get()]);
  } else if (operation !== COMPARE_AND_SWAP) {
    // Two or three stores, all designated by the parameter list.
    for (let n = 0; n < operation - 2; n++) stores.push([designated(68 + 32 * n), listed(64 + 32 * n).get()]);
  }
  stores.push([second, replacement.get()]);
  for (const [to] of stores) to.probe();
  for (const [to, value] of stores) to.set(value);
  return 0;
}
