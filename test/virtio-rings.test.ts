/**
 * Disks, random numbers, consoles and ports of virtio, as Debian's kernel uses them: split and packed rings, both block
 * sizes, flushing, and a machine that is saved and goes on amid of it.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, debianGuest, kernelModules } from '../guest/image.ts';
import { emulator, Terminal } from './support/terminal.ts';

const modules = ['virtio_blk', 'virtio-rng'];
const MEBIBYTE = 0x100000;

const folder = mkdtempSync(join(tmpdir(), 'lpar-virtio-'));
const path = (name: string) => join(folder, name);
const original = randomBytes(4 * MEBIBYTE);
const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
let guest: Terminal;

before(async () => {
  writeFileSync(path('data'), original);
  writeFileSync(path('read-only'), original.subarray(0, MEBIBYTE));
  for (const name of ['files', 'packed']) {
    writeFileSync(path(name), '');
    truncateSync(path(name), 32 * MEBIBYTE);
  }
  const { kernel, initrd } = await debianGuest({
    files: await kernelModules(modules),
  });
  const drive = (id: string, more = '') => ['-drive', `if=none,id=${id},file=${path(id)},format=raw${more}`];
  guest = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'mon:stdio', '-m', '512M', '-smp', '2'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} quiet`],
    ...drive('data'),
    ...['-device', 'virtio-blk,drive=data,serial=data,num-queues=2'],
    ...drive('files'),
    ...['-device', 'virtio-blk-ccw,drive=files,serial=files,logical_block_size=4096,physical_block_size=4096'],
    ...drive('packed', ',cache=writethrough'),
    ...['-device', 'virtio-blk-ccw,drive=packed,serial=packed,packed=on,iommu_platform=on'],
    ...drive('read-only', ',readonly=on'),
    ...['-device', 'virtio-blk-ccw,drive=read-only,serial=read-only,event_idx=off,indirect_desc=off'],
    ...['-device', 'virtio-rng'],
    ...['-device', 'virtio-serial'],
    ...['-chardev', `socket,id=console,path=${path('console')},server=on,wait=off`],
    ...['-device', 'virtconsole,chardev=console'],
    ...['-chardev', `socket,id=port,path=${path('port')},server=on,wait=off`],
    ...['-device', 'virtserialport,id=port0,chardev=port,name=org.example.test'],
    ...['-qmp', `unix:${path('qmp')},server=on,wait=off`],
  ]);
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
  await sh(modules.map(name => `insmod /usr/lib/lpar/${name}.ko`).join(' && '));
  // The kernel names disks in the order in which they happen to be ready.
  await sh('for n in $(seq 100); do [ -e /dev/vdd ] && break; sleep 0.1; done');
  await sh(
    'for disk in /sys/block/vd*; do name=$(cat $disk/serial); ln -s $(basename $disk) /dev/$name; ln -s $disk /$name; done',
  );
});

after(async () => {
  await guest?.kill();
  rmSync(folder, { recursive: true });
});

/** The output of a command that must succeed. */
async function sh(command: string): Promise<string> {
  const { output, status } = await guest.shell(command, 120);
  assert.equal(status, 0, `${command}\n${output}`);
  return output.trim();
}

async function monitor(command: string): Promise<void> {
  guest.type('\x01c');
  await guest.waitFor(/\(\S+\) /, 20);
  guest.type(`${command}\n`);
  await guest.waitFor(/\n\(\S+\) /, 60);
  guest.type('\x01c\n');
  await guest.waitFor(guest.prompt, 30);
}

test('a disk has its size, its number of queues, and its serial number', async () => {
  assert.equal(await sh('cat /data/size'), `${original.length / 512}`);
  assert.equal(await sh('ls /data/mq | wc -l'), '2');
  assert.equal(await sh('cat /files/queue/logical_block_size /read-only/ro'), '4096\n1');
  assert.equal(await sh('cat /data/queue/write_cache /packed/queue/write_cache'), 'write back\nwrite through');
});

test('what is read is what is in the file', async () => {
  assert.match(await sh('dd if=/dev/data bs=1M | sha256sum'), new RegExp(digest(original)));
  assert.match(await sh('dd if=/dev/data bs=1M iflag=direct | sha256sum'), new RegExp(digest(original)));
  assert.match(
    await sh('dd if=/dev/read-only bs=4k iflag=direct | sha256sum'),
    new RegExp(digest(original.subarray(0, MEBIBYTE))),
  );
});

test('what is written is in the file', async () => {
  const text = 'written by the guest';
  await sh(`echo ${text} | dd of=/dev/data bs=512 seek=100 conv=sync,fsync,notrunc`);
  assert.equal(
    readFileSync(path('data'))
      .subarray(51200, 51200 + text.length)
      .toString(),
    text,
  );
  assert.notEqual((await guest.shell('echo no | dd of=/dev/read-only conv=fsync')).status, 0);
});

test('the channel subsystem measures what a device is started for, as cmb_enable asks it to', async () => {
  // The driver switches the write cache by a channel program.
  const started = async (name: string, times: number): Promise<number> => {
    const device = `$(readlink -f /${name}/device/..)`;
    const count = async () => Number(await sh(`cat ${device}/cmf/ssch_rsch_count`));
    await sh(`echo 1 > ${device}/cmb_enable`);
    assert.equal(await sh(`cat ${device}/cmb_enable`), '1');
    const before = await count();
    await sh(`for n in $(seq ${times}); do echo write through > /${name}/cache_type; done`);
    const more = (await count()) - before;
    assert.equal(await sh(`cat ${device}/cmf/sample_count`), `${before + more}`);
    // Nanoseconds; what is not measured is 0.
    assert.ok(Number(await sh(`cat ${device}/cmf/avg_device_connect_time`)) >= 0);
    await sh(`echo write back > /${name}/cache_type; echo 0 > ${device}/cmb_enable`);
    return more;
  };
  const once = await started('files', 1);
  assert.ok(once > 0);
  assert.equal(await started('files', 5), 5 * once);
});

test('a packed ring of a driver that goes through the platform for its addresses', async () => {
  const bits = await sh('cat /packed/device/features');
  // VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_RING_PACKED: the leftmost is bit 0.
  assert.equal(bits.slice(32, 35), '111');
  assert.equal((await sh('cat /files/device/features')).slice(32, 35), '100');
  await sh('dd if=/dev/data of=/dev/packed bs=64k conv=fsync oflag=direct');
  assert.equal(digest(readFileSync(path('packed')).subarray(0, original.length)), digest(readFileSync(path('data'))));
  const reads = [1, 2, 3].map(n => `dd if=/dev/packed bs=4k count=1024 iflag=direct > /packed${n} &`).join(' ');
  await sh(`${reads} wait; sha256sum /packed? | cut -d' ' -f1 | sort -u`);
  assert.equal(await sh("sha256sum /packed? | cut -d' ' -f1 | sort -u"), digest(readFileSync(path('data'))));
});

test('random numbers come from the device', async () => {
  assert.match(await sh('cat /sys/class/misc/hw_random/rng_current'), /^virtio_rng/);
  const numbers = await sh(
    'for n in 1 2; do dd if=/dev/hwrng bs=64 count=16 2>/dev/null | sha256sum; done | sort -u | wc -l',
  );
  assert.equal(numbers, '2');
});

/** Collects what comes. */
async function attach(name: string): Promise<{ socket: Socket; came: (pattern: RegExp) => Promise<void> }> {
  const socket = connect(path(name));
  await once(socket, 'connect');
  let text = '';
  const waiting = new Set<() => void>();
  socket.setEncoding('latin1').on('data', (data: string) => {
    text += data;
    for (const look of waiting) look();
  });
  const came = (pattern: RegExp) =>
    new Promise<void>(resolve => {
      const look = () => {
        if (!pattern.test(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { socket, came };
}

test('a console', async () => {
  const { socket, came } = await attach('console');
  await sh('echo hello from hvc0 > /dev/hvc0');
  await came(/hello from hvc0/);
  await sh('(read line < /dev/hvc0; echo "got $line" > /dev/hvc0) & :');
  socket.write('typed\n');
  await came(/got typed/);
  socket.destroy();
});

test('QMP tells when the guest opens a port and closes it', async () => {
  const { socket, came } = await attach('qmp');
  await came(/QMP/);
  socket.write('{"execute":"qmp_capabilities"}\n');
  await came(/"return"/);
  const opened = (open: boolean) =>
    new RegExp(`"VSERPORT_CHANGE".*("open": ?${open}.*"id": ?"port0"|"id": ?"port0".*"open": ?${open})`);
  await sh(`exec 3<> ${await sh('ls /dev/vport*p1')}`);
  await came(opened(true));
  await sh('exec 3>&-');
  await came(opened(false));
  socket.destroy();
});

test('a port: many bytes in both directions at once', async () => {
  assert.equal(await sh('cat /sys/class/virtio-ports/vport*p1/name'), 'org.example.test');
  const port = await sh('ls /dev/vport*p1');
  const { socket, came } = await attach('port');
  // A port is opened once at a time.
  await sh(`exec 3<> ${port}; cat <&3 > /got & echo $! > /pid; dd if=/dev/data of=/sent bs=1k count=256`);
  await sh('cat /sent >&3; echo end >&3');
  socket.write(original.subarray(0, 300000));
  await came(/end\n$/);
  await sh(
    'for n in $(seq 200); do [ $(stat -c %s /got) = 300000 ] && break; sleep 0.1; done; kill $(cat /pid); exec 3>&-',
  );
  assert.match(await sh('sha256sum /got'), new RegExp(digest(original.subarray(0, 300000))));
  socket.destroy();
});

test('a machine that is saved amid of input and output goes on', { skip: !!process.env.LPAR_EMULATOR }, async () => {
  await sh(
    '(while :; do dd if=/dev/data bs=64k iflag=direct | sha256sum; done > /reads 2>/dev/null) & echo $! > /reader',
  );
  await monitor('savevm amid');
  await monitor('loadvm amid');
  await sh('for n in $(seq 100); do [ $(wc -l < /reads) -gt 3 ] && break; sleep 0.1; done; kill $(cat /reader)');
  assert.equal(await sh('sort -u /reads | wc -l'), '1');
});

test('the guest ends, and the files are what it left', async () => {
  guest.type('poweroff -f\n');
  await guest.ended;
  assert.ok(existsSync(path('files')));
});
