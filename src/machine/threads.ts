/** The functions that threads of each role run. */

import type { Port, ThreadRole } from '../platform/threads.ts';
import { countedThread } from './counted-thread.ts';
import { cpuThread } from './cpu-thread.ts';
import { ticker } from './ticker.ts';

export const roles: Record<ThreadRole, (port: Port, data: never) => void> = {
  cpu: cpuThread,
  counted: countedThread,
  ticker,
};
