import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elements } from '../../millicode/vector.ts';
import { SPECIFICATION } from '../../program.ts';
import { machine } from '../../testing.ts';

let state = 7n;
function random(bits: number): bigint {
  let value = 0n;
  for (let n = 0; n < bits; n += 32) {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    value = (value << 32n) | (state >> 32n);
  }
  return BigInt.asUintN(bits, value);
}
/** Elements at random, among them the least, the greatest, zeros, and some that are equal. */
function vector(bits: number, like?: bigint): bigint {
  const special = [0n, 1n, (1n << BigInt(bits)) - 1n, 1n << BigInt(bits - 1), (1n << BigInt(bits - 1)) - 1n];
  const others = like === undefined ? [] : elements(like, bits);
  let value = 0n;
  for (let n = 0; n < 128 / bits; n++) {
    const kind = Number(random(32) % 4n);
    const element =
      kind === 0
        ? special[Number(random(32) % 5n)]!
        : kind === 1 && others[n] !== undefined
          ? others[n]!
          : random(bits);
    value = (value << BigInt(bits)) | element;
  }
  return value;
}

const codeOf = (source: string): number | undefined => machine(source).run().interruption?.code;

const LETTERS = { B: 8, H: 16, F: 32, G: 64, Q: 128 } as const;
type Letter = keyof typeof LETTERS;
type Model = (a: bigint, b: bigint, c: bigint, bits: number) => bigint;
const joined = (values: readonly bigint[], bits: number): bigint =>
  values.reduce((all, value) => (all << BigInt(bits)) | BigInt.asUintN(bits, value), 0n);
const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);

/** Instructions on registers 2, 3 and 4 with what register 1 must be afterwards: all of them are one program. */
class Cases {
  readonly #cases: { source: string; operands: readonly bigint[]; expected: bigint }[] = [];

  add(source: string, expected: bigint, ...operands: bigint[]): void {
    this.#cases.push({ source, operands, expected: BigInt.asUintN(128, expected) });
  }

  /** The condition code that an instruction sets. */
  addCode(source: string, code: number, ...operands: bigint[]): void {
    const fetch = 'lghi %r0,0; ipm %r3; srl %r3,28; llgfr %r3,%r3; vlvgp %v1,%r0,%r3';
    this.add(`${source}; ${fetch}`, BigInt(code), ...operands);
  }

  /** For each size, the instruction does to each element what the model does. */
  check(name: string, letters: string, operands: string, model: Model, suffix = ''): void {
    for (const letter of letters) {
      const bits = LETTERS[letter as Letter];
      for (let n = 0; n < 4; n++) {
        const a = vector(bits);
        const [b, c] = [vector(bits, a), vector(bits)];
        const [as, bs, cs] = [a, b, c].map(value => elements(value, bits));
        const expected = joined(
          as!.map((one, n) => model(one, bs![n]!, cs![n]!, bits)),
          bits,
        );
        this.add(`${name}${letter}${suffix} %v1,${operands}`, expected, a, b, c);
      }
    }
  }

  /** Runs them in each way in which the CPU can. */
  run(): void {
    const program = this.#cases.map(
      ({ source }) => `vl %v2,0(%r2); vl %v3,16(%r2); vl %v4,32(%r2); ${source}; vst %v1,48(%r2); la %r2,64(%r2)`,
    );
    const quads = this.#cases.flatMap(({ operands: [a = 0n, b = 0n, c = 0n] }) =>
      [a, b, c, 0n].flatMap(value => elements(value, 64)),
    );
    const data = `cases: ${quads.map(quad => `.quad ${quad}`).join('\n')}`;
    for (const way of ['counted', 'fast', 'compiled'] as const) {
      const m = machine(`larl %r2,cases\n${program.join('\n')}`, { data });
      if (way !== 'counted') m[way]();
      m.run();
      assert.equal(m.interruption, undefined);
      for (const [n, { source, operands, expected }] of this.#cases.entries()) {
        const result = m.hex(m.at('cases') + 64 * n + 48, 16);
        const of = operands.map(value => value.toString(16)).join(' ');
        assert.equal(result, expected.toString(16).padStart(32, '0'), `${source}, ${way}, of ${of}`);
      }
    }
  }
}
const TWO = '%v2,%v3';
const THREE = '%v2,%v3,%v4';

test('sums, differences, and what goes over', () => {
  const cases = new Cases();
  cases.check('va', 'BHFGQ', TWO, (a, b) => a + b);
  cases.check('vs', 'BHFGQ', TWO, (a, b) => a - b);
  cases.check('vacc', 'BHFGQ', TWO, (a, b, _, bits) => (a + b) >> BigInt(bits));
  cases.check('vscbi', 'BHFGQ', TWO, (a, b) => (a >= b ? 1n : 0n));
  cases.check('vac', 'Q', THREE, (a, b, c) => a + b + (c & 1n));
  cases.check('vaccc', 'Q', THREE, (a, b, c) => (a + b + (c & 1n)) >> 128n);
  cases.check('vsbi', 'Q', THREE, (a, b, c) => a - b - 1n + (c & 1n));
  cases.check('vsbcbi', 'Q', THREE, (a, b, c) => (a - b - 1n + (c & 1n) >= 0n ? 1n : 0n));
  assert.equal(codeOf('vac %v1,%v2,%v3,%v4,3'), SPECIFICATION);
  assert.equal(codeOf('va %v1,%v2,%v3,5'), SPECIFICATION);
  cases.run();
});

test('averages, extremes, signs, counts', () => {
  const cases = new Cases();
  cases.check('vavg', 'BHFG', TWO, (a, b, _, bits) => (signed(a, bits) + signed(b, bits) + 1n) >> 1n);
  cases.check('vavgl', 'BHFG', TWO, (a, b) => (a + b + 1n) >> 1n);
  const pick = (name: string, isSigned: boolean, greater: boolean): void =>
    cases.check(name, 'BHFG', TWO, (a, b, _, bits) => {
      const [x, y] = isSigned ? [signed(a, bits), signed(b, bits)] : [a, b];
      return x > y === greater ? a : b;
    });
  pick('vmx', true, true);
  pick('vmn', true, false);
  pick('vmxl', false, true);
  pick('vmnl', false, false);
  cases.check('vlc', 'BHFG', '%v2', a => -a);
  cases.check('vlp', 'BHFG', '%v2', (a, _, __, bits) => (signed(a, bits) < 0n ? -a : a));
  const digits = (a: bigint, bits: number): string => a.toString(2).padStart(bits, '0');
  cases.check('vpopct', 'BHFG', '%v2', (a, _, __, bits) => BigInt(digits(a, bits).replaceAll('0', '').length));
  cases.check('vclz', 'BHFG', '%v2', (a, _, __, bits) => BigInt(digits(a, bits).match(/^0*/)![0].length));
  cases.check('vctz', 'BHFG', '%v2', (a, _, __, bits) => BigInt(digits(a, bits).match(/0*$/)![0].length));
  cases.run();
});

test('comparisons give ones and zeros, and a condition code', () => {
  const cases = new Cases();
  const code = (values: readonly boolean[]): number => (values.every(one => one) ? 0 : values.some(one => one) ? 1 : 3);
  const relations: [string, (a: bigint, b: bigint, bits: number) => boolean][] = [
    ['vceq', (a, b) => a === b],
    ['vch', (a, b, bits) => signed(a, bits) > signed(b, bits)],
    ['vchl', (a, b) => a > b],
  ];
  for (const [name, relation] of relations) {
    cases.check(name, 'BHFG', TWO, (a, b, _, bits) => (relation(a, b, bits) ? -1n : 0n), 'S');
    for (const [a, b] of [
      [5n, 5n],
      [1n, 0n],
      [0n, 1n << 64n],
    ] as const) {
      const holds = elements(a, 32).map((one, n) => relation(one, elements(b, 32)[n]!, 32));
      cases.addCode(`${name}fs %v1,%v2,%v3`, code(holds), a, b);
    }
  }
  cases.addCode('vech %v2,%v3', 1, 0xffffn << 64n, 1n << 64n);
  cases.addCode('veclh %v2,%v3', 2, 0xffffn << 64n, 1n << 64n);
  cases.addCode('vecg %v2,%v2', 0, 5n);
  for (const [bits, code] of [
    [0n, 0],
    [0xf0n, 1],
    [0xffn, 3],
  ] as const)
    cases.addCode('vtm %v2,%v3', code, bits, 0xffn);
  cases.run();
});

test('logical operations', () => {
  const cases = new Cases();
  const operations: [string, Model][] = [
    ['vn', (a, b) => a & b],
    ['vnc', (a, b) => a & ~b],
    ['vo', (a, b) => a | b],
    ['voc', (a, b) => a | ~b],
    ['vx', (a, b) => a ^ b],
    ['vno', (a, b) => ~(a | b)],
    ['vnn', (a, b) => ~(a & b)],
    ['vnx', (a, b) => ~(a ^ b)],
  ];
  for (const [name, model] of operations) {
    const [a, b] = [random(128), random(128)];
    cases.add(`${name} %v1,%v2,%v3`, model(a, b, 0n, 128), a, b);
  }
  cases.run();
});

test('products: their right halves, their left halves, whole ones of every other element', () => {
  const cases = new Cases();
  cases.check('vml', 'BF', TWO, (a, b) => a * b);
  cases.check('vml', 'H', TWO, (a, b) => a * b, 'w');
  cases.check('vmal', 'BF', THREE, (a, b, c) => a * b + c);
  const high =
    (isSigned: boolean): Model =>
    (a, b, c, bits) => {
      const [x, y, z] = [a, b, c].map(value => (isSigned ? signed(value, bits) : value));
      return (x! * y! + z!) >> BigInt(bits);
    };
  cases.check('vmh', 'BHF', TWO, (a, b, _, bits) => high(true)(a, b, 0n, bits));
  cases.check('vmlh', 'BHF', TWO, (a, b, _, bits) => high(false)(a, b, 0n, bits));
  cases.check('vmah', 'BHF', THREE, high(true));
  cases.check('vmalh', 'BHF', THREE, high(false));
  for (const [letter, bits] of [
    ['b', 8],
    ['h', 16],
    ['f', 32],
  ] as const) {
    for (const [name, isSigned, odd] of [
      ['e', true, 0],
      ['le', false, 0],
      ['o', true, 1],
      ['lo', false, 1],
    ] as const) {
      const [a, b, c] = [vector(bits), vector(bits), random(128)];
      const factors = [a, b].map(value =>
        elements(value, bits)
          .filter((_, n) => n % 2 === odd)
          .map(one => (isSigned ? signed(one, bits) : one)),
      );
      const addends = elements(c, 2 * bits);
      const products = factors[0]!.map((one, n) => one * factors[1]![n]!);
      cases.add(`vm${name}${letter} %v1,${TWO}`, joined(products, 2 * bits), a, b);
      const sums = products.map((one, n) => one + addends[n]!);
      cases.add(`vma${name}${letter} %v1,${THREE}`, joined(sums, 2 * bits), a, b, c);
    }
  }
  const [a, b, c] = [random(128), random(128), random(128)];
  const [a0, a1, b0, b1] = [...elements(a, 64), ...elements(b, 64)] as [bigint, bigint, bigint, bigint];
  const sum = BigInt.asUintN(128, a0 * b0 * 2n + a1 * b1 + c);
  cases.add(`vmslg %v1,${THREE},8`, sum, a, b, c);
  cases.run();
});

test('products without carries', () => {
  const cases = new Cases();
  const times = (a: bigint, b: bigint): bigint => {
    let product = 0n;
    for (let n = 0n; n < 64n; n++) if ((b >> n) & 1n) product ^= a << n;
    return product;
  };
  for (const [letter, bits] of [
    ['b', 8],
    ['h', 16],
    ['f', 32],
    ['g', 64],
  ] as const) {
    const [a, b, c] = [vector(bits), vector(bits), random(128)];
    const [as, bs] = [elements(a, bits), elements(b, bits)];
    const sums = as.flatMap((one, n) => (n % 2 ? [] : [times(one, bs[n]!) ^ times(as[n + 1]!, bs[n + 1]!)]));
    cases.add(`vgfm${letter} %v1,${TWO}`, joined(sums, 2 * bits), a, b);
    cases.add(`vgfma${letter} %v1,${THREE}`, joined(sums, 2 * bits) ^ c, a, b, c);
  }
  cases.run();
});

test('sums across elements, and the checksum', () => {
  const cases = new Cases();
  for (const [name, bits, to] of [
    ['vsumb', 8, 32],
    ['vsumh', 16, 32],
    ['vsumgh', 16, 64],
    ['vsumgf', 32, 64],
    ['vsumqf', 32, 128],
    ['vsumqg', 64, 128],
  ] as const) {
    const [a, b] = [vector(bits), vector(bits)];
    const sums = elements(a, to).map((group, n) => {
      const parts = Array.from({ length: to / bits }, (_, k) => BigInt.asUintN(bits, group >> BigInt(bits * k)));
      return parts.reduce((all, one) => all + one, BigInt.asUintN(bits, elements(b, to)[n]!));
    });
    cases.add(`${name} %v1,${TWO}`, joined(sums, to), a, b);
  }
  cases.add('vcksm %v1,%v2,%v3', 2n << 64n, (0xffff_ffffn << 96n) | 0xffff_ffffn, 2n << 64n);
  cases.run();
});

test('shifts and rotations of elements', () => {
  const cases = new Cases();
  const models: [string, (a: bigint, n: bigint, bits: number) => bigint][] = [
    ['vesl', (a, n) => a << n],
    ['vesrl', (a, n) => a >> n],
    ['vesra', (a, n, bits) => signed(a, bits) >> n],
    ['verll', (a, n, bits) => (a << n) | (a >> (BigInt(bits) - n))],
  ];
  for (const [name, model] of models) {
    cases.check(`${name}v`, 'BHFG', TWO, (a, n, _, bits) => model(a, n % BigInt(bits), bits));
    for (const count of [0, 5, 13, 67]) {
      cases.check(name, 'BHFG', `%v2,${count}`, (a, _, __, bits) => model(a, BigInt(count % bits), bits));
    }
  }
  cases.add('vone %v1; verimf %v1,%v2,%v3,36', ~0xffff_ffffn | 0x2345_ffffn, 0x12345678n, 0xffff0000n);
  cases.run();
});

test('shifts of the whole register', () => {
  const cases = new Cases();
  const a = (1n << 127n) | random(127);
  const ones = (n: number): bigint => joined(new Array(16).fill(BigInt(n)), 8);
  const signedA = signed(a, 128);
  for (const n of [0, 3, 7]) {
    cases.add('vsl %v1,%v2,%v3', a << BigInt(n), a, ones(n));
    cases.add('vsrl %v1,%v2,%v3', a >> BigInt(n), a, ones(n));
    cases.add('vsra %v1,%v2,%v3', signedA >> BigInt(n), a, ones(n));
    const b = random(128);
    cases.add(`vsld %v1,%v2,%v3,${n}`, ((a << 128n) | b) >> BigInt(128 - n), a, b);
    cases.add(`vsrd %v1,%v2,%v3,${n}`, BigInt.asUintN(128, ((a << 128n) | b) >> BigInt(n)), a, b);
  }
  for (const n of [0, 1, 11, 15]) {
    const count = BigInt(n << 3) << 64n;
    cases.add('vslb %v1,%v2,%v3', a << BigInt(8 * n), a, count);
    cases.add('vsrlb %v1,%v2,%v3', a >> BigInt(8 * n), a, count);
    cases.add('vsrab %v1,%v2,%v3', signedA >> BigInt(8 * n), a, count);
    const b = random(128);
    const expected = BigInt.asUintN(128, ((a << 128n) | b) >> BigInt(128 - 8 * n));
    cases.add(`vsldb %v1,%v2,%v3,${n}`, expected, a, b);
  }
  assert.equal(codeOf('vsldb %v1,%v2,%v3,16'), SPECIFICATION);
  cases.run();
});
