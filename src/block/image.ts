/** What stands behind a disk: an image of bytes that is read and written anywhere. */

/** An image cannot do what it should; the message is in words for the user. */
export class BlockError extends Error {
  /** There was no room for what was to be written. */
  readonly noSpace: boolean;
  constructor(message: string, noSpace = false) {
    super(message);
    this.noSpace = noSpace;
  }
}

/** What is done about an error: the request fails, or succeeds, or the machine is stopped and it is tried again. */
export type ErrorPolicy = 'report' | 'ignore' | 'stop' | 'enospc';

export interface Image {
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Fills the buffer; what the image's file no longer has reads as zeros. @throws BlockError */
  read(offset: number, into: Uint8Array): void;
  /** @throws BlockError */
  write(offset: number, data: Uint8Array): void;
  /** Makes a range read as zeros. @throws BlockError */
  writeZeroes(offset: number, length: number): void;
  /** Resolves when all that has been written is on stable storage. @throws BlockError */
  flush(): Promise<void>;
  close(): void;
}
