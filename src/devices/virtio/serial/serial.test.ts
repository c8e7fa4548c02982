import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backend } from '../../../chardev/chardev.ts';
import { SavedFields } from '../../../save/save-state.ts';
import { commonDefaults, DeviceUnderTest } from '../testing.ts';
import { type SerialProperties, VirtioSerial } from './serial.ts';

const NONE = new Uint8Array(0);
const CONTROL_IN = 2;
const CONTROL_OUT = 3;

class World extends Backend {
  readonly description = 'world';
  out = '';
  /** Takes no more than one piece at a time. */
  slow = false;
  constructor(open = true) {
    super('world');
    if (open) this.event('open');
  }
  write(data: Uint8Array): boolean {
    this.out += new TextDecoder('latin1').decode(data);
    return !this.slow;
  }
  come(): void {
    this.event('open');
  }
  go(): void {
    this.event('close');
  }
  drain(): void {
    this.drained();
  }
  type(text: string): void {
    this.input(new TextEncoder().encode(text));
  }
}

class Guest extends DeviceUnderTest<VirtioSerial> {
  #rooms = new Map<number, number[]>();
  constructor(properties: Partial<SerialProperties> = {}) {
    super(
      environment =>
        new VirtioSerial(environment, { ...commonDefaults, maxPorts: 4, emergencyWrite: true, ...properties }),
    );
  }
  /** Gives the device a buffer for what it has to say. */
  room(queue: number, size = 64): void {
    this.#rooms.set(queue, [...(this.#rooms.get(queue) ?? []), this.offer(queue, NONE, size)]);
  }
  /** What the device has said. */
  said(queue: number): Uint8Array[] {
    return this.queues[queue]!.used().map(({ written }) => {
      const [at, ...rest] = this.#rooms.get(queue)!;
      this.#rooms.set(queue, rest);
      return this.storage.read(at!, written);
    });
  }
  text(queue: number): string {
    return this.said(queue)
      .map(data => new TextDecoder().decode(data))
      .join('');
  }
  tell(port: number, event: number, value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, port, this.device.modern);
    view.setUint16(4, event, this.device.modern);
    view.setUint16(6, value, this.device.modern);
    this.ask(CONTROL_OUT, new Uint8Array(view.buffer), 0);
  }
  /** Control messages of the device: port, event, value, and a name. */
  messages(): string[] {
    return this.said(CONTROL_IN).map(data => {
      const view = new DataView(data.buffer);
      const { modern } = this.device;
      const name = new TextDecoder().decode(data.subarray(8));
      return `${view.getUint32(0, modern)} ${view.getUint16(4, modern)} ${view.getUint16(6, modern)}${name}`;
    });
  }
  /** Starts as Linux does: with all buffers for control messages. */
  boot(options = {}): this {
    this.#rooms.clear();
    this.start(options);
    for (let n = 0; n < 12; n++) this.room(CONTROL_IN);
    this.notify(CONTROL_IN);
    this.tell(0xffffffff, 0, 1);
    return this;
  }
}

test('the guest learns of its ports, their names, and who is there', () => {
  const guest = new Guest();
  const world = new World(false);
  guest.device.addPort({ console: false, name: 'org.example', chardev: world });
  guest.device.addPort({ console: true });
  guest.boot();
  assert.deepEqual(guest.messages(), ['1 1 1', '0 1 1']);
  guest.tell(1, 3, 1);
  guest.tell(0, 3, 1);
  assert.deepEqual(guest.messages(), ['1 7 1org.example\0', '0 4 1', '0 6 1']);
  world.come();
  world.go();
  world.come();
  assert.deepEqual(guest.messages(), ['1 6 1', '1 6 0', '1 6 1']);
});

test('messages wait until the guest has room', () => {
  const guest = new Guest();
  const world = new World(false);
  guest.device.addPort({ console: false, chardev: world });
  guest.start();
  guest.tell(0xffffffff, 0, 1);
  world.come();
  world.go();
  for (let n = 0; n < 3; n++) guest.room(CONTROL_IN);
  guest.notify(CONTROL_IN);
  assert.deepEqual(guest.messages(), ['1 1 1', '1 6 0']);
});

test('bytes in both directions', () => {
  for (const modern of [true, false]) {
    const guest = new Guest();
    const world = new World();
    guest.device.addPort({ console: false, chardev: world });
    guest.boot({ modern });
    guest.tell(1, 3, 1);
    world.type('before anybody listens');
    guest.room(4, 10);
    guest.room(4, 10);
    guest.notify(4);
    assert.equal(guest.text(4), '');
    guest.tell(1, 6, 1);
    assert.equal(guest.text(4), 'before anybody liste');
    guest.room(4);
    guest.notify(4);
    assert.equal(guest.text(4), 'ns');
    guest.ask(5, new TextEncoder().encode('answer'), 0);
    assert.equal(world.out, 'answer');
  }
});

test('input is not taken from the world faster than the guest takes it', () => {
  const guest = new Guest();
  const world = new World();
  const port = guest.device.addPort({ console: false, chardev: world });
  guest.boot();
  guest.tell(1, 6, 1);
  const text = 'x'.repeat(10000);
  world.type(text);
  assert.equal(port.room(), 0);
  let got = '';
  for (let n = 0; n < 20; n++) {
    guest.room(4, 1000);
    guest.notify(4);
    got += guest.text(4);
  }
  assert.equal(got, text);
  assert.equal(port.room(), 4096);
});

test('a port waits while the world takes no more, a console does not', () => {
  const guest = new Guest();
  const [one, two] = [new World(), new World()];
  guest.device.addPort({ console: false, chardev: one });
  guest.device.addPort({ console: true, chardev: two });
  guest.boot();
  one.slow = true;
  two.slow = true;
  const say = (queue: number, text: string) => {
    guest.offer(queue, new TextEncoder().encode(text), 0);
    guest.notify(queue);
  };
  for (const queue of [5, 1]) for (const text of ['a', 'b', 'c']) say(queue, text);
  assert.equal(one.out, 'a');
  assert.equal(guest.queues[5]!.used().length, 1);
  assert.equal(two.out, 'a');
  assert.equal(guest.queues[1]!.used().length, 3);
  one.slow = false;
  two.slow = false;
  one.drain();
  two.drain();
  say(1, 'd');
  assert.equal(one.out, 'abc');
  assert.equal(guest.queues[5]!.used().length, 2);
  assert.equal(two.out, 'ad');
});

test('what is sent while nobody is there is lost, and does not hold the guest up', () => {
  const guest = new Guest();
  const world = new World(false);
  guest.device.addPort({ console: false, chardev: world });
  guest.boot();
  guest.ask(5, Uint8Array.of(65), 0);
  // Nor what is sent to a port that is not there.
  guest.ask(7, Uint8Array.of(65), 0);
  world.come();
  world.slow = true;
  guest.ask(5, Uint8Array.of(66), 0);
  guest.offer(5, Uint8Array.of(67), 0);
  guest.notify(5);
  assert.deepEqual(guest.queues[5]!.used(), []);
  world.go();
  assert.equal(guest.queues[5]!.used().length, 1);
  assert.equal(world.out, 'B');
});

test('ports come and go', () => {
  const guest = new Guest();
  guest.boot();
  const port = guest.device.addPort({ console: false });
  assert.equal(port.number, 1);
  guest.device.removePort(port);
  assert.deepEqual(guest.messages(), ['1 1 1', '1 2 1']);
});

test('numbers of ports', () => {
  const { device } = new Guest();
  assert.equal(device.addPort({ console: true }).number, 0);
  assert.equal(device.addPort({ console: true }).number, 1);
  assert.equal(device.addPort({ console: false, number: 3 }).number, 3);
  assert.equal(device.addPort({ console: false }).number, 2);
  assert.throws(() => device.addPort({ console: false }), /Out-of-range port id specified, max. allowed: 3/);
  assert.throws(() => device.addPort({ console: false, number: 3 }), /A port already exists at id 3/);
  assert.throws(() => device.addPort({ console: false, number: 0 }), /reserved for virtconsole/);
});

test('a driver that knows only one port', () => {
  const guest = new Guest({ maxPorts: 1 });
  const world = new World();
  guest.device.addPort({ console: true, chardev: world });
  guest.start();
  guest.room(0);
  guest.notify(0);
  world.type('login');
  assert.equal(guest.text(0), 'login');
  guest.ask(1, Uint8Array.of(66), 0);
  assert.equal(world.out, 'B');
});

test('the emergency word prints without a queue', () => {
  const guest = new Guest();
  const world = new World();
  guest.device.addPort({ console: true, chardev: world });
  const space = guest.device.configuration();
  guest.device.configure(space);
  new DataView(space.buffer).setUint32(8, 0x41, guest.device.modern);
  guest.device.configure(space);
  assert.equal(world.out, 'A');
});

test('a saved device goes on, and tells who has come since', () => {
  const guest = new Guest();
  const world = new World();
  guest.device.addPort({ console: false, chardev: world });
  guest.boot();
  guest.tell(1, 6, 1);
  guest.messages();
  world.slow = true;
  guest.ask(5, Uint8Array.of(65), 0);
  guest.offer(5, Uint8Array.of(66), 0);
  guest.notify(5);
  world.type('input');
  const fields = guest.device.save();

  const later = new Guest();
  const other = new World(false);
  later.device.addPort({ console: false, chardev: other });
  for (let at = 0; at < later.storage.size; at += 4096) later.storage.write(at, guest.storage.read(at, 4096));
  later.device.load(new SavedFields('serial', fields))();
  other.come();
  later.device.resume();
  assert.equal(other.out, 'B');
  assert.throws(() => new Guest().device.load(new SavedFields('serial', fields)), /port 1 is not there/);
});

test('control messages that are none, and ports that are none', () => {
  const guest = new Guest();
  guest.boot();
  guest.ask(CONTROL_OUT, Uint8Array.of(1, 2, 3), 0);
  guest.tell(77, 3, 1);
  guest.tell(0xffffffff, 0, 0);
  assert.deepEqual(guest.complaints, [
    'virtio-serial-bus: Unexpected port id 77',
    'virtio-serial-bus: Guest failure in adding device',
  ]);
});
