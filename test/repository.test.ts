/** What may be committed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const git = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
const skip = git.status !== 0 && 'this is not a git checkout';
const files = (git.stdout ?? '').split('\0').filter(path => path && existsSync(join(root, path)));

test('no committed file names a host of a package registry', { skip }, () => {
  // The names are put together here, so that this file passes too.
  const hosts = [
    ...['npmjs.org', 'npmjs.com', 'yarnpkg.com'].map(domain => `registry.${domain}`),
    ...['deb', 'security', 'snapshot', 'ftp', 'archive'].map(name => `${name}.debian.org`),
    ...['archive', 'ports', 'security'].map(name => `${name}.ubuntu.com`),
  ];
  const wrong = files.flatMap(path => {
    const text = readFileSync(join(root, path), 'latin1');
    return hosts.filter(host => text.includes(host)).map(host => `${path}: ${host}`);
  });
  assert.deepEqual(wrong, []);
});

test('the lock files hold hashes and no addresses', { skip }, () => {
  const locks = files.filter(path => path.endsWith('package-lock.json'));
  assert.ok(locks.length > 0);
  for (const path of locks) {
    const { packages } = JSON.parse(readFileSync(join(root, path), 'utf8')) as {
      packages: Record<string, { resolved?: string; integrity?: string }>;
    };
    for (const [name, { resolved, integrity }] of Object.entries(packages)) {
      assert.equal(resolved, undefined, `${path}: ${name}`);
      if (name !== '') assert.match(integrity ?? '', /^sha512-/, `${path}: ${name}`);
    }
  }
});
