/** Counted mode: every run of a guest is the same, and so is one that was saved and restored on its way. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, debianGuest } from '../guest/image.ts';
import { encode } from '../src/save/cbor.ts';
import { readStream } from '../src/save/stream.ts';
import { endTrial, newTrial, SavedGuest, type Trial } from './restore/guest.ts';

const minute = 60;

/** Lets a guest run until so many instructions have been executed. */
async function runTo(guest: SavedGuest, count: number): Promise<void> {
  await guest.command(`replay_break ${count}`);
  await guest.command('cont');
  while ((await guest.command('info status')) === 'VM status: running') await sleep(100);
  assert.equal(await guest.command('info replay'), `Counted execution: instruction count = ${count}`);
}

/** A digest of all registers, storage and devices. */
async function digest(guest: SavedGuest, { folder }: Trial, tag: string): Promise<string> {
  assert.equal(await guest.command(`savevm ${tag}`), '');
  const hash = createHash('sha256');
  // The first section has the date.
  for (const { name, fields } of readStream(readFileSync(`${folder}/${tag}.snapshot`)).slice(1)) {
    hash.update(name).update(encode(fields));
  }
  return hash.digest('hex');
}

test('two runs with four CPUs are the same', { timeout: 10 * minute * 1000 }, async t => {
  if (process.env.LPAR_EMULATOR) return t.skip('another emulator is asked');
  const trial = newTrial(await debianGuest(), commandLine, 4);
  t.after(() => endTrial(trial));
  const start = (...options: string[]) => {
    const guest = new SavedGuest(trial, '-S', '-icount', 'shift=2,sleep=off', ...options);
    t.after(() => guest.console.kill());
    return guest;
  };
  // All four CPUs work by then.
  const [early, late, end] = [200_000_000, 700_000_000, 720_000_000];

  const first = start();
  await runTo(first, early);
  const atEarly = await digest(first, trial, 'early');
  await runTo(first, late);
  const atLate = await digest(first, trial, 'late');
  await runTo(first, end);
  const atEnd = await digest(first, trial, 'end');
  await first.console.kill();

  const second = start();
  await runTo(second, early);
  assert.equal(await digest(second, trial, 'again'), atEarly);
  await runTo(second, end);
  assert.equal(await digest(second, trial, 'again'), atEnd);
  await second.console.kill();

  const restored = start('-loadvm', 'late');
  assert.equal(await digest(restored, trial, 'again'), atLate);
  await runTo(restored, end);
  assert.equal(await digest(restored, trial, 'again'), atEnd);
});
