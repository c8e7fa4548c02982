import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { makeCertificate, makeCertificates } from '../../../test/support/certificates.ts';
import { type CredentialsOptions, loadCredentials } from '../../chardev/tls-credentials.ts';
import type { ByteStream } from '../host.ts';
import type { TlsSettings } from '../tls.ts';
import { nodeHost } from './host.ts';

let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  makeCertificates(folder);
  writeFileSync(
    join(folder, 'keys.psk'),
    'qemu:00112233445566778899aabbccddeeff\nrocky:ffeeddccbbaa99887766554433221100\n',
  );
});
after(() => rmSync(folder, { recursive: true }));

const x509 = (server: boolean, more: Partial<CredentialsOptions & { kind: 'x509' }> = {}): CredentialsOptions => ({
  ...{ kind: 'x509', server, verifyPeer: true, folder, sane: true },
  ...more,
});
const psk = (server: boolean, identity = 'qemu'): CredentialsOptions => ({
  ...{ kind: 'psk', server, verifyPeer: true, folder, identity },
});
const anonymous = (server: boolean): CredentialsOptions => ({ kind: 'anonymous', server, verifyPeer: true });

/** A server that says hello, and the number of those who have come in. */
async function server(t: TestContext, options: CredentialsOptions, authorize?: TlsSettings['authorize']) {
  const seen = { clients: 0, text: '' };
  const settings = { nodelay: true, tls: { credentials: loadCredentials(nodeHost, options), authorize } };
  const streams: ByteStream[] = [];
  const listening = await nodeHost.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, settings, stream => {
    seen.clients++;
    streams.push(stream);
    stream.listen({ data: data => (seen.text += new TextDecoder().decode(data)), end: () => {}, drained: () => {} });
    stream.write(new TextEncoder().encode('hello\n'));
  });
  t.after(() => {
    listening.close();
    for (const stream of streams) stream.close();
  });
  return { seen, port: listening.address.kind === 'tcp' ? listening.address.port : 0 };
}

/** What a client is told; rejects if it cannot connect. */
async function ask(port: number, options: CredentialsOptions, host = '127.0.0.1'): Promise<string> {
  const settings = { nodelay: true, tls: { credentials: loadCredentials(nodeHost, options) } };
  const stream = await nodeHost.connect({ kind: 'tcp', host, port }, settings);
  return new Promise(resolve => {
    stream.listen({
      data: data => {
        stream.close();
        resolve(new TextDecoder().decode(data));
      },
      end: () => resolve('nothing'),
      drained: () => {},
    });
  });
}

test('both sides show certificates', async t => {
  const { port, seen } = await server(t, x509(true));
  assert.equal(await ask(port, x509(false)), 'hello\n');
  assert.equal(await ask(port, x509(false), 'localhost'), 'hello\n');
  assert.equal(seen.clients, 2);
});

test('a server turns clients away that have no certificate, unless it does not verify them', async t => {
  const without = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  t.after(() => rmSync(without, { recursive: true }));
  copyFileSync(join(folder, 'ca-cert.pem'), join(without, 'ca-cert.pem'));
  const strict = await server(t, x509(true));
  assert.equal(await ask(strict.port, x509(false, { folder: without })).catch(() => 'nothing'), 'nothing');
  assert.equal(strict.seen.clients, 0);
  const lax = await server(t, x509(true, { verifyPeer: false }));
  assert.equal(await ask(lax.port, x509(false, { folder: without })), 'hello\n');
});

test('a client verifies the server, unless told not to', async t => {
  const other = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  t.after(() => rmSync(other, { recursive: true }));
  makeCertificates(other);
  rmSync(join(other, 'client-cert.pem'));
  const { port } = await server(t, x509(true, { verifyPeer: false }));
  await assert.rejects(ask(port, x509(false, { folder: other })), /unable to verify|self-signed|verify failed/i);
  assert.equal(await ask(port, x509(false, { folder: other, verifyPeer: false })), 'hello\n');
});

test('who may connect is decided by the distinguished name', async t => {
  const names: string[] = [];
  const { port, seen } = await server(t, x509(true), identity => {
    names.push(identity);
    return names.length > 1;
  });
  assert.equal(await ask(port, x509(false)), 'nothing');
  assert.equal(await ask(port, x509(false)), 'hello\n');
  assert.deepEqual(names, Array(2).fill('C=DE,O=Example\\, Inc.,CN=client'));
  assert.equal(seen.clients, 1);
});

test('revoked certificates', async t => {
  const revoking = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  t.after(() => rmSync(revoking, { recursive: true }));
  cpSync(folder, revoking, { recursive: true });
  writeFileSync(join(revoking, 'index.txt'), '');
  writeFileSync(
    join(revoking, 'ca.cnf'),
    `[ca]\ndefault_ca=x\n[x]\ndatabase=${revoking}/index.txt\ndefault_md=sha256\ndefault_crl_days=2\n`,
  );
  const ca = ['ca', '-config', 'ca.cnf', '-cert', 'ca-cert.pem', '-keyfile', 'ca-key.pem'];
  const run = (...args: string[]) => execFileSync('openssl', [...ca, ...args], { cwd: revoking, stdio: 'pipe' });
  run('-revoke', 'client-cert.pem');
  run('-gencrl', '-out', 'ca-crl.pem');
  const { port, seen } = await server(t, x509(true, { folder: revoking }));
  assert.equal(await ask(port, x509(false)).catch(() => 'nothing'), 'nothing');
  assert.equal(seen.clients, 0);
});

test('keys that both sides know', async t => {
  const names: string[] = [];
  const { port, seen } = await server(t, psk(true), identity => names.push(identity) > 0);
  assert.equal(await ask(port, psk(false, 'rocky')), 'hello\n');
  assert.deepEqual(names, ['rocky']);
  const wrong = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  t.after(() => rmSync(wrong, { recursive: true }));
  writeFileSync(join(wrong, 'keys.psk'), 'qemu:00\n');
  await assert.rejects(ask(port, { ...psk(false), folder: wrong } as CredentialsOptions));
  assert.equal(seen.clients, 1);
  assert.throws(() => loadCredentials(nodeHost, psk(false, 'bullwinkle')), {
    message: `Username bullwinkle not found in ${folder}/keys.psk`,
  });
  writeFileSync(join(wrong, 'keys.psk'), 'qemu:0\n');
  assert.throws(
    () => loadCredentials(nodeHost, { ...psk(true), folder: wrong } as CredentialsOptions),
    /line 1 is not/,
  );
});

test('encrypted without knowing with whom', async t => {
  const { port } = await server(t, anonymous(true));
  assert.equal(await ask(port, anonymous(false)), 'hello\n');
});

test('what OpenSSL itself says', async t => {
  const client = async (port: number, ...args: string[]) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-quiet', ...args], { cwd: folder });
    let out = '';
    child.stdout.on('data', data => {
      out += data;
      child.kill();
    });
    child.stdin.write('question');
    await new Promise(resolve => child.on('close', resolve));
    return out;
  };
  const verify = ['-CAfile', 'ca-cert.pem', '-verify_return_error'];
  const certified = await server(t, x509(true));
  assert.equal(
    await client(certified.port, ...verify, '-cert', 'client-cert.pem', '-key', 'client-key.pem'),
    'hello\n',
  );
  assert.equal(await client(certified.port, ...verify), '');
  const keyed = await server(t, psk(true));
  const key = ['-psk_identity', 'qemu', '-psk', '00112233445566778899aabbccddeeff'];
  assert.equal(await client(keyed.port, '-tls1_2', ...key), 'hello\n');
  const unknown = await server(t, anonymous(true));
  assert.equal(await client(unknown.port, '-tls1_2', '-cipher', 'ADH:@SECLEVEL=0'), 'hello\n');
});

test('a client that does not speak TLS does not come in, and disturbs nobody', async t => {
  const { port, seen } = await server(t, x509(true));
  const plain = await nodeHost.connect({ kind: 'tcp', host: '127.0.0.1', port }, { nodelay: true });
  const closed = new Promise<void>(resolve => plain.listen({ data: () => {}, end: resolve, drained: () => {} }));
  plain.write(new TextEncoder().encode('GET / HTTP/1.0\r\n\r\n'));
  await closed;
  assert.equal(await ask(port, x509(false)), 'hello\n');
  assert.equal(seen.clients, 1);
});

test('files that cannot serve are named at once', t => {
  const broken = mkdtempSync(join(tmpdir(), 'lpar-tls-'));
  t.after(() => rmSync(broken, { recursive: true }));
  const says = (message: RegExp, options = x509(true, { folder: broken })) =>
    assert.throws(() => loadCredentials(nodeHost, options), { message });
  says(/^Unable to access credentials \S+\/ca-cert.pem: No such file or directory$/);
  cpSync(folder, broken, { recursive: true });
  loadCredentials(nodeHost, x509(true, { folder: broken }));
  copyFileSync(join(folder, 'client-key.pem'), join(broken, 'server-key.pem'));
  says(/^The key \S+\/server-key.pem is not that of the certificate \S+\/server-cert.pem$/);
  makeCertificate(broken, 'server', '/CN=server', 'clientAuth');
  says(/server-cert.pem purpose does not allow use with a TLS server$/);
  makeCertificate(broken, 'server', '/CN=server', 'serverAuth', '-days', '-1');
  says(/^The server certificate \S+ has expired$/);
  copyFileSync(join(folder, 'server-cert.pem'), join(broken, 'ca-cert.pem'));
  says(/ca-cert.pem basic constraints do not show a CA$/);
  writeFileSync(join(broken, 'ca-cert.pem'), 'nonsense');
  says(/ca-cert.pem: there is no certificate in PEM in it$/);

  cpSync(folder, broken, { recursive: true });
  makeCertificates(broken);
  copyFileSync(join(folder, 'ca-cert.pem'), join(broken, 'ca-cert.pem'));
  says(/failed validation against .*known issuer$/);
  // Unless nobody looks.
  loadCredentials(nodeHost, x509(true, { folder: broken, sane: false }));

  const key = readFileSync(join(folder, 'server-key.pem'));
  const locked = execFileSync('openssl', ['pkcs8', '-topk8', '-passout', 'pass:sesame'], { input: key });
  cpSync(folder, broken, { recursive: true });
  writeFileSync(join(broken, 'server-key.pem'), locked);
  says(/server-key.pem: its password is not right$/);
  says(/server-key.pem: its password is not right$/, x509(true, { folder: broken, password: 'wrong' }));
  loadCredentials(nodeHost, x509(true, { folder: broken, password: 'sesame' }));
});
