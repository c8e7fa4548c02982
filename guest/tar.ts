/**
 * The tar format as a reader: ustar (POSIX.1-1988), pax headers (POSIX.1-2001) and GNU's long names.
 */
import type { TreeEntry } from './tree.ts';

const block = 512;

const types: Record<string, TreeEntry['type']> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** The entries of a tar archive, without those that `wanted` rejects. */
export async function* tarEntries(
  archive: AsyncIterable<Uint8Array>,
  wanted: (path: string) => boolean = () => true,
): AsyncGenerator<TreeEntry> {
  const reader = new Reader(archive);
  try {
    yield* read(reader, wanted);
  } finally {
    await reader.close();
  }
}

async function* read(reader: Reader, wanted: (path: string) => boolean): AsyncGenerator<TreeEntry> {
  let next: Record<string, string> = {};
  for (;;) {
    const header = await reader.take(block);
    // Two blocks of zeros end the archive; one is enough for us.
    if (!header || header.every(byte => byte === 0)) return;
    if (checksum(header) !== octal(header, 148, 8)) throw new Error('a damaged tar header');
    const kind = String.fromCharCode(header[156]);
    const size = next.size === undefined ? number(header, 124, 12) : Number(next.size);
    const padded = Math.ceil(size / block) * block;
    if (kind === 'x' || kind === 'g' || kind === 'L' || kind === 'K') {
      const content = (await reader.need(padded)).subarray(0, size);
      if (kind === 'x') Object.assign(next, paxRecords(content));
      if (kind === 'L') next.path = text(content, 0, size);
      if (kind === 'K') next.linkpath = text(content, 0, size);
      continue;
    }
    const prefix = text(header, 257, 6) === 'ustar' && header[262] === 0 ? text(header, 345, 155) : '';
    const name = next.path ?? (prefix ? `${prefix}/` : '') + text(header, 0, 100);
    const target = next.linkpath ?? text(header, 157, 100);
    next = {};
    const type = types[kind];
    const path = clean(name);
    if (type === undefined) throw new Error(`${name}: a tar entry of unknown type ${kind}`);
    if (!wanted(path)) {
      await reader.skip(padded);
      continue;
    }
    const entry: TreeEntry = {
      path,
      type,
      mode: octal(header, 100, 8) & 0o7777,
      uid: number(header, 108, 8),
      gid: number(header, 116, 8),
      mtime: number(header, 136, 12),
    };
    if (type === 'file') entry.data = (await reader.need(padded)).slice(0, size);
    else await reader.skip(padded);
    if (type === 'symlink') entry.target = target;
    if (type === 'link') entry.target = clean(target);
    if (type === 'character' || type === 'block') {
      entry.major = octal(header, 329, 8);
      entry.minor = octal(header, 337, 8);
    }
    yield entry;
  }
}

const clean = (path: string) =>
  path
    .split('/')
    .filter(part => part !== '' && part !== '.')
    .join('/');

function text(bytes: Uint8Array, start: number, length: number): string {
  let end = start;
  while (end < start + length && bytes[end] !== 0) end++;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

const octal = (bytes: Uint8Array, start: number, length: number) =>
  Number.parseInt(text(bytes, start, length).trim() || '0', 8);

/** A number in octal, or in GNU's base 256 where the top bit is set. */
function number(bytes: Uint8Array, start: number, length: number): number {
  if (bytes[start] !== 0x80) return octal(bytes, start, length);
  return bytes.subarray(start + 1, start + length).reduce((value, byte) => value * 256 + byte, 0);
}

/** The sum of the header's bytes, its checksum field taken as blanks. */
const checksum = (header: Uint8Array) => header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);

/** pax: records "length key=value\n", the length counted with itself. */
function paxRecords(content: Uint8Array): Record<string, string> {
  const records: Record<string, string> = {};
  for (let start = 0; start < content.length; ) {
    const blank = content.indexOf(0x20, start);
    const length = Number(text(content, start, blank - start));
    if (!(length > 0)) throw new Error('a damaged pax header');
    const record = text(content, blank + 1, start + length - 1 - (blank + 1));
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    start += length;
  }
  return records;
}

/** Takes byte counts out of a stream of chunks. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** So many bytes, or undefined at the end of the stream. */
  async take(length: number): Promise<Uint8Array | undefined> {
    if (this.#rest.length >= length) {
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      return bytes;
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done) {
          if (filled === 0) return undefined;
          throw new Error('the archive ends too early');
        }
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  /** Leaves the source, which may have more to give. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async need(length: number): Promise<Uint8Array> {
    const bytes = length === 0 ? new Uint8Array(0) : await this.take(length);
    if (!bytes) throw new Error('the archive ends too early');
    return bytes;
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) left -= (await this.need(Math.min(left, 1 << 20))).length;
  }
}
