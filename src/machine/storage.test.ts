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
