/** Everything that is fuzzed, by its name. */

import { css } from './css.ts';
import { qmp } from './qmp.ts';
import type { Target } from './target.ts';
import { tn3270 } from './tn3270.ts';
import { virtio } from './virtio.ts';

export const targets: readonly Target[] = [css, qmp, tn3270, virtio];
