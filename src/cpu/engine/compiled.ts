/**
 * `Insn` for regions of compiled code: operand fields are constants, general registers are kept in locals, and what
 * follows an instruction is known. Registers are written through to the CPU's block, so that code may be left anywhere.
 */

import type { I32, I64 } from '../ir/expr.ts';
import { type Expr, i32, i64, k32, k64 } from '../ir/expr.ts';
import type { Address, Register, RegisterPart } from '../isa/insn.ts';
import * as state from '../state.ts';
import type { Handler } from './handlers.ts';
import { InterpretedInsn, type ProbedPlace } from './interpreted.ts';
import { NotCompilable, type RegionRun } from './region.ts';
import type { Run } from './run.ts';

export class CompiledInsn extends InterpretedInsn {
  declare readonly run: RegionRun & Run;

  /** @param handler fixes all fields; displacements and relative operands are signed numbers */
  constructor(run: RegionRun, handler: Handler) {
    super(run, handler);
  }

  #value(name: string): number {
    const value = this.handler.fixed[name];
    if (value === undefined) throw new Error(`${this.handler.row.mnemonic} has no ${name}`);
    return value;
  }

  override field(name: string): I32 {
    return k32(this.#value(name));
  }

  override signed(name: string): I32 {
    return k32(this.#value(name));
  }

  // General registers

  #number(register: Register, next: number): number | undefined {
    if (typeof register === 'object') return undefined;
    return (typeof register === 'number' ? register : this.#value(register)) + next;
  }

  override gr = (register: Register, next = 0): I64 => {
    const number = this.#number(register, next);
    if (number === undefined) return this.readRegister('i64', 0x29, register, 3, state.GR + 8 * next);
    return this.f.evaluate(this.run.register(number));
  };
  override gr32 = (register: Register, next = 0): I32 => this.f.evaluate(i32.wrap(this.gr(register, next)));
  override grHigh = (register: Register, next = 0): I32 =>
    this.f.evaluate(i32.wrap(i64.shrU(this.gr(register, next), 32)));

  override setGr = (register: Register, value: I64, next = 0): void => {
    const number = this.#number(register, next);
    this.changes();
    if (number === undefined) {
      this.writeRegister(0x37, register, 3, state.GR + 8 * next, value);
      this.run.reload();
      return;
    }
    this.f.set(this.run.register(number), value);
    this.run.store64(state.GR + 8 * number, this.run.register(number));
  };
  override setGr32 = (register: Register, value: I32, next = 0): void => {
    const number = this.#number(register, next);
    if (number === undefined) {
      this.writeRegister(0x36, register, 3, state.GR + 8 * next, value);
      this.run.reload();
      return;
    }
    const whole = this.run.register(number);
    this.setGr(number, i64.or(i64.and(whole, k64(0xffff_ffff_0000_0000n)), i64.fromU(value)));
  };
  override setGrHigh = (register: Register, value: I32, next = 0): void => {
    const number = this.#number(register, next);
    if (number === undefined) {
      this.writeRegister(0x36, register, 3, state.GR + 4 + 8 * next, value);
      this.run.reload();
      return;
    }
    const whole = this.run.register(number);
    this.setGr(number, i64.or(i64.and(whole, k64(0xffff_ffffn)), i64.shl(i64.fromU(value), 32)));
  };

  override loadRegisters = (place: ProbedPlace, part: RegisterPart, first: string, last: string): void => {
    this.changes();
    this.inOrder(() => this.moveRegisters('load', place, part, first, last));
    this.run.reload();
  };

  protected override addressRegister<T extends 'i32' | 'i64'>(type: T, name: string): Expr<T> {
    const number = this.#value(name);
    const whole = number === 0 ? k64(0) : this.run.register(number);
    return (type === 'i64' ? whole : i32.wrap(whole)) as Expr<T>;
  }

  override address(operand: 1 | 2 | 3 | 4 = 2): Address {
    const base = `b${operand}`;
    const index = `x${operand}`;
    let va = i64.add(this.addressRegister('i64', base), k64(this.#value(`d${operand}`)));
    if (index in this.handler.row.format.fields && this.#value(index) !== 0) {
      va = i64.add(va, this.addressRegister('i64', index));
    }
    return { va: this.f.evaluate(va), base };
  }

  override shiftCount(): I32 {
    return this.f.evaluate(i32.and(i32.add(this.addressRegister('i32', 'b2'), k32(this.#value('d2'))), 63));
  }

  override relative(field: string): I64 {
    if (this.handler.fixed.near) return this.nearTarget;
    return i64.add(this.run.pc(), k64(2 * this.#value(field)));
  }

  // What follows

  protected override advance(): void {
    this.ended = true;
  }

  #mayHaveFlushed = false;

  /** What was stored through the bounce buffer may be this region's own code: it is left when the instruction has ended. */
  protected override flush(): void {
    const { f, run, depth } = this;
    const leave = (): void => run.leaveBehind(this.handler.row.format.length);
    for (const place of this.bounces.filter(bounce => bounce.depth >= depth)) {
      f.ifUnlikely(i32.ltU(place.host, run.parts.options.layout.keys), () => {
        f.run(run.parts.imports.flush);
        if (depth === 0) leave();
        else f.set(run.flushed, k32(1));
      });
      this.#mayHaveFlushed ||= depth > 0;
    }
    this.bounces = this.bounces.filter(bounce => bounce.depth < depth);
    if (depth === 0 && this.#mayHaveFlushed) f.ifUnlikely(run.flushed, leave);
  }

  override branch(condition: I32, target: I64, otherwise: () => void = () => {}): void {
    const { f, run } = this;
    const near = target === this.nearTarget;
    const to = f.evaluate(target);
    this.flush();
    this.ended = true;
    f.if(condition, () => {
      run.store64(state.BEA, run.pc());
      if (near) run.jumpNear();
      else run.goTo(to);
    });
    if (condition.kind === 'const' && condition.value) return;
    otherwise();
  }

  override millicode(): void {
    throw new NotCompilable(this.handler.row);
  }

  override routine(): I32 {
    throw new NotCompilable(this.handler.row);
  }
}
