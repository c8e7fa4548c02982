/**
 * JSON as QMP speaks it (RFC 8259; strings may also stand between apostrophes): values one after the other in a stream of
 * bytes, and values written as QEMU writes them. Mistakes are told in QEMU's words, and the stream goes on behind them.
 */

/** Whole numbers that were written as such are bigint when they come in. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** A value, or what was wrong with the text that stood in its place. */
export type JsonItem = { readonly value: Json } | { readonly error: string };

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Longest text of a value, in characters; deepest nesting. */
const LONGEST = 1 << 24;
const DEEPEST = 1024;

class Mistake extends Error {}

const STRUCTURAL = '{}[]:,';
/** What a string may go on with, and the whole of one. */
const strings: Readonly<Record<string, { readonly part: RegExp; readonly end: string }>> = {
  '"': { part: /"(?:[^"\\\p{Cc}]|\\\P{Cc})*/uy, end: '"' },
  "'": { part: /'(?:[^'\\\p{Cc}]|\\\P{Cc})*/uy, end: "'" },
};
const numberPart = /-?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][-+]?\d*)?/y;
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const keyword = /[a-z]+/y;
/** Behind a mistake the text is skipped up to one of these. */
const fresh = /[\p{Cc}{}[\]:,]/u;

/** Takes bytes, gives values. */
export class JsonReader {
  readonly #decoder = new TextDecoder();
  #text = '';
  /** Tokens of the value that is not there as a whole yet. */
  #tokens: string[] = [];
  #length = 0;
  #braces = 0;
  #brackets = 0;
  #skipping = false;

  take(data: Uint8Array): void {
    this.#text += this.#decoder.decode(data, { stream: true });
  }

  /** The next value or mistake; undefined when it is not there as a whole yet. */
  next(): JsonItem | undefined {
    try {
      for (let token = this.#token(); token !== undefined; token = this.#token()) {
        if (token === '{') this.#braces++;
        else if (token === '}') this.#braces--;
        else if (token === '[') this.#brackets++;
        else if (token === ']') this.#brackets--;
        this.#tokens.push(token);
        this.#length += token.length;
        if (this.#length > LONGEST) throw new Mistake('JSON token size limit exceeded');
        if (this.#braces + this.#brackets > DEEPEST) throw new Mistake('JSON nesting depth limit exceeded');
        if (this.#braces < 0 || this.#brackets < 0 || (this.#braces === 0 && this.#brackets === 0)) {
          return { value: new Parser(this.#taken()).parse() };
        }
      }
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      this.#taken();
      return { error: error.message };
    }
    return undefined;
  }

  #taken(): string[] {
    const tokens = this.#tokens;
    this.#tokens = [];
    this.#length = 0;
    this.#braces = 0;
    this.#brackets = 0;
    return tokens;
  }

  /** The next token; undefined when the text does not show yet where it ends. */
  #token(): string | undefined {
    if (this.#skipping) {
      const at = this.#text.search(fresh);
      this.#text = at < 0 ? '' : this.#text.slice(at);
      if (at < 0) return undefined;
      this.#skipping = false;
    }
    this.#text = this.#text.replace(/^[ \t\r\n]+/, '');
    const text = this.#text;
    if (text === '') return undefined;
    const first = text[0]!;
    if (STRUCTURAL.includes(first)) return this.#cut(1);
    const string = strings[first];
    if (string) {
      const part = this.#match(string.part);
      if (text[part] === string.end) return this.#cut(part + 1);
      // A reverse solidus may be the last character yet.
      if (part === text.length || (text[part] === '\\' && part + 1 === text.length)) return this.#wait();
      return this.#stray(text[part] === '\\' ? part + 1 : part);
    }
    if (/[-\d]/.test(first)) {
      const part = this.#match(numberPart);
      if (part === text.length) return this.#wait();
      return number.test(text.slice(0, part)) && !/\d/.test(text[part]!) ? this.#cut(part) : this.#stray(part);
    }
    if (/[a-z]/.test(first)) {
      const part = this.#match(keyword);
      return part === text.length ? this.#wait() : this.#cut(part);
    }
    return this.#stray(0);
  }

  #match(pattern: RegExp): number {
    pattern.lastIndex = 0;
    return pattern.exec(this.#text)![0].length;
  }

  #cut(length: number): string {
    const token = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return token;
  }

  #wait(): undefined {
    if (this.#text.length > LONGEST) {
      this.#text = '';
      throw new Mistake('JSON token size limit exceeded');
    }
  }

  #stray(at: number): never {
    this.#skipping = true;
    throw new Mistake(`JSON parse error, stray '${this.#cut(at + 1)}'`);
  }
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
};
const keywords = new Map<string, Json>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

const wrong = (text: string): Mistake => new Mistake(`JSON parse error, ${text}`);

/** From tokens to the value that they are. */
class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  /** @throws Mistake */
  parse(): Json {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw wrong('premature EOI');
    if (token === '{') return this.#object();
    if (token === '[') return this.#list();
    if (token[0] === '"' || token[0] === "'") return unescaped(token);
    if (/[-\d]/.test(token[0]!)) return numberOf(token);
    if (/[a-z]/.test(token[0]!)) {
      const value = keywords.get(token);
      if (value === undefined) throw wrong(`invalid keyword '${token}'`);
      return value;
    }
    throw wrong('expecting value');
  }

  #object(): JsonObject {
    const object: Record<string, Json> = Object.create(null);
    if (this.#follows('}')) return object;
    do {
      const key = this.parse();
      if (typeof key !== 'string') throw wrong('key is not a string in object');
      if (!this.#follows(':')) throw wrong('missing : in object pair');
      const value = this.parse();
      if (key in object) throw wrong('duplicate key');
      object[key] = value;
    } while (this.#follows(','));
    if (!this.#follows('}')) throw wrong('expected separator in dict');
    return object;
  }

  #list(): Json[] {
    const list: Json[] = [];
    if (this.#follows(']')) return list;
    do list.push(this.parse());
    while (this.#follows(','));
    if (!this.#follows(']')) throw wrong('expected separator in list');
    return list;
  }

  #follows(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }
}

function unescaped(token: string): string {
  const text = token.slice(1, -1).replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gsu, (whole, code, letter) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    if (letter === 'u')
      throw wrong(`${token.slice(token.indexOf(whole)).slice(0, 6)} is not a valid Unicode character`);
    const character = escapes[letter];
    if (character === undefined) throw wrong('invalid escape sequence in string');
    return character;
  });
  const alone = /\p{Cs}/u.exec(text);
  if (alone) throw wrong(`\\u${alone[0].charCodeAt(0).toString(16)} is not a valid Unicode character`);
  return text;
}

function numberOf(token: string): number | bigint {
  if (/[.eE]/.test(token)) return Number(token);
  const value = BigInt(token);
  return value === BigInt.asIntN(64, value) || value === BigInt.asUintN(64, value) ? value : Number(token);
}

/** A value as text: in one line, or with `pretty` a line for each member. */
export function written(value: Json, pretty: boolean, indent = ''): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  const inner = `${indent}    `;
  const [parts, open, close] = Array.isArray(value)
    ? [value.map(item => written(item, pretty, inner)), '[', ']']
    : [
        Object.entries(value as JsonObject).flatMap(([key, item]) =>
          item === undefined ? [] : [`${quoted(key)}: ${written(item, pretty, inner)}`],
        ),
        '{',
        '}',
      ];
  if (!pretty) return `${open}${parts.join(', ')}${close}`;
  return `${open}\n${parts.map(part => inner + part).join(',\n')}${parts.length > 0 ? '\n' : ''}${indent}${close}`;
}

const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
