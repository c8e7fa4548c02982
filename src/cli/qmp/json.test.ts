import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonReader, written } from './json.ts';

const encoder = new TextEncoder();

function all(...pieces: (string | Uint8Array)[]): unknown[] {
  const reader = new JsonReader();
  const items: unknown[] = [];
  for (const piece of pieces) {
    reader.take(typeof piece === 'string' ? encoder.encode(piece) : piece);
    for (let item = reader.next(); item; item = reader.next()) {
      items.push('error' in item ? item.error : JSON.parse(written(item.value, false)));
    }
  }
  return items;
}

test('values end where they end', () => {
  assert.deepEqual(all('{"a":"}{\\"", "b":[{}]} [1]{}\n'), [{ a: '}{"', b: [{}] }, [1], {}]);
  assert.deepEqual(all(" {'a'", ':1', '2', '}', 'tr', 'ue '), [{ a: 12 }, true]);
  assert.deepEqual(all('"a\\', '"b"', '"', '\\u00e', '9"'), ['a"b', 'é']);
  assert.deepEqual(all('12', '3\n-0 1e3,'), [123, 0, 1000, 'JSON parse error, expecting value']);
  const bytes = encoder.encode('"é😀"');
  assert.deepEqual(all(bytes.subarray(0, 2), bytes.subarray(2, 6), bytes.subarray(6)), ['é😀']);
});

test('what is wrong is told, and the stream goes on', () => {
  const wrong: readonly [string, ...string[]][] = [
    ['{"a" 1}', 'missing : in object pair'],
    ['{1:2}', 'key is not a string in object'],
    ['{"a":}', 'expecting value'],
    ['[1 2]', 'expected separator in list'],
    ['{"a":1]', 'expected separator in dict'],
    ['}', 'expecting value'],
    ['{"a":1,"a":2}', 'duplicate key'],
    ['{"a":tru}', "invalid keyword 'tru'"],
    ['"\\q"', 'invalid escape sequence in string'],
    ['"\\u12g4"', '\\u12g4 is not a valid Unicode character'],
    ['"\\ud800"', '\\ud800 is not a valid Unicode character'],
    ['{"a":01}', "stray '01'", 'expecting value'],
    ['{"a":-}', "stray '-}'"],
    ['{"a":1.}', "stray '1.}'"],
    ['{"a":"b\nc"}', `stray '"b\n'`, 'expecting value'],
    ['ABC "d" {}'.slice(0, 7), "stray 'A'"],
    ['%d', "stray '%'"],
  ];
  for (const [text, ...errors] of wrong) {
    const told = errors.map(error => `JSON parse error, ${error}`);
    assert.deepEqual(all(`${text}\n{"next":1}`), [...told, { next: 1 }], text);
  }
  assert.deepEqual(all('['.repeat(1025), '[0]'), ['JSON nesting depth limit exceeded', [0]]);
});

test('values as they are written', () => {
  assert.equal(
    written({ a: [1n << 64n, 0.5, null], b: undefined, c: {} }, false),
    '{"a": [18446744073709551616, 0.5, null], "c": {}}',
  );
  assert.equal(written('é😀\n"\x7f', false), '"\\u00E9\\uD83D\\uDE00\\n\\"\\u007F"');
  assert.equal(
    written({ a: [1, { b: true }], c: [] }, true),
    '{\n    "a": [\n        1,\n        {\n            "b": true\n        }\n    ],\n    "c": [\n    ]\n}',
  );
});
