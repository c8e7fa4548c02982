import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions } from '../../src/cpu/isa/index.ts';
import { Coverage } from './coverage.ts';
import type { Knowledge } from './disagreements.ts';
import { generate, mayOccur, pool } from './generate.ts';
import { POOL_COUNT } from './layout.ts';
import { FUEL, Lpar, type Way } from './lpar.ts';
import { Random } from './random.ts';
import { differences, type Result } from './result.ts';
import { vet } from './vet.ts';

const SEED = 1;
const NOTHING: Knowledge = { disagreements: [], endings: [] };

test('random programs do the same in the fast and in the counted interpreter', () => {
  const lpar = new Lpar();
  const pools = Array.from({ length: POOL_COUNT }, (_, n) => pool(new Random(SEED, 0, n)));
  lpar.renew(pools);
  const options = { seed: SEED, rows: instructions.filter(mayOccur), longest: 8, accessRegisters: true, keys: false };
  const coverage = new Coverage();
  const cases = Array.from({ length: 400 }, (_, n) =>
    vet(lpar, NOTHING, generate(new Random(SEED, n), n, options), coverage, () => {}),
  ).filter(vetted => vetted !== undefined);
  const results = (way: (n: number) => Way): Result[] => {
    lpar.renew(pools);
    return cases.map(({ test, placed }, n) => {
      lpar.load(test, placed, way(n));
      return lpar.result(lpar.run(FUEL));
    });
  };
  const counted = results(() => 'counted');
  const programs = cases.map(({ test, placed }) => {
    lpar.load(test, placed, 'fast');
    return lpar.sources(placed);
  });
  const compiled = lpar.compile(programs);
  assert.ok(compiled.flat().length > cases.length / 4);
  for (const other of [results(() => 'fast'), results(n => compiled[n]!)]) {
    for (const [n, result] of counted.entries())
      assert.deepEqual(differences(result, other[n]!), [], `case ${cases[n]!.test.number}`);
  }
  assert.ok(Object.keys(coverage.totals.instructions!).length > 300);
});

test('a case depends on nothing but its seed and number', () => {
  const options = { seed: SEED, rows: instructions.filter(mayOccur), longest: 8, accessRegisters: false, keys: false };
  assert.deepEqual(generate(new Random(SEED, 7), 7, options), generate(new Random(SEED, 7), 7, options));
});
