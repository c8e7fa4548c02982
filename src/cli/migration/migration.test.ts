import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Channel, Inlet, Outlet } from '../../platform/host.ts';
import { HostError } from '../../platform/host.ts';
import { FakeHost, FakeMachine, settled } from '../testing.ts';
import { Migration } from './migration.ts';
import { Snapshots } from './snapshots.ts';
import { parseChannel } from './uri.ts';

/** A host whose channels are in memory: what is written to one can be read from it. */
class ChannelHost extends FakeHost {
  readonly channels = new Map<string, Uint8Array[]>();
  /** Writing breaks. */
  broken = false;

  override async openOutlet(channel?: Channel): Promise<never> {
    const pieces: Uint8Array[] = [];
    const outlet: Outlet = {
      write: async data => {
        if (this.broken) throw new HostError('Broken pipe');
        pieces.push(data);
      },
      end: async () => void this.channels.set(JSON.stringify(channel), pieces),
      abort: () => {},
    };
    return outlet as never;
  }

  override async openInlet(channel?: Channel): Promise<never> {
    const pieces = this.channels.get(JSON.stringify(channel)) ?? [];
    const inlet: Inlet = {
      async *read() {
        yield* pieces;
      },
      close: () => {},
    };
    return inlet as never;
  }
}

function setUp(folder?: string) {
  const host = new ChannelHost();
  const machine = new FakeMachine();
  let failed = false;
  const statuses: string[] = [];
  const migration = new Migration({
    host,
    machine,
    changed: status => void statuses.push(status),
    fail: () => {
      failed = true;
    },
  });
  const snapshots = new Snapshots(host, machine, folder);
  return { host, machine, migration, snapshots, statuses, failed: () => failed };
}

test('where a state goes to', () => {
  assert.deepEqual(parseChannel('tcp:localhost:4444'), { kind: 'tcp', host: 'localhost', port: 4444 });
  assert.deepEqual(parseChannel('tcp:[::1]:4444'), { kind: 'tcp', host: '::1', port: 4444 });
  assert.deepEqual(parseChannel('unix:/tmp/a:b'), { kind: 'unix', path: '/tmp/a:b' });
  assert.deepEqual(parseChannel('exec:gzip -c > x'), { kind: 'exec', command: 'gzip -c > x' });
  assert.deepEqual(parseChannel('fd:7'), { kind: 'fd', descriptor: 7 });
  assert.deepEqual(parseChannel('file:/tmp/x,offset=4k'), { kind: 'file', path: '/tmp/x', offset: 4096 });
  assert.throws(() => parseChannel('foo:bar'), { message: 'unknown migration protocol: foo:bar' });
  assert.throws(() => parseChannel('fd:x'), { message: "File descriptor named 'x' has not been found" });
});

test('snapshots need a place', async () => {
  const { snapshots } = setUp();
  const message = /^no block device can store vmstate for snapshot \(-machine snapshots=DIRECTORY /;
  await assert.rejects(snapshots.save('one'), { message });
  await assert.rejects(snapshots.load('one'), { message });
  assert.throws(() => snapshots.list(), { message });
});

test('a snapshot is taken and loaded while the machine is stopped', async () => {
  const { host, machine, snapshots } = setUp('here');
  assert.equal(snapshots.list(), 'There is no snapshot available.\n');
  machine.cont();
  await snapshots.save('a/b c');
  assert.deepEqual([...host.files.keys()], ['here/a%2Fb%20c.snapshot']);
  assert.deepEqual(machine.calls, ['cont', 'stop', 'save running', 'cont']);
  await snapshots.load('a/b c');
  assert.deepEqual(machine.calls.slice(4), ['stop', 'load saved', 'cont']);
  await assert.rejects(snapshots.load('b'), { message: "Snapshot 'b' does not exist in one or more devices" });
  machine.state = 'bad';
  await snapshots.save('worse');
  await assert.rejects(snapshots.load('worse'), { message: 'it is bad' });
  assert.equal(machine.status, 'running');
  snapshots.remove('a/b c');
  snapshots.remove('was never there');
  assert.deepEqual([...host.files.keys()], ['here/worse.snapshot']);
});

test('from one machine to another', async () => {
  const first = setUp();
  assert.equal(first.migration.report, '');
  first.machine.cont();
  await first.migration.send('unix:there', false);
  assert.equal(first.machine.status, 'postmigrate');
  assert.match(first.migration.report, /^Migration status: completed\ntotal time: \d+ ms\n/);
  assert.deepEqual(first.statuses, ['setup', 'active', 'completed']);

  for (const autostart of [true, false]) {
    const second = setUp();
    second.migration.autostart = autostart;
    for (const [name, pieces] of first.host.channels) second.host.channels.set(name, pieces);
    await second.migration.expect('defer');
    assert.equal(second.machine.status, 'inmigrate');
    await second.migration.receive('unix:there');
    await settled();
    assert.ok(second.machine.calls.includes('load saved'));
    assert.equal(second.machine.status, autostart ? 'running' : 'paused');
    await assert.rejects(second.migration.receive('unix:there'), {
      message: 'The incoming migration has already been started',
    });
  }
});

test('what goes wrong', async () => {
  const { host, machine, migration, failed } = setUp();
  await assert.rejects(migration.receive('unix:x'), { message: "'-incoming' was not specified on the command line" });
  machine.cont();
  host.broken = true;
  await migration.send('exec:false', false);
  assert.equal(machine.status, 'running');
  assert.match(migration.report, /^Migration status: failed \(Broken pipe\)/);
  assert.equal(host.complaints, 'lpar: Broken pipe\n');
  host.complaints = '';
  machine.state = 'bad';
  host.broken = false;
  await migration.send('unix:x', false);
  await migration.expect('unix:x');
  await settled();
  assert.ok(failed());
  assert.equal(host.complaints, 'lpar: it is bad\nlpar: load of migration failed: Invalid argument\n');
});
