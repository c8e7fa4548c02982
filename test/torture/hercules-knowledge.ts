/** Known disagreements with Hercules 3.13. */

import type { Knowledge } from './disagreements.ts';

export const herculesKnowledge: Knowledge = {
  disagreements: [],
  endings: [],
};
