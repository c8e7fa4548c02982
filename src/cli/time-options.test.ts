import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCounting, parseDate } from './time-options.ts';

test('-icount', () => {
  assert.deepEqual(parseCounting('shift=7'), { shift: 7, sleep: true });
  assert.deepEqual(parseCounting('0,sleep=off'), { shift: 0, sleep: false });
  assert.deepEqual(parseCounting('auto'), { shift: 3, sleep: true });
  const refused = (value: string, message: string) => assert.throws(() => parseCounting(value), { message });
  refused('shift=11', 'icount: Invalid shift value');
  refused('many', 'icount: Invalid shift value');
  refused('shift=auto,sleep=off', 'shift=auto and sleep=off are incompatible');
  refused('shift=auto,align=on', 'shift=auto and align=on are incompatible');
  refused('shift=1,align=on,sleep=off', 'align=on and sleep=off are incompatible');
  refused('shift=1,rr=record,rrfile=x', 'rr is not supported: input is not recorded');
  refused('shift=1,speed=2', "Invalid parameter 'speed'");
});

test('-rtc', () => {
  assert.equal(parseDate('utc'), undefined);
  assert.equal(parseDate('base=2006-06-17T16:01:21'), Date.UTC(2006, 5, 17, 16, 1, 21));
  assert.equal(parseDate('base=2006-6-7,clock=vm'), Date.UTC(2006, 5, 7));
  assert.throws(() => parseDate('base=yesterday'), { message: /^invalid datetime format/ });
});
