/** The CPU models by generation: what each has by itself, and what QEMU gives a guest by default. */

import { expand } from './cpu-features.ts';

export interface ModelDefinition {
  readonly name: string;
  /** Machine type, as STORE CPU ID shows it. */
  readonly type: number;
  readonly generation: number;
  /** General availability: the driver level of a generation. */
  readonly level: number;
  /** Bits of a host address that a guest may need (READ SCP INFO, maximum host address). */
  readonly addressBits: number;
  /** Hypervisor-managed facilities (READ SCP INFO, byte 124). */
  readonly hypervisorFacilities: number;
  readonly description: string;
}

/** Model lines: name, type, generation, level, address bits, description. */
const lines = `z900 2064 7 1 38 zSeries 900 GA1
z900.2 2064 7 2 38 zSeries 900 GA2
z900.3 2064 7 3 38 zSeries 900 GA3
z800 2066 7 3 38 zSeries 800 GA1
z990 2084 8 1 38 zSeries 990 GA1
z990.2 2084 8 2 38 zSeries 990 GA2
z990.3 2084 8 3 38 zSeries 990 GA3
z890 2086 8 3 38 zSeries 880 GA1
z990.4 2084 8 4 38 zSeries 990 GA4
z890.2 2086 8 4 38 zSeries 880 GA2
z990.5 2084 8 5 38 zSeries 990 GA5
z890.3 2086 8 5 38 zSeries 880 GA3
z9EC 2094 9 1 40 System z9 EC GA1
z9EC.2 2094 9 2 40 System z9 EC GA2
z9BC 2096 9 2 40 System z9 BC GA1
z9EC.3 2094 9 3 40 System z9 EC GA3
z9BC.2 2096 9 3 40 System z9 BC GA2
z10EC 2097 10 1 43 System z10 EC GA1
z10EC.2 2097 10 2 43 System z10 EC GA2
z10BC 2098 10 2 43 System z10 BC GA1
z10EC.3 2097 10 3 43 System z10 EC GA3
z10BC.2 2098 10 3 43 System z10 BC GA2
z196 2817 11 1 44 zEnterprise 196 GA1
z196.2 2817 11 2 44 zEnterprise 196 GA2
z114 2818 11 2 44 zEnterprise 114 GA1
zEC12 2827 12 1 44 zEnterprise EC12 GA1
zEC12.2 2827 12 2 44 zEnterprise EC12 GA2
zBC12 2828 12 2 44 zEnterprise BC12 GA1
z13 2964 13 1 47 z13 GA1
z13.2 2964 13 2 47 z13 GA2
z13s 2965 13 2 47 z13s GA1
z14 3906 14 1 47 z14 GA1
z14.2 3906 14 2 47 z14 GA2
z14ZR1 3907 14 1 47 z14 Model ZR1 GA1
gen15a 8561 15 1 47 z15 T01 GA1
gen15b 8562 15 1 47 z15 T02 GA1
gen16a 3931 16 1 47 3931 GA1
gen16b 3932 16 1 47 3932 GA1
gen17a 9175 17 1 47 9175 GA1
gen17b 9176 17 1 47 9176 GA1`;

/** In the order of their release. */
export const models: readonly ModelDefinition[] = lines.split('\n').map(line => {
  const [name, type, generation, level, addressBits, ...words] = line.split(' ');
  return {
    name: name!,
    type: Number.parseInt(type!, 16),
    generation: Number(generation),
    level: Number(level),
    addressBits: Number(addressBits),
    hypervisorFacilities: Number(generation) >= 11 ? 0x0800_0000 : 0,
    description: `IBM ${words.join(' ')}`,
  };
});

export const modelNamed = (name: string): ModelDefinition | undefined => models.find(model => model.name === name);

/** What a driver level of a generation brought. */
interface Step {
  readonly generation: number;
  readonly level: number;
  /** Features, and names of groups: */
  /** that every such machine has, */
  readonly base?: string;
  /** that a guest gets beside them, */
  readonly usual?: string;
  /** that it can be given beside them, */
  readonly possible?: string;
  /** that it does not get by itself any more. */
  readonly without?: string;
}

const steps: readonly Step[] = [
  { generation: 7, level: 1, base: 'plo esan3 zarch', possible: 'ppa15 bpb sief2 skey gpereh ib cei' },
  { generation: 7, level: 2, possible: 'etf2' },
  { generation: 7, level: 3, possible: 'ldisp siif' },
  { generation: 8, level: 1, base: 'dateh etf2 msa ldisp ldisphp hfpm', possible: 'gsls 64bscao' },
  { generation: 8, level: 3, possible: 'asnlxr etf3' },
  {
    generation: 9,
    level: 1,
    base: 'idtes asnlxr stfle srs eimm etf3 hfpue etf2eh stckf tods etf3eh dateh2',
    usual: 'sthyi msa1 cmm',
    possible: 'cmma',
  },
  { generation: 9, level: 2, possible: 'mvcos ectg csst fpseh dfp' },
  { generation: 9, level: 3, possible: 'csske pfpo' },
  {
    generation: 10,
    level: 1,
    base: 'csske parseh mvcos ectg csst csst2 ginste exrl fpseh dfp dfphp pfpo',
    usual: 'edat msa2',
    possible: 'ctop esop pfmfi sigpif',
  },
  { generation: 10, level: 2, possible: 'sprogp ibs' },
  { generation: 10, level: 3, possible: 'msa3' },
  {
    generation: 11,
    level: 1,
    base: 'nonqks emon fpe sprogp stfle45 cmpsceh iacc2',
    usual: 'msa3 ipter aefsi msa4 ppa15 bpb',
  },
  {
    generation: 12,
    level: 1,
    base: 'dfpzc stfle49 ltlbc',
    usual: 'cte te ri zpci aen edat2 esop sea_esop2',
    possible: 'ais apqci apqi apft ap els diag318',
  },
  { generation: 12, level: 2, possible: 'msa5' },
  { generation: 13, level: 1, base: 'stfle53 dfppc gen13ptff', usual: 'msa5 vx' },
  {
    generation: 14,
    level: 1,
    base: 'eec minste2 sema tsi opc',
    usual: 'iep gs vxpd vxeh msa6 msa7 msa8 mepoch mepochptff',
    possible: 'tpei irbm cmmnt etoken hpma2 kss',
  },
  {
    generation: 15,
    level: 1,
    base: 'minste3',
    usual: 'vxeh2 deflate vxpdeh msa9 msa9_pckmo etoken',
    possible: 'esort unpack',
    without: 'csske bpb',
  },
  { generation: 16, level: 1, usual: 'nnpa vxpdeh2 beareh rdp pai paie', possible: 'appv appvi' },
  {
    generation: 17,
    level: 1,
    base: 'minste4 sif msa12 plo_ext',
    usual: 'vxeh3 vxpdeh3 msa10 msa10_pckmo msa11 msa11_pckmo msa13 msa13_pckmo',
    possible: 'ineff_nc_tx gen17ptff ccf',
  },
];

/** Sets of features of a model, each contained in the next: base, usual (the default), possible. */
export function featuresOf({ generation, level }: ModelDefinition): Record<'base' | 'usual' | 'possible', Set<string>> {
  const base = new Set<string>();
  const usual = new Set<string>();
  const possible = new Set<string>();
  for (const step of steps) {
    if (step.generation > generation || (step.generation === generation && step.level > level)) break;
    for (const name of expand(step.base ?? '')) base.add(name);
    for (const name of expand(step.usual ?? '')) usual.add(name);
    for (const name of expand(step.possible ?? '')) possible.add(name);
    for (const name of base) usual.add(name);
    for (const name of usual) possible.add(name);
    for (const name of expand(step.without ?? '')) {
      base.delete(name);
      usual.delete(name);
    }
  }
  return { base, usual, possible };
}
