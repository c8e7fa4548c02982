/**
 * Structured control flow from a graph of basic blocks, by its dominator tree: a block that several others jump forward
 * to follows the end of a WebAssembly block, the target of backward jumps begins a loop, every other block stands where
 * it is jumped to. Edges that make the graph irreducible are left to the caller.
 */

import type { FunctionCode, Label } from '../ir/code.ts';

export interface Graph {
  /** Blocks are numbers; 0 is the entry. */
  readonly successors: readonly (readonly number[])[];
}

export class ControlFlow {
  readonly #graph: Graph;
  /** Reverse postorder: a number for each block that can be reached, else -1. */
  readonly #order: number[];
  /** The blocks in reverse postorder. */
  readonly sequence: readonly number[];
  readonly #dominator: number[];
  readonly #children: number[][];
  readonly #merges: boolean[];
  readonly #loops: boolean[];
  readonly #loopLabels: Label[] = [];
  readonly #blockLabels: Label[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    const count = graph.successors.length;
    const sequence = this.#postorder().reverse();
    this.sequence = sequence;
    this.#order = new Array<number>(count).fill(-1);
    sequence.forEach((block, n) => {
      this.#order[block] = n;
    });
    this.#dominator = this.#dominators(sequence);
    this.#children = Array.from({ length: count }, () => []);
    this.#merges = new Array<boolean>(count).fill(false);
    this.#loops = new Array<boolean>(count).fill(false);
    const forward = new Array<number>(count).fill(0);
    for (const block of sequence) {
      if (block !== 0) this.#children[this.#dominator[block]!]!.push(block);
      for (const to of new Set(graph.successors[block])) {
        if (this.isBackward(block, to)) this.#loops[to] ||= this.#dominates(to, block);
        else forward[to]!++;
      }
    }
    forward.forEach((edges, block) => {
      this.#merges[block] = edges > 1;
    });
    for (const children of this.#children) children.sort((a, b) => this.#order[b]! - this.#order[a]!);
  }

  #postorder(): number[] {
    const seen = new Set([0]);
    const done: number[] = [];
    const visit = (block: number): void => {
      for (const to of this.#graph.successors[block]!) {
        if (seen.has(to)) continue;
        seen.add(to);
        visit(to);
      }
      done.push(block);
    };
    visit(0);
    return done;
  }

  /** Immediate dominators (Cooper, Harvey, Kennedy). */
  #dominators(sequence: readonly number[]): number[] {
    const order = this.#order;
    const predecessors = this.#graph.successors.map((): number[] => []);
    for (const block of sequence) for (const to of this.#graph.successors[block]!) predecessors[to]!.push(block);
    const found = new Array<number>(order.length).fill(-1);
    found[0] = 0;
    const common = (one: number, other: number): number => {
      let [a, b] = [one, other];
      while (a !== b) {
        while (order[a]! > order[b]!) a = found[a]!;
        while (order[b]! > order[a]!) b = found[b]!;
      }
      return a;
    };
    for (let changed = true; changed; ) {
      changed = false;
      for (const block of sequence.slice(1)) {
        const known = predecessors[block]!.filter(from => found[from]! >= 0);
        const now = known.slice(1).reduce(common, known[0]!);
        changed ||= found[block] !== now;
        found[block] = now;
      }
    }
    return found;
  }

  #dominates(a: number, b: number): boolean {
    let at = b;
    while (at !== a && at !== 0) at = this.#dominator[at]!;
    return at === a;
  }

  /** Each way around a loop has such an edge. */
  isBackward(from: number, to: number): boolean {
    return this.#order[to]! <= this.#order[from]!;
  }

  /** Whether a block is jumped to from several places, so that its code does not simply follow that of another. */
  isJoined(block: number): boolean {
    return this.#merges[block]! || this.#loops[block]!;
  }

  /** Whether `jump` can express the edge: not into the middle of a loop. Of a block that cannot be reached nothing is emitted. */
  isReducible(from: number, to: number): boolean {
    return this.#order[from]! < 0 || !this.isBackward(from, to) || this.#dominates(to, from);
  }

  /** Emits all blocks; `body` emits one, and uses `jump` for its edges. */
  emit(f: FunctionCode, body: (block: number) => void): void {
    this.#tree(f, 0, body);
  }

  #tree(f: FunctionCode, block: number, body: (block: number) => void): void {
    const merges = this.#children[block]!.filter(child => this.#merges[child]);
    if (!this.#loops[block]) return this.#within(f, block, merges, body);
    f.loop(label => {
      this.#loopLabels[block] = label;
      this.#within(f, block, merges, body);
    });
  }

  #within(f: FunctionCode, block: number, merges: readonly number[], body: (block: number) => void): void {
    const [last, ...rest] = merges;
    if (last === undefined) return body(block);
    f.block(label => {
      this.#blockLabels[last] = label;
      this.#within(f, block, rest, body);
    });
    this.#tree(f, last, body);
  }

  /** Emits a jump along an edge that is reducible. */
  jump(f: FunctionCode, from: number, to: number, body: (block: number) => void): void {
    if (this.isBackward(from, to)) f.br(this.#loopLabels[to]!);
    else if (this.#merges[to]) f.br(this.#blockLabels[to]!);
    else this.#tree(f, to, body);
  }
}
