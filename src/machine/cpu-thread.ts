/** The thread of one CPU: makes the CPU over the shared memory, and runs it when told to. */

import { forgetDecoded } from '../cpu/code-pages.ts';
import { Cpu } from '../cpu/cpu.ts';
import { standalone } from '../cpu/environment.ts';
import { instructions } from '../cpu/isa/index.ts';
import type { Layout } from '../cpu/state.ts';
import type { Port } from '../platform/threads.ts';
import type { LogItem, PanicReason } from './control.ts';
import { Doorbell } from './doorbell.ts';
import { Storage } from './storage.ts';

/** What the thread is started with. */
export interface CpuStart {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly number: number;
  readonly name: string;
  readonly uuid: Uint8Array | undefined;
}

/** Messages to the thread; it takes them only while the CPU stands still. */
export type ToCpu =
  | { readonly kind: 'run' }
  | { readonly kind: 'step' }
  | { readonly kind: 'breakpoints'; readonly addresses: readonly bigint[] }
  /** Registers or storage were changed from outside. */
  | { readonly kind: 'changed' };

/** Why a CPU stands still: asked to, at a breakpoint, because the guest ended or wants a reset, or in a panic. */
export type StoppedReason = 'request' | 'breakpoint' | 'shutdown' | 'reset' | PanicReason;

export type FromCpu =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped'; readonly reason: StoppedReason }
  | { readonly kind: 'log'; readonly item: LogItem; readonly text: string };

/** Reasons of `Cpu.run` as a machine sees them, a disabled wait apart. */
const panics: Readonly<Record<string, PanicReason>> = { 'program-loop': 'pgmint-loop' };

/** A disabled wait with these low bits of the address says that the system is done (PSW address X'...FFF'). */
const QUIET_WAIT = 0xfffn;

export function cpuThread(port: Port, start: CpuStart): void {
  const { memory, layout, number } = start;
  const storage = new Storage(memory, layout);
  const cpu = new Cpu(storage, number, instructions);
  storage.onWrite((address, length) => forgetDecoded(memory, layout, address, length));
  const doorbell = new Doorbell(memory, layout);
  cpu.environment = {
    ...standalone,
    information: { ...standalone.information },
    serviceCall: (command, address) => (doorbell.serviceCall(command, address) ? 0 : 2),
    unimplemented: what => post({ kind: 'log', item: 'unimp', text: `${what} is not implemented\n` }),
  };
  const post = (message: FromCpu): void => port.post(message);

  const outcome = (reason: ReturnType<Cpu['run']>): StoppedReason => {
    if (reason === 'disabled-wait') return (cpu.pswAddress & 0xfffn) === QUIET_WAIT ? 'shutdown' : 'disabled-wait';
    return panics[reason] ?? 'request';
  };

  port.onMessage((message: ToCpu) => {
    switch (message.kind) {
      case 'run':
        return post({ kind: 'stopped', reason: outcome(cpu.run()) });
      case 'step':
        cpu.single();
        return post({ kind: 'stopped', reason: 'request' });
      case 'breakpoints':
        cpu.code.breakpoints = new Set(message.addresses);
        return;
      case 'changed':
        return cpu.changedFromOutside();
    }
  });
  post({ kind: 'ready' });
}
