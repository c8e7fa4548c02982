/** Every instruction that lpar has, in one list. */

import { accessRegisters } from './access-registers.ts';
import { arithmetic } from './arithmetic.ts';
import { binaryFloatingPoint } from './bfp.ts';
import { branch } from './branch.ts';
import { channelInstructions } from './channels.ts';
import { compare } from './compare.ts';
import { configurationInstructions } from './configuration.ts';
import { controlInstructions } from './control.ts';
import { decimal } from './decimal.ts';
import { fps } from './fps.ts';
import { hints } from './hints.ts';
import type { Instruction } from './insn.ts';
import { interlocked } from './interlocked.ts';
import { linkageInstructions } from './linkage.ts';
import { load } from './load.ts';
import { logic } from './logic.ts';
import { multiply } from './multiply.ts';
import { shift } from './shift.ts';
import { storage } from './storage.ts';
import { store } from './store.ts';
import { vectorFloating } from './vector/floating.ts';
import { vectorInteger } from './vector/integer.ts';
import { vectorSupport } from './vector/load.ts';
import { vectorStrings } from './vector/string.ts';

export const instructions: readonly Instruction[] = [
  ...load,
  ...store,
  ...arithmetic,
  ...multiply,
  ...compare,
  ...logic,
  ...shift,
  ...interlocked,
  ...hints,
  ...branch,
  ...controlInstructions,
  ...configurationInstructions,
  ...accessRegisters,
  ...channelInstructions,
  ...linkageInstructions,
  ...storage,
  ...decimal,
  ...fps,
  ...binaryFloatingPoint,
  ...vectorSupport,
  ...vectorInteger,
  ...vectorStrings,
  ...vectorFloating,
];
