import type { IoPlatform } from '../threads.ts';
import { nodeImageFiles } from './image-files.ts';

export const nodeIoPlatform: IoPlatform = {
  files: nodeImageFiles,
  later: work => void setImmediate(work),
};
