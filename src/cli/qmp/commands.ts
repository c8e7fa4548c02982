/** The commands of QMP: what each takes and does. */

import { CPU_CHECK_STOP, CPU_STATE, CPU_STOPPED } from '../../cpu/state.ts';
import { deviceType } from '../../devices/registry.ts';
import { type CpuControl, watchdogActions } from '../../machine/control.ts';
import { entitlements } from '../../machine/cpu-table.ts';
import type { TraceStates } from '../../machine/trace-events.ts';
import type { TraceEvent } from '../../trace/trace.ts';
import { version } from '../../version.ts';
import { CPUS, machineName } from '../configuration.ts';
import { execute, type MonitorEnvironment, MonitorState } from '../monitor/commands.ts';
import { hex } from '../monitor/dump.ts';
import { optionNames } from '../options.ts';
import { CPU_DRIVER, placed } from '../smp.ts';
import { formatUuid } from '../values.ts';
import { chardevBackend, chardevText } from './chardev.ts';
import { baseline, comparison, definitions, expansion } from './cpu-models.ts';
import { events, type QmpEvents } from './events.ts';
import { describe } from './introspection.ts';
import { isObject, type Json, type JsonObject, written } from './json.ts';
import { cpuPath, listObject, listTypes, objectProperty, setProperty } from './objects.ts';
import { type Members, type ObjectOf, OTHERS, QmpError } from './schema.ts';

/** What QMP needs of a machine and what is around it, beside what the other monitor needs. */
export interface QmpEnvironment extends MonitorEnvironment {
  readonly events: QmpEvents;
  /** The name of the CPU model. */
  readonly cpuModel: string;
  /** Addresses of CPUs are below it. */
  readonly maximumCpus: number;
}

type Answer = Json | undefined;

export interface Command {
  readonly name: string;
  readonly takes: Members;
  /** Nothing to say is `{}`. @throws QmpError ConfigurationError HostError */
  readonly run: (environment: QmpEnvironment, given: ObjectOf<Members>) => Answer | Promise<Answer>;
}

const command = <const M extends Members>(
  name: string,
  takes: M,
  run: (environment: QmpEnvironment, given: ObjectOf<M>) => Answer | Promise<Answer>,
): Command => ({ name, takes, run: run as Command['run'] });

/** The first part is of the QEMU whose language this is. */
export const versions = { qemu: { micro: 0, minor: 2, major: 9 }, package: `lpar ${version}` };

/** Nothing that there is. */
const nothing = (): Json => [];

const model = { object: { name: 'str', '*props': 'any' } } as const;
const twoModels = { modela: model, modelb: model } as const;

const all: readonly Command[] = [
  command('qmp_capabilities', { '*enable': { list: ['oob'] } }, (_, { enable = [] }) => {
    if (enable.length > 0) throw new QmpError(`Capability ${enable[0]} not available`);
    return undefined;
  }),

  // The machine as a whole
  command('cont', {}, ({ machine, migration }) => {
    if (machine.status === 'inmigrate') migration.autostart = true;
    else if (machine.status === 'finish-migrate') throw new QmpError('Migration is not finalized yet');
    else if (['shutdown', 'guest-panicked', 'internal-error'].includes(machine.status)) {
      throw new QmpError('Resetting the Virtual Machine is required');
    } else machine.cont();
    return undefined;
  }),
  command('stop', {}, async ({ machine, migration }) => {
    if (machine.status === 'inmigrate') migration.autostart = false;
    else await machine.stop();
    return undefined;
  }),
  command('system_powerdown', {}, ({ machine }) => void machine.powerdown()),
  command('system_reset', {}, async ({ machine }) => void (await machine.reset())),
  command('inject-nmi', {}, ({ machine }) => void machine.nmi(machine.cpus[0]!.number)),
  command('quit', {}, ({ events, quit }) => {
    events.ends('host-qmp-quit');
    // The answer comes before the end.
    setTimeout(quit);
    return undefined;
  }),
  command(
    'set-action',
    {
      '*reboot': ['reset', 'shutdown'],
      '*shutdown': ['poweroff', 'pause'],
      '*panic': ['pause', 'shutdown', 'exit-failure', 'none'],
      '*watchdog': watchdogActions,
    },
    ({ machine: { actions } }, given) => void Object.assign(actions, given),
  ),
  command('watchdog-set-action', { action: watchdogActions }, ({ machine: { actions } }, { action }) => {
    actions.watchdog = action;
    return undefined;
  }),
  command('query-status', {}, ({ machine: { status } }) => ({ status, running: status === 'running' })),
  command('x-query-jit', {}, ({ machine: { compilation } }) => {
    if (compilation === undefined) throw new QmpError('JIT information is only available with accel=tcg');
    return { 'human-readable-text': compilation };
  }),
  command('query-name', {}, ({ name }) => (name === '' ? {} : { name })),
  command('query-uuid', {}, ({ uuid }) => ({ UUID: formatUuid(uuid ?? new Uint8Array(16)) })),
  command('query-current-machine', {}, () => ({ 'wakeup-suspend-support': false })),

  // What lpar is
  command('query-version', {}, () => versions),
  command('query-commands', {}, () => [...commands.keys()].map(name => ({ name }))),
  command('query-events', {}, () => Object.keys(events).map(name => ({ name }))),
  command('query-qmp-schema', {}, () => describe(commands, events)),
  command('query-kvm', {}, () => ({ enabled: false, present: false })),
  command('query-target', {}, () => ({ arch: 's390x' })),
  command('query-machines', {}, () => [
    {
      name: machineName,
      'is-default': true,
      'cpu-max': CPUS,
      'hotpluggable-cpus': true,
      'numa-mem-supported': false,
      deprecated: false,
      'default-cpu-type': `qemu${CPU_DRIVER}`,
      'default-ram-id': 's390.ram',
    },
  ]),
  command('query-command-line-options', { '*option': 'str' }, (_, { option }) => {
    const names = optionNames().filter(name => option === undefined || name === option);
    if (names.length === 0) throw new QmpError(`invalid option name: ${option}`);
    return names.map(name => ({ option: name, parameters: [] }));
  }),

  // CPUs
  command('query-cpus-fast', {}, ({ machine, processId }) => {
    const { topology } = machine;
    return machine.cpus.map(cpu => {
      const place = topology?.place(cpu.number);
      return {
        'cpu-index': cpu.number,
        'qom-path': cpuPath(cpu.number),
        'thread-id': processId,
        props: { 'core-id': cpu.number, ...(place && numbersOf(place)) },
        target: 's390x',
        'cpu-state': stateOf(cpu),
        ...(place && { dedicated: place.dedicated, entitlement: place.entitlement }),
      };
    });
  }),
  command('query-hotpluggable-cpus', {}, ({ machine: { cpus, topology }, cpuModel, maximumCpus }) =>
    Array.from({ length: maximumCpus }, (_, number) => {
      const place = topology?.place(number);
      return {
        type: cpuModel + CPU_DRIVER,
        'vcpus-count': 1,
        props: { 'core-id': number, ...(place && numbersOf(place)) },
        ...(cpus.some(cpu => cpu.number === number) && { 'qom-path': cpuPath(number) }),
      };
    }),
  ),
  command('query-cpu-definitions', {}, definitions),
  command('query-cpu-model-expansion', { type: ['static', 'full'], model }, (_, { type, model }) =>
    expansion(type, model),
  ),
  command('query-cpu-model-comparison', twoModels, (_, { modela, modelb }) => comparison(modela, modelb)),
  command('query-cpu-model-baseline', twoModels, (_, { modela, modelb }) => baseline(modela, modelb)),
  command(
    'set-cpu-topology',
    {
      'core-id': 'uint16',
      '*socket-id': 'uint16',
      '*book-id': 'uint16',
      '*drawer-id': 'uint16',
      '*entitlement': entitlements,
      '*dedicated': 'bool',
    },
    ({ machine: { cpus, topology } }, given) => {
      const core = given['core-id'];
      if (!topology) throw new QmpError("This machine doesn't support topology");
      if (!cpus.some(({ number }) => number === core)) throw new QmpError(`Core-id ${core} does not exist!`);
      const now = topology.place(core);
      const where = {
        socket: given['socket-id'] ?? now.socket,
        book: given['book-id'] ?? now.book,
        drawer: given['drawer-id'] ?? now.drawer,
      };
      const others = cpus.filter(({ number }) => number !== core).map(({ number }) => topology.place(number));
      const { entitlement = 'auto', dedicated = now.dedicated } = given;
      topology.setPlace(core, placed(where, entitlement, dedicated, topology.shape, others));
      return undefined;
    },
  ),
  command('query-s390x-cpu-polarization', {}, ({ machine: { topology } }) => ({
    polarization: topology?.vertical ? 'vertical' : 'horizontal',
  })),

  // Storage
  command('query-memory-size-summary', {}, ({ machine: { storage } }) => ({
    'base-memory': storage.layout.coreSize,
    'plugged-memory': 0,
  })),
  command('query-memory-devices', {}, nothing),
  command(
    'memsave',
    { val: 'uint64', size: 'uint64', filename: 'str', '*cpu-index': 'int' },
    async ({ machine, writeFile }, { val, size, filename, 'cpu-index': index }) => {
      const cpu = cpuOf(machine.cpus, index);
      const data = await machine.examine(() => cpu.readVirtual(val, Number(size)));
      if (!data) throw new QmpError(`Invalid addr 0x${hex(val, 16)}/size ${size} specified`);
      writeFile(filename, data);
      return undefined;
    },
  ),
  command(
    'pmemsave',
    { val: 'uint64', size: 'uint64', filename: 'str' },
    ({ machine: { storage }, writeFile }, { val, size, filename }) => {
      if (!storage.contains(Number(val), Number(size))) {
        throw new QmpError(`Invalid addr 0x${hex(val, 16)}/size ${size} specified`);
      }
      writeFile(filename, storage.read(Number(val), Number(size)));
      return undefined;
    },
  ),

  // Devices and objects
  command('query-chardev', {}, ({ chardevs }) =>
    chardevs().map(({ id, description, inUse }) => ({ label: id, filename: description, 'frontend-open': inUse })),
  ),
  command('chardev-send-break', { id: 'str' }, ({ sendBreak }, { id }) => {
    if (!sendBreak(id)) throw new QmpError(`Chardev '${id}' not found`);
    return undefined;
  }),
  command('query-iothreads', {}, nothing),
  command('query-mice', {}, nothing),
  command('query-tpm-models', {}, nothing),
  command('query-tpm-types', {}, nothing),
  command(
    'device_add',
    {
      driver: 'str',
      '*id': 'str',
      '*core-id': 'uint32',
      '*socket-id': 'int',
      '*book-id': 'int',
      '*drawer-id': 'int',
      '*entitlement': 'str',
      '*dedicated': 'bool',
      [OTHERS]: 'any',
    },
    async ({ addDevice }, given) => {
      const properties = Object.entries(given).map(([key, value]) => {
        if (typeof value === 'object') throw new QmpError(`Invalid parameter type for '${key}', expected: string`);
        const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : `${value}`.replaceAll(',', ',,');
        return key === 'driver' ? text : `${key}=${text}`;
      });
      await addDevice(properties.join(','));
      return undefined;
    },
  ),
  command(
    'chardev-add',
    { id: 'str', backend: { object: chardevBackend } },
    async ({ addChardev }, { id, backend: { type, data } }) => {
      if (!isObject(data)) throw new QmpError("Invalid parameter type for 'backend.data', expected: object");
      await addChardev(chardevText(id, type, data));
      return undefined;
    },
  ),
  command('chardev-remove', { id: 'str' }, ({ removeChardev }, { id }) => void removeChardev(id)),
  command(
    'object-add',
    { 'qom-type': 'str', id: 'str', [OTHERS]: 'any' },
    ({ addObject }, given) => void addObject(written(given as JsonObject, false)),
  ),
  command('object-del', { id: 'str' }, ({ removeObject }, { id }) => void removeObject(id)),
  command('device_del', { id: 'str' }, async ({ removeDevice }, { id }) => void (await removeDevice(id))),
  command('device-list-properties', { typename: 'str' }, (_, { typename }) => {
    const type = deviceType(typename);
    if (!type) throw new QmpError(`Device '${typename}' not found`, 'DeviceNotFound');
    return type.properties.map(({ name, type: kind, description, default: value }) => ({
      name,
      type: kind,
      ...(description !== undefined && { description }),
      ...(value !== undefined && { 'default-value': value }),
    }));
  }),
  command('qom-list', { path: 'str' }, (environment, { path }) => listObject(environment, path)),
  command('qom-get', { path: 'str', property: 'str' }, (environment, { path, property }) =>
    objectProperty(environment, path, property),
  ),

  command(
    'qom-set',
    { path: 'str', property: 'str', value: 'any' },
    (environment, { path, property }) => void setProperty(environment, path, property),
  ),
  command('qom-list-types', { '*implements': 'str', '*abstract': 'bool' }, (_, { implements: wanted }) =>
    listTypes(wanted),
  ),

  // Trace events
  command('trace-event-get-state', { name: 'str', '*vcpu': 'int' }, ({ trace }, { name }) =>
    eventsOf(trace, name).map(event => ({
      name: event.name,
      vcpu: false,
      state: trace.has(event) ? 'enabled' : 'disabled',
    })),
  ),
  command(
    'trace-event-set-state',
    { name: 'str', enable: 'bool', '*ignore-unavailable': 'bool', '*vcpu': 'int' },
    ({ trace }, { name, enable }) => {
      for (const event of eventsOf(trace, name)) trace.set(event, enable);
      return undefined;
    },
  ),

  // Migration
  command('migrate', { uri: 'str', '*detach': 'bool', '*resume': 'bool' }, async ({ migration }, { uri, resume }) => {
    if (resume) throw new QmpError('Cannot resume if there is no paused migration');
    await migration.send(uri, true);
    return undefined;
  }),
  command('migrate_cancel', {}, ({ migration }) => void migration.cancel()),
  command('migrate-incoming', { uri: 'str' }, async ({ migration }, { uri }) => void (await migration.receive(uri))),
  command('query-migrate', {}, ({ migration }) => migration.progress),
  command(
    'migrate-set-capabilities',
    { capabilities: { list: { object: { capability: ['events'], state: 'bool' } } } },
    ({ events }, { capabilities }) => {
      for (const { state } of capabilities) events.tellsOfMigration = state;
      return undefined;
    },
  ),
  command('query-migrate-capabilities', {}, ({ events }) => [{ capability: 'events', state: events.tellsOfMigration }]),
  command('migrate-set-parameters', { '*max-bandwidth': 'size' }, ({ migration }, { 'max-bandwidth': bandwidth }) => {
    if (bandwidth !== undefined) migration.maxBandwidth = Number(bandwidth);
    return undefined;
  }),
  command('query-migrate-parameters', {}, ({ migration }) => ({ 'max-bandwidth': migration.maxBandwidth })),

  command(
    'human-monitor-command',
    { 'command-line': 'str', '*cpu-index': 'int' },
    async (environment, { 'command-line': line, 'cpu-index': index }) => {
      let out = '';
      const state = new MonitorState(environment, text => void (out += text.replaceAll('\n', '\r\n')), []);
      if (index !== undefined)
        state.selectCpu(environment.machine.cpus.indexOf(cpuOf(environment.machine.cpus, index)));
      await execute(line, state);
      return out;
    },
  ),
];

export const commands: ReadonlyMap<string, Command> = new Map(all.map(entry => [entry.name, entry]));

/** The events that a name or pattern means. @throws QmpError */
function eventsOf(trace: TraceStates, pattern: string): readonly TraceEvent[] {
  const found = trace.matching(pattern);
  if (!found) throw new QmpError(`unknown event "${pattern}"`);
  return found;
}

/** The CPU of a number, without one the first. @throws QmpError */
function cpuOf(cpus: readonly CpuControl[], number: bigint | undefined): CpuControl {
  const chosen = number === undefined ? cpus[0] : cpus.find(cpu => BigInt(cpu.number) === number);
  if (!chosen) throw new QmpError("Parameter 'cpu-index' expects a CPU number");
  return chosen;
}

/** The wait state is no matter of QMP's. */
function stateOf({ registers }: CpuControl): string {
  const state = registers.field32(CPU_STATE);
  return state === CPU_STOPPED ? 'stopped' : state === CPU_CHECK_STOP ? 'check-stop' : 'operating';
}

const numbersOf = ({ drawer, book, socket }: { drawer: number; book: number; socket: number }): JsonObject => ({
  'socket-id': socket,
  'book-id': book,
  'drawer-id': drawer,
});
