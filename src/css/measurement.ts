/** Measurement blocks, which are updated when a start function ends (PoP ch. 17, "Channel-Subsystem Monitoring"). */

import type { Storage } from '../machine/storage.ts';
import { type ChannelTable, SCHIB } from './table.ts';

/** Times are kept in units of 128 microseconds. */
const UNIT = 0.128;
/** Path-management control: blocks of format 1, whose address is in the subchannel-information block. */
const FORMAT_1 = 4;
const BLOCK_UPDATE = 0x0010_0000;

/** Counts a start function that has ended. @param connected milliseconds that it took */
export function measure(table: ChannelTable, slot: number, storage: Storage, connected: number): void {
  const { updates, times, origin } = table.monitor;
  if (!updates || !(table.flags(slot) & BLOCK_UPDATE)) return;
  const time = times ? Math.round(connected / UNIT) : 0;
  const extended = (table.read32(slot, SCHIB + 24) & FORMAT_1) !== 0;
  const address = extended
    ? table.read32(slot, SCHIB + 40) * 2 ** 32 + table.read32(slot, SCHIB + 44)
    : origin + 32 * (table.read32(slot, SCHIB + 12) >>> 16);
  if (!storage.contains(address, extended ? 64 : 32)) return;
  if (extended) {
    storage.write32(address, storage.read32(address) + 1);
    storage.write32(address + 4, storage.read32(address + 4) + 1);
    storage.write32(address + 8, storage.read32(address + 8) + time);
    return;
  }
  storage.write16(address, storage.read16(address) + 1);
  storage.write16(address + 2, storage.read16(address + 2) + 1);
  storage.write32(address + 4, storage.read32(address + 4) + time);
}
