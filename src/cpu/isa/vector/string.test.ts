import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPECIFICATION } from '../../program.ts';
import { machine, type TestMachine } from '../../testing.ts';

/** Texts in registers 2 to 4, zeros behind them; `.` stands for a zero. */
function run(source: string, ...texts: string[]): TestMachine {
  const ready = (): TestMachine => {
    const m = machine(source);
    for (const [n, text] of texts.entries()) {
      m.vr(n + 2, Buffer.from(text.padEnd(16, '.').replaceAll('.', '\0'), 'latin1').toString('hex'));
    }
    return m;
  };
  const [m, other] = [ready().run(), ready().compiled().run()] as const;
  assert.deepEqual([other.vector(1), other.cc], [m.vector(1), m.cc], source);
  return m;
}
/** The byte index that an instruction finds, and its condition code. */
function found(source: string, ...texts: string[]): [number, number] {
  const m = run(source, ...texts);
  assert.equal(m.vector(1).slice(16), '0'.repeat(16));
  return [Number.parseInt(m.vector(1).slice(0, 16), 16), m.cc];
}

const A = 'a string of text';

test('equal elements, different ones, and the end of a string', () => {
  assert.deepEqual(found('vfeeb %v1,%v2,%v3,1', A, 'another string..'), [0, 1]);
  assert.deepEqual(found('vfeeb %v1,%v2,%v3,3', 'xy.z', 'ab.z'), [2, 0]);
  assert.deepEqual(found('vfeeb %v1,%v2,%v3,3', 'xyz.', 'abz.'), [2, 2]);
  assert.deepEqual(found('vfeeb %v1,%v2,%v3,1', 'a'.repeat(16), 'b'.repeat(16)), [16, 3]);
  assert.deepEqual(found('vfeneb %v1,%v2,%v3,1', A, 'a string or text'), [10, 1]);
  assert.deepEqual(found('vfeneb %v1,%v2,%v3,1', 'b', 'a'), [0, 2]);
  assert.deepEqual(found('vfeneb %v1,%v2,%v3,3', 'abc.x', 'abc.y'), [3, 0]);
  assert.deepEqual(found('vfeneb %v1,%v2,%v3,3', 'abc.', 'abcd'), [3, 1]);
  assert.deepEqual(found('vfeneb %v1,%v2,%v3,3', A, A), [16, 3]);
  assert.deepEqual(found('vfeneh %v1,%v2,%v3,1', A, 'a string or text'), [10, 1]);
  assert.equal(run('vfee %v1,%v2,%v3,3,0').interruption?.code, SPECIFICATION);
  assert.equal(run('vfeeb %v1,%v2,%v3,4').interruption?.code, SPECIFICATION);
});

test('any of several elements', () => {
  assert.deepEqual(found('vfaeb %v1,%v2,%v3,1', A, 'xxfxxxxxxxxxxxxx'), [10, 1]);
  assert.deepEqual(found('vfaeb %v1,%v2,%v3,3', 'no.f', 'xxfxxxxxxxxxxxxx'), [2, 0]);
  assert.deepEqual(found('vfaeb %v1,%v2,%v3,9', 'aabbaX', 'abababababababab'), [5, 1]);
  const m = run('vfaeb %v1,%v2,%v3,5', 'abcabc', 'bbbbbbbbbbbbbbbb');
  assert.deepEqual([m.vector(1), m.cc], ['00ff0000ff'.padEnd(32, '0'), 1]);
});

test('ranges', () => {
  // Letters from a to z, or digits: at least the one, at most the other.
  const limits = 'az09azazazazazaz';
  const controls = String.fromCharCode(0xa0, 0xc0).repeat(8);
  assert.deepEqual(found('vstrcb %v1,%v2,%v3,%v4,1', '-+7x', limits, controls), [2, 1]);
  assert.deepEqual(found('vstrcb %v1,%v2,%v3,%v4,9', 'ab12 x', limits, controls), [4, 1]);
  assert.deepEqual(found('vstrcb %v1,%v2,%v3,%v4,11', 'ab12', limits, controls), [4, 0]);
  assert.equal(run('vstrcb %v1,%v2,%v3,%v4,4', '7-x', limits, controls).vector(1), 'ff00ff'.padEnd(32, '0'));
});

test('what is behind a string is taken away', () => {
  const m = run('vistrb %v1,%v2,1', 'ab.cd');
  assert.deepEqual([m.vector(1), m.cc], ['6162'.padEnd(32, '0'), 0]);
  assert.equal(run('vistrb %v1,%v2,1', A).cc, 3);
});

test('a string within another', () => {
  const length = (bytes: number): string => `\0\0\0\0\0\0\0${String.fromCharCode(bytes)}`;
  assert.deepEqual(found('vstrsb %v1,%v2,%v3,%v4', A, 'str', length(3)), [2, 2]);
  assert.deepEqual(found('vstrsb %v1,%v2,%v3,%v4', A, 'zebra...', length(8)), [16, 0]);
  assert.deepEqual(found('vstrsb %v1,%v2,%v3,%v4', A, 'text and more', length(13)), [12, 3]);
  assert.deepEqual(found('vstrsb %v1,%v2,%v3,%v4,2', 'ab.ext', 'ext', length(3)), [16, 1]);
  assert.deepEqual(found('vstrsb %v1,%v2,%v3,%v4', A, '', length(0)), [0, 2]);
});
