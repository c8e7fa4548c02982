/** Threads on Node: workers that run thread-entry. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Thread, ThreadHost, ThreadRole } from '../threads.ts';

// In a checkout this file and the entry are TypeScript, in the published package JavaScript.
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-entry.ts' : './thread-entry.js', import.meta.url);

const begin = (role: ThreadRole): Worker =>
  new Worker(entry, { workerData: role, resourceLimits: { maxYoungGenerationSizeMb: 8 } });

/** Threads that have been begun before anybody has asked for them. */
const prepared = new Map<ThreadRole, Worker>();

/** Begins the threads that most machines need: they load their code while the caller is still loading his. */
export function prepareThreads(): void {
  for (const role of ['cpu', 'compiler', 'ticker'] as const) {
    const worker = begin(role);
    // It is no reason for the process to go on.
    worker.unref();
    prepared.set(role, worker);
  }
}

/** Ends those that nobody has wanted. */
export function dropPreparedThreads(): void {
  for (const worker of prepared.values()) void worker.terminate();
  prepared.clear();
}

export const nodeThreads: ThreadHost = {
  weaklyOrdered: !['x64', 'ia32', 's390x'].includes(process.arch),
  parallelism: availableParallelism(),
  spawn(role, data): Thread {
    const worker = prepared.get(role) ?? begin(role);
    prepared.delete(role);
    worker.ref();
    worker.postMessage(data);
    return {
      post: message => worker.postMessage(message),
      onMessage: listener => void worker.on('message', listener),
      onError: listener => void worker.on('error', listener),
      terminate: async () => void (await worker.terminate()),
    };
  },
};
