/** Cases run in another machine, which shares its storage with us through a file. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Case, describe, type Placed } from './case.ts';
import { kernel, VARIABLES } from './kernel.ts';
import * as layout from './layout.ts';
import { parseResult, type Result } from './result.ts';
import { writeTables } from './tables.ts';

/** A case without an end is given up after this many milliseconds. */
const PATIENCE = 5000;

/** Why there is no result: the peer itself broke down, or the case did not come to an end. */
export type Failure = 'aborted' | 'endless';

export interface Laid {
  readonly test: Case;
  readonly placed: Placed;
}

export class Peer {
  readonly command: string;
  readonly #folder: string;
  readonly #storage: string;
  readonly #kernel: string;
  readonly #file: number;
  readonly #tables: Uint8Array;
  pools: readonly Uint8Array[] = [];
  /** @param command a program with the command line of QEMU */
  constructor(command: string) {
    this.command = command;
    // Storage is best kept in memory.
    this.#folder = mkdtempSync('/dev/shm/torture-');
    this.#storage = join(this.#folder, 'storage');
    this.#kernel = join(this.#folder, 'kernel');
    writeFileSync(this.#kernel, kernel.bytes);
    this.#file = openSync(this.#storage, 'w+');
    const tables = new DataView(new ArrayBuffer(0x20_0000));
    writeTables((address, value) => tables.setBigUint64(address - layout.TABLES, value));
    this.#tables = new Uint8Array(tables.buffer);
  }

  close(): void {
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true });
  }

  /** Results in the order of the cases. At most MOST_CASES. */
  async run(cases: readonly Laid[]): Promise<(Result | Failure)[]> {
    const results: (Result | Failure)[] = [];
    while (results.length < cases.length) {
      const rest = cases.slice(results.length);
      const { done, failure } = await this.#start(rest);
      for (let n = 0; n < done; n++) results.push(this.#result(n));
      // The one after the last with a result is the one that took too long, or took the machine down.
      if (done < rest.length) results.push(failure);
    }
    return results;
  }

  /** Runs until all cases, or as many as `done`, have come to their end. */
  async #start(cases: readonly Laid[]): Promise<{ done: number; failure: Failure }> {
    ftruncateSync(this.#file, 0);
    ftruncateSync(this.#file, layout.STORAGE_SIZE);
    const write = (address: number, bytes: Uint8Array): void =>
      void writeSync(this.#file, bytes, 0, bytes.length, address);
    write(layout.TABLES, this.#tables);
    for (const [n, pool] of this.pools.entries()) write(layout.POOLS + n * layout.DATA_SIZE, pool);
    const descriptions = new Uint8Array(cases.length * layout.CASE_SIZE);
    for (const [n, { test, placed }] of cases.entries()) descriptions.set(describe(test, placed), n * layout.CASE_SIZE);
    write(layout.CASES, descriptions);
    const image = kernel.bytes.slice();
    const last = layout.CASES + cases.length * layout.CASE_SIZE;
    new DataView(image.buffer).setBigUint64(VARIABLES.last, BigInt(last));
    writeFileSync(this.#kernel, image);

    const process = spawn(
      this.command,
      [
        ['-machine', 's390-ccw-virtio,memory-backend=storage'],
        ['-object', `memory-backend-file,id=storage,share=on,mem-path=${this.#storage},size=${layout.STORAGE_SIZE}`],
        ['-m', String(layout.STORAGE_SIZE >> 20)],
        ['-cpu', 'max', '-accel', 'tcg,tb-size=64', '-nodefaults', '-display', 'none', '-no-reboot'],
        ['-kernel', this.#kernel],
      ].flat(),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [process.stdout, process.stderr]) stream.resume();
    let over = false;
    const exited = once(process, 'exit').then(() => void (over = true));
    let cursor = 0n;
    let since = performance.now();
    let failure: Failure = 'aborted';
    while (!over) {
      await Promise.race([exited, delay(20)]);
      const now = this.#cursor();
      if (now !== cursor) since = performance.now();
      cursor = now;
      if (cursor === BigInt(last) || performance.now() - since > PATIENCE) {
        failure = 'endless';
        process.kill('SIGKILL');
        await exited;
      }
    }
    return { done: (Number(this.#cursor()) - layout.CASES) / layout.CASE_SIZE, failure };
  }

  #read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    readSync(this.#file, bytes, 0, length, address);
    return bytes;
  }

  #cursor(): bigint {
    const cursor = new DataView(this.#read(VARIABLES.cursor, 8).buffer).getBigUint64(0);
    return cursor || BigInt(layout.CASES);
  }

  #result(n: number): Result {
    const record = this.#read(layout.RESULTS + n * layout.RESULT_SIZE, layout.RESULT_SIZE);
    return parseResult(record, this.#read(layout.DUMPS + n * layout.DATA_SIZE, layout.DATA_SIZE));
  }
}
