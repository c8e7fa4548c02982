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
  /** Of the logical partition. */
  readonly partition: string;
  /** Of the virtual machine: at most 8 characters, and in full. */
  readonly name: string;
  readonly longName: string;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** The control program that runs the virtual machine. */
  readonly controlProgram: string;
  /** CPU addresses in the configuration, and how many of them are configured. */
  readonly cpus: number;
}

export interface SignalAnswer {
  readonly cc: number;
  /** Status word, with condition code 1. */
  readonly status?: number;
}

export interface Environment {
  /** STFLE bits of the facilities that this CPU announces. */
  readonly facilities: ReadonlySet<number>;
  readonly information: SystemInformation;
  readonly channels: ChannelSubsystem;
  /** DIAGNOSE by its code. */
  readonly diagnose: ReadonlyMap<number, Millicode>;
  /** SERVICE CALL for the SCCB at an absolute address; gives the condition code. */
  serviceCall(command: number, address: number): number;
  /** SIGNAL PROCESSOR to another CPU. */
  signalProcessor(order: number, cpu: number, parameter: bigint): SignalAnswer;
  /** Something that is not implemented, by its name. */
  unimplemented(what: string): void;
}

/** A CPU with nothing around it. */
export const standalone: Environment = {
  facilities: announced,
  information: {
    cpuId: 0xff00_0000_3906_8000n,
    manufacturer: 'IBM',
    type: '3906',
    model: 'M04',
    sequence: '0000000000000001',
    plant: '02',
    partition: 'LPAR',
    name: 'LPAR',
    longName: 'lpar',
    uuid: new Uint8Array(16),
    controlProgram: 'lpar',
    cpus: 1,
  },
  channels: noChannels,
  // Time slices are the host's: to give one up is to go on.
  diagnose: new Map([
    [0x44, () => undefined],
    [0x9c, () => undefined],
  ]),
  serviceCall: () => 3,
  signalProcessor: () => ({ cc: 3 }),
  unimplemented: () => {},
};
