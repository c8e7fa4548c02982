/**
 * The little of the telnet protocol (RFC 854) that a character device needs: the client is asked to send single
 * characters, eight bits wide, and its commands are taken out of the stream.
 */

const IAC = 255;
const DO = 253;
const WILL = 251;
const SUBNEGOTIATION = 250;
const BREAK = 243;
const END = 240;

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
  #state: 'data' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation-command' = 'data';

  /** The data without commands; `brk` is called for each break. */
  decode(data: Uint8Array, brk: () => void): Uint8Array {
    const out: number[] = [];
    for (const byte of data) {
      switch (this.#state) {
        case 'data':
          if (byte === IAC) this.#state = 'command';
          else out.push(byte);
          break;
        case 'command':
          this.#state = 'data';
          if (byte === IAC) out.push(byte);
          else if (byte === BREAK) brk();
          else if (byte === SUBNEGOTIATION) this.#state = 'subnegotiation';
          else if (byte >= WILL) this.#state = 'option';
          break;
        case 'option':
          this.#state = 'data';
          break;
        case 'subnegotiation':
          if (byte === IAC) this.#state = 'subnegotiation-command';
          break;
        case 'subnegotiation-command':
          this.#state = byte === END ? 'data' : 'subnegotiation';
          break;
      }
    }
    return Uint8Array.from(out);
  }
}
