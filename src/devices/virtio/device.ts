/** A virtio device, whatever transport it is reached by (virtio 1.2, chapters 2 and 3). */

import type { Storage } from '../../machine/storage.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import { type Chain, QueueError } from './chain.ts';
import { loadChain, savedChain, Virtqueue } from './queue.ts';
import { virtioTrace } from './trace.ts';

/** Bits of the device status. */
export const Status = {
  acknowledge: 0x01,
  driver: 0x02,
  driverOk: 0x04,
  featuresOk: 0x08,
  needsReset: 0x40,
  failed: 0x80,
} as const;

/** Feature bits that do not depend on the kind of device. */
export const Feature = {
  notifyOnEmpty: 1n << 24n,
  anyLayout: 1n << 27n,
  indirect: 1n << 28n,
  eventIndex: 1n << 29n,
  version1: 1n << 32n,
  accessPlatform: 1n << 33n,
  packed: 1n << 34n,
} as const;

/** Feature bits that only drivers of before virtio 1.0 know. */
const LEGACY_FEATURES = Feature.notifyOnEmpty | Feature.anyLayout;

/** What every virtio device may be told, by the names of its properties. */
export interface CommonProperties {
  readonly indirect_desc: boolean;
  readonly event_idx: boolean;
  readonly notify_on_empty: boolean;
  readonly any_layout: boolean;
  readonly iommu_platform: boolean;
  readonly packed: boolean;
}

/** What carries the device's words to the driver. */
export interface Transport {
  /** Buffers of a queue have been used. */
  interrupt(queue: number): void;
  configurationChanged(): void;
}

/** What a device needs of the machine. */
export interface VirtioEnvironment {
  readonly storage: Storage;
  /** Tells the operator what the guest does wrong. */
  complain(message: string): void;
}

export abstract class VirtioDevice {
  /** Number of the kind of device (virtio 1.2, chapter 5). */
  abstract readonly type: number;
  /** For messages. */
  abstract readonly label: string;
  readonly queues: Virtqueue[] = [];
  /** The driver uses virtio 1.0 or newer; the transport knows. */
  modern = false;
  status = 0;
  /** Features that the driver has accepted. */
  features = 0n;
  /** The driver has done what cannot be; nothing is looked at until it resets the device. */
  broken = false;
  transport: Transport = { interrupt() {}, configurationChanged() {} };
  protected readonly storage: Storage;
  readonly #complain: (message: string) => void;
  readonly #common: bigint;

  constructor({ storage, complain }: VirtioEnvironment, properties: CommonProperties) {
    this.storage = storage;
    this.#complain = complain;
    const bits: [boolean, bigint][] = [
      [properties.indirect_desc, Feature.indirect],
      [properties.event_idx, Feature.eventIndex],
      [properties.notify_on_empty, Feature.notifyOnEmpty],
      [properties.any_layout, Feature.anyLayout],
      [properties.iommu_platform, Feature.accessPlatform],
      [properties.packed, Feature.packed],
      [true, Feature.version1],
    ];
    this.#common = bits.reduce((sum, [on, bit]) => (on ? sum | bit : sum), 0n);
  }

  // What the kinds of device differ in

  /** Feature bits of this kind of device, all that it can offer. */
  protected abstract readonly ownFeatures: bigint;
  /** Of these, those that drivers of virtio 1.0 are not told of. */
  protected readonly ownLegacyFeatures: bigint = 0n;
  /** The configuration space in the driver's byte order. */
  abstract configuration(): Uint8Array;
  /** The driver has written the first bytes of the configuration space. */
  configure(_data: Uint8Array): void {}
  /** The driver has put buffers into a queue. */
  protected abstract notified(queue: Virtqueue): void;
  /** The status has changed. */
  protected statusChanged(): void {}
  /** Forgets what the driver has asked for; buffers of its queues must not be used any more. */
  protected abstract resetDevice(): void;
  /** The machine goes on after it has stood still, or with a state that has been loaded. */
  resume(): void {}
  /** The device is taken away. */
  close(): void {}
  /** What is to be saved beside queues and features. */
  protected abstract saveDevice(): Fields;
  protected abstract loadDevice(saved: SavedFields): () => void;

  /** Adds a queue of at most so many descriptors. */
  protected addQueue(maximum: number): Virtqueue {
    const options = () => ({
      packed: this.has(Feature.packed),
      little: this.modern,
      eventIndex: this.has(Feature.eventIndex),
      whenEmpty: this.has(Feature.notifyOnEmpty),
    });
    const queue = new Virtqueue(this.queues.length, maximum, this.storage, options, this.label);
    this.queues.push(queue);
    return queue;
  }

  // The driver's side, for transports

  get offered(): bigint {
    const all = this.#common | this.ownFeatures;
    return this.modern ? all & ~(LEGACY_FEATURES | this.ownLegacyFeatures) : all & 0xffff_ffffn;
  }

  /** The driver accepts features; those that were not offered do not count. */
  acceptFeatures(features: bigint): void {
    if (!(this.status & Status.featuresOk)) this.features = features & this.offered;
  }

  has(feature: bigint): boolean {
    return (this.features & feature) !== 0n;
  }

  /** False: the features that the driver has accepted are not acceptable. */
  setStatus(status: number): boolean {
    if (virtioTrace.virtio_set_status.on) virtioTrace.virtio_set_status.tell(this.label, status);
    if (status === 0) {
      this.reset();
      return true;
    }
    if (this.modern && status & ~this.status & Status.featuresOk) {
      const required = Feature.version1 | (this.#common & Feature.accessPlatform);
      if ((this.features & required) !== required) return false;
    }
    this.status = (status & 0xff) | (this.status & Status.needsReset);
    this.guarded(() => this.statusChanged());
    return true;
  }

  reset(): void {
    this.resetDevice();
    this.status = 0;
    this.features = 0n;
    this.broken = false;
    for (const queue of this.queues) queue.place = undefined;
  }

  /** Whether buffers may be used. Old drivers use them before they say so. */
  get ready(): boolean {
    return !this.broken && (!this.modern || (this.status & Status.driverOk) !== 0);
  }

  notify(index: number): void {
    if (virtioTrace.virtio_queue_notify.on) virtioTrace.virtio_queue_notify.tell(this.label, index);
    const queue = this.queues[index];
    if (queue?.place && this.ready) this.guarded(() => this.notified(queue));
  }

  // For the kinds of device

  /** Does what may meet a broken ring. */
  protected guarded(work: () => void): void {
    if (this.broken) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      this.fail(error.message);
    }
  }

  /** The driver has done what cannot be. */
  protected fail(message: string): void {
    this.broken = true;
    this.#complain(`${this.label}: ${message}`);
    if (!this.modern) return;
    this.status |= Status.needsReset;
    if (this.status & Status.driverOk) this.transport.configurationChanged();
  }

  protected complain(message: string): void {
    this.#complain(`${this.label}: ${message}`);
  }

  /** Tells the driver of what has been given back, if it wants to know. */
  protected interrupt(queue: Virtqueue): void {
    if (!queue.place || !queue.wantsInterrupt) return;
    if (virtioTrace.virtio_notify.on) virtioTrace.virtio_notify.tell(this.label, queue.index);
    this.transport.interrupt(queue.index);
  }

  /** The configuration space has changed by itself. */
  protected configurationChanged(): void {
    if (this.status & Status.driverOk) this.transport.configurationChanged();
  }

  protected savedChains(chains: readonly Chain[]): readonly Fields[] {
    return chains.map(savedChain);
  }

  protected loadChain(saved: SavedFields): Chain {
    return loadChain(this.storage, saved);
  }

  save(): Fields {
    return {
      modern: this.modern,
      status: this.status,
      features: this.features,
      broken: this.broken,
      queues: this.queues.map(queue => queue.save()),
      device: this.saveDevice(),
    };
  }

  load(saved: SavedFields): () => void {
    const modern = saved.flag('modern');
    const status = saved.integer('status', 0xff);
    const features = saved.doubleword('features');
    const broken = saved.flag('broken');
    const queues = saved.groups('queues', this.queues.length).map((fields, n) => this.queues[n]!.load(fields));
    const device = this.loadDevice(saved.group('device'));
    return () => {
      this.resetDevice();
      this.modern = modern;
      this.status = status;
      this.features = features;
      this.broken = broken;
      for (const load of queues) load();
      device();
    };
  }
}
