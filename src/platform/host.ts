/** What surrounds the machine: files, the terminal, sockets, signals. platform/node provides it. */

import type { TlsCredentials, TlsSettings } from './tls.ts';

export interface StreamListener {
  data(data: Uint8Array): void;
  /** The other end has closed, or the connection broke: nothing more will come, and nothing can be sent. */
  end(): void;
  /** What was waiting when `write` said false has been sent. */
  drained(): void;
}

/** Bytes in both directions. */
export interface ByteStream {
  /** Who is at the other end, for the user; empty when there is nothing to say. */
  readonly peer: string;
  /** False: much is waiting already. The bytes may be reused afterwards. */
  write(data: Uint8Array): boolean;
  /** Says who listens; nothing comes before. */
  listen(listener: StreamListener): void;
  /** Whether data shall come; it does at first. */
  flow(on: boolean): void;
  close(): void;
}

/** Standard input and output. */
export interface Terminal extends ByteStream {
  /** A terminal, and not a pipe or a file. */
  readonly isTerminal: boolean;
  /** Each key at once and as it is, or lines with echo. Does nothing unless it is a terminal. */
  raw(on: boolean): void;
  /** Does as the terminal would on Ctrl-C, Ctrl-\ and Ctrl-Z if it were not raw. */
  signal(name: 'SIGINT' | 'SIGQUIT' | 'SIGTSTP'): void;
}

export type SocketAddress =
  /** An empty host is every address of this one to listen on, and this host to connect to. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface SocketSettings {
  /** Sends every piece at once. */
  readonly nodelay: boolean;
  /** On TCP. */
  readonly tls?: TlsSettings;
}

export interface Closable {
  close(): void;
}

/** Where a stream of bytes goes to or comes from, once and from its beginning to its end. */
export type Channel =
  | SocketAddress
  /** From the offset on; what is behind it is lost when it is written. */
  | { readonly kind: 'file'; readonly path: string; readonly offset: number }
  /** A command of the shell, which reads or writes the stream. */
  | { readonly kind: 'exec'; readonly command: string }
  /** A descriptor of the process. */
  | { readonly kind: 'fd'; readonly descriptor: number };

/** One end of a channel that is written. */
export interface Outlet {
  /** Resolves when more can be taken. @throws HostError */
  write(data: Uint8Array): Promise<void>;
  /** Resolves when all has been given away. @throws HostError */
  end(): Promise<void>;
  /** Gives up. */
  abort(): void;
}

/** One end of a channel that is read. The pieces come to an end with the stream. */
export interface Inlet extends Closable {
  /** @throws HostError */
  read(): AsyncIterable<Uint8Array>;
}

/** A file, socket or the like does not do what it should; the message is in words for the user, without a name. */
export class HostError extends Error {
  /** The system's name for what is wrong, ENOSPC or the like, if it has one. */
  readonly code: string | undefined;
  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

export interface Host {
  readonly processId: number;
  readonly terminal: Terminal;
  print(text: string): void;
  /** To standard error. */
  complain(text: string): void;
  /** A file, or as much of it as there is from its beginning on. @throws HostError */
  readFile(path: string, most?: number): Uint8Array;
  /** Whether a file is there and may be read, and written if `writes`. @throws HostError if not */
  checkFile(path: string, writes: boolean): void;
  /** @throws HostError */
  writeFile(path: string, data: Uint8Array | string): void;
  /** Names and sizes of the files in a folder. @throws HostError */
  listFiles(path: string): readonly { readonly name: string; readonly size: number }[];
  /** Gives a file another name, in place of the file that has it. @throws HostError */
  renameFile(from: string, to: string): void;
  /** @throws HostError */
  removeFile(path: string): void;
  /** A file to be written bit by bit, from its start or its end. @throws HostError */
  openFile(path: string, append: boolean): Closable & { write(data: Uint8Array): void };
  /** Waits for connections. @throws HostError */
  listen(
    address: SocketAddress,
    settings: SocketSettings,
    accept: (stream: ByteStream) => void,
  ): Promise<Closable & { readonly address: SocketAddress }>;
  /** @throws HostError */
  connect(address: SocketAddress, settings: SocketSettings): Promise<ByteStream>;
  /**
   * Looks whether credentials can be used, for a server or a client; `sane` looks into the certificates.
   * @throws HostError
   */
  checkTls(credentials: TlsCredentials, server: boolean, sane: boolean): void;
  /** Opens a channel to write to it; sockets are connected to. @throws HostError */
  openOutlet(channel: Channel): Promise<Outlet>;
  /** Opens a channel to read it; on sockets one connection is waited for, in `read`. @throws HostError */
  openInlet(channel: Channel): Promise<Inlet>;
  /** Tells of signals that ask for the end, instead of dying of them, until it is closed. */
  onSignal(listener: (number: number) => void): Closable;
}
