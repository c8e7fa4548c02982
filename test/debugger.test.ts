/**
 * Debian's gdb inside the guest: breakpoints, which change instructions; single steps and watchpoints, which are
 * program-event recording.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { guestOrReason } from './support/guest.ts';
import { compiled, instructionsOf } from './support/programs.ts';
import { emulator, Terminal } from './support/terminal.ts';

const minute = 60;

test('gdb stops, steps and watches a program', { timeout: 15 * minute * 1000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-debugger-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = await compiled('steps', folder);
  const count = (await instructionsOf(program, 'square')).length;
  const commands = [
    'set pagination off',
    'break square if n == 7',
    'run',
    'print n',
    'backtrace',
    // To the end of the function, an instruction at a time.
    ...Array.from({ length: count }, () => 'stepi'),
    'printf "result %ld\\n", $r2',
    'info symbol $pc',
    'delete',
    'watch sum',
    'continue',
    'continue',
    'delete',
    'break printf',
    'continue',
    'print sum',
    'continue',
  ];
  const obtained = await guestOrReason({
    // In Debian 13 that is all of gdb; of what it depends on, libraries are enough.
    packages: ['gdb-minimal'],
    withDependencies: name => /^(gdb|lib|zlib)/.test(name),
    files: [
      file('usr/bin/steps', readFileSync(program), 0o755),
      file('usr/src/commands', commands.join('\n'), 0o644),
      file('usr/bin/check', '#!/bin/sh\ngdb -nx -batch -x /usr/src/commands steps\necho "gdb ended with $?"\n', 0o755),
    ],
  });
  if (typeof obtained === 'string') return t.skip(obtained);
  const { kernel, initrd } = obtained;
  const append = `${commandLine} quiet -- /usr/bin/check`;
  const guest = new Terminal([
    ...emulator(),
    ...['-nographic', '-m', '1G', '-kernel', kernel, '-initrd', initrd, '-append', append],
  ]);
  t.after(() => guest.kill());
  const [said] = await guest.waitFor(/[\s\S]*gdb ended with 0/, 12 * minute);
  const words = said.replaceAll('\r', '');
  assert.match(words, /^\$1 = 7$/m);
  assert.match(words, /^#0 +square \(n=n@entry=7\) .*\n#1 +\w+ in main \(\) /m);
  assert.match(words, /^result 49\nmain \+ \d+ in section \.text/m);
  // The squares of 7 and 8 come to the sum of those of 1 to 6.
  assert.deepEqual(
    [...words.matchAll(/^Old value = (\d+)\nNew value = (\d+)$/gm)].map(([, before, after]) => [before, after]),
    [
      ['91', '140'],
      ['140', '204'],
    ],
  );
  assert.match(words, /^Hardware watchpoint 2: sum$/m);
  assert.match(words, /Breakpoint 3, .* in printf \(\)\n\$2 = 385\nsum 385\n.* exited normally\]$/m);
  assert.deepEqual(await guest.ended, { status: 0, signal: null }, guest.lastLines());
});
