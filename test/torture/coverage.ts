/** What cases have gone through, counted. */

import type { Instruction } from '../../src/cpu/isa/insn.ts';
import { PSW_BA, PSW_DAT, PSW_EA } from '../../src/cpu/registers.ts';
import { effectiveAddress, type Step } from './vet.ts';

/** Counts by name, nested in groups: instructions, facilities, condition codes, exceptions, circumstances. */
export type Totals = Record<string, Record<string, number>>;

export class Coverage {
  readonly totals: Totals = {};
  /** What the case has covered that is being looked at. */
  readonly #noted: (readonly [group: string, name: string | number])[] = [];

  #note(group: string, name: string | number): void {
    this.#noted.push([group, name]);
  }

  /** How much has been noted of the case that is being looked at. */
  get noted(): number {
    return this.#noted.length;
  }

  /** Forgets what has been noted since there was so much. */
  forget(noted: number): void {
    this.#noted.length = noted;
  }

  /** What has been noted counts. */
  keep(): void {
    const met = new Set<string | number>();
    for (const [group, name] of this.#noted) {
      // An instruction counts once for a case.
      if (group === 'instructions' && met.size === met.add(name).size) continue;
      this.#count(group, name);
    }
  }

  #count(group: string, name: string | number, by = 1): void {
    const counts = (this.totals[group] ??= {});
    counts[name] = (counts[name] ?? 0) + by;
  }

  cases(count: number): void {
    this.#count('cases', 'all', count);
  }

  /** The case that comes next, and for which instruction the last one was made. */
  made(next: number, row: Instruction | undefined): void {
    (this.totals.cases ??= {}).next = next;
    if (row) this.#count('made for', row.mnemonic);
  }

  count(group: string, name: string): number {
    return this.totals[group]?.[name] ?? 0;
  }

  /** @param again it has been executed in this case before: circumstances may differ, the instruction counts once */
  before({ row, operands, lpar, executed }: Step, again: boolean): void {
    if (!again) {
      this.#note('instructions', row.mnemonic);
      this.#note('facilities', row.facility);
    }
    const mask = lpar.cpu.pswMask;
    this.#note('circumstances', mask & PSW_EA ? '64-bit mode' : mask & PSW_BA ? '31-bit mode' : '24-bit mode');
    if (mask & PSW_DAT) {
      const space = Number(mask >> 46n) & 3;
      this.#note('circumstances', ['primary space', 'access-register mode', 'secondary space', 'home space'][space]!);
    }
    if (executed) this.#note('circumstances', 'target of EXECUTE');
    for (const operand of [1, 2, 4] as const) {
      if (!(`b${operand}` in operands)) continue;
      const length = (operands[`l${operand}`] ?? operands.l1 ?? 7) + 1;
      const offset = Number(effectiveAddress(lpar, operands, operand) & 0xfffn);
      if (offset + length > 4096) this.#note('circumstances', 'operand at the end of a page');
    }
  }

  /** @param code program-interruption code, or 0 */
  after({ row }: Step, code: number, cc: number): void {
    if (code && code !== 0x40) {
      this.#note('exceptions', `X'${code.toString(16).padStart(2, '0').toUpperCase()}'`);
      this.#note('ended with an exception', row.mnemonic);
    } else this.#note('condition codes', cc);
  }

  /** Adds the totals of other runs. */
  add(totals: Totals): void {
    for (const [group, counts] of Object.entries(totals)) {
      for (const [name, count] of Object.entries(counts)) this.#count(group, name, count);
    }
  }

  report(): string {
    const lines: string[] = [];
    for (const [group, counts] of Object.entries(this.totals)) {
      const entries = Object.entries(counts).sort(([, a], [, b]) => a - b);
      const all = entries.reduce((sum, [, count]) => sum + count, 0);
      if (Object.keys(counts).length > 40) {
        const rarest = entries.slice(0, 12).map(([name, count]) => `${name} ${count}`);
        lines.push(`${group}: ${all} through ${entries.length}; least often ${rarest.join(', ')}`);
      } else lines.push(`${group}: ${entries.map(([name, count]) => `${name} ${count}`).join(', ')}`);
    }
    return lines.join('\n');
  }
}
