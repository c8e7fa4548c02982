/**
 * The monitor for programs (QMP) on a character device: JSON values in both directions, in QEMU's words. It greets, waits for
 * `qmp_capabilities`, carries out commands in the order in which they come, and tells of events.
 */

import type { Chardev, ChardevEvent, FrontEnd } from '../../chardev/chardev.ts';
import { ConfigurationError } from '../../machine/control.ts';
import { HostError } from '../../platform/host.ts';
import { version } from '../../version.ts';
import { formatUuid } from '../values.ts';
import { execute, type MonitorEnvironment, MonitorState } from './commands.ts';
import { JsonReader } from './json-reader.ts';

/** A command that cannot be carried out. */
class QmpError extends Error {
  readonly kind: 'GenericError' | 'CommandNotFound';
  constructor(message: string, kind: QmpError['kind'] = 'GenericError') {
    super(message);
    this.kind = kind;
  }
}

type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json | undefined };
type Arguments = ReadonlyMap<string, unknown>;

interface Command {
  /** Names and types of the arguments; `?` after one that may be left out. */
  readonly arguments?: Readonly<Record<string, 'string' | 'boolean' | 'string?' | 'boolean?' | 'number?'>>;
  readonly run: (environment: MonitorEnvironment, given: Arguments) => Json | undefined | Promise<Json | undefined>;
}

const [major, minor, micro] = version.split('.').map(Number);
const versions = { qemu: { micro: micro!, minor: minor!, major: major! }, package: `lpar ${version}` };

const commands: Readonly<Record<string, Command>> = {
  cont: {
    run: ({ machine, migration }) => {
      if (machine.status === 'inmigrate') migration.autostart = true;
      else if (machine.status === 'finish-migrate') throw new QmpError('Migration is not finalized yet');
      else if (['shutdown', 'guest-panicked', 'internal-error'].includes(machine.status)) {
        throw new QmpError('Resetting the Virtual Machine is required');
      } else machine.cont();
      return undefined;
    },
  },
  'human-monitor-command': {
    arguments: { 'command-line': 'string', 'cpu-index': 'number?' },
    run: async (environment, given) => {
      let out = '';
      const state = new MonitorState(environment, text => void (out += text.replaceAll('\n', '\r\n')), []);
      const cpu = given.get('cpu-index') as number | undefined;
      if (cpu !== undefined && !state.selectCpu(cpu)) {
        throw new QmpError("Parameter 'cpu-index' expects a CPU number");
      }
      await execute(given.get('command-line') as string, state);
      return out;
    },
  },
  'inject-nmi': { run: ({ machine }) => void machine.nmi(machine.cpus[0]!.number) },
  migrate: {
    arguments: { uri: 'string', blk: 'boolean?', inc: 'boolean?', detach: 'boolean?', resume: 'boolean?' },
    run: async ({ migration }, given) => void (await migration.send(given.get('uri') as string, true)),
  },
  migrate_cancel: { run: ({ migration }) => void migration.cancel() },
  'migrate-incoming': {
    arguments: { uri: 'string' },
    run: async ({ migration }, given) => void (await migration.receive(given.get('uri') as string)),
  },
  'query-commands': {
    run: () => ['qmp_capabilities', ...Object.keys(commands)].sort().map(name => ({ name })),
  },
  'query-cpus-fast': {
    run: ({ machine, processId }) =>
      machine.cpus.map(({ number, state }) => ({
        'cpu-index': number,
        'thread-id': processId,
        props: { 'core-id': number },
        target: 's390x',
        'cpu-state': state === 'halted' ? 'operating' : state,
      })),
  },
  'query-migrate': { run: ({ migration }) => migration.progress },
  'query-name': { run: ({ name }) => (name === '' ? {} : { name }) },
  'query-status': {
    run: ({ machine: { status } }) => ({ status, running: status === 'running', singlestep: false }),
  },
  'query-uuid': { run: ({ uuid }) => ({ UUID: formatUuid(uuid ?? new Uint8Array(16)) }) },
  'query-version': { run: () => versions },
  quit: { run: ({ quit }) => void setTimeout(quit) },
  stop: {
    run: async ({ machine, migration }) => {
      if (machine.status === 'inmigrate') migration.autostart = false;
      else await machine.stop();
      return undefined;
    },
  },
  system_powerdown: { run: ({ machine }) => void machine.powerdown() },
  system_reset: { run: ({ machine }) => machine.reset().then(() => undefined) },
};

/** @throws QmpError */
function checkArguments(types: Command['arguments'], given: Arguments): void {
  for (const [name, type] of Object.entries(types ?? {})) {
    const value = given.get(name);
    if (value === undefined) {
      if (!type.endsWith('?')) throw new QmpError(`Parameter '${name}' is missing`);
    } else if (typeof value !== type.replace('?', '')) {
      throw new QmpError(`Invalid parameter type for '${name}', expected: ${type.replace('?', '')}`);
    }
  }
  for (const name of given.keys()) {
    if (!types || !(name in types)) throw new QmpError(`Parameter '${name}' is unexpected`);
  }
}

const encoder = new TextEncoder();
/** Numbers of 64 bits are written with all their digits. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
const written = (value: Json): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? rawJSON(String(part)) : part));

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class QmpMonitor implements FrontEnd {
  readonly #chardev: Chardev;
  readonly #environment: MonitorEnvironment;
  #reader = new JsonReader();
  /** Capabilities have been negotiated. */
  #negotiated = false;
  #busy = false;

  constructor(chardev: Chardev, environment: MonitorEnvironment) {
    this.#chardev = chardev;
    this.#environment = environment;
    this.#follow();
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
    this.#chardev.write(encoder.encode(`${written(value)}\r\n`));
  }

  // Commands

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const reader = this.#reader;
    for (let next = reader.next(); next && reader === this.#reader; next = reader.next()) {
      const answer = 'error' in next ? failure(new QmpError(next.error)) : await this.#answer(next.value);
      if (reader === this.#reader) this.#send(answer);
    }
    this.#busy = false;
    this.#chardev.inputWanted();
  }

  async #answer(request: unknown): Promise<Json> {
    const id = isObject(request) && 'id' in request ? { id: request.id as Json } : {};
    try {
      return { return: (await this.#carryOut(request)) ?? {}, ...id };
    } catch (error) {
      if (!(error instanceof QmpError || error instanceof ConfigurationError || error instanceof HostError))
        throw error;
      return { ...failure(error), ...id };
    }
  }

  async #carryOut(request: unknown): Promise<Json | undefined> {
    if (!isObject(request)) throw new QmpError('QMP input must be a JSON object');
    for (const key of Object.keys(request)) {
      if (!['execute', 'arguments', 'id'].includes(key)) throw new QmpError(`QMP input member '${key}' is unexpected`);
    }
    const { execute: name, arguments: given = {} } = request;
    if (name === undefined) throw new QmpError("QMP input lacks member 'execute'");
    if (typeof name !== 'string') throw new QmpError("QMP input member 'execute' must be a string");
    if (!isObject(given)) throw new QmpError("QMP input member 'arguments' must be an object");
    if (name === 'qmp_capabilities') return this.#negotiate();
    if (!this.#negotiated) {
      throw new QmpError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new QmpError(`The command ${name} has not been found`, 'CommandNotFound');
    const values = new Map(Object.entries(given));
    checkArguments(command.arguments, values);
    return command.run(this.#environment, values);
  }

  #negotiate(): undefined {
    if (this.#negotiated) {
      throw new QmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    }
    this.#negotiated = true;
  }

  // Events

  #tell(event: string, data?: Json): void {
    if (!this.#negotiated || !this.#chardev.isOpen) return;
    const now = Date.now();
    const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
    this.#send({ timestamp, event, ...(data !== undefined && { data }) });
  }

  #follow(): void {
    const { machine } = this.#environment;
    machine.on('resume', () => this.#tell('RESUME'));
    machine.on('stop', () => this.#tell('STOP'));
    machine.on('powerdown', () => this.#tell('POWERDOWN'));
    machine.on('watchdog', ({ action }) => this.#tell('WATCHDOG', { action }));
    machine.on('reset', ({ cause }) => this.#tell('RESET', because(cause, 'host-qmp-system-reset')));
    machine.on('shutdown', ({ cause }) => this.#tell('SHUTDOWN', because(cause, 'host-error')));
    machine.on('guest-panicked', ({ cpu, reason, pswMask, pswAddress }) => {
      const info = { type: 's390', core: cpu, 'psw-mask': pswMask, 'psw-addr': pswAddress, reason };
      this.#tell('GUEST_PANICKED', { action: machine.actions.panic === 'shutdown' ? 'poweroff' : 'pause', info });
    });
  }
}

const failure = (error: Error) => ({
  error: { class: error instanceof QmpError ? error.kind : 'GenericError', desc: error.message },
});

const because = (cause: string, host: string): Json => ({
  guest: cause !== 'host',
  reason: cause === 'host' ? host : cause,
});
