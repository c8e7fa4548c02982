/**
 * The main job: Debian's unmodified kernel boots to an interactive shell. With LPAR_EMULATOR=qemu-system-s390x the same
 * is asked of another emulator.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandLine, debianGuest } from '../guest/image.ts';
import { emulator, Terminal } from './support/terminal.ts';

const minute = 60;

test('Debian 13 boots to a shell on the console', { timeout: 15 * minute * 1000 }, async t => {
  const { kernel, initrd, release } = await debianGuest();
  const machine = ['-nographic', '-m', '1G', '-kernel', kernel, '-initrd', initrd, '-append', commandLine];
  const guest = new Terminal([...emulator(), ...machine]);
  t.after(() => guest.kill());
  const [, running] = await guest.waitFor(/lpar: Debian kernel (\S+) is up/, 8 * minute);
  assert.equal(running, release);
  await guest.waitFor(guest.prompt, minute);

  await t.test('commands answer', async () => {
    const { output, status } = await guest.shell('uname -a');
    assert.match(output, new RegExp(`^Linux lpar ${release.replaceAll(/[.+]/g, '\\$&')} .* s390x GNU/Linux\n$`));
    assert.equal(status, 0);
    assert.equal((await guest.shell('echo $((6 * 7))')).output, '42\n');
    assert.equal((await guest.shell('false')).status, 1);
    assert.match((await guest.shell('cat /proc/cpuinfo')).output, /vendor_id\s*: IBM\/S390/);
    assert.match((await guest.shell('cat /proc/meminfo')).output, /MemTotal:\s+(9|10)\d{5} kB/);
  });

  await t.test('the machine takes little beside the storage that the guest uses', async t => {
    if (process.env.LPAR_EMULATOR || guest.residentBytes === undefined) return t.skip('nothing to hold to it');
    const look = async (): Promise<number> => {
      const { output } = await guest.shell('cat /proc/meminfo');
      const used = 2 ** 30 - Number(/MemFree:\s+(\d+) kB/.exec(output)![1]) * 1024;
      return Math.round((guest.residentBytes! - used) / 1e6);
    };
    let beside = await look();
    // The engine gives back what it needs for compiling when it has come to an end of it.
    for (let n = 0; n < 20 && beside >= 400; n++) {
      await new Promise(resolve => setTimeout(resolve, 500));
      beside = await look();
    }
    assert.ok(beside < 400, `${beside} MB beside the guest's`);
  });

  await t.test('programs with pipes, files and many processes', async () => {
    const { output } = await guest.shell('seq 1 20000 | sha256sum');
    assert.equal(output, 'f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -\n');
    const loop = 'i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done; echo $i';
    assert.equal((await guest.shell(loop, 2 * minute)).output, '50\n');
    assert.equal((await guest.shell('seq 1 1000 > /tmp/a; tail -n 1 /tmp/a; wc -l < /tmp/a')).output, '1000\n1000\n');
  });

  await t.test('the console is a terminal with job control', async () => {
    assert.equal((await guest.shell('tty')).output, '/dev/ttysclp0\n');
    guest.type('sleep 1000\n');
    await guest.waitFor(/sleep 1000\r?\n/, minute);
    await new Promise(resolve => setTimeout(resolve, 1000));
    guest.type('\x03');
    await guest.waitFor(guest.prompt, minute);
    guest.type('echo "it ended with "$?\n');
    // 128 + SIGINT
    await guest.waitFor(/it ended with 130/, minute);
    await guest.waitFor(guest.prompt, minute);
    await guest.shell('{ sleep 1000 & }');
    assert.match((await guest.shell('jobs')).output, /Running\s+sleep 1000/);
    assert.equal((await guest.shell('kill %1')).status, 0);
  });

  await t.test('the kernel saw nothing wrong', async () => {
    const { output } = await guest.shell('dmesg | grep -E "WARNING|BUG|Oops|Call Trace|unexpected|illegal operation"');
    assert.equal(output, '');
  });

  await t.test('time passes as it does outside', async () => {
    const uptime = async () => Number.parseFloat((await guest.shell('cat /proc/uptime')).output);
    const [inside, outside] = [await uptime(), performance.now()];
    assert.equal((await guest.shell('sleep 2')).status, 0);
    const [slept, passed] = [(await uptime()) - inside, (performance.now() - outside) / 1000];
    assert.ok(slept >= 2 && Math.abs(slept - passed) < 1, `${slept} s in the guest, ${passed} s outside`);
  });

  await t.test('poweroff ends the machine', async () => {
    guest.type('poweroff -f\n');
    assert.deepEqual(await guest.ended, { status: 0, signal: null }, guest.lastLines());
  });
});

test('npm start boots, and passes on what follows --', { timeout: 15 * minute * 1000 }, async t => {
  if (process.env.LPAR_EMULATOR) return t.skip('another emulator is asked');
  const script = fileURLToPath(new URL('../tools/run.cjs', import.meta.url));
  const append = `${commandLine} -- /bin/uname -m`;
  const guest = new Terminal([process.execPath, script, 'guest/start.ts', '-append', append, '-m', '512M']);
  t.after(() => guest.kill());
  await guest.waitFor(/is up\r?\ns390x\r?\n/, 8 * minute);
  assert.deepEqual(await guest.ended, { status: 0, signal: null }, guest.lastLines());
});
