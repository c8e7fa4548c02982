/** The 3270 on a channel path: `-device x-terminal3270`. */

import type { Chardev } from '../../chardev/chardev.ts';
import { type Attachment, CHECKED, ControlUnit, DeviceStatus, ENDED, type Transfer } from '../../css/control-unit.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import { COMMANDS } from './commands.ts';
import { type Ending, Terminal3270 } from './terminal.ts';

/** What is written by one command, at most: far more than the largest buffer of a 3270 takes. */
const LONGEST_WRITE = 0x40000;
const CHUNK = 0x4000;

export interface ControlUnit3270Options {
  readonly chardev: Chardev;
  /** The name of the terminal, of at most 8 characters; otherwise one is made of the device number. */
  readonly name?: string;
  /** For the trace: what happens to the client. */
  readonly client?: (what: string) => void;
}

export class ControlUnit3270 extends ControlUnit {
  readonly identification = { controlUnitType: 0x3270, controlUnitModel: 0, deviceType: 0, deviceModel: 0 };
  override readonly channelPathType = 0x1a;
  readonly #options: ControlUnit3270Options;
  #terminal!: Terminal3270;

  constructor(options: ControlUnit3270Options) {
    super();
    this.#options = options;
  }

  override attached(attachment: Attachment): void {
    super.attached(attachment);
    const { chardev, client } = this.#options;
    const { ssid, deviceNumber } = attachment.identification;
    const name = this.#options.name ?? `LU${ssid}${deviceNumber.toString(16).padStart(4, '0')}`;
    this.#terminal = new Terminal3270(
      { chardev, name: name.toUpperCase(), application: 'lpar' },
      { attention: () => this.#attention(), deviceEnd: () => attachment.present(DeviceStatus.deviceEnd), client },
    );
    this.#terminal.open();
  }

  override detached(): void {
    this.#terminal.close();
  }

  #attention(): boolean {
    if (!this.attachment.enabled) return false;
    this.attachment.present(DeviceStatus.attention);
    return true;
  }

  override execute(command: number, transfer: Transfer): number | Promise<number> {
    const known = COMMANDS.get(command);
    if (!known || known.kind === 'none') return super.execute(command, transfer);
    const data = known.kind === 'write' ? taken(transfer) : new Uint8Array(0);
    let status: number | undefined;
    let later: ((status: number) => void) | undefined;
    this.#terminal.command(command, data, ending => {
      status = this.#status(ending, transfer, later === undefined);
      later?.(status);
    });
    if (status !== undefined) return status;
    return new Promise(resolve => {
      later = resolve;
    });
  }

  /** @param initial the command has not been accepted at all */
  #status(ending: Ending, transfer: Transfer, initial: boolean): number {
    if (ending.kind === 'check') {
      this.reject(ending.sense);
      return initial ? DeviceStatus.unitCheck : CHECKED;
    }
    if (ending.data) transfer.give(ending.data);
    return ENDED;
  }

  override halt(): void {
    this.#terminal.cancel();
  }

  override clear(): void {
    this.#terminal.cancel();
  }

  override reset(): void {
    super.reset();
    this.#terminal.reset();
  }

  override save(): Fields {
    return { ...super.save(), occupied: this.#terminal.occupied };
  }

  override load(saved: SavedFields): () => void {
    const loaded = super.load(saved);
    const occupied = saved.flag('occupied');
    return () => {
      loaded();
      this.#terminal.restore(occupied);
    };
  }
}

/** All that the program has for the device. */
function taken(transfer: Transfer): Uint8Array {
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < LONGEST_WRITE) {
    const piece = transfer.take(CHUNK);
    pieces.push(piece);
    length += piece.length;
    if (piece.length < CHUNK) break;
  }
  if (pieces.length === 1) return pieces[0]!;
  const data = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    data.set(piece, at);
    at += piece.length;
  }
  return data;
}
