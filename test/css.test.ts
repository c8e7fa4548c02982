/**
 * The virtual channel subsystem, sentence by sentence of QEMU's document about it (docs/system/s390x/css.rst), as Debian's
 * kernel and s390-tools see it. The devices of the document's examples that are of other kinds are random-number
 * generators here: where a device is does not depend on its kind.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine } from '../guest/image.ts';
import { Assembler } from '../src/cpu/isa/assemble.ts';
import { instructions } from '../src/cpu/isa/index.ts';
import { guestWithTools } from './support/guest.ts';
import { type Qmp, talk } from './support/qmp.ts';
import { emulator, Terminal } from './support/terminal.ts';

/** The devices of the examples, in their order. */
const devices = ['', ',devno=fe.0.0042,id=second', ',devno=fe.2.1111', ',devno=2.0.2222', ',devno=0.0.1234'];

const folder = mkdtempSync(join(tmpdir(), 'lpar-css-'));
const trace = join(folder, 'trace');
let guest: Terminal;
/** Why the guest is without s390-tools, if it is. */
let withoutTools: string | undefined;
let qmp: Qmp;

before(async () => {
  const { kernel, initrd, without } = await guestWithTools();
  withoutTools = without;
  const path = join(folder, 'qmp');
  const machine = ['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M', '-smp', '2'];
  const boot = ['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} quiet`];
  const plugged = devices.flatMap(properties => ['-device', `virtio-rng-ccw${properties}`]);
  const traced = ['-trace', `css_new_image,file=${trace},format=json`, '-d', 'trace:css_chpid_add'];
  guest = new Terminal([
    ...emulator(),
    ...machine,
    ...boot,
    ...plugged,
    ...traced,
    '-qmp',
    `unix:${path},server=on,wait=off`,
  ]);
  qmp = await talk(path);
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
});

after(async () => {
  qmp?.close();
  await guest?.kill();
  rmSync(folder, { recursive: true });
});

/** Devices with their subchannels, types, control units and whether they are online. */
async function devicesOf(which = '*'): Promise<string[][]> {
  const { output } = await guest.shell(
    `for d in /sys/bus/ccw/devices/${which}; do s=$(readlink -f $d); ` +
      'echo $(basename $s) $(basename $(dirname $s)) $(cat $d/devtype $d/cutype $d/online); done',
  );
  return output
    .trim()
    .split('\n')
    .map(line => line.split(' '));
}

/** Lines of lscss: device, subchannel, and the rest. */
async function lscss(): Promise<string[][]> {
  const { output } = await guest.shell('lscss');
  return output
    .trim()
    .split('\n')
    .slice(2)
    .map(line => line.split(/\s+/));
}

const place = async (device: string, subchannel: string) => {
  const tree = await qmp.human('info qtree');
  assert.match(tree, new RegExp(`dev_id = "${device}"\\r\\n +subch_id = "${subchannel}"`));
};

/** Waits until the guest's devices are these. */
async function seen(...wanted: string[]): Promise<void> {
  const { output, status } = await guest.shell(
    `for n in $(seq 100); do set -- $(ls /sys/bus/ccw/devices); [ "$*" = "${wanted.join(' ')}" ] && break; sleep 0.1; done; echo "$*"`,
  );
  assert.equal(output.trim(), wanted.join(' '));
  assert.equal(status, 0);
}

test('there are subchannels, (mostly functionless) channel paths, and channel devices', async () => {
  assert.deepEqual(await devicesOf(), [
    ['0.0.0000', '0.0.0000', 'n/a', '3832/04', '1'],
    ['0.0.0042', '0.0.0001', 'n/a', '3832/04', '1'],
    ['0.2.1111', '0.2.0000', 'n/a', '3832/04', '1'],
  ]);
  assert.equal((await guest.shell('cat /sys/devices/css0/chp0.*/type')).output, '32\n');
});

test('the devno property takes <cssid>.<ssid>.<device number>', async () => {
  const add = (devno: string) => qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno });
  const wrong = /Property 'virtio-rng-ccw.devno' doesn't take value/;
  for (const devno of ['0042', 'fe.0', 'fe.0.12345', 'fe.0.3', 'fe.0.x', 'fe.0.0.1', ''])
    await assert.rejects(add(devno), wrong);
});

test('devices in the image fe show up in image 0 of a guest that does not enable MCSS-E', async () => {
  await place('fe.0.0042', 'fe.0.0001');
  assert.equal((await devicesOf('0.0.0042'))[0]![1], '0.0.0001');
});

test('devices with a different cssid are not visible', async () => {
  const { output } = await guest.shell('ls /sys/bus/ccw/devices');
  assert.doesNotMatch(output, /2222|1234/);
});

test('subchannel set ids range from 0 to 3', async () => {
  await assert.rejects(
    qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.4.0000' }),
    /Invalid cssid or ssid: cssid fe, ssid 4/,
  );
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.3.ffff', id: 'last' });
  await seen('0.0.0000', '0.0.0042', '0.2.1111', '0.3.ffff');
  await qmp.ask('device_del', { id: 'last' });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
});

test('any device may be put into any subchannel set', async () => {
  for (const ssid of [1, 2, 3]) {
    await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: `fe.${ssid}.0007`, id: `set${ssid}` });
  }
  await seen('0.0.0000', '0.0.0042', '0.1.0007', '0.2.0007', '0.2.1111', '0.3.0007');
  assert.equal((await devicesOf('0.2.0007'))[0]![1], '0.2.0001');
  for (const ssid of [1, 2, 3]) await qmp.ask('device_del', { id: `set${ssid}` });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
});

test('the device number can range from 0 to ffff', async () => {
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.ffff', id: 'highest' });
  await place('fe.0.ffff', 'fe.0.0002');
  await seen('0.0.0000', '0.0.0042', '0.0.ffff', '0.2.1111');
  await assert.rejects(
    qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.ffff' }),
    /Device fe\.0\.ffff already exists/,
  );
  await qmp.ask('device_del', { id: 'highest' });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
});

test('without devno the next free device number in set 0 is chosen', async () => {
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', id: 'any' });
  await place('fe.0.0001', 'fe.0.0002');
  await seen('0.0.0000', '0.0.0001', '0.0.0042', '0.2.1111');
  await qmp.ask('device_del', { id: 'any' });
});

test('a device is placed at the first free subchannel; unplugged and replugged it may appear at another', async () => {
  await qmp.ask('device_del', { id: 'second' });
  await seen('0.0.0000', '0.2.1111');
  assert.ok(qmp.events.some(({ event, data }) => event === 'DEVICE_DELETED' && data?.device === 'second'));
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0077', id: 'other' });
  await place('fe.0.0077', 'fe.0.0001');
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0042', id: 'second' });
  await place('fe.0.0042', 'fe.0.0002');
  await seen('0.0.0000', '0.0.0042', '0.0.0077', '0.2.1111');
  assert.equal((await devicesOf('0.0.0042'))[0]![1], '0.0.0002');
  await qmp.ask('device_del', { id: 'other' });
  await qmp.ask('device_del', { id: 'second' });
  await seen('0.0.0000', '0.2.1111');
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0042', id: 'second' });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
});

test('example 1: cssid, ssid and devno are assigned: 0.0.0000 under subchannel 0.0.0000', async () => {
  assert.equal((await devicesOf('0.0.0000'))[0]![1], '0.0.0000');
  await place('fe.0.0000', 'fe.0.0000');
});

test('example 2: devno=fe.0.0042 is 0.0.0042 under subchannel 0.0.0001', async () => {
  assert.equal((await devicesOf('0.0.0042'))[0]![1], '0.0.0001');
  await place('fe.0.0042', 'fe.0.0001');
});

test('example 3: devno=fe.2.1111 is 0.2.1111 under subchannel 0.2.0000', async () => {
  assert.equal((await devicesOf('0.2.1111'))[0]![1], '0.2.0000');
  await place('fe.2.1111', 'fe.2.0000');
});

test('example 4: devno=2.0.2222 is at subchannel 2.0.0000', () => place('2.0.2222', '2.0.0000'));

test('example 5: devno=0.0.1234 is at subchannel 0.0.0000', () => place('0.0.1234', '0.0.0000'));

test('s390-tools: lscss, lschp, chccwdev, cio_ignore', async t => {
  if (withoutTools !== undefined) return t.skip(withoutTools);
  assert.deepEqual(
    (await lscss()).map(row => row.slice(0, 5)),
    ['0.0.0000 0.0.0000', '0.0.0042 0.0.0001', '0.2.1111 0.2.0000'].map(row => [
      ...row.split(' '),
      '0000/00',
      '3832/04',
      'yes',
    ]),
  );
  assert.match((await guest.shell('lschp')).output, /^0\.00 +1 +- +32 /m);
  const off = await guest.shell('chccwdev -d 0.0.0042');
  assert.match(off.output, /Setting device 0\.0\.0042 offline\nDone/);
  assert.equal((await devicesOf('0.0.0042'))[0]![4], '0');
  const on = await guest.shell('chccwdev -e 0.0.0042');
  assert.match(on.output, /Setting device 0\.0\.0042 online\nDone/);
  assert.equal((await devicesOf('0.0.0042'))[0]![4], '1');

  await guest.shell('cio_ignore -a 0.0.0100');
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0100', id: 'ignored' });
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0101', id: 'not-ignored' });
  await seen('0.0.0000', '0.0.0042', '0.0.0101', '0.2.1111');
  await guest.shell('cio_ignore -r 0.0.0100');
  await seen('0.0.0000', '0.0.0042', '0.0.0100', '0.0.0101', '0.2.1111');
  for (const id of ['ignored', 'not-ignored']) await qmp.ask('device_del', { id });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
  assert.equal((await guest.shell("dmesg | grep -E 'WARNING|BUG|Oops'")).output, '');
});

test('channel programs can be looked at', async () => {
  const text = await qmp.human('info channel-programs fe.0.0042');
  assert.match(text, /device fe\.0\.0042, subchannel fe\.0\.0001: virtio-rng-ccw/);
  // SENSE ID is the first that Linux asks.
  assert.match(text, /ORB: format-1 CCWs at [0-9a-f]{8}, key 0/);
  assert.match(text, /status CE DE, residual 0/);
});

test('each function of a subchannel and each command is told of by a trace event', async () => {
  type Told = Readonly<Record<string, string | number>>;
  const told = (): Told[] =>
    readFileSync(trace, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line));
  const images = told().filter(({ event }) => event === 'css_new_image');
  assert.deepEqual(
    images.map(({ cssid }) => cssid),
    [0xfe, 2, 0],
  );
  assert.equal(await qmp.human('trace-event css_* on'), '');
  await qmp.ask('trace-event-set-state', { name: 'ioinst*', enable: true });
  await qmp.ask('trace-event-set-state', { name: 'virt*', enable: true });
  assert.match(await qmp.human('info trace-events css_crw'), /^css_crw : state 1\r\n$/);
  assert.deepEqual(await qmp.ask('trace-event-get-state', { name: 'css_crw' }), [
    { name: 'css_crw', vcpu: false, state: 'enabled' },
  ]);
  await assert.rejects(qmp.ask('trace-event-get-state', { name: 'nosuch' }), /^Error: unknown event "nosuch"$/);
  await qmp.ask('device_add', { driver: 'virtio-rng-ccw', devno: 'fe.0.0200', id: 'traced' });
  await seen('0.0.0000', '0.0.0042', '0.0.0200', '0.2.1111');
  await guest.shell('until [ "$(cat /sys/bus/ccw/devices/0.0.0200/online)" = 1 ]; do sleep 0.1; done');
  await qmp.ask('device_del', { id: 'traced' });
  await seen('0.0.0000', '0.0.0042', '0.2.1111');
  for (const name of ['css_*', 'ioinst*', 'virt*']) {
    await qmp.ask('trace-event-set-state', { name, enable: false });
  }
  const all = told();
  const names = new Set(all.map(({ event }) => event));
  const wanted = ['css_assign_subch', 'css_crw', 'css_start', 'css_ccw', 'css_ccw_end', 'css_end', 'css_io_interrupt'];
  const others = ['ioinst_sch_id', 'ioinst', 'virtio_ccw_new_device', 'virtio_ccw_interpret_ccw', 'virtio_set_status'];
  assert.deepEqual(
    [...wanted, ...others].filter(name => !names.has(name)),
    [],
  );
  // What one subchannel does: started with SSCH, SENSE ID as the first command, ended, interruption, TSCH.
  const added = all.find(({ event, devno, assigned }) => event === 'css_assign_subch' && devno === 0x200 && assigned)!;
  const ofIt = all.filter(({ schid, ssid }) => schid === added.schid && ssid === 0);
  const first = ofIt.find(({ event }) => event === 'css_ccw')!;
  assert.equal(first.cmd, 0xe4);
  const instructions = ofIt.filter(({ event }) => event === 'ioinst_sch_id').map(({ insn }) => insn);
  for (const name of ['stsch', 'msch', 'ssch', 'tsch']) assert.ok(instructions.includes(name), name);
});

/** A program that enables something of the channel subsystem, and stores what STORE SUBCHANNEL says of a subchannel before and after. */
const program = (operation: number, subchannel: string): string => `
        larl %r1,subchannel
        lg %r1,0(%r1)
        larl %r2,schib
        stsch 0(%r2)
        ipm %r6
        larl %r3,request
        chsc %r3
        ipm %r8
        stsch 0(%r2)
        ipm %r7
        larl %r4,result
        srlg %r6,%r6,28
        srlg %r7,%r7,28
        srlg %r8,%r8,28
        st %r6,0(%r4)
        st %r7,4(%r4)
        st %r8,8(%r4)
        lh %r5,6(%r2)
        sth %r5,14(%r4)
        larl %r4,wait
        lpswe 0(%r4)
        .balign 8
wait:   .quad 0x0002000180000000, 0xfff
subchannel: .quad ${subchannel}
        .balign 4096
request: .short 0x400, 0x31, 0, ${operation}
        .skip 4088
result: .skip 16
schib:  .skip 52
`;

/** Runs the program with a device; gives the condition codes before, after, of the request, and the device number. */
async function enables(operation: number, subchannel: string, devno: string): Promise<readonly number[]> {
  const entry = 0x10000;
  const { bytes, symbols } = new Assembler(instructions).assemble(program(operation, subchannel), entry);
  const image = new Uint8Array(entry + bytes.length);
  image.set(bytes, entry);
  writeFileSync(join(folder, 'image'), image);
  const path = join(folder, `qmp-${subchannel}-${operation}`);
  const machine = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-no-shutdown', '-kernel', join(folder, 'image')],
    ...['-device', `virtio-rng-ccw,devno=${devno}`, '-qmp', `unix:${path},server=on,wait=off`],
  ]);
  try {
    const control = await talk(path);
    let status: { status: string };
    do status = await control.ask('query-status');
    while (status.status === 'running');
    assert.equal(status.status, 'shutdown');
    const words = await control.human(`xp /4xw 0x${symbols.get('result')!.toString(16)}`);
    control.close();
    return [...words.matchAll(/0x([0-9a-f]{8})/g)].map(([, digits]) => Number.parseInt(digits!, 16));
  } finally {
    await machine.kill();
  }
}

// Not there; there after the request was carried out; and it is that device.

test('a guest that enables MCSS-E sees every image', { timeout: 60_000 }, async () => {
  assert.deepEqual(await enables(0, '0x02090000', '2.0.2222'), [3, 0, 0, 0x2222]);
});

test('a guest that has not enabled multiple subchannel sets sees set 0 only', { timeout: 60_000 }, async () => {
  assert.deepEqual(await enables(2, '0x00050000', 'fe.2.1111'), [3, 0, 0, 0x1111]);
  assert.deepEqual(await enables(2, '0x00010000', 'fe.0.1111'), [0, 0, 0, 0x1111]);
});
