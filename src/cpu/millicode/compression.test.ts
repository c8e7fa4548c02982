import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { machine, type TestMachine } from '../testing.ts';

const DICTIONARY = 0x10000;
const SOURCE = 0x20000;
const RESULT = 0x30000;
const BACK = 0x40000;

/** Entries of both dictionaries with 512 symbols, by index. */
type Entries = Readonly<Record<number, string>>;

/** Alphabet entries without children, and expansion entries for them. */
function load(m: TestMachine, compression: Entries, expansion: Entries): TestMachine {
  for (const [index, entry] of Object.entries(compression)) m.store(DICTIONARY + 8 * Number(index), entry);
  for (const [index, entry] of Object.entries(expansion)) m.store(DICTIONARY + 0x1000 + 8 * Number(index), entry);
  return m;
}

const text = (words: string): string => Buffer.from(words, 'latin1').toString('hex');

/** Compresses a text with symbols of nine bits. */
const compressed = (m: TestMachine, words: string, control = 0, room = 0x1000): TestMachine =>
  m
    .store(SOURCE, text(words))
    .gr(0, 0x1000 | control)
    .gr(1, DICTIONARY)
    .gr(2, RESULT)
    .gr(3, room)
    .gr(4, SOURCE)
    .gr(5, words.length)
    .run();

/** Symbols of nine bits in the result. */
function symbols({ cpu, storage }: TestMachine): number[] {
  const end = Number(cpu.gr(2) - BigInt(RESULT)) * 8 + (cpu.gr32(1) & 7);
  const bit = (n: number): number => (storage.read8(RESULT + (n >> 3)) >> (7 - (n & 7))) & 1;
  return Array.from({ length: end / 9 }, (_, n) => {
    let value = 0;
    for (let at = 9 * n; at < 9 * n + 9; at++) value = value * 2 + bit(at);
    return value;
  });
}

const [a, b, c] = [0x61, 0x62, 0x63];
/** "a" has the child "b" (X'100') whose children are "ccc" (X'101') and "d" (X'102'), and siblings from X'110' on. */
const tree: Entries = {
  [a]: '2001006200000000'.replace('200100', '300100'),
  256: '5801016364000000'.replace('58', '58'),
  257: '0040006363000000',
};
const back: Entries = {
  [a]: '0161000000000000',
  256: '0261620000000000',
  257: '6100636363000002',
  258: '0361626400000000',
};

describe('COMPRESSION CALL', () => {
  it('finds the longest string of the dictionary, with additional extension characters', () => {
    const m = compressed(load(machine('cmpsc %r2,%r4'), tree, back), 'abcccabdabccxa');
    assert.equal(m.interruption, undefined);
    assert.deepEqual(symbols(m), [0x101, 0x102, 0x100, c, c, 0x78, a]);
    assert.equal(m.cc, 0);
    assert.equal(m.cpu.gr(5), 0n);
    assert.equal(m.cpu.gr(4), BigInt(SOURCE + 14));
  });

  it('expands what it has compressed', () => {
    const m = load(machine('cmpsc %r2,%r4; lgr %r6,%r2; lghi %r0,0x1100; cmpsc %r8,%r10'), tree, back);
    m.gr(8, BACK).gr(9, 100).gr(10, RESULT).gr(11, 10);
    // The second dictionary is the first one's successor; the bit number is left over.
    const program = machine('cmpsc %r2,%r4; lghi %r0,0x1100; lgr %r1,%r12; cmpsc %r8,%r10');
    load(program, tree, back)
      .gr(8, BACK)
      .gr(9, 100)
      .gr(10, RESULT)
      .gr(11, 8)
      .gr(12, DICTIONARY + 0x1000);
    compressed(program, 'abcccabdabccxa');
    assert.equal(program.interruption, undefined);
    assert.equal(program.cc, 0);
    const length = Number(program.cpu.gr(8)) - BACK;
    assert.equal(Buffer.from(program.storage.read(BACK, length)).toString('latin1'), 'abcccabdabccxa');
  });

  it('ends where there is no room for another symbol', () => {
    const m = compressed(load(machine('cmpsc %r2,%r4'), tree, back), 'xyz', 0, 3);
    assert.equal(m.cc, 1);
    assert.deepEqual(symbols(m), [0x78, 0x79]);
    assert.equal(m.cpu.gr(5), 1n);
    assert.equal(m.cpu.gr(3), 1n);
    assert.equal(m.cpu.gr32(1) & 7, 2);
  });

  it('looks for siblings in descriptors of both formats', () => {
    // Six stated children: five, and a descriptor at X'105'.
    const many = { [a]: `c00100${text('bcdef')}` };
    const format0 = { ...many, 261: `40${text('gh')}0000000000` };
    assert.deepEqual(symbols(compressed(load(machine('cmpsc %r2,%r4'), format0, {}), 'afahaz')), [
      0x104,
      0x107,
      a,
      0x7a,
    ]);
    const format1 = { ...many, 261: `8000${text('ghijkl')}` };
    const second = { 261: `${text('mn')}000000000000` };
    const m = compressed(load(machine('cmpsc %r2,%r4'), format1, second), 'agalan', 0x200);
    assert.deepEqual(symbols(m), [0x106, 0x10b, 0x10d]);
  });

  it('translates symbols by a table', () => {
    const m = machine('cmpsc %r2,%r4').store(DICTIONARY + 0x2000 + 2 * b, '01f5');
    // The bit number comes last in general register 1, before it the offset of the table in units of 128 bytes.
    m.store(SOURCE, text('b'))
      .gr(0, 0x11000)
      .gr(1, DICTIONARY | ((0x2000 / 128) << 3));
    m.gr(2, RESULT).gr(3, 10).gr(4, SOURCE).gr(5, 1).run();
    assert.deepEqual(symbols(m), [0x1f5]);
  });

  it('keeps the bits before the first symbol, and pads with zeros up to 256 bytes when asked to', () => {
    const m = load(machine('cmpsc %r2,%r4'), tree, back).store(RESULT, 'ff'.repeat(0x110)).store(SOURCE, text('x'));
    m.gr(0, 0x21000)
      .gr(1, DICTIONARY | 3)
      .gr(2, RESULT)
      .gr(3, 0x110)
      .gr(4, SOURCE)
      .gr(5, 1)
      .run();
    assert.equal(Buffer.from(m.storage.read(RESULT, 2)).toString('hex'), 'e780');
    assert.deepEqual(m.storage.read(RESULT + 2, 0xfe), new Uint8Array(0xfe));
    assert.equal(m.storage.read8(RESULT + 0x100), 0xff);
    assert.equal(m.cpu.gr(2), BigInt(RESULT + 1));
  });

  it('recognises data and specification exceptions, having done the symbols before', () => {
    const bad = { ...tree, [b]: 'e000000000000000' };
    const m = compressed(load(machine('cmpsc %r2,%r4'), bad, back), 'xb');
    assert.equal(m.interruption?.code, 7);
    assert.equal(m.cpu.gr(5), 1n);
    assert.equal(compressed(machine('cmpsc %r2,%r4'), 'x', 0x6000).interruption?.code, 6);
    assert.equal(compressed(machine('cmpsc %r2,%r5'), 'x').interruption?.code, 6);
  });

  it('takes more than 127 entries for a symbol as a data exception', () => {
    const m = load(machine('cmpsc %r2,%r4'), {}, { 256: '2100610000000000' });
    // The symbol X'100' leads back to itself.
    m.store(SOURCE, '8000')
      .gr(0, 0x1100)
      .gr(1, DICTIONARY + 0x1000)
      .gr(2, RESULT)
      .gr(3, 300)
      .gr(4, SOURCE)
      .gr(5, 2);
    assert.equal(m.run().interruption?.code, 7);
  });

  it('ends with condition code 3 now and then', () => {
    const m = machine('cmpsc %r2,%r4', { storageSize: 0x100000 });
    m.gr(0, 0x1000).gr(1, DICTIONARY).gr(2, 0x50000).gr(3, 0x10000).gr(4, 0x80000).gr(5, 0x8000).run();
    assert.equal(m.cc, 3);
    assert.ok(m.cpu.gr(5) > 0n && m.cpu.gr(5) < 0x8000n);
  });
});
