/** Runs a litmus program in a machine with as many CPUs as it has parts. */

import { configure } from '../../src/cli/configuration.ts';
import { parseOptions } from '../../src/cli/options.ts';
import { Assembler } from '../../src/cpu/isa/assemble.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import { createMachine } from '../../src/machine/machine.ts';
import { nodeThreads } from '../../src/platform/node/threads.ts';
import { BARRIER, type Litmus, OUT } from './programs.ts';

const ENTRY = 0x10000;
const RESTART_NEW_PSW = 0x1a0;
/** Offsets behind %r13, after those of the programs. */
const [COUNT, FINISHED, VIOLATIONS] = [0x800, 0x900, 0xa00];

function source(program: Litmus, rounds: number): string {
  const count = program.cpus.length;
  let barriers = 0;
  // %r11 is what the barrier's counter must reach.
  const barrier = (): string => {
    const n = barriers++;
    // The more CPUs there are, the less can they all run on the host at once.
    const wait = count > 2 ? 'diag %r0,%r0,68' : '';
    return `lghi %r1,1
      laag %r0,%r1,${BARRIER}(%r13)
      aghi %r11,${count}
      wait${n}: clg %r11,${BARRIER}(%r13)
      jnh go${n}
      ${wait}
      j wait${n}
      go${n}:`;
  };
  const parts = program.cpus.map((part, cpu) => {
    const begin = program.together ? barrier() : '';
    const body = part.split('\n').map(line => (line.trim() === 'barrier' ? barrier() : line));
    return `cpu${cpu}:\n${program.before ?? ''}\nround${cpu}: ${begin}\n${body.join('\n')}
      aghi %r12,1
      brctg %r10,round${cpu}
      stg %r9,${VIOLATIONS + 8 * cpu}(%r13)
      j finished`;
  });
  return `
    j begin
    # Here the command line is put.
    .balign 4096
  begin: larl %r13,data
    lghi %r15,0
    lghi %r2,1
  start: cghi %r2,${count}
    jnl all
    sigp %r0,%r2,6
    jh start
    aghi %r2,1
    j start
  restarted: larl %r13,data
    lghi %r1,1
    laa %r15,%r1,${COUNT}(%r13)
    ahi %r15,1
  all: lghi %r1,1
    laag %r2,%r1,${BARRIER}(%r13)
  ready: lg %r2,${BARRIER}(%r13)
    cghi %r2,${count}
    jl ready
    lghi %r11,${count}
    lghi %r9,0
    lghi %r12,1
    lgfi %r10,${rounds}
    sllg %r15,%r15,3
    larl %r1,table
    lg %r1,0(%r15,%r1)
    br %r1
  finished: lghi %r1,1
    laa %r2,%r1,${FINISHED}(%r13)
    larl %r1,done
    lpswe 0(%r1)
  ${parts.join('\n')}
  .balign 256
  done: .quad 0x0002000180000000,0xfff
  table: .quad ${program.cpus.map((_, n) => `cpu${n}`).join(',')}
  .balign 16
  list: .skip 64
  .balign 4096
  data: .skip 16384
  `;
}

/**
 * What went wrong, or undefined.
 * @param weaklyOrdered what the machine is to believe of the host's order of storage accesses
 */
export async function runLitmus(
  program: Litmus,
  rounds: number,
  weaklyOrdered = nodeThreads.weaklyOrdered,
): Promise<string | undefined> {
  const assembled = new Assembler(instructions).assemble(
    source(program, Math.ceil(rounds / (program.each ?? 1))),
    ENTRY,
  );
  const image = new Uint8Array(ENTRY + assembled.bytes.length);
  image.set(assembled.bytes, ENTRY);
  const view = new DataView(image.buffer);
  view.setBigUint64(RESTART_NEW_PSW, 0x0000_0001_8000_0000n);
  view.setBigUint64(RESTART_NEW_PSW + 8, assembled.symbols.get('restarted')!);
  const options = ['-smp', `${program.cpus.length}`, '-nodefaults', '-action', 'shutdown=pause,panic=pause'];
  const { initrd: _, append: __, ...configuration } = configure(parseOptions(options));
  const log = { has: () => false, write: () => {} };
  const machine = await createMachine(
    { ...configuration, kernel: image, consoles: [], log },
    { ...nodeThreads, weaklyOrdered },
  );
  const ended = new Promise<string | undefined>(resolve => {
    machine.on('shutdown', () => resolve(undefined));
    machine.on('guest-panicked', ({ reason, pswAddress }) => resolve(`${reason} at ${pswAddress.toString(16)}`));
    machine.on('internal-error', ({ error }) => resolve(String(error)));
  });
  try {
    machine.cont();
    const trouble = await ended;
    if (trouble) return trouble;
    const data = Number(assembled.symbols.get('data'));
    const word = (offset: number): bigint => machine.storage.read64(data + offset);
    const violations = program.cpus.map((_, cpu) => word(VIOLATIONS + 8 * cpu));
    if (violations.some(n => n !== 0n)) return `${violations.join(' and ')} violations in ${rounds} rounds`;
    const out = program.cpus.map((_, cpu) => word(OUT + 8 * cpu));
    return program.check?.({ out, rounds, word });
  } finally {
    await machine.quit();
  }
}
