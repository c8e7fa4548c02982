/** The images that a machine has by name: what the command line says of them, and opening them. */

import { HostError } from '../platform/host.ts';
import type { ImageFile, ImageFiles } from '../platform/image-files.ts';
import { BlockError, type ErrorPolicy, type Image } from './image.ts';
import { NullImage } from './null.ts';
import { otherFormat, RawImage } from './raw.ts';
import { TemporarySnapshot } from './snapshot.ts';

/** Where the bytes are. */
export type Protocol =
  | {
      readonly kind: 'file';
      readonly path: string;
      /** Not a block device. */
      readonly regular: boolean;
      /** The host's cache is not used. */
      readonly direct: boolean;
      readonly locking: boolean;
    }
  | { readonly kind: 'null'; readonly size: number };

/** What may be known of a drive before it is opened; can be sent to another thread. */
export interface DriveOptions {
  /** By which a device names it. */
  readonly id: string;
  /** Other names that it has. */
  readonly aliases: readonly string[];
  /** The option that it comes from, for messages. */
  readonly text: string;
  /** Undefined: a drive without medium. */
  readonly protocol: Protocol | undefined;
  /** Nobody has said that it is raw. */
  readonly probed: boolean;
  /** The part of it that is used, in bytes. */
  readonly offset: number;
  readonly size: number | undefined;
  readonly readOnly: boolean;
  /** The guest is told of a write cache at first. */
  readonly writeCache: boolean;
  /** What is to be made safe is not. */
  readonly noFlush: boolean;
  /** Changes are lost in the end. */
  readonly snapshot: boolean;
  readonly readErrors: ErrorPolicy;
  readonly writeErrors: ErrorPolicy;
}

/** Opens the image of a drive. @throws BlockError whose message is for the user */
export async function openDrive(files: ImageFiles, drive: DriveOptions, share: boolean): Promise<Image> {
  const { protocol } = drive;
  if (!protocol) throw new BlockError('Device needs media, but drive is empty');
  if (protocol.kind === 'null') return new NullImage(protocol.size, drive.readOnly);
  const readOnly = drive.readOnly || drive.snapshot;
  const { path, regular, direct, locking } = protocol;
  let file: ImageFile;
  try {
    file = await files.open(path, { readOnly, regular, direct, locking, share });
  } catch (error) {
    throw error instanceof HostError ? new BlockError(opening(path, error)) : error;
  }
  try {
    const image = new RawImage(file, { ...drive, readOnly });
    if (drive.probed) {
      const start = new Uint8Array(512);
      image.read(0, start);
      const other = otherFormat(start);
      if (other) throw new BlockError(`Unknown driver '${other}'`);
    }
    if (!drive.snapshot) return image;
    const changes = new RawImage(files.temporary(), { readOnly: false, probed: false, offset: 0, size: image.size });
    return new TemporarySnapshot(image, changes);
  } catch (error) {
    file.close();
    throw error instanceof HostError ? new BlockError(opening(path, error)) : error;
  }
}

/** What is said of a file that cannot be opened. */
function opening(path: string, error: HostError): string {
  if (error.code === 'EAGAIN') return `${error.message}\nIs another process using the image [${path}]?`;
  return error.code === 'EINVAL' ? error.message : `Could not open '${path}': ${error.message}`;
}
