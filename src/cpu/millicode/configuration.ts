/** What a CPU asks of its configuration: its topology (PoP ch. 10), and who runs it. */

import { ebcdicText } from '../../ebcdic.ts';
import type { Cpu } from '../cpu.ts';
import type { SystemInformation } from '../environment.ts';
import type { Operands } from '../isa/insn.ts';
import { specify } from './operands.ts';

const VERTICAL = 1n;
const CHECK = 2n;
/** In bits 48-55 of the operand: the polarization is what is asked for already. */
const ALREADY = 0x100n;

/** PERFORM TOPOLOGY FUNCTION: R1 bits 56-63 the function. */
export function performTopologyFunction(cpu: Cpu, { r1 }: Operands): void {
  const request = cpu.gr(r1!);
  const { topology } = cpu.environment;
  specify(request <= CHECK);
  if (request === CHECK) {
    cpu.cc = topology?.takeChange() ? 1 : 0;
    return;
  }
  const changed = topology?.polarize(request === VERTICAL);
  if (!changed) cpu.setGr(r1!, request | ALREADY);
  cpu.cc = changed ? 0 : 2;
}

// STORE HYPERVISOR INFORMATION

const HEADER = 48;
const MACHINE = 64;
const PARTITION = 56;
const UNSUPPORTED = 4n;

/** The response of function 0: capacity of the machine, and of the partition in which the hypervisor runs. */
function capacity(information: SystemInformation): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  const { configured } = information.cpus();
  const halves = (at: number, ...values: number[]): void => {
    for (const [n, value] of values.entries()) view.setUint16(at + 2 * n, value);
  };
  const text = (at: number, value: string, length: number): void => bytes.set(ebcdicText(value, length), at);
  // Header: total length, then lengths and offsets of the sections.
  halves(8, HEADER + MACHINE + PARTITION, HEADER, HEADER, MACHINE, HEADER + MACHINE, PARTITION);
  // Machine: counts and identification are valid; CPUs shared and dedicated, IFLs shared and dedicated.
  bytes[HEADER + 2] = 0xc0;
  halves(HEADER + 4, 0, configured, 0, 0);
  text(HEADER + 20, information.type, 4);
  text(HEADER + 24, information.manufacturer, 16);
  text(HEADER + 40, information.sequence, 16);
  text(HEADER + 56, information.plant, 4);
  // Partition: counts and identification are valid; its number, the same counts, its name.
  const partition = HEADER + MACHINE;
  bytes[partition + 2] = 0x90;
  halves(partition + 4, information.partitionNumber, 0, configured, 0, 0);
  text(partition + 16, information.partition, 8);
  return bytes;
}

/** STORE HYPERVISOR INFORMATION: R1 the function code, R2 the address of a page, R2 + 1 takes the return code. */
export function storeHypervisorInformation(cpu: Cpu, { r1, r2 }: Operands): void {
  specify(((r1! | r2!) & 1) === 0 && r1 !== r2);
  if (cpu.gr(r1!) & 0xffffn) {
    cpu.setGr(r2! + 1, UNSUPPORTED);
    cpu.cc = 3;
    return;
  }
  const address = cpu.gr(r2!) & cpu.addressMask;
  specify((address & 0xfffn) === 0n);
  cpu.access.writeBytes(address, capacity(cpu.environment.information), r2!);
  cpu.setGr(r2! + 1, 0n);
  cpu.cc = 0;
}
