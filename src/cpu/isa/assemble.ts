/**
 * An assembler for tests and small built-in programs, made from the instruction rows. It takes the syntax of the GNU
 * assembler (`lg %r4,8(%r3)`, `1: brct %r2,1b`) and plain register numbers (`LG 4,8(0,3)`). Directives: .byte, .short,
 * .long, .quad (lists of expressions), .ascii "text", .org address, .balign boundary, .skip bytes[,fill] and
 * `name = expression`. `.` or `*` is the address of the statement, `#` begins a comment, `;` separates statements.
 */

import { operandsIn, optionalOperands } from './disassemble.ts';
import { encode } from './encode.ts';
import { type Format, leftPart } from './formats.ts';
import type { Instruction, Operands } from './insn.ts';
import { type Extended, extendedMnemonics } from './mnemonics.ts';

export interface Program {
  /** Address of the first byte. */
  readonly origin: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses of labels and values of symbols. */
  readonly symbols: ReadonlyMap<string, bigint>;
}

/** What is wrong in a source text, with the number of the line. */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

interface Named {
  readonly row: Instruction;
  readonly implied: Operands;
  readonly flag?: Extended['flag'];
}

export class Assembler {
  readonly #names = new Map<string, Named>();

  constructor(rows: readonly Instruction[]) {
    for (const row of rows) {
      for (const extended of extendedMnemonics(row)) this.#names.set(extended.name, { row, ...extended });
    }
    for (const row of rows) this.#names.set(row.mnemonic, { row, implied: {} });
  }

  /**
   * @param origin address of the first byte
   * @throws AssemblyError
   */
  assemble(source: string, origin = 0): Program {
    const symbols = new Map<string, bigint>();
    // Once to learn where the labels are, once more with all of them known.
    new Pass(this.#names, symbols, origin, false).run(source);
    const pass = new Pass(this.#names, symbols, origin, true);
    pass.run(source);
    return { origin, bytes: Uint8Array.from(pass.bytes), symbols };
  }
}

const DATA_SIZES: Readonly<Record<string, number>> = { '.byte': 1, '.short': 2, '.long': 4, '.quad': 8 };

class Pass {
  readonly names: ReadonlyMap<string, Named>;
  readonly symbols: Map<string, bigint>;
  readonly origin: number;
  /** Every symbol must have its value. */
  readonly final: boolean;
  readonly bytes: number[] = [];
  /** Addresses of numeric labels so far, by number. */
  readonly passed = new Map<string, bigint[]>();
  line = 0;
  /** Address of the current statement. */
  here = 0n;

  constructor(names: ReadonlyMap<string, Named>, symbols: Map<string, bigint>, origin: number, final: boolean) {
    this.names = names;
    this.symbols = symbols;
    this.origin = origin;
    this.final = final;
  }

  fail(message: string): never {
    throw new AssemblyError(this.line, message);
  }

  run(source: string): void {
    for (const text of source.split('\n')) {
      this.line++;
      for (const statement of split(text.match(/^(?:"[^"]*"|'.'|[^#])*/)![0], ';')) this.statement(statement.trim());
    }
  }

  statement(text: string): void {
    this.here = BigInt(this.origin + this.bytes.length);
    const label = /^([\w.$]+)\s*:\s*(.*)$/.exec(text);
    if (label) {
      this.label(label[1]!);
      this.statement(label[2]!);
      return;
    }
    const assignment = /^([A-Za-z_.$][\w.$]*)\s*=\s*(.+)$/.exec(text);
    if (assignment) return void this.symbols.set(assignment[1]!, this.value(assignment[2]!));
    const [name, rest] = [/^\S*/.exec(text)![0], text.replace(/^\S+\s*/, '')];
    if (!name) return;
    if (name[0] === '.') this.directive(name.toLowerCase(), rest);
    else this.instruction(name.toUpperCase(), rest);
  }

  label(name: string): void {
    if (/^\d+$/.test(name)) {
      const addresses = this.passed.get(name) ?? [];
      this.passed.set(name, [...addresses, this.here]);
      // Known by number and occurrence, for references forwards.
      this.symbols.set(`${name} ${addresses.length}`, this.here);
      return;
    }
    const known = this.symbols.get(name);
    if (known !== undefined && !(this.final && known === this.here)) this.fail(`${name} is defined twice`);
    this.symbols.set(name, this.here);
  }

  directive(name: string, rest: string): void {
    const size = DATA_SIZES[name];
    if (size) {
      for (const item of split(rest, ',')) {
        const value = this.value(item);
        if (value >= 1n << BigInt(8 * size) || value < -(1n << BigInt(8 * size - 1))) this.fail(`${item}: too large`);
        for (let shift = 8 * (size - 1); shift >= 0; shift -= 8)
          this.bytes.push(Number((value >> BigInt(shift)) & 0xffn));
      }
      return;
    }
    const known = (text: string): number => Number(this.value(text, true));
    const [first = '', second = '0'] = split(rest, ',');
    const fill = (count: number): void => {
      if (count < 0 || count > 1 << 28) this.fail(`${name} ${rest}: cannot go there`);
      for (let n = 0; n < count; n++) this.bytes.push(known(second) & 0xff);
    };
    const at = this.origin + this.bytes.length;
    if (name === '.org') fill(known(first) - at);
    else if (name === '.balign') fill((known(first) - (at % known(first))) % known(first));
    else if (name === '.skip') fill(known(first));
    else if (name === '.ascii') this.bytes.push(...new TextEncoder().encode(JSON.parse(rest) as string));
    else this.fail(`unknown directive ${name}`);
  }

  instruction(name: string, rest: string): void {
    const { row, implied, flag } = this.names.get(name) ?? this.fail(`unknown instruction ${name}`);
    const wanted = operandsIn(row.format.syntax).filter(operand => !(operand in implied));
    const given = split(rest, ',');
    // A last operand that an extended mnemonic leaves, like the register of NOPR, may be left out.
    const optional = optionalOperands(row) + (row.mnemonic === 'BCR' || row.mnemonic === 'BC' ? 1 : 0);
    if (given.length > wanted.length || given.length < wanted.length - optional) {
      this.fail(`${name} has the operands ${wanted.join(',') || '(none)'}`);
    }
    const operands: Record<string, number> = { ...implied };
    for (const [n, text] of given.entries()) this.operand(text.trim(), wanted[n]!, row.format, operands);
    if (flag) operands[flag[0]]! |= flag[1];
    this.bytes.push(...encode(row, operands));
  }

  operand(text: string, syntax: string, { fields }: Format, operands: Record<string, number>): void {
    const [name, ...inner] = syntax.match(/[a-z]+\d/g) as [string, ...string[]];
    const kind = name[0]!;
    if (kind === 'd') {
      // Parentheses at the end belong to the operand unless an operator stands before them.
      const [, displacement, list] = /^(.*?[^-+*/%&|~<>(\s]|)\s*\(([^()]*)\)$/.exec(text) ?? ['', text, ''];
      operands[name] = this.number(list ? displacement || '0' : text, this.#range(fields, name), text);
      this.address(list ? split(list, ',') : [], inner, fields, operands, text);
    } else if (kind === 'h') {
      const bits = fields[name]![1];
      const distance = this.value(text) - this.here;
      if (this.final && distance & 1n) this.fail(`${text} is at an odd distance`);
      const halfwords = BigInt.asIntN(64, distance) >> 1n;
      if (this.final && BigInt.asIntN(bits, halfwords) !== halfwords) this.fail(`${text} is too far away`);
      operands[name] = Number(BigInt.asIntN(bits, halfwords));
    } else if ('racfv'.includes(kind)) operands[name] = this.register(text, kind, widthOf(fields, name));
    else operands[name] = this.number(text, this.#range(fields, name), text);
  }

  /** Index or length, and base, in parentheses behind a displacement. */
  address(
    list: readonly string[],
    names: readonly string[],
    fields: Format['fields'],
    operands: Record<string, number>,
    text: string,
  ): void {
    if (list.length > names.length) this.fail(`${text}: too much in parentheses`);
    // Of an index and a base, one alone is the base; of a length and a base, the length.
    const given = names.length === 2 && names[0]![0] === 'x' && list.length === 1 ? [names[1]!] : names;
    for (const [n, item] of list.entries()) {
      const name = given[n]!;
      operands[name] =
        name[0] === 'l'
          ? Math.max(this.number(item, [0, 2 ** fields[name]![1]], text) - 1, 0)
          : this.register(item.trim(), name[0] === 'v' ? 'v' : 'r', widthOf(fields, name));
    }
    if (names.length === 2 && 'lrv'.includes(names[0]![0]!) && !list.length)
      this.fail(`${text}: ${names[0]![0] === 'v' ? 'vector register' : 'length'} is missing`);
  }

  register(text: string, kind: string, bits: number): number {
    const named = /^%([racfv])(\d+)$/i.exec(text);
    if (named && named[1]!.toLowerCase() !== kind) this.fail(`${text} is not a register of kind ${kind}`);
    return this.number(named ? named[2]! : text, [0, 2 ** bits - 1], text);
  }

  #range(fields: Format['fields'], name: string): readonly [number, number] {
    const bits = widthOf(fields, name);
    if (name[0] === 's' || leftPart(name) in fields) return [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
    return [0, 2 ** bits - 1];
  }

  number(text: string, [low, high]: readonly [number, number], shown: string): number {
    const value = Number(this.value(text));
    if (this.final && (value < low || value > high)) this.fail(`${shown}: ${value} is not in ${low} to ${high}`);
    return value;
  }

  /** @param now the value decides where things are, so it must not depend on what follows */
  value(text: string, now = this.final): bigint {
    return new Expression(text, this, now).value();
  }
}

/** Bits of a field, its left part included. */
const widthOf = (fields: Format['fields'], name: string): number =>
  fields[name]![1] + (fields[leftPart(name)]?.[1] ?? 0);

/** Expressions over integers: + - * / % & | << >> ~ and parentheses, all binary operators grouped as in C. */
class Expression {
  readonly text: string;
  readonly pass: Pass;
  readonly now: boolean;
  readonly tokens: string[];

  constructor(text: string, pass: Pass, now: boolean) {
    this.text = text;
    this.pass = pass;
    this.now = now;
    this.tokens = text.match(/[XC]'[^']*'|'.'|[\w.$]+|<<|>>|[^\s]/g) ?? [];
  }

  value(): bigint {
    const value = this.binary(0);
    if (this.tokens.length) this.wrong();
    return value;
  }

  wrong(): never {
    return this.pass.fail(`cannot understand ${this.text.trim() || 'a missing operand'}`);
  }

  binary(level: number): bigint {
    const operators = [['|'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']][level];
    if (!operators) return this.primary();
    let value = this.binary(level + 1);
    while (operators.includes(this.tokens[0]!)) {
      const operator = this.tokens.shift()!;
      value = apply(operator, value, this.binary(level + 1));
    }
    return value;
  }

  primary(): bigint {
    const token = this.tokens.shift() ?? this.wrong();
    if (token === '-') return -this.primary();
    if (token === '~') return ~this.primary();
    if (token === '(') {
      const value = this.binary(0);
      return this.tokens.shift() === ')' ? value : this.wrong();
    }
    if (token === '.' || token === '*') return this.pass.here;
    if (/^(0x[\da-f]+|0b[01]+|\d+)$/i.test(token)) return BigInt(token);
    if (/^X'[\da-f]+'$/i.test(token)) return BigInt(`0x${token.slice(2, -1)}`);
    if (/^'.'$/.test(token)) return BigInt(token.charCodeAt(1));
    const numeric = /^(\d+)([bf])$/.exec(token);
    if (numeric) return this.numericLabel(numeric[1]!, numeric[2]!);
    if (!/^[A-Za-z_.$]/.test(token)) this.wrong();
    return this.symbol(token, token);
  }

  numericLabel(name: string, direction: string): bigint {
    const passed = this.pass.passed.get(name)?.length ?? 0;
    return this.symbol(`${name} ${direction === 'b' ? passed - 1 : passed}`, `${name}${direction}`);
  }

  symbol(name: string, shown: string): bigint {
    return this.pass.symbols.get(name) ?? (this.now ? this.pass.fail(`${shown} is not defined`) : 0n);
  }
}

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b ? a / b : 0n;
    case '%':
      return b ? a % b : 0n;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '<<':
      return a << b;
    default:
      return a >> b;
  }
}

/** Splits at a separator that is not within parentheses or quotes; nothing gives no parts. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|'.'|./g) ?? []) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === separator && !depth) {
      parts.push(part);
      part = '';
    } else part += token;
  }
  return part.trim() || parts.length ? [...parts, part] : [];
}
