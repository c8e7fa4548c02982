/** What surrounds the machine: files, the terminal, sockets, signals. platform/node provides it. */

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

/** @param nodelay send every piece at once */
export interface SocketSettings {
  readonly nodelay: boolean;
}

export interface Closable {
  close(): void;
}

/** A file, socket or the like does not do what it should; the message is in words for the user, without a name. */
export class HostError extends Error {}

export interface Host {
  readonly processId: number;
  readonly terminal: Terminal;
  print(text: string): void;
  /** To standard error. */
  complain(text: string): void;
  /** @throws HostError */
  readFile(path: string): Uint8Array;
  /** @throws HostError */
  writeFile(path: string, data: Uint8Array | string): void;
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
  /** Tells of signals that ask for the end, instead of dying of them, until it is closed. */
  onSignal(listener: (number: number) => void): Closable;
}
