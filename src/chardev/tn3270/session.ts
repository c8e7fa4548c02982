/**
 * The server's half of a connection with a TN3270 client: which dialect both speak (RFC 2355 if the client knows it, else RFC
 * 1576), and records in both directions. Knows no socket and no clock.
 */

import { ebcdicText } from '../../ebcdic.ts';
import {
  AO,
  AYT,
  BRK,
  DO,
  DONT,
  IAC,
  IP,
  NOP,
  option,
  record,
  subnegotiation,
  TelnetParser,
  type Verb,
  WILL,
  WONT,
} from '../telnet-parser.ts';
import { bindImage } from './bind-image.ts';

/** Telnet options. */
const BINARY = 0;
const TIMING_MARK = 6;
const TERMINAL_TYPE = 24;
const END_OF_RECORD = 25;
const TN3270E = 40;

/** Subnegotiation of the terminal type (RFC 1091). */
const IS = 0;
const SEND = 1;

/** Subnegotiation of TN3270E (RFC 2355, section 3). */
const E = {
  associate: 0,
  connect: 1,
  deviceType: 2,
  functions: 3,
  is: 4,
  reason: 5,
  reject: 6,
  request: 7,
  send: 8,
} as const;

const REASON = { inUse: 1, noAssociation: 2, name: 3, deviceType: 4 } as const;

const BIND_IMAGE = 0;
const RESPONSES = 2;
const SYSREQ = 4;
/** What a terminal can have; the others are for printers. */
const FUNCTIONS: readonly number[] = [BIND_IMAGE, RESPONSES, SYSREQ];

/** Types of TN3270E messages (RFC 2355, section 8.1.1). */
const MESSAGE = { data: 0, response: 2, bindImage: 3, sscpData: 7 } as const;
const ALWAYS_RESPONSE = 2;
const NEGATIVE = 1;
const HEADER = 5;

/** The longest record that a client may send: a channel program cannot read more. */
export const LONGEST_RECORD = 0xffff;

/** How often a client may begin again with types and functions. */
const ATTEMPTS = 16;

/** How a client says why it has not carried out a record (RFC 2355, section 10.4.1). */
export type Refusal = 'command-reject' | 'intervention-required' | 'operation-check' | 'component-disconnected';
const REFUSALS: readonly Refusal[] = [
  'command-reject',
  'intervention-required',
  'operation-check',
  'component-disconnected',
];

export interface Client {
  readonly dialect: 'tn3270' | 'tn3270e';
  /** As it names itself, in capitals: `IBM-3279-2-E`. */
  readonly type: string;
  /** It tells of each record whether it has been carried out. */
  readonly responds: boolean;
}

export interface SessionEvents {
  send(data: Uint8Array): void;
  /** The client is a terminal from now on. */
  ready(client: Client): void;
  /** AID, cursor address and fields, or a reply to what was sent. */
  record(data: Uint8Array): void;
  /** Told of each record if the client responds. */
  response(sequence: number, refusal: Refusal | undefined): void;
  key(key: 'attention' | 'system-request'): void;
  /** The client has seen everything that was sent before the timing mark. */
  marked(): void;
  /** The connection is of no use any more. */
  failed(reason: string): void;
}

export interface SessionOptions {
  /** The name of the terminal, of at most 8 characters, which a client may ask for. */
  readonly name: string;
  /** What is at this end, for the client's BIND. */
  readonly application: string;
}

type Phase =
  | 'offered'
  // TN3270E
  | 'device-type'
  | 'functions'
  // TN3270
  | 'terminal-type'
  | 'options'
  | 'ready'
  | 'failed';

/** The options without which there are no records. */
const BASIC = [END_OF_RECORD, BINARY] as const;

const ascii = (data: Uint8Array): string => String.fromCharCode(...data);
const bytes = (text: string): number[] => [...text].map(character => character.charCodeAt(0));

export class Tn3270Session {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #parser: TelnetParser;
  #phase: Phase = 'offered';
  /** Options that this side has (`us`) or the client has (`him`); `asked` ones have not been answered yet. */
  readonly #us = new Map<number, 'asked' | 'on'>();
  readonly #him = new Map<number, 'asked' | 'on'>();
  /** The terminal types that the client has told. */
  readonly #types: string[] = [];
  #attempts = 0;
  #client: Client | undefined;
  #deviceType = '';
  #functions: readonly number[] = [];
  #sequence = 0;
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#parser = new TelnetParser({
      data: data => this.#data(data),
      endOfRecord: () => this.#endOfRecord(),
      command: code => this.#command(code),
      option: (verb, number) => this.#option(verb, number),
      subnegotiation: (number, data) => this.#subnegotiation(number, data),
    });
  }

  /** Undefined until it is ready. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Says the first word. */
  start(): void {
    this.#ask(this.#him, DO, TN3270E);
  }

  receive(data: Uint8Array): void {
    if (this.#phase !== 'failed') this.#parser.parse(data);
  }

  /**
   * Sends a 3270 command with its data.
   * @returns the number that the client's response will have
   */
  command(code: number, data: Uint8Array): number {
    const command = Uint8Array.of(code);
    if (this.#client?.dialect !== 'tn3270e') {
      this.#events.send(record(command, data));
      return 0;
    }
    const sequence = this.#sequence;
    this.#message(MESSAGE.data, this.#client.responds ? ALWAYS_RESPONSE : 0, command, data);
    return sequence;
  }

  /** Asks for `SessionEvents.marked` (RFC 860). */
  timingMark(): void {
    this.#events.send(option(DO, TIMING_MARK));
  }

  /** Tells somebody at the other end who is not a terminal why there will be nothing more, and gives up. */
  #fail(reason: string): void {
    const { client } = this;
    this.#phase = 'failed';
    this.#client = undefined;
    this.#forget();
    if (!client) {
      const text = `${this.#options.application}: this is a 3270 terminal, for a TN3270 client: ${reason}\r\n`;
      this.#events.send(Uint8Array.from(bytes(text)));
    }
    this.#events.failed(reason);
  }

  // Options

  #ask(side: Map<number, 'asked' | 'on'>, verb: Verb, number: number): void {
    if (side.has(number)) return;
    side.set(number, 'asked');
    this.#events.send(option(verb, number));
  }

  #option(verb: Verb, number: number): void {
    if (this.#phase === 'failed') return;
    switch (verb) {
      case DO:
      case DONT:
        if (number === TIMING_MARK && verb === DO) return this.#events.send(option(WILL, number));
        return this.#changed(
          this.#us,
          BASIC.some(basic => basic === number),
          verb === DO,
          number,
          [WILL, WONT],
        );
      default: {
        if (number === TIMING_MARK) return this.#events.marked();
        const wanted = this.#him.has(number) || number === TERMINAL_TYPE || BASIC.some(basic => basic === number);
        return this.#changed(this.#him, wanted, verb === WILL, number, [DO, DONT]);
      }
    }
  }

  /** The other end wants an option on or off, or answers. */
  #changed(side: Map<number, 'asked' | 'on'>, wanted: boolean, on: boolean, number: number, [yes, no]: [Verb, Verb]) {
    const before = side.get(number);
    if (on && !wanted) return this.#events.send(option(no, number));
    if (before === (on ? 'on' : undefined)) return;
    if (on) {
      side.set(number, 'on');
      if (before === undefined) this.#events.send(option(yes, number));
    } else {
      side.delete(number);
      if (before === 'on') this.#events.send(option(no, number));
    }
    this.#advance(number);
  }

  #advance(number: number): void {
    if (number === TN3270E) {
      if (this.#him.has(TN3270E)) {
        this.#phase = 'device-type';
        return this.#events.send(subnegotiation(TN3270E, E.send, E.deviceType));
      }
      if (this.#phase === 'ready') return this.#fail('it has left TN3270E');
      this.#phase = 'terminal-type';
      if (this.#him.get(TERMINAL_TYPE) === 'on') return this.#askType();
      return this.#ask(this.#him, DO, TERMINAL_TYPE);
    }
    if (number === TERMINAL_TYPE && this.#phase === 'terminal-type') {
      if (this.#him.get(TERMINAL_TYPE) === 'on') return this.#askType();
      return this.#fail('it does not tell its terminal type');
    }
    if (this.#phase === 'options' || this.#client?.dialect === 'tn3270') this.#checkBasic();
  }

  #askType(): void {
    this.#events.send(subnegotiation(TERMINAL_TYPE, SEND));
  }

  #checkBasic(): void {
    const states = BASIC.flatMap(number => [this.#us.get(number), this.#him.get(number)]);
    if (states.includes(undefined)) return this.#fail('it does not send binary records');
    if (this.#client || states.includes('asked')) return;
    this.#ready({ dialect: 'tn3270', type: this.#deviceType, responds: false });
  }

  #ready(client: Client): void {
    this.#phase = 'ready';
    this.#client = client;
    this.#forget();
    if (this.#functions.includes(BIND_IMAGE)) {
      this.#message(MESSAGE.bindImage, 0, bindImage(client.type, this.#options.application));
    }
    this.#events.ready(client);
  }

  // Subnegotiations

  #subnegotiation(number: number, data: Uint8Array): void {
    if (number === TERMINAL_TYPE && data[0] === IS && this.#phase === 'terminal-type')
      this.#terminalType(data.subarray(1));
    if (number !== TN3270E || this.#him.get(TN3270E) !== 'on') return;
    if (this.#phase !== 'device-type' && this.#phase !== 'functions') return;
    if (++this.#attempts > ATTEMPTS) return this.#fail('it does not come to an end with its TN3270E functions');
    if (data[0] === E.deviceType && data[1] === E.request) this.#deviceRequest(data.subarray(2));
    if (data[0] === E.functions && this.#phase === 'functions') this.#functionsFrom(data[1]!, [...data.subarray(2)]);
  }

  /** RFC 1576; with `@` a client can ask for a terminal by its name. A client may have several types to offer. */
  #terminalType(data: Uint8Array): void {
    const text = ascii(data).toUpperCase();
    const [type, name] = text.split('@');
    if (isDisplay(type!) && (name === undefined || name === this.#options.name)) {
      this.#deviceType = type!;
      this.#phase = 'options';
      for (const number of BASIC) {
        this.#ask(this.#him, DO, number);
        this.#ask(this.#us, WILL, number);
      }
      return this.#checkBasic();
    }
    if (this.#types.at(-1) !== text && this.#types.length < ATTEMPTS) {
      this.#types.push(text);
      return this.#askType();
    }
    if (isDisplay(type!)) return this.#fail(`the terminal here is ${this.#options.name}`);
    return this.#fail(`it is not a 3270 but ${printable(type!) || 'nothing'}`);
  }

  #deviceRequest(data: Uint8Array): void {
    const end = data.findIndex(byte => byte === E.connect || byte === E.associate);
    const type = ascii(end < 0 ? data : data.subarray(0, end)).toUpperCase();
    const name = end < 0 ? undefined : ascii(data.subarray(end + 1)).toUpperCase();
    const reject = (reason: number) =>
      this.#events.send(subnegotiation(TN3270E, E.deviceType, E.reject, E.reason, reason));
    if (data[end] === E.associate) return reject(REASON.noAssociation);
    if (!isDisplay(type)) return reject(REASON.deviceType);
    if (name !== undefined && name !== this.#options.name) return reject(REASON.name);
    this.#deviceType = type;
    this.#phase = 'functions';
    const assigned = [E.connect, ...bytes(this.#options.name)];
    this.#events.send(subnegotiation(TN3270E, E.deviceType, E.is, ...bytes(type), ...assigned));
  }

  /** The two sides propose lists to each other until one agrees (RFC 2355, section 7.2). */
  #functionsFrom(word: number, list: readonly number[]): void {
    const possible = list.filter(number => FUNCTIONS.includes(number));
    const agreed = possible.length === list.length;
    if (word === E.request && !agreed) {
      return this.#events.send(subnegotiation(TN3270E, E.functions, E.request, ...possible));
    }
    if (word === E.request) this.#events.send(subnegotiation(TN3270E, E.functions, E.is, ...list));
    else if (word !== E.is) return;
    if (!agreed) return this.#fail('it has other TN3270E functions than were offered');
    this.#functions = list;
    this.#ready({ dialect: 'tn3270e', type: this.#deviceType, responds: list.includes(RESPONSES) });
  }

  // Records

  #message(type: number, response: number, ...data: readonly Uint8Array[]): void {
    const header = Uint8Array.of(type, 0, response, this.#sequence >> 8, this.#sequence & 0xff);
    this.#sequence = (this.#sequence + 1) & 0x7fff;
    this.#events.send(record(header, ...data));
  }

  #data(data: Uint8Array): void {
    // Before it is a terminal, what is typed leads nowhere.
    if (this.#phase !== 'ready') return;
    this.#length += data.length;
    if (this.#length > LONGEST_RECORD + HEADER) return this.#fail('a record is longer than 65535 bytes');
    this.#pieces.push(data.slice());
  }

  #forget(): void {
    this.#pieces = [];
    this.#length = 0;
  }

  #endOfRecord(): void {
    if (this.#phase !== 'ready') return;
    const data = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      data.set(piece, at);
      at += piece.length;
    }
    this.#forget();
    if (this.#client!.dialect === 'tn3270e') return this.#received(data);
    if (data.length > 0) this.#events.record(data);
  }

  #received(message: Uint8Array): void {
    if (message.length <= HEADER) return;
    const data = message.subarray(HEADER);
    switch (message[0]) {
      case MESSAGE.data:
        return this.#events.record(data);
      case MESSAGE.response: {
        const sequence = (message[3]! << 8) | message[4]!;
        const refusal = message[2] === NEGATIVE ? (REFUSALS[data[0]!] ?? 'operation-check') : undefined;
        return this.#events.response(sequence, refusal);
      }
      case MESSAGE.sscpData:
        // The client believes that it is talking to a network; without an answer its keyboard stays locked.
        return this.#message(MESSAGE.sscpData, 0, ebcdicText('NO NETWORK HERE: PRESS SYS REQ TO RETURN', 40));
    }
  }

  #command(code: number): void {
    if (code === AYT) return this.#events.send(Uint8Array.of(IAC, NOP));
    if (this.#phase !== 'ready') return;
    if (code === AO && this.#functions.includes(SYSREQ)) return this.#events.key('system-request');
    if (code === IP || code === BRK) this.#events.key('attention');
  }
}

/** IBM-3278-2, IBM-3279-4-E, IBM-DYNAMIC and the like; not the printers. */
const isDisplay = (type: string): boolean =>
  /^IBM-(DYNAMIC|3[1-4]\d\d(-[A-Z0-9]+)*)$/.test(type) && !/^IBM-328/.test(type);

const printable = (text: string): string => text.replace(/[^ -~]/g, '.').slice(0, 40);
