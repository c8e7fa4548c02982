import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgramInterruption } from '../cpu/program.ts';
import { planLayout } from '../cpu/state.ts';
import { ChannelInstructions } from './instructions.ts';
import { TablePaths } from './paths.ts';
import { ChannelTable, freshSchib } from './table.ts';

const WORD = 0x1_0000;
const [ENABLED, VALID] = [0x0080_0000, 0x0001_0000];

/** A subchannel, and the instructions that work on it. */
function subchannel(): ChannelInstructions {
  const layout = planLayout(1, 1 << 20);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const table = new ChannelTable(ChannelTable.newShared(), memory, layout);
  const id = { cssid: 0xfe, ssid: 0, number: 0 };
  assert.notEqual(table.add(id, freshSchib(0, 0), 0x32, false), undefined);
  return new ChannelInstructions(table, new TablePaths(table), () => {});
}

/** A subchannel-information block with these words. */
function block(words: Readonly<Record<number, number>>): Uint8Array {
  const bytes = new Uint8Array(52);
  for (const [at, word] of Object.entries(words)) new DataView(bytes.buffer).setUint32(Number(at), word);
  return bytes;
}

const word = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);

test('START SUBCHANNEL replaces the interruption parameter', () => {
  const instructions = subchannel();
  assert.equal(instructions.modify(WORD, block({ 0: 0x11, 4: ENABLED })), 0);
  const orb = new Uint8Array(32);
  new DataView(orb.buffer).setUint32(0, 0x1234_5678);
  // By the only path.
  orb[6] = 0x80;
  assert.equal(instructions.start(WORD, orb), 0);
  assert.equal(word(instructions.store(WORD)!, 0), 0x1234_5678);
});

test('MODIFY SUBCHANNEL refuses reserved bits but for bit 5, and measurement blocks off their boundary', () => {
  const instructions = subchannel();
  for (const bit of [0, 1, 6, 7])
    assert.throws(() => instructions.modify(WORD, block({ 4: ENABLED | (0x8000_0000 >>> bit) })), ProgramInterruption);
  assert.equal(instructions.modify(WORD, block({ 4: ENABLED | (0x8000_0000 >>> 5) })), 0);
  assert.equal(word(instructions.store(WORD)!, 4), ENABLED | VALID);
  const extended = 4;
  assert.throws(() => instructions.modify(WORD, block({ 4: ENABLED, 24: extended, 44: 0x20 })), ProgramInterruption);
  assert.equal(instructions.modify(WORD, block({ 4: ENABLED, 24: extended, 44: 0x40 })), 0);
});
