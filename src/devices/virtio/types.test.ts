import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeImageFiles } from '../../platform/node/image-files.ts';
import type { ChannelDeviceType, DeviceEnvironment, PropertyValues } from '../device-type.ts';
import { DeviceError } from '../device-type.ts';
import { deviceType } from '../registry.ts';

/** What makes a device says when it cannot. */
async function refuses(name: string, given: PropertyValues, resource: unknown, message: string): Promise<void> {
  const type = deviceType(name) as ChannelDeviceType;
  const values = {
    ...Object.fromEntries(type.properties.map(property => [property.name, property.default!])),
    ...given,
  };
  const environment = { files: nodeImageFiles, resource: () => resource } as Partial<DeviceEnvironment>;
  await assert.rejects(async () => type.make(values, environment as DeviceEnvironment), {
    constructor: DeviceError,
    message,
  });
}

test('what a disk cannot be made with', async () => {
  const disk = (given: PropertyValues, message: string) => refuses('virtio-blk', given, {}, message);
  await refuses('virtio-blk', {}, undefined, 'drive property not set');
  await disk({ 'num-queues': 0 }, 'num-queues property must be larger than 0');
  await disk({ 'queue-size': 2 }, 'invalid queue-size property (2), must be > 2');
  for (const size of [100, 2048]) {
    await disk({ 'queue-size': size }, `invalid queue-size property (${size}), must be a power of 2 (max 1024)`);
  }
  await disk({ min_io_size: 100 }, 'min_io_size must be a multiple of logical_block_size');
  await disk({ heads: 16 }, 'cyls must be between 1 and 65535');
  await disk({ cyls: 100, heads: 256, secs: 63 }, 'heads must be between 1 and 255');
  for (const name of ['max-discard-sectors', 'max-write-zeroes-sectors']) {
    await disk({ [name]: 0 }, `invalid ${name} property (0), must be between 1 and 4194303`);
  }
});

test('how many ports a bus cannot have', async () => {
  await refuses('virtio-serial', { max_ports: 0 }, undefined, 'Maximum number of serial ports not specified');
  await refuses('virtio-serial', { max_ports: 512 }, undefined, 'maximum ports supported: 511');
});

test('what a source of random numbers cannot be made with', async () => {
  const most = "'max-bytes' parameter must be non-negative, and less than 2^63";
  await refuses('virtio-rng', { 'max-bytes': 1n << 63n }, undefined, most);
  await refuses('virtio-rng', { period: 0 }, undefined, "'period' parameter expects a positive integer");
  const missing = "Could not open '/nowhere/x': No such file or directory";
  await refuses('virtio-rng', {}, { path: '/nowhere/x' }, missing);
});
