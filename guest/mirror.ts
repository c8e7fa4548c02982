/**
 * Debian packages from a mirror without apt: the signed Release file is checked against the archive keys in keys/, it
 * vouches for the Packages file, and that for each package.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { setGlobalProxyFromEnv } from 'node:http';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import * as openpgp from 'openpgp';
import { parseFields } from './packages.ts';
import { architecture, component, debian13, type Source } from './source.ts';
import { unxz } from './xz.ts';

/** How the Packages file may be packed, the best way first. */
const decompressors = [
  ['.xz', () => unxz],
  ['.gz', createGunzip],
  ['', () => new PassThrough()],
] as const;

/** The keys that may sign a Release file (keys/README.md). */
export const fingerprints: readonly string[] = [
  '04b54c3cdca79751b16bc6b5225629df75b188bd',
  '41587f7db8c774bccf131416762f67a0b2c39de4',
];

/** How long a connection may stay silent. */
const silence = 60_000;

/** The archive keys that come with lpar. */
export async function archiveKeys(): Promise<openpgp.PublicKey[]> {
  const armoredKeys = await readFile(new URL('./keys/debian-archive.asc', import.meta.url), 'utf8');
  const keys = await openpgp.readKeys({ armoredKeys });
  return keys.filter(key => fingerprints.includes(key.getFingerprint())) as openpgp.PublicKey[];
}

/** A mirror as a source; `mirror` is the URL above `dists` and `pool` (http, https or file). */
export function mirrorSource(
  mirror: string,
  keys: () => Promise<openpgp.PublicKey[]> = archiveKeys,
  progress: Progress = terminalProgress,
  suite = debian13,
): Source {
  const base = mirror.replace(/\/+$/, '');
  const dists = `${base}/dists/${suite}`;
  return {
    name: base,

    async list(file) {
      const release = await signedRelease(dists, suite, await keys());
      if (release.codename !== suite) throw new Error(`${dists}: the Release file is for ${release.codename}`);
      const until = release['valid-until'];
      if (until && Date.parse(until) < Date.now()) throw new Error(`${dists}: the Release file expired on ${until}`);
      const hashes = new Map(
        (release.sha256 ?? '')
          .split('\n')
          .map(line => line.trim().split(/\s+/))
          .filter(words => words.length === 3)
          .map(([sha256, size, path]) => [path, { sha256, size: Number(size) }]),
      );
      const path = `${component}/binary-${architecture}/Packages`;
      for (const [suffix, decompressor] of decompressors) {
        const expected = hashes.get(path + suffix);
        if (!expected) continue;
        // By its hash a file stays fetchable while the mirror is being updated.
        const byHash = `${component}/binary-${architecture}/by-hash/SHA256/${expected.sha256}`;
        for (const place of release['acquire-by-hash'] === 'yes' ? [byHash, path + suffix] : [path + suffix]) {
          const packed = `${file}.packed`;
          try {
            await fetchChecked(`${dists}/${place}`, packed, expected, progress, `Packages${suffix}`);
            await pipeline(createReadStream(packed), decompressor(), createWriteStream(file));
            return;
          } catch (error) {
            if (!(error instanceof NotFound)) throw error;
          } finally {
            await rm(packed, { force: true });
          }
        }
      }
      throw new Error(`${dists} has no packages for ${architecture}`);
    },

    async download(packages, file) {
      for (const wanted of packages) {
        await fetchChecked(`${base}/${wanted.filename}`, file(wanted), wanted, progress, wanted.name);
      }
    },
  };
}

/** The fields of the Release file, from InRelease or from Release and Release.gpg, after its signature was found good. */
async function signedRelease(
  dists: string,
  suite: string,
  verificationKeys: openpgp.PublicKey[],
): Promise<Record<string, string | undefined>> {
  const inRelease = await fetchText(`${dists}/InRelease`);
  if (inRelease !== undefined) {
    const message = await openpgp.readCleartextMessage({ cleartextMessage: inRelease });
    const { data, signatures } = await openpgp.verify({ message, verificationKeys });
    await anyGood(`${dists}/InRelease`, signatures);
    return parseFields(data);
  }
  const release = await fetchText(`${dists}/Release`);
  const armoredSignature = await fetchText(`${dists}/Release.gpg`);
  if (release === undefined || armoredSignature === undefined) {
    throw new Error(`${dists} has neither InRelease nor Release.gpg: is that a Debian mirror with ${suite}?`);
  }
  const message = await openpgp.createMessage({ binary: Buffer.from(release) });
  const signature = await openpgp.readSignature({ armoredSignature });
  const { signatures } = await openpgp.verify({ message, signature, verificationKeys, format: 'binary' });
  await anyGood(`${dists}/Release.gpg`, signatures);
  return parseFields(release);
}

/** A Release file bears signatures of several keys; one good signature of a trusted key is enough. */
async function anyGood(url: string, signatures: openpgp.VerifyMessageResult['signatures']) {
  const reasons: string[] = [];
  for (const { verified, keyID } of signatures) {
    try {
      await verified;
      return;
    } catch (error) {
      reasons.push(`${keyID.toHex()}: ${(error as Error).message}`);
    }
  }
  throw new Error(`${url}: no good signature by Debian's archive keys (${reasons.join('; ') || 'not signed'})`);
}

async function fetchText(url: string): Promise<string | undefined> {
  if (url.startsWith('file:')) return readFile(fileURLToPath(url), 'utf8').catch(() => undefined);
  const response = await connect(url, AbortSignal.timeout(silence));
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${response.statusText}`);
  return response.text();
}

let proxied = false;

async function connect(url: string, signal: AbortSignal): Promise<Response> {
  // http_proxy, https_proxy and no_proxy count, as they do for other programs that download.
  if (!proxied) setGlobalProxyFromEnv();
  proxied = true;
  try {
    return await fetch(url, { signal });
  } catch (error) {
    const { message, cause } = error as Error;
    throw new Error(`${url}: ${cause instanceof Error && cause.message ? cause.message : message}`);
  }
}

async function fetchChecked(
  url: string,
  file: string,
  expected: { size: number; sha256: string },
  progress: Progress,
  label: string,
) {
  const hash = createHash('sha256');
  let done = 0;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), silence);
  try {
    const body = await open(url, abort.signal);
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(() => abort.abort(), silence);
          done += chunk.length;
          if (done > expected.size) throw new Error('larger than announced');
          hash.update(chunk);
          progress(label, done, expected.size);
          yield chunk;
        }
      },
      createWriteStream(file),
      { signal: abort.signal },
    );
    const sha256 = hash.digest('hex');
    if (done !== expected.size) throw new Error(`${done} bytes instead of ${expected.size}`);
    if (sha256 !== expected.sha256) throw new Error(`SHA-256 ${sha256} instead of ${expected.sha256}`);
  } catch (error) {
    await rm(file, { force: true });
    if (error instanceof NotFound) throw error;
    const reason = abort.signal.aborted ? `silent for ${silence / 1000} s` : (error as Error).message;
    throw new Error(reason.startsWith(url) ? reason : `${url}: ${reason}`);
  } finally {
    clearTimeout(timer);
  }
}

async function open(url: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (url.startsWith('file:')) {
    const path = fileURLToPath(url);
    await stat(path).catch(() => {
      throw new NotFound(`${url}: not found`);
    });
    return createReadStream(path);
  }
  const response = await connect(url, signal);
  if (response.status === 404) throw new NotFound(`${url}: not found`);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status} ${response.statusText}`);
  return response.body;
}

class NotFound extends Error {}

/** Told as a download goes on. */
export type Progress = (label: string, done: number, total: number) => void;

/** Progress on stderr: one line that changes on a terminal, one line per file elsewhere. */
export const terminalProgress: Progress = (label, done, total) => {
  const size = `${(total / 1e6).toFixed(1)} MB`;
  if (process.stderr.isTTY) {
    const percent = Math.floor((100 * done) / total);
    process.stderr.write(`\r${label}: ${percent} % of ${size}\x1b[K${done === total ? '\n' : ''}`);
  } else if (done === total) {
    process.stderr.write(`${label}: ${size}\n`);
  }
};
