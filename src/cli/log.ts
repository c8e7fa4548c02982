/** What `-d` and the monitor's `log` switch on, and where it goes. */

import { ConfigurationError, type Log, type LogItem } from '../machine/control.ts';

/** The items that this machine has something to say for. */
export const logItems: Record<LogItem, string> = {
  in_asm: 'each instruction when it is carried out for the first time',
  int: 'interruptions',
  exec: 'each instruction that is carried out (slow)',
  cpu: "the CPU's registers before each instruction (slow)",
  fpu: "floating-point registers in 'cpu' and 'cpu_reset'",
  cpu_reset: 'the registers before a reset',
  unimp: 'what the guest asks for and is not implemented',
  guest_errors: 'what the guest does and should not',
};

/** Items about the inside of another emulator: accepted, and nothing ever comes of them. */
const silent = [
  'out_asm',
  'op',
  'op_opt',
  'op_ind',
  'op_plugin',
  'pcall',
  'mmu',
  'page',
  'nochain',
  'plugin',
  'strace',
  'tid',
  'vpu',
];

export function logHelp(): string {
  const lines = Object.entries(logItems).map(([item, what]) => `${item.padEnd(15)} ${what}`);
  return `Log items (comma separated):\n${lines.join('\n')}\n`;
}

/** Reads a list of items; `all` stands for every one. @throws ConfigurationError */
export function parseLogItems(list: string): Set<LogItem> {
  const items = new Set<LogItem>();
  for (const word of list.split(',')) {
    if (word === 'all') for (const item of Object.keys(logItems)) items.add(item as LogItem);
    else if (word in logItems) items.add(word as LogItem);
    else if (!silent.includes(word) && !word.startsWith('trace:')) {
      throw new ConfigurationError(`there is no log item '${word}' (-d help lists them)`);
    }
  }
  return items;
}

export class TextLog implements Log {
  items: ReadonlySet<LogItem>;
  #sink: (text: string) => void;

  constructor(items: ReadonlySet<LogItem>, sink: (text: string) => void) {
    this.items = items;
    this.#sink = sink;
  }

  /** Sends what follows elsewhere. */
  redirect(sink: (text: string) => void): void {
    this.#sink = sink;
  }

  has(item: LogItem): boolean {
    return this.items.has(item);
  }

  /** Writes what has been asked for in another way. */
  tell(text: string): void {
    this.#sink(text);
  }

  write(item: LogItem, text: string): void {
    if (this.has(item)) this.#sink(text);
  }
}
