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
import { VirtualTime } from './virtual-time.ts';

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
  const [first, physical] = [clock.tod(), clock.base().physical];
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
  assert.ok(clock.base().physical > physical);
  assert.equal(clock.base().offset, 0n);
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

/** Two CPUs whose time is made: a clock that shows a known value, and what lets time pass. */
function counting(shift = 0) {
  const { memory } = made();
  new Int32Array(memory.buffer)[(layout.machine + state.COUNTS) / 4] = 1;
  new Float64Array(memory.buffer)[(layout.machine + state.CLOCK_STOPPED) / 8] = 0;
  const time = new VirtualTime(memory, layout, shift);
  return { memory, time, clock: new Clock(memory, layout, time), storage: new Storage(memory, layout) };
}
/** Units of the TOD clock, 2^-12 microseconds. */
const MILLISECOND = 4_096_000n;

test('a steered clock gains or loses what its rates say', () => {
  const { time, clock } = counting();
  clock.setTod(0x1000_0000_0000_0000n);
  const [tod, physical] = [clock.tod(), clock.base().physical];
  const passes = (milliseconds: number): bigint[] => {
    time.waitedUntil(time.milliseconds + milliseconds);
    return [clock.tod() - tod, clock.base().physical - physical, clock.base().offset];
  };
  // A rate counts in units of 2^-44: 2^31 of them gain one part in 8192.
  clock.steer(() => ({ fine: 0x4000_0000 }));
  clock.steer(() => ({ gross: 0x4000_0000 }));
  assert.deepEqual(passes(8192), [8193n * MILLISECOND, 8192n * MILLISECOND, MILLISECOND]);
  // A new episode begins where the old one was.
  clock.steer(() => ({ fine: -0x8000_0000 }));
  assert.deepEqual(passes(0), [8193n * MILLISECOND, 8192n * MILLISECOND, MILLISECOND]);
  assert.deepEqual(passes(8192), [16384n * MILLISECOND + MILLISECOND / 2n, 16384n * MILLISECOND, MILLISECOND / 2n]);
  assert.deepEqual(clock.oldEpisode, { start: physical, base: 0n, fine: 0x4000_0000, gross: 0x4000_0000 });
  assert.deepEqual(clock.newEpisode, {
    start: physical + 8192n * MILLISECOND,
    base: MILLISECOND,
    fine: -0x8000_0000,
    gross: 0x4000_0000,
  });
  // The sum of both has a bit more than each.
  clock.steer(() => ({ fine: -0x8000_0000, gross: -0x8000_0000 }));
  assert.equal(passes(4096)[2], -MILLISECOND / 2n + 2n ** 64n);
  // Setting the clock is no matter of the TOD offset, and steering goes on.
  clock.setTod(tod);
  assert.deepEqual(passes(4096), [4095n * MILLISECOND, 24576n * MILLISECOND, 2n ** 64n - (3n * MILLISECOND) / 2n]);
  clock.steer(() => ({ base: 0n, fine: 0, gross: 0 }));
  assert.deepEqual(passes(10), [4105n * MILLISECOND + (3n * MILLISECOND) / 2n, 24586n * MILLISECOND, 0n]);
});

test('the clock comparator goes by the steered clock, the CPU timer does not', () => {
  const { memory, time, clock } = counting();
  const u64 = new BigUint64Array(memory.buffer);
  const timers = [0, 1].map(n => new Timers(memory, layout, layout.cpuBase + n * state.CPU_STRIDE, time));
  const [own, other] = timers as [Timers, Timers];
  const second = 1000n * MILLISECOND;
  for (const [fine, milliseconds] of [
    [0x7fff_ffff, 1000 / (1 + 0x7fff_ffff / 2 ** 44)],
    [-0x8000_0000, 1000 / (1 - 2 ** -13)],
    [0, 1000],
  ] as const) {
    const begin = time.milliseconds;
    own.cpuTimer = second;
    u64[WORK / 8] = clock.tod() + second;
    own.setClockComparator(WORK / 4);
    // Another CPU steers the clock.
    other.clock.steer(() => ({ fine }));
    const [comparator, timer] = own.due() as [number, number];
    assert.ok(Math.abs(timer - begin - 1000) < 1e-5);
    assert.ok(comparator > begin + milliseconds && comparator < begin + milliseconds + 1e-5, `${comparator - begin}`);
    time.waitedUntil(comparator - 1e-5);
    assert.equal(own.isDue(2), false);
    assert.ok(clock.tod() <= own.clockComparator);
    time.waitedUntil(comparator);
    assert.equal(own.isDue(2), true);
    assert.ok(clock.tod() > own.clockComparator);
  }
});

test('all instructions that store the clock store the steered one', () => {
  const { time, clock, storage } = counting();
  const source = 'stckf 0x200\nstck 0x208\nstcke 0x210\nstpt 0x220';
  storage.write(0x400, new Assembler(instructions).assemble(source, 0x400).bytes);
  const cpu = new Cpu(storage, 0, instructions, false, time);
  cpu.counted = true;
  cpu.timers.cpuTimer = 0n;
  const begin = clock.base().physical;
  for (const [fine, gross, milliseconds] of [
    [0, 0, 1],
    [0x7fff_ffff, 0x7fff_ffff, 3],
    [-0x8000_0000, -0x8000_0000, 1e7],
    [1, 0, 1e10],
    [-0x8000_0000, 0x8000_0000 - 1, 1e11],
    [0x1234_5678, -0x1234_5678, 1],
  ] as const) {
    clock.steer(() => ({ fine, gross }));
    time.waitedUntil(time.milliseconds + milliseconds);
    execute(cpu, 4);
    const tod = clock.tod();
    assert.equal(storage.read64(0x200), tod);
    assert.equal(storage.read64(0x208) & ~0xffn, tod & ~0xffn);
    assert.equal(
      ((storage.read64(0x210) << 8n) | (storage.read64(0x218) >> 56n)) & (2n ** 64n - 1n),
      storage.read64(0x208) + 256n,
    );
    assert.equal(BigInt.asIntN(64, storage.read64(0x220)), begin - clock.base().physical);
  }
});

test('values of STORE CLOCK rise also while the clock is steered otherwise, and when it goes on', () => {
  const { memory, time, clock, storage } = counting();
  storage.write(0x400, new Assembler(instructions).assemble('stck 0x200\nstck 0x208', 0x400).bytes);
  const cpu = new Cpu(storage, 0, instructions, false, time);
  cpu.counted = true;
  let last = 0n;
  for (let n = 0; n < 2000; n++) {
    // More often than the clock steps.
    time.grant((cpu.base + state.FUEL) / 4, 2);
    execute(cpu, 2);
    time.settle();
    for (const at of [0x200, 0x208]) {
      const value = storage.read64(at);
      assert.ok(value > last, `${n}: ${value} after ${last}`);
      last = value;
    }
    if (n % 3 === 0) clock.steer(() => (n % 2 ? { fine: n % 5 ? 0x7fff_ffff : -0x8000_0000 } : { gross: -n }));
    if (n % 50 === 0) {
      stopClock(memory, layout);
      continueClock(memory, layout);
    }
  }
  // Adjusted to earlier: it follows.
  clock.steer(offset => ({ base: offset - 1000n * MILLISECOND }));
  execute(cpu, 2);
  assert.ok(storage.read64(0x208) < last - 999n * MILLISECOND);
});
