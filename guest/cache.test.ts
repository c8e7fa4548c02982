import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder, locked, place } from './cache.ts';

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-cache-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('the cache folder follows LPAR_CACHE and the platform', { skip: process.platform !== 'linux' }, () => {
  assert.equal(cacheFolder({ LPAR_CACHE: '/a' }), '/a');
  assert.equal(cacheFolder({ XDG_CACHE_HOME: '/x' }), '/x/lpar');
  assert.match(cacheFolder({ XDG_CACHE_HOME: 'relative' }), /\.cache\/lpar$/);
  assert.match(cacheFolder({}), /\.cache\/lpar$/);
});

test('a file or folder gets its name only when it is complete', async t => {
  const folder = scratch(t);
  const path = join(folder, 'deep', 'file');
  await assert.rejects(
    place(path, async part => {
      writeFileSync(part, 'half');
      throw new Error('no network');
    }),
    /no network/,
  );
  assert.deepEqual(readdirSync(join(folder, 'deep')), []);
  for (const content of ['one', 'two']) {
    await place(path, async part => writeFileSync(part, content));
    assert.equal(readFileSync(path, 'utf8'), content);
    await place(join(folder, 'folder'), async part => {
      mkdirSync(part);
      writeFileSync(join(part, content), '');
    });
    assert.deepEqual(readdirSync(join(folder, 'folder')), [content]);
  }
});

test('work under one lock happens one after the other, also when it fails', async t => {
  const lock = join(scratch(t), 'lock');
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} starts`);
    await sleep(20);
    order.push(`${name} ends`);
    if (name === 'a') throw new Error('a fails');
  };
  const results = await Promise.allSettled(['a', 'b', 'c'].map(name => locked(lock, work(name))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
  for (let i = 0; i < order.length; i += 2) assert.equal(order[i].split(' ')[0], order[i + 1].split(' ')[0]);
  assert.ok(!existsSync(lock));
});

test('the lock of a process that has died is taken over', async t => {
  const lock = join(scratch(t), 'lock');
  writeFileSync(lock, '4194305\n');
  assert.equal(await locked(lock, async () => 'done'), 'done');
});
