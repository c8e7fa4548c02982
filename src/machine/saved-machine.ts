/**
 * A machine's saved state: what kind of machine it is, its units, and its storage. A state is looked at as a whole
 * before anything of it is put into place.
 */

import { SavedFields, SaveError, type SaveState, type Value } from '../save/save-state.ts';
import { readStream, type Section, writeStream } from '../save/stream.ts';
import type { RunState } from './control.ts';
import type { CpuModel } from './cpu-model.ts';
import { isStorage, loadStorage, saveStorage } from './saved-storage.ts';
import type { Storage } from './storage.ts';

/** As the command line names it. */
export const machineType = 's390-ccw-virtio';

const HEADER = 'machine';
const VERSION = 1;

/** What a state says of itself. */
export interface StateSummary {
  /** When it was saved, in milliseconds since 1970. */
  readonly date: number;
  /** Milliseconds that the machine had run. */
  readonly running: number;
  /** Instructions executed, of machines that count them. */
  readonly instructions: number | undefined;
  /** What the machine did before it was stopped to be saved. */
  readonly status: RunState;
}

/** What must be the same where a state is loaded. */
export interface MachineKind {
  readonly storage: Storage;
  /** Addresses of the CPUs that there are. */
  readonly cpus: readonly number[];
  readonly model: CpuModel;
}

export function* saveMachine(
  { storage, cpus, model }: MachineKind,
  units: readonly Pick<SaveState, 'name' | 'version' | 'save'>[],
  { date, running, instructions, status }: StateSummary,
): Generator<Uint8Array> {
  const header = {
    type: machineType,
    storage: storage.size,
    cpus,
    cpuModel: model.definition.name,
    cpuFeatures: [...model.features].sort(),
    date,
    running,
    instructions: instructions ?? null,
    status,
  };
  function* sections(): Generator<Section> {
    yield { name: HEADER, version: VERSION, fields: header };
    for (const unit of units) yield { name: unit.name, version: unit.version, fields: unit.save() };
    yield* saveStorage(storage);
  }
  yield* writeStream(sections());
}

/**
 * What a state, or the beginning of one, says of itself.
 * @throws SaveError
 */
export function summaryOf(stream: Uint8Array): StateSummary {
  return summary(headerOf(readStream(stream, false)));
}

const summary = (header: SavedFields): StateSummary => ({
  date: header.integer('date'),
  running: header.number('running'),
  instructions: header.optional('instructions', () => header.integer('instructions')),
  status: header.text('status') as RunState,
});

function fieldsOf({ name, version, fields }: Section, local: number): SavedFields {
  if (version !== local) throw new SaveError(`savevm: unsupported version ${version} for '${name}' v${local}`);
  return new SavedFields(name, fields);
}

function headerOf(sections: readonly Section[]): SavedFields {
  const [first] = sections;
  if (first?.name !== HEADER) throw new SaveError(`the saved state has no section '${HEADER}'`);
  return fieldsOf(first, VERSION);
}

/** A unit of another thread, which looks at its fields itself. */
export interface DistantUnit {
  readonly name: string;
  readonly version: number;
}

/** What is to be done with a saved state that fits. */
export interface LoadPlan {
  readonly summary: StateSummary;
  /** Fields of units of other threads. */
  readonly distant: readonly (DistantUnit & { readonly fields: Value })[];
  /** Puts everything else into the state. */
  apply(): void;
}

/**
 * Plans how a machine that stands still gets into a state that was saved. Nothing is changed yet.
 * @throws SaveError when it cannot be
 */
export function planLoad(
  kind: MachineKind,
  units: readonly SaveState[],
  others: readonly DistantUnit[],
  stream: Uint8Array,
): LoadPlan {
  const sections = readStream(stream);
  const header = headerOf(sections);
  compare(kind, header);
  const found = new Map<string, Section>();
  for (const section of sections.slice(1)) {
    if (isStorage(section)) continue;
    const known = [...units, ...others].some(({ name }) => name === section.name);
    if (found.has(section.name) || !known) {
      throw new SaveError(
        `Unknown savevm section '${section.name}'. Make sure that your current VM setup matches your saved VM setup`,
      );
    }
    found.set(section.name, section);
  }
  const sectionOf = (name: string): Section => {
    const section = found.get(name);
    if (!section) throw new SaveError(`the saved state has no section '${name}'`);
    return section;
  };
  const work = units.map(unit => unit.load(fieldsOf(sectionOf(unit.name), unit.version)));
  const distant = others.map(({ name, version }) => {
    const section = sectionOf(name);
    fieldsOf(section, version);
    return { name, version, fields: section.fields };
  });
  work.push(loadStorage(kind.storage, sections.filter(isStorage), fieldsOf));
  return {
    summary: summary(header),
    distant,
    apply: () => {
      for (const put of work) put();
    },
  };
}

/** @throws SaveError */
function compare({ storage, cpus, model }: MachineKind, header: SavedFields): void {
  const differ = (what: string, received: string | number, local: string | number): void => {
    if (received !== local) throw new SaveError(`${what} received is '${received}' and local is '${local}'`);
  };
  differ('Machine type', header.text('type'), machineType);
  const size = header.integer('storage');
  if (size !== storage.size) {
    throw new SaveError(`Size mismatch: s390.ram: 0x${size.toString(16)} != 0x${storage.size.toString(16)}`);
  }
  const addresses = header.list('cpus');
  differ('Number of CPUs', addresses.length, cpus.length);
  differ('List of CPUs', addresses.join(), cpus.join());
  differ('CPU model', header.text('cpuModel'), model.definition.name);
  const received = new Set(header.texts('cpuFeatures'));
  const changes = [
    ...[...received].filter(name => !model.features.has(name)).map(name => `${name}=on`),
    ...[...model.features].filter(name => !received.has(name)).map(name => `${name}=off`),
  ];
  if (changes.length > 0) throw new SaveError(`CPU features received differ: ${changes.join()}`);
}
