/** From options to what is to be built, with QEMU's defaults. Looks at no file and opens nothing. */

import type { DriveOptions } from '../block/drives.ts';
import type { BackendOptions } from '../chardev/backends.ts';
import { largestStorage } from '../cpu/state.ts';
import { isChannelType, type Property } from '../devices/device-type.ts';
import { deviceTypes } from '../devices/registry.ts';
import { type Actions, ConfigurationError, type Counting, type LogItem, watchdogActions } from '../machine/control.ts';
import type { CpuDevice } from '../machine/cpu-table.ts';
import type { View } from '../machine/identity.ts';
import type { DeviceConfiguration } from '../machine/io-messages.ts';
import { machineType } from '../machine/saved-machine.ts';
import { incrementSize } from '../machine/standby-storage.ts';
import type { Shape } from '../machine/topology.ts';
import { checkBoot } from './boot-options.ts';
import { type ChardevOptions, isTerminal, parseChardev, parseShortChardev } from './chardev-options.ts';
import {
  type Backends,
  deviceListHelp,
  deviceTypeHelp,
  deviceValues,
  type Global,
  parseDevice,
  parseGlobal,
} from './devices.ts';
import { type Drive, parseBlockdev, parseDrive, placeDrive } from './drive-options.ts';
import { parseLogItems } from './log.ts';
import { findAuthorization, findCredentials, type NamedObject, parseObject } from './objects.ts';
import { type Given, located } from './options.ts';
import { CPU_DRIVER, cpuDeviceHelp, cpuOf, firstCpus, shapeOf } from './smp.ts';
import { FIXED_DATE, parseCounting, parseDate } from './time-options.ts';
import { parseTrace, type TraceOptions, tracedItems } from './trace-options.ts';
import { allowOnly, parseList, parseNumber, parseSize, parseSwitch, parseUuid, parseWord } from './values.ts';

const MEBIBYTE = 0x100000;
/** The largest number of CPUs. */
export const CPUS = 248;

export const machineName = machineType;

/** What the command line asks for. */
export interface Configuration {
  memory: number;
  maxMemory: number;
  /** Hot code is compiled. */
  compiles: boolean;
  /** Bytes; undefined: as many as usual. */
  codeCapacity: number | undefined;
  cpus: number;
  /** Addresses of CPUs are below it. */
  maximumCpus: number;
  /** Those that `-device` adds. */
  cpuDevices: CpuDevice[];
  shape: Shape;
  view: View;
  /** Bytes of standby storage. */
  standbyMemory: number;
  watchdog: boolean;
  cpuModel?: string;
  cpuFeatures: Map<string, boolean>;
  loadparm?: string;
  name: string;
  uuid?: Uint8Array;
  /** Path. */
  kernel?: string;
  /** Path. */
  initrd?: string;
  append?: string;
  /** Folder in which snapshots are. */
  snapshots?: string;
  /** Name of the snapshot with which the machine begins. */
  snapshot?: string;
  /** Where the state comes from that the machine waits for. */
  incoming?: string;
  counting?: Counting;
  /** In milliseconds since 1970. */
  date?: number;
  actions: Actions;
  paused: boolean;
  log: ReadonlySet<LogItem>;
  logFile?: string;
  trace: TraceOptions;
  pidFile?: string;
  /** Of the character that the terminal's own keys begin with. */
  escapeCode: number;
  objects: NamedObject[];
  drives: DriveOptions[];
  globals: Global[];
  /** What the user should know. */
  warnings: string[];
  chardevs: ChardevOptions[];
  consoles: Front<'ascii' | 'line'>[];
  /** Of the channel subsystem. */
  devices: { readonly configuration: DeviceConfiguration; readonly text: string }[];
  monitors: Monitor[];
  /** Identifier of the debugger's character device. */
  gdb?: string;
}

/** Something on a character device. */
export interface Front<Kind> {
  readonly kind: Kind;
  /** Identifier of the character device. */
  readonly chardev: string;
  /** The option that asked for it, for messages. */
  readonly text: string;
}

/** `control` is the one for programs; `pretty`: it writes many lines. */
export interface Monitor extends Front<'readline' | 'control'> {
  readonly pretty?: boolean;
}

/** @throws ConfigurationError */
export function configure(options: readonly Given[]): Configuration {
  const builder = new Builder(options);
  return builder.configuration;
}

const deviceKinds: Readonly<Record<string, 'ascii' | 'line'>> = { sclpconsole: 'ascii', sclplmconsole: 'line' };

export function deviceHelp(driver?: string): string {
  if (driver === undefined) {
    return deviceListHelp([
      { category: 'Input', line: 'name "sclpconsole", bus s390-sclp-events-bus, desc "ASCII console"' },
      { category: 'Input', line: 'name "sclplmconsole", bus s390-sclp-events-bus, desc "line-mode console"' },
      { category: 'Misc', line: 'name "diag288", desc "watchdog"' },
    ]);
  }
  const help = deviceTypeHelp(driver);
  if (help !== undefined) return help;
  if (driver === 'diag288') return '';
  if (driver.endsWith(CPU_DRIVER)) return cpuDeviceHelp(driver);
  if (!(driver in deviceKinds)) throw new ConfigurationError(`'${driver}' is not a valid device model name`);
  return `${driver} options:\n  chardev=<str>          - the character device behind it\n`;
}

/** Machine properties that change nothing here; all are switches. */
const inertProperties = [
  'aes-key-wrap',
  'dea-key-wrap',
  'dump-guest-core',
  'mem-merge',
  'graphics',
  'usb',
  'suppress-vmdesc',
];

/** What a property of a device names. @throws ConfigurationError */
export function findResource(
  { objects, drives }: Configuration,
  owner: string,
  { name, type }: Property,
  id: string,
): unknown {
  const found =
    type === 'drive'
      ? drives.find(drive => drive.id === id || drive.aliases.includes(id))
      : objects.find(object => object.id === id)?.object;
  if (found) return found;
  if (type === 'drive') throw new ConfigurationError(`Property '${owner}.${name}' can't find value '${id}'`);
  throw new ConfigurationError(`Device '${id}' not found`);
}

/** An object, described as after -object. @throws ConfigurationError */
export function newObject(description: string, text: string, { objects }: Configuration): NamedObject {
  const object = { ...parseObject(description), text };
  if (objects.some(({ id }) => id === object.id)) {
    throw new ConfigurationError(`attempt to add duplicate property '${object.id}' to object (type 'container')`);
  }
  return object;
}

/** A character device, described as after -chardev. @throws ConfigurationError */
export function newChardev(description: string, { chardevs, objects }: Configuration): ChardevOptions {
  const options = parseChardev(description);
  if (chardevs.some(({ id }) => id === options.id)) {
    throw new ConfigurationError(`Duplicate ID '${options.id}' for chardev`);
  }
  const { backend } = options;
  if (backend.kind === 'socket' && backend.tls) {
    findCredentials(objects, backend.tls.credentials, backend.server);
    if (backend.tls.authorization !== undefined) findAuthorization(objects, backend.tls.authorization);
  }
  return { ...options, text: `-chardev ${description}` };
}

class Builder {
  readonly configuration: Configuration = {
    memory: 128 * MEBIBYTE,
    maxMemory: 0,
    compiles: true,
    codeCapacity: undefined,
    cpus: 1,
    maximumCpus: 1,
    cpuDevices: [],
    shape: { drawers: 1, books: 1, sockets: 1, cores: 1 },
    view: 'kvm',
    standbyMemory: 0,
    watchdog: false,
    cpuFeatures: new Map(),
    name: '',
    actions: { reboot: 'reset', shutdown: 'poweroff', panic: 'shutdown', watchdog: 'reset' },
    paused: false,
    log: new Set(),
    trace: { wanted: [], format: 'text' },
    escapeCode: 1,
    objects: [],
    drives: [],
    globals: [],
    warnings: [],
    chardevs: [],
    consoles: [],
    devices: [],
    monitors: [],
  };
  readonly #options: readonly Given[];

  constructor(options: readonly Given[]) {
    this.#options = options;
    this.#each(['global'], value => this.#global(value));
    this.#each(['object'], (value, { text }) => {
      this.configuration.objects.push(newObject(value, text, this.configuration));
    });
    this.#each(['chardev'], value => void this.configuration.chardevs.push(newChardev(value, this.configuration)));
    this.#memory();
    this.#machine();
    this.#standby();
    this.#rest();
    this.#drives();
    this.#consoles();
    this.#load();
  }

  #has(name: string): boolean {
    return this.#options.some(option => option.name === name);
  }

  #each(names: readonly string[], work: (value: string, given: Given) => void): void {
    for (const given of this.#options) {
      if (names.includes(given.name)) located(given, () => work(given.value, given));
    }
  }

  #global(text: string): void {
    const { globals, warnings } = this.configuration;
    const { driver, property, value } = parseGlobal(text);
    globals.push({ driver, property, value });
    const known = deviceTypes.some(type => type.name === driver || (isChannelType(type) && type.backend === driver));
    if (!known) warnings.push(`warning: global ${driver}.${property} has invalid class name`);
  }

  // Machine

  #memory(): void {
    const values = new Map<string, string>();
    let last: Given | undefined;
    this.#each(['m'], (value, given) => {
      last = given;
      for (const [key, item] of parseList(value, 'size')) values.set(key, item);
    });
    const { configuration } = this;
    if (last) {
      located(last, () => {
        allowOnly(values, ['size', 'maxmem', 'slots']);
        const size = values.has('size') ? parseSize(values.get('size')!, 'size', MEBIBYTE) : 0;
        if (size > 0) configuration.memory = size;
        const slots = values.has('slots') ? parseNumber(values.get('slots')!, 'slots') : 0;
        if (values.has('maxmem')) configuration.maxMemory = parseSize(values.get('maxmem')!, 'maxmem');
        else if (slots > 0) throw new ConfigurationError('slots specified but no max-size');
        const hex = (bytes: number) => `0x${bytes.toString(16)}`;
        const { memory, maxMemory } = configuration;
        if (memory % MEBIBYTE !== 0) throw new ConfigurationError('ram size must be multiples of 1 MiB');
        if (values.has('maxmem') && maxMemory < memory) {
          throw new ConfigurationError(
            `invalid value of maxmem: maximum memory size (${hex(maxMemory)}) must be at least the initial memory size (${hex(memory)})`,
          );
        }
        const limit = largestStorage(CPUS);
        if (memory > limit) {
          throw new ConfigurationError(`no more than ${limit / MEBIBYTE}M of storage is possible`);
        }
      });
    }
    // Storage does not grow yet: what it might grow to need not fit.
    configuration.maxMemory = Math.max(configuration.maxMemory, configuration.memory);
  }

  #machine(): void {
    const { configuration } = this;
    this.#each(['machine', 'M'], value => {
      for (const [key, item] of parseList(value, 'type')) this.#machineProperty(key, item);
    });
    this.#each(['accel'], value => {
      const values = parseList(value, 'accel');
      configuration.compiles = compiles([values.get('accel')!]);
      for (const [key, item] of values) {
        if (key === 'tb-size') configuration.codeCapacity = parseCodeCapacity(item);
        else if (!['accel', 'thread', 'split-wx', 'one-insn-per-tb'].includes(key)) {
          throw new ConfigurationError(`Property 'tcg-accel.${key}' not found`);
        }
      }
    });
    this.#each(['cpu'], value => {
      const [model, ...features] = value.split(',');
      configuration.cpuModel = model!;
      for (const feature of features) {
        const [name, state] = feature.split('=');
        if (state !== undefined) configuration.cpuFeatures.set(name!, parseSwitch(state, name!));
        else if (/^[+-]/.test(name!)) configuration.cpuFeatures.set(name!.slice(1), name!.startsWith('+'));
        else configuration.cpuFeatures.set(name!, true);
      }
    });
    this.#each(['smp'], value => {
      const values = parseList(value, 'cpus');
      allowOnly(values, [
        'cpus',
        'maxcpus',
        'sockets',
        'dies',
        'clusters',
        'cores',
        'threads',
        'drawers',
        'books',
        'modules',
      ]);
      const numbers = new Map([...values].map(([key, item]) => [key, parseNumber(item, key)]));
      const levels = [...numbers].filter(([key]) => key !== 'cpus' && key !== 'maxcpus').map(([, number]) => number);
      const product = levels.reduce((a, b) => a * b, 1);
      const cpus = numbers.get('cpus') ?? numbers.get('maxcpus') ?? product;
      if ([...numbers.values()].includes(0))
        throw new ConfigurationError('CPU topology parameters must be greater than zero');
      const most = Math.max(cpus, numbers.get('maxcpus') ?? 0, product);
      if (most > CPUS) {
        throw new ConfigurationError(
          `Invalid SMP CPUs ${most}. The max CPUs supported by machine '${machineName}' is ${CPUS}`,
        );
      }
      const maximum = numbers.get('maxcpus');
      if (maximum !== undefined && maximum < cpus) {
        const levels = ['drawers', 'books', 'sockets', 'cores', 'threads'].map(
          name => `${name} (${numbers.get(name) ?? 1})`,
        );
        throw new ConfigurationError(
          'Invalid CPU topology: maxcpus must be equal to or greater than smp: ' +
            `${levels.join(' * ')} == maxcpus (${maximum}) < smp_cpus (${cpus})`,
        );
      }
      configuration.cpus = cpus;
      configuration.maximumCpus = Math.max(cpus, numbers.get('maxcpus') ?? 0);
      configuration.shape = shapeOf(numbers, configuration.maximumCpus);
    });
    this.#each(['name'], value => {
      const values = parseList(value, 'guest');
      allowOnly(values, ['guest', 'process', 'debug-threads']);
      configuration.name = values.get('guest') ?? '';
    });
    this.#each(['uuid'], value => {
      configuration.uuid = parseUuid(value);
    });
  }

  #machineProperty(key: string, value: string): void {
    const { configuration } = this;
    switch (key) {
      case 'type':
        if (!/^s390-ccw-virtio(-\d+\.\d+)?$/.test(value)) {
          throw new ConfigurationError(`unsupported machine type '${value}' (-machine help lists them)`);
        }
        break;
      case 'accel':
        configuration.compiles = compiles(value.split(':'));
        break;
      case 'loadparm':
        if (!/^[A-Za-z0-9. ]{0,8}$/.test(value)) {
          throw new ConfigurationError('LOADPARM: at most 8 characters, each a letter, a digit, a period or a blank');
        }
        configuration.loadparm = value.toUpperCase();
        break;
      case 'sysinfo':
        configuration.view = parseWord(value, key, ['kvm', 'lpar']);
        break;
      case 'standby':
        configuration.standbyMemory = parseSize(value, key, MEBIBYTE);
        break;
      case 'snapshots':
        configuration.snapshots = value;
        break;
      case 'kernel':
      case 'initrd':
      case 'append':
        configuration[key] = value;
        break;
      default:
        if (!inertProperties.includes(key)) {
          throw new ConfigurationError(`Property '${machineName}-machine.${key}' not found`);
        }
        parseSwitch(value, key);
    }
  }

  /** Storage is counted in increments, of which only so many can be told of. */
  #standby(): void {
    const { memory, standbyMemory } = this.configuration;
    const increment = incrementSize(memory, standbyMemory);
    if (memory % increment !== 0 || standbyMemory % increment !== 0) {
      throw new ConfigurationError(
        `storage and standby storage must be multiples of ${increment / MEBIBYTE} MiB with this standby storage`,
      );
    }
  }

  #rest(): void {
    const { configuration } = this;
    const { actions } = configuration;
    configuration.watchdog = !this.#has('nodefaults');
    for (const { name } of this.#options) {
      if (name === 'no-reboot') actions.reboot = 'shutdown';
      if (name === 'no-shutdown') actions.shutdown = 'pause';
      if (name === 'S') configuration.paused = true;
    }
    this.#each(['action'], value => {
      const values = parseList(value);
      const word = <W extends string>(key: string, ...words: W[]): W | undefined =>
        values.has(key) ? parseWord(values.get(key)!, key, words) : undefined;
      allowOnly(values, ['reboot', 'shutdown', 'panic', 'watchdog']);
      actions.reboot = word('reboot', 'reset', 'shutdown') ?? actions.reboot;
      actions.shutdown = word('shutdown', 'poweroff', 'pause') ?? actions.shutdown;
      actions.panic = word('panic', 'pause', 'shutdown', 'exit-failure', 'none') ?? actions.panic;
      actions.watchdog = word('watchdog', ...watchdogActions) ?? actions.watchdog;
    });
    this.#each(['watchdog-action'], value => {
      actions.watchdog = parseWord(value, 'watchdog-action', watchdogActions);
    });
    this.#each(['d'], value => {
      configuration.log = new Set([...configuration.log, ...parseLogItems(value)]);
    });
    this.#each(['trace', 'd'], (value, { name, text }) => {
      const { trace } = configuration;
      if (name === 'trace') parseTrace(value, text, trace);
      else for (const pattern of tracedItems(value)) trace.wanted.push({ pattern, text });
    });
    this.#each(['D'], value => {
      configuration.logFile = value;
    });
    this.#each(['pidfile'], value => {
      configuration.pidFile = value;
    });
    this.#each(['icount'], value => {
      configuration.counting = parseCounting(value);
      configuration.date = FIXED_DATE;
    });
    this.#each(['rtc'], value => {
      configuration.date = parseDate(value);
    });
    this.#each(['boot'], value => {
      const warning = checkBoot(value);
      if (warning !== undefined) configuration.warnings.push(warning);
    });
    this.#each(['incoming'], value => {
      configuration.incoming = value;
    });
    this.#each(['loadvm'], value => {
      configuration.snapshot = value;
    });
    this.#each(['echr'], value => {
      const code = /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : Number.NaN;
      if (!(code <= 255)) throw new ConfigurationError('the code of a character is expected');
      configuration.escapeCode = code;
    });
    this.#each(['vga', 'parallel', 'net', 'nic'], value => {
      if (value !== 'none') throw new ConfigurationError('not supported');
    });
    this.#each(['display'], value => {
      if (value.split(',')[0] !== 'none') throw new ConfigurationError('there is no display (only none)');
    });
  }

  // Drives

  #drives(): void {
    const { configuration } = this;
    this.#each(['blockdev'], (value, { text }) => {
      configuration.drives.push(parseBlockdev(value, text, configuration.drives));
    });
    const placed: Drive[] = [];
    const temporary = this.#has('snapshot');
    const short: Readonly<Record<string, string>> = {
      hda: 'index=0,media=disk,',
      hdb: 'index=1,media=disk,',
      hdc: 'index=2,media=disk,',
      hdd: 'index=3,media=disk,',
      cdrom: 'index=2,media=cdrom,',
    };
    this.#each(['drive', ...Object.keys(short)], (value, { name, text }) => {
      const whole = name in short ? `${short[name]}file=${value.replaceAll(',', ',,')}` : value;
      const drive = placeDrive(
        // What the image is will be seen when it is opened.
        parseDrive(whole, text, () => 'raw', temporary),
        placed,
      );
      placed.push(drive);
      configuration.drives.push(drive.options);
      if (drive.warning !== undefined) configuration.warnings.push(drive.warning);
    });
    this.#attached = placed.filter(({ attach, options }) => attach && options.protocol);
  }

  /** Drives that get a device of their own. */
  #attached: readonly Drive[] = [];

  #attachDrives(): void {
    const { configuration } = this;
    for (const { options } of this.#attached) {
      const taken = configuration.devices.some(({ configuration: device }) => device.properties.drive === options.id);
      if (taken) continue;
      const values = new Map([['drive', options.id]]);
      const backends: Backends = { chardev: () => 'missing', resource: () => options };
      const device = parseDevice('virtio-blk-ccw', values, backends, configuration.globals)!;
      configuration.devices.push({ configuration: device, text: options.text });
    }
  }

  /** A drive is for one device. @throws ConfigurationError */
  #unused({ type }: Property, id: string): void {
    if (type !== 'drive') return;
    const { devices } = this.configuration;
    if (devices.some(({ configuration: { properties } }) => properties.drive === id)) {
      throw new ConfigurationError(`Drive '${id}' is already in use by another device`);
    }
  }

  // Character devices and what is on them

  /** The identifier of the device that a value of -serial, -monitor or -gdb stands for; makes one if need be. */
  #device(value: string, label: string, given: Given): string {
    const { chardevs, monitors } = this.configuration;
    if (value.startsWith('chardev:')) return this.#find(value.slice('chardev:'.length));
    const { backend, withMonitor } = parseShortChardev(value);
    chardevs.push({ id: label, backend, mux: withMonitor, text: given.text });
    if (withMonitor) monitors.push({ kind: 'readline', chardev: label, text: given.text });
    return label;
  }

  #find(id: string): string {
    if (!this.configuration.chardevs.some(chardev => chardev.id === id)) {
      throw new ConfigurationError(`chardev "${id}" not found`);
    }
    return id;
  }

  /** Whether there is a character device, and nothing on it. */
  #stateOf(id: string): 'free' | 'in use' | 'missing' {
    const { chardevs, consoles, monitors, devices } = this.configuration;
    const chardev = chardevs.find(one => one.id === id);
    if (!chardev) return 'missing';
    const onDevices = devices.some(({ configuration: { properties } }) => properties.chardev === id);
    const used = [...consoles, ...monitors].some(front => front.chardev === id) || onDevices;
    return used && !chardev.mux ? 'in use' : 'free';
  }

  #consoles(): void {
    const { configuration } = this;
    const serials: { value: string; given: Given }[] = [];
    const monitors: { value: string; given: Given }[] = [];
    for (const given of this.#options) {
      if (given.name === 'serial') serials.push({ value: given.value, given });
      if (['monitor', 'qmp', 'qmp-pretty'].includes(given.name)) monitors.push({ value: given.value, given });
    }
    const defaults = !this.#has('nodefaults');
    const defaultSerial = defaults && serials.length === 0;
    const defaultMonitor =
      defaults && monitors.length === 0 && !this.#has('mon') && !serials.some(({ value }) => value.startsWith('mon:'));
    // Without a display the terminal is the only place where either can be; but only -nographic insists on it.
    const terminal = !this.#has('display') && (this.#has('nographic') || (defaultSerial && defaultMonitor));
    const byDefault = (value: string) => ({ value, given: { name: '', value, text: '-nographic' } });
    const here = terminal || this.#has('nographic');
    if (defaultSerial) serials.push(byDefault(!here ? 'vc' : defaultMonitor ? 'mon:stdio' : 'stdio'));
    if (defaultMonitor && !(here && defaultSerial)) monitors.push(byDefault(here ? 'stdio' : 'vc'));

    for (const [n, { value, given }] of monitors.entries()) {
      if (value === 'none') continue;
      const chardev = located(given, () => this.#device(value, `compat_monitor${n}`, given));
      const kind = given.name.startsWith('qmp') ? 'control' : 'readline';
      configuration.monitors.push({ kind, pretty: given.name === 'qmp-pretty', chardev, text: given.text });
    }
    this.#each(['mon'], (value, { text }) => {
      const values = parseList(value, 'chardev');
      allowOnly(values, ['chardev', 'mode', 'pretty', 'id']);
      const chardev = values.get('chardev');
      if (chardev === undefined) throw new ConfigurationError("Parameter 'chardev' is missing");
      const kind = values.get('mode') ?? 'readline';
      if (kind !== 'readline' && kind !== 'control') throw new ConfigurationError(`unknown monitor mode "${kind}"`);
      const pretty = values.has('pretty') && parseSwitch(values.get('pretty')!, 'pretty');
      if (pretty && kind === 'readline') throw new ConfigurationError("'pretty' is not compatible with HMP monitors");
      configuration.monitors.push({ kind, pretty, chardev: this.#find(chardev), text });
    });
    for (const [n, { value, given }] of serials.entries()) {
      if (value === 'none') continue;
      if (n > 1) throw new ConfigurationError(`${given.text}: at most two -serial are possible`);
      const chardev = located(given, () => this.#device(value, `serial${n}`, given));
      this.#addConsole(n === 0 ? 'ascii' : 'line', chardev, given);
    }
    this.#each(['device'], (value, given) => {
      const values = deviceValues(value);
      const driver = values.get('driver')!;
      if (driver === 'diag288') {
        for (const key of values.keys()) {
          if (key !== 'driver' && key !== 'id') throw new ConfigurationError(`Property '${driver}.${key}' not found`);
        }
        configuration.watchdog = true;
        return;
      }
      if (driver.endsWith(CPU_DRIVER)) return this.#addCpu(value);
      const backends: Backends = {
        chardev: id => this.#stateOf(id),
        resource: (property, id, owner) => {
          this.#unused(property, id);
          return findResource(configuration, owner, property, id);
        },
      };
      const device = parseDevice(driver, values, backends, configuration.globals);
      if (device) {
        const { id } = device;
        const taken = configuration.devices.some(other => other.configuration.id === id);
        if (id !== undefined && taken) throw new ConfigurationError(`Duplicate ID '${id}' for device`);
        configuration.devices.push({ configuration: device, text: given.text });
        return;
      }
      const kind = deviceKinds[driver];
      if (!kind) throw new ConfigurationError(`'${driver}' is not a valid device model name`);
      for (const key of values.keys()) {
        if (!['driver', 'id', 'chardev'].includes(key))
          throw new ConfigurationError(`Property '${driver}.${key}' not found`);
      }
      const id = values.get('chardev');
      if (id === undefined) return this.#addConsole(kind, this.#device('null', `${driver}-null`, given), given);
      if (!configuration.chardevs.some(chardev => chardev.id === id)) {
        throw new ConfigurationError(`Property '${driver}.chardev' can't find value '${id}'`);
      }
      return this.#addConsole(kind, id, given);
    });
    this.#attachDrives();
    this.#each(['gdb', 's'], (value, given) => {
      const device = given.name === 's' ? 'tcp::1234' : value;
      if (device === 'none') {
        configuration.gdb = undefined;
        return;
      }
      if (configuration.gdb !== undefined) throw new ConfigurationError('only one debugger is possible');
      if (device.startsWith('chardev:')) {
        configuration.gdb = this.#find(device.slice('chardev:'.length));
        return;
      }
      configuration.chardevs.push({ id: 'gdb', backend: debuggerDevice(device), mux: false, text: given.text });
      configuration.gdb = 'gdb';
    });
    this.#checkSharing();
  }

  #addCpu(description: string): void {
    const { configuration } = this;
    const { cpus, maximumCpus, shape, cpuModel = 'qemu', cpuDevices } = configuration;
    const others = [...firstCpus(cpus, shape), ...cpuDevices];
    cpuDevices.push(cpuOf(description, cpuModel, shape, maximumCpus, others));
  }

  #addConsole(kind: 'ascii' | 'line', chardev: string, { text }: Given): void {
    const { consoles } = this.configuration;
    if (consoles.some(console => console.kind === kind)) {
      const name = kind === 'ascii' ? 'VT220 operator' : 'line-mode operator';
      throw new ConfigurationError(`Multiple ${name} consoles are not supported`);
    }
    consoles.push({ kind, chardev, text });
  }

  /** One terminal, and one front end on each device that is not multiplexed. */
  #checkSharing(): void {
    const { chardevs, consoles, monitors, gdb } = this.configuration;
    const terminals = chardevs.filter(({ backend }) => backend.kind === 'stdio');
    if (terminals.length > 1) {
      throw new ConfigurationError(`${terminals.at(-1)!.text}: cannot use stdio by multiple character devices`);
    }
    const used = new Set<string>();
    const fronts = [...monitors, ...consoles, ...(gdb === undefined ? [] : [{ chardev: gdb, text: '-gdb' }])];
    for (const { chardev, text } of fronts) {
      if (chardevs.some(({ id, backend }) => id === chardev && isTerminal(backend))) {
        throw new ConfigurationError(`${text}: Device '${chardev}' is for a 3270 terminal (tn3270=on)`);
      }
      if (used.has(chardev) && !chardevs.some(({ id, mux }) => id === chardev && mux)) {
        throw new ConfigurationError(`${text}: Device '${chardev}' is in use`);
      }
      used.add(chardev);
    }
  }

  // Load

  #load(): void {
    const { configuration } = this;
    this.#each(['kernel', 'initrd', 'append'], (value, { name }) => {
      configuration[name as 'kernel' | 'initrd' | 'append'] = value;
    });
    if (configuration.kernel !== undefined) return;
    for (const name of ['append', 'initrd'] as const) {
      if (configuration[name] !== undefined) throw new ConfigurationError(`-${name} only allowed with -kernel option`);
    }
  }
}

/** The device after -gdb: a socket waits for the debugger, and the machine does not wait for it. @throws ConfigurationError */
export function debuggerDevice(value: string): BackendOptions {
  const socket = /^(tcp|unix):/.test(value);
  return parseShortChardev(socket ? `${value},wait=off,nodelay=on,server=on` : value).backend;
}

/** Mebibytes of compiled code; 0 stands for the usual. @throws ConfigurationError */
function parseCodeCapacity(value: string): number | undefined {
  if (!/^\d{1,5}$/.test(value)) throw new ConfigurationError(`tb-size=${value}: expects a number of MiB`);
  return value === '0' ? undefined : Number(value) * 0x100000;
}

/**
 * Whether the first accelerator that there is compiles.
 * @throws ConfigurationError when there is none of these
 */
function compiles(names: readonly string[]): boolean {
  const name = names.find(one => ['tcg', 'wasm', 'interpreter'].includes(one));
  if (!name) throw new ConfigurationError(`invalid accelerator ${names[0]} (tcg, wasm, interpreter)`);
  return name !== 'interpreter';
}
