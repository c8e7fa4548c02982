/** The commands of the human monitor: their table, the reader of their arguments, and `help`. */

import type { DriveOptions } from '../../block/drives.ts';
import { Disassembler } from '../../cpu/isa/disassemble.ts';
import { instructionLength } from '../../cpu/isa/formats.ts';
import { instructions } from '../../cpu/isa/index.ts';
import { registerText } from '../../cpu/register-text.ts';
import { idText } from '../../css/channel-subsystem.ts';
import { isChannelType } from '../../devices/device-type.ts';
import { deviceType } from '../../devices/registry.ts';
import type { CpuControl, MachineControl } from '../../machine/control.ts';
import { ConfigurationError, watchdogActions } from '../../machine/control.ts';
import type { PluggedDevice } from '../../machine/io-messages.ts';
import type { TraceStates } from '../../machine/trace-events.ts';
import { HostError } from '../../platform/host.ts';
import type { TraceEvent } from '../../trace/trace.ts';
import { version } from '../../version.ts';
import { programText } from '../channel-programs.ts';
import { type ConsoleDevice, devicePath, deviceTree } from '../device-tree.ts';
import { logHelp, parseLogItems, type TextLog } from '../log.ts';
import type { Migration } from '../migration/migration.ts';
import type { Snapshots } from '../migration/snapshots.ts';
import { formatUuid, parseSize, parseWord } from '../values.ts';
import { dump, type Format, FormatReader, formatNumber, hex } from './dump.ts';
import { CommandError, ExpressionReader } from './expression.ts';
import { registerValue } from './register-names.ts';

/** What the monitors of a machine share. */
export interface MonitorEnvironment {
  readonly machine: MachineControl;
  readonly name: string;
  readonly uuid?: Uint8Array;
  readonly log: TextLog;
  readonly trace: TraceStates;
  readonly snapshots: Snapshots;
  readonly migration: Migration;
  readonly processId: number;
  /** All character devices with what stands behind them. */
  readonly chardevs: () => { readonly id: string; readonly description: string; readonly inUse: boolean }[];
  /** @throws HostError */
  readonly writeFile: (path: string, data: Uint8Array) => void;
  /** Sends the log to a file. @throws HostError */
  readonly logTo: (path: string) => void;
  /** Starts, moves or (none) ends the debugger's device. @throws ConfigurationError HostError */
  readonly debugOn: (device: string) => Promise<void>;
  /** Adds a device, which is described as after -device. @throws ConfigurationError DeviceError */
  readonly addDevice: (description: string) => Promise<void>;
  /** Takes the device of that identifier away. @throws ConfigurationError */
  readonly removeDevice: (id: string) => Promise<void>;
  /** Adds a character device, described as after -chardev. @throws ConfigurationError HostError */
  readonly addChardev: (description: string) => Promise<void>;
  /** @throws ConfigurationError */
  readonly removeChardev: (id: string) => void;
  /** Makes an object, described as after -object. @throws ConfigurationError HostError */
  readonly addObject: (description: string) => void;
  /** @throws ConfigurationError */
  readonly removeObject: (id: string) => void;
  /** What -object and its like have made. */
  readonly userObjects: () => readonly { readonly id: string; readonly type: string }[];
  readonly drives: () => readonly DriveOptions[];
  readonly consoles: readonly ConsoleDevice[];
  /** The tree of objects. Each throws an Error for what is not there. */
  readonly objects: {
    tree(path?: string): string;
    list(path: string): string;
    get(path: string, property: string): string;
    set(path: string, property: string, value: string): void;
  };
  /** Sends a break to the front end of a character device; false when there is no such device. */
  readonly sendBreak: (id: string) => boolean;
  /** Ends everything. */
  readonly quit: () => void;
}

/** What one monitor has for itself. */
export class MonitorState {
  readonly environment: MonitorEnvironment;
  readonly print: (text: string) => void;
  readonly history: readonly string[];
  readonly formats = new FormatReader();
  #cpu = 0;

  constructor(environment: MonitorEnvironment, print: (text: string) => void, history: readonly string[]) {
    this.environment = environment;
    this.print = print;
    this.history = history;
  }

  /** The CPU that commands without one mean. */
  get cpu(): CpuControl {
    return this.environment.machine.cpus[this.#cpu]!;
  }

  /** False if there is none of that number. */
  selectCpu(number: number): boolean {
    if (!this.environment.machine.cpus[number]) return false;
    this.#cpu = number;
    return true;
  }
}

/** Arguments as they were read: a flag, numbers, words, a format; undefined for what was left out. */
type Argument = string | bigint | boolean | Format | undefined;

interface Command {
  readonly names: readonly string[];
  /**
   * Types of the arguments: `-a` a flag, `/` a format, `n` a number, `s` a word or a quoted string, `*` the rest of
   * the line; `?` after one that may be left out.
   */
  readonly arguments: readonly string[];
  /** How help shows them. */
  readonly shown: string;
  readonly help: string;
  readonly run: (state: MonitorState, ...given: never[]) => void | Promise<void>;
}

const command = (
  names: string,
  types: string,
  shown: string,
  help: string,
  run: (state: MonitorState, ...given: never[]) => void | Promise<void>,
): Command => ({ names: names.split('|'), arguments: types === '' ? [] : types.split(' '), shown, help, run });

/** The events that a name or pattern means. */
function eventsOf({ environment: { trace }, print }: MonitorState, pattern: string): readonly TraceEvent[] {
  const found = trace.matching(pattern);
  if (!found) print(`unknown event "${pattern}"\n`);
  return found ?? [];
}

const infoCommands: readonly Command[] = [
  command('block', '', '', 'show the drives', ({ environment, print }) => {
    const { drives, machine } = environment;
    print(
      drives()
        .map(drive => driveText(drive, machine.devices.list))
        .join('\n'),
    );
  }),
  command('chardev', '', '', 'show the character devices', ({ environment, print }) => {
    for (const { id, description } of environment.chardevs()) print(`${id}: filename=${description}\n`);
  }),
  command('control_program', '', '', 'show what the system that runs has told of itself', state => {
    const { identification, codes } = state.environment.machine.controlProgram;
    if (identification) {
      const { systemType, systemName, sysplexName, systemLevel } = identification;
      state.print(`system type: ${systemType}\nsystem name: ${systemName}\nsysplex name: ${sysplexName}\n`);
      state.print(`system level: 0x${hex(systemLevel, 16)}\n`);
    }
    if (codes) state.print(`name code: ${codes.name}\nversion code: 0x${hex(codes.version, 14)}\n`);
  }),
  command('cpus', '', '', 'show the CPUs', ({ environment, print, cpu }) => {
    for (const { number } of environment.machine.cpus) {
      print(`${number === cpu.number ? '*' : ' '} CPU #${number}: thread_id=${environment.processId}\n`);
    }
  }),
  command('history', '', '', 'show the command lines typed so far', ({ history, print }) => {
    for (const [n, line] of history.entries()) print(`${n}: '${line}'\n`);
  }),
  command('jit', '', '', 'show what has been compiled', ({ environment, print }) =>
    print(environment.machine.compilation ?? 'Error: JIT information is only available with accel=tcg\n'),
  ),
  command('memory_size_summary', '', '', 'show the size of storage in bytes', ({ environment, print }) => {
    print(`base memory: ${environment.machine.storage.layout.coreSize}\nplugged memory: 0\n`);
  }),
  command('migrate', '', '', 'show how the migration goes', ({ environment, print }) =>
    print(environment.migration.report),
  ),
  command('migrate_parameters', '', '', 'show the parameters of migration', ({ environment, print }) =>
    print(`max-bandwidth: ${environment.migration.maxBandwidth} bytes/second\n`),
  ),
  command('name', '', '', 'show the name of the machine', ({ environment, print }) => {
    if (environment.name !== '') print(`${environment.name}\n`);
  }),
  command(
    'registers',
    '-a n?',
    '[-a|cpu]',
    'show the registers of the current CPU, of another one, or (-a) of all',
    async ({ environment: { machine }, cpu, print }, all: boolean, number: bigint | undefined) => {
      const chosen = number === undefined ? cpu : machine.cpus[Number(number)];
      if (!chosen) return print(`CPU#${number} not available\n`);
      await machine.examine(() => {
        for (const { number, registers } of all ? machine.cpus : [chosen]) {
          print(`\nCPU#${number}\n${registerText(registers)}`);
        }
      });
    },
  ),
  command('replay', '', '', 'show how many instructions have been counted', ({ environment: { machine }, print }) =>
    print(
      machine.instructions === undefined
        ? 'Record/replay is not active\n'
        : `Counted execution: instruction count = ${machine.instructions}\n`,
    ),
  ),
  command('qtree', '', '', 'show the tree of devices', ({ environment: { machine, consoles }, print }) =>
    print(deviceTree(machine.devices.list, consoles)),
  ),
  command(
    'channel-programs',
    's?',
    '[device]',
    'show the last channel programs of a device (its identifier or number), or of all',
    async ({ environment: { machine }, print }, name?: string) => {
      const devices = machine.devices.list.filter(
        ({ id, place }) => place && (name === undefined || name === id || name === idText(place.device)),
      );
      if (name !== undefined && devices.length === 0) throw new CommandError(`Device '${name}' not found`);
      for (const device of devices) {
        const { device: deviceId, subchannel } = device.place!;
        print(`device ${idText(deviceId)}, subchannel ${idText(subchannel)}: ${device.driver}\n`);
        for (const program of await machine.devices.programs(device)) print(programText(program));
      }
    },
  ),
  command('qom-tree', 's?', '[path]', 'show the tree of objects', ({ environment, print }, path?: string) =>
    print(environment.objects.tree(path)),
  ),
  command('snapshots', '', '', 'show the snapshots that there are', ({ environment, print }) =>
    print(environment.snapshots.list()),
  ),
  command('status', '', '', 'show whether the machine runs', ({ environment: { machine }, print }) => {
    const { status } = machine;
    if (status === 'running') print('VM status: running\n');
    else print(`VM status: paused${status === 'paused' ? '' : ` (${status})`}\n`);
  }),
  command(
    'trace-events',
    's? n?',
    '[name] [vcpu]',
    'show trace events (all, or those of a name or pattern) and whether they are told of',
    (state, pattern?: string) => {
      const { environment, print } = state;
      const { trace } = environment;
      for (const event of eventsOf(state, pattern ?? '*')) print(`${event.name} : state ${trace.has(event) ? 1 : 0}\n`);
    },
  ),
  command('uuid', '', '', 'show the UUID of the machine', ({ environment, print }) => {
    print(`${formatUuid(environment.uuid ?? new Uint8Array(16))}\n`);
  }),
  command('virtio', '', '', 'show the virtio devices', ({ environment: { machine }, print }) => {
    for (const device of [...machine.devices.list].reverse()) {
      const type = deviceType(device.driver);
      if (!type || !isChannelType(type) || !type.backend) continue;
      print(`${devicePath(device, machine.devices.list)}/virtio-backend [${type.backend.replace(/-device$/, '')}]\n`);
    }
  }),
  command('version', '', '', 'show the version of lpar', ({ print }) => print(`${version}\n`)),
];

const commands: readonly Command[] = [
  command('chardev-send-break', 's', 'id', 'send a break through a character device', (state, id: string) => {
    if (!state.environment.sendBreak(id)) state.print(`Error: Chardev '${id}' not found\n`);
  }),
  command('cont|c', '', '', 'let the machine run', ({ environment: { machine, migration }, print }) => {
    if (machine.status === 'inmigrate') migration.autostart = true;
    else if (machine.status === 'finish-migrate') print('Error: Migration is not finalized yet\n');
    else if (
      machine.status === 'shutdown' ||
      machine.status === 'guest-panicked' ||
      machine.status === 'internal-error'
    ) {
      print('Error: Resetting the Virtual Machine is required\n');
    } else machine.cont();
  }),
  command('cpu', 'n', 'index', 'choose the CPU that the other commands mean', (state, number: bigint) => {
    if (!state.selectCpu(Number(number))) state.print('invalid CPU index\n');
  }),
  command('delvm', 's', 'tag', 'delete a snapshot', ({ environment }, tag: string) =>
    environment.snapshots.remove(tag),
  ),
  command(
    'device_add',
    '*',
    'driver[,prop=value][,...]',
    'add a device, described as after -device',
    (state, text: string) => state.environment.addDevice(text),
  ),
  command('chardev-add', '*', 'args', 'add a character device, described as after -chardev', (state, text: string) =>
    state.environment.addChardev(text),
  ),
  command('chardev-remove', 's', 'id', 'take a character device away', ({ environment }, id: string) =>
    environment.removeChardev(id),
  ),
  command('device_del', 's', 'device', 'take a device away', ({ environment }, id: string) =>
    environment.removeDevice(id),
  ),
  command(
    'gdbserver',
    's?',
    '[device]',
    'wait for gdb on a device (default tcp::1234), or none',
    async (state, device?: string) => {
      await state.environment.debugOn(device ?? 'tcp::1234');
      if (device === 'none') state.print('Disabled gdbserver\n');
      else state.print(`Waiting for gdb connection on device '${device ?? 'tcp::1234'}'\n`);
    },
  ),
  command('help|?', '*?', '[cmd]', 'show this list, or what one command does', ({ print }, line = '' as never) =>
    print(helpText(line)),
  ),
  command('info', '*?', '[subcommand]', 'show what the subcommand names', ({ print }) => print(helpText('info'))),
  command('loadvm', 's', 'tag', 'go back to a snapshot', ({ environment }, tag: string) =>
    environment.snapshots.load(tag),
  ),
  command(
    'log',
    's',
    'item1[,...]',
    'switch logging of the items on, or none',
    async ({ environment: { log, machine }, print }, items: string) => {
      if (items === 'help') return print(logHelp());
      log.items = items === 'none' ? new Set() : parseLogItems(items);
      // CPUs that run look at the items when they go on.
      await machine.examine(() => {});
    },
  ),
  command('logfile', 's', 'filename', 'send the log to a file', ({ environment }, path: string) =>
    environment.logTo(path),
  ),
  command(
    'memsave',
    'n n s',
    'addr size file',
    "write storage at virtual address 'addr' to a file",
    async ({ environment, cpu, print }, address: bigint, size: bigint, path: string) => {
      const data = await environment.machine.examine(() => cpu.readVirtual(unsigned(address), Number(size)));
      if (data) environment.writeFile(path, data);
      else print(`Error: Invalid addr 0x${hex(address, 16)}/size ${size} specified\n`);
    },
  ),
  command(
    'migrate',
    '-d s',
    '[-d] uri',
    'send the state of the machine to URI (-d: do not wait until it is there)',
    ({ environment }, detach: boolean, uri: string) => environment.migration.send(uri, detach),
  ),
  command('migrate_cancel', '', '', 'give up the migration that is under way', ({ environment }) =>
    environment.migration.cancel(),
  ),
  command(
    'migrate_incoming',
    's',
    'uri',
    'take the state that -incoming defer waits for from URI',
    ({ environment }, uri: string) => environment.migration.receive(uri),
  ),
  command(
    'migrate_set_parameter',
    's s',
    'parameter value',
    'change a parameter of migration',
    ({ environment: { migration } }, parameter: string, value: string) => {
      parseWord(parameter, 'parameter', ['max-bandwidth']);
      migration.maxBandwidth = parseSize(value, 'max-bandwidth', MEBIBYTE);
    },
  ),
  command('nmi', '', '', 'raise a restart interruption on the current CPU', ({ environment, cpu }) =>
    environment.machine.nmi(cpu.number),
  ),
  command(
    'pmemsave',
    'n n s',
    'addr size file',
    "write storage at absolute address 'addr' to a file",
    ({ environment, print }, address: bigint, size: bigint, path: string) => {
      const { storage } = environment.machine;
      const from = Number(unsigned(address));
      if (!storage.contains(from, Number(size))) {
        return print(`Error: Invalid addr 0x${hex(address, 16)}/size ${size} specified\n`);
      }
      return environment.writeFile(path, storage.read(from, Number(size)));
    },
  ),
  command(
    'print|p',
    '/ n',
    '/fmt expr',
    'show the value of an expression ($name is a register)',
    ({ print }, { letter }: Format, value: bigint) => print(`${formatNumber(value, letter)}\n`),
  ),
  command(
    'trace-event',
    's s n?',
    'name on|off [vcpu]',
    'tell of trace events of a name or pattern, or do not',
    (state, pattern: string, on: string) => {
      if (on !== 'on' && on !== 'off') return state.print("Expected 'on' or 'off'\n");
      for (const event of eventsOf(state, pattern)) state.environment.trace.set(event, on === 'on');
    },
  ),
  command('qom-get', 's s', 'path property', 'show a property of an object', (state, path: string, property: string) =>
    state.print(state.environment.objects.get(path, property)),
  ),
  command(
    'object_add',
    '*',
    'qom-type,id=ID[,prop=value]',
    'make an object, described as after -object',
    (state, text: string) => state.environment.addObject(text),
  ),
  command('object_del', 's', 'id', 'delete an object', ({ environment }, id: string) => environment.removeObject(id)),
  command(
    'qom-set',
    's s *',
    'path property value',
    'change a property of an object',
    (state, path: string, property: string, value: string) => state.environment.objects.set(path, property, value),
  ),
  command('qom-list', 's?', 'path', 'list the properties of an object', (state, path?: string) =>
    state.print(state.environment.objects.list(path ?? '/')),
  ),
  command('quit|q', '', '', 'end the machine and lpar', ({ environment }) => environment.quit()),
  command(
    'replay_break',
    'n',
    'icount',
    'stop when so many instructions have been counted',
    ({ environment: { machine }, print }, count: bigint) => {
      if (machine.instructions === undefined) print('Error: replay is not enabled\n');
      else if (Number(count) < machine.instructions)
        print('Error: cannot set breakpoint at the instruction in the past\n');
      else machine.stopAfter(Number(count));
    },
  ),
  command(
    'savevm',
    's?',
    '[tag]',
    'save a snapshot, under a name made of the date if none is given',
    (state, tag?: string) => state.environment.snapshots.save(tag),
  ),
  command('stop|s', '', '', 'stop the machine', ({ environment: { machine, migration } }) => {
    if (machine.status !== 'inmigrate') return machine.stop();
    migration.autostart = false;
    return undefined;
  }),
  command(
    'sum',
    'n n',
    'addr size',
    'show the checksum of storage',
    ({ environment, print }, address: bigint, size: bigint) => {
      const { storage } = environment.machine;
      let sum = 0;
      for (let at = Number(unsigned(address)), end = at + Number(size); at < end && at < storage.size; at++) {
        // A BSD checksum: the sum so far is rotated by one bit before each byte is added.
        sum = (((sum >>> 1) | (sum << 15)) + storage.read8(at)) & 0xffff;
      }
      print(`${String(sum).padStart(5, '0')}\n`);
    },
  ),
  command('system_powerdown', '', '', 'ask the guest to shut down', ({ environment }) =>
    environment.machine.powerdown(),
  ),
  command('system_reset', '', '', 'reset the machine and load it again', ({ environment }) =>
    environment.machine.reset(),
  ),
  command(
    'watchdog_action',
    's',
    'action',
    'change what the watchdog does when its time is over',
    ({ environment: { machine } }, action: string) => {
      machine.actions.watchdog = parseWord(action, 'action', watchdogActions);
    },
  ),
  command(
    'x',
    '/ n',
    '/fmt addr',
    "show storage at virtual address 'addr'",
    async ({ environment, cpu, print }, format: Format, address: bigint) => {
      const read = (at: bigint, length: number) => cpu.readVirtual(unsigned(at), length);
      print(await environment.machine.examine(() => storageText(format, address, read)));
    },
  ),
  command(
    'xp',
    '/ n',
    '/fmt addr',
    "show storage at absolute address 'addr'",
    ({ environment: { machine }, print }, format: Format, address: bigint) => {
      const read = (at: bigint, length: number) => {
        const from = Number(unsigned(at));
        return machine.storage.contains(from, length) ? machine.storage.read(from, length) : undefined;
      };
      print(storageText(format, address, read));
    },
  ),
];

/** What a bandwidth without suffix counts. */
const MEBIBYTE = 0x100000;

const unsigned = (address: bigint): bigint => BigInt.asUintN(64, address);

function driveText(
  { id, protocol, readOnly, writeCache, noFlush }: DriveOptions,
  devices: readonly PluggedDevice[],
): string {
  if (!protocol) return `${id}: [not inserted]\n    Removable device: not locked, tray closed\n`;
  const where = protocol.kind === 'file' ? protocol.path : 'null-co://';
  const device = devices.find(({ properties }) => properties.drive === id);
  const direct = protocol.kind === 'file' && protocol.direct ? ', direct' : '';
  return (
    `${id}: ${where} (${protocol.kind === 'file' ? 'raw' : 'null-co'}${readOnly ? ', read-only' : ''})\n` +
    (device ? `    Attached to:      ${devicePath(device, devices)}/virtio-backend\n` : '') +
    `    Cache mode:       ${writeCache ? 'writeback' : 'writethrough'}${direct}${noFlush ? ', ignore flushes' : ''}\n`
  );
}

const find = (table: readonly Command[], name: string): Command | undefined =>
  table.find(({ names }) => names.includes(name));

/** Carries out a line. What goes wrong is printed. */
export async function execute(line: string, state: MonitorState): Promise<void> {
  const [, name = '', rest = ''] = /^\s*([^\s/]*)(.*)$/s.exec(line)!;
  if (name === '') return;
  let chosen = find(commands, name);
  let title = name;
  let text = rest;
  if (name === 'info' && rest.trim() !== '') {
    const [, subcommand, more] = /^\s*(\S+)(.*)$/s.exec(rest)!;
    chosen = find(infoCommands, subcommand!);
    title = `info ${subcommand}`;
    text = more!;
  }
  if (!chosen) return state.print(`unknown command: '${title}'\n`);
  try {
    await chosen.run(state, ...(readArguments(chosen, text, state) as never[]));
  } catch (error) {
    if (error instanceof CommandError) state.print(`${error.message}\nTry "help ${title}" for more information\n`);
    else if (error instanceof HostError || error instanceof ConfigurationError)
      state.print(`Error: ${error.message}\n`);
    else throw error;
  }
}

/** @throws CommandError */
function readArguments({ names, arguments: types }: Command, text: string, state: MonitorState): Argument[] {
  const values: Argument[] = [];
  const name = names.join('|');
  let rest = text.trimStart();
  for (const type of types) {
    const optional = type.endsWith('?');
    switch (type[0]) {
      case '-': {
        const given = new RegExp(`^${type}(\\s+|$)`).exec(rest);
        values.push(given !== null);
        rest = rest.slice(given?.[0].length ?? 0);
        break;
      }
      case '/': {
        const format = /^\/(\S*)/.exec(rest);
        values.push(state.formats.read(format?.[1] ?? ''));
        rest = rest.slice(format?.[0].length ?? 0);
        break;
      }
      case 'n': {
        if (optional && rest === '') {
          values.push(undefined);
          break;
        }
        const { value, end } = new ExpressionReader(rest, 0, register =>
          registerValue(state.cpu.registers, register),
        ).read();
        values.push(value);
        rest = rest.slice(end);
        break;
      }
      case 's': {
        const word = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(rest);
        if (!word && !optional) throw new CommandError(`${name}: string expected`);
        values.push(word?.[1]?.replace(/\\(.)/g, '$1') ?? word?.[2]);
        rest = rest.slice(word?.[0].length ?? 0);
        break;
      }
      default:
        values.push(rest.trim());
        rest = '';
    }
    rest = rest.trimStart();
  }
  if (rest !== '') throw new CommandError(`${name}: extraneous characters at the end of line`);
  return values;
}

function storageText(
  format: Format,
  address: bigint,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): string {
  return format.letter === 'i' ? disassemble(format.count, address, read) : dump(format, address, read);
}

let disassembler: Disassembler | undefined;

function disassemble(
  count: number,
  address: bigint,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): string {
  disassembler ??= new Disassembler(instructions);
  let text = '';
  let at = address;
  for (let n = 0; n < count; n++) {
    const first = read(at, 2);
    const bytes = first && read(at, instructionLength(first[0]!));
    if (!bytes) return `${text}Address 0x${hex(at, 0)} is out of bounds.\n`;
    const code = Array.from(bytes, byte => hex(byte, 2))
      .join('')
      .replace(/(....)(?=.)/g, '$1 ');
    const [mnemonic, operands = ''] = disassembler.line(bytes, unsigned(at)).split('\t');
    text += `0x${hex(at, 8)}:  ${code.padEnd(14)}  ${`${mnemonic!.padEnd(8)} ${operands}`.trimEnd()}\n`;
    at += BigInt(bytes.length);
  }
  return text;
}

/** @param about a command, `info`, `info` with a subcommand, or nothing */
function helpText(about: string): string {
  const words = about.trim().split(/\s+/);
  const line = ({ names, shown, help }: Command, before = '') => `${before}${names.join('|')} ${shown} -- ${help}\n`;
  if (words[0] === 'info') {
    const chosen =
      words[1] === undefined ? infoCommands : infoCommands.filter(({ names }) => names.includes(words[1]!));
    if (chosen.length > 0) return chosen.map(entry => line(entry, 'info ')).join('');
  } else if (words[0] === '') {
    return commands.map(entry => line(entry)).join('');
  }
  const chosen = words[0] === 'info' ? undefined : find(commands, words[0]!);
  return chosen ? line(chosen) : `unknown command: '${about.trim()}'\n`;
}

/** Names with which the last word of a line may go on. */
export function completions(line: string): string[] {
  const words = line.trimStart().split(/\s+/);
  const names = (table: readonly Command[]) => table.flatMap(entry => entry.names).filter(name => name.length > 1);
  if (words.length === 1) return names(commands);
  if (words[0] === 'info' && words.length === 2) return names(infoCommands);
  if ((words[0] === 'help' || words[0] === '?') && words.length === 2) return names(commands);
  if ((words[0] === 'help' || words[0] === '?') && words.length === 3 && words[1] === 'info')
    return names(infoCommands);
  return [];
}
