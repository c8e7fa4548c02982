/**
 * Debian packages through the machine's own apt: the mirror is the one in its sources, the signature is checked with the
 * machine's copy of Debian's archive keys. apt runs without root on configuration and folders of our own and never reads
 * or writes the machine's package state.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from './cache.ts';
import { fileName, parseFields } from './packages.ts';
import { architecture, component, debian13, type Source } from './source.ts';

/** Debian's archive keys on this machine, or none. */
export function archiveKeys(
  suite = debian13,
  folders: readonly string[] = ['/usr/share/keyrings', '/etc/apt/trusted.gpg.d'],
): readonly string[] {
  for (const pattern of [
    new RegExp(`^debian-archive-${suite}-(automatic|stable)\\.(gpg|pgp|asc)$`),
    /^debian-archive-keyring\.(gpg|pgp|asc)$/,
  ]) {
    for (const folder of folders) {
      if (!existsSync(folder)) continue;
      const found = readdirSync(folder).filter(file => pattern.test(file));
      // The same keys may lie there as .gpg and as .pgp.
      const unique = new Map(found.map(file => [file.replace(/\.[a-z]+$/, ''), join(folder, file)]));
      if (unique.size > 0) return [...unique.values()];
    }
  }
  return [];
}

/** Whether apt-get is there. */
export function hasApt(): boolean {
  return process.platform !== 'win32' && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The Debian mirrors in this machine's apt sources, in their order. */
export function machineMirrors(folder = '/etc/apt'): string[] {
  const read = (file: string) => readFileSync(file, 'utf8');
  const parts = join(folder, 'sources.list.d');
  const files = existsSync(parts) ? readdirSync(parts).sort() : [];
  const texts: string[] = [];
  if (existsSync(join(folder, 'sources.list'))) texts.push(read(join(folder, 'sources.list')));
  const mirrors = texts.flatMap(text => oneLineMirrors(text));
  for (const file of files) {
    if (file.endsWith('.list')) mirrors.push(...oneLineMirrors(read(join(parts, file))));
    if (file.endsWith('.sources')) mirrors.push(...deb822Mirrors(read(join(parts, file))));
  }
  return [...new Set(mirrors)];
}

const debianSuites =
  /^(debian\d+|buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)(-updates|-backports|-proposed-updates)?$/;

function isDebian(uri: string, suites: readonly string[], components: readonly string[]): boolean {
  return (
    suites.some(name => debianSuites.test(name)) &&
    components.includes(component) &&
    !/^cdrom:/.test(uri) &&
    // Other archives use Debian's suite names too; a copy of Debian's own calls itself so, or is a whole host.
    /(debian|^file:|^mirror\+)/i.test(uri) &&
    !/security|backports-sloppy/i.test(uri)
  );
}

/** sources.list(5), "one-line-style": deb [ option=value … ] uri suite component … */
export function oneLineMirrors(text: string): string[] {
  const mirrors: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line.replace(/#.*/, ''));
    if (match && isDebian(match[1], [match[2]], match[3].trim().split(/\s+/))) mirrors.push(match[1]);
  }
  return mirrors.map(withoutSlash);
}

/** sources.list(5), "deb822-style". */
export function deb822Mirrors(text: string): string[] {
  const mirrors: string[] = [];
  const words = (value: string | undefined) => value?.split(/\s+/).filter(word => word !== '') ?? [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields = parseFields(stanza);
    if (!words(fields.types).includes('deb') || /^(no|false|without|off|disable)$/i.test(fields.enabled ?? ''))
      continue;
    for (const uri of words(fields.uris)) {
      if (isDebian(uri, words(fields.suites), words(fields.components))) mirrors.push(uri);
    }
  }
  return mirrors.map(withoutSlash);
}

/** How the names of apt's list files end. */
const listName = `_${component}_binary-${architecture}_Packages`;

const withoutSlash = (uri: string) => uri.replace(/\/+$/, '');

/** apt as a source: `home` is a folder of ours for its state. */
export function aptSource(home: string, mirrors: readonly string[], keys: readonly string[], suite = debian13): Source {
  const listed = async () =>
    (await readdir(join(home, 'lists')).catch(() => [])).filter(name => name.endsWith(listName));

  async function configure(uri: string) {
    for (const folder of ['lists/partial', 'cache/archives/partial', 'etc/apt.conf.d', 'etc/preferences.d']) {
      await mkdir(join(home, folder), { recursive: true });
    }
    await writeFile(join(home, 'status'), '');
    await writeFile(
      join(home, 'etc', 'debian.sources'),
      [
        'Types: deb',
        `URIs: ${uri}`,
        `Suites: ${suite}`,
        `Components: ${component}`,
        `Architectures: ${architecture}`,
        `Signed-By: ${keys.join(' ')}`,
        '',
      ].join('\n'),
    );
    await writeFile(join(home, 'apt.conf'), aptConfiguration(home, machineTransport()));
  }

  const apt = (command: string, args: readonly string[], cwd: string) =>
    new Promise<void>((resolve, reject) => {
      const child = spawn('apt-get', [command, ...args], {
        cwd,
        env: { ...process.env, APT_CONFIG: join(home, 'apt.conf'), LC_ALL: 'C.UTF-8' },
        stdio: ['ignore', process.stderr, process.stderr],
      });
      child.on('error', reject);
      child.on('exit', status =>
        status === 0 ? resolve() : reject(new Error(`apt-get ${command} failed (status ${status})`)),
      );
    });

  async function update(uri: string, file: string) {
    await configure(uri);
    await apt('update', ['-o', 'APT::Update::Error-Mode=any'], home);
    const found = await listed();
    if (found.length !== 1) throw new Error(`${uri} has no ${suite} packages for ${architecture}`);
    await link(join(home, 'lists', found[0]), file);
  }

  return {
    name: 'apt',

    async list(file) {
      await rm(join(home, 'lists'), { recursive: true, force: true });
      let failure: unknown;
      for (const uri of mirrors) {
        try {
          return await update(uri, file);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },

    async download(packages, file) {
      // apt keeps its list between runs, but its folder may have been cleared.
      if ((await listed()).length !== 1) throw new Error('the list of packages has to be fetched again');
      await writeFile(join(home, 'apt.conf'), aptConfiguration(home, machineTransport()));
      const folder = await mkdtemp(join(home, 'download-'));
      try {
        await apt(
          'download',
          packages.map(({ name, version }) => `${name}=${version}`),
          folder,
        );
        for (const wanted of packages) {
          const from = join(folder, fileName(wanted));
          if ((await sha256(from)) !== wanted.sha256) throw new Error(`${fileName(wanted)}: wrong SHA-256`);
          await rename(from, file(wanted));
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The lines of the machine's apt configuration that say how to reach the network (proxies, time limits). */
function machineTransport(): string[] {
  const { stdout } = spawnSync('apt-config', ['dump'], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(line => /^Acquire::(http|https|tor|ForceIPv[46]|Retries)\b/.test(line));
}

function aptConfiguration(home: string, transport: readonly string[]): string {
  const own = {
    Dir: `${home}/`,
    'Dir::State': home,
    'Dir::State::status': join(home, 'status'),
    'Dir::State::lists': join(home, 'lists'),
    'Dir::Cache': join(home, 'cache'),
    // Without its own caches apt takes a second longer and 80 MB less.
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Etc': join(home, 'etc'),
    'Dir::Etc::sourcelist': join(home, 'etc', 'debian.sources'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::netrc': '/etc/apt/auth.conf',
    'Dir::Etc::netrcparts': '/etc/apt/auth.conf.d',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    // As root, apt would change to a user who cannot write here. What it downloads is only ever unpacked by us.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::GzipIndexes': 'false',
    'Acquire::http::Timeout': '30',
    'Acquire::https::Timeout': '30',
  };
  return `${[...transport, ...Object.entries(own).map(([key, value]) => `${key} "${value}";`)].join('\n')}\n`;
}
