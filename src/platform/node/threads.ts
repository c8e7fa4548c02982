/** Threads on Node: workers that run thread-entry. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Thread, ThreadHost } from '../threads.ts';

// In a checkout this file and the entry are TypeScript, in the published package JavaScript.
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-entry.ts' : './thread-entry.js', import.meta.url);

export const nodeThreads: ThreadHost = {
  weaklyOrdered: !['x64', 'ia32', 's390x'].includes(process.arch),
  parallelism: availableParallelism(),
  spawn(role, data): Thread {
    const worker = new Worker(entry, { workerData: { role, data }, resourceLimits: { maxYoungGenerationSizeMb: 8 } });
    return {
      post: message => worker.postMessage(message),
      onMessage: listener => void worker.on('message', listener),
      onError: listener => void worker.on('error', listener),
      terminate: async () => void (await worker.terminate()),
    };
  },
};
