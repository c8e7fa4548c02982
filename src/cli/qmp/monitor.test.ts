import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopologyControl } from '../../machine/control.ts';
import type { Place } from '../../machine/cpu-table.ts';
import { usualPlace } from '../../machine/topology.ts';
import { TraceStates } from '../../machine/trace-events.ts';
import { TextLog } from '../log.ts';
import { Migration } from '../migration/migration.ts';
import { Snapshots } from '../migration/snapshots.ts';
import { FakeChardev, FakeHost, FakeMachine, settled } from '../testing.ts';
import type { QmpEnvironment } from './commands.ts';
import { QmpEvents } from './events.ts';
import { QmpMonitor } from './monitor.ts';

type Message = { readonly [key: string]: unknown };

async function setUp(negotiate = true) {
  const machine = new FakeMachine();
  const host = new FakeHost();
  const chardev = new FakeChardev();
  const events = new QmpEvents(machine);
  const files = new Map<string, Uint8Array>();
  const environment: QmpEnvironment = {
    machine,
    events,
    cpuModel: 'z14',
    maximumCpus: 2,
    snapshots: new Snapshots(host, machine, 'snapshots'),
    migration: new Migration({ host, machine, changed: status => events.migration(status), fail: () => {} }),
    name: 'test',
    trace: new TraceStates(),
    log: new TextLog(new Set(), () => {}),
    processId: 4711,
    chardevs: () => [{ id: 'serial0', description: 'null', inUse: true }],
    writeFile: (path, data) => void files.set(path, data),
    logTo: () => {},
    debugOn: async () => {},
    addDevice: async text => void machine.calls.push(`add ${text}`),
    removeDevice: async id => void machine.calls.push(`remove ${id}`),
    addChardev: async text => void machine.calls.push(`chardev-add ${text}`),
    removeChardev: id => void machine.calls.push(`chardev-remove ${id}`),
    addObject: text => void machine.calls.push(`object-add ${text}`),
    removeObject: id => void machine.calls.push(`object-del ${id}`),
    userObjects: () => [{ id: 'o', type: 'rng-builtin' }],
    drives: () => [],
    consoles: [],
    objects: { tree: () => '', list: () => '', get: () => '', set: () => {} },
    sendBreak: id => id === 'serial0',
    quit: () => void machine.calls.push('ended'),
  };
  new QmpMonitor(chardev, environment, false);
  const messages = (text = chardev.take()): Message[] =>
    text
      .split('\r\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line));
  /** What comes back. */
  const say = async (text: string): Promise<Message[]> => {
    chardev.take();
    chardev.type(text);
    await settled();
    return messages();
  };
  /** The result of a command, or what is said of its error. */
  const ask = async (execute: string, given: object = {}): Promise<unknown> => {
    const answers = await say(JSON.stringify({ execute, arguments: given }));
    const answer = answers.find(each => 'return' in each || 'error' in each)!;
    return answer.return ?? (answer.error as Message).desc;
  };
  const greeting = chardev.take();
  if (negotiate) await say('{"execute":"qmp_capabilities"}');
  return { machine, environment, chardev, files, greeting, messages, say, ask };
}

const failed = (desc: string, kind = 'GenericError') => ({ error: { class: kind, desc } });

test('greeting and negotiation', async () => {
  const { machine, chardev, greeting, messages, say } = await setUp(false);
  assert.match(greeting, /^{"QMP": {"version": {"qemu": {.*}, "package": "lpar .*"}, "capabilities": \[\]}}\r\n$/);
  assert.deepEqual(await say('{"execute":"query-name"}'), [
    failed("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound'),
  ]);
  machine.cont();
  assert.deepEqual(messages(), []);
  assert.deepEqual(await say('{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}'), [
    failed('Capability oob not available'),
  ]);
  assert.deepEqual(await say('{"execute": "qmp_capabilities", "id": [1]}{ "execute": "query-name" }'), [
    { return: {}, id: [1] },
    { return: { name: 'test' } },
  ]);
  assert.deepEqual(await say('{"execute":"qmp_capabilities"}'), [
    failed('Capabilities negotiation is already complete, command ignored', 'CommandNotFound'),
  ]);
  // Whoever comes next begins anew.
  chardev.happen('close');
  chardev.happen('open');
  assert.equal(chardev.take(), greeting);
  assert.deepEqual(await say('{"execute":"query-name"}'), [
    failed("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound'),
  ]);
});

test('requests that are none', async () => {
  const { say } = await setUp();
  for (const [text, desc] of [
    ['[]', 'QMP input must be a JSON object'],
    ['{}', "QMP input lacks member 'execute'"],
    ['{"execute":5}', "QMP input member 'execute' must be a string"],
    ['{"execute":"stop","arguments":7}', "QMP input member 'arguments' must be an object"],
    ['{"execute":"stop","x":1}', "QMP input member 'x' is unexpected"],
    ['{"execute":"stop","arguments":{"a":1}}', "Parameter 'a' is unexpected"],
    ['{"a":}', 'JSON parse error, expecting value'],
  ] as const) {
    assert.deepEqual(await say(text), [failed(desc)], text);
  }
  for (const name of ['foo', 'toString', '__proto__']) {
    assert.deepEqual(await say(`{"execute":"${name}","id":"a"}`), [
      { id: 'a', ...failed(`The command ${name} has not been found`, 'CommandNotFound') },
    ]);
  }
});

test('arguments are held against what a command takes', async () => {
  const { files, machine, ask } = await setUp();
  machine.storage.write(0x100, [1, 2, 3]);
  assert.deepEqual(await ask('memsave', { val: 0x100, size: 3, filename: 'f' }), {});
  assert.deepEqual([...files.get('f')!], [1, 2, 3]);
  const one = { val: 0, size: 1, filename: 'f' };
  for (const [given, desc] of [
    [{ val: 0, size: 1 }, "Parameter 'filename' is missing"],
    [{ ...one, val: '0' }, "Invalid parameter type for 'val', expected: integer"],
    [{ ...one, val: 1.5 }, "Invalid parameter type for 'val', expected: integer"],
    [{ ...one, filename: 7 }, "Invalid parameter type for 'filename', expected: string"],
    [{ ...one, val: -1 }, 'Invalid addr 0xffffffffffffffff/size 1 specified'],
    [{ ...one, 'cpu-index': 5 }, "Parameter 'cpu-index' expects a CPU number"],
  ] as const) {
    assert.equal(await ask('memsave', given), desc);
  }
  const set = (capabilities: unknown) => ask('migrate-set-capabilities', { capabilities });
  assert.equal(await set({}), "Invalid parameter type for 'capabilities', expected: array");
  assert.equal(await set([{ capability: 'foo', state: true }]), "Parameter 'capability' does not accept value 'foo'");
  assert.equal(await set([{ capability: 'events' }]), "Parameter 'capabilities[0].state' is missing");
  assert.equal(await set([1]), "Invalid parameter type for 'capabilities[0]', expected: object");
  assert.equal(await ask('set-cpu-topology', { 'core-id': 65536 }), "Parameter 'core-id' expects uint16_t");
});

test('commands', async () => {
  const { machine, ask } = await setUp();
  assert.deepEqual(await ask('query-status'), { status: 'prelaunch', running: false });
  for (const name of ['cont', 'stop', 'system_powerdown', 'system_reset', 'inject-nmi', 'quit']) {
    assert.deepEqual(await ask(name), {}, name);
  }
  assert.deepEqual(machine.calls, ['cont', 'stop', 'powerdown', 'reset', 'nmi 0', 'ended']);
  machine.status = 'shutdown';
  assert.equal(await ask('cont'), 'Resetting the Virtual Machine is required');
  assert.deepEqual(await ask('query-cpus-fast'), [
    {
      'cpu-index': 0,
      'qom-path': '/machine/unattached/device[0]',
      'thread-id': 4711,
      props: { 'core-id': 0 },
      target: 's390x',
      'cpu-state': 'operating',
    },
  ]);
  assert.deepEqual(await ask('query-hotpluggable-cpus'), [
    {
      type: 'z14-s390x-cpu',
      'vcpus-count': 1,
      props: { 'core-id': 0 },
      'qom-path': '/machine/unattached/device[0]',
    },
    { type: 'z14-s390x-cpu', 'vcpus-count': 1, props: { 'core-id': 1 } },
  ]);
  assert.deepEqual(await ask('device_add', { driver: 'z14-s390x-cpu', 'core-id': 1, dedicated: true, id: 'a,b' }), {});
  assert.equal(machine.calls.at(-1), 'add z14-s390x-cpu,id=a,,b,core-id=1,dedicated=on');
  assert.deepEqual(await ask('human-monitor-command', { 'command-line': 'info name' }), 'test\r\n');
  assert.deepEqual(await ask('set-action', { panic: 'pause', watchdog: 'none' }), {});
  assert.deepEqual(machine.actions, { reboot: 'reset', shutdown: 'poweroff', panic: 'pause', watchdog: 'none' });
  assert.equal(await ask('qom-get', { path: '/machine/unattached/device[0]', property: 'type' }), 'z14-s390x-cpu');
  assert.equal(await ask('qom-list', { path: '/nowhere' }), "Device '/nowhere' not found");
  assert.deepEqual(await ask('qom-list', { path: '/chardevs' }), [
    { name: 'type', type: 'string' },
    { name: 'serial0', type: 'child<chardev>' },
  ]);
});

test('what commands take is described', async () => {
  const { ask } = await setUp();
  const schema = new Map(((await ask('query-qmp-schema')) as Message[]).map(entry => [entry.name as string, entry]));
  const migrate = schema.get('migrate-set-capabilities')!;
  const [capabilities] = schema.get(migrate['arg-type'] as string)!.members as Message[];
  const list = schema.get(capabilities!.type as string)!;
  const [capability, state] = schema.get(list['element-type'] as string)!.members as Message[];
  assert.deepEqual(state, { name: 'state', type: 'bool' });
  assert.deepEqual(schema.get(capability!.type as string)!.values, ['events']);
  assert.equal(schema.get('STOP')!['meta-type'], 'event');
  // Every type that is named is there.
  for (const entry of schema.values()) {
    const named = ['arg-type', 'ret-type', 'element-type'].map(key => entry[key]);
    const members = (entry.members ?? []) as Message[];
    for (const name of [...named, ...members.map(({ type }) => type)])
      assert.ok(name === undefined || schema.has(name as string));
  }
});

test('CPUs move in the topology', async () => {
  const { machine, ask } = await setUp();
  assert.equal(await ask('set-cpu-topology', { 'core-id': 0 }), "This machine doesn't support topology");
  const shape = { drawers: 1, books: 1, sockets: 2, cores: 1 };
  const places: Place[] = [usualPlace(0, shape)];
  const topology: TopologyControl = {
    shape,
    vertical: true,
    place: cpu => places[cpu]!,
    setPlace: (cpu, place) => void (places[cpu] = place),
  };
  machine.topology = topology;
  assert.deepEqual(await ask('set-cpu-topology', { 'core-id': 0, 'socket-id': 1, dedicated: true }), {});
  assert.deepEqual(places[0], { drawer: 0, book: 0, socket: 1, entitlement: 'high', dedicated: true });
  assert.equal(await ask('set-cpu-topology', { 'core-id': 0, 'socket-id': 2 }), 'Unavailable socket: 2');
  assert.equal(await ask('set-cpu-topology', { 'core-id': 7 }), 'Core-id 7 does not exist!');
  assert.deepEqual(await ask('query-s390x-cpu-polarization'), { polarization: 'vertical' });
});

test('CPU models', async () => {
  const { ask } = await setUp();
  const compare = (a: object, b: object) => ask('query-cpu-model-comparison', { modela: a, modelb: b });
  const z13 = { name: 'z13-base' };
  assert.deepEqual(await compare(z13, z13), { result: 'identical', 'responsible-properties': [] });
  assert.deepEqual(await compare(z13, { name: 'z14-base', props: { vx: true } }), {
    result: 'subset',
    'responsible-properties': ['opc', 'eec', 'minste2', 'sema', 'tsi', 'vx', 'type'],
  });
  const { result } = (await compare({ ...z13, props: { edat: true } }, { name: 'z14-base' })) as Message;
  assert.equal(result, 'incompatible');
  const expand = (type: string, model: object) => ask('query-cpu-model-expansion', { type, model });
  const { model } = (await expand('static', { name: 'z10EC-base', props: { edat: true, srs: false } })) as Message;
  assert.deepEqual(model, { name: 'z10EC-base', props: { edat: true, srs: false } });
  assert.equal(await expand('full', { name: 'zzz' }), "The CPU definition 'zzz' is unknown.");
  assert.equal(await expand('full', {}), "Parameter 'model.name' is missing");
  assert.equal(await expand('full', { name: 'z14', props: { foo: true } }), "Property 'z14-s390x-cpu.foo' not found");
  assert.equal(
    await expand('full', { name: 'z14', props: { vx: 1 } }),
    "Invalid parameter type for 'vx', expected: boolean",
  );
  assert.deepEqual(await ask('query-cpu-model-baseline', { modela: { name: 'z14ZR1' }, modelb: { name: 'z9BC' } }), {
    model: { name: 'z9BC-base', props: { msa1: true, sthyi: true, cmm: true } },
  });
});

test('events', async () => {
  const { machine, environment, messages, say } = await setUp();
  const told = () => messages().map(({ event, data }) => (data ? [event, data] : event));
  machine.cont();
  machine.emit('powerdown', undefined);
  machine.emit('polarization', { vertical: true });
  machine.stopAs('paused');
  machine.emit('watchdog', { action: 'reset' });
  machine.emit('reset', { cause: 'guest-reset' });
  machine.emit('reset', { cause: 'host' });
  assert.deepEqual(told(), [
    'RESUME',
    'POWERDOWN',
    ['CPU_POLARIZATION_CHANGE', { polarization: 'vertical' }],
    'STOP',
    ['WATCHDOG', { action: 'reset' }],
    ['RESET', { guest: true, reason: 'guest-reset' }],
    ['RESET', { guest: false, reason: 'host-qmp-system-reset' }],
  ]);
  machine.actions.shutdown = 'pause';
  machine.stopAs('shutdown');
  machine.emit('shutdown', { cause: 'guest-shutdown' });
  assert.deepEqual(told(), [['SHUTDOWN', { guest: true, reason: 'guest-shutdown' }], 'STOP']);
  machine.actions.shutdown = 'poweroff';
  machine.cont();
  machine.stopAs('guest-panicked');
  machine.emit('guest-panicked', { cpu: 0, reason: 'disabled-wait', pswMask: 0x0002_0001_8000_0000n, pswAddress: 1n });
  const info = { type: 's390', core: 0, 'psw-mask': 0x0002_0001_8000_0000, 'psw-addr': 1, reason: 'disabled-wait' };
  assert.deepEqual(told(), [
    'RESUME',
    ['GUEST_PANICKED', { action: 'poweroff', info }],
    ['SHUTDOWN', { guest: true, reason: 'guest-panic' }],
  ]);
  // It has been said already.
  assert.deepEqual(
    (await say('{"execute":"quit"}')).map(({ event }) => event),
    [undefined],
  );
  machine.status = 'running';
  await say(
    '{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"events","state":true}]}}',
  );
  await say('{"execute":"migrate","arguments":{"uri":"unix:nowhere"}}');
  await environment.migration.send('unix:nowhere', false);
  assert.deepEqual(told(), [
    ['MIGRATION', { status: 'setup' }],
    ['MIGRATION', { status: 'failed' }],
  ]);
  const [first] = await say('{"execute":"cont"}');
  assert.deepEqual(Object.keys(first!.timestamp as Message), ['seconds', 'microseconds']);
});
