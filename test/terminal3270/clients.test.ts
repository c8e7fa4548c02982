/** Real clients on real sockets, with a guest that echoes what is entered. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadCredentials } from '../../src/chardev/tls-credentials.ts';
import { nodeHost } from '../../src/platform/node/host.ts';
import { BadConnection } from '../support/bad-connection.ts';
import { makeCertificates } from '../support/certificates.ts';
import { have, S3270, X3270 } from '../support/s3270.ts';
import { Terminal } from '../support/terminal.ts';
import { EchoGuest } from './echo-guest.ts';

const skip = have('s3270') ? false : 's3270 is not there';

async function guest(t: TestContext, ...more: ConstructorParameters<typeof EchoGuest>) {
  const one = new EchoGuest(...more);
  const port = await one.start();
  t.after(() => one.stop());
  return { guest: one, port };
}

function client(t: TestContext, ...args: string[]): S3270 {
  const one = new S3270(...args);
  t.after(() => one.end());
  return one;
}

for (const [dialect, prefix] of [
  ['TN3270E', ''],
  ['TN3270', 'N:'],
] as const) {
  test(`s3270 speaks ${dialect}`, { skip }, async t => {
    const { guest: echo, port } = await guest(t);
    const s3270 = client(t, '-model', '3279-4');
    await s3270.connect(`${prefix}127.0.0.1:${port}`);
    // The screen is formatted anew once the guest has the answer to its query: what is entered before that may be lost.
    await s3270.waitFor(/^ size 43x80\n/);
    await s3270.enter('hello');
    await s3270.waitFor(/^0=hello\n/m);
    assert.deepEqual([echo.rows, echo.columns], [43, 80]);
    const said = async (what: string) => (await s3270.do(`Query(${what})`)).join();
    assert.match(await said('ConnectionState'), prefix ? /^connected-3270/ : /^connected-tn3270e/);
    if (!prefix) {
      assert.equal(await said('Tn3270eOptions'), 'BIND-IMAGE RESPONSES SYSREQ');
      assert.equal(await said('LuName'), 'LU0000A');
      assert.equal(await said('BindPluName'), 'LPAR');
    }
    assert.deepEqual(echo.checks, []);
  });
}

test('x3270, in a window', { skip: have('x3270', 'Xvfb') ? false : 'x3270 or Xvfb is not there' }, async t => {
  const { guest: echo, port } = await guest(t);
  // It says which display it has become.
  const server = spawn('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp'], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => server.kill());
  const [display] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string];
  const x3270 = new X3270('-display', `:${display.trim()}`, '-model', '3279-3');
  t.after(() => x3270.end());
  await x3270.connect(`127.0.0.1:${port}`);
  await x3270.waitFor(/^ size 32x80\n/);
  await x3270.enter('from a window');
  await x3270.waitFor(/^0=from a window\n/m);
  assert.deepEqual(echo.lines, ['from a window']);
});

test('c3270, on a terminal', { skip: have('c3270', 'script') ? false : 'c3270 or script is not there' }, async t => {
  const { guest: echo, port } = await guest(t);
  const command = `stty rows 60 cols 90; exec c3270 -model 3279-4 127.0.0.1:${port}`;
  const c3270 = new Terminal(['script', '-qfec', command, '/dev/null'], { ...process.env, TERM: 'xterm' });
  t.after(() => c3270.kill());
  // What changes is written.
  await c3270.waitFor(/size 24x80/, 60);
  await c3270.waitFor(/43/, 60);
  c3270.type('from a terminal\r');
  await c3270.waitFor(/0=from a terminal/, 60);
  assert.deepEqual(echo.lines, ['from a terminal']);
});

test('another client has another size, which the guest is told', { skip }, async t => {
  const { guest: echo, port } = await guest(t);
  const sizes = [];
  for (const [model, line, size] of [
    ['3279-2', 'small', '24x80'],
    ['3279-5', 'wide', '27x132'],
    ['3279-4', 'high', '43x80'],
  ] as const) {
    const s3270 = client(t, '-model', model);
    await s3270.connect(`127.0.0.1:${port}`);
    await s3270.do('Wait(10,InputField)');
    await s3270.enter(line);
    await s3270.waitFor(new RegExp(`=${line}\n`));
    await s3270.waitFor(new RegExp(`^ size ${size}\n`));
    sizes.push([echo.rows, echo.columns]);
    await s3270.disconnect();
  }
  assert.deepEqual(sizes, [
    [24, 80],
    [27, 132],
    [43, 80],
  ]);
  assert.deepEqual(echo.lines, ['small', 'wide', 'high']);
});

test('TLS from the first byte', { skip }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-3270-'));
  t.after(() => rmSync(folder, { recursive: true }));
  makeCertificates(folder);
  const credentials = loadCredentials(nodeHost, { kind: 'x509', server: true, verifyPeer: true, folder, sane: true });
  const { port } = await guest(t, { credentials });
  const own = ['-certfile', join(folder, 'client-cert.pem'), '-keyfile', join(folder, 'client-key.pem')];
  const s3270 = client(t, '-cafile', join(folder, 'ca-cert.pem'), ...own);
  await s3270.connect(`L:localhost:${port}`);
  await s3270.enter('a secret');
  await s3270.waitFor(/^0=a secret\n/m);
  assert.match((await s3270.do('Query(Tls)')).join(), /^secure host-verified/);
});

test('a line that is cut at each of its bytes', { skip }, async t => {
  const { guest: echo, port } = await guest(t);
  const connection = new BadConnection(port);
  t.after(() => connection.close());
  const s3270 = client(t);
  let cut = 0;
  let records: Buffer[] = [];
  connection.script = {
    fromClient: data => {
      records.push(data);
      return [cut];
    },
  };
  await s3270.connect(`127.0.0.1:${await connection.listen()}`);
  await s3270.enter('line 0');
  await s3270.waitFor(/0=line 0\n/);
  const length = Math.max(...records.map(data => data.length));
  for (cut = 1; cut <= length; cut++) {
    records = [];
    await s3270.enter(`line ${cut}`);
    await s3270.waitFor(new RegExp(`^${cut}=line ${cut}\n`, 'm'));
  }
  assert.deepEqual(
    echo.lines,
    Array.from({ length: length + 1 }, (_, n) => `line ${n}`),
  );
});

test('a negotiation that is cut at each of its bytes', { skip }, async t => {
  const { guest: echo, port } = await guest(t);
  const connection = new BadConnection(port);
  t.after(() => connection.close());
  const entry = await connection.listen();
  const s3270 = client(t);
  let said = 0;
  for (const prefix of ['', 'N:']) {
    for (let cut = 1; cut === 1 || cut < said; cut++) {
      connection.script = {
        delay: 2,
        fromClient: (data, at) => {
          said = at + data.length;
          return cut > at && cut < said ? [cut - at] : [];
        },
      };
      await s3270.connect(`${prefix}127.0.0.1:${entry}`);
      await s3270.do('Wait(10,InputField)');
      await s3270.disconnect();
    }
  }
  await s3270.connect(`127.0.0.1:${entry}`);
  await s3270.do('Wait(10,InputField)');
  await s3270.enter('still there');
  await s3270.waitFor(/^0=still there\n/m);
  assert.deepEqual(echo.lines, ['still there']);
});

test('a connection that breaks at each record loses nothing that was acknowledged', { skip }, async t => {
  const { guest: echo, port } = await guest(t);
  const connection = new BadConnection(port);
  t.after(() => connection.close());
  const entry = await connection.listen();
  const s3270 = client(t);
  const acknowledged: string[] = [];
  for (const [direction, prefix] of [
    ['fromClient', ''],
    ['toClient', ''],
    ['fromClient', 'N:'],
    ['toClient', 'N:'],
  ] as const) {
    for (let last = 1; last <= 10; last++) {
      let pieces = 0;
      const broken = new Promise<void>(resolve => {
        connection.broken = resolve;
      });
      // Pieces are records here, or commands of the negotiation.
      connection.script = { [direction]: () => (++pieces > last ? 'break' : []) };
      await s3270.act(`Connect(${prefix}127.0.0.1:${entry})`);
      for (let n = 0; n < 8 && (await s3270.act('Wait(1,InputField)')).ok; n++) {
        const line = `${prefix}${direction} ${last} ${n}`;
        await s3270.act(`String("${line}")`);
        await s3270.act('Enter()');
        const shown = (await s3270.screen()).some(text => text.endsWith(`=${line}`));
        if (shown) acknowledged.push(line);
        if (!(await s3270.connected())) break;
      }
      await s3270.act('Disconnect()');
      await broken;
    }
  }
  connection.script = {};
  await s3270.connect(`127.0.0.1:${entry}`);
  await s3270.do('Wait(10,InputField)');
  await s3270.enter('the end');
  await s3270.waitFor(/=the end\n/);
  // What was not acknowledged may have come or not, but nothing comes twice or in another order.
  assert.ok(acknowledged.length > 4, `${acknowledged.length} lines were acknowledged`);
  assert.deepEqual([...new Set(echo.lines)], echo.lines);
  assert.deepEqual(
    echo.lines.filter(line => acknowledged.includes(line)),
    acknowledged,
  );
});
