/**
 * The registers of a CPU as TypeScript sees them, in its block of linear memory (state.ts). Any thread may look at those
 * of a stopped CPU, and change them.
 */

import * as state from './state.ts';

/** PSW bits, as bits of the left doubleword. */
export const PSW_PER = 1n << 62n;
export const PSW_DAT = 1n << 58n;
export const PSW_IO = 1n << 57n;
export const PSW_EXTERNAL = 1n << 56n;
export const PSW_MACHINE_CHECK = 1n << 50n;
export const PSW_WAIT = 1n << 49n;
export const PSW_PROBLEM = 1n << 48n;
export const PSW_EA = 1n << 32n;
export const PSW_BA = 1n << 31n;

/** Bits of control register 0: the AFP-register control and the vector-enablement control. */
export const CR0_AFP = 0x40000;
export const CR0_VECTOR = 0x20000;

export class Registers {
  readonly layout: state.Layout;
  readonly number: number;
  /** Host address of the CPU's block. */
  readonly base: number;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;

  constructor(memory: WebAssembly.Memory, layout: state.Layout, number: number) {
    this.layout = layout;
    this.number = number;
    this.base = layout.cpuBase + number * state.CPU_STRIDE;
    this.u8 = new Uint8Array(memory.buffer);
    this.i32 = new Int32Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.u64 = new BigUint64Array(memory.buffer);
  }

  // 64-bit values are unsigned bigints, 32-bit ones unsigned numbers.

  /** A field of the block by its offset in state.ts. */
  field64(offset: number): bigint {
    return this.u64[(this.base + offset) >>> 3]!;
  }
  setField64(offset: number, value: bigint): void {
    this.u64[(this.base + offset) >>> 3] = value;
  }
  field32(offset: number): number {
    return this.u32[(this.base + offset) >>> 2]!;
  }
  setField32(offset: number, value: number): void {
    this.u32[(this.base + offset) >>> 2] = value;
  }

  gr(n: number): bigint {
    return this.field64(state.GR + 8 * n);
  }
  setGr(n: number, value: bigint): void {
    this.setField64(state.GR + 8 * n, value);
  }
  /** Bits 32-63. */
  gr32(n: number): number {
    return this.field32(state.GR + 8 * n);
  }
  setGr32(n: number, value: number): void {
    this.setField32(state.GR + 8 * n, value);
  }
  cr(n: number): bigint {
    return this.field64(state.CR + 8 * n);
  }
  /** On a running CPU, `Cpu.mappingChanged` must follow the last one. */
  setCr(n: number, value: bigint): void {
    this.setField64(state.CR + 8 * n, value);
  }
  ar(n: number): number {
    return this.field32(state.AR + 4 * n);
  }
  setAr(n: number, value: number): void {
    this.setField32(state.AR + 4 * n, value);
  }
  fpr(n: number): bigint {
    return this.field64(state.FPR + 16 * n);
  }
  setFpr(n: number, value: bigint): void {
    this.setField64(state.FPR + 16 * n, value);
  }
  /** A vector register, 128 bits. */
  vr(n: number): bigint {
    return (this.fpr(n) << 64n) | this.field64(state.VR + 16 * n);
  }
  setVr(n: number, value: bigint): void {
    this.setFpr(n, BigInt.asUintN(64, value >> 64n));
    this.setField64(state.VR + 16 * n, BigInt.asUintN(64, value));
  }
  get fpc(): number {
    return this.field32(state.FPC);
  }
  set fpc(value: number) {
    this.setField32(state.FPC, value);
  }
  get cc(): number {
    return this.field32(state.CC);
  }
  set cc(value: number) {
    this.setField32(state.CC, value);
  }
  get prefix(): number {
    return this.field32(state.PREFIX);
  }
  set prefix(value: number) {
    this.setField32(state.PREFIX, value);
  }
  /** PSW bits 0-63 without the condition code. */
  get pswMask(): bigint {
    return this.field64(state.PSW_MASK);
  }
  get pswAddress(): bigint {
    return this.field64(state.PSW_ADDRESS);
  }
  set pswAddress(value: bigint) {
    this.setField64(state.PSW_ADDRESS, value);
  }
  get breakingEventAddress(): bigint {
    return this.field64(state.BEA);
  }
  set breakingEventAddress(value: bigint) {
    this.setField64(state.BEA, value);
  }
  get addressMask(): bigint {
    return this.field64(state.ADDRESS_MASK);
  }
  /** Bits 0-63 with the condition code where it belongs. */
  get pswMaskWithCc(): bigint {
    return this.pswMask | (BigInt(this.cc) << 44n);
  }

  /** Replaces the PSW. Whether it is valid is for whoever loads it to check. */
  setPsw(mask: bigint, address: bigint): void {
    this.setPswMask(Number(mask >> 32n), Number(mask & 0xffff_ffffn));
    this.pswAddress = address;
  }

  /** Replaces PSW bits 0-63, condition code included, given as two halves. */
  setPswMask(high: number, low: number): void {
    const word = this.base >>> 2;
    this.i32[word + state.CC / 4] = (high >>> 12) & 3;
    this.i32[word + state.PSW_MASK / 4] = low;
    this.i32[word + state.PSW_MASK / 4 + 1] = high & ~0x3000;
    const wide = (high & 1) !== 0;
    this.i32[word + state.ADDRESS_MASK / 4] = wide ? -1 : low < 0 || low >= 0x8000_0000 ? 0x7fff_ffff : 0xff_ffff;
    this.i32[word + state.ADDRESS_MASK / 4 + 1] = wide ? -1 : 0;
  }
}
