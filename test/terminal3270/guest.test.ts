/**
 * 3270 devices, sentence by sentence of QEMU's document about them (docs/system/s390x/3270.rst): Debian's kernel, s390-tools
 * and s3270. What the document says is not supported is tested too.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { debEntries } from '../../guest/deb.ts';
import { commandLine, debianKernel } from '../../guest/image.ts';
import { record } from '../../src/chardev/telnet-parser.ts';
import { TestClient } from '../../src/chardev/tn3270/testing.ts';
import { makeCertificates } from '../support/certificates.ts';
import { guestWithTools } from '../support/guest.ts';
import { attach, freePort, have, logIn, S3270, terminalOptions } from '../support/s3270.ts';
import { emulator, Terminal } from '../support/terminal.ts';

const skip = have('s3270') ? false : 's3270 is not there';

async function start(append: string, ...more: string[]): Promise<Terminal> {
  const { kernel, initrd } = await guestWithTools();
  const machine = ['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M'];
  return new Terminal([...emulator(), ...machine, '-kernel', kernel, '-initrd', initrd, '-append', append, ...more]);
}

function client(t: TestContext, ...options: string[]): S3270 {
  const one = new S3270(...options);
  t.after(() => one.end());
  return one;
}

test("3270 support is enabled in the guest's kernel: CONFIG_TN3270, which nowadays has the ttys, and CONFIG_TN3270_CONSOLE", async () => {
  for await (const { type, data } of debEntries(await debianKernel(), path => /^boot\/config-/.test(path))) {
    if (type !== 'file' || !data) continue;
    const lines = new TextDecoder().decode(data).split('\n');
    const wanted = ['CONFIG_TN3270=y', 'CONFIG_TN3270_CONSOLE=y', 'CONFIG_TN3270_FS=m'];
    assert.deepEqual(
      wanted.filter(line => !lines.includes(line)),
      [],
    );
    return;
  }
  assert.fail('the package has no configuration');
});

describe('additional terminals', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-3270-'));
  let guest: Terminal;
  const ports: number[] = [];
  /** The first attaches when the device is enabled already, the others wait for it. */
  const models = ['3279-2', '3279-4', '3279-5'];

  before(async () => {
    makeCertificates(folder);
    for (const _ of models) ports.push(await freePort());
    guest = await start(
      `${commandLine} quiet`,
      ...['-object', `tls-creds-x509,id=tls0,dir=${folder},endpoint=server,verify-peer=off`],
      ...ports.flatMap((port, n) => terminalOptions(10 + n, port, n === 2 ? ',tls-creds=tls0' : '')),
    );
    await guest.waitFor(/is up/, 300);
    await guest.waitFor(guest.prompt, 60);
  });

  after(async () => {
    await guest?.kill();
    rmSync(folder, { recursive: true });
  });

  /** Shells on terminals, again and again. */
  const shells = async (...numbers: number[]) => {
    for (const n of numbers) {
      await guest.shell(`(while true; do setsid getty -n -l /bin/sh 0 3270/tty${n}; done) & true`);
    }
  };

  test('the guest sees 3270 channel devices, as many as there are x-terminal3270', async () => {
    const { output } = await guest.shell('cd /sys/bus/ccw/devices; for d in *; do echo $d $(cat $d/cutype); done; cd');
    assert.equal(output, '0.0.000a 3270/00\n0.0.000b 3270/00\n0.0.000c 3270/00\n');
  });

  test('chccwdev -e enables the device, and there are device nodes under /dev/3270', async t => {
    assert.notEqual((await guest.shell('test -e /dev/3270')).status, 0);
    for (const device of ['0.0.000a', '0.0.000b', '0.0.000c']) {
      const { output, status } = await guest.shell(
        `if type chccwdev >/dev/null; then chccwdev -e ${device}; else echo 1 > /sys/bus/ccw/devices/${device}/online; fi`,
      );
      assert.equal(status, 0, output);
    }
    assert.match((await guest.shell('ls /dev/3270')).output, /^tty1 +tty2 +tty3\n$/);
    t.diagnostic((await guest.shell('type chccwdev')).output);
  });

  test('a getty on the terminal lets somebody log in', async t => {
    const s3270 = client(t, '-model', models[0]!);
    await guest.shell('echo "root::0:0:root:/root:/bin/sh" > /etc/passwd; echo "root:x:0:" > /etc/group');
    await guest.shell('(while true; do setsid getty 0 3270/tty1; done) & true');
    await attach(s3270, `127.0.0.1:${ports[0]}`, 'lpar login:');
    await logIn(s3270, 'root', /^~ #\n/m);
    await s3270.enter('echo $((6 * 7)) on $(tty): $(stty size)');
    await s3270.waitFor(/^42 on \/dev\/3270\/tty1: 22 80\n/m);
  });

  test('several terminals, several clients at once, one of them by TLS', async t => {
    const clients = [
      client(t, '-model', models[1]!),
      client(t, '-model', models[2]!, '-cafile', join(folder, 'ca-cert.pem')),
    ];
    await shells(2, 3);
    await attach(clients[0]!, `127.0.0.1:${ports[1]}`, 'lpar:~#');
    await attach(clients[1]!, `L:localhost:${ports[2]}`, 'lpar:~#');
    assert.match((await clients[1]!.do('Query(Tls)')).join(), /^secure host-verified/);
    await Promise.all(
      clients.map(async (s3270, n) => {
        for (let line = 0; line < 5; line++) {
          await s3270.enter(`echo $((${line} * 7)) on $(tty)`);
          await s3270.waitFor(new RegExp(`^${line * 7} on /dev/3270/tty${n + 2}\n`, 'm'));
        }
      }),
    );
    const sizes = await guest.shell('for n in 2 3; do stty size < /dev/3270/tty$n; done');
    assert.equal(sizes.output, '41 80\n25 132\n');
  });

  test('what the guest shows is on the screen of whoever attaches, in its size', async t => {
    for (const [model, size] of [
      ['3279-4', '41 80'],
      ['3279-5', '25 132'],
      ['3279-2', '22 80'],
    ] as const) {
      const s3270 = client(t, '-model', model);
      await attach(s3270, `127.0.0.1:${ports[1]}`, 'lpar:~#');
      await s3270.enter('stty size');
      await s3270.waitFor(new RegExp(`^${size}\n`, 'm'));
      await s3270.disconnect();
    }
  });

  test('clients that flood, are silent, slow or many do not hold the machine up or make it grow', async t => {
    const port = ports[0]!;
    const sockets: Socket[] = [];
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    const connected = async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      await once(socket, 'connect');
      return socket;
    };
    const responsive = async () => assert.equal((await guest.shell('echo still here', 20)).output, 'still here\n');
    await responsive();
    const before = guest.residentBytes ?? 0;

    // One becomes a terminal and sends lines as long as anybody takes them.
    const flood = await connected();
    const chatter = new TestClient({ types: ['IBM-3278-2'] }, data => flood.write(data));
    flood.on('data', (data: Buffer) => chatter.receive(data));
    for (let n = 0; n < 300 && chatter.records.length === 0; n++)
      await new Promise(resolve => setTimeout(resolve, 100));
    assert.ok(chatter.records.length > 0, 'it is not a terminal yet');
    const line = record(Uint8Array.of(0x7d, 0x40, 0x40, 0x11, 0x40, 0x40, ...Array<number>(1000).fill(0x81)));
    const lines = Buffer.concat(Array<Uint8Array>(100).fill(line));
    let sent = 0;
    for (const end = Date.now() + 3000; Date.now() < end && !flood.destroyed; ) {
      sent += lines.length;
      if (flood.write(lines)) continue;
      await Promise.race([once(flood, 'drain'), new Promise(resolve => setTimeout(resolve, 100))]);
      if (flood.writableNeedDrain) break;
    }
    t.diagnostic(`${sent} bytes were sent`);
    await responsive();
    // It takes nothing any more, while the guest writes and writes.
    flood.pause();
    await guest.shell('(timeout 5 yes > /dev/3270/tty1) & true');
    await responsive();
    // Many wait behind it and say nothing, nonsense, or a byte now and then.
    for (let n = 0; n < 100; n++) {
      const socket = await connected();
      if (n % 3 === 1) socket.write(randomBytes(50_000));
      if (n % 3 === 2) socket.write(Uint8Array.of(0xff));
    }
    await responsive();
    const growth = (guest.residentBytes ?? 0) - before;
    t.diagnostic(`it has grown by ${growth} bytes`);
    assert.ok(growth < 64 * 0x100000, `it has grown by ${growth} bytes`);

    // When they have gone, the next one is served.
    for (const socket of sockets) socket.destroy();
    const s3270 = client(t, '-model', models[0]!);
    await attach(s3270, `127.0.0.1:${port}`, 'lpar login:');
  });

  test('the kernel has nothing to complain about', async () => {
    assert.equal((await guest.shell("dmesg | grep -E 'WARNING|BUG|Oops'")).output, '');
  });
});

// The document has condev=000a, which Linux takes for an octal number: zero. QEMU's guest has no console then either.
test('the kernel uses the 3270 as console with conmode=3270 condev=0x000a', { skip }, async t => {
  const port = await freePort();
  const guest = await start('conmode=3270 condev=0x000a', ...terminalOptions(10, port));
  t.after(() => guest.kill());
  // The kernel waits for a client before it goes on. Linux has its brackets where code page 37 has them.
  const s3270 = client(t, '-model', '3279-4', '-codepage', 'cp037');
  await s3270.connect(`127.0.0.1:${port}`);
  await s3270.waitFor(/^\[ +\d+\.\d+\] Run \/init as init process\n/m, 300);
  await s3270.waitFor(/^lpar: Debian kernel \S+ is up\n/m);
  await s3270.waitFor(/^lpar:~#\n/m);
  await s3270.enter('echo $((6 * 7)) on the green screen');
  await s3270.waitFor(/^42 on the green screen\n/m);
  await s3270.enter('clear; cat /proc/consoles');
  await s3270.waitFor(/^tty3270\S* +-W- \(EC/m);
  assert.doesNotMatch(guest.output, /Debian kernel/);
});
