import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeviceStatus, ENDED } from './control-unit.ts';
import { DATA, PROGRAM, SUBCHANNEL, TestChannels } from './testing.ts';

const CC = 0x40;
const SLI = 0x20;
const CD = 0x80;
const SKIP = 0x10;
const PCI = 0x08;
const IDA = 0x04;
const SUSPEND = 0x02;

/** Status control of a program that has ended as a whole, and of one that did so in an unusual way. */
const DONE = 0x07;
const ALERT = 0x17;

const hex = (m: TestChannels, address: number, length: number): string =>
  Buffer.from(m.storage.read(address, length)).toString('hex');

test('sense ID, with its length', () => {
  const m = new TestChannels();
  m.ccws(PROGRAM, [0xe4, 0, 7, DATA]);
  assert.equal(m.start(), 0);
  assert.deepEqual(m.cpu.testPending(0x80), [0x10000, 0xcafe, 0]);
  const { cc, control, device, channel, count, address } = m.test();
  assert.deepEqual([cc, control & 0x1f, device, channel, count, address], [0, DONE, ENDED, 0, 0, PROGRAM + 8]);
  assert.equal(hex(m, DATA, 7), 'ff123401567802');
  assert.equal(m.test().cc, 1);
});

test('incorrect length: too long, too short, suppressed', () => {
  for (const [flags, length, channel] of [
    [0, 16, 0x40],
    [0, 4, 0x40],
    [SLI, 16, 0],
    [SLI, 4, 0],
  ] as const) {
    const m = new TestChannels();
    m.ccws(PROGRAM, [0xe4, flags, length, DATA]);
    m.start();
    const irb = m.test();
    assert.equal(irb.channel, channel);
    assert.equal(irb.count, Math.max(0, length - 7));
  }
});

test('commands are chained, also by way of a transfer in channel, and the status modifier passes over one', () => {
  const m = new TestChannels();
  m.unit.answers.set(0x31, { status: ENDED | DeviceStatus.statusModifier });
  for (const code of [0x01, 0x05]) m.unit.answers.set(code, { take: 2 });
  m.storage.write(DATA, [1, 2, 3, 4]);
  m.ccws(PROGRAM, [0x31, CC | SLI, 1, DATA], [0x08, 0, 0, PROGRAM + 0x40], [0x08, 0, 0, PROGRAM + 0x80]);
  m.ccws(PROGRAM + 0x80, [0x01, CC, 2, DATA], [0x05, 0, 2, DATA + 2]);
  m.start();
  const irb = m.test();
  assert.deepEqual(m.unit.log, ['31', '01:0102', '05:0304']);
  assert.deepEqual([irb.control & 0x1f, irb.address], [DONE, PROGRAM + 0x90]);
});

test('data are chained and skipped', () => {
  const m = new TestChannels();
  m.unit.answers.set(0x02, { give: [1, 2, 3, 4, 5, 6] });
  m.ccws(PROGRAM, [0x02, CD, 2, DATA], [0, CD | SKIP, 2, DATA + 8], [0, 0, 2, DATA + 16]);
  m.start();
  assert.equal(m.test().channel, 0);
  assert.equal(hex(m, DATA, 2) + hex(m, DATA + 8, 2) + hex(m, DATA + 16, 2), '010200000506');
});

test('indirect data addresses of both formats', () => {
  for (const wide of [false, true]) {
    const m = new TestChannels();
    m.unit.answers.set(0x02, { give: [1, 2, 3, 4] });
    const block = wide ? 4096 : 2048;
    const [first, second] = [0x8000 + block - 2, 0x10000];
    if (wide) {
      m.storage.write64(DATA, BigInt(first));
      m.storage.write64(DATA + 8, BigInt(second));
    } else {
      m.storage.write32(DATA, first);
      m.storage.write32(DATA + 4, second);
    }
    m.ccws(PROGRAM, [0x02, IDA, 4, DATA]);
    m.start(wide ? 0x0082_ff00 : 0x0080_ff00);
    assert.equal(m.test().channel, 0);
    assert.equal(hex(m, first, 2) + hex(m, second, 2), '01020304');
  }
});

test('modified indirect data addresses', () => {
  const m = new TestChannels();
  m.unit.answers.set(0x02, { give: [1, 2, 3, 4] });
  m.storage.write(DATA, [0, 0, 0, 0, 0, 0x40, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, 0]);
  m.storage.write(DATA + 16, [0, 0, 0, 0, 0, 0x80, 0, 3, 0, 0, 0, 0, 0, 0, 0x90, 0]);
  m.ccws(PROGRAM, [0x02, 0x01, 4, DATA]);
  m.start(0x0080_ff40);
  assert.equal(m.test().channel, 0);
  assert.equal(hex(m, 0x8000, 1) + hex(m, 0x9000, 3), '00020304');
});

test('program checks', () => {
  const programs: Record<string, (m: TestChannels) => void> = {
    'invalid command': m => m.ccws(PROGRAM, [0x10, 0, 1, DATA]),
    'first a transfer in channel': m => m.ccws(PROGRAM, [0x08, 0, 0, PROGRAM + 8]),
    'count 0 with chained data': m => m.ccws(PROGRAM, [0x02, CD, 0, DATA]),
    'address of 32 bits': m => m.ccws(PROGRAM, [0x02, 0, 1, 0x8000_0000]),
    'data beyond storage': m => {
      m.unit.answers.set(0x02, { give: [1] });
      m.ccws(PROGRAM, [0x02, 0, 1, 0x7000_0000]);
    },
    'suspension that is not allowed': m => m.ccws(PROGRAM, [0x03, SUSPEND, 1, DATA]),
    'odd list of words': m => m.ccws(PROGRAM, [0x02, IDA, 1, DATA + 2]),
    'two transfers': m => m.ccws(PROGRAM, [0x03, CC | SLI, 1, 0], [0x08, 0, 0, PROGRAM + 16], [0x08, 0, 0, PROGRAM]),
  };
  for (const [name, write] of Object.entries(programs)) {
    const m = new TestChannels();
    write(m);
    assert.equal(m.start(), 0, name);
    const irb = m.test();
    assert.deepEqual([irb.control & 0x1f, irb.channel], [ALERT, 0x20], name);
  }
});

test('protection checks', () => {
  const m = new TestChannels();
  m.unit.answers.set(0x02, { give: [1] });
  m.ccws(PROGRAM, [0x02, 0, 1, DATA]);
  m.start(0x3080_ff00);
  const irb = m.test();
  assert.deepEqual([irb.control & 0x1f, irb.channel], [ALERT, 0x10]);
  assert.equal(hex(m, DATA, 1), '00');
});

test('unit check ends the chain, and its sense comes with it where that is wanted', () => {
  const m = new TestChannels();
  m.modify(true);
  m.unit.answers.set(0x11, { status: ENDED | DeviceStatus.unitCheck, sense: [0x40, 7] });
  m.ccws(PROGRAM, [0x11, CC | SLI, 1, DATA], [0x03, 0, 1, DATA]);
  m.start();
  const { irb, device, control } = m.test();
  assert.deepEqual([device, control & 0x1f], [ENDED | DeviceStatus.unitCheck, ALERT]);
  assert.deepEqual([irb[16]! & 1, irb[17], irb[32], irb[33]], [1, 32, 0x40, 7]);
});

test('suspended, resumed, cancelled', () => {
  const m = new TestChannels();
  m.ccws(PROGRAM, [0x03, CC | SLI, 1, 0], [0x03, SUSPEND | SLI, 1, 0]);
  m.start(0x0880_ff00);
  assert.equal(m.test().control & 0x0020, 0x0020);
  m.ccws(PROGRAM + 8, [0x03, SLI, 1, 0]);
  assert.equal(m.cpu.resume(SUBCHANNEL), 0);
  m.work();
  assert.equal(m.test().control & 0x1f, DONE);
  assert.equal(m.cpu.resume(SUBCHANNEL), 2);
  assert.equal(m.cpu.start(SUBCHANNEL, m.orb()), 0);
  assert.equal(m.cpu.cancel(SUBCHANNEL), 0);
  m.work();
  assert.equal(m.test().cc, 1);
});

test('a command that takes its time can be halted and cleared, and what it does afterwards is nobody’s', async () => {
  for (const how of ['halt', 'clear'] as const) {
    const m = new TestChannels();
    m.unit.answers.set(0x02, { later: true });
    m.ccws(PROGRAM, [0x02, 0, 1, DATA]);
    m.start();
    assert.equal(m.cpu.start(SUBCHANNEL, m.orb()), 2);
    assert.equal(m.cpu[how](SUBCHANNEL), 0);
    m.work();
    assert.ok(m.unit.log.includes(how));
    const { control } = m.test();
    assert.equal(control & 0x1, 1);
    assert.equal(control & (how === 'halt' ? 0x2000 : 0x1000), how === 'halt' ? 0x2000 : 0x1000);
    m.unit.end!(ENDED);
    await Promise.resolve();
    assert.equal(m.test().cc, 1);
  }
});

test('a program that never ends is halted', () => {
  const m = new TestChannels();
  m.ccws(PROGRAM, [0x03, CC | SLI, 1, 0], [0x08, 0, 0, PROGRAM]);
  m.start();
  m.cpu.halt(SUBCHANNEL);
  m.work();
  assert.equal(m.test().control & 0x2001, 0x2001);
});

test('a program-controlled interruption is told with the end if nobody has looked', () => {
  const m = new TestChannels();
  m.ccws(PROGRAM, [0x03, PCI | SLI, 1, 0]);
  m.start();
  assert.equal(m.test().channel & 0x80, 0x80);
});

test('attention waits for its turn; an alert without device status; nothing for who is not enabled', () => {
  const m = new TestChannels();
  m.ccws(PROGRAM, [0x03, SLI, 1, 0]);
  m.start();
  m.unit.present(DeviceStatus.attention);
  assert.equal(m.test().device, ENDED);
  const attention = m.test();
  assert.deepEqual([attention.device, attention.control & 0x1f], [DeviceStatus.attention, 0x11]);
  m.unit.present(0);
  const alert = m.test();
  assert.deepEqual([alert.device, alert.control & 0x1f], [0, 0x11]);
  m.modify(false, false);
  m.unit.present(DeviceStatus.attention);
  m.modify();
  assert.equal(m.test().cc, 1);
});

test('no path that the program allows is available; a program may suppress the interruption of a suspension', () => {
  const m = new TestChannels();
  assert.equal(m.start(0x0080_0f00), 3);
  m.ccws(PROGRAM, [0x03, SUSPEND | SLI, 1, 0]);
  assert.equal(m.start(0x0888_ff00), 0);
  assert.equal(m.test().cc, 1);
  assert.equal(m.cpu.cancel(SUBCHANNEL), 0);
});
