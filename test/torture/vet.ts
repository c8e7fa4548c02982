/**
 * Looks at a case before it is run for good: executes it one instruction at a time in this process, to take out what
 * would lead away from the program, what does not come to an end, and what the peer is known to do differently; and
 * counts what the case covers.
 */

import { operandsOf } from '../../src/cpu/isa/decode.ts';
import type { Instruction, Operands } from '../../src/cpu/isa/insn.ts';
import { PSW_BA, PSW_EA } from '../../src/cpu/registers.ts';
import { type Case, type Item, type Placed, place } from './case.ts';
import type { Coverage } from './coverage.ts';
import { disagreement, endingDisagreement, type Knowledge, outcomesOf } from './disagreements.ts';
import { isBrokenOff, mayOccur } from './generate.ts';
import { ENDED, WINDOW, WINDOW_SIZE } from './layout.ts';
import { FUEL, type Lpar } from './lpar.ts';
import type { Laid } from './peer.ts';

/** An instruction about to be executed. */
export interface Step {
  readonly address: number;
  readonly row: Instruction;
  readonly operands: Operands;
  readonly lpar: Lpar;
  readonly test: Case;
  /** As the target of EXECUTE. */
  readonly executed: boolean;
}

const READ_6 = (bytes: Uint8Array, at: number): [number, number] => {
  const byte = (n: number): number => bytes[at + n] ?? 0;
  return [(byte(0) << 8) | byte(1), ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0];
};

const inWindow = (address: number): boolean => address >= WINDOW && address < WINDOW + WINDOW_SIZE;

/**
 * The case without its troublesome instructions; undefined when nothing is left.
 * @param known told the reason of each disagreement that is avoided
 */
export function vet(
  lpar: Lpar,
  knowledge: Knowledge,
  test: Case,
  coverage: Coverage,
  known: (reason: string) => void,
): Laid | undefined {
  if (knowledge.impossible?.(test)) return undefined;
  const path: Path = { addresses: [], noted: [] };
  coverage.forget(0);
  for (let candidate = test; candidate.items.length; ) {
    const placed = place(candidate);
    const trouble = placed
      ? firstTrouble(lpar, knowledge, candidate, placed, path, coverage, known)
      : candidate.items.length - 1;
    if (trouble === undefined) {
      coverage.keep();
      const laid = { test: candidate, placed: placed! };
      // Looking at operands has set reference bits.
      return lpar.keys ? laid : { ...laid, ours: lpar.left(lpar.ended()) };
    }
    // The peer will not see what this has stored.
    if (!lpar.isSound()) lpar.renew(lpar.pools);
    // What comes before it will do the same again; a branch over it may become one to the next instruction.
    const first = Object.keys(candidate.items[trouble - 1]?.to ?? {}).length ? trouble - 1 : trouble;
    const same = path.addresses.findIndex(address => !placed || address >= placed.addresses[first]!);
    if (same >= 0) {
      coverage.forget(path.noted[same]!);
      path.addresses.length = path.noted.length = same;
    }
    candidate = without(candidate, trouble);
    if (isBrokenOff(candidate.items)) return undefined;
  }
  return undefined;
}

/** What has been executed of a case and is known to be good: where, and how much had been noted before each instruction. */
interface Path {
  readonly addresses: number[];
  readonly noted: number[];
}

/** A case without one of its instructions. Branches to it lead to the one that follows. */
export function without(test: Case, index: number): Case {
  const earlier = (n: number): number => (n > index ? n - 1 : n);
  const items = test.items
    .filter((_, n) => n !== index)
    .map(
      (item): Item =>
        item.to ? { ...item, to: Object.fromEntries(Object.entries(item.to).map(([k, v]) => [k, earlier(v)])) } : item,
    );
  const { pointer } = test;
  return pointer ? { ...test, items, pointer: [pointer[0], earlier(pointer[1])] } : { ...test, items };
}

/** Index of the first instruction that is to be taken out; what is executed before is added to the path. */
function firstTrouble(
  lpar: Lpar,
  knowledge: Knowledge,
  test: Case,
  placed: Placed,
  path: Path,
  coverage: Coverage,
  known: (reason: string) => void,
): number | undefined {
  lpar.load(test, placed);
  const { addresses } = path;
  for (let n = 0; n < addresses.length; n++) lpar.run(1);
  const been = new Set(addresses);
  let last = Math.max(placed.addresses.indexOf(addresses.at(-1) ?? 0), 0);
  for (let executed = addresses.length; ; executed++) {
    const address = Number(lpar.cpu.pswAddress);
    addresses.push(address);
    path.noted.push(coverage.noted);
    const index = placed.addresses.indexOf(address);
    if (executed === FUEL) return index < 0 ? last : Math.min(index, test.items.length - 1);
    // At the end, or at zeros beside the program, there is the operation exception. Anything else was led astray.
    const inProgram = index >= 0 && index < test.items.length;
    if (!inProgram && !(inWindow(address) && lpar.storage.read16(address) === 0)) return last;
    let steps: readonly Step[] = [];
    if (inProgram) {
      last = index;
      if (isChanged(lpar, placed, address, test.items[index]!.row)) return index;
      const met = stepsOf(lpar, test, placed, address);
      // EXECUTE may make another instruction of its target.
      if (!met || met.some(({ row }) => knowledge.has?.(row) === false)) return index;
      steps = met;
      for (const step of steps) {
        const reason = disagreement(knowledge, step);
        if (reason === undefined) continue;
        known(reason);
        return index;
      }
      for (const step of steps) coverage.before(step, been.has(address));
      been.add(address);
    }
    const step = steps.at(-1);
    const outcomes = step ? outcomesOf(knowledge, step) : [];
    const before = outcomes.length ? Array.from({ length: 16 }, (_, n) => lpar.cpu.gr(n)) : [];
    const ended = lpar.run(1);
    const code = ended === ENDED.program ? lpar.storage.read16(0x8e) & 0x7f : 0;
    // EXECUTE's own exceptions are not its target's.
    if (step) coverage.after(step, code, lpar.cpu.cc);
    if (!ended) {
      const reason = outcomes.find(({ when }) => when(step!, before))?.reason;
      if (reason === undefined) continue;
      known(reason);
      return index;
    }
    if (!lpar.isSound()) return last;
    if (ended !== ENDED.program || !steps.length) return undefined;
    const reason = endingDisagreement(knowledge, step!, code, lpar.storage.read64(0x158));
    if (reason !== undefined) known(reason);
    else if (!isInTheWay(test, last)) return undefined;
    return last;
  }
}

/** Most exceptions of instructions for which the case was not made would only keep others from being executed. */
function isInTheWay({ focus, items, number }: Case, index: number): boolean {
  if (!focus || index === items.length - 1 || (number + index) % 4 === 0) return false;
  const { row, target } = items[index]!;
  return row !== focus && target?.row !== focus;
}

/** The program has changed this instruction. */
function isChanged(lpar: Lpar, { bytes }: Placed, address: number, { format }: Instruction): boolean {
  const now = lpar.storage.read(address, format.length);
  return now.some((byte, n) => byte !== bytes[address - WINDOW + n]);
}

/** The instruction at an address, and the target if it is EXECUTE; undefined when the target is none of the program's. */
function stepsOf(lpar: Lpar, test: Case, placed: Placed, address: number): Step[] | undefined {
  const { decoder } = lpar.cpu;
  const text = READ_6(placed.bytes, address - WINDOW);
  const row = decoder.decode(...text)!;
  const operands = operandsOf(row.format, ...text);
  const step: Step = { address, row, operands, lpar, test, executed: false };
  const at = executeTarget(step, address);
  if (at === undefined) return [step];
  if (at & 1) return [step];
  if (!inWindow(at)) return undefined;
  const item = [...placed.targets].find(([, where]) => where === at)?.[0];
  if (!item || isChanged(lpar, placed, at, item.row)) return undefined;
  const target = READ_6(placed.bytes, at - WINDOW);
  if (operands.r1) target[0] |= lpar.cpu.gr32(operands.r1) & 0xff;
  const targetRow = decoder.decode(...target);
  // What is not implemented here may be there.
  if (!targetRow || !mayOccur(targetRow)) return undefined;
  return [
    step,
    { address: at, row: targetRow, operands: operandsOf(targetRow.format, ...target), lpar, test, executed: true },
  ];
}

/** Address of EXECUTE's target. */
function executeTarget({ row, operands, lpar }: Step, address: number): number | undefined {
  if (row.mnemonic === 'EXRL') return address + 2 * operands.h2!;
  if (row.mnemonic !== 'EX') return undefined;
  return Number(effectiveAddress(lpar, operands, 2));
}

/** Address of a storage operand by base, index and displacement, in the addressing mode. */
export function effectiveAddress(lpar: Lpar, operands: Operands, operand: number): bigint {
  const { cpu } = lpar;
  const register = (name: string): bigint => (operands[name] ? cpu.gr(operands[name]) : 0n);
  const sum = register(`b${operand}`) + register(`x${operand}`) + BigInt(operands[`d${operand}`] ?? 0);
  const mask = cpu.pswMask;
  return BigInt.asUintN(mask & PSW_EA ? 64 : mask & PSW_BA ? 31 : 24, sum);
}
