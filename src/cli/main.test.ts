import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, type MachineConfiguration } from '../machine/control.ts';
import { mainOn } from './main.ts';
import { FakeHost, FakeMachine, settled } from './testing.ts';

/** Starts the command with a kernel file `k` at hand. */
async function start(line: string) {
  const host = new FakeHost();
  host.files.set('k', 'kernel');
  const machine = new FakeMachine();
  let configuration: MachineConfiguration | undefined;
  const ended = mainOn(line.split(' '), host, async given => {
    configuration = given;
    machine.actions.panic = given.actions.panic;
    return machine;
  });
  await settled();
  return { host, machine, ended, configuration: configuration! };
}

test('information and mistakes end at once', async () => {
  const cases: [string, number, RegExp][] = [
    ['-version', 0, /^lpar version \d/],
    ['-h', 0, /^usage: lpar/],
    ['-machine help', 0, /^Supported machines are:\ns390-ccw-virtio/],
    ['-d help', 0, /^Log items/],
    ['-cpu help', 0, /z14/],
    ['-device help', 0, /sclpconsole/],
    ['-device sclpconsole,help', 0, /chardev=<str>/],
    ['-foo', 1, /^lpar: -foo: invalid option\n$/],
    ['-m 1x', 1, /^lpar: -m 1x: Parameter 'size' expects a size[^\n]*\n$/],
    ['-kernel nowhere', 1, /^lpar: could not load kernel 'nowhere': No such file or directory\n$/],
    ['-kernel k -initrd nowhere', 1, /^lpar: could not load initrd 'nowhere': No such file or directory\n$/],
    ['-serial null', 1, /^lpar: nothing to load/],
    ['-kernel k -D /nowhere/x', 1, /^lpar: -D \/nowhere\/x: No such file/],
    [
      '-kernel k -drive if=none,file=/nowhere/x',
      1,
      /^lpar: -drive \S+: Could not open '\/nowhere\/x': No such[^\n]*\n$/,
    ],
    ['-kernel k -object rng-random,id=r,filename=/nowhere/x', 1, /^lpar: -object \S+: Could not open '\/nowhere\/x'/],
    [
      '-kernel k -serial file:/nowhere/x',
      1,
      /^lpar: -serial file:\/nowhere\/x: Could not open '\/nowhere\/x': No such/,
    ],
    ['-kernel k -gdb tcp::1', 1, /^lpar: -gdb tcp::1: Failed to listen on ':1': Address already in use\n$/],
    ['-kernel k -monitor tcp::1', 1, /^lpar: -monitor tcp::1: Failed to connect to ':1': Connection refused\n$/],
  ];
  for (const [line, status, text] of cases) {
    const { host, ended } = await start(line);
    assert.equal(await ended, status, line);
    assert.match(status === 0 ? host.printed : host.complaints, text);
    assert.equal(host.raw, false);
  }
});

test('a machine that cannot be made', async () => {
  const host = new FakeHost();
  host.files.set('k', '');
  const status = await mainOn(['-kernel', 'k'], host, async () => {
    throw new ConfigurationError('no kernel');
  });
  assert.deepEqual([status, host.complaints, host.raw], [1, 'lpar: no kernel\n', false]);
});

test('the machine gets what the command line says', async () => {
  const { configuration, machine, host, ended } = await start('-kernel k -append a=b -m 256 -name n -no-reboot -S');
  assert.equal(new TextDecoder().decode(configuration.kernel), 'kernel');
  const { append, memory, name, actions, consoles } = configuration;
  assert.deepEqual([append, memory, name, actions.reboot], ['a=b', 256 << 20, 'n', 'shutdown']);
  assert.deepEqual(
    consoles.map(({ kind }) => kind),
    ['ascii'],
  );
  assert.deepEqual(machine.calls, []);
  host.signal(15);
  assert.equal(await ended, 0);
  assert.equal(host.complaints, 'lpar: terminating on signal 15\n');
  assert.deepEqual(machine.calls, ['quit']);
});

test('console and monitor share the terminal', async () => {
  const { configuration, machine, host, ended } = await start('-nographic -kernel k');
  let got = '';
  configuration.consoles[0]!.chardev.attach({
    room: () => 100,
    receive: data => {
      got += new TextDecoder().decode(data);
    },
  });
  assert.equal(host.raw, true);
  host.type('ls\r\x03\x01c');
  assert.equal(got, 'ls\r\x03');
  assert.match(host.shown, /^lpar \S+ monitor - type 'help' for more information\r\n\(qemu\) $/);
  host.type('info chardev\r');
  await settled();
  assert.match(host.shown, /serial0-base: filename=stdio\r\nserial0: filename=mux\r\n\(qemu\) $/);
  host.type('\x01cagain');
  assert.equal(got, 'ls\r\x03again');
  host.type('\x01x');
  assert.equal(await ended, 0);
  assert.equal(host.raw, false);
  assert.deepEqual(machine.calls, ['cont', 'quit']);
});

test('Ctrl-C on a terminal that is not shared is a signal', async () => {
  const { host, ended } = await start('-kernel k -serial stdio');
  assert.deepEqual(host.signals, []);
  host.signal(2);
  await ended;
});

test('what the end of the guest does', async () => {
  const panic = { cpu: 0, reason: 'disabled-wait', pswMask: 2n << 48n, pswAddress: 0xabcn } as const;
  const after = async (options: string, happen: (machine: FakeMachine) => void) => {
    const { machine, host, ended } = await start(`-kernel k -display none ${options}`.trim());
    happen(machine);
    const status = await Promise.race([ended, settled().then(() => 'running')]);
    if (status === 'running') host.signal(15);
    await ended;
    return { status, complaints: host.complaints };
  };
  const shutdown = (machine: FakeMachine) => machine.emit('shutdown', { cause: 'guest-shutdown' });
  const panicked = (machine: FakeMachine) => machine.emit('guest-panicked', panic);
  assert.equal((await after('-S', shutdown)).status, 0);
  assert.equal((await after('-no-shutdown', shutdown)).status, 'running');
  const { status, complaints } = await after('-S', panicked);
  assert.equal(status, 0);
  assert.match(complaints, /CPU 0 is in a disabled wait, PSW 0002000000000000 0000000000000abc\n$/);
  assert.equal((await after('-action panic=exit-failure', panicked)).status, 1);
  assert.equal((await after('-action panic=pause', panicked)).status, 'running');
  assert.equal((await after('-action panic=none', panicked)).status, 'running');
  assert.equal((await after('-no-shutdown', panicked)).status, 'running');
  const failed = await after('-S', machine => machine.emit('internal-error', { error: new Error('oh') }));
  assert.equal(failed.status, 1);
  assert.match(failed.complaints, /lpar: internal error: Error: oh/);
});

test('logs', async () => {
  const { configuration, host, ended } = await start('-kernel k -d unimp -D log-%d');
  configuration.log.write('unimp', 'SIGA is not implemented\n');
  configuration.log.write('int', 'an interruption\n');
  assert.equal(host.files.get('log-4711'), 'SIGA is not implemented\n');
  host.signal(1);
  await ended;
});

/** A machine that is held back, and its monitor for programs on the terminal. */
async function managed(line: string) {
  const { host, ended } = await start(`-S -nodefaults -display none -kernel k -qmp stdio ${line}`);
  const ask = async (execute: string, given: object = {}): Promise<unknown> => {
    const before = host.shown.length;
    host.type(JSON.stringify({ execute, arguments: given }));
    await settled();
    const answers = host.shown.slice(before).split('\r\n').filter(Boolean);
    const answer = answers.map(text => JSON.parse(text)).find(each => 'return' in each || 'error' in each);
    return answer.return ?? answer.error.desc;
  };
  const human = (line: string) => ask('human-monitor-command', { 'command-line': line });
  await ask('qmp_capabilities');
  return { host, ended, ask, human };
}

test('objects come and go', async () => {
  const { ask, human } = await managed('-object rng-builtin,id=r0');
  const twice = "attempt to add duplicate property 'o' to object (type 'container')";
  assert.deepEqual(await ask('object-add', { 'qom-type': 'rng-random', id: 'o', filename: '/dev/random' }), {});
  assert.equal(await ask('object-add', { 'qom-type': 'rng-builtin', id: 'o' }), twice);
  assert.equal(
    await ask('object-add', { 'qom-type': 'foo', id: 'p' }),
    "Parameter 'qom-type' does not accept value 'foo'",
  );
  assert.equal(
    await human('info qom-tree /objects'),
    '/objects (container)\r\n  /o (rng-random)\r\n  /r0 (rng-builtin)\r\n',
  );
  assert.deepEqual(await ask('device_add', { driver: 'virtio-rng-ccw', id: 'd', rng: 'o' }), {});
  assert.equal(await ask('object-del', { id: 'o' }), "object 'o' is in use, can not be deleted");
  assert.deepEqual(await ask('device_del', { id: 'd' }), {});
  assert.equal(await human('object_del o'), '');
  assert.equal(await human('object_del o'), "Error: object 'o' not found\r\n");
  assert.equal(await human('object_add rng-builtin,id=o'), '');
  assert.deepEqual(await ask('qom-list', { path: '/objects' }), [
    { name: 'type', type: 'string' },
    { name: 'r0', type: 'child<rng-builtin>' },
    { name: 'o', type: 'child<rng-builtin>' },
  ]);
});

test('character devices come and go', async () => {
  const { ask, human, host } = await managed('-chardev null,id=c0');
  const labels = async () => ((await ask('query-chardev')) as { label: string }[]).map(({ label }) => label);
  assert.deepEqual(await ask('chardev-add', { id: 'c1', backend: { type: 'file', data: { out: 'out' } } }), {});
  assert.deepEqual(await labels(), ['c0', 'compat_monitor0', 'c1']);
  assert.equal(host.files.get('out'), '');
  assert.equal(await human('chardev-add null,id=c0'), "Error: Duplicate ID 'c0' for chardev\r\n");
  assert.equal(await human('chardev-add foo,id=c2'), "Error: 'foo' is not a valid char driver name\r\n");
  assert.equal(await human('chardev-add stdio,id=c2'), 'Error: cannot use stdio by multiple character devices\r\n');
  const addr = { type: 'inet', data: { host: 'h', port: '1' } };
  const refused = "Failed to listen on 'h:1': Address already in use";
  assert.equal(
    await ask('chardev-add', { id: 'c2', backend: { type: 'socket', data: { addr, tn3270: true } } }),
    refused,
  );
  assert.equal(
    await ask('chardev-add', { id: 'c2', backend: { type: 'socket', data: { addr: { type: 'unix', data: {} } } } }),
    "Parameter 'backend.data.addr.data.path' is missing",
  );
  assert.equal(await human('chardev-add null,id=c2'), '');
  for (const id of ['c0', 'c1', 'c2']) assert.deepEqual(await ask('chardev-remove', { id }), {});
  assert.equal(await human('chardev-remove c0'), "Error: Chardev 'c0' not found\r\n");
  assert.equal(await human('chardev-remove compat_monitor0'), "Error: Chardev 'compat_monitor0' is busy\r\n");
});

test('properties are not changed, and types are listed', async () => {
  const { ask, human } = await managed('-object rng-builtin,id=o');
  await ask('device_add', { driver: 'virtio-rng-ccw', id: 'r0' });
  const path = '/machine/peripheral/r0';
  for (const [line, error] of [
    [
      `${path} max-bytes 5`,
      "Attempt to set property 'max-bytes' on device 'r0' (type 'virtio-rng-ccw') after it was realized",
    ],
    [`${path} foo 5`, "Property 'virtio-rng-ccw.foo' not found"],
    ['/machine foo 5', "Property 's390-ccw-virtio-machine.foo' not found"],
    ['/machine type 5', "Property 's390-ccw-virtio-machine.type' is not writable"],
    ['/nope foo 5', "Device '/nope' not found"],
    ['/objects/o filename x', "Property 'rng-builtin.filename' not found"],
  ]) {
    assert.equal(await human(`qom-set ${line}`), `Error: ${error}\r\n`);
  }
  const names = async (given: object) =>
    ((await ask('qom-list-types', given)) as { name: string }[]).map(({ name }) => name);
  assert.ok((await names({ implements: 'device' })).includes('x-terminal3270'));
  assert.deepEqual((await names({ implements: 'user-creatable' })).slice(0, 2), ['authz-list', 'authz-list-file']);
  assert.ok((await names({ implements: 's390x-cpu' })).includes('z14-s390x-cpu'));
  assert.deepEqual(await names({ implements: 'foo' }), []);
});

test('drives and virtio devices are shown', async () => {
  const { ask, human } = await managed('-drive file=/x,format=raw,if=none,id=d0,readonly=on -drive if=none,id=d1');
  await ask('device_add', { driver: 'virtio-blk-ccw', drive: 'd0' });
  await ask('device_add', { driver: 'virtio-rng-ccw', id: 'r0' });
  assert.equal(
    await human('info block'),
    [
      'd0: /x (raw, read-only)',
      '    Attached to:      /machine/peripheral-anon/device[0]/virtio-backend',
      '    Cache mode:       writeback',
      '',
      'd1: [not inserted]',
      '    Removable device: not locked, tray closed',
      '',
    ].join('\r\n'),
  );
  assert.equal(
    await human('info virtio'),
    '/machine/peripheral/r0/virtio-backend [virtio-rng]\r\n/machine/peripheral-anon/device[0]/virtio-backend [virtio-blk]\r\n',
  );
});
