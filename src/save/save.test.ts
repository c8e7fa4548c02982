import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from './cbor.ts';
import { compress, decompress } from './lz4.ts';
import { SavedFields, SaveError, type Value } from './save-state.ts';
import { crc32, readStream, type Section, writeStream } from './stream.ts';
import { SavedWords } from './words.ts';

const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

test('values as RFC 8949 writes them', () => {
  const examples: readonly [Value, string][] = [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1000000, '1a000f4240'],
    [1000000000000, '1b000000e8d4a51000'],
    [18446744073709551615n, '1bffffffffffffffff'],
    [1.1, 'fb3ff199999999999a'],
    [false, 'f4'],
    [true, 'f5'],
    [null, 'f6'],
    [Uint8Array.of(1, 2, 3, 4), '4401020304'],
    ['ü', '62c3bc'],
    [[1, [2, 3], [4, 5]], '8301820203820405'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  ];
  for (const [value, text] of examples) {
    assert.equal(hex(encode(value)), text);
    assert.deepEqual(decode(encode(value)), value);
  }
  for (const wrong of ['', '18', '4401', '8201', '0000', 'a10101', '7f', 'ff', '81'.repeat(40)]) {
    assert.throws(() => decode(Buffer.from(wrong, 'hex')), SaveError, wrong);
  }
});

test('compression', () => {
  const texts = [
    '',
    'a',
    'abcd'.repeat(3),
    'a'.repeat(70000),
    'abc'.repeat(50),
    `${'x'.repeat(300)}${'y'.repeat(300)}`,
  ];
  const pieces = texts.map(text => new TextEncoder().encode(text));
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  for (const range of [2, 5, 256]) {
    pieces.push(Uint8Array.from({ length: 100000 }, () => random() % range));
    pieces.push(Uint8Array.from({ length: 5000 }, (_, n) => (n % 700 < 350 ? n : random() % range)));
  }
  for (const piece of pieces) {
    const block = compress(piece);
    assert.deepEqual(decompress(block, piece.length), piece);
    if (piece.length > 0) assert.throws(() => decompress(block, piece.length - 1), SaveError);
    assert.throws(() => decompress(block, piece.length + 1), SaveError);
  }
  assert.ok(compress(pieces[3]!).length < 400);
  // "ab", a copy of 2 + 4 bytes from 2 before, "cdefg".
  assert.equal(new TextDecoder().decode(decompress(Buffer.from('2261620200506364656667', 'hex'), 13)), 'ababababcdefg');
});

const sections: Section[] = [
  { name: 'one', version: 1, fields: { number: 5 } },
  { name: 'two', version: 3, fields: { bytes: Uint8Array.of(1, 2, 3) } },
];

const stream = (): Uint8Array => Uint8Array.from(Buffer.concat([...writeStream(sections)]));

test('a stream is checked before anything of it is used', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  const whole = stream();
  assert.deepEqual(
    readStream(whole).map(({ name, version }) => [name, version]),
    [
      ['one', 1],
      ['two', 3],
    ],
  );
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readStream(whole.subarray(0, length)), SaveError, `${length} bytes`);
  }
  for (let at = 0; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at]! ^= 0x10;
    assert.throws(() => readStream(damaged), SaveError, `byte ${at}`);
  }
  assert.throws(() => readStream(new TextEncoder().encode('QEVM'.repeat(20))), { message: 'Not a migration stream' });
  assert.equal(readStream(whole.subarray(0, whole.length - 20), false).length, 1);
});

test('words of shared memory', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const words = new SavedWords('unit', 1, memory, 0x100, {
    long: { at: 8, size: 8 },
    some: { at: 0x20, size: 4, count: 3 },
    bytes: { at: 0x40, size: 1, count: 2 },
  });
  const view = new DataView(memory.buffer);
  view.setBigUint64(0x108, 2n ** 64n - 1n, true);
  view.setUint32(0x124, 7, true);
  view.setUint8(0x141, 9);
  const fields = decode(encode(words.save()));
  new Uint8Array(memory.buffer).fill(0);
  const load = words.load(new SavedFields('unit', fields));
  assert.equal(view.getBigUint64(0x108, true), 0n);
  load();
  assert.deepEqual(words.save(), { long: 2n ** 64n - 1n, some: [0n, 7n, 0n], bytes: Uint8Array.of(0, 9) });
  for (const wrong of [{}, { long: 1 }, { long: 1, some: [1, 2], bytes: Uint8Array.of(1, 2) }, { long: 'x' }, null]) {
    assert.throws(() => words.load(new SavedFields('unit', wrong as Value)), SaveError);
  }
  const tooLarge = { long: 1, some: [1, 2, 2 ** 32], bytes: Uint8Array.of(1, 2) };
  assert.throws(() => words.load(new SavedFields('unit', tooLarge)), {
    message: "section 'unit': field 'some' is missing or not valid",
  });
});
