import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TraceStates } from '../../machine/trace-events.ts';
import { HostError } from '../../platform/host.ts';
import { TextLog } from '../log.ts';
import { Migration } from '../migration/migration.ts';
import { Snapshots } from '../migration/snapshots.ts';
import { FakeChardev, FakeHost, FakeMachine, settled } from '../testing.ts';
import type { MonitorEnvironment } from './commands.ts';
import { execute, MonitorState } from './commands.ts';
import { Monitor } from './monitor.ts';

function setUp() {
  const machine = new FakeMachine();
  const files = new Map<string, Uint8Array>();
  const log = new TextLog(new Set(), () => {});
  const host = new FakeHost();
  const environment: MonitorEnvironment = {
    machine,
    snapshots: new Snapshots(host, machine, 'snapshots'),
    migration: new Migration({ host, machine, changed: () => {}, fail: () => {} }),
    name: 'test',
    trace: new TraceStates(),
    log,
    processId: 4711,
    chardevs: () => [{ id: 'serial0', description: 'null', inUse: true }],
    writeFile: (path, data) => {
      if (path.startsWith('/nowhere')) throw new HostError('No such file or directory');
      files.set(path, data);
    },
    logTo: () => {},
    debugOn: async () => {},
    addDevice: async description => void machine.calls.push(`device_add ${description}`),
    removeDevice: async id => void machine.calls.push(`device_del ${id}`),
    addChardev: async text => void machine.calls.push(`chardev-add ${text}`),
    removeChardev: id => void machine.calls.push(`chardev-remove ${id}`),
    addObject: text => void machine.calls.push(`object-add ${text}`),
    removeObject: id => void machine.calls.push(`object-del ${id}`),
    userObjects: () => [{ id: 'o', type: 'rng-builtin' }],
    drives: () => [],
    consoles: [{ kind: 'ascii', chardev: 'serial0' }],
    objects: { tree: () => '', list: () => '', get: () => '', set: () => {} },
    sendBreak: id => id === 'serial0',
    quit: () => void machine.calls.push('ended'),
  };
  let out = '';
  const state = new MonitorState(environment, text => void (out += text), []);
  const say = async (line: string) => {
    out = '';
    await execute(line, state);
    return out;
  };
  return { machine, files, log, environment, say };
}

test('storage in every format', async () => {
  const { machine, say } = setUp();
  machine.storage.write(0x10000, [0xa7, 0xf4, 0, 12, 0, 0, 0, 0, 0x53, 0x33, 0x39, 0x30, 0x45, 0x50, 0, 1]);
  machine.storage.write(0x10010, [0xa7, 0xf4, 0, 0xcc, 7, 7, 7, 7]);
  assert.equal(
    await say('x/2c 0x10000'),
    `0000000000010000: '\\xa7' '\\xf4' '\\x00' '\\x0c' '\\x00' '\\x00' '\\x00' '\\x00'\n`,
  );
  assert.equal(
    await say('x/10bc 0x10000'),
    `0000000000010000: '\\xa7' '\\xf4' '\\x00' '\\x0c' '\\x00' '\\x00' '\\x00' '\\x00'\n0000000000010008: 'S' '3'\n`,
  );
  assert.equal(
    await say('x/9xh 65536'),
    '0000000000010000: 0xa7f4 0x000c 0x0000 0x0000 0x5333 0x3930 0x4550 0x0001\n0000000000010010: 0xa7f4\n',
  );
  assert.equal(await say('x/2dw 0x10000'), '0000000000010000: 2817785868          0\n');
  assert.equal(await say('x/2ub 0x10000'), '0000000000010000: 167 244\n');
  assert.equal(await say('x/2ob 0x10000'), '0000000000010000: 0247 0364\n');
  assert.equal(await say('xp/2og 0x10000'), '0000000000010000: 01237640000600000000000 0514631623010524000001\n');
  // The last size holds when none is given.
  assert.equal(await say('xp /2x 0x10000'), '0000000000010000: 0xa7f4000c00000000 0x5333393045500001\n');
  assert.equal(
    await say('x/2i $pc'),
    '0x00010000:  a7f4 000c       j        0x10018\n0x00010004:  0000            .short   0x0000\n',
  );
  assert.equal(await say('x/0x 0'), '');
  assert.equal(await say('x/xw 0x100000'), '0000000000100000: Cannot access memory\n');
  assert.equal(await say('x/zz 0'), `invalid char in format: 'z'\nTry "help x" for more information\n`);
  assert.equal(await say('x/x'), 'unexpected end of expression\nTry "help x" for more information\n');
});

test('expressions', async () => {
  const { machine, say } = setUp();
  machine.cpus[0]!.registers.setGr(3, 0x30n);
  const value = async (text: string) => (await say(`p/d ${text}`)).trimEnd();
  assert.equal(await value('1+2*3'), '7');
  assert.equal(await value('1&3|4^1'), '4');
  assert.equal(await value('3*4/2%5'), '1');
  assert.equal(await value('~0'), '-1');
  assert.equal(await value('(1+2)*-3'), '-9');
  assert.equal(await value('0x10+010+8'), '32');
  assert.equal(await value("'A'"), '65');
  assert.equal(await value('$r3+1'), '49');
  assert.equal(await value('$pc'), '65536');
  for (const [wrong, message] of [
    ['(1+2', "')' expected"],
    ['1/0', 'division by zero'],
    ['$foo', 'unknown register'],
    ['foo', "invalid char 'f' in expression"],
    ["'a", "missing terminating ' character"],
    ['1 2', 'print|p: extraneous characters at the end of line'],
    ['', 'unexpected end of expression'],
  ] as const) {
    assert.equal(await say(`p ${wrong}`), `${message}\nTry "help p" for more information\n`);
  }
  assert.equal(await say('p/c 65'), "'A'\n");
  assert.equal(await say('p/x -5'), '0xfffffffffffffffb\n');
  assert.equal(await say('p/o 8'), '010\n');
  assert.equal(await say('p/u -5'), '18446744073709551611\n');
});

test('what the machine is asked', async () => {
  const { machine, log, files, say } = setUp();
  for (const line of ['cont', 'c', 'stop', 's', 'nmi', 'system_reset', 'system_powerdown', 'quit']) {
    assert.equal(await say(line), '', line);
  }
  assert.deepEqual(machine.calls, ['cont', 'cont', 'stop', 'stop', 'nmi 0', 'reset', 'powerdown', 'ended']);
  machine.status = 'shutdown';
  assert.match(await say('cont'), /Resetting/);
  assert.equal(await say('log unimp,int'), '');
  assert.deepEqual([...log.items], ['unimp', 'int']);
  await say('log none');
  assert.equal(log.items.size, 0);
  machine.storage.write(0, [1, 2, 3]);
  assert.equal(
    await say('memsave 0 3 /f'),
    'invalid char \'f\' in expression\nTry "help memsave" for more information\n',
  );
  assert.equal(await say('memsave 0 3 "f"'), '');
  assert.deepEqual([...files.get('f')!], [1, 2, 3]);
  assert.equal(await say('pmemsave 1 2 "g h"'), '');
  assert.deepEqual([...files.get('g h')!], [2, 3]);
  assert.equal(await say('pmemsave 0 1 "/nowhere"'), 'Error: No such file or directory\n');
  assert.match(await say('memsave 0x100000 16 "x"'), /^Error: Invalid addr 0x0000000000100000\/size 16 specified\n/);
  assert.equal(await say('memsave 0 16'), 'memsave: string expected\nTry "help memsave" for more information\n');
});

test('what is shown', async () => {
  const { machine, say } = setUp();
  machine.cpus[0]!.registers.setPsw(0x0704_3001_8000_0000n, 0x123n);
  const lines = (await say('info registers')).split('\n');
  assert.deepEqual(lines.slice(0, 3), ['', 'CPU#0', 'PSW=mask 0704300180000000 addr 0000000000000123 cc 03']);
  assert.equal(lines[3], 'R00=0000000000000000 R01=0000000000000000 R02=0000000000000000 R03=0000000000000000');
  assert.equal(lines.length, 29);
  assert.equal(await say('info registers 1'), 'CPU#1 not available\n');
  assert.equal(await say('info status'), 'VM status: paused (prelaunch)\n');
  machine.status = 'paused';
  assert.equal(await say('info status'), 'VM status: paused\n');
  assert.equal(await say('info cpus'), '* CPU #0: thread_id=4711\n');
  assert.equal(await say('info name'), 'test\n');
  assert.equal(await say('info uuid'), '00000000-0000-0000-0000-000000000000\n');
  assert.equal(await say('cpu 1'), 'invalid CPU index\n');
  assert.equal(await say('info foo'), "unknown command: 'info foo'\n");
  assert.equal(await say('foo'), "unknown command: 'foo'\n");
  assert.equal(
    await say('info status x'),
    'status: extraneous characters at the end of line\nTry "help info status" for more information\n',
  );
  assert.match(await say('help x'), /^x \/fmt addr -- /);
  assert.match(await say('help info status'), /^info status {2}-- /);
  assert.match(await say('info'), /^info block.*\ninfo chardev.*\ninfo control_program.*\ninfo cpus/);
});

test('a line is edited as it is typed', async () => {
  const { environment, machine } = setUp();
  const chardev = new FakeChardev();
  new Monitor(chardev, environment);
  assert.match(chardev.take(), /monitor - type 'help' for more information\r\n\(qemu\) $/);
  const answer = async (keys: string) => {
    chardev.take();
    chardev.type(keys);
    await settled();
    return chardev.take();
  };
  assert.match(await answer('info nme\x1b[D\x1b[Da\r'), /test\r\n\(qemu\) $/);
  assert.match(await answer('xxinfo name\x01\x04\x1b[3~\r'), /test\r\n\(qemu\) $/);
  assert.match(await answer('\x1b[A\r'), /info name.*\r\ntest/);
  assert.match(await answer('foo bar\x17\x17info na\x09\r'), /test\r\n/);
  assert.match(await answer('rubbish\x15info name\r'), /test\r\n/);
  assert.match(await answer('inf\x7f\x7f\x7f\x09\x15'), /cont {2}cpu {2}/);
  // Two lines at once are carried out in turn.
  assert.match(await answer('stop\ncont\n'), /stop\r\n\(qemu\) cont\r\n\(qemu\) $/);
  assert.deepEqual(machine.calls, ['stop', 'cont']);
});

test('hidden while the console has the terminal', async () => {
  const { environment } = setUp();
  const chardev = new FakeChardev();
  const monitor = new Monitor(chardev, environment);
  chardev.take();
  monitor.event('blur');
  assert.equal(chardev.take(), '\r\n');
  monitor.event('open');
  assert.equal(chardev.take(), '');
  monitor.event('focus');
  assert.match(chardev.take(), /monitor - type.*\r\n\(qemu\) $/);
});

test('a CPU is added, and what the system told of itself is shown', async () => {
  const { machine, say } = setUp();
  assert.equal(await say('device_add qemu-s390x-cpu,core-id=1'), '');
  assert.deepEqual(machine.calls, ['device_add qemu-s390x-cpu,core-id=1']);
  assert.equal(await say('info control_program'), '');
  const identification = { systemType: 'LINUX', systemName: 'GUEST', sysplexName: '', systemLevel: 0x60c6bn };
  machine.controlProgram = { identification, codes: { name: 4, version: 1n } };
  assert.match(
    await say('info control_program'),
    /system name: GUEST\n.*\nsystem level: 0x0000000000060c6b\nname code: 4\n/,
  );
  assert.equal(await say('watchdog_action none'), '');
  assert.equal(machine.actions.watchdog, 'none');
});
