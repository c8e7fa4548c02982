/**
 * The service-call logical processor: commands that SERVICE CALL hands over with a control block. It works on a
 * private copy of the block, so that a guest that changes the block meanwhile fools nobody, and answers with a
 * service-signal external interruption.
 */

import { ebcdicText } from '../../ebcdic.ts';
import type { Storage } from '../../machine/storage.ts';
import { EventFacility } from './event-facility.ts';
import { HEADER_LENGTH, Response, Sccb } from './sccb.ts';

/** What READ SCP INFO and READ CPU INFO tell of the machine. */
export interface MachineFacts {
  readonly storageSize: number;
  readonly cpus: number;
  readonly maximumCpus: number;
  readonly loadParameter: string;
  /** Bytes of the response that announce CPU features: [offset, bits to set]. */
  readonly featureBytes: readonly (readonly [offset: number, bits: number])[];
  /** CPU features per CPU entry, six bytes. */
  readonly cpuFeatures?: readonly number[];
}

/** Commands, with the byte that may carry an operand left out. */
const Command = {
  readCpuInfo: 0x00010001,
  readScpInfo: 0x00020001,
  readScpInfoForced: 0x00120001,
  writeEventData: 0x00760005,
  readEventData: 0x00770005,
  writeEventMask: 0x00780005,
} as const;
const COMMAND_MASK = 0xffff00ff;

const CPU_ENTRY = 16;
/** CPU information can be read. */
const HAS_CPU_INFO = 0x0800_0000_0000_0000n;
const SCP_INFO_ENTRIES = 144;
const CPU_INFO_ENTRIES = 24;

export class Sclp {
  readonly events = new EventFacility();
  readonly #storage: Storage;
  readonly #facts: MachineFacts;
  readonly #signal: (parameter: number) => void;
  readonly #unimplemented: (what: string) => void;

  /**
   * @param signal raises the service signal with its parameter
   * @param unimplemented is told of commands that are not there
   */
  constructor(
    storage: Storage,
    facts: MachineFacts,
    signal: (parameter: number) => void,
    unimplemented: (what: string) => void,
  ) {
    this.#storage = storage;
    this.#facts = facts;
    this.#signal = signal;
    this.#unimplemented = unimplemented;
  }

  reset(): void {
    this.events.reset();
  }

  /** Tells the guest that an event waits, if it wants to know. */
  attention(): void {
    if (this.events.pending) this.#signal(1);
  }

  /** Carries out a command. The caller has checked the address, and the length that was there a moment ago. */
  serviceCall(command: number, address: number): void {
    const length = Math.min(Math.max(this.#storage.read16(address), HEADER_LENGTH), this.#storage.size - address);
    const sccb = new Sccb(this.#storage.read(address, length));
    sccb.response = this.#execute(command, sccb, address);
    this.#storage.write(
      address,
      sccb.bytes.subarray(0, Math.max(Math.min(sccb.length, this.#storage.size - address), length)),
    );
    this.#signal((address & ~7) | (this.events.pending ? 1 : 0));
  }

  #execute(command: number, sccb: Sccb, address: number): number {
    // Only READ CPU INFO and READ SCP INFO with an extended length may cross a page.
    if ((address & 0xfff) + sccb.length > 4096) return Response.boundaryViolation;
    switch ((command & COMMAND_MASK) >>> 0) {
      case Command.readScpInfo:
      case Command.readScpInfoForced:
        return this.#readScpInfo(sccb);
      case Command.readCpuInfo:
        return this.#readCpuInfo(sccb);
      case Command.writeEventMask:
        return this.events.writeEventMask(sccb);
      case Command.writeEventData:
        return this.events.writeEventData(sccb);
      case Command.readEventData:
        return this.events.readEventData(sccb);
      default:
        this.#unimplemented(`SCLP command X'${(command >>> 0).toString(16).padStart(8, '0').toUpperCase()}'`);
        return Response.invalidCommand;
    }
  }

  #readScpInfo(sccb: Sccb): number {
    const { storageSize, cpus, maximumCpus, loadParameter, featureBytes } = this.#facts;
    if (sccb.length < SCP_INFO_ENTRIES + cpus * CPU_ENTRY) return Response.insufficientLength;
    const { bytes, view } = sccb;
    bytes.fill(0, HEADER_LENGTH, sccb.length);
    // Storage is counted in increments, of which there may be no more than 65535.
    let increment = 1;
    while (storageSize / 0x100000 / increment > 65535) increment *= 2;
    view.setUint16(8, storageSize / 0x100000 / increment);
    bytes[10] = increment;
    view.setUint16(16, cpus);
    view.setUint16(18, SCP_INFO_ENTRIES);
    bytes.set(ebcdicText(loadParameter, 8), 24);
    view.setBigUint64(48, HAS_CPU_INFO);
    // The highest CPU address that there can be.
    view.setUint16(120, maximumCpus - 1);
    for (const [offset, bits] of featureBytes) bytes[offset]! |= bits;
    this.#cpuEntries(sccb, SCP_INFO_ENTRIES);
    return Response.normalRead;
  }

  #readCpuInfo(sccb: Sccb): number {
    const { cpus } = this.#facts;
    if (sccb.length < CPU_INFO_ENTRIES + cpus * CPU_ENTRY) return Response.insufficientLength;
    const { bytes, view } = sccb;
    bytes.fill(0, HEADER_LENGTH, sccb.length);
    view.setUint16(8, cpus);
    view.setUint16(10, CPU_INFO_ENTRIES);
    view.setUint16(14, CPU_INFO_ENTRIES + cpus * CPU_ENTRY);
    this.#cpuEntries(sccb, CPU_INFO_ENTRIES);
    return Response.normalRead;
  }

  #cpuEntries(sccb: Sccb, at: number): void {
    for (let n = 0; n < this.#facts.cpus; n++) {
      const entry = at + n * CPU_ENTRY;
      sccb.bytes[entry] = n;
      sccb.bytes.set(this.#facts.cpuFeatures ?? [], entry + 2);
    }
  }
}
