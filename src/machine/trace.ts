/** What a CPU does, in words for the log: the items int, in_asm, exec and cpu. */

import type { Cpu } from '../cpu/cpu.ts';
import { Disassembler } from '../cpu/isa/disassemble.ts';
import { instructionLength } from '../cpu/isa/formats.ts';
import { registerText } from '../cpu/register-text.ts';
import type { LogItem } from './control.ts';

/** Kinds of interruption by the real address of the old PSW, and where and how long the code is. */
const kinds: Readonly<Record<number, readonly [string, number?]>> = {
  288: ['restart'],
  304: ['external', 0x86],
  320: ['supervisor call', 0x8a],
  336: ['program', 0x8e],
  352: ['machine check'],
  368: ['I/O', 0xba],
};

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Text is passed on in pieces of about this size. */
const PIECE = 32768;

export class Tracer {
  readonly #cpu: Cpu;
  readonly #write: (item: LogItem, text: string) => void;
  /** Addresses of instructions that in_asm has shown. */
  readonly #seen = new Set<bigint>();
  #disassembler: Disassembler | undefined;
  #text = '';
  #item: LogItem = 'int';

  constructor(cpu: Cpu, write: (item: LogItem, text: string) => void) {
    this.#cpu = cpu;
    this.#write = write;
  }

  /** Watches what the log wants from now on. */
  watch(items: readonly LogItem[]): void {
    const cpu = this.#cpu;
    const wants = (...names: LogItem[]) => names.some(name => items.includes(name));
    cpu.interruptions.onInterruption = wants('int') ? oldPsw => this.#interruption(oldPsw) : undefined;
    if (!wants('in_asm', 'exec', 'cpu')) {
      cpu.onInstruction = undefined;
      return;
    }
    cpu.onInstruction = () => {
      const address = cpu.pswAddress;
      if (wants('cpu')) this.#add('cpu', registerText(cpu, wants('fpu')));
      if (wants('exec') || (wants('in_asm') && !this.#seen.has(address))) {
        this.#seen.add(address);
        this.#add(wants('exec') ? 'exec' : 'in_asm', this.#instruction(address));
      }
    };
  }

  /** Passes on what is held back. */
  flush(): void {
    if (this.#text !== '') this.#write(this.#item, this.#text);
    this.#text = '';
  }

  #add(item: LogItem, text: string): void {
    this.#item = item;
    this.#text += text;
    if (this.#text.length > PIECE) this.flush();
  }

  #interruption(oldPsw: number): void {
    const cpu = this.#cpu;
    const [kind, at] = kinds[oldPsw]!;
    const code = at === undefined ? '' : ` ${hex(cpu.storage.read16(cpu.prefix + at), 4)}`;
    const psw = `${hex(cpu.pswMaskWithCc, 16)} ${hex(cpu.pswAddress, 16)}`;
    this.#add('int', `CPU ${cpu.number}: ${kind} interruption${code} old PSW ${psw}\n`);
    // The CPU may sleep now.
    this.flush();
  }

  #instruction(address: bigint): string {
    const cpu = this.#cpu;
    const bytes: number[] = [];
    for (let n = 0; n < (n === 0 ? 1 : instructionLength(bytes[0]!)); n++) {
      const absolute = cpu.dat.quietly(address + BigInt(n));
      if (absolute === undefined) break;
      bytes.push(cpu.storage.read8(absolute));
    }
    this.#disassembler ??= new Disassembler(cpu.rows);
    const text = bytes.length > 0 ? this.#disassembler.line(Uint8Array.from(bytes), address) : 'not there';
    return `CPU ${cpu.number}: 0x${hex(address, 8)}  ${text.replace('\t', ' ')}\n`;
  }
}
