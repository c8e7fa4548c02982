import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Storage } from '../machine/storage.ts';
import { Clock, continueClock, startClock, stopClock, Timers } from './clock.ts';
import { Cpu } from './cpu.ts';
import { EXIT_FUEL } from './engine/protocol.ts';
import { Assembler } from './isa/assemble.ts';
import { instructions } from './isa/index.ts';
import { PSW_BA, PSW_EA } from './registers.ts';
import * as state from './state.ts';

const layout = state.planLayout(2, 0x10_0000);
function made(): { memory: WebAssembly.Memory; clocks: Clock[] } {
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  startClock(memory, layout);
  return { memory, clocks: [0, 1].map(() => new Clock(memory, layout)) };
}
const WORK = layout.cpuBase + state.OPERAND;

test('the TOD clock stands still while the machine is stopped', async () => {
  const { memory, clocks } = made();
  const clock = clocks[0]!;
  const before = clock.tod();
  await setTimeout(20);
  assert.equal(clock.tod(), before);
  continueClock(memory, layout);
  const [first, physical] = [clock.tod(), clock.physical()];
  assert.ok(first >= before && first - before < 5_000_000n, `${first - before}`);
  await setTimeout(5);
  stopClock(memory, layout);
  const stopped = clock.tod();
  assert.ok(stopped - first > 4_000_000n * 4n);
  await setTimeout(20);
  stopClock(memory, layout);
  assert.equal(clock.tod(), stopped);
  continueClock(memory, layout);
  assert.ok(clock.tod() >= stopped && clock.tod() - stopped < 5_000_000n);
  assert.ok(clock.physical() > physical);
  assert.equal(clock.offset, 0n);
});

test('the clock comparator is due when the clock exceeds it, with or without sign', () => {
  const { memory, clocks } = made();
  continueClock(memory, layout);
  const u64 = new BigUint64Array(memory.buffer);
  const timers = new Timers(memory, layout, layout.cpuBase);
  const due = (tod: bigint, comparator: bigint, sign: boolean): boolean => {
    u64[(layout.cpuBase + state.CR) / 8] = sign ? 1n << 53n : 0n;
    clocks[0]!.setTod(tod);
    u64[WORK / 8] = comparator;
    timers.setClockComparator(WORK / 4);
    return timers.isDue(2);
  };
  const high = 0xf000_0000_0000_0000n;
  assert.equal(due(high, high - 1n, false), true);
  assert.equal(due(high, high + 0x1_0000_0000n, false), false);
  assert.equal(due(high, 0x1000n, false), true);
  assert.equal(due(high, 0x1000n, true), false);
  assert.equal(due(0x1000n, high, false), false);
  assert.equal(due(0x1000n, high, true), true);
  assert.equal(due(high, 0x7fff_ffff_ffff_ffffn, true), false);
  assert.equal(due(high, 0xffff_ffff_ffff_ffffn, false), false);
  // Set elsewhere.
  clocks[1]!.setTod(high + 0x100n);
  u64[WORK / 8] = high;
  timers.setClockComparator(WORK / 4);
  clocks[1]!.setTod(1n);
  assert.equal(timers.isDue(2), false);
});

/** A machine of two CPUs with a clock that runs, and a program for each CPU. */
function running(source: string): { cpus: Cpu[]; storage: Storage } {
  const { memory } = made();
  continueClock(memory, layout);
  const storage = new Storage(memory, layout);
  storage.write(0x400, new Assembler(instructions).assemble(source, 0x400).bytes);
  const cpus = [0, 1].map(n => new Cpu(storage, n, instructions));
  for (const cpu of cpus) cpu.counted = true;
  return { cpus, storage };
}

function execute(cpu: Cpu, count: number): void {
  cpu.setPsw(PSW_EA | PSW_BA, 0x400n);
  cpu.setField32(state.FUEL, count);
  assert.equal(cpu.step(), EXIT_FUEL);
}

test('values of STORE CLOCK differ and rise, on all CPUs', () => {
  const { cpus, storage } = running('stck 0x200\nstck 0x208');
  const seen = new Set<bigint>();
  let last = 0n;
  for (let n = 0; n < 10_000; n++) {
    execute(cpus[n & 1]!, 2);
    for (const at of [0x200, 0x208]) {
      const value = storage.read64(at);
      assert.ok(!seen.has(value) && value > last - 256n);
      seen.add(value);
      last = value;
    }
  }
  // Another CPU sets the clock back: this one follows.
  cpus[1]!.timers.clock.setTod(0x1000_0000_0000_0000n);
  execute(cpus[0]!, 1);
  assert.ok(storage.read64(0x200) - 0x1000_0000_0000_0000n < 1n << 40n);
});

test('the epoch index counts how often the clock has passed its end', () => {
  const { cpus, storage } = running('stcke 0x200');
  const cpu = cpus[0]!;
  const index = (): number => {
    execute(cpu, 1);
    return storage.read8(0x200);
  };
  assert.equal(index(), 0);
  cpu.timers.clock.setTod(0xffff_ffff_ffff_0000n);
  const end = performance.now() + 2;
  while (performance.now() < end);
  assert.equal(index(), 1);
  cpu.environment = { ...cpu.environment, facilities: new Set() };
  assert.equal(index(), 0);
  cpu.environment = { ...cpu.environment, facilities: new Set([139]) };
  cpu.timers.clock.setTod(5n);
  assert.equal(index(), 0);
});
