import type { IoPlatform } from '../threads.ts';
import { nodeImageFiles } from './image-files.ts';

const quiet: ReadonlySet<string> = new Set(['MessagePort', 'Immediate', 'Timeout']);

export const nodeIoPlatform: IoPlatform = {
  files: nodeImageFiles,
  later: work => void setImmediate(work),
  get isQuiet() {
    return process.getActiveResourcesInfo().every(name => quiet.has(name));
  },
};
