import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXECUTE, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_EA } from '../registers.ts';
import { machine, ORIGIN, type TestMachine } from '../testing.ts';

/** Runs a branch to a label behind an instruction that would show that it was not taken. */
const taken = (source: string, prepare: (m: TestMachine) => void = () => {}): boolean => {
  const m = machine(`${source}\nlghi %r15,1\ntarget: lgr %r15,%r15`);
  prepare(m.gr(9, m.at('target')));
  return m.run().cpu.gr(15) === 0n;
};

test('branches on every condition', () => {
  for (let mask = 0; mask < 16; mask++) {
    for (const source of [`bc ${mask},0(%r9)`, `bcr ${mask},%r9`, `brc ${mask},target`, `brcl ${mask},target`]) {
      const m = machine(`lghi %r15,1\n${source}\nlghi %r15,0\ntarget: lgr %r15,%r15`);
      for (let cc = 0; cc < 4; cc++) {
        m.cpu.setPsw(PSW_EA | PSW_BA | (BigInt(cc) << 44n), BigInt(ORIGIN));
        m.gr(9, m.at('target')).run();
        assert.equal(Number(m.cpu.gr(15)), (mask >> (3 - cc)) & 1, `${source} ${cc}`);
      }
    }
  }
  assert.equal(taken('bcr 15,%r0'), false);
  assert.equal(
    taken('bic 15,0(%r8)', m => m.gr(8, 0x3000).storage.write64(0x3000, m.cpu.gr(9))),
    true,
  );
});

test('counts', () => {
  for (const [source, before, after] of [
    ['brct %r1,target', 0xaaaa_bbbb_0000_0001n, 0xaaaa_bbbb_0000_0000n],
    ['brct %r1,target', 0xaaaa_bbbb_0000_0000n, 0xaaaa_bbbb_ffff_ffffn],
    ['bct %r1,0(%r9)', 2n, 1n],
    ['bctr %r1,%r9', 1n, 0n],
    ['brcth %r1,target', 0x0000_0001_0000_0000n, 0n],
    ['brctg %r1,target', 0x1_0000_0001n, 0x1_0000_0000n],
    ['bctg %r1,0(%r9)', 0n, 0xffff_ffff_ffff_ffffn],
    ['bctgr %r1,%r9', 1n, 0n],
  ] as const) {
    let m: TestMachine | undefined;
    const word = /^brcth/.test(source) ? after >> 32n : /^br?ctg/.test(source) ? after : after & 0xffff_ffffn;
    assert.equal(
      taken(source, made => (m = made.gr(1, before))),
      word !== 0n,
      source,
    );
    assert.equal(m!.cpu.gr(1), after, source);
  }
  assert.equal(
    taken('bctr %r1,%r0', m => m.gr(1, 5)),
    false,
  );
});

test('branch on index uses the odd register of the pair', () => {
  const on = (source: string, r1: bigint, r4: bigint, r5: bigint): [boolean, bigint] => {
    let m: TestMachine | undefined;
    const went = taken(source, made => (m = made.gr(1, r1).gr(4, r4).gr(5, r5)));
    return [went, m!.cpu.gr(1)];
  };
  assert.deepEqual(on('bxle %r1,%r4,0(%r9)', 1n, 2n, 3n), [true, 3n]);
  assert.deepEqual(on('bxh %r1,%r4,0(%r9)', 1n, 2n, 3n), [false, 3n]);
  assert.deepEqual(on('brxh %r1,%r5,target', 1n, 2n, 3n), [true, 4n]);
  assert.deepEqual(on('brxle %r1,%r4,target', 0x7fff_ffffn, 1n, 0n), [true, 0x8000_0000n]);
  assert.deepEqual(on('brxlg %r1,%r4,target', 0x7fff_ffffn, 1n, 0n), [false, 0x8000_0000n]);
  assert.deepEqual(on('brxhg %r1,%r4,target', 0x7fff_ffffn, 1n, 0n), [true, 0x8000_0000n]);
  assert.deepEqual(on('bxleg %r1,%r4,0(%r9)', -5n & 0xffff_ffff_ffff_ffffn, 1n, 0n), [true, 0xffff_ffff_ffff_fffcn]);
  assert.deepEqual(on('bxhg %r1,%r5,0(%r9)', 0n, 0n, 7n), [false, 7n]);
});

test('compare and branch', () => {
  const minusOne = 0xffff_ffff_ffff_ffffn;
  for (const [source, r1, r2, expected] of [
    ['crj %r1,%r2,4,target', minusOne, 1n, true],
    ['clrj %r1,%r2,4,target', minusOne, 1n, false],
    ['cgrj %r1,%r2,2,target', 0x1_0000_0000n, 1n, true],
    ['clgrj %r1,%r2,8,target', 7n, 7n, true],
    ['cij %r1,-1,8,target', 0xffff_ffffn, 0n, true],
    ['clij %r1,255,8,target', 255n, 0n, true],
    ['cgij %r1,-1,8,target', 0xffff_ffffn, 0n, false],
    ['clgij %r1,255,2,target', minusOne, 0n, true],
    ['crb %r1,%r2,4,0(%r9)', minusOne, 1n, true],
    ['cgrb %r1,%r2,4,0(%r9)', minusOne, 1n, true],
    ['clrb %r1,%r2,2,0(%r9)', minusOne, 1n, true],
    ['clgrb %r1,%r2,8,0(%r9)', minusOne, 1n, false],
    ['cib %r1,1,2,0(%r9)', 2n, 0n, true],
    ['cgib %r1,1,2,0(%r9)', minusOne, 0n, false],
    ['clib %r1,1,2,0(%r9)', 2n, 0n, true],
    ['clgib %r1,1,4,0(%r9)', 0n, 0n, true],
  ] as const) {
    assert.equal(
      taken(source, m => m.gr(1, r1).gr(2, r2)),
      expected,
      source,
    );
  }
});

test('link information by addressing mode', () => {
  const old = 0x1111_2222_3333_4444n;
  const link = (source: string, mask: bigint): bigint => {
    const m = machine(`${source}\ntarget: lgr %r3,%r3`, { mask }).gr(1, old).setCc(2);
    return m.gr(9, m.at('target')).run().cpu.gr(1);
  };
  const wide = PSW_EA | PSW_BA;
  const programMask = 5n << 40n;
  const next = (length: number): bigint => BigInt(ORIGIN + length);
  const low = 0x1111_2222_0000_0000n;
  assert.equal(link('basr %r1,%r9', wide), next(2));
  assert.equal(link('bas %r1,0(%r9)', PSW_BA), low | 0x8000_0000n | next(4));
  assert.equal(link('bras %r1,target', 0n), low | next(4));
  assert.equal(link('brasl %r1,target', PSW_BA), low | 0x8000_0000n | next(6));
  assert.equal(link('balr %r1,%r9', wide), next(2));
  assert.equal(link('balr %r1,%r9', PSW_BA), low | 0x8000_0000n | next(2));
  assert.equal(link('balr %r1,%r9', programMask), low | 0x6500_0000n | next(2));
  assert.equal(link('bal %r1,0(%r9)', programMask), low | 0xa500_0000n | next(4));
  // Instruction length and next instruction are EXECUTE's.
  assert.equal(link('j 2f\n1: balr %r1,%r9\n2: exrl %r0,1b', programMask), low | 0xe500_0000n | next(4 + 2 + 6));
});

test('branches that set the addressing mode', () => {
  const run = (source: string, mask: bigint, mode: bigint): TestMachine => {
    const m = machine(`${source}\ntarget: lgr %r3,%r3`, { mask }).gr(1, 0x1111_2222_b333_4444n);
    return m.gr(9, BigInt(m.at('target')) | mode).run();
  };
  const wide = PSW_EA | PSW_BA;
  const modeOf = (m: TestMachine): bigint => m.cpu.pswMask & wide;
  let m = run('bassm %r1,%r9', wide, 0x8000_0000n);
  assert.equal(modeOf(m), PSW_BA);
  assert.equal(m.cpu.gr(1), BigInt(ORIGIN + 2) | 1n);
  m = run('bassm %r1,%r9', PSW_BA, 1n);
  assert.equal(modeOf(m), wide);
  assert.equal(m.cpu.gr(1), 0x1111_2222_8000_0000n | BigInt(ORIGIN + 2));
  m = run('bsm %r1,%r9', PSW_BA, 0n);
  assert.equal(modeOf(m), 0n);
  assert.equal(m.cpu.gr(1), 0x1111_2222_b333_4444n);
  m = run('bsm %r1,%r0', wide, 0n);
  assert.equal(modeOf(m), wide);
  assert.equal(m.cpu.gr(1), 0x1111_2222_b333_4445n);
  assert.equal(run('bsm %r0,%r9', 0n, 0x8000_0000n).cpu.gr(0), 0n);
});

test('EXECUTE', () => {
  const source = 'ex %r1,t\nj 1f\nt: lr %r2,%r0\n1:';
  assert.equal(machine(source).gr(1, 0xff05).gr(5, 0x10).run().cpu.gr(2), 0x10n);
  const m = machine('exrl %r1,t\nj 1f\nt: mvi 0x800,0x40\n1:').gr(1, 3).run();
  assert.equal(m.hex(0x800, 1), '43');
  // Register 0 stands for no modification.
  assert.equal(machine('exrl %r0,t\nj 1f\nt: mvi 0x800,0x40\n1:').gr(0, 3).run().hex(0x800, 1), '40');
  assert.equal(machine('ex %r0,1(%r9)').gr(9, 0x800).run().interruption?.code, SPECIFICATION);
  assert.equal(machine('ex %r0,t\nt: ex %r0,t').run().interruption?.code, EXECUTE);
  // A relative target counts from the target.
  assert.equal(taken('exrl %r0,t\nj 1f\nt: j target\n1:'), true);
});

test('the breaking event is the branch, or the EXECUTE whose target it is', () => {
  const event = (source: string): bigint =>
    machine(`lgr %r3,%r3\n${source}\ntarget: lgr %r3,%r3`)
      .gr(9, ORIGIN + 4)
      .run().cpu.breakingEventAddress;
  const m = machine('bcr 15,%r9\nlghi %r1,1\nlghi %r1,2\ntarget: lgr %r3,%r3');
  assert.equal(m.gr(9, m.at('target')).run().cpu.breakingEventAddress, BigInt(ORIGIN));
  assert.equal(event('exrl %r0,1f\n1: j target'), BigInt(ORIGIN + 4));
  const executed = machine('j 2f\n1: bcr 15,%r9\n2: exrl %r0,1b\nlghi %r1,1\ntarget: lgr %r3,%r3');
  assert.equal(executed.gr(9, executed.at('target')).run().cpu.breakingEventAddress, BigInt(ORIGIN + 6));
});

test('an odd branch address is a specification exception', () => {
  for (const source of ['bcr 15,%r9', 'bc 15,0(%r9)', 'exrl %r0,1f\n1: bcr 15,%r9']) {
    const m = machine(`${source}\nlgr %r3,%r3`);
    assert.equal(m.gr(9, ORIGIN + 1).run().interruption?.code, SPECIFICATION, source);
    assert.equal(machine(source).gr(9, 0x10001).fast().run().interruption?.code, SPECIFICATION, source);
  }
});
