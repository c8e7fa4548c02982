/** A file tree of a guest, entry by entry: what comes out of a package and goes into an initramfs. */

export interface TreeEntry {
  /** Relative, without a leading `./` or a trailing slash. */
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'link' | 'character' | 'block' | 'fifo';
  /** The permission bits. */
  mode: number;
  uid?: number;
  gid?: number;
  /** Seconds since 1970. */
  mtime?: number;
  /** A file's content. */
  data?: Uint8Array;
  /** Where a symbolic link points; the path of the file that a hard link is another name of. */
  target?: string;
  /** A device's numbers. */
  major?: number;
  minor?: number;
}

export type Entries = Iterable<TreeEntry> | AsyncIterable<TreeEntry>;

export const directory = (path: string, mode = 0o755): TreeEntry => ({ path, type: 'directory', mode });
export const symlink = (path: string, target: string): TreeEntry => ({ path, type: 'symlink', mode: 0o777, target });
export const file = (path: string, content: Uint8Array | string, mode = 0o644): TreeEntry => ({
  path,
  type: 'file',
  mode,
  data: typeof content === 'string' ? Buffer.from(content) : content,
});

/** A tree in the making: later entries replace earlier ones of the same path, folders on the way are made. */
export class Tree {
  readonly #entries = new Map<string, TreeEntry>();

  /** A tree with Debian's merged /usr: /bin, /sbin and /lib are links into it. */
  static merged(): Tree {
    const tree = new Tree();
    for (const path of ['bin', 'sbin', 'lib']) tree.add(directory(`usr/${path}`)).add(symlink(path, `usr/${path}`));
    return tree;
  }

  add(entry: TreeEntry): this {
    const path = this.#real(entry.path);
    if (path === '') return this;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== '' && !this.#entries.has(parent)) this.add(directory(parent));
    // A folder may come in several packages; a link that stands for it stays.
    const old = this.#entries.get(path);
    if (entry.type === 'directory' && old?.type === 'symlink') return this;
    const target = entry.type === 'link' ? this.#real(entry.target!) : entry.target;
    this.#entries.set(path, { ...entry, path, target });
    return this;
  }

  async addAll(entries: Entries): Promise<this> {
    for await (const entry of entries) this.add(entry);
    return this;
  }

  get(path: string): TreeEntry | undefined {
    return this.#entries.get(this.#real(path));
  }

  /** Every entry, folders before what is in them. */
  [Symbol.iterator](): Iterator<TreeEntry> {
    return this.#entries.values();
  }

  /** The path with a linked first component (the merged /usr) followed. */
  #real(path: string): string {
    const slash = path.indexOf('/');
    if (slash < 0) return path;
    const top = this.#entries.get(path.slice(0, slash));
    return top?.type === 'symlink' ? `${top.target}${path.slice(slash)}` : path;
  }
}
