/**
 * Small programs for several CPUs that show whether storage is ordered as z/Architecture says (PoP ch. 5, "Sequence of
 * Storage References") and whether interlocked updates are. Each CPU runs its own part ROUNDS times; X, Y, ... are in
 * different cache lines behind %r13, %r10 counts rounds down, %r12 counts up from 1, %r9 counts what must not happen.
 */

export interface Litmus {
  readonly name: string;
  /** One part for each CPU: what it does in a round. */
  readonly cpus: readonly string[];
  /** Rounds begin together. */
  readonly together?: true;
  /** How many times the program makes its experiment in one of its rounds; once if not said. */
  readonly each?: number;
  /** What a CPU does before its rounds. */
  readonly before?: string;
  /** Looks at the results of each CPU, doublewords at OUT + 8 * CPU, when it is not enough that %r9 is zero. */
  readonly check?: (result: {
    out: readonly bigint[];
    rounds: number;
    word: (address: number) => bigint;
  }) => string | undefined;
}

/** Offsets of shared variables behind %r13. */
export const [X, Y, Z, LOCK, BARRIER, OUT] = [0x000, 0x100, 0x200, 0x300, 0x400, 0x500];

const violation = (label: string): string => `aghi %r9,1\n${label}:`;
const forbiddenIf = (condition: string, n: number): string => {
  const inverse: Record<string, string> = { e: 'ne', ne: 'e', l: 'nl', h: 'nh' };
  return `j${inverse[condition]} ok${n}\n${violation(`ok${n}`)}`;
};

const sum =
  (expected: (rounds: number) => number, at: number) =>
  (result: { rounds: number; word: (address: number) => bigint }): string | undefined => {
    const found = result.word(at);
    const wanted = BigInt(expected(result.rounds));
    return found === wanted ? undefined : `the sum is ${found}, not ${wanted}`;
  };

/** A lock by which two doublewords are kept equal; `take` sets %r1 to zero when it has it. */
const underLock = (take: string, n: number): string => `
  spin${n}: ${take}
  jne spin${n}
  lg %r2,${X}(%r13)
  lg %r3,${Y}(%r13)
  aghi %r2,1
  aghi %r3,1
  stg %r2,${X}(%r13)
  stg %r3,${Y}(%r13)
  cgr %r2,%r3
  ${forbiddenIf('ne', n)}
  lghi %r1,0
  st %r1,${LOCK}(%r13)
`;

/** Experiments between two barriers, which on a host with fewer processors take much longer than they. */
const INDEPENDENT = 64;
const at = {
  x: (n: number): number => 0x1000 + 0x40 * n,
  y: (n: number): number => 0x2000 + 0x40 * n,
  seen: (n: number): number => 0x3000 + 0x20 * n,
};
const independent = (part: (n: number) => string): string[] => Array.from({ length: INDEPENDENT }, (_, n) => part(n));

export const programs: readonly Litmus[] = [
  {
    name: 'message passing: who sees the second store sees the first',
    cpus: [
      `stg %r12,${X}(%r13)\nstg %r12,${Y}(%r13)`,
      `lg %r2,${Y}(%r13)\nlg %r3,${X}(%r13)\nclgr %r3,%r2\n${forbiddenIf('l', 1)}`,
    ],
  },
  {
    name: 'coherence: one place is never seen going back',
    cpus: [`stg %r12,${X}(%r13)`, `lg %r2,${X}(%r13)\nlg %r3,${X}(%r13)\nclgr %r3,%r2\n${forbiddenIf('l', 1)}`],
  },
  {
    name: 'store buffering with serialization: not both see the old value',
    together: true,
    cpus: [
      `stg %r12,${X}(%r13)\nbcr 15,0\nlg %r2,${Y}(%r13)\nstg %r2,${OUT}(%r13)`,
      `stg %r12,${Y}(%r13)\nbcr 15,0\nlg %r2,${X}(%r13)\nstg %r2,${OUT + 8}(%r13)`,
    ].map(
      (part, n) =>
        `${part}\nbarrier\nlg %r2,${OUT}(%r13)\nlg %r3,${OUT + 8}(%r13)\nclgr %r2,%r12\njnl ok${n}\nclgr %r3,%r12\njnl ok${n}\n${violation(`ok${n}`)}`,
    ),
  },
  {
    name: 'load buffering: no load sees a store that comes after it',
    together: true,
    cpus: [
      `lg %r2,${X}(%r13)\nstg %r12,${Y}(%r13)\nstg %r2,${OUT}(%r13)`,
      `lg %r2,${Y}(%r13)\nstg %r12,${X}(%r13)\nstg %r2,${OUT + 8}(%r13)`,
    ].map(
      (part, n) =>
        `${part}\nbarrier\nlg %r2,${OUT}(%r13)\nlg %r3,${OUT + 8}(%r13)\nclgr %r2,%r12\njl ok${n}\nclgr %r3,%r12\njl ok${n}\n${violation(`ok${n}`)}`,
    ),
  },
  {
    name: 'independent reads of independent writes: all CPUs see stores in the same order',
    together: true,
    each: INDEPENDENT,
    cpus: [
      [...independent(n => `stg %r12,${at.x(n)}(%r13)`), 'barrier'],
      [...independent(n => `stg %r12,${at.y(n)}(%r13)`), 'barrier'],
      [
        ...independent(n => `lg %r2,${at.x(n)}(%r13)\nlg %r3,${at.y(n)}(%r13)\nstmg %r2,%r3,${at.seen(n)}(%r13)`),
        'barrier',
        ...independent(
          n => `lmg %r2,%r5,${at.seen(n)}(%r13)
          clgr %r2,%r12\njl ok${n}\nclgr %r3,%r12\njnl ok${n}\nclgr %r4,%r12\njl ok${n}\nclgr %r5,%r12\njnl ok${n}\n${violation(`ok${n}`)}`,
        ),
      ],
      [
        ...independent(n => `lg %r2,${at.y(n)}(%r13)\nlg %r3,${at.x(n)}(%r13)\nstmg %r2,%r3,${at.seen(n) + 16}(%r13)`),
        'barrier',
      ],
    ].map(lines => lines.join('\n')),
  },
  {
    name: 'LOAD AND ADD and ADD IMMEDIATE count every time',
    cpus: [`lghi %r1,1\nlaag %r2,%r1,${X}(%r13)`, `agsi ${X}(%r13),1`],
    check: sum(rounds => 2 * rounds, X),
  },
  {
    name: 'COMPARE AND SWAP counts every time',
    cpus: [0, 1].map(
      n => `lg %r2,${X}(%r13)\nagain${n}: lgr %r3,%r2\naghi %r3,1\ncsg %r2,%r3,${X}(%r13)\njne again${n}`,
    ),
    check: sum(rounds => 2 * rounds, X),
  },
  {
    name: 'bits of one byte, by AND, OR and EXCLUSIVE OR IMMEDIATE',
    cpus: [
      `oi ${X}(%r13),1\ntm ${X}(%r13),1\njo ok0\n${violation('ok0')}\nni ${X}(%r13),254`,
      `oi ${X}(%r13),2\ntm ${X}(%r13),2\njo ok1\n${violation('ok1')}\nni ${X}(%r13),253`,
    ],
  },
  {
    name: 'a lock made of COMPARE AND SWAP',
    cpus: [0, 1].map(n => underLock(`lghi %r1,0\nlghi %r4,1\ncs %r1,%r4,${LOCK}(%r13)`, n)),
    check: sum(rounds => 2 * rounds, X),
  },
  {
    name: 'a lock made of TEST AND SET',
    cpus: [0, 1].map(n => underLock(`ts ${LOCK}(%r13)`, n)),
    check: sum(rounds => 2 * rounds, X),
  },
  {
    name: 'quadwords: COMPARE DOUBLE AND SWAP against LOAD PAIR',
    cpus: [
      `lpq %r2,${X}(%r13)\nlgr %r4,%r12\nlgr %r5,%r12\ncdsg %r2,%r4,${X}(%r13)\nje ok0\n${violation('ok0')}`,
      `lpq %r2,${X}(%r13)\ncgr %r2,%r3\n${forbiddenIf('ne', 1)}`,
    ],
  },
  {
    name: 'quadwords: STORE PAIR against LOAD PAIR',
    cpus: [
      `lgr %r2,%r12\nlgr %r3,%r12\nstpq %r2,${X}(%r13)`,
      `lpq %r2,${X}(%r13)\ncgr %r2,%r3\n${forbiddenIf('ne', 1)}`,
    ],
  },
  {
    name: 'quadwords: COMPARE DOUBLE AND SWAP loses no store into its right half',
    cpus: [
      `again: lpq %r2,${X}(%r13)\nlgr %r4,%r2\naghi %r4,1\nlgr %r5,%r3\ncdsg %r2,%r4,${X}(%r13)\njne again`,
      `stg %r12,${X + 8}(%r13)\nlg %r2,${X + 8}(%r13)\ncgr %r2,%r12\n${forbiddenIf('ne', 1)}`,
    ],
    check: sum(rounds => rounds, X),
  },
  {
    name: 'quadwords: COMPARE DOUBLE AND SWAP counts every time',
    cpus: [0, 1].map(
      n =>
        `lpq %r2,${X}(%r13)\nagain${n}: lgr %r4,%r2\naghi %r4,1\nlgr %r5,%r3\naghi %r5,1\ncdsg %r2,%r4,${X}(%r13)\njne again${n}`,
    ),
    check: sum(rounds => 2 * rounds, X),
  },
  {
    name: 'COMPARE AND SWAP AND STORE: both stores or none, and none of another CPU lost',
    before: `larl %r1,list\nlghi %r0,2`,
    cpus: [
      // Function code 2 swaps sixteen bytes, storage characteristic 0 stores one byte.
      `larl %r1,list\nlpq %r2,${X}(%r13)\nlgr %r4,%r2\naghi %r4,1\nlgr %r5,%r3\nstg %r4,0(%r1)\nstg %r5,8(%r1)\nlghi %r0,2\ncsst ${X}(%r13),${Z}(%r13),%r2`,
      `stg %r12,${X + 8}(%r13)\nlg %r2,${X + 8}(%r13)\ncgr %r2,%r12\n${forbiddenIf('ne', 1)}`,
    ],
  },
  {
    name: 'instructions that another CPU stores to, seen after serialization',
    cpus: [
      // The immediate operand of CPU 1's instruction; CPU 1 says when it has executed it.
      `larl %r1,patched\nsth %r12,2(%r1)\nstg %r12,${X}(%r13)\nseen0: clg %r12,${Y}(%r13)\njne seen0`,
      `seen1: clg %r12,${X}(%r13)\njne seen1\nbcr 15,0\npatched: lghi %r2,0\nlghr %r3,%r12\ncgr %r2,%r3\n${forbiddenIf('ne', 1)}\nstg %r12,${Y}(%r13)`,
    ],
  },
  ...[2, 4, 8].map(count => ({
    name: `${count} CPUs that invalidate, purge and set keys at once`,
    cpus: Array.from({ length: count }, () =>
      [
        `lay %r1,8192(%r13)`,
        `lgr %r3,%r12\nsllg %r3,%r3,12\nnilh %r3,15\nipte %r1,%r3,0`,
        `lay %r4,12288(%r13)\nlghi %r5,16\nsske %r5,%r4`,
        `lghi %r2,2048\nlgr %r6,%r1\nidte %r0,%r6,%r2`,
        `lghi %r1,1\nlaag %r2,%r1,${X}(%r13)\nstg %r2,${0}(%r4)`,
      ].join('\n'),
    ),
    check: sum(rounds => count * rounds, X),
  })),
];
