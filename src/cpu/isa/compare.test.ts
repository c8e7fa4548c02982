import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA, SPECIFICATION } from '../program.ts';
import { machine } from '../testing.ts';

test('comparisons', () => {
  const code = (source: string): number => {
    const m = machine(source, { data: 'x: .quad 0xfffffffe00000001' })
      .store(0x800, 'fffffffffffffff0')
      .gr(2, 0xffffffff_80000000n)
      .gr(3, 0x00000000_ffffffffn)
      .setCc(3)
      .run();
    assert.equal(m.interruption, undefined, source);
    return m.cc;
  };
  const expected: Record<string, number> = {
    'cr %r2,%r3': 1,
    'clr %r2,%r3': 1,
    'cgr %r2,%r3': 1,
    'clgr %r2,%r3': 2,
    'cgfr %r2,%r3': 1,
    'cgfr %r3,%r3': 2,
    'clgfr %r3,%r3': 0,
    'c %r3,0x800': 0,
    'cg %r3,0x800': 2,
    'clg %r3,0x800': 1,
    'ch %r3,0x800': 0,
    'cgh %r2,0x806': 1,
    'chi %r3,-1': 0,
    'cghi %r3,-1': 2,
    'clfi %r2,0x80000000': 0,
    'clgfi %r3,0xffffffff': 0,
    'chhsi 0x806,-16': 0,
    'chsi 0x804,-15': 1,
    'cghsi 0x800,-17': 2,
    'clhhsi 0x806,0xfff0': 0,
    'clfhsi 0x804,0xfff0': 2,
    'clghsi 0x800,0xffff': 2,
    'cli 0x807,0xf1': 1,
    'cli 0x807,0xf0': 0,
    'cliy 0x807,0xef': 2,
    'chhr %r2,%r3': 1,
    'chlr %r3,%r3': 2,
    'clhhr %r2,%r3': 2,
    'chf %r2,0x800': 0,
    'cih %r2,-2': 2,
    'clih %r2,0xffffffff': 0,
    'crl %r3,x': 2,
    'cgrl %r2,x': 2,
    'clrl %r2,x+4': 2,
    'chrl %r3,x': 0,
    'clgfrl %r3,x': 2,
    'clm %r2,8,0x807': 1,
    'clm %r3,5,0x806': 2,
    'clm %r3,15,0x800': 0,
    'clm %r3,0,0x800': 0,
    'clmh %r2,3,0x800': 0,
  };
  for (const [source, cc] of Object.entries(expected)) assert.equal(code(source), cc, source);
});

test('COMPARE AND TRAP', () => {
  const dxc = (source: string): number | undefined => {
    const { interruption } = machine(source).store(0x800, '0000000000000005').gr(2, 5).gr(3, -1).run();
    if (interruption) assert.equal(interruption.code, DATA);
    return interruption?.dxc;
  };
  assert.equal(dxc('crt %r2,%r3,2'), 0xff);
  assert.equal(dxc('crt %r2,%r3,12'), undefined);
  assert.equal(dxc('clrt %r2,%r3,4'), 0xff);
  assert.equal(dxc('cgit %r3,-1,8'), 0xff);
  assert.equal(dxc('clfit %r2,6,4'), 0xff);
  assert.equal(dxc('clgt %r2,8,0x800'), 0xff);
  assert.equal(dxc('clt %r2,8,0x800'), undefined);
});

test('relative operands stand on their boundary', () => {
  const data = '.short 0\nx: .quad 0';
  for (const mnemonic of ['crl', 'cgrl', 'clgfrl', 'clrl']) {
    assert.equal(machine(`${mnemonic} %r2,x`, { data }).run().interruption?.code, SPECIFICATION, mnemonic);
  }
  assert.equal(machine('clhrl %r2,x', { data }).run().interruption, undefined);
});
