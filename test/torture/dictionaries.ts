/**
 * Dictionaries for COMPRESSION CALL: trees of strings that occur in the data, laid out in either format of sibling
 * descriptors for each size of symbols, half of them with a few entries that are no good. Three quarters of the entries
 * are in use; the last quarter of the first dictionary is the symbol-translation table.
 */

import { DATA_SIZE, DICTIONARIES } from './layout.ts';
import type { Random } from './random.ts';

const SIZES = [9, 10, 11, 12, 13] as const;

interface Node {
  /** The first character, and up to four that follow it without choice. */
  readonly label: readonly number[];
  readonly children: Node[];
  readonly parent: Node | undefined;
  index: number;
}

/** Where the pair of dictionaries is that has symbols of so many bits. */
const offsetOf = (bits: number, format1: boolean): number => {
  let offset = 0;
  for (const size of SIZES) {
    for (const format of [false, true]) {
      if (size === bits && format === format1) return offset;
      offset += 16 << size;
    }
  }
  throw new RangeError(`${bits} bits`);
};

/** All of them, for the storage at DICTIONARIES. */
export function dictionaries(random: Random, pools: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(offsetOf(13, true) + (16 << 13));
  for (const bits of SIZES) {
    for (const format1 of [false, true]) {
      const at = offsetOf(bits, format1);
      pair(random, all.subarray(at, at + (16 << bits)), bits, format1, pools);
    }
  }
  return all;
}

/** General registers 0 and 1 for COMPRESSION CALL. */
export function dictionaryRegisters(random: Random): [control: bigint, place: bigint] {
  const bits = random.pick(SIZES);
  const expands = random.chance(0.5);
  // Random symbols would lead to sibling descriptors of format 1, whose second halves are no expansion entries.
  const format1 = !expands && random.chance(0.5);
  const size = random.chance(0.97) ? bits - 8 : random.pick([0, 6, 15]);
  const flags = (random.chance(0.15) ? 0x10000 : 0) | (random.chance(0.03) ? 0x20000 : 0);
  const formatted = format1 !== random.chance(0.01);
  const control = flags | (size << 12) | (formatted ? 0x200 : 0) | (expands ? 0x100 : 0) | random.below(256);
  const origin = DICTIONARIES + offsetOf(bits, format1) + (expands ? 8 << bits : 0);
  // The table begins after three quarters of the first dictionary, in units of 128 bytes.
  const table = ((6 << bits) >> 7) << 3;
  const bit = random.chance(0.5) ? 0 : random.below(8);
  return [BigInt(control) | ((random.wide() >> 32n) << 32n), BigInt(origin | table | bit)];
}

function pair(random: Random, bytes: Uint8Array, bits: number, format1: boolean, pools: readonly Uint8Array[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const second = 8 << bits;
  const limit = 3 << (bits - 2);
  const roots = Array.from(
    { length: 256 },
    (_, character): Node => ({ label: [character], children: [], parent: undefined, index: character }),
  );
  grow(random, roots, limit, pools);
  // Symbols that nothing leads to are good ones for expansion.
  for (let index = 0; index < 1 << bits; index++) unpreceded(view, second + 8 * index, [index & 0xff, index >> 8]);
  let next = 256;
  for (const queue: Node[] = [...roots]; queue.length; ) {
    const node = queue.shift()!;
    const needed = node.children.length * 2;
    if (next + needed > limit) node.children.length = 0;
    next = place(random, view, node, next, second, format1);
    queue.push(...node.children);
  }
  for (const [index, root] of roots.entries()) unpreceded(view, second + 8 * index, root.label);
  for (let index = 0; index < 1 << bits; index++) view.setUint16((6 << bits) + 2 * index, random.below(1 << bits));
  if (random.chance(0.5)) spoil(random, view, bits, second);
}

/** Adds strings from the data, then joins characters that follow each other without choice. */
function grow(random: Random, roots: readonly Node[], limit: number, pools: readonly Uint8Array[]): void {
  const child = (parent: Node, label: readonly number[]): Node => {
    const node: Node = { label, children: [], parent, index: -1 };
    parent.children.push(node);
    return node;
  };
  const most = random.pick([3, 6, 12, 40]);
  for (let count = 256; count < limit * 0.8; ) {
    const data = random.pick(pools);
    let at = random.below(DATA_SIZE - 64);
    let node = roots[data[at++]!]!;
    for (let length = random.between(1, most); length > 0; length--) {
      // Extension characters, and what is found of them in the data.
      const label = [...data.subarray(at, at + (random.chance(0.8) ? 1 : random.between(2, 5)))];
      at += label.length;
      const same = node.children.filter(({ label: [first] }) => first === label[0]);
      const exact = same.find(one => one.label.every((character, n) => character === data[at - label.length + n]));
      // Children with one character in common come first, and not all on their own.
      if (exact) {
        at += exact.label.length - label.length;
        node = exact;
      } else if (same.length === 0) {
        if (node.label.length > 2 && node.children.length > 0) break;
        node = child(node, label);
        count++;
      } else if (same.length < 3 && node.children.length === same.length && node.label.length === 1) {
        if (same.at(-1)!.label.length === 1) break;
        node = child(node, label);
        count++;
      } else break;
    }
    count++;
  }
}

function unpreceded(view: DataView, at: number, characters: readonly number[]): void {
  view.setBigUint64(at, 0n);
  view.setUint8(at, characters.length);
  for (const [n, character] of characters.entries()) view.setUint8(at + 1 + n, character);
}

/** What a symbol stands for. */
const stringOf = (node: Node): number[] => [...(node.parent ? stringOf(node.parent) : []), ...node.label];

/** Writes the entry of a node, of its expansion, and sibling descriptors; gives its children indexes. */
function place(random: Random, view: DataView, node: Node, next: number, second: number, format1: boolean): number {
  const at = 8 * node.index;
  const extension = node.label.slice(1);
  const { children } = node;
  const characters = stringOf(node);
  if (characters.length <= 7 && random.chance(0.5)) unpreceded(view, second + at, characters);
  else if (node.parent) {
    view.setUint16(second + at, (node.label.length << 13) | node.parent.index);
    for (let n = 0; n < 5; n++) view.setUint8(second + at + 2 + n, node.label[n] ?? 0);
    view.setUint8(second + at + 7, characters.length - node.label.length);
  }
  // With one child there may be four extension characters, with more there may be one.
  if (extension.length > 1) children.length = Math.min(children.length, 1);
  const most = 5 - extension.length;
  // If siblings follow, the children on their own are not all alike.
  if (children.length > most && children.slice(0, most).every(({ label }) => label[0] === children[0]!.label[0]))
    children.length = most;
  const own = Math.min(children.length, most);
  const isExamined = (child: Node | undefined): boolean =>
    !child || child.label.length > 1 || child.children.length > 0 ? !random.chance(0.02) : random.chance(0.5);
  const flag = (child: Node | undefined, bit: number): number => (isExamined(child) ? bit : 0);
  let head = (children.length > most ? own + 1 : own) << 29;
  for (let n = 0; n < own; n++) head |= flag(children[n], 0x1000_0000 >>> n);
  const counted = extension.length << 21;
  const first = next;
  for (let n = 0; n < own; n++) children[n]!.index = next++;
  let rest = children.slice(own);
  const capacity = format1 ? 14 : 7;
  const bits = format1 ? 12 : 5;
  for (let isFirst = true; rest.length; isFirst = false) {
    const group = rest.slice(0, capacity);
    rest = rest.slice(capacity);
    const descriptor = 8 * next++;
    for (const child of group) child.index = next++;
    const count = rest.length ? (format1 ? 15 : 0) : group.length;
    let word = format1 ? count << 12 : count << 5;
    for (const [n, child] of group.entries()) {
      if (n < bits) word |= flag(child, (format1 ? 0x800 : 0x10) >>> n);
      else if (isFirst) head |= flag(child, 0x80_0000 >>> (n - bits));
      const where = !format1 ? descriptor + 1 + n : n < 6 ? descriptor + 2 + n : second + descriptor + n - 6;
      view.setUint8(where, child.label[0]!);
    }
    if (format1) view.setUint16(descriptor, word);
    else view.setUint8(descriptor, word);
  }
  view.setUint32(at, head | counted | (first << 8));
  for (let n = 0; n < 5; n++) view.setUint8(at + 3 + n, extension[n] ?? children[n - extension.length]?.label[0] ?? 0);
  return next;
}

/** Entries that are data exceptions. */
function spoil(random: Random, view: DataView, bits: number, second: number): void {
  for (let n = 0; n < 3 << (bits - 9); n++) {
    const index = random.between(random.chance(0.1) ? 0 : 256, (3 << (bits - 2)) - 1);
    const first = view.getUint8(8 * index);
    // Too many children; too many extension characters; neither length nor characters; bits that must be zero; a loop.
    if (random.chance(0.5)) {
      if (random.chance(0.5)) view.setUint8(8 * index, 0xe0 | first);
      else view.setUint16(8 * index, ((first & 0x1f) << 8) | random.pick([0xa0, 0xc0, 0xe0]));
    } else {
      const at = second + 8 * index;
      const loop = random.between(1, 5);
      const heads = [0, 0xc000 | index, 0xe000 | index, 0x0900, 0x1200, (loop << 13) | index];
      view.setUint16(at, random.pick(heads));
    }
  }
}
