import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlFlow } from './control-flow.ts';

test('a jump into the middle of a loop is not reducible, one to its head is', () => {
  //     0 -> 1 -> 2 -> 1, and 0 -> 2
  const flow = new ControlFlow({ successors: [[1, 2], [2], [1]] });
  assert.equal(flow.isReducible(0, 1), true);
  const inward = [flow.isReducible(1, 2), flow.isReducible(2, 1)];
  assert.deepEqual(inward.sort(), [false, true], 'one of the two ways around is backward and enters in the middle');
});

test('a loop that cannot be reached does not matter', () => {
  const flow = new ControlFlow({ successors: [[1], [1], [3], [2, 1]] });
  assert.deepEqual(flow.sequence, [0, 1]);
  assert.equal(flow.isReducible(1, 1), true);
  assert.equal(flow.isReducible(2, 3), true);
  assert.equal(flow.isReducible(3, 2), true);
});
