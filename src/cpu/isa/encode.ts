/** From row and operands to instruction text: the reverse of decode.ts. */

import { operationCode } from './decode.ts';
import { isLeftPart, suboperation } from './formats.ts';
import type { Instruction, Operands } from './insn.ts';

/**
 * The bytes of an instruction.
 * @param operands fields by name as `operandsOf` gives them (d2 is the whole displacement, signed when long; l1 is the
 *   length code as encoded); fields that are missing are zero, values are cut to their field
 */
export function encode(row: Instruction, operands: Operands): Uint8Array<ArrayBuffer> {
  const { format } = row;
  const { first, extension } = operationCode(row);
  let text = BigInt(first) << 40n;
  const put = (position: number, bits: number, value: number): void => {
    text |= BigInt.asUintN(bits, BigInt(value)) << BigInt(48 - position - bits);
  };
  if (extension !== undefined) put(...suboperation(first)!, extension);
  for (const [name, [position, bits]] of Object.entries(format.fields)) {
    const whole = isLeftPart(name) ? name.replace('h', '') : name;
    const value = operands[whole] ?? 0;
    put(position, bits, whole === name ? value : value >> format.fields[whole]![1]);
  }
  return Uint8Array.from({ length: format.length }, (_, n) => Number((text >> BigInt(40 - 8 * n)) & 0xffn));
}
