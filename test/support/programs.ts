/** Programs of test/programs for guests, made by the cross compiler. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the source of a program is. */
export const sourceOf = (name: string): string => fileURLToPath(new URL(`../programs/${name}.c`, import.meta.url));

/** Compiles a program into a folder, with what debuggers want to know. @returns where it is */
export async function compiled(name: string, folder: string): Promise<string> {
  const program = join(folder, name);
  const options = ['-O1', '-g', '-static', '-pthread', '-march=z10'];
  await run('s390x-linux-gnu-gcc', [...options, sourceOf(name), '-o', program]);
  return program;
}

/** Where the instructions of a function are: bytes from the beginning of the program's file. */
export async function instructionsOf(program: string, name: string): Promise<number[]> {
  const { stdout } = await run('s390x-linux-gnu-objdump', ['-d', '-F', `--disassemble=${name}`, program]);
  const [, begin, offset] = new RegExp(`^(\\w+) <${name}> \\(File Offset: 0x(\\w+)\\):$`, 'm').exec(stdout)!;
  const distance = Number.parseInt(begin!, 16) - Number.parseInt(offset!, 16);
  return [...stdout.matchAll(/^ +(\w+):\t/gm)].map(([, address]) => Number.parseInt(address!, 16) - distance);
}
