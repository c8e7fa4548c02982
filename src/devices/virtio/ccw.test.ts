import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECKED, ENDED, type Transfer } from '../../css/control-unit.ts';
import type { Storage } from '../../machine/storage.ts';
import { SavedFields } from '../../save/save-state.ts';
import { Command, VirtioCcw } from './ccw.ts';
import { Feature } from './device.ts';
import { VirtioRng } from './rng/rng.ts';
import { BuiltinSource } from './rng/source.ts';
import { commonDefaults, DriverQueue, testStorage } from './testing.ts';

const QUEUE = 0x10000;
const INDICATORS = 0x30000;
const SUMMARY = 0x30100;
const CONFIGURATION_INDICATORS = 0x30200;

const bytes = (...parts: [size: number, value: number | bigint][]): Uint8Array => {
  const out: number[] = [];
  for (const [size, value] of parts) {
    for (let n = size - 1; n >= 0; n--) out.push(Number((BigInt(value) >> BigInt(8 * n)) & 0xffn));
  }
  return Uint8Array.from(out);
};

/** An entropy device behind the transport, and its driver. */
function setUp(properties: Partial<typeof commonDefaults> = {}, newest?: number, storage: Storage = testStorage()) {
  const device = new VirtioRng(
    { storage, complain: () => {} },
    { ...commonDefaults, maxBytes: Number.POSITIVE_INFINITY, period: 1000, ...properties },
    new BuiltinSource(),
  );
  const told: string[] = [];
  const ccw = new VirtioCcw(device, storage, newest);
  ccw.attached({
    present: status => void told.push(`status ${status.toString(16)}`),
    enabled: true,
    identification: { cssid: 0xfe, ssid: 0, deviceNumber: 1 },
    adapterInterruption: subclass => void told.push(`adapter ${subclass}`),
  });
  /** A command with these bytes in storage and a count as large; the bytes afterwards, or undefined: rejected. */
  const command = (code: number, ...parts: [number, number | bigint][]): Uint8Array | undefined => {
    const buffer = bytes(...parts);
    let at = 0;
    const transfer: Transfer = {
      count: buffer.length,
      chainsData: false,
      anyLength: false,
      take: length => {
        const part = buffer.slice(at, at + length);
        at += part.length;
        return part;
      },
      peek: length => buffer.slice(at, at + length),
      give: given => {
        const count = Math.min(given.length, buffer.length);
        buffer.set(given.subarray(0, count));
        return count;
      },
    };
    const status = ccw.execute(code, transfer);
    assert.ok(status === ENDED || (status === CHECKED && ccw.takeSense()[0] === 0x80));
    return status === ENDED ? buffer : undefined;
  };
  const offered = () => {
    const [low, high] = [0, 1].map(index => command(Command.readFeatures, [4, 0], [1, index])!);
    const word = (data: Uint8Array) => BigInt(new DataView(data.buffer).getUint32(0, true));
    return word(low!) | (word(high!) << 32n);
  };
  const accept = (features: bigint) => {
    for (const index of [0, 1]) {
      const word = new DataView(new ArrayBuffer(4));
      word.setUint32(0, Number((features >> BigInt(32 * index)) & 0xffffffffn), true);
      assert.ok(command(Command.writeFeatures, [4, word.getUint32(0)], [1, index]));
    }
  };
  return { storage, device, ccw, told, command, offered, accept };
}

type SetUp = ReturnType<typeof setUp>;

/** As Linux does, up to DRIVER_OK, without indicators. */
function start({ storage, device, command, offered, accept }: SetUp, revision = 2): DriverQueue {
  assert.ok(command(Command.setRevision, [2, revision], [2, 0]));
  command(Command.reset);
  command(Command.writeStatus, [1, 3]);
  accept(offered());
  if (revision > 0) assert.ok(command(Command.writeStatus, [1, 11]));
  const [high, low] = command(Command.readQueueConfiguration, [2, 0], [2, 0])!.slice(2);
  const size = high! * 256 + low!;
  const options = {
    little: revision > 0,
    eventIndex: device.has(Feature.eventIndex),
    packed: device.has(Feature.packed),
  };
  let queue = new DriverQueue(storage, QUEUE, size, options);
  if (revision > 0) {
    const { descriptors, driver, device: used } = queue.place;
    assert.ok(command(Command.setQueue, [8, descriptors], [4, 0], [2, 0], [2, size], [8, driver], [8, used]));
  } else {
    queue = new DriverQueue(storage, QUEUE, size, options, 4096);
    assert.ok(command(Command.setQueue, [8, QUEUE], [4, 4096], [2, 0], [2, size]));
  }
  assert.ok(command(Command.writeStatus, [1, revision > 0 ? 15 : 7]));
  return queue;
}

/** Has the device fill a buffer. */
function ask({ storage, device }: SetUp, queue: DriverQueue): Uint8Array {
  queue.add([{ address: 0x40000, length: 16, write: true }]);
  storage.fill(0x40000, 16, 0);
  device.notify(0);
  assert.equal(queue.used()[0]?.written, 16);
  return storage.read(0x40000, 16);
}

for (const revision of [0, 1, 2]) {
  for (const packed of revision === 0 ? [false] : [false, true]) {
    test(`revision ${revision}${packed ? ', packed' : ''}: from the revision to the first buffer`, () => {
      const under = setUp({ packed });
      const queue = start(under, revision);
      assert.notDeepEqual(ask(under, queue), new Uint8Array(16));
      const status = under.command(Command.readStatus, [1, 0]);
      assert.deepEqual(status, revision === 2 ? Uint8Array.of(15) : undefined);
    });
  }
}

test('a driver that knows no revisions', () => {
  const under = setUp();
  assert.equal(under.offered() >> 32n, 0n);
  assert.equal(under.command(Command.setRevision, [2, 1], [2, 0]), undefined);
  under.ccw.disabled();
  assert.ok(under.command(Command.setRevision, [2, 1], [2, 0]));
});

test('revisions that are not there, or chosen twice', () => {
  const under = setUp({}, 1);
  assert.equal(under.command(Command.setRevision, [2, 2], [2, 0]), undefined);
  assert.equal(under.command(Command.setRevision, [2, 1], [2, 4], [4, 0]), undefined);
  assert.equal(under.command(Command.setRevision, [2, 1]), undefined);
  assert.ok(under.command(Command.setRevision, [2, 1], [2, 0]));
  assert.equal(under.command(Command.setRevision, [2, 1], [2, 0]), undefined);
});

test('features by revision', () => {
  const under = setUp({ iommu_platform: true });
  under.command(Command.setRevision, [2, 1], [2, 0]);
  const modern = under.offered();
  assert.ok(modern & Feature.version1);
  assert.ok(modern & Feature.accessPlatform);
  assert.equal(modern & Feature.anyLayout, 0n);
  assert.deepEqual(under.command(Command.readFeatures, [4, 0xffff], [1, 2]), bytes([4, 0], [1, 2]));
  // Without the platform's rules for addresses there is no device.
  under.accept(modern & ~Feature.accessPlatform);
  assert.equal(under.command(Command.writeStatus, [1, 11]), undefined);
  under.accept(modern);
  assert.ok(under.command(Command.writeStatus, [1, 11]));
  // And then it is settled.
  under.accept(0n);
  assert.equal(under.device.features, modern);
});

test('classic indicators', () => {
  const under = setUp();
  const queue = start(under);
  assert.ok(under.command(Command.setIndicators, [8, INDICATORS]));
  queue.wantInterrupt(0);
  ask(under, queue);
  assert.equal(under.storage.read64(INDICATORS), 1n);
  assert.deepEqual(under.told, ['status 0']);
  const adapter = [
    [8, SUMMARY],
    [8, INDICATORS],
    [8, 0],
    [1, 3],
  ] as [number, number][];
  assert.equal(under.command(Command.setAdapterIndicators, ...adapter), undefined);
});

test('adapter indicators: one interruption until the summary has been cleared', () => {
  const under = setUp();
  const queue = start(under);
  const adapter = [
    [8, SUMMARY],
    [8, INDICATORS],
    [8, 21],
    [1, 3],
  ] as [number, number][];
  assert.ok(under.command(Command.setAdapterIndicators, ...adapter));
  assert.equal(under.command(Command.setIndicators, [8, INDICATORS]), undefined);
  for (let n = 0; n < 2; n++) {
    queue.wantInterrupt(0);
    ask(under, queue);
  }
  assert.equal(under.storage.read32(INDICATORS), 0x400);
  assert.equal(under.storage.read8(SUMMARY), 1);
  assert.deepEqual(under.told, ['adapter 3']);
  under.storage.write8(SUMMARY, 0);
  queue.wantInterrupt(0);
  ask(under, queue);
  assert.deepEqual(under.told, ['adapter 3', 'adapter 3']);
});

test('a broken ring is told of as a change of the configuration', () => {
  const under = setUp();
  const queue = start(under);
  assert.ok(under.command(Command.setConfigurationIndicators, [8, CONFIGURATION_INDICATORS]));
  queue.makeAvailable(99);
  under.device.notify(0);
  assert.equal(under.storage.read64(CONFIGURATION_INDICATORS), 1n);
  assert.deepEqual(under.told, ['status 0']);
  assert.deepEqual(under.command(Command.readStatus, [1, 0]), Uint8Array.of(0x4f));
  under.command(Command.reset);
  assert.deepEqual(under.command(Command.readStatus, [1, 0]), Uint8Array.of(0));
});

test('after a reset nothing is written to where the driver was', () => {
  const under = setUp();
  const queue = start(under);
  under.command(Command.setIndicators, [8, INDICATORS]);
  queue.add([{ address: 0x40000, length: 16, write: true }]);
  under.command(Command.writeStatus, [1, 0]);
  under.device.notify(0);
  assert.deepEqual(queue.used(), []);
  assert.equal(under.storage.read64(INDICATORS), 0n);
});

test('what is refused', () => {
  const under = setUp();
  under.command(Command.setRevision, [2, 2], [2, 0]);
  const refused: [number, ...[number, number | bigint][]][] = [
    [0x02, [1, 0]],
    [Command.setQueue, [8, QUEUE], [4, 0], [2, 1], [2, 8], [8, QUEUE], [8, QUEUE]],
    [Command.setQueue, [8, QUEUE], [4, 0], [2, 0], [2, 9], [8, QUEUE], [8, QUEUE]],
    [Command.setQueue, [8, QUEUE], [4, 0], [2, 0], [2, 8]],
    [Command.readQueueConfiguration, [2, 1024], [2, 0]],
    [Command.readQueueConfiguration, [2, 0]],
    [Command.writeStatus],
    [Command.setIndicators, [4, 0]],
    [Command.setIndicators, [8, 2n ** 63n]],
    [Command.setConfigurationIndicators, [8, 0xffffc]],
    [Command.setAdapterIndicators, [8, SUMMARY], [8, 0xffff0], [8, 1000], [1, 0]],
    [Command.setAdapterIndicators, [8, SUMMARY], [8, INDICATORS], [8, 0]],
  ];
  for (const [code, ...parts] of refused) assert.equal(under.command(code, ...parts), undefined, code.toString(16));
  assert.deepEqual(
    under.command(Command.readQueueConfiguration, [2, 5], [2, 0xffff]),
    bytes([2, 5], [2, 0]),
    'a queue that is not there has no buffers',
  );
});

test('rings that cannot be break the device, not the machine', () => {
  const under = setUp();
  start(under);
  under.command(Command.setQueue, [8, 2n ** 64n - 16n], [4, 0], [2, 0], [2, 8], [8, 3], [8, 5]);
  under.device.notify(0);
  assert.deepEqual(under.command(Command.readStatus, [1, 0]), Uint8Array.of(0x4f));
});

test('a saved device goes on with its driver', () => {
  const under = setUp({ packed: true });
  const queue = start(under);
  under.command(Command.setAdapterIndicators, [8, SUMMARY], [8, INDICATORS], [8, 0], [1, 5]);
  queue.wantInterrupt(0);
  ask(under, queue);
  const fields = under.ccw.save();
  const later = setUp({ packed: true }, undefined, under.storage);
  later.ccw.load(new SavedFields('device', fields))();
  under.storage.write8(SUMMARY, 0);
  queue.wantInterrupt(0);
  ask(later, queue);
  assert.deepEqual(later.told, ['adapter 5']);
  assert.deepEqual(later.command(Command.readStatus, [1, 0]), Uint8Array.of(15));
});
