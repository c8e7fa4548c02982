/**
 * Counts what a bare program does on lpar's CPU, in this process: instructions by the counted interpreter, and how often
 * the engine must be asked.
 */
import { Cpu } from '../src/cpu/cpu.ts';
import { instructions } from '../src/cpu/isa/index.ts';
import { PSW_BA, PSW_EA } from '../src/cpu/registers.ts';
import { FUEL, PENDING, planLayout } from '../src/cpu/state.ts';
import { Storage } from '../src/machine/storage.ts';
import { RESULTS, withParameters } from './compile.ts';

const SLICE = 10_000_000;
const ENTRY = 0x10000;
/** BRASL, by which the start-up code calls the measuring loop; what follows ends the count. */
const CALL = [0xc0, 0xe5];

export interface Counts {
  instructions: number;
  /** TLB misses of operands and instructions. */
  misses: number;
  /** Instructions that had to be decoded. */
  decoded: number;
  checksum: string;
}

async function total(image: string, rounds: number, dat: boolean): Promise<Counts> {
  const layout = planLayout(1, 64 << 20);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const storage = new Storage(memory, layout);
  const cpu = new Cpu(storage, 0, instructions);
  const bytes = await withParameters(image, rounds, dat);
  const end = bytes.indexOf(Buffer.from(CALL), ENTRY) + 6;
  // An operation exception with a program-new PSW that no instruction is at.
  bytes.writeUInt16BE(0, end);
  storage.write(0, bytes);
  cpu.setPsw(PSW_EA | PSW_BA, BigInt(ENTRY));
  cpu.counted = true;
  const counts: Counts = { instructions: 0, misses: 0, decoded: 0, checksum: '' };
  const { fill } = cpu.dat;
  cpu.dat.fill = (...args) => {
    counts.misses++;
    return fill.apply(cpu.dat, args);
  };
  const { write } = cpu.code;
  cpu.code.write = (...args) => {
    counts.decoded++;
    return write.apply(cpu.code, args);
  };
  while (cpu.pswAddress >= BigInt(ENTRY)) {
    cpu.setField32(FUEL, SLICE);
    cpu.setField32(PENDING, 0);
    cpu.step();
    counts.instructions += SLICE - Math.max(cpu.field32(FUEL), 0);
  }
  counts.checksum = storage.read64(RESULTS).toString(16).padStart(16, '0');
  return counts;
}

/** What one round does after the first. */
export async function countRound(image: string, dat: boolean): Promise<Counts> {
  const once = await total(image, 1, dat);
  const twice = await total(image, 2, dat);
  return {
    instructions: twice.instructions - once.instructions,
    misses: twice.misses - once.misses,
    decoded: once.decoded,
    checksum: once.checksum,
  };
}
