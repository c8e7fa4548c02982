/** One run of lpar: builds what the command line asks for, runs it until it ends, and takes it down again. */

import { type BackendOptions, openBackend } from '../chardev/backends.ts';
import type { Backend, Chardev } from '../chardev/chardev.ts';
import { Mux } from '../chardev/mux.ts';
import { DeviceError } from '../devices/device-type.ts';
import type { MachineConfiguration, MachineControl, Panic } from '../machine/control.ts';
import { ConfigurationError } from '../machine/control.ts';
import { cpuModel } from '../machine/cpu-model.ts';
import type { CpuDevice } from '../machine/cpu-table.ts';
import { TraceStates } from '../machine/trace-events.ts';
import { type Closable, type Host, HostError } from '../platform/host.ts';
import type { TlsCredentials, TlsSettings } from '../platform/tls.ts';
import type { ChardevOptions } from './chardev-options.ts';
import { type Configuration, debuggerDevice, findResource, newChardev, newObject } from './configuration.ts';
import { type Backends, deviceValues, parseDevice } from './devices.ts';
import { GdbStub } from './gdb/stub.ts';
import { TextLog } from './log.ts';
import { Migration } from './migration/migration.ts';
import { Snapshots } from './migration/snapshots.ts';
import { execute, type MonitorEnvironment, MonitorState } from './monitor/commands.ts';
import { hex } from './monitor/dump.ts';
import { Monitor } from './monitor/monitor.ts';
import { authorizer, findAuthorization, type NamedObject, readCredentials } from './objects.ts';
import type { QmpEnvironment } from './qmp/commands.ts';
import { QmpEvents } from './qmp/events.ts';
import { written } from './qmp/json.ts';
import { QmpMonitor } from './qmp/monitor.ts';
import { objectList, objectProperty, objectTree, peripheral, setProperty } from './qmp/objects.ts';
import { QmpError } from './qmp/schema.ts';
import { CPU_DRIVER, cpuOf, firstCpus } from './smp.ts';
import { statesOf, traceLine } from './trace-options.ts';

export type MachineMaker = (configuration: MachineConfiguration) => Promise<MachineControl>;

interface OpenChardev {
  readonly id: string;
  readonly backend: Backend & Closable;
  readonly mux?: Mux;
}

/** @returns the process's exit status. @throws ConfigurationError before anything ran */
export async function run(configuration: Configuration, host: Host, makeMachine: MachineMaker): Promise<number> {
  const session = new Session(configuration, host);
  try {
    return await session.run(makeMachine);
  } finally {
    await session.close();
  }
}

const encoder = new TextEncoder();

class Session {
  readonly #configuration: Configuration;
  readonly #host: Host;
  readonly #log: TextLog;
  readonly #chardevs = new Map<string, OpenChardev>();
  readonly #credentials = new Map<string, TlsCredentials>();
  readonly #closing: Closable[] = [];
  /** Those that are there. */
  readonly #cpus: CpuDevice[];
  #machine: MachineControl | undefined;
  #trace = new TraceStates();
  #events: QmpEvents | undefined;
  #gdb: GdbStub | undefined;
  #end: (status: number) => void = () => {};
  /** Resolves with the exit status. */
  readonly #ended = new Promise<number>(resolve => {
    this.#end = resolve;
  });

  constructor(configuration: Configuration, host: Host) {
    this.#configuration = configuration;
    this.#host = host;
    const { cpus, shape, cpuDevices } = configuration;
    this.#cpus = [...firstCpus(cpus, shape), ...cpuDevices];
    this.#log = new TextLog(configuration.log, text => host.complain(text));
  }

  async run(makeMachine: MachineMaker): Promise<number> {
    const configuration = this.#configuration;
    let told = false;
    const signals = this.#host.onSignal(number => {
      if (!told) this.#host.complain(`lpar: terminating on signal ${number}\n`);
      told = true;
      this.#events?.ends('host-signal');
      this.#end(0);
    });
    this.#closing.push(signals);
    const load = this.#filesToLoad();
    if (configuration.logFile !== undefined) {
      const path = configuration.logFile;
      about(`-D ${path}`, () => this.#logTo(path));
    }
    if (configuration.pidFile !== undefined) {
      const path = configuration.pidFile;
      about(`-pidfile ${path}`, () => this.#host.writeFile(path, `${this.#host.processId}\n`));
    }
    for (const object of configuration.objects) about(object.text, () => this.#makeObject(object));
    for (const { text, protocol, readOnly, snapshot } of configuration.drives) {
      if (protocol?.kind === 'file') about(text, () => this.#checkFile(protocol.path, !readOnly && !snapshot));
    }
    const opened = await Promise.race([this.#openChardevs(configuration.chardevs).then(() => undefined), this.#ended]);
    // A signal while waiting for a connection.
    if (opened !== undefined) return opened;

    for (const warning of configuration.warnings) this.#host.complain(`lpar: ${warning}\n`);
    for (const warning of cpuModel(configuration.cpuModel, configuration.cpuFeatures, configuration.view).warnings) {
      this.#host.complain(`lpar: warning: ${warning}\n`);
    }
    const consoles = configuration.consoles.map(({ kind, chardev }) => ({ kind, chardev: this.#port(chardev, true) }));
    const monitors = configuration.monitors.map(monitor => ({
      ...monitor,
      chardev: this.#port(monitor.chardev, false),
    }));
    const { trace } = configuration;
    this.#trace = statesOf(trace, this.#host, message => this.#host.complain(`lpar: ${message}\n`));
    const tell = this.#traceSink();
    const machine = await makeMachine({
      ...configuration,
      tracing: { states: this.#trace, tell: record => tell(traceLine(record, trace.format)) },
      ...load,
      consoles,
      chardev: id => this.#port(id, false),
      log: this.#log,
    });
    this.#machine = machine;
    this.#follow(machine);
    const environment = this.#environment(machine);
    for (const { kind, chardev, pretty = false } of monitors) {
      if (kind === 'control') new QmpMonitor(chardev, environment, pretty);
      else new Monitor(chardev, environment);
    }
    if (configuration.gdb !== undefined) this.#startDebugger(this.#port(configuration.gdb, false), environment);
    await this.#start(environment);
    return this.#ended;
  }

  async #start({ machine, snapshots, migration }: MonitorEnvironment): Promise<void> {
    const { incoming, snapshot, paused } = this.#configuration;
    migration.autostart = !paused;
    if (incoming !== undefined) {
      this.#closing.push(migration);
      await aboutAsync(`-incoming ${incoming}`, () => migration.expect(incoming));
      return;
    }
    if (snapshot !== undefined) await snapshots.load(snapshot);
    if (!paused) machine.cont();
  }

  async close(): Promise<void> {
    await this.#machine?.quit();
    for (const { backend } of this.#chardevs.values()) backend.close();
    for (const closable of this.#closing) closable.close();
  }

  /** What is to be loaded, with the names of files replaced by what is in them. */
  #filesToLoad(): { kernel: Uint8Array | undefined; initrd: Uint8Array | undefined } {
    const { kernel, initrd, paused, incoming, snapshot } = this.#configuration;
    if (kernel === undefined && !paused && incoming === undefined && snapshot === undefined)
      throw new ConfigurationError('nothing to load: -kernel FILE says what');
    const read = (what: string, path: string | undefined) =>
      path === undefined ? undefined : about(`could not load ${what} '${path}'`, () => this.#host.readFile(path));
    return { kernel: read('kernel', kernel), initrd: read('initrd', initrd) };
  }

  /** Where lines about events go. */
  #traceSink(): (line: string) => void {
    const path = this.#configuration.trace.file;
    if (path === undefined) return line => this.#log.tell(line);
    const file = about(`-trace file=${path}`, () => this.#host.openFile(path, false));
    this.#closing.push(file);
    return line => file.write(encoder.encode(line));
  }

  #logTo(path: string): void {
    const file = this.#host.openFile(path.replace('%d', String(this.#host.processId)), false);
    this.#closing.push(file);
    this.#log.redirect(text => file.write(encoder.encode(text)));
  }

  // Character devices

  /** Credentials are read once. @throws ConfigurationError HostError */
  #makeObject({ id, object }: NamedObject): void {
    const { objects } = this.#configuration;
    if (object.kind === 'entropy' && object.path !== undefined) this.#checkFile(object.path, false);
    if (object.kind === 'credentials') this.#credentials.set(id, readCredentials(this.#host, objects, object));
  }

  /** What will be opened elsewhere can be opened. @throws ConfigurationError */
  #checkFile(path: string, writes: boolean): void {
    try {
      this.#host.checkFile(path, writes);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new ConfigurationError(`Could not open '${path}': ${error.message}`);
    }
  }

  #tls(options: BackendOptions): TlsSettings | undefined {
    if (options.kind !== 'socket' || !options.tls) return undefined;
    const { credentials, authorization: id } = options.tls;
    const authorize =
      id === undefined ? undefined : authorizer(this.#host, id, findAuthorization(this.#configuration.objects, id));
    return { credentials: this.#credentials.get(credentials)!, authorize };
  }

  async #openChardevs(all: readonly ChardevOptions[]): Promise<void> {
    for (const options of all) await aboutAsync(options.text, () => this.#openChardev(options));
  }

  /** @throws ConfigurationError HostError */
  async #openChardev({ id, backend: options, mux, text }: ChardevOptions): Promise<void> {
    const waiting = (where: string) => this.#host.complain(`lpar: ${text}: waiting for a connection on ${where}\n`);
    const backend = await openBackend(this.#host, id, options, waiting, this.#tls(options));
    const { escapeCode } = this.#configuration;
    const shared = mux ? new Mux(backend, { escape: escapeCode, exit: () => this.#end(0) }) : undefined;
    this.#chardevs.set(id, { id, backend, mux: shared });
  }

  #port(id: string, focus: boolean): Chardev {
    const { backend, mux } = this.#chardevs.get(id)!;
    return mux ? mux.port(focus) : backend;
  }

  // Monitors and the debugger

  #environment(machine: MachineControl): QmpEnvironment {
    const { name, uuid, snapshots, cpuModel = 'qemu', maximumCpus } = this.#configuration;
    const events = new QmpEvents(machine);
    this.#events = events;
    const changed = (status: string) => events.migration(status);
    const environment: QmpEnvironment = {
      machine,
      events,
      cpuModel,
      maximumCpus,
      name,
      uuid,
      log: this.#log,
      trace: this.#trace,
      snapshots: new Snapshots(this.#host, machine, snapshots),
      migration: new Migration({ host: this.#host, machine, changed, fail: () => this.#end(1) }),
      processId: this.#host.processId,
      chardevs: () =>
        [...this.#chardevs.values()].flatMap(({ id, backend: { description, inUse }, mux }) =>
          mux
            ? [
                { id: `${id}-base`, description, inUse },
                { id, description: 'mux', inUse },
              ]
            : [{ id, description, inUse }],
        ),
      writeFile: (path, data) => about(`Could not open '${path}'`, () => this.#host.writeFile(path, data)),
      logTo: path => about(`'${path}'`, () => this.#logTo(path)),
      debugOn: device => this.#debugOn(device, environment),
      addDevice: description => this.#addDevice(machine, description),
      removeDevice: id => this.#removeDevice(machine, id),
      addChardev: description => this.#addChardev(description),
      removeChardev: id => this.#removeChardev(id),
      addObject: description => this.#addObject(description),
      removeObject: id => this.#removeObject(machine, id),
      userObjects: () => this.#configuration.objects,
      drives: () => this.#configuration.drives,
      consoles: this.#configuration.consoles,
      objects: {
        tree: path => objectTree(environment, path),
        list: path => objectList(environment, path),
        set: (path, property) => setProperty(environment, path, property),
        get: (path, property) => `${written(objectProperty(environment, path, property), true)}\n`,
      },
      sendBreak: id => this.#sendBreak(id),
      quit: () => {
        events.ends('host-qmp-quit');
        this.#end(0);
      },
    };
    return environment;
  }

  async #addDevice(machine: MachineControl, description: string): Promise<void> {
    const values = deviceValues(description);
    const driver = values.get('driver')!;
    if (driver.endsWith(CPU_DRIVER)) return this.#addCpu(machine, description);
    const backends: Backends = {
      chardev: id => {
        const chardev = this.#chardevs.get(id);
        if (!chardev) return 'missing';
        return chardev.backend.inUse && !chardev.mux ? 'in use' : 'free';
      },
      resource: (property, id, owner) => {
        if (property.type === 'drive' && machine.devices.list.some(({ properties }) => properties.drive === id)) {
          throw new ConfigurationError(`Drive '${id}' is already in use by another device`);
        }
        return findResource(this.#configuration, owner, property, id);
      },
    };
    const device = parseDevice(driver, values, backends, this.#configuration.globals);
    if (!device) throw new ConfigurationError(`'${driver}' is not a valid device model name`);
    const { id } = device;
    if (id !== undefined && machine.devices.list.some(other => other.id === id)) {
      throw new ConfigurationError(`Duplicate device ID '${id}'`);
    }
    try {
      await machine.devices.plug(device, true);
    } catch (error) {
      throw error instanceof DeviceError ? new ConfigurationError(error.message) : error;
    }
  }

  /** By identifier, or by path in the tree of objects. */
  async #removeDevice(machine: MachineControl, name: string): Promise<void> {
    const device = machine.devices.list.find(({ id }) => id !== undefined && [id, peripheral(id)].includes(name));
    if (!device) throw new QmpError(`Device '${name}' not found`, 'DeviceNotFound');
    for (const { id } of await machine.devices.unplug(device)) {
      if (id !== undefined) this.#events!.tell('DEVICE_DELETED', { device: id, path: peripheral(id) });
    }
  }

  #addCpu(machine: MachineControl, description: string): void {
    const { cpuModel = 'qemu', shape, maximumCpus } = this.#configuration;
    // Those that are there may have moved.
    const others = this.#cpus.map(({ address, place }) => ({
      address,
      place: machine.topology?.place(address) ?? place,
    }));
    const cpu = cpuOf(description, cpuModel, shape, maximumCpus, others);
    this.#cpus.push(cpu);
    machine.addCpu(cpu);
  }

  async #addChardev(description: string): Promise<void> {
    const { chardevs } = this.#configuration;
    const options = newChardev(description, this.#configuration);
    if (options.backend.kind === 'stdio' && chardevs.some(({ backend }) => backend.kind === 'stdio')) {
      throw new ConfigurationError('cannot use stdio by multiple character devices');
    }
    // Opening may last; the name is taken already.
    chardevs.push(options);
    try {
      await this.#openChardev(options);
    } catch (error) {
      chardevs.splice(chardevs.indexOf(options), 1);
      throw error;
    }
  }

  #removeChardev(id: string): void {
    const chardev = this.#chardevs.get(id);
    if (!chardev) throw new ConfigurationError(`Chardev '${id}' not found`);
    if (chardev.backend.inUse || chardev.mux) throw new ConfigurationError(`Chardev '${id}' is busy`);
    chardev.backend.close();
    this.#chardevs.delete(id);
    const { chardevs } = this.#configuration;
    chardevs.splice(
      chardevs.findIndex(one => one.id === id),
      1,
    );
  }

  #addObject(description: string): void {
    const object = newObject(description, `-object ${description}`, this.#configuration);
    this.#makeObject(object);
    this.#configuration.objects.push(object);
  }

  #removeObject(machine: MachineControl, id: string): void {
    const { objects, chardevs } = this.#configuration;
    const at = objects.findIndex(object => object.id === id);
    if (at < 0) throw new ConfigurationError(`object '${id}' not found`);
    const onDevice = machine.devices.list.some(({ properties }) => properties.rng === id);
    const onChardev = chardevs.some(
      ({ backend }) => backend.kind === 'socket' && [backend.tls?.credentials, backend.tls?.authorization].includes(id),
    );
    if (onDevice || onChardev) throw new ConfigurationError(`object '${id}' is in use, can not be deleted`);
    objects.splice(at, 1);
    this.#credentials.delete(id);
  }

  #sendBreak(id: string): boolean {
    const chardev = this.#chardevs.get(id);
    if (!chardev) return false;
    chardev.backend.sendBreak();
    return true;
  }

  #startDebugger(chardev: Chardev, environment: MonitorEnvironment): void {
    this.#gdb = new GdbStub(chardev, {
      machine: environment.machine,
      command: (line, print) => execute(line, new MonitorState(environment, print, [])),
      kill: () => {
        this.#host.complain('lpar: ended by the debugger\n');
        this.#end(0);
      },
    });
  }

  async #debugOn(device: string, environment: MonitorEnvironment): Promise<void> {
    this.#gdb?.detach();
    this.#gdb = undefined;
    this.#chardevs.get('gdb')?.backend.close();
    this.#chardevs.delete('gdb');
    if (device === 'none') return;
    await this.#openChardevs([{ id: 'gdb', backend: debuggerDevice(device), mux: false, text: device }]);
    this.#startDebugger(this.#port('gdb', false), environment);
  }

  // What the machine tells

  #follow(machine: MachineControl): void {
    const { actions } = this.#configuration;
    machine.on('shutdown', () => {
      if (actions.shutdown === 'poweroff') this.#finish(0);
    });
    machine.on('watchdog', ({ action }) => {
      if (action === 'debug') this.#host.complain('watchdog: timer fired\n');
    });
    machine.on('guest-panicked', panic => {
      this.#host.complain(panicText(panic));
      const ends = actions.panic === 'shutdown' || actions.panic === 'exit-failure';
      if (ends && actions.shutdown === 'poweroff') this.#finish(actions.panic === 'exit-failure' ? 1 : 0);
    });
    machine.on('internal-error', ({ error }) => {
      this.#host.complain(`lpar: internal error: ${error instanceof Error ? error.stack : error}\n`);
      this.#finish(1);
    });
  }

  #finish(status: number): void {
    this.#gdb?.exited(status);
    this.#end(status);
  }
}

const reasons: Record<Panic['reason'], string> = {
  'disabled-wait': 'a disabled wait',
  'extint-loop': 'a loop of external interruptions',
  'pgmint-loop': 'a loop of program interruptions',
  'opint-loop': 'a loop of operation exceptions',
  unknown: 'an unknown state',
};

const panicText = ({ cpu, reason, pswMask, pswAddress }: Panic): string =>
  `lpar: the guest has panicked: CPU ${cpu} is in ${reasons[reason]}, PSW ${hex(pswMask, 16)} ${hex(pswAddress, 16)}\n`;

/** Names what it is about in the message of what goes wrong. */
function about<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw located(name, error);
  }
}

async function aboutAsync(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw located(name, error);
  }
}

const located = (name: string, error: unknown): unknown =>
  error instanceof HostError || error instanceof ConfigurationError
    ? new ConfigurationError(`${name}: ${error.message}`)
    : error;
