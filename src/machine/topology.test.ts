import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLayout } from '../cpu/state.ts';
import { CpuTable } from './cpu-table.ts';
import { ConfigurationTopology, type Shape, usualPlace } from './topology.ts';

function setUp(shape: Shape, configured: readonly number[]) {
  const { drawers, books, sockets, cores } = shape;
  const layout = planLayout(drawers * books * sockets * cores, 0x100000);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const table = new CpuTable(memory, layout);
  for (const cpu of configured) {
    table.setPresence(cpu, 'configured');
    table.setPlace(cpu, usualPlace(cpu, shape));
  }
  return { table, topology: new ConfigurationTopology(memory, layout, table, shape) };
}

const hex = (block: Uint8Array | undefined): string | undefined =>
  block && Array.from(block, byte => byte.toString(16).padStart(2, '0')).join('');

test('CPUs fill sockets, books and drawers in turn', () => {
  const shape = { drawers: 2, books: 2, sockets: 2, cores: 2 };
  const { drawer, book, socket } = usualPlace(13, shape);
  assert.deepEqual([drawer, book, socket], [1, 1, 0]);
});

test('SYSIB 15.1.x nests containers as deeply as asked', () => {
  const { topology } = setUp({ drawers: 1, books: 2, sockets: 1, cores: 2 }, [0, 1, 3]);
  // Header: length 80, magnitudes 2 sockets of 2 cores, nesting 2; a socket with CPUs 0 and 1, one with CPU 3.
  assert.equal(
    hex(topology.describe(2)),
    '0000004000000000020200020000000001000000000000000000000000030000c00000000000000001000000000000010000000000030000' +
      '1000000000000000',
  );
  const deep = topology.describe(4)!;
  assert.deepEqual([...deep.subarray(4, 12)], [0, 0, 1, 2, 1, 2, 0, 4]);
  // A drawer, a book, a socket.
  assert.deepEqual([deep[16], deep[24], deep[32], deep[40]], [3, 2, 1, 0]);
  assert.equal(topology.describe(1), undefined);
  assert.equal(topology.describe(5), undefined);
});

test('while the polarization is vertical CPUs are told apart by their entitlement', () => {
  const shape = { drawers: 1, books: 1, sockets: 1, cores: 3 };
  const { topology, table } = setUp(shape, [0, 1, 2]);
  table.setPlace(1, { ...usualPlace(1, shape), entitlement: 'high', dedicated: true });
  assert.equal(topology.describe(2)!.length, 16 + 8 + 2 * 16);
  assert.ok(topology.polarize(true));
  const list = topology.describe(2)!;
  assert.deepEqual([list[28], list[44]], [0x04 | 3, 2]);
  assert.deepEqual([list[32], list[48]], [0x40, 0xa0]);
});

test('a change is reported once, and a reset forgets it', () => {
  const { topology } = setUp({ drawers: 1, books: 1, sockets: 1, cores: 1 }, [0]);
  assert.ok(topology.polarize(true));
  assert.ok(!topology.polarize(true));
  assert.ok(topology.takeChange());
  assert.ok(!topology.takeChange());
  topology.polarize(false);
  topology.reset();
  assert.ok(!topology.takeChange() && !topology.vertical);
});
