/**
 * What CPUs and the I/O thread share of the channel subsystem: subchannels, pending I/O interruptions, channel reports.
 * CPUs answer their I/O instructions from here; only functions - start, halt, clear, resume - are handed to the I/O
 * thread, by bits and a bell.
 */

import { raiseChannelReport, setIoPending } from '../cpu/pending.ts';
import type { Layout } from '../cpu/state.ts';
import { cssTrace } from './trace.ts';

/** The image in which devices are that no other is named for, and which guests without MCSS-E see as image 0. */
export const DEFAULT_CSSID = 0xfe;
/** The highest image that there may be; software has no more bits than these, and one value means none. */
export const MOST_CSSID = 0xfe;
export const MOST_SSID = 3;

/** Where a subchannel is: number of the subchannel within its set and image. */
export interface SubchannelId {
  readonly cssid: number;
  readonly ssid: number;
  readonly number: number;
}

/** How many subchannels there may be at a time. */
const SLOTS = 4096;
/** The table of keys has room for so many different identifications in the life of a machine. */
const KEYS = 4 * SLOTS;
const MAP_WORDS = SLOTS / 32;

// Words of the header
/** Counts calls for the I/O thread. */
const BELL = 0;
const HIGHEST_SSID = 1;
const HIGHEST_CSSID = 2;
const USED = 3;
const INTERRUPTION_LOCK = 4;
const REPORT_LOCK = 5;
const REPORT_COUNT = 6;
const REPORT_FIRST = 7;
const REPORTS_LOST = 8;
/** Adapter interruptions: subclasses with one pending (bit 0x80 >> ISC). */
const ADAPTERS = 9;
/** Measurement (SET CHANNEL MONITOR): 1, blocks are updated; 2, connect times are kept; the key above bit 4. */
const MONITOR = 12;
/** SET ADDRESS LIMIT, in units of 64 KiB. */
const ADDRESS_LIMIT = 13;
/** Origin of the measurement blocks, an absolute address, as a double. */
const MONITOR_ORIGIN = 14;
/** The I/O thread may be waiting for the bell with nothing else being done meanwhile. */
const ONLY_BELL = 16;
const HEADER = 64;
const REPORTS = 64;
const REPORTS_AT = HEADER;
/** A bit for each subchannel with an interruption pending, for each subclass. */
const INTERRUPTIONS_AT = REPORTS_AT + REPORTS;
/** A bit for each subchannel with something for the I/O thread. */
const WORK_AT = INTERRUPTIONS_AT + 8 * MAP_WORDS;
/** Identification plus one, and slot plus one. */
const KEYS_AT = WORK_AT + MAP_WORDS;
const SLOTS_AT = KEYS_AT + 2 * KEYS;
const SLOT_WORDS = 128;

// Words of a slot, and offsets of bytes in it
const LOCK = 0;
const IDENTIFICATION = 1;
const REQUESTS = 2;
const KEPT_STATUS = 3;
export const SCHIB = 16;
export const SCHIB_SIZE = 52;
/** The subchannel-status word in the block, and the model-dependent area behind it. */
export const SCSW = SCHIB + 28;
export const SCSW_SIZE = 12;
export const ORB = 72;
export const ORB_SIZE = 32;
/** Extended status and extended control, as INTERRUPTION-RESPONSE blocks show them. */
export const ESW = 104;
export const ESW_SIZE = 20;
export const ECW = 124;
export const ECW_SIZE = 32;
/** Type of the channel path; and whether the device takes notifications. */
const PATH_TYPE = 156;
const NOTIFIABLE = 157;
/** A bit for each queue that has been notified. */
const NOTIFIED = 256;
/** Queues that can be notified. */
export const MOST_QUEUES = 1024;

// What the I/O thread is asked for, in the order in which it is done
export const RESET = 0x01;
export const CLEAR = 0x02;
export const HALT = 0x04;
export const START = 0x08;
export const RESUME = 0x10;
export const NOTIFY = 0x20;
/** The status that was kept may be presented now. */
export const LOOK = 0x40;
/** Software has disabled the subchannel. */
export const DISABLED = 0x80;

// Path-management-control word: bits of its second word
export const PMCW_ENABLED = 0x0080_0000;
export const PMCW_VALID = 0x0001_0000;

/** Bits 16-31 of the first word of the subchannel-status word. */
export const IoFunction = { start: 0x4000, halt: 0x2000, clear: 0x1000 } as const;
export const FUNCTIONS = 0x7000;
export const Activity = {
  resumePending: 0x0800,
  startPending: 0x0400,
  haltPending: 0x0200,
  clearPending: 0x0100,
  subchannelActive: 0x0080,
  deviceActive: 0x0040,
  suspended: 0x0020,
} as const;
export const ACTIVITIES = 0x0fe0;
export const StatusControl = {
  alert: 0x10,
  intermediate: 0x08,
  primary: 0x04,
  secondary: 0x02,
  pending: 0x01,
} as const;
export const STATUS_CONTROLS = 0x1f;
/** Extended control: the extended-control word has sense data. */
export const EXTENDED_CONTROL = 0x0002_0000;
/** Zero condition code, and path not operational. */
export const ZERO_CC = 0x0004_0000;
export const PATH_NOT_OPERATIONAL = 0x0001_0000;

/** Words of the channel report, but for chaining. */
export const Report = {
  subchannel: 3 << 24,
  channelPath: 4 << 24,
  channelSubsystem: 0xb << 24,
  solicited: 0x4000_0000,
  overflow: 0x2000_0000,
  chained: 0x1000_0000,
  ancillary: 0x0080_0000,
  initialized: 2 << 16,
  parametersInitialized: 4 << 16,
} as const;

export class ChannelTable {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView<SharedArrayBuffer>;
  readonly #memory: WebAssembly.Memory;
  readonly #layout: Layout;

  static newShared(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (SLOTS_AT + SLOTS * SLOT_WORDS));
  }

  constructor(shared: SharedArrayBuffer, memory: WebAssembly.Memory, layout: Layout) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#bytes = new Uint8Array(shared);
    this.#view = new DataView(shared);
    this.#memory = memory;
    this.#layout = layout;
  }

  // Slots: by them both sides know a subchannel. A slot is given and taken back by the I/O thread.

  #slot(slot: number): number {
    return SLOTS_AT + slot * SLOT_WORDS;
  }

  #keyOf({ cssid, ssid, number }: SubchannelId): number {
    return (((cssid << 18) | (ssid << 16) | number) + 1) >>> 0;
  }

  /** Index of the identification's place in the table of keys, or of the free one where it would be; -1: it is full. */
  #place(key: number): number {
    let n = Math.imul(key, 0x9e37_79b1) >>> 18;
    for (let tries = 0; tries < KEYS; tries++, n++) {
      const at = KEYS_AT + 2 * (n % KEYS);
      const found = Atomics.load(this.#words, at) >>> 0;
      if (found === key || found === 0) return at;
    }
    return -1;
  }

  /** The slot of a subchannel, visible or not; -1: there is none. */
  slotOf(id: SubchannelId): number {
    const at = this.#place(this.#keyOf(id));
    return at < 0 ? -1 : Atomics.load(this.#words, at + 1) - 1;
  }

  identification(slot: number): SubchannelId {
    const key = this.#words[this.#slot(slot) + IDENTIFICATION]!;
    return { cssid: (key >>> 18) & 0xff, ssid: (key >>> 16) & 3, number: key & 0xffff };
  }

  /** Whether software can know of the subchannel. */
  isVisible({ cssid, ssid }: SubchannelId): boolean {
    return ssid <= this.highestSsid && (cssid === DEFAULT_CSSID || this.highestCssid > 0);
  }

  /** Makes a subchannel. Gives its slot; undefined when there is no room. */
  add(id: SubchannelId, schib: Uint8Array, pathType: number, notifiable: boolean): number | undefined {
    const key = this.#keyOf(id);
    const at = this.#place(key);
    if (at < 0) return undefined;
    let slot = 0;
    const taken = new Set<number>();
    for (let n = 0; n < KEYS; n++) taken.add(this.#words[KEYS_AT + 2 * n + 1]!);
    while (taken.has(slot + 1)) slot++;
    if (slot === SLOTS) return undefined;
    const first = this.#slot(slot);
    this.#words.fill(0, first + 1, first + SLOT_WORDS);
    this.#words[first + IDENTIFICATION] = key - 1;
    this.#bytes.set(schib, 4 * first + SCHIB);
    this.#bytes[4 * first + PATH_TYPE] = pathType;
    this.#bytes[4 * first + NOTIFIABLE] = notifiable ? 1 : 0;
    if (slot >= this.used) Atomics.store(this.#words, USED, slot + 1);
    Atomics.store(this.#words, at, key | 0);
    Atomics.store(this.#words, at + 1, slot + 1);
    return slot;
  }

  remove(slot: number): void {
    this.locked(slot, () => this.withdraw(slot));
    const id = this.identification(slot);
    Atomics.store(this.#words, this.#place(this.#keyOf(id)) + 1, 0);
    Atomics.store(this.#words, this.#slot(slot) + REQUESTS, 0);
  }

  /** Slots below this one have been used. */
  get used(): number {
    return Atomics.load(this.#words, USED);
  }

  get highestSsid(): number {
    return Atomics.load(this.#words, HIGHEST_SSID);
  }
  set highestSsid(ssid: number) {
    Atomics.store(this.#words, HIGHEST_SSID, ssid);
  }
  /** 0: software sees one image only, as image 0. */
  get highestCssid(): number {
    return Atomics.load(this.#words, HIGHEST_CSSID);
  }
  set highestCssid(cssid: number) {
    Atomics.store(this.#words, HIGHEST_CSSID, cssid);
  }

  // Locks. They are held for a few instructions' time, with nothing in it that waits.

  #lock(at: number): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, at, 0, 1) === 0) return;
    while (Atomics.exchange(words, at, 2) !== 0) Atomics.wait(words, at, 2);
  }

  #unlock(at: number): void {
    if (Atomics.exchange(this.#words, at, 0) === 2) Atomics.notify(this.#words, at, 1);
  }

  #holding<T>(at: number, work: () => T): T {
    this.#lock(at);
    try {
      return work();
    } finally {
      this.#unlock(at);
    }
  }

  /** Does something with a subchannel that nobody else then changes. */
  locked<T>(slot: number, work: () => T): T {
    return this.#holding(this.#slot(slot) + LOCK, work);
  }

  // Fields of a subchannel; the lock is held.

  bytes(slot: number, offset: number, length: number): Uint8Array {
    const at = 4 * this.#slot(slot) + offset;
    return this.#bytes.slice(at, at + length);
  }
  setBytes(slot: number, offset: number, data: Uint8Array): void {
    this.#bytes.set(data, 4 * this.#slot(slot) + offset);
  }
  read32(slot: number, offset: number): number {
    return this.#view.getUint32(4 * this.#slot(slot) + offset);
  }
  write32(slot: number, offset: number, value: number): void {
    this.#view.setUint32(4 * this.#slot(slot) + offset, value);
  }

  /** First word of the subchannel-status word. */
  control(slot: number): number {
    return this.read32(slot, SCSW);
  }
  setControl(slot: number, control: number): void {
    this.write32(slot, SCSW, control);
  }
  flags(slot: number): number {
    return this.read32(slot, SCHIB + 4);
  }
  isEnabled(slot: number): boolean {
    const wanted = PMCW_ENABLED | PMCW_VALID;
    return (this.flags(slot) & wanted) === wanted;
  }

  pathType(slot: number): number {
    return this.bytes(slot, PATH_TYPE, 1)[0]!;
  }
  canBeNotified(slot: number): boolean {
    return this.bytes(slot, NOTIFIABLE, 1)[0] !== 0;
  }

  /** Status that waits until the subchannel can take it. */
  keptStatus(slot: number): number {
    return this.#words[this.#slot(slot) + KEPT_STATUS]!;
  }
  keepStatus(slot: number, status: number): void {
    this.#words[this.#slot(slot) + KEPT_STATUS] = status;
  }

  // Interruptions

  #subclass(slot: number): number {
    return (this.flags(slot) >>> 27) & 7;
  }

  /** Makes an I/O interruption pending for a subchannel; its lock is held. */
  interrupt(slot: number): void {
    const isc = this.#subclass(slot);
    this.#holding(INTERRUPTION_LOCK, () => {
      this.#words[INTERRUPTIONS_AT + isc * MAP_WORDS + (slot >>> 5)]! |= 1 << (slot & 31);
      setIoPending(this.#memory, this.#layout, 0x80 >> isc, true);
    });
  }

  /** Takes back the interruption of a subchannel, if it is pending; its lock is held. */
  withdraw(slot: number): void {
    this.#holding(INTERRUPTION_LOCK, () => {
      for (let isc = 0; isc < 8; isc++) {
        const at = INTERRUPTIONS_AT + isc * MAP_WORDS + (slot >>> 5);
        const bit = 1 << (slot & 31);
        if (!(this.#words[at]! & bit)) continue;
        this.#words[at]! &= ~bit;
        this.#settle(isc);
      }
    });
  }

  /** Tells CPUs when no interruption of a subclass is pending any more. */
  #settle(isc: number): void {
    if (this.#words[ADAPTERS]! & (0x80 >> isc)) return;
    if (this.#firstIn(isc) < 0) setIoPending(this.#memory, this.#layout, 0x80 >> isc, false);
  }

  #firstIn(isc: number): number {
    const from = INTERRUPTIONS_AT + isc * MAP_WORDS;
    for (let n = 0; n <= this.used >>> 5; n++) {
      const bits = this.#words[from + n]!;
      if (bits) return 32 * n + (31 - Math.clz32(bits & -bits));
    }
    return -1;
  }

  /**
   * Takes the first pending interruption of these subclasses (bit 0x80 >> ISC): subsystem identification, parameter and
   * interruption identification.
   */
  takeInterruption(subclasses: number): readonly [number, number, number] | undefined {
    return this.#holding(INTERRUPTION_LOCK, () => {
      for (let isc = 0; isc < 8; isc++) {
        const subclass = 0x80 >> isc;
        if (!(subclasses & subclass)) continue;
        if (this.#words[ADAPTERS]! & subclass) {
          this.#words[ADAPTERS]! &= ~subclass;
          this.#settle(isc);
          return [0, 0, (0x8000_0000 | (isc << 27)) >>> 0];
        }
        const slot = this.#firstIn(isc);
        if (slot < 0) continue;
        this.#words[INTERRUPTIONS_AT + isc * MAP_WORDS + (slot >>> 5)]! &= ~(1 << (slot & 31));
        this.#settle(isc);
        return [this.word(slot), this.read32(slot, SCHIB), isc << 27];
      }
      return undefined;
    });
  }

  /** The subsystem-identification word of a subchannel, as software now sees it. */
  word(slot: number): number {
    const { cssid, ssid, number } = this.identification(slot);
    const image = this.highestCssid > 0 ? (cssid << 24) | 0x8_0000 : 0;
    return (image | (ssid << 17) | 0x1_0000 | number) >>> 0;
  }

  /** An adapter interruption. */
  interruptByAdapter(isc: number): void {
    const subclass = 0x80 >> isc;
    this.#holding(INTERRUPTION_LOCK, () => {
      this.#words[ADAPTERS]! |= subclass;
      setIoPending(this.#memory, this.#layout, subclass, true);
    });
  }

  // Channel reports

  /** Reports that belong together; the last is not chained. */
  report(...words: readonly number[]): void {
    this.#holding(REPORT_LOCK, () => {
      words.forEach((word, n) => {
        const count = this.#words[REPORT_COUNT]!;
        if (count === REPORTS) {
          this.#words[REPORTS_LOST] = 1;
          return;
        }
        const overflow = this.#words[REPORTS_LOST] ? Report.overflow : 0;
        this.#words[REPORTS_LOST] = 0;
        const chained = n + 1 < words.length ? Report.chained : 0;
        this.#words[REPORTS_AT + ((this.#words[REPORT_FIRST]! + count) % REPORTS)] = word | chained | overflow;
        this.#words[REPORT_COUNT] = count + 1;
        if (cssTrace.css_crw.on) cssTrace.css_crw.tell((word | chained | overflow) >>> 0);
      });
    });
    raiseChannelReport(this.#memory, this.#layout);
  }

  /** The oldest report, which is then gone; 0: there is none. */
  takeReport(): number {
    return this.#holding(REPORT_LOCK, () => {
      const count = this.#words[REPORT_COUNT]!;
      if (count === 0) return 0;
      const first = this.#words[REPORT_FIRST]!;
      this.#words[REPORT_FIRST] = (first + 1) % REPORTS;
      this.#words[REPORT_COUNT] = count - 1;
      return this.#words[REPORTS_AT + first]! >>> 0;
    });
  }

  // Measurement

  get monitor(): { readonly updates: boolean; readonly times: boolean; readonly key: number; readonly origin: number } {
    const word = this.#words[MONITOR]!;
    const origin = this.#view.getFloat64(4 * MONITOR_ORIGIN);
    return { updates: (word & 1) !== 0, times: (word & 2) !== 0, key: word & 0xf0, origin };
  }

  setMonitor(updates: boolean, times: boolean, key: number, origin: number | undefined): void {
    if (origin !== undefined) this.#view.setFloat64(4 * MONITOR_ORIGIN, origin);
    this.#words[MONITOR] = (updates ? 1 : 0) | (times ? 2 : 0) | key;
  }

  /** Between the two parts of storage to which subchannels may be limited: an absolute address. */
  get addressLimit(): number {
    return this.#words[ADDRESS_LIMIT]! * 0x1_0000;
  }
  set addressLimit(address: number) {
    this.#words[ADDRESS_LIMIT] = address / 0x1_0000;
  }

  // Work for the I/O thread

  /** Asks the I/O thread to do something about a subchannel. */
  request(slot: number, what: number): void {
    Atomics.or(this.#words, this.#slot(slot) + REQUESTS, what);
    Atomics.or(this.#words, WORK_AT + (slot >>> 5), 1 << (slot & 31));
    this.ring();
  }

  ring(): void {
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }

  /** A queue of the subchannel's device has something. */
  notify(slot: number, queue: number): void {
    Atomics.or(this.#words, this.#slot(slot) + NOTIFIED / 4 + (queue >>> 5), 1 << (queue & 31));
    this.request(slot, NOTIFY);
  }

  /** The bell's count, to wait for another. */
  get rung(): number {
    return Atomics.load(this.#words, BELL);
  }

  /** Resolves when the bell has rung since it showed this count. */
  async whenRung(count: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.#words, BELL, count);
    if (waiting.async) await waiting.value;
  }

  /** Waits for that with nothing else being done meanwhile; false: it has not rung within so many milliseconds. */
  waitForBell(count: number, milliseconds: number): boolean {
    return Atomics.wait(this.#words, BELL, count, milliseconds) !== 'timed-out';
  }

  /** The I/O thread may come to `waitForBell` before it next looks for messages, or will not. */
  set listensOnlyToBell(may: boolean) {
    Atomics.store(this.#words, ONLY_BELL, Number(may));
  }

  /** The I/O thread has been sent a message. */
  announceMessage(): void {
    if (Atomics.load(this.#words, ONLY_BELL)) this.ring();
  }

  /** Subchannels that something is asked for: they are not told of twice. */
  *takeWork(): Generator<number> {
    for (let n = 0; n <= this.used >>> 5; n++) {
      let bits = Atomics.exchange(this.#words, WORK_AT + n, 0);
      while (bits) {
        const bit = bits & -bits;
        bits &= ~bit;
        yield 32 * n + (31 - Math.clz32(bit));
      }
    }
  }

  takeRequests(slot: number): number {
    return Atomics.exchange(this.#words, this.#slot(slot) + REQUESTS, 0);
  }

  /** Whether something is asked for that ends a channel program. */
  isInterfered(slot: number): boolean {
    return (Atomics.load(this.#words, this.#slot(slot) + REQUESTS) & (RESET | CLEAR | HALT)) !== 0;
  }

  /** Queues that have been notified. */
  *takeNotified(slot: number): Generator<number> {
    const first = this.#slot(slot) + NOTIFIED / 4;
    for (let n = 0; n < MOST_QUEUES / 32; n++) {
      if (this.#words[first + n] === 0) continue;
      let bits = Atomics.exchange(this.#words, first + n, 0);
      while (bits) {
        const bit = bits & -bits;
        bits &= ~bit;
        yield 32 * n + (31 - Math.clz32(bit));
      }
    }
  }

  // The whole

  /** Every subchannel that there is. */
  *slots(): Generator<number> {
    const slots: number[] = [];
    for (let n = 0; n < KEYS; n++) {
      const slot = Atomics.load(this.#words, KEYS_AT + 2 * n + 1) - 1;
      if (slot >= 0) slots.push(slot);
    }
    yield* slots.sort((a, b) => a - b);
  }

  /** A system reset: nothing is pending, and one image with one set is seen. Devices are asked to reset themselves. */
  reset(): void {
    this.#words.fill(0, INTERRUPTIONS_AT, INTERRUPTIONS_AT + 8 * MAP_WORDS);
    for (const word of [HIGHEST_SSID, HIGHEST_CSSID, ADAPTERS, MONITOR, ADDRESS_LIMIT]) this.#words[word] = 0;
    for (const word of [REPORT_COUNT, REPORT_FIRST, REPORTS_LOST]) this.#words[word] = 0;
    this.#view.setFloat64(4 * MONITOR_ORIGIN, 0);
    for (const slot of this.slots()) {
      this.locked(slot, () => {
        Atomics.store(this.#words, this.#slot(slot) + REQUESTS, 0);
        this.keepStatus(slot, 0);
        this.#words.fill(0, this.#slot(slot) + NOTIFIED / 4, this.#slot(slot) + (NOTIFIED + MOST_QUEUES / 8) / 4);
        const schib = this.bytes(slot, SCHIB, SCHIB_SIZE);
        const fresh = freshSchib(schib[6]! * 256 + schib[7]!, schib[16]!);
        this.setBytes(slot, SCHIB, fresh);
        this.setBytes(slot, ORB, new Uint8Array(ORB_SIZE));
        this.setBytes(slot, ESW, new Uint8Array(ESW_SIZE));
        this.setBytes(slot, ECW, new Uint8Array(ECW_SIZE));
      });
      this.request(slot, RESET);
    }
  }

  /** All words but locks and the bell, for a saved state. */
  contents(): { readonly header: Uint8Array; readonly slots: readonly (readonly [number, Uint8Array])[] } {
    const header = this.#bytes.slice(4, 4 * WORK_AT);
    return {
      header,
      slots: [...this.slots()].map(slot => [slot, this.bytes(slot, 4, 4 * SLOT_WORDS - 4)]),
    };
  }

  /** Takes what `contents` gave; subchannels that are there in both. */
  restore(header: Uint8Array, slots: readonly (readonly [number, Uint8Array])[]): void {
    const bell = this.rung;
    const { used } = this;
    this.#bytes.set(header, 4);
    for (const word of [INTERRUPTION_LOCK, REPORT_LOCK, ONLY_BELL]) this.#words[word] = 0;
    this.#words[USED] = Math.max(used, this.#words[USED]!);
    for (const [slot, data] of slots) this.setBytes(slot, 4, data);
    Atomics.store(this.#words, BELL, bell);
  }

  /** Length of the header in `contents`, and of each slot. */
  static readonly headerSize = 4 * WORK_AT - 4;
  static readonly slotSize = 4 * SLOT_WORDS - 4;
}

/** The subchannel-information block of a device that has just come: valid, not enabled, one path. */
export function freshSchib(deviceNumber: number, channelPath: number): Uint8Array {
  const schib = new Uint8Array(SCHIB_SIZE);
  const view = new DataView(schib.buffer);
  view.setUint32(4, PMCW_VALID | deviceNumber);
  // Logical path mask, paths not operational, last used, installed; available, operational.
  view.setUint32(8, 0x8000_0080);
  view.setUint32(12, 0x0000_ff80);
  schib[16] = channelPath;
  return schib;
}
