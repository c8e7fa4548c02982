/** Measurement blocks, which are updated when a start function ends (PoP ch. 17, "Channel-Subsystem Monitoring"). */

import type { Storage } from '../machine/storage.ts';
import { ChannelCheck, KeyedStorage } from './data.ts';
import { type ChannelTable, SCHIB } from './table.ts';

/** Times are kept in units of 128 microseconds. */
const UNIT = 0.128;
/** Path-management control: blocks of format 1, whose address is in the subchannel-information block. */
const FORMAT_1 = 4;
const BLOCK_UPDATE = 0x0010_0000;

/** Counts a start function that has ended. @param connected milliseconds that it took */
export function measure(table: ChannelTable, slot: number, storage: Storage, connected: number): void {
  const { updates, times, key, origin } = table.monitor;
  if (!updates || !(table.flags(slot) & BLOCK_UPDATE)) return;
  const time = times ? Math.round(connected / UNIT) : 0;
  const extended = (table.read32(slot, SCHIB + 24) & FORMAT_1) !== 0;
  const address = extended
    ? table.read32(slot, SCHIB + 40) * 2 ** 32 + table.read32(slot, SCHIB + 44)
    : origin + 32 * (table.read32(slot, SCHIB + 12) >>> 16);
  try {
    // Where it cannot be stored, the block stays as it is.
    update(new KeyedStorage(storage, key), address, extended, time);
  } catch (error) {
    if (!(error instanceof ChannelCheck)) throw error;
  }
}

/** Counts of functions and of samples, and the device-connect time: of 16, 16 and 32 bits, or of 32 each. */
function update(storage: KeyedStorage, address: number, extended: boolean, time: number): void {
  const block = storage.read(address, extended ? 12 : 8);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  if (extended) {
    for (const at of [0, 4]) view.setUint32(at, view.getUint32(at) + 1);
    view.setUint32(8, view.getUint32(8) + time);
  } else {
    for (const at of [0, 2]) view.setUint16(at, view.getUint16(at) + 1);
    view.setUint32(4, view.getUint32(4) + time);
  }
  storage.write(address, block);
}
