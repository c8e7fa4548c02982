/**
 * Channel programs and functions at random: whatever a program does, the channel subsystem must come back to where a clear
 * function and a plain program work, and status must be one that software can understand.
 */

import { DeviceStatus, ENDED } from '../../src/css/control-unit.ts';
import { DATA, PROGRAM, SUBCHANNEL, TestChannels } from '../../src/css/testing.ts';
import type { Random } from '../torture/random.ts';
import type { Target } from './target.ts';

const COMMANDS = [0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x08, 0x0c, 0x11, 0x31, 0xe4, 0xff];
const FLAGS = [0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xff];
const STATUS = [ENDED, ENDED, ENDED, 0x4c, 0x0e, 0x0d, 0x02, 0x10, 0x08, 0x80, 0x00];
const ORB_BITS = [
  0x0800_0000, 0x0040_0000, 0x0020_0000, 0x0008_0000, 0x0002_0000, 0x0003_0000, 0x80, 0x40, 0x3000_0000,
];

const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

/** One for all cases: making storage takes far longer than a case. A case leaves it as it was. */
let channels: TestChannels | undefined;

function address(random: Random): number {
  return random.chance(0.1)
    ? random.pick([0, 0x7fff_fff8, 0x8000_0000, 0x20_0000, 0x1f_ffff])
    : random.pick([PROGRAM, DATA, DATA + 0x7fc]) + 8 * random.below(12) + (random.chance(0.1) ? random.below(8) : 0);
}

function write(m: TestChannels, random: Random): void {
  for (let n = 0; n < 12; n++) {
    const code = random.pick(COMMANDS);
    const count = code === 0x08 && !random.chance(0.1) ? 0 : random.pick([0, 1, 1, 2, 7, 8, 64, 0xffff]);
    const flags = count === 0 && code === 0x08 ? 0 : random.pick(FLAGS);
    m.ccws(PROGRAM + 8 * n, [code, flags, count, address(random)]);
    // Words of lists.
    m.storage.write32(DATA + 8 * n, random.chance(0.5) ? 0 : address(random));
    m.storage.write32(DATA + 8 * n + 4, address(random));
  }
}

function act(m: TestChannels, random: Random): void {
  const orb = 0x0080_ff00 ^ (random.chance(0.2) ? 0x0080_0000 : 0);
  const bits = ORB_BITS.filter(() => random.chance(0.2)).reduce((sum, bit) => sum | bit, 0);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      m.cpu.start(SUBCHANNEL, m.orb((orb | bits) >>> 0, address(random) & ~(random.chance(0.9) ? 7 : 0)));
      break;
    case 3:
      m.cpu.halt(SUBCHANNEL);
      break;
    case 4:
      m.cpu.clear(SUBCHANNEL);
      break;
    case 5:
      m.cpu.resume(SUBCHANNEL);
      break;
    case 6:
      m.cpu.cancel(SUBCHANNEL);
      break;
    case 7:
      m.unit.present(random.pick([0, DeviceStatus.attention, DeviceStatus.deviceEnd, 0x86]));
      break;
    default:
      m.modify(random.chance(0.5), random.chance(0.8));
  }
  if (random.chance(0.7)) m.work(random.below(4));
  const tested = m.cpu.test(SUBCHANNEL);
  if (!tested) return;
  const control = new DataView(tested.irb.buffer, tested.irb.byteOffset).getUint32(0);
  check(((control & 1) !== 0) === (tested.cc === 0), 'status pending and condition code differ');
  check((control & 0x1f) !== 0x07 || !(control & 0x00c0), 'ended and active');
}

function run(random: Random): void {
  channels ??= new TestChannels();
  const m = channels;
  m.modify();
  for (const code of COMMANDS) {
    m.unit.answers.set(code, () => ({
      status: random.pick(STATUS),
      ...(code & 1 ? { take: random.below(80) } : { give: Array(random.below(80)).fill(code) }),
    }));
  }
  write(m, random);
  for (let n = 1 + random.below(6); n > 0; n--) act(m, random);

  // Software takes the subchannel back.
  m.unit.answers.clear();
  m.unit.log.length = 0;
  while (m.modify() !== 0) {
    m.cpu.clear(SUBCHANNEL);
    m.work(1000);
    check(m.test().control % 2 === 1, 'a clear function does not end');
  }
  // Status that has waited comes when what was before it has been looked at.
  do m.work();
  while (m.test().cc === 0);
  m.work();
  while (m.test().cc === 0);
  m.ccws(PROGRAM, [0xe4, 0, 7, DATA]);
  const cc = m.start();
  check(cc === 0, `a program cannot be started: ${cc}`);
  const { device, channel, control } = m.test();
  check(device === ENDED && channel === 0 && (control & 0x1f) === 7, `a plain program ends with ${device} ${channel}`);
  check(m.cpu.testPending(0xff) === undefined, 'an interruption stays that nobody has asked for');
}

export const css: Target = { name: 'css', run };
