/** A bounded run of every fuzzer; `npm run fuzz` runs more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../torture/random.ts';
import { targets } from './targets.ts';

const CASES = 3000;

for (const { name, run } of targets) {
  test(`${name} withstands ${CASES} cases`, async () => {
    for (let n = 0; n < CASES; n++) {
      try {
        await run(new Random(1, n));
      } catch (error) {
        assert.fail(`npm run fuzz -- --target ${name} --seed 1 --from ${n} --count 1: ${(error as Error).message}`);
      }
    }
  });
}
