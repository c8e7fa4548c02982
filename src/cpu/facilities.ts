/**
 * The facilities that lpar has, by STFLE bit (PoP ch. 4, "Facility Indications"), with the names that QEMU's -cpu
 * option gives them. Only what is implemented is here, and so announced.
 */

export interface Facility {
  readonly bit: number;
  readonly name: string;
}

export const facilities: readonly Facility[] = [
  { bit: 0, name: 'esan3' },
  { bit: 1, name: 'zarch' },
  { bit: 2, name: 'zarchm' },
  { bit: 3, name: 'dateh' },
  { bit: 4, name: 'idtes' },
  { bit: 5, name: 'idter' },
  { bit: 6, name: 'asnlxr' },
  { bit: 7, name: 'stfle' },
  { bit: 8, name: 'edat' },
  { bit: 9, name: 'srs' },
  { bit: 10, name: 'csske' },
  { bit: 11, name: 'ctop' },
  { bit: 13, name: 'ipter' },
  { bit: 14, name: 'nonqks' },
  { bit: 16, name: 'etf2' },
  { bit: 18, name: 'ldisp' },
  { bit: 19, name: 'ldisphp' },
  { bit: 21, name: 'eimm' },
  { bit: 22, name: 'etf3' },
  { bit: 24, name: 'etf2eh' },
  { bit: 25, name: 'stckf' },
  { bit: 26, name: 'parseh' },
  { bit: 27, name: 'mvcos' },
  { bit: 28, name: 'tods-base' },
  { bit: 30, name: 'etf3eh' },
  { bit: 31, name: 'ectg' },
  { bit: 32, name: 'csst' },
  { bit: 33, name: 'csst2' },
  { bit: 34, name: 'ginste' },
  { bit: 35, name: 'exrl' },
  { bit: 36, name: 'emon' },
  { bit: 37, name: 'fpe' },
  { bit: 40, name: 'sprogp' },
  { bit: 41, name: 'fpseh' },
  { bit: 45, name: 'stfle45' },
  { bit: 47, name: 'cmpsceh' },
  { bit: 49, name: 'stfle49' },
  { bit: 51, name: 'ltlbc' },
  { bit: 52, name: 'iacc2' },
  { bit: 53, name: 'stfle53' },
  { bit: 58, name: 'minste2' },
  { bit: 66, name: 'rrbm' },
  { bit: 74, name: 'sthyi' },
  { bit: 75, name: 'aefsi' },
  { bit: 78, name: 'edat2' },
  { bit: 81, name: 'ppa15' },
  { bit: 82, name: 'bpb' },
  { bit: 129, name: 'vx' },
  { bit: 130, name: 'iep' },
  { bit: 131, name: 'sea_esop2' },
  { bit: 135, name: 'vxeh' },
  { bit: 138, name: 'czam' },
  { bit: 139, name: 'mepoch' },
  { bit: 140, name: 'els' },
  { bit: 145, name: 'irbm' },
  { bit: 147, name: 'cmmnt' },
  { bit: 148, name: 'vxeh2' },
  { bit: 193, name: 'beareh' },
];

/** STFLE bits of everything. */
export const announced: ReadonlySet<number> = new Set(facilities.map(({ bit }) => bit));
