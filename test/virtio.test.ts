/** virtio devices with Debian's own drivers: disks, random numbers, consoles and ports, in one guest. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, debianGuest, kernelModules } from '../guest/image.ts';
import { emulator, Terminal } from './support/terminal.ts';

const MEBIBYTE = 0x100000;
const folder = mkdtempSync(join(tmpdir(), 'lpar-virtio-'));
const at = (name: string) => join(folder, name);
const content = randomBytes(4 * MEBIBYTE);
let guest: Terminal;

before(async () => {
  const modules = ['crc32c_generic', 'crc16', 'mbcache', 'jbd2', 'ext4', 'virtio_blk', 'virtio-rng'];
  const { kernel, initrd } = await debianGuest({ files: await kernelModules(modules) });
  writeFileSync(at('fixed'), content);
  writeFileSync(at('scratch'), new Uint8Array(16 * MEBIBYTE));
  const drive = (name: string, more: string) => [
    ...['-drive', `if=none,id=${name},format=raw,file=${at(name)}${more}`],
    ...['-device', `virtio-blk,drive=${name},serial=${name}`],
  ];
  guest = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} quiet`],
    ...drive('fixed', ',readonly=on'),
    ...drive('scratch', ''),
    ...['-device', 'virtio-rng', '-device', 'virtio-serial'],
    ...['-chardev', `file,id=console,path=${at('console')}`, '-device', 'virtconsole,chardev=console'],
    ...['-chardev', `file,id=port,path=${at('port')}`, '-device', 'virtserialport,chardev=port,name=org.lpar.port'],
  ]);
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
  const load = modules.map(name => `insmod /usr/lib/lpar/${name}.ko`).join(' && ');
  assert.equal((await guest.shell(load)).status, 0);
  // Which disk comes first is not said: their serial numbers are.
  await guest.shell('for d in vda vdb; do ln -s /dev/$d /dev/$(cat /sys/block/$d/serial); done');
});

after(async () => {
  await guest?.kill();
  rmSync(folder, { recursive: true });
});

test('a disk has the bytes of its file', async () => {
  const { output } = await guest.shell('md5sum < /dev/fixed', 120);
  assert.equal(output.split(' ')[0], createHash('md5').update(content).digest('hex'));
});

test('a disk that is read only is not written', async () => {
  assert.notEqual((await guest.shell('dd if=/dev/zero of=/dev/fixed bs=512 count=1')).status, 0);
  assert.deepEqual(readFileSync(at('fixed')), content);
});

test('a file system keeps what is written to it', async () => {
  const { status, output } = await guest.shell(
    'mke2fs /dev/scratch >/dev/null && mkdir /m && mount -t ext4 /dev/scratch /m && cp /bin/busybox /m && umount /m && ' +
      'mount -t ext4 /dev/scratch /m && cmp /m/busybox /bin/busybox && umount /m',
    120,
  );
  assert.equal(status, 0, output);
  // Past the driver's cache: what was flushed is in the file.
  const superblock = readFileSync(at('scratch')).subarray(1024, 2048);
  assert.equal(superblock.readUInt16LE(56), 0xef53);
});

test('random numbers come from the host', async () => {
  const { output } = await guest.shell(
    'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=64 count=8 | wc -c',
  );
  assert.match(output, /virtio_rng/);
  assert.match(output, /^512$/m);
});

test('what is written to a console and to a port arrives', async () => {
  const port = 'p=$(basename $(dirname $(grep -l org.lpar.port /sys/class/virtio-ports/*/name)))';
  assert.equal((await guest.shell(`echo to the console > /dev/hvc0; ${port}; echo to the port > /dev/$p`)).status, 0);
  for (const name of ['console', 'port']) {
    while (!readFileSync(at(name), 'utf8').includes(`to the ${name}`)) await new Promise(done => setTimeout(done, 20));
  }
});

test('the kernel complains of nothing', async () => {
  assert.equal((await guest.shell("dmesg | grep -E 'WARNING|BUG|Oops'")).output, '');
});
