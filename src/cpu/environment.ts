/** What a CPU asks of the machine around it. */

import type { ChannelSubsystem } from './channels.ts';
import { noChannels } from './channels.ts';
import { announced } from './facilities.ts';
import type { Millicode } from './isa/insn.ts';

/** What STORE SYSTEM INFORMATION tells (PoP ch. 10). Texts are Unicode. */
export interface SystemInformation {
  /** CPU identification as STORE CPU ID stores it. */
  readonly cpuId: bigint;
  readonly manufacturer: string;
  readonly type: string;
  readonly model: string;
  readonly sequence: string;
  readonly plant: string;
  /** Name and number of the logical partition. */
  readonly partition: string;
  readonly partitionNumber: number;
  /** Of the virtual machine: at most 8 characters, and in full. */
  readonly name: string;
  readonly longName: string;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** The control program that runs the virtual machine. */
  readonly controlProgram: string;
  /** 2: a logical partition; 3: a virtual machine in it. */
  readonly level: 2 | 3;
  /** How many CPUs there are now. */
  readonly cpus: () => CpuCounts;
}

export interface CpuCounts {
  readonly configured: number;
  readonly standby: number;
  /** That may still come. */
  readonly reserved: number;
}

/** The configuration topology (PoP ch. 4). */
export interface Topology {
  /** SYSIB 15.1.`nesting`; undefined where there is none. */
  describe(nesting: number): Uint8Array | undefined;
  /** Changes the polarization; false if it is that already. */
  polarize(vertical: boolean): boolean;
  /** Whether a change is to be reported; it counts as reported then. */
  takeChange(): boolean;
}

export interface Environment {
  /** STFLE bits of the facilities that this CPU announces. */
  readonly facilities: ReadonlySet<number>;
  /** Codes of functions that this CPU has not, of instructions that have several. */
  readonly withheld: { readonly plo: ReadonlySet<number>; readonly ptff: ReadonlySet<number> };
  readonly topology?: Topology;
  /** Whether there is a CPU at this address in the configuration. */
  readonly isConfigured: (cpu: number) => boolean;
  /** Another CPU has been given an order. */
  readonly ordered: () => void;
  readonly information: SystemInformation;
  readonly channels: ChannelSubsystem;
  /** DIAGNOSE by its code. */
  readonly diagnose: ReadonlyMap<number, Millicode>;
  /** SERVICE CALL for the SCCB at an absolute address; gives the condition code. */
  serviceCall(command: number, address: number): number;
  /** Something that is not implemented, by its name. */
  unimplemented(what: string): void;
}

/** A CPU with nothing around it. */
export const standalone: Environment = {
  facilities: announced,
  withheld: { plo: new Set(), ptff: new Set() },
  information: {
    cpuId: 0xff00_0000_3906_8000n,
    manufacturer: 'IBM',
    type: '3906',
    model: 'M04',
    sequence: '0000000000000001',
    plant: '02',
    partition: 'LPAR',
    partitionNumber: 1,
    name: 'LPAR',
    longName: 'lpar',
    uuid: new Uint8Array(16),
    controlProgram: 'lpar',
    level: 3,
    cpus: () => ({ configured: 1, standby: 0, reserved: 0 }),
  },
  channels: noChannels,
  isConfigured: () => true,
  ordered: () => {},
  // The end of a time slice, and that in favour of a certain CPU.
  diagnose: new Map([
    [0x44, cpu => cpu.yieldSlice()],
    [0x9c, (cpu, { r1 }) => cpu.yieldSlice(cpu.gr32(r1!))],
  ]),
  serviceCall: () => 3,
  unimplemented: () => {},
};
