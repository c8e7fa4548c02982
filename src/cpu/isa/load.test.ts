import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA, SPECIFICATION } from '../program.ts';
import { PSW_BA } from '../registers.ts';
import { machine } from '../testing.ts';

const DATA_AT = 0x800;
const BYTES = '8182838485868788898a8b8c8d8e8f90';

/** The register R2 after one load, from all ones. */
function loaded(source: string, upper = 0xffffffff_ffffffffn): bigint {
  const m = machine(source).store(DATA_AT, BYTES).gr(2, upper).gr(3, 0x11223344_88776655n).run();
  assert.equal(m.interruption, undefined, source);
  return m.cpu.gr(2);
}

test('what loads leave in the register', () => {
  const expected: Record<string, bigint> = {
    'l %r2,0x800': 0xffffffff_81828384n,
    'lg %r2,0x800': 0x81828384_85868788n,
    'lgf %r2,0x800': 0xffffffff_81828384n,
    'llgf %r2,0x800': 0x81828384n,
    'llgt %r2,0x800': 0x01828384n,
    'lh %r2,0x800': 0xffffffff_ffff8182n,
    'lgh %r2,0x800': 0xffffffff_ffff8182n,
    'llh %r2,0x800': 0xffffffff_00008182n,
    'llgh %r2,0x800': 0x8182n,
    'lb %r2,0x800': 0xffffffff_ffffff81n,
    'llc %r2,0x801': 0xffffffff_00000082n,
    'llgc %r2,0x801': 0x82n,
    'ic %r2,0x801': 0xffffffff_ffffff82n,
    'lbh %r2,0x800': 0xffffff81_ffffffffn,
    'llch %r2,0x800': 0x00000081_ffffffffn,
    'lhh %r2,0x800': 0xffff8182_ffffffffn,
    'llhh %r2,0x800': 0x00008182_ffffffffn,
    'lfh %r2,0x800': 0x81828384_ffffffffn,
    'lrv %r2,0x800': 0xffffffff_84838281n,
    'lrvg %r2,0x800': 0x88878685_84838281n,
    'lrvh %r2,0x800': 0xffffffff_ffff8281n,
    'lrvr %r2,%r3': 0xffffffff_55667788n,
    'lrvgr %r2,%r3': 0x55667788_44332211n,
    'lzrg %r2,0x800': 0x81828384_85868700n,
    'lzrf %r2,0x800': 0xffffffff_81828300n,
    'llzrgf %r2,0x800': 0x81828300n,
    'lgfr %r2,%r3': 0xffffffff_88776655n,
    'llgtr %r2,%r3': 0x08776655n,
    'lgbr %r2,%r3': 0x55n,
    'lghr %r2,%r3': 0x6655n,
    'iihl %r2,0x1234': 0xffff1234_ffffffffn,
    'iilh %r2,0x1234': 0xffffffff_1234ffffn,
    'llihl %r2,0x1234': 0x00001234_00000000n,
    'llihf %r2,0x12345678': 0x12345678_00000000n,
    'lgfi %r2,-2': 0xffffffff_fffffffen,
    'lochi %r2,-2,8': 0xffffffff_fffffffen,
    'lochhi %r2,1,8': 0x00000001_ffffffffn,
    'lochi %r2,1,7': 0xffffffff_ffffffffn,
    'locfhr %r2,%r3,8': 0x11223344_ffffffffn,
    'icmh %r2,5,0x800': 0xff81ff82_ffffffffn,
    'icm %r2,0,0x800': 0xffffffff_ffffffffn,
  };
  for (const [source, value] of Object.entries(expected))
    assert.equal(loaded(source).toString(16), value.toString(16), source);
});

test('INSERT CHARACTERS UNDER MASK takes its condition code from what it inserts', () => {
  const code = (mask: number, hex: string): number =>
    machine(`icm %r2,${mask},0x800`).store(DATA_AT, hex).gr(2, 0x99999999).setCc(3).run().cc;
  assert.equal(code(7, '000000ff'), 0);
  assert.equal(code(1, '80'), 1);
  assert.equal(code(5, '00ff'), 2);
  assert.equal(code(5, '8000'), 1);
  assert.equal(code(15, '00000001'), 2);
  assert.equal(code(15, 'ff000001'), 1);
  assert.equal(code(0, 'ff'), 0);
});

test('addresses in the 31-bit mode leave the upper half alone', () => {
  const m = machine('la %r2,5(%r3)\nlarl %r4,.', { mask: PSW_BA }).gr(2, -1).gr(3, 0xffffffffn).gr(4, -1).run();
  assert.equal(m.cpu.gr(2), 0xffffffff_00000004n);
  assert.equal(m.cpu.gr(4), 0xffffffff_00000404n);
  const narrow = machine('la %r2,5(%r3)', { mask: 0n }).gr(2, -1).gr(3, 0xffffffffn).run();
  assert.equal(narrow.cpu.gr(2), 0xffffffff_00000004n);
});

test('register ranges wrap around from 15 to 0', () => {
  for (const [first, last] of [
    [14, 1],
    [6, 15],
    [3, 3],
    [0, 15],
    [5, 4],
  ] as const) {
    const m = machine(
      `stmg %r${first},%r${last},0x800\nlmg %r${first},%r${last},0x900\nstm %r${first},%r${last},0xa00`,
    );
    const count = ((last - first) & 15) + 1;
    for (let n = 0; n < 16; n++) m.gr(n, 0x100 + n);
    for (let n = 0; n < count; n++) m.store(0x900 + 8 * n, (0xabcd00000000 + n).toString(16).padStart(16, '0'));
    m.run();
    assert.equal(m.interruption, undefined);
    for (let n = 0; n < count; n++) {
      const register = (first + n) & 15;
      assert.equal(m.storage.read64(0x800 + 8 * n), BigInt(0x100 + register));
      assert.equal(m.cpu.gr(register), 0xabcd_00000000n + BigInt(n));
      assert.equal(m.storage.read32(0xa00 + 4 * n), n);
    }
    assert.equal(m.storage.read64(0x800 + 8 * count), 0n);
  }
});

test('halves of registers in LOAD and STORE MULTIPLE', () => {
  const m = machine('lmh %r2,%r3,0x800\nlmd %r4,%r5,0x800,0x808\nstmh %r2,%r3,0x900')
    .store(DATA_AT, BYTES)
    .gr(2, 2)
    .gr(3, 3)
    .run();
  assert.equal(m.cpu.gr(2), 0x81828384_00000002n);
  assert.equal(m.cpu.gr(3), 0x85868788_00000003n);
  assert.equal(m.cpu.gr(4), 0x81828384_898a8b8cn);
  assert.equal(m.cpu.gr(5), 0x85868788_8d8e8f90n);
  assert.equal(m.hex(0x900, 8), '8182838485868788');
});

test('LOAD AND TRAP loads the zero first', () => {
  const m = machine('lgat %r2,0x900').gr(2, 5).run();
  assert.equal(m.interruption?.code, DATA);
  assert.equal(m.interruption?.dxc, 0xff);
  assert.equal(m.interruption?.length, 6);
  assert.equal(m.cpu.gr(2), 0n);
  assert.equal(machine('lgat %r2,0x800').store(DATA_AT, BYTES).run().interruption, undefined);
});

test('boundaries', () => {
  const code = (source: string, data = ''): number | undefined => machine(source, { data }).run().interruption?.code;
  assert.equal(code('lrl %r2,x', '.short 0\nx: .long 0'), SPECIFICATION);
  assert.equal(code('lgrl %r2,x', '.long 0\nx: .quad 0'), SPECIFICATION);
  assert.equal(code('lhrl %r2,x', '.short 0\nx: .short 0'), undefined);
  assert.equal(code('lpq %r2,0x808'), SPECIFICATION);
  assert.equal(code('lpq %r3,0x800'), SPECIFICATION);
  assert.equal(code('lpq %r2,0x800'), undefined);
});
