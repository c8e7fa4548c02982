/** What a CPU tells of itself and its configuration: facilities, system information, cache attributes (PoP ch. 10). */

import { ebcdicText } from '../../ebcdic.ts';
import type { Cpu } from '../cpu.ts';
import type { SystemInformation } from '../environment.ts';
import type { Operands } from '../isa/insn.ts';
import { alignedAddress, operandAddress, specify } from './operands.ts';

const STFL_AT = 0xc8;

/** The facility list: bit 0 is the leftmost of the first byte. */
export function facilityList(facilities: ReadonlySet<number>): Uint8Array<ArrayBuffer> {
  const last = Math.max(63, ...facilities);
  const list = new Uint8Array((Math.floor(last / 64) + 1) * 8);
  for (const bit of facilities) list[bit >>> 3]! |= 0x80 >>> (bit & 7);
  return list;
}

export function storeFacilityList(cpu: Cpu): void {
  const list = facilityList(cpu.environment.facilities);
  cpu.interruptions.store32(STFL_AT, new DataView(list.buffer).getUint32(0));
}

export function storeFacilityListExtended(cpu: Cpu, operands: Operands): void {
  const address = alignedAddress(cpu, operands, 8);
  const list = facilityList(cpu.environment.facilities);
  const room = (cpu.gr32(0) & 0xff) + 1;
  const doublewords = list.length / 8;
  cpu.access.writeBytes(address, list.subarray(0, Math.min(room, doublewords) * 8), operands.b2!);
  cpu.setGr32(0, ((cpu.gr32(0) & ~0xff) | (doublewords - 1)) >>> 0);
  cpu.cc = room < doublewords ? 3 : 0;
}

// STORE SYSTEM INFORMATION

const TOPOLOGY = 15;

/** A block of text in EBCDIC and binary numbers. */
class Block {
  readonly bytes = new Uint8Array(4096);
  readonly #view = new DataView(this.bytes.buffer);

  text(at: number, text: string, length: number): this {
    this.bytes.set(ebcdicText(text, length), at);
    return this;
  }
  half(at: number, ...values: number[]): this {
    for (const [n, value] of values.entries()) this.#view.setUint16(at + 2 * n, value);
    return this;
  }
  word(at: number, value: number): this {
    this.#view.setUint32(at, value);
    return this;
  }
  byte(at: number, value: number): this {
    this.bytes[at] = value;
    return this;
  }
}

/** Capability of a CPU, in units that the manual leaves open; and how much of it the partition has: all, in thousandths. */
const CAPABILITY = 0x443a_fc29;
const ALL = 1000;
/** The partition's CPUs are its own. */
const DEDICATED = 0x80;
const UTF8 = 2;

/** The system-information block of levels 1 to 3, or undefined where there is none. */
function systemInformation(
  information: SystemInformation,
  level: number,
  selector1: number,
  selector2: number,
  cpuAddress: number,
): Uint8Array | undefined {
  if (level > information.level) return undefined;
  const { configured, standby, reserved } = information.cpus();
  const counts = [configured + standby + reserved, configured, standby, reserved];
  const block = new Block();
  switch ((level << 16) | (selector1 << 8) | selector2) {
    case 0x10101:
      block
        .text(32, information.manufacturer, 16)
        .text(48, information.type, 4)
        .text(64, information.model, 16)
        .text(80, information.sequence, 16)
        .text(96, information.plant, 4);
      return block.bytes;
    case 0x10201:
      block.text(80, information.sequence, 16).text(96, information.plant, 4).half(102, cpuAddress);
      return block.bytes;
    case 0x10202:
      return block.word(32, CAPABILITY).half(36, ...counts).bytes;
    case 0x20201:
      block.text(80, information.sequence, 16).text(96, information.plant, 4).half(100, cpuAddress, cpuAddress);
      return block.bytes;
    case 0x20202:
      block
        .half(32, information.partitionNumber)
        .byte(35, DEDICATED)
        .half(36, ...counts);
      block.text(44, information.partition, 8).word(52, ALL).half(72, configured);
      return block.bytes;
    case 0x30202: {
      // One virtual machine; its long name in UTF-8.
      block
        .byte(31, 1)
        .half(36, ...counts)
        .text(44, information.name, 8)
        .word(52, ALL);
      block.text(56, information.controlProgram, 16).byte(75, UTF8);
      block.bytes.set(information.uuid, 80);
      block.bytes.set(new TextEncoder().encode(information.longName).subarray(0, 255), 2048);
      return block.bytes;
    }
    default:
      return undefined;
  }
}

export function storeSystemInformation(cpu: Cpu, operands: Operands): void {
  const { information, topology } = cpu.environment;
  const code = cpu.gr32(0);
  const selectors = cpu.gr32(1);
  const level = code >>> 28;
  if (level > information.level && !(level === TOPOLOGY && topology)) {
    cpu.cc = 3;
    return;
  }
  specify((code & 0x0fff_ff00) === 0 && selectors >>> 16 === 0);
  if (level === 0) {
    cpu.setGr32(0, (information.level << 28) >>> 0);
    cpu.cc = 0;
    return;
  }
  const address = operandAddress(cpu, operands);
  specify((address & 0xfffn) === 0n);
  const selector1 = code & 0xff;
  const selector2 = selectors & 0xffff;
  const block =
    level === TOPOLOGY
      ? selector1 === 1
        ? topology!.describe(selector2)
        : undefined
      : systemInformation(information, level, selector1, selector2, cpu.number);
  if (block) cpu.access.writeBytes(address, block, operands.b2!);
  cpu.cc = block ? 0 : 3;
}

/** EXTRACT CPU ATTRIBUTE: the caches that z14 tells of. Operand address: attribute, level and kind of cache. */
export function extractCpuAttribute(cpu: Cpu, operands: Operands): void {
  const address = Number(operandAddress(cpu, operands) & 0xff_ffffn);
  const attribute = (address >>> 4) & 0xf;
  const level = (address >>> 1) & 7;
  const isInstruction = (address & 1) !== 0;
  let value = 0xffff_ffff_ffff_ffffn;
  if (address < 0x100) {
    if (attribute === 0) {
      // Topology summary, two bits scope (private 1, shared 2) and two bits type (separate 1, unified 3) a level.
      value = 0x0404_0b0b_0000_0000n;
    } else if (level < 4) {
      const size = [128, 4096, 131072, 688128][level]! * 1024;
      const ways = [8, 8, 32, 42][level]!;
      if (attribute === 1) value = 256n;
      else if (attribute === 2) value = BigInt(level === 1 && isInstruction ? 2 * 1024 * 1024 : size);
      else if (attribute === 3) value = BigInt(ways);
    }
  }
  cpu.setGr(operands.r1!, value);
}
