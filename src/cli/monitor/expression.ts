/**
 * Arithmetic as monitor commands take it, on 64-bit numbers: `+ -` bind weakest, then `& | ^`, then `* / %`, then the
 * signs `+ - ~`. Operands are numbers (0x hexadecimal, 0 octal), characters 'c', $registers and parentheses.
 */

/** What the user typed makes no sense; the message says why. */
export class CommandError extends Error {}

export type RegisterValue = (name: string) => bigint | undefined;

/** Reads one expression from the beginning of a text. */
export class ExpressionReader {
  readonly #text: string;
  readonly #register: RegisterValue;
  #at: number;

  constructor(text: string, at: number, register: RegisterValue) {
    this.#text = text;
    this.#at = at;
    this.#register = register;
  }

  /** The value, signed, and where the text goes on. @throws CommandError */
  read(): { value: bigint; end: number } {
    const value = BigInt.asIntN(64, this.#sum());
    return { value, end: this.#at };
  }

  #next(): string {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
    return this.#text[this.#at] ?? '';
  }

  #accept(operators: string): string | undefined {
    const next = this.#next();
    if (next === '' || !operators.includes(next)) return undefined;
    this.#at++;
    return next;
  }

  #sum(): bigint {
    let value = this.#logic();
    for (let operator = this.#accept('+-'); operator; operator = this.#accept('+-')) {
      const right = this.#logic();
      value = operator === '+' ? value + right : value - right;
    }
    return value;
  }

  #logic(): bigint {
    let value = this.#product();
    for (let operator = this.#accept('&|^'); operator; operator = this.#accept('&|^')) {
      const right = this.#product();
      value = operator === '&' ? value & right : operator === '|' ? value | right : value ^ right;
    }
    return value;
  }

  #product(): bigint {
    let value = this.#unary();
    for (let operator = this.#accept('*/%'); operator; operator = this.#accept('*/%')) {
      const right = this.#unary();
      if (operator === '*') value *= right;
      else if (right === 0n) throw new CommandError('division by zero');
      else value = operator === '/' ? value / right : value % right;
    }
    return value;
  }

  #unary(): bigint {
    const sign = this.#accept('+-~(');
    switch (sign) {
      case '+':
        return this.#unary();
      case '-':
        return -this.#unary();
      case '~':
        return ~this.#unary();
      case '(': {
        const value = this.#sum();
        if (this.#accept(')') === undefined) throw new CommandError("')' expected");
        return value;
      }
      default:
        return this.#operand();
    }
  }

  #operand(): bigint {
    const next = this.#next();
    if (next === '') throw new CommandError('unexpected end of expression');
    const rest = this.#text.slice(this.#at);
    if (next === "'") {
      const code = rest.codePointAt(1);
      if (code === undefined) throw new CommandError('character constant expected');
      const character = String.fromCodePoint(code);
      if (rest[1 + character.length] !== "'") throw new CommandError("missing terminating ' character");
      this.#at += 2 + character.length;
      return BigInt(code);
    }
    if (next === '$') {
      const [name] = /^\$[\w.]*/.exec(rest)!;
      this.#at += name.length;
      const value = this.#register(name.slice(1));
      if (value === undefined) throw new CommandError('unknown register');
      return value;
    }
    const number = /^(0x[0-9a-f]+|\d+)/i.exec(rest)?.[0];
    if (number === undefined) throw new CommandError(`invalid char '${next}' in expression`);
    this.#at += number.length;
    return BigInt(/^0[0-7]+$/.test(number) ? `0o${number.slice(1)}` : number);
  }
}
