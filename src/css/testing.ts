/** For tests: a channel subsystem without a machine, and a control unit that answers what it is told to. */

import { planLayout } from '../cpu/state.ts';
import { Storage } from '../machine/storage.ts';
import { ChannelSubsystemIo } from './channel-subsystem.ts';
import { ControlUnit, ENDED, type Transfer } from './control-unit.ts';
import { ChannelInstructions } from './instructions.ts';
import { TablePaths } from './paths.ts';
import { ChannelTable } from './table.ts';

/** What the unit does with a command: bytes to give or take, and the status; `later` ends it when it is called. */
export interface Answer {
  readonly give?: readonly number[];
  readonly take?: number;
  readonly status?: number;
  readonly sense?: readonly number[];
  readonly later?: boolean;
}

export class SyntheticUnit extends ControlUnit {
  readonly identification = { controlUnitType: 0x1234, controlUnitModel: 1, deviceType: 0x5678, deviceModel: 2 };
  /** By command code; others are rejected or common. */
  readonly answers = new Map<number, Answer | (() => Answer)>();
  /** What came: commands and what they took. */
  readonly log: string[] = [];
  end: ((status: number) => void) | undefined;
  /** Called when it holds the whole channel subsystem; it does until this returns. */
  onHeld: () => void = () => {};
  /** Called when a command is kept until later. */
  onKept: () => void = () => {};
  override readonly canBeNotified = true;

  override execute(command: number, transfer: Transfer): number | Promise<number> {
    const found = this.answers.get(command);
    if (!found) return super.execute(command, transfer);
    const { give, take, status = ENDED, sense, later } = typeof found === 'function' ? found() : found;
    let heard = command.toString(16).padStart(2, '0');
    if (take) heard += `:${Array.from(transfer.take(take), byte => byte.toString(16).padStart(2, '0')).join('')}`;
    if (give) transfer.give(Uint8Array.from(give));
    this.log.push(heard);
    if (sense) this.reject(...sense);
    if (!later) return status;
    return new Promise(resolve => {
      this.end = resolve;
      this.onKept();
    });
  }

  /** By the program on the CPU: 0x200, or status, with bit 0x100 of the command that is kept. */
  override notified(word: number): void {
    const status = word & 0xff;
    if (word & 0x200) this.onHeld();
    else if (word & 0x100) this.end!(status);
    else this.present(status);
  }

  override halt(): void {
    this.log.push('halt');
  }
  override clear(): void {
    this.log.push('clear');
  }
  present(status: number): void {
    this.attachment.present(status);
  }
}

/** Where programs are put by tests. */
export const PROGRAM = 0x1000;
export const DATA = 0x2000;
export const SUBCHANNEL = 0x1_0000;

export class TestChannels {
  readonly storage: Storage;
  readonly unit = new SyntheticUnit();
  readonly table: ChannelTable;
  readonly io: ChannelSubsystemIo;
  readonly cpu: ChannelInstructions;
  /** Work that is put off; `settle` does it. */
  readonly #later: (() => void)[] = [];

  constructor() {
    const layout = planLayout(1, 0x200000);
    const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
    this.storage = new Storage(memory, layout);
    this.table = new ChannelTable(ChannelTable.newShared(), memory, layout);
    this.io = new ChannelSubsystemIo({
      table: this.table,
      storage: this.storage,
      later: work => void this.#later.push(work),
      now: () => 0,
      failed: error => {
        throw error;
      },
    });
    this.cpu = new ChannelInstructions(this.table, new TablePaths(this.table), () => {});
    this.io.plug(this.unit, undefined, false);
    this.modify();
  }

  /** Enables the subchannel, with concurrent sense if wanted. */
  modify(concurrent = false, enabled = true): number {
    const schib = this.cpu.store(SUBCHANNEL)!;
    schib[5] = enabled ? schib[5]! | 0x80 : schib[5]! & 0x7f;
    schib[27] = concurrent ? 1 : 0;
    return this.cpu.modify(SUBCHANNEL, schib);
  }

  /** Format-1 CCWs, one after another. */
  ccws(at: number, ...ccws: readonly (readonly [code: number, flags: number, count: number, address: number])[]): void {
    for (const [n, [code, flags, count, address]] of ccws.entries()) {
      this.storage.write(at + 8 * n, [code, flags, count >> 8, count & 0xff]);
      this.storage.write32(at + 8 * n + 4, address);
    }
  }

  /** An operation-request block. @param word its second word; format 1 and all paths unless given */
  orb(word = 0x0080_ff00, program = PROGRAM): Uint8Array {
    const view = new DataView(new ArrayBuffer(32));
    view.setUint32(0, 0xcafe);
    view.setUint32(4, word);
    view.setUint32(8, program);
    return new Uint8Array(view.buffer);
  }

  start(word?: number): number {
    const cc = this.cpu.start(SUBCHANNEL, this.orb(word));
    this.work();
    return cc;
  }

  /** The I/O side does what waits, at most so many rounds of what it puts off. */
  work(rounds = 10): void {
    this.io.work();
    for (let n = 0; n < rounds && this.#later.length > 0; n++) this.#later.shift()!();
  }

  /** TEST SUBCHANNEL: `cc function activity status | device subchannel count | address`, or undefined. */
  test(): {
    cc: number;
    control: number;
    device: number;
    channel: number;
    count: number;
    address: number;
    irb: Uint8Array;
  } {
    const { cc, irb } = this.cpu.test(SUBCHANNEL)!;
    const view = new DataView(irb.buffer, irb.byteOffset);
    this.io.work();
    return {
      cc,
      control: view.getUint32(0),
      device: irb[8]!,
      channel: irb[9]!,
      count: view.getUint16(10),
      address: view.getUint32(4),
      irb,
    };
  }
}
