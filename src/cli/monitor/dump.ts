/** How the monitor shows numbers and storage. */

import { CommandError } from './expression.ts';

export type Letter = 'o' | 'x' | 'u' | 'd' | 'c' | 'i';

/** `/COUNT LETTER SIZE` after `x`, `xp` and `print`. */
export interface Format {
  readonly count: number;
  readonly letter: Letter;
  /** Bytes of one item. */
  readonly size: number;
}

const sizes: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8, L: 8 };

/** Keeps what was used last, which is what holds when a format does not say. */
export class FormatReader {
  #letter: Letter = 'x';
  #size = 4;

  /** @param text what stands between the slash and the next blank. @throws CommandError */
  read(text: string): Format {
    const digits = /^\d*/.exec(text)![0];
    let letter: Letter | undefined;
    let size: number | undefined;
    for (const character of text.slice(digits.length)) {
      if ('oxudci'.includes(character)) letter = character as Letter;
      else if (character in sizes) size = sizes[character];
      else throw new CommandError(`invalid char in format: '${character}'`);
    }
    this.#letter = letter ?? this.#letter;
    if (this.#letter !== 'i') this.#size = size ?? this.#size;
    return { count: digits === '' ? 1 : Number(digits), letter: this.#letter, size: this.#size };
  }
}

/** A number on its own. */
export function formatNumber(value: bigint, letter: Letter): string {
  const unsigned = BigInt.asUintN(64, value);
  switch (letter) {
    case 'o':
      return unsigned === 0n ? '0' : `0${unsigned.toString(8)}`;
    case 'x':
      return unsigned === 0n ? '0' : `0x${unsigned.toString(16)}`;
    case 'u':
      return unsigned.toString();
    case 'c':
      return formatCharacter(Number(unsigned & 0xffn));
    default:
      return value.toString();
  }
}

function formatCharacter(code: number): string {
  const named: Record<number, string> = { 39: "\\'", 92: '\\\\', 10: '\\n', 13: '\\r' };
  const plain = code >= 32 && code <= 126 ? String.fromCharCode(code) : `\\x${code.toString(16).padStart(2, '0')}`;
  return `'${named[code] ?? plain}'`;
}

/**
 * Lines of storage.
 * @param read the bytes at an address, undefined when they cannot be reached
 */
export function dump(
  format: Format,
  address: bigint,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): string {
  const { letter, count } = format;
  const size = letter === 'c' ? 1 : format.size;
  const perLine = format.size === 1 ? 8 : 16;
  let text = '';
  let left = format.size * count;
  for (let at = address; left > 0; ) {
    const length = Math.min(left, perLine);
    text += `${hex(at, 16)}:`;
    const bytes = read(at, length);
    if (!bytes) return `${text} Cannot access memory\n`;
    for (let n = 0; n < length; n += size) text += ` ${item(bytes.subarray(n, n + size), letter)}`;
    text += '\n';
    at += BigInt(length);
    left -= length;
  }
  return text;
}

export const hex = (value: bigint | number, digits: number): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, '0');

function item(bytes: Uint8Array, letter: Letter): string {
  const bits = bytes.length * 8;
  const value = BigInt(`0x${Array.from(bytes, byte => hex(byte, 2)).join('')}`);
  switch (letter) {
    case 'o':
      return formatNumber(value, 'o').padStart(Math.ceil(bits / 3));
    case 'u':
    case 'd':
      // Only items of eight bytes are shown with a sign.
      return (letter === 'd' && bits === 64 ? BigInt.asIntN(64, value) : value)
        .toString()
        .padStart(Math.ceil((bits * 10) / 33));
    case 'c':
      return formatCharacter(Number(value));
    default:
      return `0x${hex(value, bits / 4)}`;
  }
}
