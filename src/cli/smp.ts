/** The CPUs of `-smp`, how many and in which containers, and those that `-device` adds. */

import { ConfigurationError } from '../machine/control.ts';
import { type CpuDevice, type Entitlement, entitlements, type Place } from '../machine/cpu-table.ts';
import { type Shape, usualPlace } from '../machine/topology.ts';
import { parseList, parseNumber, parseSwitch, parseWord } from './values.ts';

/**
 * The containers by what was said of them: cores are preferred to sockets.
 * @param given numbers by their names
 * @throws ConfigurationError when the containers do not hold as many CPUs as there may be
 */
export function shapeOf(given: ReadonlyMap<string, number>, maximumCpus: number): Shape {
  const level = (name: string): number | undefined => given.get(name);
  if ((level('threads') ?? 1) > 1) throw new ConfigurationError('threads are not supported');
  const drawers = level('drawers') ?? 1;
  const books = level('books') ?? 1;
  const rest = Math.floor(maximumCpus / drawers / books);
  const sockets = level('sockets') ?? (level('cores') === undefined ? 1 : Math.floor(rest / level('cores')!));
  const cores = level('cores') ?? Math.floor(rest / sockets);
  if (drawers * books * sockets * cores !== maximumCpus) {
    throw new ConfigurationError(
      'Invalid CPU topology: product of the hierarchy must match maxcpus: ' +
        `drawers (${drawers}) * books (${books}) * sockets (${sockets}) * cores (${cores}) * threads (1) ` +
        `!= maxcpus (${maximumCpus})`,
    );
  }
  return { drawers, books, sockets, cores };
}

/** The drivers of CPUs end so, behind the name of the model. */
export const CPU_DRIVER = '-s390x-cpu';
const geometry = ['socket-id', 'book-id', 'drawer-id'] as const;
const properties: readonly string[] = ['driver', 'id', 'core-id', ...geometry, 'entitlement', 'dedicated'];

export const cpuDeviceHelp = (driver: string): string =>
  `${driver} options:
  book-id=<int>          - number of the book in its drawer
  core-id=<uint32>       - the address of the CPU
  dedicated=<bool>       - it has a physical CPU of its own
  drawer-id=<int>        - number of the drawer
  entitlement=<str>      - auto, low, medium or high, for vertical polarization
  socket-id=<int>        - number of the socket in its book
`;

/** The CPUs that a machine begins with by -smp. */
export const firstCpus = (cpus: number, shape: Shape): CpuDevice[] =>
  Array.from({ length: cpus }, (_, address) => ({ address, place: usualPlace(address, shape) }));

/** A CPU as it is described after -device or device_add. @throws ConfigurationError */
export function cpuOf(
  description: string,
  cpuModel: string,
  shape: Shape,
  maximumCpus: number,
  others: readonly CpuDevice[],
): CpuDevice {
  const values = parseList(description, 'driver');
  const driver = values.get('driver') ?? '';
  if (!driver.endsWith(CPU_DRIVER)) throw new ConfigurationError(`'${driver}' is not a valid device model name`);
  if (driver !== cpuModel + CPU_DRIVER) {
    throw new ConfigurationError(`Invalid CPU type, expected cpu type: '${cpuModel}${CPU_DRIVER}'`);
  }
  return cpuDevice(driver, values, shape, maximumCpus, others);
}

/**
 * A CPU that `-device` adds.
 * @param others those that are there
 * @throws ConfigurationError
 */
function cpuDevice(
  driver: string,
  values: ReadonlyMap<string, string>,
  shape: Shape,
  maximumCpus: number,
  others: readonly CpuDevice[],
): CpuDevice {
  for (const key of values.keys()) {
    if (!properties.includes(key)) throw new ConfigurationError(`Property '${driver}.${key}' not found`);
  }
  const number = (key: string): number | undefined =>
    values.has(key) ? parseNumber(values.get(key)!, key) : undefined;
  const address = number('core-id') ?? 0;
  const unable = `Unable to add CPU with core-id: ${address}`;
  if (address >= maximumCpus) throw new ConfigurationError(`${unable}, maximum core-id: ${maximumCpus - 1}`);
  if (others.some(other => other.address === address)) throw new ConfigurationError(`${unable}, it already exists`);
  const [socket, book, drawer] = geometry.map(number);
  const usual = usualPlace(address, shape);
  let where = { drawer: usual.drawer, book: usual.book, socket: usual.socket };
  if (socket !== undefined && book !== undefined && drawer !== undefined) where = { drawer, book, socket };
  else if (socket !== undefined || book !== undefined || drawer !== undefined) {
    throw new ConfigurationError('Please define all or none of the topology geometry attributes');
  }
  const dedicated = values.has('dedicated') && parseSwitch(values.get('dedicated')!, 'dedicated');
  const entitlement = values.has('entitlement')
    ? parseWord<Entitlement>(values.get('entitlement')!, 'entitlement', entitlements)
    : 'auto';
  const places = others.map(({ place }) => place);
  return { address, place: placed(where, entitlement, dedicated, shape, places) };
}

/**
 * The place of a CPU as it was asked for.
 * @param others those of the other CPUs
 * @throws ConfigurationError when there is no such place, or none is left there
 */
export function placed(
  where: Pick<Place, 'drawer' | 'book' | 'socket'>,
  given: Entitlement,
  dedicated: boolean,
  shape: Shape,
  others: readonly Place[],
): Place {
  if (where.socket >= shape.sockets) throw new ConfigurationError(`Unavailable socket: ${where.socket}`);
  if (where.book >= shape.books) throw new ConfigurationError(`Unavailable book: ${where.book}`);
  if (where.drawer >= shape.drawers) throw new ConfigurationError(`Unavailable drawer: ${where.drawer}`);
  const entitlement = given === 'auto' ? (dedicated ? 'high' : 'medium') : given;
  if (dedicated && entitlement !== 'high') throw new ConfigurationError('A dedicated CPU implies high entitlement');
  const sharing = others.filter(
    ({ drawer, book, socket }) => drawer === where.drawer && book === where.book && socket === where.socket,
  );
  if (sharing.length >= shape.cores) throw new ConfigurationError('No more space on this socket');
  return { ...where, entitlement, dedicated };
}
