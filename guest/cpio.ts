/**
 * The initramfs: a cpio archive in the format "newc" (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import { gzipSync } from 'node:zlib';
import type { Entries, TreeEntry } from './tree.ts';

const fileTypes: Record<TreeEntry['type'], number> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  link: 0o100000,
  symlink: 0o120000,
};

/** The archive in pieces, entry by entry. */
export async function* cpio(entries: Entries): AsyncGenerator<Uint8Array> {
  let inode = 0;
  const contents = new Map<string, Uint8Array>();
  for await (const entry of entries) {
    let data = entry.data ?? new Uint8Array(0);
    if (entry.type === 'file') contents.set(entry.path, data);
    if (entry.type === 'symlink') data = Buffer.from(entry.target ?? '');
    if (entry.type === 'link') {
      // A second name becomes a second file: packages have few of them.
      const same = contents.get(entry.target ?? '');
      if (!same) throw new Error(`${entry.path} is a link to ${entry.target}, which is not there`);
      data = same;
    }
    yield record(entry.path, ++inode, fileTypes[entry.type] | entry.mode, data, entry);
  }
  yield record('TRAILER!!!', 0, 0, new Uint8Array(0), {});
}

function record(
  path: string,
  inode: number,
  mode: number,
  data: Uint8Array,
  { uid = 0, gid = 0, mtime = 0, major = 0, minor = 0 }: Partial<TreeEntry>,
): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === fileTypes.directory ? 2 : 1;
  const fields = [inode, mode, uid, gid, links, mtime, data.length, 0, 0, major, minor, name.length, 0];
  const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
  const padded = (length: number) => (length + 3) & ~3;
  const start = padded(header.length + name.length);
  const bytes = new Uint8Array(start + padded(data.length));
  bytes.set(Buffer.from(header));
  bytes.set(name, header.length);
  bytes.set(data, start);
  return bytes;
}

/** An initramfs in memory, packed with gzip unless `gzip` is false. */
export async function initramfs(entries: Entries, { gzip = true }: { gzip?: boolean } = {}): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of cpio(entries)) pieces.push(piece);
  const archive = Buffer.concat(pieces);
  return gzip ? gzipSync(archive, { level: 9 }) : archive;
}
