/**
 * What the machine says it is. By default a virtual machine of KVM's, as under QEMU, so that Linux chooses the same
 * consoles; with `-machine sysinfo=lpar` a logical partition.
 */

import { type SystemInformation, standalone } from '../cpu/environment.ts';
import type { CpuModel } from './cpu-model.ts';
import type { CpuTable } from './cpu-table.ts';

/** Who the guest sees above it. */
export type View = 'kvm' | 'lpar';

export interface Identity {
  readonly view: View;
  /** Of the machine; empty when it has none. */
  readonly name: string;
  /** 16 bytes. */
  readonly uuid: Uint8Array | undefined;
}

const MACHINE_NAME = 'KVMguest';

/** What STORE SYSTEM INFORMATION and STORE CPU ID tell. */
export function systemInformation({ view, name, uuid }: Identity, model: CpuModel, table: CpuTable): SystemInformation {
  const named = name || MACHINE_NAME;
  const { type } = model.definition;
  return {
    ...standalone.information,
    // Version X'FF' says that the CPU is a guest's; then the number, the type, and the format of the number.
    cpuId: (view === 'kvm' ? 0xff00_0000_0000_8000n : 0x0000_0000_0000_8000n) | (BigInt(type) << 16n),
    type: type.toString(16).toUpperCase(),
    partition: view === 'lpar' && name ? name.toUpperCase().slice(0, 8) : 'LPAR',
    level: view === 'lpar' ? 2 : 3,
    controlProgram: 'KVM/Linux',
    name: named.slice(0, 8),
    longName: named,
    uuid: uuid ?? new Uint8Array(16),
    cpus: () => table.counts(),
  };
}
