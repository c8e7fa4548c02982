/** Archives made for tests. */
import type { TreeEntry } from './tree.ts';

const kinds: Record<TreeEntry['type'], string> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** A tar archive; names beyond ustar's 100 bytes go into pax headers. */
export function tar(entries: readonly TreeEntry[]): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  const header = (path: string, kind: string, size: number, entry: Partial<TreeEntry>) => {
    const bytes = Buffer.alloc(512);
    const octal = (value: number, start: number, length: number) =>
      bytes.write(value.toString(8).padStart(length - 1, '0'), start);
    bytes.write(path.slice(0, 100), 0);
    octal(entry.mode ?? 0, 100, 8);
    octal(entry.uid ?? 0, 108, 8);
    octal(entry.gid ?? 0, 116, 8);
    octal(size, 124, 12);
    octal(entry.mtime ?? 0, 136, 12);
    bytes.write('        ', 148);
    bytes.write(kind, 156);
    bytes.write(entry.target ?? '', 157);
    bytes.write('ustar\x0000', 257);
    octal(entry.major ?? 0, 329, 8);
    octal(entry.minor ?? 0, 337, 8);
    octal(
      bytes.reduce((sum, byte) => sum + byte),
      148,
      7,
    );
    blocks.push(bytes);
  };
  const content = (data: Uint8Array) => {
    const padded = new Uint8Array(Math.ceil(data.length / 512) * 512);
    padded.set(data);
    blocks.push(padded);
  };
  for (const entry of entries) {
    const path = `./${entry.path}${entry.type === 'directory' ? '/' : ''}`;
    if (path.length > 100) {
      const record = ` path=${path}\n`;
      let length = record.length;
      while (String(length).length + record.length !== length) length = String(length).length + record.length;
      header('pax', 'x', length, {});
      content(Buffer.from(`${length}${record}`));
    }
    const data = entry.data ?? new Uint8Array(0);
    header(path, kinds[entry.type], data.length, entry);
    content(data);
  }
  blocks.push(new Uint8Array(1024));
  return new Uint8Array(Buffer.concat(blocks));
}

/** An ar archive, as a .deb is one. */
export function ar(members: Record<string, Uint8Array>): Uint8Array {
  const pieces: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const [name, data] of Object.entries(members)) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
    pieces.push(Buffer.from(header), data, Buffer.from(data.length % 2 ? '\n' : ''));
  }
  return Buffer.concat(pieces);
}
