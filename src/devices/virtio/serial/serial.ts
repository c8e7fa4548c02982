/** virtio-serial (virtio 1.2, 5.3, "Console Device"): a bus of ports, some of which are consoles. */

import type { Chardev } from '../../../chardev/chardev.ts';
import { type Fields, type SavedFields, SaveError } from '../../../save/save-state.ts';
import type { Chain } from '../chain.ts';
import { type CommonProperties, Status, VirtioDevice, type VirtioEnvironment } from '../device.ts';
import { savedChain, type Virtqueue } from '../queue.ts';
import { Port, type PortOwner } from './port.ts';

const SerialFeature = { multiport: 1n << 1n, emergencyWrite: 1n << 2n } as const;

const DATA_QUEUE = 128;
const CONTROL_QUEUE = 32;
const CONTROL_RECEIVE = 2;
const CONTROL_TRANSMIT = 3;

const Event = { deviceReady: 0, add: 1, remove: 2, ready: 3, console: 4, open: 6, name: 7 } as const;
/** Port (4 bytes), event, value. */
const MESSAGE = 8;
/** Control messages that may wait for buffers of the guest. */
const MOST_MESSAGES = 4096;
/** Offset of the word that prints without a queue. */
const EMERGENCY = 8;

/** Ports that fit into as many queues as a device can have. */
export const MOST_PORTS = 511;

export interface SerialProperties extends CommonProperties {
  readonly maxPorts: number;
  readonly emergencyWrite: boolean;
}

export interface NewPort {
  readonly console: boolean;
  /** Undefined: the next one. */
  readonly number?: number;
  readonly name?: string;
  readonly chardev?: Chardev;
  /** Is told when the guest has opened or closed it. */
  readonly opened?: (open: boolean) => void;
}

/** A port cannot be. */
export class PortError extends Error {}

interface Message {
  readonly port: number;
  readonly event: number;
  readonly value: number;
  readonly name?: string;
}

export class VirtioSerial extends VirtioDevice implements PortOwner {
  readonly type = 3;
  readonly label = 'virtio-serial-bus';
  protected readonly ownFeatures: bigint;
  readonly #maxPorts: number;
  readonly #ports = new Map<number, Port>();
  #messages: Message[] = [];
  /** Ports whose other end has come or gone since the state was saved that has been loaded. */
  #changed: Port[] = [];

  constructor(environment: VirtioEnvironment, properties: SerialProperties) {
    super(environment, properties);
    this.#maxPorts = properties.maxPorts;
    this.ownFeatures =
      (properties.maxPorts > 1 ? SerialFeature.multiport : 0n) |
      (properties.emergencyWrite ? SerialFeature.emergencyWrite : 0n);
    for (let n = 0; n < 2; n++) this.addQueue(DATA_QUEUE);
    for (let n = 0; n < 2; n++) this.addQueue(CONTROL_QUEUE);
    for (let n = 2; n < 2 * properties.maxPorts; n++) this.addQueue(DATA_QUEUE);
  }

  configuration(): Uint8Array {
    const data = new Uint8Array(12);
    // The size of the screen is not known; the emergency word is only written.
    new DataView(data.buffer).setUint32(4, this.#maxPorts, this.modern);
    return data;
  }

  override configure(data: Uint8Array): void {
    if (data.length < EMERGENCY + 4 || !(this.offered & SerialFeature.emergencyWrite)) return;
    const word = new DataView(data.buffer, data.byteOffset).getUint32(EMERGENCY, this.modern);
    // A driver that writes the whole space has not printed anything.
    if (word === 0) return;
    for (const port of this.#ports.values()) {
      if (port.console) return port.write(Uint8Array.of(word & 0xff));
    }
  }

  // Ports

  get ports(): readonly Port[] {
    return [...this.#ports.values()];
  }

  /** @throws PortError */
  addPort({ console, number, name, chardev, opened }: NewPort): Port {
    const wanted = this.#portNumber(console, number);
    const first = wanted === 0 ? 0 : 2 + 2 * wanted;
    const port = new Port(
      this,
      { console, number: wanted, name, chardev, opened },
      this.queues[first]!,
      this.queues[first + 1]!,
    );
    this.#ports.set(wanted, port);
    port.open();
    this.#tell({ port: wanted, event: Event.add, value: 1 });
    return port;
  }

  #portNumber(console: boolean, number: number | undefined): number {
    if (number === 0 && !console) {
      throw new PortError(
        'Port number 0 on virtio-serial devices reserved for virtconsole devices for backward compatibility.',
      );
    }
    if (number !== undefined && this.#ports.has(number)) {
      throw new PortError(`virtio-serial-bus: A port already exists at id ${number}`);
    }
    let free = number;
    if (free === undefined && console && !this.#ports.has(0)) free = 0;
    if (free === undefined) {
      // The first is kept for a console.
      for (free = 1; this.#ports.has(free); ) free++;
      if (free >= Math.ceil(this.#maxPorts / 32) * 32) {
        throw new PortError('virtio-serial-bus: Maximum port limit for this device reached');
      }
    }
    if (free >= this.#maxPorts) {
      throw new PortError(`virtio-serial-bus: Out-of-range port id specified, max. allowed: ${this.#maxPorts - 1}`);
    }
    return free;
  }

  removePort(port: Port): void {
    this.#ports.delete(port.number);
    port.close();
    this.#tell({ port: port.number, event: Event.remove, value: 1 });
  }

  #portOf(queue: Virtqueue): Port | undefined {
    return this.#ports.get(queue.index < 2 ? 0 : (queue.index - 2) >> 1);
  }

  // Queues

  protected notified(queue: Virtqueue): void {
    if (queue.index === CONTROL_RECEIVE) return this.#sendMessages();
    if (queue.index === CONTROL_TRANSMIT) return this.#control(queue);
    const port = this.#portOf(queue);
    if (queue.index % 2 === 0) port?.inputWanted();
    else if (port) port.send();
    else {
      queue.drain(chain => {
        queue.push(chain, 0);
        return true;
      });
      super.interrupt(queue);
    }
  }

  #control(queue: Virtqueue): void {
    queue.drain(chain => {
      const { readable } = chain;
      if (readable.length >= MESSAGE) {
        const data = readable.read(0, MESSAGE);
        const view = new DataView(data.buffer);
        this.#received({
          port: view.getUint32(0, this.modern),
          event: view.getUint16(4, this.modern),
          value: view.getUint16(6, this.modern),
        });
      }
      queue.push(chain, 0);
      return true;
    });
    super.interrupt(queue);
    this.#sendMessages();
  }

  #received({ port: number, event, value }: Message): void {
    if (event === Event.deviceReady) {
      if (value === 0) this.complain('Guest failure in adding device');
      else for (const port of this.#ports.keys()) this.#tell({ port, event: Event.add, value: 1 });
      return;
    }
    const port = this.#ports.get(number);
    if (!port) return this.complain(`Unexpected port id ${number}`);
    if (event === Event.ready) {
      if (value === 0) return this.complain(`Guest failure in adding port ${number}`);
      if (port.console) this.#tell({ port: number, event: Event.console, value: 1 });
      if (port.name !== undefined) this.#tell({ port: number, event: Event.name, value: 1, name: port.name });
      if (port.hostConnected) this.#tell({ port: number, event: Event.open, value: 1 });
    } else if (event === Event.open) {
      port.guestConnected = value !== 0;
      if (port.guestConnected) port.inputWanted();
    }
  }

  /** Sends a control message, at once or when the guest has a buffer for it. */
  #tell(message: Message): void {
    if (!this.multiport || !this.ready) return;
    // Only how it is in the end matters.
    const before = this.#messages.findIndex(
      ({ port, event }) => event === Event.open && message.event === Event.open && port === message.port,
    );
    if (before >= 0) this.#messages.splice(before, 1);
    if (this.#messages.length >= MOST_MESSAGES) return;
    this.#messages.push(message);
    this.guarded(() => this.#sendMessages());
  }

  #sendMessages(): void {
    const queue = this.queues[CONTROL_RECEIVE]!;
    let sent = false;
    while (this.#messages.length > 0) {
      const chain = queue.pop();
      if (!chain) {
        if (queue.await()) break;
        continue;
      }
      const data = this.#encode(this.#messages.shift()!).subarray(0, chain.writable.length);
      chain.writable.write(0, data);
      queue.push(chain, data.length);
      sent = true;
    }
    if (sent) super.interrupt(queue);
  }

  #encode({ port, event, value, name }: Message): Uint8Array {
    const text = name === undefined ? [] : [...new TextEncoder().encode(name), 0];
    const data = new Uint8Array(MESSAGE + text.length);
    const view = new DataView(data.buffer);
    view.setUint32(0, port, this.modern);
    view.setUint16(4, event, this.modern);
    view.setUint16(6, value, this.modern);
    data.set(text, MESSAGE);
    return data;
  }

  // For the ports

  get multiport(): boolean {
    return this.has(SerialFeature.multiport);
  }

  hostConnectionChanged(port: Port): void {
    this.#tell({ port: port.number, event: Event.open, value: port.hostConnected ? 1 : 0 });
  }

  guard(work: () => void): void {
    this.guarded(work);
  }

  override interrupt(queue: Virtqueue): void {
    super.interrupt(queue);
  }

  override loadChain(saved: SavedFields): Chain {
    return super.loadChain(saved);
  }

  saveChain(chain: Chain): Fields {
    return savedChain(chain);
  }

  // Status and state

  protected override statusChanged(): void {
    const driverOk = (this.status & Status.driverOk) !== 0;
    if (!driverOk) {
      for (const port of this.#ports.values()) port.guestConnected = false;
    } else if (!this.multiport) {
      // Such a driver cannot say that it has opened its only port.
      const port = this.#ports.get(0);
      if (port) {
        port.guestConnected = true;
        port.inputWanted();
      }
    }
  }

  protected resetDevice(): void {
    this.#messages = [];
    for (const port of this.#ports.values()) port.reset();
  }

  override close(): void {
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
  }

  override resume(): void {
    if (!this.ready) return;
    for (const port of this.#changed.splice(0)) this.hostConnectionChanged(port);
    this.guarded(() => {
      this.#sendMessages();
      for (const port of this.#ports.values()) {
        if (this.queues[port.number === 0 ? 1 : 3 + 2 * port.number]!.place) port.send();
        port.inputWanted();
      }
    });
  }

  protected saveDevice(): Fields {
    return {
      messages: this.#messages.map(({ name, ...rest }) => ({ ...rest, name: name ?? null })),
      ports: this.ports.map(port => port.save()),
      connected: this.ports.map(port => (port.hostConnected ? 1 : 0)),
    };
  }

  protected loadDevice(saved: SavedFields): () => void {
    const messages = saved.groups('messages').map(
      (fields): Message => ({
        port: fields.integer('port', 0xffff_ffff),
        event: fields.integer('event', 0xffff),
        value: fields.integer('value', 0xffff),
        name: fields.optional('name', () => fields.text('name')),
      }),
    );
    const ports = saved.groups('ports').map(fields => {
      const port = this.#ports.get(fields.integer('number'));
      if (!port) throw new SaveError(`virtio-serial: the port ${fields.integer('number')} is not there`);
      return { port, load: port.load(fields) };
    });
    const connected = saved.integers('connected', ports.length, 1);
    return () => {
      this.#messages = messages;
      for (const [n, { port, load }] of ports.entries()) {
        load();
        // The guest knows what was; somebody may have come or gone since.
        if (port.hostConnected !== (connected[n] === 1n)) this.#changed.push(port);
      }
    };
  }
}
