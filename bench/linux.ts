/** Measurements inside Debian's Linux. */
import { readFile } from 'node:fs/promises';
import { debianGuest } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { appsGuest } from './apps.ts';
import { linuxProgram } from './compile.ts';
import { Checksums, inTurns, measureRounds, type Plan } from './measure.ts';
import { capture } from './peers.ts';
import { digits, print, Series } from './report.ts';

/** The boot until the first program, and how often per second the kernel serves programs: at first, and after 5 s of it. */
export async function measureLinux(plan: Plan): Promise<void> {
  const rates = ['syscalls', 'pagefaults', 'switches', 'forks', 'executions'];
  const program = await readFile(await linuxProgram('rates'));
  const guest = await debianGuest({ files: [file('usr/bin/rates', program, 0o755)] });
  const linux = { ...guest, append: '-- /usr/bin/rates' };
  const series = new Series(plan.peers);
  const marker = /lpar: Debian kernel \S+ is up/;
  const kinds = rates.flatMap(name => [`rate ${name}`, `warm ${name}`]);
  const patterns = [marker, ...kinds.map(kind => new RegExp(`${kind} (\\d+) (\\d+)`))];
  await inTurns(plan, 'Linux', async peer => {
    const { output, seen, memory } = await capture(await peer.linux(linux, plan.folder), patterns, 600);
    series.add('boot', peer, seen[0]! / 1000);
    for (const [n, kind] of kinds.entries()) {
      const [, count, microseconds] = patterns[n + 1]!.exec(output)!;
      series.add(kind, peer, (Number(count) / Number(microseconds)) * 1000);
    }
    if (memory !== undefined) series.add('memory', peer, memory);
  });
  print([
    ['Linux', ...series.head()],
    ['boot, s', ...series.row('boot')],
    ...rates.map(name => [`${name}, 1000/s`, ...series.row(`rate ${name}`, true)]),
    ...rates.map(name => [`${name} after 5 s`, ...series.row(`warm ${name}`, true)]),
    ['memory, MiB', ...series.row('memory')],
  ]);
}

/** Programs from Debian's packages: the first time each is run, and the median of the other times. */
export async function measureApps(names: readonly string[], plan: Plan): Promise<Series> {
  const series = new Series(plan.peers);
  const checksums = new Checksums(plan.fail);
  const { guest, append } = await appsGuest(names, plan.rounds);
  await inTurns(plan, 'programs', async peer => {
    const command = await peer.linux({ ...guest, append }, plan.folder);
    await measureRounds(command, names, plan.rounds, peer, series, checksums);
  });
  print([
    ['programs, warm, ms', ...series.head()],
    ...names.map(name => [name, ...series.row(`${name} warm`)]),
    ['geometric mean', ...plan.peers.map(() => ''), ...series.means(names.map(name => `${name} warm`))],
  ]);
  print([
    ['programs, first time, ms', ...series.head()],
    ...names.map(name => [name, ...series.row(`${name} cold`)]),
    ['resident MiB, all', ...series.row(`${names[0]} memory`)],
  ]);
  return series;
}

/** Two loops at once on two CPUs, against one of them. */
export async function measureTwo(plan: Plan): Promise<void> {
  const times = 3;
  const programs = ['sieve', 'crc32'];
  const two = plan.peers.filter(({ processors }) => processors);
  const table = [['two CPUs, times the throughput of one', ...two.map(({ name }) => name)]];
  for (const work of programs) {
    const series = new Series(two);
    const checksums = new Checksums(plan.fail);
    const program = await readFile(await linuxProgram('pair', work));
    const guest = await debianGuest({ files: [file('usr/bin/pair', program, 0o755)] });
    const linux = { ...guest, append: `-- /usr/bin/pair ${times} 20`, processors: 2 };
    await inTurns({ ...plan, peers: two }, `two of ${work}`, async peer => {
      const command = await peer.linux(linux, plan.folder);
      await measureRounds(command, ['alone', 'together'], times, peer, series, checksums);
    });
    table.push([
      work,
      ...two.map(peer => {
        const [alone, together] = ['alone', 'together'].map(name => series.median(`${name} warm`, peer));
        return alone && together ? `${digits((2 * alone) / together)}x (${digits(alone)} ms alone)` : '-';
      }),
    ]);
  }
  print(table);
}
