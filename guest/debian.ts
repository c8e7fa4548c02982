/**
 * Debian packages for s390x, from this machine's apt or from a mirror, kept in the cache.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aptSource, archiveKeys, hasApt, machineMirrors } from './apt.ts';
import { cacheFolder, exists, locked, place } from './cache.ts';
import { debEntries } from './deb.ts';
import { type Follow, fileName, type Package, PackageList } from './packages.ts';
import { architecture, debian13, type Source } from './source.ts';
import { Tree } from './tree.ts';

export interface DebianOptions {
  /** The codename of the suite: Debian 13 by default. Without apt there are keys for that one only. */
  suite?: string;
  /** The dependencies to fetch too: all, none (the default), or those whose name passes. */
  withDependencies?: Follow;
  /** Ask the source for its current list first; without it the list in the cache serves as long as it can. */
  update?: boolean;
  /** The URL of a Debian mirror; by default $LPAR_DEBIAN_MIRROR, else the one in apt's sources. */
  mirror?: string;
  /** Whether apt may be used; by default it is, where it is there with Debian's keys, unless $LPAR_GUEST_APT is 0. */
  apt?: boolean;
  /** The cache folder. */
  cache?: string;
  /** The source itself, instead of one chosen by the options above. */
  source?: Source;
  /** What may stand in, in this order, when the source's current list names packages that the source does not have. */
  instead?: (list: PackageList) => readonly string[][];
}

/** No source could be found or reached; the message says what to do. */
export class NoSource extends Error {}

/** The source's own, current list names packages that cannot be had from it. */
export class Unobtainable extends Error {}

/** The files of the named packages, and of their dependencies as far as the options say, in the cache. */
export async function debianPackages(names: readonly string[], options: DebianOptions = {}): Promise<string[]> {
  const home = join(options.cache ?? cacheFolder(), `debian-${options.suite ?? debian13}-${architecture}`);
  const request = join(home, 'requests', `${requestKey(names, options.withDependencies)}.json`);
  if (!options.update) {
    const known = await answered(request, home);
    if (known) return known;
  }
  return locked(join(home, 'lock'), async () => {
    const known = options.update ? undefined : await answered(request, home);
    return known ?? fetchPackages(names, options, home, request);
  });
}

/** For so long, in milliseconds, a list that has been fetched is taken for the source's current one. */
const CURRENT = 15 * 60_000;

async function fetchPackages(
  requested: readonly string[],
  options: DebianOptions,
  home: string,
  request: string,
): Promise<string[]> {
  let names = requested;
  let others: string[][] | undefined;
  const listFile = join(home, 'Packages');
  const pool = join(home, 'pool');
  await mkdir(pool, { recursive: true });
  let source: Source | undefined;
  const chosen = () => {
    source ??= options.source ?? chooseSource(join(home, 'apt'), options);
    return source;
  };
  let fresh = false;
  const refresh = async () => {
    const from = chosen();
    console.error(
      `lpar: fetching the list of Debian ${options.suite ?? debian13} packages for ${architecture} with ${from.name}`,
    );
    await place(listFile, async part => {
      await from.list(part);
      await utimes(part, new Date(), new Date());
    });
    await rm(join(home, 'requests'), { recursive: true, force: true });
    fresh = true;
  };

  if (options.update || !(await exists(listFile))) await refresh();
  else fresh = Date.now() - (await stat(listFile)).mtimeMs < CURRENT;
  for (;;) {
    const list = new PackageList(await readFile(listFile, 'utf8'));
    try {
      const packages = list.resolve(names, options.withDependencies);
      const missing: Package[] = [];
      for (const wanted of packages) if (!(await exists(join(pool, fileName(wanted))))) missing.push(wanted);
      if (missing.length > 0) {
        const megabytes = (missing.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1);
        console.error(
          `lpar: fetching ${missing.length === 1 ? 'a package' : `${missing.length} packages`} (${megabytes} MB) with ${chosen().name}`,
        );
        await place(join(home, 'incoming'), async folder => {
          await mkdir(folder);
          await chosen().download(missing, wanted => join(folder, fileName(wanted)));
          for (const wanted of missing) {
            await rename(join(folder, fileName(wanted)), join(pool, fileName(wanted)));
          }
        });
        await rm(join(home, 'incoming'), { recursive: true, force: true });
      }
      const files = packages.map(fileName);
      await place(request, part => writeFile(part, JSON.stringify(files)));
      return files.map(name => join(pool, name));
    } catch (error) {
      if (error instanceof NoSource) throw error;
      // The list may be older than what the mirror still has.
      if (!fresh) {
        await refresh();
        continue;
      }
      others ??= [...(options.instead?.(list) ?? [])];
      const next = others.shift();
      if (!next) throw new Unobtainable(`${names.join(', ')}: ${(error as Error).message}`);
      console.error(`lpar: ${names.join(', ')} cannot be had there: taking ${next.join(', ')}`);
      names = next;
    }
  }
}

function requestKey(names: readonly string[], follow: Follow | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([names, String(follow ?? false)]))
    .digest('hex')
    .slice(0, 16);
}

async function answered(request: string, home: string): Promise<string[] | undefined> {
  const text = await readFile(request, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const files = (JSON.parse(text) as string[]).map(name => join(home, 'pool', name));
  for (const path of files) if (!(await exists(path))) return undefined;
  return files;
}

/** apt where the machine has it with Debian's keys and a mirror is known; else the mirror that the user names. */
function chooseSource(aptHome: string, options: DebianOptions): Source {
  const named = options.mirror ?? process.env.LPAR_DEBIAN_MIRROR;
  const keys = archiveKeys(options.suite);
  if ((options.apt ?? process.env.LPAR_GUEST_APT !== '0') && keys.length > 0 && hasApt()) {
    const mirrors = named ? [named] : machineMirrors();
    if (mirrors.length > 0) return aptSource(aptHome, mirrors, keys, options.suite);
  }
  if (named) return lazyMirror(named.replace(/\/+$/, ''), options.suite);
  throw new NoSource(
    'no Debian mirror is known: name one, as in LPAR_DEBIAN_MIRROR=https://mirror.example.org/debian npm start',
  );
}

/** The mirror's code, and OpenPGP with it, is loaded only when it is needed. */
function lazyMirror(url: string, suite?: string): Source {
  const source = import('./mirror.ts').then(({ mirrorSource }) => mirrorSource(url, undefined, undefined, suite));
  return {
    name: url,
    list: async file => (await source).list(file),
    download: async (packages, file) => (await source).download(packages, file),
  };
}

/** What a guest has no use for: documentation, translations, and what only a package manager reads. */
export const documentation = (path: string) =>
  /^usr\/share\/(doc|man|info|locale|lintian|bug|doc-base)(\/|$)/.test(path);

/** The files of packages as one tree with a merged /usr. Maintainer scripts are not run. */
export async function packageTree(
  files: readonly string[],
  wanted: (path: string) => boolean = path => !documentation(path),
): Promise<Tree> {
  const tree = Tree.merged();
  for (const path of files) await tree.addAll(debEntries(path, wanted));
  return tree;
}
