/**
 * Storage order and interlocked updates between CPUs, as long as one likes.
 *
 *     npm run litmus -- [--rounds 10000000] [--only WORD] [--weak]
 *
 * --weak runs what a host with a weaker order, as Arm's, would need.
 */

import { given } from '../../tools/given.ts';
import { runLitmus } from './machine.ts';
import { programs } from './programs.ts';

const values = given(import.meta.url, {
  rounds: { type: 'string', default: '10000000' },
  only: { type: 'string', default: '' },
  weak: { type: 'boolean' },
});
for (const program of programs.filter(({ name }) => name.includes(values.only))) {
  const start = performance.now();
  const trouble = await runLitmus(program, Number(values.rounds), values.weak);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${trouble ? `FAILED, ${trouble}` : 'right'}: ${program.name} (${seconds} s)`);
  if (trouble) process.exitCode = 1;
}
