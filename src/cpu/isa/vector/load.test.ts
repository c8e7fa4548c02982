import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standalone } from '../../environment.ts';
import { DATA, PROTECTION, SPECIFICATION } from '../../program.ts';
import { CR0_AFP, CR0_VECTOR } from '../../registers.ts';
import { machine, type TestMachine } from '../../testing.ts';

const BYTES = '000102030405060708090a0b0c0d0e0f';
const OTHERS = '101112131415161718191a1b1c1d1e1f';
const data = `bytes: .quad 0x0001020304050607,0x08090a0b0c0d0e0f\nto: ${'.quad -1,-1;'.repeat(4)}`;

/** Runs a program interpreted and compiled, which must do the same. */
function run(source: string, prepare: (m: TestMachine) => TestMachine = m => m): TestMachine {
  const ready = (): TestMachine => prepare(machine(source, { data })).vr(20, BYTES).vr(21, OTHERS);
  const [m, other] = [ready().run(), ready().compiled().run()] as const;
  assert.deepEqual(
    Array.from({ length: 32 }, (_, n) => other.vector(n)),
    Array.from({ length: 32 }, (_, n) => m.vector(n)),
  );
  assert.deepEqual([other.cc, other.hex('to', 64), other.interruption], [m.cc, m.hex('to', 64), m.interruption]);
  return m;
}
const vr1 = (source: string, prepare?: (m: TestMachine) => TestMachine): string => run(source, prepare).vector(1);
const codeOf = (source: string): number | undefined => run(source).interruption?.code;

test('floating-point registers are the left halves of the first 16', () => {
  const m = run('vl %v1,bytes; ldr %f2,%f1; vlr %v3,%v20; std %f3,to; ld %f4,bytes+8; vst %v4,to+16');
  assert.equal(m.vector(2).slice(0, 16), BYTES.slice(0, 16));
  assert.equal(m.hex('to', 8), BYTES.slice(0, 16));
  assert.equal(m.hex('to', 32), `${BYTES.slice(0, 16)}ffffffffffffffff${BYTES.slice(16)}${'0'.repeat(16)}`);
});

test('vectors need both controls of control register 0', () => {
  for (const controls of [0, CR0_AFP, CR0_VECTOR]) {
    const { interruption } = run('vlr %v1,%v2', m => m.cr(0, BigInt(controls)));
    assert.deepEqual([interruption?.code, interruption?.dxc], [DATA, 0xfe]);
  }
  assert.equal(run('lcbb %r2,bytes,0', m => m.cr(0, 0n)).interruption, undefined);
});

test('several registers, in order', () => {
  const m = run('vstm %v20,%v22,to; vlm %v1,%v3,to');
  assert.deepEqual(
    [1, 2, 3].map(n => m.vector(n)),
    [BYTES, OTHERS, '0'.repeat(32)],
  );
  assert.equal(m.hex('to', 64), `${BYTES}${OTHERS}${'0'.repeat(32)}${'f'.repeat(32)}`);
  assert.equal(codeOf('vlm %v3,%v2,to'), SPECIFICATION);
  assert.equal(codeOf('vlm %v0,%v16,to'), SPECIFICATION);
});

test('a part of a register, as far as a length or a boundary says', () => {
  const at = 'la %r2,bytes; lhi %r3,';
  for (const last of [0, 1, 6, 11, 14, 15, 17]) {
    const count = Math.min(last + 1, 16);
    assert.equal(vr1(`${at}${last}; vll %v1,%r3,0(%r2)`), BYTES.slice(0, 2 * count).padEnd(32, '0'));
    assert.equal(run(`lhi %r3,${last}; vstl %v20,%r3,to`).hex('to', 17), BYTES.slice(0, 2 * count).padEnd(34, 'f'));
  }
  const near = (m: TestMachine): TestMachine => m.store(0x1ff8, BYTES);
  assert.equal(vr1('llill %r2,0x1ff8; vlbb %v1,0(%r2),6', near), BYTES.slice(0, 16).padEnd(32, '0'));
  const m = run('llill %r2,0x1ff8; lcbb %r3,0(%r2),0');
  assert.deepEqual([m.cpu.gr(3), m.cc], [8n, 3]);
  assert.equal(run('lcbb %r3,0x40,0').cc, 0);
  assert.equal(codeOf('lcbb %r3,0x40,7'), SPECIFICATION);
});

test('what is not accessed may be protected', () => {
  // Behind the end of storage there is nothing.
  const m = run('llilf %r2,0x1ffffc; lhi %r3,3; vstl %v20,%r3,0(%r2); vll %v1,%r3,0(%r2)');
  assert.equal(m.vector(1), BYTES.slice(0, 8).padEnd(32, '0'));
  assert.equal(codeOf('llilf %r2,0x1ffffc; lhi %r3,4; vll %v1,%r3,0(%r2)'), PROTECTION + 1);
});

test('elements: from storage, to storage, from and to general registers', () => {
  assert.equal(vr1('vlr %v1,%v20; vleh %v1,bytes+14,1'), '00010e0f0405060708090a0b0c0d0e0f');
  assert.equal(vr1('vlr %v1,%v20; vleig %v1,-2,1'), '0001020304050607fffffffffffffffe');
  assert.equal(run('vstef %v20,to,3').hex('to', 5), '0c0d0e0fff');
  assert.equal(codeOf('vleg %v1,bytes,2'), SPECIFICATION);
  assert.equal(run('lhi %r2,17; vlgvb %r3,%v20,0(%r2)').cpu.gr(3), 1n);
  assert.equal(run('vlgvg %r3,%v20,1').cpu.gr(3), 0x08090a0b0c0d0e0fn);
  assert.equal(vr1('lghi %r3,-2; lhi %r2,6; vlvgh %v1,%r3,0(%r2)'), '000000000000000000000000fffe0000');
  assert.equal(vr1('lghi %r2,1; lghi %r3,-1; vlvgp %v1,%r2,%r3'), '0000000000000001ffffffffffffffff');
  assert.equal(vr1('vlrepf %v1,bytes+4'), '04050607'.repeat(4));
  assert.equal(vr1('vllezh %v1,bytes+4'), '0000000000000405'.padEnd(32, '0'));
  assert.equal(vr1('vllez %v1,bytes+4,6'), '04050607'.padEnd(32, '0'));
  const m = run(
    'la %r2,to; vzero %v2; vleif %v2,16,1; vscef %v20,0(%v2,%r2),1; vgef %v1,0(%v2,%r2),1; vscef %v21,4(%v2,%r2),0',
  );
  assert.equal(m.vector(1), '000000000405060700000000'.padEnd(32, '0'));
  assert.equal(m.hex('to', 20), `${'10111213'.padStart(16, 'f').padEnd(32, 'f')}04050607`);
});

test('bytes and elements in reverse order', () => {
  assert.equal(vr1('vlbrf %v1,bytes'), '03020100070605040b0a09080f0e0d0c');
  assert.equal(vr1('vlbrq %v1,bytes'), '0f0e0d0c0b0a09080706050403020100');
  assert.equal(vr1('vlerh %v1,bytes'), '0e0f0c0d0a0b08090607040502030001');
  assert.equal(run('vsterg %v20,to').hex('to', 16), `${BYTES.slice(16)}${BYTES.slice(0, 16)}`);
  assert.equal(run('vstebrg %v20,to,1').hex('to', 8), '0f0e0d0c0b0a0908');
  assert.equal(vr1('vlbrreph %v1,bytes'), '0100'.repeat(8));
  assert.equal(vr1('vllebrzf %v1,bytes'), '0000000003020100'.padEnd(32, '0'));
});

test('masks and repeated numbers', () => {
  assert.equal(vr1('vgbm %v1,0x8001'), `ff${'00'.repeat(14)}ff`);
  assert.equal(vr1('vgmh %v1,3,5'), '1c00'.repeat(8));
  assert.equal(vr1('vgmg %v1,60,1'), 'c00000000000000f'.repeat(2));
  assert.equal(vr1('vrepih %v1,-2'), 'fffe'.repeat(8));
  assert.equal(vr1('vrepf %v1,%v20,2'), '08090a0b'.repeat(4));
  assert.equal(codeOf('vrepf %v1,%v20,4'), SPECIFICATION);
  assert.equal(codeOf('vrepi %v1,0,4'), SPECIFICATION);
});

test('elements of two registers: merged, packed, chosen', () => {
  assert.equal(vr1('vmrhh %v1,%v20,%v21'), '00011011020312130405141506071617');
  assert.equal(vr1('vmrlb %v1,%v20,%v21'), '081809190a1a0b1b0c1c0d1d0e1e0f1f');
  assert.equal(vr1('vpkf %v1,%v20,%v21'), '020306070a0b0e0f121316171a1b1e1f');
  assert.equal(vr1('vpdi %v1,%v20,%v21,4'), `${BYTES.slice(16)}${OTHERS.slice(0, 16)}`);
  const order = (m: TestMachine): TestMachine => m.vr(3, '1f1e1d1c0000000002020202e0f1a213');
  assert.equal(vr1('vperm %v1,%v20,%v21,%v3', order), '1f1e1d1c000000000202020200110213');
  assert.equal(
    vr1('vsel %v1,%v20,%v21,%v3', m => m.vr(3, 'ff00ff00')),
    '00110213'.padEnd(8) + OTHERS.slice(8),
  );
  assert.equal(
    vr1('vuphb %v1,%v3', m => m.vr(3, '80017f00')),
    'ff800001007f0000'.padEnd(32, '0'),
  );
  assert.equal(
    vr1('vupllf %v1,%v3', m => m.vr(3, `${'0'.repeat(16)}80000001ffffffff`)),
    '000000008000000100000000ffffffff',
  );
  assert.equal(
    vr1('vsegh %v1,%v3', m => m.vr(3, '0000000000008000 0000000000007fff')),
    'ffffffffffff80000000000000007fff',
  );
  assert.equal(
    vr1('vbperm %v1,%v3,%v20', m => m.vr(3, 'a5a5')),
    '000000000000a5a5'.padEnd(32, '0'),
  );
});

test('numbers too large are packed as the largest, which the condition code tells', () => {
  const pack = (name: string, digits: string): [string, number] => {
    const m = run(`${name} %v1,%v2,%v2`, m => m.vr(2, digits));
    return [m.vector(1).slice(0, 16), m.cc];
  };
  assert.deepEqual(pack('vpkshs', '007f0080ff80ff7f0000000000000000'), ['7f7f808000000000', 1]);
  assert.deepEqual(pack('vpksfs', '00000001fffffffe0000000000000000'), ['0001fffe00000000', 0]);
  assert.deepEqual(pack('vpklshs', '0100'.repeat(8)), ['ff'.repeat(8), 3]);
});

test('without the enhancements older instructions have not what these bring', () => {
  const code = (source: string): number | undefined => {
    const m = machine(source, { data });
    m.cpu.environment = { ...standalone, facilities: new Set([129]) };
    return m.run().interruption?.code;
  };
  assert.equal(code('vllezg %v1,bytes; vpopctb %v1,%v1; wfadb %v1,%v1,%v1; vcdg %v1,%v1,3,0,0'), undefined);
  const enhanced = [
    'vllez %v1,bytes,6',
    'vpopcth %v1,%v1',
    'wfasb %v1,%v1,%v1',
    'wfaxb %v1,%v1,%v1',
    'vcdg %v1,%v1,2,0,0',
  ];
  for (const source of enhanced) assert.equal(code(source), SPECIFICATION, source);
});
