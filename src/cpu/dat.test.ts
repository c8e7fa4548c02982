import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as program from './program.ts';
import { PSW_BA, PSW_DAT, PSW_EA, PSW_PROBLEM } from './registers.ts';
import { machine, type TestMachine } from './testing.ts';

const DAT = PSW_DAT | PSW_EA | PSW_BA;
const SEGMENTS = 0x10_0000;
const PAGES = 0x11_0000;
const INVALID = 0x20n;
const EDAT = 0x80_0000n;
const EXECUTION_PROTECTION = 0x10_0000n;
const AFP = 0x4_0000n;

/** A segment table whose first segment maps 1 MiB to itself, page by page. */
function identity(m: TestMachine, segments = SEGMENTS, pages = PAGES): TestMachine {
  for (let n = 1; n < 2048; n++) m.storage.write64(segments + 8 * n, INVALID);
  m.storage.write64(segments, BigInt(pages));
  for (let n = 0; n < 256; n++) m.storage.write64(pages + 8 * n, BigInt(n * 4096));
  return m;
}

/** A program with DAT on, space 1 as the primary one. */
function translated(source: string, { cr0 = AFP, mask = 0n, data = '' } = {}): TestMachine {
  const m = identity(machine(source, { mask: DAT | mask, data }));
  return m.cr(0, cr0).cr(1, BigInt(SEGMENTS | 3));
}

/** Both programs of the interpreter must agree. */
function each(name: string, check: (m: (m: TestMachine) => TestMachine) => void): void {
  test(name, () => {
    check(m => m);
    check(m => m.fast());
  });
}

each('a page is where its entry says', mode => {
  const m = translated('lg %r2,0x20(%r1)').gr(1, 0x20000);
  m.storage.write64(PAGES + 8 * 0x20, 0x3000n);
  m.storage.write64(0x3020, 0x1234n);
  mode(m).run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cpu.gr(2), 0x1234n);
});

each('an operand across two pages that are apart', mode => {
  const m = translated('lg %r2,0(%r1)\nstg %r3,0(%r4)').gr(1, 0x20ffc).gr(3, 0x1122_3344_5566_7788n).gr(4, 0x20ffa);
  m.storage.write64(PAGES + 8 * 0x20, 0x3000n);
  m.storage.write64(PAGES + 8 * 0x21, 0x9000n);
  m.storage.write32(0x3ffc, 0xaabbccdd);
  m.storage.write32(0x9000, 0xeeff0011);
  mode(m).run();
  assert.equal(m.cpu.gr(2), 0xaabb_ccdd_eeff_0011n);
  assert.equal(m.hex(0x3ffa, 6), '112233445566');
  assert.equal(m.hex(0x9000, 2), '7788');
});

/** A program that calls an instruction which begins at the end of frame 3 and ends in frame 9 five times, doing something after the third. */
function callingAcross(change: string): TestMachine {
  const m = translated(`
      lghi %r2,0
      lghi %r3,5
loop: basr %r14,%r1
      cghi %r3,3
      jne next
      ${change}
next: brctg %r3,loop`);
  m.gr(1, 0x20ffe)
    .gr(4, 0x9000)
    .gr(5, 0x3000)
    .gr(6, PAGES)
    .gr(7, 0x21000)
    .gr(8, 0xa000)
    .gr(9, PAGES + 8 * 0x21);
  m.storage.write64(PAGES + 8 * 0x20, 0x3000n);
  m.storage.write64(PAGES + 8 * 0x21, 0x9000n);
  // AGFI 2,1 and BR 14; in frame 10 what adds 32.
  m.store(0x3ffe, 'c228').store(0x9000, '0000000107fe').store(0xa000, '0000002007fe');
  return m;
}

each('an instruction across two pages that are apart, time and again', mode => {
  assert.equal(mode(callingAcross('nopr')).run().cpu.gr(2), 5n);
});

each('a store to its end counts at once', mode => {
  assert.equal(mode(callingAcross('mvi 3(%r4),16')).run().cpu.gr(2), 3n + 2n * 16n);
});

each('a store to its beginning counts at once', mode => {
  // LGFI in place of AGFI.
  assert.equal(mode(callingAcross('mvhhi 0xffe(%r5),-0x3fdf')).run().cpu.gr(2), 1n);
});

each('it ends where the second page is now', mode => {
  assert.equal(mode(callingAcross('ipte %r6,%r7\nsturg %r8,%r9')).run().cpu.gr(2), 3n + 2n * 32n);
});

each('page translation nullifies and tells page, kind of access and space', mode => {
  const m = translated('stg %r2,0x123(%r1)').gr(1, 0x20000);
  m.storage.write64(PAGES + 8 * 0x20, 0x400n);
  mode(m).run();
  assert.equal(m.interruption?.code, program.PAGE_TRANSLATION);
  assert.equal(m.interruption?.teid, 0x20400n);
  assert.equal(m.interruption?.oldAddress, 0x400n);
  assert.equal(m.interruption?.length, 6);
});

each('the home space', mode => {
  const m = translated('lg %r2,0(%r1)', { mask: 3n << 46n }).gr(1, 0x7fff_f000);
  m.cr(13, BigInt(SEGMENTS | 3));
  mode(m).run();
  assert.equal(m.interruption?.code, program.SEGMENT_TRANSLATION);
  assert.equal(m.interruption?.teid, 0x7fff_f803n);
});

each('an address that the table type does not reach', mode => {
  const m = mode(translated('lg %r2,0(%r1)').gr(1, 0x8000_0000)).run();
  assert.equal(m.interruption?.code, program.ASCE_TYPE);
});

each('table lengths', mode => {
  const m = translated('lg %r2,0(%r1)').gr(1, 0x2000_0000);
  m.cr(1, BigInt(SEGMENTS));
  assert.equal(mode(m).run().interruption?.code, program.SEGMENT_TRANSLATION);
});

test('all five levels, each with its exception', () => {
  const tables = { 3: 0x14_0000, 2: 0x14_8000, 1: 0x15_0000 } as const;
  const address = 0x0123_4567_0008_9000n;
  const index = (level: number): number => Number((address >> BigInt(20 + 11 * level)) & 0x7ffn);
  const build = (): TestMachine => {
    const m = identity(machine('lg %r2,0(%r1)', { mask: DAT, storageSize: 0x400000 }).gr(1, address));
    // The program is in region 0 everywhere, the operand elsewhere.
    for (const level of [3, 2, 1] as const) {
      const next = level === 1 ? SEGMENTS : tables[(level - 1) as 1 | 2];
      const type = BigInt(level << 2);
      m.storage.write64(tables[level] + 8 * index(level), BigInt(next) | type | 3n);
      m.storage.write64(tables[level], BigInt(next) | type | 3n);
    }
    m.storage.write64(SEGMENTS + 8 * index(0), BigInt(PAGES));
    m.storage.write64(0x89000, 77n);
    return m.cr(0, AFP).cr(1, BigInt(tables[3] | 0xf));
  };
  assert.equal(build().run().cpu.gr(2), 77n);
  const codes = {
    3: program.REGION_FIRST_TRANSLATION,
    2: program.REGION_SECOND_TRANSLATION,
    1: program.REGION_THIRD_TRANSLATION,
  };
  for (const level of [3, 2, 1] as const) {
    const at = tables[level] + 8 * index(level);
    const invalid = build();
    invalid.storage.write64(at, invalid.storage.read64(at) | INVALID);
    assert.equal(invalid.run().interruption?.code, codes[level]);
    const wrong = build();
    wrong.storage.write64(at, wrong.storage.read64(at) ^ 4n);
    assert.equal(wrong.run().interruption?.code, program.TRANSLATION_SPECIFICATION);
  }
  const offset = build();
  // The table that the region-third table's entry leads to begins behind the index.
  offset.storage.write64(tables[1] + 8 * index(1), BigInt(SEGMENTS) | 0x4cn | 3n);
  offset.storage.write64(tables[1] + 8 * index(1), BigInt(SEGMENTS) | 0xc4n | 3n);
  assert.equal(offset.run().interruption?.code, program.SEGMENT_TRANSLATION);
});

each('protection at page and segment; suppressed, so the next instruction is behind', mode => {
  for (const at of [PAGES + 8 * 0x20, SEGMENTS]) {
    const m = translated('stg %r2,0(%r1)').gr(1, 0x20000);
    m.storage.write64(at, m.storage.read64(at) | 0x200n);
    mode(m).run();
    assert.equal(m.interruption?.code, program.PROTECTION);
    assert.equal(m.interruption?.teid, 0x20404n);
    assert.equal(m.interruption?.oldAddress, 0x406n);
  }
});

each('frames of 1 MiB', mode => {
  const m = translated('lg %r2,0(%r1)\nstg %r2,8(%r1)', { cr0: AFP | EDAT }).gr(1, 0x10_2340);
  m.storage.write64(SEGMENTS + 8, 0x400n);
  m.storage.write64(0x2340, 5n);
  mode(m).run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.storage.read64(0x2348), 5n);
  assert.equal(m.cpu.gr(2), 5n);
});

each('no execution', mode => {
  const m = translated('br %r1', { cr0: AFP | EXECUTION_PROTECTION }).gr(1, 0x20000);
  m.storage.write64(PAGES + 8 * 0x20, 0x3100n);
  mode(m).run();
  assert.equal(m.interruption?.code, program.PROTECTION);
  assert.equal(m.interruption?.teid, 0x20884n);
});

each('low-address protection spares bytes 512 to 4095, and private spaces', mode => {
  const LAP = 0x1000_0000n;
  const source = 'stg %r2,0x200(0)\nstg %r2,0x210(0)\nlg %r3,0(%r0)\nstg %r2,0x1f8(0)';
  const m = mode(translated(source, { cr0: AFP | LAP }).gr(2, 9)).run();
  assert.equal(m.interruption?.code, program.PROTECTION);
  assert.equal(m.interruption?.teid, 0x480n);
  assert.equal(m.interruption?.oldAddress, 0x418n);
  assert.equal(m.storage.read64(0x210), 9n);
  const privately = translated('stg %r2,0x1f8(0)', { cr0: AFP | LAP }).gr(2, 9);
  privately.cr(1, BigInt(SEGMENTS | 0x103));
  assert.equal(mode(privately).run().interruption, undefined);
});

each('key-controlled protection; reference and change are recorded', mode => {
  const key = 1n << 52n;
  const run = (source: string, storageKey: number): TestMachine => {
    const m = translated(source, { mask: PSW_PROBLEM | key }).gr(1, 0x20000);
    m.cpu.u8.fill(0x10, m.cpu.layout.keys, m.cpu.layout.keys + 256);
    m.cpu.u8[m.cpu.layout.keys + 0x20] = storageKey;
    return mode(m).run();
  };
  assert.equal(run('lg %r2,0(%r1)', 0x20).interruption, undefined);
  assert.equal(run('stg %r2,0(%r1)', 0x20).interruption?.teid, 0x20408n);
  assert.equal(run('lg %r2,0(%r1)', 0x28).interruption?.teid, 0x20808n);
  const own = run('lg %r2,0(%r1)\nstg %r2,0(%r1)', 0x18);
  assert.equal(own.interruption, undefined);
  assert.equal(own.cpu.u8[own.cpu.layout.keys + 0x20], 0x1e);
  const fetched = run('lg %r2,0(%r1)', 0x18);
  assert.equal(fetched.cpu.u8[fetched.cpu.layout.keys + 0x20], 0x1c);
});

each('storage that is not there', mode => {
  const m = translated('lg %r2,0(%r1)').gr(1, 0x20000);
  m.storage.write64(PAGES + 8 * 0x20, 0x4000_0000n);
  assert.equal(mode(m).run().interruption?.code, program.ADDRESSING);
});

const OTHER = 0x12_0000;
const OTHER_PAGES = 0x13_0000;
const DUCT = 0x5000;
const LIST = 0x5080;
const ASTE = 0x5100;
/** Designates the other space by the access list's entry 3, sequence number 7. */
const OTHER_ALET = 0x0007_0003;

/** A program in the access-register mode: 0x20000, to which GR1 points, is the number 1 here, and in another space 3, in frame 3. */
function twoSpaces(source: string, options: { mask?: bigint; data?: string } = {}): TestMachine {
  const m = identity(translated(source, { mask: 1n << 46n, ...options }), OTHER, OTHER_PAGES).gr(1, 0x20000);
  m.storage.write64(OTHER_PAGES + 8 * 0x20, 0x3000n);
  m.storage.write64(0x3000, 3n);
  m.storage.write64(0x20000, 1n);
  m.storage.write32(DUCT + 16, LIST);
  m.storage.write32(LIST + 48, 0x0007_0000);
  m.storage.write32(LIST + 56, ASTE);
  m.storage.write32(LIST + 60, 0x55);
  m.storage.write64(ASTE + 8, BigInt(OTHER | 3));
  m.storage.write32(ASTE + 20, 0x55);
  for (const n of [0, 1, 2]) m.storage.write32(LIST + 16 * n, 0x8000_0000);
  return m.cr(2, BigInt(DUCT));
}

test('access registers select spaces, with the exceptions of their translation', () => {
  const build = (alet: number, source = 'lg %r2,0(%r1)'): TestMachine => twoSpaces(source).ar(1, alet);
  assert.equal(build(0).run().cpu.gr(2), 1n);
  assert.equal(build(OTHER_ALET).run().cpu.gr(2), 3n);
  assert.equal(build(0x0200_0003).run().interruption?.code, program.ALET_SPECIFICATION);
  assert.equal(build(0x0000_0002).run().interruption?.code, program.ALEN_TRANSLATION);
  assert.equal(build(0x0000_0008).run().interruption?.code, program.ALEN_TRANSLATION);
  assert.equal(build(0x0006_0003).run().interruption?.code, program.ALE_SEQUENCE);
  const sequence = build(OTHER_ALET);
  sequence.storage.write32(ASTE + 20, 0x56);
  assert.equal(sequence.run().interruption?.code, program.ASTE_SEQUENCE);
  const invalid = build(OTHER_ALET);
  invalid.storage.write32(ASTE, 0x8000_0000);
  assert.equal(invalid.run().interruption?.code, program.ASTE_VALIDITY);
  // A page fault names the access register; a store through a fetch-only entry is protected.
  const fault = build(OTHER_ALET);
  fault.storage.write64(OTHER_PAGES + 8 * 0x20, 0x400n);
  fault.run();
  assert.equal(fault.interruption?.teid, 0x20801n);
  assert.equal(fault.storage.read8(0xa0), 1);
  const readOnly = build(OTHER_ALET, 'stg %r2,0(%r1)');
  readOnly.storage.write32(LIST + 48, 0x0207_0000);
  readOnly.run();
  assert.equal(readOnly.interruption?.code, program.PROTECTION);
  assert.equal(readOnly.interruption?.teid, 0x2040dn);
});

test('PERFORM LOCKED OPERATION in the access-register mode takes ALETs from its parameter list', () => {
  const COMPARE_AND_LOAD = 1;
  const COMPARE_AND_SWAP_AND_STORE = 13;
  const OLD = 0x1_0002;
  const build = (code: number, alet: number, source = 'plo %r2,0(%r6),%r4,0(%r5)', mask = 1n << 46n): TestMachine => {
    const m = twoSpaces(source, {
      mask,
      data: '.balign 16\nsecond: .quad 5\n.balign 16\nlist: .quad 0,0,0,0,0,0,0,0,0,0,0,0',
    });
    const list = m.at('list');
    m.storage.write64(list + 8, 5n);
    m.storage.write64(list + 24, 6n);
    m.storage.write64(list + 56, 7n);
    m.storage.write32(list + 68, alet);
    m.storage.write64(list + 72, 0x20000n);
    return m.gr(0, code).gr(5, list).gr(6, m.at('second')).ar(4, OLD).ar(5, 0).ar(6, 0);
  };
  // The ALET is put into access register R3, which leads to the fourth operand.
  const loaded = build(COMPARE_AND_LOAD, OTHER_ALET).run();
  assert.deepEqual([loaded.interruption, loaded.cc], [undefined, 0]);
  assert.equal(loaded.storage.read64(loaded.at('list') + 40), 3n);
  assert.equal(loaded.cpu.ar(4), OTHER_ALET);
  const stored = build(COMPARE_AND_SWAP_AND_STORE, OTHER_ALET).run();
  assert.deepEqual([stored.interruption, stored.cc], [undefined, 0]);
  assert.deepEqual(
    [stored.at('second'), 0x3000, 0x20000].map(at => stored.storage.read64(at)),
    [6n, 7n, 1n],
  );
  // Nothing else leads to the operand's space where translating it ends with an exception, so that the ALET is there then, too.
  const fault = build(COMPARE_AND_SWAP_AND_STORE, OTHER_ALET);
  fault.storage.write64(OTHER_PAGES + 8 * 0x20, 0x400n);
  fault.run();
  assert.equal(fault.interruption?.code, program.PAGE_TRANSLATION);
  assert.deepEqual([fault.storage.read8(0xa0), fault.cpu.ar(4)], [4, OTHER_ALET]);
  assert.equal(fault.storage.read64(fault.at('second')), 5n);
  assert.equal(build(COMPARE_AND_LOAD, 0x0200_0003).run().interruption?.code, program.ALET_SPECIFICATION);
  // Without a fourth operand, because the first two are not equal, there is no use for its ALET.
  const unequal = build(COMPARE_AND_LOAD, OTHER_ALET);
  unequal.storage.write64(unequal.at('second'), 4n);
  unequal.run();
  assert.deepEqual([unequal.cc, unequal.cpu.ar(4)], [1, OLD]);
  assert.equal(unequal.storage.read64(unequal.at('list') + 8), 4n);
  // Access register 0 cannot hold an ALET.
  const zero = build(COMPARE_AND_LOAD, OTHER_ALET, 'plo %r2,0(%r6),%r0,0(%r5)').run();
  assert.equal(zero.interruption?.code, program.SPECIFICATION);
  // In the other modes there are no ALETs.
  const primary = build(COMPARE_AND_LOAD, OTHER_ALET, undefined, 0n).run();
  assert.equal(primary.storage.read64(primary.at('list') + 40), 1n);
  assert.equal(primary.cpu.ar(4), OLD);
});

const SECOND_SEGMENTS = 0x12_0000;
const SECOND_PAGES = 0x13_0000;
const HOME_SPACE = 0xc000_0000_0000n;

each('supervisor calls, their return and changes of the space, again and again', mode => {
  const m = translated(
    `
  again: svc 7
  back: brctg %r5,again
    j end
  handler: lg %r6,0x20000
    lctlg %c1,%c1,second
    sacf 0
    ag %r7,0x20000
    sacf 0x300
    lctlg %c1,%c1,first
    llgf %r8,0x88
    lpswe 0x140
  end: nopr 0`,
    { cr0: AFP | 0x400_0000n, data: `first: .quad ${SEGMENTS | 3}\nsecond: .quad ${SECOND_SEGMENTS | 3}` },
  ).gr(5, 10);
  identity(m, SECOND_SEGMENTS, SECOND_PAGES);
  m.cr(13, BigInt(SEGMENTS | 3));
  m.storage.write64(PAGES + 8 * 0x20, 0x3000n);
  m.storage.write64(SECOND_PAGES + 8 * 0x20, 0x9000n);
  m.storage.write64(0x3000, 5n);
  m.storage.write64(0x9000, 3n);
  // The handler runs in the home space.
  m.storage.write64(0x1c0, DAT | HOME_SPACE);
  m.storage.write64(0x1c8, BigInt(m.at('handler')));
  m.setCc(2);
  mode(m).run();
  assert.equal(m.interruption, undefined);
  assert.equal(m.cpu.gr(6), 5n);
  assert.equal(m.cpu.gr(7), 30n);
  assert.equal(m.cpu.gr(8), 0x0002_0007n);
  assert.equal(m.storage.read64(0x140), DAT | 0x2000_0000_0000n);
  assert.equal(m.storage.read64(0x148), BigInt(m.at('back')));
  // LPSWE is a breaking event, SVC is none; then came the branch to the end.
  assert.equal(m.cpu.breakingEventAddress, BigInt(m.at('back') + 4));
});
