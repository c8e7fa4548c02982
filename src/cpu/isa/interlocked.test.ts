import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIXED_POINT_OVERFLOW, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine } from '../testing.ts';

test('COMPARE AND SWAP', () => {
  const equal = machine('cs %r2,%r3,0x800').store(0x800, '00000005').gr(2, 0x7_00000005n).gr(3, 9).run();
  assert.equal(equal.cc, 0);
  assert.equal(equal.hex(0x800, 4), '00000009');
  assert.equal(equal.cpu.gr(2), 0x7_00000005n);
  const unequal = machine('csg %r2,%r3,0x800').store(0x800, '0000000100000005').gr(2, 5).gr(3, 9).run();
  assert.equal(unequal.cc, 1);
  assert.equal(unequal.cpu.gr(2), 0x1_00000005n);
  assert.equal(unequal.hex(0x800, 8), '0000000100000005');
  assert.equal(machine('cs %r2,%r3,0x802').run().interruption?.code, SPECIFICATION);
});

test('COMPARE DOUBLE AND SWAP', () => {
  const m = machine('cds %r2,%r4,0x800\ncdsg %r6,%r8,0x810')
    .store(0x800, '0000000100000002')
    .store(0x810, '00000000000000030000000000000004')
    .gr(2, 1)
    .gr(3, 2)
    .gr(4, 5)
    .gr(5, 6)
    .gr(6, 3)
    .gr(7, 9)
    .run();
  assert.equal(m.hex(0x800, 8), '0000000500000006');
  assert.equal(m.cc, 1);
  assert.equal(m.cpu.gr(7), 4n);
  const swap = machine('cdsg %r2,%r4,0x800').gr(4, 1).gr(5, 2).run();
  assert.equal(swap.cc, 0);
  assert.equal(swap.hex(0x800, 16), '00000000000000010000000000000002');
  assert.equal(machine('cdsg %r2,%r4,0x808').run().interruption?.code, SPECIFICATION);
  assert.equal(machine('cds %r2,%r5,0x800').run().interruption?.code, SPECIFICATION);
});

test('LOAD AND ADD and its kin', () => {
  const outcome = (source: string): [bigint, string, number] => {
    const m = machine(source).store(0x800, '00000000fffffffe').gr(2, 0).gr(3, 3).run();
    return [m.cpu.gr(2), m.hex(0x800, 8), m.cc];
  };
  assert.deepEqual(outcome('laag %r2,%r3,0x800'), [0xfffffffen, '0000000100000001', 2]);
  assert.deepEqual(outcome('laa %r2,%r3,0x804'), [0xfffffffen, '0000000000000001', 2]);
  assert.deepEqual(outcome('laal %r2,%r3,0x804'), [0xfffffffen, '0000000000000001', 3]);
  assert.deepEqual(outcome('lan %r2,%r3,0x804'), [0xfffffffen, '0000000000000002', 1]);
  assert.deepEqual(outcome('lang %r2,%r2,0x800'), [0xfffffffen, '0000000000000000', 0]);
  assert.deepEqual(outcome('laog %r2,%r3,0x800'), [0xfffffffen, '00000000ffffffff', 1]);
  assert.deepEqual(outcome('lax %r2,%r3,0x804'), [0xfffffffen, '00000000fffffffd', 1]);
  const overflow = machine('laa %r2,%r3,0x800', { mask: PSW_EA | PSW_BA | (1n << 43n) })
    .store(0x800, '7fffffff')
    .gr(3, 1)
    .run();
  assert.equal(overflow.interruption?.code, FIXED_POINT_OVERFLOW);
  assert.equal(overflow.hex(0x800, 4), '80000000');
  assert.equal(overflow.cpu.gr(2), 0x7fffffffn);
  assert.equal(machine('laag %r2,%r3,0x804').run().interruption?.code, SPECIFICATION);
});

test('LOAD PAIR DISJOINT, TEST AND SET', () => {
  const m = machine('lpdg %r2,0x800,0x810\nlpd %r4,0x804,0x814\nts 0x807')
    .store(0x800, '8000000000000001')
    .store(0x810, '0000000000000002')
    .run();
  assert.equal(m.cpu.gr(2), 0x80000000_00000001n);
  assert.equal(m.cpu.gr(3), 2n);
  assert.equal(m.cpu.gr(4), 1n);
  assert.equal(m.cpu.gr(5), 2n);
  assert.equal(m.cc, 0);
  assert.equal(m.hex(0x807, 1), 'ff');
  assert.equal(machine('ts 0x800').store(0x800, '80').run().cc, 1);
});

test('COMPARE AND SWAP AND STORE', () => {
  const m = machine('csst 0x800,0x810,%r4')
    .store(0x800, '00000005')
    .store(0x900, '00000007')
    .store(0x910, '1122334455667788')
    .gr(0, 0x0300)
    .gr(1, 0x900)
    .gr(4, 5)
    .run();
  assert.equal(m.cc, 0);
  assert.equal(m.hex(0x800, 4), '00000007');
  assert.equal(m.hex(0x810, 8), '1122334455667788');
  const unequal = machine('csst 0x800,0x810,%r4').store(0x800, '00000005').gr(0, 0x0100).gr(1, 0x900).gr(4, 6).run();
  assert.equal(unequal.cc, 1);
  assert.equal(unequal.cpu.gr(4), 5n);
  assert.equal(machine('csst 0x802,0x810,%r4').gr(1, 0x900).run().interruption?.code, SPECIFICATION);
  // Sixteen bytes are of another facility.
  const wide = (controls: number, facilities: number[]): number | undefined => {
    const m = machine('csst 0x800,0x810,%r4').gr(0, controls).gr(1, 0x900).gr(4, 0).gr(5, 0);
    m.cpu.environment = { ...m.cpu.environment, facilities: new Set(facilities) };
    return m.run().interruption?.code;
  };
  for (const controls of [0x0002, 0x0400]) {
    assert.equal(wide(controls, [32, 33]), undefined);
    assert.equal(wide(controls, [32]), SPECIFICATION);
  }
  assert.equal(wide(0x0301, [32]), undefined);
});

test('PERFORM LOCKED OPERATION', () => {
  const m = (code: number) => machine('plo %r2,0x800,%r4,0x900').gr(0, code);
  assert.equal(m(0x100 + 23).run().cc, 0);
  assert.equal(m(0x100 + 24).run().cc, 3);
  assert.equal(m(24).run().interruption?.code, SPECIFICATION);
  // Double compare and swap, in registers.
  const swapped = m(8).store(0x800, '00000001').store(0x900, '00000002').gr(2, 1).gr(3, 11).gr(4, 2).gr(5, 12).run();
  assert.equal(swapped.cc, 0);
  assert.equal(swapped.hex(0x800, 4) + swapped.hex(0x900, 4), '0000000b0000000c');
  const second = m(8).store(0x800, '00000001').store(0x900, '00000003').gr(2, 1).gr(4, 2).run();
  assert.equal(second.cc, 2);
  assert.equal(second.cpu.gr(4), 3n);
  // Compare and swap and double store, 64 bits, all in the parameter list.
  const stores = m(17)
    .store(0x800, '0000000000000001')
    .store(0x908, '0000000000000001')
    .store(0x918, '0000000000000002')
    .store(0x938, '0000000000000003')
    .store(0x948, '0000000000000a00')
    .store(0x958, '0000000000000004')
    .store(0x968, '0000000000000a08')
    .run();
  assert.equal(stores.interruption, undefined);
  assert.equal(stores.cc, 0);
  assert.equal(stores.hex(0x800, 8), '0000000000000002');
  assert.equal(stores.hex(0xa00, 16), '00000000000000030000000000000004');
});
