/** What keys, tables and controls protect, what is recorded, and what TLBs must forget (PoP ch. 3 and 10). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as program from '../program.ts';
import { PSW_BA, PSW_DAT, PSW_EA } from '../registers.ts';
import * as state from '../state.ts';
import { machine, type TestMachine } from '../testing.ts';

const WIDE = PSW_EA | PSW_BA;
const DAT = PSW_DAT | WIDE;
const KEY_1 = 1n << 52n;
const LOW_ADDRESS_PROTECTION = 0x1004_0000n;

/** Maps the first 1 MiB to itself by a segment table at X'100000' and a page table at X'110000'. */
function tables(m: TestMachine): TestMachine {
  for (let n = 0; n < 2048; n++) m.storage.write64(0x10_0000 + 8 * n, 0x20n);
  m.storage.write64(0x10_0000, 0x11_0000n);
  for (let n = 0; n < 256; n++) m.storage.write64(0x11_0000 + 8 * n, BigInt(n * 4096));
  return m.cr(1, 0x10_0003n);
}

const keyOf = (m: TestMachine, frame: number): number => m.cpu.u8[m.cpu.layout.keys + frame]!;
function withKey(m: TestMachine, frame: number, key: number): TestMachine {
  m.cpu.u8[m.cpu.layout.keys + frame] = key;
  return m;
}
const outcome = (m: TestMachine): [number | undefined, bigint | undefined] => [
  m.interruption?.code,
  m.interruption?.teid,
];

test('reference and change are recorded, and again after they were reset', () => {
  const m = machine(
    'lg %r1,0(%r2)\niske %r3,%r2\nstg %r1,0(%r2)\niske %r4,%r2\nsske %r0,%r2\nstg %r1,0(%r2)\niske %r5,%r2',
  );
  m.gr(0, 4).gr(2, 0x3000).run();
  assert.deepEqual(
    [3, 4, 5].map(n => m.cpu.gr(n)),
    [4n, 6n, 6n],
  );
  const reset = machine('stg %r1,0(%r2)\nrrbe %r0,%r2\niske %r3,%r2\nlg %r1,8(%r2)\niske %r4,%r2').gr(2, 0x3000).run();
  assert.deepEqual([reset.cc, reset.cpu.gr(3), reset.cpu.gr(4)], [3, 2n, 6n]);
});

test('a key that is changed holds for the next access', () => {
  for (const source of ['lg %r1,0(%r2)\nsske %r3,%r2\nspka 16\nlg %r1,0(%r2)']) {
    const m = machine(source).gr(2, 0x3000).gr(3, 0x28).run();
    assert.deepEqual(outcome(m), [program.PROTECTION, 0x3808n]);
  }
  const own = machine('sske %r3,%r2\nlghi %r1,5', { mask: WIDE | KEY_1 });
  withKey(own, 0, 0x10).gr(2, 0).gr(3, 0x28).run();
  assert.equal(own.interruption?.code, program.PROTECTION);
  assert.equal(own.cpu.gr(1), 0n);
});

test('key-controlled protection and its overrides', () => {
  const store = (key: number, cr0 = 0x4_0000n): ReturnType<typeof outcome> => {
    const m = withKey(machine('spka 16\nstg %r1,0(%r2)'), 3, key).gr(2, 0x3000).cr(0, cr0);
    return outcome(m.run());
  };
  assert.deepEqual(store(0x10), [undefined, undefined]);
  assert.deepEqual(store(0x20), [program.PROTECTION, 0x3408n]);
  assert.deepEqual(store(0x90), [program.PROTECTION, 0x3408n]);
  assert.deepEqual(store(0x98, 0x104_0000n), [undefined, undefined]);
  const fetch = (address: number, cr0: bigint): number | undefined => {
    const m = withKey(machine('spka 16\nlg %r1,0(%r2)'), 3, 0x28).gr(2, address).cr(0, cr0);
    withKey(m, 0, 0x28);
    return m.run().interruption?.code;
  };
  assert.equal(fetch(0x7f8, 0x204_0000n), undefined);
  assert.equal(fetch(0x800, 0x204_0000n), program.PROTECTION);
  assert.equal(fetch(0x3000, 0x204_0000n), program.PROTECTION);
});

test('instructions that only the fetch-protection override lets be fetched', () => {
  const run = (fast: boolean): TestMachine => {
    const m = machine('lghi %r1,1\nexrl %r0,target\nlarl %r2,.+0x200\nbr %r2', {
      data: 'target: lghi %r4,4',
      mask: WIDE | KEY_1,
    });
    // The end of the first 2 KiB.
    m.store(0x60a, 'a7390003 07fe').store(0x7fa, 'a7590005 1866 a7790007').gr(14, 0x7fa);
    withKey(m, 0, 0x28).cr(0, 0x204_0000n);
    return (fast ? m.fast() : m).run();
  };
  for (const m of [run(false), run(true)]) {
    assert.deepEqual(outcome(m), [program.PROTECTION, 0x808n]);
    assert.deepEqual(
      [1, 3, 4, 5, 7].map(n => m.cpu.gr(n)),
      [1n, 3n, 4n, 5n, 0n],
    );
    assert.equal(m.interruption?.oldAddress, 0x802n);
  }
});

test('low-address protection', () => {
  const store = (address: number): ReturnType<typeof outcome> =>
    outcome(machine('stg %r1,0(%r2)').gr(2, address).cr(0, LOW_ADDRESS_PROTECTION).run());
  assert.deepEqual(store(0x1f8), [program.PROTECTION, 0x480n]);
  assert.deepEqual(store(0x11f8), [program.PROTECTION, 0x1480n]);
  assert.deepEqual(store(0x200), [undefined, undefined]);
  const block = (source: string): ReturnType<typeof outcome> =>
    outcome(machine(source).gr(1, 0x1_0000).gr(2, 0x1000).cr(0, LOW_ADDRESS_PROTECTION).run());
  assert.deepEqual(block('tb %r0,%r2'), [program.PROTECTION, 0x1480n]);
  assert.deepEqual(block('pfmf %r1,%r2'), [program.PROTECTION, 0x1480n]);
});

test('DAT protection, and execution protection', () => {
  const m = tables(machine('stg %r1,0(%r2)', { mask: DAT })).gr(2, 0x2_0000);
  m.storage.write64(0x11_0100, 0x2_0200n);
  assert.deepEqual(outcome(m.run()), [program.PROTECTION, 0x2_0404n]);
  const execution = tables(machine('br %r2', { mask: DAT }))
    .gr(2, 0x2_0000)
    .cr(0, 0x14_0000n);
  execution.storage.write64(0x11_0100, 0x2_0100n);
  assert.deepEqual(outcome(execution.run()), [program.PROTECTION, 0x2_0884n]);
});

test('what identifies nothing stores nothing', () => {
  const m = machine('lg %r1,0(%r2)').gr(2, 0x80_0000);
  m.storage.write64(0xa8, 0x1234n);
  assert.deepEqual(outcome(m.run()), [program.ADDRESSING, 0x1234n]);
});

test('large frames have absolute addresses and may bring their own key', () => {
  const m = tables(machine('lg %r3,0(%r2)\nlg %r4,0(%r5)', { mask: DAT })).cr(0, 0x84_0000n);
  m.storage.write64(0x10_0008, 0x400n);
  m.cpu.changePrefix(0x8000);
  m.storage.write(0x8000, m.storage.read(0, 0x2000));
  m.storage.write64(0x800, 7n);
  m.storage.write64(0x8800, 8n);
  m.gr(2, 0x10_0800).gr(5, 0x800).run();
  assert.deepEqual([m.cpu.gr(3), m.cpu.gr(4)], [7n, 8n]);
  const keyed = tables(machine('lg %r3,0(%r2)', { mask: DAT | KEY_1 }))
    .gr(2, 0x10_0800)
    .cr(0, 0x84_0000n);
  for (let frame = 0; frame < 0x120; frame++) withKey(keyed, frame, 0x10);
  keyed.storage.write64(0x10_0008, 0x1_2c00n);
  assert.deepEqual(outcome(keyed.run()), [program.PROTECTION, 0x10_0808n]);
});

test('keys of many blocks, conditionally', () => {
  const m = machine('sske %r1,%r2,5').gr(1, 0x30).gr(2, 0xffff_ffff_0010_f123n);
  assert.equal(m.run().interruption?.code, program.ADDRESSING);
  const narrow = machine('sam31\nsske %r1,%r2,5').gr(1, 0x30).gr(2, 0xffff_ffff_0010_f123n);
  withKey(narrow, 0x1ff, 0x34).run();
  assert.equal(narrow.cpu.gr(2), 0xffff_ffff_0020_0123n);
  assert.equal(narrow.cc, 3);
  assert.deepEqual(
    [0x10e, 0x10f, 0x1ff].map(frame => keyOf(narrow, frame)),
    [0, 0x30, 0x34],
  );
});

test('RESET and INSERT REFERENCE BITS MULTIPLE', () => {
  const m = machine('irbm %r3,%r2\nrrbm %r4,%r2\nirbm %r5,%r2').gr(2, 0x4_1234);
  withKey(withKey(m, 0x40, 0x36), 0x7f, 0x04).run();
  assert.deepEqual(
    [3, 4, 5].map(n => m.cpu.gr(n)),
    [0x8000_0000_0000_0001n, 0x8000_0000_0000_0001n, 0n],
  );
  assert.equal(keyOf(m, 0x40), 0x32);
});

test('a frame of 2 GiB goes on where it was interrupted', () => {
  const m = machine('pfmf %r1,%r2', { storageSize: 0x30_0000 }).gr(1, 0x2_2050).gr(2, 0x10_1000);
  m.cpu.setField32(state.PENDING, state.PENDING_TICK);
  m.cpu.counted = false;
  m.cpu.step();
  assert.deepEqual([m.cpu.gr(2), m.cpu.pswAddress], [0x20_0000n, 0x400n]);
  m.cpu.setField32(state.PENDING, 0);
  m.cpu.counted = true;
  // There is no storage for the rest.
  assert.equal(m.run().interruption?.code, program.ADDRESSING);
  assert.deepEqual([m.cpu.gr(2), keyOf(m, 0x100), keyOf(m, 0x101), keyOf(m, 0x2ff)], [0x30_0000n, 0, 0x50, 0x50]);
});

test('EXTRACT AND SET STORAGE ATTRIBUTES', () => {
  const orders = [2, 0, 3, 4, 7, 2, 1, 6, 0];
  const source = orders.map((order, n) => `essa %r${n + 4},%r2,${order}`).join('\n');
  const m = machine(source).gr(2, 0x3000).run();
  assert.deepEqual(
    orders.map((_, n) => m.cpu.gr(n + 4)),
    [0n, 4n, 4n, 12n, 8n, 0x20n, 0x24n, 0n, 0n],
  );
  assert.equal(machine('essa %r1,%r2,8').gr(2, 0).run().interruption?.code, program.SPECIFICATION);
  assert.equal(machine('essa %r1,%r2,0').gr(2, 0x80_0000).run().interruption?.code, program.ADDRESSING);
});

test('LOAD PAGE-TABLE-ENTRY ADDRESS', () => {
  const found = (address: number, prepare: (m: TestMachine) => void = () => {}): [number, bigint] => {
    const m = tables(machine('lptea %r3,%r0,%r2,0')).gr(2, address);
    prepare(m);
    m.run();
    return [m.cc, m.cpu.gr(3)];
  };
  assert.deepEqual(found(0x2_0000), [0, 0x11_0100n]);
  assert.deepEqual(
    found(0x2_0000, m => m.storage.write64(0x10_0000, 0x11_0200n)),
    [1, 0x11_0100n],
  );
  assert.deepEqual(found(0x20_0000), [2, 0x10_0010n]);
  assert.deepEqual(
    found(0x10_0000, m => {
      m.storage.write64(0x10_0008, 0x10_0600n);
      m.cr(0, 0x84_0000n);
    }),
    [2, 0x10_000cn],
  );
  const beyond = tables(machine('lptea %r3,%r0,%r2,0')).gr(2, 0x8000_0000n).run();
  assert.deepEqual([beyond.cc, beyond.cpu.gr(3)], [3, BigInt(program.ASCE_TYPE)]);
});

test('MOVE PAGE says so in its identifications', () => {
  const m = tables(machine('mvpg %r4,%r6', { mask: DAT }))
    .gr(0, 0)
    .gr(4, 0x2_0000)
    .gr(6, 0x2_1000);
  m.storage.write64(0x11_0108, 0x400n);
  assert.deepEqual(outcome(m.run()), [program.PAGE_TRANSLATION, 0x2_1804n]);
  assert.equal(m.storage.read8(0xa2), 0x46);
});

test('STORE REAL ADDRESS identifies what it could not translate', () => {
  const m = tables(machine('strag 0x800(%r0),0x123(%r2)', { mask: DAT })).gr(2, 0x2_0000);
  m.storage.write64(0x11_0100, 0x400n);
  assert.deepEqual(outcome(m.run()), [program.PAGE_TRANSLATION, 0x2_0800n]);
});

test('the page of the next instruction may be gone', () => {
  const m = tables(machine('ipte %r1,%r2\nlghi %r3,1', { mask: DAT }))
    .gr(1, 0x11_0000)
    .gr(2, 0)
    .run(10);
  assert.equal(m.cpu.gr(3), 0n);
});
