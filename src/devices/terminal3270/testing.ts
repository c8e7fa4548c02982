/** For tests: a connection whose other end is the test. */

import { Backend } from '../../chardev/chardev.ts';

export class Wire extends Backend {
  readonly description = 'wire';
  readonly toClient: Uint8Array[] = [];
  /** The client takes nothing. */
  stuck = false;
  /** Bytes that wait for the terminal. */
  held = 0;
  write(data: Uint8Array): boolean {
    this.toClient.push(data.slice());
    return !this.stuck;
  }
  come(): void {
    this.event('open');
  }
  go(): void {
    this.event('close');
  }
  override disconnect(): void {
    if (this.isOpen) this.event('close');
  }
  fromClient(data: Uint8Array): void {
    this.input(data);
  }
  take(): void {
    this.stuck = false;
    this.drained();
  }
  protected override hold(waiting: number): void {
    this.held = waiting;
  }
}
