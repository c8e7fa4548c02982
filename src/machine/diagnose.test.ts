import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standalone } from '../cpu/environment.ts';
import { SPECIFICATION } from '../cpu/program.ts';
import { machine } from '../cpu/testing.ts';
import { fromEbcdic } from '../ebcdic.ts';
import { diagnoseFunctions, iplParameters, resetDiagnoses, type Surroundings, toldByDiagnose } from './diagnose.ts';
import { Doorbell } from './doorbell.ts';
import type { View } from './identity.ts';
import { Watchdog } from './watchdog.ts';

const BLOCK = 0x8000;

/** A program in a machine with these functions. */
function diagnosing(source: string, view: View = 'kvm', around: Partial<Surroundings> = {}) {
  const m = machine(source);
  const { memory, layout } = m.storage;
  const watchdog = new Watchdog(memory, layout, new Doorbell(memory, layout));
  const resets: string[] = [];
  const functions = diagnoseFunctions({
    memory,
    layout,
    view,
    information: standalone.information,
    features: new Set(['diag318']),
    storageLimit: 0x4000_0000,
    watchdog,
    reset: (_, what) => void resets.push(what),
    ...around,
  });
  m.cpu.environment = { ...standalone, diagnose: new Map([...standalone.diagnose, ...functions]) };
  return { m, memory, layout, watchdog, resets };
}

const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(fromEbcdic(bytes)).trim();

test("X'10' makes pages zeros, and refuses the prefix area and what is no page", () => {
  const { m } = diagnosing('diag %r2,%r3,0x10');
  m.store(BLOCK, '01')
    .store(BLOCK + 0x1fff, '02')
    .store(BLOCK + 0x2000, '03');
  m.gr(2, BLOCK)
    .gr(3, BLOCK + 0x1000)
    .run();
  assert.deepEqual(
    [0, 0x1fff, 0x2000].map(at => m.storage.read8(BLOCK + at)),
    [0, 0, 3],
  );
  for (const [first, last] of [
    [0, 0x2000],
    [0x1000, 0x1000],
    [0x4000, 0x3000],
    [0x4001, 0x5000],
  ]) {
    const { m: other } = diagnosing('diag %r2,%r3,0x10');
    assert.equal(other.gr(2, first!).gr(3, last!).run().interruption?.code, SPECIFICATION);
  }
});

test("X'204' and X'224' tell a partition of itself, and are no functions of a hypervisor", () => {
  const { m } = diagnosing(
    'diag %r4,%r2,0x204\n lgr %r6,%r3\n lgfi %r2,0x10007\n diag %r4,%r2,0x204\n diag %r0,%r5,0x224',
    'lpar',
  );
  m.gr(2, 0x10005)
    .gr(3, 0)
    .gr(4, BLOCK)
    .gr(5, BLOCK + 0x1000)
    .run();
  assert.equal(m.interruption, undefined);
  assert.deepEqual([m.cpu.gr(2), m.cpu.gr(3), m.cpu.gr(6)], [0n, 1n, 1n]);
  assert.equal(m.storage.read8(BLOCK), 1);
  assert.equal(text(m.storage.read(BLOCK + 64 + 8, 8)), 'LPAR');
  assert.equal(text(m.storage.read(BLOCK + 64 + 2 * 96 + 8, 8)), 'PHYSICAL');
  assert.equal(text(m.storage.read(BLOCK + 0x1000 + 4 * 16, 16)), 'IFL');
  assert.equal(diagnosing('diag %r4,%r2,0x204').m.gr(2, 0x10005).run().interruption?.code, SPECIFICATION);
  assert.equal(diagnosing('diag %r4,%r2,0x500', 'lpar').m.run().interruption?.code, SPECIFICATION);
});

test("X'258' establishes and cancels the handshake once", () => {
  const token = `02580000000500020000000000009000${'0001000000000000'.repeat(2)}8000000000000000`;
  const cancel = `0258000100050002${'00'.repeat(32)}`;
  const { m, memory, layout } = diagnosing(
    'diag %r2,%r4,0x258\n diag %r2,%r5,0x258\n diag %r3,%r6,0x258\n diag %r3,%r7,0x258',
  );
  m.store(BLOCK, token)
    .store(BLOCK + 64, cancel)
    .gr(2, BLOCK)
    .gr(3, BLOCK + 64)
    .run();
  assert.deepEqual(
    [4, 5, 6, 7].map(n => m.cpu.gr(n)),
    [0n, 8n, 0n, 4n],
  );
  resetDiagnoses(memory, layout);
});

test("X'288' sets, changes and cancels the watchdog", () => {
  const { m, watchdog } = diagnosing('diag %r2,%r4,0x288');
  m.gr(2, 0).gr(3, 20).gr(4, 0).run();
  assert.ok(watchdog.isSet && watchdog.seconds === 20);
  for (const [operation, seconds, action] of [
    [1, 20, 0],
    [2, 20, 0],
    [3, 20, 0],
    [0, 14, 0],
    [0, 20, 1],
  ]) {
    const other = diagnosing('diag %r2,%r4,0x288').m.gr(2, operation!).gr(3, seconds!).gr(4, action!);
    assert.equal(other.run().interruption?.code, SPECIFICATION);
  }
  assert.equal(
    diagnosing('diag %r2,%r4,0x288', 'kvm', { watchdog: undefined }).m.run().interruption?.code,
    SPECIFICATION,
  );
});

test("X'308' keeps a valid parameter block for whoever asks, and passes resets on", () => {
  const { m, memory, layout } = diagnosing(
    'diag %r2,%r4,0x308\n lgr %r6,%r3\n diag %r2,%r5,0x308\n lgr %r7,%r3\n diag %r8,%r4,0x308',
  );
  // CCW type, device 0.0.1234 with a load parameter.
  const block = `000000c8000000010000008002800000${'c1c2c340'.repeat(2)}`.padEnd(400, '0');
  m.store(BLOCK, block)
    .gr(2, BLOCK)
    .gr(4, 6)
    .gr(5, 5)
    .gr(8, BLOCK + 0x1000)
    .run();
  assert.deepEqual([m.cpu.gr(6), m.cpu.gr(7), m.cpu.gr(9)], [0x102n, 1n, 1n]);
  assert.equal(iplParameters(memory, layout)!.length, 200);
  assert.equal(m.storage.read8(BLOCK + 0x1000 + 12), 2);
  const { m: wrong } = diagnosing('diag %r2,%r4,0x308');
  wrong
    .store(BLOCK, `${'000000c8'.padEnd(24, '0')}0700`)
    .gr(2, BLOCK)
    .gr(4, 5)
    .run();
  assert.equal(wrong.cpu.gr(3), 0x402n);
  for (const [subcode, what] of [
    [0, 'modified-clear'],
    [1, 'load-normal'],
    [3, 'load'],
    [4, 'load'],
  ] as const) {
    const { m: other, resets } = diagnosing('diag %r2,%r4,0x308');
    other.gr(4, subcode).run();
    assert.deepEqual(resets, [what]);
  }
  for (const subcode of [2, 0x101, 0x10001]) {
    assert.equal(diagnosing('diag %r2,%r4,0x308').m.gr(4, subcode).run().interruption?.code, SPECIFICATION);
  }
});

test("X'318' is remembered until a reset, X'500' knows the limit of storage and no devices", () => {
  const { m, memory, layout } = diagnosing(
    'diag %r3,%r0,0x318\n diag 0,0,0x500\n lgr %r4,%r2\n lghi %r1,3\n diag 0,0,0x500',
  );
  m.gr(1, 4).gr(3, 0x0400_0000_0000_0123n).run();
  assert.deepEqual(toldByDiagnose(memory, layout), { name: 4, version: 0x123n });
  assert.equal(m.cpu.gr(4), 0x3fff_ffffn);
  assert.equal(BigInt.asIntN(64, m.cpu.gr(2)), -22n);
  resetDiagnoses(memory, layout);
  assert.equal(toldByDiagnose(memory, layout), undefined);
  assert.equal(diagnosing('diag 0,0,0x500').m.gr(1, 9).run().interruption?.code, SPECIFICATION);
});
