import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextLog } from '../log.ts';
import { Migration } from '../migration/migration.ts';
import { Snapshots } from '../migration/snapshots.ts';
import { FakeChardev, FakeHost, FakeMachine, settled } from '../testing.ts';
import { JsonReader } from './json-reader.ts';
import { QmpMonitor } from './qmp.ts';

function setUp() {
  const machine = new FakeMachine();
  const host = new FakeHost();
  const chardev = new FakeChardev();
  new QmpMonitor(chardev, {
    machine,
    snapshots: new Snapshots(host, machine, 'snapshots'),
    migration: new Migration({ host, machine, fail: () => {} }),
    name: 'test',
    log: new TextLog(new Set(), () => {}),
    processId: 4711,
    chardevs: () => [],
    writeFile: () => {},
    logTo: () => {},
    debugOn: async () => {},
    sendBreak: () => false,
    quit: () => void machine.calls.push('ended'),
  });
  /** What comes back, value by value. */
  const say = async (text: string): Promise<unknown[]> => {
    chardev.take();
    chardev.type(text);
    await settled();
    return chardev.out
      .split('\r\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line));
  };
  return { machine, chardev, say };
}

const failed = (desc: string, kind = 'GenericError') => ({ error: { class: kind, desc } });

test('greeting and negotiation', async () => {
  const { chardev, say } = setUp();
  assert.match(chardev.out, /^{"QMP":{"version":{"qemu":{.*"capabilities":\[\]}}\r\n$/);
  assert.deepEqual(await say('{"execute":"query-status"}'), [
    failed("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound'),
  ]);
  assert.deepEqual(await say('{"execute": "qmp_capabilities", "id": [1]}{ "execute": "query-status" }'), [
    { return: {}, id: [1] },
    { return: { status: 'prelaunch', running: false, singlestep: false } },
  ]);
});

test('commands and events', async () => {
  const { machine, say } = setUp();
  await say('{"execute":"qmp_capabilities"}');
  const answers = (await say('{"execute":"cont"}')) as Record<string, unknown>[];
  assert.ok(machine.calls.includes('cont'));
  assert.deepEqual(
    answers.map(answer => answer.event ?? answer.return),
    ['RESUME', {}],
  );
  assert.deepEqual(await say('{"execute":"human-monitor-command","arguments":{"command-line":"info name"},"id":"a"}'), [
    { return: 'test\r\n', id: 'a' },
  ]);
  assert.deepEqual(await say('{"execute":"query-migrate"}'), [{ return: {} }]);
  await say('{"execute":"quit"}');
  assert.ok(machine.calls.includes('ended'));
});

test('mistakes', async () => {
  const { say } = setUp();
  await say('{"execute":"qmp_capabilities"}');
  assert.deepEqual(await say('{"execute":"foo"}'), [failed('The command foo has not been found', 'CommandNotFound')]);
  assert.deepEqual(await say('{"execute":"toString"}'), [
    failed('The command toString has not been found', 'CommandNotFound'),
  ]);
  assert.deepEqual(await say('{"execute":"migrate","id":7}'), [{ ...failed("Parameter 'uri' is missing"), id: 7 }]);
  assert.deepEqual(await say('{"execute":"stop","arguments":{"a":1}}'), [failed("Parameter 'a' is unexpected")]);
  assert.deepEqual(await say('[1]\n{"run":"x"}'), [
    failed('QMP input must be a JSON object'),
    failed("QMP input member 'run' is unexpected"),
  ]);
  assert.deepEqual(await say('{"a":}'), [failed('JSON parse error, expecting value')]);
});

test('values in pieces', () => {
  const reader = new JsonReader();
  const take = (text: string) => reader.take(new TextEncoder().encode(text));
  take(' {"a":"}{\\"", "b"');
  assert.equal(reader.next(), undefined);
  take(':[{}]}  1\nx');
  assert.deepEqual(reader.next(), { value: { a: '}{"', b: [{}] } });
  assert.deepEqual(reader.next(), { value: 1 });
  assert.equal(reader.next(), undefined);
  take('\n');
  assert.deepEqual(reader.next(), { error: 'JSON parse error, expecting value' });
});
