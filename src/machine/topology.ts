/** The configuration topology: containers of CPUs in containers, as STORE SYSTEM INFORMATION 15.1.2 to 15.1.4 tells. */

import type { Topology } from '../cpu/environment.ts';
import type { Layout } from '../cpu/state.ts';
import type { TopologyControl } from './control.ts';
import { type CpuTable, entitlements, type Place } from './cpu-table.ts';
import { POLARIZATION, TOPOLOGY_CHANGED } from './shared.ts';

/** How many of each a container of the next kind holds. */
export interface Shape {
  readonly drawers: number;
  readonly books: number;
  readonly sockets: number;
  readonly cores: number;
}

/** Containers in containers: cores in sockets in books in drawers. READ SCP INFO tells it too. */
export const NESTING = 4;

const HEADER = 16;
const DEDICATED = 0x04;
/** All CPUs are Integrated Facilities for Linux to those who ask for the topology. */
const TYPE = 3;

/** Where a CPU is unless it is said: sockets are filled one after the other. */
export function usualPlace(cpu: number, { books, sockets, cores }: Shape): Place {
  const socket = Math.floor(cpu / cores);
  return {
    drawer: Math.floor(socket / sockets / books),
    book: Math.floor(socket / sockets) % books,
    socket: socket % sockets,
    entitlement: 'medium',
    dedicated: false,
  };
}

/** CPUs that one entry of the list describes. */
interface Entry extends Place {
  readonly polarization: number;
  readonly origin: number;
  mask: bigint;
}

export class ConfigurationTopology implements Topology, TopologyControl {
  readonly #words: Int32Array;
  readonly #at: (offset: number) => number;
  readonly #table: CpuTable;
  readonly shape: Shape;
  readonly #polarized: () => void;

  /** @param polarized is called when the polarization has changed */
  constructor(
    memory: WebAssembly.Memory,
    layout: Layout,
    table: CpuTable,
    shape: Shape,
    polarized: () => void = () => {},
  ) {
    this.#words = new Int32Array(memory.buffer);
    this.#at = offset => (layout.machine + offset) >>> 2;
    this.#table = table;
    this.shape = shape;
    this.#polarized = polarized;
  }

  get vertical(): boolean {
    return Atomics.load(this.#words, this.#at(POLARIZATION)) !== 0;
  }

  place(cpu: number): Place {
    return this.#table.place(cpu);
  }

  setPlace(cpu: number, place: Place): void {
    this.#table.setPlace(cpu, place);
    this.report();
  }

  polarize(vertical: boolean): boolean {
    const changed = Atomics.exchange(this.#words, this.#at(POLARIZATION), Number(vertical)) !== Number(vertical);
    if (changed) {
      this.report();
      this.#polarized();
    }
    return changed;
  }

  /** A change of the topology is to be reported. */
  report(): void {
    Atomics.store(this.#words, this.#at(TOPOLOGY_CHANGED), 1);
  }

  takeChange(): boolean {
    return Atomics.exchange(this.#words, this.#at(TOPOLOGY_CHANGED), 0) !== 0;
  }

  reset(): void {
    Atomics.store(this.#words, this.#at(POLARIZATION), 0);
    Atomics.store(this.#words, this.#at(TOPOLOGY_CHANGED), 0);
  }

  describe(nesting: number): Uint8Array | undefined {
    if (nesting < 2 || nesting > NESTING) return undefined;
    const { drawers, books, sockets, cores } = this.shape;
    // Levels that are not told of are joined to the highest that is.
    const magnitudes = { 2: [drawers * books * sockets], 3: [drawers * books, sockets], 4: [drawers, books, sockets] }[
      nesting as 2 | 3 | 4
    ];
    const list: number[] = [];
    const container = (level: number, id: number): void => void list.push(level, 0, 0, 0, 0, 0, 0, id);
    let last: Entry | undefined;
    const ids = [0, 0, 0];
    for (const entry of this.#entries()) {
      const newDrawer = entry.drawer !== last?.drawer;
      const newBook = newDrawer || entry.book !== last?.book;
      const newSocket = newBook || entry.socket !== last?.socket;
      if (nesting > 3 && newDrawer) {
        container(3, ids[2]!++);
        ids[1] = 0;
      }
      if (nesting > 2 && newBook) {
        container(2, ids[1]!++);
        ids[0] = 0;
      }
      if (newSocket) container(1, ids[0]!++);
      const { polarization, dedicated, origin, mask } = entry;
      list.push(0, 0, 0, 0, polarization | (dedicated ? DEDICATED : 0), TYPE, origin >>> 8, origin & 0xff);
      for (let shift = 56n; shift >= 0n; shift -= 8n) list.push(Number((mask >> shift) & 0xffn));
      last = entry;
    }
    const length = HEADER + list.length;
    if (length > 4096) return undefined;
    const block = new Uint8Array(length);
    new DataView(block.buffer).setUint16(2, length);
    // The magnitudes end with the lowest level in byte 9.
    block.set([...magnitudes, cores], 10 - nesting);
    block[11] = nesting;
    block.set(list, HEADER);
    return block;
  }

  /** In the order that the manual asks for: by container, polarization and dedication downwards, address. */
  #entries(): Entry[] {
    const { vertical } = this;
    const entries = new Map<string, Entry>();
    for (const cpu of this.#table.addresses('configured')) {
      const place = this.#table.place(cpu);
      const polarization = vertical ? entitlements.indexOf(place.entitlement) : 0;
      const origin = cpu & ~63;
      const { drawer, book, socket, dedicated } = place;
      const key = [drawer, book, socket, polarization, dedicated, origin].join();
      const entry = entries.get(key) ?? { ...place, polarization, origin, mask: 0n };
      entry.mask |= 1n << BigInt(63 - (cpu & 63));
      entries.set(key, entry);
    }
    return [...entries.values()].sort(
      (a, b) =>
        a.drawer - b.drawer ||
        a.book - b.book ||
        a.socket - b.socket ||
        b.polarization - a.polarization ||
        Number(b.dedicated) - Number(a.dedicated) ||
        a.origin - b.origin,
    );
  }
}
