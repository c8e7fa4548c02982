/** The command itself with guests of a few instructions: exit statuses, monitor, debugger. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Assembler } from '../src/cpu/isa/assemble.ts';
import { instructions } from '../src/cpu/isa/index.ts';

const command = fileURLToPath(new URL('../bin/lpar', import.meta.url));
const ENTRY = 0x10000;

/** A raw image that is entered at the program's first instruction. */
function image(t: TestContext, source: string): string {
  const path = mkdtempSync(join(tmpdir(), 'lpar-command-'));
  t.after(() => rmSync(path, { recursive: true }));
  const { bytes } = new Assembler(instructions).assemble(source, ENTRY);
  const file = new Uint8Array(ENTRY + bytes.length);
  file.set(bytes, ENTRY);
  writeFileSync(join(path, 'image'), file);
  return join(path, 'image');
}

function start(t: TestContext, args: readonly string[]) {
  const child = spawn(process.execPath, [command, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.after(() => void child.kill('SIGKILL'));
  const seen = { out: '', err: '' };
  child.stdout.on('data', data => {
    seen.out += data;
  });
  child.stderr.on('data', data => {
    seen.err += data;
  });
  return { child, seen };
}

async function exitStatus(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Talks to a Unix socket as soon as it is there. */
async function talk(t: TestContext, path: string): Promise<Socket> {
  while (!existsSync(path)) await new Promise(resolve => setTimeout(resolve, 20));
  const socket = connect(path);
  t.after(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** What comes until it matches. */
async function until(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const data of socket.iterator({ destroyOnReturn: false })) {
    text += data;
    if (pattern.test(text)) return text;
  }
  throw new Error(`the other end has closed after ${text}`);
}

const wait = (address: string) => `larl %r1,psw; lpswe 0(%r1)\n.balign 8\npsw: .quad 0x0002000180000000, ${address}`;
const spin = 'lghi %r2,0\nloop: aghi %r2,1\nj loop';

const ends: [string, string, string[], number, RegExp][] = [
  ['switching itself off', '0xfff', [], 0, /^$/],
  ['a panic', '0x1234', [], 0, /^lpar: the guest has panicked: .* PSW 0002000180000000 0000000000001234\n$/],
  ['a panic that counts', '0x1234', ['-action', 'panic=exit-failure'], 1, /panicked/],
];
for (const [name, address, options, status, complaint] of ends) {
  test(`the guest ends: ${name}`, async t => {
    const { child, seen } = start(t, ['-kernel', image(t, wait(address)), '-display', 'none', ...options]);
    assert.equal(await exitStatus(child), status);
    assert.match(seen.err, complaint);
  });
}

test('what is no kernel is refused', async t => {
  const { child, seen } = start(t, ['-kernel', process.execPath]);
  assert.equal(await exitStatus(child), 1);
  assert.match(seen.err, /^lpar: [^\n]*\n$/);
});

test('a signal ends it', async t => {
  const kernel = image(t, spin);
  const pid = `${kernel}.pid`;
  const { child, seen } = start(t, ['-kernel', kernel, '-display', 'none', '-pidfile', pid]);
  while (!existsSync(pid)) await new Promise(resolve => setTimeout(resolve, 20));
  process.kill(Number(readFileSync(pid, 'utf8')), 'SIGTERM');
  assert.equal(await exitStatus(child), 0);
  assert.equal(seen.err, 'lpar: terminating on signal 15\n');
});

test('the monitor reads commands from a pipe', async t => {
  const { child, seen } = start(t, ['-kernel', image(t, spin), '-S', '-monitor', 'stdio']);
  child.stdin.write('info status\nx/2i $pc\nquit\n');
  assert.equal(await exitStatus(child), 0);
  assert.match(seen.out, /VM status: paused \(prelaunch\)\r\n/);
  assert.match(seen.out, /0x00010000: {2}a729 0000 {7}lghi {5}%r2,0\r\n0x00010004: {2}a72b 0001/);
});

test('the monitor of a machine that runs', async t => {
  const kernel = image(t, spin);
  const path = `${kernel}.monitor`;
  const { child } = start(t, ['-kernel', kernel, '-display', 'none', '-monitor', `unix:${path},server=on,wait=off`]);
  const socket = await talk(t, path);
  await until(socket, /\(qemu\) $/);
  socket.write('info registers\n');
  const running = await until(socket, /R00.*\(qemu\) $/s);
  assert.match(running, /addr 0000000000010\w+/);
  // A machine that is stopped at once may not have executed anything.
  let count = 0;
  for (let tries = 0; count === 0 && tries < 100; tries++) {
    socket.write('cont\nstop\ninfo status\n');
    await until(socket, /VM status: paused\r\n/);
    socket.write('p/d $r2\n');
    count = Number(/\r\n(\d+)\r\n/.exec(await until(socket, /\r\n(\d+)\r\n/))![1]);
  }
  assert.ok(count > 0);
  socket.write('system_reset\ncont\ninfo status\n');
  await until(socket, /VM status: running\r\n/);
  socket.write('quit\n');
  assert.equal(await exitStatus(child), 0);
});

test('a program controls a machine', async t => {
  const kernel = image(t, spin);
  const path = `${kernel}.qmp`;
  const { child } = start(t, ['-kernel', kernel, '-S', '-display', 'none', '-qmp', `unix:${path},server=on,wait=off`]);
  const socket = await talk(t, path);
  await until(socket, /^{"QMP": .*}\r\n$/);
  socket.write('{"execute":"qmp_capabilities"}{"execute":"cont"}{"execute":"query-status","id":1}');
  assert.match(
    await until(socket, /"id": 1}\r\n$/),
    /{"return": {}}\r\n.*"event": "RESUME"}\r\n{"return": {}}\r\n{"return": {"status": "running", "running": true}, "id": 1}/s,
  );
  socket.write('{"execute":"quit"}');
  await until(
    socket,
    /"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}\r\n{"return": {}}\r\n$/,
  );
  assert.equal(await exitStatus(child), 0);
});

test('a debugger', async t => {
  const kernel = image(t, spin);
  const path = `${kernel}.gdb`;
  const { child } = start(t, ['-kernel', kernel, '-S', '-display', 'none', '-gdb', `unix:${path}`]);
  const socket = await talk(t, path);
  const ask = async (text: string): Promise<string> => {
    const sum = [...text].reduce((total, character) => (total + character.charCodeAt(0)) & 0xff, 0);
    socket.write(`$${text}#${sum.toString(16).padStart(2, '0')}`);
    const answer = await until(socket, /\$[^#]*#../);
    socket.write('+');
    return /\$([^#]*)#/.exec(answer)![1]!;
  };
  const r2 = async () => Number.parseInt(await ask('p4'), 16);
  assert.equal(await ask('?'), 'T05thread:p01.01;');
  assert.equal(await ask('p1'), '0000000000010000');
  assert.equal(await ask('m10000,4'), 'a7290000');
  assert.equal(await ask('s'), 'T05thread:p01.01;');
  assert.equal(await ask('p1'), '0000000000010004');
  // At the end of the loop, twice.
  assert.equal(await ask('Z0,10008,2'), 'OK');
  assert.equal(await ask('vCont;c'), 'T05thread:p01.01;');
  assert.deepEqual([await ask('p1'), await r2()], ['0000000000010008', 1]);
  assert.equal(await ask('c'), 'T05thread:p01.01;');
  assert.deepEqual([await ask('p1'), await r2()], ['0000000000010008', 2]);
  assert.equal(await ask('P4=0000000000000064'), 'OK');
  assert.equal(await ask('c'), 'T05thread:p01.01;');
  assert.equal(await r2(), 101);
  // The program is changed under its feet: the loop counts by five.
  assert.equal(await ask('M10004,4:a72b0005'), 'OK');
  assert.equal(await ask('c'), 'T05thread:p01.01;');
  assert.equal(await r2(), 106);
  assert.equal(await ask('z0,10008,2'), 'OK');
  const continued = ask('c');
  setTimeout(() => socket.write('\x03'), 200);
  assert.equal(await continued, 'T02thread:p01.01;');
  assert.ok((await r2()) > 106);
  assert.equal(await ask('vKill;1'), 'OK');
  assert.equal(await exitStatus(child), 0);
});

/** One CPU steers the clock, rates changing; the other sees that STORE CLOCK FAST never goes back and STORE CLOCK always rises. */
const steering = `sam64
larl %r1,restart; mvc 0x1a0(16),0(%r1)
larl %r6,data; larl %r7,ends
lghi %r3,1; sigp %r2,%r3,6
lghi %r5,500; lgfi %r9,0x10dcd
again: msgr %r9,%r5; aghi %r9,77; st %r9,64(%r6)
lghi %r0,66; tmll %r5,1; jz fine; lghi %r0,67
fine: la %r1,64(%r6); ptff; jnz refused
lghi %r8,300
delay: brctg %r8,delay
brctg %r5,again
lt %r2,72(%r6); jz end
aghi %r7,16
refused: aghi %r7,16
end: sigp %r2,%r3,5; jnz end
stops: sigp %r2,%r3,1; tmll %r2,0x40; jz stops
lpswe 0(%r7)
second: larl %r6,data
lghi %r2,0; lghi %r3,0
more: stckf 0(%r6); lg %r4,0(%r6); clgr %r4,%r2; jl back; lgr %r2,%r4
stck 8(%r6); lg %r4,8(%r6); clgr %r4,%r3; jnh back; lgr %r3,%r4
j more
back: lghi %r4,1; st %r4,72(%r6); j more
.balign 8
restart: .quad 0x0000000180000000, second
ends: .quad 0x0002000180000000, 0xfff, 0x0002000180000000, 0x1110, 0x0002000180000000, 0x2220
data: .quad 0,0,0,0,0,0,0,0,0,0`;
const views: [string, string[], RegExp][] = [
  ['in a logical partition', ['-machine', 'sysinfo=lpar'], /^$/],
  ['counted', ['-machine', 'sysinfo=lpar', '-icount', 'shift=0'], /^$/],
  ['not under KVM', [], /PSW 0002000180000000 0000000000001110\n$/],
];
for (const [name, options, complaint] of views) {
  test(`the clock of two CPUs is steered: ${name}`, async t => {
    const args = ['-kernel', image(t, steering), '-smp', '2', '-display', 'none', ...options];
    const { child, seen } = start(t, args);
    assert.equal(await exitStatus(child), 0);
    assert.match(seen.err, complaint);
  });
}
