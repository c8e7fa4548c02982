import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgetDecoded } from './code-pages.ts';
import { Compiler } from './compiler.ts';
import { HANDLER_REGION } from './engine/protocol.ts';
import type { CompiledModule } from './regions.ts';
import * as state from './state.ts';
import { machine, type TestMachine } from './testing.ts';

const PAGE = 0x2000;
/** Two loops of some instructions on a page of their own; the second is executed by nobody. */
const program = `
  j code
  .org ${PAGE}
code:
  lghi %r2,0
  lghi %r3,1000
loop: aghi %r2,1
clear: xgr %r4,%r2
middle: agr %r5,%r4
sum: sgr %r6,%r5
  brctg %r3,loop
  j out
other: aghi %r2,1
  xgr %r4,%r2
  agr %r5,%r4
  sgr %r6,%r5
  brctg %r3,other
out: j end
  .org ${PAGE + 0x1000}
visit: lghi %r3,1
  j middle
end:
`;

interface Compiled {
  readonly m: TestMachine;
  readonly compiler: Compiler;
  /** Host address of the record of a label. */
  readonly record: (label: string) => number;
  readonly isRegion: (label: string) => boolean;
}

/** A machine whose host has a CPU to spare, and its compiler, which has not done anything yet. */
function compiled(capacity = 1 << 20, meanwhile: (m: TestMachine) => void = () => {}): Compiled {
  const m = machine(program).fast();
  const { cpu, storage } = m;
  cpu.i32[(cpu.layout.machine + state.HOST_CPUS) / 4] = 2;
  cpu.setField32(state.BEGINNINGS, 1);
  storage.onWrite((address, length) => forgetDecoded(storage.memory, storage.layout, address, length));
  const mail: CompiledModule[] = [];
  cpu.regions.takeFrom(() => mail.shift());
  const { decoder, handlers, regionOptions } = cpu;
  const give = (_cpu: number, module: CompiledModule): void => {
    mail.push(module);
    meanwhile(m);
  };
  const compiler = new Compiler(storage, { ...regionOptions, decoder, handlers, capacity, give });
  const record = (label: string): number => cpu.code.pageOf(PAGE) + (m.at(label) - PAGE) * 4;
  return { m, compiler, record, isRegion: label => cpu.code.handlerAt(record(label)) === HANDLER_REGION };
}

/** Runs the program to its end once more. */
function again({ m }: Compiled): bigint {
  m.cpu.setPsw(m.cpu.pswMask, BigInt(m.at('code')));
  // As the loop around the interpreter does when it has been told to look.
  m.cpu.setField32(state.PENDING, 0);
  m.cpu.regions.look();
  return m.run().cpu.gr(2);
}

test('a loop is compiled when it has been gone round often, and what is run seldom is not', () => {
  const c = compiled();
  assert.equal(c.compiler.work(), 'nothing');
  c.m.run();
  assert.equal(c.compiler.work(), 'done');
  assert.equal(c.compiler.work(), 'nothing');
  assert.ok(c.isRegion('loop'));
  assert.equal(c.isRegion('code'), false);
  assert.equal(again(c), 1000n);
});

test('a quick region in which CPUs are seen is made thorough', () => {
  const c = compiled();
  c.m.run();
  c.compiler.work();
  for (let n = 0; n < 2; n++) c.m.cpu.slots.see(c.record('middle'));
  assert.equal(c.compiler.work(), 'nothing', 'seen twice');
  c.m.cpu.slots.see(c.record('other'));
  assert.equal(c.compiler.work(), 'nothing', 'seen where there is no region');
  const before = c.m.cpu.slots.lastModule;
  c.m.cpu.slots.see(c.record('middle'));
  assert.equal(c.compiler.work(), 'done');
  assert.equal(c.m.cpu.slots.lastModule, before + 1);
  assert.ok(c.isRegion('loop'));
  assert.equal(again(c), 1000n);
  for (let n = 0; n < 10; n++) c.m.cpu.slots.see(c.record('middle'));
  assert.equal(c.compiler.work(), 'nothing', 'thorough already');
});

test('a quick region that CPUs only pass through stays as it is', () => {
  const c = compiled();
  c.m.run();
  c.compiler.work();
  const { slots } = c.m.cpu;
  for (let n = 0; n < 20; n++) slots.see(c.record('loop'), true);
  for (let n = 0; n < 19; n++) slots.see(c.record('middle'));
  assert.equal(c.compiler.work(), 'nothing');
  slots.see(c.record('middle'));
  assert.equal(c.compiler.work(), 'done', 'more time is spent in it than on the way to it');
});

test('while all CPUs wait nothing is compiled', () => {
  const c = compiled();
  c.m.run();
  c.m.cpu.setField32(state.BEGINNINGS, 0);
  assert.equal(c.compiler.work(), 'later');
  assert.equal(c.isRegion('loop'), false);
  c.m.cpu.setField32(state.BEGINNINGS, 1);
  assert.equal(c.compiler.work(), 'done');
  assert.ok(c.isRegion('loop'));
});

test('while a CPU waits most of the time nothing is compiled for what it does now and then', () => {
  const c = compiled();
  const { regions, timers } = c.m.cpu;
  const time = timers.now() + 1e6;
  regions.waited(0, time);
  regions.waited(900, time + 1000);
  c.m.run();
  assert.equal(c.compiler.work(), 'later');
  assert.equal(again(c), 1000n);
  assert.equal(c.compiler.work(), 'later');
  regions.waited(300, time + 2000);
  assert.equal(c.compiler.work(), 'done');
  assert.ok(c.isRegion('loop'));
});

test('what leads to the same instructions is one region with several entries', () => {
  const c = compiled();
  c.m.run();
  assert.equal(c.compiler.compile(['middle', 'code', 'loop'].map(c.record)), 1);
  assert.ok(['middle', 'code', 'loop'].every(c.isRegion));
  assert.equal(again(c), 1000n);
  c.m.cpu.setPsw(c.m.cpu.pswMask, BigInt(c.m.at('middle')));
  c.m.gr(2, 0).gr(3, 1000).run();
  assert.equal(c.m.cpu.gr(2), 999n);
});

/** Has the middle of the loop be branched to from another page. */
function visit({ m }: Compiled, times: number): void {
  for (let n = 0; n < times; n++) {
    m.cpu.setPsw(m.cpu.pswMask, BigInt(m.at('visit')));
    m.run();
  }
}

test('a place in the middle of a region becomes an entry of it when it is branched to from elsewhere often', () => {
  const c = compiled();
  c.m.run();
  // Wanted when the region is about to be made.
  c.m.cpu.slots.want(c.record('middle'));
  c.compiler.compile([c.record('loop')]);
  assert.equal(c.compiler.work(), 'nothing');
  for (const times of [1000, 990]) {
    visit(c, times);
    c.compiler.work();
    assert.equal(c.isRegion('middle'), false);
  }
  visit(c, 10);
  c.compiler.work();
  assert.ok(['middle', 'loop'].every(c.isRegion));
  assert.equal(again(c), 1000n);
});

test('a region that is made anew gets all entries at which it would often have been entered', () => {
  const c = compiled();
  c.m.run();
  c.compiler.compile([c.record('loop')]);
  visit(c, 50);
  c.compiler.compile([c.record('loop')]);
  assert.equal(c.isRegion('middle'), false);
  visit(c, 100);
  c.compiler.compile([c.record('loop')]);
  assert.ok(['middle', 'loop'].every(c.isRegion));
});

test('neighbours become entries of a region at once, also where they were carried out as a pair', () => {
  const c = compiled();
  c.m.run();
  for (let times = 0; times < 2; times++) {
    c.compiler.compile(['sum', 'middle', 'loop', 'clear'].map(c.record));
    assert.deepEqual(['loop', 'clear', 'middle', 'sum'].filter(c.isRegion), ['loop', 'clear', 'middle', 'sum']);
  }
  assert.equal(again(c), 1000n);
});

test('a store by a device into a region gives it up; one beside it does not', () => {
  const c = compiled();
  c.m.run();
  c.compiler.work();
  c.m.storage.write8(c.m.at('other') + 3, 5);
  assert.ok(c.isRegion('loop'));
  c.m.storage.write8(c.m.at('loop') + 3, 2);
  assert.equal(c.isRegion('loop'), false);
  assert.equal(again(c), 2000n);
});

test('what is stored to while it is compiled does not become a region', () => {
  const c = compiled(undefined, m => m.storage.write8(m.at('loop') + 3, 3));
  c.m.run();
  c.compiler.work();
  assert.equal(c.isRegion('loop'), false);
  assert.equal(again(c), 3000n);
});

test('where there are breakpoints there are no regions', () => {
  const c = compiled();
  c.m.run();
  c.m.cpu.code.breakpoints = new Set([1n]);
  again(c);
  c.m.cpu.slots.want(c.record('loop'));
  c.compiler.work();
  assert.equal(c.isRegion('loop'), false);
  c.m.cpu.code.breakpoints = new Set();
  again(c);
  c.compiler.compile([c.record('loop')]);
  assert.ok(c.isRegion('loop'));
});

test('the oldest regions go where there is no room, and come again', () => {
  const c = compiled(1);
  c.m.run();
  c.compiler.work();
  assert.equal(c.isRegion('loop'), false);
  assert.equal(again(c), 1000n);
  assert.equal(c.compiler.work(), 'done');
});

test('a CPU executes what it has not taken yet', () => {
  const c = compiled();
  c.m.run();
  c.m.cpu.regions.takeFrom(() => undefined);
  c.compiler.work();
  assert.ok(c.isRegion('loop'));
  assert.equal(again(c), 1000n);
});
