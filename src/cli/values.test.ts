import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatUuid, parseList, parseSize, parseUuid } from './values.ts';

const MIB = 0x100000;

test('lists of keys and values', () => {
  assert.deepEqual(
    [...parseList('512,slots=2,maxmem=1G', 'size')],
    [
      ['size', '512'],
      ['slots', '2'],
      ['maxmem', '1G'],
    ],
  );
  assert.deepEqual(
    [...parseList('path=a,,b,append=on')],
    [
      ['path', 'a,b'],
      ['append', 'on'],
    ],
  );
  assert.deepEqual(
    [...parseList('x,server,nowait', 'path')],
    [
      ['path', 'x'],
      ['server', 'on'],
      ['wait', 'off'],
    ],
  );
  assert.deepEqual([...parseList('a=1,a=2')], [['a', '2']]);
  assert.deepEqual([...parseList('', 'type')], [['type', '']]);
});

test('sizes', () => {
  const size = (value: string) => parseSize(value, 'size', MIB);
  assert.equal(size('512'), 512 * MIB);
  assert.equal(size('512M'), 512 * MIB);
  assert.equal(size('512m'), 512 * MIB);
  assert.equal(size('1G'), 1024 * MIB);
  assert.equal(size('1.5G'), 1536 * MIB);
  assert.equal(size('2048k'), 2 * MIB);
  assert.equal(size('0x200'), 512 * MIB);
  assert.equal(size('512b'), 512);
  assert.equal(parseSize('1024', 'maxmem'), 1024);
  for (const bad of ['', 'foo', '512x', '-1', '1e3', '1.5', '.5G', '512MB', 'size=']) {
    assert.throws(() => size(bad), /Parameter 'size' expects a size/, bad);
  }
  assert.throws(() => size('16E'), /out of range/);
});

test('UUIDs', () => {
  const text = '12345678-9abc-def0-1234-56789abcdef0';
  assert.equal(parseUuid(text)[4], 0x9a);
  assert.equal(formatUuid(parseUuid(text.toUpperCase())), text);
  assert.throws(() => parseUuid('1234'), /not a UUID/);
});
