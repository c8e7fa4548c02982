/**
 * Measures lpar against other emulators on this machine, in one run, taking turns.
 *
 *     npm run bench [-- --only NAME,... --runs N --rounds N --peers qemu,hercules,interpreter --real]
 *
 * NAME is a bare program (sieve, crc32, sha256, strings, qsort, matmul, wide, bytecode: `loops`; flat500, flat2000,
 * flat8000: `flat`; generate), a program of Debian's inside Linux (zlib, python, lua, gcc: `apps`), `linux` (the boot and
 * the rates at which the kernel serves programs), `io` (requests to virtio devices, and what an idle guest costs),
 * `two` (two CPUs against one), or `unused` (what storage keys, PER and more CPUs cost who does not use them). --real
 * runs bare programs with DAT off. The medians of all runs are printed, and how many times as fast as a peer lpar is.
 * Peers must agree on every checksum: otherwise the exit status is 1.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { given, refuse } from '../tools/given.ts';
import { apps } from './apps.ts';
import { measureBare } from './bare.ts';
import { barePrograms, checkCompiler, flat, loops } from './compile.ts';
import { measureIo } from './io.ts';
import { measureApps, measureLinux, measureTwo } from './linux.ts';
import type { Plan } from './measure.ts';
import { peers as allPeers, type Peer } from './peers.ts';
import { measureUnused } from './unused.ts';

const groups: Record<string, readonly string[]> = { loops, flat, apps };
const all = [...barePrograms, 'linux', 'io', ...apps, 'two', 'unused'];

const values = given(import.meta.url, {
  only: { type: 'string', default: all.join(',') },
  runs: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '4' },
  peers: { type: 'string', default: 'qemu' },
  real: { type: 'boolean', default: false },
});
const only = values.only.split(',').flatMap(name => groups[name] ?? [name]);
const unknown = only.filter(name => !all.includes(name));
if (unknown.length)
  refuse(import.meta.url, `there is no ${unknown.join(', ')}: ${[...Object.keys(groups), ...all].join(', ')}`);

function available(): Peer[] {
  const found: Peer[] = [];
  for (const name of ['lpar', ...values.peers.split(',').filter(name => name && name !== 'lpar')]) {
    const peer = allPeers.find(candidate => candidate.name === name);
    if (!peer) throw new Error(`${name} is no peer: ${allPeers.map(({ name }) => name).join(', ')}`);
    try {
      console.log(`${name}: ${peer.version()}`);
      found.push(peer);
    } catch (error) {
      console.log(`${name}: ${(error as Error).message}`);
    }
  }
  return found;
}

let failed = false;
const folder = await mkdtemp(join(tmpdir(), 'lpar-bench-'));
try {
  await checkCompiler();
  const plan: Plan = {
    peers: available(),
    runs: Number(values.runs),
    rounds: Number(values.rounds),
    folder,
    fail(message) {
      failed = true;
      console.log(`FAILED: ${message}`);
    },
  };
  console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  console.log(`medians of ${plan.runs} runs in turns, half the distance of the extremes behind them\n`);

  const chosen = (names: readonly string[]): string[] => names.filter(name => only.includes(name));
  const bare = chosen(barePrograms);
  if (bare.length) await measureBare(bare, plan, !values.real);
  const programs = chosen(apps);
  if (programs.length) await measureApps(programs, plan);
  if (only.includes('linux')) await measureLinux(plan);
  if (only.includes('io')) await measureIo(plan);
  if (only.includes('two')) await measureTwo(plan);
  if (only.includes('unused')) await measureUnused(plan);
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  failed = true;
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
