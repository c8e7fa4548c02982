/** What goes wrong in Node, in words for the user. */

import { getSystemErrorMessage } from 'node:util';
import { HostError } from '../host.ts';

export function hostError(error: unknown): HostError {
  const { errno, code, message } = error as NodeJS.ErrnoException;
  const words = typeof errno === 'number' ? getSystemErrorMessage(errno) : message;
  return new HostError(words.charAt(0).toUpperCase() + words.slice(1), code);
}

export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw hostError(error);
  }
}
