/**
 * Devices come and go while all CPUs are busy, with Debian's kernel: each is told of by channel reports and is as the kernel
 * says it is, and the machine can be ended amid of it. How many times: $LPAR_HOTPLUGS.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, debianGuest, kernelModules } from '../guest/image.ts';
import { type Qmp, talk } from './support/qmp.ts';
import { emulator, Terminal } from './support/terminal.ts';

const times = Number(process.env.LPAR_HOTPLUGS ?? 12);
const folder = mkdtempSync(join(tmpdir(), 'lpar-hotplug-'));
/** Another emulator's events are not these. */
const traced = !process.env.LPAR_EMULATOR;
let guest: Terminal;
let qmp: Qmp;

/** What is plugged at a time. */
const kinds = [
  { driver: 'virtio-rng-ccw' },
  { driver: 'virtio-serial-ccw' },
  { driver: 'virtio-blk-ccw', drive: 'disk' },
  { driver: 'virtio-rng-ccw' },
];
const together = kinds.length;

before(async () => {
  const modules = ['virtio_blk', 'virtio-rng'];
  const { kernel, initrd } = await debianGuest({ files: await kernelModules(modules) });
  writeFileSync(join(folder, 'disk'), new Uint8Array(0x100000));
  guest = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M', '-smp', '4'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} quiet`],
    ...[
      '-drive',
      `if=none,id=disk,format=raw,file=${join(folder, 'disk')}`,
      '-device',
      'virtio-rng-ccw,devno=fe.0.0000',
    ],
    ...['-qmp', `unix:${join(folder, 'qmp')},server=on,wait=off`],
    ...(traced ? ['css_assign_subch', 'css_crw', 'ioinst'].flatMap(name => ['-trace', name]) : []),
    ...(traced ? ['-trace', `file=${join(folder, 'trace')},format=json`] : []),
  ]);
  qmp = await talk(join(folder, 'qmp'));
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
  await guest.shell(modules.map(name => `insmod /usr/lib/lpar/${name}.ko`).join('; '));
  // Every CPU has work, and the device that stays has as well.
  await guest.shell(
    'for n in 1 2 3 4; do (while :; do :; done) & renice -n 10 $! >/dev/null; done; (while :; do dd if=/dev/hwrng bs=64 count=99; done) >/dev/null 2>&1 & true',
  );
});

after(async () => {
  qmp?.close();
  await guest?.kill();
  rmSync(folder, { recursive: true });
});

/** Waits until the kernel uses the device that stays and so many others, and sees no more. */
const use = (others: number): Promise<unknown> =>
  guest.shell(
    `until [ "$(cat /sys/bus/ccw/devices/*/online | tr -d '\\n')" = ${'1'.repeat(1 + others)} ]; do :; done`,
    120,
  );

test(`${times} devices come and go under load`, async () => {
  for (let n = 0; n < times; n += together) {
    const ids = Array.from({ length: Math.min(together, times - n) }, (_, k) => `d${n + k}`);
    // The kernel has to work at one report while the next ones come.
    await Promise.all(ids.map((id, k) => qmp.ask('device_add', { ...kinds[k], id })));
    await use(ids.length);
    await Promise.all(ids.map(id => qmp.ask('device_del', { id })));
    // It must have seen them go before others take their subchannels: Linux waits forever for a device that goes while it comes.
    await use(0);
  }
  assert.equal(qmp.events.filter(({ event }) => event === 'DEVICE_DELETED').length, times);
  assert.equal((await guest.shell("dmesg | grep -E 'WARNING|BUG|Oops|stalled'")).output, '');
});

test('channel reports come in the order in which devices came and went, and are taken in that order', {
  skip: !traced,
}, () => {
  const lines = readFileSync(join(folder, 'trace'), 'utf8').trim().split('\n');
  const all = lines.map((line): Readonly<Record<string, string | number>> => JSON.parse(line));
  const named = (name: string) => all.filter(({ event }) => event === name);
  // The one that was there when the machine was started is not reported.
  const moves = named('css_assign_subch').slice(1);
  assert.equal(moves.length, 2 * times);
  // Two that are chained: one for the number of the subchannel, one for its set.
  const [chained, overflow, source] = [0x1000_0000, 0x2000_0000, 0x0f00_0000];
  const words = named('css_crw').map(({ word }) => word as number);
  assert.deepEqual(
    words.map(word => [word & source, word & overflow, word & 0xffff, (word & chained) !== 0]),
    moves.flatMap(({ ssid, schid }) => [
      [3 << 24, 0, schid as number, true],
      [3 << 24, 0, (ssid as number) << 4, false],
    ]),
  );
  const taken = named('ioinst')
    .filter(({ insn, value }) => insn === 'stcrw' && value !== 0)
    .sort((a, b) => (a.timestamp as number) - (b.timestamp as number));
  assert.deepEqual(
    taken.map(({ value }) => value),
    words,
  );
});

test('the machine ends while devices come', { timeout: 120_000 }, async () => {
  const plugged = Array.from({ length: 40 }, (_, n) =>
    qmp.ask('device_add', { driver: 'virtio-rng-ccw', id: `e${n}` }),
  );
  await Promise.all(plugged);
  qmp.ask('quit').catch(() => {});
  assert.equal((await guest.ended).status, 0);
});
