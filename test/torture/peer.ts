/** A machine in which cases run beside this one. */

import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, describe, type Placed } from './case.ts';
import type { Knowledge } from './disagreements.ts';
import { kernel, VARIABLES } from './kernel.ts';
import * as layout from './layout.ts';
import type { Left } from './lpar.ts';
import { Result } from './result.ts';
import { writeTables } from './tables.ts';

/** A case without an end is given up after this many milliseconds. */
export const PATIENCE = 5000;

/** Why there is no result: the peer itself broke down, or the case did not come to an end. */
export type Failure = 'aborted' | 'endless';

export interface Laid {
  readonly test: Case;
  readonly placed: Placed;
  /** What it leaves behind here, instructions counted, if that is known. */
  readonly ours?: Left;
}

/** What a peer's storage is to contain at the beginning: pieces by address. */
export type Image = readonly (readonly [address: number, bytes: Uint8Array])[];

export abstract class Peer {
  abstract readonly knowledge: Knowledge;
  /** A folder in memory, for files that are as large as storage. */
  readonly folder: string;
  /** Storage after a run. */
  readonly storage: string;
  readonly #tables: Uint8Array;
  /** Where results and data of a run are read to, as long as nothing fails. */
  #room = Buffer.alloc(0);
  pools: readonly Uint8Array[] = [];
  dictionaries: Uint8Array = new Uint8Array(0);

  constructor() {
    this.folder = mkdtempSync('/dev/shm/torture-');
    this.storage = join(this.folder, 'storage');
    const tables = new DataView(new ArrayBuffer(0x20_0000));
    writeTables((address, value) => tables.setBigUint64(address - layout.TABLES, value));
    this.#tables = new Uint8Array(tables.buffer);
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }

  /**
   * Runs a machine with this storage until all is done or nothing goes on.
   * @returns how it failed, unless all is done
   */
  protected abstract start(image: Image): Promise<Failure | undefined>;

  /**
   * Results in the order of the cases, at most MOST_CASES. They are good until the next run.
   * @param whole this is not a part of a run that has failed
   */
  async run(cases: readonly Laid[], whole = true): Promise<(Result | Failure)[]> {
    if (!cases.length) return [];
    const failure = await this.start(this.#image(cases));
    const file = openSync(this.storage, 'a+');
    const read = (bytes: Buffer, address: number): Buffer => {
      readSync(file, bytes, 0, bytes.length, address);
      return bytes;
    };
    const cursor = read(Buffer.alloc(8), VARIABLES.cursor).readBigUInt64BE();
    const done = cursor ? (Number(cursor) - layout.CASES) / layout.CASE_SIZE : 0;
    const [size, all] = [done * layout.RESULT_SIZE, done * (layout.RESULT_SIZE + layout.DATA_SIZE)];
    // What is run in several parts, after a failure, must be there together.
    const keeps = whole && !failure;
    const room = keeps && this.#room.length >= all ? this.#room : Buffer.allocUnsafe(all);
    if (keeps) this.#room = room;
    const records = read(room.subarray(0, size), layout.RESULTS);
    const dumps = read(room.subarray(size, all), layout.DUMPS);
    const results = Array.from({ length: done }, (_, n): Result | Failure => {
      const data = dumps.subarray(n * layout.DATA_SIZE, (n + 1) * layout.DATA_SIZE);
      return new Result(records.subarray(n * layout.RESULT_SIZE, (n + 1) * layout.RESULT_SIZE), () => data);
    });
    closeSync(file);
    if (!failure || done === cases.length) return results;
    if (cases.length === 1) return [failure];
    // The next one is the one that took too long or took the machine down - if the machine tells.
    if (done) return [...results, failure, ...(await this.run(cases.slice(done + 1), false))];
    const half = cases.length >> 1;
    return [...(await this.run(cases.slice(0, half), false)), ...(await this.run(cases.slice(half), false))];
  }

  #image(cases: readonly Laid[]): Image {
    const descriptions = new Uint8Array(cases.length * layout.CASE_SIZE);
    for (const [n, { test, placed }] of cases.entries()) descriptions.set(describe(test, placed), n * layout.CASE_SIZE);
    const program = kernel.bytes.slice();
    const last = BigInt(layout.CASES + descriptions.length);
    const view = new DataView(program.buffer);
    view.setBigUint64(VARIABLES.last, last);
    view.setBigUint64(VARIABLES.keys, this.knowledge.keys ? 1n : 0n);
    view.setBigUint64(VARIABLES.vectors, this.knowledge.vectors ? 1n : 0n);
    return [
      [0, program],
      [layout.DICTIONARIES, this.dictionaries],
      [layout.TABLES, this.#tables],
      ...this.pools.map((pool, n) => [layout.POOLS + n * layout.DATA_SIZE, pool] as const),
      [layout.CASES, descriptions],
    ];
  }
}

/** Storage that cases may look at, or that tells how far they have got: the rest need not be renewed. */
const ZEROS = Buffer.alloc(layout.CASES);

/** Writes an image to a file. */
export function writeImage(path: string, image: Image, size: number): void {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w');
  ftruncateSync(file, size);
  writeSync(file, ZEROS, 0, Math.min(ZEROS.length, size), 0);
  for (const [address, bytes] of image) writeSync(file, bytes, 0, bytes.length, address);
  closeSync(file);
}
