/** Operation codes without an instruction: the operation exception, one row for each instruction length. */

import { k32 } from '../ir/expr.ts';
import { OPERATION } from '../program.ts';
import type { Format } from './formats.ts';
import { type Instruction, insn } from './insn.ts';

const invalid = (length: number): Instruction => {
  const format: Format = { name: `invalid${length}`, length, fields: {}, syntax: '' };
  return insn(`INVALID${length}`, 0, format, 'z', i => i.programIf(k32(1), OPERATION));
};

export const invalidInstructions: readonly Instruction[] = [invalid(2), invalid(4), invalid(6)];

export const invalidInstruction = (firstByte: number): Instruction =>
  invalidInstructions[firstByte < 0x40 ? 0 : firstByte < 0xc0 ? 1 : 2]!;
