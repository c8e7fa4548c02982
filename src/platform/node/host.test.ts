import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ChardevEvent } from '../../chardev/chardev.ts';
import { SocketBackend, type SocketOptions } from '../../chardev/socket.ts';
import type { SocketAddress } from '../host.ts';
import { nodeHost } from './host.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lpar-host-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** A socket device, and what it has received. */
function device(t: TestContext, address: SocketAddress, options: Partial<SocketOptions> = {}) {
  const backend = new SocketBackend('test', nodeHost, {
    kind: 'socket',
    address,
    server: false,
    wait: false,
    telnet: false,
    tn3270: false,
    nodelay: true,
    reconnect: 0,
    ...options,
  });
  t.after(() => backend.close());
  const seen = { text: '', events: [] as ChardevEvent[], room: Number.POSITIVE_INFINITY };
  let changed = (): void => {};
  backend.attach({
    room: () => seen.room,
    receive: data => {
      seen.text += new TextDecoder().decode(data);
      seen.room -= data.length;
      changed();
    },
    event: event => {
      seen.events.push(event);
      changed();
    },
  });
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      await new Promise<void>(resolve => {
        changed = resolve;
      });
    }
  };
  const say = (text: string) => backend.write(new TextEncoder().encode(text));
  return { backend, seen, until, say };
}

/** The port of a server device. */
const portOf = (description: string) => Number(/:(\d+),server=on/.exec(description)![1]);
const local = (port: number): SocketAddress => ({ kind: 'tcp', host: '127.0.0.1', port });

test('files', t => {
  const path = join(folder(t), 'log');
  const file = nodeHost.openFile(path, false);
  file.write(new TextEncoder().encode('one\n'));
  file.close();
  const again = nodeHost.openFile(path, true);
  again.write(new TextEncoder().encode('two\n'));
  again.close();
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
  assert.equal(new TextDecoder().decode(nodeHost.readFile(path)), 'one\ntwo\n');
  assert.throws(() => nodeHost.readFile(`${path}.no`), { message: 'No such file or directory' });
  assert.throws(() => nodeHost.openFile(`${path}/no`, false), { message: 'Not a directory' });
});

for (const kind of ['tcp', 'unix'] as const) {
  test(`a conversation over ${kind}`, async t => {
    const address = kind === 'tcp' ? local(0) : { kind, path: join(folder(t), 'socket') };
    const server = device(t, address, { server: true });
    await server.backend.open(() => {});
    assert.match(server.backend.description, /^disconnected:(tcp:127\.0\.0\.1:\d+|unix:.*),server=on$/);
    const client = device(t, kind === 'tcp' ? local(portOf(server.backend.description)) : address);
    await client.backend.open(() => {});
    await server.until(() => server.backend.isOpen);
    client.say('question');
    await server.until(() => server.seen.text === 'question');
    server.say('answer');
    await client.until(() => client.seen.text === 'answer');

    // The next client waits until this one has gone.
    const next = device(t, kind === 'tcp' ? local(portOf(server.backend.description)) : address);
    await next.backend.open(() => {});
    next.say('next');
    client.backend.close();
    await server.until(() => server.seen.text === 'questionnext');
    assert.deepEqual(server.seen.events, ['open', 'close', 'open']);
  });
}

test('clients wait in turn, but not without end; one that is disconnected gets what was written', async t => {
  const server = device(t, local(0), { server: true });
  await server.backend.open(() => {});
  const port = portOf(server.backend.description);
  const clients = Array.from({ length: 11 }, () => device(t, local(port)));
  for (const { backend } of clients) await backend.open(() => {});
  await server.until(() => server.backend.isOpen);
  // One is served, eight wait.
  await Promise.all(clients.slice(9).map(({ until, seen }) => until(() => seen.events.includes('close'))));
  server.say('go');
  server.backend.disconnect();
  await clients[0]!.until(() => clients[0]!.seen.events.includes('close'));
  assert.equal(clients[0]!.seen.text, 'go');
  assert.deepEqual(server.seen.events, ['open', 'close', 'open']);
  clients[1]!.say('second');
  await server.until(() => server.seen.text === 'second');
});

test('input waits for room', async t => {
  const server = device(t, local(0), { server: true });
  await server.backend.open(() => {});
  const client = device(t, local(portOf(server.backend.description)));
  await client.backend.open(() => {});
  server.seen.room = 3;
  client.say('abcdef');
  await server.until(() => server.seen.text === 'abc');
  server.seen.room = 10;
  server.backend.inputWanted();
  assert.equal(server.seen.text, 'abcdef');
});

test('opening waits for a client', async t => {
  const server = device(t, local(0), { server: true, wait: true });
  let where = '';
  const opened = server.backend.open(text => {
    where = text;
  });
  while (where === '') await new Promise(resolve => setTimeout(resolve, 5));
  const client = device(t, local(portOf(where)));
  await client.backend.open(() => {});
  await opened;
  assert.equal(server.backend.isOpen, true);
});

test('what cannot be opened', async t => {
  const server = device(t, local(0), { server: true });
  await server.backend.open(() => {});
  const port = portOf(server.backend.description);
  await assert.rejects(
    device(t, local(port), { server: true }).backend.open(() => {}),
    {
      message: `Failed to listen on '127.0.0.1:${port}': Address already in use`,
    },
  );
  server.backend.close();
  await new Promise(resolve => setTimeout(resolve, 20));
  await assert.rejects(
    device(t, local(port)).backend.open(() => {}),
    {
      message: `Failed to connect to '127.0.0.1:${port}': Connection refused`,
    },
  );
  const path = join(folder(t), 'no', 'socket');
  await assert.rejects(
    device(t, { kind: 'unix', path }, { server: true }).backend.open(() => {}),
    {
      message: `Failed to listen on '${path}': No such file or directory`,
    },
  );
});
