/** Files, sockets and signals on Node. */

import {
  accessSync,
  closeSync,
  constants as files,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { ByteStream, Host } from '../host.ts';
import { openInlet, openOutlet, prepareSocket } from './channels.ts';
import { hostError, translated } from './errors.ts';
import { NodeTerminal } from './terminal.ts';
import { checkTls, secureConnection, secureServer } from './tls.ts';

/** The most connections to one port; others are turned away. */
const CONNECTIONS = 64;

export const nodeHost: Host = {
  processId: process.pid,
  terminal: new NodeTerminal(),
  print: text => void writeSync(1, text),
  complain: text => void writeSync(2, text),
  readFile: (path, most) => translated(() => (most === undefined ? readFileSync(path) : readBeginning(path, most))),
  checkFile: (path, writes) => translated(() => accessSync(path, files.R_OK | (writes ? files.W_OK : 0))),
  listFiles: path =>
    translated(() =>
      readdirSync(path, { withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(({ name }) => ({ name, size: statSync(join(path, name)).size })),
    ),
  renameFile: (from, to) => translated(() => renameSync(from, to)),
  removeFile: path => translated(() => unlinkSync(path)),
  openOutlet,
  openInlet,
  writeFile: (path, data) => translated(() => writeFileSync(path, data)),
  openFile(path, append) {
    const file = translated(() => openSync(path, append ? 'a' : 'w'));
    return {
      write(data) {
        for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
      },
      close: () => closeSync(file),
    };
  },
  checkTls,
  async listen(address, { nodelay, tls }, accept) {
    const take = (socket: Socket) => accept(streamOf(socket));
    const server = tls ? secureServer(tls, nodelay, take) : createServer({ noDelay: nodelay }, take);
    server.maxConnections = CONNECTIONS;
    const where =
      address.kind === 'unix' ? { path: address.path } : { port: address.port, host: address.host || undefined };
    if (address.kind === 'unix') translated(() => prepareSocket(address.path));
    return new Promise((resolve, reject) => {
      server.once('error', error => reject(hostError(error)));
      server.listen(where, () => {
        const bound = server.address();
        const port = typeof bound === 'object' && bound ? bound.port : 0;
        resolve({
          address: address.kind === 'unix' ? address : { ...address, port },
          close: () => void server.close(),
        });
      });
    });
  },
  async connect(address, { nodelay, tls }) {
    if (tls && address.kind === 'tcp') {
      const { host, port } = address;
      return streamOf(await secureConnection(tls, { host: host || 'localhost', port, noDelay: nodelay }));
    }
    const where =
      address.kind === 'unix'
        ? { path: address.path }
        : { port: address.port, host: address.host || 'localhost', noDelay: nodelay };
    return new Promise((resolve, reject) => {
      const socket = connect(where);
      socket.once('error', error => reject(hostError(error)));
      socket.once('connect', () => resolve(streamOf(socket)));
    });
  },
  onSignal(listener) {
    const names = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).filter(name => name in constants.signals);
    const handlers = names.map(name => [name, () => listener(constants.signals[name])] as const);
    for (const [name, handler] of handlers) process.on(name, handler);
    return {
      close() {
        for (const [name, handler] of handlers) process.removeListener(name, handler);
      },
    };
  },
};

function readBeginning(path: string, most: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const data = new Uint8Array(most);
    return data.subarray(0, readSync(file, data));
  } finally {
    closeSync(file);
  }
}

function streamOf(socket: Socket): ByteStream {
  const host = socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress;
  let ended = false;
  socket.pause();
  // It may break before anybody listens.
  socket.on('error', () => socket.destroy());
  return {
    peer: host === undefined ? '' : `${host}:${socket.remotePort}`,
    write: data => ended || socket.write(data.slice()),
    listen(listener) {
      const end = (): void => {
        if (!ended) listener.end();
        ended = true;
      };
      socket.on('data', (data: Buffer) => listener.data(data));
      socket.on('drain', () => listener.drained());
      socket.on('end', () => socket.end());
      socket.on('close', end);
      if (socket.closed) queueMicrotask(end);
      else socket.resume();
    },
    flow: on => void (on ? socket.resume() : socket.pause()),
    close() {
      ended = true;
      socket.destroySoon();
    },
  };
}
