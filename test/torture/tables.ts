/**
 * Control registers, and the translation tables that they designate. The primary space has all five levels and frames
 * at the ends of 24-, 31- and 64-bit addresses; the secondary space is a segment table in which two data frames have
 * changed places; the home space is as the primary, from the region-third table downwards.
 */

import { CODE, DATA, DICTIONARIES, DICTIONARIES_SIZE, STACK, TABLES, WINDOW } from './layout.ts';

/** Writes a big-endian doubleword at an absolute address. */
export type Write64 = (address: number, value: bigint) => void;

const INVALID_REGION = 0x20n;
const INVALID_PAGE = 0x400n;
const PROTECTED_PAGE = 0x200n;
/** Bit 52 of a page-table entry must be zero: translation-specification exception. */
const WRONG_PAGE = 0x800n;

// Sixteen KiB for each region and segment table, two for each page table.
const table = (n: number): number => TABLES + n * 0x4000;
const pageTable = (n: number): number => TABLES + 0x10_0000 + n * 0x800;
const FIRST = table(0);
const SECOND = [table(1), table(2)] as const;
const THIRD = [table(3), table(4)] as const;
const SEGMENTS = [table(5), table(6)] as const;
const SECONDARY = table(7);
const LOW = pageTable(0);
const END_24 = pageTable(1);
const END_31 = pageTable(2);
const END_64 = pageTable(3);
const LOW_SWAPPED = pageTable(4);
const PROTECTED = pageTable(5);

/** Dispatchable-unit control table, its access list of eight entries, and the ASN-second-table entry of a space. */
const DUCT = TABLES + 0x18_0000;
const ACCESS_LIST = DUCT + 0x100;
const ASTE = DUCT + 0x400;
/** That of the primary space, whose access list is the same. */
const PRIMARY_ASTE = DUCT + 0x440;

/** ASN tables, an authority table that allows everything, and the tables of PROGRAM CALL. */
const ASN_FIRST = TABLES + 0x19_0000;
const ASN_SECOND = TABLES + 0x19_1000;
const AUTHORITY = TABLES + 0x19_2000;
const LINKAGE = TABLES + 0x19_3000;
const ENTRIES = TABLES + 0x19_4000;

const frame = (n: number): bigint => BigInt(DATA + n * 4096);

export function writeTables(write: Write64): void {
  for (let entry = 0; entry < 2048; entry++) {
    for (const tables of [[FIRST], SECOND, THIRD, SEGMENTS, [SECONDARY]]) {
      for (const at of tables) write(at + entry * 8, INVALID_REGION);
    }
  }
  for (const at of [LOW, END_24, END_31, END_64, LOW_SWAPPED, PROTECTED]) {
    for (let entry = 0; entry < 256; entry++) write(at + entry * 8, INVALID_PAGE);
  }
  // Table type in bits 60-61, table length 3 in bits 62-63.
  const region = (at: number, entry: number, type: number, next: number): void =>
    write(at + entry * 8, BigInt(next | type | 3));
  const segment = (at: number, entry: number, next: number): void => write(at + entry * 8, BigInt(next));
  region(FIRST, 0, 0xc, SECOND[0]);
  region(FIRST, 2047, 0xc, SECOND[1]);
  region(SECOND[0], 0, 8, THIRD[0]);
  region(SECOND[1], 2047, 8, THIRD[1]);
  region(THIRD[0], 0, 4, SEGMENTS[0]);
  region(THIRD[1], 2047, 4, SEGMENTS[1]);
  segment(SEGMENTS[0], 0, LOW);
  segment(SEGMENTS[0], 15, END_24);
  segment(SEGMENTS[0], 2047, END_31);
  segment(SEGMENTS[1], 2047, END_64);
  segment(SECONDARY, 0, LOW_SWAPPED);
  for (const at of [SEGMENTS[0], SECONDARY]) segment(at, DICTIONARIES >> 20, PROTECTED);
  segment(SECONDARY, 2047, END_31);
  for (const at of [LOW, LOW_SWAPPED]) {
    const swapped = at === LOW_SWAPPED;
    const first = frame(swapped ? 1 : 0);
    const second = frame(swapped ? 0 : 1);
    const page = (address: number, entry: bigint): void => write(at + (address >> 12) * 8, entry);
    page(0, first);
    page(0x1000, second);
    page(DATA, first);
    page(DATA + 0x1000, second);
    page(DATA + 0x3000, frame(3));
    page(DATA + 0x4000, frame(4) | PROTECTED_PAGE);
    page(CODE, BigInt(CODE));
    page(CODE + 0x1000, BigInt(CODE + 0x1000));
    page(CODE + 0x4000, WRONG_PAGE);
  }
  for (let at = 0; at < DICTIONARIES_SIZE; at += 4096)
    write(PROTECTED + (at >> 12) * 8, BigInt(DICTIONARIES + at) | PROTECTED_PAGE);
  for (const at of [END_24, END_31, END_64]) write(at + 255 * 8, frame(5));
  writeAccessList(write);
  writeAddressSpaces(write);
}

/** Access-list entries 2 to 7: good, invalid, fetch-only, wrong sequence numbers of two kinds, not authorised. */
function writeAccessList(write: Write64): void {
  const home = BigInt(THIRD[0] | 4 | 3);
  write(DUCT + 16, BigInt(ACCESS_LIST) << 32n);
  // Sequence number 9; no authority table.
  write(ASTE, 0n);
  write(ASTE + 8, home);
  write(ASTE + 16, 9n);
  write(PRIMARY_ASTE + 16, (BigInt(ACCESS_LIST) << 32n) | 9n);
  const INVALID = 0x8000_0000n;
  const FETCH_ONLY = 0x0200_0000n;
  const PRIVATE = 0x0100_0000n;
  const SEQUENCE = 0x0005_0000n;
  const words = [INVALID, INVALID, 0n, INVALID, FETCH_ONLY, SEQUENCE, PRIVATE | 1n, 0n];
  for (const [n, word] of words.entries()) {
    write(ACCESS_LIST + n * 16, word << 32n);
    write(ACCESS_LIST + n * 16 + 8, (BigInt(ASTE) << 32n) | (n === 7 ? 8n : 9n));
  }
}

/** ASNs 1 to 5: the primary space, the secondary, none, one without authority, one that is an event. */
function writeAddressSpaces(write: Write64): void {
  const none = 0x8000_0000n;
  for (let at = 0; at < 0x1000; at += 8) write(ASN_FIRST + at, (none << 32n) | none);
  write(ASN_FIRST, (BigInt(ASN_SECOND) << 32n) | none);
  for (let asn = 0; asn < 64; asn++) {
    const at = ASN_SECOND + 64 * asn;
    const authority = BigInt(asn === 4 ? AUTHORITY + 64 : AUTHORITY);
    write(at, ((asn && asn < 6 && asn !== 3 ? authority : none) << 32n) | 0x10n);
    write(at + 8, asn === 1 ? BigInt(FIRST | 0xc | 3) : BigInt(SECONDARY | 3 | (asn === 5 ? 0x40 : 0)));
    write(at + 16, (BigInt(ACCESS_LIST) << 32n) | 9n);
    write(at + 24, BigInt(LINKAGE | 0x8000_0000) << 32n);
  }
  write(AUTHORITY, 0xffff_ffff_ffff_ffffn);
  write(AUTHORITY + 64, 0n);
  // One linkage-table entry that is good, of 32 entries; the rest is not.
  for (let at = 0; at < 128; at += 8) write(LINKAGE + at, (none << 32n) | none);
  write(LINKAGE, (BigInt(ENTRIES | 7) << 32n) | none);
  // The primary space's own: linkage table, no others.
  write(PRIMARY_ASTE + 24, BigInt(LINKAGE | 0x8000_0000) << 32n);
  for (let entry = 0; entry < 32; entry++) {
    const at = ENTRIES + 32 * entry;
    // Flags from the number: stacking, 64-bit mode, keys, mask, authorization, space mode, secondary space.
    const flags = (entry * 0x9e37_79b1) >>> 0;
    const asn = [0, 0, 0, 1, 2, 3, 4, 5][(flags >>> 3) & 7]!;
    const target = WINDOW + ((flags >>> 7) & 0x1fe);
    const keys = BigInt(entry % 3 ? 0xffff : flags & 0xffff);
    write(at, BigInt((target | (flags & 0x40 ? 0x8000_0000 : 0) | ((flags >>> 4) & 1)) >>> 0));
    write(at + 8, (((keys << 16n) | BigInt(asn)) << 32n) | (BigInt((flags >>> 9) & 0xffff) << 16n));
    const options = ((entry & 1 ? 0x8000_0000 : 0) | (flags & 0x5f80_0000) | 0x0012) >>> 0;
    write(at + 16, (BigInt(options) << 32n) | BigInt(ASN_SECOND + 64 * asn));
    write(at + 24, (0x0123_4567_89ab_cdefn * BigInt(entry + 1)) & 0xffff_ffff_ffff_ffffn);
  }
}

/** Control registers of a case: CR0 as given, the spaces above, all interruptions disabled. */
export function controlRegisters(cr0: bigint): bigint[] {
  const cr = new Array<bigint>(16).fill(0n);
  cr[0] = cr0;
  cr[1] = BigInt(FIRST | 0xc | 3);
  cr[2] = BigInt(DUCT);
  cr[5] = BigInt(PRIMARY_ASTE);
  cr[7] = BigInt(SECONDARY | 3);
  // ASN translation.
  cr[14] = BigInt(0x8_0000 | (ASN_FIRST >> 12));
  cr[15] = BigInt(STACK + 8);
  cr[13] = BigInt(THIRD[0] | 4 | 3);
  return cr;
}
