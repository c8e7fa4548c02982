/**
 * The instructions of a region as basic blocks: what can be reached from its entry by falling through, by branches
 * within the page, through calls, and by branches to addresses in registers as far as their targets can be guessed.
 */

import type { Decoder } from '../isa/decode.ts';
import { instructionLength } from '../isa/formats.ts';
import type { Instruction } from '../isa/insn.ts';
import { ControlFlow } from './control-flow.ts';
import { type CodeKind, type Facts, factsOf, UNKNOWN } from './facts.ts';
import { isRelativeBranch, isStorageToStorage } from './handlers.ts';
import { recordOperands } from './records.ts';

/** What an instruction is, wherever it stands: found once for each text. */
interface Text {
  readonly row: Instruction;
  /** All operand fields. */
  readonly fields: Readonly<Record<string, number>>;
  readonly facts: Facts;
  /** Distance in bytes of the target of a relative branch. */
  readonly distance: number | undefined;
  /** The next instruction may follow. */
  readonly fallsThrough: boolean;
  /** It calls: a branch from which control usually comes back to the next instruction. */
  readonly calls: boolean;
}

/** An instruction of a page. */
export interface Placed extends Text {
  readonly offset: number;
  readonly length: number;
  /** Offset of the target of a branch within the page. */
  readonly target: number | undefined;
}

/** Instructions of a page that make one region: offsets. */
export interface Group {
  /** With which it may begin. */
  readonly entries: readonly number[];
  /** To which its branches to addresses in registers may lead, other than returns. */
  readonly choices: readonly number[];
  readonly members: ReadonlySet<number>;
}

/** What is on a page. */
export interface Places {
  /** The instruction at an offset; undefined: there is none, or it is not to be compiled. */
  at(offset: number): Placed | undefined;
  /** The target of an EXECUTE, which need not be met otherwise. */
  executed(offset: number): Placed | undefined;
}

/** What a region is made from; it is entered with the PSW address of one of its entries. */
export interface RegionSource extends Group, Places {
  /** Its registers are in locals, and functions are compiled with what calls them. */
  readonly thorough: boolean;
  /** Offset in the page that a general register designates, as far as can be seen now. */
  pointer(register: number): number | undefined;
}

export interface Step extends Placed {
  /** The row is that of EXECUTE's target: the register with the byte that is inserted, whose number is not zero. */
  readonly executed?: number;
}

/** What is reached from one entry, and what regions are joined to. */
const MOST_INSTRUCTIONS = 400;
const MOST_JOINED = 700;
/** Instructions of a function that is compiled with what calls it, and how deep such calls are. */
const MOST_CALLED = 100;
const MOST_DEPTH = 3;
/** Targets of branches to addresses in registers. */
const MOST_CHOICES = 64;

/** What is to be done for an instruction; undefined: it is left to the interpreter. */
function stepOf(placed: Placed, places: Places): Step | undefined {
  const { row, fields, offset } = placed;
  if (row.mnemonic !== 'EXRL') return placed.facts.interpreted ? undefined : placed;
  const target = places.executed(offset + 2 * fields.h2!);
  if (!target || !isStorageToStorage(target.row)) return undefined;
  const register = fields.r1!;
  const operands = register ? { ...target.fields, l1: UNKNOWN, l: target.fields.l1! } : target.fields;
  const facts = factsOf(target.row, operands);
  if (facts.interpreted) return undefined;
  const readsLow = register ? (facts.readsLow | (1 << register)) & ~facts.readsWhole : facts.readsLow;
  return {
    ...placed,
    row: target.row,
    fields: operands,
    facts: { ...facts, readsLow },
    ...(register ? { executed: register } : {}),
  };
}

/** Where an address in a register may lead to. */
export interface Guess {
  readonly offset: number;
  readonly block: number;
}

/** A basic block, and what is known at its beginning. */
export interface Block {
  /** What tells it from other blocks: the offset of its first instruction, plus 4096 times the number of its context. */
  readonly key: number;
  /** None: the block chooses among `ways`, or the branches of `guesses`. */
  readonly steps: Step[];
  /** Numbers of the blocks that follow; -1: the region is left. */
  next: number;
  target: number;
  /** Where the branch at its end leads to if the address is the one that has been guessed. */
  guesses: Guess[];
  /** The block that chooses where the branch at its end leads to; -1: none. */
  choice: number;
  /** Of the one that chooses where the region is entered, and among ways into the middle of loops: what may follow. */
  ways: number[];
  /** Registers of which bits 0-31 are needed before they are set again. */
  wholeNeeded: number;
  /** Registers whose bits 32-63 are in a local of their own. */
  low: number;
  /** Registers that have been changed since the region was entered: as a whole, or in bits 32-63. */
  dirtyWhole: number;
  dirtyLow: number;
  /** How the condition code is kept; undefined: nobody asks for it. */
  code: CodeKind | 'any' | undefined;
  codeNeeded: boolean;
}

/** Numbers of the blocks to which a block leads. */
export const followers = ({ next, target, guesses, choice }: Block): number[] =>
  [...guesses.map(({ block }) => block), target, next, choice].filter(to => to >= 0);

const emptyBlock = (key: number): Block => ({
  key,
  steps: [],
  next: -1,
  target: -1,
  guesses: [],
  choice: -1,
  ways: [],
  wholeNeeded: 0,
  low: 0,
  dirtyWhole: 0,
  dirtyLow: 0,
  code: undefined,
  codeNeeded: false,
});

/** A branch, not a call, to an address that is not in the instruction. */
const isIndirect = ({ row, fields, target, calls }: Placed): boolean =>
  target === undefined && !calls && ((row.mnemonic === 'BCR' && fields.r2 !== 0) || row.mnemonic === 'BC');
const RETURN_REGISTER = 14;
const isChoice = (step: Placed): boolean => isIndirect(step) && step.fields.r2 !== RETURN_REGISTER;

/** Calls `visit` for what can be reached from an entry, until it says that it goes no further. */
function explore(entry: number, places: Places, visit: (step: Step) => 'on' | 'known' | 'stop'): void {
  const work = [entry];
  for (let from = work.pop(); from !== undefined; from = work.pop()) {
    for (let offset = from; ; ) {
      const placed = places.at(offset);
      const step = placed && stepOf(placed, places);
      if (!step || visit(step) !== 'on') break;
      if (step.target !== undefined && !step.calls) work.push(step.target);
      if (!step.fallsThrough) break;
      offset += step.length;
    }
  }
}

/** A group that grows. */
interface Growing {
  readonly entries: number[];
  readonly choices: number[];
  readonly members: Set<number>;
  chooses: boolean;
}

/**
 * Divides what can be reached from several places of a page into regions that have nothing in common: what leads to the
 * same instructions becomes one, up to a size. Where there are branches to addresses in registers other than returns,
 * what has been branched to on the page, says `arrivals`, may be where they lead.
 */
export function divide(entries: readonly number[], places: Places, arrivals: () => readonly number[]): Group[] {
  const groups = new Set<Growing>();
  const groupOf = new Map<number, Growing>();
  for (const entry of entries) {
    const known = groupOf.get(entry);
    if (known) {
      if (!known.entries.includes(entry)) known.entries.push(entry);
      continue;
    }
    const group: Growing = { entries: [entry], choices: [], members: new Set(), chooses: false };
    const { members } = group;
    const met = new Set<Growing>();
    const visit = (step: Step): 'on' | 'known' | 'stop' => {
      const other = groupOf.get(step.offset);
      if (other) met.add(other);
      if (other || members.has(step.offset)) return 'known';
      if (members.size >= MOST_INSTRUCTIONS) return 'stop';
      members.add(step.offset);
      group.chooses ||= isChoice(step);
      return 'on';
    };
    explore(entry, places, visit);
    if (!members.size) continue;
    if (group.chooses) {
      const choices = arrivals().filter(offset => !members.has(offset) && !groupOf.has(offset));
      for (const offset of choices.slice(0, MOST_CHOICES)) {
        explore(offset, places, visit);
        if (members.has(offset)) group.choices.push(offset);
      }
    }
    for (const other of met) {
      if (members.size + other.members.size > MOST_JOINED) continue;
      group.entries.push(...other.entries);
      group.choices.push(...other.choices);
      group.chooses ||= other.chooses;
      for (const offset of other.members) members.add(offset);
      groups.delete(other);
    }
    for (const offset of members) groupOf.set(offset, group);
    groups.add(group);
  }
  return [...groups].map(({ entries, choices, members, chooses }) => {
    return { entries, members, choices: chooses ? [...new Set([...entries, ...choices])] : [] };
  });
}

/** The code of the entry, or a function called from there: it is compiled again for each place that calls it. */
interface Context {
  readonly number: number;
  /** Of the function; undefined for the entry's code. */
  readonly entry: number | undefined;
  readonly caller: Context | undefined;
  /** Where control comes back to in the caller. */
  readonly back: number;
  readonly depth: number;
}

interface Spot {
  readonly context: Context;
  readonly offset: number;
}

interface Found extends Spot {
  step: Step;
  /** Where the address in a register may lead to. */
  guesses: readonly Spot[];
  chooses: boolean;
}

const keyOf = ({ context, offset }: Spot): number => context.number * 4096 + offset;

class Search {
  readonly #source: RegionSource;
  readonly #found = new Map<number, Found>();
  readonly #leaders = new Map<number, Spot>();
  readonly #calls: Found[] = [];
  readonly #root: Context = { number: 0, entry: undefined, caller: undefined, back: -1, depth: 0 };
  readonly #sizes = new Map<number, number>();
  #contexts = 1;

  constructor(source: RegionSource) {
    this.#source = source;
    const places = [...source.entries, ...source.choices];
    for (const offset of places) this.#lead({ context: this.#root, offset });
    for (const offset of places) this.#scan(this.#root, offset);
    this.#enterCalls();
  }

  #lead(spot: Spot): void {
    this.#leaders.set(keyOf(spot), spot);
  }

  /** Finds what can be reached without calls. */
  #scan(context: Context, entry: number): void {
    const isOutside = (offset: number): boolean =>
      context === this.#root ? !this.#source.members.has(offset) : this.#found.size >= MOST_JOINED;
    const work = [entry];
    this.#lead({ context, offset: entry });
    for (let from = work.pop(); from !== undefined; from = work.pop()) {
      for (let offset = from; ; ) {
        const here = { context, offset };
        if (this.#found.has(keyOf(here))) {
          this.#lead(here);
          break;
        }
        const step = isOutside(offset) ? undefined : this.#step(offset);
        if (!step) break;
        const { target, calls, fallsThrough, length } = step;
        const chooses = context === this.#root && isChoice(step) && this.#source.choices.length > 1;
        const found: Found = { context, offset, step, guesses: [], chooses };
        this.#found.set(keyOf(found), found);
        if (calls) this.#calls.push(found);
        else if (target !== undefined) {
          this.#lead({ context, offset: target });
          work.push(target);
        } else if (context.caller && isIndirect(step)) {
          found.guesses = [{ context: context.caller, offset: context.back }];
        }
        if (!fallsThrough) break;
        offset += length;
        if (target !== undefined || calls) this.#lead({ context, offset });
      }
    }
  }

  #step(offset: number): Step | undefined {
    const placed = this.#source.at(offset);
    return placed && stepOf(placed, this.#source);
  }

  /** How many instructions a function has; 0: it is not one that returns, or too long. */
  #sizeOf(entry: number): number {
    const known = this.#sizes.get(entry);
    if (known !== undefined) return known;
    const seen = new Set<number>();
    const work = [entry];
    let returns = false;
    while (work.length && seen.size <= MOST_CALLED) {
      let offset = work.pop()!;
      while (!seen.has(offset) && seen.size <= MOST_CALLED) {
        const step = this.#step(offset);
        if (!step) break;
        seen.add(offset);
        returns ||= isIndirect(step);
        if (step.target !== undefined && !step.calls) work.push(step.target);
        if (!step.fallsThrough) break;
        offset += step.length;
      }
    }
    const size = returns && seen.size <= MOST_CALLED ? seen.size : 0;
    this.#sizes.set(entry, size);
    return size;
  }

  #calling(entry: number, from: Context): boolean {
    for (let context: Context | undefined = from; context; context = context.caller) {
      if (context.entry === entry) return true;
    }
    return this.#source.entries.includes(entry);
  }

  /** Decides which calls lead to code of this region. */
  #enterCalls(): void {
    for (let call = this.#calls.shift(); call; call = this.#calls.shift()) {
      const { context, step } = call;
      const { target, fields } = step;
      const entry = target ?? (fields.r2 ? this.#source.pointer(fields.r2) : undefined);
      const within = this.#source.thorough && context.depth < MOST_DEPTH;
      const size = entry === undefined || !within ? 0 : this.#sizeOf(entry);
      if (!size || this.#found.size + size > MOST_JOINED || this.#calling(entry!, context)) {
        // What is called may set everything.
        call.step = {
          ...step,
          target: undefined,
          facts: { ...step.facts, code: 'value', usesCode: true, setsRegisters: true },
        };
        continue;
      }
      const callee: Context = {
        number: this.#contexts++,
        entry,
        caller: context,
        back: call.offset + step.length,
        depth: context.depth + 1,
      };
      call.guesses = [{ context: callee, offset: entry! }];
      if (target === undefined) call.step = { ...step, facts: { ...step.facts, usesCode: true } };
      else call.step = { ...step, calls: false, fallsThrough: false };
      this.#scan(callee, entry!);
    }
  }

  /** First those of the entries. */
  blocks(): Block[] {
    const found = this.#found;
    const starts = [...this.#leaders.values()].filter(spot => found.has(keyOf(spot)));
    const numbers = new Map(starts.map((spot, n) => [keyOf(spot), n]));
    const number = (spot: Spot): number => numbers.get(keyOf(spot)) ?? -1;
    const guessed = (spots: readonly Spot[]): Guess[] =>
      spots.map(spot => ({ offset: spot.offset, block: number(spot) })).filter(({ block }) => block >= 0);
    const blocks = starts.map(start => {
      const { context } = start;
      const block = emptyBlock(keyOf(start));
      for (let { offset } = start; ; ) {
        const here = found.get(keyOf({ context, offset }));
        if (!here) return block;
        const { step, guesses, chooses } = here;
        const { target, fallsThrough } = step;
        block.steps.push(step);
        offset += step.length;
        block.next = fallsThrough ? number({ context, offset }) : -1;
        if (target === undefined) block.guesses = guessed(guesses);
        else block.target = number(guesses[0] ?? { context, offset: target });
        if (chooses) block.choice = starts.length;
        if (target !== undefined || block.next >= 0 || !fallsThrough || guesses.length || chooses) return block;
      }
    });
    if (!blocks.some(({ choice }) => choice >= 0)) return blocks;
    const choices = this.#source.choices.map(offset => ({ context: this.#root, offset }));
    return [...blocks, { ...emptyBlock(4096 * this.#contexts), guesses: guessed(choices) }];
  }
}

interface Flow {
  readonly blocks: readonly Block[];
  readonly flow: ControlFlow;
  /** For each block those that it goes to by way of block 0. */
  readonly rerouted: readonly ReadonlySet<number>[];
}

/**
 * Blocks and how control flows among them. Where there are several entries, or jumps into the middle of a loop, block 0 is
 * one without instructions that chooses where to go on.
 */
export function flowOf(source: RegionSource): Flow {
  const blocks = new Search(source).blocks();
  if (!blocks.length) blocks.push(emptyBlock(0));
  const count = source.entries.filter(entry => blocks.some(({ key }) => key === entry)).length;
  let ways = count > 1 ? blocks.slice(0, count) : [];
  for (;;) {
    const all = ways.length
      ? [{ ...emptyBlock(-1), ways: ways.map(way => blocks.indexOf(way) + 1) }, ...blocks]
      : blocks;
    // Behind block 0 the numbers are higher by one.
    const shift = ways.length ? 1 : 0;
    const isWay = new Set(all[0]?.ways);
    const successors = all.map((block, n) => (shift && n === 0 ? block.ways : followers(block).map(to => to + shift)));
    let flow = new ControlFlow({ successors });
    const irreducible = (from: number, to: number): boolean => !flow.isReducible(from, to);
    const rerouted = successors.map((to, from) => new Set(to.filter(each => irreducible(from, each))));
    const strangers = [...new Set(rerouted.flatMap(each => [...each]))].filter(to => !isWay.has(to));
    if (strangers.length) {
      if (!ways.length) ways = [blocks[0]!];
      ways = [...ways, ...strangers.map(to => blocks[to - shift]!).filter(block => !ways.includes(block))];
      continue;
    }
    if (!shift) return { blocks, flow, rerouted };
    flow = new ControlFlow({
      successors: successors.map((to, from) => [...new Set(to.map(each => (rerouted[from]!.has(each) ? 0 : each)))]),
    });
    for (const [n, block] of all.entries()) {
      if (n === 0) continue;
      if (block.next >= 0) block.next++;
      if (block.target >= 0) block.target++;
      if (block.choice >= 0) block.choice++;
      block.guesses = block.guesses.map(({ offset, block }) => ({ offset, block: block + 1 }));
    }
    return { blocks: all, flow, rerouted };
  }
}

const CALLS = new Set(['BRASL', 'BRAS', 'BASR']);

/** Most texts that are kept. */
const MOST_TEXTS = 50_000;

/** Finds out what instructions are. */
export class Texts {
  readonly #decoder: Decoder<Instruction>;
  readonly #known = new Map<number, Text | undefined>();

  constructor(decoder: Decoder<Instruction>) {
    this.#decoder = decoder;
  }

  /** The instruction at an offset in a page; undefined if it is not to be compiled. `read16` reads from the page. */
  place(read16: (offset: number) => number, offset: number): Placed | undefined {
    if (offset > 4094) return undefined;
    const upper = read16(offset);
    const length = instructionLength(upper >>> 8);
    if (offset + length > 4096) return undefined;
    const second = length > 2 ? read16(offset + 2) : 0;
    const third = length > 4 ? read16(offset + 4) : 0;
    const text = this.#textOf(upper, ((second << 16) | third) >>> 0);
    if (!text) return undefined;
    const { row, fields, facts, distance, fallsThrough, calls } = text;
    const target = distance === undefined ? -1 : offset + distance;
    const near = target >= 0 && target < 4096 ? target : undefined;
    return { row, fields, facts, distance, fallsThrough, calls, offset, length, target: near };
  }

  #textOf(upper: number, lower: number): Text | undefined {
    const key = upper * 2 ** 32 + lower;
    const known = this.#known.get(key);
    if (known || this.#known.has(key)) return known;
    if (this.#known.size >= MOST_TEXTS) this.#known.clear();
    const text = this.#decode(upper, lower);
    this.#known.set(key, text);
    return text;
  }

  #decode(upper: number, lower: number): Text | undefined {
    const row = this.#decoder.decode(upper, lower);
    if (!row) return undefined;
    const fields = recordOperands(row.format, upper, lower);
    const { mnemonic } = row;
    const distance = isRelativeBranch(row) ? 2 * (fields.h2 ?? fields.h4)! : undefined;
    const always = row.branches && (fields.m1 === 15 || mnemonic.startsWith('BRAS') || mnemonic.startsWith('BA'));
    const never = mnemonic.endsWith('R') && fields.r2 === 0;
    // The usual register for return addresses; with others it is a way to find out where one is.
    const calls = !never && fields.r1 === RETURN_REGISTER && CALLS.has(mnemonic);
    const fallsThrough = !always || never || calls;
    return { row, fields, facts: factsOf(row, fields), distance, fallsThrough, calls };
  }
}
