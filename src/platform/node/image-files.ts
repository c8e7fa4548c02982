/** Images of disks on Node. */

import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Closable, HostError } from '../host.ts';
import type { ImageFile, ImageFiles } from '../image-files.ts';
import { openInlet } from './channels.ts';
import { hostError, translated } from './errors.ts';
import { lockImage } from './image-locks.ts';

export const nodeImageFiles: ImageFiles = {
  async open(path, { readOnly, direct, locking, share, regular }) {
    const flags = (readOnly ? constants.O_RDONLY : constants.O_RDWR) | (direct ? (constants.O_DIRECT ?? 0) : 0);
    const descriptor = translated(() => openSync(path, flags));
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile() && (regular || !stats.isBlockDevice())) {
        throw new HostError(
          regular
            ? `'file' driver requires '${path}' to be a regular file`
            : `'host_device' driver requires '${path}' to be either a character or block device`,
          'EINVAL',
        );
      }
      const lock = locking ? await lockImage(stats, { writes: !readOnly, shares: share }) : undefined;
      return new NodeImageFile(descriptor, stats, lock);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  },
  stream: path => openInlet({ kind: 'file', path, offset: 0 }),
  temporary() {
    const path = join(tmpdir(), `lpar-${process.pid}-${process.hrtime.bigint()}`);
    return translated(() => {
      const descriptor = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return new NodeImageFile(descriptor, fstatSync(descriptor));
    });
  },
};

class NodeImageFile implements ImageFile {
  readonly #descriptor: number;
  readonly #device: Stats;
  readonly #lock: Closable | undefined;

  constructor(descriptor: number, device: Stats, lock?: Closable) {
    this.#descriptor = descriptor;
    this.#device = device;
    this.#lock = lock;
  }

  size(): number {
    if (!this.#device.isBlockDevice()) return translated(() => fstatSync(this.#descriptor).size);
    const major = (this.#device.rdev >>> 8) & 0xfff;
    const minor = (this.#device.rdev & 0xff) | ((this.#device.rdev >>> 12) & 0xfff00);
    return translated(() => Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * 512);
  }

  read(offset: number, into: Uint8Array): number {
    return translated(() => {
      let done = 0;
      while (done < into.length) {
        const count = readSync(this.#descriptor, into, done, into.length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  write(offset: number, data: Uint8Array): void {
    translated(() => {
      for (let done = 0; done < data.length; ) {
        done += writeSync(this.#descriptor, data, done, data.length - done, offset + done);
      }
    });
  }

  synchronize(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor, error => (error ? reject(hostError(error)) : resolve()));
    });
  }

  close(): void {
    closeSync(this.#descriptor);
    this.#lock?.close();
  }
}
