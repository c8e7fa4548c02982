/** The option -boot. What a machine of this kind boots from is not its business: all that it does is to complain. */

import { ConfigurationError } from '../machine/control.ts';
import { parseList } from './values.ts';

const KINDS = {
  order: 'devices',
  once: 'devices',
  menu: 'switch',
  splash: 'text',
  'splash-time': 'integer',
  'reboot-timeout': 'integer',
  strict: 'switch',
} as const;

/** Gives a warning, if there is something to warn of. @throws ConfigurationError */
export function checkBoot(value: string): string | undefined {
  const values = parseList(value, 'order');
  for (const [name, text] of values) {
    const kind = KINDS[name as keyof typeof KINDS];
    if (!kind) throw new ConfigurationError(`Parameter 'boot.${name}' is unexpected`);
    if (kind === 'switch' && !['on', 'off'].includes(text)) {
      throw new ConfigurationError(`Parameter 'boot.${name}' expects 'on' or 'off'`);
    }
    if (kind === 'integer' && !/^[+-]?\d+$/.test(text)) {
      throw new ConfigurationError(`Parameter 'boot.${name}' expects integer`);
    }
    if (kind === 'devices') checkDrives(text);
  }
  if (values.has('once')) {
    throw new ConfigurationError('no function defined to set boot device list for this architecture');
  }
  return values.get('menu') === 'on' ? 'boot menu requires a bootindex to be specified for the IPL device' : undefined;
}

/** Letters of drives, each once. */
function checkDrives(letters: string): void {
  for (const [n, letter] of [...letters].entries()) {
    if (!/[a-p]/.test(letter)) throw new ConfigurationError(`Invalid boot device '${letter}'`);
    if (letters.indexOf(letter) < n) throw new ConfigurationError(`Boot device '${letter}' was given twice`);
  }
}
