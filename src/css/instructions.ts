/** The I/O instructions on a CPU's thread (PoP ch. 14): answered from the shared table, never waiting for another thread. */

import type { ChannelSubsystem } from '../cpu/channels.ts';
import { OPERAND, ProgramInterruption } from '../cpu/program.ts';
import { type ChannelPaths, channelSubsystemCall } from './chsc.ts';
import {
  ACTIVITIES,
  Activity,
  type ChannelTable,
  CLEAR,
  DEFAULT_CSSID,
  DISABLED,
  ECW,
  ECW_SIZE,
  ESW,
  ESW_SIZE,
  EXTENDED_CONTROL,
  FUNCTIONS,
  HALT,
  IoFunction,
  LOOK,
  MOST_QUEUES,
  ORB,
  PATH_NOT_OPERATIONAL,
  PMCW_ENABLED,
  PMCW_VALID,
  RESUME,
  SCHIB,
  SCHIB_SIZE,
  SCSW,
  SCSW_SIZE,
  START,
  STATUS_CONTROLS,
  StatusControl,
  type SubchannelId,
} from './table.ts';
import { cssTrace } from './trace.ts';

const operand = (): never => {
  throw new ProgramInterruption(OPERAND);
};

/** Of the path-management-control word, second word: what software sets, and what must be zero. Bit 5 is ignored. */
const SET_FLAGS = 0x38f8_0000;
const RESERVED_FLAGS = 0xc300_0000 | 0;
/** Of its last word. */
const RESERVED_LAST = 0xff1f_fff8 | 0;

export class ChannelInstructions implements ChannelSubsystem {
  readonly #table: ChannelTable;
  readonly #paths: ChannelPaths;
  readonly #unimplemented: (what: string) => void;

  constructor(table: ChannelTable, paths: ChannelPaths, unimplemented: (what: string) => void) {
    this.#table = table;
    this.#paths = paths;
    this.#unimplemented = unimplemented;
  }

  /** The slot of a subchannel that software may know of, by its subsystem-identification word; -1: none. */
  #find(word: number): number {
    const several = (word & 0x8_0000) !== 0;
    let cssid = word >>> 24;
    if (!several && cssid !== 0) operand();
    if (!several) cssid = DEFAULT_CSSID;
    const id: SubchannelId = { cssid, ssid: (word >>> 17) & 3, number: word & 0xffff };
    if (several && this.#table.highestCssid === 0) return -1;
    return this.#table.isVisible(id) ? this.#table.slotOf(id) : -1;
  }

  /** A function for the subchannel, if it is operational: `decide` gives the condition code. */
  #operate(name: string, word: number, decide: (slot: number, control: number) => number): number {
    const slot = this.#find(word);
    if (slot < 0) return traced(name, word, 3);
    const table = this.#table;
    const cc = table.locked(slot, () => (table.isEnabled(slot) ? decide(slot, table.control(slot)) : 3));
    return traced(name, word, cc);
  }

  start(word: number, orb: Uint8Array): number {
    return this.#operate('ssch', word, (slot, control) => {
      if (control & StatusControl.pending) return 1;
      if (control & FUNCTIONS) return 2;
      // The paths that are available (byte 15 of the block), of those that the program allows.
      if (!(orb[6]! & this.#table.bytes(slot, SCHIB + 15, 1)[0]!)) return 3;
      this.#table.setBytes(slot, SCHIB + 8, orb.subarray(6, 7));
      this.#table.setBytes(slot, ORB, orb);
      const view = new DataView(orb.buffer, orb.byteOffset);
      // The interruption parameter becomes that of the path-management-control word.
      this.#table.write32(slot, SCHIB, view.getUint32(0));
      // Key, suspend, format, prefetch, initial status, address limit, suppress suspended: as the block says.
      const word1 = view.getUint32(4);
      const kept = (word1 & 0xf800_0000) | (word1 & 0x00f8_0000);
      this.#table.setBytes(slot, SCSW, new Uint8Array(SCSW_SIZE));
      this.#table.setControl(slot, (kept | IoFunction.start | Activity.startPending) >>> 0);
      this.#table.write32(slot, SCSW + 4, view.getUint32(8));
      this.#table.request(slot, START);
      return 0;
    });
  }

  halt(word: number): number {
    return this.#operate('hsch', word, (slot, control) => {
      const { pending, primary, secondary, alert } = StatusControl;
      const status = control & STATUS_CONTROLS;
      if (status === pending || (status & pending && status & (primary | secondary | alert))) return 1;
      if (control & (IoFunction.halt | IoFunction.clear)) return 2;
      // An intermediate status is taken back.
      if (status) this.#table.withdraw(slot);
      this.#table.setControl(slot, (control & ~STATUS_CONTROLS) | IoFunction.halt | Activity.haltPending);
      this.#table.request(slot, HALT);
      return 0;
    });
  }

  clear(word: number): number {
    return this.#operate('csch', word, (slot, control) => {
      this.#table.withdraw(slot);
      const kept = control & ~(FUNCTIONS | ACTIVITIES | STATUS_CONTROLS);
      this.#table.setControl(slot, kept | IoFunction.clear | Activity.clearPending);
      this.#table.request(slot, CLEAR);
      return 0;
    });
  }

  resume(word: number): number {
    return this.#operate('rsch', word, (slot, control) => {
      if (control & StatusControl.pending) return 1;
      const suspends = (this.#table.read32(slot, ORB + 4) & 0x0800_0000) !== 0;
      if ((control & FUNCTIONS) !== IoFunction.start || control & Activity.resumePending || !suspends) return 2;
      this.#table.setControl(slot, control | Activity.resumePending);
      this.#table.request(slot, RESUME);
      return 0;
    });
  }

  cancel(word: number): number {
    return this.#operate('xsch', word, (slot, control) => {
      if (control & StatusControl.pending) return 1;
      const activity = control & ACTIVITIES;
      const waits = activity & (Activity.startPending | Activity.suspended | Activity.resumePending);
      const begun = activity & (Activity.subchannelActive | Activity.deviceActive);
      if ((control & FUNCTIONS) !== IoFunction.start || !waits || begun) return 2;
      this.#table.setControl(slot, control & ~(FUNCTIONS | ACTIVITIES));
      if (this.#table.keptStatus(slot)) this.#table.request(slot, LOOK);
      return 0;
    });
  }

  store(word: number): Uint8Array | undefined {
    const slot = this.#find(word);
    traced('stsch', word, slot < 0 ? 3 : 0);
    if (slot < 0) return undefined;
    return this.#table.locked(slot, () => this.#table.bytes(slot, SCHIB, SCHIB_SIZE));
  }

  modify(word: number, schib: Uint8Array): number {
    const given = new DataView(schib.buffer, schib.byteOffset, SCHIB_SIZE);
    const flags = given.getUint32(4);
    const last = given.getUint32(24);
    const extended = (last & 4) !== 0;
    const monitors = (flags >>> 21) & 3;
    if (flags & RESERVED_FLAGS || monitors === 3 || last & RESERVED_LAST) operand();
    if (extended && given.getUint32(44) & 0x3f) operand();
    const slot = this.#find(word);
    if (slot < 0) return traced('msch', word, 3);
    const cc = this.#table.locked(slot, () => {
      const control = this.#table.control(slot);
      const present = this.#table.flags(slot);
      if (!(present & PMCW_VALID)) return 0;
      if (control & StatusControl.pending) return 1;
      if (control & FUNCTIONS) return 2;
      this.#table.write32(slot, SCHIB, given.getUint32(0));
      this.#table.write32(slot, SCHIB + 4, ((present & ~SET_FLAGS) | (flags & SET_FLAGS)) >>> 0);
      const paths = this.#table.bytes(slot, SCHIB + 8, 8);
      paths[0] = schib[8]!;
      paths[4] = schib[12]!;
      paths[5] = schib[13]!;
      paths[6] = schib[14]!;
      this.#table.setBytes(slot, SCHIB + 8, paths);
      this.#table.write32(slot, SCHIB + 24, last & 5);
      if (last & 4) this.#table.setBytes(slot, SCHIB + 40, schib.subarray(40, 48));
      if (!(flags & PMCW_ENABLED)) {
        this.#table.keepStatus(slot, 0);
        if (present & PMCW_ENABLED) this.#table.request(slot, DISABLED);
      }
      return 0;
    });
    return traced('msch', word, cc);
  }

  test(word: number): { readonly cc: number; readonly irb: Uint8Array } | undefined {
    const slot = this.#find(word);
    const tested = slot < 0 ? undefined : this.#test(slot);
    traced('tsch', word, tested?.cc ?? 3);
    return tested;
  }

  #test(slot: number): { readonly cc: number; readonly irb: Uint8Array } | undefined {
    return this.#table.locked(slot, () => {
      if (!this.#table.isEnabled(slot)) return undefined;
      const control = this.#table.control(slot);
      const status = control & STATUS_CONTROLS;
      const irb = new Uint8Array(64);
      irb.set(this.#table.bytes(slot, SCSW, SCSW_SIZE));
      if (!(status & StatusControl.pending)) return { cc: 1, irb };
      irb.set(this.#table.bytes(slot, ESW, ESW_SIZE), SCSW_SIZE);
      if (control & EXTENDED_CONTROL) irb.set(this.#table.bytes(slot, ECW, ECW_SIZE), SCSW_SIZE + ESW_SIZE);
      this.#table.withdraw(slot);
      this.#table.setControl(slot, afterTest(control) >>> 0);
      this.#table.setBytes(slot, SCSW + 8, this.#leftStatus(slot));
      this.#table.setBytes(slot, ESW, new Uint8Array(ESW_SIZE));
      this.#table.setBytes(slot, ECW, new Uint8Array(ECW_SIZE));
      if (this.#table.keptStatus(slot)) this.#table.request(slot, LOOK);
      return { cc: 0, irb };
    });
  }

  /** Device and subchannel status have been told; the count stays as it was. */
  #leftStatus(slot: number): Uint8Array {
    const left = this.#table.bytes(slot, SCSW + 8, 4);
    left[0] = 0;
    left[1] = 0;
    return left;
  }

  testPending(subclasses: number): readonly [number, number, number] | undefined {
    const taken = this.#table.takeInterruption(subclasses);
    if (cssTrace.ioinst.on) cssTrace.ioinst.tell('tpi', taken ? taken[0] >>> 0 : 0);
    return taken;
  }

  storeReport(): number {
    const report = this.#table.takeReport();
    if (cssTrace.ioinst.on) cssTrace.ioinst.tell('stcrw', report >>> 0);
    return report;
  }

  /** RESET CHANNEL PATH: bits 8-15 the image, 24-31 the channel path. */
  resetPath(parameter: number): number {
    const cssid = this.#table.highestCssid > 0 ? (parameter >>> 16) & 0xff : DEFAULT_CSSID;
    if (this.#table.highestCssid === 0 && (parameter >>> 16) & 0xff) operand();
    const cc = this.#paths.reset(cssid, parameter & 0xff);
    if (cssTrace.ioinst_chp_id.on) cssTrace.ioinst_chp_id.tell('rchp', cssid, parameter & 0xff, cc);
    return cc;
  }

  setMonitor({ register1, register2 }: { readonly register1: bigint; readonly register2: bigint }): void {
    if (register1 & 0x0fff_fffcn) operand();
    if (cssTrace.ioinst.on) cssTrace.ioinst.tell('schm', Number(register1 & 0xffff_ffffn));
    const updates = (register1 & 2n) !== 0n;
    if (updates && register2 & 0x1fn) operand();
    const key = Number((register1 >> 24n) & 0xf0n);
    this.#table.setMonitor(updates, (register1 & 1n) !== 0n, key, updates ? Number(register2) : undefined);
  }

  setAddressLimit(limit: number): void {
    if (cssTrace.ioinst.on) cssTrace.ioinst.tell('sal', limit);
    this.#table.addressLimit = limit;
  }

  notify(word: number, queue: number): boolean {
    const slot = this.#find(word);
    if (slot < 0 || queue >= MOST_QUEUES || !this.#table.canBeNotified(slot)) return false;
    this.#table.notify(slot, queue);
    return true;
  }

  call(block: Uint8Array): number {
    const view = new DataView(block.buffer, block.byteOffset);
    const length = view.getUint16(0);
    channelSubsystemCall(block, this.#table, this.#paths, this.#unimplemented);
    const { ioinst_chsc_cmd } = cssTrace;
    if (ioinst_chsc_cmd.on) ioinst_chsc_cmd.tell(view.getUint16(2), length, view.getUint16(length + 4));
    return 0;
  }
}

/** Tells of an instruction for a subchannel, and gives its condition code. */
function traced(name: string, word: number, cc: number): number {
  const { ioinst_sch_id } = cssTrace;
  if (ioinst_sch_id.on) ioinst_sch_id.tell(name, word >>> 24, (word >>> 17) & 3, word & 0xffff, cc);
  return cc;
}

/** What TEST SUBCHANNEL leaves of the status that it has told. */
function afterTest(control: number): number {
  const { intermediate, pending } = StatusControl;
  const told = control & STATUS_CONTROLS;
  let left = control & ~STATUS_CONTROLS & ~EXTENDED_CONTROL;
  if (told === (intermediate | pending)) {
    // The function goes on, unless it is suspended and being halted.
    if (!(control & Activity.suspended && control & IoFunction.halt)) return left;
  } else if (!(told & StatusControl.secondary) && told & StatusControl.primary && control & Activity.deviceActive) {
    // The device has yet to end: its status will come.
    return left & ~(FUNCTIONS | PATH_NOT_OPERATIONAL);
  }
  left &= ~(FUNCTIONS | PATH_NOT_OPERATIONAL);
  return (
    left &
    ~(
      Activity.resumePending |
      Activity.startPending |
      Activity.haltPending |
      Activity.clearPending |
      Activity.suspended
    )
  );
}
