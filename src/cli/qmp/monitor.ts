/**
 * The monitor for programs (QMP) on a character device: JSON objects in both directions. It greets, waits until
 * capabilities have been negotiated, carries out commands in the order in which they come, and tells of events.
 */

import type { Chardev, ChardevEvent, FrontEnd } from '../../chardev/chardev.ts';
import { ConfigurationError } from '../../machine/control.ts';
import { HostError } from '../../platform/host.ts';
import { commands, type QmpEnvironment, versions } from './commands.ts';
import type { QmpEvent } from './events.ts';
import { isObject, type Json, type JsonObject, JsonReader, written } from './json.ts';
import { checkedObject, QmpError } from './schema.ts';

const encoder = new TextEncoder();

export class QmpMonitor implements FrontEnd {
  readonly #chardev: Chardev;
  readonly #environment: QmpEnvironment;
  readonly #pretty: boolean;
  /** Another one with each connection. */
  #reader = new JsonReader();
  #negotiated = false;
  #busy = false;

  constructor(chardev: Chardev, environment: QmpEnvironment, pretty: boolean) {
    this.#chardev = chardev;
    this.#environment = environment;
    this.#pretty = pretty;
    environment.events.listen(event => this.#tell(event));
    chardev.attach(this);
  }

  room(): number {
    return this.#busy ? 0 : 4096;
  }

  receive(data: Uint8Array): void {
    this.#reader.take(data);
    void this.#work();
  }

  event(event: ChardevEvent): void {
    if (event !== 'open') return;
    this.#reader = new JsonReader();
    this.#negotiated = false;
    this.#send({ QMP: { version: versions, capabilities: [] } });
  }

  #send(value: Json): void {
    this.#chardev.write(encoder.encode(`${written(value, this.#pretty)}\n`.replaceAll('\n', '\r\n')));
  }

  #tell({ event, data, time }: QmpEvent): void {
    if (!this.#negotiated || !this.#chardev.isOpen) return;
    const timestamp = { seconds: Math.floor(time / 1000), microseconds: (time % 1000) * 1000 };
    this.#send({ timestamp, event, data });
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const reader = this.#reader;
    for (let item = reader.next(); item; item = reader.next()) {
      const answer = 'error' in item ? failure(new QmpError(item.error)) : await this.#answer(item.value);
      // Whoever asked may have gone meanwhile.
      if (reader !== this.#reader) break;
      this.#send(answer);
    }
    this.#busy = false;
    this.#chardev.inputWanted();
  }

  async #answer(request: Json): Promise<JsonObject> {
    const id = isObject(request) ? request.id : undefined;
    try {
      return { return: (await this.#carryOut(request)) ?? {}, id };
    } catch (error) {
      if (error instanceof QmpError || error instanceof ConfigurationError || error instanceof HostError) {
        return { id, ...failure(error) };
      }
      throw error;
    }
  }

  async #carryOut(request: Json): Promise<Json | undefined> {
    const { name, given } = readRequest(request);
    if (name !== 'qmp_capabilities' && !this.#negotiated) {
      throw new QmpError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    }
    const command = commands.get(name);
    if (!command) throw new QmpError(`The command ${name} has not been found`, 'CommandNotFound');
    const values = checkedObject(given, command.takes);
    if (name === 'qmp_capabilities') {
      if (this.#negotiated) {
        throw new QmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
      }
      const result = command.run(this.#environment, values);
      this.#negotiated = true;
      return result;
    }
    return command.run(this.#environment, values);
  }
}

/** @throws QmpError */
function readRequest(request: Json): { name: string; given: JsonObject } {
  if (!isObject(request)) throw new QmpError('QMP input must be a JSON object');
  for (const [key, value] of Object.entries(request)) {
    if (key === 'execute' && typeof value !== 'string') {
      throw new QmpError("QMP input member 'execute' must be a string");
    }
    if (key === 'arguments' && !isObject(value!)) {
      throw new QmpError("QMP input member 'arguments' must be an object");
    }
    if (!['execute', 'arguments', 'id'].includes(key)) throw new QmpError(`QMP input member '${key}' is unexpected`);
  }
  const { execute, arguments: given = {} } = request;
  if (execute === undefined) throw new QmpError("QMP input lacks member 'execute'");
  return { name: execute as string, given: given as JsonObject };
}

const failure = (error: Error): JsonObject => ({
  error: { class: error instanceof QmpError ? error.kind : 'GenericError', desc: error.message },
});
