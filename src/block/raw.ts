/** Raw images: the bytes of the disk are the bytes of the file. */

import { HostError } from '../platform/host.ts';
import type { ImageFile } from '../platform/image-files.ts';
import { BlockError, type Image } from './image.ts';

const ZEROS = new Uint8Array(0x10000);
/** What tells formats apart is in the first sector. */
const SIGNATURES = 512;

export interface RawOptions {
  readonly readOnly: boolean;
  /**
   * That it is raw is only a guess: the guest may not write there what would make it another format the next time, which
   * could name other files of the host.
   */
  readonly probed: boolean;
  /** Where the disk begins in the file. */
  readonly offset: number;
  /** Undefined: to the end of the file. */
  readonly size: number | undefined;
}

export class RawImage implements Image {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #file: ImageFile;
  readonly #start: number;
  readonly #probed: boolean;

  /** @throws BlockError */
  constructor(file: ImageFile, { readOnly, probed, offset, size }: RawOptions) {
    this.#file = file;
    this.#start = offset;
    this.#probed = probed;
    this.readOnly = readOnly;
    this.size = size ?? Math.max(translated(() => file.size()) - offset, 0);
  }

  read(offset: number, into: Uint8Array): void {
    const count = translated(() => this.#file.read(this.#start + offset, into));
    // A file that somebody has made shorter, or whose last sector is not all there.
    into.fill(0, count);
  }

  write(offset: number, data: Uint8Array): void {
    if (this.#probed && offset < SIGNATURES && this.#becomesAnother(offset, data)) {
      throw new BlockError('Operation not permitted');
    }
    translated(() => this.#file.write(this.#start + offset, data));
  }

  #becomesAnother(offset: number, data: Uint8Array): boolean {
    const start = new Uint8Array(SIGNATURES);
    this.read(0, start);
    start.set(data.subarray(0, SIGNATURES - offset), offset);
    return otherFormat(start) !== undefined;
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

/** How images of other formats begin. */
const beginnings: readonly [format: string, text: string][] = [
  ['qcow2', 'QFI\xfb'],
  ['qed', 'QED\0'],
  ['vmdk', 'KDMV'],
  ['vmdk', 'COWD'],
  ['vmdk', '# Disk DescriptorFile'],
  ['vpc', 'conectix'],
  ['vhdx', 'vhdxfile'],
  ['luks', 'LUKS\xba\xbe'],
  ['parallels', 'WithoutFreeSpace'],
  ['parallels', 'WithouFreSpacExt'],
];
/** Where VDI has its mark. */
const VDI = { at: 64, mark: [0x7f, 0x10, 0xda, 0xbe] };

/** The format, other than raw, that an image with this beginning has; undefined: none. */
export function otherFormat(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 32));
  const found = beginnings.find(([, beginning]) => text.startsWith(beginning));
  if (found) return found[0];
  return VDI.mark.every((byte, n) => start[VDI.at + n] === byte) ? 'vdi' : undefined;
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
