/**
 * The I/O thread's side of the channel subsystem: it has the devices, runs their channel programs, and makes what comes of
 * them visible in the shared table (PoP ch. 13-17).
 */

import type { Storage } from '../machine/storage.ts';
import { type Fields, type SavedFields, SaveError, type SaveState, type Value } from '../save/save-state.ts';
import { type Ccw, ChannelProgram, OperationRequest, type ProgramHost, type Progress } from './channel-program.ts';
import { type Attachment, type ControlUnit, DeviceStatus } from './control-unit.ts';
import { SubchannelStatus } from './data.ts';
import { measure } from './measurement.ts';
import {
  ACTIVITIES,
  Activity,
  ChannelTable,
  CLEAR,
  DEFAULT_CSSID,
  DISABLED,
  ECW,
  ESW,
  ESW_SIZE,
  EXTENDED_CONTROL,
  FUNCTIONS,
  freshSchib,
  HALT,
  IoFunction,
  LOOK,
  MOST_SSID,
  NOTIFY,
  ORB,
  ORB_SIZE,
  RESET,
  RESUME,
  Report,
  SCHIB,
  SCSW,
  START,
  STATUS_CONTROLS,
  StatusControl,
  type SubchannelId,
  ZERO_CC,
} from './table.ts';
import { cssTrace } from './trace.ts';

/** Where a device is, or is to be. */
export interface DeviceId {
  readonly cssid: number;
  readonly ssid: number;
  /** The device number. */
  readonly number: number;
}

/** A device that cannot be plugged; the message says why. */
export class PlugError extends Error {}

/** A channel program as it was executed. */
export interface ProgramRecord {
  readonly orb: Uint8Array;
  readonly commands: CommandRecord[];
  /** Subchannel-status word when it ended. */
  ended?: { readonly device: number; readonly subchannel: number; readonly how: string };
}

export interface CommandRecord {
  readonly ccw: Ccw;
  /** The first bytes that were moved, and how many there were. */
  data: Uint8Array;
  moved: number;
  status?: { readonly device: number; readonly subchannel: number; readonly count: number };
}

export interface Surroundings {
  readonly table: ChannelTable;
  readonly storage: Storage;
  /** Does something after what else is waiting. */
  readonly later: (work: () => void) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly failed: (error: unknown) => void;
}

/** Status waits to be presented, be it 0: nothing but an alert. */
const KEPT = 0x100;
const PROGRAMS_KEPT = 16;
const COMMANDS_KEPT = 64;
const BYTES_KEPT = 64;
/** Last-used-path mask: the only path. */
const PATH_USED = 0x80;
const hex = (value: number, digits = 1): string => value.toString(16).padStart(digits, '0');

/** cssid.ssid.number as it is written. */
export const idText = ({ cssid, ssid, number }: DeviceId | SubchannelId): string =>
  `${hex(cssid)}.${hex(ssid)}.${hex(number, 4)}`;

/** The same for events. */
const words = ({ cssid, ssid, number }: DeviceId | SubchannelId) => [cssid, ssid, number] as const;

export class ChannelSubsystemIo {
  readonly #around: Surroundings;
  readonly #table: ChannelTable;
  readonly #subchannels = new Map<number, Subchannel>();

  constructor(around: Surroundings) {
    this.#around = around;
    this.#table = around.table;
  }

  // Devices come and go

  /**
   * Gives a device a subchannel.
   * @param wanted undefined: the next free device number
   * @param hot software is told that it has come
   * @throws PlugError
   */
  plug(device: ControlUnit, wanted: DeviceId | undefined, hot: boolean): Subchannel {
    const id = wanted ?? this.#freeNumber();
    if (wanted && this.#withNumber(wanted)) throw new PlugError(`Device ${idText(wanted)} already exists`);
    const { cssid, ssid } = id;
    const numbers = this.#numbers(cssid, ssid, subchannel => subchannel.id.number);
    const number = firstFree(numbers);
    if (number === undefined) throw new PlugError(`No free subchannel found for ${idText(id)}`);
    const path = this.#pathFor(cssid, device.channelPathType);
    const where = { cssid, ssid, number };
    const slot = this.#table.add(where, freshSchib(id.number, path), device.channelPathType, device.canBeNotified);
    if (slot === undefined) throw new PlugError('Virtual channel subsystem is full!');
    const subchannel = new Subchannel(this.#around, slot, where, id, device);
    this.#traceNew(subchannel);
    this.#subchannels.set(slot, subchannel);
    device.attached(subchannel);
    if (hot) this.#report(where);
    return subchannel;
  }

  unplug(subchannel: Subchannel): void {
    subchannel.stop();
    subchannel.device.detached();
    this.#subchannels.delete(subchannel.slot);
    this.#table.remove(subchannel.slot);
    const { id, deviceId } = subchannel;
    if (cssTrace.css_assign_subch.on) cssTrace.css_assign_subch.tell(0, ...words(id), deviceId.number);
    this.#report(subchannel.id);
  }

  #traceNew({ id, deviceId, device, path }: Subchannel): void {
    const there = [...this.#subchannels.values()].filter(other => other.id.cssid === id.cssid);
    const { css_new_image, css_chpid_add, css_assign_subch } = cssTrace;
    if (css_new_image.on && there.length === 0) css_new_image.tell(id.cssid);
    if (css_chpid_add.on && !there.some(other => other.path === path)) {
      css_chpid_add.tell(id.cssid, path, device.channelPathType);
    }
    if (css_assign_subch.on) css_assign_subch.tell(1, ...words(id), deviceId.number);
  }

  /** Channel paths by image: one for each type. */
  #pathFor(cssid: number, type: number): number {
    const paths = new Map<number, number>();
    for (const { id, device, path } of this.#subchannels.values()) {
      if (id.cssid === cssid) paths.set(device.channelPathType, path);
    }
    return paths.get(type) ?? firstFree(new Set(paths.values()))!;
  }

  #numbers(cssid: number, ssid: number, which: (subchannel: Subchannel) => number): Set<number> {
    const numbers = new Set<number>();
    for (const subchannel of this.#subchannels.values()) {
      if (subchannel.id.cssid === cssid && subchannel.id.ssid === ssid) numbers.add(which(subchannel));
    }
    return numbers;
  }

  #freeNumber(): DeviceId {
    for (let ssid = 0; ssid <= MOST_SSID; ssid++) {
      const number = firstFree(this.#numbers(DEFAULT_CSSID, ssid, ({ deviceId }) => deviceId.number));
      if (number !== undefined) return { cssid: DEFAULT_CSSID, ssid, number };
    }
    throw new PlugError('Virtual channel subsystem is full!');
  }

  #withNumber({ cssid, ssid, number }: DeviceId): Subchannel | undefined {
    return [...this.#subchannels.values()].find(
      ({ deviceId }) => deviceId.cssid === cssid && deviceId.ssid === ssid && deviceId.number === number,
    );
  }

  /** Software that can see the subchannel is told that something has changed there. */
  #report(id: SubchannelId): void {
    const table = this.#table;
    if (!table.isVisible(id)) return;
    const subchannel = Report.subchannel | Report.parametersInitialized | id.number;
    if (table.highestSsid === 0 && table.highestCssid === 0) table.report(subchannel);
    else {
      const image = table.highestCssid === 0 ? 0 : id.cssid;
      table.report(subchannel, Report.subchannel | Report.parametersInitialized | (image << 8) | (id.ssid << 4));
    }
  }

  get subchannels(): readonly Subchannel[] {
    return [...this.#subchannels.values()];
  }

  // What CPUs ask for

  /** Does what has been asked for. */
  work(): void {
    for (const slot of this.#table.takeWork()) this.#subchannels.get(slot)?.work(this.#table.takeRequests(slot));
  }

  /** The machine goes on, or has stopped. */
  run(running: boolean): void {
    for (const { device } of this.#subchannels.values()) device.run(running);
  }

  get units(): readonly SaveState[] {
    return [new SavedTable(this.#table, this.#subchannels), ...[...this.#subchannels.values()].map(one => one.unit)];
  }
}

function firstFree(taken: ReadonlySet<number>): number | undefined {
  for (let number = 0; number < 0x1_0000; number++) if (!taken.has(number)) return number;
  return undefined;
}

/** A subchannel with its device. */
export class Subchannel implements Attachment, ProgramHost {
  readonly slot: number;
  readonly id: SubchannelId;
  readonly deviceId: DeviceId;
  readonly device: ControlUnit;
  /** The last channel programs, oldest first. */
  readonly records: ProgramRecord[] = [];
  readonly #around: Surroundings;
  readonly #table: ChannelTable;
  #program: ChannelProgram | undefined;
  #record: ProgramRecord | undefined;
  #begun = 0;

  constructor(around: Surroundings, slot: number, id: SubchannelId, deviceId: DeviceId, device: ControlUnit) {
    this.#around = around;
    this.#table = around.table;
    this.slot = slot;
    this.id = id;
    this.deviceId = deviceId;
    this.device = device;
  }

  get storage(): Storage {
    return this.#around.storage;
  }

  get path(): number {
    return this.#table.bytes(this.slot, SCHIB + 16, 1)[0]!;
  }

  #locked<T>(work: () => T): T {
    return this.#table.locked(this.slot, work);
  }

  // For the device

  get enabled(): boolean {
    return this.#table.isEnabled(this.slot);
  }

  get identification(): { readonly cssid: number; readonly ssid: number; readonly deviceNumber: number } {
    const { cssid, ssid, number } = this.deviceId;
    return { cssid, ssid, deviceNumber: number };
  }

  adapterInterruption(isc: number): void {
    if (cssTrace.css_adapter_interrupt.on) cssTrace.css_adapter_interrupt.tell(isc);
    this.#table.interruptByAdapter(isc);
  }

  present(status: number): void {
    if (this.#program?.present(status)) return;
    this.#locked(() => {
      if (!this.enabled) return;
      this.#table.keepStatus(this.slot, this.#table.keptStatus(this.slot) | status | KEPT);
    });
    this.#presentKept();
  }

  /** Presents status that has been kept, if the subchannel can take it. */
  #presentKept(): void {
    const kept = this.#locked(() => {
      const waiting = this.#table.keptStatus(this.slot);
      const status = waiting & ~KEPT;
      const control = this.#table.control(this.slot);
      if (!waiting || !this.enabled || control & StatusControl.pending) return undefined;
      const { deviceActive, subchannelActive } = Activity;
      const ends = (control & (deviceActive | subchannelActive)) === deviceActive && status & DeviceStatus.deviceEnd;
      // A function that has only begun takes no status; what the device owes to one that is over, it does.
      if (control & FUNCTIONS && !ends) return undefined;
      this.#table.keepStatus(this.slot, 0);
      const plain = ends && !(status & ~DeviceStatus.deviceEnd);
      const told = (ends ? StatusControl.secondary : 0) | (plain ? 0 : StatusControl.alert);
      this.#table.setControl(this.slot, (control & ~(ACTIVITIES | STATUS_CONTROLS)) | told | StatusControl.pending);
      this.#table.write32(this.slot, SCSW + 8, status << 24);
      this.#setExtendedStatus(status);
      this.#interrupt();
      return status;
    });
    if (kept !== undefined && cssTrace.css_status.on) cssTrace.css_status.tell(...words(this.deviceId), kept);
  }

  #interrupt(): void {
    this.#table.interrupt(this.slot);
    const { css_io_interrupt } = cssTrace;
    if (css_io_interrupt.on) css_io_interrupt.tell(...words(this.id), this.#table.control(this.slot));
  }

  /** Path used, and sense data if software wants them with a unit check; the lock is held. */
  #setExtendedStatus(deviceStatus: number): void {
    const esw = new Uint8Array(ESW_SIZE);
    esw[1] = PATH_USED;
    const concurrent = (this.#table.read32(this.slot, SCHIB + 24) & 1) !== 0;
    if (deviceStatus & DeviceStatus.unitCheck && concurrent) {
      const sense = new Uint8Array(32);
      sense.set(this.device.takeSense().subarray(0, 32));
      this.#table.setBytes(this.slot, ECW, sense);
      // Concurrent sense, and how many bytes.
      esw[4] = 0x01;
      esw[5] = sense.length;
      this.#table.setControl(this.slot, this.#table.control(this.slot) | EXTENDED_CONTROL);
    }
    this.#table.setBytes(this.slot, ESW, esw);
  }

  // Functions

  work(requests: number): void {
    if (requests & RESET) this.#reset();
    if (requests & CLEAR) this.#clear();
    if (requests & DISABLED) this.device.disabled();
    if (requests & HALT) this.#halt();
    if (requests & START) this.#start();
    if (requests & RESUME) this.#resume();
    if (requests & NOTIFY) for (const queue of this.#table.takeNotified(this.slot)) this.device.notified(queue);
    if (requests & LOOK) this.#presentKept();
  }

  #reset(): void {
    this.stop();
    this.device.reset();
  }

  /** Whatever runs is nobody's any more. */
  stop(): void {
    this.#program?.stop();
    this.#program = undefined;
  }

  #clear(): void {
    if (cssTrace.css_clear.on) cssTrace.css_clear.tell(...words(this.id));
    this.stop();
    this.device.clear();
    this.#note('cleared', 0, 0);
    this.#locked(() => {
      const control = this.#table.control(this.slot);
      if (!(control & Activity.clearPending)) return;
      this.#table.keepStatus(this.slot, 0);
      this.#table.setControl(this.slot, IoFunction.clear | StatusControl.pending);
      this.#table.write32(this.slot, SCSW + 4, 0);
      this.#table.write32(this.slot, SCSW + 8, 0);
      this.#setExtendedStatus(0);
      this.#interrupt();
    });
  }

  #halt(): void {
    if (cssTrace.css_halt.on) cssTrace.css_halt.tell(...words(this.id));
    const running = this.#program;
    const address = running?.position ?? 0;
    const left = running?.left ?? 0;
    this.stop();
    if (running) this.device.halt();
    this.#note('halted', 0, 0);
    this.#locked(() => {
      const control = this.#table.control(this.slot);
      if (!(control & Activity.haltPending)) return;
      // What the device was doing it ends; of a program that has not begun or is suspended it knows nothing.
      const channelEnd = control & Activity.subchannelActive ? DeviceStatus.channelEnd : 0;
      const deviceEnd = control & Activity.deviceActive ? DeviceStatus.deviceEnd : 0;
      const told = (channelEnd ? StatusControl.primary : 0) | (deviceEnd ? StatusControl.secondary : 0);
      this.#table.setControl(this.slot, (control & ~(ACTIVITIES | STATUS_CONTROLS)) | told | StatusControl.pending);
      if (running) this.#table.write32(this.slot, SCSW + 4, address + 8);
      this.#table.write32(this.slot, SCSW + 8, (((channelEnd | deviceEnd) << 24) | (channelEnd ? left : 0)) >>> 0);
      this.#setExtendedStatus(0);
      this.#interrupt();
    });
  }

  #start(): void {
    const orb = this.#locked(() => {
      const control = this.#table.control(this.slot);
      // It may have been cancelled since.
      if (!(control & IoFunction.start) || !(control & Activity.startPending)) return undefined;
      const active = Activity.subchannelActive | Activity.deviceActive;
      this.#table.setControl(this.slot, (control & ~Activity.startPending) | active);
      return new OperationRequest(this.#table.bytes(this.slot, ORB, ORB_SIZE));
    });
    if (!orb) return;
    const { css_start } = cssTrace;
    if (css_start.on) css_start.tell(...words(this.id), orb.program, orb.format1 ? 1 : 0, orb.key >> 4);
    this.#begun = this.#around.now();
    this.#begin(orb);
    this.#program = new ChannelProgram(this, orb);
    this.#program.run();
  }

  #begin(orb: OperationRequest): void {
    this.#record = { orb: orb.bytes, commands: [] };
    this.records.push(this.#record);
    if (this.records.length > PROGRAMS_KEPT) this.records.shift();
  }

  #resume(): void {
    const resumed = this.#locked(() => {
      const control = this.#table.control(this.slot);
      // One that is not suspended remembers it.
      if (!(control & Activity.resumePending) || !(control & Activity.suspended)) return false;
      const { resumePending, suspended, subchannelActive, deviceActive } = Activity;
      const active = subchannelActive | deviceActive;
      this.#table.setControl(this.slot, (control & ~(resumePending | suspended)) | active);
      return true;
    });
    if (!resumed) return;
    if (cssTrace.css_resume.on) cssTrace.css_resume.tell(...words(this.id));
    this.#program?.resume();
  }

  // For the program

  isInterfered(): boolean {
    return this.#table.isInterfered(this.slot);
  }

  later(work: () => void): void {
    this.#around.later(work);
  }

  failed(error: unknown): void {
    this.#around.failed(error);
  }

  ended({ deviceStatus, subchannelStatus, count, address }: Progress, deviceEnds: boolean): void {
    this.#program = undefined;
    // Before the status is there to be seen: whoever takes it may look at the block.
    measure(this.#table, this.slot, this.storage, this.#around.now() - this.#begun);
    this.#locked(() => {
      const control = this.#table.control(this.slot);
      if (!(control & IoFunction.start) || control & (Activity.clearPending | Activity.haltPending)) return;
      const { alert, primary, secondary, pending } = StatusControl;
      const usual = DeviceStatus.channelEnd | DeviceStatus.deviceEnd | DeviceStatus.statusModifier;
      const before = this.#table.read32(this.slot, SCSW + 8);
      // A program-controlled interruption that nobody has looked at is told together with the end.
      const interrupts = control & pending ? (before >>> 16) & SubchannelStatus.programControlled : 0;
      const unusual = deviceStatus & ~usual || subchannelStatus;
      const told = primary | (deviceEnds ? 0 : secondary) | (unusual ? alert : 0) | pending;
      const activity = deviceEnds ? Activity.deviceActive : 0;
      this.#table.setControl(this.slot, (control & ~(ACTIVITIES | STATUS_CONTROLS | ZERO_CC)) | activity | told);
      this.#table.write32(this.slot, SCSW + 4, address);
      this.#table.write32(
        this.slot,
        SCSW + 8,
        ((deviceStatus << 24) | ((subchannelStatus | interrupts) << 16) | count) >>> 0,
      );
      this.#setExtendedStatus(deviceStatus);
      this.#interrupt();
    });
    this.#note('ended', deviceStatus, subchannelStatus);
  }

  intermediate({ deviceStatus, subchannelStatus, count, address }: Progress, initial: boolean): void {
    this.#locked(() => {
      const control = this.#table.control(this.slot);
      if (!(control & IoFunction.start)) return;
      const told = StatusControl.intermediate | StatusControl.pending | (initial ? ZERO_CC : 0);
      const before = control & StatusControl.pending ? this.#table.read32(this.slot, SCSW + 8) : 0;
      this.#table.setControl(this.slot, control | told);
      this.#table.write32(this.slot, SCSW + 4, address);
      this.#table.write32(
        this.slot,
        SCSW + 8,
        (before | (deviceStatus << 24) | (subchannelStatus << 16) | count) >>> 0,
      );
      this.#setExtendedStatus(0);
      this.#interrupt();
    });
  }

  takeDeviceEnd(): number {
    return this.#locked(() => {
      const kept = this.#table.keptStatus(this.slot);
      if (!(kept & DeviceStatus.deviceEnd)) return 0;
      this.#table.keepStatus(this.slot, 0);
      return kept & ~KEPT;
    });
  }

  get limits(): readonly [number, number] {
    const mode = (this.#table.flags(this.slot) >>> 21) & 3;
    const limit = this.#table.addressLimit;
    return [mode === 1 ? limit : 0, mode === 2 ? limit : Number.POSITIVE_INFINITY];
  }

  suspended({ address }: Progress): boolean {
    const suspends = this.#locked(() => {
      const control = this.#table.control(this.slot);
      if (control & Activity.resumePending) {
        this.#table.setControl(this.slot, control & ~Activity.resumePending);
        return false;
      }
      const { subchannelActive, deviceActive, suspended } = Activity;
      this.#table.write32(this.slot, SCSW + 4, address);
      const quiet = new OperationRequest(this.#table.bytes(this.slot, ORB, ORB_SIZE)).suppressesSuspended;
      const told = quiet ? 0 : StatusControl.intermediate | StatusControl.pending;
      this.#table.setControl(this.slot, (control & ~(subchannelActive | deviceActive)) | suspended | told);
      if (quiet) return true;
      this.#setExtendedStatus(0);
      this.#interrupt();
      return true;
    });
    if (suspends && cssTrace.css_suspend.on) cssTrace.css_suspend.tell(...words(this.id), address);
    return suspends;
  }

  command(ccw: Ccw): void {
    const { css_ccw } = cssTrace;
    if (css_ccw.on) css_ccw.tell(...words(this.id), ccw.at, ccw.command, ccw.flags, ccw.count, ccw.address);
    const commands = this.#record?.commands;
    if (!commands) return;
    commands.push({ ccw, data: new Uint8Array(0), moved: 0 });
    // Of programs that loop the end is of interest.
    if (commands.length > COMMANDS_KEPT) commands.shift();
  }

  data(_kind: 'take' | 'give', bytes: Uint8Array): void {
    const record = this.#record?.commands.at(-1);
    if (!record) return;
    if (record.moved < BYTES_KEPT) {
      const more = bytes.subarray(0, BYTES_KEPT - record.moved);
      const data = new Uint8Array(record.data.length + more.length);
      data.set(record.data);
      data.set(more, record.data.length);
      record.data = data;
    }
    record.moved += bytes.length;
  }

  status(device: number, subchannel: number, count: number): void {
    const record = this.#record?.commands.at(-1);
    if (record) record.status = { device, subchannel, count };
    if (cssTrace.css_ccw_end.on) cssTrace.css_ccw_end.tell(...words(this.id), device, subchannel, count);
  }

  #note(how: string, device: number, subchannel: number): void {
    if (this.#record) this.#record.ended ??= { device, subchannel, how };
    if (cssTrace.css_end.on) cssTrace.css_end.tell(...words(this.id), how, device, subchannel);
  }

  // Saved state

  /** The device, and a program that is under way: its command is executed again from its beginning. */
  get unit(): SaveState {
    return {
      name: `device.${idText(this.deviceId)}`,
      version: 1,
      save: (): Fields => ({ program: this.#program?.position ?? null, device: this.device.save() }),
      load: saved => {
        const from = saved.optional('program', () => saved.integer('program', 0x7fff_fff8));
        const load = this.device.load(saved.group('device'));
        return () => {
          this.stop();
          load();
          if (from === undefined) return;
          const orb = new OperationRequest(this.#table.bytes(this.slot, ORB, ORB_SIZE));
          this.#begin(orb);
          const program = new ChannelProgram(this, orb, from);
          this.#program = program;
          if (!(this.#table.control(this.slot) & Activity.suspended)) this.later(() => program.run());
        };
      },
    };
  }
}

/** The shared table; the machine that loads it must have the same subchannels. */
class SavedTable implements SaveState {
  readonly name = 'channel-subsystem';
  readonly version = 1;
  readonly #table: ChannelTable;
  readonly #subchannels: ReadonlyMap<number, Subchannel>;

  constructor(table: ChannelTable, subchannels: ReadonlyMap<number, Subchannel>) {
    this.#table = table;
    this.#subchannels = subchannels;
  }

  save(): Fields {
    const { header, slots } = this.#table.contents();
    const places: Value[] = slots.map(([slot, data]) => {
      const { id, deviceId } = this.#subchannels.get(slot)!;
      return [slot, idText(id), idText(deviceId), data];
    });
    return { header, subchannels: places };
  }

  load(saved: SavedFields): () => void {
    const header = saved.bytes('header', ChannelTable.headerSize);
    const wanted = saved.list('subchannels').map(item => {
      const [slot, id, device, data] = item as [number, string, string, Uint8Array];
      return { slot, id, device, data };
    });
    const here = [...this.#subchannels.values()];
    for (const { slot, id, device, data } of wanted) {
      const one = this.#subchannels.get(slot);
      if (!one || idText(one.id) !== id || idText(one.deviceId) !== device || data.length !== ChannelTable.slotSize) {
        throw new SaveError(`the state has device ${device} at subchannel ${id}, and this machine has not`);
      }
    }
    const missing = here.find(one => !wanted.some(({ slot }) => slot === one.slot));
    if (missing) throw new SaveError(`this machine has device ${idText(missing.deviceId)}, and the state has not`);
    return () =>
      this.#table.restore(
        header,
        wanted.map(({ slot, data }) => [slot, data] as const),
      );
  }
}
