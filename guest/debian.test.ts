import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { debianKernel } from './image.ts';
import type { Source } from './source.ts';

const release = (name: string, depends = '') =>
  `Package: ${name}\nVersion: 1-1\nArchitecture: s390x\nDepends: ${depends}\nFilename: pool/${name}.deb\nSize: 10\nSHA256: aa\n`;

const list = [
  release('linux-image-6.12.9+deb13-s390x'),
  release('linux-image-6.12.107+deb13-s390x'),
  release('linux-image-6.12.117+deb13-s390x'),
  release('linux-image-6.12.117+deb13-s390x-dbg'),
  release('linux-image-s390x', 'linux-image-6.12.117+deb13-s390x (= 1-1)'),
].join('\n');

/** A mirror that lists all of these and is without some. */
function mirror(
  t: { after(work: () => void): void },
  without: RegExp,
): { cache: string; source: Source; asked: string[] } {
  const cache = mkdtempSync(join(tmpdir(), 'lpar-debian-'));
  t.after(() => rmSync(cache, { recursive: true }));
  const asked: string[] = [];
  const source: Source = {
    name: 'a mirror',
    list: async file => writeFileSync(file, list),
    async download(packages, file) {
      asked.push(packages.map(({ name }) => name).join(' '));
      for (const wanted of packages) {
        if (without.test(wanted.name)) throw new Error(`404 Not Found: ${wanted.name}`);
        writeFileSync(file(wanted), wanted.name);
      }
    },
  };
  return { cache, source, asked };
}

test('the current kernel is taken', async t => {
  const { cache, source, asked } = mirror(t, /none/);
  assert.match(basename(await debianKernel({ cache, source })), /^linux-image-6\.12\.117\+deb13-s390x_/);
  assert.equal(asked.length, 1);
});

test('an earlier kernel stands in for one that the mirror lists and does not have', async t => {
  const { cache, source, asked } = mirror(t, /117|-s390x-dbg/);
  const kernel = await debianKernel({ cache, source });
  assert.match(basename(kernel), /^linux-image-6\.12\.107\+deb13-s390x_/);
  const before = asked.length;
  assert.equal(await debianKernel({ cache, source }), kernel);
  assert.equal(asked.length, before, 'the answer is in the cache');
});

test('a mirror without any kernel is told of', async t => {
  const { cache, source } = mirror(t, /linux/);
  await assert.rejects(debianKernel({ cache, source }), /404 Not Found/);
});
