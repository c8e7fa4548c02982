/** Encoding of WebAssembly modules: the byte buffer and the sections. Binary format of the core specification. */

import type { Type } from './expr.ts';

export const typeCode: Record<Type, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

const encoder = new TextEncoder();

/** A growing byte buffer with the number formats of the WebAssembly binary format. */
export class Bytes {
  #data: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity = 1024) {
    this.#data = new Uint8Array(capacity);
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#data.length) return;
    const grown = new Uint8Array(Math.max(this.#data.length * 2, this.length + count));
    grown.set(this.#data.subarray(0, this.length));
    this.#data = grown;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#data[this.length++] = value;
  }

  bytes(values: ArrayLike<number>): void {
    this.#reserve(values.length);
    this.#data.set(values, this.length);
    this.length += values.length;
  }

  append(other: Bytes): void {
    this.bytes(other.view());
  }

  /** Unsigned LEB128. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    if (rest >= -0x80000000n && rest <= 0x7fffffffn) return this.s32(Number(rest));
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && !(low & 0x40)) || (rest === -1n && low & 0x40)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  float(value: number, size: 4 | 8): void {
    const view = new DataView(new ArrayBuffer(size));
    if (size === 4) view.setFloat32(0, value, true);
    else view.setFloat64(0, value, true);
    this.bytes(new Uint8Array(view.buffer));
  }

  name(text: string): void {
    const encoded = encoder.encode(text);
    this.u32(encoded.length);
    this.bytes(encoded);
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.#data.subarray(0, this.length);
  }
}

/** A function's body: its declared locals, its code, and where in it branches are unlikely. */
export interface Body {
  readonly locals: readonly Type[];
  readonly code: Bytes;
  /** Offsets in `code` of the `if` and `br_if` opcodes that are seldom taken. */
  readonly unlikely: readonly number[];
}

interface Import {
  readonly module: string;
  readonly name: string;
  readonly descriptor: Bytes;
}

function localsHeader(locals: readonly Type[]): Bytes {
  const runs: { count: number; type: Type }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  const header = new Bytes(64);
  header.u32(runs.length);
  for (const run of runs) {
    header.u32(run.count);
    header.u8(typeCode[run.type]);
  }
  return header;
}

/** Builds one module. Imported functions come first in the index space, so import before defining. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #imports: Import[] = [];
  readonly #functions: { type: number; body?: Body }[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;

  #type(params: readonly Type[], results: readonly Type[]): number {
    const key = `${params.join()}>${results.join()}`;
    const found = this.#types.indexOf(key);
    return found >= 0 ? found : this.#types.push(key) - 1;
  }

  importFunction(module: string, name: string, params: readonly Type[], results: readonly Type[]): number {
    if (this.#functions.length) throw new Error('imports come before definitions');
    const descriptor = new Bytes(8);
    descriptor.u8(0);
    descriptor.u32(this.#type(params, results));
    this.#imports.push({ module, name, descriptor });
    return this.#importedFunctions++;
  }

  /** A shared memory; `maximum` in 64 KiB pages. */
  importMemory(module: string, name: string, maximum: number): void {
    const descriptor = new Bytes(16);
    descriptor.u8(2);
    descriptor.u8(3);
    descriptor.u32(0);
    descriptor.u32(maximum);
    this.#imports.push({ module, name, descriptor });
  }

  /** A table of functions. */
  importTable(module: string, name: string): void {
    const descriptor = new Bytes(8);
    descriptor.u8(1);
    descriptor.u8(0x70);
    descriptor.u8(0);
    descriptor.u32(0);
    this.#imports.push({ module, name, descriptor });
  }

  /** Index of a function type, for calls through a table. */
  type(params: readonly Type[], results: readonly Type[]): number {
    return this.#type(params, results);
  }

  /** An immutable global. */
  importGlobal(module: string, name: string, type: Type): number {
    const descriptor = new Bytes(4);
    descriptor.u8(3);
    descriptor.u8(typeCode[type]);
    descriptor.u8(0);
    this.#imports.push({ module, name, descriptor });
    return this.#importedGlobals++;
  }

  /** Reserves a function index; its body may follow later, so that functions can call each other. */
  declareFunction(params: readonly Type[], results: readonly Type[]): number {
    this.#functions.push({ type: this.#type(params, results) });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  defineFunction(index: number, body: Body): void {
    this.#functions[index - this.#importedFunctions]!.body = body;
  }

  /** The engine is to compile all functions when it is given the module, where it heeds such hints. */
  compiledAtOnce = false;

  exportFunction(name: string, index: number): void {
    this.#exports.push({ name, kind: 0, index });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes(1 << 16);
    out.bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (id: number, fill: (s: Bytes) => void): void => {
      const content = new Bytes();
      fill(content);
      out.u8(id);
      out.u32(content.length);
      out.append(content);
    };
    section(1, s => {
      s.u32(this.#types.length);
      for (const key of this.#types) {
        s.u8(0x60);
        for (const side of key.split('>')) {
          const list = side ? (side.split(',') as Type[]) : [];
          s.u32(list.length);
          for (const type of list) s.u8(typeCode[type]);
        }
      }
    });
    section(2, s => {
      s.u32(this.#imports.length);
      for (const { module, name, descriptor } of this.#imports) {
        s.name(module);
        s.name(name);
        s.append(descriptor);
      }
    });
    section(3, s => {
      s.u32(this.#functions.length);
      for (const f of this.#functions) s.u32(f.type);
    });
    section(7, s => {
      s.u32(this.#exports.length);
      for (const { name, kind, index } of this.#exports) {
        s.name(name);
        s.u8(kind);
        s.u32(index);
      }
    });
    const headers = this.#functions.map(f => localsHeader(f.body!.locals));
    section(0, s => {
      s.name('metadata.code.branch_hint');
      const hinted = this.#functions.map((f, i) => ({ f, i })).filter(({ f }) => f.body!.unlikely.length);
      s.u32(hinted.length);
      for (const { f, i } of hinted) {
        s.u32(this.#importedFunctions + i);
        s.u32(f.body!.unlikely.length);
        for (const offset of f.body!.unlikely) {
          s.u32(headers[i]!.length + offset);
          s.u8(1);
          s.u8(0);
        }
      }
    });
    if (this.compiledAtOnce) {
      // Of each function: its number, where in it the hint belongs, the hint's length, and the priority, 0 the highest.
      section(0, s => {
        s.name('metadata.code.compilation_priority');
        s.u32(this.#functions.length);
        for (const n of this.#functions.keys()) {
          s.u32(this.#importedFunctions + n);
          s.bytes([0, 1, 0]);
        }
      });
    }
    section(10, s => {
      s.u32(this.#functions.length);
      this.#functions.forEach((f, i) => {
        const { code } = f.body!;
        s.u32(headers[i]!.length + code.length + 1);
        s.append(headers[i]!);
        s.append(code);
        s.u8(0x0b);
      });
    });
    return out.view();
  }
}
