/** Everything that is fuzzed, by its name. */

import type { Target } from './target.ts';
import { tn3270 } from './tn3270.ts';

export const targets: readonly Target[] = [tn3270];
