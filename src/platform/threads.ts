/** Threads as the machine needs them; platform/node and platform/browser provide them. */

import type { ImageFiles } from './image-files.ts';

/** What a thread is for; `src/machine/threads.ts` maps it to the function that runs there. */
export type ThreadRole = 'cpu' | 'counted' | 'ticker' | 'compiler' | 'io';

/** One end of a message channel. Messages are structured clones; shared memory stays shared. */
export interface Port {
  post(message: unknown): void;
  onMessage<Message>(listener: (message: Message) => void): void;
}

/** The end of the channel that a thread has. */
export interface ThreadPort extends Port {
  /** Opens a mailbox of the process. */
  mailbox(name: string): Mailbox;
  /** What the role `io` needs beside it; others have none. */
  readonly io: IoPlatform | undefined;
}

/** What surrounds devices: they are in a thread that has an event loop. */
export interface IoPlatform {
  readonly files: ImageFiles;
  /** Does something after what else is waiting. */
  later(work: () => void): void;
  /** The thread's event loop waits for nothing but messages of the main thread, and for timers. */
  readonly isQuiet: boolean;
}

/**
 * A way for messages that whoever receives them fetches when he likes, without going back to an event loop. Both ends know
 * its name; what is posted before the receiver has opened his end is lost.
 */
export interface Mailbox {
  post(message: unknown): void;
  /** The next message; undefined: there is none. */
  receive(): unknown;
}

/** What a thread is given by where it runs. */
export interface Thread extends Port {
  /** Called when the thread dies of an exception. */
  onError(listener: (error: unknown) => void): void;
  /** Ends the thread wherever it is. */
  terminate(): Promise<void>;
}

export interface ThreadHost {
  /** Threads may see each other's storage accesses in another order than x86-64 allows. */
  readonly weaklyOrdered: boolean;
  /** How many threads can run at the same time. */
  readonly parallelism: number;
  /** @param data is given to the thread's function, cloned */
  spawn(role: ThreadRole, data: unknown): Thread;
}
