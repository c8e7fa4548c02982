/** The first major version of Node that runs lpar. */
export const requiredMajor: number;
/** Runs the command `lpar` with its arguments. */
export function lpar(args: readonly string[]): Promise<void>;
/** True: this process may go on. False: another Node has taken over. */
export function ensureRuntime(script: string, args: readonly string[]): Promise<boolean>;
/** The path of a Node that is new enough, or undefined. */
export function findNode(): string | undefined;
/** Runs npm with its output on stderr and returns its exit status. */
export function npm(command: readonly string[], options?: { cwd?: string }): number;
