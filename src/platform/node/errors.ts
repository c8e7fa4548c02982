/** What goes wrong in Node, in words for the user. */

import { getSystemErrorMessage } from 'node:util';
import { HostError } from '../host.ts';

/** What Linux's C library says where Node says something else, or nothing. */
const words: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EBUSY: 'Device or resource busy',
  EDQUOT: 'Disk quota exceeded',
  EEXIST: 'File exists',
  EHOSTUNREACH: 'No route to host',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
  ENFILE: 'Too many open files in system',
  ENOMEM: 'Cannot allocate memory',
  ENOTCONN: 'Transport endpoint is not connected',
  ENOTSUP: 'Operation not supported',
  ESPIPE: 'Illegal seek',
  ESTALE: 'Stale file handle',
  ETXTBSY: 'Text file busy',
  EXDEV: 'Invalid cross-device link',
};

export function hostError(error: unknown): HostError {
  const { errno, code, message } = error as NodeJS.ErrnoException;
  const text = words[code ?? ''] ?? (typeof errno === 'number' ? getSystemErrorMessage(errno) : message);
  return new HostError(text.charAt(0).toUpperCase() + text.slice(1), code);
}

export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw hostError(error);
  }
}
