import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wire } from '../devices/terminal3270/testing.ts';
import { ChardevRelay, DistantChardev } from './io-chardevs.ts';
import type { FromIo, ToIo } from './io-messages.ts';

/** Both halves; messages arrive when `settle` is called. */
function pair() {
  const wire = new Wire('ch0');
  const toIo: ToIo[] = [];
  const fromIo: FromIo[] = [];
  const relay = new ChardevRelay(wire, message => void toIo.push(message));
  const distant = new DistantChardev('ch0', message => void fromIo.push(message));
  const seen = { events: [] as string[], bytes: 0, room: Number.POSITIVE_INFINITY };
  distant.attach({
    room: () => seen.room,
    receive: data => {
      seen.bytes += data.length;
    },
    event: event => void seen.events.push(event),
  });
  const settle = () => {
    while (toIo.length + fromIo.length > 0) {
      const message = fromIo.shift();
      if (message?.kind === 'output') relay.output(message.data);
      if (message?.kind === 'taken') relay.taken(message.bytes);
      if (message?.kind === 'disconnect') relay.disconnect(message.connection);
      const next = toIo.shift();
      if (next && 'chardev' in next) distant.take(next as ToIo & { chardev: string });
    }
  };
  return { wire, distant, seen, settle };
}

const much = new Uint8Array(0x30000);

test('what is left of a connection does not take room from the next one', () => {
  const { wire, distant, seen, settle } = pair();
  for (let n = 1; n <= 3; n++) {
    wire.come();
    settle();
    // A device that takes nothing, and a client that takes nothing.
    seen.room = 0;
    wire.fromClient(much);
    wire.stuck = true;
    while (distant.write(new Uint8Array(0x4000)));
    settle();
    wire.go();
    settle();
    wire.stuck = false;
    seen.room = Number.POSITIVE_INFINITY;
    wire.come();
    settle();
    assert.equal(distant.write(Uint8Array.of(1)), true);
    wire.fromClient(much);
    settle();
    assert.equal(seen.bytes, n * much.length);
    wire.go();
    settle();
  }
});

test('a connection is ended, but not the one that has come after it', () => {
  const { wire, distant, seen, settle } = pair();
  wire.come();
  settle();
  distant.disconnect();
  settle();
  assert.equal(wire.isOpen, false);
  wire.come();
  settle();
  distant.disconnect();
  // Meanwhile it has ended by itself, and there is another one.
  wire.go();
  wire.come();
  settle();
  assert.equal(wire.isOpen, true);
  assert.deepEqual(seen.events, ['open', 'close', 'open', 'close', 'open']);
});
