/** For tests: the client's half of TN3270, which does what it is told. */

import { DO, DONT, EOR, IAC, option, record, SB, SE, subnegotiation, type Verb, WILL, WONT } from '../telnet-parser.ts';

const TIMING_MARK = 6;
const TERMINAL_TYPE = 24;
const TN3270E = 40;

export interface ClientOptions {
  /** Terminal types, one after the other; the last one again and again. */
  readonly types?: readonly string[];
  /** It speaks TN3270E, with these functions. */
  readonly functions?: readonly number[];
  /** The name it asks for. */
  readonly name?: string;
  /** Options that it refuses. */
  readonly refuses?: readonly number[];
  /** It answers each command that asks for it. */
  readonly responds?: boolean;
}

/** Answers the server and notes the records that come. */
export class TestClient {
  readonly #options: ClientOptions;
  readonly #send: (data: Uint8Array) => void;
  #stream: number[] = [];
  #types: string[];
  /** Those of TN3270E with their headers. */
  readonly records: number[][] = [];
  /** Names of what was negotiated, for reading. */
  readonly heard: string[] = [];
  /** What came outside of records and commands. */
  text = '';
  extended = false;

  constructor(options: ClientOptions, send: (data: Uint8Array) => void) {
    this.#options = options;
    this.#send = send;
    this.#types = [...(options.types ?? ['IBM-3278-2'])];
  }

  receive(data: Uint8Array): void {
    this.#stream.push(...data);
    let start = 0;
    for (let n = 0; n < this.#stream.length; n++) {
      if (this.#stream[n] !== IAC) continue;
      const code = this.#stream[n + 1];
      if (code === undefined) break;
      if (code === IAC) {
        n++;
        continue;
      }
      const end = this.#endOf(n, code);
      if (end === undefined) break;
      const before = this.#stream.slice(start, n);
      if (code === EOR) this.#record(unescaped(before));
      else this.text += String.fromCharCode(...before);
      this.#command(code, this.#stream.slice(n + 2, end));
      n = end - 1;
      start = end;
    }
    this.#stream.splice(0, start);
  }

  /** What is left when the connection ends. */
  end(): void {
    this.text += String.fromCharCode(...this.#stream);
    this.#stream = [];
  }

  /** Sends an inbound record: AID, cursor address, fields. */
  enter(...data: number[]): void {
    const header = this.extended ? [0, 0, 0, 0, 0] : [];
    this.#send(record(Uint8Array.from([...header, ...data])));
  }

  #endOf(at: number, code: number): number | undefined {
    if (code >= WILL && code <= DONT) return this.#stream.length > at + 2 ? at + 3 : undefined;
    if (code !== SB) return at + 2;
    for (let n = at + 2; n + 1 < this.#stream.length; n++) {
      if (this.#stream[n] !== IAC) continue;
      if (this.#stream[n + 1] === SE) return n + 2;
      n++;
    }
    return undefined;
  }

  #command(code: number, data: number[]): void {
    const verbs: Readonly<Record<number, string>> = { [DO]: 'DO', [DONT]: 'DONT', [WILL]: 'WILL', [WONT]: 'WONT' };
    const verb = verbs[code];
    if (verb) {
      this.heard.push(`${verb} ${data[0]}`);
      this.#option(code, data[0]!);
    }
    if (code === SB) {
      this.heard.push(`SB ${data.slice(0, -2).join(' ')}`);
      this.#subnegotiation(data.slice(0, -2));
    }
  }

  #option(verb: number, number: number): void {
    const { functions, refuses = [] } = this.#options;
    const can = number !== TIMING_MARK && !refuses.includes(number) && (number !== TN3270E || functions !== undefined);
    const answer = (yes: Verb, no: Verb) => this.#send(option(can ? yes : no, number));
    if (verb === DO) answer(WILL, WONT);
    if (verb === WILL) answer(DO, DONT);
  }

  #subnegotiation([number, ...data]: number[]): void {
    const bytes = (text: string) => [...text].map(character => character.charCodeAt(0));
    const type = this.#types.length > 1 ? this.#types.shift()! : this.#types[0]!;
    const { functions = [], name } = this.#options;
    if (number === TERMINAL_TYPE) this.#send(subnegotiation(number, 0, ...bytes(type)));
    if (number !== TN3270E) return;
    const [what, how] = data;
    if (what === 8) this.#send(subnegotiation(number, 2, 7, ...bytes(type), ...(name ? [1, ...bytes(name)] : [])));
    if (what === 2 && how === 4) this.#send(subnegotiation(number, 3, 7, ...functions));
    if (what === 2 && how === 6) this.#send(option(WONT, number));
    if (what === 3 && how === 7) this.#send(subnegotiation(number, 3, 4, ...data.slice(2)));
    if (what === 3) this.extended = true;
  }

  #record(data: number[]): void {
    this.records.push(data);
    if (this.extended && this.#options.responds && data[0] === 0 && data[2] === 2) {
      this.#send(record(Uint8Array.of(2, 0, 0, data[3]!, data[4]!, 0)));
    }
  }
}

const unescaped = (data: number[]): number[] => data.filter((byte, n) => !(byte === IAC && odd(data, n)));

/** It is the second of two. */
function odd(data: number[], at: number): boolean {
  let run = 0;
  while (data[at - 1 - run] === IAC) run++;
  return run % 2 === 1;
}
