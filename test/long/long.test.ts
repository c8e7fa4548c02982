import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emulators, runImage } from './emulators.ts';
import { longProgram } from './generate.ts';
import { imageOf } from './kernel.ts';

const PROGRAMS = 6;
const ROUNDS = 60;
const SEED = 3;

test('long programs that store into themselves and into each other do the same interpreted and compiled', async () => {
  const texts = Array.from({ length: PROGRAMS }, (_, n) =>
    longProgram(SEED, n, { budget: 20_000, stores: 'neighbour' }),
  );
  const { bytes } = imageOf(texts, { seed: SEED, rounds: ROUNDS, neighbour: true, timer: true });
  const [interpreted, compiled] = await Promise.all(
    ['interpreter', 'wasm'].map(name => runImage(emulators[name]!, bytes, 2, PROGRAMS, ROUNDS, 120)),
  );
  assert.deepEqual(compiled!.results, interpreted!.results);
  const { results, faults, ticks, skipped } = compiled!;
  assert.ok(faults > 10 && ticks > 10 && skipped > 10);
  // Every round leaves something else behind.
  assert.ok(results.every(one => new Set(one).size === ROUNDS + 1));
});
