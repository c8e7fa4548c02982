/** `-trace` and `-d trace:`: which events are told of, and where and how. */

import { ConfigurationError } from '../machine/control.ts';
import { eventOf, TraceStates } from '../machine/trace-events.ts';
import { type Host, HostError } from '../platform/host.ts';
import type { TraceRecord } from '../trace/trace.ts';
import { allowOnly, parseList, parseWord } from './values.ts';

export interface TraceOptions {
  /** Events are switched on by name or pattern, or off after `-`; in this order. `file` names a list of such. */
  readonly wanted: { readonly pattern?: string; readonly file?: string; readonly text: string }[];
  /** Path of the file that it is written to; undefined: to the log. */
  file?: string;
  format: 'text' | 'json';
}

/** The value of `-trace`, added to what is there. @throws ConfigurationError */
export function parseTrace(value: string, text: string, options: TraceOptions): void {
  const values = parseList(value, 'enable');
  allowOnly(values, ['enable', 'events', 'file', 'format']);
  const pattern = values.get('enable');
  const list = values.get('events');
  if (pattern !== undefined) options.wanted.push({ pattern, text });
  if (list !== undefined) options.wanted.push({ file: list, text });
  if (values.has('file')) options.file = values.get('file')!;
  if (values.has('format')) options.format = parseWord(values.get('format')!, 'format', ['text', 'json']);
}

/** The patterns after `trace:` in a list of log items. */
export const tracedItems = (list: string): string[] =>
  list.split(',').flatMap(item => (item.startsWith('trace:') ? [item.slice('trace:'.length)] : []));

/** `-trace help`. */
export const traceHelp = (): string => new TraceStates().events.map(({ name }) => `${name}\n`).join('');

/**
 * Switches on what is asked for.
 * @param warn takes a message without its end
 * @throws ConfigurationError when a list of events cannot be read
 */
export function statesOf({ wanted }: TraceOptions, host: Host, warn: (message: string) => void): TraceStates {
  const states = new TraceStates();
  for (const { pattern, file, text } of wanted) {
    const patterns = pattern === undefined ? patternsOf(file!, host) : [pattern];
    for (const each of patterns) {
      const off = each.startsWith('-');
      const name = off ? each.slice(1) : each;
      const events = states.matching(name);
      for (const event of events ?? []) states.set(event, !off);
      if (!events) warn(`${text}: warning: trace event '${name}' does not exist`);
    }
  }
  return states;
}

function patternsOf(path: string, host: Host): string[] {
  try {
    const lines = new TextDecoder().decode(host.readFile(path)).split('\n');
    return lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'));
  } catch (error) {
    throw error instanceof HostError ? new ConfigurationError(`${path}: ${error.message}`) : error;
  }
}

/** A line about an event. */
export const traceLine = (record: TraceRecord, format: TraceOptions['format']): string => {
  const event = eventOf(record);
  return `${format === 'json' ? event.json(record) : event.text(record.values)}\n`;
};
