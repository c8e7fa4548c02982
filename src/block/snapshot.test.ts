import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Image } from './image.ts';
import { TemporarySnapshot } from './snapshot.ts';

class MemoryImage implements Image {
  readonly data: Uint8Array;
  readonly readOnly = false;
  constructor(data: Uint8Array) {
    this.data = data;
  }
  get size(): number {
    return this.data.length;
  }
  read(offset: number, into: Uint8Array): void {
    into.set(this.data.subarray(offset, offset + into.length));
  }
  write(offset: number, data: Uint8Array): void {
    this.data.set(data, offset);
  }
  writeZeroes(offset: number, length: number): void {
    this.data.fill(0, offset, offset + length);
  }
  async flush(): Promise<void> {}
  close(): void {}
}

test('changes are seen, and the image below stays as it is', () => {
  const size = 5 * 4096 + 512;
  const original = Uint8Array.from({ length: size }, (_, n) => n % 251);
  const base = new MemoryImage(original.slice());
  const snapshot = new TemporarySnapshot(base, new MemoryImage(new Uint8Array(size)));
  const expected = original.slice();
  const look = () => {
    const all = new Uint8Array(size);
    snapshot.read(0, all);
    assert.deepEqual(all, expected);
    const part = new Uint8Array(5000);
    snapshot.read(4000, part);
    assert.deepEqual(part, expected.slice(4000, 9000));
  };
  look();
  for (const [offset, length] of [
    [4090, 12],
    [3 * 4096, 4096],
    [3 * 4096 + 7, 100],
    [size - 512, 512],
    [0, 1],
  ] as const) {
    const data = new Uint8Array(length).fill(0xa0 + length);
    snapshot.write(offset, data);
    expected.set(data, offset);
    look();
  }
  snapshot.writeZeroes(8000, 6000);
  expected.fill(0, 8000, 14000);
  look();
  assert.deepEqual(base.data, original);
});
