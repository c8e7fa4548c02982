/** Channel programs as they were executed, for `info channel-programs`. */

import { CcwFlag, OperationRequest } from '../css/channel-program.ts';
import type { CommandRecord, ProgramRecord } from '../css/channel-subsystem.ts';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

const FLAGS = [
  [CcwFlag.chainData, 'CD'],
  [CcwFlag.chainCommand, 'CC'],
  [CcwFlag.anyLength, 'SLI'],
  [CcwFlag.skip, 'SKIP'],
  [CcwFlag.interrupt, 'PCI'],
  [CcwFlag.indirect, 'IDA'],
  [CcwFlag.suspend, 'S'],
  [CcwFlag.modifiedIndirect, 'MIDA'],
] as const;

/** What the rightmost bits of a command say that it does. */
function kind(command: number): string {
  if ((command & 0x0f) === 0x08) return 'TIC';
  if ((command & 0x0f) === 0x04) return 'SENSE';
  if ((command & 0x0f) === 0x0c) return 'READ BACKWARD';
  return ['', 'WRITE', 'READ', 'CONTROL'][command & 3]!;
}

const DEVICE_STATUS = ['ATTN', 'SM', 'CUE', 'BUSY', 'CE', 'DE', 'UC', 'UE'];
const SUBCHANNEL_STATUS = ['PCI', 'IL', 'PGM', 'PROT', 'CDC', 'CCC', 'ICC', 'CHAIN'];

const names = (bits: number, of: readonly string[]): string[] => of.filter((_, n) => bits & (0x80 >> n));

export const statusText = (device: number, subchannel: number): string =>
  [...names(device, DEVICE_STATUS), ...names(subchannel, SUBCHANNEL_STATUS)].join(' ') || 'none';

function commandText({ ccw, data, moved, status }: CommandRecord): string {
  const flags = FLAGS.filter(([bit]) => ccw.flags & bit).map(([, name]) => name);
  const line = [
    `  ${hex(ccw.at, 8)}`,
    hex(ccw.command, 2),
    kind(ccw.command).padEnd(8),
    `${hex(ccw.address, 8)} count ${ccw.count}`,
    flags.join(','),
  ];
  let text = `${line.join('  ').trimEnd()}\n`;
  if (moved > 0)
    text += `            data ${Array.from(data, byte => hex(byte, 2)).join(' ')}${moved > data.length ? ` ... (${moved} bytes)` : ''}\n`;
  if (status) text += `            status ${statusText(status.device, status.subchannel)}, residual ${status.count}\n`;
  return text;
}

/** A program with its commands, data and status. */
export function programText({ orb, commands, ended }: ProgramRecord): string {
  const request = new OperationRequest(orb);
  const head = `ORB: format-${request.format1 ? 1 : 0} CCWs at ${hex(request.program, 8)}, key ${request.key >> 4}`;
  const end = ended ? `  ${ended.how}: ${statusText(ended.device, ended.subchannel)}\n` : '  under way\n';
  return `${head}\n${commands.map(commandText).join('')}${end}`;
}
