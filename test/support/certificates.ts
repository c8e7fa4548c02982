/** Certificates for tests of TLS, made with openssl. */

import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (folder: string, ...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

/**
 * Fills a folder as `-object tls-creds-x509,dir=` wants it: an authority, and certificates of a server for 127.0.0.1 and
 * localhost and of a client.
 */
export function makeCertificates(folder: string): void {
  const newKey = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const extension = (text: string) => ['-addext', text];
  openssl(
    folder,
    ...[...newKey, '-x509', '-keyout', 'ca-key.pem', '-out', 'ca-cert.pem', '-days', '2', '-subj', '/CN=Test CA'],
    ...extension('keyUsage=critical,keyCertSign,cRLSign'),
  );
  makeCertificate(folder, 'server', '/O=Example/CN=server', 'serverAuth');
  makeCertificate(folder, 'client', '/C=DE/O=Example, Inc./CN=client', 'clientAuth');
}

/** A certificate signed by the authority in the folder. */
export function makeCertificate(
  folder: string,
  name: string,
  subject: string,
  purpose: string,
  ...more: string[]
): void {
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(folder, ...request, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`, '-subj', subject);
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  writeFileSync(join(folder, 'extensions'), `basicConstraints=CA:FALSE\nextendedKeyUsage=${purpose}\n${names}\n`);
  openssl(
    folder,
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca-cert.pem', '-CAkey', 'ca-key.pem', '-extfile', 'extensions'],
    ...['-out', `${name}-cert.pem`, ...(more.includes('-days') ? [] : ['-days', '2']), ...more],
    ...(existsSync(join(folder, 'ca-cert.srl')) ? [] : ['-CAcreateserial']),
  );
}
