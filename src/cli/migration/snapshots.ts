/** Snapshots: saved states of the machine under names, each a file in a folder. */

import type { MachineControl, RunState } from '../../machine/control.ts';
import { ConfigurationError } from '../../machine/control.ts';
import { summaryOf } from '../../machine/saved-machine.ts';
import type { Host } from '../../platform/host.ts';
import { SaveError } from '../../save/save-state.ts';

const SUFFIX = '.snapshot';
/** A file's beginning, in which its summary is. */
const BEGINNING = 65536;

export class Snapshots {
  readonly #host: Host;
  readonly #machine: MachineControl;
  readonly #folder: string | undefined;

  constructor(host: Host, machine: MachineControl, folder: string | undefined) {
    this.#host = host;
    this.#machine = machine;
    this.#folder = folder;
  }

  #path(tag: string): string {
    return `${this.#place()}/${encodeURIComponent(tag)}${SUFFIX}`;
  }

  #place(): string {
    if (this.#folder !== undefined) return this.#folder;
    throw new ConfigurationError(
      'no block device can store vmstate for snapshot (-machine snapshots=DIRECTORY gives a place)',
    );
  }

  /** @throws ConfigurationError HostError */
  async save(tag = defaultTag(new Date())): Promise<void> {
    const path = this.#path(tag);
    await this.#whileStopped('save-vm', status => {
      const unfinished = `${path}.new`;
      const file = this.#host.openFile(unfinished, false);
      try {
        for (const piece of this.#machine.save(status)) file.write(piece);
      } finally {
        file.close();
      }
      this.#host.renameFile(unfinished, path);
    });
  }

  /** @throws ConfigurationError HostError */
  async load(tag: string): Promise<void> {
    const path = this.#path(tag);
    if (!this.#tags().some(({ tag: known }) => known === tag)) {
      throw new ConfigurationError(`Snapshot '${tag}' does not exist in one or more devices`);
    }
    const data = this.#host.readFile(path);
    await this.#whileStopped('restore-vm', async () => {
      const { status } = this.#machine;
      await loadState(this.#machine, data);
      if (status === 'shutdown' || status === 'guest-panicked') this.#machine.status = 'paused';
    });
  }

  /** Does nothing if there is no such snapshot. @throws ConfigurationError HostError */
  remove(tag: string): void {
    const path = this.#path(tag);
    if (this.#tags().some(({ tag: known }) => known === tag)) this.#host.removeFile(path);
  }

  /** Of `info snapshots`. @throws ConfigurationError HostError */
  list(): string {
    const rows = this.#tags().flatMap(({ tag, name, size }) => {
      try {
        const summary = summaryOf(this.#host.readFile(`${this.#folder}/${name}`, BEGINNING));
        return [{ tag, size, ...summary }];
      } catch (error) {
        if (error instanceof SaveError) return [];
        throw error;
      }
    });
    if (rows.length === 0) return 'There is no snapshot available.\n';
    const line = (...[id, tag, size, date, clock, count]: string[]) =>
      `${id!.padEnd(7)} ${tag!.padEnd(16)} ${size!.padStart(8)} ${date!.padStart(19)} ${clock!.padStart(15)} ${count!.padStart(10)}\n`;
    return [
      'List of snapshots present on all disks:\n',
      line('ID', 'TAG', 'VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT'),
      ...rows
        .sort((a, b) => a.date - b.date)
        .map(({ tag, size, date, running, instructions }) =>
          line('--', tag, sizeText(size), dateText(new Date(date)), clockText(running), `${instructions ?? '--'}`),
        ),
    ].join('');
  }

  #tags(): { tag: string; name: string; size: number }[] {
    return this.#host
      .listFiles(this.#place())
      .filter(({ name }) => name.endsWith(SUFFIX))
      .map(({ name, size }) => ({ tag: decodeURIComponent(name.slice(0, -SUFFIX.length)), name, size }));
  }

  /** @param work is told what the machine did before */
  async #whileStopped(state: RunState, work: (status: RunState) => void | Promise<void>): Promise<void> {
    const machine = this.#machine;
    const { status } = machine;
    await machine.stop(state);
    try {
      await work(status);
    } finally {
      // The guest may have ended when it was stopped.
      if (status === 'running' && (machine.status === state || machine.status === 'prelaunch')) machine.cont();
    }
  }
}

/** @throws ConfigurationError */
export async function loadState(machine: MachineControl, data: Uint8Array): Promise<RunState> {
  try {
    return (await machine.load(data)).status;
  } catch (error) {
    throw error instanceof SaveError ? new ConfigurationError(error.message) : error;
  }
}

const two = (number: number): string => String(number).padStart(2, '0');

const dateParts = (date: Date): [string, string] => [
  [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-'),
  [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':'),
];
const dateText = (date: Date): string => dateParts(date).join(' ');
const defaultTag = (date: Date): string => `vm-${dateParts(date).join('').replaceAll(/[-:]/g, '')}`;

const clockText = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000);
  const hours = String(Math.floor(seconds / 3600)).padStart(4, '0');
  const rest = String(Math.floor(milliseconds % 1000)).padStart(3, '0');
  return `${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
};

const sizeText = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${Number((bytes / 1024 ** unit).toPrecision(3))} ${units[unit]}`;
};
