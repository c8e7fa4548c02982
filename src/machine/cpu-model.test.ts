import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announced } from '../cpu/facilities.ts';
import { instructions } from '../cpu/isa/index.ts';
import { ConfigurationError } from './control.ts';
import { featureGroups, missingNeeds, summarize } from './cpu-features.ts';
import { bitsOf, cpuHelp, cpuModel } from './cpu-model.ts';
import { featuresOf, modelNamed, models } from './cpu-models.ts';

const on = (...names: string[]) => new Map(names.map(name => [name, true]));
const off = (...names: string[]) => new Map(names.map(name => [name, false]));

test('features are switched off by name, groups with all of their members', () => {
  const { facilities } = cpuModel('z14', off('edat2'));
  assert.ok(!facilities.has(78));
  assert.ok(facilities.has(8));
  assert.ok(cpuModel().facilities.has(78));
  assert.deepEqual(bitsOf(cpuModel('max', off('plo')).features, 'plo'), []);
});

test('models and features that do not exist are refused by name', () => {
  assert.throws(() => cpuModel('z99'), /unable to find CPU model 'z99'/);
  assert.throws(() => cpuModel('max', on('foo')), /max-s390x-cpu.foo=on: Property 'max-s390x-cpu.foo' not found/);
  assert.throws(() => cpuModel('z900', on('vx')), /Feature 'vx' is not available for CPU model 'z900'/);
  assert.throws(() => cpuModel('z900-base', on('msa3')), /Group 'msa3' is not available for CPU model 'z900'/);
  assert.throws(() => cpuModel('max', off('zarch')), ConfigurationError);
});

test('what a model has and lpar has not is left out and named once; what is asked for is refused', () => {
  const { warnings, features: given } = cpuModel('z14');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /not available in the configuration: .*\bte\b/);
  assert.ok(given.has('vx') && !given.has('te'));
  assert.throws(() => cpuModel('z14', on('te')), /not available in the configuration: te$/);
  assert.deepEqual(cpuModel('max').warnings, []);
});

test('a feature without what it needs is warned of', () => {
  assert.deepEqual(cpuModel('max', off('dateh')).warnings.toSorted(), [
    "'idter' requires 'dateh'.",
    "'idtes' requires 'dateh'.",
    "'ipter' requires 'dateh'.",
    "'ltlbc' requires 'dateh'.",
  ]);
  for (const model of models) assert.deepEqual(missingNeeds(featuresOf(model).usual), []);
});

test('models grow from generation to generation', () => {
  const names = (name: string, which: 'base' | 'usual') => summarize(featuresOf(modelNamed(name)!)[which]);
  assert.deepEqual(names('z900', 'usual'), ['plo', 'esan3', 'zarch']);
  assert.ok(names('z13', 'usual').includes('vx') && !names('z13', 'base').includes('vx'));
  assert.ok(names('z14', 'base').includes('csske') && !names('gen15a', 'base').includes('csske'));
  assert.equal(models.length, 40);
});

test('each instruction is of a facility that can be announced', () => {
  const missing = instructions.filter(({ facility }) => typeof facility === 'number' && !announced.has(facility));
  assert.deepEqual(
    missing.map(({ mnemonic }) => mnemonic),
    [],
  );
});

test('a facility that implies another one is not announced without it', () => {
  const { facilities, announced: told } = cpuModel('max');
  assert.ok(facilities.has(37));
  assert.equal(told.has(37), told.has(42));
});

test('help lists models, features and groups', () => {
  const lines = cpuHelp().split('\n');
  assert.equal(lines[0], 'Available CPUs:');
  assert.ok(lines.includes('s390 z14-base        IBM z14 GA1                         (static, migration-safe)'));
  assert.ok(lines.some(line => line.startsWith('plo-csst             PLO Compare and swap and store (32 bit')));
  assert.equal(new Set(featureGroups.flatMap(({ members }) => members)).size > 200, true);
});
