/** JSON values one after the other in a stream of bytes. */

/** A value, or what was wrong with the text that stood in its place. */
export type JsonItem = { readonly value: unknown } | { readonly error: string };

/** Longest text of a value, in characters. */
const LIMIT = 1 << 20;

export class JsonReader {
  readonly #decoder = new TextDecoder();
  #text = '';
  /** How far the text has been looked at, and in what. */
  #at = 0;
  #depth = 0;
  #quote = '';

  take(data: Uint8Array): void {
    this.#text += this.#decoder.decode(data, { stream: true });
  }

  /** The next value or mistake; undefined when it is not there as a whole yet. */
  next(): JsonItem | undefined {
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!;
      if (this.#depth === 0 && /\s/.test(character)) continue;
      if (this.#quote !== '') {
        if (character === '\\') this.#at++;
        else if (character === this.#quote) this.#quote = '';
      } else if (character === '"' || character === "'") this.#quote = character;
      else if (character === '{' || character === '[') this.#depth++;
      else if (character === '}' || character === ']') this.#depth--;
      // Outside of objects and lists a value ends with its line.
      else if (this.#depth === 0 && !this.#text.includes('\n', this.#at)) break;
      else if (this.#depth === 0) this.#at = this.#text.indexOf('\n', this.#at);
      if (this.#depth <= 0 && this.#quote === '') return this.#cut(this.#at + 1);
    }
    return this.#text.length > LIMIT ? this.#cut(this.#text.length) : undefined;
  }

  #cut(end: number): JsonItem {
    const text = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    this.#at = 0;
    this.#depth = 0;
    this.#quote = '';
    if (text.length > LIMIT) return { error: 'JSON token size limit exceeded' };
    try {
      return { value: JSON.parse(text) };
    } catch {
      return { error: 'JSON parse error, expecting value' };
    }
  }
}
