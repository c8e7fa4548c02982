/**
 * Loading a kernel directly into storage, as `-kernel`, `-initrd` and `-append` ask: an ELF file for s390x, or a raw
 * image that begins at absolute address 0. Linux marks itself with "S390EP" and is entered at X'10000'; what does not is
 * entered where the short PSW for IPL at 0 says, and at X'10000' if that says nothing. What is entered there keeps its
 * parameters from X'10400' on.
 */

import type { Storage } from '../machine/storage.ts';

const ENTRY = 0x10000;
const MAGIC_AT = 0x10008;
const INITRD_START_AT = 0x10408;
const INITRD_SIZE_AT = 0x10410;
const COMMAND_LINE_SIZE_AT = 0x10430;
const COMMAND_LINE_AT = 0x10480;
/** Size of the command line in kernels that do not say. */
const LEGACY_COMMAND_LINE_SIZE = 896;
/** Old kernels name the entry of another loader in their ELF header. */
const OLD_ELF_ENTRY = 0x800;
const LOWEST_INITRD = 0x800000;
const MEGABYTE = 0x100000;

const ELF_MACHINE_S390 = 22;

export interface Segment {
  readonly address: number;
  readonly data: Uint8Array;
  /** Size in storage; what exceeds the data is zero. */
  readonly size: number;
}

/** What is to be put where, and where to begin. */
export interface LoadPlan {
  readonly segments: readonly Segment[];
  readonly entry: bigint;
}

/** What a user gave cannot be loaded; the message says what and why. */
export class LoadError extends Error {}

const startsWith = (data: Uint8Array, at: number, text: string): boolean =>
  data.length >= at + text.length && [...text].every((c, n) => data[at + n] === c.charCodeAt(0));

/** Other architectures' kernels, and files that are no kernels at all, by what they begin with. */
function foreign(kernel: Uint8Array): string | undefined {
  if (startsWith(kernel, 0x202, 'HdrS')) return 'a kernel for x86';
  if (startsWith(kernel, 0x38, 'ARM\x64')) return 'a kernel for arm64';
  if (startsWith(kernel, 0x38, 'RSC\x05')) return 'a kernel for RISC-V';
  if (startsWith(kernel, 0, 'MZ')) return 'an EFI or Windows program';
  if (kernel[0] === 0x1f && kernel[1] === 0x8b) return 'a gzip file';
  if (kernel[0] === 0xfd && startsWith(kernel, 1, '7zXZ')) return 'an xz file';
  if (startsWith(kernel, 0, '#!')) return 'a script';
  return undefined;
}

/**
 * Works out how a kernel, an initial ramdisk and a command line lie in storage.
 * @param storageSize bytes of guest storage
 * @throws LoadError if it is no kernel for s390x or does not fit
 */
export function planKernel(
  kernel: Uint8Array,
  initrd: Uint8Array | undefined,
  commandLine: string,
  storageSize: number,
): LoadPlan {
  const image = startsWith(kernel, 0, '\x7fELF') ? readElf(kernel) : readRaw(kernel);
  const end = Math.max(...image.segments.map(({ address, size }) => address + size));
  if (end > storageSize) {
    throw new LoadError(
      `the kernel needs ${mebibytes(end)} MiB of storage, the machine has ${mebibytes(storageSize)} MiB`,
    );
  }
  const segments = [...image.segments];
  const isLinux = ({ address, data }: Segment): boolean => startsWith(data, MAGIC_AT - address, 'S390EP');
  const takesParameters = image.segments.find(
    segment =>
      segment.address <= ENTRY &&
      segment.address + segment.data.length > COMMAND_LINE_AT &&
      (image.entry === BigInt(ENTRY) || isLinux(segment)),
  );
  if (!takesParameters) {
    if (commandLine || initrd)
      throw new LoadError("the kernel takes no -initrd and no -append: X'10000' is not its entry");
    return { segments, entry: image.entry };
  }
  segments.push(...commandLineSegments(takesParameters, commandLine));
  if (initrd) segments.push(...initrdSegments(initrd, end, storageSize));
  return { segments, entry: BigInt(ENTRY) };
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / MEGABYTE);

function readRaw(kernel: Uint8Array): LoadPlan {
  const other = foreign(kernel);
  if (other) throw new LoadError(`this is ${other}, not a kernel for s390x`);
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  const isLinux = startsWith(kernel, MAGIC_AT, 'S390EP');
  const initial = !isLinux && kernel.length >= 8 ? view.getUint32(4) & 0x7fff_ffff : 0;
  const entry = initial || ENTRY;
  if (kernel.length <= entry) {
    const where = `X'${entry.toString(16).toUpperCase()}'`;
    throw new LoadError(`this is no kernel: a raw image is entered at ${where}, and it ends before`);
  }
  return { segments: [{ address: 0, data: kernel, size: kernel.length }], entry: BigInt(entry) };
}

function readElf(kernel: Uint8Array): LoadPlan {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  if (kernel.length < 64) throw new LoadError('the ELF file is cut off');
  const bigEndian = kernel[5] === 2;
  const machine = view.getUint16(18, !bigEndian);
  if (kernel[4] !== 2 || !bigEndian || machine !== ELF_MACHINE_S390) {
    throw new LoadError(`this is an ELF file for another machine (${machine}), not for 64-bit s390x`);
  }
  const count = view.getUint16(56);
  const headers = Number(view.getBigUint64(32));
  const segments: Segment[] = [];
  for (let n = 0; n < count; n++) {
    const at = headers + n * 56;
    if (at + 56 > kernel.length) throw new LoadError('the ELF file is cut off in its program headers');
    if (view.getUint32(at) !== 1) continue;
    const offset = Number(view.getBigUint64(at + 8));
    const address = Number(view.getBigUint64(at + 24));
    const fileSize = Number(view.getBigUint64(at + 32));
    const size = Number(view.getBigUint64(at + 40));
    if (offset + fileSize > kernel.length) throw new LoadError('the ELF file is cut off in a segment');
    segments.push({ address, data: kernel.subarray(offset, offset + fileSize), size: Math.max(size, fileSize) });
  }
  if (!segments.length) throw new LoadError('the ELF file has nothing to load');
  const entry = view.getBigUint64(24);
  return { segments, entry: entry === BigInt(OLD_ELF_ENTRY) ? BigInt(ENTRY) : entry };
}

function commandLineSegments({ address, data }: Segment, commandLine: string): Segment[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const declared = Number(view.getBigUint64(COMMAND_LINE_SIZE_AT - address));
  const size = declared || LEGACY_COMMAND_LINE_SIZE;
  const text = new TextEncoder().encode(`${commandLine}\0`);
  if (text.length > size) {
    throw new LoadError(`the command line of ${text.length - 1} characters is too long: this kernel takes ${size - 1}`);
  }
  return [{ address: COMMAND_LINE_AT, data: text, size: text.length }];
}

function initrdSegments(initrd: Uint8Array, kernelEnd: number, storageSize: number): Segment[] {
  // The kernel decompresses itself behind its image: a megabyte of distance at least.
  let address = LOWEST_INITRD;
  while (kernelEnd + MEGABYTE > address) address += MEGABYTE;
  if (address + initrd.length > storageSize) {
    const need = mebibytes(address + initrd.length);
    throw new LoadError(`the initrd of ${initrd.length} bytes does not fit: it needs storage of at least ${need} MiB`);
  }
  const doubleword = (at: number, value: number): Segment => {
    const data = new Uint8Array(8);
    new DataView(data.buffer).setBigUint64(0, BigInt(value));
    return { address: at, data, size: 8 };
  };
  return [
    { address, data: initrd, size: initrd.length },
    doubleword(INITRD_START_AT, address),
    doubleword(INITRD_SIZE_AT, initrd.length),
  ];
}

/** Puts a plan into storage. */
export function load(storage: Storage, plan: LoadPlan): void {
  for (const { address, data, size } of plan.segments) {
    storage.write(address, data);
    if (size > data.length) storage.fill(address + data.length, size - data.length, 0);
  }
}
