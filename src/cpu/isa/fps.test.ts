import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA, SPECIFICATION } from '../program.ts';
import { machine, type TestMachine } from '../testing.ts';

const A = 0x0123_4567_89ab_cdefn;
const B = 0xfedc_ba98_7654_3210n;

const fpr = (source: string): bigint => machine(source).fpr(2, A).fpr(4, B).run().cpu.fpr(2);

test('registers are moved as they are, short ones alone', () => {
  assert.equal(fpr('ldr %f2,%f4'), B);
  assert.equal(fpr('ler %f2,%f4'), 0xfedc_ba98_89ab_cdefn);
  assert.equal(fpr('lzdr %f2'), 0n);
  assert.equal(fpr('lzer %f2'), 0x89ab_cdefn);
  assert.equal(fpr('lcdfr %f2,%f2'), 0x8123_4567_89ab_cdefn);
  assert.equal(fpr('lndfr %f2,%f2'), 0x8123_4567_89ab_cdefn);
  assert.equal(fpr('lpdfr %f2,%f4'), 0x7edc_ba98_7654_3210n);
  assert.equal(fpr('cpsdr %f2,%f4,%f2'), 0x8123_4567_89ab_cdefn);
  const pair = machine('lxr %f1,%f4; lzxr %f4').fpr(4, A).fpr(6, B).run();
  assert.deepEqual(
    [1, 3, 4, 6].map(n => pair.cpu.fpr(n)),
    [A, B, 0n, 0n],
  );
  const across = machine('ldgr %f2,%r2; lgdr %r3,%f4').gr(2, A).fpr(4, B).run();
  assert.deepEqual([across.cpu.fpr(2), across.cpu.gr(3)], [A, B]);
});

test('loads and stores', () => {
  const data = 'from: .quad 0x1122334455667788\nto: .quad 0, 0, 0, 0';
  const m = machine(
    'ld %f2,from; le %f4,from; ldy %f6,from; ley %f8,from; std %f2,to; ste %f2,to+8; stdy %f2,to+16; stey %f2,to+24',
    { data },
  ).run();
  assert.deepEqual(
    [2, 4, 6, 8].map(n => m.cpu.fpr(n)),
    [0x1122334455667788n, 0x1122334400000000n, 0x1122334455667788n, 0x1122334400000000n],
  );
  assert.equal(m.hex('to', 32), '112233445566778811223344000000001122334455667788' + '1122334400000000');
});

test('pairs begin with registers 0, 1, 4, 5, 8, 9, 12, 13', () => {
  for (let n = 0; n < 16; n++) {
    const code = machine(`lzxr %f${n}`).run().interruption?.code;
    assert.equal(code, n & 2 ? SPECIFICATION : undefined);
  }
});

test('without the AFP-register control only registers 0, 2, 4 and 6 are there', () => {
  const dxc = (source: string): number | undefined => {
    const { interruption } = machine(source).cr(0, 0n).run();
    return interruption && interruption.code === DATA ? interruption.dxc : undefined;
  };
  assert.equal(dxc('ldr %f2,%f6'), undefined);
  assert.equal(dxc('ldr %f2,%f1'), 1);
  assert.equal(dxc('ldr %f8,%f0'), 1);
  assert.equal(dxc('efpc %r2'), 2);
  assert.equal(dxc('sfasr %r2'), 3);
});

test('the control register takes what it supports', () => {
  const set = (value: number): TestMachine => machine('sfpc %r2; efpc %r3').gr(2, value).gr(3, -1).fpc(0x11).run();
  assert.equal(set(0xf8f8ff77).cpu.gr(3), 0xffff_ffff_f8f8_ff77n);
  for (const wrong of [0x0100_0000, 0x0001_0000, 0x80, 0x08, 4, 5, 6]) {
    const m = set(wrong);
    assert.equal(m.interruption?.code, SPECIFICATION, wrong.toString(16));
    assert.equal(m.cpu.fpc, 0x11);
  }
  const data = 'value: .long 0x00080003\nnow: .long 0';
  const m = machine('lfpc value; srnm 1; stfpc now', { data }).run();
  assert.equal(m.hex('now', 4), '00080001');
  assert.equal(machine('srnmb 7').fpc(1).run().cpu.fpc, 7);
  assert.equal(machine('srnm 7').fpc(7).run().cpu.fpc, 3);
  assert.equal(machine('srnmb 4').run().interruption?.code, SPECIFICATION);
  assert.equal(machine('srnmb 8').run().interruption?.code, SPECIFICATION);
});

test('flags that the new masks enable are signaled', () => {
  const signal = (now: number, operand: number): [number | undefined, number] => {
    const m = machine('sfasr %r2').gr(2, operand).fpc(now).run();
    return [m.interruption?.dxc, m.cpu.fpc];
  };
  assert.deepEqual(signal(0x00f8_0000, 0), [undefined, 0x00f8_0000]);
  assert.deepEqual(signal(0x00f8_0000, 0xf800_0001), [0x83, 0xf8f8_8301]);
  assert.deepEqual(signal(0x0028_0000, 0x2800_0000), [0x2b, 0x2828_2b00]);
  assert.deepEqual(signal(0x0028_0000, 0x2000_0000), [0x23, 0x2028_2300]);
  assert.deepEqual(signal(0x0018_0000, 0x1800_0000), [0x1b, 0x1818_1b00]);
  assert.deepEqual(signal(0x0008_0000, 0x0840_0000), [0x0b, 0x0848_0b00]);
  const m = machine('lfas operand', { data: 'operand: .long 0x40000000' }).fpc(0x40_0000).run();
  assert.equal(m.interruption?.dxc, 0x43);
});
