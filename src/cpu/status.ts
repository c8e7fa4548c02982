/** STORE STATUS and the register save areas of a machine-check interruption (PoP ch. 4 and 11). */

import type { Cpu } from './cpu.ts';
import * as state from './state.ts';

const GUARDED_STORAGE = 133;

/**
 * Stores the registers where the architecture assigns them, 0x1200 to 0x1400 bytes behind an absolute address: the
 * prefix area, or absolute zero.
 */
export function storeRegisters(cpu: Cpu, at: number): void {
  const { storage } = cpu;
  for (let n = 0; n < 16; n++) {
    storage.write64(at + 0x1200 + 8 * n, cpu.fpr(n));
    storage.write64(at + 0x1280 + 8 * n, cpu.gr(n));
    storage.write32(at + 0x1340 + 4 * n, cpu.ar(n));
    storage.write64(at + 0x1380 + 8 * n, cpu.cr(n));
  }
  storage.write32(at + 0x1318, cpu.prefix);
  storage.write32(at + 0x131c, cpu.fpc);
  storage.write32(at + 0x1324, cpu.field32(state.TODPR));
  storage.write64(at + 0x1328, BigInt.asUintN(64, cpu.timers.cpuTimer));
  storage.write64(at + 0x1330, cpu.timers.clockComparator >> 8n);
  cpu.access.stored(at + 0x1200, 0x200);
}

/** Vector registers in a machine-check extended save area, and its sizes by the length characteristic of its designation. */
const VECTOR_AREA = 0x200;
const SMALLEST_AREA = 10;
const LARGEST_AREA = 11;

/**
 * The absolute address that the designation of a machine-check extended save area, or of one for additional status,
 * gives: with the guarded-storage facility the logarithm of its length stands behind it. Undefined when it is not valid.
 */
export function extendedSaveArea({ storage, environment }: Cpu, designation: bigint): number | undefined {
  const hasLength = environment.facilities.has(GUARDED_STORAGE);
  const logarithm = hasLength && designation & 0xfn ? Number(designation & 0xfn) : SMALLEST_AREA;
  if (logarithm < SMALLEST_AREA || logarithm > LARGEST_AREA) return undefined;
  const at = Number(designation & ~((1n << BigInt(logarithm)) - 1n));
  return storage.contains(at, 1 << logarithm) ? at : undefined;
}

/** Whether a designation has nothing but the length behind the address. */
export const isOnBoundary = ({ environment }: Cpu, designation: bigint): boolean =>
  (designation & 0x3ffn & ~(environment.facilities.has(GUARDED_STORAGE) ? 0xfn : 0n)) === 0n;

/** Stores the vector registers at an absolute address. */
export function storeVectors(cpu: Cpu, at: number): void {
  for (let n = 0; n < 32; n++) {
    cpu.storage.write64(at + 16 * n, cpu.vr(n) >> 64n);
    cpu.storage.write64(at + 16 * n + 8, BigInt.asUintN(64, cpu.vr(n)));
  }
  cpu.access.stored(at, VECTOR_AREA);
}

/** Everything that STORE STATUS stores. */
export function storeStatus(cpu: Cpu, at: number): void {
  storeRegisters(cpu, at);
  cpu.storage.write64(at + 0x1300, cpu.pswMaskWithCc);
  cpu.storage.write64(at + 0x1308, cpu.pswAddress);
}
