/** Files that are images of disks; platform/node provides them. */

import type { Closable, Inlet } from './host.ts';

export interface ImageFile extends Closable {
  /** Bytes there are now. @throws HostError */
  size(): number;
  /** @returns bytes read, fewer only at the end @throws HostError */
  read(offset: number, into: Uint8Array): number;
  /** All of it. @throws HostError */
  write(offset: number, data: Uint8Array): void;
  /** Resolves when what has been written is on stable storage. @throws HostError */
  synchronize(): Promise<void>;
}

export interface ImageFileOptions {
  readonly readOnly: boolean;
  /** Without the host's cache. */
  readonly direct: boolean;
  /** Whether others are kept from using it. */
  readonly locking: boolean;
  /** Others may write, too. */
  readonly share: boolean;
}

export interface ImageFiles {
  /** A regular file, or a block device unless `regular`. @throws HostError */
  open(path: string, options: ImageFileOptions & { readonly regular: boolean }): Promise<ImageFile>;
  /** A file or device of bytes that is read from its beginning. @throws HostError */
  stream(path: string): Promise<Inlet>;
  /** A file without a name, gone when it is closed. @throws HostError */
  temporary(): ImageFile;
}
