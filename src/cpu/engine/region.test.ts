import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileHere } from '../compiler.ts';
import { instructionLength } from '../isa/formats.ts';
import { PENDING } from '../state.ts';
import { machine, type TestMachine } from '../testing.ts';
import { HANDLER_REGION } from './protocol.ts';

/** Small random numbers, the same for the same seed. */
function random(seed: number): (below: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return below => {
    for (const by of [13, -17, 5]) state = (by > 0 ? state ^ (state << by) : state ^ (state >>> -by)) >>> 0;
    return state % below;
  };
}

const REGISTERS = 8;
/** Instructions for random programs; # stands for a register, @ for storage, * for a count. */
const INSTRUCTIONS = [
  ...'lr lgr ar agr sr sgr xr xgr nr ogr llgfr lgfr algr alcgr slgr slbgr alr alcr msr cr clgr ltgr'
    .split(' ')
    .map(mnemonic => `${mnemonic} #,#`),
  ...'ahi aghi lghi'.split(' ').flatMap(mnemonic => [`${mnemonic} #,-1`, `${mnemonic} #,32767`]),
  ...'lg l stg st ng n'.split(' ').map(mnemonic => `${mnemonic} #,@`),
  ...'locre locrh locrnl'.split(' ').map(mnemonic => `${mnemonic} #,#`),
  'rll #,#,*',
  'rllg #,#,*',
  'sllg #,#,*',
  'srl #,*',
  'sra #,*',
  'risbg #,#,*,*,*',
  'risbgn #,#,3,189,*',
  'rxsbg #,#,40,63,*',
  'mlgr %r2,#',
  'tmll #,4660',
  'icm #,5,@',
  'lmg %r2,%r7,@',
  'stmg %r0,%r7,512(%r13)',
  'stosm @,3',
  'stnsm @,252',
  'mvc 24(3,%r13),64(%r13)',
  'mvc 1(70,%r13),0(%r13)',
  'clc 16(8,%r13),40(%r13)',
  'clc 8(5,%r13),24(%r13)',
  'xc 32(20,%r13),32(%r13)',
  'trt 10(20,%r13),256(%r13)',
  'exrl #,moved',
];
const CONDITIONS = ['e', 'ne', 'h', 'l', 'nh', 'nl', 'o', 'no', 'lh', 'he'];

/** A random program of loops, branches forwards and calls; every second one ends with an access exception. */
function randomProgram(seed: number): string {
  const next = random(seed);
  const lines: string[] = [];
  let labels = 0;
  const one = (): string =>
    INSTRUCTIONS[next(INSTRUCTIONS.length)]!.replace(/[#@*]/g, kind =>
      kind === '#' ? `%r${next(REGISTERS)}` : kind === '*' ? `${next(63)}` : `${8 * next(40)}(%r13)`,
    );
  const part = (depth: number): void => {
    for (let n = 1 + next(5); n > 0; n--) {
      const label = `l${labels++}`;
      switch (depth < 3 ? next(8) : 7) {
        case 0:
          lines.push(`j${CONDITIONS[next(10)]} ${label}`);
          part(depth + 1);
          lines.push(`${label}:`);
          break;
        case 1:
          lines.push(`cgijne %r${next(REGISTERS)},${next(200) - 100},${label}`);
          part(depth + 1);
          lines.push(`j ${label}e`, `${label}:`);
          part(depth + 1);
          lines.push(`${label}e:`);
          break;
        case 2: {
          const count = ['%r8', '%r9', '%r10'][depth];
          lines.push(`lghi ${count},${1 + next(4)}`, `${label}:`);
          part(depth + 1);
          lines.push(`${next(2) ? 'brctg' : 'brct'} ${count},${label}`);
          break;
        }
        case 3:
          lines.push(`brasl %r14,called${next(2)}`);
          break;
        default:
          lines.push(one());
      }
    }
  };
  part(0);
  if (seed & 1) lines.push('lg %r1,0(%r12)');
  lines.push('j done', 'moved: mvc 3(1,%r13),90(%r13)');
  for (const n of [0, 1]) lines.push(`called${n}: lgr %r11,%r14`, one(), one(), 'bner %r11', one(), 'br %r11');
  lines.push('done:');
  return lines.join('\n');
}

test('random programs do in regions what they do in the interpreter, also when they are interrupted', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const source = elsewhere(randomProgram(seed));
    const prepared = (): TestMachine => {
      const m = machine(source);
      const next = random(seed + 1000);
      for (let n = 0; n < REGISTERS; n++) m.gr(n, (BigInt(next(2 ** 32)) << 32n) | BigInt(next(2 ** 32)));
      return m.gr(12, 0x7fff_f000).gr(13, 0x10000);
    };
    const start = (m: TestMachine): TestMachine => {
      m.cpu.setPsw(m.cpu.pswMask, BigInt(m.at('code')));
      return m.setCc(seed & 3);
    };
    const result = (m: TestMachine): unknown => ({
      registers: Array.from({ length: 16 }, (_, n) => m.cpu.gr(n)),
      cc: m.cc,
      interruption: m.interruption,
      breakingEvent: m.cpu.breakingEventAddress,
      storage: m.hex(0x10000, 1000),
    });
    const expected = result(start(prepared()).run(1_000_000));
    for (const [pending, thorough] of [
      [0, true],
      [4, true],
      [0, false],
      [4, false],
    ] as const) {
      const m = prepared().fast();
      const next = random(seed + 2000);
      // Regions begin anywhere, and go on to one another.
      for (let at = m.at('code'); at < m.at('end$'); at += instructionLength(m.storage.read8(at))) {
        if (at !== m.at('code') && next(3)) continue;
        m.cpu.setPsw(m.cpu.pswMask, BigInt(at));
        compileHere(m.cpu, thorough);
      }
      m.cpu.setField32(PENDING, pending);
      assert.deepEqual(
        result(start(m).run()),
        expected,
        `seed ${seed}, ${thorough ? 'thorough' : 'quick'}, ${pending ? 'interrupted' : 'not interrupted'}`,
      );
    }
  }
});

/** The program is not on the page of the lowcore, which interruptions store to. */
const elsewhere = (source: string): string => `j code\n.org 0x2000\ncode:\n${source}`;

/** Whether the instruction at a label begins a region. */
function isRegion(m: TestMachine, label: string): boolean {
  const at = m.at(label);
  const { code } = m.cpu;
  return code.handlerAt(code.pageOf(at - (at % 4096)) + (at % 4096) * 4) === HANDLER_REGION;
}

/** Compiles what begins at a label. */
function compile(m: TestMachine, label: string, thorough = true): TestMachine {
  m.fast().cpu.setPsw(m.cpu.pswMask, BigInt(m.at(label)));
  compileHere(m.cpu, thorough);
  assert.ok(isRegion(m, label));
  return m;
}

const loops = `
  lghi %r2,0
  lghi %r3,20
0: lghi %r4,30
1: tmll %r4,1
  je 2f
  agr %r2,%r4
  cgijh %r2,100,3f
  j 4f
2: sgr %r2,%r3
3: aghi %r2,7
4: brctg %r4,1b
  brctg %r3,0b
`;

test('nested loops with branches inside compute what the interpreter computes', () => {
  const expected = machine(elsewhere(loops)).run().cpu.gr(2);
  const m = compile(machine(elsewhere(loops)), 'code').run();
  assert.equal(m.cpu.gr(2), expected);
  assert.equal(m.interruption, undefined);
});

test('a loop that is entered in the middle as well', () => {
  const source = `lghi %r2,0\nlghi %r3,9\ncgijh %r3,5,1f\n0: aghi %r2,100\n1: aghi %r2,1\nbrctg %r3,0b`;
  assert.equal(
    compile(machine(elsewhere(source)), 'code')
      .run()
      .cpu.gr(2),
    809n,
  );
});

test('registers and the condition code are exact where an access exception leaves a region', () => {
  const source = `lghi %r2,3\nlgfi %r4,0x7ffff000\n0: aghi %r2,-1\njp 0b\nahi %r5,1\nlg %r3,0(%r4)`;
  const m = compile(machine(elsewhere(source)), 'code').run();
  assert.equal(m.interruption?.code, 5);
  assert.equal(m.interruption?.oldAddress, BigInt(m.at('end$')));
  assert.deepEqual([m.cpu.gr(2), m.cpu.gr(5), m.cc], [0n, 1n, 2]);
});

test('operands near the same address share a look at the TLB, and each has its own exceptions', () => {
  const source = `
    lghi %r2,0
    lghi %r3,3
0:  lg %r4,8(%r9)
    agr %r2,%r4
    tmll %r4,1
    je 1f
    stg %r2,120(%r9)
    ag %r2,64(%r9)
1:  lmg %r5,%r7,16(%r9)
    mvc 88(16,%r9),24(%r9)
    sty %r6,200(%r9)
    lg %r9,0(%r9)
    ag %r2,8(%r9)
    lg %r8,-8(%r9)
    stg %r8,40(%r9)
    brctg %r3,0b`;
  // The program uses what is on one page, on two, and what partly is not there: storage ends at X'20.0000'.
  const places = [0x10f90, 0x1fff40, 0x1fff80, 0x1fffe8];
  for (const first of places) {
    for (const second of places) {
      const prepared = (): TestMachine => {
        const m = machine(elsewhere(source)).gr(9, first);
        for (const [from, to] of [first, second].map((place, n, all) => [place, all[1 - n]!] as const)) {
          for (let n = 1; n < 26; n++) m.storage.write64(Math.min(from + 8 * n, 0x1ffff8), BigInt(from * n + 1));
          m.storage.write64(from, BigInt(to));
        }
        return m;
      };
      const result = (m: TestMachine): unknown => ({
        registers: Array.from({ length: 16 }, (_, n) => m.cpu.gr(n)),
        cc: m.cc,
        interruption: m.interruption,
        storage: [m.hex(0x10000, 0x1100), m.hex(0x1ff000, 0x1000)],
      });
      const expected = result(prepared().run());
      for (const thorough of [false, true]) {
        const m = prepared();
        assert.deepEqual(result(compile(m, 'code', thorough).run()), expected, `${first} ${second} ${thorough}`);
      }
    }
  }
});

test('a store into the code of a region counts at the next instruction', () => {
  // The immediate operand of the instruction behind the store.
  const source = `lghi %r2,0\nlghi %r3,4\nlarl %r4,patched\n0: lgr %r5,%r3\nsth %r5,2(%r4)\npatched: aghi %r2,1000\nbrctg %r3,0b`;
  const m = compile(machine(elsewhere(source)), 'code');
  assert.equal(m.run().cpu.gr(2), 4n + 3n + 2n + 1n);
  assert.equal(isRegion(m, 'code'), false);
});

test('something pending ends a loop within a region', () => {
  const m = compile(machine(elsewhere('0: aghi %r2,1\nj 0b')), 'code');
  m.cpu.setField32(0x380, 1);
  m.cpu.step();
  assert.ok(m.cpu.gr(2) > 0n);
  assert.equal(m.cpu.pswAddress, BigInt(m.at('code')));
});

test('regions give way to single instructions', () => {
  const m = compile(machine(elsewhere('lghi %r2,0\n0: aghi %r2,1\naghi %r2,2\nj 0b')), 'code');
  for (let n = 0; n < 3; n++) m.cpu.single();
  assert.equal(m.cpu.gr(2), 3n);
});

/** Four cases, by the last two bits of the count, to which a branch leads by address; functions called by one another. */
const cases = `
  lghi %r2,0
  lghi %r3,41
  larl %r8,doubled
0: lgr %r4,%r3
  nill %r4,3
  sllg %r4,%r4,4
  larl %r5,cases
  agr %r5,%r4
  br %r5
cases: aghi %r2,1
  brasl %r14,added
  j 1f
  .org cases+16
  xgr %r2,%r3
  basr %r14,%r8
  j 1f
  .org cases+32
  brasl %r14,added
  j 1f
  .org cases+48
  aghi %r2,-5
1: brctg %r3,0b
  j done
doubled: agr %r2,%r2
  ltgr %r3,%r3
  br %r14
added: lgr %r9,%r14
  aghi %r2,3
  cgije %r3,7,2f
  brasl %r14,doubled
2: stg %r2,0(%r7)
  lghi %r6,20
  clgr %r3,%r6
  blr %r9
  aghi %r2,1
  br %r9
done:
`;

/** Ran once, so that it is known where addresses in registers lead, and then compiled. */
function warm(source: string): TestMachine {
  const m = machine(elsewhere(source)).gr(7, 0x8000).fast();
  m.run();
  m.cpu.setPsw(m.cpu.pswMask, BigInt(m.at('code')));
  compileHere(m.cpu, true);
  assert.ok(isRegion(m, 'code'));
  return m;
}

test('branches to addresses in registers and calls stay in a region, or leave it where nobody has foreseen them', () => {
  const expected = machine(elsewhere(cases)).gr(7, 0x8000).run();
  for (const ready of [warm(cases), compile(machine(elsewhere(cases)).gr(7, 0x8000), 'code')]) {
    const { cpu } = ready.run();
    for (let n = 2; n < 15; n++) assert.equal(cpu.gr(n), expected.cpu.gr(n), `register ${n}`);
    assert.equal(ready.cc, expected.cc);
    assert.equal(cpu.breakingEventAddress, expected.cpu.breakingEventAddress);
    assert.equal(ready.hex(0x8000, 8), expected.hex(0x8000, 8));
  }
});

test('an access exception in a function that is part of its caller is exact', () => {
  const m = warm(cases).gr(7, 0x7fff_f000).run();
  assert.equal(m.interruption?.code, 5);
  const expected = machine(elsewhere(cases)).gr(7, 0x7fff_f000).run();
  assert.equal(m.interruption?.oldAddress, expected.interruption?.oldAddress);
  for (const n of [2, 3, 9, 14]) assert.equal(m.cpu.gr(n), expected.cpu.gr(n), `register ${n}`);
  assert.equal(m.cc, expected.cc);
});
