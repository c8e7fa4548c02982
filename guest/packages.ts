/**
 * Debian's package lists: the stanzas of a Packages file and the dependencies between them.
 */

export interface Package {
  name: string;
  version: string;
  architecture: string;
  /** The path below the mirror's root. */
  filename: string;
  size: number;
  sha256: string;
  /** Pre-Depends and Depends: every inner list is satisfied by one of its names. */
  depends: string[][];
}

/** Which dependencies to follow: all, none, or those whose package name passes. */
export type Follow = boolean | ((name: string) => boolean);

/** The name under which apt stores a package's file; unlike the name on the mirror it carries the epoch. */
export function fileName({ name, version, architecture }: Package): string {
  return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
}

/** A Packages file. Only the stanzas that are asked for are parsed: the file has tens of thousands. */
export class PackageList {
  readonly #text: string;
  /** Where the stanza of a package begins. */
  readonly #offsets = new Map<string, number>();
  readonly #providers = new Map<string, string[]>();
  readonly #parsed = new Map<string, Package | undefined>();

  constructor(text: string) {
    this.#text = text;
    let current = '';
    for (const { 1: field, 2: value, index } of text.matchAll(/^(Package|Provides): *(.*)$/gm)) {
      if (field === 'Package') {
        current = value.trim();
        // A list may repeat a package; the first one counts.
        if (!this.#offsets.has(current)) this.#offsets.set(current, index);
        continue;
      }
      for (const [name] of parseRelation(value)) {
        const providers = this.#providers.get(name);
        if (providers) providers.push(current);
        else this.#providers.set(name, [current]);
      }
    }
  }

  /** The number of packages. */
  get size(): number {
    return this.#offsets.size;
  }

  /** The names that a pattern matches, those with higher numbers first. */
  names(pattern: RegExp): string[] {
    const found = [...this.#offsets.keys()].filter(name => pattern.test(name));
    return found.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  }

  /** The package of that name, or the first that provides it. */
  find(name: string): Package | undefined {
    const real = this.#offsets.has(name) ? name : this.#providers.get(name)?.[0];
    if (real === undefined) return undefined;
    if (!this.#parsed.has(real)) {
      const start = this.#offsets.get(real)!;
      const end = this.#text.indexOf('\n\n', start);
      this.#parsed.set(real, parseStanza(this.#text.slice(start, end < 0 ? undefined : end)));
    }
    return this.#parsed.get(real);
  }

  /**
   * The named packages and, as far as `follow` says, what they depend on, each once, dependants first. Of alternatives the
   * first one counts that is already chosen, else the first one that exists. Version limits need no check: a suite is
   * consistent with itself.
   */
  resolve(names: readonly string[], follow: Follow = false): Package[] {
    const chosen = new Map<string, Package>();
    const queue: string[][] = names.map(name => [name]);
    for (const alternatives of queue) {
      const candidates = alternatives.map(name => this.find(name)).filter(found => found !== undefined);
      if (candidates.length === 0) throw new Error(`Debian has no package ${alternatives.join(' or ')} for s390x`);
      if (candidates.some(({ name }) => chosen.has(name))) continue;
      const found = candidates[0];
      chosen.set(found.name, found);
      if (follow === false) continue;
      for (const group of found.depends) {
        const followed = follow === true ? group : group.filter(follow);
        if (followed.length > 0) queue.push(followed);
      }
    }
    return [...chosen.values()];
  }
}

function parseStanza(text: string): Package | undefined {
  const fields = parseFields(text);
  const { package: name, version, architecture, filename, size, sha256 } = fields;
  if (!name || !version || !architecture || !filename || !size || !sha256) return undefined;
  return {
    name,
    version,
    architecture,
    filename,
    size: Number(size),
    sha256,
    depends: [...parseRelation(fields['pre-depends']), ...parseRelation(fields.depends)],
  };
}

/** The fields of one stanza, by names in lower case; continuation lines stay, joined by newlines. */
export function parseFields(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  let last = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) {
      if (last) fields[last] += `\n${line}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    last = line.slice(0, colon).toLowerCase();
    fields[last] = line.slice(colon + 1).trim();
  }
  return fields;
}

/** `a (>= 1) | b:any, c` becomes [['a', 'b'], ['c']]. */
export function parseRelation(text: string | undefined): string[][] {
  if (!text) return [];
  return text
    .split(',')
    .map(group =>
      group
        .split('|')
        .map(item => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(item)?.[1])
        .filter(name => name !== undefined),
    )
    .filter(group => group.length > 0);
}
