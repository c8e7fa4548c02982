/**
 * Debian writes to disks whose images are on a file system that is full, and reads from some whose images have lost their end: what
 * it is told, and what QMP tells.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, debianGuest, kernelModules } from '../guest/image.ts';
import { type Qmp, talk } from './support/qmp.ts';
import { emulator, Terminal } from './support/terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'lpar-full-'));
const path = (name: string) => join(folder, name);
const disks = ['report', 'ignore', 'enospc'] as const;

// A small file system of its own. When there is a file `room`, what fills it goes.
const inSmallFileSystem = [
  ...['unshare', '-rm', 'sh', '-ec'],
  `mount -t tmpfs -o size=2M none ${path('small')}
   cd ${path('small')}
   head -c 1900k /dev/zero > filler
   truncate -s 8M ${disks.join(' ')}
   (while [ ! -e ${path('room')} ] && kill -0 $$ 2>/dev/null; do sleep 0.1; done; rm -f filler) &
   exec "$@"`,
  'sh',
];
const possible = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;
const skip = possible ? false : 'this host does not let us mount a file system';
let guest: Terminal;
let qmp: Qmp;

// Reading from a loop device fails where the file behind it has ended meanwhile.
const readable = ['report', 'ignore', 'stop'] as const;
const READABLE = 0x100000;
/** The loop device for a file of nothing but letters; undefined: the host does not let us have it. */
function loopDevice(name: string): string | undefined {
  writeFileSync(path(name), Buffer.alloc(READABLE, 'x'));
  const { stdout, status } = spawnSync('losetup', ['--find', '--show', path(name)], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
const loops = possible ? readable.map(loopDevice).filter(device => device !== undefined) : [];
const noLoops = loops.length === readable.length ? skip : 'this host does not let us have loop devices';

before(async () => {
  if (!possible) return;
  mkdirSync(path('small'));
  const { kernel, initrd } = await debianGuest({ files: await kernelModules(['virtio_blk']) });
  guest = new Terminal([
    ...inSmallFileSystem,
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} quiet`],
    ...disks.flatMap(id => [
      ...['-drive', `if=none,id=${id},file=${path(`small/${id}`)},format=raw,werror=${id}`],
      ...['-device', `virtio-blk,drive=${id},serial=${id}`],
    ]),
    ...loops.flatMap((file, n) => [
      ...['-drive', `if=none,id=loop${n},file=${file},format=raw,rerror=${readable[n]}`],
      ...['-device', `virtio-blk,drive=loop${n},serial=r-${readable[n]}`],
    ]),
    ...['-qmp', `unix:${path('qmp')},server=on,wait=off`],
  ]);
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
  await sh(
    'insmod /usr/lib/lpar/virtio_blk.ko; for n in $(seq 100); do [ $(ls -d /sys/block/vd* | wc -l) -ge 3 ] && break; sleep 0.1; done',
  );
  await sh('for disk in /sys/block/vd*; do ln -s $(basename $disk) /dev/$(cat $disk/serial); done');
  await sh('head -c 1048576 /dev/urandom > /data');
  qmp = await talk(path('qmp'));
});

after(async () => {
  qmp?.close();
  await guest?.kill();
  for (const device of loops) spawnSync('losetup', ['--detach', device]);
  rmSync(folder, { recursive: true });
});

/** The output of a command that must succeed. */
async function sh(command: string): Promise<string> {
  const { output, status } = await guest.shell(command, 120);
  assert.equal(status, 0, `${command}\n${output}`);
  return output.trim();
}

const status = async (): Promise<string> => ((await qmp.ask('query-status')) as { status: string }).status;
const write = (disk: string): string => `dd if=/data of=/dev/${disk} bs=64k oflag=direct`;

/** Waits until QMP has told of something since it was last asked; gives all that is of disks, without what QEMU adds. */
async function told(last: string): Promise<object[]> {
  while (!qmp.events.some(({ event }) => event === last)) await new Promise(resolve => setTimeout(resolve, 50));
  return qmp.events.splice(0).flatMap(({ event, data }) => {
    const { device, operation, action, nospace, reason } = data ?? {};
    return event === 'BLOCK_IO_ERROR' ? { device, operation, action, nospace, reason } : [];
  });
}
/** `nospace` is told where the machine may stop because of an error. */
const error = (device: string, action: string, nospace?: boolean): object => {
  return { device, operation: 'write', action, nospace, reason: 'No space left on device' };
};

test('werror=report: the guest has an I/O error, and QMP tells of it', { skip }, async () => {
  await sh(`! ${write('report')}`);
  assert.match(await sh('dmesg | grep "error.*sector"'), /I\/O error, dev vd., sector \d+ op 0x1/);
  assert.deepEqual((await told('BLOCK_IO_ERROR')).at(0), error('report', 'report'));
  qmp.events.length = 0;
});

test('werror=ignore: the guest notices nothing', { skip }, async () => {
  await sh(write('ignore'));
  assert.deepEqual((await told('BLOCK_IO_ERROR')).at(-1), error('ignore', 'ignore'));
  assert.equal(await status(), 'running');
});

test('werror=enospc: the machine stops, and when there is room it goes on as if nothing had been', {
  skip,
}, async () => {
  const written = sh(`${write('enospc')} && sync`);
  assert.deepEqual((await told('STOP')).at(-1), error('enospc', 'stop', true));
  assert.equal(await status(), 'io-error');
  // Still without room it fails again.
  await qmp.ask('cont');
  assert.deepEqual(await told('STOP'), [error('enospc', 'stop', true)]);
  writeFileSync(path('room'), '');
  let stopped = true;
  while (stopped) {
    await qmp.ask('cont');
    stopped = await Promise.race([
      written.then(() => false),
      new Promise<boolean>(resolve => setTimeout(resolve, 500, true)),
    ]);
  }
  await sh('dd if=/dev/enospc bs=64k count=16 iflag=direct | cmp - /data');
});

/** Everything but the first 64 KiB, past the guest's cache. */
const read = (disk: string): string => `dd if=/dev/r-${disk} of=/copy bs=64k skip=1 iflag=direct`;
const readError = (number: number, action: string): object => {
  return { device: `loop${number}`, operation: 'read', action, nospace: false, reason: 'Input/output error' };
};

test('rerror=report: the guest has an I/O error, and QMP tells of it', { skip: noLoops }, async () => {
  qmp.events.length = 0;
  for (const name of readable) truncateSync(path(name), READABLE / 2);
  await sh(`! ${read('report')}`);
  assert.match(await sh('dmesg | grep "error.*sector.*op 0x0"'), /I\/O error, dev vd., sector \d+ op 0x0/);
  assert.deepEqual((await told('BLOCK_IO_ERROR')).at(0), readError(0, 'report'));
  qmp.events.length = 0;
});

test('rerror=ignore: the guest notices nothing', { skip: noLoops }, async () => {
  await sh(read('ignore'));
  assert.deepEqual((await told('BLOCK_IO_ERROR')).at(-1), readError(1, 'ignore'));
  assert.equal(await status(), 'running');
  qmp.events.length = 0;
});

test('rerror=stop: the machine stops, and when the disk can be read again it goes on as if nothing had been', {
  skip: noLoops,
}, async () => {
  const all = sh(`${read('stop')} && tr -d x < /copy | wc -c && wc -c < /copy`);
  assert.deepEqual((await told('STOP')).at(-1), readError(2, 'stop'));
  assert.equal(await status(), 'io-error');
  writeFileSync(path('stop'), Buffer.alloc(READABLE, 'x'));
  await qmp.ask('cont');
  assert.equal(await all.then(text => text.match(/\d+/g)!.slice(-2).join()), `0,${READABLE - 0x10000}`);
});
