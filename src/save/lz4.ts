/**
 * Compression that costs little time: blocks in the format of LZ4. A block is a series of sequences, each some bytes
 * as they are and then a copy of what came up to 64 KiB before; the last one has no copy.
 */

import { SaveError } from './save-state.ts';

const HASH_BITS = 14;
const SHORTEST = 4;
const FARTHEST = 0xffff;
/** The last copy begins so many bytes before the end at the latest, and ends five before it. */
const TAIL = 12;
const LAST = 5;
/** Lengths from here on go on in further bytes. */
const LONG = 15;
/** Fewer bytes are copied faster one by one. */
const SHORT = 64;

/** Index by hash of the last place, plus one, at which four bytes with it stood. */
const places = new Int32Array(1 << HASH_BITS);

/** A block that `decompress` turns into these bytes again. */
export function compress(data: Uint8Array): Uint8Array {
  const { length } = data;
  const out = new Uint8Array(length + Math.ceil(length / 255) + 16);
  places.fill(0);
  let to = 0;
  /** What is before this has been written. */
  let from = 0;
  const more = (rest: number): void => {
    for (; rest >= 255; rest -= 255) out[to++] = 255;
    out[to++] = rest;
  };
  const literals = (end: number, token: number): void => {
    const count = end - from;
    out[to++] = (Math.min(count, LONG) << 4) | token;
    if (count >= LONG) more(count - LONG);
    if (count < SHORT) for (let n = from; n < end; n++) out[to++] = data[n]!;
    else {
      out.set(data.subarray(from, end), to);
      to += count;
    }
  };
  const matchesUntil = length - LAST;
  for (let at = 0, misses = 0; at < length - TAIL; ) {
    const four = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    const hash = Math.imul(four, 0x9e37_79b1) >>> (32 - HASH_BITS);
    const place = places[hash]! - 1;
    places[hash] = at + 1;
    const found =
      place >= 0 &&
      at - place <= FARTHEST &&
      data[place] === data[at] &&
      data[place + 1] === data[at + 1] &&
      data[place + 2] === data[at + 2] &&
      data[place + 3] === data[at + 3];
    if (!found) {
      // Where little repeats, not every byte is looked at.
      at += 1 + (misses++ >>> 6);
      continue;
    }
    misses = 0;
    let end = at + SHORTEST;
    for (let other = place + SHORTEST; end < matchesUntil && data[end] === data[other]; end++) other++;
    const copied = end - at - SHORTEST;
    literals(at, Math.min(copied, LONG));
    out[to++] = (at - place) & 0xff;
    out[to++] = (at - place) >>> 8;
    if (copied >= LONG) more(copied - LONG);
    at = end;
    from = end;
  }
  literals(length, 0);
  return out.slice(0, to);
}

/** @throws SaveError when the block does not give exactly `length` bytes */
export function decompress(block: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  const wrong = () => new SaveError('compressed data are damaged');
  const size = (nibble: number): number => {
    let sum = nibble;
    if (nibble === LONG) {
      let byte: number;
      do {
        if (from >= block.length) throw wrong();
        byte = block[from++]!;
        sum += byte;
      } while (byte === 255);
    }
    return sum;
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = size(token >>> 4);
    if (literals > block.length - from || literals > length - to) throw wrong();
    if (literals < SHORT) for (let n = 0; n < literals; n++) out[to + n] = block[from + n]!;
    else out.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) break;
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    const copied = size(token & LONG) + SHORTEST;
    if (distance === 0 || distance > to || copied > length - to) throw wrong();
    if (distance >= copied && copied >= SHORT) out.copyWithin(to, to - distance, to - distance + copied);
    else for (let n = 0; n < copied; n++) out[to + n] = out[to + n - distance]!;
    to += copied;
  }
  if (to !== length) throw wrong();
  return out;
}
