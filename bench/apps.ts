/**
 * Programs from Debian's packages that work on real input inside Linux: one guest with all of them.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { NoSource, Unobtainable } from '../guest/debian.ts';
import { debianGuest, type Guest } from '../guest/image.ts';
import { debian12, debian13 } from '../guest/source.ts';
import { file, symlink } from '../guest/tree.ts';
import { linuxProgram } from './compile.ts';

/** What the programs are called in a suite. */
interface Versions {
  readonly suite: string;
  readonly python: string;
  readonly gcc: string;
  /** Packages of the compiler, and of what else goes by other names. */
  readonly packages: readonly string[];
}

/** In the order of preference: a mirror may be without a package that it lists. */
const suites: readonly Versions[] = [
  {
    suite: debian13,
    python: '3.13',
    gcc: '14',
    packages: ['cpp-14-s390x-linux-gnu', 'gcc-14-s390x-linux-gnu', 'libreadline8t64', 'libsframe1'],
  },
  { suite: debian12, python: '3.11', gcc: '12', packages: ['cpp-12', 'gcc-12', 'libreadline8'] },
];

const packagesOf = ({ python, gcc, packages }: Versions): string[] => [
  ...['libc6', 'libgcc-s1', 'zlib1g', 'libtinfo6', 'pigz', 'lua5.4', 'libexpat1', ...packages],
  ...[`python${python}-minimal`, `libpython${python}-minimal`, `libpython${python}-stdlib`],
  ...[`libgcc-${gcc}-dev`, 'libc6-dev', 'linux-libc-dev', 'binutils-s390x-linux-gnu', 'libbinutils'],
  ...['libjansson4', 'libzstd1', 'libgmp10', 'libmpc3', 'libmpfr6', 'libisl23', 'libstb-dev'],
];

/** A command for each name. */
const commandsOf = ({ python }: Versions): Record<string, string> => ({
  zlib: `/usr/bin/pigz -n -p 1 -c /usr/lib/s390x-linux-gnu/libc.so.6 /usr/include/stb/stb.h`,
  python: `/usr/bin/python${python} -B -I -S /bench/tokens.py /usr/lib/python${python}/tokenize.py /usr/lib/python${python}/ast.py`,
  lua: '/usr/bin/lua5.4 /bench/words.lua /usr/include/stb/stb.h',
  gcc: '/bench/compile /usr/include/stb/stb_dxt.h -DSTB_DXT_IMPLEMENTATION',
});
export const apps: readonly string[] = Object.keys(commandsOf(suites[0]!));

/** The guest, and the argument of its first process that runs the programs in turn. */
export async function appsGuest(names: readonly string[], rounds: number): Promise<{ guest: Guest; append: string }> {
  const append = `-- /usr/bin/apps ${rounds} ${names.join(' ')}`;
  for (const versions of suites) {
    try {
      return { guest: await guestOf(versions), append };
    } catch (error) {
      if (!(error instanceof Unobtainable)) throw error;
      console.log(`the programs of Debian ${versions.suite} cannot be had: ${error.message}`);
    }
  }
  throw new NoSource('there are no programs to measure');
}

async function guestOf(versions: Versions): Promise<Guest> {
  const here = (name: string) => readFile(fileURLToPath(new URL(`./programs/linux/${name}`, import.meta.url)));
  const script = [
    '#!/bin/sh',
    'rounds=$1',
    'shift',
    'for name; do',
    '  case $name in',
    ...Object.entries(commandsOf(versions)).map(
      ([name, command]) => `    ${name}) /usr/bin/timed $rounds ${name} ${command} ;;`,
    ),
    '  esac',
    'done',
    '',
  ];
  const compile = `#!/bin/sh\ns390x-linux-gnu-gcc-${versions.gcc} -O2 -c -x c "$@" -o /tmp/o && cat /tmp/o\n`;
  return debianGuest({
    packages: packagesOf(versions),
    packageSuite: versions.suite,
    withDependencies: false,
    // What is large and not used here.
    wanted: path =>
      !/^usr\/share\/|\/lto|\.a$|lto-dump|gcov|\/gconv\/|usr\/bin\/s390x-linux-gnu-(ld|obj|readelf|gp|dwp|elfedit)|lib-dynload/.test(
        path,
      ),
    gzip: false,
    files: [
      file('usr/bin/timed', await readFile(await linuxProgram('timed')), 0o755),
      file('usr/bin/apps', script.join('\n'), 0o755),
      symlink('usr/bin/as', 's390x-linux-gnu-as'),
      file('bench/compile', compile, 0o755),
      file('bench/tokens.py', await here('tokens.py')),
      file('bench/words.lua', await here('words.lua')),
    ],
  });
}
