/**
 * Standby storage: behind the storage that is there from the start, in increments that software takes and gives back by
 * SCLP commands. It has its place in the memory of the process all the time, and cannot be reached while it is not
 * assigned.
 */

import type { Layout } from '../cpu/state.ts';
import type { StorageFacts } from '../devices/sclp/sclp.ts';
import type { SaveState } from '../save/save-state.ts';
import { SavedWords } from '../save/words.ts';
import { STANDBY_STORAGE } from './shared.ts';
import type { Storage } from './storage.ts';

const MEBIBYTE = 0x100000;
/** Increments that a storage element may have, so that a control block of a page can list them. */
const MOST = 1020;

/** The size of an increment: a mebibyte if there is no standby storage, or as large as the lists need. */
export function incrementSize(core: number, standby: number): number {
  let increment = MEBIBYTE;
  if (standby > 0) while (Math.max(core, standby) / increment > MOST) increment *= 2;
  return increment;
}

/** Which increments are assigned, in shared memory. */
export class StandbyMap {
  readonly increment: number;
  readonly #core: number;
  readonly #map: Uint8Array;

  constructor(memory: WebAssembly.Memory, { machine, coreSize, storageSize }: Layout) {
    this.#core = coreSize;
    this.increment = incrementSize(coreSize, storageSize - coreSize);
    this.#map = new Uint8Array(memory.buffer, machine + STANDBY_STORAGE, (storageSize - coreSize) / this.increment);
  }

  get size(): number {
    return this.#map.length;
  }

  /** Whether a range in it is assigned. */
  contains(start: number, end: number): boolean {
    for (let n = Math.floor((start - this.#core) / this.increment); this.#core + n * this.increment < end; n++) {
      if (this.#map[n] !== 1) return false;
    }
    return true;
  }

  set(number: number, assigned: boolean): void {
    this.#map[number] = Number(assigned);
  }

  clear(): void {
    this.#map.fill(0);
  }
}

/** What the SCLP does with storage. */
export function storageFacts(storage: Storage, map: StandbyMap): StorageFacts {
  const { increment } = map;
  const core = storage.layout.coreSize / increment;
  return {
    increment,
    core,
    standby: map.size,
    assign: (number, on) => {
      if (number < core || number >= core + map.size) return false;
      // It comes cleared.
      storage.fill(number * increment, increment, 0);
      map.set(number - core, on);
      return true;
    },
  };
}

export const savedStandbyStorage = (memory: WebAssembly.Memory, { machine }: Layout): SaveState =>
  new SavedWords('standby-storage', 1, memory, machine, { assigned: { at: STANDBY_STORAGE, size: 1, count: MOST } });
