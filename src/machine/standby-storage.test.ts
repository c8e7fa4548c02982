import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLayout } from '../cpu/state.ts';
import { incrementSize, StandbyMap, storageFacts } from './standby-storage.ts';
import { Storage } from './storage.ts';

const MEBIBYTE = 0x100000;

test('increments grow until a page lists them all', () => {
  assert.equal(incrementSize(4096 * MEBIBYTE, 0), MEBIBYTE);
  assert.equal(incrementSize(1020 * MEBIBYTE, MEBIBYTE), MEBIBYTE);
  assert.equal(incrementSize(1024 * MEBIBYTE, 1024 * MEBIBYTE), 2 * MEBIBYTE);
  assert.equal(incrementSize(512 * MEBIBYTE, 3072 * MEBIBYTE), 4 * MEBIBYTE);
});

test('storage in standby is there while it is assigned, and comes cleared', () => {
  const layout = planLayout(1, 2 * MEBIBYTE, 3 * MEBIBYTE);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const storage = new Storage(memory, layout);
  const { assign, core, standby } = storageFacts(storage, new StandbyMap(memory, layout));
  assert.deepEqual([core, standby], [2, 3]);
  assert.ok(storage.contains(0, 2 * MEBIBYTE) && !storage.contains(2 * MEBIBYTE, 1));
  assert.ok(assign(3, true) && assign(4, true) && !assign(5, true) && !assign(1, true));
  assert.ok(storage.contains(3 * MEBIBYTE, 2 * MEBIBYTE));
  assert.ok(!storage.contains(3 * MEBIBYTE - 1, 2));
  assert.ok(!storage.contains(2 * MEBIBYTE - 1, 3 * MEBIBYTE));
  storage.write8(4 * MEBIBYTE, 7);
  assign(4, false);
  assert.ok(!storage.contains(4 * MEBIBYTE, 1));
  assign(4, true);
  assert.equal(storage.read8(4 * MEBIBYTE), 0);
});
