/** Storage order and interlocked updates between CPUs, for some thousand rounds; `npm run litmus` does more. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runLitmus } from './litmus/machine.ts';
import { programs } from './litmus/programs.ts';

for (const program of programs) {
  test(program.name, { timeout: 120_000 }, async () => {
    assert.equal(await runLitmus(program, program.together ? 2_000 : 20_000), undefined);
  });
}

test('the program for hosts with a weaker order does the same', { timeout: 120_000 }, async () => {
  for (const program of programs.slice(0, 3)) assert.equal(await runLitmus(program, 1_000, true), undefined);
});
