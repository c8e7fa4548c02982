import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileHere } from '../compiler.ts';
import { machine, type TestMachine } from '../testing.ts';
import { HANDLER_REGION } from './protocol.ts';

/** The program is not on the page of the lowcore, which interruptions store to. */
const elsewhere = (source: string): string => `j code\n.org 0x2000\ncode:\n${source}`;

/** Whether the instruction at a label begins a region. */
function isRegion(m: TestMachine, label: string): boolean {
  const at = m.at(label);
  const { code } = m.cpu;
  return code.handlerAt(code.pageOf(at - (at % 4096)) + (at % 4096) * 4) === HANDLER_REGION;
}

/** Compiles what begins at a label. */
function compile(m: TestMachine, label: string): TestMachine {
  m.fast().cpu.setPsw(m.cpu.pswMask, BigInt(m.at(label)));
  compileHere(m.cpu);
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
