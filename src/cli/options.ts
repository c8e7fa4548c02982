/** The options of the command line: their table, the reader and `-help`. */

import { ConfigurationError } from '../machine/control.ts';

interface Option {
  readonly name: string;
  /** What its value looks like, for options that have one. */
  readonly value?: string;
  readonly help: string;
}

interface Section {
  readonly title: string;
  readonly options: readonly Option[];
}

const sections: readonly Section[] = [
  {
    title: 'Machine',
    options: [
      {
        name: 'machine',
        value: '[type=]NAME[,accel=tcg][,loadparm=TEXT][,sysinfo=kvm|lpar][,snapshots=DIRECTORY]',
        help: 'the machine; `-machine help` lists names; sysinfo says whether the guest sees itself under KVM (default) or in a logical partition; snapshots says where they are kept',
      },
      { name: 'M', value: 'NAME', help: 'the same as -machine' },
      { name: 'cpu', value: 'MODEL[,FEATURE=on|off]...', help: 'the CPU model; `-cpu help` lists them' },
      {
        name: 'accel',
        value: 'wasm|interpreter[,tb-size=N]',
        help: 'how the CPUs are carried out; tcg stands for wasm, which compiles, and keeps N MiB of code (default 128)',
      },
      {
        name: 'smp',
        value: '[cpus=]N[,maxcpus=M][,drawers=][,books=][,sockets=][,cores=]',
        help: 'the number of CPUs (default 1), how many there may be, and the containers that they are in',
      },
      {
        name: 'm',
        value: '[size=]SIZE[,maxmem=SIZE][,slots=N]',
        help: 'the size of storage in MiB, or with k, M or G after it (default 128)',
      },
      { name: 'name', value: '[guest=]TEXT', help: 'the name of the machine' },
      { name: 'uuid', value: 'UUID', help: 'the UUID of the machine' },
      {
        name: 'device',
        value: 'DRIVER[,PROPERTY=VALUE]...',
        help: 'adds a device; `-device help` lists them, `-device DRIVER,help` its properties',
      },
      {
        name: 'drive',
        value: '[file=FILE][,if=none|virtio][,format=raw][,id=ID][,readonly=on|off][,cache=MODE][,snapshot=on|off]...',
        help: 'a drive, which a device names or which gets a virtio-blk device of its own',
      },
      { name: 'blockdev', value: '[driver=]DRIVER,node-name=NAME[,PROPERTY=VALUE]...', help: 'a block node' },
      {
        name: 'global',
        value: 'DRIVER.PROPERTY=VALUE',
        help: 'what a property of all devices of a type is unless -device says otherwise',
      },
      { name: 'hda', value: 'FILE', help: 'an image for the first disk; -hdb, -hdc and -hdd likewise' },
      { name: 'hdb', value: 'FILE', help: 'an image for the second disk' },
      { name: 'hdc', value: 'FILE', help: 'an image for the third disk' },
      { name: 'hdd', value: 'FILE', help: 'an image for the fourth disk' },
      { name: 'cdrom', value: 'FILE', help: 'an image that is read only' },
      { name: 'snapshot', help: 'what is written to disks is lost in the end' },
      { name: 'nodefaults', help: 'no device that is not asked for' },
      { name: 'no-user-config', help: 'accepted: there are no configuration files' },
    ],
  },
  {
    title: 'Load',
    options: [
      { name: 'kernel', value: 'FILE', help: 'a Linux kernel, or an ELF or raw image for s390x' },
      { name: 'initrd', value: 'FILE', help: 'an initial RAM disk' },
      { name: 'append', value: 'TEXT', help: 'the kernel command line' },
      { name: 'boot', value: '[order=]DRIVES[,menu=on|off]', help: 'accepted: drives have no letters here' },
    ],
  },
  {
    title: 'Consoles and other character devices',
    options: [
      { name: 'nographic', help: 'console and monitor on the terminal (Ctrl-A h there lists keys)' },
      { name: 'display', value: 'none', help: 'nothing on the terminal that is not asked for' },
      {
        name: 'serial',
        value: 'DEVICE',
        help: 'where the console is: stdio, mon:stdio (with the monitor), file:FILE, null, none, tcp:HOST:PORT[,server=on][,wait=off], unix:PATH[,server=on][,wait=off], telnet:..., chardev:ID; a second one is the line-mode console',
      },
      { name: 'monitor', value: 'DEVICE', help: 'where the monitor is' },
      {
        name: 'mon',
        value: '[chardev=]ID[,mode=readline|control][,pretty=on]',
        help: 'a monitor on a character device, for people or (control) for programs; pretty: it writes many lines',
      },
      { name: 'qmp', value: 'DEVICE', help: 'where the monitor for programs is' },
      { name: 'qmp-pretty', value: 'DEVICE', help: 'the same, with many lines' },
      {
        name: 'chardev',
        value: 'BACKEND,id=ID[,mux=on][,OPTION]...',
        help: 'a character device: null; stdio[,signal=off]; file,path=FILE[,append=on]; socket,host=HOST,port=PORT or socket,path=PATH with server=on, wait=off, telnet=on, tn3270=on (for a 3270 terminal), nodelay=on, reconnect=SECONDS, tls-creds=ID, tls-authz=ID',
      },
      {
        name: 'object',
        value: 'KIND,id=ID[,PROPERTY=VALUE]...',
        help: 'credentials for TLS, who may connect, a secret; `-object help` lists kinds, `-object KIND,help` properties',
      },
      { name: 'echr', value: 'CODE', help: 'code of the escape character on the terminal (default 1, Ctrl-A)' },
      { name: 'parallel', value: 'none', help: 'accepted: there is none' },
      { name: 'vga', value: 'none', help: 'accepted: there is none' },
    ],
  },
  {
    title: 'Running',
    options: [
      { name: 'S', help: 'do not start; the monitor or the debugger does' },
      {
        name: 'icount',
        value: '[shift=]N|auto[,sleep=on|off]',
        help: 'counted mode: the CPUs take turns, an instruction takes 2^N nanoseconds, and every run is the same; sleep=off: waiting takes no time',
      },
      { name: 'rtc', value: '[base=]utc|localtime|DATE', help: 'what the clock shows at the start' },
      { name: 'loadvm', value: 'TAG', help: 'begin with a snapshot' },
      {
        name: 'incoming',
        value: 'URI',
        help: 'wait for the state of another lpar: tcp:HOST:PORT, unix:PATH, exec:COMMAND, fd:NUMBER, file:PATH[,offset=SIZE]; or defer, until the monitor says where it comes from',
      },
      { name: 'no-reboot', help: 'end when the guest reboots' },
      { name: 'no-shutdown', help: 'stop but do not end when the guest shuts down' },
      {
        name: 'action',
        value: 'EVENT=ACTION[,...]',
        help: 'reboot=reset|shutdown, shutdown=poweroff|pause, panic=pause|shutdown|exit-failure|none, watchdog=reset|shutdown|poweroff|inject-nmi|pause|debug|none',
      },
      { name: 'watchdog-action', value: 'ACTION', help: 'the same as -action watchdog=ACTION' },
      { name: 'pidfile', value: 'FILE', help: 'write the process id to the file' },
    ],
  },
  {
    title: 'Debugging',
    options: [
      { name: 's', help: 'the same as -gdb tcp::1234' },
      { name: 'gdb', value: 'DEVICE', help: 'wait for gdb there: tcp:HOST:PORT, unix:PATH or stdio' },
      { name: 'd', value: 'ITEM[,ITEM]...', help: 'what to log; `-d help` lists the items' },
      {
        name: 'trace',
        value: '[enable=]PATTERN[,events=FILE][,file=FILE][,format=text|json]',
        help: 'tell of events by name or pattern (`-trace help` lists them; -PATTERN switches off), or those that a file lists, in the log or in a file',
      },
      { name: 'D', value: 'FILE', help: 'log to the file instead of stderr' },
    ],
  },
  {
    title: 'Information',
    options: [
      { name: 'h', help: 'this list' },
      { name: 'help', help: 'this list' },
      { name: 'version', help: 'the version' },
    ],
  },
];

/** Options that QEMU has for networks: with the value none they say that there is to be none. */
const silent: readonly Option[] = [
  { name: 'net', value: 'none', help: '' },
  { name: 'nic', value: 'none', help: '' },
];

const byName = new Map(
  [...sections.flatMap(section => section.options), ...silent].map(option => [option.name, option]),
);

/** The names of the options that have values. */
export const optionNames = (): string[] =>
  [...byName.values()].filter(({ value }) => value !== undefined).map(({ name }) => name);

/** An option as it was given. */
export interface Given {
  readonly name: string;
  /** Empty for an option without value. */
  readonly value: string;
  /** As it was typed, for messages. */
  readonly text: string;
}

/** @throws ConfigurationError */
export function parseOptions(args: readonly string[]): Given[] {
  const given: Given[] = [];
  for (let n = 0; n < args.length; n++) {
    const arg = args[n]!;
    if (!arg.startsWith('-')) throw new ConfigurationError(`${arg}: disk images are not supported`);
    const option = byName.get(arg.replace(/^--?/, ''));
    if (!option) throw new ConfigurationError(`${arg}: invalid option`);
    if (option.value === undefined) {
      given.push({ name: option.name, value: '', text: arg });
      continue;
    }
    const value = args[++n];
    if (value === undefined) throw new ConfigurationError(`${arg}: requires an argument`);
    given.push({ name: option.name, value, text: `${arg} ${value}` });
  }
  return given;
}

/** Does something with an option; what goes wrong is told with the option before it. */
export function located<T>(given: Pick<Given, 'text'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ConfigurationError(`${given.text}: ${error.message}`);
    throw error;
  }
}

/** The text of `-help`, in lines of 80 characters where words allow. */
export function help(): string {
  const lines = ['usage: lpar [options]', ''];
  for (const { title, options } of sections) {
    lines.push(`${title}:`);
    for (const { name, value, help } of options) {
      const left = `  -${name}${value === undefined ? '' : ` ${value}`}`;
      const right = wrap(help, 64).map(line => `${' '.repeat(16)}${line}`);
      if (left.length < 15) right[0] = left.padEnd(16) + right[0]!.trimStart();
      else lines.push(left);
      lines.push(...right);
    }
    lines.push('');
  }
  lines.push(
    'Options are named as QEMU names them, and may also be written with two dashes.',
    'Without -nographic and -display lpar behaves as with -nographic.',
  );
  return `${lines.join('\n')}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
