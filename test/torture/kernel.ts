/**
 * The test kernel, which takes one case after another from storage: it renews data and code, loads all registers, runs
 * the case until an interruption ends it, and notes registers, lowcore and data as the result.
 */

import { Assembler, type Program } from '../../src/cpu/isa/assemble.ts';
import * as f from '../../src/cpu/isa/formats.ts';
import { type Instruction, insn } from '../../src/cpu/isa/insn.ts';
import * as layout from './layout.ts';
import { CASE, ENDED, RESULT } from './layout.ts';

/** What the kernel is written with. */
const rows: readonly Instruction[] = (
  [
    ['AGHI', 0xa7b, f.RI_a],
    ['AGFI', 0xc28, f.RIL_a],
    ['BRC', 0xa74, f.RI_c],
    ['BRCTG', 0xa77, f.RI_b],
    ['CLG', 0xe321, f.RXY_a],
    ['LA', 0x41, f.RX_a],
    ['LAM', 0x9a, f.RS_aa],
    ['LARL', 0xc00, f.RIL_b],
    ['LCTLG', 0xeb2f, f.RSY_cc],
    ['LD', 0x68, f.RX_f],
    ['LHI', 0xa78, f.RI_a],
    ['LFPC', 0xb29d, f.S],
    ['LG', 0xe304, f.RXY_a],
    ['LGHI', 0xa79, f.RI_a],
    ['LLILF', 0xc0f, f.RIL_u],
    ['LMG', 0xeb04, f.RSY_a],
    ['LPSWE', 0xb2b2, f.S],
    ['MVC', 0xd2, f.SS_a],
    ['PTLB', 0xb20d, f.S_0],
    ['SAM64', 0x010e, f.E],
    ['SIGP', 0xae, f.RS_a],
    ['SSKE', 0xb22b, f.RRE],
    ['STAM', 0x9b, f.RS_aa],
    ['STCTG', 0xeb25, f.RSY_cc],
    ['STD', 0x60, f.RX_f],
    ['STFPC', 0xb29c, f.S],
    ['STG', 0xe324, f.RXY_a],
    ['STMG', 0xeb24, f.RSY_a],
    ['VLM', 0xe736, f.VRS_a],
    ['VSTM', 0xe73e, f.VRS_a],
    ['XC', 0xd7, f.SS_a],
  ] as const
).map(([mnemonic, opcode, format]) => insn(mnemonic, opcode, format, 'z', () => {}));

const each = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n)).join('\n');

/** New PSWs by kind of ending. */
const NEW_PSW: Readonly<Record<keyof typeof ENDED, number>> = {
  external: 0x1b0,
  supervisorCall: 0x1c0,
  program: 0x1d0,
  machineCheck: 0x1e0,
  io: 0x1f0,
};

const kinds = Object.keys(ENDED) as (keyof typeof ENDED)[];

const source = `
        .org 0
        .long 0x00080000, 0x80000000+start
        # Some machines begin by a restart, or by two.
        .org 0x1a0; .quad ${layout.KERNEL_MASK}, start
${kinds.map(kind => `.org ${NEW_PSW[kind]}; .quad ${layout.KERNEL_MASK}, ${kind}`).join('\n')}
        .org ${layout.KERNEL}
        # Where the machine begins in ESA/390, SET ARCHITECTURE makes it z/Architecture.
start:  lhi %r1,1; lhi %r2,0; sigp %r0,%r2,0x12
        sam64
        larl %r1,control; lctlg %c0,%c15,0(%r1)
next:   larl %r13,cursor
        lg %r12,0(%r13)
        clg %r12,last-cursor(%r13)
        jhe done
        xc 0x80(256),0x80
        mvc 0x360(16),${CASE.psw}(%r12)
        mvc 0x380(128),${CASE.gr}(%r12)
        lg %r2,${CASE.pool}(%r12)
        llilf %r3,${layout.DATA}
        lghi %r4,${layout.DATA_SIZE / 256}
1:      mvc 0(256,%r3),0(%r2)
        la %r3,256(%r3); la %r2,256(%r2)
        brctg %r4,1b
        llilf %r3,${layout.WINDOW}
        la %r2,${CASE.code}(%r12)
        # QEMU 7.2 forgets old code behind the first byte of what MVC stores.
        lghi %r4,${layout.WINDOW_SIZE / 8}
1:      lg %r0,0(%r2); stg %r0,0(%r3)
        la %r3,8(%r3); la %r2,8(%r2)
        brctg %r4,1b
        lg %r0,keys-cursor(%r13)
        clg %r0,zero-cursor(%r13)
        je 1f
        ${layout.KEYS.map((key, n) => `lghi %r1,${key}; llilf %r2,${layout.DATA + 4096 * n}; sske %r1,%r2`).join('\n')}
1:      lfpc ${CASE.fpc}(%r12)
        ${each(16, n => `ld %f${n},${CASE.fpr + 8 * n}(%r12)`)}
        lg %r0,vectors-cursor(%r13)
        clg %r0,zero-cursor(%r13)
        je 1f
        vlm %v0,%v15,${CASE.vr}(%r12)
        vlm %v16,%v31,${CASE.vr + 0x100}(%r12)
1:      lam %a0,%a15,${CASE.ar}(%r12)
        ptlb
        lctlg %c0,%c15,${CASE.cr}(%r12)
        lmg %r0,%r15,0x380
enter:  lpswe 0x360

${kinds.map(kind => `${kind}: stmg %r0,%r15,0x1280; lghi %r0,${ENDED[kind]}; j save`).join('\n')}
save:   larl %r13,cursor
        lg %r12,result-cursor(%r13)
        stctg %c0,%c15,${RESULT.cr}(%r12)
        larl %r1,control; lctlg %c0,%c15,0(%r1)
        lghi %r2,0x1280
        mvc ${RESULT.gr}(128,%r12),0(%r2)
        ${each(16, n => `std %f${n},${RESULT.fpr + 8 * n}(%r12)`)}
        lg %r1,vectors-cursor(%r13)
        clg %r1,zero-cursor(%r13)
        je 1f
        vstm %v0,%v15,${RESULT.vr}(%r12)
        vstm %v16,%v31,${RESULT.vr + 0x100}(%r12)
1:      stam %a0,%a15,${RESULT.ar}(%r12)
        stfpc ${RESULT.fpc}(%r12)
        stg %r0,${RESULT.kind}(%r12)
        mvc ${RESULT.lowcore}(256,%r12),0x80
        mvc ${RESULT.lowcore + 256}(128,%r12),0x180
        lg %r2,dump-cursor(%r13)
        llilf %r3,${layout.DATA}
        lghi %r4,${layout.DATA_SIZE / 256}
1:      mvc 0(256,%r2),0(%r3)
        la %r3,256(%r3); la %r2,256(%r2)
        brctg %r4,1b
        stg %r2,dump-cursor(%r13)
        la %r12,${layout.RESULT_SIZE}(%r12)
        stg %r12,result-cursor(%r13)
        lg %r12,0(%r13)
        la %r12,${layout.CASE_SIZE}(%r12)
        stg %r12,0(%r13)
        j next
done:   larl %r1,wait; lpswe 0(%r1)

        .balign 256
control: .quad ${layout.KERNEL_CR0}
        .skip 120
wait:   .quad 0x0002000180000000, 0
# What changes, in a frame of its own.
        .org ${layout.KERNEL + 0x1000}
cursor: .quad ${layout.CASES}
last:   .quad 0
result: .quad ${layout.RESULTS}
dump:   .quad ${layout.DUMPS}
# Whether storage keys are to be set for each case.
keys:   .quad 0
# Whether there are vector registers.
vectors: .quad 0
zero:   .quad 0
`;

export const kernel: Program = new Assembler(rows).assemble(source);

/** Absolute addresses of the kernel's variables. */
export const VARIABLES = {
  /** Description of the case that runs, or comes next. */
  cursor: Number(kernel.symbols.get('cursor')),
  /** End of the descriptions. */
  last: Number(kernel.symbols.get('last')),
  result: Number(kernel.symbols.get('result')),
  dump: Number(kernel.symbols.get('dump')),
  keys: Number(kernel.symbols.get('keys')),
  vectors: Number(kernel.symbols.get('vectors')),
} as const;

/** Where an interruption of this kind continues. */
export const handlerAddress = (kind: keyof typeof ENDED): bigint => kernel.symbols.get(kind)!;
