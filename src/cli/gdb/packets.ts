/** The packet layer of gdb's remote protocol: `$data#checksum`, acknowledged with `+`. */

const PLUS = 0x2b;
const MINUS = 0x2d;
const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const INTERRUPT = 0x03;

/** Bytes whose codes are those of the characters. */
export const toBytes = (text: string): Uint8Array => Uint8Array.from(text, character => character.charCodeAt(0));

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
/** Undefined unless it is an even number of digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
}

/** Protects binary data in a packet. */
export const escaped = (text: string): string =>
  text.replace(/[#$}*]/g, character => `}${String.fromCharCode(character.charCodeAt(0) ^ 0x20)}`);

export interface PacketListener {
  /** A packet, its escapes undone; characters stand for bytes. */
  packet(text: string): void;
  /** Ctrl-C between packets. */
  interrupt(): void;
}

export class PacketChannel {
  /** Both sides agreed that acknowledgements are not needed. */
  acknowledge = true;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #listener: PacketListener;
  #last: Uint8Array | undefined;
  /** Bytes of the packet that is coming in; undefined between packets. */
  #packet: number[] | undefined;
  #checksum: string | undefined;

  constructor(send: (bytes: Uint8Array) => void, listener: PacketListener) {
    this.#send = send;
    this.#listener = listener;
  }

  send(text: string): void {
    const bytes = toBytes(text);
    this.#last = toBytes(`$${text}#${toHex(Uint8Array.of(sum(bytes)))}`);
    this.#send(this.#last);
  }

  receive(data: Uint8Array): void {
    for (const byte of data) this.#byte(byte);
  }

  #byte(byte: number): void {
    if (this.#checksum !== undefined) {
      this.#checksum += String.fromCharCode(byte);
      if (this.#checksum.length === 2) this.#end();
    } else if (this.#packet) {
      if (byte === HASH) this.#checksum = '';
      else this.#packet.push(byte);
    } else if (byte === DOLLAR) {
      this.#packet = [];
    } else if (byte === INTERRUPT) {
      this.#listener.interrupt();
    } else if (byte === MINUS && this.#last) {
      this.#send(this.#last);
    }
  }

  #end(): void {
    const bytes = this.#packet!;
    const good = Number.parseInt(this.#checksum!, 16) === sum(bytes);
    this.#packet = undefined;
    this.#checksum = undefined;
    if (this.acknowledge) this.#send(Uint8Array.of(good ? PLUS : MINUS));
    if (!good) return;
    let text = '';
    for (let n = 0; n < bytes.length; n++) {
      text += String.fromCharCode(bytes[n] === ESCAPE ? bytes[++n]! ^ 0x20 : bytes[n]!);
    }
    this.#listener.packet(text);
  }
}

function sum(bytes: ArrayLike<number>): number {
  let total = 0;
  for (let n = 0; n < bytes.length; n++) total = (total + bytes[n]!) & 0xff;
  return total;
}
