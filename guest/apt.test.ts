import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { archiveKeys, deb822Mirrors, machineMirrors, oneLineMirrors } from './apt.ts';

test('mirrors in one-line sources', () => {
  assert.deepEqual(
    oneLineMirrors(`
# deb http://no.example/debian trixie main
deb http://a.example/debian/ bookworm main contrib
deb-src http://src.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://b.example/debian trixie-updates main # comment
deb http://c.example/debian-security bookworm-security main
deb http://d.example/ubuntu noble main
deb https://e.example/apt stable main
deb cdrom:[Debian]/ trixie main
deb http://f.example/debian trixie contrib
deb file:/srv/mirror trixie main`),
    ['http://a.example/debian', 'https://b.example/debian', 'file:/srv/mirror'],
  );
});

test('mirrors in deb822 sources', () => {
  assert.deepEqual(
    deb822Mirrors(`# comment
Types: deb deb-src
URIs: http://a.example/debian
 https://b.example/debian/
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: http://a.example/debian-security
Suites: trixie-security
Components: main

Enabled: no
Types: deb
URIs: http://c.example/debian
Suites: sid
Components: main

Types: deb
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm
Components: main`),
    ['http://a.example/debian', 'https://b.example/debian', 'mirror+file:///etc/apt/mirrors/debian.list'],
  );
});

test('the folder of a machine, and its keys', t => {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-apt-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.deepEqual(machineMirrors(folder), []);
  mkdirSync(join(folder, 'sources.list.d'));
  writeFileSync(join(folder, 'sources.list'), 'deb http://a.example/debian trixie main\n');
  writeFileSync(join(folder, 'sources.list.d', 'a.list'), 'deb http://b.example/debian trixie main\n');
  writeFileSync(join(folder, 'sources.list.d', 'a.list.bak'), 'deb http://x.example/debian trixie main\n');
  writeFileSync(
    join(folder, 'sources.list.d', 'b.sources'),
    'Types: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\n',
  );
  assert.deepEqual(machineMirrors(folder), ['http://a.example/debian', 'http://b.example/debian']);

  assert.deepEqual(archiveKeys('trixie', [folder]), []);
  writeFileSync(join(folder, 'debian-archive-keyring.gpg'), '');
  assert.deepEqual(archiveKeys('trixie', [folder]), [join(folder, 'debian-archive-keyring.gpg')]);
  writeFileSync(join(folder, 'debian-archive-trixie-stable.asc'), '');
  assert.deepEqual(archiveKeys('trixie', [folder]), [join(folder, 'debian-archive-trixie-stable.asc')]);
});
