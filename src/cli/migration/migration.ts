/** Sending the machine's state to another process, or receiving it. The machine stands still while it is on its way. */

import type { MachineControl } from '../../machine/control.ts';
import { ConfigurationError } from '../../machine/control.ts';
import { type Channel, type Closable, type Host, HostError, type Inlet, type Outlet } from '../../platform/host.ts';
import { loadState } from './snapshots.ts';
import { parseChannel } from './uri.ts';

type Status = 'none' | 'setup' | 'active' | 'cancelling' | 'cancelled' | 'completed' | 'failed';

/** How much is written at once, in bytes. */
const PIECE = 1 << 20;
const KIBIBYTE = 1024;

export interface Surroundings {
  readonly host: Host;
  readonly machine: MachineControl;
  /** The migration has come to another status. */
  readonly changed: (status: string) => void;
  /** The process must end: the machine that was waited for cannot be had. */
  readonly fail: () => void;
}

export class Migration implements Closable {
  readonly #host: Host;
  readonly #machine: MachineControl;
  readonly #changed: (status: string) => void;
  readonly #fail: () => void;
  #status: Status = 'none';
  #error = '';
  #sent = 0;
  #total = 0;
  #begun = 0;
  #ended = 0;
  #stopped = 0;
  #outlet: Outlet | undefined;
  #inlet: Inlet | undefined;
  /** The machine waits for a state, but not yet for where it comes from. */
  #deferred = false;
  /** The machine is to run when its state has come. */
  autostart = true;
  /** Bytes in a second, or 0 for any number. */
  maxBandwidth = 0;

  constructor({ host, machine, changed, fail }: Surroundings) {
    this.#host = host;
    this.#machine = machine;
    this.#changed = changed;
    this.#fail = fail;
  }

  // Sending

  /**
   * Sends the state; resolves when that has ended, well or not, or with `detach` when it has begun.
   * @throws ConfigurationError HostError
   */
  async send(uri: string, detach: boolean): Promise<void> {
    const channel = parseChannel(uri);
    if (this.#active) throw new ConfigurationError('There is a migration process in progress');
    if (this.#machine.status === 'inmigrate')
      throw new ConfigurationError('Guest is waiting for an incoming migration');
    if (this.#machine.status === 'postmigrate') {
      throw new ConfigurationError("Can't migrate the vm that was paused due to previous migration");
    }
    this.#become('setup');
    this.#error = '';
    this.#sent = 0;
    this.#total = 0;
    this.#begun = performance.now();
    const done = this.#send(channel);
    if (!detach) await done;
  }

  #become(status: Status): void {
    this.#status = status;
    this.#changed(status);
  }

  get #active(): boolean {
    return this.#status === 'setup' || this.#status === 'active' || this.#status === 'cancelling';
  }

  async #send(channel: Channel): Promise<void> {
    const machine = this.#machine;
    const { status } = machine;
    try {
      this.#outlet = await this.#open(channel);
      this.#stopped = performance.now();
      if (status === 'running') await machine.stop('finish-migrate');
      await this.#write(this.#outlet, together(machine.save(status)));
      await this.#outlet.end();
      this.#become('completed');
      machine.status = 'postmigrate';
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#outlet?.abort();
      this.#error = error.message;
      // What breaks because it is given up has not failed.
      if (this.#status === 'cancelling') this.#become('cancelled');
      else {
        this.#become('failed');
        this.#host.complain(`lpar: ${error.message}\n`);
      }
      if (machine.status === 'finish-migrate') machine.cont();
    } finally {
      this.#outlet = undefined;
      this.#ended = performance.now();
    }
  }

  async #open(channel: Channel): Promise<Outlet> {
    try {
      return await this.#host.openOutlet(channel);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const where =
        channel.kind === 'tcp' ? `${channel.host}:${channel.port}` : 'path' in channel ? channel.path : channel.kind;
      throw new HostError(`Failed to ${channel.kind === 'file' ? 'open' : 'connect to'} '${where}': ${error.message}`);
    }
  }

  /** The state as a whole is in `pieces`: it does not change while it is written. */
  async #write(outlet: Outlet, pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#status === 'setup') this.#become('active');
    this.#total = pieces.reduce((sum, { length }) => sum + length, 0);
    const begun = performance.now();
    for (const piece of pieces) {
      if (this.#status !== 'active') throw new HostError('Operation canceled');
      await outlet.write(piece);
      this.#sent += piece.length;
      const due = this.maxBandwidth === 0 ? 0 : begun + (this.#sent / this.maxBandwidth) * 1000 - performance.now();
      if (due > 0) await new Promise(resolve => setTimeout(resolve, due));
    }
  }

  cancel(): void {
    if (!this.#active) return;
    this.#become('cancelling');
    this.#outlet?.abort();
  }

  // Receiving

  /** The machine waits for its state. @throws ConfigurationError HostError */
  async expect(uri: string): Promise<void> {
    this.#machine.status = 'inmigrate';
    if (uri === 'defer') this.#deferred = true;
    else await this.#listen(uri);
  }

  /** Says where a state comes from that is waited for. @throws ConfigurationError HostError */
  async receive(uri: string): Promise<void> {
    if (!this.#deferred) {
      throw new ConfigurationError(
        this.#inlet
          ? 'The incoming migration has already been started'
          : "'-incoming' was not specified on the command line",
      );
    }
    await this.#listen(uri);
    this.#deferred = false;
  }

  async #listen(uri: string): Promise<void> {
    this.#inlet = await this.#host.openInlet(parseChannel(uri));
    this.#changed('setup');
    void this.#take(this.#inlet);
  }

  async #take(inlet: Inlet): Promise<void> {
    const machine = this.#machine;
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of inlet.read()) {
        if (pieces.length === 0) this.#changed('active');
        pieces.push(piece);
      }
      inlet.close();
      const status = await loadState(machine, concatenated(pieces));
      this.#become('completed');
      machine.status = this.autostart && status !== 'running' ? status : 'paused';
      if (this.autostart && status === 'running') machine.cont();
    } catch (error) {
      if (!(error instanceof ConfigurationError || error instanceof HostError)) throw error;
      this.#host.complain(`lpar: ${error.message}\nlpar: load of migration failed: Invalid argument\n`);
      this.#fail();
    }
  }

  close(): void {
    this.#outlet?.abort();
    this.#inlet?.close();
  }

  /** Of `query-migrate`: times in milliseconds, amounts in bytes. */
  get progress() {
    if (this.#status === 'none') return {};
    const end = this.#active ? performance.now() : this.#ended;
    const ram = { transferred: this.#sent, remaining: this.#total - this.#sent, total: this.#machine.storage.size };
    return {
      status: this.#status,
      ...(this.#status === 'failed' && { 'error-desc': this.#error }),
      ...(this.#begun > 0 && { 'total-time': Math.round(end - this.#begun) }),
      ...(this.#status === 'completed' && this.#stopped > 0 && { downtime: Math.round(end - this.#stopped) }),
      ...(this.#total > 0 && { ram }),
    };
  }

  /** Of `info migrate`. */
  get report(): string {
    if (this.#status === 'none') return '';
    const failure = this.#status === 'failed' ? ` (${this.#error})` : '';
    const lines = [`Migration status: ${this.#status}${failure}`];
    const end = this.#active ? performance.now() : this.#ended;
    const time = (from: number) => `${Math.round(end - from)} ms`;
    if (this.#begun > 0) lines.push(`total time: ${time(this.#begun)}`);
    if (this.#status === 'completed' && this.#stopped > 0) lines.push(`downtime: ${time(this.#stopped)}`);
    if (this.#total > 0) {
      const kilobytes = (bytes: number) => `${Math.round(bytes / KIBIBYTE)} kbytes`;
      lines.push(`transferred ram: ${kilobytes(this.#sent)}`, `remaining ram: ${kilobytes(this.#total - this.#sent)}`);
      lines.push(`total ram: ${kilobytes(this.#machine.storage.size)}`, 'page size: 4 kbytes');
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Pieces joined to larger ones. */
function together(pieces: Iterable<Uint8Array>): Uint8Array[] {
  const large: Uint8Array[] = [];
  let waiting: Uint8Array[] = [];
  let length = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < PIECE) continue;
    large.push(concatenated(waiting));
    waiting = [];
    length = 0;
  }
  return [...large, concatenated(waiting)];
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
