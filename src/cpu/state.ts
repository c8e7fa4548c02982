/**
 * Layout of linear memory. One shared WebAssembly memory holds the machine: a page of machine-wide words, a block for
 * each CPU, the frame tables, the pool of predecoded code pages and, at the top, guest storage stored backwards: guest
 * absolute byte A is at TOP-1-A, so that a big-endian guest operand of any size is one plain little-endian access
 * (docs/architecture.md, "Storage is reversed").
 */

/** Offsets in a CPU's block. 64-bit fields are little-endian host numbers, readable from any thread. */
export const GR = 0x000;
/** A doubleword that is always zero, after register 15: what no base and no index contribute to an address. */
export const NO_REGISTER = 0x080;
/** Vector registers, 16 bytes each, stored as little-endian 128-bit numbers: FPR n is the upper half of VR n. */
export const VR = 0x090;
/** Offset of floating-point register 0; register n is at FPR + 16*n. */
export const FPR = VR + 8;
/** Control registers, 8 bytes each. */
export const CR = 0x290;
/** Access registers, 4 bytes each. */
export const AR = 0x310;
/** PSW bits 0-63; the condition code bits 18-19 are zero here and live in CC. */
export const PSW_MASK = 0x350;
/** PSW bits 64-127, the instruction address. Exact whenever the CPU is outside its instruction loop. */
export const PSW_ADDRESS = 0x358;
export const CC = 0x360;
/** Floating-point control register. */
export const FPC = 0x364;
/** Prefix: absolute address of the 8 KiB prefix area. */
export const PREFIX = 0x368;
/** TOD programmable register (bits 16-31). */
export const TODPR = 0x36c;
/** Mask applied to operand addresses: all ones, or 31 or 24 ones. */
export const ADDRESS_MASK = 0x370;
/** Breaking-event address. */
export const BEA = 0x378;
/** Nonzero when the CPU must leave its instruction loop at the next opportunity; bits PENDING_*. Set with Atomics. */
export const PENDING = 0x380;
/** Base addresses of the TLB contexts in force for instruction fetch and for operands. */
export const FETCH_CONTEXT = 0x384;
export const DATA_CONTEXT = 0x388;
/** Instructions the counted interpreter may still execute. */
export const FUEL = 0x38c;
/**
 * While a target of EXECUTE runs: in the low byte its length subtracted from EXECUTE's, plus 8, above it EXECUTE's
 * length; otherwise 0. The PSW address is ahead of EXECUTE by the difference.
 */
export const EXECUTING = 0x398;
/** Length of the instruction that caused the last program interruption; 0, 2, 4 or 6. */
export const LENGTH = 0x39c;
/** Address of EXECUTE's target: relative operands of the target count from here. */
export const EXECUTE_TARGET = 0x3a0;
/** Program interruption recognised inside compiled code: its code, and the data-exception code. */
export const PROGRAM_CODE = 0x3a8;
export const DXC = 0x3ac;
/** Where to go on after EXECUTE's target: what were the record's address, CODE_PAGE_ADDRESS and PC_DISTANCE. */
export const EXECUTE_RESUME = 0x3b0;
export const EXECUTE_RESUME_PAGE = 0x3c0;
export const EXECUTE_RESUME_DISTANCE = 0x3c8;
/** Virtual address of the page whose records are at CODE_PAGE; 4 while the record in use is not on its page. */
export const CODE_PAGE_ADDRESS = 0x3d0;
/** The instruction address is this (64 bits) plus a quarter of the record's host address. */
export const PC_DISTANCE = 0x3d8;
/** Where the innermost of the regions that have called something waits for it to return, and how many wait. */
export const RETURN_ADDRESS = 0x3e8;
export const CALL_DEPTH = 0x3f0;
/** Host address of the code page in use: it must not be given away. */
export const CODE_PAGE = 0x3e0;
/** Running total of instructions executed in the counted interpreter. */
export const INSTRUCTION_COUNT = 0x3b8;
/** Bounce buffer for an operand that crosses into a page which is not adjacent in host memory: 2 x 128 bytes, reversed. */
export const BOUNCE = 0x400;
export const BOUNCE_SIZE = 0x400;
/** Work area of routines and millicode. */
export const SCRATCH = 0x800;
/** The record of EXECUTE's target, followed by three that end it. */
export const EXECUTE_RECORD = 0x1000;
/** The record of an instruction that continues on the next page, followed by three that end the page. */
export const CROSSING_RECORD = 0x1020;
/** Interruption conditions of this CPU: bits CONDITION_*. Set with Atomics, then PENDING_INTERRUPTION. */
export const CONDITIONS = 0x3000;
/** Address of the CPU that sent the pending external call. */
export const EXTERNAL_CALL_SOURCE = 0x3004;
/** Bits by CPU address: who has sent an emergency signal, who a malfunction alert. 32 bytes each. */
export const EMERGENCY_SIGNALS = 0x3010;
export const MALFUNCTION_ALERTS = 0x3030;
/** Clock comparator, a TOD-clock value. */
export const CLOCK_COMPARATOR = 0x3050;
/** Where the CPU timer reaches zero, in TOD-clock units of the machine's clock (clock.ts). */
export const CPU_TIMER_END = 0x3058;
/** 1 while the CPU timer stands still, the CPU being stopped; its value then. */
export const CPU_TIMER_STANDS = 0x30b0;
export const CPU_TIMER = 0x30b8;
/** The last value that STORE CLOCK has given, and TOD_SETTINGS then. */
export const LAST_CLOCK = 0x30c0;
export const LAST_CLOCK_SETTINGS = 0x30c8;
/** What STORE CLOCK EXTENDED shows of the epoch index: X'FF', or 0 without the multiple-epoch facility. */
export const EPOCH_INDEX_MASK = 0x30cc;
/** What the CPU has not of the vector facility and its enhancements: bits LACKS_*. */
export const LACKING = 0x30d0;
/** When the CPU must be interrupted by a timer, in milliseconds of the machine's clock (clock.ts), as a double. */
export const DEADLINE = 0x3060;
/** Not zero: an interruption condition is pending that the PSW or the control registers keep off. */
export const HELD = 0x306c;
/** Doublewords that an instruction hands to its millicode, or gets from it. */
export const OPERAND = 0x3080;
export const CPU_ADDRESS = 0x3090;
/** What LOAD PROGRAM PARAMETER loaded. */
export const PROGRAM_PARAMETER = 0x3070;
/** 1 while the CPU executes instructions, and may use what it knows of storage; 0: it is at rest (exclusion.ts). */
export const RUNNING = 0x3098;
/** What the CPU is to software: CPU_* below. */
export const CPU_STATE = 0x309c;
/** A SIGNAL PROCESSOR order that this CPU is to carry out, plus one, or 0; and its parameter. */
export const ORDER = 0x30a0;
export const ORDER_PARAMETER = 0x30a4;
/** How many TLB contexts have ever been used: the first so many. */
export const TLB_USED = 0x30a8;
/** How often one has been selected, modulo 2^32. */
export const TLB_USES = 0x30ac;
/** What goes with the machine checks of CONDITIONS: address and MACHINE_STORAGE_* bits of a storage error. */
export const FAILING_STORAGE = 0x31e0;
export const STORAGE_ERROR = 0x31e8;
/** Tags of the TLB contexts, 16 bytes each: ASCE, controls, last use. */
export const TLB_TAGS = 0x3200;
/** What a walk along the tables in compiled code has found: the real address, absolute for a large frame; the page-table entry. */
export const WALKED_REAL = 0x3180;
export const WALKED_ENTRY = 0x3188;
/** What such a walk found out about the page (engine/routines/translation.ts, WALK_*). */
export const WALKED = 0x3190;
/** The last function that EXTRACT AND SET STORAGE ATTRIBUTES has. */
export const LAST_ATTRIBUTE_FUNCTION = 0x318c;
/** What this CPU has taken of compiled modules: the number of the last one plus one; 0: it does not take any yet. */
export const MODULES_TAKEN = 0x31ec;
/** 1: the CPU has waited most of the time lately, and has no need of speed (regions.ts). */
export const AT_LEISURE = 0x31f0;
/** How often the CPU has begun to execute instructions and stopped, or begun to wait: odd while it executes. */
export const BEGINNINGS = 0x31f4;
/** Counts for those who want to know (region-counts.ts): TLB misses, ticks, and those met in regions. */
export const TLB_MISSES = 0x30e0;
export const TICKS = 0x30e4;
export const TICKS_IN_REGIONS = 0x30e8;
/** How often regions have been left: a word for each of REGION_* (engine/protocol.ts). */
export const REGION_EXITS = 0x30ec;
/** How often the CPU has gone from one region to another, or back, modulo 2^32. */
export const PASSAGES = 0x3110;
/**
 * Records of instructions that continue on the next page, as they were put together: which depends on two code pages and
 * on how the second is mapped. An entry has the host addresses of the record on the page where the instruction begins and
 * of the code page where it ends, and for both pages the host address of codePageVersion and what was found there; behind
 * them the instruction's record, followed by three that end the page. Where an entry is follows from its first word.
 */
export const CROSSINGS = 0x4000;
export const CROSSING_ENTRIES = 256;
export const CROSSING_ENTRY_SIZE = 0x40;
/** Almost the size of a code page, as a power of two: of neighbouring ones the entries are neighbours. */
export const CROSSING_SHIFT = 14;
export const CROSSING_RECORD_AT = 0x20;
/** First TLB context. */
export const TLB = 0x8000;

export const CONDITION_EXTERNAL_CALL = 0x01;
export const CONDITION_EMERGENCY_SIGNAL = 0x02;
export const CONDITION_MALFUNCTION_ALERT = 0x04;
export const CONDITION_RESTART = 0x08;
// Machine checks of one CPU (PoP ch. 11). The first two are exigent.
export const CONDITION_SYSTEM_DAMAGE = 0x0100;
export const CONDITION_PROCESSING_DAMAGE = 0x0200;
export const CONDITION_RECOVERY = 0x0400;
export const CONDITION_DEGRADATION = 0x0800;
export const CONDITION_MACHINE_CHECKS = 0x0f00;

export const LACKS_VECTORS = 4;
/** Vector-enhancements facilities 1 and 2. */
export const LACKS_ENHANCEMENTS_1 = 1;
export const LACKS_ENHANCEMENTS_2 = 2;

/** States of a CPU (PoP ch. 4). In a disabled wait it operates, but nothing will come of it. */
export const CPU_OPERATING = 0;
export const CPU_STOPPED = 1;
export const CPU_CHECK_STOP = 2;
export const CPU_DISABLED_WAIT = 3;

/**
 * A TLB context is an array of entries for one address space as one kind of program sees it; behind it a word for each
 * entry that tells which page table it was made from, and a mask of the blocks of entries that are in use.
 */
export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SIZE = 32;
export const TLB_TABLES = TLB_ENTRIES * TLB_ENTRY_SIZE;
export const TLB_BLOCKS = TLB_TABLES + TLB_ENTRIES * 4;
/** Entries in a block. */
export const TLB_BLOCK = 32;
/** Not a multiple of a power of two that caches care about: the same page in two spaces has two places. */
export const TLB_CONTEXT_SIZE = TLB_BLOCKS + 64;
export const TLB_CONTEXTS = 24;
/** Offsets in a TLB entry. Tags are virtual page addresses, or TLB_INVALID which no page address equals, odd or even. */
export const TLB_FETCH_TAG = 0;
export const TLB_STORE_TAG = 8;
export const TLB_CODE_TAG = 16;
/** Host address of virtual byte v, for an access of n bytes: addend - v + (BIAS - n). */
export const TLB_ADDEND = 24;
/** Host address of the page's code page. */
export const TLB_CODE_PAGE = 28;
export const TLB_INVALID = 4n;
/** Added to the store tag of a page of which only bytes 0-511 are protected (low-address protection). */
export const TLB_PARTIAL = 2;

/** Added to constant offsets of storage accesses so that they are never negative. */
export const BIAS = 256;

/** Size of one CPU's block. */
export const CPU_STRIDE = TLB + Math.ceil((TLB_CONTEXTS * TLB_CONTEXT_SIZE) / 0x1000) * 0x1000;

export const PENDING_STOP = 1;
export const PENDING_INTERRUPTION = 2;
export const PENDING_TICK = 4;
/** Another thread asks for something: registers changed, TLB purge, quiesce. */
export const PENDING_REQUEST = 8;

/** Offsets in the machine-wide page at `Layout.machine`. */
/** Floating interruption conditions: bits FLOATING_*. */
export const FLOATING = 0x00;
/** Parameter of the pending service signal. */
export const SERVICE_PARAMETER = 0x04;
/** I/O-interruption subclasses with a pending interruption: bit 0x80 >> ISC. */
export const IO_PENDING = 0x08;
/** TOD clock at the origin of the machine's clock, but for what the new episode steers; a 64-bit number. */
export const TOD_EPOCH = 0x10;
/** Origin of the machine's clock, in milliseconds of the host's absolute time, as a double. */
export const CLOCK_ORIGIN = 0x20;
/** While the machine is stopped: -1 less the time when that was, in milliseconds of the machine's clock; otherwise 0. A double. */
export const CLOCK_STOPPED = 0x88;
/** What of the TOD clock's epoch its user has specified (PTFF-STOU), a 64-bit number. */
export const USER_EPOCH = 0x40;
/** How often the TOD clock has been set, steering apart. */
export const TOD_SETTINGS = 0x48;
/** TOD-clock-steering registers (PoP ch. 4): what was before, and what is in effect. */
export const OLD_EPISODE = 0x50;
export const NEW_EPISODE = 0x68;
/** In an episode: the physical clock when it began, and the TOD offset then, 64-bit numbers; both steering rates. */
export const EPISODE_START = 0;
export const EPISODE_BASE = 8;
export const EPISODE_FINE = 16;
export const EPISODE_GROSS = 20;
export const EPISODE_SIZE = 24;
/** Epoch index that goes with TOD_EPOCH: how often the TOD clock has passed 2^64. */
export const EPOCH_INDEX = 0x90;
/** Counted mode: nanoseconds of the machine's clock, and instructions executed by all CPUs; doubles. */
export const VIRTUAL_TIME = 0x98;
export const INSTRUCTIONS = 0xa0;
/** Counted mode: after so many instructions all CPUs are to come to a halt; 0: none. A double. */
export const INSTRUCTION_GOAL = 0xa8;
/** Counted mode: index of the CPU that has its turn, and the instructions that are left of it. */
export const TURN = 0xb4;
export const TURN_LEFT = 0xb8;
/** 1 in counted mode: the machine's clock shows VIRTUAL_TIME. */
export const COUNTS = 0xb0;
/** How many CPUs execute instructions, neither stopped nor waiting; the ticker, if it sleeps, is notified when it leaves 0. */
export const EXECUTING_CPUS = 0x28;
/** 1: the ticker waits for that. */
export const TICKER_SLEEPS = 0xdc;
/** As TOD_EPOCH for the physical clock, which is never set. */
export const PHYSICAL_EPOCH = 0x30;
/** External-damage code of the pending FLOATING_EXTERNAL_DAMAGE. */
export const EXTERNAL_DAMAGE_CODE = 0x80;
/** Always 0: to sleep on. */
export const NEVER = 0x2c;
/** Address plus one of the CPU for which all others are at rest (exclusion.ts), or 0. */
export const ALONE = 0x38;
/** The code page that was given to a frame last. */
export const LAST_CODE_PAGE = 0x3c;

/** How many CPUs the host has for this process. */
export const HOST_CPUS = 0xc0;
/** Hot code (region-slots.ts): rung when something is wanted; how many places have been queued, and taken. */
export const COMPILER_BELL = 0xc4;
export const WANTED_IN = 0xc8;
export const WANTED_OUT = 0xcc;
/** Number of the last module that has been compiled, and how often regions have been given up. */
export const LAST_MODULE = 0xd0;
export const REVOCATIONS = 0xd4;
/** 1: no regions may begin anywhere. */
export const REGIONS_BARRED = 0xd8;
/** Counts of the compiler; COMPILER_* in region-slots.ts. */
export const COMPILER_COUNTS = 0xe0;

export const FLOATING_SERVICE_SIGNAL = 0x01;
export const FLOATING_INTERRUPT_KEY = 0x02;
/** A channel report is pending: machine check. */
export const FLOATING_CHANNEL_REPORT = 0x04;
/** Power or cooling will fail soon, or external damage: machine checks. */
export const FLOATING_WARNING = 0x08;
export const FLOATING_EXTERNAL_DAMAGE = 0x10;
export const FLOATING_MACHINE_CHECKS = 0x1c;

/** A predecoded page: one record of eight bytes per halfword (engine/records.ts), then one that ends the page. */
export const CODE_PAGE_SIZE = 2048 * 8 + 16;
export const CODE_PAGES = 6144;
/** The one that is no frame's own (code-pages.ts). */
export const VOLATILE_PAGE = CODE_PAGES - 1;

/** Most regions there can be at a time; 0 is no slot. */
export const SLOTS = 1 << 15;
/** Bytes of a slot's entry: see region-slots.ts. */
export const SLOT_SIZE = 16;
/** Most places that wait for the compiler. */
export const WANTED = 4096;
/** A bit for each halfword of a frame. */
export const COVERED_SIZE = 256;

/** Frame flags, one byte per absolute frame beside its storage key. */
export const FRAME_CODE = 0x01;
/** What EXTRACT AND SET STORAGE ATTRIBUTES keeps: usage, 0 stable, 1 unused, 2 potentially volatile, 3 volatile. */
export const FRAME_USAGE = 0x06;
export const FRAME_USAGE_SHIFT = 1;
/** The frame holds no tables for DAT. */
export const FRAME_NO_DAT = 0x08;
export const FRAME_ATTRIBUTES = FRAME_USAGE | FRAME_NO_DAT;

/** Where things are in one machine's linear memory; all host addresses. */
export interface Layout {
  readonly cpus: number;
  readonly storageSize: number;
  /** How much of it is there from the start; the rest is standby storage, which software may take. */
  readonly coreSize: number;
  /** Machine-wide words. */
  readonly machine: number;
  readonly cpuBase: number;
  /** One byte per frame: storage key (access-control bits, F, R, C in the upper seven bits). */
  readonly keys: number;
  /** One byte per frame: FRAME_* flags. */
  readonly frameFlags: number;
  /** One 16-bit number per frame: its code page plus one, or 0. */
  readonly codePageOf: number;
  /** One byte per frame: address plus one of the only CPU that may store there (sixteen bytes at once), or 0. */
  readonly soleStorer: number;
  /** 32 bits per code page: number plus one of its frame, or 0. */
  readonly codePageFrame: number;
  /** 32 bits per code page: how often its frame has been stored to. */
  readonly codePageVersion: number;
  readonly codePages: number;
  /** There is a compiler, for which CPUs count where they branch to. */
  readonly compiles: boolean;
  /** 16 bits per record of the code pages: how often it may yet be branched to before it is worth compiling. */
  readonly codeCounters: number;
  /** A bit per halfword of the code pages: it belongs to an instruction of a region. */
  readonly codeCovered: number;
  /** One byte per code page: how often its regions have been given up because they were stored to. */
  readonly codeLosses: number;
  /** SLOTS entries. */
  readonly regionSlots: number;
  /** Host addresses of records, 32 bits each: a ring of WANTED. */
  readonly wanted: number;
  /** Host address one past guest absolute byte 0. */
  readonly top: number;
  /** Size of the WebAssembly memory in 64 KiB pages. */
  readonly wasmPages: number;
}

/** Size of what all CPUs share. */
const MACHINE_SIZE = 0x10000;
const align = (value: number, to: number): number => Math.ceil(value / to) * to;

/** What goes with a code page, and with all regions. */
const CODE_PAGE_BYTES = CODE_PAGE_SIZE + CODE_PAGE_SIZE / 4 + COVERED_SIZE + 1;
const REGION_BYTES = SLOTS * SLOT_SIZE + WANTED * 4;

/** Most guest storage that fits beside the CPUs in 4 GiB of linear memory, in bytes. */
export function largestStorage(cpus: number): number {
  const fixed = MACHINE_SIZE + cpus * CPU_STRIDE + CODE_PAGES * (CODE_PAGE_BYTES + 8) + REGION_BYTES + 0x40000;
  // Five bytes of tables for each frame of 4 KiB.
  return Math.floor((2 ** 32 - fixed) / (1 + 5 / 4096) / 0x100000) * 0x100000;
}

/** @throws RangeError when the storage does not fit */
export function planLayout(cpus: number, coreSize: number, standbySize = 0, compiles = true): Layout {
  const storageSize = coreSize + standbySize;
  if (storageSize > largestStorage(cpus)) throw new RangeError('storage does not fit');
  const frames = storageSize / 4096;
  // The general registers of a single CPU are at offsets that take a byte of x86's instructions.
  const cpuBase = 0;
  const machine = cpus * CPU_STRIDE;
  const keys = machine + MACHINE_SIZE;
  const frameFlags = align(keys + frames, 16);
  const codePageOf = align(frameFlags + frames, 16);
  const soleStorer = align(codePageOf + frames * 2, 16);
  const codePageFrame = align(soleStorer + frames, 16);
  const codePageVersion = codePageFrame + CODE_PAGES * 4;
  const codePages = align(codePageVersion + CODE_PAGES * 4, 4096);
  const codeCounters = align(codePages + CODE_PAGES * CODE_PAGE_SIZE, 4096);
  const codeCovered = align(codeCounters + CODE_PAGES * (CODE_PAGE_SIZE / 4), 16);
  const codeLosses = codeCovered + CODE_PAGES * COVERED_SIZE;
  const regionSlots = align(codeLosses + CODE_PAGES, 16);
  const wanted = regionSlots + SLOTS * SLOT_SIZE;
  const bottom = align(wanted + WANTED * 4, 4096);
  const top = align(bottom + storageSize, 0x10000);
  return {
    cpus,
    storageSize,
    coreSize,
    machine,
    cpuBase,
    keys,
    frameFlags,
    codePageOf,
    soleStorer,
    codePageFrame,
    codePageVersion,
    codePages,
    compiles,
    codeCounters,
    codeCovered,
    codeLosses,
    regionSlots,
    wanted,
    top,
    wasmPages: top / 0x10000,
  };
}
