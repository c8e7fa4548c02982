import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as state from './state.ts';
import { Tlb } from './tlb.ts';

const ASCE = 0x1000_0003;

function make() {
  const memory = new ArrayBuffer(state.CPU_STRIDE);
  const i32 = new Int32Array(memory);
  const tlb = new Tlb(memory, 0);
  /** Makes an entry for a page of a space from the page table at an address (-1: none). */
  const enter = (context: number, page: number, pageTable: number): number => {
    const entry = (context + ((page >>> 12) & (state.TLB_ENTRIES - 1)) * state.TLB_ENTRY_SIZE) >>> 2;
    const isNew = tlb.use(context, entry, pageTable);
    if (isNew) i32[entry] = i32[entry + 2] = i32[entry + 4] = Number(state.TLB_INVALID);
    i32[entry] = page;
    i32[entry + 1] = 0;
    return entry;
  };
  return { tlb, i32, enter };
}

test('a page is forgotten where it was made from the page table that is named', () => {
  const { tlb, i32, enter } = make();
  const [one, other] = [tlb.select(ASCE, 0, 0), tlb.select(ASCE + 0x4000, 0, 0)];
  const shared = [enter(one, 0x345_000, 0x8a28), enter(other, 0x745_000, 0x8a28)];
  const kept = [enter(one, 0x145_000, 0x9228), enter(one, 0x346_000, 0x8a30), enter(other, 0x1045_000, -1)];
  tlb.purgePage(0x345_000, 0x8800);
  for (const entry of shared) assert.equal(i32[entry], Number(state.TLB_INVALID));
  for (const entry of kept) assert.notEqual(i32[entry], Number(state.TLB_INVALID));
});

test('what comes from another page table takes the place of the whole entry', () => {
  const { tlb, i32, enter } = make();
  const context = tlb.select(ASCE, 0, 0);
  const entry = enter(context, 0x345_000, 0x8a28);
  i32[entry + 2] = 0x345_000;
  assert.equal(enter(context, 0x345_000, 0x8a28), entry);
  assert.equal(i32[entry + 2], 0x345_000);
  enter(context, 0x345_000, 0x9a28);
  assert.equal(i32[entry + 2], Number(state.TLB_INVALID));
});

test('a space that is given up leaves nothing behind, wherever in the context it was', () => {
  const { tlb, i32, enter } = make();
  const first = tlb.select(ASCE, 0, 0);
  const entries = Array.from({ length: 64 }, (_, n) => enter(first, n * 0x41_000, 0x8000));
  // All contexts once more: the first is the one that was not selected for longest.
  for (let n = 1; n < state.TLB_CONTEXTS; n++) assert.notEqual(tlb.select(ASCE, n, 0), first);
  assert.equal(tlb.select(ASCE, state.TLB_CONTEXTS, 0), first);
  for (const entry of entries) assert.equal(i32[entry], Number(state.TLB_INVALID));
});
