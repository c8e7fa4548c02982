/**
 * `npm run restore`: saves a guest at random instants, restores each in a new process, and lets it come to its end.
 *
 *     npm run restore -- [--times N] [--cpus M] [--stress] [--span SECONDS] [--each N]
 *
 * --times N: how many instants (10); --cpus M: CPUs of the guest (1); --stress: instants while stress-ng runs, instead of
 * while the guest boots; --span SECONDS: how long the guest is watched, instants are in that time (15); --each N: instants
 * in one run of the guest (5).
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, debianGuest } from '../../guest/image.ts';
import { debian12 } from '../../guest/source.ts';
import { file } from '../../guest/tree.ts';
import { given } from '../../tools/given.ts';
import { endTrial, finish, newTrial, SavedGuest } from './guest.ts';

const values = given(import.meta.url, {
  times: { type: 'string', default: '10' },
  cpus: { type: 'string', default: '1' },
  span: { type: 'string', default: '15' },
  each: { type: 'string', default: '5' },
  stress: { type: 'boolean', default: false },
});
const [times, cpus, span, each] = [values.times, values.cpus, values.span, values.each].map(Number) as [
  number,
  number,
  number,
  number,
];

const stressors = ['cpu', 'matrix', 'qsort', 'fork', 'pipe', 'mmap', 'signal', 'fp', 'memcpy', 'context'];
const stress = `stress-ng ${stressors.map(name => `--${name} 1`).join(' ')} --verify --timeout ${span} --log-brief --stdout`;
const guest = await debianGuest(
  values.stress
    ? {
        packages: ['stress-ng'],
        otherwise: debian12,
        withDependencies: name => !/^(libllvm|mesa-)/.test(name),
        files: [file('usr/bin/check', `#!/bin/sh\necho begin\n${stress}\necho "stress-ng ended with $?"\n`, 0o755)],
      }
    : {},
);
const append = values.stress ? `${commandLine} -- /usr/bin/check` : commandLine;

let right = 0;
let bytes = 0;
let pauses = 0;
const failures: string[] = [];
const round = (number: number) => Math.round(number * 10) / 10;

for (let done = 0; done < times; ) {
  const trial = newTrial(guest, append, cpus);
  const count = Math.min(each, times - done);
  const instants = Array.from({ length: count }, () => Math.random() * span).sort((a, b) => a - b);
  const saved: { tag: string; said: string }[] = [];
  const first = new SavedGuest(trial);
  if (values.stress) await first.console.waitFor(/begin/, 300);
  const begun = performance.now();
  for (const at of instants) {
    await sleep(Math.max(begun + at * 1000 - performance.now(), 0));
    const tag = `after ${round((performance.now() - begun) / 1000)} s`;
    const from = performance.now();
    await first.command(`savevm "${tag}"`);
    pauses += performance.now() - from;
    saved.push({ tag, said: first.console.output });
  }
  const list = await first.command('info snapshots');
  for (const [, size, unit] of list.matchAll(/ ([\d.]+) ([KM])iB /g)) bytes += Number(size) * (unit === 'M' ? 1024 : 1);
  await first.console.kill();
  for (const { tag, said } of saved) {
    const again = new SavedGuest(trial, '-loadvm', tag);
    try {
      await finish(
        again,
        300,
        values.stress
          ? { words: /(failed: 0|successful run completed)[\s\S]*stress-ng ended with 0/, said }
          : undefined,
      );
      right++;
    } catch (error) {
      failures.push(`${tag}: ${(error as Error).message}`);
      console.log(`\n${failures.at(-1)}`);
    }
    await again.console.kill();
    done++;
    process.stdout.write(`\r${done} of ${times}: ${right} right`);
  }
  endTrial(trial);
}
console.log(
  `\n${right} of ${times} instants with ${cpus} CPUs came to a right end; ${round(bytes / times / 1024)} MiB and ${round(pauses / times / 1000)} s for each`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
