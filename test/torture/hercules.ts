/** Hercules: storage is loaded from a file, and saved to one when the machine has stopped. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { herculesKnowledge } from './hercules-knowledge.ts';
import * as layout from './layout.ts';
import { type Failure, type Image, PATIENCE, Peer, writeImage } from './peer.ts';

export class Hercules extends Peer {
  readonly knowledge = herculesKnowledge;
  readonly #command: string;

  constructor(command: string) {
    super();
    this.#command = command;
  }

  protected async start(image: Image): Promise<Failure | undefined> {
    const [program, configuration, script] = ['image', 'configuration', 'script'].map(name => join(this.folder, name));
    const [last, bytes] = image.at(-1)!;
    writeImage(program!, image, last + bytes.length);
    writeFileSync(
      configuration!,
      `CPUMODEL 2094\nMAINSIZE ${layout.STORAGE_SIZE >> 20}\nNUMCPU 1\nARCHMODE z/Arch\n0009 3215-C / noprompt\n`,
    );
    // The automatic operator saves storage when the CPU waits for good, and ends the machine when that is done.
    const end = layout.DUMPS + (bytes.length / layout.CASE_SIZE) * layout.DATA_SIZE;
    writeFileSync(
      script!,
      `hao tgt HHCCP011I\nhao cmd savecore ${this.storage} 0 ${(end - 1).toString(16)}\n` +
        `hao tgt HHCPN170I\nhao cmd quit\nloadcore ${program} 0\nrestart\n`,
    );
    rmSync(this.storage, { force: true });
    const process = spawn(this.#command, ['-d', '-f', configuration!], {
      stdio: 'ignore',
      env: { ...globalThis.process.env, HERCULES_RC: script },
    });
    const exited = once(process, 'exit');
    const patience = new AbortController();
    const ended = await Promise.race([
      exited.then(() => true),
      delay(PATIENCE + bytes.length / 100, false, { signal: patience.signal }),
    ]);
    if (!ended) process.kill('SIGKILL');
    patience.abort();
    await exited;
    return ended ? undefined : 'endless';
  }
}
