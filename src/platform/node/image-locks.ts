/**
 * Who uses an image. Node has no file locks; on Linux every user listens on a socket in the abstract namespace whose
 * name tells the file and what it does with it, which is gone with the process. QEMU's locks are seen, too.
 */

import { readFileSync, type Stats } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { type Closable, HostError } from '../host.ts';

const PREFIX = 'lpar-image';
/** QEMU locks single bytes of the file: who writes has the first, who lets nobody else write the second. */
const QEMU_WRITES = 101;
const QEMU_EXCLUDES_WRITERS = 201;

interface User {
  readonly writes: boolean;
  /** Lets others write. */
  readonly shares: boolean;
}

let count = 0;

/** @throws HostError when another user and this one exclude each other */
export async function lockImage(file: Stats, user: User): Promise<Closable> {
  if (process.platform !== 'linux') return { close() {} };
  const name = `${PREFIX}/${file.dev}:${file.ino}/`;
  const own = `${name}${user.writes ? 'w' : 'r'}${user.shares ? 's' : 'x'}/${process.pid}.${process.hrtime.bigint()}.${count++}`;
  // First to be seen, then to look: of two that come at once at least one sees the other.
  const server = await listen(`\0${own}`);
  const wrong = conflict(user, [...lparUsers(name, own), ...qemuUsers(file)]);
  if (wrong === undefined) return server;
  server.close();
  throw new HostError(wrong, 'EAGAIN');
}

function conflict(user: User, others: readonly User[]): string | undefined {
  if (user.writes && others.some(({ shares }) => !shares)) return 'Failed to get "write" lock';
  if (!user.shares && others.some(({ writes }) => writes)) return 'Failed to get shared "write" lock';
  return undefined;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy());
    server.once('error', error => reject(new HostError(error.message)));
    server.listen({ path }, () => resolve(server.unref()));
  });
}

function lparUsers(name: string, own: string): User[] {
  const found: User[] = [];
  for (const line of read('/proc/net/unix').split('\n')) {
    const at = line.indexOf(`@${name}`);
    if (at < 0) continue;
    const what = line.slice(at + 1);
    // A connected socket has the name of the listening one, too; nobody connects.
    if (what === own) continue;
    found.push({ writes: what[name.length] === 'w', shares: what[name.length + 1] === 's' });
  }
  return found;
}

function qemuUsers(file: Stats): User[] {
  const hex = (number: number) => number.toString(16).padStart(2, '0');
  // As the kernel packs device numbers for programs.
  const major = (file.dev >>> 8) & 0xfff;
  const minor = (file.dev & 0xff) | ((file.dev >>> 12) & 0xfff00);
  const inode = `${hex(major)}:${hex(minor)}:${file.ino}`;
  const held = (byte: number) =>
    read('/proc/locks')
      .split('\n')
      .map(line => line.trim().split(/\s+/))
      .some(words => {
        const [, kind, , , , where, start, end] = words;
        return kind === 'OFDLCK' && where === inode && Number(start) <= byte && (end === 'EOF' || Number(end) >= byte);
      });
  const writes = held(QEMU_WRITES);
  const excludes = held(QEMU_EXCLUDES_WRITERS);
  return writes || excludes ? [{ writes, shares: !excludes }] : [];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
