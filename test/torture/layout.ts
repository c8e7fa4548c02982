/**
 * Where things are in the storage in which cases run, the same in every machine. Cases see eight frames of data and two
 * pages of code; the kernel, the descriptions of the cases and the results lie where a case hardly ever gets to.
 */

import { PSW_BA, PSW_EA } from '../../src/cpu/registers.ts';

export const STORAGE_SIZE = 192 << 20;
export const KERNEL = 0x2000;
/** Data: eight frames, renewed before each case. */
export const DATA = 0x40000;
export const DATA_SIZE = 8 * 4096;
/** Where the linkage stack begins: its header, in a data frame. */
export const STACK = 0x43200;
/** Two pages of code; programs lie in the window of 512 bytes around the boundary between them. */
export const CODE = 0x48000;
export const WINDOW = CODE + 0xf00;
export const WINDOW_SIZE = 512;
/** Storage keys of the data frames and of the code, where keys matter: 2 is protected against fetching. */
export const KEYS: readonly number[] = [0x10, 0x10, 0x28, 0x30, 0x10, 0x98, 0x00, 0x10, 0x00, 0x00];
/** Storage around these that belongs to nobody, and stays zero unless a case without translation goes astray. */
export const UNUSED = 0x5000;
export const AFTER = CODE + 0x2000;
/** Dictionaries for COMPRESSION CALL, protected: in a segment of their own. */
export const DICTIONARIES = 0x10_0000;
export const DICTIONARIES_SIZE = 0x7_c000;
/** Translation tables and what else control registers designate. */
export const TABLES = 0x80_0000;
/** A copy of the first two pages as they are before each case. */
export const LOWCORE = 0xa0_0000;
/** Initial contents of the data frames, several of them. */
export const POOLS = 0xc0_0000;
export const POOL_COUNT = 8;
export const CASES = 0x110_0000;
export const CASE_SIZE = 0x800;
export const RESULTS = 0x200_0000;
export const RESULT_SIZE = 0x600;
/** The data frames after each case. */
export const DUMPS = 0x280_0000;
/** As many cases as there is room for. */
export const MOST_CASES = Math.floor((STORAGE_SIZE - DUMPS) / DATA_SIZE);

/** Offsets in the description of a case. */
export const CASE = {
  gr: 0,
  fpr: 0x80,
  ar: 0x100,
  fpc: 0x140,
  pool: 0x148,
  psw: 0x150,
  cr: 0x160,
  code: 0x200,
  vr: 0x400,
} as const;
/** Offsets in a result. `lowcore` is a copy of locations 0x80 to 0x1ff. */
export const RESULT = {
  gr: 0,
  fpr: 0x80,
  ar: 0x100,
  fpc: 0x140,
  kind: 0x148,
  cr: 0x150,
  lowcore: 0x200,
  vr: 0x400,
} as const;

/** How a case ended, as the kernel notes it. */
export const ENDED = { external: 1, supervisorCall: 2, program: 3, machineCheck: 4, io: 5 } as const;

export const KERNEL_MASK = PSW_EA | PSW_BA;
/** Control registers while the kernel runs: only the AFP-register control and the vector-enablement control. */
export const KERNEL_CR0 = 0x60000n;
