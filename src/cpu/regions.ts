/**
 * Regions of compiled code (engine/region.ts): where they are wanted, and where they are. What a CPU executes is sampled
 * at each tick, which it notices at a taken branch: what is met twice is worth compiling.
 */

import type { Cpu } from './cpu.ts';
import { HANDLER_REGION } from './engine/protocol.ts';
import { RECORD_SIZE } from './engine/records.ts';
import { buildModule, type Placed, place } from './engine/region.ts';

/** Samples at one place after which it is compiled. */
const HOT = 2;
const MOST_SAMPLES = 4096;
/** How many regions there may be; each takes some 30 KiB. */
const SLOTS = 2048;
/** Fewer instructions are not worth the way in and out. */
const FEWEST = 4;

export class Regions {
  readonly table: WebAssembly.Table;
  readonly #cpu: Cpu;
  readonly #samples = new Map<number, number>();
  /** Slots in use, by code page. */
  readonly #slots = new Map<number, number[]>();
  readonly #free: number[] = [];
  #next = 1;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: SLOTS });
  }

  /** The CPU is about to execute the instruction at this absolute address, in the page of a frame that has a code page. */
  sample(absolute: number): void {
    const count = (this.#samples.get(absolute) ?? 0) + 1;
    if (count < HOT) {
      if (this.#samples.size >= MOST_SAMPLES) this.#samples.clear();
      this.#samples.set(absolute, count);
      return;
    }
    this.#samples.delete(absolute);
    this.compile(absolute);
  }

  /** Compiles the region that begins at an absolute address, in a frame that has a code page, unless it is too small. */
  compile(absolute: number, fewest = FEWEST): void {
    const cpu = this.#cpu;
    const entry = absolute % 4096;
    const frame = absolute - entry;
    const codePage = cpu.code.pageOf(frame);
    const record = codePage + (entry / 2) * RECORD_SIZE;
    if (cpu.code.handlerAt(record) === HANDLER_REGION) return;
    if (this.#next === SLOTS && !this.#free.length) this.#giveUpOldest();
    const slot = this.#free.pop() ?? this.#next++;
    const at = (offset: number): Placed | undefined =>
      place(cpu.decoder, from => cpu.storage.read16(frame + from), offset);
    const { bytes, sizes } = buildModule(cpu.regionOptions, [{ codePage, entry, at }]);
    if (sizes[0]! < fewest) return void this.#free.push(slot);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: cpu.regionImports });
    this.table.set(slot, instance.exports[0] as () => number);
    const page = cpu.code.enterRegion(frame, record, slot);
    this.#slots.set(page, [...(this.#slots.get(page) ?? []), slot]);
  }

  /** Makes room: the page whose first region was compiled longest ago loses its regions. */
  #giveUpOldest(): void {
    const [page] = this.#slots.keys();
    this.#cpu.code.forgetPage(page!);
  }

  /** A code page is given up, or its frame has been stored to. */
  forget(page: number): void {
    const slots = this.#slots.get(page);
    if (!slots) return;
    this.#slots.delete(page);
    for (const slot of slots) this.table.set(slot, null);
    this.#free.push(...slots);
  }
}
