/** What runs first in a worker thread: hands over to the function of its role. */

import module from 'node:module';
import { BroadcastChannel, type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { ThreadPort, ThreadRole } from '../threads.ts';

// Each thread has to ask for the cache, before it loads what is to come from it.
module.enableCompileCache();
const { roles } = await import('../../machine/threads.ts');

const role = workerData as ThreadRole;
// Files are for one role; the others start without them.
const io = role === 'io' ? (await import('./io-platform.ts')).nodeIoPlatform : undefined;
const port: ThreadPort = {
  io,
  post: message => parentPort!.postMessage(message),
  onMessage: listener => void parentPort!.on('message', listener),
  mailbox: name => {
    const channel = new BroadcastChannel(name);
    channel.unref();
    // Node takes a channel there as well, as its documentation says.
    const end = channel as unknown as MessagePort;
    return { post: message => channel.postMessage(message), receive: () => receiveMessageOnPort(end)?.message };
  },
};
const run = await roles[role]();
// A thread that is ended from outside would not store what it has put into the cache.
module.flushCompileCache();
// The first message is what the role is given, and may be long in coming; others wait until somebody listens.
parentPort!.once('message', data => run(port, data as never));
