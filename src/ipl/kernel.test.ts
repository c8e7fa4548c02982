import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadError, planKernel } from './kernel.ts';

const MEBIBYTE = 0x100000;

/** A raw image that says it is Linux and takes command lines of 100 bytes. */
function linux(size = 0x20000): Uint8Array {
  const image = new Uint8Array(size);
  image.set(new TextEncoder().encode('S390EP'), 0x10008);
  image[0x10437] = 100;
  return image;
}

function elf({ machine = 22, entry = 0x2000n, bigEndian = true } = {}): Uint8Array {
  const file = new Uint8Array(0x100);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, bigEndian ? 2 : 1]);
  view.setUint16(18, machine, !bigEndian);
  view.setBigUint64(24, entry);
  view.setBigUint64(32, 64n);
  view.setUint16(56, 1);
  // One segment: 8 bytes of the file at 0x2000, 16 in storage.
  view.setUint32(64, 1);
  view.setBigUint64(72, 0xf0n);
  view.setBigUint64(88, 0x2000n);
  view.setBigUint64(96, 8n);
  view.setBigUint64(104, 16n);
  return file;
}

const refused = (message: RegExp, ...given: Parameters<typeof planKernel>): void =>
  assert.throws(
    () => planKernel(...given),
    error => error instanceof LoadError && message.test(error.message),
  );

test('Linux gets its command line and its initrd, and is entered at its fixed address', () => {
  const initrd = new Uint8Array(5000);
  const { segments, entry } = planKernel(linux(), initrd, 'quiet', 16 * MEBIBYTE);
  assert.equal(entry, 0x10000n);
  const at = (address: number): Uint8Array => segments.find(segment => segment.address === address)!.data;
  assert.equal(new TextDecoder().decode(at(0x10480)), 'quiet\0');
  assert.equal(at(8 * MEBIBYTE), initrd);
  assert.deepEqual([...at(0x10408)], [0, 0, 0, 0, 0, 0x80, 0, 0]);
  assert.deepEqual([...at(0x10410)], [0, 0, 0, 0, 0, 0, 0x13, 0x88]);
});

test('an initrd lies a megabyte behind a large kernel', () => {
  const { segments } = planKernel(linux(10 * MEBIBYTE), new Uint8Array(1), '', 16 * MEBIBYTE);
  assert.ok(segments.some(({ address }) => address === 11 * MEBIBYTE));
});

test("a raw image that is not Linux is entered where its IPL PSW says, or at X'10000'", () => {
  const image = new Uint8Array(0x20000);
  assert.equal(planKernel(image, undefined, '', MEBIBYTE).entry, 0x10000n);
  image.set([0, 8, 0, 0, 0x80, 0, 0x20, 0]);
  assert.equal(planKernel(image, undefined, '', MEBIBYTE).entry, 0x2000n);
  assert.equal(planKernel(image.subarray(0, 0x2002), undefined, '', MEBIBYTE).entry, 0x2000n);
  refused(/entered at X'2000', and it ends before/, image.subarray(0, 0x2000), undefined, '', MEBIBYTE);
  image.set(new TextEncoder().encode('S390EP'), 0x10008);
  assert.equal(planKernel(image, undefined, '', MEBIBYTE).entry, 0x10000n);
});

test('an ELF file goes where its headers say', () => {
  const { segments, entry } = planKernel(elf(), undefined, '', MEBIBYTE);
  assert.equal(entry, 0x2000n);
  assert.deepEqual(
    segments.map(({ address, data, size }) => [address, data.length, size]),
    [[0x2000, 8, 16]],
  );
  assert.equal(planKernel(elf({ entry: 0x800n }), undefined, '', MEBIBYTE).entry, 0x10000n);
});

test('whatever is entered where Linux is takes a command line', () => {
  const { segments, entry } = planKernel(new Uint8Array(0x12000), undefined, '-q', MEBIBYTE);
  assert.equal(entry, 0x10000n);
  assert.equal(new TextDecoder().decode(segments.find(({ address }) => address === 0x10480)!.data), '-q\0');
});

test('what cannot be loaded is refused, and why', () => {
  refused(/another machine \(62\)/, elf({ machine: 62, bigEndian: false }), undefined, '', MEBIBYTE);
  refused(/cut off/, elf().subarray(0, 80), undefined, '', MEBIBYTE);
  refused(/gzip/, Uint8Array.of(0x1f, 0x8b, 8), undefined, '', MEBIBYTE);
  refused(/no kernel/, new Uint8Array(100), undefined, '', MEBIBYTE);
  refused(/takes 99/, linux(), undefined, 'x'.repeat(100), MEBIBYTE);
  refused(/the initrd of 9000000 bytes does not fit/, linux(), new Uint8Array(9_000_000), '', 16 * MEBIBYTE);
  refused(/needs 20 MiB of storage/, linux(20 * MEBIBYTE), undefined, '', 16 * MEBIBYTE);
  refused(/is not its entry/, elf(), undefined, 'quiet', MEBIBYTE);
});
