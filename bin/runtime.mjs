// The one place that decides which Node runs lpar, and with which flags.
//
// lpar needs Node 26. When the running Node is good enough, everything happens in this process. When it is older
// (20 or newer), the same script is started again under a Node 26, which is looked for in this order:
//   1. $LPAR_NODE, a path to a Node binary;
//   2. in a checkout: runtime/node_modules, where npm puts it on first use (runtime/package.json);
//   3. as a package: the npm package node-<os>-<cpu>, when it is installed next to lpar.
//
// Plain JavaScript without dependencies, because the older Node has to read it.

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

/** The first major version of Node that runs lpar. */
export const requiredMajor = 26;

/** V8 flags for the engine. V8 takes them at run time, as long as that is before the first WebAssembly module. */
const v8Flags = [
  // Modules may ask for being compiled at once, and their first 32 functions go straight to the optimising compiler: code
  // of the baseline compiler is slower than the interpreter (docs/compiler.md, "Optimised at once").
  '--experimental-wasm-compilation-hints',
  '--wasm-tier-mask-for-testing=-1',
  // Regions are compiled beside the guest's CPUs, which would have to share the host's with several such threads.
  '--wasm-num-compilation-tasks=1',
  // So would threads that collect garbage, of which there is little.
  '--single-threaded-gc',
];

/** Flags that Node takes only on its command line; any flag here costs a second start of Node. */
const nodeFlags = [];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCheckout = existsSync(join(root, 'runtime', 'package.json'));

/** Runs the command `lpar` with its arguments. */
export async function lpar(args) {
  if (!(await ensureRuntime(fileURLToPath(new URL('./lpar', import.meta.url)), args))) return;
  // Without it the types of every source file are stripped anew at each start: half a second.
  module.enableCompileCache();
  const load = path => {
    const file = isCheckout ? join(root, 'src', `${path}.ts`) : join(root, 'dist', `${path}.js`);
    return import(pathToFileURL(file).href);
  };
  // While this thread loads the rest. Where nothing is run after all it does no harm.
  const informs = args.some(arg => /^-?-?(h|help|version)$|(^|,)(help|\?)$/.test(arg));
  if (!informs) (await load('platform/node/threads')).prepareThreads();
  const { main: run } = await load('cli/main');
  // Also for a process that is killed later.
  module.flushCompileCache();
  process.exitCode = await run(args);
}

/**
 * Makes sure that a good Node runs with the flags it needs. True: this process is the one. False: another process has
 * taken over and its exit status is or will be this one's.
 */
export async function ensureRuntime(script, args) {
  const current = Number.parseInt(process.versions.node, 10);
  const missing = nodeFlags.filter(flag => !process.execArgv.includes(flag));
  if (current >= requiredMajor && missing.length === 0) {
    for (const flag of v8Flags) setFlagsFromString(flag);
    return true;
  }
  const node = current >= requiredMajor ? process.execPath : findNode();
  if (node === undefined) {
    const named = process.env.LPAR_NODE;
    console.error(
      named
        ? `lpar: ${named}, named by LPAR_NODE, is no Node ${requiredMajor} or newer`
        : `lpar: Node ${requiredMajor} or newer is needed and this is ${process.versions.node}; ` +
            `install it, or name one with LPAR_NODE=/path/to/node`,
    );
    process.exitCode = 1;
    return false;
  }
  takeOver(node, [...nodeFlags, script, ...args]);
  return false;
}

/** The path of a Node that is new enough, or undefined. In a checkout npm installs one if there is none yet. */
export function findNode() {
  const named = process.env.LPAR_NODE;
  if (named) return isNewEnough(named) ? named : undefined;
  if (isCheckout) {
    const installed = nodeIn(join(root, 'runtime', 'package.json'));
    return installed ?? (installNode() ? nodeIn(join(root, 'runtime', 'package.json')) : undefined);
  }
  return nodeIn(fileURLToPath(import.meta.url));
}

function isNewEnough(node) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return Number.parseInt(stdout?.slice(1) ?? '', 10) >= requiredMajor;
}

/** The Node binary among the packages that the given file can see. */
function nodeIn(from) {
  const os = process.platform === 'win32' ? 'win' : process.platform;
  const require = createRequire(from);
  for (const name of [`node-bin-${os}-${process.arch}`, `node-${os}-${process.arch}`]) {
    try {
      const manifest = require.resolve(`${name}/package.json`);
      const node = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.node);
      if (existsSync(node) && isNewEnough(node)) return node;
    } catch {
      // Not this package.
    }
  }
  return undefined;
}

/** Installs the Node of runtime/package-lock.json aside and renames it into place, so that it is there whole or not at all. */
function installNode() {
  const home = join(root, 'runtime');
  const aside = join(home, `.new-${process.pid}`);
  console.error(
    `lpar: Node ${requiredMajor} is needed and this is ${process.versions.node}: installing one with npm (about 60 MB)`,
  );
  try {
    mkdirSync(aside);
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(home, file), join(aside, file));
    const result = npm(['ci', '--ignore-scripts'], { cwd: aside });
    if (result !== 0) return false;
    rmSync(join(home, 'node_modules'), { recursive: true, force: true });
    renameSync(join(aside, 'node_modules'), join(home, 'node_modules'));
    return true;
  } catch (error) {
    // Another start may have been faster; the caller looks again.
    if (existsSync(join(home, 'node_modules'))) return true;
    console.error(`lpar: ${error.message}`);
    return false;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Runs npm with its output on stderr and returns its exit status. */
export function npm(command, options = {}) {
  const args = [...command, '--no-audit', '--no-fund', '--no-update-notifier'];
  const stdio = ['ignore', process.stderr, process.stderr];
  // Under npm, npm_execpath is npm's own script; otherwise npm is on the path.
  const script = process.env.npm_execpath;
  const result =
    script && /npm-cli\.[cm]?js$/.test(script)
      ? spawnSync(process.execPath, [script, ...args], { stdio, ...options })
      : spawnSync('npm', args, { stdio, shell: process.platform === 'win32', ...options });
  if (result.error) console.error(`lpar: npm does not start: ${result.error.message}`);
  return result.status ?? 1;
}

/** Continues in another Node: by execve where this Node has it, else as a child that gets the terminal and the signals. */
function takeOver(node, args) {
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...args], process.env);
  }
  const child = spawn(node, args, { stdio: 'inherit' });
  const forward = signal => {
    // Ctrl-C and Ctrl-\ on a terminal reach the child without help.
    if ((signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGBREAK'].filter(
    s => s in osConstants.signals,
  );
  for (const signal of signals) process.on(signal, forward);
  child.on('error', error => {
    console.error(`lpar: ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeListener(name, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}
