import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, startClock } from '../cpu/clock.ts';
import { Registers } from '../cpu/registers.ts';
import { SavedClock, SavedCpu } from '../cpu/saved.ts';
import * as state from '../cpu/state.ts';
import { SaveError } from '../save/save-state.ts';
import { cpuModel } from './cpu-model.ts';
import { CpuTable, savedTable } from './cpu-table.ts';
import { planLoad, saveMachine, summaryOf } from './saved-machine.ts';
import { SavedFrames } from './saved-storage.ts';
import { Storage } from './storage.ts';

const MEBIBYTE = 0x100000;

/** As much of a machine as is saved here. */
function machine({ size = 2 * MEBIBYTE, cpus = 2, model = 'z14', features = {} as Record<string, boolean> } = {}) {
  const layout = state.planLayout(cpus, size);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const storage = new Storage(memory, layout);
  startClock(memory, layout);
  const table = new CpuTable(memory, layout);
  for (let cpu = 0; cpu < cpus; cpu++) table.setPresence(cpu, 'configured');
  const numbers = table.addresses('configured');
  const clock = new SavedClock(memory, layout);
  const units = [
    clock,
    savedTable(memory, layout),
    ...numbers.map(cpu => new SavedCpu(memory, layout, cpu)),
    new SavedFrames(memory, layout),
  ];
  const kind = { storage, cpus: numbers, model: cpuModel(model, new Map(Object.entries(features)), 'kvm') };
  const registers = numbers.map(cpu => new Registers(memory, layout, cpu));
  const save = (): Uint8Array => {
    const summary = { date: 1000, running: clock.running, instructions: undefined, status: 'running' as const };
    return Uint8Array.from(Buffer.concat([...saveMachine(kind, units, summary)]));
  };
  const keys = new Uint8Array(memory.buffer, layout.keys, size / 4096);
  return {
    kind,
    units,
    storage,
    registers,
    clock,
    keys,
    tod: new Clock(memory, layout),
    save,
    load: (data: Uint8Array) => {
      const { summary, apply } = planLoad(kind, units, [], data);
      apply();
      return summary;
    },
  };
}

test('what was saved is there again', () => {
  const first = machine();
  first.storage.write(0x3004, [1, 2, 3]);
  first.storage.fill(2 * MEBIBYTE - 4096, 4096, 0xaa);
  first.storage.fill(0x80000, 0x40000, 0x55);
  first.keys[3] = 0x86;
  const [cpu, other] = first.registers as [Registers, Registers];
  cpu.setGr(5, 0x1234_5678_9abc_def0n);
  cpu.setPsw(0x0705_2001_8000_0000n, 0x1000n);
  cpu.setField64(state.CPU_TIMER, 5n);
  other.setField32(state.CPU_STATE, state.CPU_STOPPED);
  other.setField32(state.ORDER, 7);
  const data = first.save();
  assert.ok(data.length < 8192, `${data.length} bytes`);
  assert.deepEqual(summaryOf(data.subarray(0, 4096)), {
    date: 1000,
    running: 0,
    instructions: undefined,
    status: 'running',
  });

  const second = machine();
  // What is not in the saved state must go.
  second.storage.fill(0x5000, 0x10000, 0xff);
  assert.equal(second.load(data).status, 'running');
  assert.deepEqual(second.save(), data);
  assert.deepEqual(second.storage.read(0x3003, 5), Uint8Array.of(0, 1, 2, 3, 0));
  assert.equal(second.storage.read64(0x5000), 0n);
  assert.equal(second.keys[3], 0x86);
  const again = second.registers[0]!;
  assert.equal(again.gr(5), 0x1234_5678_9abc_def0n);
  assert.equal(again.pswMaskWithCc, 0x0705_2001_8000_0000n);
  assert.equal(again.addressMask, 2n ** 64n - 1n);
  assert.equal(again.field32(state.CPU_TIMER_STANDS), 1);
  assert.equal(second.registers[1]!.field32(state.ORDER), 7);
});

test('another machine is not changed by it', () => {
  const data = machine().save();
  const refused = (options: Parameters<typeof machine>[0], message: string | RegExp) => {
    const other = machine(options);
    other.storage.write(0x1000, [7]);
    const before = other.save();
    assert.throws(() => other.load(data), { message });
    assert.deepEqual(other.save(), before);
  };
  refused({ size: MEBIBYTE }, 'Size mismatch: s390.ram: 0x200000 != 0x100000');
  refused({ cpus: 1 }, "Number of CPUs received is '2' and local is '1'");
  refused({ model: 'z13' }, "CPU model received is 'z14' and local is 'z13'");
  refused({ features: { etoken: false, edat: false } }, /^CPU features received differ: .*edat=on/);
});

test('damage is found before anything is changed', () => {
  const first = machine();
  first.storage.write(0x3000, [1]);
  const data = first.save();
  const other = machine();
  const before = other.save();
  for (let at = 0; at < data.length; at += 97) {
    const damaged = data.slice();
    damaged[at]! ^= 1;
    assert.throws(() => other.load(damaged), SaveError);
    assert.throws(() => other.load(data.subarray(0, at)), SaveError);
  }
  assert.throws(() => planLoad(other.kind, other.units.slice(1), [], data), /Unknown savevm section 'clock'/);
  assert.deepEqual(other.save(), before);
});

test('a steered clock goes on as it was', () => {
  const first = machine();
  const { tod } = first;
  tod.setTod(0xffff_ffff_ff00_0000n);
  tod.setUserDifference(7n);
  tod.steer(() => ({ fine: 0x7fff_ffff, base: 0x1_0000_0000n }));
  tod.steer(() => ({ gross: -5 }));
  const [cpu, other] = first.registers as [Registers, Registers];
  // A value from before the clock was set, and one from after that.
  cpu.setField64(state.LAST_CLOCK, 2n ** 63n);
  other.setField64(state.LAST_CLOCK, 0x1234n);
  other.setField32(state.LAST_CLOCK_SETTINGS, 3);
  const data = first.save();

  const second = machine();
  second.tod.steer(() => ({ gross: 9 }));
  second.load(data);
  assert.deepEqual(second.save(), data);
  for (const what of ['oldEpisode', 'newEpisode', 'epochDifference', 'userDifference'] as const) {
    assert.deepEqual(second.tod[what], tod[what]);
  }
  assert.equal(second.tod.tod(), tod.tod());
  assert.deepEqual(second.tod.base(), tod.base());
  const last = second.registers.map(registers => registers.field64(state.LAST_CLOCK));
  assert.deepEqual(last, [0n, 0x1234n]);
});
