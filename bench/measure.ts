/** What a measurement is given and what all of them do. */
import { type Command, capture, type Outcome, type Peer } from './peers.ts';
import { median, type Series } from './report.ts';

export interface Plan {
  readonly peers: readonly Peer[];
  readonly runs: number;
  readonly rounds: number;
  /** A folder for files that peers need. */
  readonly folder: string;
  /** Notes a failure, which the exit status tells. */
  fail(message: string): void;
}

/** Lets peers take turns. One that fails is left out from then on: a peer may lack something; lpar may not. */
export async function inTurns(
  { peers, runs, fail }: Plan,
  what: string,
  measure: (peer: Peer) => Promise<void>,
): Promise<void> {
  const working = new Set(peers);
  for (let run = 0; run < runs; run++) {
    for (const peer of working) {
      try {
        await measure(peer);
      } catch (error) {
        working.delete(peer);
        if (peer === peers[0]) fail(`${what}: ${(error as Error).message}`);
        else console.log(`${what}: ${(error as Error).message}\n`);
      }
    }
  }
}

/** Checksums must be the same in every round and on every peer. */
export class Checksums {
  readonly #expected = new Map<string, string>();
  readonly #wrong = new Set<string>();
  readonly #fail: Plan['fail'];

  constructor(fail: Plan['fail']) {
    this.#fail = fail;
  }

  check(name: string, peer: Peer, checksum: string): void {
    const expected = this.#expected.get(name) ?? checksum;
    this.#expected.set(name, expected);
    const key = `${name} ${peer.name}`;
    if (checksum === expected || this.#wrong.has(key)) return;
    this.#wrong.add(key);
    this.#fail(`${name}: ${peer.name} gives ${checksum}, before it was ${expected}`);
  }
}

/**
 * Runs a command until it has reported all rounds of the named programs, and adds to the series, in milliseconds, for
 * each program: "cold", the first round; "warm", the median of the others; "whole", all of them; and "memory" in MiB.
 */
export async function measureRounds(
  command: Command,
  names: readonly string[],
  rounds: number,
  peer: Peer,
  series: Series,
  checksums: Checksums,
): Promise<Outcome> {
  const patterns = names.flatMap(name =>
    Array.from({ length: rounds }, (_, round) => {
      const number = round.toString(16).padStart(2, '0');
      return new RegExp(`bench ${name} (?:${number} (\\w{16}) (\\w{16})|went wrong.*)`);
    }),
  );
  const outcome = await capture(command, patterns, 900);
  for (const [n, name] of names.entries()) {
    const times: number[] = [];
    for (const pattern of patterns.slice(n * rounds, (n + 1) * rounds)) {
      const [line, checksum, time] = pattern.exec(outcome.output)!;
      if (!checksum) throw new Error(line);
      checksums.check(name, peer, checksum);
      times.push(Number.parseInt(time!, 16) / 1000);
    }
    series.add(`${name} cold`, peer, times[0]!);
    series.add(`${name} warm`, peer, median(times.slice(rounds > 1 ? 1 : 0)));
    series.add(
      `${name} whole`,
      peer,
      times.reduce((sum, time) => sum + time),
    );
    if (outcome.memory !== undefined) series.add(`${name} memory`, peer, outcome.memory);
  }
  return outcome;
}
