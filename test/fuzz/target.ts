/** What is fuzzed. */

import type { Random } from '../torture/random.ts';

export interface Target {
  readonly name: string;
  /** Makes a case from the numbers and runs it. @throws if something is as it must never be */
  run(random: Random): void | Promise<void>;
}
