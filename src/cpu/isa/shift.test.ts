import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIXED_POINT_OVERFLOW, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine } from '../testing.ts';

const run = (source: string, r2: bigint, r3: bigint) => {
  const m = machine(source).gr(2, r2).gr(3, r3).setCc(0).run();
  assert.equal(m.interruption, undefined, source);
  return m;
};
const outcome = (source: string, r2: bigint, r3 = 0n): [string, number] => {
  const m = run(source, r2, r3);
  return [m.cpu.gr(2).toString(16), m.cc];
};

test('single shifts', () => {
  const high = 0xaaaaaaaa_00000000n;
  assert.deepEqual(outcome('sll %r2,31', high | 3n), ['aaaaaaaa80000000', 0]);
  assert.deepEqual(outcome('sll %r2,32', high | 3n), ['aaaaaaaa00000000', 0]);
  assert.deepEqual(outcome('srl %r2,63', high | 3n), ['aaaaaaaa00000000', 0]);
  assert.deepEqual(outcome('sla %r2,1', high | 0x40000000n), ['aaaaaaaa00000000', 3]);
  assert.deepEqual(outcome('sla %r2,1', high | 0xc0000000n), ['aaaaaaaa80000000', 1]);
  assert.deepEqual(outcome('sla %r2,1', high | 0x80000000n), ['aaaaaaaa80000000', 3]);
  assert.deepEqual(outcome('sla %r2,31', high | 0xffffffffn), ['aaaaaaaa80000000', 1]);
  assert.deepEqual(outcome('sla %r2,32', high | 0xffffffffn), ['aaaaaaaa80000000', 3]);
  assert.deepEqual(outcome('sla %r2,63', high | 1n), ['aaaaaaaa00000000', 3]);
  assert.deepEqual(outcome('sla %r2,40', high), ['aaaaaaaa00000000', 0]);
  assert.deepEqual(outcome('sla %r2,0', high | 5n), ['aaaaaaaa00000005', 2]);
  assert.deepEqual(outcome('sra %r2,63', high | 0x80000000n), ['aaaaaaaaffffffff', 1]);
  assert.deepEqual(outcome('slag %r2,%r3,63', 0n, 1n), ['0', 3]);
  assert.deepEqual(outcome('slag %r2,%r3,63', 0n, 2n ** 64n - 1n), ['8000000000000000', 1]);
  assert.deepEqual(outcome('slag %r2,%r3,3', 0n, 5n), ['28', 2]);
  assert.deepEqual(outcome('srag %r2,%r3,4', 0n, 1n << 63n), ['f800000000000000', 1]);
  assert.deepEqual(outcome('srlk %r2,%r3,4', high, 0x80000000n), ['aaaaaaaa08000000', 0]);
  assert.deepEqual(outcome('rll %r2,%r3,36', high, 0x12345678n), ['aaaaaaaa23456781', 0]);
  assert.deepEqual(outcome('rllg %r2,%r3,60', 0n, 0x12n), ['2000000000000001', 0]);
});

test('a shift amount from a register', () => {
  assert.deepEqual(outcome('sllg %r2,%r3,1(%r3)', 0n, 0x43n), ['430', 0]);
  assert.deepEqual(outcome('sll %r2,0(%r3)', 1n, 0x44n), ['10', 0]);
});

test('double shifts', () => {
  const pair = (source: string, even: bigint, odd: bigint): [string, string, number] => {
    const m = run(source, even, odd);
    return [m.cpu.gr(2).toString(16), m.cpu.gr(3).toString(16), m.cc];
  };
  assert.deepEqual(pair('sldl %r2,32', 1n, 0x80000000n), ['80000000', '0', 0]);
  assert.deepEqual(pair('srdl %r2,4', 0x80000001n, 2n), ['8000000', '10000000', 0]);
  assert.deepEqual(pair('slda %r2,1', 0x40000000n, 0n), ['0', '0', 3]);
  assert.deepEqual(pair('slda %r2,32', 0xffffffffn, 0xffffffffn), ['ffffffff', '0', 1]);
  assert.deepEqual(pair('srda %r2,32', 0x80000000n, 5n), ['ffffffff', '80000000', 1]);
  assert.equal(machine('srdl %r3,1').run().interruption?.code, SPECIFICATION);
});

test('overflow interrupts after the shift', () => {
  const m = machine('sla %r2,1', { mask: PSW_EA | PSW_BA | (1n << 43n) })
    .gr(2, 0x7fffffff)
    .run();
  assert.equal(m.interruption?.code, FIXED_POINT_OVERFLOW);
  assert.equal(m.cpu.gr(2), 0x7ffffffen);
  assert.equal(m.cc, 3);
});

test('rotated and selected bits', () => {
  const r2 = 0xffffffff_ffffffffn;
  const r3 = 0x01234567_89abcdefn;
  const expected: Record<string, [string, number]> = {
    'risbg %r2,%r3,56,63,0': ['ffffffffffffffef', 1],
    'risbg %r2,%r3,56,128+63,0': ['ef', 2],
    'risbg %r2,%r3,60,128+3,8': ['2000000000000001', 2],
    'risbg %r2,%r3,0,128+0,0': ['0', 0],
    'risbgn %r2,%r3,32,128+47,0': ['89ab0000', 0],
    'risbhg %r2,%r3,0,128+15,32': ['89ab0000ffffffff', 0],
    'risblg %r2,%r3,16,31,0': ['ffffffffffffcdef', 0],
    'rnsbg %r2,%r3,56,63,0': ['ffffffffffffffef', 1],
    'rxsbg %r2,%r3,56,63,0': ['ffffffffffffff10', 1],
    'rxsbg %r2,%r2,56,63,0': ['ffffffffffffff00', 0],
    'rnsbg %r2,%r3,128+0,7,0': ['ffffffffffffffff', 1],
    'rosbg %r2,%r3,0,63,0': ['ffffffffffffffff', 1],
  };
  for (const [source, result] of Object.entries(expected)) assert.deepEqual(outcome(source, r2, r3), result, source);
});
