/** For which instruction each case is made, so that all of them come to a number of cases, those with the fewest first. */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import type { Coverage } from './coverage.ts';
import { isGuarded } from './generate.ts';

/** An instruction that so many times as many cases have been made for, and still has too few, is given up. */
const MOST_TRIES = 6;
/** What a case counts that was made for an instruction, although it was cleared of it. */
const TRY = 0.25;

export class Schedule {
  readonly #rows: readonly Instruction[];
  readonly #coverage: Coverage;
  readonly #goal: number;

  constructor(rows: readonly Instruction[], coverage: Coverage, goal: number) {
    this.#rows = rows;
    this.#coverage = coverage;
    this.#goal = goal;
  }

  /** Cases that count: at most half of them may be those that it ended with an exception, if it does more in the programs here. */
  progress(row: Instruction): number {
    const all = this.#coverage.count('instructions', row.mnemonic);
    const ended = this.#coverage.count('ended with an exception', row.mnemonic);
    return isGuarded(row) ? all : Math.min(all, 2 * (all - ended));
  }

  /** Instructions for the next cases; fewer, or none, when all has been reached. */
  next(count: number): Instruction[] {
    const left = this.#rows.flatMap(row => {
      const tries = this.#coverage.count('made for', row.mnemonic);
      const progress = this.progress(row);
      return progress < this.#goal && tries < MOST_TRIES * this.#goal ? [{ row, at: progress + TRY * tries }] : [];
    });
    if (!left.length) return [];
    return Array.from({ length: count }, () => {
      const least = left.reduce((a, b) => (b.at < a.at ? b : a));
      least.at++;
      return least.row;
    });
  }

  report(): string {
    const sorted = this.#rows.map(row => [this.progress(row), row.mnemonic] as const).sort(([a], [b]) => a - b);
    const median = sorted[sorted.length >> 1]![0];
    const short = sorted.filter(([progress]) => progress < this.#goal);
    return [
      `${sorted.length} instructions: least ${sorted[0]![0]}, median ${median}, ${short.length} below ${this.#goal}`,
      ...short.map(([, mnemonic]) => {
        const of = (group: string): number => this.#coverage.count(group, mnemonic);
        return `  ${mnemonic}: ${of('instructions')} cases, ${of('ended with an exception')} ended with an exception; ${of('made for')} were made for it`;
      }),
    ].join('\n');
  }
}
