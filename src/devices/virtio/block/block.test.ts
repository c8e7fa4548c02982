import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockError, type Image } from '../../../block/image.ts';
import { SavedFields } from '../../../save/save-state.ts';
import { blockDefaults, DeviceUnderTest } from '../testing.ts';
import { type BlockProperties, VirtioBlock } from './block.ts';

const SECTORS = 64;

/** An image in memory, which fails when it is told to, and is flushed when it is told to. */
class TestImage implements Image {
  readonly data = Uint8Array.from({ length: SECTORS * 512 }, (_, n) => (n * 7) >> 3);
  readonly readOnly: boolean;
  error: BlockError | undefined;
  flushes = 0;
  finishFlush: () => void = () => {};
  constructor(readOnly: boolean) {
    this.readOnly = readOnly;
  }
  get size(): number {
    return this.data.length;
  }
  #try(): void {
    if (this.error) throw this.error;
  }
  read(offset: number, into: Uint8Array): void {
    this.#try();
    into.set(this.data.subarray(offset, offset + into.length));
  }
  write(offset: number, data: Uint8Array): void {
    this.#try();
    this.data.set(data, offset);
  }
  writeZeroes(offset: number, length: number): void {
    this.#try();
    this.data.fill(0, offset, offset + length);
  }
  flush(): Promise<void> {
    this.flushes++;
    return new Promise(resolve => {
      this.finishFlush = resolve;
    });
  }
  close(): void {}
}

function setUp(properties: Partial<BlockProperties> = {}, { readOnly = false, noFlush = false } = {}) {
  const image = new TestImage(readOnly);
  const events: string[] = [];
  const under = new DeviceUnderTest(
    environment =>
      new VirtioBlock(
        environment,
        { ...blockDefaults, ...properties },
        {
          image,
          noFlush,
          stop: (operation, message) => void events.push(`stop ${operation}: ${message}`),
          report: (operation, action, message) => void events.push(`${action} ${operation}: ${message}`),
        },
      ),
  );
  /** A request; its status byte, and what has been read. */
  const request = (kind: number, sector: number, data: Uint8Array = new Uint8Array(0), room = 0) => {
    const result = under.ask(0, Uint8Array.from([...header(kind, sector), ...data]), room + 1);
    return { status: result[room], data: result.subarray(0, room) };
  };
  const header = (kind: number, sector: number): Uint8Array => {
    const bytes = new DataView(new ArrayBuffer(16));
    bytes.setUint32(0, kind, under.device.modern);
    bytes.setBigUint64(8, BigInt(sector), under.device.modern);
    return new Uint8Array(bytes.buffer);
  };
  const range = (sector: number, sectors: number, flags = 0): Uint8Array => {
    const bytes = new DataView(new ArrayBuffer(16));
    bytes.setBigUint64(0, BigInt(sector), under.device.modern);
    bytes.setUint32(8, sectors, under.device.modern);
    bytes.setUint32(12, flags, under.device.modern);
    return new Uint8Array(bytes.buffer);
  };
  return { under, image, events, request, header, range };
}

const turn = () => new Promise(resolve => setTimeout(resolve));

for (const modern of [true, false]) {
  test(`${modern ? 'modern' : 'legacy'}: reading and writing`, () => {
    const { under, image, request } = setUp();
    under.start({ modern });
    const read = request(0, 3, undefined, 1024);
    assert.equal(read.status, 0);
    assert.deepEqual(read.data, image.data.slice(3 * 512, 5 * 512));
    const data = Uint8Array.from({ length: 1536 }, (_, n) => n % 199);
    assert.equal(request(1, 61, data).status, 0);
    assert.deepEqual(image.data.slice(61 * 512), data);
    assert.equal(under.device.configuration()[modern ? 0 : 7], SECTORS);
  });
}

test('what is not on the disk, and blocks in pieces', () => {
  const { under, request } = setUp({ logicalBlockSize: 4096, physicalBlockSize: 4096 });
  under.start();
  for (const [sector, length] of [
    [64, 4096],
    [56, 8192],
    [1, 4096],
    [0, 512],
    [2 ** 50, 4096],
  ] as const) {
    assert.equal(request(0, sector, undefined, length).status, 1, `${sector}`);
    assert.equal(request(1, sector, new Uint8Array(length)).status, 1);
  }
});

test('a disk that is only read', () => {
  const { under, image, request, range } = setUp({}, { readOnly: true });
  under.start();
  assert.ok(under.device.offered & (1n << 5n));
  const before = image.data.slice();
  assert.equal(request(1, 0, new Uint8Array(512)).status, 1);
  assert.equal(request(13, 0, range(0, 1)).status, 1);
  assert.deepEqual(image.data, before);
  assert.equal(request(0, 0, undefined, 512).status, 0);
});

test('identification, unknown requests, several ranges', () => {
  const { under, request, range } = setUp({ serial: 'volume-0123456789abcdef' });
  under.start();
  const text = (data: Uint8Array) => new TextDecoder().decode(data);
  assert.equal(text(request(8, 0, undefined, 20).data), 'volume-0123456789abc');
  assert.equal(text(request(8, 0, undefined, 6).data), 'volume');
  assert.equal(request(2, 0).status, 2);
  assert.equal(request(99, 0).status, 2);
  assert.equal(request(11, 0, Uint8Array.from([...range(0, 1), ...range(2, 1)])).status, 2);
});

test('discard and write zeroes', () => {
  const { under, image, request, range } = setUp();
  under.start();
  assert.equal(request(13, 0, range(4, 2, 1)).status, 0);
  assert.deepEqual(image.data.slice(4 * 512, 6 * 512), new Uint8Array(1024));
  assert.notEqual(image.data[6 * 512 + 8], 0);
  assert.equal(request(11, 0, range(0, 64)).status, 0);
  assert.equal(request(11, 0, range(0, 65)).status, 1);
  assert.equal(request(11, 0, range(0, 1, 1)).status, 2);
  assert.equal(request(13, 0, range(0, 1, 2)).status, 2);
  assert.equal(request(13, 0, range(0, 4194304)).status, 1);
});

test('a flush is answered when it is done', async () => {
  const { under, image, header } = setUp();
  under.start();
  const at = under.offer(0, header(4, 0), 1);
  under.storage.write8(at, 0xff);
  under.notify(0);
  assert.deepEqual(under.queues[0]!.used(), []);
  image.finishFlush();
  await turn();
  assert.equal(under.queues[0]!.used().length, 1);
  assert.equal(under.storage.read8(at), 0);
  assert.deepEqual(under.interrupts, [0]);
});

test('a reset forgets a flush that is under way', async () => {
  const { under, image, header } = setUp();
  under.start();
  under.offer(0, header(4, 0), 1);
  under.notify(0);
  under.start();
  image.finishFlush();
  await turn();
  assert.deepEqual(under.queues[0]!.used(), []);
});

test('without a write cache each write is safe before it is answered', async () => {
  for (const how of ['property', 'configuration', 'feature']) {
    const { under, image, header } = setUp({ writeCache: how !== 'property' });
    // Neither flush nor control of the cache.
    under.start({ features: how === 'feature' ? ~((1n << 9n) | (1n << 11n)) : ~0n });
    if (how === 'configuration') {
      const space = under.device.configuration();
      assert.equal(space[32], 1);
      space[32] = 0;
      under.device.configure(space.subarray(0, 33));
    }
    under.offer(0, Uint8Array.from([...header(1, 0), ...new Uint8Array(512)]), 1);
    under.notify(0);
    assert.deepEqual(under.queues[0]!.used(), []);
    assert.equal(image.flushes, 1);
    image.finishFlush();
    await turn();
    assert.equal(under.queues[0]!.used().length, 1);
  }
});

test('errors of the image, by policy', () => {
  const full = new BlockError('No space left on device', true);
  const bad = new BlockError('Input/output error');
  const reported = setUp();
  reported.under.start();
  reported.image.error = bad;
  assert.equal(reported.request(0, 0, undefined, 512).status, 1);
  assert.equal(reported.request(1, 0, new Uint8Array(512)).status, 1);
  assert.deepEqual(reported.events, ['report read: Input/output error', 'report write: Input/output error']);

  const ignored = setUp({ readErrors: 'ignore' });
  ignored.under.start();
  ignored.image.error = bad;
  assert.equal(ignored.request(0, 0, undefined, 512).status, 0);

  const stopped = setUp();
  stopped.under.start();
  stopped.image.error = full;
  const data = new Uint8Array(512).fill(0x55);
  stopped.under.offer(0, Uint8Array.from([...stopped.header(1, 0), ...data]), 1);
  stopped.under.offer(0, stopped.header(0, 0), 513);
  stopped.under.notify(0);
  assert.deepEqual(stopped.events, ['stop write: No space left on device', 'stop write: No space left on device']);
  assert.deepEqual(stopped.under.queues[0]!.used(), []);
  stopped.image.error = undefined;
  stopped.under.device.resume();
  assert.equal(stopped.under.queues[0]!.used().length, 2);
  assert.deepEqual(stopped.image.data.slice(0, 512), data);
});

test('a saved disk goes on with what it has begun', () => {
  const first = setUp();
  first.under.start();
  first.image.error = new BlockError('No space left on device', true);
  first.under.offer(0, Uint8Array.from([...first.header(1, 2), ...new Uint8Array(512).fill(9)]), 1);
  first.under.notify(0);
  const fields = first.under.device.save();
  const second = setUp();
  for (let at = 0; at < second.under.storage.size; at += 4096) {
    second.under.storage.write(at, first.under.storage.read(at, 4096));
  }
  second.under.device.load(new SavedFields('disk', fields))();
  second.under.device.resume();
  assert.deepEqual(second.image.data.slice(1024, 1536), new Uint8Array(512).fill(9));
  const used = second.under.device.queues[0]!.place!.device;
  assert.equal(second.under.storage.read16le(used + 2), 1);
});

test('requests without their parts break the device until it is reset', () => {
  for (const act of [
    (under: DeviceUnderTest<VirtioBlock>) => under.offer(0, new Uint8Array(16), 0),
    (under: DeviceUnderTest<VirtioBlock>) => under.offer(0, new Uint8Array(0), 16),
    (under: DeviceUnderTest<VirtioBlock>) => under.offer(0, new Uint8Array(15), 1),
  ]) {
    const { under, request } = setUp();
    under.start();
    act(under);
    under.notify(0);
    assert.equal(under.complaints.length, 1);
    assert.match(under.complaints[0]!, /^virtio-blk: virtio-blk (missing headers|request outhdr too short)$/);
    assert.deepEqual(under.interrupts, ['configuration']);
    assert.ok(under.device.status & 0x40);
    under.start();
    assert.equal(request(0, 0, undefined, 512).status, 0);
  }
});
