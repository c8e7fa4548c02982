import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from './control.ts';
import { cpuModel } from './cpu-model.ts';

test('features are switched off by name', () => {
  const { facilities, disabled } = cpuModel('z14', new Map([['edat2', false]]));
  assert.ok(!facilities.has(78) && disabled.has(78));
  assert.ok(facilities.has(8));
  assert.ok(cpuModel().facilities.has(78));
});

test('models and features that are not there are refused by name', () => {
  assert.throws(() => cpuModel('z99'), ConfigurationError);
  assert.throws(() => cpuModel('max', new Map([['vx', true]])), /CPU feature 'vx' is not available/);
  assert.throws(() => cpuModel('max', new Map([['zarch', false]])), /cannot be switched off/);
});
