/** What runs first in a worker thread: hands over to the function of its role. */

import { parentPort, workerData } from 'node:worker_threads';
import { roles } from '../../machine/threads.ts';
import type { Port, ThreadRole } from '../threads.ts';

const { role, data } = workerData as { role: ThreadRole; data: never };
const port: Port = {
  post: message => parentPort!.postMessage(message),
  onMessage: listener => void parentPort!.on('message', listener),
};
roles[role](port, data);
