import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HostError } from '../host.ts';
import { nodeImageFiles } from './image-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'lpar-test-'));
after(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'image');
writeFileSync(path, new Uint8Array(8192).fill(1));
const open = (options: { readOnly?: boolean; share?: boolean; locking?: boolean; path?: string } = {}) =>
  nodeImageFiles.open(options.path ?? path, {
    readOnly: false,
    direct: false,
    locking: true,
    share: false,
    regular: true,
    ...options,
  });

test('a file is read and written anywhere', async () => {
  const file = await open();
  assert.equal(file.size(), 8192);
  file.write(5000, Uint8Array.of(7, 8, 9));
  const data = new Uint8Array(4);
  assert.equal(file.read(4999, data), 4);
  assert.deepEqual([...data], [1, 7, 8, 9]);
  assert.equal(file.read(8190, data), 2);
  await file.synchronize();
  file.close();
});

test('who may use an image together', { skip: process.platform !== 'linux' }, async () => {
  const refused = (options: Parameters<typeof open>[0], message: string) =>
    assert.rejects(open(options), error => error instanceof HostError && error.message === message);
  const reader = await open({ readOnly: true });
  const another = await open({ readOnly: true });
  await refused({}, 'Failed to get "write" lock');
  another.close();
  reader.close();
  const writer = await open();
  await refused({}, 'Failed to get "write" lock');
  await refused({ readOnly: true }, 'Failed to get shared "write" lock');
  await refused({ share: true }, 'Failed to get "write" lock');
  (await open({ locking: false })).close();
  writer.close();
  const sharer = await open({ share: true });
  (await open({ share: true })).close();
  await refused({ readOnly: true }, 'Failed to get shared "write" lock');
  (await open({ readOnly: true, share: true })).close();
  sharer.close();
  (await open()).close();
});

test('what is no image', async () => {
  await assert.rejects(open({ path: join(folder, 'none') }), /^HostError: No such file or directory|^Error: No such/);
  await assert.rejects(open({ path: folder, readOnly: true }), /'file' driver requires '.*' to be a regular file/);
});

test('a temporary file', () => {
  const file = nodeImageFiles.temporary();
  file.write(100, Uint8Array.of(1));
  assert.equal(file.size(), 101);
  file.close();
});
