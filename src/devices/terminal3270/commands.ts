/** Commands of a 3270 attached to a channel (GA23-0059, "Local Channel Commands"; the 3174's Functional Description, GA23-0218). */

/** Sense byte 0: a data stream is not as it must be. */
export const OPERATION_CHECK = 0x01;

export type Command =
  /** Sends the data to the terminal, with the code of the command in the data stream. */
  | { readonly kind: 'write'; readonly name: string; readonly stream: number; readonly data: boolean }
  /** Gets what the terminal sends, which the data stream's command asks for. */
  | { readonly kind: 'read'; readonly name: string; readonly stream: number; readonly buffered: boolean }
  /** Nothing but a look whether the terminal is there. */
  | { readonly kind: 'select'; readonly name: string }
  | { readonly kind: 'none'; readonly name: string };

const write = (name: string, stream: number, data = true) => ({ kind: 'write', name, stream, data }) as const;
/** @param buffered a record that has come on its own is what the command is for */
const read = (name: string, stream: number, buffered: boolean) => ({ kind: 'read', name, stream, buffered }) as const;
const select = (name: string) => ({ kind: 'select', name }) as const;

/** By command code. */
export const COMMANDS: ReadonlyMap<number, Command> = new Map<number, Command>([
  [0x01, write('write', 0xf1)],
  [0x02, read('read buffer', 0xf2, false)],
  [0x03, { kind: 'none', name: 'no-operation' }],
  [0x05, write('erase/write', 0xf5)],
  [0x06, read('read modified', 0xf6, true)],
  [0x0b, select('select read modified')],
  [0x0d, write('erase/write alternate', 0x7e)],
  [0x0e, read('read modified all', 0x6e, true)],
  [0x0f, write('erase all unprotected', 0x6f, false)],
  [0x11, write('write structured field', 0xf3)],
  [0x1b, select('select read buffer')],
  [0x2b, select('select read modified from position')],
  [0x3b, select('select read buffer from position')],
  [0x4b, select('select write')],
]);

/** Attention identifiers. */
export const AID = {
  /** The PA1 key. */
  pa1: 0x6c,
  /** The TEST REQ or SYS REQ key. */
  testRequest: 0xf0,
} as const;

/** What a read after TEST REQ transfers: SOH % / STX (GA23-0059, "Test Request Read"). */
export const TEST_REQUEST = Uint8Array.of(0x01, 0x6c, 0x61, 0x02);
