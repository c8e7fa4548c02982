/**
 * What Debian's kernel does to its own instructions and to its CPUs, with four CPUs and enough to do: tracing, probes, modules, CPUs that
 * go and come. How often: $LPAR_KERNEL_TURNS; what takes minutes
 * only if more than once.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, debianGuest, kernelModules } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { compiled, instructionsOf } from './support/programs.ts';
import { emulator, Terminal } from './support/terminal.ts';

const turns = Number(process.env.LPAR_KERNEL_TURNS ?? 1);
const minute = 60;
const folder = mkdtempSync(join(tmpdir(), 'lpar-kernel-'));
const disks = ['virtio_blk', 'crc16', 'crc32c_generic', 'mbcache', 'jbd2', 'ext4'];
const modules = [...disks, 'test_static_key_base', 'test_static_keys', 'test_bpf'];
let guest: Terminal;

before(async () => {
  const disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, 64 << 20);
  const files = await kernelModules(modules);
  for (const name of ['clocks', 'steps'])
    files.push(file(`usr/bin/${name}`, readFileSync(await compiled(name, folder)), 0o755));
  const { kernel, initrd } = await debianGuest({ files });
  guest = new Terminal([
    ...emulator(),
    ...['-nographic', '-m', '512M', '-smp', '4', '-kernel', kernel, '-initrd', initrd],
    ...['-append', `${commandLine} quiet`, '-drive', `if=virtio,format=raw,file=${disk}`],
  ]);
  await guest.waitFor(guest.prompt, 5 * minute);
  await shell('mount -t tracefs tracefs /sys/kernel/tracing; mount -t cgroup2 cgroup2 /sys/fs/cgroup');
  await shell('insert() { insmod /usr/lib/lpar/$1.ko; }; cd /sys/kernel/tracing');
  // What is not read at once is not kept, so that reading does not take long.
  await shell('echo 64 >buffer_size_kb');
  // System calls, page faults and new processes, now on this CPU, now on that.
  const load = 'while :; do cat /proc/self/stat; done >/dev/null 2>&1';
  await shell(`for n in 1 2; do (${load}) & renice -n 5 $! >/dev/null; done; true`);
});

after(async () => {
  await guest?.kill();
  rmSync(folder, { recursive: true });
});

/** All CPUs of the guest are busy, and those of the host may be. */
function shell(command: string): Promise<{ output: string; status: number }> {
  return guest.shell(command, 5 * minute);
}

/** Runs a command so often; all must succeed, and the kernel must have nothing to complain of. @returns what they say */
async function often(times: number, command: string): Promise<string> {
  const { output, status } = await shell(
    `n=0; while [ $n -lt ${times} ]; do { ${command}; } || break; n=$((n+1)); done; [ $n = ${times} ]`,
  );
  assert.equal(status, 0, output);
  assert.equal((await shell("dmesg | grep -E 'WARNING|BUG|Oops|stalled|hung|Call Trace'")).output, '');
  return output;
}

test('functions are traced and not traced any more', async () => {
  const turn = (tracer: string): string =>
    `echo ${tracer} >current_tracer && usleep 100000 && echo 0 >tracing_on && grep -qm1 _read trace && echo nop >current_tracer && echo 1 >tracing_on`;
  const tracers = turns > 1 ? ['function', 'function_graph'] : ['function'];
  await often(turns, tracers.map(turn).join(' && '));
});

test('probes in functions of the kernel come and go, and are hit', async () => {
  // The first instruction is one that the tracer replaces; the third is stepped over.
  const probes = ['p:a vfs_read', 'r:b vfs_read', 'p:c do_sys_openat2+0x10'];
  const turn = [
    ...probes.map(probe => `echo '${probe}' >>kprobe_events`),
    'echo >trace',
    'echo 1 >events/kprobes/enable',
    "until grep -q 'a: (vfs_read' trace && grep -q 'b: (.* vfs_read)' trace && grep -q 'c: (do_sys_openat2' trace; do :; done",
    'echo 0 >events/kprobes/enable',
    'echo >kprobe_events',
  ];
  await often(turns, turn.join(' && '));
});

test('probes in every instruction of a program are hit, and the program does what it does without them', async () => {
  const hex = (offset: number): string => offset.toString(16);
  const program = join(folder, 'steps');
  const [begin, ...square] = (await instructionsOf(program, 'square')).map(hex);
  const all = [...square, ...(await instructionsOf(program, 'main')).map(hex)];
  // A line for the shell must not be long.
  await shell(`for at in ${all.join(' ')}; do echo p:steps/i$at /usr/bin/steps:0x$at; done >uprobe_events`);
  await shell(`echo p:steps/enter /usr/bin/steps:0x${begin} n=%r2 >>uprobe_events`);
  await shell(`echo r:steps/leave /usr/bin/steps:0x${begin} 'result=$retval' >>uprobe_events`);
  const turn = [
    'echo >trace && echo 1 >events/steps/enable',
    '[ "$(steps)" = "sum 385" ]',
    'echo 0 >events/steps/enable && [ "$(steps)" = "sum 385" ]',
    'cat trace',
  ];
  const trace = await often(turns, turn.join(' && '));
  const values = (name: string, value: string): number[] =>
    [...trace.matchAll(new RegExp(` ${name}: .* ${value}=(0x\\w+)`, 'g'))].map(([, text]) => Number(text)).slice(-10);
  const numbers = Array.from({ length: 10 }, (_, n) => n + 1);
  assert.deepEqual(values('enter', 'n'), numbers);
  assert.deepEqual(
    values('leave', 'result'),
    numbers.map(n => n * n),
  );
  const hit = new Set([...trace.matchAll(/ i(\w+): \(0x/g)].map(([, at]) => at));
  assert.deepEqual([...hit].sort(), all.sort());
  await shell('echo >uprobe_events');
});

test('modules come and go; static keys change instructions', async () => {
  await often(
    4 * turns,
    'insert test_static_key_base && insert test_static_keys && rmmod test_static_keys test_static_key_base',
  );
});

if (turns > 1)
  test("the kernel's test of filter programs finds nothing wrong", async () => {
    await often(1, 'insert test_bpf');
    const { output } = await shell('dmesg | grep "test_bpf: .*Summary"');
    assert.deepEqual(output.match(/\d+ FAILED/g), ['0 FAILED', '0 FAILED', '0 FAILED']);
  });

test('CPUs go and come', async () => {
  const each = (value: number): string =>
    `for c in 1 2 3; do echo ${value} >/sys/devices/system/cpu/cpu$c/online; done`;
  await often(
    turns,
    `${each(0)} && [ $(cat /sys/devices/system/cpu/online) = 0 ] && ${each(1)} && [ $(cat /sys/devices/system/cpu/online) = 0-3 ]`,
  );
});

test('no clock is behind what another CPU has read', async () => {
  const { output } = await shell('clocks 1');
  for (const clock of ['monotonic', 'realtime', 'STCK', 'STCKF']) {
    assert.match(output, new RegExp(`^${clock} on 4 CPUs: \\d{3,} readings, 0 backwards$`, 'm'));
  }
  assert.match(output, /^PTFF: condition code 0/m);
  assert.match(output, /^physical clock and offset agree$/m);
});

test('a program goes on while the page cache gives up its pages and reads them anew', async () => {
  await shell(disks.map(name => `insert ${name}`).join('; '));
  await shell('mke2fs /dev/vda >/dev/null; mkdir /disk; mount -t ext4 /dev/vda /disk; cp /bin/busybox /disk');
  await shell('umount /disk; mount -t ext4 /dev/vda /disk');
  const few = '/sys/fs/cgroup/few';
  await shell(`echo +memory >/sys/fs/cgroup/cgroup.subtree_control; mkdir ${few}`);
  const program =
    'until [ -e /tmp/stop ]; do /disk/busybox sha256sum /bin/busybox; done >/tmp/sums; echo >/tmp/stopped';
  await shell(
    `(echo 0 >${few}/cgroup.procs; exec /disk/busybox sh -c '${program}') & until [ -s /tmp/sums ]; do usleep 100000; done`,
  );
  await often(4 * turns, `echo 256K >${few}/memory.reclaim; usleep 100000`);
  await shell('touch /tmp/stop; until [ -e /tmp/stopped ]; do usleep 100000; done');
  const { output } = await shell(
    `sort -u /tmp/sums | wc -l; awk '/workingset_refault_file/ { print $2 }' ${few}/memory.stat`,
  );
  const [sums, refaults] = output.split('\n').map(Number);
  assert.equal(sums, 1);
  assert.ok(refaults! > 10, output);
});
