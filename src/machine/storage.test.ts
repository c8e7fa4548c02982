import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largestStorage, planLayout } from '../cpu/state.ts';
import { Storage } from './storage.ts';

const layout = planLayout(1, 0x100000);
const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
const storage = new Storage(memory, layout);

test('numbers are big-endian wherever they lie', () => {
  storage.write(0x1001, [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
  assert.equal(storage.read8(0x1002), 0x22);
  assert.equal(storage.read16(0x1002), 0x2233);
  assert.equal(storage.read32(0x1001), 0x11223344);
  assert.equal(storage.read64(0x1001), 0x1122334455667788n);
  storage.write32(0x1003, 0xdeadbeef);
  assert.deepEqual([...storage.read(0x1001, 8)], [0x11, 0x22, 0xde, 0xad, 0xbe, 0xef, 0x77, 0x88]);
});

test('whoever keeps copies of instructions is told of every write, after it is done', () => {
  const told: [number, number, number][] = [];
  storage.onWrite((address, length) => told.push([address, length, storage.read8(address)]));
  storage.write8(1, 7);
  storage.write64(8, 1n << 56n);
  storage.fill(0x20, 3, 9);
  assert.deepEqual(told, [
    [1, 1, 7],
    [8, 8, 1],
    [0x20, 3, 9],
  ]);
});

test('the end of storage is its end', () => {
  storage.write8(0xfffff, 1);
  assert.throws(() => storage.read16(0xfffff), RangeError);
  assert.throws(() => storage.write8(-1, 0), RangeError);
  assert.throws(() => planLayout(1, largestStorage(1) + 0x100000), RangeError);
});

test('numbers of devices with the other byte order', () => {
  storage.write(0x2000, [0x11, 0x22, 0x33, 0x44, 0x55, 0x66]);
  assert.equal(storage.read16le(0x2001), 0x3322);
  assert.equal(storage.read32le(0x2001), 0x55443322);
  storage.write16le(0x2000, 0xabcd);
  storage.write32le(0x2002, 0x01020304);
  assert.deepEqual([...storage.read(0x2000, 6)], [0xcd, 0xab, 4, 3, 2, 1]);
});

test('halfwords and bits that are shared with CPUs', () => {
  storage.store16(0x2000, 0x8001);
  assert.equal(storage.load16(0x2000), 0x8001);
  assert.equal(storage.read16(0x2000), 0x8001);
  assert.equal(storage.or8(0x2001, 0x40), 1);
  assert.equal(storage.read16(0x2000), 0x8041);
});

test('bulk copies of any length come through the staging buffer in order, and touch nothing else', () => {
  const { staging } = storage;
  for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 100, 4096]) {
    const data = Uint8Array.from({ length }, (_, n) => n * 7 + length);
    storage.fill(0x3000, 0x2000, 0xee);
    staging.fill(0);
    staging.set(data, 5);
    storage.unstage(0x3003, length, 5);
    assert.deepEqual(storage.read(0x3003, length), data);
    assert.equal(storage.read8(0x3002), 0xee);
    assert.equal(storage.read8(0x3003 + length), 0xee);
    staging.fill(0);
    storage.stage(0x3003, length, 9);
    assert.deepEqual(staging.slice(9, 9 + length), data);
    assert.equal(staging[8], 0);
    assert.equal(staging[9 + length], 0);
  }
  assert.throws(() => storage.stage(0xffff0, 17, 0), RangeError);
  assert.throws(() => storage.unstage(0, 2, staging.length - 1), RangeError);
});
