import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSING, SPECIFICATION } from '../program.ts';
import { machine } from '../testing.ts';

/** Sixteen bytes of storage after one store. */
function stored(source: string): string {
  const m = machine(source).gr(2, 0x11223344_55667788n).gr(3, 0x99aabbcc_ddeeff00n).run();
  assert.equal(m.interruption, undefined, source);
  return m.hex(0x800, 16).replace(/(00)+$/, '');
}

test('what stores leave in storage', () => {
  const expected: Record<string, string> = {
    'st %r2,0x800': '55667788',
    'stg %r2,0x800': '1122334455667788',
    'sth %r2,0x800': '7788',
    'stc %r2,0x801': '0088',
    'stfh %r2,0x800': '11223344',
    'sthh %r2,0x800': '3344',
    'stch %r2,0x800': '44',
    'strv %r2,0x800': '88776655',
    'strvg %r2,0x800': '8877665544332211',
    'strvh %r2,0x800': '8877',
    'stcm %r2,5,0x800': '6688',
    'stcm %r2,15,0x800': '55667788',
    'stcm %r2,0,0x800': '',
    'stcmh %r2,9,0x800': '1144',
    'stpq %r2,0x800': '112233445566778899aabbccddeeff',
    'stoc %r2,0x800,8': '55667788',
    'stoc %r2,0x800,7': '',
    'stocfh %r2,0x800,8': '11223344',
    'mvi 0x800,255': 'ff',
    'mvhhi 0x800,-2': 'fffe',
    'mvhi 0x800,-2': 'fffffffe',
    'mvghi 0x800,-2': 'fffffffffffffffe',
  };
  for (const [source, hex] of Object.entries(expected)) assert.equal(stored(source), hex, source);
});

test('STORE MULTIPLE stores nothing when its second page is missing', () => {
  const m = machine('stmg %r0,%r15,0(%r1)').gr(1, 0x1fffc0).run();
  assert.equal(m.interruption?.code, ADDRESSING);
  assert.equal(m.hex(0x1fffc0, 0x40), '00'.repeat(0x40));
});

test('an operand across pages', () => {
  const m = machine('stmg %r2,%r4,0xff4\nlmg %r5,%r7,0xff4').gr(2, 0x0102030405060708n).gr(3, 3).gr(4, 4).run();
  assert.equal(m.hex(0xff4, 24), '010203040506070800000000000000030000000000000004');
  assert.equal(m.cpu.gr(5), 0x0102030405060708n);
  assert.equal(m.cpu.gr(7), 4n);
});

test('a store into the code that follows', () => {
  const m = machine('mvi x+3,7\nx: lghi %r2,1\nbcr 0,%r0\nstrl %r3,y\ny: lghi %r4,1').gr(3, 0xa7490003).run();
  assert.equal(m.cpu.gr(2), 7n);
  assert.equal(m.cpu.gr(4), 3n);
});

test('boundaries', () => {
  assert.equal(machine('strl %r2,x', { data: '.short 0\nx: .long 0' }).run().interruption?.code, SPECIFICATION);
  assert.equal(machine('stpq %r2,0x808').run().interruption?.code, SPECIFICATION);
  assert.equal(machine('stpq %r3,0x800').run().interruption?.code, SPECIFICATION);
});
