/**
 * Features of CPU models: their names in QEMU's words, where software sees them, which need which, and the names for
 * several at once. All that the models of `cpu-models.ts` may have is here, whether lpar has it or not.
 */

/** Where a feature shows: a facility list, a block of the SCLP's, the query function of an instruction. */
export type FeatureKind =
  | 'stfle'
  /** Bits from byte 80 of READ SCP INFO, from byte 116, from byte 134. */
  | 'configuration'
  | 'configuration-2'
  | 'byte-134'
  /** Bits of the features in a CPU entry. */
  | 'cpu-entry'
  /** Bits of the answer to QUERY ULTRAVISOR. */
  | 'secure-guest'
  /** Software tries whether it is there. */
  | 'none'
  /** The name of an instruction with a query function. */
  | (string & {});

export interface Feature {
  readonly name: string;
  readonly kind: FeatureKind;
  readonly bit: number;
  readonly description: string;
}

const listed: readonly (readonly [kind: FeatureKind, lines: string])[] = [
  [
    'stfle',
    `0 esan3 Instructions marked as n3
    1 zarch z/Architecture architectural mode
    3 dateh DAT-enhancement facility
    4 idtes IDTE selective TLB segment-table clearing
    5 idter IDTE selective TLB region-table clearing
    6 asnlxr ASN-and-LX reuse facility
    7 stfle Store-facility-list-extended facility
    8 edat Enhanced-DAT facility
    9 srs Sense-running-status facility
    10 csske Conditional-SSKE facility
    11 ctop Configuration-topology facility
    12 apqci Query AP Configuration Information facility
    13 ipter IPTE-range facility
    14 nonqks Nonquiescing key-setting facility
    15 apft AP Facilities Test facility
    16 etf2 Extended-translation facility 2
    17 msa-base Message-security-assist facility (excluding subfunctions)
    18 ldisp Long-displacement facility
    19 ldisphp Long-displacement facility has high performance
    20 hfpm HFP-multiply-add/subtract facility
    21 eimm Extended-immediate facility
    22 etf3 Extended-translation facility 3
    23 hfpue HFP-unnormalized-extension facility
    24 etf2eh ETF2-enhancement facility
    25 stckf Store-clock-fast facility
    26 parseh Parsing-enhancement facility
    27 mvcos Move-with-optional-specification facility
    28 tods-base TOD-clock-steering facility (excluding subfunctions)
    30 etf3eh ETF3-enhancement facility
    31 ectg Extract-CPU-time facility
    32 csst Compare-and-swap-and-store facility
    33 csst2 Compare-and-swap-and-store facility 2
    34 ginste General-instructions-extension facility
    35 exrl Execute-extensions facility
    36 emon Enhanced-monitor facility
    37 fpe Floating-point extension facility
    38 opc Order Preserving Compression facility
    40 sprogp Set-program-parameters facility
    41 fpseh Floating-point-support-enhancement facilities
    42 dfp DFP (decimal-floating-point) facility
    43 dfphp DFP (decimal-floating-point) facility has high performance
    44 pfpo PFPO instruction
    45 stfle45 Various facilities introduced with z196
    47 cmpsceh CMPSC-enhancement facility
    48 dfpzc Decimal-floating-point zoned-conversion facility
    49 stfle49 Various facilities introduced with zEC12
    50 cte Constrained transactional-execution facility
    51 ltlbc Local-TLB-clearing facility
    52 iacc2 Interlocked-access facility 2
    53 stfle53 Various facilities introduced with z13
    54 eec Entropy encoding compression facility
    57 msa5-base Message-security-assist-extension-5 facility (excluding subfunctions)
    58 minste2 Miscellaneous-instruction-extensions facility 2
    59 sema Semaphore-assist facility
    60 tsi Time-slice Instrumentation facility
    61 minste3 Miscellaneous-Instruction-Extensions Facility 3
    64 ri CPU runtime-instrumentation facility
    65 apqi AP-Queue interruption facility
    69 zpci z/PCI facility
    71 aen General-purpose-adapter-event-notification facility
    72 ais General-purpose-adapter-interruption-suppression facility
    73 te Transactional-execution facility
    74 sthyi Store-hypervisor-information facility
    75 aefsi Access-exception-fetch/store-indication facility
    76 msa3-base Message-security-assist-extension-3 facility (excluding subfunctions)
    77 msa4-base Message-security-assist-extension-4 facility (excluding subfunctions)
    78 edat2 Enhanced-DAT facility 2
    80 dfppc Decimal-floating-point packed-conversion facility
    81 ppa15 PPA15 is installed
    82 bpb Branch prediction blocking
    84 minste4 Miscellaneous-Instruction-Extensions Facility 4
    85 sif Sequential-instruction-fetching facility
    86 msa12-base Message-security-assist-extension-12 facility (excluding subfunctions)
    87 plo-ext PLO-extension facility
    129 vx Vector facility
    130 iep Instruction-execution-protection facility
    131 sea_esop2 Side-effect-access facility and Enhanced-suppression-on-protection facility 2
    133 gs Guarded-storage facility
    134 vxpd Vector packed decimal facility
    135 vxeh Vector enhancements facility
    139 mepoch Multiple-epoch facility
    140 els Extended-length SCCB facility
    144 tpei Test-pending-external-interruption facility
    145 irbm Insert-reference-bits-multiple facility
    146 msa8-base Message-security-assist-extension-8 facility (excluding subfunctions)
    147 cmmnt CMM: ESSA-enhancement (no translate) facility
    148 vxeh2 Vector Enhancements facility 2
    150 esort-base Enhanced-sort facility (excluding subfunctions)
    151 deflate-base Deflate-conversion facility (excluding subfunctions)
    152 vxpdeh Vector-Packed-Decimal-Enhancement Facility
    155 msa9-base Message-security-assist-extension-9 facility (excluding subfunctions)
    156 etoken Etoken facility
    161 unpack Unpack facility
    165 nnpa NNPA facility
    170 ineff_nc_tx Ineffective-nonconstrained-transaction facility
    192 vxpdeh2 Vector-Packed-Decimal-Enhancement facility 2
    193 beareh BEAR-enhancement facility
    194 rdp Reset-DAT-protection facility
    196 pai Processor-Activity-Instrumentation facility
    197 paie Processor-Activity-Instrumentation extension-1
    198 vxeh3 Vector Enhancements facility 3
    199 vxpdeh3 Vector-Packed-Decimal-Enhancement facility 3
    201 ccf-base Concurrent-Functions facility`,
  ],
  [
    'configuration',
    `40 gsls SIE: Guest-storage-limit-suppression facility
    46 esop Enhanced-suppression-on-protection facility
    90 hpma2 Host page management assist 2 Facility
    151 kss SIE: Keyless-subset facility`,
  ],
  [
    'configuration-2',
    `0 64bscao SIE: 64-bit-SCAO facility
    1 cmma SIE: Collaborative-memory-management assist
    9 pfmfi SIE: PFMF interpretation facility
    10 ibs SIE: Interlock-and-broadcast-suppression facility`,
  ],
  ['byte-134', '0 diag318 Control program name and version codes'],
  [
    'cpu-entry',
    `4 sief2 SIE: interception format 2 (Virtual SIE)
    5 skey SIE: Storage-key facility
    10 gpereh SIE: Guest-PER enhancement facility
    11 siif SIE: Shared IPTE-interlock facility
    12 sigpif SIE: SIGP interpretation facility
    42 ib SIE: Intervention bypass facility
    43 cei SIE: Conditional-external-interception facility`,
  ],
  [
    'none',
    `0 dateh2 DAT-enhancement facility 2
    0 cmm Collaborative-memory-management facility
    0 ap AP instructions installed`,
  ],
];

const parse = ([kind, lines]: readonly [FeatureKind, string]): Feature[] =>
  lines.split('\n').map(line => {
    const [, bit, name, description] = /^ *(\d+) (\S+) (.*)$/.exec(line)!;
    return { name: name!, kind, bit: Number(bit), description: description! };
  });

// PERFORM LOCKED OPERATION: an operation on one of several sizes, one after the other

const sizes = { g: 64, x: 128, o: 256 } as const;
const where = (suffix: string): string =>
  suffix === '' || suffix === 'gr'
    ? `${suffix ? 64 : 32} bit in general registers`
    : `${sizes[suffix as 'g']} bit in parameter list`;

function lockedOperations(): Feature[] {
  const features: Feature[] = [];
  const add = (name: string, description: string): void => {
    features.push({ name: `plo-${name}`, kind: 'plo', bit: features.length, description });
  };
  const first: readonly (readonly [string, string])[] = [
    ['cl', 'Compare and load'],
    ['cs', 'Compare and swap'],
    ['dcs', 'Double compare and swap'],
    ['csst', 'Compare and swap and store'],
    ['csdst', 'Compare and swap and double store'],
    ['cstst', 'Compare and swap and triple store'],
  ];
  for (const [name, text] of first) {
    for (const suffix of ['', 'g', 'gr', 'x']) add(name + suffix, `PLO ${text} (${where(suffix)})`);
  }
  for (const [name, text] of first) add(`${name}o`, `PLO ${text} (${where('o')})`);
  const inList = (name: string, text: string, suffixes: readonly string[]): void => {
    for (const suffix of suffixes) {
      add(name + suffix, `${text} (${suffix ? where(suffix) : '32 bit in parameter list'})`);
    }
  };
  const all = ['', 'g', 'x', 'o'];
  inList('tcs', 'Triple compare and swap', all);
  inList('qcs', 'Quadruple compare and swap', all);
  inList('l', 'Load', ['o']);
  inList('dl', 'Double load', ['x', 'o']);
  inList('tl', 'Triple load', all);
  inList('ql', 'Quadruple load', all);
  inList('st', 'Store', ['o']);
  inList('dst', 'Double store', all);
  inList('tst', 'Triple store', all);
  inList('qst', 'Quadruple store', all);
  return features;
}

// The message-security assist: functions by name, `e` in front of a cipher for a wrapped key

const ciphers =
  '1 dea|2 tdea-128|3 tdea-192|9 edea|10 etdea-128|11 etdea-192|' +
  '18 aes-128|19 aes-192|20 aes-256|26 eaes-128|27 eaes-192|28 eaes-256';
const hashes = '1 sha-1|2 sha-256|3 sha-512|32 sha3-224|33 sha3-256|34 sha3-384|35 sha3-512|36 shake-128|37 shake-256';
const information = '127 qai';
/** The functions of an instruction: bit and name, and the description unless it is what `describe` makes of it. */
const functions: Readonly<Record<string, string>> = {
  kmac:
    `${ciphers}|112 hmac-sha-224|113 hmac-sha-246 HMAC-SHA-256|114 hmac-sha-384|115 hmac-sha-512|120 hmac-esha-224|` +
    `121 hmac-esha-246 HMAC-Encrypted-SHA-256|122 hmac-esha-384|123 hmac-esha-512|${information}`,
  kmc: `${ciphers}|67 prng`,
  km:
    `${ciphers}|50 xts-aes-128|52 xts-aes-256|58 xts-eaes-128|60 xts-eaes-256|82 full-xts-aes-128 Full-XTS-AES-128|` +
    '84 full-xts-aes-256 Full-XTS-AES-256|90 full-xts-eaes-128 Full-XTS-Encrypted-AES-128|' +
    `92 full-xts-eaes-256 Full-XTS-Encrypted-AES-256|${information}`,
  kimd: `${hashes}|65 ghash|${information}`,
  klmd: `${hashes}|${information}`,
  pckmo:
    '1 edea Encrypted-DEA-Key|2 etdea-128 Encrypted-TDEA-128-Key|3 etdea-192 Encrypted-TDEA-192-Key|' +
    '18 aes-128 Encrypted-AES-128-Key|19 aes-192 Encrypted-AES-192-Key|20 aes-256 Encrypted-AES-256-Key|' +
    '21 aes-xts-128-dk Encrypt-AES-XTS-128-Double-Key|22 aes-xts-256-dk Encrypt-AES-XTS-256-Double-Key|' +
    '32 ecc-p256 Encrypt-ECC-P256-Key|33 ecc-p384 Encrypt-ECC-P384-Key|34 ecc-p521 Encrypt-ECC-P521-Key|' +
    '40 ecc-ed25519 Encrypt-ECC-Ed25519-Key|41 ecc-ed448 Encrypt-ECC-Ed448-Key|' +
    `118 hmac-512 Encrypt-HMAC-512-Key|122 hmac-1024 Encrypt-HMAC-1024-Key|${information}`,
  kmctr: `${ciphers}|${information}`,
  kmf: `${ciphers}|${information}`,
  kmo: `${ciphers}|${information}`,
  pcc:
    `${ciphers.replace(/(\d+) /g, '$1 cmac-')}|50 xts-aes-128|52 xts-aes-256|58 xts-eaes-128|60 xts-eaes-256|` +
    '64 scalar-mult-p256|65 scalar-mult-p384|66 scalar-mult-p521|72 scalar-mult-ed25519|73 scalar-mult-ed448|' +
    `80 scalar-mult-x25519|81 scalar-mult-x448|${information}`,
  ppno: `3 sha-512-drng|112 trng-qrtcr TRNG-Query-Raw-to-Conditioned-Ratio|114 trng|${information}`,
  kma: `18 gcm-aes-128|19 gcm-aes-192|20 gcm-aes-256|26 gcm-eaes-128|27 gcm-eaes-192|28 gcm-eaes-256|${information}`,
  kdsa:
    '1 ecdsa-verify-p256|2 ecdsa-verify-p384|3 ecdsa-verify-p521|9 ecdsa-sign-p256|10 ecdsa-sign-p384|' +
    '11 ecdsa-sign-p521|17 eecdsa-sign-p256|18 eecdsa-sign-p384|19 eecdsa-sign-p521|32 eddsa-verify-ed25519|' +
    '36 eddsa-verify-ed448|40 eddsa-sign-ed25519|44 eddsa-sign-ed448|48 eeddsa-sign-ed25519|' +
    `52 eeddsa-sign-ed448|${information}`,
  sortl: '1 sflr|2 svlr|130 32 32 input lists|132 128 128 input lists|192 f0 format 0 parameter-block',
  dfltcc: '1 gdht|2 cmpr|4 xpnd|192 f0 format 0 parameter-block',
  pfcr:
    '0 qaf Query-Available-Functions|1 csdst Compare-and-Swap-and-Double-Store (32)|' +
    '2 csdstg Compare-and-Swap-and-Double-Store (64)|3 cstst Compare-and-Swap-and-Triple-Store (32)|' +
    '4 cststg Compare-and-Swap-and-Triple-Store (64)',
};

const words: Readonly<Record<string, string>> = { verify: 'Verify', sign: 'Sign', eddsa: 'EdDSA', shake: 'SHAKE' };
function describe(instruction: string, name: string): string {
  if (name === 'qai') return 'Query-Authentication-Information';
  if (instruction === 'pcc' && name.startsWith('scalar-mult-')) {
    return `Scalar-Multiply-${name.slice(12).replace(/^./, first => first.toUpperCase())}`;
  }
  if (instruction === 'pcc') {
    const how = name.startsWith('cmac-') ? 'Compute-Last-Block-CMAC-Using-' : 'Compute-XTS-Parameter-Using-';
    return how + describe('', name.slice(name.indexOf('-') + 1));
  }
  return name
    .split('-')
    .map((word, n) => {
      const wrapped = /^e(dea|tdea|aes|sha|ecdsa|eddsa)$/.exec(word);
      const plain = wrapped ? wrapped[1]! : word;
      const text = words[plain] ?? (/^ed\d/.test(plain) && n > 0 ? `E${plain.slice(1)}` : plain.toUpperCase());
      return wrapped ? `Encrypted-${text}` : text;
    })
    .join('-');
}

const subfunctions = (instruction: string): Feature[] =>
  functions[instruction]!.split('|').map(text => {
    const [, bit, name, description] = /^(\d+) (\S+) ?(.*)$/.exec(text)!;
    // The random-number functions are older and newer than the instruction's change of name.
    const prefix = instruction === 'ppno' && name !== 'sha-512-drng' ? 'prno' : instruction;
    return {
      name: `${prefix}-${name}`,
      kind: instruction,
      bit: Number(bit),
      description: `${prefix.toUpperCase()} ${description || describe(instruction, name!)}`,
    };
  });

const timing: readonly (readonly [bit: number, name: string, text: string])[] = [
  [1, 'qto', 'Query TOD Offset'],
  [2, 'qsi', 'Query Steering Information'],
  [3, 'qpc', 'Query Physical Clock'],
  [4, 'qui', 'Query UTC Information'],
  [5, 'qtou', 'Query TOD Offset User'],
  [6, 'qtse', 'Query Time-Stamp Event'],
  [10, 'qsie', 'Query Steering Information Extended'],
  [13, 'qtoue', 'Query TOD Offset User Extended'],
  [65, 'sto', 'Set TOD Offset'],
  [69, 'stou', 'Set TOD Offset User'],
  [73, 'stoe', 'Set TOD Offset Extended'],
  [77, 'stoue', 'Set TOD Offset User Extended'],
];

/** All features, in the order in which they are listed. */
export const features: readonly Feature[] = [
  ...listed.flatMap(parse),
  ...lockedOperations(),
  ...timing.map(([bit, name, text]) => ({ name: `ptff-${name}`, kind: 'ptff', bit, description: `PTFF ${text}` })),
  ...Object.keys(functions)
    .filter(instruction => instruction !== 'pfcr')
    .flatMap(subfunctions),
  { name: 'appv', kind: 'secure-guest', bit: 4, description: 'AP instructions installed for secure guests' },
  {
    name: 'appvi',
    kind: 'secure-guest',
    bit: 5,
    description: 'AP instructions interruption support for secure guests',
  },
  ...subfunctions('pfcr'),
];

const byName = new Map(features.map(feature => [feature.name, feature]));
export const featureNamed = (name: string): Feature | undefined => byName.get(name);

// Groups

export interface FeatureGroup {
  readonly name: string;
  readonly description: string;
  /** Names of features. */
  readonly members: readonly string[];
}

const group = (name: string, pattern: RegExp, description: string): FeatureGroup => ({
  name,
  description,
  members: features.map(feature => feature.name).filter(feature => pattern.test(feature)),
});
const extension = (number: string, pattern: RegExp): FeatureGroup =>
  group(`msa${number}`, pattern, `Message-security-assist-extension ${number} facility`);
const keys = (number: string, pattern: RegExp): FeatureGroup =>
  group(`msa${number}_pckmo`, pattern, `Message-security-assist-extension ${number} PCKMO subfunctions`);

const oldLocked = lockedOperations().slice(0, 24);
const isOld = new RegExp(`^(${oldLocked.map(({ name }) => name).join('|')})$`);

/** Names that stand for several features. */
export const featureGroups: readonly FeatureGroup[] = [
  group('plo', isOld, 'Perform-locked-operation facility'),
  group('plo_ext', new RegExp(`^(?!${isOld.source.slice(1)})plo-`), 'PLO-extension facility'),
  group('tods', /^(tods-base|ptff-(qto|qsi|qpc|sto))$/, 'Tod-clock-steering facility'),
  group('gen13ptff', /^ptff-(qui|qtou|stou)$/, 'PTFF enhancements introduced with z13'),
  group('gen17ptff', /^ptff-qtse$/, 'PTFF enhancements introduced with gen17'),
  group('msa', /^(msa-base|(kmac|kmc|km)-(t?dea.*)|k[il]md-sha-1)$/, 'Message-security-assist facility'),
  extension('1', /^(kmc?-aes-128|k[il]md-sha-256)$/),
  extension('2', /^(kmc?-aes-(192|256)|kmc-prng|k[il]md-sha-512)$/),
  extension('3', /^(msa3-base|(kmac|kmc|km)-et?dea.*|kmc?-eaes.*|pckmo-(et?dea|aes).*(?<!-dk))$/),
  extension('4', /^(msa4-base|kmac-e?aes.*|km-xts.*|kimd-ghash|(kmctr|kmf|kmo)-.*(?<!-qai)|pcc-(cmac|xts).*)$/),
  extension('5', /^(msa5-base|ppno-sha-512-drng)$/),
  extension('6', /^k[il]md-sha(3|ke)-/),
  extension('7', /^prno-trng/),
  extension('8', /^(msa8-base|kma-gcm-.*)$/),
  extension('9', /^(msa9-base|kdsa-.*(?<!-qai)|pcc-scalar.*)$/),
  keys('9', /^pckmo-ecc-/),
  extension('10', /^km-full-xts-/),
  keys('10', /^pckmo-aes-xts-/),
  extension('11', /^kmac-hmac-/),
  keys('11', /^pckmo-hmac-/),
  extension('12', /^msa12-base$/),
  extension('13', /^(?!pckmo).*-qai$/),
  keys('13', /^pckmo-qai$/),
  group('mepochptff', /^ptff-(qsie|qtoue|stoe|stoue)$/, 'PTFF enhancements introduced with Multiple-epoch facility'),
  group('esort', /^(esort-base|sortl-.*)$/, 'Enhanced-sort facility'),
  group('deflate', /^(deflate-base|dfltcc-.*)$/, 'Deflate-conversion facility'),
  group('ccf', /^(ccf-base|pfcr-.*)$/, 'Concurrent-functions facility'),
];

const groupByName = new Map(featureGroups.map(each => [each.name, each]));
export const groupNamed = (name: string): FeatureGroup | undefined => groupByName.get(name);

/** Features, and names of groups, as names of features. */
export const expand = (names: string): string[] =>
  names
    .split(' ')
    .filter(name => name !== '')
    .flatMap(name => groupNamed(name)?.members ?? [name]);

/** A set of features in few words: whole groups first, then the rest in order. */
export function summarize(set: ReadonlySet<string>): string[] {
  const left = new Set(set);
  const names: string[] = [];
  for (const { name, members } of featureGroups) {
    if (!members.every(member => left.has(member))) continue;
    for (const member of members) left.delete(member);
    names.push(name);
  }
  return [...names, ...features.map(({ name }) => name).filter(name => left.has(name))];
}

// Dependencies

/** What needs what: a feature, or some, and those without which it makes no sense. */
const needs: readonly (readonly [RegExp, string])[] = [
  [/^(ipter|idtes|idter|ltlbc)$/, 'dateh'],
  [/^idter$/, 'idtes'],
  [/^ldisphp$/, 'ldisp'],
  [/^dfphp$/, 'dfp'],
  [/^(te|sema)$/, 'stfle49'],
  [/^(edat2|pfmfi)$/, 'edat'],
  [/^msa5-base$/, 'kimd-sha-512 klmd-sha-512'],
  [/^(msa4-base|msa8-base|kmac-hmac-.*)$/, 'msa3-base'],
  [/^msa9-base$/, 'msa3-base msa4-base'],
  [/^cmma$/, 'cmm gsls'],
  [/^mepoch$/, 'tods-base stckf'],
  [/^(vxpd|vxeh|nnpa)$/, 'vx'],
  [/^vxpdeh$/, 'vxpd'],
  [/^vxpdeh2$/, 'vxpdeh'],
  [/^vxpdeh3$/, 'vxpdeh2'],
  [/^vxeh2$/, 'vxeh'],
  [/^vxeh3$/, 'vxeh2'],
  [/^(iep|gs)$/, 'sea_esop2'],
  [/^sea_esop2$/, 'esop'],
  [/^cmmnt$/, 'cmm'],
  [/^k[il]md-sha(3|ke)-.*$/, 'msa-base'],
  [/^km-full-xts-.*$/, 'msa4-base'],
  [/^prno-trng.*$/, 'msa5-base'],
  [/^kss$/, 'sief2'],
  [/^(apqci|apft|apqi|appv)$/, 'ap'],
  [/^appvi$/, 'appv'],
  [/^ptff-(qsie|qtoue|stoe|stoue)$/, 'mepoch'],
  [/^diag318$/, 'els'],
  [/^rdp$/, 'ltlbc'],
  [/^pfcr-.*$/, 'ccf-base'],
  [/^ineff_nc_tx$/, 'te'],
];

/** Pairs of a feature of the set and one that it needs and that is not in the set. */
export function missingNeeds(set: ReadonlySet<string>): [feature: string, needed: string][] {
  return needs.flatMap(([pattern, needed]) =>
    [...set]
      .filter(name => pattern.test(name))
      .flatMap(name =>
        needed
          .split(' ')
          .filter(other => !set.has(other))
          .map((other): [string, string] => [name, other]),
      ),
  );
}

/** Features that newer machines are about to lose. */
export const deprecated: readonly string[] = ['csske', 'bpb', 'cte', 'te', 'ineff_nc_tx'];
