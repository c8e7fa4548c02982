/**
 * DIAGNOSE functions: what a hypervisor does for its guests, under the code that is the second-operand address. R1 and
 * R3 name registers.
 */

import type { Cpu } from '../cpu/cpu.ts';
import type { SystemInformation } from '../cpu/environment.ts';
import { LEAVE, type Millicode, type Operands } from '../cpu/isa/insn.ts';
import { ADDRESSING, ProgramInterruption, SPECIFICATION } from '../cpu/program.ts';
import type { Layout } from '../cpu/state.ts';
import type { Identification } from '../devices/sclp/identification.ts';
import { ebcdicText } from '../ebcdic.ts';
import type { SaveState } from '../save/save-state.ts';
import { SavedWords } from '../save/words.ts';
import type { View } from './identity.ts';
import { CONTROL_PROGRAM, IPL_PARAMETERS, PAGE_FAULT_HANDSHAKES } from './shared.ts';
import type { Watchdog } from './watchdog.ts';

/**
 * What the machine is to do when the CPU has stopped. `modified-clear` and `load-normal` reset and then load the PSW
 * at absolute address 0; `load` loads the system anew from where it came.
 */
export type ResetRequest = 'modified-clear' | 'load-normal' | 'load';

/** What is around a CPU that diagnoses. */
export interface Surroundings {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly view: View;
  readonly information: SystemInformation;
  /** Names of features of the CPU model. */
  readonly features: ReadonlySet<string>;
  /** Highest address that storage may ever have, plus one. */
  readonly storageLimit: number;
  readonly watchdog: Watchdog | undefined;
  /** Stops the CPU and passes the request on. */
  reset(cpu: Cpu, what: ResetRequest): void;
}

type Code = readonly [code: number, work: Millicode];

/** @throws ProgramInterruption specification exception unless the condition holds */
const specify = (condition: boolean): void => {
  if (!condition) throw new ProgramInterruption(SPECIFICATION);
};

/** @throws ProgramInterruption addressing exception unless storage is there */
function reach(cpu: Cpu, address: bigint, length: number): void {
  if (address >> 32n || !cpu.storage.contains(Number(address), length)) throw new ProgramInterruption(ADDRESSING);
}

const PAGE = 4096;
const pageAligned = (address: bigint): boolean => (address & 0xfffn) === 0n;

/** The functions that there are. */
export function diagnoseFunctions(around: Surroundings): Code[] {
  const functions: Code[] = [[0x308, load(around)]];
  if (around.features.has('diag318')) functions.push([0x318, controlProgram(around)]);
  const { watchdog, view } = around;
  if (watchdog) functions.push([0x288, timeBomb(watchdog)]);
  if (view === 'kvm') functions.push([0x10, releasePages], [0x258, pageFaults(around)], [0x500, hypercall(around)]);
  else functions.push([0x204, partitionUse(around)], [0x224, cpuTypes]);
  return functions;
}

// X'10', release pages: R1 the first, R3 the last of the pages, which become zeros

function releasePages(cpu: Cpu, { r1, r3 }: Operands): void {
  const first = cpu.gr(r1!);
  const last = cpu.gr(r3!);
  specify(pageAligned(first) && pageAligned(last) && first <= last && first >= 0x2000n && last < 2n ** 64n - 0x1000n);
  const { storage } = cpu;
  const end = last < BigInt(storage.size) ? Number(last) + PAGE : storage.size;
  for (let real = Number(first); real < end; real += PAGE) {
    const absolute = cpu.dat.toAbsolute(real);
    if (storage.contains(absolute, PAGE)) storage.fill(absolute, PAGE, 0);
  }
}

// X'204', use of the machine by its partitions: R1 the address, R3 an even register with the function, R3 + 1 pages

const SIMPLE = 4;
const SIZE = 5;
const EXTENDED = 6;
const EXTENDED_WITH_ALL = 7;
const EXTENDED_FORMAT = 0x10000n;
const FAILED = 4n;
/** Share of a CPU that is the partition's own. */
const OWN = 0xffff;
const ONLINE = 0x20;
/** CPUs of the machine follow those of partitions. */
const PHYSICAL = 0x80;

/** The one partition and the machine, in the simple or the extended format. */
function useOfMachine(
  { information }: Surroundings,
  tod: bigint,
  timerUse: (cpu: number) => bigint,
  extended: boolean,
) {
  const cpus = information.cpus().configured;
  // Lengths of the header, a partition's header and a CPU's block.
  const [head, partition, block] = extended ? [64, 96, 96] : [16, 16, 24];
  const bytes = new Uint8Array(head! + 2 * (partition! + cpus * block!));
  const view = new DataView(bytes.buffer);
  bytes.set([1, PHYSICAL]);
  view.setUint16(4, cpus);
  view.setUint16(6, head!);
  view.setBigUint64(8, tod);
  const name = ebcdicText(information.partition, 8);
  let at = head!;
  bytes.set([information.partitionNumber, cpus, cpus], at);
  bytes.set(name, at + 8);
  if (extended) bytes[at + 56] = information.partitionNumber;
  at += partition!;
  for (let cpu = 0; cpu < cpus; cpu++, at += block!) {
    view.setUint16(at, cpu);
    bytes[at + 5] = ONLINE;
    view.setUint16(at + 6, OWN);
    view.setBigUint64(at + 8, timerUse(cpu));
    view.setBigUint64(at + 16, timerUse(cpu));
    if (!extended) continue;
    for (const weight of [24, 26, 28]) view.setUint16(at + weight, OWN);
    view.setBigUint64(at + 32, timerUse(cpu));
  }
  bytes[at + 1] = cpus;
  bytes.set(ebcdicText('PHYSICAL', 8), at + 8);
  at += partition!;
  for (let cpu = 0; cpu < cpus; cpu++, at += block!) {
    view.setUint16(at, cpu);
    if (extended) view.setUint16(at + 6, OWN);
  }
  return bytes;
}

const partitionUse =
  (around: Surroundings): Millicode =>
  (cpu, { r1, r3 }) => {
    specify((r3! & 1) === 0);
    const subcode = Number(cpu.gr(r3!) & 0xffffn);
    const extended = (cpu.gr(r3!) & EXTENDED_FORMAT) !== 0n;
    const available = cpu.gr(r3! + 1);
    const { clock } = cpu.timers;
    // Units of microseconds that the CPUs have been there.
    const since = BigInt(clock.units()) >> 12n;
    const data = useOfMachine(around, clock.tod(), () => since, extended);
    const pages = BigInt(Math.ceil(data.length / PAGE));
    const stores = extended ? subcode === EXTENDED || subcode === EXTENDED_WITH_ALL : subcode === SIMPLE;
    if (!(stores || (subcode === SIZE && extended)) || (stores && extended && available < pages)) {
      cpu.setGr(r3!, FAILED);
      return;
    }
    if (stores) {
      const address = cpu.gr(r1!) & cpu.addressMask;
      specify(pageAligned(address));
      cpu.access.writeBytes(address, data, r1!);
    }
    cpu.setGr(r3!, 0n);
    cpu.setGr(r3! + 1, pages);
  };

// X'224', names of types of CPUs: R3 the real address of a page

const TYPES = ['CP', 'UN', 'AAP', 'IFL', 'ICF', 'IIP'];

function cpuTypes(cpu: Cpu, { r3 }: Operands): void {
  const address = cpu.gr(r3!);
  specify(pageAligned(address) && address < 2n ** 31n);
  const page = new Uint8Array(PAGE);
  page[0] = TYPES.length - 1;
  for (const [n, type] of TYPES.entries()) page.set(ebcdicText(type, 16), 16 * (n + 1));
  cpu.access.writeBytesIn(cpu.access.real(), address, page);
}

// X'258', page-fault handshake: R1 the real address of the parameters, R3 takes the return code. There are no page
// faults of the host's of which a guest would be told.

const HANDSHAKE = 40;
const ALREADY_ON = 8n;
const NOT_ON = 4n;
const Z_ARCHITECTURE = 1n << 63n;

const pageFaults =
  ({ memory, layout }: Surroundings): Millicode =>
  (cpu, { r1, r3 }) => {
    const address = cpu.gr(r1!);
    specify((address & 7n) === 0n);
    reach(cpu, address, HANDSHAKE);
    const bytes = cpu.access.readBytesIn(cpu.access.real(), address, HANDSHAKE);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    specify(view.getUint16(0) === 0x258 && view.getUint16(4) >= 5 && view.getUint16(6) === 2);
    const [token, select, compare, format] = [8, 16, 24, 32].map(at => view.getBigUint64(at)) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const word = (layout.machine + PAGE_FAULT_HANDSHAKES + ((cpu.number >>> 5) << 2)) >>> 2;
    const bit = 1 << (cpu.number & 31);
    const words = new Int32Array(memory.buffer);
    const isOn = (Atomics.load(words, word) & bit) !== 0;
    const operation = view.getUint16(2);
    specify(operation <= 1);
    if (operation === 0 && !isOn) {
      specify((compare & select) === compare && (token & 7n) === 0n && format === Z_ARCHITECTURE);
      reach(cpu, token, 8);
    }
    if (operation === 1) specify((token | select | compare | format) === 0n);
    if (operation === 0) Atomics.or(words, word, bit);
    else Atomics.and(words, word, ~bit);
    cpu.setGr(r3!, operation === 0 ? (isOn ? ALREADY_ON : 0n) : isOn ? 0n : NOT_ON);
  };

// X'288', watchdog: R1 an even register with the function, R1 + 1 the seconds, R3 the action

/** 0 sets it, 1 changes the time of one that is set. */
const SET_WATCHDOG = 0n;
const CANCEL_WATCHDOG = 2n;
const SHORTEST = 15n;

const timeBomb =
  (watchdog: Watchdog): Millicode =>
  (cpu, { r1, r3 }) => {
    specify((r1! & 1) === 0 && cpu.gr(r3!) === 0n);
    const operation = cpu.gr(r1!);
    const seconds = cpu.gr(r1! + 1);
    specify(operation <= CANCEL_WATCHDOG && (operation === CANCEL_WATCHDOG || seconds >= SHORTEST));
    specify(operation === SET_WATCHDOG || watchdog.isSet);
    if (operation === CANCEL_WATCHDOG) watchdog.cancel();
    else watchdog.set(Number(seconds));
  };

// X'308', reset and load: R1 an even register with the address of an IPL parameter block, R1 + 1 takes the return code,
// R3 the function

const requests: Readonly<Record<number, ResetRequest>> = {
  0: 'modified-clear',
  1: 'load-normal',
  3: 'load',
  4: 'load',
};
const SET_PARAMETERS = 5;
const STORE_PARAMETERS = 6;

const DONE = 0x0001n;
const NO_PARAMETERS = 0x0102n;
const INVALID_PARAMETERS = 0x0402n;

/** Least lengths of blocks by the type of the device. */
const blockLengths: ReadonlyMap<number, number> = new Map([
  [0x00, 384],
  [0x02, 200],
  [0xff, 200],
]);

/** The parameter block of the next IPL; undefined if there is none. */
export function iplParameters(memory: WebAssembly.Memory, layout: Layout): Uint8Array | undefined {
  const block = new Uint8Array(memory.buffer, layout.machine + IPL_PARAMETERS, PAGE);
  const length = new DataView(block.buffer, block.byteOffset).getUint32(0);
  return length > 0 ? block.slice(0, length) : undefined;
}

export function setIplParameters(memory: WebAssembly.Memory, layout: Layout, block: Uint8Array | undefined): void {
  const place = new Uint8Array(memory.buffer, layout.machine + IPL_PARAMETERS, PAGE);
  place.fill(0);
  if (block) place.set(block);
}

const load =
  ({ memory, layout, reset }: Surroundings): Millicode =>
  (cpu, { r1, r3 }) => {
    specify(cpu.gr(r3!) <= 0xffffn);
    const subcode = Number(cpu.gr(r3!));
    const what = requests[subcode];
    if (what) {
      cpu.advance();
      reset(cpu, what);
      return LEAVE;
    }
    specify(subcode === SET_PARAMETERS || subcode === STORE_PARAMETERS);
    const address = cpu.gr(r1!);
    specify((r1! & 1) === 0 && pageAligned(address));
    const { storage } = cpu;
    reach(cpu, address, PAGE);
    if (subcode === SET_PARAMETERS) {
      const length = storage.read32(Number(address));
      const block = storage.read(Number(address), Math.min(length, PAGE));
      const least = length >= 16 && length <= PAGE ? blockLengths.get(block[12]!) : undefined;
      const valid = least !== undefined && length >= least;
      if (valid) setIplParameters(memory, layout, block);
      cpu.setGr(r1! + 1, valid ? DONE : INVALID_PARAMETERS);
    } else {
      const block = iplParameters(memory, layout);
      if (block) storage.write(Number(address), block);
      cpu.setGr(r1! + 1, block ? DONE : NO_PARAMETERS);
    }
    return undefined;
  };

// X'318', name and version codes of the control program: in R1

const controlProgram =
  ({ memory, layout }: Surroundings): Millicode =>
  (cpu, { r1 }) => {
    new BigUint64Array(memory.buffer)[(layout.machine + CONTROL_PROGRAM) / 8] = cpu.gr(r1!);
  };

/** What a control program has told of itself, in an event and by name and version codes. */
export interface ControlProgram {
  readonly identification?: Identification;
  readonly codes?: { readonly name: number; readonly version: bigint };
}

/** The codes; undefined: nothing has been told. */
export function toldByDiagnose(memory: WebAssembly.Memory, layout: Layout): ControlProgram['codes'] {
  const value = new BigUint64Array(memory.buffer)[(layout.machine + CONTROL_PROGRAM) / 8]!;
  return value === 0n ? undefined : { name: Number(value >> 56n), version: value & 0xff_ffff_ffff_ffffn };
}

/** What functions keep. */
export const savedDiagnoses = (memory: WebAssembly.Memory, { machine }: Layout): SaveState =>
  new SavedWords('diagnose', 1, memory, machine, {
    controlProgram: { at: CONTROL_PROGRAM, size: 8 },
    pageFaultHandshakes: { at: PAGE_FAULT_HANDSHAKES, size: 4, count: 8 },
    iplParameters: { at: IPL_PARAMETERS, size: 1, count: PAGE },
  });

/** A reset of the system: what guests have told is forgotten. */
export function resetDiagnoses(memory: WebAssembly.Memory, layout: Layout): void {
  new Uint8Array(memory.buffer, layout.machine + CONTROL_PROGRAM, 8).fill(0);
  new Uint8Array(memory.buffer, layout.machine + PAGE_FAULT_HANDSHAKES, 32).fill(0);
}

// X'500', hypercalls of virtio and of memory devices: GR1 the function, GR2 the first operand and the result

const NOTIFY_OLD = 0n;
const RESET_OLD = 1n;
const STATUS_OLD = 2n;
const NOTIFY = 3n;
const STORAGE_LIMIT = 4n;
const INVALID = BigInt.asUintN(64, -22n);

const hypercall =
  ({ storageLimit }: Surroundings): Millicode =>
  cpu => {
    switch (cpu.gr(1)) {
      case NOTIFY_OLD:
        // Addresses in storage were an early console's.
        return cpu.setGr(2, cpu.gr(2) < BigInt(cpu.storage.size) ? 0n : INVALID);
      case RESET_OLD:
      case STATUS_OLD:
        // These devices are no more.
        return cpu.setGr(2, INVALID);
      case NOTIFY: {
        // GR2: the subchannel; GR3: the queue, above bit 48 what the driver adds to it.
        const queue = Number(cpu.gr(3) & 0xffffn);
        return cpu.setGr(2, cpu.environment.channels.notify(cpu.gr32(2), queue) ? 0n : INVALID);
      }
      case STORAGE_LIMIT:
        return cpu.setGr(2, BigInt(storageLimit - 1));
      default:
        throw new ProgramInterruption(SPECIFICATION);
    }
  };
