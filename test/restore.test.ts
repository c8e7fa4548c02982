/** A guest that was saved goes on in a new process, with one CPU and with several. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, debianGuest } from '../guest/image.ts';
import { endTrial, finish, newTrial, SavedGuest } from './restore/guest.ts';

const minute = 60;

for (const cpus of [1, 4]) {
  test(`a boot with ${cpus} CPUs is saved, and goes on elsewhere`, { timeout: 10 * minute * 1000 }, async t => {
    if (process.env.LPAR_EMULATOR) return t.skip('another emulator is asked');
    const trial = newTrial(await debianGuest(), commandLine, cpus);
    t.after(() => endTrial(trial));
    const first = new SavedGuest(trial);
    t.after(() => first.console.kill());
    await first.console.waitFor(/Linux version/, 2 * minute);
    await sleep(1000 + Math.random() * 3000);
    await first.command('savevm early');
    await first.console.waitFor(/lpar: Debian kernel \S+ is up/, 4 * minute);
    await first.console.waitFor(first.console.prompt, minute);
    await first.console.shell('echo it goes on > /tmp/note; { sleep 1000 & }');

    await t.test('by a snapshot', async () => {
      const second = new SavedGuest(trial, '-loadvm', 'early');
      t.after(() => second.console.kill());
      await second.console.waitFor(/lpar: Debian kernel \S+ is up/, 4 * minute);
      await finish(second, minute);
    });

    await t.test('by migration over a socket', async () => {
      const socket = `unix:${trial.folder}/migration`;
      const second = new SavedGuest(trial, '-incoming', socket);
      t.after(() => second.console.kill());
      assert.equal(await second.command('info status'), 'VM status: paused (inmigrate)');
      await first.command(`migrate ${socket}`);
      assert.match(await first.command('info migrate'), /Migration status: completed/);
      assert.equal(await first.command('info status'), 'VM status: paused (postmigrate)');
      assert.match((await second.console.shell('cat /tmp/note; jobs', minute)).output, /^it goes on\n.*sleep 1000/);
      await finish(second, minute);
    });
  });
}
