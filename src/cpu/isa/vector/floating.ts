/**
 * Vector floating-point instructions (PoP ch. 24). Short and long elements are computed by the host under the conditions
 * under which it computes those of the other floating-point instructions (bfp.ts), which must hold for all elements; the
 * rest is done in millicode.
 */

import {
  type F32,
  type F64,
  f32,
  f64,
  type I32,
  type I64,
  i32,
  i64,
  k32,
  k64,
  kf64,
  LANE,
  operation,
  type V128,
  v128,
} from '../../ir/expr.ts';
import { every, extract, joined, type Size, splat, ZERO } from '../../ir/vector.ts';
import * as exact from '../../millicode/bfp.ts';
import * as work from '../../millicode/vector-floating.ts';
import { SPECIFICATION } from '../../program.ts';
import * as state from '../../state.ts';
import {
  add,
  type Choice,
  choose,
  divide,
  type Fused,
  fits32,
  fits64,
  fuseLong,
  fuseShort,
  type Kind,
  long,
  multiply,
  type Operation,
  rounded,
  short,
  subtract,
  validMethod,
} from '../bfp.ts';
import { VRI_e, VRR_a, VRR_a4, VRR_c, VRR_c5, VRR_e } from '../formats.ts';
import { type Conditions, type Insn, type Instruction, insn, type Millicode, type Semantics } from '../insn.ts';
import { allSomeNone, bySize, ENHANCED_1, enhanced, VECTOR, vector } from './elements.ts';

/** Formats of elements as a mask field has them. */
const SHORT = 2;
const LONG = 3;
const EXTENDED = 4;

// Bits of the mask field behind the format
const SINGLE = 8;
const SUPPRESS_INEXACT = 4;

/** How elements of a format are in a vector. */
interface Shape<F extends F32 | F64> {
  readonly kind: Kind<F>;
  readonly size: Size;
  get(i: Insn, from: V128, index: number): F;
  set(into: V128, index: number, value: F): V128;
}
const lane = (elements: number, index: number): number => (elements - index) * LANE;
const shorts: Shape<F32> = {
  kind: short,
  size: 2,
  get: (i, from, index) => i.let(operation('f32', 0x11f + lane(4, index), from)),
  set: (into, index, value) => operation('v128', 0x120 + lane(4, index), into, value),
};
const longs: Shape<F64> = {
  kind: long,
  size: 3,
  get: (i, from, index) => i.let(operation('f64', 0x121 + lane(2, index), from)),
  set: (into, index, value) => operation('v128', 0x122 + lane(2, index), into, value),
};

const all = (conditions: readonly I32[]): I32 => conditions.reduce((both, one) => i32.and(both, one));

/** What the host has made of an element, and when it is right as in Choice. */
interface Part<F extends F32 | F64> extends Pick<Choice, 'whenSettled' | 'isPrecise' | 'isDecisive'> {
  readonly result: F;
}

/** Puts elements at their indexes, zeros elsewhere. */
const vectorOf = <F extends F32 | F64>(shape: Shape<F>, indexes: readonly number[], values: readonly F[]): V128 =>
  values.reduce<V128>((into, value, n) => shape.set(into, indexes[n]!, value), ZERO);

/** V1 becomes the results for some elements if the host's are right for all of them. */
function setElements<F extends F32 | F64>(
  i: Insn,
  shape: Shape<F>,
  indexes: readonly number[],
  parts: readonly Part<F>[],
  slow: Millicode,
): void {
  const decisive = parts.flatMap(({ isDecisive }) => isDecisive ?? []);
  choose(i, {
    whenSettled: all(parts.map(({ whenSettled }) => whenSettled)),
    isPrecise: () => all(parts.map(({ isPrecise }) => isPrecise())),
    ...(decisive.length === parts.length ? { isDecisive: all(decisive) } : {}),
    quick: () =>
      i.setVr(
        'v1',
        vectorOf(
          shape,
          indexes,
          parts.map(({ result }) => result),
        ),
      ),
    slow: () => i.millicode(slow),
  });
}

/** Does what is to be done for elements of each format, the short and the extended one with vector-enhancements facility 1. */
function byFormat(i: Insn, field: string, formats: readonly number[], body: (format: number) => void): void {
  bySize(i, field, formats, format => {
    if (format !== LONG) enhanced(i, state.LACKS_ENHANCEMENTS_1);
    body(format);
  });
}
/** For the leftmost element only, if the single-element control says so, or for all `count`. */
function byElements(i: Insn, control: I32, count: number, body: (indexes: readonly number[]) => void): void {
  i.if(
    i32.and(control, SINGLE),
    () => body([0]),
    () => body(Array.from({ length: count }, (_, n) => n)),
  );
}
/** The control bits in a mask field, of which only some may be ones. */
function controls(i: Insn, field: string, valid: number): I32 {
  const bits = i.let(i.field(field));
  i.programIf(i32.and(bits, 15 & ~valid), SPECIFICATION);
  return bits;
}

/** As conditions of rows: where the format and the single-element control are. */
const floating = (format: string, single: string): Conditions => ({ ...vector, floatingFields: [format, single] });
const inM3 = floating('m3', 'm4');
const inM4 = floating('m4', 'm5');
const inM6 = floating('m6', 'm5');

/** By format and elements, extended ones in millicode. */
function elementwise(
  i: Insn,
  [format, single]: readonly [string, string],
  valid: number,
  slow: Millicode,
  body: <F extends F32 | F64>(shape: Shape<F>, indexes: readonly number[]) => void,
): void {
  const control = controls(i, single, valid);
  byFormat(i, format, [SHORT, LONG, EXTENDED], code => {
    if (code === EXTENDED) i.millicode(slow);
    else if (code === SHORT) byElements(i, control, 4, indexes => body(shorts, indexes));
    else byElements(i, control, 2, indexes => body(longs, indexes));
  });
}

// ADD, SUBTRACT, MULTIPLY, DIVIDE, SQUARE ROOT, MULTIPLY AND ADD and its like

function arithmetic(of: Operation): Semantics {
  const slow = work.binary(of.work);
  return i => {
    const [v2, v3] = [i.vr('v2'), i.vr('v3')];
    elementwise(i, ['m4', 'm5'], SINGLE, slow, (shape, indexes) => {
      const { kind } = shape;
      const parts = indexes.map(n => {
        const [a, b] = [shape.get(i, v2, n), shape.get(i, v3, n)];
        const result = i.let(of.result(kind.host, a, b));
        return {
          result,
          whenSettled: of.whenSettled(kind, result),
          isPrecise: () => of.isPrecise(kind, i, a, b, result),
          isDecisive: of.isDecisive(kind, a, b),
        };
      });
      setElements(i, shape, indexes, parts, slow);
    });
  };
}

const slowRoot = work.unary(exact.squareRoot);
const squareRoot: Semantics = i => {
  const v2 = i.vr('v2');
  elementwise(i, ['m3', 'm4'], SINGLE, slowRoot, (shape, indexes) => {
    const { kind } = shape;
    const parts = indexes.map(n => {
      const a = shape.get(i, v2, n);
      const result = i.let(kind.host.sqrt(a));
      return {
        result,
        whenSettled: kind.moderate(result),
        isPrecise: () => kind.isRoot(a, result),
        isDecisive: kind.moderate(a),
      };
    });
    setElements(i, shape, indexes, parts, slowRoot);
  });
};

/** @param negative the sign of the result is inverted */
function fused(kind: Fused, negative: boolean): Semantics {
  const slow = work.fused(kind === 'add' ? exact.multiplyAdd : exact.multiplySubtract, negative);
  return i => {
    const [v2, v3, v4] = [i.vr('v2'), i.vr('v3'), i.vr('v4')];
    const control = controls(i, 'm5', SINGLE);
    const compute = <F extends F32 | F64>(
      shape: Shape<F>,
      indexes: readonly number[],
      fuse: (i: Insn, kind: Fused, a: F, b: F, c: F) => Part<F>,
      negate: (value: F) => F,
    ): void => {
      const parts = indexes.map(n => {
        const part = fuse(i, kind, shape.get(i, v2, n), shape.get(i, v3, n), shape.get(i, v4, n));
        return negative ? { ...part, result: negate(part.result) } : part;
      });
      setElements(i, shape, indexes, parts, slow);
    };
    byFormat(i, 'm6', [SHORT, LONG, EXTENDED], code => {
      if (code === EXTENDED) i.millicode(slow);
      else if (code === SHORT) byElements(i, control, 4, indexes => compute(shorts, indexes, fuseShort, f32.neg));
      else byElements(i, control, 2, indexes => compute(longs, indexes, fuseLong, f64.neg));
    });
  };
}

// COMPARE

type Relation = 'equal' | 'high' | 'highOrEqual';
/** Opcodes for short and long elements, and which condition codes of a comparison hold. */
const RELATIONS: Readonly<Record<Relation, readonly [short: number, long: number, codes: readonly number[]]>> = {
  equal: [0x141, 0x147, [0]],
  high: [0x144, 0x14a, [2]],
  highOrEqual: [0x146, 0x14c, [0, 2]],
};
/** Elements that are no NaNs. */
const isNumber = (code: number, a: V128): V128 => operation('v128', code === SHORT ? 0x141 : 0x147, a, a);
const leftmost = (code: number): V128 => (code === SHORT ? joined(k64(-1n << 32n), k64(0)) : joined(k64(-1), k64(0)));

function compare(relation: Relation): Semantics {
  const [shortOpcode, longOpcode, codes] = RELATIONS[relation];
  const slow = work.compare(codes);
  return i => {
    const [a, b] = [i.vr('v2'), i.vr('v3')];
    const control = controls(i, 'm5', SINGLE | SUPPRESS_INEXACT);
    const setsCode = controls(i, 'm6', 1);
    // Here the bit means that quiet NaNs signal as well.
    i.if(i32.and(control, SUPPRESS_INEXACT), () => enhanced(i, state.LACKS_ENHANCEMENTS_1));
    byFormat(i, 'm4', [SHORT, LONG, EXTENDED], code => {
      if (code === EXTENDED) return i.millicode(slow);
      const one = i.let(i32.ne(i32.and(control, SINGLE), 0));
      const everyElement = i64.sub(i64.fromU(one), 1);
      // The elements that count.
      const counts = i.let(v128.or(leftmost(code), splat(3, everyElement)));
      const numbers = v128.and(isNumber(code, a), isNumber(code, b));
      i.ifUnlikely(
        v128.any(v128.andNot(counts, numbers)),
        () => i.millicode(slow),
        () => {
          const result = i.let(v128.and(counts, operation('v128', code === SHORT ? shortOpcode : longOpcode, a, b)));
          i.setVr('v1', result);
          i.if(setsCode, () =>
            i.setCc(allSomeNone(v128.or(result, v128.and(v128.not(counts), spreadLeft(i, code, result))))),
          );
        },
      );
    });
  };
}
/** The leftmost element everywhere. */
function spreadLeft(i: Insn, code: number, a: V128): V128 {
  const size = code === SHORT ? 2 : 3;
  return splat(size, i.let(extract(size, a, 0)));
}

/** COMPARE SCALAR, COMPARE AND SIGNAL SCALAR: leftmost elements of V1 and V2. */
function compareScalar(of: typeof exact.compare): Semantics {
  const slow = work.compareScalar(of);
  return i => {
    const [v1, v2] = [i.vr('v1'), i.vr('v2')];
    controls(i, 'm4', 0);
    const compute = <F extends F32 | F64>({ kind: { host }, get }: Shape<F>): void => {
      const [a, b] = [get(i, v1, 0), get(i, v2, 0)];
      const low = i.let(host.lt(a, b));
      const high = i.let(host.gt(a, b));
      i.ifUnlikely(
        i32.and(host.ne(a, b), i32.eqz(i32.or(low, high))),
        () => i.millicode(slow),
        () => i.setCc(i32.or(low, i32.shl(high, 1))),
      );
    };
    byFormat(i, 'm3', [SHORT, LONG, EXTENDED], code => {
      if (code === EXTENDED) i.millicode(slow);
      else if (code === SHORT) compute(shorts);
      else compute(longs);
    });
  };
}

// Conversions; M5 is the rounding method, M4 the single-element and the inexactness control

/** Precise, or the rounding method is the current one and inexactness is not suppressed. */
const usual = (i: Insn, control: I32): I32 => i32.eqz(i32.or(i.field('m5'), i32.and(control, SUPPRESS_INEXACT)));

/** From integers, words with vector-enhancements facility 2. */
function fromInteger(signed: boolean): Semantics {
  const slow = work.fromInteger(signed);
  return i => {
    const v2 = i.vr('v2');
    const control = controls(i, 'm4', SINGLE | SUPPRESS_INEXACT);
    validMethod(i, 'm5');
    const isUsual = i.let(usual(i, control));
    const compute = <F extends F32 | F64>(
      shape: Shape<F>,
      convert: (value: I64) => { result: F; precise: I32 },
    ): void =>
      byElements(i, control, 16 >> shape.size, indexes => {
        const parts = indexes.map(n => {
          const { result, precise } = convert(i.let(extract(shape.size, v2, n)));
          return { result: i.let(result), whenSettled: isUsual, isPrecise: () => precise };
        });
        setElements(i, shape, indexes, parts, slow);
      });
    bySize(i, 'm3', [SHORT, LONG], code => {
      if (code === LONG) {
        compute(longs, value => ({
          result: signed ? f64.fromI64(value) : f64.fromU64(value),
          precise: fits64(value, signed, 53),
        }));
      } else {
        enhanced(i, state.LACKS_ENHANCEMENTS_2);
        compute(shorts, value => {
          const word = i.let(i32.wrap(value));
          return { result: signed ? f32.fromI32(word) : f32.fromU32(word), precise: fits32(word, signed) };
        });
      }
    });
  };
}

/** Elements rounded to integers, unless that is a case for millicode. */
function roundedElements<F extends F32 | F64>(
  i: Insn,
  shape: Shape<F>,
  indexes: readonly number[],
  widen: (a: F) => F64,
  slow: Millicode,
  isRight: (integer: F64, a: F64) => I32,
  set: (integers: readonly F64[]) => void,
): void {
  const v2 = i.vr('v2');
  const parts = indexes.map(n => {
    const a = i.let(widen(shape.get(i, v2, n)));
    const { integer, right } = rounded(i, a, 'm5');
    return { integer, right: i32.and(right, isRight(integer, a)) };
  });
  i.ifUnlikely(
    i32.eqz(all(parts.map(({ right }) => right))),
    () => i.millicode(slow),
    () => set(parts.map(({ integer }) => integer)),
  );
}

function toInteger(signed: boolean): Semantics {
  const slow = work.toInteger(signed ? exact.convertToFixed : exact.convertToLogical);
  return i => {
    const control = controls(i, 'm4', SINGLE | SUPPRESS_INEXACT);
    validMethod(i, 'm5');
    const compute = <F extends F32 | F64>(shape: Shape<F>, widen: (a: F) => F64): void => {
      const bits = 8 << shape.size;
      const [least, end] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1)] : [0, 2 ** bits];
      const isInRange = (integer: F64): I32 => i32.and(f64.ge(integer, kf64(least)), f64.lt(integer, kf64(end)));
      byElements(i, control, 16 >> shape.size, indexes =>
        roundedElements(i, shape, indexes, widen, slow, isInRange, integers => {
          const halves = [k64(0), k64(0)];
          for (const [n, integer] of integers.entries()) {
            const value = signed ? i64.truncS(integer) : i64.truncU(integer);
            const half = n >> (3 - shape.size);
            const word = i64.shl(i64.and(value, 0xffff_ffffn), n & 1 ? 0 : 32);
            halves[half] = shape.size === 3 ? value : i64.or(halves[half]!, word);
          }
          i.setVr('v1', joined(halves[0]!, halves[1]!));
        }),
      );
    };
    bySize(i, 'm3', [SHORT, LONG], code => {
      if (code === LONG) return compute(longs, a => a);
      enhanced(i, state.LACKS_ENHANCEMENTS_2);
      compute(shorts, f64.promote);
    });
  };
}

const slowInteger = work.roundedUnary(exact.loadFpInteger);
/** LOAD FP INTEGER. */
const loadInteger: Semantics = i => {
  const control = controls(i, 'm4', SINGLE | SUPPRESS_INEXACT);
  validMethod(i, 'm5');
  const compute = <F extends F32 | F64>(shape: Shape<F>, widen: (a: F) => F64, narrow: (a: F64) => F): void =>
    byElements(i, control, 16 >> shape.size, indexes =>
      roundedElements(
        i,
        shape,
        indexes,
        widen,
        slowInteger,
        (_, a) => f64.eq(a, a),
        integers => i.setVr('v1', vectorOf(shape, indexes, integers.map(narrow))),
      ),
    );
  byFormat(i, 'm3', [SHORT, LONG, EXTENDED], code => {
    if (code === EXTENDED) i.millicode(slowInteger);
    else if (code === SHORT) compute(shorts, f64.promote, f32.demote);
    else {
      const same = (a: F64): F64 => a;
      compute(longs, same, same);
    }
  });
};

/** LOAD LENGTHENED: short elements with even indexes, or the leftmost long one. */
const lengthen: Semantics = i => {
  const v2 = i.vr('v2');
  const control = controls(i, 'm4', SINGLE);
  bySize(i, 'm3', [SHORT, LONG], code => {
    if (code === LONG) {
      enhanced(i, state.LACKS_ENHANCEMENTS_1);
      return i.millicode(work.lengthen);
    }
    byElements(i, control, 2, indexes => {
      const elements = indexes.map(n => shorts.get(i, v2, 2 * n));
      i.ifUnlikely(
        i32.eqz(all(elements.map(a => f32.eq(a, a)))),
        () => i.millicode(work.lengthen),
        () => i.setVr('v1', vectorOf(longs, indexes, elements.map(f64.promote))),
      );
    });
  });
};

/** LOAD ROUNDED: the reverse. */
const round: Semantics = i => {
  const v2 = i.vr('v2');
  const control = controls(i, 'm4', SINGLE | SUPPRESS_INEXACT);
  validMethod(i, 'm5');
  bySize(i, 'm3', [LONG, EXTENDED], code => {
    if (code === EXTENDED) {
      enhanced(i, state.LACKS_ENHANCEMENTS_1);
      return i.millicode(work.round);
    }
    const isUsual = i.let(usual(i, control));
    byElements(i, control, 2, indexes => {
      const parts = indexes.map(n => {
        const a = longs.get(i, v2, n);
        const result = i.let(f32.demote(a));
        return {
          result,
          whenSettled: i32.and(isUsual, short.moderate(result)),
          isPrecise: () => f64.eq(f64.promote(result), a),
          isDecisive: k32(1),
        };
      });
      setElements(
        i,
        shorts,
        indexes.map(n => 2 * n),
        parts,
        work.round,
      );
    });
  });
};

// Signs, classes, extremes

/** PERFORM SIGN OPERATION: M5 is 0 to invert signs, 1 to set them, 2 to clear them. */
const performSign: Semantics = i => {
  const a = i.vr('v2');
  const control = controls(i, 'm4', SINGLE);
  const method = i.let(i.field('m5'));
  i.programIf(i32.gtU(method, 2), SPECIFICATION);
  byFormat(i, 'm3', [SHORT, LONG, EXTENDED], code => {
    const sign = joined(k64(1n << 63n), k64(0));
    const signs = code === SHORT ? every(2, 1n << 31n) : code === LONG ? every(3, 1n << 63n) : sign;
    const chosen = i.let(code === EXTENDED ? signs : splatWhere(i, control, signs, sign));
    const inverts = i.let(i64.fromS(i32.sub(i32.ne(method, 0), 1)));
    // Set and cleared at first, except where it is to be inverted.
    const cleared = v128.andNot(a, v128.andNot(chosen, splat(3, inverts)));
    const sets = splat(3, i64.fromS(i32.sub(i32.eq(method, 2), 1)));
    i.setVr('v1', v128.xor(cleared, v128.and(chosen, sets)));
  });
};
/** `one` if the single-element control says so, else `all`. */
const splatWhere = (i: Insn, control: I32, all: V128, one: V128): V128 => {
  const single = i.let(i64.fromS(i32.sub(i32.eqz(i32.and(control, SINGLE)), 1)));
  return v128.select(one, all, splat(3, single));
};

/** In millicode alone. */
const inMillicode =
  (format: string, control: string, slow: Millicode): Semantics =>
  i => {
    controls(i, control, SINGLE);
    byFormat(i, format, [SHORT, LONG, EXTENDED], () => i.millicode(slow));
  };
/** MAXIMUM, MINIMUM: M6 is one of several ways to deal with zeros and NaNs, which take absolute values from 8 on. */
const extreme =
  (which: 'greater' | 'less'): Semantics =>
  i => {
    const method = i.let(i.field('m6'));
    i.programIf(i32.gtU(i32.and(method, 7), 4), SPECIFICATION);
    i.programIf(i32.gtU(method, 12), SPECIFICATION);
    inMillicode('m4', 'm5', work.extreme(which))(i);
  };

export const vectorFloating: readonly Instruction[] = [
  insn('VFA', 0xe7e3, VRR_c5, VECTOR, arithmetic(add), inM4),
  insn('VFS', 0xe7e2, VRR_c5, VECTOR, arithmetic(subtract), inM4),
  insn('VFM', 0xe7e7, VRR_c5, VECTOR, arithmetic(multiply), inM4),
  insn('VFD', 0xe7e5, VRR_c5, VECTOR, arithmetic(divide), inM4),
  insn('VFSQ', 0xe7ce, VRR_a4, VECTOR, squareRoot, inM3),
  insn('VFMA', 0xe78f, VRR_e, VECTOR, fused('add', false), inM6),
  insn('VFMS', 0xe78e, VRR_e, VECTOR, fused('subtract', false), inM6),
  insn('VFNMA', 0xe79f, VRR_e, ENHANCED_1, fused('add', true), inM6),
  insn('VFNMS', 0xe79e, VRR_e, ENHANCED_1, fused('subtract', true), inM6),

  insn('VFCE', 0xe7e8, VRR_c, VECTOR, compare('equal'), inM4),
  insn('VFCH', 0xe7eb, VRR_c, VECTOR, compare('high'), inM4),
  insn('VFCHE', 0xe7ea, VRR_c, VECTOR, compare('highOrEqual'), inM4),
  insn('WFC', 0xe7cb, VRR_a4, VECTOR, compareScalar(exact.compare), vector),
  insn('WFK', 0xe7ca, VRR_a4, VECTOR, compareScalar(exact.compareAndSignal), vector),

  insn('VCDG', 0xe7c3, VRR_a, VECTOR, fromInteger(true), vector),
  insn('VCDLG', 0xe7c1, VRR_a, VECTOR, fromInteger(false), vector),
  insn('VCGD', 0xe7c2, VRR_a, VECTOR, toInteger(true), vector),
  insn('VCLGD', 0xe7c0, VRR_a, VECTOR, toInteger(false), vector),
  insn('VFI', 0xe7c7, VRR_a, VECTOR, loadInteger, inM3),
  insn('VFLL', 0xe7c4, VRR_a4, VECTOR, lengthen, vector),
  insn('VFLR', 0xe7c5, VRR_a, VECTOR, round, vector),

  insn('VFPSO', 0xe7cc, VRR_a, VECTOR, performSign, inM3),
  insn('VFTCI', 0xe74a, VRI_e, VECTOR, inMillicode('m4', 'm5', work.testClass), inM4),
  insn('VFMAX', 0xe7ef, VRR_c, ENHANCED_1, extreme('greater'), inM4),
  insn('VFMIN', 0xe7ee, VRR_c, ENHANCED_1, extreme('less'), inM4),
];
