/** bin/runtime.mjs: the right Node runs lpar, whichever one is on the path. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const runner = join(root, 'tools', 'run.cjs');
const fixture = 'test/fixtures/runtime.ts';
const posix = process.platform !== 'win32';

/** Node options that make this Node say it is another one; without execve it is one that has to start a child. */
const pretend = (version: string, { execve = false } = {}) => {
  const lines = [`Object.defineProperty(process.versions, 'node', { value: '${version}' });`];
  if (!execve) lines.push('process.execve = undefined;');
  return ['--import', `data:text/javascript,${encodeURIComponent(lines.join(''))}`];
};

const run = (nodeOptions: string[], args: string[], env: NodeJS.ProcessEnv = {}) => {
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [...nodeOptions, ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, LPAR_NODE: process.execPath, ...env },
  });
  return { stdout, stderr, status, signal };
};

test('a Node that is good enough goes on by itself', () => {
  const { stdout, status } = run([], [runner, fixture, 'a b', '--c']);
  assert.deepEqual(JSON.parse(stdout).args, ['a b', '--c']);
  assert.equal(status, 0);
});

for (const execve of posix ? [false, true] : [false]) {
  test(`an older Node hands over to a newer one, ${execve ? 'by execve' : 'as its child'}`, () => {
    const older = pretend('20.0.0', { execve });
    const { stdout, stderr, status } = run(older, [runner, fixture, 'a b', 'fail']);
    assert.equal(stderr, '');
    const said = JSON.parse(stdout);
    assert.ok(said.major >= 26);
    assert.deepEqual(said.args, ['a b', 'fail']);
    assert.equal(status, 3, 'the exit status is passed on');
    if (posix) assert.equal(run(older, [runner, fixture, 'die']).signal, 'SIGKILL', 'and so is the end by a signal');
  });

  test(`signals reach the newer Node, ${execve ? 'by execve' : 'as a child'}`, { skip: !posix }, async () => {
    const child = spawn(process.execPath, [...pretend('20.0.0', { execve }), runner, fixture, 'wait'], {
      cwd: root,
      env: { ...process.env, LPAR_NODE: process.execPath },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      if (output === '') child.kill('SIGTERM');
      output += text;
    });
    const status = await new Promise(resolve => child.on('close', resolve));
    assert.match(output, /got SIGTERM/);
    assert.equal(status, 7);
  });
}

test('a Node that is too old is told so in one line', () => {
  for (const version of ['18.19.0', '12.22.0']) {
    for (const program of [join(root, 'bin', 'lpar'), runner]) {
      const { stdout, stderr, status } = run(pretend(version), [program, '-version']);
      assert.equal(stdout, '');
      assert.equal(stderr, `lpar: Node ${version} is too old: Node 26 runs lpar (Node 20 can fetch it)\n`);
      assert.equal(status, 1);
    }
  }
});

test('a Node named with LPAR_NODE that is none is told so in one line', () => {
  const { stderr, status } = run(pretend('20.0.0'), [runner, fixture], { LPAR_NODE: '/nonexistent/node' });
  assert.match(stderr, /^lpar: \/nonexistent\/node, named by LPAR_NODE, is no Node 26 or newer\n$/);
  assert.equal(status, 1);
});
