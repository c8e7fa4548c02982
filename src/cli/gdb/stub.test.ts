import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeChardev, FakeMachine, settled } from '../testing.ts';
import { registers, targetDescription } from './registers.ts';
import { GdbStub } from './stub.ts';

const packet = (text: string) => {
  const sum = [...text].reduce((total, character) => (total + character.charCodeAt(0)) & 0xff, 0);
  return `$${text}#${sum.toString(16).padStart(2, '0')}`;
};

function setUp() {
  const machine = new FakeMachine();
  const chardev = new FakeChardev();
  const commands: string[] = [];
  const stub = new GdbStub(chardev, {
    machine,
    command: async (line, print) => {
      commands.push(line);
      print('done\n');
    },
    kill: () => void machine.calls.push('killed'),
  });
  /** Sends a packet; gives the contents of the answers. */
  const ask = async (text: string): Promise<string> => {
    chardev.take();
    chardev.type(packet(text));
    await settled();
    return answers(chardev.take());
  };
  return { machine, chardev, stub, commands, ask };
}

function answers(sent: string): string {
  const found = [...sent.matchAll(/\$([^#]*)#(..)/g)];
  for (const [whole, text] of found) assert.equal(whole, packet(text!));
  return found.map(([, text]) => text).join(' ');
}

test('packets are acknowledged, and asked for again when broken', async () => {
  const { chardev } = setUp();
  chardev.type('$?#00');
  assert.equal(chardev.take(), '-');
  chardev.type(packet('?'));
  assert.equal(chardev.take()[0], '+');
  await settled();
  const answer = chardev.take();
  assert.equal(answer, packet('T05thread:p01.01;'));
  chardev.type('-');
  assert.equal(chardev.take(), answer);
  chardev.type(packet('QStartNoAckMode'));
  await settled();
  chardev.take();
  chardev.type(packet('qC'));
  await settled();
  assert.equal(chardev.take(), packet('QCp01.01'));
});

test('questions', async () => {
  const { ask, commands } = setUp();
  assert.match(await ask('qSupported:multiprocess+;swbreak+'), /PacketSize=4000;qXfer:features:read\+/);
  assert.equal(await ask('vCont?'), 'vCont;c;C;s;S');
  assert.equal(await ask('qfThreadInfo'), 'mp01.01');
  assert.equal(await ask('qsThreadInfo'), 'l');
  assert.equal(await ask('Hgp1.1'), 'OK');
  assert.equal(await ask('Hc-1'), 'OK');
  assert.equal(await ask('Tp1.5'), 'E22');
  assert.equal(await ask('qAttached'), '1');
  assert.equal(await ask('qTStatus'), '');
  assert.equal(await ask('vMustReplyEmpty'), '');
  assert.equal(await ask('qRcmd,68'), `O${'646f6e650a'} OK`);
  assert.deepEqual(commands, ['h']);
  assert.equal(await ask('qXfer:features:read:nope.xml:0,100'), 'E00');
});

test('the target description comes in pieces', async () => {
  const { ask } = setUp();
  let text = '';
  for (;;) {
    const piece = await ask(`qXfer:features:read:target.xml:${text.length.toString(16)},400`);
    text += piece.slice(1);
    if (piece[0] === 'l') break;
    assert.equal(piece[0], 'm');
  }
  assert.equal(text, targetDescription);
  assert.equal(text.match(/<reg /g)!.length, registers.length);
});

test('registers', async () => {
  const { ask, machine } = setUp();
  const cpu = machine.cpus[0]!.registers;
  assert.equal(await ask('p0'), '0000000180000000');
  assert.equal(await ask('p1'), '0000000000010000');
  assert.equal(await ask('P11=00000000deadbeef'), 'OK');
  assert.equal(cpu.gr(15), 0xdeadbeefn);
  assert.deepEqual(
    machine.calls.filter(call => call === 'changed'),
    ['changed'],
  );
  assert.equal(await ask('P12=00000007'), 'OK');
  assert.equal(cpu.ar(0), 7);
  assert.equal(await ask('p12'), '00000007');
  // Vector registers: the right half of the first, the whole of the seventeenth.
  assert.equal(await ask('P33=0123456789abcdef'), 'OK');
  assert.equal(await ask(`P43=${'0123456789abcdef'.repeat(2)}`), 'OK');
  assert.deepEqual([cpu.vr(0), cpu.vr(16)], [0x0123456789abcdefn, 0x0123456789abcdef0123456789abcdefn]);
  assert.equal(await ask('p43'), '0123456789abcdef'.repeat(2));
  const all = await ask('g');
  assert.equal(
    all.length,
    registers.reduce((sum, { bits }) => sum + bits / 4, 0),
  );
  assert.equal(await ask(`G${all.replace('00000000deadbeef', '00000000cafecafe')}`), 'OK');
  assert.equal(cpu.gr(15), 0xcafecafen);
  assert.equal(await ask('P0=0000300180000000'), 'OK');
  assert.equal(cpu.cc, 3);
  assert.equal(await ask('pff'), 'E22');
});

test('storage', async () => {
  const { ask, machine } = setUp();
  assert.equal(await ask('M100,4:01020304'), 'OK');
  assert.equal(await ask('m100,4'), '01020304');
  assert.equal(await ask('X200,3:\x7d\x03\x7d\x04\x7d\x5d'), 'OK');
  assert.deepEqual([...machine.storage.read(0x200, 3)], [0x23, 0x24, 0x7d]);
  assert.equal(await ask('m100000,1'), 'E14');
  assert.equal(await ask('mzz'), 'E22');
  assert.equal(await ask('Qqemu.PhyMemMode:1'), 'OK');
  assert.equal(await ask('m100,4'), '01020304');
  assert.equal(await ask('qqemu.PhyMemMode'), '1');
});

test('going on, breakpoints and Ctrl-C', async () => {
  const { ask, machine, chardev } = setUp();
  assert.equal(await ask('Z0,10100,2'), 'OK');
  assert.equal(await ask('Z1,10200,2'), 'OK');
  assert.deepEqual([...machine.breakpoints], [0x10100n, 0x10200n]);
  assert.equal(await ask('z1,10200,2'), 'OK');
  assert.deepEqual([...machine.breakpoints], [0x10100n]);
  assert.equal(await ask('Z3,0,4'), '');
  assert.equal(await ask('s'), 'T05thread:p01.01;');
  assert.equal(machine.cpus[0]!.registers.pswAddress, 0x10002n);
  assert.equal(await ask('vCont;s:p1.1;c'), 'T05thread:p01.01;');
  assert.equal(await ask('vCont;c'), '');
  assert.equal(machine.status, 'running');
  machine.stopAs('debug');
  assert.equal(chardev.take(), '');
  machine.emit('debug', { cpu: 0 });
  assert.equal(answers(chardev.take()), 'T05thread:p01.01;');
  assert.equal(await ask('c'), '');
  chardev.type('\x03');
  await settled();
  assert.equal(answers(chardev.take()), 'T02thread:p01.01;');
  assert.equal(await ask('c'), '');
  machine.stopAs('shutdown');
  assert.equal(answers(chardev.take()), 'T03thread:p01.01;');
  assert.equal(await ask('c'), 'T03thread:p01.01;');
});

test('storage is watched', async () => {
  const { ask, machine, chardev } = setUp();
  let steps = 0;
  machine.onStep = () => {
    if (++steps === 5) machine.storage.write8(0x303, 1);
  };
  assert.equal(await ask('Z2,300,8'), 'OK');
  assert.equal(await ask('vCont;c'), 'T05watch:300;thread:p01.01;');
  assert.equal(steps, 5);
  machine.onStep = () => {
    if (++steps === 9) chardev.type('\x03');
  };
  assert.equal(await ask('c'), 'T02thread:p01.01;');
  assert.equal(steps, 9);
});

test('detaching and killing', async () => {
  const { ask, machine, stub, chardev } = setUp();
  await ask('Z0,10100,2');
  assert.equal(await ask('D;1'), 'OK');
  assert.equal(machine.breakpoints.size, 0);
  assert.equal(machine.status, 'running');
  assert.equal(await ask('vKill;1'), 'OK');
  assert.equal(machine.calls.at(-1), 'killed');
  chardev.take();
  stub.exited(1);
  assert.equal(answers(chardev.take()), 'W01');
});

test('a debugger that comes stops the machine', async () => {
  const { machine, chardev } = setUp();
  machine.cont();
  chardev.happen('close');
  assert.equal(machine.status, 'running');
  chardev.happen('open');
  await settled();
  assert.equal(machine.status, 'paused');
});
