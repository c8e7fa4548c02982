/** The options about time: -icount and -rtc. */

import { ConfigurationError, type Counting } from '../machine/control.ts';
import { allowOnly, parseList, parseSwitch } from './values.ts';

const LARGEST_SHIFT = 10;
/** What `auto` means: eight nanoseconds for an instruction. */
const USUAL_SHIFT = 3;
/** What the clock shows in counted mode unless it is said: every run is to be the same. 2000-01-01. */
export const FIXED_DATE = 946_684_800_000;

/** @throws ConfigurationError */
export function parseCounting(value: string): Counting {
  const values = parseList(value, 'shift');
  allowOnly(values, ['shift', 'align', 'sleep', 'rr', 'rrfile', 'rrsnapshot']);
  const given = values.get('shift') ?? 'auto';
  const sleep = !values.has('sleep') || parseSwitch(values.get('sleep')!, 'sleep');
  const align = values.has('align') && parseSwitch(values.get('align')!, 'align');
  if (align && !values.has('shift')) throw new ConfigurationError('Please specify shift option when using align');
  if (align && !sleep) throw new ConfigurationError('align=on and sleep=off are incompatible');
  if (given === 'auto' && align) throw new ConfigurationError('shift=auto and align=on are incompatible');
  if (given === 'auto' && !sleep) throw new ConfigurationError('shift=auto and sleep=off are incompatible');
  if (align) throw new ConfigurationError('align=on is not supported');
  if (values.has('rr')) throw new ConfigurationError('rr is not supported: input is not recorded');
  const shift = given === 'auto' ? USUAL_SHIFT : /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(shift <= LARGEST_SHIFT)) throw new ConfigurationError('icount: Invalid shift value');
  return { shift, sleep };
}

/** What the clock shows at the start, in milliseconds since 1970; undefined: the host's time. @throws ConfigurationError */
export function parseDate(value: string): number | undefined {
  const values = parseList(value, 'base');
  allowOnly(values, ['base', 'clock', 'driftfix']);
  const base = values.get('base') ?? 'utc';
  if (base === 'utc') return undefined;
  if (base === 'localtime') return Date.now() - new Date().getTimezoneOffset() * 60_000;
  const date = /^\d{4}-\d\d?-\d\d?(T\d\d?:\d\d?:\d\d?)?$/.test(base) ? Date.parse(normal(base)) : Number.NaN;
  if (Number.isNaN(date)) {
    throw new ConfigurationError(
      "invalid datetime format: valid are 'utc', 'localtime', '2006-06-17T16:01:21' and '2006-06-17'",
    );
  }
  return date;
}

/** As ISO 8601 writes it, in UTC. */
const normal = (date: string): string => {
  const [day, time = '0:0:0'] = date.split('T');
  const padded = (text: string, mark: string) =>
    text
      .split(mark)
      .map(part => part.padStart(2, '0'))
      .join(mark);
  return `${padded(day!, '-')}T${padded(time, ':')}Z`;
};
