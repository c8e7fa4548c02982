/** An image that is all zeros and forgets what is written (`null-co`): for measurements. */

import type { Image } from './image.ts';

export class NullImage implements Image {
  readonly size: number;
  readonly readOnly: boolean;

  constructor(size: number, readOnly: boolean) {
    this.size = size;
    this.readOnly = readOnly;
  }

  read(_offset: number, into: Uint8Array): void {
    into.fill(0);
  }
  write(): void {}
  writeZeroes(): void {}
  async flush(): Promise<void> {}
  close(): void {}
}
