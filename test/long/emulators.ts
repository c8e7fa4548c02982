/** The machines in which an image of long programs runs, told by QEMU's command line and looked at by its monitor. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { COUNTS, DONE } from './kernel.ts';
import * as layout from './layout.ts';

const lpar = [process.execPath, fileURLToPath(new URL('../../bin/lpar', import.meta.url))];

/** Commands by name. */
export const emulators: Readonly<Record<string, readonly string[]>> = {
  wasm: [...lpar, '-accel', 'wasm'],
  interpreter: [...lpar, '-accel', 'interpreter'],
  counted: [...lpar, '-icount', 'shift=2'],
  qemu: ['qemu-system-s390x', '-cpu', 'max'],
};

export interface Outcome {
  /** For each program the results of its rounds, and one of everything at the end. */
  readonly results: readonly (readonly bigint[])[];
  readonly ticks: number;
  readonly faults: number;
  readonly skipped: number;
}

/** Runs an image to its end. @throws when it does not come to an end within so many seconds */
export async function runImage(
  command: readonly string[],
  image: Uint8Array,
  cpus: number,
  programs: number,
  rounds: number,
  seconds: number,
): Promise<Outcome> {
  const folder = mkdtempSync('/dev/shm/long-');
  const [kernel, dump] = [join(folder, 'kernel'), join(folder, 'dump')];
  writeFileSync(kernel, image);
  const options = ['-m', `${layout.STORAGE_SIZE >> 20}M`, '-smp', `${cpus}`, '-nodefaults', '-display', 'none'];
  const [program, ...first] = command;
  const child = spawn(program!, [...first, ...options, '-monitor', 'stdio', '-kernel', kernel]);
  let said = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (said += text));
  const over = new Promise<void>(resolve => {
    const end = (reason = ''): void => {
      ended = true;
      said += reason;
      resolve();
    };
    child.on('close', () => end());
    child.on('error', error => end(error.message));
  });
  child.stdin.on('error', () => {});
  const read = async (address: number, length: number): Promise<DataView> => {
    const prompts = said.split('(qemu)').length;
    child.stdin.write(`pmemsave ${address} ${length} "${dump}"\n`);
    while (!ended && said.split('(qemu)').length === prompts) await delay(10);
    const bytes = readFileSync(dump);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  };
  try {
    const until = performance.now() + seconds * 1000;
    while (!said.includes('(qemu)') && !ended) await delay(20);
    for (;;) {
      if (ended) throw new Error(`it ended: ${said}`);
      if ((await read(DONE, 8)).getBigUint64(0)) break;
      if (performance.now() > until) {
        child.stdin.write('info registers\n');
        await delay(1000);
        throw new Error(`no end within ${seconds} s: ${said.slice(said.lastIndexOf('info registers'))}`);
      }
      await delay(100);
    }
    const counts = await read(COUNTS, 24);
    const results = await read(layout.RESULTS, programs * layout.MOST_ROUNDS * 8);
    return {
      results: Array.from({ length: programs }, (_, p) =>
        Array.from({ length: rounds + 1 }, (_, round) => results.getBigUint64(8 * (p * layout.MOST_ROUNDS + round))),
      ),
      ticks: Number(counts.getBigUint64(0)),
      faults: Number(counts.getBigUint64(8)),
      skipped: Number(counts.getBigUint64(16)),
    };
  } finally {
    child.kill('SIGKILL');
    await over;
    rmSync(folder, { recursive: true });
  }
}
