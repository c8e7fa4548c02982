/**
 * The emulators that are compared: how each is given a bare program or a Linux, and what to install when it is missing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Level } from './compile.ts';

export interface Linux {
  kernel: string;
  initrd: string;
  /** What follows the console on the kernel's command line. */
  append: string;
  /** One unless it is given. */
  processors?: number;
  /** Options for devices, of peers that have them. */
  devices?: readonly string[];
}

export interface Command {
  program: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
}

export interface Peer {
  readonly name: string;
  readonly level: Level;
  /** Whether it can have several CPUs, one in each thread, and virtio devices. */
  readonly processors: boolean;
  /** The first line of what it says about itself; throws when it is missing. */
  version(): string;
  /** @param folder for files that the peer needs */
  bare(image: string, folder: string): Promise<Command>;
  linux(guest: Linux, folder: string): Promise<Command>;
}

const firstLine = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).split('\n')[0]!;

const BARE_MEMORY = 64;
const LINUX_MEMORY = 1024;

/** lpar and QEMU have the same command line. */
function qemuLike(name: string, command: string[], options: string[], version: () => string): Peer {
  const [program, ...first] = command;
  const machine = (megabytes: number, ...rest: string[]): Command => ({
    program: program!,
    args: [
      ...first,
      ...options,
      ...['-m', `${megabytes}M`, '-nodefaults', '-display', 'none', '-serial', 'stdio'],
      ...rest,
    ],
  });
  return {
    name,
    level: 'z13',
    processors: true,
    version,
    bare: async image => machine(BARE_MEMORY, '-kernel', image),
    linux: async ({ kernel, initrd, append, processors = 1, devices = [] }) =>
      machine(
        LINUX_MEMORY,
        ...['-smp', `${processors}`, '-kernel', kernel, '-initrd', initrd, '-append', `console=ttysclp0 ${append}`],
        ...devices,
      ),
  };
}

/** lpar as it is measured against itself: with other options. */
export const withOptions = (name: string, ...options: string[]): Peer => qemuLike(name, lpar, options, lparVersion);

const lpar = [process.execPath, fileURLToPath(new URL('../bin/lpar', import.meta.url))];
const lparVersion = (): string => firstLine(process.execPath, ...lpar.slice(1), '-version');
const HERCULES = `ARCHMODE z/Arch
NUMCPU 1
OSTAILOR QUIET
PANRATE 1000
000C 3505
`;
const INITRD = 0x0200_0000;

/** Hercules loads files, named from where the list is, to absolute addresses. */
async function hercules(folder: string, megabytes: number, list: readonly [string, number][]): Promise<Command> {
  const [config, script, loads] = ['hercules.cnf', 'hercules.rc', 'bench.ins'].map(file => join(folder, file));
  await writeFile(config!, `MAINSIZE ${megabytes}\n${HERCULES}`);
  await writeFile(script!, `ipl ${loads}\n`);
  await writeFile(
    loads!,
    list.map(([file, at]) => `${relative(folder, file)} 0x${at.toString(16).padStart(8, '0')}\n`).join(''),
  );
  return { program: 'hercules', args: ['-d', '-f', config!], env: { HERCULES_RC: script! } };
}

export const peers: readonly Peer[] = [
  qemuLike('lpar', lpar, [], lparVersion),
  qemuLike('interpreter', lpar, ['-accel', 'interpreter'], lparVersion),
  // Without vectors, which lpar does not have.
  qemuLike('qemu', ['qemu-system-s390x'], ['-cpu', 'qemu'], () => {
    try {
      return firstLine('qemu-system-s390x', '--version');
    } catch {
      throw new Error('there is no qemu-system-s390x; on Debian: apt install qemu-system-misc');
    }
  }),
  {
    name: 'hercules',
    level: 'z10',
    processors: false,
    version() {
      try {
        return firstLine('hercules', '--version');
      } catch {
        throw new Error('there is no hercules; on Debian: apt install hercules');
      }
    },
    bare: async (image, folder) => hercules(folder, BARE_MEMORY, [[image, 0]]),
    async linux({ kernel, initrd, append }, folder) {
      const place = async (name: string, content: Buffer): Promise<string> => {
        await writeFile(join(folder, name), content);
        return join(folder, name);
      };
      const parameters = Buffer.alloc(16);
      parameters.writeBigUInt64BE(BigInt(INITRD), 0);
      parameters.writeBigUInt64BE(BigInt((await stat(initrd)).size), 8);
      const line = Buffer.alloc(896);
      line.write(`console=ttyS0 conmode=sclp ${append}`);
      return hercules(folder, LINUX_MEMORY, [
        // Hercules may not be permitted to look into a home directory.
        [await place('kernel', await readFile(kernel)), 0],
        [await place('initrd', await readFile(initrd)), INITRD],
        [await place('initrd.parameters', parameters), 0x10408],
        [await place('command.line', line), 0x10480],
      ]);
    },
  },
];

export interface Outcome {
  output: string;
  /** Milliseconds from the start until each pattern was seen. */
  seen: number[];
  /** Milliseconds of the host's CPUs that it had used then; undefined where they cannot be read. */
  used: (number | undefined)[];
  /** Most resident memory of the process and its children, in MiB; undefined where it cannot be read. */
  memory: number | undefined;
}

/** Runs a command until all patterns have been seen, or throws. */
export function capture(command: Command, patterns: readonly RegExp[], seconds: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const { program, args, env } = command;
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const outcome: Outcome = { output: '', seen: [], used: [], memory: undefined };
    const measure = setInterval(() => {
      const now = residentMemory(child.pid!);
      if (now !== undefined) outcome.memory = Math.max(outcome.memory ?? 0, now);
    }, 50);
    const end = (error?: string): void => {
      clearInterval(measure);
      clearTimeout(timer);
      child.kill('SIGKILL');
      if (!error) return resolve(outcome);
      reject(new Error(`${program}: ${error}; the last lines:\n${outcome.output.split('\n').slice(-15).join('\n')}`));
    };
    const timer = setTimeout(() => end(`${seconds} s have passed`), seconds * 1000);
    const hear = (text: string): void => {
      outcome.output += text;
      while (outcome.seen.length < patterns.length && patterns[outcome.seen.length]!.test(outcome.output)) {
        outcome.seen.push(performance.now() - start);
        outcome.used.push(usedTime(child.pid!));
      }
      if (outcome.seen.length === patterns.length) end();
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
    child.on('error', error => end(error.message));
    child.on('close', status => outcome.seen.length < patterns.length && end(`it ended (${status})`));
  });
}

/** A clock tick as /proc has it, in milliseconds. */
const TICK = 10;

/** Time that a process has used of CPUs, in milliseconds, from /proc. */
function usedTime(pid: number): number | undefined {
  try {
    // Behind the name, which may have blanks: user time and system time are the 14th and 15th field.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  } catch {
    return undefined;
  }
}

/** Resident MiB of a process and its descendants, from /proc. */
function residentMemory(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    let sum = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8');
      for (const child of children.split(' ')) if (child) sum += residentMemory(Number(child)) ?? 0;
    }
    return sum;
  } catch {
    return undefined;
  }
}
