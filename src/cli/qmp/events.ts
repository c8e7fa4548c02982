/** What the machine tells of itself, as QMP's events. */

import { type MachineControl, type Panic, watchdogActions } from '../../machine/control.ts';
import type { JsonObject } from './json.ts';
import type { Members } from './schema.ts';

/** Why the machine ends or is reset, as QEMU names it. */
const causes = [
  'host-error',
  'host-qmp-quit',
  'host-qmp-system-reset',
  'host-signal',
  'guest-shutdown',
  'guest-reset',
  'guest-panic',
] as const;
type Cause = (typeof causes)[number];

const ending = { guest: 'bool', reason: causes } as const;

/** The events and their data. */
export const events = {
  BLOCK_IO_ERROR: {
    device: 'str',
    operation: ['read', 'write'],
    action: ['ignore', 'report', 'stop'],
    '*nospace': 'bool',
    reason: 'str',
  },
  CPU_POLARIZATION_CHANGE: { polarization: ['horizontal', 'vertical'] },
  DEVICE_DELETED: { '*device': 'str', path: 'str' },
  GUEST_PANICKED: {
    action: ['pause', 'poweroff', 'run'],
    '*info': {
      object: {
        type: ['s390'],
        core: 'uint32',
        'psw-mask': 'uint64',
        'psw-addr': 'uint64',
        reason: ['unknown', 'disabled-wait', 'extint-loop', 'pgmint-loop', 'opint-loop'],
      },
    },
  },
  MIGRATION: { status: ['none', 'setup', 'cancelling', 'cancelled', 'active', 'completed', 'failed'] },
  POWERDOWN: {},
  RESET: ending,
  RESUME: {},
  SHUTDOWN: ending,
  STOP: {},
  VSERPORT_CHANGE: { id: 'str', open: 'bool' },
  WATCHDOG: { action: watchdogActions },
} as const satisfies Readonly<Record<string, Members>>;
export type EventName = keyof typeof events;

export interface QmpEvent {
  readonly event: EventName;
  readonly data?: JsonObject;
  /** When it happened, in milliseconds since 1970. */
  readonly time: number;
}

/** Events that a guest could flood everybody with, and the member by which it is told of what they are. */
const limited: Readonly<Partial<Record<EventName, string>>> = { VSERPORT_CHANGE: 'id', WATCHDOG: '' };
/** Milliseconds between two of them, of which only the last is told. */
const INTERVAL = 1000;

export class QmpEvents {
  readonly #machine: MachineControl;
  readonly #listeners: ((event: QmpEvent) => void)[] = [];
  /** It has been said that everything ends. */
  #over = false;
  /** Programs want to know of each step of a migration. */
  tellsOfMigration = false;

  constructor(machine: MachineControl) {
    this.#machine = machine;
    machine.on('resume', () => this.tell('RESUME'));
    // What stops the machine is told before.
    machine.on('stop', ({ state }) => {
      if (state !== 'shutdown' && state !== 'guest-panicked') this.tell('STOP');
    });
    machine.on('polarization', ({ vertical }) => {
      this.tell('CPU_POLARIZATION_CHANGE', { polarization: vertical ? 'vertical' : 'horizontal' });
    });
    machine.on('device', ({ name, data }) => this.tell(name as EventName, data as JsonObject));
    machine.on('powerdown', () => this.tell('POWERDOWN'));
    machine.on('watchdog', ({ action }) => this.tell('WATCHDOG', { action }));
    machine.on('reset', ({ cause }) => {
      const guest = cause !== 'host';
      this.tell('RESET', { guest, reason: guest ? cause : 'host-qmp-system-reset' });
    });
    machine.on('shutdown', ({ cause }) => {
      this.ends(cause === 'host' ? 'host-error' : cause);
      if (machine.actions.shutdown === 'pause') this.tell('STOP');
    });
    machine.on('guest-panicked', panic => this.#panicked(panic));
    machine.on('internal-error', () => this.tell('STOP'));
  }

  migration(status: string): void {
    if (this.tellsOfMigration) this.tell('MIGRATION', { status });
  }

  listen(listener: (event: QmpEvent) => void): void {
    this.#listeners.push(listener);
  }

  tell(event: EventName, data?: JsonObject): void {
    const told = { event, time: Date.now(), ...(data && { data }) };
    const member = limited[event];
    if (member === undefined) return this.#tellAll(told);
    const key = `${event} ${data?.[member]}`;
    if (this.#held.has(key)) this.#held.set(key, told);
    else this.#tellAndHold(key, told);
  }

  /** What must wait until it may be told, by event and what it is of; undefined: nothing has come since the last. */
  readonly #held = new Map<string, QmpEvent | undefined>();

  #tellAndHold(key: string, told: QmpEvent): void {
    this.#tellAll(told);
    this.#held.set(key, undefined);
    const timer: { unref?(): void } = setTimeout(() => {
      const last = this.#held.get(key);
      if (last) this.#tellAndHold(key, last);
      else this.#held.delete(key);
    }, INTERVAL) as never;
    // The process need not wait for it.
    timer.unref?.();
  }

  #tellAll(told: QmpEvent): void {
    for (const listener of this.#listeners) listener(told);
  }

  /** The machine ends, and with it everything unless it is to be kept. */
  ends(reason: Cause): void {
    if (this.#over) return;
    const asked = reason === 'host-qmp-quit' || reason === 'host-signal';
    this.#over = asked || this.#machine.actions.shutdown === 'poweroff';
    this.tell('SHUTDOWN', { guest: reason.startsWith('guest-'), reason });
  }

  #panicked({ cpu, reason, pswMask, pswAddress }: Panic): void {
    const { panic, shutdown } = this.#machine.actions;
    const info = { type: 's390', core: cpu, 'psw-mask': pswMask, 'psw-addr': pswAddress, reason };
    const off = panic === 'exit-failure' || (panic === 'shutdown' && shutdown === 'poweroff');
    this.tell('GUEST_PANICKED', { action: off ? 'poweroff' : panic === 'none' ? 'run' : 'pause', info });
    if (panic === 'none') return;
    if (off) this.ends('guest-panic');
    else this.tell('STOP');
  }
}
