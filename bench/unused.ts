/** What a machine can do besides costs nothing while it is not used: the same loops in circumstances that should not matter, and in some that may. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bareImage, circumstances, withParameters } from './compile.ts';
import { Checksums, inTurns, measureRounds, type Plan } from './measure.ts';
import { type Peer, withOptions } from './peers.ts';
import { print, Series } from './report.ts';

/** Loops that load and store, call, branch, and compute. */
const programs = ['sieve', 'qsort', 'strings', 'sha256'];

const machines: readonly (readonly [peer: Peer, circumstances: number])[] = [
  [withOptions('alone'), 0],
  [withOptions('alone again'), 0],
  [withOptions('4 CPUs', '-smp', '4'), 0],
  [withOptions('PER set up'), circumstances.perSetUp],
  [withOptions('keys'), circumstances.keys],
  [withOptions('watchpoint'), circumstances.watchpoint],
];

/** The first machine is what the others are compared with; the second is the same, and shows what the ratios are worth. */
export async function measureUnused(plan: Plan): Promise<void> {
  const peers = machines.map(([peer]) => peer);
  const series = new Series(peers);
  const checksums = new Checksums(plan.fail);
  const table = [['warm, ms a round; times as fast', ...series.head()]];
  for (const name of programs) {
    await inTurns({ ...plan, peers }, name, async peer => {
      const [, more] = machines.find(([each]) => each === peer)!;
      const image = join(plan.folder, 'image');
      await writeFile(image, await withParameters(await bareImage(name, peer.level), plan.rounds, true, more));
      await measureRounds(await peer.bare(image, plan.folder), [name], plan.rounds, peer, series, checksums);
    });
    table.push([name, ...series.row(`${name} warm`)]);
  }
  const means = series.means(programs.map(name => `${name} warm`));
  print([...table, ['geometric mean', ...peers.map(() => ''), ...means]]);
}
