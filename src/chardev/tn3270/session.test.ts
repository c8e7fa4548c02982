import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEbcdic } from '../../ebcdic.ts';
import { AO, AYT, BRK, IAC, IP, NOP, option, record, subnegotiation, WONT } from '../telnet-parser.ts';
import { type Client, Tn3270Session } from './session.ts';
import { type ClientOptions, TestClient } from './testing.ts';

/** A session and its client, with the stream to the server cut into pieces of `piece` bytes. */
function connection(options: ClientOptions, piece = Number.POSITIVE_INFINITY) {
  const seen: string[] = [];
  const queue: Uint8Array[] = [];
  let ready: Client | undefined;
  const session = new Tn3270Session(
    { name: 'LU0000A', application: 'lpar' },
    {
      send: data => client.receive(data),
      ready: client => {
        ready = client;
        seen.push('ready');
      },
      record: data => seen.push(`record ${[...data].map(byte => byte.toString(16)).join(' ')}`),
      response: (sequence, refusal) => seen.push(`response ${sequence} ${refusal ?? 'done'}`),
      key: key => seen.push(key),
      marked: () => seen.push('marked'),
      failed: reason => seen.push(`failed: ${reason}`),
    },
  );
  const send = (data: Uint8Array) => {
    for (let at = 0; at < data.length; at += piece) queue.push(data.slice(at, at + piece));
  };
  const client = new TestClient(options, send);
  const settle = () => {
    for (let next = queue.shift(); next; next = queue.shift()) session.receive(next);
    client.end();
  };
  session.start();
  settle();
  return { session, client, seen, send, settle, ready };
}

test('a client of RFC 1576 is asked for its type, then for binary records', () => {
  const { client, ready } = connection({ types: ['IBM-3279-3-E'] });
  assert.deepEqual(client.heard, ['DO 40', 'DO 24', 'SB 24 1', 'DO 25', 'WILL 25', 'DO 0', 'WILL 0']);
  assert.deepEqual(ready, { dialect: 'tn3270', type: 'IBM-3279-3-E', responds: false });
});

test('a client of RFC 2355 gets the name of the terminal and the functions that both have', () => {
  const { client, ready } = connection({ types: ['IBM-3278-4-E'], functions: [0, 2, 4] });
  const assigned = [...'IBM-3278-4-E'].map(c => c.charCodeAt(0));
  const name = [...'LU0000A'].map(c => c.charCodeAt(0));
  assert.deepEqual(client.heard, [
    'DO 40',
    'SB 40 8 2',
    `SB 40 2 4 ${[...assigned, 1, ...name].join(' ')}`,
    'SB 40 3 4 0 2 4',
  ]);
  assert.deepEqual(ready, { dialect: 'tn3270e', type: 'IBM-3278-4-E', responds: true });
});

test('a BIND image tells the sizes of the screen and who is bound to', () => {
  const sizes = (type: string) => {
    const [bind] = connection({ types: [type], functions: [0] }).client.records;
    assert.deepEqual(bind!.slice(0, 5), [3, 0, 0, 0, 0]);
    assert.deepEqual(bind!.slice(5 + 27), [4, ...toEbcdic(new TextEncoder().encode('LPAR')), 0]);
    return bind!.slice(5 + 20, 5 + 25);
  };
  assert.deepEqual(sizes('IBM-3278-2-E'), [24, 80, 24, 80, 0x7f]);
  assert.deepEqual(sizes('IBM-3279-5-E'), [24, 80, 27, 132, 0x7f]);
  assert.deepEqual(sizes('IBM-DYNAMIC'), [0, 0, 0, 0, 0x03]);
});

test('functions that a terminal has not are taken out, and agreed on in a second round', () => {
  const { client, seen } = connection({ functions: [1, 2, 3, 5] });
  assert.deepEqual(client.heard.slice(-1), ['SB 40 3 7 2']);
  assert.deepEqual(seen, ['ready']);
});

test('a client may ask for the terminal by its name', () => {
  assert.deepEqual(connection({ functions: [], name: 'lu0000a' }).seen, ['ready']);
  assert.deepEqual(connection({ types: ['IBM-3278-2@OTHER', 'IBM-3278-2@LU0000A'] }).seen, ['ready']);
  // Rejected for its name (3), it falls back to RFC 1576.
  const other = connection({ functions: [], name: 'OTHER' });
  assert.ok(other.client.heard.includes('SB 40 2 6 5 3'));
  const stubborn = connection({ types: ['IBM-3278-2@OTHER'] });
  assert.deepEqual(stubborn.seen, ['failed: the terminal here is LU0000A']);
});

test('printers and association with them are rejected', () => {
  const printer = connection({ types: ['IBM-3287-1', 'IBM-3278-2'], functions: [] });
  assert.ok(printer.client.heard.includes('SB 40 2 6 5 4'));
  const { session, client } = connection({ functions: [2] }, 1);
  assert.equal(session.client?.dialect, 'tn3270e');
  assert.ok(client.extended);
});

test('whoever is not a 3270 is told so in words', () => {
  const xterm = connection({ types: ['XTERM', 'VT100'] });
  assert.deepEqual(xterm.seen, ['failed: it is not a 3270 but VT100']);
  assert.match(
    xterm.client.text,
    /^lpar: this is a 3270 terminal, for a TN3270 client: it is not a 3270 but VT100\r\n$/,
  );
  assert.deepEqual(connection({ refuses: [24] }).seen, ['failed: it does not tell its terminal type']);
  for (const refuses of [[0], [25]]) {
    assert.deepEqual(connection({ refuses }).seen, ['failed: it does not send binary records']);
  }
});

test('records and negotiations arrive alike wherever the stream is cut', () => {
  for (const functions of [undefined, [0, 2, 4]]) {
    for (const piece of [1, 2, 3, 5, 7, 1000]) {
      const { client, seen, send, settle } = connection({ functions }, piece);
      client.enter(0x7d, 0x40, 0xff, 0x11, 0xff, 0xff);
      // Several in one buffer.
      client.enter(0x6d);
      client.enter(0x7d, 0x41, 0x42, IAC);
      send(Uint8Array.of(IAC, IP));
      settle();
      assert.deepEqual(seen, ['ready', 'record 7d 40 ff 11 ff ff', 'record 6d', 'record 7d 41 42 ff', 'attention']);
    }
  }
});

test('commands are records, with a number where responses are wanted', () => {
  const basic = connection({});
  basic.session.command(0xf5, Uint8Array.of(0xc3, IAC));
  assert.deepEqual(basic.client.records, [[0xf5, 0xc3, 0xff]]);

  const { session, client, seen, settle, send } = connection({ functions: [2], responds: true });
  assert.equal(session.command(0xf1, Uint8Array.of(0xc3)), 0);
  assert.equal(session.command(0xf3, Uint8Array.of(0x00)), 1);
  assert.deepEqual(client.records, [
    [0, 0, 2, 0, 0, 0xf1, 0xc3],
    [0, 0, 2, 0, 1, 0xf3, 0x00],
  ]);
  settle();
  send(record(Uint8Array.of(2, 0, 1, 0x12, 0x34, 2)));
  send(record(Uint8Array.of(2, 0, 1, 0x12, 0x35, 77)));
  settle();
  const refused = ['response 4660 operation-check', 'response 4661 operation-check'];
  assert.deepEqual(seen, ['ready', 'response 0 done', 'response 1 done', ...refused]);
});

test('a sequence number has 15 bits', () => {
  const { session } = connection({ functions: [] });
  for (let n = 0; n < 0x8000; n++) session.command(0xf1, new Uint8Array(0));
  assert.equal(session.command(0xf1, new Uint8Array(0)), 0);
});

test('keys that are telnet commands', () => {
  const { send, settle, seen, client } = connection({ functions: [4] });
  send(Uint8Array.of(IAC, AO, IAC, IP, IAC, BRK, IAC, AYT, IAC, NOP));
  settle();
  assert.deepEqual(seen, ['ready', 'system-request', 'attention', 'attention']);
  assert.deepEqual(client.text, '');
  // SYS REQ is a function that has to be agreed on.
  const without = connection({ functions: [] });
  without.send(Uint8Array.of(IAC, AO));
  without.settle();
  assert.deepEqual(without.seen, ['ready']);
});

test('what is meant for a network is answered, so that the keyboard is not locked for ever', () => {
  const { client, send, settle } = connection({ functions: [4] });
  send(record(Uint8Array.of(7, 0, 0, 0, 0, 0xc1)));
  settle();
  assert.deepEqual(client.records[0]!.slice(0, 5), [7, 0, 0, 0, 0]);
});

test('a timing mark is answered either way, and asked for', () => {
  const { session, settle, seen, client, send } = connection({});
  session.timingMark();
  settle();
  send(option(0xfd, 6));
  settle();
  assert.deepEqual(seen, ['ready', 'marked']);
  assert.equal(client.heard.at(-1), 'WILL 6');
});

test('a client that leaves its mode is of no more use', () => {
  const basic = connection({});
  basic.send(option(WONT, 0));
  basic.settle();
  assert.deepEqual(basic.seen, ['ready', 'failed: it does not send binary records']);
  const extended = connection({ functions: [] });
  extended.send(option(WONT, 40));
  extended.settle();
  assert.deepEqual(extended.seen, ['ready', 'failed: it has left TN3270E']);
});

test('nothing that a client sends is kept without end', () => {
  const { seen, send, settle } = connection({});
  for (let n = 0; n < 70; n++) send(new Uint8Array(1000));
  settle();
  assert.deepEqual(seen, ['ready', 'failed: a record is longer than 65535 bytes']);

  const chatter = connection({ functions: [], types: ['IBM-3278-2'] }, 1);
  const silent = new Tn3270Session(
    { name: 'LU0000A', application: 'lpar' },
    {
      ...{ send: () => {}, ready: () => {}, record: () => {}, response: () => {}, key: () => {}, marked: () => {} },
      failed: reason => chatter.seen.push(reason),
    },
  );
  silent.start();
  silent.receive(option(0xfb, 40));
  for (let n = 0; n < 20; n++) silent.receive(subnegotiation(40, 2, 7, ...new Array(600).fill(65)));
  assert.equal(chatter.seen.at(-1), 'it does not come to an end with its TN3270E functions');
});
