import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLayout } from '../../cpu/state.ts';
import { fromEbcdic, toEbcdic } from '../../ebcdic.ts';
import { Storage } from '../../machine/storage.ts';
import { AsciiConsole } from './ascii-console.ts';
import { LineConsole } from './line-console.ts';
import { Quiesce } from './quiesce.ts';
import { Sclp } from './sclp.ts';

const SCCB = 0x4000;
const latin1 = (data: Uint8Array): string => new TextDecoder('latin1').decode(data);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An SCLP with its consoles, and what the guest and the operator see of it. */
function setUp() {
  const layout = planLayout(1, 0x100000);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const storage = new Storage(memory, layout);
  const signals: number[] = [];
  const unimplemented: string[] = [];
  const assigned: [number, boolean][] = [];
  const facts = {
    storage: {
      increment: 0x100000,
      core: 1,
      standby: 2,
      assign: (number: number, on: boolean) => number < 3 && assigned.push([number, on]) > 0,
    },
    maximumCpus: 4,
    extendedLength: false,
    nesting: 0,
    addressBits: 47,
    hypervisorFacilities: 0x08000000,
    configuration: new Uint8Array(19),
    configuration2: new Uint8Array(4),
    byte134: 0x80,
    cpuFeatures: new Uint8Array(6),
    loadParameter: () => 'PROMPT',
    cpus: () => ({ configured: [0, 2], standby: [3] }),
    configureCpu: (cpu: number, on: boolean) =>
      (cpu > 3 ? 'impossible' : on === cpu < 3 ? 'unchanged' : 'done') as 'done',
  };
  const sclp = new Sclp(
    storage,
    facts,
    parameter => signals.push(parameter),
    what => unimplemented.push(what),
  );
  const screen = { ascii: '', line: '' };
  const attention = () => sclp.attention();
  const ascii = new AsciiConsole(
    data => (screen.ascii += latin1(data)),
    attention,
    () => {},
  );
  const line = new LineConsole(
    data => (screen.line += latin1(data)),
    attention,
    () => {},
  );
  const quiesce = new Quiesce(attention);
  for (const source of [quiesce, ascii, line]) sclp.events.add(source);
  /** Carries out a command with a control block of this length and these bytes behind the length field. */
  const command = (code: number, length: number, ...rest: number[]) => {
    storage.fill(SCCB, 4096, 0);
    storage.write16(SCCB, length);
    storage.write(SCCB + 2, rest);
    sclp.serviceCall(code, SCCB);
    return storage.read16(SCCB + 6);
  };
  /** Lets the guest receive every kind of event. */
  const enable = () => {
    storage.fill(SCCB, 4096, 0);
    storage.write16(SCCB, 28);
    storage.write16(SCCB + 10, 4);
    storage.write32(SCCB + 12, 0xffffffff);
    sclp.serviceCall(0x00780005, SCCB);
  };
  return { assigned, storage, sclp, signals, unimplemented, screen, ascii, line, quiesce, command, enable };
}

test('READ SCP INFO tells of storage, CPUs and the load parameter', () => {
  const { storage, command, signals } = setUp();
  assert.equal(command(0x00020001, 4096), 0x0010);
  assert.equal(storage.read16(SCCB + 8), 3);
  assert.equal(storage.read8(SCCB + 10), 1);
  assert.equal(storage.read16(SCCB + 16), 2);
  assert.equal(storage.read16(SCCB + 18), 128);
  assert.equal(storage.read8(SCCB + 128 + 16), 2);
  assert.equal(storage.read8(SCCB + 99), 47);
  assert.equal(storage.read16(SCCB + 120), 3);
  assert.equal(latin1(fromEbcdic(storage.read(SCCB + 24, 8))), 'PROMPT  ');
  assert.deepEqual(signals, [SCCB]);
  assert.equal(command(0x00020001, 100), 0x0300);
});

test('READ CPU INFO tells of configured CPUs, then of those in standby', () => {
  const { storage, command } = setUp();
  assert.equal(command(0x00010001, 4096), 0x0010);
  assert.deepEqual(
    [8, 10, 12, 14].map(at => storage.read16(SCCB + at)),
    [2, 24, 1, 24 + 2 * 16],
  );
  assert.equal(storage.read8(SCCB + 24 + 2 * 16), 3);
  // Room is wanted for as many CPUs as there may ever be.
  assert.equal(command(0x00010001, 24 + 4 * 16 - 1), 0x0300);
});

test('storage in standby is told of, attached and assigned', () => {
  const { storage, command, assigned } = setUp();
  assert.equal(command(0x00040001, 4096), 0x0010);
  assert.deepEqual(
    [8, 10, 12].map(at => storage.read16(SCCB + at)),
    [1, 1, 0],
  );
  assert.equal(storage.read32(SCCB + 16), 0x10001);
  assert.equal(command(0x00040101, 4096), 0x0410);
  assert.deepEqual(
    [8, 10, 12].map(at => storage.read16(SCCB + at)),
    [1, 2, 2],
  );
  assert.equal(command(0x00080101, 4096), 0x0020);
  assert.deepEqual(
    [0, 4].map(at => storage.read32(SCCB + 16 + at)),
    [0x20001, 0x30001],
  );
  assert.equal(command(0x000d0001, 16, 0, 0, 0, 0, 0, 0, 0, 2), 0x0020);
  assert.equal(command(0x000c0001, 16, 0, 0, 0, 0, 0, 0, 0, 3), 0x0020);
  assert.equal(command(0x000d0001, 16, 0, 0, 0, 0, 0, 0, 0, 4), 0x0340);
  assert.equal(command(0x000d0001, 16, 0, 0, 0, 0, 0, 0, 0, 1), 0x0120);
  assert.deepEqual(assigned, [
    [1, true],
    [2, false],
  ]);
});

test('CPUs are configured and deconfigured', () => {
  const { command } = setUp();
  assert.equal(command(0x00110301, 8), 0x0020);
  assert.equal(command(0x00110001, 8), 0x0120);
  assert.equal(command(0x00100901, 8), 0x0340);
});

test('a command that is not there is answered so, and named', () => {
  const { command, unimplemented } = setUp();
  assert.equal(command(0x00990001, 8), 0x01f0);
  assert.deepEqual(unimplemented, ["SCLP command X'00990001'"]);
});

test('the guest prints on the ASCII console and reads what is typed', () => {
  const { storage, screen, ascii, command, enable, signals } = setUp();
  enable();
  const text = bytes('hello');
  const length = 6 + text.length;
  assert.equal(command(0x00760005, 8 + length, 0, 0, 0, 0, 0, 0, 0, length, 0x1a, 0, 0, 0, ...text), 0x0020);
  assert.equal(screen.ascii, 'hello');
  assert.equal(storage.read8(SCCB + 8 + 3), 0x80);
  signals.length = 0;
  ascii.type(bytes('ls\r'));
  assert.deepEqual(signals, [1]);
  assert.equal(command(0x00770005, 4096), 0x0020);
  assert.equal(storage.read16(SCCB + 8), 6 + 1 + 3);
  assert.equal(latin1(storage.read(SCCB + 8 + 7, 3)), 'ls\r');
  assert.equal(command(0x00770005, 4096), 0x60f0);
});

test('the line-mode console shows messages and hands over whole lines', () => {
  const { storage, screen, line, command, enable } = setUp();
  enable();
  const text = toEbcdic(bytes('IPL DONE'));
  const object = [0, 10 + text.length, 0, 4, 0, 0, 0, 0, 0, 0, ...text];
  const block = [0, 14 + object.length, 0, 1, 0xd4, 0xc4, 0xc2, 0x40, 0, 0, 0, 1, 0, 0, ...object];
  const buffer = [0, 6 + block.length, 0x02, 0, 0, 0, ...block];
  assert.equal(command(0x00760005, 8 + buffer.length, 0, 0, 0, 0, 0, 0, ...buffer), 0x0020);
  assert.equal(screen.line, '\nIPL DONE');
  line.type(bytes('logon\n'));
  assert.equal(screen.line, '\nIPL DONElogon');
  assert.equal(command(0x00770005, 4096), 0x0020);
  assert.equal(storage.read8(SCCB + 8 + 2), 0x01);
  assert.equal(latin1(fromEbcdic(storage.read(SCCB + 8 + 22, 5))), 'logon');
});

test('a quiesce signal waits until the guest wants it', () => {
  const { quiesce, command, enable, signals, sclp } = setUp();
  quiesce.signal();
  assert.deepEqual(signals, []);
  enable();
  sclp.attention();
  assert.deepEqual(signals, [SCCB | 1, 1]);
  assert.equal(command(0x00770005, 4096), 0x0020);
  assert.equal(command(0x00770005, 4096), 0x60f0);
});

test('event buffers that do not fit their block are refused', () => {
  const { command } = setUp();
  assert.equal(command(0x00760005, 16, 0, 0, 0, 0, 0, 0, 0, 200, 0x1a, 0, 0, 0), 0x73f0);
  assert.equal(command(0x00760005, 14, 0, 0, 0, 0, 0, 0, 0, 6, 0x77, 0, 0, 0), 0x40f0);
});

test('a block at the end of storage whose length has grown meanwhile harms nobody', () => {
  const { storage, sclp, signals } = setUp();
  const last = storage.size - 8;
  storage.write16(last, 4096);
  sclp.serviceCall(0x00020001, last);
  assert.equal(storage.read16(last + 6), 0x0100);
  assert.deepEqual(signals, [last]);
});
