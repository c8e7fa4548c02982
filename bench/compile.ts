/**
 * The programs of the bench, compiled for s390x when they are first needed and kept in the cache by their content.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, exists, place } from '../guest/cache.ts';
import { flatProgram } from './flat.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('./programs', import.meta.url));
const COMPILER = 's390x-linux-gnu-gcc';
const OBJCOPY = 's390x-linux-gnu-objcopy';

/** The bare programs, in the order in which they are reported: loops of C; what has no locality; what makes code. */
export const loops: readonly string[] = ['sieve', 'crc32', 'sha256', 'strings', 'qsort', 'matmul', 'wide', 'bytecode'];
export const flat: readonly string[] = ['flat500', 'flat2000', 'flat8000'];
export const barePrograms: readonly string[] = [...loops, ...flat, 'generate'];

/** Processors to compile for: what lpar and QEMU have, and what Hercules 3 has. */
export type Level = 'z13' | 'z10';
const levelOptions: Record<Level, string[]> = { z13: ['-march=z13', '-mno-vx'], z10: ['-march=z10'] };

const BARE = [
  '-ffreestanding',
  '-fno-pie',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns',
];
const LINK = ['-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,--no-warn-rwx-segments,-z,noexecstack'];

/** Says what to install when there is no compiler. */
export async function checkCompiler(): Promise<void> {
  try {
    await run(COMPILER, ['--version']);
  } catch {
    throw new Error(
      `there is no ${COMPILER}; on Debian and Ubuntu: apt install gcc-s390x-linux-gnu libc6-dev-s390x-cross`,
    );
  }
}

async function kept(name: string, inputs: readonly (string | Uint8Array)[], make: (to: string) => Promise<void>) {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(input).update('\0');
  const path = join(cacheFolder(), 'bench', `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (!(await exists(path))) await place(path, make);
  return path;
}

/** The image of a bare program: a file for -kernel, or for absolute address 0. */
export async function bareImage(name: string, level: Level): Promise<string> {
  const sources = ['start.S', 'runtime.c', 'bench.h', 'image.ld'].map(file => join(folder, file));
  const isFlat = flat.includes(name);
  const program = isFlat
    ? flatProgram(Number(name.slice('flat'.length)))
    : await readFile(join(folder, `${name}.c`), 'utf8');
  const options = [isFlat ? '-O1' : '-O2', ...levelOptions[level], ...BARE, ...LINK];
  const { stdout: version } = await run(COMPILER, ['--version']);
  const inputs = [program, version, ...options, ...(await Promise.all(sources.map(path => readFile(path))))];
  return kept(`${name}-${level}`, inputs, async to => {
    const [start, runtime] = sources;
    const c = `${to}.c`;
    await writeFile(c, program);
    const script = `-Wl,-T,${join(folder, 'image.ld')}`;
    await run(COMPILER, [...options, `-I${folder}`, script, '-o', `${to}.elf`, start!, runtime!, c, '-lgcc']);
    await run(OBJCOPY, ['-O', 'binary', `${to}.elf`, to]);
  });
}

/** A program for Linux in the guest, with the work of a bare program if it is named. */
export async function linuxProgram(name: string, work?: string): Promise<string> {
  const sources = [join(folder, 'linux', `${name}.c`), ...(work ? [join(folder, `${work}.c`)] : [])];
  const options = ['-O2', '-march=z10', '-static'];
  const inputs = await Promise.all(sources.map(source => readFile(source)));
  return kept(work ? `${name}-${work}` : name, [...inputs, ...options], async to => {
    await run(COMPILER, [...options, '-o', to, ...sources]);
  });
}

/** Where the parameters of a bare program are in its image: rounds, whether DAT is on, circumstances. */
const PARAMETERS = 0x10100;
export const RESULTS = 0x10110;

/** What else a bare program has to do with, a bit each. */
export const circumstances = {
  /** Each frame has a storage key, and the PSW the same; reference and change bits are reset before each round. */
  keys: 1,
  /** Control registers ask for events, the PSW does not. */
  perSetUp: 2,
  /** Stores to one place, which there are none of, are events. */
  watchpoint: 4,
} as const;

/** The image with its parameters set. */
export async function withParameters(path: string, rounds: number, dat: boolean, more = 0): Promise<Buffer> {
  const image = await readFile(path);
  for (const [n, value] of [rounds, dat ? 1 : 0, more].entries()) image.writeUInt32BE(value, PARAMETERS + 4 * n);
  return image;
}
