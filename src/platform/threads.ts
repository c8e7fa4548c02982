/** Threads as the machine needs them; platform/node and platform/browser provide them. */

/** What a thread is for; `src/machine/threads.ts` maps it to the function that runs there. */
export type ThreadRole = 'cpu' | 'counted' | 'ticker';

/** One end of a message channel. Messages are structured clones; shared memory stays shared. */
export interface Port {
  post(message: unknown): void;
  onMessage<Message>(listener: (message: Message) => void): void;
}

export interface Thread extends Port {
  /** Called when the thread dies of an exception. */
  onError(listener: (error: unknown) => void): void;
  /** Ends the thread wherever it is. */
  terminate(): Promise<void>;
}

export interface ThreadHost {
  /** Threads may see each other's storage accesses in another order than x86-64 allows. */
  readonly weaklyOrdered: boolean;
  /** @param data is given to the thread's function, cloned */
  spawn(role: ThreadRole, data: unknown): Thread;
}
