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

/** The suite that guests are made of, unless they say another: Debian 13. */
export const debian13 = 'trixie';
/** The suite before it. */
export const debian12 = 'bookworm';
export const component = 'main';
export const architecture = 's390x';
