/**
 * A guest for one terminal, without a machine: it shows each line that was entered, with a number, and knows how large the screen is. Like
 * Linux it begins anew when it is told that the terminal is another one.
 */
import { SocketBackend, type SocketOptions } from '../../src/chardev/socket.ts';
import { DeviceStatus, type Transfer } from '../../src/css/control-unit.ts';
import { ControlUnit3270 } from '../../src/devices/terminal3270/control-unit.ts';
import { fromEbcdic, toEbcdic } from '../../src/ebcdic.ts';
import { nodeHost } from '../../src/platform/node/host.ts';
import type { TlsSettings } from '../../src/platform/tls.ts';

const READ_MODIFIED = 0x06;
const WRITE_STRUCTURED = 0x11;
const ERASE_WRITE_ALTERNATE = 0x0d;
const ENTER = 0x7d;
const QUERY_REPLY = 0x88;
const USABLE_AREA = 0x81;
const QUERY = [0, 7, 1, 0xff, 3, 0, 0x81];
const SBA = 0x11;
/** Start field; for input also the cursor. */
const PROTECTED = [0x1d, 0x60];
const INPUT = [0x1d, 0x40, 0x13];

export class EchoGuest {
  readonly lines: string[] = [];
  rows = 24;
  columns = 80;
  /** Sense data of commands that failed. */
  readonly checks: number[] = [];
  readonly #unit: ControlUnit3270;
  readonly #backend: SocketBackend;
  #work: Promise<void> = Promise.resolve();

  constructor(tls?: TlsSettings, options: Partial<SocketOptions> = {}) {
    const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
    const socket = { kind: 'socket', address, server: true, wait: false, telnet: false, tn3270: true } as const;
    this.#backend = new SocketBackend('ch0', nodeHost, { ...socket, nodelay: true, reconnect: 0, ...options }, tls);
    this.#unit = new ControlUnit3270({ chardev: this.#backend });
  }

  /** @returns the port */
  async start(): Promise<number> {
    await this.#backend.open(() => {});
    this.#unit.attached({
      present: status => {
        this.#work = this.#work.then(() => this.#interrupted(status));
      },
      enabled: true,
      identification: { cssid: 0xfe, ssid: 0, deviceNumber: 10 },
      adapterInterruption: () => {},
    });
    return Number(/:(\d+),server=on/.exec(this.#backend.description)![1]);
  }

  stop(): void {
    this.#unit.detached();
    this.#backend.close();
  }

  async #interrupted(status: number): Promise<void> {
    if (status & DeviceStatus.attention) await this.#read();
    else if (await this.#show()) await this.#command(WRITE_STRUCTURED, QUERY);
  }

  async #read(): Promise<void> {
    const input = await this.#command(READ_MODIFIED, []);
    if (!input) return;
    if (input[0] === QUERY_REPLY) {
      // Clients may tell of more than what was asked for; without the usable area first it is the smallest screen.
      if (input[4] !== USABLE_AREA) [this.columns, this.rows] = [80, 24];
      else [this.columns, this.rows] = [(input[7]! << 8) | input[8]!, (input[9]! << 8) | input[10]!];
    } else if (input[0] === ENTER) {
      const text = new TextDecoder().decode(fromEbcdic(input.slice(6)));
      this.lines.push(text.trim());
    }
    await this.#show();
  }

  /** All lines, and a field for the next one. */
  #show(): Promise<Uint8Array | undefined> {
    const address = (row: number) => [SBA, (row * this.columns) >> 8, (row * this.columns) & 0xff];
    const shown = this.lines.map((line, n) => `${n}=${line}`).slice(-(this.rows - 3));
    const text = shown.flatMap((line, row) => [...address(row + 1), ...toEbcdic(new TextEncoder().encode(line))]);
    const title = toEbcdic(new TextEncoder().encode(`size ${this.rows}x${this.columns}`));
    const field = [...address(this.rows - 1), ...INPUT];
    return this.#command(ERASE_WRITE_ALTERNATE, [0xc3, ...address(0), ...PROTECTED, ...title, ...text, ...field]);
  }

  /** @returns the data of a read, or undefined if it failed */
  async #command(code: number, data: number[]): Promise<Uint8Array | undefined> {
    const given: number[] = [];
    let at = 0;
    const transfer: Transfer = {
      count: data.length,
      chainsData: false,
      anyLength: true,
      take: length => Uint8Array.from(data.slice(at, (at += length))),
      peek: () => new Uint8Array(0),
      give: bytes => given.push(...bytes),
    };
    const status = await this.#unit.execute(code, transfer);
    if ((status & DeviceStatus.unitCheck) === 0) return Uint8Array.from(given);
    this.checks.push(this.#unit.takeSense()[0]!);
    return undefined;
  }
}
