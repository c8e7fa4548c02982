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
