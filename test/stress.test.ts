/** stress-ng, from Debian's package, checks its own results while it loads what the name of each stressor says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { guestOrReason } from './support/guest.ts';
import { emulator, Terminal } from './support/terminal.ts';

const minute = 60;
/** Seconds for each stressor. */
const seconds = 2;
const stressors = ['cpu', 'matrix', 'qsort', 'fork', 'pipe', 'mmap', 'signal', 'sigsegv', 'fp', 'memcpy', 'context'];

test('stress-ng finds its results right', { timeout: 15 * minute * 1000 }, async t => {
  const command = `stress-ng --seq 1 --with ${stressors.join()} --verify --timeout ${seconds} --log-brief --stdout`;
  const obtained = await guestOrReason({
    packages: ['stress-ng'],
    // What it needs for graphics cards, which are not there.
    withDependencies: name => !/^(libllvm|mesa-)/.test(name),
    files: [file('usr/bin/check', `#!/bin/sh\n${command}\necho "stress-ng ended with $?"\n`, 0o755)],
  });
  if (typeof obtained === 'string') return t.skip(obtained);
  const { kernel, initrd } = obtained;
  const append = `${commandLine} -- /usr/bin/check`;
  const machine = ['-nographic', '-m', '1G', '-kernel', kernel, '-initrd', initrd, '-append', append];
  const guest = new Terminal([...emulator(), ...machine]);
  t.after(() => guest.kill());
  const [report] = await guest.waitFor(/[\s\S]*stress-ng ended with \d+/, 12 * minute);
  assert.match(report, /stress-ng ended with 0/);
  for (const stressor of stressors) assert.match(report, new RegExp(`passed: \\d+:.*\\b${stressor} \\(1\\)`));
  assert.match(report, /failed: 0/);
  assert.deepEqual(await guest.ended, { status: 0, signal: null }, guest.lastLines());
});
