/**
 * The machine's own words in the page of shared memory that the CPUs and the other threads have in common; the lower
 * part of it is laid out in cpu/state.ts. Offsets in the page.
 */

/** 1: vertical polarization. */
export const POLARIZATION = 0x820;
/** 1: the topology has changed and nobody has been told yet. */
export const TOPOLOGY_CHANGED = 0x824;
/** 1 while the watchdog is set. */
export const WATCHDOG_SET = 0x828;
/** Counts changes of the watchdog. */
export const WATCHDOG_CHANGES = 0x82c;
/** Seconds after which it is to act, as a double. */
export const WATCHDOG_SECONDS = 0x830;
/** Name and version codes of the control program (DIAGNOSE X'318'). */
export const CONTROL_PROGRAM = 0x838;
/** A bit for each CPU: it takes part in the page-fault handshake (DIAGNOSE X'258'). 32 bytes. */
export const PAGE_FAULT_HANDSHAKES = 0x840;
/** The CPU table (cpu-table.ts), 248 entries of 8 bytes. */
export const CPU_TABLE = 0x1000;
/** A byte for each increment of standby storage (standby-storage.ts): 1, it is assigned. */
export const STANDBY_STORAGE = 0x3000;
/** The parameter block of the next IPL, a page; its first word is its length, 0: none. */
export const IPL_PARAMETERS = 0x2000;
