/** The functions that threads of each role run. */

import type { ThreadPort, ThreadRole } from '../platform/threads.ts';
import { compilerThread } from './compiler-thread.ts';
import { countedThread } from './counted-thread.ts';
import { cpuThread } from './cpu-thread.ts';
import { ioThread } from './io-thread.ts';
import { ticker } from './ticker.ts';

export const roles: Record<ThreadRole, (port: ThreadPort, data: never) => void> = {
  cpu: cpuThread,
  counted: countedThread,
  ticker,
  compiler: compilerThread,
  io: ioThread,
};
