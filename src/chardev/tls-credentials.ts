/**
 * Credentials for TLS from a folder of files with well-known names, as `-object tls-creds-x509`, `tls-creds-psk` and
 * `tls-creds-anon` describe them.
 */

import { type Host, HostError } from '../platform/host.ts';
import type { PemFile, TlsCredentials } from '../platform/tls.ts';

interface Common {
  readonly server: boolean;
  readonly verifyPeer: boolean;
}

export type CredentialsOptions = Common &
  (
    | {
        readonly kind: 'x509';
        readonly folder: string;
        /** Of the private key. */
        readonly password?: string;
        /** Certificates are looked into. */
        readonly sane: boolean;
      }
    | { readonly kind: 'psk'; readonly folder: string; readonly identity: string }
    | { readonly kind: 'anonymous'; readonly folder?: string }
  );

/** @throws HostError */
export function loadCredentials(host: Host, options: CredentialsOptions): TlsCredentials {
  const credentials = read(host, options);
  host.checkTls(credentials, options.server, options.kind === 'x509' && options.sane);
  return credentials;
}

function read(host: Host, options: CredentialsOptions): TlsCredentials {
  const { server, folder } = options;
  const required = (name: string): PemFile => {
    const path = `${folder}/${name}`;
    try {
      return { path, text: host.readFile(path) };
    } catch (error) {
      throw error instanceof HostError
        ? new HostError(`Unable to access credentials ${path}: ${error.message}`)
        : error;
    }
  };
  const optional = (name: string): PemFile | undefined => {
    if (folder === undefined || !host.listFiles(folder).some(file => file.name === name)) return undefined;
    return required(name);
  };
  switch (options.kind) {
    case 'x509': {
      const { password, verifyPeer } = options;
      const authorities = required('ca-cert.pem');
      const revoked = optional('ca-crl.pem');
      const get = server ? required : optional;
      const certificate = get(server ? 'server-cert.pem' : 'client-cert.pem');
      const key = get(server ? 'server-key.pem' : 'client-key.pem');
      const dhParameters = server ? optional('dh-params.pem') : undefined;
      const own = certificate && key ? { certificate, key, password } : undefined;
      return { kind: 'x509', authorities, revoked, own, dhParameters, verifyPeer };
    }
    case 'psk': {
      const { identity } = options;
      const { path, text } = required('keys.psk');
      const keys = keysOf(new TextDecoder().decode(text), path);
      if (!server && !keys.has(identity)) throw new HostError(`Username ${identity} not found in ${path}`);
      return { kind: 'psk', keys, identity };
    }
    case 'anonymous':
      return { kind: 'anonymous', dhParameters: server ? optional('dh-params.pem') : undefined };
  }
}

/** Lines of `name:key`, the key in hexadecimal digits, as psktool of GnuTLS writes them. */
function keysOf(text: string, path: string): Map<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  for (const [n, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const [, name, digits] = /^([^:]+):((?:[0-9a-f]{2})+)\s*$/i.exec(line) ?? [];
    if (!name || !digits)
      throw new HostError(`${path}: line ${n + 1} is not NAME:KEY with a key in hexadecimal digits`);
    keys.set(
      name,
      Uint8Array.from(digits.match(/../g)!, pair => Number.parseInt(pair, 16)),
    );
  }
  return keys;
}
