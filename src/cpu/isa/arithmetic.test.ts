import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIXED_POINT_OVERFLOW } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine, ORIGIN, type TestMachine } from '../testing.ts';

const boundary = (bits: number): bigint[] => {
  const top = 1n << BigInt(bits - 1);
  return [0n, 1n, 2n, top - 1n, top, top + 1n, 2n * top - 1n, 0x12345678n];
};
const sign = (v: bigint): number => (v === 0n ? 0 : v < 0n ? 1 : 2);

/** Runs the program of a machine once more. */
const again = (m: TestMachine, cc: number): TestMachine => {
  m.cpu.setPsw(PSW_EA | PSW_BA | (BigInt(cc) << 44n), BigInt(ORIGIN));
  return m.run();
};

type Model = (a: bigint, b: bigint, carry: bigint) => bigint;
const add: Model = (a, b) => a + b;
const subtract: Model = (a, b) => a - b;

/** Every pair of boundary values, in the registers 2 and 3; the expected condition code depends on the kind. */
function check(mnemonic: string, bits: 32 | 64, model: Model, logical: boolean): void {
  const borrows = /^SL/.test(mnemonic);
  const m = machine(`${mnemonic} %r2,%r3`);
  for (const a of boundary(bits)) {
    for (const b of boundary(bits)) {
      for (const cc of [0, 3]) {
        const upper = bits === 32 ? 0xdeadbeef_00000000n : 0n;
        again(m.gr(2, upper | a).gr(3, upper | b), cc);
        const what = `${mnemonic} ${a.toString(16)} ${b.toString(16)} ${cc}`;
        const exact = logical
          ? model(a, b, BigInt(cc >> 1))
          : model(BigInt.asIntN(bits, a), BigInt.asIntN(bits, b), 0n);
        const result = BigInt.asUintN(bits, exact);
        assert.equal(m.cpu.gr(2), upper | result, what);
        const outside = logical ? exact !== result : exact !== BigInt.asIntN(bits, exact);
        // A subtraction without borrow has a carry.
        const expected = logical ? (result === 0n ? 0 : 1) | (outside === borrows ? 0 : 2) : outside ? 3 : sign(exact);
        assert.equal(m.cc, expected, what);
      }
    }
  }
}

test('additions and subtractions of registers', () => {
  check('AR', 32, add, false);
  check('AGR', 64, add, false);
  check('SR', 32, subtract, false);
  check('SGR', 64, subtract, false);
  check('ALR', 32, add, true);
  check('ALGR', 64, add, true);
  check('SLR', 32, subtract, true);
  check('SLGR', 64, subtract, true);
  check('ALCR', 32, (a, b, carry) => a + b + carry, true);
  check('ALCGR', 64, (a, b, carry) => a + b + carry, true);
  check('SLBR', 32, (a, b, carry) => a - b - 1n + carry, true);
  check('SLBGR', 64, (a, b, carry) => a - b - 1n + carry, true);
});

test('overflow completes and then interrupts where the program mask says so', () => {
  const mask = PSW_EA | PSW_BA | (1n << 43n);
  const m = machine('ahi %r2,1', { mask }).gr(2, 0x7fffffff).run();
  assert.equal(m.interruption?.code, FIXED_POINT_OVERFLOW);
  assert.equal(m.cpu.gr(2), 0x80000000n);
  assert.equal(m.cc, 3);
  const s = machine('asi 0x800,1', { mask }).store(0x800, '7fffffff').run();
  assert.equal(s.interruption?.code, FIXED_POINT_OVERFLOW);
  assert.equal(s.hex(0x800, 4), '80000000');
});

test('the signs', () => {
  const outcome = (mnemonic: string, value: bigint): [bigint, number] => {
    const m = machine(`${mnemonic} %r2,%r3`).gr(3, value).run();
    return [m.cpu.gr(2), m.cc];
  };
  assert.deepEqual(outcome('lpr', 0x80000000n), [0x80000000n, 3]);
  assert.deepEqual(outcome('lpr', 0xffffffffn), [1n, 2]);
  assert.deepEqual(outcome('lpgfr', 0x80000000n), [0x80000000n, 2]);
  assert.deepEqual(outcome('lpgr', 1n << 63n), [1n << 63n, 3]);
  assert.deepEqual(outcome('lnr', 1n), [0xffffffffn, 1]);
  assert.deepEqual(outcome('lnr', 0n), [0n, 0]);
  assert.deepEqual(outcome('lcr', 0x80000000n), [0x80000000n, 3]);
  assert.deepEqual(outcome('lcgfr', 0x80000000n), [0x80000000n, 2]);
  assert.deepEqual(outcome('lcgr', 5n), [2n ** 64n - 5n, 1]);
});

test('storage operands and immediates', () => {
  const m = machine(
    'agsi 0x800,-1\nagsi 0x809,1\nalsi 0x818,-1\nag %r2,0x800\nah %r3,0x81c\nagh %r4,0x81c\nalhsik %r5,%r6,-2',
  )
    .store(0x800, '0000000000000005')
    .store(0x809, '00000000000000ff')
    .store(0x818, '00000000ffff')
    .gr(2, 1)
    .gr(3, 0x1_00000000n)
    .gr(4, 1)
    .gr(6, 2)
    .run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.hex(0x800, 8), '0000000000000004');
  assert.equal(m.hex(0x809, 8), '0000000000000100');
  assert.equal(m.hex(0x818, 4), 'ffffffff');
  assert.equal(m.cpu.gr(2), 5n);
  assert.equal(m.cpu.gr(3), 0x1_ffffffffn);
  assert.equal(m.cpu.gr(4), 0n);
  assert.equal(m.cpu.gr(5), 0n);
  assert.equal(m.cc, 2);
});

test('high words leave the low ones alone', () => {
  const m = machine('ahhlr %r2,%r3,%r4\nalsih %r5,-1\naih %r6,1\nalsihn %r7,2')
    .gr(2, 0x22)
    .gr(3, 0x7fffffff_00000000n)
    .gr(4, 1)
    .gr(5, 5)
    .gr(6, 0xffffffff_00000006n)
    .gr(7, 7)
    .run();
  assert.equal(m.cpu.gr(2), 0x80000000_00000022n);
  assert.equal(m.cpu.gr(5), 0xffffffff_00000005n);
  assert.equal(m.cpu.gr(6), 6n);
  assert.equal(m.cpu.gr(7), 0x2_00000007n);
  assert.equal(m.cc, 0);
});
