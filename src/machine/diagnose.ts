/**
 * DIAGNOSE functions that concern the machine: X'308', reset and load. General registers by the R fields: R1 an even
 * register with an address, the odd one after it the return code, R3 the subcode.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { LEAVE, type Millicode, type Operands } from '../cpu/isa/insn.ts';
import { ADDRESSING, ProgramInterruption, SPECIFICATION } from '../cpu/program.ts';
import type { Storage } from './storage.ts';

/**
 * What the machine is to do when the CPU has stopped. `modified-clear` and `load-normal` reset and then load the PSW
 * at absolute address 0; `load` loads the system anew from where it came.
 */
export type ResetRequest = 'modified-clear' | 'load-normal' | 'load';

const requests: Readonly<Record<number, ResetRequest>> = {
  0: 'modified-clear',
  1: 'load-normal',
  3: 'load',
  4: 'load',
};
const SET = 5;
const STORE = 6;

const DONE = 0x0001;
const NO_CONFIGURATION = 0x0102;
const INVALID_BLOCK = 0x0402;

/** Lengths that an IPL parameter block may have: a header of 8 bytes at least, a page at most. */
const SHORTEST_BLOCK = 8;
const LONGEST_BLOCK = 4096;

/** The IPL parameter block that the guest has set. One per machine. */
export class LoadParameters {
  #block: Uint8Array | undefined;

  /** @param request stops the CPU and passes the request on */
  diagnose308(request: (cpu: Cpu, what: ResetRequest) => void): Millicode {
    return (cpu: Cpu, { r1, r3 }: Operands) => {
      const subcode = cpu.gr(r3!);
      if (subcode > 0xffffn) throw new ProgramInterruption(SPECIFICATION);
      const what = requests[Number(subcode)];
      if (what) {
        cpu.advance();
        request(cpu, what);
        return LEAVE;
      }
      if (subcode !== BigInt(SET) && subcode !== BigInt(STORE)) throw new ProgramInterruption(SPECIFICATION);
      const address = cpu.gr(r1!);
      if (r1! & 1 || address & 0xfffn) throw new ProgramInterruption(SPECIFICATION);
      if (address + BigInt(LONGEST_BLOCK) > BigInt(cpu.storage.size)) throw new ProgramInterruption(ADDRESSING);
      const code =
        subcode === BigInt(SET) ? this.#set(cpu.storage, Number(address)) : this.#store(cpu.storage, Number(address));
      cpu.setGr(r1! + 1, BigInt(code));
      return undefined;
    };
  }

  #set(storage: Storage, address: number): number {
    const length = storage.read32(address);
    if (length < SHORTEST_BLOCK || length > LONGEST_BLOCK) return INVALID_BLOCK;
    this.#block = storage.read(address, length);
    return DONE;
  }

  #store(storage: Storage, address: number): number {
    if (!this.#block) return NO_CONFIGURATION;
    storage.write(address, this.#block);
    return DONE;
  }
}
