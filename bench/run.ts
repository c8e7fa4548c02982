/**
 * Measures lpar against other emulators on this machine, in one run, taking turns.
 *
 *     npm run bench [-- --only NAME,... --runs N --rounds N --peers qemu,hercules --real]
 *
 * NAME is a bare program (sieve, crc32, sha256, strings, qsort, matmul, wide, flat), `loops` for all of those but flat,
 * or `linux`: the boot of Debian's kernel and the rates at which it serves programs. --real runs bare programs with
 * DAT off. The medians of all runs are printed, and how many times as long or as often as lpar a peer takes or does
 * something. Peers must agree on every checksum: otherwise the exit status is 1.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { debianGuest } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { bareImage, barePrograms, checkCompiler, linuxProgram, withParameters } from './compile.ts';
import { countRound } from './count.ts';
import { peers as allPeers, capture, type Peer } from './peers.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: [...barePrograms, 'linux'].join(',') },
    runs: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '4' },
    peers: { type: 'string', default: 'qemu,hercules' },
    real: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const rounds = Number(values.rounds);
const only = values.only.split(',').flatMap(name => (name === 'loops' ? barePrograms.slice(0, -1) : [name]));
const unknown = only.filter(name => name !== 'linux' && !(barePrograms as readonly string[]).includes(name));
if (unknown.length) throw new Error(`there is no ${unknown.join(', ')}`);

const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
/** Half the distance between the extremes, in percent of the median. */
const spread = (numbers: readonly number[]): string =>
  `±${(((Math.max(...numbers) - Math.min(...numbers)) / 2 / median(numbers)) * 100).toFixed(0)}%`;
const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(row.map((cell, n) => (n ? cell.padStart(widths[n]!) : cell.padEnd(widths[n]!))).join('  '));
  }
  console.log('');
}

/** Collects numbers by name and peer. */
class Series {
  readonly #numbers = new Map<string, number[]>();
  add(what: string, peer: Peer, value: number): void {
    const key = `${what} ${peer.name}`;
    this.#numbers.set(key, [...(this.#numbers.get(key) ?? []), value]);
  }
  of(what: string, peer: Peer): number[] {
    return this.#numbers.get(`${what} ${peer.name}`) ?? [];
  }
  median(what: string, peer: Peer): number | undefined {
    const numbers = this.of(what, peer);
    return numbers.length ? median(numbers) : undefined;
  }
  cell(what: string, peer: Peer): string {
    const numbers = this.of(what, peer);
    return numbers.length ? `${digits(median(numbers))} ${spread(numbers)}` : '-';
  }
}

let failed = false;
const fail = (message: string): void => {
  failed = true;
  console.log(`FAILED: ${message}`);
};

const folder = await mkdtemp(join(tmpdir(), 'lpar-bench-'));
try {
  await checkCompiler();
  const wanted = ['lpar', ...values.peers.split(',').filter(name => name && name !== 'lpar')];
  const peers: Peer[] = [];
  for (const name of wanted) {
    const peer = allPeers.find(candidate => candidate.name === name);
    if (!peer) throw new Error(`${name} is no peer: ${allPeers.map(({ name }) => name).join(', ')}`);
    try {
      console.log(`${name}: ${peer.version()}`);
      peers.push(peer);
    } catch (error) {
      console.log(`${name}: ${(error as Error).message}`);
    }
  }
  console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  console.log(`medians of ${runs} runs in turns, half the distance of the extremes behind them\n`);

  const bare = barePrograms.filter(name => only.includes(name));
  if (bare.length) await measureBare(bare, peers);
  if (only.includes('linux')) await measureLinux(peers);
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  failed = true;
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

/** `rounds` rounds in each run: the first is what a cold start gives, the median of the others is warm. */
async function measureBare(names: readonly string[], peers: readonly Peer[]): Promise<void> {
  const series = new Series();
  const [lpar, ...others] = peers;
  const times = [['warm, ms a round', 'instr.', 'MIPS', ...peers.map(({ name }) => name), ...others.map(ratioOf)]];
  const cold = [['first round, ms', ...peers.map(({ name }) => name), ...others.map(ratioOf)]];
  const explained = [['lpar, per million instructions', 'TLB misses', 'decoded', 'resident MiB', 'of peers']];
  for (const name of names) {
    const counts = await countRound(await bareImage(name, lpar!.level), !values.real);
    const wrong = new Set<Peer>();
    for (let run = 0; run < runs; run++) {
      for (const peer of peers) {
        const image = join(folder, 'image');
        await writeFile(image, await withParameters(await bareImage(name, peer.level), rounds, !values.real));
        const line = (round: number): RegExp =>
          new RegExp(`bench ${name} ${round.toString(16).padStart(2, '0')} (\\w{16}) (\\w{16})`);
        const lines = Array.from({ length: rounds }, (_, round) => line(round));
        const { output, memory } = await capture(await peer.bare(image, folder), lines, 300);
        const results = lines.map(pattern => pattern.exec(output)!);
        const other = results.find(([, checksum]) => checksum !== counts.checksum);
        if (other && !wrong.has(peer)) {
          wrong.add(peer);
          fail(`${name}: ${peer.name} gives ${other[1]}, the counted program ${counts.checksum}`);
        }
        const milliseconds = results.map(([, , time]) => Number.parseInt(time!, 16) / 1000);
        series.add(`${name} cold`, peer, milliseconds[0]!);
        series.add(`${name} warm`, peer, median(milliseconds.slice(rounds > 1 ? 1 : 0)));
        if (memory !== undefined) series.add(`${name} memory`, peer, memory);
      }
    }
    const row = (kind: string): string[] => [
      ...peers.map(peer => series.cell(`${name} ${kind}`, peer)),
      ...others.map(peer => ratio(series.median(`${name} ${kind}`, peer), series.median(`${name} ${kind}`, lpar!))),
    ];
    const mips = counts.instructions / 1000 / series.median(`${name} warm`, lpar!)!;
    times.push([name, `${(counts.instructions / 1e6).toFixed(1)}M`, mips.toFixed(0), ...row('warm')]);
    cold.push([name, ...row('cold')]);
    explained.push([
      name,
      ((counts.misses / counts.instructions) * 1e6).toFixed(1),
      ((counts.decoded / counts.instructions) * 1e6).toFixed(1),
      digits(series.median(`${name} memory`, lpar!) ?? 0),
      others.map(peer => digits(series.median(`${name} memory`, peer) ?? 0)).join(', '),
    ]);
  }
  print(times);
  print(cold);
  print(explained);
}

async function measureLinux(peers: readonly Peer[]): Promise<void> {
  const rates = ['syscalls', 'pagefaults', 'switches', 'forks'];
  const program = await readFile(await linuxProgram('rates'));
  const guest = await debianGuest({ files: [file('usr/bin/rates', program, 0o755)] });
  const linux = { ...guest, append: '-- /usr/bin/rates' };
  const series = new Series();
  const [lpar, ...others] = peers;
  const marker = /lpar: Debian kernel \S+ is up/;
  const patterns = [marker, ...rates.map(name => new RegExp(`rate ${name} (\\d+) (\\d+)`))];
  const working = new Set(peers);
  for (let run = 0; run < runs; run++) {
    for (const peer of working) {
      try {
        const { output, seen, memory } = await capture(await peer.linux(linux, folder), patterns, 600);
        series.add('boot', peer, seen[0]! / 1000);
        for (const [n, name] of rates.entries()) {
          const [, count, microseconds] = patterns[n + 1]!.exec(output)!;
          series.add(name, peer, (Number(count) / Number(microseconds)) * 1000);
        }
        if (memory !== undefined) series.add('memory', peer, memory);
      } catch (error) {
        // A peer may lack what the kernel needs; lpar may not.
        working.delete(peer);
        if (peer === lpar) fail(`Linux: ${(error as Error).message}`);
        else console.log(`Linux: ${(error as Error).message}\n`);
      }
    }
  }
  const table = [['Linux', ...peers.map(({ name }) => name), ...others.map(ratioOf)]];
  const units: [string, string, boolean][] = [
    ['boot', 's', false],
    ...rates.map((name): [string, string, boolean] => [name, '1000/s', true]),
    ['memory', 'MiB', false],
  ];
  for (const [name, unit, more] of units) {
    const own = series.median(name, lpar!);
    table.push([
      `${name}, ${unit}`,
      ...peers.map(peer => series.cell(name, peer)),
      ...others.map(peer => (more ? ratio(own, series.median(name, peer)) : ratio(series.median(name, peer), own))),
    ]);
  }
  print(table);
}

function ratioOf({ name }: Peer): string {
  return `lpar/${name}`;
}

/** How many times as fast as the peer lpar is. */
function ratio(more: number | undefined, less: number | undefined): string {
  return more === undefined || less === undefined ? '-' : `${(more / less).toPrecision(3)}x`;
}
