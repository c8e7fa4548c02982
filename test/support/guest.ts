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

const libraries =
  /^(libc6|libtinfo6|libreadline8(t64)?|libmpfr6|libgmp10|libsigsegv2|libgcc-s1|libudev1|libcap2|libjson-c5)$/;

let withTools: Promise<Guest & { readonly without?: string }> | undefined;

/** The guest with s390-tools and what these need; where they cannot be had without, and the reason. */
export function guestWithTools(): Promise<Guest & { readonly without?: string }> {
  withTools ??= (async () => {
    const packages = ['s390-tools', 'bash', 'gawk'];
    const found = await guestOrReason({ packages, withDependencies: name => libraries.test(name) });
    return typeof found === 'string' ? { ...(await debianGuest()), without: found } : found;
  })();
  return withTools;
}
