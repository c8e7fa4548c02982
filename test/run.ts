/**
 * Runs the tests: all of them, or the files and node:test options named as arguments
 * (`npm test -- test/boot.test.ts --test-name-pattern=shell`).
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const files = args.some(arg => !arg.startsWith('-'))
  ? []
  : ['src/**/*.test.ts', 'test/**/*.test.ts', 'guest/**/*.test.ts'];
const { status, signal } = spawnSync(process.execPath, ['--test', ...args, ...files], { cwd: root, stdio: 'inherit' });
if (signal) console.error(`lpar: the tests ended by ${signal}`);
process.exitCode = status ?? 1;
