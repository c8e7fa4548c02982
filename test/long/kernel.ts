/**
 * The kernel around long programs. It runs one after another, each for some rounds; keeps a running hash of registers and of
 * all interruptions; and after each round takes a page of data away or protects it. Its handlers bring pages back and go
 * on, pass over instructions that end with other exceptions, and set the timer anew.
 */
import { Assembler } from '../../src/cpu/isa/assemble.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import * as layout from './layout.ts';
import { DATA, DATA_PAGES, MAILBOX, MOST_ROUNDS, RESULTS, TABLES, VARIABLES } from './layout.ts';

export interface Settings {
  readonly seed: number;
  readonly rounds: number;
  /** Whether a second CPU stores what it is asked to. */
  readonly neighbour: boolean;
  /** Whether a timer interrupts. */
  readonly timer: boolean;
}

const PAGE_TABLES = TABLES + 0x4000;
const DATA_ENTRIES = PAGE_TABLES + 8 * (DATA >> 12);
const MULTIPLIER = 0x5851_f42d_4c95_7f2dn;

/** Variables, by name. */
const names = [
  ...['done', 'ticks', 'faults', 'skipped', 'program', 'round', 'hash', 'random', 'delay', 'entry'],
  ...['factor', 'code', 'address', 'saved'],
] as const;
const at = (name: (typeof names)[number]): number => VARIABLES + 8 * names.indexOf(name);
/** General registers 0-9 of the program between rounds, and floating-point registers. */
const REGISTERS = VARIABLES + 0x100;
const FLOATING = VARIABLES + 0x180;
export const DONE = at('done');
/** How often a timer interrupted, instructions met a page that was not there, and other exceptions. */
export const COUNTS = at('ticks');

const kernel = ({ seed, rounds, neighbour, timer }: Settings, programs: number): string => `
        .org 0; .long 0x00080000,0x80000000+start
        .org 0x1a0; .quad 0x0000000180000000,helper
        .org 0x1b0; .quad 0x0000000180000000,external
        .org 0x1c0; .quad 0x0002000180000000,0xbad2
        .quad 0x0000000180000000,exception
        .quad 0x0002000180000000,0xbad3, 0x0002000180000000,0xbad4
        .org ${layout.KERNEL}
start:  lhi %r1,1; lhi %r2,0; sigp %r0,%r2,0x12
        sam64
        larl %r1,control0; lctlg %c0,%c1,0(%r1)
        lghi %r0,0
        ${neighbour ? 'lghi %r2,1\n1: sigp %r0,%r2,6; jh 1b' : ''}
next:   lg %r1,${at('program')}; cghi %r1,${programs}; jhe done
        # Random numbers begin with the program's; so do the data and the registers.
        lgr %r2,%r1; aghi %r2,${seed % 30000}; msg %r2,${at('factor')}; aghi %r2,12345; stg %r2,${at('random')}
        llilf %r3,${DATA}; llilf %r4,${((DATA_PAGES + 1) * 4096) / 8}
1:      brasl %r14,random; stg %r2,0(%r3); la %r3,8(%r3); brctg %r4,1b
        llilf %r3,${REGISTERS}; lghi %r4,32
1:      brasl %r14,random; stg %r2,0(%r3); la %r3,8(%r3); brctg %r4,1b
        lghi %r3,0
1:      sllg %r4,%r3,3; llilf %r5,${DATA_ENTRIES}; sllg %r6,%r3,12; algfi %r6,${DATA}; stg %r6,0(%r4,%r5)
        aghi %r3,1; cghi %r3,${DATA_PAGES + 1}; jl 1b
        ptlb
        llilf %r3,${FLOATING}
        ${Array.from({ length: 16 }, (_, n) => `ld %f${n},${8 * n}(%r3)`).join('\n')}
        larl %r3,zero; lfpc 0(%r3)
        lg %r1,${at('program')}; sllg %r1,%r1,3; larl %r2,table; lg %r2,0(%r1,%r2); stg %r2,${at('entry')}
        lghi %r1,0; stg %r1,${at('round')}; stg %r1,${at('hash')}
round:  ${timer ? 'brasl %r14,arm' : ''}
        llilf %r15,${layout.STACK_END - 192}
        larl %r1,enter; lpswe 0(%r1)
inside: lg %r14,${at('entry')}
        lmg %r0,%r9,${REGISTERS}
        basr %r14,%r14
        stmg %r0,%r9,${REGISTERS}
        stnsm 0xf00,0x00
        llilf %r2,${REGISTERS}; lghi %r3,9; brasl %r14,mix
        brasl %r14,note
        # A page is taken away, or only protected.
        brasl %r14,random
        srlg %r3,%r2,60; sllg %r4,%r3,12; llilf %r5,${DATA}; algr %r4,%r5
        llilf %r6,${PAGE_TABLES}
        ipte %r6,%r4
        tmhl %r2,1; jz 1f
        sllg %r3,%r3,3; llilf %r5,${DATA_ENTRIES}; oill %r4,0x200; stg %r4,0(%r3,%r5)
1:      lg %r1,${at('round')}; aghi %r1,1; stg %r1,${at('round')}; cghi %r1,${rounds}; jl round
        llilf %r2,${DATA}; llilf %r3,${((DATA_PAGES + 1) * 4096) / 8}; brasl %r14,mix
        llilf %r3,${FLOATING}
        ${Array.from({ length: 16 }, (_, n) => `std %f${n},${8 * n}(%r3)`).join('\n')}
        lgr %r2,%r3; lghi %r3,16; brasl %r14,mix
        brasl %r14,note
        lg %r1,${at('program')}; aghi %r1,1; stg %r1,${at('program')}
        j next
done:   lghi %r1,1; stg %r1,${at('done')}
        larl %r1,wait; lpswe 0(%r1)

        # Changes %r2 alone, besides %r1.
random: lg %r2,${at('random')}; msg %r2,${at('factor')}; lgfi %r1,12345679; algr %r2,%r1; stg %r2,${at('random')}
        rllg %r2,%r2,29; br %r14
        # %r3 doublewords at %r2 into the hash; changes %r0-%r4.
mix:    lg %r0,${at('hash')}
1:      lg %r4,0(%r2); xgr %r0,%r4; rllg %r0,%r0,13; msg %r0,${at('factor')}; la %r2,8(%r2); brctg %r3,1b
        stg %r0,${at('hash')}; br %r14
        # The hash becomes the round's result.
note:   lg %r1,${at('program')}; msgfi %r1,${MOST_ROUNDS}; ag %r1,${at('round')}; sllg %r1,%r1,3
        llilf %r2,${RESULTS}; lg %r3,${at('hash')}; stg %r3,0(%r1,%r2); br %r14
        # Sets the clock comparator to some 10 to 500 microseconds from now.
arm:    lg %r1,${at('delay')}; msg %r1,${at('factor')}; aghi %r1,4321; stg %r1,${at('delay')}
        srlg %r1,%r1,43; algfi %r1,40960
        stckf 0xf08; alg %r1,0xf08; stg %r1,0xf08; sckc 0xf08; br %r14

external: stmg %r0,%r15,0x1080
        lg %r2,${at('ticks')}; aghi %r2,1; stg %r2,${at('ticks')}
        brasl %r14,arm
        lmg %r0,%r15,0x1080
        lpswe 0x130

exception: stmg %r0,%r15,0x1000
        llgh %r5,0x8e; nill %r5,0xff; llgc %r6,0x8d; lg %r7,0x158; llgc %r8,0x152; nill %r8,0x30
        # QEMU 7.2 tells the length of EXECUTE's target instead of EXECUTE's, and adds that: hence the instruction's own address.
        chi %r5,0x11; je 1f; sgr %r7,%r6
1:      sllg %r1,%r8,16; ogr %r1,%r5; stg %r1,${at('code')}; stg %r7,${at('address')}
        lghi %r2,0x1000; lghi %r3,9; brasl %r14,mix
        llilf %r2,${at('code')}; lghi %r3,2; brasl %r14,mix
        chi %r5,4; je protected
        chi %r5,0x11; je absent
        # The PSW designates the next instruction.
        lg %r1,${at('skipped')}; aghi %r1,1; stg %r1,${at('skipped')}
        j back
protected: stg %r7,0x158
absent: lg %r1,0xa8; nill %r1,0xf000; stg %r1,${at('saved')}
        lgr %r3,%r1; slgfi %r3,${DATA}; clgfi %r3,${DATA_PAGES * 4096}; jhe lost
        srlg %r3,%r3,9; llilf %r4,${DATA_ENTRIES}
        llilf %r6,${PAGE_TABLES}; chi %r5,4; jne 1f
        ipte %r6,%r1
1:      stg %r1,0(%r3,%r4)
        llilf %r2,${at('saved')}; lghi %r3,1; brasl %r14,mix
        lg %r1,${at('faults')}; aghi %r1,1; stg %r1,${at('faults')}
back:   lmg %r0,%r15,0x1000
        lpswe 0x150
lost:   larl %r1,trouble; lpswe 0(%r1)

        # The second CPU.
helper: llilf %r2,${MAILBOX}
1:      diag %r0,%r0,68; ltg %r3,16(%r2); jz 1b
        lg %r4,0(%r2); llgh %r5,8(%r2); sth %r5,0(%r4)
        bcr 15,%r0
        mvghi 16(%r2),0
        j 1b

        .balign 8
control0: .quad ${timer ? 0x40800 : 0x40000}, ${TABLES + 3}
enter:  .quad ${timer ? '0x0500000180000000' : '0x0400000180000000'}, inside
wait:   .quad 0x0202000180000000, 0
trouble: .quad 0x0202000180000000, 0xbad1
zero:   .quad 0
table:  .quad ${Array.from({ length: programs }, (_, n) => `p${n}`).join(', ')}
        .org ${at('random')}; .quad 1
        .org ${at('delay')}; .quad ${seed}
        .org ${at('factor')}; .quad 0x${MULTIPLIER.toString(16)}
        .org ${VARIABLES + 0x1000}
`;

const assembler = new Assembler(instructions);

export interface Image {
  readonly bytes: Uint8Array;
  readonly symbols: ReadonlyMap<string, bigint>;
}

/** Storage from address 0 on, for -kernel: the kernel, translation tables and the programs, given as text. */
export function imageOf(programs: readonly string[], settings: Settings): Image {
  const source = `${kernel(settings, programs.length)}
    .org ${layout.PROGRAMS}
    ${programs.join('\n.balign 4096\n')}
  `;
  const { bytes, symbols } = assembler.assemble(source);
  const view = new DataView(bytes.buffer);
  for (let segment = 0; segment < 2048; segment++) {
    const isMapped = segment < layout.MAPPED_MEGABYTES;
    view.setBigUint64(TABLES + 8 * segment, BigInt(isMapped ? PAGE_TABLES + 0x800 * segment : 0x20));
  }
  for (let page = 0; page < layout.MAPPED_MEGABYTES * 256; page++)
    view.setBigUint64(PAGE_TABLES + 8 * page, BigInt(page * 4096));
  return { bytes, symbols };
}
