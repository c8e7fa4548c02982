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
  const stress = `stress-ng --$stressor 1 --verify --timeout ${seconds} --log-brief --stdout`;
  const script = `for stressor in ${stressors.join(' ')}; do\n${stress}\necho "$stressor ended with $?"\ndone\necho that is all\n`;
  const obtained = await guestOrReason({
    packages: ['stress-ng'],
    // What it needs for graphics cards, which are not there.
    withDependencies: name => !/^(libllvm|mesa-)/.test(name),
    files: [file('usr/bin/check', `#!/bin/sh\n${script}`, 0o755)],
  });
  if (typeof obtained === 'string') return t.skip(obtained);
  const { kernel, initrd } = obtained;
  const append = `${commandLine} -- /usr/bin/check`;
  const machine = ['-nographic', '-m', '1G', '-kernel', kernel, '-initrd', initrd, '-append', append];
  const guest = new Terminal([...emulator(), ...machine]);
  t.after(() => guest.kill());
  const [report] = await guest.waitFor(/[\s\S]*that is all/, 12 * minute);
  for (const stressor of stressors) assert.match(report, new RegExp(`\\b${stressor} ended with 0\\b`));
  assert.doesNotMatch(report, /\bfailed: +[1-9]/);
  assert.deepEqual(await guest.ended, { status: 0, signal: null }, guest.lastLines());
});
