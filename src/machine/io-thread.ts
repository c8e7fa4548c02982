/** The I/O thread: sleeps until the channel subsystem's bell rings, and lets sockets, files and timers have their turn. */

import type { ThreadPort } from '../platform/threads.ts';
import type { FromIo, IoStart, ToIo } from './io-messages.ts';
import { IoSide } from './io-side.ts';

/**
 * For so many milliseconds after the bell has rung it listens to nothing else: who has asked often asks again at once, and
 * waking up from this takes a third of the time.
 */
const ATTENTION = 1;

export function ioThread(port: ThreadPort, start: IoStart): IoSide {
  const platform = port.io!;
  const post = (message: FromIo): void => port.post(message);
  const side = new IoSide(start, platform, post);
  port.onMessage((message: ToIo) => side.take(message));
  const { table, css } = side;
  const turn = (): void => {
    const seen = table.rung;
    table.listensOnlyToBell = true;
    try {
      css.work();
    } catch (error) {
      post({ kind: 'failed', error });
    }
    // What else waits has its turn in between, also where the bell rings all the time.
    platform.later(() => {
      if (table.rung !== seen || (platform.isQuiet && table.waitForBell(seen, ATTENTION))) return turn();
      table.listensOnlyToBell = false;
      void table.whenRung(seen).then(turn);
    });
  };
  turn();
  return side;
}
