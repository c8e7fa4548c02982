/** A connection that is as bad as a script wants it: it cuts, delays and breaks. */

import type { AddressInfo } from 'node:net';
import { createConnection, createServer, type Socket } from 'node:net';

export interface Script {
  /**
   * What to do with the next piece from the client: where to cut it, and whether to break the connection after it; `at` is where
   * in the client's stream it begins.
   */
  fromClient?(data: Buffer, at: number): readonly number[] | 'break';
  /** The same for what the terminal sends. */
  toClient?(data: Buffer, at: number): readonly number[] | 'break';
  /** Milliseconds between pieces. */
  readonly delay?: number;
  /** What comes from the client is sent on so many times, in one piece. */
  readonly repeat?: number;
}

export class BadConnection {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer(client => this.#accept(client));
  readonly #target: number;
  script: Script = {};
  /** Resolves what waits for a connection to break. */
  broken: () => void = () => {};

  constructor(target: number) {
    this.#target = target;
  }

  /** @returns the port */
  async listen(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  #accept(client: Socket): void {
    const server = createConnection(this.#target, '127.0.0.1');
    const both = [client, server];
    // The client is told by the end of the stream, not by an error: s3270 4.1 waits for ever if it meets one while it sends.
    const breaks = (): void => {
      server.destroy();
      client.end();
    };
    const end = (): void => {
      for (const socket of both) socket.destroy();
      for (const socket of both) this.#sockets.delete(socket);
      this.broken();
    };
    for (const socket of both) {
      this.#sockets.add(socket);
      socket.setNoDelay(true).on('error', end);
    }
    server.on('close', breaks);
    client.on('close', end);
    this.#carry(client, server, (data, at) => this.script.fromClient?.(data, at) ?? [], breaks, true);
    this.#carry(server, client, (data, at) => this.script.toClient?.(data, at) ?? [], breaks);
  }

  #carry(
    from: Socket,
    to: Socket,
    plan: (data: Buffer, at: number) => readonly number[] | 'break',
    breaks: () => void,
    repeats = false,
  ): void {
    let at = 0;
    let last: Promise<void> = Promise.resolve();
    from.on('data', (piece: Buffer) => {
      const times = repeats ? (this.script.repeat ?? 1) : 1;
      const data = Buffer.concat(Array<Buffer>(times).fill(piece));
      const cuts = plan(data, at);
      at += data.length;
      const delay = this.script.delay ?? 5;
      last = last.then(async () => {
        let start = 0;
        for (const cut of cuts === 'break' ? [] : cuts) {
          to.write(data.subarray(start, cut));
          start = cut;
          await new Promise(resolve => setTimeout(resolve, delay));
        }
        to.write(data.subarray(start), () => {
          if (cuts === 'break') breaks();
        });
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
