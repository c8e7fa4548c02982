/** Translation by tables in storage (PoP ch. 7): TRE, TROO, TROT, TRTO, TRTT, TRTE, TRTRE. */

import type { Millicode } from '../isa/insn.ts';
import { RegisterOperand, repeat, setAddress, specify } from './pairs.ts';

/** TRANSLATE EXTENDED: bytes in place, up to the test byte in general register 0. */
export const translateExtended: Millicode = (cpu, { r1, r2 }) => {
  specify(r1! % 2 === 0);
  const test = cpu.gr32(0) & 0xff;
  const operand = new RegisterOperand(cpu, r1!);
  const table = new RegisterOperand(cpu, r2!);
  const unit = (): number | undefined => {
    if (operand.length === 0n) return 0;
    const byte = operand.read(1);
    if (byte === test) return 1;
    operand.write(1, table.read(1, byte));
    operand.advance(1);
    return undefined;
  };
  repeat(cpu, unit, () => operand.save());
};

/** TRANSLATE ONE/TWO TO ONE/TWO: sizes in bytes of what is translated and of what comes out. */
export const translateTo =
  (sourceSize: 1 | 2, resultSize: 1 | 2): Millicode =>
  (cpu, { r1, r2, m3 }) => {
    const to = new RegisterOperand(cpu, r1!);
    const from = new RegisterOperand(cpu, r2!);
    const table = new RegisterOperand(cpu, 1);
    specify(r1! % 2 === 0 && (sourceSize === 1 || to.length % 2n === 0n));
    table.address &= ~7n;
    const test = (m3! & 1) !== 0 ? -1 : cpu.gr32(0) & (resultSize === 1 ? 0xff : 0xffff);
    const unit = (): number | undefined => {
      if (to.length === 0n) return 0;
      const result = table.read(resultSize, from.read(sourceSize) * resultSize);
      if (result === test) return 1;
      to.write(resultSize, result);
      to.advance(resultSize);
      // The length counts the second operand.
      to.length += BigInt(resultSize - sourceSize);
      from.advance(sourceSize);
      return undefined;
    };
    repeat(cpu, unit, () => {
      to.save();
      from.saveAddress();
    });
  };

/** TRANSLATE AND TEST (REVERSE) EXTENDED: until a function code is not zero. */
export const translateAndTestExtended =
  (direction: 1 | -1): Millicode =>
  (cpu, { r1, r2, m3 }) => {
    const argumentSize = m3! & 8 ? 2 : 1;
    const functionSize = m3! & 4 ? 2 : 1;
    const limited = (m3! & 2) !== 0;
    const operand = new RegisterOperand(cpu, r1!);
    const table = new RegisterOperand(cpu, 1);
    specify(r1! % 2 === 0 && (argumentSize === 1 || operand.length % 2n === 0n));
    table.address &= ~7n;
    cpu.cc = 0;
    if (operand.length === 0n) return;
    let code = 0;
    let ended = false;
    const unit = (): number | undefined => {
      ended = operand.length === 0n;
      if (ended) return 0;
      const argument = operand.read(argumentSize);
      if (!limited || argument < 256) code = table.read(functionSize, argument * functionSize);
      ended = code !== 0;
      if (ended) return 1;
      operand.advance(direction * argumentSize);
      return undefined;
    };
    repeat(cpu, unit, () => {
      operand.save();
      if (ended) setAddress(cpu, r2!, BigInt(code));
    });
  };
