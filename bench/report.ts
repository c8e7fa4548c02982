/** Numbers of several runs, and tables of their medians. */
import type { Peer } from './peers.ts';

export const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Half the distance between the extremes, in percent of the median. */
const spread = (numbers: readonly number[]): string =>
  `±${(((Math.max(...numbers) - Math.min(...numbers)) / 2 / median(numbers)) * 100).toFixed(0)}%`;

export const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** A table: the first column is text, the others are numbers. */
export function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(row.map((cell, n) => (n ? cell.padStart(widths[n]!) : cell.padEnd(widths[n]!))).join('  '));
  }
  console.log('');
}

/** Numbers by name and peer. The first peer is the one that the others are compared with. */
export class Series {
  readonly peers: readonly Peer[];
  readonly #numbers = new Map<string, number[]>();

  constructor(peers: readonly Peer[]) {
    this.peers = peers;
  }

  add(what: string, peer: Peer, value: number): void {
    const key = `${what} ${peer.name}`;
    this.#numbers.set(key, [...(this.#numbers.get(key) ?? []), value]);
  }

  median(what: string, peer: Peer): number | undefined {
    const numbers = this.#numbers.get(`${what} ${peer.name}`);
    return numbers && median(numbers);
  }

  #cell(what: string, peer: Peer): string {
    const numbers = this.#numbers.get(`${what} ${peer.name}`);
    return numbers ? `${digits(median(numbers))} ${spread(numbers)}` : '-';
  }

  /** How many times as fast as a peer the first one is; `more` is better, or less is. */
  ratio(what: string, peer: Peer, more = false): number | undefined {
    const [own, theirs] = [this.median(what, this.peers[0]!), this.median(what, peer)];
    if (own === undefined || theirs === undefined) return undefined;
    return more ? own / theirs : theirs / own;
  }

  /** What stands above the cells of `row`. */
  head(): string[] {
    const [first, ...others] = this.peers;
    return [...this.peers.map(({ name }) => name), ...others.map(({ name }) => `${first!.name}/${name}`)];
  }

  /** The medians of all peers, then the ratios. */
  row(what: string, more = false): string[] {
    return [
      ...this.peers.map(peer => this.#cell(what, peer)),
      ...this.peers.slice(1).map(peer => times(this.ratio(what, peer, more))),
    ];
  }

  /** The geometric means of the ratios of several measurements that took time. */
  means(whats: readonly string[]): string[] {
    return this.peers.slice(1).map(peer => {
      const ratios = whats.flatMap(what => this.ratio(what, peer) ?? []);
      return ratios.length
        ? times(Math.exp(ratios.reduce((sum, value) => sum + Math.log(value), 0) / ratios.length))
        : '-';
    });
  }
}

const times = (value: number | undefined): string => (value === undefined ? '-' : `${value.toPrecision(3)}x`);
