/**
 * Debian packages unpacked: a .deb is an ar archive whose member data.tar.* holds the files (deb(5)).
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { tarEntries } from './tar.ts';
import type { TreeEntry } from './tree.ts';
import { unxz } from './xz.ts';

type Bytes = AsyncIterable<Uint8Array>;

const decompressors: Record<string, (source: Bytes) => Bytes> = {
  '': source => source,
  '.gz': source => through(source, createGunzip()),
  '.xz': unxz,
  '.zst': source => through(source, createZstdDecompress()),
};

function through(source: Bytes, transform: Transform): Bytes {
  // The reader of the transform meets the pipeline's errors there; a reader that leaves early makes one that is none.
  pipeline(source, transform).catch(() => {});
  return transform;
}

/** The files of a package, in the archive's order, without those that `wanted` rejects. */
export async function* debEntries(
  path: string,
  wanted: (path: string) => boolean = () => true,
): AsyncGenerator<TreeEntry> {
  const { start, size, suffix } = await dataMember(path);
  const packed = createReadStream(path, { start, end: start + size - 1 });
  yield* tarEntries(decompressors[suffix](packed), wanted);
}

/** ar: the magic, then members with a header of 60 bytes (name 0-15, size in decimal 48-57), each padded to even length. */
async function dataMember(path: string): Promise<{ start: number; size: number; suffix: string }> {
  const archive = await open(path);
  try {
    const read = async (position: number, length: number) => {
      const { buffer, bytesRead } = await archive.read(Buffer.alloc(length), 0, length, position);
      return buffer.toString('latin1', 0, bytesRead);
    };
    if ((await read(0, 8)) !== '!<arch>\n') throw new Error(`${path} is not a Debian package`);
    for (let position = 8; ; ) {
      const header = await read(position, 60);
      if (header.length < 60) throw new Error(`${path} has no data.tar`);
      const name = header.slice(0, 16).replace(/\/? *$/, '');
      const size = Number(header.slice(48, 58));
      const suffix = /^data\.tar(\..*)?$/.exec(name);
      if (suffix) {
        const found = suffix[1] ?? '';
        if (!(found in decompressors)) throw new Error(`${path}: ${name} is packed in an unknown way`);
        return { start: position + 60, size, suffix: found };
      }
      position += 60 + size + (size & 1);
    }
  } finally {
    await archive.close();
  }
}
