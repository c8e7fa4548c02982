/** A character device on a TCP or Unix socket, as a server for one client at a time or as a client. */

import {
  type ByteStream,
  type Closable,
  type Host,
  HostError,
  type SocketAddress,
  type SocketSettings,
} from '../platform/host.ts';
import type { TlsSettings } from '../platform/tls.ts';
import { Backend } from './chardev.ts';
import { encode, greeting, TelnetDecoder } from './telnet.ts';

export interface SocketOptions {
  readonly kind: 'socket';
  readonly address: SocketAddress;
  readonly server: boolean;
  /** Opening lasts until somebody has connected. */
  readonly wait: boolean;
  readonly telnet: boolean;
  /** It is for a 3270 terminal, which speaks TN3270 itself. */
  readonly tn3270: boolean;
  /** Identifiers of credentials, and of who may connect. */
  readonly tls?: { readonly credentials: string; readonly authorization?: string };
  readonly nodelay: boolean;
  /** Seconds until a lost connection is tried again; 0 for never. */
  readonly reconnect: number;
}

/** So many clients may wait until the present one has gone; more are turned away. */
const WAITING = 8;

export class SocketBackend extends Backend implements Closable {
  readonly #host: Host;
  readonly #options: SocketOptions;
  readonly #settings: SocketSettings;
  #address: SocketAddress;
  #server: Closable | undefined;
  #stream: ByteStream | undefined;
  /** Clients that wait until the present one has gone. */
  readonly #queue: ByteStream[] = [];
  #connected: () => void = () => {};
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(id: string, host: Host, options: SocketOptions, tls?: TlsSettings) {
    super(id);
    this.#host = host;
    this.#options = options;
    this.#settings = { nodelay: options.nodelay, tls };
    this.#address = options.address;
  }

  get description(): string {
    const { telnet, tn3270, tls, server } = this.#options;
    const { kind } = this.#address;
    const where =
      kind === 'unix' ? this.#address.path : `${bracketed(this.#address.host || '0.0.0.0')}:${this.#address.port}`;
    const text = `${telnet ? 'telnet' : tn3270 ? 'tn3270' : tls ? 'tls' : kind}:${where}${server ? ',server=on' : ''}`;
    if (!this.#stream) return `disconnected:${text}`;
    return this.#stream.peer === '' ? text : `${text} <-> ${this.#stream.peer}`;
  }

  /** @throws HostError */
  async open(waiting: (where: string) => void): Promise<void> {
    const { address, server, wait, reconnect } = this.#options;
    if (!server) {
      try {
        return await this.#connect();
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        if (reconnect > 0) return this.#reconnect();
        throw new HostError(`Failed to connect to '${name(address)}': ${error.message}`);
      }
    }
    try {
      const listening = await this.#host.listen(address, this.#settings, stream => this.#accept(stream));
      this.#server = listening;
      this.#address = listening.address;
    } catch (error) {
      throw error instanceof HostError
        ? new HostError(`Failed to listen on '${name(address)}': ${error.message}`)
        : error;
    }
    if (!wait) return;
    waiting(this.description);
    await new Promise<void>(resolve => {
      this.#connected = resolve;
    });
  }

  async #connect(): Promise<void> {
    this.#use(await this.#host.connect(this.#options.address, this.#settings));
  }

  #reconnect(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#connect().catch(() => this.#reconnect());
    }, this.#options.reconnect * 1000);
  }

  #accept(stream: ByteStream): void {
    if (!this.#stream) this.#use(stream);
    else if (this.#queue.length < WAITING) this.#queue.push(stream);
    else stream.close();
  }

  #use(stream: ByteStream): void {
    this.#stream = stream;
    const telnet = this.#options.telnet ? new TelnetDecoder(() => this.event('break')) : undefined;
    if (telnet && this.#options.server) stream.write(greeting);
    stream.listen({
      data: data => this.input(telnet ? telnet.decode(data) : data),
      end: () => this.#ended(),
      drained: () => this.drained(),
    });
    this.event('open');
    this.#connected();
  }

  #ended(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.event('close');
    const next = this.#queue.shift();
    if (next) this.#use(next);
    else if (!this.#options.server && this.#options.reconnect > 0) this.#reconnect();
  }

  write(data: Uint8Array): boolean {
    if (!this.#stream) return true;
    return this.#stream.write(this.#options.telnet ? encode(data) : data);
  }

  override disconnect(): void {
    if (this.#stream) this.#ended();
  }

  protected override hold(waiting: number): void {
    this.#stream?.flow(waiting === 0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#server?.close();
    this.#stream?.close();
    for (const stream of this.#queue) stream.close();
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

const name = (address: SocketAddress): string =>
  address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
