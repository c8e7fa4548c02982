/** Handlers: the pieces of code between which the interpreter's jump table chooses, and how instructions get theirs. */

import type { Instruction } from '../isa/insn.ts';
import { PAIRS } from './pairs.ts';
import { FIRST_ROW_HANDLER } from './protocol.ts';
import { RecordBuilder } from './records.ts';

/**
 * A handler: the row, and fields whose values this handler may take for granted; the field `near` is 1 for branches
 * whose target is on the same page.
 */
export interface Handler {
  readonly row: Instruction;
  readonly fixed: Readonly<Record<string, number>>;
  /** The copy for targets of EXECUTE, where relative operands count from the target. */
  readonly executed: boolean;
  /** The instruction that follows has this handler, whose work is done at once. */
  readonly second?: Handler;
}

/** Masks of frequent conditions of a branch on condition, and of compare and branch. */
const BRANCH_MASKS = [15, 8, 7, 4, 2, 12, 10, 13, 11, 5, 3];
const FEW_BRANCH_MASKS = [15, 8, 7];
const COMPARE_MASKS = [8, 6, 4, 2, 12, 10];

const isRelative = (row: Instruction): boolean => Object.keys(row.format.fields).some(name => name[0] === 'h');
/** Branches whose target is relative. */
export const isRelativeBranch = (row: Instruction): boolean => row.branches === true && isRelative(row);
/** Whether a handler for targets of EXECUTE differs: the PSW address is not theirs. */
const dependsOnAddress = (row: Instruction): boolean => isRelative(row) || row.branches === true;
/** Storage-to-storage instructions with one length of eight bits: the usual targets of EXECUTE. */
export const isStorageToStorage = (row: Instruction): boolean => row.format.name === 'SS_a';

/**
 * The handlers of a table. Operands without an index, shifts by a constant, and branches on frequent conditions
 * deserve handlers of their own; `selectHandler` takes the first that suits. Pairs of instructions that often follow
 * one another have handlers, too. Storage-to-storage instructions come last, so that EXECUTE knows its usual targets, which have one handler each, by their number.
 */
export function handlersOf(rows: readonly Instruction[]): Handler[] {
  const handlers: Handler[] = [];
  const add = (row: Instruction, fixed: Record<string, number>, executed = false): void => {
    handlers.push({ row, fixed, executed });
  };
  for (const row of rows) {
    if (isStorageToStorage(row)) continue;
    const { fields } = row.format;
    if ('x2' in fields) add(row, { x2: 0 });
    if (row.shift) add(row, { b2: 0 });
    for (const usual of row.usual ?? []) add(row, usual);
    if (isRelativeBranch(row)) {
      if (row.mnemonic === 'BRC') for (const m1 of BRANCH_MASKS) add(row, { near: 1, m1 });
      if ('m3' in fields) for (const m3 of COMPARE_MASKS) add(row, { near: 1, m3 });
      add(row, { near: 1 });
    }
    if ('m1' in fields && row.mnemonic.startsWith('B')) for (const m1 of FEW_BRANCH_MASKS) add(row, { m1 });
    add(row, {});
    if (dependsOnAddress(row)) add(row, {}, true);
  }
  const single = new Map(handlers.filter(({ executed }) => !executed).map(handler => [pairName(handler), handler]));
  for (const [name, seconds] of Object.entries(PAIRS)) {
    const first = single.get(name);
    if (!first) continue;
    for (const other of seconds.split(' ')) {
      const second = single.get(other);
      if (second) handlers.push({ ...first, second });
    }
  }
  for (const row of rows) if (isStorageToStorage(row)) add(row, {});
  return handlers;
}

/** How pairs.ts names a handler: the mnemonic, `+` where another handler of the row takes more for granted, the mask. */
function pairName({ row, fixed }: Handler): string {
  const { fields } = row.format;
  const general = ('x2' in fields && !('x2' in fixed)) || (row.shift && !('b2' in fixed));
  const far = isRelativeBranch(row) && !('near' in fixed);
  const mask = fixed.m1 ?? fixed.m3;
  return row.mnemonic + (general || far ? '+' : '') + (mask === undefined ? '' : `:${mask}`);
}

/** The pairs among handlers: the number of a pair by those of its instructions; and the other way. */
export class Pairs {
  /** By the number of a pair's first handler: numbers of pairs by that of the second; most are first in none. */
  readonly #pairs: (Map<number, number> | undefined)[];
  /** By a handler's number: that of a pair's first instruction, of any other itself; and the first's length. */
  readonly #first: readonly number[];
  readonly #lengths: readonly number[];

  constructor(handlers: readonly Handler[]) {
    const singles = new Map(handlers.map((handler, n) => [handler.second ? '' : identity(handler), n]));
    this.#lengths = handlers.map(({ row }) => row.format.length);
    this.#pairs = new Array(handlers.length).fill(undefined);
    this.#first = handlers.map((handler, n) => {
      if (!handler.second) return n;
      const first = singles.get(identity(handler))!;
      const pairs = (this.#pairs[first] ??= new Map());
      pairs.set(singles.get(identity(handler.second))!, FIRST_ROW_HANDLER + n);
      return first;
    });
  }

  /** Of the instruction that begins what has this handler: its own handler. */
  single(number: number): number {
    return number < FIRST_ROW_HANDLER ? number : FIRST_ROW_HANDLER + this.#first[number - FIRST_ROW_HANDLER]!;
  }

  /** Length of the first instruction; 0 where the handler belongs to no instruction. */
  length(number: number): number {
    return this.#lengths[number - FIRST_ROW_HANDLER] ?? 0;
  }

  /** The handler for an instruction and the one behind it, whatever handlers they have; undefined: no pair. */
  of(first: number, second: number): number | undefined {
    return this.#pairs[this.single(first) - FIRST_ROW_HANDLER]?.get(this.single(second) - FIRST_ROW_HANDLER);
  }
}

const identity = ({ row, fixed, executed }: Handler): string => `${row.mnemonic}${JSON.stringify(fixed)}${executed}`;

/** Which handler an instruction of one row gets, and its record. */
export interface Plan {
  readonly branch: boolean;
  readonly builder: RecordBuilder;
  /** The row's handlers in the order in which they are tried: in their own right, and as targets of EXECUTE. */
  readonly plain: readonly Candidate[];
  readonly target: readonly Candidate[];
}

export interface Candidate {
  readonly number: number;
  /** Only for branches within the page. */
  readonly near: boolean;
  /** Index and value of operands. */
  readonly fixed: readonly (readonly [number, number])[];
}

/** The plans of all rows of a table. */
export function plansOf(handlers: readonly Handler[]): Map<Instruction, Plan> {
  const plans = new Map<Instruction, Plan & { plain: Candidate[]; target: Candidate[] }>();
  for (const [n, { row, fixed, executed, second }] of handlers.entries()) {
    if (second) continue;
    let plan = plans.get(row);
    if (!plan) {
      const builder = new RecordBuilder(row.format);
      plans.set(row, (plan = { branch: isRelativeBranch(row), builder, plain: [], target: [] }));
    }
    const { near = 0, ...operands } = fixed;
    const candidate: Candidate = {
      number: FIRST_ROW_HANDLER + n,
      near: near === 1,
      fixed: Object.entries(operands).map(([name, value]) => [plan.builder.indexOf(name), value]),
    };
    if (!executed) plan.plain.push(candidate);
    if (executed || !(dependsOnAddress(row) || Object.keys(fixed).length)) plan.target.push(candidate);
  }
  return plans;
}

/** The number of the handler for the operands that the plan's builder has taken. */
export function selectHandler({ builder, plain, target }: Plan, executed: boolean, near: boolean): number {
  for (const candidate of executed ? target : plain) {
    if (candidate.near && !near) continue;
    if (candidate.fixed.every(([index, value]) => builder.value(index) === value)) return candidate.number;
  }
  throw new Error('a row has no handler for all operands');
}
