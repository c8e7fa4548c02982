/** A case: the state of the machine, and a short program. */

import { encode } from '../../src/cpu/isa/encode.ts';
import type { Instruction, Operands } from '../../src/cpu/isa/insn.ts';
import { CASE, CASE_SIZE, DATA_SIZE, POOLS, WINDOW, WINDOW_SIZE } from './layout.ts';

/** An instruction of a case. */
export interface Item {
  readonly row: Instruction;
  readonly operands: Operands;
  /** Where its operands lead: for each field of relative or base-displacement kind, the number of an item. */
  readonly to?: Readonly<Record<string, number>>;
  /** What relative fields that designate data lead to. */
  readonly data?: Readonly<Record<string, number>>;
  /** The target of EXECUTE; it is put behind the program. */
  readonly target?: Item;
}

export interface Case {
  readonly seed: number;
  readonly number: number;
  readonly gr: readonly bigint[];
  readonly fpr: readonly bigint[];
  /** Vector registers, 128 bits each, of which `fpr` replaces the left halves of the first 16. */
  readonly vr: readonly bigint[];
  readonly ar: readonly number[];
  readonly cr: readonly bigint[];
  readonly fpc: number;
  /** PSW bits 0-63. */
  readonly mask: bigint;
  /** Which initial contents the data frames get. */
  readonly pool: number;
  /** Offset of the program in the window. */
  readonly start: number;
  readonly items: readonly Item[];
  /** The instruction for which the case was made. */
  readonly focus?: Instruction | undefined;
  /** The item whose address one register holds: [register, item]. */
  readonly pointer?: readonly [register: number, item: number];
}

export interface Placed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses of the items, and of the end. */
  readonly addresses: readonly number[];
  readonly targets: ReadonlyMap<Item, number>;
  readonly end: number;
}

/** Register that holds the address of the window. */
export const WINDOW_REGISTER = 14;

/** Lays a program out in the window; undefined when it does not fit. An operation code of zeros follows it. */
export function place({ items, start }: Case): Placed | undefined {
  const bytes = new Uint8Array(WINDOW_SIZE);
  const addresses: number[] = [];
  let at = WINDOW + start;
  for (const { row } of items) {
    addresses.push(at);
    at += row.format.length;
  }
  addresses.push(at);
  const targets = new Map<Item, number>();
  let end = at + 8;
  for (const { target } of items) {
    if (!target) continue;
    targets.set(target, end);
    end += target.row.format.length + 6;
  }
  if (end > WINDOW + WINDOW_SIZE) return undefined;
  const put = (item: Item, address: number): void => {
    bytes.set(encoded(item, address, addresses, targets), address - WINDOW);
  };
  for (const [n, item] of items.entries()) {
    put(item, addresses[n]!);
    if (item.target) put(item.target, targets.get(item.target)!);
  }
  return { bytes, addresses, targets, end };
}

/** Instructions that are the same wherever they are. */
const fixed = new WeakMap<Item, Uint8Array>();

function encoded(
  item: Item,
  address: number,
  addresses: readonly number[],
  targets: ReadonlyMap<Item, number>,
): Uint8Array {
  const known = fixed.get(item);
  if (known) return known;
  const { row, operands, to = {}, data = {}, target } = item;
  if (target || Object.keys(to).length || Object.keys(data).length)
    return encode(row, resolve(item, address, addresses, targets));
  const text = encode(row, operands);
  fixed.set(item, text);
  return text;
}

function resolve(
  { operands, to = {}, data = {}, target }: Item,
  address: number,
  addresses: readonly number[],
  targets: ReadonlyMap<Item, number>,
): Operands {
  const resolved: Record<string, number> = { ...operands };
  const lead = (field: string, where: number): void => {
    if (field[0] === 'h') resolved[field] = (where - address) / 2;
    else {
      resolved[field] = where - WINDOW;
      resolved[field.replace('d', 'b')] = WINDOW_REGISTER;
    }
  };
  for (const [field, item] of Object.entries(to)) lead(field, addresses[Math.min(item, addresses.length - 1)]!);
  for (const [field, where] of Object.entries(data)) resolved[field] = (where - address) / 2;
  if (target) lead('h2' in operands ? 'h2' : 'd2', targets.get(target)!);
  return resolved;
}

/** Vector registers of a case as doublewords, the left one of each first. */
export const vectorHalves = ({ fpr, vr }: Case): bigint[] =>
  vr.flatMap((value, n) => [fpr[n] ?? value >> 64n, BigInt.asUintN(64, value)]);

/** General registers of a case, the address of an item included. */
export function registersOf({ gr, pointer }: Case, { addresses }: Placed): bigint[] {
  const registers = [...gr];
  if (pointer) registers[pointer[0]] = BigInt(addresses[Math.min(pointer[1], addresses.length - 1)]!);
  return registers;
}

/** The description of a case for the kernel. */
export function describe(test: Case, placed: Placed): Uint8Array {
  const record = new Uint8Array(CASE_SIZE);
  const view = new DataView(record.buffer);
  const { fpr, ar, cr, fpc, pool, mask, start } = test;
  const gr = registersOf(test, placed);
  for (let n = 0; n < 16; n++) {
    view.setBigUint64(CASE.gr + 8 * n, gr[n]!);
    view.setBigUint64(CASE.fpr + 8 * n, fpr[n]!);
    view.setUint32(CASE.ar + 4 * n, ar[n]!);
    view.setBigUint64(CASE.cr + 8 * n, cr[n]!);
  }
  for (const [n, half] of vectorHalves(test).entries()) view.setBigUint64(CASE.vr + 8 * n, half);
  view.setUint32(CASE.fpc, fpc);
  view.setBigUint64(CASE.pool, BigInt(POOLS + pool * DATA_SIZE));
  view.setBigUint64(CASE.psw, mask);
  view.setBigUint64(CASE.psw + 8, BigInt(WINDOW + start));
  record.set(placed.bytes, CASE.code);
  return record;
}
