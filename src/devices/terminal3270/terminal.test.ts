import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AO, IAC, IP } from '../../chardev/telnet-parser.ts';
import { type ClientOptions, TestClient } from '../../chardev/tn3270/testing.ts';
import { type Ending, Terminal3270 } from './terminal.ts';
import { Wire } from './testing.ts';

const WRITE = 0x01;
const READ_BUFFER = 0x02;
const ERASE_WRITE = 0x05;
const READ_MODIFIED = 0x06;
const STRUCTURED = 0x11;

/** A terminal, its wire, and what has happened in short words. */
function machine(t: TestContext, listens = true) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const wire = new Wire('ch0');
  const seen: string[] = [];
  const guest = { listens };
  const terminal = new Terminal3270(
    { chardev: wire, name: 'LU0000A', application: 'lpar' },
    {
      attention: () => {
        if (guest.listens) seen.push('attention');
        return guest.listens;
      },
      deviceEnd: () => seen.push('device end'),
      client: what => seen.push(what),
    },
  );
  terminal.open();
  t.after(() => terminal.close());
  let client: TestClient | undefined;
  /** Carries bytes both ways until there are no more. */
  const settle = () => {
    for (let data = wire.toClient.shift(); data; data = wire.toClient.shift()) client?.receive(data);
  };
  const attach = (options: ClientOptions = {}) => {
    const one = new TestClient(options, data => wire.fromClient(data));
    client = one;
    wire.come();
    settle();
    return one;
  };
  const detach = () => {
    client = undefined;
    wire.toClient.length = 0;
    wire.go();
  };
  /** How a command ends: `done`, the data of a read, `check SENSE`, or `running`. */
  const command = (code: number, ...data: number[]) => {
    const result = { how: 'running' };
    terminal.command(code, Uint8Array.from(data), ending => {
      result.how = words(ending);
    });
    return result;
  };
  const now = (code: number, ...data: number[]) => {
    const result = command(code, ...data);
    settle();
    return result.how;
  };
  const take = () => seen.splice(0);
  const pass = (ms: number) => t.mock.timers.tick(ms);
  return { terminal, wire, seen, guest, attach, detach, command, now, take, pass, settle };
}

const hex = (data: Iterable<number>) => [...data].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
const words = (ending: Ending) =>
  ending.kind === 'check' ? `check ${ending.sense.toString(16)}` : ending.data ? hex(ending.data) : 'done';

test('without a client every command but no-operation requires intervention', t => {
  const { now, seen } = machine(t);
  for (const code of [0x01, 0x02, 0x05, 0x06, 0x0b, 0x0d, 0x0e, 0x0f, 0x11, 0x1b, 0x2b, 0x3b, 0x4b]) {
    assert.equal(now(code), 'check 40');
  }
  assert.equal(now(0x03), 'done');
  assert.equal(now(0x07), 'check 80');
  assert.deepEqual(seen, []);
});

test('a client makes the terminal ready, which an unsolicited device end tells', t => {
  const { attach, now, take } = machine(t);
  assert.equal(now(ERASE_WRITE, 0xc3), 'check 40');
  const client = attach();
  assert.deepEqual(take(), ['IBM-3278-2 (tn3270)', 'device end']);
  assert.equal(now(ERASE_WRITE, 0xc3), 'done');
  assert.equal(now(0x0d, 0xc3, 0xff), 'done');
  assert.equal(now(0x0f, 1, 2), 'done');
  assert.equal(now(STRUCTURED, 0, 7, 1, 0xff, 3, 0, 0x81), 'done');
  assert.equal(now(0x0b), 'done');
  assert.deepEqual(client.records.map(hex), ['f5 c3', '7e c3 ff', '6f', 'f3 00 07 01 ff 03 00 81']);
});

test('input is announced by attention, and what a read modified gets', t => {
  const { attach, now, take } = machine(t);
  const client = attach();
  take();
  client.enter(0x7d, 0x40, 0x40);
  assert.deepEqual(take(), ['attention']);
  assert.equal(now(READ_MODIFIED), '7d 40 40');
});

test('several records in one buffer are read one after the other, each with its attention', t => {
  const { attach, now, take, pass } = machine(t);
  const client = attach();
  take();
  for (const aid of [0x6d, 0x7d, 0xf1]) client.enter(aid);
  assert.deepEqual(take(), ['attention', 'attention', 'attention']);
  assert.equal(now(READ_MODIFIED), '6d');
  pass(10);
  assert.deepEqual(take(), ['attention']);
  // A guest that has missed it is told again, until it reads.
  pass(1000);
  pass(1000);
  assert.deepEqual(take(), ['attention', 'attention']);
  assert.equal(now(READ_MODIFIED), '7d');
  assert.equal(now(READ_MODIFIED), 'f1');
  pass(5000);
  assert.deepEqual(take(), []);
});

test('input that nobody wants to know of is forgotten', t => {
  const { attach, now, guest } = machine(t, false);
  const client = attach();
  client.enter(0x7d, 1);
  guest.listens = true;
  client.enter(0x6d);
  assert.equal(now(READ_MODIFIED), '6d');
});

test('a read without input asks the terminal', t => {
  const { attach, wire, now, command, settle } = machine(t);
  const client = attach();
  const read = command(READ_MODIFIED);
  settle();
  assert.equal(read.how, 'running');
  assert.deepEqual(client.records.map(hex), ['f6']);
  client.enter(0x60, 0x40, 0x40);
  assert.equal(read.how, '60 40 40');
  const all = command(0x0e);
  settle();
  assert.deepEqual(client.records.map(hex), ['f6', '6e']);
  client.enter(0x60);
  assert.equal(all.how, '60');
  assert.equal(wire.held, 0);
  assert.equal(now(WRITE, 0xc2), 'done');
});

test('read buffer gets the buffer, not what was entered before the terminal met the command', t => {
  const { attach, command, settle, take, now } = machine(t);
  const client = attach();
  take();
  const read = command(READ_BUFFER);
  // On its way before the client sees the timing mark.
  client.enter(0x7d, 0x40, 0x40);
  assert.equal(read.how, 'running');
  settle();
  client.enter(0x60, 0x5d, 0x7f, 0x00);
  assert.equal(read.how, '60 5d 7f 00');
  assert.deepEqual(take(), ['attention']);
  assert.equal(now(READ_MODIFIED), '7d 40 40');
});

test('a client that answers is waited for, and its refusal is unit check', t => {
  const { attach, command, settle, wire } = machine(t);
  const client = attach({ functions: [0, 2, 4] });
  const write = command(WRITE, 0xc3);
  settle();
  assert.equal(write.how, 'running');
  const header = client.records.at(-1)!;
  assert.deepEqual(header.slice(0, 3), [0, 0, 2]);
  const answer = (flag: number, code: number) => {
    const [, , , high, low] = client.records.at(-1)!;
    return Uint8Array.of(2, 0, flag, high!, low!, code, IAC, 0xef);
  };
  wire.fromClient(answer(0, 0));
  assert.equal(write.how, 'done');
  for (const [code, sense] of [
    [0, '80'],
    [1, '40'],
    [2, '1'],
    [3, '40'],
  ] as const) {
    const refused = command(WRITE, 0xc3);
    settle();
    wire.fromClient(answer(1, code));
    assert.equal(refused.how, `check ${sense}`);
  }
});

test('ATTN is PA1, SYS REQ is a test request', t => {
  const { attach, wire, now } = machine(t);
  attach({ functions: [4] });
  wire.fromClient(Uint8Array.of(IAC, IP, IAC, AO));
  assert.equal(now(READ_MODIFIED), '6c');
  assert.equal(now(READ_MODIFIED), '01 6c 61 02');
});

test('when the client goes the guest is told, and told again when another one comes', t => {
  const { attach, detach, now, take } = machine(t);
  attach();
  take();
  detach();
  assert.deepEqual(take(), ['gone', 'device end']);
  assert.equal(now(WRITE, 0xc3), 'check 40');
  attach();
  assert.deepEqual(take().slice(1), ['device end']);
  assert.equal(now(WRITE, 0xc3), 'done');
});

test('a guest that has not noticed the change of clients learns of it by its first command', t => {
  const { attach, detach, now, take } = machine(t);
  attach({ types: ['IBM-3278-2'] });
  detach();
  attach({ types: ['IBM-3278-4'] });
  take();
  assert.equal(now(WRITE, 0xc3), 'check 40');
  assert.deepEqual(take(), ['device end']);
  assert.equal(now(WRITE, 0xc3), 'done');
});

test('input that came whole is there after the client has gone, but not for the next one', t => {
  const { attach, detach, now, take } = machine(t);
  const first = attach();
  first.enter(0x7d, 1);
  first.enter(0x7d, 2);
  detach();
  assert.equal(now(READ_MODIFIED), '7d 01');
  const second = attach();
  second.enter(0x7d, 3);
  take();
  assert.equal(now(WRITE, 0xc3), 'check 40');
  assert.deepEqual(take(), ['device end', 'attention']);
  assert.equal(now(READ_MODIFIED), '7d 03');
});

test('a command that is being carried out when the client goes requires intervention', t => {
  const { attach, detach, command, take } = machine(t);
  attach();
  take();
  const read = command(READ_BUFFER);
  detach();
  assert.equal(read.how, 'check 40');
  assert.deepEqual(take(), ['gone']);
});

test('a command that is cancelled leaves nothing behind', t => {
  const { attach, command, terminal, settle, take, now } = machine(t);
  const client = attach();
  take();
  const read = command(READ_BUFFER);
  terminal.cancel();
  settle();
  // The answer that nobody waits for.
  client.enter(0x60);
  client.enter(0x7d);
  assert.equal(read.how, 'running');
  assert.deepEqual(take(), ['attention']);
  assert.equal(now(READ_MODIFIED), '7d');
});

test('a client that takes nothing holds writes up, for a while', t => {
  const { attach, wire, command, pass, take, now } = machine(t);
  attach();
  take();
  wire.stuck = true;
  const first = command(WRITE, 0xc3);
  assert.equal(first.how, 'running');
  pass(59_000);
  wire.take();
  assert.equal(first.how, 'done');
  wire.stuck = true;
  const second = command(WRITE, 0xc3);
  pass(60_000);
  assert.equal(second.how, 'check 40');
  assert.deepEqual(take(), ['sent away: it does not take what it is sent', 'gone']);
  assert.equal(now(WRITE, 0xc3), 'check 40');
});

test('a client that asks for more and more answers without taking them is not listened to', t => {
  const { attach, wire, pass, take } = machine(t);
  attach();
  take();
  wire.stuck = true;
  for (let n = 0; n < 100; n++) wire.fromClient(Uint8Array.of(IAC, 0xfd, 99));
  assert.equal(wire.toClient.length, 1);
  assert.equal(wire.held, 99 * 3);
  pass(60_000);
  assert.deepEqual(take(), ['sent away: it does not take what it is sent', 'gone', 'device end']);
});

test('a client that enters more than the guest reads has to wait', t => {
  const { attach, wire, now, take } = machine(t);
  const client = attach();
  take();
  for (let n = 0; n < 100; n++) client.enter(0x7d, n);
  assert.ok(wire.held > 0);
  for (let n = 0; n < 100; n++) assert.equal(now(READ_MODIFIED), hex([0x7d, n]));
  assert.equal(wire.held, 0);
  // Long ones as well.
  for (let n = 0; n < 10; n++) client.enter(0x7d, ...new Array(40_000).fill(n));
  assert.ok(wire.held > 0);
});

test('a client whose input is not taken does not keep the terminal, as nobody sees whether it is still there', t => {
  const { attach, pass, wire, now, take } = machine(t);
  const client = attach();
  for (let n = 0; n < 64; n++) client.enter(0x7d, n);
  pass(59_000);
  assert.equal(now(READ_MODIFIED), '7d 00');
  pass(2000);
  assert.ok(wire.isOpen);
  client.enter(0x7d, 64);
  take();
  pass(60_000);
  assert.deepEqual(
    take().filter(what => what !== 'attention'),
    ['sent away: the guest does not take what it sends', 'gone', 'device end'],
  );
  assert.equal(now(READ_MODIFIED), '7d 01');
});

test('whoever does not become a terminal does not keep the place', t => {
  const { attach, pass, wire, take } = machine(t);
  wire.come();
  pass(30_000);
  assert.deepEqual(take(), ['sent away: it has not become a terminal in time']);
  assert.equal(wire.isOpen, false);
  attach({ types: ['XTERM'] });
  assert.deepEqual(take(), ['sent away: it is not a 3270 but XTERM']);
  assert.equal(wire.isOpen, false);
});

test('a silent client is asked every 600 s whether it is there', t => {
  const { attach, pass, settle, wire, take } = machine(t);
  const client = attach();
  take();
  const marks = () => client.heard.filter(word => word === 'DO 6').length;
  const before = marks();
  for (let n = 1; n <= 3; n++) {
    pass(600_000);
    settle();
    assert.equal(marks(), before + n);
  }
  assert.equal(wire.isOpen, true);
  // Now it does not answer.
  pass(600_000);
  wire.toClient.length = 0;
  pass(60_000);
  assert.deepEqual(take(), ['sent away: it does not answer', 'gone', 'device end']);
});

test('a restored machine has lost its client', t => {
  const { terminal, attach, now, take } = machine(t);
  terminal.restore(false);
  assert.deepEqual(take(), []);
  terminal.restore(true);
  assert.deepEqual(take(), ['device end']);
  assert.equal(terminal.occupied, true);
  assert.equal(now(WRITE, 0xc3), 'check 40');
  assert.equal(terminal.occupied, false);
  attach();
  take();
  terminal.restore(false);
  assert.equal(now(WRITE, 0xc3), 'check 40');
  assert.deepEqual(take(), ['device end', 'device end']);
  assert.equal(now(WRITE, 0xc3), 'done');
});
