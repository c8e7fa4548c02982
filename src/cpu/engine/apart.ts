/**
 * Functions of their own for single instructions, so that the interpreter's is not burdened with what is long: vector
 * instructions, most of which have an operation for each size of elements.
 */

import { FunctionCode, type Label } from '../ir/code.ts';
import * as x from '../ir/expr.ts';
import { type I32, k32 } from '../ir/expr.ts';
import type { ModuleBuilder } from '../ir/wasm.ts';
import type { Handler } from './handlers.ts';
import { InterpretedInsn } from './interpreted.ts';
import { type ApartFunction, type Parts, Run } from './run.ts';

/** After an exception. */
const FAULT = k32(-1);

class ApartRun extends Run {
  readonly record = x.local('i32', 0);
  readonly condition = x.local('i32', 1);
  next!: Label;
  fault!: Label;
  readonly firstStorageToStorage = 0;
  isMillicode = false;

  constructor(parts: Parts) {
    super(parts, new FunctionCode(2));
  }

  get dispatch(): Label {
    throw new Error('only the interpreter dispatches');
  }

  build(handler: Handler): FunctionCode {
    const { f, cpu, parts } = this;
    if (cpu.kind === 'local') f.set(cpu, parts.cpu);
    f.block(fault => {
      this.fault = fault;
      f.block(next => {
        this.next = next;
        const insn = new InterpretedInsn(this, handler);
        insn.begin();
        handler.row.semantics(insn);
        insn.end();
        this.isMillicode = insn.isMillicode;
      });
      f.return(this.condition);
    });
    f.push(FAULT);
    return f;
  }

  override leaveAfterMillicode(): void {
    this.f.br(this.fault);
  }

  goTo(): void {
    throw new Error('an instruction that branches has no function of its own');
  }
  enter(): void {
    this.goTo();
  }
  divert(): void {
    this.goTo();
  }
}

/** Gives the functions of instructions, each made when it is first asked for. */
export function apartFunctions(module: ModuleBuilder, parts: () => Parts): (handler: Handler) => ApartFunction {
  const known = new Map<Handler, ApartFunction>();
  return handler => {
    let made = known.get(handler);
    if (!made) {
      const index = module.declareFunction(['i32', 'i32'], ['i32']);
      const run = new ApartRun(parts());
      module.defineFunction(index, run.build(handler));
      known.set(handler, (made = { index, isMillicode: run.isMillicode }));
    }
    return made;
  };
}

/** Has an instruction carried out by its function; gives the condition code, or a negative number after an exception. */
export const callApart = ({ index }: ApartFunction, record: I32, condition: I32): I32 =>
  x.call('i32', index, record, condition);
