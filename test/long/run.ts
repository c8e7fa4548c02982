/**
 * Long random programs: the same must come of them interpreted, compiled, counted, and in another machine.
 *
 *     npm run long -- [--seed N] [--count N] [--only interpreter,wasm,counted,qemu] [--stores none|own|neighbour] [--still]
 *
 * --count images (10) are made, each with --programs programs (8) that run --rounds rounds (200) of about --budget
 * instructions (20000). --stores: who stores into instructions, nobody, the program (default), or a second CPU, too.
 * QEMU 7.2 does not notice at once what a program stores into the instructions that follow, so it is compared by
 * `--stores none` only. --still: no timer interrupts. The first machine is what the others are compared with. Exit
 * status 1: there was a difference; its image and its text are kept in --keep FOLDER.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { given, refuse } from '../../tools/given.ts';
import { emulators, runImage } from './emulators.ts';
import { longProgram, mnemonics } from './generate.ts';
import { imageOf } from './kernel.ts';

const values = given(import.meta.url, {
  seed: { type: 'string', default: '1' },
  count: { type: 'string', default: '10' },
  programs: { type: 'string', default: '8' },
  rounds: { type: 'string', default: '200' },
  budget: { type: 'string', default: '20000' },
  only: { type: 'string', default: 'interpreter,wasm,counted' },
  stores: { type: 'string', default: 'own' },
  still: { type: 'boolean', default: false },
  seconds: { type: 'string', default: '300' },
  keep: { type: 'string' },
});
const [first, count, programs, rounds, budget, seconds] = [
  values.seed,
  values.count,
  values.programs,
  values.rounds,
  values.budget,
  values.seconds,
].map(Number) as [number, number, number, number, number, number];
const { stores } = values;
if (stores !== 'none' && stores !== 'own' && stores !== 'neighbour') refuse(import.meta.url, `--stores ${stores}?`);
const neighbour = stores === 'neighbour';
const names = values.only.split(',');
/**
 * QEMU 7.2 does not have CVDG, loses the condition code at an exception of STORE ON CONDITION or COMPARE LOGICAL, and recognizes,
 * as it may, access exceptions of operands that LOAD ON CONDITION does not load.
 */
const apart = ['cvdg', 'stocg', 'clc', 'loc', 'locg'];
const comparable = names.includes('qemu') ? { only: mnemonics.filter(name => !apart.includes(name)) } : {};

let wrong = 0;
const sums = { ticks: 0, faults: 0, skipped: 0 };
for (let seed = first; seed < first + count; seed++) {
  const texts = Array.from({ length: programs }, (_, n) => longProgram(seed, n, { budget, stores, ...comparable }));
  const image = imageOf(texts, { seed, rounds, neighbour, timer: !values.still });
  let expected: readonly (readonly bigint[])[] | undefined;
  const problems: string[] = [];
  const times: string[] = [];
  for (const name of names) {
    const start = performance.now();
    try {
      const cpus = neighbour ? 2 : 1;
      const outcome = await runImage(emulators[name]!, image.bytes, cpus, programs, rounds, seconds);
      for (const kind of ['ticks', 'faults', 'skipped'] as const) sums[kind] += outcome[kind];
      expected ??= outcome.results;
      for (const [program, results] of outcome.results.entries()) {
        const round = results.findIndex((result, n) => result !== expected![program]![n]);
        if (round >= 0) problems.push(`program ${program}, round ${round}: ${name} is not like ${names[0]}`);
      }
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
    }
    times.push(`${name} ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  console.log(`seed ${seed}: ${problems.length ? 'DIFFERENT' : 'same'} (${times.join(', ')})`);
  for (const problem of problems) console.log(`  ${problem}`);
  if (!problems.length) continue;
  wrong++;
  if (values.keep) {
    mkdirSync(values.keep, { recursive: true });
    writeFileSync(join(values.keep, `${seed}.image`), image.bytes);
    writeFileSync(join(values.keep, `${seed}.s`), texts.join('\n'));
  }
}
console.log(`${count} images of ${programs} programs, ${wrong} with differences; in all machines together:`);
console.log(`${sums.ticks} timer interruptions, ${sums.faults} page faults, ${sums.skipped} other exceptions`);
process.exitCode = wrong ? 1 : 0;
