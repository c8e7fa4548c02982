/**
 * 3270 devices, sentence by sentence of QEMU's document about them (docs/system/s390x/3270.rst): Debian's kernel, s390-tools
 * and s3270.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { commandLine, debianGuest, type Guest } from '../guest/image.ts';
import { guestOrReason } from './support/guest.ts';
import { have, S3270 } from './support/s3270.ts';
import { emulator, Terminal } from './support/terminal.ts';

const skip = have('s3270') ? false : 's3270 is not there';
const libraries = /^(libc6|libtinfo6|libreadline8t64|libmpfr6|libgmp10|libsigsegv2|libgcc-s1|libudev1|libcap2)$/;

/** With s390-tools, where they can be had. */
async function obtain(): Promise<Guest> {
  const found = await guestOrReason({
    packages: ['s390-tools', 'bash', 'gawk'],
    withDependencies: name => libraries.test(name),
  });
  return typeof found === 'string' ? debianGuest() : found;
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** The options that the document has. */
const terminal = (number: number, port: number) => [
  ...['-chardev', `socket,id=ch${number},host=0.0.0.0,port=${port},wait=off,server=on,tn3270=on`],
  ...['-device', `x-terminal3270,chardev=ch${number},devno=fe.0.000${number.toString(16)},id=terminal${number}`],
];

async function start(t: TestContext, more: readonly string[], append: string): Promise<Terminal> {
  const { kernel, initrd } = await obtain();
  const guest = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '512M', '-kernel', kernel, '-initrd', initrd],
    ...['-append', append],
    ...more,
  ]);
  t.after(() => guest.kill());
  return guest;
}

function client(t: TestContext, ...options: string[]): S3270 {
  const one = new S3270(...options);
  t.after(() => one.end());
  return one;
}

test('additional terminals: chccwdev, x3270, a shell on /dev/3270/tty1; several of them; another size', {
  skip,
}, async t => {
  const ports = [await freePort(), await freePort()];
  const guest = await start(t, [...terminal(10, ports[0]!), ...terminal(11, ports[1]!)], `${commandLine} quiet`);
  await guest.waitFor(/is up/, 300);
  await guest.waitFor(guest.prompt, 60);
  const { output } = await guest.shell('cat /sys/bus/ccw/devices/*/cutype');
  assert.equal(output, '3270/00\n3270/00\n');

  const clients = [client(t, '-model', '3279-2'), client(t, '-model', '3279-4')];
  for (const [n, s3270] of clients.entries()) await s3270.connect(`127.0.0.1:${ports[n]}`);
  for (const device of ['0.0.000a', '0.0.000b']) {
    const { status } = await guest.shell(
      `if type chccwdev; then chccwdev -e ${device}; else echo 1 > /sys/bus/ccw/devices/${device}/online; fi`,
    );
    assert.equal(status, 0);
  }
  assert.match((await guest.shell('ls /dev/3270')).output, /tty1\s+tty2/);
  for (const n of [1, 2]) {
    await guest.shell(`setsid sh -c 'PS1=ready$((${n}+1)) exec sh -i < /dev/3270/tty${n} > /dev/3270/tty${n} 2>&1' &`);
  }
  for (const [n, s3270] of clients.entries()) {
    await s3270.waitFor(new RegExp(`ready${n + 2}`), 120);
    await s3270.enter(`echo $((${n} + 40)) of terminal`);
    await s3270.waitFor(new RegExp(`${n + 40} of terminal`), 60);
  }
  assert.equal((await guest.shell('stty size < /dev/3270/tty2')).output.trim(), '41 80');

  // A client that comes back with another screen.
  await clients[0]!.disconnect();
  const wide = client(t, '-model', '3279-5');
  await wide.connect(`127.0.0.1:${ports[0]}`);
  await wide.waitFor(/\S/, 60);
  await wide.enter('stty size');
  await wide.waitFor(/25 132/, 60);
  assert.equal((await guest.shell("dmesg | grep -E 'WARNING|BUG|Oops'")).output, '');
});

test('the console of the kernel: conmode=3270 condev=000a', { skip }, async t => {
  const port = await freePort();
  const s3270 = client(t, '-model', '3279-4');
  await start(t, terminal(10, port), 'conmode=3270 condev=000a');
  await s3270.connect(`127.0.0.1:${port}`);
  await s3270.waitFor(/lpar: Debian kernel \S+ is up/, 300);
  await s3270.waitFor(/lpar:~#/, 60);
  await s3270.enter('echo $((6 * 7)) on the green screen');
  await s3270.waitFor(/42 on the green screen/, 60);
});
