/**
 * Instruction formats (PoP ch. 5, "Instruction Formats"). A field is [first bit, number of bits], bits counted from the
 * left of the instruction. `syntax` is the operand list as written in assembler language; the disassembler and the
 * test assembler are driven by it. Letters: r general register, a access register, c control register, f floating-point
 * register, v vector register, m mask, i unsigned and s signed immediate, h relative offset in halfwords,
 * d displacement, l length code.
 */

export type Field = readonly [position: number, bits: number];

export interface Format {
  readonly name: string;
  /** Instruction length in bytes: 2, 4 or 6. */
  readonly length: number;
  readonly fields: Readonly<Record<string, Field>>;
  readonly syntax: string;
}

const R1: Field = [8, 4];
const R2: Field = [12, 4];
const B2 = { b2: [16, 4], d2: [20, 12] } as const satisfies Record<string, Field>;
/** Long displacement: d2 and dh2 together form a signed 20-bit number. */
const B2Y = { ...B2, dh2: [32, 8] } as const satisfies Record<string, Field>;
const B1 = { b1: [16, 4], d1: [20, 12] } as const satisfies Record<string, Field>;
const B1Y = { ...B1, dh1: [32, 8] } as const satisfies Record<string, Field>;
const SS2 = { ...B1, b2: [32, 4], d2: [36, 12] } as const satisfies Record<string, Field>;

const format = (name: string, length: number, fields: Record<string, Field>, syntax: string): Format => ({
  name,
  length,
  fields,
  syntax,
});

export const E = format('E', 2, {}, '');
export const I = format('I', 2, { i1: [8, 8] }, 'i1');
export const IE = format('IE', 4, { i1: [24, 4], i2: [28, 4] }, 'i1,i2');
export const MII = format('MII', 6, { m1: [8, 4], h2: [12, 12], h3: [24, 24] }, 'm1,h2,h3');
export const RI_a = format('RI_a', 4, { r1: R1, s2: [16, 16] }, 'r1,s2');
/** As RI_a with an unsigned immediate. */
export const RI_u = format('RI_u', 4, { r1: R1, i2: [16, 16] }, 'r1,i2');
export const RI_b = format('RI_b', 4, { r1: R1, h2: [16, 16] }, 'r1,h2');
export const RI_c = format('RI_c', 4, { m1: R1, h2: [16, 16] }, 'm1,h2');
export const RIE_a = format('RIE_a', 6, { r1: R1, s2: [16, 16], m3: [32, 4] }, 'r1,s2,m3');
/** As RIE_a with an unsigned immediate. */
export const RIE_au = format('RIE_au', 6, { r1: R1, i2: [16, 16], m3: [32, 4] }, 'r1,i2,m3');
export const RIE_b = format('RIE_b', 6, { r1: R1, r2: R2, h4: [16, 16], m3: [32, 4] }, 'r1,r2,m3,h4');
export const RIE_c = format('RIE_c', 6, { r1: R1, m3: R2, h4: [16, 16], s2: [32, 8] }, 'r1,s2,m3,h4');
/** As RIE_c with an unsigned immediate. */
export const RIE_cu = format('RIE_cu', 6, { r1: R1, m3: R2, h4: [16, 16], i2: [32, 8] }, 'r1,i2,m3,h4');
export const RIE_d = format('RIE_d', 6, { r1: R1, r3: R2, s2: [16, 16] }, 'r1,r3,s2');
export const RIE_e = format('RIE_e', 6, { r1: R1, r3: R2, h2: [16, 16] }, 'r1,r3,h2');
export const RIE_f = format('RIE_f', 6, { r1: R1, r2: R2, i3: [16, 8], i4: [24, 8], i5: [32, 8] }, 'r1,r2,i3,i4,i5');
export const RIE_g = format('RIE_g', 6, { r1: R1, m3: R2, s2: [16, 16] }, 'r1,s2,m3');
export const RIL_a = format('RIL_a', 6, { r1: R1, s2: [16, 32] }, 'r1,s2');
/** As RIL_a with an unsigned immediate. */
export const RIL_u = format('RIL_u', 6, { r1: R1, i2: [16, 32] }, 'r1,i2');
export const RIL_b = format('RIL_b', 6, { r1: R1, h2: [16, 32] }, 'r1,h2');
export const RIL_c = format('RIL_c', 6, { m1: R1, h2: [16, 32] }, 'm1,h2');
export const RIS = format('RIS', 6, { r1: R1, m3: R2, b4: [16, 4], d4: [20, 12], s2: [32, 8] }, 'r1,s2,m3,d4(b4)');
/** As RIS with an unsigned immediate. */
export const RIS_u = format('RIS_u', 6, { r1: R1, m3: R2, b4: [16, 4], d4: [20, 12], i2: [32, 8] }, 'r1,i2,m3,d4(b4)');
export const RR = format('RR', 2, { r1: R1, r2: R2 }, 'r1,r2');
export const RR_f = format('RR_f', 2, { f1: R1, f2: R2 }, 'f1,f2');
/** BCR: a mask instead of the first register. */
export const RR_m = format('RR_m', 2, { m1: R1, r2: R2 }, 'm1,r2');
/** SPM: one register. */
export const RR_1 = format('RR_1', 2, { r1: R1 }, 'r1');
export const RRD = format('RRD', 4, { f1: [16, 4], f3: [24, 4], f2: [28, 4] }, 'f1,f3,f2');
export const RRE = format('RRE', 4, { r1: [24, 4], r2: [28, 4] }, 'r1,r2');
/** RRE of which only R1 is used. */
export const RRE_1 = format('RRE_1', 4, { r1: [24, 4] }, 'r1');
/** RRE without operands. */
export const RRE_0 = format('RRE_0', 4, {}, '');
export const RRE_f = format('RRE_f', 4, { f1: [24, 4], f2: [28, 4] }, 'f1,f2');
export const RRE_f1 = format('RRE_f1', 4, { f1: [24, 4] }, 'f1');
/** Floating-point result of a general register, and the reverse. */
export const RRE_fr = format('RRE_fr', 4, { f1: [24, 4], r2: [28, 4] }, 'f1,r2');
export const RRE_rf = format('RRE_rf', 4, { r1: [24, 4], f2: [28, 4] }, 'r1,f2');
/** Access registers. */
export const RRE_aa = format('RRE_aa', 4, { a1: [24, 4], a2: [28, 4] }, 'a1,a2');
export const RRE_ra = format('RRE_ra', 4, { r1: [24, 4], a2: [28, 4] }, 'r1,a2');
export const RRE_ar = format('RRE_ar', 4, { a1: [24, 4], r2: [28, 4] }, 'a1,r2');
export const RRF_a = format('RRF_a', 4, { r3: [16, 4], m4: [20, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r2,r3,m4');
/** RRF_a without the mask. */
export const RRF_3 = format('RRF_3', 4, { r3: [16, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r2,r3');
export const RRF_b = format('RRF_b', 4, { r3: [16, 4], m4: [20, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r3,r2,m4');
/** RRF_b without the mask. */
export const RRF_b3 = format('RRF_b3', 4, { r3: [16, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r3,r2');
export const RRF_c = format('RRF_c', 4, { m3: [16, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r2,m3');
export const RRF_d = format('RRF_d', 4, { m4: [20, 4], r1: [24, 4], r2: [28, 4] }, 'r1,r2,m4');
export const RRF_e = format('RRF_e', 4, { m3: [16, 4], m4: [20, 4], f1: [24, 4], f2: [28, 4] }, 'f1,m3,f2,m4');
export const RRF_efr = format('RRF_efr', 4, { m3: [16, 4], m4: [20, 4], f1: [24, 4], r2: [28, 4] }, 'f1,m3,r2,m4');
export const RRF_erf = format('RRF_erf', 4, { m3: [16, 4], m4: [20, 4], r1: [24, 4], f2: [28, 4] }, 'r1,m3,f2,m4');
/** Three floating-point registers, with and without a mask; CPSDR writes f3 between the others. */
export const RRF_f3 = format('RRF_f3', 4, { f3: [16, 4], f1: [24, 4], f2: [28, 4] }, 'f1,f3,f2');
export const RRF_bf = format('RRF_bf', 4, { f3: [16, 4], m4: [20, 4], f1: [24, 4], f2: [28, 4] }, 'f1,f3,f2,m4');
export const RRF_af = format('RRF_af', 4, { f3: [16, 4], m4: [20, 4], f1: [24, 4], f2: [28, 4] }, 'f1,f2,f3,m4');
export const RRS = format('RRS', 6, { r1: R1, r2: R2, b4: [16, 4], d4: [20, 12], m3: [32, 4] }, 'r1,r2,m3,d4(b4)');
export const RS_a = format('RS_a', 4, { r1: R1, r3: R2, ...B2 }, 'r1,r3,d2(b2)');
/** A shift: no third operand. */
export const RS_2 = format('RS_2', 4, { r1: R1, ...B2 }, 'r1,d2(b2)');
export const RS_b = format('RS_b', 4, { r1: R1, m3: R2, ...B2 }, 'r1,m3,d2(b2)');
export const RS_aa = format('RS_aa', 4, { a1: R1, a3: R2, ...B2 }, 'a1,a3,d2(b2)');
export const RS_cc = format('RS_cc', 4, { c1: R1, c3: R2, ...B2 }, 'c1,c3,d2(b2)');
export const RSI = format('RSI', 4, { r1: R1, r3: R2, h2: [16, 16] }, 'r1,r3,h2');
export const RSL_a = format('RSL_a', 6, { l1: [8, 4], ...B1 }, 'd1(l1,b1)');
export const RSL_b = format('RSL_b', 6, { l2: [8, 8], ...B2, f1: [32, 4], m3: [36, 4] }, 'f1,d2(l2,b2),m3');
export const RSY_a = format('RSY_a', 6, { r1: R1, r3: R2, ...B2Y }, 'r1,r3,d2(b2)');
export const RSY_b = format('RSY_b', 6, { r1: R1, m3: R2, ...B2Y }, 'r1,m3,d2(b2)');
/** RSY_b with the mask written last (LOC, STOC). */
export const RSY_bl = format('RSY_bl', 6, { r1: R1, m3: R2, ...B2Y }, 'r1,d2(b2),m3');
export const RSY_aa = format('RSY_aa', 6, { a1: R1, a3: R2, ...B2Y }, 'a1,a3,d2(b2)');
export const RSY_cc = format('RSY_cc', 6, { c1: R1, c3: R2, ...B2Y }, 'c1,c3,d2(b2)');
export const RX_a = format('RX_a', 4, { r1: R1, x2: R2, ...B2 }, 'r1,d2(x2,b2)');
export const RX_b = format('RX_b', 4, { m1: R1, x2: R2, ...B2 }, 'm1,d2(x2,b2)');
export const RX_f = format('RX_f', 4, { f1: R1, x2: R2, ...B2 }, 'f1,d2(x2,b2)');
export const RXE = format('RXE', 6, { f1: R1, x2: R2, ...B2 }, 'f1,d2(x2,b2)');
export const RXE_r = format('RXE_r', 6, { r1: R1, x2: R2, ...B2, m3: [32, 4] }, 'r1,d2(x2,b2),m3');
export const RXF = format('RXF', 6, { f3: R1, x2: R2, ...B2, f1: [32, 4] }, 'f1,f3,d2(x2,b2)');
export const RXY_a = format('RXY_a', 6, { r1: R1, x2: R2, ...B2Y }, 'r1,d2(x2,b2)');
export const RXY_b = format('RXY_b', 6, { m1: R1, x2: R2, ...B2Y }, 'm1,d2(x2,b2)');
export const RXY_f = format('RXY_f', 6, { f1: R1, x2: R2, ...B2Y }, 'f1,d2(x2,b2)');
export const S = format('S', 4, B2, 'd2(b2)');
/** S without operands. */
export const S_0 = format('S_0', 4, {}, '');
export const SI = format('SI', 4, { i2: [8, 8], ...B1 }, 'd1(b1),i2');
export const SIL = format('SIL', 6, { ...B1, s2: [32, 16] }, 'd1(b1),s2');
/** As SIL with an unsigned immediate. */
export const SIL_u = format('SIL_u', 6, { ...B1, i2: [32, 16] }, 'd1(b1),i2');
export const SIY = format('SIY', 6, { i2: [8, 8], ...B1Y }, 'd1(b1),i2');
/** As SIY without the immediate. */
export const SIY_0 = format('SIY_0', 6, { ...B1Y }, 'd1(b1)');
/** As SIY with a signed immediate. */
export const SIY_s = format('SIY_s', 6, { s2: [8, 8], ...B1Y }, 'd1(b1),s2');
export const SMI = format('SMI', 6, { m1: R1, b3: [16, 4], d3: [20, 12], h2: [32, 16] }, 'm1,h2,d3(b3)');
export const SS_a = format('SS_a', 6, { l1: [8, 8], ...SS2 }, 'd1(l1,b1),d2(b2)');
export const SS_b = format('SS_b', 6, { l1: [8, 4], l2: [12, 4], ...SS2 }, 'd1(l1,b1),d2(l2,b2)');
export const SS_c = format('SS_c', 6, { l1: [8, 4], i3: [12, 4], ...SS2 }, 'd1(l1,b1),d2(b2),i3');
export const SS_d = format('SS_d', 6, { r1: R1, r3: R2, ...SS2 }, 'd1(r1,b1),d2(b2),r3');
export const SS_e = format(
  'SS_e',
  6,
  { r1: R1, r3: R2, b2: [16, 4], d2: [20, 12], b4: [32, 4], d4: [36, 12] },
  'r1,r3,d2(b2),d4(b4)',
);
/** PLO's and LMD's order of operands differ from each other only in the manual's text; PLO is R1,D2(B2),R3,D4(B4). */
export const SS_plo = format(
  'SS_plo',
  6,
  { r1: R1, r3: R2, b2: [16, 4], d2: [20, 12], b4: [32, 4], d4: [36, 12] },
  'r1,d2(b2),r3,d4(b4)',
);
export const SS_f = format('SS_f', 6, { l2: [8, 8], ...SS2 }, 'd1(b1),d2(l2,b2)');
export const SSE = format('SSE', 6, SS2, 'd1(b1),d2(b2)');
export const SSF = format('SSF', 6, { r3: R1, ...SS2 }, 'd1(b1),d2(b2),r3');
/** LPD, LPDG: the register is the first operand. */
export const SSF_r = format('SSF_r', 6, { r3: R1, ...SS2 }, 'r3,d1(b1),d2(b2)');

/**
 * Vector registers have numbers of five bits: four where other formats have registers, the first of the five among RXB,
 * bits 36-39, in the order of the places. v1 and vh1 together form the number, as d2 and dh2 form a displacement.
 */
const VR1 = { v1: R1, vh1: [36, 1] } as const satisfies Record<string, Field>;
const VR2 = { v2: R2, vh2: [37, 1] } as const satisfies Record<string, Field>;
const VR3 = { v3: [16, 4], vh3: [38, 1] } as const satisfies Record<string, Field>;
const VR4 = { v4: [32, 4], vh4: [39, 1] } as const satisfies Record<string, Field>;
/** The third operand where other formats have the second. */
const VR3_2 = { v3: R2, vh3: [37, 1] } as const satisfies Record<string, Field>;
const M32: Field = [32, 4];
const M28: Field = [28, 4];
const M24: Field = [24, 4];
const M20: Field = [20, 4];

/** VRI_a as VECTOR GENERATE BYTE MASK has it, without the mask; with a mask its immediate is signed. */
export const VRI_a0 = format('VRI_a0', 6, { ...VR1, i2: [16, 16] }, 'v1,i2');
export const VRI_a = format('VRI_a', 6, { ...VR1, s2: [16, 16], m3: M32 }, 'v1,s2,m3');
export const VRI_b = format('VRI_b', 6, { ...VR1, i2: [16, 8], i3: [24, 8], m4: M32 }, 'v1,i2,i3,m4');
export const VRI_c = format('VRI_c', 6, { ...VR1, ...VR3_2, i2: [16, 16], m4: M32 }, 'v1,v3,i2,m4');
export const VRI_d = format('VRI_d', 6, { ...VR1, ...VR2, ...VR3, i4: [24, 8], m5: M32 }, 'v1,v2,v3,i4,m5');
/** VRI_d without the mask. */
export const VRI_d0 = format('VRI_d0', 6, { ...VR1, ...VR2, ...VR3, i4: [24, 8] }, 'v1,v2,v3,i4');
export const VRI_e = format('VRI_e', 6, { ...VR1, ...VR2, i3: [16, 12], m5: M28, m4: M32 }, 'v1,v2,i3,m4,m5');
/** VRR_a with none of its masks, with the first, the first and the last, the first two, and all. */
export const VRR_a0 = format('VRR_a0', 6, { ...VR1, ...VR2 }, 'v1,v2');
export const VRR_a3 = format('VRR_a3', 6, { ...VR1, ...VR2, m3: M32 }, 'v1,v2,m3');
export const VRR_a5 = format('VRR_a5', 6, { ...VR1, ...VR2, m5: M24, m3: M32 }, 'v1,v2,m3,m5');
export const VRR_a4 = format('VRR_a4', 6, { ...VR1, ...VR2, m4: M28, m3: M32 }, 'v1,v2,m3,m4');
export const VRR_a = format('VRR_a', 6, { ...VR1, ...VR2, m5: M24, m4: M28, m3: M32 }, 'v1,v2,m3,m4,m5');
export const VRR_b = format('VRR_b', 6, { ...VR1, ...VR2, ...VR3, m5: M24, m4: M32 }, 'v1,v2,v3,m4,m5');
/** VRR_c with none of its masks, with the first, the first two, and all. */
export const VRR_c0 = format('VRR_c0', 6, { ...VR1, ...VR2, ...VR3 }, 'v1,v2,v3');
export const VRR_c4 = format('VRR_c4', 6, { ...VR1, ...VR2, ...VR3, m4: M32 }, 'v1,v2,v3,m4');
export const VRR_c5 = format('VRR_c5', 6, { ...VR1, ...VR2, ...VR3, m5: M28, m4: M32 }, 'v1,v2,v3,m4,m5');
export const VRR_c = format('VRR_c', 6, { ...VR1, ...VR2, ...VR3, m6: M24, m5: M28, m4: M32 }, 'v1,v2,v3,m4,m5,m6');
/** VRR_d with its first mask, and with both. */
export const VRR_d5 = format('VRR_d5', 6, { ...VR1, ...VR2, ...VR3, ...VR4, m5: M20 }, 'v1,v2,v3,v4,m5');
export const VRR_d = format('VRR_d', 6, { ...VR1, ...VR2, ...VR3, ...VR4, m5: M20, m6: M24 }, 'v1,v2,v3,v4,m5,m6');
/** VRR_e with none of its masks, and with both. */
export const VRR_e0 = format('VRR_e0', 6, { ...VR1, ...VR2, ...VR3, ...VR4 }, 'v1,v2,v3,v4');
export const VRR_e = format('VRR_e', 6, { ...VR1, ...VR2, ...VR3, ...VR4, m6: M20, m5: M28 }, 'v1,v2,v3,v4,m5,m6');
export const VRR_f = format('VRR_f', 6, { ...VR1, r2: R2, r3: [16, 4] }, 'v1,r2,r3');
export const VRS_a = format('VRS_a', 6, { ...VR1, ...VR3_2, ...B2, m4: M32 }, 'v1,v3,d2(b2),m4');
export const VRS_b = format('VRS_b', 6, { ...VR1, r3: R2, ...B2, m4: M32 }, 'v1,r3,d2(b2),m4');
/** VRS_b without the mask. */
export const VRS_b0 = format('VRS_b0', 6, { ...VR1, r3: R2, ...B2 }, 'v1,r3,d2(b2)');
export const VRS_c = format('VRS_c', 6, { r1: R1, ...VR3_2, ...B2, m4: M32 }, 'r1,v3,d2(b2),m4');
export const VRV = format('VRV', 6, { ...VR1, ...VR2, ...B2, m3: M32 }, 'v1,d2(v2,b2),m3');
export const VRX = format('VRX', 6, { ...VR1, x2: R2, ...B2, m3: M32 }, 'v1,d2(x2,b2),m3');

/** The field with the left part of what this one is the right part of, if there is one. */
export const leftPart = (name: string): string => `${name[0]}h${name.slice(1)}`;
/** Whether a field is the left part of another. */
export const isLeftPart = (name: string): boolean => name[1] === 'h';

const SECOND_BYTE: Field = [8, 8];
const FOUR_BITS: Field = [12, 4];
const LAST_BYTE: Field = [40, 8];

/** Where the part of the operation code behind the first byte stands, by first byte: [position, bits]. */
export function suboperation(firstByte: number): Field | undefined {
  switch (firstByte) {
    case 0x01:
    case 0xb2:
    case 0xb3:
    case 0xb9:
    case 0xe5:
      return SECOND_BYTE;
    case 0xa5:
    case 0xa7:
    case 0xc0:
    case 0xc2:
    case 0xc4:
    case 0xc6:
    case 0xc8:
    case 0xcc:
      return FOUR_BITS;
    case 0xe3:
    case 0xe6:
    case 0xe7:
    case 0xeb:
    case 0xec:
    case 0xed:
      return LAST_BYTE;
    default:
      return undefined;
  }
}

/** Length in bytes of the instruction that begins with this byte (PoP ch. 5): by its two leftmost bits. */
export const instructionLength = (firstByte: number): number => (firstByte < 0x40 ? 2 : firstByte < 0xc0 ? 4 : 6);
