/**
 * Drivers of virtio devices that do what they like: rings of both formats with descriptors, indices and flags that are
 * right or nearly right or anything, buffers anywhere, channel commands in any order. Nothing may be thrown, no byte may
 * change outside of what a driver has named for the device to write, and after a reset an ordinary driver must find a
 * working device.
 */

import type { Image } from '../../src/block/image.ts';
import { Backend } from '../../src/chardev/chardev.ts';
import { CHECKED, ENDED, type Transfer } from '../../src/css/control-unit.ts';
import { VirtioBlock } from '../../src/devices/virtio/block/block.ts';
import { Command, VirtioCcw } from '../../src/devices/virtio/ccw.ts';
import type { VirtioDevice, VirtioEnvironment } from '../../src/devices/virtio/device.ts';
import { VirtioRng } from '../../src/devices/virtio/rng/rng.ts';
import { BuiltinSource } from '../../src/devices/virtio/rng/source.ts';
import { VirtioSerial } from '../../src/devices/virtio/serial/serial.ts';
import { blockDefaults, commonDefaults, DriverQueue, MEBIBYTE, testStorage } from '../../src/devices/virtio/testing.ts';
import type { Random } from '../torture/random.ts';
import type { Target } from './target.ts';

const SIZE = 16;
/** Rings and tables are here, one after the other; what follows is data. */
const RINGS = 0x10000;
const RING = 0x10000;
/** Nobody ever names it: it must stay as it is. */
const FORBIDDEN = 0x5000;
const FORBIDDEN_SIZE = 0x1000;
const INDICATORS = 0x2000;
const SUMMARY = 0x3000;
const DATA = 0xc0000;

const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

class MemoryImage implements Image {
  readonly size = 0x8000;
  readonly readOnly: boolean;
  readonly #data = new Uint8Array(this.size);
  constructor(readOnly: boolean) {
    this.readOnly = readOnly;
  }
  #within(offset: number, length: number): void {
    check(offset >= 0 && offset + length <= this.size, 'the image is accessed beyond its end');
  }
  read(offset: number, into: Uint8Array): void {
    this.#within(offset, into.length);
    into.set(this.#data.subarray(offset, offset + into.length));
  }
  write(offset: number, data: Uint8Array): void {
    check(!this.readOnly, 'a read-only image is written');
    this.#within(offset, data.length);
    this.#data.set(data, offset);
  }
  writeZeroes(offset: number, length: number): void {
    check(!this.readOnly, 'a read-only image is written');
    this.#within(offset, length);
  }
  async flush(): Promise<void> {}
  close(): void {}
}

class World extends Backend {
  readonly description = 'world';
  #take: boolean;
  constructor(id: string, take: boolean) {
    super(id);
    this.#take = take;
    this.event('open');
  }
  write(): boolean {
    return this.#take;
  }
  type(data: Uint8Array): void {
    this.input(data);
  }
  change(): void {
    this.event(this.isOpen ? 'close' : 'open');
  }
  drain(): void {
    this.#take = true;
    this.drained();
  }
}

/** One memory for all cases: most of the time would go into making it. */
const storage = testStorage(MEBIBYTE);

interface Subject {
  readonly device: VirtioDevice;
  /** Something happens outside. */
  stir(random: Random): void;
}

function subject(random: Random, environment: VirtioEnvironment): Subject {
  const common = { ...commonDefaults, packed: random.chance(0.5), event_idx: random.chance(0.7) };
  switch (random.below(3)) {
    case 0: {
      const source = new BuiltinSource();
      return {
        device: new VirtioRng(environment, { ...common, maxBytes: Number.POSITIVE_INFINITY, period: 1000 }, source),
        stir() {},
      };
    }
    case 1: {
      const image = new MemoryImage(random.chance(0.2));
      const backend = { image, noFlush: true, stop() {}, report() {} };
      const properties = { ...blockDefaults, ...common, numQueues: random.between(1, 2), queueSize: SIZE };
      return { device: new VirtioBlock(environment, properties, backend), stir() {} };
    }
    default: {
      const device = new VirtioSerial(environment, { ...common, maxPorts: 3, emergencyWrite: true });
      const worlds = ['a', 'b'].map(id => new World(id, random.chance(0.5)));
      device.addPort({ console: true, chardev: worlds[0] });
      device.addPort({ console: false, name: 'port', chardev: worlds[1] });
      return {
        device,
        stir(random) {
          const world = random.pick(worlds);
          if (random.chance(0.6)) world.type(new Uint8Array(random.below(300)));
          else if (random.chance(0.5)) world.change();
          else world.drain();
        },
      };
    }
  }
}

/** A number that is right, nearly right, or anything. */
function number(random: Random, right: number, bytes: number): number {
  if (random.chance(0.8)) return right;
  const most = 256 ** bytes - 1;
  return (
    random.pick([0, 1, SIZE, SIZE - 1, SIZE + 1, 0x7fff, 0x8000, most, most - 1, right + 1, random.below(0x4000)]) %
    (most + 1)
  );
}

function address(random: Random): number {
  if (random.chance(0.9)) return DATA + random.below(0x30000);
  return random.pick([MEBIBYTE - 1, MEBIBYTE, MEBIBYTE - 16, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64 - 4096]);
}

const KINDS = [0, 1, 4, 8, 11, 13, 2, 0xffffffff];

/** Writes something that a device may take for a request, or for a control message. */
function request(random: Random, at: number, driver: DriverQueue): void {
  if (at + 48 > MEBIBYTE) return;
  driver.write32(at, random.chance(0.9) ? random.pick(KINDS) : random.below(4));
  driver.write16(at + 4, random.below(8));
  driver.write16(at + 6, random.below(3));
  for (let n = 8; n < 48; n += 4) driver.write32(at + n, random.chance(0.8) ? random.below(70) : 0xffffffff);
}

/** Makes something available, properly or not. */
function offer(random: Random, driver: DriverQueue): void {
  const pieces = Array.from({ length: random.between(1, 4) }, (_, n) => ({
    address: address(random),
    length: random.chance(0.9) ? random.pick([1, 8, 16, 16, 32, 512, 512, 4096]) : number(random, 0, 4),
    write: n > 0 && random.chance(0.7),
  }));
  if (random.chance(0.3)) for (const piece of pieces) piece.write = true;
  if (!pieces[0]!.write) request(random, pieces[0]!.address, driver);
  try {
    driver.add(pieces, random.chance(0.3));
  } catch {
    // No room for more tables.
  }
  if (random.chance(0.2)) {
    // A descriptor, or a field of it, or of the rings, is not what it should be.
    const { descriptors, driver: area, size } = driver.place;
    const at = descriptors + random.below(size) * 16;
    const where = random.pick([at + 8, at + 12, at + 14, area, area + 2, area + 4 + random.below(size) * 2]);
    driver.write16(
      where & ~1,
      random.chance(0.5) ? random.below(16) | (random.chance(0.5) ? 0x80 : 0x8000) : number(random, 1, 2),
    );
  }
}

/** A channel command with bytes in storage. */
function command(ccw: VirtioCcw, code: number, data: Uint8Array): number {
  let at = 0;
  const transfer: Transfer = {
    count: data.length,
    chainsData: false,
    anyLength: true,
    take: length => data.slice(at, (at += Math.min(length, data.length - at))),
    peek: length => data.slice(at, at + length),
    give: given => {
      const count = Math.min(given.length, data.length);
      data.set(given.subarray(0, count));
      return count;
    },
  };
  const status = ccw.execute(code, transfer);
  check(status === ENDED || status === CHECKED, 'a command ends oddly');
  return status;
}

function words(...parts: readonly [size: number, value: number][]): Uint8Array {
  const bytes: number[] = [];
  for (const [size, value] of parts) {
    for (let n = size - 1; n >= 0; n--) bytes.push(Math.floor(value / 256 ** n) % 256);
  }
  return Uint8Array.from(bytes);
}

/** Sets the device up as a driver should, apart from what chance changes. */
function start(random: Random, ccw: VirtioCcw, wild: boolean): DriverQueue[] {
  const { device } = ccw;
  const chance = (right: number, size: number): number => (wild ? number(random, right, size) : right);
  const revision = random.pick([0, 1, 2]);
  ccw.disabled();
  command(ccw, Command.setRevision, words([2, chance(revision, 2)], [2, 0]));
  command(ccw, Command.reset, new Uint8Array(0));
  command(ccw, Command.writeStatus, words([1, 3]));
  for (const index of [0, 1]) {
    const data = words([4, 0], [1, index]);
    command(ccw, Command.readFeatures, data);
    if (wild && random.chance(0.1)) data[random.below(4)]! ^= random.below(256);
    command(ccw, Command.writeFeatures, data);
  }
  const accepted = command(ccw, Command.writeStatus, words([1, device.modern ? 11 : 3])) === ENDED;
  check(wild || accepted, 'the features that were offered are not accepted');
  const options = {
    little: device.modern,
    packed: device.has(1n << 34n),
    eventIndex: device.has(1n << 29n),
  };
  const drivers = device.queues.map((queue, n) => {
    // Old drivers take queues as large as they are.
    const [most, alignment] = device.modern ? [Math.min(SIZE, queue.maximum), 4] : [queue.maximum, 4096];
    const driver = new DriverQueue(storage, RINGS + n * RING, most, options, alignment);
    const { size, descriptors, driver: area, device: used } = driver.place;
    if (device.modern) {
      command(
        ccw,
        Command.setQueue,
        words(
          [8, chance(descriptors, 8)],
          [4, 0],
          [2, n],
          [2, chance(size, 2)],
          [8, chance(area, 8)],
          [8, chance(used, 8)],
        ),
      );
    } else command(ccw, Command.setQueue, words([8, descriptors], [4, 4096], [2, n], [2, chance(queue.maximum, 2)]));
    return driver;
  });
  if (random.chance(0.5)) {
    command(ccw, Command.setIndicators, words([8, INDICATORS]));
  } else
    command(ccw, Command.setAdapterIndicators, words([8, SUMMARY], [8, INDICATORS], [8, random.below(64)], [1, 3]));
  command(ccw, Command.setConfigurationIndicators, words([8, INDICATORS + 64]));
  command(ccw, Command.writeStatus, words([1, device.modern ? 15 : 7]));
  return drivers;
}

function act(random: Random, ccw: VirtioCcw, drivers: readonly DriverQueue[], stir: (random: Random) => void): void {
  const queue = random.below(drivers.length);
  switch (random.below(10)) {
    case 0:
      return stir(random);
    case 1: {
      const data = Uint8Array.from({ length: random.below(40) }, () => (random.chance(0.5) ? 0 : random.below(256)));
      const codes = Object.values(Command).filter(
        code =>
          code !== Command.setQueue &&
          code !== Command.setIndicators &&
          code !== Command.setAdapterIndicators &&
          code !== Command.setConfigurationIndicators,
      );
      command(ccw, random.chance(0.9) ? random.pick(codes) : random.below(256), data);
      return;
    }
    case 2:
      return void ccw.notified(random.below(0x10000));
    case 3:
      try {
        drivers[queue]!.used();
      } catch {
        // The driver has lost count; it has nobody to blame but itself.
      }
      return;
    case 4:
      return drivers[queue]!.wantInterrupt(random.pick([undefined, 0, 1, 5]));
    default:
      for (let n = random.between(1, 3); n > 0; n--) offer(random, drivers[queue]!);
      return void ccw.notified(queue);
  }
}

export const virtio: Target = {
  name: 'virtio',
  run(random) {
    storage.fill(FORBIDDEN, FORBIDDEN_SIZE, 0xa5);
    const { device, stir } = subject(random, { storage, complain() {} });
    const ccw = new VirtioCcw(device, storage);
    let pending = 0;
    ccw.attached({
      present: () => void pending++,
      enabled: true,
      identification: { cssid: 0xfe, ssid: 0, deviceNumber: 0 },
      adapterInterruption: () => void pending++,
    });
    const drivers = start(random, ccw, true);
    for (let n = random.between(1, 12); n > 0; n--) act(random, ccw, drivers, stir);
    check(pending < 10000, 'interruptions without end');
    for (let at = 0; at < FORBIDDEN_SIZE; at += 8) {
      check(storage.read64(FORBIDDEN + at) === 0xa5a5a5a5a5a5a5a5n, 'storage that nobody has named has changed');
    }
    afterwards(random, ccw);
    ccw.detached();
  },
};

/** An ordinary driver comes and must be served. */
function afterwards(random: Random, ccw: VirtioCcw): void {
  const drivers = start(random, ccw, false);
  check(!ccw.device.broken, 'the device is still broken after a reset');
  const last = drivers.length - 1;
  // The entropy and the disk have one kind of queue; the last of a serial device's takes what is sent.
  const driver = drivers[ccw.device.type === 3 ? last : 0]!;
  storage.fill(DATA, 64, 0);
  const serial = ccw.device.type === 3;
  if (ccw.device.type === 4) driver.add([{ address: DATA, length: 8, write: true }]);
  else
    driver.add([{ address: DATA, length: 16 }, ...(serial ? [] : [{ address: DATA + 16, length: 513, write: true }])]);
  ccw.notified(serial ? last : 0);
  check(driver.used().length === 1, 'the device does not work after a reset');
}
