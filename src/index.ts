/** The public interface of lpar as a library. */
export { version } from './version.ts';
