/** The CPUs of `-smp`: how many, and in which containers. */

import { ConfigurationError } from '../machine/control.ts';
import type { Shape } from '../machine/topology.ts';

/**
 * The containers by what was said of them: cores are preferred to sockets.
 * @param given numbers by their names
 * @throws ConfigurationError when the containers do not hold as many CPUs as there may be
 */
export function shapeOf(given: ReadonlyMap<string, number>, maximumCpus: number): Shape {
  const level = (name: string): number | undefined => given.get(name);
  if ((level('threads') ?? 1) > 1) throw new ConfigurationError('threads are not supported');
  const drawers = level('drawers') ?? 1;
  const books = level('books') ?? 1;
  const rest = Math.floor(maximumCpus / drawers / books);
  const sockets = level('sockets') ?? (level('cores') === undefined ? 1 : Math.floor(rest / level('cores')!));
  const cores = level('cores') ?? Math.floor(rest / sockets);
  if (drawers * books * sockets * cores !== maximumCpus) {
    throw new ConfigurationError(
      'Invalid CPU topology: product of the hierarchy must match maxcpus: ' +
        `drawers (${drawers}) * books (${books}) * sockets (${sockets}) * cores (${cores}) * threads (1) ` +
        `!= maxcpus (${maximumCpus})`,
    );
  }
  return { drawers, books, sockets, cores };
}
