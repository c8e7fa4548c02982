import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machine } from './testing.ts';

test('a program runs to its end', () => {
  const m = machine('agr %r2,%r3').gr(2, 5).gr(3, 7).run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cpu.gr(2), 12n);
  assert.equal(m.cc, 2);
});

test('data follows the program, and labels are addresses', () => {
  const m = machine('lg %r2,number; stg %r2,copy', { data: 'number: .quad -2\ncopy: .quad 0' }).fast().run();
  assert.equal(m.cpu.gr(2), 0xffff_ffff_ffff_fffen);
  assert.equal(m.hex('copy', 8), 'fffffffffffffffe');
});

test('a program interruption ends the program', () => {
  const m = machine('lghi %r1,1; .short 0; lghi %r1,2').run();
  assert.equal(m.interruption?.code, 1);
  assert.equal(m.interruption.length, 2);
  assert.equal(m.interruption.oldAddress, 0x406n);
  assert.equal(m.cpu.gr(1), 1n);
});

test('a program that does not end is noticed', () => {
  assert.throws(() => machine('j .').run(1000), /still running at 400/);
});
