import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectTrace, TraceStates } from '../../../machine/trace-events.ts';
import { commonDefaults, DeviceUnderTest } from '../testing.ts';
import { type RngProperties, VirtioRng } from './rng.ts';
import { BuiltinSource, type EntropySource, FileSource } from './source.ts';

const NONE = new Uint8Array(0);

/** Bytes that count up, as they come. */
class TestSource implements EntropySource {
  available = 0;
  ready: (() => void) | undefined;
  #next = 1;
  take(most: number, into: Uint8Array): number {
    const count = Math.min(most, this.available);
    for (let n = 0; n < count; n++) into[n] = this.#next++;
    this.available -= count;
    return count;
  }
  request(_bytes: number, ready: () => void): void {
    this.ready = ready;
  }
  come(bytes: number): void {
    this.available += bytes;
    const { ready } = this;
    this.ready = undefined;
    ready?.();
  }
  close(): void {}
}

function setUp(properties: Partial<RngProperties> = {}, source: EntropySource = new BuiltinSource()) {
  return new DeviceUnderTest(
    environment =>
      new VirtioRng(
        environment,
        { ...commonDefaults, maxBytes: Number.POSITIVE_INFINITY, period: 1000, ...properties },
        source,
      ),
  );
}

test('buffers are filled with what is not the same twice', () => {
  const under = setUp().start();
  const seen = new Set<string>();
  for (let n = 0; n < 2000; n++) seen.add(String(under.ask(0, NONE, 64)));
  assert.equal(seen.size, 2000);
});

test('a source that has nothing yet', () => {
  const source = new TestSource();
  const under = setUp({}, source).start();
  const at = under.offer(0, NONE, 8);
  under.notify(0);
  assert.deepEqual(under.queues[0]!.used(), []);
  source.come(3);
  assert.equal(under.queues[0]!.used()[0]!.written, 3);
  assert.deepEqual([...under.storage.read(at, 4)], [1, 2, 3, 0]);
  // What comes for a driver that has gone is not lost.
  under.offer(0, NONE, 8);
  under.notify(0);
  under.start();
  source.come(4);
  assert.deepEqual(under.queues[0]!.used(), []);
  assert.deepEqual([...under.ask(0, NONE, 5)], [4, 5, 6, 7, 0]);
});

test('the guest gets no more in a period than it may', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const under = setUp({ maxBytes: 10, period: 100 }).start();
  for (let n = 0; n < 4; n++) under.offer(0, NONE, 8);
  under.notify(0);
  const written = () => under.queues[0]!.used().map(({ written }) => written);
  assert.deepEqual(written(), [8, 2]);
  t.mock.timers.tick(99);
  assert.deepEqual(written(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(written(), [8, 2]);
  under.device.close();
});

test('a file of random bytes', async () => {
  const source = new FileSource(
    {
      async *read() {
        yield Uint8Array.of(1, 2, 3);
        yield Uint8Array.of(4, 5);
      },
      close() {},
    },
    () => {},
  );
  const under = setUp({}, source).start();
  const got: number[] = [];
  for (let n = 0; n < 3; n++) {
    const at = under.offer(0, NONE, 2);
    under.notify(0);
    await new Promise(resolve => setTimeout(resolve));
    for (const { written } of under.queues[0]!.used()) got.push(...under.storage.read(at, written));
  }
  assert.deepEqual(got, [1, 2, 3, 4, 5]);
});

test('trace events tell of a request from its notification to its end', () => {
  const states = new TraceStates();
  for (const event of states.matching('virt*')!) states.set(event, true);
  const told: string[] = [];
  connectTrace(states.shared, ({ event }) => told.push(event));
  const under = setUp().start();
  told.length = 0;
  under.ask(0, NONE, 8);
  assert.deepEqual(told, [
    'virtio_queue_notify',
    'virtqueue_pop',
    'virtqueue_fill',
    'virtio_rng_pushed',
    'virtio_notify',
  ]);
  connectTrace(new TraceStates().shared, () => assert.fail());
  under.ask(0, NONE, 8);
});
