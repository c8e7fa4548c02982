/**
 * A saved state as a stream of bytes: a mark and the version of the format, then sections. Each has its length, the
 * CRC-32 of what follows, and a value in CBOR: the unit's name, the version of its fields, the fields. The last section
 * is called `end`, so that a stream that breaks off is recognised.
 */

import { decode, encode } from './cbor.ts';
import { type Fields, SaveError, type Value } from './save-state.ts';

const MARK = new TextEncoder().encode('lpar saved state');
const FORMAT = 1;
const HEAD = 8;
const END = 'end';

export interface Section {
  readonly name: string;
  readonly version: number;
  readonly fields: Value;
}

export function* writeStream(sections: Iterable<Section>): Generator<Uint8Array> {
  const start = new Uint8Array(MARK.length + 4);
  start.set(MARK);
  new DataView(start.buffer).setUint32(MARK.length, FORMAT);
  yield start;
  for (const section of sections) yield* writeSection(section);
  yield* writeSection({ name: END, version: 1, fields: {} });
}

function* writeSection({ name, version, fields }: Section): Generator<Uint8Array> {
  const data = encode([name, version, fields]);
  const head = new Uint8Array(HEAD);
  const view = new DataView(head.buffer);
  view.setUint32(0, data.length);
  view.setUint32(4, crc32(data));
  yield head;
  yield data;
}

/**
 * The sections of a stream, but for the last one; their byte strings are views of the stream. Every one has been
 * checked before the first is given.
 * @param complete false: the stream is only the beginning of one, and what is whole of it is wanted
 * @throws SaveError
 */
export function readStream(stream: Uint8Array, complete = true): readonly Section[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  let at = MARK.length + 4;
  if (stream.length < at || MARK.some((byte, n) => stream[n] !== byte)) throw new SaveError('Not a migration stream');
  if (view.getUint32(MARK.length) !== FORMAT) throw new SaveError('Unsupported migration stream version');
  const sections: Section[] = [];
  for (;;) {
    const length = at + HEAD <= stream.length ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (at + HEAD + length > stream.length) {
      if (!complete) return sections;
      throw new SaveError(`the saved state breaks off after ${stream.length} bytes`);
    }
    const data = stream.subarray(at + HEAD, at + HEAD + length);
    if (crc32(data) !== view.getUint32(at + 4)) throw new SaveError(`the saved state is damaged at byte ${at}`);
    const value = decode(data);
    const [name, version, fields] = Array.isArray(value) ? (value as readonly Value[]) : [];
    if (typeof name !== 'string' || typeof version !== 'number') throw new SaveError(`no section at byte ${at}`);
    if (name === END) return sections;
    sections.push({ name, version, fields: fields as Fields });
    at += HEAD + length;
  }
}

/** The CRC-32 of IEEE 802.3, four bytes at a time. */
export function crc32(data: Uint8Array): number {
  let crc = -1;
  let at = 0;
  for (const end = data.length - 3; at < end; at += 4) {
    crc ^= data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    crc =
      table[768 + (crc & 0xff)]! ^
      table[512 + ((crc >>> 8) & 0xff)]! ^
      table[256 + ((crc >>> 16) & 0xff)]! ^
      table[crc >>> 24]!;
  }
  for (; at < data.length; at++) crc = table[(crc ^ data[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const table = new Int32Array(1024);
for (let n = 0; n < 256; n++) {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  table[n] = value;
}
for (let n = 256; n < 1024; n++) table[n] = table[table[n - 256]! & 0xff]! ^ (table[n - 256]! >>> 8);
