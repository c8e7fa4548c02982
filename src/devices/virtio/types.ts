/** virtio devices as `-device` knows them: QEMU's properties and defaults, and what is made of them. */

import { type DriveOptions, openDrive } from '../../block/drives.ts';
import { BlockError, type ErrorPolicy, type Image } from '../../block/image.ts';
import { MOST_QUEUES } from '../../css/table.ts';
import { HostError } from '../../platform/host.ts';
import {
  type ChannelDeviceType,
  type DeviceEnvironment,
  DeviceError,
  type DeviceType,
  type PartType,
  type Property,
  type PropertyValues,
} from '../device-type.ts';
import { type BlockBackend, type BlockGeometry, VirtioBlock } from './block/block.ts';
import { VirtioCcw } from './ccw.ts';
import type { CommonProperties, VirtioDevice, VirtioEnvironment } from './device.ts';
import { VirtioRng } from './rng/rng.ts';
import { BuiltinSource, type EntropySource, FileSource } from './rng/source.ts';
import { PortError, VirtioSerial } from './serial/serial.ts';

const bool = (name: string, on: boolean): Property => ({ name, type: 'bool', default: on });
const number = (name: string, type: 'uint16' | 'uint32', value: number): Property => ({
  name,
  type,
  default: value,
});
/** A size of at most 32 bits. */
const size = (name: string, value: number): Property => ({
  name,
  type: 'size',
  default: value,
  range: [0, 0xffff_ffff],
});

/** Of every virtio-ccw device. */
const common: readonly Property[] = [
  bool('indirect_desc', true),
  bool('event_idx', true),
  bool('notify_on_empty', true),
  bool('any_layout', true),
  bool('iommu_platform', false),
  bool('packed', false),
  number('max_revision', 'uint32', 2),
];

const commonProperties = (values: PropertyValues): CommonProperties => ({
  indirect_desc: values.indirect_desc as boolean,
  event_idx: values.event_idx as boolean,
  notify_on_empty: values.notify_on_empty as boolean,
  any_layout: values.any_layout as boolean,
  iommu_platform: values.iommu_platform as boolean,
  packed: values.packed as boolean,
});

const around = ({ storage, complain }: DeviceEnvironment): VirtioEnvironment => ({ storage, complain });

const onChannel = (device: VirtioDevice, values: PropertyValues, { storage }: DeviceEnvironment): VirtioCcw =>
  new VirtioCcw(device, storage, values.max_revision as number);

/** Where random numbers come from, as `-object` says. */
export interface EntropyOptions {
  /** Undefined: the generator of the process. */
  readonly path: string | undefined;
}

async function entropySource(environment: DeviceEnvironment): Promise<EntropySource> {
  const options = environment.resource('rng') as EntropyOptions | undefined;
  if (options?.path === undefined) return new BuiltinSource();
  try {
    return new FileSource(await environment.files.stream(options.path), message => environment.complain(message));
  } catch (error) {
    throw error instanceof HostError ? new DeviceError(`Could not open '${options.path}': ${error.message}`) : error;
  }
}

/** Of `max-bytes`. */
const UNLIMITED = (1n << 63n) - 1n;

const rng: ChannelDeviceType = {
  name: 'virtio-rng-ccw',
  aliases: ['virtio-rng'],
  bus: 'virtual-css-bus',
  backend: 'virtio-rng-device',
  category: 'Misc',
  properties: [
    { name: 'max-bytes', type: 'uint64', default: UNLIMITED },
    number('period', 'uint32', 65536),
    { name: 'rng', type: 'link' },
    ...common,
  ],
  async make(values, environment) {
    const most = values['max-bytes'] as bigint;
    if (most > UNLIMITED) {
      throw new DeviceError("'max-bytes' parameter must be non-negative, and less than 2^63");
    }
    // More than can be counted exactly is no limit.
    const maxBytes = most > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Number(most);
    const period = values.period as number;
    if (period === 0) throw new DeviceError("'period' parameter expects a positive integer");
    const source = await entropySource(environment);
    const device = new VirtioRng(around(environment), { ...commonProperties(values), maxBytes, period }, source);
    return onChannel(device, values, environment);
  },
};

const errorActions = ['report', 'ignore', 'enospc', 'stop', 'auto'];
const sectorSize = 512;
const BLOCK_SIZES = 'A power of two between 512 B and 2 MiB';
/** Of `discard_granularity` and of a port's `nr`: the device chooses. */
const UNGIVEN = 0xffff_ffff;

/** What a size of blocks must be; 0 leaves it to the device. */
function blockSize(values: PropertyValues, name: string): number {
  const size = values[name] as number;
  if (size === 0) return sectorSize;
  const most = 2 * 1024 * 1024;
  if (size < sectorSize || size > most) {
    throw new DeviceError(`Property .${name} doesn't take value ${size} (minimum: ${sectorSize}, maximum: ${most})`);
  }
  if ((size & (size - 1)) !== 0) {
    throw new DeviceError(`Property .${name} doesn't take value '${size}', it's not a power of 2`);
  }
  return size;
}

/** A size that is given in whole logical blocks. */
function inBlocks(values: PropertyValues, name: string, logicalBlockSize: number): number {
  const size = values[name] as number;
  if (size % logicalBlockSize === 0) return size;
  throw new DeviceError(`${name} must be a multiple of logical_block_size`);
}

/** Of `num-queues`: one. */
const AUTOMATIC = 0xffff;
/** Descriptors of a queue. */
const MOST_DESCRIPTORS = 1024;

/** How many queues, and of what size. */
function queuesOf(values: PropertyValues): { numQueues: number; queueSize: number } {
  const numQueues = values['num-queues'] === AUTOMATIC ? 1 : (values['num-queues'] as number);
  const queueSize = values['queue-size'] as number;
  if (numQueues === 0) throw new DeviceError('num-queues property must be larger than 0');
  if (numQueues > MOST_QUEUES) throw new DeviceError(`num-queues property must be at most ${MOST_QUEUES}`);
  if (queueSize <= 2) throw new DeviceError(`invalid queue-size property (${queueSize}), must be > 2`);
  if ((queueSize & (queueSize - 1)) !== 0 || queueSize > MOST_DESCRIPTORS) {
    throw new DeviceError(`invalid queue-size property (${queueSize}), must be a power of 2 (max ${MOST_DESCRIPTORS})`);
  }
  return { numQueues, queueSize };
}

const MOST_SECTORS = 4194303;

/** The most sectors of a request that discards or clears. */
function mostSectors(values: PropertyValues, name: 'max-discard-sectors' | 'max-write-zeroes-sectors'): number {
  const sectors = values[name] as number;
  if (sectors >= 1 && sectors <= MOST_SECTORS) return sectors;
  throw new DeviceError(`invalid ${name} property (${sectors}), must be between 1 and ${MOST_SECTORS}`);
}

/** Cylinders, heads and sectors as they are given; undefined: they are not. */
function geometryGiven({ cyls, heads, secs }: PropertyValues): BlockGeometry | undefined {
  if (!cyls && !heads && !secs) return undefined;
  const limits = [
    ['cyls', cyls, 65535],
    ['heads', heads, 255],
    ['secs', secs, 255],
  ] as const;
  for (const [name, value, most] of limits) {
    if (!value || (value as number) > most) throw new DeviceError(`${name} must be between 1 and ${most}`);
  }
  return { cylinders: cyls as number, heads: heads as number, sectors: secs as number };
}

/** Cylinders, heads and sectors that go with the size, where nobody gives them. */
function geometryOf(image: Image): BlockGeometry {
  const heads = 16;
  const sectors = 63;
  const cylinders = Math.floor(image.size / sectorSize / (heads * sectors));
  return { cylinders: Math.min(Math.max(cylinders, 2), 16383), heads, sectors };
}

function blockBackend(image: Image, drive: DriveOptions, environment: DeviceEnvironment): BlockBackend {
  return {
    image,
    noFlush: drive.noFlush,
    stop: () => environment.stopMachine('io-error'),
    report: (operation, action, reason, nospace) =>
      environment.event('BLOCK_IO_ERROR', { device: drive.id, operation, action, nospace, reason }),
  };
}

const block: ChannelDeviceType = {
  name: 'virtio-blk-ccw',
  aliases: ['virtio-blk'],
  bus: 'virtual-css-bus',
  backend: 'virtio-blk-device',
  category: 'Storage',
  properties: [
    { name: 'drive', type: 'drive', description: 'Node name or ID of a block device to use as a backend' },
    { name: 'serial', type: 'str' },
    number('num-queues', 'uint16', AUTOMATIC),
    number('queue-size', 'uint16', 256),
    bool('seg-max-adjust', true),
    { name: 'logical_block_size', type: 'size', default: 0, description: BLOCK_SIZES },
    { name: 'physical_block_size', type: 'size', default: 0, description: BLOCK_SIZES },
    size('min_io_size', 0),
    size('opt_io_size', 0),
    size('discard_granularity', UNGIVEN),
    number('cyls', 'uint32', 0),
    number('heads', 'uint32', 0),
    number('secs', 'uint32', 0),
    { name: 'write-cache', type: 'choice', choices: ['on', 'off', 'auto'], default: 'auto' },
    bool('config-wce', true),
    bool('discard', true),
    bool('write-zeroes', true),
    number('max-discard-sectors', 'uint32', MOST_SECTORS),
    number('max-write-zeroes-sectors', 'uint32', MOST_SECTORS),
    { name: 'rerror', type: 'choice', choices: errorActions, default: 'auto' },
    { name: 'werror', type: 'choice', choices: errorActions, default: 'auto' },
    bool('share-rw', false),
    ...common,
  ],
  async make(values, environment) {
    const drive = environment.resource('drive') as DriveOptions | undefined;
    if (!drive) throw new DeviceError('drive property not set');
    const logicalBlockSize = blockSize(values, 'logical_block_size');
    const physicalBlockSize = blockSize(values, 'physical_block_size');
    if (logicalBlockSize > physicalBlockSize) {
      throw new DeviceError('logical_block_size > physical_block_size not supported');
    }
    const whole = (name: string) => inBlocks(values, name, logicalBlockSize);
    const [minIoSize, optIoSize] = ['min_io_size', 'opt_io_size'].map(whole);
    const granularity = values.discard_granularity === UNGIVEN ? 0 : whole('discard_granularity');
    const geometry = geometryGiven(values);
    const maxDiscardSectors = mostSectors(values, 'max-discard-sectors');
    const maxWriteZeroesSectors = mostSectors(values, 'max-write-zeroes-sectors');
    const queues = queuesOf(values);
    let image: Image;
    try {
      image = await openDrive(environment.files, drive, values['share-rw'] as boolean);
    } catch (error) {
      throw error instanceof BlockError ? new DeviceError(error.message) : error;
    }
    const policy = (name: 'rerror' | 'werror', otherwise: ErrorPolicy) =>
      values[name] === 'auto' ? otherwise : (values[name] as ErrorPolicy);
    const properties = {
      ...commonProperties(values),
      serial: (values.serial as string | undefined) ?? '',
      ...queues,
      segMaxAdjust: values['seg-max-adjust'] as boolean,
      logicalBlockSize,
      physicalBlockSize,
      minIoSize: minIoSize!,
      optIoSize: optIoSize!,
      discardGranularity: granularity || logicalBlockSize,
      geometry: geometry ?? geometryOf(image),
      writeCache: values['write-cache'] === 'auto' ? drive.writeCache : values['write-cache'] === 'on',
      configWce: values['config-wce'] as boolean,
      discard: values.discard as boolean,
      writeZeroes: values['write-zeroes'] as boolean,
      maxDiscardSectors,
      maxWriteZeroesSectors,
      readErrors: policy('rerror', drive.readErrors),
      writeErrors: policy('werror', drive.writeErrors),
    };
    const device = new VirtioBlock(around(environment), properties, blockBackend(image, drive, environment));
    return onChannel(device, values, environment);
  },
};

const SERIAL_BUS = 'virtio-serial-bus';
const MOST_PORTS = 511;

const serial: ChannelDeviceType = {
  name: 'virtio-serial-ccw',
  aliases: ['virtio-serial'],
  bus: 'virtual-css-bus',
  backend: 'virtio-serial-device',
  provides: SERIAL_BUS,
  category: 'Input',
  properties: [number('max_ports', 'uint32', 31), bool('emergency-write', true), ...common],
  make(values, environment) {
    const maxPorts = values.max_ports as number;
    if (maxPorts === 0) throw new DeviceError('Maximum number of serial ports not specified');
    if (maxPorts > MOST_PORTS) throw new DeviceError(`maximum ports supported: ${MOST_PORTS}`);
    const emergencyWrite = values['emergency-write'] as boolean;
    const device = new VirtioSerial(around(environment), { ...commonProperties(values), maxPorts, emergencyWrite });
    return onChannel(device, values, environment);
  },
};

/** The two kinds of ports. */
const port = (name: string, console: boolean): PartType => ({
  name,
  bus: SERIAL_BUS,
  category: 'Input',
  properties: [
    { name: 'chardev', type: 'chr', description: 'ID of a chardev to use as a backend' },
    number('nr', 'uint32', UNGIVEN),
    { name: 'name', type: 'str' },
  ],
  attach(to, values, environment) {
    const device = (to as VirtioCcw).device as VirtioSerial;
    const { nr, chardev } = values;
    const { id } = environment;
    try {
      const added = device.addPort({
        console,
        ...(nr !== UNGIVEN && { number: nr as number }),
        ...(values.name !== undefined && { name: values.name as string }),
        ...(chardev !== undefined && { chardev: environment.chardev(chardev as string) }),
        // Of what has no name nothing is told.
        ...(id !== undefined && { opened: (open: boolean) => environment.event('VSERPORT_CHANGE', { id, open }) }),
      });
      return { detach: () => device.removePort(added) };
    } catch (error) {
      throw error instanceof PortError ? new DeviceError(error.message) : error;
    }
  },
});

export const virtioTypes: readonly DeviceType[] = [
  block,
  rng,
  serial,
  port('virtconsole', true),
  port('virtserialport', false),
];
