/**
 * A device with its control unit, as the channel subsystem sees it: it accepts commands, moves bytes, and presents status
 * and sense. Of CCWs, data addresses, chaining and subchannels it knows nothing (PoP ch. 13 and 15; the interface of the
 * channel path is described in SA22-7202).
 */

import type { Fields, SavedFields } from '../save/save-state.ts';

/** Bits of device status. */
export const DeviceStatus = {
  attention: 0x80,
  statusModifier: 0x40,
  controlUnitEnd: 0x20,
  busy: 0x10,
  channelEnd: 0x08,
  deviceEnd: 0x04,
  unitCheck: 0x02,
  unitException: 0x01,
} as const;

/** What ends most commands: channel end and device end. */
export const ENDED = DeviceStatus.channelEnd | DeviceStatus.deviceEnd;
/** A command that failed: sense data tells why. */
export const CHECKED = ENDED | DeviceStatus.unitCheck;

/** Bits of sense byte 0, which mean the same for all devices. */
export const Sense = {
  commandReject: 0x80,
  interventionRequired: 0x40,
  busOutCheck: 0x20,
  equipmentCheck: 0x10,
  dataCheck: 0x08,
  overrun: 0x04,
} as const;

/** Command codes that all devices have (SA22-7204, "Common I/O-Device Commands"). */
export const CommonCommand = {
  noOperation: 0x03,
  basicSense: 0x04,
  senseId: 0xe4,
} as const;

/** The answer to SENSE ID. */
export interface Identification {
  /** 16 bits. */
  readonly controlUnitType: number;
  readonly controlUnitModel: number;
  readonly deviceType: number;
  readonly deviceModel: number;
  /** Command-information words, if the answer is to have room for them: type 0-15, command code, count. */
  readonly commandInformation?: readonly {
    readonly type: number;
    readonly command: number;
    readonly count: number;
  }[];
}

/**
 * The data of one command. The channel finds out where they are in storage, and stops the transfer when its program's
 * areas are used up or a check occurs: then fewer bytes are moved than were asked for, and the device ends the command
 * as it would have.
 */
export interface Transfer {
  /** Bytes that the program's present area still has room for. With data chaining there may be more. */
  readonly count: number;
  /** The program chains data: `count` is not all. */
  readonly chainsData: boolean;
  /** The program does not want to know about data of another length (suppress length indication). */
  readonly anyLength: boolean;
  /** From the program: the next bytes, at most so many. */
  take(length: number): Uint8Array;
  /**
   * What is in storage where the next bytes of a read will go, at most so many: virtio-ccw finds there which item it is
   * asked for. Nothing is moved.
   */
  peek(length: number): Uint8Array;
  /** To the program. Gives the number of bytes that it had room for. */
  give(data: Uint8Array): number;
}

/** What the device is given when it is attached: its way to present status that no command has asked for. */
export interface Attachment {
  /**
   * Presents status outside of any command: attention, device end, ... While the subchannel cannot take it (a program
   * runs, or an earlier status has not been looked at) it is kept, further bits joined to it. 0 makes the subchannel
   * status-pending with alert status and no device status: what to look at is in storage.
   */
  present(status: number): void;
  /** Whether software has enabled the subchannel, so that `present` reaches it. */
  readonly enabled: boolean;
  /** Where the device is in the channel subsystem. */
  readonly identification: { readonly cssid: number; readonly ssid: number; readonly deviceNumber: number };
  /**
   * Makes an adapter interruption pending for the subclass, after the device has set its indicators in storage.
   */
  adapterInterruption(isc: number): void;
}

export abstract class ControlUnit {
  abstract readonly identification: Identification;
  /** Type of channel path, as store channel-path description gives it. */
  readonly channelPathType: number = 0x1b;
  /** Sense data of the last unit check; given to the program once. Shorter than 32 bytes. */
  protected sense: Uint8Array = new Uint8Array(0);
  protected attachment!: Attachment;

  attached(attachment: Attachment): void {
    this.attachment = attachment;
  }

  /**
   * Carries out one command.
   * @returns the device status that ends it (DeviceStatus); or a promise of it, when it takes time: meanwhile the
   * program may be halted or cleared, and then the status is not wanted any more
   */
  execute(command: number, transfer: Transfer): number | Promise<number> {
    switch (command) {
      case CommonCommand.noOperation:
        return ENDED;
      case CommonCommand.basicSense: {
        // The control unit always has 24 bytes and more to give.
        const data = new Uint8Array(32);
        data.set(this.takeSense());
        transfer.give(data);
        return ENDED;
      }
      case CommonCommand.senseId:
        transfer.give(senseId(this.identification));
        return ENDED;
      default:
        return this.reject(Sense.commandReject);
    }
  }

  /** Ends a command with unit check and these bytes of sense data. */
  protected reject(...sense: readonly number[]): number {
    this.sense = Uint8Array.from(sense);
    return CHECKED;
  }

  /** The sense data, which are then forgotten. */
  takeSense(): Uint8Array {
    const { sense } = this;
    this.sense = new Uint8Array(0);
    return sense;
  }

  /** The command that is being executed is to end (HALT SUBCHANNEL). */
  halt(): void {}
  /** All that is going on is to end (CLEAR SUBCHANNEL). */
  clear(): void {}
  /** As when power is switched on; what the guest has asked for is forgotten. */
  reset(): void {
    this.sense = new Uint8Array(0);
  }
  /**
   * The guest has something for the device and does not wait for it (DIAGNOSE X'500' function 3).
   * @param value the number of the queue, with what the guest adds to it in the upper bits
   */
  notified(_queue: number): void {}
  /** Whether it is one that is notified; the guest is told otherwise. */
  readonly canBeNotified: boolean = false;
  /** Software has disabled the subchannel. */
  disabled(): void {}
  /** The machine goes on, or has stopped and is to be looked at or saved. */
  run(_running: boolean): void {}
  /** The device is taken away. */
  detached(): void {}

  save(): Fields {
    return { sense: this.sense };
  }

  load(saved: SavedFields): () => void {
    const sense = saved.bytes('sense');
    return () => {
      this.sense = sense;
    };
  }
}

/** The bytes that answer SENSE ID (SA22-7204). */
function senseId({ controlUnitType, controlUnitModel, deviceType, deviceModel, ...more }: Identification): Uint8Array {
  const { commandInformation } = more;
  const data = new Uint8Array(commandInformation ? 8 + 4 * commandInformation.length : 7);
  const view = new DataView(data.buffer);
  view.setUint8(0, 0xff);
  view.setUint16(1, controlUnitType);
  view.setUint8(3, controlUnitModel);
  view.setUint16(4, deviceType);
  view.setUint8(6, deviceModel);
  commandInformation?.forEach(({ type, command, count }, n) => {
    view.setUint32(8 + 4 * n, ((0x40 | type) << 24) | (command << 16) | count);
  });
  return data;
}
