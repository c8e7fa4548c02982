/** Bare programs: without an operating system, each in a machine of its own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bareImage, flat, loops, withParameters } from './compile.ts';
import { countRound } from './count.ts';
import { Checksums, inTurns, measureRounds, type Plan } from './measure.ts';
import { digits, print, Series } from './report.ts';

/** Rounds of a flat program: some ten seconds on QEMU. */
const FLAT_ROUNDS = 16;

/** The first round is what a cold start gives, the median of the others is warm; with or without DAT. */
export async function measureBare(names: readonly string[], plan: Plan, dat: boolean): Promise<Series> {
  const series = new Series(plan.peers);
  const checksums = new Checksums(plan.fail);
  const [lpar, ...others] = plan.peers;
  const warm = [['warm, ms a round', 'instr.', 'MIPS', ...series.head()]];
  const cold = [['first round, ms', ...series.head()]];
  const whole = [[`the first ${FLAT_ROUNDS} rounds, ms`, ...series.head()]];
  const explained = [['lpar, per million instructions', 'TLB misses', 'decoded', 'resident MiB', 'of peers']];
  for (const name of names) {
    const counts = await countRound(await bareImage(name, lpar!.level), dat);
    const isFlat = flat.includes(name);
    const rounds = isFlat ? FLAT_ROUNDS : plan.rounds;
    checksums.check(name, lpar!, counts.checksum);
    await inTurns(plan, name, async peer => {
      const image = join(plan.folder, 'image');
      await writeFile(image, await withParameters(await bareImage(name, peer.level), rounds, dat));
      await measureRounds(await peer.bare(image, plan.folder), [name], rounds, peer, series, checksums);
    });
    const mips = counts.instructions / 1000 / series.median(`${name} warm`, lpar!)!;
    const size = `${(counts.instructions / 1e6).toFixed(1)}M`;
    warm.push([name, size, mips.toFixed(0), ...series.row(`${name} warm`)]);
    cold.push([name, ...series.row(`${name} cold`)]);
    if (isFlat) whole.push([name, ...series.row(`${name} whole`)]);
    explained.push([
      name,
      ((counts.misses / counts.instructions) * 1e6).toFixed(1),
      ((counts.decoded / counts.instructions) * 1e6).toFixed(1),
      digits(series.median(`${name} memory`, lpar!) ?? 0),
      others.map(peer => digits(series.median(`${name} memory`, peer) ?? 0)).join(', '),
    ]);
  }
  const measured = loops.filter(name => names.includes(name));
  if (measured.length > 1) {
    const means = series.means(measured.map(name => `${name} warm`));
    warm.push(['geometric mean of loops', '', '', ...plan.peers.map(() => ''), ...means]);
  }
  print(warm);
  print(cold);
  if (whole.length > 1) print(whole);
  print(explained);
  return series;
}
