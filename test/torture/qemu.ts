/** QEMU, or another machine with its command line: storage is a file that both share. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VARIABLES } from './kernel.ts';
import * as layout from './layout.ts';
import { type Failure, type Image, PATIENCE, Peer, writeImage } from './peer.ts';
import { qemuKnowledge } from './qemu-knowledge.ts';

/** How often to look how far it has got, in milliseconds. */
const LOOK = 20;

export class Qemu extends Peer {
  readonly knowledge = qemuKnowledge;
  readonly #command: string;

  constructor(command: string) {
    super();
    this.#command = command;
  }

  protected async start(image: Image): Promise<Failure | undefined> {
    writeImage(this.storage, image, layout.STORAGE_SIZE);
    const kernel = join(this.folder, 'kernel');
    const program = image[0]![1];
    writeFileSync(kernel, program);
    const last = new DataView(program.buffer).getBigUint64(VARIABLES.last);
    const process = spawn(
      this.#command,
      [
        ['-machine', 's390-ccw-virtio,memory-backend=storage'],
        ['-object', `memory-backend-file,id=storage,share=on,mem-path=${this.storage},size=${layout.STORAGE_SIZE}`],
        ['-m', String(layout.STORAGE_SIZE >> 20)],
        ['-cpu', 'max', '-accel', 'tcg,tb-size=64', '-nodefaults', '-display', 'none', '-no-reboot'],
        ['-kernel', kernel],
      ].flat(),
      { stdio: 'ignore' },
    );
    const file = openSync(this.storage, 'r');
    let over = false;
    const exited = once(process, 'exit').then(() => void (over = true));
    let failure: Failure | undefined;
    let cursor = 0n;
    // Counted, not timed: who stops both for a while does not make the case endless.
    let looks = 0;
    while (!over) {
      await Promise.race([exited, delay(LOOK)]);
      const bytes = new Uint8Array(8);
      readSync(file, bytes, 0, 8, VARIABLES.cursor);
      const now = new DataView(bytes.buffer).getBigUint64(0);
      looks = now === cursor ? looks + 1 : 0;
      cursor = now;
      if (cursor === last) {
        process.kill('SIGKILL');
        await exited;
      } else if (looks > PATIENCE / LOOK) {
        failure = 'endless';
        process.kill('SIGKILL');
        await exited;
      }
    }
    closeSync(file);
    return cursor === last ? undefined : (failure ?? 'aborted');
  }
}
