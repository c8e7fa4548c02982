/** The thread of one CPU: makes the CPU over the shared memory, and runs it when told to. */

import { forgetDecoded } from '../cpu/code-pages.ts';
import { Cpu, type StopReason } from '../cpu/cpu.ts';
import { standalone } from '../cpu/environment.ts';
import { raiseServiceSignal } from '../cpu/pending.ts';
import type { Layout } from '../cpu/state.ts';
import { ChannelInstructions } from '../css/instructions.ts';
import { TablePaths } from '../css/paths.ts';
import { ChannelTable } from '../css/table.ts';
import { Response } from '../devices/sclp/sccb.ts';
import { commandName, refusal } from '../devices/sclp/sclp.ts';
import type { ThreadPort } from '../platform/threads.ts';
import type { TraceRecord } from '../trace/trace.ts';
import { mailboxOf } from './compiler-thread.ts';
import type { LogItem, PanicReason } from './control.ts';
import { bitsWithout, type CpuModel, steeringFunctions } from './cpu-model.ts';
import { CpuTable } from './cpu-table.ts';
import { diagnoseFunctions, type ResetRequest } from './diagnose.ts';
import { Doorbell } from './doorbell.ts';
import { type Identity, systemInformation } from './identity.ts';
import { rowsOf } from './rows.ts';
import { Storage } from './storage.ts';
import { ConfigurationTopology, type Shape } from './topology.ts';
import { Tracer } from './trace.ts';
import { connectTrace } from './trace-events.ts';
import { Watchdog } from './watchdog.ts';

/** What the thread is started with. */
export interface CpuStart {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly number: number;
  readonly weakHost: boolean;
  /** Name of the machine's mailboxes, in one of which the CPU finds compiled code; undefined: nothing is compiled. */
  readonly mailboxes: string | undefined;
  readonly identity: Identity;
  readonly cpuModel: CpuModel;
  readonly shape: Shape;
  /** The shared table of the channel subsystem. */
  readonly channels: SharedArrayBuffer;
  /** Which trace events are wanted. */
  readonly trace: SharedArrayBuffer;
  /** Highest address that storage may ever have, plus one. */
  readonly storageLimit: number;
  /** There is a watchdog. */
  readonly watchdog: boolean;
}

/** Messages to the thread; it takes them only while the CPU stands still. */
export type ToCpu =
  /** `changed`: registers were changed from outside since the CPU last ran. `log`: what the log wants to know. */
  | { readonly kind: 'run' | 'step'; readonly changed: boolean; readonly log: readonly LogItem[] }
  | { readonly kind: 'breakpoints'; readonly addresses: readonly bigint[] };

/** Why a CPU stands still: asked to, at a breakpoint, because the guest ended or wants a reset, or in a panic. */
export type StoppedReason = 'request' | 'breakpoint' | 'shutdown' | 'reset' | PanicReason;

export type FromCpu =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped'; readonly reason: StoppedReason; readonly request?: ResetRequest | undefined }
  | { readonly kind: 'log'; readonly item: LogItem; readonly text: string }
  | { readonly kind: 'trace'; readonly record: TraceRecord };

/** Reasons of `Cpu.run` as a machine sees them, a disabled wait apart. */
const panics: Readonly<Record<string, PanicReason>> = {
  'program-loop': 'pgmint-loop',
  'operation-loop': 'opint-loop',
  'external-loop': 'extint-loop',
  'check-stop': 'unknown',
};

/** A disabled wait with these low bits of the address says that the system is done (PSW address X'...FFF'). */
const QUIET_WAIT = 0xfffn;

export function cpuThread(port: ThreadPort, start: CpuStart): void {
  const { memory, layout, number, weakHost } = start;
  const doorbell = new Doorbell(memory, layout);
  const cpu = new Cpu(new Storage(memory, layout), number, rowsOf(start.cpuModel), weakHost);
  if (start.mailboxes !== undefined) {
    const mailbox = port.mailbox(mailboxOf(start.mailboxes, number));
    cpu.regions.takeFrom(() => mailbox.receive());
  }
  const post = (message: FromCpu): void => port.post(message);
  const equipment = equip(cpu, start, post, () => doorbell.ring());
  port.onMessage((message: ToCpu) => {
    if (!equipment.take(message)) return;
    let reason: StopReason = 'request';
    if (message.kind === 'run') reason = cpu.run();
    else {
      cpu.onInstruction?.();
      cpu.singleStep();
    }
    equipment.report(reason);
  });
  post({ kind: 'ready' });
}

/** What a CPU is told and tells, beside running. */
export interface Equipment {
  /** Makes the CPU ready to do what a message says; false: it is done. */
  take(message: ToCpu): boolean;
  /** The CPU stands still. */
  report(reason: StopReason): void;
}

/** Puts a CPU into its surroundings. @param ordered another CPU has been given an order */
export function equip(cpu: Cpu, start: CpuStart, post: (message: FromCpu) => void, ordered: () => void): Equipment {
  const { memory, layout } = start;
  const { storage } = cpu;
  const { announced, features } = start.cpuModel;
  storage.onWrite((address, length) => forgetDecoded(memory, layout, address, length));
  const doorbell = new Doorbell(memory, layout);
  let request: ResetRequest | undefined;
  const askForReset = (_cpu: Cpu, what: ResetRequest): void => {
    request = what;
    cpu.stopCpu();
  };
  const table = new CpuTable(memory, layout);
  const information = systemInformation(start.identity, start.cpuModel, table);
  const functions = diagnoseFunctions({
    memory,
    layout,
    view: start.identity.view,
    information,
    features,
    storageLimit: start.storageLimit,
    watchdog: start.watchdog ? new Watchdog(memory, layout, doorbell) : undefined,
    reset: askForReset,
  });
  const named = new Set<string>();
  const unimplemented = (what: string): void => {
    if (!named.has(what)) post({ kind: 'log', item: 'unimp', text: `${what} is not implemented\n` });
    named.add(what);
  };
  const channels = new ChannelTable(start.channels, memory, layout);
  cpu.interruptions.takeIo = subclasses => {
    const taken = channels.takeInterruption(subclasses);
    return taken && { subchannelId: taken[0], parameter: taken[1], identification: taken[2] };
  };
  cpu.environment = {
    ...standalone,
    channels: new ChannelInstructions(channels, new TablePaths(channels), unimplemented),
    facilities: announced,
    withheld: {
      plo: new Set(bitsWithout(features, 'plo')),
      ptff: new Set([...bitsWithout(features, 'ptff'), ...(start.identity.view === 'kvm' ? steeringFunctions : [])]),
    },
    information,
    isConfigured: address => table.presence(address) === 'configured',
    ordered,
    ...(features.has('ctop') && {
      topology: new ConfigurationTopology(memory, layout, table, start.shape, () => doorbell.ring()),
    }),
    diagnose: new Map([...standalone.diagnose, ...functions]),
    serviceCall: (command, address) => {
      // What is refused at once need not go to another thread.
      const refused = refusal(command, address, storage.read16(address), features.has('els'));
      if (refused === undefined) {
        if (!doorbell.serviceCall(command, address)) return 2;
        // The response is there when the instruction ends, as under QEMU: guests look for it after any service signal.
        cpu.exclusion.end();
        doorbell.awaitAnswer(() => cpu.counted || !cpu.isToStop);
        cpu.exclusion.begin();
        return 0;
      }
      if (doorbell.serviceBusy) return 2;
      if (refused === Response.invalidCommand) unimplemented(commandName(command));
      storage.write16(address + 6, refused);
      raiseServiceSignal(memory, layout, address);
      return 0;
    },
    unimplemented,
  };
  connectTrace(start.trace, record => post({ kind: 'trace', record }));
  const tracer = new Tracer(cpu, (item, text) => post({ kind: 'log', item, text }));

  const outcome = (reason: StopReason): StoppedReason => {
    if (request) return 'reset';
    if (reason === 'breakpoint') return reason;
    // The only CPU has stopped itself: nothing will ever happen again.
    if (reason === 'stopped') return 'shutdown';
    if (reason === 'disabled-wait') return (cpu.pswAddress & 0xfffn) === QUIET_WAIT ? 'shutdown' : 'disabled-wait';
    return panics[reason] ?? 'request';
  };

  return {
    take(message) {
      if (message.kind === 'breakpoints') {
        cpu.code.breakpoints = new Set(message.addresses);
        return false;
      }
      if (message.changed) cpu.changedFromOutside();
      tracer.watch(message.log);
      request = undefined;
      return true;
    },
    report(reason) {
      tracer.flush();
      post({ kind: 'stopped', reason: outcome(reason), request });
    },
  };
}
