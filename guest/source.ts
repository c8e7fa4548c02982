import type { Package } from './packages.ts';

/** Where Debian's packages come from: apt, or a mirror read without apt. */
export interface Source {
  /** For messages: "apt", "https://mirror.example/debian". */
  readonly name: string;
  /** Writes the current list of packages (a Packages file), its signature checked. */
  list(file: string): Promise<void>;
  /** Writes a package's file, its SHA-256 checked against the list; `file(package)` says where. */
  download(packages: readonly Package[], file: (wanted: Package) => string): Promise<void>;
}

/** The suite and architecture that everything here is about. */
export const suite = 'trixie';
export const component = 'main';
export const architecture = 's390x';
