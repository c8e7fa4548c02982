/** The BIND that opens an SNA session, for TN3270E clients that want to see it (RFC 2355, section 10.3). */

import { ebcdicText } from '../../ebcdic.ts';

/** Rows and columns of the alternate screen, by the model in a device type; others tell theirs in a query reply. */
const ALTERNATE: Readonly<Record<string, readonly [number, number]>> = {
  2: [24, 80],
  3: [32, 80],
  4: [43, 80],
  5: [27, 132],
};

const DEFAULT = [24, 80] as const;

/** Screen sizes, byte 24: the default is 24 by 80, the alternate one is queried; or both are given. */
const QUERIED = 0x03;
const GIVEN = 0x7f;

/** A BIND for a display (LU type 2); offsets as in SNA Formats, "BIND". */
export function bindImage(deviceType: string, application: string): Uint8Array {
  const alternate = ALTERNATE[/^IBM-3\d\d\d-(\d)/.exec(deviceType)?.[1] ?? ''];
  const name = application.toUpperCase().slice(0, 8);
  const image = new Uint8Array(29 + name.length);
  image.set([0x31, 0x01, 0x03, 0x03, 0xb1, 0x90, 0x30, 0x80]);
  // The longest request units, mantissa and exponent: 1024 bytes from the terminal, 3840 to it.
  image.set([0x87, 0xf8], 10);
  image[14] = 0x02;
  if (alternate) image.set([...DEFAULT, ...alternate, GIVEN], 20);
  else image[24] = QUERIED;
  image[27] = name.length;
  image.set(ebcdicText(name, name.length), 28);
  // The last byte is the length of user data: none.
  return image;
}
