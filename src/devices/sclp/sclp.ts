/**
 * The service-call logical processor: commands that SERVICE CALL hands over with a control block. It works on a
 * private copy of the block, so that a guest that changes the block meanwhile fools nobody, and answers with a
 * service-signal external interruption.
 */

import { ebcdicText } from '../../ebcdic.ts';
import type { Storage } from '../../machine/storage.ts';
import { EventFacility } from './event-facility.ts';
import { HEADER_LENGTH, Response, Sccb } from './sccb.ts';

/** Storage in increments, numbered from 0: the core, then what is in standby and may be assigned. */
export interface StorageFacts {
  /** Bytes in an increment. */
  readonly increment: number;
  readonly core: number;
  readonly standby: number;
  /** Assigns an increment in standby or takes it away again; false if there is none of this number. */
  assign(number: number, on: boolean): boolean;
}

/** What READ SCP INFO and READ CPU INFO tell of the machine. */
export interface MachineFacts {
  readonly storage: StorageFacts;
  /** Addresses of CPUs are below it. */
  readonly maximumCpus: number;
  /** Control blocks of these commands may be longer than a page (STFLE bit 140). */
  readonly extendedLength: boolean;
  /** Highest nesting of the configuration topology; 0: none is told. */
  readonly nesting: number;
  /** Bits of host addresses. */
  readonly addressBits: number;
  readonly hypervisorFacilities: number;
  /** Bytes 80-98, 116-119 and 134 of the response. */
  readonly configuration: Uint8Array;
  readonly configuration2: Uint8Array;
  readonly byte134: number;
  /** Features in each CPU's entry, six bytes. */
  readonly cpuFeatures: Uint8Array;
  loadParameter(): string;
  /** Addresses, in order. */
  cpus(): { readonly configured: readonly number[]; readonly standby: readonly number[] };
  /** Takes a CPU into the configuration or out of it. */
  configureCpu(address: number, configured: boolean): 'done' | 'unchanged' | 'impossible';
}

/** Commands, with the byte that may carry an operand left out. */
const Command = {
  readCpuInfo: 0x00010001,
  readScpInfo: 0x00020001,
  readScpInfoForced: 0x00120001,
  readStorageElement: 0x00040001,
  attachStorageElement: 0x00080001,
  unassignStorage: 0x000c0001,
  assignStorage: 0x000d0001,
  deconfigureCpu: 0x00100001,
  configureCpu: 0x00110001,
  writeEventData: 0x00760005,
  readEventData: 0x00770005,
  writeEventMask: 0x00780005,
} as const;
const commands: ReadonlySet<number> = new Set(Object.values(Command));
const COMMAND_MASK = 0xffff00ff;
/** Their blocks may be of extended length. */
const informative: readonly number[] = [Command.readCpuInfo, Command.readScpInfo, Command.readScpInfoForced];

const CPU_ENTRY = 16;
/** Storage elements can be read and attached, storage assigned. */
const HAS_STORAGE_COMMANDS = 0xe000_0000_0000n;
/** Elements: the core, standby. */
const STANDBY_ELEMENT = 1;
const STORAGE_ENTRIES = 16;
/** CPU information can be read, and CPUs configured. */
const HAS_CPU_INFO = 0x0c00_0000_0000_0000n;
const SCP_INFO = 144;
/** Where CPU entries begin when blocks are no longer than a page. */
const SCP_INFO_ENTRIES = 128;
const CPU_INFO = 24;

/** The response to a command that is refused for its code or its block's place and length; undefined: it is not. */
export function refusal(word: number, address: number, length: number, extendedLength: boolean): number | undefined {
  const command = (word & COMMAND_MASK) >>> 0;
  if (!commands.has(command)) return Response.invalidCommand;
  const extended = extendedLength && informative.includes(command);
  return !extended && (address & 0xfff) + length > 4096 ? Response.boundaryViolation : undefined;
}

/** For messages. */
export const commandName = (word: number): string =>
  `SCLP command X'${(word >>> 0).toString(16).padStart(8, '0').toUpperCase()}'`;

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
    this.#storage.write(address, sccb.bytes.subarray(0, Math.min(sccb.length, length)));
    this.#signal((address & ~7) | (this.events.pending ? 1 : 0));
  }

  #execute(word: number, sccb: Sccb, address: number): number {
    const refused = refusal(word, address, sccb.length, this.#facts.extendedLength);
    if (refused !== undefined) {
      if (refused === Response.invalidCommand) this.#unimplemented(commandName(word));
      return refused;
    }
    const command = (word & COMMAND_MASK) >>> 0;
    switch (command) {
      case Command.readScpInfo:
      case Command.readScpInfoForced:
        return this.#readScpInfo(sccb);
      case Command.readCpuInfo:
        return this.#readCpuInfo(sccb);
      case Command.configureCpu:
      case Command.deconfigureCpu:
        return configured[this.#facts.configureCpu((word >>> 8) & 0xff, command === Command.configureCpu)];
      case Command.readStorageElement:
        return this.#readStorageElement(sccb, (word >>> 8) & 0xff);
      case Command.attachStorageElement:
        return this.#attachStorageElement(sccb, (word >>> 8) & 0xff);
      case Command.assignStorage:
      case Command.unassignStorage:
        return this.#assignStorage(sccb, command === Command.assignStorage);
      case Command.writeEventMask:
        return this.events.writeEventMask(sccb);
      case Command.writeEventData:
        return this.events.writeEventData(sccb);
      default:
        return this.events.readEventData(sccb);
    }
  }

  /** Whether the block has room for so many bytes and an entry for each CPU that there may be. */
  #hasRoom(sccb: Sccb, fixed: number): boolean {
    const { maximumCpus, extendedLength } = this.#facts;
    const needed = fixed + maximumCpus * CPU_ENTRY;
    if (sccb.length >= (extendedLength ? needed : Math.min(needed, 4096))) return true;
    if (extendedLength && sccb.variableLength) sccb.length = needed;
    return false;
  }

  #readScpInfo(sccb: Sccb): number {
    if (!this.#hasRoom(sccb, SCP_INFO)) return Response.insufficientLength;
    const { storage, maximumCpus, nesting, extendedLength, addressBits, hypervisorFacilities } = this.#facts;
    const { configuration, configuration2, byte134 } = this.#facts;
    const { bytes, view } = sccb;
    bytes.fill(0, HEADER_LENGTH, sccb.length);
    const increments = storage.core + storage.standby;
    if (increments < 0x10000) view.setUint16(8, increments);
    else view.setBigUint64(104, BigInt(increments));
    const mebibytes = storage.increment / 0x100000;
    if (mebibytes <= 128) bytes[10] = mebibytes;
    else view.setUint32(100, mebibytes);
    bytes[15] = nesting;
    const { configured } = this.#facts.cpus();
    const entries = extendedLength ? SCP_INFO : SCP_INFO_ENTRIES;
    view.setUint16(16, configured.length);
    view.setUint16(18, entries);
    bytes.set(ebcdicText(this.#facts.loadParameter(), 8), 24);
    view.setBigUint64(48, HAS_CPU_INFO | (storage.standby > 0 ? HAS_STORAGE_COMMANDS : 0n));
    bytes.set(configuration, 80);
    bytes[99] = addressBits;
    bytes.set(configuration2, 116);
    // The highest CPU address that there can be.
    view.setUint16(120, maximumCpus - 1);
    view.setUint32(124, hypervisorFacilities);
    if (extendedLength) bytes[134] = byte134;
    this.#cpuEntries(sccb, entries, configured);
    return Response.normalRead;
  }

  /** Entries of increments from a number on, each with its number from 1 and its subincrement. */
  #storageEntries({ view }: Sccb, first: number, count: number): void {
    for (let n = 0; n < count; n++) view.setUint32(STORAGE_ENTRIES + 4 * n, ((first + n + 1) << 16) | 1);
  }

  #readStorageElement(sccb: Sccb, element: number): number {
    const { core, standby } = this.#facts.storage;
    if (standby === 0 || element > STANDBY_ELEMENT) return Response.invalidCommand;
    const { view } = sccb;
    sccb.bytes.fill(0, HEADER_LENGTH, sccb.length);
    view.setUint16(8, STANDBY_ELEMENT);
    if (element === STANDBY_ELEMENT) {
      view.setUint16(10, standby);
      view.setUint16(12, standby);
      return Response.standbyRead;
    }
    if (sccb.length < STORAGE_ENTRIES + 4 * core) return Response.insufficientLength;
    view.setUint16(10, core);
    this.#storageEntries(sccb, 0, core);
    return Response.normalRead;
  }

  #attachStorageElement(sccb: Sccb, element: number): number {
    const { core, standby } = this.#facts.storage;
    if (standby === 0 || element !== STANDBY_ELEMENT) return Response.invalidCommand;
    if (sccb.length < STORAGE_ENTRIES + 4 * standby) return Response.insufficientLength;
    sccb.view.setUint16(10, standby);
    this.#storageEntries(sccb, core, standby);
    return Response.normal;
  }

  #assignStorage(sccb: Sccb, on: boolean): number {
    const { storage } = this.#facts;
    if (storage.standby === 0) return Response.invalidCommand;
    const number = sccb.view.getUint16(8) - 1;
    if (number < storage.core) return Response.noAction;
    return storage.assign(number, on) ? Response.normal : Response.equipmentCheck;
  }

  #readCpuInfo(sccb: Sccb): number {
    if (!this.#hasRoom(sccb, CPU_INFO)) return Response.insufficientLength;
    const { configured, standby } = this.#facts.cpus();
    const { bytes, view } = sccb;
    bytes.fill(0, HEADER_LENGTH, sccb.length);
    const behind = CPU_INFO + configured.length * CPU_ENTRY;
    for (const [n, value] of [configured.length, CPU_INFO, standby.length, behind].entries()) {
      view.setUint16(8 + 2 * n, value);
    }
    this.#cpuEntries(sccb, CPU_INFO, [...configured, ...standby]);
    return Response.normalRead;
  }

  #cpuEntries(sccb: Sccb, at: number, addresses: readonly number[]): void {
    addresses.forEach((address, n) => {
      const entry = at + n * CPU_ENTRY;
      sccb.bytes[entry] = address;
      sccb.bytes.set(this.#facts.cpuFeatures, entry + 2);
    });
  }
}

const configured = {
  done: Response.normal,
  unchanged: Response.noAction,
  impossible: Response.equipmentCheck,
} as const;
