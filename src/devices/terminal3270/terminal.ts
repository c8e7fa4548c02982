/**
 * A 3270 with its control unit: commands on one side, a TN3270 client behind a character device on the other. It is ready
 * while there is a client. Whatever the client does, each command ends, and what is kept for it is bounded.
 */

import type { Chardev, ChardevEvent } from '../../chardev/chardev.ts';
import { type Client, type Refusal, Tn3270Session } from '../../chardev/tn3270/session.ts';
import { Sense } from '../../css/control-unit.ts';
import { AID, COMMANDS, type Command, OPERATION_CHECK, TEST_REQUEST } from './commands.ts';

/** How a command ends: with device end, and the data of a read; or with unit check and sense byte 0. */
export type Ending =
  | { readonly kind: 'done'; readonly data?: Uint8Array }
  | { readonly kind: 'check'; readonly sense: number };

export interface TerminalEvents {
  /**
   * There is input.
   * @returns false if nobody wants to know: the input is forgotten
   */
  attention(): boolean;
  /** It was not ready and is now, or it has lost its client, which the next command will tell. */
  deviceEnd(): void;
  /** For the trace: the client has come, gone, or was sent away. */
  client?(what: string): void;
}

export interface TerminalOptions {
  readonly chardev: Chardev;
  /** The terminal's name, which a client may ask for: at most 8 characters. */
  readonly name: string;
  readonly application: string;
}

// All times are in milliseconds.

/** A client must have become a terminal by then. */
const HANDSHAKE = 30_000;
/** A client that has not taken what was sent, or not answered, after so long is gone. */
const PATIENCE = 60_000;
/** After so long without a sign of the client it is asked whether it is still there. */
const SILENCE = 600_000;
/** A guest may miss an attention that comes at once after a read. */
const NEXT_ATTENTION = 10;
/** A guest that has missed an attention is told again. */
const REMINDER = 1000;

/** So much input is kept; the client has to wait with more. */
const RECORDS = 64;
const BYTES = 0x20000;
const CHUNK = 0x4000;

interface Running {
  readonly end: (ending: Ending) => void;
  /** What it waits for, besides room for what it has sent. */
  waits: 'room' | 'response' | 'record';
  /** The number of the response. */
  readonly sequence: number;
}

interface Input {
  readonly connection: number;
  readonly data: Uint8Array;
}

const DONE: Ending = { kind: 'done' };
const check = (sense: number): Ending => ({ kind: 'check', sense });

const SENSES: Readonly<Record<Refusal, number>> = {
  'command-reject': Sense.commandReject,
  'intervention-required': Sense.interventionRequired,
  'operation-check': OPERATION_CHECK,
  'component-disconnected': Sense.interventionRequired,
};

export class Terminal3270 {
  readonly #options: TerminalOptions;
  readonly #events: TerminalEvents;
  #session: Tn3270Session | undefined;
  /** Counts connections, so that input of an earlier one is known. */
  #connection = 0;
  /** The guest knows, by an intervention required, that an earlier client has gone. */
  #told = true;
  #input: Input[] = [];
  #inputBytes = 0;
  #running: Running | undefined;
  /** The character device takes no more for now. */
  #blocked = false;
  /** The client answers timing marks. */
  #marks = false;
  #marksPending = 0;
  /** The client owes a record for a read, which comes after the last timing mark; `lost`: nobody wants it any more. */
  #owed: 'no' | 'wanted' | 'lost' = 'no';
  #handshake: ReturnType<typeof setTimeout> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #reminder: ReturnType<typeof setTimeout> | undefined;
  #unread: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TerminalOptions, events: TerminalEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Takes the character device. */
  open(): void {
    this.#options.chardev.attach({
      room: () => this.#room(),
      receive: data => this.#receive(data),
      event: event => this.#event(event),
      drained: () => this.#drained(),
    });
  }

  /** Gives the character device back. */
  close(): void {
    this.#lost();
    this.#forget();
    this.#options.chardev.disconnect();
    this.#options.chardev.attach(undefined);
  }

  /** The client that it is. */
  get client(): Client | undefined {
    return this.#session?.client;
  }

  /** A client is there, or was there and the guest has not been told that it has gone: what a saved state needs to know. */
  get occupied(): boolean {
    return this.client !== undefined || !this.#told;
  }

  /** Bytes of input that the guest has not read. */
  get waiting(): number {
    return this.#inputBytes;
  }

  // Commands

  /**
   * Carries out a command; one at a time.
   * @param data of a write
   */
  command(code: number, data: Uint8Array, end: (ending: Ending) => void): void {
    const command = COMMANDS.get(code);
    if (!command) return end(check(Sense.commandReject));
    if (command.kind === 'none') return end(DONE);
    if (command.kind === 'read' && command.buffered && this.#input.length > 0) return this.#deliver(end);
    if (!this.client || !this.#told) return this.#interventionRequired(end);
    switch (command.kind) {
      case 'select':
        return end(DONE);
      case 'write':
        return this.#write(command, data, end);
      case 'read':
        return this.#ask(command, end);
    }
  }

  /** The command that is being carried out is of no more interest (halt, clear, reset). */
  cancel(): void {
    if (this.#owed === 'wanted') this.#owed = 'lost';
    this.#running = undefined;
    this.#watch();
  }

  /** The guest begins anew: it is to get nothing that was meant for the one before. */
  reset(): void {
    this.cancel();
    this.#forget();
    this.#options.chardev.inputWanted();
  }

  /** Another guest is loaded: as if the client, if there was one, had just gone. */
  restore(occupied: boolean): void {
    this.reset();
    this.#told = !occupied && !this.client;
    if (!this.#told) this.#events.deviceEnd();
  }

  /** Tells that there is no client, or that it is another one; the latter is ready when this has been told. */
  #interventionRequired(end: (ending: Ending) => void): void {
    this.#told = true;
    this.#input = this.#input.filter(({ connection }) => this.client && connection === this.#connection);
    this.#inputBytes = this.#input.reduce((sum, { data }) => sum + data.length, 0);
    this.#watchInput();
    end(check(Sense.interventionRequired));
    if (!this.client) return;
    this.#events.deviceEnd();
    if (this.#input.length > 0) this.#attention();
  }

  #deliver(end: (ending: Ending) => void): void {
    const { data } = this.#input.shift()!;
    this.#inputBytes -= data.length;
    this.#watchInput();
    end({ kind: 'done', data });
    clearTimeout(this.#reminder);
    if (this.#input.length > 0) this.#reminder = setTimeout(() => this.#attention(), NEXT_ATTENTION);
    this.#options.chardev.inputWanted();
  }

  #write({ stream, data: wanted }: Command & { kind: 'write' }, data: Uint8Array, end: (ending: Ending) => void): void {
    const sequence = this.#session!.command(stream, wanted ? data : new Uint8Array(0));
    // Sending may have shown that the client is gone.
    if (!this.client) return this.#interventionRequired(end);
    if (!this.client.responds && !this.#blocked) return end(DONE);
    this.#running = { end, waits: this.client.responds ? 'response' : 'room', sequence };
    this.#watch();
  }

  /** What the client has sent on its own before it met the command comes before the timing mark. */
  #ask({ stream }: Command & { kind: 'read' }, end: (ending: Ending) => void): void {
    const session = this.#session!;
    if (this.#marks) this.#mark();
    this.#owed = 'wanted';
    const sequence = session.command(stream, new Uint8Array(0));
    if (!this.client) return this.#interventionRequired(end);
    this.#running = { end, waits: 'record', sequence };
    this.#watch();
  }

  #end(ending: Ending): void {
    const { end } = this.#running!;
    this.#running = undefined;
    this.#watch();
    end(ending);
  }

  // The client

  #event(event: ChardevEvent): void {
    if (event === 'open') this.#opened();
    if (event === 'close') this.#lost();
  }

  #opened(): void {
    this.#lost();
    this.#connection++;
    const connection = this.#connection;
    /** Nothing that a session says counts after its connection has ended. */
    const here = <T extends unknown[]>(work: (...args: T) => void) => {
      return (...args: T): void => {
        if (this.#connection === connection && this.#session) work(...args);
      };
    };
    const { name, application } = this.#options;
    this.#session = new Tn3270Session(
      { name, application },
      {
        send: here(data => this.#send(data)),
        ready: here(client => this.#ready(client)),
        record: here(data => this.#record(data)),
        response: here((sequence, refusal) => this.#response(sequence, refusal)),
        key: here(key => this.#inbound(key === 'attention' ? Uint8Array.of(AID.pa1) : TEST_REQUEST)),
        marked: here(() => this.#marked()),
        failed: here(reason => this.#sendAway(reason)),
      },
    );
    this.#handshake = setTimeout(() => this.#sendAway('it has not become a terminal in time'), HANDSHAKE);
    this.#session.start();
  }

  #ready({ dialect, type }: Client): void {
    clearTimeout(this.#handshake);
    this.#events.client?.(`${type} (${dialect})`);
    this.#heard();
    this.#mark();
    this.#events.deviceEnd();
  }

  #sendAway(reason: string): void {
    this.#events.client?.(`sent away: ${reason}`);
    this.#lost();
    this.#options.chardev.disconnect();
  }

  /** The connection is at its end. Input that has come whole stays. */
  #lost(): void {
    const wasReady = this.client !== undefined;
    for (const timer of [this.#handshake, this.#silence]) clearTimeout(timer);
    this.#session = undefined;
    this.#watchInput();
    this.#blocked = false;
    this.#marks = false;
    this.#marksPending = 0;
    this.#owed = 'no';
    if (wasReady) this.#told = false;
    if (this.#running) {
      this.#told = true;
      this.#end(check(Sense.interventionRequired));
    }
    this.#watch();
    if (!wasReady) return;
    this.#events.client?.('gone');
    if (!this.#told) this.#events.deviceEnd();
  }

  #send(data: Uint8Array): void {
    if (!this.#options.chardev.write(data)) this.#blocked = true;
    this.#watch();
  }

  #drained(): void {
    this.#blocked = false;
    if (this.#running?.waits === 'room') this.#end(DONE);
    this.#restart();
    this.#options.chardev.inputWanted();
  }

  #room(): number {
    // A client that does not take answers is not asked for more.
    if (this.#blocked) return 0;
    return this.#full ? 0 : CHUNK;
  }

  get #full(): boolean {
    return this.#input.length >= RECORDS || this.#inputBytes >= BYTES;
  }

  /** Nobody sees the end of a connection behind input that is not taken: whoever sends so much is not waited for either. */
  #watchInput(): void {
    if (this.#session === undefined || !this.#full) {
      clearTimeout(this.#unread);
      this.#unread = undefined;
    } else {
      this.#unread ??= setTimeout(() => this.#sendAway('the guest does not take what it sends'), PATIENCE);
    }
  }

  #receive(data: Uint8Array): void {
    if (this.client) this.#heard();
    this.#session?.receive(data);
  }

  #response(sequence: number, refusal: Refusal | undefined): void {
    const running = this.#running;
    if (running?.sequence !== sequence) return;
    if (refusal !== undefined && running.waits !== 'room') {
      if (this.#owed === 'wanted') this.#owed = 'no';
      return this.#end(check(SENSES[refusal]));
    }
    if (running.waits === 'response') this.#end(DONE);
  }

  #record(data: Uint8Array): void {
    if (this.#owed === 'no' || (this.#marks && this.#marksPending > 0)) return this.#inbound(data);
    const wanted = this.#owed === 'wanted';
    this.#owed = 'no';
    if (wanted && this.#running) this.#end({ kind: 'done', data });
  }

  #inbound(data: Uint8Array): void {
    this.#input.push({ connection: this.#connection, data });
    this.#inputBytes += data.length;
    this.#watchInput();
    if (this.#told) this.#attention();
  }

  #attention(): void {
    clearTimeout(this.#reminder);
    if (!this.#events.attention()) return this.#forget();
    this.#reminder = setTimeout(() => this.#attention(), REMINDER);
  }

  #forget(): void {
    clearTimeout(this.#reminder);
    this.#input = [];
    this.#inputBytes = 0;
    this.#watchInput();
  }

  #mark(): void {
    this.#marksPending++;
    this.#session!.timingMark();
  }

  #marked(): void {
    this.#marks = true;
    this.#marksPending = Math.max(0, this.#marksPending - 1);
  }

  // Time

  /** There is a sign of the client. */
  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#asks(), SILENCE);
  }

  #asks(): void {
    this.#mark();
    if (this.#marks) this.#silence = setTimeout(() => this.#sendAway('it does not answer'), PATIENCE);
    else this.#heard();
  }

  /** Something is expected of the client, and not for ever. */
  #watch(): void {
    const expects = this.#session !== undefined && (this.#running !== undefined || this.#blocked);
    if (expects && this.#patience === undefined) {
      this.#patience = setTimeout(() => this.#sendAway('it does not take what it is sent'), PATIENCE);
    } else if (!expects) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    }
  }

  #restart(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#watch();
  }
}
