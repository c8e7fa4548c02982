/** What is saved of absolute storage: frames that are not zero, compressed, and what is known of each frame. */

import type { Layout } from '../cpu/state.ts';
import { FRAME_ATTRIBUTES } from '../cpu/state.ts';
import { compress, decompress } from '../save/lz4.ts';
import type { Fields, SavedFields, SaveState } from '../save/save-state.ts';
import { SaveError } from '../save/save-state.ts';
import type { Section } from '../save/stream.ts';
import type { Storage } from './storage.ts';

const FRAME = 4096;
/** Frames in one section at most. */
const TOGETHER = 256;
const NAME = 'storage';
const VERSION = 1;

/** The sections for all of storage. */
export function* saveStorage(storage: Storage): Generator<Section> {
  const frames = storage.size / FRAME;
  for (let first = 0; first < frames; first++) {
    if (storage.isZero(first * FRAME, FRAME)) continue;
    let count = 1;
    while (count < TOGETHER && first + count < frames && !storage.isZero((first + count) * FRAME, FRAME)) count++;
    const data = compress(storage.read(first * FRAME, count * FRAME));
    yield { name: NAME, version: VERSION, fields: { first, count, data } };
    // The one behind them is zero, or the next to be looked at.
    first += count < TOGETHER ? count : count - 1;
  }
}

export const isStorage = ({ name }: Section): boolean => name === NAME;

/**
 * Looks whether the sections fit this storage; what it gives back stores them.
 * @param fieldsOf checks version and form of a section
 * @throws SaveError
 */
export function loadStorage(
  storage: Storage,
  sections: readonly Section[],
  fieldsOf: (section: Section, version: number) => SavedFields,
): () => void {
  let free = 0;
  const runs = sections.map(section => {
    const saved = fieldsOf(section, VERSION);
    const first = saved.integer('first');
    const count = saved.integer('count', TOGETHER);
    if (first < free || (first + count) * FRAME > storage.size)
      throw new SaveError('frames of storage are out of place');
    free = first + count;
    return { first, count, data: saved.bytes('data') };
  });
  return () => {
    let next = 0;
    const clearTo = (end: number): void => {
      for (; next < end; next++) if (!storage.isZero(next * FRAME, FRAME)) storage.fill(next * FRAME, FRAME, 0);
    };
    for (const { first, count, data } of runs) {
      clearTo(first);
      storage.write(first * FRAME, decompress(data, count * FRAME));
      next = first + count;
    }
    clearTo(storage.size / FRAME);
  };
}

/** Storage keys, and what software has told of the use of frames: one byte for each frame. */
export class SavedFrames implements SaveState {
  readonly name = 'frames';
  readonly version = 1;
  readonly #keys: Uint8Array;
  readonly #flags: Uint8Array;

  constructor(memory: WebAssembly.Memory, layout: Layout) {
    const frames = layout.storageSize / FRAME;
    this.#keys = new Uint8Array(memory.buffer, layout.keys, frames);
    this.#flags = new Uint8Array(memory.buffer, layout.frameFlags, frames);
  }

  save(): Fields {
    return { keys: compress(this.#keys), attributes: compress(this.#flags.map(flags => flags & FRAME_ATTRIBUTES)) };
  }

  load(saved: SavedFields): () => void {
    const keys = decompress(saved.bytes('keys'), this.#keys.length);
    const attributes = decompress(saved.bytes('attributes'), this.#flags.length);
    return () => {
      this.#keys.set(keys);
      attributes.forEach((attribute, frame) => {
        this.#flags[frame] = (this.#flags[frame]! & ~FRAME_ATTRIBUTES) | (attribute & FRAME_ATTRIBUTES);
      });
    };
  }
}
