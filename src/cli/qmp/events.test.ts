import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeMachine } from '../testing.ts';
import { QmpEvents } from './events.ts';

test('of what a guest could flood everybody with the first is told at once, and the last once a second', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const events = new QmpEvents(new FakeMachine());
  let told: string[] = [];
  events.listen(({ event, data, time }) => void told.push(`${event} ${JSON.stringify(data)} ${time - 1_000_000}`));
  const heard = (): string[] => {
    const now = told;
    told = [];
    return now;
  };
  const changed = (id: string, open: boolean): void => events.tell('VSERPORT_CHANGE', { id, open });
  changed('a', true);
  changed('a', false);
  changed('b', true);
  assert.deepEqual(heard(), ['VSERPORT_CHANGE {"id":"a","open":true} 0', 'VSERPORT_CHANGE {"id":"b","open":true} 0']);
  t.mock.timers.tick(400);
  changed('a', true);
  changed('a', false);
  t.mock.timers.tick(599);
  assert.deepEqual(heard(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(heard(), ['VSERPORT_CHANGE {"id":"a","open":false} 400'], 'with the time when it happened');
  changed('a', true);
  changed('b', false);
  assert.deepEqual(heard(), ['VSERPORT_CHANGE {"id":"b","open":false} 1000']);
  t.mock.timers.tick(1000);
  assert.deepEqual(heard(), ['VSERPORT_CHANGE {"id":"a","open":true} 1000']);
  t.mock.timers.tick(1000);
  events.tell('STOP');
  events.tell('STOP');
  assert.equal(heard().length, 2, 'others are told each time');
});
