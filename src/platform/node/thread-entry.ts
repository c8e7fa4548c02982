/** What runs first in a worker thread: hands over to the function of its role. */

import module from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Port, ThreadRole } from '../threads.ts';

// Each thread has to ask for the cache, before it loads what is to come from it.
module.enableCompileCache();
const { roles } = await import('../../machine/threads.ts');

const { role, data } = workerData as { role: ThreadRole; data: never };
const port: Port = {
  post: message => parentPort!.postMessage(message),
  onMessage: listener => void parentPort!.on('message', listener),
};
roles[role](port, data);
