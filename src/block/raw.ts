/** Raw images: the bytes of the disk are the bytes of the file. */

import { HostError } from '../platform/host.ts';
import type { ImageFile } from '../platform/image-files.ts';
import { BlockError, type Image } from './image.ts';

const ZEROS = new Uint8Array(0x10000);

export class RawImage implements Image {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #file: ImageFile;

  /** @throws BlockError */
  constructor(file: ImageFile, readOnly: boolean) {
    this.#file = file;
    this.readOnly = readOnly;
    this.size = translated(() => file.size());
  }

  read(offset: number, into: Uint8Array): void {
    const count = translated(() => this.#file.read(offset, into));
    // A file that somebody has made shorter, or whose last sector is not all there.
    into.fill(0, count);
  }

  write(offset: number, data: Uint8Array): void {
    translated(() => this.#file.write(offset, data));
  }

  writeZeroes(offset: number, length: number): void {
    for (let done = 0; done < length; done += ZEROS.length) {
      this.write(offset + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
    }
  }

  async flush(): Promise<void> {
    try {
      await this.#file.synchronize();
    } catch (error) {
      throw blockError(error);
    }
  }

  close(): void {
    this.#file.close();
  }
}

function blockError(error: unknown): unknown {
  return error instanceof HostError ? new BlockError(error.message, error.code === 'ENOSPC') : error;
}

function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw blockError(error);
  }
}
