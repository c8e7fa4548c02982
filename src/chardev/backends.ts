/** The character devices that there are, and how one is opened. */

import { type Closable, type Host, HostError } from '../platform/host.ts';
import type { TlsSettings } from '../platform/tls.ts';
import { Backend } from './chardev.ts';
import { SocketBackend, type SocketOptions } from './socket.ts';

export type BackendOptions =
  | { readonly kind: 'null' }
  /** A window of a display, which there is none of: nobody sees what is written. */
  | { readonly kind: 'vc' }
  /** With `signals`, Ctrl-C, Ctrl-\ and Ctrl-Z on the terminal act on this process as usual. */
  | { readonly kind: 'stdio'; readonly signals: boolean }
  | { readonly kind: 'file'; readonly path: string; readonly append: boolean }
  | SocketOptions;

/**
 * Opens a device. For a socket that is to wait, this lasts until somebody has connected; `waiting` is told.
 * @throws HostError
 */
export async function openBackend(
  host: Host,
  id: string,
  options: BackendOptions,
  waiting: (where: string) => void,
  tls?: TlsSettings,
): Promise<Backend & Closable> {
  switch (options.kind) {
    case 'null':
    case 'vc':
      return new Sink(id, options.kind, () => {});
    case 'stdio':
      return new StdioBackend(id, host, options.signals);
    case 'file':
      return new FileBackend(id, host, options.path, options.append);
    case 'socket': {
      const socket = new SocketBackend(id, host, options, tls);
      await socket.open(waiting);
      return socket;
    }
  }
}

/** A device that only takes. */
class Sink extends Backend implements Closable {
  readonly description: string;
  readonly #take: (data: Uint8Array) => void;

  constructor(id: string, description: string, take: (data: Uint8Array) => void) {
    super(id);
    this.description = description;
    this.#take = take;
    this.event('open');
  }

  write(data: Uint8Array): boolean {
    this.#take(data);
    return true;
  }

  close(): void {}
}

class FileBackend extends Sink {
  readonly #file: Closable;

  constructor(id: string, host: Host, path: string, append: boolean) {
    let file: ReturnType<Host['openFile']>;
    try {
      file = host.openFile(path, append);
    } catch (error) {
      throw error instanceof HostError ? new HostError(`Could not open '${path}': ${error.message}`) : error;
    }
    super(id, 'file', data => file.write(data));
    this.#file = file;
  }

  override close(): void {
    this.#file.close();
  }
}

/** Keys that a terminal turns into signals. */
const SIGNAL_KEYS = new Map<number, 'SIGINT' | 'SIGQUIT' | 'SIGTSTP'>([
  [0x03, 'SIGINT'],
  [0x1c, 'SIGQUIT'],
  [0x1a, 'SIGTSTP'],
]);

class StdioBackend extends Backend implements Closable {
  readonly description = 'stdio';
  readonly #host: Host;
  readonly #keys: typeof SIGNAL_KEYS;
  #started = false;

  constructor(id: string, host: Host, signals: boolean) {
    super(id);
    this.#host = host;
    this.#keys = signals && host.terminal.isTerminal ? SIGNAL_KEYS : new Map();
    this.event('open');
  }

  /** Nothing is read, and the terminal stays as it is, before somebody wants input. */
  override attach(...front: Parameters<Backend['attach']>): void {
    super.attach(...front);
    if (this.#started) return;
    this.#started = true;
    const { terminal } = this.#host;
    terminal.raw(true);
    terminal.listen({
      data: data => {
        const signal = data.find(byte => this.#keys.has(byte));
        if (signal !== undefined) terminal.signal(this.#keys.get(signal)!);
        this.input(this.#keys.size > 0 ? data.filter(byte => !this.#keys.has(byte)) : data);
      },
      // Output goes on.
      end: () => {},
      drained: () => this.drained(),
    });
  }

  write(data: Uint8Array): boolean {
    return this.#host.terminal.write(data);
  }

  protected override hold(waiting: number): void {
    if (this.#started) this.#host.terminal.flow(waiting === 0);
  }

  close(): void {
    this.#host.terminal.close();
  }
}
