import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as program from '../program.ts';
import { PSW_BA, PSW_DAT, PSW_EA, PSW_PROBLEM } from '../registers.ts';
import { machine, type TestMachine } from '../testing.ts';

const DAT = PSW_DAT | PSW_EA | PSW_BA;
const ASCE = 0x10_0003n;
const PRIMARY_ASTE = 0x5000;
const OTHER_ASTE = 0x5040;
const DUCT = 0x5080;
const ASN_FIRST = 0x6000;
const LINKAGE_TABLE = 0x5300;
const ENTRY_TABLE = 0x5400;
/** Entry descriptor of the header of the only section of the linkage stack. */
const HEADER = 0x7008;
const STATE = HEADER + 296;

/** Tables that map the first MiB to itself, spaces 1 (primary) and 2, and a linkage stack with room for `room` bytes. */
function linked(source: string, { mask = 0n, data = '', room = 0x300 } = {}): TestMachine {
  const m = machine(source, { mask: DAT | mask, data });
  const { storage } = m;
  for (let n = 1; n < 2048; n++) storage.write64(0x10_0000 + 8 * n, 0x20n);
  storage.write64(0x10_0000, 0x11_0000n);
  for (let n = 0; n < 256; n++) storage.write64(0x11_0000 + 8 * n, BigInt(n * 4096));
  for (const aste of [PRIMARY_ASTE, OTHER_ASTE]) {
    // Authorization index 1, an authority table of 4 entries that all are full.
    storage.write64(aste, 0x0000_5500_0001_0000n);
    storage.write64(aste + 8, ASCE);
    storage.write32(aste + 20, 0x77);
    storage.write32(aste + 24, 0x8000_0000 | LINKAGE_TABLE);
  }
  storage.write32(0x5500, 0xffff_ffff);
  storage.write32(LINKAGE_TABLE, ENTRY_TABLE | 0x3f);
  for (let n = 1; n < 32; n++) storage.write32(LINKAGE_TABLE + 4 * n, 0x8000_0000);
  // ASN 1 is the primary space, 2 the other.
  storage.write32(ASN_FIRST, PRIMARY_ASTE - 64);
  storage.write64(0x7000, 0n);
  storage.write64(HEADER, 0x0900_0000_0000_0000n | (BigInt(room) << 32n));
  // The trailer, with no next section.
  storage.write64(HEADER + 8 + room, 0n);
  return m
    .cr(0, 0x404_0000n)
    .cr(1, ASCE)
    .cr(2, BigInt(DUCT))
    .cr(3, 0x8000_0001n)
    .cr(4, 0x1_0001n)
    .cr(5, BigInt(PRIMARY_ASTE))
    .cr(7, ASCE)
    .cr(8, 0x0005_0000n)
    .cr(13, ASCE)
    .cr(14, BigInt(0x8_0000 | (ASN_FIRST >> 12)))
    .cr(15, BigInt(HEADER));
}

/** Entry 0 of the entry table: words. */
function entry(m: TestMachine, words: readonly number[]): TestMachine {
  words.forEach((word, n) => void m.storage.write32(ENTRY_TABLE + 4 * n, word >>> 0));
  return m;
}

test('BRANCH AND STACK, PROGRAM RETURN', () => {
  const m = linked('bakr %r0,%r5\nlghi %r6,1\n.short 0', { data: 'there: lghi %r2,5\nlghi %r1,6\npr' });
  m.gr(2, 22).gr(1, 11).ar(3, 33);
  m.gr(5, m.at('there')).run();
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.deepEqual([m.cpu.gr(1), m.cpu.gr(2), m.cpu.gr(6)], [6n, 22n, 1n]);
  assert.equal(m.cpu.cr(15), BigInt(HEADER));
  assert.equal(m.storage.read16(HEADER + 4), 0);
});

test('what a state entry holds and how to read it', () => {
  const source = 'bakr %r1,%r0\nereg %r6,%r7\nesta %r8,%r2\nesta %r10,%r3\nesta %r12,%r4\nmsta %r14\nesta %r8,%r5';
  const m = linked(source).gr(1, 0x1235).gr(2, 0).gr(3, 2).gr(4, 4).gr(5, 3).ar(7, 77);
  m.gr(6, 66)
    .gr(7, 0x1_0000_0007)
    .gr(8, 0)
    .gr(9, 0)
    .gr(10, 0)
    .gr(11, 0)
    .gr(12, 0)
    .gr(13, 0)
    .gr(14, 0xaaaa)
    .gr(15, 0xbbbb)
    .run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cc, 0);
  assert.equal(m.cpu.cr(15), BigInt(STATE));
  assert.deepEqual([m.cpu.gr(10), m.cpu.gr(11)], [0n, 0x405n]);
  assert.deepEqual([m.cpu.gr(12), m.cpu.gr(13)], [DAT, 0x1234n]);
  assert.deepEqual([m.cpu.gr(8), m.cpu.gr(9)], [0xaaaan, 0xbbbbn]);
  assert.equal(m.storage.read32(HEADER + 8 + 128), 0x8000_0001);
  assert.equal(m.storage.read32(HEADER + 8 + 132), 0x0005_0001);
  assert.equal(m.hex(STATE, 8), `0c00${(0x300 - 296).toString(16).padStart(4, '0')}00000000`);
  assert.equal(m.hex(HEADER + 4, 2), '0128');
});

test('a stacking PROGRAM CALL and its return', () => {
  const m = linked('pc 0\nlghi %r6,1\n.short 0', { mask: PSW_PROBLEM, data: 'there: lgr %r1,%r4\nepsw %r0,%r15\npr' });
  entry(m, [0, m.at('there'), 0x8000_0000, 0x0040_0000, 0xd490_1234, 0, 0x1111_2222, 0x3333_4444]);
  m.gr(4, 44).run();
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.equal(m.cpu.gr(1), 0x1111_2222_3333_4444n);
  // Key 9, supervisor state, primary-space mode.
  assert.equal(m.cpu.gr(0) & 0x00ff_c000n, 0x0090_0000n);
  assert.deepEqual([m.cpu.gr(4), m.cpu.gr(6)], [44n, 1n]);
  assert.equal(m.cpu.cr(3), 0x8000_0001n);
  assert.equal(m.cpu.cr(8), 0x0005_0000n);
  assert.equal(m.interruption?.oldMask, DAT | PSW_PROBLEM);
});

test('a basic PROGRAM CALL and PROGRAM TRANSFER', () => {
  const m = linked('pc 0\nlghi %r6,1\n.short 0', { mask: PSW_PROBLEM, data: 'there: lgr %r7,%r14\npt %r3,%r14' });
  entry(m, [0, m.at('there'), 0x8000_0000, 0x0040_0000, 0x4000_0000, 0, 0, 9]);
  m.run();
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.equal(m.cpu.gr(7), 0x405n);
  assert.equal(m.cpu.gr(3), 0x8000_0001n);
  assert.equal(m.cpu.gr(4), 9n);
  assert.equal(m.cpu.gr(6), 1n);
  assert.equal(m.cpu.cr(3), 0x8000_0001n);
  assert.equal(m.interruption?.oldMask, DAT | PSW_PROBLEM);
});

test('a PROGRAM CALL to another space', () => {
  const m = linked('pc 0\nlghi %r6,1\n.short 0', { data: 'there: epar %r8\nesar %r9\npr' });
  entry(m, [0, m.at('there'), 0x8000_0002, 0, 0xc000_0000, OTHER_ASTE, 0, 0]);
  m.gr(8, 0).gr(9, 0).run();
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.equal(m.cpu.cr(4) & 0xffffn, 1n);
  assert.equal(m.cpu.cr(5), BigInt(PRIMARY_ASTE));
  // Bytes 144-147 of the state entry: the called space.
  assert.equal(m.hex(HEADER + 8 + 144, 8), '0002007780000000');
});

test('what a PROGRAM CALL can meet', () => {
  const code = (change: (m: TestMachine) => void, source = 'pc 0'): number | undefined => {
    const m = linked(source);
    entry(m, [0, 0x400, 0, 0, 0xc000_0000]);
    change(m);
    return m.run().interruption?.code;
  };
  assert.equal(
    code(() => {}, 'pc 0x100'),
    program.LX_TRANSLATION,
  );
  assert.equal(
    code(m => m.storage.write32(LINKAGE_TABLE, ENTRY_TABLE), 'pc 4'),
    program.EX_TRANSLATION,
  );
  assert.equal(
    code(m => m.storage.write32(PRIMARY_ASTE + 24, LINKAGE_TABLE)),
    program.SPECIAL_OPERATION,
  );
  assert.equal(
    code(m => void entry(m, [0, 0x100_0000, 0, 0, 0x8000_0000])),
    program.PC_TRANSLATION_SPECIFICATION,
  );
  assert.equal(
    code(m => m.storage.write64(HEADER, 0x0900_0004_0000_0000n)),
    program.STACK_SPECIFICATION,
  );
  assert.equal(
    code(m => m.storage.write64(HEADER, 0x0900_0008_0000_0000n)),
    program.STACK_FULL,
  );
  const problem = linked('pc 0', { mask: PSW_PROBLEM });
  entry(problem, [0, 0x400, 0x4000_0000, 0, 0xc000_0000]);
  assert.equal(problem.run().interruption?.code, program.PRIVILEGED_OPERATION);
});

test('an empty stack, and one that must not be unstacked', () => {
  assert.equal(linked('pr').run().interruption?.code, program.STACK_EMPTY);
  const suppressed = linked('pr');
  suppressed.storage.write8(HEADER, 0x89);
  assert.equal(suppressed.run().interruption?.code, program.STACK_OPERATION);
  const wrong = linked('pr');
  wrong.storage.write8(HEADER, 0x0b);
  assert.equal(wrong.run().interruption?.code, program.STACK_TYPE);
});

test('SET SECONDARY ASN', () => {
  const m = linked('ssar %r1\nesar %r2').gr(1, 2).gr(2, 0).run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cpu.gr(2), 2n);
  const absent = linked('ssar %r1').gr(1, 2);
  absent.storage.write32(OTHER_ASTE, 0x8000_5500);
  absent.run();
  assert.equal(absent.interruption?.code, program.ASX_TRANSLATION);
  assert.equal(absent.interruption?.teid, 2n);
  const forbidden = linked('ssar %r1').gr(1, 2);
  forbidden.storage.write32(0x5500, 0);
  assert.equal(forbidden.run().interruption?.code, program.SECONDARY_AUTHORITY);
});

test('BRANCH AND SET AUTHORITY, there and back', () => {
  const m = linked('bsa %r1,%r2\nlghi %r6,1\n.short 0', { data: 'there: lghi %r7,2\nbsa %r0,%r0' });
  m.gr(1, 0x4000_0030).gr(2, m.at('there')).cr(3, 0xc000_0001n).run();
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.deepEqual([m.cpu.gr(6), m.cpu.gr(7), m.cpu.cr(3)], [1n, 2n, 0xc000_0001n]);
  assert.equal(m.interruption?.oldMask, DAT);
});

test('TEST ACCESS', () => {
  const cc = (alet: number): number => {
    const m = linked('tar %a1,%r2').ar(1, alet).gr(2, 0);
    m.storage.write32(DUCT + 16, 0x5600);
    m.storage.write32(0x5600 + 32, 0);
    m.storage.write32(0x5600 + 40, OTHER_ASTE);
    m.storage.write32(0x5600 + 44, 0x77);
    return m.run().cc;
  };
  assert.deepEqual([0, 1, 2, 3 + 0x200_0000].map(cc), [0, 3, 1, 3]);
});

test('TRACE', () => {
  const m = machine('trace %r1,%r2,a\ntracg %r1,%r1,a', { data: '.balign 4\na: .long 0x1234' }).gr(1, 5).gr(2, 6);
  m.cr(12, 0x8001n).run();
  assert.equal(m.hex(0x8000, 2), '7100');
  assert.equal(m.hex(0x8008, 12), '000012340000000500000006');
  assert.equal(m.hex(0x8014, 2), '7080');
  assert.equal(m.hex(0x8020, 12), '000012340000000000000005');
  assert.equal(m.cpu.cr(12), 0x802dn);
  const full = machine('trace %r1,%r2,a', { data: '.balign 4\na: .long 0' });
  full.cr(12, 0x8fd1n).run();
  assert.equal(full.interruption?.code, program.TRACE_TABLE);
  assert.equal(full.interruption?.oldAddress, 0x400n);
});

test('branches by register are traced', () => {
  for (const fast of [false, true]) {
    const m = machine('basr %r14,%r3\n.org 0x410\nbalr %r14,%r4\n.org 0x420\nbasr %r14,%r0\nlghi %r6,1\n.short 0');
    m.gr(3, 0x410).gr(4, 0x420).cr(12, 0x8000_0000_0000_8000n);
    if (fast) m.fast();
    m.run();
    assert.equal(m.hex(0x8000, 12), '800004108000042000000000');
    assert.equal(m.cpu.cr(12), 0x8000_0000_0000_8008n);
    assert.deepEqual([m.cpu.gr(6), m.cpu.gr(14)], [1n, 0x422n]);
  }
  const full = machine('basr %r14,%r3').gr(3, 0x400).gr(14, 7).cr(12, 0x8000_0000_0000_8ffcn).run();
  assert.equal(full.interruption?.code, program.TRACE_TABLE);
  assert.deepEqual([full.interruption?.oldAddress, full.cpu.gr(14)], [0x400n, 7n]);
  const none = machine('basr %r14,%r3\n.short 0').gr(3, 0x402).cr(12, 0x8000n).run();
  assert.equal(none.cpu.cr(12), 0x8000n);
});

test('changes of the addressing mode are traced', () => {
  const m = machine('sam31\nsam64\nbassm %r14,%r3\n.org 0x410\nbsm %r0,%r4\n.org 0x420\nsam24')
    .gr(3, 0x8000_0410n)
    .gr(4, 0x421);
  m.cr(12, 0xc000_0000_0000_8000n).run();
  const entries = ['5120000000000402', '5130000080000404', '51a0000000000410', '5130000080000412', '5120000000000422'];
  assert.equal(m.hex(0x8000, 40), entries.join(''));
});

test('changes of the address space are traced', () => {
  const m = linked('ssar %r1\npc 0\nlghi %r6,1\n.short 0', { data: 'there: pr' }).gr(1, 2);
  entry(m, [0, m.at('there'), 0x8000_0001, 0x8000_0000, 0xc000_0000, 0, 0, 0]);
  m.storage.write32(ENTRY_TABLE + 8, 0x8000_0000);
  m.cr(12, 0x8002n).run();
  assert.equal(m.cpu.gr(6), 1n);
  assert.equal(m.hex(0x8000, 4), '10000002');
  assert.equal(m.hex(0x8004, 12), '220000000000000000000408');
  assert.equal(m.hex(0x8010, 4), '320a0001');
  assert.equal(m.hex(0x8014, 8), `00000408${(m.at('there') + 2).toString(16).padStart(8, '0')}`);
  assert.equal(m.cpu.cr(12), 0x801en);
});

test('LOAD ADDRESS SPACE PARAMETERS', () => {
  const load = (asns: bigint, controls: number, change: (m: TestMachine) => void = () => {}): TestMachine => {
    const m = linked(`lasp a,${controls}`, { data: '.balign 8\na: .quad 0' });
    m.storage.write64(m.at('a'), asns);
    change(m);
    return m.run();
  };
  const both = load(0xc000_0002_0005_0002n, 0);
  assert.deepEqual([both.cc, both.cpu.cr(3), both.cpu.cr(4), both.cpu.cr(5)], [0, 0xc000_0002n, 0x1_0002n, 0x5040n]);
  assert.equal(load(0xc000_0001_0005_0001n, 2).cpu.cr(4), 0x5_0001n);
  const absent = (m: TestMachine): void => m.storage.write32(OTHER_ASTE, 0x8000_5500);
  assert.equal(load(0xc000_0002_0005_0002n, 0, absent).cc, 1);
  assert.equal(load(0xc000_0002_0005_0001n, 0, absent).cc, 2);
  assert.equal(load(0xc000_0002_0005_0001n, 0, m => m.storage.write32(0x5500, 0)).cc, 2);
  assert.equal(load(0xc000_0002_0005_0002n, 0, m => void m.cr(1, ASCE | 0x40n)).cc, 3);
});

test('RESUME PROGRAM', () => {
  const m = linked('rp a(%r5)\n.short 4,0,16,20\n.short 0', {
    data: 'there: lghi %r6,1\n.short 0\n.balign 8\na: .quad 0xffff2f0180000000,there,0x0000001255667788',
  });
  m.gr(5, 0).run();
  // Base 0 in the address: the register that is restored is still R5.
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.deepEqual([m.cpu.gr(6), m.cpu.gr(5), m.cpu.ar(5), m.cc], [1n, 0x5566_7788n, 0x12, 2]);
  assert.equal(m.interruption?.oldMask, DAT | 0x0000_2f00_0000_0000n);
});

test('TRAP2', () => {
  const m = linked('trap2\n.short 0', { data: 'handler: lghi %r6,1\n.short 0' });
  m.storage.write32(DUCT + 44, 0x8001);
  m.storage.write32(0x8000, 0x0006_0000);
  m.storage.write32(0x800c, 0x9000);
  m.storage.write32(0x8014, m.at('handler'));
  m.gr(15, 0xabc).run();
  assert.equal(m.cpu.gr(6), 1n);
  assert.equal(m.cpu.gr(15), 0x8000n);
  assert.equal(m.storage.read64(0x9010), DAT);
  assert.equal(m.storage.read64(0x9018), 0x402n);
  assert.equal(m.storage.read64(0x9020 + 120), 0xabcn);
  assert.equal(linked('trap4 0').run().interruption?.code, program.SPECIAL_OPERATION);
});

test('ASNs with their instances', () => {
  // ASN-and-LX reuse: instance numbers are in bits 0-31 of control registers 3 and 4, and in word 11 of the ASTE.
  const reuse = (source: string): TestMachine => {
    const m = linked(source).cr(0, 0x40c_0000n).cr(3, 0x33_8000_0001n).cr(4, 0x44_0001_0001n);
    m.storage.write32(OTHER_ASTE + 44, 0x55);
    return m;
  };
  const both = reuse('epair %r1\nesair %r2').run();
  assert.equal(both.interruption, undefined);
  assert.deepEqual([both.cpu.gr(1), both.cpu.gr(2)], [0x44_0000_0001n, 0x33_0000_0001n]);

  const secondary = reuse('ssair %r1').gr(1, 0x55_0000_0002n).run();
  assert.equal(secondary.interruption, undefined);
  assert.equal(secondary.cpu.cr(3), 0x55_8000_0002n);
  const other = reuse('ssair %r1').gr(1, 0x56_0000_0002n).run();
  assert.equal(other.interruption?.code, program.ASTE_INSTANCE);
});

test('PROGRAM TRANSFER WITH INSTANCE', () => {
  const transfer = (instance: bigint): TestMachine => {
    const m = linked('pti %r1,%r2\n.short 0', { data: 'there: lghi %r6,1\n.short 0' }).cr(0, 0x40c_0000n);
    m.storage.write32(OTHER_ASTE + 44, 0x55);
    return m
      .gr(1, (instance << 32n) | 0x8000_0002n)
      .gr(2, m.at('there'))
      .run();
  };
  const m = transfer(0x55n);
  assert.equal(m.interruption?.code, program.OPERATION);
  assert.equal(m.cpu.gr(6), 1n);
  assert.equal(m.cpu.cr(4), 0x55_0001_0002n);
  assert.equal(m.cpu.cr(5), BigInt(OTHER_ASTE));
  assert.equal(transfer(0x56n).interruption?.code, program.ASTE_INSTANCE);
});

test('BRANCH IN SUBSPACE GROUP', () => {
  const branch = (alet: number, change: (m: TestMachine) => void = () => {}): TestMachine => {
    const m = linked('bsg %r1,%r2\n.short 0', { data: 'there: lghi %r6,1\n.short 0' });
    // The base space is the primary one, and a subspace is in the access list.
    m.storage.write32(DUCT, PRIMARY_ASTE);
    m.storage.write32(DUCT + 4, 0);
    m.storage.write32(DUCT + 16, 0x5600);
    m.storage.write64(OTHER_ASTE + 8, ASCE | 0x200n);
    m.storage.write32(0x5600 + 32, 0);
    m.storage.write32(0x5600 + 40, OTHER_ASTE);
    m.storage.write32(0x5600 + 44, 0x77);
    change(m);
    return m.ar(2, alet).gr(2, m.at('there')).run();
  };
  const base = branch(0);
  assert.equal(base.interruption?.code, program.OPERATION);
  assert.deepEqual([base.cpu.gr(6), base.cpu.gr(1), base.cpu.cr(1)], [1n, 0x404n, ASCE]);
  const subspace = branch(2);
  assert.equal(subspace.cpu.gr(6), 1n);
  assert.equal(subspace.cpu.cr(1), ASCE | 0x200n);
  // The dispatchable unit is in its subspace now.
  assert.equal(subspace.storage.read32(DUCT + 4), (0x8000_0000 | OTHER_ASTE) >>> 0);
  assert.equal(subspace.storage.read32(DUCT + 12), 0x77);
  // ALET 1 is the subspace last used; there is none. The group is another; the space is no subspace.
  assert.equal(branch(1).interruption?.code, program.SPECIAL_OPERATION);
  assert.equal(branch(0, m => m.storage.write32(DUCT, OTHER_ASTE)).interruption?.code, program.SPECIAL_OPERATION);
  assert.equal(branch(2, m => m.storage.write64(OTHER_ASTE + 8, ASCE)).interruption?.code, program.SPECIAL_OPERATION);
  // The translation is a special one: a private entry without authority, and another sequence number in the ALET.
  const special = branch(0x44_0002, m => m.storage.write32(0x5600 + 32, 0x0133_1234));
  assert.deepEqual([special.interruption?.code, special.cpu.gr(6)], [program.OPERATION, 1n]);
  // Exceptions of the translation tell the access register.
  const refused = (alet: number, change: (m: TestMachine) => void) => {
    const m = branch(alet, m => {
      m.storage.write8(0xa0, 0xff);
      change(m);
    });
    return [m.interruption?.code, m.storage.read8(0xa0)];
  };
  assert.deepEqual(
    refused(2, m => m.storage.write32(0x5600 + 32, 0x8000_0000)),
    [program.ALEN_TRANSLATION, 2],
  );
  const active = (m: TestMachine): void => m.storage.write32(DUCT + 4, OTHER_ASTE);
  assert.deepEqual(refused(1, active), [program.ASTE_SEQUENCE, 2]);
});
