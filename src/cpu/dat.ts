/**
 * Dynamic address translation, access-register translation, prefixing and protection (PoP ch. 3 and 5): what happens
 * when the TLB does not know a page. Addresses are pairs of 32-bit numbers (low, high), for this runs at every TLB miss;
 * an exception is a result of -1, not something thrown, and is described by the fields of the translator.
 */

import type { Cpu } from './cpu.ts';
import { ACCESS_INSTRUCTION, ACCESS_STORE } from './engine/protocol.ts';
import { PER_SPACES, PER_STORES, PER_ZERO_ADDRESSES, PSW_PER_HIGH } from './per.ts';
import * as program from './program.ts';
import * as state from './state.ts';
import { REAL } from './tlb.ts';

/** An access exception: what an interruption stores. */
export class AccessFault {
  readonly code: number;
  /** Translation-exception identification, two halves. */
  readonly teidHigh: number;
  readonly teidLow: number;
  /** Exception access identification: number of the access register. */
  readonly accessId: number;
  /** Recognised while the instruction itself was fetched. */
  readonly fetching: boolean;

  constructor(code: number, teidHigh: number, teidLow: number, accessId: number, fetching: boolean) {
    this.code = code;
    this.teidHigh = teidHigh;
    this.teidLow = teidLow;
    this.accessId = accessId;
    this.fetching = fetching;
  }

  /** The interruption stores the translation-exception identification. */
  get identifiesAddress(): boolean {
    const { code } = this;
    return (
      code === program.PROTECTION ||
      code === program.SEGMENT_TRANSLATION ||
      code === program.PAGE_TRANSLATION ||
      (code >= program.ASCE_TYPE && code <= program.REGION_THIRD_TRANSLATION)
    );
  }

  /** The interruption stores the exception access identification. */
  get identifiesAccess(): boolean {
    const { code } = this;
    return this.identifiesAddress || (code >= program.ALET_SPECIFICATION && code <= program.EXTENDED_AUTHORITY);
  }

  /** The same page-translation exception in MOVE PAGE, which the identification tells of. */
  inMovePage(): AccessFault {
    return new AccessFault(this.code, this.teidHigh, this.teidLow | TEID_MOVE_PAGE, this.accessId, this.fetching);
  }

  /** Translation-exception identification. */
  get translationException(): bigint {
    return (BigInt(this.teidHigh >>> 0) << 32n) | BigInt(this.teidLow >>> 0);
  }
}

/** Not an exception: the instruction is to be executed once more, while all other CPUs are at rest. */
export const again = new AccessFault(0, 0, 0, 0, false);

// Address spaces by the address-space control, PSW bits 16-17.
export const PRIMARY = 0;
export const ACCESS_REGISTER = 1;
export const SECONDARY = 2;
export const HOME = 3;

/** An access to a space other than the one that the PSW selects: or it to ACCESS_*. */
export const ACCESS_SPACE_SHIFT = 20;
export const accessTo = (space: number): number => (space + 1) << ACCESS_SPACE_SHIFT;
const ACCESS_REGISTER_SHIFT = 24;

// Controls that a TLB context is tagged with: the PSW key in bits 0-3, and bits of CR0 where they stand there.
export const KEY = 0xf;
/** Stores are forbidden by the access-list entry. */
export const FETCH_ONLY = 0x10;
/** Program-event recording must be told of stores to pages that it watches, or of all accesses. */
const RECORDED_STORES = 0x20;
const RECORDED_ALL = 0x40;
/** What makes a TLB context one for program-event recording. */
export const RECORDED = RECORDED_STORES | RECORDED_ALL;
/** PSW bit 5. */
export const PSW_DAT_HIGH = 0x0400_0000;

export const LOW_ADDRESS_PROTECTION = 0x1000_0000;
const FETCH_PROTECTION_OVERRIDE = 0x0200_0000;
const STORAGE_PROTECTION_OVERRIDE = 0x0100_0000;
export const ENHANCED_DAT = 0x0080_0000;
export const EXECUTION_PROTECTION = 0x0010_0000;
export const REAL_CONTROLS = LOW_ADDRESS_PROTECTION | FETCH_PROTECTION_OVERRIDE | STORAGE_PROTECTION_OVERRIDE;
export const CONTROLS = REAL_CONTROLS | ENHANCED_DAT | EXECUTION_PROTECTION;

// ASCE and table entries, low halves.
export const PRIVATE_SPACE = 0x100;
export const REAL_SPACE = 0x20;
const ALTERATION_EVENT = 0x80;
export const TABLE_INVALID = 0x20;
export const COMMON = 0x10;
export const PROTECTED = 0x200;
export const FORMAT_CONTROL = 0x400;
export const NO_EXECUTION = 0x100;
export const PAGE_INVALID = 0x400;
export const PAGE_RESERVED = 0x800;
export const ACCESS_VALIDITY = 0x10000;

// Storage key.
export const KEY_PROTECTION = 0xf8;
export const KEY_FETCH = 0x08;
export const KEY_REFERENCE = 0x04;
export const KEY_CHANGE = 0x02;
const RECORD_STORE = KEY_REFERENCE | KEY_CHANGE;

const INVALID = Number(state.TLB_INVALID);

// Translation-exception identification.
const TEID_FETCH = 0x800;
const TEID_STORE = 0x400;
const TEID_LOW_ADDRESS = 0x80;
const TEID_KEY = 0x08;
const TEID_DAT = 0x04;
const TEID_ACCESS_LIST = 0x0c;
const TEID_EXECUTION = 0x84;
const TEID_MOVE_PAGE = 0x04;

export class Translator {
  readonly #cpu: Cpu;
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;
  readonly #top: number;
  /** Storage below is there in any case. */
  readonly #core: number;
  readonly #keys: number;
  readonly #frameFlags: number;
  readonly #soleStorer: number;

  // The last exception.
  code = 0;
  teidHigh = 0;
  teidLow = 0;
  accessId = 0;
  fetching = false;

  // What a walk found: the real address (absolute for a large frame), protection, and a large frame's key (or -1).
  realLow = 0;
  realHigh = 0;
  protected = false;
  noExecution = false;
  /** The last access was one that only the fetch-protection override permits. */
  overridden = false;
  /** The frame is larger than 4 KiB. */
  largeFrame = false;
  /** The walk ended at a region-table or segment-table entry whose invalid bit is on. */
  entryInvalid = false;
  /** The last access was in a context for program-event recording. */
  recorded = false;
  /** The last exception was of a store. */
  lastStore = false;
  /** Address of the last table entry that was used, its table's type (0 segment table), and the entry. */
  entryAt = 0;
  entryLevel = 0;
  entryLow = 0;
  entryHigh = 0;
  #frameKey = -1;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#i32 = cpu.i32;
    this.#u8 = cpu.u8;
    this.#top = cpu.layout.top;
    this.#core = cpu.layout.coreSize;
    this.#keys = cpu.layout.keys;
    this.#frameFlags = cpu.layout.frameFlags;
    this.#soleStorer = cpu.layout.soleStorer;
  }

  /** The last exception as an object. */
  fault(): AccessFault {
    return this.code === 0
      ? again
      : new AccessFault(this.code, this.teidHigh, this.teidLow, this.accessId, this.fetching);
  }

  // Which TLB context

  #pswHigh(): number {
    return this.#i32[(this.#cpu.base + state.PSW_MASK + 4) >>> 2]!;
  }
  #crLow(n: number): number {
    return this.#i32[(this.#cpu.base + state.CR + 8 * n) >>> 2]!;
  }
  #crHigh(n: number): number {
    return this.#i32[(this.#cpu.base + state.CR + 8 * n + 4) >>> 2]!;
  }

  /** PSW bits 16-17. */
  get addressSpaceControl(): number {
    return (this.#pswHigh() >>> 14) & 3;
  }

  get dat(): boolean {
    return (this.#pswHigh() & PSW_DAT_HIGH) !== 0;
  }

  #key(): number {
    return (this.#pswHigh() >>> 20) & KEY;
  }

  /** Context of real addresses. */
  realContext(key = this.#key(), recorded = 0): number {
    return this.#cpu.tlb.select(REAL, REAL, (this.#crLow(0) & REAL_CONTROLS) | key | recorded);
  }

  /** Context of logical addresses that are real ones. */
  #untranslated(key = this.#key()): number {
    return this.realContext(key, this.#recorded(ALTERATION_EVENT));
  }

  /** RECORDED_* for the space that an ASCE designates. */
  #recorded(asceLow: number): number {
    if (!(this.#pswHigh() & PSW_PER_HIGH)) return 0;
    const events = this.#crLow(9);
    const stores = events & PER_STORES && (!(events & PER_SPACES) || asceLow & ALTERATION_EVENT);
    return (stores ? RECORDED_STORES : 0) | (events & PER_ZERO_ADDRESSES ? RECORDED_ALL : 0);
  }

  /** Context of the space that control register `n` designates: 1 primary, 7 secondary, 13 home. */
  controlRegisterContext(n: number, key = this.#key()): number {
    const asce = this.#crLow(n);
    const controls = (this.#crLow(0) & CONTROLS) | key | this.#recorded(asce);
    return this.#cpu.tlb.select(asce, this.#crHigh(n), controls);
  }

  /** Context for one of PRIMARY, SECONDARY, HOME whatever the PSW says, DAT being on. */
  spaceContext(space: number, key = this.#key()): number {
    return this.controlRegisterContext(space === HOME ? 13 : space === SECONDARY ? 7 : 1, key);
  }

  fetchContext(): number {
    if (!this.dat) return this.#untranslated();
    return this.controlRegisterContext(this.addressSpaceControl === HOME ? 13 : 1);
  }

  /** In access-register mode, that of access register 0. */
  dataContext(): number {
    if (!this.dat) return this.#untranslated();
    return this.spaceContext(this.addressSpaceControl);
  }

  /**
   * Context of an operand, or -1.
   * @param instruction an operand in the instruction space (relative)
   * @param accessRegister its number in access-register mode, else -1
   */
  contextOf(instruction: boolean, accessRegister: number): number {
    if (instruction) return this.#cpu.field32(state.FETCH_CONTEXT);
    if (accessRegister < 0) return this.#cpu.field32(state.DATA_CONTEXT);
    return this.accessRegisterContext(accessRegister);
  }

  /** Context for an operand whose base register is `base`, as the PSW selects spaces; or -1. */
  operandContext(base: number, key = this.#key()): number {
    if (!this.dat) return this.#untranslated(key);
    const control = this.addressSpaceControl;
    return control === ACCESS_REGISTER ? this.accessRegisterContext(base, key) : this.spaceContext(control, key);
  }

  /** Context of the space that an access register designates (access-register translation), or -1. */
  accessRegisterContext(register: number, key = this.#key()): number {
    const alet = register === 0 ? 0 : this.#cpu.ar(register);
    if (alet === 0) return this.controlRegisterContext(1, key);
    if (alet === 1) return this.controlRegisterContext(7, key);
    const code = this.translateAlet(alet, this.#crHalf(8));
    if (code) {
      this.#report(code, 0, 0, register, false);
      return -1;
    }
    const { asceLow } = this;
    const controls = (this.#crLow(0) & CONTROLS) | key | (this.fetchOnly ? FETCH_ONLY : 0) | this.#recorded(asceLow);
    return this.#cpu.tlb.select(this.asceLow, this.asceHigh, controls);
  }

  /** Bits 32-47 of a control register. */
  #crHalf(n: number): number {
    return this.#crLow(n) >>> 16;
  }

  // Access-register translation (PoP ch. 5)

  asceLow = 0;
  asceHigh = 0;
  /** Real address of the ASN-second-table entry that an ALET led to. */
  asteAddress = 0;
  fetchOnly = false;

  /**
   * Finds the space of an ALET other than 0 and 1: asceLow, asceHigh, fetchOnly, asteAddress.
   * @param eax the extended authorization index to check with; undefined: the special translation of BRANCH IN SUBSPACE GROUP,
   * which looks neither at the authority nor at the sequence number in the ALET
   * @returns a program-interruption code, or 0
   */
  translateAlet(alet: number, eax: number | undefined): number {
    if (alet >>> 25) return program.ALET_SPECIFICATION;
    // Dispatchable-unit-control table (CR2) or primary ASTE (CR5): the access-list designation is at 16.
    const origin = this.#crLow(alet & 0x0100_0000 ? 5 : 2) & 0x7fff_ffc0;
    const designation = this.#word(origin + 16);
    if (designation < 0) return program.ADDRESSING;
    const number = alet & 0xffff;
    if (number >>> 3 > (designation & 0x7f)) return program.ALEN_TRANSLATION;
    const entry = (designation & 0x7fff_ff80) + number * 16;
    const first = this.#word(entry);
    if (first < 0) return program.ADDRESSING;
    if (first >= 0x8000_0000) return program.ALEN_TRANSLATION;
    const isOrdinary = eax !== undefined;
    if (isOrdinary && ((first ^ alet) & 0xff_0000) !== 0) return program.ALE_SEQUENCE;
    const aste = this.#word(entry + 8) & 0x7fff_ffc0;
    const control = this.#word(aste);
    if (control < 0) return program.ADDRESSING;
    if (control >= 0x8000_0000) return program.ASTE_VALIDITY;
    if (this.#word(aste + 20) !== this.#word(entry + 12)) return program.ASTE_SEQUENCE;
    const isPrivate = isOrdinary && (first & 0x0100_0000) !== 0;
    if (isPrivate && (first & 0xffff) !== eax && !this.authorized(aste, eax, 1)) return program.EXTENDED_AUTHORITY;
    this.fetchOnly = (first & 0x0200_0000) !== 0;
    this.asteAddress = aste;
    this.asceHigh = this.#word(aste + 8) | 0;
    this.asceLow = this.#word(aste + 12) | 0;
    return 0;
  }

  /** Looks into the authority table of an ASTE: bit 0 primary, 1 secondary authority. */
  authorized(aste: number, index: number, bit: 0 | 1): boolean {
    const length = (this.#word(aste + 4) >>> 4) & 0xfff;
    if (index >>> 4 > length) return false;
    const table = this.#word(aste) & 0x7fff_fffc;
    const at = table + (index >>> 2);
    const byte = this.#word(at & ~3) >>> (24 - 8 * (at & 3));
    return (byte & (0x80 >>> ((index & 3) * 2 + bit))) !== 0;
  }

  #isBeyond(absolute: number, length: number): boolean {
    return absolute + length > this.#core && !this.#cpu.storage.contains(absolute, length);
  }

  /** A word at a real address, or -1 beyond the end of storage. */
  #word(real: number): number {
    const absolute = this.toAbsolute(real);
    return this.#isBeyond(absolute, 4) ? -1 : this.#i32[(this.#top - absolute - 4) >>> 2]! >>> 0;
  }

  // Tables

  /** Prefixing: the absolute address of a real one, both below 2^32. */
  toAbsolute(real: number): number {
    const prefix = this.#cpu.field32(state.PREFIX);
    const block = real - (real & 0x1fff);
    if (block === 0) return real + prefix;
    return block >>> 0 === prefix ? real & 0x1fff : real;
  }

  /** What a walk would find if there were no tables: the address is a real one. */
  #noTables(low: number, high: number): void {
    this.protected = false;
    this.noExecution = false;
    this.largeFrame = false;
    this.entryInvalid = false;
    this.#frameKey = -1;
    this.realLow = low;
    this.realHigh = high;
  }

  /** Absolute address of what was found, large frames having absolute addresses; -1 beyond the end of storage. */
  found(): number {
    const { realLow } = this;
    const absolute = this.largeFrame ? realLow >>> 0 : this.toAbsolute(realLow >>> 0);
    return this.realHigh !== 0 || this.#isBeyond(absolute, 1) ? -1 : absolute;
  }

  #readEntry(high: number, low: number): boolean {
    const at = low >>> 0;
    if (high !== 0 || this.#isBeyond(at, 8)) return false;
    this.entryAt = at;
    const word = (this.#top - at - 8) >>> 2;
    this.entryLow = this.#i32[word]!;
    this.entryHigh = this.#i32[word + 1]!;
    return true;
  }

  /**
   * Translates by the tables: realLow, realHigh and the rest. Gives a program-interruption code, or 0.
   * @param untilPage only to find the page-table entry, which is not looked at
   */
  walk(asceLow: number, asceHigh: number, low: number, high: number, enhanced: boolean, untilPage = false): number {
    this.#noTables(low, high);
    if (asceLow & REAL_SPACE) return 0;
    let level = (asceLow >>> 2) & 3;
    if (level < 3 && high >>> 21) return program.ASCE_TYPE;
    if (level < 2 && high >>> 10) return program.ASCE_TYPE;
    if (level < 1 && (high !== 0 || low < 0)) return program.ASCE_TYPE;
    let originHigh = asceHigh;
    let originLow = asceLow & ~0xfff;
    let first = 0;
    let last = asceLow & 3;
    for (; level > 0; level--) {
      const index =
        level === 3 ? high >>> 21 : level === 2 ? (high >>> 10) & 0x7ff : ((high & 0x3ff) << 1) | (low >>> 31);
      const part = index >>> 9;
      if (part < first || part > last) return program.REGION_THIRD_TRANSLATION + 1 - level;
      if (!this.#readEntry(originHigh, originLow + index * 8)) return program.ADDRESSING;
      const entry = this.entryLow;
      this.entryLevel = level;
      if (entry & TABLE_INVALID) {
        this.entryInvalid = true;
        return program.REGION_THIRD_TRANSLATION + 1 - level;
      }
      if (((entry >>> 2) & 3) !== level) return program.TRANSLATION_SPECIFICATION;
      if (enhanced && entry & PROTECTED) this.protected = true;
      if (level === 1 && enhanced) {
        if (entry & COMMON && asceLow & PRIVATE_SPACE) return program.TRANSLATION_SPECIFICATION;
        if (entry & FORMAT_CONTROL) {
          this.#frame(entry, (entry & 0x8000_0000) | (low & 0x7fff_ffff));
          return 0;
        }
      }
      originHigh = this.entryHigh;
      originLow = entry & ~0xfff;
      first = (entry >>> 6) & 3;
      last = entry & 3;
    }
    const segment = (low >>> 20) & 0x7ff;
    if (segment >>> 9 < first || segment >>> 9 > last) return program.SEGMENT_TRANSLATION;
    if (!this.#readEntry(originHigh, originLow + segment * 8)) return program.ADDRESSING;
    const entry = this.entryLow;
    this.entryLevel = 0;
    if (entry & TABLE_INVALID) {
      this.entryInvalid = true;
      return program.SEGMENT_TRANSLATION;
    }
    if (entry & 0xc || (entry & COMMON && asceLow & PRIVATE_SPACE)) return program.TRANSLATION_SPECIFICATION;
    if (entry & PROTECTED) this.protected = true;
    if (enhanced && entry & FORMAT_CONTROL) {
      this.#frame(entry, (entry & 0xfff0_0000) | (low & 0xf_ffff));
      return 0;
    }
    const pageAt = (entry & 0xffff_f800) + ((low >>> 12) & 0xff) * 8;
    if (untilPage) {
      this.entryAt = pageAt >>> 0;
      this.realHigh = this.entryHigh;
      return 0;
    }
    if (!this.#readEntry(this.entryHigh, pageAt)) return program.ADDRESSING;
    const page = this.entryLow;
    if (page & PAGE_INVALID) return program.PAGE_TRANSLATION;
    if (page & PAGE_RESERVED) return program.TRANSLATION_SPECIFICATION;
    if (page & PROTECTED) this.protected = true;
    if (page & NO_EXECUTION) this.noExecution = true;
    this.realLow = (page & ~0xfff) | (low & 0xfff);
    this.realHigh = this.entryHigh;
    return 0;
  }

  /** A frame of 1 MiB or 2 GiB. */
  #frame(entry: number, realLow: number): void {
    this.largeFrame = true;
    this.realLow = realLow;
    this.realHigh = this.entryHigh;
    if (entry & NO_EXECUTION) this.noExecution = true;
    if (entry & ACCESS_VALIDITY) this.#frameKey = (entry >>> 8) & 0xf8;
  }

  // TLB misses

  #report(code: number, teidHigh: number, teidLow: number, accessId: number, fetching: boolean): number {
    this.code = code;
    this.teidHigh = teidHigh;
    this.teidLow = teidLow;
    this.accessId = accessId;
    this.fetching = fetching;
    return -1;
  }

  /** An exception that a look at the tables has found, of an access. */
  refused(code: number, low: number, high: number, how: number): AccessFault {
    this.#access(code, low, high, how, 0);
    return this.fault();
  }

  /** The exception's identification: page, kind of access, space. */
  #access(code: number, low: number, high: number, how: number, bits: number): number {
    const space = this.spaceOf(how);
    const kind = how & ACCESS_STORE ? TEID_STORE : TEID_FETCH;
    this.lastStore = kind === TEID_STORE;
    const accessId = this.accessIdOf(how);
    return this.#report(code, high, (low & ~0xfff) | kind | bits | space, accessId, false);
  }

  /** Space of an access: PRIMARY and so on. */
  spaceOf(how: number): number {
    const explicit = (how >>> ACCESS_SPACE_SHIFT) & 7;
    const control = this.dat ? this.addressSpaceControl : PRIMARY;
    const instruction = (how & ACCESS_INSTRUCTION) !== 0;
    return explicit ? explicit - 1 : instruction && control !== HOME ? PRIMARY : control;
  }

  /** Access identification: number of the access register, where one designates the space. */
  accessIdOf(how: number): number {
    return this.spaceOf(how) === ACCESS_REGISTER ? how >>> ACCESS_REGISTER_SHIFT : 0;
  }

  /** Low-address protection of a block of storage at a real address, which is to be cleared. @throws AccessFault */
  protectLow(real: number): void {
    if (!(this.#crLow(0) & LOW_ADDRESS_PROTECTION) || real >= 0x2000) return;
    this.#access(program.PROTECTION, real, 0, ACCESS_STORE, TEID_LOW_ADDRESS);
    throw this.fault();
  }

  /** Records that the frame at an absolute address is stored to. */
  record(absolute: number): void {
    const at = this.#keys + (absolute >>> 12);
    if ((this.#u8[at]! & RECORD_STORE) !== RECORD_STORE) Atomics.or(this.#u8, at, RECORD_STORE);
  }

  /**
   * Absolute address of a logical one, for an access within its page, after all checks; the TLB entry is made.
   * @param how ACCESS_STORE, ACCESS_INSTRUCTION, accessTo(space), withRegister(n)
   * @returns -1 after an exception
   */
  fill(context: number, low: number, high: number, how: number): number {
    const i32 = this.#i32;
    const tag = this.#cpu.tlb.tagOf(context);
    const asceLow = i32[tag]!;
    const controls = i32[tag + 2]!;
    const store = (how & ACCESS_STORE) !== 0;
    const real = asceLow === REAL;
    this.recorded = (controls & RECORDED) !== 0;
    const isPrivate = !real && (asceLow & PRIVATE_SPACE) !== 0;
    const partial = (controls & LOW_ADDRESS_PROTECTION) !== 0 && high === 0 && low >>> 13 === 0 && !isPrivate;
    if (partial && store && (low & 0xfff) < 512) {
      return this.#access(program.PROTECTION, low, high, how, TEID_LOW_ADDRESS);
    }
    let writable = !(controls & FETCH_ONLY);
    if (real) this.#noTables(low, high);
    else {
      const code = this.walk(asceLow, i32[tag + 1]!, low, high, (controls & ENHANCED_DAT) !== 0);
      if (code) return this.#access(code, low, high, how, 0);
      if (this.protected || !writable) {
        if (store)
          return this.#access(program.PROTECTION, low, high, how, this.protected ? TEID_DAT : TEID_ACCESS_LIST);
        writable = false;
      }
    }
    const absolute = this.found();
    if (absolute < 0) return this.#access(program.ADDRESSING, low, high, how, 0);
    const frame = absolute >>> 12;
    const keyAt = this.#keys + frame;
    const key = this.#frameKey < 0 ? this.#u8[keyAt]! : this.#frameKey | (this.#u8[keyAt]! & 6);
    let fetchable = true;
    this.overridden = false;
    if ((controls & KEY) !== 0 && key >>> 4 !== (controls & KEY)) {
      if (!(controls & STORAGE_PROTECTION_OVERRIDE && key >>> 4 === 9)) {
        if (store) return this.#access(program.PROTECTION, low, high, how, TEID_KEY);
        writable = false;
        if (key & KEY_FETCH) {
          const overridden = controls & FETCH_PROTECTION_OVERRIDE && high === 0 && low >>> 11 === 0 && !isPrivate;
          if (!overridden) return this.#access(program.PROTECTION, low, high, how, TEID_KEY);
          fetchable = false;
          this.overridden = true;
        }
      }
    }
    let others = this.#isForOthers(frame);
    if (store && others) {
      if (!this.#cpu.exclusion.isAlone) return this.#report(0, 0, 0, 0, false);
      this.#u8[this.#soleStorer + frame] = 0;
      others = false;
    }
    const recorded = store ? RECORD_STORE : KEY_REFERENCE;
    if ((key & recorded) !== recorded) Atomics.or(this.#u8, keyAt, recorded);
    // The entry. Stores may go in directly when the change bit is on and the frame holds no predecoded code.
    const page = low & ~0xfff;
    const entry = (context + ((low >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    const addend = (this.#top - state.BIAS - (absolute & ~0xfff) + page) | 0;
    const pageTable = real || this.largeFrame || asceLow & REAL_SPACE ? -1 : this.entryAt;
    const isNew = this.#cpu.tlb.use(context, entry, pageTable);
    if (isNew || i32[entry] !== page || i32[entry + 1] !== high || i32[entry + 6] !== addend) {
      i32[entry] = i32[entry + 2] = i32[entry + 4] = INVALID;
      i32[entry + 6] = addend;
    }
    if (this.recorded) {
      if (controls & RECORDED_ALL) fetchable = false;
      if (controls & RECORDED_ALL || this.#cpu.per.watches(page, high)) writable = false;
    }
    if (fetchable) {
      i32[entry] = page;
      i32[entry + 1] = high;
    }
    const flags = this.#frameFlags + frame;
    if (writable && !others && (store || key & KEY_CHANGE) && !(this.#u8[flags]! & state.FRAME_CODE)) {
      i32[entry + 2] = partial ? page | state.TLB_PARTIAL : page;
      i32[entry + 3] = high;
    }
    return absolute;
  }

  /** Another CPU is the only one that may store into the frame. */
  #isForOthers(frame: number): boolean {
    if (this.#cpu.layout.cpus === 1) return false;
    const storer = this.#u8[this.#soleStorer + frame]!;
    return storer !== 0 && storer !== this.#cpu.number + 1;
  }

  /** As `fill` for the instruction at this address, with its code page; -1 after an exception. */
  fillCode(low: number, high: number): number {
    const { i32 } = this.#cpu;
    const context = this.#cpu.field32(state.FETCH_CONTEXT);
    if (low & 1) return this.#report(program.SPECIFICATION, 0, 0, 0, true);
    const page = low & ~0xfff;
    const entry = (context + ((low >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    const { volatilePage } = this.#cpu.code;
    const isKnown = i32[entry + 4] === page && i32[entry + 5] === high;
    // Where the fetch-protection override ends within the page, each instruction asks anew.
    if (isKnown && (i32[entry] === page || i32[entry + 7] !== volatilePage)) {
      this.overridden = false;
      return (this.#top - state.BIAS - i32[entry + 6]! + low) >>> 0;
    }
    for (;;) {
      const absolute = this.fill(context, low, high, ACCESS_INSTRUCTION);
      if (absolute < 0) {
        this.fetching = true;
        return -1;
      }
      if (this.noExecution && i32[this.#cpu.tlb.tagOf(context) + 2]! & EXECUTION_PROTECTION) {
        this.#access(program.PROTECTION, low, high, ACCESS_INSTRUCTION, TEID_EXECUTION);
        this.fetching = true;
        return -1;
      }
      const frame = absolute - (absolute & 0xfff);
      const codePage = this.overridden ? volatilePage : this.#cpu.code.pageOf(frame);
      if (codePage) {
        i32[entry + 4] = page;
        i32[entry + 5] = high;
        i32[entry + 7] = codePage;
        return absolute;
      }
      this.#cpu.code.makePage(frame);
    }
  }

  /** Finds realLow and realHigh of a logical address; gives a program-interruption code, or 0. Records nothing. */
  look(context: number, low: number, high: number, untilPage = false): number {
    const tag = this.#cpu.tlb.tagOf(context);
    if (this.#i32[tag] !== REAL) {
      const enhanced = (this.#i32[tag + 2]! & ENHANCED_DAT) !== 0;
      return this.walk(this.#i32[tag]!, this.#i32[tag + 1]!, low, high, enhanced, untilPage);
    }
    this.#noTables(low, high);
    return 0;
  }

  /** Its addresses are real ones, by the real-space control of the ASCE. */
  isRealSpace(context: number): boolean {
    return (this.#i32[this.#cpu.tlb.tagOf(context)]! & REAL_SPACE) !== 0;
  }

  /** Absolute address of what a logical address designates, for looking only; -1: not there. */
  peek(context: number, low: number, high: number): number {
    return this.look(context, low, high) ? -1 : this.found();
  }

  /**
   * After `look`: what protection lets a program do there. 0 fetch and store, 1 fetch only, 2 nothing; -1: there is no
   * such storage.
   */
  permitted(context: number, low: number, high: number): number {
    const tag = this.#cpu.tlb.tagOf(context);
    const controls = this.#i32[tag + 2]!;
    const isPrivate = this.#i32[tag] !== REAL && (this.#i32[tag]! & PRIVATE_SPACE) !== 0;
    const absolute = this.found();
    if (absolute < 0) return -1;
    const key = this.#frameKey < 0 ? this.#u8[this.#keys + (absolute >>> 12)]! : this.#frameKey;
    let readOnly = this.protected || (controls & FETCH_ONLY) !== 0;
    if (controls & LOW_ADDRESS_PROTECTION && !isPrivate && high === 0 && (low & ~0x11ff) === 0) readOnly = true;
    if ((controls & KEY) !== 0 && key >>> 4 !== (controls & KEY)) {
      if (!(controls & STORAGE_PROTECTION_OVERRIDE && key >>> 4 === 9)) {
        const overridden = controls & FETCH_PROTECTION_OVERRIDE && high === 0 && low >>> 11 === 0 && !isPrivate;
        if (key & KEY_FETCH && !overridden) return 2;
        readOnly = true;
      }
    }
    return readOnly ? 1 : 0;
  }

  /** Absolute address of an instruction address, for looking only; undefined where there is none. */
  quietly(address: bigint): number | undefined {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const absolute = this.peek(this.#cpu.field32(state.FETCH_CONTEXT), low, high);
    return absolute < 0 ? undefined : absolute;
  }
}

/** The access register of an operand, to be or-ed to ACCESS_*, in access-register mode. */
export const withRegister = (register: number): number => register << ACCESS_REGISTER_SHIFT;
