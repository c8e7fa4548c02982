/** TLS on Node. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { HostError } from '../host.ts';
import type { PemFile, TlsCredentials, TlsSettings } from '../tls.ts';
import { hostError } from './errors.ts';

/** Milliseconds that a client may take to show who it is. */
const HANDSHAKE = 30_000;

/** Node knows keys of both sides, and cipher suites without certificates, only up to this version. */
const WITHOUT_CERTIFICATES = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

const buffer = (file: PemFile): Buffer => Buffer.from(file.text);

function contextOptions(credentials: TlsCredentials): SecureContextOptions {
  switch (credentials.kind) {
    case 'x509': {
      const { authorities, revoked, own, dhParameters } = credentials;
      return {
        ca: buffer(authorities),
        ...(revoked && { crl: buffer(revoked) }),
        ...(own && { cert: buffer(own.certificate), key: buffer(own.key), passphrase: own.password }),
        dhparam: dhParameters ? buffer(dhParameters) : 'auto',
      };
    }
    case 'psk':
      return { ...WITHOUT_CERTIFICATES, ciphers: 'PSK' };
    case 'anonymous': {
      const { dhParameters } = credentials;
      // Such suites are below what OpenSSL takes for secure, because they are open to somebody in between.
      const ciphers = 'ADH:AECDH:!eNULL:@SECLEVEL=0';
      return { ...WITHOUT_CERTIFICATES, ciphers, dhparam: dhParameters ? buffer(dhParameters) : 'auto' };
    }
  }
}

/** A server that hands over clients which have shown that they may connect. */
export function secureServer(settings: TlsSettings, nodelay: boolean, accept: (socket: Socket) => void): Server {
  const { credentials } = settings;
  const verifies = credentials.kind === 'x509' && credentials.verifyPeer;
  let options: TlsOptions = {
    ...contextOptions(credentials),
    noDelay: nodelay,
    handshakeTimeout: HANDSHAKE,
    requestCert: verifies,
    rejectUnauthorized: verifies,
  };
  const identities = new WeakMap<TLSSocket, string>();
  if (credentials.kind === 'psk') {
    const { keys } = credentials;
    const pskCallback = (socket: TLSSocket, identity: string): Uint8Array | null => {
      identities.set(socket, identity);
      return keys.get(identity) ?? null;
    };
    // Node's types are those of the client's function.
    options = { ...options, pskCallback: pskCallback as unknown as TlsOptions['pskCallback'] };
  }
  return createServer(options, socket => {
    const identity = identities.get(socket) ?? distinguishedName(socket);
    if (settings.authorize && !settings.authorize(identity)) socket.destroy();
    else accept(socket);
  });
}

/** As GnuTLS writes it, which QEMU's access lists are made for: `C=DE,O=Example\, Inc.,CN=client`. */
function distinguishedName(socket: TLSSocket): string {
  return (socket.getPeerX509Certificate()?.subject ?? '').replaceAll('\n', ',');
}

/** Connects to a server and checks it. @throws HostError */
export function secureConnection(
  settings: TlsSettings,
  where: { readonly host: string; readonly port: number; readonly noDelay: boolean },
): Promise<Socket> {
  const { credentials } = settings;
  let options: ConnectionOptions = { ...contextOptions(credentials), ...where, rejectUnauthorized: false };
  if (isIP(where.host) === 0) options.servername = where.host;
  if (credentials.kind === 'x509') options.rejectUnauthorized = credentials.verifyPeer;
  else options.checkServerIdentity = () => undefined;
  if (credentials.kind === 'psk') {
    const { keys, identity } = credentials;
    const psk = keys.get(identity);
    options = { ...options, pskCallback: () => (psk ? { psk, identity } : null) };
  }
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    socket.once('error', error => reject(tlsError(error)));
    socket.once('secureConnect', () => resolve(socket));
  });
}

/** OpenSSL's errors in its own words, without its internals. */
function tlsError(error: Error): HostError {
  const { reason } = error as { reason?: string };
  return reason === undefined ? hostError(error) : new HostError(`TLS: ${reason}`);
}

/**
 * Looks whether credentials can serve their purpose, so that a wrong file is noticed at the start and not by the first client.
 * @param sane looks into the certificates, too
 * @throws HostError
 */
export function checkTls(credentials: TlsCredentials, server: boolean, sane: boolean): void {
  if (credentials.kind === 'x509') checkCertificates(credentials, server, sane);
  try {
    createSecureContext(contextOptions(credentials));
  } catch (error) {
    throw tlsError(error as Error);
  }
}

function checkCertificates(credentials: TlsCredentials & { kind: 'x509' }, server: boolean, sane: boolean): void {
  const { authorities, own } = credentials;
  const all = certificates(authorities);
  const [certificate] = own ? certificates(own.certificate) : [];
  if (own && certificate) {
    let key: ReturnType<typeof createPrivateKey>;
    try {
      key = createPrivateKey({ key: buffer(own.key), passphrase: own.password });
    } catch (error) {
      const { code, reason = 'it is not a private key' } = error as { code?: string; reason?: string };
      const locked = code === 'ERR_MISSING_PASSPHRASE' || /decrypt|password|cancelled/i.test(reason);
      throw new HostError(`Unable to import key ${own.key.path}: ${locked ? 'its password is not right' : reason}`);
    }
    if (!certificate.checkPrivateKey(key)) {
      throw new HostError(`The key ${own.key.path} is not that of the certificate ${own.certificate.path}`);
    }
  }
  if (!sane) return;
  for (const one of all) {
    checkDates(one, authorities.path, 'CA certificate');
    if (!one.ca) throw new HostError(`The certificate ${authorities.path} basic constraints do not show a CA`);
  }
  if (!own || !certificate) return;
  const { path } = own.certificate;
  checkDates(certificate, path, `${server ? 'server' : 'client'} certificate`);
  if (certificate.ca) {
    throw new HostError(
      `The certificate ${path} basic constraints show a CA, but we need one for a ${server ? 'server' : 'client'}`,
    );
  }
  const purposes = certificate.keyUsage;
  if (purposes?.length && !purposes.includes(server ? SERVER_PURPOSE : CLIENT_PURPOSE)) {
    throw new HostError(`Certificate ${path} purpose does not allow use with a TLS ${server ? 'server' : 'client'}`);
  }
  const issuer = all.find(one => certificate.checkIssued(one));
  if (!issuer?.publicKey || !certificate.verify(issuer.publicKey)) {
    throw new HostError(
      `Our own certificate ${path} failed validation against ${authorities.path}: The certificate hasn't got a known issuer`,
    );
  }
}

/** Extended key usages. */
const SERVER_PURPOSE = '1.3.6.1.5.5.7.3.1';
const CLIENT_PURPOSE = '1.3.6.1.5.5.7.3.2';

function certificates({ path, text }: PemFile): X509Certificate[] {
  const blocks = new TextDecoder().decode(text).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (!blocks) throw new HostError(`Unable to import certificates ${path}: there is no certificate in PEM in it`);
  try {
    return blocks.map(block => new X509Certificate(block));
  } catch {
    throw new HostError(`Unable to import certificates ${path}: one of them is damaged`);
  }
}

function checkDates(certificate: X509Certificate, path: string, what: string): void {
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now) throw new HostError(`The ${what} ${path} has expired`);
  if (Date.parse(certificate.validFrom) > now) throw new HostError(`The ${what} ${path} is not yet active`);
}
