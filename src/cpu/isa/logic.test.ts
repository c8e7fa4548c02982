import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPECIFICATION } from '../program.ts';
import { machine } from '../testing.ts';

test('AND, OR, EXCLUSIVE OR', () => {
  const outcome = (source: string): [string, number] => {
    const m = machine(source)
      .store(0x800, 'ffff0000ffff0000')
      .gr(2, 0xf0f0f0f0_0f0f0f0fn)
      .gr(3, 0xff00ff00_f0f0f0f0n)
      .run();
    assert.equal(m.interruption, undefined, source);
    return [m.cpu.gr(2).toString(16), m.cc];
  };
  const expected: Record<string, [string, number]> = {
    'nr %r2,%r3': ['f0f0f0f000000000', 0],
    'ngr %r2,%r3': ['f000f00000000000', 1],
    'ork %r2,%r2,%r3': ['f0f0f0f0ffffffff', 1],
    'ogrk %r2,%r2,%r3': ['fff0fff0ffffffff', 1],
    'xgrk %r2,%r3,%r3': ['0', 0],
    'n %r2,0x800': ['f0f0f0f00f0f0000', 1],
    'xg %r2,0x800': ['f0ff0f0f0f00f0f', 1],
    'nihh %r2,0x0f0f': ['f0f00f0f0f0f', 0],
    'nill %r2,0xf0f0': ['f0f0f0f00f0f0000', 0],
    'nilh %r2,0xff': ['f0f0f0f0000f0f0f', 1],
    'oihl %r2,0': ['f0f0f0f00f0f0f0f', 1],
    'oilf %r2,0xf0000000': ['f0f0f0f0ff0f0f0f', 1],
    'nihf %r2,0x0f0f0f0f': ['f0f0f0f', 0],
    'xihf %r2,0xf0f0f0f0': ['f0f0f0f', 0],
    'popcnt %r2,%r3': ['800080004040404', 1],
  };
  for (const [source, result] of Object.entries(expected)) assert.deepEqual(outcome(source), result, source);
});

test('immediate bytes', () => {
  const m = machine('ni 0x800,0x0f\noi 0x801,0x0f\nxi 0x802,0xff\nxiy 0x803,0xff').store(0x800, 'f0f00fff').run();
  assert.equal(m.hex(0x800, 4), '00fff000');
  assert.equal(m.cc, 0);
});

test('TEST UNDER MASK', () => {
  const code = (source: string): number =>
    machine(source).store(0x800, 'a5').gr(2, 0x00008001_7ffe0000n).setCc(2).run().cc;
  assert.equal(code('tm 0x800,0'), 0);
  assert.equal(code('tm 0x800,0x5a'), 0);
  assert.equal(code('tm 0x800,0xa5'), 3);
  assert.equal(code('tm 0x800,0x0f'), 1);
  assert.equal(code('tmhl %r2,0x8000'), 3);
  assert.equal(code('tmhl %r2,0xc001'), 2);
  assert.equal(code('tmlh %r2,0x8001'), 0);
  assert.equal(code('tmlh %r2,0xffff'), 1);
  assert.equal(code('tmll %r2,0xffff'), 0);
  assert.equal(code('tmhl %r2,0'), 0);
  assert.equal(code('tmhl %r2,1'), 3);
});

test('FIND LEFTMOST ONE', () => {
  const found = (value: bigint): [bigint, bigint, number] => {
    const m = machine('flogr %r2,%r4').gr(4, value).run();
    return [m.cpu.gr(2), m.cpu.gr(3), m.cc];
  };
  assert.deepEqual(found(0n), [64n, 0n, 0]);
  assert.deepEqual(found(1n), [63n, 0n, 2]);
  assert.deepEqual(found(0xc0000000_00000001n), [0n, 0x40000000_00000001n, 2]);
  assert.equal(machine('flogr %r3,%r4').run().interruption?.code, SPECIFICATION);
});
