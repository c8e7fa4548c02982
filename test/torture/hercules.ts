/** Hercules: storage is loaded from a file, and saved to one when the machine has stopped. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    // It does not always manage to start and to stop.
    return (await this.#once(image)) && this.#once(image);
  }

  async #once(image: Image): Promise<Failure | undefined> {
    const [program, configuration, script] = ['image', 'configuration', 'script'].map(name => join(this.folder, name));
    const [last, bytes] = image.at(-1)!;
    writeImage(program!, image, last + bytes.length);
    writeFileSync(
      configuration!,
      `CPUMODEL 2094\nMAINSIZE ${layout.STORAGE_SIZE >> 20}\nNUMCPU 1\nARCHMODE z/Arch\nOSTAILOR QUIET\n0009 3215-C / noprompt\n`,
    );
    // The automatic operator saves storage when the CPU waits for good.
    const end = layout.DUMPS + (bytes.length / layout.CASE_SIZE) * layout.DATA_SIZE;
    const save = `savecore ${this.storage} 0 ${(end - 1).toString(16)}`;
    // Once more if it has not quite stopped.
    writeFileSync(
      script!,
      `hao tgt HHCCP011I\nhao cmd ${save}\nhao tgt HHCPN102E\nhao cmd ${save}\nloadcore ${program} 0\nrestart\n`,
    );
    rmSync(this.storage, { force: true });
    const said = join(this.folder, 'log');
    const log = openSync(said, 'w');
    const process = spawn(this.#command, ['-d', '-f', configuration!], {
      // Without a file for what it says it does not act on it either.
      stdio: ['ignore', log, log],
      env: { ...globalThis.process.env, HERCULES_RC: script },
    });
    // It does not always manage to end by itself.
    const patience = performance.now() + PATIENCE + bytes.length / 100;
    let done = false;
    while (!done && process.exitCode === null && process.signalCode === null && performance.now() < patience) {
      await delay(30);
      done = readFileSync(said, 'latin1').includes('HHCPN170I savecore');
    }
    const failure = process.exitCode !== null || process.signalCode !== null ? 'aborted' : 'endless';
    process.kill('SIGKILL');
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
    closeSync(log);
    return done ? undefined : failure;
  }
}
