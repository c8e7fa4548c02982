import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileName, PackageList, parseFields, parseRelation } from './packages.ts';

const stanza = (name: string, fields: Record<string, string> = {}) =>
  Object.entries({
    Package: name,
    Version: '1:1.0-1',
    Architecture: 's390x',
    ...fields,
    Filename: `pool/${name}.deb`,
    Size: '10',
    SHA256: 'aa',
  })
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');

const list = new PackageList(
  [
    stanza('app', { Depends: 'liba (>= 1.0), none | libb:any, mailer' }),
    stanza('liba', { 'Pre-Depends': 'libc', Depends: 'libb' }),
    stanza('libb', { Depends: 'liba' }),
    stanza('libc', { Description: 'first line\n Package: not-a-package' }),
    stanza('exim', { Provides: 'mailer (= 2), mta' }),
  ].join('\n'),
);
const names = (packages: { name: string }[]) => packages.map(({ name }) => name);

test('the fields of a stanza, continuation lines included', () => {
  assert.deepEqual(parseFields('A: 1\nB-c: x\n y\n z\n# no\nD:e:f'), { a: '1', 'b-c': 'x\n y\n z', d: 'e:f' });
});

test('a relation without versions, architectures and restrictions', () => {
  assert.deepEqual(parseRelation('a (>= 1:2~3) | b:any, c++ [s390x] <!nodoc>,\n d'), [['a', 'b'], ['c++'], ['d']]);
  assert.deepEqual(parseRelation(undefined), []);
});

test('every package of a list is found, with what stands for it', () => {
  assert.equal(list.size, 5);
  assert.equal(list.find('mta')?.name, 'exim');
  assert.equal(list.find('not-a-package'), undefined);
  assert.equal(fileName(list.find('app')!), 'app_1%3a1.0-1_s390x.deb');
});

test('dependencies are followed as far as asked', () => {
  assert.deepEqual(names(list.resolve(['app'])), ['app']);
  assert.deepEqual(names(list.resolve(['app', 'app'], true)), ['app', 'liba', 'libb', 'exim', 'libc']);
  assert.deepEqual(names(list.resolve(['app'], name => name.startsWith('lib'))), ['app', 'liba', 'libb', 'libc']);
});

test('a missing package is named', () => {
  assert.throws(() => list.resolve(['libz']), /Debian has no package libz for s390x/);
});
