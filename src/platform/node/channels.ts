/** Channels on Node: files, sockets, commands and descriptors, from their beginning to their end. */

import { spawn } from 'node:child_process';
import {
  constants,
  createReadStream,
  createWriteStream,
  ftruncateSync,
  lstatSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Channel, Inlet, Outlet, SocketAddress } from '../host.ts';
import { hostError, translated } from './errors.ts';

const SHELL = ['/bin/sh', '-c'] as const;

const where = (address: SocketAddress) =>
  address.kind === 'unix' ? { path: address.path } : { port: address.port, host: address.host || undefined };

export async function openOutlet(channel: Channel): Promise<Outlet> {
  switch (channel.kind) {
    case 'file': {
      const fd = translated(() => openSync(channel.path, constants.O_CREAT | constants.O_WRONLY, 0o600));
      ftruncateSync(fd, channel.offset);
      return outlet(createWriteStream('', { fd, start: channel.offset }));
    }
    case 'fd':
      return outlet(createWriteStream('', { fd: channel.descriptor }));
    case 'exec': {
      const [shell, option] = SHELL;
      const child = spawn(shell, [option, channel.command], { stdio: ['pipe', 'inherit', 'inherit'] });
      const ended = new Promise<void>(resolve => void child.on('close', () => resolve()));
      return outlet(child.stdin, ended);
    }
    default: {
      const socket = connect(where(channel));
      await new Promise<void>((resolve, reject) => {
        socket.once('error', error => reject(hostError(error)));
        socket.once('connect', resolve);
      });
      return outlet(socket);
    }
  }
}

/** @param taken resolves when the other end has done its work */
function outlet(stream: Writable, taken: Promise<void> = Promise.resolve()): Outlet {
  // Each write is told of its error.
  stream.on('error', () => {});
  const done = (work: (callback: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => work(error => (error ? reject(hostError(error)) : resolve())));
  return {
    write: data => done(callback => void stream.write(data, callback)),
    async end() {
      await done(callback => void stream.end(callback));
      await taken;
    },
    abort: () => void stream.destroy(),
  };
}

export async function openInlet(channel: Channel): Promise<Inlet> {
  switch (channel.kind) {
    case 'file': {
      const fd = translated(() => openSync(channel.path, 'r'));
      // What has no offsets, a device or a pipe, is not to be read at one.
      return inlet(createReadStream('', { fd, start: channel.offset || undefined }));
    }
    case 'fd':
      return inlet(createReadStream('', { fd: channel.descriptor }));
    case 'exec': {
      const [shell, option] = SHELL;
      const child = spawn(shell, [option, channel.command], { stdio: ['inherit', 'pipe', 'inherit'] });
      return inlet(child.stdout);
    }
    default:
      return listening(channel);
  }
}

function inlet(stream: Readable): Inlet {
  return { read: () => pieces(stream), close: () => void stream.destroy() };
}

async function* pieces(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (error) {
    throw hostError(error);
  }
}

/** Waits for one connection. */
async function listening(address: SocketAddress): Promise<Inlet> {
  if (address.kind === 'unix') translated(() => prepareSocket(address.path));
  const server = createServer();
  const connected = new Promise<Socket>(resolve => void server.once('connection', resolve));
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(hostError(error)));
    server.listen(where(address), resolve);
  });
  return {
    async *read() {
      const socket = await connected;
      server.close();
      yield* pieces(socket);
    },
    close() {
      server.close();
      void connected.then(socket => void socket.destroy());
    },
  };
}

/** A socket that is there already is usually left over from a process that died. */
export function prepareSocket(path: string): void {
  // Node says "permission denied" where there is no such directory.
  statSync(dirname(path));
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
}
