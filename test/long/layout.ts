/** Where things are in a machine that runs long programs. Virtual addresses are real ones. */

export const STORAGE_SIZE = 64 << 20;
export const KERNEL = 0x2000;
/** Variables and results, which programs do not reach. */
export const VARIABLES = 0x8000;
/** A halfword that one CPU asks another to store: address, value, and whether it is asked for. */
export const MAILBOX = 0x9000;
export const STACK_END = 0x1_8000;
/** The pages that programs work on, whose mapping comes and goes, and a page behind them that stays. */
export const DATA = 0x2_0000;
export const DATA_PAGES = 16;
/** Segment table, then page tables for the first megabytes. */
export const TABLES = 0x4_0000;
export const MAPPED_MEGABYTES = 8;
/** Eight bytes for each round of each program. */
export const RESULTS = 0x8_0000;
export const PROGRAMS = 0x10_0000;
export const MOST_ROUNDS = 0x400;
