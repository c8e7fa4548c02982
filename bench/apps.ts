/**
 * Programs from Debian's packages that work on real input inside Linux: one guest with all of them.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { debianGuest, type Guest } from '../guest/image.ts';
import { file, symlink } from '../guest/tree.ts';
import { linuxProgram } from './compile.ts';

const packages = [
  ...['libc6', 'libgcc-s1', 'zlib1g', 'libtinfo6', 'pigz', 'lua5.4', 'libreadline8t64'],
  ...['python3.13-minimal', 'libpython3.13-minimal', 'libpython3.13-stdlib', 'libexpat1'],
  ...['cpp-14-s390x-linux-gnu', 'gcc-14-s390x-linux-gnu', 'libgcc-14-dev', 'libc6-dev', 'linux-libc-dev'],
  ...['binutils-s390x-linux-gnu', 'libbinutils', 'libsframe1', 'libjansson4', 'libzstd1'],
  ...['libgmp10', 'libmpc3', 'libmpfr6', 'libisl23', 'libstb-dev'],
];
const library = '/usr/lib/python3.13';
/** A command for each name. */
const commands: Record<string, string> = {
  zlib: `/usr/bin/pigz -n -p 1 -c /usr/lib/s390x-linux-gnu/libc.so.6 /usr/include/stb/stb.h`,
  python: `/usr/bin/python3.13 -B -I -S /bench/tokens.py ${library}/tokenize.py ${library}/ast.py`,
  lua: '/usr/bin/lua5.4 /bench/words.lua /usr/include/stb/stb.h',
  gcc: '/bench/compile /usr/include/stb/stb_dxt.h -DSTB_DXT_IMPLEMENTATION',
};
export const apps: readonly string[] = Object.keys(commands);

/** The guest, and the argument of its first process that runs the programs in turn. */
export async function appsGuest(names: readonly string[], rounds: number): Promise<{ guest: Guest; append: string }> {
  const here = (name: string) => readFile(fileURLToPath(new URL(`./programs/linux/${name}`, import.meta.url)));
  const script = [
    '#!/bin/sh',
    'rounds=$1',
    'shift',
    'for name; do',
    '  case $name in',
    ...Object.entries(commands).map(([name, command]) => `    ${name}) /usr/bin/timed $rounds ${name} ${command} ;;`),
    '  esac',
    'done',
    '',
  ];
  const guest = await debianGuest({
    packages,
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
      file('bench/compile', '#!/bin/sh\ns390x-linux-gnu-gcc-14 -O2 -c -x c "$@" -o /tmp/o && cat /tmp/o\n', 0o755),
      file('bench/tokens.py', await here('tokens.py')),
      file('bench/words.lua', await here('words.lua')),
    ],
  });
  return { guest, append: `-- /usr/bin/apps ${rounds} ${names.join(' ')}` };
}
