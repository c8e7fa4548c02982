import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cpu } from './cpu.ts';
import * as pending from './pending.ts';
import { PSW_BA, PSW_EA, PSW_EXTERNAL, PSW_IO, PSW_MACHINE_CHECK, PSW_WAIT } from './registers.ts';
import * as state from './state.ts';
import { machine, type TestMachine } from './testing.ts';

const WIDE = PSW_EA | PSW_BA;
const STOP = PSW_WAIT | WIDE;
/** Where each kind of interruption stops the program. */
const news = { restart: 0x1a0, external: 0x1b0, svc: 0x1c0, program: 0x1d0, machineCheck: 0x1e0, io: 0x1f0 } as const;
type Kind = keyof typeof news;

function prepared(source: string, mask = 0n, data = ''): TestMachine {
  const m = machine(source, { mask: WIDE | mask, data });
  for (const at of Object.values(news)) {
    m.storage.write64(at, STOP);
    m.storage.write64(at + 8, BigInt(at));
  }
  // All external subclasses, and channel reports.
  m.cr(0, 0x4_fe40n).cr(6, 0xff00_0000n).cr(14, 0x1000_0000n);
  m.cpu.counted = false;
  // Neither timer is due.
  m.cpu.setField64(state.CLOCK_COMPARATOR, 0xffff_ffff_ffff_ffffn);
  m.cpu.setField64(state.CPU_TIMER_END, 0x7fff_ffff_ffff_ffffn);
  m.cpu.timers.recompute();
  return m;
}

const arrived = (m: TestMachine, kind: Kind): void => {
  assert.equal(m.cpu.run(), 'disabled-wait');
  assert.equal(m.cpu.pswAddress, BigInt(news[kind]));
};
const parts = (cpu: Cpu) => [cpu.storage.memory, cpu.layout] as const;

test('a service signal, parameters joined', () => {
  const m = prepared('loop: j loop', PSW_EXTERNAL);
  pending.raiseServiceSignal(...parts(m.cpu), 0x1000);
  pending.raiseServiceSignal(...parts(m.cpu), 1);
  arrived(m, 'external');
  assert.equal(m.storage.read32(0x80), 0x1001);
  assert.equal(m.storage.read32(0x84), 0x2401);
  assert.equal(m.storage.read64(0x130), WIDE | PSW_EXTERNAL);
  assert.equal(m.storage.read64(0x138), 0x400n);
});

test('external interruptions in their order', () => {
  const m = prepared('.short 0', PSW_EXTERNAL);
  pending.raiseServiceSignal(...parts(m.cpu), 4);
  pending.raiseExternalCall(...parts(m.cpu), 0, 7);
  pending.raiseEmergencySignal(...parts(m.cpu), 0, 40);
  pending.raiseEmergencySignal(...parts(m.cpu), 0, 3);
  pending.raiseMalfunctionAlert(...parts(m.cpu), 0, 2);
  pending.raiseInterruptKey(...parts(m.cpu));
  assert.equal(pending.raiseExternalCall(...parts(m.cpu), 0, 8), false);
  const seen: string[] = [];
  for (let n = 0; n < 6; n++) {
    arrived(m, 'external');
    seen.push(m.hex(0x84, 4));
    m.cpu.setPsw(WIDE | PSW_EXTERNAL, 0x400n);
  }
  assert.deepEqual(seen, ['00000040', '00021200', '00031201', '00281201', '00071202', '00002401']);
  arrived(m, 'program');
});

test('a clock comparator is due when the TOD offset takes the clock past it', () => {
  const m = prepared('loop: ptff\nj loop', PSW_EXTERNAL, '.balign 8\nhour: .quad 0xd693a400000');
  const now = m.cpu.timers.clock.tod();
  m.cpu.setField64(state.CLOCK_COMPARATOR, now + 0x1000_0000_0000n);
  m.cpu.timers.recompute();
  const ADJUST_TOD_OFFSET = 64;
  m.gr(0, ADJUST_TOD_OFFSET).gr(1, m.at('hour')).cr(0, 0x4_0800n);
  arrived(m, 'external');
  assert.equal(m.storage.read16(0x86), 0x1004);
  assert.equal(m.cpu.timers.clock.base().offset, 2n * 0xd693a400000n);
});

test('masks keep interruptions off until they are turned on', () => {
  for (const enable of ['stosm 0x900(0),1', 'ssm on', 'lpswe psw']) {
    const m = prepared(
      `lghi %r2,1\n${enable}\nlghi %r2,2\nlghi %r2,3\n.short 0`,
      0n,
      'on: .byte 1\n.balign 8\npsw: .quad 0x0100000180000000,0x408',
    );
    pending.raiseServiceSignal(...parts(m.cpu), 8);
    arrived(m, 'external');
    assert.equal(m.cpu.gr(2), 1n, enable);
  }
  const closed = prepared('stosm 0x900(0),1\nlghi %r2,3\n.short 0');
  closed.cr(0, 0x4_0000n);
  pending.raiseServiceSignal(...parts(closed.cpu), 8);
  arrived(closed, 'program');
});

test('an I/O interruption of an enabled subclass', () => {
  const m = prepared('loop: j loop', PSW_IO);
  m.cr(6, 0x1000_0000n);
  const asked: number[] = [];
  m.cpu.interruptions.takeIo = subclasses => {
    asked.push(subclasses);
    pending.setIoPending(...parts(m.cpu), 0xff, false);
    return { subchannelId: 0x1_0005, parameter: 0xabcd, identification: 0x1800_0000 };
  };
  pending.setIoPending(...parts(m.cpu), 0x30, true);
  arrived(m, 'io');
  assert.deepEqual(asked, [0x10]);
  assert.equal(m.hex(0xb8, 12), '000100050000abcd18000000');
});

test('machine checks, restart, and which comes first', () => {
  const m = prepared('.short 0', PSW_EXTERNAL | PSW_MACHINE_CHECK);
  pending.raiseRestart(...parts(m.cpu), 0);
  pending.raiseServiceSignal(...parts(m.cpu), 8);
  pending.raiseChannelReport(...parts(m.cpu));
  arrived(m, 'restart');
  // Nested: the machine check was taken first, and its new PSW lets only the restart through.
  assert.equal(m.storage.read64(0x128), BigInt(news.machineCheck));
  assert.equal(m.storage.read64(0x160), WIDE | PSW_EXTERNAL | PSW_MACHINE_CHECK);
  m.cpu.setPsw(WIDE | PSW_EXTERNAL, 0x400n);
  arrived(m, 'external');
});

test('machine checks that are pending together are indicated together, as far as their masks let them', () => {
  const m = prepared('.short 0', PSW_MACHINE_CHECK);
  m.storage.write64(news.machineCheck, STOP);
  m.cr(14, 0x1600_0000n);
  pending.raiseChannelReport(...parts(m.cpu));
  pending.raiseWarning(...parts(m.cpu));
  pending.raiseExternalDamage(...parts(m.cpu), 0x2000);
  pending.raiseMachineCheck(...parts(m.cpu), 0, {
    kind: 'recovery',
    storage: { error: 'corrected', address: 0x12345n },
  });
  pending.raiseMachineCheck(...parts(m.cpu), 0, { kind: 'degradation' });
  m.gr(7, 0x1122_3344_5566_7788n);
  arrived(m, 'machineCheck');
  assert.equal(m.hex(0xe8, 8), '05404fbd40330000');
  assert.equal(m.storage.read32(0xf4), 0x2000);
  assert.equal(m.storage.read64(0xf8), 0x12345n);
  assert.equal(m.storage.read64(0x1280 + 8 * 7), 0x1122_3344_5566_7788n);
  // Warning and recovery were masked off.
  m.cr(14, 0xffff_ffffn);
  m.cpu.setPsw(WIDE | PSW_MACHINE_CHECK, 0x400n);
  arrived(m, 'machineCheck');
  assert.equal(m.hex(0xe8, 8), '20800f1d40330000');
});

test('exigent machine checks: no subclass mask, storage error; check stop when they cannot be taken', () => {
  const m = prepared('.short 0', PSW_MACHINE_CHECK);
  m.cr(14, 0n);
  const damage = {
    kind: 'processing-damage',
    storage: { error: 'uncorrected', address: 0x1000n },
  } as const;
  pending.raiseMachineCheck(...parts(m.cpu), 0, damage);
  arrived(m, 'machineCheck');
  assert.equal(m.hex(0xe8, 8), '40008f9d40330000');
  const masked = prepared('loop: j loop');
  pending.raiseMachineCheck(...parts(masked.cpu), 0, damage);
  assert.equal(masked.cpu.run(), 'check-stop');
  assert.equal(masked.cpu.field32(state.CPU_STATE), state.CPU_CHECK_STOP);
});

test('vector registers go to the extended save area', () => {
  const m = prepared('.short 0', PSW_MACHINE_CHECK);
  m.cpu.environment = { ...m.cpu.environment, facilities: new Set([129]) };
  m.storage.write64(0x11b0, 0x4000n);
  m.cpu.setField64(state.VR + 16 * 17 + 8, 0x0102_0304_0506_0708n);
  pending.raiseChannelReport(...parts(m.cpu));
  arrived(m, 'machineCheck');
  assert.equal(m.hex(0xe8, 8), '00400f5d40330000');
  assert.equal(m.hex(0x4000 + 16 * 17, 8), '0102030405060708');
  m.storage.write64(0x11b0, 0n);
  pending.raiseChannelReport(...parts(m.cpu));
  m.cpu.setPsw(WIDE | PSW_MACHINE_CHECK, 0x400n);
  arrived(m, 'machineCheck');
  assert.equal(m.hex(0xe8, 8), '00400f1d40330000');
});

test('an enabled wait ends at the clock comparator', () => {
  const m = prepared(
    'stckf a\nlg %r1,a\nalgfi %r1,0x8000000\nstg %r1,a\nsckc a\nlpswe psw',
    0n,
    '.balign 8\na: .quad 0\npsw: .quad 0x0102000180000000,0',
  );
  const before = performance.now();
  arrived(m, 'external');
  // 2^27 units are 32.8 ms.
  assert.ok(performance.now() - before > 30);
  assert.equal(m.storage.read32(0x84), 0x1004);
});

test('an enabled wait ends at the CPU timer', () => {
  const m = prepared('spt a\nlpswe psw', 0n, '.balign 8\na: .quad 0x2000000\npsw: .quad 0x0102000180000000,0');
  m.cr(0, 0x4_0400n);
  arrived(m, 'external');
  assert.equal(m.storage.read32(0x84), 0x1005);
});

test('why run ends', () => {
  const stopped = prepared('loop: j loop');
  pending.requestStop(...parts(stopped.cpu), 0);
  assert.equal(stopped.cpu.run(), 'request');
  const looping = prepared('.short 0');
  looping.storage.write64(news.program, 1n);
  assert.equal(looping.cpu.run(), 'program-loop');
  const noInstruction = prepared('.short 0');
  noInstruction.storage.write64(news.program, WIDE);
  noInstruction.storage.write64(news.program + 8, 0x400n);
  assert.equal(noInstruction.cpu.run(), 'operation-loop');
  const timer = prepared('loop: j loop', PSW_EXTERNAL);
  timer.storage.write64(news.external, STOP | PSW_EXTERNAL);
  timer.cpu.timers.cpuTimer = -1n;
  assert.equal(timer.cpu.run(), 'external-loop');
  const itself = prepared('sigp %r1,%r3,5').gr(3, 0);
  assert.equal(itself.cpu.run(), 'stopped');
  assert.equal(itself.cpu.pswAddress, 0x404n);
  assert.equal(Atomics.load(itself.cpu.i32, (itself.cpu.layout.machine + state.EXECUTING_CPUS) >>> 2), 0);
});

test('a restart leads out of the stopped state', () => {
  const m = prepared('.short 0');
  m.cpu.setField32(state.CPU_STATE, state.CPU_STOPPED);
  pending.raiseRestart(...parts(m.cpu), 0);
  arrived(m, 'restart');
  assert.equal(m.storage.read64(0x128), 0x400n);
});

test('a reset forgets conditions', () => {
  const m = prepared('.short 0', PSW_EXTERNAL);
  pending.raiseServiceSignal(...parts(m.cpu), 4);
  pending.raiseEmergencySignal(...parts(m.cpu), 0, 40);
  pending.clearConditions(...parts(m.cpu));
  arrived(m, 'program');
});
