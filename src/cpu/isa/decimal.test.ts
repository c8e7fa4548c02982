import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA, DECIMAL_DIVIDE, DECIMAL_OVERFLOW, FIXED_POINT_DIVIDE, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine, type TestMachine } from '../testing.ts';

const OVERFLOW_MASK = 1n << 42n;

/** Result and condition code, or the interruption code. */
const operate = (source: string, first: string, second = '00', mask = 0n): string => {
  const length = first.length / 2;
  const other = second.length / 2;
  const m = machine(source.replace('L1', String(length)).replace('L2', String(other)), { mask: PSW_EA | PSW_BA | mask })
    .store(0x800, first)
    .store(0x900, second)
    .setCc(0)
    .run();
  const end = m.interruption ? `program ${m.interruption.code}` : `cc ${m.cc}`;
  return `${m.hex(0x800, length)} ${end}`;
};
const both = (mnemonic: string): string => `${mnemonic} 0x800(L1,%r0),0x900(L2,%r0)`;

test('addition, subtraction, comparison', () => {
  assert.equal(operate(both('ap'), '012c', '1c'), '013c cc 2');
  assert.equal(operate(both('ap'), '012c', '013d'), '001d cc 1');
  assert.equal(operate(both('ap'), '012d', '012f'), '000c cc 0');
  assert.equal(operate(both('ap'), '999c', '001c'), '000c cc 3');
  // Digits are lost: zero keeps the sign of the true result.
  assert.equal(operate(both('ap'), '999d', '001b'), '000d cc 3');
  assert.equal(operate(both('ap'), '999c', '1c', OVERFLOW_MASK), `000c program ${DECIMAL_OVERFLOW}`);
  assert.equal(operate(both('ap'), '0a1c', '1c'), `0a1c program ${DATA}`);
  assert.equal(operate(both('ap'), '0011', '1c'), `0011 program ${DATA}`);
  assert.equal(operate(both('sp'), '012c', '00013c'), '001d cc 1');
  assert.equal(operate(both('zap'), 'ffff', '012d'), '012d cc 1');
  assert.equal(operate(both('zap'), 'ff', '012d'), '2d cc 3');
  assert.equal(operate(both('cp'), '000d', '0c'), '000d cc 0');
  assert.equal(operate(both('cp'), '001d', '0c'), '001d cc 1');
  assert.equal(operate(both('cp'), '1c', '0000000c'), '1c cc 2');
});

test('multiplication and division', () => {
  assert.equal(operate(both('mp'), '0000012c', '012d'), '0000144d cc 0');
  assert.equal(operate(both('mp'), '000c', '1d'), '000d cc 0');
  assert.equal(operate(both('mp'), '012c', '1c'), `012c program ${DATA}`);
  assert.equal(operate(both('mp'), '00012c', '012c'), `00012c program ${DATA}`);
  assert.equal(operate(both('mp'), '012c', '012c'), `012c program ${SPECIFICATION}`);
  assert.equal(operate(both('dp'), '0000100c', '007d'), '014d002c cc 0');
  assert.equal(operate(both('dp'), '0000001d', '007c'), '000d001d cc 0');
  assert.equal(operate(both('dp'), '0100000c', '001c'), `0100000c program ${DECIMAL_DIVIDE}`);
  assert.equal(operate(both('dp'), '0000001c', '000c'), `0000001c program ${DECIMAL_DIVIDE}`);
});

test('SHIFT AND ROUND', () => {
  const shift = (amount: number, round = 5): string => `srp 0x800(L1,%r0),${amount}(%r0),${round}`;
  assert.equal(operate(shift(2), '00123c'), '12300c cc 2');
  assert.equal(operate(shift(3), '00123c'), '23000c cc 3');
  assert.equal(operate(shift(63), '00125c'), '00013c cc 2');
  assert.equal(operate(shift(63, 0), '00005d'), '00000c cc 0');
  assert.equal(operate(shift(32), '99999d'), '00000c cc 0');
  assert.equal(operate(shift(0, 10), '00001c'), `00001c program ${DATA}`);
});

test('TEST DECIMAL', () => {
  assert.equal(operate('tp 0x800(L1,%r0)', '123c'), '123c cc 0');
  assert.equal(operate('tp 0x800(L1,%r0)', '1234'), '1234 cc 1');
  assert.equal(operate('tp 0x800(L1,%r0)', '1a3c'), '1a3c cc 2');
  assert.equal(operate('tp 0x800(L1,%r0)', 'a234'), 'a234 cc 3');
});

test('EDIT', () => {
  const edit = (pattern: string, source: string): string => operate('ed 0x800(L1,%r0),0x900(%r0)', pattern, source);
  // Blank, two digits, comma, two digits, the last one before significance starts, point, two digits, blank, CR.
  const pattern = '4020206b2020214b202040c3d9';
  assert.equal(edit(pattern, '0257426c'), '4040f26bf5f7f44bf2f6404040 cc 2');
  assert.equal(edit(pattern, '0000026d'), '404040404040404bf2f640c3d9 cc 1');
  assert.equal(edit('40202020', '000c'), '40404040 cc 0');
  // The condition code is that of the last field.
  assert.equal(edit('4020222020', '1c02'), '40f14040f2 cc 1');
  assert.equal(edit('402020', 'a0'), `402020 program ${DATA}`);
});

test('EDIT AND MARK', () => {
  const mark = (mask: bigint): TestMachine =>
    machine('edmk 0x800(6,%r0),0x900(%r0)', { mask })
      .store(0x800, '402020202120')
      .store(0x900, '00123c')
      .gr(1, 0x1111_2222_f333_4444n)
      .run();
  assert.equal(mark(PSW_EA | PSW_BA).cpu.gr(1), 0x803n);
  assert.equal(mark(PSW_BA).cpu.gr(1), 0x1111_2222_0000_0803n);
  assert.equal(mark(0n).cpu.gr(1), 0x1111_2222_f300_0803n);
});

test('between packed and zoned', () => {
  assert.equal(operate(both('pack'), '000000', 'f1f2f3f4c5'), '12345c cc 0');
  assert.equal(operate(both('pack'), 'ff', 'f1f2f3f4c5'), '5c cc 0');
  assert.equal(operate(both('unpk'), '0000000000', '12345c'), 'f1f2f3f4c5 cc 0');
  assert.equal(operate(both('unpk'), '0000000000', '5c'), 'f0f0f0f0c5 cc 0');
  assert.equal(operate(both('mvo'), '7788990c', '123456'), '0123456c cc 0');
  assert.equal(operate('pka 0x800(%r0),0x900(L2,%r0)', '00'.repeat(16), '313233'), `${'0'.repeat(28)}123c cc 0`);
  assert.equal(operate('pku 0x800(%r0),0x900(L2,%r0)', '00'.repeat(16), '00310032'), `${'0'.repeat(29)}12c cc 0`);
  const sixteen = `${'0'.repeat(29)}12d`;
  assert.equal(operate('unpka 0x800(L1,%r0),0x900(%r0)', '000000', sixteen), '303132 cc 1');
  assert.equal(operate('unpku 0x800(L1,%r0),0x900(%r0)', '00000000', sixteen), '00310032 cc 1');
  assert.equal(operate('unpku 0x800(L1,%r0),0x900(%r0)', '000000', sixteen), `000000 program ${SPECIFICATION}`);
  assert.equal(operate('unpka 0x800(L1,%r0),0x900(%r0)', '00', '0'.repeat(32)), '30 cc 3');
});

test('between packed and binary', () => {
  const old = 0x1111_2222_3333_4444n;
  const toBinary = (source: string, hex: string): [bigint, number] => {
    const m = machine(source).store(0x800, hex).gr(2, old).run();
    return [m.cpu.gr(2), m.interruption?.code ?? 0];
  };
  assert.deepEqual(toBinary('cvb %r2,0x800', '000002147483647c'), [0x1111_2222_7fff_ffffn, 0]);
  assert.deepEqual(toBinary('cvb %r2,0x800', '000002147483648d'), [0x1111_2222_8000_0000n, 0]);
  assert.deepEqual(toBinary('cvby %r2,0x800', '000002147483648c'), [0x1111_2222_8000_0000n, FIXED_POINT_DIVIDE]);
  assert.deepEqual(toBinary('cvb %r2,0x800', '00000000000000a0'), [old, DATA]);
  assert.deepEqual(toBinary('cvbg %r2,0x800', '0000000000000000000000000000007d'), [2n ** 64n - 7n, 0]);
  assert.deepEqual(toBinary('cvbg %r2,0x800', '9999999999999999999999999999999c'), [old, FIXED_POINT_DIVIDE]);
  const toDecimal = (source: string, value: bigint, length: number): string =>
    machine(source).gr(2, value).run().hex(0x800, length);
  assert.equal(toDecimal('cvd %r2,0x800', 0x8000_0000n, 8), '000002147483648d');
  assert.equal(toDecimal('cvdy %r2,0x800', old, 8), '000000858997828c');
  assert.equal(toDecimal('cvdg %r2,0x800', 1n << 63n, 16), '0000000000009223372036854775808d');
});
