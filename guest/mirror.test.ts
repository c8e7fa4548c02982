import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as openpgp from 'openpgp';
import { debianPackages, packageTree, Unobtainable } from './debian.ts';
import { archiveKeys, fingerprints, mirrorSource } from './mirror.ts';
import { ar, tar } from './testing.ts';
import { file } from './tree.ts';

interface Keys {
  privateKey: openpgp.PrivateKey;
  publicKey: openpgp.PublicKey;
}

let ours: Keys;
let others: Keys;
before(async () => {
  const generate = () => openpgp.generateKey({ userIDs: [{ name: 'Test' }], format: 'object' });
  ours = await generate();
  others = await generate();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const deb = (name: string) =>
  ar({ 'debian-binary': Buffer.from('2.0\n'), 'data.tar': tar([file(`usr/bin/${name}`, `this is ${name}`, 0o755)]) });

interface Mirror {
  root: string;
  url: string;
  cache: string;
  write(path: string, content: Uint8Array | string): void;
}

/** A small signed mirror in a folder: package `app`, which depends on `lib`. */
async function makeMirror(t: TestContext, { keys = ours, release = {}, detached = false } = {}): Promise<Mirror> {
  const folder = mkdtempSync(join(tmpdir(), 'lpar-mirror-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, 'debian');
  const write = (path: string, content: Uint8Array | string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const stanzas = ['app', 'lib'].map(name => {
    const content = deb(name);
    write(`pool/${name}_1.0_s390x.deb`, content);
    const fields = {
      Package: name,
      Version: '1.0',
      Architecture: 's390x',
      ...(name === 'app' ? { Depends: 'lib (>= 1)' } : {}),
      Filename: `pool/${name}_1.0_s390x.deb`,
      Size: content.length,
      SHA256: sha256(content),
    };
    return Object.entries(fields)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('');
  });
  const packages = gzipSync(stanzas.join('\n'));
  write('dists/trixie/main/binary-s390x/Packages.gz', packages);
  const fields = {
    Origin: 'Debian',
    Codename: 'trixie',
    SHA256: `\n ${sha256(packages)} ${packages.length} main/binary-s390x/Packages.gz`,
    ...release,
  };
  const text = Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
  const signingKeys = keys.privateKey;
  if (detached) {
    write('dists/trixie/Release', text);
    const message = await openpgp.createMessage({ binary: Buffer.from(text) });
    write('dists/trixie/Release.gpg', (await openpgp.sign({ message, signingKeys, detached: true })) as string);
  } else {
    const message = await openpgp.createCleartextMessage({ text });
    write('dists/trixie/InRelease', await openpgp.sign({ message, signingKeys }));
  }
  return { root, write, url: pathToFileURL(root).href, cache: join(folder, 'cache') };
}

const fetchApp = (mirror: Mirror, url = mirror.url) =>
  debianPackages(['app'], {
    withDependencies: true,
    cache: mirror.cache,
    source: mirrorSource(
      url,
      async () => [ours.publicKey],
      () => {},
    ),
  });

/** Every file in the cache that is a package or a list. */
const kept = (mirror: Mirror) =>
  readdirSync(mirror.cache, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => name);

/** Serves a folder over HTTP; `requests` collects the paths. */
async function serve(t: TestContext, root: string) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url!;
    requests.push(path);
    try {
      response.end(readFileSync(join(dirname(root), path)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`, requests };
}

test('the archive keys that come along are the ones whose fingerprints are written down', async () => {
  const keys = await archiveKeys();
  assert.deepEqual(keys.map(key => key.getFingerprint()).sort(), [...fingerprints].sort());
  const readme = readFileSync(new URL('./keys/README.md', import.meta.url), 'utf8')
    .replaceAll(' ', '')
    .toLowerCase();
  for (const fingerprint of fingerprints) assert.ok(readme.includes(fingerprint), fingerprint);
});

test('packages come from a signed mirror over HTTP, and a second time from the cache', async t => {
  const mirror = await makeMirror(t);
  const { url, requests } = await serve(t, mirror.root);
  const files = await fetchApp(mirror, url);
  assert.deepEqual(
    files.map(path => path.slice(mirror.cache.length + 1)),
    ['debian-trixie-s390x/pool/app_1.0_s390x.deb', 'debian-trixie-s390x/pool/lib_1.0_s390x.deb'],
  );
  const tree = await packageTree(files);
  assert.equal(Buffer.from(tree.get('bin/lib')!.data!).toString(), 'this is lib');
  const before = requests.length;
  assert.ok(before > 0);
  assert.deepEqual(await fetchApp(mirror, url), files);
  assert.equal(requests.length, before, 'the second time touches no network');
});

test('Release with Release.gpg is as good as InRelease', async t => {
  assert.equal((await fetchApp(await makeMirror(t, { detached: true }))).length, 2);
});

test('a Release file signed by someone else is refused', async t => {
  for (const detached of [false, true]) {
    const mirror = await makeMirror(t, { keys: others, detached });
    await assert.rejects(fetchApp(mirror), /no good signature by Debian's archive keys/);
    assert.deepEqual(kept(mirror), []);
  }
});

test('a Release file changed after it was signed is refused', async t => {
  const mirror = await makeMirror(t);
  const path = 'dists/trixie/InRelease';
  mirror.write(path, readFileSync(join(mirror.root, path), 'utf8').replace('Origin: Debian', 'Origin: Someone'));
  await assert.rejects(fetchApp(mirror), /no good signature/);
});

test('text around the signed part of InRelease does not count', async t => {
  const mirror = await makeMirror(t);
  const path = 'dists/trixie/InRelease';
  mirror.write(
    path,
    `SHA256:\n 00 1 main/binary-s390x/Packages.xz\n\n${readFileSync(join(mirror.root, path), 'utf8')}`,
  );
  assert.equal((await fetchApp(mirror)).length, 2);
});

test('another suite and an expired Release file are refused', async t => {
  await assert.rejects(fetchApp(await makeMirror(t, { release: { Codename: 'bookworm' } })), /is for bookworm/);
  const expired = await makeMirror(t, { release: { 'Valid-Until': 'Sat, 01 Jan 2022 00:00:00 UTC' } });
  await assert.rejects(fetchApp(expired), /expired on Sat, 01 Jan 2022/);
});

test('a list or a package that does not match its hash leaves nothing in the cache', async t => {
  const mirror = await makeMirror(t);
  const list = 'dists/trixie/main/binary-s390x/Packages.gz';
  const good = readFileSync(join(mirror.root, list));
  mirror.write(
    list,
    good.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
  );
  await assert.rejects(fetchApp(mirror), /Packages\.gz: SHA-256 .* instead of/);
  assert.deepEqual(kept(mirror), []);
  mirror.write(list, good.subarray(0, 100));
  await assert.rejects(fetchApp(mirror), /100 bytes instead of/);
  mirror.write(list, good);

  const library = 'pool/lib_1.0_s390x.deb';
  mirror.write(library, Buffer.concat([deb('lib'), Buffer.from('more')]));
  await assert.rejects(fetchApp(mirror), /lib_1\.0_s390x\.deb: larger than announced/);
  assert.deepEqual(kept(mirror), ['Packages']);
  mirror.write(library, deb('lib'));
  assert.equal((await fetchApp(mirror)).length, 2);
});

test('a list in the cache that is older than the mirror is fetched again', async t => {
  const mirror = await makeMirror(t);
  const options = {
    cache: mirror.cache,
    source: mirrorSource(
      mirror.url,
      async () => [ours.publicKey],
      () => {},
    ),
  };
  await debianPackages(['lib'], options);
  // The mirror has moved on: app has another version, its old file is gone.
  const newer = deb('newer');
  rmSync(join(mirror.root, 'pool/app_1.0_s390x.deb'));
  mirror.write('pool/app_1.1_s390x.deb', newer);
  const packages = gzipSync(
    `Package: app\nVersion: 1.1\nArchitecture: s390x\nFilename: pool/app_1.1_s390x.deb\nSize: ${newer.length}\nSHA256: ${sha256(newer)}\n`,
  );
  mirror.write('dists/trixie/main/binary-s390x/Packages.gz', packages);
  const text = `Codename: trixie\nSHA256:\n ${sha256(packages)} ${packages.length} main/binary-s390x/Packages.gz\n`;
  const message = await openpgp.createCleartextMessage({ text });
  mirror.write('dists/trixie/InRelease', await openpgp.sign({ message, signingKeys: ours.privateKey }));
  // For some minutes the list is taken for the current one.
  await assert.rejects(debianPackages(['app'], options), Unobtainable);
  utimesSync(join(mirror.cache, 'debian-trixie-s390x', 'Packages'), 0, 0);
  assert.match((await debianPackages(['app'], options))[0], /app_1\.1_s390x\.deb$/);
});

test('a mirror that cannot be reached, or is none, is named', async t => {
  const mirror = await makeMirror(t);
  const { url } = await serve(t, mirror.root);
  await assert.rejects(fetchApp(mirror, url.replace('/debian', '/elsewhere')), /is that a Debian mirror with trixie\?/);
  await assert.rejects(
    fetchApp(mirror, 'http://127.0.0.1:1/debian'),
    /127\.0\.0\.1:1\/debian\/dists\/trixie\/InRelease: /,
  );
});
