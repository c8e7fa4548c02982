/** The published package: plain JavaScript that runs below node_modules. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** npm as a user would start it, without the settings that an npm around this test has left in the environment. */
function npm(args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const { stdout, stderr, status, error } = spawnSync('npm', args, {
    cwd,
    env: { ...env, LPAR_NODE: process.execPath },
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  assert.equal(status, 0, `npm ${args.join(' ')}\n${stdout}\n${stderr}`);
  return stdout;
}

test('the packed package installs without a network and runs', { timeout: 300_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-package-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { version, dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  npm(['pack', '--pack-destination', folder], root);
  const tarball = `lpar-${version}.tgz`;
  assert.deepEqual(readdirSync(folder), [tarball]);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const offline = Object.keys(dependencies).length === 0 ? ['--offline'] : [];
  npm(['install', ...offline, '--no-audit', '--no-fund', `./${tarball}`], folder);
  const installed = join(folder, 'node_modules', 'lpar');

  await t.test('it holds JavaScript and no sources, tests or tools', () => {
    assert.deepEqual(readdirSync(installed).sort(), ['LICENSE', 'README.md', 'bin', 'dist', 'package.json']);
    const wrong = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
      path => /\.test\.|testing/.test(path) || (path.endsWith('.ts') && !path.endsWith('.d.ts')),
    );
    assert.deepEqual(wrong, []);
  });

  await t.test('no module refers to a .ts file', () => {
    const dist = join(installed, 'dist');
    const wrong = readdirSync(dist, { recursive: true, encoding: 'utf8' })
      .filter(path => path.endsWith('.js'))
      .filter(path => /(from|import\(|new URL\()\s*['"]\.[^'"]*\.ts['"]/.test(readFileSync(join(dist, path), 'utf8')));
    assert.deepEqual(wrong, []);
  });

  await t.test('the command tells its version', () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(installed, 'bin', 'lpar'), '-version'], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.ok(stdout.includes(version), stdout);
    assert.equal(status, 0);
  });

  await t.test('a machine starts, its threads too, and its monitor answers', () => {
    const options = ['-S', '-display', 'none', '-serial', 'null', '-monitor', 'stdio'];
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(installed, 'bin', 'lpar'), ...options], {
      cwd: folder,
      encoding: 'utf8',
      input: 'info status\nquit\n',
      timeout: 60_000,
    });
    assert.equal(stderr, '');
    assert.match(stdout, /VM status: paused/);
    assert.equal(status, 0);
  });

  await t.test('the library can be imported', () => {
    const script = "import { version } from 'lpar'; console.log(version);";
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(stdout, `${version}\n`);
  });
});
