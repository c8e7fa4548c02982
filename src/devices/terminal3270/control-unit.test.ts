import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TestClient } from '../../chardev/tn3270/testing.ts';
import type { Transfer } from '../../css/control-unit.ts';
import { SavedFields } from '../../save/save-state.ts';
import { ControlUnit3270 } from './control-unit.ts';
import { Wire } from './testing.ts';

/** A transfer from these bytes, and into `given`. */
function transfer(data: Uint8Array = new Uint8Array(0), room = 0xffff) {
  const given: number[] = [];
  let at = 0;
  const one: Transfer & { given: number[]; taken(): number } = {
    count: data.length,
    chainsData: false,
    anyLength: false,
    take: length => data.slice(at, (at += Math.min(length, data.length - at))),
    peek: length => data.slice(at, at + length),
    give: bytes => {
      given.push(...bytes.subarray(0, room));
      return Math.min(room, bytes.length);
    },
    given,
    taken: () => at,
  };
  return one;
}

function machine(t: TestContext, name?: string) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const wire = new Wire('ch0');
  const unit = new ControlUnit3270({ chardev: wire, name });
  const presented: number[] = [];
  const attachment = {
    present: (status: number) => void presented.push(status),
    enabled: true,
    identification: { cssid: 0xfe, ssid: 0, deviceNumber: 0x000a },
    adapterInterruption: () => {},
  };
  unit.attached(attachment);
  t.after(() => unit.detached());
  let client: TestClient;
  const settle = () => {
    for (let data = wire.toClient.shift(); data; data = wire.toClient.shift()) client.receive(data);
  };
  const attach = (options = {}) => {
    client = new TestClient(options, data => wire.fromClient(data));
    wire.come();
    settle();
    return client;
  };
  return { wire, unit, presented, attachment, attach, settle };
}

const senseOf = (unit: ControlUnit3270) => {
  const data = transfer();
  assert.equal(unit.execute(0x04, data), 0x0c);
  return data.given[0];
};

test('it is a 3270', t => {
  const { unit } = machine(t);
  const data = transfer();
  assert.equal(unit.execute(0xe4, data), 0x0c);
  assert.deepEqual(data.given, [0xff, 0x32, 0x70, 0, 0, 0, 0]);
  assert.equal(unit.execute(0x03, transfer()), 0x0c);
});

test('what is not accepted is a unit check with sense data, once', t => {
  const { unit } = machine(t);
  assert.equal(unit.execute(0x05, transfer()), 0x02);
  assert.equal(senseOf(unit), 0x40);
  assert.equal(senseOf(unit), 0);
  assert.equal(unit.execute(0x77, transfer()), 0x0e);
  assert.equal(senseOf(unit), 0x80);
});

test('a client, its name, writes and reads', async t => {
  const { unit, presented, attach, settle } = machine(t);
  const client = attach();
  assert.deepEqual(presented, [0x04]);
  assert.equal(unit.execute(0x05, transfer(Uint8Array.of(0xc3, 0xc1))), 0x0c);
  settle();
  assert.deepEqual(client.records, [[0xf5, 0xc3, 0xc1]]);
  client.enter(0x7d, 1, 2, 3);
  assert.deepEqual(presented, [0x04, 0x80]);
  const short = transfer(undefined, 2);
  assert.equal(unit.execute(0x06, short), 0x0c);
  assert.deepEqual(short.given, [0x7d, 1]);
  const later = transfer();
  const status = unit.execute(0x02, later);
  settle();
  client.enter(0x60, 9);
  assert.equal(await status, 0x0c);
  assert.deepEqual(later.given, [0x60, 9]);
});

test('the terminal has a name', t => {
  assert.ok(machine(t).attach({ functions: [], name: 'LU0000A' }).extended);
});

test('the name can be chosen', t => {
  assert.ok(machine(t, 'term1').attach({ functions: [], name: 'TERM1' }).extended);
});

test('a command that fails after it was accepted', async t => {
  const { unit, attach, wire, settle } = machine(t);
  attach();
  const status = unit.execute(0x02, transfer());
  settle();
  wire.go();
  assert.equal(await status, 0x0e);
  assert.equal(senseOf(unit), 0x40);
});

test('a write takes no more than any terminal could want', t => {
  const { unit, attach } = machine(t);
  attach();
  const endless = transfer(new Uint8Array(0x100000));
  assert.equal(unit.execute(0x11, endless), 0x0c);
  assert.equal(endless.taken(), 0x40000);
});

test('while software does not listen, input is forgotten; with a reset as well', t => {
  const { unit, attach, attachment, presented } = machine(t);
  const client = attach();
  attachment.enabled = false;
  client.enter(0x7d, 1);
  attachment.enabled = true;
  client.enter(0x7d, 2);
  assert.deepEqual(presented, [0x04, 0x80]);
  unit.reset();
  client.enter(0x7d, 3);
  const data = transfer();
  unit.execute(0x06, data);
  assert.deepEqual(data.given, [0x7d, 3]);
});

test('after a restore the client is gone', t => {
  const first = machine(t);
  first.attach();
  const saved = new SavedFields('terminal0', first.unit.save());
  const wire = new Wire('ch0');
  const unit = new ControlUnit3270({ chardev: wire });
  const presented: number[] = [];
  unit.attached({ ...first.attachment, present: status => void presented.push(status) });
  unit.load(saved)();
  assert.deepEqual(presented, [0x04]);
  assert.equal(unit.execute(0x01, transfer()), 0x02);
  assert.equal(senseOf(unit), 0x40);
  unit.detached();
});
