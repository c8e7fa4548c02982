import type { Cpu } from './cpu.ts';
import type { AccessFault } from './dat.ts';
import type { ProgramInterruption } from './program.ts';
export class Interruptions {
  readonly cpu: Cpu;
  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }
  program(fault: AccessFault | ProgramInterruption): void {
    throw new Error(`program interruption ${fault.code}`);
  }
}
