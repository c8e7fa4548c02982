/**
 * Torture: random programs, run here and in another machine, must leave the same behind.
 *
 *     npm run torture -- --seed 1 --count 100000 [--only MNEMONIC|FACILITY,...] [--peer qemu-system-s390x|hercules]
 *
 * --from N begins with case N of the seed; --longest N is the length of programs in instructions; --totals FILE adds
 * the coverage to that of earlier runs, and goes on where they ended; --limit N stops after N differences (10), SIGINT after the batch. With
 * --goal N each case is made for the instruction that has the fewest, until all have N cases; --focus MNEMONIC makes a
 * single one of these again. A difference is shrunk, and printed with the program and both results. The exit status is 1
 * if there was one.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Disassembler } from '../../src/cpu/isa/disassemble.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import type { Instruction } from '../../src/cpu/isa/insn.ts';
import { given } from '../../tools/given.ts';
import { type Item, registersOf } from './case.ts';
import { compareWays } from './compare.ts';
import { Coverage, type Totals } from './coverage.ts';
import { dictionaries } from './dictionaries.ts';
import { isCompared } from './disagreements.ts';
import { generate, mayOccur, pool } from './generate.ts';
import { Hercules } from './hercules.ts';
import { POOL_COUNT, WINDOW } from './layout.ts';
import { Lpar } from './lpar.ts';
import type { Laid } from './peer.ts';
import { Qemu } from './qemu.ts';
import { Random } from './random.ts';
import { Schedule } from './schedule.ts';
import { type Found, shrink } from './shrink.ts';
import { vet } from './vet.ts';

const BATCH = 4000;
/** Cases that are shown because the peer breaks down. */
const MOST_ABORTED = 4;

// Each case is compiled, and runs once: optimising what has been compiled would take most of the time.
for (const flag of ['--no-experimental-wasm-compilation-hints', '--wasm-tier-mask-for-testing=0'])
  setFlagsFromString(flag);

const values = given(import.meta.url, {
  seed: { type: 'string', default: '1' },
  count: { type: 'string', default: '10000' },
  from: { type: 'string' },
  goal: { type: 'string' },
  focus: { type: 'string' },
  only: { type: 'string' },
  longest: { type: 'string', default: '8' },
  peer: { type: 'string', default: 'qemu-system-s390x' },
  totals: { type: 'string' },
  limit: { type: 'string', default: '10' },
});
const seed = Number(values.seed);
const only = values.only?.toUpperCase().split(',');
const chosen = (row: Instruction): boolean =>
  !only || only.includes(row.mnemonic) || only.includes(String(row.facility).toUpperCase());

const lpar = new Lpar();
const peer = /hercules$/.test(values.peer) ? new Hercules(values.peer) : new Qemu(values.peer);
const rows = instructions.filter(row => mayOccur(row) && isCompared(peer.knowledge, row) && chosen(row));
if (!rows.length) throw new Error('no instruction is left to test');
lpar.keys = peer.knowledge.keys ?? false;
const coverage = new Coverage();
if (values.totals && existsSync(values.totals)) coverage.add(JSON.parse(readFileSync(values.totals, 'utf8')) as Totals);
const schedule = values.goal ? new Schedule(rows, coverage, Number(values.goal)) : undefined;
const focus = values.focus ? rows.find(({ mnemonic }) => mnemonic === values.focus!.toUpperCase()) : undefined;
const avoided = new Map<string, number>();
const disassembler = new Disassembler(instructions);

const program = ({ placed }: Laid): string[] =>
  [...placed.addresses.slice(0, -1), ...placed.targets.values()].map(address => {
    const line = disassembler.line(placed.bytes.subarray(address - WINDOW), BigInt(address));
    return `  ${address.toString(16)}  ${line.replace('\t', ' ')}`;
  });

const title = ({ test }: Laid): string =>
  `--- seed ${seed} case ${test.number}${test.focus ? ` focus ${test.focus.mnemonic}` : ''}`;

function print({ laid, differences }: Found, original: Laid): void {
  const { test, placed } = laid;
  const hex = (value: bigint): string => value.toString(16);
  const nonzero = (name: string, numbers: readonly (bigint | number)[]): string =>
    numbers.flatMap((value, n) => (value ? [`${name}${n}=${value.toString(16)}`] : [])).join(' ');
  console.log(
    [
      `${title(original)}, ${laid.test.items.length} of ${original.test.items.length} instructions`,
      ...program(laid),
      `  PSW ${hex(test.mask)} FPC ${test.fpc.toString(16)} pool ${test.pool}`,
      `  ${nonzero('GR', registersOf(test, placed))}`,
      `  ${nonzero('FPR', test.fpr)}`,
      `  ${nonzero('VR', test.vr)}`,
      `  ${nonzero('AR', test.ar)}`,
      ...differences.slice(0, 12).map(([what, ours, theirs]) => `  ${what}: ${ours} here, ${theirs} in the peer`),
    ].join('\n'),
  );
}

/** Instructions in differences that have been printed: other differences with them are only counted. */
const reported = new Set<string>();
const isReported = ({ row, target }: Item): boolean =>
  reported.has(row.mnemonic) || (target !== undefined && reported.has(target.row.mnemonic));
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (stopping = true));
let differing = 0;
let aborted = 0;
let found = 0;
let done = 0;
const from = Number(values.from ?? coverage.count('cases', 'next'));
const count = Number(values.count);
const most = Number(values.limit);
const began = performance.now();
try {
  for (let first = from, end: number; first < from + count && found < most && !stopping; first = end) {
    end = Math.min(first + BATCH - (first % BATCH), from + count);
    const focuses = schedule?.next(end - first);
    if (focuses && !focuses.length) break;
    // The data differ from batch to batch, and are the same for a batch wherever it begins.
    const pools = Array.from({ length: POOL_COUNT }, (_, n) => pool(new Random(seed, Math.floor(first / BATCH), n)));
    peer.pools = pools;
    if (rows.some(({ mnemonic }) => mnemonic === 'CMPSC'))
      lpar.dictionaries = peer.dictionaries = dictionaries(
        new Random(seed, Math.floor(first / BATCH), POOL_COUNT),
        pools,
      );
    lpar.renew(pools);
    const cases: Laid[] = [];
    for (let n = first; n < end; n++) {
      const wanted = focuses ? focuses[n - first] : focus;
      const test = generate(new Random(seed, n), n, {
        seed,
        rows,
        longest: Number(values.longest),
        accessRegisters: peer.knowledge.accessRegisters ?? false,
        keys: peer.knowledge.keys ?? false,
        focus: wanted,
      });
      coverage.made(n + 1, wanted);
      const vetted = vet(lpar, peer.knowledge, test, coverage, reason =>
        avoided.set(reason, (avoided.get(reason) ?? 0) + 1),
      );
      if (vetted) cases.push(vetted);
    }
    const compared = await compareWays(cases, lpar, peer);
    coverage.cases(cases.length);
    done += cases.length;
    for (const one of compared) {
      if (one.aborted && aborted++ < MOST_ABORTED)
        console.log([`${title(one.laid)}: the peer breaks down`, ...program(one.laid)].join('\n'));
      if (!one.differences.length) continue;
      differing++;
      if (found >= most || one.laid.test.items.some(isReported)) continue;
      found++;
      const shrunk = await shrink(one, lpar, peer);
      print(shrunk, one.laid);
      for (const { row, target } of shrunk.laid.test.items) reported.add((target?.row ?? row).mnemonic);
    }
    if (values.totals) {
      writeFileSync(`${values.totals}.new`, JSON.stringify(coverage.totals, null, 1));
      renameSync(`${values.totals}.new`, values.totals);
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${done} cases, ${differing} with differences `);
  }
} finally {
  peer.close();
}
const seconds = (performance.now() - began) / 1000;
console.log(`${done} cases in ${seconds.toFixed(1)} s, ${differing} with differences, ${found} of them shown`);
if (aborted) console.log(`the peer broke down in ${aborted} of them`);
console.log(coverage.report());
for (const [reason, times] of avoided) console.log(`avoided ${times} times: ${reason}`);
if (schedule) console.log(schedule.report());
process.exitCode = differing ? 1 : 0;
