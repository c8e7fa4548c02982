/** A channel program: CCWs fetched one after another, commands given to the device, data moved (PoP ch. 15). */

import type { Storage } from '../machine/storage.ts';
import { type ControlUnit, DeviceStatus, type Transfer } from './control-unit.ts';
import {
  type Area,
  ChannelCheck,
  directArea,
  indirectArea,
  KeyedStorage,
  modifiedArea,
  programCheck,
  SubchannelStatus,
} from './data.ts';

/** Flags of a CCW. */
export const CcwFlag = {
  chainData: 0x80,
  chainCommand: 0x40,
  anyLength: 0x20,
  skip: 0x10,
  interrupt: 0x08,
  indirect: 0x04,
  suspend: 0x02,
  modifiedIndirect: 0x01,
} as const;

export interface Ccw {
  /** Absolute address of the CCW itself. */
  readonly at: number;
  readonly command: number;
  readonly flags: number;
  readonly count: number;
  readonly address: number;
}

/** The operation-request block of a command-mode program. */
export class OperationRequest {
  readonly #view: DataView;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #bit(mask: number): boolean {
    return (this.#view.getUint32(4) & mask) !== 0;
  }

  /** Subchannel key, bits 0xf0. */
  get key(): number {
    return this.bytes[4]! & 0xf0;
  }
  get suspends(): boolean {
    return this.#bit(0x0800_0000);
  }
  get format1(): boolean {
    return this.#bit(0x0080_0000);
  }
  get initialInterruption(): boolean {
    return this.#bit(0x0020_0000);
  }
  /** Data addresses are checked against the address limit. */
  get checksLimit(): boolean {
    return this.#bit(0x0010_0000);
  }
  get suppressesSuspended(): boolean {
    return this.#bit(0x0008_0000);
  }
  /** Indirect-data-address words are of format 2. */
  get wideIndirect(): boolean {
    return this.#bit(0x0002_0000);
  }
  /** Format-2 words are for blocks of 2 KiB. */
  get smallBlocks(): boolean {
    return this.#bit(0x0001_0000);
  }
  /** Incorrect length of immediate operations is not told. */
  get suppressesLength(): boolean {
    return this.#bit(0x0000_0080);
  }
  get modifiedIndirect(): boolean {
    return this.#bit(0x0000_0040);
  }
  get program(): number {
    return this.#view.getUint32(8);
  }
}

/** How far a program has come, as the subchannel-status word shows it. */
export interface Progress {
  readonly deviceStatus: number;
  readonly subchannelStatus: number;
  /** Residual count of the last CCW. */
  readonly count: number;
  /** Address of the last CCW plus 8. */
  readonly address: number;
}

/** What a program tells the channel subsystem. */
export interface ProgramHost {
  readonly storage: Storage;
  readonly device: ControlUnit;
  /** Something that ends the program is asked for: it must not go on. */
  isInterfered(): boolean;
  /** Does the work after others have had their turn. */
  later(work: () => void): void;
  /** It has come to its end; `deviceEnds`: the device has yet to present device end. */
  ended(progress: Progress, deviceEnds: boolean): void;
  /** It goes on: initial status has been accepted, or a CCW asked for an interruption. */
  intermediate(progress: Progress, initial: boolean): void;
  /** Its CCW wants it suspended. False: it has been resumed meanwhile, and the CCW is to be fetched again. */
  suspended(progress: Progress): boolean;
  /** Status with device end that the device has presented before the program waited for it; 0: it has not. */
  takeDeviceEnd(): number;
  /** Addresses that its data may have, from the first to below the second. */
  readonly limits: readonly [number, number];
  /** For those who want to see it. */
  command(ccw: Ccw): void;
  data(kind: 'take' | 'give', bytes: Uint8Array): void;
  status(device: number, subchannel: number, count: number): void;
  failed(error: unknown): void;
}

/** A program that goes on and on lets others have their turn after so many commands. */
const TURN = 256;
/** Command, by its rightmost bits. */
const READ_BACKWARD = 0x0c;
const MOST_FORMAT_0 = 2 ** 24;
const MOST_FORMAT_1 = 2 ** 31;

export class ChannelProgram {
  readonly #host: ProgramHost;
  readonly #orb: OperationRequest;
  readonly #storage: KeyedStorage;
  /** The same storage within the limits for data. */
  readonly #data: KeyedStorage;
  /** Of the CCW that comes next. */
  #next: number;
  #first = true;
  /** Initial status is to be told, and has not been. */
  #initial: boolean;
  #stopped = false;
  /** The device has ended with its part of the channel; the program goes on when it has ended altogether. */
  #awaitsDeviceEnd = false;
  /** A command is with the device. */
  #current: CommandTransfer | undefined;

  /** @param from where the program goes on, of one that has been saved */
  constructor(host: ProgramHost, orb: OperationRequest, from?: number) {
    this.#host = host;
    this.#orb = orb;
    this.#storage = new KeyedStorage(host.storage, orb.key);
    this.#data = orb.checksLimit ? new KeyedStorage(host.storage, orb.key, host.limits) : this.#storage;
    this.#next = from ?? orb.program;
    this.#first = from === undefined;
    this.#initial = this.#first && orb.initialInterruption;
  }

  /** Address of the CCW that is or will be executed. */
  get position(): number {
    return this.#current?.ccw.at ?? this.#next;
  }

  /** Residual count of the command that is being executed. */
  get left(): number {
    return this.#current?.left ?? 0;
  }

  /** It is over: what its device still does is nobody's. */
  stop(): void {
    this.#stopped = true;
  }

  run(): void {
    for (let commands = 0; !this.#stopped && !this.#host.isInterfered(); commands++) {
      if (commands === TURN) {
        this.#host.later(() => this.run());
        return;
      }
      if (!this.#step()) return;
    }
  }

  /** After it was suspended. */
  resume(): void {
    this.run();
  }

  /** The device presents status by itself. True: the program has waited for it. */
  present(status: number): boolean {
    if (!this.#awaitsDeviceEnd || this.#stopped) return false;
    if (!(status & DeviceStatus.deviceEnd)) return false;
    this.#awaitsDeviceEnd = false;
    if (this.#deviceEnded(status)) this.run();
    return true;
  }

  /** Executes one command. True: the next one can follow at once. */
  #step(): boolean {
    let ccw: Ccw;
    try {
      ccw = this.#fetch(false);
    } catch (error) {
      return this.#checked(error, this.#next);
    }
    if (ccw.flags & CcwFlag.suspend) {
      if (!this.#orb.suspends) return this.#checked(programCheck('suspend flag without suspend control'), ccw.at + 8);
      this.#next = ccw.at;
      return !this.#host.suspended({ deviceStatus: 0, subchannelStatus: 0, count: 0, address: ccw.at + 8 });
    }
    this.#host.command(ccw);
    const transfer = new CommandTransfer(this.#storage, this.#data, this.#orb, this.#host, ccw, () => {
      const chained = this.#fetch(true);
      this.#host.command(chained);
      return chained;
    });
    this.#current = transfer;
    try {
      transfer.open();
    } catch (error) {
      this.#current = undefined;
      return this.#checked(error, ccw.at + 8);
    }
    let answer: number | Promise<number>;
    try {
      answer = this.#host.device.execute(ccw.command, transfer);
    } catch (error) {
      return this.#deviceFailed(error);
    }
    // Where commands end at once, the end tells enough.
    if (this.#initial && typeof answer !== 'number') {
      this.#initial = false;
      this.#host.intermediate(
        { deviceStatus: 0, subchannelStatus: 0, count: transfer.left, address: ccw.at + 8 },
        true,
      );
    }
    this.#first = false;
    if (typeof answer === 'number') return this.#ended(answer);
    answer.then(
      status => {
        if (!this.#stopped && this.#ended(status)) this.run();
      },
      error => {
        if (!this.#stopped) this.#deviceFailed(error);
      },
    );
    return false;
  }

  #deviceFailed(error: unknown): false {
    this.#host.failed(error);
    return this.#checked(new ChannelCheck(SubchannelStatus.interfaceControlCheck, 'the device failed'), this.#next);
  }

  /**
   * The next CCW, transfers in channel followed.
   * @param chained its data continue those of the CCW before
   * @throws ChannelCheck
   */
  #fetch(chained: boolean): Ccw {
    for (let transfers = 0; ; transfers++) {
      const at = this.#next;
      const format1 = this.#orb.format1;
      // The address in the status is that of the CCW which failed plus 8.
      this.#next = at + 8;
      if (at % 8 !== 0 || at >= (format1 ? MOST_FORMAT_1 : MOST_FORMAT_0)) {
        throw programCheck(`CCW address ${at.toString(16)}`);
      }
      const ccw = decodeCcw(at, this.#storage.read(at, 8), format1);
      if (isTransferInChannel(ccw, format1)) {
        if ((this.#first && !chained) || transfers > 0) throw programCheck('transfer in channel out of place');
        if (ccw.address % 8 !== 0) throw programCheck(`transfer in channel to ${ccw.address.toString(16)}`);
        this.#next = ccw.address;
        this.#host.command(ccw);
        continue;
      }
      this.#validate(ccw, chained);
      return ccw;
    }
  }

  /** @throws ChannelCheck */
  #validate({ command, flags, count, address }: Ccw, chained: boolean): void {
    const { format1 } = this.#orb;
    if (!chained && (command & 0x0f) === 0) throw programCheck(`command ${command.toString(16)}`);
    if (!chained && (command & 0x0f) === 0x08) throw programCheck(`command ${command.toString(16)}`);
    const data = flags & CcwFlag.chainData || chained;
    if (count === 0 && (!format1 || data)) throw programCheck('count 0');
    if (address >= (format1 ? MOST_FORMAT_1 : MOST_FORMAT_0)) throw programCheck(`address ${address.toString(16)}`);
    const both = CcwFlag.indirect | CcwFlag.modifiedIndirect;
    if ((flags & both) === both) throw programCheck('both kinds of indirect addresses');
    if (flags & CcwFlag.modifiedIndirect && !this.#orb.modifiedIndirect) {
      throw programCheck('modified indirect-data-address words are not allowed');
    }
    if (chained && flags & CcwFlag.suspend) throw programCheck('suspend flag in chained data');
  }

  /** The command has ended as far as it goes. True: the next one can follow. */
  #ended(status: number): boolean {
    const transfer = this.#current!;
    if (status & DeviceStatus.channelEnd && !(status & DeviceStatus.deviceEnd)) {
      const check = transfer.check | transfer.lengthCheck();
      const unusual = check || status & ~(DeviceStatus.channelEnd | DeviceStatus.statusModifier);
      if (!unusual && transfer.flags & CcwFlag.chainCommand) {
        const early = this.#host.takeDeviceEnd();
        if (early) return this.#deviceEnded(early);
        this.#awaitsDeviceEnd = true;
        return false;
      }
      return this.#finish(status, check, true);
    }
    return this.#deviceEnded(status);
  }

  #deviceEnded(status: number): boolean {
    const transfer = this.#current!;
    const check = transfer.check | transfer.lengthCheck();
    const usual = DeviceStatus.channelEnd | DeviceStatus.deviceEnd | DeviceStatus.statusModifier;
    const unusual = check || status & ~usual || !(status & DeviceStatus.deviceEnd);
    this.#host.status(status, check, transfer.left);
    if (!unusual && transfer.flags & CcwFlag.chainCommand) {
      if (status & DeviceStatus.statusModifier) this.#next += 8;
      this.#current = undefined;
      return true;
    }
    return this.#finish(status, check, false);
  }

  #finish(deviceStatus: number, subchannelStatus: number, deviceEnds: boolean): false {
    const transfer = this.#current!;
    this.#stopped = true;
    const { left: count, ccw } = transfer;
    this.#host.ended({ deviceStatus, subchannelStatus, count, address: ccw.at + 8 }, deviceEnds);
    return false;
  }

  /** No command was given to the device. */
  #checked(error: unknown, address: number): false {
    if (!(error instanceof ChannelCheck)) throw error;
    this.#stopped = true;
    this.#host.status(0, error.status, 0);
    this.#host.ended({ deviceStatus: 0, subchannelStatus: error.status, count: 0, address }, false);
    return false;
  }
}

function decodeCcw(at: number, bytes: Uint8Array, format1: boolean): Ccw {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const command = bytes[0]!;
  if (format1) return { at, command, flags: bytes[1]!, count: view.getUint16(2), address: view.getUint32(4) };
  return { at, command, flags: bytes[4]!, count: view.getUint16(6), address: view.getUint32(0) & 0xff_ffff };
}

/** Format-0 CCWs are recognised by the rightmost bits of the command; what else is in them does not matter. */
function isTransferInChannel({ command, flags, count }: Ccw, format1: boolean): boolean {
  if (!format1) return (command & 0x0f) === 0x08;
  if (command !== 0x08) return false;
  if (flags || count) throw programCheck('transfer in channel with flags or a count');
  return true;
}

/** The data of one command, over all CCWs that are chained for it. */
class CommandTransfer implements Transfer {
  ccw: Ccw;
  /** Bytes of the present CCW that have not been used. */
  left: number;
  /** Subchannel status of a check while data were moved. */
  check = 0;
  /** For lists of addresses, and for data. */
  readonly #storage: KeyedStorage;
  readonly #data: KeyedStorage;
  readonly #orb: OperationRequest;
  readonly #host: ProgramHost;
  /** Reads backward: storage is filled from higher addresses to lower ones. */
  readonly #backward: boolean;
  readonly #fetch: () => Ccw;
  #area!: Area;
  /** The device has more data than the program. */
  #long = false;
  /** The device has asked for data at all. */
  #moves = false;

  constructor(
    storage: KeyedStorage,
    data: KeyedStorage,
    orb: OperationRequest,
    host: ProgramHost,
    ccw: Ccw,
    fetch: () => Ccw,
  ) {
    this.#storage = storage;
    this.#data = data;
    this.#backward = (ccw.command & 0x0f) === READ_BACKWARD;
    this.#orb = orb;
    this.#host = host;
    this.#fetch = fetch;
    this.ccw = ccw;
    this.left = ccw.count;
  }

  get flags(): number {
    return this.ccw.flags;
  }
  get count(): number {
    return this.left;
  }
  get chainsData(): boolean {
    return (this.flags & CcwFlag.chainData) !== 0;
  }
  get anyLength(): boolean {
    return (this.flags & CcwFlag.anyLength) !== 0 && !this.chainsData;
  }

  /** Makes the present CCW's area. @throws ChannelCheck */
  open(): void {
    const interrupt = (): void => {
      const subchannelStatus = SubchannelStatus.programControlled;
      const progress = { deviceStatus: 0, subchannelStatus, count: this.left, address: this.ccw.at + 8 };
      this.#host.intermediate(progress, false);
    };
    if (this.flags & CcwFlag.interrupt) interrupt();
    this.#area = this.#newArea(interrupt);
  }

  /** The present CCW's area from its beginning. @throws ChannelCheck */
  #newArea(interrupt: () => void): Area {
    const { address, count, flags } = this.ccw;
    const orb = this.#orb;
    const skip = (flags & CcwFlag.skip) !== 0;
    if (flags & CcwFlag.indirect) {
      const wide = orb.wideIndirect;
      const block = wide && !orb.smallBlocks ? 4096 : 2048;
      return indirectArea(this.#storage, address, { wide, block, skip, backward: this.#backward });
    }
    if (flags & CcwFlag.modifiedIndirect) {
      return modifiedArea(this.#storage, address, count, { backward: this.#backward, interrupt });
    }
    return directArea(address, orb.format1 ? MOST_FORMAT_1 : MOST_FORMAT_0, { skip, backward: this.#backward });
  }

  /** Goes to the CCW that continues the data. @throws ChannelCheck */
  #chain(): void {
    this.ccw = this.#fetch();
    this.left = this.ccw.count;
    this.open();
  }

  /** Moves up to so many bytes; `move` gets each piece. */
  #move(length: number, move: (address: number, length: number, done: number, skip: boolean) => void): number {
    this.#moves = true;
    let done = 0;
    try {
      while (done < length && !this.check) {
        if (this.left === 0) {
          if (!this.chainsData) {
            this.#long = true;
            break;
          }
          this.#chain();
        }
        const piece = this.#area.next(Math.min(length - done, this.left));
        move(piece.address, piece.length, done, piece.skip);
        done += piece.length;
        this.left -= piece.length;
      }
    } catch (error) {
      if (!(error instanceof ChannelCheck)) throw error;
      this.check = error.status;
    }
    return done;
  }

  take(length: number): Uint8Array {
    const data = new Uint8Array(Math.min(length, this.chainsData ? length : this.left));
    // Data from the program are never skipped: the flag means storing.
    const done = this.#move(length, (address, size, at) => {
      data.set(this.#data.read(address, size), at);
    });
    const taken = data.subarray(0, done);
    this.#host.data('take', taken);
    return taken;
  }

  peek(length: number): Uint8Array {
    const data = new Uint8Array(Math.min(length, this.left));
    try {
      const area = this.#newArea(() => {});
      let before = this.ccw.count - this.left;
      for (let done = 0; done < data.length; ) {
        const piece = area.next(before || data.length - done);
        if (before) before -= piece.length;
        else {
          data.set(this.#data.read(piece.address, piece.length), done);
          done += piece.length;
        }
      }
    } catch (error) {
      if (!(error instanceof ChannelCheck)) throw error;
      this.check = error.status;
      return new Uint8Array(0);
    }
    return data;
  }

  give(data: Uint8Array): number {
    const done = this.#move(data.length, (address, size, at, skip) => {
      if (skip) return;
      const bytes = data.subarray(at, at + size);
      this.#data.write(address, this.#backward ? bytes.toReversed() : bytes);
    });
    this.#host.data('give', data.subarray(0, done));
    return done;
  }

  /** Incorrect length, as subchannel status. */
  lengthCheck(): number {
    if (this.check) return 0;
    const { incorrectLength } = SubchannelStatus;
    if (!this.#moves) {
      const told = this.#orb.format1 && this.left > 0 && !this.#orb.suppressesLength;
      return told && !(this.flags & CcwFlag.anyLength) ? incorrectLength : 0;
    }
    // The next CCW takes over as soon as a count is used up, whether or not there are more data.
    if (this.left === 0 && this.chainsData) {
      try {
        this.#chain();
      } catch (error) {
        if (!(error instanceof ChannelCheck)) throw error;
        this.check = error.status;
        return this.check;
      }
    }
    if (this.left === 0 && !this.#long) return 0;
    return this.anyLength ? 0 : incorrectLength;
  }
}
