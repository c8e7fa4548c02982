import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PSW_BA, PSW_DAT, PSW_EA, PSW_PER, PSW_WAIT } from './registers.ts';
import { machine, type TestMachine } from './testing.ts';

const WIDE = PSW_EA | PSW_BA;
const BRANCHING = 0x8000_0000n;
const FETCHING = 0x4000_0000n;
const STORES = 0x2000_0000n;
const KEYS = 0x1000_0000n;
const REAL_STORES = 0x0800_0000n;
const ZEROS = 0x0400_0000n;
const NULLIFICATION = 0x0100_0000n;
const BRANCH_ADDRESSES = 0x0080_0000n;
const ALL = 0xffff_ffff_ffff_ffffn;

/** A program that runs with PER on; the first PER event ends it. */
function recorded(
  source: string,
  events: bigint,
  range: readonly [bigint, bigint] = [0n, ALL],
  data = '',
): TestMachine {
  const m = machine(source, { mask: WIDE | PSW_PER, data });
  return m.cr(9, events).cr(10, range[0]).cr(11, range[1]);
}

/** Interruption code, PER code, whether the ATMID is that of 64-bit mode without DAT, PER address. */
function told(m: TestMachine): { code: number; per: string; at: bigint; old: bigint; length: number } {
  const { storage, interruption } = m;
  assert.ok(interruption, 'no interruption');
  return {
    code: interruption.code,
    per: m.hex(0x96, 2),
    at: storage.read64(0x98),
    old: interruption.oldAddress,
    length: interruption.length,
  };
}

test('instruction fetching: any, in a range, wrapping around, the target of EXECUTE', () => {
  const any = recorded('lghi %r2,1\nlghi %r2,2', FETCHING).run();
  assert.deepEqual(told(any), { code: 0x80, per: '40e0', at: 0x400n, old: 0x404n, length: 4 });
  assert.equal(any.cpu.gr(2), 1n);
  const second = recorded('lghi %r2,1\nlgr %r3,%r2\nlghi %r2,2', FETCHING, [0x404n, 0x404n]).run();
  assert.deepEqual(told(second), { code: 0x80, per: '40e0', at: 0x404n, old: 0x408n, length: 4 });
  const wraps = recorded('lghi %r2,1\nlr %r3,%r2\nlghi %r2,2', FETCHING, [0x404n, 0x3ffn]).run();
  assert.deepEqual(told(wraps), { code: 0x80, per: '40e0', at: 0x404n, old: 0x406n, length: 2 });
  for (const execute of ['exrl 0,target', 'ex 0,0x500(0)']) {
    const executed = recorded(
      `lr %r1,%r1\n${execute}\nlghi %r2,2`,
      FETCHING,
      [0x500n, 0x500n],
      '.org 0x500\ntarget: lghi %r2,7',
    )
      .store(0x500, 'a7290007')
      .run();
    const length = execute.startsWith('exrl') ? 6 : 4;
    assert.deepEqual(told(executed), { code: 0x80, per: '40e0', at: 0x402n, old: 0x402n + BigInt(length), length });
    assert.equal(executed.cpu.gr(2), 7n);
  }
});

test('an instruction whose fetching is nullified is not executed', () => {
  const m = recorded('lghi %r2,1\nlghi %r2,2', FETCHING | NULLIFICATION, [0x404n, 0x404n]).run();
  assert.deepEqual(told(m), { code: 0x80, per: '41e0', at: 0x404n, old: 0x404n, length: 0 });
  assert.equal(m.cpu.gr(2), 1n);
});

test('successful branching, also to the next instruction, and to a range only', () => {
  const m = recorded('j 1f\n1: clr %r1,%r1\njne 1b\nbasr %r14,%r3\nlghi %r2,3', BRANCHING).gr(3, 0x40e).run();
  assert.deepEqual(told(m), { code: 0x80, per: '80e0', at: 0x400n, old: 0x404n, length: 4 });
  const ranged = recorded(
    'j 1f\n1: clr %r1,%r1\njne 1b\nbasr %r14,%r3\n.org 0x420\nlghi %r2,3',
    BRANCHING | BRANCH_ADDRESSES,
    [0x420n, 0x422n],
  )
    .gr(3, 0x420)
    .run();
  assert.deepEqual(told(ranged), { code: 0x80, per: '80e0', at: 0x40an, old: 0x420n, length: 2 });
  // No branches: the breaking event of LPSWE, and nothing at all.
  const none = recorded('bcr 0,%r3\nlpswe 0x600\n.org 0x420\n', BRANCHING)
    .store(0x600, '40000001800000000000000000000420')
    .run();
  assert.equal(none.interruption, undefined);
  assert.equal(none.storage.read64(0x110), 0x402n);
});

test('the breaking-event address outlives a look for branches', () => {
  const m = recorded('lghi %r2,1\n.short 0', BRANCHING);
  m.cpu.breakingEventAddress = 0x1234n;
  m.run();
  assert.equal(m.storage.read64(0x110), 0x1234n);
});

test('storage alteration: by what touches the range', () => {
  const cases: [string, boolean][] = [
    ['stg %r1,0x800(0)', false],
    ['stg %r1,0x801(0)', true],
    ['sty %r1,0x808(0)', true],
    ['stc %r1,0x80f(0)', true],
    ['stc %r1,0x810(0)', false],
    ['stg %r1,0x80f(0)', true],
    ['mvc 0x700(255,0),0x400(0)', false],
    ['mvc 0x710(255,0),0x400(0)', true],
    ['xc 0x810(256,0),0x810(0)', false],
    ['stmg %r0,%r15,0x7a0(0)', true],
    ['asi 0x808(0),1', true],
    ['lg %r1,0x808(0)', false],
    ['laa %r1,%r2,0x808(0)', true],
    ['stcke 0x7ff(0)', true],
    ['stckc 0x808(0)', true],
    ['stctg %c0,%c3,0x7f8(0)', true],
    ['mvcl %r2,%r4', true],
    ['mvst %r6,%r8', false],
    ['mvst %r8,%r6', true],
    ['strl %r1,0x808', true],
  ];
  for (const fast of [false, true]) {
    for (const [source, event] of cases) {
      const m = recorded(`lghi %r1,5\n${source}\nlghi %r1,6`, STORES, [0x808n, 0x80fn])
        .gr(2, 0x780)
        .gr(3, 0x100)
        .gr(4, 0x480)
        .gr(5, 0x100)
        .gr(6, 0x700)
        .gr(8, 0x7f0)
        .gr(0, 0)
        .store(0x700, `${'ff'.repeat(0x20)}00`);
      m.store(0x7f0, '010203040500');
      if (fast) m.fast();
      m.run();
      if (!event) assert.equal(m.interruption, undefined, source);
      else {
        assert.ok(m.interruption, source);
        const { code, per, at } = told(m);
        assert.deepEqual([code, per, at], [0x80, '20e0', 0x404n], source);
        // The store has taken place, and nothing after it.
        assert.equal(m.cpu.gr(1) === 6n, false, source);
      }
    }
  }
});

test('MOVE STRING stores as far as its string', () => {
  // From 0x700 to 0x900, on the page of the range.
  const run = (length: number) =>
    recorded('mvst %r6,%r8', STORES, [0x908n, 0x90fn])
      .gr(6, 0x900)
      .gr(8, 0x700)
      .store(0x700, `${'ff'.repeat(length)}00`)
      .run();
  assert.equal(run(7).interruption, undefined);
  assert.equal(told(run(8)).per, '20e0');
});

test('an interruptible instruction stops after the unit that had the event', () => {
  const m = recorded('mvcl %r2,%r4\nlghi %r1,6', STORES, [0x3808n, 0x3808n])
    .gr(2, 0x3000)
    .gr(3, 0x8000)
    .gr(4, 0x10000)
    .gr(5, 0x8000)
    .run();
  assert.deepEqual(told(m), { code: 0x80, per: '20e0', at: 0x400n, old: 0x400n, length: 2 });
  assert.equal(m.cpu.gr(2), 0x4000n);
});

test('changing the range takes effect', () => {
  const m = recorded(
    'lghi %r1,1\nstg %r1,0x808(0)\nlctlg %c10,%c11,0x600(0)\nlghi %r1,2\nstg %r1,0x808(0)\nlghi %r1,3\n',
    STORES,
    [0x2000n, 0x2000n],
  )
    .store(0x600, '00000000000008080000000000000808')
    .run();
  assert.equal(told(m).at, 0x414n);
});

test('with other program interruptions', () => {
  const both = STORES | FETCHING;
  // Suppressed: only the fetching.
  const suppressed = recorded('mvc 0x800(8,0),0(%r1)', both).gr(1, 0x7fff_fff0).run();
  assert.deepEqual(told(suppressed), { code: 0x85, per: '40e0', at: 0x400n, old: 0x406n, length: 6 });
  // Completed.
  const overflow = recorded('ap 0x800(1,0),0x810(1,0)', both).store(0x800, '9c').store(0x810, '9c');
  overflow.cpu.setPsw(WIDE | PSW_PER | (4n << 40n), 0x400n);
  assert.deepEqual(told(overflow.run()), { code: 0x8a, per: '60e0', at: 0x400n, old: 0x406n, length: 6 });
  const operation = recorded('.short 0', both).run();
  assert.deepEqual(told(operation), { code: 0x81, per: '40e0', at: 0x400n, old: 0x402n, length: 2 });
  const early = recorded('lpswe 0x600', both).store(0x600, '00000001800000010000000000000420').run();
  assert.deepEqual(told(early), { code: 0x86, per: '40e0', at: 0x400n, old: 0x420n, length: 0 });
  // The address of a branch is odd: that is the next instruction's exception.
  const odd = recorded('br %r3', BRANCHING).gr(3, 0x421).run();
  assert.deepEqual(told(odd), { code: 0x80, per: '80e0', at: 0x400n, old: 0x421n, length: 2 });
  const unfetchable = recorded('br %r3', BRANCHING).gr(3, 0x7fff_0000).run();
  assert.deepEqual(told(unfetchable), { code: 0x80, per: '80e0', at: 0x400n, old: 0x7fff_0000n, length: 2 });
  const notFetched = recorded('br %r3', FETCHING, [0x7fff_0000n, 0x7fff_ffffn]).gr(3, 0x7fff_0000).run();
  assert.equal(told(notFetched).code, 5);
  // The target of EXECUTE cannot be fetched: EXECUTE was.
  const target = recorded('ex 0,0(%r3)', FETCHING).gr(3, 0x7fff_0000).run();
  assert.deepEqual(told(target), { code: 0x85, per: '40e0', at: 0x400n, old: 0x404n, length: 4 });
});

test('after SUPERVISOR CALL and into the wait state', () => {
  const call = recorded('svc 5', FETCHING);
  call.storage.write64(0x1c0, WIDE);
  call.storage.write64(0x1c8, 0x5000n);
  assert.deepEqual(told(call.run()), { code: 0x80, per: '40e0', at: 0x400n, old: 0x5000n, length: 2 });
  assert.equal(call.interruption!.oldMask, WIDE);
  assert.equal(call.storage.read64(0x148), 0x402n);
  const wait = recorded('lpswe 0x600', FETCHING).store(0x600, '00020001800000000000000000000420').run();
  assert.equal(told(wait).old, 0x420n);
  assert.equal(wait.interruption!.oldMask, WIDE | PSW_WAIT);
});

test('what the PSW says before an instruction counts', () => {
  const off = recorded('stnsm 0x800(0),0xbf\nlghi %r1,1', FETCHING | STORES, [0x400n, 0x8ffn]).run();
  assert.deepEqual(told(off), { code: 0x80, per: '60e0', at: 0x400n, old: 0x404n, length: 4 });
  assert.equal(off.interruption!.oldMask, WIDE);
  const on = recorded('stosm 0x800(0),0x40\nlr %r1,%r1\nlghi %r1,1', FETCHING);
  on.cpu.setPsw(WIDE, 0x400n);
  assert.equal(told(on.run()).at, 0x404n);
});

test('stores by real address, storage keys', () => {
  const run = (source: string, events: bigint) =>
    recorded(source, events, [0x3000n, 0x3fffn]).gr(2, 0x3000).gr(1, 0x10).run();
  assert.equal(told(run('stura %r1,%r2', STORES | REAL_STORES)).per, '08e0');
  assert.equal(run('sturg %r1,%r2', REAL_STORES).interruption, undefined);
  assert.equal(run('sturg %r1,%r2', STORES).interruption, undefined);
  assert.equal(told(run('sske %r1,%r2', KEYS)).per, '10e0');
  assert.equal(run('rrbe %r1,%r2', KEYS).interruption, undefined);
});

test('zero addresses', () => {
  const run = (source: string) =>
    recorded(source, ZEROS).gr(1, 0).gr(2, -0x800).gr(4, 0x2000).gr(5, 0x100).gr(6, 0x900).run();
  for (const source of [
    'lg %r3,0x800(%r1)',
    'st %r3,0x800(0,%r1)',
    'mvc 0x800(8,0),0x400(%r1)',
    'mvcl %r4,%r0',
    'lg %r3,0x900(%r1,%r6)',
  ]) {
    assert.equal(run(source).interruption === undefined, source.includes('%r1,%r6') || source.includes('mvcl'), source);
  }
  assert.equal(told(run('lg %r3,0x800(%r6,%r1)')).per, '04e0');
  for (const source of [
    'lg %r3,0x800(0)',
    'la %r3,0x800(%r1)',
    'sllg %r3,%r3,4(%r1)',
    'lg %r3,0x800(%r2)',
    'lgr %r1,%r1',
  ]) {
    assert.equal(run(source).interruption, undefined, source);
  }
});

test('only the address spaces that are to be watched', () => {
  // A real-space ASCE, with and without the storage-alteration-event control.
  for (const [asce, event] of [
    [0x20n, false],
    [0xa0n, true],
  ] as const) {
    const m = recorded('sty %r1,0x3000(0)', STORES | 0x0020_0000n, [0x3000n, 0x3003n])
      .cr(1, asce)
      .cr(13, 0xa0n);
    m.cpu.setPsw(WIDE | PSW_PER | PSW_DAT, 0x400n);
    m.run();
    if (event) assert.equal(told(m).per, '20f0');
    else assert.equal(m.interruption, undefined);
  }
  const home = recorded('sty %r1,0x3000(0)', STORES, [0x3000n, 0x3003n]).cr(13, 0x20n);
  home.cpu.setPsw(WIDE | PSW_PER | PSW_DAT | (3n << 46n), 0x400n);
  assert.equal(told(home.run()).per, '20ff');
  // By access register 3, whose access-list-entry token is that of the secondary space.
  const register = recorded('sty %r1,0(%r3)', STORES, [0x3000n, 0x3003n])
    .cr(1, 0x20n)
    .cr(7, 0x20n)
    .gr(3, 0x3000)
    .ar(3, 1);
  register.cpu.setPsw(WIDE | PSW_PER | PSW_DAT | (1n << 46n), 0x400n);
  assert.equal(told(register.run()).per, '20f5');
  assert.equal(register.storage.read8(0xa1), 3);
});
