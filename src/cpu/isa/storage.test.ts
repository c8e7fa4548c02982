import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSING, SPECIFICATION } from '../program.ts';
import { PSW_BA, PSW_DAT, PSW_EA } from '../registers.ts';
import * as state from '../state.ts';
import { machine, ORIGIN, type TestMachine } from '../testing.ts';

const BASE = 0x10000;
const SPAN = 0x3000;
const MODES = [PSW_EA | PSW_BA, PSW_BA, 0n];

/** Numbers that look random. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** An instruction on bytes; gives the condition code if it sets one. */
type Model = (bytes: Uint8Array, first: number, second: number, length: number) => number | undefined;

const each =
  (combine: (a: number, b: number) => number, cc: boolean): Model =>
  (bytes, first, second, length) => {
    let any = 0;
    for (let n = 0; n < length; n++) any |= bytes[first + n] = combine(bytes[first + n]!, bytes[second + n]!);
    return cc ? Number(any !== 0) : undefined;
  };
const models: Record<string, Model> = {
  mvc: each((_, b) => b, false),
  mvn: each((a, b) => (a & 0xf0) | (b & 0x0f), false),
  mvz: each((a, b) => (a & 0x0f) | (b & 0xf0), false),
  nc: each((a, b) => a & b, true),
  oc: each((a, b) => a | b, true),
  xc: each((a, b) => a ^ b, true),
  clc: (bytes, first, second, length) => {
    for (let n = 0; n < length; n++) {
      const difference = bytes[first + n]! - bytes[second + n]!;
      if (difference) return difference < 0 ? 1 : 2;
    }
    return 0;
  },
  tr: (bytes, first, table, length) => {
    for (let n = 0; n < length; n++) bytes[first + n] = bytes[table + bytes[first + n]!]!;
    return undefined;
  },
  mvcin: (bytes, first, second, length) => {
    for (let n = 0; n < length; n++) bytes[first + n] = bytes[second - n]!;
    return undefined;
  },
};

test('storage to storage, also across pages and with overlap, byte by byte', () => {
  const random = numbers(1);
  for (const [mnemonic, model] of Object.entries(models)) {
    const m = machine(`exrl %r1,1f\nj 2f\n1: ${mnemonic} 0(1,%r2),0(%r3)\n2:`);
    for (let round = 0; round < 120; round++) {
      const mask = MODES[round % 3]!;
      m.cpu.counted = round % 2 === 0;
      const bytes = Uint8Array.from({ length: SPAN }, () => (random(2) ? 0 : random(256)));
      const first = 0x400 + random(2) * (0x1000 - random(300));
      const second = random(2) ? first + random(33) - 16 : 0x400 + random(0x2000);
      const length = random(2) ? random(17) + 1 : random(256) + 1;
      if (mnemonic === 'clc') bytes.copyWithin(second, first, first + random(256));
      m.storage.write(BASE, bytes);
      m.gr(1, length - 1)
        .gr(2, BASE + first)
        .gr(3, BASE + second);
      m.interruption = undefined;
      m.cpu.setPsw(mask | (3n << 44n), BigInt(ORIGIN));
      m.run();
      const cc = model(bytes, first, second, length) ?? 3;
      const what = `${mnemonic} ${first} ${second} ${length}`;
      assert.equal(m.interruption, undefined, what);
      assert.equal(m.cc, cc, what);
      assert.deepEqual(m.storage.read(BASE, SPAN), bytes, what);
    }
  }
});

test('what cannot be accessed leaves everything as it was', () => {
  const end = 0x200000;
  for (const source of ['mvc 0(20,%r2),0(%r3)', 'xc 0(20,%r2),0(%r3)', 'tr 0(20,%r2),0(%r3)']) {
    const m = machine(source)
      .gr(2, end - 10)
      .gr(3, 0x2000)
      .store(0x2000, '0102030405060708090a0b0c0d0e0f1011121314')
      .run();
    assert.equal(m.interruption?.code, ADDRESSING, source);
    assert.equal(m.hex(end - 10, 10), '00'.repeat(10), source);
  }
  // TRANSLATE needs only those bytes of the table that are selected; a comparison may end before.
  assert.equal(
    machine('tr 0(2,%r2),0(%r3)')
      .gr(2, 0x2000)
      .gr(3, end - 1)
      .run().interruption,
    undefined,
  );
  assert.equal(
    machine('clc 0(9,%r2),0(%r3)')
      .gr(2, 0x400)
      .gr(3, end - 1)
      .run().interruption,
    undefined,
  );
});

test('TRANSLATE AND TEST', () => {
  const scan = (source: string, mask: bigint): TestMachine =>
    machine(source, { mask })
      .store(0x2ffe, '01020304')
      .store(0x3804, 'ab')
      .gr(1, 0x1111_2222_f333_4444n)
      .gr(2, 0xffffn)
      .gr(3, 0x2ffe)
      .gr(4, 0x3001)
      .gr(5, 0x3800)
      .run();
  const forward = 'trt 0(4,%r3),0(%r5)';
  let m = scan(forward, PSW_EA | PSW_BA);
  assert.deepEqual([m.cc, m.cpu.gr(1), m.cpu.gr(2)], [2, 0x3001n, 0xffabn]);
  m = scan(forward, PSW_BA);
  assert.equal(m.cpu.gr(1), 0x1111_2222_0000_3001n);
  m = scan(forward, 0n);
  assert.equal(m.cpu.gr(1), 0x1111_2222_f300_3001n);
  m = scan('trtr 0(3,%r4),0(%r5)', PSW_EA | PSW_BA);
  assert.deepEqual([m.cc, m.cpu.gr(1)], [1, 0x3001n]);
  assert.equal(scan('trt 0(3,%r3),0(%r5)', 0n).cc, 0);
});

const pairs = (m: TestMachine, ...values: (number | bigint)[]): TestMachine =>
  values.reduce<TestMachine>((made, value, n) => made.gr(2 + n, value), m);
const after = (m: TestMachine): [number, string] => {
  m.run();
  assert.equal(m.interruption, undefined);
  return [m.cc, [2, 3, 4, 5].map(n => m.cpu.gr(n).toString(16)).join(' ')];
};

test('MOVE LONG and MOVE LONG EXTENDED', () => {
  let m = machine('mvcl %r2,%r4').store(0x3000, 'a1a2a3');
  assert.deepEqual(after(pairs(m, 0x2ffe, 6, 0x3000, 0x40000003)), [2, '3004 0 3003 40000000']);
  assert.equal(m.hex(0x2ffe, 7), 'a1a2a340404000');
  m = machine('mvcl %r2,%r4');
  assert.deepEqual(after(pairs(m, 0x2001, 4, 0x2000, 4)), [3, '2001 4 2000 4']);
  assert.deepEqual(after(pairs(machine('mvcl %r2,%r4'), 0x2000, 4, 0x2001, 4)), [0, '2004 0 2005 0']);
  m = machine('mvcle %r2,%r4,0x5a').store(0x3000, 'a1a2a3');
  assert.deepEqual(after(pairs(m, 0x4000, 5, 0x3000, 3)), [2, '4005 0 3003 0']);
  assert.equal(m.hex(0x4000, 6), 'a1a2a35a5a00');
  m = machine('mvcle %r2,%r4,0', { mask: PSW_BA });
  assert.deepEqual(after(pairs(m, 0x7_8000_4000n, 0x9_0000_0001n, 0x3000, 2)), [1, '700004001 900000000 3001 1']);
  assert.equal(machine('mvcl %r3,%r4').run().interruption?.code, SPECIFICATION);
});

test('MOVE LONG goes on where an exception ended it', () => {
  const end = 0x200000;
  const m = machine('mvcl %r2,%r4').store(0x2000, 'c1c2c3c4');
  pairs(m, end - 3, 9, 0x2000, 4).run();
  assert.equal(m.interruption?.code, ADDRESSING);
  assert.deepEqual(
    [2, 3, 4, 5].map(n => m.cpu.gr(n)),
    [BigInt(end), 6n, 0x2003n, 1n],
  );
  assert.equal(m.hex(end - 3, 3), 'c1c2c3');
});

test('what is pending interrupts long operations between pages', () => {
  for (const source of ['mvcl %r2,%r4', 'j 2f\n1: mvcl %r2,%r4\n2: exrl %r0,1b', '1: mvcle %r2,%r4,0\njo 1b']) {
    for (const counted of [true, false]) {
      const m = machine(`${source}\nlghi %r6,77`).store(0x12ffe, 'd1d2d3');
      m.cpu.counted = counted;
      m.cpu.setField32(state.FUEL, 100);
      pairs(m, 0x20ffe, 0x4000, 0x10ffe, 0x4000);
      // Something becomes pending while a page is being translated.
      const { dat } = m.cpu;
      const fill = dat.fill.bind(dat);
      dat.fill = (...args) => {
        m.cpu.setField32(state.PENDING, 1);
        return fill(...args);
      };
      while (m.cpu.gr(2) === 0x20ffen) {
        m.cpu.setField32(state.PENDING, 0);
        m.cpu.step();
      }
      // The instruction is to be executed again, or has set condition code 3.
      assert.equal(m.cpu.gr(2), 0x21000n, source);
      dat.fill = fill;
      m.cpu.setField32(state.PENDING, 0);
      m.run();
      assert.deepEqual([m.cpu.gr(2), m.cpu.gr(3), m.cpu.gr(6), m.cc], [0x24ffen, 0n, 77n, 0], source);
      assert.equal(m.hex(0x22ffe, 3), 'd1d2d3', source);
    }
  }
});

test('COMPARE LOGICAL LONG', () => {
  const compare = (source: string, ...values: number[]): [number, string] =>
    after(
      pairs(machine(source).store(0x2ff8, '000102030405060708090a0b').store(0x3ff0, '0001020304050607f8'), ...values),
    );
  assert.deepEqual(compare('clcl %r2,%r4', 0x2ff8, 9, 0x3ff0, 9), [1, '3000 1 3ff8 1']);
  assert.deepEqual(compare('clcl %r2,%r4', 0x2ff8, 8, 0x3ff0, 8), [0, '3000 0 3ff8 0']);
  assert.deepEqual(compare('clcl %r2,%r4', 0x3ff0, 9, 0x3ff0, 8), [2, '3ff8 1 3ff8 0']);
  assert.deepEqual(compare('clcle %r2,%r4,0xff', 0x3ff0, 8, 0x3ff0, 9), [2, '3ff8 0 3ff8 1']);
  assert.deepEqual(compare('clcle %r2,%r4,0xf8', 0x3ff0, 8, 0x3ff0, 9), [0, '3ff8 0 3ff9 0']);
});

test('strings', () => {
  const text = '616263646566676869'.repeat(4);
  const made = (source: string): TestMachine => machine(source).store(0x2ff0, `${text}ff00`).store(0x3ff0, `${text}00`);
  assert.deepEqual(after(pairs(made('srst %r2,%r3').gr(0, 0xff), 0x4000, 0x2ff0)), [1, '3014 2ff0 0 0']);
  assert.deepEqual(after(pairs(made('srst %r2,%r3').gr(0, 0xff), 0x3014, 0x2ff0)), [2, '3014 2ff0 0 0']);
  const m = made('mvst %r2,%r3');
  assert.deepEqual(after(pairs(m, 0x4ffe, 0x2ff0)), [1, '5023 2ff0 0 0']);
  assert.equal(m.hex(0x4ffe, 38), `${text}ff00`);
  assert.deepEqual(after(pairs(made('clst %r2,%r3'), 0x2ff0, 0x3ff0)), [2, '3014 4014 0 0']);
  assert.deepEqual(after(pairs(made('clst %r2,%r3'), 0x3ff0, 0x2ff0)), [1, '4014 3014 0 0']);
  assert.deepEqual(after(pairs(made('clst %r2,%r3'), 0x3ff0, 0x3ff0)), [0, '3ff0 3ff0 0 0']);
  assert.equal(made('srst %r2,%r3').gr(0, 0x100).run().interruption?.code, SPECIFICATION);
  assert.deepEqual(after(pairs(made('srstu %r2,%r3').gr(0, 0x6869), 0x3ff0, 0x2fef)), [1, '2ff7 2fef 0 0']);
});

test('CHECKSUM', () => {
  const m = machine('cksm %r4,%r2').store(0x2ffd, 'ffffffff00000001aabbcc').gr(2, 0x2ffd).gr(3, 11).gr(4, 5);
  assert.deepEqual(after(m), [0, '3008 0 aabbcc06 0']);
});

test('COMPARE UNTIL SUBSTRING EQUAL', () => {
  const compare = (length: number, first: number, second: number): [number, string] =>
    after(
      pairs(
        machine('cuse %r2,%r4').store(0x2000, '0102030405').store(0x3000, '0103030406').gr(0, length).gr(1, 0xee),
        0x2000,
        first,
        0x3000,
        second,
      ),
    );
  assert.deepEqual(compare(2, 5, 5), [0, '2002 3 3002 3']);
  assert.deepEqual(compare(3, 5, 5), [2, '2005 0 3005 0']);
  assert.deepEqual(compare(3, 4, 4), [1, '2002 2 3002 2']);
  assert.deepEqual(compare(0, 5, 5), [0, '2000 5 3000 5']);
});

test('translation by tables', () => {
  let m = machine('tre %r2,%r4').store(0x2000, '0102030405').store(0x3001, 'a1a2a3a4').gr(0, 4);
  assert.deepEqual(after(pairs(m, 0x2000, 5, 0x3000)), [1, '2003 2 3000 0']);
  assert.equal(m.hex(0x2000, 5), 'a1a2a30405');
  m = machine('trot %r2,%r4,1').store(0x2000, '0201').store(0x3002, 'c1c2d1d2').gr(1, 0x3000);
  assert.deepEqual(after(pairs(m, 0x4000, 2, 0x2000)), [0, '4004 0 2002 0']);
  assert.equal(m.hex(0x4000, 4), 'd1d2c1c2');
  m = machine('trto %r2,%r4').store(0x2000, '00020001').store(0x3001, 'c1c2').gr(1, 0x3000).gr(0, 0xc1);
  assert.deepEqual(after(pairs(m, 0x4000, 4, 0x2000)), [1, '4001 2 2002 0']);
  m = machine('trtt %r2,%r4').gr(1, 0x3000);
  assert.equal(pairs(m, 0x4000, 3, 0x2000).run().interruption?.code, SPECIFICATION);
  m = machine('trte %r2,%r4,12').store(0x2000, '00010002').store(0x3004, 'beef').gr(1, 0x3000);
  assert.deepEqual(after(pairs(m, 0x2000, 4)), [1, '2002 2 beef 0']);
});

test('Unicode', () => {
  const convert = (source: string, hex: string, room = 64): [number, string, string] => {
    const m = machine(source).store(0x2000, hex);
    const [cc, registers] = after(pairs(m, 0x3000, room, 0x2000, hex.length / 2));
    return [cc, registers, m.hex(0x3000, Number(m.cpu.gr(2) - 0x3000n))];
  };
  // A, e acute, euro sign, G clef.
  const utf8 = '41c3a9e282acf09d849e';
  const utf16 = '004100e920acd834dd1e';
  const utf32 = '00000041000000e9000020ac0001d11e';
  assert.deepEqual(convert('cu12 %r2,%r4,1', utf8), [0, '300a 36 200a 0', utf16]);
  assert.deepEqual(convert('cu14 %r2,%r4,1', utf8), [0, '3010 30 200a 0', utf32]);
  assert.deepEqual(convert('cu21 %r2,%r4,1', utf16), [0, '300a 36 200a 0', utf8]);
  assert.deepEqual(convert('cu24 %r2,%r4,1', utf16), [0, '3010 30 200a 0', utf32]);
  assert.deepEqual(convert('cu41 %r2,%r4', utf32), [0, '300a 36 2010 0', utf8]);
  assert.deepEqual(convert('cu42 %r2,%r4', utf32), [0, '300a 36 2010 0', utf16]);
  assert.deepEqual(convert('cu12 %r2,%r4,1', utf8, 4), [1, '3004 0 2003 7', '004100e9']);
  assert.deepEqual(convert('cu12 %r2,%r4,1', 'c080'), [2, '3000 40 2000 2', '']);
  assert.deepEqual(convert('cu12 %r2,%r4,0', 'c080'), [0, '3002 3e 2002 0', '0000']);
  assert.deepEqual(convert('cu14 %r2,%r4,1', 'eda080'), [2, '3000 40 2000 3', '']);
  assert.deepEqual(convert('cu24 %r2,%r4,1', 'd8340041'), [2, '3000 40 2000 4', '']);
  assert.deepEqual(convert('cu41 %r2,%r4', '00110000'), [2, '3000 40 2000 4', '']);
  assert.deepEqual(convert('cu12 %r2,%r4', 'e282'), [0, '3000 40 2000 2', '']);
});

test('each operand in the space of its access register', () => {
  const SPACE = 0x10000;
  const PAGES = 0x14000;
  const run = (source: string): TestMachine => {
    const m = machine(source, { mask: PSW_EA | PSW_BA | PSW_DAT | (1n << 46n), data: 'table: .skip 256' });
    // Primary: real storage. Secondary: pages 2 and 3 of a segment table are frames 6 and 5.
    m.storage.write64(SPACE, BigInt(PAGES));
    m.storage.write64(PAGES + 16, 0x6000n);
    m.storage.write64(PAGES + 24, 0x5000n);
    m.store(0x6ffe, 'a1a2').store(0x5000, 'a3a4').store(0x3000, 'b1b2b3b4');
    m.gr(2, 0x3000).gr(3, 4).gr(4, 0x2ffe).gr(5, 4).ar(2, 0).ar(4, 1);
    return m.cr(1, 0x20n).cr(7, BigInt(SPACE)).run();
  };
  for (const source of ['mvc 0(4,%r2),0(%r4)', 'mvcl %r2,%r4', 'mvcle %r2,%r4,0', 'mvst %r2,%r4']) {
    const m = run(`llilf %r0,0xa4\n${source}`);
    assert.equal(m.interruption, undefined, source);
    assert.equal(m.hex(0x3000, 4), 'a1a2a3a4', source);
  }
  for (const source of ['mvc 0(4,%r4),0(%r2)', 'mvcle %r4,%r2,0', 'ex %r0,x\nj 1f\nx: mvc 0(4,%r4),0(%r2)\n1:']) {
    const m = run(source);
    assert.equal(m.hex(0x6ffe, 2) + m.hex(0x5000, 2), 'b1b2b3b4', source);
  }
  assert.equal(run('clc 0(4,%r2),0(%r4)').cc, 2);
});

test('codewords', () => {
  const form = (parameter: number): [number, string] =>
    after(
      pairs(
        machine(`cfc ${parameter}(%r0)`).store(0x2000, '000000000001').store(0x3000, '000000000002').gr(1, 0x2000),
        0,
        0x3000,
      ),
    );
  assert.deepEqual(form(8), [1, '6fffffffffffd 3000 0 0']);
  assert.deepEqual(form(9), [2, '6000000000001 2000 0 0']);
  const m = machine('upt').store(0x2010, '0000000000000009').gr(0, 7).gr(1, 1);
  assert.deepEqual(after(pairs(m, 0, 0, 0x2000, 0x20)), [1, '0 0 2000 0']);
  assert.deepEqual([m.cpu.gr(0), m.hex(0x2010, 16)], [9n, '00000000000000070000000000000001']);
});
