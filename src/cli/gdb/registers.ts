/** The registers as gdb knows them: numbered in the order of the target description that is made from the same table. */

import type { Registers } from '../../cpu/registers.ts';
import * as state from '../../cpu/state.ts';

interface GdbRegister {
  readonly name: string;
  readonly bits: 32 | 64 | 128;
  readonly type: string;
  readonly group: string;
  readonly get: (registers: Registers) => bigint;
  readonly set: (registers: Registers, value: bigint) => void;
}

interface Feature {
  readonly name: string;
  /** Types that its registers have, as XML. */
  readonly types?: string;
  readonly registers: readonly GdbRegister[];
}

const sixteen = (make: (n: number) => GdbRegister): GdbRegister[] => Array.from({ length: 16 }, (_, n) => make(n));

/** A 64-bit field of the CPU's block. */
const field = (name: string, type: string, offset: number): GdbRegister => ({
  name,
  bits: 64,
  type,
  group: 'system',
  get: registers => registers.field64(offset),
  set: (registers, value) => registers.setField64(offset, value),
});

const features: readonly Feature[] = [
  {
    name: 'org.gnu.gdb.s390.core',
    registers: [
      {
        name: 'pswm',
        bits: 64,
        type: 'uint64',
        group: 'psw',
        get: registers => registers.pswMaskWithCc,
        set: (registers, value) => registers.setPsw(value, registers.pswAddress),
      },
      {
        name: 'pswa',
        bits: 64,
        type: 'uint64',
        group: 'psw',
        get: registers => registers.pswAddress,
        set: (registers, value) => {
          registers.pswAddress = value;
        },
      },
      ...sixteen(n => ({
        name: `r${n}`,
        bits: 64,
        type: 'uint64',
        group: 'general',
        get: registers => registers.gr(n),
        set: (registers, value) => registers.setGr(n, value),
      })),
    ],
  },
  {
    name: 'org.gnu.gdb.s390.acr',
    registers: sixteen(n => ({
      name: `acr${n}`,
      bits: 32,
      type: 'uint32',
      group: 'access',
      get: registers => BigInt(registers.ar(n)),
      set: (registers, value) => registers.setAr(n, Number(value)),
    })),
  },
  {
    name: 'org.gnu.gdb.s390.fpr',
    registers: [
      {
        name: 'fpc',
        bits: 32,
        type: 'uint32',
        group: 'float',
        get: registers => BigInt(registers.fpc),
        set: (registers, value) => {
          registers.fpc = Number(value);
        },
      },
      ...sixteen(n => ({
        name: `f${n}`,
        bits: 64,
        type: 'ieee_double',
        group: 'float',
        get: registers => registers.fpr(n),
        set: (registers, value) => registers.setFpr(n, value),
      })),
    ],
  },
  {
    name: 'org.gnu.gdb.s390.vx',
    types: vectorTypes(),
    registers: [
      // The left halves of the first 16 are the floating-point registers.
      ...sixteen(n => ({
        name: `v${n}l`,
        bits: 64,
        type: 'uint64',
        group: 'vector',
        get: registers => registers.field64(state.VR + 16 * n),
        set: (registers, value) => registers.setField64(state.VR + 16 * n, value),
      })),
      ...sixteen(n => ({
        name: `v${n + 16}`,
        bits: 128,
        type: 'vec128',
        group: 'vector',
        get: registers => registers.vr(n + 16),
        set: (registers, value) => registers.setVr(n + 16, value),
      })),
    ],
  },
  {
    name: 'org.gnu.gdb.s390.cr',
    registers: sixteen(n => ({
      name: `cr${n}`,
      bits: 64,
      type: 'uint64',
      group: 'control',
      get: registers => registers.cr(n),
      set: (registers, value) => registers.setCr(n, value),
    })),
  },
  {
    name: 'org.gnu.gdb.s390.virt',
    registers: [
      // The CPU timer of a stopped CPU stands still where only its thread knows it.
      field('ckc', 'uint64', state.CLOCK_COMPARATOR),
      field('last_break', 'code_ptr', state.BEA),
      {
        name: 'prefix',
        bits: 64,
        type: 'data_ptr',
        group: 'system',
        get: registers => BigInt(registers.prefix),
        set: (registers, value) => {
          registers.prefix = Number(value & 0x7fff_e000n);
        },
      },
    ],
  },
];

export const registers: readonly GdbRegister[] = features.flatMap(feature => feature.registers);

/** target.xml. */
export const targetDescription = `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target>
  <architecture>s390:64-bit</architecture>
${features.map(featureXml).join('')}</target>
`;

/** A vector register as elements of each kind. */
function vectorTypes(): string {
  const kinds = [
    ['v4f', 'ieee_single', 4, 'v4_float'],
    ['v2d', 'ieee_double', 2, 'v2_double'],
    ['v16i8', 'int8', 16, 'v16_int8'],
    ['v8i16', 'int16', 8, 'v8_int16'],
    ['v4i32', 'int32', 4, 'v4_int32'],
    ['v2i64', 'int64', 2, 'v2_int64'],
  ] as const;
  const vectors = kinds.map(([id, type, count]) => `    <vector id="${id}" type="${type}" count="${count}"/>\n`);
  const fields = kinds.map(([id, , , name]) => `      <field name="${name}" type="${id}"/>\n`);
  const whole = '      <field name="uint128" type="uint128"/>\n';
  return `${vectors.join('')}    <union id="vec128">\n${fields.join('')}${whole}    </union>\n`;
}

function featureXml({ name, types = '', registers }: Feature): string {
  const lines = registers.map(
    ({ name, bits, type, group }) => `    <reg name="${name}" bitsize="${bits}" type="${type}" group="${group}"/>\n`,
  );
  return `  <feature name="${name}">\n${types}${lines.join('')}  </feature>\n`;
}

/** Digits of a register's value as it would be in storage. */
export const registerDigits = (cpu: Registers, { bits, get }: GdbRegister): string =>
  get(cpu)
    .toString(16)
    .padStart(bits / 4, '0');
