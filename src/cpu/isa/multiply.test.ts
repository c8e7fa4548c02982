import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIXED_POINT_DIVIDE, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine, ORIGIN, type TestMachine } from '../testing.ts';

const signed = (v: bigint): bigint => BigInt.asIntN(64, v);
const unsigned = (v: bigint): bigint => BigInt.asUintN(64, v);
const VALUES = [
  0n,
  1n,
  2n,
  0xffffffffn,
  1n << 32n,
  0x7fffffff_ffffffffn,
  1n << 63n,
  0xffffffff_ffffffffn,
  0x123456789abcdefn,
];

const again = (m: TestMachine): TestMachine => {
  m.cpu.setPsw(PSW_EA | PSW_BA, BigInt(ORIGIN));
  return m.run();
};

test('128-bit products', () => {
  const logical = machine('mlgr %r2,%r4');
  const arithmetic = machine('mgrk %r2,%r3,%r4');
  for (const a of VALUES) {
    for (const b of VALUES) {
      again(logical.gr(3, a).gr(4, b));
      assert.equal((logical.cpu.gr(2) << 64n) | logical.cpu.gr(3), a * b, `${a} ${b}`);
      again(arithmetic.gr(3, a).gr(4, b));
      const product = BigInt.asUintN(128, signed(a) * signed(b));
      assert.equal((arithmetic.cpu.gr(2) << 64n) | arithmetic.cpu.gr(3), product, `${a} ${b}`);
    }
  }
});

test('products that set the condition code', () => {
  const code = (source: string, a: bigint, b: bigint): number => machine(source).gr(3, a).gr(4, b).run().cc;
  assert.equal(code('msrkc %r2,%r3,%r4', 0x10000n, 0x7fffn), 2);
  assert.equal(code('msrkc %r2,%r3,%r4', 0x10000n, 0x8000n), 3);
  assert.equal(code('msrkc %r2,%r3,%r4', 0xffff0000n, 0x8000n), 1);
  assert.equal(code('msgrkc %r2,%r3,%r4', 1n << 32n, 1n << 31n), 3);
  assert.equal(code('msgrkc %r2,%r3,%r4', -1n << 32n, 1n << 31n), 1);
  assert.equal(code('msgrkc %r2,%r3,%r4', 0n, 1n << 31n), 0);
  assert.equal(code('msgrkc %r2,%r3,%r4', 1n << 63n, -1n), 3);
});

test('division of 128 bits', () => {
  const m = machine('dlgr %r2,%r4');
  for (const high of VALUES) {
    for (const low of VALUES) {
      for (const divisor of [...VALUES, 0x80000000_00000001n, 0xffffffff_00000001n]) {
        again(m.gr(2, high).gr(3, low).gr(4, divisor));
        if (high >= divisor) {
          assert.equal(m.interruption?.code, FIXED_POINT_DIVIDE);
          assert.equal(m.cpu.gr(2), high);
          continue;
        }
        const dividend = (high << 64n) | low;
        assert.equal(m.interruption, undefined);
        assert.equal(m.cpu.gr(3), dividend / divisor, `${dividend.toString(16)} ${divisor.toString(16)}`);
        assert.equal(m.cpu.gr(2), dividend % divisor);
      }
    }
  }
});

test('signed division', () => {
  const m = machine('dsgr %r2,%r4');
  for (const a of VALUES) {
    for (const b of VALUES) {
      again(m.gr(2, 99).gr(3, a).gr(4, b));
      const quotient = signed(b) === 0n ? undefined : signed(a) / signed(b);
      if (quotient === undefined || quotient === 1n << 63n) {
        assert.equal(m.interruption?.code, FIXED_POINT_DIVIDE);
        continue;
      }
      assert.equal(m.cpu.gr(3), unsigned(quotient));
      assert.equal(m.cpu.gr(2), unsigned(signed(a) % signed(b)));
    }
  }
});

test('division of 64 bits by 32', () => {
  const d = (source: string, high: number, low: number, divisor: number) =>
    machine(source)
      .gr(2, 0xaaaaaaaa_00000000n + BigInt(high))
      .gr(3, 0xbbbbbbbb_00000000n + BigInt(low))
      .gr(4, divisor)
      .run();
  const plain = d('dr %r2,%r4', 0xffffffff, 0xfffffff9, 2);
  assert.equal(plain.cpu.gr(2), 0xaaaaaaaa_ffffffffn);
  assert.equal(plain.cpu.gr(3), 0xbbbbbbbb_fffffffdn);
  assert.equal(d('dr %r2,%r4', 0x80000000, 0, 0xffffffff).interruption?.code, FIXED_POINT_DIVIDE);
  assert.equal(d('dr %r2,%r4', 1, 0, 1).interruption?.code, FIXED_POINT_DIVIDE);
  assert.equal(d('dr %r2,%r4', 0, 1, 0).interruption?.code, FIXED_POINT_DIVIDE);
  assert.equal(d('dr %r2,%r4', 0xffffffff, 0x80000000, 1).cpu.gr(3), 0xbbbbbbbb_80000000n);
  assert.equal(d('dlr %r2,%r4', 1, 0, 1).interruption?.code, FIXED_POINT_DIVIDE);
  assert.equal(d('dlr %r2,%r4', 1, 1, 2).cpu.gr(3), 0xbbbbbbbb_80000000n);
  assert.equal(d('dr %r3,%r4', 0, 1, 1).interruption?.code, SPECIFICATION);
});

test('products of words and halfwords', () => {
  const m = machine('mr %r2,%r4\nml %r6,0x800\nmh %r8,0x804\nmghi %r9,-3\nmsgf %r10,0x800')
    .store(0x800, 'ffffffffffff')
    .gr(3, 0xffffffff)
    .gr(4, 7)
    .gr(7, 0xffffffff)
    .gr(8, 9)
    .gr(9, 5)
    .gr(10, 4)
    .run();
  assert.equal(m.cpu.gr(2), 0xffffffffn);
  assert.equal(m.cpu.gr(3), 0xfffffff9n);
  assert.equal(m.cpu.gr(6), 0xfffffffen);
  assert.equal(m.cpu.gr(7), 1n);
  assert.equal(m.cpu.gr(8), 0xfffffff7n);
  assert.equal(m.cpu.gr(9), unsigned(-15n));
  assert.equal(m.cpu.gr(10), unsigned(-4n));
});
