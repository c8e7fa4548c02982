/** Values as bytes: the Concise Binary Object Representation (RFC 8949), as much of it as saved states need. */

import { type Fields, SaveError, type Value } from './save-state.ts';

const UNSIGNED = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const DOUBLE = 0xfb;

/** How deep values may be in one another. */
const DEEPEST = 16;

export function encode(value: Value): Uint8Array {
  const pieces: Uint8Array[] = [];
  write(value, pieces);
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function write(value: Value, pieces: Uint8Array[]): void {
  if (value === null) pieces.push(Uint8Array.of(NULL));
  else if (typeof value === 'boolean') pieces.push(Uint8Array.of(value ? TRUE : FALSE));
  else if (typeof value === 'bigint' || Number.isInteger(value)) pieces.push(head(UNSIGNED, value as bigint | number));
  else if (typeof value === 'number') {
    const bytes = Uint8Array.of(DOUBLE, 0, 0, 0, 0, 0, 0, 0, 0);
    new DataView(bytes.buffer).setFloat64(1, value);
    pieces.push(bytes);
  } else if (typeof value === 'string') {
    const bytes = new TextEncoder().encode(value);
    pieces.push(head(TEXT, bytes.length), bytes);
  } else if (value instanceof Uint8Array) pieces.push(head(BYTES, value.length), value);
  else if (Array.isArray(value)) {
    pieces.push(head(ARRAY, value.length));
    for (const item of value) write(item, pieces);
  } else {
    const entries = Object.entries(value as Fields);
    pieces.push(head(MAP, entries.length));
    for (const [name, item] of entries) {
      write(name, pieces);
      write(item, pieces);
    }
  }
}

/** The first byte of an item, and its number or length in as few bytes as it needs. */
function head(major: number, value: number | bigint): Uint8Array {
  const number = Number(value);
  if (number < 0) throw new RangeError('negative numbers are not saved');
  if (number < 24) return Uint8Array.of((major << 5) | number);
  const size = number < 0x100 ? 0 : number < 0x1_0000 ? 1 : number < 0x1_0000_0000 ? 2 : 3;
  const bytes = new Uint8Array(1 + (1 << size));
  bytes[0] = (major << 5) | (24 + size);
  let rest = BigInt(value);
  for (let n = bytes.length - 1; n > 0; n--, rest >>= 8n) bytes[n] = Number(rest & 0xffn);
  return bytes;
}

/**
 * The value that the bytes are; byte strings are views of them. Whole numbers beyond 2^53 are bigints.
 * @throws SaveError
 */
export function decode(bytes: Uint8Array): Value {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.atEnd) throw new SaveError('more than one value in a section');
  return value;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new SaveError('a value ends in its middle');
    this.#at += length;
    return at;
  }

  value(depth: number): Value {
    if (depth > DEEPEST) throw new SaveError('values are nested too deeply');
    const first = this.#bytes[this.#take(1)]!;
    switch (first) {
      case FALSE:
      case TRUE:
        return first === TRUE;
      case NULL:
        return null;
      case DOUBLE:
        return this.#view.getFloat64(this.#take(8));
    }
    const number = this.#number(first & 0x1f);
    if (first >>> 5 === UNSIGNED) return number;
    const length = Number(number);
    switch (first >>> 5) {
      case BYTES: {
        const at = this.#take(length);
        return this.#bytes.subarray(at, at + length);
      }
      case TEXT: {
        const at = this.#take(length);
        return new TextDecoder().decode(this.#bytes.slice(at, at + length));
      }
      case ARRAY: {
        const list: Value[] = [];
        for (let n = 0; n < length; n++) list.push(this.value(depth + 1));
        return list;
      }
      case MAP: {
        const entries: [string, Value][] = [];
        for (let n = 0; n < length; n++) {
          const name = this.value(depth + 1);
          if (typeof name !== 'string') throw new SaveError('the name of a field is no text');
          entries.push([name, this.value(depth + 1)]);
        }
        return Object.fromEntries(entries);
      }
      default:
        throw new SaveError('a value of a kind that does not occur in saved states');
    }
  }

  #number(information: number): number | bigint {
    switch (information) {
      case 24:
        return this.#bytes[this.#take(1)]!;
      case 25:
        return this.#view.getUint16(this.#take(2));
      case 26:
        return this.#view.getUint32(this.#take(4));
      case 27: {
        const number = this.#view.getBigUint64(this.#take(8));
        return number > BigInt(Number.MAX_SAFE_INTEGER) ? number : Number(number);
      }
      default:
        if (information < 24) return information;
        throw new SaveError('a value of unknown length');
    }
  }
}
