import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromEbcdic } from '../../ebcdic.ts';
import { standalone } from '../environment.ts';
import { PRIVILEGED_OPERATION, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA, PSW_PROBLEM } from '../registers.ts';
import { machine } from '../testing.ts';

const BLOCK = 0x8000;
const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(fromEbcdic(bytes)).trim();

test('STSI: the current level, what is there at each, and reserved bits', () => {
  const stsi = (level: number, selector1: number, selector2: number) => {
    const m = machine('stsi 0(%r2)');
    const cpus = () => ({ configured: 2, standby: 1, reserved: 5 });
    m.cpu.environment = { ...standalone, information: { ...standalone.information, cpus } };
    return m
      .gr(0, level * 0x1000_0000 + selector1)
      .gr(1, selector2)
      .gr(2, BLOCK)
      .run();
  };
  assert.equal(stsi(0, 0, 0).cpu.gr(0), 0x3000_0000n);
  assert.equal(text(stsi(1, 1, 1).storage.read(BLOCK + 48, 4)), '3906');
  for (const [level, at] of [
    [1, 36],
    [2, 36],
    [3, 36],
  ] as const) {
    const m = stsi(level, 2, 2);
    assert.deepEqual(
      [0, 2, 4, 6].map(n => m.storage.read16(BLOCK + at + n)),
      [8, 2, 1, 5],
    );
  }
  assert.equal(stsi(4, 1, 1).cc, 3);
  assert.equal(stsi(15, 1, 2).cc, 3);
  assert.equal(stsi(1, 1, 3).cc, 3);
  assert.equal(stsi(1, 0x101, 1).interruption?.code, SPECIFICATION);
  assert.equal(stsi(1, 1, 0x10001).interruption?.code, SPECIFICATION);
});

test('STSI of a logical partition has two levels', () => {
  const m = machine('stsi 0(%r2)\n lgfi %r0,0x30000002\n stsi 0(%r2)').gr(1, 2).gr(2, BLOCK);
  m.cpu.environment = { ...standalone, information: { ...standalone.information, level: 2 } };
  assert.equal(m.run().cc, 3);
  assert.equal(m.cpu.gr(0), 0x3000_0002n);
});

test('STSI 15.1.x and PTF ask the topology', () => {
  const asked: unknown[] = [];
  const m = machine('stsi 0(%r2)\n ptf %r3\n ipm %r5\n ptf %r4')
    .gr(0, 0xf000_0001)
    .gr(1, 2)
    .gr(2, BLOCK)
    .gr(3, 1)
    .gr(4, 2);
  const topology = {
    describe: (nesting: number) => {
      asked.push(nesting);
      return Uint8Array.of(1, 2, 3);
    },
    polarize: (vertical: boolean) => {
      asked.push(vertical);
      return false;
    },
    takeChange: () => true,
  };
  m.cpu.environment = { ...standalone, topology };
  m.run();
  assert.deepEqual(asked, [2, true]);
  assert.deepEqual([...m.storage.read(BLOCK, 3)], [1, 2, 3]);
  assert.equal(m.cpu.gr(3), 0x101n);
  assert.equal((m.cpu.gr32(5) >>> 28) & 3, 2);
  assert.equal(m.cc, 1);
  assert.equal(machine('ptf %r3').gr(3, 3).run().interruption?.code, SPECIFICATION);
  assert.equal(machine('ptf %r3').gr(3, 0x100).run().interruption?.code, SPECIFICATION);
  const problem = machine('ptf %r3', { mask: PSW_EA | PSW_BA | PSW_PROBLEM });
  assert.equal(problem.run().interruption?.code, PRIVILEGED_OPERATION);
});

test('STHYI tells of the machine and the partition; other functions are not there', () => {
  const m = machine('sthyi %r2,%r4').gr(2, 0).gr(4, BLOCK).gr(5, 42).run();
  assert.equal(m.cc, 0);
  assert.equal(m.cpu.gr(5), 0n);
  assert.equal(text(m.storage.read(m.storage.read16(BLOCK + 12) + BLOCK + 20, 4)), '3906');
  assert.equal(text(m.storage.read(m.storage.read16(BLOCK + 16) + BLOCK + 16, 8)), 'LPAR');
  const other = machine('sthyi %r2,%r4').gr(2, 1).gr(4, BLOCK).run();
  assert.deepEqual([other.cc, other.cpu.gr(5)], [3, 4n]);
  for (const source of ['sthyi %r3,%r4', 'sthyi %r2,%r5', 'sthyi %r4,%r4']) {
    assert.equal(machine(source).gr(4, BLOCK).run().interruption?.code, SPECIFICATION);
  }
  assert.equal(
    machine('sthyi %r2,%r4')
      .gr(4, BLOCK + 8)
      .run().interruption?.code,
    SPECIFICATION,
  );
});
