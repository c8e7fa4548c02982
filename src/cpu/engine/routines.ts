/**
 * Routines: instructions too long to write out in each handler, as WebAssembly functions of their own that the
 * interpreter's handlers and compiled regions call. A routine saves nothing: its caller has stored PSW address and
 * condition code. It returns a value of at least 0, or -1 after a program interruption has been recognised.
 */

import type { I32 } from '../ir/expr.ts';
import type { ModuleBuilder } from '../ir/wasm.ts';
import type { Layout } from '../state.ts';

export interface RoutineContext {
  readonly cpu: I32;
  readonly miss: number;
  readonly flush: number;
  readonly layout: Layout;
}

export interface Routines {
  index(name: string): number;
}

export function defineRoutines(_module: ModuleBuilder, _context: RoutineContext): Routines {
  return {
    index(name) {
      throw new Error(`no routine ${name}`);
    },
  };
}
