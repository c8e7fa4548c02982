/** virtio-rng (virtio 1.2, 5.4): entropy. */

import type { Fields, SavedFields } from '../../../save/save-state.ts';
import { type CommonProperties, Status, VirtioDevice, type VirtioEnvironment } from '../device.ts';
import type { Virtqueue } from '../queue.ts';
import { virtioTrace } from '../trace.ts';
import type { EntropySource } from './source.ts';

const QUEUE_SIZE = 8;
/** Bytes that are asked of the source at a time. */
const MOST = 0x10000;

export interface RngProperties extends CommonProperties {
  /** Bytes that the guest gets in a period at most. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly period: number;
}

export class VirtioRng extends VirtioDevice {
  readonly type = 4;
  readonly label = 'virtio-rng';
  protected readonly ownFeatures = 0n;
  readonly #queue: Virtqueue;
  readonly #properties: RngProperties;
  readonly #source: EntropySource;
  #quota: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts resets: what comes for a driver that has gone is not for the next one. */
  #generation = 0;
  /** Something has been asked of the source. */
  #asked = false;

  constructor(environment: VirtioEnvironment, properties: RngProperties, source: EntropySource) {
    super(environment, properties);
    this.#properties = properties;
    this.#source = source;
    this.#quota = properties.maxBytes;
    this.#queue = this.addQueue(QUEUE_SIZE);
  }

  configuration(): Uint8Array {
    return new Uint8Array(0);
  }

  protected notified(): void {
    this.#serve();
  }

  /** Fills buffers as long as there are some, and the quota and the source have bytes. */
  #serve(): void {
    if (this.#asked || !(this.status & Status.driverOk)) return;
    const queue = this.#queue;
    let filled = false;
    queue.drain(chain => {
      // A buffer that cannot be written takes nothing.
      const wanted = Math.min(chain.writable.length, MOST, this.#quota);
      if (wanted === 0 && chain.writable.length > 0) {
        queue.unpop(chain);
        this.#startPeriod();
        return false;
      }
      const bytes = this.#source.take(wanted, this.storage.staging);
      if (bytes === 0 && wanted > 0) {
        queue.unpop(chain);
        this.#ask(wanted);
        return false;
      }
      this.#quota -= bytes;
      if (this.#quota < this.#properties.maxBytes) this.#startPeriod();
      chain.writable.unstage(0, bytes);
      queue.push(chain, bytes);
      if (virtioTrace.virtio_rng_pushed.on) virtioTrace.virtio_rng_pushed.tell(bytes);
      filled = true;
      return true;
    });
    if (filled) this.interrupt(queue);
  }

  #ask(bytes: number): void {
    this.#asked = true;
    const generation = this.#generation;
    this.#source.request(bytes, () => {
      if (generation !== this.#generation) return;
      this.#asked = false;
      this.#tryAgain();
    });
  }

  #startPeriod(): void {
    // Without a limit there is nothing to count.
    if (this.#properties.maxBytes === Number.POSITIVE_INFINITY) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#quota = this.#properties.maxBytes;
      this.#tryAgain();
    }, this.#properties.period);
  }

  #tryAgain(): void {
    if (this.#queue.place && this.ready) this.guarded(() => this.#serve());
  }

  protected override statusChanged(): void {
    this.#tryAgain();
  }

  protected resetDevice(): void {
    this.#generation++;
    this.#asked = false;
  }

  override close(): void {
    clearTimeout(this.#timer);
    this.#generation++;
    this.#source.close();
  }

  override resume(): void {
    this.#tryAgain();
  }

  protected saveDevice(): Fields {
    return { quota: Number.isFinite(this.#quota) ? this.#quota : null };
  }

  protected loadDevice(saved: SavedFields): () => void {
    const quota = saved.optional('quota', () => saved.integer('quota'));
    return () => {
      this.#quota = Math.min(quota ?? this.#properties.maxBytes, this.#properties.maxBytes);
      if (this.#quota < this.#properties.maxBytes) this.#startPeriod();
    };
  }
}
