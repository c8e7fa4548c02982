// Runs a TypeScript file of this checkout for an npm script: `node tools/run.cjs guest/start.ts …`. First installs the
// npm packages if they are missing, and continues in Node 26 if this one is older.
//
// Plain JavaScript without dependencies, because it runs before anything is installed and on older Nodes.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureRuntime, npm } from '../bin/runtime.mjs';

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));

const [script, ...args] = process.argv.slice(2);

if (!packagesAreInstalled()) {
  console.error('lpar: installing npm packages');
  const fresh = !existsSync(join(root, 'node_modules'));
  const status = npm(fresh ? ['ci'] : ['install', '--no-save'], { cwd: root });
  if (status !== 0) {
    console.error('lpar: the npm packages could not be installed (is there a network?); this runs without them:');
    console.error('lpar:   bin/lpar -nographic -m 1G -kernel vmlinuz -initrd initrd.img -append console=ttysclp0');
    process.exit(1);
  }
}

if (await ensureRuntime(self, [script, ...args])) {
  const path = resolve(root, script);
  if (!existsSync(path)) {
    console.error(`lpar: ${script} is missing from this checkout`);
    process.exit(1);
  }
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}

/** Whether node_modules holds what package-lock.json asks for, optional packages aside. */
function packagesAreInstalled() {
  const read = file => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  let installed;
  try {
    installed = read('node_modules/.package-lock.json');
  } catch {
    return false;
  }
  return Object.entries(read('package-lock.json')).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}
