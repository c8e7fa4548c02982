import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as exact from '../millicode/bfp.ts';
import { LONG, SHORT } from '../millicode/bfp.ts';
import { DATA, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine, ORIGIN, type TestMachine } from '../testing.ts';

const view = new DataView(new ArrayBuffer(8));
function long(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
function short(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}
const number = (bits: bigint): number => {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};

let state = 1n;
function random(): bigint {
  state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
  return (state >> 32n) | ((state << 32n) & 0xffff_ffff_0000_0000n);
}
const below = (limit: number): number => Number(random() % BigInt(limit));

/** Numbers with few bits or many, close to one another, at the ends of the range, integers, and what is no number. */
function operand(format: exact.Format): bigint {
  const fraction = format === LONG ? 52 : 23;
  const exponents = format === LONG ? 2047 : 255;
  const kind = below(12);
  if (kind > 8) return exact.convertFromFixed(format, BigInt(below(2 ** below(31)) - below(200)), 0).result;
  let exponent = (exponents >> 1) + below(2 * fraction) - fraction;
  if (kind === 0) exponent = 0;
  else if (kind === 1) exponent = exponents;
  else if (kind === 2) exponent = 1 + below(fraction);
  else if (kind === 3) exponent = exponents - 1 - below(fraction);
  const cut = BigInt(below(fraction + 1));
  const bits = ((random() & ((1n << BigInt(fraction)) - 1n)) >> cut) << cut;
  return (BigInt(below(2) * (exponents + 1) + exponent) << BigInt(fraction)) | bits;
}

/** Controls as they usually are, and others. */
function controls(): number {
  const kind = below(8);
  if (kind < 3) return 0x0008_0000;
  if (kind < 6) return 0;
  return ((below(32) << 27) | (below(32) << 19) | below(4)) >>> 0;
}

/** Runs the program of a machine once more. */
function again(m: TestMachine): TestMachine {
  m.cpu.setPsw(PSW_EA | PSW_BA, BigInt(ORIGIN));
  m.interruption = undefined;
  return m.run();
}

type Model = (a: bigint, b: bigint, c: bigint, fpc: number) => exact.Effects & { result?: bigint; cc?: number };

/** Runs an instruction on operands in registers 0, 2 and 4, again and again, and compares with the model. */
function compare(source: string, format: exact.Format, model: Model, to = format, times = 1500): void {
  const m = machine(source);
  const shift = format === SHORT ? 32n : 0n;
  for (let n = 0; n < times; n++) {
    const a = operand(format);
    // Often the same once more, or nearly so.
    const b = below(6) ? operand(format) : BigInt.asUintN(Number(64n - shift), a + BigInt(below(3) - 1));
    const c = operand(format);
    const fpc = controls();
    const before = (a << shift) | (shift ? 0x1234_5678n : 0n);
    again(
      m
        .fpr(0, before)
        .fpr(2, b << shift)
        .fpr(4, c << shift)
        .fpc(fpc),
    );
    const out = model(a, b, c, fpc);
    const what = `${source} a=${a.toString(16)} b=${b.toString(16)} c=${c.toString(16)} fpc=${fpc.toString(16)}`;
    const written = to === SHORT ? ((out.result ?? 0n) << 32n) | (before & 0xffff_ffffn) : out.result;
    assert.equal(m.cpu.fpr(0), out.suppressed || out.result === undefined ? before : written, what);
    assert.equal(m.cc, out.suppressed ? 0 : (out.cc ?? 0), what);
    assert.equal(m.interruption?.dxc ?? 0, out.dxc, what);
    const flags = (fpc | out.flags) >>> 0;
    assert.equal(m.cpu.fpc, out.dxc ? ((flags & ~0xff00) | (out.dxc << 8)) >>> 0 : flags, what);
  }
}

const formats = [
  ['e', SHORT],
  ['d', LONG],
] as const;

test('the host adds, subtracts, multiplies, divides and takes roots as the exact arithmetic does', () => {
  for (const [letter, format] of formats) {
    compare(`a${letter}br %f0,%f2`, format, (a, b, _, fpc) => exact.add(format, a, b, fpc));
    compare(`s${letter}br %f0,%f2`, format, (a, b, _, fpc) => exact.subtract(format, a, b, fpc));
    const product = letter === 'e' ? 'mee' : 'md';
    compare(`${product}br %f0,%f2`, format, (a, b, _, fpc) => exact.multiply(format, a, b, fpc));
    compare(`d${letter}br %f0,%f2`, format, (a, b, _, fpc) => exact.divide(format, a, b, fpc));
    compare(`sq${letter}br %f0,%f2`, format, (_, b, __, fpc) => exact.squareRoot(format, b, fpc));
    compare(`ma${letter}br %f0,%f2,%f4`, format, (a, b, c, fpc) => exact.multiplyAdd(format, b, c, a, fpc));
    compare(`ms${letter}br %f0,%f2,%f4`, format, (a, b, c, fpc) => exact.multiplySubtract(format, b, c, a, fpc));
    compare(`c${letter}br %f0,%f2`, format, (a, b, _, fpc) => exact.compare(format, a, b, fpc));
    compare(`k${letter}br %f0,%f2`, format, (a, b, _, fpc) => exact.compareAndSignal(format, a, b, fpc));
    compare(`lt${letter}br %f0,%f2`, format, (_, b, __, fpc) => exact.loadAndTest(format, b, fpc));
    for (const method of [0, 1, 3, 4, 5, 6, 7]) {
      compare(
        `fi${letter}bra %f0,${method},%f2,0`,
        format,
        (_, b, __, fpc) => exact.loadFpInteger(format, b, fpc, method),
        format,
        300,
      );
    }
  }
  compare('mdebr %f0,%f2', SHORT, (a, b, _, fpc) => exact.multiplyLonger(SHORT, LONG, a, b, fpc), LONG);
  compare('ldebr %f0,%f2', SHORT, (_, b, __, fpc) => exact.loadLengthened(SHORT, LONG, b, fpc), LONG);
});

test('products and quotients next to the least normal number', () => {
  const least = long(2 ** -1022);
  // Rounded up to the least normal number: it was less before.
  const tiny = [long(1 - 2 ** -53), least] as const;
  const m = machine('mdbr %f0,%f2').fpc(0x0008_0000).fpr(0, tiny[0]).fpr(2, tiny[1]).run();
  assert.equal(m.cpu.fpc, 0x0018_0000);
  const expected = exact.multiply(LONG, ...tiny, 0);
  assert.equal(m.cpu.fpr(0), expected.result);
  assert.equal(expected.flags, 0x0018_0000);
});

test('the host converts as the exact arithmetic does', () => {
  const values = [
    0n,
    1n,
    -1n,
    2n ** 24n,
    2n ** 24n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 53n,
    2n ** 62n + 3n,
    -(2n ** 63n),
    2n ** 63n - 1n,
  ];
  for (const [letter, format] of formats) {
    for (const [size, width] of [
      ['f', 32],
      ['g', 64],
    ] as const) {
      for (const isSigned of [true, false]) {
        const name = `c${letter}${isSigned ? '' : 'l'}${size}br${isSigned ? 'a' : ''}`;
        for (const method of [0, 5, 7]) {
          const m = machine(`${name} %f0,${method},%r2,0`);
          for (const fpc of [0, 0x0008_0000, 1, 0x0800_0000]) {
            for (const value of [...values, ...values.map(v => BigInt.asIntN(width, v + random()))]) {
              const given = isSigned ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
              again(m.gr(2, value).fpc(fpc));
              const out = exact.convertFromFixed(format, given, fpc, method);
              assert.equal(
                m.cpu.fpr(0),
                format === SHORT ? out.result << 32n : out.result,
                `${name} ${value} ${method}`,
              );
              assert.equal(m.cpu.fpc & 0xff0000, (fpc | out.flags) & 0xff0000);
            }
          }
        }
      }
    }
  }
});

test('conversion to integers: methods, range, condition codes', () => {
  const values = [
    0,
    -0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -1.5,
    2 ** 31 - 0.5,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 63,
    -(2 ** 63),
    2 ** 64,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ];
  for (const [name, width, operation] of [
    ['cfdbra', 32, exact.convertToFixed],
    ['cgdbra', 64, exact.convertToFixed],
    ['clfdbr', 32, exact.convertToLogical],
    ['clgdbr', 64, exact.convertToLogical],
  ] as const) {
    for (const method of [0, 1, 3, 4, 5, 6, 7]) {
      const m = machine(`${name} %r2,${method},%f0,0`);
      for (const fpc of [0, 0x0008_0000, 2]) {
        for (const value of values) {
          again(m.gr(2, 0).fpr(0, long(value)).fpc(fpc));
          const out = operation(LONG, width, long(value), fpc, method);
          const what = `${name} ${value} ${method} ${fpc.toString(16)}`;
          assert.equal(m.cpu.gr(2), BigInt.asUintN(width, out.result), what);
          assert.equal(m.cc, out.cc, what);
          assert.equal(m.cpu.fpc, (fpc | out.flags) >>> 0, what);
        }
      }
    }
  }
});

test('operands in storage', () => {
  const data = `half: .quad ${long(0.5)}\nthird: .long ${short(1 / 3)}`;
  const run = (source: string): TestMachine => machine(source, { data }).fpr(0, long(3)).fpr(2, long(5)).run();
  assert.equal(number(run('adb %f0,half').cpu.fpr(0)), 3.5);
  assert.equal(number(run('sdb %f0,half').cpu.fpr(0)), 2.5);
  assert.equal(number(run('mdb %f0,half').cpu.fpr(0)), 1.5);
  assert.equal(number(run('ddb %f0,half').cpu.fpr(0)), 6);
  assert.equal(number(run('madb %f0,%f2,half').cpu.fpr(0)), 5.5);
  assert.equal(number(run('msdb %f0,%f2,half').cpu.fpr(0)), -0.5);
  assert.equal(number(run('sqdb %f0,half').cpu.fpr(0)), Math.SQRT1_2);
  assert.equal(number(run('ldeb %f0,third').cpu.fpr(0)), Math.fround(1 / 3));
  assert.equal(run('cdb %f0,half').cc, 2);
  // Inexact, and so in millicode.
  const m = machine('ddb %f0,half', { data: `half: .quad ${long(0.7)}` })
    .fpr(0, long(1))
    .run();
  assert.equal(number(m.cpu.fpr(0)), 1 / 0.7);
  assert.equal(m.cpu.fpc, 0x0008_0000);
  const e = machine('aeb %f0,third', { data })
    .fpr(0, short(1e-9) << 32n)
    .run();
  assert.equal(e.cpu.fpr(0) >> 32n, short(Math.fround(1e-9) + Math.fround(1 / 3)));
});

test('extended operands are pairs of registers', () => {
  const m = machine('cxfbr %f0,%r2; cxfbr %f1,%r3; dxbr %f0,%f1; ldxbr %f4,%f0').gr(2, 1).gr(3, 3).run();
  assert.equal(number(m.cpu.fpr(4)), 1 / 3);
  assert.equal(m.cpu.fpr(0), 0x3ffd_5555_5555_5555n);
  assert.equal(m.cpu.fpr(2), 0x5555_5555_5555_5555n);
  for (const wrong of [
    'axbr %f2,%f0',
    'axbr %f0,%f2',
    'lxdbr %f3,%f0',
    'ldxbr %f2,%f0',
    'tcxb %f2,0',
    'lcxbr %f0,%f2',
    'cxfbr %f6,%r0',
    'cfxbr %r0,0,%f6',
  ]) {
    assert.equal(machine(wrong).run().interruption?.code, SPECIFICATION, wrong);
  }
  const signed = machine('lcxbr %f0,%f4')
    .fpr(4, 0x7fffn << 48n)
    .fpr(6, 1n)
    .run();
  assert.deepEqual([signed.cpu.fpr(0), signed.cpu.fpr(2), signed.cc], [0xffffn << 48n, 1n, 3]);
});

test('rounding methods that do not exist', () => {
  for (const wrong of [2, 8, 15]) {
    for (const source of [
      `fidbr %f0,${wrong},%f2`,
      `cfdbr %r0,${wrong},%f2`,
      `cdgbra %f0,${wrong},%r2,0`,
      `ledbra %f0,${wrong},%f2,0`,
      `didbr %f0,%f1,%f2,${wrong}`,
    ]) {
      assert.equal(machine(source).run().interruption?.code, SPECIFICATION, source);
    }
  }
  for (const same of ['didbr %f0,%f0,%f2,0', 'didbr %f0,%f1,%f1,0', 'didbr %f0,%f1,%f0,0']) {
    assert.equal(machine(same).run().interruption?.code, SPECIFICATION, same);
  }
});

test('exceptions that complete the operation, and those that suppress it', () => {
  const inexact = machine('ddbr %f0,%f2').fpr(0, long(1)).fpr(2, long(3)).fpc(0x0800_0000).run();
  assert.deepEqual([inexact.interruption?.code, inexact.interruption?.dxc], [DATA, 8]);
  assert.equal(number(inexact.cpu.fpr(0)), 1 / 3);
  const divided = machine('ddbr %f0,%f2').fpr(0, long(1)).fpr(2, 0n).fpc(0x4000_0000).run();
  assert.equal(divided.interruption?.dxc, 0x40);
  assert.equal(number(divided.cpu.fpr(0)), 1);
  // A trapped overflow leaves the result in the format of the source.
  const rounded = machine('ledbr %f0,%f2').fpr(2, long(1e300)).fpc(0x2000_0000).run();
  assert.equal(rounded.interruption?.dxc, exact.loadRounded(LONG, SHORT, long(1e300), 0x2000_0000).dxc);
  assert.equal(rounded.cpu.fpr(0), exact.loadRounded(LONG, SHORT, long(1e300), 0x2000_0000).result);
  assert.equal(machine('adbr %f0,%f2').cr(0, 0n).run().interruption?.dxc, 2);
});

test('classes', () => {
  const classes = [0, 1.5, 2 ** -1030, Number.POSITIVE_INFINITY].map(long);
  const bits = [...classes, 0x7ff8n << 48n, 0x7ff0_0000_0000_0001n].flatMap(v => [v, v | (1n << 63n)]);
  for (let mask = 0; mask < 12; mask++) {
    const m = machine(`tcdb %f0,${0x800 >> mask}`);
    for (const [n, value] of bits.entries()) {
      assert.equal(again(m.fpr(0, value)).cc, mask === n ? 1 : 0, `${value.toString(16)} ${mask}`);
    }
  }
});

test('division to integer', () => {
  const m = machine('didbr %f0,%f4,%f2,5').fpr(0, long(17.5)).fpr(2, long(5)).run();
  assert.deepEqual([number(m.cpu.fpr(0)), number(m.cpu.fpr(4)), m.cc], [2.5, 3, 0]);
});
