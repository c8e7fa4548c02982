/** Every instruction that lpar has, in one list. */

import { branch } from './branch.ts';
import { control } from './control.ts';
import { general } from './general.ts';
import type { Instruction } from './insn.ts';
import { storage } from './storage.ts';

export const instructions: readonly Instruction[] = [...general, ...branch, ...control, ...storage];
