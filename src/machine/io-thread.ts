/** The I/O thread: sleeps until the channel subsystem's bell rings, and lets sockets, files and timers have their turn. */

import type { ThreadPort } from '../platform/threads.ts';
import type { FromIo, IoStart, ToIo } from './io-messages.ts';
import { IoSide } from './io-side.ts';

export function ioThread(port: ThreadPort, start: IoStart): IoSide {
  const platform = port.io!;
  const post = (message: FromIo): void => port.post(message);
  const side = new IoSide(start, platform, post);
  port.onMessage((message: ToIo) => side.take(message));
  const { table, css } = side;
  const turn = (): void => {
    const seen = table.rung;
    try {
      css.work();
    } catch (error) {
      post({ kind: 'failed', error });
    }
    // A bell that rings all the time must not keep others from their turn.
    if (table.rung !== seen) platform.later(turn);
    else void table.whenRung(seen).then(turn);
  };
  turn();
  return side;
}
