/**
 * Fuzzing: random input that must never break anything.
 *
 *     npm run fuzz -- [--target NAME] [--seed N] [--from N] [--count N]
 *
 * A case depends on nothing but the seed and its number, so that a run can go on with --from where another one ended, and
 * a case can be had again with --from N --count 1. The exit status is 1 if a case failed.
 */

import { given, refuse } from '../../tools/given.ts';
import { Random } from '../torture/random.ts';
import { targets } from './targets.ts';

const values = given(import.meta.url, {
  target: { type: 'string' },
  seed: { type: 'string', default: '1' },
  from: { type: 'string', default: '0' },
  count: { type: 'string', default: '100000' },
  limit: { type: 'string', default: '5' },
});
const [seed, from, count, limit] = [values.seed, values.from, values.count, values.limit].map(Number) as [
  number,
  number,
  number,
  number,
];
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) refuse(import.meta.url, `--target: there is ${targets.map(({ name }) => name).join(', ')}`);

for (const { name, run } of chosen) {
  const began = performance.now();
  let failed = 0;
  let done = 0;
  for (let n = from; n < from + count && failed < limit; n++, done++) {
    try {
      await run(new Random(seed, n));
    } catch (error) {
      failed++;
      console.log(`--- ${name} seed ${seed} case ${n}\n${(error as Error).stack}`);
    }
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${name}: ${done} cases of seed ${seed} from ${from} in ${seconds} s, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
