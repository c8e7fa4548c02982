import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../machine/storage.ts';
import { continueClock, startClock } from './clock.ts';
import { CountedCpu } from './counted.ts';
import { Assembler } from './isa/assemble.ts';
import { instructions } from './isa/index.ts';
import { PSW_BA, PSW_EA, PSW_EXTERNAL, PSW_WAIT } from './registers.ts';
import * as state from './state.ts';
import { VirtualTime } from './virtual-time.ts';

const ORIGIN = 0x1000;
const MASK = PSW_EA | PSW_BA;

/** CPUs of counted mode that all begin with the same program; an external interruption leads to a disabled wait. */
function machine(source: string, cpus: number, shift: number) {
  const layout = state.planLayout(cpus, 0x200000);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  startClock(memory, layout, 0);
  new Int32Array(memory.buffer)[(layout.machine + state.COUNTS) / 4] = 1;
  continueClock(memory, layout);
  const storage = new Storage(memory, layout);
  const time = new VirtualTime(memory, layout, shift);
  storage.write(ORIGIN, new Assembler(instructions).assemble(source, ORIGIN).bytes);
  storage.write64(0x1b0, PSW_WAIT | MASK);
  const all = Array.from({ length: cpus }, (_, n) => {
    const cpu = new CountedCpu(storage, n, instructions, time);
    cpu.setPsw(MASK | PSW_EXTERNAL, BigInt(ORIGIN));
    return cpu;
  });
  return { cpus: all, time, storage, memory, layout };
}

test('a turn has so many instructions, and time is made of them', () => {
  const { cpus, time } = machine('again: aghi %r2,1\n j again', 2, 3);
  const [first, second] = cpus as [CountedCpu, CountedCpu];
  first.left = 1001;
  assert.equal(first.turn(), 'over');
  assert.equal(first.gr(2), 501n);
  assert.equal(time.milliseconds, (1001 * 8) / 1e6);
  second.left = 10;
  assert.equal(second.turn(), 'over');
  assert.equal(second.gr(2), 5n);
  assert.equal(second.timers.now(), (1011 * 8) / 1e6);
  assert.equal(first.field64(state.INSTRUCTION_COUNT), 1001n);
});

test('the clock comparator interrupts after the same instruction each time', () => {
  const source = ` stck 0x800
 lg %r1,0x800
 algfi %r1,40960
 stg %r1,0x808
 sckc 0x808
again: aghi %r2,1
 j again`;
  const run = () => {
    const { cpus, time } = machine(source, 1, 3);
    const [cpu] = cpus as [CountedCpu];
    // CR0 bit 52: clock comparator.
    cpu.setCr(0, 0x800n);
    cpu.setField64(state.CLOCK_COMPARATOR, 2n ** 64n - 1n);
    cpu.timers.recompute();
    cpu.left = 10_000;
    assert.equal(cpu.turn(), 'disabled-wait');
    return { loops: cpu.gr(2), count: cpu.field64(state.INSTRUCTION_COUNT), time: time.milliseconds };
  };
  const first = run();
  assert.deepEqual(run(), first);
  // 40960 units are 10 microseconds: 1250 instructions of 8 nanoseconds.
  assert.ok(first.count >= 1250n && first.count < 1256n, `${first.count}`);
});

test('all come to a halt where they are to', () => {
  const { cpus, memory, layout } = machine('again: aghi %r2,1\n j again', 1, 0);
  const [cpu] = cpus as [CountedCpu];
  new Float64Array(memory.buffer)[(layout.machine + state.INSTRUCTION_GOAL) / 8] = 777;
  cpu.left = 10_000;
  assert.equal(cpu.turn(), 'breakpoint');
  assert.equal(cpu.field64(state.INSTRUCTION_COUNT), 777n);
  assert.equal(cpu.turn(), 'over');
  assert.equal(cpu.field64(state.INSTRUCTION_COUNT), 10_000n);
});

test('a CPU that waits says when it wakes', () => {
  const { cpus, storage, time } = machine('lpswe 0x900', 1, 0);
  const [cpu] = cpus as [CountedCpu];
  storage.write64(0x900, MASK | PSW_EXTERNAL | PSW_WAIT);
  cpu.setCr(0, 0x400n);
  cpu.timers.cpuTimer = 4096n * 1000n;
  cpu.left = 100;
  assert.equal(cpu.turn(), 'waiting');
  assert.ok(Math.abs(cpu.wakes - 1) < 0.001, `${cpu.wakes}`);
  time.waitedUntil(cpu.wakes);
  assert.equal(cpu.turn(), 'disabled-wait');
});
