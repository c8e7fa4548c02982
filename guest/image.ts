/**
 * The guest that `npm start` boots: Debian's kernel and an initramfs with busybox.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cacheFolder, exists, place } from './cache.ts';
import { initramfs } from './cpio.ts';
import { debEntries } from './deb.ts';
import { type DebianOptions, debianPackages, packageTree, Unobtainable } from './debian.ts';
import { debian13 } from './source.ts';
import { file, type TreeEntry } from './tree.ts';
import { unxz } from './xz.ts';

export interface GuestOptions extends Omit<DebianOptions, 'withDependencies' | 'source'> {
  /** More Debian packages for the initramfs; `withDependencies` says which of their dependencies (default: all). */
  packages?: readonly string[];
  withDependencies?: DebianOptions['withDependencies'];
  /** The suite that the packages are taken from, if it is another than the kernel's. */
  packageSuite?: string;
  /** The suite that the packages are taken from when their own suite's mirror is without one that it lists. */
  otherwise?: string;
  /** More files for the initramfs. */
  files?: readonly TreeEntry[];
  /** Which files of the packages are wanted; by default all but documentation. */
  wanted?: (path: string) => boolean;
  /** Whether the initramfs is packed. A large one that is not starts sooner. */
  gzip?: boolean;
}

export interface Guest {
  /** The kernel: a boot image as -kernel takes it. */
  kernel: string;
  initrd: string;
  /** The kernel's name, as `uname -r` prints it. */
  release: string;
}

/** The kernel's command line for a terminal: the console is the SCLP's VT220. */
export const commandLine = 'console=ttysclp0';

/** The package of the current kernel and its modules, or an earlier one where a mirror lists the current one but is without it. */
export async function debianKernel(options: Omit<DebianOptions, 'withDependencies'> = {}): Promise<string> {
  const files = await debianPackages(['linux-image-s390x'], {
    ...options,
    withDependencies: name => name.startsWith('linux-image-'),
    instead: list => list.names(/^linux-image-\d.*-s390x$/).map(name => [name]),
  });
  return files.at(-1)!;
}

/** Modules of the kernel, by their names, as files /usr/lib/lpar/NAME.ko for `insmod`. */
export async function kernelModules(names: readonly string[], options: DebianOptions = {}): Promise<TreeEntry[]> {
  const wanted = new Map(names.map(name => [`${name}.ko.xz`, name]));
  const packed = new Map<string, Uint8Array>();
  for await (const { path, data } of debEntries(await debianKernel(options), at => wanted.has(basename(at)))) {
    if (data) packed.set(wanted.get(basename(path))!, data);
  }
  const modules: TreeEntry[] = [];
  for (const [name, data] of packed) {
    const pieces: Uint8Array[] = [];
    for await (const piece of unxz(once(data))) pieces.push(piece);
    modules.push(file(`usr/lib/lpar/${name}.ko`, Buffer.concat(pieces), 0o644));
  }
  const missing = names.length - modules.length;
  if (missing > 0) throw new Error(`the kernel has ${missing} of the modules ${names.join(', ')} not`);
  return modules;
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}

/** Obtains the guest, from the cache if it is there. */
export async function debianGuest(options: GuestOptions = {}): Promise<Guest> {
  const { packages = [], files = [], packageSuite, otherwise, wanted, gzip = true, ...debian } = options;
  const kernelPackage = await debianKernel(debian);
  // One answer about the current packages is enough.
  const later = { ...debian, update: false };
  const contents = await debianPackages(['busybox-static'], { ...later, withDependencies: false });
  if (packages.length > 0) {
    const wholly = {
      ...later,
      ...(packageSuite && { suite: packageSuite }),
      withDependencies: debian.withDependencies ?? true,
    };
    const found = debianPackages(packages, wholly).catch(error => {
      if (!otherwise || !(error instanceof Unobtainable)) throw error;
      console.error(`lpar: taking packages of Debian ${otherwise}: ${error.message}`);
      return debianPackages(packages, { ...wholly, suite: otherwise });
    });
    contents.push(...(await found));
  }
  const init = await readFile(new URL('./init', import.meta.url));

  const home = join(options.cache ?? cacheFolder(), `guest-${options.suite ?? debian13}`);
  const kernel = join(home, basename(kernelPackage, '.deb'), 'vmlinuz');
  if (!(await exists(kernel))) {
    console.error(`lpar: unpacking the kernel`);
    await place(kernel, part => unpackKernel(kernelPackage, part));
  }

  const hash = createHash('sha256').update(init);
  if (wanted) hash.update(String(wanted));
  for (const path of contents) hash.update(`\0${basename(path)}`);
  for (const { data, ...entry } of files) hash.update(`\0${JSON.stringify(entry)}`).update(data ?? '');
  const initrd = join(home, 'initrd', `${hash.digest('hex').slice(0, 16)}.cpio${gzip ? '.gz' : ''}`);
  if (!(await exists(initrd))) {
    console.error(`lpar: building the initramfs`);
    const tree = await packageTree(contents, wanted);
    tree.add(file('init', init, 0o755));
    // The kernel opens it for /init before /init can mount anything.
    tree.add({ path: 'dev/console', type: 'character', mode: 0o600, major: 5, minor: 1 });
    for (const entry of files) tree.add(entry);
    await place(initrd, async part => writeFile(part, await initramfs(tree, { gzip })));
  }
  // linux-image-<release>_<version>_s390x.deb
  return { kernel, initrd, release: /^linux-image-([^_]+)/.exec(basename(kernelPackage))![1] };
}

/** The file boot/vmlinuz-* of a kernel package: the kernel's raw boot image. */
async function unpackKernel(path: string, to: string) {
  for await (const { type, data } of debEntries(path, name => /^boot\/vmlinuz-/.test(name))) {
    if (type === 'file' && data) return writeFile(to, data);
  }
  throw new Error(`${path} has no boot/vmlinuz-*`);
}
