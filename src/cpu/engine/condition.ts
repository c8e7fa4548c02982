/**
 * The condition code while it is kept as operands: its value, and whether a mask selects it, as expressions. The kinds
 * are those of isa/insn.ts, and: `result`, a signed result and whether it overflowed; `carried`, a result and the carry.
 */

import * as x from '../ir/expr.ts';
import { type Expr, type I32, i32, i64, k32 } from '../ir/expr.ts';
import type { ConditionKind } from '../isa/insn.ts';
import type { CodeKind } from './facts.ts';

/** Kinds by the number that stands for them at run time. */
export const CODE_KINDS: readonly CodeKind[] = [
  'value',
  ...([32, 64] as const).flatMap(width =>
    (
      [
        'signed',
        'unsigned',
        'logical',
        'add',
        'subtract',
        'addLogical',
        'subtractLogical',
        'result',
        'carried',
      ] as const
    ).map((kind): CodeKind => `${kind}${width}`),
  ),
];

/** Both operand widths have the same operations; the types cannot say so together. */
interface Operations {
  add(a: Expr, b: Expr): Expr;
  sub(a: Expr, b: Expr): Expr;
  and(a: Expr, b: Expr): Expr;
  xor(a: Expr, b: Expr): Expr;
  eq(a: Expr, b: Expr): I32;
  ne(a: Expr, b: Expr): I32;
  ltS(a: Expr, b: Expr): I32;
  leS(a: Expr, b: Expr): I32;
  gtS(a: Expr, b: Expr): I32;
  geS(a: Expr, b: Expr): I32;
  ltU(a: Expr, b: Expr): I32;
  leU(a: Expr, b: Expr): I32;
  gtU(a: Expr, b: Expr): I32;
  geU(a: Expr, b: Expr): I32;
}

const operations32 = i32 as unknown as Operations;
const operations64 = i64 as unknown as Operations;
const zero32 = k32(0);
const zero64 = x.k64(0);

/** What a kind is made of. */
interface Parts {
  /** Without the width. */
  readonly name: string;
  readonly n: Operations;
  readonly zero: Expr;
  /** Types of the operands; undefined: there is no second one. */
  readonly types: readonly ['i32' | 'i64', ('i32' | 'i64')?];
}

const parts = new Map(
  CODE_KINDS.map((kind): [CodeKind, Parts] => {
    const type = kind.endsWith('32') ? 'i32' : 'i64';
    const name = kind.slice(0, -2);
    const flagged = name === 'result' || name === 'carried';
    return [
      kind,
      {
        name,
        n: type === 'i32' ? operations32 : operations64,
        zero: type === 'i32' ? zero32 : zero64,
        types: name === 'logical' ? [type] : [type, flagged ? 'i32' : type],
      },
    ];
  }),
);
const split = (kind: CodeKind): Parts => parts.get(kind)!;

export const operandTypes = (kind: CodeKind): Parts['types'] => split(kind).types;

const kinds = (width: 32 | 64): Record<ConditionKind, CodeKind> =>
  Object.fromEntries(
    CODE_KINDS.filter(kind => kind.endsWith(`${width}`)).map(kind => [kind.slice(0, -2), kind]),
  ) as Record<ConditionKind, CodeKind>;
/** The kinds for operands of 32 and of 64 bits. */
export const CODE32 = kinds(32);
export const CODE64 = kinds(64);

/** Signed overflow of a sum or difference, as its sign. */
const overflowed = (n: Operations, zero: Expr, name: string, a: Expr, b: Expr, result: Expr): I32 =>
  name === 'add'
    ? n.ltS(n.and(n.xor(a, result), n.xor(b, result)), zero)
    : n.ltS(n.and(n.xor(a, b), n.xor(a, result)), zero);

/** The condition code of operands that may be evaluated more than once. */
export function codeValue(kind: CodeKind, a: Expr, b: Expr): I32 {
  const { name, n, zero } = split(kind);
  const ordered = (high: I32, low: I32): I32 => i32.or(i32.shl(high, 1), low);
  switch (name) {
    case 'signed':
      return ordered(n.gtS(a, b), n.ltS(a, b));
    case 'unsigned':
      return ordered(n.gtU(a, b), n.ltU(a, b));
    case 'logical':
      return n.ne(a, zero);
    case 'add':
    case 'subtract': {
      const result = name === 'add' ? n.add(a, b) : n.sub(a, b);
      const overflow = overflowed(n, zero, name, a, b, result);
      return i32.select(overflow, 3, ordered(n.gtS(result, zero), n.ltS(result, zero)));
    }
    case 'addLogical': {
      const sum = n.add(a, b);
      return ordered(n.ltU(sum, a), n.ne(sum, zero));
    }
    case 'subtractLogical':
      return ordered(n.geU(a, b), n.ne(a, b));
    case 'result':
      return i32.select(b as I32, 3, ordered(n.gtS(a, zero), n.ltS(a, zero)));
    case 'carried':
      return ordered(b as I32, n.ne(a, zero));
    default:
      return a as I32;
  }
}

type Relation = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
/** Relations by the codes 0 to 2 that a mask selects, leftmost first. */
const RELATIONS: readonly (Relation | boolean)[] = [false, 'gt', 'lt', 'ne', 'eq', 'ge', 'le', true];

function related(n: Operations, relation: Relation | boolean, signed: boolean, a: Expr, b: Expr): I32 {
  if (typeof relation === 'boolean') return k32(relation ? 1 : 0);
  if (relation === 'eq' || relation === 'ne') return n[relation](a, b);
  return n[`${relation}${signed ? 'S' : 'U'}`](a, b);
}

/** 1 if a mask of four bits selects the condition code of operands that may be evaluated more than once. */
export function codeSelected(kind: CodeKind, mask: number, a: Expr, b: Expr): I32 {
  if (mask === 15) return k32(1);
  if (mask === 0) return k32(0);
  const { name, n, zero } = split(kind);
  const relation = RELATIONS[mask >> 1]!;
  switch (name) {
    case 'signed':
    case 'unsigned':
      return related(n, relation, name === 'signed', a, b);
    case 'logical':
      return [k32(0), n.ne(a, zero), n.eq(a, zero), k32(1)][mask >> 2]!;
    case 'subtract':
      // Equal operands do not overflow.
      if (mask === 8 || mask === 7) return n[relation as 'eq'](a, b);
      break;
    case 'add': {
      const constant = b.kind === 'const' ? BigInt(b.value) : undefined;
      // A sum of zero overflows only if both are the least number.
      if (constant !== undefined && constant >= -0x8000n && constant <= 0x7fffn) {
        if (mask === 8 || mask === 7) return n[relation as 'eq'](n.add(a, b), zero);
        const opposite = b.type === 'i32' ? k32(-Number(constant)) : x.k64(-constant);
        if (mask === 2 && constant < 0n) return n.gtS(a, opposite);
        if (mask === 4 && constant > 0n) return n.ltS(a, opposite);
      }
      break;
    }
    case 'addLogical':
    case 'carried': {
      const sum = name === 'carried' ? a : n.add(a, b);
      const carry = (): I32 => (name === 'carried' ? (b as I32) : n.ltU(sum, a));
      if (mask === 3) return carry();
      if (mask === 12) return i32.eqz(carry());
      if (mask === 10) return n.eq(sum, zero);
      if (mask === 5) return n.ne(sum, zero);
      break;
    }
    case 'subtractLogical':
      return related(n, SUBTRACTED[mask & 7]!, false, a, b);
  }
  if (name === 'add' || name === 'subtract' || name === 'result') return signedSelected(kind, mask, a, b);
  return selectedValue(mask, codeValue(kind, a, b));
}

/** Of a difference without sign: codes 1 less, 2 equal, 3 greater. */
const SUBTRACTED: readonly (Relation | boolean)[] = [false, 'gt', 'eq', 'ge', 'lt', 'ne', 'le', true];

function signedSelected(kind: CodeKind, mask: number, a: Expr, b: Expr): I32 {
  const { name, n, zero } = split(kind);
  const result = name === 'add' ? n.add(a, b) : name === 'subtract' ? n.sub(a, b) : a;
  const overflow = name === 'result' ? (b as I32) : overflowed(n, zero, name, a, b, result);
  const relation = related(n, RELATIONS[mask >> 1]!, true, result, zero);
  return mask & 1 ? i32.or(overflow, relation) : i32.and(i32.eqz(overflow), relation);
}

/** 1 if a mask selects a condition code that is at hand. */
export function selectedValue(mask: number, code: I32): I32 {
  switch (mask) {
    case 0:
      return k32(0);
    case 15:
      return k32(1);
    case 8:
      return i32.eqz(code);
    case 7:
      return i32.ne(code, 0);
    case 4:
      return i32.eq(code, 1);
    case 11:
      return i32.ne(code, 1);
    case 2:
      return i32.eq(code, 2);
    case 13:
      return i32.ne(code, 2);
    case 1:
      return i32.eq(code, 3);
    case 14:
      return i32.ne(code, 3);
    case 12:
      return i32.leU(code, 1);
    case 3:
      return i32.gtU(code, 1);
    case 10:
      return i32.eqz(i32.and(code, 1));
    case 5:
      return i32.and(code, 1);
    default:
      return i32.and(i32.shrU(k32(mask), i32.sub(k32(3), code)), 1);
  }
}
