import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { cpio, initramfs } from './cpio.ts';
import { debEntries } from './deb.ts';
import { tarEntries } from './tar.ts';
import { ar, tar } from './testing.ts';
import { directory, file, symlink, Tree, type TreeEntry } from './tree.ts';
import { unxz } from './xz.ts';

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const collect = async <T>(source: AsyncIterable<T>) => {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
};

const long = `${'folder/'.repeat(20)}file`;
const sample: TreeEntry[] = [
  directory('usr'),
  file('usr/a', 'content of a', 0o755),
  { path: 'usr/b', type: 'link', mode: 0o755, target: 'usr/a' },
  symlink('c', 'usr/a'),
  file(long, 'x'.repeat(1000)),
  { path: 'dev/null', type: 'character', mode: 0o666, major: 1, minor: 3 },
  file('empty', ''),
];

test('a tar archive is read, whatever the size of its pieces', async () => {
  for (const size of [1, 511, 512, 100_000]) {
    const entries = await collect(tarEntries(inPieces(tar(sample), size)));
    assert.deepEqual(
      entries.map(({ path, type, mode, target }) => ({ path, type, mode, target })),
      sample.map(({ path, type, mode, target }) => ({ path, type, mode, target })),
    );
    assert.equal(Buffer.from(entries[1].data!).toString(), 'content of a');
    assert.equal(entries[4].data?.length, 1000);
    assert.deepEqual([entries[5].major, entries[5].minor], [1, 3]);
  }
});

test('only wanted files are read from a tar archive', async () => {
  const entries = await collect(tarEntries(inPieces(tar(sample), 700), path => path === 'empty'));
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['empty'],
  );
});

test('a damaged or short tar archive is refused', async () => {
  const damaged = tar(sample);
  damaged[3] ^= 1;
  await assert.rejects(collect(tarEntries(inPieces(damaged, 512))), /damaged/);
  await assert.rejects(collect(tarEntries(inPieces(tar(sample).subarray(0, 1200), 512))), /too early/);
});

test('a Debian package is unpacked, packed in any of the usual ways', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-deb-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.deb');
  const data = tar(sample);
  for (const [suffix, pack] of [
    ['', (bytes: Uint8Array) => bytes],
    ['.gz', gzipSync],
    ['.zst', zstdCompressSync],
  ] as const) {
    writeFileSync(
      path,
      ar({ 'debian-binary': Buffer.from('2.0\n'), 'control.tar': tar([]), [`data.tar${suffix}`]: pack(data) }),
    );
    assert.equal((await collect(debEntries(path))).length, sample.length, suffix);
    // A reader that leaves early leaves nothing open that would keep the process.
    for await (const entry of debEntries(path)) if (entry.path === 'usr') break;
  }
  writeFileSync(path, ar({ 'debian-binary': Buffer.from('2.0\n') }));
  await assert.rejects(collect(debEntries(path)), /has no data\.tar/);
  writeFileSync(path, 'something else');
  await assert.rejects(collect(debEntries(path)), /is not a Debian package/);
});

test('xz is decompressed and damage is found', async () => {
  // printf 'lpar%.0s' {1..100} | xz
  const packed = Buffer.from(
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AGPAAxdADYcCEb0ACN32rYAAACjOJvfh0PQEwABKJADAAAAeNsZ67HEZ/sCAAAAAARZWg==',
    'base64',
  );
  const text = Buffer.concat(await collect(unxz(inPieces(packed, 10)))).toString();
  assert.equal(text, 'lpar'.repeat(100));
  await assert.rejects(
    collect(
      unxz(
        inPieces(
          packed.map((byte, i) => (i === 36 ? byte ^ 1 : byte)),
          10,
        ),
      ),
    ),
  );
});

test('an initramfs in the newc format', async () => {
  const archive = Buffer.concat(await collect(cpio(sample)));
  assert.deepEqual(gunzipSync(await initramfs(sample)), archive);
  assert.deepEqual(await initramfs(sample, { gzip: false }), archive);

  const found: Record<string, { mode: number; data: string; rdev: string }> = {};
  let position = 0;
  const field = (i: number) =>
    Number.parseInt(archive.toString('latin1', position + 6 + 8 * i, position + 14 + 8 * i), 16);
  for (;;) {
    assert.equal(archive.toString('latin1', position, position + 6), '070701');
    assert.equal(position % 4, 0);
    const [mode, size, nameSize, rdev] = [field(1), field(6), field(11), `${field(9)}:${field(10)}`];
    const name = archive.toString('utf8', position + 110, position + 110 + nameSize - 1);
    const start = (position + 110 + nameSize + 3) & ~3;
    if (name === 'TRAILER!!!') break;
    found[name] = { mode, data: archive.toString('utf8', start, start + size), rdev };
    position = (start + size + 3) & ~3;
  }
  assert.deepEqual(found.usr, { mode: 0o040755, data: '', rdev: '0:0' });
  assert.deepEqual(found['usr/b'], { mode: 0o100755, data: 'content of a', rdev: '0:0' });
  assert.deepEqual(found.c, { mode: 0o120777, data: 'usr/a', rdev: '0:0' });
  assert.deepEqual(found['dev/null'], { mode: 0o020666, data: '', rdev: '1:3' });
  assert.equal(Object.keys(found).length, sample.length);
});

test('a tree merges /usr, makes folders on the way and keeps the last file', () => {
  const tree = Tree.merged();
  tree.add(file('bin/sh', 'one')).add(directory('bin')).add(file('usr/bin/sh', 'two')).add(file('a/b/c', ''));
  tree.add({ path: 'sbin/x', type: 'link', mode: 0o755, target: 'bin/sh' });
  const paths = [...tree].map(({ path }) => path);
  assert.deepEqual(paths, [
    'usr',
    'usr/bin',
    'bin',
    'usr/sbin',
    'sbin',
    'usr/lib',
    'lib',
    'usr/bin/sh',
    'a',
    'a/b',
    'a/b/c',
    'usr/sbin/x',
  ]);
  assert.equal(Buffer.from(tree.get('bin/sh')!.data!).toString(), 'two');
  assert.equal(tree.get('usr/sbin/x')?.target, 'usr/bin/sh');
});
