/** virtio-blk (virtio 1.2, 5.2): a disk. */

import { BlockError, type ErrorPolicy, type Image } from '../../../block/image.ts';
import { type Fields, type SavedFields, SaveError } from '../../../save/save-state.ts';
import { type Chain, QueueError } from '../chain.ts';
import { type CommonProperties, VirtioDevice, type VirtioEnvironment } from '../device.ts';
import type { Virtqueue } from '../queue.ts';
import { virtioTrace } from '../trace.ts';

const SECTOR = 512;

const BlockFeature = {
  segments: 1n << 2n,
  geometry: 1n << 4n,
  readOnly: 1n << 5n,
  blockSize: 1n << 6n,
  flush: 1n << 9n,
  topology: 1n << 10n,
  writeCacheControl: 1n << 11n,
  queues: 1n << 12n,
  discard: 1n << 13n,
  writeZeroes: 1n << 14n,
} as const;

const Request = { read: 0, write: 1, flush: 4, identification: 8, discard: 11, writeZeroes: 13 } as const;
const Result = { ok: 0, error: 1, unsupported: 2 } as const;

/** Bytes of a request's header: kind, reserved, sector. */
const HEADER = 16;
const SERIAL = 20;
/** Of a discard or write-zeroes request: sector, number of sectors, flags. */
const RANGE = 16;
const UNMAP = 1;

/** Offset of the byte by which the driver may switch the write cache. */
const WRITE_CACHE = 32;

/** Of a disk that has cylinders. */
export interface BlockGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

export interface BlockProperties extends CommonProperties {
  readonly serial: string;
  readonly numQueues: number;
  readonly queueSize: number;
  readonly segMaxAdjust: boolean;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly minIoSize: number;
  readonly optIoSize: number;
  readonly discardGranularity: number;
  readonly geometry: BlockGeometry;
  /** The driver may be told of a cache at first. */
  readonly writeCache: boolean;
  /** The driver may switch the write cache. */
  readonly configWce: boolean;
  readonly discard: boolean;
  readonly writeZeroes: boolean;
  readonly maxDiscardSectors: number;
  readonly maxWriteZeroesSectors: number;
  readonly readErrors: ErrorPolicy;
  readonly writeErrors: ErrorPolicy;
}

/** What a disk needs beside a device's environment. */
export interface BlockBackend {
  readonly image: Image;
  /** Cache mode `unsafe`: nothing is flushed. */
  readonly noFlush: boolean;
  /** Stops the machine because of an error that the operator should see to; `resume` follows when it goes on. */
  stop(operation: 'read' | 'write', message: string, noSpace: boolean): void;
  /** Tells of an error. `noSpace`: whether it is for lack of room, where that could make a difference. */
  report(
    operation: 'read' | 'write',
    action: 'report' | 'ignore' | 'stop',
    message: string,
    noSpace: boolean | undefined,
  ): void;
}

/** One request that has been taken and not been answered. */
interface Pending {
  readonly queue: Virtqueue;
  readonly chain: Chain;
}

export class VirtioBlock extends VirtioDevice {
  readonly type = 2;
  readonly label = 'virtio-blk';
  protected readonly ownFeatures: bigint;
  readonly #properties: BlockProperties;
  readonly #backend: BlockBackend;
  readonly #image: Image;
  #writeCache: boolean;
  /** Requests that wait for a flush, or for the machine to go on after an error. */
  readonly #flushing = new Set<Pending>();
  #stopped: Pending[] = [];

  constructor(environment: VirtioEnvironment, properties: BlockProperties, backend: BlockBackend) {
    super(environment, properties);
    this.#properties = properties;
    this.#backend = backend;
    this.#image = backend.image;
    this.#writeCache = properties.writeCache;
    const bits: [boolean, bigint][] = [
      [true, BlockFeature.segments | BlockFeature.geometry | BlockFeature.topology | BlockFeature.blockSize],
      [this.#image.readOnly, BlockFeature.readOnly],
      [properties.writeCache || properties.configWce, BlockFeature.flush],
      [properties.configWce, BlockFeature.writeCacheControl],
      [properties.numQueues > 1, BlockFeature.queues],
      [properties.discard, BlockFeature.discard],
      [properties.writeZeroes, BlockFeature.writeZeroes],
    ];
    this.ownFeatures = bits.reduce((sum, [on, bit]) => (on ? sum | bit : sum), 0n);
    for (let n = 0; n < properties.numQueues; n++) this.addQueue(properties.queueSize);
  }

  configuration(): Uint8Array {
    const properties = this.#properties;
    const little = this.modern;
    const data = new Uint8Array(60);
    const view = new DataView(data.buffer);
    view.setBigUint64(0, BigInt(Math.floor(this.#image.size / SECTOR)), little);
    view.setUint32(12, properties.segMaxAdjust ? properties.queueSize - 2 : 128 - 2, little);
    const { cylinders, heads, sectors } = properties.geometry;
    view.setUint16(16, cylinders, little);
    view.setUint8(18, heads);
    // Sectors here are blocks.
    view.setUint8(19, sectors);
    view.setUint32(20, properties.logicalBlockSize, little);
    view.setUint8(24, Math.log2(properties.physicalBlockSize / properties.logicalBlockSize));
    view.setUint16(26, properties.minIoSize / properties.logicalBlockSize, little);
    view.setUint32(28, properties.optIoSize / properties.logicalBlockSize, little);
    view.setUint8(WRITE_CACHE, this.#writeCache ? 1 : 0);
    view.setUint16(34, properties.numQueues, little);
    if (properties.discard) {
      view.setUint32(36, properties.maxDiscardSectors, little);
      view.setUint32(40, 1, little);
      view.setUint32(44, properties.discardGranularity / SECTOR, little);
    }
    if (properties.writeZeroes) {
      view.setUint32(48, properties.maxWriteZeroesSectors, little);
      view.setUint32(52, 1, little);
      view.setUint8(56, 1);
    }
    return data;
  }

  override configure(data: Uint8Array): void {
    if (data.length > WRITE_CACHE) this.#writeCache = data[WRITE_CACHE] !== 0;
  }

  protected override statusChanged(): void {
    // A driver that knows nothing of flushing is not to lose what it has written.
    const driverOk = (this.status & 4) !== 0;
    if (driverOk && !this.has(BlockFeature.writeCacheControl)) {
      this.#writeCache = this.has(BlockFeature.flush) && this.#properties.writeCache;
    }
  }

  protected notified(queue: Virtqueue): void {
    if (this.#stopped.length > 0) return;
    queue.drain(chain => {
      this.#carryOut({ queue, chain });
      return this.#stopped.length === 0;
    });
    this.interrupt(queue);
  }

  #carryOut(request: Pending): void {
    const { readable, writable } = request.chain;
    if (readable.lengths.length === 0 || writable.lengths.length === 0) {
      throw new QueueError('virtio-blk missing headers');
    }
    if (readable.length < HEADER) throw new QueueError('virtio-blk request outhdr too short');
    const header = view(readable.read(0, HEADER));
    const kind = header.getUint32(0, this.modern);
    const sector = Number(header.getBigUint64(8, this.modern));
    switch (kind) {
      case Request.read:
        return this.#transfer(request, 'read', sector, writable.length - 1);
      case Request.write:
        return this.#transfer(request, 'write', sector, readable.length - HEADER);
      case Request.flush:
        return this.#flush(request);
      case Request.identification: {
        const text = new TextEncoder().encode(this.#properties.serial).subarray(0, SERIAL);
        const size = Math.min(text.length + 1, SERIAL, writable.length - 1);
        const padded = new Uint8Array(size);
        padded.set(text.subarray(0, size));
        writable.write(0, padded);
        return this.#answer(request, Result.ok);
      }
      case Request.discard:
      case Request.writeZeroes:
        return this.#range(request, kind);
      default:
        return this.#answer(request, Result.unsupported);
    }
  }

  #answer({ queue, chain }: Pending, result: number): void {
    if (virtioTrace.virtio_blk_req_complete.on) virtioTrace.virtio_blk_req_complete.tell(result);
    const { writable } = chain;
    writable.write8(writable.length - 1, result);
    queue.push(chain, writable.length);
  }

  /** Whether the range is on the disk and consists of whole blocks. */
  #contains(sector: number, length: number): boolean {
    const block = this.#properties.logicalBlockSize;
    const start = sector * SECTOR;
    return start % block === 0 && length % block === 0 && start + length <= this.#image.size;
  }

  #transfer(request: Pending, operation: 'read' | 'write', sector: number, length: number): void {
    const event = operation === 'read' ? virtioTrace.virtio_blk_handle_read : virtioTrace.virtio_blk_handle_write;
    if (event.on) event.tell(sector, length);
    if (!this.#contains(sector, length) || (operation === 'write' && this.#image.readOnly)) {
      return this.#answer(request, Result.error);
    }
    const { readable, writable } = request.chain;
    const { staging } = this.storage;
    const start = sector * SECTOR;
    this.#attempt(request, operation, () => {
      for (let done = 0; done < length; done += staging.length) {
        const part = staging.subarray(0, Math.min(staging.length, length - done));
        if (operation === 'read') {
          this.#image.read(start + done, part);
          writable.unstage(done, part.length);
        } else {
          readable.stage(HEADER + done, part.length);
          this.#image.write(start + done, part);
        }
      }
    });
  }

  #range(request: Pending, kind: typeof Request.discard | typeof Request.writeZeroes): void {
    const { readable } = request.chain;
    if (readable.length < HEADER + RANGE) throw new QueueError('virtio-blk discard/write_zeroes header too short');
    // The driver was told that one range is the most.
    if (readable.length > HEADER + RANGE) return this.#answer(request, Result.unsupported);
    const range = view(readable.read(HEADER, RANGE));
    const sector = Number(range.getBigUint64(0, this.modern));
    const sectors = range.getUint32(8, this.modern);
    const flags = range.getUint32(12, this.modern);
    const zeroes = kind === Request.writeZeroes;
    const { maxDiscardSectors, maxWriteZeroesSectors, discard, writeZeroes } = this.#properties;
    if ((flags & ~UNMAP) !== 0 || (!zeroes && flags !== 0) || !(zeroes ? writeZeroes : discard)) {
      return this.#answer(request, Result.unsupported);
    }
    const most = zeroes ? maxWriteZeroesSectors : maxDiscardSectors;
    if (sectors > most || !this.#contains(sector, sectors * SECTOR) || this.#image.readOnly) {
      return this.#answer(request, Result.error);
    }
    // What has been discarded may read as anything, also as what it was.
    if (!zeroes) return this.#answer(request, Result.ok);
    this.#attempt(request, 'write', () => this.#image.writeZeroes(sector * SECTOR, sectors * SECTOR));
  }

  /** Does the work and answers. Writes that no cache may keep are answered when they are safe. */
  #attempt(request: Pending, operation: 'read' | 'write', work: () => void): void {
    try {
      work();
    } catch (error) {
      return this.#failed(request, operation, error);
    }
    if (operation === 'write' && !this.#writeCache) this.#flush(request);
    else this.#answer(request, Result.ok);
  }

  #flush(request: Pending): void {
    if (this.#backend.noFlush || this.#image.readOnly) return this.#answer(request, Result.ok);
    this.#flushing.add(request);
    const settled = (work: () => void): void => {
      // Unless there has been a reset.
      if (!this.#flushing.delete(request)) return;
      this.guarded(() => {
        work();
        this.interrupt(request.queue);
      });
    };
    this.#image.flush().then(
      () => settled(() => this.#answer(request, Result.ok)),
      error => settled(() => this.#failed(request, 'write', error)),
    );
  }

  #failed(request: Pending, operation: 'read' | 'write', error: unknown): void {
    if (!(error instanceof BlockError)) throw error;
    const { readErrors, writeErrors } = this.#properties;
    const policy = operation === 'read' ? readErrors : writeErrors;
    const action = policy === 'enospc' ? (error.noSpace ? 'stop' : 'report') : policy;
    const mayStop = writeErrors === 'enospc' || [readErrors, writeErrors].includes('stop');
    this.#backend.report(operation, action, error.message, mayStop ? error.noSpace : undefined);
    if (action === 'stop') {
      this.#stopped.push(request);
      this.#backend.stop(operation, error.message, error.noSpace);
    } else this.#answer(request, action === 'ignore' ? Result.ok : Result.error);
  }

  /** The machine goes on: what has failed is tried again, and then the rest. */
  override resume(): void {
    this.#again(this.#stopped.splice(0));
  }

  #again(requests: readonly Pending[]): void {
    if (requests.length === 0) return;
    this.guarded(() => {
      for (const request of requests) this.#carryOut(request);
      for (const queue of this.queues) {
        if (!queue.place) continue;
        this.interrupt(queue);
        this.notify(queue.index);
      }
    });
  }

  override close(): void {
    this.#flushing.clear();
    this.#image.close();
  }

  protected resetDevice(): void {
    this.#flushing.clear();
    this.#stopped = [];
    this.#writeCache = this.#properties.writeCache;
  }

  protected saveDevice(): Fields {
    // What waits is begun anew: flushing twice does no harm.
    const pending = [...this.#flushing, ...this.#stopped];
    return {
      writeCache: this.#writeCache,
      queues: pending.map(({ queue }) => queue.index),
      chains: this.savedChains(pending.map(({ chain }) => chain)),
    };
  }

  protected loadDevice(saved: SavedFields): () => void {
    const writeCache = saved.flag('writeCache');
    const chains = saved.groups('chains').map(fields => this.loadChain(fields));
    const pending = saved.integers('queues', chains.length, 2).map((index, n): Pending => {
      const queue = this.queues[Number(index)];
      if (!queue) throw new SaveError('virtio-blk: a request of a queue that is not there');
      return { queue, chain: chains[n]! };
    });
    return () => {
      this.#writeCache = writeCache;
      this.#stopped = pending;
    };
  }
}

const view = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.length);
