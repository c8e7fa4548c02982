/**
 * The little of the telnet protocol (RFC 854) that a character device needs: the client is asked to send single
 * characters, eight bits wide, and its commands are taken out of the stream.
 */

import { BRK, DO, IAC, TelnetParser, WILL } from './telnet-parser.ts';

const BINARY = 0;
const ECHO = 1;
const SUPPRESS_GO_AHEAD = 3;

/** What the server says first. */
export const greeting = Uint8Array.of(
  ...[IAC, WILL, ECHO],
  ...[IAC, WILL, SUPPRESS_GO_AHEAD],
  ...[IAC, WILL, BINARY],
  ...[IAC, DO, BINARY],
);

/** Doubles the bytes that would begin a command. */
export function encode(data: Uint8Array): Uint8Array {
  return data.includes(IAC) ? Uint8Array.from([...data].flatMap(byte => (byte === IAC ? [IAC, IAC] : [byte]))) : data;
}

export class TelnetDecoder {
  #out: number[] = [];
  readonly #parser: TelnetParser;

  /** @param brk called for each break */
  constructor(brk: () => void) {
    this.#parser = new TelnetParser({
      data: data => this.#out.push(...data),
      endOfRecord: () => {},
      command: code => {
        if (code === BRK) brk();
      },
      option: () => {},
      subnegotiation: () => {},
    });
  }

  /** The data without commands. */
  decode(data: Uint8Array): Uint8Array {
    this.#out = [];
    this.#parser.parse(data);
    return Uint8Array.from(this.#out);
  }
}
