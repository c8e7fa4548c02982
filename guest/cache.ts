/**
 * The cache folder of the guest set-up, and files that are there whole or not at all.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where downloads and built images stay: $LPAR_CACHE, or `lpar` in the platform's folder for caches. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.LPAR_CACHE) return env.LPAR_CACHE;
  if (platform() === 'win32') return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'lpar', 'Cache');
  if (platform() === 'darwin') return join(homedir(), 'Library', 'Caches', 'lpar');
  // The XDG base directory specification: a relative path is to be ignored.
  const xdg = env.XDG_CACHE_HOME?.startsWith('/') ? env.XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(xdg, 'lpar');
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a file or a folder: `fill` writes it under another name beside it, and only when `fill` has succeeded does it
 * get its name.
 */
export async function place(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    await fill(temporary);
    try {
      await rename(temporary, path);
    } catch (error) {
      // A folder does not replace a folder that has content.
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await rm(path, { recursive: true, force: true });
      await rename(temporary, path);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The SHA-256 of a file in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** Runs `work` while no other process that uses the same lock file does. The lock of a dead process is taken over. */
export async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  for (let told = false; ; await sleep(200)) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(`${process.pid}\n`);
      await file.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (await isStale(path, holder)) {
      await rm(path, { force: true });
    } else if (!told && holder) {
      told = true;
      console.error(`lpar: waiting for process ${holder.trim()}, which prepares the same files (${path})`);
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function isStale(path: string, holder: string): Promise<boolean> {
  if (!holder.trim()) {
    // Between its creation and its content there is a moment; after some seconds the writer has died in it.
    const info = await stat(path).catch(() => undefined);
    return info !== undefined && Date.now() - info.mtimeMs > 5000;
  }
  try {
    process.kill(Number(holder), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
