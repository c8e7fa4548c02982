/** The functions that threads of each role run. A thread loads what its role needs, and no more. */

import type { ThreadPort, ThreadRole } from '../platform/threads.ts';

type Run = (port: ThreadPort, data: never) => void;

export const roles: Record<ThreadRole, () => Promise<Run>> = {
  cpu: async () => (await import('./cpu-thread.ts')).cpuThread,
  counted: async () => (await import('./counted-thread.ts')).countedThread,
  ticker: async () => (await import('./ticker.ts')).ticker,
  compiler: async () => (await import('./compiler-thread.ts')).compilerThread,
  io: async () => (await import('./io-thread.ts')).ioThread,
};
