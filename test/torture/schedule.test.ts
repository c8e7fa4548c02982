import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions } from '../../src/cpu/isa/index.ts';
import { Coverage } from './coverage.ts';
import { Schedule } from './schedule.ts';

const GOAL = 100;
const [add, divide, signal] = ['AR', 'DR', 'SIGP'].map(name => instructions.find(row => row.mnemonic === name)!);

test('cases are made for the instructions that have the fewest, until all have enough or cannot have', () => {
  const coverage = new Coverage();
  // As many cases of both, but most divisions ended with an exception.
  coverage.add({ instructions: { AR: 50, DR: 50, SIGP: 90 }, 'ended with an exception': { DR: 45, SIGP: 90 } });
  const schedule = new Schedule([add!, divide!, signal!], coverage, GOAL);
  const few = schedule.next(40);
  assert.ok(few.every(row => row === divide));
  const more = schedule.next(100);
  assert.ok(more.includes(add!) && !more.includes(signal!), 'what cannot but end with an exception counts in full');
  coverage.add({ instructions: { AR: 50, DR: 200, SIGP: 10 }, 'ended with an exception': { DR: 100, SIGP: 10 } });
  assert.deepEqual(schedule.next(10), []);
  assert.match(schedule.report(), /3 instructions: least 100, median 100, 0 below 100/);

  const impossible = new Schedule([divide!], new Coverage(), GOAL);
  assert.equal(impossible.next(10).length, 10);
  const tried = new Coverage();
  tried.add({ 'made for': { DR: 6 * GOAL } });
  assert.deepEqual(new Schedule([divide!], tried, GOAL).next(10), []);
});
