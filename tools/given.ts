/** Command lines of the project's own programs. What a program takes is written in the comment with which its file begins. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

const help = { type: 'boolean', short: 'h' } as const;

/** That comment, of a file's URL. */
function manual(url: string): string {
  const [, comment] = /^\/\*\*\n(.*?)\n \*\/$/ms.exec(readFileSync(fileURLToPath(url), 'utf8'))!;
  return comment!.replace(/^ \* ?/gm, '');
}

/** Says what is wrong with the command line of a file's program, and ends. */
export function refuse(url: string, message: string): never {
  console.error(`${message}\n\n${manual(url)}`);
  process.exit(1);
}

/** The options that were given to the program of a file (its `import.meta.url`). Ends after --help, and where it takes no such thing. */
export function given<const T extends ParseArgsOptionsConfig>(url: string, options: T) {
  let values: { help?: boolean };
  try {
    ({ values } = parseArgs({ options: { ...options, help } }));
  } catch (error) {
    return refuse(url, (error as Error).message);
  }
  if (values.help) {
    console.log(manual(url));
    process.exit();
  }
  return values as ReturnType<typeof parseArgs<{ options: T }>>['values'];
}
