import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as exact from '../../millicode/bfp.ts';
import { type Format, LONG, SHORT } from '../../millicode/bfp.ts';
import { SPECIFICATION, VECTOR_PROCESSING } from '../../program.ts';
import { machine, type TestMachine } from '../../testing.ts';

const view = new DataView(new ArrayBuffer(16));
function longs(...values: number[]): string {
  view.setFloat64(0, values[0]!);
  view.setFloat64(8, values[1] ?? 0);
  return Buffer.from(view.buffer).toString('hex');
}
function shorts(...values: number[]): string {
  for (let n = 0; n < 4; n++) view.setFloat32(4 * n, values[n] ?? 0);
  return Buffer.from(view.buffer).toString('hex');
}
const WAYS = ['counted', 'fast', 'compiled'] as const;

/** Runs a program on registers 2, 3 and 4, interpreted and compiled. */
function run(source: string, fpc: number, ...operands: string[]): TestMachine {
  const [m, other] = (['counted', 'compiled'] as const).map(way => {
    const ready = machine(source).fpc(fpc);
    for (const [n, digits] of operands.entries()) ready.vr(n + 2, digits);
    if (way !== 'counted') ready[way]();
    return ready.run();
  }) as [TestMachine, TestMachine];
  const seen = (one: TestMachine): unknown => [one.vector(1), one.cpu.fpc, one.cc, one.interruption];
  assert.deepEqual(seen(other), seen(m), source);
  return m;
}
const vr1 = (source: string, ...operands: string[]): string => run(source, 0, ...operands).vector(1);

const INEXACT = 0x0008_0000;
const INVALID = 0x0080_0000;

test('each element is what the instruction on floating-point registers makes of it, and so are the flags', () => {
  const values = [1, -0, 3.5, 1e-320, 1e308, Infinity, NaN, 0.1, -7e-310, 2 ** 60 + 1];
  const operations = { vfa: exact.add, vfs: exact.subtract, vfm: exact.multiply, vfd: exact.divide };
  const program: string[] = [];
  const checks: { at: number; expected: string; flags: number; source: string }[] = [];
  let data = 'cases:';
  const add = (name: keyof typeof operations, format: Format, letters: string, a: string, b: string): void => {
    const digits = format.width / 4;
    let expected = '';
    let flags = 0;
    for (let n = 0; n < 32; n += digits) {
      const [x, y] = [a, b].map(text => BigInt(`0x${text.slice(n, n + digits)}`));
      const out = operations[name](format, x!, y!, 0);
      expected += out.result.toString(16).padStart(digits, '0');
      flags |= out.flags;
    }
    const at = checks.length * 64;
    const source = `${name}${letters} %v1,%v2,%v3`;
    checks.push({ at, expected, flags, source: `${source} of ${a} ${b}` });
    program.push(`vl %v2,0(%r2); vl %v3,16(%r2); sfpc %r0; ${source}; vst %v1,32(%r2); stfpc 48(%r2); la %r2,64(%r2)`);
    const quads = [a.slice(0, 16), a.slice(16), b.slice(0, 16), b.slice(16)].map(quad => `0x${quad}`);
    data += `\n.quad ${quads.join()},0,0,0,0`;
  };
  for (const name of Object.keys(operations) as (keyof typeof operations)[]) {
    for (const [n, a] of values.entries()) {
      const others = values.map((_, k) => values[(n + k) % values.length]!);
      add(name, LONG, 'db', longs(a, others[3]!), longs(others[1]!, others[2]!));
      add(name, SHORT, 'sb', shorts(a, 1, others[4]!, 2), shorts(others[1]!, 3, others[2]!, a));
    }
  }
  for (const way of WAYS) {
    const m = machine(`lghi %r0,0; larl %r2,cases\n${program.join('\n')}`, { data });
    if (way !== 'counted') m[way]();
    m.run();
    for (const { at, expected, flags, source } of checks) {
      assert.equal(m.hex(m.at('cases') + at + 32, 16), expected, `${source}, ${way}`);
      assert.equal(m.storage.read32(m.at('cases') + at + 48), flags, `${source}, ${way}`);
    }
  }
});

test('a single element is the leftmost', () => {
  assert.equal(vr1('wfadb %v1,%v2,%v3', longs(1, 5), longs(2, 7)), longs(3));
  assert.equal(vr1('wfssb %v1,%v2,%v3', shorts(1, 5), shorts(2, 7)), shorts(-1));
  assert.equal(run('wfc %v2,%v3,3,0', 0, longs(1, 9), longs(2, 0)).cc, 1);
  assert.equal(run('wfc %v2,%v3,3,0', 0, longs(NaN), longs(2)).cc, 3);
  assert.equal(run('wfk %v2,%v3,3,0', 0, longs(NaN), longs(2)).cpu.fpc, INVALID);
});

test('roots, fused operations, extended ones', () => {
  assert.equal(vr1('vfsqdb %v1,%v2', longs(9, 2)), longs(3, Math.SQRT2));
  assert.equal(vr1('vfmadb %v1,%v2,%v3,%v4', longs(2, 3), longs(5, 7), longs(1, -1)), longs(11, 20));
  assert.equal(vr1('vfmssb %v1,%v2,%v3,%v4', shorts(2, 3), shorts(5, 7), shorts(1, -1)), shorts(9, 22));
  assert.equal(vr1('vfnmadb %v1,%v2,%v3,%v4', longs(2, 3), longs(5, 7), longs(1, -1)), longs(-11, -20));
  const [one, two, three] = ['3fff', '4000', '40008'];
  assert.equal(vr1('wfaxb %v1,%v2,%v3', one!, two!), three!.padEnd(32, '0'));
  assert.equal(vr1('vfll %v1,%v2,3,8', longs(1)), one!.padEnd(32, '0'));
});

test('comparisons give ones and zeros', () => {
  const m = run('vfchdbs %v1,%v2,%v3', 0, longs(2, 1), longs(1, 2));
  assert.deepEqual([m.vector(1), m.cc], ['f'.repeat(16).padEnd(32, '0'), 1]);
  assert.equal(run('wfcedbs %v1,%v2,%v3', 0, longs(2, 1), longs(2, 5)).cc, 0);
  const unordered = run('vfchesbs %v1,%v2,%v3', 0, shorts(NaN, 1, 2, 3), shorts(0, 1, 1, 4));
  assert.deepEqual([unordered.vector(1), unordered.cc, unordered.cpu.fpc], ['00000000ffffffffffffffff00000000', 1, 0]);
  assert.equal(run('vfce %v1,%v2,%v3,3,4,1', 0, longs(NaN, 1), longs(0, 1)).cpu.fpc, INVALID);
});

test('conversions', () => {
  assert.equal(vr1('vcdg %v1,%v2,3,0,0', 'fffffffffffffffe0000000000000007'), longs(-2, 7));
  assert.equal(vr1('vcdlg %v1,%v2,3,0,0', '80000000000000000000000000000007'), longs(2 ** 63, 7));
  assert.equal(vr1('vcdg %v1,%v2,2,0,0', 'fffffffe00000007'), shorts(-2, 7));
  assert.equal(vr1('vcgd %v1,%v2,3,0,5', longs(-2.5, 3.5)), 'fffffffffffffffe0000000000000003');
  assert.equal(vr1('vclgd %v1,%v2,2,0,4', shorts(2.5, 3.5, -1, 4e9)), '000000020000000400000000ee6b2800');
  assert.equal(vr1('vfi %v1,%v2,3,0,6', longs(-2.5, 3.2)), longs(-2, 4));
  assert.equal(vr1('vfll %v1,%v2,2,0', shorts(1.5, 9, -3, 9)), longs(1.5, -3));
  assert.equal(vr1('vflr %v1,%v2,3,0,0', longs(1.5, -3)), shorts(1.5, 0, -3));
  assert.equal(run('vcgd %v1,%v2,3,4,5', 0, longs(2.5)).cpu.fpc, 0);
  assert.equal(run('vcgd %v1,%v2,3,0,5', 0, longs(2.5)).cpu.fpc, INEXACT);
  assert.equal(run('vcgd %v1,%v2,3,0,2', 0).interruption?.code, SPECIFICATION);
});

test('signs, classes, extremes', () => {
  assert.equal(vr1('vfpsodb %v1,%v2,0', longs(1, -2)), longs(-1, 2));
  assert.equal(vr1('vfpsosb %v1,%v2,1', shorts(1, -2, 0, 4)), shorts(-1, -2, -0, -4));
  assert.equal(vr1('vfpsodb %v1,%v2,2', longs(-1, -2)), longs(1, 2));
  const m = run('vftcidb %v1,%v2,0x030', 0, longs(Infinity, 1));
  assert.deepEqual([m.vector(1), m.cc], ['f'.repeat(16).padEnd(32, '0'), 1]);
  assert.equal(vr1('vfmaxdb %v1,%v2,%v3,0', longs(1, NaN), longs(2, 5)), longs(2, 5));
  assert.equal(vr1('vfmindb %v1,%v2,%v3,1', longs(0, 3), longs(-0, -5)), longs(-0, -5));
  assert.equal(vr1('vfmaxdb %v1,%v2,%v3,9', longs(-7, 1), longs(2, 5)), longs(7, 5));
  assert.equal(run('vfmaxdb %v1,%v2,%v3,5', 0).interruption?.code, SPECIFICATION);
});

test('an interruption for one element suppresses all, and tells which it was', () => {
  const trap = (source: string, fpc: number, ...operands: string[]): [number, number, number, string] => {
    const m = run(`vone %v1; ${source}`, fpc, ...operands);
    return [m.interruption!.code, m.interruption!.dxc, m.cpu.fpc & 0xffff00, m.vector(1)];
  };
  const unchanged = 'f'.repeat(32);
  // Of several exceptions the first element's counts; the flags of the others are not set.
  const division = trap('vfddb %v1,%v2,%v3', 0x4000_0000, longs(1, 1), longs(3, 0));
  assert.deepEqual(division, [VECTOR_PROCESSING, 0x12, 0x1200, unchanged]);
  assert.deepEqual(trap('vfasb %v1,%v2,%v3', 0x0800_0000, shorts(1, 1, 1, 1), shorts(1, 1, 1, 1e-9)).slice(0, 2), [
    VECTOR_PROCESSING,
    0x35,
  ]);
  assert.equal(trap('vfmdb %v1,%v2,%v3', 0x2000_0000, longs(1, 1e200), longs(1, 1e200))[1], 0x13);
  assert.equal(trap('vfmdb %v1,%v2,%v3', 0x1000_0000, longs(1e-200), longs(1e-200))[1], 0x04);
  assert.equal(trap('vfsqdb %v1,%v2', 0x8000_0000, longs(4, -4))[1], 0x11);
});
