/** What the SCLP tells of the machine, from its CPU model and its CPUs. */

import type { Layout } from '../cpu/state.ts';
import type { MachineFacts, StorageFacts } from '../devices/sclp/sclp.ts';
import { fromEbcdic } from '../ebcdic.ts';
import { bitBlock, bitsOf, type CpuModel } from './cpu-model.ts';
import type { CpuTable } from './cpu-table.ts';
import { iplParameters } from './diagnose.ts';
import { NESTING } from './topology.ts';

/** In the flags of an IPL parameter block: its load parameter counts. */
const HAS_LOAD_PARAMETER = 0x80;

export function scpInformation(
  memory: WebAssembly.Memory,
  layout: Layout,
  model: CpuModel,
  table: CpuTable,
  storage: StorageFacts,
  loadParameter: string,
  configureCpu: MachineFacts['configureCpu'],
): MachineFacts {
  const { features, definition } = model;
  const block = (kind: string, length: number): Uint8Array => bitBlock(bitsOf(features, kind), length);
  return {
    storage,
    maximumCpus: table.size,
    extendedLength: features.has('els'),
    nesting: features.has('ctop') ? NESTING : 0,
    addressBits: definition.addressBits,
    hypervisorFacilities: definition.hypervisorFacilities,
    configuration: block('configuration', 19),
    configuration2: block('configuration-2', 4),
    byte134: block('byte-134', 1)[0]!,
    cpuFeatures: block('cpu-entry', 6),
    loadParameter: () => {
      const parameters = iplParameters(memory, layout);
      if (!parameters || !(parameters[13]! & HAS_LOAD_PARAMETER)) return loadParameter;
      return new TextDecoder('latin1').decode(fromEbcdic(parameters.slice(16, 24)));
    },
    cpus: () => ({ configured: table.addresses('configured'), standby: table.addresses('standby') }),
    configureCpu,
  };
}
