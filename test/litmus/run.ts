/**
 * Storage order and interlocked updates between CPUs, as long as one likes.
 *
 *     npm run litmus -- [--rounds 10000000] [--only WORD]
 */

import { parseArgs } from 'node:util';
import { runLitmus } from './machine.ts';
import { programs } from './programs.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '10000000' }, only: { type: 'string', default: '' } },
});
for (const program of programs.filter(({ name }) => name.includes(values.only))) {
  const start = performance.now();
  const trouble = await runLitmus(program, Number(values.rounds));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${trouble ? `FAILED, ${trouble}` : 'right'}: ${program.name} (${seconds} s)`);
  if (trouble) process.exitCode = 1;
}
