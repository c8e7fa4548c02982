/**
 * Bulk copies between guest storage, which is kept backwards, and a staging area in the order of addresses: sixteen
 * bytes at a time, by two WebAssembly functions over both memories.
 */

import { Bytes } from '../cpu/ir/wasm.ts';

/** Bytes of the staging area. */
export const STAGING = 0x100000;

export interface Reversal {
  /** The staging area. */
  readonly staging: Uint8Array<ArrayBuffer>;
  /** From the host address on into the staging area, last byte first. */
  fromGuest(from: number, to: number, length: number): void;
  /** Out of the staging area to the host address on, last byte first. */
  toGuest(from: number, to: number, length: number): void;
}

const modules = new Map<number, WebAssembly.Module>();

/** For the memory of a machine. */
export function reversal(guest: WebAssembly.Memory): Reversal {
  const pages = guest.buffer.byteLength / 0x10000;
  let module = modules.get(pages);
  if (!module) {
    module = new WebAssembly.Module(build(pages));
    modules.set(pages, module);
  }
  const staging = new WebAssembly.Memory({ initial: STAGING / 0x10000, maximum: STAGING / 0x10000 });
  const { exports } = new WebAssembly.Instance(module, { m: { guest, staging } });
  const { fromGuest, toGuest } = exports as unknown as Reversal;
  return { staging: new Uint8Array(staging.buffer), fromGuest, toGuest };
}

const I32 = 0x7f;
const GUEST = 0;
const STAGED = 1;

/** A module with imports m.guest (shared, of so many pages) and m.staging, and exports fromGuest and toGuest. */
function build(pages: number): Uint8Array<ArrayBuffer> {
  const module = new Bytes();
  module.bytes([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, write: (bytes: Bytes) => void): void => {
    const bytes = new Bytes();
    write(bytes);
    module.u8(id);
    module.u32(bytes.length);
    module.append(bytes);
  };
  // Types: (i32, i32, i32) -> ().
  section(1, bytes => bytes.bytes([1, 0x60, 3, I32, I32, I32, 0]));
  section(2, bytes => {
    bytes.u32(2);
    for (const [name, flags, size] of [
      ['guest', 3, pages],
      ['staging', 1, STAGING / 0x10000],
    ] as const) {
      bytes.name('m');
      bytes.name(name);
      bytes.bytes([2, flags]);
      bytes.u32(size);
      bytes.u32(size);
    }
  });
  section(3, bytes => bytes.bytes([2, 0, 0]));
  section(7, bytes => {
    bytes.u32(2);
    for (const [index, name] of ['fromGuest', 'toGuest'].entries()) {
      bytes.name(name);
      bytes.bytes([0, index]);
    }
  });
  section(10, bytes => {
    bytes.u32(2);
    for (const body of [copy(GUEST, STAGED), copy(STAGED, GUEST)]) {
      bytes.u32(body.length);
      bytes.append(body);
    }
  });
  return module.view().slice();
}

/** Parameters: where the source begins, where the target begins, how many bytes. The source is gone through backwards. */
function copy(source: number, target: number): Bytes {
  const get = (local: number) => [0x20, local];
  const constant = (value: number) => [0x41, value];
  const ADD = 0x6a;
  const SUBTRACT = 0x6b;
  // A memory argument that names its memory, without alignment and offset.
  const at = (memory: number) => [0x40, memory, 0];
  const reversed = Array.from({ length: 16 }, (_, n) => 15 - n);
  /** While there are `size` bytes: moves both pointers over as many. */
  const step = (size: number, load: readonly number[], store: readonly number[]) => [
    ...[0x02, 0x40, 0x03, 0x40],
    ...[...get(2), ...constant(size), 0x49, 0x0d, 1],
    ...[...get(1), ...get(0), ...constant(size), SUBTRACT, 0x22, 0, ...load, ...store],
    ...[...get(1), ...constant(size), ADD, 0x21, 1],
    ...[...get(2), ...constant(size), SUBTRACT, 0x21, 2],
    ...[0x0c, 0, 0x0b, 0x0b],
  ];
  const body = new Bytes();
  // One local, a v128.
  body.bytes([1, 1, 0x7b]);
  body.bytes([...get(0), ...get(2), ADD, 0x21, 0]);
  // v128.load, i8x16.shuffle with itself, v128.store.
  body.bytes(
    step(16, [0xfd, 0x00, ...at(source), 0x22, 3, 0x20, 3, 0xfd, 0x0d, ...reversed], [0xfd, 0x0b, ...at(target)]),
  );
  body.bytes(step(1, [0x2d, ...at(source)], [0x3a, ...at(target)]));
  body.u8(0x0b);
  return body;
}
