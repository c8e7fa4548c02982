/**
 * QEMU's document about 3270 devices (docs/system/s390x/3270.rst), "systemctl start serial-getty@3270-tty1.service": Debian's systemd,
 * udev, agetty and login in the guest, and s3270 at the other end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from '../../guest/image.ts';
import { file } from '../../guest/tree.ts';
import { guestOrReason } from '../support/guest.ts';
import { attach, freePort, have, logIn, S3270, terminalOptions } from '../support/s3270.ts';
import { emulator, Terminal } from '../support/terminal.ts';

/** What the packages' own scripts would have made. */
const files = [
  file('etc/hostname', 'lpar\n'),
  file('etc/passwd', 'root::0:0:root:/root:/bin/bash\n'),
  file('etc/group', 'root:x:0:\ntty:x:5:\n'),
  file('etc/machine-id', `${'5'.repeat(32)}\n`),
  file('root/.bash_profile', "PS1='\\u@\\h\\$ '\n"),
  ...['auth', 'account', 'session', 'password'].map(what =>
    file(`etc/pam.d/common-${what}`, `${what} required pam_unix.so${what === 'auth' ? ' nullok' : ''}\n`),
  ),
  // A shell on the console for this test, with busybox's commands beside Debian's.
  file(
    'etc/systemd/system/shell.service',
    `[Unit]
After=basic.target
[Service]
ExecStart=/bin/busybox sh -c '/bin/busybox --install -s 2>/dev/null; exec sh -i'
Environment='PS1=lpar:# ' SYSTEMD_PAGER=cat
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttysclp0
`,
  ),
  file('etc/systemd/system/test.target', '[Unit]\nRequires=basic.target\nWants=shell.service\n'),
];
const packages = ['systemd', 'udev', 'login', 'util-linux', 'libpam-modules', 's390-tools', 'bash', 'gawk'];
const unneeded =
  /^usr\/share\/(doc|man|info|locale|lintian|bug|doc-base|perl|zoneinfo|bash-completion|zsh)(\/|$)|perl|hwdb|python/;

test('serial-getty@3270-tty1.service lets somebody log in', {
  skip: !have('s3270') && 's3270 is not there',
}, async t => {
  const made = await guestOrReason({ packages, files, wanted: path => !unneeded.test(path), gzip: false });
  if (typeof made === 'string') return t.skip(made);
  const { kernel, initrd } = made;
  const port = await freePort();
  const guest = new Terminal([
    ...emulator(),
    ...['-nodefaults', '-nographic', '-serial', 'stdio', '-m', '1G', '-kernel', kernel, '-initrd', initrd],
    ...['-append', `${commandLine} quiet systemd.show_status=0 rdinit=/lib/systemd/systemd systemd.unit=test.target`],
    ...terminalOptions(10, port),
  ]);
  t.after(() => guest.kill());
  await guest.waitFor(guest.prompt, 300);
  const enabled = await guest.shell('chccwdev -e 0.0.000a');
  assert.equal(enabled.status, 0, enabled.output);
  const started = await guest.shell('systemctl start serial-getty@3270-tty1.service', 120);
  assert.equal(started.status, 0, started.output);
  const s3270 = new S3270('-model', '3279-2');
  t.after(() => s3270.end());
  await attach(s3270, `127.0.0.1:${port}`, 'lpar login:');
  await logIn(s3270, 'root', /^root@lpar#\n/m);
  await s3270.enter('echo $((6 * 7)) on $(tty)');
  await s3270.waitFor(/^42 on \/dev\/3270\/tty1\n/m);
  const { output } = await guest.shell('systemctl is-active serial-getty@3270-tty1.service dev-3270-tty1.device');
  assert.equal(output, 'active\nactive\n');
});
