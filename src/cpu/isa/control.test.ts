import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standalone } from '../environment.ts';
import * as program from '../program.ts';
import { PSW_BA, PSW_DAT, PSW_EA, PSW_EXTERNAL, PSW_IO, PSW_PROBLEM } from '../registers.ts';
import * as state from '../state.ts';
import { machine, type TestMachine } from '../testing.ts';

const WIDE = PSW_EA | PSW_BA;
const DAT = PSW_DAT | WIDE;

test('privileged instructions in the problem state', () => {
  for (const source of [
    'lpswe 0',
    'lctlg 0,0,0',
    'stidp 0',
    'ptlb',
    'sske %r1,%r2',
    'tsch 0',
    'stosm 0,3',
    'servc %r1,%r2',
  ]) {
    const m = machine(source, { mask: WIDE | PSW_PROBLEM }).run();
    assert.equal(m.interruption?.code, program.PRIVILEGED_OPERATION, source);
  }
});

test('operands on an integral boundary', () => {
  for (const source of [
    'lpswe 4(0)',
    'lctlg 0,0,4(0)',
    'lctl 0,0,2(0)',
    'stpt 0x604(0)',
    'spx 2(0)',
    'stap 1(0)',
    'lctlg 0,1,4(0)',
  ]) {
    const m = machine(source).run();
    assert.equal(m.interruption?.code, program.SPECIFICATION, source);
  }
});

test('a PSW that is not valid is loaded, and then interrupts without a length', () => {
  for (const [mask, address] of [
    [0x8000_0001_8000_0000n, 0n],
    [0x0008_0001_8000_0000n, 0n],
    [0x0000_0001_0000_0000n, 0n],
    [0x0000_0001_8000_0001n, 0n],
    [0x0000_0000_8000_0000n, 0x8000_0000n],
    [0n, 0x100_0000n],
  ] as const) {
    const m = machine('lpswe psw', { data: '.balign 8\npsw: .quad 0,0' });
    m.storage.write64(m.at('psw'), mask);
    m.storage.write64(m.at('psw') + 8, address);
    m.run();
    assert.equal(m.interruption?.code, program.SPECIFICATION);
    assert.equal(m.interruption?.length, 0);
    assert.equal(m.interruption?.oldMask, mask);
    assert.equal(m.interruption?.oldAddress, address);
  }
});

test('LOAD PSW of the short format', () => {
  const m = machine('lpsw psw\n.short 0\nthere: tam', {
    data: '.balign 8\npsw: .long 0x00082000,0x80000000+there',
  }).run();
  assert.equal(m.cc, 1);
  assert.equal(
    machine('lpsw psw', { data: '.balign 8\npsw: .long 0,0' }).run().interruption?.code,
    program.SPECIFICATION,
  );
});

test('SUPERVISOR CALL, also as the target of EXECUTE', () => {
  for (const [source, length, number] of [
    ['svc 0x21', 2, 0x21],
    ['ex %r3,target', 4, 0x25],
    ['exrl %r3,target', 6, 0x25],
  ] as const) {
    const m = machine(source, { data: 'target: svc 0x21\nhandler: .short 0' }).gr(3, 4);
    m.storage.write64(0x1c0, WIDE);
    m.storage.write64(0x1c8, BigInt(m.at('handler')));
    m.run();
    assert.equal(m.storage.read32(0x88), (length << 16) | number);
    assert.equal(m.storage.read64(0x148), 0x400n + BigInt(length));
  }
});

test('system mask and what is pending meanwhile', () => {
  const m = machine('stosm a(0),3\nstnsm b(0),0xfd\nssm c(0)\nepsw %r2,%r3', {
    data: 'a: .byte 0\nb: .byte 0\nc: .byte 1',
  }).run();
  assert.equal(m.hex('a', 2), '0003');
  assert.equal(m.cpu.gr(2) >> 24n, 1n);
  assert.equal(m.cpu.gr(3), 0x8000_0000n);
  const bad = machine('stosm a(0),0x80', { data: 'a: .byte 0' }).run();
  assert.equal(bad.interruption?.code, program.SPECIFICATION);
  assert.equal(bad.interruption?.length, 4);
});

test('program mask', () => {
  const m = machine('spm %r1\nipm %r2').gr(1, 0x2f12_3456).gr(2, -1).run();
  assert.equal(m.cpu.gr(2), 0xffff_ffff_2fff_ffffn);
});

test('control registers', () => {
  const m = machine('lctlg 3,4,a\nstctg 4,4,b\nstctg 2,4,c\nlctl 15,1,d\nstctl 15,0,e', {
    data: '.balign 8\na: .quad 0x1122334455667788,0x99aabbccddeeff00\nb: .quad 0\nc: .quad 0,0,0\nd: .long 1,0x40000,3\ne: .quad 0',
  });
  m.cr(15, 0xffff_ffff_0000_0000n).run();
  assert.equal(m.hex('b', 8), '99aabbccddeeff00');
  assert.equal(m.hex('c', 24), '0000000000000000112233445566778899aabbccddeeff00');
  assert.equal(m.cpu.cr(15), 0xffff_ffff_0000_0001n);
  assert.equal(m.cpu.cr(1), 3n);
  assert.equal(m.hex('e', 8), '0000000100040000');
});

test('prefix', () => {
  const m = machine('spx a\nstpx b\nlg %r2,0x300(0)', { data: '.balign 4\na: .long 0x10fff\nb: .long 0' });
  m.storage.write(0x1_0000, m.storage.read(0, 0x2000));
  m.storage.write64(0x1_0300, 9n);
  m.run();
  assert.equal(m.cpu.prefix, 0x1_0000);
  assert.equal(m.storage.read32(0x1_0000 + m.at('b')), 0x1_0000);
  assert.equal(m.cpu.gr(2), 9n);
  assert.equal(
    machine('spx a', { data: '.balign 4\na: .long 0x7fffe000' }).run().interruption?.code,
    program.ADDRESSING,
  );
});

test('facilities', () => {
  const m = machine('stfl 0\nlghi %r0,0\nstfle a\nlgr %r2,%r0\nlghi %r0,31\nstfle a', {
    data: '.balign 8\na: .quad 0,0,0,0,0,0,0,0',
  }).run();
  assert.equal(m.cc, 0);
  const last = BigInt(Math.floor(Math.max(...standalone.facilities) / 64));
  assert.equal(m.cpu.gr(2), last);
  assert.equal(m.cpu.gr(0), last);
  assert.equal(m.hex(0xc8, 4), m.hex('a', 4));
  const bytes = m.storage.read(m.at('a'), 32);
  for (const bit of standalone.facilities) assert.ok(bytes[bit >>> 3]! & (0x80 >>> (bit & 7)), String(bit));
  assert.equal(machine('lghi %r0,0\nstfle a', { data: '.balign 8\na: .quad 0' }).run().cc, 3);
});

test('system information', () => {
  const level = machine('stsi 0').gr(0, 0).gr(1, 0).run();
  assert.equal(level.cpu.gr(0), 0x3000_0000n);
  const m = machine('stsi 0x800(%r5)').gr(5, 0x1800).gr(0, 0x3000_0002n).gr(1, 2).run();
  assert.equal(m.cc, 0);
  assert.equal(m.hex(0x201f, 1), '01');
  // "lpar" in EBCDIC stands in the control program's name, and its long name in UTF-8.
  assert.equal(m.hex(0x2038, 4), '9397 8199'.replace(' ', ''));
  assert.equal(m.hex(0x2800, 4), Buffer.from('lpar').toString('hex'));
  assert.equal(machine('stsi 0').gr(0, 0x1000_0009n).gr(1, 9).run().cc, 3);
  assert.equal(machine('stsi 0').gr(0, 0x1100_0001n).gr(1, 1).run().interruption?.code, program.SPECIFICATION);
});

test('invalidating a page', () => {
  const m = machine('lg %r4,0(%r3)\nipte %r1,%r2\nlg %r4,0(%r3)', { mask: DAT });
  tables(m).gr(1, 0x11_0000).gr(2, 0x2_0000).gr(3, 0x2_0000).run();
  assert.equal(m.interruption?.code, program.PAGE_TRANSLATION);
  assert.equal(m.storage.read64(0x11_0100), 0x2_0400n);
});

test('a range of pages', () => {
  const m = machine('ipte %r1,%r2,%r5', { mask: DAT });
  tables(m).gr(1, 0x11_0000).gr(2, 0x2_0000).gr(5, 2).run();
  assert.equal(m.interruption, undefined);
  assert.deepEqual(
    [0x1f, 0x20, 0x21, 0x22, 0x23].map(n => m.storage.read64(0x11_0000 + 8 * n) & 0x400n),
    [0n, 0x400n, 0x400n, 0x400n, 0n],
  );
});

test('invalidating segments', () => {
  const m = machine('idte %r1,%r3,%r2').gr(1, 0x10_0000).gr(2, 0x30_0001).gr(3, 0).run();
  assert.equal(m.interruption, undefined);
  assert.deepEqual(
    [2, 3, 4, 5].map(n => m.storage.read64(0x10_0000 + 8 * n)),
    [0n, 0x20n, 0x20n, 0n],
  );
});

test('compare and replace a table entry', () => {
  const source = 'crdte %r4,%r3,%r6';
  const m = machine(source).gr(4, 0x1234).gr(5, 0x5678).gr(6, 0x11_0000).gr(7, 0x3000);
  m.storage.write64(0x11_0018, 0x1234n);
  assert.equal(m.run().cc, 0);
  assert.equal(m.storage.read64(0x11_0018), 0x5678n);
  const other = machine(source).gr(4, 1).gr(5, 0x5678).gr(6, 0x10_0010).gr(7, 0x10_0000);
  other.storage.write64(0x10_0008, 0x99n);
  assert.equal(other.run().cc, 1);
  assert.equal(other.cpu.gr(4), 0x99n);
});

test('compare and swap and purge', () => {
  const m = machine('csp %r2,%r4').gr(2, 5).gr(3, 6).gr(4, 0x3001);
  m.storage.write32(0x3000, 5);
  assert.equal(m.run().cc, 0);
  assert.equal(m.storage.read32(0x3000), 6);
  const wide = machine('cspg %r2,%r4').gr(2, 5).gr(3, 6).gr(4, 0x3001);
  wide.storage.write64(0x3000, 7n);
  assert.equal(wide.run().cc, 1);
  assert.equal(wide.cpu.gr(2), 7n);
});

test('storage keys', () => {
  const m = machine('sske %r1,%r2\nlg %r4,0(%r2)\niske %r3,%r2\nrrbe %r0,%r2\nipm %r5\niske %r6,%r2')
    .gr(1, 0xf8)
    .gr(2, 0x3000)
    .gr(3, -1)
    .run();
  assert.equal(m.cpu.gr(3), 0xffff_ffff_ffff_fffcn);
  assert.equal((m.cpu.gr(5) >> 28n) & 3n, 2n);
  assert.equal(m.cpu.gr(6) & 0xffn, 0xf8n);
});

test('conditional and multiple keys', () => {
  const m = machine('sske %r1,%r2,6').gr(1, 0x16).gr(2, 0x3000);
  m.cpu.u8[m.cpu.layout.keys + 3] = 0x10;
  m.run();
  assert.equal(m.cc, 0);
  assert.equal(m.cpu.gr(1), 0x1016n);
  const changed = machine('sske %r1,%r2,2').gr(1, 0x14).gr(2, 0x3000);
  changed.cpu.u8[changed.cpu.layout.keys + 3] = 0x10;
  assert.equal(changed.run().cc, 1);
  assert.equal(changed.cpu.u8[changed.cpu.layout.keys + 3], 0x14);
  const many = machine('sske %r1,%r2,1').gr(1, 0x30).gr(2, 0x10_3000).run();
  assert.equal(many.cpu.gr(2), 0x20_0000n);
  const { keys } = many.cpu.layout;
  assert.deepEqual(
    [0x102, 0x103, 0x1ff].map(frame => many.cpu.u8[keys + frame]),
    [0, 0x30, 0x30],
  );
});

test('frame management', () => {
  const m = machine('pfmf %r1,%r2').gr(1, 0x3_0040).gr(2, 0x3800);
  m.storage.write64(0x3000, 1n);
  m.run();
  assert.equal(m.storage.read64(0x3000), 0n);
  assert.equal(m.cpu.u8[m.cpu.layout.keys + 3], 0x40);
  assert.equal(m.cpu.gr(2), 0x3800n);
  const large = machine('pfmf %r1,%r2').gr(1, 0x2_1040).gr(2, 0x10_0000).run();
  assert.equal(large.cpu.gr(2), 0x20_0000n);
});

test('TEST PROTECTION', () => {
  const cc = (prepare: (m: TestMachine) => void, key = 0): number => {
    const m = tables(machine(`tprot 0(%r1),${key}(%r0)`, { mask: DAT })).gr(1, 0x2_0000);
    prepare(m);
    return m.run().cc;
  };
  assert.equal(
    cc(() => {}),
    0,
  );
  assert.equal(
    cc(m => m.storage.write64(0x11_0100, 0x2_0200n)),
    1,
  );
  assert.equal(
    cc(m => m.storage.write64(0x11_0100, 0x2_0400n)),
    3,
  );
  assert.equal(
    cc(m => void (m.cpu.u8[m.cpu.layout.keys + 0x20] = 0x10), 0x20),
    1,
  );
  assert.equal(
    cc(m => void (m.cpu.u8[m.cpu.layout.keys + 0x20] = 0x18), 0x20),
    2,
  );
  assert.equal(
    cc(m => void (m.cpu.u8[m.cpu.layout.keys + 0x20] = 0x18), 0x10),
    0,
  );
});

test('LOAD REAL ADDRESS', () => {
  const m = tables(machine('lra %r2,0x123(%r1)\nlrag %r3,0x123(%r1)')).gr(1, 0x2_0000);
  m.storage.write64(0x11_0100, 0x3000n);
  m.run();
  assert.deepEqual([m.cpu.gr(2), m.cpu.gr(3), m.cc], [0x3123n, 0x3123n, 0]);
  const page = tables(machine('lra %r2,0(%r1)')).gr(1, 0x2_0000);
  page.storage.write64(0x11_0100, 0x400n);
  page.run();
  assert.deepEqual([page.cpu.gr(2), page.cc], [0x11_0100n, 2]);
  const segment = tables(machine('lra %r2,0(%r1)')).gr(1, 0x20_0000).run();
  assert.deepEqual([segment.cpu.gr(2), segment.cc], [0x10_0010n, 1]);
  const region = tables(machine('lra %r2,0(%r1)')).gr(1, 0x1_0000_0000).gr(2, 0).run();
  assert.deepEqual([region.cpu.gr(2), region.cc], [0x8000_0038n, 3]);
});

test('LOAD REAL ADDRESS has no room for addresses from 2 GiB on, except in the 64-bit mode', () => {
  // The tables, and page X'20' of what they describe, lie behind 2 GiB; page X'21' and segment 2 are invalid.
  const high = 0x8010_0000;
  const made = (source: string, address: number, mask?: bigint): TestMachine => {
    const m = machine(source, { storageSize: 0x8020_0000, ...(mask !== undefined && { mask }) });
    m.storage.write64(high, 0x8011_0000n);
    m.storage.write64(high + 16, 0x20n);
    m.storage.write64(0x8011_0100, 0x8000_3000n);
    m.storage.write64(0x8011_0108, 0x400n);
    return m
      .cr(1, BigInt(high + 3))
      .gr(1, address)
      .gr(2, -1);
  };
  const ends = (source: string, address: number, mask?: bigint) => {
    const m = made(source, address, mask).run();
    return m.interruption?.code ?? [m.cpu.gr(2), m.cc];
  };
  const lra = 'lra %r2,4(%r1)';
  assert.deepEqual(ends(lra, 0x2_0000), [0x8000_3004n, 0]);
  assert.deepEqual(ends(lra, 0x2_1000), [0x8011_0108n, 2]);
  assert.deepEqual(ends(lra, 0x20_0000), [0x8010_0010n, 1]);
  assert.equal(ends(lra, 0x2_0000, PSW_BA), program.SPECIAL_OPERATION);
  assert.deepEqual(ends(lra, 0x2_1000, PSW_BA), [0xffff_ffff_8000_0011n, 3]);
  assert.deepEqual(ends(lra, 0x20_0000, PSW_BA), [0xffff_ffff_8000_0010n, 3]);
  assert.deepEqual(ends('lrag %r2,4(%r1)', 0x2_1000, PSW_BA), [0x8011_0108n, 2]);
});

test('real storage', () => {
  const m = machine('stura %r1,%r2\nlura %r3,%r2\nsturg %r1,%r4\nlurag %r5,%r4')
    .gr(1, 0x1_2345_6789n)
    .gr(2, 0x3004)
    .gr(3, 0)
    .gr(4, 0x3010)
    .run();
  assert.deepEqual([m.cpu.gr(3), m.cpu.gr(5)], [0x2345_6789n, 0x1_2345_6789n]);
  assert.equal(machine('lurag %r1,%r2').gr(2, 4).run().interruption?.code, program.SPECIFICATION);
});

test('PSW key', () => {
  const m = machine('spka 0x30\nipk').gr(2, -1).run();
  assert.equal(m.cpu.gr(2), 0xffff_ffff_ffff_ff30n);
  const problem = machine('spka 0x30', { mask: WIDE | PSW_PROBLEM });
  assert.equal(problem.cr(3, 0x2000_0000n).run().interruption?.code, program.PRIVILEGED_OPERATION);
  const allowed = machine('spka 0x30', { mask: WIDE | PSW_PROBLEM });
  assert.equal(allowed.cr(3, 0x1000_0000n).run().interruption, undefined);
});

test('address-space control', () => {
  const m = tables(machine('sacf 0x100\niac %r2\nsac 0x200\niac %r3\nsac 0x300\niac %r4\nsac 0', { mask: DAT }))
    .gr(2, 0)
    .gr(3, 0)
    .gr(4, 0);
  m.cr(0, 0x404_0000n).cr(7, 0x10_0003n).cr(13, 0x10_0003n).run();
  assert.deepEqual([m.cpu.gr(2), m.cpu.gr(3), m.cpu.gr(4)], [0x100n, 0x200n, 0x300n]);
  assert.equal(machine('sacf 0').run().interruption?.code, program.SPECIAL_OPERATION);
});

test('moves between spaces', () => {
  const m = tables(machine('mvcs 0(%r4,%r1),0(%r2),%r3\nmvcp 8(%r4,%r1),0(%r1),%r3', { mask: DAT }));
  m.gr(1, 0x2_0000).gr(2, 0x2_0100).gr(3, 0).gr(4, 300);
  for (let n = 0; n < 256; n++) m.storage.write64(0x12_0000 + 8 * n, BigInt(n * 4096));
  m.storage.write64(0x12_0100, 0x3000n);
  m.storage.write64(0x10_8000, 0x12_0000n);
  m.cr(0, 0x404_0000n).cr(7, 0x10_8000n);
  m.storage.write64(0x2_0100, 0x0102_0304_0506_0708n);
  m.run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cc, 3);
  assert.equal(m.storage.read64(0x3000), 0x0102_0304_0506_0708n);
  assert.equal(m.storage.read64(0x2_0008), 0x0102_0304_0506_0708n);
});

test('MOVE PAGE', () => {
  const m = tables(machine('mvpg %r1,%r2', { mask: DAT }))
    .gr(0, 0)
    .gr(1, 0x2_0123)
    .gr(2, 0x2_1456);
  m.storage.write64(0x2_1ff8, 6n);
  m.run();
  assert.equal(m.storage.read64(0x2_0ff8), 6n);
  const told = tables(machine('mvpg %r1,%r2', { mask: DAT }))
    .gr(0, 0x100)
    .gr(1, 0x2_0000)
    .gr(2, 0x2_1000);
  told.storage.write64(0x11_0108, 0x400n);
  assert.equal(told.run().cc, 2);
});

test('MONITOR CALL', () => {
  // Counted in an array of two counters at 0x3000 of the home space, which is a real space.
  const counted = machine(`${'mc 1,4\n'.repeat(3)}mc 2,4`)
    .cr(8, 0x0000_0800_0000_0800n)
    .cr(13, 0x20n);
  counted.store(0x100, '0000000000003000 00000002 00000007').store(0x3000, '0005ffff 00000001 00000002').run();
  assert.equal(counted.interruption, undefined);
  assert.equal(counted.hex(0x3000, 12), '000500020000000100000003');
  assert.equal(counted.hex(0x10c, 4), '00000008');
  assert.equal(machine('mc 0x123,4').cr(8, 0x400n).run().interruption, undefined);
  const m = machine('mc 0x123,4').cr(8, 0x800n).run();
  assert.equal(m.interruption?.code, program.MONITOR_EVENT);
  assert.equal(m.interruption?.oldAddress, 0x404n);
  assert.equal(m.storage.read16(0x94), 4);
  assert.equal(m.storage.read64(0xb0), 0x123n);
});

test('the breaking-event address is stored and loaded', () => {
  const m = machine('j next\nnext: stbear a\nlbear b\nlpswey c', {
    data: '.balign 8\na: .quad 0\nb: .quad 0x1234560\nc: .quad 0x180000000,there\nthere: stbear a+8\n.short 0',
  });
  m.run();
  assert.equal(m.storage.read64(m.at('a')), 0x400n);
  assert.equal(m.storage.read64(m.at('b')), 0x123_4560n);
  assert.equal(m.interruption?.oldAddress, BigInt(m.at('there') + 6));
  assert.equal(machine('stbear 0x804(0)').run().interruption?.code, program.SPECIFICATION);
});

test('the user-specified part of the TOD epoch difference', () => {
  const m = machine(
    'stckf a\nlghi %r0,69\nla %r1,b\nptff\nlghi %r0,5\nla %r1,c\nptff\nstckf a+8\nlghi %r0,0\nla %r1,d\nptff',
    {
      data: '.balign 8\na: .quad 0,0\nb: .quad 0x10000000000\nc: .quad 0,0,0,0,0\nd: .quad 0,0',
    },
  ).run();
  assert.equal(m.cc, 0);
  const [offset, logical, difference, user] = [8, 16, 24, 32].map(at => m.storage.read64(m.at('c') + at));
  assert.deepEqual([offset, logical, difference, user], [0n, 0x100_0000_0000n, 0x100_0000_0000n, 0x100_0000_0000n]);
  const passed = m.storage.read64(m.at('a') + 8) - m.storage.read64(m.at('a'));
  assert.ok(passed >= 0x100_0000_0000n && passed < 0x110_0000_0000n);
  assert.equal(m.hex('d', 16), 'fc00000000000000f400000000000000');
  const problem = machine('lghi %r0,127\nptff', { mask: PSW_EA | PSW_BA | PSW_PROBLEM }).run();
  assert.equal(problem.interruption?.code, program.PRIVILEGED_OPERATION);
});

test('the TOD offset is set, and adjusted', () => {
  const query = (label: string): string => `lghi %r0,1\nla %r1,${label}\nptff\n`;
  const m = machine(
    `stckf first\nlghi %r0,65\nla %r1,five\nptff\n${query('set')}lghi %r0,64\nla %r1,minus\nptff\n${query('adjusted')}stckf last`,
    {
      data: '.balign 8\nfirst: .quad 0\nlast: .quad 0\nfive: .quad 0x50000000000\nminus: .quad -0x20000000000\nset: .quad 0,0,0,0\nadjusted: .quad 0,0,0,0',
    },
  ).run();
  assert.equal(m.cc, 0);
  const at = (label: string, distance = 0): bigint => m.storage.read64(m.at(label) + distance);
  // Physical clock, which goes on; TOD offset; logical TOD offset, which is this partition's; TOD epoch difference.
  assert.ok(at('adjusted') > at('set'));
  assert.deepEqual(
    [8, 16, 24].map(distance => at('set', distance)),
    [0x500_0000_0000n, 0x500_0000_0000n, 0n],
  );
  assert.equal(at('adjusted', 8), 0x300_0000_0000n);
  const passed = at('last') - at('first');
  assert.ok(passed >= 0x300_0000_0000n && passed < 0x310_0000_0000n);
  for (const code of [64, 65, 66, 67]) {
    const m = machine('ptff', { mask: WIDE | PSW_PROBLEM })
      .gr(0, code)
      .run();
    assert.equal(m.interruption?.code, program.PRIVILEGED_OPERATION);
  }
});

test('steering rates begin new episodes, which the steering information tells', () => {
  const set = (code: number, label: string): string => `lghi %r0,${code}\nla %r1,${label}\nptff\n`;
  const m = machine(
    `${set(2, 'before')}${set(66, 'fine')}${set(3, 'between')}${set(67, 'gross')}${set(2, 'after')}${set(1, 'offsets')}`,
    {
      data: `.balign 8\nfine: .long 0x40000000\ngross: .long -0x30000000
before: .quad 0,-1,-1,-1,-1,-1,-1\nafter: .quad 0,0,0,0,0,0,0\nbetween: .quad 0\noffsets: .quad 0,0,0,0`,
    },
  ).run();
  assert.equal(m.cc, 0);
  const at = (label: string, distance = 0): bigint => m.storage.read64(m.at(label) + distance);
  // Physical clock; start time, base offset and both rates of the old episode, and of the new one.
  assert.equal(m.hex('before', 56).slice(16), '0'.repeat(96));
  const [physical, oldStart, oldBase, oldRates, start, base, rates] = [0, 8, 16, 24, 32, 40, 48].map(n =>
    at('after', n),
  );
  assert.ok(at('before') < oldStart! && oldStart! < at('between') && at('between') < start! && start! < physical!);
  assert.deepEqual([oldBase, oldRates, rates], [0n, 0x4000_0000_0000_0000n, 0x4000_0000_d000_0000n]);
  assert.equal(base, ((start! - oldStart!) * 0x4000_0000n) >> 44n);
  assert.equal(at('offsets', 8), base! + (((at('offsets') - start!) * 0x1000_0000n) >> 44n));
});

test('parameter blocks of timing functions', () => {
  const run = (code: number, address: number, options = {}) => {
    const m = machine('ptff', options).gr(0, code).gr(1, address).setCc(1).run();
    return m.interruption?.code ?? m.cc;
  };
  // Anywhere, also across the end of a page, but in storage: nothing is changed otherwise.
  const end = 0x200000;
  for (const [code, length] of [
    [0, 16],
    [1, 32],
    [2, 56],
    [3, 8],
    [4, 256],
    [5, 40],
    [64, 8],
    [65, 8],
    [66, 4],
    [67, 4],
    [69, 8],
  ] as const) {
    assert.equal(run(code, 0x2001), 0);
    assert.equal(run(code, end - length), 0, `${code}`);
    assert.equal(run(code, end - length + 1), program.ADDRESSING, `${code}`);
  }
  // Codes that mean nothing, in the supervisor state; GR0 bit 56; bits 0-55 are ignored.
  for (const code of [6, 10, 13, 63, 68, 70, 73, 77, 127]) assert.equal(run(code, end), 3);
  assert.equal(run(0x80, 0x2000), program.SPECIFICATION);
  assert.equal(run(0x7fff_ff00, 0x2000), 0);
  // Control functions are the supervisor's.
  const problem = { mask: WIDE | PSW_PROBLEM };
  for (const code of [64, 65, 66, 67, 69, 127]) assert.equal(run(code, 0x2000, problem), program.PRIVILEGED_OPERATION);
  for (const code of [0, 1, 2, 3, 4, 5]) assert.equal(run(code, 0x2000, problem), 0);
  assert.equal(run(6, 0x2000, problem), 3);
});

test('addressing modes', () => {
  const m = machine('sam31\ntam\nipm %r2\nsam24\ntam\nipm %r3\nsam64\ntam').gr(2, 0).gr(3, 0).run();
  assert.deepEqual([m.cpu.gr(2) >> 28n, m.cpu.gr(3) >> 28n, m.cc], [1n, 0n, 3]);
});

test('access registers', () => {
  const m = machine('sar %a2,%r1\ncpya %a3,%a2\near %r4,%a3\nstam %a2,%a3,a\nlam %a8,%a9,a\nlae %r5,4(%r1)', {
    data: '.balign 4\na: .quad 0',
  });
  m.gr(1, 0x1234_5678).gr(4, 0).ar(5, 9).run();
  assert.equal(m.cpu.gr(4), 0x1234_5678n);
  assert.equal(m.hex('a', 8), '1234567812345678');
  assert.equal(m.cpu.ar(9), 0x1234_5678);
  assert.equal(m.cpu.gr(5), 0x1234_567cn);
  assert.equal(m.cpu.ar(5), 0);
});

test('all access registers', () => {
  const m = machine('lam %a0,%a15,a\nstam %a0,%a15,0x20(%r5)\nlam %a15,%a0,a', {
    data: '.balign 4\na: .long 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16',
  });
  m.gr(5, 0x2ff0).run();
  assert.equal(m.hex(0x3010, 64), m.hex('a', 64));
  assert.deepEqual([m.cpu.ar(15), m.cpu.ar(0), m.cpu.ar(14)], [1, 2, 15]);
  assert.equal(machine('stam %a0,%a15,2(%r5)').gr(5, 0x3000).run().interruption?.code, program.SPECIFICATION);
});

test('clocks', () => {
  const m = machine('stck a\nstck b\nstckf c\nstcke d\nstpt e\nstpt f', {
    data: '.balign 8\na: .quad 0\nb: .quad 0\nc: .quad 0\nd: .quad 0,0\ne: .quad 0\nf: .quad 0',
  }).run();
  const at = (label: string): bigint => m.storage.read64(m.at(label));
  assert.ok(at('a') < at('b'));
  assert.ok(at('c') >> 8n >= at('b') >> 8n);
  const extended = m.storage.read64(m.at('d') + 1);
  assert.ok(extended > at('b') && m.storage.read8(m.at('d')) === 0);
  assert.ok(BigInt.asIntN(64, at('e')) > BigInt.asIntN(64, at('f')));
});

test('setting clock, comparator and timer', () => {
  const m = machine('sck a\nstck c\nsckc b\nstckc d\nspt b\nstpt e', {
    data: '.balign 8\na: .quad 0x1000000000000000\nb: .quad 0x7f00000000000000\nc: .quad 0\nd: .quad 0\ne: .quad 0',
  }).run();
  const at = (label: string): bigint => m.storage.read64(m.at(label));
  assert.ok(at('c') >= 0x1000_0000_0000_0000n && at('c') < 0x1000_0010_0000_0000n);
  assert.equal(at('d'), 0x7f00_0000_0000_0000n);
  assert.ok(at('e') < 0x7f00_0000_0000_0000n && at('e') > 0x7eff_fff0_0000_0000n);
});

test('no subchannels', () => {
  for (const source of ['csch', 'hsch', 'tsch 0x800(0)', 'stsch 0x800(0)', 'ssch 0x800(0)', 'xsch', 'rsch']) {
    const m = machine(source).gr(1, 0x1_0000).run();
    assert.deepEqual([m.cc, m.interruption], [3, undefined], source);
  }
  assert.equal(machine('csch').gr(1, 0).run().interruption?.code, program.OPERAND);
  assert.equal(machine('tpi 0x800(0)').run().cc, 0);
  assert.equal(machine('stcrw 0x800(0)').run().cc, 1);
});

test('signals to itself', () => {
  assert.equal(machine('sigp %r1,%r3,1').gr(3, 0).run().cc, 0);
  assert.equal(machine('sigp %r1,%r3,1').gr(3, 1).run().cc, 3);
  const status = (facilities: number[]): bigint => {
    const m = machine('sigp %r1,%r3,0x17').gr(1, 0).gr(3, 0);
    m.cpu.environment = { ...standalone, facilities: new Set(facilities) };
    return m.run().cpu.gr(1);
  };
  // Additional status: a running CPU has not the state for it, one without vectors has none.
  assert.deepEqual([status([129]), status([])], [0x200n, 2n]);
  const m = machine('sigp %r1,%r3,3').gr(3, 0).run();
  assert.equal(m.cc, 0);
  assert.equal(m.cpu.field32(state.CONDITIONS), state.CONDITION_EMERGENCY_SIGNAL);
});

/** Segment 0 maps itself, page by page; CR1 designates it. */
function tables(m: TestMachine): TestMachine {
  for (let n = 1; n < 2048; n++) m.storage.write64(0x10_0000 + 8 * n, 0x20n);
  m.storage.write64(0x10_0000, 0x11_0000n);
  for (let n = 0; n < 256; n++) m.storage.write64(0x11_0000 + 8 * n, BigInt(n * 4096));
  return m.cr(1, 0x10_0003n);
}

test('masks of the system mask are PSW bits', () => {
  const m = machine('stosm a(0),3', { data: 'a: .byte 0' }).run();
  assert.equal(m.cpu.pswMask & (PSW_IO | PSW_EXTERNAL), PSW_IO | PSW_EXTERNAL);
});

test('CPU attributes', () => {
  // Line size and total size of the first level, topology, an attribute that there is none of.
  const m = machine('ecag %r1,%r0,0x10\necag %r2,%r0,0x20\necag %r3,%r0,0\necag %r4,%r0,0x70').run();
  assert.equal(m.cpu.gr(1), 256n);
  assert.equal(m.cpu.gr(2), 0x2_0000n);
  assert.equal(m.cpu.gr(3) >> 56n, 4n);
  assert.equal(m.cpu.gr(4), 0xffff_ffff_ffff_ffffn);
});

test('the CPU time since a value of the timer', () => {
  const m = machine('spt a\nlarl %r3,c\nectg a,b,%r3', {
    data: '.balign 8\na: .quad 0x0100000000000000\nb: .quad 5\nc: .quad 6',
  }).run();
  assert.ok(m.cpu.gr(0) < 0x100_0000_0000n);
  assert.deepEqual([m.cpu.gr(1), m.cpu.gr(3)], [5n, 6n]);
});

test('the programmable field of the TOD clock', () => {
  const m = machine('sckpf\nstcke a', { data: '.balign 8\na: .quad 0,0' }).gr(0, 0x1234).run();
  assert.equal(m.hex('a', 16).slice(-4), '1234');
  assert.equal(machine('sckpf').gr(0, 0x1_0000).run().interruption?.code, program.SPECIFICATION);
});

test('the program parameter', () => {
  const m = machine('lpp a', { data: '.balign 8\na: .quad 0x123456789abcdef0' }).run();
  assert.equal(m.cpu.field64(state.PROGRAM_PARAMETER), 0x1234_5678_9abc_def0n);
});

test('a system mask that is stored over the instruction itself', () => {
  const m = machine('larl %r1,a\na: stosm 0(%r1),0xfc\n.short 0').run();
  assert.equal(m.interruption?.code, program.SPECIFICATION);
  assert.equal(m.interruption?.length, 4);
  assert.equal(m.interruption?.oldAddress, BigInt(m.at('a') + 4));
});

for (const fast of [false, true])
  test(`MOVE WITH OPTIONAL SPECIFICATIONS${fast ? ', by what the TLB knows' : ''}`, () => {
    const made = (source: string, controls: number, mask = DAT): TestMachine => {
      const m = tables(machine(source, { mask }));
      m.gr(0, controls).gr(1, 0x2_0000).gr(2, 0x2_0100).gr(3, 16);
      m.storage.write64(0x2_0100, 0x0102_0304_0506_0708n);
      m.cr(0, 0x404_0000n);
      return fast ? m.fast() : m;
    };
    // The first time the pages are not known yet.
    const twice = 'again: mvcos 0(%r1),0(%r2),%r3\nipm %r6\nla %r1,16(%r1)\nbrctg %r5,again';
    // Both operands as the PSW says; the second explicitly in the primary space; both in the home space.
    for (const controls of [0, 0x0001, 0x00c1_00c1]) {
      const m = made(twice, controls).gr(5, 3);
      m.cr(13, m.cpu.cr(1)).run();
      assert.equal(m.interruption, undefined);
      assert.equal(m.cpu.gr32(6) >>> 28, 0);
      for (const at of [0x2_0000, 0x2_0010, 0x2_0020]) assert.equal(m.storage.read64(at), 0x0102_0304_0506_0708n);
      assert.equal(m.storage.read64(0x2_0030), 0n);
    }
    // At most 4096 bytes are moved: condition code 3. None: nothing is looked at.
    const long = made(twice, 0).gr(5, 2).gr(1, 0x3_0000).gr(2, 0x2_0000).gr(3, 0x1_0000_0000).run();
    assert.equal(long.cpu.gr32(6) >>> 28, 3);
    assert.equal(long.storage.read64(0x3_0100), 0n);
    assert.equal(long.storage.read64(0x3_0110), 0x0102_0304_0506_0708n);
    assert.equal(made(twice, 0).gr(5, 2).gr(3, 0).gr(1, 0xffff_f000).run().cpu.gr32(6) >>> 28, 0);
    // The home space may not be stored to, nor a key be used that it may not use, by the problem state.
    const problem = (controls: number, keys = 0x8000_0000n): number | undefined =>
      made('mvcos 0(%r1),0(%r2),%r3', controls, DAT | PSW_PROBLEM)
        .cr(3, keys)
        .run().interruption?.code;
    assert.equal(problem(0), undefined);
    assert.equal(problem(0, 0x7fff_0000n), program.PRIVILEGED_OPERATION);
    assert.equal(problem(0x9002), program.PRIVILEGED_OPERATION);
    // It may use key 9, which fits no page.
    assert.equal(problem(0x9002_9002, 0x40_0000n), program.PROTECTION);
    assert.equal(problem(0x00c1_0000), program.SPECIAL_OPERATION);
    assert.equal(problem(0x00c1_0000, 0n), program.SPECIAL_OPERATION);
  });
