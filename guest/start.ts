/**
 * `npm start`: boots Debian's kernel to a shell on this terminal. What follows `--` is passed to lpar.
 */
import { lpar } from '../bin/runtime.mjs';
import { commandLine, debianGuest } from './image.ts';

const args = process.argv.slice(2);
const given = (...names: string[]) => args.some(arg => names.includes(arg.replace(/^--?/, '-')));

let guest: string[] | undefined = [];
if (!given('-kernel', '-version', '-help', '-h')) {
  try {
    const { kernel, initrd } = await debianGuest();
    guest = ['-kernel', kernel, '-initrd', initrd, '-append', commandLine];
  } catch (error) {
    console.error(`lpar: no guest: ${(error as Error).message}`);
    console.error('lpar: with a kernel and an initramfs of your own no download is needed:');
    console.error(`lpar:   npm start -- -kernel vmlinuz -initrd initrd.img -append ${commandLine}`);
    guest = undefined;
    process.exitCode = 1;
  }
}
if (guest) await lpar(['-nographic', '-m', '1G', ...guest, ...args]);
