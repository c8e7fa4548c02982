/**
 * Takes a telnet stream (RFC 854) apart as it comes in, wherever it is cut: data, ends of records (RFC 885), commands, options
 * and their subnegotiations.
 */

export const IAC = 0xff;
export const DONT = 0xfe;
export const DO = 0xfd;
export const WONT = 0xfc;
export const WILL = 0xfb;
export const SB = 0xfa;
export const SE = 0xf0;
export const AYT = 0xf6;
export const AO = 0xf5;
export const IP = 0xf4;
export const BRK = 0xf3;
export const NOP = 0xf1;
export const EOR = 0xef;

export type Verb = typeof DO | typeof DONT | typeof WILL | typeof WONT;

export interface TelnetHandler {
  /** A piece of data, which is only there during the call. */
  data(bytes: Uint8Array): void;
  /** The data up to here is a record. */
  endOfRecord(): void;
  command(code: number): void;
  option(verb: Verb, option: number): void;
  /** @param data what came between the option and the end */
  subnegotiation(option: number, data: Uint8Array): void;
}

/** Longer subnegotiations are cut: nobody needs them. */
const SUBNEGOTIATION = 512;

const ESCAPED = Uint8Array.of(IAC);

export class TelnetParser {
  readonly #handler: TelnetHandler;
  #state: 'data' | 'command' | Verb | 'subnegotiation' | 'subnegotiation-command' = 'data';
  readonly #parameters = new Uint8Array(SUBNEGOTIATION);
  #length = 0;

  constructor(handler: TelnetHandler) {
    this.#handler = handler;
  }

  parse(stream: Uint8Array): void {
    for (let n = 0; n < stream.length; n++) {
      const byte = stream[n]!;
      switch (this.#state) {
        case 'data': {
          const command = stream.indexOf(IAC, n);
          const end = command < 0 ? stream.length : command;
          if (end > n) this.#handler.data(stream.subarray(n, end));
          if (command >= 0) this.#state = 'command';
          n = end;
          break;
        }
        case 'command':
          this.#command(byte);
          break;
        case 'subnegotiation':
          if (byte === IAC) this.#state = 'subnegotiation-command';
          else this.#parameter(byte);
          break;
        case 'subnegotiation-command':
          this.#subnegotiationCommand(byte);
          break;
        default: {
          const verb = this.#state;
          this.#state = 'data';
          this.#handler.option(verb, byte);
        }
      }
    }
  }

  #command(code: number): void {
    this.#state = 'data';
    switch (code) {
      case IAC:
        return this.#handler.data(ESCAPED);
      case EOR:
        return this.#handler.endOfRecord();
      case DO:
      case DONT:
      case WILL:
      case WONT:
        this.#state = code;
        return;
      case SB:
        this.#state = 'subnegotiation';
        this.#length = 0;
        return;
      default:
        this.#handler.command(code);
    }
  }

  #parameter(byte: number): void {
    if (this.#length < SUBNEGOTIATION) this.#parameters[this.#length++] = byte;
  }

  #subnegotiationCommand(code: number): void {
    if (code === IAC) {
      this.#state = 'subnegotiation';
      return this.#parameter(IAC);
    }
    const parameters = this.#parameters.slice(0, this.#length);
    this.#state = 'data';
    if (parameters.length > 0) this.#handler.subnegotiation(parameters[0]!, parameters.subarray(1));
    // Another command than the end: the end has got lost.
    if (code !== SE) this.#command(code);
  }
}

/** Data with each byte doubled that would begin a command, and the end of record behind it. */
export function record(...pieces: readonly Uint8Array[]): Uint8Array {
  let length = 2;
  for (const piece of pieces) for (const byte of piece) length += byte === IAC ? 2 : 1;
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    for (const byte of piece) {
      out[at++] = byte;
      if (byte === IAC) out[at++] = IAC;
    }
  }
  out[at++] = IAC;
  out[at] = EOR;
  return out;
}

export const option = (verb: Verb, number: number): Uint8Array => Uint8Array.of(IAC, verb, number);

export const subnegotiation = (number: number, ...parameters: readonly number[]): Uint8Array =>
  Uint8Array.from([IAC, SB, number, ...parameters.flatMap(byte => (byte === IAC ? [IAC, IAC] : [byte])), IAC, SE]);
