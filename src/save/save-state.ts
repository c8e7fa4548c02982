/**
 * What can be saved: every unit of the machine keeps its save state beside it and says how it is written and read.
 * What a unit knows only because it has worked it out (TLB entries, decoded code) is not saved.
 */

/** What a saved state is made of. Integers are below 2^64; there are no others. */
export type Value = null | boolean | number | bigint | string | Uint8Array | readonly Value[] | Fields;

export interface Fields {
  readonly [name: string]: Value;
}

export interface SaveState {
  /** Names the unit among those of a machine. */
  readonly name: string;
  /** Of the fields; states of another version are refused. */
  readonly version: number;
  save(): Fields;
  /**
   * Looks whether the unit can be in this state, and changes nothing; what it gives back makes it so.
   * @throws SaveError
   */
  load(saved: SavedFields): () => void;
}

/** A saved state that cannot be used; the message says why in one line. */
export class SaveError extends Error {}

/** The fields of one unit as they were read. Each reader throws a SaveError for what is missing or cannot be. */
export class SavedFields {
  readonly #unit: string;
  readonly #fields: Fields;

  constructor(unit: string, fields: Value) {
    this.#unit = unit;
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields) || fields instanceof Uint8Array) {
      throw new SaveError(`section '${unit}' has no fields`);
    }
    this.#fields = fields as Fields;
  }

  #value(name: string): Value {
    const value = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
    if (value === undefined) throw this.#wrong(name);
    return value;
  }

  #wrong(name: string): SaveError {
    return new SaveError(`section '${this.#unit}': field '${name}' is missing or not valid`);
  }

  /** A number from 0 to `most`, not necessarily whole. */
  number(name: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value(name);
    if (typeof value === 'number' && value >= 0 && value <= most) return value;
    throw this.#wrong(name);
  }

  /** A whole number from 0 to `most`. */
  integer(name: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.number(name, most);
    if (Number.isInteger(value)) return value;
    throw this.#wrong(name);
  }

  /** 64 bits. */
  doubleword(name: string): bigint {
    return this.integers(name, 1, 8)[0]!;
  }

  /** What `read` gives; undefined for null. */
  optional<T>(name: string, read: () => T): T | undefined {
    return this.#value(name) === null ? undefined : read();
  }

  flag(name: string): boolean {
    const value = this.#value(name);
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name);
  }

  text(name: string): string {
    const value = this.#value(name);
    if (typeof value === 'string') return value;
    throw this.#wrong(name);
  }

  /** Of this length, if one is given. */
  bytes(name: string, length?: number): Uint8Array {
    const value = this.#value(name);
    if (value instanceof Uint8Array && (length === undefined || value.length === length)) return value;
    throw this.#wrong(name);
  }

  byteStrings(name: string): readonly Uint8Array[] {
    const value = this.#value(name);
    if (Array.isArray(value) && value.every(item => item instanceof Uint8Array)) return value;
    throw this.#wrong(name);
  }

  /** Fields in a field. */
  group(name: string): SavedFields {
    return new SavedFields(`${this.#unit}.${name}`, this.#value(name));
  }

  texts(name: string): readonly string[] {
    const value = this.#value(name);
    if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value;
    throw this.#wrong(name);
  }

  list(name: string): readonly Value[] {
    const value = this.#value(name);
    if (Array.isArray(value)) return value as readonly Value[];
    throw this.#wrong(name);
  }

  /** A list of fields in a field; so many, if a number is given. */
  groups(name: string, count?: number): readonly SavedFields[] {
    const list = this.list(name);
    if (count !== undefined && list.length !== count) throw this.#wrong(name);
    return list.map((fields, n) => new SavedFields(`${this.#unit}.${name}[${n}]`, fields));
  }

  /** So many whole numbers of so many bytes; one may stand for itself. */
  integers(name: string, count: number, size: number): readonly bigint[] {
    const value = this.#value(name);
    const list = Array.isArray(value) ? (value as readonly Value[]) : [value];
    if (list.length !== count) throw this.#wrong(name);
    return list.map(item => {
      if (typeof item !== 'bigint' && !Number.isSafeInteger(item)) throw this.#wrong(name);
      const integer = BigInt(item as bigint | number);
      if (integer !== BigInt.asUintN(8 * size, integer)) throw this.#wrong(name);
      return integer;
    });
  }
}
