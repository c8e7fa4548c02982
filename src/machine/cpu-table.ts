/**
 * The CPUs of the configuration as software and the operator see them: which are there, and where they are. In shared
 * memory, eight bytes for each CPU, because every CPU tells of all of them.
 */

import type { CpuCounts } from '../cpu/environment.ts';
import type { Layout } from '../cpu/state.ts';
import type { SaveState } from '../save/save-state.ts';
import { SavedWords } from '../save/words.ts';
import { CPU_TABLE, POLARIZATION, TOPOLOGY_CHANGED } from './shared.ts';

/** `reserved`: not there yet; `standby`: there, but not in the configuration. */
export type Presence = 'reserved' | 'standby' | 'configured';
const presences: readonly Presence[] = ['reserved', 'standby', 'configured'];

/** Share of a physical CPU that a CPU is entitled to while the polarization is vertical; numbers of the topology. */
export const entitlements = ['auto', 'low', 'medium', 'high'] as const;
export type Entitlement = (typeof entitlements)[number];

/** Where a CPU is. */
export interface Place {
  readonly drawer: number;
  readonly book: number;
  readonly socket: number;
  readonly entitlement: Entitlement;
  /** It has a physical CPU of its own. */
  readonly dedicated: boolean;
}

/** A CPU that is added by its address. */
export interface CpuDevice {
  readonly address: number;
  readonly place: Place;
}

const ENTRY = 8;

/** The table, and what goes with all CPUs together. */
export const savedTable = (memory: WebAssembly.Memory, { machine, cpus }: Layout): SaveState =>
  new SavedWords('configuration', 1, memory, machine, {
    cpus: { at: CPU_TABLE, size: 1, count: ENTRY * cpus },
    polarization: { at: POLARIZATION, size: 4 },
    topologyChanged: { at: TOPOLOGY_CHANGED, size: 4 },
  });

export class CpuTable {
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    this.size = layout.cpus;
    this.#bytes = new Uint8Array(memory.buffer, layout.machine + CPU_TABLE, ENTRY * layout.cpus);
  }

  presence(cpu: number): Presence {
    return presences[this.#bytes[cpu * ENTRY]!]!;
  }
  setPresence(cpu: number, presence: Presence): void {
    this.#bytes[cpu * ENTRY] = presences.indexOf(presence);
  }

  place(cpu: number): Place {
    const [drawer, book, socket, entitlement, dedicated] = this.#bytes.subarray(cpu * ENTRY + 1);
    return {
      drawer: drawer!,
      book: book!,
      socket: socket!,
      entitlement: entitlements[entitlement!]!,
      dedicated: dedicated !== 0,
    };
  }
  setPlace(cpu: number, { drawer, book, socket, entitlement, dedicated }: Place): void {
    this.#bytes.set([drawer, book, socket, entitlements.indexOf(entitlement), Number(dedicated)], cpu * ENTRY + 1);
  }

  /** Addresses of the CPUs that are there in this way. */
  addresses(presence: Presence): number[] {
    return Array.from({ length: this.size }, (_, cpu) => cpu).filter(cpu => this.presence(cpu) === presence);
  }

  counts(): CpuCounts {
    return {
      configured: this.addresses('configured').length,
      standby: this.addresses('standby').length,
      reserved: this.addresses('reserved').length,
    };
  }
}
