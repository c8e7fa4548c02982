/**
 * `npm run build`: makes dist/, the plain JavaScript of src/ that the published package runs, because Node does not
 * strip types below node_modules.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const made = join(root, `.dist-${process.pid}`);

function compile() {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } };
  const tsc = join(dirname(manifest), bin.tsc);
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', made], {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (status !== 0) throw new Error('tsc found errors');
}

/** The compiler renames imports of .ts files; what is loaded by its URL (a Worker's script) is renamed here. */
function renameUrls() {
  for (const name of readdirSync(made, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js')) continue;
    const path = join(made, name);
    const text = readFileSync(path, 'utf8');
    const renamed = text.replace(/(new URL\(\s*(['"`])[^'"`]+)\.ts(\2,\s*import\.meta\.url)/g, '$1.js$3');
    if (renamed !== text) writeFileSync(path, renamed);
  }
}

/** Files that are no TypeScript (tables, WebAssembly, descriptions) are read relative to the code and go along. */
function copyData() {
  cpSync(source, made, {
    recursive: true,
    filter: path => !/\.ts$/.test(path) && !/(^|[/\\])(README\.md|__snapshots__)$/.test(path),
  });
}

try {
  compile();
  renameUrls();
  copyData();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  renameSync(made, join(root, 'dist'));
} catch (error) {
  console.error(`lpar: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true, force: true });
}
