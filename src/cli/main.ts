/** The command `lpar`. */

import { ConfigurationError } from '../machine/control.ts';
import { cpuHelp } from '../machine/cpu-model.ts';
import { createMachine } from '../machine/machine.ts';
import type { Host } from '../platform/host.ts';
import { nodeHost } from '../platform/node/host.ts';
import { dropPreparedThreads, nodeThreads } from '../platform/node/threads.ts';
import { version } from '../version.ts';
import { chardevHelp } from './chardev-options.ts';
import { configure, deviceHelp, machineName } from './configuration.ts';
import { logHelp } from './log.ts';
import { objectHelp } from './objects.ts';
import { type Given, help, located, parseOptions } from './options.ts';
import { type MachineMaker, run } from './session.ts';
import { traceHelp } from './trace-options.ts';

/** Runs the command with its arguments until the machine ends. Returns the exit status. */
export function main(argv: string[]): Promise<number> {
  return mainOn(argv, nodeHost, async configuration => {
    const machine = await createMachine(configuration, nodeThreads);
    dropPreparedThreads();
    return machine;
  });
}

export async function mainOn(argv: readonly string[], host: Host, makeMachine: MachineMaker): Promise<number> {
  try {
    const options = parseOptions(argv);
    const information = informationOf(options);
    if (information !== undefined) {
      host.print(information);
      return 0;
    }
    return await run(configure(options), host, makeMachine);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    host.complain(`lpar: ${error.message}\n`);
    return 1;
  }
}

/** What the first option that only asks for information wants to know; undefined if there is none. */
function informationOf(options: readonly Given[]): string | undefined {
  for (const option of options) {
    const { name, value } = option;
    const asksFor = value === 'help' || value === '?';
    if (name === 'h' || name === 'help') return help();
    if (name === 'version') return `lpar version ${version}\n`;
    if (name === 'd' && asksFor) return logHelp();
    if ((name === 'trace' && asksFor) || (name === 'd' && value === 'trace:help')) return traceHelp();
    if (name === 'chardev' && asksFor) return chardevHelp;
    if ((name === 'machine' || name === 'M') && asksFor) {
      return `Supported machines are:\n${machineName.padEnd(20)} IBM Z logical partition (default)\n`;
    }
    if (name === 'cpu' && asksFor) return cpuHelp();
    if (name === 'accel' && asksFor) return 'Accelerators supported in lpar:\ntcg\n';
    if (name === 'object') {
      const [kind, property] = value.split(',');
      if (asksFor) return objectHelp();
      if (property === 'help' || property === '?') return located(option, () => objectHelp(kind));
    }
    if (name === 'device') {
      const [driver, property] = value.split(',');
      if (asksFor) return deviceHelp();
      if (property === 'help' || property === '?') return located(option, () => deviceHelp(driver));
    }
  }
  return undefined;
}
