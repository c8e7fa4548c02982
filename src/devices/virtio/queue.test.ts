import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SavedFields } from '../../save/save-state.ts';
import { QueueError } from './chain.ts';
import { Virtqueue } from './queue.ts';
import { type DriverOptions, DriverQueue, MEBIBYTE, type Piece, testStorage } from './testing.ts';

const BASE = 0x10000;
const DATA = 0x40000;

/** A queue with both of its ends. */
function setUp(options: DriverOptions = {}, size = 8) {
  const storage = testStorage();
  const driver = new DriverQueue(storage, BASE, size, options);
  const { packed, little, eventIndex } = driver.options;
  const make = () => new Virtqueue(0, size, storage, () => ({ packed, little, eventIndex, whenEmpty: false }));
  const queue = make();
  queue.place = driver.place;
  return { storage, driver, queue, make };
}

const formats: [string, DriverOptions][] = [];
for (const packed of [false, true]) {
  for (const eventIndex of [false, true]) {
    for (const little of packed ? [true] : [true, false]) {
      const name = `${packed ? 'packed' : 'split'}${eventIndex ? ', event index' : ''}${little ? '' : ', big-endian'}`;
      formats.push([name, { packed, eventIndex, little }]);
    }
  }
}

for (const [name, options] of formats) {
  test(`${name}: buffers go to the device and come back, often around the ring`, () => {
    const { storage, driver, queue } = setUp(options);
    assert.equal(queue.pop(), undefined);
    for (let round = 0; round < 100; round++) {
      const indirect = round % 3 === 0;
      storage.write(DATA, [1, 2, 3, round]);
      const pieces: Piece[] = [
        { address: DATA, length: 1 },
        { address: DATA + 1, length: 3 },
        { address: DATA + 0x100, length: 2, write: true },
        { address: DATA + 0x200, length: 6, write: true },
      ];
      const first = driver.add(pieces, indirect);
      const second = driver.add(pieces.slice(2, 3));
      const chain = queue.pop()!;
      assert.deepEqual([...chain.readable.read(0, 4)], [1, 2, 3, round]);
      assert.equal(chain.writable.length, 8);
      chain.writable.write(1, Uint8Array.of(7, 8, 9));
      assert.deepEqual([...storage.read(DATA + 0x100, 2)], [0, 7]);
      assert.deepEqual([...storage.read(DATA + 0x200, 3)], [8, 9, 0]);
      const other = queue.pop()!;
      assert.equal(queue.pop(), undefined);
      storage.fill(DATA, 0x300, 0);
      queue.push(chain, 5);
      queue.push(other, 0);
      assert.deepEqual(driver.used(), [
        { id: first, written: 5 },
        { id: second, written: 0 },
      ]);
    }
  });

  test(`${name}: the driver is interrupted when it wants to be`, () => {
    const { driver, queue } = setUp(options);
    const piece = { address: DATA, length: 4, write: true };
    const serve = (): boolean => {
      driver.add([piece]);
      queue.push(queue.pop()!, 4);
      return queue.wantsInterrupt;
    };
    driver.wantInterrupt(0);
    assert.equal(serve(), true);
    driver.used();
    for (let n = 0; n < 40; n++) {
      driver.wantInterrupt(undefined);
      const quiet = serve();
      if (options.packed || !options.eventIndex) assert.equal(quiet, false);
      driver.used();
      // When two more have been given back.
      driver.wantInterrupt(1);
      assert.equal(serve(), !options.eventIndex);
      assert.equal(serve(), true);
      driver.used();
    }
  });

  test(`${name}: the device is told of buffers only when it waits for them`, () => {
    const { driver, queue } = setUp(options);
    const piece = { address: DATA, length: 4, write: true };
    driver.add([piece]);
    assert.equal(driver.mustNotify, true);
    let served = 0;
    queue.drain(chain => {
      if (served++ < 3) {
        driver.add([piece]);
        assert.equal(driver.mustNotify, false);
      }
      queue.push(chain, 0);
      return true;
    });
    assert.equal(served, 4);
    driver.add([piece]);
    assert.equal(driver.mustNotify, true);
  });

  test(`${name}: a saved queue goes on where it was`, () => {
    const { driver, queue, make } = setUp(options);
    const piece = { address: DATA, length: 4, write: true };
    let current = queue;
    for (let n = 0; n < 30; n++) {
      driver.add([piece]);
      driver.add([piece, piece]);
      const chain = current.pop()!;
      const fields = current.save();
      current = make();
      current.load(new SavedFields('queue', fields))();
      current.push(chain, n);
      const next = current.pop()!;
      assert.equal(next.writable.length, 8);
      current.push(next, 0);
      assert.deepEqual(
        driver.used().map(({ written }) => written),
        [n, 0],
      );
    }
  });
}

test('a buffer that is taken back comes again', () => {
  for (const packed of [false, true]) {
    const { driver, queue } = setUp({ packed });
    const pieces = [{ address: DATA, length: 4 }];
    for (let n = 0; n < 20; n++) {
      const id = driver.add(pieces);
      const chain = queue.pop()!;
      queue.unpop(chain);
      assert.equal(queue.pop()!.id, id);
      queue.push(chain, 0);
      driver.used();
    }
  }
});

/** What a driver must not do, each with what is said of it. */
const broken: [string, DriverOptions, (driver: DriverQueue) => void, RegExp][] = [
  ['an available index out of reach', {}, d => d.write16(d.place.driver + 2, 9), /moved used index from 0 to 9/],
  ['a head beyond the table', {}, d => d.makeAvailable(8), /index 8 is available/],
  [
    'a next beyond the table',
    {},
    d => {
      d.descriptor(d.place.descriptors, { address: DATA, length: 1 }, 1, 8);
      d.makeAvailable(0);
    },
    /next is 8/,
  ],
  [
    'a loop',
    {},
    d => {
      d.descriptor(d.place.descriptors, { address: DATA, length: 1 }, 1, 0);
      d.makeAvailable(0);
    },
    /Looped/,
  ],
  ['a buffer beyond storage', {}, d => d.add([{ address: MEBIBYTE - 4, length: 5 }]), /not in storage/],
  ['a wild address', { packed: true }, d => d.add([{ address: 2 ** 63, length: 1 }]), /not in storage/],
  ['an endless buffer', {}, d => d.add([{ address: 0, length: 0xffffffff, write: true }]), /not in storage/],
  ['an empty buffer', { packed: true }, d => d.add([{ address: 0, length: 0 }]), /zero sized/],
  [
    'readable after writable',
    {},
    d =>
      d.add([
        { address: 0, length: 1, write: true },
        { address: 0, length: 1 },
      ]),
    /Incorrect order/,
  ],
  [
    'an indirect table of an odd size',
    {},
    d => {
      d.descriptor(d.place.descriptors, { address: DATA, length: 17 }, 4, 0);
      d.makeAvailable(0);
    },
    /Invalid size for indirect buffer table: 17/,
  ],
  [
    'an indirect table beyond storage',
    {},
    d => {
      d.descriptor(d.place.descriptors, { address: MEBIBYTE, length: 16 }, 4, 0);
      d.makeAvailable(0);
    },
    /Cannot map indirect buffer/,
  ],
  [
    'an indirect table in an indirect table',
    {},
    d => {
      d.descriptor(DATA, { address: DATA, length: 16 }, 4, 0);
      d.descriptor(d.place.descriptors, { address: DATA, length: 16 }, 4, 0);
      d.makeAvailable(0);
    },
    /indirect descriptor in/,
  ],
  [
    'a loop in an indirect table',
    {},
    d => {
      d.descriptor(DATA, { address: DATA, length: 16 }, 1, 1);
      d.descriptor(DATA + 16, { address: DATA, length: 16 }, 1, 0);
      d.descriptor(d.place.descriptors, { address: DATA, length: 32 }, 4, 0);
      d.makeAvailable(0);
    },
    /Looped/,
  ],
  [
    'a packed chain without an end',
    { packed: true },
    d => {
      for (let n = 7; n >= 0; n--) d.descriptor(d.place.descriptors + n * 16, { address: DATA, length: 1 }, 0, 0x81);
    },
    /Looped/,
  ],
  ['a huge indirect table', {}, d => d.add(Array(1100).fill({ address: DATA, length: 1 }), true), /Looped/],
];

for (const [what, options, act, message] of broken) {
  test(`a broken driver: ${what}`, () => {
    const { driver, queue } = setUp(options);
    act(driver);
    assert.throws(
      () => queue.pop(),
      error => error instanceof QueueError && message.test(error.message),
    );
  });
}

test('rings that are not in storage or not aligned', () => {
  const place = { size: 8, descriptors: 0x1000, driver: 0x2000, device: 0x3000 };
  for (const packed of [false, true]) {
    for (const wrong of [
      { size: 0 },
      { size: packed ? 0x8001 : 6 },
      { descriptors: 0x1008 },
      { driver: 0x2001 },
      { device: 0x3002 },
      { descriptors: MEBIBYTE - 16 },
      { driver: MEBIBYTE },
      { device: 2 ** 60 },
    ]) {
      const queue = new Virtqueue(0, 0x10000, testStorage(), () => ({
        ...{ packed, little: true, eventIndex: false, whenEmpty: false },
      }));
      queue.place = { ...place, ...wrong };
      assert.throws(() => queue.pop(), /not in storage or not aligned/);
    }
  }
});
