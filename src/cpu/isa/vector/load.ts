/** Vector support instructions (PoP ch. 21): between storage, general registers and vector registers, and within these. */

import { type I32, type I64, i32, i64, k32, k64, type V128, v128, v128Constant } from '../../ir/expr.ts';
import {
  bitsOfSize,
  choose,
  chooseElements,
  elementsOf,
  equal,
  every,
  extendLeft,
  extendRight,
  firstBytes,
  greaterS,
  greaterU,
  joined,
  left,
  mask,
  right,
  type Size,
  shiftLeft,
  shiftRightS,
  shiftRightU,
  splat,
  subtract,
} from '../../ir/vector.ts';
import { SPECIFICATION } from '../../program.ts';
import * as state from '../../state.ts';
import {
  RXE_r,
  VRI_a,
  VRI_a0,
  VRI_b,
  VRI_c,
  VRR_a0,
  VRR_a3,
  VRR_b,
  VRR_c0,
  VRR_c4,
  VRR_e0,
  VRR_f,
  VRS_a,
  VRS_b,
  VRS_b0,
  VRS_c,
  VRV,
  VRX,
} from '../formats.ts';
import { type Address, type Insn, type Instruction, insn, type Semantics } from '../insn.ts';
import { reversed32, reversed64 } from '../operands.ts';
import {
  binary,
  binaryBySize,
  bySize,
  ENHANCED_1,
  ENHANCED_2,
  enhanced,
  FROM_HALFWORD,
  QUADWORD,
  sized,
  TO_DOUBLEWORD,
  TO_WORD,
  ternary,
  unaryBySize,
  VECTOR,
  vector,
} from './elements.ts';

// Elements in storage

function load(i: Insn, size: Size, address: Address): I64 {
  if (size === 3) return i.load64(address);
  return i.let(i64.fromU(size === 0 ? i.load8(address) : size === 1 ? i.load16(address) : i.load32(address)));
}
function store(i: Insn, size: Size, address: Address, element: I64): void {
  if (size === 3) i.store64(address, element);
  else if (size === 2) i.store32(address, i32.wrap(element));
  else if (size === 1) i.store16(address, i32.wrap(element));
  else i.store8(address, i32.wrap(element));
}
/** An element with its bytes in reverse order. */
function reversed(i: Insn, size: Size, element: I64): I64 {
  if (size === 3) return reversed64(i, element);
  const word = reversed32(i, i32.wrap(element));
  return i64.fromU(size === 2 ? word : i32.shrU(word, 16));
}
const asItIs = (_: Insn, __: Size, element: I64): I64 => element;

/** The index of an element in a mask field; a specification exception if there is no such element. */
function index(i: Insn, size: Size, field = 'm3'): I32 {
  const n = i.let(i.field(field));
  i.programIf(i32.geU(n, elementsOf(size)), SPECIFICATION);
  // Code is made for other numbers as well.
  return i32.and(n, elementsOf(size) - 1);
}

const loadElement =
  (size: Size, change = asItIs): Semantics =>
  i => {
    const n = index(i, size);
    i.setElement('v1', size, n, i.let(change(i, size, load(i, size, i.address()))));
  };
const storeElement =
  (size: Size, change = asItIs): Semantics =>
  i => {
    const n = index(i, size);
    store(i, size, i.address(), i.let(change(i, size, i.element('v1', size, n))));
  };
const loadImmediate =
  (size: Size): Semantics =>
  i =>
    i.setElement('v1', size, index(i, size), i64.fromS(i.signed('s2')));
/** Base, displacement, and an element of V2. */
const gathered = (i: Insn, size: Size, n: I32): Address => i.offset(i.address(), i.element('v2', size, n));
const gather =
  (size: Size): Semantics =>
  i => {
    const n = index(i, size);
    i.setElement('v1', size, n, load(i, size, gathered(i, size, n)));
  };
const scatter =
  (size: Size): Semantics =>
  i => {
    const n = index(i, size);
    store(i, size, gathered(i, size, n), i.element('v1', size, n));
  };
const replicate =
  (sizes: readonly Size[], change = asItIs): Semantics =>
  i =>
    bySize(i, 'm3', sizes, size => i.setVr('v1', splat(size, i.let(change(i, size, load(i, size, i.address()))))));

/** A word is on the left of the doubleword. */
const LEFT_WORD = 6;
/** An element on the right of the left doubleword, all else being zero. */
const logicalElement =
  (sizes: readonly (Size | typeof LEFT_WORD)[], change = asItIs): Semantics =>
  i =>
    bySize(i, 'm3', sizes, code => {
      const size = code === LEFT_WORD ? 2 : code;
      if (code === LEFT_WORD) enhanced(i, state.LACKS_ENHANCEMENTS_1);
      const element = change(i, size, load(i, size, i.address()));
      i.setVr('v1', joined(code === LEFT_WORD ? i64.shl(element, 32) : element, k64(0)));
    });
// Whole vectors

/** The bytes of each element in reverse order; all 16 of a quadword. */
const bytesReversed = (size: Size | typeof QUADWORD, a: V128): V128 => choose(a, a, n => n ^ ((1 << size) - 1));
const elementsReversed = (size: Size, a: V128): V128 =>
  chooseElements(size, a, a, element => elementsOf(size) - 1 - element);
const reversible = [1, 2, 3, QUADWORD] as const;

const loadChanged =
  <S extends number>(sizes: readonly S[], change: (size: S, a: V128) => V128): Semantics =>
  i =>
    bySize(i, 'm3', sizes, size => i.setVr('v1', change(size, i.load128(i.address()))));
const storeChanged =
  <S extends number>(sizes: readonly S[], change: (size: S, a: V128) => V128): Semantics =>
  i =>
    bySize(i, 'm3', sizes, size => i.store128(i.address(), change(size, i.vr('v1'))));

/** Bytes of registers V1 to V3, which must be in order and 16 at most. */
function rangeSize(i: Insn): I32 {
  const less = i.let(i32.sub(i.field('v3'), i.field('v1')));
  i.programIf(i32.gtU(less, 15), SPECIFICATION);
  return i.let(i32.shl(i32.add(less, 1), 4));
}

/** The first bytes of 16, zeros behind them. */
function loadBytes(i: Insn, address: Address, count: I32): void {
  // What follows the operand is only looked at: it is some memory or other.
  const all = i.placeOf(address, count, 'fetch').load128();
  i.setVr('v1', v128.and(all, firstBytes(count)));
}
/** Stores the first bytes, in pieces whose sizes are powers of two. */
function storeBytes(i: Insn, address: Address, count: I32): void {
  const place = i.placeOf(address, count, 'store');
  const all = i.vr('v1');
  i.if(
    i32.eq(count, 16),
    () => place.store128(all),
    () => {
      const has = (bytes: number): I32 => i32.and(count, bytes);
      const rest = i.variable64(i64.select(has(8), right(all), left(all)));
      i.if(has(8), () => place.store64(left(all)));
      const at = i.variable32(has(8));
      const piece = (bytes: number, put: (value: I64, at: I32) => void): void =>
        i.if(has(bytes), () => {
          const value = rest.get();
          const offset = at.get();
          put(i64.shrU(value, 64 - 8 * bytes), offset);
          rest.set(i64.shl(value, 8 * bytes));
          at.set(i32.add(offset, bytes));
        });
      piece(4, (value, offset) => place.store32(i32.wrap(value), offset));
      piece(2, (value, offset) => place.store16(i32.wrap(value), offset));
      piece(1, (value, offset) => place.store8(i32.wrap(value), offset));
    },
  );
}
/** How many bytes R3, the index of the last one, means. */
function givenLength(i: Insn): I32 {
  const last = i.gr32('r3');
  return i.let(i32.add(i32.select(i32.ltU(last, 15), last, 15), 1));
}
/** How many of 16 bytes there are before a boundary of 64 bytes, 128, and so on, by the code in M3. */
function bytesToBoundary(i: Insn, address: I64): I32 {
  const code = i.let(i.field('m3'));
  i.programIf(i32.gtU(code, 6), SPECIFICATION);
  const block = i.let(i32.shl(k32(64), code));
  const rest = i.let(i32.sub(block, i32.and(i32.wrap(address), i32.sub(block, 1))));
  return i.let(i32.select(i32.ltU(rest, 16), rest, 16));
}

// Masks

/** Ones from bit `first` to bit `last` of an element, or around its end. */
function bitMask(i: Insn, size: Size): V128 {
  const bits = bitsOfSize(size);
  const all = k64((1n << BigInt(bits)) - 1n);
  const first = i.let(i32.and(i.field('i2'), bits - 1));
  const last = i.let(i32.and(i.field('i3'), bits - 1));
  const behind = i64.shrU(i64.shrU(all, i64.fromU(last)), 1);
  const ones = i64.xor(i64.shrU(all, i64.fromU(first)), behind);
  return splat(size, i64.xor(ones, i64.fromS(i32.sub(k32(0), i32.gtU(first, last)))));
}
/** A byte of ones for each bit. */
function byteMask(bits: I32): V128 {
  if (bits.kind === 'const') {
    let mask = 0n;
    for (let n = 0; n < 16; n++) if ((bits.value as number) & (1 << n)) mask |= 0xffn << BigInt(8 * n);
    return v128Constant(mask);
  }
  const repeated = (byte: I32): I64 => i64.mul(i64.fromU(byte), 0x0101_0101_0101_0101n);
  const own = every(3, 0x8040_2010_0804_0201n);
  return v128.eq8(v128.and(joined(repeated(i32.shrU(bits, 8)), repeated(i32.and(bits, 0xff))), own), own);
}

// Within registers

const merge = (which: 'high' | 'low'): Semantics =>
  binaryBySize(TO_DOUBLEWORD, (size, a, b) => {
    const n = elementsOf(size);
    const first = which === 'high' ? 0 : n / 2;
    return chooseElements(size, a, b, element => first + (element >> 1) + (element & 1 ? n : 0));
  });
/** The right halves of all elements of both vectors. */
const pack = (size: Size, a: V128, b: V128): V128 =>
  chooseElements((size - 1) as Size, a, b, element => 2 * element + 1);
/** The same after numbers that are out of range have been replaced. */
const packSaturated =
  (saturate: (size: Size, a: V128) => V128): Semantics =>
  i => {
    const [a, b] = [i.vr('v2'), i.vr('v3')];
    bySize(i, 'm4', FROM_HALFWORD, size => {
      const limited = [i.let(saturate(size, a)), i.let(saturate(size, b))] as const;
      i.setVr('v1', pack(size, ...limited));
      i.if(i32.and(i.field('m5'), 1), () => {
        // Elements that are as they were.
        const kept = [i.let(equal(size, a, limited[0])), i.let(equal(size, b, limited[1]))] as const;
        const some = i32.select(v128.any(v128.or(...kept)), 1, 3);
        i.setCc(i32.select(v128.all8(v128.and(...kept)), 0, some));
      });
    });
  };
function saturateSigned(size: Size, a: V128): V128 {
  const greatest = every(size, (1n << BigInt(bitsOfSize(size) / 2 - 1)) - 1n);
  const least = every(size, -(1n << BigInt(bitsOfSize(size) / 2 - 1)));
  const raised = v128.select(least, a, greaterS(size, least, a));
  return v128.select(greatest, raised, greaterS(size, raised, greatest));
}
function saturateUnsigned(size: Size, a: V128): V128 {
  const greatest = mask(size, bitsOfSize(size) / 2);
  return v128.select(greatest, a, greaterU(size, a, greatest));
}
const unpack = (signed: boolean, extend: typeof extendLeft): Semantics =>
  unaryBySize(TO_WORD, (size, a) => extend(size, signed, a));

/** Bytes of V2 and V3 by their numbers among the 32, in the rightmost five bits of the bytes of V4. */
const permute = ternary((a, b, c, i) => {
  // The lane in b; that in a is 16 less. What is none of 0 to 15 gives zero.
  const lanes = i.let(v128.andNot(every(0, 31), c));
  return v128.or(v128.swizzle(a, v128.xor(lanes, every(0, 16))), v128.swizzle(b, lanes));
});
/** Bits of V2 by their numbers in the bytes of V3, zero from 128 on; to the right of the left doubleword. */
const permuteBits = binary((a, b) => {
  const bytes = v128.swizzle(a, subtract(0, every(0, 15), shiftRightU(0, b, k32(3))));
  const bits = v128.swizzle(v128Constant(0x0102_0408_1020_4080n), v128.and(b, every(0, 7)));
  const areOnes = v128.ne8(v128.and(bytes, bits), every(0, 0));
  return joined(i64.fromU(v128.bitmask8(areOnes)), k64(0));
});
/** The doublewords that bits 1 and 3 of M4 name. */
const permuteDoublewords = binary((a, b, i) => {
  const m4 = i.field('m4');
  return joined(i64.select(i32.and(m4, 4), right(a), left(a)), i64.select(i32.and(m4, 1), right(b), left(b)));
});

export const vectorSupport: readonly Instruction[] = [
  // LOAD COUNT TO BLOCK BOUNDARY is a general instruction.
  insn('LCBB', 0xe727, RXE_r, VECTOR, i => {
    const count = bytesToBoundary(i, i.address().va);
    i.setGr32('r1', count);
    i.setCc(i32.select(i32.eq(count, 16), 0, 3));
  }),

  // LOAD, STORE
  insn('VL', 0xe706, VRX, VECTOR, i => i.setVr('v1', i.load128(i.address())), { additionalFloatingPoint: 'vector' }),
  insn('VST', 0xe70e, VRX, VECTOR, i => i.store128(i.address(), i.vr('v1')), { additionalFloatingPoint: 'vector' }),
  insn('VLR', 0xe756, VRR_a0, VECTOR, i => i.setVr('v1', i.vr('v2')), vector),
  insn(
    'VLM',
    0xe736,
    VRS_a,
    VECTOR,
    i => i.loadVectors(i.placeOf(i.address(), rangeSize(i), 'fetch'), 'v1', 'v3'),
    vector,
  ),
  insn(
    'VSTM',
    0xe73e,
    VRS_a,
    VECTOR,
    i => i.storeVectors(i.placeOf(i.address(), rangeSize(i), 'store'), 'v1', 'v3'),
    vector,
  ),
  insn('VLL', 0xe737, VRS_b0, VECTOR, i => loadBytes(i, i.address(), givenLength(i)), vector),
  insn('VSTL', 0xe73f, VRS_b0, VECTOR, i => storeBytes(i, i.address(), givenLength(i)), vector),
  insn(
    'VLBB',
    0xe707,
    VRX,
    VECTOR,
    i => {
      const address = i.address();
      loadBytes(i, address, bytesToBoundary(i, address.va));
    },
    vector,
  ),

  // Elements: LOAD, STORE, LOAD IMMEDIATE, GATHER, SCATTER, LOAD AND REPLICATE, LOAD LOGICAL AND ZERO
  insn('VLEB', 0xe700, VRX, VECTOR, loadElement(0), vector),
  insn('VLEH', 0xe701, VRX, VECTOR, loadElement(1), vector),
  insn('VLEF', 0xe703, VRX, VECTOR, loadElement(2), vector),
  insn('VLEG', 0xe702, VRX, VECTOR, loadElement(3), vector),
  insn('VSTEB', 0xe708, VRX, VECTOR, storeElement(0), vector),
  insn('VSTEH', 0xe709, VRX, VECTOR, storeElement(1), vector),
  insn('VSTEF', 0xe70b, VRX, VECTOR, storeElement(2), vector),
  insn('VSTEG', 0xe70a, VRX, VECTOR, storeElement(3), vector),
  insn('VLEIB', 0xe740, VRI_a, VECTOR, loadImmediate(0), vector),
  insn('VLEIH', 0xe741, VRI_a, VECTOR, loadImmediate(1), vector),
  insn('VLEIF', 0xe743, VRI_a, VECTOR, loadImmediate(2), vector),
  insn('VLEIG', 0xe742, VRI_a, VECTOR, loadImmediate(3), vector),
  insn('VGEF', 0xe713, VRV, VECTOR, gather(2), vector),
  insn('VGEG', 0xe712, VRV, VECTOR, gather(3), vector),
  insn('VSCEF', 0xe71b, VRV, VECTOR, scatter(2), vector),
  insn('VSCEG', 0xe71a, VRV, VECTOR, scatter(3), vector),
  insn('VLREP', 0xe705, VRX, VECTOR, replicate(TO_DOUBLEWORD), sized('m3', 'BHFG')),
  insn('VLLEZ', 0xe704, VRX, VECTOR, logicalElement([0, 1, 2, 3, LEFT_WORD]), sized('m3', 'BHFG')),

  // The same with the bytes reversed, or the elements
  insn('VLEBRH', 0xe601, VRX, ENHANCED_2, loadElement(1, reversed), vector),
  insn('VLEBRF', 0xe603, VRX, ENHANCED_2, loadElement(2, reversed), vector),
  insn('VLEBRG', 0xe602, VRX, ENHANCED_2, loadElement(3, reversed), vector),
  insn('VSTEBRH', 0xe609, VRX, ENHANCED_2, storeElement(1, reversed), vector),
  insn('VSTEBRF', 0xe60b, VRX, ENHANCED_2, storeElement(2, reversed), vector),
  insn('VSTEBRG', 0xe60a, VRX, ENHANCED_2, storeElement(3, reversed), vector),
  insn('VLBRREP', 0xe605, VRX, ENHANCED_2, replicate(FROM_HALFWORD, reversed), sized('m3', '-HFG')),
  insn('VLLEBRZ', 0xe604, VRX, ENHANCED_2, logicalElement([1, 2, 3, LEFT_WORD], reversed), sized('m3', '-HFG')),
  insn('VLBR', 0xe606, VRX, ENHANCED_2, loadChanged(reversible, bytesReversed), sized('m3', '-HFGQ')),
  insn('VSTBR', 0xe60e, VRX, ENHANCED_2, storeChanged(reversible, bytesReversed), sized('m3', '-HFGQ')),
  insn('VLER', 0xe607, VRX, ENHANCED_2, loadChanged(FROM_HALFWORD, elementsReversed), sized('m3', '-HFG')),
  insn('VSTER', 0xe60f, VRX, ENHANCED_2, storeChanged(FROM_HALFWORD, elementsReversed), sized('m3', '-HFG')),

  // From and to general registers; the index is an address
  insn(
    'VLGV',
    0xe721,
    VRS_c,
    VECTOR,
    i => {
      const at = i.let(i32.wrap(i.address().va));
      bySize(i, 'm4', TO_DOUBLEWORD, size =>
        i.setGr('r1', i.element('v3', size, i.let(i32.and(at, elementsOf(size) - 1)))),
      );
    },
    sized('m4', 'BHFG'),
  ),
  insn(
    'VLVG',
    0xe722,
    VRS_b,
    VECTOR,
    i => {
      const at = i.let(i32.wrap(i.address().va));
      const value = i.gr('r3');
      bySize(i, 'm4', TO_DOUBLEWORD, size => i.setElement('v1', size, i.let(i32.and(at, elementsOf(size) - 1)), value));
    },
    sized('m4', 'BHFG'),
  ),
  insn('VLVGP', 0xe762, VRR_f, VECTOR, i => i.setVr('v1', joined(i.gr('r2'), i.gr('r3'))), vector),

  // GENERATE BYTE MASK, GENERATE MASK, REPLICATE
  insn('VGBM', 0xe744, VRI_a0, VECTOR, i => i.setVr('v1', byteMask(i.let(i.field('i2')))), vector),
  insn(
    'VGM',
    0xe746,
    VRI_b,
    VECTOR,
    i => bySize(i, 'm4', TO_DOUBLEWORD, size => i.setVr('v1', bitMask(i, size))),
    sized('m4', 'BHFG'),
  ),
  insn(
    'VREP',
    0xe74d,
    VRI_c,
    VECTOR,
    i =>
      bySize(i, 'm4', TO_DOUBLEWORD, size => i.setVr('v1', splat(size, i.element('v3', size, index(i, size, 'i2'))))),
    sized('m4', 'BHFG'),
  ),
  insn(
    'VREPI',
    0xe745,
    VRI_a,
    VECTOR,
    i => bySize(i, 'm3', TO_DOUBLEWORD, size => i.setVr('v1', splat(size, i64.fromS(i.signed('s2'))))),
    sized('m3', 'BHFG'),
  ),

  // MERGE, PACK, UNPACK, SIGN EXTEND TO DOUBLEWORD
  insn('VMRH', 0xe761, VRR_c4, VECTOR, merge('high'), sized('m4', 'BHFG')),
  insn('VMRL', 0xe760, VRR_c4, VECTOR, merge('low'), sized('m4', 'BHFG')),
  insn('VPK', 0xe794, VRR_c4, VECTOR, binaryBySize(FROM_HALFWORD, pack), sized('m4', '-HFG')),
  insn('VPKS', 0xe797, VRR_b, VECTOR, packSaturated(saturateSigned), sized('m4', '-HFG')),
  insn('VPKLS', 0xe795, VRR_b, VECTOR, packSaturated(saturateUnsigned), sized('m4', '-HFG')),
  insn('VUPH', 0xe7d7, VRR_a3, VECTOR, unpack(true, extendLeft), sized('m3', 'BHF')),
  insn('VUPL', 0xe7d6, VRR_a3, VECTOR, unpack(true, extendRight), sized('m3', 'BHF')),
  insn('VUPLH', 0xe7d5, VRR_a3, VECTOR, unpack(false, extendLeft), sized('m3', 'BHF')),
  insn('VUPLL', 0xe7d4, VRR_a3, VECTOR, unpack(false, extendRight), sized('m3', 'BHF')),
  insn(
    'VSEG',
    0xe75f,
    VRR_a3,
    VECTOR,
    unaryBySize(TO_WORD, (size, a) => {
      const unused = k32(64 - bitsOfSize(size));
      return shiftRightS(3, shiftLeft(3, a, unused), unused);
    }),
    sized('m3', 'BHF'),
  ),

  // PERMUTE, BIT PERMUTE, PERMUTE DOUBLEWORD IMMEDIATE, SELECT
  insn('VPERM', 0xe78c, VRR_e0, VECTOR, permute, vector),
  insn('VBPERM', 0xe785, VRR_c0, ENHANCED_1, permuteBits, vector),
  insn('VPDI', 0xe784, VRR_c4, VECTOR, permuteDoublewords, vector),
  insn('VSEL', 0xe78d, VRR_e0, VECTOR, ternary(v128.select), vector),
];
