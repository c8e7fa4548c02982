import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler, AssemblyError } from './assemble.ts';
import { Disassembler, operandsIn } from './disassemble.ts';
import { encode } from './encode.ts';
import * as formats from './formats.ts';
import { instructions } from './index.ts';
import { type Instruction, insn } from './insn.ts';

/** Rows of many formats, with no meaning. */
const rows: readonly Instruction[] = (
  [
    ['BCR', 0x07, formats.RR_m],
    ['BC', 0x47, formats.RX_b],
    ['BRC', 0xa74, formats.RI_c],
    ['BRASL', 0xc05, formats.RIL_b],
    ['CGIJ', 0xec7c, formats.RIE_c],
    ['EAR', 0xb24f, formats.RRE_ra],
    ['IPTE', 0xb221, formats.RRF_a],
    ['LAM', 0x9a, formats.RS_aa],
    ['LCTLG', 0xeb2f, formats.RSY_cc],
    ['LDEB', 0xed04, formats.RXE],
    ['LG', 0xe304, formats.RXY_a],
    ['LGHI', 0xa79, formats.RI_a],
    ['LOCR', 0xb9f2, formats.RRF_c],
    ['MVC', 0xd2, formats.SS_a],
    ['MVCK', 0xd9, formats.SS_d],
    ['NILF', 0xc0b, formats.RIL_u],
    ['PACK', 0xf2, formats.SS_b],
    ['RISBG', 0xec55, formats.RIE_f],
    ['CU12', 0xb2a7, formats.RRF_c],
    ['SLL', 0x89, formats.RS_2],
  ] as const
).map(([mnemonic, opcode, format]) => insn(mnemonic, opcode, format, 'z', () => {}));

const assembler = new Assembler(rows);
const disassembler = new Disassembler(rows);
const hex = (source: string, origin = 0): string =>
  [...assembler.assemble(source, origin).bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');

test('operands are written as the manual writes them', () => {
  assert.equal(hex('lg %r4,8(%r3)'), 'e34030080004');
  assert.equal(hex('LG 4,8(0,3)'), 'e34030080004');
  assert.equal(hex('lg %r4,-8(%r5,%r3)'), 'e3453ff8ff04');
  assert.equal(hex('lg 4,8'), 'e34000080004');
  assert.equal(hex('lg 4,(2+3)*8(3)'), 'e34030280004');
  assert.equal(hex('mvc 0(8,%r1),0(%r2)'), 'd20710002000');
  assert.equal(hex('mvc 5(256),0(2)'), 'd2ff00052000');
  assert.equal(hex('mvck 1(%r2,%r3),4(%r5),%r6'), 'd92630015004');
  assert.equal(hex('pack 1(2,%r3),4(16,%r6)'), 'f21f30016004');
  assert.equal(hex('lam %a1,%a2,3(%r4)'), '9a124003');
  assert.equal(hex('lctlg %c1,%c15,-1(%r4)'), 'eb1f4fffff2f');
  assert.equal(hex('ear %r1,%a2'), 'b24f0012');
  assert.equal(hex('ldeb %f1,2(%r3)'), 'ed1030020004');
  assert.equal(hex("nilf 1,X'ffff0000'"), 'c01bffff0000');
  assert.equal(hex('lghi 1,-1'), 'a719ffff');
  assert.equal(hex('ipte 1,2; ipte 1,2,3; ipte 1,2,3,1'), 'b2210012b2213012b2213112');
});

test('extended mnemonics imply their mask', () => {
  assert.equal(hex('br %r14; nopr; nopr 3; ber 1; bcr 15,0'), '07fe0700070307 8107f0'.replace(' ', ''));
  assert.equal(hex('b 4(3); bne 4(3); nop 0'), '47f03004477030044700 0000'.replace(' ', ''));
  assert.equal(hex('je .+8; j .; jnop .-2'), 'a7840004a7f40000a704ffff');
  assert.equal(hex('cgijne 1,-5,.'), 'ec160000fb7c');
  assert.equal(hex('locrnle 1,2'), 'b9f23012');
  assert.equal(hex('risbgz 1,2,3,4,5; risbg 1,2,3,132,5'), 'ec1203840555'.repeat(2));
  assert.equal(hex('cutfu 2,4; cu12 2,4,1'), 'b2a70024b2a71024');
});

test('labels, data and places', () => {
  const program = assembler.assemble(
    `start:  brasl %r14,sub      # a call
     1:      j 1f
             j 1b
     1:      j start
             .balign 8
     size =  end - data
     data:   .quad -1, size
             .byte 1,'A'; .short 0x1234
             .ascii "Z#;"
             .org 0x1040
     sub:    br %r14
     end:`,
    0x1000,
  );
  assert.equal(program.symbols.get('sub'), 0x1040n);
  assert.equal(program.symbols.get('size'), 0x2an);
  const { bytes } = program;
  assert.equal(Buffer.from(bytes.subarray(0, 0x12)).toString('hex'), 'c0e500000020a7f40004a7f4fffea7f4fff9');
  assert.equal(
    Buffer.from(bytes.subarray(0x18, 0x2f)).toString('hex'),
    'ffffffffffffffff000000000000002a014112345a233b',
  );
  assert.equal(Buffer.from(bytes.subarray(0x40)).toString('hex'), '07fe');
});

test('errors name the line', () => {
  const message = (source: string): string => {
    try {
      assembler.assemble(source);
    } catch (error) {
      assert.ok(error instanceof AssemblyError);
      return error.message;
    }
    return 'no error';
  };
  assert.equal(message('\nfoo 1,2'), 'line 2: unknown instruction FOO');
  assert.equal(message('lg 1'), 'line 1: LG has the operands r1,d2(x2,b2)');
  assert.equal(message('lg 16,0'), 'line 1: 16: 16 is not in 0 to 15');
  assert.equal(message('lg %f1,0'), 'line 1: %f1 is not a register of kind r');
  assert.equal(message('sll 1,4096(2)'), 'line 1: 4096(2): 4096 is not in 0 to 4095');
  assert.equal(message('lghi 1,32768'), 'line 1: 32768: 32768 is not in -32768 to 32767');
  assert.equal(message('j there'), 'line 1: there is not defined');
  assert.equal(message('j .+3'), 'line 1: .+3 is at an odd distance');
  assert.equal(message('a: j a\na: j a'), 'line 2: a is defined twice');
  assert.equal(message('mvc 0(1),'), 'line 1: cannot understand a missing operand');
  assert.equal(message('lg 1,0(2'), 'line 1: cannot understand 0(2');
});

test('the disassembler writes what objdump writes', () => {
  const line = (...bytes: number[]): string => disassembler.line(Uint8Array.from(bytes), 0x1000n).replace('\t', ' ');
  assert.equal(line(0xe3, 0x43, 0x50, 0x08, 0xff, 0x04), 'lg %r4,-4088(%r3,%r5)');
  assert.equal(line(0xe3, 0x40, 0x00, 0x08, 0x00, 0x04), 'lg %r4,8');
  assert.equal(line(0xe3, 0x43, 0x00, 0x08, 0x00, 0x04), 'lg %r4,8(%r3,%r0)');
  assert.equal(line(0xd2, 0x07, 0x10, 0x00, 0x00, 0x05), 'mvc 0(8,%r1),5');
  assert.equal(line(0xd2, 0x00, 0x00, 0x00, 0x00, 0x05), 'mvc 0(1,%r0),5');
  assert.equal(line(0x07, 0xfe), 'br %r14');
  assert.equal(line(0xa7, 0xf4, 0xff, 0xff), 'j 0xffe');
  assert.equal(line(0xec, 0x16, 0, 2, 0xfb, 0x7c), 'cgijne %r1,-5,0x1004');
  assert.equal(line(0xec, 0x11, 0, 2, 0xfb, 0x7c), 'cgij %r1,-5,1,0x1004');
  assert.equal(line(0xb2, 0x21, 0, 0x12), 'ipte %r1,%r2');
  assert.equal(line(0, 0), '.short 0x0000');
  assert.equal(line(0xb9, 0xff, 0, 3), '.long 0xb9ff0003');
  assert.equal(line(0xe3, 0, 0, 0, 0, 0xff), '.short 0xe300,0x0000,0x00ff');
  assert.equal(line(0xe3, 0), '.short 0xe300');
});

test('every instruction survives disassembly and assembly', () => {
  const all = new Assembler(instructions);
  const back = new Disassembler(instructions);
  let state = 1;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  for (const row of instructions) {
    for (let n = 0; n < 20; n++) {
      const operands = Object.fromEntries(
        operandsIn(row.format.syntax)
          .flatMap(operand => operand.match(/[a-z]+\d/g)!)
          .map(name => [name, n < 4 ? n >> 1 : random() >> 8]),
      );
      const bytes = encode(row, operands);
      const line = back.line(bytes, 0x10000000n);
      const again = all.assemble(line, 0x10000000).bytes;
      assert.deepEqual(again, bytes, `${row.mnemonic}: ${line}`);
    }
  }
});
