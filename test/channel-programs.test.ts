/**
 * Channel programs, as a program on the CPU starts, halts, clears, suspends, resumes and cancels them, against a control
 * unit that answers what it is told to (Principles of Operation, chapters 13 to 16). Each story says what the control unit
 * has been told, what the CPU does, what it is told of it - condition codes, interruptions and interruption-response
 * blocks - and what reaches the control unit and storage.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Answer } from '../src/css/testing.ts';
import { ChannelMachine, Orb, type Story } from './support/channel-machine.ts';

const [CD, CC, SLI, SKIP, PCI, IDA, SUSPEND, MIDA] = [0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01];
/** Device status: with channel end and device end, the bits of unit check, unit exception, status modifier. */
const [UNIT_CHECK, UNIT_EXCEPTION, MODIFIED] = [0x0e, 0x0d, 0x4c];

/** A format-1 CCW. */
const ccw = (code: number, flags: number, count: number, address: string | number = 'buffer'): string =>
  `.byte ${code},${flags}; .short ${count}; .long ${address}`;
/** A format-0 CCW. */
const ccw0 = (code: number, flags: number, count: number, address: string | number = 'buffer'): string =>
  `.long ${code * 0x100_0000}+${address}; .byte ${flags},0; .short ${count}`;
const program = (...ccws: readonly string[]): string =>
  `ccws:\n${ccws.join('\n')}\n.balign 256\nbuffer: .skip 64,0xee\n.balign 256\n`;

interface Case extends Partial<Story> {
  readonly told: readonly string[];
  readonly heard?: readonly string[];
  /** Storage afterwards, by labels. */
  readonly storage?: Readonly<Record<string, string>>;
}

const plain = ['ssch', 'wait', 'tsch'];
/** What a program is told that has been started, has waited and looked. */
const ended = (response: string): string[] => ['ssch 0', 'interruption cafe', `tsch: start, ${response}`];
const good = (rest: string): string[] => ended(`primary secondary pending, CE DE, ${rest}`);
const alert = (rest: string): string[] => ended(`alert primary secondary pending, ${rest}`);

const read: Answer = { give: [1, 2, 3, 4] };
const write: Answer = { take: 4 };

const stories: Record<string, Case> = {
  // One command
  'sense ID is answered, and the status can be had once': {
    data: program(ccw(0xe4, 0, 7)),
    steps: [...plain, 'tsch'],
    told: [...good('0, +8'), 'tsch 1'],
    storage: { buffer: 'ff123401567802ee' },
  },
  'format-0 CCWs': {
    orb: 0,
    data: program(ccw0(0xe4, 0, 7)),
    told: good('0, +8'),
    storage: { buffer: 'ff123401567802ee' },
  },
  'a command that the control unit does not know: unit check, and sense that says so': {
    data: program(ccw(0x17, SLI | CC, 1), ccw(0x04, 0, 32)),
    steps: [...plain, 'larl %r2,ccws+8; st %r2,orb-data+8(%r13)', ...plain],
    told: [...alert('CE DE UC, 1, +8'), ...good('0, +10')],
    storage: { buffer: '8000' },
  },
  'concurrent sense': {
    data: program(ccw(0x17, SLI, 1)),
    steps: ['mvi schib-data+27(%r13),1', 'msch', ...plain],
    told: ['msch 0', ...alert('CE DE UC, 1, +8, sense 8000')],
  },

  // Lengths
  'the program expects more than there is: incorrect length': {
    data: program(ccw(2, 0, 6)),
    unit: { 2: read },
    told: alert('CE DE, IL, 2, +8'),
    storage: { buffer: '01020304eeee' },
  },
  'the device has more than is expected: incorrect length': {
    data: program(ccw(2, 0, 3)),
    unit: { 2: read },
    told: alert('CE DE, IL, 0, +8'),
    storage: { buffer: '010203ee' },
  },
  'incorrect length is suppressed': {
    data: program(ccw(2, SLI | CC, 6), ccw(2, SLI, 3)),
    unit: { 2: read },
    told: good('0, +10'),
  },
  'incorrect length ends a chain of commands': {
    data: program(ccw(2, CC, 6), ccw(3, 0, 1)),
    unit: { 2: read },
    told: alert('CE DE, IL, 2, +8'),
    heard: ['02'],
  },
  'an immediate operation with a count: told in format 1, unless the block suppresses it': {
    data: program(ccw(3, 0, 1)),
    told: alert('CE DE, IL, 1, +8'),
  },
  'an immediate operation with a count and length-suppression mode': {
    orb: Orb.format1 | Orb.immediateLength,
    data: program(ccw(3, 0, 1)),
    told: good('1, +8'),
  },
  'an immediate operation in format 0 tells no length': {
    orb: 0,
    data: program(ccw0(3, 0, 1)),
    told: good('1, +8'),
  },
  'a count of zero for an immediate operation': { data: program(ccw(3, 0, 0, 0)), told: good('0, +8') },

  // Chains
  'commands are chained': {
    data: program(ccw(1, CC, 4), ccw(5, CC, 4), ccw(2, 0, 4)),
    unit: { 1: write, 5: write, 2: read },
    told: good('0, +18'),
    heard: ['01:eeeeeeee', '05:eeeeeeee', '02'],
    storage: { buffer: '01020304' },
  },
  'data are chained when reading': {
    data: program(ccw(2, CD, 1), ccw(0, CD, 2, 'buffer+8'), ccw(0, 0, 1, 'buffer+16')),
    unit: { 2: read },
    told: good('0, +18'),
    heard: ['02'],
    storage: { buffer: '01eeeeeeeeeeeeee0203eeeeeeeeeeee04ee' },
  },
  'data are chained when writing, and the command chained behind them': {
    data: `${program(ccw(1, CD, 1), ccw(0, CC, 3, 'text'), ccw(3, SLI, 1))}text: .byte 1,2,3`,
    unit: { 1: write },
    told: good('1, +18'),
    heard: ['01:ee010203'],
  },
  'the device ends within chained data: incorrect length, even if that is suppressed with the CCW': {
    data: program(ccw(2, CD | SLI, 2), ccw(0, CD | SLI, 8, 'buffer+8'), ccw(0, 0, 1)),
    unit: { 2: read },
    told: alert('CE DE, IL, 6, +10'),
  },
  'parts of what is read are skipped': {
    data: program(ccw(2, CD | SKIP, 1), ccw(0, CD, 2), ccw(0, SKIP, 1, 'buffer+8')),
    unit: { 2: read },
    told: good('0, +18'),
    storage: { buffer: '0203eeeeeeeeeeeeeeee' },
  },
  'a transfer in channel, and back': {
    data: `${program(ccw(1, CC, 4), ccw(8, 0, 0, 'more'), ccw(2, 0, 4))}
      more: ${ccw(3, CC | SLI, 1)}\n${ccw(8, 0, 0, 'ccws+16')}`,
    unit: { 1: write, 2: read },
    told: good('0, +18'),
    heard: ['01:eeeeeeee', '02'],
  },
  'a transfer in channel between chained data': {
    data: `${program(ccw(2, CD, 2), ccw(8, 0, 0, 'more'))}more: ${ccw(0, 0, 2, 'buffer+8')}`,
    unit: { 2: read },
    told: good('0, +208'),
    storage: { buffer: '0102eeeeeeeeeeee0304' },
  },
  'the status modifier passes over a CCW: a loop that searches': {
    data: program(ccw(0x31, CC, 4), ccw(8, 0, 0, 'ccws'), ccw(2, 0, 4)),
    unit: { 49: counted(3, { take: 4 }, { take: 4, status: MODIFIED }), 2: read },
    told: good('0, +18'),
    heard: ['31:eeeeeeee', '31:eeeeeeee', '31:eeeeeeee', '02'],
  },

  // Indirect addresses
  'format-1 indirect-data-address words: blocks of 2 KiB': {
    data: `${program(ccw(2, IDA, 4, 'list'))}list: .long block-1,other
      .balign 2048\n.skip 2048,0xee\nblock: .skip 2048,0xee\nother: .skip 8,0xee`,
    unit: { 2: read },
    told: good('0, +8'),
    storage: { 'block-1': '01ee', other: '020304ee' },
  },
  'format-2 indirect-data-address words: blocks of 4 KiB': {
    orb: Orb.format1 | Orb.idaw2,
    data: `${program(ccw(2, IDA, 4, 'list'))}list: .quad block-3,other
      .balign 4096\n.skip 4096,0xee\nblock: .skip 4096,0xee\nother: .skip 8,0xee`,
    unit: { 2: read },
    told: good('0, +8'),
    storage: { 'block-3': '010203ee', other: '04ee' },
  },
  'format-2 indirect-data-address words: blocks of 2 KiB': {
    orb: Orb.format1 | Orb.idaw2k,
    data: `${program(ccw(2, IDA, 4, 'list'))}list: .quad block-2,other
      .balign 2048\n.skip 2048,0xee\nblock: .skip 2048,0xee\nother: .skip 8,0xee`,
    unit: { 2: read },
    told: good('0, +8'),
    storage: { 'block-2': '0102ee', other: '0304ee' },
  },
  'a second indirect-data-address word that does not begin a block: program check when it is reached': {
    data: `${program(ccw(2, IDA, 4, 'list'))}list: .long block-1,block+8
      .balign 2048\n.skip 2048,0xee\nblock: .skip 16,0xee`,
    unit: { 2: read },
    told: alert('CE DE, PROG, 3, +8'),
    storage: { 'block-1': '01ee' },
  },
  'modified indirect-data-address words, one of which is skipped': {
    orb: Orb.format1 | Orb.midaw,
    data: `${program(ccw(2, MIDA, 4, 'list'))}list: .quad 1,buffer,0x400001,0,0x800002,buffer+8`,
    unit: { 2: read },
    told: good('0, +8'),
    storage: { buffer: '01eeeeeeeeeeeeee0304' },
  },
  'modified indirect-data-address words that the block does not allow': {
    data: `${program(ccw(2, MIDA, 4, 'list'))}list: .quad 0x800004,buffer`,
    unit: { 2: read },
    told: alert('PROG, 0, +8'),
    heard: [],
  },

  // Interruptions on the way
  'program-controlled interruption, while the program goes on': {
    data: program(ccw(3, CC | SLI, 1), ccw(1, PCI | CC, 4), ccw(2, 0, 4)),
    unit: { 1: { ...write, later: true }, 2: read },
    steps: ['ssch', 'wait', 'tsch', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch'],
    told: [
      'ssch 0',
      'interruption cafe',
      'tsch: start, subchannel-active device-active, intermediate pending, PCI, 4, +10',
      'interruption cafe',
      'tsch: start, primary secondary pending, CE DE, 0, +18',
    ],
  },
  'a program-controlled interruption that nobody looked at comes with the end': {
    data: program(ccw(3, PCI | SLI, 1)),
    steps: ['ssch', '1: stsch 512(%r13); tm 543(%r13),2; jz 1b', 'wait', 'tsch'],
    told: good('1, +8').map(line => line.replace('CE DE', 'CE DE, PCI')),
  },
  'initial status is told where the block asks for it': {
    orb: Orb.format1 | Orb.initial,
    data: program(ccw(1, 0, 4)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'wait', 'tsch', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch'],
    told: [
      'ssch 0',
      'interruption cafe',
      'tsch: start, subchannel-active device-active, intermediate pending, Z, 0, +8',
      'interruption cafe',
      'tsch: start, primary secondary pending, CE DE, 0, +8',
    ],
  },
  'TEST PENDING INTERRUPTION takes the interruption': {
    data: program(ccw(3, SLI, 1)),
    steps: ['ssch', '1: tpi 64(%r13); je 1b', 'tsch', 'tpi'],
    told: ['ssch 0', 'tsch: start, primary secondary pending, CE DE, 1, +8', 'tpi 0'],
  },

  // Suspended
  'suspended, changed by the CPU, and resumed': {
    orb: Orb.format1 | Orb.suspend,
    data: program(ccw(3, CC | SLI, 1), ccw(1, SUSPEND, 4)),
    unit: { 1: write },
    steps: [...plain, 'larl %r2,ccws; mvi 9(%r2),0', 'rsch', 'wait', 'tsch', 'rsch'],
    told: [
      ...ended('suspended, intermediate pending, 0, +10'),
      'rsch 0',
      'interruption cafe',
      'tsch: start, primary secondary pending, CE DE, 0, +10',
      'rsch 2',
    ],
    heard: ['01:eeeeeeee'],
  },
  'the first CCW suspends, and does so again when nothing has changed': {
    orb: Orb.format1 | Orb.suspend,
    data: program(ccw(1, SUSPEND, 4)),
    steps: [...plain, 'rsch', 'wait', 'tsch', 'xsch', 'tsch', 'xsch'],
    told: [
      ...ended('suspended, intermediate pending, 0, +8'),
      'rsch 0',
      'interruption cafe',
      'tsch: start, suspended, intermediate pending, 0, +8',
      'xsch 0',
      'tsch 1',
      'xsch 2',
    ],
    heard: [],
  },
  'the interruption of a suspension is suppressed': {
    orb: Orb.format1 | Orb.suspend | Orb.quietSuspension,
    data: program(ccw(1, SUSPEND, 4)),
    steps: ['ssch', '1: tsch 512(%r13); tm 515(%r13),0x20; jz 1b', 'hsch', 'wait', 'tsch'],
    told: ['ssch 0', 'hsch 0', 'interruption cafe', 'tsch: start halt, pending, 0, +8'],
  },
  'suspension without suspend control: program check': {
    data: program(ccw(1, SUSPEND, 4)),
    told: alert('PROG, 0, +8'),
  },
  'resumed before it is suspended: the program sees the suspend flag gone and goes on': {
    orb: Orb.format1 | Orb.suspend,
    data: program(ccw(1, CC, 4), ccw(3, SUSPEND | SLI, 1)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'kept', 'larl %r2,ccws; mvi 9(%r2),0x20', 'rsch', 'rsch', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch'],
    told: ['ssch 0', 'rsch 0', 'rsch 2', 'interruption cafe', 'tsch: start, primary secondary pending, CE DE, 1, +10'],
  },
  'resumed before it is suspended, with nothing changed: it is suspended': {
    orb: Orb.format1 | Orb.suspend,
    data: program(ccw(1, CC, 4), ccw(3, SUSPEND | SLI, 1)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'kept', 'rsch', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch', 'csch', 'wait', 'tsch'],
    told: [
      'ssch 0',
      'rsch 0',
      'interruption cafe',
      'tsch: start, suspended, intermediate pending, 0, +10',
      'csch 0',
      'interruption cafe',
      'tsch: clear, pending, 0',
    ],
  },
  'a suspended program is halted': {
    orb: Orb.format1 | Orb.suspend,
    data: program(ccw(1, SUSPEND, 4)),
    steps: [...plain, 'hsch', 'wait', 'tsch', 'tsch'],
    told: [
      ...ended('suspended, intermediate pending, 0, +8'),
      'hsch 0',
      'interruption cafe',
      'tsch: start halt, pending, 0, +8',
      'tsch 1',
    ],
  },
  'RESUME SUBCHANNEL for a program that cannot be suspended, and for one that has ended': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'kept', 'rsch', 'lghi %r3,0x10c', 'tell', 'wait', 'rsch', 'tsch'],
    told: ['ssch 0', 'rsch 2', 'interruption cafe', 'rsch 1', 'tsch: start, primary secondary pending, CE DE, 0, +8'],
  },

  // Before a program begins: the channel subsystem is held
  'a program that has not begun is cancelled': {
    data: program(ccw(3, SLI, 1)),
    steps: ['hold', 'ssch', 'xsch', 'tsch', 'release', ...plain],
    told: ['ssch 0', 'xsch 0', 'tsch 1', ...good('1, +8')],
  },
  'a program that has not begun is halted': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: write },
    steps: ['hold', 'ssch', 'hsch', 'hsch', 'rsch', 'xsch', 'msch', 'release', 'wait', 'tsch', 'tsch'],
    told: [
      'ssch 0',
      'hsch 0',
      'hsch 2',
      'rsch 2',
      'xsch 2',
      'msch 2',
      'interruption cafe',
      'tsch: start halt, pending, 0, +0',
      'tsch 1',
    ],
    heard: [],
  },
  'a halt function that has not begun is cleared': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: write },
    steps: ['hold', 'ssch', 'hsch', 'csch', 'hsch', 'release', 'wait', 'tsch', 'tsch'],
    told: ['ssch 0', 'hsch 0', 'csch 0', 'hsch 2', 'interruption cafe', 'tsch: clear, pending, 0', 'tsch 1'],
    heard: ['clear'],
  },
  'an idle subchannel is halted, and cleared': {
    data: program(),
    steps: ['hsch', 'wait', 'tsch', 'csch', 'wait', 'tsch', 'rsch', 'xsch'],
    told: [
      'hsch 0',
      'interruption 0',
      'tsch: halt, pending, 0',
      'csch 0',
      'interruption 0',
      'tsch: clear, pending, 0',
      'rsch 2',
      'xsch 2',
    ],
  },
  'status pending: nothing begins but a clear function': {
    data: program(ccw(3, SLI, 1)),
    steps: ['ssch', 'wait', 'ssch', 'hsch', 'rsch', 'xsch', 'msch', 'csch', 'wait', 'tsch'],
    told: [
      'ssch 0',
      'interruption cafe',
      'ssch 1',
      'hsch 1',
      'rsch 1',
      'xsch 1',
      'msch 1',
      'csch 0',
      'interruption cafe',
      'tsch: clear, pending, 0',
    ],
  },
  'a program that has begun cannot be cancelled': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'kept', 'xsch', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch'],
    told: ['ssch 0', 'xsch 2', 'interruption cafe', 'tsch: start, primary secondary pending, CE DE, 0, +8'],
  },
  'a program that never ends is halted': {
    data: program(ccw(1, CC, 4), ccw(8, 0, 0, 'ccws')),
    unit: { 1: {} },
    orb: Orb.format1 | Orb.immediateLength,
    steps: ['ssch', 'hsch', 'wait', 'tsch 512(%r13); tm 514(%r13),0x20; jo 1f; .short 0; 1:'],
    told: ['ssch 0', 'hsch 0', 'interruption cafe'],
  },

  // The end in two parts, and by other status
  'channel end, and device end later': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: { ...write, status: 8 } },
    steps: [...plain, 'tsch', 'lghi %r3,4', 'tell', 'wait', 'tsch'],
    told: [
      'ssch 0',
      'interruption cafe',
      'tsch: start, device-active, primary pending, CE, 0, +8',
      'tsch 1',
      'interruption cafe',
      'tsch: secondary pending, DE, 0, +8',
    ],
  },
  'the next command waits for device end': {
    data: program(ccw(1, CC, 4), ccw(2, 0, 4)),
    unit: { 1: { take: 4, status: 8, later: true }, 2: read },
    steps: ['ssch', 'kept', 'lghi %r3,0x108', 'tell', 'lghi %r3,4', 'tell', 'wait', 'tsch'],
    told: good('0, +10'),
    heard: ['01:eeeeeeee', '02'],
  },
  'device end comes at the same moment as channel end': {
    data: program(ccw(1, CC, 4), ccw(2, 0, 4)),
    unit: { 1: { take: 4, status: 8, later: true }, 2: read },
    steps: ['ssch', 'kept', 'hold', 'lghi %r3,0x108', 'tell', 'lghi %r3,4', 'tell', 'release', 'wait', 'tsch'],
    told: good('0, +10'),
    heard: ['01:eeeeeeee', '02'],
  },
  'unit exception ends the chain': {
    data: program(ccw(1, CC, 4), ccw(2, 0, 4)),
    unit: { 1: { ...write, status: UNIT_EXCEPTION } },
    told: alert('CE DE UE, 0, +8'),
    heard: ['01:eeeeeeee'],
  },
  'attention by itself': {
    data: program(),
    steps: ['lghi %r3,0x80', 'tell', 'wait', 'tsch', 'tsch'],
    told: ['interruption 0', 'tsch: alert pending, A, 0', 'tsch 1'],
  },
  'attention while a program runs comes after its end has been looked at': {
    data: program(ccw(1, 0, 4)),
    unit: { 1: { ...write, later: true } },
    steps: ['ssch', 'kept', 'lghi %r3,0x80', 'tell', 'lghi %r3,0x10c', 'tell', 'wait', 'tsch', 'wait', 'tsch'],
    told: [...good('0, +8'), 'interruption cafe', 'tsch: alert pending, A, 0, +8'],
  },

  // Programs that change themselves
  ...Object.fromEntries(
    [0, Orb.prefetch].map(prefetch => [
      `a program that reads its own next CCW${prefetch ? ', prefetching allowed' : ''}`,
      {
        orb: Orb.format1 | prefetch,
        data: program(ccw(2, CC, 4, 'ccws+12'), ccw(0x0e, 0, 4, 0)),
        unit: { 2: { give: [0, 1, 0, 0x48] }, 14: { give: [9, 9, 9, 9] } },
        told: good('0, +10'),
      },
    ]),
  ),
  'a program that reads its own CCW of chained data': {
    data: program(ccw(2, CD, 4, 'ccws+12'), ccw(0, 0, 4, 0)),
    unit: { 2: { give: [0, 1, 0x30, 0, 7, 7, 7, 7] } },
    told: good('0, +10'),
  },

  // Read backward
  'reading backward fills storage from the end': {
    data: program(ccw(0x0c, 0, 4, 'buffer+3')),
    unit: { 12: read },
    told: good('0, +8'),
    storage: { buffer: '04030201ee' },
  },
  'reading backward, with chained data and with indirect addresses': {
    data: `${program(ccw(0x0c, CD, 2, 'buffer+1'), ccw(0, IDA, 2, 'list'))}list: .long block,block-1
      .balign 2048\n.skip 2048,0xee\nblock: .skip 16,0xee`,
    unit: { 12: read },
    told: good('0, +10'),
    storage: { buffer: '0201ee', 'block-2': 'ee0403' },
  },

  // Measurement
  ...Object.fromEntries(
    (['', '0x50000002'] as const).map(keyed => [
      `programs are counted in a measurement block${keyed && ', unless its storage has another key'}`,
      {
        data: `${program(ccw(3, SLI, 1))}block: .skip 64`,
        steps: [
          `lgr %r4,%r1; larl %r2,block; lgfi %r1,${keyed || 2}; schm; lgr %r1,%r4; oi schib-data+5(%r13),0x10`,
          'msch',
          ...plain,
          ...plain,
        ],
        told: ['msch 0', ...good('1, +8'), ...good('1, +8')],
        storage: { block: keyed ? '00000000' : '00020002' },
      },
    ]),
  ),
  'programs are counted in an extended measurement block': {
    data: `${program(ccw(3, SLI, 1))}block: .skip 64`,
    steps: [
      'lgr %r4,%r1; lghi %r1,2; lghi %r2,0; schm; lgr %r1,%r4; larl %r2,block; stg %r2,schib-data+40(%r13)',
      'oi schib-data+5(%r13),0x10; oi schib-data+27(%r13),4',
      'msch',
      ...plain,
      ...plain,
    ],
    told: ['msch 0', ...good('1, +8'), ...good('1, +8')],
    storage: { block: '0000000200000002' },
  },

  // Checks
  'storage is protected by another key': {
    orb: Orb.format1 | Orb.key(3),
    data: program(ccw(2, 0, 4)),
    unit: { 2: read },
    told: [...alert('CE DE, PROT, 4, +8')],
    storage: { buffer: 'eeee' },
  },
  'the key of the program fits': {
    orb: Orb.format1 | Orb.key(3),
    data: program(ccw(2, 0, 4)),
    unit: { 2: read },
    steps: ['larl %r2,buffer; lghi %r3,0x30; sske %r3,%r2', ...plain],
    told: good('0, +8'),
  },
  'data below the address limit, of a subchannel that may have those above only': {
    orb: Orb.format1 | 0x0010_0000,
    data: program(ccw(2, 0, 4)),
    unit: { 2: read },
    steps: ['lgr %r4,%r1; lgfi %r1,0x100000; sal; lgr %r1,%r4; oi schib-data+5(%r13),0x20', 'msch', ...plain],
    told: ['msch 0', ...alert('CE DE, PROG, 4, +8')],
    storage: { buffer: 'eeee' },
  },
  'data below the address limit, of a subchannel that may have those below only': {
    orb: Orb.format1 | 0x0010_0000,
    data: program(ccw(2, 0, 4)),
    unit: { 2: read },
    steps: ['lgr %r4,%r1; lgfi %r1,0x100000; sal; lgr %r1,%r4; oi schib-data+5(%r13),0x40', 'msch', ...plain],
    told: ['msch 0', ...good('0, +8')],
  },
  'the first CCW is a transfer in channel': {
    data: program(ccw(8, 0, 0, 'ccws+8'), ccw(3, 0, 1)),
    told: alert('PROG, 0, +8'),
  },
  'two transfers in channel in a row': {
    data: program(ccw(3, CC | SLI, 1), ccw(8, 0, 0, 'ccws+16'), ccw(8, 0, 0, 'ccws')),
    told: alert('PROG, 0, +18'),
  },
  'a count of zero with data, and an address beyond storage': {
    data: `${program(ccw(2, CD, 0), ccw(0, 0, 1))}far: ${ccw(2, 0, 4, 0x7fff_fff0)}`,
    steps: [...plain, 'larl %r2,ccws; larl %r3,far; mvc 0(8,%r2),0(%r3)', ...plain],
    unit: { 2: read },
    told: [...alert('PROG, 0, +8'), ...alert('CE DE, PROG, 4, +8')],
  },
  'the operation-request block is off its boundary': {
    data: program(),
    steps: ['larl %r14,1f; ssch orb-data+2(%r13); 1:'],
    told: ['program interruption 6'],
  },
};

/** Three commands, of which one is kept by the control unit until it is told to end it. */
const three = (kept: number): Partial<Story> => ({
  data: program(ccw(0x11, CC, 4), ccw(0x21, CC, 4), ccw(0x31, 0, 4)),
  unit: Object.fromEntries([0x11, 0x21, 0x31].map((code, n) => [code, n === kept ? { later: true } : write])),
});
/** Afterwards the subchannel serves another program. */
const again = ['larl %r2,ccws; mvi 0(%r2),3; mvi 1(%r2),0x20', ...plain];
const works = good('4, +8');

for (const n of [0, 1, 2]) {
  const where = `+${(8 * n + 8).toString(16)}`;
  const before = ['11:eeeeeeee', '21:eeeeeeee', '31:eeeeeeee'].slice(0, n);
  const kept = ['11', '21', '31'][n]!;
  stories[`command ${n + 1} is halted: what the device says afterwards is nobody’s`] = {
    ...three(n),
    steps: ['ssch', 'kept', 'ssch', 'hsch', 'wait', 'tsch', 'lghi %r3,0x10c', 'tell', ...again],
    told: [
      'ssch 0',
      'ssch 2',
      'hsch 0',
      'interruption cafe',
      `tsch: start halt, primary secondary pending, CE DE, 4, ${where}`,
      ...works,
    ],
    heard: [...before, kept, 'halt'],
  };
  stories[`command ${n + 1} is cleared`] = {
    ...three(n),
    steps: ['ssch', 'kept', 'csch', 'wait', 'tsch', 'lghi %r3,0x10c', 'tell', ...again],
    told: ['ssch 0', 'csch 0', 'interruption cafe', 'tsch: clear, pending, 0', ...works],
    heard: [...before, kept, 'clear'],
  };
  stories[`unit check at command ${n + 1} ends the chain, sense tells why`] = {
    data: three(n).data!,
    unit: Object.fromEntries(
      [0x11, 0x21, 0x31].map((code, m) => [code, m === n ? { take: 2, status: UNIT_CHECK, sense: [0x40, 9] } : write]),
    ),
    steps: ['mvi schib-data+27(%r13),1', 'msch', ...plain],
    told: ['msch 0', ...alert(`CE DE UC, IL, 2, ${where}, sense 4009`)],
    heard: [...before, `${kept}:eeee`],
  };
  stories[`program check at CCW ${n + 1}: the control unit has not heard of it`] = {
    data: program(...[0, 1, 2].map(m => (m === n ? ccw(0x10, 0, 4) : ccw(0x11, CC, 4)))),
    unit: { 17: write },
    told: alert(`PROG, 0, ${where}`),
    heard: Array(n).fill('11:eeeeeeee'),
  };
}

/** An answer, and another for the so-manieth time. */
function counted(times: number, answer: Answer, last: Answer): () => Answer {
  let n = 0;
  return () => (++n === times ? last : answer);
}

let machine: ChannelMachine;
before(async () => {
  machine = await ChannelMachine.create();
});
after(() => machine?.quit());

for (const [name, { told, heard, storage = {}, ...story }] of Object.entries(stories)) {
  test(name, async () => {
    const outcome = await machine.run({ data: '', steps: plain, ...story });
    assert.deepEqual(outcome.told, told);
    if (heard) assert.deepEqual(outcome.heard, heard);
    for (const [label, hex] of Object.entries(storage)) assert.equal(outcome.hex(label, hex.length / 2), hex, label);
  });
}
