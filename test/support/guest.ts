/** Guests for tests whose packages a mirror may be without for a while. */
import { Unobtainable } from '../../guest/debian.ts';
import { debianGuest, type Guest, type GuestOptions } from '../../guest/image.ts';
import { debian12 } from '../../guest/source.ts';

/** The guest; or why a test that needs it is skipped: the mirror does not have what its own list names. */
export async function guestOrReason(options: GuestOptions): Promise<Guest | string> {
  try {
    return await debianGuest({ otherwise: debian12, ...options });
  } catch (error) {
    if (error instanceof Unobtainable) return `the packages cannot be had: ${error.message}`;
    throw error;
  }
}
