/**
 * `npm run guest`: obtains the guest without booting it and prints how to boot it.
 *
 *     npm run guest -- [--update] [--mirror URL] [--no-apt] [PACKAGE…]
 */
import { parseArgs } from 'node:util';
import { commandLine, debianGuest } from './image.ts';

const usage = `usage: npm run guest -- [--update] [--mirror URL] [--no-apt] [PACKAGE…]
  --update      ask the mirror for its current packages instead of using the cache
  --mirror URL  the Debian mirror (default: $LPAR_DEBIAN_MIRROR, else the one in apt's sources)
  --no-apt      download and check signatures without apt
  PACKAGE…      Debian packages to add to the initramfs, with their dependencies`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      update: { type: 'boolean' },
      mirror: { type: 'string' },
      'no-apt': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(usage);
  } else {
    const { kernel, initrd } = await debianGuest({
      packages: positionals,
      update: values.update,
      mirror: values.mirror,
      apt: values['no-apt'] ? false : undefined,
    });
    const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
    console.log(`bin/lpar -nographic -m 1G -kernel ${quoted(kernel)} -initrd ${quoted(initrd)} -append ${commandLine}`);
  }
} catch (error) {
  console.error(`lpar: ${(error as Error).message}`);
  process.exitCode = 1;
}
