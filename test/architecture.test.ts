/**
 * The shape of the house: which room of src/ may import from which. The rooms and the reasons are in
 * docs/architecture.md.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');

/** What stands behind a device. */
const backs = ['block', 'net', 'chardev'];
/** The parts that a machine is made of. */
const parts = ['cpu', 'css', 'devices', 'ipl', 'ultravisor'];

/** Each room and the rooms it may import from, besides itself. Every room may use the interfaces of platform. */
const arrows: Record<string, readonly string[]> = {
  platform: [],
  block: [],
  net: [],
  chardev: [],
  save: [],
  trace: [],
  // The CPU knows no channel, and channels know neither CPU nor device, but for what stands between them.
  cpu: [],
  css: [],
  devices: ['css', ...backs],
  ipl: ['css', ...backs],
  ultravisor: [],
  machine: [...parts, ...backs, 'save'],
  host: ['machine', ...parts, ...backs],
  cli: ['host', 'machine', ...parts, ...backs, 'save', 'platform/node'],
  web: ['host', 'machine', ...parts, ...backs, 'platform/browser'],
  'platform/node': [],
  'platform/browser': [],
  // src/*.ts: the public interface.
  '': ['host', 'machine', ...parts, ...backs],
};

/** Files that any room may import: the one door to guest storage, how state is saved, and plain facts. */
const common = [
  'machine/storage.ts',
  'version.ts',
  'ebcdic.ts',
  'save/save-state.ts',
  'save/words.ts',
  'trace/trace.ts',
];

/** Single files of other rooms: how interruptions are made pending, and the I/O instructions as the CPU has them. */
const doors: Record<string, readonly string[]> = {
  css: ['cpu/channels.ts', 'cpu/pending.ts', 'cpu/program.ts', 'cpu/state.ts'],
};

/** Files that start a thread or a program and therefore choose among rooms above their own. */
const entries: Record<string, readonly string[]> = { 'platform/node/thread-entry.ts': ['machine'] };

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map(path => path.split(sep).join('/'))
  .filter(path => path.endsWith('.ts'));

/** Tests, and what only tests use, may import anything. */
const isTest = (path: string) => /(\.test|(^|\/)testing)\.ts$|(^|\/)testing\//.test(path);

const room = (path: string) => {
  const folders = path.split('/').slice(0, -1);
  return folders[0] === 'platform' && folders.length > 1 ? `platform/${folders[1]}` : (folders[0] ?? '');
};

/** The modules that a file names in import and export declarations, import(), and new URL(…, import.meta.url). */
function imports(path: string): string[] {
  const text = readFileSync(join(source, path), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  return [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
    ...text.matchAll(/new URL\(\s*['"](\.[^'"]+\.ts)['"]/g),
  ].map(match => match[1]);
}

const local = (from: string, to: string) =>
  relative(source, resolve(source, dirname(from), to))
    .split(sep)
    .join('/');

test('imports point one way', () => {
  const wrong: string[] = [];
  for (const path of files.filter(path => !isTest(path))) {
    const from = room(path);
    if (!(from in arrows)) {
      wrong.push(`src/${path}: the room ${from} has no place in this test's table`);
      continue;
    }
    for (const to of imports(path).filter(specifier => specifier.startsWith('.'))) {
      const target = local(path, to);
      const allowed = [from, 'platform', ...arrows[from], ...(entries[path] ?? [])];
      if (from.startsWith('platform/') && room(target) === 'platform') continue;
      const known = [...common, ...(doors[from] ?? [])];
      if (!allowed.includes(room(target)) && !known.includes(target)) {
        wrong.push(`src/${path} imports src/${target}: ${from || 'src'} may not know ${room(target)}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('what tests use stays among tests', () => {
  const wrong = files
    .filter(path => !isTest(path))
    .flatMap(path => imports(path).map(to => [path, to.startsWith('.') ? local(path, to) : to]))
    .filter(([, to]) => isTest(to));
  assert.deepEqual(wrong, []);
});

test('imports carry the .ts extension and name files that exist', () => {
  const wrong = files
    .flatMap(path => imports(path).map(to => ({ path, to })))
    .filter(({ to }) => to.startsWith('.'))
    .filter(({ path, to }) => !to.endsWith('.ts') || !existsSync(join(source, local(path, to))))
    .map(({ path, to }) => `src/${path}: ${to}`);
  assert.deepEqual(wrong, []);
});

test('only platform/node knows Node, only platform/browser and web know the DOM', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const packages = Object.keys(manifest.dependencies ?? {});
  const wrong: string[] = [];
  for (const path of files.filter(path => !isTest(path))) {
    const where = room(path);
    for (const to of imports(path).filter(specifier => !specifier.startsWith('.'))) {
      if (where === 'platform/node' && to.startsWith('node:')) continue;
      const name = to.startsWith('@') ? to.split('/').slice(0, 2).join('/') : to.split('/')[0];
      if (!packages.includes(name)) wrong.push(`src/${path} imports ${to}`);
    }
    const text = code(readFileSync(join(source, path), 'utf8'));
    const globals: string[] = [];
    if (where !== 'platform/node') globals.push('process', 'Buffer', 'require', 'setImmediate', '__dirname');
    if (where !== 'platform/browser' && where !== 'web') globals.push('document', 'window', 'localStorage');
    for (const name of globals) {
      const used = new RegExp(`(?<![.\\w#$])${name}\\s*[.(\\[]`).test(text);
      const own = new RegExp(`\\b(const|let|var|function)\\s+${name}\\b|[(,]\\s*${name}\\s*[,:)]`).test(text);
      if (used && !own) wrong.push(`src/${path} uses ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** The text without comments and plain strings, as far as a few patterns can tell. */
const code = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
